/* The demo guest's ELF file for tests of symbols and backtraces. */
#ifndef TESTS_UNIT_CLI_GUEST_ELF_H
#define TESTS_UNIT_CLI_GUEST_ELF_H

#include "cli/embedded.h"
#include "cli/symbols.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

struct elf_bytes {
    uint8_t *bytes;
    size_t size;
};

/* A copy, to be freed. */
static inline struct elf_bytes demo_elf(void)
{
    for (size_t i = 0; i < embedded_count; i++) {
        if (!strcmp(embedded_files[i].name, "demo.elf")) {
            struct elf_bytes e = {malloc(embedded_files[i].size), embedded_files[i].size};
            cr_assert(e.bytes);
            memcpy(e.bytes, embedded_files[i].data, e.size);
            return e;
        }
    }
    cr_assert_fail("demo.elf is not embedded");
    return (struct elf_bytes){0};
}

/* Write over a text that the file holds once, with one of the same length. */
static inline void change_text(struct elf_bytes *e, const char *text, const char *other)
{
    uint8_t *at = memmem(e->bytes, e->size, text, strlen(text));
    cr_assert(at, "%s", text);
    cr_assert_eq(strlen(text), strlen(other));
    memcpy(at, other, strlen(other));
}

static inline struct symbols *symbols_of(const struct elf_bytes *e)
{
    struct error err = ERROR_INIT;
    struct symbols *s = symbols_new();
    cr_assert(symbols_add(s, "demo.elf", e->bytes, e->size, &err), "%s", err.message);
    return s;
}

#endif
