/* Branches among all else that happens to a history: a small budget, forgetting, recording,
 * killing, disks, interrupts. The oracle for main is a timeline without branches; for a branch what
 * was seen of it when it was live. After each act the accounts are made up anew. */
#include "base/log.h"
#include "tests/unit/timeline/bench.h"
#include "tests/unit/toy_machine.h"

#include "timeline/bookmarks.h"
#include "timeline/branch_parts.h"
#include "timeline/history_parts.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { STRIDE = 50, NOTES = 24, TRACKED = 2 * BRANCHES };

/* A timeline of a toy, which reads disks, and asks for time and entropy. */
struct rig {
    struct toy toy;
    struct timeline *tl;
    struct recording *recording; /* NULL: none */
    bool no_images;
};

struct note {
    uint64_t position, digest;
};

/* What is known of a branch. */
struct track {
    const struct branch *branch;
    struct note note[NOTES];
    unsigned notes;
};

struct world {
    uint64_t seed;
    struct random random;
    struct timeline_options options;
    struct rig rig, straight; /* straight: without branches, as far as main has come */
    struct track track[TRACKED];
    unsigned checked; /* places of branches */
    unsigned reopened, names;
    char *path; /* of the file that is written meanwhile; NULL: none */
};

/* ---- rigs ---- */

static uint64_t rig_clock(void *ctx)
{
    return bench_clock(&((struct rig *)ctx)->toy.machine);
}

static void rig_entropy(void *ctx, uint8_t *bytes, size_t size)
{
    uint64_t n = machine_position(&((struct rig *)ctx)->toy.machine);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)hash_mix(n + i);
}

static bool rig_read(void *ctx, unsigned disk, uint64_t block, uint8_t *bytes)
{
    struct rig *r = ctx;
    if (r->no_images || block % 13 == 5)
        return false;
    for (size_t i = 0; i < DISK_BLOCK; i += 8)
        store_le64(bytes + i, hash_mix(block * 977 + disk + i));
    return true;
}

static struct timeline_options rig_options(struct rig *r, const struct timeline_options *options)
{
    struct timeline_options o = *options;
    o.warp = true;
    o.host = (struct host){
        .clock = rig_clock, .entropy = rig_entropy, .disks = {rig_read, NULL, r}, .ctx = r};
    if (r->recording)
        o.host.disks = recording_disks(r->recording, &o.host.disks);
    return o;
}

static void rig_make(struct rig *r, uint64_t seed)
{
    toy_init(&r->toy, seed);
    r->toy.asks = r->toy.reads = true;
    r->toy.dma = seed & 1;
}

static void rig_init(struct rig *r, uint64_t seed, const struct timeline_options *options)
{
    *r = (struct rig){0};
    rig_make(r, seed);
    struct timeline_options o = rig_options(r, options);
    r->tl = timeline_new(&r->toy.machine, &o);
}

static void rig_fini(struct rig *r)
{
    timeline_free(r->tl);
    recording_free(r->recording);
    toy_fini(&r->toy);
}

/* The images are not there any more. False: nothing is in the file yet. */
static bool rig_open(struct rig *r, const struct world *w, const char *path)
{
    struct error err = ERROR_INIT;
    *r = (struct rig){.no_images = true};
    r->recording = recording_open(path, &err);
    if (!r->recording)
        return false;
    rig_make(r, w->seed);
    struct timeline_options o = rig_options(r, &w->options);
    r->tl = timeline_open(&r->toy.machine, &o, r->recording, &err);
    cr_assert(r->tl, "seed %lu: %s", w->seed, err.message);
    return true;
}

static uint64_t digest_of(struct rig *r)
{
    const struct machine *m = &r->toy.machine;
    struct machine_digest d;
    machine_digest(m, &d);
    return bench_ram_digest(m) ^ hash_mix(d.core) ^ hash_mix(d.cpus + 1) ^ hash_mix(d.devices + 2);
}

static void forget_gone(struct world *w);

static struct stop finish(struct world *w, struct rig *r)
{
    struct stop stop;
    timeline_finish(r->tl, &stop);
    cr_assert_neq(stop.reason, STOP_DIVERGED, "seed %lu: %s", w->seed, stop.text);
    if (r == &w->rig)
        forget_gone(w);
    return stop;
}

static void seek(struct world *w, struct rig *r, uint64_t n)
{
    timeline_seek(r->tl, n);
    finish(w, r);
}

/* ---- accounts ---- */

static const struct history *history_of(const struct timeline *tl, const struct branch *b)
{
    return b == tl->branches.now ? &tl->history : &b->parked.history;
}

static const struct log *log_of(const struct timeline *tl, const struct branch *b)
{
    return b == tl->branches.now ? tl->log : b->parked.log;
}

static void count_owners(const struct timeline *tl, const struct checkpoint *c, unsigned *owners,
                         unsigned *counted)
{
    *owners = *counted = 0;
    for (size_t i = 0; i < tl->branches.count; i++) {
        const struct history *h = history_of(tl, tl->branches.list[i]);
        for (size_t n = 0; n < h->entries; n++)
            if (h->entry[n].checkpoint == c) {
                ++*owners;
                *counted += !h->entry[n].shared;
            }
    }
}

static void check_history(const struct world *w, const struct timeline *tl, const struct branch *b)
{
    const struct history *h = history_of(tl, b);
    size_t bytes = 0, approach = 0, loaded = 0;
    cr_assert(h->entries && !h->entry[0].born, "seed %lu", w->seed);
    cr_assert_geq(h->entry[0].log_index, log_first(log_of(tl, b)), "seed %lu: events are gone",
                  w->seed);
    for (size_t i = 0; i < h->entries; i++) {
        const struct entry *e = &h->entry[i];
        unsigned owners, counted;
        bytes += entry_bytes(e);
        approach += e->born != 0;
        loaded += entry_is_copy(e);
        count_owners(tl, e->checkpoint, &owners, &counted);
        cr_assert_eq(owners, e->checkpoint->others + 1, "seed %lu: %u owners", w->seed, owners);
        cr_assert_eq(counted, 1, "seed %lu: counted %u times", w->seed, counted);
        if (i)
            cr_assert_leq(h->entry[i - 1].checkpoint->position, e->checkpoint->position);
    }
    cr_assert_eq(bytes, h->bytes, "seed %lu: %zu bytes, not %zu", w->seed, bytes, h->bytes);
    cr_assert_eq(approach, h->approach, "seed %lu", w->seed);
    cr_assert_eq(loaded, h->loaded, "seed %lu", w->seed);
    for (size_t i = 1; i < h->marks; i++)
        cr_assert_leq(h->mark[i - 1].position, h->mark[i].position);
}

static void check_accounts(const struct world *w, const struct timeline *tl)
{
    struct timeline_info info;
    timeline_info(tl, &info);
    cr_assert_leq(info.bytes, info.budget + info.budget / 4, "seed %lu: %lu bytes", w->seed,
                  info.bytes);
    for (size_t i = 0; i < tl->branches.count; i++) {
        const struct branch *b = tl->branches.list[i];
        check_history(w, tl, b);
        /* Nobody can come to it any more. */
        cr_assert(!branch_is_diversion(b) || b == tl->branches.now || branch_has_children(tl, b),
                  "seed %lu: a diversion is left over", w->seed);
    }
}

/* ---- what is known ---- */

static struct track *track_of(struct world *w, const struct branch *b)
{
    struct track *free_one = NULL;
    for (unsigned i = 0; i < TRACKED; i++) {
        if (w->track[i].branch == b)
            return &w->track[i];
        if (!w->track[i].branch)
            free_one = &w->track[i];
    }
    *free_one = (struct track){.branch = b};
    return free_one;
}

/* Forget those that are gone, before another gets the same address. */
static void forget_gone(struct world *w)
{
    const struct branch_list *l = &w->rig.tl->branches;
    for (unsigned i = 0; i < TRACKED; i++) {
        bool there = false;
        for (size_t n = 0; n < l->count; n++)
            there |= l->list[n] == w->track[i].branch;
        if (!there)
            w->track[i].branch = NULL;
    }
}

static void note_here(struct world *w)
{
    struct timeline *tl = w->rig.tl;
    struct track *t = track_of(w, tl->branches.now);
    uint64_t n = timeline_position(tl);
    if (timeline_on_main(tl) || n <= tl->branches.now->origin || t->notes == NOTES ||
        (t->notes && t->note[t->notes - 1].position >= n))
        return;
    t->note[t->notes++] = (struct note){n, digest_of(&w->rig)};
}

/* To the next place where main stops; something is typed before. */
static void extend_main(struct world *w, struct rig *r)
{
    uint64_t here = timeline_position(r->tl);
    timeline_continue_to(r->tl, (here / STRIDE + 1) * STRIDE);
    timeline_input(r->tl, CHANNEL_SERIAL0, (const uint8_t *)"input", 1 + here % 5);
    finish(w, r);
}

/* Whose history has position n, for one who stands on `b`? */
static const struct branch *owner(const struct branch *b, uint64_t n)
{
    while (b->parent && n < b->origin)
        b = b->parent;
    return b;
}

/* False: nothing is known, because more may yet be typed there. */
static bool straight_digest(struct world *w, uint64_t n, uint64_t *digest)
{
    struct timeline *tl = w->straight.tl;
    for (unsigned stuck = 0; timeline_tip(tl) <= n && stuck < 3;) {
        uint64_t tip = timeline_tip(tl);
        seek(w, &w->straight, tip);
        extend_main(w, &w->straight);
        stuck += timeline_tip(tl) == tip;
    }
    if (timeline_tip(tl) <= n)
        return false;
    seek(w, &w->straight, n);
    *digest = digest_of(&w->straight);
    return true;
}

/* Is the state of `r` here, on branch `b` of the world, as it was? */
static void check_here(struct world *w, struct rig *r, const struct branch *b, const char *what)
{
    uint64_t n = timeline_position(r->tl);
    const struct branch *o = owner(b, n);
    uint64_t digest;
    if (!o->parent) {
        if (n < timeline_tip(r->tl) && straight_digest(w, n, &digest))
            cr_assert_eq(digest_of(r), digest, "seed %lu: main at %lu: %s", w->seed, n, what);
        return;
    }
    const struct track *t = track_of(w, o);
    for (unsigned i = 0; i < t->notes; i++)
        if (t->note[i].position == n) {
            cr_assert_eq(digest_of(r), t->note[i].digest, "seed %lu: branch at %lu: %s", w->seed, n,
                         what);
            w->checked++;
        }
}

/* A place of which something is known. */
static uint64_t some_place(struct world *w, const struct branch *b, uint64_t begin, uint64_t tip)
{
    const struct track *t = track_of(w, b);
    uint64_t n = begin + random_below(&w->random, tip - begin + 1);
    if (b->parent && t->notes && random_below(&w->random, 2)) {
        uint64_t noted = t->note[random_below(&w->random, t->notes)].position;
        return noted >= begin && noted <= tip ? noted : n;
    }
    return n;
}

/* ---- acts ---- */

static void run_on(struct world *w)
{
    struct timeline *tl = w->rig.tl;
    seek(w, &w->rig, timeline_tip(tl));
    cr_assert(timeline_live(tl));
    if (timeline_on_main(tl)) {
        for (uint64_t i = 1 + random_below(&w->random, 20); i; i--)
            extend_main(w, &w->rig);
        return;
    }
    for (uint64_t i = 1 + random_below(&w->random, 8); i; i--) {
        timeline_continue_to(tl, timeline_position(tl) + 1 + random_below(&w->random, 120));
        finish(w, &w->rig);
        note_here(w);
    }
}

static void look_somewhere(struct world *w)
{
    struct timeline *tl = w->rig.tl;
    const struct branch *b = tl->branches.now;
    seek(w, &w->rig, some_place(w, b, timeline_begin(tl), timeline_tip(tl)));
    check_here(w, &w->rig, tl->branches.now, "a seek");
}

static void step_back(struct world *w)
{
    struct timeline *tl = w->rig.tl;
    if (random_below(&w->random, 4))
        timeline_reverse_step(tl, (unsigned)random_below(&w->random, TOY_CPUS));
    else
        timeline_reverse_continue(tl);
    finish(w, &w->rig);
    check_here(w, &w->rig, tl->branches.now, "a step back");
}

static void begin_diversion(struct world *w)
{
    struct timeline *tl = w->rig.tl;
    struct error err = ERROR_INIT;
    uint64_t value = random_next(&w->random);
    look_somewhere(w);
    bool live = timeline_live(tl);
    if (live && timeline_on_main(tl)) /* the straight one is not written to */
        return;
    bool ok = timeline_write_physical(tl, TOY_BASE + random_below(&w->random, 4096), &value,
                                      sizeof value, &err);
    if (!ok) {
        cr_assert_eq(tl->branches.count, BRANCHES, "seed %lu: %s", w->seed, err.message);
        return;
    }
    cr_assert(timeline_live(tl) && !timeline_on_main(tl));
    struct track *t = track_of(w, tl->branches.now);
    if (t->notes && t->note[t->notes - 1].position == timeline_position(tl))
        t->notes--; /* who goes there comes behind the write */
    if (random_below(&w->random, 4))
        run_on(w);
}

static void give_name(struct world *w)
{
    char name[32];
    struct error err = ERROR_INIT;
    struct timeline *tl = w->rig.tl;
    if (timeline_on_main(tl) && timeline_live(tl) && random_below(&w->random, 4))
        return;
    snprintf(name, sizeof name, "b%u", w->names++);
    if (timeline_branch(tl, name, &err) && random_below(&w->random, 3))
        run_on(w);
}

static void pick_name(struct world *w, char name[BRANCH_NAME])
{
    const struct branch_list *l = &w->rig.tl->branches;
    size_t i = random_below(&w->random, 3) ? random_below(&w->random, l->count) : 0;
    strcpy(name, l->list[i]->name);
}

static void switch_somewhere(struct world *w)
{
    char name[BRANCH_NAME];
    struct error err = ERROR_INIT;
    struct timeline *tl = w->rig.tl;
    struct stop stop;
    pick_name(w, name);
    if (!timeline_switch(tl, name, &err))
        return;
    if (random_below(&w->random, 4) == 0) {
        timeline_interrupt(tl); /* where it is then may lie before events of the position */
        timeline_finish(tl, &stop);
    } else {
        finish(w, &w->rig);
        check_here(w, &w->rig, tl->branches.now, "a switch");
    }
    cr_assert_str_eq(tl->branches.now->name, name);
}

static void interrupt(struct world *w)
{
    struct timeline *tl = w->rig.tl;
    struct stop stop;
    if (random_below(&w->random, 2))
        timeline_reverse_continue(tl);
    else
        timeline_seek(tl, random_below(&w->random, timeline_tip(tl) + 1));
    if (timeline_advance(tl, 1, &stop) != TIMELINE_STOPPED) {
        timeline_interrupt(tl);
        finish(w, &w->rig);
    }
    check_here(w, &w->rig, tl->branches.now, "an interrupt");
}

static void remove_some(struct world *w)
{
    char name[BRANCH_NAME];
    struct error err = ERROR_INIT;
    pick_name(w, name);
    timeline_branch_remove(w->rig.tl, name, &err);
}

static void forget(struct world *w)
{
    struct timeline *tl = w->rig.tl;
    uint64_t begin = timeline_begin(tl), tip = timeline_tip(tl);
    if (w->path || !timeline_on_main(tl) || tip - begin < 2000)
        return;
    seek(w, &w->rig, tip);
    timeline_forget(tl, begin + random_below(&w->random, (tip - begin) / 3));
}

/* ---- files ---- */

static const struct branch *branch_named(const struct world *w, const char *name)
{
    const struct branch_list *l = &w->rig.tl->branches;
    for (size_t i = 0; i < l->count; i++)
        if (*name && !strcmp(l->list[i]->name, name))
            return l->list[i];
    return NULL;
}

static void check_branch_of_file(struct world *w, struct rig *r, const char *name, bool whole)
{
    struct error err = ERROR_INIT;
    struct branch_info info;
    const struct branch *b = branch_named(w, name);
    timeline_branch_now(r->tl, &info);
    if (!b) { /* removed since it was written */
        cr_assert(!whole);
        return;
    }
    if (strcmp(info.name, name) != 0) {
        cr_assert(timeline_switch(r->tl, name, &err), "%s", err.message);
        finish(w, r);
    }
    uint64_t begin = timeline_begin(r->tl), tip = timeline_tip(r->tl);
    if (whole)
        cr_assert_eq(tip, b == w->rig.tl->branches.now ? w->rig.tl->tip : b->parked.tip);
    for (unsigned i = 0; i < 4; i++) {
        seek(w, r, some_place(w, b, begin, tip));
        /* Since it was written more may have been told to the machine at its tip. */
        if (whole || timeline_position(r->tl) < tip)
            check_here(w, r, b, "from a file");
    }
    check_accounts(w, r->tl);
}

/* All that the file has is what was there; `whole`: it has all. */
static void check_file(struct world *w, const char *path, uint64_t from, bool whole)
{
    struct rig r;
    struct branch_info info;
    if (!rig_open(&r, w, path)) {
        cr_assert(!whole, "seed %lu", w->seed);
        return;
    }
    struct recording_info opened;
    recording_info(r.recording, &opened);
    cr_assert(!opened.damage || !whole, "seed %lu: %s", w->seed, opened.damage);
    cr_assert(!opened.damage || !strstr(opened.damage, "branch"), "seed %lu: %s", w->seed,
              opened.damage);
    size_t count = 0;
    for (; timeline_branch_get(r.tl, count, &info); count++)
        check_branch_of_file(w, &r, info.name, whole);
    if (whole)
        cr_assert_eq(count,
                     1 + branches_count(w->rig.tl, &(struct stretch){from, log_first(r.tl->log),
                                                                     POSITION_NONE, UINT64_MAX}),
                     "seed %lu", w->seed);
    rig_fini(&r);
    w->reopened++;
}

static void save(struct world *w)
{
    char *path = bench_path();
    struct error err = ERROR_INIT;
    struct timeline *tl = w->rig.tl;
    uint64_t here = timeline_position(tl), from = timeline_begin(tl);
    bool live = timeline_live(tl);
    const struct branch *now = tl->branches.now;
    if (random_below(&w->random, 3) == 0)
        from += random_below(&w->random, tl->branches.list[0] == now ? tl->tip - from + 1 : 200);
    cr_assert(timeline_save(tl, path, &bench_content, from, POSITION_NONE, &err), "seed %lu: %s",
              w->seed, err.message);
    cr_assert_eq(tl->branches.now, now);
    cr_assert_eq(timeline_position(tl), here, "seed %lu", w->seed);
    /* An interrupted switch may have left it at the tip, and yet not live. */
    cr_assert(timeline_live(tl) || !live, "seed %lu", w->seed);
    check_here(w, &w->rig, now, "behind a save");
    check_file(w, path, from, true);
    remove(path);
    free(path);
}

static void copy_file(const char *from, const char *to)
{
    uint8_t *bytes;
    size_t size;
    struct error err = ERROR_INIT;
    cr_assert(file_read(from, 1 << 28, &bytes, &size, &err), "%s", err.message);
    FILE *f = fopen(to, "wb");
    cr_assert(f && fwrite(bytes, 1, size, f) == size && fclose(f) == 0);
    free(bytes);
}

/* As somebody finds it who has killed this process now. */
static void kill_it(struct world *w)
{
    if (!w->path)
        return;
    char name[4096], *path = bench_path();
    snprintf(name, sizeof name, "%s.incomplete", w->path);
    copy_file(name, path);
    check_file(w, path, 0, false);
    remove(path);
    free(path);
}

/* ---- */

static void act(struct world *w)
{
    switch (random_below(&w->random, 24)) {
    case 0 ... 3:
        run_on(w);
        break;
    case 4 ... 6:
        begin_diversion(w);
        break;
    case 7 ... 8:
        give_name(w);
        break;
    case 9 ... 12:
        switch_somewhere(w);
        break;
    case 13:
        remove_some(w);
        break;
    case 14 ... 15:
        step_back(w);
        break;
    case 16:
        interrupt(w);
        break;
    case 17:
        if (random_below(&w->random, 4) == 0)
            forget(w);
        break;
    case 18:
        if (random_below(&w->random, 3) == 0)
            save(w);
        break;
    case 19:
        if (random_below(&w->random, 3) == 0)
            kill_it(w);
        break;
    default:
        look_somewhere(w);
    }
    forget_gone(w);
    check_accounts(w, w->rig.tl);
}

static void log_nothing(void *ctx, enum log_level level, const char *line)
{
    (void)ctx, (void)level, (void)line;
}

static void world(uint64_t seed, size_t budget, uint64_t keep_bytes, bool records,
                  unsigned *checked)
{
    struct world *w = mem_new(1, sizeof *w);
    struct error err = ERROR_INIT;
    *w = (struct world){.seed = seed, .random = {seed}};
    w->options = (struct timeline_options){.spacing_steps = 40 + random_below(&w->random, 300),
                                           .budget = budget};
    log_set_sink(log_nothing, NULL);
    rig_init(&w->rig, seed, &w->options);
    rig_init(&w->straight, seed, &(struct timeline_options){.spacing_steps = 400});
    if (records) {
        w->path = bench_path();
        struct recording_options o = {
            .path = w->path, .content = &bench_content, .keep_bytes = keep_bytes};
        cr_assert(timeline_record(w->rig.tl, &o, &err), "%s", err.message);
    }
    for (unsigned i = 0; i < 6; i++)
        run_on(w);
    for (unsigned i = 0; i < 400; i++)
        act(w);
    if (records) {
        cr_assert(timeline_record_close(w->rig.tl, &err), "%s", err.message);
        if (!keep_bytes)
            check_file(w, w->path, 0, true);
        remove(w->path);
        free(w->path);
    }
    *checked += w->checked;
    rig_fini(&w->rig);
    rig_fini(&w->straight);
    log_set_sink(NULL, NULL);
    free(w);
}

Test(branch_edge, random_acts)
{
    unsigned checked = 0;
    for (uint64_t seed = 1; seed <= bench_cases(8); seed++)
        world(seed, 64 << 20, 0, false, &checked);
    cr_assert_gt(checked, 500);
}

Test(branch_edge, random_acts_in_little_memory)
{
    unsigned checked = 0;
    for (uint64_t seed = 101; seed <= 100 + bench_cases(8); seed++)
        world(seed, 3 << 20, 0, false, &checked);
    cr_assert_gt(checked, 500);
}

Test(branch_edge, random_acts_while_recording)
{
    unsigned checked = 0;
    for (uint64_t seed = 201; seed <= 200 + bench_cases(8); seed++)
        world(seed, seed & 1 ? 64 << 20 : 4 << 20, 0, true, &checked);
    cr_assert_gt(checked, 500);
}

Test(branch_edge, random_acts_with_a_flight_recorder)
{
    unsigned checked = 0;
    for (uint64_t seed = 301; seed <= 300 + bench_cases(8); seed++)
        world(seed, seed & 1 ? 64 << 20 : 4 << 20, 1 << 20, true, &checked);
    cr_assert_gt(checked, 500);
}
