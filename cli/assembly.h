/* What a run consists of, put together in the right order and taken apart again: images, board,
 * server, timeline, commands. */
#ifndef CLI_ASSEMBLY_H
#define CLI_ASSEMBLY_H

#include "cli/options.h"
#include "server/server.h"

struct assembly;

/* Images first: reading them changes nothing outside, while ports and files would be left behind by
 * a run that cannot begin. NULL on error. `options` outlives it. */
struct assembly *assembly_new(const struct run_options *options, struct error *err);
void assembly_free(struct assembly *a);
/* After server_run: end the server, which may let a terminal's or socket's peer read the rest, and
 * close the recording; one line on stderr says what has become of it. False: it is not whole, and a
 * line said why. The timeline stays. */
bool assembly_finish(struct assembly *a);

struct server *assembly_server(struct assembly *a);
struct timeline *assembly_timeline(struct assembly *a);
/* Another board like this one, in reset, for who compares: without a server and a timeline. Free
 * with riscv_virt_free. */
struct riscv_virt *assembly_another_board(const struct assembly *a, struct error *err);

#endif
