/* m, x, M, X: memory as the hart of Hg sees it. */
#include "server/gdb_handlers.h"

#include "base/check.h"

#include <stdlib.h>

/* What gdb prints as "Cannot access memory": EFAULT. */
enum { ERROR_FAULT = 14 };

enum { READ_MOST = (RSP_PACKET_SIZE - 16) / 2 };

/* A shorter reply than asked for tells the client where readable memory ends. */
static uint8_t *read_some(struct gdb_session *s, const struct rsp_request *r, size_t *size)
{
    *size = r->memory.length < READ_MOST ? (size_t)r->memory.length : READ_MOST;
    uint8_t *bytes = mem_new(*size, 1);
    *size = timeline_read_some(s->timeline, s->hart, r->memory.address, bytes, *size);
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
        rsp_reply_error(reply, ERROR_FAULT);
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
        rsp_reply_error(reply, ERROR_FAULT);
    free(bytes);
    return GDB_REPLY;
}

/* An empty write is gdb's question whether X is known. */
enum gdb_outcome gdb_write_memory(struct gdb_session *s, const struct rsp_request *r,
                                  struct buffer *reply)
{
    struct error err = ERROR_INIT;
    if (r->memory.length && !timeline_write_memory(s->timeline, s->hart, r->memory.address,
                                                   r->memory.data.data, r->memory.data.size, &err))
        return gdb_refuse(s, reply, &err);
    rsp_reply_ok(reply);
    return GDB_REPLY;
}
