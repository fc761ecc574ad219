#include "cli/cfi.h"

#include "cli/cfi_reader.h"

#include <dwarf.h>
#include <string.h>

enum { LETTERS_MOST = 16, REMEMBERED = 16, SP = 2, RA = 1, OTHER = 32, RULES = 33 };

/* CSRs as the psABI numbers them for DWARF. */
enum { FIRST_CSR = 4096, CSRS = 4096 };

enum rule_kind {
    RULE_SAME, /* also for what is not said: the psABI leaves callers' registers where they are */
    RULE_UNDEFINED,
    RULE_OFFSET,     /* saved at CFA + n */
    RULE_VAL_OFFSET, /* is CFA + n */
    RULE_REGISTER,   /* is in register n */
    RULE_EXPRESSION, /* saved where the expression says */
    RULE_VAL_EXPRESSION
};

struct rule {
    enum rule_kind kind;
    int64_t n;
    struct cfi_reader code;
};

/* What is known of the caller at a place. Rule OTHER is the return column's, if that is no integer
 * register. */
struct row {
    struct rule rule[RULES];
    uint64_t cfa_register;
    int64_t cfa_offset;
    struct cfi_reader cfa_code; /* instead, if not empty */
};

struct cie {
    uint64_t code_align, column;
    int64_t data_align;
    uint8_t encoding;
    bool augmented, trap;
    struct cfi_reader program;
};

struct entry_reader {
    struct frame_section section;
    struct cie cie;
    uint64_t low, high; /* what the FDE covers */
    struct cfi_reader program;
};

/* ---- entries ---- */

/* An entry's contents behind its length. *id_size: of the field that tells CIE from FDE. */
static struct cfi_reader next_entry(struct cfi_reader *r, unsigned *id_size)
{
    uint64_t length = cfi_read(r, 4);
    *id_size = 4;
    if (length == 0xffffffff) {
        length = cfi_read(r, 8);
        *id_size = 8;
    }
    return cfi_part(r, length);
}

/* A pointer as .eh_frame encodes it. */
static uint64_t read_encoded(struct cfi_reader *r, uint8_t encoding,
                             const struct frame_section *section)
{
    static const uint8_t sizes[16] = {
        [DW_EH_PE_absptr] = 8, [DW_EH_PE_udata2] = 2, [DW_EH_PE_udata4] = 4, [DW_EH_PE_udata8] = 8,
        [DW_EH_PE_sdata2] = 2, [DW_EH_PE_sdata4] = 4, [DW_EH_PE_sdata8] = 8};
    unsigned size = sizes[encoding & 15];
    uint64_t base = section->address + (uint64_t)(r->at - section->bytes);
    if (!size || (encoding & 0xf0) > DW_EH_PE_pcrel) {
        r->bad = true;
        return 0;
    }
    uint64_t value = cfi_read(r, size);
    if ((encoding & 8) && size == 2)
        value = (uint64_t)(int16_t)value;
    else if ((encoding & 8) && size == 4)
        value = (uint64_t)(int32_t)value;
    return (encoding & 0x70) == DW_EH_PE_pcrel ? base + value : value;
}

static bool read_augmentation(struct cfi_reader *r, const char *letters,
                              const struct frame_section *section, struct cie *cie)
{
    struct cfi_reader data = {r->at, r->at, false};
    if (*letters == 'z') {
        cie->augmented = true;
        data = cfi_part(r, cfi_uleb(r));
        letters++;
    }
    for (; *letters; letters++) {
        if (*letters == 'S')
            cie->trap = true;
        else if (*letters == 'R' && cie->augmented)
            cie->encoding = (uint8_t)cfi_read(&data, 1);
        else if (*letters == 'L' && cie->augmented)
            cfi_read(&data, 1);
        else if (*letters == 'P' && cie->augmented) {
            uint8_t encoding = (uint8_t)cfi_read(&data, 1);
            read_encoded(&data, encoding & 0x0f, section);
        } else
            return cie->augmented && !data.bad;
    }
    return !data.bad;
}

static bool read_cie(struct cfi_reader r, const struct frame_section *section, struct cie *cie)
{
    *cie = (struct cie){0};
    unsigned version = (unsigned)cfi_read(&r, 1);
    const char *letters = (const char *)r.at;
    const uint8_t *zero =
        memchr(r.at, 0, cfi_left(&r) < LETTERS_MOST ? cfi_left(&r) : LETTERS_MOST);
    if (!zero || (version != 1 && version != 3 && version != 4))
        return false;
    r.at = zero + 1;
    /* Size of addresses, of segment selectors. */
    if (version == 4 && (cfi_read(&r, 1) != 8 || cfi_read(&r, 1)))
        return false;
    cie->code_align = cfi_uleb(&r);
    cie->data_align = cfi_sleb(&r);
    cie->column = version == 1 ? cfi_read(&r, 1) : cfi_uleb(&r);
    if (r.bad || !read_augmentation(&r, letters, section, cie))
        return false;
    cie->program = r;
    return !r.bad;
}

/* The CIE at an offset of the section. */
static bool find_cie(const struct frame_section *section, uint64_t offset, struct cie *cie)
{
    unsigned id_size;
    if (offset >= section->size)
        return false;
    struct cfi_reader all = {section->bytes + offset, section->bytes + section->size, false};
    struct cfi_reader entry = next_entry(&all, &id_size);
    uint64_t id = cfi_read(&entry, id_size);
    uint64_t wanted = section->eh ? 0 : id_size == 8 ? UINT64_MAX : UINT32_MAX;
    return !entry.bad && id == wanted && read_cie(entry, section, cie);
}

/* Is the entry an FDE that covers the place? */
static bool covers(struct entry_reader *e, struct cfi_reader entry, unsigned id_size,
                   uint64_t place)
{
    const struct frame_section *section = &e->section;
    const uint8_t *at = entry.at;
    uint64_t id = cfi_read(&entry, id_size);
    if (entry.bad || id == (section->eh ? 0 : id_size == 8 ? UINT64_MAX : UINT32_MAX))
        return false;
    uint64_t offset = section->eh ? (uint64_t)(at - section->bytes) - id : id;
    if (!find_cie(section, offset, &e->cie))
        return false;
    e->low = read_encoded(&entry, e->cie.encoding, section);
    e->high = e->low + read_encoded(&entry, e->cie.encoding & 15, section);
    if (e->cie.augmented)
        cfi_part(&entry, cfi_uleb(&entry));
    e->program = entry;
    return !entry.bad && place >= e->low && place < e->high;
}

static bool find_entry(const struct symbols *symbols, uint64_t place, struct entry_reader *e)
{
    for (size_t i = 0; symbols_frame_section(symbols, i, &e->section); i++) {
        struct cfi_reader all = {e->section.bytes, e->section.bytes + e->section.size, false};
        while (cfi_left(&all) && !all.bad) {
            unsigned id_size;
            struct cfi_reader entry = next_entry(&all, &id_size);
            if (covers(e, entry, id_size, place))
                return true;
        }
    }
    return false;
}

/* ---- the program ---- */

struct program {
    struct cie *cie;
    uint64_t at, place;
    struct row *row, initial, kept[REMEMBERED];
    unsigned depth;
};

static void set(struct program *p, uint64_t reg, enum rule_kind kind, int64_t n,
                struct cfi_reader code)
{
    uint64_t index = reg < OTHER ? reg : reg == p->cie->column ? OTHER : RULES;
    if (index < RULES)
        p->row->rule[index] = (struct rule){kind, n, code};
}

static void restore(struct program *p, uint64_t reg)
{
    uint64_t index = reg < OTHER ? reg : reg == p->cie->column ? OTHER : RULES;
    if (index < RULES)
        p->row->rule[index] = p->initial.rule[index];
}

static void set_cfa(struct program *p, uint64_t reg, int64_t offset)
{
    p->row->cfa_register = reg;
    p->row->cfa_offset = offset;
    p->row->cfa_code = (struct cfi_reader){0};
}

static int64_t factored(const struct program *p, int64_t n)
{
    return (int64_t)((uint64_t)n * (uint64_t)p->cie->data_align);
}

static bool cfa_instruction(struct program *p, uint8_t op, struct cfi_reader *r)
{
    switch (op) {
    case DW_CFA_def_cfa: {
        uint64_t reg = cfi_uleb(r);
        set_cfa(p, reg, (int64_t)cfi_uleb(r));
        return true;
    }
    case DW_CFA_def_cfa_sf: {
        uint64_t reg = cfi_uleb(r);
        set_cfa(p, reg, factored(p, cfi_sleb(r)));
        return true;
    }
    case DW_CFA_def_cfa_register:
        set_cfa(p, cfi_uleb(r), p->row->cfa_offset);
        return true;
    case DW_CFA_def_cfa_offset:
        set_cfa(p, p->row->cfa_register, (int64_t)cfi_uleb(r));
        return true;
    case DW_CFA_def_cfa_offset_sf:
        set_cfa(p, p->row->cfa_register, factored(p, cfi_sleb(r)));
        return true;
    case DW_CFA_def_cfa_expression:
        p->row->cfa_code = cfi_part(r, cfi_uleb(r));
        return true;
    default:
        return false;
    }
}

static bool rule_instruction(struct program *p, uint8_t op, struct cfi_reader *r)
{
    const struct cfi_reader none = {0};
    uint64_t reg = cfi_uleb(r);
    switch (op) {
    case DW_CFA_offset_extended:
        set(p, reg, RULE_OFFSET, factored(p, (int64_t)cfi_uleb(r)), none);
        return true;
    case DW_CFA_offset_extended_sf:
        set(p, reg, RULE_OFFSET, factored(p, cfi_sleb(r)), none);
        return true;
    case DW_CFA_val_offset:
        set(p, reg, RULE_VAL_OFFSET, factored(p, (int64_t)cfi_uleb(r)), none);
        return true;
    case DW_CFA_val_offset_sf:
        set(p, reg, RULE_VAL_OFFSET, factored(p, cfi_sleb(r)), none);
        return true;
    case DW_CFA_register:
        set(p, reg, RULE_REGISTER, (int64_t)cfi_uleb(r), none);
        return true;
    case DW_CFA_expression:
        set(p, reg, RULE_EXPRESSION, 0, cfi_part(r, cfi_uleb(r)));
        return true;
    case DW_CFA_val_expression:
        set(p, reg, RULE_VAL_EXPRESSION, 0, cfi_part(r, cfi_uleb(r)));
        return true;
    case DW_CFA_undefined:
        set(p, reg, RULE_UNDEFINED, 0, none);
        return true;
    case DW_CFA_same_value:
        set(p, reg, RULE_SAME, 0, none);
        return true;
    case DW_CFA_restore_extended:
        restore(p, reg);
        return true;
    default:
        return false;
    }
}

static bool keep(struct program *p, bool back)
{
    if (back ? !p->depth : p->depth == REMEMBERED)
        return false;
    if (back)
        *p->row = p->kept[--p->depth];
    else
        p->kept[p->depth++] = *p->row;
    return true;
}

/* Those that move on; *moved is false for others. False: the row for the place is complete. */
static bool advance(struct program *p, uint8_t op, struct cfi_reader *r, bool *moved)
{
    uint64_t next = p->at;
    *moved = true;
    if (op >> 6 == DW_CFA_advance_loc >> 6)
        next += (op & 63) * p->cie->code_align;
    else if (op == DW_CFA_advance_loc1)
        next += cfi_read(r, 1) * p->cie->code_align;
    else if (op == DW_CFA_advance_loc2)
        next += cfi_read(r, 2) * p->cie->code_align;
    else if (op == DW_CFA_advance_loc4)
        next += cfi_read(r, 4) * p->cie->code_align;
    else if (op == DW_CFA_set_loc)
        next = cfi_read(r, 8);
    else
        *moved = false;
    if (*moved && next > p->place)
        return false;
    p->at = next;
    return true;
}

/* Run up to the row that holds at the place. */
static bool run(struct program *p, struct cfi_reader r)
{
    bool moved;
    while (cfi_left(&r) && !r.bad) {
        uint8_t op = (uint8_t)cfi_read(&r, 1);
        if (!advance(p, op, &r, &moved))
            return !r.bad;
        if (moved || op == DW_CFA_nop)
            continue;
        if (op >> 6 == DW_CFA_offset >> 6)
            set(p, op & 63, RULE_OFFSET, factored(p, (int64_t)cfi_uleb(&r)),
                (struct cfi_reader){0});
        else if (op >> 6 == DW_CFA_restore >> 6)
            restore(p, op & 63);
        else if (op == DW_CFA_remember_state || op == DW_CFA_restore_state) {
            if (!keep(p, op == DW_CFA_restore_state))
                return false;
        } else if (op == DW_CFA_GNU_args_size)
            cfi_uleb(&r);
        else if (!cfa_instruction(p, op, &r) && !rule_instruction(p, op, &r))
            return false;
    }
    return !r.bad;
}

/* ---- the caller ---- */

static bool read_word(const struct unwind_memory *memory, uint64_t address, uint64_t *value)
{
    uint8_t bytes[8];
    if (!memory->read(memory->ctx, address, bytes, sizeof bytes))
        return false;
    *value = load_le64(bytes);
    return true;
}

static bool value_of(const struct rule *rule, uint64_t same, uint64_t cfa,
                     const struct unwind_memory *memory, const struct unwind_registers *regs,
                     uint64_t *value)
{
    switch (rule->kind) {
    case RULE_SAME:
        *value = same;
        return true;
    case RULE_UNDEFINED:
        *value = 0;
        return true;
    case RULE_OFFSET:
        return read_word(memory, cfa + (uint64_t)rule->n, value);
    case RULE_VAL_OFFSET:
        *value = cfa + (uint64_t)rule->n;
        return true;
    case RULE_REGISTER:
        *value = (uint64_t)rule->n < 32 ? regs->x[rule->n] : 0;
        return (uint64_t)rule->n < 32;
    case RULE_EXPRESSION:
        return cfi_expression(rule->code, memory, regs, &cfa, value) &&
               read_word(memory, *value, value);
    case RULE_VAL_EXPRESSION:
        return cfi_expression(rule->code, memory, regs, &cfa, value);
    }
    return false;
}

/* Where a return address is that was not saved: in a register, or in mepc or the like. */
static uint64_t column_now(const struct cie *cie, const struct unwind_memory *memory,
                           const struct unwind_registers *regs)
{
    if (cie->column < OTHER)
        return regs->x[cie->column];
    uint64_t csr = cie->column - FIRST_CSR;
    return csr < CSRS ? memory->csr(memory->ctx, (unsigned)csr) : 0;
}

static enum cfi_result apply(const struct row *row, const struct cie *cie,
                             const struct unwind_memory *memory,
                             const struct unwind_registers *regs, struct unwind_registers *caller)
{
    uint64_t cfa, column = cie->column < OTHER ? cie->column : OTHER;
    if (cfi_left(&row->cfa_code)) {
        if (!cfi_expression(row->cfa_code, memory, regs, NULL, &cfa))
            return CFI_NONE;
    } else {
        if (row->cfa_register >= 32)
            return CFI_NONE;
        cfa = regs->x[row->cfa_register] + (uint64_t)row->cfa_offset;
    }
    if (row->rule[column].kind == RULE_UNDEFINED)
        return CFI_OUTERMOST;
    *caller = *regs;
    for (unsigned i = 1; i < 32; i++) {
        uint64_t same = i == SP ? cfa : regs->x[i];
        if (!value_of(&row->rule[i], same, cfa, memory, regs, &caller->x[i]))
            return CFI_NONE;
    }
    if (!value_of(&row->rule[column], column_now(cie, memory, regs), cfa, memory, regs,
                  &caller->pc))
        return CFI_NONE;
    return cie->trap ? CFI_TRAPPED : CFI_CALLER;
}

enum cfi_result cfi_caller(const struct symbols *symbols, const struct unwind_memory *memory,
                           const struct unwind_registers *regs, uint64_t place,
                           struct unwind_registers *caller)
{
    struct entry_reader e;
    struct row row = {.cfa_register = SP};
    if (!find_entry(symbols, place, &e))
        return CFI_NONE;
    struct program p = {.cie = &e.cie, .at = e.low, .place = UINT64_MAX, .row = &row};
    if (!run(&p, e.cie.program))
        return CFI_NONE;
    p.initial = row;
    p.at = e.low;
    p.place = place;
    return run(&p, e.program) ? apply(&row, &e.cie, memory, regs, caller) : CFI_NONE;
}
