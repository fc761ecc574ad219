/* Uses the flash as firmware does, and fw_cfg. Each round reads an item by DMA, erases a block,
 * programs code into it by the buffer, calls that, and programs a word of the other flash.
 * PARAM_ROUNDS: how many. What it has seen is summed up in s1. */
#include "guest.h"

#define FLASH 0x20000000
#define FLASH_SIZE 0x2000000
#define BLOCK 0x40000
#define FW_CFG 0x10100000

    HEAD

/* Both chips get `command` at s2. */
.macro COMMAND command
    li t0, \command
    sw t0, 0(s2)
.endm

start:
    PARAM s0, PARAM_ROUNDS
    li s1, 1
    li s2, FLASH + 3 * BLOCK
    li s3, FLASH + FLASH_SIZE
round:
    beqz s0, end

    /* fw_cfg: 2000 bytes of item s0 % 8. */
    la t0, access
    andi t1, s0, 7
    slli t1, t1, 8
    li t2, 0x0a000000 /* select, read; big-endian */
    or t1, t1, t2
    sw t1, 0(t0)
    li t1, 0xd0070000
    sw t1, 4(t0)
    la t1, destination
    li t3, 8
1:  slli t2, t2, 8
    andi t4, t1, 255
    or t2, t2, t4
    srli t1, t1, 8
    addi t3, t3, -1
    bnez t3, 1b
    sd t2, 8(t0)
    srli t1, t0, 24
    andi t1, t1, 255
    srli t2, t0, 16
    andi t2, t2, 255
    slli t2, t2, 8
    or t1, t1, t2
    srli t2, t0, 8
    andi t2, t2, 255
    slli t2, t2, 16
    or t1, t1, t2
    andi t2, t0, 255
    slli t2, t2, 24
    or t1, t1, t2
    li t2, FW_CFG
    sw zero, 16(t2)
    sw t1, 20(t2)
2:  lw t1, 0(t0)
    addi s1, s1, 1
    bnez t1, 2b
    la t0, destination
    ld t1, 0(t0)
    add s1, s1, t1

    /* Erase, then "addi s1, s1, N; ret" and what s1 is, up to the end of the buffer. */
    COMMAND 0x200020
    COMMAND 0xd000d0
    jal wait
    COMMAND 0xe800e8
    COMMAND 0x1f001f
    slli t0, s0, 20
    li t1, 0x00048493
    or t0, t0, t1
    sw t0, 0(s2)
    li t0, 0x00008067
    sw t0, 4(s2)
    addi t1, s2, 8
    addi t2, s2, 128
3:  slli t0, s1, 7
    xor s1, s1, t0
    srli t0, s1, 9
    xor s1, s1, t0
    sw s1, 0(t1)
    addi t1, t1, 4
    bne t1, t2, 3b
    COMMAND 0xd000d0
    jal wait
    COMMAND 0xff00ff
    jalr s2
    ld t0, 8(s2)
    add s1, s1, t0

    /* Clear bits of a word, of zeroes or not, in the other flash. */
    li t0, 0x40
    sw t0, 0(s3)
    sw s1, 0(s3)
4:  lw t0, 0(s3)
    andi t0, t0, 0x80
    beqz t0, 4b
    li t0, 0xff
    sw t0, 0(s3)
    lw t0, 0(s3)
    add s1, s1, t0
    li t0, 4100
    add s3, s3, t0
    andi t0, s0, 1
    beqz t0, 5f
    li t0, BLOCK
    xor s2, s2, t0
5:  addi s0, s0, -1
    j round

wait:
    lw t0, 0(s2)
    addi s1, s1, 1
    andi t0, t0, 0x80
    beqz t0, wait
    ret

end:
    FINISH

    .data
    .balign 16
access:
    .zero 16
destination:
    .zero 2048
