#include "cli/source_lines.h"

#include "base/check.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <stdlib.h>
#include <string.h>

/* Compilers leave .debug_aranges out, so units are found by what they say of themselves. */
enum { RANGES_MOST = 4 << 20, UNITS_MOST = 1 << 20 };

struct unit_range {
    uint64_t low, high, widest; /* widest: the highest end of this range and all before it */
    Dwarf_Die unit;
};

struct source_lines {
    Dwarf *dwarf;
    struct unit_range *range; /* by low, once `indexed` */
    size_t count, capacity;
    bool indexed;
};

struct source_lines *source_lines_new(Elf *elf)
{
    Dwarf *dwarf = dwarf_begin_elf(elf, DWARF_C_READ, NULL);
    if (!dwarf)
        return NULL;
    struct source_lines *lines = mem_new(1, sizeof *lines);
    lines->dwarf = dwarf;
    return lines;
}

void source_lines_free(struct source_lines *lines)
{
    if (!lines)
        return;
    dwarf_end(lines->dwarf);
    free(lines->range);
    free(lines);
}

static void add_ranges(struct source_lines *lines, Dwarf_Die *unit)
{
    Dwarf_Addr base, low, high;
    ptrdiff_t offset = 0;
    while (lines->count < RANGES_MOST &&
           (offset = dwarf_ranges(unit, offset, &base, &low, &high)) > 0) {
        if (low >= high)
            continue;
        if (lines->count == lines->capacity) {
            lines->capacity = lines->capacity ? 2 * lines->capacity : 64;
            lines->range = mem_grow(lines->range, lines->capacity, sizeof *lines->range);
        }
        lines->range[lines->count++] = (struct unit_range){low, high, 0, *unit};
    }
}

static int compare_ranges(const void *a, const void *b)
{
    const struct unit_range *x = a, *y = b;
    if (x->low != y->low)
        return x->low < y->low ? -1 : 1;
    return x->high < y->high ? -1 : x->high > y->high;
}

static void make_index(struct source_lines *lines)
{
    Dwarf_CU *cu = NULL;
    Dwarf_Die unit;
    uint8_t type;
    if (lines->indexed)
        return;
    lines->indexed = true;
    for (unsigned i = 0;
         i < UNITS_MOST && !dwarf_get_units(lines->dwarf, cu, &cu, NULL, &type, &unit, NULL); i++)
        if (type == DW_UT_compile || type == DW_UT_partial)
            add_ranges(lines, &unit);
    if (lines->count)
        qsort(lines->range, lines->count, sizeof *lines->range, compare_ranges);
    for (size_t i = 0; i < lines->count; i++) {
        struct unit_range *r = &lines->range[i];
        r->widest = i && r[-1].widest > r->high ? r[-1].widest : r->high;
    }
}

static Dwarf_Die *find_unit(struct source_lines *lines, uint64_t address)
{
    make_index(lines);
    size_t low = 0, high = lines->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (lines->range[middle].low <= address)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low && lines->range[low - 1].widest > address; low--)
        if (address < lines->range[low - 1].high)
            return &lines->range[low - 1].unit;
    return NULL;
}

/* A compilation folder of "." says nothing. */
static const char *plain(const char *file)
{
    while (file && !strncmp(file, "./", 2))
        file += 2;
    return file;
}

/* The last row at or before the address; NULL: none, or it is behind the end of its code. */
static Dwarf_Line *find_row(Dwarf_Lines *lines, size_t count, uint64_t address, size_t *index)
{
    size_t low = 0, high = count;
    Dwarf_Addr at;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (!dwarf_lineaddr(dwarf_onesrcline(lines, middle), &at) && at <= address)
            low = middle + 1;
        else
            high = middle;
    }
    bool end = true;
    Dwarf_Line *row = low ? dwarf_onesrcline(lines, low - 1) : NULL;
    *index = low - 1;
    return row && !dwarf_lineendsequence(row, &end) && !end ? row : NULL;
}

/* Of rows at one address the last counts, but one that begins a statement before one that does not,
 * as in gdb. */
static Dwarf_Line *prefer_statement(Dwarf_Lines *lines, size_t index, Dwarf_Line *row)
{
    Dwarf_Addr address, other;
    bool statement = true, end = false;
    if (dwarf_linebeginstatement(row, &statement) || statement || dwarf_lineaddr(row, &address))
        return row;
    while (index-- > 0) {
        Dwarf_Line *before = dwarf_onesrcline(lines, index);
        if (!before || dwarf_lineaddr(before, &other) || other != address ||
            dwarf_lineendsequence(before, &end) || end)
            return row;
        if (!dwarf_linebeginstatement(before, &statement) && statement)
            return before;
    }
    return row;
}

static void set_line(Dwarf_Die *unit, uint64_t address, struct source_frame *frame)
{
    Dwarf_Lines *lines;
    size_t count, index;
    int number;
    if (dwarf_getsrclines(unit, &lines, &count))
        return;
    Dwarf_Line *row = find_row(lines, count, address, &index);
    if (!row)
        return;
    row = prefer_statement(lines, index, row);
    if (dwarf_lineno(row, &number) || number <= 0)
        return;
    frame->file = plain(dwarf_linesrc(row, NULL, NULL));
    frame->line = (unsigned)number;
}

/* Where the inlined function was called: the line of the next frame. */
static void set_call(Dwarf_Die *unit, Dwarf_Die *die, struct source_frame *frame)
{
    Dwarf_Attribute attribute;
    Dwarf_Word file, line;
    Dwarf_Files *files;
    size_t count;
    if (dwarf_formudata(dwarf_attr(die, DW_AT_call_file, &attribute), &file) ||
        dwarf_formudata(dwarf_attr(die, DW_AT_call_line, &attribute), &line) || line > INT32_MAX ||
        dwarf_getsrcfiles(unit, &files, &count) || file >= count)
        return;
    frame->file = plain(dwarf_filesrc(files, file, NULL, NULL));
    frame->line = (unsigned)line;
}

/* ---- functions ---- */

/* The entries of functions around an address, from the outside in. Of deeper ones than there is
 * room for the outer ones are kept. Not dwarf_getscopes: it loses memory over damaged entries. */
struct scopes {
    uint64_t address;
    Dwarf_Die die[SOURCE_FRAMES];
    size_t count;
    unsigned left; /* entries that may still be looked at */
};

enum { ENTRIES_MOST = 1 << 20, DEEPEST = 64 };

enum scope_kind { SCOPE_OTHER, SCOPE_FUNCTION, SCOPE_BLOCK, SCOPE_NAMES };

static enum scope_kind kind_of(Dwarf_Die *die)
{
    switch (dwarf_tag(die)) {
    case DW_TAG_subprogram:
    case DW_TAG_inlined_subroutine:
        return SCOPE_FUNCTION;
    case DW_TAG_lexical_block:
        return SCOPE_BLOCK;
    case DW_TAG_namespace:
    case DW_TAG_module:
    case DW_TAG_structure_type:
    case DW_TAG_class_type:
        return SCOPE_NAMES;
    default:
        return SCOPE_OTHER;
    }
}

/* True: the functions have been found in `parent`. */
static bool find_scopes(struct scopes *s, Dwarf_Die *parent, unsigned depth)
{
    Dwarf_Die child;
    if (depth == DEEPEST || dwarf_child(parent, &child))
        return false;
    do {
        enum scope_kind kind = kind_of(&child);
        if (!s->left)
            return true;
        s->left--;
        if (kind == SCOPE_NAMES && find_scopes(s, &child, depth + 1))
            return true;
        if ((kind != SCOPE_FUNCTION && kind != SCOPE_BLOCK) || dwarf_haspc(&child, s->address) <= 0)
            continue;
        if (kind == SCOPE_FUNCTION && s->count < SOURCE_FRAMES)
            s->die[s->count++] = child;
        find_scopes(s, &child, depth + 1);
        return true;
    } while (!dwarf_siblingof(&child, &child));
    return false;
}

static size_t add_functions(Dwarf_Die *unit, uint64_t address, struct source_frame *out,
                            size_t limit)
{
    struct scopes s = {.address = address, .left = ENTRIES_MOST};
    size_t count = 0;
    find_scopes(&s, unit, 0);
    while (s.count && count < limit) {
        Dwarf_Die *die = &s.die[--s.count];
        out[count].function = dwarf_diename(die);
        out[count].inlined = dwarf_tag(die) == DW_TAG_inlined_subroutine && s.count;
        if (!out[count++].inlined || count == limit)
            break;
        out[count] = (struct source_frame){0};
        set_call(unit, die, &out[count]);
    }
    return count ? count : 1;
}

size_t source_lines_find(struct source_lines *lines, uint64_t address, struct source_frame *out,
                         size_t limit)
{
    Dwarf_Die *unit = find_unit(lines, address);
    if (!unit || !limit)
        return 0;
    out[0] = (struct source_frame){0};
    set_line(unit, address, &out[0]);
    return add_functions(unit, address, out, limit);
}
