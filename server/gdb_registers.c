/* g, G, p, P and the description of the registers they carry. Besides the hart's there is one of
 * our own: `icount`, the position; writing it is a seek. */
#include "base/check.h"
#include "base/endian.h"
#include "server/gdb_handlers.h"
#include "server/register_table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TDESC_TIMELINE "org.backstep.timeline"

/* ---- description ---- */

static int by_number(const void *a, const void *b)
{
    const struct rsp_register *one = a, *two = b;
    return one->number < two->number ? -1 : one->number > two->number;
}

void gdb_registers_init(struct gdb_registers *registers, const struct machine *machine)
{
    const struct cpu_ops *ops = machine->cpu[0]->ops;
    size_t count = ops->register_count;
    struct rsp_register *item = mem_new(count + 1, sizeof *item);
    uint32_t last = 0;
    *registers = (struct gdb_registers){.item = item, .count = count + 1};
    for (size_t i = 0; i < count; i++) {
        const struct cpu_register *reg = &ops->registers[i];
        item[i] = register_described(reg);
        last = reg->number > last ? reg->number : last;
        if (!strcmp(reg->name, "pc"))
            registers->pc = reg->number;
    }
    registers->icount = last + 1;
    item[count] = (struct rsp_register){.name = "icount",
                                        .bits = 64,
                                        .number = registers->icount,
                                        .feature = TDESC_TIMELINE,
                                        .type = RSP_TYPE_UINT64,
                                        .group = "system",
                                        .no_restore = true};
    qsort(item, count + 1, sizeof *item, by_number);
    rsp_tdesc_append(&registers->xml, ops->architecture, item, count + 1);
}

void gdb_registers_fini(struct gdb_registers *registers)
{
    free(registers->item);
    buffer_fini(&registers->xml);
}

static const struct rsp_register *find(const struct gdb_registers *registers, uint32_t number)
{
    const struct rsp_register key = {.number = number};
    return bsearch(&key, registers->item, registers->count, sizeof key, by_number);
}

/* ---- reading ---- */

static uint64_t value_of(const struct gdb_session *s, const struct rsp_register *reg)
{
    const struct cpu *cpu = s->machine->cpu[s->hart];
    return reg->number == s->registers.icount ? timeline_position(s->timeline)
                                              : cpu->ops->get_register(cpu, reg->number);
}

static void append_value(const struct gdb_session *s, const struct rsp_register *reg,
                         struct buffer *reply)
{
    uint8_t bytes[8];
    store_le64(bytes, value_of(s, reg));
    rsp_reply_bytes(reply, bytes, reg->bits / 8);
}

enum gdb_outcome gdb_read_registers(struct gdb_session *s, const struct rsp_request *r,
                                    struct buffer *reply)
{
    (void)r;
    for (size_t i = 0; i < s->registers.count; i++)
        append_value(s, &s->registers.item[i], reply);
    return GDB_REPLY;
}

enum gdb_outcome gdb_read_register(struct gdb_session *s, const struct rsp_request *r,
                                   struct buffer *reply)
{
    const struct rsp_register *reg = find(&s->registers, r->reg.number);
    if (reg)
        append_value(s, reg, reply);
    else
        rsp_reply_error_text(reply, s->features, "no such register");
    return GDB_REPLY;
}

/* ---- writing ---- */

static size_t size_of_all(const struct gdb_registers *registers)
{
    size_t size = 0;
    for (size_t i = 0; i < registers->count; i++)
        size += registers->item[i].bits / 8;
    return size;
}

/* What is equal already is no write: a client that restores registers leaves no event behind. */
enum gdb_outcome gdb_write_registers(struct gdb_session *s, const struct rsp_request *r,
                                     struct buffer *reply)
{
    struct rsp_slice left = r->reg.value;
    struct error err = ERROR_INIT;
    if (left.size != size_of_all(&s->registers)) {
        error_set(&err, ERROR_USAGE, "all registers are %zu bytes, not %zu",
                  size_of_all(&s->registers), left.size);
        return gdb_refuse(s, reply, &err);
    }
    for (size_t i = 0; i < s->registers.count; i++) {
        const struct rsp_register *reg = &s->registers.item[i];
        size_t size = reg->bits / 8;
        bool moves = reg->number == s->registers.icount;
        if (!moves && !timeline_write_register(s->timeline, s->hart, reg->number,
                                               load_le(left.data, (unsigned)size), &err))
            return gdb_refuse(s, reply, &err);
        left.data += size;
        left.size -= size;
    }
    rsp_reply_ok(reply);
    return GDB_REPLY;
}

/* Nothing stands behind the tip, and before the oldest checkpoint nothing any more: a clamped seek
 * would leave the client with a value that it did not write. */
static enum gdb_outcome seek(struct gdb_session *s, uint64_t position, struct buffer *reply)
{
    struct timeline *tl = s->timeline;
    uint64_t begin = timeline_begin(tl), tip = timeline_tip(tl);
    if (position < begin || position > tip) {
        struct error err;
        error_set(&err, ERROR_RANGE,
                  "position %" PRIu64 " is not in the history, which is %" PRIu64 " to %" PRIu64,
                  position, begin, tip);
        return gdb_refuse(s, reply, &err);
    }
    if (position == timeline_position(tl)) {
        rsp_reply_ok(reply);
        return GDB_REPLY;
    }
    timeline_seek(tl, position);
    return gdb_moved(s, GDB_AWAITS_OK);
}

enum gdb_outcome gdb_write_register(struct gdb_session *s, const struct rsp_request *r,
                                    struct buffer *reply)
{
    const struct rsp_register *reg = find(&s->registers, r->reg.number);
    struct error err = ERROR_INIT;
    if (!reg || r->reg.value.size != reg->bits / 8u) {
        error_set(&err, ERROR_USAGE, "no register %#" PRIx32 " of %zu bytes", r->reg.number,
                  r->reg.value.size);
        return gdb_refuse(s, reply, &err);
    }
    uint64_t value = load_le(r->reg.value.data, (unsigned)r->reg.value.size);
    if (reg->number == s->registers.icount)
        return seek(s, value, reply);
    if (!timeline_write_register(s->timeline, s->hart, reg->number, value, &err))
        return gdb_refuse(s, reply, &err);
    rsp_reply_ok(reply);
    return GDB_REPLY;
}
