/* Z and z. The timeline keys its points by what they match; the client keys them by type too, so
 * that its Z0 and Z1 at one address are two of its points and one of the timeline's. A packet for a
 * point that is there replaces its conditions and commands. */
#include "base/check.h"
#include "base/log.h"
#include "server/gdb_handlers.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* More than anybody sets by hand; each is looked at for every packet and every hit. */
enum { POINTS_MOST = 4096, CODE_MOST = 8 << 20 };
/* What commands print is left out while a client has so much to read. */
enum { BACKLOG_MOST = 1 << 20 };

static unsigned kinds_of(enum rsp_point_type type)
{
    switch (type) {
    case RSP_POINT_WRITE:
        return HIT_WRITE;
    case RSP_POINT_READ:
        return HIT_READ;
    case RSP_POINT_ACCESS:
        return HIT_READ | HIT_WRITE;
    default:
        return HIT_EXECUTE;
    }
}

/* Of a breakpoint the protocol's length is a kind, which here matters to nobody. */
static struct gdb_point point_of(const struct rsp_request *r)
{
    bool range = kinds_of(r->point.type) != HIT_EXECUTE;
    return (struct gdb_point){
        .type = r->point.type, .address = r->point.address, .length = range ? r->point.length : 0};
}

static bool same(const struct gdb_point *a, const struct gdb_point *b)
{
    return a->type == b->type && a->address == b->address && a->length == b->length;
}

static struct gdb_point *find(const struct gdb_points *points, const struct gdb_point *point)
{
    for (size_t i = 0; i < points->count; i++) {
        if (same(&points->item[i], point))
            return &points->item[i];
    }
    return NULL;
}

bool gdb_point_set(const struct gdb_points *points, enum rsp_point_type type, uint64_t address)
{
    const struct gdb_point point = {.type = type, .address = address};
    const struct gdb_point *found = find(points, &point);
    return found && !found->commands;
}

/* ---- conditions and commands ---- */

static struct gdb_code *code_new(const struct rsp_bytecodes *codes)
{
    size_t bytes = 0;
    for (size_t i = 0; i < codes->count; i++)
        bytes += codes->item[i].size;
    if (!codes->count)
        return NULL;
    size_t head = sizeof(struct gdb_code) + codes->count * sizeof(struct agent_code);
    struct gdb_code *code = mem_new(1, head + bytes);
    uint8_t *to = (uint8_t *)code + head;
    code->bytes = bytes;
    for (size_t i = 0; i < codes->count; i++) {
        const struct rsp_slice *from = &codes->item[i];
        if (from->size)
            memcpy(to, from->data, from->size);
        code->item[code->count++] = (struct agent_code){to, from->size};
        to += from->size;
    }
    return code;
}

/* gdb evaluates a condition again at a stop; so what is not understood may hold. */
static void complain(const struct gdb_code *code, uint64_t address, const char *what)
{
    struct error err = ERROR_INIT;
    for (size_t i = 0; code && i < code->count; i++)
        if (!agent_check(&code->item[i], &err))
            log_line(LOG_WARN, "gdb: the %s at %#" PRIx64 ": %s", what, address, err.message);
}

static size_t code_bytes(const struct gdb_point *point)
{
    return (point->conditions ? point->conditions->bytes : 0) +
           (point->commands ? point->commands->bytes : 0);
}

static void free_code(struct gdb_points *points, struct gdb_point *point)
{
    points->code_bytes -= code_bytes(point);
    free(point->conditions);
    free(point->commands);
    point->conditions = point->commands = NULL;
}

/* While the client waits for a stop it is shown; else it is logged. */
static void print(void *ctx, const void *text, size_t size)
{
    struct gdb_session *s = ctx;
    struct buffer out = {0};
    bool shown = s->awaits == GDB_AWAITS_STOP || s->awaits == GDB_AWAITS_MONITOR;
    if (!s->conn)
        return;
    if (conn_backlog(s->conn) > BACKLOG_MOST) {
        s->points.unshown += size;
        return;
    }
    if (s->points.unshown)
        buffer_printf(&out, "[%" PRIu64 " bytes left out: they were not read in time]\n",
                      s->points.unshown);
    s->points.unshown = 0;
    buffer_append(&out, text, size);
    if (shown)
        gdb_send_console(s, &out);
    else
        log_line(LOG_INFO, "gdb: printed by a breakpoint's commands: %s", buffer_text(&out));
    buffer_fini(&out);
}

/* ---- one of the timeline's for all of the client's that it stands for ---- */

struct collected {
    size_t count;
    struct agent_code item[4 * RSP_BYTECODES_MAX];
    bool without; /* one of them has none */
};

static void collect(struct collected *all, const struct gdb_code *code)
{
    all->without |= !code;
    for (size_t i = 0; code && i < code->count; i++)
        if (all->count < sizeof all->item / sizeof *all->item)
            all->item[all->count++] = code->item[i];
}

/* A stop is for all; without one, all print. */
static void apply(struct gdb_session *s, const struct gdb_point *point)
{
    const struct gdb_points *points = &s->points;
    struct collected stops = {0}, prints = {0}, commands = {0};
    struct timeline_point p = {.owner = OWNER_GDB,
                               .kinds = kinds_of(point->type),
                               .address = point->address,
                               .size = point->length};
    bool any = false, stop = false;
    for (size_t i = 0; i < points->count; i++) {
        const struct gdb_point *other = &points->item[i];
        if (kinds_of(other->type) != p.kinds || other->address != p.address ||
            other->length != p.size)
            continue;
        any = true;
        stop |= !other->commands;
        collect(other->commands ? &prints : &stops, other->conditions);
        if (other->commands)
            collect(&commands, other->commands);
    }
    if (!any) {
        timeline_point_unset(s->timeline, &p);
        return;
    }
    const struct collected *conditions = stop ? &stops : &prints;
    if (!conditions->without)
        p.condition = agent_condition(conditions->item, conditions->count, s->registers.icount);
    if (!stop)
        p.action = agent_action(commands.item, commands.count, s->registers.icount);
    timeline_point_set(s->timeline, &p);
}

/* ---- packets ---- */

static struct gdb_point *add(struct gdb_points *points, const struct gdb_point *point)
{
    if (points->count == points->capacity) {
        points->capacity = points->capacity ? 2 * points->capacity : 16;
        points->item = mem_grow(points->item, points->capacity, sizeof *points->item);
    }
    points->item[points->count] = *point;
    return &points->item[points->count++];
}

static bool has_room(const struct gdb_points *points, const struct gdb_point *found,
                     const struct rsp_request *r, struct error *err)
{
    size_t bytes = points->code_bytes - (found ? code_bytes(found) : 0);
    for (size_t i = 0; i < r->point.conditions.count; i++)
        bytes += r->point.conditions.item[i].size;
    for (size_t i = 0; i < r->point.commands.count; i++)
        bytes += r->point.commands.item[i].size;
    if (!found && points->count == POINTS_MOST)
        return error_set(err, ERROR_RANGE, "there are %d breakpoints already: delete some",
                         POINTS_MOST);
    return bytes <= CODE_MOST ||
           error_set(err, ERROR_RANGE, "the conditions of all breakpoints are over %d MiB",
                     CODE_MOST >> 20);
}

enum gdb_outcome gdb_insert_point(struct gdb_session *s, const struct rsp_request *r,
                                  struct buffer *reply)
{
    struct gdb_points *points = &s->points;
    const struct gdb_point point = point_of(r);
    struct gdb_point *found = find(points, &point);
    struct error err = ERROR_INIT;
    if (kinds_of(point.type) != HIT_EXECUTE && !point.length) {
        rsp_reply_error_text(reply, s->features, "a watched range has at least one byte");
        return GDB_REPLY;
    }
    if (!has_room(points, found, r, &err))
        return gdb_refuse(s, reply, &err);
    if (!found)
        found = add(points, &point);
    free_code(points, found);
    found->conditions = code_new(&r->point.conditions);
    found->commands = code_new(&r->point.commands);
    points->code_bytes += code_bytes(found);
    complain(found->conditions, point.address, "condition");
    complain(found->commands, point.address, "command");
    if (found->commands && !points->prints) {
        points->prints = true;
        timeline_print_to(s->timeline, print, s);
    }
    apply(s, found);
    rsp_reply_ok(reply);
    return GDB_REPLY;
}

static void remove_at(struct gdb_session *s, struct gdb_point *found)
{
    struct gdb_points *points = &s->points;
    const struct gdb_point point = *found;
    free_code(points, found);
    *found = points->item[--points->count];
    apply(s, &point);
}

/* Removing what is not there is fine: gdb does so after it has lost track. */
enum gdb_outcome gdb_remove_point(struct gdb_session *s, const struct rsp_request *r,
                                  struct buffer *reply)
{
    const struct gdb_point point = point_of(r);
    struct gdb_point *found = find(&s->points, &point);
    if (found)
        remove_at(s, found);
    rsp_reply_ok(reply);
    return GDB_REPLY;
}

void gdb_points_clear(struct gdb_session *s)
{
    struct gdb_points *points = &s->points;
    while (points->count)
        remove_at(s, &points->item[points->count - 1]);
    if (points->prints)
        timeline_print_to(s->timeline, NULL, NULL);
    points->prints = false;
}
