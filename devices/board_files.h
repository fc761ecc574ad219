/* The contents of the files that a board is made from, wherever they come from: the host's files,
 * or a recording, which has them by role. */
#ifndef DEVICES_BOARD_FILES_H
#define DEVICES_BOARD_FILES_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum board_file {
    BOARD_FIRMWARE,
    BOARD_KERNEL,
    BOARD_INITRD,
    BOARD_DTB, /* the user's tree, which the board adapts */
    BOARD_FLASH0,
    BOARD_FLASH1,
    BOARD_FILES
};

struct board_files {
    /* All of the file in this role (*bytes is the caller's to free), at most `limit` bytes. A
     * board asks once for each file it needs. `path` is what the options say, for a role whose file
     * is found by itself where it was found. */
    bool (*read)(void *ctx, enum board_file role, const char *path, uint64_t limit, uint8_t **bytes,
                 size_t *size, struct error *err);
    void *ctx;
};

/* "firmware", "kernel", "initrd", "dtb", "flash0", "flash1" */
const char *board_file_name(enum board_file role);

/* By `files`, or from the host's files when it is NULL. */
bool board_files_read(const struct board_files *files, enum board_file role, const char *path,
                      uint64_t limit, uint8_t **bytes, size_t *size, struct error *err);

#endif
