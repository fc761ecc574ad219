/* Is a machine that is described again the one that was recorded? */
#ifndef CLI_REPLAY_AGREE_H
#define CLI_REPLAY_AGREE_H

#include "cli/recorded_run.h"

/* Only what `given` says is compared; what it leaves out is as recorded. Files by their contents.
 * False: *err names the first difference. */
bool replay_agrees(const struct run_options *given, struct recorded_run *run, struct error *err);

#endif
