/* An opened recording, for the files that open it. */
#ifndef TIMELINE_RECORDING_PARTS_H
#define TIMELINE_RECORDING_PARTS_H

#include "timeline/internal.h"

struct recording {
    struct chunk_reader *in;
    struct recording_index index;
    struct buffer config;
    char damage[256]; /* empty: none */
    /* Disks. */
    struct disk_host images; /* read NULL: none */
    uint64_t *order;         /* indexes of blocks, by disk and block */
    struct buffer blocks;    /* contents of the DISK chunk looked at last */
    uint32_t blocks_chunk;
    bool missing_said[DISKS];
    char name[DISKS][32];
};

/* Say it unless something else has been said before. */
void recording_note_damage(struct recording *r, const char *text);

/* Can all of it be replayed from the machine's first state? */
static inline bool recording_from_origin(const struct recording_index *x)
{
    return !x->origin.position && !x->origin.first_event;
}

#endif
