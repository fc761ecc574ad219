#include "server/pty.h"

#include "base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum { READ_SIZE = 4096, LOOK_MS = 100 };

static int look_at(const struct pty *p)
{
    struct pollfd state = {.fd = p->fd, .events = POLLIN};
    return poll(&state, 1, 0) > 0 ? state.revents : 0;
}

bool pty_has_peer(const struct pty *p)
{
    return !(look_at(p) & POLLHUP);
}

/* What a peer wrote before it closed is still there to be read, and the hangup comes after it. */
static bool read_some(struct pty *p)
{
    uint8_t bytes[READ_SIZE];
    ssize_t count = read(p->fd, bytes, sizeof bytes);
    if (count > 0)
        p->received(p->ctx, bytes, (size_t)count);
    return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR));
}

static void on_readable(uv_poll_t *readable, int status, int events);

static void on_look(uv_timer_t *timer)
{
    struct pty *p = timer->data;
    int state = look_at(p);
    if (state & POLLHUP && !(state & POLLIN))
        return;
    uv_timer_stop(&p->look);
    uv_poll_start(&p->readable, UV_READABLE, on_readable);
}

static void on_readable(uv_poll_t *readable, int status, int events)
{
    struct pty *p = readable->data;
    (void)events;
    if (!status && read_some(p))
        return;
    uv_poll_stop(&p->readable);
    uv_timer_start(&p->look, on_look, LOOK_MS, LOOK_MS);
}

void pty_read(struct pty *p, bool on)
{
    if (p->wanted == on)
        return;
    p->wanted = on;
    uv_timer_stop(&p->look);
    if (on)
        uv_poll_start(&p->readable, UV_READABLE, on_readable);
    else
        uv_poll_stop(&p->readable);
}

void pty_start(struct pty *p, void (*received)(void *ctx, const uint8_t *bytes, size_t size),
               void *ctx)
{
    p->received = received;
    p->ctx = ctx;
    pty_read(p, true);
}

/* Only from a slave side that has been open once is a hangup reported. */
static bool make_raw(const char *name)
{
    struct termios raw;
    int fd = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    bool good = fd >= 0 && !tcgetattr(fd, &raw);
    if (good) {
        cfmakeraw(&raw);
        good = !tcsetattr(fd, TCSANOW, &raw);
    }
    if (fd >= 0)
        close(fd);
    return good;
}

bool pty_open(struct pty *p, uv_loop_t *loop, struct error *err)
{
    *p = (struct pty){.fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};
    if (p->fd < 0 || grantpt(p->fd) || unlockpt(p->fd) ||
        ptsname_r(p->fd, p->name, sizeof p->name) || !make_raw(p->name)) {
        error_set(err, ERROR_IO, "pty: cannot make a pseudo terminal: %s", strerror(errno));
        if (p->fd >= 0)
            close(p->fd);
        return false;
    }
    int failure = uv_poll_init(loop, &p->readable, p->fd); /* makes it non-blocking */
    check(!failure, "%s: %s", p->name, uv_strerror(failure));
    uv_timer_init(loop, &p->look);
    p->readable.data = p->look.data = p;
    return true;
}

void pty_close(struct pty *p)
{
    uv_close((uv_handle_t *)&p->readable, NULL);
    uv_close((uv_handle_t *)&p->look, NULL);
    close(p->fd);
    p->fd = -1;
}
