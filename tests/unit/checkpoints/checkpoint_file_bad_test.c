/* Files that are damaged, or that somebody has made. */
#include "tests/unit/checkpoints/checkpoint_file_rig.h"

enum { CHECKPOINTS = 6, CHUNKS_IN_TEST = 64 };

static struct written file;
static struct opened opened;

/* The file's chunks, to be changed. */
static struct {
    uint32_t kind;
    struct buffer contents;
} chunk[CHUNKS_IN_TEST];
static unsigned chunks;

static void read_chunks(void)
{
    struct error err = ERROR_INIT;
    struct chunk_reader *in = chunk_reader_open(file.path, &err);
    cr_assert(in, "%s", err.message);
    chunks = (unsigned)chunk_reader_count(in);
    cr_assert_lt(chunks, CHUNKS_IN_TEST);
    for (unsigned i = 0; i < chunks; i++) {
        const struct chunk *c = chunk_reader_chunk(in, i);
        cr_assert_eq(c->number, i);
        chunk[i].kind = c->kind;
        cr_assert(chunk_reader_load(in, c, &chunk[i].contents, &err), "%s", err.message);
    }
    chunk_reader_free(in);
}

/* A file of the chunks as they are now, with good checksums. */
static void write_chunks(void)
{
    struct error err = ERROR_INIT;
    unlink(file.path);
    struct chunk_writer *out = chunk_writer_new(file.path, BEHIND, &err);
    cr_assert(out, "%s", err.message);
    for (unsigned i = 0; i < chunks; i++) {
        struct buffer copy = {0};
        buffer_append(&copy, chunk[i].contents.data, chunk[i].contents.size);
        chunk_writer_add(out, chunk[i].kind, &copy);
    }
    cr_assert(chunk_writer_close(out, &err), "%s", err.message);
}

static void init(void)
{
    static struct rig rig;
    static struct model now;
    struct error err = ERROR_INIT;
    rig_init(&rig);
    now = (struct model){0};
    memcpy(now.ram, rig.toy.machine.ram.host, sizeof now.ram);
    written_init(&file);
    struct chunk_writer *out = chunk_writer_new(file.path, BEHIND, &err);
    cr_assert(out, "%s", err.message);
    struct checkpoint *origin = snapshots_take(&rig.snapshots);
    struct checkpoint_writer *w = checkpoint_writer_new(&rig.snapshots, origin, out);
    uint64_t random = 3;
    for (unsigned i = 0; i < CHECKPOINTS; i++) {
        for (unsigned n = 0; n < 12; n++) {
            random = hash_mix(random + n);
            change_page(&rig, &now, random);
            change_ram(&rig, &now, random >> 3);
        }
        make_steps(&rig, &now, 50);
        take_and_write(&file, &rig, &now, w);
    }
    checkpoint_writer_free(w);
    cr_assert(chunk_writer_close(out, &err), "%s", err.message);
    checkpoint_free(&rig.snapshots, origin);
    rig_fini(&rig);
    read_chunks();
}

static void fini(void)
{
    for (unsigned i = 0; i < chunks; i++)
        buffer_fini(&chunk[i].contents);
    written_fini(&file);
}

TestSuite(checkpoint_file_bad, .init = init, .fini = fini);

/* Each loads and is right, or fails with a reason and stays as it was. Returns how many loaded. */
static unsigned load_all(void)
{
    unsigned loaded = 0;
    struct error err = ERROR_INIT;
    for (unsigned i = 0; i < file.count; i++) {
        const struct kept *kept = &file.kept[i];
        struct checkpoint *c = checkpoint_new_stored(kept->position, &kept->digest);
        struct checkpoint before = *c;
        if (checkpoint_load(opened.source, c, kept->number, &err)) {
            expect_pages(c, kept->model);
            loaded++;
        } else {
            char prefix[64];
            snprintf(prefix, sizeof prefix, "checkpoint at position %" PRIu64 ": chunk ",
                     kept->position);
            cr_assert(!strncmp(err.message, prefix, strlen(prefix)), "%s", err.message);
            cr_assert(!memcmp(c, &before, sizeof before), "it stays as it was");
        }
        checkpoint_free(&opened.rig.snapshots, c);
    }
    return loaded;
}

static unsigned load_changed(void)
{
    write_chunks();
    opened_init(&opened, file.path);
    unsigned loaded = load_all();
    opened_fini(&opened);
    return loaded;
}

/* Checkpoint `i`, of the changed file; it is refused, and `text` is in the message. */
static void expect_refused(unsigned i, const char *text)
{
    struct error err = ERROR_INIT;
    write_chunks();
    opened_init(&opened, file.path);
    const struct kept *kept = &file.kept[i];
    struct checkpoint *c = checkpoint_new_stored(kept->position, &kept->digest);
    cr_expect(!checkpoint_load(opened.source, c, kept->number, &err), "%s", text);
    cr_expect(strstr(err.message, text), "\"%s\" is not in: %s", text, err.message);
    checkpoint_free(&opened.rig.snapshots, c);
    opened_fini(&opened);
}

static uint8_t *ckpt(unsigned i)
{
    return chunk[file.kept[i].number].contents.data;
}

enum {
    AT_BEFORE = 40,
    AT_TREES = 44,
    AT_STATE = 48,
    AT_RUNS = 56,
    AT_TREE = 64,
    AT_RUN = AT_TREE + 16 * (1 + OVERLAYS)
};

/* Where in checkpoint i the first run of that kind is. */
static uint8_t *run_of(unsigned i, enum page_kind kind)
{
    uint32_t runs = load_le32(ckpt(i) + AT_RUNS);
    for (uint32_t k = 0; k < runs; k++)
        if (ckpt(i)[AT_RUN + k * RUN_SIZE + 1] == kind)
            return ckpt(i) + AT_RUN + (size_t)k * RUN_SIZE;
    cr_assert_fail("no run of kind %u", kind);
    return NULL;
}

Test(checkpoint_file_bad, the_good_one)
{
    cr_expect_eq(load_changed(), CHECKPOINTS);
}

/* Every value that the format leaves no room for, in an otherwise good file. */
Test(checkpoint_file_bad, header)
{
    uint8_t good[AT_RUN];
    memcpy(good, ckpt(1), sizeof good);
    static const struct {
        unsigned at, size;
        uint64_t value;
        const char *text;
    } row[] = {
        {0, 8, 12345678, "is another checkpoint, of position 12345678"},
        {8, 8, 1, "is another checkpoint"},
        {32, 8, 1, "is another checkpoint"},
        {AT_TREES, 4, 2, "has 2 memories, the machine 3"},
        {AT_TREES, 4, UINT32_MAX, "memories, the machine 3"},
        {AT_STATE, 4, 0, "has the wrong size"},
        {AT_STATE, 4, UINT32_MAX, "has the wrong size"},
        {52, 4, 1000000, "has the wrong size"},
        {AT_RUNS, 4, UINT32_MAX, "has the wrong size"},
        {AT_TREE, 8, TOY_PAGES + 1, "memory 0 has 65 pages, the machine's 64"},
        {AT_TREE + 16, 8, 1, "memory 1 has 1 pages"},
        {AT_TREE + 8, 8, 1, "RAM is not what was written"},
        {AT_TREE + 40, 8, 1, "disk1 is not what was written"},
        {AT_BEFORE, 4, 0, "chunk 0 is not of the kind CKPT"},
        {AT_BEFORE, 4, 1000, "cannot build on chunk 1000"},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        store_le(ckpt(1) + row[i].at, row[i].value, row[i].size);
        expect_refused(1, row[i].text);
        memcpy(ckpt(1), good, sizeof good);
    }
    store_le32(ckpt(1) + AT_BEFORE, file.kept[1].number);
    expect_refused(1, "cannot build on chunk");
    memcpy(ckpt(1), good, sizeof good);
    cr_expect_eq(load_changed(), CHECKPOINTS);
}

/* One that goes up in time on the way back. */
Test(checkpoint_file_bad, positions)
{
    store_le64(ckpt(0), file.kept[1].position + 1);
    expect_refused(1, "cannot be what it builds on");
}

Test(checkpoint_file_bad, runs)
{
    static const struct {
        enum page_kind kind;
        unsigned at, size;
        uint64_t value;
    } row[] = {
        {PAGE_CONTENT, 0, 1, 1 + OVERLAYS},
        {PAGE_CONTENT, 0, 1, 255},
        {PAGE_CONTENT, 1, 1, PAGE_KINDS},
        {PAGE_CONTENT, 2, 2, PAGES_IN_CHUNK},
        {PAGE_CONTENT, 4, 4, TOY_PAGES},
        {PAGE_CONTENT, 4, 4, UINT32_MAX},
        {PAGE_CONTENT, 8, 4, 0},
        {PAGE_CONTENT, 8, 4, UINT32_MAX},
        {PAGE_CONTENT, 8, 4, TOY_PAGES + 1},
        {PAGE_CONTENT, 12, 4, 1000},
        {PAGE_CONTENT, 12, 4, UINT32_MAX},
        {PAGE_ZEROES, 2, 2, 1},
        {PAGE_ZEROES, 12, 4, 1},
        {PAGE_ZEROES, 0, 1, TREE_RAM},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        uint8_t good[RUN_SIZE], *run = run_of(0, row[i].kind);
        memcpy(good, run, sizeof good);
        store_le(run + row[i].at, row[i].value, row[i].size);
        expect_refused(0, "has a run of pages that cannot be");
        memcpy(run, good, sizeof good);
    }
    /* The same page twice. */
    uint8_t *run = run_of(0, PAGE_CONTENT);
    memcpy(run + RUN_SIZE, run, RUN_SIZE);
    expect_refused(0, "has a run of pages that cannot be");
}

Test(checkpoint_file_bad, contents)
{
    uint8_t *run = run_of(0, PAGE_CONTENT);
    uint32_t page_chunk = load_le32(run + 12);
    cr_assert_eq(chunk[page_chunk].kind, CHUNK_PAGE);
    uint8_t good[RUN_SIZE];
    memcpy(good, run, sizeof good);
    store_le32(run + 8, 1);
    store_le16(run + 2, 255);
    expect_refused(0, "has no page 255");
    memcpy(run, good, sizeof good);

    chunk[page_chunk].contents.size--;
    expect_refused(0, "has no page");
    chunk[page_chunk].contents.size++;

    chunk[page_chunk].contents.data[17] ^= 1;
    expect_refused(0, "is not what was written");
    chunk[page_chunk].contents.data[17] ^= 1;

    chunk[page_chunk].kind = CHUNK_CKPT;
    expect_refused(0, "is not of the kind PAGE");
    chunk[page_chunk].kind = CHUNK_PAGE;

    /* Two pages of one content: refused, so that memory is bounded by the file. */
    uint8_t *second = run + RUN_SIZE;
    cr_assert_eq(second[1], PAGE_CONTENT);
    memcpy(second + 2, run + 2, 2);
    store_le32(run + 8, 1);
    store_le32(second + 8, 1);
    expect_refused(0, "is used twice");
}

/* A few bytes that tell of all pages of an overlay of 16 TiB. */
Test(checkpoint_file_bad, too_much)
{
    uint32_t last = load_le32(ckpt(0) + AT_RUNS) - 1;
    uint8_t *run = ckpt(0) + AT_RUN + (size_t)last * RUN_SIZE;
    memset(run, 0, RUN_SIZE);
    run[0] = 2;
    run[1] = PAGE_ZEROES;
    store_le32(run + 4, 0);
    store_le32(run + 8, UINT32_MAX);
    /* What is of this overlay before it goes. */
    for (uint32_t k = 0; k < last; k++)
        if (ckpt(0)[AT_RUN + k * RUN_SIZE] == 2)
            memset(ckpt(0) + AT_RUN + (size_t)k * RUN_SIZE, 0, RUN_SIZE);
    uint32_t kept = 0;
    for (uint32_t k = 0; k <= last; k++) {
        uint8_t *at = ckpt(0) + AT_RUN + (size_t)k * RUN_SIZE;
        if (load_le32(at + 8))
            memmove(ckpt(0) + AT_RUN + (size_t)kept++ * RUN_SIZE, at, RUN_SIZE);
    }
    store_le32(ckpt(0) + AT_RUNS, kept);
    store_le32(ckpt(0) + AT_STATE, load_le32(ckpt(0) + AT_STATE) + (last + 1 - kept) * RUN_SIZE);
    expect_refused(0, "too many pages of overlays");
}

/* A chain longer than any writer makes. */
Test(checkpoint_file_bad, chain)
{
    struct error err = ERROR_INIT;
    unlink(file.path);
    struct chunk_writer *out = chunk_writer_new(file.path, BEHIND, &err);
    cr_assert(out, "%s", err.message);
    uint32_t number = NO_CHUNK;
    size_t size = chunk[file.kept[0].number].contents.size;
    for (unsigned i = 0; i <= CHAIN_MOST; i++) {
        struct buffer copy = {0};
        struct checkpoint_header h = {.position = file.kept[0].position,
                                      .digest = file.kept[0].digest,
                                      .before = number,
                                      .trees = 1 + OVERLAYS};
        checkpoint_header_append(&copy, &h);
        buffer_append(&copy, ckpt(0) + AT_TREE, AT_RUN - AT_TREE);
        cr_assert_leq(copy.size, size);
        number = chunk_writer_add(out, CHUNK_CKPT, &copy);
    }
    cr_assert(chunk_writer_close(out, &err), "%s", err.message);
    opened_init(&opened, file.path);
    struct checkpoint *c = checkpoint_new_stored(file.kept[0].position, &file.kept[0].digest);
    cr_expect(!checkpoint_load(opened.source, c, number, &err));
    cr_expect(strstr(err.message, "cannot be what it builds on"), "%s", err.message);
    cr_expect(!checkpoint_load(opened.source, c, number + 1, &err));
    cr_expect(strstr(err.message, "is not there"), "%s", err.message);
    checkpoint_free(&opened.rig.snapshots, c);
    opened_fini(&opened);
}

/* Random changes with good checksums. */
Test(checkpoint_file_bad, random_changes)
{
    uint64_t random = 11;
    unsigned refused = 0;
    for (unsigned round = 0; round < 120; round++) {
        random = hash_mix(random + round);
        unsigned i = random % chunks;
        struct buffer *b = &chunk[i].contents;
        size_t size = b->size;
        struct buffer good = {0};
        buffer_append(&good, b->data, size);
        if (random >> 60 == 0)
            b->size = (random >> 8) % size;
        for (unsigned n = 0; n < 1 + (random >> 56) % 3; n++) {
            uint64_t more = hash_mix(random + n);
            size_t within = more % 2 && size > 600 ? 600 : size;
            b->data[(more >> 8) % within] = more % 4 ? (uint8_t)(more >> 48) : 0xff;
        }
        refused += load_changed() < CHECKPOINTS;
        memcpy(b->data, good.data, size);
        b->size = size;
        buffer_fini(&good);
    }
    cr_expect_gt(refused, 30);
}

/* Cut and flipped without regard for anything. */
Test(checkpoint_file_bad, damaged)
{
    write_chunks();
    FILE *f = fopen(file.path, "rb");
    static uint8_t bytes[8 << 20];
    size_t size = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    uint64_t random = 5;
    unsigned opens = 0, loads = 0;
    for (unsigned round = 0; round < 150; round++) {
        random = hash_mix(random + round);
        size_t kept = round % 2 ? size : (random >> 8) % size, at = (random >> 32) % size;
        bytes[at] ^= 1 << random % 8;
        f = fopen(file.path, "wb");
        fwrite(bytes, 1, kept, f);
        fclose(f);
        bytes[at] ^= 1 << random % 8;
        struct error err = ERROR_INIT;
        struct chunk_reader *in = chunk_reader_open(file.path, &err);
        if (!in)
            continue;
        chunk_reader_free(in);
        opened_init(&opened, file.path);
        loads += load_all();
        opened_fini(&opened);
        opens++;
    }
    cr_expect_gt(opens, 100);
    cr_expect_gt(loads, 200);
}
