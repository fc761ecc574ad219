#!/usr/bin/env python3
"""The control socket and its clients: our own commands, several clients at a time and gdb among them,
where clients come from, and clients that behave badly."""

import json
import os
import socket
import stat
import threading
import time
import unittest

import qmp_client
import cli_test
import rsp_client

GENERIC, NOT_FOUND = "GenericError", "CommandNotFound"
BUSY_GDB = "busy: gdb is running"
BUSY_CONTROL = "busy: a control client is moving"
FAR = 200_000_000  # steps that take longer to replay than it takes to interrupt it


class Own(qmp_client.Case):
    def test_rows(self):
        _, c = self.paused()
        self.run_to(c, 1003)
        when = c.get("x-backstep-when")
        self.assertEqual((when["position"], when["tip"], when["live"]), (1003, 1003, True))
        hit = c.get("x-backstep-last-write", {"address": qmp_client.DATA, "length": 8})["hit"]
        self.assertEqual(hit["pc"], qmp_client.STORE)
        stop = c.get("x-backstep-goto", {"to": hit["position"]})
        self.assertEqual((stop["position"], stop["pc"]), (hit["position"], qmp_client.STORE))
        self.assertEqual(c.get("x-backstep-step")["pc"], qmp_client.STORE + 4)
        self.assertEqual(c.get("x-backstep-reverse-continue")["reason"], "begin")
        self.assertEqual(c.get("x-backstep-continue")["reason"], "end")
        self.assertEqual(c.error("x-backstep-goto", {"to": "nowhere"})[0], GENERIC)
        self.assertEqual(c.error("x-backstep-nosuch"),
                         (NOT_FOUND, "The command x-backstep-nosuch has not been found"))
        # Addresses above 2^63 may be numbers too.
        self.assertEqual(c.error("x-backstep-read-memory", {"address": 0xffffffff80000000,
                                                            "length": 8})[0], GENERIC)

    def test_interrupt(self):
        _, c = self.paused()
        self.assertEqual(c.get("x-backstep-interrupt"), {"interrupted": False})
        c.request("x-backstep-continue", id="run")
        c.event("RESUME")
        c.request("query-name", id="later")
        c.request("x-backstep-interrupt", id="now")
        self.assertEqual(c.reply(), {"id": "now", "return": {"interrupted": True}})
        run = c.reply()
        self.assertEqual((run["id"], run["return"]["reason"]), ("run", "interrupt"))
        self.assertEqual(c.reply()["id"], "later")

    def test_own_stop_is_not_waited_for(self):
        _, c = self.paused()
        c.request("x-backstep-continue", id=1)
        c.event("RESUME")
        c.request("stop", id=2)
        self.assertEqual([c.reply()["id"], c.reply()["id"]], [1, 2])
        c.request("x-backstep-continue", id=3)
        c.event("RESUME")
        c.request("quit", id=4)
        self.assertEqual([c.reply()["id"], c.reply()["id"]], [3, 4])

    def test_an_interrupt_ends_all_that_a_command_does(self):
        """Steps are movements of their own, and a picture is two questions."""
        program, c = self.paused()
        other = self.connect(program)
        for wait in (0, 0.001, 0.01, 0.05):
            c.request("x-backstep-step", {"count": 1000000})
            other.event("RESUME")
            time.sleep(wait)
            other.expect({"interrupted": True}, "x-backstep-interrupt")
            self.assertEqual(c.reply()["return"]["reason"], "interrupt")

    def test_any_note(self):
        """It is cut at a byte, which may be in the midst of a character."""
        _, c = self.paused()
        for note in ("\u00e4" * 300, "x" + "\u00e4" * 300, "\U0001f40c" * 200, ""):
            mark = c.get("x-backstep-bookmark", {"name": "here", "note": note})
            self.assertEqual((mark["name"], mark["position"]), ("here", 0))
            self.assertEqual(mark["note"][:100], note[:100])
            self.assertEqual(c.get("x-backstep-bookmarks")["bookmarks"], [mark])

    def test_an_endless_line_of_output(self):
        """Of which a client gets the end, and not more than it can take."""
        _, c = self.paused(words=qmp_client.ENDLESS)
        self.run_to(c, 4_000_000)
        text = c.get("x-backstep-console", {"lines": 1})["text"]
        self.assertEqual(set(text), set("a\n"))
        self.assertLessEqual(len(text), (1 << 20) + 1)
        self.assertGreater(len(text), 1 << 19)
        self.assertEqual(len(c.human("console-at end 3")), len(text) + 1)

    def test_long_lines(self):
        _, c = self.paused()
        self.run_to(c, 1000)
        line = "json timeline " + json.dumps({"addresses": [qmp_client.STORE] * 4000})
        self.assertGreater(len(line), 40000)
        self.assertIn("text", json.loads(c.human(line)))
        self.assertEqual(c.human("json timeline " + "x" * 70000), "a line of over 65535 bytes is no command\r\n")

    def test_others_go_on_meanwhile(self):
        program, c = self.paused()
        other = self.connect(program)
        c.request("x-backstep-continue")
        other.event("RESUME")
        self.assertEqual(other.get("query-status")["status"], "running")
        before = other.get("x-backstep-when")["position"]
        while other.get("x-backstep-when")["position"] == before:
            pass
        for command, arguments in (("x-backstep-step", None), ("x-backstep-goto", {"to": 0}),
                                   ("replay-seek", {"icount": 0}), ("cont", None)):
            self.assertEqual(other.error(command, arguments), (GENERIC, BUSY_CONTROL))
        self.assertEqual(other.human("goto 0"), "Error: " + BUSY_CONTROL + "\r\n")
        self.assertEqual(other.get("x-backstep-interrupt"), {"interrupted": True})
        self.assertEqual(c.reply()["return"]["reason"], "interrupt")

    def test_a_client_that_leaves_takes_its_movement_along(self):
        program, c = self.paused()
        other = self.connect(program)
        c.request("x-backstep-continue")
        other.event("RESUME")
        c.close()
        other.event("STOP")
        self.assertIn("position", other.get("x-backstep-step"))


class WithGdb(qmp_client.Case):
    def begin(self, *more):
        program = self.start("-S", *more, gdb=True)
        return self.connect(program), self.attach_gdb(program)

    def position(self, gdb):
        return int(rsp_client.StopReply(gdb.request(b"?")).keys["icount"], 16)

    def monitor(self, gdb, line):
        return gdb.monitor(line)

    def test_gdb_owns_movement(self):
        c, gdb = self.begin()
        gdb.send_packets([b"vCont;c"])
        c.event("RESUME")
        self.assertTrue(c.get("query-status")["running"])
        for command, arguments in (("x-backstep-step", None), ("x-backstep-goto", {"to": 0}),
                                   ("replay-seek", {"icount": 0}), ("cont", None),
                                   ("system_reset", None), ("x-backstep-break", {"address": 4})):
            self.assertEqual(c.error(command, arguments), (GENERIC, BUSY_GDB))
        self.assertEqual(c.human("goto 0"), "Error: " + BUSY_GDB + "\r\n")
        c.get("x-backstep-when")
        c.get("x-backstep-registers")
        c.expect({}, "snapshot-save", {"job-id": "j", "tag": "t"})
        self.assertNotIn("error", c.get("query-jobs")[0])
        c.expect({}, "snapshot-load", {"job-id": "k", "tag": "t"})
        self.assertEqual(c.get("query-jobs")[0]["error"], BUSY_GDB)
        c.expect({}, "stop")
        self.assertEqual(gdb.wait_stop().signal, 2)
        self.assertEqual(c.get("query-status")["status"], "paused")
        gdb.send_packets([b"vCont;c"])
        c.event("RESUME")
        self.assertEqual(c.get("x-backstep-interrupt"), {"interrupted": True})
        self.assertEqual(gdb.wait_stop().signal, 2)

    def test_a_move_while_gdb_is_stopped(self):
        c, gdb = self.begin()
        for _ in range(20):
            gdb.step()
        self.assertEqual(self.monitor(gdb, "when").count("maint flush"), 0)
        self.assertEqual(c.get("x-backstep-goto", {"to": 7})["position"], 7)
        pc = c.get("x-backstep-when")["pc"]
        self.assertEqual(gdb.read_register(32), pc)
        self.assertEqual(self.position(gdb), 7)
        self.assertEqual(json.loads(self.monitor(gdb, "json when"))["position"], 7)
        said = self.monitor(gdb, "when")
        self.assertIn("another client has moved", said)
        self.assertIn("maint flush register-cache", said)
        self.assertNotIn("another client", self.monitor(gdb, "when"), "once")
        self.assertEqual(int(gdb.step().keys["icount"], 16), 8)
        self.assertEqual(int(gdb.reverse_step().keys["icount"], 16), 7)

    def test_replay_break_stops_gdb(self):
        c, gdb = self.begin()
        c.expect({}, "replay-break", {"icount": 12345})
        stop = gdb.cont()
        self.assertEqual((stop.signal, int(stop.keys["icount"], 16)), (2, 12345))
        c.event("STOP")
        self.assertEqual(gdb.resume(b"bc").history_end, "begin")
        self.assertEqual(gdb.cont().history_end, "end")

    def test_cont_while_gdb_is_connected(self):
        c, gdb = self.begin()
        gdb.step()
        c.expect({}, "cont")
        before = c.get("query-replay")["icount"]
        while c.get("query-replay")["icount"] == before:
            pass
        # gdb wants to look: it finds the machine at rest, where it is now.
        pc = gdb.read_register(32)
        c.event("STOP")
        self.assertFalse(c.get("query-status")["running"])
        self.assertEqual(c.get("x-backstep-when")["pc"], pc)
        self.assertIn("another client has moved", self.monitor(gdb, "when"))
        # A resume of gdb's takes over.
        c.expect({}, "cont")
        gdb.send_packets([b"vCont;c"])
        while c.get("query-status") and "error" not in c.ask("cont"):
            pass
        self.assertEqual(c.error("cont"), (GENERIC, BUSY_GDB))
        gdb.interrupt()
        self.assertEqual(gdb.wait_stop().signal, 2)

    def test_gdb_waits_for_a_movement(self):
        c, gdb = self.begin()
        c.request("x-backstep-continue")
        c.event("RESUME")
        gdb.send_packets([b"g"])
        self.assertRaises(rsp_client.RspTimeout, gdb.receive_packet, 1.5)
        self.assertIn(b"+", gdb.buffer, "kept waiting by acknowledgements")
        self.assertTrue(c.get("x-backstep-interrupt") or True)
        self.assertEqual(len(gdb.receive_packet()) % 2, 0)
        self.assertEqual(c.reply()["return"]["reason"], "interrupt")

    def test_a_queue_of_movements_does_not_keep_gdb_out(self):
        c, gdb = self.begin()
        self.run_to(c, FAR // 20)
        queued = 60  # fewer than a session keeps
        for i in range(queued):
            c.request("x-backstep-last-write", {"address": 0x80003000, "physical": True}, id=i)
        answered = [c.reply()["id"]]
        self.assertTrue(gdb.request(b"?").startswith(b"T"))
        c.send({"execute": "x-backstep-interrupt", "id": "now"})
        while (reply := c.reply())["id"] != "now":
            answered.append(reply["id"])
        self.assertLess(len(answered), queued - 1)
        while len(answered) < queued:
            c.send({"execute": "x-backstep-interrupt", "id": "now"})
            reply = c.reply()
            answered += [reply["id"]] * (reply["id"] != "now")
        self.assertEqual(answered, list(range(queued)))

    def test_gdb_interrupts_what_it_waits_for(self):
        c, gdb = self.begin()
        c.request("x-backstep-continue")
        c.event("RESUME")
        gdb.send_packets([b"vCont;c"])
        gdb.interrupt()
        self.assertEqual(gdb.wait_stop().signal, 2)
        self.assertEqual(c.reply()["return"]["reason"], "interrupt")

    def test_gdb_comes_and_goes(self):
        program = self.start(gdb=True)
        c = self.connect(program)
        gdb = self.attach_gdb(program)
        gdb.request(b"?")
        c.event("STOP")
        gdb.expect_ok(b"D")
        gdb.close()
        c.event("RESUME")
        c.expect({}, "stop")
        gdb = self.attach_gdb(program)
        gdb.step()
        gdb.expect_ok(b"D")
        gdb.close()
        with self.attach_gdb(program) as gdb:
            here = self.position(gdb)
        time.sleep(0.2)
        self.assertEqual((c.get("query-replay")["icount"], c.get("query-status")["running"]),
                         (here, False), "QMP has stopped it")
        c.events = []
        c.expect({}, "cont")
        self.assertEqual(c.take_events(), ["RESUME"])

    def test_two_fight(self):
        """Moves of two control clients and of gdb, at the same time: each gets an answer."""
        program = self.start("-S", gdb=True)
        clients = [self.connect(program) for _ in range(2)]
        gdb = self.attach_gdb(program)
        self.run_to(clients[0], 20000)
        counts, failures = [0, 0], []

        def fight(number):
            c = clients[number]
            try:
                for i in range(150):
                    command, arguments = (("x-backstep-goto", {"to": (i * 7919) % 20000}),
                                          ("x-backstep-reverse-step", None), ("stop", None),
                                          ("cont", None), ("human-monitor-command",
                                                           {"command-line": "goto 50%"}),
                                          ("x-backstep-interrupt", None))[(i + number) % 6]
                    reply = c.ask(command, arguments)
                    if "error" in reply and "busy" not in reply["error"]["desc"]:
                        raise AssertionError(f"{command}: {reply}")
                    counts[number] += 1
            except Exception as e:  # pylint: disable=broad-except
                failures.append(e)

        threads = [threading.Thread(target=fight, args=(n,)) for n in range(2)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            gdb.step()
            gdb.reverse_step()
            gdb.read_memory(qmp_client.DATA, 8)
        for thread in threads:
            thread.join()
        self.assertEqual((failures, counts), ([], [150, 150]))
        clients[0].expect({}, "stop")
        clients[0].get("x-backstep-goto", {"to": 3})
        self.assertEqual(self.position(gdb), 3)

    def test_killed_in_a_long_reverse(self):
        """Its movement ends, and the next client finds the machine where it was."""
        program = self.start("-S", gdb=True)
        c = self.connect(program)
        self.run_to(c, FAR)
        c.expect({}, "stop")  # for gdb's leaving too
        gdb = self.attach_gdb(program)
        gdb.insert_point(2, qmp_client.DATA + 64)
        c.events = []
        gdb.send_packets([b"bc"])
        c.event("RESUME")
        gdb.close()
        c.event("STOP")
        self.assertEqual(c.get("x-backstep-step")["position"], FAR + 1)


class Places(qmp_client.Case):
    def test_unix_socket_is_private(self):
        program, c = self.paused()
        self.assertEqual(stat.S_IMODE(os.stat(program.path).st_mode), 0o600)
        self.assertIn(f"qmp: clients connect to {program.path}", program.stderr())
        self.assertNotIn("WARNING", program.stderr())

    def tcp(self, *places):
        arguments = [*self.folder.arguments(), "-S"]
        for option, place in places:
            arguments += [option, place]
        program = qmp_client.Program(arguments, self.folder.path, listens=False)
        self.addCleanup(program.stop)
        return program

    def test_tcp(self):
        program = self.tcp(("-qmp", "tcp::0"), ("-gdb", "tcp::0"))
        said = program.wait_said("qmp: clients connect to tcp:127.0.0.1:")
        self.assertNotIn("WARNING", said)
        port = int(said.split("tcp:127.0.0.1:")[-1].split()[0])
        with qmp_client.QmpClient(("127.0.0.1", port)) as c:
            c.expect({}, "quit")
        self.assertEqual(program.wait(), 0)

    def test_open_ports_are_warned_of(self):
        program = self.tcp(("-qmp", "tcp:0.0.0.0:0"), ("-gdb", "tcp:0.0.0.0:0"))
        said = program.wait_said("WARNING: the control socket on tcp:0.0.0.0:")
        self.assertIn("WARNING: gdb's port on tcp:0.0.0.0:", said)

    def test_inherited(self):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            fd = theirs.fileno()
            program = qmp_client.Program(
                [*self.folder.arguments(), "-S", "-chardev", f"socket,id=mon,fd={fd}", "-mon",
                 "chardev=mon,mode=control"], self.folder.path, listens=False, pass_fds=[fd])
            self.addCleanup(program.stop)
            theirs.close()
            with qmp_client.QmpClient(ours) as c:
                self.assertEqual(c.get("query-status")["status"], "prelaunch")
                c.expect({}, "quit")
            self.assertEqual(program.wait(), 0)

    def test_it_connects(self):
        path = self.folder.file("here")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen()
            program = qmp_client.Program(
                [*self.folder.arguments(), "-qmp", f"unix:{path},server=off"], self.folder.path,
                listens=False)
            self.addCleanup(program.stop)
            listener.settimeout(qmp_client.TIMEOUT)
            with qmp_client.QmpClient(listener.accept()[0]) as c:
                c.expect({}, "stop")
                c.expect({}, "quit")
        self.assertEqual(program.wait(), 0)

    def test_it_waits_for_a_client(self):
        path = self.folder.file("qmp")
        program = qmp_client.Program(
            [*self.folder.arguments(), "-qmp", f"unix:{path},server=on"], self.folder.path)
        self.addCleanup(program.stop)
        time.sleep(0.3)
        c = self.connect(program, negotiate=False)
        c.send({"execute": "qmp_capabilities"})
        c.send({"execute": "query-status"})
        c.reply()
        self.assertTrue(c.reply()["return"]["running"])

    def test_bad_places(self):
        checks = cli_test.Checks()
        arguments = self.folder.arguments()[1:]
        checks.bad([*arguments, "-qmp", "fd:99"], "99")
        checks.bad([*arguments, "-qmp", "unix:" + self.folder.file("none") + ",server=off"], "none")
        checks.bad([*arguments, "-qmp", "pipe:x"], "pipe")
        self.assertEqual(checks.failed, 0)


class Hostile(qmp_client.Case):
    def test_a_client_that_never_reads(self):
        program, c = self.paused()
        deaf = self.connect(program)
        deaf.socket.setblocking(False)
        request = b'{"execute":"query-commands"}' * 100
        sent = 0
        limit = time.monotonic() + 20
        while time.monotonic() < limit and sent < 8 << 20:
            try:
                sent += deaf.socket.send(request)
            except BlockingIOError:
                break
        c.expect({}, "query-name")
        with open(f"/proc/{program.process.pid}/status", encoding="ascii") as f:
            resident = [int(line.split()[1]) for line in f if line.startswith("VmRSS")][0]
        self.assertLess(resident, 400 << 10, "kB: bounded")
        # Events pile up until it is dropped; nobody else notices.
        for _ in range(300):
            c.request("cont")
            c.request("stop")
        for _ in range(600):
            c.reply()
        c.expect({}, "query-name")

    def test_garbage(self):
        program, c = self.paused()
        state = 1
        for _ in range(60):
            data = bytearray()
            for _ in range(2000):
                state = state * 6364136223846793005 + 1442695040888963407 & (1 << 64) - 1
                data.append(b'{}[]",:\\ntrue\x00\x80 1e-' [state >> 33 & 15] if state >> 40 & 3
                            else state >> 33 & 255)
            with program.connect() as other:
                other.socket.settimeout(5)
                try:
                    other.socket.sendall(bytes(data))
                except OSError:
                    pass
        c.expect({}, "query-name")

    def test_connects_and_aborts(self):
        program, c = self.paused()
        for i in range(1000):
            other = qmp_client.connect_unix(program.path)
            try:
                if i % 3 == 1:
                    other.send(b'{"execute":"qmp_capabilities"}{"execute":"x-backstep-continue"}')
                elif i % 3 == 2:
                    other.send(b'{"execute":"qmp_capabil')
            except OSError:
                pass  # there were too many of them
            other.close()
        c.expect({}, "query-name")
        c.expect({}, "stop")
        self.assertIn("position", c.get("x-backstep-step"))

    def test_too_many_clients(self):
        program, c = self.paused()
        clients = [self.connect(program) for _ in range(31)]
        with socket.socket(socket.AF_UNIX) as other:
            other.settimeout(qmp_client.TIMEOUT)
            other.connect(program.path)
            self.assertEqual(other.recv(100), b"")
        clients.pop().close()
        limit = time.monotonic() + qmp_client.TIMEOUT
        while True:
            try:
                self.connect(program)
                break
            except qmp_client.QmpError:
                self.assertLess(time.monotonic(), limit)
        c.expect({}, "query-name")


if __name__ == "__main__":
    unittest.main()
