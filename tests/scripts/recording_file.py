"""Reads and checks the chunks of a recording as docs/recording-format.md describes them, with nothing of the
program's: where chunks begin, what is in them, whether all checksums are right."""

import collections
import struct
import zlib

BLOCK = 32
FILE_MAGIC = b"\x89BSR\r\n\x1a\n"
CHUNK_MAGIC = b"\x89CHK"
TRAILER_MAGIC = b"\x89BSREND\n"

Chunk = collections.namedtuple("Chunk", "offset kind number codec stored size contents")


class FormatError(Exception):
    pass


def need(condition, text):
    if not condition:
        raise FormatError(text)


def sealed(data, offset):
    """The block at an offset, whose checksum must be right."""
    block = data[offset:offset + BLOCK]
    need(len(block) == BLOCK, f"no block at {offset}")
    crc = zlib.crc32(block[:28] + struct.pack("<Q", offset))
    need(crc == struct.unpack_from("<I", block, 28)[0], f"wrong checksum of the block at {offset}")
    return block


def chunk_at(data, offset):
    block = sealed(data, offset)
    magic, kind, number, codec, zero, stored, size, crc = struct.unpack_from("<4s4sIB3sIII", block)
    need(magic == CHUNK_MAGIC and not any(zero) and codec <= 1, f"no chunk's header at {offset}")
    need(size <= 8388608, f"chunk {number} is too large")
    content = data[offset + BLOCK:offset + BLOCK + stored]
    need(len(content) == stored and zlib.crc32(content) == crc, f"wrong contents of chunk {number}")
    if codec:
        inflate = zlib.decompressobj()
        content = inflate.decompress(content)
        need(inflate.eof and not inflate.unused_data and stored < size, f"chunk {number} is not one zlib stream")
    need(len(content) == size, f"chunk {number} has another size")
    return Chunk(offset, kind.decode(), number, codec, stored, size, content)


def chunks_from(data, offset, end):
    found = []
    while offset < end:
        found.append(chunk_at(data, offset))
        offset += BLOCK + found[-1].stored
    need(offset == end, f"the chunks end at {offset}, not at {end}")
    return found


def header(data):
    magic, version, zero = struct.unpack_from("<8sI16s", sealed(data, 0))
    need(magic == FILE_MAGIC and version == 1 and not any(zero), "no recording's header")


def whole(data):
    """The chunks of a closed file, the index not among them; everything in it is checked."""
    header(data)
    magic, index, count, zero = struct.unpack_from("<8sQI8s", sealed(data, len(data) - BLOCK))
    need(magic == TRAILER_MAGIC and not any(zero), "no trailer")
    chunks = chunks_from(data, BLOCK, index)
    rows = chunks_from(data, index, len(data) - BLOCK)
    need(rows and all(c.kind == "INDX" and c.size % 12 == 0 for c in rows), "no index")
    need([c.number for c in chunks + rows] == list(range(count + len(rows))), "numbers are left out")
    told = b"".join(c.contents for c in rows)
    need(told == b"".join(struct.pack("<4sII", c.kind.encode(), c.stored, c.size) for c in chunks),
         "the index is that of another file")
    return chunks


def prefix(data):
    """The chunks of a file that was never closed, and the offset behind them: at most a part of one follows."""
    header(data)
    found, offset = [], BLOCK
    while offset < len(data):
        try:
            found.append(chunk_at(data, offset))
        except FormatError:
            rest = data[offset:]
            need(len(rest) < BLOCK or len(rest) < BLOCK + struct.unpack_from("<I", rest, 16)[0],
                 f"something else at {offset}")
            break
        offset += BLOCK + found[-1].stored
    return found, offset


def build(chunks):
    """A file that was never closed, of (kind, contents): all checksums are right."""
    data = bytearray()

    def put(block):
        sum_of = zlib.crc32(bytes(block) + struct.pack("<Q", len(data)))
        data.extend(block + struct.pack("<I", sum_of))

    put(struct.pack("<8sI16x", FILE_MAGIC, 1))
    for number, (kind, contents) in enumerate(chunks):
        size = len(contents)
        put(struct.pack("<4s4sIB3xIII", CHUNK_MAGIC, kind.encode(), number, 0, size, size, zlib.crc32(contents)))
        data.extend(contents)
    return bytes(data)


def checkpoint(chunk):
    """(position, number of the one it builds on or None) of a CKPT chunk, whose parts must fit each other."""
    position, before, memories, state, maps, runs, zero = struct.unpack_from("<Q32x6I", chunk.contents)
    size = 64 + 16 * memories + 4 * maps + 16 * runs + state
    need(not zero and memories and state and size == chunk.size, f"chunk {chunk.number} has another size")
    at = 64 + 16 * memories
    numbers = struct.unpack_from(f"<{maps}I", chunk.contents, at)
    need(list(numbers) == sorted(set(numbers)) and all(n < chunk.number for n in numbers), "maps are not in order")
    check_runs(chunk, at + 4 * maps, runs, struct.unpack_from("<" + "Q8x" * memories, chunk.contents, 64))
    need(before == 0xffffffff or before < chunk.number, f"chunk {chunk.number} builds on what follows")
    return position, None if before == 0xffffffff else before


def check_runs(chunk, at, runs, pages):
    last = (0, 0)
    for n in range(runs):
        memory, kind, slot, first, count, page = struct.unpack_from("<BBHIII", chunk.contents, at + 16 * n)
        need(memory < len(pages) and kind <= 3 and count and first + count <= pages[memory], "a run outside")
        need((memory, first) >= last, "runs are not in order")
        need(page < chunk.number and slot + count <= 256 if kind == 1 else not page and not slot, "a run's place")
        last = memory, first + count


def events(data, count):
    """[(position, ns, kind, target, bytes)] of packed events, with nothing behind them."""
    at = 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            need(at < len(data) and shift < 70, "events are cut off")
            value |= (data[at] & 0x7f) << shift
            shift += 7
            at += 1
            if not data[at - 1] & 0x80:
                return value

    found, position, ns = [], 0, 0
    for _ in range(count):
        position += number()
        ns += number()
        kind, target, size = number(), number(), number()
        need(1 <= kind <= 8 and target <= 65535 and at + size <= len(data), "no event")
        found.append((position, ns, kind, target, data[at:at + size]))
        at += size
    need(at == len(data), "something behind the last event")
    return found
