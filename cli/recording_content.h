/* What a recording says beside the history: the machine's configuration and what it was made from.
 */
#ifndef CLI_RECORDING_CONTENT_H
#define CLI_RECORDING_CONTENT_H

#include "cli/run_inputs.h"
#include "timeline/recording.h"

struct content;

/* Of a board that was made with these inputs; all of them outlive it. */
struct content *content_new(const struct run_options *options, const struct run_inputs *inputs,
                            const struct riscv_virt *board);
void content_free(struct content *c);
const struct recording_content *content_get(const struct content *c);

#endif
