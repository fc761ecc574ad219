/* The parts of a timeline, for the files of this folder. */
#ifndef TIMELINE_INTERNAL_H
#define TIMELINE_INTERNAL_H

#include "checkpoints/checkpoint_file.h"
#include "replay/player.h"
#include "replay/recorder.h"
#include "timeline/bookmarks.h"
#include "timeline/points.h"
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
    bool shared;   /* another branch's history has the checkpoint, and counts its memory */
    bool compared; /* stored: restored before, and was what the recording says of it */
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

/* What a movement looks at besides clients' points. */
struct points_also {
    const uint64_t *execute; /* the movement's, until it is over */
    size_t count;
    bool traps;
    hit_fn *see; /* sees every hit first, clients' too; true: stop, tl->seen unchanged */
    void *ctx;
};

struct point_set {
    struct timeline_point *point;
    size_t count, capacity;
    unsigned numbers;    /* given so far */
    struct points armed; /* as the machine wants them */
    size_t *of_execute;  /* of armed.execute[i] the index of its point; SIZE_MAX: none of these */
    struct asked {
        uint64_t position, address;
    } asked;     /* the breakpoint's hit that was looked at last */
    hit_fn *hit; /* what clients' points do at a hit */
    struct points_also also;
};

/* What stops have reported of where the machine stands, so that going on does not stop at it again.
 */
struct reported {
    uint64_t step; /* hits of this step */
    unsigned kinds;
    uint64_t behind; /* writes reported behind, which the state at this position is the first to
                      * show; POSITION_NONE: none */
};

/* What actions have printed, of which it is not yet certain that the movement gets there. Ascending
 * by step. */
struct print {
    uint64_t step;
    size_t point, size; /* index; bytes of text */
    bool execute;       /* of a breakpoint: it belongs to the arrival at the step, else to its
                         * making */
};

struct prints {
    struct buffer text;
    struct print *print;
    size_t count, capacity;
    bool cut; /* the oldest were too many */
    void (*out)(void *ctx, const void *text, size_t size);
    void *ctx;
};

enum operation_kind {
    OPERATION_NONE,
    OPERATION_CONTINUE,
    OPERATION_STEP,
    OPERATION_STEP_RANGE,
    OPERATION_SEEK,
    OPERATION_SWITCH, /* to another branch */
    OPERATION_REVERSE_CONTINUE,
    OPERATION_REVERSE_STEP,
    OPERATION_LINE,
    OPERATION_QUERY,
    OPERATION_COMPARE
};

enum phase {
    PHASE_FORWARD, /* running on */
    PHASE_SCAN,    /* replaying an interval, looking for hits */
    PHASE_QUERY,   /* the same for a question */
    PHASE_LINE,    /* the same for the beginning of a source line */
    PHASE_OVER,    /* the same for the entry of an interrupt's handler */
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
    uint64_t landing;       /* landing: where the replay began */
    uint64_t approach;      /* landing: where the next approach checkpoint is taken */
    uint64_t scan_end;      /* the interval being scanned ends here */
    bool scanning;          /* its replay is under way */
    bool then_back;         /* having landed, go one step of `hart` back from there */
    struct stop found;      /* what to report after landing */
    struct reported report; /* what of it will then have been reported */
};

/* The hit a run stopped at, or the last one a scan has seen. */
struct seen {
    bool any;
    struct hit hit;   /* .after: gone */
    unsigned owners;  /* 1 << enum point_owner of the points that hold; 0: a trigger's */
    unsigned kinds;   /* of the point to report */
    uint64_t address; /* first byte accessed of its range, or the pc */
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
    bool saving;            /* a file is being ended, or made at once: nothing is forgotten */
    char *reason, *verdict; /* why the run is over; NULL: not said */
    uint64_t verdict_at;    /* where the tip was then */
};

/* What belongs to one branch, of the branch the machine stands on in struct timeline itself. */
struct parked {
    struct log *log;
    struct history history;
    struct transcript *transcript;
    struct bookmark_list bookmarks;
    struct triggers triggers;
    uint64_t tip;
};

struct branch;

/* list[0] is main. */
struct branch_list {
    struct branch **list;
    size_t count;
    struct branch *now;
    uint64_t changes;     /* of branches with names, as files have them */
    struct buffer notice; /* see timeline_notice */
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
    struct branch_list branches;
    struct point_set points;
    struct prints prints;
    struct line_move *line;      /* line_move.c; NULL: none under way */
    struct step_over *step_over; /* step_over.c; NULL: it is off */
    struct triggers triggers;
    struct operation op;
    struct question *question;   /* query.c; NULL: nothing was asked yet */
    struct comparing *comparing; /* compare.c */
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
    bool pc_written; /* by a debugger since the last stop: a breakpoint there is ahead */
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

/* Not live: the state here begins the history of another future. */
void history_take_origin(struct timeline *tl);
/* The part of this history up to the state at (position, log_index), for another branch. Its
 * checkpoints are shared, and its summaries; those that a recording has are not loaded. */
void history_copy(struct timeline *tl, uint64_t position, uint64_t log_index, struct history *out);
/* It begins with the state of main's first entry from now on, which is part of it. */
void history_begin_with(struct timeline *tl, const struct entry *first);
/* Free all of a branch's history. */
void history_release(struct timeline *tl, struct history *h);

/* ---- branch.c ---- */

void branches_init(struct timeline *tl);
/* While main is in the timeline or not; frees all but what struct timeline itself holds then. */
void branches_fini(struct timeline *tl);
/* Host memory of all branches but the present one. */
size_t branches_bytes(const struct timeline *tl);
/* A debugger is about to write: true when the machine is live, or after a diversion has begun. */
bool branch_for_write(struct timeline *tl, struct error *err);
/* After an inferior call another one may begin: it does so in history, not behind the first. */
void branch_before_register(struct timeline *tl);
void branch_before_memory(struct timeline *tl, unsigned hart, uint64_t va);
void branch_wrote_register(struct timeline *tl, unsigned hart);
void branch_wrote_memory(struct timeline *tl, unsigned hart, uint64_t va);
void branch_wrote_physical(struct timeline *tl);
/* The live machine has made steps. */
void branch_ran(struct timeline *tl);
/* A resume is about to begin: an inferior call that is over leaves no trace. */
void branch_settle(struct timeline *tl);
/* The same without a word on what is left standing: for seeks and queries. */
bool branch_undo_call(struct timeline *tl);
/* A movement has ended here: before a diversion's origin it is left. */
void branch_left(struct timeline *tl);
/* Of the branch with that number in the list; NULL: there is none. */
struct history *branch_history(struct timeline *tl, size_t index);
/* Main's history before `position` has gone: branches that come from there go too. */
void branches_forget(struct timeline *tl, uint64_t position);
/* For branches that see no host: what the door answers. */
uint64_t branch_clock(struct timeline *tl);
void branch_entropy(struct timeline *tl, uint8_t *bytes, size_t size);
/* Put main into the timeline, for who looks at or writes its history: the machine stays where it
 * is, and is not live. Returns the one to give to branches_put_back; NULL: it was main. */
struct branch *branches_take_main(struct timeline *tl);
/* No-op for NULL. */
void branches_put_back(struct timeline *tl, struct branch *branch);
/* The same with the machine, for who has to move it: it goes to main, and back to where it was.
 * NULL: it was on main. */
struct branch *branches_visit_main(struct timeline *tl);
void branches_return(struct timeline *tl, struct branch *branch);

/* ---- branch_file.c: branches in recordings ---- */

/* The part of main's history that a file has: positions and log indexes, both ends included. */
struct stretch {
    uint64_t from, from_event, to, to_event;
};

/* How many branches have a name and come from there. */
uint32_t branches_count(const struct timeline *tl, const struct stretch *of);
/* The one of these with the number, from 1 on, as files have it. */
void branch_pack(struct timeline *tl, uint32_t number, const struct stretch *of,
                 struct buffer *out);
/* The other way round, in the order of numbers, into a timeline that has just been opened and
 * stands on main. False: nothing is added. */
bool branch_unpack(struct timeline *tl, const uint8_t *bytes, size_t size, struct error *err);

/* ---- point_set.c ---- */

void point_set_fini(struct point_set *set);

/* ---- points.c ---- */

/* Free what an armed set consists of. */
void points_free(struct points *armed);
/* The set has changed: what is armed knows its points by index. */
void points_rearm(struct timeline *tl);
/* Arm them for running forward (stop at the first hit) or for a scan (note the last), or not at
 * all. tl->seen is cleared. */
void points_arm_forward(struct timeline *tl);
void points_arm_scan(struct timeline *tl);
/* The same, and `also` besides, until they are armed anew. */
void points_arm_forward_also(struct timeline *tl, const struct points_also *also);
void points_arm_scan_also(struct timeline *tl, const struct points_also *also);
void points_disarm(struct timeline *tl);
/* Arm just these (read during the call only), and traps, with a hook of the caller's, which sees
 * hits by address and range: it asks point_matches for the rest. Until the next points_arm or
 * points_disarm. */
void points_arm_other(struct timeline *tl, const struct timeline_point *point, size_t count,
                      bool traps, hit_fn *hit, void *ctx);
/* The one predicate of a hit, asked inside the hook: kinds, range, space, `changes`, condition. */
bool point_matches(const struct timeline *tl, const struct timeline_point *p,
                   const struct hit *hit);
/* Does the access change bytes that the range has? Not known: true. */
bool point_changes(const struct timeline *tl, const struct timeline_point *p,
                   const struct hit *hit);
/* A movement forward ends here: the engine has perhaps not been asked about the instruction that it
 * stands at, whose actions are run by who arrives. */
void points_arrive(struct timeline *tl);
/* Fill in a stop from tl->seen. */
void points_describe(const struct timeline *tl, struct stop *stop);
/* What a stop at tl->seen, at `position`, reports, with what has been reported there before. */
struct reported points_reported(const struct timeline *tl, uint64_t position);
/* May the armed points and actions be hit in a step of the only hart that nothing is known of? */
bool points_any_watch_or_action(const struct timeline *tl);

/* ---- prints.c ---- */

void prints_fini(struct prints *prints);
/* Forget what has not been printed. */
void prints_clear(struct prints *prints);
/* Run the action of point `index` at `hit`, unless it has run for this step. */
void prints_run(struct timeline *tl, size_t index, const struct hit *hit);
/* Print those that the machine has come to. */
void prints_forward(struct timeline *tl);
/* A movement forward ends here: the same, and forget the others. */
void prints_end(struct timeline *tl);
/* A movement back has come to `position`: print those of later steps, last first; forget all. */
void prints_backward(struct timeline *tl, uint64_t position);

/* ---- operation.c: how operations begin and end ---- */

/* A stop of this hart is that of the hart whose turn it will be. */
enum { HART_RUNNING = MACHINE_CPUS };

#define NOTHING_REPORTED ((struct reported){POSITION_NONE, 0, POSITION_NONE})

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

/* Intervals below op.scan_end are replayed, newest first, down to op.floor, with whatever is armed.
 */
struct scan {
    bool (*goes_on)(struct timeline *tl); /* is more wanted? NULL: yes */
    /* Is this interval to be replayed? NULL: if its summary may hold a hit. */
    bool (*wants)(struct timeline *tl, const struct entry *entry);
    void (*begins)(struct timeline *tl); /* the machine stands where it begins, op.low */
    void (*ends)(struct timeline *tl, uint64_t end); /* it has been replayed up to there */
    void (*exhausted)(struct timeline *tl);          /* there is none any more: what now? */
};
/* One turn of it; an interrupt goes back to where the operation began. */
enum timeline_status scan_advance(struct timeline *tl, const struct scan *scan, struct stop *stop);
enum timeline_status seek_advance(struct timeline *tl, struct stop *stop);

/* Does the operation only look, so that it leaves what the last stop has left? */
static inline bool operation_looks(const struct timeline *tl)
{
    return tl->op.kind == OPERATION_QUERY || tl->op.kind == OPERATION_COMPARE;
}

/* query.c, compare.c */
enum timeline_status query_advance(struct timeline *tl, struct stop *stop);
void query_progress(const struct timeline *tl, uint64_t *done, uint64_t *total);
void question_free(struct question *q);
/* OPERATION_COMPARE has landed. True: it goes on from here. */
bool compare_landed(struct timeline *tl);
/* It is to turn back: to the branch where it began. */
void compare_turn_back(struct timeline *tl);
void comparing_free(struct timeline *tl);

/* Having landed, the operation in its turn goes back by hart's most recent step. */
void search_step_back(struct timeline *tl, unsigned hart);
/* Land where a scan's last hit of clients' points makes it stop. */
void search_decide_hit(struct timeline *tl);

/* Go over to landing at `n`: chooses where to replay from, the present place included. */
void seek_begin(struct timeline *tl, uint64_t n);
/* Begin an operation that lands at `n` of the history that has just become the timeline's; an
 * interrupt ends it where it is. */
void seek_elsewhere(struct timeline *tl, uint64_t n);
/* So that an interrupted movement is back at once. */
void seek_remember_start(struct timeline *tl);
/* Back to where an interrupted movement began; that cannot be interrupted. */
void seek_turn_back(struct timeline *tl);

/* ---- line_move.c ---- */

enum timeline_status line_advance(struct timeline *tl, struct stop *stop);
void line_move_fini(struct timeline *tl);

/* ---- step_over.c: steps pass over interrupts' handlers ---- */

void step_over_fini(struct timeline *tl);
/* A step forward begins: remember the context it is made from, and arm what tells of interrupts. */
void step_over_begin(struct timeline *tl);
/* The hart has made its step, or stands before an instruction that step_over waits for. False: it
 * was no interrupt entry, and the step is over; else run on. */
bool step_over_goes_on(struct timeline *tl);
/* The hart whose step ends the run; MACHINE_CPUS: none at present. */
unsigned step_over_hart(const struct timeline *tl);
/* A step back from here begins. */
void step_over_begin_back(struct timeline *tl, unsigned hart);
/* A step back has landed; false: it is over, else the operation has gone on. */
bool step_over_landed(struct timeline *tl);
enum timeline_status step_over_advance(struct timeline *tl, struct stop *stop);

/* ---- recording_open.c ---- */

/* A new timeline, in which only its origin has been taken, becomes what was recorded: its machine
 * is not there yet. False: they do not fit. */
bool recording_fill(struct timeline *tl, struct recording *r, struct error *err);
/* The contents of a chunk; empty when it cannot be had. */
struct buffer recording_load_chunk(struct recording *r, uint32_t number);

/* ---- bookmarks.c ---- */

/* Those in [from, to], as files have them. */
void bookmarks_pack(const struct timeline *tl, uint64_t from, uint64_t to, struct buffer *out);
/* Those up to a position, for another branch. */
void bookmarks_copy(const struct bookmark_list *from, uint64_t position, struct bookmark_list *to);
/* Remove those before the beginning of history. */
void bookmarks_forget(struct timeline *tl);
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
