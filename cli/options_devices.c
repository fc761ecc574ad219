/* -device, -object and -global; which device goes into which slot. */
#include "base/log.h"
#include "cli/nearest.h"
#include "cli/options_set.h"

#include <stdio.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof *(table))

struct device_option *options_add_device(struct run_options *o, const char *name,
                                         const char *driver, enum virtio_id type, struct error *err)
{
    struct device_options *all = o->collected;
    if (all->devices == RISCV_VIRT_SLOTS) {
        error_set(err, ERROR_RANGE, "-%s: too many devices: the machine has %d virtio slots", name,
                  RISCV_VIRT_SLOTS);
        return NULL;
    }
    struct device_option *device = &all->device[all->devices++];
    *device = (struct device_option){.driver = driver,
                                     .type = type,
                                     .slot = OPTIONS_NONE,
                                     .drive = OPTIONS_NONE,
                                     .netdev = OPTIONS_NONE};
    return device;
}

/* ---- keys of -device ---- */

static struct device_option *current(struct run_options *o)
{
    return &o->collected->device[o->collected->devices - 1];
}

/* The device that consoles belong to; NULL: there is none yet. */
static struct device_option *serial_device(struct run_options *o)
{
    for (unsigned i = o->collected->devices; i > 0; i--)
        if (o->collected->device[i - 1].type == VIRTIO_ID_CONSOLE)
            return &o->collected->device[i - 1];
    return NULL;
}

static struct console_option *current_console(struct run_options *o)
{
    struct device_option *device = serial_device(o);
    return &device->console[device->consoles - 1];
}

bool options_check_device_id(const struct run_options *o, const char *name, const char *id,
                             struct error *err)
{
    const struct device_options *all = o->collected;
    bool taken = false;
    for (unsigned i = 0; i < all->devices; i++) {
        const struct device_option *d = &all->device[i];
        taken |= d->id && !strcmp(d->id, id);
        for (unsigned j = 0; j < d->consoles; j++)
            taken |= d->console[j].id && !strcmp(d->console[j].id, id);
    }
    if (taken)
        return error_set(err, ERROR_USAGE, "-%s: id=%s is given to two devices", name, id);
    return options_check_id(name, id, err);
}

static bool set_id(struct run_options *o, const char *name, const char *value, struct error *err)
{
    if (!options_check_device_id(o, name, value, err))
        return false;
    current(o)->id = options_keep(o, value);
    return true;
}

static bool set_bus(struct run_options *o, const char *name, const char *value, struct error *err)
{
    static const char bus[] = "virtio-mmio-bus.";
    size_t size = sizeof bus - 1;
    if (strncmp(value, bus, size) != 0 || value[size] < '0' ||
        value[size] >= '0' + RISCV_VIRT_SLOTS || value[size + 1])
        return error_set(err, ERROR_USAGE,
                         "-%s: there is no bus `%.40s`: there are virtio-mmio-bus.0 to .%d", name,
                         value, RISCV_VIRT_SLOTS - 1);
    current(o)->slot = value[size] - '0';
    return true;
}

static bool set_drive(struct run_options *o, const char *name, const char *value, struct error *err)
{
    (void)name, (void)err;
    current(o)->drive_id = options_keep(o, value);
    return true;
}

static bool set_serial(struct run_options *o, const char *name, const char *value,
                       struct error *err)
{
    current(o)->serial = options_keep(o, value);
    return options_check_serial(name, value, err);
}

static bool set_netdev(struct run_options *o, const char *name, const char *value,
                       struct error *err)
{
    (void)name, (void)err;
    current(o)->netdev_id = options_keep(o, value);
    return true;
}

static bool set_mac(struct run_options *o, const char *name, const char *value, struct error *err)
{
    current(o)->has_mac = options_parse_mac(name, value, current(o)->mac, err);
    return current(o)->has_mac;
}

static bool set_rng(struct run_options *o, const char *name, const char *value, struct error *err)
{
    (void)name, (void)err;
    current(o)->object_id = options_keep(o, value);
    return true;
}

static bool set_console_id(struct run_options *o, const char *name, const char *value,
                           struct error *err)
{
    if (!options_check_device_id(o, name, value, err))
        return false;
    current_console(o)->id = options_keep(o, value);
    return true;
}

static bool set_chardev(struct run_options *o, const char *name, const char *value,
                        struct error *err)
{
    (void)name, (void)err;
    current_console(o)->chardev = options_keep(o, value);
    return true;
}

static const struct property block_table[] = {
    {"drive", NULL, set_drive}, {"serial", NULL, set_serial}, {"id", NULL, set_id},
    {"bus", NULL, set_bus},     {"scsi", "off", NULL},
};
static const struct property net_table[] = {
    {"netdev", NULL, set_netdev},
    {"mac", NULL, set_mac},
    {"id", NULL, set_id},
    {"bus", NULL, set_bus},
};
static const struct property rng_table[] = {
    {"rng", NULL, set_rng}, {"id", NULL, set_id}, {"bus", NULL, set_bus}};
static const struct property serial_table[] = {{"id", NULL, set_id}, {"bus", NULL, set_bus}};
static const struct property console_table[] = {{"chardev", NULL, set_chardev},
                                                {"id", NULL, set_console_id}};

/* ---- -device ---- */

struct driver {
    const char *name;
    enum virtio_id type; /* 0: a console of the serial device before it */
    const struct property *table;
    size_t count;
};

static const struct driver driver[] = {
    {"virtio-blk-device", VIRTIO_ID_BLOCK, block_table, COUNT(block_table)},
    {"virtio-net-device", VIRTIO_ID_NET, net_table, COUNT(net_table)},
    {"virtio-rng-device", VIRTIO_ID_ENTROPY, rng_table, COUNT(rng_table)},
    {"virtio-serial-device", VIRTIO_ID_CONSOLE, serial_table, COUNT(serial_table)},
    {"virtconsole", 0, console_table, COUNT(console_table)},
};

/* Also virtio-blk-pci, virtio-blk and the like: this machine has no PCI. */
static bool unknown_driver(const char *name, const char *type, struct error *err)
{
    size_t size = strlen(type);
    for (size_t i = 0; i < COUNT(driver); i++) {
        size_t stem = strlen(driver[i].name) - strlen("-device");
        if (driver[i].type && !strncmp(type, driver[i].name, stem) &&
            (size == stem || !strcmp(type + stem, "-pci") || !strcmp(type + stem, "-ccw") ||
             !strncmp(type + stem, "-pci-", 5)))
            return error_set(err, ERROR_USAGE, "-%s %.40s: on this machine it is %s", name, type,
                             driver[i].name);
    }
    const char *meant = nearest(type, &driver[0].name, sizeof *driver, COUNT(driver));
    if (meant)
        return error_set(err, ERROR_USAGE, "-%s: there is no device `%.40s`: did you mean %s?",
                         name, type, meant);
    return error_set(err, ERROR_USAGE,
                     "-%s: there is no device `%.40s`: there are virtio-blk-device, "
                     "virtio-net-device, virtio-rng-device, virtio-serial-device, virtconsole",
                     name, type);
}

static bool add_console(struct run_options *o, const char *name, struct error *err)
{
    struct device_option *device = serial_device(o);
    if (!device)
        return error_set(err, ERROR_USAGE,
                         "-%s virtconsole needs a device before it: -device virtio-serial-device",
                         name);
    if (device->consoles == OPTIONS_CONSOLES)
        return error_set(err, ERROR_RANGE, "-%s virtconsole: the machine has %d consoles at most",
                         name, OPTIONS_CONSOLES);
    device->console[device->consoles++] = (struct console_option){0};
    return true;
}

bool options_set_device(struct run_options *o, const char *name, const char *value,
                        struct error *err)
{
    char full[64];
    const char *list = value, *type = options_type(o, name, "driver", &list, err);
    const struct driver *d = NULL;
    if (!type)
        return false;
    for (size_t i = 0; i < COUNT(driver) && !d; i++)
        d = !strcmp(driver[i].name, type) ? &driver[i] : NULL;
    if (!d)
        return unknown_driver(name, type, err);
    if (d->type == VIRTIO_ID_CONSOLE && serial_device(o))
        return error_set(err, ERROR_RANGE,
                         "-%s %s is given twice: one takes two -device virtconsole", name, type);
    if (!(d->type ? options_add_device(o, name, d->name, d->type, err) != NULL
                  : add_console(o, name, err)))
        return false;
    snprintf(full, sizeof full, "%s %s", name, d->name);
    return properties_set_keys(o, full, list, d->table, d->count, err);
}

/* ---- -object ---- */

static bool set_object_id(struct run_options *o, const char *name, const char *value,
                          struct error *err)
{
    struct device_options *all = o->collected;
    for (unsigned i = 0; i + 1 < all->objects; i++)
        if (!strcmp(all->object[i], value))
            return error_set(err, ERROR_USAGE, "-%s: id=%s is given to two objects", name, value);
    all->object[all->objects - 1] = options_keep(o, value);
    return options_check_id(name, value, err);
}

/* Entropy is always the host's, recorded; who says so with an object is right. */
bool options_set_object(struct run_options *o, const char *name, const char *value,
                        struct error *err)
{
    static const struct property builtin[] = {{"id", NULL, set_object_id}};
    static const struct property random[] = {{"id", NULL, set_object_id},
                                             {"filename", "/dev/urandom|/dev/random", NULL}};
    struct device_options *all = o->collected;
    const char *list = value, *type = options_type(o, name, "qom-type", &list, err);
    if (!type)
        return false;
    bool is_random = !strcmp(type, "rng-random");
    if (!is_random && strcmp(type, "rng-builtin") != 0)
        return error_set(err, ERROR_UNSUPPORTED,
                         "-%s: there is no object `%.40s`: there are rng-random and rng-builtin",
                         name, type);
    if (all->objects == OPTIONS_OBJECTS)
        return error_set(err, ERROR_RANGE, "-%s: too many objects: at most %d", name,
                         OPTIONS_OBJECTS);
    all->object[all->objects++] = "";
    if (!properties_set_keys(o, name, list, is_random ? random : builtin,
                             is_random ? COUNT(random) : COUNT(builtin), err))
        return false;
    if (!*all->object[all->objects - 1])
        return error_set(err, ERROR_USAGE, "-%s %s: a name is missing: add id=ID", name, type);
    return true;
}

bool options_set_global(struct run_options *o, const char *name, const char *value,
                        struct error *err)
{
    static const struct property table[] = {{"virtio-mmio.force-legacy", "off", NULL}};
    return properties_set_keys(o, name, value, table, COUNT(table), err);
}

/* ---- together ---- */

static bool settle_objects(const struct device_options *all, struct error *err)
{
    for (unsigned i = 0; i < all->devices; i++) {
        const char *id = all->device[i].object_id;
        bool found = !id;
        for (unsigned j = 0; j < all->objects; j++)
            found |= id && !strcmp(all->object[j], id);
        if (!found)
            return error_set(err, ERROR_USAGE,
                             "-device %s: there is no object `%.60s`: add -object "
                             "rng-builtin,id=%.60s, or leave rng= out",
                             all->device[i].driver, id, id);
    }
    return true;
}

/* Those with a bus first; the others take the lowest slots left, in the order of the line. */
static bool assign_slots(const struct device_options *all,
                         const struct device_option *in[RISCV_VIRT_SLOTS], struct error *err)
{
    for (unsigned i = 0; i < all->devices; i++) {
        const struct device_option *d = &all->device[i];
        if (d->slot == OPTIONS_NONE)
            continue;
        if (in[d->slot])
            return error_set(err, ERROR_USAGE,
                             "-device %s: bus=virtio-mmio-bus.%d already has a %s", d->driver,
                             d->slot, in[d->slot]->driver);
        in[d->slot] = d;
    }
    for (unsigned i = 0, next = 0; i < all->devices; i++) {
        if (all->device[i].slot != OPTIONS_NONE)
            continue;
        while (in[next])
            next++;
        in[next] = &all->device[i];
    }
    return true;
}

/* Disks and networks are numbered by their slots. */
static void fill_slot(struct run_options *o, unsigned slot, const struct device_option *d)
{
    struct riscv_virt_slot *s = &o->machine.slot[slot];
    *s = (struct riscv_virt_slot){.id = d->type, .ports = d->consoles};
    if (d->type == VIRTIO_ID_BLOCK) {
        const struct drive_option *drive = &o->collected->drive[d->drive];
        s->read_only = drive->read_only;
        s->serial = d->serial;
        o->disk[o->disks++] = drive->file;
    }
    if (d->type == VIRTIO_ID_NET) {
        memcpy(s->mac, d->mac, sizeof s->mac);
        o->network[o->networks++] = o->collected->netdev[d->netdev].config;
    }
}

static void warn_unused(const struct device_options *all)
{
    for (unsigned i = 0; i < all->netdevs; i++)
        if (!all->netdev[i].used)
            log_line(LOG_WARN,
                     "network `%.60s` has no device: add -device virtio-net-device,netdev=%.60s",
                     all->netdev[i].id, all->netdev[i].id);
    for (unsigned i = 0; i < all->chardevs; i++)
        if (!all->chardev[i].used)
            log_line(LOG_WARN, "chardev `%.60s` is not used: add -serial chardev:%.60s",
                     all->chardev[i].id, all->chardev[i].id);
}

bool options_settle_devices(struct run_options *o, struct error *err)
{
    const struct device_options *all = o->collected;
    const struct device_option *in[RISCV_VIRT_SLOTS] = {NULL};
    if (!options_settle_drives(o, err) || !options_settle_networks(o, err) ||
        !options_settle_lines(o, err) || !options_settle_control(o, err) ||
        !options_settle_rtc(o, err) || !settle_objects(all, err) || !assign_slots(all, in, err))
        return false;
    for (unsigned i = 0; i < RISCV_VIRT_SLOTS; i++)
        if (in[i])
            fill_slot(o, i, in[i]);
    warn_unused(all);
    return true;
}

unsigned options_disk_slot(const struct run_options *o, unsigned disk)
{
    unsigned slot = 0;
    for (; slot < RISCV_VIRT_SLOTS; slot++)
        if (o->machine.slot[slot].id == VIRTIO_ID_BLOCK && !disk--)
            break;
    return slot;
}
