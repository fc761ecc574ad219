#include "cli/bench.h"
#include "cli/bench_linux.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utime.h>

#define MIB (UINT64_C(1) << 20)

/* A folder that the guest is looked for in, removed at the end. */
static char folder[] = "/tmp/bench-linux-XXXXXX";

static void begin(void)
{
    cr_assert(mkdtemp(folder));
    setenv("BACKSTEP_LINUX", folder, 1);
}

static void make(const char *name, const char *text, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    cr_assert(f);
    fputs(text, f);
    fclose(f);
}

static void set_time(const char *path, time_t seconds)
{
    const struct utimbuf times = {seconds, seconds};
    cr_assert_eq(utime(path, &times), 0);
}

static void end(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    cr_assert_eq(system(command), 0);
}

/* So much of one. */
#define IMAGE "--------------------------------------------------------RSC\005----"

#define BENCH(...) bench((char *[]){"bench", "--linux", __VA_ARGS__, NULL})

static int bench(char **argv)
{
    int argc = 0;
    while (argv[argc])
        argc++;
    return bench_main(argc, argv);
}

Test(bench_linux, refuses_what_it_does_not_know, .init = begin, .fini = end)
{
    cr_redirect_stderr();
    cr_assert_eq(BENCH("--steps", "5"), 2);
    cr_assert_eq(BENCH("one"), 2);
    cr_assert_eq(BENCH("one", "two", "three"), 2);
    cr_assert_eq(BENCH("--nope"), 2);
    cr_assert_eq(bench((char *[]){"bench", "one", "two", NULL}), 2);
}

Test(bench_linux, says_how_to_get_the_guest, .init = begin, .fini = end)
{
    struct bench_linux_files files;
    struct error err = ERROR_INIT;
    char kernel[PATH_MAX], initrd[PATH_MAX];
    cr_redirect_stderr();
    cr_assert_eq(BENCH("--quick"), 2);
    cr_assert_not(bench_linux_find(&files, NULL, NULL, &err));
    cr_assert_eq(err.code, ERROR_USAGE);
    cr_assert(strstr(err.message, folder) && strstr(err.message, "tests/guests/get-linux"));

    make("kernel", IMAGE, kernel);
    make("initrd", "nothing known", initrd);
    cr_assert_not(bench_linux_find(&files, "/nowhere/kernel", initrd, &err));
    cr_assert(strstr(err.message, "/nowhere/kernel"));
    cr_assert_not(bench_linux_find(&files, kernel, folder, &err));
    cr_assert_not(bench_linux_find(&files, kernel, initrd, &err));
    cr_assert(strstr(err.message, "initramfs"));
    cr_assert_not(bench_linux_find(&files, initrd, initrd, &err));
    cr_assert(strstr(err.message, "no RISC-V Linux"));
    cr_assert_eq(BENCH(kernel, initrd), 2);
}

Test(bench_linux, finds_the_newest_guest, .init = begin, .fini = end)
{
    static const char done[] = "...backstep-linux: devices done...";
    struct bench_linux_files files;
    struct error err = ERROR_INIT;
    char boot[PATH_MAX], kernel[PATH_MAX], old[PATH_MAX], used[PATH_MAX], other[PATH_MAX];
    snprintf(boot, sizeof boot, "mkdir -p %s/any/boot", folder);
    cr_assert_eq(system(boot), 0);
    make("any/boot/vmlinux-6", IMAGE, kernel);
    make("initramfs-1.cpio", done, old);
    make("initramfs-2.cpio", done, used);
    make("initramfs-3.cpio", "without it", other);
    set_time(old, 1000);
    set_time(used, 2000);
    set_time(other, 3000);
    cr_assert(bench_linux_find(&files, NULL, NULL, &err), "%s", err.message);
    cr_assert_str_eq(files.kernel, kernel);
    cr_assert_str_eq(files.initrd, used);
    cr_assert(bench_linux_find(&files, kernel, old, &err));
    cr_assert_str_eq(files.initrd, old);
}

Test(bench_linux, serves_a_page)
{
    enum { PAGE = 300000 };
    struct bench_host host;
    struct error err = ERROR_INIT;
    uint16_t port;
    cr_assert(bench_host_init(&host, &err));
    pid_t pid = bench_page_start(&host, PAGE, &port, &err);
    cr_assert_gt(pid, 0);
    for (unsigned i = 0; i < 2; i++) {
        struct sockaddr_in to = {
            .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
        static const char request[] = "GET / HTTP/1.0\r\n\r\n";
        static char got[2 * PAGE];
        size_t used = 0;
        ssize_t more;
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        cr_assert_eq(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
        cr_assert_gt(send(fd, request, strlen(request), 0), 0);
        while ((more = recv(fd, got + used, sizeof got - used, 0)) > 0)
            used += (size_t)more;
        const char *body = memmem(got, used, "\r\n\r\n", 4);
        cr_assert(body && strncmp(got, "HTTP/1.0 200 ", 13) == 0);
        cr_assert_eq(got + used - (body + 4), PAGE);
        close(fd);
    }
    bench_kill(&host, pid);
    bench_host_fini(&host);
}

/* Figures all as wanted, to the edge; nobody has measured QEMU. */
static struct bench_linux_results *good_results(void)
{
    struct bench_linux_results *r = calloc(1, sizeof *r);
    cr_assert(r);
    r->options.rounds = 1;
    bench_sample(&r->ours[LINUX_BOOT].cpu, 10);
    bench_sample(&r->ours[LINUX_BOOT].wall, 20);
    bench_sample(&r->overhead, 10);
    bench_sample(&r->file_cost, 5);
    r->replay.end = 1000;
    r->replay.bytes = 64000000;
    bench_sample(&r->replay.open, 1);
    bench_time(&r->replay.forward, 9, 20);
    bench_time(&r->replay.verify[0], 10, 12);
    bench_time(&r->replay.verify[1], 10, 6);
    for (unsigned i = 0; i < LINUX_RUNS; i++) {
        r->run[i].steps = 1000;
        r->run[i].boot.budget = 64 * MIB;
        r->run[i].usage.memory_peak = (BENCH_LINUX_RAM_MIB + 64 + 64) * MIB;
        r->run[i].info.digests = r->run[i].info.checkpoints = 7;
    }
    r->run[LINUX_IDLE].boot.sleep = r->run[LINUX_IDLE_LIVE].boot.sleep = 2;
    r->run[LINUX_IDLE].info.events = 400 / LOG_EVENT_BYTES;
    r->run[LINUX_IDLE_LIVE].info.input_bytes = 400;
    r->run[LINUX_LOAD].info.input_bytes = 1000 * 10 * LOG_EVENT_BYTES;
    r->run[LINUX_LOAD].info.events = 1000;
    return r;
}

static size_t holds(const struct bench_linux_results *r, size_t *known)
{
    struct bench_floor row[BENCH_LINUX_FLOORS];
    size_t count = bench_linux_floors(r, row), good = 0;
    cr_assert_eq(count, BENCH_LINUX_FLOORS);
    *known = 0;
    for (size_t i = 0; i < count; i++) {
        *known += row[i].known;
        good += row[i].known && bench_floor_holds(&row[i]);
    }
    return good;
}

Test(bench_linux, floors)
{
    struct bench_linux_results *r = good_results();
    size_t known;
    cr_assert_eq(holds(r, &known), 12);
    cr_assert_eq(known, 12);

    bench_sample(&r->qemu_record.cpu, 1.5);
    bench_sample(&r->qemu_record.wall, 3);
    cr_assert_eq(holds(r, &known), 14);
    cr_assert_eq(known, 14);
    r->qemu_record.wall.value[0] = 2.99;
    cr_assert_eq(holds(r, &known), 13);

    r->run[LINUX_DISK].usage.memory_peak++;
    cr_assert_eq(holds(r, &known), 12);
    r->run[LINUX_IDLE].info.events++;
    cr_assert_eq(holds(r, &known), 11);
    r->run[LINUX_AWAKE].info.events = r->run[LINUX_IDLE].info.events;
    cr_assert_eq(holds(r, &known), 12);
    r->run[LINUX_LOAD].info.events++;
    cr_assert_eq(holds(r, &known), 11);

    bench_sample(&r->file_cost, 5.1);
    r->replay.bytes++;
    cr_assert_eq(holds(r, &known), 9);
    bench_sample(&r->replay.open, 1.1);
    bench_time(&r->replay.verify[0], 10.1, 12);
    cr_assert_eq(holds(r, &known), 7);
    cr_assert_eq(known, 14);
    free(r);
}

Test(bench_linux, json_and_table)
{
    struct bench_linux_results *r = good_results();
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    bench_linux_print_json(r, out);
    fclose(out);
    json_t *object = json_loads(text, 0, NULL);
    cr_assert(object);
    cr_assert(json_is_null(json_object_get(object, "qemu")));
    const json_t *boot = json_object_get(object, "boot");
    cr_assert(
        json_is_null(json_object_get(json_object_get(boot, "qemu_record"), "processor_seconds")));
    cr_assert_float_eq(
        json_real_value(json_object_get(json_object_get(boot, "recorded"), "seconds")), 20, 1e-9);
    const json_t *file = json_object_get(boot, "file");
    cr_assert_float_eq(json_real_value(json_object_get(file, "cost_percent")), 5, 1e-9);
    const json_t *replay = json_object_get(file, "recording");
    cr_assert_eq(json_integer_value(json_object_get(replay, "file_bytes")), 64000000);
    cr_assert(json_is_null(json_object_get(replay, "live_bs_seconds")));
    const json_t *load = json_object_get(json_object_get(object, "runs"), "load");
    cr_assert_eq(json_integer_value(json_object_get(load, "log_bytes")),
                 1000 * 11 * LOG_EVENT_BYTES);
    cr_assert_eq(json_integer_value(json_object_get(load, "digest_bytes")), 7 * 32);
    cr_assert_eq(json_array_size(json_object_get(object, "floors")), BENCH_LINUX_FLOORS);
    json_decref(object);
    free(text);

    out = open_memstream(&text, &size);
    bench_linux_print_table(r, out);
    fclose(out);
    unsigned pass = 0;
    for (const char *at = text; (at = strstr(at, "  pass\n")); at++)
        pass++;
    cr_assert_eq(pass, 12);
    cr_assert(strstr(text, "is not installed"));
    cr_assert(strstr(text, "\nRecording to a file: "));
    free(text);
    free(r);
}
