/* The state tables of the `virt` board as JSON, in the schema of QEMU's -dump-vmstate. */
#ifndef CLI_VMSTATE_DUMP_H
#define CLI_VMSTATE_DUMP_H

#include "base/buffer.h"
#include "base/error.h"

struct fields;

/* Append the dump of one machine: the same text for the same tables. Padding is a field "unused" of
 * all its bytes. */
void vmstate_dump(const char *machine, const struct fields *const *table, size_t count,
                  struct buffer *out);
/* The dump of the board `virt`. */
void vmstate_dump_virt(struct buffer *out);
/* That into a file, which is created or replaced; "-": standard output. */
bool vmstate_dump_write(const char *path, struct error *err);

#endif
