#!/usr/bin/env python3
"""Two networks of a Linux guest: connections from and to the host, large uploads, and what happens to them
while a debugger stops the machine or goes back with it."""

import contextlib
import re
import select
import socket
import threading
import unittest

import linux_guest

from linux_guest import GUARD, end_to_end

UPLOAD_LEAST = 2 << 20
FRAMES = re.compile(r"network (\d): (\d+) packets to the guest, (\d+) from it; (\d+) dropped")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def receive_all(connection):
    """What comes until the peer's end."""
    parts = []
    while data := connection.recv(1 << 16):
        parts.append(data)
    return b"".join(parts)


class Listener:
    """A context manager: takes one connection on loopback, in the background, and what it sends."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.settimeout(GUARD)
        self.port = self.socket.getsockname()[1]
        self.data = None
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        with self.socket.accept()[0] as connection:
            connection.settimeout(GUARD)
            self.data = receive_all(connection)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.thread.join(GUARD)
        self.socket.close()


class Echo:
    """A connection through a forwarded port to a `cat` in the guest."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), GUARD)
        self.socket.settimeout(GUARD)

    def send(self, data):
        self.socket.sendall(data)

    def expect(self, data):
        got = b""
        while len(got) < len(data):
            part = self.socket.recv(1 << 16)
            if not part:
                break
            got += part
        if got != data:
            raise AssertionError(f"{len(got)} bytes came back, not the {len(data)} that were sent")

    def silent(self, seconds=0.3):
        return not select.select([self.socket], [], [], seconds)[0]


class Networks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.files = linux_guest.obtain()

    def frames(self, client):
        """(to the guest, from it) of each network."""
        found = FRAMES.findall(client.monitor("info networks"))
        self.assertEqual([n[0] for n in found], ["0", "1"])
        return [(int(n[1]), int(n[2])) for n in found]

    @contextlib.contextmanager
    def stopped(self, machine):
        with machine.program.connect(timeout=GUARD) as client:
            yield client
            client.detach()

    def check_cards(self, machine):
        """Which is which: by their addresses."""
        self.assertEqual(machine.run("cat /sys/class/net/eth0/address /sys/class/net/eth1/address"),
                         "52:54:00:12:34:56\n02:00:00:00:00:01\n")
        machine.run("ifconfig lo 127.0.0.1 up; ifconfig eth0 10.0.2.15 up && route add default gw 10.0.2.2")
        machine.run("ifconfig eth1 192.168.77.15 up")
        for host in ("10.0.2.2", "192.168.77.1"):
            self.assertIn(" 1 packets received", machine.run(f"ping -c 1 {host}"))

    def check_server(self, machine, port):
        """Pages of a server in the guest, several at a time."""
        machine.run("mkdir -p /tmp/www && seq 5000 >/tmp/www/page && httpd -p 80 -h /tmp/www")
        page = "".join(f"{n}\n" for n in range(1, 5001)).encode()
        connections = [socket.create_connection(("127.0.0.1", port), GUARD) for _ in range(3)]
        for connection in connections:
            connection.sendall(b"GET /page HTTP/1.0\r\n\r\n")
        for connection in connections:
            with connection:
                head, _, body = receive_all(connection).partition(b"\r\n\r\n")
                self.assertIn(b"200 OK", head)
                self.assertEqual(body, page)

    def check_upload(self, machine, host):
        program, = self.files.cache.glob("*/usr/bin/busybox")
        with Listener() as listener:
            machine.run(f"cat /bin/busybox /bin/busybox >/tmp/data; nc {host} {listener.port} </tmp/data; rm /tmp/data")
        self.assertGreater(len(listener.data), UPLOAD_LEAST)
        self.assertTrue(listener.data == 2 * program.read_bytes())

    def check_stopped(self, machine, port):
        """While the machine stands still or is in the past the other end waits; then it goes on."""
        machine.run("(while :; do nc -l -p 7 -e cat; done >/dev/null 2>&1 &)")
        machine.run("until netstat -tln | grep -q ':7 '; do sleep 0.1; done")
        echo = Echo(port)
        echo.send(b"first\n")
        echo.expect(b"first\n")
        block = bytes(range(256)) * 400
        with self.stopped(machine) as client:
            before = self.frames(client)
            echo.send(b"second\n")
            self.assertTrue(echo.silent())
            client.monitor("goto 80%")
            self.assertIn("in the past", client.monitor("when"))
            client.cont()
            self.assertIn("live", client.monitor("when"))
            client.monitor("goto 90%")
            echo.send(block)
            self.assertTrue(echo.silent())
            self.assertEqual(self.frames(client), before)
            client.monitor("goto end")
        echo.expect(b"second\n" + block)
        with self.stopped(machine) as client:  # a little back, again and again
            for n in range(5):
                client.monitor(f"goto -{n * 1000 + 1}")
                client.monitor("goto end")
        echo.send(block)
        echo.expect(block)
        with self.stopped(machine) as client:
            after = self.frames(client)
        self.assertGreater(after[0], before[0])
        self.assertEqual(after[1], before[1])
        echo.socket.close()

    def test_networks(self):
        ports = free_port(), free_port()
        forwards = ",".join(f"hostfwd=tcp:127.0.0.1:{host}-:{guest}" for host, guest in zip(ports, (80, 7)))
        arguments = ["-netdev", f"user,id=a,{forwards}",
                     "-netdev", "user,id=b,net=192.168.77.0/24,host=192.168.77.1,restrict=on",
                     "-device", "virtio-net-device,netdev=a",
                     "-device", "virtio-net-device,netdev=b,mac=02:00:00:00:00:01",
                     "-icount", "shift=3"]
        with linux_guest.Machine(self.files, arguments=arguments) as machine:
            machine.boot()
            self.check_cards(machine)
            self.check_server(machine, ports[0])
            self.check_upload(machine, "10.0.2.2")
            self.check_stopped(machine, ports[1])
            self.assertEqual(machine.power_off(), 0)

    @unittest.skipUnless(linux_guest.FULL, "only in the long suites")
    def test_none(self):
        with linux_guest.Machine(self.files, arguments=["-nic", "none"]) as machine:
            machine.boot()
            self.assertEqual(machine.run("ls /sys/class/net"), "lo\n")
            self.assertIn("no network", machine.monitor("info networks"))
            self.assertEqual(machine.power_off(), 0)


if __name__ == "__main__":
    end_to_end.need(end_to_end.OPENSBI)
    end_to_end.main()
