/* The flash alone: its commands, its times, and that its contents go back with the machine. Harts
 * that run from it are in riscv_virt_test.c. */
#include "devices/cfi_flash.h"

#include "base/hash.h"
#include "tests/unit/devices/bench.h"

enum { BASE = 0x20000000, BLOCK = CFI_FLASH_BLOCK, PAGE = OVERLAY_PAGE_SIZE };
enum { PAGES = CFI_FLASH_SIZE / PAGE };
enum { READY = 0x00800080 };

struct rig {
    struct bench b;
    struct cfi_flash flash;
};

static struct rig *rig_new(const void *bytes, size_t size, bool read_only)
{
    struct rig *r = calloc(1, sizeof *r);
    bench_init(&r->b, 1);
    cfi_flash_init(&r->flash, &r->b.m,
                   &(struct cfi_flash_config){"flash0", BASE, bytes, size, read_only});
    bench_reset(&r->b);
    return r;
}

static void rig_free(struct rig *r)
{
    bench_fini(&r->b);
    cfi_flash_fini(&r->flash);
    free(r);
}

/* All bits set from the start on, for `size` bytes. */
static struct rig *rig_erased(size_t size)
{
    uint8_t *bytes = malloc(size);
    memset(bytes, 0xff, size);
    struct rig *r = rig_new(bytes, size, false);
    free(bytes);
    return r;
}

static uint32_t get(struct rig *r, uint32_t offset)
{
    return (uint32_t)bench_read(&r->b, BASE + offset, 4);
}

static void put(struct rig *r, uint32_t offset, uint32_t value)
{
    bench_write(&r->b, BASE + offset, 4, value);
}

/* A command for both chips. */
static void command(struct rig *r, uint32_t offset, uint32_t value)
{
    put(r, offset, value | value << 16);
}

static void pass(struct rig *r, uint64_t ns)
{
    clock_idle_until(&r->b.m.clock, clock_vtime(&r->b.m.clock) + ns);
}

static void program_word(struct rig *r, uint32_t offset, uint32_t value)
{
    command(r, offset, 0x40);
    put(r, offset, value);
}

static void erase_block(struct rig *r, uint32_t offset)
{
    command(r, offset, 0x20);
    command(r, offset, 0xd0);
}

static uint32_t status(struct rig *r)
{
    command(r, 0, 0x70);
    return get(r, 0);
}

static void read_array(struct rig *r)
{
    command(r, 0, 0xff);
}

Test(cfi_flash, is_its_file_with_zeroes_behind)
{
    uint8_t bytes[PAGE + 3];
    memset(bytes, 0x5a, sizeof bytes);
    struct rig *r = rig_new(bytes, sizeof bytes, false);
    cr_assert_eq(get(r, 0), 0x5a5a5a5a);
    cr_assert_eq(get(r, PAGE), 0x005a5a5a);
    cr_assert_eq(get(r, CFI_FLASH_SIZE - 4), 0);
    cr_assert_eq(bench_read(&r->b, BASE + PAGE, 8), 0x5a5a5a);
    cr_assert_eq(bench_read(&r->b, BASE + PAGE + 2, 1), 0x5a);
    const struct bus_region *region = bus_find(&r->b.m.bus, BASE, CFI_FLASH_SIZE);
    cr_assert_eq(region->memory[PAGE], 0x5a, "harts fetch from it");
    rig_free(r);
}

static uint32_t query(struct rig *r, unsigned word)
{
    uint32_t both = get(r, 4 * word);
    cr_assert_eq(both >> 16, both & 0xffff, "both chips say the same");
    return both & 0xffff;
}

Test(cfi_flash, tells_what_it_is)
{
    struct rig *r = rig_new(NULL, 0, false);
    command(r, 0x55 * 4, 0x98);
    cr_assert(query(r, 0x10) == 'Q' && query(r, 0x11) == 'R' && query(r, 0x12) == 'Y');
    cr_assert_eq(query(r, 0x13), 1, "Intel/Sharp");
    unsigned extended = query(r, 0x15);
    cr_assert(query(r, extended) == 'P' && query(r, extended + 2) == 'I');
    cr_assert(query(r, extended + 3) == '1' && query(r, extended + 4) == '0');
    cr_assert_eq(query(r, extended + 14), 1, "protection fields");
    cr_assert_eq(2u << query(r, 0x27), CFI_FLASH_SIZE, "of two chips");
    cr_assert_eq(2u << query(r, 0x2a), CFI_FLASH_BUFFER);
    cr_assert_eq(query(r, 0x2c), 1);
    cr_assert_eq(query(r, 0x2d) + 1, CFI_FLASH_BLOCKS);
    cr_assert_eq(2 * ((query(r, 0x2f) | query(r, 0x30) << 8) << 8), BLOCK);
    cr_assert(1000u << query(r, 0x1f) >= CFI_FLASH_PROGRAM_NS);
    cr_assert(1000000u << query(r, 0x21) >= CFI_FLASH_ERASE_NS);
    cr_assert_eq(query(r, 0x100), 0);
    cr_assert_eq(bench_read(&r->b, BASE + 0x10 * 4, 8), 0x0052005200510051);
    cr_assert_eq(bench_read(&r->b, BASE + 0x10 * 4, 2), 'Q');
    cr_assert_eq(bench_read(&r->b, BASE + 0x10 * 4 + 1, 1), 0);
    command(r, 0, 0x90);
    cr_assert_eq(get(r, 0), 0x00890089);
    cr_assert_eq(get(r, 4), 0x00180018);
    cr_assert_eq(get(r, BLOCK + 8), 0, "not locked");
    read_array(r);
    cr_assert_eq(get(r, 0), 0);
    rig_free(r);
}

Test(cfi_flash, programs_at_a_deadline)
{
    struct rig *r = rig_erased(PAGE);
    program_word(r, 8, 0x12345678);
    cr_assert_eq(get(r, 8), 0, "busy");
    cr_assert_eq(r->b.m.clock.next, CFI_FLASH_PROGRAM_NS);
    pass(r, CFI_FLASH_PROGRAM_NS - 1);
    cr_assert_eq(get(r, 8), 0);
    cr_assert_eq(r->flash.memory[8], 0xff, "nothing has been done");
    pass(r, 1);
    cr_assert_eq(get(r, 8), READY);
    read_array(r);
    cr_assert_eq(get(r, 8), 0x12345678);
    cr_assert_eq(get(r, 4), 0xffffffff);
    cr_assert_eq(get(r, 12), 0xffffffff);
    rig_free(r);
}

Test(cfi_flash, programming_clears_bits_only)
{
    struct rig *r = rig_erased(PAGE);
    program_word(r, 0, 0xf0f0ffff);
    pass(r, CFI_FLASH_PROGRAM_NS);
    program_word(r, 0, 0xff00ff0f);
    pass(r, CFI_FLASH_PROGRAM_NS);
    cr_assert_eq(status(r), READY, "no error: chips do not look");
    read_array(r);
    cr_assert_eq(get(r, 0), 0xf000ff0f);
    bench_write(&r->b, BASE + 5, 1, 0x10);
    bench_write(&r->b, BASE + 5, 1, 0x42);
    pass(r, CFI_FLASH_PROGRAM_NS);
    read_array(r);
    cr_assert_eq(get(r, 4), 0xffff42ff, "a part of a word, by the other command");
    rig_free(r);
}

Test(cfi_flash, erases_a_block)
{
    struct rig *r = rig_new(NULL, 0, false);
    erase_block(r, 3 * BLOCK + 0x1234);
    pass(r, CFI_FLASH_ERASE_NS - 1);
    cr_assert_eq(get(r, 0), 0);
    pass(r, 1);
    cr_assert_eq(get(r, 0), READY);
    read_array(r);
    cr_assert_eq(get(r, 3 * BLOCK - 4), 0);
    cr_assert_eq(get(r, 3 * BLOCK), 0xffffffff);
    cr_assert_eq(get(r, 4 * BLOCK - 4), 0xffffffff);
    cr_assert_eq(get(r, 4 * BLOCK), 0);
    rig_free(r);
}

Test(cfi_flash, writes_a_buffer)
{
    struct rig *r = rig_erased(PAGE);
    command(r, 0, 0xe8);
    cr_assert_eq(get(r, 0), READY, "there is a buffer");
    command(r, 0, 3 - 1);
    put(r, 0x90, 0x11111111);
    put(r, 0x80, 0x22222222);
    put(r, 0xfc, 0x33333333);
    cr_assert_eq(r->b.m.clock.next, CLOCK_NEVER, "waits for the confirmation");
    command(r, 0, 0xd0);
    cr_assert_eq(get(r, 0), 0);
    pass(r, CFI_FLASH_PROGRAM_NS);
    cr_assert_eq(status(r), READY);
    read_array(r);
    cr_assert_eq(get(r, 0x80), 0x22222222);
    cr_assert_eq(get(r, 0x84), 0xffffffff);
    cr_assert_eq(get(r, 0x90), 0x11111111);
    cr_assert_eq(get(r, 0xfc), 0x33333333);
    cr_assert_eq(get(r, 0x100), 0xffffffff);
    rig_free(r);
}

Test(cfi_flash, takes_whole_buffer_by_doublewords)
{
    struct rig *r = rig_erased(PAGE);
    command(r, 0, 0xe8);
    command(r, 0, CFI_FLASH_BUFFER / 4 - 1);
    for (unsigned i = 0; i < CFI_FLASH_BUFFER; i += 8)
        bench_write(&r->b, BASE + i, 8, 0x0101010101010101 * i);
    command(r, 0, 0xd0);
    pass(r, CFI_FLASH_PROGRAM_NS);
    read_array(r);
    for (unsigned i = 0; i < CFI_FLASH_BUFFER; i += 8)
        cr_assert_eq(bench_read(&r->b, BASE + i, 8), 0x0101010101010101 * i);
    rig_free(r);
}

Test(cfi_flash, wrong_sequences)
{
    enum { SEQUENCE = 0x00b000b0 };
    struct rig *r = rig_erased(PAGE);
    command(r, 0, 0x20);
    command(r, 0, 0x42);
    cr_assert_eq(get(r, 0), SEQUENCE, "erase unconfirmed");
    cr_assert_eq(r->b.m.clock.next, CLOCK_NEVER);
    command(r, 0, 0x50);
    cr_assert_eq(get(r, 0), 0xffffffff, "clearing the status goes back to the contents");
    cr_assert_eq(status(r), READY);

    command(r, 0, 0xe8);
    command(r, 0, CFI_FLASH_BUFFER / 4);
    cr_assert_eq(get(r, 0), SEQUENCE, "more than the buffer takes");
    command(r, 0, 0x50);
    command(r, 0, 0xe8);
    command(r, 0, 1);
    put(r, 0, 0);
    put(r, CFI_FLASH_BUFFER, 0);
    cr_assert_eq(get(r, 0), SEQUENCE, "beyond the buffer");
    command(r, 0, 0x50);
    command(r, 0, 0xe8);
    command(r, 0, 0);
    put(r, 0, 0);
    command(r, 0, 0x41);
    cr_assert_eq(get(r, 0), SEQUENCE, "buffer unconfirmed");
    command(r, 0, 0x50);
    command(r, 0, 0x60);
    command(r, 0, 0x55);
    cr_assert_eq(get(r, 0), SEQUENCE, "no way to lock");
    command(r, 0, 0x50);

    command(r, 0, 0x20);
    read_array(r);
    cr_assert_eq(get(r, 0), 0xffffffff, "taken back");
    cr_assert_eq(status(r), READY);
    command(r, 0, 0x33);
    cr_assert_eq(get(r, 0), 0xffffffff, "unknown commands do nothing");
    program_word(r, 0, 0x7fffffff);
    pass(r, CFI_FLASH_PROGRAM_NS);
    read_array(r);
    cr_assert_eq(get(r, 0), 0x7fffffff, "what was given up has left nothing in the buffer");
    cr_assert_eq(get(r, 4), 0xffffffff);
    rig_free(r);
}

Test(cfi_flash, locking_is_accepted)
{
    struct rig *r = rig_erased(PAGE);
    static const uint32_t second[] = {0x01, 0xd0, 0x2f, 0x03};
    for (unsigned i = 0; i < 4; i++) {
        command(r, 0, 0x60);
        command(r, 0, second[i]);
        cr_assert_eq(get(r, 0), READY);
        program_word(r, 4 * i, i);
        pass(r, CFI_FLASH_PROGRAM_NS);
        read_array(r);
        cr_assert_eq(get(r, 4 * i), i);
    }
    rig_free(r);
}

Test(cfi_flash, busy_takes_no_command)
{
    struct rig *r = rig_erased(2 * BLOCK);
    program_word(r, 0, 0);
    pass(r, CFI_FLASH_PROGRAM_NS);
    erase_block(r, 0);
    program_word(r, BLOCK, 0);
    read_array(r);
    command(r, 0, 0x50);
    command(r, 0, 0xe8);
    cr_assert_eq(get(r, 0), 0, "still the status, and not ready");
    cr_assert_eq(status(r), 0);
    cr_assert_eq(r->b.m.clock.next, CFI_FLASH_PROGRAM_NS + CFI_FLASH_ERASE_NS);
    pass(r, CFI_FLASH_ERASE_NS);
    cr_assert_eq(status(r), READY);
    read_array(r);
    cr_assert_eq(get(r, 0), 0xffffffff);
    cr_assert_eq(get(r, BLOCK), 0xffffffff);
    rig_free(r);
}

Test(cfi_flash, read_only)
{
    struct rig *r = rig_new("\1\2\3\4", 4, true);
    program_word(r, 0, 0);
    pass(r, CFI_FLASH_PROGRAM_NS);
    cr_assert_eq(status(r), 0x00920092, "program error, locked");
    command(r, 0, 0x50);
    erase_block(r, 0);
    pass(r, CFI_FLASH_ERASE_NS);
    cr_assert_eq(status(r), 0x00a200a2, "erase error, locked");
    read_array(r);
    cr_assert_eq(get(r, 0), 0x04030201);
    cr_assert_eq(r->flash.overlay.dirty_count, 0);
    rig_free(r);
}

Test(cfi_flash, a_reset_keeps_the_contents)
{
    struct rig *r = rig_erased(PAGE);
    program_word(r, 0, 0x1234);
    pass(r, CFI_FLASH_PROGRAM_NS);
    program_word(r, 0, 0);
    cr_assert_eq(r->flash.state.changed[0], 1);
    bench_reset(&r->b);
    cr_assert_eq(r->b.m.clock.next, CLOCK_NEVER);
    cr_assert_eq(get(r, 0), 0x1234, "what was under way is lost");
    cr_assert_eq(r->flash.state.changed[0], 1);
    rig_free(r);
}

Test(cfi_flash, looking_finds_the_contents)
{
    struct rig *r = rig_new("\1\2\3\4", 4, false);
    uint64_t before, value;
    command(r, 0, 0x40);
    before = bench_digest(&r->b, 0);
    cr_assert(bus_peek(&r->b.m.bus, BASE, 4, &value));
    cr_assert_eq(value, 0x04030201, "in status mode too");
    bench_peek_all(&r->b, BASE, 2 * PAGE);
    cr_assert_eq(bench_digest(&r->b, 0), before);
    rig_free(r);
}

/* What has been programmed to what is there already takes no page. */
Test(cfi_flash, no_change_no_page)
{
    struct rig *r = rig_erased(BLOCK);
    program_word(r, 0, 0xffffffff);
    pass(r, CFI_FLASH_PROGRAM_NS);
    erase_block(r, 0);
    pass(r, CFI_FLASH_ERASE_NS);
    cr_assert_eq(r->flash.overlay.dirty_count, 0);
    program_word(r, 0, 0xfffffffe);
    pass(r, CFI_FLASH_PROGRAM_NS);
    cr_assert_eq(r->flash.overlay.dirty_count, 1);
    rig_free(r);
}

/* A state that no machine makes does no harm. */
Test(cfi_flash, states_from_elsewhere)
{
    struct rig *r = rig_new(NULL, 0, false);
    uint64_t value;
    for (unsigned seed = 1; seed < 2000; seed++) {
        uint8_t *state = (uint8_t *)&r->flash.state;
        for (unsigned i = 0; i < sizeof r->flash.state; i++)
            state[i] = (uint8_t)hash_mix(seed * 1000 + i);
        if (seed % 4)
            r->flash.state.expecting %= 8;
        if (seed % 3)
            r->flash.state.operation = 0;
        clock_arm(&r->b.m.clock, r->flash.timer, clock_vtime(&r->b.m.clock) + 10);
        overlay_restored(&r->flash.overlay);
        for (unsigned i = 0; i < 4; i++) {
            uint64_t pa = BASE + (hash_mix(seed + i) & (CFI_FLASH_SIZE - 8));
            cr_assert(bus_write(&r->b.m.bus, pa, 8, hash_mix(seed * i)));
            cr_assert(bus_read(&r->b.m.bus, pa, 8, &value));
        }
        pass(r, 10000000);
    }
    rig_free(r);
}

/* ---- against a flat model ---- */

/* The blocks that are used, of very different contents, and the bytes that matter of each. */
static const uint32_t used[] = {0, 1, 5, CFI_FLASH_BLOCKS - 1};
enum { USED = sizeof used / sizeof *used, SNAPSHOTS = 5 };

/* A checkpoint as checkpoints/ makes them: pages that are not the background's, the device's
 * state, the clock. And what the model had then. */
struct snapshot {
    uint8_t *page[PAGES];
    struct buffer state;
    struct clock_state clock;
    uint8_t model[USED][BLOCK];
    bool busy, erases;
    unsigned block;
    uint32_t first;
    uint8_t clear[CFI_FLASH_BUFFER]; /* the mask that programming puts over the bytes */
    uint64_t due;
};

struct world {
    struct rig *r;
    struct snapshot now; /* only the model's part */
    struct snapshot *saved[SNAPSHOTS];
    uint64_t random;
};

static uint32_t chance(struct world *w, uint32_t below)
{
    w->random = hash_mix(w->random + 0x9e3779b97f4a7c15);
    return (uint32_t)(w->random >> 32) % below;
}

static const uint8_t *page_below(const void *ctx, uint64_t page)
{
    return ((const struct snapshot *)ctx)->page[page];
}

static void drop(struct snapshot *s)
{
    for (unsigned i = 0; i < PAGES; i++)
        free(s->page[i]);
    buffer_fini(&s->state);
    free(s);
}

static void take(struct world *w, unsigned at)
{
    struct overlay *o = &w->r->flash.overlay;
    struct snapshot *s = malloc(sizeof *s);
    *s = w->now;
    for (unsigned i = 0; i < PAGES; i++) {
        const uint8_t *bytes = overlay_page(o, i);
        s->page[i] = bytes ? memcpy(malloc(PAGE), bytes, PAGE) : NULL;
    }
    s->state = bench_save(&w->r->b, 0);
    s->clock = w->r->b.m.clock.state;
    o->below = page_below;
    o->below_ctx = s;
    overlay_clear_dirty(o);
    if (w->saved[at])
        drop(w->saved[at]);
    w->saved[at] = s;
}

static void restore(struct world *w, const struct snapshot *s)
{
    struct machine *m = &w->r->b.m;
    struct error err;
    const uint8_t *bytes = s->state.data;
    size_t size = s->state.size;
    cr_assert(fields_load(&cfi_flash_fields, 1, &w->r->flash.state, &bytes, &size, &err));
    m->clock.state = s->clock;
    clock_restored(&m->clock);
    w->r->flash.overlay.below_ctx = s;
    overlay_restored(&w->r->flash.overlay);
    w->now = *s;
}

static void model_pass(struct world *w, uint64_t ns)
{
    struct snapshot *s = &w->now;
    pass(w->r, ns);
    if (!s->busy || clock_vtime(&w->r->b.m.clock) < s->due)
        return;
    s->busy = false;
    if (s->erases)
        memset(s->model[s->block], 0xff, BLOCK);
    else
        for (unsigned i = 0; i < CFI_FLASH_BUFFER; i++)
            s->model[s->block][s->first + i] &= s->clear[i];
}

static void begin(struct world *w, bool erases, unsigned block, uint32_t first)
{
    struct snapshot *s = &w->now;
    s->busy = true;
    s->erases = erases;
    s->block = block;
    s->first = first;
    s->due = clock_vtime(&w->r->b.m.clock) + (erases ? CFI_FLASH_ERASE_NS : CFI_FLASH_PROGRAM_NS);
}

static void random_buffer(struct world *w, unsigned block, uint32_t first)
{
    uint32_t at = used[block] * BLOCK + first, words = 1 + chance(w, CFI_FLASH_BUFFER / 4);
    bool busy = w->now.busy;
    uint8_t clear[CFI_FLASH_BUFFER];
    memset(clear, 0xff, sizeof clear);
    command(w->r, at, 0xe8);
    command(w->r, at, words - 1);
    for (uint32_t i = 0; i < words; i++) {
        uint32_t value = chance(w, UINT32_MAX), to = chance(w, CFI_FLASH_BUFFER / 4) * 4;
        put(w->r, at + to, value);
        memcpy(clear + to, &value, 4);
    }
    command(w->r, at, 0xd0);
    if (busy)
        return;
    memcpy(w->now.clear, clear, sizeof clear);
    begin(w, false, block, first);
}

static void random_word(struct world *w, unsigned block, uint32_t first)
{
    uint32_t value = chance(w, UINT32_MAX), to = chance(w, CFI_FLASH_BUFFER / 4) * 4;
    bool busy = w->now.busy;
    program_word(w->r, used[block] * BLOCK + first + to, value);
    if (busy)
        return;
    memset(w->now.clear, 0xff, sizeof w->now.clear);
    memcpy(w->now.clear + to, &value, 4);
    begin(w, false, block, first);
}

/* Commands come while it is busy too, and do nothing then. */
static void random_operation(struct world *w)
{
    unsigned block = chance(w, USED);
    uint32_t first = chance(w, 64) * (BLOCK / 64);
    unsigned what = chance(w, 8);
    if (what == 0) {
        bool busy = w->now.busy;
        erase_block(w->r, used[block] * BLOCK + first);
        if (!busy)
            begin(w, true, block, 0);
    } else if (what < 5) {
        random_buffer(w, block, first);
    } else {
        random_word(w, block, first);
    }
}

static void compare(struct world *w)
{
    for (unsigned i = 0; i < USED; i++)
        cr_assert_eq(memcmp(w->r->flash.memory + used[i] * BLOCK, w->now.model[i], BLOCK), 0);
    if (w->now.busy) {
        cr_assert_eq(status(w->r), 0);
        return;
    }
    cr_assert_eq(status(w->r), READY);
    read_array(w->r);
    unsigned block = chance(w, USED);
    uint32_t at = chance(w, BLOCK / 4) * 4, model;
    memcpy(&model, w->now.model[block] + at, 4);
    cr_assert_eq(get(w->r, used[block] * BLOCK + at), model);
}

static struct rig *random_rig(struct world *w)
{
    enum { SIZE = 6 * BLOCK };
    uint8_t *bytes = calloc(1, SIZE);
    for (unsigned i = 0; i < BLOCK; i++)
        bytes[i] = (uint8_t)hash_mix(i);
    memset(bytes + 5 * BLOCK, 0xff, BLOCK);
    for (unsigned i = 0; i < USED - 1; i++)
        memcpy(w->now.model[i], bytes + used[i] * BLOCK, BLOCK);
    struct rig *r = rig_new(bytes, SIZE, false);
    free(bytes);
    return r;
}

Test(cfi_flash, is_a_flat_model_and_goes_back)
{
    static struct world world;
    struct world *w = &world;
    w->r = random_rig(w);
    take(w, 0);
    for (unsigned turn = 0; turn < 3000; turn++) {
        unsigned what = chance(w, 16);
        struct snapshot *s = w->saved[chance(w, SNAPSHOTS)];
        if (what == 0 && s)
            restore(w, s);
        else if (what == 1)
            /* Not the one that the overlay stands on. */
            for (unsigned at = 1; at < SNAPSHOTS; at++)
                if (w->saved[at] != w->r->flash.overlay.below_ctx) {
                    take(w, at);
                    break;
                }
        if (what < 10)
            random_operation(w);
        model_pass(w, what % 3 ? CFI_FLASH_PROGRAM_NS : chance(w, CFI_FLASH_ERASE_NS));
        compare(w);
    }
    restore(w, w->saved[0]);
    compare(w);
    for (unsigned i = 0; i < PAGES; i++)
        cr_assert_null(w->r->flash.original[i], "all is background again");
    for (unsigned i = 0; i < SNAPSHOTS; i++)
        if (w->saved[i])
            drop(w->saved[i]);
    w->r->flash.overlay.below = NULL;
    rig_free(w->r);
}
