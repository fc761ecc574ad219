#!/usr/bin/env python3
"""Devices on the command line of the program: bad input is one line on stderr that names the thing and the
way out, status 2; files are looked at before anything outside is changed."""

import os
import sys
import tempfile

import cli_test

EIGHT = [word for _ in range(8) for word in ("-device", "virtio-rng-device")]


class Cases:
    """A folder with images, and command lines that name them."""

    def __init__(self, checks, folder):
        self.checks = checks
        self.folder = folder
        self.kernel = self.file("loop.elf", cli_test.elf(size=4)[:-4] + b"\x6f\x00\x00\x00")
        self.disk = self.file("disk.img", bytes(4096))

    def file(self, name, content):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as f:
            f.write(content)
        return path

    def path(self, name):
        return os.path.join(self.folder, name)

    def arguments(self, words):
        return ["run", "-bios", "none", "-m", "16M", "-kernel", self.kernel, "-serial", "null", *words]

    def bad(self, words, *wanted):
        self.checks.bad(self.arguments(words), *wanted)

    def good(self, words, *said):
        """Runs to --stop-at, status 0; stderr has these words."""
        result = cli_test.run(self.arguments([*words, "--stop-at", "1000"]))
        good = (result.returncode == 0 and not result.stdout
                and all(word in result.stderr for word in said))
        self.checks.check(good, f"{' '.join(words)}: {result}, wanted {said}")


def disks(c):
    drive = f"file={c.disk},format=raw"
    named = f"{drive},if=none,id=d"
    block = ["-device", "virtio-blk-device,drive=d"]
    c.bad(["-drive", f"file={c.path('missing')},format=raw"], "missing", "No such file")
    c.bad(["-drive", f"file={c.folder},format=raw"], c.folder, "directory")
    c.bad(["-drive", f"file={c.file('empty', b'')}"], "empty")
    c.bad(["-drive", f"file={c.file('q.img', b'QFI' + bytes([0xfb]) + bytes(508))},format=raw"], "q.img",
          "qemu-img convert")
    if os.geteuid():
        os.chmod(c.file("secret", bytes(512)), 0)
        c.bad(["-drive", f"file={c.path('secret')}"], "secret", "ermission")
    c.bad(["-drive", f"file={c.disk},format=qcow2"], "qcow2", f"qemu-img convert -f qcow2 -O raw {c.disk}")
    c.bad(["-drive", "format=raw"], "file=FILE")
    c.bad(["-drive", f"{drive},tune=1"], "`tune`", "there are file, format, if")
    c.bad(["-drive", f"{drive},if=ide"], "if=ide", "virtio|none|pflash")
    c.bad(["-drive", f"{drive},serial=123456789012345678901"], "20 bytes")
    c.good(["-drive", named], "drive `d` has no device", "-device virtio-blk-device,drive=d")
    c.good(["-drive", f"file={c.path('missing')},if=none"])
    c.good(["-drive", f"file={c.path('q.img')},if=none,format=qcow2,id=rr"])
    c.bad(block, "no drive `d`", "-drive")
    c.bad(["-drive", named, *block, *block], "drive `d` is in two devices")
    c.bad(["-drive", named, "-drive", named], "id=d", "two drives")
    c.bad([*EIGHT, "-drive", drive], "too many devices", "8 virtio slots")
    c.bad(["-hda", c.disk], "-hda", f"-drive file={c.disk}")
    c.bad(["-blockdev", "driver=raw"], "-blockdev", "-drive")
    c.bad(["-drive", f"{drive},if=pflash,unit=1", "-drive", f"{drive},if=pflash,unit=1"], "unit=1", "two drives")
    c.bad(["-pflash", c.disk, "-pflash", c.disk, "-pflash", c.disk], "only 2 flashes")


def devices(c):
    c.bad(["-device", "virtio-blk-pci,drive=d"], "virtio-blk-pci", "it is virtio-blk-device")
    c.bad(["-device", "virtio-blk-devic,drive=d"], "did you mean virtio-blk-device?")
    c.bad(["-device", "usb-tablet"], "usb-tablet", "virtio-rng-device")
    c.bad(["-device", "virtio-rng-device,speed=1"], "`speed`", "there are rng, id, bus")
    c.bad(["-device", "virtio-rng-device,rng=r"], "no object `r`", "-object")
    c.bad([*EIGHT, "-device", "virtio-rng-device"], "too many devices", "8 virtio slots")
    c.bad(["-object", "memory-backend-ram,id=m"], "memory-backend-ram", "rng-builtin")


def networks(c):
    card = ["-device", "virtio-net-device,netdev=n"]
    c.bad(card, "no network `n`", "-netdev user,id=n")
    c.bad(["-netdev", "user,id=n", *card, *card], "network `n` is in two devices")
    c.bad(["-netdev", "user,id=n", "-netdev", "user,id=n"], "id=n", "two networks")
    c.bad(["-netdev", "user,id=n,hostfwd=tcp:80"], "tcp:80", "PORT")
    c.bad(["-netdev", "user,id=n,speed=1"], "`speed`", "hostfwd")
    c.bad(["-netdev", "tap,id=n"], "tap", "`user`")
    c.bad(["-net", "nic"], "-net user")
    c.bad(["-nic", "user,mac=nonsense"], "nonsense", "52:54:00:12:34:56")
    c.good(["-netdev", "user,id=lonely"], "lonely", "-device virtio-net-device,netdev=lonely")


def lines(c):
    serial = ["-device", "virtio-serial-device"]
    console = [*serial, "-device", "virtconsole,chardev=c"]
    c.bad(console, "no chardev `c`", "-chardev")
    c.bad(serial, "virtconsole")
    c.bad(["-device", "virtconsole"], "-device virtio-serial-device")
    c.bad(["-serial", "pty"], "-serial is given twice", "virtconsole")
    c.bad(["-chardev", "pty,id=c", "-chardev", "pty,id=c"], "id=c")
    c.bad(["-chardev", "spicevmc,id=c"], "spicevmc", "socket")
    c.bad([*console, "-chardev", f"file,id=c,path={c.folder}/none/log"], "none/log")
    c.bad([*console, "-chardev", f"socket,id=c,path={c.folder}/nobody"], "nobody")
    c.bad([*console, "-chardev", "stdio,id=c", "-gdb", "stdio"], "-gdb stdio and a console")


def firmware(c):
    c.bad(["-fw_cfg", f"name=opt/a,file={c.path('missing')}"], "opt/a", "missing", "No such file")
    c.bad(["-fw_cfg", f"name=opt/a,file={c.folder}"], "opt/a", "directory")
    c.bad(["-fw_cfg", "name=opt/a"], "opt/a", "string=TEXT")
    c.bad(["-fw_cfg", "name=a,string=x"], "`a`", "opt/")
    c.bad(["-rtc", "base=2024-02-30"], "2024-02-30", "YYYY-MM-DD")
    c.bad(["-rtc", "base=localtime"], "localtime", "base=utc")
    c.good(["-rtc", "base=2024-02-29T12:00:00,clock=vm", "-fw_cfg", "name=opt/a,string=x"])


def qemu_lines(c):
    """Record/replay and control sockets as QEMU spells them; tests/scripts/qemu_scenario_test.py uses them."""
    recording = c.path("rec")
    record = ["-icount", f"shift=7,rr=record,rrfile={recording},rrsnapshot=init"]
    c.bad(["-qmp", f"unix:{c.disk}"], "disk.img", "no socket")
    c.bad(["-chardev", "socket,id=m,fd=77", "-mon", "chardev=m,mode=control"], "fd:77", "no socket")
    c.bad(["-chardev", f"socket,id=m,path={c.folder}/nobody", "-mon", "chardev=m,mode=control"], "nobody")
    c.bad(["-icount", f"rr=replay,rrfile={c.path('missing')}"], "missing", "No such file")
    c.bad(["-icount", "rr=record"], "rrfile=FILE")
    c.bad(["-icount", f"rr=record,rrfile={c.folder}"], c.folder, "folder")
    c.bad(["-icount", f"rr=record,rrfile={c.path('r')},rrsnapshot=start"], "rrsnapshot", "start")
    c.bad(["-pidfile", f"{c.folder}/none/pid"], "none/pid", "No such file")
    c.bad(["-daemonize"], "-daemonize", "-pidfile")
    c.good(record, "recorded to", "1,000 positions")
    c.good(record, "recorded to", "1,000 positions")  # replaced, as QEMU does
    c.bad(["-o", recording], "rec", "already there")
    result = cli_test.run(["info", recording])
    c.checks.check("init" in result.stdout, f"the bookmark: {result}")


def good_lines(c):
    """Accepted as a whole: xv6's way to a disk, commas in names, an odd size that is padded."""
    c.good(["-global", "virtio-mmio.force-legacy=false", "-drive", f"file={c.disk},if=none,format=raw,id=x0",
            "-device", "virtio-blk-device,drive=x0,bus=virtio-mmio-bus.0", "-net", "none"])
    comma = c.file("a,b.img", bytes(512))
    c.good(["-drive", f"file={comma.replace(',', ',,')},if=virtio,format=raw,readonly=on"])
    odd = c.file("odd.img", bytes(1000))
    c.good(["-drive", f"file={odd},format=raw"], "odd.img", "512")


def nothing_half_started(c):
    """A disk that is missing leaves neither a socket nor an emptied log."""
    log = c.file("log", b"keep me")
    before = sorted(os.listdir(c.folder))
    c.bad(["-drive", f"file={c.path('missing')}", "-gdb", f"unix:{c.folder}/gdb.socket", "-chardev",
           f"file,id=c,path={log}", "-device", "virtio-serial-device", "-device", "virtconsole,chardev=c"],
          "missing")
    with open(log, "rb") as f:
        c.checks.check(f.read() == b"keep me", "the log was emptied")
    c.checks.check(sorted(os.listdir(c.folder)) == before, f"left behind: {os.listdir(c.folder)}")


def main():
    checks = cli_test.Checks()
    with tempfile.TemporaryDirectory(prefix="devices-cli-test-") as folder:
        c = Cases(checks, folder)
        for part in (disks, devices, networks, lines, firmware, nothing_half_started, good_lines,
                     qemu_lines):
            part(c)
    print(f"{checks.done - checks.failed} of {checks.done} checks passed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
