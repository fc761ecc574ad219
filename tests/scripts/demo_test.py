#!/usr/bin/env python3
"""`backstep demo`: without a terminal it goes through by itself, on one it waits for Enter and
leaves the user at gdb's prompt; both find the culprit, and nothing is left behind."""

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

program = os.environ["BACKSTEP"]
source = os.path.join(os.environ["BACKSTEP_SOURCE"], "guests", "demo", "ring.c")
TIMEOUT = 120


def culprit():
    with open(source, encoding="ascii") as f:
        for number, line in enumerate(f, 1):
            if "ring->slot[head + i] =" in line:
                return f"guests/demo/ring.c:{number}", f"guests/demo/ring.c, line {number}."
    raise AssertionError("the demo has lost its bug")


def problems(status, text, folder):
    if status != 0:
        yield f"exit status {status}"
    frame, last = culprit()
    for part in ("panic: ", "Breakpoint 1, panic", "Hardware watchpoint 2", "fan_full_speed", frame, last,
                 "in the past", "sensors_sample", "$4 = 64"):
        if part not in text:
            yield f"no `{part}` in the output"
    if os.listdir(folder):
        yield f"left behind: {os.listdir(folder)}"


def plain(environment):
    result = subprocess.run([program, "demo"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                            errors="replace", timeout=TIMEOUT, check=False, env=environment)
    yield from problems(result.returncode, result.stdout, environment["TMPDIR"])
    if result.stderr:
        yield f"stderr: {result.stderr[:500]}"


def read_until(fd, text, wanted, count=1):
    """Append what arrives to `text` until it holds `wanted` `count` times."""
    end = time.monotonic() + TIMEOUT
    while text.count(wanted) < count:
        ready, _, _ = select.select([fd], [], [], max(0, end - time.monotonic()))
        try:
            piece = os.read(fd, 65536) if ready else b""
        except OSError:
            piece = b""
        if not piece:
            return text
        text += piece
    return text


def plain_text(data):
    """Without colours and what readline writes to the terminal."""
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", data.decode(errors="replace"))
    return text.replace("\r", "")


def terminal(environment):
    """Enter at each pause; at the prompt ^C harms nobody, a command works, `quit` ends all."""
    child, fd = pty.fork()
    if child == 0:
        os.execve(program, [program, "demo"], environment)
    data = b""
    try:
        for step in range(1, 5):
            data = read_until(fd, data, b"[Enter]", step)
            os.write(fd, b"\n")
        data = read_until(fd, data, b"ends the demo.")
        time.sleep(0.5)
        os.write(fd, b"\x03")
        time.sleep(0.5)
        os.write(fd, b"reverse-finish\n")
        data = read_until(fd, data, b"Run back to call of")
        os.write(fd, b"print 40 + 2\n")
        data = read_until(fd, data, b" = 42")
        os.write(fd, b"quit\n")
        data = read_until(fd, data, b"The culprit: ")
        data = read_until(fd, data, b"never comes")
    finally:
        end = time.monotonic() + TIMEOUT
        done, status = os.waitpid(child, os.WNOHANG)
        while not done and time.monotonic() < end:
            time.sleep(0.05)
            done, status = os.waitpid(child, os.WNOHANG)
        if not done:
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
        os.close(fd)
    yield from problems(os.waitstatus_to_exitcode(status), plain_text(data), environment["TMPDIR"])


def terminated(environment):
    """SIGTERM in the midst: gdb is stopped, the folder is removed."""
    child, fd = pty.fork()
    if child == 0:
        os.execve(program, [program, "demo"], environment)
    read_until(fd, b"", b"[Enter]")
    os.kill(child, signal.SIGTERM)
    end = time.monotonic() + TIMEOUT
    done, status = os.waitpid(child, os.WNOHANG)
    while not done and time.monotonic() < end:
        time.sleep(0.05)
        done, status = os.waitpid(child, os.WNOHANG)
    if not done:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        yield "it did not end"
    os.close(fd)
    if os.waitstatus_to_exitcode(status) != 2:
        yield f"status {os.waitstatus_to_exitcode(status)}"
    if os.listdir(environment["TMPDIR"]):
        yield f"left behind: {os.listdir(environment['TMPDIR'])}"


def without_gdb(environment):
    result = subprocess.run([program, "demo"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                            timeout=TIMEOUT, check=False, env=dict(environment, PATH=environment["TMPDIR"]))
    lines = result.stderr.splitlines()
    if result.returncode != 2 or len(lines) != 1 or "gdb-multiarch" not in lines[0]:
        yield f"status {result.returncode}, stderr {result.stderr!r}"


def main():
    if not shutil.which("gdb-multiarch"):
        print("no gdb-multiarch: skipped")
        return 77
    failed = 0
    for case in (plain, terminal, terminated, without_gdb):
        with tempfile.TemporaryDirectory(prefix="demo-") as folder:
            found = list(case(dict(os.environ, TMPDIR=folder, TERM="xterm")))
        print(f"{case.__name__}: {'; '.join(found) or 'ok'}")
        failed += bool(found)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
