/* The bench's results on paper. */
#ifndef CLI_BENCH_REPORT_H
#define CLI_BENCH_REPORT_H

#include "cli/bench_results.h"

#include <stdio.h>

/* Parts that reports have in common. */
struct json_t;
enum { BENCH_CELL = 32 };
/* "1.23 ms", with the unit that fits; "-" for none. */
void bench_format_median(const struct bench_samples *seconds, char text[BENCH_CELL]);
void bench_print_floors(const struct bench_floor *row, size_t count, FILE *out);
struct json_t *bench_floors_json(const struct bench_floor *row, size_t count);

void bench_print_table(const struct bench_results *results, FILE *out);
/* One object; units are in the names. Not measured: null. */
void bench_print_json(const struct bench_results *results, FILE *out);

#endif
