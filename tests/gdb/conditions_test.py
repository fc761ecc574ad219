#!/usr/bin/env python3
"""Conditions and commands of breakpoints run in the engine: gdb-multiarch and a raw client, both directions."""

import re
import unittest

import demo_guest_test
import end_to_end
import programs

HISTORY = demo_guest_test.HISTORY
WORD = "*(unsigned long *)$a1"
CONDITIONS = ["$a2 == 2", f"{WORD} % 7 == 3", "sensors.ring.head > 40 && $a2 != 2", "*(int *)$a1 < 0",
              f"({WORD} >> 16 & 3) == 1 || *(char *)$a1 == -5", "$sp < $pc", "$icount > 2500000",
              f"sensors.ring.slot[sensors.ring.head] != {WORD}", "*(short *)$a1 > 100", "!sensors.ring.dropped"]
# reg a1 (words); ref8; const8 3; bit_and; end
ODD = bytes([0x26, 0, 11, 0x17, 0x22, 3, 0x0f, 0x27])
NEVER = bytes([0x22, 0, 0x27])
DIVISION = bytes([0x22, 1, 0x22, 0, 5, 0x27])
# dprintf "word %hhd\n", *a1
PRINTS = bytes([0x26, 0, 11, 0x1a, 0x22, 0, 0x22, 0, 0x34, 1, 0, 12]) + b"word %hhd\\n\0" + bytes([0x27])


def stops(g, command, most=2000):
    """Positions of all stops of a command, to an end of history."""
    found = []
    while len(found) < most:
        text = g.execute(command)
        if "No more reverse-execution history" in text:
            return found
        assert "Breakpoint" in text, text
        found.append(g.position())
    raise AssertionError("too many stops")


def sent(text, start):
    """Packets of a kind in the output of `set debug remote 1`."""
    return len(re.findall(rf"Sending packet: \${start}", text))


class Gdb(unittest.TestCase):
    def test_like_gdb_itself(self):
        """The same stops as with conditions that gdb evaluates at each call, in both directions."""
        with demo_guest_test.Demo(HISTORY) as g:
            some = 0
            for condition in CONDITIONS:
                found = {}
                for where in "target", "host":
                    g.execute(f"set breakpoint condition-evaluation {where}")
                    self.assertIn("Breakpoint", g.execute(f"break *ring_put if {condition}"))
                    g.goto("start")
                    forward = stops(g, "continue")
                    back = stops(g, "reverse-continue")
                    self.assertEqual(back, forward[::-1], condition)
                    found[where] = forward
                    g.execute("delete")
                self.assertEqual(found["target"], found["host"], condition)
                some += len(found["target"]) > 0
            self.assertGreater(some, 4, "conditions that ever hold")

    def test_no_round_trip_for_a_call(self):
        with demo_guest_test.Demo(HISTORY) as g:
            g.execute("break *ring_put")
            calls = len(stops(g, "continue"))
            self.assertGreater(calls, 50)
            g.execute("delete")
            g.execute("break *ring_put if *(unsigned long *)$a1 == 12345")
            for command, packet in ("reverse-continue", "bc"), ("continue", "vCont;c"):
                g.execute("set debug remote 1")
                text = g.execute(command)
                g.execute("set debug remote 0")
                self.assertIn("No more reverse-execution history", text)
                self.assertEqual(sent(text, packet), 1, text[-3000:])
                self.assertEqual(sent(text, "vCont;s"), 0)
                self.assertLess(sent(text, ""), 40)

    def test_dprintf_in_the_agent(self):
        with demo_guest_test.Demo(HISTORY) as g:
            g.execute("break *ring_put")
            g.execute('commands 1\nsilent\nprintf "put %u %lx at %d\\n", $a2, *(unsigned long *)$a1, *(int *)$a0\nend')
            expected = []
            while "No more" not in (text := g.execute("continue")):
                expected += [line for line in text.splitlines() if line.startswith("put ")]
            g.execute("delete")
            self.assertGreater(len(expected), 50)
            g.execute("set dprintf-style agent")
            g.execute('dprintf *ring_put,"put %u %lx at %d\\n", $a2, *(unsigned long *)$a1, *(int *)$a0')
            for command, order in ("reverse-continue", -1), ("continue", 1):
                text = g.execute(command)
                self.assertIn("No more reverse-execution history", text)
                self.assertEqual([line for line in text.splitlines() if line.startswith("put ")], expected[::order])
            # Single steps onto it print it as well, from both sides.
            g.execute("tbreak *ring_put")
            g.execute("reverse-continue")
            prints = [g.execute(c).count("put ") for c in ("reverse-stepi", "stepi", "stepi", "reverse-stepi")]
            self.assertEqual(prints, [0, 1, 0, 1])


class Raw(unittest.TestCase):
    def setUp(self):
        elf = end_to_end.guest("demo")
        self.program = programs.start_backstep(["-kernel", elf, "-serial", "null", "--stop-at", str(HISTORY)])
        self.addCleanup(self.program.stop)
        self.client = self.program.connect(["swbreak+", "hwbreak+"])
        self.addCleanup(self.client.close)
        text = self.client.monitor("break ring_put")
        self.address = int(re.search(r"0x([0-9a-f]+)", text)[1], 16)
        self.client.monitor("delete all")
        self.client.cont()

    def insert(self, conditions=(), commands=(), kind=0):
        packet = b"Z%x,%x,4" % (kind, self.address)
        if conditions:
            packet += b";" + b"".join(b"X%x,%s" % (len(c), c.hex().encode()) for c in conditions)
        if commands:
            packet += b";cmds:0," + b"".join(b"X%x,%s" % (len(c), c.hex().encode()) for c in commands)
        self.client.expect_ok(packet)

    def all_back(self):
        found = []
        self.client.monitor("goto end")
        while not (stop := self.client.reverse_cont()).history_end:
            found.append(int(stop.keys["icount"], 16))
        return found

    def test_offered(self):
        self.assertEqual({k: v for k, v in self.client.handshake().items() if "Breakpoint" in k},
                         {"ConditionalBreakpoints": "+", "BreakpointCommands": "+"})

    def test_conditions_are_replaced(self):
        self.insert()
        everything = self.all_back()
        self.insert([ODD])
        odd = self.all_back()
        self.assertTrue(set(odd) < set(everything) and odd)
        self.insert([NEVER])
        self.assertEqual(self.all_back(), [])
        self.insert([NEVER, ODD])
        self.assertEqual(self.all_back(), odd)
        self.insert([DIVISION])  # what cannot be evaluated stops
        self.assertEqual(self.all_back(), everything)
        self.insert([b"\xff\xff"])
        self.assertEqual(self.all_back(), everything)
        self.insert([NEVER])
        self.insert([ODD], kind=1)  # Z1 and Z0 at one address
        self.assertEqual(self.all_back(), odd)
        self.client.remove_point(1, self.address)
        self.assertEqual(self.all_back(), [])
        self.client.remove_point(0, self.address)
        self.assertEqual(self.client.monitor("info points"), "no breakpoints and no watched ranges\n")

    def test_commands_print_and_do_not_stop(self):
        self.insert()
        calls = len(self.all_back())
        self.client.monitor("goto end")
        self.insert(commands=[PRINTS])
        back = self.client.reverse_cont()
        self.assertEqual(back.history_end, "begin")
        forward = self.client.cont()
        self.assertEqual(forward.history_end, "end")
        lines = forward.console.decode().splitlines()
        self.assertEqual(len(lines), calls)
        self.assertGreater(len(set(lines)), 5)
        self.assertEqual([x for x in back.console.decode().splitlines() if x.startswith("word")], lines[::-1])
        self.insert([ODD], [PRINTS])
        text = self.client.reverse_cont().console.decode()
        self.assertEqual([x for x in text.splitlines() if x.startswith("word")],
                         [x for x in lines[::-1] if int(x[5:]) & 3])
        # A stop beside it wins.
        self.insert(kind=1)
        self.assertEqual(self.client.cont().keys.get("hwbreak"), "")

    def test_points_go_with_the_connection(self):
        self.insert(commands=[PRINTS])
        self.assertIn("prints", self.client.monitor("info points"))
        self.client.close()
        with self.program.connect() as client:
            self.assertIn("no breakpoints and no watched ranges\n", client.monitor("info points"))
            self.assertEqual(client.reverse_cont().history_end, "begin")


if __name__ == "__main__":
    end_to_end.main()
