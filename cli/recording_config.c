#include "cli/recording_config.h"

#include "base/check.h"
#include "base/hex.h"
#include "base/plain_text.h"
#include "devices/virtio_blk.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MOST = 255, FW_CFG_NAME_MOST = 55, ORIGIN_MOST = RECORDING_ORIGIN_MOST };
#define BUDGET_LEAST (UINT64_C(16) << 20)
#define SPACING_MOST UINT64_C(60000000000)

struct config_text {
    struct config_text *next;
    char text[];
};

void recording_config_fini(struct recording_config *c)
{
    while (c->texts) {
        struct config_text *next = c->texts->next;
        free(c->texts);
        c->texts = next;
    }
    *c = (struct recording_config){0};
}

/* Where in the text something is wrong: the object's name, then the member's. */
struct reader {
    struct recording_config *config;
    struct error *err;
};

static bool wrong(struct reader *r, const char *where, const char *key, const char *what)
{
    return error_set(r->err, ERROR_FORMAT, "the recording's configuration: %s.%s %s", where, key,
                     what);
}

/* NULL: it is not there or of another type. */
static const json_t *member(struct reader *r, const json_t *object, const char *where,
                            const char *key, json_type type)
{
    static const char *const needed[] = {[JSON_OBJECT] = "has to be an object",
                                         [JSON_ARRAY] = "has to be a list",
                                         [JSON_STRING] = "has to be a text"};
    const json_t *value = json_object_get(object, key);
    if (value && json_typeof(value) == type)
        return value;
    wrong(r, where, key, value ? needed[type] : "is missing");
    return NULL;
}

static bool get_number(struct reader *r, const json_t *object, const char *where, const char *key,
                       uint64_t most, uint64_t *value)
{
    char what[80];
    const json_t *found = json_object_get(object, key);
    const char *text = json_string_value(found);
    char *end = NULL;
    bool good = json_is_integer(found) && json_integer_value(found) >= 0;
    if (good)
        *value = (uint64_t)json_integer_value(found);
    if (text && *text >= '1' && *text <= '9' && strlen(text) <= 20) {
        errno = 0;
        *value = strtoull(text, &end, 10);
        good = !*end && !errno;
    }
    if (good && *value <= most)
        return true;
    snprintf(what, sizeof what, "has to be a number from 0 to %" PRIu64, most);
    return wrong(r, where, key, found ? what : "is missing");
}

static bool get_unsigned(struct reader *r, const json_t *object, const char *where, const char *key,
                         unsigned *value)
{
    uint64_t number = 0;
    bool good = get_number(r, object, where, key, UINT_MAX, &number);
    *value = (unsigned)number;
    return good;
}

static bool get_flag(struct reader *r, const json_t *object, const char *where, const char *key,
                     bool *value)
{
    const json_t *found = json_object_get(object, key);
    *value = json_is_true(found);
    return json_is_boolean(found) ||
           wrong(r, where, key, found ? "has to be true or false" : "is missing");
}

static char *new_text(struct reader *r, size_t size)
{
    struct config_text *kept = mem_new(1, sizeof *kept + size + 1);
    kept->next = r->config->texts;
    r->config->texts = kept;
    return kept->text;
}

/* Bytes that are no UTF-8; NULL: no such thing. */
static const char *get_bytes(struct reader *r, const json_t *object, size_t most)
{
    const char *hex = json_string_value(json_object_get(object, "hex"));
    size_t size = hex ? strlen(hex) : 1;
    if (size % 2 || size / 2 > most)
        return NULL;
    char *text = new_text(r, size / 2);
    return hex_decode(hex, size, (uint8_t *)text) && strlen(text) == size / 2 ? text : NULL;
}

/* At most `most` bytes; *value is NULL where it is null, if `may_be_null`. */
static bool get_text(struct reader *r, const json_t *object, const char *where, const char *key,
                     size_t most, bool may_be_null, const char **value)
{
    char what[80];
    const json_t *found = json_object_get(object, key);
    *value = NULL;
    if (json_is_null(found) && may_be_null)
        return true;
    if (json_is_string(found) && json_string_length(found) <= most)
        *value = strcpy(new_text(r, json_string_length(found)), json_string_value(found));
    else if (json_is_object(found))
        *value = get_bytes(r, found, most);
    snprintf(what, sizeof what, "has to be a text of at most %zu bytes", most);
    return *value || wrong(r, where, key, found ? what : "is missing");
}

/* A file's name, which is not empty. */
static bool get_path(struct reader *r, const json_t *object, const char *where, const char *key,
                     bool may_be_null, const char **value)
{
    if (!get_text(r, object, where, key, PATH_MAX - 1, may_be_null, value))
        return false;
    return !*value || **value || wrong(r, where, key, "has to be the name of a file");
}

static bool read_origin(struct reader *r, const json_t *root)
{
    struct recorded_origin *o = &r->config->origin;
    const json_t *object = member(r, root, "recording", "origin", JSON_OBJECT);
    return object && get_text(r, object, "origin", "version", ORIGIN_MOST, false, &o->version) &&
           get_text(r, object, "origin", "host", ORIGIN_MOST, false, &o->host) &&
           get_text(r, object, "origin", "date", ORIGIN_MOST, false, &o->date) &&
           get_text(r, object, "origin", "command", ORIGIN_MOST, false, &o->command);
}

static bool check_board(struct reader *r, const json_t *object)
{
    const char *board = NULL;
    uint64_t quantum = 0;
    if (!get_text(r, object, "machine", "board", NAME_MOST, false, &board) ||
        !get_number(r, object, "machine", "quantum", UINT32_MAX, &quantum))
        return false;
    if (strcmp(board, "virt") != 0)
        return error_set(r->err, ERROR_UNSUPPORTED,
                         "the recording is of a machine `%.40s`, which this program does not have",
                         board);
    if (quantum != MACHINE_QUANTUM)
        return error_set(r->err, ERROR_UNSUPPORTED,
                         "harts take turns of %" PRIu64 " steps in the recording, and of %u here: "
                         "open it with the program that made it",
                         quantum, MACHINE_QUANTUM);
    return true;
}

static bool read_machine(struct reader *r, const json_t *root)
{
    static const char where[] = "machine";
    struct riscv_virt_options *o = &r->config->options.machine;
    const json_t *object = member(r, root, "recording", where, JSON_OBJECT);
    if (!object || !check_board(r, object) ||
        !get_number(r, object, where, "ram", UINT64_MAX, &o->ram_size) ||
        !get_unsigned(r, object, where, "harts", &o->harts) ||
        !get_unsigned(r, object, where, "shift", &o->shift) ||
        !get_flag(r, object, where, "no_reboot", &o->no_reboot) ||
        !get_flag(r, object, where, "semihosting", &o->semihosting) ||
        !get_path(r, object, where, "bios", true, &o->bios) ||
        !get_path(r, object, where, "kernel", true, &o->kernel) ||
        !get_path(r, object, where, "initrd", true, &o->initrd) ||
        !get_path(r, object, where, "dtb", true, &o->dtb) ||
        !get_text(r, object, where, "append", RECORDING_APPEND_MOST, true, &o->append))
        return false;
    o->rtc_fixed = !json_is_null(json_object_get(object, "rtc_base"));
    return !o->rtc_fixed || get_number(r, object, where, "rtc_base", UINT64_MAX, &o->rtc_base);
}

/* ---- devices ---- */

static bool read_disk(struct reader *r, const json_t *object, const char *where,
                      struct riscv_virt_slot *s)
{
    struct recording_config *c = r->config;
    struct disk_identity *identity = &c->image[c->options.disks];
    if (!get_number(r, object, where, "bytes", UINT64_MAX, &s->disk_bytes) ||
        !get_flag(r, object, where, "read_only", &s->read_only) ||
        !get_text(r, object, where, "serial", VIRTIO_BLK_SERIAL, true, &s->serial))
        return false;
    const json_t *image = member(r, object, where, "image", JSON_OBJECT);
    return image &&
           get_path(r, image, "image", "file", false, &c->options.disk[c->options.disks++]) &&
           get_number(r, image, "image", "size", UINT64_MAX, &identity->size) &&
           get_number(r, image, "image", "mtime_ns", UINT64_MAX, &identity->mtime_ns) &&
           get_number(r, image, "image", "device", UINT64_MAX, &identity->device) &&
           get_number(r, image, "image", "inode", UINT64_MAX, &identity->inode);
}

static bool read_mac(struct reader *r, const json_t *object, const char *where, uint8_t mac[6])
{
    const char *text = NULL;
    if (!get_text(r, object, where, "mac", NAME_MOST, false, &text))
        return false;
    bool good = strlen(text) == 17;
    for (unsigned i = 0; good && i < 6; i++)
        good = hex_decode(text + (size_t)3 * i, 2, &mac[i]) && (i == 5 || text[3 * i + 2] == ':');
    return good || wrong(r, where, "mac", "is no MAC address");
}

static bool read_slot(struct reader *r, const json_t *object, const char *where,
                      struct riscv_virt_slot *s)
{
    const json_t *type = member(r, object, where, "type", JSON_STRING);
    if (!type)
        return false;
    s->id = recording_config_device(json_string_value(type));
    switch (s->id) {
    case VIRTIO_ID_BLOCK:
        return read_disk(r, object, where, s);
    case VIRTIO_ID_NET:
        return read_mac(r, object, where, s->mac);
    case VIRTIO_ID_CONSOLE:
        return get_unsigned(r, object, where, "ports", &s->ports);
    case VIRTIO_ID_ENTROPY:
        return true;
    }
    return wrong(r, where, "type", "is none that this program has");
}

/* Element `index` of a list, which is an object; NULL: it is not. `where`: its name. */
static const json_t *element(struct reader *r, const json_t *list, const char *name, size_t index,
                             char where[40])
{
    const json_t *object = json_array_get(list, index);
    snprintf(where, 40, "%s[%zu]", name, index);
    if (json_is_object(object))
        return object;
    error_set(r->err, ERROR_FORMAT, "the recording's configuration: %s has to be an object", where);
    return NULL;
}

/* A list of `least` to `most` elements; NULL: it is none. */
static const json_t *list_of(struct reader *r, const json_t *root, const char *key, size_t least,
                             size_t most)
{
    const json_t *list = member(r, root, "recording", key, JSON_ARRAY);
    if (!list || (json_array_size(list) >= least && json_array_size(list) <= most))
        return list;
    error_set(r->err, ERROR_FORMAT, "the recording's configuration: %s has %zu elements, not %zu%s",
              key, json_array_size(list), most, least < most ? " at most" : "");
    return NULL;
}

static bool read_slots(struct reader *r, const json_t *root)
{
    char where[40];
    const json_t *list = list_of(r, root, "slots", RISCV_VIRT_SLOTS, RISCV_VIRT_SLOTS);
    if (!list)
        return false;
    for (unsigned i = 0; i < RISCV_VIRT_SLOTS; i++) {
        if (json_is_null(json_array_get(list, i)))
            continue;
        const json_t *object = element(r, list, "slots", i, where);
        if (!object || !read_slot(r, object, where, &r->config->options.machine.slot[i]))
            return false;
    }
    return true;
}

static bool read_flashes(struct reader *r, const json_t *root)
{
    char where[40];
    const json_t *list = list_of(r, root, "flashes", RISCV_VIRT_FLASHES, RISCV_VIRT_FLASHES);
    if (!list)
        return false;
    for (unsigned i = 0; i < RISCV_VIRT_FLASHES; i++) {
        struct riscv_virt_flash *flash = &r->config->options.machine.flash[i];
        const json_t *object = element(r, list, "flashes", i, where);
        if (!object || !get_path(r, object, where, "file", true, &flash->file) ||
            !get_flag(r, object, where, "read_only", &flash->read_only))
            return false;
    }
    return true;
}

static bool read_fw_cfg(struct reader *r, const json_t *root)
{
    char where[40];
    struct run_options *o = &r->config->options;
    const json_t *list = list_of(r, root, "fw_cfg", 0, OPTIONS_FW_CFGS);
    if (!list)
        return false;
    for (; o->fw_cfgs < json_array_size(list); o->fw_cfgs++) {
        struct run_fw_cfg *item = &o->fw_cfg[o->fw_cfgs];
        const json_t *object = element(r, list, "fw_cfg", o->fw_cfgs, where);
        if (!object || !get_text(r, object, where, "name", FW_CFG_NAME_MOST, false, &item->name) ||
            !get_path(r, object, where, "file", true, &item->file))
            return false;
        if (!*item->name)
            return wrong(r, where, "name", "is empty");
        for (unsigned i = 0; i < o->fw_cfgs; i++)
            if (!strcmp(o->fw_cfg[i].name, item->name))
                return wrong(r, where, "name", "is there twice");
    }
    return true;
}

static bool read_symbols(struct reader *r, const json_t *root)
{
    char where[40];
    struct run_options *o = &r->config->options;
    const json_t *list = list_of(r, root, "symbols", 0, OPTIONS_SYMBOLS);
    if (!list)
        return false;
    for (; o->symbol_files < json_array_size(list); o->symbol_files++) {
        unsigned i = o->symbol_files;
        const json_t *object = element(r, list, "symbols", i, where);
        if (!object ||
            !get_text(r, object, where, "blob", NAME_MOST, false, &r->config->symbols[i]) ||
            !get_path(r, object, where, "file", false, &o->symbols[i]))
            return false;
    }
    return true;
}

static bool read_timeline(struct reader *r, const json_t *root)
{
    static const char where[] = "timeline";
    struct run_options *o = &r->config->options;
    const json_t *object = member(r, root, "recording", where, JSON_OBJECT);
    if (!object || !get_number(r, object, where, "budget", SIZE_MAX / 2, &o->budget) ||
        !get_number(r, object, where, "spacing_ns", SPACING_MOST, &o->spacing_ns) ||
        !get_number(r, object, where, "spacing_steps", UINT64_MAX, &o->spacing_steps) ||
        !get_flag(r, object, where, "warp", &o->warp))
        return false;
    return o->budget >= BUDGET_LEAST || wrong(r, where, "budget", "is too little");
}

static bool check_version(struct reader *r, const json_t *root)
{
    uint64_t version = 0;
    if (!json_is_object(root))
        return error_set(r->err, ERROR_FORMAT, "the recording's configuration has to be an object");
    return get_number(r, root, "recording", "config", UINT32_MAX, &version) &&
           (version == RECORDING_CONFIG_VERSION ||
            error_set(r->err, ERROR_UNSUPPORTED,
                      "the recording's configuration has version %" PRIu64
                      ", this program knows %d: open it with the program that made it",
                      version, RECORDING_CONFIG_VERSION));
}

static bool parse(struct recording_config *c, const uint8_t *text, size_t size, struct error *err)
{
    struct reader r = {c, err};
    json_error_t problem;
    if (size > RECORDING_CONFIG_MOST)
        return error_set(err, ERROR_FORMAT, "the recording's configuration has %zu bytes", size);
    json_t *root = json_loadb((const char *)text, size, JSON_REJECT_DUPLICATES, &problem);
    if (!root)
        return error_set(err, ERROR_FORMAT, "the recording's configuration: line %d, column %d: %s",
                         problem.line, problem.column, problem.text);
    bool ok = check_version(&r, root) && read_origin(&r, root) && read_machine(&r, root) &&
              read_slots(&r, root) && read_flashes(&r, root) && read_fw_cfg(&r, root) &&
              read_symbols(&r, root) && read_timeline(&r, root);
    json_decref(root);
    return ok && (riscv_virt_options_valid(&c->options.machine, err) ||
                  error_prefix(err, "the recording's configuration"));
}

bool recording_config_parse(struct recording_config *c, const uint8_t *text, size_t size,
                            struct error *err)
{
    *c = (struct recording_config){.options.stop_at = POSITION_NONE};
    if (parse(c, text, size, err))
        return true;
    /* Parts of the text may be in the message, which is for a terminal. */
    plain_text_clean(err->message, strlen(err->message), false);
    return false;
}
