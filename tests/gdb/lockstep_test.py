#!/usr/bin/env python3
"""Random programs on this machine and on qemu-system-riscv64, compared through both gdb ports.

Every case is run at full speed to its end and compared there; some are also stepped instruction
by instruction. The number of cases is fixed. BACKSTEP_FULL=1 runs many more, with new seeds.

usage: lockstep_test.py [--self-check] [--seed N]... [--cases N] [--first N] [--verbose]
  --self-check  QEMU on both sides: shows that the test itself is sound
  --seed N      only this case, in single steps
"""

import argparse
import collections
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import lockstep_known
import programs
import random_code
import random_layout
import rsp_client

CASES, STEPPED_OF = 1200, 8  # one in STEPPED_OF is also single-stepped
FULL_CASES = 12000
MOST_STEPS = 20000
RUN_TIMEOUT = 20.0
MOST_FAILURES = 5

QEMU_CPU = "rv64,h=off,zbc=off,debug=off,marchid=0,mimpid=0"
QEMU_OPTIONS = ["-bios", "none", "-m", "128M", "-cpu", QEMU_CPU]
OUR_OPTIONS = ["-bios", "none", "-m", "128M"]

CSRS = {"fflags": 0x001, "frm": 0x002, "mstatus": 0x300, "mcause": 0x342, "mepc": 0x341,
        "mtval": 0x343, "scause": 0x142, "sepc": 0x141, "stval": 0x143, "mscratch": 0x340,
        "sscratch": 0x140, "medeleg": 0x302}  # satp cannot be read in S-mode under mstatus.TVM


class Side:
    """One machine: loads a case, moves, tells its state as name -> value."""

    def __init__(self, name, program):
        self.name = name
        self.client = program.connect()
        info = self.client.read_register_info()
        self.bytes_of = {i.number: i.bits // 8 for i in info.values()}
        self.pc, self.priv, self.f0 = (info[n].number for n in ("pc", "priv", "ft0"))
        self.csr0 = info["mstatus"].number - 0x300
        self.others = {f"f{n}": self.f0 + n for n in range(32)}
        self.others.update({n: self.csr0 + number for n, number in CSRS.items()})
        self.others["priv"] = self.priv

    def set(self, registers):
        """registers: list of (number, value)."""
        requests = [b"P%x=%s" % (n, rsp_client.hex_le(v, self.bytes_of.get(n, 8)))
                    for n, v in registers]
        for (number, value), reply in zip(registers, self.client.pipeline(requests)):
            if reply != b"OK":
                raise rsp_client.RspError(f"{self.name}: P{number:x}={value:#x}: {reply!r}")

    def to_machine_mode(self):
        """Addresses are physical after it."""
        self.set([(self.priv, 3), (self.csr0 + 0x300, 0), (self.csr0 + 0x180, 0)])

    def load(self, case):
        self.to_machine_mode()
        for address, data in case.memory:
            self.client.write_memory(address, data)
        self.set([(n, case.x[n]) for n in range(1, 32)] +
                 [(self.f0 + n, case.f[n]) for n in range(32)] +
                 [(self.csr0 + n, value) for n, value in case.csrs.items()] +
                 [(self.pc, case.start), (self.priv, case.priv)])

    def state(self):
        data = self.client.read_registers()
        state = {f"x{n}": rsp_client.to_int(data[8 * n:8 * n + 8]) for n in range(32)}
        state["pc"] = rsp_client.to_int(data[256:264])
        values = self.client.read_register_list(list(self.others.values()))
        state.update(zip(self.others, values))
        return state

    def memory(self, case):
        self.to_machine_mode()
        return [self.client.read_memory(address, size) for address, size in case.compared]

    def step(self):
        stop = self.client.step()
        if stop.kind != "T" or stop.signal != 5:
            raise rsp_client.RspError(f"{self.name}: {stop}")

    def run(self, end):
        """Run to the end of the case; False when it does not get there."""
        self.client.insert_point(0, end)
        try:
            stop = self.client.cont(RUN_TIMEOUT)
        except rsp_client.RspTimeout:
            self.client.interrupt()
            stop = self.client.wait_stop()
        self.client.remove_point(0, end)
        return stop.kind == "T" and self.client.read_register(self.pc) == end


class Difference(Exception):
    """The text says all."""


def disassemble(data, address):
    with tempfile.NamedTemporaryFile() as f:
        f.write(data)
        f.flush()
        try:
            text = subprocess.run(
                ["riscv64-unknown-elf-objdump", "-D", "-b", "binary", "-m", "riscv:rv64",
                 "-M", "no-aliases", f"--adjust-vma={address:#x}", f.name],
                capture_output=True, text=True, check=False).stdout
        except OSError:
            return data.hex()
    lines = [line for line in text.splitlines() if line.startswith("    ") and ":\t" in line]
    return " ".join(lines[0].split()) if lines else data.hex()


def bytes_at(case, pc):
    """Four bytes of the case's memory, b"" outside."""
    for address, data in case.memory:
        if address <= pc < address + len(data):
            return data[pc - address:pc - address + 4]
    return b""


def at(case, pc):
    """What stands in the case's memory at pc, for people."""
    data = bytes_at(case, pc)
    return disassemble(data, pc) if data else f"{pc:#x}: outside the code"


def table(found, names):
    lines = [f"  {'':10} {names[0]:>18} {names[1]:>18}"]
    return "\n".join(lines + [f"  {n:10} {a:#18x} {b:#18x}" for n, (a, b) in found.items()])


class Lockstep:
    def __init__(self, first, second):
        self.sides = first, second
        self.names = [s.name for s in self.sides]
        self.steps = 0
        self.accepted = collections.Counter()  # reasons

    def load(self, case):
        for side in self.sides:
            side.load(case)

    def compare_state(self, word=None):
        """The first side's state and what differs. Accepted differences (of a step that executed
        `word`) are evened out."""
        ours, theirs = (s.state() for s in self.sides)
        found, known = {}, []
        for name in ours:
            if ours[name] == theirs[name]:
                continue
            reason = lockstep_known.reason(word, ours, name, ours[name], theirs[name])
            if reason:
                self.accepted[reason] += 1
                known.append((self.sides[1].others[name], ours[name]))
            else:
                found[name] = ours[name], theirs[name]
        self.sides[1].set(known)
        return ours, found

    def compare_memory(self, case):
        """The first difference of the compared ranges as text, or None."""
        blocks = [s.memory(case) for s in self.sides]
        for (address, size), ours, theirs in zip(case.compared, *blocks):
            if ours == theirs:
                continue
            for n in range(0, size, 8):
                a, b = (rsp_client.to_int(block[n:n + 8]) for block in (ours, theirs))
                known = address >= random_layout.TABLES and \
                    lockstep_known.entry_reason(a, b, case.protected)
                if a != b and not known:
                    return (f"  memory at {address + n:#x}: {self.names[0]} {a:#018x}, "
                            f"{self.names[1]} {b:#018x}")
        return None

    def finish(self, case, where):
        """Compare everything at the end of a case."""
        _, found = self.compare_state()
        if found:
            raise Difference(f"{where}:\n{table(found, self.names)}")
        memory = self.compare_memory(case)
        if memory:
            raise Difference(f"{where}:\n{memory}")

    def run(self, case):
        self.load(case)
        reached = [s.run(case.end) for s in self.sides]
        if not all(reached):
            raise Difference(f"end reached: {dict(zip(self.names, reached))}")
        self.finish(case, "at the end of an unbroken run")

    def step(self, case, verbose=False):
        self.load(case)
        state, found = self.compare_state()
        if found:
            raise Difference(f"after loading:\n{table(found, self.names)}")
        history = []
        for step in range(MOST_STEPS):
            if state["pc"] == case.end:
                self.finish(case, f"after the last of {step} single steps")
                return
            before = state
            history.append(at(case, before["pc"]) if verbose else before["pc"])
            if verbose:
                print(f"{step:5} priv {before['priv']} {history[-1]}")
            for side in self.sides:
                side.step()
            state, found = self.compare_state(rsp_client.to_int(bytes_at(case, before["pc"])))
            self.steps += 1
            if found:
                raise Difference(self.describe(case, step, before, history, found))
        raise Difference(f"not at the end after {MOST_STEPS} steps")

    def describe(self, case, step, before, history, found):
        trail = [h if isinstance(h, str) else at(case, h) for h in history[-6:]]
        registers = " ".join(f"x{n}={before[f'x{n}']:#x}" for n in range(1, 32))
        floats = " ".join(f"f{n}={before[f'f{n}']:#x}" for n in range(32))
        csrs = " ".join(f"{n}={before[n]:#x}" for n in [*CSRS, "priv"])
        return (f"step {step}, the last of\n    " + "\n    ".join(trail) +
                f"\n{table(found, self.names)}\n  before: {registers}\n  {floats}\n  {csrs}")

    def check(self, seed, stepped, verbose=False):
        """One case both ways as asked; the text of the difference or None."""
        case = random_code.make_case(seed)
        try:
            if stepped:
                self.step(case, verbose)
            self.run(case)
        except Difference as difference:
            text = f"seed {seed} ({case.kind}): {difference}"
            if not stepped:
                try:
                    self.step(case)
                    text += "\n  (single steps show no difference)"
                except Difference as closer:
                    text += f"\n  in single steps: {closer}"
            return text
        return None


def kept_seeds():
    """Seeds that once showed a defect: one a line, then a remark."""
    path = pathlib.Path(__file__).with_name("lockstep_seeds.txt")
    lines = path.read_text().splitlines() if path.exists() else []
    return [int(line.split()[0]) for line in lines if line and line[0].isdigit()]


def plan(arguments):
    """(seed, stepped) of each case."""
    if arguments.seed:
        return [(seed, True) for seed in arguments.seed]
    full = bool(os.environ.get("BACKSTEP_FULL"))
    cases = arguments.cases or (FULL_CASES if full else CASES)
    first = arguments.first or (time.time_ns() % (1 << 40) if full else 1)
    return [(seed, True) for seed in kept_seeds()] + \
        [(first + n, n % STEPPED_OF == 0) for n in range(cases)]


def compare(first, second, arguments):
    lockstep = Lockstep(first, second)
    cases = plan(arguments)
    failures = []
    for seed, stepped in cases:
        text = lockstep.check(seed, stepped, arguments.verbose)
        if text:
            print(text, "\n", flush=True)
            failures.append(seed)
            if len(failures) >= MOST_FAILURES:
                print(f"stopped after {MOST_FAILURES} failures")
                break
    print(f"{len(cases)} cases, {lockstep.steps} single steps compared, {len(failures)} differ")
    for reason, times in lockstep.accepted.items():
        print(f"accepted {times} times: {reason}")
    if failures:
        print(f"kept with a remark in lockstep_seeds.txt they run first: {failures}")
    return 1 if failures else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--self-check", action="store_true")
    parser.add_argument("--seed", type=int, action="append")
    parser.add_argument("--cases", type=int)
    parser.add_argument("--first", type=int)
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    if not programs.have_qemu():
        programs.skip(f"{programs.QEMU} is not installed")
    start_first = (lambda: programs.start_qemu(QEMU_OPTIONS)) if arguments.self_check else \
        (lambda: programs.start_backstep(OUR_OPTIONS))
    with start_first() as ours, programs.start_qemu(QEMU_OPTIONS) as qemu:
        first = Side("qemu-1" if arguments.self_check else "backstep", ours)
        second = Side("qemu", qemu)
        try:
            return compare(first, second, arguments)
        except rsp_client.RspError as error:
            print(f"{error}\n{ours.name}: {ours.stderr_text()[-2000:]}\n"
                  f"{qemu.name}: {qemu.stderr_text()[-2000:]}")
            return 1


if __name__ == "__main__":
    sys.exit(main())
