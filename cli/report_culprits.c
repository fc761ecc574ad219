#include "cli/report_culprits.h"

#include <fnmatch.h>
#include <stddef.h>

/* Shell patterns. Linux 5.10 to 6.12, U-Boot, OpenSBI, newlib, and what bare-metal programs call
 * such things. */
static const char *const last_resort[] = {
    "panic",
    "vpanic",
    "*_panic",
    "panic_*",
    "nmi_panic",
    "die",
    "die_kernel_fault",
    "oops_*",
    "__stack_chk_fail",
    "__ubsan_*",
    "abort",
    "exit",
    "_exit",
    "_Exit",
    "__assert",
    "__assert_*",
    "rust_begin_unwind",
};

static const char *const machinery[] = {
    /* reports */
    "__warn*",
    "warn_slowpath*",
    "report_bug",
    "handle_bug",
    "bust_spinlocks",
    "no_context",
    "bad_page_fault",
    "*_oops",
    "*_bug",
    "bug",
    "dump_stack*",
    "show_regs",
    "show_stack*",
    "assert",
    "assert_*",
    "*_assert",
    "*_assert_fail",
    "fatal",
    "fatal_*",
    "hang",
    "do_exit",
    "make_task_dead",
    "do_group_exit",
    /* on the way from a trap to them */
    "handle_exception",
    "ret_from_exception",
    "do_trap*",
    "do_page_fault",
    "handle_page_fault",
    "page_fault*",
    "fault_in_kernel_space",
    "*trap_handler",
    "*trap_entry",
    "trap",
    "trap_*",
    "_trap*",
    "*exception_handler",
    "exception_*",
    "*_exception",
    "handle_trap",
    "handle_break",
};

static const char *const ending[] = {
    "fail",           "fail_*",     "*_fail",
    "*_failed",       "failed",     "*power_off",
    "*poweroff",      "*shutdown*", "*_exit",
    "exit_*",         "tohost_*",   "*_tohost",
    "*_halt",         "halt",       "*_reset",
    "*restart",       "*reboot",    "sbi_*",
    "__sbi_*",        "syscon_*",   "*_quit",
    "quit",           "terminate",  "finish",
    "pass",           "htif_*",     "*notifier_call_chain*",
    "do_kernel_*",    "sys_exit*",  "semihost*",
    "test_finisher*",
};

static bool matches(const char *const *pattern, size_t count, const char *function)
{
    for (size_t i = 0; i < count; i++)
        if (!fnmatch(pattern[i], function, 0))
            return true;
    return false;
}

bool report_is_last_resort(const char *function)
{
    return matches(last_resort, sizeof last_resort / sizeof *last_resort, function);
}

bool report_is_machinery(const char *function)
{
    return report_is_last_resort(function) ||
           matches(machinery, sizeof machinery / sizeof *machinery, function);
}

bool report_is_ending(const char *function)
{
    return matches(ending, sizeof ending / sizeof *ending, function);
}
