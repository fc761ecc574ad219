#include "base/chunkfile.h"

#include "base/check.h"
#include "base/chunk_format.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* What waits for the thread: a chunk, or with `flush` the wish to have all before it on the disk.
 */
struct item {
    struct item *next;
    struct buffer contents;
    const void *borrowed;
    size_t borrowed_size;
    uint32_t kind, number;
    bool flush;
};

struct chunk_writer {
    char *path;
    int fd;
    pthread_t thread;
    pthread_mutex_t lock; /* of all up to `failure` */
    pthread_cond_t work;  /* the queue or `ending` has changed */
    pthread_cond_t done;  /* something else has */
    struct item *first, **last;
    size_t behind, waiting;
    uint32_t chunks; /* given a number so far */
    uint64_t bytes;  /* whole in the file */
    bool started;    /* the file's header is written, or failed */
    bool ending, abandoned;
    const char *failure; /* the text below; set once */
    /* The thread's own, and after it has ended the caller's. */
    struct buffer failure_text;
    z_stream deflate;
    struct buffer out;   /* a chunk as it goes to the file */
    struct buffer index; /* its rows */
    uint32_t written;    /* chunks in the file */
};

/* An empty chunk costs memory too. */
static size_t cost(const struct item *item)
{
    return CHUNK_BLOCK + item->contents.size + item->borrowed_size;
}

static void item_free(struct item *item)
{
    buffer_fini(&item->contents);
    free(item);
}

/* ---- the file, by the thread ---- */

/* The first failure is the one that is told. */
static void fail(struct chunk_writer *w, const char *what, int error)
{
    if (w->failure)
        return;
    buffer_printf(&w->failure_text, "%s of %s failed: %s", what, w->path, strerror(error));
    const char *text = buffer_text(&w->failure_text);
    pthread_mutex_lock(&w->lock);
    w->failure = text;
    pthread_cond_broadcast(&w->done);
    pthread_mutex_unlock(&w->lock);
}

/* Append the whole of it or nothing, as far as the host lets us. */
static bool append(struct chunk_writer *w, const uint8_t *bytes, size_t size)
{
    uint64_t start = w->bytes;
    for (size_t at = 0; at < size;) {
        ssize_t n = pwrite(w->fd, bytes + at, size - at, (off_t)(start + at));
        if (n > 0) {
            at += (size_t)n;
        } else if (n == 0 || errno != EINTR) {
            fail(w, "writing", n ? errno : ENOSPC);
            /* What is left of it is no chunk, and a reader would tell as much. */
            while (ftruncate(w->fd, (off_t)start) < 0 && errno == EINTR)
                continue;
            return false;
        }
    }
    pthread_mutex_lock(&w->lock);
    w->bytes = start + size;
    pthread_mutex_unlock(&w->lock);
    return true;
}

static void sync_file(struct chunk_writer *w, int (*sync)(int fd))
{
    int status;
    while ((status = sync(w->fd)) < 0 && errno == EINTR)
        continue;
    /* EINVAL: this file system has no such thing. */
    if (status < 0 && errno != EINVAL)
        fail(w, "syncing", errno);
}

static bool deflate_part(z_stream *z, const void *bytes, size_t size, int flush)
{
    z->next_in = (uint8_t *)(uintptr_t)bytes;
    z->avail_in = (unsigned)size;
    int status = deflate(z, flush);
    return status == (flush == Z_FINISH ? Z_STREAM_END : Z_OK) && !z->avail_in;
}

/* Append both parts to w->out, compressed when that makes them smaller. */
static enum chunk_codec pack(struct chunk_writer *w, const struct item *item)
{
    size_t own = item->contents.size, size = own + item->borrowed_size;
    if (size > 1) {
        z_stream *z = &w->deflate;
        deflateReset(z);
        z->next_out = buffer_extend(&w->out, size);
        z->avail_out = (unsigned)(size - 1);
        bool smaller = (!own || deflate_part(z, item->contents.data, own, Z_NO_FLUSH)) &&
                       deflate_part(z, item->borrowed, item->borrowed_size, Z_FINISH);
        w->out.size -= smaller ? z->avail_out + 1 : size;
        if (smaller)
            return CHUNK_CODEC_ZLIB;
    }
    buffer_append(&w->out, item->contents.data, own);
    buffer_append(&w->out, item->borrowed, item->borrowed_size);
    return CHUNK_CODEC_NONE;
}

static bool write_chunk(struct chunk_writer *w, const struct item *item)
{
    buffer_clear(&w->out);
    buffer_extend(&w->out, CHUNK_BLOCK);
    struct chunk_header h = {
        .kind = item->kind,
        .number = item->number,
        .codec = (uint8_t)pack(w, item),
        .size = (uint32_t)(item->contents.size + item->borrowed_size),
    };
    h.stored = (uint32_t)(w->out.size - CHUNK_BLOCK);
    h.crc = chunk_crc(w->out.data + CHUNK_BLOCK, h.stored);
    chunk_header_put(w->out.data, &h, w->bytes);
    if (!append(w, w->out.data, w->out.size))
        return false;
    if (h.kind == CHUNK_KIND_INDEX)
        return true;
    uint8_t *row = buffer_extend(&w->index, CHUNK_INDEX_ROW);
    store_le32(row, h.kind);
    store_le32(row + 4, h.stored);
    store_le32(row + 8, h.size);
    w->written++;
    return true;
}

static void process(struct chunk_writer *w, const struct item *item)
{
    if (w->failure)
        return;
    if (item->flush)
        sync_file(w, fdatasync);
    else if (w->written == CHUNKS_MOST)
        fail(w, "writing", EFBIG);
    else
        write_chunk(w, item);
}

/* The index in as many chunks as it needs, and the trailer. */
static bool write_index(struct chunk_writer *w)
{
    enum { PIECE = CHUNK_MOST - CHUNK_MOST % CHUNK_INDEX_ROW };
    struct chunk_trailer trailer = {.index = w->bytes, .chunks = w->written};
    size_t at = 0;
    uint32_t number = w->written;
    do {
        size_t left = w->index.size - at, size = left < PIECE ? left : PIECE;
        struct item piece = {.kind = CHUNK_KIND_INDEX,
                             .number = number++,
                             .borrowed = w->index.data ? w->index.data + at : NULL,
                             .borrowed_size = size};
        if (!write_chunk(w, &piece))
            return false;
        at += size;
    } while (at < w->index.size);
    uint8_t block[CHUNK_BLOCK];
    chunk_trailer_put(block, &trailer, w->bytes);
    return append(w, block, sizeof block);
}

/* ---- the thread ---- */

static void set_started(struct chunk_writer *w)
{
    pthread_mutex_lock(&w->lock);
    w->started = true;
    pthread_cond_broadcast(&w->done);
    pthread_mutex_unlock(&w->lock);
}

/* Waits; NULL: there will be no more. */
static struct item *take(struct chunk_writer *w)
{
    pthread_mutex_lock(&w->lock);
    while (!w->first && !w->ending)
        pthread_cond_wait(&w->work, &w->lock);
    struct item *item = w->abandoned ? NULL : w->first;
    if (item) {
        w->first = item->next;
        if (!w->first)
            w->last = &w->first;
    }
    pthread_mutex_unlock(&w->lock);
    return item;
}

static void *writer_thread(void *ctx)
{
    struct chunk_writer *w = ctx;
    uint8_t block[CHUNK_BLOCK];
    chunk_file_header_put(block);
    append(w, block, sizeof block);
    set_started(w);
    for (struct item *item; (item = take(w));) {
        process(w, item);
        pthread_mutex_lock(&w->lock);
        w->waiting -= cost(item);
        pthread_cond_broadcast(&w->done);
        pthread_mutex_unlock(&w->lock);
        item_free(item);
    }
    /* `abandoned` is set with `ending`, which take has seen. */
    if (!w->abandoned && !w->failure && write_index(w))
        sync_file(w, fsync);
    return NULL;
}

/* Signals are for the program's other threads; SIGXFSZ, which a write beyond a limit of the file's
 * size raises in the thread that writes, stays blocked, so that the write fails. */
static int start_thread(struct chunk_writer *w)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&w->thread, NULL, writer_thread, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

static void end_thread(struct chunk_writer *w, bool abandon)
{
    pthread_mutex_lock(&w->lock);
    w->ending = true;
    w->abandoned = abandon;
    pthread_cond_signal(&w->work);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
}

/* ---- making and ending ---- */

static struct chunk_writer *writer_alloc(const char *path, size_t behind)
{
    struct chunk_writer *w = mem_new(1, sizeof *w);
    w->path = strdup(path);
    check(w->path, "out of memory for a path");
    w->fd = -1;
    w->behind = behind;
    w->last = &w->first;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->work, NULL);
    pthread_cond_init(&w->done, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int status = deflateInit(&w->deflate, 1);
    check(status == Z_OK, "zlib does not start: %d", status);
    return w;
}

static void writer_free(struct chunk_writer *w)
{
    while (w->first) {
        struct item *item = w->first;
        w->first = item->next;
        item_free(item);
    }
    if (w->fd >= 0)
        close(w->fd);
    deflateEnd(&w->deflate);
    pthread_cond_destroy(&w->done);
    pthread_cond_destroy(&w->work);
    pthread_mutex_destroy(&w->lock);
    buffer_fini(&w->failure_text);
    buffer_fini(&w->out);
    buffer_fini(&w->index);
    free(w->path);
    free(w);
}

/* Whoever has put another file under the name keeps it. */
static void remove_file(const struct chunk_writer *w)
{
    struct stat ours, there;
    if (fstat(w->fd, &ours) == 0 && lstat(w->path, &there) == 0 && ours.st_dev == there.st_dev &&
        ours.st_ino == there.st_ino)
        unlink(w->path);
}

static bool open_file(struct chunk_writer *w, struct error *err)
{
    do {
        w->fd = open(w->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    } while (w->fd < 0 && errno == EINTR);
    if (w->fd >= 0)
        return true;
    if (errno == EEXIST)
        return error_set(err, ERROR_BUSY, "%s exists already: remove it, or give another name",
                         w->path);
    return error_set(err, ERROR_IO, "%s cannot be made: %s", w->path, strerror(errno));
}

struct chunk_writer *chunk_writer_new(const char *path, size_t behind, struct error *err)
{
    struct chunk_writer *w = writer_alloc(path, behind);
    if (!open_file(w, err)) {
        writer_free(w);
        return NULL;
    }
    int error = start_thread(w);
    if (error) {
        error_set(err, ERROR_MEMORY, "no thread to write %s: %s", path, strerror(error));
        remove_file(w);
        writer_free(w);
        return NULL;
    }
    pthread_mutex_lock(&w->lock);
    while (!w->started)
        pthread_cond_wait(&w->done, &w->lock);
    pthread_mutex_unlock(&w->lock);
    if (w->failure) {
        error_set(err, ERROR_IO, "%s", w->failure);
        chunk_writer_abandon(w);
        return NULL;
    }
    return w;
}

bool chunk_writer_close(struct chunk_writer *w, struct error *err)
{
    end_thread(w, false);
    /* Some file systems tell only now that there was no room. After EINTR it is closed too. */
    if (close(w->fd) < 0 && errno != EINTR)
        fail(w, "closing", errno);
    w->fd = -1;
    bool good = !w->failure || error_set(err, ERROR_IO, "%s", w->failure);
    writer_free(w);
    return good;
}

void chunk_writer_abandon(struct chunk_writer *w)
{
    end_thread(w, true);
    remove_file(w);
    writer_free(w);
}

/* ---- the queue, by the caller ---- */

static uint32_t enqueue(struct chunk_writer *w, struct item *item)
{
    pthread_mutex_lock(&w->lock);
    uint32_t number = item->number = w->chunks;
    if (!item->flush)
        w->chunks++;
    bool dropped = w->failure;
    if (!dropped) {
        w->waiting += cost(item);
        *w->last = item;
        w->last = &item->next;
        pthread_cond_signal(&w->work);
    }
    pthread_mutex_unlock(&w->lock);
    if (dropped)
        item_free(item);
    return number;
}

uint32_t chunk_writer_add_borrowed(struct chunk_writer *w, uint32_t kind, struct buffer *contents,
                                   const void *bytes, size_t size)
{
    check(kind != CHUNK_KIND_INDEX, "the index is the writer's own");
    check(contents->size <= CHUNK_MOST && size <= CHUNK_MOST - contents->size,
          "a chunk of %zu and %zu bytes", contents->size, size);
    struct item *item = mem_new(1, sizeof *item);
    item->kind = kind;
    item->contents = *contents;
    item->borrowed = bytes;
    item->borrowed_size = size;
    buffer_init(contents);
    return enqueue(w, item);
}

uint32_t chunk_writer_add(struct chunk_writer *w, uint32_t kind, struct buffer *contents)
{
    return chunk_writer_add_borrowed(w, kind, contents, NULL, 0);
}

void chunk_writer_flush(struct chunk_writer *w)
{
    struct item *item = mem_new(1, sizeof *item);
    item->flush = true;
    enqueue(w, item);
}

/* The lock is held. A chunk larger than `behind` goes when it goes alone. */
static bool has_room(const struct chunk_writer *w)
{
    return w->failure || !w->waiting || w->waiting < w->behind;
}

bool chunk_writer_room(struct chunk_writer *w)
{
    pthread_mutex_lock(&w->lock);
    bool room = has_room(w);
    pthread_mutex_unlock(&w->lock);
    return room;
}

/* Further away than a century is never. */
static struct timespec deadline_in(uint64_t ns)
{
    const uint64_t second = 1000000000, most = UINT64_C(3155760000);
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    uint64_t nsec = (uint64_t)t.tv_nsec + ns % second;
    uint64_t seconds = ns / second < most ? ns / second : most;
    t.tv_sec += (time_t)(seconds + nsec / second);
    t.tv_nsec = (long)(nsec % second);
    return t;
}

bool chunk_writer_wait(struct chunk_writer *w, uint64_t ns)
{
    struct timespec deadline = deadline_in(ns);
    pthread_mutex_lock(&w->lock);
    int status = 0;
    while (!has_room(w) && status == 0)
        status = pthread_cond_timedwait(&w->done, &w->lock, &deadline);
    bool room = has_room(w);
    pthread_mutex_unlock(&w->lock);
    return room;
}

size_t chunk_writer_waiting(struct chunk_writer *w)
{
    pthread_mutex_lock(&w->lock);
    size_t waiting = w->waiting;
    pthread_mutex_unlock(&w->lock);
    return waiting;
}

uint64_t chunk_writer_bytes(struct chunk_writer *w)
{
    pthread_mutex_lock(&w->lock);
    uint64_t bytes = w->bytes;
    pthread_mutex_unlock(&w->lock);
    return bytes;
}

const char *chunk_writer_failure(struct chunk_writer *w)
{
    pthread_mutex_lock(&w->lock);
    const char *failure = w->failure;
    pthread_mutex_unlock(&w->lock);
    return failure;
}
