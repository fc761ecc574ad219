/* Semihosting: a guest's calls to its debugger, answered by the machine. "Semihosting for AArch32
 * and AArch64" 2.0; RISC-V takes its operations from there.
 *
 * There is a console, the special file ":tt", and nothing of the host: no files, no host time. The
 * console is a device with a channel of its own, so what is read is an event. A read that finds
 * nothing waits: the instruction that asked is attempted again, from its beginning, when there is
 * something.
 *
 * Clocks show virtual time since power-on, SYS_TIME too. */
#ifndef MACHINE_SEMIHOSTING_H
#define MACHINE_SEMIHOSTING_H

#include "machine/machine.h"

enum { SEMIHOSTING_INPUT = 64, SEMIHOSTING_HANDLES = 8, SEMIHOSTING_COMMAND_LINE = 1024 };

/* Guest-visible state. */
struct semihosting_state {
    uint8_t input[SEMIHOSTING_INPUT]; /* arrived, not yet read: a ring */
    uint8_t first, count;
    uint8_t handle[SEMIHOSTING_HANDLES]; /* of handle i + 1: 0 free, 1 input, 2 output */
    uint8_t unused[2];
    uint32_t error; /* errno of the last call that failed */
};

extern const struct fields semihosting_fields;

struct semihosting {
    struct semihosting_state state;
    struct machine *machine;
    char command_line[SEMIHOSTING_COMMAND_LINE]; /* with its zero byte */
};

/* Give the machine semihosting; `command_line` is copied, NULL: empty. */
bool semihosting_init(struct semihosting *s, struct machine *m, const char *command_line,
                      struct error *err);

/* How the calling hart reaches its memory. */
struct semihosting_memory {
    /* May the range be accessed, `kinds` being HIT_READ or HIT_WRITE? Changes nothing in the guest;
     * every range is asked for before anything is changed. */
    bool (*check)(void *ctx, uint64_t va, uint64_t size, unsigned kinds);
    /* The range has been checked. */
    void (*read)(void *ctx, uint64_t va, void *bytes, size_t size);
    void (*write)(void *ctx, uint64_t va, const void *bytes, size_t size);
    void *ctx;
};

/* Do `operation` with `parameter`, whose block holds 64-bit fields. False: it has to wait for
 * input, and nothing has been changed. When a check fails *result
 * is -1 and nothing has been changed either. */
bool semihosting_call(struct semihosting *s, uint64_t operation, uint64_t parameter,
                      const struct semihosting_memory *memory, uint64_t *result);

/* Is there input for a call that waits? */
static inline bool semihosting_ready(const struct semihosting *s)
{
    return s->state.count != 0;
}

#endif
