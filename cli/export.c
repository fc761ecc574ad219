#include "cli/export.h"

#include "base/plain_text.h"
#include "cli/arguments.h"
#include "cli/export_core.h"
#include "cli/numbers.h"
#include "cli/recorded_run.h"
#include "devices/disk.h"

#include <stdio.h>
#include <string.h>

enum { STATUS_BAD = 2 };

struct export_options {
    const char *file, *at, *core, *hart, *memory, *disk, *disk_out, *image, *image_out;
    bool physical;
};

/* ---- the command line ---- */

static bool of_a_position(const struct export_options *o)
{
    return o->core || o->memory || o->disk;
}

/* No output over another. */
static bool check_names(const struct export_options *o, struct error *err)
{
    const char *const out[] = {o->core, o->memory, o->disk_out, o->image_out};
    for (unsigned i = 0; i < sizeof out / sizeof *out; i++)
        for (unsigned j = 0; j < i; j++)
            if (out[i] && out[j] && export_same_file(out[i], out[j]))
                return error_set(err, ERROR_USAGE,
                                 "`%.80s` is given for two outputs: give another name", out[i]);
    return true;
}

static enum arguments_result parse(struct export_options *o, int argc, char **argv,
                                   struct error *err)
{
    const struct argument table[] = {
        {.name = "at",
         .argument = "POSITION",
         .help = "N (1500000, 1.5e6), start, end, N%, or a bookmark (default: end)",
         .value = &o->at},
        {.name = "core",
         .argument = "OUT",
         .help = "an ELF core for gdb (`gdb KERNEL OUT`): registers of all harts,\nand RAM at the "
                 "addresses that a hart's page tables give it",
         .value = &o->core},
        {.name = "hart",
         .argument = "N",
         .help = "of --core: the hart whose page tables they are, and which gdb\nshows first "
                 "(default: the one whose turn it is)",
         .value = &o->hart},
        {.name = "physical", .help = "of --core: RAM at physical addresses", .flag = &o->physical},
        {.name = "memory", .argument = "OUT", .help = "all of RAM, as it is", .value = &o->memory},
        {.name = "disk",
         .argument = "N OUT",
         .help = "disk N as the guest sees it, a raw image",
         .value = &o->disk,
         .second = &o->disk_out},
        {.name = "image",
         .argument = "NAME OUT",
         .help = "a file that the machine was made from: kernel, firmware, initrd,\ntree, "
                 "symbols/...; `backstep info` lists their names",
         .value = &o->image,
         .second = &o->image_out},
    };
    const struct arguments a = {
        "export", "FILE [--at POSITION] OUTPUT...",
        "Writes the machine as it was at a position of a recording to files. OUTPUT is --core,\n"
        "--memory, --disk, --image, or several of them. A file OUT that is there is replaced when\n"
        "the new one is complete.\n",
        table, sizeof table / sizeof *table};
    *o = (struct export_options){0};
    enum arguments_result parsed = arguments_parse(&a, argc, argv, &o->file, err);
    if (parsed != ARGUMENTS_GOOD)
        return parsed;
    if (!of_a_position(o) && !o->image)
        error_set(err, ERROR_USAGE,
                  "what of it? --core OUT, --memory OUT, --disk N OUT or --image NAME OUT, or all "
                  "of them");
    else if (!o->core && (o->hart || o->physical))
        error_set(err, ERROR_USAGE, "%s is for --core OUT", o->hart ? "--hart" : "--physical");
    else if (!of_a_position(o) && o->at)
        error_set(err, ERROR_USAGE, "--at is of no use: an image is the same at all positions");
    else
        check_names(o, err);
    return err->code ? ARGUMENTS_BAD : ARGUMENTS_GOOD;
}

/* ---- files ---- */

static void say(struct buffer *text)
{
    plain_text_clean(text->data, text->size, true);
    fputs(buffer_text(text), stdout);
    buffer_clear(text);
}

static bool write_core(struct recorded_run *r, const struct export_options *o, struct buffer *text,
                       struct error *err)
{
    struct timeline *tl = recorded_run_timeline(r);
    const struct machine *m = timeline_machine(tl);
    struct export_core_options options = {.hart = m->state.running, .physical = o->physical};
    struct export_core_done done;
    uint64_t hart;
    if (o->hart && (!number_parse(o->hart, &hart) || hart >= m->config.cpus))
        return error_set(err, ERROR_USAGE, "there is no hart %.40s: the machine has 0 to %u",
                         o->hart, m->config.cpus - 1);
    if (o->hart)
        options.hart = (unsigned)hart;
    if (!recorded_run_spares(r, o->core, err) || !export_core(m, &options, o->core, &done, err))
        return false;
    export_core_say(&done, &options, timeline_position(tl), o->core, text);
    say(text);
    return true;
}

static bool write_memory(struct recorded_run *r, const char *path, struct buffer *text,
                         struct error *err)
{
    struct timeline *tl = recorded_run_timeline(r);
    const struct machine *m = timeline_machine(tl);
    if (!recorded_run_spares(r, path, err) || !export_memory(m, path, err))
        return false;
    export_memory_say(m, timeline_position(tl), path, text);
    say(text);
    return true;
}

static bool write_disk(struct recorded_run *r, const struct export_options *o, struct buffer *text,
                       struct error *err)
{
    struct timeline *tl = recorded_run_timeline(r);
    const struct machine *m = timeline_machine(tl);
    uint64_t index, missing;
    const struct disk *disk = NULL;
    if (number_parse(o->disk, &index) && index < DISKS)
        disk = disk_find(m, (unsigned)index);
    if (!disk)
        return error_set(err, ERROR_USAGE, "there is no disk %.40s: the machine had %u", o->disk,
                         recorded_run_options(r)->disks);
    if (!recorded_run_export_disk(r, disk->index, o->disk_out, &missing, err))
        return false;
    recorded_run_say_disk(disk, timeline_position(tl), missing, o->disk_out, text);
    say(text);
    return true;
}

static bool write_image(struct recorded_run *r, const struct export_options *o, struct buffer *text,
                        struct error *err)
{
    char size[NUMBER_TEXT];
    uint64_t written;
    if (!recorded_run_export_image(r, o->image, o->image_out, &written, err))
        return false;
    number_format_size(written, size);
    buffer_printf(text, "%s is in %s, %s\n", o->image, o->image_out, size);
    say(text);
    return true;
}

/* ---- the command ---- */

static bool go(struct recorded_run *r, const char *at, struct error *err)
{
    struct timeline *tl = recorded_run_timeline(r);
    struct stop stop;
    uint64_t position;
    if (!recorded_run_position(r, at ? at : "end", &position, err))
        return false;
    if (position == timeline_position(tl))
        return true;
    timeline_seek(tl, position);
    timeline_finish(tl, &stop);
    if (timeline_position(tl) == position && stop.reason != STOP_DIVERGED)
        return true;
    return error_set(err, ERROR_DIVERGED, "%s",
                     *stop.text ? stop.text : "the position cannot be reached");
}

static bool export_all(const struct export_options *o, struct error *err)
{
    const struct recorded_run_options options = {.without_images = true,
                                                 .at_begin = !of_a_position(o)};
    struct recorded_run *r = recorded_run_open(o->file, &options, err);
    struct buffer text = {0};
    bool ok = r && (!of_a_position(o) || go(r, o->at, err)) &&
              (!o->core || write_core(r, o, &text, err)) &&
              (!o->memory || write_memory(r, o->memory, &text, err)) &&
              (!o->disk || write_disk(r, o, &text, err)) &&
              (!o->image || write_image(r, o, &text, err));
    buffer_fini(&text);
    recorded_run_free(r);
    return ok;
}

int export_main(int argc, char **argv)
{
    struct export_options options;
    struct error err = ERROR_INIT;
    enum arguments_result parsed = parse(&options, argc, argv, &err);
    if (parsed == ARGUMENTS_HELP)
        return 0;
    bool ok = parsed == ARGUMENTS_GOOD && export_all(&options, &err);
    return ok ? 0 : command_failed(STATUS_BAD, &err);
}
