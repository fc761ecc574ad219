/* Where a byte stream comes from: the spelling on the command line, and sockets made of it. */
#ifndef SERVER_ADDRESS_H
#define SERVER_ADDRESS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

enum address_kind { ADDRESS_TCP, ADDRESS_UNIX, ADDRESS_STDIO };

enum address_wait { ADDRESS_WAIT_DEFAULT, ADDRESS_WAIT_ON, ADDRESS_WAIT_OFF };

struct address {
    enum address_kind kind;
    bool server;                                            /* `,server[=on]` was given */
    bool client;                                            /* `,server=off` was given */
    enum address_wait wait;                                 /* ON: only with `server` */
    char host[256];                                         /* TCP; never empty */
    uint16_t port;                                          /* TCP; 0: any free one */
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* UNIX */
    /* fd:N: a socket that the program was started with. `kind` is its, with neither host nor path,
     * and `server` says whether it listens. */
    bool inherited;
    int fd;
};

/* tcp:HOST:PORT, unix:PATH, fd:N or stdio. An empty host is 127.0.0.1, an IPv6 one stands in
 * brackets. QEMU's options may follow: ,server[=on|off] and ,wait[=on|off]. */
bool address_parse(struct address *address, const char *text, struct error *err);

/* How gdb's `target remote` takes it. */
enum { ADDRESS_TEXT = 300 };
void address_format(const struct address *address, char text[ADDRESS_TEXT]);

/* A listening socket, or -1; an inherited one as it is, the caller's from now on. A Unix socket is
 * made with mode 0600; a path is taken over only from a socket that nobody listens on any more.
 * With port 0 address->port becomes the one chosen. */
int address_listen(struct address *address, struct error *err);
/* Can only this host reach it? Addresses that are not tcp:HOST are its own. */
bool address_is_local(const struct address *address);
/* A connected socket, or -1. Blocks while it connects: for the start of the program. */
int address_connect(const struct address *address, struct error *err);

#endif
