"""Assertions on a gdb session that goes forward and back again, whatever the guest."""

import unittest

NO_HISTORY = "No more reverse-execution history"


class GdbTest(unittest.TestCase):
    maxDiff = 2000

    def check_same(self, g, noted, message=None):
        """The registers are those noted, all of them: pc, position and CSRs are among them."""
        now = g.registers()
        if now == noted:
            return
        differing = [f"{b!r}, not {a!r}" for a, b in
                     zip(noted.splitlines(), now.splitlines()) if a != b]
        self.fail(f"{message}: registers differ: {differing[:10] or [noted, now]}")

    def check_undone(self, g, forward, back, times=1):
        """`back` as often as `forward` visits the same states in the opposite order."""
        noted = [g.registers()]
        for _ in range(times):
            text = g.execute(forward)
            self.assertNotIn(NO_HISTORY, text, forward)
            noted.append(g.registers())
        self.assertEqual(len(set(noted)), times + 1, f"{forward} did not move")
        for n, state in enumerate(reversed(noted[:-1])):
            text = g.execute(back)
            self.check_same(g, state, f"{back}, {n + 1} of {times}, after {forward}: {text}")

    def check_breakpoint(self, g, insert, pc, times=3):
        """continue to a breakpoint several times, then reverse-continue to each of the hits."""
        self.assertIn("reakpoint", g.execute(insert))
        noted = []
        for _ in range(times):
            text = g.execute("continue")
            self.assertIn("Breakpoint", text, insert)
            self.assertEqual(g.value("$pc"), pc, insert)
            noted.append(g.registers())
        self.assertEqual(len(set(noted)), times)
        for state in reversed(noted[:-1]):
            self.assertIn("Breakpoint", g.execute("reverse-continue"), insert)
            self.check_same(g, state, insert)
        g.execute("delete")

    def check_watchpoint(self, g, insert, value, times=3):
        """Stops behind each access on the way forward, before it on the way back. value: an
        expression of what is watched."""
        self.assertIn("atchpoint", g.execute(insert))
        forward = []
        for _ in range(times):
            before = g.value(value)
            text = g.execute("continue")
            self.assertRegex(text, r"(?m)^(Value|Old value) = ", insert)
            position = g.position()
            forward.append((position, before, g.value(value)))
        self.assertEqual(len({f[0] for f in forward}), times)
        for position, before, after in reversed(forward):
            text = g.execute("reverse-continue")
            self.assertRegex(text, r"(?m)^(Value|Old value) = ", insert)
            self.assertEqual(g.position(), position - 1, f"{insert}: {text}")
            if not insert.startswith("rwatch"):
                self.assertEqual(g.value(value), before, insert)
            noted = g.registers()
            g.execute("disable")
            g.execute("stepi")
            self.assertEqual((g.position(), g.value(value)), (position, after), insert)
            g.execute("reverse-stepi")
            self.check_same(g, noted, insert)
            g.execute("enable")
        g.execute("delete")
