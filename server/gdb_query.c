/* q and Q packets, threads, and what is said at the beginning of a session. */
#include "base/hex.h"
#include "server/gdb_handlers.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum gdb_outcome gdb_supported(struct gdb_session *s, const struct rsp_request *r,
                               struct buffer *reply)
{
    s->features = r->features;
    buffer_printf(reply,
                  "PacketSize=%x;QStartNoAckMode+;qXfer:features:read+;qXfer:threads:read+;"
                  "ReverseStep+;ReverseContinue+;vContSupported+;binary-upload+;"
                  "ConditionalBreakpoints+;BreakpointCommands+",
                  RSP_PACKET_SIZE);
    if (s->features & RSP_SWBREAK)
        buffer_append_string(reply, ";swbreak+");
    if (s->features & RSP_HWBREAK)
        buffer_append_string(reply, ";hwbreak+");
    if (s->features & RSP_ERROR_MESSAGE)
        buffer_append_string(reply, ";error-message+");
    return GDB_REPLY;
}

/* The acknowledgement of this very packet has been sent; of the reply one may still come. */
enum gdb_outcome gdb_start_no_ack(struct gdb_session *s, const struct rsp_request *r,
                                  struct buffer *reply)
{
    (void)r;
    s->acks_off_next = true;
    rsp_reply_ok(reply);
    return GDB_REPLY;
}

enum gdb_outcome gdb_extended(struct gdb_session *s, const struct rsp_request *r,
                              struct buffer *reply)
{
    (void)r;
    s->extended = true;
    rsp_reply_ok(reply);
    return GDB_REPLY;
}

/* gdb uses vCont only if all of c, C, s, S are listed. */
enum gdb_outcome gdb_vcont_query(struct gdb_session *s, const struct rsp_request *r,
                                 struct buffer *reply)
{
    (void)s;
    (void)r;
    buffer_append_string(reply, "vCont;c;C;s;S;t;r");
    return GDB_REPLY;
}

/* 1: gdb detaches when it quits; with 0 it would kill. */
enum gdb_outcome gdb_attached(struct gdb_session *s, const struct rsp_request *r,
                              struct buffer *reply)
{
    (void)s;
    (void)r;
    buffer_append_byte(reply, '1');
    return GDB_REPLY;
}

enum gdb_outcome gdb_symbol(struct gdb_session *s, const struct rsp_request *r,
                            struct buffer *reply)
{
    (void)s;
    (void)r;
    rsp_reply_ok(reply);
    return GDB_REPLY;
}

/* ---- threads ---- */

static const char *state_of(const struct gdb_session *s, unsigned hart)
{
    const struct cpu *cpu = s->machine->cpu[hart];
    if (s->machine->state.halt)
        return "halted";
    return cpu->ops->runnable(cpu) ? "running" : "waiting";
}

enum gdb_outcome gdb_threads_first(struct gdb_session *s, const struct rsp_request *r,
                                   struct buffer *reply)
{
    struct rsp_thread_id threads[MACHINE_CPUS];
    unsigned count = s->killed ? 0 : s->machine->config.cpus;
    (void)r;
    for (unsigned hart = 0; hart < count; hart++)
        threads[hart] = gdb_thread_of(hart);
    rsp_reply_threads(reply, threads, count, false);
    return GDB_REPLY;
}

enum gdb_outcome gdb_threads_next(struct gdb_session *s, const struct rsp_request *r,
                                  struct buffer *reply)
{
    (void)s;
    (void)r;
    rsp_reply_threads(reply, NULL, 0, false);
    return GDB_REPLY;
}

enum gdb_outcome gdb_thread_extra(struct gdb_session *s, const struct rsp_request *r,
                                  struct buffer *reply)
{
    unsigned hart;
    if (!gdb_hart_of(s, r->thread.thread, &hart)) {
        rsp_reply_error_text(reply, s->features, "no such thread");
        return GDB_REPLY;
    }
    struct buffer text = {0};
    buffer_printf(&text, "hart %u, %s", hart, state_of(s, hart));
    hex_append(reply, text.data, text.size);
    buffer_fini(&text);
    return GDB_REPLY;
}

enum gdb_outcome gdb_thread_alive(struct gdb_session *s, const struct rsp_request *r,
                                  struct buffer *reply)
{
    unsigned hart;
    if (!s->killed && gdb_hart_of(s, r->thread.thread, &hart))
        rsp_reply_ok(reply);
    else
        rsp_reply_error_text(reply, s->features, "no such thread");
    return GDB_REPLY;
}

/* With no program (killed, extended mode) gdb is to find no thread either: an empty reply. */
enum gdb_outcome gdb_current_thread(struct gdb_session *s, const struct rsp_request *r,
                                    struct buffer *reply)
{
    (void)r;
    if (!s->killed)
        rsp_reply_current_thread(reply, gdb_thread_of(s->hart), false);
    return GDB_REPLY;
}

enum gdb_outcome gdb_set_thread(struct gdb_session *s, const struct rsp_request *r,
                                struct buffer *reply)
{
    int32_t thread = r->set_thread.thread.thread;
    unsigned hart = s->hart;
    if (thread > 0 && !gdb_hart_of(s, thread, &hart)) {
        rsp_reply_error_text(reply, s->features, "no such thread");
        return GDB_REPLY;
    }
    if (r->set_thread.op == 'g')
        s->hart = hart;
    else
        s->resume_hart = thread;
    rsp_reply_ok(reply);
    return GDB_REPLY;
}

/* ---- documents ---- */

static void append_thread_list(const struct gdb_session *s, struct buffer *xml)
{
    unsigned count = s->killed ? 0 : s->machine->config.cpus;
    buffer_append_string(xml, "<?xml version=\"1.0\"?>\n<threads>\n");
    for (unsigned hart = 0; hart < count; hart++)
        buffer_printf(xml,
                      "  <thread id=\"%" PRIx32 "\" core=\"%u\" name=\"hart %u\">%s</thread>\n",
                      (uint32_t)gdb_thread_of(hart).thread, hart, hart, state_of(s, hart));
    buffer_append_string(xml, "</threads>\n");
}

enum gdb_outcome gdb_transfer(struct gdb_session *s, const struct rsp_request *r,
                              struct buffer *reply)
{
    uint64_t offset = r->transfer.offset, length = r->transfer.length;
    if (rsp_slice_is(r->transfer.object, "features")) {
        if (rsp_slice_is(r->transfer.annex, "target.xml"))
            rsp_reply_window(reply, s->registers.xml.data, s->registers.xml.size, offset, length);
        else
            rsp_reply_error(reply, 0); /* a bad annex */
    } else if (rsp_slice_is(r->transfer.object, "threads")) {
        struct buffer xml = {0};
        append_thread_list(s, &xml);
        rsp_reply_window(reply, xml.data, xml.size, offset, length);
        buffer_fini(&xml);
    }
    return GDB_REPLY;
}

/* ---- monitor ---- */

enum { PHYSICAL_NONE = -1, PHYSICAL_OFF, PHYSICAL_ON, PHYSICAL_ASKED };

/* `physical [on|off]` is about this connection, so it is no row of the interpreter's. */
static int parse_physical(const char *line)
{
    char word[3][16] = {""};
    int words = sscanf(line, "%15s %15s %15s", word[0], word[1], word[2]);
    if (words < 1 || words > 2 || strcmp(word[0], "physical"))
        return PHYSICAL_NONE;
    if (words == 1)
        return PHYSICAL_ASKED;
    if (!strcmp(word[1], "on"))
        return PHYSICAL_ON;
    return strcmp(word[1], "off") ? PHYSICAL_NONE : PHYSICAL_OFF;
}

static bool run_physical(struct gdb_session *s, const char *line, struct buffer *out)
{
    int wanted = parse_physical(line);
    if (wanted == PHYSICAL_NONE)
        return false;
    bool before = s->physical;
    if (wanted != PHYSICAL_ASKED)
        s->physical = wanted == PHYSICAL_ON;
    buffer_printf(out, "addresses of memory are %s\n",
                  s->physical ? "physical ones" : "translated as the hart does");
    if (s->physical != before)
        buffer_append_string(out, "(what gdb has read already: `maint flush dcache`)\n");
    return true;
}

/* gdb shows what it has read before another client moved the machine: told once, in words, not to a
 * script that reads JSON. */
static void say_moved(struct gdb_session *s, const char *line, struct buffer *out)
{
    uint64_t changes = s->options.movement->changes;
    if (s->changes == changes || !strncmp(line, "json ", 5))
        return;
    s->changes = changes;
    buffer_append_string(out, "(another client has moved the machine: `maint flush register-cache` "
                              "and `frame` show where it is)\n");
}

enum gdb_outcome gdb_monitor(struct gdb_session *s, const struct rsp_request *r,
                             struct buffer *reply)
{
    const struct interpreter *interpreter = &s->options.interpreter;
    if (!interpreter->run)
        return GDB_REPLY;
    struct buffer line = {0}, text = {0};
    buffer_append(&line, r->command.data, r->command.size);
    s->monitor_from = timeline_position(s->timeline);
    if (!run_physical(s, buffer_text(&line), &text))
        interpreter->run(interpreter->ctx, buffer_text(&line), &text);
    say_moved(s, buffer_text(&line), &text);
    bool moves = timeline_moving(s->timeline);
    if (!moves && strncmp(buffer_text(&line), "json ", 5) != 0)
        gdb_append_notice(s, &text);
    buffer_fini(&s->said); /* of one that was given up */
    s->said = (struct buffer){0};
    if (moves) {
        s->said = text;
    } else {
        gdb_reply_text(&text, reply);
        buffer_fini(&text);
    }
    buffer_fini(&line);
    return moves ? gdb_moved(s, GDB_AWAITS_MONITOR) : GDB_REPLY;
}
