#include "base/check.h"
#include "base/hex.h"
#include "cli/recording_config.h"
#include "devices/virtio.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const virtio_name[] = {[VIRTIO_ID_NET] = "net",
                                          [VIRTIO_ID_BLOCK] = "block",
                                          [VIRTIO_ID_CONSOLE] = "console",
                                          [VIRTIO_ID_ENTROPY] = "entropy"};

unsigned recording_config_device(const char *name)
{
    for (unsigned id = 0; id < sizeof virtio_name / sizeof *virtio_name; id++)
        if (virtio_name[id] && !strcmp(virtio_name[id], name))
            return id;
    return 0;
}

/* JSON's integers have 63 bits; beyond them a number is written as a string. */
static json_t *number_json(uint64_t value)
{
    char text[24];
    if (value <= INT64_MAX)
        return json_integer((json_int_t)value);
    snprintf(text, sizeof text, "%" PRIu64, value);
    return json_string(text);
}

/* Names of files and a kernel's command line may be any bytes. NULL stays null. */
static json_t *text_json(const char *text)
{
    if (!text)
        return json_null();
    json_t *plain = json_string(text);
    if (plain)
        return plain;
    struct buffer hex = {0};
    hex_append(&hex, text, strlen(text));
    json_t *object = json_pack("{s:s}", "hex", buffer_text(&hex));
    buffer_fini(&hex);
    return object;
}

static json_t *origin_json(const struct recorded_origin *o)
{
    return json_pack("{s:o, s:o, s:o, s:o}", "version", text_json(o->version), "host",
                     text_json(o->host), "date", text_json(o->date), "command",
                     text_json(o->command));
}

static json_t *machine_json(const struct riscv_virt_options *o)
{
    return json_pack("{s:s, s:o, s:i, s:i, s:i, s:b, s:b, s:o, s:o, s:o, s:o, s:o, s:o}", "board",
                     "virt", "ram", number_json(o->ram_size), "harts", (int)o->harts, "shift",
                     (int)o->shift, "quantum", (int)MACHINE_QUANTUM, "no_reboot", o->no_reboot,
                     "semihosting", o->semihosting, "bios", text_json(o->bios), "kernel",
                     text_json(o->kernel), "initrd", text_json(o->initrd), "append",
                     text_json(o->append), "dtb", text_json(o->dtb), "rtc_base",
                     o->rtc_fixed ? number_json(o->rtc_base) : json_null());
}

static json_t *image_json(const char *path, const struct disk_identity *identity)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "file", text_json(path), "size",
                     number_json(identity->size), "mtime_ns", number_json(identity->mtime_ns),
                     "device", number_json(identity->device), "inode",
                     number_json(identity->inode));
}

static json_t *mac_json(const uint8_t mac[6])
{
    struct buffer text = {0};
    for (unsigned i = 0; i < 6; i++)
        buffer_printf(&text, "%s%02x", i ? ":" : "", mac[i]);
    json_t *string = json_string(buffer_text(&text));
    buffer_fini(&text);
    return string;
}

static json_t *slot_json(const struct recording_config *c, const struct riscv_virt_slot *s,
                         unsigned *disk)
{
    if (!s->id)
        return json_null();
    json_t *object = json_pack("{s:s}", "type", virtio_name[s->id]);
    if (s->id == VIRTIO_ID_BLOCK) {
        json_object_set_new(object, "bytes", number_json(s->disk_bytes));
        json_object_set_new(object, "read_only", json_boolean(s->read_only));
        json_object_set_new(object, "serial", text_json(s->serial));
        json_object_set_new(object, "image", image_json(c->options.disk[*disk], &c->image[*disk]));
        ++*disk;
    } else if (s->id == VIRTIO_ID_NET) {
        json_object_set_new(object, "mac", mac_json(s->mac));
    } else if (s->id == VIRTIO_ID_CONSOLE) {
        json_object_set_new(object, "ports", json_integer(s->ports));
    }
    return object;
}

static json_t *slots_json(const struct recording_config *c)
{
    json_t *list = json_array();
    unsigned disk = 0;
    for (unsigned i = 0; i < RISCV_VIRT_SLOTS; i++)
        json_array_append_new(list, slot_json(c, &c->options.machine.slot[i], &disk));
    return list;
}

static json_t *flashes_json(const struct riscv_virt_options *o)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < RISCV_VIRT_FLASHES; i++)
        json_array_append_new(list, json_pack("{s:o, s:b}", "file", text_json(o->flash[i].file),
                                              "read_only", o->flash[i].read_only));
    return list;
}

static json_t *fw_cfg_json(const struct run_options *o)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < o->fw_cfgs; i++)
        json_array_append_new(list, json_pack("{s:o, s:o}", "name", text_json(o->fw_cfg[i].name),
                                              "file", text_json(o->fw_cfg[i].file)));
    return list;
}

static json_t *symbols_json(const struct recording_config *c)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < c->options.symbol_files; i++)
        json_array_append_new(list, json_pack("{s:o, s:o}", "blob", text_json(c->symbols[i]),
                                              "file", text_json(c->options.symbols[i])));
    return list;
}

static json_t *timeline_json(const struct run_options *o)
{
    return json_pack("{s:o, s:o, s:o, s:b}", "budget", number_json(o->budget), "spacing_ns",
                     number_json(o->spacing_ns), "spacing_steps", number_json(o->spacing_steps),
                     "warp", o->warp);
}

void recording_config_append(const struct recording_config *c, struct buffer *out)
{
    json_t *root = json_pack("{s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "config",
                             RECORDING_CONFIG_VERSION, "origin", origin_json(&c->origin), "machine",
                             machine_json(&c->options.machine), "slots", slots_json(c), "flashes",
                             flashes_json(&c->options.machine), "fw_cfg", fw_cfg_json(&c->options),
                             "symbols", symbols_json(c), "timeline", timeline_json(&c->options));
    check(root, "no JSON of a configuration");
    char *text = json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS);
    check(text, "no text of a configuration");
    buffer_append_string(out, text);
    free(text);
    json_decref(root);
}
