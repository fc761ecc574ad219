/* What makes a machine the same one again, as JSON text: the configuration inside a recording. The
 * contents of files are not in it: they are blobs of the recording, see recording_blobs.h. */
#ifndef CLI_RECORDING_CONFIG_H
#define CLI_RECORDING_CONFIG_H

#include "cli/options.h"
#include "server/disk_images.h"

struct config_text;

/* What a run was recorded with and on, for people: text that may be anybody's,
 * see append_plain. */
struct recorded_origin {
    const char *version; /* of the program */
    const char *host;    /* system, release and architecture */
    const char *date;    /* UTC: 2026-01-31T12:34:56Z */
    const char *command; /* as a shell takes it */
};

struct recording_config {
    struct recorded_origin origin;
    /* `machine` is whole but for contents (fw_cfg, files, tree); of the others those that matter to
     * a recording: images of disks, names and files of fw_cfg items and symbols, warp, budget,
     * spacing. Others are zero after parsing, and there are no lines and no networks. */
    struct run_options options;
    struct disk_identity image[RISCV_VIRT_SLOTS]; /* of disk N */
    const char *symbols[OPTIONS_SYMBOLS];         /* blobs that have their bytes */
    struct config_text *texts;                    /* of a parsed one: all strings, owned */
};

/* Bytes of the text, of the longest argument that a host gives a program, and of each part of the
 * origin, which writers cut. */
enum {
    RECORDING_CONFIG_MOST = 4 << 20,
    RECORDING_APPEND_MOST = 128 << 10,
    RECORDING_ORIGIN_MOST = 64 << 10
};

/* Raised when a text of before can no longer be read, or would be misunderstood. */
enum { RECORDING_CONFIG_VERSION = 1 };

/* The same configuration gives the same text. Bytes in names that are no UTF-8 stay what they are.
 */
void recording_config_append(const struct recording_config *config, struct buffer *out);
/* The device of this name in a slot, an enum virtio_id; 0: there is none. */
unsigned recording_config_device(const char *name);
/* *err says what is wrong where: hostile text is refused, by the limits that options have.
 * recording_config_fini in any case. */
bool recording_config_parse(struct recording_config *config, const uint8_t *text, size_t size,
                            struct error *err);
void recording_config_fini(struct recording_config *config);

#endif
