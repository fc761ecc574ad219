#!/usr/bin/env python3
"""Debian's kernel boots to a shell on one hart and on several; commands, sleep, power-off, reboot."""

import hashlib
import re
import time

import linux_guest

from linux_guest import end_to_end, initramfs
from both_directions import GdbTest

CI_STEPS = 10**9  # what CI may spend on a boot with the smoke workload
# What `sleep` may last shorter on the host: live pacing looks at coarser times.
TOLERANCE = 0.05


class Boot(GdbTest):
    @classmethod
    def setUpClass(cls):
        cls.files = linux_guest.obtain()

    def counts(self, machine):
        """Name of an interrupt -> how many there were on all harts."""
        found = {}
        for line in machine.run("cat /proc/interrupts").splitlines()[1:]:
            words = line.split()
            numbers = [int(word) for word in words[1:1 + self.harts] if word.isdigit()]
            found[words[-1]] = sum(numbers)
        return found

    def check_shell(self, harts, append=linux_guest.QUICK):
        self.harts = harts
        with linux_guest.Machine(self.files, harts, append) as machine:
            machine.boot()
            self.assertIn(b"OpenSBI v", machine.line.seen)
            self.assertEqual(machine.run("nproc"), f"{harts}\n")
            self.assertEqual(machine.run("uname -r"), self.files.version + "\n")
            self.assertEqual(machine.run("grep -c ^processor /proc/cpuinfo"), f"{harts}\n")
            text = "".join(f"{n}\n" for n in range(1, 3001)).encode()
            self.assertEqual(machine.run("seq 3000 | tee /tmp/numbers | md5sum").split()[0],
                             hashlib.md5(text).hexdigest())
            self.assertEqual(machine.run("sort -rn /tmp/numbers | head -n 2"), "3000\n2999\n")
            machine.run("test -e /nothing", status=1)
            before = self.counts(machine)
            self.check_sleep(machine)
            after = self.counts(machine)
            for name in ("riscv-timer", "ttyS0"):
                self.assertGreater(after[name], before[name], name)
            self.assertEqual(machine.power_off(), 0)
            self.assertIn(b"reboot: Power down", machine.line.seen)
            self.assertIn("switched off", machine.program.stderr_text())

    def check_sleep(self, machine):
        """The guest's clock passes over it; returns the host's seconds."""
        start = time.monotonic()
        text = machine.run("read a x </proc/uptime; sleep 2; read b x </proc/uptime; echo $a $b")
        taken = time.monotonic() - start
        before, after = (float(word) for word in text.split())
        self.assertGreaterEqual(after - before, 1.99)  # printed in hundredths
        return taken

    def test_one_hart(self):
        self.check_shell(1)

    def test_two_harts(self):
        self.check_shell(2)

    def test_without_options(self):
        """Nothing is left out; more harts in the long suites."""
        for harts in (1, 2, 4) if linux_guest.FULL else ():
            self.check_shell(harts, linux_guest.PLAIN)

    def test_paced_sleep(self):
        """With the default pacing sleeping takes its time; sleep=off passes over it, the same step
        length or not."""
        for arguments, paced in ((["-icount", "shift=3"], True), (["-icount", "shift=3,sleep=off"], False),
                                 (["-icount", "shift=1,sleep=off"], False)):
            with linux_guest.Machine(self.files, arguments=arguments) as machine:
                machine.boot()
                taken = self.check_sleep(machine)
                if paced:
                    self.assertGreaterEqual(taken, 2 - TOLERANCE)
                self.assertEqual(machine.power_off(), 0)

    def test_modules_and_programs(self):
        """What tests of devices find in the guest: drivers by the devices' aliases, file systems when
        they are mounted, e2fsprogs."""
        with linux_guest.Machine(self.files) as machine:
            machine.boot()
            for kind in (1, 2, 4):
                machine.run(f"modprobe virtio:d{kind:08X}v554D4551")
            machine.run("dd if=/dev/zero of=/tmp/disk bs=1M count=4 2>/dev/null")
            self.assertIn("Writing superblocks", machine.run("mkfs.ext4 -b 4096 /tmp/disk 2>&1"))
            self.assertIn("clean", machine.run("e2fsck /tmp/disk 2>&1"))
            self.assertIn("No such device", machine.run("mount -t nothing none /mnt 2>&1", status=None))
            self.assertNotIn("No such device", machine.run("mount -t ext4 none /mnt 2>&1", status=None))
            loaded = {line.split()[0] for line in machine.run("cat /proc/modules").splitlines()}
            self.assertLessEqual({"virtio_net", "virtio_blk", "virtio_rng", "ext4", "jbd2"}, loaded)
            self.assertEqual(machine.power_off(), 0)

    def test_interrupt_key(self):
        """The shell is on a terminal: Ctrl-C ends what runs, not the shell."""
        with linux_guest.Machine(self.files, arguments=["-icount", "shift=3"]) as machine:
            machine.boot()
            machine.send("/bin/sh -c 'echo sleep\"\"ing; exec /bin/sleep 10000'")
            machine.expect(b"sleeping\r\n")  # from the job that has the terminal, not the echo
            machine.line.type(b"\x03")
            machine.expect(linux_guest.PROMPT)
            self.assertEqual(machine.run("echo here"), "here\n")
            self.assertEqual(machine.power_off(), 0)

    def test_smoke(self):
        """The fixed workload, and its cost."""
        outputs = []
        for harts in (1, 2):
            append = linux_guest.QUICK + " backstep.mode=smoke"
            with linux_guest.Machine(self.files, harts, append) as machine:
                text = machine.expect(initramfs.SMOKE_DONE.encode()).decode()
                self.assertEqual(machine.wait(), 0)
                steps = int(re.search(r"position (\d+)", machine.program.stderr_text())[1])
                print(f"{harts} harts: {steps / 1e6:.0f}e6 steps", end=" ", flush=True)
                self.assertLess(steps, CI_STEPS)
                outputs.append(text.partition(f"harts: {harts}\r\n")[2])
        self.assertIn(hashlib.md5(bytes(4096 * 64)).hexdigest(), outputs[0])
        self.assertEqual(outputs[0], outputs[1])

    def test_reboot(self):
        """A guest's reset is a position on the same timeline."""
        with linux_guest.Machine(self.files) as machine:
            machine.boot()
            machine.run("echo lost >/tmp/file")
            with machine.gdb() as g:
                g.execute("reverse-stepi")  # out of the wait for input: time passes in it, but no step
                first, noted = g.position(), g.registers()
                g.goto("end")
            machine.send("reboot -f")
            machine.boot()
            machine.run("test -e /tmp/file", status=1)
            with machine.gdb() as g:
                g.execute("reverse-stepi")
                second, noted_second = g.position(), g.registers()
                self.assertGreater(second, first)
                g.goto(first)
                self.check_same(g, noted, "before the reset")
                g.goto(second)
                self.check_same(g, noted_second, "after it")
                g.goto("end")
            self.assertEqual(machine.power_off(), 0)

    def test_no_reboot(self):
        with linux_guest.Machine(self.files, arguments=["-no-reboot"]) as machine:
            machine.boot()
            machine.send("reboot -f")
            self.assertEqual(machine.wait(), 0)
            self.assertEqual(machine.line.seen.count(b"OpenSBI v"), 1)


if __name__ == "__main__":
    end_to_end.need(end_to_end.OPENSBI)
    end_to_end.main()
