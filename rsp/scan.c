#include "rsp/scan.h"

#include "base/hex.h"

#include <string.h>

bool scan_done(const struct scan *scan)
{
    return scan->at == scan->end;
}

size_t scan_left(const struct scan *scan)
{
    return (size_t)(scan->end - scan->at);
}

bool scan_byte(struct scan *scan, char byte)
{
    if (scan_done(scan) || *scan->at != (uint8_t)byte)
        return false;
    scan->at++;
    return true;
}

bool scan_hex(struct scan *scan, uint64_t *value)
{
    const char *text = (const char *)scan->at;
    if (!hex_number(&text, (const char *)scan->end, value))
        return false;
    scan->at += text - (const char *)scan->at;
    return true;
}

bool scan_hex_max(struct scan *scan, uint64_t max, uint64_t *value)
{
    return scan_hex(scan, value) && *value <= max;
}

bool scan_hex_pair(struct scan *scan, char separator, uint64_t *first, uint64_t *second)
{
    return scan_hex(scan, first) && scan_byte(scan, separator) && scan_hex(scan, second);
}

static bool scan_id(struct scan *scan, int32_t *id)
{
    if (scan_byte(scan, '-')) {
        *id = RSP_THREAD_ALL;
        return scan_byte(scan, '1');
    }
    uint64_t value;
    if (!scan_hex_max(scan, INT32_MAX, &value))
        return false;
    *id = (int32_t)value;
    return true;
}

bool scan_thread(struct scan *scan, struct rsp_thread_id *thread)
{
    thread->process = RSP_THREAD_ANY;
    if (!scan_byte(scan, 'p'))
        return scan_id(scan, &thread->thread);
    thread->thread = RSP_THREAD_ALL;
    if (!scan_id(scan, &thread->process))
        return false;
    if (!scan_byte(scan, '.'))
        return true;
    if (!scan_id(scan, &thread->thread))
        return false;
    return thread->process != RSP_THREAD_ALL || thread->thread <= 0;
}

bool scan_bytes(struct scan *scan, uint64_t count, struct rsp_slice *slice)
{
    if (count > scan_left(scan))
        return false;
    slice->data = scan->at;
    slice->size = (size_t)count;
    scan->at += count;
    return true;
}

bool scan_encoded(struct scan *scan, uint64_t count, struct rsp_slice *slice)
{
    if (count > scan_left(scan) / 2)
        return false;
    slice->data = scan->at;
    slice->size = (size_t)count;
    if (!hex_decode((const char *)scan->at, 2 * slice->size, scan->at))
        return false;
    scan->at += 2 * slice->size;
    return true;
}

size_t scan_until(const struct scan *scan, char stop)
{
    if (scan_done(scan))
        return 0;
    const uint8_t *found = memchr(scan->at, stop, scan_left(scan));
    return found ? (size_t)(found - scan->at) : scan_left(scan);
}

struct rsp_slice scan_rest(struct scan *scan)
{
    struct rsp_slice rest = {scan->at, scan_left(scan)};
    scan->at = scan->end;
    return rest;
}
