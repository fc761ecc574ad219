#include "guests/demo/trap.h"

#include "guests/demo/board.h"
#include "guests/demo/sched.h"
#include "guests/demo/timer.h"
#include "guests/demo/uart.h"

#define CAUSE_TIMER (1ul << 63 | 7)

static const char *cause_name(uint64_t mcause)
{
    static const char *const names[] = {
        "instruction address misaligned",
        "instruction access fault",
        "illegal instruction",
        "breakpoint",
        "load address misaligned",
        "load access fault",
        "store address misaligned",
        "store access fault",
    };
    return mcause < sizeof(names) / sizeof(names[0]) ? names[mcause] : "unexpected trap";
}

void panic(const struct trap_frame *frame, uint64_t mcause, uint64_t mtval)
{
    uart_text("panic: ");
    uart_text(cause_name(mcause));
    uart_text(" in task ");
    uart_text(sched_current());
    uart_text(": mcause=");
    uart_hex(mcause);
    uart_text(" mepc=");
    uart_hex(frame->mepc);
    uart_text(" mtval=");
    uart_hex(mtval);
    uart_text("\n");
    board_power_off(1);
}

void trap(struct trap_frame *frame)
{
    uint64_t mcause = csr_read(mcause);
    if (mcause == CAUSE_TIMER)
        timer_interrupt();
    else
        panic(frame, mcause, csr_read(mtval));
}
