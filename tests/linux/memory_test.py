#!/usr/bin/env python3
"""A Linux guest that writes more to its disk than the memory budget allows: the process stays small, and what
was written, and when, can be had back."""

import pathlib
import re
import tempfile
import unittest

import linux_guest

from linux_guest import GUARD, end_to_end

MIB = 1 << 20
RAM, BUDGET, MARGIN = 256, 64, 64  # MiB: their sum is what the process may need
DISK = 512 if linux_guest.FULL else 192  # MiB
# MiB written. Of them at most RAM is in the guest's own memory as well.
WRITTEN = 300 if linux_guest.FULL else 120
PIECE = 4  # MiB: where each of the copies of a program begins
UNIT = 1 << 16


def peak(pid):
    """MiB of memory that a process has had at most."""
    return int(re.search(r"VmHWM:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) / 1024


class Memory(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.files = linux_guest.obtain()
        program, = cls.files.cache.glob("*/usr/bin/busybox")
        cls.program = program.read_bytes()

    def write(self, machine, first, last):
        """Copies of the guest's busybox, no two neighbours the same; cheap in steps."""
        units = PIECE * MIB // UNIT
        machine.run(f"for n in $(seq {first} {last - 1}); do for half in 0 {units // 2}; do "
                    f"dd if=/bin/busybox of=/dev/vda bs={UNIT} skip=$((n % 7)) seek=$((n * {units} + half)) "
                    "conv=notrunc 2>/dev/null; done; done; sync")

    def check_written(self, path, pieces):
        with open(path, "rb") as disk:
            for n in range(DISK // PIECE):
                piece = disk.read(PIECE * MIB)
                if n >= pieces:
                    self.assertEqual(piece.count(0), PIECE * MIB, n)
                    continue
                half = self.program[n % 7 * UNIT:].ljust(PIECE * MIB // 2, b"\0")
                self.assertTrue(piece == half + half, f"piece {n} of {pieces}")

    def test_budget(self):
        with tempfile.TemporaryDirectory(prefix="memory-") as folder:
            image, out = pathlib.Path(folder, "disk.img"), pathlib.Path(folder, "out.img")
            with open(image, "wb") as file:
                file.truncate(DISK * MIB)
            arguments = ["-drive", f"file={image},format=raw,if=virtio", "--memory-budget", f"{BUDGET}M",
                         "-icount", "shift=3"]
            with linux_guest.Machine(self.files, arguments=arguments, memory=f"{RAM}M") as machine:
                machine.boot()
                pieces = WRITTEN // PIECE
                self.write(machine, 0, pieces // 3)
                early = machine.position()
                self.write(machine, pieces // 3, pieces)
                self.check_exports(machine, out, early, pieces)
                self.assertEqual(machine.power_off(), 0)
            self.assertEqual(image.stat().st_blocks, 0)

    def check_peak(self, machine):
        self.assertLessEqual(peak(machine.program.process.pid), RAM + BUDGET + MARGIN)

    def check_exports(self, machine, out, early, pieces):
        with machine.program.connect(timeout=GUARD) as client:
            text = client.monitor("info checkpoints")
            spilled = re.search(r"([\d.]+) MiB in a file", text)
            self.assertGreater(float(spilled[1]), WRITTEN / 2, text)
            client.monitor(f"goto {early}")
            client.monitor("goto end")
            client.monitor(f"disk export 0 {out}")
            self.check_written(out, pieces)
            client.monitor(f"goto {early}")
            self.assertIn("in the past", client.monitor("when"))
            client.monitor(f"disk export 0 {out}")
            self.check_written(out, pieces // 3)
            client.monitor("goto end")
            client.monitor(f"disk export 0 {out}")
            self.check_written(out, pieces)
            self.check_peak(machine)
            client.detach()


if __name__ == "__main__":
    end_to_end.need(end_to_end.OPENSBI)
    end_to_end.main()
