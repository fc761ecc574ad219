/* The machine at the present position as files that other programs read: an ELF core, RAM. */
#ifndef CLI_EXPORT_CORE_H
#define CLI_EXPORT_CORE_H

#include "base/buffer.h"
#include "machine/machine.h"

/* Address ranges in a core at most. What page tables map beyond them is left out. */
enum { EXPORT_RANGES = 1 << 20 };

struct export_core_options {
    unsigned hart; /* of the machine's: whose memory it is, and the first thread */
    bool physical; /* physical addresses, not those of the hart's page tables */
};

struct export_core_done {
    size_t ranges;
    bool translated; /* the ranges are of virtual addresses */
    bool cut;        /* the page tables map more than that: see EXPORT_RANGES, CPU_MAPPING_TABLES */
    uint64_t cut_at; /* when cut: the address behind those of the tables that are in the core */
};

/* May the file `path` be replaced, as far as `never` (may be NULL, or not there) is concerned,
 * which is a recording or an image? False: it is the same file. */
bool export_spares(const char *path, const char *never, struct error *err);
/* Do two names lead to one file, whether it is there or not? */
bool export_same_file(const char *one, const char *two);

/* Write a core as of the present position to the file `path`, which is complete or is not there
 * (base/outfile.h). It has all harts' registers, as threads in the layout of riscv64 Linux, each
 * hart being a process numbered from 1, with a target description and CSRs, which gdb reads since
 * version 12; and RAM, stored once, its pages of zeroes as holes, that the ranges lead to. Those
 * are what the page tables of the hart map to RAM, whatever it may do with it at present (see
 * cpu_ops.mappings); RAM at its physical addresses when the tables are off. While the hart is in a
 * mode that is not translated, RAM's addresses are physical and all others the tables'. Devices and
 * ROM are not in it. Changes nothing. Cost: RAM's bytes in use, and the page tables. */
bool export_core(const struct machine *m, const struct export_core_options *options,
                 const char *path, struct export_core_done *done, struct error *err);

/* A line that says what was done, and one that says what is missing. */
void export_core_say(const struct export_core_done *done, const struct export_core_options *options,
                     uint64_t position, const char *path, struct buffer *out);

/* Write RAM as it is at the present position, from its first byte to its last. */
bool export_memory(const struct machine *m, const char *path, struct error *err);
void export_memory_say(const struct machine *m, uint64_t position, const char *path,
                       struct buffer *out);

#endif
