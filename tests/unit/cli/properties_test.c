#include "cli/properties.h"

#include <criterion/criterion.h>
#include <string.h>

Test(properties, items)
{
    static const struct {
        const char *list;
        const char *keys[4], *values[4]; /* a NULL value ends */
    } rows[] = {
        {"", {NULL}, {""}},
        {"a", {NULL}, {"a"}},
        {"a=1,b=2", {"a", "b"}, {"1", "2"}},
        {"a=1,b=2,", {"a", "b"}, {"1", "2"}},
        {"file=a,,b", {"file"}, {"a,b"}},
        {"file=a,,b,,,id=c", {"file", "id"}, {"a,b,", "c"}},
        {"file=,,,,", {"file"}, {",,"}},
        {",,a=x", {",a"}, {"x"}},
        {"a,,b,c", {NULL, NULL}, {"a,b", "c"}},
        {"a=b=c,=d", {"a", ""}, {"b=c", "d"}},
        {"hostfwd=tcp::1-:2,hostfwd=udp::3-:4", {"hostfwd", "hostfwd"}, {"tcp::1-:2", "udp::3-:4"}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *list = rows[i].list;
        struct property_item item;
        struct error err = ERROR_INIT;
        size_t n = 0;
        do {
            cr_assert(properties_next(&item, &list, "x", &err), "%s", err.message);
            cr_assert(rows[i].values[n], "%s: too many items", rows[i].list);
            cr_assert_str_eq(item.value, rows[i].values[n], "%s", rows[i].list);
            cr_assert_eq(!item.key, !rows[i].keys[n], "%s", rows[i].list);
            if (item.key)
                cr_assert_str_eq(item.key, rows[i].keys[n]);
            n++;
        } while (*list);
        cr_assert(n == 4 || !rows[i].values[n], "%s: too few items", rows[i].list);
    }
}

Test(properties, long_items)
{
    static char text[2 * PROPERTY_ITEM + 2];
    struct property_item item;
    struct error err = ERROR_INIT;
    const char *list = text;
    memset(text, 'x', PROPERTY_ITEM - 1);
    cr_assert(properties_next(&item, &list, "x", &err));
    cr_assert_eq(strlen(item.value), PROPERTY_ITEM - 1);
    text[PROPERTY_ITEM - 1] = 'x';
    list = text;
    cr_assert_not(properties_next(&item, &list, "x", &err));
    cr_assert(strstr(err.message, "too long"));
    /* Counted as they are kept: two commas are one byte. */
    memset(text, ',', 2 * (PROPERTY_ITEM - 1));
    text[2 * (PROPERTY_ITEM - 1)] = '\0';
    list = text;
    err = (struct error)ERROR_INIT;
    cr_assert(properties_next(&item, &list, "x", &err), "%s", err.message);
    cr_assert_eq(strlen(item.value), PROPERTY_ITEM - 1);
}

static char said[256];

static bool note(struct run_options *o, const char *name, const char *value, struct error *err)
{
    (void)o, (void)name, (void)err;
    strcat(strcat(said, value), ";");
    return true;
}

static const struct property table[] = {{"path", NULL, note},
                                        {"mode", "fast|slow", note},
                                        {"sync", "on|off", note},
                                        {"old", "off", NULL}};

Test(properties, by_a_table)
{
    static const struct {
        const char *list, *said;
    } good[] = {
        {"a,mode=fast", "a;fast;"},    {"path=a,path=b", "a;b;"}, {"a,sync", "a;on;"},
        {"a,nosync", "a;off;"},        {"a,sync=yes", "a;yes;"},  {"a,old=no,MODE=slow", "a;slow;"},
        {"a,,b,sync=off", "a,b;off;"},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct error err = ERROR_INIT;
        *said = '\0';
        cr_assert(properties_set(NULL, "x", good[i].list, table, 4, NULL, &err), "%s", err.message);
        cr_assert_str_eq(said, good[i].said, "%s", good[i].list);
    }
}

Test(properties, refused)
{
    static const struct {
        const char *list, *message;
    } bad[] = {
        {"a,speed=1", "-x: there is no `speed`: there are path, mode, sync, old"},
        {"a,speed", "-x: there is no `speed`: there are path, mode, sync, old"},
        {"a,mode=odd", "-x: `mode=odd` is not possible: write mode=fast|slow"},
        {"a,mode", "-x: `mode` is not possible: write mode=fast|slow"},
        {"a,path", "-x: `path` is not possible: write path=VALUE"},
        {"a,old", "-x: `old` is not possible: write old=off"},
        {"a,sync=maybe", "-x: `sync=maybe` is not possible: write sync=on|off"},
        {"a,", ""},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct error err = ERROR_INIT;
        bool good = properties_set(NULL, "x", bad[i].list, table, 4, NULL, &err);
        cr_assert_eq(good, !*bad[i].message, "%s", bad[i].list);
        cr_assert_str_eq(err.message, bad[i].message);
    }
    struct error err = ERROR_INIT;
    cr_assert_not(properties_set(NULL, "x", "a,speed=1", table, 4, "say it", &err));
    cr_assert_str_eq(err.message, "-x: `speed=1` is not possible: say it");
    err = (struct error)ERROR_INIT;
    cr_assert_not(properties_set_keys(NULL, "x", "a", table, 4, &err), "no first key is implied");
    cr_assert(properties_set_keys(NULL, "x", "", table, 4, &err));
}
