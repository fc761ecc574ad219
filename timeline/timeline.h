/* A timeline: one machine, its event log, its checkpoints; moving along them in both directions.
 *
 * Every movement is an operation that is begun, advanced in slices until it has stopped, and may be
 * interrupted: the caller's loop stays in charge. Exactly one operation is under way at a time.
 *
 * The machine is *live* when it stands at the tip with the whole log behind it: then forward
 * movement makes new history, input is taken and output leaves. Elsewhere it replays. */
#ifndef TIMELINE_TIMELINE_H
#define TIMELINE_TIMELINE_H

#include "machine/machine.h"
#include "replay/recorder.h"

struct timeline;

struct timeline_options {
    uint64_t spacing_ns;    /* replay cost between automatic checkpoints: processor ns; 0: 25 ms */
    uint64_t spacing_steps; /* for tests: that many steps instead; 0: by cost */
    size_t budget;          /* bytes for frames, states, summaries and log; 0: 1 GiB */
    bool checkpoints_off;   /* for the bench: none but the first */
    bool warp;              /* live idle time passes at once (-icount sleep=off) */
    uint64_t keep_ns;       /* forget what is older than about so much of the guest's time; 0: no */
    bool open_at_begin;     /* timeline_open: stand at the beginning, not at the tip */
    struct host host;
};

/* The machine has just been made and stays the caller's; at position 0, live. */
struct timeline *timeline_new(struct machine *m, const struct timeline_options *options);
void timeline_free(struct timeline *tl);

/* ---- where ---- */

struct machine *timeline_machine(struct timeline *tl);
uint64_t timeline_position(const struct timeline *tl);
uint64_t timeline_tip(const struct timeline *tl);
uint64_t timeline_begin(const struct timeline *tl); /* the oldest position there is */
bool timeline_live(const struct timeline *tl);

/* ---- points: see timeline/points.h; these are the plain ones of OWNER_GDB ---- */

/* kinds: HIT_EXECUTE, or HIT_READ and/or HIT_WRITE. Adding one that is there changes nothing but
 * that it has no condition and no action any more. `size` is that of a watched range (clipped at
 * the end of the address space), 0 for HIT_EXECUTE. */
void timeline_point_add(struct timeline *tl, unsigned kinds, uint64_t address, uint64_t size);
/* False: there is no such point. */
bool timeline_point_remove(struct timeline *tl, unsigned kinds, uint64_t address, uint64_t size);
/* All of all owners. */
void timeline_points_clear(struct timeline *tl);

/* ---- movement ---- */

enum stop_reason {
    STOP_DONE,      /* the steps are made, the position is reached; not at the tip, see STOP_END */
    STOP_BREAK,     /* at a breakpoint, its instruction not yet made */
    STOP_WATCH,     /* forward: before the access; reverse: right after it */
    STOP_BEGIN,     /* the beginning of history */
    STOP_END,       /* a forward movement from the past has come to the tip, with its last step or
                       before; the next one is live */
    STOP_INTERRUPT, /* timeline_interrupt: reverse and seek are back where they began */
    STOP_HALT,      /* the machine is off: halt and halt_code say why */
    STOP_STUCK,     /* all harts wait and nothing can ever wake them (warp or replay) */
    STOP_DIVERGED,  /* a replay differs from the recording: text says where and how */
    STOP_FULL,      /* live: neither memory nor disk has room for the recording: text says why */
    STOP_TRIGGER    /* live: what timeline/triggers.h is about */
};

enum trigger {
    TRIGGER_NONE,
    TRIGGER_POINT,     /* at the point, its instruction not yet made; stop.address is the pc */
    TRIGGER_TRAP_LOOP, /* behind the trap that made it one */
    TRIGGER_RESET,     /* behind the reset */
    TRIGGER_LATE,      /* the position or time is reached, or nothing can wake the machine before */
    TRIGGER_CALLED     /* behind the step in which timeline_trigger was called */
};

struct stop {
    enum stop_reason reason;
    uint64_t position;
    unsigned hart;    /* index: of the hit, the step asked for, else the one whose turn it is */
    unsigned kinds;   /* STOP_WATCH: the watched range's kinds as it was added */
    uint64_t address; /* STOP_BREAK: pc; STOP_WATCH: first byte accessed in the range */
    uint64_t size;    /* STOP_WATCH: bytes accessed from there on, also beyond the range */
    unsigned owners;  /* STOP_BREAK, STOP_WATCH: 1 << enum point_owner of all that it is for */
    enum hit_writer writer; /* STOP_WATCH of physical memory; address is then physical */
    const char *device;     /* WRITTEN_BY_DEVICE: its name */
    enum trigger trigger;   /* STOP_TRIGGER, or what fired in the step that was stopped at */
    enum machine_halt halt; /* STOP_HALT */
    uint64_t halt_code;
    char text[1024]; /* STOP_DIVERGED, STOP_FULL: for people; STOP_TRIGGER: the watcher's to fill */
};

/* Run to the first hit after here. A hit of a watched range at the present step counts unless the
 * last stop reported it. Before the tip it ends at the tip at the latest. */
void timeline_continue(struct timeline *tl);
/* Run until hart `hart` has made one step; hits of other harts on the way stop it. */
void timeline_step(struct timeline *tl, unsigned hart);
/* Step hart `hart` at least once and while its pc is in [low, high). */
void timeline_step_range(struct timeline *tl, unsigned hart, uint64_t low, uint64_t high);
/* To the last hit before here: breakpoints at strictly earlier positions; watched accesses of the
 * steps behind us, but not the one that the last stop reported. */
void timeline_reverse_continue(struct timeline *tl);
/* To just before the most recent step of hart `hart`, or to a hit on the way. */
void timeline_reverse_step(struct timeline *tl, unsigned hart);
/* To position n: clamped to [begin, tip]. Points do not stop it. */
void timeline_seek(struct timeline *tl, uint64_t n);
/* The same, but by restoring the newest checkpoint at or before n even where the machine is as near
 * or nearer: for who asks whether that is possible. */
void timeline_seek_anew(struct timeline *tl, uint64_t n);
/* Do timeline_step, timeline_step_range and timeline_reverse_step pass over the handlers of
 * interrupts? A handler counts that comes back to where it was entered from: the same pc,
 * privilege, stack pointer and address space of the hart. Points inside stop them; forward, one
 * that does not come back is followed until something else ends it. Off at first; changes nothing
 * of what the guest does. Not while the machine moves. */
void timeline_set_step_over_interrupts(struct timeline *tl, bool on);
bool timeline_step_over_interrupts(const struct timeline *tl);
/* Like continue, but no further than position n. */
void timeline_continue_to(struct timeline *tl, uint64_t n);

enum timeline_status {
    TIMELINE_STOPPED, /* *stop is filled in; no operation is under way */
    TIMELINE_RUNNING, /* call again */
    TIMELINE_IDLE     /* live and waiting: call again after timeline_idle_ns, or upon input */
};

/* Go on with the operation for about `slice_ns` of host time. */
enum timeline_status timeline_advance(struct timeline *tl, uint64_t slice_ns, struct stop *stop);
/* Advance until it has stopped; sleeps while idle. For tests and batch use. */
void timeline_finish(struct timeline *tl, struct stop *stop);
bool timeline_moving(const struct timeline *tl);
/* Host ns until the next deadline of a TIMELINE_IDLE machine; UINT64_MAX: only input wakes it. */
uint64_t timeline_idle_ns(const struct timeline *tl);
/* End the operation at the next opportunity (within about a slice) with STOP_INTERRUPT. */
void timeline_interrupt(struct timeline *tl);
/* Positions done and to do of the operation under way, for progress reports. */
void timeline_progress(const struct timeline *tl, uint64_t *done, uint64_t *total);

/* ---- from outside ---- */

/* Offer bytes for a channel. Taken only while a live operation is under way, and only as many as
 * the device has room for; returns how many. The others are to be offered again. */
size_t timeline_input(struct timeline *tl, unsigned channel, const uint8_t *bytes, size_t size);
/* Offer a packet for a channel of packets: the guest gets all of it, or none (false), because it
 * has no buffer now or because no live operation is under way. */
bool timeline_packet(struct timeline *tl, unsigned channel, const uint8_t *bytes, size_t size);
/* A user's reset or power button at the live end; false when not live. */
bool timeline_event(struct timeline *tl, enum event_kind kind);

/* A debugger's looks: without side effects, through the hart's translation, or physical. */
bool timeline_read_memory(const struct timeline *tl, unsigned hart, uint64_t va, void *bytes,
                          size_t size);
/* Bytes readable from va on, at most `size`: what was read of a range that ends in nothing. */
size_t timeline_read_some(const struct timeline *tl, unsigned hart, uint64_t va, void *bytes,
                          size_t size);
/* The same of physical addresses: RAM, ROM, registers of devices that can be peeked at. */
size_t timeline_read_physical(const struct timeline *tl, uint64_t pa, void *bytes, size_t size);
/* A debugger's writes: events at the live end; in the past they begin a diversion, see
 * timeline/branches.h. All or nothing; memory must be RAM. */
bool timeline_write_memory(struct timeline *tl, unsigned hart, uint64_t va, const void *bytes,
                           size_t size, struct error *err);
bool timeline_write_physical(struct timeline *tl, uint64_t pa, const void *bytes, size_t size,
                             struct error *err);
bool timeline_write_register(struct timeline *tl, unsigned hart, unsigned number, uint64_t value,
                             struct error *err);

/* ---- what is kept ---- */

struct timeline_info {
    uint64_t checkpoints, approach; /* automatic ones, short-lived ones */
    uint64_t bytes, budget;         /* host memory in use and allowed */
    uint64_t spilled_bytes;         /* in a file, beyond these */
    uint64_t frame_bytes, log_bytes;
    uint64_t input_bytes; /* what the events carry */
    uint64_t disk_blocks; /* different blocks of disk images read */
    uint64_t events, resets;
    uint64_t digests;     /* marks that replays are compared with */
    uint64_t last_digest; /* position of the last of them; 0: none */
};
void timeline_info(const struct timeline *tl, struct timeline_info *info);

struct checkpoint_info {
    uint64_t position, log_index, cost_ns; /* cost: to replay up to the next one */
    size_t bytes;                          /* without frames */
    bool approach;
};
/* Fill up to `limit` entries from index `first` in order of position; returns how many. */
size_t timeline_checkpoints(const struct timeline *tl, size_t first, struct checkpoint_info *out,
                            size_t limit);

#endif
