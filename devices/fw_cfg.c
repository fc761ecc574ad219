#include "devices/fw_cfg.h"

#include "base/check.h"
#include "base/endian.h"
#include "base/log.h"
#include "devices/words.h"

#include <inttypes.h>
#include <stdlib.h>

#define DEVICE_NAME "fw_cfg"

/* Registers, big-endian but for the bytes of DATA. */
enum { DATA = 0, DATA_END = 8, SELECTOR = 8, DMA = 16, DMA_LOW = 20 };

enum { KEY_WRITE_CHANNEL = 0x4000 };
enum { ID_TRADITIONAL = 1, ID_DMA = 2 };
#define DMA_SIGNATURE UINT64_C(0x51454d5520434647) /* "QEMU CFG" */

/* In guest memory, big-endian: what a transfer does. */
enum { ACCESS_CONTROL = 0, ACCESS_LENGTH = 4, ACCESS_ADDRESS = 8, ACCESS_SIZE = 16 };

/* In the directory: be32 size, be16 key, be16 0, name. */
enum { ENTRY_SIZE = 0, ENTRY_KEY = 4, ENTRY_NAME = 8, ENTRY_BYTES = ENTRY_NAME + FW_CFG_NAME };

static const struct field fw_cfg_field[] = {
    FIELD(struct fw_cfg_state, dma_address),   FIELD(struct fw_cfg_state, access),
    FIELD(struct fw_cfg_state, target),        FIELD(struct fw_cfg_state, length),
    FIELD(struct fw_cfg_state, control),       FIELD(struct fw_cfg_state, offset),
    FIELD(struct fw_cfg_state, key),           FIELD(struct fw_cfg_state, pending),
    FIELD_UNUSED(struct fw_cfg_state, unused),
};
const struct fields fw_cfg_fields = FIELDS(DEVICE_NAME, struct fw_cfg_state, 1, 1, fw_cfg_field);

static uint32_t load_be32(const uint8_t *p)
{
    return __builtin_bswap32(load_le32(p));
}

/* ---- items ---- */

static void select_item(struct fw_cfg_state *s, uint16_t key)
{
    s->key = key & (uint16_t)~KEY_WRITE_CHANNEL;
    s->offset = 0;
}

/* What is left of the selected item, and how much that is. */
static const uint8_t *rest(const struct fw_cfg *f, uint32_t *size)
{
    const struct fw_cfg_state *s = &f->state;
    *size = 0;
    if (s->key >= sizeof f->item / sizeof *f->item)
        return NULL;
    const struct fw_cfg_item *item = &f->item[s->key];
    if (s->offset >= item->size)
        return NULL;
    *size = item->size - s->offset;
    return item->bytes + s->offset;
}

static void advance(struct fw_cfg *f, uint32_t by)
{
    uint32_t left;
    rest(f, &left);
    f->state.offset += by < left ? by : left;
}

/* Bytes of the item, zeroes behind its end. */
static uint64_t next_bytes(const struct fw_cfg *f, unsigned size)
{
    uint32_t left;
    const uint8_t *bytes = rest(f, &left);
    return bytes ? load_le(bytes, size < left ? size : left) : 0;
}

/* ---- DMA ---- */

static void write_zeroes(struct machine *m, uint64_t pa, uint64_t size)
{
    static const uint8_t zeroes[RAM_PAGE_SIZE];
    while (size) {
        uint64_t n = size < sizeof zeroes ? size : sizeof zeroes;
        machine_dma(m, DEVICE_NAME, pa, zeroes, n);
        pa += n;
        size -= n;
    }
}

static bool transfer_read(struct fw_cfg *f)
{
    const struct ram *ram = &f->machine->ram;
    const struct fw_cfg_state *s = &f->state;
    uint32_t left;
    const uint8_t *bytes = rest(f, &left);
    if (!s->length)
        return true;
    if (s->length > FW_CFG_DMA_MOST) {
        log_line(LOG_GUEST, "fw_cfg: DMA of %" PRIu32 " bytes, at most %" PRIu32, s->length,
                 FW_CFG_DMA_MOST);
        return false;
    }
    if (!ram_contains(ram, s->target, s->length)) {
        log_line(LOG_GUEST, "fw_cfg: DMA of %" PRIu32 " bytes to %#" PRIx64 ": not all is RAM",
                 s->length, s->target);
        return false;
    }
    uint32_t n = s->length < left ? s->length : left;
    if (n)
        machine_dma(f->machine, DEVICE_NAME, s->target, bytes, n);
    write_zeroes(f->machine, s->target + n, s->length - n);
    return true;
}

/* The bits of the control word in the order in which QEMU looks at them. */
static bool transfer(struct fw_cfg *f)
{
    struct fw_cfg_state *s = &f->state;
    bool ok = true;
    if (s->control & FW_CFG_DMA_SELECT)
        select_item(s, (uint16_t)(s->control >> 16));
    if (s->control & FW_CFG_DMA_READ) {
        ok = transfer_read(f);
    } else if (s->control & FW_CFG_DMA_WRITE) {
        log_line(LOG_GUEST, "fw_cfg: DMA write to item %#x: it is read-only", s->key);
        ok = false;
    } else if (!(s->control & FW_CFG_DMA_SKIP)) {
        return true;
    }
    if (ok)
        advance(f, s->length);
    return ok;
}

static void transfer_due(void *ctx, unsigned which)
{
    (void)which;
    struct fw_cfg *f = ctx;
    struct fw_cfg_state *s = &f->state;
    const uint32_t result = __builtin_bswap32(transfer(f) ? 0 : FW_CFG_DMA_ERROR);
    if (ram_contains(&f->machine->ram, s->access, ACCESS_SIZE))
        machine_dma(f->machine, DEVICE_NAME, s->access + ACCESS_CONTROL, &result, sizeof result);
    s->pending = 0;
    s->access = s->target = 0;
    s->control = s->length = 0;
}

static void start_transfer(struct fw_cfg *f)
{
    struct fw_cfg_state *s = &f->state;
    struct clock *clock = &f->machine->clock;
    uint64_t address = s->dma_address;
    s->dma_address = 0;
    if (s->pending) {
        log_line(LOG_GUEST, "fw_cfg: DMA while one is under way");
        return;
    }
    if (!ram_contains(&f->machine->ram, address, ACCESS_SIZE)) {
        log_line(LOG_GUEST, "fw_cfg: DMA described at %#" PRIx64 ": no RAM", address);
        return;
    }
    const uint8_t *access = ram_at(&f->machine->ram, address);
    s->access = address;
    s->control = load_be32(access + ACCESS_CONTROL);
    s->length = load_be32(access + ACCESS_LENGTH);
    s->target = __builtin_bswap64(load_le64(access + ACCESS_ADDRESS));
    s->pending = 1;
    bool moves = s->control & FW_CFG_DMA_READ;
    uint64_t ns = moves ? (uint64_t)s->length * 1000 / FW_CFG_BYTES_PER_US : 0;
    clock_arm(clock, f->timer, clock_vtime(clock) + FW_CFG_LATENCY_NS + ns);
}

/* ---- bus ---- */

/* The next bytes, without taking them; DMA reads as its signature. */
static bool fw_cfg_peek(const void *ctx, uint64_t offset, unsigned size, uint64_t *value)
{
    if (offset < DATA_END)
        *value = next_bytes(ctx, size);
    else if (offset >= DMA)
        *value = word_part(__builtin_bswap64(DMA_SIGNATURE), offset - DMA, size);
    else
        return false;
    return true;
}

static bool fw_cfg_read(void *ctx, uint64_t offset, unsigned size, uint64_t *value)
{
    bool ok = fw_cfg_peek(ctx, offset, size, value);
    if (ok && offset < DATA_END)
        advance(ctx, size);
    return ok;
}

static bool fw_cfg_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    struct fw_cfg *f = ctx;
    struct fw_cfg_state *s = &f->state;
    if (offset < DATA_END) {
        log_line(LOG_GUEST, "fw_cfg: write to item %#x: it is read-only", s->key);
        return true;
    }
    if (offset == SELECTOR && size == 2) {
        select_item(s, __builtin_bswap16((uint16_t)value));
        return true;
    }
    if (offset == DMA && size == 4) {
        s->dma_address = (uint64_t)__builtin_bswap32((uint32_t)value) << 32;
        return true;
    }
    if (offset == DMA_LOW && size == 4) {
        s->dma_address |= __builtin_bswap32((uint32_t)value);
        start_transfer(f);
        return true;
    }
    if (offset == DMA && size == 8) {
        s->dma_address = __builtin_bswap64(value);
        start_transfer(f);
        return true;
    }
    return false;
}

static const struct bus_ops fw_cfg_ops = {fw_cfg_read, fw_cfg_write, fw_cfg_peek};

static void fw_cfg_reset(void *ctx)
{
    struct fw_cfg *f = ctx;
    f->state = (struct fw_cfg_state){0};
    clock_arm(&f->machine->clock, f->timer, CLOCK_NEVER);
}

/* ---- making them ---- */

static bool make_item(struct fw_cfg_item *item, const char *name, const void *bytes, size_t size,
                      struct error *err)
{
    if (size > UINT32_MAX)
        return error_set(err, ERROR_RANGE, "%s: %zu bytes, more than fw_cfg can hold", name, size);
    uint8_t *copy = calloc(1, size + 1);
    if (!copy)
        return error_set(err, ERROR_MEMORY, "%s: no memory for %zu bytes", name, size);
    if (size)
        memcpy(copy, bytes, size);
    *item = (struct fw_cfg_item){copy, (uint32_t)size};
    return true;
}

bool fw_cfg_add(struct fw_cfg *f, enum fw_cfg_key key, const char *name, const void *bytes,
                size_t size, struct error *err)
{
    check(key < FW_CFG_FILE_DIR && !f->item[key].bytes, "item %#x", key);
    return make_item(&f->item[key], name, bytes, size, err);
}

void fw_cfg_add_number(struct fw_cfg *f, enum fw_cfg_key key, uint64_t value, unsigned size)
{
    struct error err;
    uint8_t bytes[8];
    store_le64(bytes, value);
    check(fw_cfg_add(f, key, "number", bytes, size, &err), "%s", err.message);
}

static void make_directory(struct fw_cfg *f)
{
    struct fw_cfg_item *directory = &f->item[FW_CFG_FILE_DIR];
    free(directory->bytes);
    directory->size = 4 + f->files * ENTRY_BYTES;
    directory->bytes = mem_new(1, directory->size);
    store_le32(directory->bytes, __builtin_bswap32(f->files));
    for (unsigned i = 0; i < f->files; i++) {
        uint8_t *entry = directory->bytes + 4 + (size_t)i * ENTRY_BYTES;
        store_le32(entry + ENTRY_SIZE, __builtin_bswap32(f->item[FW_CFG_FILE_FIRST + i].size));
        store_le16(entry + ENTRY_KEY, __builtin_bswap16((uint16_t)(FW_CFG_FILE_FIRST + i)));
        memcpy(entry + ENTRY_NAME, f->name[i], FW_CFG_NAME);
    }
}

bool fw_cfg_add_file(struct fw_cfg *f, const char *name, const void *bytes, size_t size,
                     struct error *err)
{
    size_t length = strlen(name);
    if (!length || length >= FW_CFG_NAME)
        return error_set(err, ERROR_RANGE, "fw_cfg name \"%s\": it has to have 1 to %d bytes", name,
                         FW_CFG_NAME - 1);
    unsigned at = 0;
    while (at < f->files && strcmp(f->name[at], name) < 0)
        at++;
    if (at < f->files && !strcmp(f->name[at], name))
        return error_set(err, ERROR_USAGE, "fw_cfg name \"%s\" is given twice", name);
    if (f->files == FW_CFG_FILES)
        return error_set(err, ERROR_RANGE, "fw_cfg name \"%s\": there is room for %d", name,
                         FW_CFG_FILES);
    struct fw_cfg_item item;
    if (!make_item(&item, name, bytes, size, err))
        return false;
    struct fw_cfg_item *place = &f->item[FW_CFG_FILE_FIRST + at];
    memmove(place + 1, place, (f->files - at) * sizeof *place);
    memmove(f->name + at + 1, f->name + at, (f->files - at) * sizeof *f->name);
    *place = item;
    memset(f->name[at], 0, sizeof f->name[at]);
    memcpy(f->name[at], name, length);
    f->files++;
    make_directory(f);
    return true;
}

void fw_cfg_init(struct fw_cfg *f, struct machine *m, uint64_t base, uint64_t size)
{
    *f = (struct fw_cfg){.machine = m};
    fw_cfg_add_number(f, FW_CFG_SIGNATURE, 0x554d4551 /* "QEMU" */, 4);
    fw_cfg_add_number(f, FW_CFG_ID, ID_TRADITIONAL | ID_DMA, 4);
    fw_cfg_add_number(f, FW_CFG_NB_CPUS, m->config.cpus, 2);
    make_directory(f);
    f->timer = clock_timer_add(&m->clock, transfer_due, f, 0);
    bus_add(&m->bus, (struct bus_region){"fw-cfg", base, size, &fw_cfg_ops, f, NULL});
    machine_add_device(m, (struct device){.name = DEVICE_NAME,
                                          .fields = &fw_cfg_fields,
                                          .state = &f->state,
                                          .ctx = f,
                                          .reset = fw_cfg_reset});
}

void fw_cfg_fini(struct fw_cfg *f)
{
    for (unsigned i = 0; i < sizeof f->item / sizeof *f->item; i++)
        free(f->item[i].bytes);
    *f = (struct fw_cfg){0};
}
