#include "guests/demo/timer.h"

#include "guests/demo/board.h"

enum { MTIMECMP = 0x4000, MTIME = 0xbff8 };

static volatile uint32_t ticks;
static void (*tick_hook)(uint32_t tick);

void timer_start(void (*hook)(uint32_t tick))
{
    tick_hook = hook;
    *reg64(CLINT_BASE + MTIMECMP) = *reg64(CLINT_BASE + MTIME) + MTIME_HZ / TICK_HZ;
    csr_set(mie, MIE_MTIE);
    csr_set(mstatus, MSTATUS_MIE);
}

uint32_t timer_now(void)
{
    return ticks;
}

/* The next deadline follows from the last one, so that a late interrupt does not shift the rate. */
void timer_interrupt(void)
{
    *reg64(CLINT_BASE + MTIMECMP) += MTIME_HZ / TICK_HZ;
    ticks = ticks + 1;
    tick_hook(ticks);
}
