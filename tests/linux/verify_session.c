/* verify_session CHECK... -- RUN-OPTION...: `backstep run RUN-OPTION...`, and when the machine has
 * gone off, proofs about the session that it was, whoever typed in it:
 *
 *   intervals      every interval from its own checkpoint, each digest compared
 *   ends=N         from N random checkpoints to the end
 *   pieces         once from the beginning to the end in random pieces
 *   drops          the same, with caches emptied at random positions
 *   restores=N     N random positions equal those of a straight run on a machine of its own, disks
 *                  included
 *   in-flight=N    N of these positions lie in the midst of a virtio request
 *   walk=N         N random moves: steps and seeks in both directions around these positions
 *   seed=N         of all that is random
 *
 * Prints a line for each; exits with 1 at the first that fails, with the run's status if that is
 * not 0. */
#include "base/check.h"
#include "cli/assembly.h"
#include "devices/virtio.h"
#include "timeline/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Between looks for requests under way: a disk's take longer. */
enum { IN_FLIGHT_STEPS = 1500 };

struct checks {
    bool intervals, pieces, drops;
    uint64_t ends, restores, in_flight, walk;
};

struct verify {
    struct checks checks;
    struct assembly *assembly;
    struct timeline *tl;
    struct machine *m;
    uint64_t random;
};

static uint64_t below(struct verify *v, uint64_t n)
{
    v->random = v->random * 6364136223846793005u + 1442695040888963407u;
    return (v->random >> 11) % n;
}

static void fail(const char *what, uint64_t position, const struct stop *stop)
{
    printf("%s: at %" PRIu64 ": reason %d at %" PRIu64 " %s\n", what, position, (int)stop->reason,
           stop->position, stop->text);
    exit(1);
}

static struct stop seek(struct verify *v, const char *what, uint64_t position)
{
    struct stop stop = {0};
    timeline_seek(v->tl, position);
    timeline_finish(v->tl, &stop);
    if (stop.reason != STOP_DONE || stop.position != position)
        fail(what, position, &stop);
    return stop;
}

/* Forward from here to position n, through all digests on the way. */
static void forward_to(struct verify *v, const char *what, uint64_t n)
{
    struct stop stop = {0};
    timeline_continue_to(v->tl, n);
    timeline_finish(v->tl, &stop);
    bool ended = n == timeline_tip(v->tl) && (stop.reason == STOP_END || stop.reason == STOP_HALT);
    if (stop.position != n || (stop.reason != STOP_DONE && !ended))
        fail(what, n, &stop);
}

/* Positions of the automatic checkpoints, and the tip. */
static uint64_t *checkpoint_positions(struct verify *v, size_t *count)
{
    const struct history *h = &v->tl->history;
    uint64_t *positions = mem_new(h->entries + 1, sizeof *positions);
    size_t n = 0;
    for (size_t i = 0; i < h->entries; i++)
        if (!h->entry[i].born)
            positions[n++] = h->entry[i].checkpoint->position;
    if (positions[n - 1] != timeline_tip(v->tl))
        positions[n++] = timeline_tip(v->tl);
    *count = n;
    return positions;
}

static void check_intervals(struct verify *v)
{
    size_t count;
    uint64_t *position = checkpoint_positions(v, &count);
    for (size_t i = 0; i + 1 < count; i++) {
        seek(v, "intervals", position[i]);
        /* From the checkpoint itself, not from where the machine happens to be. */
        run_leave_live(v->tl);
        struct stop stop = {.reason = STOP_DIVERGED};
        if (!run_restore(v->tl, position[i]))
            fail("intervals", position[i], &stop);
        forward_to(v, "intervals", position[i + 1]);
    }
    printf("intervals: %zu replayed, %zu digests\n", count - 1, v->tl->history.marks);
    free(position);
}

static void check_ends(struct verify *v)
{
    size_t count;
    uint64_t *position = checkpoint_positions(v, &count);
    for (uint64_t i = 0; i < v->checks.ends; i++) {
        seek(v, "ends", position[below(v, count - 1)]);
        forward_to(v, "ends", timeline_tip(v->tl));
    }
    printf("ends: %" PRIu64 " replays to the end\n", v->checks.ends);
    free(position);
}

static void check_pieces(struct verify *v, const char *what, bool drop)
{
    uint64_t tip = timeline_tip(v->tl), n = 0, pieces = 0;
    seek(v, what, 0);
    for (; n < tip; pieces++) {
        uint64_t size = below(v, 1000) < 900 ? tip / 200 : 1 + below(v, 3000);
        n = tip - n > size ? n + 1 + below(v, size) : tip;
        forward_to(v, what, n);
        if (drop)
            machine_drop_caches(v->m, 1 + (unsigned)below(v, 3));
    }
    printf("%s: %" PRIu64 " of them\n", what, pieces);
}

/* ---- against a straight run ---- */

/* Where the machine's virtio devices keep "a request is taken and not yet served". */
struct busy {
    const uint8_t *byte[MACHINE_DEVICES * VIRTIO_QUEUES];
    size_t count;
};

static void find_busy(struct busy *b, const struct fields *table, const uint8_t *state)
{
    for (uint32_t i = 0; i < table->count; i++) {
        const struct field *f = &table->field[i];
        for (uint32_t k = 0; k < f->count; k++) {
            const uint8_t *at = state + f->offset + (size_t)k * f->size;
            if (f->nested)
                find_busy(b, f->nested, at);
            else if (!strcmp(f->name, "busy") && b->count < sizeof b->byte / sizeof *b->byte)
                b->byte[b->count++] = at;
        }
    }
}

static struct busy machine_busy(const struct machine *m)
{
    struct busy b = {.count = 0};
    for (unsigned i = 0; i < m->devices; i++)
        if (m->device[i].fields && !strncmp(m->device[i].name, "virtio", 6))
            find_busy(&b, m->device[i].fields, m->device[i].state);
    return b;
}

static bool request_in_flight(const struct busy *b)
{
    for (size_t i = 0; i < b->count; i++)
        if (*b->byte[i])
            return true;
    return false;
}

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* A machine of its own that replays the log straight through. */
struct straight {
    struct riscv_virt *board;
    struct machine *m;
    struct player player;
};

static void straight_begin(struct verify *v, struct straight *s)
{
    struct error err = ERROR_INIT;
    s->board = assembly_another_board(v->assembly, &err);
    if (!s->board) {
        printf("no second machine: %s\n", err.message);
        exit(1);
    }
    s->m = riscv_virt_machine(s->board);
    s->player = (struct player){.machine = s->m, .log = v->tl->log, .reads = v->tl->reads};
    player_attach(&s->player, 0);
}

static void straight_to(struct straight *s, uint64_t position)
{
    player_run(&s->player, position);
    if (!s->player.failure.code && machine_position(s->m) == position)
        return;
    printf("straight run: at %" PRIu64 ": %s\n", machine_position(s->m), s->player.failure.message);
    exit(1);
}

static void straight_digests(struct verify *v, const uint64_t *position, struct digest *digest,
                             uint64_t count)
{
    struct straight s;
    struct snapshots snapshots;
    straight_begin(v, &s);
    snapshots_init(&snapshots, s.m, NULL);
    for (uint64_t i = 0; i < count; i++) {
        straight_to(&s, position[i]);
        struct checkpoint *c = snapshots_take(&snapshots);
        digest[i] = c->digest;
        checkpoint_free(&snapshots, c);
    }
    snapshots_fini(&snapshots);
    riscv_virt_free(s.board);
}

/* Put `wanted` random positions in the midst of a virtio request into position[]. */
static void find_in_flight(struct verify *v, uint64_t *position, uint64_t wanted)
{
    struct straight s;
    straight_begin(v, &s);
    const struct busy busy = machine_busy(s.m);
    uint64_t tip = timeline_tip(v->tl), found = 0;
    for (uint64_t n = 0; n < tip;) {
        uint64_t far = 1 + below(v, 2 * IN_FLIGHT_STEPS);
        n = tip - n > far ? n + far : tip;
        straight_to(&s, n);
        if (!request_in_flight(&busy))
            continue;
        /* Each found so far is as likely as this one to stay. */
        uint64_t slot = found < wanted ? found : below(v, found + 1);
        if (slot < wanted)
            position[slot] = n;
        found++;
    }
    riscv_virt_free(s.board);
    printf("in-flight: %" PRIu64 " positions seen in a virtio request\n", found);
    if (found < wanted) {
        printf("in-flight: %" PRIu64 " are wanted\n", wanted);
        exit(1);
    }
}

static void compare(struct verify *v, const char *what, const struct digest *digest)
{
    struct digest now;
    snapshots_digest(&v->tl->snapshots, &now);
    if (digest_equal(&now, digest))
        return;
    printf("%s: at %" PRIu64 ": %s differs from the straight run\n", what, timeline_position(v->tl),
           digest_difference(&now, digest));
    exit(1);
}

/* Around a position, as a user would move. */
static void stray(struct verify *v, uint64_t position)
{
    uint64_t tip = timeline_tip(v->tl), far = below(v, 3000000);
    struct stop stop = {0};
    seek(v, "walk",
         below(v, 2) ? (position > far ? position - far : 0)
                     : (tip - position > far ? position + far : tip));
    for (uint64_t i = below(v, 12); i; i--) {
        unsigned hart = (unsigned)below(v, v->m->config.cpus);
        if (timeline_position(v->tl) < tip && below(v, 2))
            timeline_step(v->tl, hart);
        else
            timeline_reverse_step(v->tl, hart);
        timeline_finish(v->tl, &stop);
        if (stop.reason == STOP_DIVERGED)
            fail("walk", position, &stop);
    }
    if (below(v, 3) == 0)
        machine_drop_caches(v->m, 1 + (unsigned)below(v, 3));
}

static void check_restores(struct verify *v)
{
    uint64_t count = v->checks.restores;
    uint64_t *position = mem_new(count, sizeof *position);
    struct digest *digest = mem_new(count, sizeof *digest);
    for (uint64_t i = 0; i < count; i++)
        position[i] = below(v, timeline_tip(v->tl) + 1);
    if (v->checks.in_flight)
        find_in_flight(v, position, v->checks.in_flight);
    qsort(position, count, sizeof *position, ascending);
    straight_digests(v, position, digest, count);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t which = below(v, count);
        seek(v, "restores", position[which]);
        compare(v, "restores", &digest[which]);
    }
    for (uint64_t i = 0; i < count; i++) {
        seek(v, "restores", position[i]);
        compare(v, "restores", &digest[i]);
    }
    printf("restores: %" PRIu64 " positions\n", count);
    for (uint64_t i = 0; i < v->checks.walk; i++) {
        uint64_t which = below(v, count);
        stray(v, position[which]);
        seek(v, "walk", position[which]);
        compare(v, "walk", &digest[which]);
    }
    if (v->checks.walk)
        printf("walk: %" PRIu64 " moves\n", v->checks.walk);
    free(position);
    free(digest);
}

/* ---- as a whole ---- */

static bool number(const char *word, const char *name, uint64_t *value)
{
    size_t size = strlen(name);
    if (strncmp(word, name, size) || word[size] != '=')
        return false;
    *value = strtoull(word + size + 1, NULL, 0);
    return true;
}

static bool flag(const char *word, const char *name, bool *value)
{
    *value |= !strcmp(word, name);
    return !strcmp(word, name);
}

/* Up to the `--`; the index behind it. */
static int parse_checks(struct verify *v, int argc, char **argv)
{
    struct checks *c = &v->checks;
    int i = 1;
    for (; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (!flag(argv[i], "intervals", &c->intervals) && !flag(argv[i], "pieces", &c->pieces) &&
            !flag(argv[i], "drops", &c->drops) && !number(argv[i], "ends", &c->ends) &&
            !number(argv[i], "restores", &c->restores) &&
            !number(argv[i], "in-flight", &c->in_flight) && !number(argv[i], "walk", &c->walk) &&
            !number(argv[i], "seed", &v->random)) {
            fprintf(stderr, "verify_session: %s is no check\n", argv[i]);
            exit(2);
        }
    return i + 1;
}

static void verify(struct verify *v)
{
    struct timeline_info info;
    timeline_info(v->tl, &info);
    printf("session: %" PRIu64 " steps, %" PRIu64 " events, %" PRIu64 " digests, %" PRIu64
           " checkpoints, %" PRIu64 " bytes, spilled %" PRIu64 ", input %" PRIu64 ", log %" PRIu64
           ", disk blocks %" PRIu64 "\n",
           timeline_tip(v->tl), info.events, info.digests, info.checkpoints, info.bytes,
           info.spilled_bytes, info.input_bytes, info.log_bytes, info.disk_blocks);
    if (v->checks.intervals)
        check_intervals(v);
    if (v->checks.ends)
        check_ends(v);
    if (v->checks.pieces)
        check_pieces(v, "pieces", false);
    if (v->checks.drops)
        check_pieces(v, "drops", true);
    if (v->checks.restores >= v->checks.in_flight && v->checks.restores)
        check_restores(v);
}

int main(int argc, char **argv)
{
    struct verify v = {.random = 1};
    struct run_options options;
    struct error err = ERROR_INIT;
    setvbuf(stdout, NULL, _IOLBF, 0);
    int first = parse_checks(&v, argc, argv);
    if (first <= argc && options_parse(&options, argc - first, argv + first, &err))
        v.assembly = assembly_new(&options, &err);
    if (!v.assembly) {
        fprintf(stderr, "verify_session: %s\n", err.message);
        return 2;
    }
    int status = server_run(assembly_server(v.assembly));
    v.tl = assembly_timeline(v.assembly);
    v.m = timeline_machine(v.tl);
    if (!status && timeline_moving(v.tl)) {
        printf("the run was ended before the machine went off\n");
        status = 1;
    }
    if (!status)
        verify(&v);
    assembly_free(v.assembly);
    options_fini(&options);
    return status;
}
