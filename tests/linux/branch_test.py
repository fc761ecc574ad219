#!/usr/bin/env python3
"""Another future of a running Linux: it runs on in a branch, with its disk, beyond what has happened; what has
happened stays as it was, goes on as if nothing had been, and both are in the recording, killed or closed."""

import hashlib
import pathlib
import random
import re
import shutil
import subprocess
import tempfile
import time
import unittest

import linux_guest

from linux_guest import GUARD, end_to_end

import programs

BLOCK = 4096
BLOCKS = 4096
A0 = 10

# Reads the disk from its beginning on, slowly, and writes to its end.
WORK = ("( (n=0; while [ $n -lt 100 ]; do dd if=/dev/vda of=/dev/null bs=64k skip=$n count=1 2>/dev/null; "
        "echo $n | dd of=/dev/vda bs=4k seek=$((4000 + n % 90)) count=1 conv=sync,fsync 2>/dev/null; "
        "n=$((n + 1)); sleep 0.2; done; echo work-is-$((40 + 2))) & ); sleep 3")


class Branches(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.files = linux_guest.obtain()

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="branch-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.content = random.Random(5).randbytes(BLOCKS * BLOCK)
        self.image = self.folder / "raw.img"
        self.image.write_bytes(self.content)
        self.exports = 0

    def position(self, client):
        return int(re.search(r"position ([\d,]+)", client.monitor("when"))[1].replace(",", ""))

    def state(self, client):
        """Registers of the hart, and the disk."""
        self.exports += 1
        path = self.folder / f"export {self.exports}.img"
        self.assertIn(f"is in {path}", client.monitor(f"disk export 0 {path}"))
        data = path.read_bytes()
        path.unlink()
        return client.read_registers(), hashlib.md5(data).hexdigest()

    def goto(self, client, position):
        text = client.monitor(f"goto {position}")
        self.assertEqual(self.position(client), position, text)

    def at(self, client, position):
        self.goto(client, position)
        return self.state(client)

    def run_on(self, client, seconds):
        client.send_packets([b"vCont;c"])
        time.sleep(seconds)
        client.interrupt()
        stop = client.wait_stop(GUARD)
        self.assertEqual(stop.kind, "T")
        self.assertNotIn(b"diverged", stop.console)

    def begin_branch(self, client, origin):
        """Something else is in a register; a while later the branch is at several places, which are noted."""
        before = self.at(client, origin)
        registers = before[0]
        client.write_register(A0, int.from_bytes(registers[A0 * 8:A0 * 8 + 8], "little") ^ 1)
        self.assertIn("branch other, from main", client.monitor("branch other"))
        noted = {}
        for _ in range(3):
            self.run_on(client, 2)
            noted[self.position(client)] = self.state(client)
        return noted

    def check_branch(self, client, noted):
        for position in random.Random(3).sample(sorted(noted), len(noted)):
            self.assertEqual(self.at(client, position), noted[position], position)

    def check_file(self, path, main, other):
        """With the image gone: what both have read is in the file. (An export would lack the rest.) All that is
        replayed is compared with digests, and a difference stops the way there."""
        done = subprocess.run([programs.backstep_path(), "verify", path], capture_output=True, text=True,
                              timeout=GUARD, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        with programs.start_backstep([str(path)], command="replay") as program, \
                program.connect(timeout=GUARD) as client:
            self.assertIn("other", client.monitor("branches"), program.stderr_text())
            for name, noted in (("other", other), ("main", main)):
                client.monitor(f"switch {name}")
                for position in random.Random(4).sample(sorted(noted), len(noted)):
                    self.goto(client, position)
                    self.assertEqual(client.read_registers(), noted[position][0], (name, position))
            self.assertNotIn("not in the recording", program.stderr_text())

    def test_another_future(self):
        path, killed, away = (self.folder / name for name in ("run.bsr", "killed.bsr", "away.img"))
        arguments = ["-drive", f"file={self.image},format=raw,if=virtio", "-o", str(path)]
        with linux_guest.Machine(self.files, arguments=arguments) as machine:
            machine.boot()
            with machine.program.connect(timeout=GUARD) as client:
                begin = self.position(client)
                client.detach()
            machine.run(WORK)
            with machine.program.connect(timeout=GUARD) as client:
                tip = self.position(client)
                main = {n: self.at(client, n) for n in (begin, begin + (tip - begin) * 2 // 3, tip - 1000)}
                machine.line.quiet()
                seen = len(machine.line.seen)
                other = self.begin_branch(client, begin + (tip - begin) // 2)
                self.assertGreater(max(other), tip, "the branch is to read what main has not")
                self.check_branch(client, other)
                time.sleep(1.5)
                client.request(b"vCont;s:1")
                shutil.copy(f"{path}.incomplete", killed)
                other[self.position(client)] = self.state(client)
                machine.line.quiet()
                self.assertEqual(len(machine.line.seen), seen, "nothing leaves a branch")
                client.monitor("switch main")
                for position in main:
                    self.assertEqual(self.at(client, position), main[position], position)
                client.monitor("goto end")
                self.assertEqual(self.position(client), tip)
                client.detach()
            # Main reads what the branch has read before it.
            machine.expect(b"work-is-42")
            machine.run("sync; echo 3 >/proc/sys/vm/drop_caches")
            digest = machine.run(f"dd if=/dev/vda bs={BLOCK} count=4000 2>/dev/null | md5sum").split()[0]
            self.assertEqual(digest, hashlib.md5(self.content[:4000 * BLOCK]).hexdigest())
            self.assertEqual(machine.power_off(), 0)
        self.image.rename(away)
        del other[max(other)]
        self.check_file(killed, main, other)
        self.check_file(path, main, other)


if __name__ == "__main__":
    end_to_end.main()
