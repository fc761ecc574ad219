/* A configuration written and read again is the same one; text that is none, or a hostile one, is
 * refused with a line that says where. */
#include "cli/recording_config.h"

#include "devices/virtio_blk.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- random ones ---- */

static uint64_t seed;

static uint64_t chance(uint64_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 20) % below;
}

static uint64_t number(void)
{
    uint64_t high = chance(UINT64_C(1) << 32), low = chance(UINT64_C(1) << 32);
    return (high << 32 | low) >> chance(64);
}

/* Any bytes but NUL, some of them no UTF-8, quotes and escapes among them. */
static const char *text(char storage[64], unsigned least, unsigned most)
{
    static const char *const piece[] = {"a",    "/",        "\"",   "\\", "\n",
                                        "\xff", "\xc3\xa4", "\x01", " "};
    unsigned size = least + (unsigned)chance(most - least + 1);
    bool plain = chance(2);
    *storage = '\0';
    while (strlen(storage) < size) {
        const char *next = piece[plain ? chance(2) : chance(sizeof piece / sizeof *piece)];
        strcat(storage, strlen(storage) + strlen(next) <= size ? next : "a");
    }
    return storage;
}

struct random {
    struct recording_config config;
    char text[64][64];
    unsigned texts;
};

static const char *some(struct random *r, unsigned least, unsigned most)
{
    return text(r->text[r->texts++], least, most);
}

static const char *maybe(struct random *r, unsigned least, unsigned most)
{
    return chance(2) ? some(r, least, most) : NULL;
}

static void fill_slots(struct random *r)
{
    struct run_options *o = &r->config.options;
    bool console = false;
    for (unsigned i = 0; i < RISCV_VIRT_SLOTS; i++) {
        static const unsigned id[] = {0, VIRTIO_ID_BLOCK, VIRTIO_ID_NET, VIRTIO_ID_ENTROPY,
                                      VIRTIO_ID_CONSOLE};
        struct riscv_virt_slot *s = &o->machine.slot[i];
        s->id = id[chance(console ? 4 : 5)];
        console |= s->id == VIRTIO_ID_CONSOLE;
        if (s->id == VIRTIO_ID_CONSOLE)
            s->ports = 1 + (unsigned)chance(2);
        for (unsigned b = 0; s->id == VIRTIO_ID_NET && b < 6; b++)
            s->mac[b] = (uint8_t)chance(256);
        if (s->id != VIRTIO_ID_BLOCK)
            continue;
        s->disk_bytes = 512 * (1 + chance(1 << 20));
        s->read_only = chance(2);
        s->serial = maybe(r, 0, VIRTIO_BLK_SERIAL);
        r->config.image[o->disks] = (struct disk_identity){number(), number(), number(), number()};
        o->disk[o->disks++] = some(r, 1, 40);
    }
}

static void fill(struct random *r)
{
    struct recording_config *c = &r->config;
    struct run_options *o = &c->options;
    *r = (struct random){0};
    c->origin =
        (struct recorded_origin){some(r, 0, 9), some(r, 0, 50), some(r, 0, 20), some(r, 0, 60)};
    o->machine = (struct riscv_virt_options){.ram_size = (1 + chance(8192)) << 20,
                                             .harts = 1 + (unsigned)chance(8),
                                             .shift = (unsigned)chance(11),
                                             .no_reboot = chance(2),
                                             .semihosting = chance(2),
                                             .bios = maybe(r, 1, 50),
                                             .kernel = maybe(r, 1, 50),
                                             .initrd = maybe(r, 1, 50),
                                             .append = maybe(r, 0, 60),
                                             .dtb = maybe(r, 1, 50),
                                             .rtc_fixed = chance(2)};
    if (o->machine.rtc_fixed)
        o->machine.rtc_base = number();
    fill_slots(r);
    for (unsigned i = 0; i < RISCV_VIRT_FLASHES; i++)
        o->machine.flash[i] = (struct riscv_virt_flash){maybe(r, 1, 50), chance(2)};
    o->fw_cfgs = (unsigned)chance(4);
    for (unsigned i = 0; i < o->fw_cfgs; i++) {
        char *name = r->text[r->texts++];
        snprintf(name, 64, "opt/%u", i);
        o->fw_cfg[i] = (struct run_fw_cfg){.name = name, .file = maybe(r, 1, 50)};
    }
    o->symbol_files = (unsigned)chance(4);
    for (unsigned i = 0; i < o->symbol_files; i++) {
        o->symbols[i] = some(r, 1, 50);
        c->symbols[i] = some(r, 0, 50);
    }
    o->budget = (16 << 20) + chance(UINT64_C(1) << 40);
    o->spacing_ns = chance(60000000000);
    o->spacing_steps = number();
    o->warp = chance(2);
}

/* ---- the round trip ---- */

static void same_text(const char *a, const char *b)
{
    cr_assert_eq(!a, !b);
    cr_assert(!a || !strcmp(a, b), "`%s` has become `%s`", a, b);
}

static void same_machine(const struct riscv_virt_options *a, const struct riscv_virt_options *b)
{
    cr_assert(a->ram_size == b->ram_size && a->harts == b->harts && a->shift == b->shift);
    cr_assert(a->no_reboot == b->no_reboot && a->semihosting == b->semihosting);
    cr_assert(a->rtc_fixed == b->rtc_fixed && a->rtc_base == b->rtc_base);
    same_text(a->bios, b->bios);
    same_text(a->kernel, b->kernel);
    same_text(a->initrd, b->initrd);
    same_text(a->append, b->append);
    same_text(a->dtb, b->dtb);
    for (unsigned i = 0; i < RISCV_VIRT_SLOTS; i++) {
        const struct riscv_virt_slot *s = &a->slot[i], *t = &b->slot[i];
        cr_assert(s->id == t->id && s->disk_bytes == t->disk_bytes && s->ports == t->ports &&
                  s->read_only == t->read_only && !memcmp(s->mac, t->mac, 6));
        same_text(s->serial, t->serial);
    }
    for (unsigned i = 0; i < RISCV_VIRT_FLASHES; i++) {
        same_text(a->flash[i].file, b->flash[i].file);
        cr_assert_eq(a->flash[i].read_only, b->flash[i].read_only);
    }
}

static void same(const struct recording_config *a, const struct recording_config *b)
{
    const struct run_options *o = &a->options, *p = &b->options;
    same_text(a->origin.version, b->origin.version);
    same_text(a->origin.host, b->origin.host);
    same_text(a->origin.date, b->origin.date);
    same_text(a->origin.command, b->origin.command);
    same_machine(&o->machine, &p->machine);
    cr_assert(o->disks == p->disks && o->fw_cfgs == p->fw_cfgs &&
              o->symbol_files == p->symbol_files);
    for (unsigned i = 0; i < o->disks; i++) {
        same_text(o->disk[i], p->disk[i]);
        cr_assert_eq(memcmp(&a->image[i], &b->image[i], sizeof a->image[i]), 0);
    }
    for (unsigned i = 0; i < o->fw_cfgs; i++) {
        same_text(o->fw_cfg[i].name, p->fw_cfg[i].name);
        same_text(o->fw_cfg[i].file, p->fw_cfg[i].file);
    }
    for (unsigned i = 0; i < o->symbol_files; i++) {
        same_text(o->symbols[i], p->symbols[i]);
        same_text(a->symbols[i], b->symbols[i]);
    }
    cr_assert(o->budget == p->budget && o->spacing_ns == p->spacing_ns &&
              o->spacing_steps == p->spacing_steps && o->warp == p->warp);
}

Test(recording_config, round_trip)
{
    static struct random r;
    struct buffer first = {0}, second = {0};
    for (seed = 1; seed < 2000; seed += 7) {
        uint64_t begun = seed;
        struct recording_config read;
        struct error err = ERROR_INIT;
        fill(&r);
        buffer_clear(&first);
        buffer_clear(&second);
        recording_config_append(&r.config, &first);
        cr_assert(recording_config_parse(&read, first.data, first.size, &err), "%s: %s",
                  err.message, buffer_text(&first));
        same(&r.config, &read);
        recording_config_append(&read, &second);
        cr_assert_str_eq(buffer_text(&first), buffer_text(&second));
        recording_config_fini(&read);
        seed = begun;
    }
    buffer_fini(&first);
    buffer_fini(&second);
}

/* ---- what is refused ---- */

static bool accepts(const char *json, size_t size, struct error *err)
{
    struct recording_config read;
    bool good = recording_config_parse(&read, (const uint8_t *)json, size, err);
    recording_config_fini(&read);
    if (!good) {
        cr_assert_neq(err->code, ERROR_NONE);
        cr_assert_gt(strlen(err->message), 10u);
        for (const char *p = err->message; *p; p++)
            cr_assert(!iscntrl((unsigned char)*p), "%s", err->message);
    }
    return good;
}

static const char good[] =
    "{\"config\":1,\"flashes\":[{\"file\":null,\"read_only\":false},{\"file\":\"f1\",\"read_only\":"
    "true}],\"fw_cfg\":[{\"file\":null,\"name\":\"opt/a\"},{\"file\":\"x\",\"name\":\"opt/b\"}],"
    "\"machine\":{\"append\":null,\"bios\":\"none\",\"board\":\"virt\",\"dtb\":null,\"harts\":2,"
    "\"initrd\":null,\"kernel\":\"k.elf\",\"no_reboot\":false,\"quantum\":10000,\"ram\":134217728,"
    "\"rtc_base\":null,\"semihosting\":true,\"shift\":3},\"origin\":{\"command\":\"backstep run\","
    "\"date\":\"2026-01-02T03:04:05Z\",\"host\":\"Linux 6.1 x86_64\",\"version\":\"0.1.0\"},"
    "\"slots\":[{\"bytes\":1048576,\"image\":{\"device\":1,\"file\":\"disk.img\",\"inode\":2,"
    "\"mtime_ns\":3,\"size\":1048576},\"read_only\":false,\"serial\":null,\"type\":\"block\"},"
    "{\"mac\":\"52:54:00:12:34:56\",\"type\":\"net\"},{\"ports\":1,\"type\":\"console\"},{\"type\":"
    "\"entropy\"},null,null,null,null],\"symbols\":[{\"blob\":\"symbols/a\",\"file\":\"a\"}],"
    "\"timeline\":{\"budget\":1073741824,\"spacing_ns\":25000000,\"spacing_steps\":0,\"warp\":"
    "false}}";

Test(recording_config, refused)
{
    static const struct {
        const char *from, *to, *message;
    } change[] = {
        {"{\"config\"", "[\"config\"", "line 1"},
        {"\"config\":1", "\"config\":2", "version 2"},
        {"\"config\":1,", "", "recording.config is missing"},
        {"\"config\":1", "\"config\":1,\"config\":1", "duplicate"},
        {"\"config\":1", "\"config\":\"1x\"", "recording.config has to be a number"},
        {"\"board\":\"virt\"", "\"board\":\"\\u001bpine\"", "machine `?pine`"},
        {"10000", "20000", "turns of 20000 steps"},
        {"134217728", "134217729", "RAM of 134217729 bytes"},
        {"134217728", "-1", "machine.ram has to be a number"},
        {"134217728", "1.5", "machine.ram has to be a number"},
        {"134217728", "\"99999999999999999999\"", "machine.ram has to be a number"},
        {"134217728", "99999999999999999999", "line 1"},
        {"\"harts\":2", "\"harts\":0", "0 harts"},
        {"\"harts\":2", "\"harts\":9", "9 harts"},
        {"\"harts\":2", "\"harts\":4294967298", "machine.harts has to be a number"},
        {"\"harts\":2,", "", "machine.harts is missing"},
        {"\"shift\":3", "\"shift\":11", "shift 11"},
        {"\"semihosting\":true", "\"semihosting\":1",
         "machine.semihosting has to be true or false"},
        {"\"kernel\":\"k.elf\"", "\"kernel\":\"\"", "machine.kernel has to be the name of a file"},
        {"\"kernel\":\"k.elf\"", "\"kernel\":7", "machine.kernel has to be a text"},
        {"\"kernel\":\"k.elf\"", "\"kernel\":\"k\\u0000f\"", "\\u0000"},
        {"\"kernel\":\"k.elf\"", "\"kernel\":{\"hex\":\"6b0\"}", "machine.kernel"},
        {"\"kernel\":\"k.elf\"", "\"kernel\":{\"hex\":\"6b00\"}", "machine.kernel"},
        {"\"kernel\":\"k.elf\"", "\"kernel\":{\"hex\":\"xy\"}", "machine.kernel"},
        {"\"kernel\":\"k.elf\"", "\"kernel\":{}", "machine.kernel"},
        {"\"rtc_base\":null", "\"rtc_base\":-5", "machine.rtc_base"},
        {"\"bytes\":1048576", "\"bytes\":1048577", "disk of 1048577 bytes"},
        {"\"bytes\":1048576", "\"bytes\":0", "disk of 0 bytes"},
        {"\"file\":\"disk.img\"", "\"file\":null", "image.file"},
        {"\"serial\":null", "\"serial\":\"123456789012345678901\"", "slots[0].serial"},
        {"\"type\":\"block\"", "\"type\":\"floppy\"", "slots[0].type is none"},
        {"\"type\":\"entropy\"", "\"type\":\"console\",\"ports\":2", "2 consoles"},
        {"\"ports\":1", "\"ports\":3", "console of 3 ports"},
        {"52:54:00:12:34:56", "52:54:00:12:34", "slots[1].mac is no MAC"},
        {"52:54:00:12:34:56", "52-54-00-12-34-56", "slots[1].mac is no MAC"},
        {"null,null,null,null]", "null,null,null]", "slots has 7 elements, not 8"},
        {"null,null,null,null]", "null,null,null,5]", "slots[7] has to be an object"},
        {"\"flashes\":[", "\"flashes\":[{},", "flashes has 3 elements"},
        {"\"opt/b\"", "\"opt/a\"", "fw_cfg[1].name is there twice"},
        {"\"opt/b\"", "\"\"", "fw_cfg[1].name is empty"},
        {"\"opt/b\"", "\"12345678901234567890123456789012345678901234567890123456\"",
         "fw_cfg[1].name has to be a text of at most 55"},
        {"\"budget\":1073741824", "\"budget\":4096", "timeline.budget is too little"},
        {"\"spacing_ns\":25000000", "\"spacing_ns\":60000000001", "timeline.spacing_ns"},
        {"\"warp\":false", "\"warp\":null", "timeline.warp"},
        {"}}", "}", "line 1"},
        {"}}", "}} x", "line 1"},
    };
    struct error err = ERROR_INIT;
    cr_assert(accepts(good, sizeof good - 1, &err), "%s", err.message);
    for (size_t i = 0; i < sizeof change / sizeof *change; i++) {
        char changed[4096];
        const char *at = strstr(good, change[i].from);
        cr_assert(at, "%s", change[i].from);
        int size = snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - good), good,
                            change[i].to, at + strlen(change[i].from));
        cr_assert(!accepts(changed, (size_t)size, &err), "%s is taken", change[i].to);
        cr_assert(strstr(err.message, change[i].message), "%s: \"%s\" is not in \"%s\"",
                  change[i].to, change[i].message, err.message);
    }
}

Test(recording_config, other_kinds_of_text)
{
    struct error err = ERROR_INIT;
    static const char *const text[] = {"", "x", "[]", "null", "{}", "7", "\"\"", "{\"config\":[]}"};
    for (size_t i = 0; i < sizeof text / sizeof *text; i++)
        cr_assert(!accepts(text[i], strlen(text[i]), &err));
    char *deep = malloc(RECORDING_CONFIG_MOST + 1);
    memset(deep, '[', RECORDING_CONFIG_MOST + 1);
    cr_assert(!accepts(deep, RECORDING_CONFIG_MOST, &err));
    cr_assert(!accepts(deep, RECORDING_CONFIG_MOST + 1, &err));
    free(deep);
}

/* Every truncation, every byte left out or changed, and many changes at once: refused, or taken for
 * what can be written again. */
Test(recording_config, mutations)
{
    struct error err = ERROR_INIT;
    char text[sizeof good];
    size_t size = sizeof good - 1;
    for (size_t i = 0; i < size; i++)
        cr_assert(!accepts(good, i, &err), "the first %zu bytes are enough", i);
    static const char letters[] = "{}[]\",:0987-.e\\ntf\x80\x01 ";
    for (seed = 1; seed < 40000; seed++) {
        uint64_t begun = seed;
        memcpy(text, good, sizeof text);
        for (uint64_t n = 1 + chance(4); n; n--)
            text[chance(size)] = letters[chance(sizeof letters - 1)];
        struct recording_config read;
        struct buffer again = {0};
        if (recording_config_parse(&read, (const uint8_t *)text, size, &err)) {
            recording_config_append(&read, &again);
            cr_assert(accepts((const char *)again.data, again.size, &err), "%s", err.message);
        }
        recording_config_fini(&read);
        buffer_fini(&again);
        seed = begun;
    }
}
