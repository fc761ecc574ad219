/* Reports of live timelines: what they say of the end. */
#include "cli/report.h"

#include "cli/report_culprits.h"
#include "tests/unit/cli/guest.h"
#include "tests/unit/cli/guest_elf.h"

static struct guest guest;
static struct elf_bytes elf;
static struct symbols *symbols;
static struct report_page page;
static struct report_source source;

static void init(unsigned harts)
{
    guest_init_demo(&guest, harts);
    elf = demo_elf();
    symbols = symbols_of(&elf);
    source = (struct report_source){
        .timeline = guest.timeline, .at = POSITION_NONE, .symbols = symbols, .file = "it's.bsr"};
}

static void fini(void)
{
    report_page_fini(&page);
    symbols_free(symbols);
    free(elf.bytes);
    guest_fini(&guest);
}

TestSuite(report, .fini = fini);

static const char *make(void)
{
    report_page_fini(&page);
    report_make(&source, &page);
    return buffer_text(&page.text);
}

#define assert_says(text, part) cr_assert(strstr(text, part), "no `%s` in:\n%s", part, text)
#define assert_silent(text, part) cr_assert_null(strstr(text, part), "`%s` in:\n%s", part, text)

/* The demo's bug: a record put beyond the ring's end lies over a pointer to a function, which is
 * called much later. */
Test(report, crash)
{
    init(1);
    cr_assert_eq(guest_run_to(&guest, UINT64_MAX).reason, STOP_HALT);
    uint64_t tip = timeline_tip(guest.timeline);
    const char *text = make();
    assert_says(text, "the guest ended the run with code 1\n");
    assert_says(text, "culprit     sensors_limits (guests/demo/sensors.c:81)\n");
    assert_says(text, "instruction access fault");
    assert_says(text, "sent there by sensors_limits+");
    assert_says(text, "(sensors+0x230)");
    assert_says(text, "last written in ring_put+");
    assert_says(text, "(guests/demo/ring.c:17)");
    assert_says(text, "computed in sensors_sample+");
    assert_says(text, "panic: instruction access fault in task limits");
    assert_says(text, "-- trapped in:");
    assert_says(text, "main+");
    assert_says(text, "machine timer interrupt");
    assert_says(text, "backstep replay 'it'\\''s.bsr' --at ");
    assert_says(text, "(gdb) watch *(long *)");
    cr_assert_eq(timeline_position(guest.timeline), tip);
    cr_assert(timeline_live(guest.timeline));
    /* It is the same report again: looking has changed nothing. */
    char *first = strdup(text);
    cr_assert_str_eq(make(), first);
    free(first);
}

/* Where a trigger stops it: the panic's first instruction is still to come. */
Test(report, panic_reached)
{
    struct stop stop;
    uint64_t address;
    init(1);
    cr_assert(symbols_find(symbols, "panic", &address));
    timeline_point_add(guest.timeline, HIT_EXECUTE, address, 0);
    timeline_continue(guest.timeline);
    timeline_finish(guest.timeline, &stop);
    cr_assert_eq(stop.reason, STOP_BREAK);
    source.reason = "panic";
    source.verdict = "the function panic was reached";
    const char *text = make();
    assert_says(text, "culprit     sensors_limits (guests/demo/sensors.c:81)\n");
    assert_says(text, "last written in ring_put+");
    assert_says(text, "-- hart 0 at the fault ---");
}

Test(report, verdict)
{
    init(2);
    guest_run_to(&guest, 3000000);
    const char *text = make();
    assert_says(text, "the recording ends here");
    assert_silent(text, "culprit");
    assert_says(text, "-- hart 1 ");
    assert_says(text, "waits for an interrupt");
    source.reason = "symbol:ring_put";
    source.verdict = "the symbol <ring_put> was reached";
    text = make();
    assert_says(text, "the symbol <ring_put> was reached\n====");
    assert_says(text, "\nstopped in  ");
    assert_silent(text, "culprit");
    assert_says(buffer_text(&page.html), "<h1>the symbol &lt;ring_put&gt; was reached</h1>");
}

Test(report, symbol_reached)
{
    struct stop stop;
    uint64_t address;
    init(1);
    cr_assert(symbols_find(symbols, "ring_put", &address));
    timeline_point_add(guest.timeline, HIT_EXECUTE, address, 0);
    timeline_continue(guest.timeline);
    timeline_finish(guest.timeline, &stop);
    cr_assert_eq(stop.reason, STOP_BREAK);
    source.reason = "symbol:ring_put";
    const char *text = make();
    assert_says(text, "called from sensors_sample (guests/demo/sensors.c");
    assert_silent(text, "culprit");
}

/* The next interrupt goes to where nothing is, and so does the trap that this makes, and so on. */
Test(report, trap_loop)
{
    enum { MTVEC = 65 + 0x305 };
    struct error err = ERROR_INIT;
    init(1);
    guest_run_to(&guest, 3000000);
    cr_assert(timeline_write_register(guest.timeline, 0, MTVEC, 0x40, &err), "%s", err.message);
    guest_run_to(&guest, 3080000);
    source.reason = "trap-loop";
    const char *text = make();
    assert_says(text, "culprit     crc32_byte (guests/demo/image.c:");
    assert_says(text, "-- the first trap of the loop ---");
    assert_says(text, "machine timer interrupt, at position 3,0");
    assert_says(text, "instruction access fault, address 0x40");
    assert_says(text, "-- hart 0 at that trap ---");
}

Test(report, past)
{
    init(1);
    guest_run_to(&guest, 3000000);
    source.reason = "panic";
    source.at = 1000000;
    const char *text = make();
    assert_says(text, "as it was at position 1000000, before the end\n");
    assert_silent(text, "culprit");
    assert_says(text, "--at 1000000");
    cr_assert_eq(timeline_position(guest.timeline), 3000000);
    source.at = 0;
    assert_says(make(), "position    0 (history from 0)");
}

Test(report, no_symbols)
{
    init(1);
    struct symbols *none = symbols_new();
    source.symbols = none;
    guest_run_to(&guest, UINT64_MAX);
    const char *text = make();
    assert_says(text, "not known by name: there are no symbols (`--symbols FILE`)");
    assert_says(text, "no symbol\n");
    assert_says(text, "instruction access fault");
    assert_says(text, "last written in 0x8000");
    symbols_free(none);
}

Test(report, blame)
{
    init(1);
    cr_assert(report_is_last_resort("panic"));
    cr_assert(report_is_last_resort("kernel_panic"));
    cr_assert_not(report_is_last_resort("panicky"));
    cr_assert(report_is_machinery("do_trap_break"));
    cr_assert(report_is_ending("board_power_off"));
    cr_assert_not(report_is_machinery("sysrq_handle_crash"));
    cr_assert_not(report_is_ending("test_main"));
}
