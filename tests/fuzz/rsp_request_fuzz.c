/* Any payload is parsed, nothing outside it is touched, and slices stay inside it. */
#include "base/check.h"
#include "rsp/request.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct payload {
    const uint8_t *data;
    size_t size;
};

static void check_slice(struct payload payload, struct rsp_slice slice)
{
    if (!slice.data) {
        check(slice.size == 0, "%zu bytes of nothing", slice.size);
        return;
    }
    check(slice.data >= payload.data && slice.size <= payload.size &&
              (size_t)(slice.data - payload.data) <= payload.size - slice.size,
          "slice of %zu bytes", slice.size);
}

static void check_bytecodes(struct payload payload, const struct rsp_bytecodes *list)
{
    check(list->count <= RSP_BYTECODES_MAX, "%zu bytecodes", list->count);
    for (size_t i = 0; i < list->count; i++)
        check_slice(payload, list->item[i]);
}

static void check_thread(struct rsp_thread_id id)
{
    check(id.process >= -1 && id.thread >= -1, "p%d.%d", id.process, id.thread);
}

static void check_request(struct payload payload, const struct rsp_request *request)
{
    switch (request->kind) {
    case RSP_WRITE_REGISTERS:
    case RSP_WRITE_REGISTER:
        check_slice(payload, request->reg.value);
        break;
    case RSP_WRITE_MEMORY:
        check(request->memory.data.size == request->memory.length, "%zu bytes",
              request->memory.data.size);
        check_slice(payload, request->memory.data);
        break;
    case RSP_SEARCH_MEMORY:
        check_slice(payload, request->memory.data);
        break;
    case RSP_VCONT:
        check(request->vcont.count >= 1 && request->vcont.count <= RSP_ACTIONS_MAX, "%zu actions",
              request->vcont.count);
        for (size_t i = 0; i < request->vcont.count; i++)
            check_thread(request->vcont.action[i].thread);
        break;
    case RSP_INSERT_POINT:
        check_bytecodes(payload, &request->point.conditions);
        check_bytecodes(payload, &request->point.commands);
        break;
    case RSP_VRUN:
        check(request->run.count <= RSP_ARGUMENTS_MAX, "%zu arguments", request->run.count);
        check_slice(payload, request->run.program);
        for (size_t i = 0; i < request->run.count; i++)
            check_slice(payload, request->run.argument[i]);
        break;
    case RSP_SET_THREAD:
        check_thread(request->set_thread.thread);
        break;
    case RSP_MONITOR:
        check_slice(payload, request->command);
        break;
    case RSP_TRANSFER_READ:
        check_slice(payload, request->transfer.object);
        check_slice(payload, request->transfer.annex);
        break;
    default:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* A block of its own, so that one byte too far is seen. */
    uint8_t *payload = malloc(size ? size : 1);
    if (size)
        memcpy(payload, data, size);
    struct rsp_request request;
    rsp_request_parse(payload, size, &request);
    check_request((struct payload){payload, size}, &request);
    free(payload);
    return 0;
}
