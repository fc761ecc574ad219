#!/usr/bin/env python3
"""`backstep vmstate check`: the findings for pairs of dumps, in both directions; every wording is in one
of them; and what is not a dump is refused with the place, never a crash.

A pair is a folder of tests/golden/vmstate/check/. Its expected texts are QEMU's: its static checker said the
same, byte for byte, of the same two files."""

import json
import os
import pathlib
import re
import sys
import tempfile

import cli_test

GOLDEN = pathlib.Path(os.environ["BACKSTEP_SOURCE"]) / "tests" / "golden" / "vmstate"
STATUS_MOST = 255
NAME = r'"[^\n]*?"'
NUMBER = r"-?\d+"
WARNING = f"Warning: checking incompatible machine types: {NAME}, {NAME}\n"
SECTION = f"Section {NAME}"
BOTH = f"{SECTION}, Description {NAME}"
# A section's own version below the minimum leaves this, and its line is ended by the next finding.
UNFINISHED = f"{SECTION} "
FINDINGS = {
    "section": f"{SECTION} does not exist in dest\n",
    "section version": f"{SECTION} version error: {NUMBER} > {NUMBER}\n",
    "version": f"{SECTION} Description {NAME}: version error: {NUMBER} > {NUMBER}\n",
    "minimum version": f"{SECTION} Description {NAME}: minimum version error: {NUMBER} < {NUMBER}\n",
    "description": f"{SECTION}: Description {NAME} missing, got {NAME} instead; skipping\n",
    "description entry": f"{SECTION} Description {NAME}: Entry {NAME} missing\n",
    "section entry": f"{SECTION}: Entry {NAME} missing\n",
    "field": f"{BOTH}: expected field {NAME}, got {NAME}; skipping rest\n",
    "no field": f"{BOTH}: expected field {NAME}, while dest has no further fields\n",
    "unused": f'{BOTH}: unused size mismatch near " [^\\n]*"\n',
    "size": f"{SECTION} (Description {NAME} )?(Field {NAME} )?size mismatch: {NUMBER} , {NUMBER}\n",
    "inner description": f"{BOTH}, Field {NAME}: missing description\n",
    "subsection": f"{BOTH}: Subsection {NAME} not found\n",
}


def check(src, dest, *options):
    return cli_test.run(["vmstate", "check", "-s", str(src), "-d", str(dest), *options])


def kinds(text):
    """The kinds of the findings of a report, in order. None: it has something else in it."""
    found = []
    while text:
        if match := re.match(WARNING, text):
            text = text[match.end():]
            continue
        for kind, pattern in FINDINGS.items():
            if match := re.match(pattern, text):
                found.append(kind)
                break
        else:
            match = re.match(UNFINISHED, text)
            if not match:
                return None
        text = text[match.end():]
    return found


def golden_pairs(c):
    seen = {}
    for pair in sorted((GOLDEN / "check").iterdir()):
        for name, options in (("expected.txt", []), ("expected-reverse.txt", ["--reverse"])):
            wanted = (pair / name).read_text(encoding="utf-8")
            result = check(pair / "src.json", pair / "dest.json", *options)
            found = kinds(wanted)
            if found is None:
                c.check(False, f"{pair.name}/{name}: no findings: {wanted!r}")
                continue
            for kind in found:
                seen.setdefault(kind, pair.name)
            c.check(result.stdout == wanted and not result.stderr,
                    f"{pair.name} {options}: said {result.stdout}{result.stderr}instead of\n{wanted}")
            c.check(result.returncode == min(len(found), STATUS_MOST),
                    f"{pair.name} {options}: status {result.returncode} for {len(found)} findings")
        mirrored = check(pair / "dest.json", pair / "src.json", "--reverse", "--strict")
        c.check(mirrored.stdout == (pair / "expected.txt").read_text(encoding="utf-8"),
                f"{pair.name}: --reverse of the exchanged pair says {mirrored.stdout}")
    for kind in FINDINGS:
        c.check(kind in seen, f"no pair has the finding `{kind}`")


def section(**entries):
    return {"Name": "a", "version_id": 1, "minimum_version_id": 1, **entries}


def description(**entries):
    return {"name": "a", "version_id": 1, "minimum_version_id": 1, **entries}


def field(**entries):
    return {"field": "f", "version_id": 0, "field_exists": False, "size": 4, **entries}


def without(entries, key):
    return {k: v for k, v in entries.items() if k != key}


def nested(depth):
    """The text of a dump, for depths at which Python's json gives up."""
    empty = json.dumps(description())
    opened = json.dumps(description(Fields=[field(Description=0)])).split("0}]}")[0]
    inner = opened * depth + empty + "}]}" * depth
    return json.dumps({"a": section(Description=0)})[:-3] + inner + "}}"


def in_field(**entries):
    return {"a": section(Description=description(Fields=[field(), field(**entries)]))}


def wrong_shapes():
    """(document, what the refusal says)"""
    for other in (None, True, 1, 1.5, "text", []):
        yield other, ":1:"
        yield {"vmschkmachine": other}, "vmschkmachine: must be an object"
        yield {"a": other}, "a: must be an object"
        yield {"a": section(Description=other)}, "a.Description: must be an object"
        yield in_field(Description=other), "a.Description.Fields[1].Description: must be an object"
        if other != 1:
            for key in ("version_id", "minimum_version_id"):
                yield {"a": section(**{key: other})}, f"a.{key}: must be an integer"
                yield in_field(**{key: other}), f"[1].{key}: must be an integer"
            yield in_field(size=other), "[1].size: must be an integer"
            yield in_field(num=other), "[1].num: must be an integer"
        if other != "text":
            yield {"vmschkmachine": {"Name": other}}, "vmschkmachine.Name: must be a string"
            yield {"a": section(Name=other)}, "a.Name: must be a string"
            yield {"a": section(Description=description(name=other))}, ".name: must be a string"
            yield in_field(field=other), "[1].field: must be a string"
        if other is not True:
            yield in_field(field_exists=other), "[1].field_exists: must be true or false"
        if other != []:
            yield {"a": section(Description=description(Fields=other))}, "Fields: must be an array"
            yield {"a": section(Description=description(Subsections=other))}, "Subsections: must be"
        yield {"a": section(Description=description(Fields=[other]))}, "Fields[0]: must be an obj"
        yield {"a": section(Description=description(Subsections=[other]))}, "ions[0]: must be an obj"
    yield {"vmschkmachine": {}}, '"Name" is missing'
    yield {"a": without(section(), "version_id")}, 'a: "version_id" is missing'
    for key in ("name", "version_id"):
        yield {"a": section(Description=without(description(), key))}, f'"{key}" is missing'
    for key in ("field", "version_id", "size"):
        broken = description(Fields=[field(), without(field(), key)])
        yield {"a": section(Description=broken)}, f'a.Description.Fields[1]: "{key}" is missing'
    yield {"a" * 2000: section()}, "too long"
    yield {"a": section(Name="a" * 2000)}, "too long"
    yield {"a": section(**{"a" * 2000: 1})}, "too long"
    yield {"a\x1b[31m\n": 1}, "a?[31m?: must be an object"


# (bytes, what the refusal says)
BROKEN = [
    (b"", ":1:0: "),
    (b"\n\n  ", ":3:"),
    (b"[]", ":1:1: must be an object"),
    (b'{"a": }', ":1:7: "),
    (b'{\n  "a": {\n    "version_id": 1,\n  }\n}', ":4:3: "),
    (b'{"a": {"version_id": NaN}}', ":1:"),
    (b'{"a": {"version_id": 1\x00,"b": 2}}', ":1:23: a zero byte"),
    (b'{"a": {"version_id": Infinity}}', ":1:"),
    (b'{"a": {"version_id": 1e999}}', ":1:"),
    (b'{"a": {"version_id": 99999999999999999999}}', "too big"),
    (b'{"a": {"version_id": ' + b"9" * 100000 + b"}}", "too big"),
    (b'{"a": {"version_id": 01}}', ":1:"),
    (b'{"a\xff": {"version_id": 1}}', ":1:"),
    (b'{"a": "\\ud800"}', ":1:"),
    (b'{"a\\u0000b": {"version_id": 1}}', ":1:"),
    (b'{"a": "\x1b[31m"}', ":1:"),
    (b'{"a": {"version_id": 1}} {}', "end of file expected"),
    (b"\xef\xbb\xbf{}", ":1:"),
    (b"\x00" * 100, ":1:"),
    (b"\x7fELF" * 100, ":1:"),
    (b'{"a":' * 100000, ":1:"),
    (b"[" * 100000, ":1:"),
    (b"[" * 1000000 + b"]" * 1000000, ":1:"),
    (b"[" + b"[]," * 1000000 + b"[]]", "too large for a dump"),
    # The place is that of the last entry of a name, however it is spelled.
    (b'{"a": 1,\n "b": {"version_id": 1},\n  "\\u0061": "x"}', ":3:13: a: must be an object"),
    ('{"\u00e9": {}, "b": 1}'.encode(), ':1:7: \u00e9: "version_id" is missing'),
    ('{"\u00e9\u2603": {"version_id": 1}, "b": 1}'.encode(), ":1:32: b: must be an object"),
]


def refusals(c, folder):
    good = folder / "good.json"
    good.write_text("{}")
    bad = folder / "bad.json"

    def refused(content, said, *options):
        bad.write_bytes(content)
        for src, dest in ((bad, good), (good, bad)):
            result = check(src, dest, *options)
            lines = result.stderr.splitlines()
            c.check(result.returncode == (2 if options else 255) and not result.stdout and len(lines) == 1
                    and lines[0].startswith(f"backstep: {bad}:") and said in lines[0]
                    and not re.search(r"[\x00-\x1f\x7f]", lines[0]),
                    f"{content[:100]!r}: status {result.returncode}, {result.stderr!r}, "
                    f"wanted {said}")

    for document, said in wrong_shapes():
        refused(json.dumps(document).encode(), said)
    for content, said in BROKEN:
        refused(content, said, "--strict")
    for depth in (100, 500, 2000):
        refused(nested(depth).encode(), ":1:")
    with open(bad, "wb") as f:
        f.truncate(100 << 20)
    for options, status in (([], 255), (["--strict"], 2)):
        result = check(bad, good, *options)
        c.check(result.returncode == status and "16777216" in result.stderr,
                f"100 MiB: status {result.returncode}, {result.stderr!r}")
        for path in (folder / "none.json", folder):
            result = check(path, good, *options)
            c.check(result.returncode == status and str(path) in result.stderr,
                    f"{path}: status {result.returncode}, {result.stderr!r}")


def at_the_bounds(c, folder):
    """What is large, and not too large, is compared; what would take too long ends."""
    src, dest = folder / "src.json", folder / "dest.json"
    for path in (src, dest):
        path.write_text(nested(80))
    result = check(src, dest)
    c.check(result.returncode == 0 and not result.stdout, f"nested: {result}")

    src.write_text(json.dumps({f"s{i}": section() for i in range(70000)}))
    dest.write_text("{}")
    result = check(src, dest)
    c.check(result.returncode == 255 and result.stdout.count("does not exist in dest\n") == 70000,
            f"70000 findings: status {result.returncode}, {result.stderr!r}")

    same = {"a": section(Description=description(Subsections=[description()] * 200000))}
    text = json.dumps(same, separators=(",", ":"))
    for path in (src, dest):
        path.write_text(text)
    result = check(src, dest)
    c.check(result.returncode == 255 and "takes too long" in result.stderr,
            f"same subsections: status {result.returncode}, {result.stderr!r}")

    src.write_text(json.dumps({"a\x1b[31m\nb": section()}))
    result = check(src, dest)
    c.check(result.stdout == 'Section "a\\x1b[31m\\x0ab" does not exist in dest\n',
            f"control bytes: {result.stdout!r}")


def command_lines(c):
    c.bad(["vmstate"], "dump", "check")
    c.bad(["vmstate", "chekc"], "chekc", "check")
    c.bad(["vmstate", "check"], "-s FILE")
    c.bad(["vmstate", "check", "-s", "x"], "-d FILE")
    c.bad(["vmstate", "check", "-s"], "-s needs a value")
    c.bad(["vmstate", "check", "--revers"], "--revers", "did you mean --reverse?")
    c.bad(["vmstate", "check", "x"], "x", "--help")
    c.bad(["vmstate", "dump", "-o"], "-o needs a value")
    c.bad(["vmstate", "dump", "-o", "/nowhere/x"], "/nowhere/x")
    c.bad(["vmstate", "dmup"], "dmup")
    c.bad(["run", "-dump-vmstate"], "-dump-vmstate", "FILE")
    c.bad(["run", "-dump-vmstate", "/nowhere/x"], "/nowhere/x")
    c.bad(["run", "-dump-vmstat", "x"], "did you mean -dump-vmstate?")
    for words in (["vmstate", "--help"], ["vmstate", "check", "-h"], ["vmstate", "dump", "--help"]):
        result = cli_test.run(words)
        c.check(result.returncode == 0 and "--reverse" in result.stdout and not result.stderr
                and "cannot be read has 255 too, or with --strict 2" in result.stdout,
                f"{words}: {result}")
    pair = GOLDEN / "check" / "many"
    with open("/dev/full", "wb") as full:
        for words in (["dump"], ["check", "-s", pair / "src.json", "-d", pair / "dest.json"]):
            result = cli_test.subprocess.run([cli_test.program, "vmstate", *words], stdout=full,
                                             stderr=cli_test.subprocess.PIPE, check=False)
            c.check(result.returncode in (2, 255) and b"standard output" in result.stderr,
                    f"{words[0]} to a full disk: {result}")


def main():
    c = cli_test.Checks()
    golden_pairs(c)
    command_lines(c)
    with tempfile.TemporaryDirectory(prefix="vmstate-test-") as folder:
        refusals(c, pathlib.Path(folder))
        at_the_bounds(c, pathlib.Path(folder))
    print(f"{c.done - c.failed} of {c.done} checks passed")
    return 1 if c.failed else 0


if __name__ == "__main__":
    sys.exit(main())
