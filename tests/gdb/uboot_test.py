#!/usr/bin/env python3
"""OpenSBI and U-Boot, a serial line and gdb-multiarch: typed commands, replay, both directions."""

import re
import signal

import both_directions
import end_to_end
import gdb_session
import programs

PROMPT = b"=> "
LONG = 100000000  # steps whose replay takes far longer than it takes to interrupt it
TYPED = b"echo " + b"0123456789abcdefghijklmnopqrstuvwxyz" * 6
SUPERVISOR, MACHINE = 1, 3
ECALL, MRET = 0x00000073, 0x30200073
CAUSE_ECALL_S = 9
NO_HISTORY = both_directions.NO_HISTORY


class Board:
    """U-Boot on a machine of `harts`, its serial line, and any number of gdbs one after the other.

    Positions at which gdb found the prompt: start, before anything was typed; tip, at the end."""

    def __init__(self, harts=1, arguments=()):
        self.program = programs.Program(
            "backstep", [programs.backstep_path(), "run", "-M", "virt", "-m", "128M", "-smp",
                         str(harts), "-kernel", end_to_end.UBOOT, "-serial",
                         "unix:@FOLDER@/serial,server", "-gdb", "unix:@FOLDER@/gdb", "-S",
                         *arguments], "unix:@FOLDER@/gdb")
        self.path = self.program.address[5:]
        self.line = None
        try:
            self.line = end_to_end.SerialLine(self.path[:-3] + "serial")
            with self.gdb(None):
                pass  # detaching lets the machine go
            self.line.wait_for(b"Hit any key to stop autoboot")
            self.line.type(b" ")
            self.at = self.line.wait_for(PROMPT)
        except BaseException:
            self.close()
            raise

    def gdb(self, offset=0, timeout=end_to_end.GUARD):
        """A gdb connected, with U-Boot's symbols where it has moved itself."""
        setup = [] if offset is None else [f"add-symbol-file {end_to_end.UBOOT} -o {self.moved()}"]
        return gdb_session.GdbSession(target=self.path, setup=setup, timeout=timeout)

    def moved(self):
        """How far U-Boot has moved itself: told by bdinfo."""
        return re.search(rb"reloc off\s+=\s+(0x[0-9a-f]+)", self.line.seen)[1].decode()

    def command(self, text):
        """Types a command at the prompt; what it printed."""
        start = self.at
        self.line.type(text + b"\r")
        self.at = self.line.wait_for(PROMPT, self.at)
        echo, _, output = self.line.seen[start:self.at - len(PROMPT)].partition(b"\r\n")
        if echo != text:
            raise AssertionError(f"typed {text!r}, echoed {echo!r}")
        return output

    def close(self):
        if self.line:
            self.line.close()
        self.program.stop()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()


def registers_of(g, harts):
    """Of all harts; hart 0 is selected then."""
    states = []
    for thread in range(harts, 0, -1):
        g.execute(f"thread {thread}")
        states.append(g.registers())
    return states


class Session(both_directions.GdbTest):
    """From reset to the prompt, typing, and the replay of all of it."""

    def check_session(self, harts, arguments=()):
        with Board(harts, arguments) as board:
            self.assertIn(b"OpenSBI v", board.line.seen)
            self.assertIn(f"Platform HART Count       : {harts}\r\n".encode(), board.line.seen)
            self.assertIn(b"U-Boot 20", board.command(b"version"))
            self.assertIn(b"-> start    = 0x0000000080000000", board.command(b"bdinfo"))
            for n in range(4):
                typed = TYPED + str(n).encode()
                self.assertEqual(board.command(typed), typed[5:] + b"\r\n")
            self.assertIn(b"SBI 1.0", board.command(b"sbi"))
            with board.gdb() as g:
                self.check_replay(board, g, harts)
            # Without gdb it goes on; and takes input still.
            self.assertIn(b"U-Boot 20", board.command(b"version"))
            with board.gdb() as g:
                self.check_replay(board, g, harts)

    def check_replay(self, board, g, harts):
        tip, noted = g.position(), registers_of(g, harts)
        board.line.quiet(0.05)
        seen = len(board.line.seen)
        text = g.execute("monitor info checkpoints")
        self.assertGreater(int(re.search(r"(\d+) digests", text)[1]), 2)
        g.goto("start")
        self.assertEqual(g.position(), 0)
        text = g.execute("continue")
        self.assertIn(NO_HISTORY, text)
        self.assertNotIn("differs", text)
        self.assertEqual(registers_of(g, harts), noted, "the session replayed")
        text = g.execute("reverse-continue")
        self.assertIn(NO_HISTORY, text)
        self.assertEqual(g.position(), 0)
        for part in (3, 2, 1):
            g.goto(tip * part // 3)
            self.assertEqual(g.position(), tip * part // 3)
        text = g.goto("end")
        self.assertNotIn("differs", text)
        self.assertEqual(registers_of(g, harts), noted, "the end")
        self.assertEqual(board.line.quiet(), b"", "output was repeated")
        self.assertEqual(len(board.line.seen), seen)

    def test_one_hart(self):
        self.check_session(1)

    def test_two_harts(self):
        self.check_session(2, ["--checkpoint-steps", "300000"])


class BothDirections(both_directions.GdbTest):
    """One board, recorded once; every test begins in its past."""

    @classmethod
    def setUpClass(cls):
        cls.board = Board()
        with cls.board.gdb(None) as g:
            cls.start = g.position()
        cls.board.command(b"bdinfo")
        cls.board.command(b"version")
        cls.board.command(b"sbi")
        cls.board.command(b"echo over")

    @classmethod
    def tearDownClass(cls):
        cls.board.close()

    def setUp(self):
        self.g = self.board.gdb()
        self.addCleanup(self.g.close)
        self.tip = self.g.position()
        self.g.goto(self.start)

    def tearDown(self):
        self.g.execute("delete")
        self.g.goto(self.start)
        text = self.g.execute("continue")
        self.assertIn(NO_HISTORY, text)
        self.assertNotIn("differs", text)
        self.assertEqual(self.g.position(), self.tip)

    def at_strcmp(self):
        g = self.g
        g.execute("tbreak *strcmp")
        self.assertIn("strcmp", g.execute("continue"))
        return g

    def test_instructions(self):
        g = self.g
        self.check_undone(g, "stepi", "reverse-stepi", 60)
        self.check_undone(g, "stepi 250", "reverse-stepi 250", 3)
        self.at_strcmp()
        self.check_undone(g, "stepi", "reverse-stepi", 60)
        noted = g.registers()
        for command in ("stepi 33", "nexti", "stepi"):
            g.execute(command)
            g.execute("set exec-direction reverse")
            g.execute(command)
            g.execute("set exec-direction forward")
            self.check_same(g, noted, f"{command} in exec-direction reverse")

    def test_calls(self):
        """nexti, next, step, finish, until and advance around a call. With so few symbols gdb sees
        a call only when it knows both functions, and its end only when that is a leaf."""
        g = self.g
        callee = g.value("(unsigned long)&invalidate_icache_all") - int(self.board.moved(), 16)
        g.execute(f"add-symbol-file {end_to_end.UBOOT}")  # before it moves itself
        g.goto("start")
        g.execute(f"tbreak *{callee:#x}")
        self.assertIn("invalidate_icache_all", g.execute("continue"))
        self.check_call(g, 1)

    def check_call(self, g, inside):
        """At the first instruction of a function; `inside`: instructions to get away from it."""
        entry, returns = g.registers(), g.value("$ra")
        g.execute(f"stepi {inside}")
        g.execute("finish")
        self.assertEqual(g.value("$pc"), returns)
        after = g.registers()
        g.execute("reverse-stepi")
        g.execute("reverse-finish")
        call = g.value("$pc")
        self.assertIn(call, (returns - 4, returns - 2))
        at_call = g.registers()
        g.execute("stepi")
        self.check_same(g, entry, "into the call")
        g.execute("reverse-finish")
        self.check_same(g, at_call, "reverse-finish at the entry")
        self.check_undone(g, "nexti", "reverse-nexti")
        g.execute("nexti")
        self.check_same(g, after, "nexti over the call")
        g.execute("reverse-nexti")
        self.check_same(g, at_call, "reverse-nexti over the call")
        for command in ("advance", "until"):
            g.execute(f"{command} *{returns:#x}")
            self.check_same(g, after, f"{command} to the return")
            g.execute("set exec-direction reverse")
            g.execute(f"{command} *{call:#x}")
            g.execute("set exec-direction forward")
            self.check_same(g, at_call, f"{command} back to the call")
        # Without lines step and next go on to the end of the function.
        for forward, back in (("next", "reverse-next"), ("step", "reverse-step")):
            g.execute(f"stepi {1 + inside}")
            g.execute(forward)
            self.check_same(g, after, f"{forward} to the end of the function")
            g.execute("reverse-stepi")
            g.execute(back)
            self.check_same(g, at_call, f"{back} to the call")

    def test_finish(self):
        """A function with a frame, found by its prologue."""
        g = self.g
        g.execute("tbreak *vprintf")
        self.assertIn("vprintf", g.execute("continue"))
        entry, returns = g.registers(), g.value("$ra")
        g.execute("stepi 9")  # its frame is there
        g.execute("finish")
        self.assertEqual(g.value("$pc"), returns)
        g.execute("reverse-stepi 3")
        g.execute("reverse-finish")
        self.assertEqual(g.value("$pc"), returns - 4)
        at_call = g.registers()
        g.execute("stepi")
        self.check_same(g, entry, "into the call")
        g.execute("reverse-stepi")
        self.check_same(g, at_call, "out of the call")

    def test_breakpoints(self):
        pc = self.g.value("(unsigned long)&strcmp")
        for insert in ("break *strcmp", "hbreak *strcmp", "break *strcmp if $a0 != 0"):
            self.check_breakpoint(self.g, insert, pc)

    def test_watchpoints(self):
        typed = "*(char *)&console_buffer"
        for insert in ("watch", "rwatch", "awatch"):
            self.check_watchpoint(self.g, f"{insert} -l {typed}", typed)

    def test_privilege_switches(self):
        """Into OpenSBI by an ecall, and out of it, both ways."""
        g = self.g
        vector = g.value("$mtvec") & ~3
        g.execute(f"break *{vector:#x}")
        self.assertIn("Breakpoint", g.execute("continue"))
        entry = g.registers()
        self.assertEqual(g.values("$pc", "$priv", "$mcause"), [vector, MACHINE, CAUSE_ECALL_S])
        call = g.value("$mepc")
        g.execute("reverse-stepi")
        self.assertEqual(g.values("$pc", "$priv"), [call, SUPERVISOR])
        self.assertEqual(g.instruction(call), ECALL)
        at_ecall = g.registers()
        g.execute("stepi")
        self.check_same(g, entry, "the ecall once more")
        g.execute("delete")
        g.execute(f"advance *{call + 4:#x}")
        self.assertEqual(g.values("$pc", "$priv"), [call + 4, SUPERVISOR])
        back = g.registers()
        g.execute("reverse-stepi")
        self.assertEqual(g.value("$priv"), MACHINE)
        self.assertEqual(g.instruction(g.value("$pc")), MRET)
        g.execute("stepi")
        self.check_same(g, back, "mret once more")
        # The trap as a whole, instruction by instruction.
        steps = g.position()
        g.execute("set exec-direction reverse")
        g.execute(f"advance *{call:#x}")
        g.execute("set exec-direction forward")
        self.check_same(g, at_ecall, "back to the ecall")
        steps -= g.position()
        g.execute(f"stepi {steps}")
        self.check_same(g, back, f"{steps} steps through OpenSBI")
        g.execute(f"reverse-stepi {steps}")
        self.check_same(g, at_ecall, f"{steps} steps back through OpenSBI")
        g.execute(f"break *{vector:#x}")
        self.assertIn("Breakpoint", g.execute("continue"))
        self.check_same(g, entry, "forward to the trap vector")
        self.assertIn("Breakpoint", g.execute("continue"))
        self.assertIn("Breakpoint", g.execute("reverse-continue"))
        self.check_same(g, entry, "back to the trap vector")

    def test_position(self):
        g = self.g
        noted = {}
        for n in (self.tip, 1, 1000003, self.start, 0, self.tip - 1):
            g.execute(f"set $icount = {n}")
            self.assertEqual(g.position(), n)
            noted[n] = g.registers()
        for n, registers in noted.items():
            g.goto(n)
            self.check_same(g, registers, f"monitor goto {n}")
        text = g.execute(f"set $icount = {self.tip + 1}")
        self.assertIn("not in the history", text)
        self.assertEqual(g.position(), self.tip - 1)
        g.execute("maint flush register-cache")
        self.assertEqual(g.position(), self.tip - 1)
        self.assertIn("outside of history", g.execute("monitor goto 9999999999999"))
        self.assertIn("no position", g.execute("monitor goto nowhere"))
        self.assertIn("maint flush", g.execute("monitor help goto"))
        self.assertIn("info checkpoints", g.execute("monitor help"))
        self.assertRegex(g.execute("monitor when"), r"position [\d,]+ of [\d,]+ \(.*in the past")
        g.goto("end")
        self.assertRegex(g.execute("monitor when"), r"position [\d,]+, live")

    def test_registers(self):
        g = self.g
        for command, names in (("info registers", ("ra", "sp", "t6", "pc")),
                               ("info registers float", ("ft0", "fs11", "fcsr", "frm")),
                               ("info registers csr", ("mstatus", "satp", "sepc", "pmpaddr0")),
                               ("info registers priv icount misa", ("priv", "icount", "misa"))):
            text = g.execute(command)
            for name in names:
                self.assertRegex(text, rf"(?m)^{name} +\S", command)
        self.assertRegex(g.execute("info registers misa"), r"RV64.*ACDFIMSU|0x8000000000\w+")
        self.assertEqual(g.values("$priv", "$icount", "$fflags & ~31"), [SUPERVISOR, self.start, 0])
        self.assertRegex(g.execute("print $ft0"), "float = .*double = ")
        self.assertEqual(g.value("$misa") >> 62, 2)

    def test_writes_in_the_past_are_another_future(self):
        g = self.g
        noted = g.registers()
        g.execute("set $a0 = 0x1234")
        before = g.value("*(unsigned int *)&console_buffer")
        g.execute("set var *(unsigned int *)&console_buffer = 0x31323334")
        self.assertEqual(g.value("*(unsigned int *)&console_buffer"), 0x31323334)
        self.assertEqual(g.value("$a0"), 0x1234)
        g.execute("stepi 100")
        g.execute("monitor switch main")
        g.refresh()
        self.check_same(g, noted, "before the changes")
        self.assertEqual(g.value("*(unsigned int *)&console_buffer"), before)
        g.execute("stepi")
        g.execute("reverse-stepi")
        self.check_same(g, noted, "history is whole")


class Clients(both_directions.GdbTest):
    """What happens at the live end, to the connection and to the machine. One board a test."""

    def board(self, harts=1):
        board = Board(harts)
        self.addCleanup(board.close)
        board.command(b"bdinfo")
        return board

    def test_interrupt(self):
        board = self.board()
        with board.gdb() as g:
            start = g.position()
            while g.position() < start + LONG:
                before = g.position()
                text, latency = g.interrupted("continue", 0.5)
                print(f"Ctrl-C forward: {1e3 * latency:.0f} ms", end=" ", flush=True)
                self.assertIn("SIGINT", text)
                self.assertGreater(g.position(), before)
            tip, noted = g.position(), g.registers()
            # Never hit, but its page is executed in every interval: all are replayed.
            g.execute(f"hbreak *{g.value('$pc') | 1:#x}")
            text, latency = g.interrupted("reverse-continue", 0.1)
            print(f"Ctrl-C in reverse: {1e3 * latency:.0f} ms", end=" ", flush=True)
            self.assertIn("SIGINT", text)
            self.check_same(g, noted, "an interrupted reverse-continue")
            g.execute("delete")
            g.execute("stepi")
            self.assertEqual(g.position(), tip + 1)
            g.execute("reverse-stepi")
            self.check_same(g, noted, "back at the interrupt")
            g.goto("end")  # left in the past the machine would stay there
        self.assertIn(b"U-Boot 20", board.command(b"version"))

    def test_typing_under_gdb(self):
        """Input reaches the guest while gdb lets it run, and waits while it is stopped."""
        board = self.board()
        with board.gdb() as g:
            board.line.type(b"echo one two\r")  # stopped: kept
            self.assertEqual(board.line.quiet(), b"")
            g.execute("break *strcmp")
            self.assertIn("Breakpoint", g.execute("continue"))
            g.execute("delete")
            hit = g.registers()
            board.line.wait_for(b"echo one two", board.at)
            g.begin("continue")
            board.at = board.line.wait_for(PROMPT, board.at)
            self.assertIn(b"U-Boot 20", board.command(b"version"))
            g.process.send_signal(signal.SIGINT)
            self.assertIn("SIGINT", g.finish())
            board.line.quiet()
            seen = len(board.line.seen)
            g.execute("break *strcmp")
            while g.position() > int(re.search(r"icount\s+0x(\w+)", hit)[1], 16):
                self.assertIn("Breakpoint", g.execute("reverse-continue"))
            self.check_same(g, hit, "the first strcmp")
            g.execute("delete")
            self.assertIn(NO_HISTORY, g.execute("continue"))
            self.assertEqual(len(board.line.quiet()), 0)
            self.assertEqual(len(board.line.seen), seen)

    def test_reconnect(self):
        board = self.board()
        with board.gdb() as g:
            tip, noted = g.position(), g.registers()
            g.goto(tip // 2)
            middle = g.registers()
            checkpoints = self.checkpoints(g)
            self.assertIn("Detaching", g.execute("detach"))
            self.assertIn("Remote debugging", g.execute(f"target remote {board.path}"))
            self.check_same(g, middle, "after detach and target remote")
        with board.gdb() as g:
            self.check_same(g, middle, "another gdb")
            self.assertTrue(set(checkpoints) <= set(self.checkpoints(g)))
            self.assertIn(f"{tip}", g.execute("monitor when").replace(",", ""))
            self.assertIn(NO_HISTORY, g.execute("continue"))
            self.check_same(g, noted, "the tip")
            g.execute("kill")
        with board.gdb() as g:
            now = g.position()
            self.assertGreaterEqual(now, tip)
            g.goto(tip // 2)
            self.check_same(g, middle, "after kill")
            g.process.kill()  # without a word
        with board.gdb() as g:
            self.check_same(g, middle, "after the end of a gdb that said nothing")

    def checkpoints(self, g):
        """Positions of those that last."""
        text = g.execute("monitor info checkpoints")
        return re.findall(r"(?m)^ *([\d,]+)  .*event \d+$", text)

    def test_second_client(self):
        board = self.board()
        with board.gdb() as g:
            g.begin("continue")
            with gdb_session.GdbSession() as second:
                text = second.execute(f"target remote {board.path}", end_to_end.GUARD)
                self.assertNotIn("Remote debugging using", second.execute("info threads"))
                self.assertIn("No threads", second.execute("info threads"))
            self.assertIn("another debugger is connected", text)
            g.process.send_signal(signal.SIGINT)
            self.assertIn("SIGINT", g.finish())
            place = g.place()
            g.execute("stepi")
            g.execute("reverse-stepi")
            self.assertEqual(g.place(), place)

    def test_writes_at_the_tip(self):
        board = self.board()
        with board.gdb() as g:
            tip, satp = g.position(), g.value("$satp")
            self.assertEqual(satp, 0)
            free = 0x84000000
            words = [f"*(unsigned long *){free + 8 * n:#x}" for n in range(3)]
            before = [g.value(w) for w in words]
            # Three gigabyte pages: 0 and 2 on themselves, 1 on the RAM.
            for word, page in zip(words, (0, 2, 2)):
                g.execute(f"set var {word} = {page << 28 | 0xcf:#x}")
            g.execute(f"set $satp = {8 << 60 | free >> 12:#x}")
            self.assertEqual(g.position(), tip)
            pc = g.value("$pc")
            self.assertEqual(g.instruction(pc - 0x40000000), g.instruction(pc))
            g.execute(f"set var *(int *){free - 0x40000000 + 0x100:#x} = 0x600df00d")
            self.assertEqual(g.instruction(free + 0x100), 0x600df00d)
            self.assertIn("Cannot access memory", g.execute("x/x 0xc0000000"))
            g.execute("stepi 100")
            later = g.registers()
            g.execute("stepi")
            g.goto(tip - 1)
            self.assertEqual([g.value(w) for w in words], before)
            self.assertEqual(g.value("$satp"), 0)
            self.assertIn("Cannot access memory", g.execute(f"x/x {pc - 0x40000000:#x}"))
            g.goto(tip + 100)
            self.check_same(g, later, "written registers in the replay")
            self.assertEqual(g.instruction(free + 0x100), 0x600df00d)
            self.assertEqual(g.instruction(free - 0x40000000 + 0x100), 0x600df00d)
            g.execute("reverse-stepi 99")
            g.execute("stepi 99")
            self.check_same(g, later, "there and back")
            self.assertIn(NO_HISTORY, g.execute("continue"))
            g.execute("set $satp = 0")
            g.execute("set $a0 = $a0")
        self.assertIn(b"U-Boot 20", board.command(b"version"))

    def test_power_off(self):
        board = self.board()
        with board.gdb() as g:
            before = g.position()
            g.begin("continue")
            board.line.type(b"poweroff\r")
            text = g.finish()
            self.assertIn("backstep: the machine was switched off at position", text)
            self.assertIn("SIGTRAP", text)
            off, noted = g.position(), g.registers()
            self.assertGreater(off, before)
            self.assertIn("switched off", g.execute("monitor when"))
            g.execute("reverse-stepi")
            self.assertEqual(g.position(), off - 1)
            g.execute("reverse-stepi 20")
            g.execute("break *strcmp")
            self.assertIn("Breakpoint", g.execute("reverse-continue"))
            self.assertLess(g.position(), off)
            g.execute("delete")
            text = g.execute("continue")
            self.assertIn(NO_HISTORY, text)
            self.check_same(g, noted, "off again")
            text = g.execute("continue")
            self.assertIn("switched off", text)
            self.check_same(g, noted, "it stays off")
        with board.gdb() as g:  # still there
            self.check_same(g, noted, "another gdb")
        self.assertIsNone(board.program.process.poll())

    def test_harts(self):
        """Threads are harts; each goes back over its own steps."""
        board = self.board(2)
        with board.gdb() as g:
            text = g.execute("info threads")
            self.assertRegex(text, r"(?m)^\W*1 .*hart 0")
            self.assertRegex(text, r"(?m)^\W*2 .*hart 1")
            tip = g.position()
            for thread in (2, 1):
                g.execute(f"thread {thread}")
                self.assertEqual(g.value("$mhartid"), thread - 1)
            harts = registers_of(g, 2)
            g.goto(tip // 2)
            g.goto(tip)
            self.assertEqual(registers_of(g, 2), harts)
            # gdb names the hart of a step back only then. The other hart moves as well; gdb does
            # not know that and keeps its registers.
            g.execute("set scheduler-locking step")
            g.goto(tip - 500000)
            for thread in (2, 1, 2):
                g.execute("maint flush register-cache")
                g.execute(f"thread {thread}")
                noted = [g.registers()]
                for _ in range(10):
                    g.execute("stepi")
                    self.assertEqual(g.values("$_thread", "$mhartid"), [thread, thread - 1])
                    noted.append(g.registers())
                for registers in reversed(noted[:-1]):
                    g.execute("reverse-stepi")
                    self.assertEqual(g.value("$_thread"), thread)
                    self.check_same_but_time(g, registers, f"steps of hart {thread - 1}")
            g.goto(tip)
            self.assertEqual(registers_of(g, 2), harts)
            # Breakpoints stop whichever hart comes to them.
            g.goto("start")
            g.execute("set scheduler-locking off")
            g.execute("break *0x80000000")
            stops = []
            for _ in range(2):
                self.assertIn("Breakpoint", g.execute("continue"))
                stops.append(g.values("$icount", "$mhartid", "$_thread"))
            self.assertEqual(sorted(stop[1:] for stop in stops), [[0, 1], [1, 2]])
            self.assertIn("Breakpoint", g.execute("reverse-continue"))
            self.assertEqual(g.values("$icount", "$mhartid", "$_thread"), stops[0])

    def check_same_but_time(self, g, noted, message):
        pattern = r"(?m)^(icount|m?cycle|m?instret|time|mip|sip|vip) .*\n?"
        self.assertEqual(re.sub(pattern, "", g.registers()), re.sub(pattern, "", noted), message)


if __name__ == "__main__":
    end_to_end.need(gdb_session.GDB, end_to_end.UBOOT, end_to_end.OPENSBI)
    end_to_end.main()
