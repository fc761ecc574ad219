/* What all virtio devices share: the transport's registers (virtio over MMIO, version 2), split
 * virtqueues, and the time that requests take. Virtio 1.2, sections 2.7 and 4.2.
 *
 * A queue is *served* or *held*. Of a served queue the device takes one request at a time: when the
 * driver has made one available it is taken, after latency_ns + its bytes at bytes_per_us it is
 * served and given back, and the next is taken. The time is virtual and absolute: the request in
 * between is state, and nothing happens inside the write that notifies. A held queue's buffers
 * wait for the device, which takes them when it has something for the driver (received packets).
 *
 * A driver is hostile: rings and chains are looked at anew at each use, and whatever cannot be
 * (loops, too long chains, addresses that are no RAM, rings moved while in use) gives the device
 * the status DEVICE_NEEDS_RESET and a `guest` log line; until a reset it then does nothing. */
#ifndef DEVICES_VIRTIO_H
#define DEVICES_VIRTIO_H

#include "machine/irq.h"
#include "machine/machine.h"

enum { VIRTIO_QUEUES = 6, VIRTQUEUE_SIZE = 256, VIRTIO_CONFIG_SIZE = 64 };

/* Feature bits that every device here offers. */
#define VIRTIO_F_INDIRECT_DESC (UINT64_C(1) << 28)
#define VIRTIO_F_EVENT_IDX (UINT64_C(1) << 29)
#define VIRTIO_F_VERSION_1 (UINT64_C(1) << 32)

enum virtio_id {
    VIRTIO_ID_NET = 1,
    VIRTIO_ID_BLOCK = 2,
    VIRTIO_ID_CONSOLE = 3,
    VIRTIO_ID_ENTROPY = 4
};

struct virtqueue_state {
    uint64_t descriptors, driver, device; /* guest physical: table, available ring, used ring */
    uint16_t size;                        /* QueueNum */
    uint16_t next;                        /* the available entry to take next */
    uint16_t used;                        /* used entries written */
    uint16_t head;                        /* served queue: descriptor of the request taken */
    uint8_t ready, busy;                  /* busy: `head` is taken and not yet served */
    uint8_t unused[6];
};

struct virtio_state {
    uint64_t driver_features;
    uint32_t device_features_select, driver_features_select, queue_select;
    uint32_t status, interrupt, config_generation;
    struct virtqueue_state queue[VIRTIO_QUEUES];
};

extern const struct fields virtio_fields;

struct virtio_segment {
    uint64_t address; /* in RAM, all of it */
    uint32_t size;
};

/* A chain of descriptors as found: what the device reads, then what it writes. */
struct virtio_chain {
    uint16_t head;
    unsigned readable, writable; /* segments */
    uint64_t readable_bytes, writable_bytes;
    struct virtio_segment segment[VIRTQUEUE_SIZE];
};

struct virtio;

struct virtio_queue_ops {
    /* Served queues: do the request; returns the bytes written, which go to the used ring. NULL: a
     * held queue. The device may have been broken on the way (virtio_break). */
    uint32_t (*serve)(void *ctx, unsigned queue, const struct virtio_chain *chain);
    /* Of served queues at least 1: requests that write into their own rings may go on for ever, and
     * end with the time that passes. */
    uint32_t latency_ns;
    uint32_t bytes_per_us; /* 0: size takes no time */
    /* Held queues: the driver has said that there are buffers; may be NULL. */
    void (*available)(void *ctx, unsigned queue);
};

struct virtio_ops {
    enum virtio_id id;
    uint64_t features; /* of the device's type, without the common ones above */
    unsigned queues;
    const struct virtio_queue_ops *queue; /* `queues` of them */
    unsigned config_size;                 /* at most VIRTIO_CONFIG_SIZE */
    /* The configuration space as it is now: fill config_size bytes; NULL when there is none. */
    void (*config_read)(const void *ctx, uint8_t *bytes);
    /* The driver wrote there; NULL: it is read-only. */
    void (*config_write)(void *ctx, unsigned offset, unsigned size, uint64_t value);
    /* The device's own state to its values after reset; may be NULL. */
    void (*reset)(void *ctx);
    /* A channel's room and input, as in struct device; may be NULL. */
    size_t (*room)(const void *ctx, unsigned channel);
    void (*input)(void *ctx, unsigned channel, const uint8_t *bytes, size_t size);
};

/* A device's wiring; the state lies in the device's own state struct. */
struct virtio {
    struct virtio_state *state;
    struct machine *machine;
    const struct virtio_ops *ops;
    void *ctx; /* for ops */
    const char *name;
    struct irq irq;
    unsigned timer[VIRTIO_QUEUES]; /* of served queues */
};

/* Put a device into a slot: its registers at `base`, its state (`fields` describes `device_state`,
 * in which v->state lies) into the machine. All members of *v but `timer` are set before. */
void virtio_mmio_init(struct virtio *v, uint64_t base, uint64_t size, const struct fields *fields,
                      void *device_state);
/* A slot with nothing in it: drivers see DeviceID 0 and pass on. */
void virtio_mmio_init_empty(struct machine *m, uint64_t base, uint64_t size);

/* Has the driver accepted this feature? */
bool virtio_has_feature(const struct virtio *v, uint64_t feature);
/* The device's configuration has changed: the driver is told. */
void virtio_config_changed(struct virtio *v);
/* The driver is wrong: DEVICE_NEEDS_RESET, said in the log. */
void virtio_break(struct virtio *v, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool virtio_broken(const struct virtio *v);

/* ---- virtqueue.c ---- */

/* Is a request of any queue taken and not yet served? */
bool virtio_busy(const struct virtio *v);
/* Look at the next available chain without taking it or breaking anything; false: there is none, or
 * none that is right. */
bool virtqueue_peek(const struct virtio *v, unsigned queue, struct virtio_chain *chain);
/* Take it; false: there is none, or the device is broken now. */
bool virtqueue_take(struct virtio *v, unsigned queue, struct virtio_chain *chain);
/* Give a chain back, `written` bytes of it filled, and interrupt the driver if it wants that. */
void virtqueue_give(struct virtio *v, unsigned queue, uint16_t head, uint32_t written);

/* Copy out of the readable part, from byte `offset` on; returns how many there were. */
size_t virtio_chain_read(const struct virtio *v, const struct virtio_chain *chain, uint64_t offset,
                         void *bytes, size_t size);
/* Copy into the writable part, from byte `offset` on; returns how many there was room for. */
size_t virtio_chain_write(struct virtio *v, const struct virtio_chain *chain, uint64_t offset,
                          const void *bytes, size_t size);

/* ---- for virtio_mmio.c and virtqueue.c, between themselves ---- */

/* The driver notified: take a request of a served queue, tell a held queue's device. */
void virtqueue_notified(struct virtio *v, unsigned queue);
/* The timer of a served queue; `which` is the queue. */
void virtqueue_expired(void *ctx, unsigned which);
void virtio_interrupt(struct virtio *v, uint32_t cause);
/* What is wrong with a queue's size or the places of its rings; NULL: nothing. */
const char *virtqueue_problem(const struct virtio *v, unsigned queue);

#endif
