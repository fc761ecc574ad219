#!/usr/bin/env python3
"""gdb, two control clients and a user at the prompt at once, each with whatever comes to mind, valid or
not, interrupting one another and leaving in the midst of it. Each request has exactly one reply, in
order; nobody hangs; and afterwards history replays as it was made.

All choices follow from seeds (BACKSTEP_SEED: one to use instead); what meets what does not.
BACKSTEP_STORM: seconds of each."""

import fcntl
import json
import os
import pty
import random
import re
import select
import subprocess
import sys
import tempfile
import termios
import threading
import time
import tty
import unittest

import qmp_client
import cli_test
import rsp_client

SEEDS = [int(os.environ["BACKSTEP_SEED"])] if "BACKSTEP_SEED" in os.environ else [1, 2, 3]
SECONDS = float(os.environ.get("BACKSTEP_STORM", "6"))
GUARD = 120.0  # seconds after which something hangs
HISTORY = 3_000_000  # positions there are at first
RUN = 0.05  # at most that long somebody runs before he interrupts
HARTS = 2
CODE, DATA = qmp_client.CODE, qmp_client.DATA
CTRL_A, CTRL_C, CTRL_U = b"\x01", b"\x03", b"\x15"

NUMBERS = ["0", "1", "2", "7", "1000", "123456", "-1", "-3", "+5", "start", "end", "50%", "99%", "100%", "101%",
           "1e3", "1,000", "0x10", "18446744073709551615", "18446744073709551616", "-0", "b1", "nowhere", ""]
ADDRESSES = [CODE, CODE + 4, CODE + 12, CODE + 16, DATA, DATA + 4, DATA + 0xffc, 0, 0x10000000, 0x02000000,
             0x80ffffff, 0x81000000, (1 << 64) - 1, (1 << 64) - 8, 1 << 63]
LENGTHS = [1, 2, 3, 4, 8, 16, 64, 4096, 1 << 20, (1 << 63) - 1, (1 << 64) - 1]


def address(rng):
    return rng.choice(ADDRESSES)


def place(rng):
    """A position, often a possible one."""
    return rng.choice(NUMBERS) if rng.random() < 0.5 else str(rng.randrange(HISTORY))


def line(rng, folder):
    """For `monitor`, the prompt and human-monitor-command."""
    a = f"{address(rng):#x}"
    return rng.choice([
        "when", f"goto {place(rng)}", f"goto {place(rng)}", f"goto {place(rng)}", "info machine", "info harts",
        "info checkpoints", "info points", "info events", "info devices", "info device uart", "bookmarks",
        f"bookmark b{rng.randrange(4)} a note", f"bookmark -d b{rng.randrange(4)}", f"branch w{rng.randrange(3)}",
        f"branch -d w{rng.randrange(3)}", f"switch w{rng.randrange(3)}", "switch main", "switch main", "branches",
        f"break {a}", f"watch {a} 8", f"watch -p {a} 8", f"watch -a {a} 4 if == 3", f"watch -c {a}", "delete all",
        f"delete {rng.randrange(9)}", f"last-write {a}", f"last-write -p {a} 4", f"last-read {a}",
        f"writes {a} 8 5",
        f"calls {a} 4", "traps", f"diff {place(rng)} {place(rng)}", f"diff main@{place(rng)} w1@end", "timeline",
        f"timeline {rng.randrange(200)}", f"console-at {place(rng)}", "disassemble", f"disassemble {a} 3",
        f"reverse-line start {CODE:#x} {CODE + 20:#x}", f"reverse-line leave {CODE:#x} {CODE + 20:#x}",
        "reverse-line finish", f"step-over-interrupts {rng.choice(['on', 'off'])}", "help", "help goto", "nosuch",
        f"save {folder}/saved", f"export core {folder}/core", f"json {row(rng)[0]} {json.dumps(row(rng)[1])}",
        "json", "json when {", "json step {\"count\":200}", "json continue []", "x" * 5000, "physical on",
        "physical off",
    ])


def row(rng):
    """(name, arguments) of a command that answers in JSON, now and then with what is none of its arguments."""
    a, size = rng.choice([address(rng), f"{address(rng):#x}"]), rng.choice(LENGTHS)
    name, arguments = rng.choice([
        ("when", {}), ("goto", {"to": rng.choice([place(rng), rng.randrange(HISTORY)])}),
        ("goto", {"to": place(rng)}), ("step", {}), ("step", {"count": rng.randrange(300),
        "hart": rng.randrange(3)}),
        ("reverse-step", {"count": rng.randrange(50)}), ("reverse-step", {"hart": rng.randrange(HARTS)}),
        ("reverse-continue", {}), ("last-write", {"address": a, "length": size}),
        ("last-write", {"address": a, "length": size, "physical": True}), ("last-read",
        {"address": a, "steps": size}),
        ("writes", {"address": a, "length": size, "most": rng.randrange(1200)}), ("calls",
        {"address": a, "most": 3}),
        ("traps", {"from": place(rng), "to": place(rng)}), ("bookmark", {"name": f"b{rng.randrange(4)}",
        "note": "\u00e4" * 300}),
        ("bookmark", {"name": "b1", "at": place(rng)}), ("bookmark-delete", {"name": f"b{rng.randrange(4)}"}),
        ("bookmarks", {}), ("checkpoints", {}), ("diff", {"a": place(rng), "b": place(rng)}),
        ("diff", {"a": "main@0", "b": f"w{rng.randrange(3)}@end"}), ("console", {"lines": size}), ("timeline",
        {"columns": rng.randrange(300)}),
        ("timeline", {"addresses": [CODE + 4 * i for i in range(rng.randrange(30))]}),
        ("line", {"mode": rng.choice(["start", "leave", "over", "finish"]), "low": CODE, "high": CODE + 20,
                  "ranges": [[CODE + 4, CODE + 12]]}), ("line", {"mode": "start",
                  "low": a, "high": size, "ranges": [[]]}),
        ("registers", {"hart": rng.randrange(3)}), ("read-memory", {"address": a, "length": size}),
        ("read-memory", {"address": a, "length": 64, "physical": True}), ("write-memory",
        {"address": a, "bytes": "00" * 8}),
        ("write-register", {"hart": 0, "name": rng.choice(["t0", "a1", "pc", "nosuch"]),
        "value": rng.choice([CODE, 7])}),
        ("break", {"address": a}), ("break", {"address": CODE + 8, "space": 0}),
        ("watch", {"address": a, "length": size, "kind": rng.choice(["write", "read", "access", "none"])}),
        ("watch", {"address": a, "length": size, "physical": True}), ("delete", {"number": rng.randrange(9)}),
        ("delete", {"number": "all"}), ("points", {}), ("branches", {}), ("branch",
        {"name": f"w{rng.randrange(3)}"}),
        ("switch", {"name": rng.choice(["main", "w0", "w1"])}), ("branch-delete", {"name": f"w{rng.randrange(3)}"}),
        ("disassemble", {"address": a, "count": rng.randrange(1200)}), ("step-over-interrupts",
        {"on": rng.random() < 0.5}),
        ("nosuch", {}),
    ])
    if rng.random() < 0.1:
        arguments = {**arguments, rng.choice(["hart", "to", "address", "count", "nosuch"]):
                     rng.choice([-1, 1 << 62, "x", None, [], {}, 1.5, True])}
    return name, arguments


def is_text(packet):
    """In hex."""
    return re.fullmatch(rb"([0-9a-f]{2})+", packet) is not None


class Client(threading.Thread):
    """Storms until told to end; `failure` is what has gone wrong."""

    def __init__(self, storm, number):
        super().__init__(daemon=True)
        self.storm = storm
        self.rng = random.Random(storm.seed * 100 + number)
        self.failure = None
        self.requests = 0
        self.last = None

    def run(self):
        try:
            while not self.storm.over.is_set():
                self.connection()
        except Exception as e:  # pylint: disable=broad-except
            self.failure = e
            self.storm.over.set()

    def pause(self):
        time.sleep(self.rng.random() * RUN)


class Gdb(Client):
    """One request at a time or several; behind each a question whose answer nothing else has."""

    MOVES = [b"bs", b"bc", b"s", b"c", b"vCont;s:1;c", b"vCont;s:2;c", b"vCont;c", b"vCont;s",
    b"vCont;r80000000,8000000c:1;c"]

    def connection(self):
        limit = time.monotonic() + GUARD
        while True:  # the last one may not have ended
            try:
                c = rsp_client.RspClient(f"unix:{self.storm.path('gdb')}", GUARD)
                c.handshake(["swbreak+", "hwbreak+"] + ["vContSupported+"] * self.rng.randrange(2))
                break
            except (rsp_client.RspError, OSError):
                c.close()
                if time.monotonic() > limit:
                    raise
                time.sleep(0.01)
        with c:
            self.xml = c.transfer("features", "target.xml")
            self.icount = c.read_register_info()["icount"].number
            while not self.storm.over.is_set():
                self.requests += 1
                self.turn(c)
                if self.rng.random() < 0.02:
                    self.leave(c)
                    return

    def turn(self, c):
        choice = self.rng.random()
        if choice < 0.25:
            self.move(c)
        elif choice < 0.5:
            self.monitor(c)
        elif choice < 0.55:
            self.abandon(c)
        else:
            self.look(c)
        self.mark(c)

    def mark(self, c):
        offset, size = self.rng.randrange(len(self.xml) - 64), self.rng.randrange(1, 64)
        reply = c.request(f"qXfer:features:read:target.xml:{offset:x},{size:x}".encode())
        if reply != b"m" + self.xml[offset:offset + size]:
            raise AssertionError(f"gdb: out of step after {self.last!r}: {reply[:200]!r}")

    def move(self, c):
        moves = [*self.MOVES, b"vRun;;" + place(self.rng).encode().hex().encode(), b"vRun;",
        b"P%x=%s" % (self.icount, rsp_client.hex_le(self.rng.randrange(HISTORY), 8))]
        self.last = move = self.rng.choice(moves)
        c.send_packets([move])
        if move[:1] == b"P":
            reply = c.receive_packet()
            if reply != b"OK" and reply[:1] != b"E":
                raise AssertionError(f"{move!r}: {reply!r}")
            return
        limit = time.monotonic() + GUARD
        while True:
            self.pause()
            c.interrupt()  # one that comes too late is for nobody
            if select.select([c.socket], [], [], 0.5)[0] or c.buffer:
                break
            if time.monotonic() > limit:
                raise AssertionError(f"{move!r}: no stop")
        if move[:4] == b"vRun":
            reply = c.receive_packet()
            if reply[:1] not in (b"T", b"E"):
                raise AssertionError(f"{move!r}: {reply!r}")
        elif (stop := c.wait_stop()).kind != "T":
            raise AssertionError(f"{move!r}: {stop}")

    def monitor(self, c):
        text = line(self.rng, self.storm.folder)
        self.last = f"monitor {text[:80]}"
        c.send_packets([b"qRcmd," + text.encode().hex().encode()])
        if self.rng.random() < 0.3:
            self.pause()
            c.send_raw(self.rng.choice([b"\x03", b"-"]))
        limit = time.monotonic() + GUARD
        while True:
            try:
                packet = c.receive_packet(1)
            except rsp_client.RspTimeout:
                if time.monotonic() > limit:
                    raise
                c.send_raw(b"-")  # as gdb does
                if self.rng.random() < 0.2:
                    c.interrupt()
                continue
            if packet == b"OK" or is_text(packet):
                return
            if packet[:1] != b"O" or packet[1:] and not is_text(packet[1:]):
                raise AssertionError(f"{self.last}: {packet[:200]!r}")

    def abandon(self, c):
        """As gdb upon Ctrl-C: nothing comes but the answer to the next request. What has moved already is
        answered before."""
        self.last = "abandoned"
        name = self.rng.choice(["json reverse-continue", "last-write -p 0x80003000", "diff start end", "timeline",
                                "json goto {\"to\":1000}", "json step {\"count\":100000}"])
        marker = b"qXfer:features:read:target.xml:0,9"
        c.send_packets([b"qRcmd," + name.encode().hex().encode(), marker])
        while (reply := c.receive_packet()) != b"m" + self.xml[:9]:
            if reply[:1] != b"O" and not is_text(reply):
                raise AssertionError(f"{name}, then a request: {reply[:200]!r}")

    def look(self, c):
        a, size = address(self.rng), self.rng.choice(LENGTHS)
        requests = [b"g", b"?", b"qC", b"p%x" % self.icount, b"p20", b"m%x,%x" % (a, size), b"x%x,%x" % (a, size),
                    b"M%x,4:01020304" % a, b"X%x,2:ab" % a, b"P5=%s" % rsp_client.hex_le(DATA, 8), b"Z0,%x,4" % a,
                    b"z0,%x,4" % a, b"Z2,%x,%x" % (a, size), b"z2,%x,%x" % (a, size),
                    b"Z4,%x,8" % a, b"z4,%x,8" % a,
                    b"Z0,%x,4;X3,220127" % (CODE + 8), b"Z0,%x,4;cmds:1,X9,34000005746963" % (CODE + 8),
                    b"z0,%x,4" % (CODE + 8), b"Hg1", b"Hg2", b"Hg9", b"Hc1", b"Hc0", b"qfThreadInfo",
                    b"qsThreadInfo", b"T1",
                    b"qSearch:memory:%x;1000;\x05\x00" % CODE, b"qCRC:%x,1000" % CODE, b"qXfer:threads:read::0,1000",
                    b"nosuch", b"vMustReplyEmpty", b"Qqemu.PhyMemMode:0", b"qqemu.PhyMemMode", b"vCont?", b"m",
                    b"P", b"Z9,0,0", b"!",
                    b"vKill;1", b"vAttach;1"]
        some = [self.rng.choice(requests) for _ in range(self.rng.choice([1, 1, 1, 5, 30]))]
        self.last = some
        c.send_packets(some)
        for request in some:
            reply = c.receive_packet()
            if reply[:1] == b"O" and reply != b"OK":
                raise AssertionError(f"{request!r}: console output {reply[:80]!r}")
            if request == b"g" and not re.fullmatch(rb"[0-9a-f]{1000,}", reply):
                raise AssertionError(f"g: {reply[:80]!r}")
            if request in (b"vMustReplyEmpty", b"nosuch") and reply:
                raise AssertionError(f"{request!r}: {reply[:80]!r}")

    def leave(self, c):
        way = self.rng.randrange(5)
        if way == 0:
            c.expect_ok(b"D")
        elif way == 1:
            c.send_packets([self.rng.choice(self.MOVES)])
        elif way == 2:
            c.send_packets([b"qRcmd," + line(self.rng, self.storm.folder).encode().hex().encode()])
            c.send_raw(b"-" * self.rng.randrange(2))
        elif way == 3:
            c.send_raw(b"$g#6")
        else:
            c.send_packets([b"k"])


class Control(Client):
    """Requests one by one or queued up; replies carry their ids."""

    def connection(self):
        self.running = None
        with qmp_client.connect_unix(self.storm.path("qmp")) as s:
            c = qmp_client.QmpClient(s, negotiate=False)
            c.send({"execute": "qmp_capabilities"})
            self.reply(c)
            while not self.storm.over.is_set():
                if not self.turn(c) or self.rng.random() < 0.02:
                    return

    def event(self, event):
        """STOP and RESUME take turns."""
        name = event["event"]
        if name not in ("STOP", "RESUME"):
            return
        if self.running == (name == "RESUME"):
            raise AssertionError(f"two {name} in a row, after {self.last}")
        self.running = name == "RESUME"

    def reply(self, c):
        while True:
            message = c.receive(GUARD)
            if "event" not in message:
                return message
            self.event(message)

    def request(self):
        choice = self.rng.random()
        if choice < 0.6:
            name, arguments = row(self.rng)
            return {"execute": "x-backstep-" + name, "arguments": arguments}
        if choice < 0.75:
            return {"execute": "human-monitor-command",
            "arguments": {"command-line": line(self.rng, self.storm.folder)}}
        return self.rng.choice([
            {"execute": "query-status"}, {"execute": "query-replay"}, {"execute": "system_reset"},
            {"execute": "query-commands"}, {"execute": "stop"},
            {"execute": "stop"}, {"execute": "cont"}, {"execute": "query-cpus-fast"}, {"execute": "query-jobs"},
            {"execute": "replay-break", "arguments": {"icount": self.rng.randrange(-1, HISTORY)}},
            {"execute": "replay-delete-break"}, {"execute": "replay-seek",
            "arguments": {"icount": self.rng.randrange(HISTORY)}},
            {"execute": "snapshot-save", "arguments": {"job-id": f"j{self.rng.randrange(5)}",
            "tag": f"s{self.rng.randrange(3)}"}},
            {"execute": "snapshot-load", "arguments": {"job-id": f"j{self.rng.randrange(5)}",
            "tag": f"s{self.rng.randrange(3)}"}},
            {"execute": "snapshot-delete", "arguments": {"job-id": f"j{self.rng.randrange(5)}", "tag": "s1"}},
            {"execute": "job-dismiss", "arguments": {"id": f"j{self.rng.randrange(5)}"}}, {"execute": "nosuch"},
            {"execute": 1}, {"execute": "qmp_capabilities"}, {"execute": "cont", "arguments": {"x": 1}},
            {"execute": "human-monitor-command", "arguments": {"command-line": self.rng.choice(
                ["info status", "savevm s1", "loadvm s1", "delvm s1", "replay_seek 10", "replay_break 99", "stop",
                "c"])}},
        ])

    def turn(self, c):
        """False: it has left in the midst of it."""
        some = [self.request() for _ in range(self.rng.choice([1, 1, 1, 3, 20]))]
        if self.rng.random() < 0.15:
            some.append({"execute": "x-backstep-continue"})
        self.last = some
        for i, request in enumerate(some):
            self.requests += 1
            c.send({**request, "id": i})
        if self.rng.random() < 0.02:
            return False
        waiting = list(range(len(some)))
        limit = time.monotonic() + GUARD
        while waiting:
            try:
                message = c.receive(RUN * self.rng.random())
            except qmp_client.QmpError as e:
                if "in time" not in str(e) or time.monotonic() > limit:
                    raise
                self.interrupt(c)
                continue
            if "event" in message:
                self.event(message)
            elif message.get("id") == "now":
                pass
            elif message.get("id") != waiting.pop(0):
                raise AssertionError(f"control: out of order: {str(message)[:200]}, of {some}")
        return True

    def interrupt(self, c):
        c.send({"execute": "x-backstep-interrupt", "id": "now"})


class User(Client):
    """At the prompt, on a terminal."""

    def connection(self):
        master = self.storm.master
        os.write(master, CTRL_A + b"c")
        while not self.storm.over.is_set():
            self.requests += 1
            keys = self.rng.choice([CTRL_C, CTRL_U, b"\x7f\x7f", b"\x1b[A", b"\r", CTRL_A + b"c" + CTRL_A + b"c"])
            if self.rng.random() < 0.8:
                keys = line(self.rng, self.storm.folder)[:200].encode() + b"\r"
            os.write(master, keys)
            self.drain(self.rng.random() * 2 * RUN)
            if self.rng.random() < 0.3:
                os.write(master, CTRL_C)
        self.ask()

    def drain(self, seconds):
        text = b""
        limit = time.monotonic() + seconds
        while select.select([self.storm.master], [], [], max(limit - time.monotonic(), 0))[0]:
            text += os.read(self.storm.master, 1 << 16)
        return text

    def ask(self):
        """All others have left: it answers yet."""
        text = b""
        limit = time.monotonic() + GUARD
        while b"`physical`" not in text and b"in gdb `monitor physical on`" not in text:
            if time.monotonic() > limit:
                raise AssertionError(f"the prompt is dead: {text[-300:]!r}")
            os.write(self.storm.master, CTRL_C + CTRL_U + b"physical on\r")
            text += self.drain(0.3)


class Storm:
    def __init__(self, seed):
        self.seed = seed
        self.place = tempfile.TemporaryDirectory(prefix="backstep-storm-")
        self.folder = self.place.name
        self.over = threading.Event()
        with open(self.path("guest.elf"), "wb") as f:
            f.write(qmp_client.guest(qmp_client.COUNT))
        self.master, slave = pty.openpty()
        tty.setraw(slave)
        self.said = open(self.path("stderr"), "w+b")
        self.process = subprocess.Popen(
            [cli_test.program, "run", "-bios", "none", "-m", "16M", "-smp", str(HARTS), "-kernel",
            self.path("guest.elf"),
             "-serial", "mon:stdio", "-qmp", f"unix:{self.path('qmp')}", "-gdb", f"unix:{self.path('gdb')}",
             *self.variant()],
            stdin=slave, stdout=slave, stderr=self.said, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)
        limit = time.monotonic() + GUARD
        while not (os.path.exists(self.path("qmp")) and os.path.exists(self.path("gdb"))):
            if time.monotonic() > limit or self.process.poll() is not None:
                raise AssertionError(f"it did not begin: {self.stderr()}")
            time.sleep(0.01)

    def variant(self):
        """Stopped, recorded to a file as it runs, or with hardly any memory."""
        return [["-S"], ["-o", self.path("recorded")], ["--memory-budget", "24M"]][self.seed % 3]

    def path(self, name):
        return os.path.join(self.folder, name)

    def stderr(self):
        with open(self.said.name, encoding="utf-8", errors="replace") as f:
            return f.read()[-6000:]

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(GUARD)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        os.close(self.master)
        self.said.close()
        self.place.cleanup()

    def make_history(self):
        with qmp_client.connect_unix(self.path("qmp")) as s:
            c = qmp_client.QmpClient(s)
            c.expect({}, "cont")
            limit = time.monotonic() + GUARD
            while c.get("query-replay")["icount"] < HISTORY:
                if time.monotonic() > limit:
                    raise AssertionError("it does not run")
                time.sleep(0.01)

    def rage(self):
        clients = [Gdb(self, 1), Control(self, 2), Control(self, 3), User(self, 4)]
        for client in clients:
            client.start()
        self.over.wait(SECONDS)
        self.over.set()
        for client in clients[:3]:
            client.join(2 * GUARD)
        clients[3].join(2 * GUARD)
        print("requests:", *(c.requests for c in clients), end=" ", flush=True)
        for client in clients:
            if client.failure or client.is_alive():
                raise AssertionError(f"{type(client).__name__}: {client.failure or 'it hangs'}; last {str(client.last)[:500]}\n"
                                     f"{self.process.poll()} {self.stderr()}") from client.failure
        if self.process.poll() is not None:
            raise AssertionError(f"it has ended with {self.process.returncode}: {self.stderr()}")


def look_at(client, icount, positions):
    """What is at each."""
    seen = {}
    for position in positions:
        client.write_register(icount, position)
        state = []
        for hart in range(HARTS):
            client.expect_ok(b"Hg%x" % (hart + 1))
            state.append(client.read_registers())
        seen[position] = (*state, client.read_memory(DATA, 64), client.read_memory(CODE, 64))
    return seen


def begin_looking(path):
    client = rsp_client.RspClient(f"unix:{path}", GUARD)
    client.handshake(["swbreak+"])
    return client, client.read_register_info()["icount"].number


class ClientsStorm(unittest.TestCase):
    def check_history(self, storm):
        """Here, there and everywhere in this process; from the recording in another, in order."""
        rng = random.Random(storm.seed)
        control = qmp_client.QmpClient(storm.path("qmp"))
        control.get("stop", timeout=GUARD)
        client, icount = begin_looking(storm.path("gdb"))
        with client, control.socket:
            client.monitor("switch main", GUARD)
            for point in control.get("x-backstep-points", timeout=GUARD)["points"]:
                self.assertNotEqual(point["owner"], "gdb", "its clients have gone")
            client.monitor("goto end", GUARD)
            tip = client.read_register(icount)
            when = json.loads(client.monitor("json when"))
            self.assertEqual((when["branch"], when["live"], when["tip"]), ("main", True, tip))
            positions = [rng.randrange(tip + 1) for _ in range(12)] + [0, tip]
            seen = look_at(client, icount, positions)
            saved = storm.path("history")
            self.assertIn("saved to", client.monitor(f"save {saved}", GUARD))
        self.check_verify(saved)
        self.check_replay(storm, saved, seen)
        print(f"positions: {tip}", end=" ", flush=True)

    def check_verify(self, saved):
        done = subprocess.run([cli_test.program, "verify", saved],
        capture_output=True, text=True, timeout=4 * GUARD,
                              check=False)
        self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr[-2000:])

    def check_replay(self, storm, saved, seen):
        path = storm.path("replay-gdb")
        with subprocess.Popen([cli_test.program, "replay", saved, "-gdb", f"unix:{path}"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                limit = time.monotonic() + GUARD
                while not os.path.exists(path):
                    self.assertLess(time.monotonic(), limit)
                    self.assertIsNone(process.poll())
                    time.sleep(0.01)
                client, icount = begin_looking(path)
                with client:
                    self.assertEqual(look_at(client, icount, sorted(seen)), seen)
            finally:
                process.terminate()

    def test_storm(self):
        for seed in SEEDS:
            with self.subTest(seed=seed):
                print(f"\nseed {seed}:", end=" ", flush=True)
                storm = Storm(seed)
                try:
                    storm.make_history()
                    storm.rage()
                    self.check_history(storm)
                    storm.process.terminate()
                    self.assertEqual(storm.process.wait(GUARD), 0, storm.stderr())
                    if os.path.exists(storm.path("recorded")):
                        self.check_verify(storm.path("recorded"))
                    self.assertNotIn("Sanitizer", storm.stderr())
                finally:
                    storm.close()


if __name__ == "__main__":
    sys.exit(not unittest.main(exit=False, verbosity=2).result.wasSuccessful())
