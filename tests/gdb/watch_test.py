#!/usr/bin/env python3
"""Watched ranges of every length and number, in both directions; monitor's watch and break beside gdb's."""

import json
import random
import re
import unittest

import demo_guest_test
import end_to_end
import gdb_session
import programs

HISTORY = 1000000
WINDOW = 24  # bytes whose stops are known one by one
KEYS = {2: "watch", 3: "rwatch", 4: "awatch"}


class Watched(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.elf = end_to_end.guest("demo")
        with gdb_session.GdbSession(cls.elf) as g:
            cls.head, cls.slots, cls.put = g.values("&sensors.ring.head", "&sensors.ring.slot[0]", "&ring_put")

    def setUp(self):
        self.program = programs.start_backstep(["-kernel", self.elf, "-serial", "null", "--stop-at", str(HISTORY)])
        self.addCleanup(self.program.stop)
        self.client = self.program.connect(["swbreak+", "hwbreak+"])
        self.addCleanup(self.client.close)
        self.client.cont()

    def stops(self, back=False):
        """(position, the stop's keys) of all stops from one end of history to the other."""
        found = []
        self.client.monitor(f"goto {'end' if back else 'start'}")
        while not (stop := self.client.reverse_cont() if back else self.client.cont()).history_end:
            found.append((int(stop.keys["icount"], 16), stop))
            self.assertLess(len(found), 20000)
        return found

    def of_range(self, kind, address, length, back=False):
        """Positions of the stops of one range; each names an address inside it."""
        self.client.insert_point(kind, address, length)
        found = self.stops(back)
        self.client.remove_point(kind, address, length)
        for _, stop in found:
            at = int(stop.keys[KEYS[kind]], 16)
            self.assertTrue(address <= at < address + length, (hex(address), length, hex(at)))
        return [position for position, _ in found]

    def test_lengths(self):
        """A range stops where its bytes do."""
        chance = random.Random(5)
        base = self.head - 8
        for kind in 2, 3, 4:
            each = [set(self.of_range(kind, base + i, 1)) for i in range(WINDOW)]
            self.assertTrue(set.union(*each))
            for _ in range(12):
                length = chance.randrange(2, WINDOW)
                first = chance.randrange(WINDOW - length + 1)
                found = self.of_range(kind, base + first, length)
                self.assertEqual(found, sorted(set.union(*each[first:first + length])), (kind, first, length))
                back = self.of_range(kind, base + first, length, back=True)
                self.assertEqual(back, [p + 1 for p in found[::-1]], (kind, first, length))

    def test_long_ranges_over_pages(self):
        page = self.head & ~4095
        some = 0
        for address, length in (page, 4096), (page - 64, 4096), (self.head - 33, 67), (page + 4093, 7):
            half = length // 2
            parts = self.of_range(2, address, half) + self.of_range(2, address + half, length - half)
            found = self.of_range(2, address, length)
            self.assertEqual(found, sorted(set(parts)), (hex(address), length))
            some += len(found)
        self.assertGreater(some, 0)

    def test_many_ranges(self):
        """Hundreds of them, and several that one access touches: one address, of a range that changes."""
        for i in range(300):
            self.client.insert_point(2, self.slots + 8 * i + 4096, 3)
        # The head is written with another value; the whole ring holds it too.
        self.client.insert_point(4, self.head - 16, 8)
        self.client.insert_point(2, self.head, 4)
        self.client.insert_point(2, self.head, 1)
        self.client.insert_point(3, self.head, 8)
        for back in False, True:
            kinds = set()
            for _, stop in self.stops(back):
                named = [key for key in KEYS.values() if key in stop.keys]
                self.assertEqual(len(named), 1, stop)
                kinds.add(named[0])
            self.assertTrue({"watch", "rwatch"} <= kinds, kinds)

    def test_changes_only(self):
        """monitor watch -c passes over writes that leave the value."""
        everything = self.of_range(2, self.head, 4)
        self.client.monitor(f"watch -c {self.head:#x} 4")
        changed = self.stops()
        value = None
        for position, stop in changed:
            self.assertNotIn("watch", stop.keys)  # gdb knows nothing of it
            self.assertIn(b"watched by command", stop.console)
            self.client.monitor(f"goto {position}")
            before = self.client.read_memory(self.head, 4)
            self.client.monitor(f"goto {position + 1}")
            value = self.client.read_memory(self.head, 4)
            self.assertNotEqual(before, value)
        positions = [position for position, _ in changed]
        self.assertTrue(positions and set(positions) <= set(everything))
        for position in set(everything) - set(positions):
            self.client.monitor(f"goto {position}")
            before = self.client.read_memory(self.head, 4)
            self.client.monitor(f"goto {position + 1}")
            self.assertEqual(before, self.client.read_memory(self.head, 4))
        self.assertEqual([p for p, _ in self.stops(back=True)], [p + 1 for p in positions[::-1]])

    def test_refused(self):
        for line, word in (("watch", "usage: watch"), ("watch -p", "usage: watch"), ("watch 8 8 == 5", "if == 5"),
                           ("watch 8 0", "no length"), ("watch -x 8", "no option"), ("watch 8 9 if == 5", "8 bytes"),
                           ("watch -p -r 8", "writes only"), ("break", "usage: break")):
            self.assertIn(word, self.client.monitor(line), line)
        self.assertIn("no breakpoints", self.client.monitor("info points"))

    def test_conditional(self):
        self.client.monitor(f"watch {self.head:#x} 4")
        everything = [p for p, _ in self.stops()]
        values = {}
        for position in everything:
            self.client.monitor(f"goto {position + 1}")
            values[position] = int.from_bytes(self.client.read_memory(self.head, 4), "little")
        some = values[everything[len(everything) // 2]]
        for text, holds in ((f"== {some}", lambda v: v == some), (f"!= {some:#x}", lambda v: v != some),
                            (f">= {some}", lambda v: v >= some), (f"<{some}", lambda v: v < some),
                            ("& 1", lambda v: v & 1)):
            self.client.monitor("delete all")
            self.assertIn(", if ", self.client.monitor(f"watch {self.head:#x} 4 if {text}"))
            expected = [p for p in everything if holds(values[p])]
            self.assertEqual([p for p, _ in self.stops()], expected, text)
            self.assertEqual([p for p, _ in self.stops(back=True)], [p + 1 for p in expected[::-1]], text)

    def test_physical(self):
        """Without paging the same as virtual ones; the writer has a name."""
        everything = self.of_range(2, self.head, 4)
        self.client.monitor(f"watch -p {self.head:#x} 4")
        found = self.stops()
        self.assertEqual([p for p, _ in found], everything)
        for position, stop in found:
            self.assertRegex(stop.console.decode(),
                             rf"position {position}: \d bytes? at physical {self.head:#x} written by hart 0\n")
        self.assertEqual([p for p, _ in self.stops(back=True)], [p + 1 for p in everything[::-1]])

    def test_break_in_a_space(self):
        self.client.monitor("break ring_put")
        everything = [p for p, _ in self.stops()]
        self.client.monitor("delete all")
        self.assertIn("in space 0", self.client.monitor("break -p here ring_put"))
        self.assertEqual([p for p, _ in self.stops()], everything)
        self.client.monitor("delete all")
        self.client.monitor("break -p 0x8000000000080001 ring_put")
        self.assertEqual(self.stops(), [])
        self.client.monitor("delete all")
        # Beside one of gdb's: its stop; without it a plain one and a line.
        self.client.insert_point(0, self.put)
        self.client.monitor("break ring_put")
        for _, stop in self.stops():
            self.assertEqual(stop.keys.get("swbreak"), "")
            self.assertEqual(stop.console, b"")
        self.client.remove_point(0, self.put)
        for _, stop in self.stops():
            self.assertNotIn("swbreak", stop.keys)
            self.assertIn(b"at a breakpoint by command", stop.console)

    def test_list(self):
        self.assertIn("no breakpoints", self.client.monitor("info points"))
        self.client.monitor("break ring_put")
        self.client.monitor(f"watch -a -c {self.head:#x} 4 if > 3")
        self.client.insert_point(3, self.head, 2)
        text = self.client.monitor("info points")
        self.assertRegex(text, r"(?m)^ +1  command +break +0x[0-9a-f]+ <ring_put>$")
        self.assertRegex(text, r"(?m)^ +2  command +access +4 bytes at 0x[0-9a-f]+ .*, changes, if > 0x3$")
        self.assertRegex(text, r"(?m)^ +3  gdb +read +2 bytes at ")
        self.assertIn("gdb's", self.client.monitor("delete 3"))
        self.assertIn("no point 9", self.client.monitor("delete 9"))
        self.assertEqual(self.client.monitor("delete 1"), "")
        self.assertNotIn("ring_put", self.client.monitor("info points"))
        self.client.monitor("delete all")
        self.assertEqual(len(self.client.monitor("info points").splitlines()), 1)
        for bad in ("watch", "watch -r -p 0x80000000", "watch -r -c 0x80000000", "watch -x 1", "watch 0x80000000 0",
                    "watch 0x80000000 16 if == 1", "watch 0x80000000 4 if = 1", "watch 0x80000000 4 if", "break",
                    "watch 0x80000000 4 5", "break -p", "break -p here", "break -p where ring_put", "break nosuch",
                    "break ring_put 1", "delete x"):
            before = self.client.monitor("info points")
            self.assertTrue(self.client.monitor(bad), bad)
            self.assertEqual(self.client.monitor("info points"), before, bad)


    def json(self, name, **arguments):
        return json.loads(self.client.monitor(f"json {name} {json.dumps(arguments)}"))

    def test_json(self):
        self.client.monitor("goto start")
        point = self.json("break", address=self.put)
        self.assertEqual(point, {"number": 1, "kind": "break", "owner": "control", "address": self.put})
        self.assertEqual(self.json("break", address=hex(self.put), space=0)["space"], 0)
        watch = self.json("watch", address=self.head, length=4, kind="access", changes=True, condition="> 2")
        self.assertEqual(watch, {"number": 3, "kind": "access", "owner": "control", "address": self.head, "length": 4,
                                 "physical": False, "changes": True, "condition": "> 0x2"})
        self.assertTrue(self.json("watch", address=self.head, physical=True)["physical"])
        self.assertEqual([p["number"] for p in self.json("points")["points"]], [1, 2, 3, 4])
        self.assertEqual(self.json("delete", number=3), {})
        self.assertEqual([p["number"] for p in self.json("points")["points"]], [1, 2, 4])
        stop = self.json("continue")
        self.assertEqual((stop["reason"], stop["address"], stop["writer"]), ("watchpoint", self.head, "hart"))
        self.assertIn("breakpoint", [self.json("continue")["reason"] for _ in range(3)])
        self.assertEqual(self.json("delete", number="all"), {})
        self.assertEqual(self.json("points"), {"points": []})
        for name, arguments in (("break", {}), ("watch", {"address": 1, "kind": "x"}), ("delete", {"number": 77}),
                                ("watch", {"address": 1, "length": 0}), ("delete", {}), ("break", {"address": "x"}),
                                ("watch", {"address": 1, "kind": "read", "physical": True}),
                                ("watch", {"address": 1, "length": 9, "condition": "== 1"})):
            self.assertIn("error", self.json(name, **arguments), (name, arguments))
        self.assertEqual(self.json("points"), {"points": []})


class Gdb(unittest.TestCase):
    def test_watch_in_gdb(self):
        """Old and new values, in both directions, while a monitor's watch of the same is there or not."""
        with demo_guest_test.Demo(HISTORY) as g:
            for command in None, "monitor watch sensors.ring.head 4", "monitor watch -p 0x80000000 8":
                if command:
                    g.execute(command)
                g.execute("goto start")
                g.execute("watch sensors.ring.head")
                g.goto("start")
                places = []
                for _ in range(6):
                    text = g.execute("continue")
                    self.assertRegex(text, r"Old value = \d+\s+New value = \d+")
                    places.append(re.findall(r"value = (\d+)", text))
                g.execute("reverse-continue")
                for old, new in places[-2::-1]:
                    text = g.execute("reverse-continue")
                    self.assertEqual(re.findall(r"value = (\d+)", text), [new, old])
                g.execute("delete")
                g.execute("monitor delete all")

    def test_monitors_break_ends_a_step(self):
        with demo_guest_test.Demo(HISTORY) as g:
            g.execute("tbreak main")
            g.execute("continue")
            g.execute("monitor break ring_put")
            for _ in range(20):
                if "by command" in (text := g.execute("next")):
                    break
            self.assertIn("at a breakpoint by command", text)
            self.assertIn("Program received signal", text)
            self.assertIn("ring_put", g.execute("x/i $pc"))


if __name__ == "__main__":
    end_to_end.main()
