/* -drive and -pflash. */
#include "base/log.h"
#include "cli/options_set.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof *(table))

enum { UNIT_MOST = 31 };

static struct drive_option *current(struct run_options *o)
{
    return &o->collected->drive[o->collected->drives - 1];
}

/* ---- keys ---- */

static bool set_file(struct run_options *o, const char *name, const char *value, struct error *err)
{
    current(o)->file = options_keep(o, value);
    return options_check_path(name, value, err);
}

/* Judged when the file's name is known. */
static bool set_format(struct run_options *o, const char *name, const char *value,
                       struct error *err)
{
    (void)name, (void)err;
    current(o)->format = options_keep(o, value);
    return true;
}

static bool set_interface(struct run_options *o, const char *name, const char *value,
                          struct error *err)
{
    (void)name, (void)err;
    current(o)->interface = !strcmp(value, "virtio") ? DRIVE_VIRTIO
                            : !strcmp(value, "none") ? DRIVE_NONE
                                                     : DRIVE_PFLASH;
    return true;
}

static bool set_id(struct run_options *o, const char *name, const char *value, struct error *err)
{
    struct device_options *all = o->collected;
    for (unsigned i = 0; i + 1 < all->drives; i++)
        if (all->drive[i].id && !strcmp(all->drive[i].id, value))
            return error_set(err, ERROR_USAGE, "-%s: id=%s is given to two drives", name, value);
    current(o)->id = options_keep(o, value);
    return options_check_id(name, value, err);
}

static bool set_serial(struct run_options *o, const char *name, const char *value,
                       struct error *err)
{
    current(o)->serial = options_keep(o, value);
    return options_check_serial(name, value, err);
}

static bool set_read_only(struct run_options *o, const char *name, const char *value,
                          struct error *err)
{
    (void)name, (void)err;
    current(o)->read_only = properties_same_value(value, "on");
    return true;
}

static bool set_unit(struct run_options *o, const char *name, const char *value, struct error *err)
{
    char *end;
    unsigned long unit = strtoul(value, &end, 10);
    if (*value < '0' || *value > '9' || *end || unit > UNIT_MOST)
        return error_set(err, ERROR_USAGE, "-%s: unit=%.40s is no number from 0 to %d", name, value,
                         UNIT_MOST);
    current(o)->unit = (int)unit;
    return true;
}

/* What only tunes the host's access to the image makes no difference: images are not written. */
static const struct property drive_table[] = {
    {"file", NULL, set_file},
    {"format", NULL, set_format},
    {"if", "virtio|none|pflash", set_interface},
    {"id", NULL, set_id},
    {"serial", NULL, set_serial},
    {"readonly", "on|off", set_read_only},
    {"read-only", "on|off", set_read_only},
    {"unit", NULL, set_unit},
    {"index", NULL, set_unit},
    {"media", "disk", NULL},
    {"cache", "none|writeback|writethrough|directsync|unsafe", NULL},
    {"aio", "threads|native|io_uring", NULL},
    {"discard", "ignore|off|unmap|on", NULL},
    {"detect-zeroes", "off|on|unmap", NULL},
    {"werror", "enospc|report|ignore|stop", NULL},
    {"rerror", "report|ignore|stop", NULL},
    {"snapshot", "on", NULL},
};

/* ---- the options ---- */

static struct drive_option *add_drive(struct run_options *o, const char *name, struct error *err)
{
    struct device_options *all = o->collected;
    if (all->drives == OPTIONS_DRIVES) {
        error_set(err, ERROR_RANGE,
                  "-%s: too many drives: the machine has %d slots for disks and %d flashes", name,
                  RISCV_VIRT_SLOTS, RISCV_VIRT_FLASHES);
        return NULL;
    }
    struct drive_option *d = &all->drive[all->drives++];
    *d = (struct drive_option){.unit = OPTIONS_NONE};
    return d;
}

static bool check_format(const char *name, const struct drive_option *d, struct error *err)
{
    if (!d->format || !strcmp(d->format, "raw"))
        return true;
    return error_set(err, ERROR_UNSUPPORTED,
                     "-%s: images are raw, not %.20s: qemu-img convert -f %.20s -O raw %.120s "
                     "%.120s.raw",
                     name, d->format, d->format, d->file, d->file);
}

/* Drives with the same interface have different units. */
static bool check_unit(const struct device_options *all, const char *name,
                       const struct drive_option *d, struct error *err)
{
    if (d->interface == DRIVE_PFLASH && d->unit >= RISCV_VIRT_FLASHES)
        return error_set(err, ERROR_USAGE, "-%s: unit=%d: the machine's flashes are unit 0 and 1",
                         name, d->unit);
    for (const struct drive_option *other = all->drive; other < d; other++)
        if (d->unit != OPTIONS_NONE && other->unit == d->unit && other->interface == d->interface)
            return error_set(err, ERROR_USAGE, "-%s: unit=%d is given to two drives", name,
                             d->unit);
    return true;
}

bool options_set_drive(struct run_options *o, const char *name, const char *value,
                       struct error *err)
{
    struct drive_option *d = add_drive(o, name, err);
    if (!d || !properties_set_keys(o, name, value, drive_table, COUNT(drive_table), err))
        return false;
    if (!d->file)
        return error_set(err, ERROR_USAGE, "-%s %.80s: an image is missing: add file=FILE", name,
                         value);
    if (!check_unit(o->collected, name, d, err))
        return false;
    if (d->interface != DRIVE_NONE && !check_format(name, d, err))
        return false;
    if (d->interface != DRIVE_VIRTIO)
        return d->interface == DRIVE_NONE || !d->serial ||
               error_set(err, ERROR_USAGE, "-%s: a flash has no serial number", name);
    struct device_option *device =
        options_add_device(o, name, "virtio-blk-device", VIRTIO_ID_BLOCK, err);
    if (!device)
        return false;
    device->drive = (int)(d - o->collected->drive);
    return true;
}

bool options_set_pflash(struct run_options *o, const char *name, const char *value,
                        struct error *err)
{
    struct drive_option *d = add_drive(o, name, err);
    if (!d || !options_check_path(name, value, err))
        return false;
    d->file = value;
    d->interface = DRIVE_PFLASH;
    return true;
}

bool options_refuse_drive(struct run_options *o, const char *name, const char *value,
                          struct error *err)
{
    (void)o;
    bool node = !strcmp(name, "blockdev");
    return error_set(err, ERROR_UNSUPPORTED,
                     "-%s is not supported: write -drive file=%.200s,format=raw,if=virtio", name,
                     node || !*value ? "FILE" : value);
}

/* ---- together ---- */

static int find_drive(const struct device_options *all, const char *id)
{
    for (unsigned i = 0; i < all->drives; i++)
        if (all->drive[i].id && !strcmp(all->drive[i].id, id))
            return (int)i;
    return OPTIONS_NONE;
}

/* What a drive is called in a message. */
static const char *drive_name(const struct drive_option *d)
{
    return d->id ? d->id : d->file;
}

static bool settle_device(struct device_options *all, struct device_option *device,
                          struct error *err)
{
    if (device->drive == OPTIONS_NONE && !device->drive_id)
        return error_set(err, ERROR_USAGE, "-device %s: drive=ID is missing", device->driver);
    if (device->drive == OPTIONS_NONE)
        device->drive = find_drive(all, device->drive_id);
    if (device->drive == OPTIONS_NONE)
        return error_set(err, ERROR_USAGE,
                         "-device %s: there is no drive `%.60s`: add -drive "
                         "file=FILE,format=raw,if=none,id=%.60s",
                         device->driver, device->drive_id, device->drive_id);
    struct drive_option *d = &all->drive[device->drive];
    if (d->interface == DRIVE_PFLASH)
        return error_set(err, ERROR_USAGE, "-device %s: drive `%.60s` is a flash: write if=none",
                         device->driver, drive_name(d));
    if (d->used)
        return error_set(err, ERROR_USAGE, "drive `%.200s` is in two devices: %s", drive_name(d),
                         d->interface == DRIVE_VIRTIO ? "if=virtio already makes one, write if=none"
                                                      : "give each a -drive of its own");
    if (!check_format("drive", d, err))
        return false;
    d->used = true;
    if (!device->serial)
        device->serial = d->serial;
    return true;
}

static bool settle_flash(struct run_options *o, const struct drive_option *d, int unit,
                         struct error *err)
{
    if (unit == RISCV_VIRT_FLASHES)
        return error_set(err, ERROR_RANGE, "%.200s: the machine has only %d flashes", d->file,
                         RISCV_VIRT_FLASHES);
    o->machine.flash[unit] = (struct riscv_virt_flash){d->file, d->read_only};
    return true;
}

/* Those with a unit first: the others take what is left. */
static bool settle_flashes(struct run_options *o, struct error *err)
{
    const struct device_options *all = o->collected;
    for (unsigned i = 0; i < all->drives; i++)
        if (all->drive[i].interface == DRIVE_PFLASH && all->drive[i].unit != OPTIONS_NONE)
            settle_flash(o, &all->drive[i], all->drive[i].unit, err);
    for (unsigned i = 0; i < all->drives; i++) {
        int unit = 0;
        if (all->drive[i].interface != DRIVE_PFLASH || all->drive[i].unit != OPTIONS_NONE)
            continue;
        while (unit < RISCV_VIRT_FLASHES && o->machine.flash[unit].file)
            unit++;
        if (!settle_flash(o, &all->drive[i], unit, err))
            return false;
    }
    return true;
}

/* Nothing opens such a drive. Without a name, or with a format that has room for QEMU's snapshots,
 * it is there for them; else a device may have been forgotten. */
static void warn_unattached(const struct device_options *all)
{
    for (unsigned i = 0; i < all->drives; i++) {
        const struct drive_option *d = &all->drive[i];
        if (d->interface == DRIVE_NONE && !d->used && d->id && d->format &&
            !strcmp(d->format, "raw"))
            log_line(LOG_WARN,
                     "drive `%.60s` has no device and is not opened: add -device "
                     "virtio-blk-device,drive=%.60s or write if=virtio",
                     d->id, d->id);
    }
}

bool options_settle_drives(struct run_options *o, struct error *err)
{
    struct device_options *all = o->collected;
    for (unsigned i = 0; i < all->devices; i++)
        if (all->device[i].type == VIRTIO_ID_BLOCK && !settle_device(all, &all->device[i], err))
            return false;
    warn_unattached(all);
    return settle_flashes(o, err);
}
