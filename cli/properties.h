/* Option values that are lists, KEY=VALUE,KEY=VALUE, as QEMU's are. */
#ifndef CLI_PROPERTIES_H
#define CLI_PROPERTIES_H

#include "base/error.h"

#include <stddef.h>

struct run_options;

/* How an option or a key is set: `name` is the option's, `value` NULL for one that takes none. */
typedef bool option_set_fn(struct run_options *o, const char *name, const char *value,
                           struct error *err);

/* A row of what may stand in such a list. */
struct property {
    const char *key;
    const char *value;  /* the one possible value; NULL: any, for `set` */
    option_set_fn *set; /* NULL: allowed, because it is so anyway */
};

/* Set what `list` says by the rows of `table`. A first item without '=' is the value of the first
 * key. `hint` tells in an error message what there is. */
bool properties_set(struct run_options *o, const char *name, const char *list,
                    const struct property *table, size_t count, const char *hint,
                    struct error *err);
/* Is the value typed the one wanted? `on` is also spelled true, `off` false. */
bool properties_same_value(const char *value, const char *wanted);

#endif
