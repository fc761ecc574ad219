#!/usr/bin/env python3
"""Makes the guest's initramfs from Debian's packages as get-linux unpacked them; as a program, prints its
path: initramfs.py FOLDER, the one that get-linux printed.

The same packages give the same bytes: entries are sorted, inode numbers counted, times 0. It is not
compressed: unpacking gzip would cost the guest more steps than all of its /init."""

import gzip
import hashlib
import lzma
import os
import pathlib
import re
import stat
import struct
import sys

# In the order in which they can be loaded; one that a kernel has built in is no file and left out.
MODULES = ["virtio_mmio", "virtio_blk", "failover", "net_failover", "virtio_net", "virtio-rng",
           "virtio_console", "virtio_input", "qemu_fw_cfg", "crc16", "crc32c_generic", "libcrc32c",
           "mbcache", "jbd2", "ext4"]
PROGRAMS = ["mke2fs", "e2fsck"]  # of e2fsprogs, named mkfs.ext4 and fsck.ext4 too
PROMPT = "guest# "
READY = "backstep-linux: ready"

# The shell is a child of init, in a session of its own on the serial port: Ctrl-C works, and `exit` starts
# another. Modules come by their aliases: what there is a device for, and file systems when they are mounted.
INIT = """#!/bin/sh
export PATH=/bin HOME=/ TERM=dumb PS1='@PROMPT@'
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mode=shell
read -r words </proc/cmdline
for word in $words; do
    case $word in
    backstep.mode=*) mode=${word#*=} ;;
    backstep.disk=*) disk=${word#*=} ;;
    backstep.fetch=*) fetch=${word#*=} ;;
    backstep.sleep=*) sleep=${word#*=} ;;
    esac
done
modprobe -q virtio_mmio
for device in /sys/bus/virtio/devices/*; do
    [ ! -r $device/modalias ] || { read -r alias <$device/modalias && modprobe -q $alias; }
done
stty cols 1000
if [ $mode != shell ]; then
    . /$mode
    poweroff -f
fi
echo 1 >/proc/sys/kernel/printk
echo "@READY@"
while :; do
    setsid -c sh
done
"""

# A bit of everything that needs no device: processes, pipes, files, sleep, signals.
SMOKE = """echo "harts: $(nproc)"
(for n in 1 2 3; do echo part $n; done) | sort -r >/tmp/parts
cat /tmp/parts
dd if=/dev/zero of=/tmp/zeros bs=4k count=64 2>/dev/null
md5sum </tmp/zeros
for n in 1 2; do
    (echo $n | sha256sum >/tmp/sum$n) &
done
wait
cat /tmp/sum1 /tmp/sum2
sleep 1
sleep 100 &
kill $!
wait
echo "@SMOKE@"
"""
SMOKE_DONE = "backstep-linux: smoke done"

# What `backstep bench --linux` measures: processes and memory, and what devices there are. That it was done it
# knows from the last lines: "backstep-linux: MODE done".
BENCH = """. /smoke
seq 60000 | sort -r | gzip | gunzip | md5sum
dd if=/dev/zero of=/tmp/zeros bs=64k count=256 2>/dev/null
sha256sum </tmp/zeros
for n in 1 2 3 4 5 6 7 8 9 10; do
    seq 1000 | awk '{ sum += $1 * $1 } END { print sum }'
done
echo "backstep-linux: bench done"
"""
DEVICES = """if [ -d /sys/class/net/eth0 ]; then
    ifconfig eth0 10.0.2.15 up
    route add default gw 10.0.2.2
fi
if [ -b /dev/vda ]; then
    mkfs.ext4 -q -E nodiscard /dev/vda
    mount -t ext4 /dev/vda /mnt
    dd if=/dev/urandom of=/mnt/file bs=64k count=$((${disk:-32} * 16)) 2>/dev/null
    sync
    md5sum </mnt/file >/tmp/before
    umount /mnt
    echo 3 >/proc/sys/vm/drop_caches
    mount -t ext4 /dev/vda /mnt
    md5sum </mnt/file >/tmp/after
    cmp /tmp/before /tmp/after || poweroff -f
    umount /mnt
fi
if [ "$fetch" ]; then
    echo "fetched $(wget -q -O - $fetch | wc -c)"
fi
[ ! "$sleep" ] || sleep $sleep
echo "backstep-linux: devices done"
"""


class Archive:
    """A cpio archive of the "newc" form (070701): paths without a leading slash -> (mode, contents)."""

    def __init__(self):
        self.entries = {}

    def folder(self, path):
        while path and path not in self.entries:
            self.entries[path] = stat.S_IFDIR | 0o755, b""
            path = os.path.dirname(path)

    def file(self, path, data, mode=0o644):
        self.folder(os.path.dirname(path))
        self.entries[path] = stat.S_IFREG | mode, data

    def link(self, path, target):
        self.folder(os.path.dirname(path))
        self.entries[path] = stat.S_IFLNK | 0o777, target.encode()

    def device(self, path, major, minor):
        self.folder(os.path.dirname(path))
        self.entries[path] = stat.S_IFCHR | 0o600, (major, minor)

    def to_bytes(self):
        out = bytearray()
        for inode, path in enumerate(sorted(self.entries), 1):
            mode, data = self.entries[path]
            append_entry(out, inode, path, mode, data)
        append_entry(out, 0, "TRAILER!!!", 0, b"")
        return bytes(out)


HEADER = 110


def append_entry(out, inode, path, mode, data):
    device, data = (data, b"") if stat.S_ISCHR(mode) else ((0, 0), data)
    # The form aligns contents to 4 with zeros behind the name. More zeros in the name align them to 8:
    # the kernel copies bytes one by one otherwise.
    name = path.encode() + b"\0"
    if len(data) > 4096:
        name += bytes(-(len(out) + HEADER + len(name)) % 8)
    links = 2 if stat.S_ISDIR(mode) else 1
    fields = [inode, mode, 0, 0, links, 0, len(data), 0, 0, *device, len(name), 0]
    out += b"070701" + b"".join(b"%08X" % field for field in fields) + name
    out += bytes(-len(out) % 4) + data
    out += bytes(-len(out) % 4)


# ---- what goes in ----


def applets(busybox):
    """Names of what a busybox can do, from the sorted list of strings in it."""
    found = re.search(rb"\[\0\[\[\0(?:[a-z0-9][a-z0-9_+.-]*\0)+", busybox)
    if not found:
        raise ValueError("no list of applets in this busybox")
    return [name.decode() for name in found[0].split(b"\0")[:-1]]


def section(elf, name):
    """Contents of a section of a 64-bit ELF file, b"" when it has none."""
    table, = struct.unpack_from("<Q", elf, 40)
    size, count, names = struct.unpack_from("<HHH", elf, 58)
    headers = [struct.unpack_from("<IIQQQQ", elf, table + size * n) for n in range(count)]
    start = headers[names][4]
    for header in headers:
        at = start + header[0]
        if elf[at:elf.index(b"\0", at)] == name.encode():
            return elf[header[4]:header[4] + header[5]]
    return b""


def needed(elf):
    """Names of the shared libraries that a program or library asks for (DT_NEEDED, tag 1)."""
    strings = section(elf, ".dynstr")
    entries = struct.iter_unpack("<QQ", section(elf, ".dynamic"))
    return [strings[value:strings.index(b"\0", value)].decode() for tag, value in entries if tag == 1]


def module_info(module):
    """What MODULE_... macros left: name -> values."""
    info = {}
    for item in section(module, ".modinfo").split(b"\0"):
        key, _, value = item.decode(errors="replace").partition("=")
        info.setdefault(key, []).append(value)
    return info


def unsigned(module):
    """Without the appended signature: nothing here asks for one, and checking it is a hash of the
    whole file."""
    magic = b"~Module signature appended~\n"
    if not module.endswith(magic):
        return module
    length, = struct.unpack_from(">I", module, len(module) - len(magic) - 4)
    return module[:len(module) - len(magic) - 12 - length]


class Packages:
    """The folder that get-linux prints."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        kernels = sorted((self.folder / "boot").glob("vmlinu[xz]-*"))
        if not kernels:
            raise FileNotFoundError(f"no kernel in {self.folder}/boot")
        self.kernel = kernels[-1]
        self.version = self.kernel.name.partition("-")[2]
        self.libraries = self.folder / "usr/lib/riscv64-linux-gnu"

    def modules(self):
        """Name -> contents of those there are."""
        files = {}
        for path in sorted((self.folder / "usr/lib/modules" / self.version).rglob("*.ko.xz")):
            files[path.name.partition(".")[0]] = path
        return {name: unsigned(lzma.decompress(files[name].read_bytes())) for name in MODULES if name in files}

    def add_program(self, archive, name):
        waiting = [(self.folder / "usr/sbin" / name, f"bin/{name}")]
        done = set()
        while waiting:
            path, place = waiting.pop()
            data = path.read_bytes()
            archive.file(place, data, 0o755)
            for library in needed(data):
                if library not in done:
                    done.add(library)
                    folder = "lib" if library.startswith("ld-") else "lib/riscv64-linux-gnu"
                    waiting.append((self.libraries / library, f"{folder}/{library}"))

    def add_modules(self, archive):
        modules = self.modules()
        folder = f"lib/modules/{self.version}"
        infos = {name: module_info(data) for name, data in modules.items()}
        for name, data in modules.items():
            archive.file(f"{folder}/{name}.ko", data)
        files = {name.replace("-", "_"): name for name in modules}
        depends = {name: [files[other.replace("-", "_")] for other in infos[name].get("depends", [""])[0].split(",")
                          if other.replace("-", "_") in files] for name in modules}
        archive.file(f"{folder}/modules.dep", "".join(
            f"{name}.ko:{''.join(f' {other}.ko' for other in closure(depends, name))}\n"
            for name in modules).encode())
        archive.file(f"{folder}/modules.alias", "".join(
            f"alias {alias} {name.replace('-', '_')}\n"
            for name in modules for alias in infos[name].get("alias", [])).encode())

    def archive(self):
        archive = Archive()
        busybox = (self.folder / "usr/bin/busybox").read_bytes()
        archive.file("bin/busybox", busybox, 0o755)
        for name in applets(busybox):
            if name != "busybox":
                archive.link(f"bin/{name}", "busybox")
        for name in PROGRAMS:
            self.add_program(archive, name)
        archive.link("bin/mkfs.ext4", "mke2fs")
        archive.link("bin/fsck.ext4", "e2fsck")
        archive.file("etc/mke2fs.conf", (self.folder / "etc/mke2fs.conf").read_bytes())
        self.add_modules(archive)
        archive.link("sbin", "bin")
        for folder in ("dev", "mnt", "proc", "sys", "tmp"):
            archive.folder(folder)
        archive.device("dev/console", 5, 1)
        archive.file("init", INIT.replace("@PROMPT@", PROMPT).replace("@READY@", READY).encode(), 0o755)
        archive.file("smoke", SMOKE.replace("@SMOKE@", SMOKE_DONE).encode())
        archive.file("bench", BENCH.encode())
        archive.file("devices", DEVICES.encode())
        return archive


def closure(depends, name):
    """Everything a module depends on, the nearest first."""
    found = []
    for other in depends[name]:
        found += [n for n in (other, *closure(depends, other)) if n not in found]
    return found


def build(packages, cache):
    """Path of the initramfs of these packages; made when the cache folder does not have it yet. Its name
    depends on everything that goes in, this file included."""
    key = hashlib.sha256(pathlib.Path(__file__).read_bytes())
    key.update((packages.folder / "packages").read_bytes())
    path = pathlib.Path(cache) / f"initramfs-{key.hexdigest()[:16]}.cpio"
    if not path.exists():
        part = path.with_suffix(f".{os.getpid()}")
        part.write_bytes(packages.archive().to_bytes())
        part.rename(path)
    return path


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit("usage: initramfs.py FOLDER, the one that get-linux prints; prints the initramfs's path")
    print(build(Packages(sys.argv[1]), pathlib.Path(sys.argv[1]).parent))
