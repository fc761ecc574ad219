#include "cli/vmstate_check.h"

#include "base/buffer.h"
#include "base/check.h"
#include "cli/vmstate_model.h"
#include "cli/vmstate_renames.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { FINDING_STEPS = 100 };

struct walk {
    const struct vmstate_report *report;
    const char *section; /* as SRC calls it */
    uint64_t findings;
    uint64_t steps;
};

/* A size times a count: no product of two 64 bit integers is too large. */
typedef __int128 total_size;

/* ---- what a dump holds ---- */

static const char *name_of(json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static json_int_t number_of(json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static total_size total_of(json_t *field)
{
    json_t *num = json_object_get(field, "num");
    return (total_size)number_of(field, "size") * (num ? json_integer_value(num) : 1);
}

static json_t *description_of(json_t *field)
{
    return json_object_get(field, "Description");
}

/* ---- reporting ---- */

static bool step(struct walk *w)
{
    return w->steps++ < VMSTATE_STEPS_MOST;
}

static void write_out(struct walk *w, const char *text)
{
    if (w->steps <= VMSTATE_STEPS_MOST)
        w->report->write(w->report->ctx, text);
}

static void put(struct walk *w, const char *format, va_list args)
{
    char text[6 * VMSTATE_NAME_MOST];
    vsnprintf(text, sizeof text, format, args);
    struct buffer shown;
    buffer_init(&shown);
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            buffer_printf(&shown, "\\x%02x", (unsigned char)*c);
        else
            buffer_append_byte(&shown, (uint8_t)*c);
    write_out(w, buffer_text(&shown));
    buffer_fini(&shown);
}

/* A part of a line. */
static void __attribute__((format(printf, 2, 3))) say(struct walk *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    put(w, format, args);
    va_end(args);
}

/* A line, or what ends it. */
static void __attribute__((format(printf, 2, 3))) finding(struct walk *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    put(w, format, args);
    va_end(args);
    write_out(w, "\n");
    w->findings++;
    w->steps += FINDING_STEPS;
}

static void say_place(struct walk *w, const char *description)
{
    say(w, "Section \"%s\" ", w->section);
    if (*description)
        say(w, "Description \"%s\": ", description);
}

/* ---- versions and sizes ---- */

/* `description` is empty for a section's own version. */
static void compare_versions(struct walk *w, json_t *src, json_t *dest, const char *description)
{
    json_int_t version = number_of(src, "version_id"), known = number_of(dest, "version_id");
    if (version > known) {
        say_place(w, description);
        finding(w, "version error: %lld > %lld", version, known);
    }
    json_t *minimum = json_object_get(dest, "minimum_version_id");
    if (!minimum || version >= json_integer_value(minimum))
        return;
    /* QEMU's checker begins this line for a section too, and then leaves it to its description. */
    say_place(w, description);
    if (*description)
        finding(w, "minimum version error: %lld < %lld", version, json_integer_value(minimum));
}

static void compare_sizes(struct walk *w, json_t *src, json_t *dest, const char *description)
{
    json_int_t a = number_of(src, "size"), b = number_of(dest, "size");
    if (a == b)
        return;
    const char *field = name_of(src, "field");
    say(w, "Section \"%s\" ", w->section);
    if (*description)
        say(w, "Description \"%s\" ", description);
    if (*field)
        say(w, "Field \"%s\" ", field);
    finding(w, "size mismatch: %lld , %lld", a, b);
}

/* ---- fields: two cursors that can step into a struct ---- */

struct level {
    json_t *fields;
    size_t next;
};

struct cursor {
    struct level *level;
    size_t depth;
};

/* Out of the lists that have ended. */
static void cursor_settle(struct cursor *c)
{
    while (c->depth) {
        const struct level *top = &c->level[c->depth - 1];
        if (top->next < json_array_size(top->fields))
            break;
        c->depth--;
    }
}

static void cursor_enter(struct cursor *c, json_t *fields)
{
    c->level = mem_grow(c->level, c->depth + 1, sizeof *c->level);
    c->level[c->depth++] = (struct level){fields, 0};
    cursor_settle(c);
}

/* NULL: the outermost list has ended. */
static json_t *cursor_field(const struct cursor *c)
{
    const struct level *top = c->level + c->depth - 1;
    return c->depth ? json_array_get(top->fields, top->next) : NULL;
}

static void cursor_advance(struct cursor *c)
{
    c->level[c->depth - 1].next++;
    cursor_settle(c);
}

/* Go on with the fields of the struct that stands here. */
static void cursor_open(struct cursor *c)
{
    json_t *fields = json_object_get(description_of(cursor_field(c)), "Fields");
    c->level[c->depth - 1].next++;
    cursor_enter(c, fields);
}

/* Does a struct begin here whose first field is `name`? Fields that move into a struct do not
 * change what is saved. */
static bool opens_with(json_t *field, const char *name)
{
    json_t *description = description_of(field);
    json_t *first = json_array_get(json_object_get(description, "Fields"), 0);
    return first && vmstate_same_field(name_of(description, "name"), name_of(first, "field"), name);
}

struct pairing {
    struct walk *walk;
    const char *description;
    struct cursor src, dest;
};

/* What is `left` of the padding at one cursor takes up fields at the other. False: they do not fit.
 */
static bool swallow(struct pairing *p, struct cursor *padding, struct cursor *eaten,
                    total_size left)
{
    json_t *field;
    cursor_advance(eaten);
    while ((field = cursor_field(eaten)) && step(p->walk)) {
        left -= number_of(field, "size");
        if (left < 0) {
            finding(p->walk,
                    "Section \"%s\", Description \"%s\": unused size mismatch near \" %s\"",
                    p->walk->section, p->description, name_of(field, "field"));
            return false;
        }
        cursor_advance(eaten);
        if (left == 0) {
            cursor_advance(padding);
            break;
        }
    }
    return true;
}

static bool pair_unused(struct pairing *p, json_t *src, json_t *dest, bool dest_unused)
{
    total_size s = total_of(src), d = total_of(dest);
    if (s != d)
        return dest_unused ? swallow(p, &p->dest, &p->src, d - s)
                           : swallow(p, &p->src, &p->dest, s - d);
    cursor_advance(&p->src);
    cursor_advance(&p->dest);
    return true;
}

static void compare_descriptions(struct walk *w, json_t *src, json_t *dest);

static void compare_pair(const struct pairing *p, json_t *src, json_t *dest)
{
    struct walk *w = p->walk;
    compare_versions(w, src, dest, p->description);
    json_t *inner = description_of(src);
    if (!inner)
        compare_sizes(w, src, dest, p->description);
    else if (!description_of(dest))
        finding(w, "Section \"%s\", Description \"%s\", Field \"%s\": missing description",
                w->section, p->description, name_of(src, "field"));
    else
        compare_descriptions(w, inner, description_of(dest));
}

/* One turn, which moves one cursor at least. False: the rest is to be skipped. */
static bool pair(struct pairing *p, json_t *src, json_t *dest)
{
    struct walk *w = p->walk;
    const char *s = name_of(src, "field"), *d = name_of(dest, "field");
    if (vmstate_same_field(p->description, s, d)) {
        compare_pair(p, src, dest);
        cursor_advance(&p->src);
        cursor_advance(&p->dest);
        return true;
    }
    if (opens_with(dest, s)) {
        cursor_open(&p->dest);
        return true;
    }
    if (opens_with(src, d)) {
        cursor_open(&p->src);
        return true;
    }
    bool dest_unused = !strcmp(d, "unused");
    if (dest_unused || !strcmp(s, "unused"))
        return pair_unused(p, src, dest, dest_unused);
    finding(w,
            "Section \"%s\", Description \"%s\": expected field \"%s\", got \"%s\"; skipping rest",
            w->section, p->description, s, d);
    return false;
}

static void compare_fields(struct walk *w, json_t *src, json_t *dest, const char *description)
{
    struct pairing p = {.walk = w, .description = description};
    cursor_enter(&p.src, src);
    cursor_enter(&p.dest, dest);
    json_t *s, *d;
    while ((s = cursor_field(&p.src)) && step(w)) {
        if (!(d = cursor_field(&p.dest))) {
            finding(w,
                    "Section \"%s\", Description \"%s\": expected field \"%s\", while dest has no "
                    "further fields",
                    w->section, description, name_of(s, "field"));
            break;
        }
        if (!pair(&p, s, d))
            break;
    }
    free(p.src.level);
    free(p.dest.level);
}

/* ---- descriptions ---- */

static void compare_subsections(struct walk *w, json_t *src, json_t *dest, const char *description)
{
    for (size_t i = 0; i < json_array_size(src) && step(w); i++) {
        json_t *wanted = json_array_get(src, i);
        const char *name = name_of(wanted, "name");
        bool found = false;
        for (size_t j = 0; j < json_array_size(dest) && step(w); j++) {
            json_t *candidate = json_array_get(dest, j);
            if (strcmp(name, name_of(candidate, "name")) != 0)
                continue;
            found = true;
            compare_descriptions(w, wanted, candidate);
        }
        if (!found)
            finding(w, "Section \"%s\", Description \"%s\": Subsection \"%s\" not found",
                    w->section, description, name);
    }
}

static void compare_descriptions(struct walk *w, json_t *src, json_t *dest)
{
    const char *name = name_of(src, "name"), *got = name_of(dest, "name");
    compare_versions(w, src, dest, name);
    if (!vmstate_same_field(w->section, name, got)) {
        finding(w, "Section \"%s\": Description \"%s\" missing, got \"%s\" instead; skipping",
                w->section, name, got);
        return;
    }
    const char *key;
    json_t *value;
    json_object_foreach(src, key, value)
    {
        json_t *other = json_object_get(dest, key);
        if (!step(w))
            return;
        if (!other)
            finding(w, "Section \"%s\" Description \"%s\": Entry \"%s\" missing", w->section, name,
                    key);
        else if (!strcmp(key, "Fields"))
            compare_fields(w, value, other, name);
        else if (!strcmp(key, "Subsections"))
            compare_subsections(w, value, other, name);
    }
}

/* ---- sections ---- */

static void compare_machines(struct walk *w, json_t *src, json_t *dest)
{
    const char *a = name_of(src, "Name"), *b = name_of(dest, "Name");
    if (!strcmp(a, b))
        return;
    say(w, "Warning: checking incompatible machine types: \"%s\", \"%s\"", a, b);
    write_out(w, "\n");
}

static void compare_sections(struct walk *w, json_t *src, json_t *dest)
{
    compare_versions(w, src, dest, "");
    const char *key;
    json_t *value;
    json_object_foreach(src, key, value)
    {
        json_t *other = json_object_get(dest, key);
        if (!step(w))
            return;
        if (!other)
            finding(w, "Section \"%s\": Entry \"%s\" missing", w->section, key);
        else if (!strcmp(key, "Description"))
            compare_descriptions(w, value, other);
    }
}

static json_t *find_section(json_t *dump, const char *name)
{
    json_t *found = json_object_get(dump, name);
    const char *renamed = vmstate_section_renamed(name);
    return found || !renamed ? found : json_object_get(dump, renamed);
}

bool vmstate_check(json_t *src, json_t *dest, const struct vmstate_report *report,
                   uint64_t *findings, struct error *err)
{
    struct walk w = {.report = report};
    json_t *section;
    json_object_foreach(src, w.section, section)
    {
        json_t *other = find_section(dest, w.section);
        if (!step(&w))
            break;
        if (!other)
            finding(&w, "Section \"%s\" does not exist in dest", w.section);
        else if (!strcmp(w.section, VMSTATE_MACHINE))
            compare_machines(&w, section, other);
        else
            compare_sections(&w, section, other);
    }
    *findings = w.findings;
    return w.steps <= VMSTATE_STEPS_MOST ||
           error_set(err, ERROR_RANGE,
                     "comparing them takes too long: more than %llu steps with %llu findings",
                     (unsigned long long)VMSTATE_STEPS_MOST, (unsigned long long)w.findings);
}
