#include "devices/rtc_goldfish.h"

#include "base/log.h"
#include "devices/words.h"

#include <inttypes.h>

enum {
    TIME_LOW = 0,
    TIME_HIGH = 4,
    ALARM_LOW = 8,
    ALARM_HIGH = 0xc,
    IRQ_ENABLED = 0x10,
    CLEAR_ALARM = 0x14,
    ALARM_STATUS = 0x18,
    CLEAR_INTERRUPT = 0x1c
};

static const struct field rtc_goldfish_field[] = {
    FIELD(struct rtc_goldfish_state, offset),    FIELD(struct rtc_goldfish_state, alarm),
    FIELD(struct rtc_goldfish_state, host),      FIELD(struct rtc_goldfish_state, asked_at),
    FIELD(struct rtc_goldfish_state, time_high), FIELD(struct rtc_goldfish_state, running),
    FIELD(struct rtc_goldfish_state, pending),   FIELD(struct rtc_goldfish_state, irq_enabled),
    FIELD(struct rtc_goldfish_state, asked),
};
const struct fields rtc_goldfish_fields =
    FIELDS("rtc_goldfish", struct rtc_goldfish_state, 1, 1, rtc_goldfish_field);

/* Each answer of the host is an event in the log, so it is asked once a second of virtual time at
 * most: a guest that polls its clock does not fill the log. In between, and should the host's clock
 * go back, time passes as virtual time does. */
static uint64_t host_time(struct rtc_goldfish *r)
{
    struct rtc_goldfish_state *s = &r->state;
    uint64_t vtime = clock_vtime(&r->machine->clock);
    if (r->fixed)
        return r->base + vtime;
    uint64_t expected = s->host + (vtime - s->asked_at);
    if (s->asked && vtime - s->asked_at < RTC_GOLDFISH_ASK_NS)
        return expected;
    uint64_t answer = machine_host_clock(r->machine);
    s->host = s->asked && answer < expected ? expected : answer;
    s->asked_at = vtime;
    s->asked = 1;
    return s->host;
}

static uint64_t time_now(struct rtc_goldfish *r)
{
    return host_time(r) + r->state.offset;
}

static void update_irq(struct rtc_goldfish *r)
{
    irq_set(&r->irq, r->state.pending && r->state.irq_enabled);
}

static void alarm_due(void *ctx, unsigned which)
{
    (void)which;
    struct rtc_goldfish *r = ctx;
    r->state.running = 0;
    r->state.pending = 1;
    update_irq(r);
}

static void stop_alarm(struct rtc_goldfish *r)
{
    r->state.running = 0;
    clock_arm(&r->machine->clock, r->timer, CLOCK_NEVER);
}

static void set_alarm(struct rtc_goldfish *r)
{
    uint64_t now = time_now(r), vtime = clock_vtime(&r->machine->clock);
    stop_alarm(r);
    if (r->state.alarm <= now) {
        alarm_due(r, 0);
        return;
    }
    uint64_t wait = r->state.alarm - now;
    r->state.running = 1;
    clock_arm(&r->machine->clock, r->timer,
              wait < CLOCK_NEVER - vtime ? vtime + wait : CLOCK_NEVER);
}

static void set_time_word(struct rtc_goldfish *r, uint64_t offset, uint64_t value)
{
    uint64_t now = time_now(r);
    r->state.offset += word_with(now, offset, 4, value) - now;
}

/* False: looking at TIME_LOW would ask the host. */
static bool rtc_goldfish_peek(const void *ctx, uint64_t offset, unsigned size, uint64_t *value)
{
    const struct rtc_goldfish *r = ctx;
    const struct rtc_goldfish_state *s = &r->state;
    uint64_t word = 0;
    switch (offset & ~UINT64_C(3)) {
    case TIME_LOW:
        if (!r->fixed)
            return false;
        word = (uint32_t)(r->base + clock_vtime(&r->machine->clock) + s->offset);
        break;
    case TIME_HIGH:
        word = s->time_high;
        break;
    case ALARM_LOW:
        word = (uint32_t)s->alarm;
        break;
    case ALARM_HIGH:
        word = s->alarm >> 32;
        break;
    case IRQ_ENABLED:
        word = s->irq_enabled;
        break;
    case ALARM_STATUS:
        word = s->running;
        break;
    }
    *value = word_part(word, offset & 3, size);
    return true;
}

static bool rtc_goldfish_read(void *ctx, uint64_t offset, unsigned size, uint64_t *value)
{
    struct rtc_goldfish *r = ctx;
    if (size != 4)
        return false;
    if (offset == TIME_LOW) {
        uint64_t now = time_now(r);
        r->state.time_high = (uint32_t)(now >> 32);
        *value = (uint32_t)now;
        return true;
    }
    if (offset > CLEAR_INTERRUPT)
        log_line(LOG_GUEST, "rtc: read of unknown register %#" PRIx64, offset);
    return rtc_goldfish_peek(r, offset, size, value);
}

static bool rtc_goldfish_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    struct rtc_goldfish *r = ctx;
    struct rtc_goldfish_state *s = &r->state;
    if (size != 4)
        return false;
    switch (offset) {
    case TIME_LOW:
    case TIME_HIGH:
        set_time_word(r, offset, value);
        break;
    case ALARM_LOW:
        s->alarm = word_with(s->alarm, offset & 7, 4, value);
        set_alarm(r);
        break;
    case ALARM_HIGH:
        s->alarm = word_with(s->alarm, offset & 7, 4, value);
        break;
    case IRQ_ENABLED:
        s->irq_enabled = value & 1;
        update_irq(r);
        break;
    case CLEAR_ALARM:
        stop_alarm(r);
        break;
    case CLEAR_INTERRUPT:
        s->pending = 0;
        update_irq(r);
        break;
    default:
        log_line(LOG_GUEST, "rtc: write of %#" PRIx64 " to read-only or unknown register %#" PRIx64,
                 value, offset);
    }
    return true;
}

static const struct bus_ops rtc_goldfish_ops = {rtc_goldfish_read, rtc_goldfish_write,
                                                rtc_goldfish_peek};

static void rtc_goldfish_reset(void *ctx)
{
    struct rtc_goldfish *r = ctx;
    r->state = (struct rtc_goldfish_state){0};
    stop_alarm(r);
    irq_set(&r->irq, false);
}

void rtc_goldfish_init(struct rtc_goldfish *r, struct machine *m, uint64_t base, uint64_t size,
                       struct irq irq)
{
    *r = (struct rtc_goldfish){.machine = m, .irq = irq};
    r->timer = clock_timer_add(&m->clock, alarm_due, r, 0);
    bus_add(&m->bus, (struct bus_region){"rtc", base, size, &rtc_goldfish_ops, r, NULL});
    machine_add_device(m, (struct device){.name = "rtc",
                                          .fields = &rtc_goldfish_fields,
                                          .state = &r->state,
                                          .ctx = r,
                                          .reset = rtc_goldfish_reset});
}

void rtc_goldfish_fix(struct rtc_goldfish *r, uint64_t base)
{
    r->fixed = true;
    r->base = base;
}
