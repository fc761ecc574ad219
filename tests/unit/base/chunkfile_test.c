#include "tests/unit/base/chunk_model.h"

/* ---- what was written is read ---- */

Test(chunkfile, what_was_written_is_read_with_and_without_the_index)
{
    char path[4096];
    make_path(path, sizeof path);
    for (uint64_t seed = 0; seed < 150; seed++) {
        uint64_t state = seed;
        struct model m = {0};
        size_t most = seed % 30 == 29 ? CHUNK_MOST : (size_t)1 << draw(&state) % 17;
        write_file(&m, path, &state, draw(&state) % (seed % 30 == 29 ? 4 : MOST_CHUNKS), most);
        check_file(path, &m, 0, 0);
        check_damage(path, NULL);
        struct chunk_reader *r = open_good(path);
        cr_assert(chunk_reader_complete(r));
        cr_assert_str_eq(chunk_reader_path(r), path);
        uint64_t size = chunk_reader_bytes(r);
        chunk_reader_free(r);

        cr_assert_eq(truncate(path, (off_t)size - 1), 0);
        check_file(path, &m, 0, 0);
        unlink(path);
        model_fini(&m);
    }
    remove_path(path);
}

Test(chunkfile, the_largest_and_the_smallest)
{
    char path[4096];
    make_path(path, sizeof path);
    struct error err = ERROR_INIT;
    struct chunk_writer *w = chunk_writer_new(path, 1, &err);
    uint64_t state = 1;
    struct model m = {0};
    for (size_t i = 0; i < 3; i++) {
        model_add(&m, w, &state, CHUNK_MOST);
        model_add(&m, w, &state, i);
    }
    cr_assert(chunk_writer_close(w, &err), "%s", err.message);
    check_file(path, &m, 0, 0);
    check_damage(path, NULL);
    model_fini(&m);
    remove_path(path);
}

/* One chunk holds the rows of 699050 others. */
Test(chunkfile, an_index_of_more_than_one_chunk)
{
    enum { COUNT = 700000 };
    char path[4096];
    make_path(path, sizeof path);
    struct error err = ERROR_INIT;
    struct chunk_writer *w = chunk_writer_new(path, 1 << 20, &err);
    for (uint32_t i = 0; i < COUNT; i++) {
        struct buffer none = {0};
        cr_assert_eq(chunk_writer_add(w, i, &none), i);
        if (i % 1000 == 0)
            cr_assert(chunk_writer_wait(w, UINT64_MAX));
    }
    cr_assert(chunk_writer_close(w, &err), "%s", err.message);
    for (int indexed = 1; indexed >= 0; indexed--) {
        struct chunk_reader *r = open_good(path);
        cr_assert_eq(chunk_reader_count(r), COUNT);
        cr_assert_eq(chunk_reader_damage(r) == NULL, indexed);
        for (uint32_t i = 0; i < COUNT; i++)
            cr_assert(chunk_reader_chunk(r, i)->kind == i && chunk_reader_find(r, i)->number == i);
        cr_assert_eq(truncate(path, (off_t)chunk_reader_bytes(r) - 1), 0);
        chunk_reader_free(r);
    }
    remove_path(path);
}

/* The stream decompresses to more, or to less, than the header says. */
Test(chunkfile, contents_have_the_size_that_was_said)
{
    char path[4096];
    make_path(path, sizeof path);
    static const uint8_t zeros[100000];
    uint8_t packed[1000];
    for (int more = -1; more <= 1; more++) {
        uLongf stored = sizeof packed;
        cr_assert_eq(compress(packed, &stored, zeros, sizeof zeros), Z_OK);
        struct buffer file = {0}, out = {0};
        chunk_file_header_put(buffer_extend(&file, CHUNK_BLOCK));
        struct chunk_header h = {.kind = CHUNK_KIND('B', 'O', 'M', 'B'),
                                 .codec = CHUNK_CODEC_ZLIB,
                                 .stored = (uint32_t)stored,
                                 .size = (uint32_t)((int)sizeof zeros + more),
                                 .crc = chunk_crc(packed, stored)};
        chunk_header_put(buffer_extend(&file, CHUNK_BLOCK), &h, CHUNK_BLOCK);
        buffer_append(&file, packed, stored);
        write_all(path, file.data, file.size);
        struct chunk_reader *r = open_good(path);
        struct error err = ERROR_INIT;
        cr_assert_eq(chunk_reader_count(r), 1);
        cr_assert_eq(chunk_reader_load(r, chunk_reader_chunk(r, 0), &out, &err), more == 0);
        if (more)
            cr_assert(err.code == ERROR_FORMAT && !out.size &&
                          strstr(err.message, "chunk 0 (BOMB) at byte 32"),
                      "%s", err.message);
        chunk_reader_free(r);
        buffer_fini(&file);
        buffer_fini(&out);
    }
    remove_path(path);
}

/* ---- what is no chunk file ---- */

Test(chunkfile, what_cannot_be_opened_says_why)
{
    char path[4096];
    make_path(path, sizeof path);
    check_refused(path, ERROR_IO, "No such file");
    mkdir(path, 0700);
    check_refused(path, ERROR_FORMAT, "is a folder");
    rmdir(path);
    mkfifo(path, 0600);
    check_refused(path, ERROR_FORMAT, "no regular file");
    unlink(path);
    const char text[] = "#!/bin/sh\necho this is no recording at all, whatever its name\n";
    write_all(path, text, sizeof text);
    check_refused(path, ERROR_FORMAT, "is not a recording");
    write_all(path, text, 5);
    check_refused(path, ERROR_FORMAT, "is not a recording");
    write_all(path, "\211BSR\n\032\n\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 33);
    check_refused(path, ERROR_FORMAT, "transfer it as a binary file");
    if (geteuid() != 0) {
        chmod(path, 0);
        check_refused(path, ERROR_IO, "Permission denied");
    }
    remove_path(path);
}

Test(chunkfile, a_newer_version_is_named)
{
    char path[4096];
    make_path(path, sizeof path);
    uint8_t block[CHUNK_BLOCK];
    chunk_file_header_put(block);
    store_le32(block + 8, 29);
    chunk_block_seal(block, 0);
    write_all(path, block, sizeof block);
    check_refused(path, ERROR_UNSUPPORTED, "version 29");
    check_refused(path, ERROR_UNSUPPORTED, "version 1");
    remove_path(path);
}
