/* Any bytes as packed events are refused, or follow the rules and survive packing. */
#include "base/check.h"
#include "machine/clock.h"
#include "replay/log.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool keep(void *ctx, const struct event *event)
{
    struct log *log = ctx;
    check(event->kind >= EVENT_INPUT && event->kind <= EVENT_LAST, "kind %u", event->kind);
    check(event->position <= CLOCK_LAST && event->vtime <= CLOCK_LAST, "it has no end");
    log_append(log, event); /* checks the order */
    return true;
}

struct comparison {
    const struct log *log;
    uint64_t index;
};

static bool compare(void *ctx, const struct event *event)
{
    struct comparison *c = ctx;
    struct event e = log_get(c->log, c->index++);
    check(e.position == event->position && e.vtime == event->vtime && e.kind == event->kind &&
              e.target == event->target && e.size == event->size &&
              memcmp(e.data, event->data, e.size) == 0,
          "an event has changed");
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct error err = ERROR_INIT;
    struct log *log = log_new(NULL);
    uint64_t count = data[0];
    if (log_unpack(data + 1, size - 1, count, keep, log, &err)) {
        check(log_count(log) == count, "not all events");
        struct buffer packed = {0};
        check(log_pack(log, 0, count, SIZE_MAX, &packed) == count, "not all events");
        check(packed.size <= size - 1, "no form is shorter");
        struct comparison c = {log, 0};
        check(log_unpack(packed.data, packed.size, count, compare, &c, &err), "%s", err.message);
        buffer_fini(&packed);
    } else {
        check(err.code == ERROR_FORMAT, "%s", err.message);
    }
    log_free(log);
    return 0;
}
