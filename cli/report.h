/* `backstep report FILE [--at POSITION] [--html OUT] [--symbols ELF]...`: what can be said of how a
 * run ended, from its recording. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "cli/report_page.h"
#include "cli/symbols.h"
#include "timeline/timeline.h"

/* What a report is made of. Strings are NULL where there are none. */
struct report_source {
    struct timeline *timeline; /* nothing moves; afterwards at its tip */
    uint64_t at;               /* the position that is looked at; POSITION_NONE: the tip */
    struct symbols *symbols;
    const char *file;             /* the recording, as commands are to name it */
    const char *elf;              /* a file with symbols, for gdb */
    const char *elf_image;        /* the recording's name for it when the file is not there */
    const char *reason, *verdict; /* timeline_set_verdict's */
    const char *version, *host, *date, *command;
    const char *damage; /* what the recording lacks, a line */
};

/* Fill a page, from report_page_begin to report_page_end; the caller's to report_page_fini. Replays
 * parts of the recording, of each question at most some 1e9 positions: mostly a second or two, half
 * a minute for each search (see report_search_back) through a page that is written all the time. */
void report_make(const struct report_source *source, struct report_page *page);

int report_main(int argc, char **argv);

#endif
