/* A cursor over a payload, for the request parsers. Every function that returns bool takes what it
 * names and moves past it, or returns false; after a false the request is malformed and the cursor
 * is not used again, except after scan_byte, which then has not moved. */
#ifndef RSP_SCAN_H
#define RSP_SCAN_H

#include "rsp/request.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scan {
    uint8_t *at, *end;
};

bool scan_done(const struct scan *scan);
bool scan_byte(struct scan *scan, char byte);
/* 1 to 16 significant hex digits. */
bool scan_hex(struct scan *scan, uint64_t *value);
bool scan_hex_max(struct scan *scan, uint64_t max, uint64_t *value);
/* ADDRESS `separator` LENGTH, both hex. */
bool scan_hex_pair(struct scan *scan, char separator, uint64_t *first, uint64_t *second);
bool scan_thread(struct scan *scan, struct rsp_thread_id *thread);
/* `count` bytes as they are. */
bool scan_bytes(struct scan *scan, uint64_t count, struct rsp_slice *slice);
/* `count` bytes from 2 * count hex digits, decoded in place. */
bool scan_encoded(struct scan *scan, uint64_t count, struct rsp_slice *slice);

/* Bytes before the next `stop`, or all that are left. */
size_t scan_until(const struct scan *scan, char stop);
size_t scan_left(const struct scan *scan);
struct rsp_slice scan_rest(struct scan *scan);

/* Parsers of one kind each. The cursor stands behind the packet's name; out->kind is set and the
 * union is zero. They may set the kind to RSP_UNKNOWN. False, or bytes left over: malformed. */
typedef bool rsp_parser(struct scan *scan, struct rsp_request *out);

/* request_resume.c */
rsp_parser rsp_parse_continue, rsp_parse_continue_signal, rsp_parse_step, rsp_parse_step_signal;
rsp_parser rsp_parse_vcont, rsp_parse_vrun;
/* request_point.c */
rsp_parser rsp_parse_point;
/* request_query.c */
rsp_parser rsp_parse_supported, rsp_parse_monitor, rsp_parse_transfer, rsp_parse_search;
rsp_parser rsp_parse_crc, rsp_parse_symbol, rsp_parse_attached, rsp_parse_extra_info,
    rsp_parse_switch;

#endif
