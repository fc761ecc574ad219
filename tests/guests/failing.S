/* Fails on purpose: the exit status must be the number of the failed test. */
#include "test.h"

.text
.globl test_main
test_main:
TEST_CASE(36)
    li a0, 1
    CHECK(a0, 1)
TEST_CASE(37)
    CHECK(a0, 2)
    PASS
