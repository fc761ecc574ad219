/* The command line of `backstep run`: one table that parsing and help are made from. Options are
 * spelled as QEMU's users know them, with one dash or two. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "base/buffer.h"
#include "base/error.h"
#include "cli/crash_triggers.h"
#include "devices/riscv_virt.h"
#include "devices/virtio.h"
#include "server/network_config.h"

enum { OPTIONS_WHERE = 4200 }; /* a path of PATH_MAX and what stands around it */
enum { OPTIONS_LINES = 3, OPTIONS_FW_CFGS = 16, OPTIONS_SYMBOLS = 16, OPTIONS_CONTROLS = 4 };

struct device_options;
struct option_text;

/* What stands behind a serial port or a console: channel, and what server/serial.h takes. */
struct run_line {
    unsigned channel;
    const char *where;
};

/* A control socket that speaks QMP. */
struct run_control {
    const char *where; /* as address_parse takes it */
    bool pretty;       /* answers in several lines */
};

struct run_fw_cfg {
    const char *name;
    const char *text; /* its contents, NULL: those of `file` */
    const char *file;
};

struct run_options {
    struct riscv_virt_options machine; /* strings are argv's, or the options'; disk_bytes of disks
                                        * and fw_cfg are left to who reads files */
    char gdb[OPTIONS_WHERE];           /* as address_parse takes it; empty: none */
    char serial[OPTIONS_WHERE];        /* as server/serial.h takes it; empty: not given */
    bool stopped;                      /* -S: wait for gdb before the first step */
    bool no_shutdown;
    bool warp;              /* -icount sleep=off */
    uint64_t stop_at;       /* POSITION_NONE: no limit */
    uint64_t budget;        /* bytes */
    uint64_t spacing_ns;    /* between checkpoints, host time to replay */
    uint64_t spacing_steps; /* the same in steps, 0: by time */
    bool checkpoints_off;   /* for the bench; there is no option */
    bool help;              /* --help was given; nothing else is then checked */
    const char *answer;     /* text to print instead of running (-version, -M help); nothing else is
                             * then checked; NULL: none */
    /* Given, not by default: what a recording that is replayed has to agree with. */
    bool ram_given, harts_given, shift_given;
    bool budget_given;
    /* The host's side of the machine's devices. */
    struct run_line line[OPTIONS_LINES]; /* the serial port, then the consoles */
    unsigned lines;
    const char *disk[RISCV_VIRT_SLOTS]; /* image of disk N */
    unsigned disks;
    struct network_config network[RISCV_VIRT_SLOTS]; /* of CHANNEL_NET0 + N */
    unsigned networks;
    struct run_fw_cfg fw_cfg[OPTIONS_FW_CFGS];
    unsigned fw_cfgs;
    struct run_control control[OPTIONS_CONTROLS];
    unsigned controls;
    const char *pid_file; /* NULL: none */
    const char *name;     /* of the machine, for clients that ask; NULL: none */
    /* The recording in a file. */
    const char *output;                   /* -o or rr=record, NULL: none */
    bool output_replaces;                 /* a file that has the name */
    const char *replayed;                 /* rr=replay: the recording to open, NULL: it is a run */
    const char *snapshot;                 /* a bookmark to make at the start, or, with `replayed`,
                                           * to start from; NULL: none */
    uint64_t keep_bytes, keep_ns;         /* --keep: of the file, of the guest's time; 0: all */
    const char *symbols[OPTIONS_SYMBOLS]; /* ELF files, for reports */
    unsigned symbol_files;
    struct crash_triggers crash; /* --crash-on; the default set is in it */
    const char *command;         /* this command line, as a shell takes it */
    const char *dump_vmstate;    /* a file; the machine then does not run; NULL: not wanted */
    /* Owned. */
    struct device_options *collected;
    struct option_text *texts;
};

/* Fill *options from argv[0..argc), which begins behind the `run`. On error *err names the option
 * and the way out. Opens no file, takes no port. options_fini in any case. */
bool options_parse(struct run_options *options, int argc, char *const *argv, struct error *err);
/* The same where the program has the name of QEMU's: what the line does not say is then as in QEMU.
 */
bool options_parse_qemu(struct run_options *options, int argc, char *const *argv,
                        struct error *err);
void options_fini(struct run_options *options);
/* The disk in this slot; RISCV_VIRT_SLOTS: there is no such disk. */
unsigned options_disk_slot(const struct run_options *options, unsigned disk);
/* The text of `backstep run --help`. */
void options_help(struct buffer *out);

#endif
