#include "cli/replay_agree.h"

#include "cli/kept_files.h"
#include "cli/numbers.h"
#include "machine/loader.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_MOST (UINT64_C(8) << 30)

/* ---- numbers and switches ---- */

static bool differs(struct error *err, const char *option, const char *given, const char *recorded)
{
    return error_set(err, ERROR_USAGE, "%s %.120s: the recording has %.120s: leave it out", option,
                     given, recorded);
}

static bool same_number(const char *option, uint64_t given, uint64_t recorded, struct error *err)
{
    char one[NUMBER_TEXT], other[NUMBER_TEXT];
    if (given == recorded)
        return true;
    number_format(given, one);
    number_format(recorded, other);
    return differs(err, option, one, other);
}

static bool same_size(const char *option, uint64_t given, uint64_t recorded, struct error *err)
{
    char one[NUMBER_TEXT], other[NUMBER_TEXT];
    if (given == recorded)
        return true;
    number_format_size(given, one);
    number_format_size(recorded, other);
    return differs(err, option, one, other);
}

static bool same_switch(const char *option, bool given, bool recorded, struct error *err)
{
    return !given || recorded ||
           error_set(err, ERROR_USAGE, "%s: the recording is without: leave it out", option);
}

static bool same_settings(const struct run_options *given, const struct run_options *recorded,
                          struct error *err)
{
    const struct riscv_virt_options *one = &given->machine, *other = &recorded->machine;
    const char *append = other->append ? other->append : "";
    if (given->ram_given && !same_size("-m", one->ram_size, other->ram_size, err))
        return false;
    if (given->harts_given && !same_number("-smp", one->harts, other->harts, err))
        return false;
    if (given->shift_given && !same_number("-icount shift", one->shift, other->shift, err))
        return false;
    if (one->append && strcmp(one->append, append) != 0)
        return differs(err, "-append", one->append, append);
    if (one->rtc_fixed && (!other->rtc_fixed || one->rtc_base != other->rtc_base))
        return error_set(err, ERROR_USAGE, "-rtc: the recording has another base: leave it out");
    return same_switch("-semihosting", one->semihosting, other->semihosting, err) &&
           same_switch("-no-reboot", one->no_reboot, other->no_reboot, err);
}

/* ---- files ---- */

static bool same_blob(struct recorded_run *r, const char *name, const uint8_t *bytes, size_t size)
{
    struct error none = ERROR_INIT;
    uint8_t *recorded;
    size_t recorded_size;
    if (!recording_blob(recorded_run_recording(r), name, &recorded, &recorded_size, &none))
        return false;
    bool same = size == recorded_size && (!size || !memcmp(bytes, recorded, size));
    free(recorded);
    return same;
}

static bool same_image(struct recorded_run *r, const char *option, enum board_file role,
                       const char *path, struct error *err)
{
    uint8_t *bytes;
    size_t size;
    if (!path)
        return true;
    if (!board_files_read(NULL, role, path, FILE_MOST, &bytes, &size, err))
        return error_prefix(err, "%s", option);
    bool same = same_blob(r, board_file_name(role), bytes, size);
    free(bytes);
    return same || error_set(err, ERROR_USAGE,
                             "%s %.200s: the recording was made from another file: leave it out",
                             option, path);
}

/* The default is whatever was the default where it was recorded. */
static bool same_firmware(struct recorded_run *r, const char *given, const char *recorded,
                          struct error *err)
{
    if (!given || !strcmp(given, "default"))
        return true;
    bool none = !strcmp(given, "none"), recorded_none = recorded && !strcmp(recorded, "none");
    if (none != recorded_none)
        return differs(err, "-bios", given, recorded ? recorded : "the default one");
    return none || same_image(r, "-bios", BOARD_FIRMWARE, given, err);
}

static bool same_fw_cfg(struct recorded_run *r, const struct run_fw_cfg *item, struct error *err)
{
    char name[sizeof BLOB_FW_CFG + 64];
    uint8_t *owned = NULL;
    size_t size = item->text ? strlen(item->text) : 0;
    if (!item->text && !file_read(item->file, FILE_MOST, &owned, &size, err))
        return error_prefix(err, "-fw_cfg %s", item->name);
    snprintf(name, sizeof name, BLOB_FW_CFG "%s", item->name);
    bool same = same_blob(r, name, item->text ? (const uint8_t *)item->text : owned, size);
    free(owned);
    return same ||
           error_set(err, ERROR_USAGE,
                     "-fw_cfg %s: the recording has none, or another: leave it out", item->name);
}

static bool same_files(const struct run_options *given, struct recorded_run *r, struct error *err)
{
    const struct riscv_virt_options *m = &given->machine;
    const struct riscv_virt_options *recorded = &recorded_run_options(r)->machine;
    for (unsigned i = 0; i < given->fw_cfgs; i++)
        if (!same_fw_cfg(r, &given->fw_cfg[i], err))
            return false;
    for (unsigned i = 0; i < RISCV_VIRT_FLASHES; i++)
        if (!same_image(r, "-pflash", BOARD_FLASH0 + i, m->flash[i].file, err))
            return false;
    return same_firmware(r, m->bios, recorded->bios, err) &&
           same_image(r, "-kernel", BOARD_KERNEL, m->kernel, err) &&
           same_image(r, "-initrd", BOARD_INITRD, m->initrd, err) &&
           same_image(r, "-dtb", BOARD_DTB, m->dtb, err);
}

/* ---- devices ---- */

static const char *device_name(unsigned id)
{
    static const char *const name[] = {[VIRTIO_ID_NET] = "a network",
                                       [VIRTIO_ID_BLOCK] = "a disk",
                                       [VIRTIO_ID_CONSOLE] = "consoles",
                                       [VIRTIO_ID_ENTROPY] = "a source of entropy"};
    return id < sizeof name / sizeof *name && name[id] ? name[id] : "nothing";
}

static bool same_devices(const struct run_options *given, const struct run_options *recorded,
                         struct error *err)
{
    bool some = false;
    for (unsigned i = 0; i < RISCV_VIRT_SLOTS; i++)
        some |= given->machine.slot[i].id;
    for (unsigned i = 0; some && i < RISCV_VIRT_SLOTS; i++) {
        unsigned one = given->machine.slot[i].id, other = recorded->machine.slot[i].id;
        if (one != other)
            return error_set(err, ERROR_USAGE,
                             "virtio-mmio-bus.%u: here is %s, in the recording %s: give the same "
                             "devices, or none",
                             i, device_name(one), device_name(other));
    }
    return true;
}

static bool same_disks(const struct run_options *given, const struct run_options *recorded,
                       struct error *err)
{
    struct stat one, other;
    for (unsigned i = 0; i < given->disks; i++) {
        const char *a = given->disk[i], *b = recorded->disk[i];
        bool same = !strcmp(a, b) || (!stat(a, &one) && !stat(b, &other) &&
                                      one.st_dev == other.st_dev && one.st_ino == other.st_ino);
        if (!same)
            return differs(err, "-drive", a, b);
    }
    return true;
}

bool replay_agrees(const struct run_options *given, struct recorded_run *r, struct error *err)
{
    const struct run_options *recorded = recorded_run_options(r);
    return same_settings(given, recorded, err) && same_devices(given, recorded, err) &&
           same_disks(given, recorded, err) && same_files(given, r, err);
}
