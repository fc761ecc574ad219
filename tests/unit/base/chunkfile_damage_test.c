/* Files that are cut off, damaged, or lie about themselves. */
#include "tests/unit/base/chunk_model.h"

/* Offsets at which chunks end; the index is one more. */
static size_t find_ends(const char *path, uint64_t *end)
{
    struct chunk_reader *r = open_good(path);
    size_t count = chunk_reader_count(r);
    for (size_t i = 0; i < count; i++) {
        const struct chunk *c = chunk_reader_chunk(r, i);
        end[i] = c->offset + CHUNK_BLOCK + c->stored;
    }
    end[count] = chunk_reader_bytes(r) - CHUNK_BLOCK;
    chunk_reader_free(r);
    return count;
}

Test(chunkfile, cut_off_at_any_byte_it_has_the_whole_chunks)
{
    char path[4096];
    make_path(path, sizeof path);
    uint64_t state = 7, end[MOST_CHUNKS + 1];
    struct model m = {0};
    struct buffer file = {0};
    write_file(&m, path, &state, 9, 200);
    find_ends(path, end);
    read_all(path, &file);
    for (size_t size = file.size; size-- > 0;) {
        cr_assert_eq(truncate(path, (off_t)size), 0);
        if (size < CHUNK_BLOCK) {
            check_refused(path, ERROR_FORMAT, size ? "ends inside its header" : "is empty");
            continue;
        }
        size_t whole = 0;
        while (whole < m.count && end[whole] <= size)
            whole++;
        check_file(path, &m, whole, m.count);
        struct chunk_reader *r = open_good(path);
        cr_assert_eq(chunk_reader_complete(r), size >= end[m.count], "%zu bytes", size);
        uint64_t start = size >= end[m.count] ? end[m.count] : whole ? end[whole - 1] : CHUNK_BLOCK;
        char part[64];
        snprintf(part, sizeof part, "ends at byte %zu, inside the %s at byte %zu", size,
                 size > end[m.count] + 1 ? "trailer" : "chunk", (size_t)start);
        cr_assert_not_null(chunk_reader_damage(r));
        cr_assert_eq(strstr(chunk_reader_damage(r), part) != NULL, size != start, "%zu bytes: %s",
                     size, chunk_reader_damage(r));
        chunk_reader_free(r);
    }
    buffer_fini(&file);
    model_fini(&m);
    remove_path(path);
}

/* Whatever opens gives what was written, or an error. */
static size_t check_survivors(const char *path, const struct model *m)
{
    struct chunk_reader *r = open_good(path);
    size_t good = 0;
    for (size_t i = 0; i < chunk_reader_count(r); i++) {
        const struct chunk *c = chunk_reader_chunk(r, i);
        struct buffer out = {0};
        struct error err = ERROR_INIT;
        if (chunk_reader_load(r, c, &out, &err)) {
            check_chunk(r, c, m);
            good++;
        } else {
            cr_assert(err.code == ERROR_FORMAT && !out.size && strstr(err.message, path));
        }
        buffer_fini(&out);
    }
    chunk_reader_free(r);
    return good;
}

Test(chunkfile, a_flipped_bit_costs_at_most_its_chunk)
{
    char path[4096];
    make_path(path, sizeof path);
    uint64_t state = 3, end[MOST_CHUNKS + 1];
    struct model m = {0};
    struct buffer file = {0};
    write_file(&m, path, &state, 7, 60);
    find_ends(path, end);
    read_all(path, &file);
    for (int indexed = 1; indexed >= 0; indexed--) {
        /* Without the index only a scan is left, which sees all damage. */
        file.size -= indexed ? 0 : CHUNK_BLOCK;
        for (size_t bit = 0; bit < 8 * file.size; bit++) {
            file.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            write_all(path, file.data, file.size);
            bool in_chunk = bit / 8 >= CHUNK_BLOCK && bit / 8 < end[m.count - 1];
            cr_assert_eq(check_survivors(path, &m), m.count - in_chunk, "bit %zu", bit);
            struct chunk_reader *r = open_good(path);
            cr_assert_eq(chunk_reader_damage(r) != NULL, !indexed || !in_chunk, "bit %zu", bit);
            cr_assert(indexed || chunk_reader_count(r) == m.count - in_chunk);
            chunk_reader_free(r);
            file.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
    buffer_fini(&file);
    model_fini(&m);
    remove_path(path);
}

Test(chunkfile, damage_is_told_by_place)
{
    char path[4096], wanted[256];
    make_path(path, sizeof path);
    uint64_t state = 11, end[MOST_CHUNKS + 1];
    struct model m = {0};
    struct buffer file = {0};
    write_file(&m, path, &state, 8, 5000);
    find_ends(path, end);
    read_all(path, &file);

    /* Two chunks in one piece; the first one's length is gone with it. */
    memset(file.data + end[2], 0, end[3] + 40 - end[2]);
    write_all(path, file.data, file.size - CHUNK_BLOCK);
    check_file(path, &m, 3, 5);
    snprintf(wanted, sizeof wanted, "%zu bytes at byte %zu are damaged; chunks that are lost: 2",
             (size_t)(end[4] - end[2]), (size_t)end[2]);
    check_damage(path, wanted);

    memset(file.data + end[5], 0xff, 3);
    write_all(path, file.data, file.size - CHUNK_BLOCK);
    snprintf(wanted, sizeof wanted,
             "%zu bytes at byte %zu are damaged, and %zu more elsewhere; chunks that are lost: 3",
             (size_t)(end[4] - end[2]), (size_t)end[2], (size_t)(end[6] - end[5]));
    check_damage(path, wanted);

    /* Never closed, and a tail that the host never wrote. */
    memset(file.data + end[6], 0, file.size - end[6]);
    write_all(path, file.data, file.size);
    snprintf(wanted, sizeof wanted,
             "%zu bytes at byte %zu are damaged, and %zu more elsewhere; chunks that are lost: 2; "
             "the file was never closed",
             (size_t)(end[4] - end[2]), (size_t)end[2], (size_t)(file.size - end[5]));
    check_damage(path, wanted);

    write_all(path, file.data, (size_t)end[1]);
    check_damage(path, "the file was never closed");
    check_file(path, &m, 2, 8);
    write_all(path, file.data, CHUNK_BLOCK);
    check_damage(path, "the file was never closed");
    buffer_fini(&file);
    model_fini(&m);
    remove_path(path);
}

Test(chunkfile, a_file_inside_a_damaged_chunk_is_not_mistaken_for_this_one)
{
    char path[4096];
    make_path(path, sizeof path);
    uint64_t state = 5;
    struct model inner = {0};
    struct buffer file = {0};
    write_file(&inner, path, &state, 6, 300);
    read_all(path, &file);
    struct chunk_header h = {.kind = CHUNK_KIND('O', 'U', 'T', 'E'),
                             .stored = (uint32_t)file.size,
                             .size = (uint32_t)file.size,
                             .crc = chunk_crc(file.data, file.size)};
    struct buffer outer = {0};
    chunk_file_header_put(buffer_extend(&outer, CHUNK_BLOCK));
    chunk_header_put(buffer_extend(&outer, CHUNK_BLOCK), &h, CHUNK_BLOCK);
    buffer_append(&outer, file.data, file.size);
    write_all(path, outer.data, outer.size);
    struct chunk_reader *r = open_good(path);
    cr_assert_eq(chunk_reader_count(r), 1);
    chunk_reader_free(r);
    outer.data[CHUNK_BLOCK + 20] ^= 1;
    write_all(path, outer.data, outer.size);
    r = open_good(path);
    cr_assert_eq(chunk_reader_count(r), 0);
    chunk_reader_free(r);
    buffer_fini(&outer);
    buffer_fini(&file);
    model_fini(&inner);
    remove_path(path);
}

/* ---- indexes that lie ---- */

/* Replace index and trailer of a file that ends with its chunks at `end`. */
static void write_index(const char *path, const struct buffer *file, uint64_t end,
                        const struct chunk_header *h, const uint8_t *rows,
                        const struct chunk_trailer *t)
{
    struct buffer out = {0};
    struct chunk_header sealed = *h;
    sealed.crc = chunk_crc(rows, h->stored);
    buffer_append(&out, file->data, end);
    chunk_header_put(buffer_extend(&out, CHUNK_BLOCK), &sealed, end);
    buffer_append(&out, rows, h->stored);
    uint64_t at = out.size;
    chunk_trailer_put(buffer_extend(&out, CHUNK_BLOCK), t, at);
    write_all(path, out.data, out.size);
    buffer_fini(&out);
}

Test(chunkfile, an_index_that_makes_no_sense_is_not_believed)
{
    enum { COUNT = 5, ROWS = COUNT * CHUNK_INDEX_ROW };
    char path[4096];
    make_path(path, sizeof path);
    uint64_t state = 21, end[MOST_CHUNKS + 1];
    struct model m = {0};
    struct buffer file = {0};
    uint8_t good[ROWS + CHUNK_INDEX_ROW] = {0}, rows[sizeof good];
    write_file(&m, path, &state, COUNT, 100);
    find_ends(path, end);
    read_all(path, &file);
    struct chunk_reader *r = open_good(path);
    for (size_t i = 0; i < COUNT; i++) {
        const struct chunk *c = chunk_reader_chunk(r, i);
        store_le32(good + i * CHUNK_INDEX_ROW, c->kind);
        store_le32(good + i * CHUNK_INDEX_ROW + 4, c->stored);
        store_le32(good + i * CHUNK_INDEX_ROW + 8, c->size);
    }
    chunk_reader_free(r);
    uint64_t last = end[COUNT - 1];
    const struct chunk_header h = {
        .kind = CHUNK_KIND_INDEX, .number = COUNT, .stored = ROWS, .size = ROWS};
    const struct chunk_trailer t = {.index = last, .chunks = COUNT};
    write_index(path, &file, last, &h, good, &t);
    check_damage(path, NULL);

    for (size_t i = 0; i < 200; i++) {
        struct chunk_header header = h;
        struct chunk_trailer trailer = t;
        memcpy(rows, good, sizeof rows);
        uint32_t wrong[] = {
            0, 1, 33, CHUNK_MOST, CHUNK_MOST + 1, UINT32_MAX, (uint32_t)draw(&state)};
        uint32_t v = wrong[draw(&state) % 7];
        uint8_t *row = rows + draw(&state) % COUNT * CHUNK_INDEX_ROW;
        switch (i % 8) {
        case 0:
            store_le32(row + 4, load_le32(row + 4) + (v ? v : 1));
            break;
        case 1:
            store_le32(row, CHUNK_KIND_INDEX);
            break;
        case 2:
            store_le32(row + 8, CHUNK_MOST + 1 + v % CHUNK_MOST);
            break;
        case 3:
            trailer.index = draw(&state) >> draw(&state) % 64;
            break;
        case 4:
            trailer.chunks = v == COUNT ? 0 : v;
            break;
        case 5:
            header.number = v == COUNT ? 0 : v;
            break;
        case 6:
            header.size = header.stored = (uint32_t)(draw(&state) % ROWS);
            break;
        default:
            header.size = header.stored = ROWS + CHUNK_INDEX_ROW;
            break;
        }
        write_index(path, &file, last, &header, rows, &trailer);
        check_file(path, &m, 0, 0);
        r = open_good(path);
        cr_assert_not_null(chunk_reader_damage(r), "case %zu", i);
        chunk_reader_free(r);
    }
    buffer_fini(&file);
    model_fini(&m);
    remove_path(path);
}
