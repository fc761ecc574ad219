#include "server/address.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BACKLOG = 8 };

static bool set_option(struct address *a, const char *text, const char *option, size_t size,
                       struct error *err)
{
    enum { SERVER, WAIT };
    static const struct {
        const char *text;
        int option;
        bool on;
    } known[] = {{"server", SERVER, true},      {"server=on", SERVER, true},
                 {"server=off", SERVER, false}, {"wait", WAIT, true},
                 {"wait=on", WAIT, true},       {"wait=off", WAIT, false},
                 {"nowait", WAIT, false}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strlen(known[i].text) != size || memcmp(known[i].text, option, size) != 0)
            continue;
        if (known[i].option == SERVER) {
            a->server = known[i].on;
            a->client = !known[i].on;
        } else {
            a->wait = known[i].on ? ADDRESS_WAIT_ON : ADDRESS_WAIT_OFF;
        }
        return true;
    }
    return error_set(err, ERROR_USAGE,
                     "%s: no option `%.*s` (there are server[=on|off], wait[=on|off])", text,
                     (int)size, option);
}

static bool set_options(struct address *a, const char *text, const char *options, struct error *err)
{
    while (*options) {
        options++; /* the comma */
        size_t size = strcspn(options, ",");
        if (!set_option(a, text, options, size, err))
            return false;
        options += size;
    }
    if (a->wait == ADDRESS_WAIT_ON && !a->server)
        return error_set(err, ERROR_USAGE, "%s: wait=on is for a server: add server=on", text);
    return true;
}

static bool set_port(struct address *a, const char *text, const char *digits, size_t size,
                     struct error *err)
{
    unsigned long port = 0;
    if (!size || size > 5 || strspn(digits, "0123456789") < size ||
        (port = strtoul(digits, NULL, 10)) > UINT16_MAX)
        return error_set(err, ERROR_USAGE, "%s: `%.*s` is no port, which is 0 to 65535", text,
                         (int)size, digits);
    a->port = (uint16_t)port;
    return true;
}

/* `rest` is HOST:PORT of `size` bytes. */
static bool set_tcp(struct address *a, const char *text, const char *rest, size_t size,
                    struct error *err)
{
    const char *colon = memrchr(rest, ':', size);
    if (!colon)
        return error_set(err, ERROR_USAGE, "%s: a TCP address is tcp:HOST:PORT", text);
    const char *host = rest;
    size_t host_size = (size_t)(colon - rest);
    if (host_size >= 2 && host[0] == '[' && host[host_size - 1] == ']') {
        host++;
        host_size -= 2;
    }
    if (!host_size) {
        host = "127.0.0.1";
        host_size = strlen(host);
    }
    if (host_size >= sizeof a->host)
        return error_set(err, ERROR_USAGE, "%s: the host's name is too long", text);
    memcpy(a->host, host, host_size);
    a->kind = ADDRESS_TCP;
    return set_port(a, text, colon + 1, size - (size_t)(colon + 1 - rest), err);
}

static bool set_unix(struct address *a, const char *text, const char *path, size_t size,
                     struct error *err)
{
    if (!size)
        return error_set(err, ERROR_USAGE, "%s: a Unix socket is unix:PATH", text);
    if (size >= sizeof a->path)
        return error_set(err, ERROR_USAGE,
                         "%s: the path of a Unix socket has at most %zu bytes, this one %zu", text,
                         sizeof a->path - 1, size);
    memcpy(a->path, path, size);
    a->kind = ADDRESS_UNIX;
    return true;
}

static bool get_option(int fd, int option, int *value)
{
    socklen_t size = sizeof *value;
    return !getsockopt(fd, SOL_SOCKET, option, value, &size);
}

/* The socket itself says what it is. The first three descriptors are the program's own. */
static bool set_inherited(struct address *a, const char *text, const char *digits, size_t size,
                          struct error *err)
{
    int domain, type, listens;
    unsigned long fd = 0;
    if (!size || size > 9 || strspn(digits, "0123456789") < size ||
        (fd = strtoul(digits, NULL, 10)) > INT_MAX || fd <= STDERR_FILENO)
        return error_set(err, ERROR_USAGE, "%s: `%.*s` is no inherited descriptor: 3 or more", text,
                         (int)size, digits);
    a->inherited = true;
    a->fd = (int)fd;
    if (!get_option(a->fd, SO_DOMAIN, &domain) || !get_option(a->fd, SO_TYPE, &type) ||
        !get_option(a->fd, SO_ACCEPTCONN, &listens))
        return error_set(err, ERROR_USAGE, "%s: descriptor %lu is no socket: %s", text, fd,
                         strerror(errno));
    if (type != SOCK_STREAM || (domain != AF_UNIX && domain != AF_INET && domain != AF_INET6))
        return error_set(err, ERROR_UNSUPPORTED, "%s: descriptor %lu is no stream socket", text,
                         fd);
    a->kind = domain == AF_UNIX ? ADDRESS_UNIX : ADDRESS_TCP;
    a->server = listens;
    return true;
}

static bool check_inherited(const struct address *a, const char *text, bool listens,
                            struct error *err)
{
    return !a->inherited || a->server == listens ||
           error_set(err, ERROR_USAGE, "%s: the socket is %s: write server=%s", text,
                     listens ? "listening" : "connected", listens ? "on" : "off");
}

bool address_parse(struct address *a, const char *text, struct error *err)
{
    *a = (struct address){.kind = ADDRESS_STDIO};
    size_t size = strcspn(text, ",");
    bool good;
    if (!strncmp(text, "tcp:", 4))
        good = set_tcp(a, text, text + 4, size - 4, err);
    else if (!strncmp(text, "unix:", 5))
        good = set_unix(a, text, text + 5, size - 5, err);
    else if (!strncmp(text, "fd:", 3))
        good = set_inherited(a, text, text + 3, size - 3, err);
    else if (size == 5 && !strncmp(text, "stdio", 5))
        good = true;
    else
        return error_set(err, ERROR_USAGE, "%s: an address is tcp:HOST:PORT, unix:PATH or stdio",
                         text);
    bool listens = a->server;
    return good && set_options(a, text, text + size, err) && check_inherited(a, text, listens, err);
}

void address_format(const struct address *a, char text[ADDRESS_TEXT])
{
    if (a->inherited)
        snprintf(text, ADDRESS_TEXT, "fd:%d", a->fd);
    else if (a->kind == ADDRESS_STDIO)
        snprintf(text, ADDRESS_TEXT, "stdio");
    else if (a->kind == ADDRESS_UNIX)
        snprintf(text, ADDRESS_TEXT, "%s", a->path);
    else
        snprintf(text, ADDRESS_TEXT, strchr(a->host, ':') ? "tcp:[%s]:%u" : "tcp:%s:%u", a->host,
                 a->port);
}

/* ---- Unix sockets ---- */

static struct sockaddr_un unix_name(const struct address *a)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    memcpy(name.sun_path, a->path, sizeof name.sun_path);
    return name;
}

/* The path is taken. True if it was a dead socket and is gone now. */
static bool clear_path(const struct address *a, struct error *err)
{
    struct stat status;
    if (lstat(a->path, &status) || !S_ISSOCK(status.st_mode))
        return error_set(err, ERROR_IO, "unix:%s: the path exists and is no socket", a->path);
    struct sockaddr_un name = unix_name(a);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int failure = fd < 0 || !connect(fd, (struct sockaddr *)&name, sizeof name) ? 0 : errno;
    if (fd >= 0)
        close(fd);
    if (failure != ECONNREFUSED)
        return error_set(err, ERROR_IO, "unix:%s: another program listens there", a->path);
    if (unlink(a->path))
        return error_set(err, ERROR_IO, "unix:%s: cannot remove the old socket: %s", a->path,
                         strerror(errno));
    return true;
}

/* The mode is set before there is a name, so that at no time anybody else can connect. */
static int listen_unix(const struct address *a, struct error *err)
{
    struct sockaddr_un name = unix_name(a);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool good = fd >= 0 && !fchmod(fd, 0600);
    bool bound = good && !bind(fd, (struct sockaddr *)&name, sizeof name);
    if (good && !bound && errno == EADDRINUSE) {
        if (!clear_path(a, err)) {
            close(fd);
            return -1;
        }
        bound = !bind(fd, (struct sockaddr *)&name, sizeof name);
    }
    if (bound && !listen(fd, BACKLOG))
        return fd;
    error_set(err, ERROR_IO, "unix:%s: cannot listen: %s", a->path, strerror(errno));
    if (bound)
        unlink(a->path);
    if (fd >= 0)
        close(fd);
    return -1;
}

static int connect_unix(const struct address *a, struct error *err)
{
    struct sockaddr_un name = unix_name(a);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && !connect(fd, (struct sockaddr *)&name, sizeof name))
        return fd;
    error_set(err, ERROR_IO, "unix:%s: cannot connect: %s", a->path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

/* ---- TCP ---- */

typedef bool use_fn(int fd, const struct addrinfo *info);

static bool use_listen(int fd, const struct addrinfo *info)
{
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    return !bind(fd, info->ai_addr, info->ai_addrlen) && !listen(fd, BACKLOG);
}

static bool use_connect(int fd, const struct addrinfo *info)
{
    return !connect(fd, info->ai_addr, info->ai_addrlen);
}

/* The first of the host's addresses for which `use` succeeds. */
static int open_tcp(const struct address *a, use_fn *use, const char *verb, struct error *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *all;
    char port[8];
    snprintf(port, sizeof port, "%u", a->port);
    int failure = getaddrinfo(a->host, port, &hints, &all);
    if (failure) {
        error_set(err, ERROR_IO, "tcp:%s:%s: %s", a->host, port, gai_strerror(failure));
        return -1;
    }
    int fd = -1, reason = 0;
    for (struct addrinfo *info = all; info && fd < 0; info = info->ai_next) {
        fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && use(fd, info))
            break;
        reason = errno;
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    freeaddrinfo(all);
    if (fd < 0)
        error_set(err, ERROR_IO, "tcp:%s:%s: cannot %s: %s", a->host, port, verb,
                  reason == EADDRINUSE ? "the port is in use" : strerror(reason));
    return fd;
}

static uint16_t bound_port(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } name = {.in = {.sin_port = 0}};
    socklen_t size = sizeof name;
    getsockname(fd, &name.any, &size);
    return ntohs(name.any.sa_family == AF_INET6 ? name.in6.sin6_port : name.in.sin_port);
}

/* Not for programs that this one starts. */
static int take_inherited(const struct address *a, struct error *err)
{
    if (!fcntl(a->fd, F_SETFD, FD_CLOEXEC))
        return a->fd;
    error_set(err, ERROR_IO, "fd:%d: %s", a->fd, strerror(errno));
    return -1;
}

int address_listen(struct address *a, struct error *err)
{
    if (a->inherited)
        return take_inherited(a, err);
    if (a->kind == ADDRESS_UNIX)
        return listen_unix(a, err);
    int fd = open_tcp(a, use_listen, "listen", err);
    if (fd >= 0)
        a->port = bound_port(fd);
    return fd;
}

int address_connect(const struct address *a, struct error *err)
{
    if (a->inherited)
        return take_inherited(a, err);
    return a->kind == ADDRESS_UNIX ? connect_unix(a, err)
                                   : open_tcp(a, use_connect, "connect", err);
}

/* ---- who can reach it ---- */

static bool is_loopback(const struct sockaddr *name)
{
    union {
        const struct sockaddr *any;
        const struct sockaddr_in *in;
        const struct sockaddr_in6 *in6;
    } is = {.any = name};
    if (name->sa_family == AF_INET)
        return ntohl(is.in->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    return name->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&is.in6->sin6_addr);
}

bool address_is_local(const struct address *a)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *all;
    if (a->kind != ADDRESS_TCP || a->inherited)
        return true;
    if (getaddrinfo(a->host, NULL, &hints, &all))
        return false;
    bool local = true;
    for (const struct addrinfo *info = all; info; info = info->ai_next)
        local = local && is_loopback(info->ai_addr);
    freeaddrinfo(all);
    return local;
}
