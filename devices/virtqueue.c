#include "devices/virtio.h"

#include "base/endian.h"

#include <string.h>

/* Virtio 1.2, 2.7.5 to 2.7.8: descriptors, and the fields of both rings. */
enum { DESCRIPTOR_SIZE = 16, USED_ELEMENT_SIZE = 8 };
enum { DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4 };
enum { RING_FLAGS = 0, RING_INDEX = 2, RING_ENTRIES = 4, RING_EXTRA = 6 };
enum { AVAIL_NO_INTERRUPT = 1 };
enum { STATUS_DRIVER_OK = 4 };
enum { INTERRUPT_USED = 1 };

struct descriptor {
    uint64_t address;
    uint32_t size;
    uint16_t flags, next;
};

static uint16_t ram_load16(const struct virtio *v, uint64_t pa)
{
    return load_le16(ram_at(&v->machine->ram, pa));
}

static void ram_store16(struct virtio *v, uint64_t pa, uint16_t value)
{
    uint8_t bytes[2];
    store_le16(bytes, value);
    machine_dma(v->machine, v->name, pa, bytes, sizeof bytes);
}

static bool ring_in_ram(const struct virtio *v, uint64_t pa, unsigned alignment, uint64_t size)
{
    return pa % alignment == 0 && ram_contains(&v->machine->ram, pa, size);
}

const char *virtqueue_problem(const struct virtio *v, unsigned queue)
{
    const struct virtqueue_state *q = &v->state->queue[queue];
    if (!q->size || q->size > VIRTQUEUE_SIZE || q->size & (q->size - 1))
        return "its size is no power of two up to 256";
    if (!ring_in_ram(v, q->descriptors, 16, (uint64_t)DESCRIPTOR_SIZE * q->size))
        return "its descriptors are not in RAM or not aligned";
    if (!ring_in_ram(v, q->driver, 2, RING_EXTRA + 2 * (uint64_t)q->size))
        return "its available ring is not in RAM or not aligned";
    if (!ring_in_ram(v, q->device, 4, RING_EXTRA + USED_ELEMENT_SIZE * (uint64_t)q->size))
        return "its used ring is not in RAM or not aligned";
    return NULL;
}

static bool queue_runs(const struct virtio *v, unsigned queue)
{
    return queue < v->ops->queues && v->state->status & STATUS_DRIVER_OK && !virtio_broken(v) &&
           v->state->queue[queue].ready;
}

bool virtio_busy(const struct virtio *v)
{
    for (unsigned i = 0; i < v->ops->queues; i++)
        if (v->state->queue[i].busy)
            return true;
    return false;
}

/* ---- chains ---- */

static struct descriptor descriptor_at(const struct virtio *v, uint64_t table, unsigned index)
{
    const uint8_t *p = ram_at(&v->machine->ram, table + (uint64_t)DESCRIPTOR_SIZE * index);
    return (struct descriptor){load_le64(p), load_le32(p + 8), load_le16(p + 12),
                               load_le16(p + 14)};
}

static const char *add_segment(const struct virtio *v, struct virtio_chain *chain,
                               const struct descriptor *d)
{
    unsigned count = chain->readable + chain->writable;
    if (count == VIRTQUEUE_SIZE)
        return "a chain is too long or loops";
    if (!d->size)
        return "a descriptor has no bytes";
    if (!ram_contains(&v->machine->ram, d->address, d->size))
        return "a descriptor is not in RAM";
    if (chain->readable_bytes + chain->writable_bytes + d->size > UINT32_MAX)
        return "a chain has 4 GiB or more";
    if (d->flags & DESC_WRITE) {
        chain->writable++;
        chain->writable_bytes += d->size;
    } else if (chain->writable) {
        return "a readable descriptor follows a writable one";
    } else {
        chain->readable++;
        chain->readable_bytes += d->size;
    }
    chain->segment[count] = (struct virtio_segment){d->address, d->size};
    return NULL;
}

/* A table's chain begins with its first entry; all its entries may be used. */
static const char *walk_indirect(const struct virtio *v, const struct descriptor *table,
                                 struct virtio_chain *chain)
{
    if (!virtio_has_feature(v, VIRTIO_F_INDIRECT_DESC))
        return "indirect descriptors were not negotiated";
    if (table->flags & DESC_NEXT)
        return "an indirect descriptor has a next one";
    if (!table->size || table->size % DESCRIPTOR_SIZE)
        return "an indirect table is no whole number of descriptors";
    if (!ram_contains(&v->machine->ram, table->address, table->size))
        return "an indirect table is not in RAM";
    unsigned entries = table->size / DESCRIPTOR_SIZE;
    for (unsigned index = 0;;) {
        struct descriptor d = descriptor_at(v, table->address, index);
        if (d.flags & DESC_INDIRECT)
            return "an indirect table refers to another";
        const char *problem = add_segment(v, chain, &d);
        if (problem || !(d.flags & DESC_NEXT))
            return problem;
        index = d.next;
        if (index >= entries)
            return "a descriptor is outside its indirect table";
    }
}

/* The chain that begins with descriptor `head`; what is wrong with it, or NULL. The rings are in
 * RAM. */
static const char *walk(const struct virtio *v, const struct virtqueue_state *q, uint16_t head,
                        struct virtio_chain *chain)
{
    chain->head = head;
    chain->readable = chain->writable = 0;
    chain->readable_bytes = chain->writable_bytes = 0;
    unsigned index = head;
    for (unsigned count = 0; count < q->size; count++) {
        if (index >= q->size)
            return "a descriptor is outside the table";
        struct descriptor d = descriptor_at(v, q->descriptors, index);
        if (d.flags & DESC_INDIRECT)
            return walk_indirect(v, &d, chain);
        const char *problem = add_segment(v, chain, &d);
        if (problem || !(d.flags & DESC_NEXT))
            return problem;
        index = d.next;
    }
    return "a chain is too long or loops";
}

/* The next available chain; what is wrong, or NULL. *any: there is one. */
static const char *find(const struct virtio *v, unsigned queue, bool *any,
                        struct virtio_chain *chain)
{
    const struct virtqueue_state *q = &v->state->queue[queue];
    const char *problem = virtqueue_problem(v, queue);
    *any = false;
    if (problem)
        return problem;
    uint16_t ahead = (uint16_t)(ram_load16(v, q->driver + RING_INDEX) - q->next);
    if (ahead > q->size)
        return "more is available than the queue has entries";
    if (!ahead)
        return NULL;
    *any = true;
    uint64_t entry = q->driver + RING_ENTRIES + 2 * (uint64_t)(q->next % q->size);
    return walk(v, q, ram_load16(v, entry), chain);
}

bool virtqueue_peek(const struct virtio *v, unsigned queue, struct virtio_chain *chain)
{
    bool any;
    return queue_runs(v, queue) && !find(v, queue, &any, chain) && any;
}

/* Event index: the driver is to notify when it makes the entry available that is taken next. No
 * hart runs in between, so there is no need to look for new entries afterwards. */
static void ask_for_notification(struct virtio *v, const struct virtqueue_state *q)
{
    if (virtio_has_feature(v, VIRTIO_F_EVENT_IDX))
        ram_store16(v, q->device + RING_ENTRIES + USED_ELEMENT_SIZE * (uint64_t)q->size, q->next);
}

/* Without a notification served queues are looked at when a request ends; so it is asked for only
 * when one has run empty. A held queue's device may want to know of each. */
bool virtqueue_take(struct virtio *v, unsigned queue, struct virtio_chain *chain)
{
    if (!queue_runs(v, queue))
        return false;
    struct virtqueue_state *q = &v->state->queue[queue];
    const struct virtio_queue_ops *ops = &v->ops->queue[queue];
    bool any;
    const char *problem = find(v, queue, &any, chain);
    if (problem) {
        virtio_break(v, "queue %u: %s", queue, problem);
        return false;
    }
    if (any)
        q->next++;
    if (ops->serve ? !any : ops->available != NULL)
        ask_for_notification(v, q);
    return any;
}

/* Does the driver want to be told of the used entry before q->used? */
static bool wants_interrupt(const struct virtio *v, const struct virtqueue_state *q)
{
    if (!virtio_has_feature(v, VIRTIO_F_EVENT_IDX))
        return !(ram_load16(v, q->driver + RING_FLAGS) & AVAIL_NO_INTERRUPT);
    uint16_t event = ram_load16(v, q->driver + RING_ENTRIES + 2 * (uint64_t)q->size);
    return event == (uint16_t)(q->used - 1);
}

void virtqueue_give(struct virtio *v, unsigned queue, uint16_t head, uint32_t written)
{
    if (!queue_runs(v, queue))
        return;
    struct virtqueue_state *q = &v->state->queue[queue];
    const char *problem = virtqueue_problem(v, queue);
    if (problem) {
        virtio_break(v, "queue %u: %s", queue, problem);
        return;
    }
    uint8_t element[USED_ELEMENT_SIZE];
    store_le32(element, head);
    store_le32(element + 4, written);
    uint64_t entry = q->device + RING_ENTRIES + USED_ELEMENT_SIZE * (uint64_t)(q->used % q->size);
    machine_dma(v->machine, v->name, entry, element, sizeof element);
    q->used++;
    ram_store16(v, q->device + RING_INDEX, q->used);
    if (wants_interrupt(v, q))
        virtio_interrupt(v, INTERRUPT_USED);
}

/* ---- bytes of a chain ---- */

/* The next piece of segments first..first+count: *pa and its size, of at most *size bytes, `offset`
 * bytes behind the start; 0 at the end. */
static size_t piece(const struct virtio_segment *segment, unsigned count, uint64_t offset,
                    size_t size, uint64_t *pa)
{
    for (unsigned i = 0; i < count; i++) {
        if (offset < segment[i].size) {
            uint64_t left = segment[i].size - offset;
            *pa = segment[i].address + offset;
            return left < size ? (size_t)left : size;
        }
        offset -= segment[i].size;
    }
    return 0;
}

size_t virtio_chain_read(const struct virtio *v, const struct virtio_chain *chain, uint64_t offset,
                         void *bytes, size_t size)
{
    uint8_t *to = bytes;
    size_t done = 0, n;
    uint64_t pa;
    while (done < size &&
           (n = piece(chain->segment, chain->readable, offset + done, size - done, &pa))) {
        memcpy(to + done, ram_at(&v->machine->ram, pa), n);
        done += n;
    }
    return done;
}

size_t virtio_chain_write(struct virtio *v, const struct virtio_chain *chain, uint64_t offset,
                          const void *bytes, size_t size)
{
    const uint8_t *from = bytes;
    size_t done = 0, n;
    uint64_t pa;
    while (done < size && (n = piece(chain->segment + chain->readable, chain->writable,
                                     offset + done, size - done, &pa))) {
        machine_dma(v->machine, v->name, pa, from + done, n);
        done += n;
    }
    return done;
}

/* ---- served queues ---- */

static uint64_t service_time(const struct virtio_queue_ops *ops, const struct virtio_chain *chain)
{
    uint64_t bytes = chain->readable_bytes + chain->writable_bytes;
    return ops->latency_ns + (ops->bytes_per_us ? bytes * 1000 / ops->bytes_per_us : 0);
}

static void begin_next(struct virtio *v, unsigned queue)
{
    struct virtqueue_state *q = &v->state->queue[queue];
    struct clock *clock = &v->machine->clock;
    struct virtio_chain chain;
    if (!virtqueue_take(v, queue, &chain))
        return;
    q->head = chain.head;
    q->busy = 1;
    clock_arm(clock, v->timer[queue],
              clock_vtime(clock) + service_time(&v->ops->queue[queue], &chain));
}

void virtqueue_notified(struct virtio *v, unsigned queue)
{
    const struct virtio_queue_ops *ops = &v->ops->queue[queue];
    if (!ops->serve) {
        if (ops->available)
            ops->available(v->ctx, queue);
    } else if (!v->state->queue[queue].busy) {
        begin_next(v, queue);
    }
}

/* The chain may have changed since it was taken: what counts is what it is now. */
void virtqueue_expired(void *ctx, unsigned which)
{
    struct virtio *v = ctx;
    struct virtqueue_state *q = &v->state->queue[which];
    struct virtio_chain chain;
    if (!queue_runs(v, which) || !q->busy)
        return;
    q->busy = 0;
    const char *problem = virtqueue_problem(v, which);
    if (!problem)
        problem = walk(v, q, q->head, &chain);
    if (problem) {
        virtio_break(v, "queue %u: %s", which, problem);
        return;
    }
    uint32_t written = v->ops->queue[which].serve(v->ctx, which, &chain);
    virtqueue_give(v, which, chain.head, written);
    begin_next(v, which);
}
