/* Z and z packets: TYPE,ADDRESS,KIND, then for breakpoints `;X<size>,<bytecode>` conditions and
 * `;cmds:<persist>,X<size>,<bytecode>` commands; of several bytecodes nothing stands between. */
#include "rsp/scan.h"

static bool parse_bytecodes(struct scan *scan, struct rsp_bytecodes *list)
{
    while (scan_byte(scan, 'X')) {
        uint64_t size;
        if (list->count == RSP_BYTECODES_MAX || !scan_hex(scan, &size) || !scan_byte(scan, ',') ||
            !scan_encoded(scan, size, &list->item[list->count]))
            return false;
        list->count++;
    }
    return true;
}

static bool parse_commands(struct scan *scan, struct rsp_request *out)
{
    uint64_t persist;
    if (!scan_byte(scan, 'm') || !scan_byte(scan, 'd') || !scan_byte(scan, 's') ||
        !scan_byte(scan, ':') || !scan_hex_max(scan, 1, &persist) || !scan_byte(scan, ','))
        return false;
    out->point.persist = persist;
    return parse_bytecodes(scan, &out->point.commands) && out->point.commands.count > 0;
}

static bool parse_condition_or_commands(struct scan *scan, struct rsp_request *out)
{
    if (scan_byte(scan, 'c'))
        return parse_commands(scan, out);
    size_t before = out->point.conditions.count;
    return parse_bytecodes(scan, &out->point.conditions) && out->point.conditions.count > before;
}

bool rsp_parse_point(struct scan *scan, struct rsp_request *out)
{
    uint64_t type;
    if (!scan_hex(scan, &type) || !scan_byte(scan, ','))
        return false;
    if (type > RSP_POINT_ACCESS) {
        out->kind = RSP_UNKNOWN;
        return true;
    }
    out->point.type = (enum rsp_point_type)type;
    if (!scan_hex_pair(scan, ',', &out->point.address, &out->point.length))
        return false;
    if (out->kind == RSP_REMOVE_POINT || type > RSP_POINT_HARDWARE)
        return true;
    while (scan_byte(scan, ';')) {
        if (!parse_condition_or_commands(scan, out))
            return false;
    }
    return true;
}
