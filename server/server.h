/* The program's process: one event loop, one timeline, gdb's port, the guest's lines to the host.
 *
 * Made in two steps, because the timeline needs the host's side (server_host) before it exists, and
 * what can be refused (addresses, files) is to be refused before anything is loaded. */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "base/buffer.h"
#include "base/error.h"
#include "server/address.h"
#include "server/crash_watch.h"
#include "server/interpreter.h"
#include "server/network.h"
#include "timeline/timeline.h"

struct server;

enum { SERVER_LINES = 4, SERVER_CONTROLS = 8, SERVER_CRASHED = 3 };

/* A line between one of the guest's channels (enum channel) and the host. */
struct server_line {
    unsigned channel;
    const char *where; /* see serial.h */
};

/* A control socket, which speaks QMP: docs/control.md. */
struct server_control {
    /* tcp:HOST:PORT or unix:PATH, with QEMU's ,server[=on|off] and ,wait[=on|off]; or fd:N, an
     * inherited socket, connected or listening. Without `server` it listens and nobody is waited
     * for; server=off connects, at once; server without wait=off: the machine does not run before
     * the first client is there. Copied. */
    const char *where;
    bool pretty; /* JSON over several lines */
};

struct server_options {
    const char *gdb; /* tcp:HOST:PORT, unix:PATH or stdio; NULL: none */
    struct server_control control[SERVER_CONTROLS];
    unsigned controls;
    void (*offer)(struct buffer *line); /* what is said after where gdb can connect; may be NULL */
    const char *name;                   /* -name, for query-name; NULL: none. Not copied. */
    const char *replayed; /* the recording that was opened: query-replay says mode "play"; NULL: it
                           * is a live run, mode "record". Not copied. */
    struct server_line line[SERVER_LINES];
    unsigned lines; /* a channel without a line gets nothing, and what it sends is dropped */
    const struct network_config *network; /* of CHANNEL_NET0 onwards */
    unsigned networks;
    bool paused;      /* -S: do not run before a debugger says so */
    bool rests;       /* never runs but when a debugger says so */
    bool plays;       /* with rests: but first, unless paused, from the past to the tip; without a
                       * debugger's port or a control socket server_run then returns, with what the
                       * guest says when it has ended there, else 0 */
    bool no_shutdown; /* a machine that halts is kept, also without a debugger */
    bool has_stop_at;
    uint64_t stop_at;                  /* live runs stop at this position */
    const struct crash_options *crash; /* what ends live runs, copied; NULL: nothing */
};

/* Opens what the options name; NULL on error. SIGPIPE is ignored from here on. */
struct server *server_new(const struct server_options *options, struct error *err);
/* The host's clock, for a host: ns since 1970. `ctx` is not used. */
uint64_t server_clock(void *ctx);
/* For timeline_options.host: the host's clock, and the lines as output. Good as long as the
 * server. */
struct host server_host(struct server *server);
/* The timeline stays the caller's and outlives the server. Says on stderr where gdb can connect. */
bool server_attach(struct server *server, struct timeline *timeline,
                   const struct interpreter *interpreter, struct error *err);

/* Serve until the end; returns the program's exit status. After server_attach.
 *   without a debugger: when the machine halts, with what the guest says: power-off and refused
 *     reset 0, HALT_EXIT its code (folded into 8 bits, never to 0 unless it is 0); at stop_at 0
 *     when there is neither a gdb port nor a control socket
 *   when a crash trigger fires and there is neither, or the machine has halted: SERVER_CRASHED,
 *     unless the guest says a code that is not 0
 *   SIGINT, SIGTERM, C-a x in a console, a control client's quit, the end of a gdb on stdio: 0
 * Without a debugger the machine does not run before the peers are there that lines wait for. */
int server_run(struct server *server);
/* One turn of the loop without waiting, for tests and for who has a loop of his own. False: over,
 * and *status is the exit status. */
bool server_turn(struct server *server, int *status);
/* Make server_run return. */
void server_quit(struct server *server, int status);

/* Where clients of control socket `index` connect, with the port that was chosen; NULL: they do
 * not. */
const struct address *server_control_address(const struct server *server, unsigned index);
/* Where gdb can connect, with the port that was chosen; NULL: nowhere. */
const struct address *server_gdb_address(const struct server *server);
/* Of the network of CHANNEL_NET0 + index; false: there are not so many. */
bool server_network_counters(const struct server *server, unsigned index,
                             struct network_counters *counters);
void server_free(struct server *server);

#endif
