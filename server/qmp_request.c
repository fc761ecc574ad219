#include "server/qmp_request.h"

#include <string.h>

static bool check_members(const json_t *object, struct error *err)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        if (!strcmp(key, "execute")) {
            if (!json_is_string(value))
                return error_set(err, ERROR_FORMAT, "QMP input member 'execute' must be a string");
        } else if (!strcmp(key, "arguments")) {
            if (!json_is_object(value))
                return error_set(err, ERROR_FORMAT,
                                 "QMP input member 'arguments' must be an object");
        } else if (strcmp(key, "id") != 0) {
            return error_set(err, ERROR_FORMAT, "QMP input member '%.200s' is unexpected", key);
        }
    }
    return json_object_get(object, "execute") ||
           error_set(err, ERROR_FORMAT, "QMP input lacks member 'execute'");
}

bool qmp_request_init(struct qmp_request *r, json_t *object, struct error *err)
{
    *r = (struct qmp_request){.object = object, .id = json_object_get(object, "id")};
    if (!check_members(object, err))
        return false;
    r->command = json_string_value(json_object_get(object, "execute"));
    r->arguments = json_object_get(object, "arguments");
    return true;
}

void qmp_request_fini(struct qmp_request *r)
{
    json_decref(r->object);
    *r = (struct qmp_request){0};
}

static bool has_type(const json_t *value, enum qmp_type type)
{
    switch (type) {
    case QMP_STRING:
        return json_is_string(value);
    case QMP_INTEGER:
        return json_is_integer(value);
    case QMP_BOOLEAN:
        return json_is_boolean(value);
    case QMP_ARRAY:
        return json_is_array(value);
    case QMP_ANY:
        return true;
    }
    return false;
}

static bool is_parameter(const char *key, const struct qmp_parameter *parameter, size_t parameters)
{
    for (size_t i = 0; i < parameters; i++) {
        if (!strcmp(parameter[i].name, key))
            return true;
    }
    return false;
}

bool qmp_arguments_check(const json_t *arguments, const struct qmp_parameter *parameter,
                         size_t parameters, struct error *err)
{
    static const char *const type[] = {"string", "integer", "boolean", "array", "any"};
    for (size_t i = 0; i < parameters; i++) {
        const json_t *value = json_object_get(arguments, parameter[i].name);
        if (!value && !parameter[i].optional)
            return error_set(err, ERROR_USAGE, "Parameter '%s' is missing", parameter[i].name);
        if (value && !has_type(value, parameter[i].type))
            return error_set(err, ERROR_USAGE, "Invalid parameter type for '%s', expected: %s",
                             parameter[i].name, type[parameter[i].type]);
    }
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)arguments, key, value)
    {
        if (!is_parameter(key, parameter, parameters))
            return error_set(err, ERROR_USAGE, "Parameter '%.200s' is unexpected", key);
    }
    return true;
}

const char *qmp_string(const struct qmp_request *r, const char *name)
{
    return json_string_value(json_object_get(r->arguments, name));
}
