/* --crash-on: words, defaults, and names that become addresses. */
#include "cli/crash_triggers.h"
#include "tests/unit/cli/command_line.h"
#include "tests/unit/cli/guest_elf.h"

static struct parsed p;

static void forget(void)
{
    options_fini(&p.o);
}

TestSuite(crash_triggers, .fini = forget);

Test(crash_triggers, what_is_on)
{
    parse_good(&p, "");
    cr_assert_not(p.o.crash.wanted.panic || p.o.crash.wanted.test_fail ||
                  p.o.crash.wanted.trap_loop);
    parse_good(&p, "-o file");
    cr_assert(p.o.crash.wanted.panic && p.o.crash.wanted.test_fail && p.o.crash.wanted.trap_loop);
    cr_assert(!p.o.crash.wanted.symbols && !p.o.crash.wanted.consoles &&
              !p.o.crash.wanted.watchdog);
    parse_good(&p, "-o file --crash-on none");
    cr_assert_not(p.o.crash.wanted.panic || p.o.crash.wanted.test_fail ||
                  p.o.crash.wanted.trap_loop);
    parse_good(&p, "--crash-on watchdog:1.5e9 -o file");
    cr_assert_not(p.o.crash.wanted.panic || p.o.crash.wanted.test_fail ||
                  p.o.crash.wanted.trap_loop);
    cr_assert_eq(p.o.crash.wanted.watchdog, 1500000000);
    parse_good(&p, "-crash-on panic --crash-on symbol:main --crash-on symbol:0x80000000 "
                   "--crash-on console:^a:b$ --crash-on test-fail");
    const struct crash_options *wanted = &p.o.crash.wanted;
    cr_assert(wanted->panic && wanted->test_fail && !wanted->trap_loop);
    cr_assert_eq(wanted->symbols, 2);
    cr_assert_str_eq(wanted->symbol[0].name, "main");
    cr_assert_eq(wanted->consoles, 1);
    cr_assert_str_eq(wanted->console[0], "^a:b$");
}

Test(crash_triggers, what_is_wrong)
{
    parse_bad(&p, "--crash-on panik", "panik", "did you mean panic?");
    parse_bad(&p, "--crash-on symbl:x", "symbl:x", "did you mean symbol?");
    parse_bad(&p, "--crash-on whatever", "whatever", "watchdog:STEPS");
    parse_bad(&p, "--crash-on _", "``", "test-fail");
    parse_bad(&p, "--crash-on trap-loop:3", "trap-loop:3", "nothing behind it");
    parse_bad(&p, "--crash-on symbol", "symbol", "0xADDRESS");
    parse_bad(&p, "--crash-on console:", "console", "REGEX");
    parse_bad(&p, "--crash-on console:a(b", "a(b", "regular expression");
    parse_bad(&p, "--crash-on watchdog:0", "`0`", "1.5e9");
    parse_bad(&p, "--crash-on watchdog:-5", "-5", "1.5e9");
    parse_bad(&p, "--crash-on none --crash-on panic", "none", "leave");
    parse_bad(&p, "--crash-on panic --crash-on none", "none", "leave");
    parse_bad(&p, "--crash-on", "--crash-on", "TRIGGER");
}

Test(crash_triggers, not_too_many)
{
    for (unsigned kind = 0; kind < 2; kind++) {
        struct crash_triggers c = {0};
        struct error err = ERROR_INIT;
        unsigned most = 0;
        while (crash_triggers_add(&c, kind ? "symbol:x" : "console:x", &err))
            cr_assert_lt(most++, 1000);
        cr_assert_geq(most, 16);
        cr_assert_eq(err.code, ERROR_RANGE);
    }
}

static bool resolve(const struct kept_files *kept, const char *text, uint64_t *address,
                    struct error *err)
{
    struct crash_triggers c = {0};
    struct crash_options options;
    cr_assert(crash_triggers_add(&c, text, err));
    bool ok = crash_triggers_resolve(&c, kept, &options, err);
    *address = options.symbol[0].address;
    return ok;
}

Test(crash_triggers, addresses)
{
    struct kept_files *kept = kept_files_new();
    struct elf_bytes elf = demo_elf();
    struct symbols *symbols = symbols_of(&elf);
    struct error err = ERROR_INIT;
    uint64_t address, expected;
    cr_assert(resolve(kept, "symbol:0x80000010", &address, &err));
    cr_assert_eq(address, 0x80000010);
    cr_assert_not(resolve(kept, "symbol:main", &address, &err));
    cr_assert(strstr(err.message, "--symbols FILE"), "%s", err.message);

    static const uint8_t other[] = "no ELF file";
    static const uint8_t cut[] = "\x7f"
                                 "ELF\2\1\1";
    cr_assert(kept_files_add(kept, "tree", other, sizeof other, NULL, &err));
    cr_assert(kept_files_add(kept, "firmware", cut, sizeof cut, NULL, &err));
    cr_assert(kept_files_add(kept, "kernel", elf.bytes, elf.size, NULL, &err));
    cr_assert(symbols_find(symbols, "main", &expected));
    cr_assert(resolve(kept, "symbol:main", &address, &err), "%s", err.message);
    cr_assert_eq(address, expected);
    cr_assert_not(resolve(kept, "symbol:mian", &address, &err));
    cr_assert(strstr(err.message, "did you mean main?"), "%s", err.message);
    cr_assert_not(resolve(kept, "symbol:0x", &address, &err));
    cr_assert_not(resolve(kept, "symbol:there_is_no_such_thing", &address, &err));
    cr_assert(strstr(err.message, "no symbol"), "%s", err.message);
    symbols_free(symbols);
    free(elf.bytes);
    kept_files_free(kept);
}
