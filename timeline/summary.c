#include "timeline/summary.h"

#include "base/check.h"

#include <stdlib.h>

enum { KINDS = 3, PAGE_BITS = 12 };

/* Pages first to last. */
struct run {
    uint64_t first, last;
};

/* Runs of each kind, ascending, with gaps in between. */
struct summary {
    unsigned others; /* owners beside the first */
    size_t count[KINDS];
    struct run *run[KINDS];
};

static void append_page(struct summary *s, unsigned kind, uint64_t first, uint64_t last)
{
    size_t n = s->count[kind];
    if (n && first <= s->run[kind][n - 1].last + 1) {
        if (last > s->run[kind][n - 1].last)
            s->run[kind][n - 1].last = last;
        return;
    }
    if ((n & (n - 1)) == 0)
        s->run[kind] = mem_grow(s->run[kind], n ? 2 * n : 1, sizeof(struct run));
    s->run[kind][s->count[kind]++] = (struct run){first, last};
}

struct summary *summary_new(const struct touched *touched)
{
    struct summary *s = mem_new(1, sizeof *s);
    size_t count;
    uint64_t *keys = touched_sorted(touched, &count);
    for (size_t i = 0; i < count; i++)
        append_page(s, keys[i] & 3, keys[i] >> 2, keys[i] >> 2);
    free(keys);
    return s;
}

static void add_all(struct summary *s, const struct summary *a, const struct summary *b,
                    unsigned kind)
{
    size_t i = 0, j = 0, n = a ? a->count[kind] : 0, m = b ? b->count[kind] : 0;
    while (i < n || j < m) {
        bool first = j == m || (i < n && a->run[kind][i].first <= b->run[kind][j].first);
        const struct run *r = first ? &a->run[kind][i++] : &b->run[kind][j++];
        append_page(s, kind, r->first, r->last);
    }
}

struct summary *summary_merge(const struct summary *a, const struct summary *b)
{
    struct summary *s = mem_new(1, sizeof *s);
    for (unsigned kind = 0; kind < KINDS; kind++)
        add_all(s, a, b, kind);
    return s;
}

struct summary *summary_ref(struct summary *s)
{
    if (s)
        s->others++;
    return s;
}

void summary_free(struct summary *s)
{
    if (s && s->others) {
        s->others--;
        return;
    }
    for (unsigned kind = 0; s && kind < KINDS; kind++)
        free(s->run[kind]);
    free(s);
}

size_t summary_bytes(const struct summary *s)
{
    size_t bytes = sizeof *s;
    for (unsigned kind = 0; kind < KINDS; kind++)
        bytes += s->count[kind] * sizeof(struct run);
    return bytes;
}

/* Each kind: how many runs, then for each the gap before it and its length less one, as varints. */
void summary_pack(const struct summary *s, struct buffer *out)
{
    for (unsigned kind = 0; kind < KINDS; kind++) {
        uint64_t behind = 0;
        pack_varint(out, s->count[kind]);
        for (size_t i = 0; i < s->count[kind]; i++) {
            const struct run *r = &s->run[kind][i];
            pack_varint(out, r->first - behind);
            pack_varint(out, r->last - r->first);
            behind = r->last + 1;
        }
    }
}

static bool unpack_kind(struct summary *s, unsigned kind, struct unpack *u)
{
    const uint64_t most = UINT64_MAX >> PAGE_BITS;
    uint64_t behind = 0;
    for (uint64_t n = unpack_varint(u); n && !u->failed; n--) {
        uint64_t gap = unpack_varint(u), length = unpack_varint(u);
        if (gap > most || length > most || behind + gap + length > most)
            return false;
        append_page(s, kind, behind + gap, behind + gap + length);
        behind += gap + length + 1;
    }
    return !u->failed;
}

struct summary *summary_unpack(struct unpack *u)
{
    struct summary *s = mem_new(1, sizeof *s);
    for (unsigned kind = 0; kind < KINDS; kind++)
        if (!unpack_kind(s, kind, u)) {
            summary_free(s);
            return NULL;
        }
    return s;
}

static bool has_page(const struct summary *s, unsigned kind, uint64_t first, uint64_t last)
{
    size_t low = 0, high = s->count[kind];
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (s->run[kind][middle].last < first)
            low = middle + 1;
        else
            high = middle;
    }
    return low < s->count[kind] && s->run[kind][low].first <= last;
}

bool summary_may_hit(const struct summary *s, const struct points *p)
{
    /* Pages here are virtual, and traps are not noted. */
    if (p->physical_count || p->traps)
        return true;
    for (size_t i = 0; i < p->execute_count; i++) {
        uint64_t page = p->execute[i] >> PAGE_BITS;
        if (has_page(s, TOUCHED_FETCH, page, page))
            return true;
    }
    for (size_t i = 0; i < p->watch_count; i++) {
        const struct watch_range *w = &p->watch[i];
        uint64_t first = w->address >> PAGE_BITS, last = (w->address + w->size - 1) >> PAGE_BITS;
        if (((w->kinds & HIT_READ) && has_page(s, TOUCHED_READ, first, last)) ||
            ((w->kinds & HIT_WRITE) && has_page(s, TOUCHED_WRITE, first, last)))
            return true;
    }
    return false;
}
