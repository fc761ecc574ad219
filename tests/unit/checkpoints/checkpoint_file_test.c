#include "tests/unit/checkpoints/checkpoint_file_rig.h"

static struct rig rig;
static struct model now;
static struct written file;
static struct opened opened;
static struct checkpoint *origin;
static struct chunk_writer *out;
static struct checkpoint_writer *writer;

static void init_spill(struct spill *spill)
{
    struct error err = ERROR_INIT;
    rig_init_spill(&rig, spill);
    now = (struct model){0};
    memcpy(now.ram, rig.toy.machine.ram.host, sizeof now.ram);
    written_init(&file);
    out = chunk_writer_new(file.path, BEHIND, &err);
    cr_assert(out, "%s", err.message);
    origin = snapshots_take(&rig.snapshots);
    writer = checkpoint_writer_new(&rig.snapshots, origin, out);
}

static void init(void)
{
    init_spill(NULL);
}

/* The machine and all it took are gone. */
static void close_writer(void)
{
    struct error err = ERROR_INIT;
    checkpoint_writer_free(writer);
    cr_assert(chunk_writer_close(out, &err), "%s", err.message);
    checkpoint_free(&rig.snapshots, origin);
    rig_fini(&rig);
}

static void fini(void)
{
    written_fini(&file);
}

TestSuite(checkpoint_file, .init = init, .fini = fini);

/* RAM pages back to zeroes, or to what the image had there. */
static void change_whole_page(uint64_t random)
{
    struct ram *ram = &rig.toy.machine.ram;
    uint64_t page = (random >> 8) % 8;
    uint8_t bytes[RAM_PAGE_SIZE] = {0};
    const uint8_t *first = pageroot_page(origin->ram, page);
    if (random % 2 && first)
        memcpy(bytes, first, sizeof bytes);
    ram_write(ram, ram->base + page * RAM_PAGE_SIZE, bytes, sizeof bytes);
    memcpy(now.ram + page * RAM_PAGE_SIZE, bytes, sizeof bytes);
}

static void change_some(uint64_t random, unsigned most)
{
    for (unsigned n = (random >> 4) % (most + 1); n > 0; n--) {
        random = hash_mix(random + n);
        switch ((random >> 56) % 4) {
        case 0:
            change_whole_page(random);
            break;
        case 1:
            change_ram(&rig, &now, random);
            break;
        default:
            change_page(&rig, &now, random);
        }
    }
}

/* A machine whose checkpoints are written, now and then gone back to one in memory, and changed
 * while they are written. */
static void write_at_random(uint64_t seed, unsigned checkpoints)
{
    enum { BACK = 4 };
    struct checkpoint *back[BACK] = {0};
    static struct model model[BACK];
    struct error err = ERROR_INIT;
    uint64_t random = seed;
    while (file.count < checkpoints) {
        random = hash_mix(random + file.count + 1);
        unsigned i = (random >> 40) % BACK;
        if (random % 7 == 0 && back[i]) {
            uint64_t position = machine_position(&rig.toy.machine);
            cr_assert(snapshots_restore(&rig.snapshots, back[i], &err), "%s", err.message);
            now = model[i];
            make_steps(&rig, &now, position - back[i]->position);
        }
        make_steps(&rig, &now, (random >> 8) % 60);
        change_some(random, random % 3 ? 3 : 60);
        struct checkpoint *c = snapshots_take(&rig.snapshots);
        struct kept *kept = keep(&file, c, &now);
        checkpoint_writer_begin(writer, c);
        cr_assert(checkpoint_writer_busy(writer));
        if (random % 5 == 0 && !back[i]) {
            back[i] = c;
            model[i] = now;
        } else {
            checkpoint_free(&rig.snapshots, c);
        }
        while (!checkpoint_writer_advance(writer, &kept->number))
            change_some(hash_mix(random), 5);
        cr_assert(!checkpoint_writer_busy(writer));
    }
    for (unsigned i = 0; i < BACK; i++)
        if (back[i])
            checkpoint_free(&rig.snapshots, back[i]);
    close_writer();
}

/* In random order, some kept, some loaded twice, some restored. */
static void load_at_random(uint64_t seed, unsigned rounds)
{
    enum { HELD = 5 };
    struct checkpoint *held[HELD] = {0};
    unsigned which[HELD] = {0};
    struct error err = ERROR_INIT;
    uint64_t random = seed;
    opened_init(&opened, file.path);
    for (unsigned round = 0; round < rounds; round++) {
        random = hash_mix(random + round + 1);
        unsigned slot = random % HELD, i = (unsigned)((random >> 8) % file.count);
        const struct kept *kept = &file.kept[i];
        if (held[slot] && random >> 40 & 1) {
            expect_pages(held[slot], file.kept[which[slot]].model);
            checkpoint_unload(&opened.rig.snapshots, held[slot]);
            cr_assert_eq(checkpoint_frames(&opened.rig.snapshots, held[slot]), 0);
            cr_assert_eq(checkpoint_spill(&opened.rig.snapshots, held[slot], 1), 0);
            cr_assert_eq(checkpoint_bytes(held[slot]), sizeof *held[slot]);
            if (random >> 41 & 1)
                cr_assert(
                    checkpoint_load(opened.source, held[slot], file.kept[which[slot]].number, &err),
                    "seed %" PRIu64 ": %s", seed, err.message);
        }
        if (held[slot])
            checkpoint_free(&opened.rig.snapshots, held[slot]);
        held[slot] = load_kept(&opened, kept);
        which[slot] = i;
        expect_pages(held[slot], kept->model);
        if (random >> 42 & 1) {
            expect_restored(&opened, held[slot]);
            expect_model(&opened.rig, kept->model);
        }
        if (random >> 43 & 1)
            for (unsigned page = 0; page < 10; page++)
                overlay_zero(&opened.rig.overlay[0], page);
    }
    for (unsigned slot = 0; slot < HELD; slot++)
        if (held[slot])
            checkpoint_free(&opened.rig.snapshots, held[slot]);
    opened_fini(&opened);
}

static void random_file(uint64_t seed, unsigned checkpoints)
{
    write_at_random(seed, checkpoints);
    load_at_random(seed, 2 * checkpoints);
}

Test(checkpoint_file, random_1)
{
    random_file(1, 40);
}

Test(checkpoint_file, random_2)
{
    random_file(2, 80);
}

Test(checkpoint_file, random_3)
{
    random_file(3, 7);
}

Test(checkpoint_file, random_4)
{
    random_file(4, 150);
}

/* Longer than a chain may be: there are several full maps. */
Test(checkpoint_file, random_long)
{
    random_file(5, 3 * CHAIN_MOST + 10);
}

/* One after the other, forward and back, as a debugger goes. */
Test(checkpoint_file, in_order)
{
    write_at_random(6, 100);
    opened_init(&opened, file.path);
    for (unsigned i = 0; i < 2 * file.count; i++) {
        const struct kept *kept = &file.kept[i < file.count ? i : 2 * file.count - 1 - i];
        struct checkpoint *c = load_kept(&opened, kept);
        expect_pages(c, kept->model);
        expect_restored(&opened, c);
        checkpoint_free(&opened.rig.snapshots, c);
    }
    opened_fini(&opened);
}

/* Distinct contents in the first pages of an overlay. */
static void write_pages(uint64_t first, uint64_t pages, uint64_t value)
{
    bool fresh;
    for (uint64_t page = first; page < first + pages; page++) {
        uint8_t *bytes = overlay_write(&rig.overlay[1], page, &fresh);
        store_le64(bytes + page % 500 * 8, hash_mix(value + page));
    }
}

static size_t page_bytes(const struct chunk_reader *in)
{
    size_t bytes = 0;
    for (size_t i = 0; i < chunk_reader_count(in); i++) {
        const struct chunk *chunk = chunk_reader_chunk(in, i);
        if (chunk->kind == CHUNK_PAGE)
            bytes += chunk->size;
    }
    return bytes;
}

/* Bytes in PAGE chunks that a full map refers to. */
static size_t referred(struct chunk_reader *in, uint32_t number, bool *full)
{
    struct buffer chunk = {0};
    struct error err = ERROR_INIT;
    cr_assert(chunk_reader_load(in, chunk_reader_find(in, number), &chunk, &err));
    struct unpack u = {chunk.data, chunk.size, false};
    struct checkpoint_header h = checkpoint_header_take(&u);
    *full = h.before == NO_CHUNK;
    unpack_bytes(&u, h.trees * 16);
    bool *seen = mem_new(number, sizeof *seen);
    size_t bytes = 0;
    for (uint32_t i = 0; i < h.runs; i++) {
        struct page_run r = page_run_at(unpack_bytes(&u, RUN_SIZE));
        if (r.kind == PAGE_CONTENT && !seen[r.chunk])
            bytes += chunk_reader_find(in, r.chunk)->size;
        if (r.kind == PAGE_CONTENT)
            seen[r.chunk] = true;
    }
    free(seen);
    buffer_fini(&chunk);
    return bytes;
}

/* So little changes that chains are as long as they may be. */
Test(checkpoint_file, small_steps)
{
    for (unsigned i = 0; i < 2 * CHAIN_MOST + 10; i++) {
        make_steps(&rig, &now, 3);
        take_and_write(&file, &rig, &now, writer);
    }
    close_writer();
    load_at_random(7, 300);
    opened_init(&opened, file.path);
    for (unsigned i = 0; i < file.count; i++) {
        bool full;
        referred(opened.in, file.kept[i].number, &full);
        cr_expect_eq(full, i % CHAIN_MOST == 0, "checkpoint %u", i);
    }
    opened_fini(&opened);
}

/* What is the origin's is not in the file, or not any more. */
Test(checkpoint_file, the_origin_costs_nothing)
{
    take_and_write(&file, &rig, &now, writer);
    take_and_write(&file, &rig, &now, writer);
    struct ram *ram = &rig.toy.machine.ram;
    uint8_t old = ram->host[1500], new = old ^ 1;
    ram_write(ram, ram->base + 1500, &new, 1);
    checkpoint_free(&rig.snapshots, snapshots_take(&rig.snapshots));
    ram_write(ram, ram->base + 1500, &old, 1);
    take_and_write(&file, &rig, &now, writer);
    ram_write(ram, ram->base + 1500, &new, 1);
    now.ram[1500] = new;
    take_and_write(&file, &rig, &now, writer);
    ram_write(ram, ram->base + 1500, &old, 1);
    now.ram[1500] = old;
    take_and_write(&file, &rig, &now, writer);
    close_writer();
    opened_init(&opened, file.path);
    cr_expect_eq(page_bytes(opened.in), RAM_PAGE_SIZE, "one page for five checkpoints");
    for (unsigned i = 0; i < file.count; i++) {
        struct checkpoint *c = load_kept(&opened, &file.kept[i]);
        expect_pages(c, file.kept[i].model);
        cr_expect_eq(pageroot_page(c->ram, 0) == pageroot_page(opened.origin->ram, 0), i != 3,
                     "the origin's frame: checkpoint %u", i);
        uint64_t position;
        struct digest digest;
        struct error err = ERROR_INIT;
        cr_expect(
            checkpoint_source_look(opened.source, file.kept[i].number, &position, &digest, &err));
        cr_expect_eq(position, c->position);
        cr_expect(digest_equal(&digest, &c->digest));
        checkpoint_free(&opened.rig.snapshots, c);
    }
    opened_fini(&opened);
}

/* Contents over several PAGE chunks and advances, and a map that is too large for a CKPT chunk. */
Test(checkpoint_file, large)
{
    enum { CONTENTS = 1500, ZEROES = 150000 };
    bool fresh;
    for (uint64_t i = 0; i < CONTENTS; i++)
        store_le64(overlay_write(&rig.overlay[1], i * 1000, &fresh), i + 1);
    for (uint64_t i = 0; i < ZEROES; i++)
        overlay_zero(&rig.overlay[1], 2000001 + 2 * i);
    unsigned advances = 1;
    struct checkpoint *c = snapshots_take(&rig.snapshots);
    struct kept *kept = keep(&file, c, NULL);
    checkpoint_writer_begin(writer, c);
    checkpoint_free(&rig.snapshots, c);
    while (!checkpoint_writer_advance(writer, &kept->number)) {
        cr_expect_lt(checkpoint_writer_bytes(writer), 64 << 20);
        advances++;
    }
    cr_expect_gt(advances, 10, "work is cut into pieces: %u", advances);
    kept = take_and_write(&file, &rig, NULL, writer);
    close_writer();

    opened_init(&opened, file.path);
    unsigned maps = 0;
    for (size_t i = 0; i < chunk_reader_count(opened.in); i++)
        maps += chunk_reader_chunk(opened.in, i)->kind == CHUNK_PMAP;
    cr_expect_eq(maps, 2);
    c = load_kept(&opened, kept);
    const struct pageroot *root = c->overlay[1];
    for (uint64_t i = 0; i < CONTENTS; i++)
        cr_assert_eq(load_le64(pageroot_page(root, i * 1000)), i + 1);
    for (uint64_t i = 0; i < ZEROES; i++) {
        cr_assert(pageroot_is_zeroes(root, 2000001 + 2 * i));
        cr_assert_null(pageroot_page(root, 2000002 + 2 * i));
    }
    expect_restored(&opened, c);
    checkpoint_free(&opened.rig.snapshots, c);
    opened_fini(&opened);
}

/* Each checkpoint changes most of what there is and leaves a few pages as they are, so that every
 * chunk has something that is needed. */
Test(checkpoint_file, contents_move_together)
{
    enum { ALL = 600, ROUNDS = 2 * CHAIN_MOST + 5 };
    for (unsigned round = 0; round < ROUNDS; round++) {
        write_pages((uint64_t)round * 4, ALL - (uint64_t)round * 4, round * 12345u);
        take_and_write(&file, &rig, NULL, writer);
        while (!chunk_writer_wait(out, UINT64_C(1000000000)))
            cr_assert_null(chunk_writer_failure(out));
    }
    close_writer();
    opened_init(&opened, file.path);
    unsigned maps = 0;
    for (unsigned i = 0; i < file.count; i++) {
        bool full;
        size_t bytes = referred(opened.in, file.kept[i].number, &full);
        cr_expect(!full || bytes <= 2 * ALL * OVERLAY_PAGE_SIZE, "%u: %zu bytes", i, bytes);
        maps += full;
    }
    cr_expect_geq(maps, 3);
    cr_expect_leq(page_bytes(opened.in), (size_t)ROUNDS * ALL * OVERLAY_PAGE_SIZE);
    for (unsigned i = file.count; i-- > 0; i -= i < 20 ? i : 20) {
        struct checkpoint *c = load_kept(&opened, &file.kept[i]);
        expect_restored(&opened, c);
        checkpoint_free(&opened.rig.snapshots, c);
    }
    opened_fini(&opened);
}

/* Frames that are written are in a file, or go there while they are. */
Test(checkpoint_file, spilled)
{
    close_writer();
    written_fini(&file);
    struct spill *spill = spill_new();
    init_spill(spill);
    pagestore_set_memory(rig.snapshots.store, 16 * RAM_PAGE_SIZE);
    for (unsigned i = 0; i < 30; i++) {
        change_some(hash_mix(i + 100), 40);
        struct checkpoint *c = snapshots_take(&rig.snapshots);
        struct kept *kept = keep(&file, c, &now);
        checkpoint_writer_begin(writer, c);
        checkpoint_spill(&rig.snapshots, c, SIZE_MAX);
        checkpoint_free(&rig.snapshots, c);
        while (!checkpoint_writer_advance(writer, &kept->number))
            continue;
    }
    cr_expect_gt(pagestore_spilled(rig.snapshots.store), 0);
    close_writer();
    spill_free(spill);
    load_at_random(8, 60);
}

/* A writer goes away in the middle: what was written before stays. */
Test(checkpoint_file, given_up)
{
    change_some(UINT64_MAX, 60);
    take_and_write(&file, &rig, &now, writer);
    write_pages(0, 2000, 1);
    struct checkpoint *c = snapshots_take(&rig.snapshots);
    uint32_t number;
    checkpoint_writer_begin(writer, c);
    checkpoint_free(&rig.snapshots, c);
    cr_expect(!checkpoint_writer_advance(writer, &number));
    close_writer();
    opened_init(&opened, file.path);
    c = load_kept(&opened, &file.kept[0]);
    expect_pages(c, file.kept[0].model);
    checkpoint_free(&opened.rig.snapshots, c);
    opened_fini(&opened);
}

/* Loaded ones share what they have in common. */
Test(checkpoint_file, frames_are_shared)
{
    write_pages(0, 300, 1);
    take_and_write(&file, &rig, NULL, writer);
    write_pages(7, 1, 2);
    take_and_write(&file, &rig, NULL, writer);
    close_writer();
    opened_init(&opened, file.path);
    struct checkpoint *a = load_kept(&opened, &file.kept[0]);
    struct checkpoint *b = load_kept(&opened, &file.kept[1]);
    for (uint64_t page = 0; page < 300; page++)
        cr_expect_eq(pageroot_page(a->overlay[1], page) == pageroot_page(b->overlay[1], page),
                     page != 7);
    checkpoint_free(&opened.rig.snapshots, a);
    checkpoint_free(&opened.rig.snapshots, b);
    opened_fini(&opened);
}
