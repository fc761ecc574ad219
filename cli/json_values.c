#include "cli/json_values.h"

#include "base/check.h"
#include "base/hex.h"
#include "base/plain_text.h"
#include "cli/numbers.h"
#include "cli/positions.h"
#include "server/stop_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- arguments ---- */

/* NULL: it is missing. */
static const json_t *find(const json_t *arguments, const char *name)
{
    const json_t *value = json_object_get(arguments, name);
    return json_is_null(value) ? NULL : value;
}

static bool missing(const char *name, bool required, struct error *err)
{
    return !required || error_set(err, ERROR_USAGE, "argument `%s` is missing", name);
}

static bool wrong(const char *name, const char *what, struct error *err)
{
    return error_set(err, ERROR_USAGE, "argument `%s` is to be %s", name, what);
}

bool json_take_u64(const json_t *arguments, const char *name, bool required, uint64_t *value,
                   struct error *err)
{
    const json_t *given = find(arguments, name);
    if (!given)
        return missing(name, required, err);
    if (json_is_integer(given) && json_integer_value(given) >= 0) {
        *value = (uint64_t)json_integer_value(given);
        return true;
    }
    return (json_is_string(given) && number_parse(json_string_value(given), value)) ||
           wrong(name, "a whole number of at least 0, or a string that has one", err);
}

bool json_take_within(const json_t *arguments, const char *name, uint64_t least, uint64_t most,
                      uint64_t *value, struct error *err)
{
    uint64_t given;
    if (!find(arguments, name))
        return true;
    if (!json_take_u64(arguments, name, true, &given, err))
        return false;
    if (given < least || given > most)
        return error_set(err, ERROR_RANGE,
                         "argument `%s` is to be from %" PRIu64 " to %" PRIu64 ", not %" PRIu64,
                         name, least, most, given);
    *value = given;
    return true;
}

bool json_take_string(const json_t *arguments, const char *name, bool required, const char **value,
                      struct error *err)
{
    const json_t *given = find(arguments, name);
    if (!given)
        return missing(name, required, err);
    if (!json_is_string(given))
        return wrong(name, "a string", err);
    *value = json_string_value(given);
    return true;
}

bool json_take_bool(const json_t *arguments, const char *name, bool *value, struct error *err)
{
    const json_t *given = find(arguments, name);
    if (!given)
        return true;
    if (!json_is_boolean(given))
        return wrong(name, "true or false", err);
    *value = json_is_true(given);
    return true;
}

bool json_take_hart(const json_t *arguments, const struct timeline *tl, unsigned *hart,
                    struct error *err)
{
    const struct machine *m = timeline_machine((struct timeline *)(uintptr_t)tl);
    uint64_t value = m->state.running;
    if (!json_take_u64(arguments, "hart", false, &value, err))
        return false;
    if (value >= m->config.cpus)
        return error_set(err, ERROR_RANGE, "there is no hart %" PRIu64 ": this machine has %u",
                         value, m->config.cpus);
    *hart = (unsigned)value;
    return true;
}

bool json_take_position(const json_t *arguments, const char *name, const struct timeline *tl,
                        bool required, uint64_t *position, struct error *err)
{
    const json_t *given = find(arguments, name);
    char number[32];
    if (!given)
        return missing(name, required, err);
    if (!json_is_integer(given) && !json_is_string(given))
        return wrong(name, "a position: a number, or text", err);
    snprintf(number, sizeof number, "%lld", (long long)json_integer_value(given));
    if (json_is_integer(given) && *number == '-')
        return wrong(name, "a position: a string \"-N\" goes back from here", err);
    return position_find(tl, json_is_string(given) ? json_string_value(given) : number, position,
                         err);
}

bool json_take_bytes(const json_t *arguments, const char *name, size_t most, uint8_t **bytes,
                     size_t *size, struct error *err)
{
    const char *text = NULL;
    if (!json_take_string(arguments, name, true, &text, err))
        return false;
    size_t digits = strlen(text);
    if (!digits || digits % 2 || digits / 2 > most)
        return error_set(err, ERROR_USAGE, "argument `%s` is to be 1 to %zu bytes in hexadecimal",
                         name, most);
    *bytes = mem_new(digits / 2, 1);
    *size = digits / 2;
    if (hex_decode(text, digits, *bytes))
        return true;
    free(*bytes);
    *bytes = NULL;
    return wrong(name, "hexadecimal digits", err);
}

/* ---- answers ---- */

json_t *json_u64(uint64_t value)
{
    char text[24];
    if (value <= INT64_MAX)
        return json_integer((json_int_t)value);
    snprintf(text, sizeof text, "%#" PRIx64, value);
    return json_string(text);
}

json_t *json_hex(const void *bytes, size_t size)
{
    struct buffer text = {0};
    hex_append(&text, bytes, size);
    json_t *value = json_string(buffer_text(&text));
    buffer_fini(&text);
    return value;
}

json_t *json_text(const void *bytes, size_t size)
{
    struct buffer text = {0};
    buffer_append(&text, bytes, size);
    if (text.size)
        plain_text_clean(text.data, text.size, true);
    json_t *value = json_stringn(buffer_text(&text), text.size);
    buffer_fini(&text);
    return value;
}

const char *hit_writer_name(enum hit_writer writer)
{
    static const char *const name[] = {[WRITTEN_BY_HART] = "hart",
                                       [WRITTEN_BY_TABLES] = "page-table-walk",
                                       [WRITTEN_BY_DEVICE] = "device",
                                       [WRITTEN_BY_DEBUGGER] = "debugger",
                                       [WRITTEN_BY_RESET] = "reset"};
    return name[writer];
}

static const struct machine *machine_of(const struct timeline *tl)
{
    return timeline_machine((struct timeline *)(uintptr_t)tl);
}

json_t *json_place_here(const struct timeline *tl, unsigned hart)
{
    const struct cpu *cpu = machine_of(tl)->cpu[hart];
    return json_pack("{s:o, s:i, s:o, s:o}", "position", json_u64(timeline_position(tl)), "hart",
                     (int)hart, "pc", json_u64(cpu->ops->pc(cpu)), "priv",
                     json_u64(cpu_privilege(cpu)));
}

static const char *reason_name(enum stop_reason reason)
{
    static const char *const name[] = {
        [STOP_DONE] = "done",   [STOP_BREAK] = "breakpoint", [STOP_WATCH] = "watchpoint",
        [STOP_BEGIN] = "begin", [STOP_END] = "end",          [STOP_INTERRUPT] = "interrupt",
        [STOP_HALT] = "halt",   [STOP_STUCK] = "stuck",      [STOP_DIVERGED] = "diverged",
        [STOP_FULL] = "full",   [STOP_TRIGGER] = "trigger",
    };
    return name[reason];
}

json_t *json_stop(const struct timeline *tl, const struct stop *stop)
{
    struct buffer text = {0};
    unsigned hart =
        stop->hart < machine_of(tl)->config.cpus ? stop->hart : machine_of(tl)->state.running;
    json_t *object = json_place_here(tl, hart);
    stop_append_text(stop, &text);
    while (text.size && text.data[text.size - 1] == '\n')
        text.size--;
    json_object_set_new(object, "reason", json_string(reason_name(stop->reason)));
    if (stop->reason == STOP_BREAK || stop->reason == STOP_WATCH)
        json_object_set_new(object, "address", json_u64(stop->address));
    if (stop->reason == STOP_WATCH && (stop->kinds & HIT_PHYSICAL))
        json_object_set_new(object, "writer", json_string(hit_writer_name(stop->writer)));
    if (stop->device)
        json_object_set_new(object, "device", json_string(stop->device));
    json_object_set_new(object, "text", json_text(text.data, text.size));
    buffer_fini(&text);
    return object;
}
