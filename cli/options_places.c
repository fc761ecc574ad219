/* -gdb, -serial and what else leads out of the machine. */
#include "cli/options_set.h"
#include "server/address.h"

#include <stdio.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof *(table))

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

bool options_set_gdb(struct run_options *o, const char *name, const char *value, struct error *err)
{
    struct address address;
    if (!set_address(o->gdb, name, value, err))
        return false;
    return !address_parse(&address, o->gdb, err) || !address.inherited || address.server ||
           error_set(err, ERROR_USAGE, "-%s %s: the socket is connected: give one that listens",
                     name, value);
}

bool options_set_gdb_short(struct run_options *o, const char *name, const char *value,
                           struct error *err)
{
    (void)value;
    return options_set_gdb(o, name, "tcp::1234", err);
}

bool options_set_serial(struct run_options *o, const char *name, const char *value,
                        struct error *err)
{
    static const char *const plain[] = {"stdio", "mon:stdio", "pty", "null", "none"};
    bool is_nothing = !strcmp(value, "null") || !strcmp(value, "none");
    if (*o->serial)
        return is_nothing ||
               error_set(err, ERROR_USAGE,
                         "-%s is given twice: the machine has one serial port; for more write "
                         "-device virtio-serial-device -device virtconsole,chardev=ID",
                         name);
    for (size_t i = 0; i < COUNT(plain); i++)
        if (!strcmp(value, plain[i]))
            return keep(o->serial, name, value, err);
    bool is_chardev = !strncmp(value, "chardev:", 8) && value[8];
    if (is_chardev || (!strncmp(value, "file:", 5) && value[5]))
        return keep(o->serial, name, value, err);
    if (!strncmp(value, "unix:", 5) || !strncmp(value, "tcp:", 4))
        return set_address(o->serial, name, value, err);
    return error_set(err, ERROR_USAGE,
                     "-%s: `%s` is not possible: stdio, pty, null, file:PATH, unix:PATH[,server], "
                     "tcp:HOST:PORT[,server] or chardev:ID",
                     name, value);
}

bool options_set_display(struct run_options *o, const char *name, const char *value,
                         struct error *err)
{
    o->collected->no_display = true;
    if (!strcmp(value, "none"))
        return true;
    return error_set(err, ERROR_USAGE, "-%s: `%s` is not possible: there is only `none`", name,
                     value);
}

bool options_set_nographic(struct run_options *o, const char *name, const char *value,
                           struct error *err)
{
    (void)name, (void)value, (void)err;
    o->collected->nographic = true;
    return true;
}
