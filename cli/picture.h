/* A picture of all history of the present branch, in text: what is known without looking, and what
 * two questions find, of hits of the points that are set and of traps, at a bounded cost. */
#ifndef CLI_PICTURE_H
#define CLI_PICTURE_H

#include "timeline/points.h"
#include "timeline/query.h"

enum { PICTURE_LEAST = 40, PICTURE_MOST = 250, PICTURE_LABEL = 13 }; /* columns */
enum { PICTURE_LINES = 5, PICTURE_LINE = 120 };

enum picture_row { ROW_CHECKPOINTS, ROW_HITS, ROW_TRAPS, ROW_CONSOLE, ROWS };

/* What a question has found. */
struct picture_found {
    bool asked, complete;
    uint64_t count, since;
};

struct picture_line {
    uint64_t position;
    size_t size;
    bool ended;
    char text[PICTURE_LINE];
};

enum picture_stage { ASK_HITS, ASK_TRAPS, ANSWERED };

struct picture {
    enum picture_stage stage;
    unsigned columns; /* of the bar */
    uint64_t begin, tip, here;
    bool interrupted;
    unsigned count[ROWS][PICTURE_MOST];
    struct picture_found found[ROWS];
    struct timeline_point point[QUERY_POINTS];
    size_t points;
    bool points_cut;
    struct picture_line line[PICTURE_LINES]; /* the last ones before here; line[lines %
                                                PICTURE_LINES] is the oldest */
    size_t lines;
};

/* `columns` from PICTURE_LEAST to PICTURE_MOST, labels included. Conditions of points do not count:
 * all their hits do. Free with free(). */
struct picture *picture_new(const struct timeline *tl, unsigned columns);
void picture_add_point(struct picture *p, const struct timeline_point *point);
/* Begin the next question; false: all are answered. */
bool picture_ask(struct timeline *tl, struct picture *p);
/* A question has come to its end: begin the next. True: there is none, the picture is complete. */
bool picture_answered(struct timeline *tl, struct picture *p, const struct stop *stop);
/* Of the bar. */
unsigned picture_column(const struct picture *p, uint64_t position);
void picture_draw(const struct picture *p, const struct timeline *tl, struct buffer *out);
const char *picture_row_name(enum picture_row row);
/* The last lines of the serial port before the present position, oldest first; NULL behind the
 * last. */
const struct picture_line *picture_line(const struct picture *p, size_t index);
/* Append at most `most` bytes of it, without what a terminal would not show. */
void picture_append_line(const struct picture_line *line, size_t most, struct buffer *out);

#endif
