#include "devices/virtio_blk.h"

#include "tests/unit/devices/disk_bench.h"
#include "tests/unit/devices/virtio_bench.h"

enum { SECTORS = 30 * 8 + 3, BYTES = SECTORS * DISK_SECTOR, QUEUE = 256, MOST = 64 << 10 };
enum { IN = 0, OUT = 1, FLUSH = 4, GET_ID = 8, DISCARD = 11, WRITE_ZEROES = 13 };
enum { OK = 0, IOERR = 1, UNSUPP = 2, NONE = 0xff };
enum { UNTOUCHED = 0xee };

struct rig {
    struct bench b;
    struct disk_bench images;
    struct disk disk;
    struct virtio_blk blk;
    struct driver d;
    uint64_t random;
    uint8_t flat[BYTES]; /* what ought to be on the disk */
};

static struct rig *rig_of(bool read_only, const char *serial)
{
    struct rig *r = calloc(1, sizeof *r);
    bench_init(&r->b, 1);
    r->b.cpu[0].state = r; /* of no bytes */
    disk_bench_init(&r->images, &r->b, BYTES);
    disk_init(&r->disk, &r->b.m, 0, BYTES, read_only);
    const struct virtio_blk_config config = {.base = VIRTIO_BENCH_BASE,
                                             .size = VIRTIO_BENCH_WINDOW,
                                             .irq = bench_wire(&r->b, VIRTIO_BENCH_WIRE),
                                             .disk = &r->disk,
                                             .serial = serial};
    virtio_blk_init(&r->blk, &r->b.m, &config);
    machine_reset(&r->b.m);
    driver_init(&r->d, &r->b);
    memcpy(r->flat, r->images.image, BYTES);
    driver_start(&r->d, VIRTIO_F_INDIRECT_DESC, 1, QUEUE);
    return r;
}

static struct rig *rig_new(void)
{
    return rig_of(false, NULL);
}

static void rig_free(struct rig *r)
{
    log_set_sink(NULL, NULL);
    disk_fini(&r->disk);
    disk_bench_fini(&r->images);
    bench_fini(&r->b);
    free(r);
}

static uint64_t chance(struct rig *r, uint64_t below)
{
    r->random = hash_mix(r->random + 0x9e3779b97f4a7c15u);
    return (r->random >> 8) % below;
}

static void expect_disk(struct rig *r)
{
    static uint8_t bytes[BYTES];
    cr_assert(disk_read(&r->disk, 0, bytes, BYTES));
    cr_assert(!memcmp(bytes, r->flat, BYTES));
}

/* ---- requests ---- */

struct request {
    uint32_t type;
    uint64_t sector;
    const void *out;
    uint32_t out_size, in_size; /* data */
    uint32_t header_size;       /* 0: as it should be */
    bool no_status;
    unsigned pieces; /* each direction is split into so many buffers at most; 0: one */
    bool indirect;
};

struct answer {
    uint8_t status;
    uint8_t data[MOST]; /* in_size bytes */
    uint32_t written;
    bool given;
};

static uint64_t header_of(struct request q, uint8_t *bytes)
{
    store_le32(bytes, q.type);
    store_le32(bytes + 4, 0xdddddddd);
    store_le64(bytes + 8, q.sector);
    return q.header_size ? q.header_size : 16;
}

/* `size` bytes in up to `pieces` buffers, cut at random places; returns how many. */
static unsigned cut(struct rig *r, struct driver_buffer *buffer, const uint8_t *bytes,
                    uint64_t size, unsigned pieces, bool write)
{
    unsigned count = 0;
    uint64_t at = 0;
    while (at < size) {
        uint64_t rest = size - at, part = rest;
        if (count + 1 < pieces)
            part = 1 + chance(r, chance(r, 4) ? rest : rest < 20 ? rest : 20);
        buffer[count++] = driver_buffer(&r->d, bytes + at, (uint32_t)part, write);
        driver_alloc(&r->d, chance(r, 7) + 1, 1);
        at += part;
    }
    return count;
}

struct flight {
    struct driver_buffer buffer[QUEUE];
    unsigned readable, writable;
    uint16_t head;
};

/* Make it available. */
static void submit(struct rig *r, struct request q, struct flight *f)
{
    static uint8_t out[16 + MOST], in[MOST + 1];
    uint64_t header = header_of(q, out);
    if (q.out_size)
        memcpy(out + header, q.out, q.out_size);
    memset(in, UNTOUCHED, sizeof in);
    unsigned pieces = q.pieces ? q.pieces : 1;
    f->readable = cut(r, f->buffer, out, header + q.out_size, pieces, false);
    f->writable = cut(r, f->buffer + f->readable, in, q.in_size + !q.no_status, pieces, true);
    unsigned count = f->readable + f->writable;
    f->head = q.indirect ? driver_add_indirect(&r->d, 0, f->buffer, count)
                         : driver_add(&r->d, 0, f->buffer, count);
}

static struct answer *collect(struct rig *r, struct request q, const struct flight *f)
{
    static struct answer a;
    static uint8_t in[MOST + 1];
    uint32_t head;
    uint64_t at = 0;
    a = (struct answer){.status = NONE};
    a.given = driver_used(&r->d, 0, &head, &a.written);
    cr_assert(!a.given || head == f->head);
    for (unsigned i = f->readable; i < f->readable + f->writable; i++) {
        memcpy(in + at, driver_ram(&r->d, f->buffer[i].address), f->buffer[i].size);
        at += f->buffer[i].size;
    }
    memcpy(a.data, in, q.in_size);
    if (!q.no_status)
        a.status = in[q.in_size];
    return &a;
}

static struct answer *request(struct rig *r, struct request q)
{
    static struct flight f;
    uint64_t mark = r->d.free;
    submit(r, q, &f);
    driver_notify(&r->d, 0);
    driver_wait(&r->d);
    struct answer *a = collect(r, q, &f);
    r->d.free = mark;
    return a;
}

static void expect_untouched(const struct answer *a, uint32_t from, uint32_t size)
{
    for (uint32_t i = from; i < size; i++)
        cr_assert_eq(a->data[i], UNTOUCHED, "byte %u", i);
}

/* ---- what it says of itself ---- */

static uint64_t feature(unsigned bit)
{
    return UINT64_C(1) << bit;
}

Test(virtio_blk, configuration)
{
    struct rig *r = rig_new();
    cr_expect_eq(driver_get(&r->d, REG_DEVICE_ID), 2);
    cr_expect_eq(driver_offered(&r->d), feature(2) | feature(6) | feature(9) | feature(13) |
                                            feature(14) | VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX |
                                            VIRTIO_F_INDIRECT_DESC);
    static const uint32_t words[] = {[0] = SECTORS, [3] = 254,    [5] = 512, [9] = 32768, [10] = 8,
                                     [11] = 8,      [12] = 32768, [13] = 8,  [14] = 1};
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
        cr_expect_eq(driver_get(&r->d, REG_CONFIG + 4 * i), words[i], "word %u", i);
    rig_free(r);
}

Test(virtio_blk, configuration_read_only)
{
    struct rig *r = rig_of(true, NULL);
    cr_expect_eq(driver_offered(&r->d), feature(2) | feature(5) | feature(6) | feature(9) |
                                            VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX |
                                            VIRTIO_F_INDIRECT_DESC);
    cr_expect_eq(driver_get(&r->d, REG_CONFIG), SECTORS);
    for (unsigned at = 36; at < 60; at += 4)
        cr_expect_eq(driver_get(&r->d, REG_CONFIG + at), 0);
    rig_free(r);
}

Test(virtio_blk, serial_number)
{
    static const struct {
        const char *serial, *told;
    } cases[] = {{NULL, ""},
                 {"disk-0", "disk-0"},
                 {"exactly-twenty-bytes", "exactly-twenty-bytes"},
                 {"more than twenty bytes, cut", "more than twenty byt"}};
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rig *r = rig_of(i == 1, cases[i].serial);
        char expected[20] = {0};
        memcpy(expected, cases[i].told, strlen(cases[i].told));
        struct answer *a = request(r, (struct request){.type = GET_ID, .in_size = 20, .pieces = 5});
        cr_expect_eq(a->status, OK);
        cr_expect_eq(a->written, 21);
        cr_expect_arr_eq(a->data, expected, 20);
        rig_free(r);
    }
}

/* ---- what it does ---- */

static void random_read(struct rig *r, struct request q)
{
    q.type = IN;
    q.in_size = (uint32_t)chance(r, 40) * DISK_SECTOR;
    if (q.sector * DISK_SECTOR + q.in_size > BYTES)
        q.in_size = (uint32_t)(BYTES - q.sector * DISK_SECTOR);
    memset(r->images.reads_of, 0, sizeof r->images.reads_of);
    struct answer *a = request(r, q);
    cr_assert_eq(a->status, OK);
    cr_assert_eq(a->written, q.in_size + 1);
    cr_assert(!memcmp(a->data, r->flat + q.sector * DISK_SECTOR, q.in_size));
    for (unsigned i = 0; i < DISK_BENCH_BLOCKS; i++)
        cr_assert_leq(r->images.reads_of[i], 1, "block %u is read once", i);
}

static void random_write(struct rig *r, struct request q)
{
    static uint8_t bytes[40 * DISK_SECTOR];
    q.type = OUT;
    q.out = bytes;
    q.out_size = (uint32_t)chance(r, 40) * DISK_SECTOR;
    if (q.sector * DISK_SECTOR + q.out_size > BYTES)
        q.out_size = (uint32_t)(BYTES - q.sector * DISK_SECTOR);
    for (uint32_t i = 0; i < q.out_size; i++)
        bytes[i] = (uint8_t)hash_mix(r->random + i);
    memcpy(r->flat + q.sector * DISK_SECTOR, bytes, q.out_size);
    struct answer *a = request(r, q);
    cr_assert_eq(a->status, OK);
    cr_assert_eq(a->written, 1);
}

static void put_segment(uint8_t *to, uint64_t sector, uint32_t sectors, uint32_t flags)
{
    store_le64(to, sector);
    store_le32(to + 8, sectors);
    store_le32(to + 12, flags);
}

static void random_zeroes(struct rig *r, struct request q)
{
    uint8_t segments[8 * 16];
    unsigned count = 1 + (unsigned)chance(r, 8);
    q.type = chance(r, 2) ? DISCARD : WRITE_ZEROES;
    q.out = segments;
    q.out_size = 16 * count;
    q.sector = 0;
    for (unsigned i = 0; i < count; i++) {
        uint64_t sector = chance(r, SECTORS + 1), sectors = chance(r, 20);
        if (sectors > SECTORS - sector)
            sectors = SECTORS - sector;
        put_segment(segments + 16 * i, sector, (uint32_t)sectors,
                    q.type == WRITE_ZEROES ? (uint32_t)chance(r, 2) : 0);
        memset(r->flat + sector * DISK_SECTOR, 0, sectors * DISK_SECTOR);
    }
    struct answer *a = request(r, q);
    cr_assert_eq(a->status, OK);
    cr_assert_eq(a->written, 1);
}

Test(virtio_blk, is_a_disk)
{
    struct rig *r = rig_new();
    for (unsigned round = 0; round < 3000; round++) {
        struct request q = {.sector = chance(r, SECTORS + 1),
                            .pieces = 1 + (unsigned)chance(r, 100),
                            .indirect = chance(r, 2)};
        switch (chance(r, 8)) {
        case 0 ... 2:
            random_read(r, q);
            break;
        case 3 ... 5:
            random_write(r, q);
            break;
        case 6:
            random_zeroes(r, q);
            break;
        default:
            q.type = FLUSH;
            cr_assert_eq(request(r, q)->status, OK);
        }
        if (round % 100 == 0)
            expect_disk(r);
    }
    expect_disk(r);
    cr_expect_eq(r->d.guest_lines, 0, "%s", r->d.last_line);
    cr_expect(!driver_broken(&r->d));
    rig_free(r);
}

Test(virtio_blk, read_only)
{
    struct rig *r = rig_of(true, "x");
    uint8_t bytes[DISK_SECTOR] = {1};
    struct answer *a = request(
        r, (struct request){.type = OUT, .sector = 1, .out = bytes, .out_size = sizeof bytes});
    cr_expect_eq(a->status, IOERR);
    cr_expect_eq(a->written, 1);
    put_segment(bytes, 0, 8, 0);
    cr_expect_eq(
        request(r, (struct request){.type = DISCARD, .out = bytes, .out_size = 16})->status, IOERR);
    cr_expect_eq(
        request(r, (struct request){.type = WRITE_ZEROES, .out = bytes, .out_size = 16})->status,
        IOERR);
    cr_expect_eq(r->disk.overlay.dirty_count, 0);
    cr_expect_eq(request(r, (struct request){.type = FLUSH})->status, OK);
    a = request(r, (struct request){.type = IN, .sector = 1, .in_size = DISK_SECTOR});
    cr_expect_eq(a->status, OK);
    cr_expect_arr_eq(a->data, r->flat + DISK_SECTOR, DISK_SECTOR);
    expect_disk(r);
    rig_free(r);
}

/* ---- what is wrong ---- */

static uint8_t some[32 * DISK_SECTOR];

Test(virtio_blk, bad_requests)
{
    static const struct {
        struct request q;
        uint8_t status;
    } cases[] = {
        {{.type = IN, .sector = SECTORS, .in_size = 512}, IOERR},
        {{.type = IN, .sector = SECTORS - 1, .in_size = 1024}, IOERR},
        {{.type = IN, .sector = UINT64_MAX, .in_size = 512}, IOERR},
        {{.type = IN, .sector = UINT64_C(1) << 55, .in_size = 512}, IOERR},
        {{.type = IN, .sector = (UINT64_C(1) << 55) + 1, .in_size = 512}, IOERR},
        {{.type = IN, .in_size = 511}, IOERR},
        {{.type = IN, .in_size = 513}, IOERR},
        {{.type = IN, .in_size = 512, .out = some, .out_size = 1}, IOERR},
        {{.type = IN, .out = some, .out_size = 512}, IOERR},
        {{.type = IN, .in_size = 512, .header_size = 15}, IOERR},
        {{.type = IN, .in_size = 512, .header_size = 1}, IOERR},
        {{.type = OUT, .sector = SECTORS, .out = some, .out_size = 512}, IOERR},
        {{.type = OUT, .sector = SECTORS - 1, .out = some, .out_size = 1024}, IOERR},
        {{.type = OUT, .sector = UINT64_MAX - 1, .out = some, .out_size = 1024}, IOERR},
        {{.type = OUT, .out = some, .out_size = 100}, IOERR},
        {{.type = OUT, .out = some, .out_size = 512, .in_size = 1}, IOERR},
        {{.type = OUT, .in_size = 512}, IOERR},
        {{.type = FLUSH, .in_size = 1}, IOERR},
        {{.type = FLUSH, .out = some, .out_size = 512}, IOERR},
        {{.type = GET_ID, .in_size = 19}, IOERR},
        {{.type = GET_ID, .in_size = 21}, IOERR},
        {{.type = GET_ID, .in_size = 0}, IOERR},
        {{.type = GET_ID, .in_size = 20, .out = some, .out_size = 1}, IOERR},
        {{.type = DISCARD}, IOERR},
        {{.type = DISCARD, .out = some, .out_size = 15}, IOERR},
        {{.type = DISCARD, .out = some, .out_size = 9 * 16}, IOERR},
        {{.type = WRITE_ZEROES, .out = some, .out_size = 16, .in_size = 1}, IOERR},
        {{.type = 2}, UNSUPP}, /* SCSI, of old */
        {{.type = 3, .in_size = 96}, UNSUPP},
        {{.type = 10, .in_size = 40}, UNSUPP},               /* lifetime */
        {{.type = 14, .out = some, .out_size = 16}, UNSUPP}, /* secure erase */
        {{.type = UINT32_MAX, .in_size = 512}, UNSUPP},
        {{.type = 0x80000000, .out = some, .out_size = 512}, UNSUPP}, /* barrier, of old */
    };
    struct rig *r = rig_new();
    memset(some, 0, sizeof some);
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (unsigned pieces = 1; pieces < 6; pieces += 2) {
            struct request q = cases[i].q;
            q.pieces = pieces;
            q.indirect = pieces == 3;
            unsigned lines = r->d.guest_lines;
            struct answer *a = request(r, q);
            cr_assert(a->given, "case %u", i);
            cr_assert_eq(a->status, cases[i].status, "case %u: %u", i, a->status);
            cr_assert_eq(a->written, q.in_size ? 0 : 1, "case %u: %u", i, a->written);
            expect_untouched(a, 0, q.in_size);
            cr_assert_eq(r->d.guest_lines, lines + 1, "case %u is said", i);
        }
    }
    cr_expect(!driver_broken(&r->d));
    cr_expect_eq(r->disk.overlay.dirty_count, 0);
    /* And it goes on. */
    cr_expect_eq(request(r, (struct request){.type = IN, .in_size = 512})->status, OK);
    expect_disk(r);
    rig_free(r);
}

/* Segments of discards and zeroes: one that is wrong, and none is done. */
Test(virtio_blk, bad_segments)
{
    static const struct {
        uint32_t type;
        uint64_t sector;
        uint32_t sectors, flags;
        uint8_t status;
    } cases[] = {
        {DISCARD, SECTORS, 1, 0, IOERR},
        {DISCARD, SECTORS - 1, 2, 0, IOERR},
        {DISCARD, UINT64_MAX, 1, 0, IOERR},
        {DISCARD, 0, VIRTIO_BLK_ZERO_SECTORS + 1, 0, IOERR},
        {DISCARD, 1, UINT32_MAX, 0, IOERR},
        {DISCARD, 0, 1, 1, UNSUPP},
        {DISCARD, 0, 1, 2, UNSUPP},
        {WRITE_ZEROES, SECTORS, 1, 1, IOERR},
        {WRITE_ZEROES, UINT64_C(1) << 55, 1, 0, IOERR},
        {WRITE_ZEROES, 0, UINT32_MAX, 0, IOERR},
        {WRITE_ZEROES, 0, 1, 3, UNSUPP},
        {WRITE_ZEROES, 0, 1, 0x80000000, UNSUPP},
    };
    struct rig *r = rig_new();
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t segments[3 * 16];
        put_segment(segments, 8, 8, 0);
        put_segment(segments + 16, cases[i].sector, cases[i].sectors, cases[i].flags);
        put_segment(segments + 32, 16, 8, 0);
        struct request q = {.type = cases[i].type, .out = segments, .out_size = sizeof segments};
        cr_assert_eq(request(r, q)->status, cases[i].status, "case %u", i);
        cr_assert_eq(r->disk.overlay.dirty_count, 0, "case %u", i);
    }
    cr_expect(!driver_broken(&r->d));
    rig_free(r);
}

Test(virtio_blk, a_request_without_status_breaks_it)
{
    struct rig *r = rig_new();
    struct request q = {.type = OUT, .out = some, .out_size = 512, .no_status = true};
    struct answer *a = request(r, q);
    cr_expect(driver_broken(&r->d));
    cr_expect(!a->given);
    cr_expect_eq(r->d.guest_lines, 1);
    cr_expect_eq(r->disk.overlay.dirty_count, 0);
    expect_disk(r);
    /* A reset mends it. */
    driver_start(&r->d, 0, 1, QUEUE);
    cr_expect_eq(request(r, (struct request){.type = FLUSH})->status, OK);
    rig_free(r);
}

/* The same RAM many times over: more than a request may have, of a disk that has as much. */
Test(virtio_blk, too_large)
{
    struct rig *r = rig_new();
    struct disk large;
    disk_init(&large, &r->b.m, 1, UINT64_C(1) << 32, false);
    r->blk.disk = &large;
    uint8_t header[16] = {IN};
    struct driver_buffer buffer[QUEUE];
    buffer[0] = driver_buffer(&r->d, header, sizeof header, false);
    struct driver_buffer data = driver_buffer(&r->d, NULL, 1 << 19, true);
    for (unsigned i = 1; i < QUEUE - 1; i++)
        buffer[i] = data;
    buffer[QUEUE - 1] = driver_buffer(&r->d, NULL, 1, true);
    for (unsigned i = 1; i < QUEUE - 1; i++)
        buffer[i].size = VIRTIO_BLK_DATA_MOST / 254 / 512 * 512 + 512;
    unsigned reads = r->images.reads;
    cr_expect_eq(driver_request(&r->d, 0, buffer, QUEUE), 0);
    cr_expect_eq(*driver_ram(&r->d, buffer[QUEUE - 1].address), IOERR);
    cr_expect_eq(r->images.reads, reads);
    uint8_t segment[16];
    struct request q = {.type = DISCARD, .out = segment, .out_size = sizeof segment};
    put_segment(segment, 8, VIRTIO_BLK_ZERO_SECTORS + 1, 0);
    cr_expect_eq(request(r, q)->status, IOERR);
    cr_expect_eq(large.overlay.dirty_count, 0);
    put_segment(segment, 8, VIRTIO_BLK_ZERO_SECTORS, 0);
    cr_expect_eq(request(r, q)->status, OK);
    cr_expect_eq(large.overlay.dirty_count, VIRTIO_BLK_ZERO_SECTORS / 8);
    disk_fini(&large);
    rig_free(r);
}

Test(virtio_blk, host_errors)
{
    struct rig *r = rig_new();
    r->images.fails[2] = true;
    struct answer *a = request(
        r, (struct request){.type = IN, .sector = 4, .in_size = 24 * DISK_SECTOR, .pieces = 9});
    cr_expect_eq(a->status, IOERR);
    cr_expect_eq(a->written, 12 * DISK_SECTOR, "what was read before it");
    cr_expect_arr_eq(a->data, r->flat + 4 * DISK_SECTOR, 12 * DISK_SECTOR);
    expect_untouched(a, 12 * DISK_SECTOR, 24 * DISK_SECTOR);
    /* A part of the block cannot be written, all of it can. */
    struct request q = {.type = OUT, .sector = 17, .out = some, .out_size = 512};
    cr_expect_eq(request(r, q)->status, IOERR);
    q = (struct request){.type = OUT, .sector = 16, .out = some, .out_size = 4096};
    cr_expect_eq(request(r, q)->status, OK);
    memcpy(r->flat + 16 * DISK_SECTOR, some, 4096);
    expect_disk(r);
    rig_free(r);
}

/* ---- time and order ---- */

Test(virtio_blk, takes_its_time)
{
    struct rig *r = rig_new();
    static struct flight f;
    struct request q = {.type = IN, .in_size = 8 * DISK_SECTOR};
    submit(r, q, &f);
    driver_notify(&r->d, 0);
    uint64_t time = VIRTIO_BLK_LATENCY_NS + (16 + 8 * DISK_SECTOR + 1);
    driver_pass(&r->d, time - 1);
    cr_expect_eq(driver_used_count(&r->d, 0), 0);
    cr_expect_eq(r->images.reads, 0, "nothing is done before its time");
    cr_expect(!driver_irq(&r->d));
    driver_pass(&r->d, 1);
    cr_expect_eq(driver_used_count(&r->d, 0), 1);
    cr_expect(driver_irq(&r->d));
    cr_expect_eq(collect(r, q, &f)->status, OK);
    rig_free(r);
}

Test(virtio_blk, in_the_order_of_the_ring)
{
    struct rig *r = rig_new();
    static struct flight f[5];
    uint8_t first[512], second[512], segment[16];
    memset(first, 1, sizeof first);
    memset(second, 2, sizeof second);
    put_segment(segment, 3, 1, 0);
    const struct request q[5] = {{.type = OUT, .sector = 3, .out = first, .out_size = 512},
                                 {.type = OUT, .sector = 4, .out = second, .out_size = 512},
                                 {.type = FLUSH},
                                 {.type = DISCARD, .out = segment, .out_size = 16},
                                 {.type = IN, .sector = 3, .in_size = 1024}};
    for (unsigned i = 0; i < 5; i++)
        submit(r, q[i], &f[i]);
    driver_notify(&r->d, 0);
    /* When the flush is given back, what was written before it is on the disk. */
    while (driver_used_count(&r->d, 0) < 3)
        driver_pass(&r->d, 1000);
    uint8_t bytes[1024];
    cr_expect(disk_read(&r->disk, 3 * DISK_SECTOR, bytes, sizeof bytes));
    cr_expect_arr_eq(bytes, first, 512);
    cr_expect_arr_eq(bytes + 512, second, 512);
    driver_wait(&r->d);
    for (unsigned i = 0; i < 5; i++) {
        struct answer *a = collect(r, q[i], &f[i]);
        cr_assert(a->given);
        cr_assert_eq(a->status, OK);
    }
    struct answer *a = collect(r, q[4], &f[4]);
    cr_expect_eq(a->data[0], 0);
    cr_expect_eq(a->data[512], 2);
    rig_free(r);
}

/* A request under way is state: after a load it is done again, at the same time, the same way. */
Test(virtio_blk, in_flight)
{
    struct rig *r = rig_new();
    struct machine *m = &r->b.m;
    static struct flight f[2];
    uint8_t bytes[1024];
    memset(bytes, 0x5a, sizeof bytes);
    const struct request write = {.type = OUT, .sector = 7, .out = bytes, .out_size = 1024},
                         read = {.type = IN, .sector = 6, .in_size = 2048};
    submit(r, write, &f[0]);
    submit(r, read, &f[1]);
    driver_notify(&r->d, 0);
    driver_pass(&r->d, 1000);
    cr_assert(virtio_busy(&r->blk.virtio));

    struct buffer saved = {0};
    machine_save(m, &saved);
    uint8_t *ram = malloc(m->ram.size);
    memcpy(ram, m->ram.host, m->ram.size);
    uint64_t digest[2], ended[2];
    for (unsigned round = 0; round < 2; round++) {
        driver_wait(&r->d);
        struct machine_digest now;
        machine_digest(m, &now);
        digest[round] = hash_bytes(&now, sizeof now, 0);
        digest[round] = hash_bytes(m->ram.host, m->ram.size, digest[round]);
        ended[round] = driver_now(&r->d);
        memcpy(r->flat + 7 * DISK_SECTOR, bytes, sizeof bytes);
        expect_disk(r);
        if (round)
            break;
        struct error err = ERROR_INIT;
        overlay_clear_dirty(&r->disk.overlay);
        memcpy(m->ram.host, ram, m->ram.size);
        machine_reset(m);
        memcpy(m->ram.host, ram, m->ram.size);
        cr_assert(machine_load(m, saved.data, saved.size, &err), "%s", err.message);
        cr_assert(virtio_busy(&r->blk.virtio));
    }
    cr_expect_eq(digest[0], digest[1]);
    cr_expect_eq(ended[0], ended[1]);
    cr_expect_eq(collect(r, write, &f[0])->status, OK);
    struct answer *a = collect(r, read, &f[1]);
    cr_expect_eq(a->status, OK);
    cr_expect_arr_eq(a->data, r->flat + 6 * DISK_SECTOR, 2048);
    buffer_fini(&saved);
    free(ram);
    rig_free(r);
}

/* A reset of the machine ends what is under way; the disk keeps what was written. */
Test(virtio_blk, reset)
{
    struct rig *r = rig_new();
    static struct flight f;
    struct request q = {.type = OUT, .sector = 0, .out = some, .out_size = 512};
    memset(some, 9, 512);
    memcpy(r->flat, some, 512);
    cr_expect_eq(request(r, q)->status, OK);
    q.sector = 1;
    submit(r, q, &f);
    driver_notify(&r->d, 0);
    machine_reset(&r->b.m);
    cr_expect(!virtio_busy(&r->blk.virtio));
    cr_expect_eq(machine_next_deadline(&r->b.m), CLOCK_NEVER);
    cr_expect_eq(driver_get(&r->d, REG_STATUS), 0);
    expect_disk(r);
    rig_free(r);
}
