/* The parts of a timeline, for the files of this folder. */
#ifndef TIMELINE_INTERNAL_H
#define TIMELINE_INTERNAL_H

#include "checkpoints/checkpoint_file.h"
#include "replay/player.h"
#include "replay/recorder.h"
#include "timeline/bookmarks.h"
#include "timeline/recording.h"
#include "timeline/recording_index.h"
#include "timeline/summary.h"
#include "timeline/timeline.h"
#include "timeline/transcript.h"
#include "timeline/triggers.h"

/* A checkpoint in the history. Automatic ones divide it into intervals; approach ones lie inside an
 * interval and are forgotten soon. */
struct entry {
    struct checkpoint *checkpoint; /* of an opened recording perhaps not loaded */
    uint64_t log_index;            /* events delivered before it */
    uint64_t vtime;
    uint64_t cost_ns;        /* automatic: processor time to replay up to the next one */
    struct summary *summary; /* automatic: of the interval up to the next one; NULL: not known */
    uint64_t born;           /* approach: order of making; 0: automatic */
    uint32_t stored;         /* its chunk in the recording this timeline was opened from, or */
    uint32_t stored_summary; /* that of its summary; CHUNK_NONE */
    bool compared;           /* stored: restored before, and was what the recording says of it */
};

/* The digest of a state, kept when its checkpoint goes. */
struct mark {
    uint64_t position, log_index;
    struct digest digest;
};

struct history {
    struct entry *entry; /* ascending by position */
    size_t entries, entry_capacity, approach;
    struct mark *mark; /* ascending by position */
    size_t marks, mark_capacity;
    uint64_t marks_forgotten; /* before mark[0] */
    size_t loaded;            /* entries that are stored too, and in memory */
    size_t bytes;             /* of checkpoints and summaries, without frames */
    bool torn;                /* the open interval was entered behind its beginning: no summary */
    uint64_t thinned;         /* looks at the budget so far */
    uint64_t born;            /* approach checkpoints made so far */
    uint64_t cost_ns;         /* processor time run since the newest automatic checkpoint */
    uint64_t take_ns;         /* processor time the last one took */
};

/* A point as clients know it. */
struct point {
    unsigned kinds;
    uint64_t address, size;
};

struct point_set {
    struct point *point;
    size_t count, capacity;
    struct points armed; /* as the machine wants them */
};

/* The hits of one step that a stop has reported. */
struct reported {
    uint64_t step;
    unsigned kinds;
};

enum operation_kind {
    OPERATION_NONE,
    OPERATION_CONTINUE,
    OPERATION_STEP,
    OPERATION_STEP_RANGE,
    OPERATION_SEEK,
    OPERATION_REVERSE_CONTINUE,
    OPERATION_REVERSE_STEP
};

enum phase {
    PHASE_FORWARD, /* running on */
    PHASE_SCAN,    /* replaying an interval, looking for hits */
    PHASE_LAND     /* seeking to the position decided on */
};

struct operation {
    enum operation_kind kind;
    enum phase phase;
    unsigned hart;
    uint64_t low, high;     /* STEP_RANGE: pcs; low in a scan: where the interval begins */
    uint64_t floor;         /* reverse: hits are looked for down to here */
    uint64_t start;         /* position where it began */
    bool from_tip;          /* it began live */
    uint64_t target;        /* where to land, or how far to run */
    uint64_t approach;      /* landing: where the next approach checkpoint is taken */
    uint64_t scan_end;      /* the interval being scanned ends here */
    bool scanning;          /* its replay is under way */
    struct stop found;      /* what to report after landing */
    struct reported report; /* what of it will then have been reported */
};

/* The hit a run stopped at, or the last one a scan has seen. */
struct seen {
    bool any;
    struct hit hit;
    struct point point;
};

struct bookmark_list {
    struct bookmark *bookmark; /* ascending by position */
    size_t count, capacity;
    uint64_t changes;
};

struct recording_writer;

/* The recording this timeline was opened from; all NULL: none. */
struct opened {
    struct recording *recording;
    struct checkpoint_source *checkpoints;
    bool other_versions; /* its states have other fields: digests cannot be compared */
};

/* Recordings being written, and for whom. */
struct recorded {
    struct recording_options options;
    char *path;
    struct recording_writer *writer; /* NULL: none */
    struct recording_writer *next;   /* a flight recorder's next file, which is catching up */
    uint64_t base_bytes;             /* of the file when it took the place of the one before */
    bool failed;                     /* it was said that writing has failed */
    bool unbounded;                  /* that the file cannot be shortened */
    bool tight;                      /* it was said that the file may hardly hold anything */
    char *reason, *verdict;          /* why the run is over; NULL: not said */
    uint64_t verdict_at;             /* where the tip was then */
};

struct timeline {
    struct machine *m;
    struct timeline_options options;
    struct snapshots snapshots;
    struct checkpoint *origin; /* at position 0: what recordings are relative to */
    struct opened opened;
    struct recorded recorded;
    struct transcript *transcript;
    struct bookmark_list bookmarks;
    void (*heard)(void *ctx, unsigned channel, const uint8_t *bytes, size_t size);
    void *heard_ctx;
    struct spill *spill; /* what does not fit in the budget and must be kept */
    struct log *log;
    struct disk_reads *reads;
    struct recorder recorder;
    struct player player;
    struct history history;
    struct point_set points;
    struct triggers triggers;
    struct operation op;
    struct seen seen;
    struct reported reported;
    struct error diverged;
    uint64_t tip;
    uint64_t focus[8]; /* where the last stops were */
    unsigned focus_next;
    uint64_t chunk;      /* steps to run between looks at the host's clock */
    uint64_t idle_since; /* host ns when the live machine began to wait; 0: it does not */
    uint64_t ahead_ns;   /* guest time that passed before real time did, at host ns ahead_at */
    uint64_t ahead_at;
    uint64_t warped_at; /* position at which idle time has passed that no step or event ended */
    bool live;
    bool interrupted;
};

/* Host time in ns, for slices and for pacing idle time. */
uint64_t host_ns(void);
/* Processor time of this thread in ns: what running costs, however busy the host is. */
uint64_t host_cost_ns(void);

/* ---- history.c ---- */

void history_init(struct timeline *tl);
/* The first entry, here; timeline_open has those of the recording instead. */
void history_begin(struct timeline *tl);
void history_fini(struct timeline *tl);
/* Live: close the open interval and take an automatic checkpoint, unless the newest is here. */
void history_take(struct timeline *tl);
/* Take one if the interval has become costly enough. */
void history_take_if_due(struct timeline *tl);
/* Where the next automatic one falls due by steps; POSITION_NONE when by cost. */
uint64_t history_next_take(const struct timeline *tl);
/* Replaying: remember this state for a while. */
void history_take_approach(struct timeline *tl);
/* Forget all that history_take_approach and history_verify keep. */
void history_drop_approach(struct timeline *tl);
/* The newest entry at a position <= n (there always is one). */
const struct entry *history_at(const struct timeline *tl, uint64_t n);
/* The newest automatic one. */
const struct entry *history_newest(const struct timeline *tl);
/* Bring an entry of an opened recording into memory; true for others. False: the file is damaged
 * there. Entries keep their places. */
bool history_load(struct timeline *tl, const struct entry *entry, struct error *err);
/* Restore the newest entry at or before position n that can be had; damaged ones are forgotten,
 * with a line each. NULL: there is none. */
const struct entry *history_restore(struct timeline *tl, uint64_t n, struct error *err);
/* The entry's summary, from the recording if need be; good until history_thin. NULL: not known. */
const struct summary *history_summary(struct timeline *tl, const struct entry *entry);
/* Opening: an automatic entry of the recording, behind all others. */
void history_add_stored(struct timeline *tl, const struct entry *entry);
void history_add_mark(struct timeline *tl, const struct mark *mark);
/* Forget what lies before the newest automatic entry at or before `position`. */
void history_forget(struct timeline *tl, uint64_t position);
/* May the stretch from `entry` to the next automatic one hold a hit of the armed points? */
bool history_may_hit(struct timeline *tl, const struct entry *entry);
/* The first mark behind position n, the last of those at its position: a replay that arrives there
 * has all events delivered. NULL: none. */
const struct mark *history_next_mark(const struct timeline *tl, uint64_t n);
/* The machine stands at the mark, in replay: does it have its digest? Fills tl->diverged. */
bool history_verify(struct timeline *tl, const struct mark *mark);
/* Drop checkpoints until the budget is kept. */
void history_thin(struct timeline *tl);
/* The budget is full and the file has no room: why; NULL: no such thing. */
const char *history_full(const struct timeline *tl);
size_t history_bytes(const struct timeline *tl);

/* ---- points.c ---- */

void point_set_fini(struct point_set *set);
/* Arm them for running forward (stop at the first hit) or for a scan (note the last), or not at
 * all. tl->seen is cleared. */
void points_arm_forward(struct timeline *tl);
void points_arm_scan(struct timeline *tl);
void points_disarm(struct timeline *tl);
/* Fill in a stop from tl->seen. */
void points_describe(const struct timeline *tl, struct stop *stop);
/* What a stop at tl->seen reports, with what has been reported of its step before. */
struct reported points_reported(const struct timeline *tl);

/* ---- operation.c: how operations begin and end ---- */

/* A stop of this hart is that of the hart whose turn it will be. */
enum { HART_RUNNING = MACHINE_CPUS };

#define NOTHING_REPORTED ((struct reported){POSITION_NONE, 0})

/* No movement goes on from a state that a divergence has left: back to a good one first. */
void operation_leave_divergence(struct timeline *tl);
void operation_begin(struct timeline *tl, struct operation op);
/* A stop of no hart in particular. */
struct stop operation_stop(enum stop_reason reason, uint64_t position);
/* The operation is over: *stop gets its position; `report` has now been reported. */
enum timeline_status operation_finish(struct timeline *tl, struct stop *stop,
                                      struct reported report);
enum timeline_status operation_finish_plain(struct timeline *tl, enum stop_reason reason,
                                            struct stop *stop);
enum timeline_status operation_finish_text(struct timeline *tl, enum stop_reason reason,
                                           const char *text, struct stop *stop);
enum timeline_status operation_finish_diverged(struct timeline *tl, struct stop *stop);

/* ---- forward.c, search.c, seek.c: one turn of an operation in its phase ---- */

enum timeline_status forward_advance(struct timeline *tl, struct stop *stop);
enum timeline_status search_advance(struct timeline *tl, struct stop *stop);
enum timeline_status seek_advance(struct timeline *tl, struct stop *stop);

/* Go over to landing at `n`: chooses where to replay from, the present place included. */
void seek_begin(struct timeline *tl, uint64_t n);
/* So that an interrupted movement is back at once. */
void seek_remember_start(struct timeline *tl);
/* Back to where an interrupted movement began; that cannot be interrupted. */
void seek_turn_back(struct timeline *tl);

/* ---- recording_open.c ---- */

/* A new timeline, in which only its origin has been taken, becomes what was recorded: its machine
 * is not there yet. False: they do not fit. */
bool recording_fill(struct timeline *tl, struct recording *r, struct error *err);
/* The contents of a chunk; empty when it cannot be had. */
struct buffer recording_load_chunk(struct recording *r, uint32_t number);

/* ---- bookmarks.c ---- */

/* Those in [from, to], as files have them. */
void bookmarks_pack(const struct timeline *tl, uint64_t from, uint64_t to, struct buffer *out);
bool bookmarks_unpack(struct timeline *tl, const uint8_t *bytes, size_t size, struct error *err);

/* ---- recording.c: what is written while the machine runs ---- */

/* After a turn: write what there is to write. `rests`: nothing more will come for a while. */
void recording_follow(struct timeline *tl, bool rests);
/* The file cannot follow: wait a little. False: go on. */
bool recording_wait(struct timeline *tl);
void recording_fini(struct timeline *tl);

/* ---- run.c ---- */

/* Leave the live end: the tip gets a checkpoint, the player is the door from now on. */
void run_leave_live(struct timeline *tl);
/* The replay has arrived at the tip with the log behind it: live again. */
void run_go_live(struct timeline *tl);
bool run_at_tip(const struct timeline *tl);
/* Restore the newest entry at or before position n; replaying from there. False: it cannot be had,
 * tl->diverged says why; the machine is where it was, and not live. */
bool run_restore(struct timeline *tl, uint64_t n);

enum run_result {
    RUN_ON,      /* the chunk is done */
    RUN_REACHED, /* `until` is reached, or step_cpu's step made */
    RUN_HIT,     /* tl->seen */
    RUN_HALTED,
    RUN_IDLE,
    RUN_DIVERGED /* tl->diverged */
};

/* One chunk of live running, or of replaying with every digest compared. */
enum run_result run_live(struct timeline *tl, uint64_t until);
enum run_result run_replay(struct timeline *tl, uint64_t until);
/* The live machine waits: let the time pass that has passed. False: wait on. */
bool run_idle(struct timeline *tl);
/* A warp belongs to the step that follows. When the machine stops after one without a step, the
 * idle time becomes an event, so that the state here is that of a seek to here. */
void run_log_idle(struct timeline *tl);
/* The vtime at which something from outside happens now. */
uint64_t run_event_vtime(const struct timeline *tl);

#endif
