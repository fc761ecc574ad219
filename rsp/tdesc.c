#include "rsp/tdesc.h"

#include "base/check.h"

#include <inttypes.h>
#include <string.h>

static void check_text(const char *text)
{
    for (const char *p = text; *p; p++)
        check(*p >= ' ' && *p <= '~' && !strchr("<>&\"'", *p), "%s in a target description", text);
}

static void append_attribute(struct buffer *out, const char *name, const char *value)
{
    check_text(value);
    buffer_printf(out, " %s=\"%s\"", name, value);
}

static void append_register(struct buffer *out, const struct rsp_register *reg)
{
    check(reg->bits && reg->bits % 8 == 0, "register %s of %u bits", reg->name, reg->bits);
    buffer_append_string(out, "    <reg");
    append_attribute(out, "name", reg->name);
    buffer_printf(out, " bitsize=\"%u\" regnum=\"%" PRIu32 "\"", reg->bits, reg->number);
    append_attribute(out, "type", reg->type);
    if (reg->group)
        append_attribute(out, "group", reg->group);
    if (reg->no_restore)
        append_attribute(out, "save-restore", "no");
    buffer_append_string(out, "/>\n");
}

/* Whether no register before `index` is of the same feature. */
static bool opens_feature(const struct rsp_register *registers, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (strcmp(registers[i].feature, registers[index].feature) == 0)
            return false;
    }
    return true;
}

static void append_feature(struct buffer *out, const char *feature,
                           const struct rsp_register *registers, size_t count)
{
    buffer_append_string(out, "  <feature");
    append_attribute(out, "name", feature);
    buffer_append_string(out, ">\n");
    for (size_t i = 0; i < count; i++) {
        if (strcmp(registers[i].feature, feature) == 0)
            append_register(out, &registers[i]);
    }
    buffer_append_string(out, "  </feature>\n");
}

void rsp_tdesc_append(struct buffer *out, const char *architecture,
                      const struct rsp_register *registers, size_t count)
{
    check_text(architecture);
    buffer_printf(out,
                  "<?xml version=\"1.0\"?>\n"
                  "<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n"
                  "<target version=\"1.0\">\n"
                  "  <architecture>%s</architecture>\n"
                  "  <osabi>none</osabi>\n",
                  architecture);
    for (size_t i = 0; i < count; i++) {
        if (opens_feature(registers, i))
            append_feature(out, registers[i].feature, registers + i, count - i);
    }
    buffer_append_string(out, "</target>\n");
}
