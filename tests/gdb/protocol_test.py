#!/usr/bin/env python3
"""The gdb port byte by byte: what every packet is answered with, and where every resume stops.

The guest is a loop of nine instructions in M-mode, one position each, written over the port: at
position n of hart 0 the pc is LOOP[n % 9], so every stop's place is known exactly."""

import os
import re
import socket
import subprocess
import time
import unittest

import end_to_end
import programs
import riscv_encode as rv
import rsp_client

CODE, DATA = 0x80000000, 0x80001000
BASE, ONE, LOADED, OLD, COUNT = 5, 6, 7, 8, 9  # registers
PC = 32
AMOADD_D = rv.AMO | 3 << 12
LOOP = [
    rv.addi(ONE, 0, 1),
    rv.s_type(rv.STORE, 3, BASE, ONE, 0),         # 1: writes DATA..DATA+7
    rv.addi(ONE, ONE, 1),
    rv.i_type(rv.LOAD, 3, LOADED, BASE, 0),       # 3: reads DATA..DATA+7
    rv.s_type(rv.STORE, 2, BASE, ONE, 4),         # 4: writes DATA+4..DATA+7
    AMOADD_D | OLD << 7 | BASE << 15 | ONE << 20,  # 5: reads and writes DATA..DATA+7
    rv.s_type(rv.STORE, 3, BASE, ONE, 8),         # 6: writes DATA+8..DATA+15
    rv.addi(COUNT, COUNT, 1),
    rv.jal(0, -32),
]
STEPS = len(LOOP)
# Keys of stop replies that every one has, or LLDB alone reads
CLIENTS_OWN = ("thread", "icount", "reason", "description")
LONG = 100000000  # steps whose replay takes far longer than it takes to interrupt it
WRITE_1, READ_3, WRITE_4, AMO_5, WRITE_6 = 1, 3, 4, 5, 6
# DATA after steps 1, 4 and 5 of any turn of the loop
AFTER = {WRITE_1: 1, WRITE_4: 1 | 2 << 32, AMO_5: 3 | 2 << 32}


def pc_at(position):
    return CODE + 4 * (position % STEPS)


class Machine:
    """backstep at position 0 with the loop in place, and a client."""

    def __init__(self, harts=1, arguments=()):
        self.program = programs.start_backstep(
            ["-bios", "none", "-m", "16M", "-smp", str(harts), "-serial", "null", *arguments])
        try:
            self.client = self.program.connect()
            self.load(harts)
        except BaseException:
            self.program.stop()
            raise

    def load(self, harts):
        c = self.client
        c.write_memory(CODE, b"".join(w.to_bytes(4, "little") for w in LOOP))
        self.icount = c.read_register_info()["icount"].number
        for hart in range(harts):
            c.expect_ok(b"Hg%x" % (hart + 1))
            c.write_register(BASE, DATA + 0x100 * hart)
            c.write_register(PC, CODE)
        c.expect_ok(b"Hg1")

    def position(self):
        return self.client.read_register(self.icount)

    def seek(self, position):
        self.client.write_register(self.icount, position)

    def data(self, offset=0):
        return rsp_client.to_int(self.client.read_memory(DATA + offset, 8))

    def make_history(self, steps):
        """Forward to position `steps`, without points."""
        while self.position() < steps:
            self.client.step()

    def run_to(self, position):
        """Forward live, at full speed, to that position or beyond; returns where."""
        while self.position() < position:
            self.client.send_packets([b"vCont;c"])
            time.sleep(0.2)
            self.client.interrupt()
            self.client.wait_stop(end_to_end.GUARD)
        return self.position()

    def connect(self):
        """Another connection in place of the present one."""
        self.client.close()
        self.client = self.program.connect()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.client.close()
        self.program.stop()


class ProtocolTest(unittest.TestCase):
    def check_stop(self, machine, stop, position, **keys):
        """A stop at `position` whose other keys are exactly `keys` (but CLIENTS_OWN)."""
        self.assertEqual(stop.kind, "T", stop)
        self.assertEqual(stop.signal, 5, stop)
        given = {k: v for k, v in stop.keys.items() if k not in CLIENTS_OWN}
        self.assertEqual(given, {k: v for k, v in keys.items()}, stop)
        self.assertEqual(machine.position(), position, stop)
        self.assertEqual(int(stop.keys["icount"], 16), position, stop)
        self.assertEqual(stop.registers[PC], pc_at(position), stop)
        self.assertEqual(sorted(stop.registers), list(range(33)), "expedited registers")

    def check_answers(self, client):
        self.assertEqual(client.request(b"vMustReplyEmpty"), b"")


class Opening(ProtocolTest):
    def test_supported(self):
        with Machine() as m:
            plain = m.client.request(b"qSupported:xmlRegisters=riscv").decode().split(";")
            for feature in ("ReverseStep+", "ReverseContinue+", "QStartNoAckMode+",
                            "vContSupported+", "qXfer:features:read+", "qXfer:threads:read+"):
                self.assertIn(feature, plain)
            size = [f for f in plain if f.startswith("PacketSize=")]
            self.assertGreaterEqual(int(size[0].split("=")[1], 16), 0x1000)
            text = ";".join(plain)
            for absent in ("QNonStop", "multiprocess", "swbreak", "hwbreak", "memory-map",
                           "error-message"):
                self.assertNotIn(absent, text)
            full = m.client.request(b"qSupported:swbreak+;hwbreak+;error-message+;multiprocess+;"
                                    b"vContSupported+").decode().split(";")
            for feature in ("swbreak+", "hwbreak+", "error-message+"):
                self.assertIn(feature, full)
            self.assertNotIn("multiprocess+", full)

    def test_break_reason_only_when_asked_for(self):
        for features, keys in (((), {}), (("swbreak+", "hwbreak+"), {"swbreak": ""})):
            with Machine() as m:
                m.client.request(b"qSupported:" + b";".join(f.encode() for f in features))
                m.client.insert_point(0, pc_at(7))
                self.check_stop(m, m.client.cont(), 7, **keys)

    def test_acknowledgements(self):
        with Machine() as m:
            m.client.close()
            with rsp_client.RspClient(m.program.address) as c:
                c.send_raw(b"$qC#b4")
                self.assertEqual(read_exactly(c, 1), b"+")
                reply = c.receive_packet()
                self.assertTrue(reply.startswith(b"QC"), reply)
                c.send_raw(b"-")  # lost: once more
                self.assertEqual(c.receive_packet(), reply)
                c.send_raw(b"+$qC#00")  # damaged
                self.assertEqual(read_exactly(c, 1), b"-")
                c.owed = 0
                c.start_no_ack()
                c.send_raw(rsp_client.frame(b"qC"))
                self.assertEqual(read_exactly(c, len(reply) + 4), rsp_client.frame(reply))

    def test_documents(self):
        with Machine(2) as m:
            text = m.client.transfer("features", "target.xml").decode()
            self.assertIn("<osabi>none</osabi>", text)
            self.assertIn("<architecture>riscv:rv64</architecture>", text)
            self.assertEqual(m.client.register_info["pc"].number, PC)
            for name in ("x1", "ra"):
                if name in m.client.register_info:
                    self.assertEqual(m.client.register_info[name].number, 1)
            for name in ("ft0", "fcsr", "mstatus", "satp", "priv", "icount"):
                self.assertIn(name, m.client.register_info)
            size = sum(i.bits // 8 for i in m.client.register_info.values())
            self.assertEqual(len(m.client.read_registers()), size)
            threads = m.client.transfer("threads").decode()
            self.assertEqual(re.findall(r'<thread id="(\w+)"', threads), ["1", "2"])
            self.assertEqual(m.client.request(b"qXfer:features:read:nosuch.xml:0,100")[:1], b"E")
            self.assertEqual(m.client.request(b"qXfer:nosuch:read::0,100"), b"")
            behind = b"qXfer:features:read:target.xml:%x,100" % len(text)
            self.assertEqual(m.client.request(behind), b"l")

    def test_unknown_packets_are_empty(self):
        with Machine() as m:
            for packet in (b"vMustReplyEmpty", b"vNoSuch;1", b"qNoSuch", b"QNonStop:1", b"b",
                           b"b57600", b"bx", b"bsx", b"bcx", b"Z9,80000000,4", b"_", b"jz", b"x0,0",
                           b"\x80\xff", b"i", b"", b"QStartup", b"qTStatus"):
                self.assertEqual(m.client.request(packet), b"", packet)

    def test_threads(self):
        with Machine(2) as m:
            c = m.client
            self.assertEqual(c.request(b"qfThreadInfo"), b"m1,2")
            self.assertEqual(c.request(b"qsThreadInfo"), b"l")
            self.assertEqual(c.request(b"qAttached"), b"1")
            for thread, good in ((1, True), (2, True), (3, False)):
                self.assertEqual(c.request(b"T%x" % thread) == b"OK", good)
                self.assertEqual(c.request(b"Hg%x" % thread) == b"OK", good)
            hart1 = int(c.register_info["mhartid"].number)
            self.assertEqual(c.read_register(hart1), 1)  # of the last good Hg
            self.assertIn(b"hart 1", bytes.fromhex(c.request(b"qThreadExtraInfo,2").decode()))


class Stops(ProtocolTest):
    """Where each resume stops, in both directions."""

    def test_steps_and_ends_of_history(self):
        with Machine() as m:
            c = m.client
            self.check_stop(m, c.reverse_step(), 0, replaylog="begin")
            self.check_stop(m, c.reverse_cont(), 0, replaylog="begin")
            for n in range(1, 31):
                self.check_stop(m, c.step(), n)
            for n in range(29, -1, -1):
                self.check_stop(m, c.reverse_step(), n)
            self.check_stop(m, c.reverse_step(), 0, replaylog="begin")
            self.check_stop(m, c.step(), 1)
            self.check_stop(m, c.cont(), 30, replaylog="end")
            self.check_stop(m, c.step(), 31)  # live
            self.check_stop(m, c.reverse_cont(), 0, replaylog="begin")
            self.check_stop(m, c.reverse_cont(), 0, replaylog="begin")
            self.check_stop(m, c.resume(b"c"), 31, replaylog="end")

    def test_every_register_comes_back(self):
        with Machine() as m:
            noted = []
            for _ in range(40):
                noted.append((m.client.read_registers(), m.client.read_memory(DATA, 16)))
                m.client.step()
            for registers, memory in reversed(noted):
                m.client.reverse_step()
                self.assertEqual(m.client.read_registers(), registers)
                self.assertEqual(m.client.read_memory(DATA, 16), memory)

    def test_breakpoints(self):
        for kind in (0, 1):
            with Machine() as m:
                c = m.client
                c.insert_point(kind, pc_at(7))
                for n in (7, 16, 25):
                    self.check_stop(m, c.cont(), n)
                c.step()
                self.check_stop(m, c.reverse_cont(), 25)
                self.check_stop(m, c.reverse_cont(), 16)  # strictly earlier
                self.check_stop(m, c.reverse_step(), 15)
                self.check_stop(m, c.cont(), 16)
                c.insert_point(kind, pc_at(2))
                self.check_stop(m, c.reverse_cont(), 11)
                self.check_stop(m, c.reverse_cont(), 7)
                self.check_stop(m, c.reverse_cont(), 2)
                self.check_stop(m, c.reverse_cont(), 0, replaylog="begin")
                c.remove_point(kind, pc_at(2))
                self.check_stop(m, c.cont(), 7)

    def test_breakpoint_where_a_step_ends(self):
        with Machine() as m:
            m.client.insert_point(0, pc_at(3))
            for n in (1, 2, 3, 4):
                self.check_stop(m, m.client.step(), n)
            for n in (3, 2):
                self.check_stop(m, m.client.reverse_step(), n)

    def check_watch(self, point, offset, length, key, forward, positions):
        """forward: (step of the loop, first byte) of the accesses of one turn."""
        with Machine() as m:
            c = m.client
            c.insert_point(point, DATA + offset, length)
            for base in (0, STEPS):
                for step, byte in forward:
                    stop = c.cont()
                    self.check_stop(m, stop, base + step, **{key: f"{DATA + byte:x}"})
            c.remove_point(point, DATA + offset, length)
            m.make_history(positions)
            c.insert_point(point, DATA + offset, length)
            hits = [(base + s, b) for base in (0, STEPS, 2 * STEPS) for s, b in forward]
            for step, byte in reversed([h for h in hits if h[0] < positions]):
                stop = c.reverse_cont()
                self.check_stop(m, stop, step + 1, **{key: f"{DATA + byte:x}"})
                if step % STEPS in AFTER and step % STEPS != AMO_5:
                    self.assertEqual(m.data(), AFTER[step % STEPS], "memory is still the new one")
                elif step % STEPS == AMO_5:
                    self.assertEqual(m.data(), AFTER[AMO_5])
            self.check_stop(m, c.reverse_cont(), 0, replaylog="begin")

    def test_watch_written(self):
        self.check_watch(2, 0, 8, "watch", [(WRITE_1, 0), (WRITE_4, 4), (AMO_5, 0)], 25)

    def test_watch_read(self):
        self.check_watch(3, 0, 8, "rwatch", [(READ_3, 0), (AMO_5, 0)], 25)

    def test_watch_accessed(self):
        self.check_watch(4, 0, 8, "awatch",
                         [(WRITE_1, 0), (READ_3, 0), (WRITE_4, 4), (AMO_5, 0)], 25)

    def test_watch_reports_an_address_inside_the_range(self):
        self.check_watch(2, 12, 1, "watch", [(WRITE_6, 12)], 25)
        self.check_watch(2, 2, 4, "watch", [(WRITE_1, 2), (WRITE_4, 4), (AMO_5, 2)], 25)
        self.check_watch(2, 6, 4, "watch", [(WRITE_1, 6), (WRITE_4, 6), (AMO_5, 6), (WRITE_6, 8)],
                         25)

    def test_a_long_range(self):
        self.check_watch(2, -0x800, 0x1000, "watch",
                         [(WRITE_1, 0), (WRITE_4, 4), (AMO_5, 0), (WRITE_6, 8)], 25)

    def test_memory_at_a_forward_stop_is_old(self):
        with Machine() as m:
            m.client.insert_point(2, DATA, 8)
            for old in (0, AFTER[WRITE_1], AFTER[WRITE_4], AFTER[AMO_5], AFTER[WRITE_1]):
                m.client.cont()
                self.assertEqual(m.data(), old)

    def test_gdbs_sequence_around_a_watchpoint(self):
        """gdb removes the watchpoints at a stop, steps once in the same direction, inserts them."""
        with Machine() as m:
            c = m.client
            c.insert_point(2, DATA, 8)
            self.check_stop(m, c.cont(), 1, watch=f"{DATA:x}")
            c.remove_point(2, DATA, 8)
            self.check_stop(m, c.resume(b"vCont;s:1"), 2)
            self.assertEqual(m.data(), AFTER[WRITE_1])
            m.make_history(20)
            c.insert_point(2, DATA, 8)
            self.check_stop(m, c.reverse_cont(), 20, watch=f"{DATA:x}")
            c.remove_point(2, DATA, 8)
            self.check_stop(m, c.reverse_step(), 19)
            self.assertEqual(m.data(), AFTER[AMO_5])
            c.insert_point(2, DATA, 8)
            self.check_stop(m, c.reverse_cont(), 15, watch=f"{DATA:x}")

    def test_single_steps_over_a_watched_access(self):
        """Reported once without moving; then the same request moves."""
        with Machine() as m:
            c = m.client
            c.insert_point(2, DATA, 8)
            self.check_stop(m, c.step(), 1)
            self.check_stop(m, c.step(), 1, watch=f"{DATA:x}")
            self.check_stop(m, c.step(), 2)
            self.check_stop(m, c.reverse_step(), 2, watch=f"{DATA:x}")
            self.check_stop(m, c.reverse_step(), 1)
            c.remove_point(2, DATA, 8)
            m.make_history(12)
            c.insert_point(2, DATA, 8)
            self.check_stop(m, c.reverse_step(), 11)
            self.check_stop(m, c.reverse_step(), 11, watch=f"{DATA:x}")
            self.check_stop(m, c.reverse_step(), 10)
            self.check_stop(m, c.step(), 10, watch=f"{DATA:x}")
            self.check_stop(m, c.step(), 11)

    def test_range_step_over_a_watched_access(self):
        with Machine() as m:
            c = m.client
            c.insert_point(2, DATA, 8)
            line = b"vCont;r%x,%x:1;c" % (CODE, pc_at(3))
            self.check_stop(m, c.resume(line), 1, watch=f"{DATA:x}")
            self.check_stop(m, c.resume(line), 3)

    def test_breakpoint_and_watch_at_one_instruction(self):
        with Machine() as m:
            c = m.client
            m.make_history(20)
            m.seek(0)
            c.insert_point(0, pc_at(WRITE_1))
            c.insert_point(2, DATA, 1)
            places = []
            for _ in range(2):
                stop = c.cont()
                places.append((m.position(), "watch" in stop.keys))
            self.assertEqual(sorted(places), [(1, False), (1, True)])
            self.check_stop(m, c.cont(), AMO_5, watch=f"{DATA:x}")
            m.seek(13)
            self.check_stop(m, c.reverse_cont(), 11, watch=f"{DATA:x}")
            self.check_stop(m, c.reverse_cont(), 10)
            self.check_stop(m, c.reverse_cont(), 6, watch=f"{DATA:x}")

    def test_points_are_replaced_not_counted(self):
        with Machine() as m:
            c = m.client
            m.make_history(30)
            for kind, address, length in ((0, pc_at(7), 4), (1, pc_at(7), 4), (2, DATA, 8)):
                m.seek(0)
                for _ in range(3):
                    c.insert_point(kind, address, length)
                c.remove_point(kind, address, length)
                self.check_stop(m, c.cont(), 30, replaylog="end")
                c.remove_point(kind, address, length)  # not there: fine
            m.seek(0)
            c.insert_point(0, pc_at(7))
            c.insert_point(1, pc_at(7))  # another point at the same place
            c.remove_point(0, pc_at(7))
            self.check_stop(m, c.cont(), 7)

    def test_vcont(self):
        with Machine() as m:
            c = m.client
            offered = c.request(b"vCont?").split(b";")
            self.assertEqual(offered[0], b"vCont")
            for action in (b"c", b"C", b"s", b"S", b"t", b"r"):
                self.assertIn(action, offered)
            position = 0
            for packet in (b"vCont;s", b"vCont;s:1", b"vCont;s:1;c", b"vCont;S05:1;c", b"s",
                           b"S05", b"vCont;s:-1"):
                position += 1
                self.check_stop(m, c.resume(packet), position)
            self.check_stop(m, c.resume(b"vCont;r%x,%x:1;c" % (pc_at(7), pc_at(8))), 8)
            self.check_stop(m, c.resume(b"vCont;t"), 8)
            c.insert_point(0, pc_at(2))
            for position, packet in ((11, b"vCont;c"), (20, b"vCont;c:1"), (29, b"vCont;C05"),
                                     (38, b"c"), (47, b"C05")):
                self.check_stop(m, c.resume(packet), position)
            # A range that holds the breakpoint: the step stops at it, then goes on from it.
            whole = b"vCont;r%x,%x:1;c" % (CODE, CODE + 4 * STEPS)
            self.check_stop(m, c.resume(whole), 56)
            for bad in (b"vCont", b"vCont;", b"vCont;q", b"vCont;r12", b"vCont;s:zz"):
                self.assertRegex(c.request(bad), rb"^(E.*)?$", bad)
            self.assertEqual(m.position(), 56)

    def test_position_as_a_register(self):
        with Machine() as m:
            c = m.client
            m.make_history(30)
            for n in (12, 12, 0, 30, 7):
                m.seek(n)
                self.assertEqual(m.position(), n)
                self.assertEqual(c.read_register(PC), pc_at(n))
            for n in (31, 1 << 63):
                reply = c.request(b"P%x=%s" % (m.icount, rsp_client.hex_le(n, 8)))
                self.assertTrue(reply.startswith(b"E."), reply)
                self.assertEqual(m.position(), 7)

    def test_two_harts(self):
        with Machine(2) as m:
            c = m.client
            stop = c.step(2)
            self.assertEqual(stop.thread.lstrip("0"), "2")
            turn = m.position()
            self.assertGreater(turn, 1)  # hart 0 had its turn first
            self.assertEqual(stop.registers[PC], CODE + 4)
            stop = c.step(2)
            self.assertEqual((m.position(), stop.registers[PC]), (turn + 1, CODE + 8))
            c.expect_ok(b"Hc0")
            c.reverse_step()  # of the hart of the last stop
            self.assertEqual(m.position(), turn)
            c.expect_ok(b"Hc1")
            stop = c.reverse_step()
            self.assertEqual(stop.thread.lstrip("0"), "1")
            self.assertEqual(m.position(), turn - 2)
            c.expect_ok(b"Hc2")
            c.write_register(m.icount, turn + 1)
            stop = c.reverse_step()
            self.assertEqual((stop.thread.lstrip("0"), m.position()), ("2", turn))
            stop = c.reverse_step()
            self.assertEqual((stop.thread.lstrip("0"), m.position()), ("2", turn - 1))
            stop = c.reverse_step()  # hart 1 has made no step before
            self.assertEqual((stop.history_end, m.position()), ("begin", 0))
            c.insert_point(0, CODE + 12)
            c.write_register(m.icount, turn)
            stop = c.reverse_cont()
            self.assertEqual(stop.thread.lstrip("0"), "1")


class History(ProtocolTest):
    def test_a_write_in_the_past_changes_no_history(self):
        """It begins a diversion, which a seek to before it leaves."""
        with Machine() as m:
            c = m.client
            m.make_history(20)
            m.seek(10)
            registers, data = c.read_registers(), c.read_memory(DATA, 8)
            c.write_register(COUNT, c.read_register(COUNT))  # equal: no write
            self.check_stop(m, c.step(), 11)
            for packet in (b"M%x,4:11111111" % DATA, b"X%x,4:abcd" % DATA,
                           b"P%x=%s" % (COUNT, rsp_client.hex_le(99, 8)),
                           b"G" + registers[:8].hex().encode() + rsp_client.hex_le(5, 8) +
                           registers[16:].hex().encode()):
                m.seek(10)
                c.expect_ok(packet)
                self.assertNotEqual((c.read_registers(), c.read_memory(DATA, 8)), (registers, data))
                self.assertEqual(m.position(), 10)
                m.seek(9)
                m.seek(10)
                self.assertEqual((c.read_registers(), c.read_memory(DATA, 8)), (registers, data))
                self.check_stop(m, c.cont(), 20, replaylog="end")

    def test_a_write_at_the_tip_is_part_of_history(self):
        with Machine() as m:
            c = m.client
            m.make_history(20)
            c.write_memory(DATA + 64, b"tip!", binary=True)
            c.write_memory(DATA + 68, bytes(range(0x23, 0x23 + 8)) + b"}*$#", binary=True)
            c.write_register(COUNT, 1000)
            after = c.read_registers(), c.read_memory(DATA + 64, 16)
            self.assertEqual(after[1], b"tip!#$%&'()*}*$#")
            m.make_history(25)
            later = c.read_registers(), c.read_memory(DATA + 64, 16)
            self.check_stop(m, c.reverse_cont(), 0, replaylog="begin")
            self.assertEqual(c.read_memory(DATA + 64, 16), bytes(16))
            m.seek(19)
            self.assertEqual(c.read_memory(DATA + 64, 16), bytes(16))
            self.assertEqual(c.read_register(COUNT), 2)
            m.seek(20)
            self.assertEqual((c.read_registers(), c.read_memory(DATA + 64, 16)), after)
            self.check_stop(m, c.cont(), 25, replaylog="end")
            self.assertEqual((c.read_registers(), c.read_memory(DATA + 64, 16)), later)
            self.assertEqual(c.read_register(COUNT), 1000)

    def test_kill_and_run_keep_the_timeline(self):
        with Machine() as m:
            c = m.client
            c.expect_ok(b"!")
            m.make_history(20)
            c.insert_point(0, pc_at(3))
            c.expect_ok(b"vKill;1")
            self.assertEqual(c.request(b"qfThreadInfo"), b"l")
            self.assertRegex(c.request(b"?"), b"^[WX]")
            stop = c.resume(b"vRun;;" + b"15".hex().encode())
            self.check_stop(m, stop, 15)
            self.assertEqual(c.request(b"qfThreadInfo"), b"m1")
            stop = c.resume(b"vRun;")
            self.check_stop(m, stop, 0)
            c.send_packets([b"k"])
            with self.assertRaises(rsp_client.RspError):
                c.receive_packet(end_to_end.GUARD)
            m.connect()
            self.assertEqual(m.position(), 0)
            self.check_stop(m, m.client.cont(), 20, replaylog="end")

    def test_points_go_with_the_connection(self):
        with Machine() as m:
            m.make_history(20)
            m.client.insert_point(0, pc_at(3))
            m.client.insert_point(2, DATA, 8)
            m.seek(2)
            m.connect()
            self.assertEqual(m.position(), 2)
            self.check_stop(m, m.client.cont(), 20, replaylog="end")

    def test_detach_runs_on_and_loses_nothing(self):
        with Machine() as m:
            m.make_history(20)
            m.client.detach()
            m.connect()
            limit = time.monotonic() + end_to_end.GUARD
            while m.position() <= 20 and time.monotonic() < limit:
                m.client.detach()
                m.connect()
            tip = m.position()
            self.assertGreater(tip, 20)
            self.assertEqual(m.client.read_register(PC), pc_at(tip))
            m.seek(11)
            self.assertEqual(m.client.read_register(PC), pc_at(11))
            m.client.detach()
            m.connect()
            self.assertEqual(m.position(), 11)  # in the past it stays where it was left
            self.check_stop(m, m.client.cont(), tip, replaylog="end")


NEVER = CODE + 1  # no instruction begins here, but its page is executed all the time


class Interrupting(ProtocolTest):
    def test_forward(self):
        with Machine() as m:
            start = m.position()
            m.client.send_packets([b"vCont;c"])
            time.sleep(0.1)
            sent = time.monotonic()
            m.client.interrupt()
            stop = m.client.wait_stop(end_to_end.GUARD)
            print(f"Ctrl-C forward: {1e3 * (time.monotonic() - sent):.1f} ms", end=" ", flush=True)
            self.assertEqual(stop.signal, 2)
            self.assertGreater(m.position(), start)
            m.client.interrupt()  # late: swallowed
            self.check_answers(m.client)

    def long_history(self, m):
        """A reverse-continue that takes a while: every interval has to be looked through."""
        tip = m.run_to(LONG)
        m.client.insert_point(0, NEVER)
        return tip

    def test_in_a_reverse_continue(self):
        with Machine() as m:
            tip = self.long_history(m)
            registers = m.client.read_registers()
            m.client.send_packets([b"bc"])
            time.sleep(0.05)
            sent = time.monotonic()
            m.client.interrupt()
            stop = m.client.wait_stop(end_to_end.GUARD)
            print(f"Ctrl-C in bc: {1e3 * (time.monotonic() - sent):.1f} ms", end=" ", flush=True)
            self.assertEqual((stop.kind, stop.signal), ("T", 2))
            self.assertEqual(m.position(), tip)
            self.assertEqual(m.client.read_registers(), registers)
            stop = m.client.reverse_cont(end_to_end.GUARD)
            self.assertEqual((stop.history_end, m.position()), ("begin", 0))
            stop = m.client.cont(end_to_end.GUARD)
            self.assertEqual((stop.history_end, m.position()), ("end", tip))
            self.assertEqual(m.client.read_registers(), registers)

    def test_client_that_leaves_in_a_reverse_continue(self):
        with Machine() as m:
            tip = self.long_history(m)
            past = tip - 1000
            m.seek(past)
            m.client.send_packets([b"bc"])
            time.sleep(0.05)
            m.connect()
            self.assertEqual(m.position(), past)
            self.assertEqual(m.client.read_register(PC), pc_at(past))
            stop = m.client.cont(end_to_end.GUARD)
            self.assertEqual((stop.history_end, m.position()), ("end", tip))

    def test_client_that_leaves_while_running(self):
        with Machine() as m:
            m.client.send_packets([b"vCont;c"])
            time.sleep(0.05)
            m.connect()
            first = m.position()
            self.assertGreater(first, 0)
            self.check_stop(m, m.client.step(), first + 1)

    def test_requests_sent_while_it_moves_are_answered_after_the_stop(self):
        with Machine() as m:
            m.client.send_packets([b"vCont;c", b"p%x" % PC, b"vMustReplyEmpty"])
            time.sleep(0.05)
            m.client.interrupt()
            stop = m.client.wait_stop(end_to_end.GUARD)
            self.assertEqual(stop.signal, 2)
            self.assertEqual(m.client.receive_packet(), rsp_client.hex_le(stop.registers[PC], 8))
            self.assertEqual(m.client.receive_packet(), b"")


class BadInput(ProtocolTest):
    def test_malformed(self):
        with Machine() as m:
            for packet in (b"m", b"m,", b"mzz,4", b"m80000000", b"m80000000,", b"p", b"pzz",
                           b"pffffff", b"P", b"P1", b"P1=", b"P1=zz", b"P1=00", b"P1=" + b"0" * 99,
                           b"Z0", b"Z0,", b"Z0,zz,4", b"z2,80000000", b"Hg", b"Hgzz", b"Hg77",
                           b"Hc77", b"T", b"T77", b"M80000000,4", b"M80000000,4:12", b"M,:", b"X,",
                           b"X80000000,9:abc", b"qRcmd,1", b"qRcmd,zz", b"qXfer:features:read:",
                           b"qXfer:features:read:target.xml:zz", b"G", b"G00", b"Gzz",
                           b"vRun;zz", b"qThreadExtraInfo,zz", b"m0,ffffffffffffffff",
                           b"mffffffffffffffff,ffffffff", b"Mffffffffffffffff,2:1234",
                           b"Z2,ffffffffffffffff,ffffffffffffffff"):
                reply = m.client.request(packet)
                self.assertRegex(reply, rb"^(E.*|OK|)$", packet)
            m.client.remove_point(2, (1 << 64) - 1, (1 << 64) - 1)
            self.assertEqual(m.client.read_register(PC), CODE)
            self.check_stop(m, m.client.step(), 1)

    def test_reading_where_nothing_is(self):
        with Machine() as m:
            self.assertRegex(m.client.request(b"m40000000,8"), b"^E[0-9a-f]{2}$")
            end = CODE + (16 << 20)
            self.assertEqual(len(m.client.request(b"m%x,10" % (end - 4))), 8)  # up to the end
            self.assertRegex(m.client.request(b"M40000000,1:00"), b"^E")
            self.assertRegex(m.client.request(b"M%x,8:0011223344556677" % (end - 4)), b"^E")
            self.assertEqual(m.client.read_memory(end - 4, 4), bytes(4))

    def test_split(self):
        with Machine() as m:
            for byte in rsp_client.frame(b"m%x,4" % CODE):
                m.client.send_raw(bytes([byte]))
                time.sleep(0.002)
            self.assertEqual(m.client.receive_packet(), rsp_client.hex_le(LOOP[0], 4))

    def test_pipelined(self):
        with Machine() as m:
            m.client.send_packets([b"m%x,4" % pc_at(n) for n in range(2000)])
            for n in range(2000):
                self.assertEqual(m.client.receive_packet(),
                                 rsp_client.hex_le(LOOP[n % STEPS], 4))

    def test_pipelined_resumes(self):
        with Machine() as m:
            m.client.send_packets([b"s"] * 20 + [b"bs"] * 5)
            for n in [*range(1, 21), *range(19, 14, -1)]:
                self.assertEqual(m.client.wait_stop().registers[PC], pc_at(n))
            self.assertEqual(m.position(), 15)

    def test_garbage_and_torn_packets(self):
        with Machine() as m:
            for junk in (b"++++----", b"garbage", bytes(range(0x80, 0x100)), b"\x03", b"#00#00",
                         b"$m80000000,4", b"$$$", b"$qC", b"\x03\x03\x03", b"}}}"):
                m.client.send_raw(junk)
                self.check_answers(m.client)
            m.client.send_raw(b"$qC#00")  # a bad sum without acknowledgements: an error
            self.assertRegex(m.client.receive_packet(), b"^E")
            self.check_answers(m.client)

    def test_oversized(self):
        with Machine() as m:
            size = m.client.packet_size
            m.client.send_packets([b"M%x,4:" % DATA + b"0" * (3 * size)])
            self.assertRegex(m.client.receive_packet(), b"^E")
            self.check_answers(m.client)
            self.assertEqual(m.data(), 0)
            most = (size - 32) // 2  # the largest there may be is taken
            m.client.write_memory(DATA, b"\x5a" * most)
            self.assertEqual(m.client.read_memory(DATA, most), b"\x5a" * most)

    def test_client_that_leaves_in_a_packet(self):
        with Machine() as m:
            m.make_history(5)
            for tail in (b"$m80000000,", b"$vCont;c", b"$vCont;c#", b"$", b""):
                m.client.send_raw(tail)
                m.connect()
            self.assertGreaterEqual(m.position(), 5)
            self.check_answers(m.client)

    def test_second_client(self):
        with Machine() as m:
            with rsp_client.RspClient(m.program.address) as second:
                reply = second.request(b"qSupported:error-message+", end_to_end.GUARD)
                self.assertRegex(reply.decode(), r"^E\.[^\n]*another[^\n]*$")
                with self.assertRaises(rsp_client.RspError):
                    second.request(b"?", end_to_end.GUARD)
            self.check_stop(m, m.client.step(), 1)
            self.assertIn("refused", m.program.stderr_text())


class Transport(ProtocolTest):
    def test_stdio(self):
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                [programs.backstep_path(), "run", "-bios", "none", "-m", "16M", "-gdb", "stdio",
                 "-S"], stdin=theirs, stdout=theirs, stderr=subprocess.PIPE)
        try:
            with rsp_client.RspClient(ours) as c:
                self.assertEqual(c.handshake()["ReverseStep"], "+")
                c.write_memory(CODE, LOOP[0].to_bytes(4, "little"))
                c.write_register(PC, CODE)
                self.assertEqual(c.step().registers[PC], CODE + 4)
                self.assertEqual(c.reverse_step().registers[PC], CODE)
            self.assertEqual(process.wait(end_to_end.GUARD), 0)
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()

    def test_tcp_with_a_chosen_port(self):
        with programs.Program("backstep", [programs.backstep_path(), "run", "-bios", "none", "-m",
                                           "16M", "-serial", "null", "-gdb", "tcp::0", "-S"],
                              "unix:@FOLDER@/stderr") as program:
            limit = time.monotonic() + end_to_end.GUARD
            while not (found := re.search(r"127\.0\.0\.1:(\d+)", program.stderr_text())):
                self.assertLess(time.monotonic(), limit, program.stderr_text())
                time.sleep(0.01)
            self.assertNotEqual(found[1], "0")
            with rsp_client.RspClient(f"tcp:127.0.0.1:{found[1]}") as c:
                c.handshake()
                self.check_answers(c)

    def test_the_socket_is_removed_at_the_end(self):
        with Machine() as m:
            path = m.program.address[5:]
            m.client.send_raw(b"$vCont;c#a8")
            m.program.process.terminate()
            self.assertEqual(m.program.process.wait(end_to_end.GUARD), 0)
            self.assertFalse(os.path.exists(path))


def read_exactly(client, size):
    while len(client.buffer) < size:
        data = client.receive_raw()
        if not data:
            raise rsp_client.RspError("the peer closed the connection")
        client.buffer += data
    head, client.buffer = client.buffer[:size], client.buffer[size:]
    return head


if __name__ == "__main__":
    end_to_end.main()
