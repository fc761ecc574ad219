#!/usr/bin/env python3
"""`monitor json line` on the demo guest: where gdb's own reverse-next, reverse-finish and
reverse-stepi end, in a round trip or two."""

import json
import unittest

import end_to_end
import gdb_session
import programs

HISTORY = 5000000
# Functions that call, loop, switch and are called back.
PLACES = ("sensors_sample", "ring_put", "ring_get", "sched_run", "uart_text", "uart_number",
          "uart_fixed", "timer_start", "timer_interrupt", "adc_read", "sensors_init", "sensors_peak",
          "sensors_filter", "report", "put", "image_check", "noise", "uart_init", "main")
REQUEST = r'''python
import json
def line_request(mode):
    frame = gdb.newest_frame()
    block = frame.block()
    while not block.superblock.is_static: # out of what is inlined
        block = block.superblock
    pc = frame.pc()
    table = sorted(frame.find_sal().symtab.linetable(), key=lambda e: e.pc)
    inside = [e for e in table if block.start <= e.pc < block.end]
    ends = sorted({e.pc for e in table} | {block.end})
    line = frame.find_sal().line
    ranges = [[e.pc, next(p for p in ends if p > e.pc)] for e in inside if e.line == line]
    request = dict(mode=mode, hart=0, low=block.start, high=block.end, ranges=ranges,
                   sp=int(gdb.parse_and_eval("(unsigned long)$sp")),
                   entry=block.entry_pc if hasattr(block, "entry_pc") else block.start)
    if CFA:
        request["cfa"] = int(gdb.execute("info frame", False, True).split("frame at ")[1]
                             .split(":")[0], 16)
    return gdb.execute("monitor json line " + json.dumps(request), False, True)
CFA = True
end
'''


class LineTest(unittest.TestCase):
    def setUp(self):
        elf = end_to_end.guest("demo")
        self.program = programs.start_backstep(
            ["-kernel", elf, "-serial", "null", "--stop-at", str(HISTORY)])
        self.addCleanup(self.program.stop)
        self.gdb = gdb_session.GdbSession(
            elf, self.program.address[5:], setup=[f"directory {end_to_end.source_folder()}"])
        self.addCleanup(self.gdb.close)
        self.gdb.execute("continue")
        for line in REQUEST.splitlines():
            self.gdb.process.stdin.write(line.encode() + b"\n")
        self.gdb.execute("")

    def ask(self, mode):
        text = self.gdb.execute(f"python print(line_request({mode!r}))")
        self.assertTrue(text.startswith("{"), text)
        answer = json.loads(text.splitlines()[0])
        self.assertNotIn("error", answer)
        self.gdb.refresh()
        self.assertEqual(answer["position"], self.gdb.position())
        self.assertEqual(answer["pc"], self.gdb.value("$pc"))
        return answer

    def place_in(self, function, steps):
        """Some way into the function's last execution but one; False: it has none."""
        g = self.gdb
        g.goto("end")
        g.execute(f"break *{function}")
        found = "Breakpoint" in g.execute("reverse-continue")
        if found:
            g.execute("reverse-continue")
        g.execute("delete")
        g.execute(f"next {steps}")
        return found and f"{function} + " in g.execute("info symbol $pc")

    def test_like_gdb(self):
        g, compared = self.gdb, 0
        for function in PLACES:
            for steps in (1, 2, 4):
                if not self.place_in(function, steps):
                    continue
                here = g.position()
                text = g.execute("reverse-next")
                if "No more reverse" in text:
                    continue
                # Where a line's code is in several pieces gdb stops at the beginning of any.
                self.ask("start")
                expected = g.place()
                g.goto(here)
                g.execute(f"python CFA = {steps != 2}")
                self.assertEqual(self.ask("over")["reason"], "done")
                self.ask("start")
                # A function's first line has no beginning of its own to gdb: on to the call.
                if g.value("$pc") == g.value(f"(long){function}"):
                    self.ask("leave")
                    self.ask("start")
                self.assertEqual(g.place(), expected, f"{function}, {steps}: {text}")
                compared += 1
        self.assertGreater(compared, 15)

    def test_finish(self):
        g, compared = self.gdb, 0
        for function in PLACES:
            if function == "main" or not self.place_in(function, 2):
                continue
            here = g.position()
            text = g.execute("reverse-finish")
            expected = g.place()
            g.goto(here)
            self.ask("finish")
            self.assertEqual(g.place(), expected, f"{function}: {text}")
            compared += 1
        self.assertGreater(compared, 4)

    def test_leave(self):
        g = self.gdb
        self.assertTrue(self.place_in("sensors_sample", 2))
        start = self.ask("start")["position"]
        g.execute("stepi 2")
        self.ask("leave")
        self.assertEqual(g.position(), start - 1)
        g.execute("stepi")
        self.assertEqual(g.position(), start)

    def test_stops_at_breakpoints(self):
        g = self.gdb
        self.assertTrue(self.place_in("sensors_sample", 4))
        here = g.position()
        self.ask("over")
        self.ask("start")
        first = g.position()
        g.goto(here)
        g.execute("break *adc_read")
        text = g.execute("reverse-continue")
        self.assertIn("Breakpoint", text)
        hit = g.position()
        g.goto(here)
        if hit > first:
            self.assertEqual(self.ask("over")["reason"], "breakpoint")
            self.assertEqual(g.position(), hit)
        g.execute("delete")

    def test_refused(self):
        g = self.gdb
        for request in ('{}', '{"mode":"back","low":1,"high":2}', '{"mode":"start","low":2,"high":2}',
                        '{"mode":"start","low":0,"high":4}', '{"mode":"start","low":0,"high":4,"ranges":3}',
                        '{"mode":"start","low":0,"high":4,"ranges":[[1]]}',
                        '{"mode":"start","low":0,"high":4,"hart":9}'):
            position = g.position()
            self.assertIn("error", json.loads(g.execute(f"monitor json line {request}")), request)
            self.assertEqual(g.position(), position)
        self.assertIn("none of start", g.execute("monitor reverse-line back 1 2"))
        self.assertIn("needs the pcs", g.execute("monitor reverse-line start 1"))
        self.assertIn("not in the function", g.execute("monitor reverse-line start 2 4"))

    def test_for_people(self):
        g = self.gdb
        self.assertTrue(self.place_in("sensors_sample", 2))
        here = g.position()
        low, high, position = g.value("(long)sensors_sample"), g.value("(long)$pc") + 2, None
        g.execute(f"monitor reverse-line leave sensors_sample {high:#x} sensors_sample {high:#x}")
        g.refresh()
        call = g.value("$pc")
        self.assertLess(g.position(), here)
        self.assertIn("sensors_sample", g.execute("stepi") + g.execute("frame"), position)
        self.assertEqual(g.value("$pc"), low)
        self.assertNotEqual(call, low)

    def test_step_over_interrupts(self):
        g = self.gdb
        self.assertIn("go into", g.execute("monitor step-over-interrupts"))
        self.assertIn("takes on or off", g.execute("monitor step-over-interrupts maybe"))
        self.assertIn("pass over", g.execute("monitor step-over-interrupts on"))
        self.assertIn("pass over", g.execute("monitor info machine"))
        self.assertEqual(json.loads(g.execute("monitor json step-over-interrupts")), {"on": True})
        # At the trap's entry the step before is the interrupt's: from behind the handler, back.
        g.goto("end")
        g.execute("break *trap_entry")
        self.assertIn("Breakpoint", g.execute("reverse-continue"))
        g.execute("delete")
        entry = g.position() - 1
        interrupted = g.value("$mepc")
        g.goto(entry)
        self.assertEqual(g.value("$pc"), interrupted)
        g.execute("stepi")
        behind = g.position()
        self.assertGreater(behind, entry + 50)
        g.execute("reverse-stepi")
        self.assertEqual((g.value("$pc"), g.position()), (interrupted, behind - 1))
        g.execute("reverse-stepi")
        self.assertLess(g.position(), entry)
        g.execute("monitor step-over-interrupts off")
        g.goto(entry)
        g.execute("stepi")
        self.assertEqual(g.position(), entry + 1)


if __name__ == "__main__":
    end_to_end.need(gdb_session.GDB)
    end_to_end.guest("demo")
    end_to_end.main()
