/* A page for the guest to fetch: the least of a web server. */
#include "cli/bench_linux.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PIECE = 1 << 16, REQUEST_MOST = 4096, BACKLOG = 8 };

static bool send_all(int fd, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    while (size) {
        ssize_t sent = send(fd, at, size, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        at += sent;
        size -= (size_t)sent;
    }
    return true;
}

/* Whatever is asked: the request ends with an empty line. */
static bool receive_request(int fd)
{
    char request[REQUEST_MOST + 1];
    size_t used = 0;
    while (used < REQUEST_MOST) {
        ssize_t got = recv(fd, request + used, REQUEST_MOST - used, 0);
        if (got <= 0)
            return false;
        used += (size_t)got;
        request[used] = '\0';
        if (strstr(request, "\r\n\r\n"))
            return true;
    }
    return false;
}

static void answer(int fd, uint64_t bytes)
{
    uint8_t piece[PIECE];
    char header[128];
    int size = snprintf(header, sizeof header,
                        "HTTP/1.0 200 OK\r\nContent-Length: %llu\r\nConnection: close\r\n\r\n",
                        (unsigned long long)bytes);
    bool good = receive_request(fd) && send_all(fd, header, (size_t)size);
    for (size_t i = 0; i < sizeof piece; i++)
        piece[i] = (uint8_t)(i * 167 >> 3);
    for (; good && bytes; bytes -= bytes < PIECE ? bytes : PIECE)
        good = send_all(fd, piece, bytes < PIECE ? (size_t)bytes : PIECE);
}

static void __attribute__((noreturn)) serve(int listener, uint64_t bytes)
{
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0 && errno != EINTR && errno != ECONNABORTED)
            _exit(1);
        if (fd >= 0) {
            answer(fd, bytes);
            close(fd);
        }
    }
}

pid_t bench_page_start(struct bench_host *host, uint64_t bytes, uint16_t *port, struct error *err)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    pid_t pid = -1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, size) < 0 ||
        listen(fd, BACKLOG) < 0 || getsockname(fd, (struct sockaddr *)&address, &size) < 0)
        error_set(err, ERROR_IO, "no port for a page: %s", strerror(errno));
    else
        pid = bench_fork(host, err);
    if (pid == 0)
        serve(fd, bytes);
    *port = ntohs(address.sin_port);
    if (fd >= 0)
        close(fd);
    return pid;
}
