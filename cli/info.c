#include "cli/info.h"

#include "base/check.h"
#include "cli/arguments.h"
#include "cli/recorded_run.h"
#include "cli/recording_report.h"

#include <stdio.h>
#include <stdlib.h>

enum { STATUS_PART = 1, STATUS_BAD = 2 };

struct info {
    struct recorded_run *run; /* NULL: only the rest could be had */
    struct recording *recording;
    struct recording_config config; /* without `run` */
    struct recording_facts facts;
    char path[RECORDED_RUN_PATH];
};

static void find_images(struct info *i)
{
    const char *name;
    size_t count = 0;
    while (recording_blob_name(i->recording, count))
        count++;
    i->facts.image = mem_new(count + 1, sizeof *i->facts.image);
    while ((name = recording_blob_name(i->recording, i->facts.images))) {
        struct recording_image *image = &i->facts.image[i->facts.images++];
        struct error err = ERROR_INIT;
        uint8_t *bytes;
        size_t size = 0;
        image->name = name;
        image->damaged = !recording_blob(i->recording, name, &bytes, &size, &err);
        image->size = size;
        if (!image->damaged)
            free(bytes);
    }
}

/* As a run, which tells all; else what the file's index says. */
static bool open_all(struct info *i, const char *path, struct error *problem, struct error *err)
{
    const struct recorded_run_options options = {
        .without_images = true, .quiet = true, .at_begin = true};
    size_t size;
    i->run = recorded_run_open(path, &options, problem);
    if (i->run) {
        i->recording = recorded_run_recording(i->run);
        i->facts.path = recorded_run_path(i->run);
        i->facts.config = recorded_run_config(i->run);
        i->facts.timeline = recorded_run_timeline(i->run);
        return true;
    }
    i->facts.path = i->path;
    i->facts.problem = problem->message;
    i->recording = recorded_run_find(path, i->path, err) ? recording_open(i->path, err) : NULL;
    if (!i->recording)
        return false;
    const uint8_t *config = recording_config(i->recording, &size);
    struct error ignored = ERROR_INIT;
    if (recording_config_parse(&i->config, config, size, &ignored))
        i->facts.config = &i->config;
    return true;
}

static void print(const struct info *i, bool json)
{
    struct buffer text = {0};
    (json ? recording_facts_json : recording_facts_text)(&i->facts, &text);
    fputs(buffer_text(&text), stdout);
    buffer_fini(&text);
}

static int show(const char *path, bool json)
{
    struct info i = {0};
    struct error problem = ERROR_INIT, err = ERROR_INIT;
    int status = STATUS_BAD;
    if (open_all(&i, path, &problem, &err)) {
        recording_info(i.recording, &i.facts.info);
        find_images(&i);
        print(&i, json);
        status = i.run ? 0 : STATUS_PART;
    } else {
        command_failed(STATUS_BAD, &err);
    }
    free(i.facts.image);
    recording_config_fini(&i.config);
    if (!i.run)
        recording_free(i.recording);
    recorded_run_free(i.run);
    return status;
}

int info_main(int argc, char **argv)
{
    bool json = false;
    const char *file;
    struct error err = ERROR_INIT;
    const struct argument table[] = {{.name = "json", .help = "as JSON", .flag = &json}};
    const struct arguments a = {
        "info", "FILE [--json]",
        "Says what a recording is: where it comes from, its machine, what it holds, and what of "
        "it\n"
        "is missing. The exit status is 1 when it can be read only in part, 2 when it cannot; one\n"
        "that was never closed, and can be read up to its end, has 0.\n",
        table, 1};
    switch (arguments_parse(&a, argc, argv, &file, &err)) {
    case ARGUMENTS_HELP:
        return 0;
    case ARGUMENTS_BAD:
        return command_failed(STATUS_BAD, &err);
    case ARGUMENTS_GOOD:
        break;
    }
    return show(file, json);
}
