/* The machine: harts, RAM, bus, clock, devices, and the order in which they act. It names no
 * device and no architecture; a board in devices/ wires it. It never waits and knows no host time.
 */
#ifndef MACHINE_MACHINE_H
#define MACHINE_MACHINE_H

#include "machine/bus.h"
#include "machine/clock.h"
#include "machine/cpu.h"
#include "machine/device.h"
#include "machine/input.h"
#include "machine/loader.h"
#include "machine/overlay.h"
#include "machine/points.h"
#include "machine/ram.h"
#include "machine/touched.h"

/* No position: never reached. */
#define POSITION_NONE UINT64_MAX

enum { MACHINE_CPUS = 8, MACHINE_DEVICES = 32, MACHINE_OVERLAYS = 10, MACHINE_QUANTUM = 10000 };

/* Why the machine has stopped for good (until a restore). Numbers are state. */
enum machine_halt {
    HALT_NONE = 0,
    HALT_POWER_OFF = 1, /* the guest switched it off */
    HALT_EXIT = 2,      /* the guest ended the run with a code: tohost, test device, semihosting */
    HALT_RESET = 3      /* the guest asked for a reset and config.no_reboot is set */
};

struct machine_config {
    uint64_t ram_base, ram_size; /* bytes */
    unsigned cpus;               /* 1 to MACHINE_CPUS */
    unsigned shift;              /* vtime ns per step, as a power of two */
    uint64_t quantum;            /* steps of a hart's turn */
    bool no_reboot;
    bool semihosting;
};

/* Scheduling and halting: part of the guest-visible state. */
struct machine_state {
    uint64_t quantum_end;             /* position at which the running hart's turn ends */
    uint32_t running;                 /* index of the hart whose turn it is */
    uint32_t halt;                    /* enum machine_halt */
    uint64_t halt_code;               /* exit status the guest gave */
    uint64_t resets;                  /* resets since power-on */
    uint64_t last_step[MACHINE_CPUS]; /* where each hart's latest step began; POSITION_NONE */
    uint32_t held;                    /* a bit for each hart that makes no step: EVENT_HOLD */
    uint8_t unused[4];
};

extern const struct fields machine_fields;

/* What a run is to look for, for who asks: neither is state, nor changes what the guest does. */
enum machine_watch {
    MACHINE_WATCH_TRAPS = 1, /* a hart that makes nothing but traps */
    MACHINE_WATCH_RESETS = 2
};

/* A hart that gets nowhere but into trap handlers: it has taken TRAPS_STILL traps in a row without
 * an instruction retired in between, or TRAPS_NESTED in a row at one pc for one cause without
 * having returned from any. Counted from the last restore or reset on, while they are watched. */
struct trap_loop {
    bool found;
    unsigned hart;      /* index */
    uint64_t traps;     /* in a row */
    uint64_t position;  /* where the first of them was */
    uint64_t pc, cause; /* of the last one; cause as the architecture has it */
};

enum { TRAPS_STILL = 1000, TRAPS_NESTED = 100000 };

struct semihosting;

struct machine {
    struct machine_config config;
    struct machine_state state;
    struct clock clock;
    struct ram ram;
    struct bus bus;
    struct cpu *cpu[MACHINE_CPUS];
    struct device device[MACHINE_DEVICES];
    unsigned devices;
    struct overlay *overlay[MACHINE_OVERLAYS]; /* the devices'; what they hold is state */
    unsigned overlays;
    const struct cpu_shared_ops *shared_ops;
    void *shared;
    struct images images;            /* written again at each reset */
    struct semihosting *semihosting; /* the board's; NULL: off */
    struct door door;
    struct points points;   /* armed by the timeline; arrays are the timeline's */
    uint64_t hit_due;       /* where a run ends for a hit `behind`; POSITION_NONE: nowhere */
    bool hit_behind;        /* the last MACHINE_HIT was one of those */
    bool settled;           /* what is written now belongs to the present position */
    enum hit_writer writer; /* of the ram_write under way */
    const char *writer_device;
    struct touched touched; /* pages used since machine_begin_interval */
    unsigned step_cpu; /* machine_run returns once this hart has made a step; MACHINE_CPUS: none */
    unsigned watch;    /* enum machine_watch: what is found ends the run, right behind it */
    struct trap_loop trap_loop; /* the last one found; who has seen it clears it */
    bool reset_requested;       /* only inside a step */
    bool attention;             /* inside a run: the running hart ends its block after this step */
    bool pause;                 /* inside a run: it returns at the next step boundary */
};

enum machine_stop {
    MACHINE_LIMIT, /* the position asked for, or step_cpu has made its step, or a pause, or what
                      `watch` is about */
    MACHINE_IDLE,  /* every hart waits */
    MACHINE_HIT,   /* points.hit said stop: before the step, or, hit_behind, behind the write */
    MACHINE_HALTED /* state.halt says why */
};

/* An empty machine: RAM, clock, no harts or devices yet. */
bool machine_init(struct machine *m, const struct machine_config *config, struct error *err);
void machine_fini(struct machine *m);
void machine_add_device(struct machine *m, struct device device);
/* The overlay stays the device's. */
void machine_add_overlay(struct machine *m, struct overlay *overlay);

/* Reset everything and write the images: power-on, at position 0, or a guest's reset. */
void machine_reset(struct machine *m);

static inline uint64_t machine_position(const struct machine *m)
{
    return m->clock.state.icount;
}

/* Make steps until position `until`, or until something else stops the machine. On return every
 * deadline that has come has expired and the hart whose turn it is is chosen: the state is that of
 * an uninterrupted run at that position. A door that must look around after what it was asked ends
 * the run early, with MACHINE_LIMIT (machine_pause).
 *
 * A hit that is `behind` and is to be stopped at ends the run with MACHINE_HIT and hit_behind at
 * the first position that shows the write: at once if it was made while no run was under way, by
 * machine_deliver say; behind the next step if it was made in idle time. Until then a hit that is
 * not behind may end the run before; with other points, or a restore, nothing is due any more. */
enum machine_stop machine_run(struct machine *m, uint64_t until);
/* True once: the run that ends here ends for a hit `behind`. For who stops without running on. */
bool machine_take_hit(struct machine *m);
/* Has step_cpu made the last of the steps since `from`? Its latest step may also be one from
 * before, behind which it waits. */
bool machine_step_made(const struct machine *m, uint64_t from);

/* vtime of the next deadline, CLOCK_NEVER: only an event can wake an idle machine. */
uint64_t machine_next_deadline(const struct machine *m);
/* Let an idle machine wait until `vtime` (at least the present). The wait belongs to the step that
 * follows. */
void machine_idle_until(struct machine *m, uint64_t vtime);
/* The same where an event of the present position follows, so that the wait belongs to that. */
void machine_idle_before_event(struct machine *m, uint64_t vtime);

/* Deliver an event at the present position: idle time passes until its vtime, deadlines expire,
 * then its target takes it. Answers (event_is_answer) are not delivered. */
void machine_deliver(struct machine *m, const struct event *event);
/* May this EVENT_HOLD be delivered? One that may not changes nothing. */
bool machine_hold_valid(const struct machine *m, const struct event *event);
/* Bytes that may be pushed with EVENT_INPUT on `channel` now. */
size_t machine_input_room(const struct machine *m, unsigned channel);

/* For devices and harts, inside a step. */
void machine_request_halt(struct machine *m, enum machine_halt halt, uint64_t code);
void machine_request_reset(struct machine *m);
/* The running hart must return to the machine after this step: something it does not see changed.
 */
void machine_attention(struct machine *m);
void machine_output(struct machine *m, unsigned channel, const void *bytes, size_t size);
uint64_t machine_host_clock(struct machine *m);
void machine_entropy(struct machine *m, uint8_t *bytes, size_t size);
bool machine_disk_read(struct machine *m, unsigned disk, uint64_t block, uint8_t *bytes);
/* Direct memory access: ram_write by the device of this name. */
void machine_dma(struct machine *m, const char *device, uint64_t pa, const void *bytes,
                 uint64_t size);
/* For harts: report a write that nothing can be stopped before, right before it is made, if it is
 * watched (points.physical). Cost: with nothing watched none. */
void machine_written(struct machine *m, enum hit_writer writer, uint64_t pa, const void *bytes,
                     uint64_t size);
/* For the door: the run under way returns after this step. */
void machine_pause(struct machine *m);

/* Replace the armed points. The arrays stay the caller's and unchanged until the next call. With
 * watched ranges in the old or the new ones the harts fill their TLBs anew. */
void machine_set_points(struct machine *m, const struct points *points);

/* Start an interval: no page is dirty or touched, and the next use of each is noticed. */
void machine_begin_interval(struct machine *m);
/* enum cpu_drop. Changes nothing but speed. */
void machine_drop_caches(struct machine *m, unsigned what);

/* Serialised state of everything but RAM: docs/vmstate.md has the format. */
void machine_save(const struct machine *m, struct buffer *out);
/* All or nothing: on error the machine is unchanged. RAM is the caller's to restore. The state may
 * be one of an older build, as far as the field tables go back. */
bool machine_load(struct machine *m, const uint8_t *bytes, size_t size, struct error *err);
/* Would the state load, and have all parts of it the versions that machine_save writes? Else what
 * is loaded, and what runs from there, may have other digests than where the state was saved. */
bool machine_saved_versions_equal(const struct machine *m, const uint8_t *bytes, size_t size);

/* Digests of everything but RAM. */
struct machine_digest {
    uint64_t core; /* scheduling, clock */
    uint64_t cpus;
    uint64_t devices;
};
void machine_digest(const struct machine *m, struct machine_digest *digest);
/* Lines "COMPONENT.FIELD: SAVED -> NOW" for what differs from a saved state; returns how many. One
 * that does not load is one difference, and the line says why. */
size_t machine_diff(const struct machine *m, const uint8_t *saved, size_t size, size_t limit,
                    struct buffer *out);

/* A debugger's look at physical memory: RAM, ROM, peekable devices; false when any byte has none.
 */
bool machine_peek(const struct machine *m, uint64_t pa, void *bytes, size_t size);

#endif
