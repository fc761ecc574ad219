/* Target descriptions (gdb manual, appendix G): a register table to the XML that a client reads as
 * target.xml. The table is the machine's; what a client requires of it is said here. */
#ifndef RSP_TDESC_H
#define RSP_TDESC_H

#include "base/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RSP_ARCHITECTURE_RV64 "riscv:rv64"

/* The features gdb knows for RISC-V. `.cpu` must have x0 to x31 as zero ra sp gp tp t0-t2 fp s1
 * a0-a7 s2-s11 t3-t6, numbers 0 to 31, and pc, number 32; `.fpu` ft0-ft7 fs0-fs1 fa0-fa7 fs2-fs11
 * ft8-ft11, numbers 33 to 64, then fflags, frm, fcsr (gdb has 66, 67, 68); `.csr` any CSRs by their
 * standard names (65 + the CSR's number is gdb's own numbering, and leaves no clash with those
 * three); `.virtual` priv. Registers gdb does not know go into a feature with a name of our own:
 * gdb shows them, and
 * `$name` works. */
#define RSP_TDESC_RISCV_CPU "org.gnu.gdb.riscv.cpu"
#define RSP_TDESC_RISCV_FPU "org.gnu.gdb.riscv.fpu"
#define RSP_TDESC_RISCV_CSR "org.gnu.gdb.riscv.csr"
#define RSP_TDESC_RISCV_VIRTUAL "org.gnu.gdb.riscv.virtual"

/* Types gdb predefines that are of use here. gdb's own description has ra and pc as code pointers,
 * sp, gp, tp, fp as data pointers and everything else in `.cpu`, `.csr`, `.virtual` as int. */
#define RSP_TYPE_INT "int" /* signed, of the register's width */
#define RSP_TYPE_UINT64 "uint64"
#define RSP_TYPE_CODE_PTR "code_ptr"
#define RSP_TYPE_DATA_PTR "data_ptr"
#define RSP_TYPE_DOUBLE "ieee_double"

/* Strings are printable, without `<`, `>`, `&` and quotes. */
struct rsp_register {
    const char *name;
    uint16_t bits; /* a multiple of 8; a client expects bits / 8 bytes in p, P, g, G */
    uint32_t
        number; /* in p, P, expedited values and condition bytecode; g and G are in this order */
    const char *feature;
    const char *type;
    /* "general", "float", "system" or another group, which `info registers` and `info
     * registers GROUP` go by; NULL: the client decides. */
    const char *group;
    /* Keep out of what a client saves before it calls a function in the guest and writes back
     * after: right for a register whose writing has an effect, like a position. */
    bool no_restore;
};

/* Append the XML. Features stand in the order of their first registers, registers in the order of
 * the table, so the same table gives the same bytes. `<osabi>none</osabi>` keeps gdb from taking
 * the machine for the operating system it was built for. Cost: count * (features + count). */
void rsp_tdesc_append(struct buffer *out, const char *architecture,
                      const struct rsp_register *registers, size_t count);

#endif
