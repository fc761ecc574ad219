/* Decoded code: blocks of operations, by physical address, and the pages they came from. */
#ifndef MACHINE_RISCV_CODE_H
#define MACHINE_RISCV_CODE_H

#include "machine/riscv/decode.h"
#include "machine/riscv/hart.h"

enum { BLOCK_STEPS = 64 };

/* A straight run of instructions inside one page. Addresses in it are relative to its start. */
struct block {
    struct block *taken, *next; /* successors in the same page, once known */
    uint16_t steps;             /* instructions */
    uint16_t bytes;             /* up to the instruction behind the last */
    bool check;                 /* starts with OP_CHECK: a breakpoint may lie at its start */
    const uint16_t *offset;     /* steps + 1: where each instruction starts */
    struct op op[];             /* steps operations, or one more for CHECK and for END */
};

/* The decoded code of a physical page. */
struct code_page {
    uint64_t page;  /* number in RAM */
    uint64_t lines; /* a bit for each 64 bytes that code was made from */
    struct code_chunk *chunks;
    struct code_page *next; /* in the graveyard */
    unsigned index;         /* in the list of pages */
    struct block *at[2048]; /* by offset / 2 */
};

/* What the harts of one machine share. */
struct riscv_shared {
    struct machine *m;
    struct hart *hart[MACHINE_CPUS];
    const void *const *labels;  /* handler of each enum op_id */
    struct code_page **by_page; /* by RAM page number; NULL: no code */
    struct code_page **list;
    unsigned pages, capacity;
    size_t code_bytes;           /* of memory for pages and their blocks, dropped ones included */
    struct code_page *graveyard; /* dropped, perhaps still running */
    uint64_t **tables; /* by RAM page number: bitmap of the used slots of a page table; see mmu.c */
    uint32_t *table_list; /* the pages with RAM_TABLE */
    unsigned table_count, table_capacity;
    uint64_t armed[32]; /* bit per 2 bytes of page offset: some breakpoint has it */
    uint64_t reset_pc;
};

/* How finding a block ended. */
enum code_find {
    CODE_FOUND,
    CODE_SCRATCH, /* found, but good for one use: in scratch */
    CODE_LAST,    /* found, and the fetch has made a write to stop behind: run one step only */
    CODE_FAULT,   /* hart->cause, tval */
    CODE_HIT      /* a breakpoint says stop; nothing was changed */
};

/* A block for one use: the start of a longer one, or an instruction that cannot be kept. */
struct code_scratch {
    _Alignas(
        struct block) uint8_t bytes[sizeof(struct block) + (BLOCK_STEPS + 2) * sizeof(struct op)];
    uint16_t offset[BLOCK_STEPS + 1];
};

static inline struct block *scratch_block(struct code_scratch *scratch)
{
    return (struct block *)scratch->bytes;
}

/* The block at virtual pc, decoded when need be; enters the page in the fetch TLB. */
enum code_find code_find(struct hart *h, uint64_t pc, struct code_scratch *scratch,
                         struct block **block);
/* The first `steps` (1 to block->steps - 1) instructions of a block, followed by an exit. */
struct block *code_prefix(struct riscv_shared *shared, const struct block *block, unsigned steps,
                          struct code_scratch *scratch);

/* RAM page changed at offset..offset+size: drop what came from there. */
void code_page_written(struct riscv_shared *shared, uint64_t page, unsigned offset, unsigned size);
void code_drop_all(struct riscv_shared *shared);
/* Free what was dropped; no block is running. */
void code_reap(struct riscv_shared *shared);
/* The armed breakpoints are other ones now. */
void code_points_changed(struct riscv_shared *shared, const struct points *old);

#endif
