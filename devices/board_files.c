#include "devices/board_files.h"

#include "machine/loader.h"

const char *board_file_name(enum board_file role)
{
    static const char *const name[BOARD_FILES] = {"firmware", "kernel", "initrd",
                                                  "dtb",      "flash0", "flash1"};
    return name[role];
}

bool board_files_read(const struct board_files *files, enum board_file role, const char *path,
                      uint64_t limit, uint8_t **bytes, size_t *size, struct error *err)
{
    return files ? files->read(files->ctx, role, path, limit, bytes, size, err)
                 : file_read(path, limit, bytes, size, err);
}
