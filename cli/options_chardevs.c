/* -chardev, and what stands behind the serial port and the consoles. */
#include "cli/options_set.h"
#include "server/address.h"

#include <stdio.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof *(table))

static struct chardev_option *current(struct run_options *o)
{
    return &o->collected->chardev[o->collected->chardevs - 1];
}

/* ---- keys ---- */

static bool set_id(struct run_options *o, const char *name, const char *value, struct error *err)
{
    struct device_options *all = o->collected;
    for (unsigned i = 0; i + 1 < all->chardevs; i++)
        if (!strcmp(all->chardev[i].id, value))
            return error_set(err, ERROR_USAGE, "-%s: id=%s is given to two of them", name, value);
    current(o)->id = options_keep(o, value);
    return options_check_id(name, value, err);
}

/* A monitor may share the terminal: then C-a c leads to it. */
static bool set_mux(struct run_options *o, const char *name, const char *value, struct error *err)
{
    (void)name, (void)err;
    if (properties_same_value(value, "on"))
        strcpy(current(o)->where, "mon:stdio");
    return true;
}

static bool set_path(struct run_options *o, const char *name, const char *value, struct error *err)
{
    snprintf(current(o)->where, OPTIONS_WHERE, "file:%s", value);
    return options_check_path(name, value, err);
}

static const struct property plain_table[] = {{"id", NULL, set_id}};
static const struct property stdio_table[] = {
    {"id", NULL, set_id}, {"mux", "on|off", set_mux}, {"signal", "on|off", NULL}};
static const struct property file_table[] = {
    {"id", NULL, set_id}, {"path", NULL, set_path}, {"append", "off", NULL}};

/* ---- sockets ---- */

/* Of a socket's keys; each may come first. */
struct socket_keys {
    char path[PROPERTY_ITEM], host[PROPERTY_ITEM], port[PROPERTY_ITEM], fd[PROPERTY_ITEM];
    const char *server, *wait; /* as address_parse takes them */
};

/* Keys that change nothing here, with the values they may have. */
static bool is_harmless(const char *key, const char *value)
{
    static const struct {
        const char *key, *value;
    } same[] = {{"nodelay", "on"}, {"nodelay", "off"}, {"reconnect", "0"},
                {"telnet", "off"}, {"tn3270", "off"},  {"websocket", "off"},
                {"mux", "off"},    {"delay", "off"},   {"delay", "on"}};
    for (size_t i = 0; i < COUNT(same); i++)
        if (!strcmp(key, same[i].key) && properties_same_value(value, same[i].value))
            return true;
    return false;
}

static bool set_socket_key(struct run_options *o, struct socket_keys *keys, const char *name,
                           const struct property_item *item, struct error *err)
{
    const char *key = item->key ? item->key : item->value, *value = item->key ? item->value : "on";
    bool on = properties_same_value(value, "on");
    char *text = !strcmp(key, "path")   ? keys->path
                 : !strcmp(key, "host") ? keys->host
                 : !strcmp(key, "port") ? keys->port
                 : !strcmp(key, "fd")   ? keys->fd
                                        : NULL;
    if (!strcmp(key, "id") && item->key)
        return set_id(o, name, value, err);
    if (text && item->key && !strchr(value, ',')) {
        strcpy(text, value);
        return true;
    }
    if (text)
        return error_set(err, ERROR_USAGE, "-%s socket: %s=%.80s is not possible", name, key,
                         item->key ? value : "");
    if (!strcmp(key, "nowait")) {
        keys->wait = ",wait=off";
        return true;
    }
    if (is_harmless(key, value))
        return true;
    bool is_server = !strcmp(key, "server");
    if (!is_server && strcmp(key, "wait") != 0)
        return error_set(err, ERROR_USAGE,
                         "-%s socket: `%.40s=%.40s` is not possible: there are id, path, host, "
                         "port, fd, server, wait, nodelay",
                         name, key, value);
    if (!on && !properties_same_value(value, "off"))
        return error_set(err, ERROR_USAGE,
                         "-%s socket: `%s=%.40s` is not possible: write %s=on|off", name, key,
                         value, key);
    if (is_server)
        keys->server = on ? ",server=on" : "";
    else
        keys->wait = on ? ",wait=on" : ",wait=off";
    return true;
}

static bool set_socket_where(struct chardev_option *c, const char *name,
                             const struct socket_keys *keys, struct error *err)
{
    struct address address;
    if (!!*keys->path + !!*keys->port + !!*keys->fd != 1)
        return error_set(err, ERROR_USAGE,
                         "-%s socket: write path=PATH, or host=HOST,port=PORT, or fd=N", name);
    const char *bracket = strchr(keys->host, ':') && *keys->host != '[' ? "[]" : "";
    int size =
        *keys->fd
            ? snprintf(c->where, OPTIONS_WHERE, "fd:%s%s%s", keys->fd, keys->server, keys->wait)
        : *keys->path
            ? snprintf(c->where, OPTIONS_WHERE, "unix:%s%s%s", keys->path, keys->server, keys->wait)
            : snprintf(c->where, OPTIONS_WHERE, "tcp:%.1s%s%s:%s%s%s", bracket, keys->host,
                       *bracket ? bracket + 1 : "", keys->port, keys->server, keys->wait);
    if (size >= OPTIONS_WHERE)
        return error_set(err, ERROR_USAGE, "-%s socket: the address is too long", name);
    return address_parse(&address, c->where, err) || error_prefix(err, "-%s", name);
}

static bool set_socket(struct run_options *o, const char *name, const char *list, struct error *err)
{
    struct socket_keys keys = {.server = "", .wait = ""};
    struct property_item item;
    while (*list)
        if (!properties_next(&item, &list, name, err) ||
            !set_socket_key(o, &keys, name, &item, err))
            return false;
    return set_socket_where(current(o), name, &keys, err);
}

/* ---- the option ---- */

static const struct backend {
    const char *name;
    const char *where; /* before the keys are looked at */
    const struct property *table;
    size_t count;
} backend[] = {
    {"stdio", "stdio", stdio_table, COUNT(stdio_table)},
    {"pty", "pty", plain_table, COUNT(plain_table)},
    {"null", "null", plain_table, COUNT(plain_table)},
    {"file", "", file_table, COUNT(file_table)},
    {"socket", "", NULL, 0},
};

static bool set_backend(struct run_options *o, const struct backend *b, const char *name,
                        const char *list, struct error *err)
{
    char full[32];
    if (!b->table)
        return set_socket(o, name, list, err);
    strcpy(current(o)->where, b->where);
    snprintf(full, sizeof full, "%s %s", name, b->name);
    return properties_set_keys(o, full, list, b->table, b->count, err);
}

bool options_set_chardev(struct run_options *o, const char *name, const char *value,
                         struct error *err)
{
    struct device_options *all = o->collected;
    const char *list = value, *type = options_type(o, name, "backend", &list, err);
    const struct backend *b = NULL;
    if (!type)
        return false;
    for (size_t i = 0; i < COUNT(backend) && !b; i++)
        b = !strcmp(backend[i].name, type) ? &backend[i] : NULL;
    if (!b)
        return error_set(err, ERROR_UNSUPPORTED,
                         "-%s: there is no `%.40s`: there are stdio, pty, null, file, socket", name,
                         type);
    if (all->chardevs == OPTIONS_CHARDEVS)
        return error_set(err, ERROR_RANGE, "-%s: too many of them: at most %d", name,
                         OPTIONS_CHARDEVS);
    all->chardev[all->chardevs++] = (struct chardev_option){.id = ""};
    if (!set_backend(o, b, name, list, err))
        return false;
    if (!*current(o)->id)
        return error_set(err, ERROR_USAGE, "-%s %s: a name is missing: add id=ID", name, type);
    return *current(o)->where ||
           error_set(err, ERROR_USAGE, "-%s %s: path=PATH is missing", name, type);
}

/* ---- together ---- */

const char *options_take_chardev(struct device_options *all, const char *who, const char *id,
                                 struct error *err)
{
    struct chardev_option *c = NULL;
    for (unsigned i = 0; i < all->chardevs && !c; i++)
        c = !strcmp(all->chardev[i].id, id) ? &all->chardev[i] : NULL;
    if (!c) {
        error_set(err, ERROR_USAGE, "-%s: there is no chardev `%.60s`: add -chardev pty,id=%.60s",
                  who, id, id);
        return NULL;
    }
    if (c->used) {
        error_set(err, ERROR_USAGE, "-%s: chardev `%.60s` already has another user", who, id);
        return NULL;
    }
    c->used = true;
    return c->where;
}

static bool is_stdio(const char *where)
{
    return !strcmp(where, "stdio") || !strcmp(where, "mon:stdio");
}

static void add_line(struct run_options *o, unsigned channel, const char *where)
{
    o->line[o->lines++] = (struct run_line){channel, where};
}

static bool settle_consoles(struct run_options *o, const struct device_option *d, struct error *err)
{
    if (!d->consoles)
        return error_set(err, ERROR_USAGE,
                         "-device %s has no console: add -device virtconsole[,chardev=ID]",
                         d->driver);
    for (unsigned i = 0; i < d->consoles; i++) {
        const char *id = d->console[i].chardev;
        const char *where =
            id ? options_take_chardev(o->collected, "device virtconsole", id, err) : "null";
        if (!where)
            return false;
        add_line(o, CHANNEL_CONSOLE0 + i, where);
    }
    return true;
}

/* stdin and stdout are somebody's alone. */
static bool check_stdio(const struct run_options *o, struct error *err)
{
    bool gdb = !strncmp(o->gdb, "stdio", 5);
    unsigned users = gdb;
    for (unsigned i = 0; i < o->lines; i++)
        users += is_stdio(o->line[i].where);
    if (users < 2)
        return true;
    if (gdb && is_stdio(o->line[0].where))
        return error_set(err, ERROR_USAGE,
                         "-gdb stdio and -serial stdio both want stdin and stdout: give one of "
                         "them another place");
    return error_set(err, ERROR_USAGE,
                     "%s both want stdin and stdout: give one of them another place",
                     gdb                          ? "-gdb stdio and a console"
                     : is_stdio(o->line[0].where) ? "the serial port and a console"
                                                  : "two consoles");
}

bool options_settle_lines(struct run_options *o, struct error *err)
{
    static const char prefix[] = "chardev:";
    struct device_options *all = o->collected;
    bool stdio_taken = !strncmp(o->gdb, "stdio", 5) || all->no_defaults;
    add_line(o, CHANNEL_SERIAL0, NULL);
    if (!strncmp(o->serial, prefix, sizeof prefix - 1)) {
        const char *where = options_take_chardev(all, "serial", o->serial + sizeof prefix - 1, err);
        if (!where)
            return false;
        strcpy(o->serial, where);
    }
    for (unsigned i = 0; i < all->devices; i++)
        if (all->device[i].type == VIRTIO_ID_CONSOLE && !settle_consoles(o, &all->device[i], err))
            return false;
    for (unsigned i = 1; i < o->lines; i++)
        stdio_taken |= is_stdio(o->line[i].where);
    /* QEMU's port is in a window, which is nowhere without a display. */
    if (all->qemu && !all->nographic && all->no_display)
        stdio_taken = true;
    if (!*o->serial)
        strcpy(o->serial, stdio_taken                   ? "null"
                          : all->qemu && all->nographic ? "mon:stdio"
                                                        : "stdio");
    o->line[0].where = options_keep(o, o->serial);
    return check_stdio(o, err);
}
