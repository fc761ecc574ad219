#include "base/outfile.h"

#include "base/buffer.h"
#include "base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAMES = 100, PAGE = 4096 };

static bool failed(const struct outfile *f, struct error *err)
{
    return error_set(err, ERROR_IO, "%s: %s", f->path, strerror(errno));
}

/* A file of a name that was free, beside `path`. */
static bool open_beside(struct outfile *f, const char *path, struct error *err)
{
    struct buffer name = {0};
    f->fd = -1;
    for (unsigned i = 0; i < NAMES && f->fd < 0; i++) {
        buffer_clear(&name);
        buffer_printf(&name, "%s.part%u", path, i);
        f->fd = open(buffer_text(&name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (f->fd < 0 && errno != EEXIST)
            break;
    }
    if (f->fd < 0) {
        error_set(err, ERROR_IO, "%s: %s", buffer_text(&name), strerror(errno));
        buffer_fini(&name);
        return false;
    }
    f->path = strdup(path);
    f->part = strdup(buffer_text(&name));
    check(f->path && f->part, "%s", path);
    buffer_fini(&name);
    return true;
}

bool outfile_open(struct outfile *f, const char *path, struct error *err)
{
    struct stat st;
    *f = (struct outfile){0};
    if (!*path)
        return error_set(err, ERROR_IO, "a file needs a name");
    if (stat(path, &st) < 0) {
        if (errno != ENOENT)
            return error_set(err, ERROR_IO, "%s: %s", path, strerror(errno));
    } else if (!S_ISREG(st.st_mode))
        return error_set(err, ERROR_IO, "%s is there and is no regular file", path);
    if (open_beside(f, path, err))
        return true;
    *f = (struct outfile){0};
    return false;
}

bool outfile_write(struct outfile *f, uint64_t offset, const void *bytes, size_t size,
                   struct error *err)
{
    const uint8_t *from = bytes;
    while (size) {
        ssize_t n = pwrite(f->fd, from, size, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = EIO;
        if (n <= 0)
            return failed(f, err);
        from += n;
        offset += (uint64_t)n;
        size -= (size_t)n;
    }
    return true;
}

static size_t page_end(size_t at, size_t size)
{
    return size - at < PAGE ? size : at + PAGE;
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
    return !bytes[0] && !memcmp(bytes, bytes + 1, size - 1);
}

bool outfile_write_sparse(struct outfile *f, uint64_t offset, const void *bytes, size_t size,
                          struct error *err)
{
    const uint8_t *from = bytes;
    for (size_t at = 0; at < size;) {
        size_t end = at;
        while (end < size && !is_zero(from + end, page_end(end, size) - end))
            end = page_end(end, size);
        if (end > at && !outfile_write(f, offset + at, from + at, end - at, err))
            return false;
        at = end < size ? page_end(end, size) : end;
    }
    return true;
}

bool outfile_commit(struct outfile *f, uint64_t size, struct error *err)
{
    /* On the medium before the name is. */
    bool ok =
        ftruncate(f->fd, (off_t)size) == 0 && fsync(f->fd) == 0 && rename(f->part, f->path) == 0;
    if (!ok) {
        failed(f, err);
        outfile_abandon(f);
        return false;
    }
    close(f->fd);
    free(f->path);
    free(f->part);
    *f = (struct outfile){0};
    return true;
}

void outfile_abandon(struct outfile *f)
{
    if (!f->path)
        return;
    close(f->fd);
    unlink(f->part);
    free(f->path);
    free(f->part);
    *f = (struct outfile){0};
}
