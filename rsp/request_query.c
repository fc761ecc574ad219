/* The q packets with arguments. */
#include "rsp/scan.h"

struct feature_name {
    const char *name;
    enum rsp_feature feature;
};

static const struct feature_name feature_names[] = {
    {"multiprocess+", RSP_MULTIPROCESS},
    {"swbreak+", RSP_SWBREAK},
    {"hwbreak+", RSP_HWBREAK},
    {"error-message+", RSP_ERROR_MESSAGE},
    {"vContSupported+", RSP_VCONT_SUPPORTED},
    {"QThreadEvents+", RSP_QTHREAD_EVENTS},
    {"QThreadOptions+", RSP_QTHREAD_OPTIONS},
    {"no-resumed+", RSP_NO_RESUMED},
    {"qRelocInsn+", RSP_QRELOC_INSN},
    {"fork-events+", RSP_FORK_EVENTS},
    {"vfork-events+", RSP_VFORK_EVENTS},
    {"exec-events+", RSP_EXEC_EVENTS},
    {"memory-tagging+", RSP_MEMORY_TAGGING},
};

static uint32_t feature_of(struct rsp_slice name)
{
    for (size_t i = 0; i < sizeof feature_names / sizeof feature_names[0]; i++) {
        if (rsp_slice_is(name, feature_names[i].name))
            return feature_names[i].feature;
    }
    return 0;
}

bool rsp_parse_supported(struct scan *scan, struct rsp_request *out)
{
    if (scan_done(scan)) {
        out->features = RSP_BARE;
        return true;
    }
    if (!scan_byte(scan, ':'))
        return false;
    do {
        struct rsp_slice name;
        if (!scan_bytes(scan, scan_until(scan, ';'), &name))
            return false;
        out->features |= feature_of(name);
    } while (scan_byte(scan, ';'));
    return true;
}

bool rsp_parse_monitor(struct scan *scan, struct rsp_request *out)
{
    return scan_byte(scan, ',') && scan_encoded(scan, scan_left(scan) / 2, &out->command);
}

/* OBJECT:read:ANNEX:OFFSET,LENGTH. An annex may have colons of its own: the last one ends it. */
bool rsp_parse_transfer(struct scan *scan, struct rsp_request *out)
{
    struct rsp_slice verb;
    if (!scan_byte(scan, ':') || !scan_bytes(scan, scan_until(scan, ':'), &out->transfer.object) ||
        !scan_byte(scan, ':') || !scan_bytes(scan, scan_until(scan, ':'), &verb) ||
        !scan_byte(scan, ':'))
        return false;
    if (!rsp_slice_is(verb, "read")) {
        out->kind = RSP_UNKNOWN;
        return true;
    }
    size_t annex = scan_left(scan);
    while (annex > 0 && scan->at[annex - 1] != ':')
        annex--;
    return annex > 0 && scan_bytes(scan, annex - 1, &out->transfer.annex) && scan_byte(scan, ':') &&
           scan_hex_pair(scan, ',', &out->transfer.offset, &out->transfer.length);
}

bool rsp_parse_search(struct scan *scan, struct rsp_request *out)
{
    struct rsp_slice space;
    if (!scan_byte(scan, ':') || !scan_bytes(scan, scan_until(scan, ':'), &space))
        return false;
    if (!rsp_slice_is(space, "memory")) {
        out->kind = RSP_UNKNOWN;
        return true;
    }
    if (!scan_byte(scan, ':') ||
        !scan_hex_pair(scan, ';', &out->memory.address, &out->memory.length) ||
        !scan_byte(scan, ';'))
        return false;
    out->memory.data = scan_rest(scan);
    return out->memory.data.size > 0;
}

bool rsp_parse_crc(struct scan *scan, struct rsp_request *out)
{
    return scan_byte(scan, ':') &&
           scan_hex_pair(scan, ',', &out->memory.address, &out->memory.length);
}

/* `qSymbol::` offers symbols; `qSymbol:VALUE:NAME` answers a question we never ask. */
bool rsp_parse_symbol(struct scan *scan, struct rsp_request *out)
{
    (void)out;
    if (!scan_byte(scan, ':'))
        return false;
    size_t value = scan_until(scan, ':');
    scan->at += value;
    if (!scan_byte(scan, ':'))
        return false;
    scan_rest(scan);
    return true;
}

/* `:0` or `:1`. */
bool rsp_parse_switch(struct scan *scan, struct rsp_request *out)
{
    uint64_t value;
    if (!scan_byte(scan, ':') || !scan_hex_max(scan, 1, &value))
        return false;
    out->on = value;
    return true;
}

bool rsp_parse_attached(struct scan *scan, struct rsp_request *out)
{
    return scan_done(scan) || (scan_byte(scan, ':') && scan_hex(scan, &out->process));
}

bool rsp_parse_extra_info(struct scan *scan, struct rsp_request *out)
{
    return scan_byte(scan, ',') && scan_thread(scan, &out->thread);
}
