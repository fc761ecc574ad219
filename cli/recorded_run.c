#include "cli/recorded_run.h"

#include "base/check.h"
#include "base/log.h"
#include "base/outfile.h"
#include "base/plain_text.h"
#include "cli/export_core.h"
#include "cli/kept_files.h"
#include "cli/numbers.h"
#include "cli/positions.h"
#include "cli/recorded_images.h"
#include "cli/run_inputs.h"
#include "machine/loader.h"
#include "server/disk_export.h"
#include "server/server.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* Symbols, firmware, kernel. */
enum { ELFS = OPTIONS_SYMBOLS + 2, TREE_MOST = 2 << 20, FW_CFG_MOST = 64 << 20 };

/* Contents of a blob. */
struct contents {
    uint8_t *bytes;
    size_t size;
};

struct elf {
    const char *name, *blob;
    struct contents contents;
};

struct recorded_run {
    char path[RECORDED_RUN_PATH];
    struct recording *recording;
    struct recording_config config;
    struct recorded_images *images;
    struct contents fw_cfg[OPTIONS_FW_CFGS], tree;
    struct riscv_virt_fw_cfg item[OPTIONS_FW_CFGS];
    struct board_files files;
    struct riscv_virt *board;
    struct timeline *timeline;
    /* When they are asked for. */
    struct elf elf[ELFS];
    unsigned elfs;
    bool elfs_known;
    struct kept_files *kept;
    struct recording_blob *blob;
    struct recording_content content;
};

/* ---- the file ---- */

/* One that was not closed is opened by the name that it was to get. */
bool recorded_run_find(const char *path, char found[RECORDED_RUN_PATH], struct error *err)
{
    struct stat st;
    if (!*path || strlen(path) >= PATH_MAX)
        return error_set(err, ERROR_USAGE, "`%.80s` is no name of a file", path);
    if (stat(path, &st) && errno == ENOENT) {
        snprintf(found, RECORDED_RUN_PATH, "%s.incomplete", path);
        if (!stat(found, &st))
            return true;
    }
    strcpy(found, path);
    return true;
}

static void say_state(const struct recorded_run *r)
{
    struct recording_info info;
    const char *version = r->config.origin.version;
    recording_info(r->recording, &info);
    if (info.damage)
        log_line(LOG_WARN, "%s: %s", r->path, info.damage);
    else if (!info.complete)
        log_line(LOG_WARN, "%s was not closed: it ends with what had been written", r->path);
    if (strcmp(version, BACKSTEP_VERSION) != 0)
        log_line(LOG_WARN, "%s was recorded by backstep %.40s, this is %s", r->path, version,
                 BACKSTEP_VERSION);
}

/* ---- what the machine is made from ---- */

static bool get_blob(const struct recorded_run *r, const char *name, uint64_t most,
                     struct contents *contents, struct error *err)
{
    if (!recording_blob(r->recording, name, &contents->bytes, &contents->size, err))
        return false;
    if (contents->size <= most)
        return true;
    free(contents->bytes);
    *contents = (struct contents){0};
    return error_set(err, ERROR_FORMAT, "the recording's `%s` is too large", name);
}

static bool read_file(void *ctx, enum board_file role, const char *path, uint64_t limit,
                      uint8_t **bytes, size_t *size, struct error *err)
{
    const struct recorded_run *r = ctx;
    struct contents contents = {0};
    (void)path;
    if (!get_blob(r, board_file_name(role), limit, &contents, err))
        return false;
    *bytes = contents.bytes;
    *size = contents.size;
    return true;
}

static bool read_inputs(struct recorded_run *r, struct error *err)
{
    struct run_options *o = &r->config.options;
    char name[sizeof BLOB_FW_CFG + 64];
    for (unsigned i = 0; i < o->fw_cfgs; i++) {
        snprintf(name, sizeof name, BLOB_FW_CFG "%s", o->fw_cfg[i].name);
        if (!get_blob(r, name, FW_CFG_MOST, &r->fw_cfg[i], err))
            return false;
        r->item[i] =
            (struct riscv_virt_fw_cfg){o->fw_cfg[i].name, r->fw_cfg[i].bytes, r->fw_cfg[i].size};
    }
    if (!get_blob(r, BLOB_TREE, TREE_MOST, &r->tree, err))
        return false;
    r->files = (struct board_files){read_file, r};
    o->machine.fw_cfg = r->item;
    o->machine.fw_cfgs = o->fw_cfgs;
    o->machine.tree = r->tree.bytes;
    o->machine.tree_size = r->tree.size;
    o->machine.files = &r->files;
    return true;
}

/* ---- opening ---- */

static bool open_timeline(struct recorded_run *r, const struct recorded_run_options *o,
                          struct error *err)
{
    const struct run_options *as = &r->config.options;
    struct timeline_options options = {
        .spacing_ns = as->spacing_ns,
        .spacing_steps = as->spacing_steps,
        .budget = o->budget ? o->budget : as->budget,
        .warp = as->warp,
        .open_at_begin = o->at_begin,
        .host = o->host,
    };
    if (!options.host.clock)
        options.host.clock = server_clock;
    if (!options.host.entropy)
        options.host.entropy = host_entropy;
    if (!o->without_images)
        r->images = recorded_images_new(&r->config, o->quiet);
    const struct disk_host images =
        r->images ? recorded_images_host(r->images) : (struct disk_host){0};
    options.host.disks = recording_disks(r->recording, r->images ? &images : NULL);
    r->timeline = timeline_open(riscv_virt_machine(r->board), &options, r->recording, err);
    return r->timeline != NULL;
}

static bool open_machine(struct recorded_run *r, struct error *err)
{
    if (!read_inputs(r, err))
        return false;
    r->board = riscv_virt_new(&r->config.options.machine, err);
    return r->board != NULL;
}

static bool open_run(struct recorded_run *r, const char *path, const struct recorded_run_options *o,
                     struct error *err)
{
    size_t size;
    if (!recorded_run_find(path, r->path, err))
        return false;
    r->recording = recording_open(r->path, err);
    if (!r->recording)
        return false;
    const uint8_t *config = recording_config(r->recording, &size);
    if (!recording_config_parse(&r->config, config, size, err))
        return error_prefix(err, "%.200s", r->path);
    bool made = open_machine(r, err) || error_prefix(err, "%.200s", r->path);
    bool ok = made && open_timeline(r, o, err);
    /* Some damage is found only by the timeline. */
    if (!o->quiet)
        say_state(r);
    return ok;
}

struct recorded_run *recorded_run_open(const char *path, const struct recorded_run_options *options,
                                       struct error *err)
{
    const struct recorded_run_options none = {0};
    struct recorded_run *r = mem_new(1, sizeof *r);
    if (open_run(r, path, options ? options : &none, err))
        return r;
    recorded_run_free(r);
    return NULL;
}

void recorded_run_free(struct recorded_run *r)
{
    if (!r)
        return;
    timeline_free(r->timeline);
    riscv_virt_free(r->board);
    recorded_images_free(r->images);
    recording_free(r->recording);
    for (unsigned i = 0; i < OPTIONS_FW_CFGS; i++)
        free(r->fw_cfg[i].bytes);
    free(r->tree.bytes);
    for (unsigned i = 0; i < r->elfs; i++)
        free(r->elf[i].contents.bytes);
    kept_files_free(r->kept);
    free(r->blob);
    recording_config_fini(&r->config);
    free(r);
}

/* ---- what it is ---- */

struct timeline *recorded_run_timeline(struct recorded_run *r)
{
    return r->timeline;
}

struct recording *recorded_run_recording(struct recorded_run *r)
{
    return r->recording;
}

const struct run_options *recorded_run_options(const struct recorded_run *r)
{
    return &r->config.options;
}

const struct recording_config *recorded_run_config(const struct recorded_run *r)
{
    return &r->config;
}

struct recorded_origin recorded_run_origin(const struct recorded_run *r)
{
    return r->config.origin;
}

const char *recorded_run_path(const struct recorded_run *r)
{
    return r->path;
}

const struct disk_images *recorded_run_disks(const struct recorded_run *r)
{
    return r->images ? recorded_images_all(r->images) : NULL;
}

bool recorded_run_spares(const struct recorded_run *r, const char *path, struct error *err)
{
    const struct run_options *o = &r->config.options;
    for (unsigned i = 0; i < o->disks; i++)
        if (!export_spares(path, o->disk[i], err))
            return false;
    return export_spares(path, r->path, err);
}

bool recorded_run_is_not(const char *opened, const char *path, struct error *err)
{
    char incomplete[RECORDED_RUN_PATH];
    snprintf(incomplete, sizeof incomplete, "%s.incomplete", path);
    if (!export_same_file(path, opened) && !export_same_file(incomplete, opened))
        return true;
    return error_set(err, ERROR_BUSY, "%.300s is the recording itself: give another name", path);
}

/* ---- disks ---- */

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

/* A run that goes on without images looks for them here: going back and forth in a recording needs
 * no block that it does not have. */
bool recorded_run_export_disk(struct recorded_run *r, unsigned disk, const char *path,
                              uint64_t *missing, struct error *err)
{
    if (!recorded_run_spares(r, path, err))
        return false;
    struct recorded_images *own = r->images ? NULL : recorded_images_new(&r->config, true);
    const struct disk_host images = recorded_images_host(own ? own : r->images);
    struct known_blocks known = {.host = recording_disks(r->recording, &images)};
    const struct disk_background background = {.host = {read_known, name_known, &known}};
    bool ok = disk_export(riscv_virt_machine(r->board), disk, &background, path, err);
    if (own)
        recording_disks(r->recording, NULL);
    recorded_images_free(own);
    *missing = known.missing;
    return ok;
}

void recorded_run_say_disk(const struct disk *disk, uint64_t position, uint64_t missing,
                           const char *path, struct buffer *out)
{
    char at[NUMBER_TEXT], size[NUMBER_TEXT], count[NUMBER_TEXT];
    number_format(position, at);
    number_format_size(disk->bytes, size);
    number_format(missing, count);
    buffer_printf(out, "disk %u as of position %s is in %s, %s\n", disk->index, at, path, size);
    if (missing)
        buffer_printf(
            out,
            "%s of its blocks of %u bytes are zeroes in there: the run has not read them, "
            "and the image is not where it was, or has changed\n",
            count, DISK_BLOCK);
}

bool recorded_run_position(struct recorded_run *r, const char *text, uint64_t *position,
                           struct error *err)
{
    return position_find(r->timeline, text, position, err);
}

/* ---- symbols ---- */

static void add_elf(struct recorded_run *r, const char *blob, const char *name)
{
    struct error err = ERROR_INIT;
    struct contents contents = {0};
    for (unsigned i = 0; i < r->elfs; i++)
        if (!strcmp(r->elf[i].blob, blob))
            return;
    if (!get_blob(r, blob, IMAGE_FILE_MOST, &contents, &err)) {
        if (err.code != ERROR_RANGE) /* there is one, and it is damaged */
            log_line(LOG_WARN, "no symbols of %s: %s", name, err.message);
        return;
    }
    if (contents.size >= sizeof(Elf64_Ehdr) && !memcmp(contents.bytes, ELFMAG, SELFMAG))
        r->elf[r->elfs++] = (struct elf){name, blob, contents};
    else
        free(contents.bytes);
}

/* Those that somebody asked for come first. */
static void find_elfs(struct recorded_run *r)
{
    const struct run_options *o = &r->config.options;
    for (unsigned i = 0; i < o->symbol_files; i++)
        add_elf(r, r->config.symbols[i], o->symbols[i]);
    add_elf(r, board_file_name(BOARD_KERNEL), o->machine.kernel ? o->machine.kernel : "kernel");
    add_elf(r, board_file_name(BOARD_FIRMWARE), o->machine.bios ? o->machine.bios : "firmware");
    r->elfs_known = true;
}

bool recorded_run_elf(struct recorded_run *r, size_t index, const char **name,
                      const uint8_t **bytes, size_t *size)
{
    if (!r->elfs_known)
        find_elfs(r);
    if (index >= r->elfs)
        return false;
    *name = r->elf[index].name;
    *bytes = r->elf[index].contents.bytes;
    *size = r->elf[index].contents.size;
    return true;
}

const char *recorded_run_elf_image(struct recorded_run *r, size_t index)
{
    if (!r->elfs_known)
        find_elfs(r);
    return index < r->elfs ? r->elf[index].blob : NULL;
}

/* ---- what it was made from, as files ---- */

static bool has_image(const struct recorded_run *r, const char *name, struct error *err)
{
    struct buffer list = {0};
    const char *known;
    for (size_t i = 0; (known = recording_blob_name(r->recording, i)); i++) {
        if (!strcmp(known, name)) {
            buffer_fini(&list);
            return true;
        }
        buffer_printf(&list, "%s%s", i ? ", " : "", known);
    }
    plain_text_clean(list.data, list.size, false);
    error_set(err, ERROR_USAGE, "the recording has no image `%.80s`; it has %.380s", name,
              buffer_text(&list));
    buffer_fini(&list);
    return false;
}

bool recorded_run_export_image(struct recorded_run *r, const char *name, const char *path,
                               uint64_t *written, struct error *err)
{
    struct outfile f = {0};
    struct contents contents = {0};
    if (!has_image(r, name, err) || !recorded_run_spares(r, path, err) ||
        !get_blob(r, name, SIZE_MAX, &contents, err))
        return false;
    bool ok = outfile_open(&f, path, err) &&
              outfile_write(&f, 0, contents.bytes, contents.size, err) &&
              outfile_commit(&f, contents.size, err);
    outfile_abandon(&f);
    *written = contents.size;
    free(contents.bytes);
    return ok;
}

/* ---- writing it again ---- */

static bool keep_blobs(struct recorded_run *r, struct kept_files *kept, struct error *err)
{
    const char *name;
    for (size_t i = 0; (name = recording_blob_name(r->recording, i)); i++) {
        struct contents contents = {0};
        if (!get_blob(r, name, SIZE_MAX, &contents, err))
            return false;
        bool ok = kept_files_add(kept, name, contents.bytes, contents.size, NULL, err);
        free(contents.bytes);
        if (!ok)
            return false;
    }
    return true;
}

const struct recording_content *recorded_run_content(struct recorded_run *r, struct error *err)
{
    if (r->kept)
        return &r->content;
    struct kept_files *kept = kept_files_new();
    if (!keep_blobs(r, kept, err)) {
        kept_files_free(kept);
        error_prefix(err, "%.200s", r->path);
        return NULL;
    }
    r->kept = kept;
    while (kept_files_get(kept, r->content.blobs).name)
        r->content.blobs++;
    r->blob = mem_new(r->content.blobs + 1, sizeof *r->blob);
    for (size_t i = 0; i < r->content.blobs; i++)
        r->blob[i] = kept_files_get(kept, i);
    r->content.blob = r->blob;
    r->content.config = recording_config(r->recording, &r->content.config_size);
    return &r->content;
}
