#include "cli/bench.h"

#include "base/check.h"
#include "cli/bench_linux.h"
#include "cli/bench_qemu.h"
#include "cli/bench_report.h"
#include "cli/numbers.h"

#include <stdlib.h>
#include <string.h>

enum { EXIT_MEASURED = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_SIGNAL = 128 };

enum {
    ROUNDS = 9,
    ROUNDS_QUICK = 3,
    ROUNDS_LINUX = 5,
    ROUNDS_LINUX_QUICK = 1,
    ROUNDS_RECORDING = 1,
    ROUNDS_MOST = BENCH_SAMPLES,
    REPEATS = 3,
    REPEATS_QUICK = 1
};
#define ROUND_SECONDS 0.4
#define ROUND_SECONDS_QUICK 0.15
#define STEPS_MOST UINT64_C(1000000000000)

static const char usage[] =
    "usage: backstep bench [--quick] [--rounds N] [--steps N] [--json]\n"
    "       backstep bench --recording [--quick] [--rounds N] [--steps N] [--json]\n"
    "       backstep bench --linux [KERNEL INITRD] [--quick] [--rounds N] [--json]\n"
    "Measures speed forwards and backwards on five built-in guests, side by side with\n"
    "qemu-system-riscv64 where that is installed, and recordings in files.\n"
    "  --recording only recordings: up to 1e10 steps (with --quick 1e9, with --steps N those),\n"
    "              opened and verified\n"
    "  --linux     on Debian's Linux instead: boot to power-off, what the log and the checkpoints\n"
    "              take, a recording in a file; KERNEL and INITRD are those that\n"
    "              tests/guests/get-linux and tests/linux/initramfs.py have made, in\n"
    "              $BACKSTEP_LINUX or build/deps/linux\n"
    "  --quick     fewer and shorter rounds\n"
    "  --rounds N  rounds of forward runs; the medians count (1 to 1000)\n"
    "  --steps N   steps of a round, instead of as many as take 0.4 s\n"
    "  --json      JSON on stdout, and the table on stderr\n";

/* The latency is that of the first. */
static const char *const guest_names[BENCH_GUESTS] = {"integer", "crc", "chase", "matmul", "calls"};
static const uint64_t positions[BENCH_POSITIONS] = {1000000, 100000000, 1000000000};
/* Where recordings end; --quick does without the longest. */
static const uint64_t ends[BENCH_RECORDINGS] = {100000000, 1000000000, UINT64_C(10000000000)};

/* ---- options ---- */

/* The value of option `name` at *at, as `--name VALUE` or `--name=VALUE`; the word itself may have
 * one dash or two. NULL: it is another option. */
static bool take_number(char **argv, int argc, int *at, const char *name, uint64_t most,
                        uint64_t *value, bool *taken, struct error *err)
{
    const char *word = argv[*at] + (argv[*at][1] == '-' ? 2 : 1);
    size_t size = strlen(name);
    *taken = !strncmp(word, name, size) && (!word[size] || word[size] == '=');
    if (!*taken)
        return true;
    const char *text = word[size] ? word + size + 1 : *at + 1 < argc ? argv[++*at] : NULL;
    if (!text)
        return error_set(err, ERROR_USAGE, "--%s wants a number", name);
    if (!number_parse(text, value) || *value < 1 || *value > most)
        return error_set(err, ERROR_USAGE, "--%s: `%.40s` is no number from 1 to %llu", name, text,
                         (unsigned long long)most);
    return true;
}

static bool is_flag(const char *word, const char *name)
{
    return !strcmp(word + (word[1] == '-' ? 2 : 1), name);
}

static bool parse_option(struct bench_options *o, char **argv, int argc, int *at, uint64_t *rounds,
                         struct error *err)
{
    bool taken;
    if (argv[*at][0] != '-' && o->linux_guest && !o->initrd) {
        *(o->kernel ? &o->initrd : &o->kernel) = argv[*at];
        return true;
    }
    if (argv[*at][0] != '-')
        return error_set(err, ERROR_USAGE, "`%.60s` is not understood", argv[*at]);
    if (is_flag(argv[*at], "quick"))
        return o->quick = true;
    if (is_flag(argv[*at], "json"))
        return o->json = true;
    if (is_flag(argv[*at], "linux"))
        return o->linux_guest = true;
    if (is_flag(argv[*at], "recording"))
        return o->recording = true;
    if (!take_number(argv, argc, at, "rounds", ROUNDS_MOST, rounds, &taken, err) || taken)
        return !err->code;
    if (!take_number(argv, argc, at, "steps", STEPS_MOST, &o->steps, &taken, err) || taken)
        return !err->code;
    return error_set(err, ERROR_USAGE, "there is no option `%.60s`", argv[*at]);
}

static unsigned usual_rounds(const struct bench_options *o)
{
    if (o->linux_guest)
        return o->quick ? ROUNDS_LINUX_QUICK : ROUNDS_LINUX;
    if (o->recording)
        return ROUNDS_RECORDING;
    return o->quick ? ROUNDS_QUICK : ROUNDS;
}

static bool parse_options(struct bench_options *o, int argc, char **argv, struct error *err)
{
    uint64_t rounds = 0;
    *o = (struct bench_options){0};
    for (int i = 1; i < argc; i++)
        if (!parse_option(o, argv, argc, &i, &rounds, err))
            return false;
    if (o->kernel && !o->initrd)
        return error_set(err, ERROR_USAGE, "--linux wants two files, KERNEL INITRD, or none");
    if (o->linux_guest && o->steps)
        return error_set(err, ERROR_USAGE, "--steps is not for --linux: its workload is fixed");
    if (o->linux_guest && o->recording)
        return error_set(err, ERROR_USAGE, "--linux measures a recording too: without --recording");
    o->rounds = rounds ? (unsigned)rounds : usual_rounds(o);
    o->round_seconds = o->quick ? ROUND_SECONDS_QUICK : ROUND_SECONDS;
    return true;
}

/* ---- the course ---- */

static bool find_guests(struct bench_results *results, struct error *err)
{
    for (unsigned i = 0; i < BENCH_GUESTS; i++) {
        struct bench_speed *speed = &results->speed[i];
        char file[64];
        snprintf(speed->name, sizeof speed->name, "%s", guest_names[i]);
        snprintf(file, sizeof file, "bench-%s.elf", guest_names[i]);
        for (size_t k = 0; k < embedded_count; k++)
            if (!strcmp(embedded_files[k].name, file))
                speed->guest = &embedded_files[k];
        if (!speed->guest)
            return error_set(err, ERROR_UNSUPPORTED, "%s is not built in", file);
    }
    return true;
}

static bool measure_speeds(struct bench_results *results, struct bench_host *host,
                           struct error *err)
{
    for (unsigned i = 0; i < BENCH_GUESTS; i++) {
        fprintf(stderr, "backstep bench: forwards, %s\n", guest_names[i]);
        if (!bench_measure_speed(results, i, host, err))
            return error_prefix(err, "%s", guest_names[i]);
    }
    return true;
}

static bool measure_latencies(struct bench_results *results, struct bench_host *host,
                              struct error *err)
{
    const struct embedded_file *guest = results->speed[0].guest;
    unsigned repeats = results->options.quick ? REPEATS_QUICK : REPEATS;
    for (unsigned i = 0; i < BENCH_POSITIONS; i++) {
        struct bench_latency *engine = &results->engine[i], *through = &results->socket[i];
        engine->position = through->position = positions[i];
        fprintf(stderr, "backstep bench: backwards from position %.0e\n", (double)positions[i]);
        if (!bench_measure_engine(engine, guest, repeats, host, err) ||
            !bench_measure_socket(through, guest, repeats, host, err))
            return error_prefix(err, "backwards from %.0e", (double)positions[i]);
    }
    return true;
}

static bool measure_conditions(struct bench_results *results, struct bench_host *host,
                               struct error *err)
{
    const struct bench_options *o = &results->options;
    fprintf(stderr, "backstep bench: backwards to a condition\n");
    for (size_t k = 0; k < embedded_count; k++)
        if (!strcmp(embedded_files[k].name, "bench-conditions.elf"))
            results->conditions.guest = &embedded_files[k];
    if (!results->conditions.guest)
        return error_set(err, ERROR_UNSUPPORTED, "bench-conditions.elf is not built in");
    return bench_measure_conditions(&results->conditions, o->quick ? REPEATS_QUICK : REPEATS,
                                    results->qemu[0], host, err) ||
           error_prefix(err, "conditions");
}

static bool measure_recordings(struct bench_results *results, struct bench_host *host,
                               struct error *err)
{
    const struct bench_options *o = &results->options;
    unsigned rounds = o->recording ? o->rounds : ROUNDS_RECORDING;
    results->recordings.guest = results->speed[0].guest;
    if (o->recording && o->steps)
        return bench_measure_recordings(&results->recordings, &o->steps, 1, rounds, host, err);
    return bench_measure_recordings(&results->recordings, ends,
                                    o->quick ? BENCH_RECORDINGS - 1 : BENCH_RECORDINGS, rounds,
                                    host, err);
}

/* False: a signal ends the bench. No QEMU is an empty text. */
static bool find_qemu(struct bench_host *host, char *version, size_t size, struct error *err)
{
    if (!bench_qemu_version(host, version, size) && host->signal)
        return error_set(err, ERROR_IO, "interrupted");
    return true;
}

static bool run_guests(const struct bench_options *options, struct bench_host *host,
                       struct error *err)
{
    struct bench_results *r = mem_new(1, sizeof *r);
    r->options = *options;
    bool good = find_guests(r, err);
    if (good && !options->recording)
        good = find_qemu(host, r->qemu, sizeof r->qemu, err) && measure_speeds(r, host, err) &&
               measure_latencies(r, host, err) && measure_conditions(r, host, err);
    good = good && measure_recordings(r, host, err);
    if (good)
        bench_print_table(r, options->json ? stderr : stdout);
    if (good && options->json)
        bench_print_json(r, stdout);
    free(r);
    return good;
}

static bool run_linux(const struct bench_options *options, struct bench_host *host,
                      struct error *err)
{
    struct bench_linux_results *r = mem_new(1, sizeof *r);
    r->options = *options;
    bool good = bench_linux_find(&r->files, options->kernel, options->initrd, err) &&
                find_qemu(host, r->qemu, sizeof r->qemu, err) && bench_linux_measure(r, host, err);
    if (good)
        bench_linux_print_table(r, options->json ? stderr : stdout);
    if (good && options->json)
        bench_linux_print_json(r, stdout);
    free(r);
    return good;
}

static int run(const struct bench_options *options)
{
    struct error err = ERROR_INIT;
    struct bench_host host;
    bool good = false;
    host.signal = 0;
    if (bench_host_init(&host, &err)) {
        good = (options->linux_guest ? run_linux : run_guests)(options, &host, &err);
        bench_host_fini(&host);
    }
    if (!good)
        fprintf(stderr, "backstep bench: %s\n", err.message);
    return host.signal               ? EXIT_SIGNAL + host.signal
           : good                    ? EXIT_MEASURED
           : err.code == ERROR_USAGE ? EXIT_USAGE
                                     : EXIT_FAILED;
}

int bench_main(int argc, char **argv)
{
    struct bench_options options;
    struct error err = ERROR_INIT;
    if (argc > 1 && argv[1][0] == '-' && (is_flag(argv[1], "help") || is_flag(argv[1], "h"))) {
        fputs(usage, stdout);
        return EXIT_MEASURED;
    }
    if (!parse_options(&options, argc, argv, &err)) {
        fprintf(stderr, "backstep bench: %s (backstep bench --help)\n", err.message);
        return EXIT_USAGE;
    }
    return run(&options);
}
