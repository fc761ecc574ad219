/* The replaying side of the door: answers come from the log, output is dropped.
 *
 * The player follows the order of the log. What the log says and the machine does not do, or the
 * other way round, is a divergence: the machine's state is then of no use, and `failure` tells
 * where it was first seen. So is an event that could not be fetched: `failure` has log_failure's
 * text. */
#ifndef REPLAY_PLAYER_H
#define REPLAY_PLAYER_H

#include "base/error.h"
#include "machine/machine.h"
#include "replay/disk_reads.h"
#include "replay/log.h"

struct player {
    struct machine *machine;
    const struct log *log;
    struct disk_reads *reads; /* may be NULL for a machine without disks */
    uint64_t next;            /* index of the next event */
    struct error failure;     /* code ERROR_DIVERGED once machine and log do not agree, else 0 */
    uint64_t warped_at;       /* position of the last warp over idle time, POSITION_NONE */
};

/* Become the machine's door, with `next` the next event, and forget any failure; `machine`,
 * `log` and `reads` are set before. */
void player_attach(struct player *p, uint64_t next);

/* The position of log[next], whatever its kind; UINT64_MAX at the end of the log. */
uint64_t player_next_position(const struct player *p);

/* Replay until position `until` (>= the present): runs, warps over idle stretches, delivers every
 * event stamped <= until that is delivered (not asked for), and stops early only for a hit, a halt,
 * a divergence or when the machine idles for ever with no event left.
 *
 * To be looked at first: a divergence is p->failure.code != 0; what is returned is then
 * MACHINE_HALTED, whatever state.halt says, and the position may be past the one in the message.
 * MACHINE_LIMIT: it stands at `until`, or behind a step of machine->step_cpu made in this call,
 * with all events stamped <= its position delivered, no further idle time passed but what those
 * need; `next` belongs to this state. MACHINE_HIT: before the step that is hit; events stamped with
 * its position are delivered. The idle time before that step has passed when warped_at is the
 * position: the state is then not that of MACHINE_LIMIT there. */
enum machine_stop player_run(struct player *p, uint64_t until);

#endif
