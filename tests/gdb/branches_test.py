#!/usr/bin/env python3
"""What-if with gdb-multiarch: inferior calls in the past leave no trace, changes in the past are another future,
which is kept, left, reversed, and found again in a recording."""

import os
import random
import subprocess
import tempfile
import unittest

import both_directions
import demo_guest_test
import end_to_end
import gdb_session
import programs

HISTORY = demo_guest_test.HISTORY


class Calls(both_directions.GdbTest):
    def check_nothing_left(self, g, noted, place):
        """The next resume is in the history as it was."""
        g.execute("stepi")
        self.assertIn("* main", g.execute("monitor branches"))
        self.assertEqual(len(g.execute("monitor branches").strip().splitlines()), 1)
        g.execute("reverse-stepi")
        self.assertEqual(g.place(), place)
        self.check_same(g, noted, "behind a call")

    def test_calls_in_the_past(self):
        with demo_guest_test.Demo(HISTORY) as g:
            picks = random.Random(1)
            for position in sorted(picks.sample(range(200_000, HISTORY), 6)):
                g.goto(position)
                noted, place = g.registers(), g.place()
                memory = g.execute("x/64gx $sp - 256")
                self.assertEqual(g.value("sensors_value(ADC_PRESSURE)"), g.value("sensors_value(ADC_PRESSURE)"))
                self.assertIn("diversion", g.execute("monitor when"))
                first = g.execute("print adc_read(ADC_PRESSURE, 7)")
                self.assertRegex(first, r"^\$\d+ = 101\d\d")
                self.check_nothing_left(g, noted, place)
                self.assertEqual(g.execute("x/64gx $sp - 256"), memory)
                # It reads and makes noise: from the same state it gives the same.
                self.assertEqual(g.execute("print adc_read(ADC_PRESSURE, 7)").split("= ")[1], first.split("= ")[1])
                g.execute("reverse-stepi")
                self.assertEqual(g.position(), position - 1)
                self.assertIn("* main", g.execute("monitor branches"))

    def test_going_elsewhere_after_a_call(self):
        """A position is one of the history the call was made in."""
        with demo_guest_test.Demo(HISTORY) as g:
            g.goto(1_000_000)
            self.assertRegex(g.execute("print adc_read(ADC_PRESSURE, 7)"), r"^\$\d+ = 101\d\d")
            g.goto(3_000_000)
            self.assertEqual(g.position(), 3_000_000)
            self.assertIn("* main", g.execute("monitor branches"))
            g.goto(1_000_000)
            self.assertRegex(g.execute("print adc_read(ADC_PRESSURE, 7)"), r"^\$\d+ = 101\d\d")
            self.assertNotIn("gone", g.execute("monitor switch main"))
            g.refresh()
            self.assertEqual(g.position(), 1_000_000)
            self.assertEqual(len(g.execute("monitor branches").strip().splitlines()), 1)

    def test_a_call_that_stops_on_the_way(self):
        """The breakpoint's stop is in the diversion; `finish` ends the call."""
        with demo_guest_test.Demo(HISTORY) as g:
            g.goto(2_000_000)
            noted, place = g.registers(), g.place()
            g.execute("set unwindonsignal off")
            g.execute("break adc_read")
            self.assertIn("stopped while in a function called from GDB", g.execute("print adc_read(ADC_PRESSURE, 7)"))
            self.assertIn("diversion", g.execute("monitor when"))
            g.execute("delete")
            g.execute("finish")
            self.check_nothing_left(g, noted, place)

    def test_call_at_the_live_end(self):
        """Is an event: part of history."""
        with demo_guest_test.Demo(HISTORY) as g:
            g.execute("continue")
            end = g.position()
            self.assertRegex(g.execute("print adc_read(ADC_PRESSURE, 7)"), r"^\$\d+ = 101\d\d")
            self.assertGreater(g.position(), end)
            self.assertIn("* main", g.execute("monitor branches"))
            noted, place = g.registers(), g.place()
            g.execute("reverse-stepi 3")
            g.execute("stepi 3")
            self.assertEqual(g.place(), place)
            self.check_same(g, noted, "over a call in history")


class Futures(both_directions.GdbTest):
    def state(self, g):
        return g.registers(), g.execute("x/32gx $sp - 128"), g.execute("x/64gx &sensors")

    def at(self, g, position):
        g.goto(position)
        return self.state(g)

    def test_a_change_in_the_past(self):
        with demo_guest_test.Demo(HISTORY) as g:
            picks = random.Random(2)
            places = sorted(picks.sample(range(100_000, HISTORY), 8))
            main = {n: self.at(g, n) for n in places}
            origin = g.goto(places[3]) and g.position()
            g.execute("set var sensors.on_alarm = 0")
            self.assertEqual(g.value("(long)sensors.on_alarm"), 0)
            self.assertIn("in a diversion from main", g.execute("monitor when"))
            g.execute("stepi 1000")
            text = g.execute("stepi 5")
            future = {g.position(): self.state(g)}
            self.assertIn("branch other, from main", g.execute("monitor branch other"))
            for _ in range(5):
                g.execute(f"stepi {picks.randrange(2000, 9000)}")
                future[g.position()] = self.state(g)
            self.assertEqual(g.value("(long)sensors.on_alarm"), 0, text)
            # Back and forth on the branch, its parent's history included.
            for n in picks.sample(sorted(future), 4) + places[:3] + sorted(future)[:2]:
                self.assertEqual(self.at(g, n), future.get(n) or main[n], n)
            self.assertIn("on branch other", g.execute("monitor when"))
            g.goto("end")
            g.execute("reverse-stepi")
            g.execute("watch sensors.on_alarm")
            g.execute("reverse-continue")
            self.assertLess(g.position(), origin, "the write that main made")
            g.execute("delete")
            # main is as it was.
            g.execute("monitor switch main")
            g.refresh()
            for n in places:
                self.assertEqual(self.at(g, n), main[n], n)
            g.execute("monitor switch other")
            g.refresh()
            for n in future:
                self.assertEqual(self.at(g, n), future[n], n)
            self.assertIn("stands on", g.execute("monitor branch -d other"))
            g.execute("monitor switch main")
            self.assertIn("is gone", g.execute("monitor branch -d other"))

    def test_a_diversion_is_left(self):
        with demo_guest_test.Demo(HISTORY) as g:
            g.goto(3_000_000)
            g.execute("set var $a0 = $a0 + 1")
            self.assertIn("this is a diversion from position 3000000", g.execute("stepi 50"))
            self.assertNotIn("diversion", g.execute("stepi"), "said once")
            self.assertIn("the diversion from position 3000000 is left", g.execute("reverse-continue"))
            self.assertIn("* main", g.execute("monitor branches"))
            g.execute("continue")
            self.assertEqual(g.position(), HISTORY)

    def test_a_pc_of_ones_own(self):
        """`jump` in the past."""
        with demo_guest_test.Demo(HISTORY) as g:
            g.goto(3_000_000)
            g.execute("tbreak board_power_off")
            self.assertIn("board_power_off", g.execute("jump board_power_off"))
            self.assertIn("diversion", g.execute("monitor when"))
            g.execute("monitor switch main")
            g.refresh()
            self.assertEqual(g.position(), 3_000_000)

    def test_in_a_recording(self):
        """Branches are in the file, and live on there."""
        with tempfile.TemporaryDirectory(prefix="gdbtest-") as folder:
            path = os.path.join(folder, "run.bsr")
            program = programs.start_backstep(["-kernel", end_to_end.guest("demo"), "-serial", "null", "-o", path,
                                               "--stop-at", str(HISTORY)])
            with program, gdb_session.GdbSession(end_to_end.guest("demo"), program.address[5:]) as g:
                g.execute("continue")
                g.goto(2_000_000)
                g.execute("set var sensors.on_alarm = 0")
                g.execute("stepi 30000")
                g.execute("monitor branch kept")
                noted, here = self.state(g), g.position()
                g.goto(2_500_000 if here > 2_500_000 else here - 77)
                inside, there = self.state(g), g.position()
                g.execute("monitor save " + path + ".saved")
                self.assertEqual(g.position(), there)
                self.assertEqual(self.state(g), inside)
            for name in (path, path + ".saved"):
                with self.subTest(name=name):
                    program = programs.start_backstep([name], command="replay")
                    with program, gdb_session.GdbSession(end_to_end.guest("demo"), program.address[5:]) as g:
                        self.assertEqual(g.position(), HISTORY)
                        text = g.execute("monitor switch kept")
                        g.refresh()
                        self.assertEqual(g.position(), there, text + program.stderr_text())
                        self.assertEqual(self.state(g), inside)
                        self.assertEqual(self.at(g, "end"), noted)
                        g.execute("stepi 20")
                        self.assertEqual(g.position(), here + 20)
                done = subprocess.run([programs.backstep_path(), "verify", name], capture_output=True, text=True,
                                      timeout=end_to_end.GUARD, check=False)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    end_to_end.main()
