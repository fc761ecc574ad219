#include "cli/bench_client.h"

#include "base/endian.h"
#include "base/hex.h"
#include "cli/bench_worker.h"
#include "devices/riscv_virt.h"
#include "server/server.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_SECONDS 3600.0

/* ---- the server, in the child ---- */

static bool prepare(const struct embedded_file *guest, const char *path, uint64_t position,
                    struct server **server, double seconds[2], struct error *err)
{
    char address[BENCH_PATH + 8];
    snprintf(address, sizeof address, "unix:%s", path);
    struct server_options options = {.gdb = address, .paused = true, .no_shutdown = true};
    *server = server_new(&options, err);
    struct riscv_virt *board = *server ? bench_board(guest, err) : NULL;
    if (!board)
        return false;
    struct timeline_options timeline_options = {.host = server_host(*server)};
    struct timeline *tl = timeline_new(riscv_virt_machine(board), &timeline_options);
    struct stop stop;
    double began = bench_now(), cpu = bench_cpu(0);
    timeline_continue_to(tl, position);
    timeline_finish(tl, &stop);
    seconds[0] = bench_now() - began;
    seconds[1] = bench_cpu(0) - cpu;
    static const struct interpreter no_commands;
    return server_attach(*server, tl, &no_commands, err);
}

/* Says over `ready` how long the live run took, then serves. Its remarks are for other users. */
static void __attribute__((noreturn))
serve(int ready, const struct embedded_file *guest, const char *path, uint64_t position)
{
    struct error err = ERROR_INIT;
    struct server *server;
    double seconds[2];
    int out = dup(STDERR_FILENO), null = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    if (!prepare(guest, path, position, &server, seconds, &err)) {
        dprintf(out, "backstep bench: %s\n", err.message);
        _exit(1);
    }
    close(out);
    if (write(ready, seconds, sizeof seconds) != (ssize_t)sizeof seconds)
        _exit(1);
    close(ready);
    _exit(server_run(server));
}

/* ---- packets ---- */

static bool send_bytes(struct bench_client *client, const struct buffer *out, struct error *err)
{
    for (size_t sent = 0; sent < out->size;) {
        ssize_t n = send(client->fd, out->data + sent, out->size - sent, MSG_NOSIGNAL);
        if (n <= 0)
            return error_set(err, ERROR_IO, "the server has closed the connection");
        sent += (size_t)n;
    }
    return true;
}

static bool send_packet(struct bench_client *client, const char *payload, struct error *err)
{
    struct buffer out;
    buffer_init(&out);
    rsp_packet_append(&out, payload, strlen(payload));
    bool good = send_bytes(client, &out, err);
    buffer_fini(&out);
    client->packets++;
    return good;
}

/* The next packet, acknowledgements passed over; it is in framer.payload. */
static bool next_packet(struct bench_client *client, struct error *err)
{
    for (;;) {
        const uint8_t *bytes = client->in.data;
        size_t size = client->in.size;
        enum rsp_item item = rsp_framer_next(&client->framer, &bytes, &size);
        buffer_consume(&client->in, client->in.size - size);
        client->packets += item == RSP_ITEM_PACKET;
        if (item == RSP_ITEM_PACKET)
            return true;
        if (item != RSP_ITEM_NONE)
            continue;
        if (!bench_wait(client->host, client->fd, ANSWER_SECONDS, err))
            return false;
        uint8_t more[4096];
        ssize_t got = recv(client->fd, more, sizeof more, 0);
        if (got <= 0)
            return error_set(err, ERROR_IO, "the server has closed the connection");
        buffer_append(&client->in, more, (size_t)got);
    }
}

static bool ask(struct bench_client *client, const char *payload, struct error *err)
{
    return send_packet(client, payload, err) && next_packet(client, err);
}

static bool ask_ok(struct bench_client *client, const char *payload, struct error *err)
{
    if (!ask(client, payload, err))
        return false;
    const char *reply = buffer_text(&client->framer.payload);
    return !strcmp(reply, "OK") ||
           error_set(err, ERROR_FORMAT, "the server answers `%.60s` to %s", reply, payload);
}

/* ---- life ---- */

static bool greet(struct bench_client *client, struct error *err)
{
    static const uint8_t ack[] = {'+'};
    struct buffer acks = {(uint8_t *)ack, sizeof ack, sizeof ack};
    return ask(client, "qSupported:swbreak+;hwbreak+", err) && send_bytes(client, &acks, err) &&
           ask_ok(client, "QStartNoAckMode", err) && send_bytes(client, &acks, err) &&
           ask(client, "?", err);
}

static bool connect_client(struct bench_client *client, const char *path, struct error *err)
{
    client->fd = bench_connect(client->host, path, client->pid, err);
    return client->fd >= 0 && greet(client, err);
}

/* How long did the live run take? */
static bool await(struct bench_client *client, int ready, struct error *err)
{
    if (!bench_wait(client->host, ready, ANSWER_SECONDS, err))
        return false;
    double seconds[2];
    if (read(ready, seconds, sizeof seconds) != (ssize_t)sizeof seconds)
        return error_set(err, ERROR_IO, "the server did not start");
    client->forward = seconds[0];
    client->forward_cpu = seconds[1];
    return true;
}

bool bench_client_start(struct bench_client *client, struct bench_host *host,
                        const struct embedded_file *guest, uint64_t position, struct error *err)
{
    char path[BENCH_PATH];
    int ready[2];
    bench_path(host, "gdb", path);
    unlink(path);
    if (pipe2(ready, O_CLOEXEC) < 0)
        return error_set(err, ERROR_IO, "pipe: %s", strerror(errno));
    *client = (struct bench_client){.host = host, .fd = -1};
    client->pid = bench_fork(host, err);
    if (client->pid == 0) {
        close(ready[0]);
        serve(ready[1], guest, path, position);
    }
    close(ready[1]);
    rsp_framer_init(&client->framer);
    bool good =
        client->pid > 0 && await(client, ready[0], err) && connect_client(client, path, err);
    close(ready[0]);
    if (!good)
        bench_client_end(client);
    return good;
}

bool bench_client_attach(struct bench_client *client, struct bench_host *host, pid_t pid,
                         const char *path, struct error *err)
{
    *client = (struct bench_client){.host = host, .pid = pid, .fd = -1};
    rsp_framer_init(&client->framer);
    if (connect_client(client, path, err))
        return true;
    bench_client_end(client);
    return false;
}

/* QEMU's port wants its acknowledgements, and takes the next packet for one. */
bool bench_client_borrow(struct bench_client *client, struct bench_host *host, pid_t pid,
                         const char *path, struct error *err)
{
    *client = (struct bench_client){.host = host, .pid = pid, .fd = -1};
    rsp_framer_init(&client->framer);
    client->fd = bench_connect(host, path, pid, err);
    if (client->fd >= 0 && ask(client, "qSupported:swbreak+;hwbreak+", err) &&
        ask(client, "?", err))
        return true;
    client->pid = 0;
    bench_client_end(client);
    return false;
}

bool bench_client_finish(struct bench_client *client, struct bench_usage *usage, struct error *err)
{
    double began = bench_now();
    kill(client->pid, SIGTERM);
    if (!bench_wait_end(client->host, client->pid, began, ANSWER_SECONDS, usage, err))
        return false;
    client->pid = 0;
    return usage->good || error_set(err, ERROR_IO, "the server has failed");
}

void bench_client_end(struct bench_client *client)
{
    if (client->fd >= 0)
        close(client->fd);
    if (client->pid > 0)
        bench_kill(client->host, client->pid);
    rsp_framer_fini(&client->framer);
    buffer_fini(&client->in);
}

/* ---- requests ---- */

bool bench_client_resume(struct bench_client *client, const char *packet,
                         struct bench_stop_reply *reply, struct error *err)
{
    double began = bench_now(), cpu = bench_cpu(client->pid);
    uint64_t packets = client->packets;
    if (!ask(client, packet, err))
        return false;
    while (client->framer.payload.size && client->framer.payload.data[0] == 'O') {
        packets++;
        if (!next_packet(client, err))
            return false;
    }
    const char *text = buffer_text(&client->framer.payload);
    *reply = (struct bench_stop_reply){.seconds = bench_now() - began,
                                       .cpu = bench_cpu(client->pid) - cpu,
                                       .packets = client->packets - packets,
                                       .begin = strstr(text, "replaylog:begin"),
                                       .end = strstr(text, "replaylog:end")};
    return text[0] == 'T' ||
           error_set(err, ERROR_FORMAT, "the server answers `%.60s` to %s", text, packet);
}

bool bench_client_breakpoint(struct bench_client *client, bool set, uint64_t address,
                             struct error *err)
{
    char packet[64];
    snprintf(packet, sizeof packet, "%c0,%" PRIx64 ",2", set ? 'Z' : 'z', address);
    return ask_ok(client, packet, err);
}

bool bench_client_ok(struct bench_client *client, const char *packet, struct error *err)
{
    return ask_ok(client, packet, err);
}

/* QEMU's port has no `p` for who has not read its description of the registers. */
bool bench_client_register(struct bench_client *client, unsigned number, uint64_t *value,
                           struct error *err)
{
    uint8_t bytes[8];
    if (!ask(client, "g", err))
        return false;
    const struct buffer *reply = &client->framer.payload;
    size_t at = (size_t)number * 16;
    if (reply->size < at + 16 || !hex_decode((const char *)reply->data + at, 16, bytes))
        return error_set(err, ERROR_FORMAT, "the server does not say register %u", number);
    *value = load_le64(bytes);
    return true;
}

bool bench_client_pc(struct bench_client *client, uint64_t *pc, struct error *err)
{
    uint8_t bytes[8];
    if (!ask(client, "p20", err))
        return false;
    const struct buffer *reply = &client->framer.payload;
    if (reply->size != 16 || !hex_decode((const char *)reply->data, 16, bytes))
        return error_set(err, ERROR_FORMAT, "the server does not say the pc");
    *pc = load_le64(bytes);
    return true;
}
