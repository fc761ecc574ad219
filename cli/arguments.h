/* Command lines of small commands: options with one dash or two, and a file. */
#ifndef CLI_ARGUMENTS_H
#define CLI_ARGUMENTS_H

#include "base/buffer.h"
#include "base/error.h"

#include <stddef.h>

struct argument {
    const char *name;     /* without dashes */
    const char *alias;    /* NULL: none */
    const char *argument; /* as help shows it; NULL: takes none */
    const char *help;
    const char **value;  /* where the argument goes, not empty; NULL for a flag */
    const char **second; /* where one more goes; NULL: it takes one */
    unsigned *count;     /* it may be given up to `most` times: value[0..*count). NULL: once */
    unsigned most;
    bool *flag; /* set when the option is given; may be NULL beside a value */
};

struct arguments {
    const char *command; /* "replay" */
    const char *usage;   /* "FILE [OPTION]..." */
    const char *text;    /* what it does, lines */
    const struct argument *table;
    size_t count;
};

enum arguments_result { ARGUMENTS_GOOD, ARGUMENTS_BAD, ARGUMENTS_HELP };

/* Parse argv[1..argc) as main has it: one file, which is needed, and options; `file` NULL: options
 * alone. HELP: it was asked for and is on stdout. BAD: *err names the word and the way out. */
enum arguments_result arguments_parse(const struct arguments *a, int argc, char *const *argv,
                                      const char **file, struct error *err);

/* Text that may be anybody's, for a line of a terminal: see plain_text_clean. */
void append_plain(struct buffer *out, const char *text);
/* At most `most` bytes of it, and "..." when that is not all. */
void append_cut(struct buffer *out, const char *text, size_t most);
/* Says why on stderr, see log_line; returns `status`. */
int command_failed(int status, const struct error *err);

#endif
