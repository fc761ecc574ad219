#!/usr/bin/env python3
"""Questions about history through gdb's `monitor`: the answers are those of single stepping, live
and from a recording, at any checkpoint spacing, and asking changes nothing."""

import json
import os
import re
import tempfile
import unittest

import both_directions
import end_to_end
import gdb_session
import programs

HISTORY = 400000
STEPS = 250
SPACINGS = [[], ["--checkpoint-ms", "1"], ["--checkpoint-steps", "5000"], ["--checkpoint-ms", "60000"]]


class Session:
    """gdb at the end of a history, of a live machine or of a recording of it."""

    def __init__(self, options=(), recorded=False):
        elf = end_to_end.guest("demo")
        self.folder = tempfile.TemporaryDirectory(prefix="queries-")
        path = os.path.join(self.folder.name, "run.bsr")
        run = ["-kernel", elf, "-serial", "null", "--stop-at", str(HISTORY), *options]
        self.program = programs.start_backstep(run + (["-o", path] if recorded else []))
        self.gdb = gdb_session.GdbSession(elf, self.program.address[5:])
        self.gdb.execute("continue")
        if recorded:
            self.gdb.execute("monitor json bookmark {\"name\": \"kept\"}")
            self.gdb.execute("monitor save " + path + ".2")
            self.gdb.close()
            self.program.stop()
            self.program = programs.start_backstep([path + ".2"], "replay")
            self.gdb = gdb_session.GdbSession(elf, self.program.address[5:])

    def __enter__(self):
        return self.gdb

    def __exit__(self, *unused):
        self.gdb.close()
        self.program.stop()
        self.folder.cleanup()


def ask(g, name, **arguments):
    text = g.execute(f"monitor json {name} {json.dumps(arguments)}").strip()
    assert "\n" not in text, text
    answer = json.loads(text)
    assert "error" not in answer, text
    return answer


def number(value):
    return int(value, 0) if isinstance(value, str) else value


def memory(hexadecimal):
    return int.from_bytes(bytes.fromhex(hexadecimal), "little")


class Queries(both_directions.GdbTest):
    def walk(self, g, start, expression):
        """pc, position, a 64-bit word and the trap vector's presence, step by step from there."""
        g.goto(start)
        places = [g.values("$pc", "$icount", expression)]
        for _ in range(STEPS):
            g.execute("stepi")
            places.append(g.values("$pc", "$icount", expression))
        self.assertEqual([p[1] for p in places], list(range(start, start + STEPS + 1)))
        return places

    def check_writes(self, g, places, address, expression):
        """Each step that changes the word is among the writes, and each write fits the values."""
        start, end = places[0][1], places[-1][1]
        hits = ask(g, "writes", address=address, length=8, most=1000, **{"from": start, "to": end})
        self.assertTrue(hits["complete"])
        by_position = {h["position"]: h for h in hits["hits"]}
        self.assertEqual(hits["count"], len(hits["hits"]))
        changes = 0
        for before, after in zip(places, places[1:]):
            hit = by_position.get(before[1])
            if before[2] != after[2]:
                changes += 1
                self.assertIsNotNone(hit, (expression, before, after))
            if hit:
                self.assertEqual(number(hit["pc"]), before[0])
                shift = 8 * (hit["address"] - address)
                mask = (1 << 8 * hit["size"]) - 1
                if shift >= 0 and shift + 8 * hit["size"] <= 64:
                    self.assertEqual(before[2] >> shift & mask, memory(hit["before"]))
                    self.assertEqual(after[2] >> shift & mask, memory(hit["after"]))
        return changes

    def check_session(self, g):
        address = g.value("(unsigned long)&sensors.ring.head")
        expression = f"*(unsigned long *){address:#x}"
        function = g.value("(unsigned long)&ring_put")
        noted = g.registers()
        here = g.position()
        calls = ask(g, "calls", address="ring_put", most=1000)
        self.assertTrue(calls["complete"])
        self.assertGreater(calls["count"], 2)
        self.check_same(g, noted, "asking changes nothing")
        first = calls["hits"][1]["position"]
        places = self.walk(g, first - 40, expression)
        self.assertGreater(self.check_writes(g, places, address, expression), 0)
        entered = [p[1] for p in places[:-1] if p[0] == function]
        found = ask(g, "calls", address=function, **{"from": places[0][1], "to": places[-1][1]})
        self.assertEqual([h["position"] for h in found["hits"]], entered[::-1])
        self.assertEqual(entered[:1], [first])
        # The last write before here is where a watchpoint in reverse stops.
        g.goto(here)
        hit = ask(g, "last-write", address=address, length=4)["hit"]
        self.assertEqual(g.position(), here)
        g.execute(f"watch *(unsigned *){address:#x}")
        g.execute("reverse-continue")
        self.assertIn(g.position(), (hit["position"], hit["position"] + 1))
        g.execute("delete")
        g.goto(hit["position"])
        self.assertEqual(g.value("$pc"), number(hit["pc"]))
        self.assertEqual(g.value(f"*(unsigned *){address:#x}"), memory(hit["before"]))
        g.execute("stepi")
        self.assertEqual(g.value(f"*(unsigned *){address:#x}"), memory(hit["after"]))

    def check_call_arguments(self, g):
        hit = ask(g, "calls", address="ring_put", most=1)["hits"][0]
        g.goto(hit["position"])
        registers = g.values("$pc", "$ra", "$sp", *(f"$a{n}" for n in range(8)))
        self.assertEqual(registers, [number(v) for v in (hit["pc"], hit["ra"], hit["sp"], *hit["args"])])

    def check_traps(self, g):
        traps = ask(g, "traps", most=3)
        vector = g.value("$mtvec")
        self.assertEqual(len(traps["hits"]), 3)
        for hit in traps["hits"]:
            g.goto(hit["position"])
            self.assertEqual(g.value("$pc"), number(hit["pc"]))
            g.execute("stepi")
            self.assertEqual(g.values("$pc", "$mcause", "$mepc"),
                             [vector, hit["cause"] | hit["interrupt"] << 63, number(hit["pc"])])

    def test_like_single_stepping(self):
        for options in SPACINGS:
            with self.subTest(options=options), Session(options) as g:
                self.check_session(g)
                self.check_call_arguments(g)
                self.check_traps(g)

    def test_from_a_recording(self):
        with Session(SPACINGS[2], True) as g:
            self.check_session(g)
            self.check_call_arguments(g)
            self.check_traps(g)
            self.assertIn("kept", g.execute("monitor timeline"))

    def test_physical(self):
        with Session() as g:
            address = g.value("(unsigned long)&sensors.ring.head")
            virtual = ask(g, "last-write", address=address, length=4)["hit"]
            physical = ask(g, "last-write", address=address, length=4, physical=True)["hit"]
            self.assertEqual(physical.pop("writer"), "hart")
            self.assertEqual(physical, virtual)

    def test_reads(self):
        with Session() as g:
            address = g.value("(unsigned long)&sensors.ring.head")
            hit = ask(g, "last-read", address=address, length=4)["hit"]
            here = g.position()
            g.execute(f"rwatch *(unsigned *){address:#x}")
            g.execute("reverse-continue")
            self.assertIn(g.position(), (hit["position"], hit["position"] + 1))
            g.execute("delete")
            g.goto(here)

    def test_diff(self):
        with Session() as g:
            a, b = 150000, 151000
            g.goto(a)
            first = dict(zip(("pc", "sp", "a0"), g.values("$pc", "$sp", "$a0")))
            g.goto(b)
            second = dict(zip(("pc", "sp", "a0"), g.values("$pc", "$sp", "$a0")))
            g.goto(200000)
            noted = g.registers()
            answer = ask(g, "diff", a=a, b=b)
            self.check_same(g, noted, "diff changes nothing")
            registers = {r["name"]: (number(r["a"]), number(r["b"])) for r in answer["registers"]}
            for name in first:
                self.assertEqual(registers.get(name, (first[name],) * 2), (first[name], second[name]))
            self.assertFalse(answer["truncated"])
            for r in answer["memory"]:
                if r["size"] <= 8 and "device" not in r:
                    for place, side in ((a, "a"), (b, "b")):
                        read = [g.goto(place), ask(g, "read-memory", address=r["address"],
                                                   length=r["size"], physical=True)][1]
                        self.assertEqual(read["bytes"], r[side])

    def test_texts(self):
        with Session() as g:
            self.assertRegex(g.execute("monitor last-write sensors"),
                             r"^ +[\d,]+  hart 0 at 0x\w+ <\w+\+0x\w+>  wrote \d bytes? at 0x\w+: 0x\w+ -> 0x\w+$")
            self.assertRegex(g.execute("monitor calls ring_put 1"),
                             r"^ +[\d,]+  hart 0  \(0x\w+, .*\)  from 0x\w+ <sensors_sample\+0x\w+>")
            self.assertIn("machine timer interrupt (7)", g.execute("monitor traps 1"))
            self.assertIn("sensor board", g.execute("monitor console-at end"))
            position = g.value("$icount")
            picture = g.execute("monitor timeline 80")
            for line in picture.splitlines():
                self.assertLessEqual(len(line), 80)
            for row in ("position", "^ here", "checkpoints", "traps", "console"):
                self.assertRegex(picture, rf"(?m)^{re.escape(row)}")
            self.assertNotIn("hits", picture)
            self.assertEqual(g.value("$icount"), position)
            calls = ask(g, "calls", address="ring_put")["count"]
            g.execute(f"monitor break {g.value('(unsigned long)&ring_put'):#x}")
            self.assertRegex(g.execute("monitor timeline"), r"(?m)^hits  ")
            self.assertEqual(ask(g, "timeline")["hits"]["count"], calls)

    def test_reported_hits_stay_reported(self):
        """A question between two stops at a watchpoint does not bring the first one again."""
        with Session() as g:
            g.goto("start")
            g.execute("watch sensors.ring.head")
            stops = []
            for _ in range(3):
                g.execute("continue")
                stops.append(g.position())
                ask(g, "traps", most=2)
                g.execute("monitor timeline")
            self.assertEqual(len(set(stops)), 3)
            g.execute("delete")  # with the values that gdb knows
            g.goto("start")
            g.execute("watch sensors.ring.head")
            again = []
            for _ in range(3):
                g.execute("continue")
                again.append(g.position())
            self.assertEqual(stops, again)


if __name__ == "__main__":
    end_to_end.main()
