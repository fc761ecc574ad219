/* Chunk files of random chunks, and what was put in them. */
#ifndef TESTS_UNIT_BASE_CHUNK_MODEL_H
#define TESTS_UNIT_BASE_CHUNK_MODEL_H

#include "base/chunk_format.h"
#include "base/chunkfile.h"
#include "base/hash.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_CHUNKS = 24 };

/* What went into a file. */
struct model {
    struct {
        uint32_t kind;
        uint8_t *bytes;
        size_t size;
    } chunk[MOST_CHUNKS];
    size_t count;
};

static inline uint64_t draw(uint64_t *state)
{
    return hash_mix(*state += UINT64_C(0x9e3779b97f4a7c15));
}

static inline const char *folder(void)
{
    const char *chosen = getenv("TMPDIR");
    return chosen && *chosen ? chosen : "/tmp";
}

/* A name in a folder of its own; nothing is there. */
static inline void make_path(char *path, size_t size)
{
    snprintf(path, size, "%s/chunkfile-XXXXXX", folder());
    cr_assert_not_null(mkdtemp(path), "%s", path);
    strncat(path, "/file", size - strlen(path) - 1);
}

static inline void remove_path(char *path)
{
    unlink(path);
    *strrchr(path, '/') = 0;
    rmdir(path);
}

/* Noise, or text that repeats itself. */
static inline uint8_t *draw_bytes(uint64_t *state, size_t size)
{
    uint8_t *bytes = malloc(size + 8);
    bool noise = draw(state) % 2;
    uint64_t v = draw(state);
    for (size_t i = 0; i < size; i += 8) {
        if (noise)
            v = draw(state);
        store_le64(bytes + i, v + (i >> 6));
    }
    return bytes;
}

static inline void model_add(struct model *m, struct chunk_writer *w, uint64_t *state, size_t size)
{
    uint8_t *bytes = draw_bytes(state, size);
    uint32_t kind = CHUNK_KIND('A' + draw(state) % 26, 'B', 'C', ' ');
    size_t borrowed = draw(state) % 2 ? draw(state) % (size + 1) : 0;
    struct buffer contents = {0};
    buffer_append(&contents, bytes, size - borrowed);
    uint32_t number =
        borrowed ? chunk_writer_add_borrowed(w, kind, &contents, bytes + size - borrowed, borrowed)
                 : chunk_writer_add(w, kind, &contents);
    cr_assert_eq(number, m->count);
    cr_assert(!contents.data && !contents.size);
    m->chunk[m->count].kind = kind;
    m->chunk[m->count].bytes = bytes;
    m->chunk[m->count++].size = size;
}

static inline void model_fini(struct model *m)
{
    for (size_t i = 0; i < m->count; i++)
        free(m->chunk[i].bytes);
}

/* A closed file of `count` chunks of at most `most` bytes. */
static inline void write_file(struct model *m, const char *path, uint64_t *state, size_t count,
                              size_t most)
{
    struct error err = ERROR_INIT;
    struct chunk_writer *w = chunk_writer_new(path, 1 << 20, &err);
    cr_assert(w, "%s", err.message);
    while (m->count < count) {
        model_add(m, w, state, draw(state) % (most + 1));
        if (draw(state) % 4 == 0)
            chunk_writer_flush(w);
        cr_assert(chunk_writer_wait(w, UINT64_MAX));
    }
    cr_assert_null(chunk_writer_failure(w));
    cr_assert(chunk_writer_close(w, &err), "%s", err.message);
}

static inline void check_chunk(struct chunk_reader *r, const struct chunk *c, const struct model *m)
{
    struct error err = ERROR_INIT;
    struct buffer out = {0};
    cr_assert_lt(c->number, m->count);
    buffer_append(&out, "before", 6);
    cr_assert(chunk_reader_load(r, c, &out, &err), "%s", err.message);
    cr_assert_eq(c->kind, m->chunk[c->number].kind);
    cr_assert_eq(c->size, m->chunk[c->number].size);
    cr_assert_eq(out.size, 6 + c->size);
    cr_assert(!memcmp(out.data, "before", 6));
    cr_assert(!memcmp(out.data + 6, m->chunk[c->number].bytes, c->size));
    buffer_fini(&out);
}

static inline struct chunk_reader *open_good(const char *path)
{
    struct error err = ERROR_INIT;
    struct chunk_reader *r = chunk_reader_open(path, &err);
    cr_assert(r, "%s", err.message);
    return r;
}

/* The file has these chunks and no others: those from `from` to `to` are missing. */
static inline void check_file(const char *path, const struct model *m, size_t from, size_t to)
{
    struct chunk_reader *r = open_good(path);
    cr_assert_eq(chunk_reader_count(r), m->count - (to - from), "%zu chunks",
                 chunk_reader_count(r));
    for (size_t i = 0; i < chunk_reader_count(r); i++) {
        const struct chunk *c = chunk_reader_chunk(r, i);
        cr_assert_eq(c->number, i < from ? i : i + (to - from));
        cr_assert_eq(chunk_reader_find(r, c->number), c);
        check_chunk(r, c, m);
    }
    for (size_t i = from; i < to; i++)
        cr_assert_null(chunk_reader_find(r, (uint32_t)i));
    cr_assert_null(chunk_reader_find(r, (uint32_t)m->count));
    chunk_reader_free(r);
}

static inline void read_all(const char *path, struct buffer *out)
{
    FILE *f = fopen(path, "rb");
    cr_assert_not_null(f);
    struct stat st;
    fstat(fileno(f), &st);
    buffer_clear(out);
    cr_assert_eq(fread(buffer_extend(out, (size_t)st.st_size), 1, (size_t)st.st_size, f),
                 (size_t)st.st_size);
    fclose(f);
}

/* Without a moment at which it is empty: ext4 brings files that had one to the disk when they are
 * closed, which takes its time. */
static inline void write_all(const char *path, const void *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    cr_assert(fd >= 0 && write(fd, bytes, size) == (ssize_t)size &&
              ftruncate(fd, (off_t)size) == 0);
    close(fd);
}

static inline void check_damage(const char *path, const char *damage)
{
    struct chunk_reader *r = open_good(path);
    if (!damage)
        cr_assert_null(chunk_reader_damage(r), "%s", chunk_reader_damage(r));
    else
        cr_assert_str_eq(chunk_reader_damage(r), damage);
    chunk_reader_free(r);
}

static inline void check_refused(const char *path, enum error_code code, const char *part)
{
    struct error err = ERROR_INIT;
    cr_assert_null(chunk_reader_open(path, &err));
    cr_assert_eq(err.code, code, "%d: %s", err.code, err.message);
    cr_assert(strstr(err.message, part) && strstr(err.message, path), "%s", err.message);
}

#endif
