/* Descriptors of somebody else's in one of our own. */
#include "server/poll_set.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <unistd.h>

static struct poll_set set;

static void begin(void)
{
    struct error err = ERROR_INIT;
    cr_assert(poll_set_init(&set, &err), "%s", err.message);
}

/* One round that wants to read from `fd`; a negative one: nothing. */
static void want_only(int fd)
{
    poll_set_begin(&set);
    if (fd >= 0)
        poll_set_want(&set, fd, EPOLLIN);
    poll_set_commit(&set);
}

static bool is_readable(void)
{
    struct pollfd readable = {.fd = set.fd, .events = POLLIN};
    return poll(&readable, 1, 0) == 1;
}

static void make_pipe(int fd[2])
{
    cr_assert_eq(pipe(fd), 0);
}

static void fill(int fd)
{
    cr_assert_eq(write(fd, "x", 1), 1);
}

Test(poll_set, reports_what_is_wanted)
{
    int fd[2];
    begin();
    make_pipe(fd);
    fill(fd[1]);
    cr_expect(!is_readable(), "nobody asked");
    want_only(fd[0]);
    cr_expect(is_readable());
    cr_expect_eq(poll_set_events(&set, fd[0]), 0, "not taken");
    poll_set_take(&set);
    cr_expect_eq(poll_set_events(&set, fd[0]), EPOLLIN);
    cr_expect_eq(poll_set_events(&set, fd[1]), 0);
    cr_expect_eq(poll_set_events(&set, -1), 0);
    cr_expect_eq(poll_set_events(&set, 1000000), 0);
    poll_set_clear(&set);
    cr_expect_eq(poll_set_events(&set, fd[0]), 0);
    want_only(-1);
    cr_expect(!is_readable(), "not wanted any more");
    want_only(fd[0]);
    cr_expect(is_readable(), "and again");
    poll_set_fini(&set);
}

Test(poll_set, wanted_events_change)
{
    int fd[2];
    begin();
    make_pipe(fd);
    poll_set_begin(&set);
    poll_set_want(&set, fd[1], EPOLLPRI);
    poll_set_commit(&set);
    cr_expect(!is_readable());
    poll_set_begin(&set);
    poll_set_want(&set, fd[1], EPOLLOUT);
    poll_set_commit(&set);
    poll_set_take(&set);
    cr_expect_eq(poll_set_events(&set, fd[1]), EPOLLOUT);
    poll_set_fini(&set);
}

Test(poll_set, a_number_may_come_back_as_another_descriptor)
{
    for (int forget = 0; forget < 2; forget++) {
        int first[2], second[2];
        begin();
        make_pipe(first);
        want_only(first[0]);
        if (forget) {
            poll_set_forget(&set, first[0]);
        } else {
            want_only(-1);
        }
        close(first[0]);
        make_pipe(second);
        cr_assert_eq(second[0], first[0]);
        want_only(second[0]);
        fill(second[1]);
        poll_set_take(&set);
        cr_expect_eq(poll_set_events(&set, second[0]), EPOLLIN);
        poll_set_forget(&set, second[0]);
        cr_expect_eq(poll_set_events(&set, second[0]), 0, "an event of the old one");
        cr_expect(!is_readable());
        poll_set_fini(&set);
        close(first[1]);
        close(second[0]);
        close(second[1]);
    }
}

/* Without a word, and with the other's events: it is found out when they are set. */
Test(poll_set, closed_behind_its_back)
{
    int first[2], second[2];
    begin();
    make_pipe(first);
    want_only(first[0]);
    close(first[0]);
    make_pipe(second);
    cr_assert_eq(second[0], first[0]);
    fill(second[1]);
    poll_set_begin(&set);
    poll_set_want(&set, second[0], EPOLLIN | EPOLLPRI);
    poll_set_commit(&set);
    cr_expect(is_readable());
    want_only(-1);
    cr_expect(!is_readable());
    poll_set_forget(&set, -1);
    poll_set_forget(&set, 1000000);
    poll_set_fini(&set);
}

Test(poll_set, more_than_are_taken_at_once)
{
    enum { COUNT = POLL_SET_READY + 10 };
    int fd[COUNT][2];
    unsigned seen = 0;
    begin();
    poll_set_begin(&set);
    for (int i = 0; i < COUNT; i++) {
        make_pipe(fd[i]);
        fill(fd[i][1]);
        poll_set_want(&set, fd[i][0], EPOLLIN);
    }
    poll_set_commit(&set);
    for (int round = 0; round < 2; round++) {
        char byte;
        poll_set_take(&set);
        for (int i = 0; i < COUNT; i++)
            if (poll_set_events(&set, fd[i][0]))
                seen += read(fd[i][0], &byte, 1) == 1;
        poll_set_clear(&set);
    }
    cr_expect_eq(seen, COUNT);
    cr_expect(!is_readable());
    poll_set_fini(&set);
}
