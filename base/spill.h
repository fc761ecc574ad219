/* Memory in a file that has no name any more: for what must be kept and does not fit in the
 * budget. The host writes it out and reads it back as it likes. */
#ifndef BASE_SPILL_H
#define BASE_SPILL_H

#include <stdbool.h>
#include <stddef.h>

/* Pieces are of one size, and aligned to it. */
enum { SPILL_PIECE = 1 << 20 };

struct spill;

/* The file is made with the first piece, in $TMPDIR or /var/tmp. */
struct spill *spill_new(void);
/* Unmaps every piece. */
void spill_free(struct spill *s);
/* A zeroed piece, for reading and writing, with its place on the disk reserved; NULL when there is
 * none to be had: then spill_failure says why. */
void *spill_take(struct spill *s);
void spill_give(struct spill *s, void *piece);
/* Nobody will use the piece for now: its pages leave this process's memory, and come back when they
 * are touched. */
void spill_rest(void *piece);
/* The same for all pieces. */
void spill_rest_all(struct spill *s);
/* Why the last spill_take gave nothing: a line that names the folder; NULL: it gave. */
const char *spill_failure(const struct spill *s);
/* Bytes of the pieces in use. */
size_t spill_bytes(const struct spill *s);

/* Private memory of a power of two bytes, aligned to its size, with mmap's `protection`; NULL:
 * errno says why. */
void *map_aligned(size_t size, int protection);

/* A single area of any size in a file of its own, for what is seldom looked at: zeroed, for
 * spill_area_free. In memory where there is no room in a file; NULL when there is none either. */
void *spill_area_new(size_t size);
void spill_area_free(void *area, size_t size);
/* As spill_rest; an area in memory stays. */
void spill_area_rest(void *area, size_t size);

#endif
