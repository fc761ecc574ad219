/* What actions print. As with stops, a movement has those of breakpoints it comes to, also where it
 * ends, but not where it begins; and those of accesses in steps it makes, or unmakes. Each is kept
 * until that is certain. Going back, an interval is replayed forward, and what its actions print
 * comes out when the last hit in it is known. */
#include "timeline/internal.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

enum {
    PRINT_MOST = 4096,             /* bytes of one action */
    PRINTS_MOST = 1 << 20,         /* kept of an interval */
    PRINTS_PAUSE = PRINTS_MOST / 8 /* forward: the run returns to have them printed */
};

void timeline_print_to(struct timeline *tl, void (*print)(void *ctx, const void *text, size_t size),
                       void *ctx)
{
    tl->prints.out = print;
    tl->prints.ctx = ctx;
}

void prints_clear(struct prints *prints)
{
    buffer_clear(&prints->text);
    prints->count = 0;
    prints->cut = false;
}

void prints_fini(struct prints *prints)
{
    buffer_fini(&prints->text);
    free(prints->print);
}

static void drop_first(struct prints *prints, size_t count)
{
    size_t bytes = 0;
    if (!count)
        return;
    for (size_t i = 0; i < count; i++)
        bytes += prints->print[i].size;
    buffer_consume(&prints->text, bytes);
    prints->count -= count;
    memmove(prints->print, prints->print + count, prints->count * sizeof *prints->print);
}

/* An engine may ask twice about a step before it makes it. */
static bool has_run(const struct prints *prints, size_t point, uint64_t step)
{
    for (size_t i = prints->count; i-- > 0 && prints->print[i].step == step;)
        if (prints->print[i].point == point)
            return true;
    return false;
}

void prints_run(struct timeline *tl, size_t index, const struct hit *hit)
{
    struct prints *prints = &tl->prints;
    const struct point_action *action = &tl->points.point[index].action;
    if (!prints->out || has_run(prints, index, hit->position))
        return;
    size_t before = prints->text.size;
    action->run(action->ctx, tl, hit, &prints->text);
    size_t size = prints->text.size - before;
    if (size > PRINT_MOST)
        size = PRINT_MOST;
    prints->text.size = before + size;
    if (prints->count == prints->capacity) {
        prints->capacity = prints->capacity ? 2 * prints->capacity : 64;
        prints->print = mem_grow(prints->print, prints->capacity, sizeof *prints->print);
    }
    prints->print[prints->count++] = (struct print){
        .step = hit->position, .point = index, .size = size, .execute = hit->kinds == HIT_EXECUTE};
    if (prints->text.size > PRINTS_MOST || prints->count > PRINTS_MOST / 16) {
        drop_first(prints, prints->count / 2);
        prints->cut = true;
    }
    if (tl->op.phase == PHASE_FORWARD && prints->text.size > PRINTS_PAUSE)
        machine_pause(tl->m);
}

static void say_cut(const struct prints *prints)
{
    static const char text[] = "[more was printed in this stretch; it is left out]\n";
    if (prints->cut)
        prints->out(prints->ctx, text, sizeof text - 1);
}

static bool has_come(const struct print *print, uint64_t here)
{
    return print->step < here || (print->step == here && print->execute);
}

void prints_forward(struct timeline *tl)
{
    struct prints *prints = &tl->prints;
    uint64_t here = machine_position(tl->m);
    size_t count = 0, bytes = 0;
    while (count < prints->count && has_come(&prints->print[count], here))
        bytes += prints->print[count++].size;
    if (count && prints->out) {
        say_cut(prints);
        prints->cut = false;
        if (bytes)
            prints->out(prints->ctx, prints->text.data, bytes);
    }
    drop_first(prints, count);
}

void prints_end(struct timeline *tl)
{
    points_arrive(tl);
    prints_forward(tl);
    prints_clear(&tl->prints);
}

void prints_backward(struct timeline *tl, uint64_t position)
{
    struct prints *prints = &tl->prints;
    struct buffer out = {0};
    size_t end = prints->text.size;
    bool all = true;
    for (size_t i = prints->count; i-- > 0;) {
        end -= prints->print[i].size;
        all = prints->print[i].step >= position;
        if (!all)
            break;
        buffer_append(&out, prints->text.data + end, prints->print[i].size);
    }
    if (out.size && prints->out)
        prints->out(prints->ctx, out.data, out.size);
    if (all && prints->out)
        say_cut(prints);
    buffer_fini(&out);
    prints_clear(prints);
}
