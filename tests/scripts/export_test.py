#!/usr/bin/env python3
"""`backstep export` of a bare-metal recording with two harts and a disk that its guest does not know of: what it
writes is what gdb sees in a replay, and what is asked for in vain is refused without a file.

Environment: BACKSTEP, the program; BACKSTEP_BUILD, the build folder with the guests."""

import os
import pathlib
import random
import re
import struct
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "gdb"))

import gdb_client  # noqa: E402
import gdb_session  # noqa: E402
import programs  # noqa: E402

PROGRAM = os.environ["BACKSTEP"]
GUEST = str(pathlib.Path(os.environ["BACKSTEP_BUILD"]) / "guests" / "ipi.elf")
TIMEOUT = 60
RAM, MEMORY = 0x80000000, 16 << 20
BLOCK, BLOCKS = 4096, 20
PLACES = ("test_main", "counter", "counter_lrsc", "trap_record", "present", "stack_top - 64", "_end")


def export(*arguments, status=0):
    done = subprocess.run([PROGRAM, "export", *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=TIMEOUT, check=False)
    if done.returncode != status:
        raise AssertionError(f"{arguments}: {done}")
    return done.stdout, done.stderr


class Export(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.shared = tempfile.TemporaryDirectory(prefix="export-")
        root = pathlib.Path(cls.shared.name)
        cls.recording, cls.image = root / "run.bsr", root / "disk.img"
        cls.disk = random.Random(3).randbytes(BLOCK * BLOCKS)
        cls.image.write_bytes(cls.disk)
        subprocess.run([PROGRAM, "run", "-bios", "none", "-smp", "2", "-m", "16M", "-serial", "null", "-kernel", GUEST,
                        "-drive", f"file={cls.image},format=raw", "-o", cls.recording], stdin=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=TIMEOUT, check=True)

    @classmethod
    def tearDownClass(cls):
        cls.shared.cleanup()

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="export-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.out = self.folder / "out"

    def replay(self, at):
        program = programs.Program("replay", [PROGRAM, "replay", str(self.recording), "--at", str(at)])
        self.addCleanup(program.stop)
        session = gdb_session.GdbSession(GUEST, program.address.removeprefix("tcp:").removeprefix("unix:"))
        self.addCleanup(session.close)
        return session

    def test_memory(self):
        """All of RAM, as it was at the end and before."""
        changed = set()
        for at in ("20000", "end"):
            said, _ = export(self.recording, "--at", at, "--memory", self.out)
            self.assertIn(str(self.out), said)
            data = self.out.read_bytes()
            self.assertEqual(len(data), MEMORY)
            g = self.replay(at)
            for place in PLACES:
                address = g.value(f"(unsigned long)&{place}")
                offset = (address & ((1 << 64) - 1)) - RAM
                for n in range(offset, offset + 32, 8):
                    seen = g.value(f"*(unsigned long *){RAM + n:#x}") & ((1 << 64) - 1)
                    self.assertEqual(seen, struct.unpack_from("<Q", data, n)[0], (at, place, n))
            changed.add(data)
        self.assertEqual(len(changed), 2, "the guest has written in between")
        self.assertEqual(os.listdir(self.folder), ["out"])

    def core(self, *commands):
        words = [word for command in commands for word in ("-ex", command)]
        return subprocess.run([gdb_session.GDB, "-batch", "-nx", GUEST, self.out, *words], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=TIMEOUT, check=True).stdout

    def test_hart(self):
        """The one that was asked for is first, the other is there too; registers are those of a replay."""
        g = self.replay("20000")
        live = []
        for thread in (1, 2):
            g.execute(f"thread {thread}")
            live.append([g.value(f"(unsigned long)${name}") for name in ("pc", "sp", "s3", "mhartid")])
        self.assertEqual([row[3] for row in live], [0, 1])
        for hart in (0, 1):
            export(self.recording, "--at", "20000", "--core", self.out, "--hart", hart)
            shown = self.core(*(f"printf \"%lu %lu %lu %lu\\n\", (unsigned long)$pc, (unsigned long)$sp, "
                                f"(unsigned long)$s3, (unsigned long)$mhartid",), "info threads")
            row = [int(n) for n in re.search(r"(?m)^(\d+) (\d+) (\d+) (\d+)$", shown).groups()]
            self.assertEqual(row, [n & ((1 << 64) - 1) for n in live[hart]], (hart, shown))
            self.assertEqual(len(re.findall(r"(?m)^[* ] +\d+ ", shown)), 2, shown)

    def test_physical_and_all_at_once(self):
        names = [self.folder / name for name in ("core", "memory", "disk")]
        said, _ = export(self.recording, "--core", names[0], "--physical", "--memory", names[1], "--disk", "0", names[2])
        self.assertEqual(len(said.splitlines()), 3, said)
        self.assertIn("physical", said)
        self.assertEqual(sorted(os.listdir(self.folder)), ["core", "disk", "memory"])
        self.assertEqual(names[1].stat().st_size, MEMORY)

    def test_disk(self):
        """The guest has read nothing of it: it is the image, or nobody has it."""
        said, _ = export(self.recording, "--disk", "0", self.out)
        self.assertNotIn("zeroes", said)
        self.assertEqual(self.out.read_bytes(), self.disk)
        away = f"{self.image}.away"
        os.rename(self.image, away)
        try:
            said, _ = export(self.recording, "--disk", "0", self.out)
        finally:
            os.rename(away, self.image)
        self.assertIn(f"{BLOCKS} of its blocks of {BLOCK} bytes are zeroes", said)
        self.assertEqual(self.out.read_bytes(), bytes(len(self.disk)))

    def test_refused(self):
        whole = self.recording.read_bytes()
        for arguments, words in (
                ([], "what of it? --core OUT, --memory OUT"), (["--core"], "--core needs a value: --core OUT"),
                (["--memory"], "--memory needs a value"), (["--memory", ""], "--memory needs a value"),
                (["--disk"], "--disk needs a value: --disk N OUT"), (["--disk", "0"], "--disk needs a value"),
                (["--core", self.out, "--hart"], "--hart needs a value"), (["--at"], "--at needs a value"),
                (["--core", self.out, "--core", self.out], "given twice"),
                (["--core", self.out, "--hart", "2"], "there is no hart 2: the machine has 0 to 1"),
                (["--core", self.out, "--hart", "-1"], "there is no hart -1"),
                (["--core", self.out, "--hart", "one"], "there is no hart one"),
                (["--memory", self.out, "--hart", "1"], "--hart is for --core OUT"),
                (["--memory", self.out, "--physical"], "--physical is for --core OUT"),
                (["--disk", "1", self.out], "there is no disk 1: the machine had 1"),
                (["--disk", "x", self.out], "there is no disk x"),
                (["--memory", self.out, "--at", "soon"], "soon"),
                (["--memory", self.out, "--at", "1e15"], "outside of history"),
                (["--memory", self.folder], str(self.folder)),
                (["--memory", self.folder / "none" / "out"], "none/out"),
                (["--memory", self.recording], "in use"), (["--core", self.recording], "in use"),
                (["--disk", "0", self.image], "in use"), (["--memory", self.image], "in use"),
                (["--memori", self.out], "did you mean --memory?")):
            out, err = export(self.recording, *arguments, status=2)
            self.assertEqual((out, err.count("\n")), ("", 1), (arguments, err))
            self.assertTrue(err.startswith("backstep: "), err)
            self.assertIn(words, err, arguments)
            self.assertEqual(os.listdir(self.folder), [], arguments)
        self.assertEqual(self.recording.read_bytes(), whole)
        self.assertEqual(self.image.read_bytes(), self.disk)


if __name__ == "__main__":
    if not os.path.exists(GUEST):
        print("no guest was built (riscv64-unknown-elf-gcc missing?): skipped")
        sys.exit(77)
    if not gdb_client.Gdb.available():
        print("no gdb-multiarch: skipped")
        sys.exit(77)
    unittest.main()
