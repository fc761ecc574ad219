/* Option values that are lists, KEY=VALUE,KEY=VALUE, as QEMU's are. */
#ifndef CLI_PROPERTIES_H
#define CLI_PROPERTIES_H

#include "base/error.h"

#include <stddef.h>

struct run_options;

/* How an option or a key is set: `name` is the option's, for messages; `value` NULL for one that
 * takes none, and good during the call only when it stood in a list. */
typedef bool option_set_fn(struct run_options *o, const char *name, const char *value,
                           struct error *err);

/* A row of what may stand in such a list. */
struct property {
    const char *key;
    const char *value;  /* the possible ones, `|` between them; NULL: any, for `set` */
    option_set_fn *set; /* NULL: allowed, because it is so anyway or makes no difference */
};

enum { PROPERTY_ITEM = 4200 }; /* a path of PATH_MAX and its key */

struct property_item {
    char text[PROPERTY_ITEM];
    const char *key;   /* NULL: there is no '=' */
    const char *value; /* all of the item when there is no key */
};

/* Cut the next item off. Two commas are one that belongs to the item. */
bool properties_next(struct property_item *item, const char **list, const char *name,
                     struct error *err);

/* Set what `list` says by the rows of `table`, in the list's order; a key may be repeated. A first
 * item without '=' is the value of the first key; any other is a switch, KEY for KEY=on and noKEY
 * for KEY=off. `hint` tells in an error message what there is, NULL: made from the table. */
bool properties_set(struct run_options *o, const char *name, const char *list,
                    const struct property *table, size_t count, const char *hint,
                    struct error *err);
/* The same where all items have keys, or are switches. */
bool properties_set_keys(struct run_options *o, const char *name, const char *list,
                         const struct property *table, size_t count, struct error *err);
/* Is the value typed the one wanted? `on` is also spelled true or yes, `off` false or no. */
bool properties_same_value(const char *value, const char *wanted);

#endif
