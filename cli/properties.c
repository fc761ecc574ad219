#include "cli/properties.h"

#include <string.h>
#include <strings.h>

enum { ITEM = 128 };

/* Cut the next item off a comma-separated list. */
static bool next_item(const char **list, char item[ITEM], const char *name, struct error *err)
{
    size_t size = strcspn(*list, ",");
    if (size >= ITEM)
        return error_set(err, ERROR_USAGE, "-%s: `%.40s...` is too long", name, *list);
    memcpy(item, *list, size);
    item[size] = '\0';
    *list += size + ((*list)[size] == ',');
    return true;
}

bool properties_same_value(const char *value, const char *wanted)
{
    static const char *const same[][2] = {{"on", "true"}, {"off", "false"}};
    for (size_t i = 0; i < 2; i++)
        if (!strcmp(wanted, same[i][0]) && !strcmp(value, same[i][1]))
            return true;
    return !strcmp(value, wanted);
}

static const struct property *find_property(const struct property *table, size_t count,
                                            const char *key, const char *value)
{
    for (size_t i = 0; i < count; i++)
        if (!strcasecmp(table[i].key, key) &&
            (!table[i].value || properties_same_value(value, table[i].value)))
            return &table[i];
    return NULL;
}

bool properties_set(struct run_options *o, const char *name, const char *list,
                    const struct property *table, size_t count, const char *hint, struct error *err)
{
    char item[ITEM];
    const char *key = table[0].key;
    do {
        if (!next_item(&list, item, name, err))
            return false;
        char *equals = strchr(item, '=');
        if (equals) {
            *equals = '\0';
            key = item;
        }
        const char *value = equals ? equals + 1 : item;
        const struct property *p = key ? find_property(table, count, key, value) : NULL;
        if (!p) {
            if (equals)
                *equals = '=';
            return error_set(err, ERROR_USAGE, "-%s: `%s` is not possible: %s", name, item, hint);
        }
        if (p->set && !p->set(o, name, value, err))
            return false;
        key = NULL;
    } while (*list);
    return true;
}
