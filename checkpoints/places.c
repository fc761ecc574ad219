#include "checkpoints/places.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdlib.h>

enum { TABLE = PLACES_BLOCK * PLACES_BLOCK /* places below a table */ };

static size_t tables(const struct places *p)
{
    return (size_t)((p->pages + TABLE - 1) / TABLE);
}

void places_init(struct places *p, uint64_t pages)
{
    check(pages > 0 && pages <= (uint64_t)UINT32_MAX + 1, "%" PRIu64 " pages", pages);
    *p = (struct places){.pages = pages};
    p->table = mem_new(tables(p), sizeof *p->table);
}

void places_fini(struct places *p)
{
    for (size_t i = 0; p->table && i < tables(p); i++) {
        for (size_t k = 0; p->table[i] && k < PLACES_BLOCK; k++)
            free(p->table[i][k]);
        free(p->table[i]);
    }
    free(p->table);
    *p = (struct places){0};
}

static size_t block_index(uint64_t page)
{
    return page / PLACES_BLOCK % PLACES_BLOCK;
}

/* NULL: all 0. */
static const uint64_t *block_of(const struct places *p, uint64_t page)
{
    uint64_t *const *table = p->table[page / TABLE];
    return table ? table[block_index(page)] : NULL;
}

uint64_t places_get(const struct places *p, uint64_t page)
{
    check(page < p->pages, "page %" PRIu64 " of %" PRIu64, page, p->pages);
    const uint64_t *block = block_of(p, page);
    return block ? block[page % PLACES_BLOCK] : 0;
}

void places_put(struct places *p, uint64_t page, uint64_t place)
{
    check(page < p->pages, "page %" PRIu64 " of %" PRIu64, page, p->pages);
    if (!place && !block_of(p, page))
        return;
    uint64_t ***table = &p->table[page / TABLE];
    if (!*table) {
        *table = mem_new(PLACES_BLOCK, sizeof **table);
        p->used += PLACES_BLOCK * sizeof **table;
    }
    uint64_t **block = &(*table)[block_index(page)];
    if (!*block) {
        *block = mem_new(PLACES_BLOCK, sizeof **block);
        p->used += PLACES_BLOCK * sizeof **block;
    }
    (*block)[page % PLACES_BLOCK] = place;
}

bool places_differ(const struct places *a, const struct places *b, uint64_t *page)
{
    check(a->pages == b->pages, "%" PRIu64 " and %" PRIu64 " pages", a->pages, b->pages);
    while (*page < a->pages) {
        const uint64_t *x = block_of(a, *page), *y = block_of(b, *page);
        if (!x && !y) {
            bool nothing = !a->table[*page / TABLE] && !b->table[*page / TABLE];
            uint64_t skip = nothing ? TABLE : PLACES_BLOCK;
            *page += skip - *page % skip;
            continue;
        }
        size_t i = *page % PLACES_BLOCK;
        if ((x ? x[i] : 0) != (y ? y[i] : 0))
            return true;
        ++*page;
    }
    return false;
}

size_t places_bytes(const struct places *p)
{
    return tables(p) * sizeof *p->table + p->used;
}
