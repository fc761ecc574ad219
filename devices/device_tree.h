/* The flattened device tree that describes the board to firmware and kernels. Devicetree
 * specification 0.4; the bindings are Linux's, the shape is that of QEMU's `virt`. */
#ifndef DEVICES_DEVICE_TREE_H
#define DEVICES_DEVICE_TREE_H

#include "base/buffer.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* Free bytes inside a tree made here: firmware adds nodes without moving it. */
enum { DEVICE_TREE_SPARE = 8192 };

struct device_tree_config {
    uint64_t ram_base, ram_size; /* bytes */
    unsigned harts;
    const char *bootargs;              /* NULL: none */
    uint64_t initrd_start, initrd_end; /* physical, end exclusive; equal: none */
};

/* Append the tree to `out`, which is empty. The same configuration gives the same bytes. */
bool device_tree_make(const struct device_tree_config *config, struct buffer *out,
                      struct error *err);
/* Append the user's tree blob[0..size), `name` in messages, with its /chosen brought up to date:
 * bootargs and initrd of `config` replace what it says, if they are given. */
bool device_tree_adapt(const struct device_tree_config *config, const char *name,
                       const uint8_t *blob, size_t size, struct buffer *out, struct error *err);

#endif
