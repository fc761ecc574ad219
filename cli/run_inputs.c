#include "cli/run_inputs.h"

#include "base/check.h"
#include "machine/loader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

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

bool run_inputs_open(struct run_inputs *in, const struct run_options *o, struct error *err)
{
    *in = (struct run_inputs){.disks = disk_images_new(), .machine = o->machine};
    return open_disks(in, o, err) && read_fw_cfg(in, o, err);
}

void run_inputs_close(struct run_inputs *in)
{
    disk_images_free(in->disks);
    for (unsigned i = 0; i < OPTIONS_FW_CFGS; i++)
        free(in->owned[i]);
    *in = (struct run_inputs){0};
}

static void entropy(void *ctx, uint8_t *bytes, size_t size)
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
    host->entropy = entropy;
    host->disks = disk_images_host(in->disks);
}
