#include "server/slirp_stack.h"

#include "base/check.h"
#include "base/log.h"
#include "server/ip_reassembly.h"
#include "server/poll_set.h"

#include <errno.h>
#include <slirp/libslirp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#if !SLIRP_CHECK_VERSION(4, 7, 0)
#error "libslirp 4.7 or newer is needed"
#endif

#define NS_PER_MS INT64_C(1000000)

/* One of libslirp's own. */
struct timer {
    struct timer *next;
    SlirpTimerId id;
    void *ctx;
    bool armed;
    int64_t deadline_ms;
};

struct slirp_stack {
    struct network_config config;
    struct slirp_stack_host host;
    uint16_t port[NETWORK_HOSTFWDS]; /* of each rule */
    Slirp *slirp;
    int64_t ahead_ns; /* of the host's clock: only at the end */
    struct timer *timers;
    struct ip_reassembly *fragments;
    struct poll_set set;
};

/* ---- what libslirp asks of us ---- */

static ssize_t slirp_send_packet(const void *bytes, size_t size, void *ctx)
{
    struct slirp_stack *s = ctx;
    s->host.send(s->host.ctx, bytes, size);
    return (ssize_t)size;
}

static void slirp_guest_error(const char *message, void *ctx)
{
    (void)ctx;
    log_line(LOG_GUEST, "network: %s", message);
}

static int64_t slirp_clock_get_ns(void *ctx)
{
    const struct slirp_stack *s = ctx;
    return s->host.clock_ns(s->host.ctx) + s->ahead_ns;
}

static void *slirp_timer_new(SlirpTimerId id, void *timer_ctx, void *ctx)
{
    struct slirp_stack *s = ctx;
    struct timer *timer = mem_new(1, sizeof *timer);
    *timer = (struct timer){.next = s->timers, .id = id, .ctx = timer_ctx};
    s->timers = timer;
    return timer;
}

static void slirp_timer_free(void *timer, void *ctx)
{
    struct slirp_stack *s = ctx;
    struct timer **link = &s->timers;
    while (*link && *link != timer)
        link = &(*link)->next;
    check(*link, "libslirp frees a timer that is not there");
    *link = (*link)->next;
    free(timer);
}

static void slirp_timer_mod(void *timer, int64_t deadline_ms, void *ctx)
{
    struct timer *t = timer;
    (void)ctx;
    t->armed = true;
    t->deadline_ms = deadline_ms;
}

/* The set learns of descriptors when libslirp wants something of them. */
static void slirp_register_fd(int fd, void *ctx)
{
    (void)fd;
    (void)ctx;
}

static void slirp_unregister_fd(int fd, void *ctx)
{
    struct slirp_stack *s = ctx;
    poll_set_forget(&s->set, fd);
}

/* Nothing to do: every turn of the loop asks libslirp anew before it waits. */
static void slirp_notify(void *ctx)
{
    (void)ctx;
}

static void slirp_init_completed(Slirp *slirp, void *ctx)
{
    (void)slirp;
    (void)ctx;
}

static const SlirpCb callbacks = {.send_packet = slirp_send_packet,
                                  .guest_error = slirp_guest_error,
                                  .clock_get_ns = slirp_clock_get_ns,
                                  .timer_free = slirp_timer_free,
                                  .timer_mod = slirp_timer_mod,
                                  .register_poll_fd = slirp_register_fd,
                                  .unregister_poll_fd = slirp_unregister_fd,
                                  .notify = slirp_notify,
                                  .init_completed = slirp_init_completed,
                                  .timer_new_opaque = slirp_timer_new};

/* ---- turns ---- */

static const struct {
    int slirp;
    uint32_t epoll;
} event_names[] = {{SLIRP_POLL_IN, EPOLLIN},
                   {SLIRP_POLL_OUT, EPOLLOUT},
                   {SLIRP_POLL_PRI, EPOLLPRI},
                   {SLIRP_POLL_ERR, EPOLLERR},
                   {SLIRP_POLL_HUP, EPOLLHUP}};

enum { EVENT_NAMES = sizeof event_names / sizeof *event_names };

/* The index that libslirp gives back is the descriptor itself. */
static int add_poll(int fd, int events, void *ctx)
{
    struct slirp_stack *s = ctx;
    uint32_t wanted = 0;
    for (size_t i = 0; i < EVENT_NAMES; i++)
        if (events & event_names[i].slirp)
            wanted |= event_names[i].epoll;
    poll_set_want(&s->set, fd, wanted);
    return fd;
}

static int get_events(int fd, void *ctx)
{
    const struct slirp_stack *s = ctx;
    uint32_t ready = poll_set_events(&s->set, fd);
    int events = 0;
    for (size_t i = 0; ready && i < EVENT_NAMES; i++)
        if (ready & event_names[i].epoll)
            events |= event_names[i].slirp;
    return events;
}

static uint64_t timers_wait_ms(const struct slirp_stack *s)
{
    uint64_t wait = UINT64_MAX;
    int64_t now = s->host.clock_ns(s->host.ctx) / NS_PER_MS;
    for (const struct timer *t = s->timers; t; t = t->next) {
        uint64_t left = t->deadline_ms > now ? (uint64_t)(t->deadline_ms - now) : 0;
        if (t->armed && left < wait)
            wait = left;
    }
    return wait;
}

/* Again from the start after each: its handler may free or make timers, and arms its own later. */
static void run_timers(struct slirp_stack *s)
{
    int64_t now = s->host.clock_ns(s->host.ctx) / NS_PER_MS;
    struct timer *t = s->timers;
    while (t) {
        if (!t->armed || t->deadline_ms > now) {
            t = t->next;
            continue;
        }
        t->armed = false;
        slirp_handle_timer(s->slirp, t->id, t->ctx);
        t = s->timers;
    }
}

int slirp_stack_fd(const struct slirp_stack *s)
{
    return s->set.fd;
}

uint64_t slirp_stack_prepare(struct slirp_stack *s)
{
    uint32_t wait = UINT32_MAX;
    poll_set_begin(&s->set);
    slirp_pollfds_fill(s->slirp, &wait, add_poll, s);
    poll_set_commit(&s->set);
    uint64_t timers = timers_wait_ms(s);
    return wait == UINT32_MAX || timers < wait ? timers : wait;
}

void slirp_stack_advance(struct slirp_stack *s, bool readable)
{
    if (readable)
        poll_set_take(&s->set);
    slirp_pollfds_poll(s->slirp, 0, get_events, s);
    poll_set_clear(&s->set);
    run_timers(s);
}

/* libslirp 4.7's own reassembly of IPv4 datagrams writes where it should not when fragments are
 * made to hurt it: it never sees any. */
bool slirp_stack_input(struct slirp_stack *s, const uint8_t *frame, size_t size)
{
    if (!ip_is_fragment(frame, size)) {
        slirp_input(s->slirp, frame, (int)size);
        return true;
    }
    const struct buffer *whole;
    if (!ip_reassembly_add(s->fragments, frame, size, s->host.clock_ns(s->host.ctx), &whole))
        return false;
    if (whole)
        slirp_input(s->slirp, whole->data, (int)whole->size);
    return true;
}

uint16_t slirp_stack_port(const struct slirp_stack *s, unsigned rule)
{
    check(rule < s->config.hostfwds, "hostfwd rule %u of %u", rule, s->config.hostfwds);
    return s->port[rule];
}

/* ---- making ---- */

static struct in6_addr site_local(uint8_t host)
{
    return (struct in6_addr){.s6_addr = {[0] = 0xfe, [1] = 0xc0, [15] = host}};
}

static Slirp *make_slirp(struct slirp_stack *s)
{
    const struct network_config *c = &s->config;
    const SlirpConfig config = {
        .version = 4, /* SLIRP_CONFIG_VERSION_MAX of 4.7: all that the fields below need */
        .restricted = c->restrict_,
        .in_enabled = !c->ipv4_off,
        .vnetwork = c->net,
        .vnetmask = c->mask,
        .vhost = c->host,
        .vnameserver = c->dns,
        .vdhcp_start = c->dhcpstart,
        .in6_enabled = !c->ipv6_off,
        .vprefix_addr6 = site_local(0),
        .vprefix_len = 64,
        .vhost6 = site_local(2),
        .vnameserver6 = site_local(3),
        .vhostname = *c->hostname ? c->hostname : NULL,
        .vdomainname = *c->domainname ? c->domainname : NULL,
    };
    return slirp_new(&config, &callbacks, s);
}

/* The descriptors that libslirp has, while it is being made: only those of rules. */
struct listening {
    int fd[NETWORK_HOSTFWDS];
    unsigned count;
    int newest; /* the one that was not in `fd` */
};

static int add_listening(int fd, int events, void *ctx)
{
    struct listening *l = ctx;
    (void)events;
    for (unsigned i = 0; i < l->count; i++)
        if (l->fd[i] == fd)
            return fd;
    l->newest = fd;
    return fd;
}

/* libslirp does not say which port it was given: its socket does. */
static uint16_t find_port(struct slirp_stack *s, struct listening *l)
{
    struct sockaddr_in name = {0};
    socklen_t size = sizeof name;
    uint32_t wait = UINT32_MAX;
    l->newest = -1;
    slirp_pollfds_fill(s->slirp, &wait, add_listening, l);
    check(l->newest >= 0, "a rule without a socket");
    l->fd[l->count++] = l->newest;
    getsockname(l->newest, (struct sockaddr *)&name, &size);
    return ntohs(name.sin_port);
}

static bool open_rules(struct slirp_stack *s, struct error *err)
{
    struct listening listening = {.count = 0};
    for (unsigned i = 0; i < s->config.hostfwds; i++) {
        const struct network_hostfwd *rule = &s->config.hostfwd[i];
        if (slirp_add_hostfwd(s->slirp, rule->udp, rule->host, rule->host_port, rule->guest,
                              rule->guest_port))
            return error_set(err, ERROR_IO, "hostfwd %s: cannot listen: %s", rule->text,
                             strerror(errno));
        s->port[i] = find_port(s, &listening);
    }
    return true;
}

static void drop_packet(void *ctx, const uint8_t *packet, size_t size)
{
    (void)ctx;
    (void)packet;
    (void)size;
}

/* slirp_cleanup does not free packets that wait for the guest's answer to ARP. libslirp asks in one
 * turn and gives up in one that is more than a second later, a packet of each connection at a time:
 * these turns are enough for what piles up as a rule. */
static void end_slirp(struct slirp_stack *s)
{
    enum { TURNS = 16 };
    s->host.send = drop_packet;
    for (int turn = 0; turn < TURNS; turn++) {
        s->ahead_ns += 2000 * NS_PER_MS;
        slirp_pollfds_poll(s->slirp, 0, get_events, s);
    }
    slirp_cleanup(s->slirp);
}

void slirp_stack_free(struct slirp_stack *s)
{
    if (!s)
        return;
    if (s->slirp)
        end_slirp(s);
    ip_reassembly_free(s->fragments);
    poll_set_fini(&s->set);
    free(s);
}

struct slirp_stack *slirp_stack_new(const struct network_config *config,
                                    const struct slirp_stack_host *host, struct error *err)
{
    struct slirp_stack *s = mem_new(1, sizeof *s);
    s->config = *config;
    s->host = *host;
    s->fragments = ip_reassembly_new();
    bool good = poll_set_init(&s->set, err);
    if (good && !(s->slirp = make_slirp(s)))
        good = error_set(err, ERROR_UNSUPPORTED, "libslirp %s refuses the network",
                         slirp_version_string());
    if (good && open_rules(s, err))
        return s;
    slirp_stack_free(s);
    return NULL;
}
