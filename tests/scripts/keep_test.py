#!/usr/bin/env python3
"""Recordings of a guest that makes more than a file may hold, or than can be written as fast: the file of a flight
recorder stays as small as it was told, memory stays bounded, and whenever the run is killed there is a whole file.

Environment: BACKSTEP, the program; BACKSTEP_BUILD, the build folder with the guests."""

import json
import os
import pathlib
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = os.environ["BACKSTEP"]
GUEST = pathlib.Path(os.environ["BACKSTEP_BUILD"]) / "guests" / "keep.elf"
TIMEOUT = 120
MIB = 1 << 20
KEEP = 16 * MIB  # the least
NOT_CLOSED = "the file was never closed"
# With sanitizers memory has a shadow, and what was given back waits for a while.
SANITIZED = b"__asan_init" in pathlib.Path(PROGRAM).read_bytes()
ENVIRONMENT = dict(os.environ, ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=4")
# What a program has beside all that is counted; and pages of files, which the host may take back at any time:
# so much of checkpoints that rest in a file is in memory at once when it is read.
CONSTANT, READ_BACK = (64 if SANITIZED else 20) * MIB, 72 * MIB


def backstep(*arguments):
    return subprocess.run([PROGRAM, *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=TIMEOUT, check=False)


def size_of(path):
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return None


class Run:
    """A recorded run, and what it took: generations of its file, the largest file, the most memory."""

    def __init__(self, folder, pages, pause, *arguments):
        self.path = folder / "run.bsr"
        self.incomplete, self.next = f"{self.path}.incomplete", f"{self.path}.incomplete.next"
        guest = folder / "guest.elf"
        data = bytearray(GUEST.read_bytes())
        at = data.index(b"keeptest") + 8
        data[at:at + 16] = struct.pack("<QQ", pages, pause)
        guest.write_bytes(data)
        self.process = subprocess.Popen(
            [PROGRAM, "run", "-bios", "none", "-serial", "null", "-kernel", guest, "-o", self.path,
             *map(str, arguments)], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
        self.began = time.monotonic()
        self.generation, self.generations, self.nexts = None, 0, 0
        self.largest = self.anonymous = self.resident = 0
        self.had_next = False

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.process.kill()
        self.process.wait(TIMEOUT)
        self.process.stderr.close()

    def look(self):
        """Once; then a moment."""
        assert time.monotonic() - self.began < TIMEOUT, (self.generations, self.largest)
        try:
            found = os.stat(self.incomplete)
        except FileNotFoundError:
            found = None
        if found:
            self.largest = max(self.largest, found.st_size)
            self.generations += found.st_ino != self.generation
            self.generation = found.st_ino
        has_next = size_of(self.next) is not None
        self.nexts += has_next and not self.had_next
        self.had_next = has_next
        self.look_at_memory()
        time.sleep(0.004)

    def look_at_memory(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
            rows = dict(line.split(":", 1) for line in f)
        if "VmRSS" not in rows:
            return  # it has ended
        number = {name: int(rows[name].split()[0]) << 10 for name in ("VmRSS", "RssAnon", "RssShmem")}
        self.anonymous = max(self.anonymous, number["RssAnon"] + number["RssShmem"])
        self.resident = max(self.resident, number["VmRSS"])

    def until(self, condition):
        while not condition():
            assert self.process.poll() is None, self.process.communicate()[1]
            self.look()

    def until_switched(self, times):
        """So many files have taken the place of another."""
        self.until(lambda: self.generations > times)

    def end(self):
        while self.process.poll() is None:
            self.look()
        return self.process.communicate(timeout=TIMEOUT)[1]

    def stop_beside_next(self, least):
        """Stopped while there is a next file of at least so many bytes; it goes no further."""
        while True:
            self.until(lambda: (size_of(self.next) or 0) >= least and size_of(self.next))
            self.process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WNOWAIT)
            if (size_of(self.next) or 0) >= least and size_of(self.next):
                return
            self.process.send_signal(signal.SIGCONT)


class KeepTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="keep-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def run_guest(self, pages, pause, *arguments):
        return Run(self.folder, pages, pause, *arguments)

    def files(self):
        return sorted(name for name in os.listdir(self.folder) if name.startswith("run"))

    def check_memory(self, run, most):
        """`most`: what is counted."""
        most = most * 5 // 4 if SANITIZED else most
        self.assertLess(run.anonymous, most + CONSTANT)
        self.assertLess(run.resident, most + CONSTANT + READ_BACK)

    def check_opens(self, path, complete):
        done = backstep("info", path, "--json")
        self.assertEqual(done.returncode, 0, done)
        facts = json.loads(done.stdout)
        self.assertEqual((facts["complete"], facts["damage"]), (complete, None if complete else NOT_CLOSED))
        done = backstep("verify", path)
        self.assertEqual(done.returncode, 0, done)
        self.assertIn(f": equal: positions {facts['begin']:,} to {facts['tip']:,}, ", done.stdout)
        return facts

    def check_closed(self, run, said):
        self.assertEqual(run.process.returncode, 0, said)
        self.assertIn("recorded to", said)
        self.assertEqual(self.files(), ["run.bsr"])
        facts = self.check_opens(run.path, True)
        self.assertEqual(facts["begin"] > 0, run.generations > 1)
        self.assertGreater(facts["tip"], facts["begin"])
        run.path.unlink()
        return facts

    def check_killed(self, run):
        """Killed while there were two files."""
        run.process.kill()
        run.process.wait(TIMEOUT)
        self.assertEqual(self.files(), ["run.bsr.incomplete", "run.bsr.incomplete.next"])
        facts = self.check_opens(run.path, False)
        self.assertGreater(facts["begin"], 0)
        # The other one is as good as it has got.
        done = backstep("info", run.next, "--json")
        if done.returncode == 0:
            other = self.check_opens(run.next, False)
            self.assertGreater(other["begin"], facts["begin"])
        else:
            self.assertEqual((done.returncode, done.stdout), (2, ""), done)
            self.assertRegex(done.stderr, r"^backstep: .*run\.bsr\.incomplete\.next.*\n$")
        # A new run does not touch what is there.
        done = backstep("run", "-kernel", GUEST, "-o", run.path)
        self.assertEqual(done.returncode, 2)
        self.assertIn("run.bsr.incomplete is already there", done.stderr)
        for name in self.files():
            os.unlink(self.folder / name)
        return facts


class Size(KeepTest):
    FAST = (512, 0, "-m", "16M", "--keep", "16M", "--memory-budget", "64M", "--checkpoint-steps", 50_000)

    def check_bounds(self, run):
        self.assertLessEqual(run.largest, KEEP)
        self.check_memory(run, (16 + 64) * MIB)

    def test_closed(self):
        """At any time, also while there is a next file."""
        for beside_next in (False, True):
            with self.run_guest(*self.FAST) as run:
                run.until_switched(3)
                if beside_next:
                    run.stop_beside_next(1)
                    run.process.send_signal(signal.SIGCONT)
                run.process.terminate()
                said = run.end()
                self.assertGreaterEqual(run.nexts, 2)
                self.assertGreater(run.generations, 3)
                self.check_bounds(run)
                self.assertLessEqual(size_of(run.path), KEEP)
                self.assertGreater(size_of(run.path), 3 * MIB)
                self.check_closed(run, said)

    def test_checkpoints_at_the_end(self):
        """The last ones, which are as close as in memory, would not all fit."""
        steps = 139_000_000
        with self.run_guest(512, 0, "-m", "16M", "--keep", "16M", "--memory-budget", "64M", "--checkpoint-steps",
                            1_000_000, "--stop-at", steps) as run:
            said = run.end()
            self.check_bounds(run)
            self.assertLessEqual(size_of(run.path), KEEP)
            self.assertEqual(self.check_closed(run, said)["tip"], steps)

    def test_killed(self):
        for least in (1, 2 * MIB):
            with self.run_guest(*self.FAST) as run:
                run.until_switched(1)
                run.stop_beside_next(least)
                self.assertLessEqual(size_of(run.incomplete), KEEP)
                self.check_killed(run)


class Time(KeepTest):
    # A second of the guest is 62,500,000 steps.
    SECOND = (16, 500, "-m", "16M", "-icount", "shift=4", "--keep", "1s", "--memory-budget", "64M",
              "--checkpoint-steps", 200_000)

    def check_kept(self, facts):
        kept = (facts["tip_ns"] - facts["begin_ns"]) / 1e9
        self.assertGreaterEqual(kept, 0.8)
        # Up to two, and what the guest does while a busy disk takes the next file.
        self.assertLess(kept, 8)

    def test_closed(self):
        with self.run_guest(*self.SECOND) as run:
            run.until_switched(3)
            run.process.terminate()
            said = run.end()
            self.check_memory(run, (16 + 64) * MIB)
            self.check_kept(self.check_closed(run, said))

    def test_killed(self):
        with self.run_guest(*self.SECOND) as run:
            run.until_switched(2)
            run.stop_beside_next(1)
            self.check_kept(self.check_killed(run))


class BackPressure(KeepTest):
    def test_more_than_can_be_written(self):
        """16 MiB that do not compress for each 20 million steps: the machine waits for the file, and gets to
        where it was to stop. More goes through than may wait to be written."""
        steps = 180_000_000
        with self.run_guest(4096, 0, "-m", "20M", "--memory-budget", "16M", "--checkpoint-steps", 1_000_000,
                            "--stop-at", steps) as run:
            said = run.end()
            self.assertEqual(run.process.returncode, 0, said)
            self.assertGreater(size_of(run.path), (20 + 16 + 64 + 20) * MIB)
            self.check_memory(run, (20 + 16 + 64) * MIB)
            facts = self.check_opens(run.path, True)
        self.assertEqual((facts["begin"], facts["tip"]), (0, steps))


if __name__ == "__main__":
    if not GUEST.exists():
        print("no guest was built (riscv64-unknown-elf-gcc missing?): skipped")
        sys.exit(77)
    unittest.main()
