#include "cli/crash_triggers.h"

#include "cli/nearest.h"
#include "cli/numbers.h"
#include "cli/symbols.h"

#include <elf.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof *(table))

/* ---- words ---- */

typedef bool add_fn(struct crash_triggers *c, const char *argument, struct error *err);

static bool add_panic(struct crash_triggers *c, const char *argument, struct error *err)
{
    (void)argument, (void)err;
    return c->wanted.panic = true;
}

static bool add_test_fail(struct crash_triggers *c, const char *argument, struct error *err)
{
    (void)argument, (void)err;
    return c->wanted.test_fail = true;
}

static bool add_trap_loop(struct crash_triggers *c, const char *argument, struct error *err)
{
    (void)argument, (void)err;
    return c->wanted.trap_loop = true;
}

static bool add_none(struct crash_triggers *c, const char *argument, struct error *err)
{
    (void)argument, (void)err;
    return c->none = true;
}

static bool add_symbol(struct crash_triggers *c, const char *argument, struct error *err)
{
    if (c->wanted.symbols == CRASH_SYMBOLS)
        return error_set(err, ERROR_RANGE, "more than %d symbols", CRASH_SYMBOLS);
    c->wanted.symbol[c->wanted.symbols++].name = argument;
    return true;
}

static bool add_console(struct crash_triggers *c, const char *argument, struct error *err)
{
    if (c->wanted.consoles == CRASH_PATTERNS)
        return error_set(err, ERROR_RANGE, "more than %d texts of the console", CRASH_PATTERNS);
    struct crash_text *text = crash_text_new(false, &argument, 1, err);
    if (!text)
        return false;
    crash_text_free(text);
    c->wanted.console[c->wanted.consoles++] = argument;
    return true;
}

static bool add_watchdog(struct crash_triggers *c, const char *argument, struct error *err)
{
    return (number_parse(argument, &c->wanted.watchdog) && c->wanted.watchdog) ||
           error_set(err, ERROR_USAGE, "`%.80s` is no number of steps: write 1000000 or 1.5e9",
                     argument);
}

static const struct trigger_word {
    const char *name, *argument; /* NULL: takes none */
    add_fn *add;
} words[] = {
    {"panic", NULL, add_panic},         {"test-fail", NULL, add_test_fail},
    {"trap-loop", NULL, add_trap_loop}, {"symbol", "NAME or 0xADDRESS", add_symbol},
    {"console", "REGEX", add_console},  {"watchdog", "STEPS", add_watchdog},
    {"none", NULL, add_none},
};

static const struct trigger_word *find_word(const char *name, size_t size)
{
    for (size_t i = 0; i < COUNT(words); i++)
        if (strlen(words[i].name) == size && !memcmp(words[i].name, name, size))
            return &words[i];
    return NULL;
}

static bool unknown(const char *text, struct error *err)
{
    char name[32] = "";
    if (strchr(text, ',') && strcspn(text, ",") < strcspn(text, ":"))
        return error_set(err, ERROR_USAGE, "`%.80s` is no trigger: give --crash-on once for each",
                         text);
    memcpy(name, text, strnlen(text, sizeof name - 1));
    name[strcspn(name, ":")] = '\0';
    const char *meant = nearest(name, &words[0].name, sizeof *words, COUNT(words));
    if (meant)
        return error_set(err, ERROR_USAGE, "`%.80s` is no trigger: did you mean %s?", text, meant);
    return error_set(err, ERROR_USAGE,
                     "`%.80s` is no trigger: panic, test-fail, trap-loop, symbol:NAME, "
                     "console:REGEX, watchdog:STEPS or none",
                     text);
}

bool crash_triggers_add(struct crash_triggers *c, const char *text, struct error *err)
{
    size_t size = strcspn(text, ":");
    const struct trigger_word *word = find_word(text, size);
    const char *argument = text[size] ? text + size + 1 : NULL;
    if (!word)
        return unknown(text, err);
    if (!word->argument && argument)
        return error_set(err, ERROR_USAGE, "`%.80s`: %s takes nothing behind it", text, word->name);
    if (word->argument && (!argument || !*argument))
        return error_set(err, ERROR_USAGE, "%s needs more: %s:%s", word->name, word->name,
                         word->argument);
    if (c->none || (c->given && word->add == add_none))
        return error_set(err, ERROR_USAGE, "none is for none at all: leave it or the others out");
    c->given = true;
    return word->add(c, argument, err);
}

void crash_triggers_default(struct crash_triggers *c)
{
    if (!c->given)
        c->wanted.panic = c->wanted.test_fail = c->wanted.trap_loop = true;
}

/* ---- addresses ---- */

static struct symbols *read_symbols(const struct kept_files *kept)
{
    struct symbols *symbols = symbols_new();
    struct recording_blob blob;
    for (size_t i = 0; (blob = kept_files_get(kept, i)).name; i++) {
        struct error ignored = ERROR_INIT;
        if (blob.size > SELFMAG && !memcmp(blob.bytes, ELFMAG, SELFMAG))
            symbols_add(symbols, blob.name, blob.bytes, blob.size, &ignored);
    }
    return symbols;
}

/* Names in files may be any bytes. */
static bool is_plain(const char *name)
{
    while (*name > ' ' && *name <= '~')
        name++;
    return !*name;
}

static bool find_symbol(struct symbols *symbols, struct crash_symbol *symbol, struct error *err)
{
    if (!strncmp(symbol->name, "0x", 2))
        return number_parse(symbol->name, &symbol->address) ||
               error_set(err, ERROR_USAGE, "`%.80s` is no address", symbol->name);
    if (symbols_find(symbols, symbol->name, &symbol->address))
        return true;
    if (!symbols_count(symbols))
        return error_set(err, ERROR_USAGE,
                         "no file has symbols: add the guest's ELF file with --symbols FILE");
    const char *meant = symbols_nearest(symbols, symbol->name);
    return meant && is_plain(meant)
               ? error_set(err, ERROR_USAGE, "no symbol `%.80s`: did you mean %.120s?",
                           symbol->name, meant)
               : error_set(err, ERROR_USAGE, "no symbol `%.80s` in the guest's ELF files",
                           symbol->name);
}

bool crash_triggers_resolve(const struct crash_triggers *c, const struct kept_files *kept,
                            struct crash_options *options, struct error *err)
{
    *options = c->wanted;
    if (!options->symbols)
        return true;
    struct symbols *symbols = read_symbols(kept);
    bool ok = true;
    for (unsigned i = 0; ok && i < options->symbols; i++)
        ok = find_symbol(symbols, &options->symbol[i], err) ||
             error_prefix(err, "--crash-on symbol");
    symbols_free(symbols);
    return ok;
}
