#include "cli/bench.h"
#include "cli/bench_report.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static int bench(const char *a, const char *b)
{
    char *argv[] = {"bench", (char *)(uintptr_t)a, (char *)(uintptr_t)b, NULL};
    return bench_main(a ? b ? 3 : 2 : 1, argv);
}

Test(bench, refuses_what_it_does_not_know)
{
    cr_redirect_stderr();
    cr_assert_eq(bench("--nope", NULL), 2);
    cr_assert_eq(bench("guest", NULL), 2);
    cr_assert_eq(bench("-", NULL), 2);
    cr_assert_eq(bench("--rounds", NULL), 2);
    cr_assert_eq(bench("--rounds", "0"), 2);
    cr_assert_eq(bench("--rounds", "1001"), 2);
    cr_assert_eq(bench("--steps=-1", NULL), 2);
    cr_assert_eq(bench("--steps", "many"), 2);
    cr_assert_eq(bench("--quickly", NULL), 2);
    cr_assert_eq(bench("--json=yes", NULL), 2);
    cr_assert_eq(bench("--recording", "--linux"), 2);
    cr_assert_eq(bench("--recording", "--steps=0"), 2);
}

Test(bench, median)
{
    struct bench_samples samples = {.count = 0};
    cr_assert_eq(bench_median(&samples), 0);
    bench_sample(&samples, 3);
    cr_assert_eq(bench_median(&samples), 3);
    bench_sample(&samples, 9);
    cr_assert_eq(bench_median(&samples), 6);
    bench_sample(&samples, 1);
    cr_assert_eq(bench_median(&samples), 3);
    for (unsigned i = 0; i < 2 * BENCH_SAMPLES; i++)
        bench_sample(&samples, 5);
    cr_assert_eq(samples.count, BENCH_SAMPLES);
    cr_assert_eq(bench_median(&samples), 5);
}

/* Our figures all as wanted, to the edge; nobody has measured QEMU. */
static struct bench_results *good_results(void)
{
    static const char *const names[BENCH_GUESTS] = {"integer", "crc", "chase", "matmul", "calls"};
    struct bench_results *results = calloc(1, sizeof *results);
    cr_assert(results);
    results->options.rounds = 1;
    for (unsigned i = 0; i < BENCH_GUESTS; i++) {
        strcpy(results->speed[i].name, names[i]);
        bench_rate(&results->speed[i].recorded, 1e8, 1, 1);
        bench_rate(&results->speed[i].off, 1e8, 1, 1);
        bench_sample(&results->speed[i].overhead, 10);
    }
    struct bench_latency *row = &results->socket[BENCH_POSITIONS - 1];
    bench_sample(&row->step, 200e-6);
    bench_sample(&row->first_step, 200e-3);
    bench_sample(&row->ratio, 1.3);
    return results;
}

static struct bench_floor find(const struct bench_results *results, const char *name)
{
    struct bench_floor row[BENCH_FLOORS];
    size_t count = bench_floors(results, row);
    cr_assert_leq(count, BENCH_FLOORS);
    for (size_t i = 0; i < count; i++)
        if (strstr(row[i].name, name))
            return row[i];
    cr_assert(false, "no floor named %s", name);
    return row[0];
}

Test(bench, floors_hold_to_the_edge)
{
    struct bench_results *results = good_results();
    struct bench_floor row[BENCH_FLOORS];
    size_t count = bench_floors(results, row), known = 0;
    cr_assert_eq(count, 13);
    for (size_t i = 0; i < count; i++) {
        known += row[i].known;
        cr_assert(!row[i].known || bench_floor_holds(&row[i]), "%s", row[i].name);
    }
    cr_assert_eq(known, 8);
    free(results);
}

Test(bench, floors_that_are_missed)
{
    struct bench_results *results = good_results();
    bench_rate(&results->speed[0].qemu_record, 4e8, 1, 1);
    bench_rate(&results->speed[2].qemu_record, 2e8, 1, 1);
    bench_sample(&results->speed[1].overhead, 13);
    struct bench_floor integer = find(results, "integer, speed");
    struct bench_floor chase = find(results, "chase, speed");
    struct bench_floor overhead = find(results, "crc, overhead");
    cr_assert(integer.known && bench_floor_holds(&integer));
    cr_assert_float_eq(integer.measured, 0.25, 1e-9);
    cr_assert(chase.known && !bench_floor_holds(&chase));
    cr_assert_float_eq(chase.measured, 0.5, 1e-9);
    cr_assert(!bench_floor_holds(&overhead));
    cr_assert_float_eq(overhead.measured, 11.5, 1e-9);
    free(results);
}

static char *printed(void (*print)(const struct bench_results *, FILE *),
                     const struct bench_results *results)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    print(results, out);
    fclose(out);
    return text;
}

/* One recording, as wanted to the edge. */
static void add_recording(struct bench_results *results)
{
    struct bench_recording *row = &results->recordings.row[results->recordings.count++];
    row->end = 10000000000;
    row->bytes = 4096;
    bench_time(&row->forward, 9, 9);
    bench_time(&row->verify[0], 10, 16);
    bench_time(&row->verify[1], 10, 10);
    bench_sample(&row->close, 0.01);
    bench_sample(&row->open, 1);
    bench_sample(&row->live_first, 0.1);
    bench_sample(&row->live_step, 100e-6);
    bench_sample(&row->first_step, 0.2);
    bench_sample(&row->step, 150e-6);
}

Test(bench, floors_of_the_longest_recording)
{
    struct bench_results *results = good_results();
    struct bench_recordings *r = &results->recordings;
    struct bench_floor row[BENCH_RECORDING_FLOORS];
    cr_assert_eq(bench_recording_floors(r, row), 0);
    add_recording(results);
    cr_assert_eq(bench_recording_floors(r, row), BENCH_RECORDING_FLOORS);
    cr_assert_str_eq(row[0].name, "1e+10 recorded, opens at the end");
    for (size_t i = 0; i < BENCH_RECORDING_FLOORS; i++)
        cr_assert(!row[i].known || bench_floor_holds(&row[i]), "%s", row[i].name);
    add_recording(results);
    bench_sample(&r->row[0].open, 7);
    bench_sample(&r->row[1].step, 160e-6);
    bench_time(&r->row[1].verify[0], 10.1, 16);
    bench_recording_floors(r, row);
    cr_assert(bench_floor_holds(&row[0]));
    cr_assert_not(bench_floor_holds(&row[1]));
    cr_assert(bench_floor_holds(&row[2]));
    cr_assert_not(bench_floor_holds(&row[3]));
    free(results);
}

Test(bench, recordings_alone)
{
    struct bench_results *results = good_results();
    results->options.recording = true;
    add_recording(results);
    char *text = printed(bench_print_json, results);
    json_t *object = json_loads(text, 0, NULL);
    cr_assert(object);
    cr_assert_null(json_object_get(object, "speed"));
    cr_assert_eq(json_array_size(json_object_get(object, "floors")), BENCH_RECORDING_FLOORS);
    const json_t *row = json_array_get(json_object_get(object, "recordings"), 0);
    cr_assert_eq(json_integer_value(json_object_get(row, "position")), 10000000000);
    cr_assert_float_eq(json_real_value(json_object_get(row, "open_seconds")), 1, 1e-9);
    const json_t *verify = json_object_get(row, "verify_j2");
    cr_assert_float_eq(json_real_value(json_object_get(verify, "seconds")), 10, 1e-9);
    json_decref(object);
    free(text);
    text = printed(bench_print_table, results);
    cr_assert_null(strstr(text, "chase"));
    cr_assert(strstr(text, "\n1e+10 "));
    free(text);
    free(results);
}

Test(bench, json_says_what_was_not_measured)
{
    struct bench_results *results = good_results();
    char *text = printed(bench_print_json, results);
    json_t *object = json_loads(text, 0, NULL);
    cr_assert(object);
    cr_assert(json_is_null(json_object_get(object, "qemu")));
    const json_t *speed = json_array_get(json_object_get(object, "speed"), 2);
    cr_assert_str_eq(json_string_value(json_object_get(speed, "guest")), "chase");
    const json_t *ours = json_object_get(speed, "recorded_steps");
    cr_assert_float_eq(json_real_value(json_object_get(ours, "per_second")), 1e8, 1);
    const json_t *theirs = json_object_get(speed, "qemu_record_instructions");
    cr_assert(json_is_null(json_object_get(theirs, "per_second")));
    cr_assert_eq(json_array_size(json_object_get(object, "latency")), 2 * BENCH_POSITIONS);
    cr_assert_eq(json_array_size(json_object_get(object, "floors")), 15);
    json_decref(object);
    free(text);
    free(results);
}

Test(bench, table_has_a_verdict_a_floor)
{
    struct bench_results *results = good_results();
    bench_rate(&results->speed[4].qemu_record, 1e9, 1, 1);
    char *text = printed(bench_print_table, results);
    unsigned pass = 0, missed = 0, unknown = 0;
    for (const char *at = text; (at = strstr(at, "  pass\n")); at++)
        pass++;
    for (const char *at = text; (at = strstr(at, "  short\n")); at++)
        missed++;
    for (const char *at = text; (at = strstr(at, "  not measured\n")); at++)
        unknown++;
    cr_assert_eq(pass, 8);
    cr_assert_eq(missed, 1);
    cr_assert_eq(unknown, 6);
    cr_assert(strstr(text, "is not installed"));
    free(text);
    free(results);
}
