"""What the lint tests share: the tree, the built libraries, one way to report."""

import os
import pathlib
import subprocess
import sys

FOLDERS = ["base", "rsp", "machine", "devices", "replay", "checkpoints", "timeline", "server", "cli"]

source = pathlib.Path(os.environ["BACKSTEP_SOURCE"])
build = pathlib.Path(os.environ["BACKSTEP_BUILD"])


def sources(folder):
    """All .c and .h files of a library folder, as paths below the top."""
    found = (p for p in (source / folder).rglob("*") if p.suffix in (".c", ".h"))
    return sorted(p.relative_to(source) for p in found)


def read(path):
    return (source / path).read_text(encoding="utf-8")


def archive(folder):
    """The built library of a folder; None while the folder holds no .c file."""
    library = build / f"lib{folder}.a"
    if library.exists():
        return library
    if any(p.suffix == ".c" and p != pathlib.Path("cli/main.c") for p in sources(folder)):
        finish([f"{library} is not built"])
    return None


def symbols(library):
    """(object file, symbol, nm's type letter, section) for each entry of an archive."""
    output = subprocess.run(["nm", "--format=sysv", library], check=True, capture_output=True, text=True)
    member = ""
    for line in output.stdout.splitlines():
        fields = [field.strip() for field in line.split("|")]
        if len(fields) == 7 and fields[0] != "Name":
            yield member, fields[0], fields[2], fields[6]
        elif " from " in line and line.rstrip().endswith("]:"):
            # "Symbols from libbase.a[log.c.o]:"
            member = line.rstrip()[:-2].rsplit("[", 1)[1].removesuffix(".o")


def finish(problems):
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)
