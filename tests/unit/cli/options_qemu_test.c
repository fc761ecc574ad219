/* What scripts written for QEMU give: recording and replaying, control sockets, and all that means
 * little here. */
#include "tests/unit/cli/command_line.h"

#include <sys/socket.h>
#include <unistd.h>

static struct parsed p;

static void forget(void)
{
    options_fini(&p.o);
}

TestSuite(options_qemu, .fini = forget);

static void parse_as_qemu(const char *line)
{
    char *argv[WORDS];
    options_fini(&p.o);
    memset(&p, 0, sizeof p);
    int argc = split(line, p.storage, argv);
    cr_assert(options_parse_qemu(&p.o, argc, argv, &p.err), "%s: %s", line, p.err.message);
}

/* ---- recording and replaying ---- */

Test(options_qemu, record)
{
    parse_good(&p, "-icount shift=7,rr=record,rrfile=run.bin,rrsnapshot=init,sleep=off,align=off");
    cr_assert_eq(p.o.machine.shift, 7);
    cr_assert(p.o.warp && p.o.output_replaces);
    cr_assert_str_eq(p.o.output, "run.bin");
    cr_assert_str_eq(p.o.snapshot, "init");
    cr_assert_null(p.o.replayed);
    cr_assert_not(p.o.crash.wanted.panic, "a panic does not end QEMU");
    parse_good(&p, "-icount rr=record,rrfile=a,,b --crash-on panic");
    cr_assert_str_eq(p.o.output, "a,b");
    cr_assert(p.o.crash.wanted.panic);
    parse_good(&p, "-o run.bsr -icount rr=none");
    cr_assert(p.o.crash.wanted.panic && !p.o.output_replaces && !p.o.snapshot);
}

Test(options_qemu, replay)
{
    parse_good(&p, "-icount shift=7,rr=replay,rrfile=run.bin,rrsnapshot=init -m 64M -smp 2");
    cr_assert_str_eq(p.o.replayed, "run.bin");
    cr_assert_str_eq(p.o.snapshot, "init");
    cr_assert_null(p.o.output);
    cr_assert(p.o.ram_given && p.o.harts_given && p.o.shift_given && !p.o.budget_given);
    parse_good(&p, "-icount rr=replay,rrfile=run.bin --memory-budget 64M");
    cr_assert(!p.o.ram_given && !p.o.harts_given && !p.o.shift_given && p.o.budget_given);
}

Test(options_qemu, record_and_replay_that_are_not_possible)
{
    static const struct {
        const char *line, *what, *way_out;
    } bad[] = {
        {"-icount rr=replay", "rr=replay", "rrfile=FILE"},
        {"-icount rr=both,rrfile=f", "rr=both", "record|replay|none"},
        {"-icount rrfile=f", "rrfile", "rr=record or rr=replay"},
        {"-icount rrsnapshot=s", "rrsnapshot", "rr=record or rr=replay"},
        {"-icount rr=record,rrfile=", "-icount", "empty"},
        {"-icount rr=record,rrfile=f,rrsnapshot=1", "`1`", "a letter"},
        {"-icount align=on", "align=on", "align=off"},
        {"-icount rr=record,rrfile=f -o g", "-o g", "leave one of them out"},
        {"-icount rr=replay,rrfile=f -o g", "-o", "leave one of them out"},
        {"-icount rr=replay,rrfile=f --keep 64M", "--keep", "leave one of them out"},
        {"-icount rr=replay,rrfile=f --crash-on panic", "--crash-on", "leave one of them out"},
        {"-icount rr=replay,rrfile=f --stop-at 5", "--stop-at", "leave one of them out"},
        {"-icount rr=replay,rrfile=f -dump-vmstate g", "-dump-vmstate", "leave one of them out"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        parse_bad(&p, bad[i].line, bad[i].what, bad[i].way_out);
}

/* ---- control ---- */

Test(options_qemu, control_sockets)
{
    static const struct {
        const char *line, *where;
        bool pretty;
    } good[] = {
        {"-qmp unix:/tmp/q", "unix:/tmp/q", false},
        {"-qmp unix:/tmp/q,server=on,wait=off", "unix:/tmp/q,server=on,wait=off", false},
        {"-qmp tcp:localhost:4444,server,nowait", "tcp:localhost:4444,server,nowait", false},
        {"-qmp-pretty tcp::0,server=on", "tcp::0,server=on", true},
        {"-chardev socket,id=m,path=/tmp/q -mon chardev=m,mode=control", "unix:/tmp/q,server=off",
         false},
        {"-mon m,mode=control,pretty=on -chardev socket,id=m,path=/tmp/q,server=on,wait=off",
         "unix:/tmp/q,server=on,wait=off", true},
        {"-chardev socket,id=m,port=5,host=h,server=off -qmp chardev:m", "tcp:h:5,server=off",
         false},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        parse_good(&p, good[i].line);
        cr_assert_eq(p.o.controls, 1, "%s", good[i].line);
        cr_assert_str_eq(p.o.control[0].where, good[i].where, "%s", good[i].line);
        cr_assert_eq(p.o.control[0].pretty, good[i].pretty, "%s", good[i].line);
    }
    parse_good(&p, "-qmp unix:/tmp/a -qmp unix:/tmp/b -S -qmp none");
    cr_assert_eq(p.o.controls, 2);
    cr_assert(p.o.stopped, "a control client can let it run");
}

/* QEMU's option without `server` connects; backstep's listens, as -gdb does. */
Test(options_qemu, control_socket_under_the_name)
{
    parse_as_qemu("-qmp unix:/tmp/q");
    cr_assert_str_eq(p.o.control[0].where, "unix:/tmp/q,server=off");
    parse_as_qemu("-qmp unix:/tmp/q,server=on,wait=off");
    cr_assert_str_eq(p.o.control[0].where, "unix:/tmp/q,server=on,wait=off");
}

Test(options_qemu, inherited_sockets)
{
    int pair[2], listening = socket(AF_UNIX, SOCK_STREAM, 0), ends[2];
    char line[200], where[40];
    cr_assert(listening > 2 && !socketpair(AF_UNIX, SOCK_STREAM, 0, pair) && !pipe(ends));
    cr_assert_eq(listen(listening, 1), -1); /* it has no name yet */
    snprintf(line, sizeof line,
             "-chardev socket,id=mon,fd=%d -mon chardev=mon,mode=control -chardev "
             "socket,id=c,fd=%d,server=off -serial chardev:c",
             pair[0], pair[1]);
    parse_good(&p, line);
    snprintf(where, sizeof where, "fd:%d", pair[0]);
    cr_assert_str_eq(p.o.control[0].where, where);
    snprintf(where, sizeof where, "fd:%d", pair[1]);
    cr_assert_str_eq(p.o.serial, where);
    snprintf(line, sizeof line, "-chardev socket,id=c,fd=%d,server=on -serial chardev:c", pair[0]);
    parse_bad(&p, line, "is connected", "server=off");
    snprintf(line, sizeof line, "-chardev socket,id=c,fd=%d -serial chardev:c", ends[0]);
    parse_bad(&p, line, "no socket", "fd");
    snprintf(line, sizeof line, "-gdb fd:%d", pair[0]);
    parse_bad(&p, line, "-gdb", "one that listens");
    parse_bad(&p, "-chardev socket,id=c,fd=1 -serial chardev:c", "`1`", "3 or more");
    parse_bad(&p, "-chardev socket,id=c,fd=x -serial chardev:c", "`x`", "3 or more");
    parse_bad(&p, "-chardev socket,id=c,fd=999999 -serial chardev:c", "999999", "no socket");
    close(pair[0]), close(pair[1]), close(ends[0]), close(ends[1]), close(listening);
}

Test(options_qemu, a_prompt_in_the_guests_terminal)
{
    parse_good(&p, "-chardev stdio,id=c,mux=on -serial chardev:c -mon chardev=c,mode=readline");
    cr_assert_str_eq(p.o.serial, "mon:stdio");
    cr_assert_eq(p.o.controls, 0);
}

Test(options_qemu, control_that_is_not_possible)
{
    static const struct {
        const char *line, *what, *way_out;
    } bad[] = {
        {"-qmp stdio", "-qmp stdio", "unix:PATH"},
        {"-qmp /tmp/q", "/tmp/q", "unix:PATH"},
        {"-qmp unix:a -qmp unix:b -qmp unix:c -qmp unix:d -qmp unix:e", "too many", "at most 4"},
        {"-mon mode=control", "-mon", "chardev=ID"},
        {"-mon chardev=m,mode=control", "no chardev `m`", "-chardev"},
        {"-mon chardev=m,mode=talk", "mode=talk", "control|readline"},
        {"-mon chardev=m,tune=1", "`tune`", "chardev, mode, pretty"},
        {"-chardev pty,id=m -mon chardev=m,mode=control", "`m` is no socket", "-chardev socket"},
        {"-chardev socket,id=m,path=/a -mon chardev=m", "mode=readline", "mode=control"},
        {"-chardev socket,id=m,path=/a -mon m,mode=control -serial chardev:m", "`m` already",
         "another user"},
        {"-chardev socket,id=m,path=/a,fd=4 -mon m,mode=control", "-chardev socket", "or fd=N"},
        {"-chardev socket,id=m,path=/a,reconnect=5 -mon m,mode=control", "reconnect=5", "nodelay"},
        {"-monitor telnet::55", "telnet::55", "human-monitor-command"},
        {"-S", "-S", "-qmp"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        parse_bad(&p, bad[i].line, bad[i].what, bad[i].way_out);
}

/* ---- the rest of such lines ---- */

Test(options_qemu, harmless_options)
{
    parse_good(
        &p, "-display none -vga none -machine virt,accel=tcg -cpu max -accel tcg,thread=multi "
            "-net none -parallel none -no-user-config -nodefaults -name guest=g,process=q "
            "-uuid 1 -msg timestamp=on -audio none -vnc none -overcommit mem-lock=off "
            "-singlestep -mem-prealloc -monitor none -smp 2,sockets=1,threads=1 -pidfile f "
            "-action reboot=shutdown,shutdown=pause -semihosting-config enable=on,target=native");
    cr_assert_str_eq(p.o.serial, "null");
    cr_assert_str_eq(p.o.name, "g");
    cr_assert_str_eq(p.o.pid_file, "f");
    cr_assert(p.o.machine.no_reboot && p.o.no_shutdown && p.o.machine.semihosting);
    cr_assert_eq(p.o.machine.harts, 2);
}

Test(options_qemu, refused_by_name)
{
    static const struct {
        const char *line, *what, *way_out;
    } bad[] = {
        {"-daemonize", "-daemonize", "-pidfile"},
        {"-d in_asm", "-d", "monitor help"},
        {"-D log", "-D", "2>FILE"},
        {"-trace x", "-trace", "monitor help"},
        {"-enable-kvm", "-enable-kvm", "emulated"},
        {"-accel kvm", "kvm", "`tcg`"},
        {"-loadvm s", "-loadvm", "rrsnapshot"},
        {"-incoming x", "-incoming", "backstep replay"},
        {"-vga std", "-vga std", "-vga none"},
        {"-vnc :0", "-vnc :0", "-vnc none"},
        {"-boot d", "-boot", "-kernel"},
        {"-seed 5", "-seed", "recorded"},
        {"--virtfs x", "-virtfs", "-drive"},
        {"-usb", "-usb", "leave it out"},
        {"-semihosting-config enable=on,arg=x", "arg=x", "-append"},
        {"-action panic=shutdown", "panic=shutdown", "none"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        parse_bad(&p, bad[i].line, bad[i].what, bad[i].way_out);
}

Test(options_qemu, questions)
{
    static const struct {
        const char *line, *answer;
    } question[] = {
        {"-M help", "\nvirt "},    {"-machine ?", "\nvirt "},
        {"-cpu help", "rv64\n"},   {"-accel help -M nonsense", ":\ntcg\n"},
        {"-version", "backstep "},
    };
    for (size_t i = 0; i < sizeof question / sizeof *question; i++) {
        parse_good(&p, question[i].line);
        cr_assert(p.o.answer && strstr(p.o.answer, question[i].answer), "%s", question[i].line);
    }
    cr_assert_null(strstr(p.o.answer, "QEMU emulator"), "who looks for that wants QEMU");
}

/* A drive without a device is QEMU's place for snapshots: whatever it is, nothing opens it. */
Test(options_qemu, unattached_drives)
{
    parse_good(&p, "-drive file=/none/d.qcow2,if=none");
    cr_assert_eq(p.o.disks, 0);
    parse_good(&p, "-drive file=/none/d.qcow2,if=none,format=qcow2,id=rr");
    cr_assert_eq(p.o.disks, 0);
    parse_good(&p, "-drive file=/none/d.img,if=none,format=raw,id=d");
    cr_assert_eq(p.o.disks, 0);
    parse_bad(&p, "-drive file=d,if=none,format=qcow2,id=d -device virtio-blk-device,drive=d",
              "qcow2", "qemu-img convert");
}

Test(options_qemu, where_the_serial_port_leads)
{
    static const struct {
        const char *line, *serial, *as_qemu;
    } port[] = {
        {"-m 64M", "stdio", "stdio"},
        {"-nographic", "stdio", "mon:stdio"},
        {"-display none", "stdio", "null"},
        {"-display none -nographic", "stdio", "mon:stdio"},
        {"-nodefaults -nographic", "null", "null"},
        {"-display none -serial stdio", "stdio", "stdio"},
    };
    for (size_t i = 0; i < sizeof port / sizeof *port; i++) {
        parse_good(&p, port[i].line);
        cr_assert_str_eq(p.o.serial, port[i].serial, "%s", port[i].line);
        parse_as_qemu(port[i].line);
        cr_assert_str_eq(p.o.serial, port[i].as_qemu, "%s", port[i].line);
    }
}

/* What QEMU's own test of reverse debugging gives. */
Test(options_qemu, the_line_of_its_test)
{
    int pair[2];
    char line[700];
    cr_assert(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    snprintf(
        line, sizeof line,
        "-display none -vga none -chardev socket,id=mon,fd=%d -mon chardev=mon,mode=control "
        "-machine virt -chardev socket,id=console,path=/tmp/c,server=on,wait=off -serial "
        "chardev:console -icount shift=7,rr=replay,rrfile=/tmp/r.bin,rrsnapshot=init -net none "
        "-drive file=/tmp/d.qcow2,if=none -gdb tcp::2345 -S",
        pair[0]);
    parse_as_qemu(line);
    cr_assert_str_eq(p.o.serial, "unix:/tmp/c,server=on,wait=off");
    cr_assert_str_eq(p.o.gdb, "tcp::2345");
    cr_assert_eq(p.o.controls, 1);
    cr_assert(p.o.stopped && !p.o.disks && !p.o.networks);
    close(pair[0]), close(pair[1]);
}
