/* A file is read or refused with a reason, whatever is in it; what is read has the size that was
 * said. After a first byte of 0 the rest is the file; otherwise it is a script that makes one of
 * blocks with right checksums, which chance would not find. */
#include "base/check.h"
#include "base/chunk_format.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LOADED_MOST = 64 << 20 };

struct input {
    const uint8_t *at;
    size_t left;
};

/* Zero when there is no more. */
static uint32_t take(struct input *in, size_t size)
{
    if (size > in->left)
        size = in->left;
    uint32_t v = (uint32_t)load_le(in->at, (unsigned)size);
    in->at += size;
    in->left -= size;
    return v;
}

static void put_bytes(struct input *in, struct buffer *file, size_t size)
{
    if (size > in->left)
        size = in->left;
    buffer_append(file, in->at, size);
    in->at += size;
    in->left -= size;
}

/* Contents come from the script as they are, or are zeros that are compressed. */
static void put_chunk(struct input *in, struct buffer *file, uint32_t *number)
{
    struct chunk_header h = {.kind = CHUNK_KIND('F', 'U', 'Z', 'Z')};
    uint32_t how = take(in, 1);
    struct buffer stored = {0};
    h.codec = how & 3;
    if (how & 4)
        h.kind = CHUNK_KIND_INDEX;
    h.number = how & 8 ? take(in, 4) : (*number)++;
    if (how & 16) {
        static const uint8_t zeros[1 << 16];
        uLong count = take(in, 2);
        uLongf packed = compressBound(count);
        compress(buffer_extend(&stored, packed), &packed, zeros, count);
        stored.size = packed;
        h.size = (uint32_t)count;
    } else {
        put_bytes(in, &stored, take(in, 1));
        h.size = (uint32_t)stored.size;
    }
    h.stored = (uint32_t)stored.size;
    h.crc = chunk_crc(stored.data, stored.size);
    if (how & 32)
        h.size = take(in, 4);
    if (how & 64)
        h.stored = take(in, 4);
    uint64_t offset = file->size;
    chunk_header_put(buffer_extend(file, CHUNK_BLOCK), &h, offset);
    if (how & 128)
        file->data[offset + 24]++;
    buffer_append(file, stored.data, stored.size);
    buffer_fini(&stored);
}

static void put_trailer(struct input *in, struct buffer *file)
{
    struct chunk_trailer t = {.index = take(in, 2), .chunks = take(in, 4)};
    uint64_t offset = file->size;
    chunk_trailer_put(buffer_extend(file, CHUNK_BLOCK), &t, offset);
}

static void put_script(struct input *in, struct buffer *file)
{
    uint32_t number = 0;
    chunk_file_header_put(buffer_extend(file, CHUNK_BLOCK));
    while (in->left) {
        switch (take(in, 1) % 8) {
        case 0:
            put_bytes(in, file, take(in, 1));
            break;
        case 1:
            put_trailer(in, file);
            break;
        case 2:
            store_le32(file->data + 8, take(in, 4));
            chunk_block_seal(file->data, 0);
            break;
        case 3:
            file->data[take(in, 2) % file->size] ^= (uint8_t)take(in, 1);
            break;
        default:
            put_chunk(in, file, &number);
        }
    }
}

static void check_loads(struct chunk_reader *r, const struct chunk *c)
{
    struct buffer out = {0};
    struct error err = ERROR_INIT;
    if (chunk_reader_load(r, c, &out, &err))
        check(out.size == c->size, "%zu bytes, not %" PRIu32, out.size, c->size);
    else
        check(!out.size && err.code && *err.message && !strchr(err.message, '\n'), "\"%s\"",
              err.message);
    buffer_fini(&out);
}

static void check_reader(struct chunk_reader *r)
{
    size_t loaded = 0;
    uint64_t end = CHUNK_BLOCK;
    const char *damage = chunk_reader_damage(r);
    check(!damage || (*damage && !strchr(damage, '\n')), "\"%s\"", damage);
    check(chunk_reader_complete(r) || damage, "neither closed nor damaged");
    for (size_t i = 0; i < chunk_reader_count(r); i++) {
        const struct chunk *c = chunk_reader_chunk(r, i);
        check(c->offset >= end && c->size <= CHUNK_MOST && c->stored <= c->size,
              "chunk %zu at %" PRIu64, i, c->offset);
        check(chunk_reader_find(r, c->number) == c, "chunk %zu is not found", i);
        end = c->offset + CHUNK_BLOCK + c->stored;
        if ((loaded += c->size) <= LOADED_MOST)
            check_loads(r, c);
    }
    check(end <= chunk_reader_bytes(r), "chunks end at %" PRIu64, end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct buffer file = {0};
    if (take(&in, 1))
        put_script(&in, &file);
    else
        put_bytes(&in, &file, in.left);
    int fd = memfd_create("chunkfile", MFD_CLOEXEC);
    check(fd >= 0 && pwrite(fd, file.data, file.size, 0) == (ssize_t)file.size, "no memfd");
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct error err = ERROR_INIT;
    struct chunk_reader *r = chunk_reader_open(path, &err);
    if (r) {
        check_reader(r);
        chunk_reader_free(r);
    } else {
        check(err.code && *err.message && !strchr(err.message, '\n'), "\"%s\"", err.message);
    }
    close(fd);
    buffer_fini(&file);
    return 0;
}
