#!/usr/bin/env python3
"""Recordings from the command line: written in every way that a run ends, opened, looked at, verified, cut,
saved again; and files that are none, or no longer whole.

Environment: BACKSTEP, the program; BACKSTEP_BUILD, the build folder with the guests."""

import json
import os
import pathlib
import re
import signal
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "gdb"))

import gdb_client  # noqa: E402
import gdb_session  # noqa: E402
import programs  # noqa: E402

import cli_test  # noqa: E402
import recording_file  # noqa: E402

PROGRAM = os.environ["BACKSTEP"]
GUESTS = pathlib.Path(os.environ["BACKSTEP_BUILD"]) / "guests"
CRC = str(GUESTS / "bench-crc.elf")
FAILING = str(GUESTS / "failing.elf")
INTEGER = str(GUESTS / "integer.elf")
TIMEOUT = 120
STEPS = 60_000_000


def backstep(*arguments, status=0, stdin=subprocess.DEVNULL):
    """stdout and stderr of the program, which ends with this status."""
    done = subprocess.run([PROGRAM, *map(str, arguments)], stdin=stdin, capture_output=True, text=True,
                          errors="replace", timeout=TIMEOUT, check=False)
    if done.returncode != status:
        raise AssertionError(f"{arguments}: status {done.returncode}, not {status}: {done.stdout[-800:]} "
                             f"{done.stderr[-800:]}")
    return done.stdout, done.stderr


def run(kernel, *arguments, **options):
    return backstep("run", "-bios", "none", "-m", "16M", "-serial", "null", "-kernel", kernel, *arguments,
                    **options)


def info(path, status=0):
    return json.loads(backstep("info", path, "--json", status=status)[0])


def changed(source, path, change):
    """Write the recording again, never closed, with a change of its configuration."""
    chunks = [(c.kind, c.contents) for c in recording_file.whole(pathlib.Path(source).read_bytes()) if c.kind != "TABL"]
    config = json.loads(chunks[0][1])
    change(config)
    chunks[0] = (chunks[0][0], json.dumps(config).encode())
    pathlib.Path(path).write_bytes(recording_file.build(chunks))


class RecordingTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.shared = tempfile.TemporaryDirectory(prefix="recording-")
        cls.crc = os.path.join(cls.shared.name, "crc.bsr")
        run(CRC, "-o", cls.crc, "--stop-at", STEPS, "--symbols", CRC, "-append", "it's \xe4 test")

    @classmethod
    def tearDownClass(cls):
        cls.shared.cleanup()

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="recording-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.path = self.folder / "run.bsr"

    def bad(self, arguments, *words):
        """Status 2 and a last line on stderr with these words; nothing on stdout."""
        out, err = backstep(*arguments, status=2)
        self.assertEqual(out, "", arguments)
        line = err.splitlines()[-1]
        self.assertTrue(line.startswith("backstep: "), err)
        for word in words:
            self.assertIn(word, line, arguments)

    def check_whole(self, path, tip=None):
        """A closed recording that verifies."""
        facts = info(path)
        self.assertTrue(facts["complete"])
        self.assertIsNone(facts["damage"])
        if tip is not None:
            self.assertEqual(facts["tip"], tip)
        self.assertIn(": equal: ", backstep("verify", path)[0])
        return facts

    def listing(self):
        return sorted(os.listdir(self.folder))


class Ends(RecordingTest):
    def test_the_line_at_the_end(self):
        _, err = run(CRC, "-o", self.path, "--stop-at", 3_000_000)
        self.assertRegex(err, rf"recorded to {self.path}: 3,000,000 positions, [0-9.]+ \w+; open it with "
                              rf"`backstep replay {self.path}`\n$")
        self.assertEqual(self.listing(), ["run.bsr"])
        self.check_whole(self.path, 3_000_000)

    def test_power_off(self):
        run(INTEGER, "-o", self.path)
        self.check_whole(self.path)

    def test_exit_code(self):
        run(FAILING, "-o", self.path, status=37)
        self.check_whole(self.path)

    def start(self, *arguments, **options):
        command = [PROGRAM, "run", "-bios", "none", "-m", "16M", "-kernel", CRC, "-o", self.path, *arguments]
        return subprocess.Popen(command, stderr=subprocess.PIPE, **options)

    def wait_for_file(self, process):
        """Until something of the run is in it."""
        incomplete = pathlib.Path(f"{self.path}.incomplete")
        limit = time.monotonic() + TIMEOUT
        while not incomplete.exists() or incomplete.stat().st_size < 20_000:
            self.assertIsNone(process.poll())
            self.assertLess(time.monotonic(), limit)
            time.sleep(0.01)

    def test_signals(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.start("-serial", "null", stdin=subprocess.DEVNULL) as process:
                self.wait_for_file(process)
                process.send_signal(number)
                err = process.communicate(timeout=TIMEOUT)[1].decode()
            self.assertEqual(process.returncode, 0, err)
            self.assertIn("recorded to", err)
            self.assertGreater(self.check_whole(self.path)["tip"], 0)
            self.path.unlink()

    def test_keys(self):
        with self.start("-serial", "mon:stdio", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
            self.wait_for_file(process)
            err = process.communicate(b"\x01x", timeout=TIMEOUT)[1].decode()
        self.assertEqual(process.returncode, 0, err)
        self.check_whole(self.path)

    def test_kill_nine(self):
        """What was written opens by the name it was to get, and says that it is not whole."""
        with self.start("-serial", "null", stdin=subprocess.DEVNULL) as process:
            self.wait_for_file(process)
            time.sleep(0.5)
            process.kill()
            process.communicate(timeout=TIMEOUT)
        self.assertEqual(self.listing(), ["run.bsr.incomplete"])
        facts = info(self.path)
        self.assertFalse(facts["complete"])
        self.assertGreater(facts["tip"], 0)
        self.assertEqual(facts["file"], f"{self.path}.incomplete")
        _, err = backstep("verify", self.path)
        self.assertIn("run.bsr.incomplete", err)
        self.bad(["run", "-kernel", CRC, "-o", self.path], "run.bsr.incomplete", "already there", "remove")

    @unittest.skipUnless(gdb_client.Gdb.available(), "no gdb-multiarch")
    def test_gdb_on_stdio(self):
        command = f"{PROGRAM} run -bios none -m 16M -kernel {CRC} -o {self.path} -gdb stdio -S"
        gdb = gdb_client.Gdb(CRC, timeout=TIMEOUT)
        text = gdb.run([f"target remote | {command} 2>/dev/null", "stepi 1000", "monitor when", "kill"])
        self.assertIn("position 1,000", text)
        limit = time.monotonic() + TIMEOUT
        while not self.path.exists() and time.monotonic() < limit:
            time.sleep(0.01)
        self.check_whole(self.path, 1000)


class Refused(RecordingTest):
    def test_output(self):
        base = ["run", "-bios", "none", "-m", "16M", "-serial", "null", "-kernel", CRC]
        self.path.write_text("mine")
        self.bad([*base, "-o", self.path], "run.bsr", "already there", "choose another name or remove it")
        self.assertEqual(self.path.read_text(), "mine")
        self.bad([*base, "-o", self.folder], "a folder")
        self.bad([*base, "-o", self.folder / "none" / "x"], "none/x", "No such file")
        self.bad([*base, "-o", ""], "-o", "empty")
        self.bad([*base, "-o", "a", "-o", "b"], "given twice")
        self.bad([*base, "-o", "a" * 5000], "too long")
        self.bad([*base, "--keep", "64M"], "-o FILE")
        self.bad([*base, "-o", "x", "--keep", "1M"], "16M or more")
        for value in ("64", "", "0s", "-1s", "1.5h", "5days", "99999999999999h", "M"):
            self.bad([*base, "-o", "x", "--keep", value], "--keep", "64M or 2G", "10min")
        self.bad([*base, "--symbols", self.folder / "none"], "--symbols", "No such file")
        self.bad([*base, "--symbols", self.path], "not an ELF file")
        self.bad([*base, *["--symbols", CRC] * 17], "at most 16")
        self.assertEqual(self.listing(), ["run.bsr"])

    def test_no_recordings(self):
        text = self.folder / "text"
        text.write_text("This is no recording.\n" * 100)
        (self.folder / "empty").touch()
        fifo = self.folder / "fifo"
        os.mkfifo(fifo)
        for command in (["info"], ["verify"], ["replay"], ["trim", "-o", self.path]):
            self.bad([*command, self.folder / "none"], "none", "No such file")
            self.bad([*command, text], "text")
            self.bad([*command, self.folder / "empty"], "empty")
            self.bad([*command, self.folder], str(self.folder))
            self.bad([*command, "/dev/null"], "/dev/null")
            self.bad([*command, fifo], "fifo")
            self.bad([*command, CRC], "bench-crc.elf")
            self.bad(command, "recording is missing")
            self.bad([*command, self.crc, self.crc], "one file")
            self.bad([*command, self.crc, "--nonsense"], "--nonsense", "--help")
            self.bad([*command, ""], "missing")
        self.bad(["trim", self.crc, "-o", ""], "-o needs a value")
        self.assertEqual(self.listing(), ["empty", "fifo", "text"])

    def test_standard_output_is_full(self):
        for command in (["info", self.crc], ["info", self.crc, "--json"], ["verify", self.crc], ["info", "--help"]):
            with open("/dev/full", "w", encoding="utf-8") as full:
                done = subprocess.run([PROGRAM, *command], stdout=full, stderr=subprocess.PIPE, text=True,
                                      timeout=TIMEOUT, check=False)
            self.assertEqual(done.returncode, 2, command)
            self.assertIn("standard output", done.stderr)

    def test_positions(self):
        for option in ("--from", "--to"):
            self.bad(["verify", self.crc, option, "1e12"], option, "outside of history", "60,000,000")
            self.bad(["verify", self.crc, option, "nowhere"], option, "nowhere", "no position")
            self.bad(["trim", self.crc, "-o", self.path, option, "nowhere"], option, "no position")
        self.bad(["verify", self.crc, "--from", "2000", "--to", "1000"], "lies behind")
        self.bad(["trim", self.crc, "--from", "end", "--to", "start", "-o", self.path], "lies behind")
        self.bad(["replay", self.crc, "--at", "60000001"], "--at", "outside of history")
        self.bad(["replay", self.crc, "--at"], "--at", "POSITION")
        self.bad(["replay", self.crc, "--att", "5"], "--att", "did you mean")
        self.bad(["replay", self.crc, "-gdb", "nowhere"], "-gdb", "nowhere")
        self.bad(["replay", self.crc, "-serial", "vc"], "-serial", "vc")
        self.bad(["verify", self.crc, "-j", "0"], "-j 0")
        self.bad(["verify", self.crc, "-jx"], "-jx")
        self.bad(["trim", self.crc], "-o OUT")
        self.bad(["trim", self.crc, "-o", self.crc], "is the recording itself")
        self.path.touch()
        self.bad(["trim", self.crc, "-o", self.path], "run.bsr")
        self.assertEqual(self.path.stat().st_size, 0)

    def test_truncated(self):
        """Opens with a line that says so, or is refused; never anything else."""
        whole = pathlib.Path(self.crc).read_bytes()
        cut = self.folder / "cut.bsr"
        opened = 0
        for share in range(0, 100, 4):
            cut.write_bytes(whole[:len(whole) * share // 100])
            done = subprocess.run([PROGRAM, "verify", cut], capture_output=True, text=True, check=False,
                                  timeout=TIMEOUT)
            self.assertIn(done.returncode, (0, 1, 2), f"{share}%: {done}")
            self.assertTrue(done.stderr.startswith("backstep: "), f"{share}%: {done}")
            opened += done.returncode == 0
            done = subprocess.run([PROGRAM, "info", cut, "--json"], capture_output=True, text=True,
                                  check=False, timeout=TIMEOUT)
            self.assertIn(done.returncode, (0, 1, 2), f"{share}%: {done}")
            if done.returncode < 2:
                facts = json.loads(done.stdout)
                self.assertTrue(not facts["complete"] or facts["damage"], f"{share}%: {facts}")
        self.assertGreater(opened, 0)

    def test_flipped(self):
        whole = bytearray(pathlib.Path(self.crc).read_bytes())
        flipped = self.folder / "flipped.bsr"
        for at in range(0, len(whole), len(whole) // 40):
            whole[at] ^= 0x10
            flipped.write_bytes(whole)
            whole[at] ^= 0x10
            for command in ("verify", "info"):
                done = subprocess.run([PROGRAM, command, flipped], capture_output=True, text=True,
                                      check=False, timeout=TIMEOUT)
                self.assertIn(done.returncode, (0, 1, 2), f"byte {at}: {done}")


class Info(RecordingTest):
    def test_json(self):
        facts = info(self.crc)
        self.assertEqual((facts["begin"], facts["tip"]), (0, STEPS))
        self.assertEqual(facts["tip_ns"], STEPS * 8)
        self.assertEqual(facts["bytes"], os.path.getsize(self.crc))
        self.assertIsNone(facts["problem"])
        images = {i["name"]: i for i in facts["images"]}
        self.assertEqual(set(images), {"tree", "kernel"}, "the symbols are the kernel's file")
        self.assertEqual(images["kernel"]["size"], os.path.getsize(CRC))
        config = facts["config"]
        self.assertEqual(config["machine"]["kernel"], CRC)
        self.assertEqual(config["machine"]["ram"], 16 << 20)
        self.assertEqual(config["machine"]["append"], "it's \xe4 test")
        self.assertEqual(config["symbols"], [{"blob": "kernel", "file": CRC}])
        origin = config["origin"]
        self.assertTrue(origin["command"].startswith("backstep run -bios none -m 16M "), origin)
        self.assertIn("-append 'it'\\''s \xe4 test'", origin["command"])
        self.assertRegex(origin["date"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertEqual(origin["version"], backstep("version")[0].split()[1])
        self.assertEqual(backstep("info", self.crc, "--json"), backstep("info", "--json", self.crc))

    def test_text(self):
        text = backstep("info", self.crc)[0]
        for part in ("positions     0 to 60,000,000, 0.000 s to 0.480 s", "1 hart, 16.0 MiB of RAM",
                     "kernel, ", ", closed\n"):
            self.assertIn(part, text)

    def test_each_file_once(self):
        """Files with symbols, of which some are the kernel or each other by another name."""
        names = [self.folder / name for name in ("kernel.elf", "one.elf", "two.elf", "integer.elf")]
        for source, name in zip((CRC, FAILING, FAILING, INTEGER), names):
            shutil.copy(source, name)
        words = [word for name in names for word in ("--symbols", name)]
        run(CRC, "-o", self.path, "--stop-at", 1000, *words)
        again = self.folder / "again.bsr"
        backstep("trim", self.path, "-o", again)
        for name in names:
            name.unlink()
        for path in (self.path, again):
            facts = self.check_whole(path, 1000)
            self.assertEqual(sorted(i["name"] for i in facts["images"]),
                             ["kernel", "symbols/integer.elf", "symbols/one.elf", "tree"])
            self.assertEqual([(s["blob"], s["file"]) for s in facts["config"]["symbols"]],
                             list(zip(("kernel", "symbols/one.elf", "symbols/one.elf", "symbols/integer.elf"),
                                      map(str, names))))
            data = path.read_bytes()
            stored = sum(c.size for c in recording_file.whole(data) if c.kind == "BLOB")
            self.assertLess(stored, sum(map(os.path.getsize, (CRC, FAILING, INTEGER))) + (64 << 10))
            self.assertIn("machine mode, at ", backstep("report", path)[0])

    def test_another_place(self):
        """The kernel is gone and the file has another name: it opens all the same."""
        kernel = self.folder / "kernel.elf"
        shutil.copy(CRC, kernel)
        run(kernel, "-o", self.path, "--stop-at", 2_000_000)
        kernel.write_text("something else")
        moved = self.folder / "moved"
        self.path.rename(moved)
        self.check_whole(moved, 2_000_000)

    def test_terminal_escapes_are_not_printed(self):
        run(CRC, "-o", self.path, "--stop-at", 1000, "-append", "\x1b[31mred")
        text = backstep("info", self.path)[0]
        self.assertIn("?[31mred", text)
        self.assertNotIn("\x1b", text)

    def test_of_anybody(self):
        """A configuration that somebody else has written: its texts move no cursor, and what cannot be made
        into a machine is told of as far as it can be read."""
        evil = "\x1b]0;title\x07\x1b[2J\x9b31m"
        path = self.folder / "evil.bsr"
        changed(self.crc, path, lambda config: config["origin"].update(version=evil, host=evil, command=evil))
        for command in ("info", "verify", "report"):
            out, err = backstep(command, path)
            for text in (out, err):
                self.assertFalse(set("\x1b\x07\x9b") & set(text), (command, text))
        self.assertIn("?]0;title??[2J", err)
        other = self.folder / "other.bsr"
        changed(self.crc, f"{other}.incomplete", lambda config: config.update(config=99))
        self.assertIn("version 99", info(other, status=1)["problem"])
        self.assertEqual(info(other, status=1)["tip"], STEPS)

    def test_long_words(self):
        """As long as a host lets them be, and each byte of them many in JSON."""
        words = ["-fw_cfg", "name=opt/a,string=" + "a" * 4_000, "-fw_cfg",
                 "name=opt/b,string=" + "b" * 4_000]
        run(CRC, "-o", self.path, "--stop-at", 1000, "-append", "\x01" * 130_000, *words)
        facts = self.check_whole(self.path, 1000)
        self.assertEqual(facts["config"]["machine"]["append"], "\x01" * 130_000)
        self.assertEqual({i["name"]: i["size"] for i in facts["images"]}["fw_cfg/opt/b"], 4_000)

    def test_help(self):
        for command in ("replay", "info", "verify", "trim"):
            for word in ("--help", "-h"):
                out, err = backstep(command, word)
                self.assertIn(f"usage: backstep {command} FILE", out)
                self.assertEqual(err, "")
            self.assertIn(f"  {command} ", backstep("help")[0])
        self.assertIn("never closed, and can be read up to its end, has 0", backstep("info", "--help")[0])


class Verify(RecordingTest):
    def test_progress_on_a_terminal(self):
        """A bar, wiped away at the end; the result is not in it."""
        master, slave = os.openpty()
        self.addCleanup(os.close, master)
        done = subprocess.run([PROGRAM, "verify", self.crc, "-j", "1"], stdout=subprocess.PIPE, stderr=slave,
                              text=True, timeout=TIMEOUT, check=True)
        os.close(slave)
        shown = os.read(master, 65536).decode()
        self.assertRegex(shown, r"^(\r\[=* *\] +\d+%( +\d+ s left +)?)+\r +\r$")
        self.assertEqual(done.stdout.count("\n"), 1)

    def test_percentage_and_time_left(self):
        """They grow and shrink. The work is that of some seconds, and the program is held between its first
        drawings, so that time has passed however fast it is."""
        run(CRC, "-o", self.path, "--stop-at", 10 * STEPS)
        master, slave = os.openpty()
        self.addCleanup(os.close, master)
        shown, held = "", 0
        with subprocess.Popen([PROGRAM, "verify", self.path, "-j", "1"], stdout=subprocess.DEVNULL, stderr=slave,
                              stdin=subprocess.DEVNULL) as process:
            os.close(slave)
            while True:
                try:
                    shown += os.read(master, 65536).decode()
                except OSError:  # it has ended, and nobody has the other side any more
                    break
                if held < 3 and process.poll() is None:
                    process.send_signal(signal.SIGSTOP)
                    time.sleep(0.4)  # a drawing is due, and enough is known for a guess
                    process.send_signal(signal.SIGCONT)
                    held += 1
            self.assertEqual(process.wait(TIMEOUT), 0)
        bars = re.findall(r"\r\[(=*) *\] +(\d+)%(?: +(\d+) s left)?", shown)
        percents = [int(percent) for _, percent, _ in bars]
        self.assertEqual(percents, sorted(percents))
        self.assertGreater(percents[-1], percents[0])
        self.assertLessEqual(percents[-1], 100)
        for bar, percent, _ in bars:
            self.assertLess(abs(len(bar) - int(percent) * 30 / 100), 1.2, bars)  # cut off, and rounded
        self.assertTrue([left for _, _, left in bars if left], shown)
        self.assertRegex(shown, r"\r +\r$")

    def test_damage_that_no_replay_meets(self):
        """What is left is equal; that something is lost is told too, of every kind of chunk."""
        data = pathlib.Path(self.crc).read_bytes()
        for kind in ("ORIG", "BLOB", "MARK", "SUMM", "PAGE"):
            chunk = [c for c in recording_file.whole(data) if c.kind == kind][-1]
            broken = bytearray(data)
            broken[chunk.offset + 32 + chunk.stored // 2] ^= 1
            self.path.write_bytes(broken)
            out, err = backstep("verify", self.path, status=2 if kind == "BLOB" else 1)
            self.assertIn(f"chunk {chunk.number} ({kind})", out + err)
            self.assertEqual("some digests are missing" in err, kind == "MARK", err)

    def test_jobs(self):
        intervals = set()
        for jobs in ("1", "2", "7"):
            out, err = backstep("verify", self.crc, "-j", jobs)
            found = re.search(r"equal: positions 0 to 60,000,000, (\d+) interval", out)
            self.assertTrue(found, out)
            intervals.add(found[1])
            self.assertEqual(err, "", "no progress bar without a terminal")
        self.assertEqual(len(intervals), 1)
        self.assertIn("equal", backstep("verify", self.crc, "-j3")[0])

    def test_a_part(self):
        out = backstep("verify", self.crc, "--from", "50%", "--to", "55000000")[0]
        self.assertIn("equal: positions 30,000,000 to 55,000,000", out)
        out = backstep("verify", self.crc, "--from", "end")[0]
        self.assertIn("equal: positions 60,000,000 to 60,000,000", out)


class Trim(RecordingTest):
    def test_parts(self):
        whole = info(self.crc)
        for begin, end in ((0, 60_000_000), (10_000_001, 50_000_000), (59_999_999, 60_000_000), (7, 7)):
            out = self.folder / f"{begin}.bsr"
            text = backstep("trim", self.crc, "--from", begin, "--to", end, "-o", out)[0]
            self.assertIn(f"positions {begin:,} to {end:,}", text)
            facts = self.check_whole(out, end)
            self.assertEqual(facts["begin"], begin)
            self.assertEqual(facts["images"], whole["images"])
            self.assertEqual(facts["config"], whole["config"])
        again = self.folder / "again.bsr"
        backstep("trim", self.folder / "10000001.bsr", "--from", "20000000", "-o", again)
        self.assertEqual(self.check_whole(again, 50_000_000)["begin"], 20_000_000)


class Keep(RecordingTest):
    def test_time(self):
        _, err = run(CRC, "-o", self.path, "--keep", "1s", "--stop-at", 700_000_000)
        facts = self.check_whole(self.path, 700_000_000)
        kept = (facts["tip_ns"] - facts["begin_ns"]) / 1e9
        self.assertGreaterEqual(kept, 0.8)
        self.assertLess(kept, 3)
        self.assertRegex(err, r"recorded to .*: [0-9,]+ positions")


@unittest.skipUnless(gdb_client.Gdb.available(), "no gdb-multiarch")
class Replay(RecordingTest):
    def replay(self, path, *arguments):
        return programs.Program("replay", [PROGRAM, "replay", str(path), *map(str, arguments)])

    def session(self, process):
        return gdb_session.GdbSession(CRC, process.address.removeprefix("unix:").removeprefix("tcp:"))

    def test_says_what_it_is(self):
        with self.replay(self.crc) as process:
            err = process.stderr_text()
        self.assertIn("positions 0 to 60,000,000, 0.480 s of guest time\n", err)
        self.assertIn("stands at position 60,000,000, the end", err)
        self.assertIn("gdb: target remote tcp:127.0.0.1:", err)

    def test_the_same_states_as_live(self):
        """Registers at positions of a live session, and of the recording of it."""
        live = programs.Program("run", [PROGRAM, "run", "-bios", "none", "-m", "16M", "-serial", "null",
                                        "-kernel", CRC, "-o", str(self.path), "-gdb", "tcp::0", "-S",
                                        "--stop-at", "3000000"])
        noted = {}
        with live, self.session(live) as g:
            g.execute("continue")
            self.assertEqual(g.position(), 3_000_000)
            for position in (0, 1, 1234, 2_999_999, 3_000_000):
                g.goto(position)
                noted[position] = g.registers()
            self.assertIn("3,000,000 positions", g.execute(f"monitor save {self.folder / 'saved.bsr'}"))
            live.process.send_signal(signal.SIGTERM)
            live.process.wait(TIMEOUT)
        for path in (self.path, self.folder / "saved.bsr"):
            self.check_whole(path, 3_000_000)
            with self.replay(path) as process, self.session(process) as g:
                self.assertEqual(g.registers(), noted[3_000_000])
                for position, registers in noted.items():
                    g.goto(position)
                    self.assertEqual(g.registers(), registers, position)

    def test_at(self):
        for at, position in (("start", 0), ("12345", 12345), ("50%", STEPS // 2), ("-1", STEPS - 1),
                             ("end", STEPS)):
            with self.replay(self.crc, "--at", at) as process, self.session(process) as g:
                self.assertEqual(g.position(), position, at)

    def test_at_nowhere(self):
        _, err = backstep("replay", self.crc, "--at", "foo", status=2)
        self.assertEqual(err.count("\n"), 1, err)
        self.assertIn("--at: `foo` is no position", err)

    def test_long_command(self):
        """The first line is cut, and says so."""
        backstep("run", "-bios", "none", "-m", "16M", "-serial", "null", "-kernel", CRC, "-append",
                 "word " * 100 + "last", "-o", self.path, "--stop-at", 1000)
        with self.replay(self.path) as process:
            err = process.stderr_text()
        self.assertRegex(err, r"recorded .*word w?o?r?d? ?\.\.\.\n")
        self.assertNotIn("last", err)

    def test_disk_whose_image_is_gone(self):
        image, out, other = (self.folder / name for name in ("gone.img", "out.img", "other.img"))
        image.write_bytes(b"x" * 20480)
        run(CRC, "-drive", f"file={image},format=raw", "-o", self.path, "--stop-at", 1000)
        image.unlink()
        with self.replay(self.path) as process, self.session(process) as g:
            for command in ("monitor disk", "monitor info disks"):
                text = g.execute(command)
                self.assertIn(f"disk 0: {image}, 20.0 KiB", text)
                self.assertIn("as recorded: not all of the images are where they were", text)
            text = g.execute(f"monitor disk export 0 {out}")
            self.assertIn(f"disk 0 as of position 1,000 is in {out}, 20.0 KiB\n5 of its blocks", text)
            self.assertIn("there is no disk 1", g.execute(f"monitor disk export 1 {out}"))
            self.assertIn("in use", g.execute(f"monitor disk export 0 {self.path}"))
        text, _ = backstep("export", self.path, "--disk", 0, other)
        self.assertIn("5 of its blocks", text)
        self.assertEqual(out.read_bytes(), bytes(20480))
        self.assertEqual(other.read_bytes(), bytes(20480))

    def test_it_never_runs_by_itself(self):
        with self.replay(self.crc) as process:
            for _ in range(2):
                with self.session(process) as g:
                    self.assertEqual(g.position(), STEPS)
                    g.execute("detach")
                time.sleep(0.2)
            with self.session(process) as g:
                self.assertEqual(g.position(), STEPS)

    def test_back_and_beyond_the_end(self):
        with self.replay(self.crc) as process, self.session(process) as g:
            g.execute("reverse-stepi")
            self.assertEqual(g.position(), STEPS - 1)
            g.execute("stepi 3")
            self.assertEqual(g.position(), STEPS)
            g.execute("stepi 3")
            self.assertGreaterEqual(g.position(), STEPS + 2)
            text = g.execute("monitor info recording")
            self.assertIn("opened from", text)
        self.check_whole(self.crc, STEPS)

    def test_bookmarks(self):
        saved = self.folder / "saved.bsr"
        with self.replay(self.crc, "--at", 5000) as process, self.session(process) as g:
            self.assertIn("no bookmarks", g.execute("monitor bookmarks"))
            self.assertEqual(g.execute("monitor bookmark here  a note, of words"), "bookmark here at 5,000")
            g.goto(7000)
            self.assertEqual(g.execute("monitor bookmark there"), "bookmark there at 7,000")
            g.execute("monitor bookmark gone")
            self.assertEqual(g.execute("monitor bookmark -d gone"), "")
            self.assertIn("no bookmark", g.execute("monitor bookmark -d gone"))
            self.assertIn("no name", g.execute("monitor bookmark 5th"))
            self.assertRegex(g.execute("monitor bookmarks"),
                             r"5,000  here: a note, of words\n +7,000  there")
            g.goto("here")
            self.assertEqual(g.position(), 5000)
            self.assertIn("bookmark here: a note, of words\n", g.execute("monitor when"))
            self.assertIn("saved to", g.execute(f"monitor save {saved}"))
            self.assertIn("saved.bsr", g.execute(f"monitor save {saved}"), "not twice")
            self.assertIn("is the recording itself", g.execute(f"monitor save {self.crc}"))
            self.assertEqual(g.position(), 5000)
        self.assertEqual(info(saved)["bookmarks"],
                         [{"name": "here", "note": "a note, of words", "position": 5000},
                          {"name": "there", "note": "", "position": 7000}])
        self.assertEqual(info(self.crc)["bookmarks"], [], "the file that was opened stays as it is")
        with self.replay(saved, "--at", "there") as process, self.session(process) as g:
            self.assertEqual(g.position(), 7000)
        backstep("trim", saved, "--from", "here", "--to", "there", "-o", self.path)
        self.assertEqual([b["name"] for b in info(self.path)["bookmarks"]], ["here", "there"])

    def test_a_live_session(self):
        with programs.Program("run", [PROGRAM, "run", "-bios", "none", "-m", "16M", "-serial", "null",
                                      "-kernel", CRC, "-o", str(self.path), "-gdb", "tcp::0",
                                      "-S"]) as live, self.session(live) as g:
            self.assertIn(f"recorded to {self.path}", g.execute("monitor info recording"))
            self.assertIn(f"recorded to {self.path}", g.execute("monitor when"))

            g.execute("stepi 100")
            g.execute("monitor bookmark early")
            for name in (self.path, f"{self.path}.incomplete", f"{self.folder}/./{self.path.name}"):
                self.assertIn("is being written by this run", g.execute(f"monitor save {name}"))
            g.execute("stepi 100")
            live.process.send_signal(signal.SIGTERM)
            live.process.wait(TIMEOUT)
        facts = self.check_whole(self.path, 200)
        self.assertEqual(facts["bookmarks"], [{"name": "early", "note": "", "position": 100}])


class Input(RecordingTest):
    def test_what_was_typed(self):
        """A guest that echoes: its output is not printed again in a replay, and what it was sent is in
        the recording."""
        echo = self.folder / "echo.elf"
        echo.write_bytes(cli_test.elf(size=len(cli_test.ECHO))[:120] + cli_test.ECHO)
        with subprocess.Popen([PROGRAM, "run", "-bios", "none", "-m", "16M", "-kernel", echo, "-serial",
                               "mon:stdio", "-o", self.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, bufsize=0) as process:
            process.stdin.write(b"hello")
            self.assertIn(b"hello", cli_test.read_until(process.stdout.fileno(), b"hello"))
            process.communicate(b"\x01x", timeout=TIMEOUT)
        facts = self.check_whole(self.path)
        self.assertGreaterEqual(facts["events"], 1)
        self.assertNotIn("hello", "".join(backstep("verify", self.path)))


if __name__ == "__main__":
    if not GUESTS.joinpath("bench-crc.elf").exists():
        print("no guest was built (riscv64-unknown-elf-gcc missing?): skipped")
        sys.exit(77)
    unittest.main()
