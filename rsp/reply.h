/* Replies: payloads for rsp_packet_append (gdb manual, appendix E.2-E.4). Each function appends to
 * the payload given. No function is needed for "not supported": that is a payload with no bytes. */
#ifndef RSP_REPLY_H
#define RSP_REPLY_H

#include "base/buffer.h"
#include "rsp/request.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void rsp_reply_ok(struct buffer *out);
/* E and two hex digits. gdb shows the number only, and gives 1 to 255 no meaning. */
void rsp_reply_error(struct buffer *out, uint8_t number);
/* `E.text` if the client has RSP_ERROR_MESSAGE among `features`, else E01. One line; bytes that
 * would be escaped or are not printable become `?`, as gdb does not unescape an error. */
void rsp_reply_error_text(struct buffer *out, uint32_t features, const char *text);
/* Memory and register contents in hex; g is several of these. */
void rsp_reply_bytes(struct buffer *out, const void *bytes, size_t size);
/* A register of `size` bytes whose value is not known: `xx` for each. */
void rsp_reply_unavailable(struct buffer *out, size_t size);
/* The reply to x: `b` and the bytes. */
void rsp_reply_binary(struct buffer *out, const void *bytes, size_t size);
/* Console output, `O` and hex: a packet of its own, besides the reply proper, and allowed only
 * while a resume or qRcmd is outstanding. */
void rsp_reply_console(struct buffer *out, const void *text, size_t size);

/* `p<process>.<thread>` if multiprocess, else `<thread>`. */
void rsp_append_thread(struct buffer *out, struct rsp_thread_id thread, bool multiprocess);

/* A register's value sent along with a stop, which saves the client from asking. */
struct rsp_expedited {
    uint32_t number;
    uint8_t size;      /* bytes, at most sizeof value */
    uint8_t value[16]; /* target byte order */
};

enum rsp_stop_reason {
    RSP_REASON_NONE, /* an interrupt: the signal says it all */
    RSP_REASON_STEP, /* a step's end; gdb knows it by the signal */
    RSP_REASON_SWBREAK,
    RSP_REASON_HWBREAK,
    RSP_REASON_WATCH, /* of a write; this and the next two: `address` lies in the watched range */
    RSP_REASON_RWATCH,
    RSP_REASON_AWATCH,
    RSP_REASON_HISTORY_BEGIN,
    RSP_REASON_HISTORY_END
};

#define RSP_SIGNAL_INT 2
#define RSP_SIGNAL_TRAP 5
#define RSP_SIGNAL_ABRT 6

struct rsp_stop {
    uint8_t signal; /* gdb's numbers, from its signals.def */
    struct rsp_thread_id thread;
    enum rsp_stop_reason reason;
    uint64_t address;
    /* Both sides' features. Without RSP_SWBREAK or RSP_HWBREAK that reason is left out, because gdb
     * drops a connection that sends it unasked; RSP_MULTIPROCESS decides how the id is written. */
    uint32_t features;
    /* Send `reason:` and `description:` too, in LLDB's words: for it an end of history is a signal
     * otherwise. gdb skips both keys. */
    bool has_reason;
    bool has_icount; /* send `icount:` with the position, a key of our own that gdb skips */
    uint64_t icount;
    const struct rsp_expedited *expedited;
    size_t expedited_count;
};

void rsp_reply_stop(struct buffer *out, const struct rsp_stop *stop);
/* W, X: the process ended with this status, or by this signal. */
void rsp_reply_exited(struct buffer *out, uint8_t status, int32_t process, bool multiprocess);
void rsp_reply_killed(struct buffer *out, uint8_t signal, int32_t process, bool multiprocess);

/* To qSearch:memory: `1` and the address, or `0`. */
void rsp_reply_found(struct buffer *out, bool found, uint64_t address);
/* To qCRC. */
void rsp_reply_crc(struct buffer *out, uint32_t crc);
/* The CRC-32 that gdb's compare-sections expects, of these bytes behind others whose CRC is `crc`;
 * begin with RSP_CRC_BEGIN. Polynomial 0x04c11db7, highest bit first, nothing inverted at the end.
 * Cost: two table look-ups a byte. */
#define RSP_CRC_BEGIN UINT32_MAX
uint32_t rsp_crc(uint32_t crc, const void *bytes, size_t size);

/* To qfThreadInfo: all ids in one packet, `l` if there are none. qsThreadInfo then gets `l`:
 * rsp_reply_threads with count 0. */
void rsp_reply_threads(struct buffer *out, const struct rsp_thread_id *threads, size_t count,
                       bool multiprocess);
/* To qC. */
void rsp_reply_current_thread(struct buffer *out, struct rsp_thread_id thread, bool multiprocess);

/* To qXfer:...:read: the part of `document` that begins at `offset` and has at most `length` bytes,
 * after `m`, or after `l` if it reaches the end. An offset behind the end is E01. The length is
 * also cut to RSP_PACKET_SIZE - 1, so that a document of any size can be asked for at once. */
void rsp_reply_window(struct buffer *out, const void *document, size_t size, uint64_t offset,
                      uint64_t length);

#endif
