/* `backstep bench`: how fast this build is on this host, side by side with QEMU where there is one.
 */
#ifndef CLI_BENCH_H
#define CLI_BENCH_H

/* argv[0] is "bench". Prints to stdout (table or JSON) and stderr (progress; with --json also the
 * table). Returns the exit status: 0 when it has measured, whatever it measured; 1 when it could
 * not; 2 for bad usage; 128 + N when signal N ended it. Everything it started and made is gone on
 * return. */
int bench_main(int argc, char **argv);

#endif
