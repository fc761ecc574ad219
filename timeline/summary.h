/* What an interval fetched from, read and wrote, by virtual page: an interval whose summary has no
 * page of a point cannot hold a hit of it. Immutable. */
#ifndef TIMELINE_SUMMARY_H
#define TIMELINE_SUMMARY_H

#include "base/pack.h"
#include "machine/points.h"
#include "machine/touched.h"

#include <stdbool.h>

struct summary;

struct summary *summary_new(const struct touched *touched);
/* The pages of both; either may be NULL (nothing touched). */
struct summary *summary_merge(const struct summary *a, const struct summary *b);
/* One more owner, who frees it too; NULL is passed on. */
struct summary *summary_ref(struct summary *s);
void summary_free(struct summary *s);
size_t summary_bytes(const struct summary *s);
/* For files: appended, and read again; NULL: it does not follow the format. */
void summary_pack(const struct summary *s, struct buffer *out);
struct summary *summary_unpack(struct unpack *u);
/* Could there be a hit of any of the points? */
bool summary_may_hit(const struct summary *s, const struct points *points);

#endif
