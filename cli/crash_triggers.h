/* --crash-on: what ends a run by itself. */
#ifndef CLI_CRASH_TRIGGERS_H
#define CLI_CRASH_TRIGGERS_H

#include "cli/kept_files.h"
#include "server/crash_watch.h"

/* As it was written; strings are argv's. */
struct crash_triggers {
    bool given;                  /* some were, or `none` */
    struct crash_options wanted; /* without addresses */
    bool none;
};

/* Add the trigger that `text` names. */
bool crash_triggers_add(struct crash_triggers *c, const char *text, struct error *err);
/* What goes without saying for a run whose recording is kept. */
void crash_triggers_default(struct crash_triggers *c);
/* What is wanted, with the addresses of symbols in the ELF files of `kept`. False: there is no such
 * symbol, and *err says which one may be meant. */
bool crash_triggers_resolve(const struct crash_triggers *c, const struct kept_files *kept,
                            struct crash_options *options, struct error *err);

#endif
