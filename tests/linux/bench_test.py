#!/usr/bin/env python3
"""`backstep bench --linux` measures a real kernel: what it says about it is possible. How fast it was is no
matter here."""

import json
import subprocess
import unittest

import linux_guest

from linux_guest import end_to_end

import programs

MIB = 1 << 20
RUNS = ["boot", "boot_no_checkpoints", "boot_file", "disk", "awake", "idle", "awake_live", "idle_live", "load"]


class Bench(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.files = linux_guest.obtain()
        result = cls.bench("--quick", "--json")
        if result.returncode:
            raise AssertionError(f"status {result.returncode}: {result.stderr}")
        cls.found = json.loads(result.stdout)
        cls.runs = cls.found["runs"]
        cls.table = result.stderr

    @classmethod
    def bench(cls, *arguments, initrd=None):
        words = [programs.backstep_path(), "bench", "--linux", cls.files.kernel, initrd or cls.files.initrd]
        return subprocess.run([*words, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              check=False, timeout=linux_guest.GUARD * 4)

    def test_every_run(self):
        self.assertEqual(list(self.runs), RUNS)
        for name, run in self.runs.items():
            with self.subTest(name):
                self.assertGreater(run["steps"], 10**8)
                self.assertGreater(run["processor_seconds"], 0)
                self.assertGreater(run["seconds"], 0)
                # The clock's answer at least.
                self.assertGreater(run["events"], 0)
                self.assertGreater(run["input_bytes"], 0)
                self.assertGreater(run["log_bytes"], run["input_bytes"])
                self.assertGreater(run["memory_peak_bytes"], 16 * MIB)
                self.assertEqual(run["digest_bytes"] % 32, 0)
                self.assertGreaterEqual(run["digest_bytes"] // 32, run["checkpoints"])
                self.assertGreater(run["checkpoint_bytes"], 0)
                self.assertGreater(run["budget_bytes"], 0)

    def test_what_sets_them_apart(self):
        runs = self.runs
        self.assertEqual(runs["boot_no_checkpoints"]["checkpoints"], 1)
        self.assertGreater(runs["boot"]["checkpoints"], 1)
        self.assertGreater(runs["disk"]["disk_blocks_read"], 0)
        self.assertGreater(runs["load"]["input_bytes"], self.found["page_bytes"])
        self.assertGreater(self.found["page_bytes"], runs["awake_live"]["input_bytes"])
        for name in ("idle", "idle_live"):
            self.assertGreater(runs[name]["sleep_seconds"], 0)
        self.assertEqual(runs["awake"]["sleep_seconds"], 0)
        # Asleep, most of the time no step is made: a guest second is 125e6 steps.
        self.assertLess(runs["idle"]["steps"] - runs["awake"]["steps"], 125e6 * runs["idle"]["sleep_seconds"] / 10)
        self.assertGreater(runs["idle_live"]["seconds"], runs["idle_live"]["sleep_seconds"])

    def test_speed(self):
        boot = self.found["boot"]
        for name in ("recorded", "no_checkpoints"):
            self.assertEqual(len(boot[name]["rounds_seconds"]), self.found["rounds"])
            self.assertGreater(boot[name]["processor_seconds"], 0)
        if self.found["qemu"] and "qemu_problem" not in boot:
            self.assertGreater(boot["qemu_record"]["processor_seconds"], 0)
            self.assertGreater(boot["qemu_log_bytes"], 0)

    def test_floors(self):
        for floor in self.found["floors"]:
            known = floor["measured"] is not None
            self.assertEqual(known, floor["pass"] is not None)
            self.assertIn(floor["name"], self.table)
            if known:
                holds = (floor["measured"] <= floor["wanted"] if floor["limit"] == "at most"
                         else floor["measured"] >= floor["wanted"])
                self.assertEqual(holds, floor["pass"], floor)

    def test_another_initrd(self):
        result = self.bench(initrd=self.files.kernel)
        self.assertEqual((result.returncode, result.stdout), (2, ""))
        self.assertRegex(result.stderr, r"^backstep bench: [^\n]*initramfs[^\n]*\n$")


if __name__ == "__main__":
    end_to_end.need(end_to_end.OPENSBI)
    end_to_end.main()
