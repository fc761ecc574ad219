#include "cli/recording_report.h"

#include "base/check.h"
#include "cli/arguments.h"
#include "cli/numbers.h"
#include "devices/virtio.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* ---- text ---- */

enum { COLUMN = 14 };

static void begin_row(struct buffer *out, const char *name)
{
    buffer_printf(out, "%-*s", COLUMN, name);
}

static void row(struct buffer *out, const char *name, const char *text)
{
    begin_row(out, name);
    append_plain(out, text);
    buffer_append_byte(out, '\n');
}

static const char *size_text(uint64_t bytes, char text[NUMBER_TEXT])
{
    number_format_size(bytes, text);
    return text;
}

static const char *number_text(uint64_t value, char text[NUMBER_TEXT])
{
    number_format(value, text);
    return text;
}

static void append_history(const struct recording_info *info, struct buffer *out)
{
    char begin[NUMBER_TEXT], tip[NUMBER_TEXT];
    begin_row(out, "positions");
    buffer_printf(out, "%s to %s, %.3f s to %.3f s of guest time\n",
                  number_text(info->begin, begin), number_text(info->tip, tip),
                  (double)info->begin_ns / 1e9, (double)info->tip_ns / 1e9);
    begin_row(out, "holds");
    buffer_printf(out,
                  "%" PRIu64 " checkpoints, %" PRIu64 " events, %" PRIu64 " digests, %" PRIu64
                  " blocks of disks\n",
                  info->checkpoints, info->events, info->marks, info->disk_blocks);
    if (!info->reason)
        return;
    begin_row(out, "ended by");
    append_plain(out, info->reason);
    buffer_append_string(out, info->verdict ? ": " : "");
    append_plain(out, info->verdict ? info->verdict : "");
    buffer_append_byte(out, '\n');
}

static void append_machine(const struct run_options *o, struct buffer *out)
{
    const struct riscv_virt_options *m = &o->machine;
    char ram[NUMBER_TEXT];
    begin_row(out, "machine");
    buffer_printf(out, "virt, %u hart%s, %s of RAM, a step takes %u ns%s%s%s\n", m->harts,
                  m->harts == 1 ? "" : "s", size_text(m->ram_size, ram), 1u << m->shift,
                  m->semihosting ? ", semihosting" : "", m->no_reboot ? ", no reboot" : "",
                  o->warp ? ", idle time passes at once" : "");
    if (m->append)
        row(out, "command line", m->append);
}

static void append_disks(const struct recording_config *c, struct buffer *out)
{
    const struct riscv_virt_options *m = &c->options.machine;
    char size[NUMBER_TEXT];
    unsigned disk = 0;
    for (unsigned slot = 0; slot < RISCV_VIRT_SLOTS; slot++) {
        if (m->slot[slot].id != VIRTIO_ID_BLOCK)
            continue;
        begin_row(out, "disk");
        buffer_printf(out, "%u: ", disk);
        append_plain(out, c->options.disk[disk++]);
        buffer_printf(out, ", %s%s\n", size_text(m->slot[slot].disk_bytes, size),
                      m->slot[slot].read_only ? ", read-only" : "");
    }
}

static void append_images(const struct recording_facts *f, struct buffer *out)
{
    char size[NUMBER_TEXT];
    for (size_t i = 0; i < f->images; i++) {
        begin_row(out, i ? "" : "images");
        append_plain(out, f->image[i].name);
        if (f->image[i].damaged)
            buffer_append_string(out, ", damaged\n");
        else
            buffer_printf(out, ", %s\n", size_text(f->image[i].size, size));
    }
}

static void append_bookmarks(const struct recording_facts *f, struct buffer *out)
{
    const struct bookmark *b;
    char position[NUMBER_TEXT];
    for (size_t i = 0; f->timeline && (b = timeline_bookmark_get(f->timeline, i)); i++) {
        begin_row(out, i ? "" : "bookmarks");
        append_plain(out, b->name);
        buffer_printf(out, " at %s%s", number_text(b->position, position), *b->note ? ": " : "");
        append_plain(out, b->note);
        buffer_append_byte(out, '\n');
    }
}

void recording_facts_text(const struct recording_facts *f, struct buffer *out)
{
    char size[NUMBER_TEXT];
    row(out, "file", f->path);
    begin_row(out, "size");
    buffer_printf(out, "%s, format %" PRIu32 ", %s\n", size_text(f->info.bytes, size),
                  f->info.format, f->info.complete ? "closed" : "not closed");
    if (f->info.damage)
        row(out, "damage", f->info.damage);
    if (f->problem)
        row(out, "problem", f->problem);
    if (f->config) {
        row(out, "recorded", f->config->origin.date);
        row(out, "on", f->config->origin.host);
        begin_row(out, "by");
        buffer_append_string(out, "backstep ");
        append_plain(out, f->config->origin.version);
        buffer_append_byte(out, '\n');
        row(out, "command", f->config->origin.command);
    }
    append_history(&f->info, out);
    if (f->config) {
        append_machine(&f->config->options, out);
        append_disks(f->config, out);
    }
    append_images(f, out);
    append_bookmarks(f, out);
}

/* ---- JSON ---- */

/* What is no UTF-8 is shown with question marks. */
static json_t *text_json(const char *text)
{
    if (!text)
        return json_null();
    json_t *string = json_string(text);
    if (string)
        return string;
    char *ascii = strdup(text);
    check(ascii, "no memory");
    for (char *p = ascii; *p; p++)
        if (*p & 0x80)
            *p = '?';
    string = json_string(ascii);
    free(ascii);
    return string;
}

static json_t *number_json(uint64_t value)
{
    return value <= INT64_MAX ? json_integer((json_int_t)value) : json_real((double)value);
}

static json_t *images_json(const struct recording_facts *f)
{
    json_t *list = json_array();
    for (size_t i = 0; i < f->images; i++)
        json_array_append_new(
            list, json_pack("{s:o, s:o, s:b}", "name", text_json(f->image[i].name), "size",
                            number_json(f->image[i].size), "damaged", f->image[i].damaged));
    return list;
}

static json_t *bookmarks_json(const struct recording_facts *f)
{
    json_t *list = json_array();
    const struct bookmark *b;
    for (size_t i = 0; f->timeline && (b = timeline_bookmark_get(f->timeline, i)); i++)
        json_array_append_new(list,
                              json_pack("{s:o, s:o, s:o}", "position", number_json(b->position),
                                        "name", text_json(b->name), "note", text_json(b->note)));
    return list;
}

/* The configuration as the recording has it. */
static json_t *config_json(const struct recording_config *config)
{
    struct buffer text = {0};
    if (!config)
        return json_null();
    recording_config_append(config, &text);
    json_t *json = json_loadb((const char *)text.data, text.size, 0, NULL);
    buffer_fini(&text);
    check(json, "a configuration's own JSON");
    return json;
}

static json_t *info_json(const struct recording_info *info)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o}",
                     "begin", number_json(info->begin), "tip", number_json(info->tip), "begin_ns",
                     number_json(info->begin_ns), "tip_ns", number_json(info->tip_ns), "events",
                     number_json(info->events), "digests", number_json(info->marks), "checkpoints",
                     number_json(info->checkpoints), "disk_blocks", number_json(info->disk_blocks),
                     "bytes", number_json(info->bytes), "format", number_json(info->format),
                     "complete", info->complete, "damage", text_json(info->damage), "reason",
                     text_json(info->reason), "verdict", text_json(info->verdict));
}

void recording_facts_json(const struct recording_facts *f, struct buffer *out)
{
    json_t *root = info_json(&f->info);
    json_object_set_new(root, "file", text_json(f->path));
    json_object_set_new(root, "problem", text_json(f->problem));
    json_object_set_new(root, "config", config_json(f->config));
    json_object_set_new(root, "images", images_json(f));
    json_object_set_new(root, "bookmarks", bookmarks_json(f));
    char *text = json_dumps(root, JSON_INDENT(2) | JSON_SORT_KEYS);
    check(text, "no text of the facts");
    buffer_append_string(out, text);
    buffer_append_byte(out, '\n');
    free(text);
    json_decref(root);
}
