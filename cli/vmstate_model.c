#include "cli/vmstate_model.h"

#include "base/buffer.h"
#include "machine/loader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- where something stands ---- */

/* A value's way down from the document. */
struct place {
    const struct place *up; /* NULL: the document itself */
    const char *key;        /* NULL: an array's element */
    size_t index;
    unsigned depth;
};

static struct place below(const struct place *up, const char *key, size_t index)
{
    return (struct place){up, key, index, up ? up->depth + 1 : 1};
}

struct document {
    const char *name;
    const char *text; /* that jansson has accepted: the scanning below trusts it */
    struct error *err;
};

static const char *skip_blank(const char *at)
{
    return at + strspn(at, " \t\r\n");
}

static const char *skip_string(const char *at)
{
    for (at++; *at != '"'; at++)
        at += *at == '\\';
    return at + 1;
}

static const char *skip_value(const char *at)
{
    size_t depth = 0;
    do {
        if (*at == '"') {
            at = skip_string(at);
            continue;
        }
        depth += *at == '{' || *at == '[';
        depth -= *at == '}' || *at == ']';
        at++;
    } while (depth || !strchr(",]} \t\r\n", *at));
    return at;
}

static bool is_key(const char *token, const char *end, const char *key)
{
    size_t size = (size_t)(end - token);
    if (!memchr(token, '\\', size))
        return size - 2 == strlen(key) && !memcmp(token + 1, key, size - 2);
    json_t *name = json_loadb(token, size, JSON_DECODE_ANY, NULL);
    bool same = json_is_string(name) && !strcmp(json_string_value(name), key);
    json_decref(name);
    return same;
}

/* In the object or array at `at`: the member of this name (the last), or the element. */
static const char *child(const char *at, const struct place *place)
{
    const char *found = at;
    size_t index = 0;
    for (at = skip_blank(at + 1); *at != '}' && *at != ']'; at = skip_blank(at), index++) {
        bool wanted = index == place->index;
        if (place->key) {
            const char *end = skip_string(at);
            wanted = is_key(at, end, place->key);
            at = skip_blank(skip_blank(end) + 1);
        }
        if (wanted)
            found = at;
        if (wanted && !place->key)
            break;
        at = skip_blank(skip_value(at));
        at += *at == ',';
    }
    return found;
}

static const char *locate(const struct document *doc, const struct place *place)
{
    return place ? child(locate(doc, place->up), place) : skip_blank(doc->text);
}

static void print_path(const struct place *place, struct buffer *out)
{
    if (!place)
        return;
    print_path(place->up, out);
    if (!place->key)
        buffer_printf(out, "[%zu]", place->index);
    else
        buffer_printf(out, "%s%s", place->up ? "." : "", place->key);
}

/* What was read goes to a terminal. */
static void make_printable(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = '?';
}

static bool refuse(const struct document *doc, const struct place *place, const char *what)
{
    enum { PATH_SHOWN = 160 };
    size_t line = 1, column = 1;
    const char *found = locate(doc, place);
    for (const char *at = doc->text; at < found; at++) {
        bool end = *at == '\n';
        line += end;
        column = end ? 1 : column + ((*at & 0xc0) != 0x80);
    }
    struct buffer path;
    buffer_init(&path);
    print_path(place, &path);
    const char *shown = buffer_text(&path), *cut = "";
    if (path.size > PATH_SHOWN) {
        shown += path.size - PATH_SHOWN;
        cut = "...";
    }
    error_set(doc->err, ERROR_FORMAT, "%.200s:%zu:%zu: %s%s%s%s", doc->name, line, column, cut,
              shown, place ? ": " : "", what);
    make_printable(doc->err->message);
    buffer_fini(&path);
    return false;
}

/* ---- the shape ---- */

enum type { NAME, INTEGER, BOOLEAN, DESCRIPTION, DESCRIPTIONS, FIELDS };

struct entry {
    const char *key;
    enum type type;
    bool required;
};

struct shape {
    const struct entry *entry;
    size_t count;
};

#define SHAPE(entries)                                                                             \
    {                                                                                              \
        entries, sizeof(entries) / sizeof *(entries)                                               \
    }

static const struct entry machine_entry[] = {{"Name", NAME, true}};
static const struct entry section_entry[] = {
    {"Name", NAME, false},
    {"version_id", INTEGER, true},
    {"minimum_version_id", INTEGER, false},
    {"Description", DESCRIPTION, false},
};
static const struct entry description_entry[] = {
    {"name", NAME, true},
    {"version_id", INTEGER, true},
    {"minimum_version_id", INTEGER, false},
    {"Fields", FIELDS, false},
    {"Subsections", DESCRIPTIONS, false},
};
static const struct entry field_entry[] = {
    {"field", NAME, true},
    {"version_id", INTEGER, true},
    {"minimum_version_id", INTEGER, false},
    {"field_exists", BOOLEAN, false},
    {"size", INTEGER, true},
    {"num", INTEGER, false},
    {"Description", DESCRIPTION, false},
};
static const struct shape machine_shape = SHAPE(machine_entry);
static const struct shape section_shape = SHAPE(section_entry);
static const struct shape description_shape = SHAPE(description_entry);
static const struct shape field_shape = SHAPE(field_entry);

static bool check_entry(const struct document *doc, json_t *value, enum type type,
                        const struct place *place);

static bool check_keys(const struct document *doc, json_t *object, const struct place *place)
{
    if (!json_is_object(object))
        return refuse(doc, place, "must be an object");
    if (place && place->depth > VMSTATE_NESTING_MOST)
        return refuse(doc, place, "descriptions are nested too deep");
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        const struct place at = below(place, key, 0);
        if (strlen(key) > VMSTATE_NAME_MOST)
            return refuse(doc, &at, "the name is too long: 1024 bytes at most");
    }
    return true;
}

static bool check_shape(const struct document *doc, json_t *object, const struct shape *shape,
                        const struct place *place)
{
    if (!check_keys(doc, object, place))
        return false;
    for (size_t i = 0; i < shape->count; i++) {
        const struct entry *entry = &shape->entry[i];
        json_t *value = json_object_get(object, entry->key);
        const struct place at = below(place, entry->key, 0);
        if (value && !check_entry(doc, value, entry->type, &at))
            return false;
        if (!value && entry->required) {
            char what[64];
            snprintf(what, sizeof what, "\"%s\" is missing", entry->key);
            return refuse(doc, place, what);
        }
    }
    return true;
}

static bool check_list(const struct document *doc, json_t *array, const struct shape *shape,
                       const struct place *place)
{
    if (!json_is_array(array))
        return refuse(doc, place, "must be an array");
    for (size_t i = 0; i < json_array_size(array); i++) {
        const struct place at = below(place, NULL, i);
        if (!check_shape(doc, json_array_get(array, i), shape, &at))
            return false;
    }
    return true;
}

static bool check_entry(const struct document *doc, json_t *value, enum type type,
                        const struct place *place)
{
    switch (type) {
    case NAME:
        if (!json_is_string(value))
            return refuse(doc, place, "must be a string");
        if (json_string_length(value) > VMSTATE_NAME_MOST)
            return refuse(doc, place, "is too long: 1024 bytes at most");
        return true;
    case INTEGER:
        return json_is_integer(value) || refuse(doc, place, "must be an integer");
    case BOOLEAN:
        return json_is_boolean(value) || refuse(doc, place, "must be true or false");
    case DESCRIPTION:
        return check_shape(doc, value, &description_shape, place);
    case DESCRIPTIONS:
        return check_list(doc, value, &description_shape, place);
    case FIELDS:
        break;
    }
    return check_list(doc, value, &field_shape, place);
}

static bool check_dump(const struct document *doc, json_t *dump)
{
    if (!check_keys(doc, dump, NULL))
        return false;
    const char *key;
    json_t *value;
    json_object_foreach(dump, key, value)
    {
        const struct place at = below(NULL, key, 0);
        bool machine = !strcmp(key, VMSTATE_MACHINE);
        if (!check_shape(doc, value, machine ? &machine_shape : &section_shape, &at))
            return false;
    }
    return true;
}

/* ---- reading ---- */

/* jansson takes some 300 bytes for an empty object of two. */
static bool check_size(const char *name, const char *text, size_t size, struct error *err)
{
    size_t values = 0;
    if (size <= VMSTATE_BYTES_MOST)
        for (size_t i = 0; i < size; i++)
            values += text[i] == '{' || text[i] == '[' || text[i] == ',';
    if (size <= VMSTATE_BYTES_MOST && values <= VMSTATE_VALUES_MOST)
        return true;
    return error_set(err, ERROR_RANGE, "%.200s: too large for a dump: %d MiB and %d values at most",
                     name, VMSTATE_BYTES_MOST >> 20, VMSTATE_VALUES_MOST);
}

/* jansson takes one for the end of a number. */
static bool check_zero(const char *name, const char *text, size_t size, struct error *err)
{
    const char *zero = memchr(text, 0, size);
    size_t line = 1, column = 1;
    if (!zero)
        return true;
    for (const char *at = text; at < zero; at++) {
        column = *at == '\n' ? 1 : column + 1;
        line += *at == '\n';
    }
    return error_set(err, ERROR_FORMAT, "%.200s:%zu:%zu: a zero byte", name, line, column);
}

json_t *vmstate_parse(const char *name, const char *text, size_t size, struct error *err)
{
    if (!check_size(name, text, size, err) || !check_zero(name, text, size, err))
        return NULL;
    json_error_t bad;
    json_t *dump = json_loadb(text, size, 0, &bad);
    if (!dump) {
        error_set(err, ERROR_FORMAT, "%.200s:%d:%d: %s", name, bad.line, bad.column, bad.text);
        make_printable(err->message);
        return NULL;
    }
    const struct document doc = {name, text, err};
    if (check_dump(&doc, dump))
        return dump;
    json_decref(dump);
    return NULL;
}

json_t *vmstate_read(const char *path, struct error *err)
{
    uint8_t *bytes;
    size_t size;
    if (!file_read(path, VMSTATE_BYTES_MOST, &bytes, &size, err))
        return NULL;
    json_t *dump = vmstate_parse(path, (const char *)bytes, size, err);
    free(bytes);
    return dump;
}
