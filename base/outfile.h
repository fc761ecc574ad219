/* A file that is complete or is not there: it is written under another name in the same folder,
 * and gets its own, in place of a file of that name, when all of it is on the medium. */
#ifndef BASE_OUTFILE_H
#define BASE_OUTFILE_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

/* All zero: none is open. */
struct outfile {
    char *path, *part; /* its name, and the one it has until it is complete */
    int fd;
};

/* Begin the file `path`: a name that is free or a regular file's, which stays as it is up to
 * outfile_commit. False: no file was made. */
bool outfile_open(struct outfile *f, const char *path, struct error *err);
/* What lies between or before what is written, in any order, is zeroes. */
bool outfile_write(struct outfile *f, uint64_t offset, const void *bytes, size_t size,
                   struct error *err);
/* The same, but pages of 4 KiB (from the start of `bytes`) that are zero become holes; where
 * nothing has been written before. */
bool outfile_write_sparse(struct outfile *f, uint64_t offset, const void *bytes, size_t size,
                          struct error *err);
/* The file has `size` bytes and is complete. True or false, `f` is closed; false: nothing is left
 * of it. Waits for the medium. */
bool outfile_commit(struct outfile *f, uint64_t size, struct error *err);
/* Give up: nothing is left of the file. No-op when none is open. */
void outfile_abandon(struct outfile *f);

#endif
