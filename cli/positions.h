/* Positions as people write them. */
#ifndef CLI_POSITIONS_H
#define CLI_POSITIONS_H

#include "base/error.h"
#include "timeline/timeline.h"

/* N (1500000, 1,500,000, 1.5e6, 0x16e360), start, end, +N and -N from the present one, N% of
 * history, or a bookmark's name. False: this is no position. One that is out of 64 bits becomes
 * POSITION_NONE. It may lie outside of history. */
bool position_parse(const struct timeline *tl, const char *text, uint64_t *position);
/* The same, and inside history. False: *err names it and says what there is. */
bool position_find(const struct timeline *tl, const char *text, uint64_t *position,
                   struct error *err);
/* The part of history that the values of --from and --to mean; NULL: from its beginning, to its
 * end. */
bool position_find_part(const struct timeline *tl, const char *from_text, const char *to_text,
                        uint64_t *from, uint64_t *to, struct error *err);

#endif
