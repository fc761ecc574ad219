/* What only QEMU's command line has. docs/qemu-options.md lists all of it, with the reasons. */
#include "cli/options_set.h"

#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof *(table))

/* No "QEMU emulator version": who looks for that wants QEMU itself. What is compatible is asked
 * with QMP's query-version. */
const char options_version[] = "backstep " BACKSTEP_VERSION "\n";

bool options_asks(struct run_options *o, const char *value, const char *text)
{
    if (strcmp(value, "help") != 0 && strcmp(value, "?") != 0)
        return false;
    o->answer = text;
    return true;
}

/* ---- accepted ---- */

bool options_accept(struct run_options *o, const char *name, const char *value, struct error *err)
{
    (void)o, (void)name, (void)value, (void)err;
    return true;
}

static bool accept_none(struct run_options *o, const char *name, const char *value,
                        struct error *err)
{
    (void)o;
    size_t size = strcspn(value, ",");
    if (size == 4 && (!strncmp(value, "none", 4) || !strncmp(value, "null", 4)))
        return true;
    return error_set(err, ERROR_UNSUPPORTED,
                     "-%s %.60s is not possible: the machine has nothing of that kind: write -%s "
                     "none, or leave it out",
                     name, value, name);
}

static bool set_accel(struct run_options *o, const char *name, const char *value, struct error *err)
{
    static const struct property table[] = {
        {"accel", "tcg", NULL},
        {"thread", "single|multi", NULL},
        {"one-insn-per-tb", "on|off", NULL},
        {"split-wx", "on|off", NULL},
        {"tb-size", NULL, NULL},
    };
    if (options_asks(o, value, "Accelerators supported:\ntcg\n"))
        return true;
    return properties_set(o, name, value, table, COUNT(table),
                          "the machine is always emulated, as with `tcg`", err);
}

static bool set_no_defaults(struct run_options *o, const char *name, const char *value,
                            struct error *err)
{
    (void)name, (void)value, (void)err;
    o->collected->no_defaults = true;
    return true;
}

static bool set_version(struct run_options *o, const char *name, const char *value,
                        struct error *err)
{
    (void)name, (void)value, (void)err;
    o->answer = options_version;
    return true;
}

static bool set_pid_file(struct run_options *o, const char *name, const char *value,
                         struct error *err)
{
    o->pid_file = value;
    return options_check_path(name, value, err);
}

static bool set_guest_name(struct run_options *o, const char *name, const char *value,
                           struct error *err)
{
    (void)name, (void)err;
    o->name = options_keep(o, value);
    return true;
}

static bool set_name(struct run_options *o, const char *name, const char *value, struct error *err)
{
    static const struct property table[] = {{"guest", NULL, set_guest_name},
                                            {"process", NULL, NULL},
                                            {"debug-threads", "on|off", NULL}};
    return properties_set(o, name, value, table, COUNT(table), NULL, err);
}

static bool set_enable(struct run_options *o, const char *name, const char *value,
                       struct error *err)
{
    (void)name, (void)err;
    o->machine.semihosting = properties_same_value(value, "on");
    return true;
}

static bool set_semihosting(struct run_options *o, const char *name, const char *value,
                            struct error *err)
{
    static const struct property table[] = {{"enable", "on|off", set_enable},
                                            {"target", "auto|native", NULL},
                                            {"userspace", "on", NULL}};
    return properties_set(o, name, value, table, COUNT(table),
                          "write enable=on,target=native; -append gives the command line", err);
}

static bool set_on_reboot(struct run_options *o, const char *name, const char *value,
                          struct error *err)
{
    (void)name, (void)err;
    o->machine.no_reboot = *value == 's';
    return true;
}

static bool set_on_shutdown(struct run_options *o, const char *name, const char *value,
                            struct error *err)
{
    (void)name, (void)err;
    o->no_shutdown = !strcmp(value, "pause");
    return true;
}

static bool set_action(struct run_options *o, const char *name, const char *value,
                       struct error *err)
{
    static const struct property table[] = {{"reboot", "reset|shutdown", set_on_reboot},
                                            {"shutdown", "poweroff|pause", set_on_shutdown},
                                            {"panic", "none", NULL},
                                            {"watchdog", "none", NULL}};
    return properties_set_keys(o, name, value, table, COUNT(table), err);
}

/* ---- refused ---- */

static const struct {
    const char *name;
    const char *way_out;
} refused[] = {
    {"daemonize", "start it with `&`, and -pidfile says which process it is"},
    {"d", "`monitor help` in gdb says what can be looked at, at any time of the run"},
    {"D", "what is said goes to stderr: 2>FILE"},
    {"dfilter", "`monitor help` in gdb says what can be looked at, at any time of the run"},
    {"trace", "`monitor help` in gdb says what can be looked at, at any time of the run"},
    {"plugin", "`monitor help` in gdb says what can be looked at, at any time of the run"},
    {"perfmap", "leave it out"},
    {"jitdump", "leave it out"},
    {"enable-kvm", "the machine is always emulated: leave it out"},
    {"loadvm", "write -icount rr=replay,rrfile=FILE,rrsnapshot=NAME"},
    {"incoming", "a run goes on elsewhere from its recording: `backstep replay FILE`"},
    {"only-migratable", "leave it out"},
    {"boot", "what is started is said by -bios and -kernel"},
    {"L", "write -bios FILE"},
    {"option-rom", "write -bios FILE"},
    {"prom-env", "write -fw_cfg name=opt/NAME,string=TEXT"},
    {"spice", "there are no graphics: write -display none"},
    {"sdl", "there are no graphics: write -display none"},
    {"gtk", "there are no graphics: write -display none"},
    {"full-screen", "there are no graphics: write -display none"},
    {"g", "there are no graphics: write -display none"},
    {"usb", "the machine has no USB: leave it out"},
    {"usbdevice", "the machine has no USB: leave it out"},
    {"fsdev", "give the guest files in an image: -drive file=F,format=raw"},
    {"virtfs", "give the guest files in an image: -drive file=F,format=raw"},
    {"smbios", "the machine has a device tree: leave it out"},
    {"acpitable", "the machine has a device tree: leave it out"},
    {"numa", "all RAM is near: leave it out"},
    {"mem-path", "memory is the program's own: leave it out"},
    {"watchdog", "--crash-on watchdog:STEPS ends a run that prints nothing"},
    {"watchdog-action", "--crash-on watchdog:STEPS ends a run that prints nothing"},
    {"tpmdev", "the machine has no TPM: leave it out"},
    {"runas", "start it as that user"},
    {"chroot", "start it there"},
    {"user", "start it as that user"},
    {"sandbox", "start it in one, bwrap or systemd-run"},
    {"run-with", "leave it out"},
    {"add-fd", "write -chardev socket,id=ID,fd=N"},
    {"set", "write it where the device is given"},
    {"readconfig", "write the options themselves"},
    {"writeconfig", "a recording has its options: `backstep info FILE`"},
    {"seed", "entropy is the host's, recorded, and the same in each replay: leave it out"},
    {"qtest", "leave it out"},
    {"qtest-log", "leave it out"},
    {"old-param", "leave it out"},
    {"preconfig", "-S stops before the first step"},
};

static bool refuse(struct run_options *o, const char *name, const char *value, struct error *err)
{
    (void)o, (void)value;
    const char *way_out = "leave it out";
    for (size_t i = 0; i < COUNT(refused); i++)
        if (!strcmp(refused[i].name, name))
            way_out = refused[i].way_out;
    return error_set(err, ERROR_UNSUPPORTED, "QEMU's -%s means nothing here: %s", name, way_out);
}

/* ---- the table ---- */

static const struct option accepted[] = {
    {"accel", NULL, "tcg", NULL, set_accel},
    {"action", NULL, "EVENT=ACTION", NULL, set_action},
    {"audio", "audiodev", "none", NULL, accept_none},
    {"mem-prealloc", "singlestep", NULL, NULL, options_accept},
    {"msg", "overcommit", "KEY=VALUE", NULL, options_accept},
    {"name", NULL, "NAME", NULL, set_name},
    {"no-user-config", "one-insn-per-tb", NULL, NULL, options_accept},
    {"nodefaults", NULL, NULL, NULL, set_no_defaults},
    {"parallel", "vga", "none", NULL, accept_none},
    {"pidfile", NULL, "FILE", NULL, set_pid_file},
    {"qmp-pretty", NULL, "WHERE", NULL, options_set_qmp},
    {"semihosting-config", NULL, "enable=on", NULL, set_semihosting},
    {"uuid", "k", "VALUE", NULL, options_accept},
    {"version", NULL, NULL, NULL, set_version},
    {"vnc", NULL, "none", NULL, accept_none},
};

const struct option *options_find_qemu(const char *name)
{
    static const struct option refusal = {.set = refuse};
    for (size_t i = 0; i < COUNT(accepted); i++)
        if (!strcmp(accepted[i].name, name) ||
            (accepted[i].alias && !strcmp(accepted[i].alias, name)))
            return &accepted[i];
    for (size_t i = 0; i < COUNT(refused); i++)
        if (!strcmp(refused[i].name, name))
            return &refusal;
    return NULL;
}
