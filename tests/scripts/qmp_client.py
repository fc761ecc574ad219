"""A client of a QMP control socket: JSON in, JSON out, every wait bounded."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "gdb"))

import cli_test
import rsp_client

TIMEOUT = 30.0
CODE, DATA = 0x80000000, 0x80001000
# Adds 1 to a doubleword at DATA for ever: load +4, store +12, jump +16.
COUNT = [0x00001517, 0x00053583, 0x00158593, 0x00b53023, 0xff5ff06f]
# Writes to the test device: off (0x5555), reset (0x7777).
OFF = [0x001002b7, 0x00005337, 0x5553031b, 0x0062a023, 0x0000006f]
RESET = [0x001002b7, 0x00007337, 0x7773031b, 0x0062a023, 0x0000006f]
# Prints `a` for ever, in one line.
ENDLESS = [0x10000537, 0x06100593, 0x00b50023, 0xffdff06f]
STORE = CODE + 12


def guest(words):
    """An ELF with this code and a page of data behind it."""
    code = b"".join(w.to_bytes(4, "little") for w in words)
    head = cli_test.elf(size=0x2000, file_size=len(code))[:120]
    return head + code


class QmpError(Exception):
    """The peer closed the connection, or nothing came in time."""


def connect_unix(path):
    """The path is there a moment before anybody listens."""
    limit = time.monotonic() + TIMEOUT
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(path)
            return connection
        except ConnectionRefusedError:
            connection.close()
            if time.monotonic() > limit:
                raise
            time.sleep(0.01)


class QmpClient:
    """One connection; `events` are those that came while something else was waited for."""

    def __init__(self, address, negotiate=True):
        if isinstance(address, socket.socket):
            self.socket = address
        elif isinstance(address, tuple):
            self.socket = socket.create_connection(address)
        else:
            self.socket = connect_unix(address)
        self.buffer = b""
        self.events = []
        try:
            self.greeting = self.receive()
            if negotiate:
                self.expect({}, "qmp_capabilities")
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.settimeout(TIMEOUT)
        self.socket.sendall(data if isinstance(data, bytes) else json.dumps(data).encode() + b"\n")

    def line(self, timeout=TIMEOUT):
        limit = time.monotonic() + timeout
        while b"\n" not in self.buffer:
            self.socket.settimeout(max(limit - time.monotonic(), 0.0001))
            try:
                data = self.socket.recv(1 << 16)
            except TimeoutError:
                raise QmpError(f"nothing came in time; so far {self.buffer[:80]!r}") from None
            except ConnectionError as e:
                raise QmpError(str(e)) from None
            if not data:
                raise QmpError("closed")
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line + b"\n"

    def receive(self, timeout=TIMEOUT):
        return json.loads(self.line(timeout))

    def reply(self, timeout=TIMEOUT):
        """The next that is no event."""
        while True:
            message = self.receive(timeout)
            if "event" not in message:
                return message
            self.events.append(message)

    def request(self, command, arguments=None, **more):
        self.send({"execute": command, **({} if arguments is None else {"arguments": arguments}),
                   **more})

    def ask(self, command, arguments=None, timeout=TIMEOUT, **more):
        self.request(command, arguments, **more)
        return self.reply(timeout)

    def get(self, command, arguments=None, timeout=TIMEOUT):
        """What is returned; an error is an error here."""
        reply = self.ask(command, arguments, timeout)
        if "return" not in reply:
            raise QmpError(f"{command} {arguments}: {reply}")
        return reply["return"]

    def expect(self, wanted, command, arguments=None):
        got = self.get(command, arguments)
        if got != wanted:
            raise QmpError(f"{command} {arguments}: {got}, wanted {wanted}")

    def error(self, command, arguments=None, **more):
        """(class, text) of the error that it has to be."""
        reply = self.ask(command, arguments, **more)
        if "error" not in reply:
            raise QmpError(f"{command} {arguments}: {reply}")
        return reply["error"]["class"], reply["error"]["desc"]

    def human(self, line):
        return self.get("human-monitor-command", {"command-line": line})

    def event(self, name, timeout=TIMEOUT):
        """The next event of that name; those before it are dropped."""
        limit = time.monotonic() + timeout
        while True:
            while self.events:
                event = self.events.pop(0)
                if event["event"] == name:
                    return event
            message = self.receive(limit - time.monotonic())
            if "event" not in message:
                raise QmpError(f"a reply, not an event: {message}")
            self.events.append(message)

    def take_events(self):
        """Names of those that have come before a reply to a command given now."""
        self.get("query-name")
        names = [e["event"] for e in self.events]
        self.events = []
        return names

    def expect_closed(self):
        try:
            while True:
                self.line()
        except QmpError as e:
            if "in time" in str(e):
                raise


class Program:
    """A process with a control socket, and what it says on stderr."""

    def __init__(self, arguments, folder, listens=True, **options):
        self.path = os.path.join(folder, "qmp")
        self.gdb = os.path.join(folder, "gdb")
        self.said = open(os.path.join(folder, "stderr"), "w+b")
        self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=self.said, **options)
        if listens:
            self.wait_for(self.path)

    def wait_for(self, path):
        limit = time.monotonic() + TIMEOUT
        while not os.path.exists(path):
            if self.process.poll() is not None or time.monotonic() > limit:
                raise QmpError(f"it did not begin: {self.stderr()}")
            time.sleep(0.01)

    def stderr(self):
        with open(self.said.name, encoding="utf-8", errors="replace") as f:
            return f.read()

    def wait_said(self, text):
        limit = time.monotonic() + TIMEOUT
        while text not in self.stderr():
            if self.process.poll() is not None or time.monotonic() > limit:
                raise QmpError(f"never said {text!r}: {self.stderr()}")
            time.sleep(0.01)
        return self.stderr()

    def connect(self, **options):
        return QmpClient(self.path, **options)

    def wait(self):
        return self.process.wait(TIMEOUT)

    def stop(self):
        """However it ended, it has to have been well."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(TIMEOUT)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        said = self.stderr()
        self.said.close()
        if self.process.returncode not in (0, -signal.SIGTERM):
            raise QmpError(f"it ended with {self.process.returncode}: {said}")


class Folder:
    """A place for sockets and guests."""

    def __init__(self):
        self.place = tempfile.TemporaryDirectory(prefix="backstep-qmp-")
        self.path = self.place.name

    def file(self, name, content=None):
        path = os.path.join(self.path, name)
        if content is not None:
            with open(path, "wb") as f:
                f.write(content)
        return path

    def arguments(self, words=COUNT, gdb=False):
        """Of `backstep`, without a control socket."""
        kernel = self.file("guest.elf", guest(words))
        more = ["-gdb", f"unix:{self.file('gdb')}"] if gdb else []
        return [cli_test.program, "run", "-bios", "none", "-m", "16M", "-kernel", kernel, "-serial",
                "null", *more]

    def start(self, *more, words=COUNT, gdb=False):
        socket_path = self.file("qmp")
        return Program([*self.arguments(words, gdb), "-qmp", f"unix:{socket_path}", *more],
                       self.path)

    def cleanup(self):
        self.place.cleanup()


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = Folder()
        self.addCleanup(self.folder.cleanup)

    def start(self, *more, **options):
        program = self.folder.start(*more, **options)
        self.addCleanup(program.stop)
        return program

    def connect(self, program, **options):
        client = program.connect(**options)
        self.addCleanup(client.close)
        return client

    def attach_gdb(self, program):
        program.wait_for(program.gdb)
        gdb = rsp_client.RspClient(f"unix:{program.gdb}")
        self.addCleanup(gdb.close)
        gdb.handshake(["swbreak+", "hwbreak+"])
        return gdb

    def paused(self, *more, **options):
        """A machine that has not begun, and a client."""
        program = self.start("-S", *more, **options)
        return program, self.connect(program)

    def run_to(self, client, position):
        client.expect({}, "replay-break", {"icount": position})
        client.expect({}, "cont")
        client.event("STOP")
        self.assertEqual(client.get("query-replay")["icount"], position)
