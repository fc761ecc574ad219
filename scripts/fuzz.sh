#!/bin/sh
# fuzz.sh PROGRAM CORPUS: run one libFuzzer program for ten seconds, for three minutes when
# BACKSTEP_FULL is set. The kept corpus is only read; what is found goes to PROGRAM.found/ and
# PROGRAM.crashes/. Exit status 77: not built, because there is no clang.
set -eu
program=$1
corpus=$2
[ -x "$program" ] || { echo "$program is not built: no clang when it was configured"; exit 77; }

mkdir -p "$program.found" "$program.crashes"
set -- "$program.found"
[ ! -d "$corpus" ] || set -- "$@" "$corpus"
seconds=10
[ -z "${BACKSTEP_FULL:-}" ] || seconds=180
# libFuzzer's own status for a crash is 77, which would read as "skipped".
exec "$program" -error_exitcode=1 -max_total_time=$seconds -timeout=10 -rss_limit_mb=2048 \
    -artifact_prefix="$program.crashes/" "$@"
