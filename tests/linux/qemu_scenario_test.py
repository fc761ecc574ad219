#!/usr/bin/env python3
"""The scenario of QEMU's test of reverse debugging, tests/scripts/qemu_scenario_test.py, with Linux as the guest, well
behind its first timer ticks."""

import os
import pathlib
import sys
import tempfile
import unittest

import linux_guest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "scripts"))
import qemu_scenario_test as qemu  # noqa: E402

LONG = 150_000_000  # steps: the kernel runs, with interrupts


class Scenario(unittest.TestCase):
    def test_linux(self):
        files = linux_guest.obtain()
        with tempfile.TemporaryDirectory(prefix="qemu-linux-") as folder:
            link = os.path.join(folder, "qemu-system-riscv64")
            os.symlink(os.environ["BACKSTEP"], link)
            qemu.scenario(link, folder, ["-kernel", files.kernel, "-initrd", files.initrd, "-append",
                                         linux_guest.QUICK], LONG)


if __name__ == "__main__":
    unittest.main()
