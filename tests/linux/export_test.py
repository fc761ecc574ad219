#!/usr/bin/env python3
"""A core of the running kernel, against the live session it was written from: frames, registers and memory of
all harts, in both views of memory."""

import filecmp
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import kernel_symbols
import linux_guest

from linux_guest import end_to_end, gdb_session

HARTS = 2
MEMORY = 128  # MiB
FRAME = re.compile(r"(?m)^#\d+ .*")
# Shown by their symbols: code, data, what the kernel reads through pointers.
PLACES = ("&jiffies_64", "&init_task", "&do_exit", "$sp", "$tp", "$pc")


def threads(g):
    """Registers and frames by the hart's number, which is the last of a thread's name for its target."""
    found = {}
    for number, target in re.findall(r"(?m)^[* ] (\d+) +(?:Thread|process|LWP) ([\d.]+)", g.execute("info threads")):
        g.execute(f"thread {number}")
        lines = [line for line in g.registers().splitlines() if line.split()[0] not in ("icount", "priv")]
        found[target.split(".")[-1]] = (sorted(lines), FRAME.findall(g.execute("backtrace 20")))
    return found


class Export(unittest.TestCase):
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        cls.files = linux_guest.obtain()
        cls.symbols = kernel_symbols.symbol_file(cls.files)

    def core(self, path):
        return gdb_session.GdbSession(self.symbols, setup=["set osabi auto", f"core-file {path}"])

    def export(self, machine, live, name, how=""):
        path = os.path.join(machine.folder.name, name)
        text = live.execute(f"monitor export core {path} {how}")
        self.assertTrue(os.path.exists(path), text)
        return path, text

    def same_memory(self, live, core):
        for place in PLACES:
            address = live.value(place)
            command = f"x/8xg {address:#x}"
            self.assertEqual(core.execute(command), live.execute(command), place)

    def check(self, machine, live):
        path, text = self.export(machine, live, "linux.core")
        self.assertIn("of virtual addresses", text)
        self.assertNotIn("left out", text)
        self.assertLess(os.stat(path).st_size, (MEMORY << 20) + (4 << 20))
        chosen = re.search(r"thread is (\d+)", live.execute("thread"))[1]
        with self.core(path) as core:
            self.assertEqual(core.value("$pc"), live.value("$pc"))
            self.same_memory(live, core)
            wanted, found = threads(live), threads(core)
            self.assertEqual(len(wanted), HARTS)
            self.assertEqual(found, wanted)
        live.execute(f"thread {chosen}")

    def test_kernel(self):
        """In the live session, then the same of its recording."""
        with tempfile.TemporaryDirectory(prefix="export-") as folder:
            image, recording = os.path.join(folder, "disk.img"), os.path.join(folder, "linux.bsr")
            with open(image, "wb") as f:
                f.write(os.urandom(1 << 20) + bytes(1 << 20))
            self.live_session(folder, image, recording)
            self.check_recorded(folder, image, recording)

    def live_session(self, folder, image, recording):
        arguments = ["-drive", f"file={image},format=raw,if=none,id=d", "-device", "virtio-blk-device,drive=d",
                     "-o", recording]
        with linux_guest.Machine(self.files, HARTS, memory=f"{MEMORY}M", arguments=arguments) as machine:
            machine.boot()
            machine.run("dd if=/dev/vda of=/dev/null bs=4096 count=20 2>/dev/null")
            machine.run("echo written | dd of=/dev/vda bs=4096 seek=100 conv=notrunc 2>/dev/null; sync")
            with machine.gdb(self.symbols) as live:
                live.execute("break do_exit")
                live.begin("continue")
                machine.send("/bin/ls /")
                self.assertIn("Breakpoint", live.finish())
                frames = FRAME.findall(live.execute("backtrace"))
                self.assertGreaterEqual(len(frames), 4)
                self.check(machine, live)
                live.execute("stepi 3000")
                live.execute("reverse-continue")  # in the past
                self.assertEqual(FRAME.findall(live.execute("backtrace")), frames)
                self.check(machine, live)
                self.at = live.position()
                path, _ = self.export(machine, live, "kept.core")
                shutil.copy(path, folder)
                self.assertIn("is in", live.execute(f"monitor disk export 0 {folder}/disk.kept"))
                self.check_physical(machine, live)
                self.check_user(machine, live)

    def command(self, *words):
        return subprocess.run([linux_guest.programs.backstep_path(), "export", *words], capture_output=True, text=True,
                              timeout=linux_guest.GUARD, check=True).stdout

    def check_recorded(self, folder, image, recording):
        core, disk = os.path.join(folder, "core"), os.path.join(folder, "disk")
        text = self.command(recording, "--at", str(self.at), "--core", core, "--disk", "0", disk)
        self.assertEqual(len(text.splitlines()), 2, text)
        self.assertTrue(filecmp.cmp(core, os.path.join(folder, "kept.core"), shallow=False))
        self.assertTrue(filecmp.cmp(disk, os.path.join(folder, "disk.kept"), shallow=False))
        self.assertEqual(pathlib.Path(disk).read_bytes()[409600:409608], b"written\n")
        # Without the image: what the run has read and written of it is there.
        was = pathlib.Path(disk).read_bytes()
        os.rename(image, image + ".away")
        text = self.command(recording, "--at", str(self.at), "--disk", "0", disk)
        missing = int(re.search(r"(\d+) of its blocks", text)[1])
        self.assertLess(missing, 512 - 21)
        now = pathlib.Path(disk).read_bytes()
        self.assertEqual(now[:20 * 4096], was[:20 * 4096])
        self.assertEqual(now[409600:413696], was[409600:413696])
        other = [n for n in range(0, len(was), 4096) if was[n:n + 4096] != now[n:n + 4096]]
        self.assertTrue(0 < len(other) <= missing, (len(other), missing))
        self.assertFalse(any(any(now[n:n + 4096]) for n in other))

    def check_physical(self, machine, live):
        path, text = self.export(machine, live, "physical.core", "physical")
        self.assertIn("1 range of physical addresses", text)
        with self.core(path) as core:
            self.assertEqual(core.value("$pc"), live.value("$pc"))
            self.assertIn("Cannot access memory", core.execute(f"x/xg {live.value('$sp'):#x}"))

    def check_user(self, machine, live):
        """Back in the program: its own pages are in the core with the kernel's."""
        live.execute("delete")
        live.execute("break __riscv_sys_exit_group")
        live.execute("reverse-continue")
        live.execute("delete")
        for _ in range(5000):
            live.execute("reverse-stepi")
            if live.value("$priv") == 0:
                break
        self.assertEqual(live.value("$priv"), 0)
        path, _ = self.export(machine, live, "user.core")
        with self.core(path) as core:
            for place in ("$pc", "$sp"):
                address = live.value(place)
                self.assertLess(address, 1 << 57)
                command = f"x/4xg {address & -8:#x}"
                self.assertEqual(core.execute(command), live.execute(command))


if __name__ == "__main__":
    end_to_end.need(end_to_end.OPENSBI, gdb_session.GDB)
    end_to_end.main()
