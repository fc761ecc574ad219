/* The one door between the machine and the host. Nothing else from outside reaches the guest.
 *
 * An event is pushed at a step boundary with machine_deliver. What a device needs at once (a host
 * clock value, entropy) it asks of the door, whose owner (a recorder or a player) answers from the
 * host and logs it, or answers from the log. */
#ifndef MACHINE_INPUT_H
#define MACHINE_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Numbers are part of the recording format: append only. */
enum event_kind {
    EVENT_INPUT = 1,    /* bytes for channel `target` */
    EVENT_CLOCK = 2,    /* answer to door_host_clock: 8 bytes, ns since 1970, little-endian */
    EVENT_RESET = 3,    /* the user resets the machine */
    EVENT_MEMORY = 4,   /* a debugger's write: 8 bytes address (physical), then the bytes */
    EVENT_REGISTER = 5, /* a debugger's write: hart `target`, 4 bytes number, 8 bytes value */
    EVENT_POWER = 6,    /* the user presses the power button: the machine goes off */
    EVENT_IDLE = 7,     /* nothing but that idle time has passed: the machine was stopped in it */
    EVENT_ENTROPY = 8,  /* answer to door_entropy: the bytes */
    EVENT_HOLD = 9,     /* a debugger's: 4 bytes, a bit for each hart that makes no step */
    EVENT_LAST = EVENT_HOLD
};

/* Events that are not delivered but answer a question of the machine's. */
static inline bool event_is_answer(uint16_t kind)
{
    return kind == EVENT_CLOCK || kind == EVENT_ENTROPY;
}

struct event {
    uint64_t position; /* steps made when it happened */
    uint64_t vtime;    /* ns; idle time passes until then */
    uint16_t kind;     /* enum event_kind */
    uint16_t target;   /* channel or hart */
    uint32_t size;
    const uint8_t *data; /* owned by whoever made the event; valid during the call */
};

/* Channels in and out: of bytes, and from CHANNEL_NET0 on of packets, which pass whole. Numbers are
 * part of the recording format. */
enum channel {
    CHANNEL_SERIAL0 = 0,
    CHANNEL_SEMIHOST = 1,
    CHANNEL_CONSOLE0 = 2,
    CHANNEL_CONSOLE1 = 3,
    CHANNEL_NET0 = 8,
    CHANNELS = 16
};

/* What is read of a disk's image at a time: block N is bytes N * DISK_BLOCK onwards. */
enum { DISK_BLOCK = 4096 };

struct door_ops {
    /* Nanoseconds since 1970. Asked inside a step or by an expiring deadline, as all answers. */
    uint64_t (*host_clock)(void *ctx);
    /* Fill with random bytes. */
    void (*entropy)(void *ctx, uint8_t *bytes, size_t size);
    /* DISK_BLOCK bytes of a disk's image, zeroes behind its end. An image is an input: the answer
     * is not logged, but it is made sure that it is always the same. False: the host cannot read
     * it, now and whenever it is asked again. */
    bool (*disk_read)(void *ctx, unsigned disk, uint64_t block, uint8_t *bytes);
    /* Bytes the guest sent. The door decides whether they leave (live) or are dropped (replay). */
    void (*output)(void *ctx, unsigned channel, const uint8_t *bytes, size_t size);
};

struct door {
    const struct door_ops *ops;
    void *ctx;
};

#endif
