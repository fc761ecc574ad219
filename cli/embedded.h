/* Files built into the program: the guests "demo.elf" and "bench-integer.elf", "bench-crc.elf",
 * "bench-chase.elf", "bench-matmul.elf", "bench-calls.elf", "bench-conditions.elf", the demo's
 * sources under the names that its debug information has ("guests/demo/ring.c"), and gdb's script
 * "gdb/backstep.py". The table is made by guests/embed.cmake.
 */
#ifndef CLI_EMBEDDED_H
#define CLI_EMBEDDED_H

#include <stddef.h>

struct embedded_file {
    const char *name;
    const unsigned char *data; /* followed by a zero byte that `size` does not count */
    size_t size;
};

extern const struct embedded_file embedded_files[];
extern const size_t embedded_count;

#endif
