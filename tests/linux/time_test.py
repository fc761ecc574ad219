#!/usr/bin/env python3
"""Time of a Linux guest: a clock that is fixed, sleep, and steps in both directions across what time and other
harts do to one: interrupts, waits, and page faults and fences too."""

import re
import subprocess
import time
import unittest

import kernel_symbols
import linux_guest

from linux_guest import GUARD, end_to_end, gdb_session
from both_directions import GdbTest

import programs

RTC = ["-rtc", "base=2031-02-03T04:05:06"]
SLEEP = 3
TOLERANCE = 0.05  # live pacing looks at coarser times
# Nobody types: all that is printed follows from the machine and the clock.
SCRIPT = f'{linux_guest.QUICK} rdinit=/bin/sh -- -c "date -u; sleep {SLEEP}; date -u; poweroff -f"'
TIMER, SOFTWARE = 1 << 63 | 5, 1 << 63 | 1  # scause of supervisor interrupts
FETCH_FAULT, LOAD_FAULT, STORE_FAULT = 12, 13, 15
SPP = 1 << 8  # of sstatus: the trap came from supervisor mode
WFI, MRET = 0x10500073, 0x30200073


def is_fence(word):
    """sfence.vma, or fence with any of its sets."""
    return word & 0xfe007fff == 0x12000073 or word & 0xf00fffff == 0x0000000f


class Time(GdbTest):
    @classmethod
    def setUpClass(cls):
        cls.files = linux_guest.obtain()
        cls.symbols = kernel_symbols.symbol_file(cls.files)

    # ---- dates ----

    def run_script(self, icount):
        """(console, stderr, seconds)"""
        start = time.monotonic()
        result = subprocess.run(
            [programs.backstep_path(), "run", "-kernel", self.files.kernel, "-initrd", self.files.initrd, "-append",
             SCRIPT, "-icount", icount, *RTC], stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=GUARD)
        return result.stdout, result.stderr, time.monotonic() - start

    def test_date(self):
        """The clock starts where it is told and goes by the guest's time alone: waiting or not, two runs are the
        same to the step."""
        runs = [self.run_script("shift=3,sleep=off"), self.run_script("shift=3,sleep=on")]
        self.assertEqual(runs[0][:2], runs[1][:2])
        dates = re.findall(rb"Mon Feb  3 04:05:(\d\d) UTC 2031", runs[0][0])
        first, second = (int(seconds) for seconds in dates)
        self.assertTrue(6 <= first < 30 and SLEEP <= second - first <= SLEEP + 1, dates)
        self.assertRegex(runs[0][1].decode(), r"switched off at position \d+")
        self.assertGreaterEqual(runs[1][2], SLEEP - TOLERANCE)

    # ---- steps ----

    def state(self, g):
        """Position, all registers, the general ones."""
        general = re.sub(r"(?m)^icount .*\n?", "", g.execute("info registers"))
        return g.position(), g.registers(), general

    def check_equal(self, g, noted, message):
        """Where other harts made steps in between, time has passed: then it is the hart's own registers that are
        the same."""
        now = self.state(g)
        if now[0] == noted[0]:
            self.assertEqual(now[1], noted[1], message)
        self.assertEqual(now[2], noted[2], message)

    def check_across(self, g, back, forward, message):
        """Steps back from here and the same forward, then on and back again."""
        states = [self.state(g)]
        for _ in range(back):
            g.execute("reverse-stepi")
            states.insert(0, self.state(g))
        for noted in states[1:]:
            g.execute("stepi")
            self.check_equal(g, noted, f"{message}, forward")
        for _ in range(forward):
            g.execute("stepi")
            states.append(self.state(g))
        for noted in reversed(states[:-1]):
            g.execute("reverse-stepi")
            self.check_equal(g, noted, f"{message}, back")
        self.assertEqual(len({noted[:2] for noted in states}), back + forward + 1, message)
        return [int(re.search(r"(?m)^pc +(0x[0-9a-f]+)", noted[2])[1], 16) for noted in states]

    def back_to(self, g, *places):
        for place in places:
            self.assertRegex(g.execute(f"break {place}"), r"Breakpoint \d+ at")
        text = g.execute("reverse-continue")
        self.assertIn("Breakpoint", text, places)
        g.execute("delete")

    def check_trap(self, g, handler, wanted, from_user=None):
        """From the tip back to a trap that `handler` was called for: its first step, and those around it."""
        g.goto("end")
        for _ in range(200):
            self.back_to(g, handler)
            self.back_to(g, "*handle_exception")
            cause, status, epc = g.values("$scause", "$sstatus", "$sepc")
            if cause in wanted and (from_user is None or from_user != bool(status & SPP)):
                break
        else:
            self.fail(f"{handler}: no such trap")
        pcs = self.check_across(g, 4, 4, f"{handler}, cause {cause:#x}")
        self.assertEqual(pcs[4], g.value("(long)&handle_exception"))
        self.assertEqual(pcs[3], epc, "the step before the handler's first was at sepc")

    def addresses(self, g, name, size, wanted):
        """Of the wanted instructions in so many bytes from a function on."""
        start = g.value(f"(long)&{name}")
        return [address for address in range(start, start + size, 2) if wanted(g.instruction(address))]

    def check_wait(self, g):
        """Across WFI: the fence before it, the wait, what comes behind it. Where it was the firmware that was
        interrupted out of the wait (for another hart), its mret stands between the two."""
        g.goto("end")  # from where the kernel can be read: no place of a program
        wfi = self.addresses(g, "arch_cpu_idle", 64, lambda word: word == WFI)
        self.assertEqual(len(wfi), 1)
        direct = 0
        for _ in range(40):
            self.back_to(g, "riscv_timer_interrupt")
            self.back_to(g, f"*{wfi[0] + 4:#x}")
            pcs = self.check_across(g, 4, 6, "WFI")
            self.assertEqual(pcs[4], wfi[0] + 4)
            if pcs[3] == wfi[0]:
                direct += 1
            else:
                g.execute("reverse-stepi")
                self.assertEqual(g.instruction(pcs[3]), MRET)
            if direct == 3:
                return
        self.fail("hardly a wait was followed by the step behind it")

    def check_fence(self, g, name, size):
        g.goto("end")
        fences = self.addresses(g, name, size, is_fence)
        self.assertTrue(fences, name)
        self.back_to(g, *(f"*{address:#x}" for address in fences))
        self.assertIn(g.value("$pc"), fences)
        self.check_across(g, 3, 3, f"fence in {name}")

    def check_sleep(self, machine):
        """Passed over live; the replay of it does not wait either, nor does the way back."""
        with machine.gdb(self.symbols) as g:
            start, vtime = g.position(), self.guest_seconds(g)
        machine.run("sleep 300")
        with machine.gdb(self.symbols) as g:
            end, later = g.position(), self.guest_seconds(g)
            self.assertGreaterEqual(later - vtime, 300)
            g.goto(start)
            self.assertLess(self.guest_seconds(g), vtime + 1)
            self.assertIn("No more reverse-execution history", g.execute("continue"))
            self.assertEqual((g.position(), self.guest_seconds(g)), (end, later))
            g.execute("break __riscv_sys_clock_nanosleep")
            self.assertIn("Breakpoint", g.execute("reverse-continue"))
            g.execute("delete")
            self.assertLess(self.guest_seconds(g), vtime + 300)
            g.goto("end")

    def guest_seconds(self, g):
        return float(re.search(r"([\d.]+) s of guest time", g.execute("monitor when"))[1])

    def check_steps(self, harts):
        with linux_guest.Machine(self.files, harts, arguments=RTC) as machine:
            machine.boot()
            # None of the clock: one is the time that passed in the wait which the debugger interrupts.
            self.assertRegex(machine.monitor("info events"), r"^[01] events from outside")
            self.assertIn(" 04:", machine.run("date -u"))
            machine.run("for n in 1 2 3; do /bin/ls / | /bin/sort >/tmp/out; sleep 0.1; done")
            with machine.gdb(self.symbols) as g:
                self.check_trap(g, "riscv_timer_interrupt", [TIMER])
                self.check_trap(g, "do_page_fault", [FETCH_FAULT, LOAD_FAULT, STORE_FAULT], from_user=True)
                self.check_wait(g)
                self.check_fence(g, "__ipi_flush_tlb_all", 1152)
                if harts > 1:
                    self.check_trap(g, "handle_IPI", [SOFTWARE])
                g.goto("end")
            self.check_sleep(machine)
            self.assertEqual(machine.run("echo here"), "here\n")
            self.assertEqual(machine.power_off(), 0)

    @unittest.skipUnless(linux_guest.FULL, "only in the long suites")
    def test_one_hart(self):
        self.check_steps(1)

    def test_two_harts(self):
        self.check_steps(2)


if __name__ == "__main__":
    end_to_end.need(end_to_end.OPENSBI, gdb_session.GDB)
    end_to_end.main()
