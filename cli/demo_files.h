/* The demo's private folder: the guest, its sources, gdb's script and socket. */
#ifndef CLI_DEMO_FILES_H
#define CLI_DEMO_FILES_H

#include "base/error.h"

#include <stddef.h>

enum { DEMO_PATH = 96 };

struct demo_files {
    char folder[DEMO_PATH / 2]; /* empty: there is none */
};

/* Make the folder and put the guest's ELF and sources into it. Nothing is left on error. */
bool demo_files_init(struct demo_files *files, struct error *err);
/* Remove the folder and all that is in it. */
void demo_files_fini(struct demo_files *files);
/* The path of a file in the folder. */
void demo_files_path(const struct demo_files *files, const char *name, char path[DEMO_PATH]);
bool demo_files_write(const struct demo_files *files, const char *name, const void *bytes,
                      size_t size, struct error *err);

#endif
