/* What the machine knows of a processor. One implementation: machine/riscv/. */
#ifndef MACHINE_CPU_H
#define MACHINE_CPU_H

#include "base/fields.h"
#include "machine/points.h"
#include "machine/ram.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cpu;
struct machine;

enum cpu_exit {
    CPU_BUDGET, /* all steps asked for are made */
    CPU_WAIT,   /* waits for an interrupt (WFI): its turn is over */
    CPU_YIELD,  /* gave its turn away (pause) */
    CPU_HIT,    /* points.hit said stop: the step was not begun */
    CPU_EVENT /* the machine has something to look at: a deadline moved, a halt or reset request */
};

/* Registers as debuggers number them. */
struct cpu_register {
    const char *name;
    uint16_t number; /* gdb's */
    uint8_t bits;    /* 32 or 64 */
    uint8_t feature; /* enum cpu_feature */
    bool read_only;
};

enum cpu_feature { CPU_FEATURE_CPU, CPU_FEATURE_FPU, CPU_FEATURE_CSR, CPU_FEATURE_VIRTUAL };

enum cpu_access { CPU_FETCH, CPU_READ, CPU_WRITE };

/* Virtual addresses in a row that lead to RAM in a row. */
struct cpu_mapping {
    uint64_t va, pa, size; /* bytes: multiples of RAM_PAGE_SIZE; all of it lies in RAM */
    uint8_t rights;        /* 1 << enum cpu_access, each */
};

/* False: no more of them. */
typedef bool cpu_mapping_fn(void *ctx, const struct cpu_mapping *mapping);

struct cpu_mappings {
    bool physical; /* the processor's own accesses are not translated at present */
    bool cut;      /* not all were visited: the visitor had enough, or CPU_MAPPING_TABLES */
};

/* Page tables looked at in a visit: more than a tree has that uses each of its tables once, unless
 * a GiB of RAM is page tables. One that leads to the same tables again and again, as a hostile
 * guest's may, is followed no further. */
enum { CPU_MAPPING_TABLES = 1 << 18 };

enum cpu_drop {
    CPU_DROP_TRANSLATIONS = 1, /* all of the TLB: also starts a new interval for it */
    CPU_DROP_CODE = 2          /* all decoded code */
};

/* Where an instruction leads, for who follows calls. */
enum cpu_flow_kind {
    CPU_FLOW_NEXT,
    CPU_FLOW_BRANCH,     /* or the next one: pc + offset */
    CPU_FLOW_JUMP,       /* pc + offset */
    CPU_FLOW_INDIRECT,   /* register `base` + offset */
    CPU_FLOW_CALL,       /* comes back behind it */
    CPU_FLOW_RETURN,     /* from a call */
    CPU_FLOW_TRAP_RETURN /* from a trap handler */
};

struct cpu_flow {
    enum cpu_flow_kind kind;
    uint8_t size; /* of the instruction in bytes */
    uint16_t base;
    int64_t offset;
    int64_t stack;         /* what it adds to the stack pointer; else 0 */
    bool stack_from_frame; /* the stack pointer becomes the frame pointer plus `stack` */
    bool sets_stack;       /* it becomes something else */
    bool frame_from_stack; /* the frame pointer becomes the stack pointer plus `frame` */
    bool sets_frame;       /* it becomes something else */
    int64_t frame;
};

struct cpu_ops {
    const char *architecture;
    const struct fields *fields; /* of the state */

    /* Make at most `budget` (> 0) steps; the clock's icount advances by the steps made. */
    enum cpu_exit (*run)(struct cpu *cpu, uint64_t budget);
    void (*reset)(struct cpu *cpu);
    /* Drive an interrupt input; numbers are the architecture's. */
    void (*set_irq)(struct cpu *cpu, unsigned number, bool level);
    /* The guest has set its tick counter (clock.state.ticks_offset): deadlines move. */
    void (*ticks_changed)(struct cpu *cpu);
    /* Not waiting, or waiting with something to wake it. */
    bool (*runnable)(const struct cpu *cpu);
    /* Chosen to run: no longer waiting. Idempotent. */
    void (*wake)(struct cpu *cpu);
    /* Another hart's turn begins: reservations are lost. */
    void (*switched_out)(struct cpu *cpu);
    /* May `state`, of a saved machine, be this processor's? NULL: any. */
    bool (*valid)(const struct cpu *cpu, const void *state);
    void (*restored)(struct cpu *cpu);

    /* Without any side effect; false when the access would fault. */
    bool (*translate)(const struct cpu *cpu, uint64_t va, enum cpu_access access, uint64_t *pa);

    /* Visit what the page tables now in force map to RAM, of all privileges that they translate
     * for, in ascending order of address; neighbours with the same rights that go on in RAM are
     * one. They are the supervisor's view, a kernel debugger's: also while the processor is in a
     * mode that they are not for. Rights are those of the tables alone: accessed and dirty bits,
     * and protection of physical memory, do not count. No side effect. Cost: the tables' entries.
     */
    struct cpu_mappings (*mappings)(const struct cpu *cpu, cpu_mapping_fn *visit, void *ctx);

    const struct cpu_register *registers;
    size_t register_count;
    uint64_t (*get_register)(const struct cpu *cpu, unsigned number);
    /* False: no such register, read-only, or a value it cannot hold. */
    bool (*set_register)(struct cpu *cpu, unsigned number, uint64_t value);
    uint64_t (*pc)(const struct cpu *cpu);
    /* What tells one address space from another (RISC-V: satp). */
    uint64_t (*address_space)(const struct cpu *cpu);
    /* Its level now, 0 is the user's. NULL: there are no levels. */
    uint64_t (*privilege)(const struct cpu *cpu);
    uint16_t stack_pointer; /* the register's number */
    uint16_t link_register; /* where a call leaves its return address, the same */
    uint16_t frame_pointer; /* by convention, in functions that have one */
    /* Where the instruction in `bytes` leads; what is no instruction is CPU_FLOW_NEXT. */
    void (*flow)(const uint8_t bytes[4], struct cpu_flow *flow);
};

struct cpu {
    const struct cpu_ops *ops;
    struct machine *machine;
    unsigned index;
    void *state; /* what ops->fields describes */
};

/* NULL: it has no such register. Cost: looks through them. */
const struct cpu_register *cpu_register_named(const struct cpu *cpu, const char *name);
const struct cpu_register *cpu_register_numbered(const struct cpu *cpu, unsigned number);
/* 0 when it has none of that name. */
uint64_t cpu_register_value(const struct cpu *cpu, const char *name);
/* Without levels 1: nobody's user. */
uint64_t cpu_privilege(const struct cpu *cpu);
/* Where a debugger's look at an address goes: code may be executable and not readable, and is shown
 * all the same. Without side effects; false: nothing is mapped there. */
bool cpu_look(const struct cpu *cpu, uint64_t va, uint64_t *pa);

/* What the processors of one machine share: decoded code. Told by ram and by the machine. */
struct cpu_shared_ops {
    ram_changed_fn *ram_changed;
    /* enum cpu_drop bits, for all processors. */
    void (*drop)(void *ctx, unsigned what);
    /* machine->points has been replaced. */
    void (*points_changed)(void *ctx, const struct points *old);
    void (*free)(void *ctx);
};

#endif
