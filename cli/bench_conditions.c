#include "cli/bench_conditions.h"

#include "cli/bench_client.h"
#include "cli/bench_qemu.h"
#include "cli/bench_report.h"
#include "cli/bench_results.h"
#include "cli/numbers.h"
#include "cli/symbols.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define POSITION UINT64_C(100000000)
/* In the page of the guest's code, and behind all of it. */
#define NOWHERE UINT64_C(0x80000ffe)
#define QEMU_SECONDS 5.0

/* The call that the condition holds at: x == WANTED. */
enum { WANTED = 100, REGISTER_A0 = 10 };

static bool find_function(const struct embedded_file *guest, uint64_t *address, struct error *err)
{
    struct symbols *s = symbols_new();
    bool good = symbols_add(s, guest->name, guest->data, guest->size, err) &&
                (symbols_find(s, "called", address) ||
                 error_set(err, ERROR_FORMAT, "%s has no function `called`", guest->name));
    symbols_free(s);
    return good;
}

/* ---- here ---- */

/* As gdb sends it: reg a0; const8; equal; end. */
static bool insert(struct bench_client *client, uint64_t address, bool condition, struct error *err)
{
    char packet[96];
    snprintf(packet, sizeof packet, "Z0,%" PRIx64 ",2%s", address,
             condition ? ";X7,26000a22641327" : "");
    return bench_client_ok(client, packet, err);
}

static bool to_tip(struct bench_client *client, struct error *err)
{
    struct bench_stop_reply reply;
    return bench_client_resume(client, "vCont;c", &reply, err) &&
           (reply.end || error_set(err, ERROR_FORMAT, "continue did not stop at the tip"));
}

/* bc to a breakpoint, which is gone afterwards, from the tip. */
static bool back(struct bench_client *client, uint64_t address, bool condition,
                 struct bench_stop_reply *reply, struct error *err)
{
    return to_tip(client, err) && insert(client, address, condition, err) &&
           bench_client_resume(client, "bc", reply, err) &&
           bench_client_breakpoint(client, false, address, err);
}

static bool search(struct bench_conditions *c, struct bench_client *client, uint64_t function,
                   struct error *err)
{
    struct bench_stop_reply stop, plain;
    uint64_t x;
    if (!bench_client_breakpoint(client, true, function, err) ||
        !bench_client_resume(client, "bc", &stop, err) ||
        !bench_client_breakpoint(client, false, function, err) ||
        !bench_client_register(client, REGISTER_A0, &c->calls, err) ||
        !back(client, NOWHERE, false, &plain, err))
        return false;
    if (!plain.begin)
        return error_set(err, ERROR_FORMAT, "bc stopped where nothing is");
    if (!back(client, function, true, &stop, err) ||
        !bench_client_register(client, REGISTER_A0, &x, err))
        return false;
    if (x != WANTED || stop.begin)
        return error_set(err, ERROR_FORMAT, "bc with a condition stopped at x = %" PRIu64, x);
    bench_sample(&c->plain, plain.seconds);
    bench_sample(&c->conditional, stop.seconds);
    bench_sample(&c->ratio, stop.cpu / plain.cpu);
    c->packets = (double)stop.packets;
    return to_tip(client, err);
}

static bool measure(struct bench_conditions *c, unsigned repeats, uint64_t function,
                    struct bench_host *host, struct error *err)
{
    struct bench_client client;
    if (!bench_client_start(&client, host, c->guest, c->position, err))
        return false;
    bool good = true;
    for (unsigned i = 0; good && i < repeats; i++)
        good = search(c, &client, function, err);
    bench_client_end(&client);
    return good;
}

/* ---- beside QEMU ----
 *
 * Its gdb port has no conditions: gdb stops at each call, reads x, lifts the breakpoint, steps,
 * sets it again and goes on. Backwards each of its stops would be a replay from a snapshot, and end
 * in days; so it is asked for calls forwards, while it records, for a bounded time. */

static bool one_call(struct bench_client *client, uint64_t function, uint64_t *x, struct error *err)
{
    struct bench_stop_reply stop;
    return bench_client_resume(client, "c", &stop, err) &&
           bench_client_register(client, REGISTER_A0, x, err) &&
           bench_client_breakpoint(client, false, function, err) &&
           bench_client_resume(client, "s", &stop, err) &&
           bench_client_breakpoint(client, true, function, err);
}

static bool ask_qemu(struct bench_conditions *c, struct bench_client *client, uint64_t function,
                     struct error *err)
{
    uint64_t first, x;
    if (!bench_client_breakpoint(client, true, function, err) ||
        !one_call(client, function, &first, err))
        return false;
    double began = bench_now();
    do {
        if (!one_call(client, function, &x, err))
            return false;
        c->qemu_seconds = bench_now() - began;
    } while (c->qemu_seconds < QEMU_SECONDS && x - first < c->calls);
    c->qemu_calls = x - first;
    return true;
}

static bool measure_qemu(struct bench_conditions *c, uint64_t function, struct bench_host *host,
                         struct error *err)
{
    char file[BENCH_PATH], log[BENCH_PATH], path[BENCH_PATH];
    struct bench_qemu qemu;
    struct bench_client client;
    bench_path(host, "conditions.elf", file);
    bench_path(host, "conditions.log", log);
    bench_path(host, "qemu-gdb", path);
    if (!bench_write_guest(c->guest, file, err) ||
        !bench_qemu_start(&qemu, host, file, log, false, err))
        return false;
    bool good =
        bench_qemu_gdb(&qemu, path, err) && bench_client_borrow(&client, host, qemu.pid, path, err);
    if (good) {
        good = ask_qemu(c, &client, function, err);
        client.pid = 0; /* QEMU's process is qemu's */
        bench_client_end(&client);
    }
    bench_qemu_end(&qemu);
    unlink(log);
    return good;
}

bool bench_measure_conditions(struct bench_conditions *c, unsigned repeats, bool qemu,
                              struct bench_host *host, struct error *err)
{
    uint64_t function;
    struct error problem = ERROR_INIT;
    c->position = POSITION;
    if (!find_function(c->guest, &function, err) || !measure(c, repeats, function, host, err))
        return false;
    if (!qemu || measure_qemu(c, function, host, &problem))
        return true;
    if (host->signal) {
        *err = problem;
        return false;
    }
    c->qemu_calls = 0;
    snprintf(c->qemu_problem, sizeof c->qemu_problem, "%.159s", problem.message);
    return true;
}

/* ---- on paper ---- */

size_t bench_condition_floors(const struct bench_conditions *c, struct bench_floor *out)
{
    bool known = c->ratio.count > 0;
    out[0] = (struct bench_floor){.name = "bc to a condition in 1e8, packets",
                                  .unit = "",
                                  .wanted = 2,
                                  .measured = c->packets,
                                  .at_most = true,
                                  .known = known};
    out[1] = (struct bench_floor){.name = "bc to a condition in 1e8, to a plain scan",
                                  .unit = "x",
                                  .wanted = 1.5,
                                  .measured = bench_median(&c->ratio),
                                  .at_most = true,
                                  .known = known};
    return BENCH_CONDITION_FLOORS;
}

/* What all calls would take at the speed seen. */
static double qemu_all(const struct bench_conditions *c)
{
    return c->qemu_seconds / (double)c->qemu_calls * (double)c->calls;
}

void bench_conditions_print(const struct bench_conditions *c, FILE *out)
{
    char conditional[BENCH_CELL], plain[BENCH_CELL], calls[NUMBER_TEXT];
    if (!c->ratio.count)
        return;
    bench_format_median(&c->conditional, conditional);
    bench_format_median(&c->plain, plain);
    number_format(c->calls, calls);
    fprintf(out, "\nBackwards to the one of %s calls that a condition holds at (bc, %.0e steps)\n",
            calls, (double)c->position);
    fprintf(out, "backstep  %9s, %.0f packets; a scan of it without calls %s, ratio %.2fx\n",
            conditional, c->packets, plain, bench_median(&c->ratio));
    if (c->qemu_calls)
        fprintf(out,
                "QEMU      %9.0f s forwards, with gdb at each call (%" PRIu64
                " of them took %.1f s); backwards each is a replay: not within any bound\n",
                qemu_all(c), c->qemu_calls, c->qemu_seconds);
    else if (c->qemu_problem[0])
        fprintf(out, "QEMU      (%s)\n", c->qemu_problem);
}

json_t *bench_conditions_json(const struct bench_conditions *c)
{
    if (!c->ratio.count)
        return json_null();
    json_t *object =
        json_pack("{s:I, s:I, s:f, s:f, s:f, s:f}", "position", (json_int_t)c->position, "calls",
                  (json_int_t)c->calls, "bc_conditional_seconds", bench_median(&c->conditional),
                  "bc_plain_seconds", bench_median(&c->plain), "bc_conditional_to_plain",
                  bench_median(&c->ratio), "packets", c->packets);
    json_object_set_new(object, "qemu_calls",
                        c->qemu_calls ? json_integer((json_int_t)c->qemu_calls) : json_null());
    json_object_set_new(object, "qemu_seconds",
                        c->qemu_calls ? json_real(c->qemu_seconds) : json_null());
    json_object_set_new(object, "qemu_all_calls_seconds",
                        c->qemu_calls ? json_real(qemu_all(c)) : json_null());
    if (c->qemu_problem[0])
        json_object_set_new(object, "qemu_problem", json_string(c->qemu_problem));
    return object;
}
