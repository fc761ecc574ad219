#!/usr/bin/env python3
"""gdb on the running kernel, with its symbols, in both directions."""

import re

import kernel_symbols
import linux_guest

from linux_guest import end_to_end, gdb_session
from both_directions import GdbTest

FRAME = re.compile(r"(?m)^#\d+ +0x[0-9a-f]+ in (\S+) \(\)")


def place(g):
    """Name of the function at pc."""
    return g.execute("info symbol $pc").split()[0]


def callers(g):
    return FRAME.findall(g.execute("backtrace"))


class Kernel(GdbTest):
    @classmethod
    def setUpClass(cls):
        cls.files = linux_guest.obtain()
        cls.symbols = kernel_symbols.symbol_file(cls.files)

    def breakpoint(self, g, where):
        text = g.execute(f"break {where}")
        self.assertRegex(text, r"Breakpoint \d+ at 0xffffffff[0-9a-f]+")

    def check_kernel(self, harts):
        with linux_guest.Machine(self.files, harts) as machine:
            machine.boot()
            with machine.gdb(self.symbols) as g:
                self.check_symbols(g)
                exit_at, task = self.check_exit(g, machine)
                self.check_execve(g, exit_at, task)
                self.check_interrupt_handler(g)
                self.check_variable(g)
                g.goto("end")
            machine.expect(linux_guest.PROMPT)  # of the command that was stopped
            self.assertEqual(machine.run("echo still here"), "still here\n")
            self.assertEqual(machine.power_off(), 0)

    def check_symbols(self, g):
        self.assertIn("do_exit in section .text", g.execute("info symbol do_exit"))
        self.assertIn("jiffies_64 in section .data", g.execute("info symbol &jiffies_64"))
        self.assertIn("start_kernel in section .init.text", g.execute("info symbol start_kernel"))
        address = g.value("&do_exit")
        self.assertIn("do_exit + 4 in section .text", g.execute(f"info symbol {address + 4:#x}"))
        self.assertEqual(place(g), "arch_cpu_idle")  # the shell waits for input

    def check_exit(self, g, machine):
        """Position of and task in do_exit, at the end of a command that is typed."""
        self.breakpoint(g, "do_exit")
        g.begin("continue")
        machine.send("/bin/ls /")  # the whole path: a program of its own, not the shell's
        self.assertIn("Breakpoint", g.finish())
        self.assertEqual(place(g), "do_exit")
        self.assertEqual(callers(g)[:4], ["do_exit", "do_group_exit", "__riscv_sys_exit_group",
                                          "do_trap_ecall_u"])
        exit_at, task = g.position(), g.value("$tp")
        g.execute("stepi 100")  # at the tip it would be the end of history, not the breakpoint, that stops
        self.assertIn("Breakpoint", g.execute("reverse-continue"))
        self.assertEqual((g.position(), g.value("$tp")), (exit_at, task))
        g.execute("delete")
        return exit_at, task

    def check_execve(self, g, exit_at, task):
        """Back from a task's end to where it became this program, and on to the end again."""
        self.breakpoint(g, f"__riscv_sys_execve if $tp == {task:#x}")
        self.assertIn("Breakpoint", g.execute("reverse-continue"))
        self.assertEqual(place(g), "__riscv_sys_execve")
        self.assertEqual(callers(g)[1], "do_trap_ecall_u")
        self.assertEqual(g.value("$tp"), task)
        self.assertLess(g.position(), exit_at)
        g.execute("delete")
        self.breakpoint(g, f"do_exit if $tp == {task:#x}")
        self.assertIn("Breakpoint", g.execute("continue"))
        self.assertEqual((g.position(), g.value("$tp")), (exit_at, task))
        g.execute("delete")

    def check_interrupt_handler(self, g):
        """reverse-finish goes to the call, and a step from there is the handler's first."""
        self.breakpoint(g, "riscv_timer_interrupt")
        self.assertIn("Breakpoint", g.execute("reverse-continue"))
        self.assertEqual(place(g), "riscv_timer_interrupt")
        inside, frames = g.position(), callers(g)
        self.assertEqual(frames[1], "handle_percpu_devid_irq")
        g.execute("delete")
        self.assertIn("Run back to call of #0", g.execute("reverse-finish"))
        self.assertEqual(place(g), "handle_percpu_devid_irq")
        self.assertLess(g.position(), inside)
        self.assertEqual(callers(g), frames[1:])
        g.execute("stepi")
        self.assertEqual(g.value("$pc"), g.value("&riscv_timer_interrupt"))

    def check_variable(self, g):
        """Back through the writes of a variable: each undone, by the function that makes them."""
        jiffies = "*(unsigned long *)&jiffies_64"
        value = g.value(jiffies)
        self.assertIn("Hardware watchpoint", g.execute(f"watch {jiffies}"))
        for _ in range(3):
            text = g.execute("reverse-continue")
            old, new = (int(word) for word in re.findall(r"(?:Old|New) value = (\d+)", text))
            self.assertEqual(old, value)
            self.assertLess(new, old)
            self.assertEqual(place(g), "tick_do_update_jiffies64")
            value = new
        g.execute("delete")

    def test_one_hart(self):
        self.check_kernel(1)

    def test_two_harts(self):
        self.check_kernel(2)


if __name__ == "__main__":
    end_to_end.need(end_to_end.OPENSBI, gdb_session.GDB)
    end_to_end.main()
