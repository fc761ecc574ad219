"""Runs gdb-multiarch in batch mode on a script of its commands."""

import os
import shutil
import signal
import subprocess
import tempfile

GDB = "gdb-multiarch"


class GdbTimeout(Exception):
    """gdb did not end in time and was killed; the argument is its output so far."""


class Gdb:
    """Gdb(elf).run(["target remote :1234", "stepi"]) -> what gdb printed, errors included.

    A failing command ends the script, as always with -x; status is then not 0."""

    def __init__(self, elf=None, timeout=60.0):
        self.elf = elf
        self.timeout = timeout
        self.status = None

    @staticmethod
    def available():
        return shutil.which(GDB) is not None

    def run(self, commands, python=""):
        """python: text of a Python script that runs after the commands."""
        with tempfile.TemporaryDirectory(prefix="gdbtest-") as folder:
            script = os.path.join(folder, "script.gdb")
            with open(script, "w", encoding="utf-8") as f:
                f.write("set pagination off\nset confirm off\nset width 0\n"
                        "set python print-stack full\n")
                f.writelines(f"{c}\n" for c in commands)
                if python:
                    f.write(f"python\n{python}\nend\n")
            arguments = [GDB, "-nx", "-q", "-batch", "-x", script]
            with subprocess.Popen(arguments + ([self.elf] if self.elf else []),
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, errors="replace",
                                  start_new_session=True) as process:
                try:
                    output, _ = process.communicate(timeout=self.timeout)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    output, _ = process.communicate()
                    raise GdbTimeout(output) from None
                self.status = process.returncode
                return output
