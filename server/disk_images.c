#include "server/disk_images.h"

#include "base/check.h"
#include "base/log.h"
#include "devices/disk.h"
#include "server/disk_export.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct image {
    char *path;
    int fd;
    uint64_t bytes; /* padded */
    struct disk_identity identity;
};

struct disk_images {
    struct image image[DISKS];
    unsigned count;
};

struct disk_images *disk_images_new(void)
{
    return mem_new(1, sizeof(struct disk_images));
}

static void image_fini(struct image *image)
{
    if (image->fd >= 0)
        close(image->fd);
    free(image->path);
}

void disk_images_free(struct disk_images *images)
{
    if (!images)
        return;
    for (unsigned i = 0; i < images->count; i++)
        image_fini(&images->image[i]);
    free(images);
}

/* ---- reading ---- */

/* `size` bytes from `offset` on; false: an error, or the file ends before. */
static bool read_all(int fd, uint64_t offset, uint8_t *bytes, size_t size)
{
    while (size) {
        ssize_t n = pread(fd, bytes, size, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = EIO;
        if (n <= 0)
            return false;
        bytes += n;
        offset += (uint64_t)n;
        size -= (size_t)n;
    }
    return true;
}

/* The same with zeroes behind the end of the image as it was found. */
static bool read_padded(const struct image *image, uint64_t offset, uint8_t *bytes, size_t size)
{
    uint64_t end = image->identity.size;
    size_t there = offset >= end ? 0 : end - offset < size ? end - offset : size;
    memset(bytes + there, 0, size - there);
    return read_all(image->fd, offset, bytes, there);
}

static bool host_read(void *ctx, unsigned disk, uint64_t block, uint8_t *bytes)
{
    const struct disk_images *images = ctx;
    return disk < images->count && block <= UINT32_MAX &&
           read_padded(&images->image[disk], block * DISK_BLOCK, bytes, DISK_BLOCK);
}

static const char *host_name(void *ctx, unsigned disk)
{
    return disk_images_path(ctx, disk);
}

struct disk_host disk_images_host(struct disk_images *images)
{
    return (struct disk_host){.read = host_read, .name = host_name, .ctx = images};
}

/* ---- opening ---- */

struct format {
    const char *name;
    unsigned offset;
    const char *magic;
    unsigned size;
};

static const struct format formats[] = {
    {"qcow2", 0, "QFI\xfb", 4},
    {"vmdk", 0, "KDMV", 4},
    {"vmdk", 0, "COWD", 4},
    {"vmdk", 0, "# Disk DescriptorFile", 21},
    {"vdi", 0x40, "\x7f\x10\xda\xbe", 4},
    {"vhdx", 0, "vhdxfile", 8},
    {"vhd", 0, "conectix", 8},
};

/* Images that have to be raw, and are not. */
static bool format_valid(const struct image *image, struct error *err)
{
    uint8_t start[DISK_SECTOR];
    if (!read_padded(image, 0, start, sizeof start))
        return error_set(err, ERROR_IO, "disk image %s: %s", image->path, strerror(errno));
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        const struct format *f = &formats[i];
        if (!memcmp(start + f->offset, f->magic, f->size))
            return error_set(
                err, ERROR_FORMAT,
                "%s is a %s image: qemu-img convert -O raw %s %s.raw makes one that works",
                image->path, f->name, image->path, image->path);
    }
    return true;
}

/* The size of what is open; false: nothing that can be an image. */
static bool find_size(struct image *image, const struct stat *st, struct error *err)
{
    if (S_ISDIR(st->st_mode))
        return error_set(err, ERROR_IO, "disk image %s is a directory", image->path);
    if (!S_ISREG(st->st_mode) && !S_ISBLK(st->st_mode))
        return error_set(err, ERROR_IO, "disk image %s is neither a file nor a block device",
                         image->path);
    off_t size = lseek(image->fd, 0, SEEK_END);
    if (size < 0)
        return error_set(err, ERROR_IO, "disk image %s: %s", image->path, strerror(errno));
    image->identity = (struct disk_identity){
        .size = (uint64_t)size,
        .mtime_ns = (uint64_t)st->st_mtim.tv_sec * 1000000000 + (uint64_t)st->st_mtim.tv_nsec,
        .device = st->st_dev,
        .inode = st->st_ino,
    };
    return true;
}

static bool pad(struct image *image, struct error *err)
{
    uint64_t size = image->identity.size;
    if (!size)
        return error_set(err, ERROR_FORMAT, "disk image %s is empty", image->path);
    if (size > DISK_MOST)
        return error_set(err, ERROR_RANGE, "disk image %s has %" PRIu64 " bytes: at most 16 TiB",
                         image->path, size);
    image->bytes = (size + DISK_SECTOR - 1) / DISK_SECTOR * DISK_SECTOR;
    if (image->bytes != size)
        log_line(LOG_WARN,
                 "disk image %s has %" PRIu64 " bytes, no multiple of %u: the guest sees %" PRIu64
                 ", the last %" PRIu64 " are zeroes",
                 image->path, size, DISK_SECTOR, image->bytes, image->bytes - size);
    return true;
}

static bool open_image(struct image *image, struct error *err)
{
    struct stat st;
    /* Looked at before it is opened, which already does something to some devices. */
    if (stat(image->path, &st) < 0)
        return error_set(err, ERROR_IO, "disk image %s: %s", image->path, strerror(errno));
    if (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode)) {
        image->fd = open(image->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (image->fd < 0 || fstat(image->fd, &st) < 0)
            return error_set(err, ERROR_IO, "disk image %s: %s", image->path, strerror(errno));
    }
    return find_size(image, &st, err) && format_valid(image, err) && pad(image, err);
}

bool disk_images_add(struct disk_images *images, const char *path, struct error *err)
{
    if (images->count == DISKS)
        return error_set(err, ERROR_RANGE,
                         "disk image %s: there are %u disks, no more are possible", path, DISKS);
    struct image image = {.path = strdup(path), .fd = -1};
    check(image.path, "%s", path);
    if (!open_image(&image, err)) {
        image_fini(&image);
        return false;
    }
    images->image[images->count++] = image;
    return true;
}

unsigned disk_images_count(const struct disk_images *images)
{
    return images->count;
}

static const struct image *image_at(const struct disk_images *images, unsigned disk)
{
    check(disk < images->count, "disk %u of %u", disk, images->count);
    return &images->image[disk];
}

uint64_t disk_images_bytes(const struct disk_images *images, unsigned disk)
{
    return image_at(images, disk)->bytes;
}

const char *disk_images_path(const struct disk_images *images, unsigned disk)
{
    return image_at(images, disk)->path;
}

struct disk_identity disk_images_identity(const struct disk_images *images, unsigned disk)
{
    return image_at(images, disk)->identity;
}

/* ---- writing a disk ---- */

/* The first byte from `offset` on that is in no hole, as far as the file system tells. */
static uint64_t next_data(void *ctx, unsigned disk, uint64_t offset)
{
    const struct image *image = image_at(ctx, disk);
    off_t at = lseek(image->fd, (off_t)offset, SEEK_DATA);
    if (at >= 0)
        return (uint64_t)at;
    return errno == ENXIO ? image->bytes : offset;
}

bool disk_images_none_at(const struct disk_images *images, const char *path, struct error *err)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return errno == ENOENT || error_set(err, ERROR_IO, "%s: %s", path, strerror(errno));
    for (unsigned i = 0; i < images->count; i++) {
        const struct disk_identity *identity = &images->image[i].identity;
        if (identity->device == st.st_dev && identity->inode == st.st_ino)
            return error_set(
                err, ERROR_BUSY,
                "%s is the image of disk %u, which is never modified: give another name", path, i);
    }
    return true;
}

bool disk_images_export(const struct disk_images *images, unsigned disk, const struct machine *m,
                        const char *path, struct error *err)
{
    if (disk >= images->count)
        return error_set(err, ERROR_RANGE, "there is no disk %u: the machine has %u", disk,
                         images->count);
    if (!disk_images_none_at(images, path, err))
        return false;
    /* Else what is missing would look like a hole. */
    const struct image *image = &images->image[disk];
    if (lseek(image->fd, 0, SEEK_END) < (off_t)image->identity.size)
        return error_set(err, ERROR_IO, "disk image %s has become shorter", image->path);
    const struct disk_background background = {
        .host = disk_images_host((struct disk_images *)images), .next_data = next_data};
    return disk_export(m, disk, &background, path, err);
}
