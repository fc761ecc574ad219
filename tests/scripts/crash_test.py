#!/usr/bin/env python3
"""Runs that end by themselves: each crash trigger of --crash-on, its exit status, its line on stderr, what the
recording says of it, and what a gdb sees instead.

Environment: BACKSTEP, the program; BACKSTEP_BUILD, the build folder with the guests."""

import json
import os
import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "gdb"))

import programs  # noqa: E402
import riscv_encode as riscv  # noqa: E402

PROGRAM = os.environ["BACKSTEP"]
GUESTS = pathlib.Path(os.environ["BACKSTEP_BUILD"]) / "guests"
FAILING, SEMIHOSTING = str(GUESTS / "failing.elf"), str(GUESTS / "semihosting.elf")
TIMEOUT = 60
FIRED = 3
SIGABRT = 6
T0, T1, T2 = 5, 6, 7
UART, TEST_DEVICE = 0x10000000, 0x100000
POWER_OFF, RESET = 0x5555, 0x7777
MHARTID, MTVEC = 0xf14, 0x305
SELF_LOOP = riscv.jal(0, 0)
ILLEGAL = 0
PANIC = "Kernel panic - not syncing: test\r\n"
PANIC_END = "---[ end Kernel panic - not syncing: test ]---\r\n"


def sw(source, base, offset=0):
    return riscv.s_type(riscv.STORE, 2, base, source, offset)


def printing(text):
    """Words that print: two a byte, behind one for the port."""
    words = riscv.load_constant(T0, UART)
    for byte in text.encode():
        words += [riscv.addi(T1, 0, byte), riscv.s_type(riscv.STORE, 0, T0, T1, 0)]
    return words


def busy(rounds):
    """Words that take some 2 * rounds steps."""
    return [*riscv.load_constant(T2, rounds), riscv.addi(T2, T2, -1), riscv.b_type(1, T2, 0, -4)]


def ending(code):
    return [*riscv.load_constant(T0, TEST_DEVICE), *riscv.load_constant(T1, code), sw(T1, T0), SELF_LOOP]


def forever(words):
    return [*words, riscv.jal(0, -4 * len(words))]


class Result:
    def __init__(self, done):
        self.status, self.stdout, self.stderr = done.returncode, done.stdout, done.stderr


def backstep(*arguments):
    return Result(subprocess.run([PROGRAM, *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True,
                                 text=True, timeout=TIMEOUT, check=False))


class Crash(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="crash-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.path = str(self.folder / "run.bsr")

    def image(self, words):
        path = self.folder / "guest.raw"
        path.write_bytes(struct.pack(f"<{len(words)}I", *words))
        return str(path)

    def arguments(self, guest, *triggers, record=False):
        kernel = guest if isinstance(guest, str) else self.image(guest)
        return ["-bios", "none", "-m", "16M", "-kernel", kernel,
                *(word for trigger in triggers for word in ("--crash-on", trigger)),
                *(["-o", self.path] if record else [])]

    def run_guest(self, guest, *triggers, record=False, more=(), status=FIRED):
        result = backstep("run", *self.arguments(guest, *triggers, record=record), *more)
        self.assertEqual(result.status, status, result.stderr)
        return result

    def info(self):
        result = backstep("info", self.path, "--json")
        self.assertEqual(result.status, 0, result.stderr)
        return json.loads(result.stdout)

    def recorded(self, reason, line):
        """What the recording says of its end; returns the position of the bookmark."""
        info = self.info()
        text = json.dumps(info)
        self.assertIn(json.dumps(reason), text)
        self.assertIn(json.dumps(line), text)
        marks = [mark for mark in info["bookmarks"] if mark["name"] == "crash"]
        self.assertEqual(len(marks), 1)
        self.assertTrue(info["complete"])
        self.assertEqual(backstep("verify", self.path).status, 0)
        return marks[0]["position"], info

    # ---- panic ----

    def test_panic(self):
        """From the line that says so to its last; what follows is not recorded."""
        guest = printing("fine\n" + PANIC + "registers\n" + PANIC_END) + forever(printing("beyond"))
        result = self.run_guest(guest, record=True)
        self.assertTrue(result.stdout.endswith(PANIC_END.replace("\r\n", "\n")), result.stdout)
        line = re.search(r'the guest printed "Kernel panic - not syncing: test" at position (\d+)', result.stderr)
        self.assertTrue(line, result.stderr)
        position, _ = self.recorded("panic", line[0])
        self.assertEqual(position, int(line[1]))
        self.assertNotIn("beyond", backstep("report", self.path).stdout)
        # The step that printed the newline is the next one at the bookmark.
        with programs.Program("backstep", [PROGRAM, "replay", self.path, "--at", "crash", "-gdb",
                                           "unix:@FOLDER@/gdb"], "unix:@FOLDER@/gdb") as program:
            with program.connect() as client:
                self.assertIn(f"{position:,}", client.monitor("when"))
                self.assertEqual(client.read_registers()[8 * T1:8 * T1 + 8], b"\n" + bytes(7))

    def test_panic_without_a_last_line(self):
        guest = printing(PANIC) + [SELF_LOOP]
        result = self.run_guest(guest, "panic", record=True)
        position, info = self.recorded("panic", result.stderr.splitlines()[0].removeprefix("backstep: "))
        self.assertEqual(info["tip"], position + 200_000_000)

    def test_panic_and_a_wait(self):
        """Nothing more is to come."""
        self.run_guest(printing("sbi_trap_error: hart0: trap handler failed (error -2)\n") +
                       forever([riscv.WFI]), "panic")

    def test_panic_and_a_reset(self):
        guest = printing(PANIC) + busy(1000) + ending(RESET)
        result = self.run_guest(guest, "panic")
        self.assertEqual(result.stdout.count("Kernel panic"), 1, "it does not begin again")
        self.run_guest(guest, "panic", more=["-no-reboot"])

    def test_panic_and_an_end(self):
        self.run_guest(printing(PANIC) + ending(POWER_OFF), "panic")
        result = self.run_guest(printing(PANIC) + ending(0x3333 | 9 << 16), record=True, status=9)
        self.recorded("panic", result.stderr.splitlines()[0].removeprefix("backstep: "))

    def test_panic_of_others(self):
        for line in ("### ERROR ### Please RESET the board ###\n", "E: >>> ZEPHYR FATAL ERROR 0: x\n"):
            result = self.run_guest(printing(line) + [SELF_LOOP], "panic")
            self.assertIn(line.strip(), result.stderr)

    # ---- test-fail ----

    def test_failing_test(self):
        result = self.run_guest(FAILING, record=True, status=37)
        line = "the guest ended the run with code 37 at position 54"
        self.assertEqual(result.stderr.count(line), 1)
        self.assertEqual(self.recorded("test-fail", line)[0], 53)
        self.assertIn("test_main", backstep("report", self.path).stdout)

    def test_failing_test_device(self):
        self.run_guest(ending(0x3333 | 300 << 16), record=True, status=300 & 255)
        self.recorded("test-fail", "the guest ended the run with code 300 at position 10")

    def test_failing_semihosting_call(self):
        command = [PROGRAM, "run", *self.arguments(SEMIHOSTING, record=True), "-semihosting", "-append",
                   "sand loud"]
        done = subprocess.run(command, input=b"q", capture_output=True, timeout=TIMEOUT, check=False)
        self.assertEqual(done.returncode, 42, done.stderr)
        self.assertEqual(self.info()["reason"], "test-fail")

    def test_power_off_is_no_failure(self):
        self.run_guest(ending(POWER_OFF), record=True, status=0)
        self.assertEqual([mark["name"] for mark in self.info()["bookmarks"]], [])

    # ---- trap-loop ----

    def test_garbage(self):
        """Nothing there to run, and nothing at the trap vector."""
        result = self.run_guest([ILLEGAL], record=True)
        self.assertIn("hart 0 has done nothing but trap since position 6: 1000 times in a row", result.stderr)
        position, _ = self.recorded("trap-loop", result.stderr.splitlines()[0].removeprefix("backstep: "))
        self.assertEqual(position, 6)
        self.assertIn("trap-loop", backstep("report", self.path).stdout)

    def test_a_handler_that_faults(self):
        handler = 0x80000000 + 4 * 16
        words = [*riscv.load_constant(T0, handler), riscv.csr(1, 0, MTVEC, T0), ILLEGAL]
        words += [ILLEGAL] * (16 - len(words))
        words += [riscv.addi(2, 2, -64), riscv.s_type(riscv.STORE, 3, 2, 1, 0)]  # the stack pointer is 0
        result = self.run_guest(words, "trap-loop")
        self.assertIn("100000 times in a row", result.stderr)
        self.assertIn(f"pc {handler + 4:#x}, cause 7", result.stderr)

    def test_one_hart_of_two(self):
        words = [riscv.csr(2, T0, MHARTID, 0), riscv.b_type(1, T0, 0, 8), SELF_LOOP, ILLEGAL]
        result = self.run_guest(words, "trap-loop", more=["-smp", "2"])
        self.assertIn("hart 1 has done nothing but trap", result.stderr)

    def test_traps_that_are_none(self):
        """A handler that goes on behind what trapped."""
        words = [*riscv.load_constant(T0, 0x80000000 + 4 * 16), riscv.csr(1, 0, MTVEC, T0),
                 riscv.ECALL, riscv.jal(0, -4)]
        words += [ILLEGAL] * (16 - len(words))
        words += [riscv.csr(2, T1, 0x341, 0), riscv.addi(T1, T1, 4), riscv.csr(1, 0, 0x341, T1), riscv.MRET]
        self.run_guest(words, "trap-loop", more=["--stop-at", "3000000"], status=0)

    # ---- symbol, console, watchdog ----

    def test_symbol(self):
        result = self.run_guest(FAILING, "symbol:fail", record=True)
        line = re.search(r"hart 0 has come to fail at position (\d+), pc (0x[0-9a-f]+)", result.stderr)
        position, _ = self.recorded("symbol:fail", line[0])
        self.assertEqual(position, int(line[1]))
        by_address = self.run_guest(FAILING, f"symbol:{line[2]}")
        self.assertIn(f"has come to {line[2]} at position {line[1]}, pc {line[2]}", by_address.stderr)

    def test_symbol_of_another_file(self):
        raw = self.folder / "failing.raw"
        data = pathlib.Path(FAILING).read_bytes()
        headers, = struct.unpack_from("<Q", data, 32)
        rows = [struct.unpack_from("<IIQQQQ", data, headers + 56 * i) for i in range(data[56])]
        offset, size = next((row[2], row[5]) for row in rows if row[0] == 1)  # the code
        raw.write_bytes(data[offset:offset + size])
        self.run_guest(str(raw), "symbol:fail", more=["--symbols", FAILING])
        result = self.run_guest(str(raw), "symbol:fail", status=2)
        self.assertIn("--symbols FILE", result.stderr)

    def test_console(self):
        guest = forever(printing("test 1 ok\n") + printing("\x1b[31mtest 2 FAILED\x1b[0m\r\n"))
        result = self.run_guest(guest, r"console:^test [0-9]+ FAIL", record=True)
        line = re.search(r'the guest printed "test 2 FAILED" at position (\d+)', result.stderr)
        position, _ = self.recorded("console:^test [0-9]+ FAIL", line[0])
        self.assertEqual(position, int(line[1]))
        self.assertEqual(result.stdout.count("test"), 2)

    def test_console_of_an_incomplete_line(self):
        self.run_guest(printing("FAIL") + ending(POWER_OFF), "console:FAIL")
        self.run_guest(printing("FAIL") + [SELF_LOOP], "console:FAIL", more=["--stop-at", "100000"], status=0)

    def test_watchdog(self):
        words = printing("begun\n")
        result = self.run_guest(words + [SELF_LOOP], "watchdog:1e5")
        # Behind the boot ROM's instructions, the last step prints.
        printed = int(re.search(r"100000 steps up to position (\d+)", result.stderr)[1]) - 100_000
        self.assertLess(printed - len(words), 8)
        self.run_guest(forever(printing("alive") + busy(40_000)), "watchdog:1e5", more=["--stop-at", "2e6"],
                       status=0)

    # ---- which are on ----

    def test_none(self):
        for triggers, record in (((), False), (("none",), True), (("watchdog:1e9",), True)):
            with self.subTest(triggers=triggers):
                if os.path.exists(self.path):
                    os.remove(self.path)
                self.run_guest([ILLEGAL], *triggers, record=record, more=["--stop-at", "300000"], status=0)
        self.run_guest(FAILING, "none", status=37)

    def test_bad_command_lines(self):
        for trigger, words in (("painc", "did you mean panic?"), ("nothing-like-it", "trap-loop"),
                               ("panic:now", "nothing behind it"), ("panic,test-fail", "once for each"), ("symbol", "symbol:NAME"),
                               ("symbol:fial", "did you mean fail?"), ("symbol:0xnowhere", "no address"),
                               ("symbol:whatever_it_is", "no symbol"), ("console:(", "regular expression"),
                               ("console:", "REGEX"), ("watchdog:soon", "1.5e9"), ("watchdog:0", "no number"),
                               ("", "no trigger")):
            result = backstep("run", *self.arguments(FAILING, trigger))
            self.assertEqual((result.status, result.stdout), (2, ""), trigger)
            self.assertIn(words, result.stderr, trigger)
            self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        self.assertEqual(backstep("run", *self.arguments(FAILING, "none", "panic")).status, 2)
        self.assertEqual(backstep("run", *self.arguments(FAILING, "panic", "none")).status, 2)

    def test_help(self):
        text = backstep("run", "--help").stdout
        for word in ("--crash-on TRIGGER", "watchdog:STEPS", "3 when a crash"):
            self.assertIn(word, text)

    # ---- with a gdb ----

    def debugged(self, guest, *triggers, more=(), paused=True):
        return programs.Program(
            "backstep", [PROGRAM, "run", *self.arguments(guest, *triggers), "-serial", "null", "-gdb",
                         "unix:@FOLDER@/gdb", *(["-S"] if paused else []), *more], "unix:@FOLDER@/gdb")

    def test_gdb_is_told(self):
        guest = printing(PANIC + PANIC_END) + forever(printing("beyond\n"))
        with self.debugged(guest, "panic", "console:^beyond") as program:
            with program.connect() as client:
                stop = client.cont()
                self.assertEqual(stop.signal, SIGABRT)
                self.assertIn(b'the guest printed "Kernel panic - not syncing: test"', stop.console)
                self.assertIn("Kernel panic", program.stderr_text())
                # Back and forth again: the past ends at the tip as ever, and beyond it there is more.
                self.assertTrue(client.reverse_cont().history_end)
                self.assertTrue(client.cont().history_end)
                for _ in range(2):
                    stop = client.cont()
                    self.assertEqual(stop.signal, SIGABRT)
                    self.assertIn(b'"beyond"', stop.console)
                self.assertIn("crash", client.monitor("bookmarks"))

    def test_points_of_gdb_are_others(self):
        with self.debugged(FAILING, "symbol:fail") as program:
            with program.connect() as client:
                fail = int(re.search(r"pc (0x[0-9a-f]+)",
                                     self.run_guest(FAILING, "symbol:fail").stderr)[1], 0)
                client.insert_point(1, fail)
                client.remove_point(1, fail)
                stop = client.cont()
                self.assertEqual(stop.signal, SIGABRT)
                self.assertIn(b"has come to fail", stop.console)
                client.reverse_cont()
                client.insert_point(1, fail)
                self.assertEqual(client.cont().signal, 5, "gdb's own, in the past")

    def test_a_port_that_nobody_uses(self):
        """It waits for gdb, which finds the machine there; when it leaves it stays."""
        with self.debugged([ILLEGAL], "trap-loop", paused=False) as program:
            limit = time.monotonic() + TIMEOUT
            while "; gdb can connect" not in program.stderr_text():
                self.assertLess(time.monotonic(), limit, program.stderr_text())
                time.sleep(0.01)
            for _ in range(2):
                with program.connect() as client:
                    self.assertIn("1,006", client.monitor("when"))
                    client.detach()
            self.assertIsNone(program.process.poll())

    def test_a_failing_test_with_gdb(self):
        with self.debugged(FAILING, "test-fail") as program:
            with program.connect() as client:
                self.assertIn(b"code 37", client.cont().console)
                self.assertIn("crash", client.monitor("bookmarks"))
                client.reverse_cont()
                self.assertTrue(client.cont().history_end)


if __name__ == "__main__":
    if not os.path.exists(FAILING):
        print("the guests are not built: skipped")
        sys.exit(77)
    unittest.main(verbosity=1)
