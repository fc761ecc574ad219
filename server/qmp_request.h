/* One request of a control socket: a JSON object that names a command, and what it is given. */
#ifndef SERVER_QMP_REQUEST_H
#define SERVER_QMP_REQUEST_H

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Points into `object`, which it owns. All zero: none. */
struct qmp_request {
    json_t *object;
    const json_t *id; /* NULL: none */
    const char *command;
    const json_t *arguments; /* NULL: none */
};

/* Takes `object` over, also when it is no request (false): `id` is good then too. */
bool qmp_request_init(struct qmp_request *request, json_t *object, struct error *err);
void qmp_request_fini(struct qmp_request *request);

enum qmp_type { QMP_STRING, QMP_INTEGER, QMP_BOOLEAN, QMP_ARRAY, QMP_ANY };

struct qmp_parameter {
    const char *name;
    enum qmp_type type;
    bool optional;
};

/* Are these what the command takes? With QEMU's words, in QEMU's order. */
bool qmp_arguments_check(const json_t *arguments, const struct qmp_parameter *parameter,
                         size_t parameters, struct error *err);
/* NULL: it was not given. */
const char *qmp_string(const struct qmp_request *request, const char *name);

#endif
