#include "base/fields.h"

#include "base/check.h"
#include "base/endian.h"
#include "base/hash.h"

#include <inttypes.h>
#include <stdio.h>

static const uint8_t *element(const struct field *f, const void *state, uint32_t i)
{
    return (const uint8_t *)state + f->offset + (size_t)i * f->size;
}

size_t fields_saved_size(const struct fields *table)
{
    size_t size = 0;
    for (uint32_t n = 0; n < table->count; n++) {
        const struct field *f = &table->field[n];
        size += (f->nested ? fields_saved_size(f->nested) : f->size) * f->count;
    }
    return size;
}

void fields_save(const struct fields *table, const void *state, struct buffer *out)
{
    for (uint32_t n = 0; n < table->count; n++) {
        const struct field *f = &table->field[n];
        if (f->unused)
            memset(buffer_extend(out, f->count), 0, f->count);
        else if (!f->nested)
            buffer_append(out, element(f, state, 0), (size_t)f->size * f->count);
        else
            for (uint32_t i = 0; i < f->count; i++)
                fields_save(f->nested, element(f, state, i), out);
    }
}

static bool bools_valid(const struct field *f, const uint8_t *bytes)
{
    for (uint32_t i = 0; f->boolean && i < f->count; i++)
        if (bytes[i] > 1)
            return false;
    return true;
}

static bool load_field(const struct field *f, void *state, const uint8_t **bytes, size_t *size,
                       struct error *err)
{
    uint8_t *to = (uint8_t *)state + f->offset;
    if (f->nested) {
        for (uint32_t i = 0; i < f->count; i++)
            if (!fields_load(f->nested, to + (size_t)i * f->size, bytes, size, err))
                return false;
        return true;
    }
    size_t need = (size_t)f->size * f->count;
    if (*size < need)
        return error_set(err, ERROR_FORMAT, "state ends inside field %s: %zu of %zu bytes", f->name,
                         *size, need);
    if (!bools_valid(f, *bytes))
        return error_set(err, ERROR_FORMAT, "field %s is neither false nor true", f->name);
    memcpy(to, *bytes, need);
    *bytes += need;
    *size -= need;
    return true;
}

bool fields_load(const struct fields *table, void *state, const uint8_t **bytes, size_t *size,
                 struct error *err)
{
    for (uint32_t n = 0; n < table->count; n++)
        if (!load_field(&table->field[n], state, bytes, size, err))
            return error_prefix(err, "%s", table->name);
    return true;
}

uint64_t fields_digest(const struct fields *table, const void *state)
{
    struct buffer saved;
    buffer_init(&saved);
    buffer_reserve(&saved, fields_saved_size(table));
    fields_save(table, state, &saved);
    uint64_t digest = hash_bytes(saved.data, saved.size, 0);
    buffer_fini(&saved);
    return digest;
}

static void element_name(const struct field *f, const char *prefix, uint32_t i, char *name,
                         size_t size)
{
    if (f->count == 1)
        snprintf(name, size, "%s.%s", prefix, f->name);
    else
        snprintf(name, size, "%s.%s[%" PRIu32 "]", prefix, f->name, i);
}

size_t fields_diff(const struct fields *table, const void *a, const void *b, const char *prefix,
                   size_t limit, struct buffer *out)
{
    size_t differ = 0;
    for (uint32_t n = 0; n < table->count; n++) {
        const struct field *f = &table->field[n];
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
                buffer_printf(out, "%s: %#" PRIx64 " -> %#" PRIx64 "\n", name,
                              load_le(one, f->size), load_le(two, f->size));
        }
    }
    return differ;
}

static uint32_t run_length(const struct field *f, const void *state, uint32_t from)
{
    uint32_t i = from + 1;
    while (i < f->count && !memcmp(element(f, state, from), element(f, state, i), f->size))
        i++;
    return i - from;
}

void fields_print(const struct fields *table, const void *state, const char *prefix,
                  struct buffer *out)
{
    for (uint32_t n = 0; n < table->count; n++) {
        const struct field *f = &table->field[n];
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
}

void fields_coverage(const struct fields *table, bool *map)
{
    for (uint32_t n = 0; n < table->count; n++) {
        const struct field *f = &table->field[n];
        for (uint32_t i = 0; i < f->count; i++) {
            uint32_t at = f->offset + i * f->size;
            check(at + f->size <= table->size, "%s.%s ends outside its struct", table->name,
                  f->name);
            if (f->nested)
                fields_coverage(f->nested, map + at);
            else
                memset(map + at, true, f->size);
        }
    }
}
