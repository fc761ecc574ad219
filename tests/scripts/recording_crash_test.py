#!/usr/bin/env python3
"""Recordings that somebody or something broke: the process is killed at any moment, the file is cut, bits of it
flip, the disk is full. What is left opens, or is refused with a line that says why; nothing crashes, and nothing is
said to be equal that cannot be known.

Environment: BACKSTEP, the program; BACKSTEP_BUILD, the build folder with the guests; BACKSTEP_SEED: another choice
of moments and bytes; ASAN_OPTIONS, set in sanitized builds: fewer of them."""

import collections
import concurrent.futures
import json
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "gdb"))

import programs  # noqa: E402

import recording_file  # noqa: E402

PROGRAM = os.environ["BACKSTEP"]
GUESTS = pathlib.Path(os.environ["BACKSTEP_BUILD"]) / "guests" / "timeline"
SEED = int(os.environ.get("BACKSTEP_SEED", "4"))
SLOW = "ASAN_OPTIONS" in os.environ
TIMEOUT = 120
JOBS = 2
Guest = collections.namedtuple("Guest", "name parameters")
# Echoes what is typed, asks for the host's clock then, works a little at each tick of a timer, and waits.
IDLE = Guest("echo", (300, 20000, 0, 0))
# Never waits: prints, takes interrupts and faults, maps pages, resets, asks for the clock.
BUSY = Guest("storm", (100, 50, 1000000, 0))


def parametrized(guest, folder):
    """The guest's ELF with its parameters, which lie 16 bytes behind the start of its first segment."""
    data = bytearray((GUESTS / f"{guest.name}.elf").read_bytes())
    table, count = struct.unpack_from("<Q", data, 32)[0], struct.unpack_from("<H", data, 56)[0]
    segments = [struct.unpack_from("<IIQ", data, table + 56 * n) for n in range(count)]
    offset = next(offset for kind, _, offset in segments if kind == 1)
    struct.pack_into("<4Q", data, offset + 16, *guest.parameters)
    path = pathlib.Path(folder) / f"{guest.name}.elf"
    path.write_bytes(data)
    return path


def command(kernel, path, *more, serial="null"):
    return [PROGRAM, "run", "-bios", "none", "-m", "16M", "-serial", serial, "-kernel", kernel, "-o", path, *more]


def call(*arguments):
    return subprocess.run([PROGRAM, *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          errors="replace", timeout=TIMEOUT, check=False)


def in_parallel(function, items):
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        return list(pool.map(function, items))


class CrashTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.shared = tempfile.TemporaryDirectory(prefix="recording-")
        cls.idle, cls.busy = (parametrized(guest, cls.shared.name) for guest in (IDLE, BUSY))

    @classmethod
    def tearDownClass(cls):
        cls.shared.cleanup()

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="recording-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.random = random.Random(f"{SEED} {self.id()}")

    def ended(self, done, what):
        """It ended by itself, and with words when all is not well."""
        self.assertIn(done.returncode, (0, 1, 2), f"{what}: {done}")
        if done.returncode == 2:
            lines = done.stderr.splitlines()
            self.assertTrue(lines and lines[-1].startswith("backstep: "), f"{what}: {done}")
            self.assertEqual(done.stdout, "", what)
        return done

    def info(self, path, what=""):
        """What is in it; None: it was refused."""
        done = self.ended(call("info", path, "--json"), f"info, {what}")
        return None if done.returncode == 2 else json.loads(done.stdout)

    def opens(self, path, what=""):
        """The same of a file that is not whole: it says so."""
        facts = self.info(path, what)
        if facts:
            self.assertTrue(facts["damage"] or facts["problem"], f"{what}: {facts}")
            self.assertNotIn("\n", facts["damage"] or "", what)
        return facts if facts and not facts["problem"] else None

    def verify(self, path, facts, what=""):
        """All that it has is equal; nothing else is said to be."""
        done = self.ended(call("verify", path, "-j", JOBS), f"verify, {what}")
        said = re.search(r"equal: positions ([\d,]+) to ([\d,]+)", done.stdout)
        self.assertTrue(said, f"{what}: {done}")
        self.assertEqual([int(n.replace(",", "")) for n in said.groups()], [facts["begin"], facts["tip"]], what)
        return done

    def verified(self, path):
        """Of a closed file, without a complaint."""
        facts = self.info(path)
        self.assertTrue(facts["complete"])
        self.assertIsNone(facts["damage"])
        done = self.verify(path, facts)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        recording_file.whole(pathlib.Path(path).read_bytes())
        return facts

    def replayed(self, path, facts):
        """A debugger finds it at its end, goes back and comes again."""
        with programs.Program("replay", [PROGRAM, "replay", str(path)]) as replay, replay.connect() as client:
            def where():
                text = client.monitor("when")
                return int(re.search(r"position ([\d,]+)", text)[1].replace(",", ""))

            self.assertEqual(where(), facts["tip"])
            client.monitor(f"goto {facts['tip'] // 2}")
            self.assertEqual(where(), facts["tip"] // 2)
            client.monitor("goto end")
            self.assertEqual(where(), facts["tip"])


# ---- the process is killed ----


class Run:
    """A recorded run that is typed at, to be killed."""

    def __init__(self, kernel, path):
        self.path = pathlib.Path(path)
        self.incomplete = pathlib.Path(f"{path}.incomplete")
        self.process = subprocess.Popen(command(kernel, path, serial="stdio"), stdin=subprocess.PIPE,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.typist = threading.Thread(target=self.type)
        self.typist.start()

    def type(self):
        try:
            for n in range(10000):
                self.process.stdin.write(b"line %d\n" % n)
                self.process.stdin.flush()
                time.sleep(0.03)
        except OSError:
            pass

    def file(self):
        return self.path if self.path.exists() else self.incomplete

    def wait(self):
        limit = time.monotonic() + TIMEOUT
        while not self.incomplete.exists() and time.monotonic() < limit:
            time.sleep(0.001)

    def copy(self, to):
        """What is in the file now; None: it is not there."""
        try:
            pathlib.Path(to).write_bytes(self.file().read_bytes())
        except FileNotFoundError:
            return None
        return to

    def kill(self):
        self.process.kill()
        self.process.wait(TIMEOUT)
        self.typist.join(TIMEOUT)  # the pipe is broken
        try:
            self.process.stdin.close()
        except OSError:
            pass


Killed = collections.namedtuple("Killed", "start delay tip path facts")


class Kills(CrashTest):
    def kill(self, job):
        """A run killed behind a delay from its start on, or from when there is a file; while it is being closed if
        `closing` is a time too."""
        number, kernel, start, delay, closing = job
        what = f"seed {SEED}, {kernel.stem} {number}: killed {delay:.3f} s behind {start}, closing {closing}"
        folder = self.folder / f"{kernel.stem}{number}"
        folder.mkdir()
        run = Run(kernel, folder / "run.bsr")
        if start == "the file":
            run.wait()
        time.sleep(delay)
        before = run.copy(folder / "before.bsr")
        if closing is not None:
            run.process.send_signal(signal.SIGTERM)
            time.sleep(closing)
        run.kill()
        path = run.file()
        if not path.exists():
            self.assertIsNone(before, what)
            return Killed(start, delay, None, path, None)
        facts = self.check_left(path, what)
        earlier = before and self.opens(before, what)
        if earlier:
            self.assertTrue(facts and facts["tip"] >= earlier["tip"], what)
        return Killed(start, delay, facts and facts["tip"], path, facts)

    def check_left(self, path, what):
        data = path.read_bytes()
        if path.suffix == ".bsr" or recording_file.TRAILER_MAGIC in data[-recording_file.BLOCK:]:
            recording_file.whole(data)  # it was closed just before, and perhaps not yet given its name
            facts = self.info(path, what)
        else:
            if len(data) >= recording_file.BLOCK:
                recording_file.prefix(data)
            facts = self.opens(path, what)
        if facts:
            self.verify(path, facts, what)
        return facts

    def kills(self, kernel, count, longest, closing):
        jobs = [(n, kernel, "the start" if n % 4 == 3 else "the file", longest * self.random.random() * (n > 1),
                 self.random.random() * 0.03 if n < closing else None) for n in range(count)]
        return in_parallel(self.kill, jobs)

    def check_killed(self, killed):
        """Nearly all that is a file opens; the later, the more is in it."""
        there = [k for k in killed if k.path.exists()]
        opened = [k for k in there if k.tip is not None]
        print(f"seed {SEED}: {len(killed)} killed, {len(there)} left a file, {len(opened)} open, up to positions "
              f"{min(k.tip for k in opened):,} to {max(k.tip for k in opened):,}", flush=True)
        # Some were killed with the first bytes.
        self.assertLessEqual(len(there) - len(opened), 3 if SLOW else len(there) // 10)
        order = [k.tip for k in sorted(opened, key=lambda k: k.delay) if k.start == "the file"]
        third = len(order) // 3
        if third >= 3:
            self.assertLess(statistics.median(order[:third]), statistics.median(order[-third:]))
        return opened

    def test_idle_guest(self):
        opened = self.check_killed(self.kills(self.idle, 8 if SLOW else 32, 1.0, 2 if SLOW else 8))
        for k in opened[-2:]:
            self.replayed(k.path, k.facts)

    def test_busy_guest(self):
        opened = self.check_killed(self.kills(self.busy, 6 if SLOW else 18, 0.5 if SLOW else 0.7, 2 if SLOW else 6))
        self.replayed(opened[-1].path, opened[-1].facts)


# ---- the file is damaged ----


def flip(data, bit):
    """The bytes with one bit changed."""
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


class Damage(CrashTest):
    """One recording with all kinds of chunks, cut and changed."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        path = pathlib.Path(cls.shared.name) / "whole.bsr"
        steps = 400_000 if SLOW else 1_500_000
        done = subprocess.run(command(cls.busy, path, "--stop-at", str(steps), serial="file:/dev/null"),
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, check=False)
        assert done.returncode == 0, done
        cls.path = path
        cls.data = path.read_bytes()
        cls.chunks = recording_file.whole(cls.data)

    def put(self, name, data):
        path = self.folder / f"{name}.bsr"
        path.write_bytes(data)
        return path

    def test_the_format_is_as_documented(self):
        kinds = {c.kind for c in self.chunks}
        self.assertTrue(kinds > {"CONF", "ORIG", "BLOB", "CKPT", "PAGE", "LOGE", "MARK", "TIP "}, kinds)
        facts = self.verified(self.path)
        positions = [recording_file.checkpoint(c)[0] for c in self.chunks if c.kind == "CKPT"]
        self.assertEqual(positions, sorted(positions))
        self.assertEqual((positions[0], positions[-1]), (0, facts["tip"]))
        for c in self.chunks:
            if c.kind == "PAGE":
                self.assertTrue(c.size % 4096 == 0 and 0 < c.size <= 256 * 4096)
        events = [struct.unpack_from("<4Q", c.contents) + (c.contents[32:],) for c in self.chunks if c.kind == "LOGE"]
        count = 0
        for first, number, low, high, packed in events:
            self.assertEqual(first, count)
            found = recording_file.events(packed, number)
            self.assertEqual((found[0][0], found[-1][0]), (low, high))
            count += number
        self.assertEqual(count, facts["events"])

    def cuts(self):
        """Lengths: around the chunks' boundaries, those of the index, and anywhere."""
        index = struct.unpack_from("<Q", self.data, len(self.data) - 24)[0]
        bounds = {0, 32, index, len(self.data) - 32, *(c.offset for c in self.chunks)}
        lengths = {b + d for b in bounds for d in (-1, 0, 1) if b + d >= 0}
        if SLOW:
            lengths = set(self.random.sample(sorted(lengths), 40))
        return sorted(lengths | {self.random.randrange(len(self.data)) for _ in range(10 if SLOW else 40)})

    def cut(self, length):
        """The tip of what is left; -1: it is refused."""
        path = self.put(f"cut {length}", self.data[:length])
        facts = self.opens(path, f"cut at {length}")
        if not facts:
            return -1
        if self.random.random() < 0.5 or length > len(self.data) // 2:
            self.verify(path, facts, f"cut at {length}")
        path.unlink()
        return facts["tip"]

    def test_cut(self):
        lengths = self.cuts()
        tips = in_parallel(self.cut, lengths)
        self.assertEqual(tips, sorted(tips), "more of the file is more of the run")
        self.assertEqual(tips[0], -1)
        self.assertEqual(tips[-1], self.info(self.path)["tip"])
        opened = sum(tip >= 0 for tip in tips)
        print(f"{len(tips)} cuts, {opened} open", flush=True)
        self.assertGreater(opened, len(tips) // 2)

    def kind_at(self, offset):
        for c in self.chunks:
            if c.offset <= offset < c.offset + 32 + c.stored:
                return c.kind if offset >= c.offset + 32 else f"{c.kind} header"
        return "header" if offset < 32 else "index"

    def flipped(self, bit):
        """(kind of chunk, what became of it). Whatever is said to be equal is all that is known."""
        kind = self.kind_at(bit // 8)
        what = f"seed {SEED}: bit {bit % 8} of byte {bit // 8}, {kind}"
        path = self.put(f"flipped {bit}", flip(self.data, bit))
        facts = self.info(path, what)
        done = self.ended(call("verify", path, "-j", 1), what)
        path.unlink()
        if done.returncode == 2:
            return kind, "refused"
        self.assertTrue(facts, what)
        self.assertLessEqual(facts["tip"], self.facts["tip"], what)
        seen = done.returncode or done.stderr or facts["damage"] or facts["problem"]
        if not seen:  # it is there twice, or for what a replay does not need
            self.assertEqual({**facts, "file": None}, {**self.facts, "file": None}, what)
        if ": equal: " in done.stdout:
            return kind, "equal" if seen else "equal, not seen"
        self.assertEqual(done.returncode, 1, f"{what}: {done}")
        return kind, "not equal"

    def test_flipped_bits(self):
        self.facts = self.info(self.path)
        # Half of them anywhere, half in chunks as often as in others, which are large.
        bits = [8 * self.random.randrange(len(self.data)) for _ in range(15 if SLOW else 120)]
        for _ in range(15 if SLOW else 120):
            c = self.random.choice(self.chunks)
            bits.append(8 * self.random.randrange(c.offset, c.offset + 32 + c.stored))
        bits = [bit + self.random.randrange(8) for bit in bits]
        fate = collections.Counter(in_parallel(self.flipped, bits))
        print("flipped bits:", ", ".join(f"{kind} {what} {count}" for (kind, what), count in sorted(fate.items())),
              flush=True)
        # What has to be read is read.
        self.assertFalse([key for key in fate if key[0] in ("CONF", "LOGE", "MARK", "TABL", "index")
                          and key[1] == "equal, not seen"], fate)
        self.assertGreater(sum(n for (_, what), n in fate.items() if what != "refused"), len(bits) // 2)


    # ---- all checksums are right, but not what they are of ----

    def told(self, change, *without):
        """What verify says of a copy that was never closed, its chunks changed by a function of kind and contents."""
        chunks = [(c.kind, b"" if c.kind in without else c.contents) for c in self.chunks if c.kind != "TABL"]
        path = self.put("changed", recording_file.build([(kind, change(kind, c)) for kind, c in chunks]))
        return self.ended(call("verify", path, "-j", 1), path)

    def test_an_answer_that_was_another(self):
        """The last byte of the last clock value that was asked for: found, with digests and without."""
        last = max(n for n, c in enumerate(c for c in self.chunks if c.kind == "LOGE"))
        self.assertIn(": equal: ", self.told(lambda kind, c: c).stdout)
        for without in ((), ("MARK",)):
            seen = 0

            def change(kind, contents):
                nonlocal seen
                seen += kind == "LOGE"
                if kind != "LOGE" or seen != last + 1:
                    return contents
                return contents[:-1] + bytes([contents[-1] ^ 1])

            done = self.told(change, *without)
            self.assertEqual(done.returncode, 1, done)
            self.assertIn("differs in ", done.stdout)


# ---- there is no room ----


class Room(CrashTest):
    STEPS = 1_500_000  # a second or so, in which it waits: several flushes

    @classmethod
    def setUpClass(cls):
        """Where the first word of an end is, behind which there may be room or not."""
        super().setUpClass()
        path = pathlib.Path(cls.shared.name) / "whole.bsr"
        subprocess.run(command(cls.idle, path, "--stop-at", str(cls.STEPS)), stdin=subprocess.DEVNULL, check=True,
                       capture_output=True, timeout=TIMEOUT)
        chunks = recording_file.whole(path.read_bytes())
        n = next(n for n, c in enumerate(chunks) if c.kind == "TIP ")
        cls.start = chunks[n + 1].offset

    def limited(self, path, size):
        """A run to its end whose files may be so large."""
        return subprocess.run(command(self.idle, path, "--stop-at", str(self.STEPS)), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=TIMEOUT, check=False,
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)))

    def check_full(self, done, name, reason, path):
        """The run went on to its end, and said it once; what had room opens."""
        self.assertEqual(done.returncode, 1, done)
        self.assertIn(f"stopped at position {self.STEPS}", done.stderr)
        for words in ("the recording ends here: ", "the recording is not whole: "):
            lines = [line for line in done.stderr.splitlines() if words in line]
            self.assertEqual(len(lines), 1, done.stderr)
            self.assertIn(name, lines[0])
            self.assertIn(reason, lines[0])
        facts = self.opens(path)
        self.assertTrue(facts)
        self.assertLess(facts["tip"], self.STEPS)
        self.verify(path, facts)
        return facts["tip"]

    def test_a_limit_of_the_files_size(self):
        tips = []
        for more in (0, 77, 400):
            path = self.folder / f"{more}.bsr"
            done = self.limited(path, self.start + more)
            tips.append(self.check_full(done, path.name, "File too large", f"{path}.incomplete"))
            self.assertFalse(path.exists())
            self.assertLessEqual(os.stat(f"{path}.incomplete").st_size, self.start + more)
        self.assertEqual(tips, sorted(tips))

    def test_no_room_for_the_first_bytes(self):
        done = self.limited(self.folder / "a.bsr", 10)
        self.assertEqual(done.returncode, 2, done)
        self.assertIn("a.bsr", done.stderr)

    def test_a_full_disk(self):
        """A file system of its own, for this process and its children."""
        disk, path = self.folder / "disk", self.folder / "copy.bsr.incomplete"
        disk.mkdir()
        script = ('mount -t tmpfs -o size="$3" none "$1" || exit 77; disk=$1; copy=$2; shift 3; "$@"; status=$?; '
                  'cp "$disk"/run.bsr.incomplete "$copy"; exit $status')
        unshare = shutil.which("unshare", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/bin:/bin")
        if not unshare:
            self.skipTest("no unshare")
        arguments = command(self.idle, disk / "run.bsr", "--stop-at", str(self.STEPS))
        size = str((self.start + 4095) // 4096 * 4096)
        for how in (["-m"], ["-r", "-m"]):
            done = subprocess.run([unshare, *how, "sh", "-c", script, "sh", disk, path, size, *arguments],
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT,
                                  check=False)
            if path.exists():
                break
        else:
            print(f"skipped: a full disk: {done.stderr.strip()}", flush=True)
            self.skipTest(f"no file system can be mounted: {done.stderr.strip()}")
        self.check_full(done, "run.bsr", "No space left", path)


# ---- where it cannot be written; how it is closed ----


class Names(CrashTest):
    def refused(self, path, *words):
        done = subprocess.run(command(self.busy, path, "--stop-at", "1000"), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=TIMEOUT, check=False)
        self.assertEqual(done.returncode, 2, done)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        for word in (pathlib.Path(path).name, *words):
            self.assertIn(word, done.stderr)

    def test_refused(self):
        there, incomplete = self.folder / "there.bsr", self.folder / "killed.bsr.incomplete"
        there.write_text("mine")
        incomplete.write_text("mine too")
        self.refused(there, "already there")
        self.refused(self.folder / "killed.bsr", "killed.bsr.incomplete", "already there")
        self.refused(self.folder / "none" / "a.bsr", "No such file")
        self.assertEqual((there.read_text(), incomplete.read_text()), ("mine", "mine too"))
        self.assertEqual(sorted(os.listdir(self.folder)), ["killed.bsr.incomplete", "there.bsr"])

    def test_no_permission(self):
        """Root may write anywhere but where nobody can."""
        closed = self.folder / "closed"
        closed.mkdir(mode=0o500)
        if os.access(closed, os.W_OK):
            closed = pathlib.Path("/proc/self")
        self.refused(closed / "a.bsr")

    def test_taken_while_it_ran(self):
        """Somebody makes a file of the name: theirs stays, and so does the recording."""
        path = self.folder / "run.bsr"
        with subprocess.Popen(command(self.idle, path), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            self.wait_for(lambda: os.path.exists(f"{path}.incomplete"), process)
            path.write_text("mine")
            process.send_signal(signal.SIGTERM)
            err = process.communicate(timeout=TIMEOUT)[1].decode()
        self.assertEqual(process.returncode, 1, err)
        self.assertIn("run.bsr.incomplete", err)
        self.assertEqual(path.read_text(), "mine")
        self.assertTrue(self.info(f"{path}.incomplete")["complete"])

    def wait_for(self, condition, process):
        limit = time.monotonic() + TIMEOUT
        while not condition():
            self.assertIsNone(process.poll())
            self.assertLess(time.monotonic(), limit)
            time.sleep(0.005)

    def test_signals(self):
        """At any moment: it is closed, and nothing else is left."""
        for n in range(4 if SLOW else 10):
            path = self.folder / f"{n}.bsr"
            with subprocess.Popen(command(self.busy if n & 2 else self.idle, path), stdin=subprocess.DEVNULL,
                                  stderr=subprocess.PIPE) as process:
                self.wait_for(lambda p=path: os.path.exists(f"{p}.incomplete"), process)
                time.sleep(self.random.random() * 0.2)
                process.send_signal((signal.SIGTERM, signal.SIGINT)[n & 1])
                err = process.communicate(timeout=TIMEOUT)[1].decode()
            if process.returncode < 0:  # before it has begun to listen to signals
                self.assertEqual(os.listdir(self.folder), [f"{path.name}.incomplete"])
                os.unlink(f"{path}.incomplete")
                continue
            self.assertEqual(process.returncode, 0, err)
            self.assertEqual(os.listdir(self.folder), [path.name])
            self.verified(path)
            path.unlink()


if __name__ == "__main__":
    if not GUESTS.joinpath("storm.elf").exists():
        print("no guest was built (riscv64-unknown-elf-gcc missing?): skipped")
        sys.exit(77)
    unittest.main()
