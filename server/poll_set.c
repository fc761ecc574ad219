#include "server/poll_set.h"

#include "base/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct poll_watch {
    uint64_t round;  /* the last one in which it was wanted */
    uint32_t wanted; /* in that round */
    uint32_t known;  /* to the epoll instance; 0: it is not in there */
    uint32_t ready;
    bool member;
};

bool poll_set_init(struct poll_set *s, struct error *err)
{
    memset(s, 0, sizeof *s);
    s->fd = epoll_create1(EPOLL_CLOEXEC);
    return s->fd >= 0 ||
           error_set(err, ERROR_IO, "cannot make an epoll descriptor: %s", strerror(errno));
}

void poll_set_fini(struct poll_set *s)
{
    if (s->fd >= 0)
        close(s->fd);
    free(s->watch);
    free(s->member);
    memset(s, 0, sizeof *s);
    s->fd = -1;
}

void poll_set_begin(struct poll_set *s)
{
    s->round++;
}

static struct poll_watch *watch_of(struct poll_set *s, int fd)
{
    size_t need = (size_t)fd + 1;
    if (need > s->watches) {
        size_t count = need > 2 * s->watches ? need : 2 * s->watches;
        s->watch = mem_grow(s->watch, count, sizeof *s->watch);
        memset(s->watch + s->watches, 0, (count - s->watches) * sizeof *s->watch);
        s->watches = count;
    }
    return &s->watch[fd];
}

static void add_member(struct poll_set *s, int fd)
{
    if (s->members == s->capacity) {
        s->capacity = s->capacity ? 2 * s->capacity : 16;
        s->member = mem_grow(s->member, s->capacity, sizeof *s->member);
    }
    s->member[s->members++] = fd;
}

void poll_set_want(struct poll_set *s, int fd, uint32_t events)
{
    check(fd >= 0, "descriptor %d", fd);
    struct poll_watch *w = watch_of(s, fd);
    if (!w->member)
        add_member(s, fd);
    w->member = true;
    w->round = s->round;
    w->wanted = events;
}

static void drop(struct poll_set *s, int fd, struct poll_watch *w)
{
    if (w->known)
        epoll_ctl(s->fd, EPOLL_CTL_DEL, fd, NULL);
    w->known = 0;
}

/* A descriptor that was closed behind our back has left the instance by itself. What cannot be
 * added now, for want of the host's memory, is tried again in the next round. */
static void update(struct poll_set *s, int fd, struct poll_watch *w)
{
    struct epoll_event event = {.events = w->wanted, .data.fd = fd};
    int operation = w->known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    int failed = epoll_ctl(s->fd, operation, fd, &event);
    if (failed && errno == ENOENT)
        failed = epoll_ctl(s->fd, EPOLL_CTL_ADD, fd, &event);
    else if (failed && errno == EEXIST)
        failed = epoll_ctl(s->fd, EPOLL_CTL_MOD, fd, &event);
    w->known = failed ? 0 : w->wanted;
}

void poll_set_commit(struct poll_set *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->members; i++) {
        int fd = s->member[i];
        struct poll_watch *w = &s->watch[fd];
        if (w->round != s->round) {
            drop(s, fd, w);
            w->member = false;
            continue;
        }
        if (w->known != w->wanted)
            update(s, fd, w);
        s->member[kept++] = fd;
    }
    s->members = kept;
}

void poll_set_forget(struct poll_set *s, int fd)
{
    int saved = errno;
    if (fd >= 0 && (size_t)fd < s->watches) {
        drop(s, fd, &s->watch[fd]);
        s->watch[fd].ready = 0;
    }
    errno = saved;
}

void poll_set_take(struct poll_set *s)
{
    poll_set_clear(s);
    int count = epoll_wait(s->fd, s->ready, POLL_SET_READY, 0);
    s->ready_count = count > 0 ? (size_t)count : 0;
    for (size_t i = 0; i < s->ready_count; i++)
        s->watch[s->ready[i].data.fd].ready = s->ready[i].events;
}

uint32_t poll_set_events(const struct poll_set *s, int fd)
{
    return fd >= 0 && (size_t)fd < s->watches ? s->watch[fd].ready : 0;
}

void poll_set_clear(struct poll_set *s)
{
    for (size_t i = 0; i < s->ready_count; i++)
        s->watch[s->ready[i].data.fd].ready = 0;
    s->ready_count = 0;
}
