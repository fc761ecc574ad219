/* What a picture shows. */
#include "cli/picture.h"

#include "base/check.h"
#include "machine/input.h"
#include "timeline/transcript.h"

#include <stdlib.h>

enum { CHECKPOINTS = 64, HITS_MOST = 4096 };
/* Steps that are replayed to look for hits, and for traps: a second or so of the host's time. */
#define HITS_STEPS UINT64_C(200000000)
#define TRAPS_STEPS UINT64_C(100000000)

unsigned picture_column(const struct picture *p, uint64_t position)
{
    uint64_t length = p->tip - p->begin;
    if (position <= p->begin || !length)
        return 0;
    if (position >= p->tip)
        return p->columns - 1;
    return (unsigned)((unsigned __int128)(position - p->begin) * (p->columns - 1) / length);
}

/* ---- what is known without asking ---- */

static void count_checkpoints(struct picture *p, const struct timeline *tl)
{
    struct checkpoint_info part[CHECKPOINTS];
    size_t first = 0, n;
    while ((n = timeline_checkpoints(tl, first, part, CHECKPOINTS))) {
        for (size_t i = 0; i < n; i++)
            if (!part[i].approach)
                p->count[ROW_CHECKPOINTS][picture_column(p, part[i].position)]++;
        first += n;
    }
}

/* Bytes of a line that goes on, or of the next one. */
static void add_text(struct picture *p, const struct transcript_part *part)
{
    struct picture_line *last = p->lines ? &p->line[(p->lines - 1) % PICTURE_LINES] : NULL;
    if (!last || last->ended) {
        last = &p->line[p->lines++ % PICTURE_LINES];
        *last = (struct picture_line){.position = part->position};
    }
    for (size_t i = 0; i < part->size; i++) {
        if (part->bytes[i] == '\n')
            last->ended = true;
        else if (part->bytes[i] != '\r' && last->size < PICTURE_LINE)
            last->text[last->size++] = (char)part->bytes[i];
    }
}

static bool add_part(void *ctx, const struct transcript_part *part)
{
    struct picture *p = ctx;
    if (part->channel != CHANNEL_SERIAL0)
        return true;
    p->count[ROW_CONSOLE][picture_column(p, part->position)]++;
    if (part->position < p->here)
        add_text(p, part);
    return true;
}

void picture_add_point(struct picture *p, const struct timeline_point *point)
{
    if (p->points == QUERY_POINTS) {
        p->points_cut = true;
        return;
    }
    struct timeline_point *own = &p->point[p->points++];
    *own = *point;
    /* Whoever set it may take these away meanwhile. */
    own->condition = (struct condition){0};
    own->action = (struct point_action){0};
}

static void take_points(struct picture *p, const struct timeline *tl)
{
    const struct timeline_point *point;
    for (size_t i = 0; (point = timeline_point_get(tl, i)); i++) {
        if (point->owner == OWNER_INTERNAL)
            continue;
        picture_add_point(p, point);
    }
}

struct picture *picture_new(const struct timeline *tl, unsigned columns)
{
    struct picture *p = mem_new(1, sizeof *p);
    p->columns = columns - PICTURE_LABEL;
    p->begin = timeline_begin(tl);
    p->tip = timeline_tip(tl);
    p->here = timeline_position(tl);
    count_checkpoints(p, tl);
    timeline_transcript(tl, p->begin, p->tip, add_part, p);
    take_points(p, tl);
    return p;
}

/* ---- asking ---- */

static void ask(struct timeline *tl, const struct picture *p, enum picture_row row)
{
    const struct query query = {.point = p->point,
                                .points = row == ROW_HITS ? p->points : 0,
                                .traps = row == ROW_TRAPS,
                                .from = p->begin,
                                .to = p->tip,
                                .most = HITS_MOST,
                                .hart = MACHINE_CPUS,
                                .steps = row == ROW_HITS ? HITS_STEPS : TRAPS_STEPS};
    timeline_query(tl, &query);
}

static void take_answer(struct picture *p, const struct timeline *tl, enum picture_row row)
{
    const struct query_hit *hit;
    struct picture_found *found = &p->found[row];
    found->asked = true;
    found->count = timeline_query_count(tl, &found->complete);
    found->since = timeline_query_searched(tl);
    size_t i = 0;
    for (; (hit = timeline_query_hit(tl, i)); i++) {
        p->count[row][picture_column(p, hit->hit.position)]++;
        if (i + 1 == HITS_MOST)
            found->since = hit->hit.position;
    }
    found->complete = found->complete && found->count == i;
    found->count = i;
}

/* The next question; false: all are answered. */
bool picture_ask(struct timeline *tl, struct picture *p)
{
    if (p->stage == ASK_HITS && !p->points)
        p->stage = ASK_TRAPS;
    if (p->stage == ANSWERED || p->interrupted || p->begin == p->tip)
        return false;
    ask(tl, p, p->stage == ASK_HITS ? ROW_HITS : ROW_TRAPS);
    return true;
}

/* A question has come to its end. True: so has the picture. */
bool picture_answered(struct timeline *tl, struct picture *p, const struct stop *stop)
{
    p->interrupted = stop->reason == STOP_INTERRUPT;
    take_answer(p, tl, p->stage == ASK_HITS ? ROW_HITS : ROW_TRAPS);
    p->stage++;
    return !picture_ask(tl, p);
}
