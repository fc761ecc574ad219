#!/usr/bin/env python3
"""The control socket: input in any form, every command, event and error. What QEMU has too is compared
with QEMU, where it is installed. Several clients: qmp_clients_test.py."""

import json
import os
import shutil
import socket
import sys
import time
import unittest

import cli_test
import qmp_client

QEMU = shutil.which("qemu-system-riscv64")
GENERIC, NOT_FOUND = "GenericError", "CommandNotFound"

# Lines a client may send, which QEMU and we answer with the same bytes, before negotiation and after.
SHARED_BEFORE = [
    b'{"execute":"query-status"}',
    b'{"execute":"nosuch","id":3}',
    b'{"execute":"qmp_capabilities","arguments":{"x":1}}',
    b'{"execute":"qmp_capabilities","arguments":{"enable":3}}',
    b'[1]', b'{"foo":1}',
]
SHARED_AFTER = [
    b'{"execute":"qmp_capabilities"}',
    b'{"execute":"query-status"}',
    b'{"execute":"query-status","arguments":{"x":1}}',
    b'{"execute":"query-name"}',
    b'{"execute":"nosuch"}', b'{"execute":"nosuch","id":"x"}', b'{"execute":""}',
    b'{"execute":"query-\\"x"}',
    b'{"execute":"query-name","id":{"a":[1,null,true,"\xc3\xa4"]}}',
    b'{"execute":"query-name","id":"\\u00e4\\ud83d\\ude00\\n"}',
    b'{"execute":"query-name","id":-5}',
    b"{'execute':'query-name','id':'a\"b'}",
    b'{"execute":"query-name","id":1} {"execute":"query-name","id":2}{"execute":"nosuch"}',
    b'{"execute":\r\n\t"stop"\n}',
    b'{"foo":1}', b'{"execute":1}', b'{"execute":"stop","foo":1}', b'{"id":1}', b'{"arguments":{}}',
    b'{"execute":"qmp_capabilities","control":{}}', b'{"id":1,"execute":"stop","arguments":3}',
    b'{"execute":"replay-break","arguments":[]}',
    b'[1]', b'1', b'"x"', b'null', b'true', b'[]', b'-1.5e3 "a"',
    b'{]', b'}', b']', b',', b':', b'{"execute":"stop",}', b'garbage', b'tru', b'{"a":nul}',
    b'{"execute": "stop" "x"}', b'{"a":[1 2]}', b'{"a"}', b'{"a" 1}', b'{1:2}', b'{"a":}',
    b'@', b'{"a": @ }', b'G', b'\x01', b'{"execute":"a\nb"}', b'{"execute":"\\q"}',
    b'{"execute":"stop","execute":"cont"}',
    b'{"execute":"replay-break"}',
    b'{"execute":"replay-break","arguments":{"icount":"5"}}',
    b'{"execute":"replay-break","arguments":{"icount":5.5}}',
    b'{"execute":"replay-break","arguments":{"icount":null}}',
    b'{"execute":"replay-break","arguments":{"icount":true}}',
    b'{"execute":"replay-break","arguments":{"icount":5,"x":1}}',
    b'{"execute":"replay-break","arguments":{"icount":99999999999999999999}}',
    b'{"execute":"replay-break","arguments":{"icount":18446744073709551615}}',
    b'{"execute":"replay-seek"}', b'{"execute":"replay-seek","arguments":{"icount":[]}}',
    b'{"execute":"human-monitor-command"}',
    b'{"execute":"human-monitor-command","arguments":{"command-line":3}}',
    b'{"execute":"human-monitor-command","arguments":{"command-line":"info status","cpu-index":5}}',
    b'{"execute":"human-monitor-command","arguments":{"command-line":"info status"}}',
    b'{"execute":"human-monitor-command","arguments":{"command-line":"info name"}}',
    b'{"execute":"human-monitor-command","arguments":{"command-line":""}}',
    b'{"execute":"human-monitor-command","arguments":{"command-line":"stop x"}}',
    b'{"execute":"human-monitor-command","arguments":{"command-line":"c x"}}',
    b'{"execute":"human-monitor-command","arguments":{"command-line":"loadvm"}}',
    b'{"execute":"human-monitor-command","arguments":{"command-line":"stop"}}',
    b'{"execute":"query-jobs"}', b'{"execute":"job-dismiss","arguments":{"id":"x"}}',
    b'{"execute":"job-dismiss"}', b'{"execute":"snapshot-save"}', b'{"execute":"snapshot-load"}',
    b'{"execute":"snapshot-delete","arguments":{"job-id":3}}',
    b'{"execute":"snapshot-save","arguments":{"job-id":"1bad","tag":"t","vmstate":"v","devices":["v"]}}',
    b'{"execute":"cont"}', b'{"execute":"cont"}', b'{"execute":"query-status"}',
    b'{"execute":"human-monitor-command","arguments":{"command-line":"info status"}}',
    b'{"execute":"stop"}', b'{"execute":"stop"}', b'{"execute":"query-status"}',
    b'{"execute":"human-monitor-command","arguments":{"command-line":"info status"}}',
    b'{"execute":"human-monitor-command","arguments":{"command-line":"c"}}',
    b'{"execute":"human-monitor-command","arguments":{"command-line":"s"}}',
    b'{"execute":"system_reset","id":"r"}',
    b'{"execute":"quit","id":"q"}',
]
# Asked behind each line: the answer says that all others have come.
PROBE = b'{"execute":"query-version","id":"probe"}'


def normal(line):
    """A line as bytes, without what differs from one run to the next."""
    message = json.loads(line)
    message.pop("timestamp", None)
    return json.dumps(message)


class Conversation(qmp_client.Case):
    """The same lines to two programs."""

    def talk(self, client, lines):
        """What comes back of each line, up to the answer to a probe behind it."""
        answers = []
        for line in lines:
            client.send(line + b"\n" + (PROBE + b"\n" if b"quit" not in line else b""))
            got = []
            try:
                while b'"probe"' not in (answer := client.line()):
                    self.assertTrue(answer.endswith(b"\r\n"))
                    got.append(normal(answer))
            except qmp_client.QmpError:
                got.append("closed")
            answers.append(got)
        return answers

    @unittest.skipUnless(QEMU, "qemu-system-riscv64 is not installed")
    def test_as_qemu(self):
        program, _ = self.paused("-name", "some name")
        other = qmp_client.Folder()
        self.addCleanup(other.cleanup)
        qemu = qmp_client.Program(
            [QEMU, "-M", "virt", "-display", "none", "-serial", "null", "-monitor", "none", "-bios",
             "none", "-S", "-name", "some name", "-qmp",
             f"unix:{other.file('qmp')},server=on,wait=off"], other.path)
        self.addCleanup(qemu.stop)
        compared = 0
        ours, theirs = self.connect(program, negotiate=False), self.connect(qemu, negotiate=False)
        for client in ours, theirs:
            self.assertEqual(set(client.greeting["QMP"]), {"version", "capabilities"})
        for before, part in (True, SHARED_BEFORE), (False, SHARED_AFTER):
            if not before:
                for client in ours, theirs:
                    client.expect({}, "qmp_capabilities")
            for line, mine, his in zip(part, self.talk(ours, part), self.talk(theirs, part)):
                with self.subTest(line=line):
                    self.assertEqual(mine, his)
                    compared += 1
        self.assertGreater(compared, 80)
        self.assertEqual((program.wait(), qemu.wait()), (0, 0))

    def test_pretty(self):
        path = self.folder.file("pretty")
        program = self.start("-S", "-qmp-pretty", f"unix:{path},server=on,wait=off")
        self.connect(program)
        with socket.socket(socket.AF_UNIX) as pretty:
            pretty.settimeout(qmp_client.TIMEOUT)
            pretty.connect(path)
            text = b""
            while not text.endswith(b"}\r\n"):
                text += pretty.recv(1 << 16)
        self.assertTrue(text.startswith(b'{\n    "QMP": {\n        "version": {\n'))
        self.assertIn("QMP", json.loads(text))

    def test_line_ends(self):
        program = self.start("-S")
        client = self.connect(program, negotiate=False)
        client.send(b'{"execute":"qmp_capabilities","id":7}')
        self.assertEqual(client.line(), b'{"return": {}, "id": 7}\r\n')
        client.send(b'{"execute":"query-status"}')
        self.assertEqual(client.line(),
                         b'{"return": {"status": "prelaunch", "singlestep": false, "running": false}}\r\n')


class Input(qmp_client.Case):
    def test_any_division(self):
        _, c = self.paused()
        request = b' {"execute":\n"query-name",\t"id" :\r"a\\u0041}{" } '
        for piece in 1, 2, 3, 7:
            for i in range(0, len(request), piece):
                c.send(request[i:i + piece])
            self.assertEqual(c.reply(), {"id": "aA}{", "return": {}})
        c.send(request * 200)
        self.assertEqual([c.reply() for _ in range(200)], [{"id": "aA}{", "return": {}}] * 200)

    def test_pipelined_replies_keep_their_order(self):
        _, c = self.paused()
        for i in range(300):
            c.request("replay-seek" if i % 3 else "query-status",
                      {"icount": 0} if i % 3 else None, id=i)
        self.assertEqual([c.reply()["id"] for _ in range(300)], list(range(300)))

    def test_a_seek_is_waited_for(self):
        _, c = self.paused()
        self.run_to(c, 2_000_000)
        c.send(b"".join(json.dumps({"execute": e, "arguments": a}).encode() for e, a in (
            ("replay-seek", {"icount": 3}), ("replay-seek", {"icount": 1_999_999}),
            ("snapshot-save", {"job-id": "a", "tag": "one"}), ("x-backstep-step", {}),
            ("snapshot-load", {"job-id": "b", "tag": "one"}), ("x-backstep-when", {}),
            ("replay-seek", {"icount": 5}), ("cont", {}))))
        replies = [c.reply() for _ in range(8)]
        self.assertEqual([r for r in replies if "error" in r], [])
        self.assertEqual(replies[3]["return"]["position"], 2_000_000)
        self.assertEqual([j.get("error") for j in c.get("query-jobs")], [None, None])
        self.assertEqual(replies[5]["return"]["bookmarks"], ["one"])

    def test_depth_and_size(self):
        program, c = self.paused()
        c.send(b"[" * 1025)
        self.assertEqual(c.reply()["error"]["desc"], "JSON nesting depth limit exceeded")
        c.send(b"\n{}")
        self.assertIn("error", c.reply())
        try:
            c.send(b'{"execute":"' + b"a" * (1 << 21))
        except BrokenPipeError:
            pass
        self.assertEqual(c.reply()["error"]["desc"], "JSON token size limit exceeded")
        c.expect_closed()
        with program.connect() as other:
            other.expect({}, "query-name")

    def test_long_names_in_errors(self):
        _, c = self.paused()
        for name in "a" * 3000, "\u00e4" * 500, "x" + "\U0001f600" * 300:
            error = c.error(name)
            self.assertEqual(error[0], NOT_FOUND)
            self.assertTrue(error[1].startswith("The command " + name[:40]))
            c.error("query-name", {name: 1})


class Commands(qmp_client.Case):
    def test_all_are_listed(self):
        _, c = self.paused()
        names = {row["name"] for row in c.get("query-commands")}
        wanted = {"qmp_capabilities", "query-status", "query-replay", "query-version", "query-name",
                  "query-commands", "query-cpus-fast", "stop", "cont", "system_reset",
                  "system_powerdown", "quit", "replay-break", "replay-delete-break", "replay-seek",
                  "human-monitor-command", "snapshot-save", "snapshot-load", "snapshot-delete",
                  "query-jobs", "job-dismiss", "screendump", "send-key", "input-send-event",
                  "x-backstep-interrupt", "x-backstep-when", "x-backstep-goto"}
        self.assertEqual(wanted - names, set())
        # None of them ends the conversation, whatever it is given.
        for name in sorted(names - {"quit"}):
            for arguments in None, {}, {"nosuch": 1}, {"to": [], "id": 3, "address": {}}:
                c.request(name, arguments, id=1)
                c.request("stop", id=2)  # ends what it has begun
                self.assertEqual([c.reply()["id"], c.reply()["id"]], [1, 2])
        c.expect({}, "query-name")

    def test_queries(self):
        program, c = self.paused("-smp", "3", "-name", "ada")
        version = c.get("query-version")
        self.assertEqual((version["qemu"]["major"], version["qemu"]["minor"]), (7, 2))
        self.assertIn("backstep", version["package"])
        self.assertEqual(c.greeting["QMP"], {"version": version, "capabilities": []})
        c.expect({"name": "ada"}, "query-name")
        cpus = c.get("query-cpus-fast")
        self.assertEqual([cpu["cpu-index"] for cpu in cpus], [0, 1, 2])
        self.assertEqual({cpu["target"] for cpu in cpus}, {"riscv64"})
        c.expect({"icount": 0, "mode": "record"}, "query-replay")

    def test_no_display(self):
        _, c = self.paused()
        for command, arguments in (("screendump", {"filename": "x"}), ("send-key", {"keys": []}),
                                   ("input-send-event", {"events": []})):
            self.assertEqual(c.error(command, arguments), (GENERIC, "no display device"))

    def test_stop_and_cont(self):
        program = self.start()
        c = self.connect(program)
        self.assertEqual(c.get("query-status"),
                         {"status": "running", "singlestep": False, "running": True})
        c.expect({}, "stop")
        self.assertEqual([e["event"] for e in c.events], ["STOP"])
        self.assertEqual(set(c.events[0]["timestamp"]), {"seconds", "microseconds"})
        self.assertLess(abs(c.events[0]["timestamp"]["seconds"] - time.time()), 100)
        c.events = []
        here = c.get("query-replay")["icount"]
        self.assertEqual(c.get("query-status")["status"], "paused")
        self.assertEqual(c.get("query-replay")["icount"], here)
        c.expect({}, "stop")
        self.assertEqual(c.take_events(), [])
        c.expect({}, "cont")
        c.expect({}, "cont")
        self.assertEqual(c.take_events(), ["RESUME"])
        while c.get("query-replay")["icount"] == here:
            pass
        c.expect({}, "stop")

    def test_looking_does_not_keep_the_machine(self):
        c = self.connect(self.start())
        for command in ("x-backstep-when", "x-backstep-read-memory", "x-backstep-registers"):
            arguments = {"address": qmp_client.DATA, "length": 8} if "memory" in command else None
            before = c.get("query-replay")["icount"]
            c.get(command, arguments)
            while c.get("query-replay")["icount"] == before:
                pass
        self.assertIn("harts", c.human("help"))
        c.human("savevm here")
        # A movement that ends where it began does not either.
        c.get("x-backstep-last-write", {"address": qmp_client.DATA, "length": 8})
        self.assertEqual(c.take_events(), [])
        self.assertTrue(c.get("query-status")["running"])

    def test_a_move_keeps_it(self):
        c = self.connect(self.start())
        while c.get("query-replay")["icount"] < 100000:
            pass
        self.assertEqual(c.get("x-backstep-goto", {"to": 5000})["position"], 5000)
        self.assertEqual(c.get("query-status")["status"], "paused")
        self.assertEqual(c.take_events(), ["STOP"])
        self.assertEqual(c.get("x-backstep-step")["position"], 5001)
        self.assertEqual(c.get("x-backstep-reverse-step", {"count": 2})["position"], 4999)
        c.events = []
        c.expect({}, "cont")
        c.event("STOP")
        when = c.get("x-backstep-when")
        self.assertEqual((when["position"], when["live"]), (when["tip"], True))
        c.expect({}, "cont")
        while c.get("query-replay")["icount"] == when["tip"]:
            pass

    def test_replay_break(self):
        _, c = self.paused()
        self.run_to(c, 1000)
        self.assertEqual(c.get("query-status")["status"], "paused")
        past = (GENERIC, "cannot set breakpoint at the instruction in the past")
        for position in 999, 0, -5:
            self.assertEqual(c.error("replay-break", {"icount": position}), past)
        c.expect({}, "replay-break", {"icount": 2000})
        c.expect({}, "replay-break", {"icount": 3000})
        c.expect({}, "cont")
        c.event("STOP")
        self.assertEqual(c.get("query-replay")["icount"], 3000, "one at most")
        c.expect({}, "replay-seek", {"icount": 10})
        self.run_to(c, 500)
        c.expect({}, "replay-break", {"icount": 700})
        c.expect({}, "replay-delete-break")
        c.expect({}, "cont")
        c.event("STOP")
        self.assertEqual(c.get("query-replay")["icount"], 3000, "deleted; the tip ends it")

    def test_replay_break_while_it_runs(self):
        c = self.connect(self.start())
        position = c.get("query-replay")["icount"] + 50_000_000
        c.expect({}, "replay-break", {"icount": position})
        c.event("STOP")
        self.assertEqual(c.get("query-replay")["icount"], position)

    def test_replay_seek(self):
        _, c = self.paused()
        self.run_to(c, 10000)
        c.events = []
        for position in 5, 9000, 10000, 0:
            c.expect({}, "replay-seek", {"icount": position})
            c.event("RESUME")
            c.event("STOP")
            self.assertEqual(c.get("query-replay")["icount"], position)
        for position in 10001, -1, 1 << 62:
            self.assertEqual(c.error("replay-seek", {"icount": position}),
                             (GENERIC, "cannot seek to the specified instruction count"))

    def test_reset(self):
        _, c = self.paused()
        self.run_to(c, 1000)
        c.expect({}, "system_reset")
        reset = c.event("RESET")
        self.assertEqual(reset["data"], {"guest": False, "reason": "host-qmp-system-reset"})
        self.run_to(c, 2000)
        c.events = []
        c.get("x-backstep-goto", {"to": 500})
        self.assertIn("past", c.error("system_reset")[1])
        c.get("x-backstep-goto", {"to": "end"})
        self.assertNotIn("RESET", c.take_events(), "a replayed one is no news")
        c.expect({}, "cont")
        c.expect({}, "system_reset")
        self.assertEqual(c.take_events().count("RESET"), 1)
        self.assertTrue(c.get("query-status")["running"])

    def test_guest_resets(self):
        _, c = self.paused(words=qmp_client.RESET)
        c.expect({}, "cont")
        self.assertEqual(c.event("RESET")["data"], {"guest": True, "reason": "guest-reset"})

    def test_power_off(self):
        for more, status in ([], 0), (["-no-shutdown"], None):
            with self.subTest(more):
                program, c = self.paused(*more, words=qmp_client.OFF)
                c.expect({}, "cont")
                self.assertEqual(c.event("SHUTDOWN")["data"],
                                 {"guest": True, "reason": "guest-shutdown"})
                if status is not None:
                    c.expect_closed()
                    self.assertEqual(program.wait(), status)
                    continue
                c.event("STOP")
                self.assertEqual(c.get("query-status")["status"], "shutdown")
                self.assertEqual(c.error("cont"),
                                 (GENERIC, "Resetting the Virtual Machine is required"))
                c.get("x-backstep-goto", {"to": 1})
                self.assertEqual(c.get("query-status")["status"], "paused")
                c.expect({}, "quit")

    def test_power_button(self):
        program, c = self.paused("-no-shutdown")
        c.expect({}, "cont")
        c.expect({}, "system_powerdown")
        c.event("POWERDOWN")
        c.event("SHUTDOWN")
        c.event("STOP")
        self.assertEqual(c.get("query-status")["status"], "shutdown")
        program.stop()
        program = self.start()
        c = self.connect(program)
        c.expect({}, "system_powerdown")
        c.event("SHUTDOWN")
        c.expect_closed()
        self.assertEqual(program.wait(), 0)

    def test_quit(self):
        program, c = self.paused()
        other = self.connect(program)
        c.expect({}, "quit")
        data = {"guest": False, "reason": "host-qmp-quit"}
        self.assertEqual(other.event("SHUTDOWN")["data"], data)
        c.expect_closed()
        self.assertEqual(program.wait(), 0)
        self.assertFalse(os.path.exists(program.path))

    def test_signal(self):
        program, c = self.paused()
        program.process.terminate()
        self.assertEqual(c.event("SHUTDOWN")["data"], {"guest": False, "reason": "host-signal"})
        self.assertEqual(program.wait(), 0)


class Human(qmp_client.Case):
    def test_lines(self):
        program, c = self.paused("-name", "ada", gdb=True)
        self.assertEqual(c.human("info status"), "VM status: paused (prelaunch)\r\n")
        self.assertEqual(c.human("info replay"),
                         "Recording execution 'memory': instruction count = 0\r\n")
        self.assertEqual(c.human(" info   name "), "ada\r\n")
        self.assertIn("7.2", c.human("info version"))
        self.assertEqual(c.human("gdbserver"),
                         f"Waiting for gdb connection on device '{program.gdb}'\r\n")
        self.assertEqual(c.human("replay_break 1000"), "")
        self.assertEqual(c.human("c"), "")
        c.event("STOP")
        self.assertEqual(c.human("info status"), "VM status: paused\r\n")
        self.assertEqual(c.human("replay_break 5"),
                         "cannot set breakpoint at the instruction in the past\r\n")
        self.assertEqual(c.human("replay_break x"), "replay_break: integer expected\r\n"
                                                    'Try "help replay_break" for more information\r\n')
        self.assertEqual(c.human("replay_seek 500"), "")
        self.assertEqual(c.get("query-replay")["icount"], 500)
        self.assertEqual(c.human("replay_seek 50000"),
                         "cannot seek to the specified instruction count\r\n")
        self.assertEqual(c.human("help stop"), "stop|s  -- stop emulation\r\n")
        self.assertIn("loadvm tag -- ", c.human("help"))
        self.assertEqual(c.human("quit"), "")
        self.assertEqual(program.wait(), 0)

    def test_our_own(self):
        _, c = self.paused()
        self.run_to(c, 1000)
        self.assertIn("position 10\r\n", c.human("goto 10"))
        self.assertEqual(c.get("query-replay")["icount"], 10)
        self.assertIn("10", c.human("when"))
        self.assertIn("nosuch", c.human("nosuch"))

    def test_snapshots(self):
        _, c = self.paused()
        self.assertEqual(c.human("info snapshots"), "There is no snapshot available.\r\n")
        self.run_to(c, 1000)
        self.assertEqual(c.human("savevm one"), "")
        self.run_to(c, 2000)
        self.assertEqual(c.human("savevm two"), "")
        self.assertEqual(c.human("loadvm one"), "")
        self.assertEqual(c.get("query-replay")["icount"], 1000)
        listed = c.human("info snapshots")
        self.assertTrue(listed.startswith("List of snapshots present on all disks:\r\nID"))
        self.assertRegex(listed, r"--\s+one\s+1000\r\n--\s+two\s+2000\r\n")
        self.assertEqual(c.human("savevm two"), "", "it moves")
        self.assertRegex(c.human("info snapshots"), r"--\s+two\s+1000\r\n")
        self.assertEqual(c.human("delvm one"), "")
        self.assertEqual(c.human("loadvm one"),
                         "Error: Snapshot 'one' does not exist in one or more devices\r\n")
        self.assertEqual(c.human("delvm one"), "")
        self.assertIn("Error: ", c.human("savevm 9*"))


class Jobs(qmp_client.Case):
    def job(self, c, command, job, tag):
        """Its states as they are told, and what query-jobs says of its end."""
        vmstate = {} if command == "snapshot-delete" else {"vmstate": "v"}
        c.expect({}, command, {"job-id": job, "tag": tag, "devices": ["v"], **vmstate})
        states = []
        while not states or states[-1] != "concluded":
            data = c.event("JOB_STATUS_CHANGE")["data"]
            self.assertEqual(data["id"], job)
            states.append(data["status"])
        listed = [j for j in c.get("query-jobs") if j["id"] == job]
        self.assertEqual(len(listed), 1)
        self.assertEqual((listed[0]["type"], listed[0]["status"]), (command, "concluded"))
        return states, listed[0].get("error")

    def test_jobs(self):
        _, c = self.paused()
        good = ["created", "running", "waiting", "pending", "concluded"]
        bad = ["created", "running", "aborting", "concluded"]
        self.run_to(c, 1000)
        self.assertEqual(self.job(c, "snapshot-save", "a", "tag"), (good, None))
        self.assertEqual(self.job(c, "snapshot-save", "b", "tag"),
                         (bad, "Snapshot 'tag' already exists in one or more devices"))
        self.run_to(c, 5000)
        self.assertEqual(self.job(c, "snapshot-load", "c", "tag"), (good, None))
        self.assertEqual(c.get("query-replay")["icount"], 1000)
        self.assertEqual(self.job(c, "snapshot-load", "d", "nope"),
                         (bad, "Snapshot 'nope' does not exist in one or more devices"))
        self.assertEqual(self.job(c, "snapshot-delete", "e", "tag"), (good, None))
        self.assertEqual(self.job(c, "snapshot-delete", "f", "tag"), (good, None))
        self.assertEqual([j["id"] for j in c.get("query-jobs")], list("fedcba"))
        arguments = {"job-id": "a", "tag": "x"}
        self.assertEqual(c.error("snapshot-save", arguments), (GENERIC, "Job ID 'a' already in use"))
        self.assertEqual(c.error("job-dismiss", {"id": "z"}), (GENERIC, "Job not found"))
        c.expect({}, "job-dismiss", {"id": "c"})
        self.assertEqual(c.event("JOB_STATUS_CHANGE")["data"], {"status": "null", "id": "c"})
        self.assertEqual([j["id"] for j in c.get("query-jobs")], list("fedba"))
        for i in range(59):
            c.expect({}, "snapshot-delete", {"job-id": f"n{i}", "tag": "x"})
        self.assertIn("job-dismiss", c.error("snapshot-delete", {"job-id": "more", "tag": "x"})[1])
        c.events = []
        c.expect({}, "quit")
        self.assertEqual([e["data"]["status"] for e in c.events
                          if e["event"] == "JOB_STATUS_CHANGE"], ["null"] * 64)

    def test_of_a_running_machine(self):
        c = self.connect(self.start())
        while c.get("query-replay")["icount"] < 1000:
            pass
        self.assertEqual(self.job(c, "snapshot-save", "a", "tag")[1], None)
        self.assertTrue(c.get("query-status")["running"])
        self.assertEqual(self.job(c, "snapshot-load", "b", "tag")[1], None)
        self.assertFalse(c.get("query-status")["running"])


class Recordings(qmp_client.Case):
    def test_replay(self):
        path = self.folder.file("run.bsr")
        program, c = self.paused("-o", path)
        self.assertEqual(c.get("query-replay")["filename"], path)
        self.run_to(c, 100000)
        c.human("savevm mark")
        c.expect({}, "quit")
        self.assertEqual(program.wait(), 0)
        program = qmp_client.Program(
            [cli_test.program, "replay", path, "-qmp", f"unix:{program.path}"], self.folder.path)
        self.addCleanup(program.stop)
        c = self.connect(program)
        c.expect({"icount": 100000, "mode": "play", "filename": path}, "query-replay")
        self.assertEqual(c.human("info replay"),
                         f"Replaying execution '{path}': instruction count = 100000\r\n")
        c.expect({}, "replay-seek", {"icount": 500})
        c.event("STOP")
        self.run_to(c, 40000)
        c.human("loadvm mark")
        self.assertEqual(c.get("query-replay")["icount"], 100000)
        c.expect({}, "quit")
        self.assertEqual(program.wait(), 0)


if __name__ == "__main__":
    result = unittest.main(exit=False).result
    sys.exit(1 if not result.wasSuccessful() else 77 if result.skipped else 0)
