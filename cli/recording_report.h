/* A recording's facts, as text and as JSON: what `backstep info` prints. */
#ifndef CLI_RECORDING_REPORT_H
#define CLI_RECORDING_REPORT_H

#include "cli/recording_config.h"
#include "timeline/bookmarks.h"
#include "timeline/recording.h"

struct recording_facts {
    const char *path;
    struct recording_info info;
    const struct recording_config *config; /* NULL: it cannot be read */
    struct recording_image {
        const char *name;
        uint64_t size;
        bool damaged;
    } * image; /* blobs */
    size_t images;
    struct timeline *timeline; /* NULL: it cannot be opened, and `problem` says why */
    const char *problem;
};

/* Lines for a terminal. */
void recording_facts_text(const struct recording_facts *facts, struct buffer *out);
/* One object, with a newline; the same facts give the same bytes. */
void recording_facts_json(const struct recording_facts *facts, struct buffer *out);

#endif
