#include "rsp/tdesc.h"

#include <criterion/criterion.h>
#include <string.h>

Test(rsp_tdesc, xml)
{
    static const struct rsp_register registers[] = {
        {"ra", 64, 1, RSP_TDESC_RISCV_CPU, RSP_TYPE_CODE_PTR, NULL, false},
        {"pc", 64, 32, RSP_TDESC_RISCV_CPU, RSP_TYPE_CODE_PTR, NULL, false},
        {"ft0", 64, 33, RSP_TDESC_RISCV_FPU, RSP_TYPE_DOUBLE, NULL, false},
        {"icount", 64, 4162, "org.example.time", RSP_TYPE_UINT64, "general", true},
        {"fcsr", 32, 68, RSP_TDESC_RISCV_FPU, RSP_TYPE_INT, "float", false},
    };
    struct buffer out = {0};
    rsp_tdesc_append(&out, RSP_ARCHITECTURE_RV64, registers, 5);
    cr_expect_str_eq(
        buffer_text(&out),
        "<?xml version=\"1.0\"?>\n"
        "<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n"
        "<target version=\"1.0\">\n"
        "  <architecture>riscv:rv64</architecture>\n"
        "  <osabi>none</osabi>\n"
        "  <feature name=\"org.gnu.gdb.riscv.cpu\">\n"
        "    <reg name=\"ra\" bitsize=\"64\" regnum=\"1\" type=\"code_ptr\"/>\n"
        "    <reg name=\"pc\" bitsize=\"64\" regnum=\"32\" type=\"code_ptr\"/>\n"
        "  </feature>\n"
        "  <feature name=\"org.gnu.gdb.riscv.fpu\">\n"
        "    <reg name=\"ft0\" bitsize=\"64\" regnum=\"33\" type=\"ieee_double\"/>\n"
        "    <reg name=\"fcsr\" bitsize=\"32\" regnum=\"68\" type=\"int\" group=\"float\"/>\n"
        "  </feature>\n"
        "  <feature name=\"org.example.time\">\n"
        "    <reg name=\"icount\" bitsize=\"64\" regnum=\"4162\" type=\"uint64\" group=\"general\""
        " save-restore=\"no\"/>\n"
        "  </feature>\n"
        "</target>\n");
    buffer_fini(&out);
}

Test(rsp_tdesc, the_same_table_gives_the_same_bytes)
{
    static const struct rsp_register registers[] = {
        {"b", 64, 1, "two", RSP_TYPE_INT, NULL, false},
        {"a", 64, 0, "one", RSP_TYPE_INT, NULL, false},
        {"c", 64, 2, "two", RSP_TYPE_INT, NULL, false},
    };
    struct buffer first = {0}, second = {0};
    rsp_tdesc_append(&first, RSP_ARCHITECTURE_RV64, registers, 3);
    rsp_tdesc_append(&second, RSP_ARCHITECTURE_RV64, registers, 3);
    cr_assert_str_eq(buffer_text(&first), buffer_text(&second));
    const char *xml = buffer_text(&first);
    const char *b = strstr(xml, "\"b\""), *c = strstr(xml, "\"c\""), *a = strstr(xml, "\"a\"");
    cr_expect(b && c && a && b < c && c < a);
    buffer_fini(&first);
    buffer_fini(&second);
}

Test(rsp_tdesc, no_registers)
{
    struct buffer out = {0};
    rsp_tdesc_append(&out, RSP_ARCHITECTURE_RV64, NULL, 0);
    cr_expect(strstr(buffer_text(&out), "<osabi>none</osabi>\n</target>\n"));
    buffer_fini(&out);
}
