/* Rows that look at the machine as it stands, and write to it. */
#include "cli/commands_info.h"
#include "cli/commands_json.h"
#include "cli/disassemble.h"
#include "cli/json_values.h"
#include "machine/input.h"
#include "timeline/transcript.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { READ_MOST = 1 << 20, WRITE_MOST = 1 << 16, INSN_MAX = 4 };
enum { CODE_DEFAULT = 10, CODE_MOST = 1000, CONSOLE_DEFAULT = 24, CONSOLE_MOST = 10000 };

/* ---- registers ---- */

static json_t *row_registers(struct command_context *c, const json_t *arguments, struct error *err)
{
    unsigned hart;
    if (!json_take_hart(arguments, c->timeline, &hart, err))
        return NULL;
    const struct cpu *cpu = timeline_machine(c->timeline)->cpu[hart];
    json_t *list = json_object();
    for (size_t i = 0; i < cpu->ops->register_count; i++) {
        const struct cpu_register *r = &cpu->ops->registers[i];
        json_object_set_new(list, r->name, json_u64(cpu->ops->get_register(cpu, r->number)));
    }
    return json_pack("{s:i, s:o}", "hart", (int)hart, "registers", list);
}

static bool find_register(const struct cpu *cpu, const json_t *arguments, unsigned *number,
                          struct error *err)
{
    const char *name = NULL;
    uint64_t given = POSITION_NONE;
    if (!json_take_string(arguments, "name", false, &name, err) ||
        !json_take_u64(arguments, "number", false, &given, err))
        return false;
    if (!name && given == POSITION_NONE)
        return error_set(err, ERROR_USAGE, "a register's `name` or `number` is missing");
    const struct cpu_register *r = name ? cpu_register_named(cpu, name)
                                   : given <= UINT16_MAX
                                       ? cpu_register_numbered(cpu, (unsigned)given)
                                       : NULL;
    if (r) {
        *number = r->number;
        return true;
    }
    return name ? error_set(err, ERROR_RANGE, "there is no register `%.80s`", name)
                : error_set(err, ERROR_RANGE, "there is no register %" PRIu64, given);
}

static json_t *row_write_register(struct command_context *c, const json_t *arguments,
                                  struct error *err)
{
    unsigned hart = 0, number = 0;
    uint64_t value = 0;
    if (!json_take_hart(arguments, c->timeline, &hart, err) ||
        !find_register(timeline_machine(c->timeline)->cpu[hart], arguments, &number, err) ||
        !json_take_u64(arguments, "value", true, &value, err) ||
        !timeline_write_register(c->timeline, hart, number, value, err))
        return NULL;
    return json_object();
}

/* ---- memory ---- */

static json_t *row_read_memory(struct command_context *c, const json_t *arguments,
                               struct error *err)
{
    unsigned hart;
    uint64_t address, length = 0;
    bool physical = false;
    if (!json_take_hart(arguments, c->timeline, &hart, err) ||
        !json_take_u64(arguments, "address", true, &address, err) ||
        !json_take_u64(arguments, "length", true, &length, err) ||
        !json_take_within(arguments, "length", 1, READ_MOST, &length, err) ||
        !json_take_bool(arguments, "physical", &physical, err))
        return NULL;
    struct buffer bytes = {0};
    uint8_t *to = buffer_extend(&bytes, length);
    bool ok = physical ? machine_peek(timeline_machine(c->timeline), address, to, length)
                       : timeline_read_memory(c->timeline, hart, address, to, length);
    json_t *answer = ok ? json_pack("{s:o}", "bytes", json_hex(to, length)) : NULL;
    if (!ok)
        error_set(err, ERROR_RANGE, "%" PRIu64 " bytes at %#" PRIx64 " cannot be read", length,
                  address);
    buffer_fini(&bytes);
    return answer;
}

static json_t *row_write_memory(struct command_context *c, const json_t *arguments,
                                struct error *err)
{
    unsigned hart;
    uint64_t address;
    uint8_t *bytes;
    size_t size;
    if (!json_take_hart(arguments, c->timeline, &hart, err) ||
        !json_take_u64(arguments, "address", true, &address, err) ||
        !json_take_bytes(arguments, "bytes", WRITE_MOST, &bytes, &size, err))
        return NULL;
    bool ok = timeline_write_memory(c->timeline, hart, address, bytes, size, err);
    free(bytes);
    return ok ? json_object() : NULL;
}

/* ---- code ---- */

static json_t *row_disassemble(struct command_context *c, const json_t *arguments,
                               struct error *err)
{
    struct timeline *tl = c->timeline;
    unsigned hart;
    uint64_t count = CODE_DEFAULT;
    if (!json_take_hart(arguments, tl, &hart, err))
        return NULL;
    const struct cpu *cpu = timeline_machine(tl)->cpu[hart];
    uint64_t address = cpu->ops->pc(cpu);
    if (!json_take_u64(arguments, "address", false, &address, err) ||
        !json_take_within(arguments, "count", 1, CODE_MOST, &count, err))
        return NULL;
    json_t *list = json_array();
    for (uint64_t i = 0; i < count; i++) {
        struct buffer text = {0};
        uint8_t bytes[INSN_MAX];
        size_t size = timeline_read_some(tl, hart, address, bytes, sizeof bytes);
        if (!size)
            size = timeline_read_some(tl, hart, address, bytes, 2);
        unsigned used = disassemble_one(bytes, size, address, &text);
        if (used)
            json_array_append_new(list, json_pack("{s:o, s:o, s:o}", "address", json_u64(address),
                                                  "bytes", json_hex(bytes, used), "text",
                                                  json_text(text.data, text.size)));
        buffer_fini(&text);
        if (!used)
            break;
        address += used;
    }
    return json_pack("{s:o}", "code", list);
}

/* ---- console ---- */

static json_t *row_console(struct command_context *c, const json_t *arguments, struct error *err)
{
    uint64_t at = timeline_position(c->timeline), lines = CONSOLE_DEFAULT;
    if (!json_take_position(arguments, "at", c->timeline, false, &at, err) ||
        !json_take_within(arguments, "lines", 1, CONSOLE_MOST, &lines, err))
        return NULL;
    struct buffer text = {0};
    timeline_transcript_tail(c->timeline, CHANNEL_SERIAL0, at, lines, &text);
    json_t *answer =
        json_pack("{s:o, s:o}", "position", json_u64(at), "text", json_text(text.data, text.size));
    buffer_fini(&text);
    return answer;
}

/* physical: null where nothing is mapped. */
static json_t *row_translate(struct command_context *c, const json_t *arguments, struct error *err)
{
    unsigned hart;
    uint64_t address = 0, physical;
    if (!json_take_hart(arguments, c->timeline, &hart, err) ||
        !json_take_u64(arguments, "address", true, &address, err))
        return NULL;
    bool mapped = cpu_look(timeline_machine(c->timeline)->cpu[hart], address, &physical);
    return json_pack("{s:o}", "physical", mapped ? json_u64(physical) : json_null());
}

const struct json_row json_rows_look[] = {
    {"translate", row_translate, "address hart", false},
    {"registers", row_registers, "hart", false},
    {"write-register", row_write_register, "hart name number value", false},
    {"read-memory", row_read_memory, "address length hart physical", false},
    {"write-memory", row_write_memory, "address bytes hart", false},
    {"disassemble", row_disassemble, "address count hart", false},
    {"console", row_console, "at lines", false},
    {0},
};
