#!/usr/bin/env python3
"""gdb-multiarch on the demo guest, which has source lines: every command and its reverse."""

import pathlib
import re

import both_directions
import end_to_end
import gdb_session
import programs

CULPRIT = "ring->slot[head + i] ="
CAUSE_TIMER = 1 << 63 | 7
ALARM = "(unsigned long)sensors.on_alarm"
HISTORY = 5000000  # steps: about 75 ticks of the guest's timer


def line_of(path, text):
    """file:line of the one line that holds the text."""
    lines = pathlib.Path(end_to_end.source_folder(), path).read_text(encoding="utf-8").splitlines()
    found = [n + 1 for n, line in enumerate(lines) if text in line]
    assert len(found) == 1, (path, text, found)
    return f"{path}:{found[0]}"


class Demo:
    """The guest at reset, and gdb connected to it. history: as many steps lie ahead, recorded."""

    def __init__(self, history=0):
        elf = end_to_end.guest("demo")
        self.program = programs.start_backstep(["-kernel", elf, "-serial", "null", "--stop-at",
                                                str(history)] if history else
                                               ["-kernel", elf, "-serial", "null"])
        try:
            self.gdb = gdb_session.GdbSession(
                elf, self.program.address[5:],
                setup=[f"directory {end_to_end.source_folder()}"])
            if history:
                self.gdb.execute("continue")
                self.gdb.goto("start")
        except BaseException:
            self.program.stop()
            raise

    def __enter__(self):
        return self.gdb

    def __exit__(self, *unused):
        self.gdb.close()
        self.program.stop()


class Lines(both_directions.GdbTest):
    def at_main(self, g):
        g.execute("tbreak main")
        self.assertIn("main () at guests/demo/main.c", g.execute("continue"))

    def line(self, g):
        text = g.execute("info line *$pc")
        return re.search(r'Line (\d+) of "([^"]+)"', text).group(2, 1)

    def test_next(self):
        with Demo(HISTORY) as g:
            self.at_main(g)
            for line in ("uart_init();", "uart_text(", "sensors_init(", "timer_start("):
                self.assertIn(line, g.execute("next"))
            first = line_of("guests/demo/main.c", "    uart_init();")
            g.execute("reverse-next 3")
            self.assertEqual(":".join(self.line(g)), first)
            self.check_undone(g, "next", "reverse-next", 3)
            self.check_undone(g, "next 3", "reverse-next 3")
            self.check_undone(g, "nexti", "reverse-nexti", 6)

    def test_step(self):
        with Demo(HISTORY) as g:
            self.at_main(g)
            g.execute("next")
            call = g.registers()
            self.assertIn("uart_init () at", g.execute("step"))
            # A function's first line has no beginning of its own on the way back: gdb goes on to
            # the call.
            g.execute("step")
            self.check_undone(g, "step", "reverse-step")
            self.assertIn("main () at", g.execute("reverse-step"))
            self.check_same(g, call, "reverse-step out of the callee")
            g.execute("next")
            # Backwards into a callee: its last line.
            self.assertIn("uart_init () at", g.execute("reverse-step"))
            self.assertIn("main () at", g.execute("reverse-finish"))
            self.check_undone(g, "stepi", "reverse-stepi", 12)

    def test_step_with_exec_direction(self):
        with Demo(HISTORY) as g:
            self.at_main(g)
            g.execute("next")
            noted = g.registers()
            for forward in ("next", "nexti", "stepi", "next 2", "step"):
                g.execute(forward)
                g.execute("set exec-direction reverse")
                g.execute(forward)
                g.execute("set exec-direction forward")
                self.check_same(g, noted, f"{forward} in exec-direction reverse")

    def check_finish(self, g, function, caller, value):
        g.execute(f"tbreak *{function}")
        g.execute("continue")
        entry, returns = g.registers(), g.value("$ra")
        g.execute("stepi 2")
        self.assertEqual("Value returned is" in g.execute("finish"), value)
        self.assertEqual(g.value("$pc"), returns)
        after = g.registers()
        g.execute("reverse-stepi")  # onto ret
        text = g.execute("reverse-finish")
        call = g.value("$pc")
        self.assertIn(call, (returns - 4, returns - 2), text)
        self.assertIn(caller, g.execute("frame"))
        g.execute("stepi")
        self.check_same(g, entry, "the step after reverse-finish")
        g.execute("stepi 3")
        g.execute("reverse-finish")
        self.assertEqual(g.value("$pc"), call)
        g.execute("stepi")
        g.execute("finish")
        self.check_same(g, after, "finish after reverse-finish")
        g.execute("reverse-stepi")
        g.execute("set exec-direction reverse")
        g.execute("finish")
        g.execute("set exec-direction forward")
        self.assertEqual(g.value("$pc"), call)
        # From the first instruction the call is one step back.
        g.execute("stepi")
        g.execute("reverse-finish")
        self.assertEqual(g.value("$pc"), call)

    def test_finish(self):
        with Demo(HISTORY) as g:
            self.check_finish(g, "uart_init", "main", False)
            self.check_finish(g, "sensors_init", "main", False)
            self.check_finish(g, "adc_read", "sensors_sample", True)

    def test_until_and_advance(self):
        with Demo(HISTORY) as g:
            self.at_main(g)
            g.execute("next")
            noted = g.registers()
            first, last = (line_of("guests/demo/main.c", t).split(":")[1]
                           for t in ("    uart_init();", "    sensors_init("))
            for command in ("until", "advance"):
                text = g.execute(f"{command} {last}")
                self.assertIn("sensors_init(", text)
                there = g.registers()
                g.execute("set exec-direction reverse")
                text = g.execute(f"{command} {first}")
                self.check_same(g, noted, f"{command} in reverse: {text}")
                g.execute("set exec-direction forward")
                g.execute(f"{command} {last}")
                self.check_same(g, there, f"{command} once more")
                g.execute("set exec-direction reverse")
                g.execute(f"{command} {first}")
                g.execute("set exec-direction forward")
            self.assertIn("uart_text(", g.execute("until"))  # as next, but not back in a loop
            g.execute("set exec-direction reverse")
            # gdb's range is the function up to the line: backwards that is out to the call.
            g.execute("until")
            g.execute("set exec-direction forward")
            self.assertIn("_start", g.execute("frame"))
            g.execute("stepi")
            self.assertEqual(g.value("$pc"), g.value("(unsigned long)&main"))
            g.execute("advance sensors_init")
            self.assertIn("sensors_init (", g.execute("frame"))
            g.execute("set exec-direction reverse")
            g.execute("advance uart_init")
            g.execute("set exec-direction forward")
            self.assertIn("uart_init (", g.execute("frame"))


class Points(both_directions.GdbTest):
    def test_breakpoints(self):
        with Demo(HISTORY) as g:
            g.execute("tbreak sched_run")
            g.execute("continue")
            pc = g.value("(unsigned long)&ring_put")
            for insert in ("break *ring_put", "hbreak *ring_put", "break *ring_put if $a2 >= 1"):
                self.check_breakpoint(g, insert, pc)

    def test_condition(self):
        with Demo() as g:
            g.execute("break sensors_sample if tick == 100")
            self.assertIn("Breakpoint 1", g.execute("continue"))
            self.assertEqual(g.value("tick"), 100)
            noted = g.registers()
            g.execute("tbreak sensors_sample if tick == 160")
            g.execute("continue")
            self.assertEqual(g.value("tick"), 160)
            self.assertIn("Breakpoint 1", g.execute("reverse-continue"))
            self.check_same(g, noted, "a condition on the way back")
            self.assertIn(both_directions.NO_HISTORY, g.execute("reverse-continue"))
            self.assertEqual(g.position(), 0)

    def test_watchpoints(self):
        with Demo(HISTORY) as g:
            g.execute("break sensors_sample if tick == 20")
            g.execute("continue")
            g.execute("delete")
            for insert in ("watch", "rwatch", "awatch"):
                self.check_watchpoint(g, f"{insert} -l sensors.ring.head", "sensors.ring.head")

    def test_watch_with_a_condition(self):
        with Demo() as g:
            g.execute("watch -l sensors.ring.head if sensors.ring.head == 40")
            text = g.execute("continue")
            self.assertIn("New value = 40", text)
            position = g.position()
            g.execute("delete")
            g.execute("tbreak sensors_limits")
            g.execute("continue")
            g.execute("watch -l sensors.ring.head if sensors.ring.head == 39 ||"
                      " sensors.ring.head == 38")
            g.execute("reverse-continue")
            self.assertEqual(g.position(), position - 1)

    def test_the_culprit(self):
        with Demo() as g:
            text = g.execute("continue")
            self.assertRegex(text, r"backstep: the guest ended the run with code 1 at position")
            self.assertIn("SIGTRAP", text)
            crash = g.registers()
            tip = g.position()
            g.execute("break panic")
            self.assertIn("Breakpoint 1, panic (", g.execute("reverse-continue"))
            handler = g.value("(unsigned long)&fan_full_speed")
            self.assertNotEqual(g.value(ALARM), handler)
            wrong = g.value(ALARM)
            self.assertEqual(g.value("frame->mepc"), wrong & ~1)
            g.execute("delete")
            g.execute("watch -l sensors.on_alarm")
            text = g.execute("reverse-continue")
            self.assertIn("ardware watchpoint", text)
            self.assertIn(CULPRIT, text)
            self.assertIn("ring_put (", text)
            self.assertIn(line_of("guests/demo/ring.c", CULPRIT), text)
            self.assertEqual(g.value(ALARM), handler)
            self.assertEqual(g.value("head + i"), 64)
            g.execute("delete")
            place = g.place()
            g.execute("stepi")
            self.assertEqual(g.value(ALARM), wrong)
            g.execute("reverse-stepi")
            self.assertEqual((g.place(), g.value(ALARM)), (place, handler))
            self.assertIn("sensors_sample (", g.execute("reverse-finish"))
            self.assertIn(both_directions.NO_HISTORY, g.execute("continue"))
            self.assertEqual(g.position(), tip)
            self.check_same(g, crash, "the end of history")
            text = g.execute("continue")  # a machine that is off stays so
            self.assertIn("ended the run", text)
            self.check_same(g, crash, "a machine that is off")


class Traps(both_directions.GdbTest):
    def test_timer_interrupt(self):
        with Demo(HISTORY) as g:
            g.execute("break sensors_sample if tick == 50")
            g.execute("continue")
            g.execute("delete")
            vector = g.value("$mtvec")
            self.assertEqual(vector, g.value("(unsigned long)&trap_entry"))
            backtrace = g.execute("backtrace")
            self.assertIn("<signal handler called>", backtrace)
            self.assertIn("main () at", backtrace)
            g.execute("break *trap_entry")
            self.assertIn("Breakpoint", g.execute("reverse-continue"))
            g.execute("delete")
            self.assertEqual(g.values("$pc", "$mcause"), [vector, CAUSE_TIMER])
            entry, interrupted = g.registers(), g.value("$mepc")
            pcs = [g.value("$pc")]
            for _ in range(3):
                g.execute("stepi")
                pcs.append(g.value("$pc"))
            for pc in reversed(pcs[:-1]):
                g.execute("reverse-stepi")
                self.assertEqual(g.value("$pc"), pc)
            self.check_same(g, entry, "the trap vector")
            g.execute("reverse-stepi")
            self.assertEqual(g.value("$pc"), interrupted)
            self.assertEqual(g.position(), int(re.search(r"icount\s+0x(\w+)", entry)[1], 16) - 1)
            g.execute("stepi")
            self.check_same(g, entry, "the interrupt once more")
            # Over the end of the handler.
            g.execute(f"tbreak *{interrupted:#x}")
            g.execute("continue")
            after = g.registers()
            g.execute("reverse-stepi")
            self.assertEqual(g.instruction(g.value("$pc")), 0x30200073)  # mret
            g.execute("stepi")
            self.check_same(g, after, "mret once more")

    def test_the_faulting_call(self):
        """A fetch that faults is a step too: back from the trap is the bad pc."""
        with Demo() as g:
            g.execute("continue")
            g.execute("break panic")
            g.execute("reverse-continue")
            cause, target = g.values("$mcause", "$mepc")
            g.execute("delete")
            g.execute("break *trap_entry")
            g.execute("reverse-continue")
            entry = g.registers()
            g.execute("delete")
            g.execute("reverse-stepi")
            if cause in (0, 1, 2):
                self.assertEqual(g.value("$pc"), target)
            g.execute("stepi")
            self.check_same(g, entry, "the trap once more")
            g.execute("reverse-stepi 2")
            self.assertIn("sensors_limits", g.execute("frame"))


class Calls(both_directions.GdbTest):
    def general(self, g):
        """Integer registers and pc; time has passed in a call."""
        return re.sub(r"(?m)^icount.*\n?", "", g.execute("info registers"))

    def test_inferior_call_at_the_live_end(self):
        with Demo() as g:
            g.execute("break sensors_sample if tick == 50")
            g.execute("continue")
            g.execute("delete")
            value = g.value("sensors.channel[0].filtered >> 8")
            noted = self.general(g)
            self.assertRegex(g.execute("print sensors_value(ADC_TEMPERATURE)"),
                             rf"^\$\d+ = {value}$")
            self.assertEqual(self.general(g), noted)
            tip = g.position()
            # What it did is part of history.
            g.execute("stepi 10")
            g.execute("reverse-stepi 10")
            self.assertEqual(g.position(), tip)
            self.assertEqual(self.general(g), noted)
            g.execute("monitor goto start")
            g.refresh()
            text = g.execute("continue")
            self.assertIn(both_directions.NO_HISTORY, text)
            self.assertNotIn("differs", text)

    def test_what_is_changed_in_the_past(self):
        """Calls leave no trace; what is written there is another future (more in branches_test.py)."""
        with Demo() as g:
            g.execute("break sensors_sample if tick == 50")
            g.execute("continue")
            g.execute("delete")
            g.execute("reverse-stepi 5")
            noted = g.registers()
            position = g.position()
            text = g.execute("print sensors_value(ADC_TEMPERATURE)")
            self.assertRegex(text, r"^\$\d+ =")
            g.execute("stepi 5")
            g.execute("reverse-stepi 5")
            self.check_same(g, noted, "history is whole")
            self.assertEqual(g.position(), position)
            g.execute("set var sensors.peak = 5")
            self.assertEqual(g.value("sensors.peak"), 5)
            g.execute("stepi 5")
            g.execute("monitor switch main")
            g.refresh()
            self.check_same(g, noted, "history is whole")
            self.assertEqual(g.position(), position)


class Connections(both_directions.GdbTest):
    def test_a_pipe(self):
        """gdb starts the program itself and talks to its standard streams."""
        elf = end_to_end.guest("demo")
        program = f"exec {programs.backstep_path()} run -kernel {elf} -gdb stdio -S"
        with gdb_session.GdbSession(elf, f"| {program}") as g:
            self.assertIn("Remote debugging using |", g.connected)
            g.execute("tbreak main")
            self.assertIn("main () at", g.execute("continue"))
            self.check_undone(g, "stepi", "reverse-stepi", 3)

    def test_starting_the_program_is_going_to_a_position(self):
        with Demo(HISTORY) as g:
            path = re.search(r"using (\S+)", g.connected)[1]
            g.goto(HISTORY // 2)
            noted = g.registers()
            g.execute("detach")
            g.execute(f"target extended-remote {path}")
            g.execute("starti 1000")
            self.assertEqual(g.position(), 1000)
            g.execute(f"starti {HISTORY // 2}")
            self.check_same(g, noted, "starti")
            g.execute("kill")
            self.assertIn("No threads", g.execute("info threads"))
            g.execute(f"starti {HISTORY // 2}")
            self.check_same(g, noted, "starti after kill")
            self.assertIn(both_directions.NO_HISTORY, g.execute("continue"))
            self.assertEqual(g.position(), HISTORY)


if __name__ == "__main__":
    end_to_end.need(gdb_session.GDB)
    end_to_end.guest("demo")
    end_to_end.main()
