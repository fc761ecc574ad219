/* A console of one or two ports: virtio 1.2, section 5.3. Both ports are consoles (hvc0, hvc1 on
 * Linux), the host's side of them is always open.
 *
 * What the driver writes leaves after 1 us and 100 bytes/us. Input goes into the next buffer of the
 * port's receive queue at once. With two ports VIRTIO_CONSOLE_F_MULTIPORT is offered; a port then
 * takes input once the driver has opened it, and port 1 exists only for drivers that accept it.
 * The size of the screen is not told. Characters of the emergency write register leave at once on
 * port 0, also before there is a driver. */
#ifndef DEVICES_VIRTIO_CONSOLE_H
#define DEVICES_VIRTIO_CONSOLE_H

#include "devices/virtio.h"

enum {
    VIRTIO_CONSOLE_PORTS = 2,
    VIRTIO_CONSOLE_LATENCY_NS = 1000,    /* of a write and of a control message */
    VIRTIO_CONSOLE_BYTES_PER_US = 100,   /* of a write */
    VIRTIO_CONSOLE_WRITE_MOST = 1 << 20, /* bytes in one buffer */
    VIRTIO_CONSOLE_INPUT_MOST = 1 << 16  /* bytes at a time */
};

enum {
    VIRTIO_CONSOLE_RECEIVEQ0 = 0,
    VIRTIO_CONSOLE_TRANSMITQ0 = 1,
    VIRTIO_CONSOLE_CONTROL_RECEIVEQ = 2, /* this and the following with two ports only */
    VIRTIO_CONSOLE_CONTROL_TRANSMITQ = 3,
    VIRTIO_CONSOLE_RECEIVEQ1 = 4,
    VIRTIO_CONSOLE_TRANSMITQ1 = 5,
    VIRTIO_CONSOLE_QUEUES = 6
};

#define VIRTIO_CONSOLE_F_MULTIPORT (UINT64_C(1) << 1)
#define VIRTIO_CONSOLE_F_EMERG_WRITE (UINT64_C(1) << 2)

/* Control messages: le32 port, le16 event, le16 value. */
enum { VIRTIO_CONSOLE_MESSAGE = 8 };
enum virtio_console_event {
    VIRTIO_CONSOLE_DEVICE_READY = 0,
    VIRTIO_CONSOLE_PORT_ADD = 1,
    VIRTIO_CONSOLE_PORT_REMOVE = 2,
    VIRTIO_CONSOLE_PORT_READY = 3,
    VIRTIO_CONSOLE_CONSOLE_PORT = 4,
    VIRTIO_CONSOLE_RESIZE = 5,
    VIRTIO_CONSOLE_PORT_OPEN = 6,
    VIRTIO_CONSOLE_PORT_NAME = 7
};

struct virtio_console_state {
    struct virtio_state virtio;
    /* A port's messages that wait for a buffer of the driver's: bits of 1 << event. They are sent
     * in the order of the events' numbers; one that is asked for again while it waits is sent once,
     * so that no driver makes them pile up. */
    uint8_t waiting[VIRTIO_CONSOLE_PORTS];
    uint8_t added[VIRTIO_CONSOLE_PORTS]; /* PORT_ADD was sent or waits: it comes only once */
    uint8_t open[VIRTIO_CONSOLE_PORTS];  /* by the driver */
    uint8_t unused[2];
};

extern const struct fields virtio_console_fields;

struct virtio_console_config {
    uint64_t base, size; /* of the slot */
    struct irq irq;
    unsigned ports; /* 1 or 2: on CHANNEL_CONSOLE0 and CHANNEL_CONSOLE1 */
};

struct virtio_console {
    struct virtio_console_state state;
    struct virtio virtio;
    unsigned ports;
};

void virtio_console_init(struct virtio_console *c, struct machine *m,
                         const struct virtio_console_config *config);

#endif
