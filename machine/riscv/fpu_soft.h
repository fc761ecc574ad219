/* IEEE 754 binary32 and binary64 with RISC-V's results and flags, in integer operations alone: the
 * definition of what fpu.h computes. Every host gives the same bits; no host rounding mode, flag
 * or contraction can reach it.
 *
 * Contracts are those of fpu.h. */
#ifndef MACHINE_RISCV_FPU_SOFT_H
#define MACHINE_RISCV_FPU_SOFT_H

#include <stdint.h>

uint64_t fpu_soft_add64(uint64_t a, uint64_t b, unsigned rm, uint32_t *flags);
uint64_t fpu_soft_sub64(uint64_t a, uint64_t b, unsigned rm, uint32_t *flags);
uint64_t fpu_soft_mul64(uint64_t a, uint64_t b, unsigned rm, uint32_t *flags);
uint64_t fpu_soft_div64(uint64_t a, uint64_t b, unsigned rm, uint32_t *flags);
uint64_t fpu_soft_sqrt64(uint64_t a, unsigned rm, uint32_t *flags);
uint64_t fpu_soft_fma64(uint64_t a, uint64_t b, uint64_t c, unsigned rm, uint32_t *flags);

uint32_t fpu_soft_add32(uint32_t a, uint32_t b, unsigned rm, uint32_t *flags);
uint32_t fpu_soft_sub32(uint32_t a, uint32_t b, unsigned rm, uint32_t *flags);
uint32_t fpu_soft_mul32(uint32_t a, uint32_t b, unsigned rm, uint32_t *flags);
uint32_t fpu_soft_div32(uint32_t a, uint32_t b, unsigned rm, uint32_t *flags);
uint32_t fpu_soft_sqrt32(uint32_t a, unsigned rm, uint32_t *flags);
uint32_t fpu_soft_fma32(uint32_t a, uint32_t b, uint32_t c, unsigned rm, uint32_t *flags);

uint64_t fpu_soft_f32_to_f64(uint32_t a, uint32_t *flags);
uint32_t fpu_soft_f64_to_f32(uint64_t a, unsigned rm, uint32_t *flags);

uint64_t fpu_soft_f64_to_i32(uint64_t a, unsigned rm, uint32_t *flags);
uint64_t fpu_soft_f64_to_u32(uint64_t a, unsigned rm, uint32_t *flags);
uint64_t fpu_soft_f64_to_i64(uint64_t a, unsigned rm, uint32_t *flags);
uint64_t fpu_soft_f64_to_u64(uint64_t a, unsigned rm, uint32_t *flags);
uint64_t fpu_soft_f32_to_i32(uint32_t a, unsigned rm, uint32_t *flags);
uint64_t fpu_soft_f32_to_u32(uint32_t a, unsigned rm, uint32_t *flags);
uint64_t fpu_soft_f32_to_i64(uint32_t a, unsigned rm, uint32_t *flags);
uint64_t fpu_soft_f32_to_u64(uint32_t a, unsigned rm, uint32_t *flags);

uint64_t fpu_soft_i64_to_f64(uint64_t x, unsigned rm, uint32_t *flags);
uint64_t fpu_soft_u64_to_f64(uint64_t x, unsigned rm, uint32_t *flags);
uint32_t fpu_soft_i64_to_f32(uint64_t x, unsigned rm, uint32_t *flags);
uint32_t fpu_soft_u64_to_f32(uint64_t x, unsigned rm, uint32_t *flags);

#endif
