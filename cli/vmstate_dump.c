#include "cli/vmstate_dump.h"

#include "base/check.h"
#include "base/fields.h"
#include "base/outfile.h"
#include "cli/vmstate_model.h"
#include "devices/riscv_virt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add(json_t *object, const char *key, json_t *value)
{
    check(json_object_set_new(object, key, value) == 0, "%s cannot be added", key);
}

static void add_to_list(json_t *array, json_t *value)
{
    check(json_array_append_new(array, value) == 0, "%zu elements", json_array_size(array));
}

static json_t *describe(const struct fields *table);

static json_t *describe_field(const struct field *field)
{
    json_t *object = json_object();
    uint64_t size = field->unused ? (uint64_t)field->size * field->count : field->size;
    add(object, "field", json_string(field->unused ? "unused" : field->name));
    add(object, "version_id", json_integer(field->version_id));
    add(object, "field_exists", json_boolean(field->exists != NULL));
    add(object, "size", json_integer((json_int_t)size));
    if (!field->unused && field->count > 1)
        add(object, "num", json_integer(field->count));
    if (field->nested)
        add(object, "Description", describe(field->nested));
    return object;
}

static void add_versions(json_t *object, const struct fields *table)
{
    add(object, "version_id", json_integer(table->version_id));
    add(object, "minimum_version_id", json_integer(table->minimum_version_id));
}

static json_t *describe(const struct fields *table)
{
    json_t *object = json_object(), *list = json_array();
    add(object, "name", json_string(table->name));
    add_versions(object, table);
    for (uint32_t i = 0; i < table->count; i++)
        add_to_list(list, describe_field(&table->field[i]));
    add(object, "Fields", list);
    if (table->subsections) {
        list = json_array();
        for (const struct fields *const *sub = table->subsections; *sub; sub++)
            add_to_list(list, describe(*sub));
        add(object, "Subsections", list);
    }
    return object;
}

static json_t *describe_section(const struct fields *table)
{
    json_t *object = json_object();
    add(object, "Name", json_string(table->name));
    add_versions(object, table);
    add(object, "Description", describe(table));
    return object;
}

void vmstate_dump(const char *machine, const struct fields *const *table, size_t count,
                  struct buffer *out)
{
    json_t *dump = json_object(), *object = json_object();
    add(object, "Name", json_string(machine));
    add(dump, VMSTATE_MACHINE, object);
    for (size_t i = 0; i < count; i++)
        add(dump, table[i]->name, describe_section(table[i]));
    char *text = json_dumps(dump, JSON_INDENT(2));
    check(text, "%zu sections", count);
    buffer_append_string(out, text);
    buffer_append_byte(out, '\n');
    free(text);
    json_decref(dump);
}

void vmstate_dump_virt(struct buffer *out)
{
    size_t count;
    const struct riscv_virt_table *found = riscv_virt_tables(&count);
    const struct fields **table = mem_new(count, sizeof *table);
    for (size_t i = 0; i < count; i++)
        table[i] = found[i].fields;
    vmstate_dump("virt", table, count, out);
    free(table);
}

static bool write_file(const char *path, const struct buffer *text, struct error *err)
{
    struct outfile file = {0};
    if (!outfile_open(&file, path, err))
        return false;
    if (outfile_write(&file, 0, text->data, text->size, err))
        return outfile_commit(&file, text->size, err);
    outfile_abandon(&file);
    return false;
}

bool vmstate_dump_write(const char *path, struct error *err)
{
    struct buffer text;
    buffer_init(&text);
    vmstate_dump_virt(&text);
    bool ok;
    if (strcmp(path, "-") != 0)
        ok = write_file(path, &text, err);
    else if (fwrite(text.data, 1, text.size, stdout) != text.size || fflush(stdout))
        ok = error_set(err, ERROR_IO, "standard output: %s", strerror(errno));
    else
        ok = true;
    buffer_fini(&text);
    return ok;
}
