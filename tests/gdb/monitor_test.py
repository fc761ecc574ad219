#!/usr/bin/env python3
"""`monitor` commands that move, and clients that no longer wait for them: each request has its own
reply, whatever became of the one before."""

import signal
import time
import unittest

import end_to_end
import gdb_session
import protocol_test as protocol
import rsp_client

NEVER_WRITTEN = 0x80003000
# Replays all of history: physical memory has no summaries.
QUERY = f"last-write -p {NEVER_WRITTEN:#x}"
BEGINS_WITH = b"O" + b"backstep: ".hex().encode()
NACK = b"-"


def monitor(line):
    return b"qRcmd," + line.encode().hex().encode()


def text_of(packets):
    return b"".join(bytes.fromhex(p[1:].decode()) for p in packets).decode()


def run_for(m, seconds):
    """Forward live: what is asked about all of it then takes as long, about, in any build."""
    m.client.send_packets([b"vCont;c"])
    time.sleep(seconds)
    m.client.interrupt()
    m.client.wait_stop(end_to_end.GUARD)


class RawClient(unittest.TestCase):
    """What gdb's wait looks like from here: `-` for every two seconds without a packet."""

    def begin(self, seconds=0.7, features=("vContSupported+",)):
        m = protocol.Machine()
        self.addCleanup(m.__exit__)
        run_for(m, seconds)
        m.client.close()
        m.client = m.program.connect(features)
        m.client.read_register_info()
        return m

    def all_of(self, c):
        """Console packets, then OK or, as one of these, the text that is the reply itself."""
        packets = []
        while (packet := c.receive_packet(end_to_end.GUARD))[:1] == b"O" and packet != b"OK":
            packets.append(packet)
        if packet != b"OK":
            bytes.fromhex(packet.decode())
            packets.append(b"O" + packet)
        return packets

    def test_a_request_instead_of_waiting(self):
        """The reply of the movement is dropped, and it has not moved anything."""
        m = self.begin()
        c, here = m.client, m.position()
        registers = c.read_registers()
        for line in (QUERY, "goto start", "json last-write {\"address\": \"0x80003000\", \"physical\": true}",
                     "json step {\"count\": 1000000}", "timeline", "diff start end"):
            with self.subTest(line):
                c.send_packets([monitor(line), b"vMustReplyEmpty"])
                self.assertEqual(c.receive_packet(end_to_end.GUARD), b"")
                if "step" in line:  # forward, live: what is made is made
                    m.seek(here)
                self.assertEqual(c.read_registers(), registers)
                self.assertEqual(m.position(), here)
                self.assertIn("position", c.monitor("when"))

    def test_the_same_behind_progress(self):
        m = self.begin()
        c = m.client
        c.send_packets([monitor(QUERY)])
        time.sleep(0.05)
        c.send_raw(NACK)
        self.assertTrue(c.receive_packet(end_to_end.GUARD).startswith(BEGINS_WITH))
        self.assertEqual(len(c.read_registers()), len(bytes.fromhex(c.request(b"g").decode())))
        self.assertEqual(c.request(b"vMustReplyEmpty"), b"")

    def test_the_reply_waits_for_who_waits(self):
        """A client that has asked once is answered when it asks again."""
        m = self.begin()
        c, here = m.client, m.position()
        c.send_packets([monitor("json continue")])
        time.sleep(0.05)
        c.send_raw(NACK)
        self.assertEqual(c.receive_packet(end_to_end.GUARD), b"O", "live there is no progress to be told")
        c.interrupt()
        with self.assertRaises(rsp_client.RspTimeout):
            c.receive_packet(1)
        c.send_raw(NACK)
        self.assertIn('"interrupt"', text_of(self.all_of(c)))
        # The same, and it has left.
        c.send_packets([monitor("json continue")])
        time.sleep(0.05)
        c.send_raw(NACK)
        self.assertEqual(c.receive_packet(end_to_end.GUARD), b"O")
        c.interrupt()
        time.sleep(0.2)
        self.assertEqual(c.request(b"vMustReplyEmpty"), b"")
        c.send_raw(NACK)
        self.assertGreater(m.position(), here)

    def test_ctrl_c_of_who_waits_on(self):
        m = self.begin()
        c = m.client
        c.send_packets([monitor(QUERY)])
        c.interrupt()
        self.assertIn("interrupted", text_of(self.all_of(c)))
        self.assertEqual(c.request(b"vMustReplyEmpty"), b"")

    def test_an_interrupt_ends_all_that_a_command_does(self):
        """Steps are movements of their own: none of them begins after the interrupt."""
        m = self.begin(0)
        c = m.client
        for wait in (0, 0.001, 0.01, 0.05, 0.1):
            c.send_packets([monitor('json step {"count": 1000000}')])
            time.sleep(wait)
            c.interrupt()
            self.assertIn('"interrupt"', text_of(self.all_of(c)))

    def test_others_are_told_how_far_it_is(self):
        """Clients that are no gdb: LLDB gives up when nothing comes."""
        m = self.begin(features=())
        c = m.client
        c.send_packets([monitor(QUERY)])
        packets = self.all_of(c)
        self.assertIn("were not written in all history up to here", text_of(packets))

    def test_asking_again_with_acknowledgements(self):
        """`-` while a reply is owed does not bring the last one again."""
        m = self.begin()
        m.client.close()
        with rsp_client.RspClient(m.program.address) as c:
            self.assertIn(b"PacketSize", c.request(b"qSupported:vContSupported+"))
            c.send_packets([monitor(QUERY)])
            time.sleep(0.05)
            c.send_raw(NACK)
            self.assertEqual(c.receive_packet(end_to_end.GUARD)[:1], b"O")
            self.assertEqual(c.request(b"vMustReplyEmpty"), b"")
            c.send_raw(NACK)
            self.assertEqual(c.receive_packet(end_to_end.GUARD), b"", "a damaged reply comes again")
            c.send_packets([b"bc"])
            c.send_raw(NACK)
            self.assertEqual(c.wait_stop(end_to_end.GUARD).history_end, "begin")
        m.client = m.program.connect()

    def test_a_client_that_goes_away_meanwhile(self):
        m = self.begin()
        for line in (QUERY, "json step {\"count\": 1000000}", "timeline", "diff start end"):
            m.client.send_packets([monitor(line)])
            time.sleep(0.02)
            m.client.send_raw(NACK)
            m.connect()
            self.assertIn("position", m.client.monitor("when"))


class Gdb(unittest.TestCase):
    """gdb says Quit when it reads the first packet after Ctrl-C, or has waited for two seconds."""

    def setUp(self):
        end_to_end.need(gdb_session.GDB)
        self.m = protocol.Machine()
        self.addCleanup(self.m.__exit__)
        run_for(self.m, 3.5)
        self.m.client.close()

    def session(self):
        address = self.m.program.address
        return gdb_session.GdbSession(target=address[5:] if address.startswith("unix:") else address,
                                      timeout=4 * end_to_end.GUARD)

    def look(self, g):
        """Of the machine, not of what gdb has kept."""
        g.execute("maint flush register-cache")
        return (g.execute("info registers"), g.execute("p $icount")[-20:].split("=")[-1],
                g.execute(f"x/16xb {protocol.DATA}"))

    def test_ctrl_c(self):
        with self.session() as g:
            expected = self.look(g)
            self.assertIn("icount", expected[0])
            # Where the query is over before gdb leaves, its answer is to come to nobody either.
            for line in (QUERY, QUERY, "goto start", "diff start end"):
                g.begin(f"monitor {line}")
                time.sleep(0.3)
                g.process.send_signal(signal.SIGINT)
                text = g.finish()
                print(f"[{text.splitlines()[-1] if text else ''}]", end=" ", flush=True)
                if "Quit" in text or "goto" not in line:
                    self.assertEqual(self.look(g), expected, line)
                else:
                    g.goto(int(expected[1]))
                self.assertRegex(g.execute("monitor when"), r"^position [\d,]+, live")

    def test_it_waits_as_long_as_it_takes(self):
        """Nothing but the answer and progress is shown."""
        with self.session() as g:
            text = g.execute(f"monitor {QUERY}")
            lines = [l for l in text.splitlines() if not l.startswith("(")]
            self.assertRegex(lines[-1], r"were not written in all history up to here$")
            for line in lines[:-1]:
                self.assertRegex(line, r"^backstep: \d+% of \d+ steps replayed; Ctrl-C ends it$")
            self.assertRegex(g.execute("monitor when"), r"^position [\d,]+, live")


if __name__ == "__main__":
    end_to_end.main()
