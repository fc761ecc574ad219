/* m, x, M, X, qSearch, qCRC: memory as the hart of Hg sees it, or physical memory. */
#include "server/gdb_handlers.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* What gdb prints as "Cannot access memory": EFAULT. */
enum { ERROR_FAULT = 14 };

enum { READ_MOST = (RSP_PACKET_SIZE - 8) / 2 };

/* A search or a sum looks at pieces of this size. */
enum { PIECE = 1 << 16 };

static size_t look(const struct gdb_session *s, uint64_t address, uint8_t *bytes, size_t size)
{
    return s->physical ? timeline_read_physical(s->timeline, address, bytes, size)
                       : timeline_read_some(s->timeline, s->hart, address, bytes, size);
}

/* gdb takes E.text for the bytes themselves, and complains of their digits, unless it has said that
 * it knows it. */
static void append_unreadable(const struct gdb_session *s, uint64_t address, struct buffer *reply)
{
    struct error err;
    if (!(s->features & RSP_ERROR_MESSAGE)) {
        rsp_reply_error(reply, ERROR_FAULT);
        return;
    }
    error_set(&err, ERROR_RANGE, "nothing can be read at %saddress %#" PRIx64,
              s->physical ? "physical " : "", address);
    rsp_reply_error_text(reply, s->features, err.message);
}

/* ---- reading and writing ---- */

/* A shorter reply than asked for tells the client where readable memory ends. */
static uint8_t *read_some(struct gdb_session *s, const struct rsp_request *r, size_t *size)
{
    *size = r->memory.length < READ_MOST ? (size_t)r->memory.length : READ_MOST;
    uint8_t *bytes = mem_new(*size, 1);
    *size = look(s, r->memory.address, bytes, *size);
    return bytes;
}

enum gdb_outcome gdb_read_memory(struct gdb_session *s, const struct rsp_request *r,
                                 struct buffer *reply)
{
    size_t size;
    uint8_t *bytes = read_some(s, r, &size);
    if (size || !r->memory.length)
        rsp_reply_bytes(reply, bytes, size);
    else
        append_unreadable(s, r->memory.address, reply);
    free(bytes);
    return GDB_REPLY;
}

/* lldb's probe x0,0 is left unanswered: after an OK it would expect replies without the `b`. */
enum gdb_outcome gdb_read_memory_binary(struct gdb_session *s, const struct rsp_request *r,
                                        struct buffer *reply)
{
    if (!r->memory.length)
        return GDB_REPLY;
    size_t size;
    uint8_t *bytes = read_some(s, r, &size);
    if (size)
        rsp_reply_binary(reply, bytes, size);
    else
        append_unreadable(s, r->memory.address, reply);
    free(bytes);
    return GDB_REPLY;
}

/* An empty write is gdb's question whether X is known. */
enum gdb_outcome gdb_write_memory(struct gdb_session *s, const struct rsp_request *r,
                                  struct buffer *reply)
{
    const void *bytes = r->memory.data.data;
    size_t size = r->memory.data.size;
    struct error err = ERROR_INIT;
    bool done = true;
    if (size && s->physical)
        done = timeline_write_physical(s->timeline, r->memory.address, bytes, size, &err);
    else if (size)
        done = timeline_write_memory(s->timeline, s->hart, r->memory.address, bytes, size, &err);
    if (!done)
        return gdb_refuse(s, reply, &err);
    rsp_reply_ok(reply);
    return GDB_REPLY;
}

/* ---- looking through long ranges ---- */

/* No more than there can be, or page tables that show the same memory again and again would keep
 * the program busy for ever. The end of the address space is one, too. */
static bool bounded(struct gdb_session *s, const struct rsp_request *r, struct buffer *reply)
{
    uint64_t most = s->machine->config.ram_size;
    most = most > UINT64_C(1) << 30 ? most : UINT64_C(1) << 30;
    if (r->memory.length <= most && r->memory.address + r->memory.length >= r->memory.address)
        return true;
    struct error err;
    error_set(&err, ERROR_RANGE, "%#" PRIx64 " bytes are more than can be looked through at once",
              r->memory.length);
    gdb_refuse(s, reply, &err);
    return false;
}

/* Where the pattern is found; else `next` is the first byte not looked at, all of the range when it
 * could be read. A piece begins with the last bytes of the one before: a match may lie across. */
static bool search(const struct gdb_session *s, const struct rsp_request *r, uint64_t *found,
                   uint64_t *next)
{
    const struct rsp_slice pattern = r->memory.data;
    uint64_t address = r->memory.address, end = address + r->memory.length;
    uint8_t *bytes = mem_new(pattern.size + PIECE, 1), *match = NULL;
    size_t kept = 0, got = PIECE;
    while (!match && address != end && got == PIECE) {
        uint64_t left = end - address;
        size_t wanted = left < PIECE ? (size_t)left : PIECE;
        got = look(s, address, bytes + kept, wanted);
        match = memmem(bytes, kept + got, pattern.data, pattern.size);
        if (match)
            *found = address - kept + (uint64_t)(match - bytes);
        size_t have = kept + got;
        kept = have < pattern.size - 1 ? have : pattern.size - 1;
        memmove(bytes, bytes + have - kept, kept);
        address += got;
    }
    free(bytes);
    *next = address;
    return match;
}

enum gdb_outcome gdb_search_memory(struct gdb_session *s, const struct rsp_request *r,
                                   struct buffer *reply)
{
    uint64_t found = 0, next;
    if (!bounded(s, r, reply))
        return GDB_REPLY;
    if (search(s, r, &found, &next))
        rsp_reply_found(reply, true, found);
    else if (next == r->memory.address + r->memory.length)
        rsp_reply_found(reply, false, 0);
    else
        append_unreadable(s, next, reply);
    return GDB_REPLY;
}

enum gdb_outcome gdb_crc(struct gdb_session *s, const struct rsp_request *r, struct buffer *reply)
{
    if (!bounded(s, r, reply))
        return GDB_REPLY;
    uint64_t address = r->memory.address, end = address + r->memory.length;
    uint8_t *bytes = mem_new(PIECE, 1);
    uint32_t crc = RSP_CRC_BEGIN;
    while (address != end) {
        uint64_t left = end - address;
        size_t wanted = left < PIECE ? (size_t)left : PIECE;
        size_t got = look(s, address, bytes, wanted);
        crc = rsp_crc(crc, bytes, got);
        address += got;
        if (got < wanted)
            break;
    }
    free(bytes);
    if (address == end)
        rsp_reply_crc(reply, crc);
    else
        append_unreadable(s, address, reply);
    return GDB_REPLY;
}

/* ---- physical memory, as QEMU's gdb stub has it ---- */

enum gdb_outcome gdb_qemu_supported(struct gdb_session *s, const struct rsp_request *r,
                                    struct buffer *reply)
{
    (void)s;
    (void)r;
    buffer_append_string(reply, "PhyMemMode");
    return GDB_REPLY;
}

enum gdb_outcome gdb_physical_query(struct gdb_session *s, const struct rsp_request *r,
                                    struct buffer *reply)
{
    (void)r;
    buffer_append_byte(reply, s->physical ? '1' : '0');
    return GDB_REPLY;
}

enum gdb_outcome gdb_physical_set(struct gdb_session *s, const struct rsp_request *r,
                                  struct buffer *reply)
{
    s->physical = r->on;
    rsp_reply_ok(reply);
    return GDB_REPLY;
}
