/* The bench's results on paper. */
#ifndef CLI_BENCH_REPORT_H
#define CLI_BENCH_REPORT_H

#include "cli/bench_results.h"

#include <stdio.h>

void bench_print_table(const struct bench_results *results, FILE *out);
/* One object; units are in the names. Not measured: null. */
void bench_print_json(const struct bench_results *results, FILE *out);

#endif
