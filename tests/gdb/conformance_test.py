#!/usr/bin/env python3
"""What is easy to get wrong on gdb's wire, row by row: a request, what has to come back, and the
state it is asked in. Behind that whole conversations, compared with those in tests/golden/rsp/.

The guest is protocol_test.py's loop: at position n the pc is LOOP[n % 9]. A row is a Row of the
table; to make the golden replies anew from the requests in those files (and look at the
difference before keeping it):

    BACKSTEP=build/backstep tests/gdb/conformance_test.py --regenerate"""

import binascii
import os
import pathlib
import re
import shutil
import struct
import sys
import time
import unittest

import end_to_end
import gdb_session
import programs
import protocol_test as protocol
import rsp_client

CODE, DATA, PC = protocol.CODE, protocol.DATA, protocol.PC
STORE_1 = protocol.WRITE_1  # writes DATA..DATA+7
RAM_END = CODE + (16 << 20)
GDB_13 = (b"qSupported:multiprocess+;swbreak+;hwbreak+;qRelocInsn+;fork-events+;vfork-events+;"
          b"exec-events+;vContSupported+;QThreadEvents+;no-resumed+;memory-tagging+")
GDB_16 = GDB_13 + b";error-message+"
LLDB_19 = b"qSupported:xmlRegisters=i386,arm,mips,arc;multiprocess+;fork-events+;vfork-events+"
SILENT = object()  # no reply at all


def pc(step):
    return protocol.pc_at(step)


def hexed(text):
    return text.encode().hex().encode()


# ---- what a reply may be compared with, besides bytes and patterns ----

def has(*parts):
    def check(reply):
        missing = [part for part in parts if part not in reply]
        assert not missing, f"{missing} not in {reply!r}"
    return check


def lacks(*parts):
    def check(reply):
        found = [part for part in parts if part in reply]
        assert not found, f"{found} in {reply!r}"
    return check


def error(*words):
    """E and two digits, or E.text with these words."""
    def check(reply):
        pattern = b"E[0-9a-f]{2}" if not words else b"E\\.[ -~]*" + b"[ -~]*".join(words) + b"[ -~]*"
        assert re.fullmatch(pattern, reply), reply
    return check


def stop(position, signal=5, console=None, thread="1", registers=33, **keys):
    """A T packet at this position with exactly these keys besides CLIENTS_OWN, and
    all of its registers. console: a pattern that O packets before it hold."""
    def check(reply):
        given = reply if isinstance(reply, rsp_client.StopReply) else rsp_client.StopReply(reply)
        assert given.kind == "T" and given.signal == signal, given
        assert given.thread == thread, given
        assert int(given.keys["icount"], 16) == position, (position, given)
        assert given.registers[PC] == pc(position), given
        assert sorted(given.registers) == list(range(registers)), given
        rest = {k: v for k, v in given.keys.items() if k not in protocol.CLIENTS_OWN}
        assert rest == keys, given
        if console is not None:
            assert re.search(console, given.console), given.console
        else:
            assert not given.console, given.console
    check.resumes = True
    return check


def reason(text, position, **keys):
    """The same with LLDB's key."""
    def check(reply):
        stop(position, **keys)(reply)
        assert reply.keys.get("reason") == text, reply
    check.resumes = True
    return check


class Row:
    """talk: (request, expected) pairs, or a function of the machine. at: the position where it
    begins; tip: how much history there is; greeting: the client's qSupported."""

    def __init__(self, fact, *talk, at=None, tip=0, harts=1, greeting=GDB_13, arguments=()):
        self.fact, self.talk, self.tip, self.harts = fact, talk, tip, harts
        self.at = tip if at is None else at
        self.greeting, self.arguments = greeting, arguments


def icount(machine):
    return b"%x" % machine.icount


def seek_packet(position):
    return lambda m: b"P%x=%s" % (m.icount, rsp_client.hex_le(position, 8))


def little(value):
    return rsp_client.hex_le(value, 8)


BEGIN, END = {"replaylog": "begin"}, {"replaylog": "end"}
WATCHED = f"{DATA:x}"
XML_THREADS = re.compile(rb'l<\?xml version="1\.0"\?>\n<threads>\n'
                         rb'  <thread id="1" core="0" name="hart 0">running</thread>\n'
                         rb'  <thread id="2" core="1" name="hart 1">running</thread>\n</threads>\n')
LOOP_BYTES = b"".join(struct.pack("<I", word) for word in protocol.LOOP)


def gdb_crc(data):
    """As in gdb's compare-sections: CRC-32 of network order, nothing inverted at the end."""
    crc = 0xffffffff
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04c11db7 if crc >> 31 else 0)) & 0xffffffff
    return crc


def agent(*parts):
    """A condition of bytecode in the form of a Z packet."""
    code = b"".join(parts)
    return b";X%x,%s" % (len(code), binascii.hexlify(code))


REG, CONST8, EQUAL, AGENT_END = b"\x26", b"\x22", b"\x13", b"\x27"


def register_is(number, value):
    return agent(REG, struct.pack(">H", number), CONST8, bytes([value]), EQUAL, AGENT_END)


REVERSE = [
    Row("reverse execution is offered", (GDB_13, has(b"ReverseStep+", b"ReverseContinue+"))),
    Row("bs is the inverse of a step", (b"vCont;s:1", stop(6)), (b"bs", stop(5)), (b"bs", stop(4)),
        tip=5),
    Row("bs with Hc of a hart", (b"Hc1", b"OK"), (b"bs", stop(4)), tip=5),
    Row("bs with Hc0 and Hc-1: of the last stop", (b"Hc0", b"OK"), (b"bs", stop(4)),
        (b"Hc-1", b"OK"), (b"bs", stop(3)), tip=5),
    Row("Hcp1.0 is understood", (b"Hcp1.0", b"OK"), (b"bs", stop(4)), tip=5),
    Row("other packets that begin with b are empty",
        *[(packet, b"") for packet in (b"b", b"b80000000,4", b"bx", b"bsx", b"bcx", b"b9600")]),
    Row("the beginning is a stop reply, not an error", (b"bs", stop(0, **BEGIN)),
        (b"bc", stop(0, **BEGIN)), (b"bs", stop(0, **BEGIN)), tip=4, at=0),
    Row("bc with nothing to find comes to the beginning", (b"bc", stop(0, **BEGIN)), tip=20),
    Row("the tip, from the past, is a stop reply", (b"vCont;c", stop(20, **END)), tip=20, at=3),
    Row("a step to the tip says so, the next is live", (b"vCont;s:1", stop(5, **END)),
        (b"vCont;s:1", stop(6)), tip=5, at=4),
    Row("a breakpoint in reverse: pc at it, only at strictly earlier positions",
        (b"Z0,%x,4" % pc(7), b"OK"), (b"bc", stop(25, swbreak="")), (b"bc", stop(16, swbreak="")),
        (b"bc", stop(7, swbreak="")), (b"bc", stop(0, **BEGIN)), tip=27),
    Row("reverse-finish: a breakpoint at the entry, bc, bs", (b"Z0,%x,4" % pc(2), b"OK"),
        (b"bc", stop(11, swbreak="")), (b"z0,%x,4" % pc(2), b"OK"), (b"bs", stop(10)), tip=15),
    Row("all 33 registers and the position come with every stop", (b"vCont;s:1", stop(6)),
        (b"bs", stop(5)), (b"?", stop(5)), tip=5),
    Row("swbreak and hwbreak only if the client said it knows them",
        (b"Z0,%x,4" % pc(7), b"OK"), (b"vCont;c", stop(7)), greeting=b"qSupported:xmlRegisters=x"),
    Row("hwbreak of a Z1", (b"Z1,%x,4" % pc(7), b"OK"), (b"vCont;c", stop(7, hwbreak=""))),
    Row("swbreak only when both sides offer it", (b"qSupported:vContSupported+",
                                                   lacks(b"swbreak", b"hwbreak"))),
    Row("non-stop mode is not offered", (GDB_13, lacks(b"QNonStop")), (b"QNonStop:1", b"")),
    Row("qAttached is 1: gdb detaches when it quits", (b"qAttached", b"1"), (b"qAttached:1", b"1")),
    Row("a range step", (b"vCont;r%x,%x:1;c" % (CODE, pc(5)), stop(5))),
    Row("a range step is never empty", (b"vCont;r%x,%x:1;c" % (CODE, CODE), stop(1))),
    Row("signals are not the machine's", (b"vCont;C05:1", stop(10, **END)), tip=10, at=2),
    Row("c, C, s and S without vCont", (b"s", stop(3)), (b"S05", stop(4)), (b"c", stop(10, **END)),
        tip=10, at=2),
]

LLDB = [
    Row("history boundary", (b"bc", reason("history boundary", 0, **BEGIN)),
        (b"vCont;c", reason("history boundary", 9, **END)), tip=9, greeting=LLDB_19),
    Row("trace", (b"vCont;s:1", reason("trace", 1)), (b"bs", reason("trace", 0)), tip=0,
        greeting=LLDB_19),
    Row("breakpoint", (b"Z0,%x,4" % pc(7), b"OK"), (b"c", reason("breakpoint", 7)),
        greeting=LLDB_19),
    Row("watchpoint", (b"Z2,%x,8" % DATA, b"OK"), (b"c", reason("watchpoint", 1, watch=WATCHED)),
        greeting=LLDB_19),
    Row("no watchpoint_exceptions_received: accesses are reported before they happen",
        (b"qHostInfo", b""), (b"qProcessInfo", b""), (b"qWatchpointSupportInfo:", b"")),
    Row("its probe of x is not answered OK", (b"x0,0", b"")),
    Row("packets that it can do without",
        *[(packet, b"") for packet in (b"QThreadSuffixSupported", b"QListThreadsInStopReply",
                                       b"jThreadsInfo", b"qMemoryRegionInfo:80000000", b"qVAttachOrWaitSupported",
                                       b"QEnableErrorStrings", b"qGetWorkingDir", b"qShlibInfoAddr")]),
]

TIME = [
    Row("P of icount is a seek", (seek_packet(3), b"OK"), (lambda m: b"p" + icount(m), little(3)),
        (b"p20", little(pc(3))), (lambda m: b"p" + icount(m), little(3)), tip=20),
    Row("outside of history it is an error", (seek_packet(21), error(b"history")),
        (b"p20", little(pc(20))), tip=20),
    Row("starti: a position", (b"!", b"OK"), (b"vRun;;" + hexed("15"), stop(15)), tip=20),
    Row("starti: 1.5e1", (b"!", b"OK"), (b"vRun;;" + hexed("1.5e1"), stop(15)), tip=20),
    Row("starti: start", (b"!", b"OK"), (b"vRun;;" + hexed("start"), stop(0)), tip=20),
    Row("starti: end", (b"!", b"OK"), (b"vRun;;" + hexed("end"), stop(20)), tip=20, at=4),
    Row("starti: a percentage", (b"!", b"OK"), (b"vRun;;" + hexed("50%"), stop(10)), tip=20),
    Row("starti: a distance", (b"!", b"OK"), (b"vRun;;" + hexed("-5"), stop(15)), tip=20),
    Row("starti: a bookmark", (b"!", b"OK"), (b"qRcmd," + hexed("bookmark here"), None),
        (seek_packet(2), b"OK"), (b"vRun;;" + hexed("here"), stop(12)), tip=20, at=12),
    Row("starti alone: the beginning", (b"!", b"OK"), (b"vRun;", stop(0)), tip=20),
    Row("starti: nonsense, or outside of history", (b"!", b"OK"),
        (b"vRun;;" + hexed("nosuch"), error(b"nosuch")), (b"vRun;;" + hexed("21"), error(b"21")),
        (b"vRun;;3;3", error(b"malformed")), (b"vRun;;%s;%s" % (hexed("3"), hexed("4")), error(b"position")),
        (b"p20", little(pc(20))), tip=20, greeting=GDB_16),
    Row("points survive starti", (b"!", b"OK"), (b"Z0,%x,4" % pc(7), b"OK"),
        (b"vRun;;" + hexed("10"), stop(10)), (b"bc", stop(7, swbreak="")), tip=20),
    Row("vKill before vRun: no thread, then all again", (b"!", b"OK"), (b"vKill;1", b"OK"),
        (b"qfThreadInfo", b"l"), (b"qC", b""), (b"?", re.compile(b"W00.*")),
        (b"vRun;;" + hexed("9"), stop(9)), (b"qfThreadInfo", b"m1"), tip=20),
    Row("vAttach after kill", (b"!", b"OK"), (b"vKill;1", b"OK"), (b"vAttach;1", stop(20)), tip=20),
]

WATCH = [
    Row("forward: pc at the access, memory old", (b"Z2,%x,8" % DATA, b"OK"),
        (b"vCont;c", stop(1, watch=WATCHED)), (b"m%x,8" % DATA, little(0))),
    Row("reverse: pc behind it, memory new; the next bs has the old", (b"Z2,%x,8" % DATA, b"OK"),
        (b"bc", stop(2, watch=WATCHED)), (b"m%x,8" % DATA, little(1)),
        (b"z2,%x,8" % DATA, b"OK"), (b"bs", stop(1)), (b"m%x,8" % DATA, little(0)), tip=4),
    Row("a single step reports first, then moves", (b"Z2,%x,8" % DATA, b"OK"),
        (b"vCont;s:1", stop(1, watch=WATCHED)), (b"vCont;s:1", stop(2)),
        (b"bs", stop(2, watch=WATCHED)), (b"bs", stop(1)), tip=1),
    Row("a range step reports first, then moves", (b"Z2,%x,8" % DATA, b"OK"),
        (b"vCont;r%x,%x:1;c" % (CODE, pc(3)), stop(1, watch=WATCHED)),
        (b"vCont;r%x,%x:1;c" % (CODE, pc(3)), stop(3))),
    Row("the address lies in the watched range", (b"Z2,%x,1" % (DATA + 3), b"OK"),
        (b"vCont;c", stop(1, watch=f"{DATA + 3:x}"))),
    Row("one watch key for two ranges", (b"Z2,%x,4" % DATA, b"OK"), (b"Z2,%x,4" % (DATA + 4), b"OK"),
        (b"vCont;c", stop(1, watch=WATCHED))),
    Row("rwatch and awatch", (b"Z3,%x,8" % DATA, b"OK"), (b"vCont;c", stop(3, rwatch=WATCHED)),
        (b"z3,%x,8" % DATA, b"OK"), (b"Z4,%x,8" % DATA, b"OK"), (b"bc", stop(2, awatch=WATCHED))),
    Row("any length", *[(b"Z%d,%x,%x" % (kind, DATA, length), b"OK") for kind in (2, 3, 4)
                        for length in (1, 3, 8, 17, 4096, 1 << 20)]),
    Row("points are replaced, and removed at once", (b"Z2,%x,8" % DATA, b"OK"),
        (b"Z2,%x,8" % DATA, b"OK"), (b"z2,%x,8" % DATA, b"OK"), (b"vCont;c", stop(20, **END)),
        tip=20, at=0),
    Row("removing what is not there", (b"z2,%x,8" % DATA, b"OK"), (b"z0,%x,4" % CODE, b"OK")),
    Row("no such type", (b"Z5,%x,4" % DATA, b""), (b"z9,%x,4" % DATA, b"")),
]

CONDITIONS = [
    Row("offered", (GDB_13, has(b"ConditionalBreakpoints+", b"BreakpointCommands+"))),
    Row("a condition that holds once", (b"Z0,%x,4%s" % (pc(8), register_is(9, 2)), b"OK"),
        (b"vCont;c", stop(17, swbreak="")), (b"vCont;c", stop(30, **END)), tip=30, at=0),
    Row("in reverse", (b"Z0,%x,4%s" % (pc(8), register_is(9, 2)), b"OK"),
        (b"bc", stop(17, swbreak="")), (b"bc", stop(0, **BEGIN)), tip=30),
    Row("several are ORed, nothing stands between them",
        (b"Z1,%x,4%s%s" % (pc(8), register_is(9, 1), register_is(9, 3)[1:]), b"OK"),
        (b"bc", stop(26, hwbreak="")), (b"bc", stop(8, hwbreak="")), (b"bc", stop(0, **BEGIN)), tip=30),
    Row("Z replaces the conditions", (b"Z0,%x,4%s" % (pc(8), register_is(9, 77)), b"OK"),
        (b"Z0,%x,4" % pc(8), b"OK"), (b"bc", stop(26, swbreak="")), tip=30),
]

PACKETS = [
    Row("QStartNoAckMode and a large PacketSize",
        (GDB_13, has(b"QStartNoAckMode+", b"PacketSize=20000"))),
    Row("vMustReplyEmpty and what nobody knows",
        *[(packet, b"") for packet in (b"vMustReplyEmpty", b"vNoSuch", b"qNoSuch", b"QNoSuch:1", b"_",
                                       b"qOffsets", b"qTStatus", b"qTfV", b"vFile:setfs:0", b"qGetTLSAddr:1,2,3",
                                       b"QPassSignals:e;10", b"vCtrlC", b"vStopped")]),
    Row("vCont lists c, C, s, S and more", (b"vCont?", b"vCont;c;C;s;S;t;r")),
    Row("vCont;t: nothing moves", (b"vCont;t", stop(5)), tip=5),
    Row("x from gdb 16 on", (GDB_16, has(b"binary-upload+")),
        (b"x%x,8" % CODE, b"b" + LOOP_BYTES[:8]), (b"x40000000,8", error(b"40000000")),
        greeting=GDB_16),
    Row("x escapes what has to be", (b"X%x,4:}\x03}\x04}]*" % DATA, b"OK"),
        (b"x%x,4" % DATA, b"b#$}*"), (b"m%x,4" % DATA, b"23247d2a")),
    Row("without error-message+ a failed read is E and two digits",
        (b"m40000000,8", error()), (b"x40000000,8", error()), (b"m%x,8" % RAM_END, error())),
    Row("with it, a sentence", (GDB_16, has(b"error-message+")), (b"m40000000,8", error(b"40000000")),
        (b"M40000000,1:00", error(b"40000000")), (b"p9999", error(b"register")),
        (b"P9999=00", error(b"register")), (b"T7", error(b"thread")), (b"Hg7", error(b"thread")),
        (b"m", error(b"malformed")), (b"Z2,%x,0" % DATA, error(b"byte")), (b"G00", error(b"bytes")),
        greeting=GDB_16),
    Row("error-message+ is offered only to who asks", (GDB_13, lacks(b"error-message"))),
    Row("a read that runs out of memory is short", (b"m%x,10" % (RAM_END - 4), b"00" * 4),
        (b"x%x,10" % (RAM_END - 4), b"b" + b"\0" * 4)),
    Row("no memory map: unlisted addresses would be refused by gdb unasked, and they are virtual",
        (GDB_13, lacks(b"memory-map")), (b"qXfer:memory-map:read::0,1000", b"")),
    Row("target.xml: architecture, OS ABI none, features",
        (b"qXfer:features:read:target.xml:0,1ff00",
         has(b"<architecture>riscv:rv64</architecture>", b"<osabi>none</osabi>",
             b"org.gnu.gdb.riscv.cpu", b"org.gnu.gdb.riscv.fpu", b"org.gnu.gdb.riscv.csr",
             b"org.gnu.gdb.riscv.virtual", b'name="icount" bitsize="64"', b'save-restore="no"'))),
    Row("threads are harts, from 1, with what they do", (b"qfThreadInfo", b"m1,2"),
        (b"qsThreadInfo", b"l"), (b"qXfer:threads:read::0,1000", XML_THREADS),
        (b"qThreadExtraInfo,2", b"hart 1, running".hex().encode()), (b"T2", b"OK"), (b"T3", error()),
        (b"qC", b"QC1"), harts=2),
    Row("qSymbol", (b"qSymbol::", b"OK")),
    Row("monitor: the text is the reply", (b"qRcmd," + hexed("when"), has(b"position")), tip=5),
    Row("an unknown command says so", (b"qRcmd," + hexed("nosuch"), has(b"unknown command"))),
    Row("X of nothing is a question", (b"X%x,0:" % CODE, b"OK")),
    Row("k ends the connection without a word", (b"k", SILENT)),
    Row("D is answered", (b"D", b"OK"), tip=5, at=2),
    Row("D;1 too", (b"D;1", b"OK"), tip=5, at=2),
]

SEARCH = [
    Row("qSearch:memory: found", (b"qSearch:memory:%x;1000;%s" % (CODE, rsp_client.escape(LOOP_BYTES[8:16])),
                                  b"1,%x" % (CODE + 8))),
    Row("not found", (b"qSearch:memory:%x;2000;nosuch thing" % CODE, b"0")),
    Row("the first of several", (b"M%x,6:616263616263" % DATA, b"OK"),
        (b"qSearch:memory:%x;1000;abc" % DATA, b"1,%x" % DATA),
        (b"qSearch:memory:%x;1000;abc" % (DATA + 1), b"1,%x" % (DATA + 3)),
        (b"qSearch:memory:%x;5;abc" % (DATA + 1), b"1,%x" % (DATA + 3)),
        (b"qSearch:memory:%x;4;abc" % (DATA + 1), b"0")),
    Row("across the pieces it is looked at in", (b"M8001fffd,6:6e6565646c65", b"OK"),
        (b"qSearch:memory:80010000;100000;needle", b"1,8001fffd"),
        (b"qSearch:memory:%x;100000;needle" % (0x8001fffd - 0xffff), b"1,8001fffd"),
        (b"qSearch:memory:8001fffe;100000;needle", b"0")),
    Row("all of RAM", (b"M%x,2:beef" % (RAM_END - 2), b"OK"),
        (b"qSearch:memory:%x;%x;\xbe\xef" % (CODE, RAM_END - CODE), b"1,%x" % (RAM_END - 2))),
    Row("over the end of memory", (b"qSearch:memory:%x;1000;\xbe\xef" % (RAM_END - 16), error(b"%x" % RAM_END)),
        greeting=GDB_16),
    Row("more than there can be", (b"qSearch:memory:0;ffffffffffffffff;x", error(b"more")),
        (b"qCRC:%x,ffffffffffff" % CODE, error(b"more")),
        (b"qCRC:ffffffffffffff00,1000", error(b"more")), greeting=GDB_16),
    Row("no pattern, no such space", (b"qSearch:memory:80000000;10;", error()),
        (b"qSearch:disk:0;10;x", b"")),
    Row("qCRC is compare-sections' sum", (b"qCRC:%x,%x" % (CODE, len(LOOP_BYTES)),
                                          b"C%x" % gdb_crc(LOOP_BYTES)),
        (b"qCRC:%x,0" % CODE, b"Cffffffff"),
        (b"qCRC:%x,%x" % (CODE, 200000), b"C%x" % gdb_crc(LOOP_BYTES + bytes(200000 - len(LOOP_BYTES)))),
        (b"qCRC:40000000,4", error()), (b"qCRC:%x" % CODE, error())),
]

PHYSICAL = [
    Row("as QEMU has it", (b"qqemu.Supported", has(b"PhyMemMode")), (b"qqemu.PhyMemMode", b"0"),
        (b"Qqemu.PhyMemMode:1", b"OK"), (b"qqemu.PhyMemMode", b"1"),
        (b"m%x,4" % CODE, LOOP_BYTES[:4].hex().encode()), (b"M%x,2:1234" % DATA, b"OK"),
        (b"m%x,2" % DATA, b"1234"), (b"qSearch:memory:%x;1000;\x12\x34" % DATA, b"1,%x" % DATA),
        (b"M40000000,1:00", error(b"physical")), (b"Qqemu.PhyMemMode:0", b"OK"),
        (b"qqemu.PhyMemMode", b"0"), (b"Qqemu.PhyMemMode:2", error()), (b"Qqemu.PhyMemMode", error())),
    Row("monitor physical", (b"qRcmd," + hexed("physical on"), has(b"physical")),
        (b"qqemu.PhyMemMode", b"1"), (b"qRcmd," + hexed("physical"), has(b"physical")),
        (b"qRcmd," + hexed("physical off"), has(b"translated")), (b"qqemu.PhyMemMode", b"0"),
        (b"qRcmd," + hexed("physical maybe"), has(b"error")), (b"qqemu.PhyMemMode", b"0")),
]

TABLE = {"Reverse": REVERSE, "Lldb": LLDB, "Time": TIME, "Watch": WATCH, "Conditions": CONDITIONS,
         "Packets": PACKETS, "Search": SEARCH, "Physical": PHYSICAL}


# ---- running rows ----

def ask(client, request, expected):
    """One exchange; what came is an AssertionError when it is not what was expected."""
    if expected is SILENT:
        client.send_packets([request])
        try:
            reply = client.receive_packet(end_to_end.GUARD)
        except rsp_client.RspTimeout:
            raise AssertionError("the connection stays open") from None
        except rsp_client.RspError:
            return
        raise AssertionError(f"answered: {reply!r}")
    if request.startswith(b"qRcmd,"):
        reply = client.monitor(bytes.fromhex(request[6:].decode()).decode()).encode()
    elif getattr(expected, "resumes", False):
        reply = client.resume(request, end_to_end.GUARD)
    else:
        reply = client.request(request, end_to_end.GUARD)
    if expected is None:
        return
    if callable(expected):
        expected(reply)
    elif isinstance(expected, re.Pattern):
        assert expected.fullmatch(reply), reply
    else:
        assert reply == expected, f"{reply!r}, not {expected!r}"


def run_row(row):
    with protocol.Machine(row.harts, row.arguments) as m:
        m.client.request(row.greeting)
        m.make_history(row.tip)
        if row.at != row.tip:
            m.seek(row.at)
        for request, expected in row.talk:
            packet = request(m) if callable(request) else request
            try:
                ask(m.client, packet, expected)
            except AssertionError as e:
                raise AssertionError(f"{packet[:80]!r}: {e}") from None


def table_tests(rows):
    def method(row):
        return lambda self: run_row(row)
    return {"test_" + re.sub(r"\W+", "_", row.fact): method(row) for row in rows}


for section, table in TABLE.items():
    names = table_tests(table)
    assert len(names) == len(table), f"{section}: facts have to differ"
    globals()[section] = type(section, (unittest.TestCase,), names)


# ---- what is no exchange of packets ----

class Running(unittest.TestCase):
    def test_a_long_search_reports_and_ends_at_ctrl_c_where_it_began(self):
        with protocol.Machine() as m:
            c = m.client
            tip = m.run_to(protocol.LONG)
            c.insert_point(0, protocol.NEVER)
            for packet in (b"bc", b"vCont;c"):
                c.send_packets([packet])
                time.sleep(0.1)
                sent = time.monotonic()
                c.send_raw(rsp_client.INTERRUPT * 2)  # impatience: the second is swallowed
                reply = c.wait_stop(end_to_end.GUARD)
                print(f"{1e3 * (time.monotonic() - sent):.1f} ms", end=" ", flush=True)
                if packet == b"bc":
                    self.assertEqual((reply.signal, m.position()), (2, tip))
                c.send_raw(rsp_client.INTERRUPT)  # late
                self.assertEqual(c.request(b"vMustReplyEmpty"), b"")
                time.sleep(0.6)
                m.seek(tip - 50)
                self.assertEqual(c.step().signal, 5)
                m.seek(tip - 50)
            m.seek(tip)

    def test_progress_once_a_second(self):
        with protocol.Machine() as m:
            c = m.client
            m.run_to(2 * protocol.LONG)
            c.insert_point(0, protocol.NEVER)
            start = time.monotonic()
            stopped = c.reverse_cont(4 * end_to_end.GUARD)
            seconds = int(time.monotonic() - start)
            lines = re.findall(rb"backstep: \d+% of \d+ steps", stopped.console)
            print(f"{seconds} s, {len(lines)} lines", end=" ")
            self.assertLessEqual(len(lines), seconds + 1)
            if seconds >= 3:
                self.assertTrue(lines, stopped.console)

    def test_ctrl_c_ends_a_seek_where_it_began(self):
        with protocol.Machine() as m:
            tip = m.run_to(protocol.LONG)
            m.seek(tip // 2)
            m.client.send_packets([seek_packet(tip - 1)(m)])
            m.client.interrupt()
            reply = m.client.receive_packet(end_to_end.GUARD)
            self.assertRegex(reply, rb"^(E\.interrupted|OK)$")
            self.assertEqual(m.position(), tip // 2 if reply != b"OK" else tip - 1)

    def test_harts_that_wait_and_machines_that_are_off(self):
        with protocol.Machine(2) as m:
            c = m.client
            wait = CODE + 0x200
            c.write_memory(wait, struct.pack("<II", 0x10500073, 0xffdff06f))
            c.write_memory(wait + 16, struct.pack("<5I", 0x001002b7, 0x00005337, 0x5553031b, 0x0062a023,
                                                  0x0000006f))
            c.expect_ok(b"Hg2")
            c.write_register(PC, wait)
            c.expect_ok(b"Hg1")
            c.write_register(PC, wait + 16)
            c.send_packets([b"vCont;s:2;c"])
            c.wait_stop(end_to_end.GUARD)
            states = re.findall(rb">(\w+)</thread>", c.transfer("threads"))
            self.assertIn(states, ([b"running", b"waiting"], [b"halted", b"halted"]))
            c.resume(b"vCont;c", end_to_end.GUARD)
            self.assertEqual(re.findall(rb">(\w+)</thread>", c.transfer("threads")), [b"halted"] * 2)
            c.reverse_step()
            self.assertIn(b"running", re.findall(rb">(\w+)</thread>", c.transfer("threads")))

    def test_a_large_load_at_the_tip_is_history(self):
        with protocol.Machine() as m:
            c = m.client
            m.make_history(20)
            image = bytes((n * 7 + (n >> 8)) & 255 for n in range(1 << 20))
            c.write_memory(CODE + 0x100000, image, binary=True)
            c.write_register(protocol.COUNT, 77)
            m.make_history(25)
            self.assertEqual(c.reverse_cont().history_end, "begin")
            self.assertEqual(c.read_memory(CODE + 0x100000, 1 << 20), bytes(1 << 20))
            self.assertEqual(c.cont().history_end, "end")
            self.assertEqual(c.read_memory(CODE + 0x100000, 1 << 20), image)
            crc = c.request(b"qCRC:%x,100000" % (CODE + 0x100000))
            self.assertEqual(crc, b"C%x" % gdb_crc(image))
            m.seek(20)
            self.assertEqual(c.read_register(protocol.COUNT), 77)

    def test_physical_memory_is_not_the_harts_view(self):
        """With Sv39 on, an address that the page tables do not map."""
        with protocol.Machine() as m:
            c = m.client
            info = c.register_info
            root = 0x80400000
            c.write_memory(root + 8 * 0, struct.pack("<Q", (0x80000000 >> 2) | 0xcf))  # VA 0 -> RAM
            c.write_register(info["satp"].number, 8 << 60 | root >> 12)
            c.write_register(info["pmpaddr0"].number, (1 << 54) - 1)
            c.write_register(info["pmpcfg0"].number, 0x1f)
            c.write_register(info["priv"].number, 1, info["priv"].bits // 8)
            self.assertEqual(c.request(b"m0,4"), LOOP_BYTES[:4].hex().encode())
            self.assertRegex(c.request(b"m%x,4" % CODE), b"^E")
            c.expect_ok(b"Qqemu.PhyMemMode:1")
            self.assertEqual(c.request(b"m%x,4" % CODE), LOOP_BYTES[:4].hex().encode())
            c.expect_ok(b"M%x,4:01020304" % DATA)
            c.expect_ok(b"Qqemu.PhyMemMode:0")
            self.assertEqual(c.request(b"m%x,4" % (DATA - CODE)), b"01020304")


@unittest.skipUnless(shutil.which(gdb_session.GDB), "no gdb-multiarch")
class Gdb(unittest.TestCase):
    """What gdb makes of it."""

    def test_load_compare_find_and_starti(self):
        elf = end_to_end.guest("integer")
        with programs.start_backstep(["-bios", "none", "-m", "16M", "-serial", "null"]) as p:
            with gdb_session.GdbSession(elf) as gdb:
                gdb.execute("target extended-remote " + p.address[5:])
                gdb.execute("stepi 5")
                self.assertIn("Transfer rate", gdb.execute("load"))
                self.assertNotIn("MIS-MATCHED", gdb.execute("compare-sections"))
                entry = gdb.value("$pc")
                code = gdb.instruction(entry)
                gdb.execute("stepi 20")
                here, tip = gdb.place()
                gdb.execute("monitor bookmark there")
                for argument, position in (("3", 3), ("there", tip), ("start", 0), ("end", tip),
                                           ("0%", 0), ("100%", tip)):
                    gdb.execute("starti " + argument)
                    self.assertEqual(gdb.position(), position, argument)
                self.assertEqual(gdb.place(), (here, tip))
                gdb.execute("starti 5")  # the load is of this position; before it there is nothing
                self.assertEqual((gdb.value("$pc"), gdb.instruction(entry)), (entry, code))
                gdb.execute("reverse-stepi")
                self.assertEqual((gdb.position(), gdb.instruction(entry)), (4, 0))
                gdb.execute("continue")  # replays
                self.assertEqual(gdb.place(), (here, tip))
                self.assertNotIn("MIS-MATCHED", gdb.execute("compare-sections .text"))
                found = gdb.execute(f"find /w {entry:#x}, +0x10000, {code:#x}")
                self.assertIn(f"{entry:#x}", found)
                self.assertIn("not found", gdb.execute(f"find {entry:#x}, +0x10000, \"nosuchtext\""))

    def test_the_ends_of_history_and_ctrl_c(self):
        with protocol.Machine() as m:
            m.make_history(20)
            m.seek(3)
            m.client.close()
            with gdb_session.GdbSession(target=m.program.address[5:]) as gdb:
                self.assertIn("No more reverse-execution history", gdb.execute("reverse-continue"))
                self.assertEqual(gdb.position(), 0)
                self.assertIn("No more reverse-execution history", gdb.execute("reverse-stepi"))
                self.assertIn("No more reverse-execution history", gdb.execute("continue"))
                self.assertEqual(gdb.position(), 20)
                _, seconds = gdb.interrupted("continue", 0.5)
                print(f"{1e3 * seconds:.0f} ms", end=" ", flush=True)
                tip = gdb.position()
                self.assertGreater(tip, 20)
                gdb.execute(f"break *{protocol.NEVER:#x}")
                gdb.execute("reverse-stepi")
                self.assertEqual(gdb.position(), tip - 1)
                gdb.execute("maintenance packet Qqemu.PhyMemMode:1")
                self.assertEqual(gdb.instruction(CODE), protocol.LOOP[0])


# ---- whole conversations ----

GOLDEN = pathlib.Path(end_to_end.source_folder(), "tests", "golden", "rsp")
LONG_REPLY = 1000


def printable(data):
    return "".join(chr(b) if 32 <= b < 127 and b != 92 else f"\\x{b:02x}" for b in data)


def from_printable(text):
    return re.sub(rb"\\x([0-9a-f]{2})", lambda m: bytes([int(m[1], 16)]), text.encode())


def shown(reply):
    """As it stands in a file: of long ones the beginning, size and sum."""
    if len(reply) <= LONG_REPLY:
        return printable(reply)
    return f"{printable(reply[:40])}... {len(reply)} bytes, CRC {binascii.crc32(reply):08x}"


def replies(client, request):
    """Up to the packet that ends the answer: console output comes before it."""
    client.send_packets([request])
    found = []
    while True:
        found.append(client.receive_packet(end_to_end.GUARD))
        if not re.fullmatch(rb"O(?!K)[0-9a-f]*", found[-1]):
            return found


def play(lines):
    """The conversation again: comments and requests as they stand, and what came back."""
    harts = next((int(line.split()[-1]) for line in lines if line.startswith("# harts ")), 1)
    with programs.start_backstep(["-bios", "none", "-m", "16M", "-smp", str(harts), "-serial", "null"]) as p:
        with rsp_client.RspClient(p.address) as client:
            made = []
            for line in lines:
                if line.startswith("< "):
                    continue
                made.append(line)
                if line.startswith("> "):
                    request = from_printable(line[2:])
                    got = replies(client, request)
                    made += ["< " + shown(reply) for reply in got]
                    if request == b"QStartNoAckMode":
                        client.send_raw(b"+" * client.owed)
                        client.owed, client.acks = 0, False
    return made


def golden_test(path):
    def test(self):
        lines = path.read_text(encoding="ascii").splitlines()
        self.maxDiff = None
        self.assertEqual(play(lines), lines)
    return test


Golden = type("Golden", (unittest.TestCase,),
              {f"test_{path.stem}": golden_test(path) for path in sorted(GOLDEN.glob("*.txt"))})


def regenerate():
    for path in sorted(GOLDEN.glob("*.txt")):
        lines = path.read_text(encoding="ascii").splitlines()
        path.write_text("\n".join(play(lines)) + "\n", encoding="ascii")


if __name__ == "__main__":
    if sys.argv[1:] == ["--regenerate"]:
        programs.backstep_path()
        regenerate()
        sys.exit(0)
    if not list(GOLDEN.glob("*.txt")):
        sys.exit(f"no conversations in {os.fspath(GOLDEN)}")
    end_to_end.main()
