#include "machine/riscv/fpu.h"

#if FPU_HOST && defined(__x86_64__)

#include <immintrin.h>

__attribute__((target("fma"))) static double fused(double a, double b, double c)
{
    return _mm_cvtsd_f64(_mm_fmadd_sd(_mm_set_sd(a), _mm_set_sd(b), _mm_set_sd(c)));
}

bool fpu_host_fma64(double a, double b, double c, double *result)
{
    /* A flag that libgcc set before main; it also says whether the kernel saves the registers. */
    if (!__builtin_cpu_supports("fma"))
        return false;
    *result = fused(a, b, c);
    return true;
}

#elif FPU_HOST && defined(__aarch64__)

bool fpu_host_fma64(double a, double b, double c, double *result)
{
    double r;
    __asm__("fmadd %d0, %d1, %d2, %d3" : "=w"(r) : "w"(a), "w"(b), "w"(c));
    *result = r;
    return true;
}

#else

bool fpu_host_fma64(double a, double b, double c, double *result)
{
    (void)a, (void)b, (void)c, (void)result;
    return false;
}

#endif
