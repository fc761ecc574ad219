#include "base/chunkfile.h"

#include "base/check.h"
#include "base/chunk_format.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    WINDOW = 1 << 20, /* bytes read at a time when all are looked at */
    BAD_SECTOR = 4096 /* what is passed over where the host cannot read */
};

struct chunk_reader {
    char *path;
    int fd;
    uint64_t size;
    struct chunk *chunk; /* by number */
    size_t count, capacity;
    bool header_damaged, complete;
    struct buffer stored; /* of the chunk that is being loaded */
    z_stream inflate;
    struct buffer damage; /* a string; empty: none */
};

/* ---- reading ---- */

/* errno is 0 where the file has ended. */
static bool read_at(const struct chunk_reader *r, uint64_t offset, void *bytes, size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t n = pread(r->fd, (uint8_t *)bytes + at, size - at, (off_t)(offset + at));
        if (n > 0) {
            at += (size_t)n;
        } else if (n == 0) {
            errno = 0;
            return false;
        } else if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

static const char *why(int error)
{
    return error ? strerror(error) : "it has become shorter meanwhile";
}

/* The header of the chunk at `offset`, whose contents the file has room for. */
static bool header_at(const struct chunk_reader *r, uint64_t offset, struct chunk_header *h)
{
    uint8_t block[CHUNK_BLOCK];
    return offset <= r->size && r->size - offset >= CHUNK_BLOCK &&
           read_at(r, offset, block, sizeof block) && chunk_header_get(h, block, offset) &&
           h->stored <= r->size - offset - CHUNK_BLOCK;
}

static bool trailer_at(const struct chunk_reader *r, uint64_t offset, struct chunk_trailer *t)
{
    uint8_t block[CHUNK_BLOCK];
    return r->size - offset >= CHUNK_BLOCK && read_at(r, offset, block, sizeof block) &&
           chunk_trailer_get(t, block, offset);
}

/* The CRC of `stored` is right already. */
static bool unpack(struct chunk_reader *r, const struct chunk_header *h, const uint8_t *stored,
                   uint8_t *out)
{
    z_stream *z = &r->inflate;
    inflateReset(z);
    z->next_in = (uint8_t *)(uintptr_t)stored;
    z->avail_in = h->stored;
    z->next_out = out;
    z->avail_out = h->size;
    return inflate(z, Z_FINISH) == Z_STREAM_END && !z->avail_in && !z->avail_out;
}

static bool load_failed(const struct chunk_reader *r, uint64_t offset, const struct chunk_header *h,
                        enum error_code code, const char *what, struct error *err)
{
    char kind[4];
    for (int i = 0; i < 4; i++) {
        char letter = (char)(h->kind >> 8 * i);
        kind[i] = letter >= ' ' && letter <= '~' ? letter : '?';
    }
    return error_set(err, code,
                     "chunk %" PRIu32 " (%.4s) at byte %" PRIu64 " of %s cannot be read: %s",
                     h->number, kind, offset, r->path, what);
}

/* Append the contents of the chunk at `offset`, or nothing. */
static bool load(struct chunk_reader *r, uint64_t offset, const struct chunk_header *h,
                 struct buffer *out, struct error *err)
{
    size_t before = out->size;
    bool raw = h->codec == CHUNK_CODEC_NONE;
    struct buffer *to = raw ? out : &r->stored;
    if (!raw)
        buffer_clear(to);
    uint8_t *bytes = buffer_extend(to, h->stored);
    bool good = true;
    if (!read_at(r, offset + CHUNK_BLOCK, bytes, h->stored))
        good = load_failed(r, offset, h, ERROR_IO, why(errno), err);
    else if (chunk_crc(bytes, h->stored) != h->crc)
        good = load_failed(r, offset, h, ERROR_FORMAT, "it is damaged", err);
    else if (!raw && !unpack(r, h, bytes, buffer_extend(out, h->size)))
        good = load_failed(r, offset, h, ERROR_FORMAT, "it does not decompress", err);
    if (!good)
        out->size = before;
    return good;
}

/* ---- the table of chunks ---- */

static bool add_chunk(struct chunk_reader *r, const struct chunk *c, struct error *err)
{
    if (r->count == r->capacity) {
        size_t capacity = r->capacity ? 2 * r->capacity : 256;
        struct chunk *grown = realloc(r->chunk, capacity * sizeof *grown);
        if (!grown)
            return error_set(err, ERROR_MEMORY, "%s: no memory for a table of %zu chunks", r->path,
                             capacity);
        r->chunk = grown;
        r->capacity = capacity;
    }
    r->chunk[r->count++] = *c;
    return true;
}

/* ---- with the index ---- */

/* Chunks lie one behind the other; *at is where the next one is. */
static bool add_rows(struct chunk_reader *r, const struct buffer *rows,
                     const struct chunk_trailer *t, uint64_t *at, struct error *err)
{
    for (size_t i = 0; i < rows->size; i += CHUNK_INDEX_ROW) {
        const uint8_t *row = rows->data + i;
        struct chunk c = {.kind = load_le32(row),
                          .number = (uint32_t)r->count,
                          .stored = load_le32(row + 4),
                          .size = load_le32(row + 8),
                          .offset = *at};
        uint64_t left = t->index - *at;
        if (r->count == t->chunks || c.kind == CHUNK_KIND_INDEX || c.size > CHUNK_MOST ||
            c.stored > c.size || left < CHUNK_BLOCK || c.stored > left - CHUNK_BLOCK)
            return false;
        *at += CHUNK_BLOCK + c.stored;
        if (!add_chunk(r, &c, err))
            return false;
    }
    return true;
}

static bool add_index(struct chunk_reader *r, const struct chunk_trailer *t, uint64_t trailer,
                      struct error *err)
{
    struct buffer rows = {0};
    uint64_t at = CHUNK_BLOCK, piece = t->index;
    bool good = true;
    struct error ignored;
    for (uint32_t number = t->chunks; good && piece < trailer; number++) {
        struct chunk_header h;
        buffer_clear(&rows);
        good = header_at(r, piece, &h) && h.kind == CHUNK_KIND_INDEX && h.number == number &&
               h.size % CHUNK_INDEX_ROW == 0 && load(r, piece, &h, &rows, &ignored) &&
               add_rows(r, &rows, t, &at, err);
        piece += good ? CHUNK_BLOCK + h.stored : 0;
    }
    buffer_fini(&rows);
    return good && piece == trailer && at == t->index && r->count == t->chunks;
}

/* False with no error set: there is no index that can be trusted. */
static bool read_index(struct chunk_reader *r, struct error *err)
{
    struct chunk_trailer t;
    if (r->size < 3 * CHUNK_BLOCK)
        return false;
    uint64_t trailer = r->size - CHUNK_BLOCK;
    if (!trailer_at(r, trailer, &t) || t.index < CHUNK_BLOCK || t.index > trailer ||
        t.chunks > CHUNKS_MOST || t.chunks > t.index / CHUNK_BLOCK)
        return false;
    if (add_index(r, &t, trailer, err)) {
        r->complete = true;
        return true;
    }
    r->count = 0;
    return false;
}

/* ---- without it ---- */

struct scan {
    struct chunk_reader *r;
    uint8_t *window;
    uint64_t next; /* the lowest number that may come */
    uint64_t lost; /* chunks with numbers that were passed over */
    uint64_t bad_places, bad_bytes, bad_end, first_bad, first_bad_bytes;
    const char *cut; /* what the file ends inside of; NULL: nothing */
    uint64_t cut_at;
};

static void note_damage(struct scan *s, uint64_t offset, uint64_t bytes)
{
    if (!s->bad_places || offset != s->bad_end)
        s->bad_places++;
    if (s->bad_places == 1 && !s->first_bad_bytes)
        s->first_bad = offset;
    if (s->bad_places == 1)
        s->first_bad_bytes += bytes;
    s->bad_bytes += bytes;
    s->bad_end = offset + bytes;
}

static void note_cut(struct scan *s, const char *what, uint64_t offset)
{
    s->cut = what;
    s->cut_at = offset;
}

/* Is it a header that may come next? Numbers only rise, those of the index beyond the others. */
static bool follows(const struct scan *s, const uint8_t *block, uint64_t offset,
                    struct chunk_header *h)
{
    return chunk_header_get(h, block, offset) && h->number >= s->next &&
           h->number < CHUNKS_MOST + (h->kind == CHUNK_KIND_INDEX ? CHUNK_INDEXES_MOST : 0);
}

/* The offset of the first chunk or trailer that begins within the window, or where to go on. */
static uint64_t search_window(const struct scan *s, uint64_t from, size_t size, bool *found)
{
    const uint8_t *at = s->window, *end = at + size - (CHUNK_BLOCK - 1);
    struct chunk_header h;
    struct chunk_trailer t;
    for (; (at = memchr(at, CHUNK_MAGIC_FIRST, (size_t)(end - at))); at++) {
        uint64_t offset = from + (uint64_t)(at - s->window);
        *found = follows(s, at, offset, &h) || chunk_trailer_get(&t, at, offset);
        if (*found)
            return offset;
    }
    return from + size - (CHUNK_BLOCK - 1);
}

/* The next place from `from` on where a chunk or a trailer begins; the file's size: nowhere. */
static uint64_t search(const struct scan *s, uint64_t from)
{
    const struct chunk_reader *r = s->r;
    bool found = false;
    while (!found && from < r->size && r->size - from >= CHUNK_BLOCK) {
        /* Holes are not worth reading, however large the file claims to be. */
        off_t data = lseek(r->fd, (off_t)from, SEEK_DATA);
        if (data < 0 && errno == ENXIO)
            return r->size;
        if (data > (off_t)from) {
            from = (uint64_t)data;
            continue;
        }
        size_t size = r->size - from < WINDOW ? (size_t)(r->size - from) : WINDOW;
        bool readable = read_at(r, from, s->window, size);
        if (!readable && size > BAD_SECTOR) {
            size = BAD_SECTOR;
            readable = read_at(r, from, s->window, size);
        }
        from = readable ? search_window(s, from, size, &found) : from + size;
    }
    return found ? from : r->size;
}

static bool stored_is_good(const struct scan *s, uint64_t offset, const struct chunk_header *h)
{
    uLong crc = crc32(0, NULL, 0);
    for (uint32_t at = 0; at < h->stored;) {
        uint32_t size = h->stored - at < WINDOW ? h->stored - at : WINDOW;
        if (!read_at(s->r, offset + CHUNK_BLOCK + at, s->window, size))
            return false;
        crc = crc32(crc, s->window, size);
        at += size;
    }
    return crc == h->crc;
}

/* A good header; *end is where its chunk ends. */
static bool scan_chunk(struct scan *s, uint64_t offset, const struct chunk_header *h, uint64_t *end,
                       struct error *err)
{
    struct chunk_reader *r = s->r;
    bool index = h->kind == CHUNK_KIND_INDEX;
    if (h->stored > r->size - offset - CHUNK_BLOCK) {
        note_cut(s, "the chunk", offset);
        *end = r->size;
        return true;
    }
    *end = offset + CHUNK_BLOCK + h->stored;
    s->lost += h->number - s->next;
    s->next = (uint64_t)h->number + 1;
    r->complete |= index;
    if (!stored_is_good(s, offset, h)) {
        note_damage(s, offset, *end - offset);
        s->lost += !index;
        return true;
    }
    struct chunk c = {.kind = h->kind,
                      .number = h->number,
                      .size = h->size,
                      .stored = h->stored,
                      .offset = offset};
    return index || add_chunk(r, &c, err);
}

/* Does what is too short for a block begin like one? */
static bool is_cut_off(struct scan *s, const uint8_t *bytes, size_t left, uint64_t offset)
{
    size_t magic = left < CHUNK_MAGIC_SIZE ? left : CHUNK_MAGIC_SIZE;
    bool chunk = memcmp(bytes, CHUNK_MAGIC, magic) == 0;
    if (!chunk && memcmp(bytes, CHUNK_TRAILER_MAGIC, magic) != 0)
        return false;
    note_cut(s, chunk ? "the chunk" : "the trailer", offset);
    return true;
}

static bool scan_blocks(struct scan *s, struct error *err)
{
    struct chunk_reader *r = s->r;
    struct chunk_header h;
    struct chunk_trailer t;
    for (uint64_t at = CHUNK_BLOCK; at < r->size;) {
        uint8_t block[CHUNK_BLOCK];
        size_t left = r->size - at < CHUNK_BLOCK ? (size_t)(r->size - at) : CHUNK_BLOCK;
        bool readable = read_at(r, at, block, left), whole = readable && left == CHUNK_BLOCK;
        if (whole && follows(s, block, at, &h)) {
            if (!scan_chunk(s, at, &h, &at, err))
                return false;
        } else if (whole && chunk_trailer_get(&t, block, at)) {
            r->complete = true;
            s->lost += t.chunks > s->next ? t.chunks - s->next : 0;
            at += CHUNK_BLOCK;
        } else if (readable && !whole && is_cut_off(s, block, left, at)) {
            at = r->size;
        } else {
            uint64_t next = search(s, at + 1);
            note_damage(s, at, next - at);
            at = next;
        }
    }
    return true;
}

static void describe(const struct scan *s)
{
    struct buffer *out = &s->r->damage;
    if (s->r->header_damaged)
        buffer_printf(out, "; the file's header is damaged");
    if (s->bad_places)
        buffer_printf(out, "; %" PRIu64 " bytes at byte %" PRIu64 " are damaged",
                      s->first_bad_bytes, s->first_bad);
    if (s->bad_places > 1)
        buffer_printf(out, ", and %" PRIu64 " more elsewhere", s->bad_bytes - s->first_bad_bytes);
    if (s->lost)
        buffer_printf(out, "; chunks that are lost: %" PRIu64, s->lost);
    if (s->cut)
        buffer_printf(out, "; the file ends at byte %" PRIu64 ", inside %s at byte %" PRIu64,
                      s->r->size, s->cut, s->cut_at);
    if (!s->r->complete)
        buffer_printf(out, "; the file was never closed");
    if (!out->size)
        buffer_printf(out, "; the index is missing or does not fit");
    buffer_consume(out, 2);
    buffer_text(out);
}

static bool scan_file(struct chunk_reader *r, struct error *err)
{
    size_t window = r->size < WINDOW ? (size_t)r->size : WINDOW;
    struct scan s = {.r = r, .window = mem_new(window, 1)};
    bool good = scan_blocks(&s, err);
    describe(&s);
    free(s.window);
    return good;
}

/* ---- opening ---- */

static bool open_file(struct chunk_reader *r, struct error *err)
{
    /* Opening a FIFO without a writer would wait for one. */
    do {
        r->fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    } while (r->fd < 0 && errno == EINTR);
    struct stat st;
    if (r->fd < 0 || fstat(r->fd, &st) < 0)
        return error_set(err, ERROR_IO, "%s cannot be opened: %s", r->path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return error_set(err, ERROR_FORMAT, "%s is a folder, not a recording", r->path);
    if (!S_ISREG(st.st_mode))
        return error_set(err, ERROR_FORMAT,
                         "%s is no regular file, so no recording: copy it to one", r->path);
    r->size = (uint64_t)st.st_size;
    return true;
}

static bool not_ours(const struct chunk_reader *r, const uint8_t *block, size_t size,
                     struct error *err)
{
    if (size >= 4 && (block[0] & 0x7f) == (CHUNK_MAGIC_FIRST & 0x7f) &&
        memcmp(block + 1, "BSR", 3) == 0)
        return error_set(err, ERROR_FORMAT,
                         "%s was changed on its way, as text is: transfer it as a binary file",
                         r->path);
    return error_set(err, ERROR_FORMAT, "%s is not a recording: it begins otherwise", r->path);
}

static bool check_header(struct chunk_reader *r, struct error *err)
{
    uint8_t block[CHUNK_BLOCK] = {0};
    size_t size = r->size < CHUNK_BLOCK ? (size_t)r->size : CHUNK_BLOCK;
    if (!read_at(r, 0, block, size))
        return error_set(err, ERROR_IO, "%s cannot be read: %s", r->path, why(errno));
    if (!size)
        return error_set(err, ERROR_FORMAT, "%s is empty", r->path);
    size_t magic = size < CHUNK_FILE_MAGIC_SIZE ? size : CHUNK_FILE_MAGIC_SIZE;
    bool ours = memcmp(block, CHUNK_FILE_MAGIC, magic) == 0;
    if (ours && size < CHUNK_BLOCK)
        return error_set(err, ERROR_FORMAT, "%s ends inside its header: it has %zu of %d bytes",
                         r->path, size, CHUNK_BLOCK);
    uint32_t version = load_le32(block + 8);
    if (ours && chunk_block_sealed(block, 0)) {
        if (version != CHUNK_FILE_VERSION)
            return error_set(err, ERROR_UNSUPPORTED,
                             "%s has version %" PRIu32 " of the format, and this backstep reads "
                             "version %d: open it with the one that it was made with",
                             r->path, version, CHUNK_FILE_VERSION);
        return true;
    }
    /* What comes after the header may be good all the same. */
    struct chunk_header h;
    r->header_damaged = true;
    return ours || header_at(r, CHUNK_BLOCK, &h) || not_ours(r, block, size, err);
}

static bool read_table(struct chunk_reader *r, struct error *err)
{
    struct error index = ERROR_INIT;
    if (!read_index(r, &index)) {
        if (index.code)
            *err = index;
        return !index.code && scan_file(r, err);
    }
    if (r->header_damaged) {
        buffer_append_string(&r->damage, "the file's header is damaged");
        buffer_text(&r->damage);
    }
    return true;
}

struct chunk_reader *chunk_reader_open(const char *path, struct error *err)
{
    struct chunk_reader *r = mem_new(1, sizeof *r);
    r->path = strdup(path);
    check(r->path, "out of memory for a path");
    /* zlib's own checksum is not looked at: there is the chunk's. */
    int status = inflateInit(&r->inflate);
    check(status == Z_OK && inflateValidate(&r->inflate, 0) == Z_OK, "zlib does not start: %d",
          status);
    if (open_file(r, err) && check_header(r, err) && read_table(r, err))
        return r;
    chunk_reader_free(r);
    return NULL;
}

void chunk_reader_free(struct chunk_reader *r)
{
    if (r->fd >= 0)
        close(r->fd);
    inflateEnd(&r->inflate);
    buffer_fini(&r->stored);
    buffer_fini(&r->damage);
    free(r->chunk);
    free(r->path);
    free(r);
}

/* ---- what is in it ---- */

size_t chunk_reader_count(const struct chunk_reader *r)
{
    return r->count;
}

const struct chunk *chunk_reader_chunk(const struct chunk_reader *r, size_t index)
{
    check(index < r->count, "chunk %zu of %zu", index, r->count);
    return &r->chunk[index];
}

const struct chunk *chunk_reader_find(const struct chunk_reader *r, uint32_t number)
{
    size_t low = 0, high = r->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (r->chunk[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < r->count && r->chunk[low].number == number ? &r->chunk[low] : NULL;
}

bool chunk_reader_load(struct chunk_reader *r, const struct chunk *chunk, struct buffer *out,
                       struct error *err)
{
    struct chunk_header h, wanted = {.kind = chunk->kind, .number = chunk->number};
    if (!header_at(r, chunk->offset, &h) || h.kind != chunk->kind || h.number != chunk->number ||
        h.size != chunk->size || h.stored != chunk->stored)
        return load_failed(r, chunk->offset, &wanted, ERROR_FORMAT, "its header is damaged", err);
    return load(r, chunk->offset, &h, out, err);
}

bool chunk_reader_complete(const struct chunk_reader *r)
{
    return r->complete;
}

const char *chunk_reader_damage(const struct chunk_reader *r)
{
    return r->damage.size ? (const char *)r->damage.data : NULL;
}

uint64_t chunk_reader_bytes(const struct chunk_reader *r)
{
    return r->size;
}

const char *chunk_reader_path(const struct chunk_reader *r)
{
    return r->path;
}
