#include "server/disk_images.h"

#include "base/hash.h"
#include "base/log.h"
#include "devices/disk.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];
static struct disk_images *images;
static struct error err;
static char last_line[512];
static unsigned lines;

static void note_line(void *ctx, enum log_level level, const char *line)
{
    (void)ctx;
    cr_expect_neq(level, LOG_GUEST);
    lines++;
    snprintf(last_line, sizeof last_line, "%s", line);
}

static void init(void)
{
    snprintf(folder, sizeof folder, "/tmp/disk_images_XXXXXX");
    cr_assert(mkdtemp(folder));
    images = disk_images_new();
    log_set_sink(note_line, NULL);
}

static void fini(void)
{
    log_set_sink(NULL, NULL);
    disk_images_free(images);
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    cr_assert_eq(system(command), 0);
}

TestSuite(disk_images, .init = init, .fini = fini);

static const char *path_of(const char *name)
{
    static char path[16][200];
    static unsigned next;
    next = (next + 1) % 16;
    snprintf(path[next], sizeof path[next], "%s/%s", folder, name);
    return path[next];
}

static const char *make_file(const char *name, const void *bytes, size_t size)
{
    const char *path = path_of(name);
    FILE *file = fopen(path, "w");
    cr_assert(file);
    cr_assert_eq(fwrite(bytes, 1, size, file), size);
    cr_assert_eq(fclose(file), 0);
    return path;
}

static uint8_t *random_bytes(size_t size)
{
    uint8_t *bytes = malloc(size + 1);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)hash_mix(i + 7);
    return bytes;
}

static const char *random_file(const char *name, size_t size)
{
    uint8_t *bytes = random_bytes(size);
    const char *path = make_file(name, bytes, size);
    free(bytes);
    return path;
}

static void expect_refused(const char *path, const char *message)
{
    unsigned count = disk_images_count(images);
    err = (struct error)ERROR_INIT;
    cr_assert(!disk_images_add(images, path, &err), "%s", path);
    cr_expect_neq(err.code, ERROR_NONE);
    cr_expect_str_eq(err.message, message);
    cr_expect_eq(disk_images_count(images), count);
}

/* ---- opening ---- */

Test(disk_images, an_image)
{
    const char *path = random_file("a.img", 10 * 4096 + 512);
    cr_assert(disk_images_add(images, path, &err), "%s", err.message);
    cr_expect_eq(disk_images_count(images), 1);
    cr_expect_eq(disk_images_bytes(images, 0), 10 * 4096 + 512);
    cr_expect_str_eq(disk_images_path(images, 0), path);
    cr_expect_eq(lines, 0, "%s", last_line);
    struct stat st;
    cr_assert_eq(stat(path, &st), 0);
    struct disk_identity identity = disk_images_identity(images, 0);
    cr_expect_eq(identity.size, 10 * 4096 + 512);
    cr_expect_eq(identity.inode, st.st_ino);
    cr_expect_eq(identity.device, st.st_dev);
    cr_expect_eq(identity.mtime_ns,
                 (uint64_t)st.st_mtim.tv_sec * 1000000000 + (uint64_t)st.st_mtim.tv_nsec);
}

Test(disk_images, one_that_may_not_be_written)
{
    const char *path = random_file("a.img", 512);
    cr_assert_eq(chmod(path, 0400), 0);
    cr_assert(disk_images_add(images, path, &err), "%s", err.message);
}

Test(disk_images, a_size_that_is_no_multiple_is_padded)
{
    const char *path = random_file("odd.img", 4096 + 700);
    cr_assert(disk_images_add(images, path, &err));
    cr_expect_eq(disk_images_bytes(images, 0), 4096 + 1024);
    cr_expect_eq(disk_images_identity(images, 0).size, 4096 + 700);
    cr_expect_eq(lines, 1);
    char expected[300];
    snprintf(expected, sizeof expected,
             "disk image %s has 4796 bytes, no multiple of 512: the guest sees 5120, the last 324 "
             "are zeroes",
             path);
    cr_expect_str_eq(last_line, expected);
    struct disk_host host = disk_images_host(images);
    uint8_t block[DISK_BLOCK], *file = random_bytes(4096 + 700);
    memset(block, 0xff, sizeof block);
    cr_assert(host.read(host.ctx, 0, 1, block));
    cr_expect_arr_eq(block, file + 4096, 700);
    for (size_t i = 700; i < DISK_BLOCK; i++)
        cr_assert_eq(block[i], 0);
    free(file);
}

Test(disk_images, what_is_no_image)
{
    char message[600];
    const char *path = path_of("missing.img");
    snprintf(message, sizeof message, "disk image %s: No such file or directory", path);
    expect_refused(path, message);
    snprintf(message, sizeof message, "disk image %s is a directory", folder);
    expect_refused(folder, message);
    expect_refused("/dev/null", "disk image /dev/null is neither a file nor a block device");
    path = make_file("empty.img", "", 0);
    snprintf(message, sizeof message, "disk image %s is empty", path);
    expect_refused(path, message);
    path = path_of("fifo");
    cr_assert_eq(mkfifo(path, 0600), 0);
    snprintf(message, sizeof message, "disk image %s is neither a file nor a block device", path);
    expect_refused(path, message);
}

Test(disk_images, too_large)
{
    const char *path = make_file("large.img", "x", 1);
    if (truncate(path, (off_t)(DISK_MOST + 512)) < 0)
        cr_skip_test("the file system has no such large files");
    char message[600];
    snprintf(message, sizeof message, "disk image %s has 17592186044928 bytes: at most 16 TiB",
             path);
    expect_refused(path, message);
}

Test(disk_images, formats_that_are_not_raw)
{
    static const struct {
        const char *name, *magic;
        size_t offset, size;
    } cases[] = {{"qcow2", "QFI\xfb\0\0\0\3", 0, 8},
                 {"vmdk", "KDMV\1\0\0\0", 0, 8},
                 {"vmdk", "# Disk DescriptorFile\nversion=1\n", 0, 32},
                 {"vmdk", "COWD", 0, 4},
                 {"vdi", "\x7f\x10\xda\xbe", 64, 4},
                 {"vhdx", "vhdxfile", 0, 8},
                 {"vhd", "conectix", 0, 8}};
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t bytes[1024] = {0};
        memcpy(bytes + cases[i].offset, cases[i].magic, cases[i].size);
        const char *path = make_file("disk", bytes, sizeof bytes);
        char message[600];
        snprintf(message, sizeof message,
                 "%s is a %s image: qemu-img convert -O raw %s %s.raw makes one that works", path,
                 cases[i].name, path, path);
        expect_refused(path, message);
        /* Short files are looked at as well. */
        path = make_file("disk", bytes, cases[i].offset + cases[i].size);
        expect_refused(path, message);
    }
}

Test(disk_images, so_many_and_no_more)
{
    const char *path = random_file("a.img", 512);
    for (unsigned i = 0; i < DISKS; i++)
        cr_assert(disk_images_add(images, path, &err));
    char message[300];
    snprintf(message, sizeof message, "disk image %s: there are 8 disks, no more are possible",
             path);
    expect_refused(path, message);
}

/* ---- reading ---- */

Test(disk_images, blocks)
{
    enum { SIZE = 5 * DISK_BLOCK + 512 };
    cr_assert(disk_images_add(images, random_file("other.img", 512), &err));
    cr_assert(disk_images_add(images, random_file("a.img", SIZE), &err));
    struct disk_host host = disk_images_host(images);
    uint8_t *file = random_bytes(SIZE), block[DISK_BLOCK], zeroes[DISK_BLOCK] = {0};
    for (uint64_t i = 0; i < 5; i++) {
        cr_assert(host.read(host.ctx, 1, i, block));
        cr_expect_arr_eq(block, file + i * DISK_BLOCK, DISK_BLOCK);
    }
    cr_assert(host.read(host.ctx, 1, 5, block));
    cr_expect_arr_eq(block, file + 5 * DISK_BLOCK, 512);
    cr_expect_arr_eq(block + 512, zeroes, DISK_BLOCK - 512);
    cr_assert(host.read(host.ctx, 1, 6, block), "behind the end are zeroes");
    cr_expect_arr_eq(block, zeroes, DISK_BLOCK);
    cr_expect(!host.read(host.ctx, 2, 0, block));
    cr_expect(!host.read(host.ctx, 1, UINT64_MAX, block));
    cr_expect_str_eq(host.name(host.ctx, 1), disk_images_path(images, 1));
    free(file);
}

/* The file that was opened is read, whatever has its name now. */
Test(disk_images, is_kept_open)
{
    const char *path = random_file("a.img", DISK_BLOCK);
    cr_assert(disk_images_add(images, path, &err));
    cr_assert_eq(unlink(path), 0);
    make_file("a.img", "something else", 14);
    struct disk_host host = disk_images_host(images);
    uint8_t block[DISK_BLOCK], *file = random_bytes(DISK_BLOCK);
    cr_assert(host.read(host.ctx, 0, 0, block));
    cr_expect_arr_eq(block, file, DISK_BLOCK);
    free(file);
}

Test(disk_images, one_that_shrinks_is_an_error)
{
    const char *path = random_file("a.img", 2 * DISK_BLOCK);
    cr_assert(disk_images_add(images, path, &err));
    cr_assert_eq(truncate(path, DISK_BLOCK + 100), 0);
    struct disk_host host = disk_images_host(images);
    uint8_t block[DISK_BLOCK];
    cr_expect(host.read(host.ctx, 0, 0, block));
    cr_expect(!host.read(host.ctx, 0, 1, block));
}

/* With the reads that a recorder keeps: a changed image is named. */
Test(disk_images, a_changed_image)
{
    const char *path = random_file("a.img", DISK_BLOCK);
    cr_assert(disk_images_add(images, path, &err));
    struct disk_host host = disk_images_host(images);
    struct disk_reads *reads = disk_reads_new(&host);
    uint8_t block[DISK_BLOCK];
    cr_expect_eq(disk_reads_block(reads, 0, 0, block, true, &err), DISK_READ_OK);
    make_file("a.img", block + 1, DISK_BLOCK - 1);
    cr_expect_eq(disk_reads_block(reads, 0, 0, block, false, &err), DISK_READ_CHANGED);
    cr_expect(strstr(err.message, path), "%s", err.message);
    disk_reads_free(reads);
}

/* ---- writing a disk ---- */

static struct machine machine;
static struct disk disk[2];

static bool door_read(void *ctx, unsigned index, uint64_t block, uint8_t *bytes)
{
    struct disk_host host = disk_images_host(ctx);
    return host.read(host.ctx, index, block, bytes);
}

static const struct door_ops door = {.disk_read = door_read};

/* A machine with the disks of all images. */
static void make_machine(void)
{
    const struct machine_config config = {
        .ram_base = 0x80000000, .ram_size = 1 << 20, .cpus = 1, .quantum = 100};
    cr_assert(machine_init(&machine, &config, &err), "%s", err.message);
    machine.door = (struct door){&door, images};
    for (unsigned i = 0; i < disk_images_count(images); i++)
        disk_init(&disk[i], &machine, i, disk_images_bytes(images, i), false);
}

static void free_machine(void)
{
    for (unsigned i = 0; i < disk_images_count(images); i++)
        disk_fini(&disk[i]);
    machine_fini(&machine);
}

static uint8_t *read_file(const char *path, size_t *size)
{
    struct stat st;
    cr_assert_eq(stat(path, &st), 0, "%s", path);
    *size = (size_t)st.st_size;
    uint8_t *bytes = malloc(*size + 1);
    FILE *file = fopen(path, "r");
    cr_assert_eq(fread(bytes, 1, *size, file), *size);
    fclose(file);
    return bytes;
}

static void expect_file(const char *path, const uint8_t *expected, size_t size)
{
    size_t got;
    uint8_t *bytes = read_file(path, &got);
    cr_assert_eq(got, size);
    cr_assert(!memcmp(bytes, expected, size));
    free(bytes);
}

static unsigned files_in_folder(void)
{
    char command[120];
    unsigned count = 0;
    snprintf(command, sizeof command, "ls -A %s | wc -l", folder);
    FILE *pipe = popen(command, "r");
    cr_assert_eq(fscanf(pipe, "%u", &count), 1);
    pclose(pipe);
    return count;
}

static bool export_disk(unsigned index, const char *path)
{
    err = (struct error)ERROR_INIT;
    return disk_images_export(images, index, &machine, path, &err);
}

/* An image of several chunks with data, zeroes and holes, and random changes over it. */
Test(disk_images, export_is_what_the_guest_sees)
{
    enum { SIZE = (5 << 20) / 2 + 3 * DISK_BLOCK + 700, PADDED = (SIZE + 511) / 512 * 512 };
    uint8_t *file = random_bytes(SIZE);
    /* A hole that begins and ends in the midst of what is read at a time. */
    enum { FROM = 600 << 10, TO = (2 << 20) + (128 << 10) };
    memset(file + FROM, 0, TO - FROM);
    const char *path = make_file("a.img", file, FROM);
    cr_assert_eq(truncate(path, TO), 0);
    int fd = open(path, O_WRONLY | O_APPEND);
    cr_assert_eq(write(fd, file + TO, SIZE - TO), SIZE - TO);
    close(fd);
    cr_assert(disk_images_add(images, random_file("first.img", 512), &err));
    cr_assert(disk_images_add(images, path, &err));
    make_machine();
    const char *out = path_of("out.img");
    uint64_t random = 3;
    static uint8_t seen[PADDED], bytes[20000];
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < round; i++) {
            random = hash_mix(random + i + 1);
            uint64_t offset = random % PADDED, size = (random >> 32) % sizeof bytes;
            if (size > PADDED - offset)
                size = PADDED - offset;
            memset(bytes, (int)(random >> 60), sizeof bytes);
            cr_assert(disk_write(&disk[1], offset, bytes, size));
        }
        size_t dirty = disk[1].overlay.dirty_count;
        cr_assert(export_disk(1, out), "%s", err.message);
        cr_assert_eq(disk[1].overlay.dirty_count, dirty, "nothing has changed");
        cr_assert(disk_read(&disk[1], 0, seen, PADDED));
        expect_file(out, seen, PADDED);
    }
    cr_expect_eq(files_in_folder(), 3);
    expect_file(path, file, SIZE);
    free_machine();
    free(file);
}

Test(disk_images, export_leaves_holes)
{
    const char *path = make_file("a.img", "x", 1);
    cr_assert_eq(truncate(path, 64 << 20), 0);
    cr_assert(disk_images_add(images, path, &err));
    make_machine();
    cr_assert(disk_write(&disk[0], 40 << 20, "y", 1));
    /* Zeroes over data, and a page of zeroes. */
    cr_assert(disk_zero(&disk[0], 0, 1 << 20));
    const char *out = path_of("out.img");
    cr_assert(export_disk(0, out), "%s", err.message);
    struct stat st;
    cr_assert_eq(stat(out, &st), 0);
    cr_expect_eq(st.st_size, 64 << 20);
    cr_expect_leq(st.st_blocks * 512, 1 << 20, "%zu bytes on the disk", (size_t)st.st_blocks * 512);
    size_t size;
    uint8_t *bytes = read_file(out, &size);
    cr_expect_eq(bytes[0], 0);
    cr_expect_eq(bytes[40 << 20], 'y');
    free(bytes);
    free_machine();
}

Test(disk_images, export_replaces_a_file)
{
    const char *path = random_file("a.img", 1024), *out = make_file("out.img", "old", 3);
    cr_assert(disk_images_add(images, path, &err));
    make_machine();
    cr_assert(export_disk(0, out));
    uint8_t *file = random_bytes(1024);
    expect_file(out, file, 1024);
    /* A name that a run before has left behind is passed over. */
    make_file("out.img.part0", "left", 4);
    cr_assert(disk_write(&disk[0], 0, "new", 3));
    memcpy(file, "new", 3);
    cr_assert(export_disk(0, out));
    expect_file(out, file, 1024);
    expect_file(path_of("out.img.part0"), (const uint8_t *)"left", 4);
    cr_expect_eq(files_in_folder(), 3);
    free(file);
    free_machine();
}

Test(disk_images, export_never_onto_an_image)
{
    const char *path = random_file("a.img", 1024), *other = random_file("b.img", 512);
    cr_assert(disk_images_add(images, path, &err));
    cr_assert(disk_images_add(images, other, &err));
    make_machine();
    cr_assert_eq(symlink(path, path_of("link")), 0);
    cr_assert_eq(link(path, path_of("hard")), 0);
    const char *names[] = {"a.img", "b.img", "link", "hard"};
    for (unsigned i = 0; i < 4; i++) {
        const char *name = path_of(names[i]);
        char message[300];
        snprintf(message, sizeof message,
                 "%s is the image of disk %u, which is never modified: give another name", name,
                 i == 1);
        cr_assert(!export_disk(0, name));
        cr_expect_str_eq(err.message, message);
    }
    uint8_t *file = random_bytes(1024);
    expect_file(path, file, 1024);
    cr_expect_eq(files_in_folder(), 4);
    free(file);
    free_machine();
}

Test(disk_images, export_errors)
{
    const char *path = random_file("a.img", 2 * DISK_BLOCK);
    cr_assert(disk_images_add(images, path, &err));
    make_machine();
    cr_expect(!export_disk(1, path_of("out")));
    cr_expect_str_eq(err.message, "there is no disk 1: the machine has 1");
    cr_expect(!export_disk(UINT32_MAX, path_of("out")));
    cr_expect(!export_disk(0, folder));
    cr_expect(strstr(err.message, "is no regular file"), "%s", err.message);
    cr_expect(!export_disk(0, "/dev/null"));
    cr_expect(!export_disk(0, path_of("no/such/folder")));
    cr_expect(strstr(err.message, "No such file"), "%s", err.message);
    cr_expect(!export_disk(0, ""));
    /* An image that cannot be read leaves nothing behind. */
    cr_assert_eq(truncate(path, DISK_BLOCK), 0);
    cr_expect(!export_disk(0, path_of("out")));
    cr_expect_eq(err.code, ERROR_IO);
    cr_expect(strstr(err.message, path), "%s", err.message);
    cr_expect_eq(files_in_folder(), 1);
    free_machine();
}
