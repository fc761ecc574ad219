#include "cli/report.h"

#include "base/check.h"
#include "base/outfile.h"
#include "cli/recorded_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATUS_DONE = 0, STATUS_BAD = 2, SYMBOL_FILES = 16 };
#define SYMBOL_FILE_MOST (UINT64_C(2) << 30)

static const char usage[] =
    "usage: backstep report FILE [--at POSITION] [--html OUT] [--symbols ELF]...\n\n"
    "What can be said of how a recorded run ended: why and where, the function to blame, where\n"
    "the bad value came from, registers and backtraces, the last traps, how to go on.\n\n"
    "  --at POSITION  not the end, but a position before it: N, 1.5e6, 50%, a bookmark\n"
    "  --html OUT     the report also as one HTML file, which needs no other\n"
    "  --symbols ELF  names and lines from this file too, as for a kernel Image, which has none\n\n"
    "Exit status: 0 the report was made, 2 it was not.\n";

struct options {
    const char *file, *html, *at;
    const char *symbols[SYMBOL_FILES];
    unsigned count;
    bool help;
};

/* What the report is made of. */
struct report_run {
    struct recorded_run *run;
    struct symbols *symbols;
    uint8_t *given[SYMBOL_FILES]; /* contents of the files of --symbols */
    unsigned count;
    const char *elf;
};

/* ---- options ---- */

/* Is it the option, with one dash or two? */
static bool is_option(const char *word, const char *name)
{
    return !strcmp(word, name) || !strcmp(word, name + 1);
}

/* Options with a value; NULL: it is none of them. */
static const char **find_option(struct options *o, const char *word)
{
    if (is_option(word, "--html"))
        return &o->html;
    if (is_option(word, "--at"))
        return &o->at;
    if (is_option(word, "--symbols"))
        return &o->symbols[o->count];
    return NULL;
}

static bool parse(struct options *o, int argc, char **argv, struct error *err)
{
    *o = (struct options){0};
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i], **value = find_option(o, word);
        if (value) {
            if (i + 1 == argc)
                return error_set(err, ERROR_USAGE, "%s needs a value behind it", word);
            *value = argv[++i];
            o->count += value == &o->symbols[o->count];
            if (o->count == SYMBOL_FILES)
                return error_set(err, ERROR_USAGE, "--symbols less than %d times", SYMBOL_FILES);
        } else if (is_option(word, "--help") || !strcmp(word, "-h")) {
            o->help = true;
            return true;
        } else if (word[0] == '-' && word[1]) {
            return error_set(err, ERROR_USAGE,
                             "no option `%.100s`: `backstep report --help` lists them", word);
        } else if (o->file) {
            return error_set(err, ERROR_USAGE, "one recording at a time, not also `%.100s`", word);
        } else {
            o->file = word;
        }
    }
    return o->file || error_set(err, ERROR_USAGE,
                                "which recording? `backstep report FILE`; `--help` says more");
}

/* ---- opening ---- */

/* Files of the recording that are no ELF files, or damaged, are as if they were not there. */
static void add_recorded(struct report_run *r)
{
    struct error err = ERROR_INIT;
    const char *name;
    const uint8_t *bytes;
    size_t size;
    for (size_t i = 0; recorded_run_elf(r->run, i, &name, &bytes, &size); i++) {
        size_t before = symbols_count(r->symbols);
        if (!symbols_add(r->symbols, name, bytes, size, &err))
            fprintf(stderr, "backstep: %s\n", err.message);
        else if (!r->elf && symbols_count(r->symbols) > before)
            r->elf = name;
    }
}

static bool add_given(struct report_run *r, const struct options *o, struct error *err)
{
    for (unsigned i = 0; i < o->count; i++) {
        size_t size;
        if (!file_read(o->symbols[i], SYMBOL_FILE_MOST, &r->given[r->count], &size, err))
            return false;
        if (!symbols_add(r->symbols, o->symbols[i], r->given[r->count++], size, err))
            return false;
        r->elf = o->symbols[i];
    }
    return true;
}

static void report_run_fini(struct report_run *r)
{
    symbols_free(r->symbols);
    for (unsigned i = 0; i < r->count; i++)
        free(r->given[i]);
    recorded_run_free(r->run);
}

static bool report_run_open(struct report_run *r, const struct options *o, struct error *err)
{
    *r = (struct report_run){.symbols = symbols_new()};
    const struct recorded_run_options options = {.without_images = true};
    r->run = recorded_run_open(o->file, &options, err);
    if (!r->run)
        return false;
    /* First what is given by hand: it is there to be preferred. */
    if (!add_given(r, o, err))
        return false;
    add_recorded(r);
    return true;
}

/* ---- writing ---- */

static bool write_html(const char *path, const struct buffer *html, struct error *err)
{
    struct outfile f = {0};
    if (!outfile_open(&f, path, err))
        return false;
    if (outfile_write(&f, 0, html->data, html->size, err) && outfile_commit(&f, html->size, err))
        return true;
    outfile_abandon(&f);
    return false;
}

static bool make(struct report_run *r, const struct options *o, struct error *err)
{
    struct recording_info info;
    uint64_t at = POSITION_NONE;
    if (o->at && !recorded_run_position(r->run, o->at, &at, err))
        return false;
    struct recorded_origin origin = recorded_run_origin(r->run);
    recording_info(recorded_run_recording(r->run), &info);
    const struct report_source source = {.timeline = recorded_run_timeline(r->run),
                                         .at = at,
                                         .symbols = r->symbols,
                                         .file = recorded_run_path(r->run),
                                         .elf = r->elf,
                                         .reason = info.reason,
                                         .verdict = info.verdict,
                                         .version = origin.version,
                                         .host = origin.host,
                                         .date = origin.date,
                                         .command = origin.command,
                                         .damage = info.damage};
    struct report_page page;
    report_make(&source, &page);
    bool ok = !o->html || write_html(o->html, &page.html, err);
    if (ok &&
        (fwrite(page.text.data, 1, page.text.size, stdout) != page.text.size || fflush(stdout)))
        ok = error_set(err, ERROR_IO, "the report cannot be written to standard output");
    report_page_fini(&page);
    return ok;
}

int report_main(int argc, char **argv)
{
    struct error err = ERROR_INIT;
    struct options options;
    struct report_run run = {0};
    if (!parse(&options, argc, argv, &err)) {
        fprintf(stderr, "backstep: %s\n", err.message);
        return STATUS_BAD;
    }
    if (options.help) {
        fputs(usage, stdout);
        return STATUS_DONE;
    }
    bool ok = report_run_open(&run, &options, &err) && make(&run, &options, &err);
    if (!ok)
        fprintf(stderr, "backstep: %s\n", err.message);
    report_run_fini(&run);
    return ok ? STATUS_DONE : STATUS_BAD;
}
