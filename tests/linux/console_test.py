#!/usr/bin/env python3
"""Consoles of a Linux guest, and the keys of the one that is on stdio: bytes in both directions, in any amount,
while gdb moves the machine too."""

import hashlib
import os
import pathlib

import random
import re
import select
import socket
import subprocess
import tempfile
import threading
import time

import unittest

import linux_guest

from linux_guest import GUARD, end_to_end

import programs

BYTES = 66_000  # more than all buffers on the way
PROMPT = b"(backstep) "


class StdioMachine(linux_guest.Machine):
    """Its serial port is stdin and stdout, with the keys of C-a though no terminal; it has no gdb port."""

    def __init__(self, files, arguments):
        self.at = 0
        self.folder = tempfile.TemporaryDirectory(prefix="linux-")
        self.stderr = pathlib.Path(self.folder.name, "stderr")
        ours, theirs = socket.socketpair()
        self.line = linux_guest.Console(ours)
        self.program = self
        with open(self.stderr, "wb") as err, theirs:
            self.process = subprocess.Popen(
                [programs.backstep_path(), "run", "-kernel", files.kernel, "-initrd", files.initrd,
                 "-append", linux_guest.QUICK, "-serial", "mon:stdio", *arguments],
                stdin=theirs, stdout=theirs, stderr=err)

    def stderr_text(self):
        return self.stderr.read_text(errors="replace")

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def command(self, line):
        """What a command at the prompt printed."""
        self.line.type(line.encode() + b"\r")
        return self.expect(PROMPT).decode().partition("\n")[2]


class Terminal(end_to_end.SerialLine):
    """The line's other end, by way of a file descriptor."""

    def __init__(self, descriptor):
        self.seen = b""
        self.descriptor = descriptor

    def close(self):
        os.close(self.descriptor)

    def type(self, data):
        while data:
            data = data[os.write(self.descriptor, data):]

    def receive(self, timeout):
        if not select.select([self.descriptor], [], [], max(timeout, 0))[0]:
            return False
        data = os.read(self.descriptor, 1 << 16)
        self.seen += data
        return bool(data)


def open_terminal(stderr, label):
    """The pseudo terminal that the program has said is a line's."""
    name = re.search(rf"char device redirected to (\S+) \(label {label}\)", stderr)[1]
    descriptor = os.open(name, os.O_RDWR | os.O_NOCTTY)
    return Terminal(descriptor)


def in_background(function, *arguments):
    thread = threading.Thread(target=function, args=arguments, daemon=True)
    thread.start()
    return thread


def numbers(count):
    """What `seq` prints in the guest."""
    return "".join(f"{n}\n" for n in range(1, count + 1)).encode()


class Consoles(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.files = linux_guest.obtain()

    def prepare(self, machine):
        """Both consoles are held open and raw: the last close would undo that."""
        for n, descriptor in ((0, 5), (1, 6)):
            machine.run(f"exec {descriptor}<>/dev/hvc{n}; stty raw -echo </dev/hvc{n}")

    def check_amounts(self, machine, line, device):
        """More than fits anywhere, in both directions; the guest takes its time."""
        data = random.Random(device).randbytes(BYTES)
        machine.send(f"sleep 1; head -c {BYTES} <{device} | md5sum")
        thread = in_background(line.type, data)
        machine.expect(hashlib.md5(data).hexdigest().encode())
        thread.join(GUARD)
        machine.expect(linux_guest.PROMPT)
        text = numbers(13000)
        start = len(line.seen)
        machine.send(f"seq 13000 >{device}")
        line.wait_for(text[-30:], start)
        self.assertEqual(hashlib.md5(line.seen[start:]).digest(), hashlib.md5(text).digest())
        machine.expect(linux_guest.PROMPT)

    def check_shell(self, machine, line):
        """Both lines at the same time: each has a shell."""
        machine.run("(setsid sh -c 'stty sane; PS1=\"hvc0# \" exec sh -i' </dev/hvc0 >/dev/hvc0 2>&1 &)")
        line.wait_for(b"hvc0# ")
        start = len(line.seen)
        line.type(b"echo $((6 * 7))\r")
        line.wait_for(b"\n42\r\nhvc0# ", start)
        self.assertEqual(machine.run("echo other"), "other\n")
        start = len(line.seen)
        line.type(b"exit\r")
        line.wait_for(b"exit", start)

    def check_moves(self, machine, line):
        """Back and forth with the keys of C-a: nothing is sent twice, what is typed meanwhile comes later."""
        start = len(line.seen)
        machine.run("echo sent >/dev/hvc0")
        line.wait_for(b"sent\n", start)
        machine.line.type(b"\x01c")
        machine.expect(PROMPT)
        self.assertRegex(machine.command("when"), r"position [\d,]+, live\r\n")
        self.assertIn("1 hart", machine.command("info machine"))
        self.assertRegex(machine.command("info events"), r"[1-9]\d* events from outside")
        self.assertIn("position", machine.command("goto 90%"))
        self.assertIn("in the past", machine.command("when"))
        line.type(b"typed in the past\n")
        self.assertEqual(line.quiet(), b"")
        self.assertIn("unknown command `info nothing`", machine.command("info nothing"))
        machine.command("goto end")
        machine.line.type(b"\x01c")
        machine.expect(b"\n")
        self.assertEqual(machine.run("read -r words <&5; echo \"$words\""), "typed in the past\n")
        self.assertEqual(line.seen[start:], b"sent\n")
        self.assertEqual(machine.run("echo here"), "here\n")
        machine.send("stty -icanon -echo; echo type; head -c 1 | od -An -tx1; stty icanon echo")
        machine.expect(b"type\r\n")
        machine.line.type(b"\x01a")
        machine.expect(b" 01\r\n")
        machine.expect(linux_guest.PROMPT)

    def check_peers(self, machine, path, line):
        """A peer goes and another comes, which is returned."""
        line.close()
        machine.run("echo to nobody >/dev/hvc0")
        other = end_to_end.SerialLine(path)
        other.type(b"other\n")
        self.assertEqual(machine.run("read -r words <&5; echo \"$words\"; echo back >&5"), "other\n")
        other.wait_for(b"back\n")
        return other

    def test_consoles(self):
        with tempfile.TemporaryDirectory(prefix="console-") as folder:
            path = os.path.join(folder, "console0")
            arguments = ["-chardev", f"socket,id=c0,path={path},server=on,wait=off",
                         "-chardev", "pty,id=c1", "-device", "virtio-serial-device",
                         "-device", "virtconsole,chardev=c0", "-device", "virtconsole,chardev=c1"]
            with StdioMachine(self.files, arguments) as machine:
                machine.boot()
                line = end_to_end.SerialLine(path)
                terminal = open_terminal(machine.stderr_text(), "console1")
                self.prepare(machine)
                self.check_amounts(machine, line, "/dev/hvc0")
                self.check_amounts(machine, terminal, "/dev/hvc1")
                self.check_moves(machine, line)
                line = self.check_peers(machine, path, line)
                self.check_shell(machine, line)
                line.close()
                terminal.close()
                machine.line.type(b"\x01x")
                self.assertEqual(machine.wait(), 0)

    @unittest.skipUnless(linux_guest.FULL, "only in the long suites")
    def test_pty(self):
        """The serial port itself on a pseudo terminal."""
        with programs.Program("backstep", [programs.backstep_path(), "run", "-kernel", self.files.kernel,
                                           "-initrd", self.files.initrd, "-append", linux_guest.QUICK, "-icount",
                                           "sleep=off", "-serial", "pty"], "none") as program:
            limit = time.monotonic() + GUARD
            while "label serial0" not in program.stderr_text() and time.monotonic() < limit:
                time.sleep(0.01)
            line = open_terminal(program.stderr_text(), "serial0")
            at = line.wait_for(linux_guest.PROMPT, timeout=GUARD)
            text = numbers(3000)
            line.type(b"seq 3000 >/tmp/numbers; md5sum /tmp/numbers; cat /tmp/numbers\n")
            at = line.wait_for(hashlib.md5(text).hexdigest().encode(), at)
            line.wait_for(text.replace(b"\n", b"\r\n"), at)
            line.type(b"poweroff -f\n")
            self.assertEqual(program.process.wait(GUARD), 0)
            line.close()


if __name__ == "__main__":
    end_to_end.need(end_to_end.OPENSBI)
    end_to_end.main()
