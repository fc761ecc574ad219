#include "devices/disk.h"

#include "base/check.h"

#include <inttypes.h>
#include <string.h>

_Static_assert((int)OVERLAY_PAGE_SIZE == (int)DISK_BLOCK,
               "a page of the overlay covers a block of the image");

static const char *const overlay_name[] = {"disk0", "disk1", "disk2", "disk3",
                                           "disk4", "disk5", "disk6", "disk7"};
enum { MOST = sizeof overlay_name / sizeof *overlay_name };

void disk_init(struct disk *d, struct machine *m, unsigned index, uint64_t bytes, bool read_only)
{
    check(index < MOST, "disk %u of %u", index, MOST);
    check(bytes && bytes <= DISK_MOST && bytes % DISK_SECTOR == 0, "disk of %" PRIu64 " bytes",
          bytes);
    *d = (struct disk){.machine = m, .index = index, .bytes = bytes, .read_only = read_only};
    overlay_init(&d->overlay, overlay_name[index], (bytes + DISK_BLOCK - 1) / DISK_BLOCK);
    machine_add_overlay(m, &d->overlay);
}

void disk_fini(struct disk *d)
{
    overlay_fini(&d->overlay);
}

/* The part of a request that lies in one page. */
struct piece {
    uint64_t page;
    uint32_t offset, size;
};

static struct piece piece_at(const struct disk *d, uint64_t offset, uint64_t size)
{
    check(disk_contains(d, offset, size), "%s: %" PRIu64 " bytes at %" PRIu64 " of %" PRIu64,
          d->overlay.name, size, offset, d->bytes);
    struct piece p = {.page = offset / DISK_BLOCK, .offset = offset % DISK_BLOCK};
    p.size = DISK_BLOCK - p.offset;
    if (size < p.size)
        p.size = (uint32_t)size;
    return p;
}

static bool read_image(struct disk *d, uint64_t block, uint8_t *bytes)
{
    return machine_disk_read(d->machine, d->index, block, bytes);
}

static bool read_piece(struct disk *d, struct piece p, uint8_t *to)
{
    const uint8_t *page = overlay_page(&d->overlay, p.page);
    if (!page && p.size == DISK_BLOCK)
        return read_image(d, p.page, to);
    uint8_t block[DISK_BLOCK];
    if (!page && !read_image(d, p.page, block))
        return false;
    memcpy(to, (page ? page : block) + p.offset, p.size);
    return true;
}

/* The page for writing a part of it; NULL: the host cannot read the rest. */
static uint8_t *page_to_change(struct disk *d, uint64_t page)
{
    bool fresh;
    if (overlay_page(&d->overlay, page))
        return overlay_write(&d->overlay, page, &fresh);
    /* Read first: a page that cannot be filled does not become the overlay's. */
    uint8_t block[DISK_BLOCK];
    if (!read_image(d, page, block))
        return NULL;
    uint8_t *bytes = overlay_write(&d->overlay, page, &fresh);
    memcpy(bytes, block, sizeof block);
    return bytes;
}

static bool write_piece(struct disk *d, struct piece p, const uint8_t *from)
{
    bool fresh;
    uint8_t *page = p.size == DISK_BLOCK ? overlay_write(&d->overlay, p.page, &fresh)
                                         : page_to_change(d, p.page);
    if (page)
        memcpy(page + p.offset, from, p.size);
    return page;
}

/* All of the page that is on the disk: what is behind the end is zeroes anyway. */
static bool is_whole(const struct disk *d, struct piece p)
{
    return !p.offset && (p.size == DISK_BLOCK || p.page * DISK_BLOCK + p.size == d->bytes);
}

static bool zero_piece(struct disk *d, struct piece p)
{
    if (is_whole(d, p)) {
        overlay_zero(&d->overlay, p.page);
        return true;
    }
    uint8_t *page = page_to_change(d, p.page);
    if (page)
        memset(page + p.offset, 0, p.size);
    return page;
}

bool disk_read(struct disk *d, uint64_t offset, void *bytes, uint64_t size)
{
    uint8_t *to = bytes;
    while (size) {
        struct piece p = piece_at(d, offset, size);
        if (!read_piece(d, p, to))
            return false;
        to += p.size, offset += p.size, size -= p.size;
    }
    return true;
}

bool disk_write(struct disk *d, uint64_t offset, const void *bytes, uint64_t size)
{
    const uint8_t *from = bytes;
    while (size) {
        struct piece p = piece_at(d, offset, size);
        if (!write_piece(d, p, from))
            return false;
        from += p.size, offset += p.size, size -= p.size;
    }
    return true;
}

bool disk_zero(struct disk *d, uint64_t offset, uint64_t size)
{
    while (size) {
        struct piece p = piece_at(d, offset, size);
        if (!zero_piece(d, p))
            return false;
        offset += p.size, size -= p.size;
    }
    return true;
}

const struct disk *disk_find(const struct machine *m, unsigned index)
{
    if (index >= MOST)
        return NULL;
    for (unsigned i = 0; i < m->overlays; i++)
        if (m->overlay[i]->name == overlay_name[index])
            return (const struct disk *)((const char *)m->overlay[i] -
                                         offsetof(struct disk, overlay));
    return NULL;
}

const struct overlay *disk_overlay(const struct machine *m, unsigned index)
{
    const struct disk *d = disk_find(m, index);
    return d ? &d->overlay : NULL;
}
