#include "guests/demo/sched.h"

#include "guests/demo/timer.h"

static const struct task *current;

const char *sched_current(void)
{
    return current ? current->name : "start";
}

static struct task *pick(struct task *tasks, unsigned count, uint32_t now)
{
    struct task *idle = tasks;
    for (unsigned i = 0; i < count; i++) {
        if (!tasks[i].period)
            idle = &tasks[i];
        else if (tasks[i].due <= now)
            return &tasks[i];
    }
    return idle;
}

void sched_run(struct task *tasks, unsigned count, uint32_t end)
{
    for (uint32_t now = timer_now(); now < end; now = timer_now()) {
        struct task *task = pick(tasks, count, now);
        current = task;
        task->run(now);
        task->due += task->period;
    }
}
