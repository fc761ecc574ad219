#include "rsp/request.h"

#include "rsp/scan.h"

#include <string.h>

bool rsp_slice_is(struct rsp_slice slice, const char *text)
{
    size_t size = strlen(text);
    return slice.size == size && (!size || memcmp(slice.data, text, size) == 0);
}

static bool parse_nothing(struct scan *scan, struct rsp_request *out)
{
    (void)scan;
    (void)out;
    return true;
}

static bool parse_anything(struct scan *scan, struct rsp_request *out)
{
    (void)out;
    scan_rest(scan);
    return true;
}

static bool parse_write_registers(struct scan *scan, struct rsp_request *out)
{
    return scan_encoded(scan, scan_left(scan) / 2, &out->reg.value);
}

static bool parse_read_register(struct scan *scan, struct rsp_request *out)
{
    uint64_t number;
    if (!scan_hex_max(scan, UINT32_MAX, &number))
        return false;
    out->reg.number = (uint32_t)number;
    return true;
}

static bool parse_write_register(struct scan *scan, struct rsp_request *out)
{
    return parse_read_register(scan, out) && scan_byte(scan, '=') && !scan_done(scan) &&
           scan_encoded(scan, scan_left(scan) / 2, &out->reg.value);
}

static bool parse_read_memory(struct scan *scan, struct rsp_request *out)
{
    return scan_hex_pair(scan, ',', &out->memory.address, &out->memory.length);
}

static bool parse_write_memory(struct scan *scan, struct rsp_request *out)
{
    return parse_read_memory(scan, out) && scan_byte(scan, ':') &&
           scan_encoded(scan, out->memory.length, &out->memory.data);
}

static bool parse_write_memory_binary(struct scan *scan, struct rsp_request *out)
{
    return parse_read_memory(scan, out) && scan_byte(scan, ':') &&
           scan_bytes(scan, out->memory.length, &out->memory.data);
}

static bool parse_set_thread(struct scan *scan, struct rsp_request *out)
{
    if (scan_byte(scan, 'g'))
        out->set_thread.op = 'g';
    else if (scan_byte(scan, 'c'))
        out->set_thread.op = 'c';
    else
        return false;
    return scan_thread(scan, &out->set_thread.thread);
}

static bool parse_thread(struct scan *scan, struct rsp_request *out)
{
    return scan_thread(scan, &out->thread);
}

static bool parse_process(struct scan *scan, struct rsp_request *out)
{
    return scan_byte(scan, ';') && scan_hex(scan, &out->process);
}

static bool parse_optional_process(struct scan *scan, struct rsp_request *out)
{
    return scan_done(scan) || parse_process(scan, out);
}

struct row {
    const char *name;
    enum rsp_request_kind kind;
    rsp_parser *parse;
};

/* Packets whose name is their first byte. */
static const struct row letters[] = {
    {"?", RSP_STOP_REASON, parse_nothing},
    {"g", RSP_READ_REGISTERS, parse_nothing},
    {"G", RSP_WRITE_REGISTERS, parse_write_registers},
    {"p", RSP_READ_REGISTER, parse_read_register},
    {"P", RSP_WRITE_REGISTER, parse_write_register},
    {"m", RSP_READ_MEMORY, parse_read_memory},
    {"x", RSP_READ_MEMORY_BINARY, parse_read_memory},
    {"M", RSP_WRITE_MEMORY, parse_write_memory},
    {"X", RSP_WRITE_MEMORY, parse_write_memory_binary},
    {"c", RSP_RESUME, rsp_parse_continue},
    {"C", RSP_RESUME, rsp_parse_continue_signal},
    {"s", RSP_RESUME, rsp_parse_step},
    {"S", RSP_RESUME, rsp_parse_step_signal},
    {"Z", RSP_INSERT_POINT, rsp_parse_point},
    {"z", RSP_REMOVE_POINT, rsp_parse_point},
    {"H", RSP_SET_THREAD, parse_set_thread},
    {"T", RSP_THREAD_ALIVE, parse_thread},
    {"D", RSP_DETACH, parse_optional_process},
    {"k", RSP_KILL, parse_nothing},
    {"!", RSP_EXTENDED_MODE, parse_nothing},
    {"R", RSP_RESTART, parse_anything},
};

/* Packets whose name is a word, ended by one of `:,;?` or the packet's end. */
static const struct row words[] = {
    {"bs", RSP_REVERSE_STEP, parse_nothing},
    {"bc", RSP_REVERSE_CONTINUE, parse_nothing},
    {"vCont", RSP_VCONT, rsp_parse_vcont},
    {"vKill", RSP_VKILL, parse_process},
    {"vRun", RSP_VRUN, rsp_parse_vrun},
    {"vAttach", RSP_VATTACH, parse_process},
    {"vMustReplyEmpty", RSP_MUST_REPLY_EMPTY, parse_nothing},
    {"qSupported", RSP_SUPPORTED, rsp_parse_supported},
    {"qC", RSP_CURRENT_THREAD, parse_nothing},
    {"qfThreadInfo", RSP_THREADS_FIRST, parse_nothing},
    {"qsThreadInfo", RSP_THREADS_NEXT, parse_nothing},
    {"qThreadExtraInfo", RSP_THREAD_EXTRA_INFO, rsp_parse_extra_info},
    {"qAttached", RSP_ATTACHED, rsp_parse_attached},
    {"qOffsets", RSP_OFFSETS, parse_nothing},
    {"qSymbol", RSP_SYMBOL, rsp_parse_symbol},
    {"qTStatus", RSP_TRACE_STATUS, parse_nothing},
    {"qRcmd", RSP_MONITOR, rsp_parse_monitor},
    {"qXfer", RSP_TRANSFER_READ, rsp_parse_transfer},
    {"qSearch", RSP_SEARCH_MEMORY, rsp_parse_search},
    {"qCRC", RSP_CRC, rsp_parse_crc},
    {"QStartNoAckMode", RSP_START_NO_ACK_MODE, parse_nothing},
    {"qqemu.Supported", RSP_QEMU_SUPPORTED, parse_nothing},
    {"qqemu.PhyMemMode", RSP_PHYSICAL_QUERY, parse_nothing},
    {"Qqemu.PhyMemMode", RSP_PHYSICAL_SET, rsp_parse_switch},
};

static size_t word_size(const uint8_t *payload, size_t size)
{
    size_t n = 0;
    while (n < size && payload[n] && !strchr(":,;?", payload[n]))
        n++;
    return n;
}

static const struct row *find_row(const struct row *rows, size_t count, struct rsp_slice name)
{
    for (size_t i = 0; i < count; i++) {
        if (rsp_slice_is(name, rows[i].name))
            return &rows[i];
    }
    return NULL;
}

void rsp_request_parse(uint8_t *payload, size_t size, struct rsp_request *out)
{
    memset(out, 0, sizeof *out);
    if (!size)
        return;
    struct rsp_slice name = {payload, 1};
    const struct row *row = find_row(letters, sizeof letters / sizeof letters[0], name);
    if (!row) {
        name.size = word_size(payload, size);
        row = find_row(words, sizeof words / sizeof words[0], name);
    }
    if (!row)
        return;
    struct scan scan = {payload + name.size, payload + size};
    out->kind = row->kind;
    bool good = row->parse(&scan, out);
    if (out->kind != RSP_UNKNOWN && (!good || !scan_done(&scan)))
        out->kind = RSP_MALFORMED;
}
