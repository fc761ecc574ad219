/* What holds for every component's state. */
#include "base/hash.h"
#include "devices/aclint.h"
#include "devices/virtio.h"
#include "tests/unit/devices/bench.h"
#include "tests/unit/devices/board_bench.h"

enum { STATE_MOST = 4096 };

Test(device_state, every_byte_is_described)
{
    size_t count;
    const struct riscv_virt_table *t = riscv_virt_tables(&count);
    for (size_t i = 0; i < count; i++) {
        bool map[STATE_MOST] = {false};
        const struct fields *table = t[i].fields;
        cr_assert(table->size <= sizeof map);
        fields_coverage(table, map);
        for (unsigned at = 0; at < table->size; at++)
            cr_assert(map[at], "%s: byte %u", table->name, at);
        for (size_t other = 0; other < i; other++)
            cr_assert_str_neq(t[other].fields->name, table->name);
    }
}

/* ---- the list is whole ---- */

static struct riscv_virt_options full(bool networks)
{
    struct riscv_virt_options o = machine_of(16);
    o.bios = "none";
    o.harts = MACHINE_CPUS;
    o.semihosting = true;
    o.rtc_fixed = true;
    for (unsigned slot = 0; slot < RISCV_VIRT_SLOTS; slot++)
        o.slot[slot] = (struct riscv_virt_slot){.id = networks ? VIRTIO_ID_NET : VIRTIO_ID_BLOCK,
                                                .disk_bytes = 1 << 20};
    if (!networks) {
        o.slot[1] = (struct riscv_virt_slot){.id = VIRTIO_ID_NET};
        o.slot[3] = (struct riscv_virt_slot){.id = VIRTIO_ID_ENTROPY};
        o.slot[5] = (struct riscv_virt_slot){.id = VIRTIO_ID_CONSOLE, .ports = 2};
    }
    return o;
}

/* Each section of a full board is that of a table in the list, and none has more instances. */
static void check_sections(bool networks, bool *used)
{
    size_t count;
    const struct riscv_virt_table *t = riscv_virt_tables(&count);
    struct riscv_virt_options o = full(networks);
    struct riscv_virt *board = board_new(&o);
    struct buffer saved = {0};
    struct error err = ERROR_INIT;
    machine_save(riscv_virt_machine(board), &saved);
    const uint8_t *bytes = saved.data;
    size_t size = saved.size;
    while (size) {
        struct fields_section s;
        size_t i = 0;
        cr_assert(fields_next_section(&s, &bytes, &size, &err), "%s", err.message);
        while (i < count && strcmp(t[i].fields->name, s.name) != 0)
            i++;
        cr_assert(i < count, "%s", s.name);
        cr_assert(s.instance < t[i].instances, "%s %u", s.name, s.instance);
        used[i] = true;
    }
    const struct machine *m = riscv_virt_machine(board);
    for (unsigned d = 0; d < m->devices; d++) {
        size_t i = 0;
        while (i < count && t[i].fields != m->device[d].fields)
            i++;
        cr_assert(i < count || !m->device[d].fields, "%s", m->device[d].name);
    }
    buffer_fini(&saved);
    riscv_virt_free(board);
}

Test(device_state, every_component_of_a_full_board_is_listed)
{
    size_t count;
    bool used[64] = {false};
    const struct riscv_virt_table *t = riscv_virt_tables(&count);
    cr_assert(count <= sizeof used);
    check_sections(true, used);
    check_sections(false, used);
    for (size_t i = 0; i < count; i++)
        cr_assert(used[i], "no board has %s", t[i].fields->name);
}

/* ---- save and load ---- */

/* A state of any bytes, where the table wants nothing special. */
static void fill(const struct fields *table, uint8_t *state, uint64_t seed)
{
    for (uint32_t n = 0; n < table->count; n++) {
        const struct field *f = &table->field[n];
        for (uint32_t i = 0; i < f->count; i++) {
            uint8_t *at = state + f->offset + (size_t)i * f->size;
            if (f->nested)
                fill(f->nested, at, hash_mix(seed + n) + i);
            else
                for (uint32_t byte = 0; byte < f->size; byte++)
                    at[byte] = f->unused
                                   ? 0
                                   : (uint8_t)(hash_mix(seed + at[byte] + n * 777 + i * 9 + byte) &
                                               (f->boolean ? 1 : 0xff));
        }
    }
    for (unsigned n = 0; table->subsections && table->subsections[n]; n++)
        fill(table->subsections[n], state, seed + n + 99);
}

/* Any byte that differs in the state differs in what is saved, and comes back. Nothing shorter
 * loads. */
Test(device_state, round_trip_and_truncation)
{
    size_t count;
    const struct riscv_virt_table *t = riscv_virt_tables(&count);
    for (size_t i = 0; i < count; i++) {
        const struct fields *table = t[i].fields;
        _Alignas(16) uint8_t state[STATE_MOST] = {0}, back[STATE_MOST];
        struct buffer saved = {0};
        struct error err = ERROR_INIT;
        fill(table, state, i);
        fields_save(table, state, &saved);
        for (size_t size = 0; size <= saved.size; size++) {
            uint8_t *exact = malloc(size);
            memcpy(exact, saved.data, size);
            const uint8_t *bytes = exact;
            size_t left = size;
            memset(back, 0xee, sizeof back);
            bool ok = fields_load(table, table->version_id, back, &bytes, &left, &err);
            cr_assert_eq(ok, size == saved.size, "%s: %zu bytes: %s", table->name, size,
                         err.message);
            cr_assert(ok || !strncmp(err.message, table->name, strlen(table->name)));
            free(exact);
        }
        cr_assert_arr_eq(state, back, table->size, "%s", table->name);
        cr_assert_eq(fields_digest(table, state), fields_digest(table, back));
        buffer_fini(&saved);
    }
}

/* Both harts change registers of every device that takes any value. */
static const uint32_t busy_program[] = {
    0xf14022f3, /* csrr t0, mhartid */
    0x10000437, /* lui s0, 0x10000: uart */
    0x020044b7, /* lui s1, 0x2004: mtimecmp */
    0x00329313, /* slli t1, t0, 3 */
    0x006484b3, /* add s1, s1, t1 */
    0x0c000937, /* lui s2, 0xc000: plic */
    0x001019b7, /* lui s3, 0x101: rtc */
    0x10001a37, /* lui s4, 0x10001: virtio */
    0x00750513, /* addi a0, a0, 7 */
    0x00a403a3, /* sb a0, 7(s0): scratch */
    0x00a4b023, /* sd a0, 0(s1) */
    0x00a92223, /* sw a0, 4(s2): priority */
    0x00a9a423, /* sw a0, 8(s3): alarm_low */
    0x02aa2823, /* sw a0, 0x30(s4): queue_sel */
    0x00aa2a23, /* sw a0, 0x14(s4): features_sel */
    0xfe5ff06f, /* j . - 28 */
};

TestSuite(running_board, .init = files_begin, .fini = files_end);

Test(running_board, round_trips_at_random_positions_keep_the_digest)
{
    struct riscv_virt_options o = full(false);
    o.kernel = file("program", busy_program, sizeof busy_program);
    struct riscv_virt *board = board_new(&o), *other = board_new(&o);
    struct machine *m = riscv_virt_machine(board), *n = riscv_virt_machine(other);
    struct error err = ERROR_INIT;
    uint64_t position = 100;
    for (uint64_t i = 0; i < 200; i++) {
        struct buffer saved = {0}, again = {0}, lines = {0};
        struct machine_digest a, b;
        machine_run(m, position += hash_mix(i) % 3000);
        cr_assert_eq(machine_position(m), position);
        machine_save(m, &saved);
        cr_assert(machine_saved_versions_equal(n, saved.data, saved.size));
        cr_assert(machine_diff(n, saved.data, saved.size, 0, &lines) > 4);
        cr_assert(machine_load(n, saved.data, saved.size, &err), "%s", err.message);
        cr_assert_eq(machine_diff(n, saved.data, saved.size, 9, &lines), 0);
        machine_digest(m, &a);
        machine_digest(n, &b);
        cr_assert_eq(memcmp(&a, &b, sizeof a), 0);
        machine_save(n, &again);
        cr_assert(again.size == saved.size && !memcmp(again.data, saved.data, saved.size));
        machine_run(n, position + 50 + i % 400);
        buffer_fini(&saved);
        buffer_fini(&again);
        buffer_fini(&lines);
    }
    cr_assert(m->cpu[0]->ops->get_register(m->cpu[0], 10) > 1000, "it has run");
    riscv_virt_free(board);
    riscv_virt_free(other);
}

/* ---- streams of older versions ---- */

static bool read_stream(const char *path, struct buffer *out)
{
    FILE *f = fopen(path, "r");
    if (!f)
        return false;
    for (int c; (c = getc(f)) != EOF;)
        buffer_append_byte(out, (uint8_t)c);
    fclose(f);
    return true;
}

/* Load FOLDER/NAME-vN.bin as version N; a line to `out` if that fails. */
static void check_stream(const struct fields *table, uint32_t version, const char *folder_path,
                         struct buffer *out)
{
    char path[512];
    _Alignas(16) uint8_t state[STATE_MOST];
    struct buffer stream = {0};
    struct error err = ERROR_INIT;
    snprintf(path, sizeof path, "%s/%s-v%u.bin", folder_path, table->name, version);
    for (char *c = path + strlen(folder_path) + 1; *c; c++)
        if (*c == '/')
            *c = '-';
    if (!read_stream(path, &stream)) {
        buffer_printf(out, "%s: a state of version %u has to be there\n", path, version);
    } else {
        const uint8_t *bytes = stream.data;
        size_t size = stream.size;
        if (!fields_load(table, version, state, &bytes, &size, &err))
            buffer_printf(out, "%s: %s\n", path, err.message);
        else if (size)
            buffer_printf(out, "%s: %zu bytes too many\n", path, size);
    }
    buffer_fini(&stream);
}

/* Of a table and all that is in it. */
static void check_streams(const struct fields *table, const char *folder_path, struct buffer *out)
{
    for (uint32_t version = table->minimum_version_id; version < table->version_id; version++)
        check_stream(table, version, folder_path, out);
    for (uint32_t n = 0; n < table->count; n++)
        if (table->field[n].nested)
            check_streams(table->field[n].nested, folder_path, out);
    for (unsigned n = 0; table->subsections && table->subsections[n]; n++)
        check_streams(table->subsections[n], folder_path, out);
}

Test(device_state, every_older_version_has_a_stream_that_loads)
{
    const char *source = getenv("BACKSTEP_SOURCE");
    if (!source)
        cr_skip_test("BACKSTEP_SOURCE does not say where the streams are");
    char folder_path[256];
    struct buffer lines = {0};
    size_t count;
    const struct riscv_virt_table *t = riscv_virt_tables(&count);
    snprintf(folder_path, sizeof folder_path, "%s/tests/golden/vmstate/streams", source);
    for (size_t i = 0; i < count; i++)
        check_streams(t[i].fields, folder_path, &lines);
    cr_assert_eq(lines.size, 0, "%s", buffer_text(&lines));
    buffer_fini(&lines);
}

struct planted {
    uint32_t a, b;
};

static bool needs_b(const void *state)
{
    return ((const struct planted *)state)->b;
}

/* The check above, where there is something to find. */
Test(running_board, a_version_without_its_stream_is_found)
{
    static const struct field a_field[] = {FIELD(struct planted, a)};
    static const struct field b_field[] = {FIELD(struct planted, b)};
    static const struct fields b =
        FIELDS("planted/b", struct planted, 2, 1, b_field, .needed = needs_b);
    static const struct fields *const list[] = {&b, NULL};
    static const struct fields inner =
        FIELDS("planted", struct planted, 4, 2, a_field, .subsections = list);
    static const struct field around_field[] = {
        {.name = "inner", .size = sizeof(struct planted), .count = 1, .nested = &inner}};
    static const struct fields around = FIELDS("around", struct planted, 1, 1, around_field);
    struct buffer lines = {0}, expected = {0};
    file("planted-v3.bin", "\1\2\3\4\0", 5);
    check_streams(&around, folder, &lines);
    buffer_printf(&expected,
                  "%s/planted-v2.bin: a state of version 2 has to be there\n"
                  "%s/planted-b-v1.bin: a state of version 1 has to be there\n",
                  folder, folder);
    cr_assert_str_eq(buffer_text(&lines), buffer_text(&expected));
    buffer_clear(&lines);
    file("planted-v2.bin", "\1\2\3", 3);
    file("planted-b-v1.bin", "\1\2\3\4\0\0", 6);
    check_streams(&around, folder, &lines);
    buffer_clear(&expected);
    buffer_printf(&expected,
                  "%s/planted-v2.bin: planted: state ends inside field a: 3 of 4 bytes\n"
                  "%s/planted-b-v1.bin: 1 bytes too many\n",
                  folder, folder);
    cr_assert_str_eq(buffer_text(&lines), buffer_text(&expected));
    buffer_fini(&lines);
    buffer_fini(&expected);
}

/* ---- restoring ---- */

/* Restoring a device moves no wire, arms no timer, and its registers read as before. */
Test(device_state, restore_is_silent)
{
    static struct aclint aclint;
    struct bench b;
    bench_init(&b, 1);
    struct irq software = bench_wire(&b, 0), deadline = bench_wire(&b, 1);
    aclint_init(&aclint, &b.m, 0x2000000, 0x10000, &software, &deadline);
    bench_reset(&b);
    bench_write(&b, 0x2000000, 4, 1);
    bench_write(&b, 0x2004000, 8, 12345);
    struct buffer saved = bench_save(&b, 0);
    bench_reset(&b);
    unsigned moves = b.moves;
    uint64_t next = b.m.clock.next;
    const uint8_t *bytes = saved.data;
    size_t size = saved.size;
    struct error err = ERROR_INIT;
    cr_assert(fields_load(&aclint_fields, 1, &aclint.state, &bytes, &size, &err));
    if (b.m.device[0].restored)
        b.m.device[0].restored(b.m.device[0].ctx);
    cr_assert_eq(b.moves, moves);
    cr_assert_eq(b.m.clock.next, next);
    cr_assert_eq(bench_read(&b, 0x2000000, 4), 1);
    cr_assert_eq(bench_read(&b, 0x2004000, 8), 12345);
    buffer_fini(&saved);
    bench_fini(&b);
}
