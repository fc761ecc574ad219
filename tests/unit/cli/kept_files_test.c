/* Files that are kept, and whole boards made from them. */
#include "cli/kept_files.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *add(struct kept_files *k, const char *name, const char *bytes)
{
    const char *kept;
    struct error err = ERROR_INIT;
    cr_assert(kept_files_add(k, name, (const uint8_t *)bytes, strlen(bytes), &kept, &err), "%s",
              err.message);
    return kept;
}

Test(kept_files, names_and_bytes)
{
    struct kept_files *k = kept_files_new();
    char longest[400];
    memset(longest, 'n', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    cr_assert_str_eq(add(k, "symbols/a", "one"), "symbols/a");
    cr_assert_str_eq(add(k, "symbols/a", "two"), "symbols/a~2");
    cr_assert_str_eq(add(k, "symbols/a", ""), "symbols/a~3");
    const char *cut = add(k, longest, "x"), *other = add(k, longest, "y");
    cr_assert(strlen(cut) == 255 && strlen(other) < 256 && strcmp(cut, other) != 0);
    struct recording_blob blob = kept_files_get(k, 1);
    cr_assert(blob.size == 3 && !memcmp(blob.bytes, "two", 3));
    blob = kept_files_get(k, 2);
    cr_assert(blob.name && !blob.size);
    cr_assert_null(kept_files_get(k, 5).name);
    kept_files_free(k);
}

/* A recording has the bytes of symbols once, by the name of an image when one is the same. */
Test(kept_files, symbols_that_others_have)
{
    struct kept_files *k = kept_files_new();
    const char *first = add(k, "symbols/a", "one"), *second = add(k, "symbols/b", "one");
    const char *other = add(k, "symbols/c", "two"), *image = add(k, "symbols/d", "ker");
    const char *none = add(k, "symbols/e", ""), *none_too = add(k, "symbols/f", "");
    cr_assert_str_eq(kept_files_holder(k, first), first);
    cr_assert_str_eq(kept_files_holder(k, second), first);
    cr_assert_str_eq(kept_files_holder(k, image), image);
    const char *kernel = add(k, "kernel", "ker"), *initrd = add(k, "initrd", "ker");
    cr_assert_str_eq(kept_files_holder(k, image), kernel);
    cr_assert_str_eq(kept_files_holder(k, kernel), kernel);
    cr_assert_str_eq(kept_files_holder(k, initrd), initrd, "a board asks for it by this name");
    cr_assert_str_eq(kept_files_holder(k, first), first);
    cr_assert_str_eq(kept_files_holder(k, other), other);
    cr_assert_str_eq(kept_files_holder(k, none), none);
    cr_assert_str_eq(kept_files_holder(k, none_too), none_too);
    cr_assert_str_eq(kept_files_holder(k, "another"), "another");
    kept_files_free(k);
}

static void write_file(const char *path, const char *bytes)
{
    FILE *f = fopen(path, "w");
    cr_assert(f && fputs(bytes, f) >= 0 && !fclose(f));
}

Test(kept_files, a_file_is_read_once)
{
    char path[] = "/tmp/kept-files-test-XXXXXX";
    struct kept_files *k = kept_files_new();
    const struct board_files *source = kept_files_source(k);
    struct error err = ERROR_INIT;
    uint8_t *bytes;
    size_t size;
    close(mkstemp(path));
    write_file(path, "first");
    for (unsigned i = 0; i < 3; i++) {
        cr_assert(board_files_read(source, BOARD_KERNEL, path, 100, &bytes, &size, &err), "%s",
                  err.message);
        cr_assert(size == 5 && !memcmp(bytes, "first", 5));
        free(bytes);
        write_file(path, "changed");
    }
    cr_assert(board_files_read(source, BOARD_INITRD, path, 100, &bytes, &size, &err));
    cr_assert(size == 7 && !memcmp(bytes, "changed", 7));
    free(bytes);
    cr_assert(!board_files_read(source, BOARD_DTB, path, 3, &bytes, &size, &err));
    cr_assert_str_eq(kept_files_get(k, 0).name, "kernel");
    cr_assert_str_eq(kept_files_get(k, 1).name, "initrd");
    cr_assert_null(kept_files_get(k, 2).name, "what failed is not kept");
    kept_files_free(k);
    unlink(path);
}
