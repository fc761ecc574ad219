#!/usr/bin/env python3
"""What `monitor export` writes, against the machine it was written from: gdb opens the core and sees the same
threads, registers, frames and memory as in the live session."""

import os
import re
import shutil
import struct
import subprocess
import tempfile
import unittest

import end_to_end
import gdb_session
import programs

LOAD, NOTE = 1, 4
WINDOW = 0x40000000  # tests/guests/paging.h
RAM = 0x80000000
# Of the live session's registers: the position is no register of the hart, and neither is privilege.
LIVE_ONLY = ("icount", "priv")
FRAME = re.compile(r"(?m)^#\d+.*(?:\n {2,}.*)*")
LABEL = re.compile(r" <[^>]*>")  # of an address: only who has the symbols prints it


class Core:
    """The program headers of an ELF core."""

    def __init__(self, path):
        self.size = os.path.getsize(path)
        with open(path, "rb") as f:
            self.data = f.read(1 << 20)
        (self.ident, self.type, self.machine, _, _, self.headers, self.sections, self.flags, _, _, count,
         _, _, _) = struct.unpack_from("<16sHHIQQQIHHHHHH", self.data)
        self.rows = [struct.unpack_from("<IIQQQQQQ", self.data, self.headers + 56 * i) for i in range(count)]
        # (virtual, physical, size, offset in the file, flags)
        self.loads = [(r[3], r[4], r[5], r[2], r[1]) for r in self.rows if r[0] == LOAD]


class Session:
    """backstep with a guest, at reset, and gdb connected to it; a folder for files."""

    def __init__(self, guest, arguments=()):
        self.elf = end_to_end.guest(guest)
        self.folder = tempfile.TemporaryDirectory(prefix="export-")
        self.program = programs.start_backstep(["-bios", "none", "-kernel", self.elf, "-serial", "null",
                                                *arguments])
        try:
            self.gdb = gdb_session.GdbSession(self.elf, self.program.address[5:])
        except BaseException:
            self.program.stop()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.gdb.close()
        self.program.stop()
        self.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def export(self, what, name, how=""):
        """Path of the file, and what was said."""
        path = self.path(name)
        text = self.gdb.execute(f"monitor export {what} {path} {how}")
        if not os.path.exists(path):
            raise AssertionError(text)
        return path, text


def open_core(path, elf=None):
    session = gdb_session.GdbSession(elf, setup=["set osabi auto"])
    session.opened = session.execute(f"core-file {path}")
    return session


def threads(g, count):
    """For each hart: registers and frames, as gdb prints them."""
    found = []
    for n in range(1, count + 1):
        g.execute(f"thread {n}")
        lines = [line for line in g.registers().splitlines() if line.split()[0] not in LIVE_ONLY]
        found.append(("\n".join(sorted(lines)), FRAME.findall(g.execute("backtrace"))))
    return found


def pcs(g):
    """Of each thread in gdb's list, with the hart's number as the target names it."""
    rows = re.findall(r"(?m)^[* ] (\d+) +(?:Thread|process|LWP) ([\d.]+)", g.execute("info threads"))
    return {int(target.split(".")[-1]): int(number) for number, target in rows}


class Export(unittest.TestCase):
    maxDiff = 4000

    def check_memory(self, live, core, addresses):
        for address in addresses:
            command = f"x/4xg {address:#x}"
            self.assertEqual(LABEL.sub("", core.execute(command)), LABEL.sub("", live.execute(command)))

    def check_threads(self, live, core, harts):
        """The first thread of the core is the hart that the core is of."""
        by_hart = pcs(core)
        self.assertEqual(sorted(by_hart), list(range(1, harts + 1)), core.execute("info threads"))
        wanted = threads(live, harts)
        found = threads(core, harts)
        for hart in range(harts):
            self.assertEqual(found[by_hart[hart + 1] - 1][0], wanted[hart][0])
            self.assertEqual(found[by_hart[hart + 1] - 1][1], wanted[hart][1])
            self.assertTrue(wanted[hart][1])

    def test_demo(self):
        """No translation, source lines, frames."""
        with Session("demo", ["-smp", "3"]) as s:
            s.gdb.execute("tbreak filter")
            self.assertIn("in filter (", s.gdb.execute("continue"))
            path, text = s.export("core", "demo.core")
            self.assertIn("1 range of physical addresses", text)
            with open_core(path, s.elf) as core:
                self.assertNotIn("warning", core.opened.lower())
                self.check_threads(s.gdb, core, 3)
                self.assertIn("sensors_filter", core.execute("thread apply all backtrace"))
                core.execute("thread 1")
                s.gdb.execute("thread 1")
                self.check_memory(s.gdb, core, [RAM, RAM + 0x1000, s.gdb.value("$sp"), s.gdb.value("$sp") - 64])
            for hart in range(3):
                path, text = s.export("core", f"a core {hart}", f"hart {hart}")
                self.assertIn(f"core of hart {hart} at", text)
                with open_core(path, s.elf) as core:
                    self.assertEqual(pcs(core)[hart + 1], 1)
                    s.gdb.execute(f"thread {hart + 1}")
                    self.assertEqual(core.value("$pc"), s.gdb.value("$pc"))
                    self.assertEqual(core.value("$mhartid"), hart)

    def test_file(self):
        """As other readers of ELF see it."""
        with Session("demo") as s:
            path, _ = s.export("core", "x")
            core = Core(path)
            self.assertEqual(core.ident[:7], b"\x7fELF\x02\x01\x01")
            self.assertEqual((core.type, core.machine, core.flags), (4, 243, 5))
            self.assertEqual(core.rows[0][0], NOTE)
            self.assertEqual(core.loads, [(RAM, RAM, 128 << 20, core.loads[0][3], 7)])
            self.assertEqual(core.size, core.loads[0][3] + (128 << 20))
            self.assertLess(os.stat(path).st_blocks * 512, 1 << 20)
            if shutil.which("readelf"):
                shown = subprocess.run(["readelf", "-ln", path], capture_output=True, text=True, check=True)
                self.assertEqual(shown.stderr, "")
                for word in ("CORE (Core file)", "NT_PRSTATUS", "NT_FPREGSET", "NT_RISCV_CSR", "NT_GDB_TDESC"):
                    self.assertIn(word, shown.stdout)

    def test_paging(self):
        """In S-mode under Sv39: what the page tables map, and nothing else."""
        with Session("paging") as s:
            s.gdb.execute(f"hbreak *{WINDOW:#x}")
            self.assertIn("0x0000000040000000", s.gdb.execute("continue"))
            self.assertEqual(s.gdb.value("$priv"), 1)
            path, text = s.export("core", "paging.core")
            self.assertIn("of virtual addresses", text)
            loads = Core(path).loads
            self.assertIn(WINDOW, [load[0] for load in loads])
            with open_core(path, s.elf) as core:
                self.check_threads(s.gdb, core, 1)
            with open_core(path) as core:  # gdb reads what is not in it from no other file
                self.check_memory(s.gdb, core, [at for load in loads for at in (load[0], load[0] + load[2] - 32)])
                for address in (WINDOW + 0x2000, 0, 1 << 38):
                    self.assertIn("Cannot access memory", core.execute(f"x/xg {address:#x}"))
                    self.assertIn("Cannot access memory", s.gdb.execute(f"x/xg {address:#x}"))
                contents = core.value(f"*(long *){WINDOW:#x}")
                self.assertEqual(core.value("$satp"), s.gdb.value("$satp"))
            physical, text = s.export("core", "physical.core", "physical")
            self.assertIn("1 range of physical addresses", text)
            with open_core(physical, s.elf) as core:
                self.assertEqual(core.value("*(long *)&page_a"), contents)
                self.assertEqual(core.value("$pc"), WINDOW)
                self.assertIn("Cannot access memory", core.execute(f"x/xg {WINDOW:#x}"))

    def test_machine_mode(self):
        """With page tables on: what the hart sees itself, and what the tables map elsewhere."""
        with Session("paging") as s:
            s.gdb.execute(f"hbreak *{WINDOW:#x}")
            s.gdb.execute("continue")
            s.gdb.execute("stepi")
            self.assertEqual(s.gdb.value("$priv"), 3)
            path, _ = s.export("core", "m.core")
            loads = Core(path).loads
            self.assertIn((RAM, RAM, 128 << 20), [load[:3] for load in loads])
            self.assertIn(WINDOW, [load[0] for load in loads])
            with open_core(path, s.elf) as core:
                self.check_threads(s.gdb, core, 1)
                self.check_memory(s.gdb, core, [s.gdb.value("$pc"), s.gdb.value("&page_b"), s.gdb.value("&root")])
                self.assertEqual(core.value(f"*(long *){WINDOW:#x}"), core.value("*(long *)&page_a"))

    def test_memory(self):
        with Session("demo") as s:
            s.gdb.execute("tbreak main")
            s.gdb.execute("continue")
            path, text = s.export("memory", "some memory")
            self.assertIn("128.0 MiB from address 0x80000000 on", text)
            self.assertEqual(os.path.getsize(path), 128 << 20)
            self.assertLess(os.stat(path).st_blocks * 512, 1 << 20)
            copy = s.path("copy")
            s.gdb.execute(f"dump binary memory {copy} {RAM:#x} {RAM + (1 << 20):#x}")
            with open(copy, "rb") as one, open(path, "rb") as two:
                self.assertEqual(one.read(), two.read(1 << 20))

    def test_past(self):
        """A core of an earlier position is what one made there live is, byte by byte."""
        with Session("demo", ["-smp", "2"]) as s:
            s.gdb.execute("tbreak main")
            s.gdb.execute("continue")
            position = s.gdb.position()
            live, _ = s.export("core", "live")
            s.gdb.execute("tbreak filter")
            self.assertIn("in filter (", s.gdb.execute("continue"))
            s.gdb.goto(position)
            past, _ = s.export("core", "past")
            with open(live, "rb") as one, open(past, "rb") as two:
                self.assertTrue(one.read() == two.read())

    def export_command(self, *words):
        return subprocess.run([programs.backstep_path(), "export", *words], capture_output=True, text=True,
                              timeout=end_to_end.GUARD, check=False)

    def same_file(self, one, two):
        with open(one, "rb") as a, open(two, "rb") as b:
            self.assertTrue(a.read() == b.read(), f"{one} and {two} differ")

    def test_recording(self):
        """`backstep export` of a recording writes what the session that made it did, byte by byte."""
        with tempfile.TemporaryDirectory(prefix="export-") as folder:
            recording, image = os.path.join(folder, "run.bsr"), os.path.join(folder, "disk.img")
            with open(image, "wb") as f:
                f.write(os.urandom(3 * 4096) + bytes(4 * 4096) + os.urandom(512))
            files = {}
            with Session("demo", ["-smp", "2", "-o", recording, "-drive", f"file={image},format=raw"]) as s:
                s.gdb.execute("tbreak filter")
                s.gdb.execute("continue")
                at = s.gdb.position()
                for what, how in (("core", ""), ("core", "hart 1"), ("core", "physical"), ("memory", "")):
                    path, text = s.export(what, f"file {len(files)}", how)
                    files[what, how] = shutil.copy(path, folder), text.replace(path, "OUT")
                for own in (recording, recording + ".incomplete"):
                    self.assertRegex(s.gdb.execute(f"monitor export memory {own}"), "give another name")
                s.gdb.execute("tbreak sensors_limits")
                s.gdb.execute("continue")
            for (what, how), (wanted, text) in files.items():
                out = os.path.join(folder, "out")
                words = {"": [], "hart 1": ["--hart", "1"], "physical": ["-physical"]}[how]
                done = self.export_command(recording, "--at", str(at), f"--{what}", out, *words)
                self.assertEqual((done.returncode, done.stderr, done.stdout.strip().replace(out, "OUT")), (0, "", text))
                self.same_file(out, wanted)
            done = self.export_command("--core", f"{out}.core", "--memory", f"{out}.memory", "--disk", "0",
                                       f"{out}.disk", recording)
            self.assertEqual((done.returncode, done.stderr, len(done.stdout.splitlines())), (0, "", 3))
            self.same_file(f"{out}.disk", image)
            with open_core(f"{out}.core") as core:
                self.assertEqual(len(pcs(core)), 2)
            self.check_without_image(recording, image, out)
            self.check_refused(recording, folder)

    def check_without_image(self, recording, image, out):
        """What nobody has is zeroes, and a line says how much that is."""
        os.unlink(image)
        done = self.export_command(recording, "--disk", "0", out)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("\n8 of its blocks of 4096 bytes are zeroes", done.stdout)
        with open(out, "rb") as f:
            self.assertEqual(f.read(), bytes(7 * 4096 + 512))

    def check_refused(self, recording, folder):
        out = os.path.join(folder, "never")
        with open(recording, "rb") as f:
            before = f.read()
        for words, answer in ((["--core", out], "a recording is missing"), ([recording], "what of it?"),
                              ([recording, "--core"], "--core needs a value"),
                              ([recording, "--cor", out], "did you mean --core?"),
                              ([recording, out, "--core", out], "one file is enough"),
                              ([recording, "--core", out, "--core", out], "twice"),
                              ([recording, "--memory", out, "--hart", "0"], "--hart is for --core"),
                              ([recording, "--core", out, "--hart", "2"], "no hart 2: the machine has 0 to 1"),
                              ([recording, "--core", out, "--hart", "-1"], "no hart -1"),
                              ([recording, "--core", out, "--at", "1e18"], "outside of history"),
                              ([recording, "--core", out, "--at", "noon"], "is no position"),
                              ([recording, "--disk", "1", out], "no disk 1: the machine had 1"),
                              ([recording, "--disk", "99999999999", out], "no disk 99999999999"),
                              ([recording, "--core", recording], "is in use"),
                              ([recording, "--memory", folder], "no regular file"),
                              ([os.path.join(folder, "none"), "--core", out], "No such file")):
            done = self.export_command(*words)
            self.assertEqual((done.returncode, done.stdout), (2, ""), words)
            self.assertIn(answer, done.stderr)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertFalse(os.path.exists(out))
        with open(recording, "rb") as f:
            self.assertEqual(f.read(), before)
        self.assertIn("usage: backstep export FILE", self.export_command("--help").stdout)

    def test_refused(self):
        disk = tempfile.NamedTemporaryFile()
        disk.write(bytes(4096))
        disk.flush()
        with disk, Session("demo", ["-drive", f"file={disk.name},format=raw"]) as s:
            usage = "write export core FILE [hart N|physical] or export memory FILE"
            for command, answer in (("export core", usage), ("export", "needs an argument"), ("export x y", usage),
                                    (f"export core {s.path('x')} hart 1", "there is no such hart"),
                                    (f"export core {s.path('x')} hart 99999999999999", "there is no such hart"),
                                    (f"export core {s.folder.name}", "no regular file"),
                                    ("export memory /dev/null", "no regular file"),
                                    (f"export core {s.path('none/x')}", "No such file or directory"),
                                    (f"export memory {disk.name}", "is the image of disk 0"),
                                    (f"export core {disk.name}", "is the image of disk 0")):
                self.assertIn(answer, s.gdb.execute(f"monitor {command}"), command)
            self.assertEqual(os.listdir(s.folder.name), [])
            self.assertEqual(disk.seek(0) or disk.read(), bytes(4096))


if __name__ == "__main__":
    end_to_end.need(gdb_session.GDB)
    end_to_end.main()
