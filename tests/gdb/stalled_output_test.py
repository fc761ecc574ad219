"""Nobody reads the program's stdout: the guest waits, gdb does not, and no byte is lost."""

import pathlib
import re
import subprocess
import sys
import tempfile
import threading

import programs
import rsp_client

# lui t0, 0x10000; li a0, 'A'; again: sb a0, 0(t0); j again
GUEST = b"".join(insn.to_bytes(4, "little")
                 for insn in (0x100002b7, 0x04100513, 0x00a28023, 0xffdff06f))
BEFORE_FIRST = 8  # the boot ROM's six steps and the guest's first two
HANG = 60.0


def expect(condition, what):
    if not condition:
        print(f"failed: {what}")
        sys.exit(1)


def stores_before(position):
    """A step in two stores a byte, the first at position BEFORE_FIRST."""
    return max(0, (position - BEFORE_FIRST + 1) // 2)


def position_of(reply):
    return int(re.search(r"position ([\d,]+)", reply).group(1).replace(",", ""))


def main():
    folder = tempfile.TemporaryDirectory(prefix="stalled-")
    image = pathlib.Path(folder.name) / "guest.bin"
    image.write_bytes(GUEST)
    socket = f"unix:{folder.name}/gdb"
    process = subprocess.Popen(
        [programs.backstep_path(), "run", "-bios", "none", "-kernel", str(image), "-serial",
         "stdio", "-gdb", socket, "-S"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    guard = threading.Timer(HANG, process.kill)
    guard.start()
    try:
        expect(b"gdb" in process.stderr.readline(), "the program says where gdb connects")
        with rsp_client.RspClient(socket, HANG) as client:
            client.handshake()
            client.start_no_ack()
            for _ in range(3):  # a pipe holds 64 KiB: it is full within the first round
                client.send_packets([b"vCont;c"])
                try:
                    client.receive_packet(0.3)
                    expect(False, "the machine runs on")
                except rsp_client.RspTimeout:
                    pass
                client.interrupt()
                stop = client.wait_stop()
                expect(stop.signal == 2, f"a stop by interrupt, not {stop}")
            reply = client.monitor("when")
            position = position_of(reply if isinstance(reply, str) else reply.decode())
            expect(stores_before(position) > 100000, f"the pipe is full at position {position}")
            expect(stores_before(position) < 10000000, f"the guest has waited at {position}")
            taken = []
            reader = threading.Thread(target=lambda: taken.append(process.stdout.read()))
            reader.start()
            process.terminate()
            reader.join()
        expect(process.wait() == 0, "SIGTERM ends it with status 0")
        expect(set(taken[0]) == {ord("A")}, "nothing but the guest's bytes")
        expect(len(taken[0]) == stores_before(position),
               f"{stores_before(position)} bytes were sent, {len(taken[0])} arrived")
        print(f"{len(taken[0])} bytes: ok")
    finally:
        guard.cancel()
        if process.poll() is None:
            process.kill()
        process.wait()
        folder.cleanup()


if __name__ == "__main__":
    main()
