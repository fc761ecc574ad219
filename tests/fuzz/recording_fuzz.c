/* Whatever a file holds, it is refused with a line, or opens as a timeline that moves in both
 * directions and can be saved again; nothing crashes and nothing has no end. After a first byte of
 * 0 the rest is the file. Otherwise it is a script: which of some recordings of a small machine to
 * take, what to change in the contents of its chunks (headers and checksums are made right again),
 * and what to do with the timeline. */
#define TOY_PAGES 6

#include "base/check.h"
#include "base/chunk_format.h"
#include "base/log.h"
#include "checkpoints/checkpoint_file.h"
#include "tests/unit/toy_machine.h"
#include "timeline/bookmarks.h"
#include "timeline/branches.h"
#include "timeline/recording.h"
#include "timeline/recording_index.h"
#include "timeline/transcript.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Steps and times beyond which a file may cost more than a fuzzer has. */
enum { LENGTH = 1200, TIP_MOST = 8000, NS_MOST = 1000000, ITEMS_MOST = 400, CHANGES = 16 };

struct input {
    const uint8_t *at;
    size_t left;
};

/* Zero when there is no more. */
static uint64_t take(struct input *in, size_t size)
{
    if (size > in->left)
        size = in->left;
    uint64_t v = load_le(in->at, (unsigned)size);
    in->at += size;
    in->left -= size;
    return v;
}

static size_t take_below(struct input *in, size_t n)
{
    return n ? take(in, n > 256 ? 2 : 1) % n : 0;
}

static const uint8_t *take_bytes(struct input *in, size_t *size)
{
    const uint8_t *bytes = in->at;
    *size = *size < in->left ? *size : in->left;
    in->at += *size;
    in->left -= *size;
    return bytes;
}

/* Numbers at which something ends. */
static uint64_t take_number(struct input *in)
{
    static const uint64_t number[] = {0,          1,       2,          LENGTH - 1, LENGTH,
                                      LENGTH + 1, 1 << 20, UINT32_MAX, INT64_MAX,  UINT64_MAX};
    uint64_t which = take(in, 1);
    return which < sizeof number / sizeof *number ? number[which] : take(in, 1 << which % 4);
}

/* ---- the recordings ---- */

struct item {
    uint32_t kind;
    bool shared; /* the contents are a template's */
    struct buffer contents;
};

struct file {
    struct item item[ITEMS_MOST];
    size_t items;
};

enum { TEMPLATES = 5 };

static struct file template[TEMPLATES];

/* By the machine's seed: some halt, some wait for ever. */
static const uint64_t seed[TEMPLATES] = {3, 5, 8, 13, 3};

static uint64_t host_clock(void *ctx)
{
    (void)ctx;
    return 1000;
}

static void host_entropy(void *ctx, uint8_t *bytes, size_t size)
{
    (void)ctx;
    memset(bytes, 7, size);
}

static const struct timeline_options options = {
    .spacing_steps = 120,
    .budget = 4 << 20,
    .warp = true,
    .host = {.clock = host_clock, .entropy = host_entropy},
};

static void toy_make(struct toy *toy, unsigned which)
{
    toy_init(toy, seed[which]);
    toy->asks = which & 1;
    toy->halts = which & 2;
}

static void add_item(struct file *f, uint32_t kind, const uint8_t *bytes, size_t size)
{
    if (f->items == ITEMS_MOST)
        return;
    struct item *item = &f->item[f->items++];
    *item = (struct item){.kind = kind};
    buffer_append(&item->contents, bytes, size);
}

static void remove_item(struct file *f, size_t i)
{
    if (!f->item[i].shared)
        buffer_fini(&f->item[i].contents);
    memmove(&f->item[i], &f->item[i + 1], (--f->items - i) * sizeof *f->item);
}

static void file_fini(struct file *f)
{
    while (f->items)
        remove_item(f, f->items - 1);
}

static void read_template(struct file *f, const char *path)
{
    struct error err = ERROR_INIT;
    struct chunk_reader *r = chunk_reader_open(path, &err);
    check(r && chunk_reader_complete(r), "%s", err.message);
    for (size_t i = 0; i < chunk_reader_count(r); i++) {
        const struct chunk *c = chunk_reader_chunk(r, i);
        struct buffer b = {0};
        check(chunk_reader_load(r, c, &b, &err), "%s", err.message);
        add_item(f, c->kind, b.data, b.size);
        buffer_fini(&b);
    }
    check(f->items < ITEMS_MOST, "too many chunks");
    chunk_reader_free(r);
}

static void run_live(struct timeline *tl)
{
    struct error err = ERROR_INIT;
    struct stop stop;
    for (uint64_t n = 0; n < LENGTH && timeline_live(tl); n += 40) {
        timeline_continue_to(tl, n);
        timeline_input(tl, CHANNEL_SERIAL0, (const uint8_t *)"input", 1 + n % 5);
        timeline_finish(tl, &stop);
        if (n % 400 == 0)
            timeline_bookmark(tl, n ? "later" : "first", "a note", &err);
    }
}

/* Two branches, one from the other, and the machine on the second. */
static void make_branches(struct timeline *tl)
{
    static const char *const name[] = {"one", "two"};
    struct error err = ERROR_INIT;
    struct stop stop;
    for (unsigned i = 0; i < 2; i++) {
        timeline_seek(tl, timeline_tip(tl) - 150);
        timeline_finish(tl, &stop);
        uint64_t address = timeline_machine(tl)->ram.base + 0x1000 * i;
        check(timeline_write_physical(tl, address, "12345", 5, &err), "%s", err.message);
        timeline_continue_to(tl, timeline_position(tl) + 300);
        timeline_finish(tl, &stop);
        check(timeline_branch(tl, name[i], &err), "%s", err.message);
        timeline_bookmark(tl, name[i], "on it", &err);
    }
}

/* Recorded while it ran; the last one is a part of it, saved afterwards. */
static void make_template(unsigned which, const char *path)
{
    static const uint8_t config[] = "config";
    const struct recording_blob blob = {"image", config, sizeof config};
    const struct recording_content content = {config, sizeof config, &blob, 1};
    const struct recording_options o = {.path = path, .content = &content};
    struct error err = ERROR_INIT;
    struct toy toy;
    toy_make(&toy, which);
    struct timeline *tl = timeline_new(&toy.machine, &options);
    bool part = which + 1 == TEMPLATES;
    check(part || timeline_record(tl, &o, &err), "%s", err.message);
    run_live(tl);
    timeline_set_verdict(tl, "reason", "and a verdict");
    if (which & 1)
        make_branches(tl);
    check(part ? timeline_save(tl, path, &content, LENGTH / 3, LENGTH / 3 * 2, &err)
               : timeline_record_close(tl, &err),
          "%s", err.message);
    timeline_free(tl);
    toy_fini(&toy);
    read_template(&template[which], path);
    unlink(path);
}

static char folder[] = "/tmp/recording-fuzz-XXXXXX";

static void log_nothing(void *ctx, enum log_level level, const char *line)
{
    (void)ctx;
    (void)level;
    check(*line && line[strlen(line) - 1] != '\n', "\"%s\"", line);
}

static void remove_folder(void)
{
    rmdir(folder);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    char path[sizeof folder + 32];
    check(mkdtemp(folder), "no folder in /tmp");
    log_set_sink(log_nothing, NULL);
    snprintf(path, sizeof path, "%s/file", folder);
    for (unsigned i = 0; i < TEMPLATES; i++)
        make_template(i, path);
    atexit(remove_folder);
    return 0;
}

/* ---- changing them ---- */

static void copy_file(struct file *to, const struct file *from)
{
    *to = *from;
    for (size_t i = 0; i < to->items; i++)
        to->item[i].shared = true;
}

static struct buffer *own(struct item *item)
{
    if (item->shared) {
        struct buffer copy = {0};
        buffer_append(&copy, item->contents.data, item->contents.size);
        item->contents = copy;
        item->shared = false;
    }
    return &item->contents;
}

/* One of a kind, so that the many pages do not get all the changes. */
static size_t take_item(struct input *in, const struct file *f)
{
    static const uint32_t kinds[] = {CHUNK_ORIG, CHUNK_INTV, CHUNK_LOGE, CHUNK_MARK, CHUNK_CONS,
                                     CHUNK_TIP,  CHUNK_BOOK, CHUNK_CKPT, CHUNK_SUMM, CHUNK_TABL,
                                     CHUNK_PMAP, CHUNK_BLOB, CHUNK_BRCH};
    size_t which = take(in, 1), seen = take(in, 1);
    size_t first = f->items ? seen % f->items : 0;
    if (which >= sizeof kinds / sizeof *kinds)
        return first;
    for (size_t i = 0; i < f->items; i++)
        if (f->item[(first + i) % f->items].kind == kinds[which])
            return (first + i) % f->items;
    return first;
}

static void change_number(struct input *in, struct buffer *b)
{
    size_t at = take_below(in, 24) * 4, width = take(in, 1) & 1 ? 4 : 8;
    uint64_t value = take_number(in);
    if (at + width > b->size)
        return;
    if (width == 4)
        store_le32(b->data + at, (uint32_t)value);
    else
        store_le64(b->data + at, value);
}

static void change_bytes(struct input *in, struct buffer *b)
{
    size_t at = take(in, 2), size = take(in, 1) % 16;
    const uint8_t *bytes = take_bytes(in, &size);
    for (size_t i = 0; i < size && at + i < b->size; i++)
        b->data[at + i] = bytes[i];
}

static void change_size(struct input *in, struct buffer *b)
{
    size_t size = take(in, 1);
    if (size & 1)
        b->size -= size / 2 < b->size ? size / 2 : b->size;
    else if (size)
        memset(buffer_extend(b, size), 0, size);
}

/* Events that keep to the form. */
static void change_events(struct input *in, struct buffer *b)
{
    struct buffer packed = {0};
    uint64_t position = take(in, 2) % LENGTH, first = b->size >= 8 ? load_le64(b->data) : 0;
    uint64_t low = position, count = 1 + take(in, 1) % 8;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t ahead = i ? take(in, 1) : position;
        position += i ? ahead : 0;
        pack_varint(&packed, ahead);
        pack_varint(&packed, i ? take_number(in) : position * 8 + take(in, 1));
        pack_varint(&packed, 1 + take(in, 1) % EVENT_LAST);
        pack_varint(&packed, take(in, 1) % 8 ? 0 : take(in, 2));
        size_t size = take(in, 1) % 24;
        const uint8_t *bytes = take_bytes(in, &size);
        pack_varint(&packed, size);
        buffer_append(&packed, bytes, size);
    }
    struct run_row row = {.first = first, .count = count, .low = low, .high = position};
    buffer_clear(b);
    recording_pack_run(&row, b);
    buffer_append(b, packed.data, packed.size);
    buffer_fini(&packed);
}

static void move_item(struct file *f, size_t from, size_t to)
{
    struct item item = f->item[from];
    f->items--;
    memmove(&f->item[from], &f->item[from + 1], (f->items - from) * sizeof *f->item);
    memmove(&f->item[to + 1], &f->item[to], (f->items - to) * sizeof *f->item);
    f->item[to] = item;
    f->items++;
}

static void change(struct input *in, struct file *f)
{
    if (!f->items)
        return;
    unsigned how = take(in, 1) % 10;
    size_t i = take_item(in, f);
    struct buffer *b = own(&f->item[i]);
    switch (how) {
    case 0 ... 2:
        change_number(in, b);
        break;
    case 3:
        change_bytes(in, b);
        break;
    case 4:
        change_size(in, b);
        break;
    case 5:
        remove_item(f, i);
        break;
    case 6:
        add_item(f, f->item[i].kind, b->data, b->size);
        break;
    case 7:
        move_item(f, i, take_below(in, f->items));
        break;
    case 8:
        if (f->item[i].kind == CHUNK_LOGE)
            change_events(in, b);
        else
            f->item[i].kind = f->item[take_below(in, f->items)].kind;
        break;
    default:
        for (size_t gone = take_below(in, f->items - i); gone; gone--)
            remove_item(f, f->items - 1);
    }
}

static void remove_kind(struct file *f, uint32_t kind)
{
    for (size_t i = f->items; i-- > 0;)
        if (f->item[i].kind == kind)
            remove_item(f, i);
}

static void put_chunk(struct buffer *out, uint32_t kind, uint32_t number, const struct buffer *b)
{
    uint32_t size = (uint32_t)(b->size < CHUNK_MOST ? b->size : CHUNK_MOST);
    struct chunk_header h = {.kind = kind,
                             .number = number,
                             .stored = size,
                             .size = size,
                             .crc = chunk_crc(b->data, size)};
    uint64_t offset = out->size;
    chunk_header_put(buffer_extend(out, CHUNK_BLOCK), &h, offset);
    buffer_append(out, b->data, size);
}

static void put_index(struct buffer *out, const struct file *f)
{
    struct chunk_trailer t = {.index = out->size, .chunks = (uint32_t)f->items};
    struct buffer rows = {0};
    for (size_t i = 0; i < f->items; i++) {
        pack_u32(&rows, f->item[i].kind);
        pack_u32(&rows, (uint32_t)f->item[i].contents.size);
        pack_u32(&rows, (uint32_t)f->item[i].contents.size);
    }
    put_chunk(out, CHUNK_KIND_INDEX, t.chunks, &rows);
    buffer_fini(&rows);
    uint64_t offset = out->size;
    chunk_trailer_put(buffer_extend(out, CHUNK_BLOCK), &t, offset);
}

/* Returns which recording it was made from. */
static unsigned put_script(struct input *in, struct buffer *out)
{
    unsigned how = (unsigned)take(in, 1), which = how % TEMPLATES;
    struct file f;
    copy_file(&f, &template[which]);
    for (unsigned n = (unsigned)take(in, 1) % CHANGES; n; n--)
        change(in, &f);
    /* Else what the table says counts, and not what is in the chunks. */
    if (how < 200)
        remove_kind(&f, CHUNK_TABL);
    chunk_file_header_put(buffer_extend(out, CHUNK_BLOCK));
    for (size_t i = 0; i < f.items; i++)
        put_chunk(out, f.item[i].kind, (uint32_t)i, &f.item[i].contents);
    if (how & 1)
        put_index(out, &f);
    file_fini(&f);
    return which;
}

/* ---- what is done with them ---- */

static void check_line(const char *line)
{
    check(!line || (*line && !strchr(line, '\n')), "\"%s\"", line);
}

static void check_refused(const struct error *err)
{
    check(err->code && *err->message, "refused without a word");
}

static void check_file(struct recording *r, struct recording_info *info)
{
    struct error err = ERROR_INIT;
    const char *name;
    uint64_t position[8];
    size_t size;
    recording_info(r, info);
    recording_config(r, &size);
    check_line(info->damage);
    for (size_t i = 0; (name = recording_blob_name(r, i)); i++) {
        uint8_t *bytes;
        if (recording_blob(r, name, &bytes, &size, &err))
            free(bytes);
    }
    size_t n = recording_checkpoints(r, 0, position, 8);
    for (size_t i = 0; i < n; i++)
        check(position[i] >= info->begin && position[i] <= info->tip, "a checkpoint elsewhere");
}

static bool part(void *ctx, const struct transcript_part *p)
{
    *(uint64_t *)ctx += p->size ? p->bytes[p->size - 1] : 0;
    return true;
}

static void look(struct timeline *tl)
{
    uint64_t sum = 0;
    struct buffer text = {0};
    timeline_transcript(tl, 0, UINT64_MAX, part, &sum);
    timeline_transcript_tail(tl, CHANNEL_SERIAL0, timeline_position(tl), 5, &text);
    buffer_fini(&text);
    const struct bookmark *b;
    for (size_t i = 0; (b = timeline_bookmark_get(tl, i)); i++)
        check(timeline_bookmark_find(tl, b->name) == b, "bookmark %s", b->name);
    struct timeline_info info;
    timeline_info(tl, &info);
}

static void save(struct timeline *tl)
{
    const struct recording_content content = {.config_size = 0};
    char path[sizeof folder + 32];
    snprintf(path, sizeof path, "%s/saved", folder);
    struct error err = ERROR_INIT;
    if (timeline_save(tl, path, &content, 0, UINT64_MAX, &err)) {
        struct recording *r = recording_open(path, &err);
        check(r, "%s", err.message);
        recording_free(r);
        check(unlink(path) == 0, "it is not there");
    } else {
        check(err.code, "not saved, without a word");
    }
    strcat(path, ".incomplete");
    unlink(path);
}

static void finish(struct timeline *tl)
{
    struct stop stop;
    timeline_finish(tl, &stop);
    check(stop.reason != STOP_DIVERGED || *stop.text, "diverged without a word");
    check(stop.position == timeline_position(tl), "elsewhere");
    check(stop.position <= timeline_tip(tl), "behind the tip");
    check(stop.reason == STOP_DIVERGED || stop.position >= timeline_begin(tl), "before the begin");
}

/* Those that are not too long. */
static bool change_branch(struct input *in, struct timeline *tl)
{
    struct branch_info info;
    struct error err = ERROR_INIT;
    if (!timeline_branch_get(tl, take(in, 1) % 4, &info) || info.tip > TIP_MOST)
        return false;
    if (timeline_switch(tl, info.name, &err))
        return true;
    check_refused(&err);
    return false;
}

static void change_past(struct input *in, struct timeline *tl)
{
    struct error err = ERROR_INIT;
    uint64_t value = take(in, 2);
    if (!timeline_write_physical(tl, timeline_machine(tl)->ram.base + value, &value, 8, &err))
        check_refused(&err);
    err = (struct error)ERROR_INIT;
    if (value & 1 && !timeline_branch(tl, "new", &err))
        check_refused(&err);
}

static void move(struct input *in, struct timeline *tl)
{
    uint64_t tip = timeline_tip(tl);
    switch (take(in, 1) % 11) {
    case 0:
    case 1:
        timeline_seek(tl, take(in, 2) * tip >> 16);
        break;
    case 2:
        timeline_reverse_step(tl, 0);
        break;
    case 3:
        timeline_point_add(tl, HIT_EXECUTE, take(in, 2) & 0xfff, 0);
        timeline_reverse_continue(tl);
        break;
    case 4:
        timeline_continue_to(tl, timeline_position(tl) + take(in, 1));
        break;
    case 5:
        timeline_seek(tl, tip);
        finish(tl);
        timeline_continue_to(tl, tip + 100);
        timeline_input(tl, CHANNEL_SERIAL0, (const uint8_t *)"x", 1);
        break;
    case 6:
        save(tl);
        return;
    case 7:
    case 8:
        if (!change_branch(in, tl))
            return;
        break;
    case 9:
        change_past(in, tl);
        return;
    default:
        timeline_step(tl, 1);
    }
    finish(tl);
}

static void open_timeline(struct input *in, struct recording *r, unsigned which)
{
    struct error err = ERROR_INIT;
    struct toy toy;
    toy_make(&toy, which);
    struct timeline *tl = timeline_open(&toy.machine, &options, r, &err);
    if (tl) {
        look(tl);
        for (unsigned i = 0; i < 6 && (i < 2 || in->left); i++)
            move(in, tl);
        look(tl);
        timeline_free(tl);
    } else {
        check_refused(&err);
    }
    toy_fini(&toy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct buffer file = {0};
    struct error err = ERROR_INIT;
    unsigned which = 0;
    if (take(&in, 1))
        which = put_script(&in, &file);
    else
        buffer_append(&file, in.at, in.left);
    int fd = memfd_create("recording", MFD_CLOEXEC);
    check(fd >= 0 && pwrite(fd, file.data, file.size, 0) == (ssize_t)file.size, "no memfd");
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct recording *r = recording_open(path, &err);
    struct recording_info info;
    if (r) {
        check_file(r, &info);
        if (info.tip <= TIP_MOST && info.tip_ns <= NS_MOST)
            open_timeline(&in, r, which);
        recording_free(r);
    } else {
        check_refused(&err);
    }
    close(fd);
    buffer_fini(&file);
    return 0;
}
