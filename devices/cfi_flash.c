#include "devices/cfi_flash.h"

#include "base/check.h"
#include "base/endian.h"
#include "base/log.h"
#include "devices/words.h"

#include <inttypes.h>
#include <stdlib.h>

enum { PAGE = OVERLAY_PAGE_SIZE, PAGES = CFI_FLASH_SIZE / PAGE };
enum { BLOCK_PAGES = CFI_FLASH_BLOCK / PAGE };

enum command {
    PROGRAM_ALTERNATE = 0x10,
    BLOCK_ERASE = 0x20,
    PROGRAM = 0x40,
    CLEAR_STATUS = 0x50,
    LOCK_SETUP = 0x60,
    READ_STATUS = 0x70,
    READ_ID = 0x90,
    CFI_QUERY = 0x98,
    BUFFERED_PROGRAM = 0xe8,
    READ_ARRAY = 0xff,
    /* What drivers of other flashes reset them with. */
    RESET_AMD = 0xf0,
    RESET_QEMU = 0
};

/* Second words of LOCK_SETUP, BLOCK_ERASE, BUFFERED_PROGRAM. */
enum { LOCK = 0x01, SET_READ_CONFIGURATION = 0x03, LOCK_DOWN = 0x2f, CONFIRM = 0xd0 };

enum expecting {
    EXPECTING_COMMAND,
    EXPECTING_WORD,
    EXPECTING_ERASE_CONFIRM,
    EXPECTING_LOCK,
    EXPECTING_COUNT,
    EXPECTING_BUFFER,
    EXPECTING_PROGRAM_CONFIRM
};

static const struct field cfi_flash_field[] = {
    FIELD_ARRAY(struct cfi_flash_state, changed), FIELD_ARRAY(struct cfi_flash_state, buffered),
    FIELD(struct cfi_flash_state, address),       FIELD(struct cfi_flash_state, words),
    FIELD_ARRAY(struct cfi_flash_state, buffer),  FIELD(struct cfi_flash_state, mode),
    FIELD(struct cfi_flash_state, expecting),     FIELD(struct cfi_flash_state, operation),
    FIELD(struct cfi_flash_state, errors),        FIELD_UNUSED(struct cfi_flash_state, unused),
};
const struct fields cfi_flash_fields =
    FIELDS("cfi_flash", struct cfi_flash_state, 1, 1, cfi_flash_field);

/* What one chip answers to a CFI query, from word 0x10 on. JEP137, table 1. From 0x1b on there is
 * the supply voltage in 1/10 V; times as powers of two, us for a word and a buffer, ms for a block,
 * then how many times that at most. From 0x27 on powers of two of the chip's bytes and, behind "by
 * 8 or by 16 bits", of the buffer's, which are a P30's because some drivers know no other; then
 * that blocks are of one size. From 0x31 on the command set's own: version 1.0, nothing optional, a
 * protection register of no bytes. */
enum { QUERY_START = 0x10 };
static const uint8_t query[] = {'Q', 'R', 'Y', 1,   0, 49, 0, 0,   0,   0,   0,   69,  85,
                                0,   0,   3,   3,   1, 0,  4, 4,   4,   0,   24,  2,   0,
                                6,   0,   1,   127, 0, 0,  2, 'P', 'R', 'I', '1', '0', 0,
                                0,   0,   0,   0,   0, 0,  0, 0,   1,   0,   0,   0,   0};
_Static_assert(CFI_FLASH_BLOCKS == 127 + 1 && CFI_FLASH_BLOCK / 2 == 2 << 16, "as the query says");
enum { MANUFACTURER_INTEL = 0x89, DEVICE_P30_128 = 0x18 };

/* ---- the contents ---- */

static void set_bit(uint64_t *map, unsigned bit)
{
    map[bit / 64] |= UINT64_C(1) << bit % 64;
}

static bool has_bit(const uint64_t *map, unsigned bit)
{
    return map[bit / 64] >> bit % 64 & 1;
}

/* `memory` is about to have something else than the background there. */
static void keep_original(struct cfi_flash *f, unsigned page)
{
    if (f->original[page])
        return;
    f->original[page] = mem_new(1, PAGE);
    memcpy(f->original[page], f->memory + (size_t)page * PAGE, PAGE);
}

/* Change bytes inside one page. */
static void change(struct cfi_flash *f, uint32_t address, const uint8_t *bytes, unsigned size)
{
    if (!memcmp(f->memory + address, bytes, size))
        return;
    unsigned page = address / PAGE;
    bool fresh;
    keep_original(f, page);
    memcpy(f->memory + address, bytes, size);
    memcpy(overlay_write(&f->overlay, page, &fresh), f->memory + (size_t)page * PAGE, PAGE);
    set_bit(f->state.changed, address / CFI_FLASH_BLOCK);
    set_bit(f->patched, address / CFI_FLASH_BLOCK);
}

static void restore_page(struct cfi_flash *f, unsigned page)
{
    uint8_t *memory = f->memory + (size_t)page * PAGE;
    const uint8_t *bytes = overlay_page(&f->overlay, page);
    if (bytes) {
        keep_original(f, page);
        memcpy(memory, bytes, PAGE);
    } else if (f->original[page]) {
        memcpy(memory, f->original[page], PAGE);
        free(f->original[page]);
        f->original[page] = NULL;
    }
}

/* The state has been restored before. Only blocks that differ from the background now, or did up to
 * now, are looked at. */
static void overlay_restored_now(void *ctx)
{
    struct cfi_flash *f = ctx;
    for (unsigned block = 0; block < CFI_FLASH_BLOCKS; block++)
        if (has_bit(f->patched, block) || has_bit(f->state.changed, block))
            for (unsigned i = 0; i < BLOCK_PAGES; i++)
                restore_page(f, block * BLOCK_PAGES + i);
    memcpy(f->patched, f->state.changed, sizeof f->patched);
}

/* ---- operations ---- */

static void program(struct cfi_flash *f)
{
    struct cfi_flash_state *s = &f->state;
    uint32_t address = s->address & (CFI_FLASH_SIZE - CFI_FLASH_BUFFER);
    uint8_t bytes[CFI_FLASH_BUFFER];
    bool raised = false;
    for (unsigned i = 0; i < CFI_FLASH_BUFFER; i++) {
        uint8_t old = f->memory[address + i];
        uint8_t new = has_bit(s->buffered, i) ? s->buffer[i] : old;
        raised = raised || (new & ~old);
        bytes[i] = old & new;
    }
    if (raised)
        log_line(LOG_GUEST, "%s: programming at %#" PRIx32 " sets no bits: erase the block first",
                 f->name, address);
    change(f, address, bytes, sizeof bytes);
}

static void erase(struct cfi_flash *f)
{
    uint8_t erased[PAGE];
    memset(erased, 0xff, sizeof erased);
    uint32_t address = f->state.address & (CFI_FLASH_SIZE - CFI_FLASH_BLOCK);
    for (unsigned i = 0; i < BLOCK_PAGES; i++)
        change(f, address + i * PAGE, erased, PAGE);
}

static void operation_done(void *ctx, unsigned which)
{
    (void)which;
    struct cfi_flash *f = ctx;
    struct cfi_flash_state *s = &f->state;
    bool erases = s->operation == BLOCK_ERASE;
    s->operation = 0;
    if (f->read_only) {
        s->errors |= CFI_FLASH_LOCKED | (erases ? CFI_FLASH_ERASE_ERROR : CFI_FLASH_PROGRAM_ERROR);
        log_line(LOG_GUEST, "%s: %s at %#" PRIx32 ": the flash is read-only", f->name,
                 erases ? "erasing" : "programming", s->address);
    } else if (erases) {
        erase(f);
    } else {
        program(f);
    }
    memset(s->buffered, 0, sizeof s->buffered);
    memset(s->buffer, 0, sizeof s->buffer);
}

static void start(struct cfi_flash *f, enum command operation, uint64_t ns)
{
    struct clock *clock = &f->machine->clock;
    f->state.expecting = EXPECTING_COMMAND;
    f->state.operation = (uint8_t)operation;
    clock_arm(clock, f->timer, clock_vtime(clock) + ns);
}

/* ---- commands ---- */

static void expect(struct cfi_flash_state *s, enum expecting what)
{
    s->expecting = (uint8_t)what;
    s->mode = READ_STATUS;
}

/* Nothing is done; "read array" is how a driver takes back what it has begun. */
static void abandon(struct cfi_flash *f, uint32_t offset, uint32_t value)
{
    struct cfi_flash_state *s = &f->state;
    s->expecting = EXPECTING_COMMAND;
    memset(s->buffered, 0, sizeof s->buffered);
    memset(s->buffer, 0, sizeof s->buffer);
    if ((value & 0xff) == READ_ARRAY) {
        s->mode = READ_ARRAY;
        return;
    }
    s->errors |= CFI_FLASH_PROGRAM_ERROR | CFI_FLASH_ERASE_ERROR;
    log_line(LOG_GUEST, "%s: wrong sequence of commands: %#" PRIx32 " at %#" PRIx32, f->name, value,
             offset);
}

static void first_word(struct cfi_flash *f, uint32_t offset, uint32_t value)
{
    struct cfi_flash_state *s = &f->state;
    uint8_t command = value & 0xff;
    switch (command) {
    case PROGRAM:
    case PROGRAM_ALTERNATE:
        expect(s, EXPECTING_WORD);
        break;
    case BLOCK_ERASE:
        expect(s, EXPECTING_ERASE_CONFIRM);
        break;
    case LOCK_SETUP:
        expect(s, EXPECTING_LOCK);
        break;
    case BUFFERED_PROGRAM:
        expect(s, EXPECTING_COUNT);
        break;
    case READ_STATUS:
    case READ_ID:
    case CFI_QUERY:
        s->mode = command;
        break;
    case CLEAR_STATUS:
        s->errors = 0;
        s->mode = READ_ARRAY;
        break;
    default:
        log_line(LOG_GUEST, "%s: unknown command %#x at %#" PRIx32, f->name, command, offset);
        /* fall through */
    case READ_ARRAY:
    case RESET_AMD:
    case RESET_QEMU:
        s->mode = READ_ARRAY;
    }
}

/* Enter what is to be programmed. False: it lies outside the buffer that the first word began. */
static bool enter(struct cfi_flash_state *s, uint32_t offset, unsigned size, uint32_t value)
{
    uint32_t address = offset & ~(uint32_t)(CFI_FLASH_BUFFER - 1), first = offset - address;
    if (!s->buffered[0] && !s->buffered[1])
        s->address = address;
    else if (address != s->address)
        return false;
    store_le(s->buffer + first, value, size);
    for (unsigned i = first; i < first + size; i++)
        set_bit(s->buffered, i);
    return true;
}

static void enter_counted(struct cfi_flash *f, uint32_t offset, unsigned size, uint32_t value)
{
    struct cfi_flash_state *s = &f->state;
    if (!enter(s, offset, size, value))
        abandon(f, offset, value);
    else if (!--s->words)
        s->expecting = EXPECTING_PROGRAM_CONFIRM;
}

static void set_count(struct cfi_flash *f, uint32_t offset, uint32_t value)
{
    /* One less than there will be. Each word on the bus is one of each chip. */
    uint32_t words = (value & 0xffff) + 1;
    if (words > CFI_FLASH_BUFFER / 4) {
        abandon(f, offset, value);
        return;
    }
    f->state.words = words;
    f->state.expecting = EXPECTING_BUFFER;
}

static bool locks(uint8_t word)
{
    return word == LOCK || word == CONFIRM || word == LOCK_DOWN || word == SET_READ_CONFIGURATION;
}

static void write_word(struct cfi_flash *f, uint32_t offset, unsigned size, uint32_t value)
{
    struct cfi_flash_state *s = &f->state;
    uint8_t low = value & 0xff;
    if (s->operation) {
        if (low != READ_STATUS)
            log_line(LOG_GUEST, "%s: %#" PRIx32 " at %#" PRIx32 " while busy", f->name, value,
                     offset);
        return;
    }
    switch ((enum expecting)s->expecting) {
    case EXPECTING_COMMAND:
        first_word(f, offset, value);
        return;
    case EXPECTING_WORD:
        enter(s, offset, size, value);
        start(f, PROGRAM, CFI_FLASH_PROGRAM_NS);
        return;
    case EXPECTING_COUNT:
        set_count(f, offset, value);
        return;
    case EXPECTING_BUFFER:
        enter_counted(f, offset, size, value);
        return;
    case EXPECTING_ERASE_CONFIRM:
        if (low != CONFIRM)
            break;
        s->address = offset & ~(uint32_t)(CFI_FLASH_BLOCK - 1);
        start(f, BLOCK_ERASE, CFI_FLASH_ERASE_NS);
        return;
    case EXPECTING_PROGRAM_CONFIRM:
        if (low != CONFIRM)
            break;
        start(f, PROGRAM, CFI_FLASH_PROGRAM_NS);
        return;
    case EXPECTING_LOCK:
        if (!locks(low))
            break;
        s->expecting = EXPECTING_COMMAND;
        return;
    }
    abandon(f, offset, value);
}

/* ---- bus ---- */

static bool cfi_flash_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    struct cfi_flash *f = ctx;
    write_word(f, (uint32_t)offset, size < 4 ? size : 4, (uint32_t)value);
    if (size == 8)
        write_word(f, (uint32_t)offset + 4, 4, (uint32_t)(value >> 32));
    return true;
}

/* What one chip says at word `index` of its address space, where it does not give its contents. */
static uint16_t chip_word(const struct cfi_flash_state *s, uint64_t index)
{
    if (s->mode == CFI_QUERY)
        return index - QUERY_START < sizeof query ? query[index - QUERY_START] : 0;
    if (s->mode == READ_ID)
        switch (index & 0xff) {
        case 0:
            return MANUFACTURER_INTEL;
        case 1:
            return DEVICE_P30_128;
        default:
            return 0; /* the block is not locked */
        }
    return s->errors | (s->operation ? 0 : CFI_FLASH_READY);
}

static bool cfi_flash_read(void *ctx, uint64_t offset, unsigned size, uint64_t *value)
{
    const struct cfi_flash *f = ctx;
    if (f->state.mode == READ_ARRAY) {
        *value = load_le(f->memory + offset, size);
        return true;
    }
    uint64_t index = (offset & ~UINT64_C(7)) / 4;
    uint64_t low = chip_word(&f->state, index), high = chip_word(&f->state, index + 1);
    *value = word_part(low | low << 16 | high << 32 | high << 48, offset, size);
    return true;
}

static bool cfi_flash_peek(const void *ctx, uint64_t offset, unsigned size, uint64_t *value)
{
    const struct cfi_flash *f = ctx;
    *value = load_le(f->memory + offset, size);
    return true;
}

static const struct bus_ops cfi_flash_ops = {cfi_flash_read, cfi_flash_write, cfi_flash_peek};

static void cfi_flash_reset(void *ctx)
{
    struct cfi_flash *f = ctx;
    uint64_t changed[2];
    memcpy(changed, f->state.changed, sizeof changed);
    f->state = (struct cfi_flash_state){.mode = READ_ARRAY};
    memcpy(f->state.changed, changed, sizeof changed);
    clock_arm(&f->machine->clock, f->timer, CLOCK_NEVER);
}

/* Pages of zeroes are left as the host gave them, so that they cost it nothing. */
static void fill(uint8_t *memory, const uint8_t *bytes, size_t size)
{
    static const uint8_t zeroes[PAGE];
    for (size_t at = 0; at < size; at += PAGE) {
        size_t n = size - at < PAGE ? size - at : PAGE;
        if (memcmp(bytes + at, zeroes, n))
            memcpy(memory + at, bytes + at, n);
    }
}

void cfi_flash_init(struct cfi_flash *f, struct machine *m, const struct cfi_flash_config *config)
{
    check(config->size <= CFI_FLASH_SIZE, "%s: %zu bytes", config->name, config->size);
    *f = (struct cfi_flash){.machine = m, .name = config->name, .read_only = config->read_only};
    f->state.mode = READ_ARRAY;
    f->memory = mem_new(1, CFI_FLASH_SIZE);
    f->original = mem_new(PAGES, sizeof *f->original);
    if (config->size)
        fill(f->memory, config->bytes, config->size);
    overlay_init(&f->overlay, config->name, PAGES);
    f->overlay.restored = overlay_restored_now;
    f->overlay.ctx = f;
    machine_add_overlay(m, &f->overlay);
    f->timer = clock_timer_add(&m->clock, operation_done, f, 0);
    bus_add(&m->bus, (struct bus_region){config->name, config->base, CFI_FLASH_SIZE, &cfi_flash_ops,
                                         f, f->memory});
    machine_add_device(m, (struct device){.name = config->name,
                                          .fields = &cfi_flash_fields,
                                          .state = &f->state,
                                          .ctx = f,
                                          .reset = cfi_flash_reset});
}

void cfi_flash_fini(struct cfi_flash *f)
{
    if (!f->memory)
        return;
    overlay_fini(&f->overlay);
    for (unsigned page = 0; page < PAGES; page++)
        free(f->original[page]);
    free(f->original);
    free(f->memory);
    *f = (struct cfi_flash){0};
}
