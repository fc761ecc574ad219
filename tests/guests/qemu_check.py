#!/usr/bin/env python3
"""Runs the test guests on QEMU, the reference they were validated on. A manual tool.

usage: qemu_check.py [--qemu PROGRAM] [--timeout SECONDS] GUEST.elf...

QEMU's virt board has no tohost: this polls the symbol through QMP and stops the
process itself. The word `on_qemu` of a copy of the guest is set to QEMU's major version,
so that cases marked with SKIP_ON_QEMU are left out; how many were is printed.
"""

import argparse
import json
import os
import re
import socket
import struct
import subprocess
import sys
import tempfile
import time

TWO_HARTS = {"ipi"}
# Newer models of rv64 have more (and less) than the machine these guests describe.
QEMU_10 = ",zicbom=on,zicboz=on,svadu=on,zfa=off,zawrs=off,zicond=off,zihintntl=off"
# Guests that are to fail, and their test.
FAILING = {"failing": 37}
# Guests that count retired instructions need a QEMU that counts them too.
COUNTED = {"counters"}


class Elf:
    """Just enough of ELF64 little endian: symbols, and where an address lies in the file."""

    def __init__(self, path):
        with open(path, "rb") as f:
            self.data = bytearray(f.read())
        u = lambda fmt, off: struct.unpack_from("<" + fmt, self.data, off)
        phoff, shoff = u("QQ", 32)
        phentsize, phnum, shentsize, shnum = u("HHHH", 54)
        self.segments = [u("IIQQQQQQ", phoff + i * phentsize) for i in range(phnum)]
        self.symbols = {}
        sections = [u("IIQQQQIIQQ", shoff + i * shentsize) for i in range(shnum)]
        for sec in sections:
            if sec[1] != 2:  # SHT_SYMTAB
                continue
            strings = sections[sec[6]][4]
            for off in range(sec[4], sec[4] + sec[5], 24):
                name, _, _, _, value, _ = u("IBBHQQ", off)
                end = self.data.index(0, strings + name)
                self.symbols[self.data[strings + name:end].decode()] = value

    def write64(self, address, value):
        for kind, _, offset, vaddr, _, filesz, _, _ in self.segments:
            if kind == 1 and vaddr <= address <= vaddr + filesz - 8:
                struct.pack_into("<Q", self.data, offset + address - vaddr, value)
                return
        raise ValueError("address not in the file")


class Qmp:
    def __init__(self, sock):
        self.file = sock.makefile("rw", encoding="utf-8")
        self.file.readline()
        self.command("qmp_capabilities")

    def command(self, name, **arguments):
        self.file.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
        self.file.flush()
        while True:
            line = self.file.readline()
            if not line:
                raise EOFError("QEMU ended")
            reply = json.loads(line)
            if "return" in reply:
                return reply["return"]
            if "error" in reply:
                raise RuntimeError(reply["error"]["desc"])

    def monitor(self, text):
        return self.command("human-monitor-command", **{"command-line": text})

    def read64(self, address):
        return int(self.monitor(f"xp /1gx {address:#x}").split(":")[1], 16)


def run(qemu, version, path, timeout, verbose):
    name = os.path.splitext(os.path.basename(path))[0]
    elf = Elf(path)
    elf.write64(elf.symbols["on_qemu"], version)
    with tempfile.TemporaryDirectory() as tmp:
        copy = os.path.join(tmp, name + ".elf")
        with open(copy, "wb") as f:
            f.write(elf.data)
        control = os.path.join(tmp, "qmp")
        cpu = "rv64,h=off,zbc=off" + (QEMU_10 if version >= 9 else "")
        args = [qemu, "-M", "virt", "-cpu", cpu, "-m", "128M", "-bios", "none", "-nographic",
                "-serial", "null", "-monitor", "none", "-kernel", copy, "-smp",
                "2" if name in TWO_HARTS else "1", "-qmp", f"unix:{control},server=on,wait=on"]
        if name in COUNTED:
            args += ["-icount", "shift=0"]
        process = subprocess.Popen(args, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            return poll(process, control, elf, name, timeout, verbose)
        finally:
            process.kill()
            process.wait()


def poll(process, control, elf, name, timeout, verbose):
    end = time.monotonic() + timeout
    sock = socket.socket(socket.AF_UNIX)
    while True:
        try:
            sock.connect(control)
            break
        except OSError:
            if process.poll() is not None or time.monotonic() > end:
                return f"{name}: QEMU did not start"
            time.sleep(0.02)
    with sock:
        qmp = Qmp(sock)
        while True:
            value = qmp.read64(elf.symbols["tohost"])
            if value or time.monotonic() > end:
                break
            time.sleep(0.02)
        skipped = qmp.read64(elf.symbols["skipped"])
        if value == 1:
            print(f"{name}: ok" + (f", {skipped} marked cases left out" if skipped else ""))
            return None
        if value and value >> 1 == FAILING.get(name):
            print(f"{name}: ok")
            return None
        registers = qmp.monitor("info registers")
        line = qmp.read64(elf.symbols["fail_line"])
        record = elf.symbols["trap_record"]
        trap = ", ".join(f"{w} {qmp.read64(record + 8 * i):#x}"
                         for i, w in enumerate(("cause", "epc", "tval", "status", "mode", "count")))
        what = f"test {value >> 1} failed, line {line}" if value else "timeout"
        if verbose:
            print(registers)
        return f"{name}: {what}; last trap: {trap}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--qemu", default="qemu-system-riscv64")
    parser.add_argument("--timeout", type=float, default=30)
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("guest", nargs="+")
    options = parser.parse_args()
    text = subprocess.run([options.qemu, "--version"], capture_output=True, text=True, check=True).stdout
    version = int(re.search(r"version (\d+)", text).group(1))
    failures = 0
    for path in options.guest:
        message = run(options.qemu, version, path, options.timeout, options.verbose)
        if message:
            failures += 1
            print(message)
    print(f"{len(options.guest) - failures} of {len(options.guest)} guests passed on QEMU {version}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
