#include "cli/recording_content.h"

#include "base/check.h"
#include "cli/recording_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

enum { BLOBS = 2 * BOARD_FILES + OPTIONS_FW_CFGS + OPTIONS_SYMBOLS };

struct content {
    struct recording_content content;
    struct recording_blob blob[BLOBS];
    struct buffer config;
    char fw_cfg[OPTIONS_FW_CFGS][sizeof BLOB_FW_CFG + 64]; /* names of blobs */
};

static void add(struct content *c, struct recording_blob blob)
{
    check(c->content.blobs < BLOBS, "%s: too many blobs", blob.name);
    c->blob[c->content.blobs++] = blob;
}

static void add_blobs(struct content *c, const struct run_inputs *in,
                      const struct riscv_virt *board)
{
    struct recording_blob blob = {.name = BLOB_TREE};
    blob.bytes = riscv_virt_tree(board, &blob.size);
    add(c, blob);
    for (size_t i = 0; (blob = kept_files_get(in->kept, i)).name; i++)
        if (kept_files_holder(in->kept, blob.name) == blob.name)
            add(c, blob);
    for (unsigned i = 0; i < in->machine.fw_cfgs; i++) {
        const struct riscv_virt_fw_cfg *item = &in->machine.fw_cfg[i];
        snprintf(c->fw_cfg[i], sizeof c->fw_cfg[i], BLOB_FW_CFG "%s", item->name);
        add(c, (struct recording_blob){c->fw_cfg[i], item->bytes, item->size});
    }
}

static void append_config(struct content *c, const struct run_options *o,
                          const struct run_inputs *in)
{
    struct utsname host;
    char host_text[sizeof host], date[32];
    time_t now = time(NULL);
    struct tm utc;
    check(!uname(&host), "uname");
    snprintf(host_text, sizeof host_text, "%s %s %s", host.sysname, host.release, host.machine);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    struct recording_config *config = mem_new(1, sizeof *config);
    char *command = strndup(o->command ? o->command : "backstep run", RECORDING_ORIGIN_MOST);
    config->origin = (struct recorded_origin){BACKSTEP_VERSION, host_text, date, command};
    config->options = *o;
    config->options.machine = in->machine;
    for (unsigned i = 0; i < o->disks; i++)
        config->image[i] = disk_images_identity(in->disks, i);
    for (unsigned i = 0; i < o->symbol_files; i++)
        config->symbols[i] = kept_files_holder(in->kept, in->symbols[i]);
    recording_config_append(config, &c->config);
    free(command);
    free(config);
}

struct content *content_new(const struct run_options *o, const struct run_inputs *in,
                            const struct riscv_virt *board)
{
    struct content *c = mem_new(1, sizeof *c);
    add_blobs(c, in, board);
    append_config(c, o, in);
    c->content.config = c->config.data;
    c->content.config_size = c->config.size;
    c->content.blob = c->blob;
    return c;
}

void content_free(struct content *c)
{
    if (!c)
        return;
    buffer_fini(&c->config);
    free(c);
}

const struct recording_content *content_get(const struct content *c)
{
    return &c->content;
}
