/* Functions that are never to blame: they report what went wrong elsewhere, or end the run. */
#ifndef CLI_REPORT_CULPRITS_H
#define CLI_REPORT_CULPRITS_H

#include <stdbool.h>

/* Part of the machinery between a failure and its report. */
bool report_is_machinery(const char *function);
/* Ends the run, or is on the way there. */
bool report_is_ending(const char *function);
/* What fails is outside of the outermost one of these, whatever runs inside of it. */
bool report_is_last_resort(const char *function);

#endif
