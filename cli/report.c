#include "cli/report.h"

#include "base/log.h"
#include "base/outfile.h"
#include "cli/arguments.h"
#include "cli/recorded_run.h"
#include "machine/loader.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { STATUS_DONE = 0, STATUS_BAD = 2, SYMBOL_FILES = 16 };

struct options {
    const char *file, *html, *at;
    const char *symbols[SYMBOL_FILES];
    unsigned count;
};

/* What the report is made of. */
struct report_run {
    struct recorded_run *run;
    struct symbols *symbols;
    uint8_t *given[SYMBOL_FILES]; /* contents of the files of --symbols */
    unsigned count;
    const char *elf, *elf_image;
};

/* ---- options ---- */

static enum arguments_result parse(struct options *o, int argc, char **argv, struct error *err)
{
    const struct argument table[] = {
        {.name = "at",
         .argument = "POSITION",
         .help = "not the end, but a position before it: N, 1.5e6, 50%, a bookmark",
         .value = &o->at},
        {.name = "html",
         .argument = "OUT",
         .help = "the report also as one HTML file, which needs no other",
         .value = &o->html},
        {.name = "symbols",
         .argument = "ELF",
         .help = "names and lines from this file too, as for a kernel Image,\nwhich has none; "
                 "repeatable",
         .value = o->symbols,
         .count = &o->count,
         .most = SYMBOL_FILES},
    };
    const struct arguments a = {
        "report", "FILE [--at POSITION] [--html OUT] [--symbols ELF]...",
        "What can be said of how a recorded run ended: why and where, the function to blame, "
        "where\n"
        "the bad value came from, registers and backtraces, the last traps, how to go on. The "
        "exit\n"
        "status is 0 when the report was made, 2 when it was not.\n",
        table, sizeof table / sizeof *table};
    *o = (struct options){0};
    return arguments_parse(&a, argc, argv, &o->file, err);
}

/* ---- opening ---- */

/* One that is gone or another by now is to be taken out of the recording. */
static void set_elf(struct report_run *r, size_t index, const char *name, size_t size)
{
    struct stat st;
    r->elf = name;
    if (stat(name, &st) < 0 || (uint64_t)st.st_size != size)
        r->elf_image = recorded_run_elf_image(r->run, index);
}

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
            log_line(LOG_WARN, "%s", err.message);
        else if (!r->elf && symbols_count(r->symbols) > before)
            set_elf(r, i, name, size);
    }
}

static bool add_given(struct report_run *r, const struct options *o, struct error *err)
{
    for (unsigned i = 0; i < o->count; i++) {
        size_t size;
        if (!file_read(o->symbols[i], IMAGE_FILE_MOST, &r->given[r->count], &size, err))
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
                                         .elf_image = r->elf_image,
                                         .reason = info.reason,
                                         .verdict = info.verdict,
                                         .version = origin.version,
                                         .host = origin.host,
                                         .date = origin.date,
                                         .command = origin.command,
                                         .damage = info.damage};
    struct report_page page;
    report_make(&source, &page);
    bool ok = !o->html ||
              (recorded_run_spares(r->run, o->html, err) && write_html(o->html, &page.html, err));
    if (ok)
        fputs(buffer_text(&page.text), stdout);
    report_page_fini(&page);
    return ok;
}

int report_main(int argc, char **argv)
{
    struct error err = ERROR_INIT;
    struct options options;
    struct report_run run = {0};
    enum arguments_result parsed = parse(&options, argc, argv, &err);
    if (parsed != ARGUMENTS_GOOD)
        return parsed == ARGUMENTS_HELP ? STATUS_DONE : command_failed(STATUS_BAD, &err);
    bool ok = report_run_open(&run, &options, &err) && make(&run, &options, &err);
    report_run_fini(&run);
    return ok ? STATUS_DONE : command_failed(STATUS_BAD, &err);
}
