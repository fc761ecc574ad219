/* A server in a process of its own, and the plainest client of its gdb port. */
#ifndef CLI_BENCH_CLIENT_H
#define CLI_BENCH_CLIENT_H

#include "base/buffer.h"
#include "cli/bench_host.h"
#include "cli/embedded.h"
#include "rsp/packet.h"

struct bench_client {
    struct bench_host *host;
    pid_t pid;
    int fd;
    double forward, forward_cpu; /* seconds that the live run took */
    struct rsp_framer framer;
    struct buffer in; /* received, not framed yet */
    uint64_t packets; /* sent and received */
};

struct bench_stop_reply {
    double seconds;   /* from the request to the reply */
    double cpu;       /* that the server used for it */
    bool begin, end;  /* of history */
    uint64_t packets; /* sent and received for it, without console output */
};

/* Run the guest to `position` live, in a server, and connect to it. */
bool bench_client_start(struct bench_client *client, struct bench_host *host,
                        const struct embedded_file *guest, uint64_t position, struct error *err);
/* Connect to a server at `path`, a Unix socket, that process `pid` is or becomes; the process is
 * the client's from now on, and killed on error. */
bool bench_client_attach(struct bench_client *client, struct bench_host *host, pid_t pid,
                         const char *path, struct error *err);
/* The same with a process that stays whose it is: set `pid` to 0 before bench_client_end. */
bool bench_client_borrow(struct bench_client *client, struct bench_host *host, pid_t pid,
                         const char *path, struct error *err);
/* Ask the server to end (SIGTERM) and wait for it; usage->wall is what that took. To be followed by
 * bench_client_end. */
bool bench_client_finish(struct bench_client *client, struct bench_usage *usage, struct error *err);
/* Kills the server. */
void bench_client_end(struct bench_client *client);

/* Send bs, bc or vCont;c and wait for the stop. */
bool bench_client_resume(struct bench_client *client, const char *packet,
                         struct bench_stop_reply *reply, struct error *err);
bool bench_client_breakpoint(struct bench_client *client, bool set, uint64_t address,
                             struct error *err);
/* A packet whose answer is OK. */
bool bench_client_ok(struct bench_client *client, const char *packet, struct error *err);
/* An integer register, 0 to 31, by a `g` packet. */
bool bench_client_register(struct bench_client *client, unsigned number, uint64_t *value,
                           struct error *err);
bool bench_client_pc(struct bench_client *client, uint64_t *pc, struct error *err);

#endif
