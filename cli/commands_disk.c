/* Disks and networks: what is on the other side of the machine's devices. */
#include "cli/commands_info.h"

#include "cli/arguments.h"
#include "cli/numbers.h"
#include "cli/recorded_run.h"
#include "devices/disk.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- disks ---- */

/* Pages to look at for a disk's size of changes: 64 GiB of disk, some tenths of a second. */
#define PAGES_COUNTED (UINT64_C(1) << 24)

static unsigned disk_count(struct command_context *c)
{
    const struct machine *m = timeline_machine(c->timeline);
    unsigned count = 0;
    if (c->disks || !c->recorded)
        return c->disks ? disk_images_count(c->disks) : 0;
    while (count < DISKS && disk_find(m, count))
        count++;
    return count;
}

/* An image that is not at hand is still what the recording says of it. */
static const char *disk_path(struct command_context *c, unsigned disk)
{
    return c->disks ? disk_images_path(c->disks, disk)
                    : recorded_run_options(c->recorded)->disk[disk];
}

static struct disk_identity disk_identity(struct command_context *c, unsigned disk)
{
    return c->disks ? disk_images_identity(c->disks, disk)
                    : recorded_run_config(c->recorded)->image[disk];
}

static void append_changes(const struct overlay *o, struct buffer *out)
{
    char text[NUMBER_TEXT];
    uint64_t pages = 0;
    if (!o)
        return;
    if (o->pages > PAGES_COUNTED) {
        number_format_size(overlay_dirty_bytes(o), text);
        buffer_printf(out, ", %s written since the last checkpoint", text);
        return;
    }
    for (uint64_t i = 0; i < o->pages; i++)
        pages += overlay_page(o, i) != NULL;
    number_format_size(pages * OVERLAY_PAGE_SIZE, text);
    buffer_printf(out, ", %s written", text);
}

static void append_identity(const struct disk_identity *id, struct buffer *out)
{
    struct tm date;
    char text[32];
    time_t seconds = (time_t)(id->mtime_ns / 1000000000u);
    if (!gmtime_r(&seconds, &date) || !strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &date))
        strcpy(text, "unknown");
    buffer_printf(out,
                  "        image of %" PRIu64 " bytes, changed %s, inode %" PRIu64
                  " on device %#" PRIx64 "\n",
                  id->size, text, id->inode, id->device);
}

void commands_info_disks(struct command_context *c, const char *argument, struct buffer *out)
{
    (void)argument;
    unsigned count = disk_count(c);
    for (unsigned i = 0; i < count; i++) {
        const struct disk *disk = disk_find(timeline_machine(c->timeline), i);
        struct disk_identity identity = disk_identity(c, i);
        char size[NUMBER_TEXT];
        number_format_size(disk->bytes, size);
        buffer_printf(out, "disk %u: ", i);
        append_plain(out, disk_path(c, i));
        bool read_only = c->disk_read_only ? c->disk_read_only[i] : disk->read_only;
        buffer_printf(out, ", %s%s", size, read_only ? ", read-only" : "");
        append_changes(&disk->overlay, out);
        buffer_append_byte(out, '\n');
        append_identity(&identity, out);
    }
    if (count && !c->disks)
        buffer_append_string(out, "        as recorded: not all of the images are where they were, "
                                  "unchanged\n");
    if (!count)
        buffer_append_string(out, "the machine has no disks: -drive file=FILE,format=raw\n");
}

static void export_recorded(struct command_context *c, unsigned disk, const char *path,
                            struct buffer *out)
{
    struct error err = ERROR_INIT;
    uint64_t missing;
    if (!recorded_run_export_disk(c->recorded, disk, path, &missing, &err))
        buffer_printf(out, "%s\n", err.message);
    else
        recorded_run_say_disk(disk_find(timeline_machine(c->timeline), disk),
                              timeline_position(c->timeline), missing, path, out);
}

/* "N OUT": what follows the number and blanks is the file's name. */
static void export(struct command_context *c, const char *argument, struct buffer *out)
{
    struct error err = ERROR_INIT;
    char number[32], position[NUMBER_TEXT], size[NUMBER_TEXT];
    size_t digits = strcspn(argument, " \t");
    uint64_t disk;
    snprintf(number, sizeof number, "%.*s", (int)digits, argument);
    const char *path = argument + digits + strspn(argument + digits, " \t");
    if (!*path || digits >= sizeof number || !number_parse(number, &disk)) {
        buffer_append_string(out, "write disk export N OUT: a disk's number and a file's name\n");
        return;
    }
    if (disk >= disk_count(c)) {
        buffer_printf(out, "there is no disk %" PRIu64 ": `disk` lists them\n", disk);
        return;
    }
    if (c->recorded) {
        export_recorded(c, (unsigned)disk, path, out);
        return;
    }
    if (!disk_images_export(c->disks, (unsigned)disk, timeline_machine(c->timeline), path, &err)) {
        buffer_printf(out, "%s\n", err.message);
        return;
    }
    number_format_size(disk_images_bytes(c->disks, (unsigned)disk), size);
    number_format(timeline_position(c->timeline), position);
    buffer_printf(out, "disk %" PRIu64 " as of position %s is in %s, %s\n", disk, position, path,
                  size);
}

void commands_disk(struct command_context *c, const char *argument, struct buffer *out)
{
    size_t size = strcspn(argument, " \t");
    if (!size)
        commands_info_disks(c, argument, out);
    else if (size <= strlen("export") && !memcmp(argument, "export", size))
        export(c, argument + size + strspn(argument + size, " \t"), out);
    else
        buffer_printf(out, "`%.80s` is not possible: write disk, or disk export N OUT\n", argument);
}

/* ---- networks ---- */

void commands_info_networks(struct command_context *c, const char *argument, struct buffer *out)
{
    (void)argument;
    struct network_counters n;
    unsigned count = 0;
    while (c->network && c->network(c->network_ctx, count, &n))
        buffer_printf(out,
                      "network %u: %" PRIu64 " packets to the guest, %" PRIu64 " from it; %" PRIu64
                      " dropped for want of buffers, %" PRIu64 " refused\n",
                      count++, n.in, n.out, n.dropped, n.refused);
    if (!count)
        buffer_append_string(out, "the machine has no network: -netdev, -nic\n");
}
