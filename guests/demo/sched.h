/* A cooperative scheduler: tasks run to their end, by period, in the order of the table. */
#ifndef DEMO_SCHED_H
#define DEMO_SCHED_H

#include <stdint.h>

struct task {
    const char *name;
    void (*run)(uint32_t now);
    uint32_t period; /* ticks; 0 for a task that runs whenever no other is due */
    uint32_t due;    /* tick of the next run */
};

/* Runs the `count` tasks until the tick `end`. One of them has period 0. */
void sched_run(struct task *tasks, unsigned count, uint32_t end);
/* The name of the running task. */
const char *sched_current(void);

#endif
