#include "machine/clock.h"

#include "base/check.h"

#include <inttypes.h>

static const struct field clock_field[] = {
    FIELD(struct clock_state, icount),
    FIELD(struct clock_state, idle),
    FIELD(struct clock_state, ticks_offset),
    FIELD_ARRAY(struct clock_state, deadline),
};
const struct fields clock_fields = FIELDS("clock", struct clock_state, 1, 1, clock_field);

void clock_init(struct clock *c, unsigned shift)
{
    *c = (struct clock){.shift = shift};
    for (unsigned i = 0; i < CLOCK_TIMERS; i++)
        c->state.deadline[i] = CLOCK_NEVER;
    c->next = CLOCK_NEVER;
}

unsigned clock_timer_add(struct clock *c, clock_timer_fn *expired, void *ctx, unsigned which)
{
    check(c->timers < CLOCK_TIMERS, "more than %u timers", CLOCK_TIMERS);
    c->timer[c->timers] = (struct clock_timer){expired, ctx, which};
    return c->timers++;
}

static unsigned earliest(const struct clock *c)
{
    unsigned first = 0;
    for (unsigned i = 1; i < c->timers; i++)
        if (c->state.deadline[i] < c->state.deadline[first])
            first = i;
    return first;
}

void clock_restored(struct clock *c)
{
    c->next = c->timers ? c->state.deadline[earliest(c)] : CLOCK_NEVER;
}

void clock_arm(struct clock *c, unsigned id, uint64_t vtime)
{
    check(id < c->timers, "timer %u of %u", id, c->timers);
    c->state.deadline[id] = vtime <= CLOCK_LAST ? vtime : CLOCK_NEVER;
    clock_restored(c);
    if (c->armed)
        *c->armed = true;
}

uint64_t clock_next_position(const struct clock *c)
{
    if (c->next == CLOCK_NEVER)
        return UINT64_MAX;
    if (c->next <= c->state.idle)
        return 0;
    uint64_t ahead = c->next - c->state.idle;
    uint64_t position = ahead >> c->shift;
    return position + ((position << c->shift) != ahead);
}

void clock_expire(struct clock *c)
{
    while (c->next <= clock_vtime(c) && c->next != CLOCK_NEVER) {
        unsigned id = earliest(c);
        clock_arm(c, id, CLOCK_NEVER);
        c->timer[id].expired(c->timer[id].ctx, c->timer[id].which);
    }
}

void clock_idle_until(struct clock *c, uint64_t vtime)
{
    check(vtime >= clock_vtime(c), "idle until %" PRIu64 " at %" PRIu64, vtime, clock_vtime(c));
    clock_expire(c);
    while (c->next <= vtime && c->next != CLOCK_NEVER) {
        c->state.idle += c->next - clock_vtime(c);
        clock_expire(c);
    }
    c->state.idle += vtime - clock_vtime(c);
}
