#!/usr/bin/env python3
"""`backstep report` shows the backtraces that gdb-multiarch does: functions, inlined ones too, and source lines,
at the crash of the demo guest and at positions all over the run to it."""

import os
import random
import re
import subprocess
import tempfile
import unittest

import demo_guest_test
import end_to_end
import gdb_session
import programs

GDB_FRAME = re.compile(r"#\d+ +(?:0x[0-9a-f]+ in )?(\S+) \(.*\)(?: at (\S+:\d+))?$", re.MULTILINE)
OUR_FRAME = re.compile(r"^ *#\d+  ([0-9a-f]{16})  (no symbol|[^\s+]+)(?:\+0x[0-9a-f]+)?(?: at (\S+:\d+))?"
                       r"(?: \(inlined\))?$", re.MULTILINE)
HANDLER = "trap_entry"  # what gdb calls <signal handler called>
POSITIONS = 40
END = 400000  # steps of the other guests


def record(folder, guest, *arguments):
    """Path of a recording of the run."""
    path = os.path.join(folder, "run.bsr")
    result = subprocess.run([programs.backstep_path(), "run", "-bios", "none", "-kernel", end_to_end.guest(guest),
                             "-serial", "null", "-icount", "sleep=off", "-o", path, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                            timeout=end_to_end.GUARD, check=False)
    assert os.path.exists(path), result.stderr
    return path


def report(path, *arguments):
    result = subprocess.run([programs.backstep_path(), "report", path, *arguments], stdin=subprocess.DEVNULL,
                            capture_output=True, text=True, timeout=end_to_end.GUARD, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def our_frames(text):
    """(function, file:line) of hart 0, up to main."""
    section = text[text.index("\n-- hart 0 ---"):]
    frames = [(None if name == "no symbol" else name, line or None)
              for _, name, line in OUR_FRAME.findall(section[:section.index("\nra ")])]
    return up_to_main(frames)


def gdb_frames(text):
    text = text.replace("<signal handler called>", f"{HANDLER} ()")
    return up_to_main([(None if name == "??" else name, line or None) for name, line in GDB_FRAME.findall(text)])


def up_to_main(frames):
    for n, (name, _) in enumerate(frames):
        if name in ("main", "_start"):
            return frames[:n + 1]
    return frames


class Guest(demo_guest_test.Demo):
    """Another guest, at its end or at END."""

    def __init__(self, name):
        elf = end_to_end.guest(name)
        self.program = programs.start_backstep(["-bios", "none", "-kernel", elf, "-serial", "null", "--stop-at",
                                                str(END)])
        try:
            self.gdb = gdb_session.GdbSession(elf, self.program.address[5:])
            self.gdb.execute("set stack-cache off")
            self.gdb.execute("continue")
        except BaseException:
            self.program.stop()
            raise


class Backtraces(unittest.TestCase):
    maxDiff = 2000

    def check(self, path, g, position, count=0):
        g.goto(position)
        expected = gdb_frames(g.execute(f"backtrace {count or ''}"))
        found = our_frames(report(path, "--at", str(position)))
        found = found[:count or None]
        # gdb gives no line for the handler's frame.
        found = [(name, None) if n < len(expected) and expected[n] == (HANDLER, None) and name == HANDLER
                 else (name, line) for n, (name, line) in enumerate(found)]
        # gdb ends where a call went to no code.
        lost = expected[-1:] == [(None, None)]
        self.assertEqual(found[:len(expected)] if lost else found, expected, f"position {position}")
        return [name for name, _ in found]

    def test_like_gdb(self):
        chance = random.Random(4)
        with tempfile.TemporaryDirectory(prefix="backtrace-") as folder:
            path = record(folder, "demo")
            with demo_guest_test.Demo() as g:
                g.execute("set stack-cache off")  # it would outlive a goto
                g.execute("continue")
                crash = g.position()
                self.assertEqual(self.check(path, g, crash),
                                 ["board_power_off", "panic", "trap", HANDLER, None, "sensors_limits", "sched_run",
                                  "main"])
                # The way into and out of the handler of a timer interrupt, step by step.
                g.execute("break *trap_entry")
                g.execute("reverse-continue 2")
                entry = g.position()
                g.execute("delete")
                positions = [entry - 1, entry, entry + 1, entry + 2, entry + 40, entry + 60]
                positions += [chance.randrange(2000, crash) for _ in range(POSITIONS)]
                # Where the run is among functions, not in the check of the image.
                g.execute("break ring_put")
                g.goto(30000000)
                g.execute("continue")
                call = g.position()
                g.execute("delete")
                positions += range(call, call + 30)
                deepest = max(len(self.check(path, g, position)) for position in positions)
                self.assertGreater(deepest, 7)

    def check_guest(self, name, count):
        chance = random.Random(5)
        with tempfile.TemporaryDirectory(prefix="backtrace-") as folder, Guest(name) as g:
            path = record(folder, name, "--stop-at", str(END))
            end = g.position()
            for _ in range(POSITIONS // 4):
                self.check(path, g, chance.randrange(10, end), count)

    def test_calls(self):
        self.check_guest("bench-calls", 12)

    def test_assembly(self):
        """Only the innermost frame: there is no frame information, and no order in what is called."""
        for name in ("integer", "paging", "interrupts", "compressed"):
            with self.subTest(name):
                self.check_guest(name, 1)


if __name__ == "__main__":
    end_to_end.need(gdb_session.GDB)
    end_to_end.guest("demo")
    end_to_end.main()
