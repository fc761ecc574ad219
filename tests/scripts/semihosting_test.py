#!/usr/bin/env python3
"""The semihosting guest on the whole program: console over stdio, exit status, command line."""

import os
import subprocess
import sys
import time

program = os.environ["BACKSTEP"]
guest = os.path.join(os.environ["BACKSTEP_BUILD"], "guests", "semihosting.elf")
TIMEOUT = 60


def run(extra, pieces):
    """(exit status, stdout) when the pieces are typed one by one once the guest says it is ready."""
    command = [program, "run", "-bios", "none", "-semihosting", "-append", "sand loud", "-kernel", guest, *extra]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as process:
        try:
            ready = process.stdout.readline()
            for piece in pieces:
                process.stdin.write(piece)
                process.stdin.flush()
                time.sleep(0.05)
            out, _ = process.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return process.returncode, ready + out


def main():
    if not os.path.exists(guest):
        print("the guest is not built: skipped")
        return 77
    long_line = bytes(97 + i % 16 for i in range(5000))  # a to p
    cases = [
        ([], [b"hello ", b"and bye: q"], b"hello and bye: q"),
        ([], [b"q"], b"q"),
        ([], [long_line + b"q"], long_line + b"q"),
        (["-icount", "sleep=off"], [b"fast", b"q"], b"fastq"),
        (["--checkpoint-steps", "20"], [b"1", b"2", b"3q"], b"123q"),
    ]
    failed = 0
    for extra, pieces, expected in cases:
        status, out = run(extra, pieces)
        if status != 42 or out != b"ready\n" + expected:
            print(f"{extra} {pieces[0][:20]}: status {status}, output {out[:200]}")
            failed += 1
    print(f"{len(cases) - failed} of {len(cases)} passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
