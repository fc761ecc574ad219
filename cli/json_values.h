/* Values of JSON commands: arguments taken, answers made. */
#ifndef CLI_JSON_VALUES_H
#define CLI_JSON_VALUES_H

#include "base/error.h"
#include "timeline/timeline.h"

#include <jansson.h>

/* ---- arguments; `arguments` may be NULL ----
 *
 * One that is missing (or null) leaves *value as it is, and is an error only when `required`.
 * False: *err names it. */

/* An integer of at least 0, or a string as number_parse has it. */
bool json_take_u64(const json_t *arguments, const char *name, bool required, uint64_t *value,
                   struct error *err);
/* The same, from `least` to `most`. */
bool json_take_within(const json_t *arguments, const char *name, uint64_t least, uint64_t most,
                      uint64_t *value, struct error *err);
/* Good as long as the arguments. */
bool json_take_string(const json_t *arguments, const char *name, bool required, const char **value,
                      struct error *err);
bool json_take_bool(const json_t *arguments, const char *name, bool *value, struct error *err);
/* A hart of this machine; missing: the one whose turn it is. */
bool json_take_hart(const json_t *arguments, const struct timeline *tl, unsigned *hart,
                    struct error *err);
/* A position: an integer, or text as position_find has it. */
bool json_take_position(const json_t *arguments, const char *name, const struct timeline *tl,
                        bool required, uint64_t *position, struct error *err);
/* Bytes as hexadecimal digits, 1 to `most` of them; the caller's to free. */
bool json_take_bytes(const json_t *arguments, const char *name, size_t most, uint8_t **bytes,
                     size_t *size, struct error *err);

/* ---- answers: new references ---- */

/* An integer; above 2^63-1 a string "0x...". */
json_t *json_u64(uint64_t value);
/* Bytes in memory order as hexadecimal digits. */
json_t *json_hex(const void *bytes, size_t size);
/* Text that may be anything: what is no UTF-8 becomes '?'. */
json_t *json_text(const void *bytes, size_t size);
/* {position, hart, pc, priv}: of a hart of the machine as it stands. */
json_t *json_place_here(const struct timeline *tl, unsigned hart);
/* {reason, position, hart, pc, address?, writer?, device?, text} */
json_t *json_stop(const struct timeline *tl, const struct stop *stop);

const char *hit_writer_name(enum hit_writer writer);

#endif
