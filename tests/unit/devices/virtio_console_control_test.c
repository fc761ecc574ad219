/* The control queues of a console with two ports. */
#include "tests/unit/devices/virtio_console_rig.h"

/* The order of drivers/char/virtio_console.c: control buffers, DEVICE_READY; for each port added
 * its receive buffers, PORT_READY; for each console PORT_OPEN. */
Test(virtio_console_control, handshake_as_linux_does_it)
{
    struct rig *r = rig_new(2);
    start_multiport(r);
    for (unsigned i = 0; i < CONTROL_BUFFERS; i++)
        give_control_buffer(r);
    expect_none(r);
    send(r, NO_PORT, VIRTIO_CONSOLE_DEVICE_READY, 1);
    expect(r, 0, VIRTIO_CONSOLE_PORT_ADD);
    expect(r, 1, VIRTIO_CONSOLE_PORT_ADD);
    expect_none(r);
    for (unsigned port = 0; port < 2; port++) {
        struct chain c = chain_plain(DATA + 4096 * port, 4096, true);
        chain_post(&r->d, port ? RX1 : RX0, &c);
        send(r, (int)port, VIRTIO_CONSOLE_PORT_READY, 1);
        expect(r, port, VIRTIO_CONSOLE_CONSOLE_PORT);
        expect(r, port, VIRTIO_CONSOLE_PORT_OPEN);
        expect_none(r);
        cr_assert_eq(room(r, port), 0, "the driver has not opened it yet");
        send(r, (int)port, VIRTIO_CONSOLE_PORT_OPEN, 1);
        expect_none(r);
        cr_assert_eq(room(r, port), 4096);
        cr_assert_eq(room(r, 1), port ? 4096 : 0);
    }
    send(r, NO_PORT, VIRTIO_CONSOLE_DEVICE_READY, 1);
    expect_none(r);
    cr_assert_eq(r->d.guest_lines, 0);
    send(r, 1, VIRTIO_CONSOLE_PORT_OPEN, 0);
    cr_assert_eq(room(r, 0), 4096);
    cr_assert_eq(room(r, 1), 0);
    rig_free(r);
}

Test(virtio_console_control, messages_wait_for_buffers)
{
    struct rig *r = rig_new(2);
    start_multiport(r);
    send(r, NO_PORT, VIRTIO_CONSOLE_DEVICE_READY, 1);
    send(r, 1, VIRTIO_CONSOLE_PORT_READY, 1);
    static const unsigned order[][2] = {{0, VIRTIO_CONSOLE_PORT_ADD},
                                        {1, VIRTIO_CONSOLE_PORT_ADD},
                                        {1, VIRTIO_CONSOLE_CONSOLE_PORT},
                                        {1, VIRTIO_CONSOLE_PORT_OPEN}};
    unsigned messages = sizeof order / sizeof *order;
    for (unsigned i = 0; i < messages; i++) {
        expect_none(r);
        give_control_buffer(r);
        cr_assert(driver_irq(&r->d));
        driver_ack(&r->d);
        unsigned slot = i % CONTROL_BUFFERS;
        const uint8_t *message =
            driver_ram(&r->d, CONTROL_DATA + 4096 + (uint64_t)slot * CONTROL_BUFFER);
        cr_assert_eq(chain_used(&r->d, CONTROL_RX), VIRTIO_CONSOLE_MESSAGE);
        cr_assert_eq(load_le32(message), order[i][0]);
        cr_assert_eq(load_le16(message + 4), order[i][1]);
    }
    give_control_buffer(r);
    expect_none(r);
    rig_free(r);
}

/* With the event index the driver announces buffers only where the device has asked for it. */
Test(virtio_console_control, buffers_that_come_late_are_announced)
{
    struct rig *r = rig_new(2);
    driver_start(&r->d, VIRTIO_CONSOLE_F_MULTIPORT | VIRTIO_F_EVENT_IDX, VIRTIO_CONSOLE_QUEUES,
                 256);
    struct driver_queue *q = &r->d.queue[CONTROL_RX];
    give_control_buffer(r);
    send(r, NO_PORT, VIRTIO_CONSOLE_DEVICE_READY, 1);
    cr_assert_eq(chain_used(&r->d, CONTROL_RX), VIRTIO_CONSOLE_MESSAGE);
    expect_none(r);
    uint16_t asked = load_le16(driver_ram(&r->d, q->used + 4 + 8 * (uint64_t)q->size));
    cr_assert_eq(asked, q->made, "the next one is asked for");
    give_control_buffer(r);
    cr_assert_eq(chain_used(&r->d, CONTROL_RX), VIRTIO_CONSOLE_MESSAGE);
    rig_free(r);
}

/* No driver makes messages pile up. */
Test(virtio_console_control, messages_are_bounded)
{
    struct rig *r = rig_new(2);
    start_multiport(r);
    for (unsigned i = 0; i < 1000; i++) {
        send(r, NO_PORT, VIRTIO_CONSOLE_DEVICE_READY, 1);
        send(r, 0, VIRTIO_CONSOLE_PORT_READY, 1);
        send(r, 1, VIRTIO_CONSOLE_PORT_READY, 1);
    }
    for (unsigned i = 0; i < CONTROL_BUFFERS; i++)
        give_control_buffer(r);
    for (unsigned port = 0; port < 2; port++) {
        expect(r, port, VIRTIO_CONSOLE_PORT_ADD);
        expect(r, port, VIRTIO_CONSOLE_CONSOLE_PORT);
        expect(r, port, VIRTIO_CONSOLE_PORT_OPEN);
    }
    expect_none(r);
    rig_free(r);
}

Test(virtio_console_control, odd_messages_are_nothing)
{
    struct rig *r = rig_open();
    uint64_t before = r->console.state.virtio.queue[CONTROL_RX].used;
    give_control_buffer(r);
    static const struct {
        int port;
        unsigned event, value;
    } odd[] = {{NO_PORT, VIRTIO_CONSOLE_DEVICE_READY, 0},
               {2, VIRTIO_CONSOLE_PORT_READY, 1},
               {NO_PORT, VIRTIO_CONSOLE_PORT_OPEN, 1},
               {0, VIRTIO_CONSOLE_PORT_ADD, 1},
               {1, VIRTIO_CONSOLE_PORT_REMOVE, 1},
               {0, VIRTIO_CONSOLE_PORT_NAME, 1},
               {0, VIRTIO_CONSOLE_CONSOLE_PORT, 1},
               {0, VIRTIO_CONSOLE_RESIZE, 1},
               {0, 8, 1},
               {0, 0xffff, 0xffff}};
    unsigned count = sizeof odd / sizeof *odd;
    for (unsigned i = 0; i < count; i++)
        send(r, odd[i].port, odd[i].event, odd[i].value);
    const uint8_t short_message[VIRTIO_CONSOLE_MESSAGE - 1] = {1, 0, 0, 0,
                                                               VIRTIO_CONSOLE_PORT_OPEN};
    send_bytes(r, short_message, sizeof short_message);
    struct driver_buffer wrong_way = {CONTROL_DATA, 8, true};
    cr_assert_eq(driver_request(&r->d, CONTROL_TX, &wrong_way, 1), 0);
    cr_assert_eq(r->d.guest_lines, count + 2);
    cr_assert_eq(r->console.state.virtio.queue[CONTROL_RX].used, before);
    cr_assert_eq(r->console.state.open[0], 1);
    cr_assert_eq(r->console.state.open[1], 1);
    send(r, 0, VIRTIO_CONSOLE_PORT_READY, 0);
    cr_assert_eq(r->console.state.open[0], 0, "a port that could not be set up");
    cr_assert_eq(r->console.state.open[1], 1);
    cr_assert(!driver_broken(&r->d));
    rig_free(r);
}

/* A message may come in pieces, and with more behind it. */
Test(virtio_console_control, message_in_pieces)
{
    struct rig *r = rig_new(2);
    start_multiport(r);
    uint8_t message[20] = {1, 0, 0, 0, VIRTIO_CONSOLE_PORT_OPEN, 0, 1, 0, 0xff};
    uint64_t seed = 5;
    struct chain c = chain_of(DATA, sizeof message, false, 8, &seed);
    chain_fill(&r->d, &c, message);
    cr_assert_eq(driver_request(&r->d, CONTROL_TX, c.buffer, c.count), 0);
    cr_assert_eq(r->console.state.open[1], 1);
    cr_assert_eq(r->console.state.open[0], 0);
    rig_free(r);
}

Test(virtio_console_control, too_small_control_buffers_break)
{
    static const bool write[] = {true, false};
    for (unsigned i = 0; i < 2; i++) {
        struct rig *r = rig_new(2);
        start_multiport(r);
        struct chain c = chain_plain(DATA, write[i] ? VIRTIO_CONSOLE_MESSAGE - 1 : 64, write[i]);
        chain_post(&r->d, CONTROL_RX, &c);
        cr_assert(!driver_broken(&r->d), "nothing has come for it yet");
        uint8_t ready[VIRTIO_CONSOLE_MESSAGE] = {0, 0, 0, 0, 0, 0, 1, 0};
        struct chain m = chain_plain(DATA + 4096, sizeof ready, false);
        chain_fill(&r->d, &m, ready);
        chain_post(&r->d, CONTROL_TX, &m);
        driver_wait(&r->d);
        cr_assert(driver_broken(&r->d));
        expect_none(r);
        rig_free(r);
    }
}

Test(virtio_console_control, drivers_without_multiport)
{
    struct rig *r = rig_new(2);
    driver_start(&r->d, 0, VIRTIO_CONSOLE_QUEUES, 256);
    struct chain in = chain_plain(DATA, 100, true);
    chain_post(&r->d, RX0, &in);
    chain_post(&r->d, RX1, &in);
    cr_assert_eq(room(r, 0), 100);
    cr_assert_eq(room(r, 1), 0);
    send(r, 1, VIRTIO_CONSOLE_PORT_OPEN, 1);
    cr_assert_eq(room(r, 1), 0);
    cr_assert_eq(r->d.guest_lines, 1);
    push(r, 0, (const uint8_t *)"hello", 5);
    cr_assert_eq(chain_used(&r->d, RX0), 5);
    cr_assert_arr_eq(driver_ram(&r->d, DATA), "hello", 5);
    rig_free(r);
}
