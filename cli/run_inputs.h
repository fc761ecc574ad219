/* The files behind a machine's devices, opened and read before anything else: what is wrong with
 * them is said while nothing has changed outside. */
#ifndef CLI_RUN_INPUTS_H
#define CLI_RUN_INPUTS_H

#include "cli/kept_files.h"
#include "cli/options.h"
#include "server/disk_images.h"
#include "timeline/timeline.h"

struct run_inputs {
    struct disk_images *disks;
    bool disk_read_only[RISCV_VIRT_SLOTS]; /* of disk N */
    struct riscv_virt_fw_cfg fw_cfg[OPTIONS_FW_CFGS];
    uint8_t *owned[OPTIONS_FW_CFGS];      /* contents of files; NULL: a text of the options */
    struct kept_files *kept;              /* what the board reads, and symbols */
    const char *symbols[OPTIONS_SYMBOLS]; /* their names in `kept` */
    struct riscv_virt_options machine;    /* the options', with what the files decide */
};

/* `options` outlives it. run_inputs_close in any case. */
bool run_inputs_open(struct run_inputs *in, const struct run_options *options, struct error *err);
/* After the machine and the timeline. */
void run_inputs_close(struct run_inputs *in);
/* For struct host: the host's random bytes. */
void host_entropy(void *ctx, uint8_t *bytes, size_t size);
/* Disks and entropy for a host that has the rest. */
void run_inputs_set_host(const struct run_inputs *in, struct host *host);

#endif
