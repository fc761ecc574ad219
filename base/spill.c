#include "base/spill.h"

#include "base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct spill {
    int fd;    /* -1: not made yet */
    void **at; /* the piece at offset i * SPILL_PIECE; NULL: free */
    size_t used, places, capacity;
    bool failed;
    char failure[256];
};

struct spill *spill_new(void)
{
    struct spill *s = mem_new(1, sizeof *s);
    s->fd = -1;
    return s;
}

void spill_free(struct spill *s)
{
    for (size_t i = 0; i < s->places; i++)
        if (s->at[i])
            munmap(s->at[i], SPILL_PIECE);
    if (s->fd >= 0)
        close(s->fd);
    free(s->at);
    free(s);
}

static const char *folder(void)
{
    const char *chosen = getenv("TMPDIR");
    return chosen && *chosen ? chosen : "/var/tmp";
}

static void *fail(struct spill *s, const char *what, int error)
{
    s->failed = true;
    snprintf(s->failure, sizeof s->failure, "%s in %s: %s", what, folder(), strerror(error));
    return NULL;
}

/* A file without a name; -1: errno says why. */
static int make_file(void)
{
    char path[4096];
    int size = snprintf(path, sizeof path, "%s/backstep-XXXXXX", folder());
    if (size >= (int)sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

void *map_aligned(size_t size, int protection)
{
    uint8_t *low = mmap(NULL, 2 * size, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (low == MAP_FAILED)
        return NULL;
    uint8_t *start = (uint8_t *)(((uintptr_t)low + size - 1) & ~(uintptr_t)(size - 1));
    uint8_t *end = start + size;
    if (start > low)
        munmap(low, (size_t)(start - low));
    if (end < low + 2 * size)
        munmap(end, (size_t)(low + 2 * size - end));
    return start;
}

static size_t free_place(struct spill *s)
{
    for (size_t i = 0; s->used < s->places && i < s->places; i++)
        if (!s->at[i])
            return i;
    if (s->places == s->capacity) {
        s->capacity = s->capacity ? 2 * s->capacity : 64;
        s->at = mem_grow(s->at, s->capacity, sizeof *s->at);
    }
    s->at[s->places] = NULL;
    return s->places++;
}

void *spill_take(struct spill *s)
{
    if (s->fd < 0)
        s->fd = make_file();
    if (s->fd < 0)
        return fail(s, "no file", errno);
    size_t place = free_place(s);
    off_t offset = (off_t)place * SPILL_PIECE;
    /* A disk that is full says so here and not as a signal at the first write. */
    int error = posix_fallocate(s->fd, offset, SPILL_PIECE);
    if (error)
        return fail(s, "no room", error);
    void *piece = map_aligned(SPILL_PIECE, PROT_NONE);
    if (!piece || mmap(piece, SPILL_PIECE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, s->fd,
                       offset) == MAP_FAILED) {
        error = errno;
        if (piece)
            munmap(piece, SPILL_PIECE);
        return fail(s, "no mapping of a file", error);
    }
    s->at[place] = piece;
    s->used++;
    s->failed = false;
    return piece;
}

void spill_give(struct spill *s, void *piece)
{
    size_t place = 0;
    while (place < s->places && s->at[place] != piece)
        place++;
    check(place < s->places, "no piece of this file");
    munmap(piece, SPILL_PIECE);
    fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)place * SPILL_PIECE,
              SPILL_PIECE);
    s->at[place] = NULL;
    s->used--;
}

void spill_rest(void *piece)
{
    madvise(piece, SPILL_PIECE, MADV_DONTNEED);
}

void spill_rest_all(struct spill *s)
{
    for (size_t i = 0; i < s->places; i++)
        if (s->at[i])
            spill_rest(s->at[i]);
}

const char *spill_failure(const struct spill *s)
{
    return s->failed ? s->failure : NULL;
}

size_t spill_bytes(const struct spill *s)
{
    return s->used * SPILL_PIECE;
}

/* ---- areas ---- */

static void *map_file(size_t size)
{
    int fd = make_file();
    if (fd < 0)
        return NULL;
    void *area = posix_fallocate(fd, 0, (off_t)size)
                     ? MAP_FAILED
                     : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return area == MAP_FAILED ? NULL : area;
}

void *spill_area_new(size_t size)
{
    void *area = map_file(size);
    if (area)
        return area;
    area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return area == MAP_FAILED ? NULL : area;
}

void spill_area_free(void *area, size_t size)
{
    munmap(area, size);
}

/* Shared mappings keep their contents, those without a file too. */
void spill_area_rest(void *area, size_t size)
{
    madvise(area, size, MADV_DONTNEED);
}
