#!/usr/bin/env python3
"""Clients that nobody wishes for: they leave at any byte, never read, send garbage, fight for the
port, are killed in a long reverse. Afterwards the next one finds everything exact.

Choices follow from SEED, which is printed."""

import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import time
import unittest

import end_to_end
import programs
import protocol_test as protocol
import rsp_client

SEED = int(os.environ.get("BACKSTEP_SEED", "20250"))
CONNECTS = 1000
TIP = 200

PIECES = [b"$g#67", b"$bs#d5", b"$bc#c5", b"$?#3f", b"$qSupported:swbreak+#00", b"+", b"-", b"\x03",
          b"$", b"#", b"}", b"$m80000000,40#", b"$vCont;s:1;c#c1", b"$vCont?#49", b"$Z0,80000010,4#",
          b"$Z2,80001000,8#", b"$vRun;;31#", b"$qRcmd,77686570#", b"$!#21", b"$QStartNoAckMode#b0",
          b"$qXfer:threads:read::0,1000#", b"$vKill;1#6e", b"$qSearch:memory:80000000;1000000;x#",
          b"$qCRC:80000000,1000000#", b"$H-1#", b"$vCont;r80000000,80000040:1;c#",
          b"$P20=ffffffffffffffff#", b"$X80000000,ffffffff:", b"$m0,ffffffffffffffff#",
          b"$Z0,80000000,4;X4000,#", b"$vCont;s:1;" + b"c;" * 100 + b"#"]


def with_sum(piece):
    if not piece.startswith(b"$") or piece.find(b"#") < 0:
        return piece
    body = piece[1:piece.index(b"#")]
    return rsp_client.frame(body)


class Hostile(unittest.TestCase):
    def check_exact(self, m, expected):
        """Another client: history is what it was, register by register."""
        self.connect(m)
        for position, registers in expected.items():
            m.seek(position)
            self.assertEqual(m.client.read_registers(), registers, f"at {position}")
        m.seek(TIP - 1)
        stop = m.client.step()
        self.assertEqual((stop.history_end, m.position()), ("end", TIP))

    def connect(self, m):
        """Those who left may still be in line: then it is refused, with a word or without."""
        limit = time.monotonic() + end_to_end.GUARD
        while True:
            try:
                m.connect()
                return
            except (rsp_client.RspError, OSError):
                self.assertLess(time.monotonic(), limit)
                time.sleep(0.01)

    def history(self, m):
        m.make_history(TIP)
        expected = {}
        for position in (0, 1, 77, TIP - 1):
            m.seek(position)
            expected[position] = m.client.read_registers()
        return expected

    def open(self, m):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(end_to_end.GUARD)
        limit = time.monotonic() + end_to_end.GUARD
        while True:
            try:
                s.connect(m.program.address[5:])
                return s
            except BlockingIOError:  # the queue of connections is short
                self.assertLess(time.monotonic(), limit)
                time.sleep(0.001)

    def test_connects_and_aborts(self):
        """At random points of a conversation, without a word, or with a reset. Nobody of them goes
        forward live: the tip stays where it is."""
        rng = random.Random(SEED)
        safe = [with_sum(piece) for piece in PIECES if b"P20" not in piece and b"vRun" not in piece and
                b"vCont;s" not in piece and b"vCont;r" not in piece]
        with protocol.Machine() as m:
            expected = self.history(m)
            m.seek(77)
            m.client.close()
            start = time.monotonic()
            for _ in range(CONNECTS):
                s = self.open(m)
                try:
                    for _ in range(rng.randrange(4)):
                        piece = rng.choice(safe)
                        s.sendall(piece[:rng.randrange(len(piece) + 1)] if rng.random() < 0.3 else piece)
                    if rng.random() < 0.2:
                        s.settimeout(0.05)
                        s.recv(rng.randrange(1, 4000))
                except OSError:
                    pass
                s.close()
            print(f"{time.monotonic() - start:.1f} s", end=" ", flush=True)
            self.assertIsNone(m.program.process.poll(), m.program.stderr_text()[-2000:])
            self.check_exact(m, expected)

    def test_garbage(self):
        """Whatever it is, the program lives and the next client is served."""
        rng = random.Random(SEED + 1)
        with protocol.Machine() as m:
            m.make_history(TIP)
            m.client.close()
            for _ in range(60):
                s = self.open(m)
                try:
                    s.setblocking(False)
                    for _ in range(rng.randrange(1, 40)):
                        data = rng.choice([rng.randbytes(rng.randrange(2000)), with_sum(rng.choice(PIECES)),
                                           b"$" + rng.randbytes(rng.randrange(300)), b"$" * 500, b"\x03" * 50])
                        s.send(data)
                except OSError:
                    pass
                s.close()
            self.assertIsNone(m.program.process.poll(), m.program.stderr_text()[-2000:])
            self.connect(m)
            self.assertEqual(m.client.request(b"vMustReplyEmpty"), b"")
            m.seek(0)
            self.assertEqual(m.client.cont(end_to_end.GUARD).history_end, "end")

    def test_half_a_packet_without_end(self):
        with protocol.Machine() as m:
            expected = self.history(m)
            m.client.send_raw(b"$X80000000,fffffff:")
            try:
                for _ in range(256):
                    m.client.send_raw(b"\x55" * 65536)
            except rsp_client.RspError:
                pass
            self.check_exact(m, expected)

    def test_huge_lengths(self):
        with protocol.Machine() as m:
            for packet in (b"m%x,ffffffffffffffff" % protocol.CODE, b"x%x,ffffffffffffffff" % protocol.CODE,
                           b"X%x,ffffffffffffffff:a" % protocol.CODE, b"Z2,%x,ffffffffffffffff" % protocol.DATA,
                           b"z2,%x,ffffffffffffffff" % protocol.DATA, b"Z4,0,ffffffffffffffff", b"z4,0,ffffffffffffffff",
                           b"qXfer:features:read:target.xml:ffffffffffffffff,ffffffffffffffff",
                           b"qXfer:features:read:target.xml:0,ffffffffffffffff",
                           b"qSearch:memory:0;ffffffffffffffff;x", b"qCRC:0,ffffffffffffffff",
                           b"Z0,80000000,4;Xffffffffffffffff,27", b"P20=" + b"f" * 4000, b"H" + b"f" * 99,
                           b"vCont" + b";s:1" * 10000, b"vRun" + b";31" * 10000, b"vRun;;" + b"31" * 30000,
                           b"qRcmd," + b"41" * 50000, b"qThreadExtraInfo,ffffffffffffffffff"):
                m.client.send_packets([packet])
                reply = m.client.receive_packet(end_to_end.GUARD)
                while reply[:1] == b"O" and reply != b"OK":
                    reply = m.client.receive_packet(end_to_end.GUARD)
                self.assertLessEqual(len(reply), 0x20001, packet[:60])
            m.client.step()
            self.assertEqual(m.position(), 1)

    def test_a_client_that_never_reads(self):
        """It asks and asks, then lets commands print while the machine runs: what waits for it is
        bounded, and the connection ends or it is not listened to any more."""
        with protocol.Machine() as m:
            expected = self.history(m)
            m.client.close()
            s = self.open(m)
            request = rsp_client.frame(b"m%x,8000" % protocol.CODE)
            s.settimeout(1)
            sent = 0
            try:
                while sent < 4 << 20:
                    sent += s.send(request * 64)
            except OSError:
                pass
            self.assertLess(self.memory_of(m), 512 << 20)
            s.close()
            self.check_exact(m, expected)

    def test_output_that_nobody_reads(self):
        """dprintf in the loop, in replay and live."""
        code = b"\x22\0\x22\0\x34\0" + struct.pack(">H", 6) + b"loop!\0" + b"\x27"
        with protocol.Machine() as m:
            c = m.client
            reply = c.request(b"Z0,%x,4;cmds:0,X%x,%s" % (protocol.pc_at(7), len(code), code.hex().encode()))
            self.assertEqual(reply, b"OK")
            c.send_packets([b"vCont;c"])
            time.sleep(3)
            self.assertLess(self.memory_of(m), 768 << 20)
            self.connect(m)
            position = m.position()
            self.assertGreater(position, 0)
            self.assertEqual(m.client.read_register(protocol.PC), protocol.pc_at(position))

    def memory_of(self, m):
        with open(f"/proc/{m.program.process.pid}/statm", encoding="ascii") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def test_two_clients_at_once(self):
        """The second is refused while there is a first; which of many is first nobody knows."""
        rng = random.Random(SEED + 2)
        with protocol.Machine() as m:
            expected = self.history(m)
            m.seek(77)
            for _ in range(30):
                others = [self.open(m) for _ in range(rng.randrange(1, 8))]
                for s in others:
                    try:
                        s.sendall(rsp_client.frame(b"qSupported:error-message+"))
                        s.sendall(rsp_client.frame(b"bc"))
                    except OSError:
                        pass
                stop = m.client.reverse_step()
                self.assertEqual(stop.signal, 5)
                rng.shuffle(others)
                for s in others:
                    s.close()
            self.assertEqual(m.position(), 77 - 30)
            self.check_exact(m, expected)

    @unittest.skipUnless(shutil.which("gdb-multiarch"), "no gdb-multiarch")
    def test_two_gdbs(self):
        with protocol.Machine() as m:
            m.make_history(TIP)
            second = subprocess.run(
                ["gdb-multiarch", "-nx", "-q", "-batch", "-ex", "set osabi none", "-ex",
                 f"target remote {m.program.address[5:]}"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True, timeout=end_to_end.GUARD, check=False)
            self.assertIn("another debugger is connected", second.stdout)
            self.assertEqual(m.client.reverse_step().signal, 5)
            self.assertEqual(m.position(), TIP - 1)

    @unittest.skipUnless(shutil.which("gdb-multiarch"), "no gdb-multiarch")
    def test_gdb_is_killed_in_a_long_reverse(self):
        with protocol.Machine() as m:
            tip = m.run_to(protocol.LONG)
            place = tip - 12345
            m.seek(place)
            registers = m.client.read_registers()
            m.client.close()
            gdb = subprocess.Popen(
                ["gdb-multiarch", "-nx", "-q", "-ex", "set confirm off", "-ex", "set osabi none", "-ex",
                 f"target remote {m.program.address[5:]}", "-ex", f"break *{protocol.NEVER:#x}", "-ex",
                 "echo <<ready>>\\n", "-ex", "reverse-continue"], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
            try:
                seen = b""
                while b"<<ready>>" not in seen:
                    data = os.read(gdb.stdout.fileno(), 4096)
                    self.assertTrue(data, seen)
                    seen += data
                time.sleep(0.2)
            finally:
                os.killpg(gdb.pid, signal.SIGKILL)
                gdb.communicate()
            self.connect(m)
            position = m.position()  # where it was, unless the reverse was over already
            self.assertIn(position, (place, 0))
            m.seek(place)
            self.assertEqual(m.client.read_registers(), registers)
            stop = m.client.cont(end_to_end.GUARD)
            self.assertEqual((stop.history_end, m.position()), ("end", tip))

    def test_ctrl_c_all_the_time(self):
        with protocol.Machine() as m:
            tip = m.run_to(protocol.LONG // 20)
            m.client.insert_point(0, protocol.NEVER)
            rng = random.Random(SEED + 3)
            for _ in range(100):
                m.client.send_packets([b"bc"])
                m.client.send_raw(rsp_client.INTERRUPT * rng.randrange(1, 4))
                stop = m.client.wait_stop(end_to_end.GUARD)
                position = m.position()
                self.assertIn((stop.signal, position), ((2, tip), (5, 0)))
                if position == 0:
                    m.seek(tip)
                    while m.position() != tip:  # a Ctrl-C too many ended it
                        m.seek(tip)


if __name__ == "__main__":
    print(f"seed {SEED}")
    end_to_end.main()
