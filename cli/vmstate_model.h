/* Reading a dump of state descriptions: JSON that may come from anybody, made sure to have the
 * shape below, so that who walks it finds every name and every type in its place.
 *
 *   dump          {"vmschkmachine": {"Name": string}?, SECTION: section, ...}
 *   section       {"version_id", "minimum_version_id"?: integers, "Description"?: description}
 *   description   {"name": string, "version_id", "minimum_version_id"?: integers,
 *                  "Fields"?: [field, ...], "Subsections"?: [description, ...]}
 *   field         {"field": string, "version_id", "minimum_version_id"?, "size", "num"?: integers,
 *                  "Description"?: description}
 *
 * Further entries may be anything. Of entries with the same name the last counts, in the place of
 * the first. Members keep their order. */
#ifndef CLI_VMSTATE_MODEL_H
#define CLI_VMSTATE_MODEL_H

#include "base/error.h"

#include <jansson.h>
#include <stddef.h>

enum {
    VMSTATE_NAME_MOST = 1024,      /* bytes of a string or a name */
    VMSTATE_VALUES_MOST = 1 << 20, /* counted as opening brackets and commas */
    VMSTATE_NESTING_MOST = 256,    /* objects and arrays that make up the dump */
    VMSTATE_BYTES_MOST = 16 << 20,
};

#define VMSTATE_MACHINE "vmschkmachine"

/* NULL on error: "NAME:LINE:COLUMN: WHAT", where name is what the user calls the text. The result
 * is the caller's to json_decref. */
json_t *vmstate_parse(const char *name, const char *text, size_t size, struct error *err);
/* The same from a regular file. */
json_t *vmstate_read(const char *path, struct error *err);

#endif
