#include "cli/options.h"

#include "base/check.h"
#include "cli/nearest.h"
#include "cli/numbers.h"
#include "cli/options_set.h"
#include "devices/virtio_blk.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)
#define NS_PER_MS UINT64_C(1000000)

enum { DEFAULT_RAM_MIB = 128, DEFAULT_SHIFT = 3, DEFAULT_CHECKPOINT_MS = 25 };
#define DEFAULT_BUDGET (UINT64_C(1) << 30)
#define BUDGET_LEAST (16 * MIB)
enum { ID_MOST = 60 };
#define CHECKPOINT_MS_MOST UINT64_C(60000)

#define COUNT(table) (sizeof(table) / sizeof *(table))
#define SET_PROPERTIES(table, hint) properties_set(o, name, value, table, COUNT(table), hint, err)

/* ---- for all of them ---- */

struct option_text {
    struct option_text *next;
    char text[];
};

const char *options_keep(struct run_options *o, const char *text)
{
    size_t size = strlen(text) + 1;
    struct option_text *kept = mem_new(1, sizeof *kept + size);
    kept->next = o->texts;
    o->texts = kept;
    return memcpy(kept->text, text, size);
}

bool options_check_path(const char *name, const char *path, struct error *err)
{
    if (!*path)
        return error_set(err, ERROR_USAGE, "-%s: the file's name is empty", name);
    if (strlen(path) >= PATH_MAX)
        return error_set(err, ERROR_USAGE, "-%s: %.40s...: the path is too long, %d bytes at most",
                         name, path, PATH_MAX - 1);
    return true;
}

bool options_check_id(const char *name, const char *id, struct error *err)
{
    bool good = isalpha((unsigned char)*id) && strlen(id) <= ID_MOST;
    for (const char *c = id; *c; c++)
        good &= isalnum((unsigned char)*c) || strchr("-._", *c);
    return good || error_set(err, ERROR_USAGE,
                             "-%s: `%.40s` is no name: a letter, then letters, digits, `-`, `.`, "
                             "`_`, at most %d",
                             name, id, ID_MOST);
}

bool options_check_serial(const char *name, const char *serial, struct error *err)
{
    return strlen(serial) <= VIRTIO_BLK_SERIAL ||
           error_set(err, ERROR_USAGE, "-%s: serial=%.40s is too long: %d bytes at most", name,
                     serial, VIRTIO_BLK_SERIAL);
}

const char *options_type(struct run_options *o, const char *name, const char *key,
                         const char **list, struct error *err)
{
    struct property_item item;
    if (!properties_next(&item, list, name, err))
        return NULL;
    if (*item.value && (!item.key || !strcmp(item.key, key)))
        return options_keep(o, item.value);
    error_set(err, ERROR_USAGE, "-%s: `%s%s%.80s` is not possible: a type comes first", name,
              item.key ? item.key : "", item.key ? "=" : "", item.value);
    return NULL;
}

/* ---- the machine ---- */

static bool set_machine(struct run_options *o, const char *name, const char *value,
                        struct error *err)
{
    static const struct property table[] = {{"type", "virt", NULL}, {"aclint", "off", NULL},
                                            {"aia", "none", NULL},  {"acpi", "off", NULL},
                                            {"usb", "off", NULL},   {"graphics", "off", NULL},
                                            {"accel", "tcg", NULL}};
    if (options_asks(o, value,
                     "Supported machines are:\nvirt                 the RISC-V `virt` "
                     "board (default)\n"))
        return true;
    return SET_PROPERTIES(table, "the machine is `virt`, there is no other");
}

static bool set_cpu(struct run_options *o, const char *name, const char *value, struct error *err)
{
    static const struct property table[] = {
        {"type", "rv64|max", NULL}, {"i", "on", NULL},        {"m", "on", NULL},
        {"a", "on", NULL},          {"f", "on", NULL},        {"d", "on", NULL},
        {"c", "on", NULL},          {"g", "on", NULL},        {"s", "on", NULL},
        {"u", "on", NULL},          {"e", "off", NULL},       {"h", "off", NULL},
        {"v", "off", NULL},         {"zba", "on", NULL},      {"zbb", "on", NULL},
        {"zbs", "on", NULL},        {"zbc", "off", NULL},     {"zicbom", "on", NULL},
        {"zicboz", "on", NULL},     {"zicsr", "on", NULL},    {"zifencei", "on", NULL},
        {"zicntr", "on", NULL},     {"zihpm", "on", NULL},    {"sstc", "on", NULL},
        {"svadu", "on", NULL},      {"mmu", "on", NULL},      {"pmp", "on", NULL},
        {"sv39", "on", NULL},       {"sv48", "on", NULL},     {"sv57", "on", NULL},
        {"svinval", "off", NULL},   {"svnapot", "off", NULL}, {"svpbmt", "off", NULL}};
    if (options_asks(o, value, "rv64\nmax\n"))
        return true;
    return SET_PROPERTIES(table, "harts are rv64 with GC, Zba, Zbb, Zbs, Zicbom, Zicboz, Sstc, "
                                 "Svadu, Sv39 to Sv57, and -cpu does not change that");
}

static bool set_ram_size(struct run_options *o, const char *name, const char *value,
                         struct error *err)
{
    uint64_t most = UINT64_C(8) << 30, *size = &o->machine.ram_size;
    if (!number_parse_size(value, MIB, size))
        return error_set(err, ERROR_USAGE, "-%s: `%s` is no size: write 256M or 2G", name, value);
    if (*size < MIB || *size > most || *size % MIB)
        return error_set(err, ERROR_RANGE, "-%s: %s is out of range: whole MiB, 1M to 8G", name,
                         value);
    o->ram_given = true;
    return true;
}

static bool set_ram(struct run_options *o, const char *name, const char *value, struct error *err)
{
    static const struct property table[] = {{"size", NULL, set_ram_size}};
    return SET_PROPERTIES(table, "write -m SIZE, like 256M or 2G");
}

static bool set_cpus(struct run_options *o, const char *name, const char *value, struct error *err)
{
    uint64_t harts;
    if (!number_parse(value, &harts))
        return error_set(err, ERROR_USAGE, "-%s: `%s` is no number of harts", name, value);
    if (harts < 1 || harts > MACHINE_CPUS)
        return error_set(err, ERROR_RANGE, "-%s: %s harts: the machine has 1 to %d", name, value,
                         MACHINE_CPUS);
    o->machine.harts = (unsigned)harts;
    o->harts_given = true;
    return true;
}

static bool set_smp(struct run_options *o, const char *name, const char *value, struct error *err)
{
    static const struct property table[] = {
        {"cpus", NULL, set_cpus}, {"sockets", "1", NULL}, {"threads", "1", NULL}};
    return SET_PROPERTIES(table, "write -smp N");
}

/* An option that names a file. */
#define SET_PATH(option)                                                                           \
    static bool set_##option(struct run_options *o, const char *name, const char *value,           \
                             struct error *err)                                                    \
    {                                                                                              \
        o->machine.option = value;                                                                 \
        return options_check_path(name, value, err);                                               \
    }
SET_PATH(bios)
SET_PATH(kernel)
SET_PATH(initrd)
SET_PATH(dtb)
#undef SET_PATH

/* An option that is on when it is given. */
#define SET_FLAG(option, member)                                                                   \
    static bool set_##option(struct run_options *o, const char *name, const char *value,           \
                             struct error *err)                                                    \
    {                                                                                              \
        (void)name, (void)value, (void)err;                                                        \
        o->member = true;                                                                          \
        return true;                                                                               \
    }
SET_FLAG(semihosting, machine.semihosting)
SET_FLAG(no_reboot, machine.no_reboot)
SET_FLAG(no_shutdown, no_shutdown)
SET_FLAG(stopped, stopped)
SET_FLAG(help, help)
#undef SET_FLAG

static bool set_append(struct run_options *o, const char *name, const char *value,
                       struct error *err)
{
    (void)name, (void)err;
    o->machine.append = value;
    return true;
}

/* ---- the recording ---- */

static bool set_stop_at(struct run_options *o, const char *name, const char *value,
                        struct error *err)
{
    if (number_parse(value, &o->stop_at))
        return true;
    return error_set(err, ERROR_USAGE,
                     "--%s: `%s` is no position: write 1500000, 1,500,000 or 1.5e6", name, value);
}

static bool set_budget(struct run_options *o, const char *name, const char *value,
                       struct error *err)
{
    if (!number_parse_size(value, MIB, &o->budget))
        return error_set(err, ERROR_USAGE, "--%s: `%s` is no size: write 512M or 4G", name, value);
    if (o->budget < BUDGET_LEAST || o->budget > SIZE_MAX / 2)
        return error_set(err, ERROR_RANGE, "--%s: %s is too %s: give it 16M or more", name, value,
                         o->budget < BUDGET_LEAST ? "little" : "much");
    o->budget_given = true;
    return true;
}

static bool set_checkpoint_ms(struct run_options *o, const char *name, const char *value,
                              struct error *err)
{
    uint64_t ms;
    if (!number_parse(value, &ms) || !ms || ms > CHECKPOINT_MS_MOST)
        return error_set(err, ERROR_USAGE, "--%s: `%s` is not possible: 1 to 60000 milliseconds",
                         name, value);
    o->spacing_ns = ms * NS_PER_MS;
    return true;
}

static bool set_checkpoint_steps(struct run_options *o, const char *name, const char *value,
                                 struct error *err)
{
    if (number_parse(value, &o->spacing_steps) && o->spacing_steps)
        return true;
    return error_set(err, ERROR_USAGE, "--%s: `%s` is no number of steps", name, value);
}

/* ---- other ---- */

static bool set_dump_vmstate(struct run_options *o, const char *name, const char *value,
                             struct error *err)
{
    o->dump_vmstate = value;
    return options_check_path(name, value, err);
}

/* ---- the table ---- */

static const struct option option[] = {
    {NULL, NULL, NULL, "The machine", NULL},
    {"M", "machine", "virt", "the board (default, and the only one)", set_machine},
    {"m", NULL, "SIZE", "RAM: 256M, 2G; without a suffix in MiB (default 128M, at most 8G)",
     set_ram},
    {"smp", NULL, "N", "harts, 1 to 8 (default 1)", set_smp},
    {"cpu", NULL, "rv64|max", "accepted when it names what the harts are", set_cpu},
    {"bios", NULL, "default|FILE|none", "firmware (default: Debian's OpenSBI)", set_bios},
    {"kernel", NULL, "FILE",
     "ELF, RISC-V Image or raw; an ELF where the firmware would\n"
     "lie runs without firmware",
     set_kernel},
    {"initrd", NULL, "FILE", "initial RAM disk", set_initrd},
    {"append", NULL, "TEXT", "the kernel's command line", set_append},
    {"dtb", NULL, "FILE", "device tree instead of the generated one", set_dtb},
    {"serial", NULL, "WHERE",
     "the serial port: stdio, pty, null, file:PATH, chardev:ID; a socket:\n"
     "unix:PATH or tcp:HOST:PORT to connect to, with ,server to wait\n"
     "for a peer there, with ,server,wait=off to run meanwhile\n"
     "(default stdio; null with -gdb stdio); on a terminal, and with\n"
     "mon:stdio on a pipe, C-a x quits, C-a h lists the keys",
     options_set_serial},
    {"icount", NULL, "shift=N,sleep=on|off,rr=record|replay,rrfile=FILE,rrsnapshot=NAME",
     "a step takes 2^N ns (default 3); sleep=off passes over idle\n"
     "time at once; rr=record: the same as -o FILE, which is replaced, and\n"
     "NAME a bookmark of the start; rr=replay: open FILE, at its start or\n"
     "at the bookmark, and run through it, or with -S wait there",
     options_set_icount},
    {"rtc", NULL, "base=utc|DATE",
     "the guest's clock: the host's, recorded (default); or from\n"
     "YYYY-MM-DD or YYYY-MM-DDTHH:MM:SS on by the guest's own time",
     options_set_rtc},
    {"semihosting", NULL, NULL,
     "RISC-V semihosting: console, exit, command line, clock; what is\n"
     "typed then goes there, not to the serial port",
     set_semihosting},
    {"no-reboot", NULL, NULL, "a reset ends the run", set_no_reboot},
    {"nographic", NULL, NULL, "accepted: there are no graphics", options_set_nographic},
    {"display", NULL, "none", "accepted", options_set_display},
    {"monitor", NULL, "none", "accepted", options_set_monitor},
    {"global", NULL, "virtio-mmio.force-legacy=off", "accepted: devices are never legacy ones",
     options_set_global},
    {NULL, NULL, NULL, "Devices, at most eight that are virtio; docs/devices.md says more", NULL},
    {"drive", NULL, "file=F,format=raw,KEY=VALUE,...",
     "an image; the guest's writes never reach it. if=virtio: a disk\n"
     "(default), if=none,id=ID: for -device, if=pflash[,unit=0|1]: a\n"
     "flash; readonly=on, serial=TEXT; a comma in a name is doubled",
     options_set_drive},
    {"snapshot", NULL, NULL, "accepted: images are never written", options_accept},
    {"pflash", NULL, "FILE", "the same as -drive if=pflash,format=raw,file=FILE",
     options_set_pflash},
    {"netdev", NULL, "user,id=ID[,KEY=VALUE,...]",
     "a network behind the host's own sockets; hostfwd=[tcp|udp]:\n"
     "[ADDR]:PORT-[ADDR]:PORT (repeated: more ports), net=, host=,\n"
     "dns=, dhcpstart=, hostname=, domainname=, restrict=, ipv4=, ipv6=",
     options_set_netdev},
    {"nic", NULL, "user[,mac=MAC,...]|none", "such a network and its device in one",
     options_set_nic},
    {"net", NULL, "nic|user[,...]|none", "the same in two: -net nic -net user (default none)",
     options_set_net},
    {"chardev", NULL, "WHERE,id=ID[,KEY=VALUE,...]",
     "stdio, pty, null, file,path=PATH, or\n"
     "socket,path=PATH|host=HOST,port=PORT|fd=N[,server=on][,wait=off]: a\n"
     "place for -serial chardev:ID, -mon chardev=ID or a virtconsole",
     options_set_chardev},
    {"device", NULL, "DRIVER[,KEY=VALUE,...]",
     "virtio-blk-device,drive=ID[,serial=TEXT]\n"
     "virtio-net-device,netdev=ID[,mac=MAC]\n"
     "virtio-rng-device\n"
     "virtio-serial-device, and behind it one or two\n"
     "virtconsole[,chardev=ID]\n"
     "all of virtio take id=ID, bus=virtio-mmio-bus.0 to .7: the slot",
     options_set_device},
    {"object", NULL, "rng-random|rng-builtin,id=ID", "accepted: entropy is the host's, recorded",
     options_set_object},
    {"fw_cfg", NULL, "name=opt/NAME,string=TEXT|file=F", "an item for firmware to read",
     options_set_fw_cfg},
    {"hda", "hdb", "FILE", NULL, options_refuse_drive},
    {"hdc", "hdd", "FILE", NULL, options_refuse_drive},
    {"cdrom", "sd", "FILE", NULL, options_refuse_drive},
    {"blockdev", "mtdblock", "FILE", NULL, options_refuse_drive},
    {NULL, NULL, NULL, "Debugging", NULL},
    {"gdb", NULL, "WHERE",
     "where gdb connects: tcp:HOST:PORT, unix:PATH or stdio; an empty\n"
     "host is 127.0.0.1, port 0 picks one",
     options_set_gdb},
    {"qmp", NULL, "unix:PATH|tcp:HOST:PORT[,server=on][,wait=off]",
     "control by QEMU's machine protocol, see docs/control.md", options_set_qmp},
    {"mon", NULL, "chardev=ID,mode=control[,pretty=on]", "the same on a -chardev socket",
     options_set_mon},
    {"s", NULL, NULL, "the same as -gdb tcp::1234", options_set_gdb_short},
    {"S", NULL, NULL, "wait for gdb or a control client before the first step", set_stopped},
    {"no-shutdown", NULL, NULL, "stay when the machine has gone off, for a gdb to come",
     set_no_shutdown},
    {"stop-at", NULL, "N", "stop at position N, in steps since power-on: 1500000, 1.5e6",
     set_stop_at},
    {NULL, NULL, NULL, "The recording, which is always on", NULL},
    {"o", "output", "FILE",
     "write it to FILE while the machine runs, for `backstep replay FILE`;\n"
     "FILE.incomplete until it is closed",
     options_set_output},
    {"keep", NULL, "SIZE|TIME",
     "a flight recorder: FILE has at most SIZE (64M, 2G), or file and\n"
     "memory the newest TIME of the guest (30s, 10min, 2h); what is older\n"
     "is forgotten",
     options_set_keep},
    {"symbols", NULL, "FILE", "an ELF file that the recording carries for reports; repeatable",
     options_set_symbols},
    {"crash-on", NULL, "TRIGGER",
     "end the run, status 3, with a line and a verdict in FILE: panic,\n"
     "test-fail, trap-loop, symbol:NAME, symbol:0xADDRESS, console:REGEX,\n"
     "watchdog:STEPS (nothing printed for so long), none; repeatable. With\n"
     "-o panic, test-fail and trap-loop, without it none, unless it is\n"
     "given; with -gdb the machine stops instead, and stays for gdb",
     options_set_crash_on},
    {"memory-budget", NULL, "SIZE", "memory for checkpoints and log (default 1G)", set_budget},
    {"checkpoint-ms", NULL, "N", "time to replay between two checkpoints (default 25)",
     set_checkpoint_ms},
    {"checkpoint-steps", NULL, "N", "for testing: a checkpoint every N steps instead",
     set_checkpoint_steps},
    {NULL, NULL, NULL, "Other", NULL},
    {"dump-vmstate", NULL, "FILE",
     "write what is saved of a machine to FILE (-: standard output), as\n"
     "JSON for `backstep vmstate check`, and run nothing",
     set_dump_vmstate},
    {"help", "h", NULL, "this text", set_help},
};

static const struct option *find_option(const char *name)
{
    for (size_t i = 0; i < COUNT(option); i++)
        if (option[i].name &&
            (!strcmp(option[i].name, name) || (option[i].alias && !strcmp(option[i].alias, name))))
            return &option[i];
    return options_find_qemu(name);
}

/* NAME=VALUE: *name becomes that of the option, *value what follows. */
static const struct option *find_joined(const char **name, const char **value)
{
    char known[32];
    size_t size = strcspn(*name, "=");
    if (!(*name)[size] || size >= sizeof known)
        return NULL;
    snprintf(known, sizeof known, "%.*s", (int)size, *name);
    const struct option *found = find_option(known);
    if (!found)
        return NULL;
    *value = *name + size + 1;
    *name = found->alias && !strcmp(found->alias, known) ? found->alias : found->name;
    return found;
}

static bool unknown(const char *word, const char *name, struct error *err)
{
    const char *meant = nearest(name, &option[0].name, sizeof *option, COUNT(option));
    const char *other = nearest(name, &option[0].alias, sizeof *option, COUNT(option));
    if (other && (!meant || nearest_distance(name, other) < nearest_distance(name, meant)))
        meant = other;
    if (meant)
        return error_set(err, ERROR_USAGE, "unknown option %s: did you mean -%s?", word, meant);
    return error_set(err, ERROR_USAGE, "unknown option %s: `backstep run --help` lists them", word);
}

/* ---- as a whole ---- */

static void set_defaults(struct run_options *o)
{
    *o = (struct run_options){
        .machine = {.ram_size = DEFAULT_RAM_MIB * MIB, .harts = 1, .shift = DEFAULT_SHIFT},
        .stop_at = POSITION_NONE,
        .budget = DEFAULT_BUDGET,
        .spacing_ns = DEFAULT_CHECKPOINT_MS * NS_PER_MS,
        .collected = mem_new(1, sizeof *o->collected),
    };
    o->collected->net_device = OPTIONS_NONE;
}

void options_fini(struct run_options *o)
{
    while (o->texts) {
        struct option_text *next = o->texts->next;
        free(o->texts);
        o->texts = next;
    }
    free(o->collected);
    *o = (struct run_options){0};
}

/* What options mean together. */
static bool settle(struct run_options *o, struct error *err)
{
    if (!o->machine.kernel && (o->machine.append || o->machine.initrd))
        return error_set(err, ERROR_USAGE, "%s is for a kernel: add -kernel FILE",
                         o->machine.append ? "-append" : "-initrd");
    if (!options_settle_icount(o, err) || !options_settle_recording(o, err) ||
        !options_settle_devices(o, err))
        return false;
    return !o->stopped || *o->gdb || o->controls ||
           error_set(err, ERROR_USAGE,
                     "-S waits for a gdb that has nowhere to connect: add -s, -gdb or -qmp");
}

static bool parse(struct run_options *o, int argc, char *const *argv, struct error *err)
{
    o->command = options_command_line(o, argc, argv);
    for (int i = 0; i < argc; i++) {
        const char *word = argv[i], *name = word;
        if (*name != '-')
            return error_set(err, ERROR_USAGE,
                             "`%s` is no option: a guest is given with -kernel %s", word,
                             *word ? word : "FILE");
        name += name[1] == '-' ? 2 : 1;
        const char *joined = NULL;
        const struct option *found = find_option(name);
        if (!found && word[1] == '-')
            found = find_joined(&name, &joined);
        if (!found)
            return unknown(word, name, err);
        if (joined && !found->argument)
            return error_set(err, ERROR_USAGE, "--%s takes no value", name);
        if (found->argument && !joined && i + 1 == argc)
            return error_set(err, ERROR_USAGE, "%s needs a value: %s %s", word, word,
                             found->argument);
        const char *value = joined ? joined : found->argument ? argv[++i] : NULL;
        if (!found->set(o, name, value, err))
            return false;
        if (o->help || o->answer)
            return true;
    }
    return settle(o, err);
}

bool options_parse(struct run_options *o, int argc, char *const *argv, struct error *err)
{
    set_defaults(o);
    return parse(o, argc, argv, err);
}

bool options_parse_qemu(struct run_options *o, int argc, char *const *argv, struct error *err)
{
    set_defaults(o);
    o->collected->qemu = true;
    return parse(o, argc, argv, err);
}

/* ---- help ---- */

enum { HELP_COLUMN = 30 };

static void help_row(const struct option *row, struct buffer *out)
{
    size_t start = out->size;
    /* Those that QEMU does not have are shown with two dashes. */
    bool ours = (strchr(row->name, '-') && strncmp(row->name, "no-", 3) != 0 &&
                 strcmp(row->name, "dump-vmstate") != 0) ||
                !strcmp(row->name, "keep") || !strcmp(row->name, "symbols");
    buffer_printf(out, "  %s%s", ours ? "--" : "-", row->name);
    if (row->alias)
        buffer_printf(out, ", -%s", row->alias);
    if (row->argument)
        buffer_printf(out, " %s", row->argument);
    for (const char *line = row->help; line;) {
        size_t size = strcspn(line, "\n"), used = out->size - start;
        if (used + 2 > HELP_COLUMN) {
            buffer_append_byte(out, '\n');
            used = 0;
        }
        buffer_printf(out, "%*s%.*s\n", (int)(HELP_COLUMN - used), "", (int)size, line);
        start = out->size;
        line = line[size] ? line + size + 1 : NULL;
    }
}

void options_help(struct buffer *out)
{
    buffer_append_string(
        out, "usage: backstep run [OPTION]...\n\n"
             "Runs a RISC-V `virt` machine, records it, and lets gdb step it in both directions.\n"
             "Options have one dash or two.\n");
    for (size_t i = 0; i < COUNT(option); i++) {
        if (option[i].name && option[i].help)
            help_row(&option[i], out);
        else if (!option[i].name)
            buffer_printf(out, "\n%s:\n", option[i].help);
    }
    buffer_append_string(
        out,
        "\nThe exit status is the guest's: 0 after a power-off, the code it gave to tohost, the\n"
        "test device or semihosting; 2 when the command line or an image is bad; 3 when a crash\n"
        "trigger fired (--crash-on), but for test-fail, whose code is the guest's.\n");
}
