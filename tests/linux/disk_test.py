#!/usr/bin/env python3
"""Disks of a Linux guest: what is written goes back and forth with the machine and can be exported as of any
position, images stay as they are, and one that changes while it is used is said to have changed."""

import contextlib
import hashlib
import os
import pathlib
import random
import re
import shutil
import subprocess
import tempfile

import linux_guest

from linux_guest import GUARD, end_to_end
from both_directions import GdbTest

import programs

BLOCK = 4096
BLOCKS = 2048  # of the disk that is written
SECTOR = 512
MIB = 1 << 20


def host_program(name):
    """Path of one of e2fsprogs, which are not in everybody's PATH; skips the test without it."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        programs.skip(f"{name} is not installed")
    return path


def tool(name, *arguments):
    """What a program of e2fsprogs printed; its status must be 0."""
    result = subprocess.run([host_program(name), *map(str, arguments)], stdin=subprocess.DEVNULL,
                            capture_output=True, text=True, check=False, timeout=GUARD)
    if result.returncode:
        raise AssertionError(f"{name} {arguments}: {result.returncode}: {result.stdout}{result.stderr}")
    return result.stdout


def digest(path):
    return hashlib.md5(pathlib.Path(path).read_bytes()).hexdigest()


def marker(number):
    """A block's contents; `write` makes the same in the guest."""
    return f"marker {number}\n".encode().ljust(BLOCK, b"\0")


class Disks(GdbTest):
    @classmethod
    def setUpClass(cls):
        cls.files = linux_guest.obtain()

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="disk-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.exports = 0

    def make_raw(self):
        """An image with random contents, and a length that has to be padded."""
        self.content = random.Random(3).randbytes((BLOCKS - 1) * BLOCK + 3 * SECTOR - 100)
        path = self.folder / "raw.img"
        path.write_bytes(self.content)
        return path

    def make_ext4(self):
        """An image of a file system with a folder of files; md5sum's lines of these."""
        tree = self.folder / "tree"
        tree.mkdir()
        lines = []
        for n, size in enumerate((1, 5000, 300_000)):
            data = random.Random(n).randbytes(size)
            (tree / f"file{n}").write_bytes(data)
            lines.append(f"{hashlib.md5(data).hexdigest()}  /mnt/file{n}\n")
        path = self.folder / "ext4.img"
        tool("mke2fs", "-q", "-t", "ext4", "-d", tree, path, "8M")
        return path, "".join(lines)

    # ---- the guest's side ----

    def write(self, machine, number, block):
        """Puts marker(number) into a block, and on the disk."""
        machine.run(f"echo marker {number} | dd of=/dev/vda bs={BLOCK} seek={block} count=1 conv=sync,fsync "
                    "2>/dev/null")

    def read(self, machine, block, count=1, device="vda"):
        """md5 of blocks, from the disk and not from the guest's memory."""
        machine.run("sync; echo 3 >/proc/sys/vm/drop_caches")
        return machine.run(f"dd if=/dev/{device} bs={BLOCK} skip={block} count={count} 2>/dev/null | "
                           "md5sum").split()[0]

    # ---- the debugger's side ----

    @contextlib.contextmanager
    def stopped(self, machine):
        """A client while the machine stands still; it runs on afterwards, from the tip."""
        with machine.program.connect(timeout=GUARD) as client:
            yield client
            client.monitor("goto end")
            client.detach()

    def position(self, client):
        return int(re.search(r"position ([\d,]+)", client.monitor("when"))[1].replace(",", ""))

    def goto(self, client, position):
        text = client.monitor(f"goto {position}")
        self.assertEqual(self.position(client), position, text)

    def export(self, client, disk=0):
        """Path of a file with the disk as of now."""
        self.exports += 1
        path = self.folder / f"export {self.exports}.img"
        self.assertIn(f"is in {path}", client.monitor(f"disk export {disk} {path}"))
        return path

    # ---- the checks ----

    def expected(self, blocks):
        """The disk's contents with these blocks changed."""
        data = bytearray(self.content + bytes(-len(self.content) % SECTOR))
        for block, content in blocks.items():
            data[block * BLOCK:(block + 1) * BLOCK] = content
        return hashlib.md5(data).hexdigest()

    def check_devices(self, machine, sums):
        """Names, sizes, what is read-only, what the image holds."""
        self.assertEqual(machine.run("cat /sys/block/vda/serial /sys/block/vdb/serial"),
                         "first-disk12345second")
        self.assertEqual(machine.run("cat /sys/block/vd?/ro"), "0\n1\n")
        sectors = -(-len(self.content) // SECTOR)
        self.assertEqual(machine.run("cat /sys/block/vd?/size"), f"{sectors}\n{8 * MIB // SECTOR}\n")
        self.assertIn("the last 100 are zeroes", machine.program.stderr_text())
        self.assertEqual(self.read(machine, 7), hashlib.md5(self.content[7 * BLOCK:8 * BLOCK]).hexdigest())
        machine.run("mkdir -p /mnt && mount -t ext4 -o ro /dev/vdb /mnt")
        self.assertEqual(machine.run("md5sum /mnt/file*"), sums)
        machine.run("umount /mnt")
        machine.run("dd if=/dev/zero of=/dev/vdb bs=4k count=1 conv=fsync 2>/dev/null", status=1)
        machine.run("blockdev --setrw /dev/vdb; dd if=/dev/zero of=/dev/vdb bs=4k count=1 conv=fsync "
                    "2>/dev/null", status=1)

    def check_past_the_end(self, machine):
        """A guest's error is its own."""
        end = -(-len(self.content) // SECTOR)
        machine.run(f"dd if=/dev/zero of=/dev/vda bs={SECTOR} seek={end - 1} count=2 conv=fsync 2>/dev/null",
                    status=1)
        machine.run(f"dd if=/dev/zero of=/dev/vda bs={SECTOR} seek={end + 64} count=1 conv=fsync 2>/dev/null",
                    status=1)
        return {(end - 1) * SECTOR // BLOCK: self.content[(BLOCKS - 1) * BLOCK:][:2 * SECTOR] + bytes(SECTOR)}

    def check_writes(self, machine):
        """(position, digest of the disk there) after each of some changes; the blocks changed by them."""
        noted = []
        blocks = self.check_past_the_end(machine)

        def note():
            with self.stopped(machine) as client:
                noted.append((self.position(client), self.expected(blocks)))
                self.assertEqual(digest(self.export(client)), noted[-1][1])

        note()
        for number, block in enumerate((100, 3, 100, BLOCKS - 2)):
            self.write(machine, number, block)
            blocks[block] = marker(number)
            note()
        machine.run(f"blkdiscard -o {90 * BLOCK} -l {20 * BLOCK} /dev/vda")
        self.assertEqual(self.read(machine, 90, 20), hashlib.md5(bytes(20 * BLOCK)).hexdigest())
        blocks.update({block: bytes(BLOCK) for block in range(90, 110)})
        note()
        self.write(machine, 9, 95)
        blocks[95] = marker(9)
        note()
        return noted, blocks

    def check_positions(self, machine, noted):
        """In the past the disk is what it was; at the tip it is all there again."""
        with self.stopped(machine) as client:
            tip = digest(self.export(client))
            for position, wanted in random.Random(1).sample(noted, len(noted)):
                self.goto(client, position)
                self.assertEqual(digest(self.export(client)), wanted, position)
            client.monitor("goto end")
            self.assertEqual(digest(self.export(client)), tip)

    def check_file_system(self, machine):
        """One that the guest makes, used before and after a reset without warning. What mkfs.ext4 left of the
        image's contents the kernel zeroes once it is mounted, with requests of its own."""
        machine.run("mkfs.ext4 -q -F -E nodiscard,lazy_itable_init=1 /dev/vda")
        machine.run("mount -t ext4 -o init_itable=0 /dev/vda /mnt && echo kept >/mnt/file && sync && sleep 6")
        with self.stopped(machine) as client:
            before = self.position(client)
        machine.run("umount /mnt; sync")
        machine.send("reboot -f")
        machine.boot()
        machine.run("mkdir -p /mnt && mount -t ext4 /dev/vda /mnt")
        self.assertEqual(machine.run("cat /mnt/file"), "kept\n")
        machine.run("umount /mnt; sync")
        with self.stopped(machine) as client:
            image = self.export(client)
            self.check_exported(image)
            self.goto(client, before)
            image = self.export(client)  # of a mounted file system: the journal is part of it
            tool("e2fsck", "-p", "-E", "journal_only", image)
            self.assertEqual(tool("debugfs", "-R", "cat /file", image), "kept\n")

    def check_exported(self, image):
        tool("e2fsck", "-fn", image)
        self.assertEqual(tool("debugfs", "-R", "cat /file", image), "kept\n")
        text = tool("dumpe2fs", image)
        self.assertIn("ITABLE_ZEROED", text)
        data = image.read_bytes()
        for first, last in re.findall(r"Inode table at (\d+)-(\d+)", text):
            size = int(re.search(r"Block size: +(\d+)", text)[1])
            last_block = data[int(last) * size:(int(last) + 1) * size]
            self.assertEqual(last_block, bytes(size), f"blocks {first} to {last}")

    def test_disks(self):
        raw = self.make_raw()
        second, sums = self.make_ext4()
        before = digest(raw), digest(second)
        drives = ["-drive", f"file={raw},format=raw,if=virtio,serial=first-disk12345",
                  "-drive", f"file={second},format=raw,if=none,id=d,readonly=on",
                  "-device", "virtio-blk-device,drive=d,serial=second",
                  "-rtc", "base=2020-01-01",  # e2fsck minds times in the future
                  "-icount", "shift=3"]
        with linux_guest.Machine(self.files, arguments=drives) as machine:
            machine.boot()
            self.check_devices(machine, sums)
            noted, blocks = self.check_writes(machine)
            self.check_positions(machine, noted)
            self.write(machine, 11, 11)
            blocks[11] = marker(11)
            with self.stopped(machine) as client:
                self.assertEqual(digest(self.export(client)), self.expected(blocks))
                self.assertEqual(digest(self.export(client, disk=1)), before[1])
            self.check_file_system(machine)
            self.check_positions(machine, noted[:2])
            self.assertEqual(machine.power_off(), 0)
        self.assertEqual((digest(raw), digest(second)), before)

    # ---- an image that somebody else writes while the guest uses it ----

    def overwrite(self, path, block, data):
        with open(path, "r+b") as image:
            image.seek(block * BLOCK)
            image.write(data)

    def check_stop(self, stop, path, block):
        self.assertEqual(stop.kind, "T")
        text = stop.console.decode()
        self.assertIn(f"disk image {path} has changed: block {block} ", text)

    def test_changed(self):
        path = self.make_raw()
        with linux_guest.Machine(self.files, arguments=["-drive", f"file={path},format=raw,if=virtio"]) as machine:
            machine.boot()
            with self.stopped(machine) as client:
                start = self.position(client)
            original = self.content[50 * BLOCK:51 * BLOCK]
            self.assertEqual(self.read(machine, 50), hashlib.md5(original).hexdigest())
            self.check_debugged(machine, path, original, start)
            machine.expect(linux_guest.PROMPT)  # of the command that was stopped
            self.assertEqual(machine.run("echo here"), "here\n")
            self.assertEqual(machine.power_off(), 0)
        self.assertEqual(path.read_bytes(), self.content)

    def test_changed_without_debugger(self):
        path = self.make_raw()
        with linux_guest.Machine(self.files, arguments=["-drive", f"file={path},format=raw,if=virtio"],
                                 debugger=False) as machine:
            machine.boot()
            self.assertEqual(self.read(machine, 50), hashlib.md5(self.content[50 * BLOCK:51 * BLOCK]).hexdigest())
            self.overwrite(path, 50, bytes(BLOCK))
            machine.send("echo 3 >/proc/sys/vm/drop_caches; md5sum /dev/vda")
            self.assertEqual(machine.wait(), 1)
            self.assertRegex(machine.program.stderr_text(), f"(?m)^backstep: disk image {path} has changed: block 50 ")

    def check_debugged(self, machine, path, original, start):
        """It stops at the guest's next read of the block; in the past at the first one already, each time. With the
        image as it was all goes on."""
        with machine.program.connect(timeout=GUARD) as client:
            self.overwrite(path, 50, bytes(BLOCK))
            before = self.position(client)
            machine.send(f"echo 3 >/proc/sys/vm/drop_caches; dd if=/dev/vda bs={BLOCK} skip=50 count=1 2>/dev/null "
                         "| md5sum")
            self.check_stop(client.cont(), path, 50)
            tip = self.position(client)
            self.assertGreater(tip, before)
            stops = []
            for _ in range(2):
                self.goto(client, start)
                self.check_stop(client.cont(), path, 50)
                stops.append(self.position(client))
            self.assertEqual(stops[0], stops[1])
            self.assertTrue(start < stops[0] < before, stops)
            self.overwrite(path, 50, original)
            self.goto(client, start)
            self.assertEqual(client.cont().history_end, "end")
            self.assertEqual(self.position(client), tip)
            client.detach()
        machine.expect(hashlib.md5(original).hexdigest().encode())


if __name__ == "__main__":
    end_to_end.need(end_to_end.OPENSBI)
    end_to_end.main()
