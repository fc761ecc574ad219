/* `export`: the machine at the present position as a file. */
#include "cli/commands_info.h"
#include "cli/export_core.h"
#include "cli/numbers.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static const char *skip_blanks(const char *text)
{
    return text + strspn(text, " \t");
}

/* Does `text` begin with the word, or with as much of it as is enough? */
static bool takes_word(const char **text, const char *word)
{
    size_t size = strcspn(*text, " \t");
    if (!size || size > strlen(word) || memcmp(*text, word, size) != 0)
        return false;
    *text = skip_blanks(*text + size);
    return true;
}

/* Not what the machine was made from, and not its recording. */
static bool may_write(struct command_context *c, const char *path, struct error *err)
{
    const char *recorded = timeline_record_path(c->timeline);
    char incomplete[PATH_MAX + 16] = "";
    if (recorded)
        snprintf(incomplete, sizeof incomplete, "%s.incomplete", recorded);
    if (recorded && !strcmp(path, recorded))
        return error_set(err, ERROR_BUSY, "%s is the recording's name: give another name", path);
    return (!c->disks || disk_images_none_at(c->disks, path, err)) &&
           export_spares(path, recorded, err) && export_spares(path, incomplete, err) &&
           export_spares(path, c->opened_path, err);
}

/* ---- core ---- */

/* Cut "WORD" off the end of `path`; false: it is not there, or nothing stands before it. */
static bool cut_word(char *path, const char *word)
{
    size_t size = strlen(path), cut = strlen(word);
    if (size <= cut || strcmp(path + size - cut, word) != 0 || !strchr(" \t", path[size - cut - 1]))
        return false;
    size -= cut;
    while (size && strchr(" \t", path[size - 1]))
        size--;
    path[size] = '\0';
    return size > 0;
}

/* "FILE", "FILE hart N", "FILE physical"; names of files may have blanks in them. */
static void parse_core(char *path, const struct machine *m, struct export_core_options *o,
                       bool *valid)
{
    char number[32];
    const char *last = strrchr(path, ' ');
    uint64_t hart = 0;
    *o = (struct export_core_options){.hart = m->state.running};
    *valid = true;
    if (cut_word(path, "physical")) {
        o->physical = true;
        return;
    }
    if (!last || !number_parse(last + 1, &hart))
        return;
    snprintf(number, sizeof number, "%.31s", last + 1);
    char before[PATH_MAX];
    snprintf(before, sizeof before, "%s", path);
    if (!cut_word(before, number) || !cut_word(before, "hart"))
        return;
    strcpy(path, before);
    *valid = hart < m->config.cpus;
    o->hart = (unsigned)hart;
}

static void core(struct command_context *c, const char *argument, struct buffer *out)
{
    const struct machine *m = timeline_machine(c->timeline);
    struct error err = ERROR_INIT;
    struct export_core_options options;
    struct export_core_done done;
    char path[PATH_MAX];
    bool valid;
    snprintf(path, sizeof path, "%s", argument);
    parse_core(path, m, &options, &valid);
    if (!valid)
        buffer_append_string(out, "there is no such hart: `info harts` lists them\n");
    else if (!may_write(c, path, &err) || !export_core(m, &options, path, &done, &err))
        buffer_printf(out, "%s\n", err.message);
    else
        export_core_say(&done, &options, timeline_position(c->timeline), path, out);
}

/* ---- memory ---- */

static void memory(struct command_context *c, const char *path, struct buffer *out)
{
    const struct machine *m = timeline_machine(c->timeline);
    struct error err = ERROR_INIT;
    if (!may_write(c, path, &err) || !export_memory(m, path, &err))
        buffer_printf(out, "%s\n", err.message);
    else
        export_memory_say(m, timeline_position(c->timeline), path, out);
}

void commands_export(struct command_context *c, const char *argument, struct buffer *out)
{
    const char *rest = argument;
    if (takes_word(&rest, "core") && *rest)
        core(c, rest, out);
    else if ((rest = argument, takes_word(&rest, "memory")) && *rest)
        memory(c, rest, out);
    else
        buffer_printf(out,
                      "`export %.80s` is not possible: write export core FILE [hart N|physical] or "
                      "export memory FILE\n",
                      argument);
}
