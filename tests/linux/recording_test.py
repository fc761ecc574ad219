#!/usr/bin/env python3
"""A Linux session with disk, network and entropy in a recording: it is all there, for a program elsewhere, with
everything gone that the run was made from, and for one with sanitizers; and it runs on from its end.

Environment: BACKSTEP_ASAN: a program with sanitizers, which verifies the end of it (all of it with BACKSTEP_FULL);
else build-asan/backstep of the tree, if it is there."""

import hashlib
import http.server
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import types
import unittest

import linux_guest

from linux_guest import GUARD, end_to_end, gdb_session

import programs

BLOCK = 4096
BLOCKS = 512
UNREAD = 400  # a block that only a run beyond the end reads
PAGE = random.Random(2).randbytes(60_000)


class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *unused):
        pass


class Replay:
    """A context manager: the recording opened by a program, a debugger at it, its serial port a line."""

    def __init__(self, program, path, folder, arguments=()):
        # One after the other in one folder.
        self.serial = os.path.join(folder, f"serial{len(os.listdir(folder))}")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.serial)
        self.listener.listen()
        self.listener.settimeout(GUARD)
        self.program = programs.Program("replay", [program, "replay", path, "-serial", f"unix:{self.serial}",
                                                   *arguments])
        self.gdb = gdb_session.GdbSession(None, self.program.address.split(":", 1)[1], GUARD)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.gdb.close()
        self.program.stop()
        self.listener.close()

    def run_on(self, line, until):
        """Runs, types a line, and waits for bytes; returns what the guest printed."""
        console = linux_guest.Console(self.listener.accept()[0])
        self.gdb.begin("continue")
        try:
            console.type(line.encode() + b"\n")
            console.wait_for(until, 0, GUARD)
        finally:
            self.gdb.process.send_signal(signal.SIGINT)
            self.gdb.finish()
            console.close()
        return console.seen


class Recording(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """The session, recorded with copies of all files, which then go."""
        found = linux_guest.obtain()
        cls.shared = tempfile.TemporaryDirectory(prefix="recording-")
        cls.folder = pathlib.Path(cls.shared.name)
        cls.path = str(cls.folder / "linux.bsr")
        cls.inputs, cls.away = cls.folder / "inputs", cls.folder / "away"
        cls.inputs.mkdir()
        files = types.SimpleNamespace(kernel=shutil.copy(found.kernel, cls.inputs),
                                      initrd=shutil.copy(found.initrd, cls.inputs))
        cls.disk = random.Random(5).randbytes(BLOCKS * BLOCK)
        (cls.inputs / "disk.img").write_bytes(cls.disk)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            cls.record(files, server.server_address[1])
        finally:
            server.shutdown()
            server.server_close()
        cls.inputs.rename(cls.away)
        # Another place: a copy of the program, run from a folder of its own.
        cls.elsewhere = cls.folder / "elsewhere"
        cls.elsewhere.mkdir()
        cls.program = shutil.copy(programs.backstep_path(), cls.elsewhere)

    @classmethod
    def tearDownClass(cls):
        cls.shared.cleanup()

    @classmethod
    def record(cls, files, port):
        devices = ["-drive", f"file={cls.inputs / 'disk.img'},format=raw,if=virtio", "-device", "virtio-rng-device",
                   "-netdev", "user,id=n", "-device", "virtio-net-device,netdev=n", "-o", cls.path]
        with linux_guest.Machine(files, arguments=devices) as machine:
            machine.boot()
            cls.use(machine, port)
            machine.line.quiet()
            with machine.gdb() as g:
                cls.tip = g.position()
                cls.noted = [(cls.tip, g.registers())]
                for position in (cls.tip - 1, cls.tip - 12345, cls.tip // 2, 1000):
                    g.goto(position)
                    cls.noted.append((g.position(), g.registers()))
                g.goto("end")
                machine.program.process.send_signal(signal.SIGTERM)
                status = machine.program.process.wait(GUARD)
            said = machine.program.stderr_text()
            assert status == 0 and f"recorded to {cls.path}" in said, (status, said)

    @classmethod
    def use(cls, machine, port):
        text = machine.run(f"dd if=/dev/vda bs={BLOCK} count=100 2>/dev/null | md5sum")
        assert text.split()[0] == hashlib.md5(cls.disk[:100 * BLOCK]).hexdigest(), text
        machine.run(f"echo written | dd of=/dev/vda bs={BLOCK} seek=200 count=1 conv=sync,fsync 2>/dev/null")
        machine.run("dd if=/dev/hwrng bs=64 count=1 2>/dev/null | md5sum")
        machine.run("ifconfig eth0 10.0.2.15 up && route add default gw 10.0.2.2")
        text = machine.run(f"wget -q -O /tmp/page http://10.0.2.2:{port}/page; md5sum </tmp/page")
        assert text.split()[0] == hashlib.md5(PAGE).hexdigest(), text
        machine.run("sleep 1; uname -a; cat /proc/interrupts")

    def call(self, *arguments, program=None):
        done = subprocess.run([program or self.program, *map(str, arguments)], cwd=self.elsewhere,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                              timeout=10 * GUARD, check=False)
        self.assertEqual(done.returncode, 0, done)
        return done.stdout, done.stderr

    def sockets(self):
        folder = tempfile.TemporaryDirectory(prefix="replay-")
        self.addCleanup(folder.cleanup)
        return folder.name

    def replay(self):
        return Replay(self.program, self.path, self.sockets())

    def test_info(self):
        facts = json.loads(self.call("info", self.path, "--json")[0])
        self.assertEqual((facts["begin"], facts["tip"]), (0, self.tip))
        self.assertTrue(facts["complete"])
        self.assertIsNone(facts["damage"])
        self.assertIsNone(facts["problem"])
        self.assertGreaterEqual(facts["disk_blocks"], 100)
        self.assertLess(facts["disk_blocks"], BLOCKS - 100)
        self.assertLess(facts["bytes"], 64 << 20)
        self.assertFalse([i for i in facts["images"] if i["damaged"]])

    def test_verify(self):
        out, err = self.call("verify", self.path)
        self.assertIn(f": equal: positions 0 to {self.tip:,}, ", out)
        self.assertEqual(err, "")

    def test_verify_with_sanitizers(self):
        asan = os.environ.get("BACKSTEP_ASAN") or os.path.join(end_to_end.source_folder(), "build-asan", "backstep")
        if not os.access(asan, os.X_OK):
            print(f"skipped: no program with sanitizers ({asan})", flush=True)
            self.skipTest(f"{asan} is not there")
        out, err = self.call("verify", self.path, "--from", "0" if linux_guest.FULL else "97%", program=asan)
        self.assertRegex(out, rf": equal: positions [\d,]+ to {self.tip:,}, ")
        self.assertEqual(err, "")

    def test_the_same_states(self):
        """At its end, back by steps, and at places of the live session."""
        with self.replay() as replay:
            g = replay.gdb
            self.assertEqual(g.position(), self.tip)
            for position, registers in self.noted:
                g.goto(position)
                self.assertEqual(g.registers(), registers, position)
            g.goto("end")
            for n in range(1, 6):
                g.execute("reverse-stepi")
                self.assertEqual(g.position(), self.tip - n)
            g.goto(self.tip - 1)
            self.assertEqual(g.registers(), self.noted[1][1])
            said = replay.program.stderr_text()
            self.assertIn("stands at position", said)

    READ = f"echo 3 >/proc/sys/vm/drop_caches; dd if=/dev/vda bs={BLOCK} skip=%d count=1 | md5sum; echo do''ne"

    def test_a_block_it_has(self):
        """Running on without the image: what it read of it, and what it wrote."""
        with self.replay() as replay:
            text = replay.run_on(self.READ % 50, b"done\r\n").decode(errors="replace")
            self.assertIn(hashlib.md5(self.disk[50 * BLOCK:51 * BLOCK]).hexdigest(), text)
            self.assertGreater(replay.gdb.position(), self.tip)
        with self.replay() as replay:
            text = replay.run_on(self.READ % 200, b"done\r\n").decode(errors="replace")
            self.assertIn(hashlib.md5(b"written\n".ljust(BLOCK, b"\0")).hexdigest(), text)

    def test_a_block_it_lacks(self):
        """The guest gets an error, the user a line; history goes back to before it, and forth again."""
        with self.replay() as replay:
            text = replay.run_on(self.READ % UNREAD, b"done\r\n").decode(errors="replace")
            self.assertIn("Input/output error", text)
            self.assertNotIn(hashlib.md5(self.disk[UNREAD * BLOCK:][:BLOCK]).hexdigest(), text)
            said = replay.program.stderr_text()
            lines = [line for line in said.splitlines() if "I/O error" in line]
            self.assertEqual(len(lines), 1, said)
            self.assertRegex(lines[0], r"disk 0: .*disk\.img cannot be opened: beyond the recording's end, blocks ")
            end, registers = replay.gdb.position(), replay.gdb.registers()
            replay.gdb.goto(self.tip - 1)  # at the old tip itself something was typed since
            self.assertEqual(replay.gdb.registers(), self.noted[1][1])
            replay.gdb.goto(end)
            self.assertEqual(replay.gdb.registers(), registers)

    def test_a_block_of_the_image(self):
        """The image is where it was: it is read."""
        self.away.rename(self.inputs)
        try:
            with self.replay() as replay:
                text = replay.run_on(self.READ % UNREAD, b"done\r\n").decode(errors="replace")
                self.assertIn(hashlib.md5(self.disk[UNREAD * BLOCK:][:BLOCK]).hexdigest(), text)
                self.assertNotIn("I/O error", replay.program.stderr_text())
        finally:
            self.inputs.rename(self.away)

    def test_killed(self):
        """A copy of it that ends somewhere opens and replays as well."""
        size = os.stat(self.path).st_size
        cut = self.elsewhere / "cut.bsr.incomplete"
        for share in (0.5, 0.9):
            with open(self.path, "rb") as whole:
                cut.write_bytes(whole.read(int(size * share)))
            out, err = self.call("verify", cut, "--from", "95%")
            self.assertRegex(out, r": equal: positions [\d,]+ to [\d,]+, ")
            self.assertEqual(len(err.splitlines()), 1, err)
            cut.unlink()


if __name__ == "__main__":
    end_to_end.need(end_to_end.OPENSBI, gdb_session.GDB)
    end_to_end.main()
