/* What going back by source lines is tried on: recursion, calls in loops, tail calls, functions
 * without a frame, a loop whose head is the function's entry. Rounds of it, on each hart. */

#define NOINLINE __attribute__((noinline, noclone, noipa))

unsigned long work(unsigned long rounds, unsigned long hart);
unsigned long depth(unsigned long n);
unsigned long factorial(unsigned long n);
unsigned long fibonacci(unsigned long n);
unsigned long sum(const unsigned char *bytes, unsigned long n);
unsigned long leaf(unsigned long a, unsigned long b);
unsigned long chosen(unsigned long n);
unsigned long even(unsigned long n), odd(unsigned long n);
unsigned long pass_on(unsigned long n);
unsigned long walk(unsigned long n, unsigned long (*visit)(unsigned long));
unsigned long through(unsigned long n);
unsigned long length(const char *text);
unsigned long room(unsigned long n);
unsigned long odd_frame(unsigned long n);

static const unsigned char bytes[] = {3, 1, 4, 1, 5, 9, 2, 6};

NOINLINE unsigned long leaf(unsigned long a, unsigned long b)
{
    return a * 3 + b;
}

NOINLINE unsigned long depth(unsigned long n)
{
    unsigned long below = n ? depth(n - 1) : leaf(n, 1);
    return below + leaf(below, n);
}

__attribute__((optimize("no-optimize-sibling-calls", "O1"))) NOINLINE unsigned long
factorial(unsigned long n)
{
    if (n < 2)
        return 1;
    return n * factorial(n - 1);
}

NOINLINE unsigned long fibonacci(unsigned long n)
{
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

/* Its loop begins at the entry. */
__asm__(".globl length\n.type length, @function\nlength: lbu a4, 0(a0)\n addi a0, a0, 1\n"
        " bnez a4, length\n ret\n.size length, . - length\n");

/* A frame whose size no constant tells, and no frame pointer. */
__asm__(".globl odd_frame\n.type odd_frame, @function\nodd_frame: addi sp, sp, -16\n"
        " sd ra, 8(sp)\n sd s0, 0(sp)\n mv s0, a0\n li t1, 32\n sub sp, sp, t1\n"
        " beqz a0, 1f\n addi a0, a0, -1\n call odd_frame\n1: mv a1, s0\n call leaf\n"
        " li t1, 32\n add sp, sp, t1\n ld ra, 8(sp)\n ld s0, 0(sp)\n addi sp, sp, 16\n ret\n"
        ".size odd_frame, . - odd_frame\n");

NOINLINE unsigned long sum(const unsigned char *from, unsigned long n)
{
    unsigned long total = 0;
    for (unsigned long i = 0; i < n; i++)
        total += leaf(from[i], i);
    return total;
}

NOINLINE unsigned long chosen(unsigned long n)
{
    switch (n % 7) {
    case 0:
        return leaf(n, 7);
    case 1:
        return n * n;
    case 2:
        return factorial(3) + n;
    case 3:
        return leaf(n, 5) + leaf(n, 6);
    case 4:
        return n / 3;
    case 5:
        return length("some text");
    default:
        return n + 1;
    }
}

NOINLINE unsigned long even(unsigned long n)
{
    return n ? odd(n - 1) : 1;
}

NOINLINE unsigned long odd(unsigned long n)
{
    return n ? even(n - 1) : 0;
}

/* A tail call behind a call. */
NOINLINE unsigned long pass_on(unsigned long n)
{
    unsigned long got = leaf(n, n);
    return walk(got & 3, leaf(1, 1) > 1 ? through : chosen);
}

NOINLINE unsigned long walk(unsigned long n, unsigned long (*visit)(unsigned long))
{
    unsigned long total = visit(n);
    if (n)
        total += walk(n - 1, visit);
    return total;
}

/* Its callee may be itself, through a tail call. */
NOINLINE unsigned long through(unsigned long n)
{
    unsigned long half = n / 2;
    if (half)
        half = walk(half - 1, chosen) + through(half);
    return even(half & 7);
}

/* A frame of no fixed size. */
NOINLINE unsigned long room(unsigned long n)
{
    volatile unsigned char *some = __builtin_alloca(n * 16 + 8);
    for (unsigned long i = 0; i < n + 2; i++)
        some[i] = (unsigned char)leaf(i, n);
    unsigned long below = n ? room(n - 1) : 0;
    return below + some[n];
}

unsigned long work(unsigned long rounds, unsigned long hart)
{
    unsigned long total = hart;
    for (unsigned long i = 0; i < rounds; i++) {
        total += sum(bytes, sizeof bytes);
        total += factorial(4 + i % 3) + fibonacci(4);
        for (unsigned long k = 0; k < 9; k++)
            total ^= chosen(k + i);
        total += depth(3) + pass_on(i) + through(5) + room(3) + odd_frame(3);
        total += length("a line") + even(i & 3);
    }
    return total;
}
