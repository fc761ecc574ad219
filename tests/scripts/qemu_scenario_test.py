#!/usr/bin/env python3
"""A script written for QEMU's reverse debugging runs against this program: what QEMU's own test does, with the
options it gives, step by step; then what such scripts also lean on. Where the real qemu-system-riscv64 is installed
it goes through the same first, as far as it can: the script is one for it."""

import contextlib
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.environ["BACKSTEP_SOURCE"], "tests", "gdb"))
import gdb_session  # noqa: E402
import rsp_client  # noqa: E402

STEPS = 10
GUARD = 60  # seconds that an answer may take
PC = 32
FIRMWARE = "/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin"
SKIPPED = 77


class Failed(Exception):
    """Something was not as wanted."""


def expect(condition, text):
    if not condition:
        raise Failed(text)


class Qmp:
    """A client of QEMU's machine protocol on a connected socket."""

    def __init__(self, connected):
        connected.settimeout(GUARD)
        self.socket = connected
        self.buffer = b""
        self.events = []
        greeting = self.receive()
        expect("QMP" in greeting and "version" in greeting["QMP"], f"greeting: {greeting}")
        self.version = greeting["QMP"]["version"]
        expect(self.command("qmp_capabilities") == {}, "capabilities")

    def receive(self):
        while b"\n" not in self.buffer:
            data = self.socket.recv(1 << 16)
            if not data:
                raise Failed(f"the control socket was closed; events: {self.events}")
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\n")
        return json.loads(line)

    def answer(self, name, **arguments):
        message = {"execute": name}
        if arguments:
            message["arguments"] = arguments
        self.socket.sendall(json.dumps(message).encode())
        while True:
            reply = self.receive()
            if "event" not in reply:
                return reply
            self.events.append(reply)

    def command(self, name, **arguments):
        reply = self.answer(name, **arguments)
        expect("return" in reply, f"{name}: {reply}")
        return reply["return"]

    def drain(self):
        """The events that come before the socket is closed."""
        try:
            while True:
                self.events.append(self.receive())
        except (Failed, OSError):
            pass

    def names(self):
        return [event["event"] for event in self.events]

    def icount(self):
        return self.command("query-replay")["icount"]

    def wait_for(self, name):
        while name not in self.names():
            reply = self.receive()
            expect("event" in reply, f"an event was expected: {reply}")
            self.events.append(reply)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def qcow2(path, size=128 << 20):
    """An empty image: the place for QEMU's snapshots."""
    cluster = 1 << 16
    header = struct.pack(">4sIQIIQIIQQIIQ", b"QFI\xfb", 2, 0, 0, 16, size, 0, 1, 3 * cluster, cluster, 1, 0, 0)
    table = struct.pack(">Q", 2 * cluster)
    counts = struct.pack(">4H", 1, 1, 1, 1)
    with open(path, "wb") as f:
        for part in (header, table, counts, b""):
            f.write(part.ljust(cluster, b"\0"))


class Machine:
    """One process, started as QEMU's library for tests starts QEMU."""

    def __init__(self, program, folder, mode, extra=(), port=None, stopped=True):
        self.console = os.path.join(folder, f"console-{mode}")
        self.output = b""
        ours, theirs = socket.socketpair()
        replay = ["-gdb", f"tcp::{port}", *(["-S"] if stopped else [])] if port else []
        self.arguments = [
            program, "-display", "none", "-vga", "none", "-chardev", f"socket,id=mon,fd={theirs.fileno()}", "-mon",
            "chardev=mon,mode=control", "-machine", "virt", "-chardev",
            f"socket,id=console,path={self.console},server=on,wait=off", "-serial", "chardev:console", *replay,
            "-icount", f"shift=7,rr={mode},rrfile={os.path.join(folder, 'replay.bin')},rrsnapshot=init",
            "-net", "none", "-drive", f"file={os.path.join(folder, 'disk.qcow2')},if=none", *extra]
        with open(os.path.join(folder, f"log-{mode}"), "w+", encoding="utf-8") as log:
            self.process = subprocess.Popen(self.arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            pass_fds=[theirs.fileno()])
        self.log = log.name
        theirs.close()
        try:
            self.qmp = Qmp(ours)
            self.drain_console()
        except BaseException as e:
            self.kill()
            raise Failed(f"{e}; it said: {self.said()}") from e

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()[-2000:]

    def drain_console(self):
        peer = socket.socket(socket.AF_UNIX)
        peer.settimeout(GUARD)
        peer.connect(self.console)

        def drain():
            with peer:
                try:
                    while data := peer.recv(1 << 16):
                        self.output += data
                except OSError:
                    pass
        threading.Thread(target=drain, daemon=True).start()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(GUARD)

    def shutdown(self):
        """As its library does: quit, and the status is looked at."""
        self.qmp.command("quit")
        self.qmp.drain()
        status = self.process.wait(GUARD)
        self.qmp.socket.close()
        expect(status == 0, f"status {status}; it said: {self.said()}")

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.kill()


# ---- the scenario ----

def record(program, folder, extra=(), until=STEPS):
    """Returns how far it came."""
    with Machine(program, folder, "record", extra) as vm:
        while vm.qmp.icount() <= until:
            pass
        state = vm.qmp.command("query-replay")
        expect(state["mode"] == "record", f"query-replay: {state}")
        expect(state["filename"] == os.path.join(folder, "replay.bin"), f"query-replay: {state}")
        expect(vm.qmp.command("query-status")["running"], "query-status")
        reply = vm.qmp.answer("replay-break", icount=state["icount"] + 1000)
        expect(reply.get("error", {}).get("class") == "GenericError", f"replay-break while recording: {reply}")
        last = vm.qmp.icount()
        vm.shutdown()
        return last


class Debugger:
    """gdb, as far as the scenario needs it."""

    def __init__(self, port):
        self.client = rsp_client.RspClient(f"tcp:127.0.0.1:{port}", timeout=GUARD)
        supported = self.client.handshake()
        expect(supported.get("ReverseStep") == "+" and supported.get("ReverseContinue") == "+",
               f"qSupported: {supported}")
        self.client.transfer("features", "target.xml")

    def pc(self):
        return self.client.read_register(PC)

    def stop(self, packet, *signals):
        reply = self.client.resume(packet)
        expect(reply.kind == "T" and reply.signal in signals, f"{packet}: {reply}")
        return reply

    def insert(self, address):
        self.client.insert_point(1, address, 1)

    def close(self):
        self.client.close()

    def step(self):
        self.stop(b"s", 5)

    def reverse_step(self):
        self.stop(b"bs", 5)


class PlainDebugger(Debugger):
    """The client of QEMU's older tests: names no features, acknowledges nothing, compares whole replies."""

    def __init__(self, port):  # pylint: disable=super-init-not-called
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=GUARD)
        expect(b"ReverseStep+;ReverseContinue+" in self.ask(b"qSupported"), "qSupported")

    def ask(self, request):
        self.socket.sendall(rsp_client.frame(request))
        expect(self.socket.recv(1) == b"+", f"{request}: no acknowledgement")
        packet = self.socket.recv(1 << 16)
        expect(packet[:1] == b"$" and packet == rsp_client.frame(packet[1:-3]), f"{request}: {packet}")
        return packet[1:-3]

    def pc(self):
        return rsp_client.to_int(bytes.fromhex(self.ask(b"p%x" % PC).decode()))

    def stop(self, packet, *signals):
        reply = self.ask(packet)
        expect(reply in [b"T%02xthread:01;" % signal for signal in signals], f"{packet}: {reply}")

    def insert(self, address):
        expect(self.ask(b"Z1,%x,1" % address) == b"OK", "Z1")

    def close(self):
        self.socket.close()


class Gdb(Debugger):
    """gdb itself, as QEMU's newer tests use it."""

    def __init__(self, port):  # pylint: disable=super-init-not-called
        self.gdb = gdb_session.GdbSession(target=f"localhost:{port}", timeout=GUARD)

    def pc(self):
        return self.gdb.value("$pc")

    def insert(self, address):
        expect("Breakpoint" in self.gdb.execute(f"break *{address:#x}"), "break")

    def stop(self, packet, *signals):
        self.gdb.execute({b"c": "continue", b"bc": "reverse-continue", b"s": "stepi", b"bs": "reverse-stepi"}[packet])

    def close(self):
        self.gdb.close()


def there_and_back(gdb):
    """Ten steps forward, back, forward again; returns where they were."""
    steps = []
    for _ in range(STEPS):
        steps.append(gdb.pc())
        gdb.step()
    for address in reversed(steps):
        gdb.reverse_step()
        expect(gdb.pc() == address, f"a step back leads to {gdb.pc():x}, not {address:x}")
    for address in steps:
        expect(gdb.pc() == address, f"forward again: {gdb.pc():x}, not {address:x}")
        gdb.step()
    return steps


def replay(program, folder, last, extra=(), whole=True, debugger=Debugger):
    """whole: False: the steps alone, there and back."""
    port = free_port()
    with (Machine(program, folder, "replay", extra, port) as vm,
          contextlib.closing(debugger(port)) as gdb):
        state = vm.qmp.command("query-replay")
        expect(state["mode"] == "play" and state["icount"] == 0, f"query-replay: {state}")
        expect(not vm.qmp.command("query-status")["running"], "it runs in spite of -S")
        steps = there_and_back(gdb)
        expect(vm.qmp.icount() == STEPS, f"after ten steps: {vm.qmp.icount()}")
        if not whole:
            return
        for address in steps:
            gdb.insert(address)
        expect(vm.qmp.command("replay-break", icount=last - 1) == {}, "replay-break")
        expect(vm.qmp.command("query-replay")["mode"] == "play", "query-replay")
        vm.qmp.events.clear()
        gdb.stop(b"c", 2, 5)
        expect(vm.qmp.icount() == last - 1, f"continued to {vm.qmp.icount()}, not {last - 1}")
        gdb.stop(b"bc", 5)
        expect(gdb.pc() == steps[-1], f"reverse-continue leads to {gdb.pc():x}, not {steps[-1]:x}")
        expect(vm.qmp.icount() == STEPS - 1, f"reverse-continue leads to step {vm.qmp.icount()}")
        events = vm.qmp.names()
        expect(events[:1] == ["RESUME"] and events[-1:] == ["STOP"], f"events: {events}")
        gdb.close()
        vm.shutdown()
        expect("SHUTDOWN" in vm.qmp.names(), f"events: {vm.qmp.names()}")


def scenario(program, folder, extra=(), until=STEPS):
    qcow2(os.path.join(folder, "disk.qcow2"))
    last = record(program, folder, extra, until)
    for debugger in (Debugger, PlainDebugger, *([Gdb] if shutil.which(gdb_session.GDB) else [])):
        replay(program, folder, last, extra, debugger=debugger)


# ---- what else such scripts lean on ----

def run(program, *arguments, **options):
    return subprocess.run([program, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=GUARD, check=False, **options)


def refused(program, folder, words, *wanted):
    """Replay with other options than those of the record: status 2 and one line that names the first."""
    result = run(program, "-display", "none", "-net", "none", "-icount",
                 f"rr=replay,rrfile={os.path.join(folder, 'replay.bin')}", *words)
    lines = result.stderr.splitlines()
    expect(result.returncode == 2 and lines and all(word in lines[-1] for word in wanted),
           f"{words}: {result}, wanted {wanted}")


def agreement(program, folder):
    """After `scenario`: the machine has to be the one that was recorded, and is that without being described."""
    other = os.path.join(folder, "other.bin")
    with open(other, "wb") as f:
        f.write(b"\x13\0\0\0" * 64)
    port = ["-gdb", f"unix:{folder}/gdb", "-S"]
    refused(program, folder, ["-m", "64M", *port], "-m 64", "128", "leave it out")
    refused(program, folder, ["-smp", "2", *port], "-smp 2", "1", "leave it out")
    refused(program, folder, ["-icount", "shift=3", *port], "-icount shift 3", "7")
    refused(program, folder, ["-kernel", other, *port], "-kernel", "other.bin")
    refused(program, folder, ["-bios", "none", *port], "-bios none")
    refused(program, folder, ["-kernel", other, "-append", "quiet", *port], "-append quiet")
    refused(program, folder, ["-device", "virtio-rng-device", *port], "virtio-mmio-bus.0", "entropy", "nothing")
    refused(program, folder, ["-icount", "rrsnapshot=later", *port], "`later`", "rrsnapshot")
    refused(program, folder, ["-o", other, *port], "-o", "rr=replay")
    result = run(program, "-display", "none", "-icount", f"rr=replay,rrfile={folder}/nothing")
    expect(result.returncode == 2 and "nothing" in result.stderr, f"no such recording: {result}")
    expect(not os.path.exists(os.path.join(folder, "gdb")), "a socket was left behind")


def runs_through(program, folder):
    """Without -S a replay runs to its end; a client finds it there."""
    with Machine(program, folder, "replay", port=free_port(), stopped=False) as vm:
        limit = time.monotonic() + GUARD
        while vm.qmp.command("query-status")["running"] and time.monotonic() < limit:
            time.sleep(0.01)
        expect(vm.qmp.icount() > STEPS, f"it stands at {vm.qmp.icount()}")
        expect(vm.qmp.command("query-replay")["mode"] == "play", "it went live")
        vm.shutdown()
    result = run(program, "-display", "none", "-icount", f"rr=replay,rrfile={folder}/replay.bin")
    expect(result.returncode == 0, f"a replay without any client: {result}")


def names(program):
    """What is asked before anything is started."""
    expect(run(program, "-version").stdout.startswith("backstep "), "-version")
    expect("QEMU emulator version" not in run(program, "--version").stdout, "--version")
    machines = run(program, "-M", "help").stdout.splitlines()
    expect(any(line.split()[0] == "virt" for line in machines[1:]), f"-M help: {machines}")
    expect(run(program, "-accel", "help").stdout.splitlines()[1:] == ["tcg"], "-accel help")
    expect("rv64" in run(program, "-cpu", "help").stdout.split(), "-cpu help")
    expect("-qmp" in run(program, "--help").stdout, "--help")
    result = run(program, "-daemonize")
    expect(result.returncode == 2 and "-pidfile" in result.stderr, f"-daemonize: {result}")


def named_replay(folder):
    """`backstep replay` takes a control socket, too, and a chardev for the serial port."""
    path = os.path.join(folder, "control")
    process = subprocess.Popen(
        [os.environ["BACKSTEP"], "replay", os.path.join(folder, "replay.bin"), "--at", "init", "-chardev",
         f"socket,id=m,path={path},server=on,wait=off", "-mon", "chardev=m,mode=control,pretty=on", "-chardev",
         "null,id=n", "-serial", "chardev:n"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)
    try:
        limit = time.monotonic() + GUARD
        with socket.socket(socket.AF_UNIX) as peer:
            while peer.connect_ex(path):
                expect(time.monotonic() < limit and process.poll() is None, "no control socket")
                time.sleep(0.01)
            peer.settimeout(GUARD)
            text = b""
            for request in (b'{"execute": "qmp_capabilities"}', b'{"execute": "query-replay"}', b'{"execute": "quit"}'):
                peer.sendall(request)
            while data := peer.recv(1 << 16):
                text += data
        expect(b'\n    "QMP"' in text or b'\n  "QMP"' in text, f"not pretty: {text[:80]}")
        expect(b'"play"' in text and b'"icount": 0' in text, f"query-replay: {text}")
        expect(process.wait(GUARD) == 0, "the status after quit")
    finally:
        process.kill()
        process.wait(GUARD)


def listening_sockets(program, folder):
    """Inherited sockets that listen, and -pidfile; gdb and two control clients beside each other."""
    pid_file = os.path.join(folder, "pid")
    path = os.path.join(folder, "qmp")
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as peer:
        listening.bind(os.path.join(folder, "inherited"))
        listening.listen()
        process = subprocess.Popen(
            [program, "-display", "none", "-chardev", f"socket,id=q,fd={listening.fileno()},server=on,wait=off",
             "-mon", "chardev=q,mode=control", "-qmp", f"unix:{path},server=on,wait=off", "-pidfile", pid_file,
             "-S", "-name", "there"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, pass_fds=[listening.fileno()])
        try:
            peer.connect(os.path.join(folder, "inherited"))
            one = Qmp(peer)
            expect(not one.command("query-status")["running"], "it runs in spite of -S")
            expect(one.command("query-name") == {"name": "there"}, "query-name")
            with open(pid_file, encoding="ascii") as f:
                expect(int(f.read()) == process.pid, "-pidfile")
            with socket.socket(socket.AF_UNIX) as second:
                second.connect(path)
                two = Qmp(second)
                two.command("cont")
                one.wait_for("RESUME")
                two.command("quit")
                two.drain()
            expect(process.wait(GUARD) == 0, "the status after quit")
        finally:
            process.kill()
            process.wait(GUARD)
    expect(not os.path.exists(pid_file), "the file of -pidfile was left behind")


# ---- together ----

def with_qemu(folder):
    """The real one: the script is one that it takes."""
    qemu = shutil.which("qemu-system-riscv64")
    if not qemu:
        print("no qemu-system-riscv64: the script is not tried with it")
        return
    os.mkdir(folder)
    qcow2(os.path.join(folder, "disk.qcow2"))
    last = record(qemu, folder)
    for debugger in (Debugger, PlainDebugger):
        replay(qemu, folder, last, whole=False, debugger=debugger)
    try:
        replay(qemu, folder, last)
        print("QEMU comes to the scenario's end")
    except (Failed, OSError, rsp_client.RspError) as e:
        print(f"QEMU does not come to the scenario's end: {e}")


def main():
    if not os.path.exists(FIRMWARE):
        print("skipped: no firmware of Debian's package opensbi")
        return SKIPPED
    with tempfile.TemporaryDirectory(prefix="qemu-scenario-") as folder:
        link = os.path.join(folder, "qemu-system-riscv64")
        os.symlink(os.environ["BACKSTEP"], link)
        here = os.path.join(folder, "a")
        os.mkdir(here)
        parts = [("the scenario", lambda: scenario(link, here)),
                 ("the same file once more", lambda: scenario(link, here)),
                 ("options that differ", lambda: agreement(link, here)),
                 ("a replay that runs through", lambda: runs_through(link, here)),
                 ("backstep replay", lambda: named_replay(here)),
                 ("questions", lambda: names(link)),
                 ("listening sockets", lambda: listening_sockets(link, here)),
                 ("QEMU", lambda: with_qemu(os.path.join(folder, "q")))]
        failed = 0
        for name, part in parts:
            try:
                part()
            except (Failed, OSError, subprocess.TimeoutExpired, gdb_session.GdbError, rsp_client.RspError) as e:
                failed += 1
                print(f"{name}: {e}")
        print(f"{len(parts) - failed} of {len(parts)} parts passed")
        return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
