#!/usr/bin/env python3
"""Runs the instruction test guests (tests/guests) on backstep.

Environment: BACKSTEP, the program; BACKSTEP_BUILD, the build folder, whose guests/
holds the guests. Exit status: 0 all passed, 1 one failed, 77 no guests were built.
Names of guests as arguments run these only.
"""

import os
import signal
import subprocess
import sys

# Every instruction test and its number of harts.
GUESTS = {
    "integer": 1,
    "memory": 1,
    "control": 1,
    "mul_div": 1,
    "amo": 1,
    "float": 1,
    "double": 1,
    "compressed": 1,
    "bitmanip": 1,
    "csr": 1,
    "privileged": 1,
    "interrupts": 1,
    "counters": 1,
    "paging": 1,
    "paging_modes": 1,
    "pmp": 1,
    "smc": 1,
    "cbo": 1,
    "ipi": 2,
    "failing": 1,
}
# Exit statuses other than 0.
EXPECTED = {"failing": 37}
TIMEOUT = 60  # seconds: a bound for one that hangs; each needs well under one


def run(program, path, harts, expected):
    """What went wrong, or None."""
    command = [program, "run", "-M", "virt", "-bios", "none", "-m", "128M", "-smp", str(harts), "-nographic",
               "-serial", "null", "-kernel", path]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        return f"no end within {TIMEOUT} s"
    except OSError as error:
        return f"cannot run {program}: {error.strerror}"
    if done.returncode == expected:
        return None
    text = done.stdout.decode(errors="replace").strip()
    detail = f"\n{text}" if text else ""
    if done.returncode < 0:
        return f"backstep died by {signal.Signals(-done.returncode).name}{detail}"
    if expected:
        return f"exit status {done.returncode}, not {expected}{detail}"
    return f"test {done.returncode} failed (or backstep's own exit status){detail}"


def main():
    program = os.environ.get("BACKSTEP")
    build = os.environ.get("BACKSTEP_BUILD")
    if not program or not build:
        print("BACKSTEP and BACKSTEP_BUILD must be set")
        return 1
    folder = os.path.join(build, "guests")
    names = sys.argv[1:] or list(GUESTS)
    if not any(os.path.exists(os.path.join(folder, name + ".elf")) for name in names):
        print("no guest was built (riscv64-unknown-elf-gcc missing?): skipped")
        return 77
    passed = 0
    for name in names:
        if name not in GUESTS:
            print(f"{name}: not a guest")
            continue
        path = os.path.join(folder, name + ".elf")
        problem = "not built"
        if os.path.exists(path):
            problem = run(program, path, GUESTS[name], EXPECTED.get(name, 0))
        passed += problem is None
        print(f"{name}: {problem or 'ok'}", flush=True)
    print(f"{passed} of {len(names)} guests passed")
    return 0 if passed == len(names) else 1


if __name__ == "__main__":
    sys.exit(main())
