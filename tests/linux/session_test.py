#!/usr/bin/env python3
"""A whole session with disk, network, entropy and sleep on Debian's kernel; then proofs that all of it comes
back: verify_session replays it from every checkpoint, in pieces, with dropped caches, and compares random
positions, those in the midst of a disk's or a network's request too, with a straight run."""

import hashlib
import http.server
import os
import pathlib
import random
import re
import tempfile
import threading
import unittest

import linux_guest

from linux_guest import end_to_end, initramfs

import programs

CI_STEPS = 10**9  # what CI may spend on a session
PAGE_BYTES = 300_000
DISK_MIB = 64


class Page(http.server.BaseHTTPRequestHandler):
    page = random.Random(1).randbytes(PAGE_BYTES)

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.page)))
        self.end_headers()
        self.wfile.write(self.page)

    def log_message(self, *unused):
        pass


class Session(unittest.TestCase):
    blocks = 8  # of 64 KiB in each file that the guest writes

    @classmethod
    def setUpClass(cls):
        cls.files = linux_guest.obtain()
        cls.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()
        cls.folder = tempfile.TemporaryDirectory(prefix="session-")
        cls.image = pathlib.Path(cls.folder.name, "disk,1.img")
        with open(cls.image, "wb") as image:
            image.truncate(DISK_MIB << 20)

    @classmethod
    def tearDownClass(cls):
        cls.server.shutdown()
        cls.server.server_close()
        cls.folder.cleanup()

    def setUp(self):
        self.seed = int(os.environ.get("BACKSTEP_SEED", random.randrange(1 << 32)
                                       if linux_guest.FULL else 1))

    def machine(self, checks, harts, arguments, icount):
        verify = os.path.join(os.environ.get("BACKSTEP_BUILD", ""), "verify_session")
        if not os.path.exists(verify):
            programs.skip(f"{verify} was not built")
        image = str(self.image).replace(",", ",,")
        devices = ["-drive", f"file={image},format=raw,if=virtio", "-device", "virtio-rng-device",
                   "-netdev", "user,id=n", "-device", "virtio-net-device,netdev=n"]
        return linux_guest.Machine(self.files, harts, arguments=["-icount", icount, *devices, *arguments],
                                   program=[verify, *checks, f"seed={self.seed}", "--"])

    def fetch(self, machine):
        machine.run("ifconfig eth0 10.0.2.15 up && route add default gw 10.0.2.2")
        port = self.server.server_address[1]
        text = machine.run(f"wget -q -O /tmp/page http://10.0.2.2:{port}/page; md5sum </tmp/page")
        self.assertEqual(text.split()[0], hashlib.md5(Page.page).hexdigest())

    def use_disk(self, machine):
        machine.run("mkfs.ext4 -q -E nodiscard /dev/vda && mkdir -p /mnt && mount -t ext4 /dev/vda /mnt")
        for n in range(3):
            machine.run(f"dd if=/dev/urandom of=/mnt/file{n} bs=64k count={self.blocks} 2>/dev/null; sync")
        sums = machine.run("md5sum /mnt/file*")
        machine.run("umount /mnt && echo 3 >/proc/sys/vm/drop_caches && mount -t ext4 /dev/vda /mnt")
        self.assertEqual(machine.run("md5sum /mnt/file*"), sums)
        machine.run("umount /mnt")

    def use(self, machine, network=True):
        """The session; everything from outside takes part."""
        machine.boot()
        self.use_disk(machine)
        self.assertNotEqual(machine.run("dd if=/dev/hwrng bs=64 count=1 2>/dev/null | md5sum").split()[0],
                            hashlib.md5(bytes(64)).hexdigest())
        if network:
            self.fetch(machine)
        machine.run("sleep 1")

    def check(self, checks, harts=1, arguments=(), icount="shift=3", network=True):
        """Plays the session and lets `checks` be made; what they printed."""
        before = hashlib.md5(self.image.read_bytes()).digest()
        with self.machine(checks, harts, arguments, icount) as machine:
            self.use(machine, network)
            status = machine.power_off()
            said = machine.program.stdout_text()
            self.assertEqual(status, 0, f"seed {self.seed}: {said} {machine.program.stderr_text()[-500:]}")
        self.assertEqual(hashlib.md5(self.image.read_bytes()).digest(), before, "the image is never written")
        print(f"\n{said}", end="", flush=True)
        for check in checks:
            self.assertIn(f"{check.partition('=')[0]}: ", said)
        return said

    def check_short(self, checks, harts):
        said = self.check(checks, harts)
        self.assertLess(int(re.search(r"session: (\d+) steps", said)[1]), CI_STEPS)

    def test_one_hart(self):
        self.check_short(["intervals", "drops", "restores=40", "in-flight=20", "walk=20"], 1)

    def test_two_harts(self):
        self.check_short(["intervals", "pieces", "restores=40"], 2)


@unittest.skipUnless(linux_guest.FULL, "only in the long suites")
class Long(Session):
    """More, with all proofs."""

    blocks = 40

    def test_one_hart(self):
        self.check(["intervals", "ends=10", "pieces", "drops", "restores=200", "in-flight=20", "walk=200"])

    def test_two_harts(self):
        self.check(["intervals", "ends=10", "pieces", "drops", "restores=200", "in-flight=20", "walk=100"], harts=2)

    def test_four_harts_under_memory_pressure(self):
        said = self.check(["intervals", "ends=10", "pieces", "drops", "restores=200", "in-flight=20", "walk=30"],
                          harts=4, arguments=["--memory-budget", "32M"])
        self.assertGreater(int(re.search(r"spilled (\d+)", said)[1]), 0)

    def test_dense_checkpoints(self):
        self.check(["intervals", "ends=10", "drops", "restores=200"], arguments=["--checkpoint-ms", "1"])

    def test_sparse_checkpoints(self):
        self.check(["intervals", "ends=1", "drops", "restores=50"], arguments=["--checkpoint-ms", "10000"])

    def test_without_waiting(self):
        self.check(["intervals", "ends=3", "restores=50"], icount="shift=3,sleep=off", network=False)


if __name__ == "__main__":
    end_to_end.need(end_to_end.OPENSBI)
    end_to_end.main()
