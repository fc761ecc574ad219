/* Restorable states of a whole machine. */
#ifndef CHECKPOINTS_CHECKPOINT_H
#define CHECKPOINTS_CHECKPOINT_H

#include "checkpoints/pagestore.h"
#include "machine/machine.h"

/* 32 bytes for the whole state; equal states have equal digests. Overlays count with the devices.
 */
struct digest {
    uint64_t ram;
    struct machine_digest machine;
};

bool digest_equal(const struct digest *a, const struct digest *b);
/* "ram", "core", "cpus" or "devices": the first component that differs; NULL when equal. */
const char *digest_difference(const struct digest *a, const struct digest *b);

/* One that is not loaded is in a file only (checkpoint_file.h): it has no trees and no state, and
 * is neither restored nor compared. */
struct checkpoint {
    unsigned others; /* owners beside the first */
    uint64_t position;
    struct digest digest;
    struct pageroot *ram;                       /* NULL: not loaded */
    struct pageroot *overlay[MACHINE_OVERLAYS]; /* of the machine's overlays */
    uint8_t *state;                             /* machine_save */
    size_t state_size;
};

/* The memory of one machine, and which tree it equals but for its dirty pages. While it lives,
 * nobody else calls machine_begin_interval. */
struct snapshots {
    struct machine *machine;
    struct pagestore *store;
    struct pageroot *base;
    struct pageroot *overlay[MACHINE_OVERLAYS]; /* what each overlay equals but for dirty pages */
};

/* `spill`: see pagestore_new. No interval has begun since machine_init: RAM was given zeroed, every
 * write since has left its page dirty (images are written by ram_write at a reset), so RAM equals
 * the empty tree but for dirty pages. The machine has all its overlays, nothing written yet but
 * what is still dirty. */
void snapshots_init(struct snapshots *s, struct machine *m, struct spill *spill);
/* Every checkpoint has been freed before. */
void snapshots_fini(struct snapshots *s);

/* Take one; starts an interval (machine_begin_interval), so machine->touched is read before. Cost:
 * the pages dirtied since the last take or restore. Owned by the caller: checkpoint_free. */
struct checkpoint *snapshots_take(struct snapshots *s);
/* All or nothing; starts an interval. Cost: the pages dirtied since, and those that differ. */
bool snapshots_restore(struct snapshots *s, const struct checkpoint *c, struct error *err);
/* The digest of the machine as it stands. Cost: the dirty pages. Changes nothing. */
void snapshots_digest(const struct snapshots *s, struct digest *digest);
/* Lines "NAME: SAVED -> NOW" that tell how the machine differs from the checkpoint: fields first,
 * then pages, each by its first differing byte, as "ram.ADDRESS" or "OVERLAY.OFFSET". At most
 * `limit` lines. Returns how many differences there are. Changes nothing in the machine. */
size_t snapshots_diff(struct snapshots *s, const struct checkpoint *c, size_t limit,
                      struct buffer *out);
/* One more owner, who frees it too. It may then not be unloaded. */
struct checkpoint *checkpoint_ref(struct checkpoint *c);
void checkpoint_free(struct snapshots *s, struct checkpoint *c);

/* A checkpoint that is in a file and not in memory. For checkpoint_free, as any. */
struct checkpoint *checkpoint_new_stored(uint64_t position, const struct digest *digest);
bool checkpoint_loaded(const struct checkpoint *c);
/* Back to not being in memory. No-op when it is not. */
void checkpoint_unload(struct snapshots *s, struct checkpoint *c);

/* The next three are 0 for what is not loaded, but for the checkpoint itself. */

/* Pages its trees hold, those of zeroes aside, shared with other checkpoints or not. */
uint64_t checkpoint_frames(const struct snapshots *s, const struct checkpoint *c);
/* Move frames of its trees, those shared with other checkpoints too, from memory to the file, at
 * least `bytes` if there are so many and the file has room; returns how many bytes. Cost: its
 * frames. */
size_t checkpoint_spill(struct snapshots *s, const struct checkpoint *c, size_t bytes);
/* Host memory of the checkpoint itself without its frames, in bytes. */
size_t checkpoint_bytes(const struct checkpoint *c);

#endif
