/* Field tables: one description of a state struct, many users (save, load, digest, difference,
 * printing, coverage). A state struct holds fixed-width unsigned integers, bools, arrays and nested
 * state structs, no pointers, and no byte that its table does not describe. */
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
    uint32_t version_id;         /* the first table version that has it */
    const struct fields *nested; /* the element's table; NULL for an integer */
    bool unused;                 /* padding: saved as zero */
    bool boolean;                /* elements are bools: only 0 and 1 load */
};

struct fields {
    const char *name;
    uint32_t version_id;
    uint32_t minimum_version_id; /* the oldest version that loads */
    uint32_t size;               /* of the struct */
    const struct field *field;
    uint32_t count;
};

/* The size of an unsigned integer or bool; anything else does not compile. */
#define FIELDS_INTEGER_SIZE(value)                                                                 \
    _Generic((value), uint8_t : 1, uint16_t : 2, uint32_t : 4, uint64_t : 8, bool : 1)
#define FIELDS_IS_BOOL(value) _Generic((value), bool : true, default : false)

#define FIELDS_MEMBER(type, member) (((type *)0)->member)

/* A table is `static const struct field t[] = { FIELD(struct s, a), ... }` and
 * `const struct fields s_fields = FIELDS("s", struct s, 1, 1, t)`. */
#define FIELD(type, member)                                                                        \
    {                                                                                              \
#member, offsetof(type, member), FIELDS_INTEGER_SIZE(FIELDS_MEMBER(type, member)), 1, 0,   \
            NULL, false, FIELDS_IS_BOOL(FIELDS_MEMBER(type, member))                               \
    }
#define FIELD_ARRAY(type, member)                                                                  \
    {                                                                                              \
#member, offsetof(type, member), FIELDS_INTEGER_SIZE(FIELDS_MEMBER(type, member)[0]),      \
            sizeof FIELDS_MEMBER(type, member) /                                                   \
                sizeof FIELDS_MEMBER(type, member)[0], 0, NULL, false,                             \
                                                   FIELDS_IS_BOOL(FIELDS_MEMBER(type, member)[0])  \
    }
#define FIELD_STRUCT(type, member, table)                                                          \
    {                                                                                              \
#member, offsetof(type, member), sizeof FIELDS_MEMBER(type, member), 1, 0, &(table),       \
            false, false                                                                           \
    }
#define FIELD_STRUCT_ARRAY(type, member, table)                                                    \
    {                                                                                              \
#member, offsetof(type, member),                                                           \
            sizeof FIELDS_MEMBER(type, member)[0],                                                 \
                                               sizeof FIELDS_MEMBER(type, member) /                \
                                                   sizeof FIELDS_MEMBER(type, member)[0], 0,       \
                                                                                      &(table),    \
                                                                                      false, false \
    }
/* An explicit byte array that fills a hole. */
#define FIELD_UNUSED(type, member)                                                                 \
    {                                                                                              \
#member, offsetof(type, member), 1, sizeof FIELDS_MEMBER(type, member), 0, NULL, true,     \
            false                                                                                  \
    }

#define FIELDS(table_name, type, version, minimum_version, table)                                  \
    {                                                                                              \
        table_name, version, minimum_version, sizeof(type), table,                                 \
            sizeof(table) / sizeof(table)[0]                                                       \
    }

/* Bytes that fields_save appends: the same for every state of a table. */
size_t fields_saved_size(const struct fields *table);
/* Append every field in table order, little-endian, without names. */
void fields_save(const struct fields *table, const void *state, struct buffer *out);
/* Fill *state from the front of bytes[0..*size), and advance both past what was used. Bools other
 * than 0 and 1 and streams that end early are refused; *state is then undefined: load into scratch,
 * commit after. */
bool fields_load(const struct fields *table, void *state, const uint8_t **bytes, size_t *size,
                 struct error *err);
uint64_t fields_digest(const struct fields *table, const void *state);
/* Append one line "PREFIX.NAME: A -> B" for each integer that differs; returns how many do. At most
 * `limit` lines are written. */
size_t fields_diff(const struct fields *table, const void *a, const void *b, const char *prefix,
                   size_t limit, struct buffer *out);
/* Append "NAME: VALUE" lines; runs of equal array elements are folded. */
void fields_print(const struct fields *table, const void *state, const char *prefix,
                  struct buffer *out);
/* Set map[i] for each byte i of the struct that the table describes. map has table->size bytes,
 * zeroed by the caller. */
void fields_coverage(const struct fields *table, bool *map);

#endif
