#!/usr/bin/env python3
"""The command line of the program: bad input is one line on stderr that names the thing, status 2,
and nothing is left half-started. Help and version go to stdout."""

import os
import re
import select
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import time

program = os.environ["BACKSTEP"]
TIMEOUT = 60


def elf(machine=243, bits=2, size=16, address=0x80000000, entry=None, file_size=None):
    """A little ELF with one segment."""
    header = struct.pack("<4sBBBB8xHHIQQQIHHHHHH", b"\x7fELF", bits, 1, 1, 0, 2, machine, 1,
                         entry or address, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 7, 120, address, address,
                          size if file_size is None else file_size, size, 8)
    return header + segment + b"\x13\x00\x00\x00" * (min(size, 64) // 4)


def run(arguments, **options):
    return subprocess.run([program, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, errors="replace", timeout=TIMEOUT, check=False, **options)


class Checks:
    def __init__(self):
        self.done = self.failed = 0

    def check(self, condition, text):
        self.done += 1
        if not condition:
            self.failed += 1
            print(text)

    def bad(self, arguments, *words, **options):
        """Status 2, one line with all the words, nothing on stdout."""
        result = run(arguments, **options)
        lines = result.stderr.splitlines()
        good = (result.returncode == 2 and len(lines) == 1 and result.stderr.endswith("\n")
                and lines[0].startswith("backstep: ") and len(lines[0]) < 500
                and not result.stdout and all(word in lines[0] for word in words))
        self.check(good, f"{' '.join(arguments)[:200]}: status {result.returncode}, "
                         f"stdout {result.stdout[:80]!r}, stderr {result.stderr[:600]!r}, "
                         f"wanted {words}")


def command_lines(c):
    c.bad([], "help")
    c.bad(["rnu"], "rnu", "did you mean `run`?")
    c.bad(["xyzzy"], "xyzzy", "help")
    c.bad(["demo", "fast"], "fast", "no options")
    c.bad(["run", "-kernal", "x"], "-kernal", "did you mean -kernel?")
    c.bad(["run", "-m"], "-m", "SIZE")
    c.bad(["run", "-m", "9G"], "9G", "8G")
    c.bad(["run", "-m", "0"], "-m", "1M")
    c.bad(["run", "-smp", "9"], "-smp", "1 to 8")
    c.bad(["run", "-M", "spike"], "spike", "virt")
    c.bad(["run", "-S"], "-S", "-gdb")
    c.bad(["run", "-icount", "shift=99"], "99", "0 to 10")
    c.bad(["run", "-serial", "vc"], "vc", "stdio")
    c.bad(["run", "--memory-budget", "4K"], "4K", "16M")
    c.bad(["run", "guest.elf"], "guest.elf", "-kernel")
    c.bad(["run", "-gdb", "unix:/" + "a" * 200], "107")
    c.bad(["run", "-gdb", "tcp::99999"], "99999")
    c.bad(["run", "-gdb", "stdio", "-serial", "stdio"], "stdio")
    c.bad(["run", "-kernel", "x" * 5000], "xxx", "too long")
    c.bad(["run", "-serial", "file:/" + "x" * 5000], "xxx", "too long")


def images(c, folder):
    def path(name, content=None, mode=None):
        full = os.path.join(folder, name)
        if content is not None:
            with open(full, "wb") as f:
                f.write(content)
        if mode is not None:
            os.chmod(full, mode)
        return full

    good = path("good.elf", elf())
    none = ["run", "-bios", "none", "-m", "16M"]
    for option in ("-kernel", "-bios", "-dtb"):
        c.bad(["run", option, path("missing")], "missing", "No such file")
        c.bad(["run", option, folder], folder)
    c.bad([*none, "-kernel", good, "-initrd", path("missing")], "missing", "No such file")
    c.bad([*none, "-kernel", good, "-initrd", path("empty.img", b"")], "empty.img")
    if os.geteuid():
        c.bad([*none, "-kernel", path("secret", b"x", 0)], "secret", "ermission")
    c.bad([*none, "-kernel", path("empty", b"")], "empty")
    c.bad([*none, "-kernel", path("short.elf", elf()[:40])], "short.elf")
    c.bad([*none, "-kernel", path("cut.elf", elf(size=64)[:140])], "cut.elf")
    c.bad([*none, "-kernel", path("x86.elf", elf(machine=62))], "x86.elf", "RISC-V")
    c.bad([*none, "-kernel", path("rv32.elf", elf(bits=1))], "rv32.elf", "64")
    c.bad([*none, "-kernel", path("outside.elf", elf(address=0x1000))], "outside.elf", "0x1000")
    c.bad([*none, "-kernel", path("huge.elf", elf(size=32 << 20, file_size=64))], "huge.elf", "16 MiB")
    big = path("big.bin")
    with open(big, "wb") as f:
        f.truncate(17 << 20)
    c.bad([*none, "-kernel", big], "big.bin")
    c.bad([*none, "-kernel", good, "-initrd", big], "big.bin")
    c.bad([*none, "-kernel", good, "-dtb", path("noise.dtb", b"noise" * 99)], "noise.dtb")
    c.bad(["run", "-bios", "none", "-m", "1M", "-kernel", path("mid.bin", bytes((1 << 20) - 4096))],
          "-m")
    c.bad([*none, "-kernel", good, "-semihosting", "-append", "a" * 2000], "2000", "1023")


def places(c, folder):
    kernel = os.path.join(folder, "good.elf")
    base = ["run", "-bios", "none", "-m", "16M", "-kernel", kernel, "-serial", "null"]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        c.bad([*base, "-gdb", f"tcp::{port}"], str(port), "in use")
        c.bad([*base[:-2], "-serial", f"tcp::{port},server"], str(port), "in use")
    c.bad([*base, "-gdb", "tcp:no.such.host.invalid:1"], "no.such.host.invalid")
    plain = os.path.join(folder, "plain")
    with open(plain, "w", encoding="ascii"):
        pass
    c.bad([*base, "-gdb", f"unix:{plain}"], "plain", "no socket")
    c.bad([*base, "-gdb", f"unix:{folder}/none/socket"], "none/socket")
    c.bad([*base[:-2], "-serial", f"file:{folder}/none/log"], "none/log")
    c.bad([*base[:-2], "-serial", f"unix:{folder}/nobody"], "nobody")
    with socket.socket(socket.AF_UNIX) as taken:
        taken.bind(os.path.join(folder, "taken"))
        taken.listen()
        c.bad([*base[:-2], "-serial", f"unix:{folder}/taken,server"], "taken", "another program")
    os.unlink(os.path.join(folder, "taken"))


def nothing_half_started(c, folder):
    """An image that cannot be loaded leaves neither a socket nor an emptied log."""
    log = os.path.join(folder, "log")
    with open(log, "w", encoding="ascii") as f:
        f.write("keep me")
    before = sorted(os.listdir(folder))
    c.bad(["run", "-kernel", os.path.join(folder, "x86.elf"), "-bios", "none", "-gdb",
           f"unix:{folder}/gdb.socket", "-serial", f"file:{log}"], "x86.elf")
    with open(log, encoding="ascii") as f:
        c.check(f.read() == "keep me", "the log was emptied")
    # A port that is taken is found after other places were opened: sockets are removed again.
    c.bad(["run", "-kernel", os.path.join(folder, "good.elf"), "-bios", "none", "-m", "16M",
           "-serial", f"unix:{folder}/serial.socket,server", "-gdb", f"unix:{log}"], "log")
    c.check(sorted(os.listdir(folder)) == before, f"left behind: {os.listdir(folder)}")


def good_lines(c):
    for arguments in (["--help"], ["help"], ["-h"]):
        result = run(arguments)
        c.check(result.returncode == 0 and "demo" in result.stdout and not result.stderr,
                f"{arguments}: {result}")
    for arguments in (["run", "--help"], ["run", "-help"], ["help", "run"]):
        result = run(arguments)
        c.check(result.returncode == 0 and "-kernel FILE" in result.stdout and not result.stderr,
                f"{arguments}: {result}")
    for arguments in (["--version"], ["version"]):
        result = run(arguments)
        c.check(result.returncode == 0 and result.stdout.startswith("backstep "), f"{arguments}: {result}")


def stop_at(c, folder):
    """--stop-at without gdb ends the run there, with status 0."""
    result = run(["run", "-bios", "none", "-m", "16M", "-kernel", os.path.join(folder, "loop.elf"),
                  "-serial", "null", "--stop-at", "1.5e6"])
    c.check(result.returncode == 0 and "1500000" in result.stderr.replace(",", ""), f"--stop-at: {result}")


def port_is_printed(c, folder):
    command = [program, "run", "-bios", "none", "-m", "16M", "-kernel", os.path.join(folder, "loop.elf"),
               "-serial", "null", "-gdb", "tcp::0", "-S"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:
        try:
            line = process.stderr.readline()
            port = int(line.rstrip().rpartition(":")[2])
            with socket.create_connection(("127.0.0.1", port), timeout=10):
                c.check(True, "")
        except (ValueError, OSError) as error:
            c.check(False, f"no port to connect to in {line!r}: {error}")
        process.terminate()
        c.check(process.wait(timeout=TIMEOUT) == 0, f"SIGTERM: status {process.returncode}")


ECHO = struct.pack("<7I", 0x100002b7, 0x0052c303, 0x00137313, 0xfe030ce3, 0x0002c303, 0x00628023, 0xfedff06f)


def start_echo(folder, serial):
    """A guest that sends what it receives on the serial port."""
    return subprocess.Popen([program, "run", "-bios", "none", "-m", "16M", "-kernel",
                             os.path.join(folder, "echo.elf"), "-serial", serial],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)


def read_until(fd, wanted, timeout=TIMEOUT):
    """What comes up to `wanted`; less when it does not come."""
    seen, end = b"", time.monotonic() + timeout
    while wanted not in seen and select.select([fd], [], [], max(0, end - time.monotonic()))[0]:
        got = os.read(fd, 4096)
        if not got:
            break
        seen += got
    return seen


def pty_is_named(c, folder):
    with start_echo(folder, "pty") as process:
        line = read_until(process.stderr.fileno(), b"\n").decode()
        match = re.search(r"char device redirected to (/dev/pts/\d+) \(label serial0\)\n$", line)
        c.check(match, f"no pty in {line!r}")
        for _ in range(2 if match else 0):
            peer = os.open(match[1], os.O_RDWR | os.O_NOCTTY)
            os.write(peer, b"to the pty\r")
            seen = read_until(peer, b"\r")
            os.close(peer)
            c.check(seen == b"to the pty\r", f"from the pty: {seen!r}")
        process.terminate()
        c.check(process.wait(timeout=TIMEOUT) == 0, f"pty: status {process.returncode}")


def prompt_on_a_pipe(c, folder):
    with start_echo(folder, "mon:stdio") as process:
        dialog = [(b"abc", b"abc"), (b"\x01c", b"\r\n(backstep) "), (b"when\r", b"live\r\n"),
                  (b"goto 10\r", b"position 10\r\n"), (b"goto end\r", b"position "),
                  (b"nonsense\r", b"unknown command"), (b"\x01cx", b"x")]
        for typed, wanted in dialog:
            process.stdin.write(typed)
            seen = read_until(process.stdout.fileno(), wanted)
            c.check(wanted in seen, f"{typed!r}: {seen!r}")
            read_until(process.stdout.fileno(), b"(backstep) ", 0.2)
        process.stdin.write(b"\x01x")
        c.check(process.wait(timeout=TIMEOUT) == 0, f"C-a x: status {process.returncode}")
        c.check(not process.stderr.read(), "something on stderr")


def main():
    c = Checks()
    with tempfile.TemporaryDirectory(prefix="cli-test-") as folder:
        os.chmod(folder, stat.S_IRWXU)
        with open(os.path.join(folder, "loop.elf"), "wb") as f:
            f.write(elf(size=4)[:-4] + b"\x6f\x00\x00\x00")
        with open(os.path.join(folder, "echo.elf"), "wb") as f:
            f.write(elf(size=len(ECHO))[:120] + ECHO)
        command_lines(c)
        images(c, folder)
        places(c, folder)
        nothing_half_started(c, folder)
        good_lines(c)
        stop_at(c, folder)
        port_is_printed(c, folder)
        pty_is_named(c, folder)
        prompt_on_a_pipe(c, folder)
    print(f"{c.done - c.failed} of {c.done} checks passed")
    return 1 if c.failed else 0


if __name__ == "__main__":
    sys.exit(main())
