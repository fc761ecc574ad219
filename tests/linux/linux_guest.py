"""Debian's Linux as a guest: obtained by tests/guests/get-linux, booted on backstep, talked to at the shell
on its serial port. Tests that use it skip where it cannot be had."""

import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "gdb"))

import end_to_end
import gdb_session
import initramfs
import programs

GUARD = 300.0  # seconds until something that should have happened counts as a hang
FULL = bool(os.environ.get("BACKSTEP_FULL"))
PROMPT = initramfs.PROMPT.encode()
# Behind a command's output: its exit status; the kernel may have put in a word.
STATUS = re.compile(rb"<(\d+)>\r\n(?:\[ *\d+\.\d+\] [^\n]*\n)*" + PROMPT)

# What a Debian kernel boots with when nobody saves steps.
PLAIN = "console=ttyS0"
# Without what takes steps and matters to no test: a third of the plain boot's. cryptomgr.notests: self-tests of
# cryptography, of which those of the jitter source of randomness are made by its own initcall. trace_eval_init:
# the values of enum constants in the text of trace events.
QUICK = f"{PLAIN} quiet cryptomgr.notests initcall_blacklist=jent_mod_init,trace_eval_init"


class Files:
    """kernel, initrd: paths for the command line; version: the kernel's; cache: a folder to keep what is
    made of them in."""

    def __init__(self, folder):
        packages = initramfs.Packages(folder)
        self.cache = packages.folder.parent
        self.kernel = str(packages.kernel)
        self.version = packages.version
        self.initrd = str(initramfs.build(packages, self.cache))


def obtain():
    """Files of the guest, downloaded when they are not in the cache; skips the test when they cannot be."""
    script = pathlib.Path(__file__).parents[1] / "guests" / "get-linux"
    result = subprocess.run([script], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if result.returncode == 77:
        programs.skip(result.stderr.strip().splitlines()[-1])
    if result.returncode != 0:
        raise AssertionError(f"get-linux: status {result.returncode}: {result.stderr}")
    return Files(result.stdout.strip())


class Console(end_to_end.SerialLine):
    """The serial port's other end, over a socket that is connected."""

    def __init__(self, connection):
        self.seen = b""
        self.socket = connection


class Machine:
    """A context manager: Linux on `harts`, starting at once, with a gdb port for whoever wants it.

    arguments: more of `backstep run`, sleep=off unless they say otherwise. program: what takes all of them.
    debugger: False: without that port."""

    def __init__(self, files, harts=1, append=QUICK, memory="128M", arguments=(), program=None,
                 debugger=True):
        self.at = 0
        self.line = None
        arguments = [*arguments] if "-icount" in arguments else ["-icount", "sleep=off", *arguments]
        gdb = "unix:@FOLDER@/gdb" if debugger else "none"
        self.folder = tempfile.TemporaryDirectory(prefix="linux-")
        serial = os.path.join(self.folder.name, "serial")
        try:
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(serial)
                listener.listen()
                listener.settimeout(GUARD)
                self.program = programs.Program(
                    "backstep", [*(program or [programs.backstep_path(), "run"]), "-M", "virt", "-m", memory,
                                 "-smp", str(harts), "-kernel", files.kernel, "-initrd", files.initrd,
                                 "-append", append, "-serial", f"unix:{serial}",
                                 *(["-gdb", gdb] if debugger else []), *arguments], gdb)
                try:
                    self.line = Console(listener.accept()[0])
                except BaseException:
                    self.program.stop()
                    raise
        except BaseException:
            self.folder.cleanup()
            raise

    def close(self):
        """Stops what still runs."""
        self.line.close()
        self.program.stop()
        self.folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    # ---- the console ----

    def expect(self, text, timeout=GUARD):
        """Waits for bytes behind those expected before; returns what came up to and with them."""
        start = self.at
        try:
            self.at = self.line.wait_for(text, self.at, timeout)
        except AssertionError as e:
            raise AssertionError(f"{e}; backstep said: {self.program.stderr_text()[-500:]}") from None
        return self.line.seen[start:self.at]

    def send(self, line):
        """Types a line."""
        self.line.type(line.encode() + b"\n")

    def boot(self, timeout=GUARD):
        """Waits for the shell."""
        self.expect(initramfs.READY.encode(), timeout)
        self.expect(PROMPT, timeout)

    def run(self, command, status=0, timeout=GUARD):
        """What a command of the guest's shell printed; its exit status must be the given one (None: any)."""
        self.send(f"{command}; echo \"<$?>\"")
        self.expect(b"\n", timeout)  # the echo; it holds no <digits>
        start = self.at
        while not (found := STATUS.search(self.line.seen, start)):
            self.expect(PROMPT, timeout)
        self.at = found.end()
        output = self.line.seen[start:found.start()].replace(b"\r", b"").decode(errors="replace")
        if status is not None and int(found[1]) != status:
            raise AssertionError(f"`{command}`: exit status {int(found[1])}: {output}")
        return output

    # ---- the end ----

    def wait(self, timeout=GUARD):
        """Exit status of backstep, once it has ended by itself."""
        while self.line.receive(0.1 if self.program.process.poll() is not None else timeout):
            pass
        return self.program.process.wait(timeout)

    def power_off(self, timeout=GUARD):
        """Types `poweroff -f`; the exit status of backstep."""
        self.send("poweroff -f")
        return self.wait(timeout)

    # ---- the debugger ----

    def gdb(self, elf=None, timeout=GUARD):
        """A gdb connected; the machine stands still until it lets it run, and runs on when it detaches."""
        return gdb_session.GdbSession(elf, self.program.address[5:], timeout)

    def monitor(self, command):
        """What a monitor command prints, by way of a debugger that comes and goes."""
        with self.program.connect() as client:
            text = client.monitor(command)
            client.detach()
        return text

    def position(self):
        return int(re.search(r"position ([\d,]+)", self.monitor("when"))[1].replace(",", ""))
