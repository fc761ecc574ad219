/* Questions about history, for people and for programs: who wrote, read, called, trapped? */
#include "timeline/query.h"

#include "base/check.h"
#include "base/endian.h"
#include "base/hex.h"
#include "cli/commands_info.h"
#include "cli/commands_json.h"
#include "cli/commands_symbols.h"
#include "cli/json_values.h"
#include "cli/numbers.h"
#include "cli/report_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH_DEFAULT = 8, HITS_DEFAULT = 20, TRAPS_DEFAULT = 50, HITS_MOST = 1000 };
enum { CALL_RA, CALL_SP, CALL_ARGS, ARGS = 8, ARGS_SHOWN = 4, CALL_REGISTERS = CALL_ARGS + ARGS };
#define INTERRUPT (UINT64_C(1) << 63)

enum asked_kind { LAST_WRITE, LAST_READ, WRITES, CALLS, TRAPS };

/* What was asked, until it is answered. */
struct asked {
    enum asked_kind kind;
    uint64_t address, length, from, to, most;
    uint64_t steps; /* to replay at most, about; 0: no limit */
    uint64_t hart;  /* MACHINE_CPUS: any */
    bool physical, in_space;
    uint64_t space;
};

static struct asked asked_of(const struct timeline *tl, enum asked_kind kind)
{
    return (struct asked){.kind = kind,
                          .length = LENGTH_DEFAULT,
                          .from = timeline_begin(tl),
                          .to = timeline_position(tl),
                          .most = kind <= LAST_READ ? 1
                                  : kind == TRAPS   ? TRAPS_DEFAULT
                                                    : HITS_DEFAULT,
                          .hart = MACHINE_CPUS};
}

/* ---- asking ---- */

static unsigned kinds_of(const struct asked *a)
{
    static const unsigned kinds[] = {[LAST_WRITE] = HIT_WRITE,
                                     [LAST_READ] = HIT_READ,
                                     [WRITES] = HIT_WRITE,
                                     [CALLS] = HIT_EXECUTE,
                                     [TRAPS] = 0};
    return kinds[a->kind] | (a->physical ? HIT_PHYSICAL : 0);
}

static void want_registers(const struct machine *m, struct query *query)
{
    static const char *const name[CALL_REGISTERS] = {"ra", "sp", "a0", "a1", "a2",
                                                     "a3", "a4", "a5", "a6", "a7"};
    for (size_t i = 0; i < CALL_REGISTERS; i++)
        query->reg[i] = cpu_register_named(m->cpu[0], name[i])->number;
    query->regs = CALL_REGISTERS;
}

/* Begin, and keep in mind what was asked. */
static void ask(struct command_context *c, const struct asked *asked)
{
    const struct timeline_point point = {.kinds = kinds_of(asked),
                                         .address = asked->address,
                                         .size = asked->kind == CALLS ? 0 : asked->length,
                                         .in_space = asked->in_space,
                                         .space = asked->space};
    struct query query = {.point = &point,
                          .points = asked->kind != TRAPS,
                          .traps = asked->kind == TRAPS,
                          .from = asked->from,
                          .to = asked->to,
                          .most = (size_t)asked->most,
                          .hart = (unsigned)asked->hart,
                          .steps = asked->steps};
    if (asked->kind == CALLS)
        want_registers(timeline_machine(c->timeline), &query);
    struct asked *pending = mem_new(1, sizeof *pending);
    *pending = *asked;
    c->pending = pending;
    c->pending_free = free;
    timeline_query(c->timeline, &query);
}

/* ---- text ---- */

static const char *what(const struct asked *a)
{
    static const char *const text[] = {[LAST_WRITE] = "written",
                                       [LAST_READ] = "read",
                                       [WRITES] = "written",
                                       [CALLS] = "run",
                                       [TRAPS] = "trapped"};
    return text[a->kind];
}

/* A number as the guest has it; more bytes than one has, in order of memory. */
static void append_bytes(const uint8_t *bytes, unsigned size, unsigned all, struct buffer *out)
{
    if (size == all && (size == 1 || size == 2 || size == 4 || size == 8)) {
        buffer_printf(out, "0x%" PRIx64, load_le(bytes, size));
        return;
    }
    hex_append(out, bytes, size);
    if (size < all)
        buffer_append_string(out, "..");
}

static void append_values(const struct query_hit *h, struct buffer *out)
{
    if (!h->size)
        return;
    buffer_append_string(out, ": ");
    if (h->before_known)
        append_bytes(h->before, h->size, h->hit.size, out);
    else
        buffer_append_byte(out, '?');
    buffer_append_string(out, " -> ");
    if (h->after_known)
        append_bytes(h->after, h->size, h->hit.size, out);
    else
        buffer_append_byte(out, '?');
}

static void append_access(struct command_context *c, const struct query_hit *h, struct buffer *out)
{
    const bool write = h->hit.kinds & HIT_WRITE, read = h->hit.kinds & HIT_READ;
    if (h->hit.kinds & HIT_PHYSICAL && h->hit.writer != WRITTEN_BY_HART) {
        buffer_printf(out, "by %s%s%s",
                      h->hit.writer == WRITTEN_BY_TABLES ? "a page table walk"
                                                         : hit_writer_name(h->hit.writer),
                      h->device[0] ? " " : "", h->device);
    } else {
        buffer_printf(out, "hart %u at ", h->hit.hart);
        commands_append_address(c, h->pc, out);
    }
    buffer_printf(out, "  %s %u byte%s at %#" PRIx64,
                  write && read ? "changed"
                  : write       ? "wrote"
                                : "read",
                  h->hit.size, h->hit.size == 1 ? "" : "s", h->hit.address);
    append_values(h, out);
}

static void append_call(struct command_context *c, const struct query_hit *h, struct buffer *out)
{
    buffer_printf(out, "hart %u  (", h->hit.hart);
    for (unsigned i = 0; i < ARGS_SHOWN; i++)
        buffer_printf(out, "%s0x%" PRIx64, i ? ", " : "", h->value[CALL_ARGS + i]);
    buffer_append_string(out, ")  from ");
    commands_append_address(c, h->value[CALL_RA], out);
}

static void append_trap(struct command_context *c, const struct query_hit *h, struct buffer *out)
{
    bool interrupt = h->hit.cause & INTERRUPT;
    buffer_printf(out, "hart %u at ", h->hit.hart);
    commands_append_address(c, h->pc, out);
    buffer_printf(out, "  %s (%" PRIu64 ")",
                  report_cause_name(interrupt, h->hit.cause & ~INTERRUPT),
                  h->hit.cause & ~INTERRUPT);
}

static void append_hit(struct command_context *c, const struct asked *a, const struct query_hit *h,
                       struct buffer *out)
{
    char position[NUMBER_TEXT];
    number_format(h->hit.position, position);
    buffer_printf(out, "%20s  ", position);
    if (a->kind == CALLS)
        append_call(c, h, out);
    else if (a->kind == TRAPS)
        append_trap(c, h, out);
    else
        append_access(c, h, out);
    buffer_append_byte(out, '\n');
}

static void append_subject(struct command_context *c, const struct asked *a, struct buffer *out)
{
    if (a->kind == TRAPS) {
        buffer_append_string(out, "no trap and no interrupt");
        return;
    }
    if (a->kind == CALLS)
        buffer_append_string(out, "the code at ");
    else
        buffer_printf(out, "%" PRIu64 " byte%s at %s", a->length, a->length == 1 ? "" : "s",
                      a->physical ? "physical " : "");
    commands_append_address(c, a->address, out);
    buffer_printf(out, "%s not %s", a->kind == CALLS || a->length == 1 ? " was" : " were", what(a));
}

/* What was not found, or not looked at. */
static void append_rest(struct command_context *c, const struct asked *a, bool interrupted,
                        struct buffer *out)
{
    char position[NUMBER_TEXT];
    bool complete, any = timeline_query_hit(c->timeline, 0);
    uint64_t count = timeline_query_count(c->timeline, &complete);
    number_format(timeline_query_searched(c->timeline), position);
    if (!any) {
        append_subject(c, a, out);
        buffer_printf(out, " %s\n", complete ? "in all history up to here" : "so far");
    } else if (complete && count > a->most && a->most > 1) {
        buffer_printf(out, "%" PRIu64 " more before these\n", count - a->most);
    }
    if (interrupted)
        buffer_printf(out, "interrupted: searched down to position %s\n", position);
    else if (any && !complete && a->most > 1)
        buffer_printf(out, "(the newest %" PRIu64 "; older ones were not looked for)\n", a->most);
}

static bool say(struct command_context *c, const struct stop *stop, struct buffer *out)
{
    const struct asked *a = c->pending;
    const struct query_hit *h;
    if (stop->reason == STOP_DIVERGED) {
        buffer_printf(out, "%s\n", stop->text);
        return true;
    }
    for (size_t i = 0; (h = timeline_query_hit(c->timeline, i)); i++)
        append_hit(c, a, h, out);
    append_rest(c, a, stop->reason == STOP_INTERRUPT, out);
    return true;
}

/* ---- words ---- */

enum { WORDS = 4, WORD = 256 };

struct words {
    unsigned count;
    bool physical;
    char word[WORDS][WORD];
};

/* False: there are more than `most`, or -p is not possible. */
static bool split(const char *argument, unsigned least, unsigned most, bool physical,
                  struct words *w)
{
    *w = (struct words){0};
    while (*(argument += strspn(argument, " \t"))) {
        size_t size = strcspn(argument, " \t");
        if (physical && !w->physical && !w->count && size == 2 && !memcmp(argument, "-p", 2)) {
            w->physical = true;
        } else {
            if (w->count == most || size >= WORD)
                return false;
            memcpy(w->word[w->count++], argument, size);
        }
        argument += size;
    }
    return w->count >= least;
}

static bool take_count(const char *text, uint64_t most, uint64_t *value, struct error *err)
{
    return (number_parse(text, value) && *value && *value <= most) ||
           error_set(err, ERROR_USAGE, "`%.80s` is no number from 1 to %" PRIu64, text, most);
}

/* ADDR, LEN (where there is one) and N, as many as are given. */
static bool take_words(struct command_context *c, const struct words *w, struct asked *a,
                       struct error *err)
{
    unsigned next = 0;
    a->physical = w->physical;
    if (a->kind != TRAPS && !commands_address(c, w->word[next++], &a->address, err))
        return false;
    if (a->kind != TRAPS && a->kind != CALLS && next < w->count &&
        !take_count(w->word[next++], INT64_MAX, &a->length, err))
        return false;
    return next >= w->count || take_count(w->word[next], HITS_MOST, &a->most, err);
}

static void run(struct command_context *c, enum asked_kind kind, const char *argument,
                struct buffer *out)
{
    static const struct {
        const char *usage;
        unsigned least, most;
        bool physical;
    } form[] = {
        [LAST_WRITE] = {"last-write [-p] ADDR [LEN]", 1, 2, true},
        [LAST_READ] = {"last-read ADDR [LEN]", 1, 2, false},
        [WRITES] = {"writes [-p] ADDR LEN [N]", 1, 3, true},
        [CALLS] = {"calls ADDR [N]", 1, 2, false},
        [TRAPS] = {"traps [N]", 0, 1, false},
    };
    struct error err = ERROR_INIT;
    struct words words;
    struct asked asked = asked_of(c->timeline, kind);
    if (kind == TRAPS)
        asked.most = HITS_DEFAULT;
    if (!split(argument, form[kind].least, form[kind].most, form[kind].physical, &words)) {
        buffer_printf(out, "usage: %s\n", form[kind].usage);
    } else if (!take_words(c, &words, &asked, &err)) {
        buffer_printf(out, "%s\n", err.message);
    } else {
        ask(c, &asked);
        c->finish = say;
    }
}

void commands_last_write(struct command_context *c, const char *argument, struct buffer *out)
{
    run(c, LAST_WRITE, argument, out);
}

void commands_last_read(struct command_context *c, const char *argument, struct buffer *out)
{
    run(c, LAST_READ, argument, out);
}

void commands_writes(struct command_context *c, const char *argument, struct buffer *out)
{
    run(c, WRITES, argument, out);
}

void commands_calls(struct command_context *c, const char *argument, struct buffer *out)
{
    run(c, CALLS, argument, out);
}

void commands_traps(struct command_context *c, const char *argument, struct buffer *out)
{
    run(c, TRAPS, argument, out);
}

/* ---- JSON ---- */

static json_t *access_json(const struct query_hit *h, json_t *object)
{
    json_object_set_new(object, "address", json_u64(h->hit.address));
    json_object_set_new(object, "size", json_integer(h->hit.size));
    if (h->before_known)
        json_object_set_new(object, "before", json_hex(h->before, h->size));
    if (h->after_known)
        json_object_set_new(object, "after", json_hex(h->after, h->size));
    if (h->hit.kinds & HIT_PHYSICAL)
        json_object_set_new(object, "writer", json_string(hit_writer_name(h->hit.writer)));
    if (h->device[0])
        json_object_set_new(object, "device", json_text(h->device, strlen(h->device)));
    return object;
}

static json_t *call_json(const struct query_hit *h, json_t *object)
{
    json_t *args = json_array();
    for (unsigned i = 0; i < ARGS; i++)
        json_array_append_new(args, json_u64(h->value[CALL_ARGS + i]));
    json_object_set_new(object, "ra", json_u64(h->value[CALL_RA]));
    json_object_set_new(object, "sp", json_u64(h->value[CALL_SP]));
    json_object_set_new(object, "args", args);
    return object;
}

static json_t *trap_json(const struct query_hit *h, json_t *object)
{
    bool interrupt = h->hit.cause & INTERRUPT;
    uint64_t cause = h->hit.cause & ~INTERRUPT;
    json_object_set_new(object, "cause", json_u64(cause));
    json_object_set_new(object, "interrupt", json_boolean(interrupt));
    json_object_set_new(object, "text", json_string(report_cause_name(interrupt, cause)));
    return object;
}

static json_t *hit_json(const struct asked *a, const struct query_hit *h)
{
    json_t *object =
        json_pack("{s:o, s:i, s:o, s:o}", "position", json_u64(h->hit.position), "hart",
                  (int)h->hit.hart, "pc", json_u64(h->pc), "priv", json_u64(h->priv));
    return a->kind == CALLS   ? call_json(h, object)
           : a->kind == TRAPS ? trap_json(h, object)
                              : access_json(h, object);
}

static json_t *answer(struct command_context *c, const struct stop *stop, struct error *err)
{
    const struct asked *a = c->pending;
    const struct query_hit *h;
    bool complete;
    uint64_t count = timeline_query_count(c->timeline, &complete);
    if (stop->reason == STOP_DIVERGED) {
        error_set(err, ERROR_DIVERGED, "%.500s", stop->text);
        return NULL;
    }
    json_t *object = json_pack("{s:b, s:o, s:b}", "complete", (int)complete, "searched",
                               json_u64(timeline_query_searched(c->timeline)), "interrupted",
                               (int)(stop->reason == STOP_INTERRUPT));
    if (a->kind <= LAST_READ) {
        h = timeline_query_hit(c->timeline, 0);
        json_object_set_new(object, "hit", h ? hit_json(a, h) : json_null());
        return object;
    }
    json_t *hits = json_array();
    for (size_t i = 0; (h = timeline_query_hit(c->timeline, i)); i++)
        json_array_append_new(hits, hit_json(a, h));
    json_object_set_new(object, "hits", hits);
    json_object_set_new(object, "count", json_u64(count));
    return object;
}

/* An address may be a symbol too. */
static bool take_address(struct command_context *c, const json_t *arguments, uint64_t *address,
                         struct error *err)
{
    const json_t *given = json_object_get(arguments, "address");
    if (json_is_string(given))
        return commands_address(c, json_string_value(given), address, err);
    return json_take_u64(arguments, "address", true, address, err);
}

static bool take_arguments(struct command_context *c, const json_t *arguments, struct asked *a,
                           struct error *err)
{
    const struct timeline *tl = c->timeline;
    const unsigned cpus = timeline_machine(c->timeline)->config.cpus;
    bool everywhere = a->kind == TRAPS;
    if (!everywhere && !take_address(c, arguments, &a->address, err))
        return false;
    a->in_space = json_object_get(arguments, "space") != NULL;
    return json_take_within(arguments, "length", 1, INT64_MAX, &a->length, err) &&
           json_take_within(arguments, "most", 1, HITS_MOST, &a->most, err) &&
           json_take_within(arguments, "hart", 0, cpus - 1, &a->hart, err) &&
           json_take_bool(arguments, "physical", &a->physical, err) &&
           json_take_u64(arguments, "space", false, &a->space, err) &&
           json_take_u64(arguments, "steps", false, &a->steps, err) &&
           json_take_position(arguments, "from", tl, false, &a->from, err) &&
           json_take_position(arguments, "to", tl, false, &a->to, err);
}

static json_t *ask_json(struct command_context *c, enum asked_kind kind, const json_t *arguments,
                        struct error *err)
{
    struct asked asked = asked_of(c->timeline, kind);
    if (!take_arguments(c, arguments, &asked, err))
        return NULL;
    ask(c, &asked);
    c->json_finish = answer;
    return NULL;
}

static json_t *row_last_write(struct command_context *c, const json_t *arguments, struct error *err)
{
    return ask_json(c, LAST_WRITE, arguments, err);
}

static json_t *row_last_read(struct command_context *c, const json_t *arguments, struct error *err)
{
    return ask_json(c, LAST_READ, arguments, err);
}

static json_t *row_writes(struct command_context *c, const json_t *arguments, struct error *err)
{
    return ask_json(c, WRITES, arguments, err);
}

static json_t *row_calls(struct command_context *c, const json_t *arguments, struct error *err)
{
    return ask_json(c, CALLS, arguments, err);
}

static json_t *row_traps(struct command_context *c, const json_t *arguments, struct error *err)
{
    return ask_json(c, TRAPS, arguments, err);
}

const struct json_row json_rows_query[] = {
    {"last-write", row_last_write, "address length hart physical space to steps", true},
    {"last-read", row_last_read, "address length hart space to steps", true},
    {"writes", row_writes, "address length most hart physical space from to steps", true},
    {"calls", row_calls, "address most hart space from to steps", true},
    {"traps", row_traps, "from to most hart steps", true},
    {0},
};
