#include "cli/bench_report.h"

#include <jansson.h>

/* NULL when the value is not known. */
static json_t *number(double value, bool known)
{
    return known ? json_real(value) : json_null();
}

static json_t *median(const struct bench_samples *samples)
{
    return number(bench_median(samples), samples->count > 0);
}

static json_t *all(const struct bench_samples *samples)
{
    json_t *array = json_array();
    for (size_t i = 0; i < samples->count; i++)
        json_array_append_new(array, json_real(samples->value[i]));
    return array;
}

/* Medians, and the rounds they are of. */
static json_t *rates_json(const struct bench_rates *rates)
{
    return json_pack("{s:o, s:o, s:o, s:o}", "per_processor_second", median(&rates->cpu),
                     "per_second", median(&rates->wall), "rounds_per_processor_second",
                     all(&rates->cpu), "rounds_per_second", all(&rates->wall));
}

static json_t *speed_json(const struct bench_speed *speed)
{
    json_t *object = json_pack(
        "{s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "guest", speed->name, "steps_per_round",
        (json_int_t)speed->steps, "recorded_steps", rates_json(&speed->recorded),
        "no_checkpoints_steps", rates_json(&speed->off), "record_overhead_percent",
        median(&speed->overhead), "rounds_record_overhead_percent", all(&speed->overhead),
        "qemu_record_instructions", rates_json(&speed->qemu_record), "qemu_replay_instructions",
        rates_json(&speed->qemu_replay));
    json_t *memory =
        json_pack("{s:f, s:f, s:I, s:I}", "checkpoints_per_1e9_steps", speed->checkpoints,
                  "checkpoint_bytes_per_1e9_steps", speed->checkpoint_bytes, "memory_peak_bytes",
                  (json_int_t)speed->memory_peak, "memory_peak_no_checkpoints_bytes",
                  (json_int_t)speed->memory_peak_off);
    json_object_update(object, memory);
    json_decref(memory);
    if (speed->qemu_problem[0])
        json_object_set_new(object, "qemu_problem", json_string(speed->qemu_problem));
    return object;
}

static json_t *latency_json(const char *where, const struct bench_latency *row)
{
    return json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "where", where, "position",
                     (json_int_t)row->position, "forward_seconds", median(&row->forward),
                     "first_bs_seconds", median(&row->first_step), "bs_seconds", median(&row->step),
                     "bc_hot_seconds", median(&row->hot), "bc_nothing_seconds",
                     median(&row->nothing), "bc_nothing_to_forward", median(&row->ratio),
                     "bc_skipped_seconds", median(&row->skipped));
}

json_t *bench_floors_json(const struct bench_floor *row, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *verdict = row[i].known ? json_boolean(bench_floor_holds(&row[i])) : json_null();
        json_array_append_new(
            array,
            json_pack("{s:s, s:s, s:s, s:f, s:o, s:o}", "name", row[i].name, "unit", row[i].unit,
                      "limit", row[i].at_most ? "at most" : "at least", "wanted", row[i].wanted,
                      "measured", number(row[i].measured, row[i].known), "pass", verdict));
    }
    return array;
}

static json_t *guests_json(const struct bench_results *results)
{
    json_t *speed = json_array(), *latency = json_array();
    for (unsigned i = 0; i < BENCH_GUESTS; i++)
        json_array_append_new(speed, speed_json(&results->speed[i]));
    for (unsigned i = 0; i < BENCH_POSITIONS; i++)
        json_array_append_new(latency, latency_json("engine", &results->engine[i]));
    for (unsigned i = 0; i < BENCH_POSITIONS; i++)
        json_array_append_new(latency, latency_json("socket", &results->socket[i]));
    return json_pack("{s:o, s:i, s:o, s:o}", "qemu",
                     results->qemu[0] ? json_string(results->qemu) : json_null(), "rounds",
                     (int)results->options.rounds, "speed", speed, "latency", latency);
}

void bench_print_json(const struct bench_results *results, FILE *out)
{
    struct bench_floor floor[BENCH_FLOORS + BENCH_CONDITION_FLOORS + BENCH_RECORDING_FLOORS];
    size_t floors = 0;
    json_t *object = json_pack("{s:s}", "version", BACKSTEP_VERSION);
    if (!results->options.recording) {
        json_t *guests = guests_json(results);
        json_object_update(object, guests);
        json_decref(guests);
        floors = bench_floors(results, floor);
        floors += bench_condition_floors(&results->conditions, floor + floors);
        json_object_set_new(object, "conditions", bench_conditions_json(&results->conditions));
    }
    floors += bench_recording_floors(&results->recordings, floor + floors);
    json_object_set_new(object, "recordings", bench_recordings_json(&results->recordings));
    json_object_set_new(object, "floors", bench_floors_json(floor, floors));
    json_dumpf(object, out, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    fputc('\n', out);
    json_decref(object);
}
