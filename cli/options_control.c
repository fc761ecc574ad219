/* -qmp, -mon and -monitor: who controls the machine from outside. */
#include "cli/options_set.h"
#include "server/address.h"

#include <stdio.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof *(table))

/* The prompt for commands is in the terminal, behind a key. */
static const char no_prompt[] =
    "the prompt is C-a c on -serial mon:stdio, gdb has `monitor`, and a QMP client, see -qmp, has "
    "human-monitor-command";

static struct monitor_option *add_monitor(struct run_options *o, const char *name,
                                          struct error *err)
{
    struct device_options *all = o->collected;
    if (all->monitors == OPTIONS_CONTROLS) {
        error_set(err, ERROR_RANGE, "-%s: too many control sockets: at most %d", name,
                  OPTIONS_CONTROLS);
        return NULL;
    }
    struct monitor_option *m = &all->monitor[all->monitors++];
    *m = (struct monitor_option){.option = name};
    return m;
}

static struct monitor_option *current(struct run_options *o)
{
    return &o->collected->monitor[o->collected->monitors - 1];
}

/* ---- -qmp ---- */

static bool set_qmp_place(struct run_options *o, const char *name, const char *value,
                          struct error *err)
{
    struct address address;
    if (!strncmp(value, "chardev:", 8) && value[8]) {
        current(o)->chardev = value + 8;
        return true;
    }
    if (!address_parse(&address, value, err))
        return error_prefix(err, "-%s", name);
    if (address.kind == ADDRESS_STDIO)
        return error_set(err, ERROR_UNSUPPORTED,
                         "-%s stdio is not possible: write unix:PATH or tcp:HOST:PORT", name);
    /* QEMU connects, where backstep, as for gdb, listens. */
    char text[OPTIONS_WHERE];
    bool connects = o->collected->qemu && !strstr(value, ",server");
    snprintf(text, sizeof text, "%.*s%s", OPTIONS_WHERE - 16, value, connects ? ",server=off" : "");
    current(o)->where = options_keep(o, text);
    return true;
}

bool options_set_qmp(struct run_options *o, const char *name, const char *value, struct error *err)
{
    if (!strcmp(value, "none") || !strcmp(value, "null"))
        return true;
    struct monitor_option *m = add_monitor(o, name, err);
    if (!m)
        return false;
    m->pretty = !strcmp(name, "qmp-pretty");
    return set_qmp_place(o, name, value, err);
}

/* ---- -mon, -monitor ---- */

static bool set_chardev(struct run_options *o, const char *name, const char *value,
                        struct error *err)
{
    (void)name, (void)err;
    current(o)->chardev = options_keep(o, value);
    return true;
}

static bool set_mode(struct run_options *o, const char *name, const char *value, struct error *err)
{
    (void)name, (void)err;
    current(o)->prompt = *value == 'r';
    return true;
}

static bool set_pretty(struct run_options *o, const char *name, const char *value,
                       struct error *err)
{
    (void)name, (void)err;
    current(o)->pretty = properties_same_value(value, "on");
    return true;
}

bool options_set_mon(struct run_options *o, const char *name, const char *value, struct error *err)
{
    static const struct property table[] = {{"chardev", NULL, set_chardev},
                                            {"mode", "control|readline", set_mode},
                                            {"pretty", "on|off", set_pretty}};
    struct monitor_option *m = add_monitor(o, name, err);
    if (!m)
        return false;
    m->prompt = true; /* QEMU's default */
    if (!properties_set(o, name, value, table, COUNT(table), NULL, err))
        return false;
    return m->chardev ||
           error_set(err, ERROR_USAGE, "-%s: its place is missing: add chardev=ID", name);
}

bool options_set_monitor(struct run_options *o, const char *name, const char *value,
                         struct error *err)
{
    (void)o;
    if (!strcmp(value, "none") || !strcmp(value, "null"))
        return true;
    return error_set(err, ERROR_UNSUPPORTED, "-%s %.80s is not possible, only `none`: %s", name,
                     value, no_prompt);
}

/* ---- together ---- */

/* One terminal for the guest and the prompt: C-a c leads there anyway. */
static bool settle_prompt(const struct device_options *all, const struct monitor_option *m,
                          struct error *err)
{
    for (unsigned i = 0; i < all->chardevs; i++)
        if (!strcmp(all->chardev[i].id, m->chardev) && all->chardev[i].used &&
            !strcmp(all->chardev[i].where, "mon:stdio"))
            return true;
    return error_set(err, ERROR_UNSUPPORTED,
                     "-%s chardev=%.60s: mode=readline is not possible there: %s; for QMP write "
                     "mode=control",
                     m->option, m->chardev, no_prompt);
}

static bool settle_monitor(struct run_options *o, const struct monitor_option *m, struct error *err)
{
    char where[OPTIONS_WHERE];
    if (m->prompt)
        return settle_prompt(o->collected, m, err);
    if (!m->chardev) {
        o->control[o->controls++] = (struct run_control){m->where, m->pretty};
        return true;
    }
    const char *place = options_take_chardev(o->collected, m->option, m->chardev, err);
    if (!place)
        return false;
    bool inherited = !strncmp(place, "fd:", 3);
    if (!inherited && strncmp(place, "unix:", 5) != 0 && strncmp(place, "tcp:", 4) != 0)
        return error_set(err, ERROR_UNSUPPORTED,
                         "-%s: chardev `%.60s` is no socket: QMP needs -chardev socket", m->option,
                         m->chardev);
    /* A chardev connects, unless it says otherwise. */
    snprintf(where, sizeof where, "%.*s%s", OPTIONS_WHERE - 16, place,
             inherited || strstr(place, ",server") ? "" : ",server=off");
    o->control[o->controls++] = (struct run_control){options_keep(o, where), m->pretty};
    return true;
}

bool options_settle_control(struct run_options *o, struct error *err)
{
    for (unsigned i = 0; i < o->collected->monitors; i++)
        if (!settle_monitor(o, &o->collected->monitor[i], err))
            return false;
    return true;
}
