#include "server/console.h"

#include "base/check.h"

#include <stdlib.h>

enum { LINE_MOST = 400 };
enum { CTRL_C = 0x03, CTRL_U = 0x15, BELL = 0x07, BACKSPACE = 0x08, ESCAPE = 0x1b, DELETE = 0x7f };

static const char prompt[] = "(backstep) ";

/* Keys that send several bytes (arrows and the like) mean nothing here. */
enum sequence { SEQUENCE_NONE, SEQUENCE_ESCAPE, SEQUENCE_CSI, SEQUENCE_SS3 };

enum console_state {
    CONSOLE_EDITING,
    CONSOLE_WAITING, /* for movement to be free: `line` is to be run */
    CONSOLE_MOVING   /* the command's own operation is under way */
};

struct console {
    struct console_options options;
    enum console_state state;
    enum sequence sequence;
    struct buffer line; /* typed so far */
    struct buffer out;  /* to be written */
};

struct console *console_new(const struct console_options *options)
{
    struct console *c = mem_new(1, sizeof *c);
    c->options = *options;
    return c;
}

void console_free(struct console *c)
{
    if (!c)
        return;
    buffer_fini(&c->line);
    buffer_fini(&c->out);
    free(c);
}

/* ---- out ---- */

static void write_out(struct console *c)
{
    if (c->out.size)
        c->options.write(c->options.ctx, &c->out);
    buffer_clear(&c->out);
}

/* Ends of lines as a raw terminal wants them. */
static void append_text(struct console *c, const struct buffer *text)
{
    for (size_t i = 0; i < text->size; i++) {
        if (text->data[i] == '\n')
            buffer_append_byte(&c->out, '\r');
        buffer_append_byte(&c->out, text->data[i]);
    }
    if (text->size && text->data[text->size - 1] != '\n')
        buffer_append_string(&c->out, "\r\n");
}

void console_show(struct console *c)
{
    buffer_append_string(&c->out, prompt);
    buffer_append(&c->out, c->line.data, c->line.size);
    write_out(c);
}

static void edit_next(struct console *c)
{
    c->state = CONSOLE_EDITING;
    buffer_clear(&c->line);
    console_show(c);
}

static void refuse(struct console *c, const char *reason)
{
    buffer_append_string(&c->out, reason);
    edit_next(c);
}

/* ---- commands ---- */

static bool is_live(const struct console *c)
{
    return timeline_live(c->options.movement->timeline);
}

static void stopped(void *ctx, const struct stop *stop)
{
    struct console *c = ctx;
    const struct mover mover = {stopped, c, "a command of the console is running"};
    struct buffer text = {0};
    bool over = interpreter_finish(&c->options.interpreter, stop, &text);
    if (over && !is_live(c))
        buffer_append_string(&text,
                             "(in the past the guest stands still; `goto end` lets it run on)\n");
    append_text(c, &text);
    buffer_fini(&text);
    if (!over) {
        movement_goes_on(c->options.movement, &mover);
        write_out(c);
        return;
    }
    edit_next(c);
    c->options.ready(c->options.ctx);
}

/* Movement is free. */
static void run(struct console *c)
{
    const struct interpreter *interpreter = &c->options.interpreter;
    const struct mover mover = {stopped, c, "a command of the console is running"};
    const char *line = buffer_text(&c->line);
    struct buffer text = {0};
    interpreter->run(interpreter->ctx, line, &text);
    append_text(c, &text);
    buffer_fini(&text);
    if (timeline_moving(c->options.movement->timeline)) {
        c->state = CONSOLE_MOVING;
        movement_began(c->options.movement, &mover);
        write_out(c);
    } else {
        edit_next(c);
    }
}

/* Run what was typed, now or when movement is free. */
static void try_to_run(struct console *c)
{
    if (movement_free(c->options.movement)) {
        run(c);
    } else if (movement_yield(c->options.movement)) {
        c->state = CONSOLE_WAITING;
        write_out(c);
    } else {
        struct error err = ERROR_INIT;
        movement_busy(c->options.movement, &err);
        buffer_append_string(&c->out, err.message);
        refuse(c, "\r\n");
    }
}

void console_turn(struct console *c)
{
    if (c->state != CONSOLE_WAITING)
        return;
    try_to_run(c);
    if (c->state == CONSOLE_EDITING)
        c->options.ready(c->options.ctx);
}

bool console_busy(const struct console *c)
{
    return c->state != CONSOLE_EDITING;
}

void console_interrupt(struct console *c)
{
    if (c->state == CONSOLE_MOVING)
        movement_interrupt(c->options.movement);
    else if (c->state == CONSOLE_WAITING)
        refuse(c, "^C\r\n");
}

/* ---- keys ---- */

static bool is_blank(const struct buffer *line)
{
    for (size_t i = 0; i < line->size; i++) {
        if (line->data[i] != ' ')
            return false;
    }
    return true;
}

static void enter(struct console *c)
{
    buffer_append_string(&c->out, "\r\n");
    if (is_blank(&c->line))
        edit_next(c);
    else if (!c->options.interpreter.run)
        refuse(c, "there are no commands\r\n");
    else
        try_to_run(c);
}

/* The last character, of which UTF-8 may have made several bytes. */
static void erase_one(struct console *c)
{
    if (!c->line.size)
        return;
    do
        c->line.size--;
    while (c->line.size && (c->line.data[c->line.size] & 0xc0) == 0x80);
    buffer_append_string(&c->out, "\b \b");
}

static void insert(struct console *c, uint8_t key)
{
    if (key < ' ')
        return;
    bool room = c->line.size < LINE_MOST;
    if (room)
        buffer_append_byte(&c->line, key);
    buffer_append_byte(&c->out, room ? key : BELL);
}

/* True: the byte belongs to a sequence. */
static bool take_sequence(struct console *c, uint8_t key)
{
    switch (c->sequence) {
    case SEQUENCE_NONE:
        c->sequence = key == ESCAPE ? SEQUENCE_ESCAPE : SEQUENCE_NONE;
        return key == ESCAPE;
    case SEQUENCE_ESCAPE:
        c->sequence = key == '[' ? SEQUENCE_CSI : key == 'O' ? SEQUENCE_SS3 : SEQUENCE_NONE;
        return key >= ' ';
    case SEQUENCE_CSI:
        if (key < ' ' || key >= '@')
            c->sequence = SEQUENCE_NONE;
        return key >= ' ';
    case SEQUENCE_SS3:
        c->sequence = SEQUENCE_NONE;
        return key >= ' ';
    }
    return false;
}

void console_key(struct console *c, uint8_t key)
{
    check(!console_busy(c), "a command is under way");
    if (take_sequence(c, key))
        return;
    switch (key) {
    case '\r':
    case '\n':
        enter(c);
        return;
    case BACKSPACE:
    case DELETE:
        erase_one(c);
        break;
    case CTRL_U:
        while (c->line.size)
            erase_one(c);
        break;
    case CTRL_C:
        refuse(c, "^C\r\n");
        return;
    default:
        insert(c, key);
    }
    write_out(c);
}
