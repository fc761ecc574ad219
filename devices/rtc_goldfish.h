/* The Goldfish real-time clock: nanoseconds since 1970. Android emulator, docs/GOLDFISH-VIRTUAL-
 * HARDWARE.TXT, section VI.
 *
 * The time is the host's, asked for through the machine's door at most once a second of virtual
 * time, plus an offset the guest may set. It never goes back by itself.
 * An alarm is due when as much *virtual* time has passed as there was between the clock and the
 * alarm at the moment it was set: host time passes differently in every replay. Setting the clock
 * does not move an alarm that is set.
 *
 * A fixed clock asks nobody: it had its base at virtual time 0 and goes by virtual time alone. */
#ifndef DEVICES_RTC_GOLDFISH_H
#define DEVICES_RTC_GOLDFISH_H

#include "machine/irq.h"
#include "machine/machine.h"

enum { RTC_GOLDFISH_ASK_NS = 1000000000 };

struct rtc_goldfish_state {
    uint64_t offset;    /* ns: the guest's clock - the host's */
    uint64_t alarm;     /* ns since 1970 */
    uint64_t host;      /* ns since 1970: the host's clock when it was asked last */
    uint64_t asked_at;  /* vtime of that */
    uint32_t time_high; /* latched by a read of TIME_LOW */
    uint8_t running;    /* an alarm is set and not yet due */
    uint8_t pending;    /* an alarm has come */
    uint8_t irq_enabled;
    uint8_t asked; /* host and asked_at are valid */
};

extern const struct fields rtc_goldfish_fields;

struct rtc_goldfish {
    struct rtc_goldfish_state state;
    struct machine *machine;
    struct irq irq;
    unsigned timer;
    bool fixed;
    uint64_t base; /* ns since 1970, of a fixed clock */
};

void rtc_goldfish_init(struct rtc_goldfish *r, struct machine *m, uint64_t base, uint64_t size,
                       struct irq irq);
/* Before the machine runs: never ask the host. */
void rtc_goldfish_fix(struct rtc_goldfish *r, uint64_t base);

#endif
