#!/usr/bin/env python3
"""`monitor step-over-interrupts` on Linux: steps pass over the kernel's handlers in both directions, whatever the
kernel has done meanwhile."""

import json
import unittest

import linux_guest

import programs
from linux_guest import end_to_end

INTERRUPTS = 60  # looked at
SEVERAL = 12


class StepOver(unittest.TestCase):
    def setUp(self):
        files = linux_guest.obtain()
        machine = linux_guest.Machine(files)
        self.addCleanup(machine.close)
        machine.boot()
        machine.run("i=0; while [ $i -lt 2000 ]; do i=$((i+1)); done")
        self.client = c = machine.program.connect()
        self.addCleanup(c.close)
        c.timeout = linux_guest.GUARD
        registers = c.read_register_info()
        self.numbers = [registers[name].number for name in ("pc", "icount", "priv", "sp")]
        self.icount = registers["icount"].number

    def place(self):
        """pc, position, privilege, sp."""
        return tuple(self.client.read_register_list(self.numbers))

    def step(self):
        stop = self.client.resume(b"vCont;s:1;c")
        return None if stop.history_end else self.place()

    def back(self):
        stop = self.client.resume(b"bs")
        return None if stop.history_end else self.place()

    def traps(self, most):
        text = self.client.monitor(f'json traps {{"most": {most}}}')
        lines = [line for line in text.splitlines() if line.startswith("{")]
        self.assertTrue(lines, text)
        return json.loads(lines[0])

    def test_interrupts(self):
        c = self.client
        answer = self.traps(INTERRUPTS * 4)
        entries = [hit["position"] for hit in answer["hits"] if hit["interrupt"]][2:INTERRUPTS]
        self.assertGreater(len(entries), SEVERAL, answer)
        self.assertIn("pass over", c.monitor("step-over-interrupts on"))
        passed = 0
        for entry in entries:
            c.write_register(self.icount, entry)
            before = self.place()
            after = self.step()
            if after is None:
                continue  # it has not come back
            self.assertGreater(after[1], entry + SEVERAL)
            again = self.back()
            self.assertEqual((again[0], *again[2:]), (before[0], *before[2:]))
            self.assertEqual(again[1], after[1] - 1)
            # From behind the handler the step back goes before the entry; and forward again.
            earlier = self.back()
            self.assertLess(earlier[1], entry)
            forward = self.step()
            self.assertEqual((forward[0], *forward[2:]), (before[0], *before[2:]))
            passed += 1
        self.assertGreater(passed, SEVERAL)

    def test_walk(self):
        """A stretch forward and back shows the same instructions."""
        c = self.client
        c.monitor("step-over-interrupts on")
        answer = self.traps(60)
        entry = [hit["position"] for hit in answer["hits"] if hit["interrupt"]][SEVERAL]
        c.write_register(self.icount, entry - 40)
        forward = [self.place()]
        while len(forward) < 200 and (place := self.step()):
            forward.append(place)
        self.assertGreater(len(forward), 100)
        self.assertGreater(forward[-1][1] - forward[0][1], len(forward))
        for expected in reversed(forward[:-1]):
            place = self.back()
            # A step that has passed a handler before its instruction is undone behind the handler.
            self.assertEqual((place[0], *place[2:]), (expected[0], *expected[2:]))


if __name__ == "__main__":
    programs.backstep_path()
    end_to_end.main()
