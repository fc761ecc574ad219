"""A gdb-multiarch that is talked to: one command in, what it printed out.

gdb reads its commands from a pipe and takes none while the program it debugs runs, so the end of
a command is where the text of an `echo` behind it appears."""

import os
import select
import signal
import subprocess
import threading
import time

GDB = "gdb-multiarch"
SETUP = ["set pagination off", "set confirm off", "set width 0", "set height 0",
         "set print frame-arguments all", "set print address on", "set osabi none"]
MASK = (1 << 64) - 1


class GdbError(Exception):
    """gdb ended, did not answer in time (the argument: its output so far) or refused."""


class GdbSession:
    """A context manager. target: what follows `target remote`."""

    def __init__(self, elf=None, target=None, timeout=60.0, setup=()):
        self.timeout = timeout
        self.count = 0
        self.text = ""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("DEBUGINFOD")}
        environment["LC_ALL"] = "C"
        self.process = subprocess.Popen([GDB, "-nx", "-q"] + ([elf] if elf else []),
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, env=environment,
                                        start_new_session=True)
        try:
            self.execute("set prompt")
            for command in [*SETUP, *setup]:
                self.execute(command)
            if target:
                self.connected = self.execute(f"target remote {target}")
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def close(self):
        """Ends gdb: it detaches when connected."""
        if self.process.poll() is None:
            try:
                self.process.stdin.write(b"quit\n")
                self.process.stdin.close()
                self.process.wait(10)
            except (OSError, subprocess.TimeoutExpired):
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()

    # ---- commands ----

    def begin(self, command):
        """Sends a command whose answer is for finish()."""
        self.count += 1
        self.mark = f"<<{self.count}>>"
        self.text = ""
        self.process.stdin.write(f"{command}\necho \\n{self.mark}\\n\n".encode())
        self.process.stdin.flush()

    def finish(self, timeout=None):
        limit = time.monotonic() + (timeout or self.timeout)
        while self.mark not in self.text:
            left = limit - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise GdbError(f"no answer in time; so far: {self.text[-2000:]}")
            data = os.read(self.process.stdout.fileno(), 1 << 16)
            if not data:
                raise GdbError(f"gdb ended: {self.text[-2000:]}")
            self.text += data.decode(errors="replace")
        return self.text[:self.text.index(self.mark)].strip("\n")

    def execute(self, command, timeout=None):
        """What gdb printed, errors included."""
        self.begin(command)
        return self.finish(timeout)

    def interrupted(self, command, after, timeout=None):
        """Runs a command and types Ctrl-C after so many seconds; returns its output and the
        seconds from Ctrl-C to its end."""
        sent = []

        def press():
            sent.append(time.monotonic())
            self.process.send_signal(signal.SIGINT)

        timer = threading.Timer(after, press)
        self.begin(command)
        timer.start()
        try:
            text = self.finish(timeout)
            ended = time.monotonic()
        finally:
            timer.cancel()
            timer.join()
        if not sent:
            raise GdbError(f"`{command}` ended before Ctrl-C: {text}")
        return text, ended - sent[0]

    # ---- values ----

    def value(self, expression):
        return self.values(expression)[0]

    def values(self, *expressions):
        """Unsigned 64-bit values of expressions."""
        code = ",".join(f"int(gdb.parse_and_eval({e!r}).cast(gdb.lookup_type('long')))&{MASK}"
                        for e in expressions)
        text = self.execute(f"python print({code})")
        try:
            return [int(word) for word in text.strip("() \n").replace(",", " ").split()]
        except ValueError:
            raise GdbError(f"{expressions}: {text}") from None

    def position(self):
        return self.value("$icount")

    def place(self):
        """pc and position."""
        return tuple(self.values("$pc", "$icount"))

    def registers(self):
        """All of them, as gdb prints them."""
        return self.execute("info all-registers")

    def instruction(self, address):
        """The four bytes at an address."""
        return self.value(f"*(unsigned int *){address:#x}") & 0xffffffff

    def refresh(self):
        """After a `monitor` command that moved time."""
        self.execute("maint flush register-cache")
        self.execute("frame")

    def goto(self, position):
        text = self.execute(f"monitor goto {position}")
        self.refresh()
        return text
