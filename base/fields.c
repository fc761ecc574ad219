#include "base/fields.h"

#include "base/check.h"
#include "base/endian.h"
#include "base/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const uint8_t *element(const struct field *f, const void *state, uint32_t i)
{
    return (const uint8_t *)state + f->offset + (size_t)i * f->size;
}

/* Does a stream of `version` have the field? */
static bool present(const struct field *f, const void *state, uint32_t version)
{
    return f->version_id <= version && (!f->exists || f->exists(state, version));
}

static const struct fields *subsection(const struct fields *table, unsigned n)
{
    return table->subsections ? table->subsections[n] : NULL;
}

/* ---- saving ---- */

/* PLAIN: the values alone, with no byte that the state's meaning does not need. */
enum form { SAVED, PLAIN };

static void append_u32(struct buffer *out, uint32_t value)
{
    store_le32(buffer_extend(out, sizeof value), value);
}

static void save_table(const struct fields *table, const void *state, enum form form,
                       struct buffer *out);

static void save_field(const struct field *f, const void *state, enum form form, struct buffer *out)
{
    if (f->unused) {
        memset(buffer_extend(out, f->count), 0, f->count);
    } else if (!f->nested) {
        buffer_append(out, element(f, state, 0), (size_t)f->size * f->count);
    } else {
        if (form == SAVED)
            append_u32(out, f->nested->version_id);
        for (uint32_t i = 0; i < f->count; i++)
            save_table(f->nested, element(f, state, i), form, out);
    }
}

static void save_subsections(const struct fields *table, const void *state, enum form form,
                             struct buffer *out)
{
    size_t count_at = out->size;
    if (form == SAVED)
        buffer_append_byte(out, 0);
    const struct fields *sub;
    for (unsigned n = 0; (sub = subsection(table, n)); n++) {
        if (!sub->needed(state))
            continue;
        if (form == SAVED) {
            fields_save_section(sub, 0, state, out);
            out->data[count_at]++;
        } else {
            buffer_append(out, sub->name, strlen(sub->name) + 1);
            save_table(sub, state, form, out);
        }
    }
}

static void save_table(const struct fields *table, const void *state, enum form form,
                       struct buffer *out)
{
    for (uint32_t n = 0; n < table->count; n++)
        if (present(&table->field[n], state, table->version_id))
            save_field(&table->field[n], state, form, out);
    save_subsections(table, state, form, out);
}

void fields_save(const struct fields *table, const void *state, struct buffer *out)
{
    save_table(table, state, SAVED, out);
}

void fields_save_section(const struct fields *table, uint32_t instance, const void *state,
                         struct buffer *out)
{
    size_t length = strlen(table->name);
    check(length <= UINT8_MAX, "%s", table->name);
    buffer_append_byte(out, (uint8_t)length);
    buffer_append(out, table->name, length);
    append_u32(out, instance);
    append_u32(out, table->version_id);
    append_u32(out, 0);
    size_t start = out->size;
    save_table(table, state, SAVED, out);
    store_le32(out->data + start - sizeof(uint32_t), (uint32_t)(out->size - start));
}

uint64_t fields_digest(const struct fields *table, const void *state)
{
    struct buffer saved;
    buffer_init(&saved);
    buffer_reserve(&saved, table->size);
    save_table(table, state, PLAIN, &saved);
    uint64_t digest = hash_bytes(saved.data, saved.size, 0);
    buffer_fini(&saved);
    return digest;
}

/* ---- initial values ---- */

static void reset_field(const struct field *f, void *state)
{
    uint8_t *to = (uint8_t *)state + f->offset;
    memset(to, 0, f->nested ? 0 : (size_t)f->size * f->count);
    for (uint32_t i = 0; i < f->count; i++)
        if (f->nested)
            fields_reset(f->nested, to + (size_t)i * f->size);
        else if (f->initial)
            store_le(to + (size_t)i * f->size, f->initial, f->size);
}

void fields_reset(const struct fields *table, void *state)
{
    for (uint32_t n = 0; n < table->count; n++)
        reset_field(&table->field[n], state);
    const struct fields *sub;
    for (unsigned n = 0; (sub = subsection(table, n)); n++)
        fields_reset(sub, state);
}

/* ---- loading ---- */

struct load {
    const uint8_t *bytes;
    size_t size;
    bool other; /* some table's version was not the present one */
    struct error *err;
};

static bool take_u32(struct load *l, uint32_t *value)
{
    if (l->size < sizeof *value)
        return false;
    *value = load_le32(l->bytes);
    l->bytes += sizeof *value;
    l->size -= sizeof *value;
    return true;
}

static bool bools_valid(const struct field *f, const uint8_t *bytes)
{
    for (uint32_t i = 0; f->boolean && i < f->count; i++)
        if (bytes[i] > 1)
            return false;
    return true;
}

static bool load_integers(const struct field *f, void *state, struct load *l)
{
    size_t need = (size_t)f->size * f->count;
    uint8_t *to = (uint8_t *)state + f->offset;
    if (l->size < need)
        return error_set(l->err, ERROR_FORMAT, "state ends inside field %s: %zu of %zu bytes",
                         f->name, l->size, need);
    if (!bools_valid(f, l->bytes))
        return error_set(l->err, ERROR_FORMAT, "field %s is neither false nor true", f->name);
    if (f->unused)
        memset(to, 0, need);
    else
        memcpy(to, l->bytes, need);
    l->bytes += need;
    l->size -= need;
    return true;
}

static bool load_table(const struct fields *table, uint32_t version, void *state, struct load *l);

static bool load_field(const struct field *f, void *state, struct load *l)
{
    uint32_t version;
    if (!f->nested)
        return load_integers(f, state, l);
    if (!take_u32(l, &version))
        return error_set(l->err, ERROR_FORMAT, "state ends before field %s", f->name);
    uint8_t *to = (uint8_t *)state + f->offset;
    for (uint32_t i = 0; i < f->count; i++)
        if (!load_table(f->nested, version, to + (size_t)i * f->size, l))
            return false;
    return true;
}

bool fields_next_section(struct fields_section *section, const uint8_t **bytes, size_t *size,
                         struct error *err)
{
    struct load l = {.bytes = *bytes, .size = *size};
    size_t length = l.size ? *l.bytes : 0;
    uint32_t used;
    if (l.size < 1 + length)
        return error_set(err, ERROR_FORMAT, "state ends inside the name of a section");
    for (size_t i = 0; i < length; i++) {
        uint8_t c = l.bytes[1 + i];
        section->name[i] = c > ' ' && c <= '~' ? (char)c : '?';
    }
    section->name[length] = 0;
    l.bytes += 1 + length;
    l.size -= 1 + length;
    if (!take_u32(&l, &section->instance) || !take_u32(&l, &section->version) ||
        !take_u32(&l, &used))
        return error_set(err, ERROR_FORMAT, "state ends inside the header of section %s",
                         section->name);
    if (l.size < used)
        return error_set(err, ERROR_FORMAT,
                         "state ends inside section %s: %zu of %" PRIu32 " bytes", section->name,
                         l.size, used);
    section->bytes = l.bytes;
    section->size = used;
    *bytes = l.bytes + used;
    *size = l.size - used;
    return true;
}

static bool load_section(const struct fields *table, const struct fields_section *section,
                         void *state, struct load *l)
{
    l->bytes = section->bytes;
    l->size = section->size;
    return load_table(table, section->version, state, l) &&
           (!l->size || error_set(l->err, ERROR_FORMAT, "%s: %zu bytes too many in its section",
                                  table->name, l->size));
}

/* Bit n of *seen is subsection n. */
static bool load_subsection(const struct fields *table, void *state, uint32_t *seen, struct load *l)
{
    struct fields_section section;
    const struct fields *sub;
    unsigned n = 0;
    if (!l->size)
        return error_set(l->err, ERROR_FORMAT, "state ends before a subsection");
    if (!fields_next_section(&section, &l->bytes, &l->size, l->err))
        return false;
    while ((sub = subsection(table, n)) && strcmp(sub->name, section.name) != 0)
        n++;
    if (!sub || section.instance)
        return error_set(l->err, ERROR_UNSUPPORTED,
                         "unknown subsection %s: a newer backstep made it and reads it",
                         section.name);
    if (*seen >> n & 1)
        return error_set(l->err, ERROR_FORMAT, "subsection %s comes twice", section.name);
    *seen |= UINT32_C(1) << n;
    struct load inner = {.other = l->other, .err = l->err};
    bool ok = load_section(sub, &section, state, &inner);
    l->other = inner.other;
    return ok;
}

static bool load_subsections(const struct fields *table, void *state, struct load *l)
{
    if (!l->size)
        return error_set(l->err, ERROR_FORMAT, "state ends before the number of subsections");
    uint32_t seen = 0;
    uint8_t count = *l->bytes++;
    l->size--;
    while (count--)
        if (!load_subsection(table, state, &seen, l))
            return false;
    const struct fields *sub;
    for (unsigned n = 0; (sub = subsection(table, n)); n++)
        if (!(seen >> n & 1))
            fields_reset(sub, state);
    return true;
}

static bool version_known(const struct fields *table, uint32_t version, struct error *err)
{
    if (version > table->version_id)
        return error_set(err, ERROR_UNSUPPORTED,
                         "version %" PRIu32 ", and the newest that this backstep reads is %" PRIu32
                         ": a newer backstep made it and reads it",
                         version, table->version_id);
    if (version < table->minimum_version_id)
        return error_set(err, ERROR_UNSUPPORTED,
                         "version %" PRIu32 ", and the oldest that this backstep reads is %" PRIu32
                         ": an older backstep made it and reads it",
                         version, table->minimum_version_id);
    return true;
}

static bool load_fields(const struct fields *table, uint32_t version, void *state, struct load *l)
{
    for (uint32_t n = 0; n < table->count; n++) {
        const struct field *f = &table->field[n];
        if (!present(f, state, version))
            reset_field(f, state);
        else if (!load_field(f, state, l))
            return false;
    }
    return true;
}

static bool load_table(const struct fields *table, uint32_t version, void *state, struct load *l)
{
    l->other |= version != table->version_id;
    return (version_known(table, version, l->err) && load_fields(table, version, state, l) &&
            load_subsections(table, state, l)) ||
           error_prefix(l->err, "%s", table->name);
}

bool fields_load(const struct fields *table, uint32_t version, void *state, const uint8_t **bytes,
                 size_t *size, struct error *err)
{
    struct load l = {.bytes = *bytes, .size = *size, .err = err};
    bool ok = load_table(table, version, state, &l);
    *bytes = l.bytes;
    *size = l.size;
    return ok;
}

bool fields_load_section(const struct fields *table, const struct fields_section *section,
                         void *state, struct error *err)
{
    struct load l = {.err = err};
    return load_section(table, section, state, &l);
}

bool fields_versions_equal(const struct fields *table, uint32_t version, const uint8_t *bytes,
                           size_t size)
{
    struct error err = ERROR_INIT;
    struct load l = {.bytes = bytes, .size = size, .err = &err};
    void *scratch = mem_new(table->size, 1);
    bool ok = load_table(table, version, scratch, &l);
    free(scratch);
    return ok && !l.size && !l.other;
}

/* ---- for people ---- */

static void element_name(const struct field *f, const char *prefix, uint32_t i, char *name,
                         size_t size)
{
    if (f->count == 1)
        snprintf(name, size, "%s.%s", prefix, f->name);
    else
        snprintf(name, size, "%s.%s[%" PRIu32 "]", prefix, f->name, i);
}

static size_t diff_field(const struct field *f, const void *a, const void *b, const char *prefix,
                         size_t limit, struct buffer *out)
{
    size_t differ = 0;
    for (uint32_t i = 0; i < f->count && !f->unused; i++) {
        const uint8_t *one = element(f, a, i), *two = element(f, b, i);
        if (!memcmp(one, two, f->size))
            continue;
        char name[160];
        element_name(f, prefix, i, name, sizeof name);
        size_t room = limit > differ ? limit - differ : 0;
        if (f->nested) {
            differ += fields_diff(f->nested, one, two, name, room, out);
            continue;
        }
        differ++;
        if (room)
            buffer_printf(out, "%s: %#" PRIx64 " -> %#" PRIx64 "\n", name, load_le(one, f->size),
                          load_le(two, f->size));
    }
    return differ;
}

size_t fields_diff(const struct fields *table, const void *a, const void *b, const char *prefix,
                   size_t limit, struct buffer *out)
{
    size_t differ = 0;
    for (uint32_t n = 0; n < table->count; n++) {
        const struct field *f = &table->field[n];
        if (present(f, a, table->version_id) || present(f, b, table->version_id))
            differ += diff_field(f, a, b, prefix, limit > differ ? limit - differ : 0, out);
    }
    const struct fields *sub;
    for (unsigned n = 0; (sub = subsection(table, n)); n++)
        if (sub->needed(a) || sub->needed(b))
            differ += fields_diff(sub, a, b, prefix, limit > differ ? limit - differ : 0, out);
    return differ;
}

static uint32_t run_length(const struct field *f, const void *state, uint32_t from)
{
    uint32_t i = from + 1;
    while (i < f->count && !memcmp(element(f, state, from), element(f, state, i), f->size))
        i++;
    return i - from;
}

static void print_field(const struct field *f, const void *state, const char *prefix,
                        struct buffer *out)
{
    for (uint32_t i = 0, run; i < f->count && !f->unused; i += run) {
        run = run_length(f, state, i);
        char name[160];
        element_name(f, prefix, i, name, sizeof name);
        if (f->nested) {
            run = 1;
            fields_print(f->nested, element(f, state, i), name, out);
            continue;
        }
        buffer_printf(out, "%s: %#" PRIx64, name, load_le(element(f, state, i), f->size));
        if (run > 1)
            buffer_printf(out, " (x%" PRIu32 ")", run);
        buffer_append_byte(out, '\n');
    }
}

void fields_print(const struct fields *table, const void *state, const char *prefix,
                  struct buffer *out)
{
    for (uint32_t n = 0; n < table->count; n++)
        if (present(&table->field[n], state, table->version_id))
            print_field(&table->field[n], state, prefix, out);
    const struct fields *sub;
    for (unsigned n = 0; (sub = subsection(table, n)); n++)
        if (sub->needed(state))
            fields_print(sub, state, prefix, out);
}

/* ---- is the table one? ---- */

static void check_table(const struct fields *table)
{
    check(strlen(table->name) <= UINT8_MAX, "%s", table->name);
    check(table->minimum_version_id <= table->version_id, "%s", table->name);
    unsigned n = 0;
    for (const struct fields *sub; (sub = subsection(table, n)); n++) {
        check(n < FIELDS_SUBSECTIONS, "%s", table->name);
        check(sub->needed && sub->size == table->size, "%s in %s", sub->name, table->name);
        for (unsigned other = 0; other < n; other++)
            check(strcmp(sub->name, subsection(table, other)->name) != 0, "%s twice in %s",
                  sub->name, table->name);
    }
}

static void check_field(const struct fields *table, const struct field *f)
{
    uint64_t most = f->nested || f->unused ? 0
                    : f->boolean           ? 1
                    : f->size < 8          ? (UINT64_C(1) << 8 * f->size) - 1
                                           : UINT64_MAX;
    check((uint64_t)f->offset + (uint64_t)f->size * f->count <= table->size,
          "%s.%s ends outside its struct", table->name, f->name);
    check(f->version_id <= table->version_id, "%s.%s", table->name, f->name);
    check(f->initial <= most, "%s.%s", table->name, f->name);
    check(!f->nested || (f->nested->size == f->size && !f->nested->needed), "%s.%s", table->name,
          f->name);
}

void fields_coverage(const struct fields *table, bool *map)
{
    check_table(table);
    for (uint32_t n = 0; n < table->count; n++) {
        const struct field *f = &table->field[n];
        check_field(table, f);
        for (uint32_t at = f->offset; at < f->offset + f->size * f->count; at++)
            check(!map[at], "%s.%s: byte %" PRIu32 " is described twice", table->name, f->name, at);
        for (uint32_t i = 0; i < f->count; i++)
            if (f->nested)
                fields_coverage(f->nested, map + f->offset + (size_t)i * f->size);
            else
                memset(map + f->offset + (size_t)i * f->size, true, f->size);
    }
    const struct fields *sub;
    for (unsigned n = 0; (sub = subsection(table, n)); n++)
        fields_coverage(sub, map);
}
