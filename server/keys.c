#include "server/keys.h"

#include <string.h>

enum { CTRL_C = 0x03 };

void keys_start(struct keys *k, const struct keys_ops *ops, void *ctx, struct console *console)
{
    k->ops = ops;
    k->ctx = ctx;
    k->console = console;
}

void keys_fini(struct keys *k)
{
    console_free(k->console);
    buffer_fini(&k->typed);
}

static void write_line(struct keys *k, const char *line)
{
    struct buffer text = {0};
    buffer_printf(&text, "\r\n%s", line);
    k->ops->write(k->ctx, &text);
    buffer_fini(&text);
    if (k->at_prompt)
        console_show(k->console);
}

static void quit(struct keys *k)
{
    k->over = true;
    k->ops->quit(k->ctx);
}

static void take_key(struct keys *k, uint8_t byte, struct buffer *guest)
{
    struct buffer key = {0};
    switch (terminal_key(&k->terminal, byte, k->at_prompt ? &key : guest)) {
    case TERMINAL_BYTE:
        if (k->at_prompt)
            console_key(k->console, key.data[0]);
        break;
    case TERMINAL_PREFIX:
        break;
    case TERMINAL_QUIT:
        quit(k);
        break;
    case TERMINAL_MONITOR:
        k->at_prompt = !k->at_prompt;
        write_line(k, "");
        break;
    case TERMINAL_HELP:
        write_line(k, "C-a h  this help\r\n"
                      "C-a x  quit\r\n"
                      "C-a a  send C-a\r\n"
                      "C-a c  to the prompt for commands, and back\r\n");
        break;
    }
    buffer_fini(&key);
}

static bool has_to_wait(const struct keys *k, size_t guest, size_t most)
{
    return k->over || (k->at_prompt ? console_busy(k->console) : guest >= most);
}

bool keys_take(struct keys *k, struct buffer *guest, size_t most)
{
    size_t taken = 0;
    while (taken < k->typed.size && !has_to_wait(k, guest->size, most))
        take_key(k, k->typed.data[taken++], guest);
    buffer_consume(&k->typed, taken);
    return taken;
}

void keys_look_ahead(struct keys *k)
{
    if (k->over || !k->typed.size)
        return;
    if (k->terminal.raw && terminal_quits(&k->terminal, k->typed.data, k->typed.size)) {
        quit(k);
    } else if (k->at_prompt && console_busy(k->console)) {
        const uint8_t *last = memrchr(k->typed.data, CTRL_C, k->typed.size);
        if (!last)
            return;
        buffer_consume(&k->typed, (size_t)(last - k->typed.data) + 1);
        console_interrupt(k->console);
    }
}
