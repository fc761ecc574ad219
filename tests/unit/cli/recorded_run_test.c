/* A run recorded to a file and opened again: the same machine, wherever its files have gone. */
#include "cli/recorded_run.h"

#include "base/hash.h"
#include "cli/assembly.h"
#include "cli/embedded.h"
#include "cli/positions.h"
#include "cli/recorded_images.h"
#include "tests/unit/cli/command_line.h"
#include "timeline/bookmarks.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/recorded-run-test-XXXXXX";
static struct parsed p;

static const char *path(const char *name)
{
    static char text[8][256];
    static unsigned next;
    char *to = text[next++ % 8];
    snprintf(to, sizeof text[0], "%s/%s", folder, name);
    return to;
}

static void write_file(const char *name, const void *bytes, size_t size)
{
    FILE *f = fopen(path(name), "w");
    cr_assert(f && fwrite(bytes, 1, size, f) == size && !fclose(f));
}

static void setup(void)
{
    cr_assert(mkdtemp(folder));
    for (size_t i = 0; i < embedded_count; i++)
        if (!strcmp(embedded_files[i].name, "demo.elf"))
            write_file("demo.elf", embedded_files[i].data, embedded_files[i].size);
    write_file("flash", "flash contents", 14);
    write_file("item", "item contents", 13);
    static const uint8_t disk[70000];
    write_file("disk", disk, sizeof disk);
}

static void teardown(void)
{
    char line[64];
    options_fini(&p.o);
    snprintf(line, sizeof line, "rm -r %s", folder);
    cr_assert_eq(system(line), 0);
}

TestSuite(recorded_run, .init = setup, .fini = teardown);

enum { TIP = 3000000 };

/* Registers and RAM. */
static uint64_t state_of(struct timeline *tl)
{
    struct machine *m = timeline_machine(tl);
    struct machine_digest digest;
    machine_digest(m, &digest);
    uint64_t hash = digest.core ^ hash_mix(digest.cpus) ^ hash_mix(digest.devices + 1);
    return hash_bytes(ram_at(&m->ram, m->ram.base), m->ram.size, hash);
}

static const uint64_t positions[] = {0, 1, 777777, TIP / 2, TIP - 1, TIP};
enum { POSITIONS = sizeof positions / sizeof *positions };

static void look(struct timeline *tl, uint64_t state[POSITIONS])
{
    for (unsigned i = POSITIONS; i-- > 0;) {
        struct stop stop;
        timeline_seek(tl, positions[i]);
        timeline_finish(tl, &stop);
        cr_assert_eq(stop.position, positions[i], "%s", stop.text);
        state[i] = state_of(tl);
    }
}

/* Record a machine with something of everything; returns its states. */
static void record(uint64_t state[POSITIONS])
{
    struct error err = ERROR_INIT;
    char line[LINE_SIZE];
    snprintf(
        line, sizeof line,
        "-bios none -m 16M -smp 2 -serial null -kernel %s/demo.elf -o %s/run.bsr -append words "
        "-pflash %s/flash -fw_cfg name=opt/item,file=%s/item -fw_cfg name=opt/text,string=text "
        "-drive file=%s/disk,format=raw,serial=s1 -device virtio-rng-device -nic user "
        "-rtc base=2020-02-02 -icount shift=2,sleep=off --symbols %s/demo.elf --stop-at 3000000",
        folder, folder, folder, folder, folder, folder);
    parse_good(&p, line);
    /* What a flash has is run, unless it is the second one. */
    p.o.machine.flash[1] = p.o.machine.flash[0];
    p.o.machine.flash[0].file = NULL;
    struct assembly *a = assembly_new(&p.o, &err);
    cr_assert(a, "%s", err.message);
    cr_assert_eq(server_run(assembly_server(a)), 0);
    cr_assert(assembly_finish(a));
    cr_assert_eq(timeline_tip(assembly_timeline(a)), TIP);
    look(assembly_timeline(a), state);
    assembly_free(a);
}

static struct recorded_run *open_recorded(const struct recorded_run_options *options)
{
    struct error err = ERROR_INIT;
    struct recorded_run *r = recorded_run_open(path("run.bsr"), options, &err);
    cr_assert(r, "%s", err.message);
    return r;
}

static void remove_all(void)
{
    static const char *const name[] = {"demo.elf", "flash", "item", "disk"};
    for (size_t i = 0; i < sizeof name / sizeof *name; i++)
        cr_assert_eq(unlink(path(name[i])), 0);
}

Test(recorded_run, the_same_machine_without_its_files)
{
    uint64_t then[POSITIONS], now[POSITIONS];
    record(then);
    remove_all();
    struct recorded_run *r = open_recorded(NULL);
    struct timeline *tl = recorded_run_timeline(r);
    cr_assert(timeline_live(tl));
    cr_assert_eq(timeline_position(tl), TIP);
    look(tl, now);
    for (unsigned i = 0; i < POSITIONS; i++)
        cr_assert_eq(then[i], now[i], "at position %lu", positions[i]);
    /* And it runs on. */
    struct stop stop;
    timeline_seek(tl, TIP);
    timeline_finish(tl, &stop);
    timeline_continue_to(tl, TIP + 1000);
    timeline_finish(tl, &stop);
    cr_assert_eq(timeline_tip(tl), TIP + 1000);
    recorded_run_free(r);
}

Test(recorded_run, opened_at_its_beginning)
{
    uint64_t then[POSITIONS], now[POSITIONS];
    struct stop stop;
    record(then);
    struct recorded_run *r = open_recorded(&(struct recorded_run_options){.at_begin = true});
    struct timeline *tl = recorded_run_timeline(r);
    cr_assert_eq(timeline_position(tl), 0);
    cr_assert_not(timeline_live(tl));
    cr_assert_eq(timeline_tip(tl), TIP);
    cr_assert_eq(state_of(tl), then[0]);
    for (unsigned i = 0; i < POSITIONS; i++) {
        timeline_seek(tl, positions[i]);
        timeline_finish(tl, &stop);
        /* It is there, and comes there once more. */
        timeline_seek_anew(tl, positions[i]);
        timeline_finish(tl, &stop);
        cr_assert_eq(stop.position, positions[i], "%s", stop.text);
        cr_assert_eq(state_of(tl), then[i], "at position %lu", positions[i]);
    }
    cr_assert(timeline_live(tl));
    look(tl, now);
    cr_assert_arr_eq(now, then, sizeof then);
    recorded_run_free(r);
}

Test(recorded_run, what_it_was)
{
    uint64_t then[POSITIONS];
    const char *name;
    const uint8_t *bytes;
    size_t size;
    record(then);
    struct recorded_run *r = open_recorded(&(struct recorded_run_options){.quiet = true});
    const struct run_options *o = recorded_run_options(r);
    cr_assert(o->machine.harts == 2 && o->machine.ram_size == 16 << 20 && o->machine.shift == 2);
    cr_assert(o->warp && o->machine.rtc_fixed && o->disks == 1 && o->fw_cfgs == 2);
    cr_assert_str_eq(o->machine.append, "words");
    cr_assert_str_eq(o->disk[0], path("disk"));
    cr_assert_str_eq(recorded_run_path(r), path("run.bsr"));
    cr_assert_eq(recorded_run_config(r)->image[0].size, 70000);
    cr_assert(!strncmp(recorded_run_origin(r).command, "backstep run -bios none", 23));
    cr_assert_str_eq(recorded_run_origin(r).version, BACKSTEP_VERSION);
    cr_assert(recorded_run_elf(r, 0, &name, &bytes, &size));
    cr_assert_str_eq(name, path("demo.elf"));
    cr_assert_not(recorded_run_elf(r, 1, &name, &bytes, &size), "the kernel is the same file");
    cr_assert_str_eq(recorded_run_config(r)->symbols[0], "kernel");
    cr_assert_not_null(recorded_run_disks(r));
    recorded_run_free(r);
}

Test(recorded_run, positions)
{
    static const struct {
        const char *text;
        uint64_t position;
    } good[] = {{"0", 0},         {"start", 0},    {"end", TIP},       {"1.5e6", 1500000},
                {"50%", TIP / 2}, {"-1", TIP - 1}, {"3,000,000", TIP}, {"mark", 4242}};
    uint64_t then[POSITIONS], position;
    struct error err = ERROR_INIT;
    record(then);
    struct recorded_run *r = open_recorded(NULL);
    cr_assert(timeline_bookmark_at(recorded_run_timeline(r), 4242, "mark", NULL, &err));
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        cr_assert(recorded_run_position(r, good[i].text, &position, &err), "%s", err.message);
        cr_assert_eq(position, good[i].position, "%s", good[i].text);
    }
    cr_assert_not(recorded_run_position(r, "marc", &position, &err));
    cr_assert(strstr(err.message, "`marc` is no position"));
    cr_assert_not(recorded_run_position(r, "+1", &position, &err));
    cr_assert(strstr(err.message, "from 0 to 3,000,000"));
    recorded_run_free(r);
}

Test(recorded_run, written_again)
{
    uint64_t then[POSITIONS], now[POSITIONS];
    struct error err = ERROR_INIT;
    record(then);
    remove_all();
    struct recorded_run *r = open_recorded(NULL);
    const struct recording_content *content = recorded_run_content(r, &err);
    cr_assert(content, "%s", err.message);
    cr_assert_eq(content, recorded_run_content(r, &err));
    cr_assert(timeline_save(recorded_run_timeline(r), path("again.bsr"), content, 0, TIP, &err),
              "%s", err.message);
    recorded_run_free(r);
    cr_assert_eq(rename(path("again.bsr"), path("run.bsr")), 0);
    r = open_recorded(NULL);
    look(recorded_run_timeline(r), now);
    cr_assert_arr_eq(then, now, sizeof then);
    recorded_run_free(r);
}

Test(recorded_run, not_closed)
{
    uint64_t then[POSITIONS];
    struct error err = ERROR_INIT;
    record(then);
    cr_assert_eq(rename(path("run.bsr"), path("run.bsr.incomplete")), 0);
    struct recorded_run *r = open_recorded(NULL);
    cr_assert_str_eq(recorded_run_path(r), path("run.bsr.incomplete"));
    recorded_run_free(r);
    cr_assert_null(recorded_run_open(path("other"), NULL, &err));
    cr_assert(strstr(err.message, "other"), "%s", err.message);
    cr_assert_null(strstr(err.message, "incomplete"), "%s", err.message);
}

Test(recorded_run, images_that_are_what_they_were)
{
    uint8_t block[DISK_BLOCK];
    static struct recording_config config;
    struct stat st;
    cr_assert_eq(stat(path("disk"), &st), 0);
    config.options.disks = 2;
    config.options.disk[0] = config.options.disk[1] = path("disk");
    for (unsigned i = 0; i < 2; i++)
        config.image[i] = (struct disk_identity){
            .size = 70000,
            .mtime_ns = (uint64_t)st.st_mtim.tv_sec * 1000000000 + (uint64_t)st.st_mtim.tv_nsec};
    struct recorded_images *images = recorded_images_new(&config, true);
    struct disk_host host = recorded_images_host(images);
    cr_assert_not_null(recorded_images_all(images));
    cr_assert(host.read(host.ctx, 0, 0, block) && host.read(host.ctx, 1, 17, block));
    cr_assert_not(host.read(host.ctx, 2, 0, block));
    cr_assert_not(host.read(host.ctx, 99, 0, block));
    cr_assert_str_eq(host.name(host.ctx, 1), path("disk"));
    cr_assert_str_eq(host.name(host.ctx, 2), "no disk");
    recorded_images_free(images);

    config.image[1].mtime_ns++;
    images = recorded_images_new(&config, true);
    host = recorded_images_host(images);
    cr_assert_null(recorded_images_all(images));
    cr_assert(host.read(host.ctx, 0, 0, block));
    cr_assert_not(host.read(host.ctx, 1, 0, block), "its time is another");
    recorded_images_free(images);

    config.image[0].size--;
    images = recorded_images_new(&config, true);
    host = recorded_images_host(images);
    cr_assert_not(host.read(host.ctx, 0, 0, block), "its size is another");
    recorded_images_free(images);
}
