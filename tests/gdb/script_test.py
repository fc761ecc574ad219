#!/usr/bin/env python3
"""share/gdb/backstep.py in gdb-multiarch: each command, at several checkpoint spacings, live and from a
recording, compared with what gdb finds by itself in more packets."""

import os
import pathlib
import random
import re
import select
import shutil
import socket
import subprocess
import tempfile
import threading
import unittest

import end_to_end
import gdb_session
import programs

SOURCE = pathlib.Path(end_to_end.source_folder())
SCRIPT = str(SOURCE / "share/gdb/backstep.py")
COMMANDS = ["when", "goto", "checkpoint", "bookmarks", "back", "forward", "last-write", "last-read",
            "writes", "calls", "timeline", "branch", "branches", "switch", "diff", "console-at",
            "rstep", "rnext", "rfinish", "backstep"]
HISTORY = 3000000
SPACINGS = {"1 ms": ["--checkpoint-ms", "1"], "default": [], "huge": ["--checkpoint-ms", "60000"]}
CC = "riscv64-unknown-elf-gcc"

GUEST = r"""
enum colour { RED, GREEN, BLUE };
struct pair { int a, b; };
struct big { long word[4]; };
struct node { struct node *next; long value; const char *name; unsigned char bytes[8]; short s[3]; };

struct node list[3] = {{&list[1], 1, "one"}, {&list[2], 2, "two"}, {0, 3, "three"}};
enum colour paint;
long counter;
long unused_word = 7;

static int leaf(int n)
{
    counter += n;
    return n * 2;
}

int fib(int n)
{
    if (n < 2)
        return n;
    int a = fib(n - 1);
    int b = fib(n - 2);
    return a + b;
}

long mixed(struct pair p, enum colour c, const char *name, unsigned char small, double d,
           struct big large, long last)
{
    paint = c;
    return p.a + p.b + name[0] + small + (long)d + large.word[1] + last;
}

static void print(const char *text)
{
    while (*text)
        *(volatile unsigned char *)0x10000000 = *text++;
}

static long walk(struct node *node)
{
    long sum = 0;
    for (; node; node = node->next) {
        sum += node->value;
        node->bytes[3]++;
        node->s[1] -= 2;
    }
    return sum;
}

void main(void)
{
    struct pair p = {1, -2};
    struct big large = {{1, 2, 3, 4}};
    for (int round = 0; round < 3; round++) {
        print("round\n");
        counter += fib(5);
        leaf(round); leaf(round + 1);
        walk(list);
        counter += mixed(p, BLUE, list[1].name, 200, 1.5, large, -1);
    }
    print("done\n");
    for (;;)
        leaf(1);
}

__asm__(".section .text.start, \"ax\"\n"
        ".globl _start\n"
        "_start: la sp, stack_top\n"
        "lui t0, 2\n"
        "csrs mstatus, t0\n"
        "call main\n");
"""


def compile_guest(folder, optimize):
    """The ELF, and its source beside it."""
    end_to_end.need(CC)
    source = pathlib.Path(folder, "guest.c")
    source.write_text(GUEST, encoding="utf-8")
    elf = pathlib.Path(folder, f"guest{optimize}.elf")
    subprocess.run([CC, "-march=rv64gc", "-mabi=lp64d", "-mcmodel=medany", optimize, "-g", "-ffreestanding",
                    "-fno-builtin", "-mno-relax", "-nostdlib", "-static", "-Wl,--build-id=none", "-T",
                    str(SOURCE / "guests/link.ld"), "-o", str(elf), str(source)], check=True)
    return str(elf)


class Relay:
    """Stands between gdb and backstep, and counts what gdb asks."""

    def __init__(self, folder, target):
        self.path = os.path.join(folder, "relay")
        self.target = target
        self.count = 0
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        try:
            client = self.listener.accept()[0]
        except OSError:
            return
        with client, socket.socket(socket.AF_UNIX) as server:
            server.connect(self.target)
            while True:
                for end in select.select([client, server], [], [])[0]:
                    data = end.recv(1 << 16)
                    if not data:
                        return
                    if end is client:
                        self.count += data.count(b"$")
                        server.sendall(data)
                    else:
                        client.sendall(data)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(end_to_end.GUARD)


class Session:
    """backstep on an ELF that has `history` steps behind it (0: at its beginning), at their end, and gdb with
    the script. live: else from a recording."""

    def __init__(self, elf, history, spacing=(), live=True, symbols=True, harts=1):
        self.folder = tempfile.TemporaryDirectory(prefix="script-")
        base = ["-kernel", elf, "-smp", str(harts), "-serial", "null", *spacing]
        base += ["--stop-at", str(history)] if history else []
        try:
            if live:
                self.program = programs.start_backstep(base)
            else:
                file = str(pathlib.Path(self.folder.name, "run.bsr"))
                subprocess.run([programs.backstep_path(), "run", *base, "-o", file], check=False,
                               capture_output=True, timeout=end_to_end.GUARD)
                self.program = programs.Program("backstep", [programs.backstep_path(), "replay", file, "-gdb",
                                                             "unix:@FOLDER@/gdb"], "unix:@FOLDER@/gdb")
            self.relay = Relay(self.folder.name, self.program.address[5:])
            self.gdb = gdb_session.GdbSession(elf if symbols else None, self.relay.path, setup=[
                f"source {SCRIPT}", f"directory {SOURCE}"])
            self.gdb.session = self
            if live and history:
                self.gdb.execute("continue")
        except BaseException:
            self.close()
            raise

    def close(self):
        if hasattr(self, "gdb"):
            self.gdb.close()
        if hasattr(self, "relay"):
            self.relay.close()
        if hasattr(self, "program"):
            self.program.stop()
        self.folder.cleanup()

    def __enter__(self):
        return self.gdb

    def __exit__(self, *unused):
        self.close()


def variants():
    """(description, arguments, live) of all the ways that history comes about."""
    return [(f"{name}, {'live' if live else 'recorded'}", spacing, live)
            for name, spacing in SPACINGS.items() for live in (True, False)]


class Oracle:
    """Where rnext and rstep have to lead, from a list of all steps. -O0, so that lines are plain."""

    RETURN = 0x8082

    def __init__(self, g, end):
        self.end = end
        self.line = {}  # pc -> function, line, whether the line begins there, whether it is its first
        self.pc, self.activation, self.depth = [], [], []
        g.execute("goto start")
        stack, serial, returns = [0], 0, False
        for position in range(end):
            pc = int(re.search(r'"pc":(\d+)', g.execute("monitor json step"))[1]) if position else 0x1000
            if pc not in self.line:
                self.line[pc] = self.look(g, pc)
            if returns:
                stack.pop()
            elif self.line[pc][3]:
                serial += 1
                stack.append(serial)
            self.pc.append(pc)
            self.activation.append(stack[-1])
            self.depth.append(len(stack))
            returns = self.line[pc][4]

    def look(self, g, pc):
        """(function, line), whether a line's code begins there, or a function's; is it a return?"""
        found = re.search(r"Line (\d+) .*(?:starts at|is at) address 0x(\w+)",
                          g.execute(f"info line *{pc:#x}"))
        symbol = re.match(r"(\w+)( \+ \d+)? in section", g.execute(f"info symbol {pc:#x}"))
        if not found:
            return None, 0, False, False, False
        line, before = found[1], g.execute(f"info line *{pc - 1:#x}")
        begins = int(found[2], 16) == pc and (not symbol[2] or not before.startswith(f"Line {line} "))
        code = g.execute(f"output/x *(unsigned short *){pc:#x}")
        return symbol[1], int(line), begins, not symbol[2], int(code, 16) == self.RETURN

    def same_line(self, a, b):
        return self.line[self.pc[a]][:2] == self.line[self.pc[b]][:2]

    def before(self, position):
        """The step of the same activation before, or the call."""
        at = position - 1
        while self.depth[at] > self.depth[position]:
            at -= 1
        return at

    def beginning(self, position):
        """Of the line, over calls; a function's first line has none."""
        while True:
            at = self.before(position)
            if self.activation[at] != self.activation[position]:
                position = at
            elif not self.same_line(at, position):
                return position
            else:
                position = at

    def run(self, position):
        """The first step of the line that the activation is in."""
        while self.activation[at := self.before(position)] == self.activation[position] and \
                self.same_line(at, position):
            position = at
        return position

    def next(self, position):
        if self.line[self.pc[position]][2]:
            position = self.before(self.run(position))
        return self.beginning(position)

    def step(self, position):
        if self.line[self.pc[position]][2]:
            position -= 1
            if self.line[self.pc[position]][2] and not self.line[self.pc[position]][3]:
                return position
        while True:
            function, _, begins, first, _ = self.line[self.pc[position]]
            at = position - 1
            if function is None:
                return position
            inside = self.activation[at] == self.activation[position] and self.same_line(at, position)
            if not inside and not first:
                if self.depth[at] <= self.depth[position] or begins:
                    return position
                if self.line[self.pc[at]][2]:
                    return at
            position = at


class ScriptTest(unittest.TestCase):
    maxDiff = 3000

    def ok(self, g, command, *words):
        """What a command says; the words are in it. It may be an error, but none of the script's."""
        text = g.execute(command)
        for bad in ("Traceback", "Python Exception", "does not understand", "Undefined command"):
            self.assertNotIn(bad, text, command)
        for word in words:
            self.assertIn(word, text, command)
        return text

    def go(self, g, position):
        self.ok(g, f"goto {position}")
        self.assertEqual(g.position(), position)

    def line(self, g):
        """file, line and function at pc."""
        found = re.search(r'Line (\d+) of "([^"]+)"', g.execute("info line *$pc"))
        symbol = g.execute("info symbol $pc").split(" ")[0]
        return (found[2], int(found[1]), symbol) if found else (None, 0, symbol)


class Installed(unittest.TestCase):
    """The program knows where its script is."""

    def run_program(self, program, *arguments):
        return subprocess.run([program, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              check=False, timeout=end_to_end.GUARD)

    def check_path(self, program, folder):
        done = self.run_program(program, "gdb-script")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        path = pathlib.Path(done.stdout.rstrip("\n"))
        self.assertEqual(path, pathlib.Path(folder).resolve() / "share/backstep/gdb/backstep.py")
        self.assertEqual(path.read_bytes(), pathlib.Path(SCRIPT).read_bytes())

    def test_build_folder(self):
        self.check_path(programs.backstep_path(), os.environ["BACKSTEP_BUILD"])

    def test_installed(self):
        end_to_end.need("cmake")
        with tempfile.TemporaryDirectory(prefix="script-") as folder:
            subprocess.run(["cmake", "--install", os.environ["BACKSTEP_BUILD"], "--prefix", folder],
                           check=True, capture_output=True)
            self.check_path(f"{folder}/bin/backstep", folder)

    def test_the_program_alone(self):
        with tempfile.TemporaryDirectory(prefix="script-") as folder:
            program = f"{folder}/backstep"
            shutil.copy(programs.backstep_path(), program)
            done = self.run_program(program, "gdb-script")
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn("gdb-script --text", done.stderr)
            self.assertEqual(self.run_program(program, "gdb-script", "--text").stdout,
                             pathlib.Path(SCRIPT).read_text(encoding="utf-8"))
            self.assertIn("--text", self.run_program(program, "gdb-script", "--help").stdout)
            self.assertEqual(self.run_program(program, "gdb-script", "--no").returncode, 2)

    def test_offer(self):
        """Where gdb can connect, and what it can read, are told together."""
        with programs.Program("backstep", [programs.backstep_path(), "run", "-kernel",
                                           end_to_end.guest("demo"), "-serial", "null", "-S", "-gdb",
                                           "tcp::0"]) as program:
            lines = program.stderr_text().splitlines()
            path = self.run_program(programs.backstep_path(), "gdb-script").stdout.strip()
            self.assertTrue(lines[1].startswith(f"backstep: gdb: source {path} "), lines)


class Alone(ScriptTest):
    """What needs no program."""

    def setUp(self):
        self.gdb = gdb_session.GdbSession(setup=[f"source {SCRIPT}"])
        self.addCleanup(self.gdb.close)

    def test_help_and_completion(self):
        text = self.ok(self.gdb, "backstep", *COMMANDS)
        self.assertEqual(len(text.splitlines()), len(COMMANDS))
        for name in COMMANDS:
            first, _, rest = self.ok(self.gdb, f"help {name}").partition("\n")
            self.assertRegex(first, r"^[A-Z].*\.$")
            self.assertNotIn("  Usage", rest)
            self.assertIn(name, self.gdb.execute(f"complete {name[:-1]}").splitlines())
        self.assertEqual(self.gdb.execute("complete goto st"), "goto start")

    def test_not_connected(self):
        arguments = {"goto": "1", "checkpoint": "a", "last-write": "*(long *)8", "last-read": "*(int *)8",
                     "writes": "*(int *)8", "calls": "*8", "switch": "a", "diff": "1 2"}
        for name in COMMANDS:
            if name != "backstep":
                self.ok(self.gdb, f"{name} {arguments.get(name, '')}", "not connected", "target remote")

    def test_another_target(self):
        end_to_end.need(programs.QEMU)
        with programs.start_qemu(["-bios", "none"]) as qemu:
            self.gdb.execute(f"target remote {qemu.address[5:]}")
            for command in ("when", "goto 5", "rstep", "calls *0x1000"):
                self.ok(self.gdb, command, "not to a backstep")
            self.assertNotIn('"step"', self.gdb.execute("show scheduler-locking"))
            self.assertIn("0x", self.ok(self.gdb, "stepi"))


class Guest(ScriptTest):
    """The commands on a C guest, and a program that gdb knows nothing of."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="script-")
        cls.addClassCleanup(cls.folder.cleanup)
        cls.elf = compile_guest(cls.folder.name, "-O0")

    def in_all_ways(self, check, history=HISTORY):
        for name, spacing, live in variants():
            with self.subTest(name), Session(self.elf, history, spacing, live) as g:
                check(g)

    # ---- positions ----

    def check_positions(self, g):
        self.assertEqual(g.position(), HISTORY)
        self.ok(g, "when", f"position {HISTORY:,}", "hart 0 in ", "guest.c:", "guest time")
        for text, position in (("1234", 1234), ("1,500,000", 1500000), ("1.5e6", 1500000),
                               ("50%", HISTORY // 2), ("+7", HISTORY // 2 + 7),
                               ("-1,007", HISTORY // 2 - 1000), ("start", 0), ("end", HISTORY),
                               ("$icount - 5", HISTORY - 5)):
            self.ok(g, f"goto {text}", "#0 ")
            self.assertEqual(g.position(), position, text)
        for text in ("nowhere", "4e6", "-1e9", "", "1 2", "{", '"'):
            noted = g.registers()
            self.assertRegex(self.ok(g, f"goto {text}"), "no position|outside of history|needs a position")
            self.assertEqual(g.registers(), noted)
        self.ok(g, "goto 1000", "#0 ")
        self.ok(g, "when", f"position 1,000 of {HISTORY:,}", "in the past")
        # What gdb shows afterwards is the place, all of it.
        shown = g.registers()
        g.execute("stepi")
        g.execute("reverse-stepi")
        self.assertEqual(g.registers(), shown)
        g.execute("set backstep-place off")
        self.assertEqual(self.ok(g, "goto 2000"), "")
        self.assertEqual(g.position(), 2000)
        g.execute("set backstep-place on")

    def test_positions(self):
        self.in_all_ways(self.check_positions)

    def check_visits(self, g):
        visited = [g.position()]
        for position in (1000, 2000, 1500):
            self.go(g, position)
            visited.append(position)
        g.execute("stepi 3")
        visited.append(1503)
        self.ok(g, "last-write counter")
        visited.append(g.position())
        for position in reversed(visited[:-1]):
            self.ok(g, "back", "#0 ")
            self.assertEqual(g.position(), position)
        self.ok(g, "back 99")  # to where gdb has connected
        self.ok(g, "back", "beginning of the places visited")
        self.ok(g, "forward 99")
        self.ok(g, f"back {len(visited) - 1}")
        self.assertEqual(g.position(), visited[0])
        for position in visited[1:]:
            self.ok(g, "forward")
            self.assertEqual(g.position(), position)
        self.ok(g, "forward", "end of the places visited")
        self.ok(g, "back 3")
        self.assertEqual(g.position(), visited[-4])
        self.go(g, 77)  # from here there is no way forward
        self.ok(g, "forward", "leads nowhere")
        self.ok(g, "back")
        self.assertEqual(g.position(), visited[-4])
        # Moved by something else than this script's commands and gdb's.
        g.execute("monitor goto 99")
        self.ok(g, "back")
        self.assertEqual(g.position(), visited[-4])
        self.ok(g, "back 0", "from 1 on")

    def test_visits(self):
        self.in_all_ways(self.check_visits)

    def check_bookmarks(self, g):
        self.ok(g, "bookmarks", "no bookmarks")
        self.go(g, 1000)
        self.ok(g, "checkpoint early the first one", "early", "1,000")
        self.go(g, 2000)
        self.ok(g, "checkpoint late-one")
        self.assertRegex(self.ok(g, "bookmarks"),
                         r"(?s)^ +1,000  early: the first one\n\* +2,000  late-one$")
        self.ok(g, "when", "here: late-one")
        self.ok(g, "goto early")
        self.assertEqual(g.position(), 1000)
        self.assertEqual(g.execute("complete goto e"), "goto early\ngoto end")
        self.assertEqual(g.execute("complete goto late-"), "goto late-one")
        self.ok(g, "checkpoint -d early")
        self.ok(g, "checkpoint -d early", "no bookmark `early`")
        self.ok(g, "checkpoint -d", "needs a name")
        self.ok(g, "checkpoint", "needs a name")
        self.assertNotIn("early", self.ok(g, "bookmarks"))

    def test_bookmarks(self):
        self.in_all_ways(self.check_bookmarks)

    # ---- accesses ----

    def by_gdb(self, g, position, point):
        """Position of the access before a position that gdb's own watchpoint finds."""
        self.go(g, position)
        self.assertIn("atchpoint", g.execute(point))
        text = g.execute("reverse-continue")
        found = g.position() if "atchpoint" in text else None
        g.execute("delete")
        return found

    def check_accesses(self, g):
        for position in (560, 2077, 2090, HISTORY - 11):
            for text in ("counter", "list[1].bytes[3]", "list[2].s[1]", "list[0].value", "unused_word",
                         "paint"):
                written = self.by_gdb(g, position, f"watch -l {text}")
                self.go(g, position)
                answer = self.ok(g, f"last-write {text}")
                if written is None:
                    self.assertIn("is not written", answer)
                    self.assertEqual(g.position(), position)
                    continue
                self.check_write(g, answer, text, position)
                self.assertGreaterEqual(g.position(), written)  # gdb passes over what changes nothing
                self.ok(g, "back")
                self.assertEqual(g.position(), position)
            for text in ("list[1].name", "counter", "list[2].bytes[3]"):
                read = self.by_gdb(g, position, f"rwatch -l {text}")
                self.go(g, position)
                answer = self.ok(g, f"last-read {text}")
                self.assertEqual(g.position(), read if read else position, text)
                if read:
                    self.assertIn(f"{text} = ", answer)
                    self.assertIn(f"position {read:,}, ", answer)

    def check_write(self, g, answer, text, position):
        """It stands before the write, said values and place right, and there is none up to `position`."""
        at = g.position()
        said = re.search(rf"(?m)^position ([\d,]+), .*\n{re.escape(text)}: (\S.*) -> (\S.*)$", answer)
        self.assertTrue(said, answer)
        self.assertEqual(int(said[1].replace(",", "")), at)
        old = g.execute(f"output {text}")
        noted = g.registers()
        g.execute("stepi")
        new = g.execute(f"output {text}")
        self.assertEqual((said[2], said[3]), (old, new), text)
        g.execute("reverse-stepi")
        self.assertEqual(g.registers(), noted)
        self.go(g, position)
        self.assertEqual(g.execute(f"output {text}"), new)
        self.go(g, at)

    def test_accesses(self):
        self.in_all_ways(self.check_accesses)

    def test_what_can_be_named(self):
        with Session(self.elf, 5000) as g:
            self.go(g, 2100)
            address = g.value("&counter")
            self.ok(g, f"last-write *(long *){address:#x}", f"*(long *){address:#x}: ")
            by_address = g.position()
            self.ok(g, "back")
            self.ok(g, "last-write counter")
            self.assertEqual(g.position(), by_address)
            self.ok(g, "back")
            self.ok(g, "last-write list", "list[2].s[1]: -4 -> -6")
            self.ok(g, "back")
            # A part of what was asked for: the byte that is written, of the array that holds it.
            self.ok(g, "last-write list[1].bytes", "list[1].bytes[3]: 2 '\\002' -> 3 '\\003'")
            self.ok(g, "back")
            self.ok(g, "last-write *(int *)&list[1].bytes", ": 33554432 -> 50331648")
            self.ok(g, "back")
            self.ok(g, "writes *(int *)&list[1].bytes", "byte 3: 02 -> 03")
            self.ok(g, "back")
            # An address above 2^63 is no problem of the wire.
            self.ok(g, "last-write *(long *)0xffffffff80000000", "is not written")
            for text, why in (("5", "not in memory"), ("$sp", "not in memory"), ("", "needs an expression"),
                              ("counter + 1", "not in memory"), ("nothing", "No symbol"),
                              ("*(", "yntax error"), ("*(void *)8", "generic pointer|has no size")):
                for command in ("last-write", "last-read", "writes"):
                    self.assertRegex(self.ok(g, f"{command} {text}"), why)
            self.assertEqual(g.execute("complete last-write unused"), "last-write unused_word")

    def check_lists(self, g):
        position = 2090
        for text in ("counter", "list[1].s[1]"):
            self.go(g, position)
            answer = self.ok(g, f"writes -most 4 {text}")
            self.assertEqual(g.position(), position)
            rows = re.findall(rf"(?m)^ +([\d,]+)  {re.escape(text)}: (\S+) -> (\S+)  (\w+)\+", answer)
            g.execute(f"watch -l {text}")
            for said, old, new, function in rows:
                values = re.findall(r"(?:Old|New) value = (\S+)", g.execute("reverse-continue"))
                self.assertEqual((g.position(), values, self.line(g)[2]),
                                 (int(said.replace(",", "")), [new, old], function))
            g.execute("delete")
            self.assertEqual(len(rows), 4 if text == "counter" else 3)
            self.assertEqual("The newest 4" in answer, text == "counter")
        self.go(g, position)
        self.ok(g, "writes unused_word", "is not written")
        for most in ("0", "-1", "x", "1e9", "1001", ""):
            self.ok(g, f"writes -most {most} counter", "from 1 to 1000")
        self.ok(g, "writes -most 1000 counter", "counter: 0 -> ")
        by_address = re.findall(r"(?m)^ +[\d,]+  .*$", self.ok(g, "writes -most 30 counter"))
        physical = re.findall(r"(?m)^ +[\d,]+  .*$", self.ok(g, "writes -p -most 30 counter"))
        self.assertEqual(by_address, physical)
        self.assertEqual(by_address[:3], self.ok(g, "writes -most 3 -p counter").splitlines()[:3])
        self.check_calls(g, position)

    def check_calls(self, g, position):
        for function, count in (("fib", 45), ("walk", 3), ("mixed", 3)):
            self.go(g, position)
            answer = self.ok(g, f"calls -most 100 {function}")
            self.assertEqual(g.position(), position)
            rows = re.findall(rf"(?m)^ +([\d,]+)  {function} \((.*)\) from (\w+) \(\S*guest.c:(\d+)\)$",
                              answer)
            self.assertEqual(len(rows), count, answer)
            g.execute(f"break *{function}")
            for said, arguments, caller, line in rows[:10]:
                self.assertIn("Breakpoint", g.execute("reverse-continue"))
                self.assertEqual(g.position(), int(said.replace(",", "")))
                if function == "fib":
                    self.assertEqual(arguments, f"n={g.value('$a0')}")
                noted = g.execute("info symbol $ra-1").split(" ")[0]
                self.assertEqual((caller, f"Line {line}"),
                                 (noted, re.match(r"Line \d+", g.execute("info line *($ra-1)"))[0]))
            g.execute("delete")
        self.go(g, position)
        self.ok(g, "calls mixed", "p={a = 1, b = -2}, c=BLUE, name=0x", "small=200 '\\310'", "d=?",
                "large=*0x", "last=-1", "from main (")
        name = g.value("list[1].name")
        self.ok(g, "calls mixed", f"name={name:#x}")
        by_name = self.ok(g, "calls -most 2 fib")
        self.assertEqual(self.ok(g, f"calls -most 2 *{g.value('(long)&fib'):#x}"), by_name)
        self.assertEqual(self.ok(g, f"calls -most 2 {g.value('(long)&fib'):#x}"), by_name)
        self.ok(g, "calls *0x80000002", "is not called")
        self.ok(g, "calls", "needs a function")
        self.ok(g, "calls nothing", "No symbol")
        self.ok(g, "calls list[0]", "no function")

    def test_lists(self):
        self.in_all_ways(self.check_lists)

    # ---- pictures ----

    def check_pictures(self, g):
        self.go(g, 2000)
        self.ok(g, "checkpoint mark")
        picture = self.ok(g, "timeline 72", "2,000", "mark")
        self.assertTrue(all(len(line) <= 72 for line in picture.splitlines()), picture)
        self.assertEqual(g.position(), 2000)
        self.assertEqual(self.ok(g, "console-at end").splitlines(), ["round"] * 3 + ["done"])
        self.assertEqual(self.ok(g, "console-at end 2").splitlines()[-1:], ["done"])
        self.ok(g, "console-at start", "Nothing is printed")
        self.assertEqual(self.ok(g, "console-at"), "\n".join(["round"] * 3))
        self.ok(g, "console-at 1 2 3", "usage")

        at = {}
        for position in (1900, 2100):
            self.go(g, position)
            at[position] = g.values("$pc", "$sp", "$a5", "counter")
        self.go(g, 77)
        text = self.ok(g, "diff 1900 2100")
        self.assertEqual(g.position(), 77)
        for name, a, b in zip(("pc", "sp", "a5"), at[1900], at[2100]):
            said = re.search(rf"(?m)^hart 0 {name}: (\S+) -> (\S+)$", text)
            self.assertEqual((int(said[1], 16), int(said[2], 16)) if said else (a, a), (a, b), name)
        self.assertIn("memory 0x8000", text)
        self.go(g, 2100)
        self.assertEqual(self.ok(g, "diff 1,900"), text)
        self.assertEqual(self.ok(g, "diff 2100 2.1e3"), "Nothing differs.")
        self.ok(g, "diff", "usage")
        self.ok(g, "diff nowhere", "no position")

    def test_pictures(self):
        self.in_all_ways(self.check_pictures)

    # ---- branches ----

    def check_branches(self, g):
        self.assertRegex(self.ok(g, "branches"), r"^\* main +to 3,000,000$")
        self.ok(g, "branch", "on branch main")
        self.go(g, 2000)
        before = g.value("counter")
        self.ok(g, "set var counter = 99")
        self.ok(g, "branch", "in a diversion")
        self.ok(g, "when", "diversion")
        self.ok(g, "branch what-if")
        g.execute("stepi 10")
        self.ok(g, "last-write -p counter", "written by debugger", f"counter: {before} -> 99")
        self.ok(g, "back")
        self.assertRegex(self.ok(g, "branches"), r"(?m)^\* what-if +from main at 2,000, to 2,010$")
        self.ok(g, "switch main")
        self.assertEqual(g.value("counter"), before)
        self.ok(g, "switch what-if", "#0 ")
        self.assertEqual((g.value("counter"), g.position()), (99, 2010))
        self.ok(g, "diff main@2005 what-if@2005", "memory 0x8000")
        self.assertEqual(g.execute("complete switch w"), "switch what-if")
        self.ok(g, "branch -d what-if", "stands on")
        # Places remember their branch.
        self.ok(g, "back")
        self.assertEqual(g.value("counter"), before)
        self.ok(g, "forward")
        self.assertEqual((g.value("counter"), g.position()), (99, 2010))
        self.ok(g, "switch main")
        self.ok(g, "branch -d what-if")
        self.assertNotIn("what-if", self.ok(g, "branches"))
        self.ok(g, "switch what-if", "no branch")
        self.ok(g, "switch", "needs a branch")
        self.ok(g, "branch a b", "usage")
        # A call leaves nothing behind.
        self.go(g, 1900)
        self.assertRegex(g.execute("print fib(5)"), r"^\$\d+ = 5$")
        g.execute("stepi")
        self.ok(g, "when", "position 1,901 of", "in the past")

    def test_branches(self):
        self.in_all_ways(self.check_branches)

    # ---- source lines ----

    def both(self, g, position, ours, theirs):
        """(position, line) behind gdb's own command and behind ours."""
        self.go(g, position)
        text = g.execute(theirs)
        found = g.position(), self.line(g)
        self.go(g, position)
        self.ok(g, ours, "#0 ")
        return found, (g.position(), self.line(g)), text

    def check_lines(self, g, oracle, seed, count):
        rng = random.Random(seed)
        as_gdb = 0
        for _ in range(count):
            position = rng.randrange(30, oracle.end)
            for ours, theirs, expected in (("rnext", "reverse-next", oracle.next(position)),
                                           ("rstep", "reverse-step", oracle.step(position))):
                found, ours_found, _ = self.both(g, position, ours, theirs)
                self.assertEqual(ours_found[0], expected,
                                 f"{ours} from {position}: {ours_found}, gdb {found}")
                as_gdb += found == ours_found
        # Where a line's code is in several stretches, gdb 13 stops at the beginning of each, and going on
        # from there misses the line's own.
        self.assertGreater(as_gdb, count, "half of it is as in gdb")

    def line_at(self, g, position):
        self.go(g, position)
        return self.line(g)

    def test_lines(self):
        with Session(self.elf, 6000) as g:
            oracle = Oracle(g, 2150)
        for seed, (name, spacing, live) in enumerate(variants()):
            with self.subTest(name), Session(self.elf, 6000, spacing, live) as g:
                self.check_lines(g, oracle, seed, 12)

    def test_lines_go_the_way_back(self):
        """Down to main's beginning, line by line: what `next` visits, the other way round."""
        with Session(self.elf, 6000) as g:
            self.ok(g, "goto start")
            g.execute("tbreak 54")
            g.execute("continue")
            visited = [g.position()]
            for _ in range(17):
                g.execute("next")
                visited.append(g.position())
            for position in reversed(visited[:-1]):
                self.ok(g, "rnext")
                self.assertEqual(g.position(), position)
            self.go(g, visited[-1])
            self.ok(g, f"rnext {len(visited) - 1}")
            self.assertEqual(g.position(), visited[0])

    def test_finish(self):
        """To the call of this activation, also where deeper ones have come and gone since."""
        for name, spacing, live in variants():
            with self.subTest(name), Session(self.elf, 6000, spacing, live) as g:
                rng = random.Random(name)
                for _ in range(8):
                    position = rng.randrange(100, 500)
                    self.go(g, position)
                    if self.line(g)[2] not in ("fib", "leaf", "walk", "mixed", "print"):
                        continue
                    call, depth = self.call_of(g)
                    self.go(g, position)
                    self.ok(g, "rfinish", "#0 ")
                    self.assertEqual(g.position(), call, f"from {position}")
                    self.assertEqual(g.execute("backtrace -1").split()[0], f"#{depth - 1}")

    def test_finish_of_the_selected_frame(self):
        with Session(self.elf, 6000) as g:
            self.go(g, 300)
            frames = re.findall(r"(?m)^#\d+ .*?(\w+) \(", g.execute("backtrace"))
            self.assertEqual(frames[:3], ["fib"] * 3)
            visited = []
            for _ in range(3):
                self.ok(g, "rfinish")
                visited.append(g.position())
            self.ok(g, "goto 300")
            g.execute("up 2")
            self.ok(g, "rfinish")
            self.assertEqual(g.position(), visited[2])
            self.ok(g, "goto 300")
            self.ok(g, "rfinish 2")
            self.assertEqual(g.position(), visited[1])
            self.ok(g, "goto 300")
            self.ok(g, "rnext")
            there = g.position()
            self.ok(g, "goto 300")
            g.execute("up 2")
            self.ok(g, "rnext")  # of the innermost frame, as with gdb's own
            self.assertEqual(g.position(), there)

    def call_of(self, g):
        """Position of the call of the present activation, and how deep it is, found by hand."""
        frames = re.findall(r"(?m)^#(\d+) ", g.execute("backtrace"))
        address = re.search(r"frame at (0x\w+)", g.execute("info frame"))[1]
        here = g.position()
        low = re.search(r"at address (0x\w+)", g.execute("info address " + self.line(g)[2]))[1]
        if g.value("$pc") == int(low, 16):
            return here - 1, len(frames) - 1
        text = self.ok(g, f"calls -most 200 *{low}")
        for said in re.findall(r"(?m)^ +([\d,]+)  ", text):
            self.go(g, int(said.replace(",", "")))
            if g.value("$sp") == int(address, 16):
                return g.position() - 1, len(frames) - 1
        raise AssertionError(f"no call: {text}")

    def test_lines_at_the_beginning(self):
        with Session(self.elf, 6000) as g:
            self.go(g, 3)
            for command in ("rstep", "rnext", "rfinish"):
                self.go(g, 3)
                self.ok(g, command)
                self.assertLessEqual(g.position(), 3)
            self.ok(g, "goto start")
            for command in ("rstep", "rnext", "rfinish"):
                self.ok(g, command)
                self.assertEqual(g.position(), 0)

    def test_breakpoints_stop_a_move(self):
        with Session(self.elf, 6000) as g:
            g.execute("tbreak 58")
            self.ok(g, "goto start")
            g.execute("continue")
            there = g.position()
            g.execute("break leaf")
            self.ok(g, "goto " + str(there))
            self.ok(g, "rnext")  # over fib, which calls nobody else
            self.assertEqual(self.line(g)[1:], (57, "main"))
            g.execute("delete")
            g.execute("break 21")
            self.go(g, there)
            self.ok(g, "rnext", "guest.c:21")
            self.assertEqual(self.line(g)[1:], (21, "fib"))

    def test_conditions_and_dprintf_are_the_target_s(self):
        with Session(self.elf, 6000) as g:
            self.ok(g, "goto 300")
            g.execute('dprintf 14,"n is %d\\n", n')
            g.execute("break fib if n == 5")
            count = g.session.relay.count
            self.assertRegex(g.execute("continue"), r"(?s)n is 0\nn is 1\n.*Breakpoint.*fib \(n=5\)")
            self.assertLess(g.session.relay.count - count, 15)
            self.ok(g, "info breakpoints", "agent-printf", "target evals")
            self.assertRegex(g.execute("reverse-continue"), r"(?s)n is 1\nn is 0\n.*fib \(n=5\)")

    def test_packets(self):
        """As many for a line of a million instructions as for one of ten."""
        most = {}
        for history in (60000, 3000000):
            with Session(self.elf, history) as g:
                self.ok(g, "goto start")
                g.execute("tbreak 63")
                g.execute("continue")
                done = g.position()
                for command, place in (("rnext", done), ("rstep", done), ("rnext", 2000), ("rstep", 2000),
                                       ("rfinish", 2000), ("rfinish", 300)):
                    self.go(g, place)
                    count = g.session.relay.count
                    self.ok(g, command)
                    most.setdefault((command, place), []).append(g.session.relay.count - count)
        for (command, place), counts in most.items():
            self.assertEqual(counts[0], counts[1], (command, place))
            self.assertLess(counts[0], 40 if command == "rstep" else 25, (command, place))

    # ---- programs that gdb knows less of ----

    def test_without_symbols(self):
        with Session(self.elf, 6000, symbols=False) as g:
            self.go(g, 2000)
            self.ok(g, "when", "position 2,000", "hart 0 in 0x")
            g.execute("stepi 3")
            self.ok(g, "back")
            self.assertEqual(g.position(), 2000)
            sp = g.value("$sp")
            self.ok(g, f"last-write *(long *){sp:#x}", f"*(long *){sp:#x}: ", "#0 ")
            self.ok(g, "back")
            self.ok(g, f"writes -most 1 *(long *){sp:#x}", f"*(long *){sp:#x}: ", "The newest 1 ")
            pc = g.value("$pc")
            self.ok(g, f"calls *{pc:#x}", "a0=0x", "from 0x")
            self.ok(g, "timeline", "2,000")
            for command in ("rstep", "rnext", "rfinish"):
                self.ok(g, command, "cannot find bounds", "reverse-stepi")
                self.assertEqual(g.position(), 2000)

    def test_symbols_without_lines(self):
        """As gdb's: such a function is gone out of, or over."""
        stripped = self.elf + ".stripped"
        subprocess.run(["riscv64-unknown-elf-objcopy", "--strip-debug", self.elf, stripped], check=True)
        with Session(stripped, 6000) as g:
            self.go(g, 2077)
            self.ok(g, "last-write counter", "has no type", "counter: ", "leaf")
            self.ok(g, "back")
            self.ok(g, "calls walk", "walk (a0=0x", "from 0x", "main")
            found, ours, _ = self.both(g, 1990, "rnext", "reverse-next")
            self.assertEqual(ours[1][2], "main")
            self.assertEqual(ours[0], g.position())
            g.execute("stepi")
            self.assertEqual(g.value("$pc"), g.value("(long)&walk"))

    def test_optimized(self):
        """Inlined functions: rnext goes over them, rstep into them, rfinish out of them."""
        elf = compile_guest(self.folder.name, "-O1")
        with Session(elf, 6000) as g:
            rng = random.Random(5)
            for _ in range(15):
                position = rng.randrange(30, 950)
                for command in ("rnext", "rstep", "rfinish"):
                    self.go(g, position)
                    self.assertNotIn("rror", self.ok(g, command, "#0 "))
                    self.assertLess(g.position(), position)
                    noted = g.registers()
                    self.go(g, g.position())
                    self.assertEqual(g.registers(), noted)


class Interrupted(ScriptTest):
    def test_ctrl_c_ends_a_search(self):
        """Of a word that is never written, beside one that always is: no part of history is skipped."""
        folder = tempfile.TemporaryDirectory(prefix="script-")
        self.addCleanup(folder.cleanup)
        with Session(compile_guest(folder.name, "-O0"), 0, live=True) as g:
            g.interrupted("continue", 4)  # the search takes as long, about, however fast the host is
            noted, here = g.registers(), g.execute("when")
            text, _ = g.interrupted("last-write unused_word", 0.5)
            self.assertNotIn("is not written", text)
            self.assertNotIn("Traceback", text)
            g.execute("maint flush register-cache")
            self.assertEqual(g.registers(), noted)
            self.assertEqual(g.execute("when"), here)
            self.ok(g, "last-write counter", "counter: ")


class Harts(ScriptTest):
    def registers(self, g):
        return [g.execute(f"thread apply {n} info registers") for n in (1, 2)]

    def test_two_harts(self):
        elf = end_to_end.guest("demo")
        with Session(elf, 200000, harts=2) as g:
            self.assertIn('"step"', g.execute("show scheduler-locking"))
            self.assertIn("agent", g.execute("show dprintf-style"))
            # All harts' registers are fresh after each stop.
            for command in ("goto 100000", "stepi 3", "reverse-stepi 2", "goto start", "stepi 5"):
                self.ok(g, command)
                shown = self.registers(g)
                g.execute("maint flush register-cache")
                self.assertEqual(self.registers(g), shown, command)
            self.ok(g, "goto end")
            self.ok(g, "last-write sensors.ring", "hart 0, ")
            self.assertIn("(Thread 1", g.execute("thread"))


class Demo(ScriptTest):
    """The introduction's crash, found with these commands."""

    def test_the_culprit(self):
        for name, spacing, live in variants():
            with self.subTest(name), Session(end_to_end.guest("demo"), 200000000, spacing, live) as g:
                if not live:
                    self.ok(g, "goto end")
                self.ok(g, "when", "switched off")
                self.ok(g, "last-write sensors.on_alarm", "position 30,", "ring_put+", "guests/demo/ring.c:",
                        "sensors.on_alarm: 0x8", "<fan_full_speed> -> 0x", "ring->slot[head + i] = words[i];")
                self.ok(g, "rfinish", "sensors_sample (")
                self.ok(g, "calls -most 3 ring_put", "ring_put (ring=0x", "<sensors+", "count=",
                        "from sensors_sample (")

    def test_every_move_leads_back(self):
        """Also in optimized code, where lines are jumped into behind their beginning."""
        with Session(end_to_end.guest("demo"), 3000000) as g:
            rng = random.Random(7)
            for start in [rng.randrange(1000, 3000000) for _ in range(10)]:
                for command in ("rnext", "rstep"):
                    self.go(g, start)
                    position = start
                    for _ in range(5):
                        self.ok(g, command, "#0 ")
                        self.assertLess(g.position(), position, f"{command} from {position}")
                        position = g.position()
            self.ok(g, "goto start")
            for command in ("rnext", "rstep"):
                g.execute("tbreak *sensors_filter+28")  # in a line that is jumped into two instructions before
                g.execute("continue")
                position = g.position()
                self.ok(g, command)
                self.assertEqual(g.position(), position - 2)
                self.ok(g, command, "filter (")
                self.assertLess(g.position(), position - 2)


if __name__ == "__main__":
    end_to_end.need(gdb_session.GDB)
    end_to_end.guest("demo")
    end_to_end.main()
