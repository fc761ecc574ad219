/* Field tables: one description of a state struct, many users (save, load, digest, difference,
 * printing, dump, coverage). A state struct holds fixed-width unsigned integers, bools, arrays and
 * nested state structs, no pointers, and no byte that its table does not describe.
 * docs/vmstate.md has the rules for whoever changes a table, and the byte format. */
#ifndef BASE_FIELDS_H
#define BASE_FIELDS_H

#include "base/buffer.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fields;

struct field {
    const char *name;
    uint32_t offset;
    uint32_t size;               /* bytes of one element */
    uint32_t count;              /* elements, 1 for a scalar */
    const struct fields *nested; /* the element's table; NULL for an integer */
    bool unused;                 /* padding: saved as zero, whatever is loaded becomes zero */
    bool boolean;                /* elements are bools: only 0 and 1 load */

    /* What follows a macro's two or three arguments sets these, by name:
     * FIELD(struct s, limit, .version_id = 2, .initial = 64). */
    uint32_t version_id; /* the first version of its table that has it; 0: all have */
    uint64_t initial;    /* each element's value where a loaded stream does not have the field;
                          * nested: 0, the nested table's own count */
    /* The stream has it only if this says so (and version_id); NULL: always. A pure function of the
     * fields that stand before it in the table, and of the version the stream has. */
    bool (*exists)(const void *state, uint32_t version);
};

struct fields {
    const char *name; /* at most 255 bytes; a component's is the name of its section */
    uint32_t version_id;
    uint32_t minimum_version_id; /* the oldest version that loads */
    uint32_t size;               /* of the struct */
    const struct field *field;
    uint32_t count;
    /* Tables of further members of the same struct, NULL behind the last; NULL: none. None twice by
     * name, FIELDS_SUBSECTIONS at most. */
    const struct fields *const *subsections;
    /* A subsection is saved only when this says so; else its fields load as their initial values.
     * A pure function of the whole state. NULL in a table that is no subsection. */
    bool (*needed)(const void *state);
};

enum { FIELDS_SUBSECTIONS = 32 };

/* The size of an unsigned integer or bool; anything else does not compile. */
#define FIELDS_INTEGER_SIZE(value)                                                                 \
    _Generic((value), uint8_t : 1, uint16_t : 2, uint32_t : 4, uint64_t : 8, bool : 1)
#define FIELDS_IS_BOOL(value) _Generic((value), bool : true, default : false)

#define FIELDS_MEMBER(type, member) (((type *)0)->member)
#define FIELDS_LENGTH(type, member)                                                                \
    (sizeof FIELDS_MEMBER(type, member) / sizeof FIELDS_MEMBER(type, member)[0])

/* A table is `static const struct field t[] = { FIELD(struct s, a), ... }` and
 * `const struct fields s_fields = FIELDS("s", struct s, 1, 1, t)`; behind that
 * `.subsections = list`, or `.needed = predicate` in a subsection. */
#define FIELD(type, member, ...)                                                                   \
    {                                                                                              \
        .name = #member, .offset = offsetof(type, member),                                         \
        .size = FIELDS_INTEGER_SIZE(FIELDS_MEMBER(type, member)), .count = 1,                      \
        .boolean = FIELDS_IS_BOOL(FIELDS_MEMBER(type, member)), __VA_ARGS__                        \
    }
#define FIELD_ARRAY(type, member, ...)                                                             \
    {                                                                                              \
        .name = #member, .offset = offsetof(type, member),                                         \
        .size = FIELDS_INTEGER_SIZE(FIELDS_MEMBER(type, member)[0]),                               \
        .count = FIELDS_LENGTH(type, member),                                                      \
        .boolean = FIELDS_IS_BOOL(FIELDS_MEMBER(type, member)[0]), __VA_ARGS__                     \
    }
#define FIELD_STRUCT(type, member, table, ...)                                                     \
    {                                                                                              \
        .name = #member, .offset = offsetof(type, member),                                         \
        .size = sizeof FIELDS_MEMBER(type, member), .count = 1, .nested = &(table), __VA_ARGS__    \
    }
#define FIELD_STRUCT_ARRAY(type, member, table, ...)                                               \
    {                                                                                              \
        .name = #member, .offset = offsetof(type, member),                                         \
        .size = sizeof FIELDS_MEMBER(type, member)[0], .count = FIELDS_LENGTH(type, member),       \
        .nested = &(table), __VA_ARGS__                                                            \
    }
/* An explicit byte array that fills a hole, or where a field was in older versions. */
#define FIELD_UNUSED(type, member, ...)                                                            \
    {                                                                                              \
        .name = #member, .offset = offsetof(type, member), .size = 1,                              \
        .count = sizeof FIELDS_MEMBER(type, member), .unused = true, __VA_ARGS__                   \
    }

#define FIELDS(table_name, type, version, minimum_version, table, ...)                             \
    {                                                                                              \
        .name = table_name, .version_id = version, .minimum_version_id = minimum_version,          \
        .size = sizeof(type), .field = table, .count = sizeof(table) / sizeof(table)[0],           \
        __VA_ARGS__                                                                                \
    }

/* Append the state in the table's present version: what fields_load takes with version_id. */
void fields_save(const struct fields *table, const void *state, struct buffer *out);
/* Fill *state from the front of bytes[0..*size), which a table of `version` has written, and
 * advance both past what was used. What that version did not have gets its initial value. Refused:
 * versions outside [minimum_version_id, version_id] here or in a nested table, streams that end
 * early, bools other than 0 and 1, subsections that are not in the table, come twice or have bytes
 * too many. *state, aligned as its struct, is then undefined: load into scratch, commit after. */
bool fields_load(const struct fields *table, uint32_t version, void *state, const uint8_t **bytes,
                 size_t *size, struct error *err);
/* Would bytes[0..size) load as `version`, all of them, and are that and the versions of all nested
 * tables and subsections in it the present ones? */
bool fields_versions_equal(const struct fields *table, uint32_t version, const uint8_t *bytes,
                           size_t size);

/* A saved state behind a header that says whose it is. Subsections are sections of instance 0. */
struct fields_section {
    char name[256]; /* as saved, '?' for what does not print */
    uint32_t instance;
    uint32_t version;
    const uint8_t *bytes; /* in the stream */
    size_t size;
};
void fields_save_section(const struct fields *table, uint32_t instance, const void *state,
                         struct buffer *out);
/* Take one section, *size being more than 0, from the front of *bytes. */
bool fields_next_section(struct fields_section *section, const uint8_t **bytes, size_t *size,
                         struct error *err);
/* fields_load, of all bytes of the section. */
bool fields_load_section(const struct fields *table, const struct fields_section *section,
                         void *state, struct error *err);

/* Every field's initial value. */
void fields_reset(const struct fields *table, void *state);

/* Of the values alone: versions, and the names of fields and of what is not saved, do not count. */
uint64_t fields_digest(const struct fields *table, const void *state);
/* Append one line "PREFIX.NAME: A -> B" for each integer that differs; returns how many do. At most
 * `limit` lines are written. What neither of the two would save does not count. */
size_t fields_diff(const struct fields *table, const void *a, const void *b, const char *prefix,
                   size_t limit, struct buffer *out);
/* Append "NAME: VALUE" lines for what would be saved; runs of equal array elements are folded. */
void fields_print(const struct fields *table, const void *state, const char *prefix,
                  struct buffer *out);
/* Set map[i] for each byte i of the struct that the table or a subsection describes; checks that
 * none is described twice and that the table is one at all (versions, initial values). map has
 * table->size bytes, zeroed by the caller. */
void fields_coverage(const struct fields *table, bool *map);

#endif
