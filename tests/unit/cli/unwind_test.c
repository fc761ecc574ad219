/* Backtraces of the demo guest: with call frame information, and without it the same. */
#include "cli/unwind.h"

#include "cli/cfi.h"
#include "cli/cfi_reader.h"
#include "tests/unit/cli/guest.h"
#include "tests/unit/cli/guest_elf.h"

#include <dwarf.h>

static struct guest guest;
static struct elf_bytes elf, plain;
static struct symbols *symbols, *without;

static void setup(void)
{
    guest_init_demo(&guest, 1);
    elf = demo_elf();
    plain = demo_elf();
    change_text(&plain, ".debug_frame", ".debug_xrame");
    symbols = symbols_of(&elf);
    without = symbols_of(&plain);
}

static void teardown(void)
{
    symbols_free(symbols);
    symbols_free(without);
    free(elf.bytes);
    free(plain.bytes);
    guest_fini(&guest);
}

TestSuite(unwind, .init = setup, .fini = teardown);

static bool read_guest(void *ctx, uint64_t va, void *bytes, size_t size)
{
    (void)ctx;
    return timeline_read_memory(guest.timeline, 0, va, bytes, size);
}

static bool executable(void *ctx, uint64_t va)
{
    uint8_t bytes[2];
    return va >= 0x80000000 && read_guest(ctx, va, bytes, sizeof bytes);
}

static uint64_t csr(void *ctx, unsigned number)
{
    const struct cpu *cpu = timeline_machine(guest.timeline)->cpu[0];
    (void)ctx;
    return cpu->ops->get_register(cpu, 65 + number);
}

static const struct unwind_memory memory = {read_guest, executable, csr, NULL};

static struct unwind_registers registers(void)
{
    const struct cpu *cpu = timeline_machine(guest.timeline)->cpu[0];
    struct unwind_registers regs = {.pc = cpu->ops->pc(cpu)};
    for (unsigned i = 1; i < 32; i++)
        regs.x[i] = cpu->ops->get_register(cpu, i);
    return regs;
}

static const char *name_of(const struct frame *f)
{
    struct symbol s;
    return symbols_lookup(symbols, frame_place(f), &s) ? s.name : "?";
}

Test(unwind, crash)
{
    static const char *const name[] = {"board_power_off", "panic",     "trap", "trap_entry", "?",
                                       "sensors_limits",  "sched_run", "main", "_start"};
    struct frame frame[UNWIND_FRAMES];
    cr_assert_eq(guest_run_to(&guest, UINT64_MAX).reason, STOP_HALT);
    struct unwind_registers regs = registers();
    size_t count = unwind(symbols, &memory, &regs, frame, UNWIND_FRAMES);
    cr_assert_eq(count, sizeof name / sizeof *name);
    for (size_t i = 0; i < count; i++) {
        cr_assert_str_eq(name_of(&frame[i]), name[i]);
        cr_assert_eq(frame[i].kind, i == 0 ? FRAME_INNERMOST : i == 4 ? FRAME_TRAP : FRAME_CALL);
    }
    cr_assert_eq(unwind(symbols, &memory, &regs, frame, 3), 3);
    cr_assert_eq(unwind(symbols, &memory, &regs, frame, 1), 1);
}

/* Everywhere in C code, prologues and epilogues included, up to the first trap: prologues tell the
 * same as call frame information. */
Test(unwind, without_frame_information)
{
    struct frame a[UNWIND_FRAMES], b[UNWIND_FRAMES];
    unsigned compared = 0;
    guest_run_to(&guest, 2000000);
    for (unsigned i = 0; i < 1500; i++) {
        guest_seek(&guest, 20000 + i * 1319);
        struct unwind_registers regs = registers();
        size_t n = unwind(symbols, &memory, &regs, a, UNWIND_FRAMES);
        size_t m = unwind(without, &memory, &regs, b, UNWIND_FRAMES);
        for (size_t j = 0; j < n && a[j].kind != FRAME_TRAP; j++) {
            if (!strcmp(name_of(&a[j]), "trap_entry") || !strcmp(name_of(&a[j]), "_start"))
                break;
            cr_assert_lt(j, m, "position %lu: %s is missing", 20000ul + i * 1319, name_of(&a[j]));
            cr_assert_eq(a[j].regs.pc, b[j].regs.pc, "position %lu: %s or %s", 20000ul + i * 1319,
                         name_of(&a[j]), name_of(&b[j]));
            cr_assert_eq(a[j].regs.x[2], b[j].regs.x[2]);
            compared += j > 0;
        }
    }
    cr_assert_gt(compared, 2000);
}

/* A stack of frames that point in circles, and memory that is not there. */
Test(unwind, ends)
{
    struct frame frame[UNWIND_FRAMES];
    guest_run_to(&guest, 100000);
    for (unsigned i = 0; i < 5000; i++) {
        uint64_t seed = 0x9e3779b97f4a7c15ull * (i + 1);
        struct unwind_registers regs = registers();
        regs.pc = i & 1 ? 0x80000000 + (seed >> 16) % 0x900 : seed;
        for (unsigned j = 1; j < 32; j++)
            regs.x[j] = (seed >> (j % 7)) & 1 ? 0x80000000 + (seed >> j) % 0x6000 : seed << j;
        size_t n = unwind(i & 2 ? symbols : without, &memory, &regs, frame, UNWIND_FRAMES);
        cr_assert(n >= 1 && n <= UNWIND_FRAMES);
    }
}

/* Any damage of the section is borne. */
Test(unwind, damaged_frame_information)
{
    struct frame frame[UNWIND_FRAMES];
    struct frame_section section;
    guest_run_to(&guest, 100000);
    cr_assert(symbols_frame_section(symbols, 0, &section));
    uint8_t *bytes = (uint8_t *)(uintptr_t)section.bytes;
    uint64_t state = 1;
    for (unsigned i = 0; i < 20000; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        size_t at = (state >> 33) % section.size;
        uint8_t old = bytes[at];
        bytes[at] = (uint8_t)(state >> 20);
        struct unwind_registers regs = registers();
        regs.pc = 0x80000000 + (state >> 40) % 0x960;
        cr_assert_geq(unwind(symbols, &memory, &regs, frame, UNWIND_FRAMES), 1);
        /* Mistakes stay for a while. */
        if (i % 8)
            bytes[at] = old;
    }
}

static bool evaluate(const uint8_t *code, size_t size, uint64_t *result)
{
    struct unwind_registers regs = {.x = {[2] = 1000}};
    uint64_t start = 5;
    return cfi_expression((struct cfi_reader){code, code + size, false}, &memory, &regs, &start,
                          result);
}

Test(unwind, expressions)
{
    uint64_t r;
    const uint8_t sum[] = {DW_OP_breg2, 0x78, DW_OP_plus, DW_OP_lit3, DW_OP_mul};
    cr_assert(evaluate(sum, sizeof sum, &r));
    cr_assert_eq(r, (1000 - 8 + 5) * 3);
    /* x86's way in procedure linkage tables: ((rip & 15) >= 11) << 3 */
    const uint8_t linkage[] = {DW_OP_lit15, DW_OP_and,  DW_OP_lit11,
                               DW_OP_ge,    DW_OP_lit3, DW_OP_shl};
    cr_assert(evaluate(linkage, sizeof linkage, &r));
    cr_assert_eq(r, 0);
    const uint8_t branch[] = {DW_OP_bra, 1, 0, DW_OP_lit1, DW_OP_lit2};
    cr_assert(evaluate(branch, sizeof branch, &r));
    cr_assert_eq(r, 2);
    const uint8_t endless[] = {DW_OP_skip, 0xfd, 0xff};
    cr_assert_not(evaluate(endless, sizeof endless, &r));
    const uint8_t too_far[] = {DW_OP_skip, 0, 1};
    cr_assert_not(evaluate(too_far, sizeof too_far, &r));
    const uint8_t before[] = {DW_OP_skip, 0xfc, 0xff};
    cr_assert_not(evaluate(before, sizeof before, &r));
    const uint8_t empty[] = {DW_OP_drop, DW_OP_plus};
    cr_assert_not(evaluate(empty, sizeof empty, &r));
    const uint8_t cut[] = {DW_OP_const4u, 1};
    cr_assert_not(evaluate(cut, sizeof cut, &r));
    const uint8_t unknown[] = {DW_OP_call_frame_cfa};
    cr_assert_not(evaluate(unknown, sizeof unknown, &r));
    const uint8_t nowhere[] = {DW_OP_lit0, DW_OP_deref};
    cr_assert_not(evaluate(nowhere, sizeof nowhere, &r));
}
