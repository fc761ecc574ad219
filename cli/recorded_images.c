#include "cli/recorded_images.h"

#include "base/check.h"
#include "base/log.h"

#include <stdlib.h>

struct recorded_images {
    const struct recording_config *config;
    struct disk_images *image[RISCV_VIRT_SLOTS]; /* of disk N, each by itself; NULL: not at hand */
    struct disk_images *all;
};

static void say(bool quiet, const char *path, unsigned disk, const char *why)
{
    if (!quiet)
        log_line(LOG_WARN,
                 "disk %u: %s %s: beyond the recording's end, blocks that it has not read give I/O "
                 "errors",
                 disk, path, why);
}

static struct disk_images *open_image(const struct recording_config *c, unsigned disk, bool quiet)
{
    const char *path = c->options.disk[disk];
    const struct disk_identity *was = &c->image[disk];
    struct disk_images *images = disk_images_new();
    struct error err = ERROR_INIT;
    if (!disk_images_add(images, path, &err)) {
        say(quiet, path, disk, "cannot be opened");
        disk_images_free(images);
        return NULL;
    }
    struct disk_identity is = disk_images_identity(images, 0);
    if (is.size == was->size && is.mtime_ns == was->mtime_ns)
        return images;
    say(quiet, path, disk, "has changed since");
    disk_images_free(images);
    return NULL;
}

struct recorded_images *recorded_images_new(const struct recording_config *c, bool quiet)
{
    struct recorded_images *images = mem_new(1, sizeof *images);
    struct error err = ERROR_INIT;
    bool all = c->options.disks > 0;
    images->config = c;
    for (unsigned i = 0; i < c->options.disks; i++) {
        images->image[i] = open_image(c, i, quiet);
        all &= images->image[i] != NULL;
    }
    images->all = all ? disk_images_new() : NULL;
    for (unsigned i = 0; all && i < c->options.disks; i++)
        all = disk_images_add(images->all, c->options.disk[i], &err);
    if (images->all && !all) {
        disk_images_free(images->all);
        images->all = NULL;
    }
    return images;
}

void recorded_images_free(struct recorded_images *images)
{
    if (!images)
        return;
    for (unsigned i = 0; i < RISCV_VIRT_SLOTS; i++)
        disk_images_free(images->image[i]);
    disk_images_free(images->all);
    free(images);
}

static bool read_block(void *ctx, unsigned disk, uint64_t block, uint8_t *bytes)
{
    const struct recorded_images *images = ctx;
    if (disk >= RISCV_VIRT_SLOTS || !images->image[disk])
        return false;
    const struct disk_host host = disk_images_host(images->image[disk]);
    return host.read(host.ctx, 0, block, bytes);
}

static const char *image_name(void *ctx, unsigned disk)
{
    const struct recorded_images *images = ctx;
    return disk < images->config->options.disks ? images->config->options.disk[disk] : "no disk";
}

struct disk_host recorded_images_host(struct recorded_images *images)
{
    return (struct disk_host){read_block, image_name, images};
}

const struct disk_images *recorded_images_all(const struct recorded_images *images)
{
    return images->all;
}
