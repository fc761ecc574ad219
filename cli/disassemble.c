#include "cli/disassemble.h"

#include "base/endian.h"
#include "machine/riscv/decode.h"

#include <capstone/capstone.h>
#include <inttypes.h>

/* capstone prints the target of a jump or branch as its distance, as the last operand. */
static void append_operands(const cs_insn *insn, const struct decoded *d, struct buffer *out)
{
    const char *last = strrchr(insn->op_str, ' ');
    last = last ? last + 1 : insn->op_str;
    if (!riscv_jumps_by((enum op_id)d->id)) {
        buffer_append_string(out, insn->op_str);
        return;
    }
    buffer_append(out, insn->op_str, (size_t)(last - insn->op_str));
    buffer_printf(out, "%#" PRIx64, insn->address + (uint64_t)(int64_t)d->imm);
}

/* Encodings that are none of the hart's are not trusted to capstone, which lets some pass. */
static bool known(const uint8_t *bytes, unsigned size, uint64_t address, struct buffer *out)
{
    struct decoded d = riscv_decode((uint32_t)load_le(bytes, size));
    csh handle;
    cs_insn *insn = NULL;
    if (d.id == OP_ILLEGAL ||
        cs_open(CS_ARCH_RISCV, CS_MODE_RISCV64 | CS_MODE_RISCVC, &handle) != CS_ERR_OK)
        return false;
    size_t count = cs_disasm(handle, bytes, size, address, 1, &insn);
    bool ok = count == 1 && insn->size == size;
    if (ok) {
        buffer_append_string(out, insn->mnemonic);
        if (insn->op_str[0])
            buffer_append_byte(out, ' ');
        append_operands(insn, &d, out);
    }
    cs_free(insn, count);
    cs_close(&handle);
    return ok;
}

unsigned disassemble_one(const uint8_t *bytes, size_t size, uint64_t address, struct buffer *out)
{
    if (size < 2)
        return 0;
    unsigned wanted = (bytes[0] & 3) == 3 ? 4 : 2;
    if (size < wanted)
        return 0;
    if (!known(bytes, wanted, address, out))
        buffer_printf(out, ".insn %u, %#" PRIx64, wanted, load_le(bytes, wanted));
    return wanted;
}
