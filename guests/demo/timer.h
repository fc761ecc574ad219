/* The system tick, from the CLINT's compare register. */
#ifndef DEMO_TIMER_H
#define DEMO_TIMER_H

#include <stdint.h>

/* Starts the tick; `hook` runs in interrupt context at every tick, which counts from 1. */
void timer_start(void (*hook)(uint32_t tick));
/* Ticks since timer_start. */
uint32_t timer_now(void);
void timer_interrupt(void);

#endif
