#include "cli/export.h"

#include "base/plain_text.h"
#include "cli/arguments.h"
#include "cli/export_core.h"
#include "cli/numbers.h"
#include "cli/recorded_images.h"
#include "cli/recorded_run.h"
#include "server/disk_export.h"

#include <stdio.h>
#include <string.h>

enum { STATUS_BAD = 2 };

struct export_options {
    const char *file, *at, *core, *hart, *memory, *disk, *disk_out;
    bool physical;
};

/* ---- the command line ---- */

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
    };
    const struct arguments a = {
        "export", "FILE [--at POSITION] OUTPUT...",
        "Writes the machine as it was at a position of a recording to files. OUTPUT is --core,\n"
        "--memory, --disk, or several of them. A file OUT that is there is replaced when the new\n"
        "one is complete.\n",
        table, sizeof table / sizeof *table};
    *o = (struct export_options){0};
    enum arguments_result parsed = arguments_parse(&a, argc, argv, &o->file, err);
    if (parsed != ARGUMENTS_GOOD)
        return parsed;
    if (!o->core && !o->memory && !o->disk)
        error_set(err, ERROR_USAGE,
                  "what of it? --core OUT, --memory OUT or --disk N OUT, or all of them");
    else if (!o->core && (o->hart || o->physical))
        error_set(err, ERROR_USAGE, "%s is for --core OUT", o->hart ? "--hart" : "--physical");
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

/* Blocks that nobody has are zeroes, and counted. */
struct known_blocks {
    struct disk_host host;
    uint64_t missing;
};

static bool read_known(void *ctx, unsigned disk, uint64_t block, uint8_t *bytes)
{
    struct known_blocks *k = ctx;
    if (k->host.read(k->host.ctx, disk, block, bytes))
        return true;
    memset(bytes, 0, DISK_BLOCK);
    k->missing++;
    return true;
}

static const char *name_known(void *ctx, unsigned disk)
{
    const struct known_blocks *k = ctx;
    return k->host.name(k->host.ctx, disk);
}

static void say_disk(const struct known_blocks *known, const struct disk *disk, uint64_t position,
                     const char *path, struct buffer *text)
{
    char at[NUMBER_TEXT], size[NUMBER_TEXT], count[NUMBER_TEXT];
    number_format(position, at);
    number_format_size(disk->bytes, size);
    number_format(known->missing, count);
    buffer_printf(text, "disk %u as of position %s is in %s, %s\n", disk->index, at, path, size);
    if (known->missing)
        buffer_printf(
            text,
            "%s of its blocks of %u bytes are zeroes in there: the run has not read them, "
            "and the image is not where it was, or has changed\n",
            count, DISK_BLOCK);
    say(text);
}

/* The images are looked for here, not for the timeline: going back and forth in a recording needs
 * no block that it does not have. */
static bool write_disk(struct recorded_run *r, const struct export_options *o, struct buffer *text,
                       struct error *err)
{
    struct timeline *tl = recorded_run_timeline(r);
    const struct machine *m = timeline_machine(tl);
    uint64_t index;
    const struct disk *disk = NULL;
    if (number_parse(o->disk, &index) && index < DISKS)
        disk = disk_find(m, (unsigned)index);
    if (!disk)
        return error_set(err, ERROR_USAGE, "there is no disk %.40s: the machine had %u", o->disk,
                         recorded_run_options(r)->disks);
    if (!recorded_run_spares(r, o->disk_out, err))
        return false;
    struct recorded_images *images = recorded_images_new(recorded_run_config(r), true);
    const struct disk_host images_host = recorded_images_host(images);
    struct known_blocks known = {.host = recording_disks(recorded_run_recording(r), &images_host)};
    const struct disk_background background = {.host = {read_known, name_known, &known}};
    bool ok = disk_export(m, disk->index, &background, o->disk_out, err);
    if (ok)
        say_disk(&known, disk, timeline_position(tl), o->disk_out, text);
    recording_disks(recorded_run_recording(r), NULL);
    recorded_images_free(images);
    return ok;
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
    const struct recorded_run_options options = {.without_images = true};
    struct recorded_run *r = recorded_run_open(o->file, &options, err);
    struct buffer text = {0};
    bool ok = r && go(r, o->at, err) && (!o->core || write_core(r, o, &text, err)) &&
              (!o->memory || write_memory(r, o->memory, &text, err)) &&
              (!o->disk || write_disk(r, o, &text, err));
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
