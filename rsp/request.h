/* Requests of gdb and lldb: a packet's payload to a tagged union (gdb manual, appendix E.2-E.4). */
#ifndef RSP_REQUEST_H
#define RSP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes inside the payload given to rsp_request_parse; valid as long as that is. */
struct rsp_slice {
    const uint8_t *data;
    size_t size;
};

/* `p<process>.<thread>` or `<thread>`. Positive numbers are ids. */
#define RSP_THREAD_ALL (-1)
#define RSP_THREAD_ANY 0

struct rsp_thread_id {
    int32_t process; /* RSP_THREAD_ANY when the client did not name one */
    int32_t thread;
};

/* Comments give the packet and the member of the union that belongs to it. */
enum rsp_request_kind {
    RSP_UNKNOWN,            /* to be answered with an empty packet */
    RSP_MALFORMED,          /* a known packet with bad syntax: to be answered with an error */
    RSP_STOP_REASON,        /* ? */
    RSP_READ_REGISTERS,     /* g */
    RSP_WRITE_REGISTERS,    /* G: reg.value */
    RSP_READ_REGISTER,      /* p: reg.number */
    RSP_WRITE_REGISTER,     /* P: reg */
    RSP_READ_MEMORY,        /* m: memory; reply in hex */
    RSP_READ_MEMORY_BINARY, /* x: memory; reply `b` and bytes */
    RSP_WRITE_MEMORY,       /* M, X: memory with data; its size is `length` */
    RSP_RESUME,             /* c, C, s, S: resume */
    RSP_REVERSE_STEP,       /* bs */
    RSP_REVERSE_CONTINUE,   /* bc */
    RSP_VCONT_QUERY,        /* vCont? */
    RSP_VCONT,              /* vCont: vcont */
    RSP_VKILL,              /* process */
    RSP_VRUN,               /* run */
    RSP_VATTACH,            /* process */
    RSP_MUST_REPLY_EMPTY,   /* vMustReplyEmpty */
    RSP_INSERT_POINT,       /* Z0-Z4: point */
    RSP_REMOVE_POINT,       /* z0-z4: point, without bytecode */
    RSP_SET_THREAD,         /* Hg, Hc: set_thread */
    RSP_THREAD_ALIVE,       /* T: thread */
    RSP_DETACH,             /* D: process, 0 when none is named */
    RSP_KILL,               /* k; has no reply */
    RSP_EXTENDED_MODE,      /* ! */
    RSP_RESTART,            /* R; has no reply */
    RSP_SUPPORTED,          /* qSupported: features */
    RSP_CURRENT_THREAD,     /* qC */
    RSP_THREADS_FIRST,      /* qfThreadInfo */
    RSP_THREADS_NEXT,       /* qsThreadInfo */
    RSP_THREAD_EXTRA_INFO,  /* qThreadExtraInfo: thread */
    RSP_ATTACHED,           /* qAttached: process, 0 when none is named */
    RSP_OFFSETS,            /* qOffsets */
    RSP_SYMBOL,             /* qSymbol */
    RSP_TRACE_STATUS,       /* qTStatus */
    RSP_MONITOR,            /* qRcmd: command, decoded */
    RSP_TRANSFER_READ,      /* qXfer:OBJECT:read: transfer */
    RSP_SEARCH_MEMORY,      /* qSearch:memory: memory, data is the pattern */
    RSP_CRC,                /* qCRC: memory */
    RSP_START_NO_ACK_MODE,  /* QStartNoAckMode */
    RSP_QEMU_SUPPORTED,     /* qqemu.Supported */
    RSP_PHYSICAL_QUERY,     /* qqemu.PhyMemMode */
    RSP_PHYSICAL_SET        /* Qqemu.PhyMemMode: on */
};

/* What a client says it knows in qSupported. */
enum rsp_feature {
    RSP_MULTIPROCESS = 1 << 0,
    RSP_SWBREAK = 1 << 1,
    RSP_HWBREAK = 1 << 2,
    RSP_ERROR_MESSAGE = 1 << 3, /* E.text errors are shown */
    RSP_VCONT_SUPPORTED = 1 << 4,
    RSP_QTHREAD_EVENTS = 1 << 5,
    RSP_QTHREAD_OPTIONS = 1 << 6,
    RSP_NO_RESUMED = 1 << 7,
    RSP_QRELOC_INSN = 1 << 8,
    RSP_FORK_EVENTS = 1 << 9,
    RSP_VFORK_EVENTS = 1 << 10,
    RSP_EXEC_EVENTS = 1 << 11,
    RSP_MEMORY_TAGGING = 1 << 12,
    RSP_BARE = 1 << 13 /* it says nothing, not even that: `qSupported` alone */
};

enum rsp_action_kind {
    RSP_ACTION_CONTINUE, /* c, C */
    RSP_ACTION_STEP,     /* s, S */
    RSP_ACTION_STOP,     /* t */
    RSP_ACTION_RANGE     /* r: step while start <= pc < end */
};

struct rsp_action {
    enum rsp_action_kind kind;
    uint8_t signal; /* 0 for none (c, s) */
    uint64_t start, end;
    /* Without an id the action is for all threads. The first action that matches a thread is its.
     */
    struct rsp_thread_id thread;
};

/* The numbers of the Z packets. */
enum rsp_point_type {
    RSP_POINT_SOFTWARE = 0,
    RSP_POINT_HARDWARE = 1,
    RSP_POINT_WRITE = 2,
    RSP_POINT_READ = 3,
    RSP_POINT_ACCESS = 4
};

/* Above these a packet is malformed. */
#define RSP_ACTIONS_MAX 64
#define RSP_ARGUMENTS_MAX 64
#define RSP_BYTECODES_MAX 64

struct rsp_bytecodes {
    size_t count;
    struct rsp_slice item[RSP_BYTECODES_MAX]; /* agent expressions, decoded */
};

struct rsp_request {
    enum rsp_request_kind kind;
    union {
        struct {
            uint32_t number;
            struct rsp_slice value; /* target byte order; the size is for the caller to judge */
        } reg;
        struct {
            uint64_t address, length; /* address + length may wrap */
            struct rsp_slice data;
        } memory;
        struct {
            bool step;
            uint8_t signal; /* 0 for none */
            bool has_address;
            uint64_t address;
        } resume;
        struct {
            size_t count; /* at least 1 */
            struct rsp_action action[RSP_ACTIONS_MAX];
        } vcont;
        struct {
            enum rsp_point_type type;
            uint64_t address;
            uint64_t length; /* of a watch; of a breakpoint its kind: the size of the instruction */
            struct rsp_bytecodes conditions; /* ORed; none: always stop. Z0, Z1 only */
            struct rsp_bytecodes commands;   /* run instead of a stop. Z0, Z1 only */
            bool persist;                    /* commands go on when the client is gone */
        } point;
        struct {
            char op; /* 'g' or 'c' */
            struct rsp_thread_id thread;
        } set_thread;
        struct {
            struct rsp_slice program; /* may be empty */
            size_t count;
            struct rsp_slice argument[RSP_ARGUMENTS_MAX];
        } run;
        struct {
            struct rsp_slice object, annex; /* text; compare with rsp_slice_is */
            uint64_t offset, length;
        } transfer;
        struct rsp_thread_id thread;
        uint64_t process;
        uint32_t features; /* enum rsp_feature, ORed */
        struct rsp_slice command;
        bool on;
    };
};

/* Parse one payload. Never fails (RSP_UNKNOWN and RSP_MALFORMED are answers), allocates nothing,
 * reads and writes nothing outside payload[0..size). Hex arguments are decoded in place, so the
 * payload is not the packet any more afterwards, and every slice in *out is plain bytes. */
void rsp_request_parse(uint8_t *payload, size_t size, struct rsp_request *out);

/* True if the slice is exactly this text. */
bool rsp_slice_is(struct rsp_slice slice, const char *text);

#endif
