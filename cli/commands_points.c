/* Points that people and programs set beside gdb's: break, watch, delete, info points. */
#include "timeline/points.h"

#include "base/check.h"
#include "base/endian.h"
#include "cli/commands_info.h"
#include "cli/commands_json.h"
#include "cli/commands_symbols.h"
#include "cli/json_values.h"
#include "cli/numbers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH_DEFAULT = 8, VALUE_MOST = 8, POINTS_MOST = 4096, WORD = 256 };

/* ---- the condition of a watch: the value that the access leaves, or finds ---- */

enum compare { EQUAL, UNEQUAL, LESS, LESS_EQUAL, GREATER, GREATER_EQUAL, ANY_BIT, COMPARES };

static const char *const compare_name[COMPARES] = {"==", "!=", "<", "<=", ">", ">=", "&"};

struct comparison {
    enum compare compare;
    uint64_t number, address, size;
    char text[48];
};

static bool compare(enum compare how, uint64_t a, uint64_t b)
{
    switch (how) {
    case EQUAL:
        return a == b;
    case UNEQUAL:
        return a != b;
    case LESS:
        return a < b;
    case LESS_EQUAL:
        return a <= b;
    case GREATER:
        return a > b;
    case GREATER_EQUAL:
        return a >= b;
    default:
        return a & b;
    }
}

/* What cannot be known holds. */
static bool value_holds(void *ctx, const struct timeline *tl, const struct hit *hit)
{
    const struct comparison *c = ctx;
    uint8_t bytes[VALUE_MOST] = {0};
    size_t read = hit->kinds & HIT_PHYSICAL
                      ? timeline_read_physical(tl, c->address, bytes, c->size)
                      : timeline_read_some(tl, hit->hart, c->address, bytes, c->size);
    if (read < c->size || ((hit->kinds & HIT_WRITE) && !hit->after))
        return true;
    for (uint64_t i = 0; (hit->kinds & HIT_WRITE) && i < c->size; i++)
        if (c->address + i - hit->address < hit->size)
            bytes[i] = hit->after[c->address + i - hit->address];
    return compare(c->compare, load_le64(bytes), c->number);
}

/* `OP N`, with or without a blank. */
static bool parse_condition(const char *text, struct timeline_point *p, struct error *err)
{
    enum compare how = COMPARES;
    uint64_t number = 0;
    size_t size = strspn(text, "=!<>&");
    for (unsigned i = 0; i < COMPARES; i++)
        if (strlen(compare_name[i]) == size && !memcmp(compare_name[i], text, size))
            how = (enum compare)i;
    text += size;
    if (how == COMPARES || !number_parse(text + strspn(text, " \t"), &number))
        return error_set(err, ERROR_USAGE,
                         "a condition is `if OP N`, with OP one of == != < <= > >= &");
    if (p->size > VALUE_MOST)
        return error_set(err, ERROR_USAGE, "a condition is on a value of at most %d bytes",
                         VALUE_MOST);
    struct comparison *c = mem_new(1, sizeof *c);
    *c = (struct comparison){how, number, p->address, p->size, ""};
    snprintf(c->text, sizeof c->text, "%s %#" PRIx64, compare_name[how], number);
    p->condition = (struct condition){value_holds, free, c, c->text};
    return true;
}

/* ---- setting and removing ---- */

/* Commands set none of gdb's. */
static enum point_owner owner_of(const struct command_context *c)
{
    return c->owner == OWNER_GDB ? OWNER_COMMANDS : c->owner;
}

static bool is_ours(const struct timeline_point *p)
{
    return p->owner == OWNER_COMMANDS || p->owner == OWNER_CONTROL;
}

static const struct timeline_point *find(const struct timeline *tl,
                                         const struct timeline_point *key)
{
    const struct timeline_point *p;
    for (size_t i = 0; (p = timeline_point_get(tl, i)); i++)
        if (p->owner == key->owner && p->kinds == key->kinds && p->address == key->address &&
            p->size == key->size && p->in_space == key->in_space &&
            (!p->in_space || p->space == key->space))
            return p;
    return NULL;
}

static void release(const struct timeline_point *p)
{
    if (p->condition.free)
        p->condition.free(p->condition.ctx);
}

/* The point as it stands in the list; NULL: there are too many. Takes over the condition. */
static const struct timeline_point *set(struct command_context *c, const struct timeline_point *p,
                                        struct error *err)
{
    size_t count = 0;
    const struct timeline_point *other;
    for (size_t i = 0; (other = timeline_point_get(c->timeline, i)); i++)
        count += is_ours(other);
    if (count >= POINTS_MOST && !find(c->timeline, p)) {
        error_set(err, ERROR_RANGE, "there are %d points already: delete some", POINTS_MOST);
        release(p);
        return NULL;
    }
    timeline_point_set(c->timeline, p);
    return find(c->timeline, p);
}

static bool unset_number(struct timeline *tl, uint64_t number, struct error *err)
{
    const struct timeline_point *p;
    for (size_t i = 0; (p = timeline_point_get(tl, i)); i++) {
        if (p->number != number)
            continue;
        if (!is_ours(p))
            return error_set(err, ERROR_UNSUPPORTED, "point %" PRIu64 " is gdb's: delete it there",
                             number);
        const struct timeline_point key = *p;
        return timeline_point_unset(tl, &key);
    }
    return error_set(err, ERROR_RANGE, "there is no point %" PRIu64 ": `info points` lists them",
                     number);
}

static void unset_all(struct timeline *tl)
{
    timeline_points_clear_of(tl, OWNER_COMMANDS);
    timeline_points_clear_of(tl, OWNER_CONTROL);
}

static uint64_t space_here(const struct timeline *tl)
{
    const struct machine *m = timeline_machine((struct timeline *)(uintptr_t)tl);
    const struct cpu *cpu = m->cpu[m->state.running];
    return cpu->ops->address_space ? cpu->ops->address_space(cpu) : 0;
}

static bool take_space(const struct timeline *tl, const char *text, struct timeline_point *p,
                       struct error *err)
{
    p->in_space = true;
    p->space = space_here(tl);
    return !strcmp(text, "here") || number_parse(text, &p->space) ||
           error_set(err, ERROR_USAGE, "`%.80s` is no address space: a value of satp, or here",
                     text);
}

/* ---- text ---- */

static const char *kind_name(const struct timeline_point *p)
{
    if (p->kinds == HIT_EXECUTE)
        return "break";
    switch (p->kinds & (HIT_READ | HIT_WRITE)) {
    case HIT_READ:
        return "read";
    case HIT_WRITE:
        return "watch";
    default:
        return "access";
    }
}

static const char *owner_name(const struct timeline_point *p)
{
    return p->owner == OWNER_GDB ? "gdb" : p->owner == OWNER_CONTROL ? "control" : "command";
}

static void append_point(struct command_context *c, const struct timeline_point *p,
                         struct buffer *out)
{
    buffer_printf(out, "%4u  %-7s  %-8s", p->number, owner_name(p), kind_name(p));
    if (p->kinds != HIT_EXECUTE)
        buffer_printf(out, "%" PRIu64 " byte%s at %s", p->size, p->size == 1 ? "" : "s",
                      p->kinds & HIT_PHYSICAL ? "physical " : "");
    if (p->kinds & HIT_PHYSICAL)
        buffer_printf(out, "%#" PRIx64, p->address);
    else
        commands_append_address(c, p->address, out);
    if (p->changes)
        buffer_append_string(out, ", changes");
    if (p->in_space)
        buffer_printf(out, ", in space %#" PRIx64, p->space);
    if (p->condition.holds)
        buffer_printf(out, ", if %s",
                      p->condition.text ? p->condition.text : "its condition holds");
    if (p->action.run)
        buffer_append_string(out, ", prints");
    buffer_append_byte(out, '\n');
}

static void answer(struct command_context *c, const struct timeline_point *p,
                   const struct error *err, struct buffer *out)
{
    if (p)
        append_point(c, p, out);
    else
        buffer_printf(out, "%s\n", err->message);
}

/* The next word, which is cut when it is too long for any that there is; false: none is left. */
static bool next_word(const char **text, char word[WORD])
{
    *text += strspn(*text, " \t");
    size_t size = strcspn(*text, " \t");
    snprintf(word, WORD, "%.*s", (int)(size < WORD ? size : WORD - 1), *text);
    *text += size;
    return size;
}

static bool parse_break(struct command_context *c, const char *text, struct timeline_point *p,
                        struct error *err)
{
    char word[WORD];
    *p = (struct timeline_point){.owner = owner_of(c), .kinds = HIT_EXECUTE};
    bool any = next_word(&text, word);
    if (any && !strcmp(word, "-p")) {
        if (!next_word(&text, word) || !take_space(c->timeline, word, p, err))
            return err->code ? false : error_set(err, ERROR_USAGE, "-p needs an address space");
        any = next_word(&text, word);
    }
    if (!any || !commands_address(c, word, &p->address, err))
        return err->code ? false : error_set(err, ERROR_USAGE, "usage: break [-p SPACE] ADDR");
    return !next_word(&text, word) ||
           error_set(err, ERROR_USAGE, "usage: break [-p SPACE] ADDR: what is `%.80s`?", word);
}

static bool parse_watch_options(const char **text, struct timeline_point *p, char word[WORD],
                                struct error *err)
{
    bool physical = false;
    p->kinds = HIT_WRITE;
    while (next_word(text, word) && word[0] == '-') {
        if (!strcmp(word, "-p"))
            physical = true;
        else if (!strcmp(word, "-r"))
            p->kinds = HIT_READ;
        else if (!strcmp(word, "-a"))
            p->kinds = HIT_READ | HIT_WRITE;
        else if (!strcmp(word, "-c"))
            p->changes = true;
        else
            return error_set(err, ERROR_USAGE, "watch has no option `%.80s`", word);
    }
    if (physical && p->kinds != HIT_WRITE)
        return error_set(err, ERROR_USAGE, "physical memory is watched for writes only");
    if (p->changes && p->kinds == HIT_READ)
        return error_set(err, ERROR_USAGE, "a read changes nothing: -c is for writes");
    p->kinds |= physical ? HIT_PHYSICAL : 0;
    return true;
}

static bool parse_watch(struct command_context *c, const char *text, struct timeline_point *p,
                        struct error *err)
{
    char word[WORD];
    *p = (struct timeline_point){.owner = owner_of(c), .size = LENGTH_DEFAULT};
    if (!parse_watch_options(&text, p, word, err))
        return false;
    if (!word[0])
        return error_set(err, ERROR_USAGE, "usage: watch [-p] [-r|-a] [-c] ADDR [LEN] [if OP N]");
    if (!commands_address(c, word, &p->address, err))
        return false;
    bool more = next_word(&text, word);
    if (more && strcmp(word, "if") != 0) {
        if (!number_parse(word, &p->size) || !p->size)
            return error_set(err, ERROR_USAGE, "`%.80s` is no length", word);
        more = next_word(&text, word);
    }
    if (!more)
        return true;
    if (strcmp(word, "if") != 0)
        return error_set(err, ERROR_USAGE, "what is `%.80s`? A condition begins with `if`: if == 5",
                         word);
    return parse_condition(text + strspn(text, " \t"), p, err);
}

void commands_break(struct command_context *c, const char *argument, struct buffer *out)
{
    struct timeline_point p;
    struct error err = ERROR_INIT;
    answer(c, parse_break(c, argument, &p, &err) ? set(c, &p, &err) : NULL, &err, out);
}

void commands_watch(struct command_context *c, const char *argument, struct buffer *out)
{
    struct timeline_point p;
    struct error err = ERROR_INIT;
    answer(c, parse_watch(c, argument, &p, &err) ? set(c, &p, &err) : NULL, &err, out);
}

void commands_delete(struct command_context *c, const char *argument, struct buffer *out)
{
    struct error err = ERROR_INIT;
    uint64_t number;
    if (!strcmp(argument, "all"))
        unset_all(c->timeline);
    else if (!number_parse(argument, &number))
        buffer_printf(out, "`%.80s` is no number of a point: `info points` lists them\n", argument);
    else if (!unset_number(c->timeline, number, &err))
        buffer_printf(out, "%s\n", err.message);
}

void commands_info_points(struct command_context *c, const char *argument, struct buffer *out)
{
    const struct timeline_point *p;
    size_t shown = 0;
    (void)argument;
    for (size_t i = 0; (p = timeline_point_get(c->timeline, i)); i++) {
        if (p->owner == OWNER_INTERNAL)
            continue;
        append_point(c, p, out);
        shown++;
    }
    if (!shown)
        buffer_append_string(out, "no breakpoints and no watched ranges\n");
}

/* ---- JSON ---- */

static json_t *json_point(const struct timeline_point *p)
{
    json_t *object =
        json_pack("{s:i, s:s, s:s, s:o}", "number", (int)p->number, "kind", kind_name(p), "owner",
                  owner_name(p), "address", json_u64(p->address));
    if (p->kinds != HIT_EXECUTE) {
        json_object_set_new(object, "length", json_u64(p->size));
        json_object_set_new(object, "physical", json_boolean(p->kinds & HIT_PHYSICAL));
        json_object_set_new(object, "changes", json_boolean(p->changes));
    }
    if (p->in_space)
        json_object_set_new(object, "space", json_u64(p->space));
    if (p->condition.text)
        json_object_set_new(object, "condition", json_string(p->condition.text));
    return object;
}

static json_t *set_json(struct command_context *c, const struct timeline_point *p,
                        struct error *err)
{
    const struct timeline_point *now = set(c, p, err);
    return now ? json_point(now) : NULL;
}

static json_t *row_break(struct command_context *c, const json_t *arguments, struct error *err)
{
    struct timeline_point p = {.owner = OWNER_CONTROL, .kinds = HIT_EXECUTE};
    p.in_space = json_object_get(arguments, "space") != NULL;
    if (!json_take_u64(arguments, "address", true, &p.address, err) ||
        !json_take_u64(arguments, "space", false, &p.space, err))
        return NULL;
    return set_json(c, &p, err);
}

static bool take_kind(const json_t *arguments, struct timeline_point *p, struct error *err)
{
    const char *kind = "write";
    bool physical = false;
    if (!json_take_string(arguments, "kind", false, &kind, err) ||
        !json_take_bool(arguments, "physical", &physical, err) ||
        !json_take_bool(arguments, "changes", &p->changes, err))
        return false;
    if (!strcmp(kind, "write"))
        p->kinds = HIT_WRITE | (physical ? HIT_PHYSICAL : 0);
    else if (!strcmp(kind, "read"))
        p->kinds = HIT_READ;
    else if (!strcmp(kind, "access"))
        p->kinds = HIT_READ | HIT_WRITE;
    else
        return error_set(err, ERROR_USAGE, "`kind` is write, read or access");
    return !physical || (p->kinds & HIT_PHYSICAL) ||
           error_set(err, ERROR_USAGE, "physical memory is watched for writes only");
}

static json_t *row_watch(struct command_context *c, const json_t *arguments, struct error *err)
{
    struct timeline_point p = {.owner = OWNER_CONTROL, .size = LENGTH_DEFAULT};
    const char *condition = NULL;
    p.in_space = json_object_get(arguments, "space") != NULL;
    if (!json_take_u64(arguments, "address", true, &p.address, err) ||
        !json_take_within(arguments, "length", 1, UINT64_MAX, &p.size, err) ||
        !json_take_u64(arguments, "space", false, &p.space, err) ||
        !take_kind(arguments, &p, err) ||
        !json_take_string(arguments, "condition", false, &condition, err) ||
        (condition && !parse_condition(condition, &p, err)))
        return NULL;
    return set_json(c, &p, err);
}

static json_t *row_delete(struct command_context *c, const json_t *arguments, struct error *err)
{
    const json_t *given = json_object_get(arguments, "number");
    uint64_t number;
    if (json_is_string(given) && !strcmp(json_string_value(given), "all")) {
        unset_all(c->timeline);
        return json_object();
    }
    if (!json_take_u64(arguments, "number", true, &number, err) ||
        !unset_number(c->timeline, number, err))
        return NULL;
    return json_object();
}

static json_t *row_points(struct command_context *c, const json_t *arguments, struct error *err)
{
    json_t *list = json_array();
    const struct timeline_point *p;
    (void)arguments;
    (void)err;
    for (size_t i = 0; (p = timeline_point_get(c->timeline, i)); i++)
        if (p->owner != OWNER_INTERNAL)
            json_array_append_new(list, json_point(p));
    return json_pack("{s:o}", "points", list);
}

const struct json_row json_rows_points[] = {
    {"break", row_break, "address space", false},
    {"watch", row_watch, "address length kind changes physical space condition", false},
    {"delete", row_delete, "number", false},
    {"points", row_points, "", false},
    {0},
};

/* ---- addresses ---- */

void commands_translate(struct command_context *c, const char *argument, struct buffer *out)
{
    const struct machine *m = timeline_machine(c->timeline);
    struct error err = ERROR_INIT;
    uint64_t address, physical;
    if (!commands_address(c, argument, &address, &err))
        buffer_printf(out, "%s\n", err.message);
    else if (cpu_look(m->cpu[m->state.running], address, &physical))
        buffer_printf(out, "%#" PRIx64 " is at physical %#" PRIx64 "\n", address, physical);
    else
        buffer_printf(out, "nothing is mapped at %#" PRIx64 "\n", address);
}
