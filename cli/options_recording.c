/* -o, --keep, --symbols and --crash-on: the recording in a file, and its end. */
#include "cli/numbers.h"
#include "cli/options_set.h"

#include <ctype.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof *(table))
#define NS_PER_S UINT64_C(1000000000)
#define KEEP_LEAST (UINT64_C(16) << 20)

bool options_set_output(struct run_options *o, const char *name, const char *value,
                        struct error *err)
{
    if (o->output)
        return error_set(err, ERROR_USAGE, "-%s is given twice: a run has one recording", name);
    o->output = value;
    return options_check_path(name, value, err);
}

/* A number with a unit of time; false: it is none. */
static bool parse_time(const char *text, uint64_t *ns)
{
    static const struct {
        const char *name;
        uint64_t ns;
    } unit[] = {{"s", NS_PER_S}, {"sec", NS_PER_S}, {"min", 60 * NS_PER_S}, {"h", 3600 * NS_PER_S}};
    size_t size = strspn(text, "0123456789");
    char digits[24];
    if (!size || size >= sizeof digits)
        return false;
    memcpy(digits, text, size);
    digits[size] = '\0';
    for (size_t i = 0; i < COUNT(unit); i++)
        if (!strcmp(text + size, unit[i].name))
            return number_parse(digits, ns) && !__builtin_mul_overflow(*ns, unit[i].ns, ns);
    return false;
}

bool options_set_keep(struct run_options *o, const char *name, const char *value, struct error *err)
{
    uint64_t amount;
    if (parse_time(value, &amount) && amount) {
        o->keep_ns = amount;
        return true;
    }
    if (!number_parse_size(value, 1, &amount) || isdigit((unsigned char)value[strlen(value) - 1]))
        return error_set(
            err, ERROR_USAGE,
            "--%s: `%.40s` is not possible: a size like 64M or 2G, or the guest's time "
            "like 30s, 10min or 2h",
            name, value);
    if (amount < KEEP_LEAST)
        return error_set(err, ERROR_RANGE, "--%s: %.40s is too little: give the file 16M or more",
                         name, value);
    o->keep_bytes = amount;
    return true;
}

bool options_set_symbols(struct run_options *o, const char *name, const char *value,
                         struct error *err)
{
    if (o->symbol_files == OPTIONS_SYMBOLS)
        return error_set(err, ERROR_RANGE, "--%s: too many files: at most %d", name,
                         OPTIONS_SYMBOLS);
    o->symbols[o->symbol_files++] = value;
    return options_check_path(name, value, err);
}

bool options_set_crash_on(struct run_options *o, const char *name, const char *value,
                          struct error *err)
{
    return crash_triggers_add(&o->crash, value, err) || error_prefix(err, "--%s", name);
}

const char *options_command_line(struct run_options *o, int argc, char *const *argv)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "-_./,:=+@%";
    struct buffer line = {0};
    buffer_append_string(&line, "backstep run");
    for (int i = 0; i < argc; i++) {
        const char *word = argv[i];
        bool quoted = !*word || word[strspn(word, plain)];
        buffer_append_string(&line, quoted ? " '" : " ");
        for (; *word; word++)
            if (*word == '\'')
                buffer_append_string(&line, "'\\''");
            else
                buffer_append_byte(&line, (uint8_t)*word);
        buffer_append_string(&line, quoted ? "'" : "");
    }
    const char *kept = options_keep(o, buffer_text(&line));
    buffer_fini(&line);
    return kept;
}

bool options_settle_recording(struct run_options *o, struct error *err)
{
    /* Who spells it as QEMU does has a guest that goes on as in QEMU. */
    if (o->output && !o->output_replaces)
        crash_triggers_default(&o->crash);
    return !o->keep_bytes || o->output ||
           error_set(err, ERROR_USAGE,
                     "--keep SIZE is for a recording in a file: add -o FILE, or bound the memory "
                     "with --memory-budget");
}
