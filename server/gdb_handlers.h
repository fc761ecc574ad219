/* The parts of a gdb session, for the files gdb_*.c of this folder.
 *
 * A handler answers one kind of request: it appends the reply's payload and returns GDB_REPLY, or
 * it has begun a movement, set s->awaits and returns GDB_MOVED. Only gdb_session.c sends. */
#ifndef SERVER_GDB_HANDLERS_H
#define SERVER_GDB_HANDLERS_H

#include "rsp/packet.h"
#include "rsp/reply.h"
#include "rsp/request.h"
#include "rsp/tdesc.h"
#include "server/gdb_session.h"
#include "timeline/agent.h"

enum gdb_outcome {
    GDB_REPLY, /* the payload stands in `reply`; empty: not supported */
    GDB_MOVED, /* the reply is made when the machine has stopped: see gdb_awaits */
    GDB_SILENT /* the request has no reply (k, R) */
};

/* What an outstanding movement is answered with. */
enum gdb_awaits {
    GDB_AWAITS_NOTHING,
    GDB_AWAITS_STOP,    /* a stop reply */
    GDB_AWAITS_RUN,     /* the same, to vRun: without console output before it */
    GDB_AWAITS_OK,      /* OK, or an error: a register that moves in time was written */
    GDB_AWAITS_MONITOR, /* where it ended as console output, then OK */
    GDB_AWAITS_END      /* nobody: the connection is gone */
};

/* Agent expressions of a Z packet; the bytes stand behind them. */
struct gdb_code {
    size_t count, bytes;
    struct agent_code item[];
};

/* A Z packet in force. */
struct gdb_point {
    enum rsp_point_type type;
    uint64_t address, length;
    struct gdb_code *conditions, *commands; /* NULL: none */
};

struct gdb_points {
    struct gdb_point *item;
    size_t count, capacity;
    size_t code_bytes; /* of all conditions and commands */
    bool prints;       /* commands print here */
    uint64_t unshown;  /* bytes they printed while the client did not read */
};

/* The registers as the client knows them, in the order of their numbers. */
struct gdb_registers {
    struct rsp_register *item;
    size_t count;
    uint32_t pc, icount; /* numbers */
    struct buffer xml;
};

struct gdb_session {
    struct gdb_session_options options;
    struct conn *conn; /* NULL: closed */
    struct timeline *timeline;
    struct machine *machine;
    struct rsp_framer framer;
    struct buffer waiting; /* requests that came while the machine moved: gdb_session.c */
    struct buffer sent;    /* the last packet, for a client that asks again */
    struct buffer reply;   /* the payload being made */
    struct buffer said;    /* by the `monitor` under way, for its reply */
    struct buffer held;    /* packets that answer a `monitor`, until the client waits for certain */
    uv_timer_t second;     /* ticks while a movement is outstanding */
    enum gdb_awaits awaits;
    bool asked;              /* a request has come since the last stop reply */
    uint64_t interrupted_at; /* uv_hrtime of a Ctrl-C that came then; 0: none */
    bool beats;              /* the client has said `-` since its `monitor`: see take_nack */
    bool holds;              /* what is sent is put into `held` */
    bool abandoned;          /* the `monitor` under way has no reply any more */
    bool stepping;           /* the movement that is outstanding, or was the last, is a step */
    struct stop stop;        /* the last one reported, for `?` */
    struct gdb_registers registers;
    struct gdb_points points;
    uint32_t features;   /* the client's, enum rsp_feature */
    unsigned hart;       /* Hg: whose registers and memory are looked at; index */
    int32_t resume_hart; /* Hc: thread id, RSP_THREAD_ANY or RSP_THREAD_ALL */
    bool acks, acks_off_next;
    bool extended, killed;
    bool physical;         /* addresses of memory are physical ones */
    uint64_t changes;      /* movement's, as far as the client knows of them */
    bool greeted;          /* a request has been answered */
    uint64_t monitor_from; /* position at which the last `monitor` was given */
    bool moved;            /* a movement of the session's has stopped: `stop` is its */
    bool locking_said;     /* that harts left out of a resume run all the same */
    char reason[160];      /* why it was closed; empty: the client left */
};

typedef enum gdb_outcome gdb_handler(struct gdb_session *s, const struct rsp_request *r,
                                     struct buffer *reply);

/* gdb_query.c */
gdb_handler gdb_supported, gdb_transfer, gdb_threads_first, gdb_threads_next, gdb_thread_extra;
gdb_handler gdb_thread_alive, gdb_current_thread, gdb_set_thread, gdb_attached, gdb_symbol;
gdb_handler gdb_extended, gdb_start_no_ack, gdb_vcont_query, gdb_monitor;
/* gdb_registers.c */
gdb_handler gdb_read_registers, gdb_write_registers, gdb_read_register, gdb_write_register;
void gdb_registers_init(struct gdb_registers *registers, const struct machine *machine);
void gdb_registers_fini(struct gdb_registers *registers);
/* gdb_memory.c */
gdb_handler gdb_read_memory, gdb_read_memory_binary, gdb_write_memory;
gdb_handler gdb_search_memory, gdb_crc;
gdb_handler gdb_qemu_supported, gdb_physical_query, gdb_physical_set;
/* gdb_points.c */
gdb_handler gdb_insert_point, gdb_remove_point;
/* Has the client a breakpoint of this type at the address, which stops? */
bool gdb_point_set(const struct gdb_points *points, enum rsp_point_type type, uint64_t address);
/* Is it at points that the client knows nothing of? It gets a plain stop, and a line that says why.
 */
static inline bool gdb_stop_is_others(const struct stop *stop)
{
    return (stop->reason == STOP_BREAK || stop->reason == STOP_WATCH) &&
           !(stop->owners & 1u << OWNER_GDB);
}
/* Take all of the session's points off the timeline: also commands that were to persist, which have
 * nobody left to print for. */
void gdb_points_clear(struct gdb_session *s);
/* gdb_resume.c */
gdb_handler gdb_resume, gdb_vcont, gdb_reverse_step, gdb_reverse_continue, gdb_run, gdb_attach;
gdb_handler gdb_stop_reason, gdb_vkill;
/* The reply to a stop, appended. */
void gdb_append_stop(struct gdb_session *s, const struct stop *stop, struct buffer *reply);

/* gdb_moving.c */
/* The operation that was begun on the timeline is this session's. Returns GDB_MOVED. */
enum gdb_outcome gdb_moved(struct gdb_session *s, enum gdb_awaits awaits);
/* How far the movement is, as console output; false: there is nothing to say. */
bool gdb_send_progress(struct gdb_session *s);
/* Keep the client waiting, from a second from now on. */
void gdb_watch_seconds(struct gdb_session *s);

/* gdb_session.c */
void gdb_send_packet(struct gdb_session *s, const struct buffer *payload);
void gdb_send_raw(struct gdb_session *s, char byte);
/* Its connection is gone and nothing moves for it: it frees itself. */
void gdb_session_end(struct gdb_session *s);
/* Answer with the error's sentence, and log it: not every client shows it. Returns GDB_REPLY. */
enum gdb_outcome gdb_refuse(struct gdb_session *s, struct buffer *reply, const struct error *err);
/* A line on what has become of a diversion, if anything has. */
void gdb_append_notice(struct gdb_session *s, struct buffer *text);
/* `text` as the reply to a `monitor`, which it ends; it is made plain. */
void gdb_reply_text(struct buffer *text, struct buffer *reply);
/* `text` as console output; allowed only while a resume or qRcmd is outstanding. */
void gdb_send_console(struct gdb_session *s, struct buffer *text);

/* Threads are harts, ids from 1. Does the id name one? */
static inline bool gdb_hart_of(const struct gdb_session *s, int32_t thread, unsigned *hart)
{
    if (thread < 1 || (uint32_t)thread > s->machine->config.cpus)
        return false;
    *hart = (unsigned)thread - 1;
    return true;
}

static inline struct rsp_thread_id gdb_thread_of(unsigned hart)
{
    return (struct rsp_thread_id){RSP_THREAD_ANY, (int32_t)hart + 1};
}

#endif
