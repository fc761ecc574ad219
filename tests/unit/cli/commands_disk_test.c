/* `disk`, `disk export`, `info disks`, `info networks`. */
#include "cli/commands.h"
#include "devices/disk.h"
#include "tests/unit/cli/guest.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { IMAGE_BYTES = 5 * DISK_BLOCK, WRITTEN_AT = DISK_BLOCK + 100 };

static char folder[] = "/tmp/commands-disk-XXXXXX";
static char image[64], out_path[64];
static struct guest guest;
static struct disk disk;
static struct disk_images *images;
static struct command_context context;
static struct buffer output;

static void write_image(void)
{
    uint8_t bytes[IMAGE_BYTES];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i / DISK_SECTOR + 1);
    cr_assert(mkdtemp(folder));
    snprintf(image, sizeof image, "%s/disk.img", folder);
    snprintf(out_path, sizeof out_path, "%s/out file.img", folder);
    int fd = open(image, O_CREAT | O_WRONLY, 0600);
    cr_assert_eq(write(fd, bytes, sizeof bytes), sizeof bytes);
    close(fd);
}

static const struct embedded_file *demo_elf(void)
{
    for (size_t i = 0; i < embedded_count; i++)
        if (!strcmp(embedded_files[i].name, "demo.elf"))
            return &embedded_files[i];
    return NULL;
}

/* A machine with a disk that no device is in front of. */
static void setup(void)
{
    static const bool read_only[] = {true};
    struct error err = ERROR_INIT;
    const struct riscv_virt_options board = {.ram_size = 16 << 20, .harts = 1, .shift = 3};
    const struct embedded_file *elf = demo_elf();
    write_image();
    images = disk_images_new();
    cr_assert(disk_images_add(images, image, &err), "%s", err.message);
    guest.board = riscv_virt_new_elf(&board, "demo.elf", elf->data, elf->size, &err);
    cr_assert(guest.board, "%s", err.message);
    struct machine *m = riscv_virt_machine(guest.board);
    disk_init(&disk, m, 0, IMAGE_BYTES, false);
    const struct timeline_options timeline = {.spacing_steps = 100000,
                                              .warp = true,
                                              .host = {.clock = guest_clock,
                                                       .output = guest_output,
                                                       .disks = disk_images_host(images),
                                                       .ctx = &guest}};
    guest.timeline = timeline_new(m, &timeline);
    context = (struct command_context){
        .timeline = guest.timeline, .disks = images, .disk_read_only = read_only};
}

static void teardown(void)
{
    guest_fini(&guest);
    disk_fini(&disk);
    disk_images_free(images);
    buffer_fini(&output);
    unlink(image);
    unlink(out_path);
    rmdir(folder);
}

TestSuite(commands_disk, .init = setup, .fini = teardown);

static const char *say(const char *line)
{
    buffer_clear(&output);
    commands_run(&context, line, &output);
    return buffer_text(&output);
}

#define assert_says(line, part)                                                                    \
    cr_assert(strstr(say(line), part), "`%s` says: %s", line, buffer_text(&output))

Test(commands_disk, lists)
{
    char text[128];
    struct stat status;
    snprintf(text, sizeof text, "disk 0: %s, 20.0 KiB, read-only, 0 ", image);
    assert_says("disk", text);
    assert_says("info disks", text);
    assert_says("i di", text);
    stat(image, &status);
    snprintf(text, sizeof text, "image of 20480 bytes, changed ");
    assert_says("disk", text);
    snprintf(text, sizeof text, "inode %lu on device %#lx\n", status.st_ino, status.st_dev);
    assert_says("disk", text);
    cr_assert(disk_write(&disk, WRITTEN_AT, "written", 7));
    assert_says("disk", "4.0 KiB written\n");
}

static void check_exported(void)
{
    uint8_t bytes[IMAGE_BYTES + 1];
    int fd = open(out_path, O_RDONLY);
    cr_assert_geq(fd, 0);
    cr_assert_eq(read(fd, bytes, sizeof bytes), IMAGE_BYTES);
    close(fd);
    cr_assert_arr_eq(bytes + WRITTEN_AT, "written", 7);
    for (size_t i = 0; i < IMAGE_BYTES; i++)
        if (i < WRITTEN_AT || i >= WRITTEN_AT + 7)
            cr_assert_eq(bytes[i], (uint8_t)(i / DISK_SECTOR + 1), "byte %zu", i);
}

Test(commands_disk, exports)
{
    char line[128], said[128];
    cr_assert(disk_write(&disk, WRITTEN_AT, "written", 7));
    snprintf(line, sizeof line, "disk export 0 %s", out_path);
    snprintf(said, sizeof said, "disk 0 as of position 0 is in %s, 20.0 KiB\n", out_path);
    cr_assert_str_eq(say(line), said);
    check_exported();
    snprintf(line, sizeof line, " disk  exp  0x0   %s ", out_path);
    cr_assert_str_eq(say(line), said);
    check_exported();
}

Test(commands_disk, refuses)
{
    char line[128];
    static const char *const incomplete[] = {"disk export", "disk export 0",
                                             "disk export x /tmp/y"};
    for (size_t i = 0; i < sizeof incomplete / sizeof *incomplete; i++)
        cr_assert_str_eq(say(incomplete[i]),
                         "write disk export N OUT: a disk's number and a file's name\n");
    assert_says("disk export 1 /tmp/never", "there is no disk 1: `disk` lists them\n");
    assert_says("disk export 99999999999 /tmp/never", "there is no disk 99999999999");
    assert_says("disk import 0 x",
                "`import 0 x` is not possible: write disk, or disk export N OUT");
    snprintf(line, sizeof line, "disk export 0 %s/none/out", folder);
    assert_says(line, "none/out");
    snprintf(line, sizeof line, "disk export 0 %s", image);
    assert_says(line, image);
    struct stat status;
    cr_assert(!stat(image, &status) && status.st_size == IMAGE_BYTES);
    assert_says("help disk", "Images that disks were made from are never written");
}

/* A long name is the host's to refuse; it is not cut. */
Test(commands_disk, long_paths)
{
    char line[400] = "disk export 0 /";
    memset(line + strlen(line), 'x', 300);
    assert_says(line, "File name too long");
}

static bool two_networks(void *ctx, unsigned index, struct network_counters *n)
{
    (void)ctx;
    *n = (struct network_counters){.in = 10 + index, .out = 20, .dropped = 3, .refused = 4};
    return index < 2;
}

Test(commands_disk, networks)
{
    assert_says("info networks", "no network");
    context.network = two_networks;
    cr_assert_str_eq(say("info networks"),
                     "network 0: 10 packets to the guest, 20 from it; 3 dropped for want of "
                     "buffers, 4 refused\n"
                     "network 1: 11 packets to the guest, 20 from it; 3 dropped for want of "
                     "buffers, 4 refused\n");
}

Test(commands_disk, none)
{
    context.disks = NULL;
    assert_says("disk", "the machine has no disks");
    assert_says("disk export 0 /tmp/never", "there is no disk 0");
}
