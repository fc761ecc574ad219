#!/usr/bin/env python3
"""LLDB 19 on the gdb port: attaches, reads, steps, breaks, watches, runs into both ends of history. It
has no commands to go back (LLDB 21 has): `process plugin packet send` sends the packets, and what
LLDB 21 sends around them is sent by a client of our own."""

import re
import shutil
import subprocess
import unittest

import end_to_end
import programs
import protocol_test as protocol
import rsp_client

LLDB = next((name for name in ("lldb-19", "lldb") if shutil.which(name)), None)
CODE, DATA = protocol.CODE, protocol.DATA
TIP = 40


class Lldb:
    """LLDB in batch mode at a machine with TIP steps of history, at position `at`."""

    def __init__(self, at, harts=1):
        self.machine = protocol.Machine(harts)
        self.machine.make_history(TIP)
        self.machine.seek(at)
        self.machine.client.close()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.machine.__exit__()

    def run(self, *commands):
        """What connecting printed, and each command. LLDB ends early, after an error or a stop by a
        signal, and quits with `k`."""
        connect = f"process connect --plugin gdb-remote unix-connect://{self.machine.program.address[5:]}"
        arguments = [LLDB, "--no-lldbinit", "--batch", "--no-use-colors", "-o", connect]
        for command in (*commands, "process detach"):
            arguments += ["-o", command]
        done = subprocess.run(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=2 * end_to_end.GUARD, check=False)
        parts = re.split(r"(?m)^\(lldb\) .*\n", done.stdout.decode(errors="replace"))
        assert len(parts) >= 2, parts
        return parts[1:]


def register(text, name):
    return int(re.search(rf"\b{name} = (0x[0-9a-f]+)", text)[1], 16)


class Attached(unittest.TestCase):
    def test_registers_and_memory(self):
        with Lldb(5) as lldb:
            stop, values, code, everything, nothing = lldb.run(
                "register read pc icount t0 satp priv", f"memory read -s4 -fx -c9 {CODE:#x}",
                "register read --all", "memory read 0x40000000")
            self.assertIn(f"{protocol.pc_at(5):#018x}", stop)
            self.assertEqual(register(values, "pc"), protocol.pc_at(5))
            self.assertEqual(register(values, "icount"), 5)
            self.assertEqual([int(word, 16) for word in re.findall(r" (0x[0-9a-f]{8})\b", code)], protocol.LOOP)
            self.assertGreater(len(re.findall(r"(?m)^ +\w+ = ", everything)), 70)
            self.assertIn("error", nothing)

    def test_steps_and_breakpoints(self):
        with Lldb(5) as lldb:
            out = lldb.run("thread step-inst", "register read icount",
                           f"breakpoint set -a {protocol.pc_at(2):#x}", "continue", "register read icount",
                           "continue", "register read icount", "thread step-inst", "register read icount")
            self.assertIn("stop reason = instruction step", out[1])
            self.assertEqual(register(out[2], "icount"), 6)
            self.assertIn("stop reason = breakpoint 1.1", out[4])
            self.assertEqual(register(out[5], "icount"), 11)
            self.assertEqual(register(out[7], "icount"), 20)
            self.assertEqual(register(out[9], "icount"), 21)

    def test_watchpoints_are_reported_once(self):
        with Lldb(0) as lldb:
            out = lldb.run(f"watchpoint set expression -w write -s 8 -- {DATA + 8:#x}", "continue",
                           "register read icount", "continue", "register read icount")
            self.assertIn("stop reason = watchpoint 1", out[2])
            self.assertEqual(register(out[3], "icount"), protocol.WRITE_6 + 1)  # LLDB steps over it
            self.assertEqual(register(out[5], "icount"), protocol.STEPS + protocol.WRITE_6 + 1)

    def test_the_end_of_history_shows_as_such(self):
        with Lldb(5) as lldb:
            text = lldb.run("continue")[1]
            self.assertIn("stop reason = end of history", text)
            self.assertIn(f"frame #0: {protocol.pc_at(TIP):#018x}", text)

    def test_writing_icount_is_a_seek(self):
        with Lldb(5) as lldb:
            out = lldb.run("register write icount 14", "register read pc icount")
            self.assertEqual(register(out[2], "icount"), 14)
            self.assertEqual(register(out[2], "pc"), protocol.pc_at(14))

    def test_back_by_packets(self):
        with Lldb(5) as lldb:
            out = lldb.run("process plugin packet send bs", "process plugin packet send bs",
                           "process plugin packet send bc")
            self.assertIn("icount:4;reason:trace;", out[1])
            self.assertIn("icount:3;reason:trace;", out[2])
            self.assertIn("replaylog:begin;icount:0;reason:history boundary;", out[3])

    def test_two_harts(self):
        with Lldb(5, harts=2) as lldb:
            threads = lldb.run("thread list")[1]
            self.assertEqual(len(re.findall(r"thread #\d", threads)), 2)

    def test_leaving_loses_nothing(self):
        with Lldb(5) as lldb:
            lldb.run("thread step-inst")
            lldb.machine.connect()
            self.assertEqual(lldb.machine.position(), 6)
            self.assertEqual(lldb.machine.client.cont().history_end, "end")


class Version21(unittest.TestCase):
    """Its `process continue --reverse` and `thread step-inst` backwards: the hart by Hc, then bc or
    bs, and the stop told by `reason`."""

    def setUp(self):
        self.machine = protocol.Machine()
        self.client = self.machine.client
        self.client.request(b"qSupported:xmlRegisters=i386,arm,mips,arc;multiprocess+;fork-events+;"
                            b"vfork-events+;swbreak+;hwbreak+")
        self.machine.make_history(TIP)

    def tearDown(self):
        self.machine.__exit__()

    def test_it_learns_of_reverse_execution(self):
        reply = self.client.request(b"qSupported:swbreak+;hwbreak+").split(b";")
        self.assertIn(b"ReverseContinue+", reply)
        self.assertIn(b"ReverseStep+", reply)

    def check(self, packet, reason, position):
        self.client.expect_ok(b"Hc1" if packet == b"bs" else b"Hc0")
        stop = self.client.resume(packet, end_to_end.GUARD)
        self.assertEqual((stop.keys.get("reason"), self.machine.position()), (reason, position), stop)
        return stop

    def test_reverse(self):
        self.check(b"bs", "trace", TIP - 1)
        self.client.insert_point(0, protocol.pc_at(2))
        self.check(b"bc", "breakpoint", 38)
        self.check(b"bc", "breakpoint", 29)
        self.client.remove_point(0, protocol.pc_at(2))
        self.client.insert_point(2, DATA + 8, 8)
        stop = self.check(b"bc", "watchpoint", 25)
        self.assertEqual(stop.keys["watch"], f"{DATA + 8:x}")
        self.client.remove_point(2, DATA + 8, 8)
        stop = self.check(b"bc", "history boundary", 0)
        self.assertEqual(bytes.fromhex(stop.keys["description"]), b"beginning of history")
        stop = self.check(b"c", "history boundary", TIP)
        self.assertEqual(bytes.fromhex(stop.keys["description"]), b"end of history")

    def test_ctrl_c_is_a_signal(self):
        self.machine.run_to(protocol.LONG // 10)
        self.client.insert_point(0, protocol.NEVER)
        self.client.send_packets([b"bc"])
        self.client.send_raw(rsp_client.INTERRUPT)
        stop = self.client.wait_stop(end_to_end.GUARD)
        if stop.signal == 2:  # else it was over before
            self.assertNotIn("reason", stop.keys)


if __name__ == "__main__":
    if not LLDB:
        programs.skip("lldb-19 is not installed")
    end_to_end.main()
