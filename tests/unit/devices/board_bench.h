/* Boards made of files, and where their boot ROM leads. */
#ifndef TESTS_UNIT_DEVICES_BOARD_BENCH_H
#define TESTS_UNIT_DEVICES_BOARD_BENCH_H

#include "devices/riscv_virt.h"
#include "devices/riscv_virt_map.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MIB = 1 << 20 };

/* Files of a test, in a folder of their own. */
static char folder[] = "/tmp/riscv-virt-test-XXXXXX";
static char made[8][64];
static unsigned made_count;

static inline void files_begin(void)
{
    cr_assert(mkdtemp(folder));
}

static inline void files_end(void)
{
    for (unsigned i = 0; i < made_count; i++)
        unlink(made[i]);
    rmdir(folder);
}

static inline const char *file(const char *name, const void *bytes, size_t size)
{
    char *path = made[made_count++];
    snprintf(path, sizeof made[0], "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    cr_assert(f && fwrite(bytes, 1, size, f) == size);
    fclose(f);
    return path;
}

static inline const char *zeroes(const char *name, size_t size)
{
    void *bytes = calloc(1, size);
    const char *path = file(name, bytes, size);
    free(bytes);
    return path;
}

static inline struct riscv_virt *board_new(const struct riscv_virt_options *o)
{
    struct error err = ERROR_INIT;
    struct riscv_virt *board = riscv_virt_new(o, &err);
    cr_assert(board, "%s", err.message);
    return board;
}

static inline uint64_t rom(struct riscv_virt *board, unsigned offset)
{
    uint64_t value;
    cr_assert(bus_read(&riscv_virt_machine(board)->bus, MAP_BOOT_ROM + offset, 8, &value));
    return value;
}

/* As the boot ROM's code finds them. */
static inline uint64_t start_of(struct riscv_virt *board)
{
    return rom(board, 24);
}

static inline uint64_t tree_of(struct riscv_virt *board)
{
    return rom(board, 32);
}

static inline uint64_t next_of(struct riscv_virt *board)
{
    return rom(board, 56);
}

static inline void refused(const struct riscv_virt_options *o, const char *reason)
{
    struct error err = ERROR_INIT;
    cr_assert_null(riscv_virt_new(o, &err), "accepted, expected: %s", reason);
    cr_assert(strstr(err.message, reason), "\"%s\" says nothing of \"%s\"", err.message, reason);
    cr_assert(!strchr(err.message, '\n'));
}

static inline struct riscv_virt_options machine_of(uint64_t mib)
{
    return (struct riscv_virt_options){.ram_size = mib * MIB, .harts = 1, .shift = 3};
}

#endif
