#!/usr/bin/env python3
"""Saved state stays loadable: today's dump is compared with that of every released version, by the checker
and in its words; a table that changed since then has another version; and the golden dump of the present
version is today's. That this gate sees what it is for is shown with changes planted in today's dump."""

import copy
import json
import pathlib
import sys
import tempfile

import cli_test
import vmstate_test

HOW = ("what is saved has changed: raise the version_id of each table above (docs/vmstate.md) and the "
       "program's version, then add its dump: backstep vmstate dump -o {}")
NO_GOLDEN = "there is no dump of this version: add it with backstep vmstate dump -o {}"


def text_of(dump):
    return json.dumps(dump, indent=2) + "\n"


def descriptions(dump):
    """(way, description) of all in a dump; the way is the names down to it."""
    def below(way, description):
        way += (description["name"],)
        yield way, description
        for field in description["Fields"]:
            if "Description" in field:
                yield from below(way + (field["field"],), field["Description"])
        for subsection in description.get("Subsections", []):
            yield from below(way + ("a subsection",), subsection)

    for name, section in dump.items():
        if name != "vmschkmachine":
            yield from below((name,), section["Description"])


def as_loaded(today, old):
    """Today's dump without the fields that a stream of the old versions is not searched for."""
    view = copy.deepcopy(today)
    versions = {way: d["version_id"] for way, d in descriptions(old)}
    for way, description in list(descriptions(view)):
        version = versions.get(way, description["version_id"])
        description["Fields"] = [f for f in description["Fields"] if f["version_id"] <= version]
    return view


def layout(description):
    """A table's own part of what is saved: a nested table has its own version."""
    for field in description["Fields"]:
        inner = field.get("Description")
        yield (field["field"], field["version_id"], field["field_exists"], field.get("num"),
               inner["name"] if inner else field["size"])


def unraised(today, old):
    """The tables that changed and kept their version."""
    before = dict(descriptions(old))
    for way, now in descriptions(today):
        then = before.get(way)
        if (then and then["version_id"] == now["version_id"]
                and list(layout(then)) != list(layout(now))):
            yield f"{': '.join(way)}: changed, and is still version {now['version_id']}"


class Gate:
    def __init__(self, goldens, version, folder):
        self.goldens = goldens  # version: the text of its dump
        self.version = version
        self.folder = folder

    def words(self, src, dest):
        """What the checker says."""
        paths = [self.folder / "src.json", self.folder / "dest.json"]
        for path, dump in zip(paths, (src, dest)):
            path.write_text(text_of(dump), encoding="utf-8")
        result = vmstate_test.check(*paths)
        return (result.stdout + result.stderr).splitlines()

    def problems(self, text):
        """Why today's dump may not be what it is; none: it may."""
        today = json.loads(text)
        for version, golden in self.goldens.items():
            old = json.loads(golden)
            for line in self.words(old, as_loaded(today, old)):
                yield f"state of {version} does not load: {line}"
            for line in unraised(today, old):
                yield f"since {version}: {line}"
        path = f"tests/golden/vmstate/virt-{self.version}.json"
        golden = self.goldens.get(self.version)
        if golden is None:
            yield NO_GOLDEN.format(path)
        elif golden != text:
            old = json.loads(golden)
            yield from (f"from {self.version} to here: {line}" for line in self.words(old, today))
            yield from (f"from here to {self.version}: {line}" for line in self.words(today, old))
            yield f"{path} is not today's dump: {HOW.format(path)}"


# ---- planted changes ----

def uart(dump):
    return dump["uart16550"]["Description"]


def raised(dump, minimum=None):
    for part in (dump["uart16550"], uart(dump)):
        part["version_id"] += 1
        if minimum:
            part["minimum_version_id"] = part["version_id"]


def a_field(version=0, **entries):
    return {"field": "planted", "version_id": version, "field_exists": False, "size": 4, **entries}


def resize(dump):
    uart(dump)["Fields"][0]["size"] += 1


def remove(dump):
    del uart(dump)["Fields"][0]


def rename(dump):
    uart(dump)["Fields"][0]["field"] = "planted"


def swap(dump):
    fields = uart(dump)["Fields"]
    fields[0], fields[1] = fields[1], fields[0]


def append(dump):
    uart(dump)["Fields"].append(a_field())


def raise_and_resize(dump):
    raised(dump)
    resize(dump)


def raise_and_insert_unversioned(dump):
    raised(dump)
    uart(dump)["Fields"].insert(0, a_field())


def insert_versioned_unraised(dump):
    uart(dump)["Fields"].insert(0, a_field(uart(dump)["version_id"] + 1))


def raise_and_insert(dump):
    raised(dump)
    uart(dump)["Fields"].insert(1, a_field(uart(dump)["version_id"]))


def raise_and_retire(dump):
    raised(dump)
    field = uart(dump)["Fields"][0]
    size = field["size"] * field.pop("num", 1)
    field.pop("Description", None)
    field.update(field="unused", size=size)


def raise_the_minimum(dump):
    raised(dump, minimum=True)


def raise_alone(dump):
    raised(dump)


def drop_section(dump):
    del dump["uart16550"]


def add_section(dump):
    dump["planted"] = {"Name": "planted", "version_id": 1, "minimum_version_id": 1,
                       "Description": {"name": "planted", "version_id": 1, "minimum_version_id": 1,
                                       "Fields": [a_field()]}}


def add_subsection(dump):
    new = {"name": "uart16550/planted", "version_id": 1, "minimum_version_id": 1,
           "Fields": [a_field()]}
    uart(dump).setdefault("Subsections", []).append(new)


def raise_a_nested_one(dump):
    """Its parent keeps its version."""
    for way, description in descriptions(dump):
        if len(way) > 2:
            description["version_id"] += 1
            description["Fields"].insert(0, a_field(description["version_id"]))
            return


STALE = "is not today's dump"
UNRAISED = "uart16550: uart16550: changed, and is still version"

# (change, what the gate says when the program has the version of the golden dump; what it says as a new
# version that has added its dump, None: it passes)
PLANTED = [
    (resize, ["size mismatch", UNRAISED, STALE], ["size mismatch", UNRAISED]),
    (remove, ["expected field", "skipping rest", UNRAISED, STALE], ["expected field", UNRAISED]),
    (rename, ['got "planted"; skipping rest', UNRAISED, STALE], ["skipping rest", UNRAISED]),
    (swap, ["skipping rest", UNRAISED, STALE], ["skipping rest", UNRAISED]),
    (append, ['expected field "planted", while dest has no further fields', UNRAISED, STALE],
     [UNRAISED]),
    (insert_versioned_unraised, [UNRAISED, STALE], [UNRAISED]),
    (raise_and_resize, ["size mismatch", "version error: ", STALE], ["size mismatch"]),
    (raise_and_insert_unversioned, ['got "planted"; skipping rest', STALE], ["skipping rest"]),
    (raise_the_minimum, ["minimum version error: ", STALE], ["minimum version error: "]),
    (drop_section, ['Section "uart16550" does not exist in dest', STALE], ["does not exist"]),
    (raise_alone, ["version error: ", STALE], None),
    (raise_and_insert, ["version error: ", STALE], None),
    (raise_and_retire, ["version error: ", STALE], None),
    (raise_a_nested_one, ["version error: ", STALE], None),
    (add_section, ['Section "planted" does not exist in dest', STALE], None),
    (add_subsection, ["Entry \"Subsections\" missing", STALE], None),
]


def planted(c, text, folder):
    def look(version, goldens, changed, wanted, what):
        said = list(Gate(goldens, version, folder).problems(changed))
        good = not said if wanted is None else all(any(w in line for line in said) for w in wanted)
        c.check(good, f"planted {what}: wanted {wanted}, said {said}")

    for change, same_version, new_version in PLANTED:
        dump = json.loads(text)
        change(dump)
        changed = text_of(dump)
        look("1.0", {"1.0": text}, changed, same_version, change.__name__)
        look("1.1", {"1.0": text, "1.1": changed}, changed, new_version, f"{change.__name__}, 1.1")
    look("1.0", {"1.0": text}, text, None, "nothing")
    look("1.1", {"1.0": text}, text, ["add it with"], "nothing, 1.1")
    look("1.0", {"1.0": text}, text.replace("\n", " \n", 1), [STALE], "a blank")


# ---- today ----

def well_formed(c, text):
    dump = json.loads(text)
    c.check(text_of(dump) == text, "the dump is not indented by two")
    c.check(next(iter(dump.items())) == ("vmschkmachine", {"Name": "virt"}), "no machine's name")
    for name, section in dump.items():
        if name == "vmschkmachine":
            continue
        c.check(list(section) == ["Name", "version_id", "minimum_version_id", "Description"]
                and section["Name"] == name, f"{name}: {list(section)}")
        for key in ("version_id", "minimum_version_id"):
            c.check(section[key] == section["Description"][key], f"{name}: two {key}")
    for way, description in descriptions(dump):
        keys = ["name", "version_id", "minimum_version_id", "Fields", "Subsections"]
        c.check(list(description) == [k for k in keys if k in description], f"{way}")
        c.check(1 <= description["minimum_version_id"] <= description["version_id"], f"{way}")
        for field in description["Fields"]:
            keys = ["field", "version_id", "field_exists", "size", "num", "Description"]
            c.check(list(field) == [k for k in keys if k in field] and field["size"] > 0
                    and field.get("num", 2) > 1 and field["version_id"] <= description["version_id"],
                    f"{way}: {field['field']}: {list(field)}")


def ways_to_dump(c, folder):
    """The same text each time and each way. Returns it."""
    text = cli_test.run(["vmstate", "dump"]).stdout
    path = folder / "dump.json"
    for words in (["vmstate", "dump", "-o", path], ["run", "-M", "virt", "-dump-vmstate", path],
                  ["run", "-smp", "8", "--dump-vmstate", path]):
        path.write_text("old")
        result = cli_test.run(words)
        c.check(result.returncode == 0 and not result.stdout and not result.stderr
                and path.read_text(encoding="utf-8") == text, f"{words}: {result}")
    result = cli_test.run(["run", "-dump-vmstate", "-"])
    c.check(result.stdout == text and not result.returncode, f"-dump-vmstate -: {result.stderr}")
    result = vmstate_test.check(path, path)
    c.check(not result.returncode and not result.stdout, f"with itself: {result.stdout}")
    return text


def main():
    c = cli_test.Checks()
    goldens = {path.stem.removeprefix("virt-"): path.read_text(encoding="utf-8")
               for path in sorted(vmstate_test.GOLDEN.glob("virt-*.json"))}
    version = cli_test.run(["version"]).stdout.split()[-1]
    with tempfile.TemporaryDirectory(prefix="vmstate-gate-") as name:
        folder = pathlib.Path(name)
        text = ways_to_dump(c, folder)
        well_formed(c, text)
        for problem in Gate(goldens, version, folder).problems(text):
            c.check(False, problem)
        planted(c, text, folder)
    print(f"{c.done - c.failed} of {c.done} checks passed")
    return 1 if c.failed else 0


if __name__ == "__main__":
    sys.exit(main())
