/* A request parsed from a heap block of just its size, where ASan sees a byte too far. */
#ifndef TESTS_UNIT_RSP_PARSED_H
#define TESTS_UNIT_RSP_PARSED_H

#include "rsp/request.h"

#include <stdlib.h>
#include <string.h>

struct parsed {
    uint8_t *payload; /* the request's slices lie in it; the caller frees it */
    struct rsp_request request;
};

static inline struct parsed parse(const void *text, size_t size)
{
    struct parsed parsed;
    parsed.payload = malloc(size ? size : 1);
    memcpy(parsed.payload, text, size);
    rsp_request_parse(parsed.payload, size, &parsed.request);
    return parsed;
}

static inline enum rsp_request_kind kind_of(const void *text, size_t size)
{
    struct parsed parsed = parse(text, size);
    free(parsed.payload);
    return parsed.request.kind;
}

#endif
