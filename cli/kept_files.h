/* Contents of the files that a machine was made from, as they were when they were read: they are
 * part of every recording of it, also of one that is made much later. They rest in files without a
 * name and cost no memory. */
#ifndef CLI_KEPT_FILES_H
#define CLI_KEPT_FILES_H

#include "devices/board_files.h"
#include "timeline/recording.h"

struct kept_files;

/* Names of blobs beside those of board_file_name: "tree", "fw_cfg/NAME", and what
 * struct recording_config says of symbols. */
#define BLOB_TREE "tree"
#define BLOB_FW_CFG "fw_cfg/"
#define BLOB_SYMBOLS "symbols/"

struct kept_files *kept_files_new(void);
void kept_files_free(struct kept_files *k);

/* Keep a copy of the bytes. A second one of the same name gets another, NAME~2; *name_kept, if not
 * NULL, is the name, which lives as long as `k`. False: there is no room for it. */
bool kept_files_add(struct kept_files *k, const char *name, const uint8_t *bytes, size_t size,
                    const char **name_kept, struct error *err);
/* Files of the host for boards, each read once, and kept by the names of board_file_name. Good as
 * long as `k`, which stays where it is. */
const struct board_files *kept_files_source(struct kept_files *k);

/* As blobs of a recording, in the order of their keeping; `blob->name` is NULL behind the last. */
struct recording_blob kept_files_get(const struct kept_files *k, size_t index);
/* The name of the one that a recording has for this one: of BLOB_SYMBOLS files with the same bytes
 * as an image's, or another's of them, one is enough. All others stand for themselves. */
const char *kept_files_holder(const struct kept_files *k, const char *name);

#endif
