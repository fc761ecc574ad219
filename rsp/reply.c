#include "rsp/reply.h"

#include "base/check.h"
#include "base/hex.h"
#include "rsp/packet.h"

#include <inttypes.h>
#include <string.h>

void rsp_reply_ok(struct buffer *out)
{
    buffer_append_string(out, "OK");
}

void rsp_reply_error(struct buffer *out, uint8_t number)
{
    buffer_append_byte(out, 'E');
    hex_append(out, &number, 1);
}

void rsp_reply_error_text(struct buffer *out, uint32_t features, const char *text)
{
    if (!(features & RSP_ERROR_MESSAGE)) {
        rsp_reply_error(out, 1);
        return;
    }
    buffer_append_string(out, "E.");
    for (; *text; text++) {
        bool plain = *text >= ' ' && *text <= '~' && !strchr("#$}*", *text);
        buffer_append_byte(out, plain ? (uint8_t)*text : '?');
    }
}

void rsp_reply_bytes(struct buffer *out, const void *bytes, size_t size)
{
    hex_append(out, bytes, size);
}

void rsp_reply_unavailable(struct buffer *out, size_t size)
{
    if (size)
        memset(buffer_extend(out, 2 * size), 'x', 2 * size);
}

void rsp_reply_binary(struct buffer *out, const void *bytes, size_t size)
{
    buffer_append_byte(out, 'b');
    buffer_append(out, bytes, size);
}

void rsp_reply_console(struct buffer *out, const void *text, size_t size)
{
    buffer_append_byte(out, 'O');
    hex_append(out, text, size);
}

static void append_id(struct buffer *out, int32_t id)
{
    if (id == RSP_THREAD_ALL)
        buffer_append_string(out, "-1");
    else
        buffer_printf(out, "%" PRIx32, (uint32_t)id);
}

void rsp_append_thread(struct buffer *out, struct rsp_thread_id thread, bool multiprocess)
{
    if (multiprocess) {
        buffer_append_byte(out, 'p');
        append_id(out, thread.process);
        buffer_append_byte(out, '.');
    }
    append_id(out, thread.thread);
}

static void append_reason(struct buffer *out, const struct rsp_stop *stop)
{
    switch (stop->reason) {
    case RSP_REASON_NONE:
    case RSP_REASON_STEP:
        break;
    case RSP_REASON_SWBREAK:
        if (stop->features & RSP_SWBREAK)
            buffer_append_string(out, "swbreak:;");
        break;
    case RSP_REASON_HWBREAK:
        if (stop->features & RSP_HWBREAK)
            buffer_append_string(out, "hwbreak:;");
        break;
    case RSP_REASON_WATCH:
        buffer_printf(out, "watch:%" PRIx64 ";", stop->address);
        break;
    case RSP_REASON_RWATCH:
        buffer_printf(out, "rwatch:%" PRIx64 ";", stop->address);
        break;
    case RSP_REASON_AWATCH:
        buffer_printf(out, "awatch:%" PRIx64 ";", stop->address);
        break;
    case RSP_REASON_HISTORY_BEGIN:
        buffer_append_string(out, "replaylog:begin;");
        break;
    case RSP_REASON_HISTORY_END:
        buffer_append_string(out, "replaylog:end;");
        break;
    }
}

static const char *lldb_reason(enum rsp_stop_reason reason)
{
    switch (reason) {
    case RSP_REASON_NONE:
        break;
    case RSP_REASON_STEP:
        return "trace";
    case RSP_REASON_SWBREAK:
    case RSP_REASON_HWBREAK:
        return "breakpoint";
    case RSP_REASON_WATCH:
    case RSP_REASON_RWATCH:
    case RSP_REASON_AWATCH:
        return "watchpoint";
    case RSP_REASON_HISTORY_BEGIN:
    case RSP_REASON_HISTORY_END:
        return "history boundary";
    }
    return NULL;
}

/* An LLDB that does not know of history shows the description in place of a signal's name. */
static void append_lldb_reason(struct buffer *out, enum rsp_stop_reason reason)
{
    const char *word = lldb_reason(reason), *description = NULL;
    if (word)
        buffer_printf(out, "reason:%s;", word);
    if (reason == RSP_REASON_HISTORY_BEGIN)
        description = "beginning of history";
    else if (reason == RSP_REASON_HISTORY_END)
        description = "end of history";
    if (!description)
        return;
    buffer_append_string(out, "description:");
    hex_append(out, description, strlen(description));
    buffer_append_byte(out, ';');
}

static void append_expedited(struct buffer *out, const struct rsp_expedited *reg)
{
    check(reg->size <= sizeof reg->value, "register %" PRIu32 " of %u bytes", reg->number,
          reg->size);
    buffer_printf(out, "%02" PRIx32 ":", reg->number);
    hex_append(out, reg->value, reg->size);
    buffer_append_byte(out, ';');
}

void rsp_reply_stop(struct buffer *out, const struct rsp_stop *stop)
{
    buffer_append_byte(out, 'T');
    hex_append(out, &stop->signal, 1);
    buffer_append_string(out, "thread:");
    rsp_append_thread(out, stop->thread, stop->features & RSP_MULTIPROCESS);
    buffer_append_byte(out, ';');
    append_reason(out, stop);
    if (stop->has_icount)
        buffer_printf(out, "icount:%" PRIx64 ";", stop->icount);
    if (stop->has_reason)
        append_lldb_reason(out, stop->reason);
    for (size_t i = 0; i < stop->expedited_count; i++)
        append_expedited(out, &stop->expedited[i]);
}

static void append_end(struct buffer *out, char kind, uint8_t value, int32_t process,
                       bool multiprocess)
{
    buffer_append_byte(out, (uint8_t)kind);
    hex_append(out, &value, 1);
    if (multiprocess)
        buffer_printf(out, ";process:%" PRIx32, (uint32_t)process);
}

void rsp_reply_exited(struct buffer *out, uint8_t status, int32_t process, bool multiprocess)
{
    append_end(out, 'W', status, process, multiprocess);
}

void rsp_reply_killed(struct buffer *out, uint8_t signal, int32_t process, bool multiprocess)
{
    append_end(out, 'X', signal, process, multiprocess);
}

void rsp_reply_found(struct buffer *out, bool found, uint64_t address)
{
    if (found)
        buffer_printf(out, "1,%" PRIx64, address);
    else
        buffer_append_byte(out, '0');
}

void rsp_reply_crc(struct buffer *out, uint32_t crc)
{
    buffer_printf(out, "C%" PRIx32, crc);
}

/* Half a byte at a time: the remainders of the 16 values of the highest four bits. */
uint32_t rsp_crc(uint32_t crc, const void *bytes, size_t size)
{
    static const uint32_t remainder[16] = {
        0x00000000, 0x04c11db7, 0x09823b6e, 0x0d4326d9, 0x130476dc, 0x17c56b6b,
        0x1a864db2, 0x1e475005, 0x2608edb8, 0x22c9f00f, 0x2f8ad6d6, 0x2b4bcb61,
        0x350c9b64, 0x31cd86d3, 0x3c8ea00a, 0x384fbdbd,
    };
    const uint8_t *at = bytes;
    for (; size; size--, at++) {
        crc = crc << 4 ^ remainder[crc >> 28 ^ *at >> 4];
        crc = crc << 4 ^ remainder[crc >> 28 ^ (*at & 15)];
    }
    return crc;
}

void rsp_reply_threads(struct buffer *out, const struct rsp_thread_id *threads, size_t count,
                       bool multiprocess)
{
    if (!count)
        buffer_append_byte(out, 'l');
    for (size_t i = 0; i < count; i++) {
        buffer_append_byte(out, i ? ',' : 'm');
        rsp_append_thread(out, threads[i], multiprocess);
    }
}

void rsp_reply_current_thread(struct buffer *out, struct rsp_thread_id thread, bool multiprocess)
{
    buffer_append_string(out, "QC");
    rsp_append_thread(out, thread, multiprocess);
}

void rsp_reply_window(struct buffer *out, const void *document, size_t size, uint64_t offset,
                      uint64_t length)
{
    if (offset > size) {
        rsp_reply_error(out, 1);
        return;
    }
    size_t left = size - (size_t)offset;
    size_t count = left < RSP_PACKET_SIZE - 1 ? left : RSP_PACKET_SIZE - 1;
    if (count > length)
        count = (size_t)length;
    buffer_append_byte(out, count == left ? 'l' : 'm');
    if (count)
        buffer_append(out, (const uint8_t *)document + offset, count);
}
