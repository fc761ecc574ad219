#!/usr/bin/env python3
"""A kernel that panics ends its run: the recording is closed at the panic's last line, opens there, and its
report names the function that is to blame."""

import json
import os
import re
import subprocess
import tempfile
import unittest

import kernel_symbols
import linux_guest

FIRED = 3
SIGABRT = 6
BEGIN, END = b"Kernel panic - not syncing: sysrq triggered crash", b"---[ end Kernel panic"


class Crash(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.files = linux_guest.obtain()
        cls.symbols = kernel_symbols.symbol_file(cls.files)

    def command(self, *words):
        done = subprocess.run([linux_guest.programs.backstep_path(), *words], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=linux_guest.GUARD, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_panic(self):
        for harts in (1, 2):
            with self.subTest(harts=harts), tempfile.TemporaryDirectory(prefix="crash-") as folder:
                self.panic(harts, os.path.join(folder, "linux.bsr"))

    def panic(self, harts, recording):
        arguments = ["-o", recording, "--symbols", self.symbols]
        with linux_guest.Machine(self.files, harts, arguments=arguments, debugger=False) as machine:
            machine.boot()
            machine.send("echo c > /proc/sysrq-trigger")
            self.assertEqual(machine.wait(), FIRED)
            seen, said = machine.line.seen, machine.program.stderr_text()
        # The stack's dump is in it, and nothing is behind the last line.
        self.assertIn(b"write_sysrq_trigger", seen)
        self.assertEqual((seen.count(BEGIN), seen.count(END)), (2, 1))
        self.assertEqual(seen[seen.index(END):].count(b"\n"), 1)
        line = re.search(r'the guest printed ".*Kernel panic - not syncing: sysrq triggered crash" '
                         r"at position (\d+)", said)
        self.assertTrue(line, said)
        info = json.loads(self.command("info", recording, "--json"))
        self.assertEqual((info["reason"], info["verdict"], info["complete"]), ("panic", line[0], True))
        self.assertEqual([(mark["name"], mark["position"]) for mark in info["bookmarks"]],
                         [("crash", int(line[1]))])
        self.assertLess(info["tip"] - int(line[1]), 200_000_000)
        report = self.command("report", recording)
        self.assertRegex(report, r"culprit +sysrq_handle_crash")
        self.assertRegex(report, r"reason +panic")
        self.assertIn("---[ end Kernel panic", report)
        self.check_core(recording, report, harts)

    def check_core(self, recording, report, harts):
        """gdb shows the same functions in the core of the end as the report does, for each hart."""
        core = recording + ".core"
        for hart in range(harts):
            self.command("export", recording, "--core", core, "--hart", str(hart))
            part = re.split(rf"(?m)^-- hart {hart}(?:,[^\n]*)? -+$", report)[1].split("\n-- ")[0]
            wanted = re.findall(r"(?m)^ *#\d+ +[0-9a-f]{16}  (\w+)", part.split("-- from user mode")[0])
            shown = subprocess.run(
                [linux_guest.gdb_session.GDB, "-batch", "-nx", "-ex", "set osabi none", "-ex",
                 f"file {self.symbols}", "-ex", f"core {core}", "-ex", "backtrace 60"],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=linux_guest.GUARD, check=False).stdout
            shown = shown[shown.rindex("#0 "):]  # the core is announced with it too
            found = re.findall(r"(?m)^#\d+ +(?:0x[0-9a-f]+ in )?(\w+) \(", shown)
            self.assertGreater(len(found), 2, shown)
            # gdb knows no frames behind an exception's entry, and may go on behind the last one.
            self.assertEqual(found[:len(wanted)], wanted[:len(found)], shown)

    def test_with_a_debugger(self):
        """The machine stops there, and goes back from there."""
        with linux_guest.Machine(self.files, arguments=["--crash-on", "panic"]) as machine:
            machine.boot()
            with machine.program.connect() as client:
                client.send_packets([b"vCont;c"])
                machine.send("echo c > /proc/sysrq-trigger")
                stop = client.wait_stop(linux_guest.GUARD)
                self.assertEqual(stop.signal, SIGABRT)
                self.assertIn(BEGIN, stop.console)
                self.assertIn("crash", client.monitor("bookmarks"))
                self.assertIn("Kernel panic", machine.program.stderr_text())
                self.assertFalse(client.reverse_step().history_end)

    def test_symbol(self):
        """A function of the kernel, by the name that the symbol file has for it."""
        arguments = ["--crash-on", "symbol:sysrq_handle_crash", "--symbols", self.symbols]
        with linux_guest.Machine(self.files, arguments=arguments, debugger=False) as machine:
            machine.boot()
            machine.send("echo c > /proc/sysrq-trigger")
            self.assertEqual(machine.wait(), FIRED)
            self.assertIn("has come to sysrq_handle_crash", machine.program.stderr_text())
            self.assertNotIn(BEGIN, machine.line.seen)

    def test_a_healthy_run(self):
        """Boot, work, power-off, with the triggers that a recording has: none fires."""
        with tempfile.TemporaryDirectory(prefix="crash-") as folder:
            recording = os.path.join(folder, "linux.bsr")
            with linux_guest.Machine(self.files, 2, append=linux_guest.PLAIN, arguments=["-o", recording],
                                     debugger=False) as machine:
                machine.boot()
                machine.run("dmesg | tail -3")
                self.assertEqual(machine.power_off(), 0)
            info = json.loads(self.command("info", recording, "--json"))
            self.assertEqual((info["reason"], info["bookmarks"]), (None, []))


if __name__ == "__main__":
    linux_guest.end_to_end.need(linux_guest.end_to_end.OPENSBI, linux_guest.gdb_session.GDB)
    linux_guest.end_to_end.main()
