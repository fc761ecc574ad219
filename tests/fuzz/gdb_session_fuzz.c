/* A whole gdb session: bytes in at a socket, a small machine behind it, packets out. Whatever a
 * client sends, what comes back is packets, and the machine's history stays what it was.
 *
 * The first byte: bit 0 two harts; bit 1 it begins in the past; bit 2 the rest are bytes as they
 * stand, else payloads, one a line, to be framed. */
#include "base/check.h"
#include "devices/riscv_virt.h"
#include "rsp/packet.h"
#include "server/gdb_session.h"
#include "timeline/points.h"
#include "timeline/timeline.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TWO_HARTS = 1, PAST = 2, RAW = 4 };
enum { HISTORY = 300, TURNS = 12, INPUT_MOST = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz {
    uv_loop_t loop;
    struct riscv_virt *board;
    struct timeline *timeline;
    struct movement movement;
    struct gdb_session *session; /* NULL: it has ended */
    struct rsp_framer framer;    /* of what comes back */
    int fd;                      /* the client's end; -1: closed */
};

/* ---- the machine ---- */

static struct riscv_virt *make_board(unsigned harts)
{
    static const uint32_t code[] = {
        0x00001517, /* auipc a0, 1 */
        0x00053583, /* ld    a1, 0(a0) */
        0x00158593, /* addi  a1, a1, 1 */
        0x00b53023, /* sd    a1, 0(a0) */
        0xff5ff06f, /* j     -12 */
    };
    struct riscv_virt_options options = {
        .ram_size = 2 << 20, .harts = harts, .shift = 3, .bios = "none"};
    struct error err = ERROR_INIT;
    struct riscv_virt *board = riscv_virt_new(&options, &err);
    check(board, "%s", err.message);
    struct machine *m = riscv_virt_machine(board);
    ram_write(&m->ram, m->config.ram_base, code, sizeof code);
    return board;
}

static void run_command(void *ctx, const char *line, struct buffer *out)
{
    struct fuzz *f = ctx;
    if (strncmp(line, "goto ", 5) == 0)
        timeline_seek(f->timeline, strtoull(line + 5, NULL, 0));
    else
        buffer_printf(out, "%s?\n", line);
}

/* ---- the server around a session ---- */

static bool no_input(void *ctx)
{
    (void)ctx;
    return false;
}

static bool no_output(void *ctx)
{
    (void)ctx;
    return true;
}

static void nothing(void *ctx)
{
    (void)ctx;
}

static void judge(void *ctx, struct stop *stop)
{
    (void)ctx;
    (void)stop;
}

static void freed(void *ctx)
{
    struct fuzz *f = ctx;
    if (f->session)
        gdb_session_turn(f->session);
}

static void ended(void *ctx, const char *reason)
{
    struct fuzz *f = ctx;
    (void)reason;
    f->session = NULL;
}

static void take_replies(struct fuzz *f)
{
    uint8_t bytes[65536];
    ssize_t count;
    while (f->fd >= 0 && (count = read(f->fd, bytes, sizeof bytes)) > 0) {
        const uint8_t *at = bytes;
        size_t left = (size_t)count;
        while (left) {
            enum rsp_item item = rsp_framer_next(&f->framer, &at, &left);
            check(item != RSP_ITEM_BAD_CHECKSUM && item != RSP_ITEM_TOO_LONG &&
                      item != RSP_ITEM_INTERRUPT,
                  "a reply is no packet: %d", item);
        }
    }
}

static void turn(struct fuzz *f)
{
    uv_run(&f->loop, UV_RUN_NOWAIT);
    take_replies(f);
}

static void begin(struct fuzz *f, uint8_t how)
{
    const struct movement_watcher watcher = {.offer_input = no_input,
                                             .flush_output = no_output,
                                             .began = nothing,
                                             .stopped = judge,
                                             .freed = freed,
                                             .ctx = f};
    const struct timeline_options options = {.spacing_steps = 64, .budget = 8 << 20, .warp = true};
    struct stop stop;
    int pair[2];
    signal(SIGPIPE, SIG_IGN); /* as server_new does */
    uv_loop_init(&f->loop);
    rsp_framer_init(&f->framer);
    f->board = make_board(how & TWO_HARTS ? 2 : 1);
    f->timeline = timeline_new(riscv_virt_machine(f->board), &options);
    timeline_continue_to(f->timeline, HISTORY);
    timeline_finish(f->timeline, &stop);
    if (how & PAST) {
        timeline_seek(f->timeline, HISTORY / 2);
        timeline_finish(f->timeline, &stop);
    }
    movement_init(&f->movement, &f->loop, f->timeline, &watcher);
    check(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), "no sockets");
    f->fd = pair[0];
    const struct gdb_session_options session = {.conn = conn_new(&f->loop, ADDRESS_UNIX, pair[1]),
                                                .movement = &f->movement,
                                                .interpreter = {.run = run_command, .ctx = f},
                                                .ended = ended,
                                                .ctx = f};
    f->session = gdb_session_new(&f->loop, &session);
}

static void finish(struct fuzz *f)
{
    close(f->fd);
    f->fd = -1;
    while (f->session)
        turn(f);
    check(movement_free(&f->movement), "somebody moves");
    check(!timeline_point_get(f->timeline, 0), "points are left");
    movement_close(&f->movement);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    check(!uv_loop_close(&f->loop), "handles are left");
    /* Replays are compared with digests: what was recorded is what was. */
    struct stop stop;
    timeline_seek(f->timeline, timeline_begin(f->timeline));
    timeline_finish(f->timeline, &stop);
    check(stop.reason != STOP_DIVERGED, "%s", stop.text);
    rsp_framer_fini(&f->framer);
    timeline_free(f->timeline);
    riscv_virt_free(f->board);
}

static void send_bytes(struct fuzz *f, const uint8_t *bytes, size_t size)
{
    ssize_t sent = send(f->fd, bytes, size, MSG_NOSIGNAL);
    (void)sent; /* what a full socket does not take is lost: garbage as good as any */
    turn(f);
}

static void send_lines(struct fuzz *f, const uint8_t *data, size_t size)
{
    struct buffer packet = {0};
    while (size) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t line = end ? (size_t)(end - data) : size;
        buffer_clear(&packet);
        if (line == 1 && data[0] == 3)
            buffer_append_byte(&packet, 3);
        else
            rsp_packet_append(&packet, data, line);
        send_bytes(f, packet.data, packet.size);
        line += end ? 1 : 0;
        data += line;
        size -= line;
    }
    buffer_fini(&packet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz f = {0};
    if (!size || size > INPUT_MOST)
        return 0;
    begin(&f, data[0]);
    if (data[0] & RAW)
        send_bytes(&f, data + 1, size - 1);
    else
        send_lines(&f, data + 1, size - 1);
    for (int i = 0; i < TURNS; i++)
        turn(&f);
    finish(&f);
    return 0;
}
