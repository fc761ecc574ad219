/* Packets that make the machine move forward: c, C, s, S, vCont, vRun. */
#include "rsp/scan.h"

static bool parse_signal(struct scan *scan, uint8_t *signal)
{
    uint64_t value;
    if (!scan_hex_max(scan, UINT8_MAX, &value))
        return false;
    *signal = (uint8_t)value;
    return true;
}

static bool parse_address(struct scan *scan, struct rsp_request *out)
{
    out->resume.has_address = true;
    return scan_hex(scan, &out->resume.address);
}

bool rsp_parse_continue(struct scan *scan, struct rsp_request *out)
{
    return scan_done(scan) || parse_address(scan, out);
}

bool rsp_parse_continue_signal(struct scan *scan, struct rsp_request *out)
{
    if (!parse_signal(scan, &out->resume.signal))
        return false;
    return scan_byte(scan, ';') ? parse_address(scan, out) : true;
}

bool rsp_parse_step(struct scan *scan, struct rsp_request *out)
{
    out->resume.step = true;
    return rsp_parse_continue(scan, out);
}

bool rsp_parse_step_signal(struct scan *scan, struct rsp_request *out)
{
    out->resume.step = true;
    return rsp_parse_continue_signal(scan, out);
}

static bool parse_action(struct scan *scan, struct rsp_action *action)
{
    if (scan_done(scan))
        return false;
    switch (*scan->at++) {
    case 'c':
        action->kind = RSP_ACTION_CONTINUE;
        break;
    case 'C':
        action->kind = RSP_ACTION_CONTINUE;
        if (!parse_signal(scan, &action->signal))
            return false;
        break;
    case 's':
        action->kind = RSP_ACTION_STEP;
        break;
    case 'S':
        action->kind = RSP_ACTION_STEP;
        if (!parse_signal(scan, &action->signal))
            return false;
        break;
    case 't':
        action->kind = RSP_ACTION_STOP;
        break;
    case 'r':
        action->kind = RSP_ACTION_RANGE;
        if (!scan_hex_pair(scan, ',', &action->start, &action->end))
            return false;
        break;
    default:
        return false;
    }
    action->thread = (struct rsp_thread_id){RSP_THREAD_ANY, RSP_THREAD_ALL};
    return scan_byte(scan, ':') ? scan_thread(scan, &action->thread) : true;
}

bool rsp_parse_vcont(struct scan *scan, struct rsp_request *out)
{
    if (scan_byte(scan, '?')) {
        out->kind = RSP_VCONT_QUERY;
        return true;
    }
    while (scan_byte(scan, ';')) {
        if (out->vcont.count == RSP_ACTIONS_MAX ||
            !parse_action(scan, &out->vcont.action[out->vcont.count]))
            return false;
        out->vcont.count++;
    }
    return out->vcont.count > 0;
}

static bool parse_argument(struct scan *scan, struct rsp_slice *argument)
{
    size_t digits = scan_until(scan, ';');
    return digits % 2 == 0 && scan_encoded(scan, digits / 2, argument);
}

bool rsp_parse_vrun(struct scan *scan, struct rsp_request *out)
{
    if (!scan_byte(scan, ';'))
        return true;
    if (!parse_argument(scan, &out->run.program))
        return false;
    while (scan_byte(scan, ';')) {
        if (out->run.count == RSP_ARGUMENTS_MAX ||
            !parse_argument(scan, &out->run.argument[out->run.count]))
            return false;
        out->run.count++;
    }
    return true;
}
