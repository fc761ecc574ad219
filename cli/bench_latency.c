/* How long it takes to go back from a position that was just reached: by the timeline's own
 * functions, and through the socket as gdb does. The same course for both. */
#include "cli/bench_client.h"
#include "cli/bench_results.h"
#include "cli/bench_worker.h"

#include <string.h>

/* In the page of the guest's code, and behind all of it: the page's summary cannot tell. */
#define SAME_PAGE UINT64_C(0x80000ffe)
/* In a page that nothing executes. */
#define OTHER_PAGE UINT64_C(0x80400000)

enum { STEPS = 200, HOT = 20 };

/* Seconds. */
struct cost {
    double wall, cpu;
};

/* Something that can go back. */
struct traveller {
    bool (*step_back)(void *ctx, struct cost *cost, uint64_t *pc, struct error *err);
    /* With one breakpoint, which is gone afterwards; *begin: history began before it was found. */
    bool (*continue_back)(void *ctx, uint64_t address, struct cost *cost, bool *begin,
                          struct error *err);
    bool (*to_tip)(void *ctx, struct error *err);
    void *ctx;
};

static bool measure_steps(struct bench_latency *row, const struct traveller *t, uint64_t *pc,
                          struct error *err)
{
    struct cost cost;
    if (!t->step_back(t->ctx, &cost, pc, err))
        return false;
    bench_sample(&row->first_step, cost.wall);
    for (unsigned i = 0; i < STEPS; i++) {
        if (!t->step_back(t->ctx, &cost, pc, err))
            return false;
        bench_sample(&row->step, cost.wall);
    }
    return true;
}

static bool measure_hot(struct bench_latency *row, const struct traveller *t, uint64_t pc,
                        struct error *err)
{
    for (unsigned i = 0; i < HOT; i++) {
        struct cost cost;
        bool begin;
        if (!t->continue_back(t->ctx, pc, &cost, &begin, err))
            return false;
        if (begin)
            return error_set(err, ERROR_FORMAT, "bc passed a breakpoint in the loop");
        bench_sample(&row->hot, cost.wall);
    }
    return true;
}

/* To an address that is never executed: ends at the beginning of history. */
static bool search_in_vain(const struct traveller *t, uint64_t address, struct cost *cost,
                           struct error *err)
{
    bool begin;
    if (!t->to_tip(t->ctx, err) || !t->continue_back(t->ctx, address, cost, &begin, err))
        return false;
    return begin || error_set(err, ERROR_FORMAT, "bc stopped where nothing is");
}

/* The course. `forward` is the live run. */
static bool travel(struct bench_latency *row, const struct traveller *t, struct cost forward,
                   struct error *err)
{
    uint64_t pc;
    struct cost nothing, skipped;
    if (!measure_steps(row, t, &pc, err) || !measure_hot(row, t, pc, err) ||
        !search_in_vain(t, SAME_PAGE, &nothing, err) ||
        !search_in_vain(t, OTHER_PAGE, &skipped, err))
        return false;
    bench_sample(&row->forward, forward.wall);
    bench_sample(&row->nothing, nothing.wall);
    bench_sample(&row->ratio, nothing.cpu / forward.cpu);
    bench_sample(&row->skipped, skipped.wall);
    return true;
}

/* ---- by the timeline's functions ---- */

static bool engine_step_back(void *ctx, struct cost *cost, uint64_t *pc, struct error *err)
{
    struct bench_done done;
    if (!bench_worker_do(ctx, WORK_BACK_STEP, 0, &done, err))
        return false;
    *cost = (struct cost){done.seconds, done.cpu};
    *pc = done.pc;
    return true;
}

static bool engine_continue_back(void *ctx, uint64_t address, struct cost *cost, bool *begin,
                                 struct error *err)
{
    struct bench_done done;
    if (!bench_worker_do(ctx, WORK_BACK_CONTINUE, address, &done, err))
        return false;
    *cost = (struct cost){done.seconds, done.cpu};
    *begin = done.reason == STOP_BEGIN;
    return true;
}

static bool engine_to_tip(void *ctx, struct error *err)
{
    struct bench_done done;
    return bench_worker_do(ctx, WORK_RUN, UINT64_MAX, &done, err);
}

bool bench_measure_engine(struct bench_latency *row, const struct embedded_file *guest,
                          unsigned repeats, struct bench_host *host, struct error *err)
{
    for (unsigned i = 0; i < repeats; i++) {
        struct bench_worker worker;
        struct bench_done done;
        struct traveller t = {engine_step_back, engine_continue_back, engine_to_tip, &worker};
        if (!bench_worker_start(&worker, host, guest, false, err))
            return false;
        bool good = bench_worker_do(&worker, WORK_RUN, row->position, &done, err) &&
                    travel(row, &t, (struct cost){done.seconds, done.cpu}, err);
        bench_worker_end(&worker);
        if (!good)
            return false;
    }
    return true;
}

/* ---- through the socket ---- */

static bool socket_step_back(void *ctx, struct cost *cost, uint64_t *pc, struct error *err)
{
    struct bench_stop_reply reply;
    if (!bench_client_resume(ctx, "bs", &reply, err))
        return false;
    *cost = (struct cost){reply.seconds, reply.cpu};
    if (reply.begin || reply.end)
        return error_set(err, ERROR_FORMAT, "bs found the beginning of history");
    return bench_client_pc(ctx, pc, err);
}

static bool socket_continue_back(void *ctx, uint64_t address, struct cost *cost, bool *begin,
                                 struct error *err)
{
    struct bench_stop_reply reply;
    if (!bench_client_breakpoint(ctx, true, address, err) ||
        !bench_client_resume(ctx, "bc", &reply, err) ||
        !bench_client_breakpoint(ctx, false, address, err))
        return false;
    *cost = (struct cost){reply.seconds, reply.cpu};
    *begin = reply.begin;
    return true;
}

static bool socket_to_tip(void *ctx, struct error *err)
{
    struct bench_stop_reply reply;
    if (!bench_client_resume(ctx, "vCont;c", &reply, err))
        return false;
    return reply.end || error_set(err, ERROR_FORMAT, "continue did not stop at the tip");
}

bool bench_measure_socket(struct bench_latency *row, const struct embedded_file *guest,
                          unsigned repeats, struct bench_host *host, struct error *err)
{
    for (unsigned i = 0; i < repeats; i++) {
        struct bench_client client;
        struct traveller t = {socket_step_back, socket_continue_back, socket_to_tip, &client};
        if (!bench_client_start(&client, host, guest, row->position, err))
            return false;
        bool good = travel(row, &t, (struct cost){client.forward, client.forward_cpu}, err);
        bench_client_end(&client);
        if (!good)
            return false;
    }
    return true;
}
