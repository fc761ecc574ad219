#include "cli/properties.h"

#include "base/buffer.h"

#include <string.h>
#include <strings.h>

bool properties_next(struct property_item *item, const char **list, const char *name,
                     struct error *err)
{
    const char *from = *list;
    size_t size = 0;
    for (; *from && (*from != ',' || from[1] == ','); from++) {
        from += *from == ',';
        if (size + 1 >= sizeof item->text)
            return error_set(err, ERROR_USAGE, "-%s: `%.40s...` is too long", name, *list);
        item->text[size++] = *from;
    }
    item->text[size] = '\0';
    *list = from + (*from == ',');
    char *equals = strchr(item->text, '=');
    item->key = equals ? item->text : NULL;
    item->value = equals ? equals + 1 : item->text;
    if (equals)
        *equals = '\0';
    return true;
}

bool properties_same_value(const char *value, const char *wanted)
{
    static const char *const same[][2] = {
        {"on", "true"}, {"on", "yes"}, {"off", "false"}, {"off", "no"}};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        if (!strcmp(wanted, same[i][0]) && !strcmp(value, same[i][1]))
            return true;
    return !strcmp(value, wanted);
}

static bool is_one_of(const char *value, const char *possible)
{
    char one[32];
    for (size_t size; *possible; possible += size + (possible[size] == '|')) {
        size = strcspn(possible, "|");
        if (size >= sizeof one)
            continue;
        memcpy(one, possible, size);
        one[size] = '\0';
        if (properties_same_value(value, one))
            return true;
    }
    return false;
}

static const struct property *find_property(const struct property *table, size_t count,
                                            const char *key, const char *value)
{
    for (size_t i = 0; i < count; i++)
        if (!strcasecmp(table[i].key, key) && (!table[i].value || is_one_of(value, table[i].value)))
            return &table[i];
    return NULL;
}

/* KEY for KEY=on, noKEY for KEY=off. */
static const struct property *find_switch(const struct property *table, size_t count,
                                          struct property_item *item)
{
    const struct property *on = find_property(table, count, item->value, "on");
    if (on && on->value) {
        item->value = "on";
        return on;
    }
    if (strncmp(item->value, "no", 2) != 0)
        return NULL;
    const struct property *off = find_property(table, count, item->value + 2, "off");
    if (!off || !off->value)
        return NULL;
    item->value = "off";
    return off;
}

/* What is wrong with the item, and what there is. */
static bool refuse(const char *name, const struct property_item *item, const struct property *table,
                   size_t count, const char *hint, struct error *err)
{
    struct buffer there = {0};
    const char *key = item->key ? item->key : item->value;
    for (size_t i = 0; i < count; i++)
        if (!strcasecmp(table[i].key, key) && table[i].value)
            buffer_printf(&there, "%s%s", there.size ? "|" : "", table[i].value);
    bool is_key = there.size || find_property(table, count, key, "");
    if (!is_key)
        for (size_t i = 0; i < count; i++)
            if (!i || strcmp(table[i].key, table[i - 1].key) != 0)
                buffer_printf(&there, "%s%s", there.size ? ", " : "", table[i].key);
    if (hint)
        error_set(err, ERROR_USAGE, "-%s: `%s%s%.80s` is not possible: %s", name,
                  item->key ? item->key : "", item->key ? "=" : "", item->value, hint);
    else if (!is_key)
        error_set(err, ERROR_USAGE, "-%s: there is no `%.80s`: there are %s", name, key,
                  buffer_text(&there));
    else
        error_set(err, ERROR_USAGE, "-%s: `%s%s%.80s` is not possible: write %s=%s", name,
                  item->key ? item->key : "", item->key ? "=" : "", item->value, key,
                  there.size ? buffer_text(&there) : "VALUE");
    buffer_fini(&there);
    return false;
}

static bool set_all(struct run_options *o, const char *name, const char *list,
                    const struct property *table, size_t count, const char *first_key,
                    const char *hint, struct error *err)
{
    struct property_item item;
    do {
        if (!properties_next(&item, &list, name, err))
            return false;
        const char *key = item.key ? item.key : first_key;
        const struct property *p =
            key ? find_property(table, count, key, item.value) : find_switch(table, count, &item);
        if (!p)
            return refuse(name, &item, table, count, hint, err);
        if (p->set && !p->set(o, name, item.value, err))
            return false;
        first_key = NULL;
    } while (*list);
    return true;
}

bool properties_set(struct run_options *o, const char *name, const char *list,
                    const struct property *table, size_t count, const char *hint, struct error *err)
{
    return set_all(o, name, list, table, count, table[0].key, hint, err);
}

bool properties_set_keys(struct run_options *o, const char *name, const char *list,
                         const struct property *table, size_t count, struct error *err)
{
    return !*list || set_all(o, name, list, table, count, NULL, NULL, err);
}
