#include "cli/kept_files.h"

#include "base/check.h"
#include "base/spill.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_SIZE = 256 };

struct kept {
    char name[NAME_SIZE];
    uint8_t *bytes; /* a spill_area; NULL when there are none */
    size_t size;
};

struct kept_files {
    struct kept **file; /* each by itself: names stay where they are */
    size_t count;
    struct board_files source;
};

static bool read_once(void *ctx, enum board_file role, const char *path, uint64_t limit,
                      uint8_t **bytes, size_t *size, struct error *err);

struct kept_files *kept_files_new(void)
{
    struct kept_files *k = mem_new(1, sizeof *k);
    k->source = (struct board_files){read_once, k};
    return k;
}

void kept_files_free(struct kept_files *k)
{
    if (!k)
        return;
    for (size_t i = 0; i < k->count; i++) {
        if (k->file[i]->size)
            spill_area_free(k->file[i]->bytes, k->file[i]->size);
        free(k->file[i]);
    }
    free(k->file);
    free(k);
}

static const struct kept *find(const struct kept_files *k, const char *name)
{
    for (size_t i = 0; i < k->count; i++)
        if (!strcmp(k->file[i]->name, name))
            return k->file[i];
    return NULL;
}

/* The first of NAME, NAME~2, NAME~3... that is free; a long one is cut. */
static void choose_name(const struct kept_files *k, const char *name, char chosen[NAME_SIZE])
{
    snprintf(chosen, NAME_SIZE, "%s", name);
    for (unsigned n = 2; find(k, chosen); n++)
        snprintf(chosen, NAME_SIZE, "%.*s~%u", NAME_SIZE - 12, name, n);
}

bool kept_files_add(struct kept_files *k, const char *name, const uint8_t *bytes, size_t size,
                    const char **name_kept, struct error *err)
{
    uint8_t *copy = size ? spill_area_new(size) : NULL;
    if (size && !copy)
        return error_set(err, ERROR_MEMORY, "%s: no memory for %zu bytes", name, size);
    if (size) {
        memcpy(copy, bytes, size);
        spill_area_rest(copy, size);
    }
    struct kept *new = mem_new(1, sizeof *new);
    choose_name(k, name, new->name);
    new->bytes = copy;
    new->size = size;
    k->file = mem_grow(k->file, k->count + 1, sizeof *k->file);
    k->file[k->count++] = new;
    if (name_kept)
        *name_kept = new->name;
    return true;
}

static bool give_again(const struct kept *kept, const char *path, uint64_t limit, uint8_t **bytes,
                       size_t *size, struct error *err)
{
    if (kept->size > limit)
        return error_set(err, ERROR_RANGE, "%s: %zu bytes are too many", path, kept->size);
    *size = kept->size;
    *bytes = malloc(kept->size + 1);
    if (!*bytes)
        return error_set(err, ERROR_MEMORY, "%s: no memory for %zu bytes", path, kept->size);
    if (kept->size) {
        memcpy(*bytes, kept->bytes, kept->size);
        spill_area_rest(kept->bytes, kept->size);
    }
    return true;
}

/* A second board is made from what the first one was made from, whatever has become of the file. */
static bool read_once(void *ctx, enum board_file role, const char *path, uint64_t limit,
                      uint8_t **bytes, size_t *size, struct error *err)
{
    struct kept_files *k = ctx;
    const char *name = board_file_name(role);
    const struct kept *kept = find(k, name);
    if (kept)
        return give_again(kept, path, limit, bytes, size, err);
    if (!board_files_read(NULL, role, path, limit, bytes, size, err))
        return false;
    if (kept_files_add(k, name, *bytes, *size, NULL, err))
        return true;
    free(*bytes);
    return false;
}

const struct board_files *kept_files_source(struct kept_files *k)
{
    return &k->source;
}

static bool is_symbols(const struct kept *kept)
{
    return !strncmp(kept->name, BLOB_SYMBOLS, strlen(BLOB_SYMBOLS));
}

static bool same_bytes(const struct kept *a, const struct kept *b)
{
    if (a == b || !a->size || a->size != b->size)
        return a == b;
    bool same = !memcmp(a->bytes, b->bytes, a->size);
    spill_area_rest(a->bytes, a->size);
    spill_area_rest(b->bytes, b->size);
    return same;
}

/* Images are looked for by their own names, whoever has the same bytes: they come first. */
const char *kept_files_holder(const struct kept_files *k, const char *name)
{
    const struct kept *file = find(k, name), *holder = NULL;
    if (!file || !is_symbols(file))
        return name;
    for (size_t i = 0; i < k->count; i++)
        if ((!holder || !is_symbols(k->file[i])) && same_bytes(k->file[i], file)) {
            holder = k->file[i];
            if (!is_symbols(holder))
                break;
        }
    return holder->name;
}

struct recording_blob kept_files_get(const struct kept_files *k, size_t index)
{
    if (index >= k->count)
        return (struct recording_blob){0};
    const struct kept *kept = k->file[index];
    return (struct recording_blob){kept->name, kept->bytes, kept->size};
}
