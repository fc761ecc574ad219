#!/usr/bin/env python3
"""Several harts: vCont per hart, bs and bc, breakpoints that others hit on the way, against the
schedule of a straight run."""

import os
import pathlib
import random
import re
import struct
import tempfile
import unittest

import end_to_end
import programs
import rsp_client

PC = 32
STEPS = 1500
PARAMS = 16  # bytes into the image: rounds, timer period, resets, harts


def guest(folder, harts):
    """harts.elf for so many harts, in a file of its own."""
    path = pathlib.Path(os.environ.get("BACKSTEP_BUILD", ""), "guests/timeline/harts.elf")
    if not path.exists():
        programs.skip(f"no guest at {path}")
    elf = bytearray(path.read_bytes())
    offset, size, count = (struct.unpack_from("<Q", elf, 32)[0], *struct.unpack_from("<HH", elf, 54))
    headers = [struct.unpack_from("<IIQQQQ", elf, offset + i * size) for i in range(count)]
    load = next(h for h in headers if h[0] == 1)
    struct.pack_into("<4Q", elf, load[2] + PARAMS, 40, 25, 0, harts)
    out = pathlib.Path(folder, "harts.elf")
    out.write_bytes(elf)
    return str(out)


class Machine:
    def __init__(self, test, harts):
        folder = tempfile.TemporaryDirectory()
        test.addCleanup(folder.cleanup)
        self.program = programs.start_backstep(
            ["-bios", "none", "-kernel", guest(folder.name, harts), "-smp", str(harts), "-icount",
             "shift=3,sleep=off", "-serial", "null"])
        test.addCleanup(self.program.stop)
        self.client = c = self.program.connect()
        test.addCleanup(c.close)
        self.harts = harts
        self.icount = c.read_register_info()["icount"].number

    def monitor(self, line):
        return self.client.monitor(line)

    def position(self):
        return self.client.read_register(self.icount)

    def seek(self, position):
        self.client.write_register(self.icount, position)

    def last_steps(self):
        """Where each hart's latest step began."""
        text = self.monitor("info device machine")
        return [int(n, 0) for n in re.findall(r"last_step\S*\s+[:=]?\s*(\S+)", text)]

    def pc(self, hart):
        self.client.expect_ok(b"Hg%x" % (hart + 1))
        return self.client.read_register(PC)


class Straight:
    """Which hart makes each step of a straight run, and where. hart[n], pc[n]."""

    def __init__(self, test, harts):
        m = Machine(test, harts)
        while m.position() < STEPS:
            m.client.resume(b"vCont;s:1;c")
        self.hart, self.pc = [], []
        m.seek(0)
        pcs = [m.pc(h) for h in range(harts)]
        for n in range(STEPS):
            m.seek(n + 1)
            now = [m.pc(h) for h in range(harts)]
            stepped = [h for h, step in enumerate(m.last_steps()[:harts]) if step == n]
            test.assertEqual(len(stepped), 1, n)
            self.hart.append(stepped[0])
            self.pc.append(pcs[stepped[0]])
            pcs = now
        test.assertGreater(min(self.hart.count(h) for h in range(harts)), 50)

    def next_of(self, hart, n):
        """The position behind the hart's first step from n on; None: there is none."""
        return next((k + 1 for k in range(n, STEPS) if self.hart[k] == hart), None)

    def last_of(self, hart, n):
        return next((k for k in range(n - 1, -1, -1) if self.hart[k] == hart), None)


class HartsTest(unittest.TestCase):
    def check(self, m, stop, position, hart, message):
        self.assertEqual(m.position(), position, f"{message}: {stop}")
        if hart is not None:
            self.assertEqual(int(stop.thread, 16), hart + 1, f"{message}: {stop}")

    def steps(self, harts, seed):
        straight, m, choose = Straight(self, harts), Machine(self, harts), random.Random(seed)
        c = m.client
        while m.position() < STEPS:
            c.resume(b"vCont;s:1;c")
        for _ in range(150):
            hart, here = choose.randrange(harts), choose.randrange(STEPS - 300)
            m.seek(here)
            if choose.random() < 0.5:
                action = choose.choice([b"vCont;s:%x;c", b"vCont;s:%x", b"vCont;r%%x,%%x:%x;c"])
                if b"r" in action:
                    action = b"vCont;r%x,%x:%x;c" % (1, 2, hart + 1)
                else:
                    action = action % (hart + 1)
                stop, expected = c.resume(action), straight.next_of(hart, here)
            else:
                action = b"bs"
                c.expect_ok(b"Hc%x" % (hart + 1))
                stop, expected = c.resume(action), straight.last_of(hart, here)
            if expected is None and action != b"bs":
                self.assertGreater(m.position(), STEPS - 1)
                continue
            if expected is None:
                self.assertEqual((stop.history_end, m.position()), ("begin", 0))
                continue
            self.check(m, stop, expected, hart, f"{action} of hart {hart} from {here}")
        return straight, m

    def points(self, straight, m, seed):
        """A breakpoint that any hart may hit on the way of one's step."""
        choose, c, stopped = random.Random(seed), m.client, 0
        for _ in range(80):
            hart, here = choose.randrange(m.harts), choose.randrange(300, STEPS - 300)
            pc = straight.pc[here + choose.randrange(-30, 30)]
            # Or steps that enter an interrupt's handler from there, which are no hits.
            hits = [n for n in range(STEPS) if straight.pc[n] == pc]
            end = straight.next_of(hart, here)
            if end is None:
                continue
            c.insert_point(0, pc)
            m.seek(here)
            on_way = [n for n in hits if here < n < end]
            stop = c.resume(b"vCont;s:%x;c" % (hart + 1))
            if on_way and m.position() != end:
                self.assertIn(m.position(), on_way)
                self.assertEqual(int(stop.thread, 16) - 1, straight.hart[m.position()])
                stopped += 1
            elif not on_way:
                self.check(m, stop, end, hart, f"step from {here}, break at {pc:#x}")
            m.seek(here)
            c.expect_ok(b"Hc%x" % (hart + 1))
            begin = straight.last_of(hart, here)
            stop = c.resume(b"bs")
            on_way = [n for n in hits if begin < n < here] if begin is not None else []
            if on_way and m.position() != begin:
                self.assertIn(m.position(), on_way)
                self.assertEqual(int(stop.thread, 16) - 1, straight.hart[m.position()])
                stopped += 1
            elif not on_way and begin is not None:
                self.check(m, stop, begin, hart, f"bs from {here}, break at {pc:#x}")
            c.remove_point(0, pc)
        self.assertGreater(stopped, 10)

    def test_two(self):
        self.points(*self.steps(2, 1), 2)

    def test_four(self):
        self.points(*self.steps(4, 3), 4)

    def test_left_out(self):
        """scheduler-locking: said once, and nothing changes."""
        m = Machine(self, 2)
        c = m.client
        first = c.resume(b"vCont;s:2")
        self.assertIn(b"run too", first.console)
        self.assertGreater(m.position(), 1)
        self.assertNotIn(b"run too", c.resume(b"vCont;s:2").console)
        other = Machine(self, 2)
        self.assertNotIn(b"run too", other.client.resume(b"vCont;s:2;c").console)
        self.assertEqual(c.resume(b"vCont;s:1").thread, "01" if first.thread == "02" else "1")

    def test_left_out_of_a_diversion(self):
        """There they stand still."""
        m = Machine(self, 2)
        c = m.client
        for _ in range(100):
            c.resume(b"vCont;s:2;c")
        m.seek(m.position() // 2)
        here = m.position()
        c.expect_ok(b"Hg1")
        c.write_register(28, 12345)  # t3: of no use to the guest
        other = m.pc(1)
        for n in range(5):
            stop = c.resume(b"vCont;s:1")
            self.assertNotIn(b"run too", stop.console)
            self.assertEqual(m.position(), here + n + 1)
            self.assertEqual(m.pc(1), other)
        for _ in range(5):
            c.expect_ok(b"Hc1")
            c.resume(b"bs")
        self.assertEqual(m.position(), here)
        for n in range(5):
            c.resume(b"vCont;s:1")
        stop = c.resume(b"vCont;s:2;c")
        self.assertEqual(int(stop.thread, 16), 2)
        self.assertNotEqual(m.pc(1), other)

    def test_waits_for_ever(self):
        """A hart that makes no more steps: the end of history in replay."""
        m = Machine(self, 2)
        c = m.client
        stop = c.resume(b"vCont;c", end_to_end.GUARD)  # to the power-off
        end = m.position()
        steps = m.last_steps()
        waits = steps.index(min(steps[:2]))
        self.assertLess(steps[waits] + 1, end)
        m.seek(steps[waits] + 1)
        stop = c.resume(b"vCont;s:%x;c" % (waits + 1))
        self.assertEqual((stop.history_end, m.position()), ("end", end))
        c.expect_ok(b"Hc%x" % (waits + 1))
        c.resume(b"bs")
        self.assertEqual(m.position(), steps[waits])


if __name__ == "__main__":
    programs.backstep_path()
    end_to_end.main()
