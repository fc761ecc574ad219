#include "tests/unit/cli/command_line.h"

static struct parsed p;

static void forget(void)
{
    options_fini(&p.o);
}

TestSuite(options, .fini = forget);

Test(options, defaults)
{
    parse_good(&p, "");
    cr_assert_eq(p.o.machine.ram_size, 128u << 20);
    cr_assert_eq(p.o.machine.harts, 1);
    cr_assert_eq(p.o.machine.shift, 3);
    cr_assert_null(p.o.machine.bios);
    cr_assert_null(p.o.machine.kernel);
    cr_assert_str_empty(p.o.gdb);
    cr_assert_str_eq(p.o.serial, "stdio");
    cr_assert_eq(p.o.budget, UINT64_C(1) << 30);
    cr_assert_eq(p.o.spacing_ns, 25000000u);
    cr_assert_eq(p.o.spacing_steps, 0);
    cr_assert_eq(p.o.stop_at, POSITION_NONE);
    cr_assert_not(p.o.stopped || p.o.no_shutdown || p.o.warp || p.o.machine.no_reboot ||
                  p.o.machine.semihosting || p.o.help);
}

Test(options, a_qemu_command_line)
{
    parse_good(&p, "-M virt -m 256M -smp 2 -bios default -kernel u-boot -append quiet -initrd rd "
                   "-nographic -s -S");
    cr_assert_eq(p.o.machine.ram_size, 256u << 20);
    cr_assert_eq(p.o.machine.harts, 2);
    cr_assert_str_eq(p.o.machine.bios, "default");
    cr_assert_str_eq(p.o.machine.kernel, "u-boot");
    cr_assert_str_eq(p.o.machine.append, "quiet");
    cr_assert_str_eq(p.o.machine.initrd, "rd");
    cr_assert_str_eq(p.o.gdb, "tcp::1234");
    cr_assert(p.o.stopped);
}

Test(options, two_dashes_and_long_forms)
{
    parse_good(&p, "--machine virt,aclint=off --m size=1G --smp cpus=8 --cpu rv64,h=off,v=false,"
                   "zba=true --display none --monitor none --no-reboot -no-shutdown "
                   "--icount shift=0,sleep=off --semihosting");
    cr_assert_eq(p.o.machine.ram_size, 1u << 30);
    cr_assert_eq(p.o.machine.harts, 8);
    cr_assert_eq(p.o.machine.shift, 0);
    cr_assert(p.o.warp && p.o.machine.no_reboot && p.o.no_shutdown && p.o.machine.semihosting);
}

Test(options, recording)
{
    parse_good(&p, "--memory-budget 256M --checkpoint-ms 40 --checkpoint-steps 1e5 --stop-at 1.5e6 "
                   "-icount 7");
    cr_assert_eq(p.o.budget, 256u << 20);
    cr_assert_eq(p.o.spacing_ns, 40000000u);
    cr_assert_eq(p.o.spacing_steps, 100000);
    cr_assert_eq(p.o.stop_at, 1500000);
    cr_assert_eq(p.o.machine.shift, 7);
}

Test(options, a_recording_in_a_file)
{
    parse_good(&p, "-o run.bsr --keep 64M --symbols a.elf --symbols b.elf");
    cr_assert_str_eq(p.o.output, "run.bsr");
    cr_assert_eq(p.o.keep_bytes, 64u << 20);
    cr_assert_eq(p.o.keep_ns, 0);
    cr_assert_eq(p.o.symbol_files, 2);
    cr_assert_str_eq(p.o.symbols[1], "b.elf");
    cr_assert_str_eq(p.o.command,
                     "backstep run -o run.bsr --keep 64M --symbols a.elf --symbols b.elf");
    static const struct {
        const char *line;
        uint64_t ns;
    } time[] = {
        {"--keep 30s", 30000000000}, {"--keep 10min", 600000000000}, {"--keep 2h", 7200000000000}};
    for (size_t i = 0; i < sizeof time / sizeof *time; i++) {
        parse_good(&p, time[i].line);
        cr_assert_eq(p.o.keep_ns, time[i].ns);
        cr_assert_eq(p.o.keep_bytes, 0);
    }
}

Test(options, the_command_line_as_a_shell_takes_it)
{
    char run[] = "-append", words[] = "it's $1", m[] = "-m", size[] = "64M";
    char *argv[] = {run, words, m, size, run, words + 7};
    options_fini(&p.o);
    cr_assert_not(options_parse(&p.o, 6, argv, &p.err));
    cr_assert_str_eq(p.o.command, "backstep run -append 'it'\\''s $1' -m 64M -append ''");
}

Test(options, places)
{
    static const struct {
        const char *line, *gdb, *serial;
    } good[] = {
        {"-gdb tcp::1234", "tcp::1234", "stdio"},
        {"-gdb tcp:1234", "tcp::1234", "stdio"},
        {"-gdb tcp:localhost:0 -serial null", "tcp:localhost:0", "null"},
        {"-gdb tcp:[::1]:99", "tcp:[::1]:99", "stdio"},
        {"-gdb unix:/tmp/gdb.sock", "unix:/tmp/gdb.sock", "stdio"},
        {"-gdb stdio", "stdio", "null"},
        {"-gdb stdio -serial null", "stdio", "null"},
        {"-gdb stdio -serial file:/tmp/stdio", "stdio", "file:/tmp/stdio"},
        {"-serial unix:/tmp/s,server=on,wait=off", "", "unix:/tmp/s,server=on,wait=off"},
        {"-serial tcp:4444,server", "", "tcp::4444,server"},
        {"-serial mon:stdio", "", "mon:stdio"},
        {"-serial pty", "", "pty"},
        {"-s -gdb tcp::99", "tcp::99", "stdio"},
        {"-serial pty -serial null -serial none", "", "pty"},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        parse_good(&p, good[i].line);
        cr_assert_str_eq(p.o.gdb, good[i].gdb, "%s", good[i].line);
        cr_assert_str_eq(p.o.serial, good[i].serial, "%s", good[i].line);
    }
}

Test(options, values_behind_an_equals_sign)
{
    parse_good(&p, "--stop-at=5000 --append=a=b --kernel=x --output=f=g");
    cr_assert_eq(p.o.stop_at, 5000);
    cr_assert_str_eq(p.o.machine.append, "a=b");
    cr_assert_str_eq(p.o.output, "f=g");
}

Test(options, help_ends_the_line)
{
    parse_good(&p, "-m 256M --help -nonsense");
    cr_assert(p.o.help);
    parse_good(&p, "-h");
    cr_assert(p.o.help);
}

Test(options, bad_lines)
{
    static const struct {
        const char *line, *what, *way_out;
    } bad[] = {
        {"-o a -o b", "-o", "twice"},
        {"--output _", "-output", "empty"},
        {"-o a --keep 1M", "1M", "16M or more"},
        {"--keep 64M", "--keep", "-o FILE"},
        {"-o a --keep 64", "64", "64M or 2G"},
        {"-o a --keep 0s", "0s", "10min"},
        {"-o a --keep 99999999999h", "99999999999h", "10min"},
        {"-kernal x", "-kernal", "did you mean -kernel?"},
        {"--machin virt", "--machin", "did you mean -machine?"},
        {"-smpp 2", "-smpp", "-smp"},
        {"--zzzzzzzzzz", "--zzzzzzzzzz", "--help"},
        {"-", "unknown option -", "--help"},
        {"--", "unknown option --", "--help"},
        {"guest.elf", "guest.elf", "-kernel guest.elf"},
        {"_", "``", "-kernel"},
        {"-kernel", "-kernel needs a value", "FILE"},
        {"-m", "-m needs a value", "SIZE"},
        {"--no-reboot=1", "--no-reboot", "takes no value"},
        {"--stop-at=soon", "soon", "1.5e6"},
        {"-stop-at=5", "unknown option -stop-at=5", "-stop-at"},
        {"-kernel _", "-kernel", "empty"},
        {"-M spike", "spike", "`virt`"},
        {"-machine virt,aclint=on", "aclint=on", "`virt`"},
        {"-M _", "-M", "`virt`"},
        {"-cpu rv32", "rv32", "rv64"},
        {"-cpu rv64,h=on", "h=on", "does not change"},
        {"-cpu rv64,rv64", "rv64", "does not change"},
        {"-m 12Q", "12Q", "256M"},
        {"-m 0", "0", "1M to 8G"},
        {"-m 9G", "9G", "1M to 8G"},
        {"-m 1500K", "1500K", "whole MiB"},
        {"-m 256M,slots=2", "slots=2", "-m SIZE"},
        {"-m 99999999999999999999", "99999999999999999999", "256M"},
        {"-smp 0", "0", "1 to 8"},
        {"-smp 9", "9", "1 to 8"},
        {"-smp two", "two", "number"},
        {"-smp 2,cores=2", "cores=2", "-smp N"},
        {"-smp 2,threads=2", "threads=2", "-smp N"},
        {"-icount shift=11", "11", "0 to 10"},
        {"-icount shift=auto", "auto", "0 to 10"},
        {"-icount sleep=maybe", "maybe", "sleep=on|off"},
        {"-icount shift=3,rr=record", "rr=record", "rrfile=FILE"},
        {"-serial vc", "vc", "file:PATH"},
        {"-serial file:", "file:", "file:PATH"},
        {"-serial null -serial stdio", "-serial is given twice", "virtconsole"},
        {"-gdb tcp:here", "-gdb", "port"},
        {"-gdb tcp::70000", "70000", "65535"},
        {"-gdb tcp::1x", "1x", "65535"},
        {"-gdb 1234", "1234", "tcp:HOST:PORT"},
        {"-gdb unix:", "-gdb", "unix:"},
        {"-gdb unix:/tmp/0123456789012345678901234567890123456789012345678901234567890123456789"
         "0123456789012345678901234567890123456789",
         "-gdb", "107 bytes"},
        {"-gdb stdio -serial stdio", "stdio", "another place"},
        {"-gdb stdio -serial mon:stdio", "stdio", "another place"},
        {"-S", "-S", "-gdb"},
        {"-append quiet", "-append", "-kernel"},
        {"-initrd rd", "-initrd", "-kernel"},
        {"-display gtk", "gtk", "none"},
        {"-monitor stdio", "stdio", "mon:stdio"},
        {"--stop-at soon", "soon", "1.5e6"},
        {"--stop-at -5", "-5", "1.5e6"},
        {"--memory-budget 1M", "1M", "16M or more"},
        {"--memory-budget lots", "lots", "512M"},
        {"--checkpoint-ms 0", "0", "1 to 60000"},
        {"--checkpoint-ms fast", "fast", "1 to 60000"},
        {"--checkpoint-steps 0", "0", "steps"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        parse_bad(&p, bad[i].line, bad[i].what, bad[i].way_out);
}

Test(options, very_long_values)
{
    static char value[OPTIONS_WHERE + 64];
    char serial[] = "-serial", machine[] = "-M";
    struct run_options o;
    struct error err = ERROR_INIT;
    memset(value, 'a', sizeof value - 1);
    char *argv[] = {machine, value};
    cr_assert_not(options_parse(&o, 2, argv, &err));
    options_fini(&o);
    memcpy(value, "file:/", 6);
    argv[0] = serial;
    err = (struct error)ERROR_INIT;
    cr_assert_not(options_parse(&o, 2, argv, &err));
    cr_assert(strstr(err.message, "too long"), "%s", err.message);
    options_fini(&o);
}

Test(options, help_has_every_option)
{
    static const char *const words[] = {
        "-M, -machine", "-m SIZE",       "-smp N",          "-bios",
        "-kernel FILE", "-initrd",       "-append",         "-dtb",
        "-serial",      "-icount",       "-semihosting",    "-gdb WHERE",
        "-s ",          "-S ",           "-no-shutdown",    "-no-reboot",
        "--stop-at N",  "-cpu rv64",     "--memory-budget", "--checkpoint-ms",
        "-nographic",   "-display",      "-monitor",        "--checkpoint-steps",
        "-drive file",  "-pflash",       "-device DRIVER",  "virtio-blk-device",
        "-netdev user", "-nic",          "-net nic",        "-chardev",
        "-qmp unix:",   "-mon chardev=", "-rtc base=",      "-fw_cfg",
        "-object",      "virtconsole"};
    struct buffer out = {0};
    options_help(&out);
    const char *text = buffer_text(&out);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        cr_assert(strstr(text, words[i]), "%s", words[i]);
    for (const char *line = text; *line;) {
        size_t size = strcspn(line, "\n");
        cr_assert_leq(size, 100, "%.*s", (int)size, line);
        line += size + (line[size] == '\n');
    }
    buffer_fini(&out);
}
