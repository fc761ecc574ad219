#include "server/lines.h"

#include "base/check.h"

static struct serial *line_of(const struct lines *l, unsigned channel)
{
    if (channel == CHANNEL_SEMIHOST)
        channel = CHANNEL_SERIAL0;
    for (unsigned i = 0; i < l->count; i++) {
        if (serial_channel(l->line[i]) == channel)
            return l->line[i];
    }
    return NULL;
}

const struct serial *lines_stdio(const struct lines *l)
{
    for (unsigned i = 0; i < l->count; i++) {
        if (serial_uses_stdio(l->line[i]))
            return l->line[i];
    }
    return NULL;
}

static bool open_line(struct lines *l, uv_loop_t *loop, const struct server_line *wanted,
                      struct error *err)
{
    const char *name = serial_name(wanted->channel);
    const struct serial *other = lines_stdio(l);
    if (line_of(l, wanted->channel))
        return error_set(err, ERROR_USAGE, "%s is given two places", name);
    struct serial *made = serial_new(loop, wanted->channel, wanted->where, err);
    if (!made)
        return false;
    l->line[l->count++] = made;
    if (other && serial_uses_stdio(made))
        return error_set(err, ERROR_USAGE, "%s and %s cannot both be on stdio",
                         serial_name(serial_channel(other)), name);
    return true;
}

bool lines_open(struct lines *l, uv_loop_t *loop, const struct server_options *options,
                struct error *err)
{
    check(options->lines <= SERVER_LINES, "%u lines", options->lines);
    for (unsigned i = 0; i < options->lines; i++) {
        if (!open_line(l, loop, &options->line[i], err))
            return false;
    }
    return true;
}

void lines_start(struct lines *l, const struct serial_options *options)
{
    for (unsigned i = 0; i < l->count; i++)
        serial_start(l->line[i], options);
}

bool lines_await_peer(const struct lines *l)
{
    for (unsigned i = 0; i < l->count; i++) {
        if (serial_awaits_peer(l->line[i]))
            return true;
    }
    return false;
}

bool lines_offer(struct lines *l)
{
    bool some = false;
    for (unsigned i = 0; i < l->count; i++)
        some |= serial_offer(l->line[i]);
    return some;
}

void lines_flush(struct lines *l)
{
    for (unsigned i = 0; i < l->count; i++)
        serial_flush(l->line[i]);
}

bool lines_behind(const struct lines *l)
{
    for (unsigned i = 0; i < l->count; i++) {
        if (serial_behind(l->line[i]))
            return true;
    }
    return false;
}

void lines_turn(struct lines *l)
{
    for (unsigned i = 0; i < l->count; i++)
        serial_turn(l->line[i]);
}

void lines_stop(struct lines *l)
{
    for (unsigned i = 0; i < l->count; i++)
        serial_stop(l->line[i]);
}

void lines_close(struct lines *l)
{
    for (unsigned i = 0; i < l->count; i++)
        serial_close(l->line[i]);
}

void lines_abort(struct lines *l)
{
    for (unsigned i = 0; i < l->count; i++)
        serial_abort(l->line[i]);
}

void lines_free(struct lines *l)
{
    for (unsigned i = 0; i < l->count; i++)
        serial_free(l->line[i]);
}

void lines_output(struct lines *l, unsigned channel, const uint8_t *bytes, size_t size)
{
    struct serial *line = line_of(l, channel);
    if (line)
        serial_output(line, bytes, size);
}
