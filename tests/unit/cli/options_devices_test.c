/* Disks, networks, consoles, clock: what the options make of the machine and of the host's side. */
#include "base/log.h"
#include "tests/unit/cli/command_line.h"

static struct parsed p;
static char warned[512];

static void keep_warning(void *ctx, enum log_level level, const char *line)
{
    (void)ctx, (void)level;
    snprintf(warned, sizeof warned, "%s", line);
}

static void begin(void)
{
    log_set_sink(keep_warning, NULL);
}

static void forget(void)
{
    options_fini(&p.o);
    log_set_sink(NULL, NULL);
}

TestSuite(options_devices, .init = begin, .fini = forget);

static const struct riscv_virt_slot *slot(unsigned i)
{
    return &p.o.machine.slot[i];
}

Test(options_devices, none_by_default)
{
    parse_good(&p, "");
    for (unsigned i = 0; i < RISCV_VIRT_SLOTS; i++)
        cr_assert_eq(slot(i)->id, 0);
    cr_assert(!p.o.disks && !p.o.networks && !p.o.fw_cfgs && !p.o.machine.rtc_fixed);
    cr_assert_eq(p.o.lines, 1);
    cr_assert_eq(p.o.line[0].channel, CHANNEL_SERIAL0);
    cr_assert_str_eq(p.o.line[0].where, "stdio");
    cr_assert_null(p.o.machine.flash[0].file);
}

Test(options_devices, slots_in_the_order_of_the_line)
{
    parse_good(&p,
               "-device virtio-rng-device -drive file=a,format=raw,if=virtio,readonly=on,serial=S1 "
               "-device virtio-blk-device,drive=d,serial=S2 -netdev user,id=n "
               "-device virtio-net-device,netdev=n,mac=52:54:00:00:AB:cd "
               "-drive file=b,,c,format=raw,if=none,id=d,serial=unused "
               "-device virtio-serial-device -chardev pty,id=c -device virtconsole,chardev=c "
               "-device virtconsole");
    static const unsigned ids[] = {VIRTIO_ID_ENTROPY,
                                   VIRTIO_ID_BLOCK,
                                   VIRTIO_ID_BLOCK,
                                   VIRTIO_ID_NET,
                                   VIRTIO_ID_CONSOLE,
                                   0,
                                   0,
                                   0};
    for (unsigned i = 0; i < RISCV_VIRT_SLOTS; i++)
        cr_assert_eq(slot(i)->id, ids[i], "slot %u", i);
    cr_assert(slot(1)->read_only && !slot(2)->read_only);
    cr_assert_str_eq(slot(1)->serial, "S1");
    cr_assert_str_eq(slot(2)->serial, "S2");
    cr_assert_eq(p.o.disks, 2);
    cr_assert_str_eq(p.o.disk[0], "a");
    cr_assert_str_eq(p.o.disk[1], "b,c");
    cr_assert_eq(options_disk_slot(&p.o, 0), 1);
    cr_assert_eq(options_disk_slot(&p.o, 1), 2);
    cr_assert_eq(options_disk_slot(&p.o, 2), RISCV_VIRT_SLOTS);
    cr_assert_arr_eq(slot(3)->mac, ((uint8_t[]){0x52, 0x54, 0, 0, 0xab, 0xcd}), 6);
    cr_assert_eq(slot(4)->ports, 2);
    cr_assert_eq(p.o.lines, 3);
    cr_assert_eq(p.o.line[1].channel, CHANNEL_CONSOLE0);
    cr_assert_str_eq(p.o.line[1].where, "pty");
    cr_assert_eq(p.o.line[2].channel, CHANNEL_CONSOLE1);
    cr_assert_str_eq(p.o.line[2].where, "null");
    cr_assert_str_empty(warned);
}

/* As xv6 is started, and with disks numbered by their slots. */
Test(options_devices, a_bus_is_a_slot)
{
    parse_good(&p, "-global virtio-mmio.force-legacy=false -drive file=fs.img,if=none,format=raw,"
                   "id=x0 -device virtio-blk-device,drive=x0,bus=virtio-mmio-bus.3 "
                   "-drive file=one,format=raw -device virtio-rng-device,bus=virtio-mmio-bus.0 "
                   "-drive file=two,format=raw,index=1");
    cr_assert_eq(slot(0)->id, VIRTIO_ID_ENTROPY);
    cr_assert_eq(slot(1)->id, VIRTIO_ID_BLOCK);
    cr_assert_eq(slot(2)->id, VIRTIO_ID_BLOCK);
    cr_assert_eq(slot(3)->id, VIRTIO_ID_BLOCK);
    cr_assert_str_eq(p.o.disk[0], "one");
    cr_assert_str_eq(p.o.disk[1], "two");
    cr_assert_str_eq(p.o.disk[2], "fs.img");
    cr_assert_eq(options_disk_slot(&p.o, 2), 3);
}

Test(options_devices, eight_disks)
{
    parse_good(&p, "-drive file=0 -drive file=1 -drive file=2 -drive file=3 -drive file=4 -drive "
                   "file=5 -drive file=6 -drive file=7 -pflash x -pflash y");
    cr_assert_eq(p.o.disks, 8);
    cr_assert_str_eq(p.o.disk[7], "7");
    cr_assert_str_eq(p.o.machine.flash[1].file, "y");
}

/* What tunes the host's access makes no difference. */
Test(options_devices, harmless_keys)
{
    parse_good(
        &p, "-drive file=a,format=raw,if=virtio,media=disk,cache=none,aio=io_uring,discard=unmap,"
            "detect-zeroes=on,werror=report,rerror=stop,snapshot=on,read-only");
    cr_assert(slot(0)->read_only);
}

Test(options_devices, flashes)
{
    static const struct {
        const char *line, *first, *second;
    } rows[] = {
        {"-pflash a", "a", NULL},
        {"-pflash a -pflash b", "a", "b"},
        {"-drive if=pflash,format=raw,unit=1,file=v -pflash c", "c", "v"},
        {"-pflash c -drive if=pflash,unit=0,readonly=on,file=v", "v", "c"},
        {"-drive if=pflash,unit=1,file=v", NULL, "v"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        parse_good(&p, rows[i].line);
        const struct riscv_virt_flash *flash = p.o.machine.flash;
        cr_assert(rows[i].first ? !strcmp(flash[0].file, rows[i].first) : !flash[0].file);
        cr_assert(rows[i].second ? !strcmp(flash[1].file, rows[i].second) : !flash[1].file);
        cr_assert_eq(flash[0].read_only, i == 3);
        cr_assert_eq(p.o.disks, 0);
    }
}

Test(options_devices, networks)
{
    static const struct {
        const char *line;
        unsigned networks;
    } rows[] = {
        {"-net none", 0},
        {"-nic none", 0},
        {"-net nic -net user", 1},
        {"-net user,hostfwd=tcp::0-:22 -net nic,model=virtio", 1},
        {"-net user", 1},
        {"-nic user,model=virtio-net-device,mac=02:00:00:00:00:01", 1},
        {"-netdev user,id=a -device virtio-net-device,netdev=a -nic user -net user -net nic", 3},
        {"-device virtio-net-device,netdev=later -netdev user,id=later -net none", 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        parse_good(&p, rows[i].line);
        cr_assert_eq(p.o.networks, rows[i].networks, "%s", rows[i].line);
        for (unsigned j = 0; j < rows[i].networks; j++)
            cr_assert_eq(slot(j)->id, VIRTIO_ID_NET, "%s", rows[i].line);
        cr_assert_str_empty(warned, "%s", warned);
    }
    parse_good(&p, "-nic user -nic user");
    cr_assert_arr_eq(slot(0)->mac, ((uint8_t[]){0x52, 0x54, 0, 0x12, 0x34, 0x56}), 6);
    cr_assert_arr_eq(slot(1)->mac, ((uint8_t[]){0x52, 0x54, 0, 0x12, 0x34, 0x57}), 6);
}

Test(options_devices, hostfwd_is_repeated)
{
    parse_good(&p, "-netdev user,id=n,hostfwd=tcp::2222-:22,net=192.168.7.0/24,"
                   "hostfwd=udp:127.0.0.1:5353-:53 -device virtio-net-device,netdev=n");
    const struct network_config *c = &p.o.network[0];
    cr_assert_eq(c->hostfwds, 2);
    cr_assert(!c->hostfwd[0].udp && c->hostfwd[0].host_port == 2222);
    cr_assert_eq(c->hostfwd[0].guest_port, 22);
    cr_assert(c->hostfwd[1].udp && c->hostfwd[1].host_port == 5353);
    cr_assert_eq(ntohl(c->net.s_addr), 0xc0a80700);
}

Test(options_devices, unused_things_are_said)
{
    parse_good(&p, "-netdev user,id=lonely");
    cr_assert(strstr(warned, "lonely") && strstr(warned, "-device virtio-net-device"), "%s",
              warned);
    cr_assert_eq(p.o.networks, 0);
    parse_good(&p, "-chardev null,id=idle");
    cr_assert(strstr(warned, "idle"), "%s", warned);
}

Test(options_devices, chardevs)
{
    static const struct {
        const char *chardev, *where;
    } rows[] = {
        {"null,id=c", "null"},
        {"pty,id=c", "pty"},
        {"stdio,id=c", "stdio"},
        {"stdio,id=c,signal=off,mux=on", "mon:stdio"},
        {"file,id=c,path=/tmp/a,,b", "file:/tmp/a,b"},
        {"socket,id=c,path=/tmp/s", "unix:/tmp/s"},
        {"socket,path=/tmp/s,server=on,wait=off,id=c", "unix:/tmp/s,server=on,wait=off"},
        {"socket,id=c,path=/tmp/s,server,nowait", "unix:/tmp/s,server=on,wait=off"},
        {"socket,id=c,host=localhost,port=4444,nodelay=on", "tcp:localhost:4444"},
        {"socket,id=c,port=0,server=on,wait=on", "tcp::0,server=on,wait=on"},
        {"socket,id=c,host=::1,port=9,server=off", "tcp:[::1]:9"},
        {"socket,id=c,host=[::1],port=9", "tcp:[::1]:9"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char line[256];
        snprintf(line, sizeof line, "-serial chardev:c -chardev %s", rows[i].chardev);
        parse_good(&p, line);
        cr_assert_str_eq(p.o.line[0].where, rows[i].where, "%s", line);
        cr_assert_str_eq(p.o.serial, rows[i].where);
        snprintf(
            line, sizeof line,
            "-serial null -chardev %s -device virtio-serial-device -device virtconsole,chardev=c",
            rows[i].chardev);
        parse_good(&p, line);
        cr_assert_str_eq(p.o.line[1].where, rows[i].where, "%s", line);
    }
}

/* A console on stdio leaves none for a serial port that nobody asked for. */
Test(options_devices, a_console_on_stdio)
{
    parse_good(&p,
               "-chardev stdio,id=c -device virtio-serial-device -device virtconsole,chardev=c");
    cr_assert_str_eq(p.o.line[0].where, "null");
    cr_assert_str_eq(p.o.line[1].where, "stdio");
}

Test(options_devices, clock)
{
    static const struct {
        const char *line;
        bool fixed;
        uint64_t seconds;
    } rows[] = {
        {"-rtc base=utc", false, 0},
        {"-rtc base=utc,clock=host", false, 0},
        {"-rtc clock=host,driftfix=none", false, 0},
        {"-rtc base=1970-01-01", true, 0},
        {"-rtc base=2024-02-29", true, 1709164800},
        {"-rtc base=2024-02-29T12:34:56,clock=vm", true, 1709210096},
        {"-rtc base=2038-01-19T03:14:08", true, UINT64_C(1) << 31},
        {"-rtc base=2500-12-31T23:59:59", true, UINT64_C(16756761599)},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        parse_good(&p, rows[i].line);
        cr_assert_eq(p.o.machine.rtc_fixed, rows[i].fixed, "%s", rows[i].line);
        cr_assert_eq(p.o.machine.rtc_base, rows[i].seconds * 1000000000u, "%s: %lu", rows[i].line,
                     p.o.machine.rtc_base);
    }
}

Test(options_devices, fw_cfg)
{
    parse_good(&p, "-fw_cfg name=opt/a,string=x=1,,2 -fw_cfg opt/b,file=/tmp/b,,c");
    cr_assert_eq(p.o.fw_cfgs, 2);
    cr_assert_str_eq(p.o.fw_cfg[0].name, "opt/a");
    cr_assert_str_eq(p.o.fw_cfg[0].text, "x=1,2");
    cr_assert_null(p.o.fw_cfg[0].file);
    cr_assert_str_eq(p.o.fw_cfg[1].name, "opt/b");
    cr_assert_str_eq(p.o.fw_cfg[1].file, "/tmp/b,c");
}

Test(options_devices, entropy)
{
    parse_good(&p, "-object rng-random,id=r,filename=/dev/urandom -object rng-builtin,id=s "
                   "-device virtio-rng-device,rng=r,id=one -device virtio-rng-device");
    cr_assert_eq(slot(0)->id, VIRTIO_ID_ENTROPY);
    cr_assert_eq(slot(1)->id, VIRTIO_ID_ENTROPY);
}

#define EIGHT                                                                                      \
    "-drive file=0 -drive file=1 -drive file=2 -drive file=3 -drive file=4 -drive file=5 "         \
    "-drive file=6 -drive file=7 "
#define DISK_D "-drive file=f,format=raw,if=none,id=d "
#define BLK_D "-device virtio-blk-device,drive=d "
#define NET_N "-netdev user,id=n "
#define SERIAL "-device virtio-serial-device "

Test(options_devices, bad_disks)
{
    static const struct {
        const char *line, *what, *way_out;
    } bad[] = {
        {"-drive format=raw", "image is missing", "file=FILE"},
        {"-drive _", "image is missing", "file=FILE"},
        {"-drive file=,format=raw", "-drive", "empty"},
        {"-drive disk.img", "disk.img", "there are file,"},
        {"-drive file=x,fil=y", "`fil`", "there are file, format"},
        {"-drive file=x,format=qcow2", "qcow2", "qemu-img convert -f qcow2 -O raw x x.raw"},
        {"-drive format=vmdk,file=y", "vmdk", "qemu-img convert -f vmdk -O raw y y.raw"},
        {"-drive file=x,if=scsi", "if=scsi", "virtio|none|pflash"},
        {"-drive file=x,readonly=maybe", "maybe", "on|off"},
        {"-drive file=x,media=cdrom", "cdrom", "media=disk"},
        {"-drive file=x,snapshot=off", "snapshot=off", "snapshot=on"},
        {"-drive file=x,cache=lots", "lots", "writeback"},
        {"-drive file=x,serial=123456789012345678901", "too long", "20"},
        {"-drive file=x,id=9x", "9x", "a letter"},
        {"-drive file=x,id=", "``", "a letter"},
        {"-drive file=x,unit=x", "unit=x", "0 to 31"},
        {"-drive file=x,unit=1 -drive file=y,index=1", "unit=1", "two drives"},
        {"-drive file=x,id=a -drive file=y,id=a", "id=a", "two drives"},
        {BLK_D, "no drive `d`", "if=none,id=d"},
        {"-device virtio-blk-device", "virtio-blk-device", "drive=ID"},
        {DISK_D BLK_D BLK_D, "drive `d` is in two devices", "-drive of its own"},
        {"-drive file=f,id=d " BLK_D, "drive `d` is in two devices", "if=none"},
        {"-drive file=f,if=pflash,id=d " BLK_D, "is a flash", "if=none"},
        {DISK_D "-device virtio-blk-device,drive=d,serial=123456789012345678901", "too long", "20"},
        {DISK_D "-device virtio-blk-device,drv=d", "`drv`", "there are drive, serial"},
        {DISK_D "-device virtio-blk-device,drive=d,bus=pci.0", "pci.0", "virtio-mmio-bus.0 to .7"},
        {DISK_D "-device virtio-blk-device,drive=d,bus=virtio-mmio-bus.8", "bus.8", "to .7"},
        {DISK_D "-device virtio-blk-device,drive=d,bus=virtio-mmio-bus.1 "
                "-device virtio-rng-device,bus=virtio-mmio-bus.1",
         "bus=virtio-mmio-bus.1", "already has a virtio-blk-device"},
        {EIGHT "-drive file=8", "too many devices", "8 virtio slots"},
        {EIGHT "-device virtio-rng-device", "too many devices", "8 virtio slots"},
        {EIGHT "-pflash a -pflash b -pflash c", "too many drives", "2 flashes"},
        {"-pflash a -pflash b -pflash c", "c: ", "only 2 flashes"},
        {"-drive if=pflash,unit=2,file=a", "unit=2", "0 and 1"},
        {"-drive if=pflash,unit=0,file=a -drive if=pflash,unit=0,file=b", "unit=0", "two drives"},
        {"-drive if=pflash,file=a,serial=x", "flash", "serial"},
        {"-pflash _", "-pflash", "empty"},
        {"-hda a.img", "-hda", "-drive file=a.img,format=raw,if=virtio"},
        {"-cdrom a.iso", "-cdrom", "-drive file=a.iso"},
        {"-blockdev driver=file,filename=x", "-blockdev", "-drive file=FILE"},
        {"-device virtio-blk-pci,drive=d", "virtio-blk-pci", "it is virtio-blk-device"},
        {"-device virtio-blk,drive=d", "virtio-blk:", "it is virtio-blk-device"},
        {"-device virtio-net-pci-non-transitional", "virtio-net-pci", "it is virtio-net-device"},
        {"-device virtio-blk-devcie,drive=d", "devcie", "did you mean virtio-blk-device?"},
        {"-device e1000", "e1000", "virtio-net-device"},
        {"-device _", "-device", "type"},
        {"-device drive=d", "drive=d", "type comes first"},
        {"-device virtio-rng-device,id=a -device virtio-rng-device,id=a", "id=a", "two devices"},
        {"-device virtio-rng-device,rng=r", "no object `r`", "rng-builtin,id=r"},
        {"-device virtio-rng-device,period=1", "`period`", "there are rng"},
        {"-object rng-egd,id=r", "rng-egd", "rng-random and rng-builtin"},
        {"-object rng-random,id=r,filename=/tmp/x", "/tmp/x", "/dev/urandom"},
        {"-object rng-builtin", "rng-builtin", "id=ID"},
        {"-object rng-builtin,id=r -object rng-builtin,id=r", "id=r", "two objects"},
        {"-global virtio-mmio.force-legacy=on", "force-legacy=on", "force-legacy=off"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        parse_bad(&p, bad[i].line, bad[i].what, bad[i].way_out);
}

Test(options_devices, bad_networks)
{
    static const struct {
        const char *line, *what, *way_out;
    } bad[] = {
        {"-netdev user", "name is missing", "id=N"},
        {"-netdev tap,id=n", "tap", "only `user`"},
        {"-netdev user,id=n,hostfwd=nonsense", "nonsense", "tcp|udp"},
        {"-netdev user,id=n,speed=1", "speed", "there are hostfwd"},
        {"-netdev user,id=n,restrict", "restrict", "KEY=VALUE"},
        {"-netdev user,id=n,host=1.2.3.4", "1.2.3.4", "10.0.2.0/24"},
        {NET_N NET_N, "id=n", "two networks"},
        {"-device virtio-net-device,netdev=n", "no network `n`", "-netdev user,id=n"},
        {"-device virtio-net-device", "virtio-net-device", "netdev=ID"},
        {NET_N "-device virtio-net-device,netdev=n -device virtio-net-device,netdev=n",
         "network `n` is in two devices", "-netdev of its own"},
        {NET_N "-device virtio-net-device,netdev=n,mac=1:2:3:4:5:6", "1:2:3:4:5:6",
         "52:54:00:12:34:56"},
        {NET_N "-device virtio-net-device,netdev=n,mac=52:54:00:12:34:5g", "5g", "MAC"},
        {NET_N "-device virtio-net-device,netdev=n,mac=01:54:00:12:34:56", "multicast", "even"},
        {NET_N "-device virtio-net-device,netdev=n,macaddr=x", "`macaddr`", "netdev, mac"},
        {"-net nic", "-net nic", "-net user"},
        {"-net nic -net nic", "twice", "-netdev"},
        {"-net user -net user", "twice", "-netdev"},
        {"-net nic,model=e1000 -net user", "e1000", "`virtio`"},
        {"-net nic,speed=1 -net user", "speed", "macaddr"},
        {"-net tap", "tap", "`user` and `none`"},
        {"-nic bridge", "bridge", "`user` and `none`"},
        {"-nic user,speed=1", "speed", "there are hostfwd"},
        {"-nic user,mac=x", "`x`", "MAC"},
        {"-nic user,id=a -nic user,id=a", "id=a", "two devices"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        parse_bad(&p, bad[i].line, bad[i].what, bad[i].way_out);
}

Test(options_devices, bad_lines_and_items)
{
    static const struct {
        const char *line, *what, *way_out;
    } bad[] = {
        {"-serial chardev:c", "no chardev `c`", "-chardev pty,id=c"},
        {"-serial pty -serial pty", "twice", "virtconsole"},
        {"-chardev vc,id=c", "`vc`", "stdio, pty, null, file, socket"},
        {"-chardev pty", "pty", "id=ID"},
        {"-chardev file,id=c", "file", "path=PATH"},
        {"-chardev file,id=c,path=", "file", "empty"},
        {"-chardev null,id=c,path=x", "`path`", "there are id"},
        {"-chardev socket,id=c", "socket", "path=PATH"},
        {"-chardev socket,id=c,path=a,port=1", "socket", "path=PATH"},
        {"-chardev socket,id=c,port=1x", "1x", "65535"},
        {"-chardev socket,id=c,path=a,,b", "a,b", "not possible"},
        {"-chardev socket,id=c,path=a,server=maybe", "maybe", "server=on|off"},
        {"-chardev socket,id=c,path=a,tls=x", "tls=x", "there are id, path"},
        {"-chardev socket,id=c,path=a,wait=on", "wait=on", "server"},
        {"-chardev pty,id=c -chardev null,id=c", "id=c", "two"},
        {"-device virtconsole", "virtconsole", "-device virtio-serial-device"},
        {SERIAL, "no console", "-device virtconsole"},
        {SERIAL SERIAL, "twice", "two -device virtconsole"},
        {SERIAL "-device virtconsole -device virtconsole -device virtconsole", "virtconsole", "2"},
        {SERIAL "-device virtconsole,chardev=c", "no chardev `c`", "-chardev"},
        {SERIAL "-device virtconsole,name=x", "`name`", "there are chardev, id"},
        {"-serial chardev:c -chardev pty,id=c " SERIAL "-device virtconsole,chardev=c",
         "chardev `c`", "another user"},
        {"-serial stdio -chardev stdio,id=c " SERIAL "-device virtconsole,chardev=c",
         "the serial port and a console", "another place"},
        {"-gdb stdio -chardev stdio,id=c " SERIAL "-device virtconsole,chardev=c",
         "-gdb stdio and a console", "another place"},
        {"-rtc base=localtime", "localtime", "base=utc"},
        {"-rtc base=2023-02-29", "2023-02-29", "YYYY-MM-DD"},
        {"-rtc base=2024-13-01", "2024-13-01", "YYYY-MM-DD"},
        {"-rtc base=2024-01-01T24:00:00", "T24", "YYYY-MM-DD"},
        {"-rtc base=1969-12-31", "1969", "1970 to 2500"},
        {"-rtc base=2024-1-1", "2024-1-1", "YYYY-MM-DD"},
        {"-rtc base=2024-01-01T10:00:0", "T10:00:0", "HH:MM:SS"},
        {"-rtc base=now", "now", "write utc"},
        {"-rtc clock=vm", "clock=vm", "base=YYYY-MM-DD"},
        {"-rtc base=2024-01-01,clock=host", "2024-01-01", "clock=vm"},
        {"-rtc clock=rt", "rt", "host|vm"},
        {"-rtc zone=utc", "`zone`", "there are base"},
        {"-fw_cfg name=opt/a", "opt/a", "string=TEXT"},
        {"-fw_cfg name=opt/a,string=x,file=y", "opt/a", "one of"},
        {"-fw_cfg string=x", "name is missing", "name=opt/NAME"},
        {"-fw_cfg name=etc/a,string=x", "etc/a", "opt/"},
        {"-fw_cfg name=opt/,string=x", "opt/", "opt/"},
        {"-fw_cfg name=opt/4567890123456789012345678901234567890123456789012345678,string=x",
         "too long", "55"},
        {"-fw_cfg name=opt/a,string=x -fw_cfg name=opt/a,string=y", "opt/a", "twice"},
        {"-fw_cfg name=opt/a,file=", "-fw_cfg", "empty"},
        {"-fw_cfg name=opt/a,text=x", "`text`", "there are name, string, file"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        parse_bad(&p, bad[i].line, bad[i].what, bad[i].way_out);
}

Test(options_devices, too_many)
{
    parse_bad(
        &p,
        "-chardev null,id=a -chardev null,id=b -chardev null,id=c -chardev null,id=d -chardev "
        "null,id=e -chardev null,id=f -chardev null,id=g -chardev null,id=h -chardev null,id=i",
        "too many", "8");
    char line[LINE_SIZE] = "";
    for (int i = 0; i < 17; i++)
        snprintf(line + strlen(line), sizeof line - strlen(line), "-fw_cfg opt/%d,string=x ", i);
    parse_bad(&p, line, "too many", "16");
    *line = '\0';
    for (int i = 0; i < 9; i++)
        snprintf(line + strlen(line), sizeof line - strlen(line), "-netdev user,id=n%d ", i);
    parse_bad(&p, line, "too many", "8 slots");
    *line = '\0';
    for (int i = 0; i < 9; i++)
        snprintf(line + strlen(line), sizeof line - strlen(line), "-object rng-builtin,id=r%d ", i);
    parse_bad(&p, line, "too many", "at most 8");
}
