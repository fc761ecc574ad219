/* Descriptors that somebody else opens and closes, watched together through one of our own: an
 * epoll instance, readable when any of them is ready. What is wanted is said anew each round; only
 * what differs from the last round costs a system call. */
#ifndef SERVER_POLL_SET_H
#define SERVER_POLL_SET_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

enum { POLL_SET_READY = 64 };

struct poll_set {
    int fd; /* the epoll instance */
    struct poll_watch *watch;
    size_t watches; /* indexed by descriptor */
    int *member;    /* descriptors wanted in this round or the last */
    size_t members, capacity;
    uint64_t round;
    struct epoll_event ready[POLL_SET_READY];
    size_t ready_count;
};

bool poll_set_init(struct poll_set *set, struct error *err);
void poll_set_fini(struct poll_set *set);

/* A round: begin, want each descriptor once with its EPOLL* events, commit. Errors and hangups are
 * always reported. */
void poll_set_begin(struct poll_set *set);
void poll_set_want(struct poll_set *set, int fd, uint32_t events);
void poll_set_commit(struct poll_set *set);
/* Its owner is about to close `fd`, whose number may come back as another one. Negative: nothing.
 * errno is kept. */
void poll_set_forget(struct poll_set *set, int fd);

/* Ask, without waiting, which are ready, until poll_set_clear. What is beyond POLL_SET_READY is
 * there the next time. */
void poll_set_take(struct poll_set *set);
/* The events of a descriptor; 0: none. */
uint32_t poll_set_events(const struct poll_set *set, int fd);
void poll_set_clear(struct poll_set *set);

#endif
