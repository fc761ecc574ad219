#include "server/disk_export.h"

#include "base/check.h"
#include "base/outfile.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_BLOCKS = 256 };

struct copying {
    const struct disk_background *background;
    const struct overlay *overlay;
    unsigned disk;
    uint64_t data; /* where the background's next data are, at or behind the present block */
    struct outfile out;
    uint8_t chunk[CHUNK_BLOCKS][DISK_BLOCK];
};

static bool read_failed(const struct copying *c, struct error *err)
{
    const struct disk_host *host = &c->background->host;
    return error_set(err, ERROR_IO, "disk image %s: %s", host->name(host->ctx, c->disk),
                     strerror(errno ? errno : EIO));
}

static bool fill_block(struct copying *c, uint64_t block, uint8_t *bytes, struct error *err)
{
    const struct disk_background *b = c->background;
    const uint8_t *page = overlay_page(c->overlay, block);
    uint64_t start = block * DISK_BLOCK;
    if (page) {
        memcpy(bytes, page, DISK_BLOCK);
        return true;
    }
    if (b->next_data && c->data <= start)
        c->data = b->next_data(b->host.ctx, c->disk, start);
    if (b->next_data && c->data >= start + DISK_BLOCK) {
        memset(bytes, 0, DISK_BLOCK);
        return true;
    }
    errno = 0;
    return b->host.read(b->host.ctx, c->disk, block, bytes) || read_failed(c, err);
}

static bool write_disk(struct copying *c, struct error *err)
{
    _Static_assert((int)DISK_BLOCK == (int)OVERLAY_PAGE_SIZE, "a block is a page");
    for (uint64_t first = 0; first < c->overlay->pages; first += CHUNK_BLOCKS) {
        uint64_t left = c->overlay->pages - first;
        unsigned count = left < CHUNK_BLOCKS ? (unsigned)left : CHUNK_BLOCKS;
        for (unsigned i = 0; i < count; i++)
            if (!fill_block(c, first + i, c->chunk[i], err))
                return false;
        if (!outfile_write_sparse(&c->out, first * DISK_BLOCK, c->chunk, count * DISK_BLOCK, err))
            return false;
    }
    return true;
}

bool disk_export(const struct machine *m, unsigned disk, const struct disk_background *background,
                 const char *path, struct error *err)
{
    const struct disk *d = disk_find(m, disk);
    if (!d)
        return error_set(err, ERROR_RANGE, "the machine has no disk %u", disk);
    struct copying *c = mem_new(1, sizeof *c);
    c->background = background;
    c->overlay = &d->overlay;
    c->disk = disk;
    bool ok = outfile_open(&c->out, path, err) && write_disk(c, err) &&
              outfile_commit(&c->out, d->bytes, err);
    outfile_abandon(&c->out);
    free(c);
    return ok;
}
