#!/usr/bin/env python3
"""`backstep report` of bare-metal runs: it names the function to blame, says what is missing, and its HTML is one
sound file."""

import html.parser
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

PROGRAM = os.environ["BACKSTEP"]
GUESTS = pathlib.Path(os.environ["BACKSTEP_BUILD"], "guests")
GDB = "gdb-multiarch"
TIMEOUT = 60
VOID = {"meta", "br"}


def run(*arguments):
    return subprocess.run([PROGRAM, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=TIMEOUT, check=False)


class Elements(html.parser.HTMLParser):
    """The elements' names, and what is wrong with their nesting."""

    def __init__(self):
        super().__init__()
        self.open, self.names, self.problems, self.text = [], set(), [], []

    def handle_starttag(self, tag, attrs):
        self.names.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        self.problems += [f"{tag} {name}" for name, _ in attrs
                          if name in ("src", "href") or name.startswith("on")]

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"/{tag}")

    def handle_data(self, data):
        self.text.append(data)


class Report(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="report-")
        cls.failing = cls.record("failing", GUESTS / "failing.elf", 37)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def record(cls, name, image, status, *arguments):
        path = os.path.join(cls.folder.name, f"{name}.bsr")
        result = run("run", "-bios", "none", "-m", "64M", "-serial", "null", "-kernel", str(image), "-o", path,
                     *arguments)
        assert result.returncode == status, result
        return path

    def report(self, *arguments):
        result = run("report", *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def test_core(self):
        """gdb opens the core of the moment that the report is about, and shows the same place."""
        core = self.failing + ".core"
        result = run("export", self.failing, "--at", "44", "--core", core)
        self.assertEqual(result.returncode, 0, result.stderr)
        shown = subprocess.run([GDB, "-batch", "-nx", str(GUESTS / "failing.elf"), core, "-ex", "backtrace 1"],
                               stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT, check=True).stdout
        self.assertRegex(shown, r"(?m)^#0 +(0x[0-9a-f]+ in )?test_main \(\) at tests/guests/failing\.S:11")
        self.assertRegex(self.report(self.failing, "--at", "44"), r"#0 +[0-9a-f]+  test_main.*failing\.S:11")

    def test_failing_test(self):
        text = self.report(self.failing)
        self.assertIn("the guest ended the run with code 37", text)
        self.assertRegex(text, r"culprit +test_main \(tests/guests/failing\.S:11\)")
        # The comparison that failed, and where its two sides are from.
        self.assertRegex(text, r"(?s)beq a0, t6.*a0 = 0x1\n.*failing\.S:8.*t6 = 0x2\n.*failing\.S:11")
        self.assertIn("the guest has printed nothing", text)
        self.assertIn(f"backstep replay {self.failing} --at 44", text)

    def test_two_harts(self):
        """One has followed a pointer that the other has spoiled: where it was then comes first, at the end both
        are there, and both pointers on the way are followed to what wrote them."""
        text = self.report(self.record("pointers", GUESTS / "pointers.elf", 41, "-smp", "2"))
        self.assertIn("the guest ended the run with code 41", text)
        self.assertRegex(text, r"culprit +follow_chain \(tests/guests/pointers\.S:57\)")
        self.assertRegex(text, r"load access fault, address 0x40, .* in follow_chain\+0x10")
        places = [text.index(f"-- {title} ---") for title in
                  ("the fault", "hart 1 at the fault", "hart 0", "hart 1, whose end this is")]
        self.assertEqual(places, sorted(places))
        self.assertRegex(text[places[2]:places[3]], r"machine mode, at idle \(.*\n(.*\n)+.*#1 +\w+  test_main")
        self.assertRegex(text[places[3]:], r"machine mode, at fail\+")
        # The address, loaded by a pointer that was loaded itself.
        fault = text[places[0]:places[1]]
        self.assertRegex(fault, r"(?s)a2 = 0x40\n.*loaded in follow_chain.*\(object\+0x8\)\n.*"
                                r"last written in spoil.*\n.*value 0x40\n")
        self.assertRegex(fault, r"(?s)a1 = 0x\w+ \(object\)\n.*loaded in follow_chain.*\(first\)\n.*"
                                r"last written in make_chain.*\n.*value 0x8\w+\n")

    def test_lines_fit(self):
        for line in self.report(self.failing).splitlines():
            if not line.startswith(("command", "recording")) and self.folder.name not in line:
                self.assertLessEqual(len(line), 100, line)

    def test_html(self):
        path = pathlib.Path(self.folder.name, "out.html")
        for _ in range(2):  # over an old one, too
            text = self.report(self.failing, "--html", str(path))
        page = path.read_text(encoding="utf-8")
        elements = Elements()
        elements.feed(page)
        elements.close()
        self.assertEqual((elements.problems, elements.open), ([], []))
        self.assertNotIn("script", elements.names)
        self.assertNotRegex(page, r"https?:|url\(|@import")
        shown = "".join(elements.text)
        for line in text.splitlines():
            if line.strip() and not line.startswith(("--", "==")):
                self.assertIn(line, shown)
        self.assertEqual(os.listdir(self.folder.name).count("out.html"), 1)
        self.assertEqual([name for name in os.listdir(self.folder.name) if "out.html." in name], [])

    def test_long_command(self):
        words = [f"word{i}" for i in range(100)]
        path = self.record("long", GUESTS / "failing.elf", 37, "-append", " ".join(words))
        text = self.report(path)
        command = re.search(r"(?m)^command +(.*\n( {12}.*\n)*)", text)[1]
        self.assertIn(" ".join(words), " ".join(command.split()))
        self.assertGreater(command.count("\n"), 6)

    def test_symbols_out_of_the_recording(self):
        """The ELF file is gone: the report says how to get it back, and that works."""
        elf = pathlib.Path(self.folder.name, "gone away.elf")
        shutil.copy(GUESTS / "failing.elf", elf)
        path = self.record("gone", elf, 37)
        self.assertNotIn("--image", self.report(path))
        elf.unlink()
        text = self.report(path)
        self.assertIn(f"backstep export {path} --image kernel 'gone away.elf.symbols'\n", text)
        self.assertIn("  gdb-multiarch 'gone away.elf.symbols'\n", text)
        out = pathlib.Path(self.folder.name, "gone away.elf.symbols")
        result = run("export", path, "--image", "kernel", str(out))
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertIn(f"kernel is in {out}, ", result.stdout)
        self.assertEqual(out.read_bytes(), (GUESTS / "failing.elf").read_bytes())
        result = run("export", path, "--image", "kernal", str(out))
        self.assertEqual(result.returncode, 2)
        self.assertIn("no image `kernal`; it has tree, kernel", result.stderr)
        result = run("export", path, "--image", "kernel", path)
        self.assertIn("in use", result.stderr)

    def test_one_name_for_two_outputs(self):
        one = os.path.join(self.folder.name, "one")
        for two in (one, os.path.join(self.folder.name, ".", "one")):
            result = run("export", self.failing, "--core", one, "--memory", two)
            self.assertEqual(result.returncode, 2)
            self.assertIn("is given for two outputs", result.stderr)
        self.assertFalse(os.path.exists(one))

    def test_value_behind_an_equals_sign(self):
        self.assertEqual(self.report(self.failing, "--at=10"), self.report(self.failing, "--at", "10"))
        self.assertIn("--html needs a value", run("report", self.failing, "--html=").stderr)
        self.assertIn("--physical takes no value", run("export", self.failing, "--physical=1").stderr)

    def test_html_cannot_be_written(self):
        result = run("report", self.failing, "--html", "/nowhere/at/all.html")
        self.assertEqual(result.returncode, 2)
        self.assertIn("/nowhere/at", result.stderr)

    def test_html_over_the_recording(self):
        before = pathlib.Path(self.failing).read_bytes()
        result = run("report", self.failing, "--html", self.failing)
        self.assertEqual(result.returncode, 2)
        self.assertIn("in use", result.stderr)
        self.assertEqual(result.stdout, "")
        self.assertEqual(pathlib.Path(self.failing).read_bytes(), before)

    def test_without_symbols(self):
        stripped = os.path.join(self.folder.name, "stripped.elf")
        data = bytearray((GUESTS / "failing.elf").read_bytes())
        data[40:48] = bytes(8)  # e_shoff
        data[58:64] = bytes(6)  # e_shentsize, e_shnum, e_shstrndx
        pathlib.Path(stripped).write_bytes(data)
        # tohost is a symbol: without it the guest does not end by itself.
        path = self.record("stripped", stripped, 0, "--stop-at", "5000")
        text = self.report(path)
        self.assertIn("give the guest's ELF file with `--symbols FILE`", text)
        self.assertNotIn("test_main", text)
        text = self.report(path, "--symbols", str(GUESTS / "failing.elf"))
        self.assertIn("fail+0x", text)
        self.assertNotIn("--symbols FILE", text)

    def test_position(self):
        text = self.report(self.failing, "--at", "10")
        self.assertIn("as it was at position 10, before the end", text)
        self.assertNotIn("culprit", text)
        self.assertIn("machine mode, at _start+", text)

    def test_bad_command_lines(self):
        for arguments, expected in (
                ([], "a recording is missing"), (["nowhere.bsr"], "nowhere.bsr"), ([__file__], os.path.basename(__file__)),
                ([self.failing, "--html"], "--html needs"), ([self.failing, "--colour"], "unknown option --colour"),
                ([self.failing, self.failing], "one file"), ([self.failing, "--html", ""], "--html needs"),
                ([self.failing, "--at", "1", "--at", "2"], "given twice"),
                ([self.failing, *["--symbols", __file__] * 17], "at most 16 times"),
                ([self.failing, "--symbols", __file__], "not an ELF file"),
                ([self.failing, "--at", "soon"], "soon")):
            result = run("report", *arguments)
            self.assertEqual(result.returncode, 2, arguments)
            self.assertIn(expected, result.stderr)
            self.assertEqual(result.stdout, "")
            self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        self.assertIn("usage: backstep report", run("report", "--help").stdout)


if __name__ == "__main__":
    if not (GUESTS / "failing.elf").exists():
        print("the guest is not built: skipped")
        sys.exit(77)
    if not shutil.which(GDB):
        print(f"no {GDB}: skipped")
        sys.exit(77)
    unittest.main(verbosity=2)
