/* Names that changed between versions of QEMU without a change of what is saved. This is data: the
 * one file that knows any. */
#ifndef CLI_VMSTATE_RENAMES_H
#define CLI_VMSTATE_RENAMES_H

#include <stdbool.h>

/* The other name of a section; NULL: it has none. */
const char *vmstate_section_renamed(const char *section);
/* Are a and b the same, or two names of one field of this description? */
bool vmstate_same_field(const char *description, const char *a, const char *b);

#endif
