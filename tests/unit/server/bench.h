/* A server on a Unix socket, a small guest in its machine, and clients on the other side, all in
 * one process: a client that waits turns the server's loop. */
#ifndef TESTS_UNIT_SERVER_BENCH_H
#define TESTS_UNIT_SERVER_BENCH_H

#include "devices/riscv_virt.h"
#include "devices/uart16550.h"
#include "server/server.h"

#include <criterion/criterion.h>

/* Guests are loaded and begin here, after the steps of the boot ROM. Their data are one page on. */
#define GUEST_CODE UINT64_C(0x80000000)
#define GUEST_DATA UINT64_C(0x80001000)

enum guest {
    GUEST_COUNT,   /* adds 1 to a doubleword at GUEST_DATA for ever: load +4, store +12, jump +16 */
    GUEST_OFF,     /* switches the machine off */
    GUEST_FAIL,    /* ends the run with code 7 */
    GUEST_ECHO,    /* sends what it receives on the serial port, polling */
    GUEST_IDLE,    /* waits for an interrupt that never comes */
    GUEST_ECHO_TWO /* as GUEST_ECHO, and the same on a second port, which is CHANNEL_CONSOLE0's */
};

struct bench_options {
    enum guest guest;
    unsigned harts;               /* 0: 1 */
    bool no_gdb;                  /* else on a Unix socket */
    const char *serial;           /* NULL: no line for the serial port */
    struct server_options server; /* gdb and the serial port's line are filled in */
};

struct bench {
    struct riscv_virt *board;
    struct uart16550 second;
    struct timeline *timeline;
    struct server *server;
    char folder[32];
    char path[64];    /* of gdb's socket */
    char address[80]; /* unix:path */
    bool over;        /* the server has ended */
    int status;
};

void bench_init(struct bench *b, const struct bench_options *options);
void bench_fini(struct bench *b);
/* One turn of the loop. A test that never gets what it waits for fails here after a minute. */
void bench_turn(struct bench *b);
/* Turn until the server has ended; its status. */
int bench_end(struct bench *b);
uint64_t bench_position(const struct bench *b);

/* ---- a gdb ---- */

struct client {
    struct bench *bench;
    int fd;
    struct buffer in;      /* received, not yet looked at */
    struct buffer payload; /* of the last packet */
    bool acks;
};

void client_connect(struct client *c, struct bench *b);
/* With no-ack mode, and swbreak and hwbreak offered. */
void client_greet(struct client *c, struct bench *b);
void client_close(struct client *c);
void client_send(struct client *c, const void *bytes, size_t size);
void client_send_text(struct client *c, const char *bytes);
/* As a packet. */
void client_request(struct client *c, const char *payload);
/* The next packet's payload as text; fails when the connection is closed. */
const char *client_reply(struct client *c);
/* Both. */
const char *client_ask(struct client *c, const char *payload);
void client_expect(struct client *c, const char *payload, const char *reply);
/* The next byte outside of packets; 0 when the connection is closed. */
char client_byte(struct client *c);
/* Wait for the end of the connection, whatever comes before. */
void client_expect_closed(struct client *c);

/* The value of `key:` in a stop reply or of a register by number in hex, 0 when it is not there. */
uint64_t stop_value(const char *reply, const char *key);
uint64_t stop_register(const char *reply, unsigned number);
/* `text` in hex behind `prefix`, good until the next call. */
const char *in_hex(const char *prefix, const char *text);

#endif
