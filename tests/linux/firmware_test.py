#!/usr/bin/env python3
"""fw_cfg and flash as Linux sees them: files by name, by way of the kernel's driver; the flash by hand through
/dev/mem, as Debian's kernel has no driver for it."""

import hashlib
import pathlib
import random
import re
import tempfile
import unittest

import linux_guest

from linux_guest import GUARD, end_to_end

FLASH = 0x22000000  # the second: what is in the first one would run instead of the kernel
ERASE_BLOCK = 256 << 10
ITEM_BYTES = 50_000  # the driver reads them one by one
READY = 0x00800080  # the status of both chips
ERASE, CONFIRM, PROGRAM, CLEAR, READ_ARRAY, QUERY = 0x20, 0xd0, 0x40, 0x50, 0xff, 0x98


class Firmware(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.files = linux_guest.obtain()

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="firmware-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.content = random.Random(7).randbytes(2 * ERASE_BLOCK)

    def file(self, name, data):
        path = self.folder / name
        path.write_bytes(data)
        return path

    # ---- fw_cfg ----

    def check_fw_cfg(self, machine):
        machine.run("modprobe qemu_fw_cfg")
        items = "/sys/firmware/qemu_fw_cfg/by_name/opt"
        self.assertEqual(machine.run(f"cat {items}/text/raw"), "some words")
        self.assertEqual(machine.run(f"cat {items}/org.test/file/size"), f"{ITEM_BYTES}\n")
        self.assertEqual(machine.run(f"md5sum <{items}/org.test/file/raw").split()[0],
                         hashlib.md5(self.content[:ITEM_BYTES]).hexdigest())
        self.assertEqual(machine.run("cat /sys/firmware/qemu_fw_cfg/rev"), "3\n")

    # ---- flash ----

    def load(self, machine, address):
        return int(machine.run(f"devmem {address:#x} 32"), 16)

    def store(self, machine, *pairs):
        """(address, value) of 32 bits, in order."""
        machine.run(" && ".join(f"devmem {address:#x} 32 {value:#x}" for address, value in pairs))

    def both(self, command):
        """For the two chips at once."""
        return command << 16 | command

    def finish(self, machine, address):
        """Waits until the flash is ready; its status, and it is memory again."""
        machine.run(f"until [ $(( $(devmem {address:#x} 32) & {READY} )) = {READY} ]; do :; done")
        status = self.load(machine, address)
        self.store(machine, (address, self.both(CLEAR)), (address, self.both(READ_ARRAY)))
        return status

    def word(self, offset):
        return int.from_bytes(self.content[offset:offset + 4], "little")

    def check_flash(self, machine):
        base = FLASH
        for offset in (0, 0x1234, len(self.content) - 4):
            self.assertEqual(self.load(machine, base + offset), self.word(offset))
        self.assertEqual(self.load(machine, base + len(self.content)), 0)
        self.store(machine, (base + 0x55 * 4, self.both(QUERY)))
        letters = [self.load(machine, base + 4 * n) for n in (0x10, 0x11, 0x12)]
        self.assertEqual(letters, [self.both(ord(letter)) for letter in "QRY"])
        self.store(machine, (base, self.both(READ_ARRAY)))
        self.store(machine, (base, self.both(PROGRAM)), (base, 0x12345678))
        self.assertEqual(self.finish(machine, base), READY)
        self.assertEqual(self.load(machine, base), self.word(0) & 0x12345678)

    def check_erased(self, machine):
        block = FLASH + ERASE_BLOCK
        self.store(machine, (block, self.both(ERASE)), (block, self.both(CONFIRM)))
        self.assertEqual(self.finish(machine, block), READY)
        self.assertEqual(self.load(machine, block + 100), 0xffffffff)
        self.store(machine, (block + 8, self.both(PROGRAM)), (block + 8, 0xcafe1234))
        self.assertEqual(self.finish(machine, block), READY)

    def check_kept(self, machine):
        self.assertEqual(self.load(machine, FLASH), self.word(0) & 0x12345678)
        self.assertEqual(self.load(machine, FLASH + ERASE_BLOCK + 4), 0xffffffff)
        self.assertEqual(self.load(machine, FLASH + ERASE_BLOCK + 8), 0xcafe1234)

    def changed(self, client):
        """Bits of the blocks of the flash that are not as in the file."""
        return int(re.search(r"flash1\.changed\[0\]: (\w+)", client.monitor("info device flash1"))[1], 0)

    def check_positions(self, machine, positions):
        """Contents go back and forth."""
        with machine.program.connect(timeout=GUARD) as client:
            self.assertEqual(self.changed(client), 3)
            for position, blocks in zip(positions, (0, 1, 3)):
                client.monitor(f"goto {position}")
                self.assertEqual(self.changed(client), blocks)
            client.monitor(f"goto {positions[0]}")
            client.monitor("goto end")
            self.assertEqual(self.changed(client), 3)
            client.detach()

    def test_firmware(self):
        item, flash = self.file("item", self.content[:ITEM_BYTES]), self.file("flash.img", self.content)
        arguments = ["-fw_cfg", "name=opt/text,string=some words", "-fw_cfg", f"name=opt/org.test/file,file={item}",
                     "-drive", f"if=pflash,unit=1,file={flash},format=raw",
                     "-icount", "shift=3"]  # no time is passed over: that would take steps
        with linux_guest.Machine(self.files, arguments=arguments) as machine:
            machine.boot()
            self.check_fw_cfg(machine)
            positions = [machine.position()]
            self.check_flash(machine)
            positions.append(machine.position())
            self.check_erased(machine)
            positions.append(machine.position())
            self.check_kept(machine)
            self.check_positions(machine, positions)
            self.check_kept(machine)
            if linux_guest.FULL:
                machine.send("reboot -f")
                machine.boot()
                self.check_kept(machine)
            self.assertEqual(machine.power_off(), 0)
        self.assertEqual(flash.read_bytes(), self.content)


if __name__ == "__main__":
    end_to_end.need(end_to_end.OPENSBI)
    end_to_end.main()
