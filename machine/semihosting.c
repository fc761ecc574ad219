#include "machine/semihosting.h"

#include "base/endian.h"

#include <string.h>

enum operation {
    SYS_OPEN = 0x01,
    SYS_CLOSE = 0x02,
    SYS_WRITEC = 0x03,
    SYS_WRITE0 = 0x04,
    SYS_WRITE = 0x05,
    SYS_READ = 0x06,
    SYS_READC = 0x07,
    SYS_ISERROR = 0x08,
    SYS_ISTTY = 0x09,
    SYS_FLEN = 0x0c,
    SYS_CLOCK = 0x10,
    SYS_TIME = 0x11,
    SYS_ERRNO = 0x13,
    SYS_GET_CMDLINE = 0x15,
    SYS_EXIT = 0x18,
    SYS_EXIT_EXTENDED = 0x20,
    SYS_ELAPSED = 0x30,
    SYS_TICKFREQ = 0x31
};

/* errno values, as guests' C libraries have them. */
enum { GUEST_ENOENT = 2, GUEST_EBADF = 9, GUEST_EINVAL = 22, GUEST_ENOSYS = 38 };

enum { HANDLE_FREE, HANDLE_INPUT, HANDLE_OUTPUT };

/* ADP_Stopped_ApplicationExit: the reason of an exit that is no accident. */
#define APPLICATION_EXIT UINT64_C(0x20026)
#define TICKS_PER_SECOND UINT64_C(1000000000)
#define FAILED UINT64_MAX
/* More is written in several calls; a longer WRITE0 is cut. */
#define OUTPUT_MOST UINT64_C(65536)

enum { BLOCK_WORDS = 4, WORD = 8, PIECE = 256 };

static const struct field semihosting_field[] = {
    FIELD_ARRAY(struct semihosting_state, input),   FIELD(struct semihosting_state, first),
    FIELD(struct semihosting_state, count),         FIELD_ARRAY(struct semihosting_state, handle),
    FIELD_UNUSED(struct semihosting_state, unused), FIELD(struct semihosting_state, error),
};
const struct fields semihosting_fields =
    FIELDS("semihosting", struct semihosting_state, 1, 1, semihosting_field);

/* ---- the device ---- */

static void reset(void *ctx)
{
    struct semihosting *s = ctx;
    s->state = (struct semihosting_state){0};
}

static size_t room(const void *ctx, unsigned channel)
{
    const struct semihosting *s = ctx;
    bool full = s->state.count >= SEMIHOSTING_INPUT;
    return channel == CHANNEL_SEMIHOST && !full ? (size_t)(SEMIHOSTING_INPUT - s->state.count) : 0;
}

static void input(void *ctx, unsigned channel, const uint8_t *bytes, size_t size)
{
    struct semihosting_state *state = &((struct semihosting *)ctx)->state;
    (void)channel;
    for (size_t i = 0; i < size; i++)
        state->input[(state->first + state->count++) % SEMIHOSTING_INPUT] = bytes[i];
}

static uint8_t take_byte(struct semihosting_state *state)
{
    uint8_t byte = state->input[state->first % SEMIHOSTING_INPUT];
    state->first = (uint8_t)((state->first + 1) % SEMIHOSTING_INPUT);
    state->count--;
    return byte;
}

bool semihosting_init(struct semihosting *s, struct machine *m, const char *command_line,
                      struct error *err)
{
    size_t size = command_line ? strlen(command_line) : 0;
    *s = (struct semihosting){.machine = m};
    if (size >= sizeof s->command_line)
        return error_set(err, ERROR_RANGE,
                         "the command line has %zu characters: semihosting passes on %zu at most",
                         size, sizeof s->command_line - 1);
    if (size)
        memcpy(s->command_line, command_line, size);
    machine_add_device(m, (struct device){.name = "semihosting",
                                          .fields = &semihosting_fields,
                                          .state = &s->state,
                                          .ctx = s,
                                          .reset = reset,
                                          .room = room,
                                          .input = input});
    m->semihosting = s;
    return true;
}

/* ---- calls ---- */

struct call {
    struct semihosting *s;
    const struct semihosting_memory *memory;
    uint64_t parameter;
    uint64_t block[BLOCK_WORDS];
    bool wait;
};

static uint64_t fail(struct call *c, uint32_t error)
{
    c->s->state.error = error;
    return FAILED;
}

static uint64_t wait_for_input(struct call *c)
{
    c->wait = true;
    return FAILED;
}

static bool usable(const struct call *c, uint64_t va, uint64_t size, unsigned kinds)
{
    return !size || (va + size - 1 >= va && c->memory->check(c->memory->ctx, va, size, kinds));
}

/* Read the first `words` words of the parameter's block. */
static bool read_block(struct call *c, unsigned words)
{
    uint8_t bytes[BLOCK_WORDS * WORD];
    if (!usable(c, c->parameter, words * WORD, HIT_READ))
        return false;
    c->memory->read(c->memory->ctx, c->parameter, bytes, words * WORD);
    for (unsigned i = 0; i < words; i++)
        c->block[i] = load_le64(bytes + i * WORD);
    return true;
}

static void output(struct call *c, uint64_t va, uint64_t size)
{
    uint8_t piece[PIECE];
    while (size) {
        size_t n = size < PIECE ? size : PIECE;
        c->memory->read(c->memory->ctx, va, piece, n);
        machine_output(c->s->machine, CHANNEL_SEMIHOST, piece, n);
        va += n;
        size -= n;
    }
}

static uint8_t handle_kind(const struct call *c, uint64_t handle)
{
    return handle && handle <= SEMIHOSTING_HANDLES ? c->s->state.handle[handle - 1] : HANDLE_FREE;
}

/* ":tt" is the one file: input when opened to read, else output. */
static uint64_t sys_open(struct call *c)
{
    enum { MODES = 12, FIRST_WRITE_MODE = 4 };
    char name[3];
    if (!read_block(c, 3) ||
        (c->block[2] == sizeof name && !usable(c, c->block[0], sizeof name, HIT_READ)))
        return FAILED;
    if (c->block[1] >= MODES)
        return fail(c, GUEST_EINVAL);
    if (c->block[2] != sizeof name)
        return fail(c, GUEST_ENOENT);
    c->memory->read(c->memory->ctx, c->block[0], name, sizeof name);
    if (memcmp(name, ":tt", sizeof name) != 0)
        return fail(c, GUEST_ENOENT);
    for (unsigned i = 0; i < SEMIHOSTING_HANDLES; i++) {
        uint8_t *handle = &c->s->state.handle[i];
        if (*handle == HANDLE_FREE) {
            *handle = c->block[1] < FIRST_WRITE_MODE ? HANDLE_INPUT : HANDLE_OUTPUT;
            return i + 1;
        }
    }
    return fail(c, GUEST_EBADF);
}

static uint64_t sys_close(struct call *c)
{
    if (!read_block(c, 1))
        return FAILED;
    if (!handle_kind(c, c->block[0]))
        return fail(c, GUEST_EBADF);
    c->s->state.handle[c->block[0] - 1] = HANDLE_FREE;
    return 0;
}

static uint64_t sys_writec(struct call *c)
{
    if (!usable(c, c->parameter, 1, HIT_READ))
        return FAILED;
    output(c, c->parameter, 1);
    return 0;
}

static uint64_t sys_write0(struct call *c)
{
    uint64_t size = 0;
    uint8_t byte;
    for (; size < OUTPUT_MOST; size++) {
        if (!usable(c, c->parameter + size, 1, HIT_READ))
            return FAILED;
        c->memory->read(c->memory->ctx, c->parameter + size, &byte, 1);
        if (!byte)
            break;
    }
    output(c, c->parameter, size);
    return 0;
}

/* Returns the bytes that were not written. */
static uint64_t sys_write(struct call *c)
{
    if (!read_block(c, 3))
        return FAILED;
    uint64_t size = c->block[2];
    if (handle_kind(c, c->block[0]) != HANDLE_OUTPUT) {
        fail(c, GUEST_EBADF);
        return size;
    }
    uint64_t now = size < OUTPUT_MOST ? size : OUTPUT_MOST;
    if (!usable(c, c->block[1], now, HIT_READ))
        return FAILED;
    output(c, c->block[1], now);
    return size - now;
}

/* Returns the bytes that were not read: what has been typed is enough. */
static uint64_t sys_read(struct call *c)
{
    if (!read_block(c, 3))
        return FAILED;
    struct semihosting_state *state = &c->s->state;
    uint64_t size = c->block[2];
    if (handle_kind(c, c->block[0]) != HANDLE_INPUT) {
        fail(c, GUEST_EBADF);
        return size;
    }
    if (size && !state->count)
        return wait_for_input(c);
    uint64_t now = size < state->count ? size : state->count;
    uint8_t bytes[UINT8_MAX];
    if (!usable(c, c->block[1], now, HIT_WRITE))
        return FAILED;
    for (uint64_t i = 0; i < now; i++)
        bytes[i] = take_byte(state);
    if (now)
        c->memory->write(c->memory->ctx, c->block[1], bytes, now);
    return size - now;
}

static uint64_t sys_readc(struct call *c)
{
    return c->s->state.count ? take_byte(&c->s->state) : wait_for_input(c);
}

static uint64_t sys_iserror(struct call *c)
{
    return read_block(c, 1) ? c->block[0] >> 63 : FAILED;
}

static uint64_t sys_istty(struct call *c)
{
    if (!read_block(c, 1))
        return FAILED;
    return handle_kind(c, c->block[0]) ? 1 : fail(c, GUEST_EBADF);
}

/* A console has no length. */
static uint64_t sys_flen(struct call *c)
{
    if (!read_block(c, 1))
        return FAILED;
    return fail(c, handle_kind(c, c->block[0]) ? GUEST_EINVAL : GUEST_EBADF);
}

static uint64_t sys_clock(struct call *c)
{
    return clock_vtime(&c->s->machine->clock) / (TICKS_PER_SECOND / 100);
}

static uint64_t sys_time(struct call *c)
{
    return clock_vtime(&c->s->machine->clock) / TICKS_PER_SECOND;
}

static uint64_t sys_elapsed(struct call *c)
{
    uint8_t ticks[WORD];
    if (!usable(c, c->parameter, WORD, HIT_WRITE))
        return FAILED;
    store_le64(ticks, clock_vtime(&c->s->machine->clock));
    c->memory->write(c->memory->ctx, c->parameter, ticks, WORD);
    return 0;
}

static uint64_t sys_tickfreq(struct call *c)
{
    (void)c;
    return TICKS_PER_SECOND;
}

static uint64_t sys_errno(struct call *c)
{
    return c->s->state.error;
}

/* The block: where to put the string, how much room there is; the latter becomes its length. */
static uint64_t sys_get_cmdline(struct call *c)
{
    const char *line = c->s->command_line;
    uint64_t size = strlen(line);
    uint8_t length[WORD];
    if (!read_block(c, 2))
        return FAILED;
    if (c->block[1] <= size)
        return fail(c, GUEST_EINVAL);
    if (!usable(c, c->block[0], size + 1, HIT_WRITE) ||
        !usable(c, c->parameter + WORD, WORD, HIT_WRITE))
        return FAILED;
    store_le64(length, size);
    c->memory->write(c->memory->ctx, c->block[0], line, size + 1);
    c->memory->write(c->memory->ctx, c->parameter + WORD, length, WORD);
    return 0;
}

/* With 64-bit parameters both exits have a block: reason and code. */
static uint64_t sys_exit(struct call *c)
{
    if (!read_block(c, 2))
        return FAILED;
    uint64_t code = c->block[0] == APPLICATION_EXIT ? c->block[1] : 1;
    machine_request_halt(c->s->machine, HALT_EXIT, code);
    return 0;
}

typedef uint64_t operation_fn(struct call *c);

static operation_fn *const operations[] = {
    [SYS_OPEN] = sys_open,       [SYS_CLOSE] = sys_close,
    [SYS_WRITEC] = sys_writec,   [SYS_WRITE0] = sys_write0,
    [SYS_WRITE] = sys_write,     [SYS_READ] = sys_read,
    [SYS_READC] = sys_readc,     [SYS_ISERROR] = sys_iserror,
    [SYS_ISTTY] = sys_istty,     [SYS_FLEN] = sys_flen,
    [SYS_CLOCK] = sys_clock,     [SYS_TIME] = sys_time,
    [SYS_ERRNO] = sys_errno,     [SYS_GET_CMDLINE] = sys_get_cmdline,
    [SYS_EXIT] = sys_exit,       [SYS_EXIT_EXTENDED] = sys_exit,
    [SYS_ELAPSED] = sys_elapsed, [SYS_TICKFREQ] = sys_tickfreq,
};

bool semihosting_call(struct semihosting *s, uint64_t operation, uint64_t parameter,
                      const struct semihosting_memory *memory, uint64_t *result)
{
    struct call c = {.s = s, .memory = memory, .parameter = parameter};
    bool known = operation < sizeof operations / sizeof *operations && operations[operation];
    *result = known ? operations[operation](&c) : fail(&c, GUEST_ENOSYS);
    return !c.wait;
}
