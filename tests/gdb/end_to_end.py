"""What the end-to-end tests share: the unittest runner, a serial line's other end, places."""

import os
import pathlib
import select
import shutil
import socket
import sys
import time
import unittest

import programs

GUARD = 60.0  # seconds until something that should have happened counts as a hang
UBOOT = "/usr/lib/u-boot/qemu-riscv64_smode/uboot.elf"
OPENSBI = "/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin"


def need(*names):
    """Skips the test when a program or a file is missing."""
    for name in names:
        if not (os.path.exists(name) if name.startswith("/") else shutil.which(name)):
            programs.skip(f"{name} is not installed")


def guest(name):
    """Path of a guest of the build folder; skips when it was not built."""
    path = pathlib.Path(os.environ.get("BACKSTEP_BUILD", ""), "guests", f"{name}.elf")
    if not path.exists():
        programs.skip(f"no guest at {path}")
    return str(path)


def source_folder():
    return os.environ.get("BACKSTEP_SOURCE") or str(pathlib.Path(__file__).parents[2])


def main():
    programs.backstep_path()
    start = time.monotonic()
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])
    if sys.argv[1:]:
        suite = unittest.defaultTestLoader.loadTestsFromNames(sys.argv[1:],
                                                              sys.modules["__main__"])
    result = unittest.TextTestRunner(sys.stdout, verbosity=2, failfast=False).run(suite)
    print(f"{time.monotonic() - start:.1f} s")
    sys.exit(not result.wasSuccessful())


class SerialLine:
    """The other end of a guest's serial port: bytes typed and bytes seen."""

    def __init__(self, path):
        limit = time.monotonic() + GUARD
        self.seen = b""
        self.socket = socket.socket(socket.AF_UNIX)
        while True:
            try:
                self.socket.connect(path)
                return
            except OSError:
                if time.monotonic() > limit:
                    self.socket.close()
                    raise
                time.sleep(0.01)

    def close(self):
        self.socket.close()

    def type(self, data):
        self.socket.sendall(data)

    def receive(self, timeout):
        """Takes in what there is within `timeout` seconds; False when nothing came."""
        if not select.select([self.socket], [], [], max(timeout, 0))[0]:
            return False
        data = self.socket.recv(1 << 16)
        self.seen += data
        return bool(data)

    def wait_for(self, text, start=0, timeout=GUARD):
        """Waits until `text` has come at or behind offset `start` of what was seen; returns the
        offset behind it."""
        limit = time.monotonic() + timeout
        while (at := self.seen.find(text, start)) < 0:
            if not self.receive(limit - time.monotonic()):
                raise AssertionError(f"no {text!r} on the serial line; last: {self.seen[-300:]!r}")
        return at + len(text)

    def quiet(self, seconds=0.2):
        """What comes until nothing has come for a while."""
        start = len(self.seen)
        while self.receive(seconds):
            pass
        return self.seen[start:]
