#!/usr/bin/env python3
"""The kernel's symbols for gdb: an ELF file of nothing else, made from the guest's own /proc/kallsyms.

There is no debug information in it: functions and variables have addresses and sizes, no types."""

import base64
import bisect
import gzip
import hashlib
import os
import pathlib
import re
import struct

import linux_guest

# name, type letter (nm's), address; modules' symbols name the module behind.
LINE = re.compile(r"([0-9a-f]{16}) (\w) (\S+)")
LOCAL_LABEL = re.compile(r"[.$]")  # of the assembler, no object of the kernel
EXECUTABLE, RISCV = 2, 243
PROGBITS, SYMTAB, STRTAB, NOBITS = 1, 2, 3, 8
WRITE, ALLOC, EXEC = 1, 2, 4
OBJECT, FUNCTION = 1, 2


def read_kallsyms(machine):
    """The text, packed for the way over the serial port. The guest takes 1.2e9 steps for it."""
    return gzip.decompress(base64.b64decode(machine.run("gzip -1 </proc/kallsyms | base64"))).decode()


def parse(text):
    """(address, letter, name) of what belongs to the kernel itself, by address."""
    found = [LINE.fullmatch(line) for line in text.splitlines()]
    symbols = sorted((int(m[1], 16), m[2], m[3]) for m in found if m and not LOCAL_LABEL.match(m[3]))
    if not any(address for address, _, _ in symbols):
        raise ValueError("/proc/kallsyms shows no addresses")
    places = {name: address for address, _, name in symbols}
    return [s for s in symbols if places["_start"] <= s[0] < places["_end"]]


def regions(symbols):
    """(name, flags, start, end) of sections that cover all symbols: gdb takes for code what is in code."""
    at = {name: address for address, _, name in symbols}
    end = symbols[-1][0] + 1
    return [(".text", ALLOC | EXEC, at["_start"], at["_etext"]),
            (".init.text", ALLOC | EXEC, at["_sinittext"], at["_einittext"]),
            (".data", ALLOC | WRITE, at["_einittext"], end)]


class Strings:
    """A string table."""

    def __init__(self):
        self.data = bytearray(1)

    def add(self, text):
        self.data += text.encode() + b"\0"
        return len(self.data) - len(text.encode()) - 1


def symbol_table(symbols, places, strings):
    """Contents of .symtab, local symbols first, and how many of those there are."""
    addresses = sorted({address for address, _, _ in symbols})
    rows = [], []
    for address, letter, name in symbols:
        section = next((n for n, (_, _, start, end) in enumerate(places, 1) if start <= address < end), 0)
        if not section:
            continue
        following = bisect.bisect(addresses, address)
        size = addresses[following] - address if following < len(addresses) else 0
        kind = FUNCTION if places[section - 1][1] & EXEC else OBJECT
        is_global = letter.isupper()
        rows[is_global].append(struct.pack("<IBBHQQ", strings.add(name), is_global << 4 | kind, 0, section,
                                           address, size))
    return bytes(24) + b"".join(rows[0] + rows[1]), 1 + len(rows[0])


def to_elf(symbols):
    """Bytes of the ELF file. Its sections have no contents: gdb reads memory from the machine."""
    places = regions(symbols)
    names, strings = Strings(), Strings()
    table, local_count = symbol_table(symbols, places, strings)
    headers = [bytes(64)]
    for name, flags, start, end in places:
        headers.append(struct.pack("<IIQQQQIIQQ", names.add(name), NOBITS, flags, start, 64, end - start, 0, 0, 2, 0))
    number = len(headers)
    labels = [names.add(name) for name in (".symtab", ".strtab", ".shstrtab")]
    parts = [table, bytes(strings.data), bytes(names.data)]
    rows = [(SYMTAB, number + 1, local_count, 8, 24), (STRTAB, 0, 0, 1, 0), (STRTAB, 0, 0, 1, 0)]
    at = 64
    for label, part, (kind, link, info, align, size) in zip(labels, parts, rows):
        headers.append(struct.pack("<IIQQQQIIQQ", label, kind, 0, 0, at, len(part), link, info, align, size))
        at += len(part)
    header = struct.pack("<4s5B7xHHIQQQIHHHHHH", b"\x7fELF", 2, 1, 1, 0, 0, EXECUTABLE, RISCV, 1, 0, 0, at,
                         0x5, 64, 0, 0, 64, len(headers), len(headers) - 1)
    return header + b"".join(parts) + b"".join(headers)


def symbol_file(files):
    """Path of the ELF file for a guest's kernel; the guest is booted for it when the cache folder does not
    have it yet."""
    key = hashlib.sha256(pathlib.Path(__file__).read_bytes() + files.version.encode()).hexdigest()
    path = files.cache / f"vmlinux-{files.version}-{key[:16]}.symbols"
    if not path.exists():
        with linux_guest.Machine(files) as machine:
            machine.boot()
            text = read_kallsyms(machine)
        part = path.with_suffix(f".{os.getpid()}")
        part.write_bytes(to_elf(parse(text)))
        part.rename(path)
    return str(path)


if __name__ == "__main__":
    print(symbol_file(linux_guest.obtain()))
