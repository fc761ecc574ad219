/* The M extension; division by zero and overflow are in the table. */
#include "test.h"

.text
.globl test_main
test_main:
#include "mul_div_cases.inc"
    PASS
