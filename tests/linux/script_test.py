#!/usr/bin/env python3
"""share/gdb/backstep.py on the running kernel, of which gdb knows symbols and nothing else."""

import pathlib
import re
import tempfile

import kernel_symbols
import linux_guest

from linux_guest import end_to_end, gdb_session, programs
from both_directions import GdbTest

SCRIPT = pathlib.Path(end_to_end.source_folder(), "share/gdb/backstep.py")
JIFFIES = "*(unsigned long *)&jiffies_64"
EXECVE = "__riscv_sys_execve"
COMMANDS = ("/bin/ls /", "/bin/uname -a", "/bin/true")


def place(g):
    """Name of the function at pc."""
    return g.execute("info symbol $pc").split()[0]


def number(text):
    return int(text.replace(",", ""))


class Script(GdbTest):
    @classmethod
    def setUpClass(cls):
        cls.files = linux_guest.obtain()
        cls.symbols = kernel_symbols.symbol_file(cls.files)

    def ok(self, g, command, *words):
        text = g.execute(command)
        for bad in ("Traceback", "Python Exception", "does not understand", "Undefined command"):
            self.assertNotIn(bad, text, command)
        for word in words:
            self.assertIn(word, text, command)
        return text

    def gdb(self, address):
        """The script comes before the symbols, as on a command line with -x."""
        return gdb_session.GdbSession(None, address[5:], linux_guest.GUARD,
                                      setup=[f"source {SCRIPT}", f"file {self.symbols}"])

    def check_session(self, arguments, harts=1):
        """Live, and from the recording of the same."""
        with tempfile.TemporaryDirectory(prefix="script-") as folder:
            file = str(pathlib.Path(folder, "run.bsr"))
            with linux_guest.Machine(self.files, harts, arguments=[*arguments, "-o", file]) as machine:
                machine.boot()
                for command in COMMANDS:
                    machine.run(command)
                with self.gdb(machine.program.address) as g:
                    self.check_commands(g)
                    self.check_what_if(g)
                    self.ok(g, "goto end")
                self.assertEqual(machine.power_off(), 0)
            with programs.Program("backstep", [programs.backstep_path(), "replay", file, "-gdb",
                                               "unix:@FOLDER@/gdb"], "unix:@FOLDER@/gdb") as program, \
                    self.gdb(program.address) as g:
                self.ok(g, "goto end", "#0 ")
                self.ok(g, "when", "switched off")
                self.check_commands(g)

    def check_commands(self, g):
        self.check_calls(g)
        self.check_accesses(g)
        self.check_moves(g)
        self.check_pictures(g)

    def check_calls(self, g):
        """The programs that were typed, newest first, and where each began."""
        end = g.position()
        rows = self.ok(g, f"calls -most {len(COMMANDS)} {EXECVE}").splitlines()[:len(COMMANDS)]
        self.assertEqual(g.position(), end)
        g.execute(f"break *{EXECVE}")
        for row in rows:
            said = re.match(rf" +([\d,]+)  (?:hart \d, )?{EXECVE} \(a0=0x\w+, .*\) from 0x\w+ do_trap_ecall_u$",
                            row)
            self.assertTrue(said, row)
            self.assertIn("Breakpoint", g.execute("reverse-continue"))
            self.assertEqual(g.position(), number(said[1]))
        g.execute("delete")
        self.ok(g, "back 99")
        self.ok(g, "forward 99")
        self.ok(g, f"goto {rows[0].split()[0]}", f"in {EXECVE} ()")
        self.ok(g, "checkpoint newest-program")
        self.ok(g, "when", EXECVE, "here: newest-program")
        self.ok(g, "goto end")

    def check_accesses(self, g):
        """As gdb's own watchpoint finds them."""
        end = g.position()
        text = self.ok(g, "writes -most 3 jiffies_64", "has no type", "The newest 3")
        rows = re.findall(r"(?m)^ +([\d,]+)  (?:hart \d, )?jiffies_64: (\d+) -> (\d+)  0x\w+ (\w+)\+", text)
        self.assertEqual(len(rows), 3, text)
        g.execute(f"watch {JIFFIES}")
        for said, old, new, function in rows:
            values = re.findall(r"(?:Old|New) value = (\d+)", g.execute("reverse-continue"))
            self.assertEqual((g.position(), values, place(g)), (number(said), [new, old], function))
            self.assertGreater(int(new), int(old))
        g.execute("delete")
        self.ok(g, f"goto {end}")
        for said, old, new, function in rows:
            self.ok(g, f"last-write {JIFFIES}", f"{JIFFIES}: {old} -> {new}", function)
            self.assertEqual(g.position(), number(said))
        self.ok(g, "goto end")
        self.ok(g, f"last-read {JIFFIES}", f"{JIFFIES} = {g.value(JIFFIES)}")
        found = g.position()
        self.ok(g, f"goto {end}")
        g.execute(f"rwatch {JIFFIES}")
        g.execute("reverse-continue")
        self.assertEqual(g.position(), found)
        g.execute("delete")
        self.ok(g, "goto end")

    def check_moves(self, g):
        """Out of functions, as gdb's own commands do it."""
        g.execute("break do_exit")
        self.assertIn("Breakpoint", g.execute("reverse-continue"))
        g.execute("delete")
        inside = g.position()
        caller = None  # of a program's end, or of a kernel thread's
        for forward in (0, 1, 20):
            self.ok(g, f"goto {inside + forward}")
            frames = re.findall(r"(?m)^#\d+ +0x[0-9a-f]+ in (\S+) ", g.execute("backtrace 3"))
            if frames[0] != "do_exit":
                continue
            caller = caller or frames[1]
            g.execute("reverse-finish")
            found = g.place()
            self.ok(g, f"goto {inside + forward}")
            self.ok(g, "rfinish", f"in {frames[1]} ()")
            self.assertEqual(g.place(), found)
        for command in ("rnext", "rstep"):
            self.ok(g, f"goto {inside}")
            self.ok(g, command, "has no line number information", f"in {caller} ()")
            self.assertEqual(g.place(), found)
        self.ok(g, "back")
        self.assertEqual(g.position(), inside)
        self.ok(g, "forward")
        self.assertEqual(g.place(), found)
        self.ok(g, "goto end")

    def check_pictures(self, g):
        self.ok(g, "goto newest-program")
        here = g.position()
        picture = self.ok(g, "timeline 100", f"{here:,}", "newest-program")
        self.assertTrue(all(len(line) <= 100 for line in picture.splitlines()), picture)
        self.ok(g, "console-at newest-program", COMMANDS[-1])
        self.assertNotIn(COMMANDS[-1], self.ok(g, "console-at 30%"))
        noted = g.values("$pc", "$sp", "$a0")
        self.ok(g, "stepi 10")
        now = g.values("$pc", "$sp", "$a0")
        text = self.ok(g, "diff newest-program")
        self.assertEqual(g.position(), here + 10)
        for name, a, b in zip(("pc", "sp", "a0"), noted, now):
            said = re.search(rf"(?m)^hart \d {name}: (0x\w+) -> (0x\w+)$", text)
            self.assertEqual((int(said[1], 16), int(said[2], 16)) if said else (a, a), (a, b), text)
        self.ok(g, "goto end")

    def check_what_if(self, g):
        self.ok(g, "goto newest-program")
        value = g.value(JIFFIES)
        self.ok(g, f"set var {JIFFIES} = 7")
        self.ok(g, "branch early-jiffies")
        g.execute("stepi 100")
        self.ok(g, "branches", "early-jiffies", "from main at")
        self.ok(g, "switch main")
        self.assertEqual(g.value(JIFFIES), value)
        self.ok(g, "switch early-jiffies")
        self.assertEqual(g.value(JIFFIES), 7)
        self.ok(g, "switch main")
        self.ok(g, "branch -d early-jiffies")

    def test_small_spacing(self):
        self.check_session(["--checkpoint-ms", "1"])

    def test_default_spacing_two_harts(self):
        self.check_session([], 2)

    def test_huge_spacing(self):
        self.check_session(["--checkpoint-ms", "60000"])


if __name__ == "__main__":
    end_to_end.need(end_to_end.OPENSBI, gdb_session.GDB)
    end_to_end.main()
