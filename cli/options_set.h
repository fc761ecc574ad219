/* Inside the parsing of the command line: the options that have files of their own, and what they
 * collect until the whole line is read. References by name may point forward, so they are resolved
 * at the end, by options_settle_devices. */
#ifndef CLI_OPTIONS_SET_H
#define CLI_OPTIONS_SET_H

#include "cli/options.h"
#include "cli/properties.h"

enum {
    OPTIONS_DRIVES = RISCV_VIRT_SLOTS + RISCV_VIRT_FLASHES,
    OPTIONS_NETDEVS = RISCV_VIRT_SLOTS,
    OPTIONS_CHARDEVS = 8,
    OPTIONS_OBJECTS = 8,
    OPTIONS_CONSOLES = 2
};

/* A row of the command line's table. */
struct option {
    const char *name;     /* without dashes; NULL: a heading */
    const char *alias;    /* another spelling, NULL: none */
    const char *argument; /* as help shows it, NULL: takes none */
    const char *help;     /* lines; NULL: not listed */
    option_set_fn *set;
};

enum { OPTIONS_NONE = -1 }; /* an index, unit or slot that is not given */

enum drive_interface { DRIVE_VIRTIO, DRIVE_NONE, DRIVE_PFLASH };

struct drive_option {
    const char *id; /* NULL: none */
    const char *file;
    const char *serial;
    const char *format;
    enum drive_interface interface;
    bool read_only;
    int unit;
    bool used;
};

struct netdev_option {
    const char *id; /* NULL: its device is known without a name */
    struct network_config config;
    bool used;
};

struct chardev_option {
    const char *id;
    char where[OPTIONS_WHERE]; /* as server/serial.h takes it */
    bool used;
};

/* A monitor: QMP, or a prompt. */
struct monitor_option {
    const char *option;  /* that it was given with */
    const char *where;   /* NULL: `chardev` */
    const char *chardev; /* its name */
    bool prompt, pretty;
};

enum rr_mode { RR_NONE, RR_RECORD, RR_REPLAY };

struct console_option {
    const char *id;
    const char *chardev; /* NULL: none */
};

/* What goes into a slot. */
struct device_option {
    const char *driver; /* as the user would spell it */
    enum virtio_id type;
    const char *id;
    int slot; /* bus=virtio-mmio-bus.N */
    const char *drive_id, *netdev_id, *object_id;
    int drive, netdev; /* index; OPTIONS_NONE: by the name above */
    const char *serial;
    bool has_mac;
    uint8_t mac[6];
    struct console_option console[OPTIONS_CONSOLES];
    unsigned consoles;
};

struct device_options {
    struct drive_option drive[OPTIONS_DRIVES];
    unsigned drives;
    struct netdev_option netdev[OPTIONS_NETDEVS];
    unsigned netdevs;
    struct chardev_option chardev[OPTIONS_CHARDEVS];
    unsigned chardevs;
    const char *object[OPTIONS_OBJECTS]; /* their names */
    unsigned objects;
    struct device_option device[RISCV_VIRT_SLOTS];
    unsigned devices;
    int net_device, net_netdev; /* of -net nic, -net user */
    bool net_nic, net_user;     /* they were given */
    struct monitor_option monitor[OPTIONS_CONTROLS];
    unsigned monitors;
    enum rr_mode rr;
    const char *rr_file;
    bool qemu, nographic, no_defaults, no_display;
    const char *rtc_clock; /* NULL: not given */
    const char *rtc_base;  /* NULL: not given */
};

/* Copies of what stood in a list live as long as the options. */
const char *options_keep(struct run_options *o, const char *text);
bool options_check_path(const char *name, const char *path, struct error *err);
/* Names of things that others refer to: a letter, then letters, digits, '-', '.', '_'. */
bool options_check_id(const char *name, const char *id, struct error *err);
/* A disk's serial number: not too long? */
bool options_check_serial(const char *name, const char *serial, struct error *err);
/* Such a name that no device has yet. */
bool options_check_device_id(const struct run_options *o, const char *name, const char *id,
                             struct error *err);
/* Cut the TYPE of `TYPE,KEY=VALUE,...` or `key=TYPE,...` off; kept. NULL on error. */
const char *options_type(struct run_options *o, const char *name, const char *key,
                         const char **list, struct error *err);

option_set_fn options_set_gdb, options_set_gdb_short, options_set_serial;
option_set_fn options_set_display, options_set_nographic, options_set_monitor;
option_set_fn options_accept; /* without effect */
option_set_fn options_set_qmp, options_set_mon, options_set_icount;
option_set_fn options_set_drive, options_set_pflash, options_refuse_drive;
option_set_fn options_set_device, options_set_object, options_set_global;
option_set_fn options_set_netdev, options_set_net, options_set_nic;
option_set_fn options_set_chardev;
option_set_fn options_set_rtc, options_set_fw_cfg;
option_set_fn options_set_output, options_set_keep, options_set_symbols, options_set_crash_on;

/* An option that only QEMU's command line has: accepted, or refused with the way out. NULL: QEMU
 * does not know it either. */
const struct option *options_find_qemu(const char *name);
/* Where the chardev leads, which then has this user; NULL on error. */
const char *options_take_chardev(struct device_options *all, const char *who, const char *id,
                                 struct error *err);
/* `help` or `?`: then `text` is what the program is to print. */
bool options_asks(struct run_options *o, const char *value, const char *text);
extern const char options_version[];

/* `backstep run` and its words as a shell takes them; kept. */
const char *options_command_line(struct run_options *o, int argc, char *const *argv);

/* A further device; NULL: no slot is left. */
struct device_option *options_add_device(struct run_options *o, const char *name,
                                         const char *driver, enum virtio_id type,
                                         struct error *err);
bool options_parse_mac(const char *name, const char *value, uint8_t mac[6], struct error *err);

/* Drives to their devices and flashes. */
bool options_settle_drives(struct run_options *o, struct error *err);
/* Networks to their devices. */
bool options_settle_networks(struct run_options *o, struct error *err);
/* The serial port and the consoles to their lines. */
bool options_settle_lines(struct run_options *o, struct error *err);
/* The monitors to their places. */
bool options_settle_control(struct run_options *o, struct error *err);
bool options_settle_icount(struct run_options *o, struct error *err);
bool options_settle_recording(struct run_options *o, struct error *err);
bool options_settle_rtc(struct run_options *o, struct error *err);
/* All of these, and the slots. */
bool options_settle_devices(struct run_options *o, struct error *err);

#endif
