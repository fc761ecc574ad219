#include "cli/options.h"

#include "cli/nearest.h"
#include "cli/numbers.h"
#include "cli/properties.h"
#include "server/address.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)
#define NS_PER_MS UINT64_C(1000000)

enum { DEFAULT_RAM_MIB = 128, DEFAULT_SHIFT = 3, DEFAULT_CHECKPOINT_MS = 25 };
#define DEFAULT_BUDGET (UINT64_C(1) << 30)
#define BUDGET_LEAST (16 * MIB)
#define CHECKPOINT_MS_MOST UINT64_C(60000)

#define COUNT(table) (sizeof(table) / sizeof *(table))
#define SET_PROPERTIES(table, hint) properties_set(o, name, value, table, COUNT(table), hint, err)

/* ---- the machine ---- */

static bool set_machine(struct run_options *o, const char *name, const char *value,
                        struct error *err)
{
    static const struct property table[] = {{"type", "virt", NULL}, {"aclint", "off", NULL},
                                            {"aia", "none", NULL},  {"acpi", "off", NULL},
                                            {"usb", "off", NULL},   {"graphics", "off", NULL}};
    return SET_PROPERTIES(table, "the machine is `virt`, there is no other");
}

static bool set_cpu(struct run_options *o, const char *name, const char *value, struct error *err)
{
    static const struct property table[] = {
        {"type", "rv64", NULL},   {"i", "on", NULL},        {"m", "on", NULL},
        {"a", "on", NULL},        {"f", "on", NULL},        {"d", "on", NULL},
        {"c", "on", NULL},        {"g", "on", NULL},        {"s", "on", NULL},
        {"u", "on", NULL},        {"e", "off", NULL},       {"h", "off", NULL},
        {"v", "off", NULL},       {"zba", "on", NULL},      {"zbb", "on", NULL},
        {"zbs", "on", NULL},      {"zbc", "off", NULL},     {"zicbom", "on", NULL},
        {"zicboz", "on", NULL},   {"zicsr", "on", NULL},    {"zifencei", "on", NULL},
        {"zicntr", "on", NULL},   {"zihpm", "on", NULL},    {"sstc", "on", NULL},
        {"svadu", "on", NULL},    {"mmu", "on", NULL},      {"pmp", "on", NULL},
        {"sv39", "on", NULL},     {"sv48", "on", NULL},     {"sv57", "on", NULL},
        {"svinval", "off", NULL}, {"svnapot", "off", NULL}, {"svpbmt", "off", NULL}};
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
    return true;
}

static bool set_smp(struct run_options *o, const char *name, const char *value, struct error *err)
{
    static const struct property table[] = {{"cpus", NULL, set_cpus}};
    return SET_PROPERTIES(table, "write -smp N");
}

static bool check_path(const char *name, const char *path, struct error *err)
{
    if (!*path)
        return error_set(err, ERROR_USAGE, "-%s: the file's name is empty", name);
    if (strlen(path) >= PATH_MAX)
        return error_set(err, ERROR_USAGE, "-%s: %.40s...: the path is too long, %d bytes at most",
                         name, path, PATH_MAX - 1);
    return true;
}

/* An option that names a file. */
#define SET_PATH(option)                                                                           \
    static bool set_##option(struct run_options *o, const char *name, const char *value,           \
                             struct error *err)                                                    \
    {                                                                                              \
        o->machine.option = value;                                                                 \
        return check_path(name, value, err);                                                       \
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

/* ---- time ---- */

static bool set_shift(struct run_options *o, const char *name, const char *value, struct error *err)
{
    uint64_t shift;
    if (!number_parse(value, &shift) || shift > 10)
        return error_set(err, ERROR_USAGE,
                         "-%s: shift=%s is not possible: 0 to 10, each step takes 2^N ns", name,
                         value);
    o->machine.shift = (unsigned)shift;
    return true;
}

static bool set_sleep(struct run_options *o, const char *name, const char *value, struct error *err)
{
    if (!properties_same_value(value, "on") && !properties_same_value(value, "off"))
        return error_set(err, ERROR_USAGE, "-%s: sleep=%s is not possible: on or off", name, value);
    o->warp = properties_same_value(value, "off");
    return true;
}

static bool set_icount(struct run_options *o, const char *name, const char *value,
                       struct error *err)
{
    static const struct property table[] = {
        {"shift", NULL, set_shift}, {"sleep", NULL, set_sleep}, {"align", "off", NULL}};
    return SET_PROPERTIES(table, "write shift=N,sleep=on|off; recording is always on");
}

static bool set_stop_at(struct run_options *o, const char *name, const char *value,
                        struct error *err)
{
    if (number_parse(value, &o->stop_at))
        return true;
    return error_set(err, ERROR_USAGE,
                     "--%s: `%s` is no position: write 1500000, 1,500,000 or 1.5e6", name, value);
}

/* ---- the recording ---- */

static bool set_budget(struct run_options *o, const char *name, const char *value,
                       struct error *err)
{
    if (!number_parse_size(value, MIB, &o->budget))
        return error_set(err, ERROR_USAGE, "--%s: `%s` is no size: write 512M or 4G", name, value);
    if (o->budget < BUDGET_LEAST || o->budget > SIZE_MAX / 2)
        return error_set(err, ERROR_RANGE, "--%s: %s is too %s: give it 16M or more", name, value,
                         o->budget < BUDGET_LEAST ? "little" : "much");
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

/* ---- the outside ---- */

static bool keep(char to[OPTIONS_WHERE], const char *name, const char *value, struct error *err)
{
    if (snprintf(to, OPTIONS_WHERE, "%s", value) < OPTIONS_WHERE)
        return true;
    *to = '\0';
    return error_set(err, ERROR_USAGE, "-%s: %.40s...: the path is too long", name, value);
}

/* QEMU's users leave the host empty, tcp::1234, others leave it out, tcp:1234. */
static bool set_address(char to[OPTIONS_WHERE], const char *name, const char *value,
                        struct error *err)
{
    struct address address;
    char text[64];
    if (!strncmp(value, "tcp:", 4) && !memchr(value + 4, ':', strcspn(value + 4, ",")) &&
        snprintf(text, sizeof text, "tcp::%s", value + 4) < (int)sizeof text)
        value = text;
    if (!address_parse(&address, value, err))
        return error_prefix(err, "-%s", name);
    return keep(to, name, value, err);
}

static bool set_gdb(struct run_options *o, const char *name, const char *value, struct error *err)
{
    return set_address(o->gdb, name, value, err);
}

static bool set_gdb_short(struct run_options *o, const char *name, const char *value,
                          struct error *err)
{
    (void)value;
    return set_gdb(o, name, "tcp::1234", err);
}

static bool set_serial(struct run_options *o, const char *name, const char *value,
                       struct error *err)
{
    static const char *const plain[] = {"stdio", "mon:stdio", "null", "none"};
    if (*o->serial)
        return error_set(err, ERROR_USAGE, "-%s is given twice: the machine has one serial port",
                         name);
    for (size_t i = 0; i < COUNT(plain); i++)
        if (!strcmp(value, plain[i]))
            return keep(o->serial, name, value, err);
    if (!strncmp(value, "file:", 5) && value[5])
        return keep(o->serial, name, value, err);
    if (!strncmp(value, "unix:", 5) || !strncmp(value, "tcp:", 4))
        return set_address(o->serial, name, value, err);
    return error_set(err, ERROR_USAGE,
                     "-%s: `%s` is not possible: stdio, null, file:PATH, unix:PATH[,server] or "
                     "tcp:HOST:PORT[,server]",
                     name, value);
}

static bool set_display(struct run_options *o, const char *name, const char *value,
                        struct error *err)
{
    (void)o;
    if (!strcmp(value, "none"))
        return true;
    return error_set(err, ERROR_USAGE, "-%s: `%s` is not possible: there is only `none`", name,
                     value);
}

static bool set_nographic(struct run_options *o, const char *name, const char *value,
                          struct error *err)
{
    (void)o, (void)name, (void)value, (void)err;
    return true;
}

/* ---- the table ---- */

struct option {
    const char *name;     /* without dashes; NULL: a heading */
    const char *alias;    /* another spelling, NULL: none */
    const char *argument; /* as help shows it, NULL: takes none */
    const char *help;     /* lines */
    option_set_fn *set;
};

static const struct option option[] = {
    {NULL, NULL, NULL, "The machine", NULL},
    {"M", "machine", "virt", "the board (default, and the only one)", set_machine},
    {"m", NULL, "SIZE", "RAM: 256M, 2G; without a suffix in MiB (default 128M, at most 8G)",
     set_ram},
    {"smp", NULL, "N", "harts, 1 to 8 (default 1)", set_smp},
    {"cpu", NULL, "rv64", "accepted when it names what the harts are", set_cpu},
    {"bios", NULL, "default|FILE|none", "firmware (default: Debian's OpenSBI)", set_bios},
    {"kernel", NULL, "FILE",
     "ELF, RISC-V Image or raw; an ELF where the firmware would\n"
     "lie runs without firmware",
     set_kernel},
    {"initrd", NULL, "FILE", "initial RAM disk", set_initrd},
    {"append", NULL, "TEXT", "the kernel's command line", set_append},
    {"dtb", NULL, "FILE", "device tree instead of the generated one", set_dtb},
    {"serial", NULL, "WHERE",
     "the serial port: stdio, null, file:PATH, unix:PATH[,server],\n"
     "tcp:HOST:PORT[,server] (default stdio; null with -gdb stdio);\n"
     "on a terminal C-a x quits, and C-a h lists the keys",
     set_serial},
    {"icount", NULL, "shift=N,sleep=on|off",
     "a step takes 2^N ns (default 3); sleep=off passes over idle\n"
     "time at once",
     set_icount},
    {"semihosting", NULL, NULL,
     "RISC-V semihosting: console, exit, command line, clock; what is\n"
     "typed then goes there, not to the serial port",
     set_semihosting},
    {"no-reboot", NULL, NULL, "a reset ends the run", set_no_reboot},
    {"nographic", NULL, NULL, "accepted: there are no graphics", set_nographic},
    {"display", NULL, "none", "accepted", set_display},
    {"monitor", NULL, "none", "accepted", set_display},
    {NULL, NULL, NULL, "Debugging", NULL},
    {"gdb", NULL, "WHERE",
     "where gdb connects: tcp:HOST:PORT, unix:PATH or stdio; an empty\n"
     "host is 127.0.0.1, port 0 picks one",
     set_gdb},
    {"s", NULL, NULL, "the same as -gdb tcp::1234", set_gdb_short},
    {"S", NULL, NULL, "wait for gdb before the first step", set_stopped},
    {"no-shutdown", NULL, NULL, "stay when the machine has gone off, for a gdb to come",
     set_no_shutdown},
    {"stop-at", NULL, "N", "stop at position N, in steps since power-on: 1500000, 1.5e6",
     set_stop_at},
    {NULL, NULL, NULL, "The recording, which is always on", NULL},
    {"memory-budget", NULL, "SIZE", "memory for checkpoints and log (default 1G)", set_budget},
    {"checkpoint-ms", NULL, "N", "time to replay between two checkpoints (default 25)",
     set_checkpoint_ms},
    {"checkpoint-steps", NULL, "N", "for testing: a checkpoint every N steps instead",
     set_checkpoint_steps},
    {NULL, NULL, NULL, "Other", NULL},
    {"help", "h", NULL, "this text", set_help},
};

static const struct option *find_option(const char *name)
{
    for (size_t i = 0; i < COUNT(option); i++)
        if (option[i].name &&
            (!strcmp(option[i].name, name) || (option[i].alias && !strcmp(option[i].alias, name))))
            return &option[i];
    return NULL;
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
    };
}

/* What options mean together. */
static bool settle(struct run_options *o, struct error *err)
{
    bool gdb_on_stdio = !strncmp(o->gdb, "stdio", 5);
    if (!*o->serial)
        strcpy(o->serial, gdb_on_stdio ? "null" : "stdio");
    if (gdb_on_stdio && (!strcmp(o->serial, "stdio") || !strcmp(o->serial, "mon:stdio")))
        return error_set(err, ERROR_USAGE,
                         "-gdb stdio and -serial stdio both want stdin and stdout: give one of "
                         "them another place");
    if (o->stopped && !*o->gdb)
        return error_set(err, ERROR_USAGE,
                         "-S waits for a gdb that has nowhere to connect: add -s or -gdb");
    if (!o->machine.kernel && (o->machine.append || o->machine.initrd))
        return error_set(err, ERROR_USAGE, "%s is for a kernel: add -kernel FILE",
                         o->machine.append ? "-append" : "-initrd");
    return true;
}

bool options_parse(struct run_options *o, int argc, char *const *argv, struct error *err)
{
    set_defaults(o);
    for (int i = 0; i < argc; i++) {
        const char *word = argv[i], *name = word;
        if (*name != '-')
            return error_set(err, ERROR_USAGE,
                             "`%s` is no option: a guest is given with -kernel %s", word,
                             *word ? word : "FILE");
        name += name[1] == '-' ? 2 : 1;
        const struct option *found = find_option(name);
        if (!found)
            return unknown(word, name, err);
        if (found->argument && i + 1 == argc)
            return error_set(err, ERROR_USAGE, "%s needs a value: %s %s", word, word,
                             found->argument);
        if (!found->set(o, name, found->argument ? argv[++i] : NULL, err))
            return false;
        if (o->help)
            return true;
    }
    return settle(o, err);
}

/* ---- help ---- */

enum { HELP_COLUMN = 30 };

static void help_row(const struct option *row, struct buffer *out)
{
    size_t start = out->size;
    /* Those that QEMU does not have are shown with two dashes. */
    bool ours = strchr(row->name, '-') && strncmp(row->name, "no-", 3) != 0;
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
        if (option[i].name)
            help_row(&option[i], out);
        else
            buffer_printf(out, "\n%s:\n", option[i].help);
    }
    buffer_append_string(
        out,
        "\nThe exit status is the guest's: 0 after a power-off, the code it gave to tohost, the\n"
        "test device or semihosting; 2 when the command line or an image is bad.\n");
}
