/* The board: a RISC-V `virt` machine, one hart in M-mode without firmware. */
#ifndef DEMO_BOARD_H
#define DEMO_BOARD_H

#include <stdint.h>

#define UART_BASE 0x10000000ul
#define CLINT_BASE 0x02000000ul
#define TEST_BASE 0x00100000ul

#define MTIME_HZ 10000000u
#define TICK_HZ 2000u

#define MSTATUS_MIE (1ul << 3)
#define MIE_MTIE (1ul << 7)

#define csr_read(name)                                                                             \
    ({                                                                                             \
        uint64_t csr_value;                                                                        \
        __asm__ volatile("csrr %0, " #name : "=r"(csr_value));                                     \
        csr_value;                                                                                 \
    })
#define csr_write(name, value) __asm__ volatile("csrw " #name ", %0" ::"r"((uint64_t)(value)))
#define csr_set(name, bits) __asm__ volatile("csrs " #name ", %0" ::"r"((uint64_t)(bits)))
#define csr_clear(name, bits) __asm__ volatile("csrc " #name ", %0" ::"r"((uint64_t)(bits)))

static inline volatile uint8_t *reg8(uintptr_t address)
{
    return (volatile uint8_t *)address;
}

static inline volatile uint32_t *reg32(uintptr_t address)
{
    return (volatile uint32_t *)address;
}

static inline volatile uint64_t *reg64(uintptr_t address)
{
    return (volatile uint64_t *)address;
}

/* Ends the run; a code of 0 is success. */
void board_power_off(unsigned code) __attribute__((noreturn));

#endif
