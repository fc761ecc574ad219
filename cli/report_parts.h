/* The parts of a report, for each other. Private to report*.c. */
#ifndef CLI_REPORT_PARTS_H
#define CLI_REPORT_PARTS_H

#include "cli/report.h"
#include "cli/unwind.h"

enum { TRAPS_KEPT = 10, TRAPS_WANTED = 8, CONSOLE_LINES = 20, NAME_SHOWN = 100 };

struct trap {
    uint64_t position; /* before the step that trapped */
    unsigned hart;
    bool interrupt;
    uint64_t cause; /* without the interrupt bit */
    uint64_t epc, tval;
    unsigned from, to; /* privilege */
};

/* What is known of one hart's traps. */
struct hart_traps {
    struct trap last[TRAPS_KEPT]; /* a ring: trap N is last[N % TRAPS_KEPT] */
    uint64_t count;               /* seen in the stretch that was replayed */
    struct trap loop;             /* first of those that follow each other closely at its end */
    bool loop_begins;             /* it is not the first of the stretch */
    /* The newest trap at each of these places. */
    uint64_t wanted[TRAPS_WANTED];
    struct trap found[TRAPS_WANTED];
    bool have[TRAPS_WANTED];
    unsigned wants;
};

/* A hart at some position. */
struct hart_view {
    unsigned hart;
    uint64_t position;
    struct frame frame[UNWIND_FRAMES];
    size_t frames;
};

enum report_end {
    END_PANIC,
    END_FAILED,
    END_TRAP_LOOP,
    END_SYMBOL,
    END_CONSOLE,
    END_WATCHDOG,
    END_POWER_OFF,
    END_PLAIN /* nothing is known to have failed */
};

/* The function in which the problem arose, as a place in the code. */
struct culprit {
    bool known;
    uint64_t place;
    char function[NAME_SHOWN + 1];
    const char *file; /* NULL: not known */
    unsigned line;
    uint64_t position; /* at which the hart was there; POSITION_NONE: not known */
    unsigned hart;
};

struct report {
    const struct report_source *source;
    struct timeline *timeline;
    struct machine *machine;
    struct symbols *symbols;
    struct report_page *page;
    uint64_t tip; /* the position that is looked at, as if nothing came after it */
    bool past;    /* something does */
    enum report_end end;
    unsigned hart;          /* whose end it is */
    struct hart_view *view; /* of each hart at the tip */
    struct hart_view
        *below; /* of each hart whose firmware was called: as it called; frames 0: not */
    struct hart_traps *traps;
    uint64_t traps_from; /* where the stretch began that was replayed for them */
    char trouble[256];   /* why parts of the recording could not be replayed */
    struct culprit culprit;
    bool faulted;
    struct trap fault;
    struct hart_view scene; /* the hart where the problem arose; frames 0: nothing is known */
    bool branched;          /* no fault, but a branch that led to the end: at culprit.position */
    uint64_t watch_address, watch_position; /* the last write that was found; position of it, */
    unsigned watch_size;                    /* 0: none */
};

/* ---- report_look.c: the machine as it stands ---- */

/* A register by name; 0 when there is none. */
uint64_t report_register(const struct report *r, unsigned hart, const char *name);
uint64_t report_x(const struct report *r, unsigned hart, unsigned number);
const char *report_x_name(const struct report *r, unsigned number);
uint64_t report_pc(const struct report *r, unsigned hart);
unsigned report_privilege(const struct report *r, unsigned hart);
const char *report_privilege_name(unsigned privilege);
void report_view(const struct report *r, unsigned hart, struct hart_view *view);
/* Movements; false when the place was not reached, and `trouble` says why. */
bool report_seek(struct report *r, uint64_t position);
/* One step of the hart back. */
bool report_step_back(struct report *r, unsigned hart);
/* Back to the last hit of a point, which is forgotten then; not further than a report may search,
 * STOP_INTERRUPT. */
struct stop report_search_back(struct report *r, unsigned kinds, uint64_t address, uint64_t size);

/* The instruction at an address as it is in memory now; false: none can be read. */
struct decoded;
bool report_decode(const struct report *r, unsigned hart, uint64_t address, struct decoded *d);
/* Its text; "?" when there is none. Returns its size, 0 then. */
unsigned report_disassemble(const struct report *r, unsigned hart, uint64_t address,
                            struct buffer *out);

/* "FUNCTION+0xOFF (FILE:LINE)" of a place, as far as it is known, or its address. */
void report_put_place(struct report *r, uint64_t address);
/* A position as it is read, 1,234,567. */
void report_put_position(struct report *r, uint64_t position);

/* ---- report_traps.c ---- */

void report_collect_traps(struct report *r);
const char *report_cause_name(bool interrupt, uint64_t cause);
/* An exception that tells of something wrong, as opposed to a call or a breakpoint. */
bool report_is_fault(const struct trap *t);
void report_put_traps(struct report *r);

/* ---- report_verdict.c ---- */

/* How it ended, by the recording's verdict or by the machine's state. */
void report_judge(struct report *r);
/* After the traps are known. */
void report_find_culprit(struct report *r);
void report_title(const struct report *r, struct buffer *out);
void report_put_summary(struct report *r);

/* ---- report_harts.c ---- */

enum report_moment { MOMENT_END, MOMENT_CALL, MOMENT_SCENE };
void report_put_hart(struct report *r, const struct hart_view *view, enum report_moment moment);

/* ---- report_pointers.c ---- */

void report_put_pointers(struct report *r);

/* ---- report_next.c ---- */

void report_put_console(struct report *r);
void report_put_next(struct report *r);

#endif
