"""Starts backstep and QEMU with a gdb port on a Unix socket, waits until it listens, stops them.

Each Program is a context manager that owns its process and its folder. Tests find backstep in
$BACKSTEP. With skip() a test says that it cannot run here."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import rsp_client

START_TIMEOUT = 30.0
STOP_TIMEOUT = 10.0
QEMU = "qemu-system-riscv64"


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(77)


def backstep_path():
    """The program to test; skips the test when there is none."""
    path = os.environ.get("BACKSTEP", "")
    if not os.access(path, os.X_OK):
        skip(f"no program at $BACKSTEP ({path or 'unset'})")
    return path


def have_qemu():
    return shutil.which(QEMU) is not None


class ProgramError(Exception):
    pass


class Program:
    """A process that gdb can connect to at self.address; its output is in self.stdout_text() and
    self.stderr_text()."""

    def __init__(self, name, arguments, address=None):
        """address None: taken from the line on stderr that names it."""
        self.name = name
        self.address = address
        self.folder = tempfile.TemporaryDirectory(prefix="gdbtest-")
        root = pathlib.Path(self.folder.name)
        self.paths = root / "stdout", root / "stderr"
        arguments = [a.replace("@FOLDER@", self.folder.name) for a in arguments]
        if address:
            self.address = address.replace("@FOLDER@", self.folder.name)
        with open(self.paths[0], "wb") as out, open(self.paths[1], "wb") as err:
            self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=err)
        try:
            self.wait_ready()
        except BaseException:
            self.stop()
            raise

    def stdout_text(self):
        return self.paths[0].read_text(errors="replace")

    def stderr_text(self):
        return self.paths[1].read_text(errors="replace")

    def announced(self):
        """The address on stderr, once its line is whole."""
        found = re.search(r"target remote (?:unix:|tcp:)?(\S+)\s", self.stderr_text())
        return found and ("unix:" if found[1].startswith("/") else "tcp:") + found[1]

    def ready(self):
        if self.address is None:
            self.address = self.announced()
            return self.address is not None
        return not self.address.startswith("unix:") or os.path.exists(self.address[5:])

    def wait_ready(self):
        limit = time.monotonic() + START_TIMEOUT
        while not self.ready():
            if self.process.poll() is not None:
                raise ProgramError(f"{self.name} ended with {self.process.returncode}: "
                                   f"{self.stderr_text()[-500:]}")
            if time.monotonic() > limit:
                raise ProgramError(f"{self.name} does not listen: {self.stderr_text()[-500:]}")
            time.sleep(0.01)

    def connect(self, features=(), timeout=rsp_client.DEFAULT_TIMEOUT):
        """A client after the handshake."""
        limit = time.monotonic() + START_TIMEOUT
        while True:
            try:
                client = rsp_client.RspClient(self.address, timeout)
                break
            except OSError:  # bound, not yet listening
                if self.process.poll() is not None or time.monotonic() > limit:
                    raise
                time.sleep(0.01)
        try:
            client.handshake(features)
        except BaseException:
            client.close()
            raise
        return client

    def stop(self):
        """End the process, kindly first; returns its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.folder.cleanup()
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.stop()


def start_backstep(arguments=(), command="run"):
    """`backstep run` stopped at reset, its gdb port on a Unix socket."""
    return Program("backstep", [backstep_path(), command, *arguments,
                                "-gdb", "unix:@FOLDER@/gdb", "-S"], "unix:@FOLDER@/gdb")


def start_qemu(arguments=()):
    return Program("qemu", [QEMU, "-M", "virt", "-display", "none", "-monitor", "none",
                            "-serial", "null", *arguments,
                            "-gdb", "unix:@FOLDER@/gdb,server=on,wait=off", "-S"],
                   "unix:@FOLDER@/gdb")
