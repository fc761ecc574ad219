"""A client of the GDB remote serial protocol: bytes in, bytes out, every wait bounded.

Wire facts (escaping, run lengths, packets) are those of gdb's manual, appendix E. Addresses are
written as on the command line of the programs: unix:PATH or tcp:HOST:PORT. Data are bytes,
register values integers (little endian on the wire).
"""

import re
import socket
import time
import xml.etree.ElementTree

DEFAULT_TIMEOUT = 30.0
INTERRUPT = b"\x03"
ESCAPED = re.compile(rb"}(.)", re.DOTALL)
SPECIAL = re.compile(rb"[#$}*]")


class RspError(Exception):
    """The peer broke the protocol, refused a request or closed the connection."""


class RspTimeout(RspError):
    """Nothing came in the time allowed."""


def frame(payload):
    """$payload#sum; the payload is escaped already."""
    return b"$%s#%02x" % (payload, sum(payload) & 255)


def escape(data):
    return SPECIAL.sub(lambda m: b"}" + bytes([m[0][0] ^ 0x20]), data)


def unescape(data):
    return ESCAPED.sub(lambda m: bytes([m[1][0] ^ 0x20]), data)


def expand_runs(data):
    """X*N means X and ord(N) - 29 more of it."""
    return re.sub(rb"(.)\*(.)", lambda m: m[1] * (m[2][0] - 28), data, flags=re.DOTALL)


def to_int(data):
    return int.from_bytes(data, "little")


def hex_le(value, size):
    return value.to_bytes(size, "little").hex().encode()


class StopReply:
    """T, S, W and X replies. kind: that letter. signal: number, or the exit status.

    registers: number -> value, of the expedited ones; keys: the other pairs of a T reply;
    console: what O packets carried since the resume."""

    def __init__(self, payload, console=b""):
        self.payload = payload
        self.console = console
        self.kind = payload[:1].decode()
        self.registers = {}
        self.keys = {}
        if self.kind not in "TSWX" or len(payload) < 3:
            raise RspError(f"not a stop reply: {payload[:80]!r}")
        self.signal = int(payload[1:3], 16)
        rest = payload[3:] if self.kind == "T" else b""
        for pair in filter(None, rest.split(b";")):
            key, _, value = pair.partition(b":")
            if re.fullmatch(rb"[0-9a-fA-F]+", key):
                self.registers[int(key, 16)] = to_int(bytes.fromhex(value.decode()))
            else:
                self.keys[key.decode()] = value.decode()

    @property
    def thread(self):
        return self.keys.get("thread")

    @property
    def history_end(self):
        """"begin" or "end" when the resume ran into an end of history, else None."""
        return self.keys.get("replaylog")

    def __repr__(self):
        return f"StopReply({self.payload!r})"


class RegisterInfo:
    """One <reg> of target.xml; number is the protocol's."""

    def __init__(self, name, number, bits, feature):
        self.name, self.number, self.bits, self.feature = name, number, bits, feature


class RspClient:
    """One connection. Acknowledgements are sent with the next request, so requests can be
    pipelined; received ones are dropped."""

    def __init__(self, address, timeout=DEFAULT_TIMEOUT):
        self.timeout = timeout
        self.buffer = b""
        self.acks = True
        self.owed = 0
        self.packet_size = 400
        self.register_info = None
        if isinstance(address, socket.socket):  # connected already, the client's from now on
            self.socket = address
            return
        kind, _, rest = address.partition(":")
        if kind == "unix":
            self.socket = socket.socket(socket.AF_UNIX)
            target = rest
        else:
            host, _, port = rest.rpartition(":")
            self.socket = socket.socket(socket.AF_INET)
            target = (host or "127.0.0.1", int(port))
        self.socket.settimeout(timeout)
        try:
            self.socket.connect(target)
        except BaseException:
            self.socket.close()
            raise
        if kind != "unix":
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def close(self):
        self.socket.close()

    # ---- bytes and packets ----

    def send_raw(self, data):
        self.socket.settimeout(self.timeout)
        try:
            self.socket.sendall(data)
        except TimeoutError:
            raise RspTimeout(f"the peer reads nothing; sending {data[:60]!r}") from None
        except OSError as e:
            raise RspError(f"connection lost: {e}") from None

    def send_packets(self, payloads):
        owed, self.owed = self.owed, 0
        self.send_raw(b"+" * owed + b"".join(frame(p) for p in payloads))

    def interrupt(self):
        self.send_raw(INTERRUPT)

    def receive_raw(self, timeout=None):
        """Some bytes; b"" at the end of the connection."""
        self.socket.settimeout(self.timeout if timeout is None else max(timeout, 0.0001))
        try:
            return self.socket.recv(1 << 16)
        except TimeoutError:
            raise RspTimeout(f"no answer in time; so far {self.buffer[:60]!r}") from None
        except OSError as e:
            raise RspError(f"connection lost: {e}") from None

    def take_packet(self):
        """The next whole packet of the buffer, unescaped, or None."""
        start = self.buffer.find(b"$")
        end = self.buffer.find(b"#", start)
        if start < 0 or end < 0 or len(self.buffer) < end + 3:
            return None
        payload, given = self.buffer[start + 1:end], self.buffer[end + 1:end + 3]
        if given.lower() != b"%02x" % (sum(payload) & 255):
            raise RspError(f"bad checksum {given!r} of {payload[:60]!r}")
        self.buffer = self.buffer[end + 3:]
        self.owed += self.acks
        return unescape(expand_runs(payload)) if b"*" in payload else unescape(payload)

    def receive_packet(self, timeout=None):
        limit = time.monotonic() + (self.timeout if timeout is None else timeout)
        while (payload := self.take_packet()) is None:
            data = self.receive_raw(limit - time.monotonic())
            if not data:
                raise RspError("the peer closed the connection")
            self.buffer += data
        return payload

    def request(self, payload, timeout=None):
        self.send_packets([payload])
        return self.receive_packet(timeout)

    def pipeline(self, payloads):
        """All requests at once; the replies in order. Not for resumes."""
        replies = []
        for i in range(0, len(payloads), 64):
            part = payloads[i:i + 64]
            self.send_packets(part)
            replies += [self.receive_packet() for _ in part]
        return replies

    def expect_ok(self, payload):
        reply = self.request(payload)
        if reply != b"OK":
            raise RspError(f"{payload[:60]!r}: {reply!r}")

    # ---- session ----

    def handshake(self, features=()):
        """qSupported and, when offered, no-ack mode. Returns the peer's features."""
        offered = b"qSupported:" + b";".join(f.encode() for f in features)
        supported = {}
        for item in self.request(offered).decode().split(";"):
            name, equals, value = item.partition("=")
            supported[name if equals else item[:-1]] = value if equals else item[-1:]
        self.packet_size = int(supported.get("PacketSize", "190"), 16)
        if supported.get("QStartNoAckMode") == "+":
            self.start_no_ack()
        return supported

    def start_no_ack(self):
        self.expect_ok(b"QStartNoAckMode")
        self.send_raw(b"+" * self.owed)
        self.owed, self.acks = 0, False

    def transfer(self, kind, annex=""):
        """A whole qXfer object."""
        data = b""
        while True:
            size = self.packet_size - 16
            reply = self.request(f"qXfer:{kind}:read:{annex}:{len(data):x},{size:x}".encode())
            if reply[:1] not in (b"l", b"m"):
                raise RspError(f"qXfer {kind} {annex}: {reply!r}")
            data += reply[1:]
            if reply[:1] == b"l":
                return data

    def read_register_info(self):
        """name -> RegisterInfo from target.xml and what it includes; kept in register_info."""
        self.register_info = {}
        number = 0
        waiting = ["target.xml"]
        while waiting:
            text = self.transfer("features", waiting.pop(0)).decode()
            root = xml.etree.ElementTree.fromstring(text.replace("<xi:include", "<include"))
            waiting = [i.get("href") for i in root.iter("include")] + waiting
            for feature in root.iter("feature"):
                for reg in feature.iter("reg"):
                    number = int(reg.get("regnum", number))
                    self.register_info[reg.get("name")] = RegisterInfo(
                        reg.get("name"), number, int(reg.get("bitsize")), feature.get("name"))
                    number += 1
        return self.register_info

    # ---- registers ----

    def read_registers(self):
        """g as bytes; an unavailable register ("xxxx") is zero."""
        return bytes.fromhex(self.request(b"g").decode().replace("x", "0"))

    def write_registers(self, data):
        self.expect_ok(b"G" + data.hex().encode())

    def read_register(self, number):
        return self.read_register_list([number])[0]

    def read_register_list(self, numbers):
        values = []
        for number, reply in zip(numbers, self.pipeline([b"p%x" % n for n in numbers])):
            if len(reply) % 2 or not re.fullmatch(rb"[0-9a-f]+", reply):
                raise RspError(f"p{number:x}: {reply!r}")
            values.append(to_int(bytes.fromhex(reply.decode())))
        return values

    def write_register(self, number, value, size=8):
        self.expect_ok(b"P%x=%s" % (number, hex_le(value, size)))

    # ---- memory ----

    def read_memory(self, address, size):
        step = (self.packet_size - 8) // 2
        parts = [(address + o, min(step, size - o)) for o in range(0, size, step)]
        replies = self.pipeline([b"m%x,%x" % p for p in parts])
        for (where, length), reply in zip(parts, replies):
            if len(reply) != 2 * length:
                raise RspError(f"m{where:x},{length:x}: {reply[:40]!r}")
        return bytes.fromhex(b"".join(replies).decode())

    def write_memory(self, address, data, binary=False):
        step = (self.packet_size - 48) // 2
        requests = []
        for offset in range(0, len(data), step):
            part = data[offset:offset + step]
            head = b"%x,%x:" % (address + offset, len(part))
            requests.append(b"X" + head + escape(part) if binary
                            else b"M" + head + part.hex().encode())
        for request, reply in zip(requests, self.pipeline(requests)):
            if reply != b"OK":
                raise RspError(f"{request[:40]!r}: {reply!r}")

    # ---- points and motion ----

    def insert_point(self, kind, address, length=4):
        """kind: 0 software and 1 hardware breakpoint, 2 write, 3 read, 4 access watchpoint."""
        self.expect_ok(b"Z%x,%x,%x" % (kind, address, length))

    def remove_point(self, kind, address, length=4):
        self.expect_ok(b"z%x,%x,%x" % (kind, address, length))

    def wait_stop(self, timeout=None):
        """The stop that ends a resume; console output before it is kept."""
        console = b""
        limit = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            payload = self.receive_packet(limit - time.monotonic())
            if payload[:1] != b"O" or payload == b"OK":
                return StopReply(payload, console)
            console += bytes.fromhex(payload[1:].decode())

    def resume(self, payload, timeout=None):
        self.send_packets([payload])
        return self.wait_stop(timeout)

    def step(self, thread=None, timeout=None):
        action = b"vCont;s:%x;c" % thread if thread else b"vCont;s"
        return self.resume(action, timeout)

    def cont(self, timeout=None):
        return self.resume(b"vCont;c", timeout)

    def reverse_step(self, timeout=None):
        return self.resume(b"bs", timeout)

    def reverse_cont(self, timeout=None):
        return self.resume(b"bc", timeout)

    def monitor(self, command, timeout=None):
        """What `monitor command` prints."""
        self.send_packets([b"qRcmd," + command.encode().hex().encode()])
        text = b""
        while (reply := self.receive_packet(timeout)) != b"OK":
            if not reply or reply[:1] == b"E":
                raise RspError(f"monitor {command}: {reply!r}")
            if reply[:1] != b"O":
                return (text + bytes.fromhex(reply.decode())).decode()
            text += bytes.fromhex(reply[1:].decode())
        return text.decode()

    def detach(self):
        self.expect_ok(b"D")
