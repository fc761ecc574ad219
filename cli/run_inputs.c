#include "cli/run_inputs.h"

#include "base/check.h"
#include "base/endian.h"
#include "machine/loader.h"

#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#define FW_CFG_MOST (UINT64_C(64) << 20)

static bool open_disks(struct run_inputs *in, const struct run_options *o, struct error *err)
{
    for (unsigned i = 0; i < o->disks; i++) {
        struct riscv_virt_slot *slot = &in->machine.slot[options_disk_slot(o, i)];
        if (!disk_images_add(in->disks, o->disk[i], err))
            return false;
        slot->disk_bytes = disk_images_bytes(in->disks, i);
        in->disk_read_only[i] = slot->read_only;
    }
    return true;
}

static bool read_fw_cfg(struct run_inputs *in, const struct run_options *o, struct error *err)
{
    for (unsigned i = 0; i < o->fw_cfgs; i++) {
        const struct run_fw_cfg *from = &o->fw_cfg[i];
        struct riscv_virt_fw_cfg *to = &in->fw_cfg[i];
        to->name = from->name;
        if (from->text) {
            to->bytes = (const uint8_t *)from->text;
            to->size = strlen(from->text);
        } else {
            if (!file_read(from->file, FW_CFG_MOST, &in->owned[i], &to->size, err))
                return error_prefix(err, "-fw_cfg %s", from->name);
            to->bytes = in->owned[i];
        }
    }
    in->machine.fw_cfg = in->fw_cfg;
    in->machine.fw_cfgs = o->fw_cfgs;
    return true;
}

/* Programs for the machine, but nothing of them is loaded: only their kind is looked at. */
static bool check_elf(const char *path, const uint8_t *bytes, size_t size, struct error *err)
{
    if (size < sizeof(Elf64_Ehdr) || memcmp(bytes, ELFMAG, SELFMAG) != 0)
        return error_set(err, ERROR_FORMAT, "--symbols %s: not an ELF file", path);
    return (bytes[EI_CLASS] == ELFCLASS64 &&
            load_le16(bytes + offsetof(Elf64_Ehdr, e_machine)) == EM_RISCV) ||
           error_set(err, ERROR_FORMAT, "--symbols %s: not an ELF file for 64-bit RISC-V", path);
}

static bool read_symbols(struct run_inputs *in, const struct run_options *o, struct error *err)
{
    for (unsigned i = 0; i < o->symbol_files; i++) {
        const char *path = o->symbols[i], *slash = strrchr(path, '/');
        char name[PATH_MAX + 16];
        uint8_t *bytes;
        size_t size;
        if (!file_read(path, IMAGE_FILE_MOST, &bytes, &size, err))
            return error_prefix(err, "--symbols");
        snprintf(name, sizeof name, BLOB_SYMBOLS "%s", slash ? slash + 1 : path);
        bool ok = check_elf(path, bytes, size, err) &&
                  kept_files_add(in->kept, name, bytes, size, &in->symbols[i], err);
        free(bytes);
        if (!ok)
            return false;
    }
    return true;
}

/* Before the machine is loaded, and before anything is opened that others see. */
static bool check_output(const struct run_options *o, struct error *err)
{
    char incomplete[PATH_MAX + 16];
    struct stat st;
    if (!o->output)
        return true;
    snprintf(incomplete, sizeof incomplete, "%s.incomplete", o->output);
    const char *const path[] = {o->output, incomplete};
    for (unsigned i = 0; i < 2; i++)
        if (!lstat(path[i], &st) && !(o->output_replaces && S_ISREG(st.st_mode)))
            return error_set(err, ERROR_BUSY,
                             "-o %s: %s is already there: choose another name or remove it",
                             o->output,
                             i                     ? path[i]
                             : S_ISDIR(st.st_mode) ? "a folder"
                                                   : "a file");
    return true;
}

bool run_inputs_open(struct run_inputs *in, const struct run_options *o, struct error *err)
{
    *in = (struct run_inputs){
        .disks = disk_images_new(), .kept = kept_files_new(), .machine = o->machine};
    in->machine.files = kept_files_source(in->kept);
    return check_output(o, err) && open_disks(in, o, err) && read_fw_cfg(in, o, err) &&
           read_symbols(in, o, err);
}

void run_inputs_close(struct run_inputs *in)
{
    kept_files_free(in->kept);
    disk_images_free(in->disks);
    for (unsigned i = 0; i < OPTIONS_FW_CFGS; i++)
        free(in->owned[i]);
    *in = (struct run_inputs){0};
}

void host_entropy(void *ctx, uint8_t *bytes, size_t size)
{
    (void)ctx;
    while (size) {
        ssize_t got = getrandom(bytes, size, 0);
        check(got > 0 || errno == EINTR, "getrandom: %s", strerror(errno));
        if (got > 0) {
            bytes += got;
            size -= (size_t)got;
        }
    }
}

void run_inputs_set_host(const struct run_inputs *in, struct host *host)
{
    host->entropy = host_entropy;
    host->disks = disk_images_host(in->disks);
}
