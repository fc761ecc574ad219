#include "tests/unit/server/bench.h"

#include "base/endian.h"
#include "base/hex.h"
#include "rsp/packet.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { GUARD_SECONDS = 60 };

static const uint32_t count_code[] = {
    0x00001517, /* auipc a0, 1 */
    0x00053583, /* ld    a1, 0(a0) */
    0x00158593, /* addi  a1, a1, 1 */
    0x00b53023, /* sd    a1, 0(a0) */
    0xff5ff06f, /* j     -12 */
};
static const uint32_t off_code[] = {
    0x001002b7, /* lui   t0, 0x100 */
    0x00005337, /* lui   t1, 0x5 */
    0x5553031b, /* addiw t1, t1, 0x555 */
    0x0062a023, /* sw    t1, 0(t0) */
    0x0000006f, /* j     0 */
};
static const uint32_t fail_code[] = {
    0x001002b7, /* lui   t0, 0x100 */
    0x00073337, /* lui   t1, 0x73 */
    0x3333031b, /* addiw t1, t1, 0x333 */
    0x0062a023, /* sw    t1, 0(t0) */
    0x0000006f, /* j     0 */
};
static const uint32_t echo_code[] = {
    0x100002b7, /* lui   t0, 0x10000 */
    0x0052c303, /* lbu   t1, 5(t0) */
    0x00137313, /* andi  t1, t1, 1 */
    0xfe030ce3, /* beqz  t1, -8 */
    0x0002c303, /* lbu   t1, 0(t0) */
    0x00628023, /* sb    t1, 0(t0) */
    0xfedff06f, /* j     -20 */
};
static const uint32_t echo_two_code[] = {
    0x100002b7, /* lui   t0, 0x10000 */
    0x0052c303, /* lbu   t1, 5(t0) */
    0x00137313, /* andi  t1, t1, 1 */
    0x00030663, /* beqz  t1, 12 */
    0x0002c303, /* lbu   t1, 0(t0) */
    0x00628023, /* sb    t1, 0(t0) */
    0x1052c303, /* lbu   t1, 0x105(t0) */
    0x00137313, /* andi  t1, t1, 1 */
    0xfe0302e3, /* beqz  t1, -28 */
    0x1002c303, /* lbu   t1, 0x100(t0) */
    0x10628023, /* sb    t1, 0x100(t0) */
    0xfd9ff06f, /* j     -40 */
};
static const uint32_t idle_code[] = {
    0x10500073, /* wfi */
    0xffdff06f, /* j     -4 */
};

static const struct {
    const uint32_t *code;
    size_t size;
} guests[] = {
    [GUEST_COUNT] = {count_code, sizeof count_code},
    [GUEST_OFF] = {off_code, sizeof off_code},
    [GUEST_FAIL] = {fail_code, sizeof fail_code},
    [GUEST_ECHO] = {echo_code, sizeof echo_code},
    [GUEST_IDLE] = {idle_code, sizeof idle_code},
    [GUEST_ECHO_TWO] = {echo_two_code, sizeof echo_two_code},
};

/* ---- the server ---- */

static struct riscv_virt *make_board(const struct bench_options *o)
{
    struct {
        Elf64_Ehdr header;
        Elf64_Phdr segment;
        uint32_t code[12];
    } elf = {.header = {.e_type = ET_EXEC,
                        .e_machine = EM_RISCV,
                        .e_version = EV_CURRENT,
                        .e_entry = GUEST_CODE,
                        .e_phoff = sizeof elf.header,
                        .e_ehsize = sizeof elf.header,
                        .e_phentsize = sizeof elf.segment,
                        .e_phnum = 1},
             .segment = {.p_type = PT_LOAD,
                         .p_flags = PF_R | PF_W | PF_X,
                         .p_offset = sizeof elf.header + sizeof elf.segment,
                         .p_vaddr = GUEST_CODE,
                         .p_paddr = GUEST_CODE,
                         .p_filesz = guests[o->guest].size,
                         .p_memsz = 2 * 4096,
                         .p_align = 4096}};
    static const unsigned char ident[] = {ELFMAG0,    ELFMAG1,     ELFMAG2,   ELFMAG3,
                                          ELFCLASS64, ELFDATA2LSB, EV_CURRENT};
    memcpy(elf.header.e_ident, ident, sizeof ident);
    memcpy(elf.code, guests[o->guest].code, guests[o->guest].size);
    struct riscv_virt_options options = {
        .ram_size = 8 << 20, .harts = o->harts ? o->harts : 1, .shift = 3, .bios = "none"};
    struct error err = ERROR_INIT;
    struct riscv_virt *board =
        riscv_virt_new_elf(&options, "guest", (const uint8_t *)&elf, sizeof elf, &err);
    cr_assert(board, "%s", err.message);
    return board;
}

static bool is_goto(void *ctx, const char *line)
{
    (void)ctx;
    return strncmp(line, "goto ", 5) == 0;
}

/* Commands: `goto N`, and everything else is said again. */
static void run_command(void *ctx, const char *line, struct buffer *out)
{
    struct bench *b = ctx;
    if (is_goto(ctx, line))
        timeline_seek(b->timeline, strtoull(line + 5, NULL, 0));
    else
        buffer_printf(out, "%s!\n", line);
}

void bench_init(struct bench *b, const struct bench_options *o)
{
    struct error err = ERROR_INIT;
    *b = (struct bench){.folder = "/tmp/backstep-XXXXXX"};
    cr_assert(mkdtemp(b->folder));
    snprintf(b->path, sizeof b->path, "%s/gdb", b->folder);
    snprintf(b->address, sizeof b->address, "unix:%s", b->path);
    struct server_options server = o->server;
    if (o->serial)
        server.line[server.lines++] = (struct server_line){CHANNEL_SERIAL0, o->serial};
    if (!o->no_gdb && !server.gdb)
        server.gdb = b->address;
    b->server = server_new(&server, &err);
    cr_assert(b->server, "%s", err.message);
    b->board = make_board(o);
    if (o->guest == GUEST_ECHO_TWO)
        uart16550_init(&b->second, riscv_virt_machine(b->board), 0x10000100, 0x100, (struct irq){0},
                       CHANNEL_CONSOLE0);
    struct timeline_options timeline = {.host = server_host(b->server)};
    b->timeline = timeline_new(riscv_virt_machine(b->board), &timeline);
    const struct interpreter interpreter = {.run = run_command, .ctx = b, .moves = is_goto};
    cr_assert(server_attach(b->server, b->timeline, &interpreter, &err), "%s", err.message);
}

void bench_fini(struct bench *b)
{
    server_free(b->server);
    timeline_free(b->timeline);
    riscv_virt_free(b->board);
    rmdir(b->folder);
}

void bench_turn(struct bench *b)
{
    if (!b->over)
        b->over = !server_turn(b->server, &b->status);
}

static void guard(time_t since)
{
    cr_assert(time(NULL) - since < GUARD_SECONDS, "it never came");
}

int bench_end(struct bench *b)
{
    for (time_t since = time(NULL); !b->over; guard(since))
        bench_turn(b);
    return b->status;
}

uint64_t bench_position(const struct bench *b)
{
    return timeline_position(b->timeline);
}

/* ---- clients ---- */

void client_connect(struct client *c, struct bench *b)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    memcpy(name.sun_path, b->path, strlen(b->path));
    *c = (struct client){.bench = b, .fd = socket(AF_UNIX, SOCK_STREAM, 0), .acks = true};
    cr_assert(!connect(c->fd, (struct sockaddr *)&name, sizeof name), "%s", strerror(errno));
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    bench_turn(b); /* the queue of connections is short */
}

void client_greet(struct client *c, struct bench *b)
{
    client_connect(c, b);
    client_ask(c, "qSupported:swbreak+;hwbreak+");
    client_expect(c, "QStartNoAckMode", "OK");
    c->acks = false;
}

void client_close(struct client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    buffer_fini(&c->in);
    buffer_fini(&c->payload);
}

void client_send(struct client *c, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    for (time_t since = time(NULL); size; guard(since)) {
        ssize_t count = send(c->fd, at, size, MSG_NOSIGNAL);
        if (count < 0 && errno != EAGAIN)
            return; /* closed: the test will see it */
        if (count > 0) {
            at += count;
            size -= (size_t)count;
        }
        bench_turn(c->bench);
    }
}

void client_send_text(struct client *c, const char *bytes)
{
    client_send(c, bytes, strlen(bytes));
}

void client_request(struct client *c, const char *payload)
{
    struct buffer packet = {0};
    if (c->acks)
        buffer_append_byte(&packet, '+');
    rsp_packet_append(&packet, payload, strlen(payload));
    client_send(c, packet.data, packet.size);
    buffer_fini(&packet);
}

/* False: the connection is closed. */
static bool receive(struct client *c)
{
    bench_turn(c->bench);
    uint8_t bytes[65536];
    ssize_t count = recv(c->fd, bytes, sizeof bytes, 0);
    if (count > 0)
        buffer_append(&c->in, bytes, (size_t)count);
    return count > 0 || (count < 0 && errno == EAGAIN);
}

static bool take_packet(struct client *c)
{
    struct rsp_framer framer;
    rsp_framer_init(&framer);
    const uint8_t *bytes = c->in.data;
    size_t left = c->in.size;
    enum rsp_item item = RSP_ITEM_NONE;
    while (left && item != RSP_ITEM_PACKET) {
        item = rsp_framer_next(&framer, &bytes, &left);
        cr_assert(item != RSP_ITEM_BAD_CHECKSUM && item != RSP_ITEM_TOO_LONG);
    }
    if (item == RSP_ITEM_PACKET) {
        buffer_clear(&c->payload);
        buffer_append(&c->payload, framer.payload.data, framer.payload.size);
        buffer_consume(&c->in, c->in.size - left);
    }
    rsp_framer_fini(&framer);
    return item == RSP_ITEM_PACKET;
}

const char *client_reply(struct client *c)
{
    for (time_t since = time(NULL); !take_packet(c); guard(since))
        cr_assert(receive(c), "the connection was closed");
    return buffer_text(&c->payload);
}

const char *client_ask(struct client *c, const char *payload)
{
    client_request(c, payload);
    return client_reply(c);
}

void client_expect(struct client *c, const char *payload, const char *reply)
{
    const char *got = client_ask(c, payload);
    cr_assert_str_eq(got, reply, "%s: %s, not %s", payload, got, reply);
}

char client_byte(struct client *c)
{
    for (time_t since = time(NULL); !c->in.size; guard(since)) {
        if (!receive(c))
            return 0;
    }
    char byte = (char)c->in.data[0];
    buffer_consume(&c->in, 1);
    return byte;
}

void client_expect_closed(struct client *c)
{
    for (time_t since = time(NULL); receive(c); guard(since))
        buffer_clear(&c->in);
}

/* ---- replies ---- */

static const char *find_key(const char *reply, const char *key)
{
    char pattern[32];
    snprintf(pattern, sizeof pattern, "%s:", key);
    for (const char *at = reply; (at = strstr(at, pattern)); at++) {
        if (at == reply + 3 || (at > reply && at[-1] == ';'))
            return at + strlen(pattern);
    }
    return NULL;
}

uint64_t stop_value(const char *reply, const char *key)
{
    const char *at = find_key(reply, key);
    return at ? strtoull(at, NULL, 16) : 0;
}

uint64_t stop_register(const char *reply, unsigned number)
{
    char key[16];
    uint8_t bytes[8];
    snprintf(key, sizeof key, "%02x", number);
    const char *at = find_key(reply, key);
    cr_assert(at && hex_decode(at, 16, bytes), "no register %u in %s", number, reply);
    return load_le64(bytes);
}

const char *in_hex(const char *prefix, const char *text)
{
    static struct buffer made;
    buffer_clear(&made);
    buffer_append_string(&made, prefix);
    hex_append(&made, text, strlen(text));
    return buffer_text(&made);
}
