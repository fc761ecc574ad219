"""backstep in gdb: going to positions, asking about history, source lines backward.

    (gdb) source backstep.py
    (gdb) target remote :1234

`help backstep` lists the commands. For gdb 13.1 and newer. All data come from rows of backstep's
command table, `monitor json NAME {ARGUMENTS}`, each one line of JSON."""

import inspect
import json
import re
import time

import gdb

MASK = (1 << 64) - 1
VISITS = 1000  # places that `back` remembers
MOST = 1000  # hits that the target gives in one answer
SEARCH_STEPS = 100000000  # to replay between two looks for Ctrl-C: some tenths of a second
FAILURES = gdb.error, gdb.GdbError
# Of what the target prints: how to do what this script does, and progress that is past.
PASSED_OVER = re.compile(r"\(to see it in gdb|backstep: \d+% of \d+ steps replayed")

# ---- the target ----


class Target:
    """What gdb is connected to. `connection`: the one that is known to be backstep."""

    connection = None
    harts = 1

    @staticmethod
    def current():
        connection = getattr(gdb.selected_inferior(), "connection", None)
        return connection if isinstance(connection, gdb.RemoteTargetConnection) else None

    @classmethod
    def known(cls):
        """Is it backstep? Looks once a connection, and prepares gdb for it."""
        connection = cls.current()
        if connection is None:
            return False
        if cls.connection is not connection:
            try:
                if "position" not in call("when"):
                    return False
            except gdb.GdbError:
                return False
            cls.connection = connection
            cls.harts = len(gdb.selected_inferior().threads())
            History.clear()
            prepare()
        return True

    @classmethod
    def need(cls):
        if cls.current() is None:
            raise gdb.GdbError("gdb is not connected: `target remote ADDRESS`, with the address "
                               "that backstep has printed")
        if not cls.known():
            raise gdb.GdbError("gdb is connected, but not to a backstep that this script knows: "
                               "`monitor help` may say what it is")


def quietly(command):
    """Does it if gdb can; what it says is dropped."""
    try:
        gdb.execute(command, to_string=True)
    except gdb.error:
        pass


def prepare():
    """Settings without which gdb is right less often, or slower; each needs a connection."""
    # Without it `reverse-stepi` is one of the hart that stopped last, whichever is selected.
    quietly("set scheduler-locking step")
    # dprintf and conditions are evaluated where the program runs, in both directions.
    quietly("set dprintf-style agent")
    quietly("set breakpoint condition-evaluation target")


def plain(value):
    """Integers above 2^63-1 are strings."""
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return f"{value:#x}" if isinstance(value, int) and value >> 63 else value


def call(name, /, **arguments):
    """The answer of a row. What else the target prints meanwhile is shown."""
    given = {k: plain(v) for k, v in arguments.items() if v is not None}
    line = f"monitor json {name}" + (f" {json.dumps(given)}" if given else "")
    try:
        text = gdb.execute(line, to_string=True)
    except gdb.error as e:
        raise gdb.GdbError(f"the target does not answer: {e}") from None
    answer = None
    for row in text.splitlines():
        if row.startswith("{"):
            try:
                answer = json.loads(row)
                continue
            except ValueError:
                pass
        if row and Target.connection is not None and not PASSED_OVER.match(row):
            print(row)
    if not isinstance(answer, dict):
        raise gdb.GdbError(f"the target does not know `{name}`: it is not backstep, or older than "
                           "this script")
    if "error" in answer:
        raise gdb.GdbError(answer["error"])
    return answer


def ask(name, /, **arguments):
    Target.need()
    return call(name, **arguments)


def search(row, most=1, /, **arguments):
    """The answer of a question about history, newest first: {hits, count, complete}. It is asked in
    parts, because gdb does not pass Ctrl-C on while it waits for an answer."""
    found, to, began = {"hits": [], "count": 0, "complete": False}, None, time.monotonic()
    while len(found["hits"]) < most and not found["complete"]:
        left = {} if row in ("last-write", "last-read") else {"most": most - len(found["hits"])}
        part = ask(row, to=to, steps=SEARCH_STEPS, **arguments, **left)
        hits = part["hits"] if "hits" in part else [part["hit"]] if part["hit"] else []
        found["hits"] += hits
        found["count"] += part.get("count", len(hits))
        found["complete"] = part["complete"]
        searched = number(part["searched"])
        if part.get("interrupted") or (to is not None and searched >= to):
            raise gdb.GdbError(f"interrupted: searched back to position {position_text(searched)}")
        to = searched
        if time.monotonic() - began > 1 and not hits and not found["complete"]:
            gdb.write(f"searched back to position {position_text(to)}\n", gdb.STDERR)
    return found


def number(value):
    """Of an answer: those above 2^63-1 are strings."""
    return int(value, 0) if isinstance(value, str) else value


# ---- texts ----


def position_text(position):
    return f"{position:,}"


def plural(count, noun):
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def function_at(pc):
    """(name, offset) of the function or symbol that holds an address, or None."""
    try:
        block = gdb.block_for_pc(pc)
    except (gdb.error, RuntimeError):
        block = None
    while block is not None and block.function is None:
        block = block.superblock
    if block is not None:
        return block.function.print_name, pc - block.start
    found = re.match(r"(\S+)(?: \+ (\d+))? in section|(\S+)(?: \+ (\d+))?$",
                     gdb.execute(f"info symbol {pc:#x}", to_string=True).strip().rpartition("\n")[2])
    if found is None or found[3] == "No":
        return None
    return found[1] or found[3], int(found[2] or found[4] or 0)


def line_at(pc):
    """file:line, or None."""
    sal = gdb.find_pc_line(pc)
    return f"{sal.symtab.filename}:{sal.line}" if sal.symtab is not None and sal.line else None


def code_text(pc, offset=True):
    """An address of code as people read it."""
    function, line = function_at(pc), line_at(pc)
    if function is None:
        return f"{pc:#x}"
    name = f"{function[0]}+{function[1]}" if offset and function[1] else function[0]
    return f"{name} ({line})" if line else f"{pc:#x} {name}"


def hart_text(hart):
    return f"hart {hart}, " if Target.harts > 1 else ""


# ---- moving ----


class ShowPlace(gdb.Parameter):
    """Whether backstep's commands that move show the place they have come to."""

    set_doc = "Set whether backstep's commands that move show the place they have come to."
    show_doc = "Show whether backstep's commands that move show the place they have come to."

    def __init__(self):
        super().__init__("backstep-place", gdb.COMMAND_RUNNING, gdb.PARAM_BOOLEAN)
        self.value = True

    def get_set_string(self):
        return ""

    def get_show_string(self, value):
        return f"Showing the place after backstep's moves is {value}."


def flush():
    """gdb reads registers and memory anew."""
    quietly("maint flush register-cache")
    quietly("maint flush dcache")


def select_hart(hart):
    selected = gdb.selected_thread()
    if selected is not None and selected.ptid[1] == hart + 1:
        return
    for thread in gdb.selected_inferior().threads():
        if thread.ptid[1] == hart + 1:
            thread.switch()
            return


def arrive(hart=None):
    """After a move by the target: gdb is to see it, and so is whoever types."""
    flush()
    if hart is not None:
        select_hart(hart)
    History.visit()
    if show_place.value:
        gdb.execute("frame")
        gdb.execute("display")


def move(name, /, **arguments):
    """A row whose answer is a stop. Returns it."""
    stop = ask(name, **arguments)
    if stop.get("reason") not in (None, "done") and stop.get("text"):
        print(stop["text"])
    arrive(stop.get("hart"))
    return stop


def position_argument(text, command):
    """A position as the target takes it; expressions with $ are gdb's."""
    text = text.strip()
    if not text:
        raise gdb.GdbError(f"`{command}` needs a position: N, start, end, +N, -N, N% or a bookmark")
    if text.startswith("$"):
        return str(int(gdb.parse_and_eval(text)))
    return text


class History:
    """The places visited, as a browser has them: (branch, position, hart)."""

    visits = []
    at = -1

    @classmethod
    def clear(cls):
        cls.visits = []
        cls.at = -1

    @classmethod
    def visit(cls):
        """Notes where the machine stands."""
        now = call("when")
        place = now.get("branch", "main"), now["position"], now.get("hart")
        if cls.at >= 0 and cls.visits[cls.at][:2] == place[:2]:
            return
        cls.visits = cls.visits[:cls.at + 1][1 - VISITS:] + [place]
        cls.at = len(cls.visits) - 1

    @classmethod
    def drop_diversions(cls, now):
        """A diversion that nobody named is gone once it has been left."""
        if now.get("branch", "main") == "":
            return
        kept = [(i, v) for i, v in enumerate(cls.visits) if v[0] != ""]
        cls.at = sum(1 for i, _ in kept if i <= cls.at) - 1
        cls.visits = [v for _, v in kept]

    @classmethod
    def go(cls, count, word, end):
        Target.need()
        now = call("when")
        cls.drop_diversions(now)
        here = now.get("branch", "main"), now["position"]
        target = cls.at + count
        # Where something else has moved the machine, the last place noted is one to go back to.
        if count < 0 and cls.at >= 0 and cls.visits[cls.at][:2] != here:
            target += 1
        target = min(max(target, 0), len(cls.visits) - 1)
        if target < 0 or cls.visits[target][:2] == here:
            raise gdb.GdbError(f"this is the {end} of the places visited: `{word}` leads nowhere")
        branch, position, hart = cls.visits[target]
        if branch != here[0]:
            call("switch", name=branch)
        stop = call("goto", to=position)
        if stop.get("position") == position:
            cls.at = target
        arrive(hart)


# ---- values ----


class Place:
    """Memory that an expression names: address, type, and how it is called."""

    def __init__(self, text, command):
        text = text.strip()
        if not text:
            raise gdb.GdbError(f"`{command}` needs an expression that names memory, as in "
                               f"`{command} counter` or `{command} *(long *)0x80001000`")
        self.name = text
        value = self.evaluate(text)
        if value.address is None:
            raise gdb.GdbError(f"`{text}` is not in memory: it is a value, or in a register here. "
                               "Memory is named by a variable, or *(TYPE *)ADDRESS")
        self.address = int(value.address) & MASK
        self.type = value.type
        self.size = value.type.sizeof
        if self.size == 0:
            raise gdb.GdbError(f"`{text}` has no size: cast it to a type that has one")

    @staticmethod
    def evaluate(text):
        try:
            return gdb.parse_and_eval(text)
        except gdb.error as e:
            if "unknown type" not in str(e):
                raise
        # A symbol without debug information.
        value = gdb.parse_and_eval(f"*(unsigned long *)&({text})")
        print(f"(`{text}` has no type: 8 bytes of it)")
        return value

    def bytes_now(self):
        return gdb.selected_inferior().read_memory(self.address, self.size).tobytes()


def value_text(data, kind):
    """Bytes as a value of a type. What a char pointer points to is not shown: it would be read in
    another time than the pointer's."""
    value = gdb.Value(data, kind)
    stripped = kind.strip_typedefs()
    if stripped.code == gdb.TYPE_CODE_PTR and stripped.target().strip_typedefs().sizeof == 1 \
            and stripped.target().strip_typedefs().code != gdb.TYPE_CODE_FUNC:
        return value.format_string(format="a", symbols=True)
    return value.format_string(symbols=True, max_elements=16)


def member_at(name, kind, offset, size):
    """(name, type, offset) of the smallest part of a value that holds [offset, offset + size)."""
    start = 0
    while True:
        stripped = kind.strip_typedefs()
        found = None
        if stripped.code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION):
            found = member_of(name, stripped, offset - start, size)
        elif stripped.code == gdb.TYPE_CODE_ARRAY and stripped.target().sizeof:
            item = stripped.target()
            low, _ = stripped.range()
            index = (offset - start) // item.sizeof
            if (offset - start) % item.sizeof + size <= item.sizeof:
                found = f"{name}[{low + index}]", item, index * item.sizeof
        if found is None:
            return name, kind, start
        name, kind, start = found[0], found[1], start + found[2]


def member_of(name, kind, offset, size):
    for field in kind.fields():
        if not hasattr(field, "bitpos") or field.bitsize or field.type is None:
            continue
        start = field.bitpos // 8
        if start <= offset and offset + size <= start + field.type.sizeof:
            plain = re.fullmatch(r"[\w.\[\]]+(->[\w.\[\]]+)*", name)
            base = name if plain else f"({name})"
            return (f"{base}.{field.name}" if field.name else name), field.type, start
    return None


def change_text(place, hit, memory=None):
    """`NAME: old -> new` of a hit that writes. memory: all bytes of the place before it, if at
    hand; without them a part of a scalar is shown as bytes."""
    after = bytes.fromhex(hit["after"]) if hit.get("after") is not None else None
    if hit.get("before") is None:
        return f"{place.name}: ? -> {after.hex(' ')}" if after else place.name
    before = bytes.fromhex(hit["before"])
    start = number(hit["address"]) - place.address
    low, high = max(start, 0), min(start + len(before), place.size)
    if low >= high:
        return place.name
    name, kind, at = member_at(place.name, place.type, low, high - low)
    if memory is None and start <= at and at + kind.sizeof <= start + len(before):
        old = before[at - start:at - start + kind.sizeof]
    elif memory is not None:
        old = memory[at:at + kind.sizeof]
    else:
        name += f" bytes {low - at} to {high - at - 1}" if high - low > 1 else f" byte {low - at}"
        old_bytes = before[low - start:high - start]
        if after is None:
            return f"{name}: {old_bytes.hex(' ')} -> ?"
        return f"{name}: {old_bytes.hex(' ')} -> {after[low - start:high - start].hex(' ')}"
    if after is None:
        return f"{name}: {value_text(old, kind)} -> ?"
    new = bytearray(old)
    for i, byte in enumerate(after):
        if 0 <= start + i - at < len(new):
            new[start + i - at] = byte
    return f"{name}: {value_text(old, kind)} -> {value_text(bytes(new), kind)}"


def writer_text(hit):
    """Who it was, if no instruction."""
    if hit.get("device"):
        return f"written by {hit['device']}, "
    if hit.get("writer") not in (None, "hart"):
        return f"written by {hit['writer']}, "
    return ""


# ---- commands ----


class Command(gdb.Command):
    """The first line of the help is its summary. Errors are sentences."""

    name = None
    family = gdb.COMMAND_RUNNING
    completer = None
    repeats = False
    all = []

    def __init_subclass__(cls):
        if cls.name:
            cls.__doc__ = inspect.cleandoc(cls.__doc__)
            Command.all.append(cls)

    def __init__(self):
        if self.completer is None:
            super().__init__(self.name, self.family)
        else:
            super().__init__(self.name, self.family, self.completer)

    def invoke(self, argument, from_tty):
        if not self.repeats:
            self.dont_repeat()
        try:
            self.run(argument.strip())
        except gdb.GdbError:
            raise
        except gdb.error as e:
            raise gdb.GdbError(str(e)) from None
        except KeyboardInterrupt:
            raise gdb.GdbError("interrupted") from None
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as e:
            raise gdb.GdbError(f"`{self.name}` does not understand what it got ({e}): are backstep "
                               "and this script of the same version?") from None

    def run(self, argument):
        raise NotImplementedError

    def none(self, argument):
        if argument:
            raise gdb.GdbError(f"`{self.name}` takes no argument")

    def count(self, argument):
        """A number of times, 1 when nothing is said."""
        count = int(gdb.parse_and_eval(argument)) if argument else 1
        if count < 1:
            raise gdb.GdbError(f"`{self.name} {argument}`: a number of times, from 1 on")
        return count

    def options(self, argument, names, most=1):
        """Takes `-most N` and `-p` off the beginning: (N, whether -p was there, the rest)."""
        physical = False
        while found := re.match(rf"-(?:{names})(?=\s|$)", argument):
            argument = argument[found.end():].lstrip()
            if found[0] == "-p":
                physical = True
                continue
            value, _, argument = argument.partition(" ")
            if not re.fullmatch(r"\d{1,4}", value) or not 1 <= int(value) <= MOST:
                raise gdb.GdbError(f"`-most {value}`: a number, from 1 to {MOST}")
            most, argument = int(value), argument.lstrip()
        return most, physical, argument


def complete_from(names, text, word):
    """Those of the names that begin with what was typed. gdb takes them from where its last word
    begins, which may be inside of a name."""
    typed = text.lstrip()
    behind = len(typed) - len(word)
    return sorted(n[behind:] for n in names if n.startswith(typed))


def bookmark_names():
    try:
        return [b["name"] for b in ask("bookmarks")["bookmarks"]]
    except (*FAILURES, LookupError):
        return []


def branch_names():
    try:
        return [b["name"] for b in ask("branches")["branches"] if b["name"]]
    except (*FAILURES, LookupError):
        return []


class Backstep(Command):
    """List the commands that backstep adds to gdb.
    Each has a help of its own: `help goto`."""

    name = "backstep"
    family = gdb.COMMAND_SUPPORT

    def run(self, argument):
        self.none(argument)
        for command in Command.all:
            print(f"{command.name:12} {command.__doc__.splitlines()[0]}")


class When(Command):
    """Show where in time the machine stands.
    Position, history's end, hart and place, guest time, bookmarks here."""

    name = "when"
    family = gdb.COMMAND_STATUS

    def run(self, argument):
        self.none(argument)
        now = ask("when")
        position, begin, tip = now["position"], now.get("begin", 0), now["tip"]
        branch = now.get("branch", "main")
        text = f"position {position_text(position)}"
        if now.get("live"):
            text += ", live"
        else:
            share = 100 * (position - begin) / (tip - begin) if tip > begin else 100
            text += f" of {position_text(tip)} ({share:.1f}%), in the past"
        if branch != "main":
            text += f", on branch {branch}" if branch else ", in a diversion without a name"
        print(text)
        print(f"hart {now['hart']} in {code_text(number(now['pc']))}; "
              f"{now['vtime_ns'] / 1e9:.9f} s of guest time")
        if now.get("bookmarks"):
            print(f"here: {', '.join(now['bookmarks'])}")
        if begin:
            print(f"history begins at {position_text(begin)}")
        halted = now.get("halted")
        if halted:
            print(f"the machine is switched off{f': {halted}' if isinstance(halted, str) else ''}")


class Goto(Command):
    """Go to a position in time.
    Usage: goto POSITION
    POSITION is a number of steps since power-on (1500000, 1,500,000, 1.5e6), `start`, `end`, a part
    of history (`37.5%`), a distance from here (`+1000`, `-1000`), a bookmark, or a value of gdb's
    ($x). `back` returns."""

    name = "goto"

    def run(self, argument):
        move("goto", to=position_argument(argument, self.name))

    def complete(self, text, word):
        return complete_from(["start", "end", *bookmark_names()], text, word)


class Checkpoint(Command):
    """Give this position a name, a bookmark, for `goto NAME`.
    Usage: checkpoint NAME [NOTE]
           checkpoint -d NAME
    The note is the rest of the line. -d removes the bookmark. Bookmarks are part of a recording.
    (The machine's own checkpoints make themselves. gdb's command of this name forks a process,
    of which there is none here.)"""

    name = "checkpoint"

    def run(self, argument):
        words = argument.split(None, 1)
        if words and words[0] == "-d":
            if len(words) < 2:
                raise gdb.GdbError("`checkpoint -d` needs a name: `bookmarks` lists them")
            ask("bookmark-delete", name=words[1].strip())
            return
        if not words:
            raise gdb.GdbError("`checkpoint` needs a name for this position; `bookmarks` lists "
                               "those there are")
        ask("bookmark", name=words[0], note=words[1] if len(words) > 1 else None)
        print(f"{words[0]}: position {position_text(call('when')['position'])}")

    def complete(self, text, word):
        if text.lstrip().startswith("-d "):
            return complete_from(bookmark_names(), text.lstrip()[3:], word)
        return gdb.COMPLETE_NONE


class Bookmarks(Command):
    """List the bookmarks, in order of time."""

    name = "bookmarks"
    family = gdb.COMMAND_STATUS

    def run(self, argument):
        self.none(argument)
        rows = ask("bookmarks")["bookmarks"]
        here = call("when")["position"]
        for row in sorted(rows, key=lambda r: r["position"]):
            mark = "*" if row["position"] == here else " "
            note = f": {row['note']}" if row.get("note") else ""
            print(f"{mark}{position_text(row['position']):>20}  {row['name']}{note}")
        if not rows:
            print("There are no bookmarks: `checkpoint NAME` makes one here.")


class Back(Command):
    """Go back to the place visited before this one.
    Usage: back [N]
    Places are where gdb has stopped, and where commands like goto and last-write have led. `forward`
    undoes it."""

    name = "back"
    repeats = True

    def run(self, argument):
        History.go(-self.count(argument), self.name, "beginning")


class Forward(Command):
    """Undo `back`.
    Usage: forward [N]"""

    name = "forward"
    repeats = True

    def run(self, argument):
        History.go(self.count(argument), self.name, "end")


def physical_address(address):
    """Where the selected hart's page tables lead; an address that is not mapped is taken for a physical one."""
    mapped = call("translate", address=address)["physical"]
    return address if mapped is None else number(mapped)


def look_back(command, place, physical=None):
    """The newest access before here."""
    hits = search(command, address=place.address, length=place.size, physical=physical)["hits"]
    if not hits:
        flush()
        verb = "written" if command == "last-write" else "read"
        raise gdb.GdbError(f"`{place.name}` is not {verb} between the beginning of history and here")
    return hits[0]


def position_of(hit):
    """What is written with the machine's very first state has no step before it."""
    position = number(hit["position"])
    return 0 if position == MASK else position


def go_to_hit(hit):
    call("goto", to=position_of(hit))
    flush()
    select_hart(hit["hart"])


class LastWrite(Command):
    """Go back to the instruction that last wrote a variable or other memory.
    Usage: last-write [-p] EXPRESSION
    EXPRESSION is anything in memory: `counter`, `list.head`, `*(int *)0x80001000`, `array[3]`. The
    machine then stands before that instruction: `stepi` makes the write, `back` returns.
    -p: of its physical memory, whoever writes it: an instruction by whatever address, a device, the walk
    of page tables, a debugger, a reset. An address that is not mapped counts as a physical one."""

    name = "last-write"
    completer = gdb.COMPLETE_EXPRESSION

    def run(self, argument):
        _, physical, rest = self.options(argument, "p")
        place = Place(rest, self.name)
        if physical:
            place.address = physical_address(place.address)
        hit = look_back(self.name, place, physical or None)
        go_to_hit(hit)
        try:
            memory = None if physical else place.bytes_now()
        except gdb.error:
            memory = None
        print(f"position {position_text(position_of(hit))}, {hart_text(hit['hart'])}"
              f"{writer_text(hit)}{code_text(number(hit['pc']))}")
        print(change_text(place, hit, memory))
        arrive(hit["hart"])


class LastRead(Command):
    """Go back to the instruction that last read a variable or other memory.
    Usage: last-read EXPRESSION
    As `last-write`."""

    name = "last-read"
    completer = gdb.COMPLETE_EXPRESSION

    def run(self, argument):
        place = Place(argument, self.name)
        hit = look_back(self.name, place)
        go_to_hit(hit)
        print(f"position {position_text(hit['position'])}, {hart_text(hit['hart'])}"
              f"{code_text(number(hit['pc']))}")
        start = max(number(hit["address"]) - place.address, 0)
        size = min(hit.get("size") or 1, place.size - start)
        name, kind, at = member_at(place.name, place.type, start, max(size, 1))
        try:
            memory = place.bytes_now()
            print(f"{name} = {value_text(memory[at:at + kind.sizeof], kind)}")
        except gdb.error:
            print(name)
        arrive(hit["hart"])


def print_count(answer, what):
    hits = len(answer["hits"])
    count = answer.get("count", hits)
    if not answer["complete"]:
        print(f"The newest {hits:,} {what}; `-most N` shows more.")
    elif count > hits:
        print(f"The newest {hits:,} of {count:,} {what}; `-most N` shows more.")


class Writes(Command):
    """List the writes of a variable or other memory before here, newest first.
    Usage: writes [-most N] [-p] EXPRESSION
    Position, value before and behind it, and who writes. N is 20 unless it is given; -p as for
    `last-write`. `goto POSITION` goes to one. The machine stays where it is."""

    name = "writes"
    family = gdb.COMMAND_DATA
    completer = gdb.COMPLETE_EXPRESSION

    def run(self, argument):
        most, physical, rest = self.options(argument, "most|p", 20)
        place = Place(rest, self.name)
        if physical:
            place.address = physical_address(place.address)
        answer = search("writes", most, address=place.address, length=place.size, physical=physical or None)
        flush()
        for hit in answer["hits"]:
            print(f"{position_text(position_of(hit)):>20}  {hart_text(hit['hart'])}"
                  f"{change_text(place, hit)}  {writer_text(hit)}{code_text(number(hit['pc']))}")
        if not answer["hits"]:
            print(f"`{place.name}` is not written between the beginning of history and here.")
        print_count(answer, "writes")


class Calls(Command):
    """List the calls of a function before here, newest first.
    Usage: calls [-most N] FUNCTION
    Position, arguments where gdb knows their types, and the caller. N is 20 unless it is given.
    `goto POSITION` goes to one. The machine stays where it is."""

    name = "calls"
    family = gdb.COMMAND_STACK
    completer = gdb.COMPLETE_LOCATION

    def run(self, argument):
        most, _, rest = self.options(argument, "most", 20)
        if not rest:
            raise gdb.GdbError("`calls` needs a function, by name or as *ADDRESS")
        name, address = self.function(rest)
        answer = search("calls", most, address=address)
        flush()
        parameters = parameters_at(address)
        for hit in answer["hits"]:
            print(f"{position_text(hit['position']):>20}  {hart_text(hit['hart'])}"
                  f"{name} ({self.arguments(parameters, hit)}) from "
                  f"{code_text((number(hit['ra']) - 1) & MASK, offset=False)}")
        if not answer["hits"]:
            print(f"`{name}` is not called between the beginning of history and here.")
        print_count(answer, "calls")

    @staticmethod
    def function(text):
        value = gdb.parse_and_eval(text[1:] if text.startswith("*") else text)
        if value.type.strip_typedefs().code == gdb.TYPE_CODE_FUNC:
            address = int(value.address) & MASK
        elif value.type.strip_typedefs().code in (gdb.TYPE_CODE_INT, gdb.TYPE_CODE_PTR):
            address = int(value) & MASK
        else:
            raise gdb.GdbError(f"`{text}` is no function, nor an address: `calls NAME` or "
                               "`calls *ADDRESS`")
        blocks = function_blocks(address)
        if blocks and blocks[-1].start == address:  # not of what is inlined at its beginning
            return blocks[-1].function.print_name, address
        found = function_at(address)
        return (found[0] if found and not found[1] else f"{address:#x}"), address

    @staticmethod
    def arguments(parameters, hit):
        registers = [number(r) for r in hit["args"]]
        if parameters is None:
            return ", ".join(f"a{i}={r:#x}" for i, r in enumerate(registers[:4])) + ", ..."
        return ", ".join(f"{name}={text}" for name, text in argument_texts(parameters, registers))


def parameters_at(address):
    """[(name, type)] of the function that begins there, None: gdb does not know."""
    blocks = function_blocks(address)
    if not blocks or blocks[-1].start != address:
        return None
    return [(s.print_name, s.type) for s in blocks[-1] if s.is_argument]


def argument_texts(parameters, registers):
    """Arguments as the calling convention LP64D passes them. `?`: elsewhere than in a0 to a7."""
    left = list(registers)
    for name, kind in parameters:
        stripped = kind.strip_typedefs()
        size = stripped.sizeof
        if stripped.code == gdb.TYPE_CODE_FLT and size <= 8:
            yield name, "?"  # in a register of the other file
        elif size > 16 and left:
            yield name, f"*{left.pop(0):#x}"
        elif stripped.code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION) and has_float(stripped):
            yield name, "?"
            left = []  # what follows may be anywhere
        elif size == 0:
            yield name, "{}"
        elif len(left) * 8 >= size:
            count = (size + 7) // 8
            if stripped.alignof == 16 and (8 - len(left)) % 2:
                left.pop(0)
            words, left = left[:count], left[count:]
            data = b"".join(word.to_bytes(8, "little") for word in words)[:size]
            yield name, value_text(data, kind) if len(data) == size else "?"
        else:
            yield name, "?"
            left = []


def has_float(kind):
    for field in kind.fields():
        inner = field.type.strip_typedefs()
        while inner.code == gdb.TYPE_CODE_ARRAY:
            inner = inner.target().strip_typedefs()
        if inner.code == gdb.TYPE_CODE_FLT:
            return True
        if inner.code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION) and has_float(inner):
            return True
    return False


class Timeline(Command):
    """Show history as a picture: checkpoints, hits, traps, output, and where the machine stands.
    Usage: timeline [COLUMNS]"""

    name = "timeline"
    family = gdb.COMMAND_STATUS

    def run(self, argument):
        width = gdb.parameter("width")
        columns = self.count(argument) if argument else min(width - 1, 100) if width else None
        text = ask("timeline", columns=columns)["text"]
        flush()
        print(text.rstrip("\n"))


class Branch(Command):
    """Give the diversion we are in a name, or begin a branch here: another future.
    Usage: branch NAME
           branch -d NAME
           branch
    A diversion begins where memory or registers are changed in the past. Named, it stays; -d removes
    it. Without a name: tells the one we are on. See `branches`, `switch`."""

    name = "branch"

    def run(self, argument):
        words = argument.split()
        if not words:
            branch = ask("when").get("branch", "main")
            print(f"on branch {branch}" if branch else
                  "in a diversion: `branch NAME` keeps it, leaving it without a name drops it")
        elif words[0] == "-d" and len(words) == 2:
            ask("branch-delete", name=words[1])
        elif len(words) == 1 and not words[0].startswith("-"):
            ask("branch", name=words[0])
            arrive_quietly()
            print(f"on branch {words[0]}")
        else:
            raise gdb.GdbError("usage: branch NAME, branch -d NAME; a name has no blanks")

    def complete(self, text, word):
        if text.lstrip().startswith("-d "):
            return complete_from(branch_names(), text.lstrip()[3:], word)
        return gdb.COMPLETE_NONE


def arrive_quietly():
    flush()
    History.visit()


class Branches(Command):
    """List the branches: where they begin and end, and the one we are on."""

    name = "branches"
    family = gdb.COMMAND_STATUS

    def run(self, argument):
        self.none(argument)
        for row in ask("branches")["branches"]:
            mark = "*" if row.get("current") else " "
            origin = f"from {row['parent'] or 'main'} at {position_text(row['origin'])}, " \
                if row["name"] != "main" else ""
            print(f"{mark} {row['name'] or '(diversion)':16} {origin}"
                  f"to {position_text(row['tip'])}")


class Switch(Command):
    """Go to another branch, or to main, where it was left.
    Usage: switch NAME
    A diversion that has no name is dropped by it."""

    name = "switch"

    def run(self, argument):
        if not argument:
            raise gdb.GdbError("`switch` needs a branch: `branches` lists them, main is the first")
        move("switch", name=argument)

    def complete(self, text, word):
        return complete_from(branch_names() or ["main"], text, word)


class Diff(Command):
    """Show what differs between two positions, or branches.
    Usage: diff POSITION [POSITION]
    Registers, memory (by physical address), fields of devices. POSITION as for `goto`, or
    BRANCH@POSITION; the second one is here when it is left out. The machine stays where it is."""

    name = "diff"
    family = gdb.COMMAND_DATA

    def run(self, argument):
        words = argument.split()
        if not 1 <= len(words) <= 2:
            raise gdb.GdbError("usage: diff POSITION [POSITION]; the second one is here when it is "
                               "left out")
        words = [position_argument(w, self.name) for w in words]
        if len(words) == 1:
            words.append(str(ask("when")["position"]))
        answer = ask("diff", a=words[0], b=words[1])
        flush()
        for row in answer.get("registers", ()):
            print(f"hart {row['hart']} {row['name']}: {self.value(row['a'])} -> "
                  f"{self.value(row['b'])}")
        for row in answer.get("memory", ()):
            address = number(row["address"])
            found = function_at(address)
            name = f" <{found[0]}{f'+{found[1]}' if found[1] else ''}>" if found else ""
            print(f"memory {address:#x}{name}, {plural(row['size'], 'byte')}: "
                  f"{self.bytes(row['a'], row['size'])} -> {self.bytes(row['b'], row['size'])}")
        for row in answer.get("fields", ()):
            print(f"{row['name']}: {self.value(row['a'])} -> {self.value(row['b'])}")
        if not any(answer.get(k) for k in ("registers", "memory", "fields")):
            print("Nothing differs.")
        if answer.get("truncated"):
            print("More differs: this is the first of it.")

    @staticmethod
    def value(value):
        return f"{value:#x}" if isinstance(value, int) and not isinstance(value, bool) else value

    @staticmethod
    def bytes(digits, size):
        data = bytes.fromhex(digits)
        return data[:16].hex(" ") + (" ..." if size > min(len(data), 16) else "")

    def complete(self, text, word):
        last = text.rpartition(" ")[2]
        return complete_from(["start", "end", *bookmark_names()], last, word)


class ConsoleAt(Command):
    """Show what the guest had printed by a position.
    Usage: console-at [POSITION] [LINES]
    The last 24 lines before it, or LINES; here, when no position is given."""

    name = "console-at"
    family = gdb.COMMAND_DATA

    def run(self, argument):
        words = argument.split()
        if len(words) > 2:
            raise gdb.GdbError("usage: console-at [POSITION] [LINES]")
        at = position_argument(words[0], self.name) if words else None
        lines = self.count(words[1]) if len(words) > 1 else None
        text = ask("console", at=at, lines=lines)["text"]
        print(text.rstrip("\n") if text.strip() else "Nothing is printed before it.")

    def complete(self, text, word):
        return complete_from(["start", "end", *bookmark_names()], text, word)


# ---- source lines backward ----
#
# gdb steps back an instruction at a time and looks at each. Here the target is told which code is the
# line, and finds where it was come into; see the row `line`. A line is all code of its number in the
# function. The rules are those of gdb's own commands: a line is gone back to its beginning, the first
# line of a function to the call, functions without line information are stepped over or out of.

LINE_MOVES = 64  # of one rstep, which enters calls in calls; far more than there are
FUNCTIONS = 200  # whose lines are remembered


class Function:
    """The function that an address is in: low <= pc < high, by gdb's symbols. lines: gdb knows its
    lines."""

    known = []
    files = None

    def __init__(self, pc):
        blocks = function_blocks(pc)
        if blocks:
            block = blocks[-1]
            self.low, self.high, self.name = block.start, block.end, block.function.print_name
        else:
            self.low, self.high, self.name = symbol_bounds(pc)
        self.entry = self.low
        self.lines = gdb.find_pc_line(pc).line != 0
        self.pieces = None

    @classmethod
    def at(cls, pc):
        """The same object for all of its addresses, as long as gdb has the same files."""
        files = [o.filename for o in gdb.objfiles()]
        if cls.files != files or len(cls.known) > FUNCTIONS:
            cls.files, cls.known = files, []
        for function in cls.known:
            if function.low <= pc < function.high:
                return function
        cls.known.insert(0, cls(pc))
        return cls.known[0]

    def table(self):
        """[(low, high, (file, line))] of its code, as gdb has it."""
        if self.pieces is None:
            self.pieces, at = [], self.low
            while at < self.high:
                sal = gdb.find_pc_line(at)
                end = sal.last + 1 if sal.symtab is not None and sal.last else at + 2
                end = min(max(end, at + 2), self.high)
                self.pieces.append((at, end, line_of(sal)))
                at = end
        return self.pieces

    def ranges(self, pc):
        """[[low, high]] of the code of the line at pc; of all code where there are no lines."""
        if not self.lines:
            return [[self.low, self.high]]
        return self.ranges_of(next((n for low, high, n in self.table() if low <= pc < high), None))

    def ranges_of(self, line):
        return joined((low, high) for low, high, name in self.table() if name == line)

    def ranges_inlined(self, inlined):
        """Of an inlined function, whose code may have other code in between."""
        return joined((low, high) for low, high, _ in self.table() if inlined in inlined_at(low))


def joined(ranges):
    """[[low, high]] of ranges in order, those that meet as one."""
    found = []
    for low, high in ranges:
        if found and found[-1][1] == low:
            found[-1][1] = high
        else:
            found.append([low, high])
    return found


def line_of(sal):
    return (sal.symtab.fullname() if sal.symtab is not None else None), sal.line


def function_blocks(pc):
    """Those of the inlined functions that hold an address, innermost first, and of the one whose code
    they are part of."""
    try:
        block = gdb.block_for_pc(pc)
    except (gdb.error, RuntimeError):
        return []
    found = []
    while block is not None and not block.is_static and not block.is_global:
        if block.function is not None:
            found.append(block)
        block = block.superblock
    return found


def inlined_at(pc):
    """[(low, high, name)] of the inlined functions that hold an address, innermost first."""
    return [(b.start, b.end, b.function.print_name) for b in function_blocks(pc)[:-1]]


def symbol_bounds(pc):
    """(low, high, name) of code that has a symbol and nothing else: up to the next symbol."""
    found = function_at(pc)
    if found is None:
        raise gdb.GdbError("cannot find bounds of the current function: `reverse-stepi` goes back "
                           "by an instruction")
    low = pc - found[1]
    inside, outside = pc, low + (1 << 18)
    while outside - inside > 2:
        middle = (inside + outside) // 2 & ~1
        if function_at(middle) == (found[0], middle - low):
            inside = middle
        else:
            outside = middle
    return low, outside, found[0]


def register(name):
    return int(gdb.parse_and_eval(f"${name}").cast(gdb.lookup_type("unsigned long"))) & MASK


def frame_address():
    """The canonical frame address of the selected hart's innermost frame; None: gdb cannot tell."""
    try:
        frame = gdb.newest_frame()
        while frame is not None and frame.type() == gdb.INLINE_FRAME:
            frame = frame.older()
        caller = frame.older() if frame is not None else None
        if caller is not None:  # its stack pointer; `info frame` reads more memory
            return int(caller.read_register("sp")) & MASK
        found = re.search(r"frame at (0x[0-9a-f]+)", gdb.execute("info frame", to_string=True))
    except gdb.error:
        return None
    return int(found[1], 16) if found else None


# Instructions.
RETURN, TRAP_RETURN, CALL, OTHER = range(4)
# What came before: something else stopped us, the last instruction of a function that was called and has
# lines, or has none, of an interrupt's handler, the call of our function, its code, the line before.
STOPPED, ENTERED, HIDDEN, INTERRUPT, CALLER, INSIDE, BEFORE = range(7)


def instructions(data, address):
    """[(address, size, kind)] of code."""
    at = 0
    while at + 2 <= len(data):
        half = int.from_bytes(data[at:at + 2], "little")
        if half & 3 != 3:
            yield address + at, 2, kind_of_short(half)
            at += 2
        else:
            yield address + at, 4, kind_of(int.from_bytes(data[at:at + 4], "little"))
            at += 4


def kind_of_short(insn):
    """Calls and returns are told by the link registers x1 and x5."""
    if insn & 0xf07f == 0x9002 and insn >> 7 & 31:
        return CALL
    if insn & 0xf07f == 0x8002 and insn >> 7 & 31 in (1, 5):
        return RETURN
    return OTHER


def kind_of(insn):
    rd, rs1 = insn >> 7 & 31, insn >> 15 & 31
    if insn in (0x30200073, 0x10200073):
        return TRAP_RETURN
    if insn & 0x7f in (0x6f, 0x67) and rd in (1, 5):
        return CALL
    if insn & 0x7f == 0x67 and rs1 in (1, 5):
        return RETURN
    return OTHER


class LineMove:
    """One rstep, rnext or rfinish of the selected hart."""

    def __init__(self):
        Target.need()
        thread = gdb.selected_thread()
        if thread is None:
            raise gdb.GdbError("there is no hart selected: `thread 1` selects one")
        self.hart = thread.ptid[1] - 1
        gdb.newest_frame().select()
        self.moves = 0
        self.read = {}  # code, during this one command
        self.stop = None
        self.look()
        self.inside = inlined_at(self.pc)  # the inlined functions whose lines we go by

    def look(self):
        self.pc = register("pc")
        self.function = Function.at(self.pc)

    def ask(self, mode, ranges):
        """Moves. True: to where it should; else something else has stopped it."""
        if self.moves >= LINE_MOVES:
            raise gdb.GdbError("no end is in sight: `rnext` goes over calls, `rfinish` to the caller")
        self.moves += 1
        function = self.function
        # A frame address is needed where the function may be its own caller.
        self.stop = ask("line", mode=mode, hart=self.hart, low=function.low, high=function.high,
                        ranges=ranges, sp=register("sp"), entry=function.entry, cfa=frame_address())
        flush()
        select_hart(self.hart)
        if self.stop.get("reason") != "done":
            return False
        self.pc = register("pc")
        return True

    def landed(self):
        """Has gdb symbols for where it came to? Without any it stops there."""
        try:
            self.look()
        except gdb.GdbError:
            return False
        return True

    def at_line_start(self):
        """Of the line's code, or the function's where there are no lines?"""
        return self.function.lines and any(low == self.pc for low, _ in self.function.ranges(self.pc))

    def kind_here(self):
        data = gdb.selected_inferior().read_memory(self.pc, 4).tobytes()
        return next(instructions(data, self.pc))[2]

    def entered(self, pc):
        """The inlined functions at an address that the one we began in has called, innermost first."""
        return [b for b in inlined_at(pc) if b not in self.inside]

    def line_ranges(self):
        """Of the line here; in a function that is inlined into it, of both."""
        inlined = self.entered(self.pc)
        if not inlined:
            return self.function.ranges(self.pc)
        frame = gdb.newest_frame()
        for _ in inlined:
            frame = frame.older() if frame is not None else None
        line = self.function.ranges_of(line_of(frame.find_sal())) if frame is not None else []
        return line + self.function.ranges_inlined(inlined[-1])

    def over(self):
        """Out of the line and into what came before it: of this function, or the caller's call."""
        if not self.ask("over", self.line_ranges()):
            return False
        function = self.function
        if not self.landed():
            return False
        here = inlined_at(self.pc)
        if self.function is not function or self.kind_here() == CALL:
            self.inside = here
        else:
            self.inside = [b for b in self.inside if b in here]
        return True

    def to_line_start(self):
        """Within the line, over calls; the first line of a function is gone back out of."""
        while self.function.lines:
            if not self.ask("start", self.line_ranges()):
                return
            if self.pc != self.function.entry:
                if not self.behind_inlined():
                    return
            elif not self.over():
                return

    def behind_inlined(self):
        """Does what came before belong to the line too, as a function that it calls and that is
        inlined? Then goes there."""
        if self.function.low == self.pc or not self.entered(self.pc - 2):
            return False
        position, line, inside = self.stop["position"], self.line_ranges(), list(self.inside)
        if self.over() and self.entered(self.pc) and line[0] in self.line_ranges():
            return True
        self.return_to(position)
        self.inside = inside
        return False

    # ---- the commands ----

    def next(self):
        """Over calls."""
        if not self.function.lines:
            print(f"Going back until exit from function {self.function.name}, which has no line "
                  "number information.")
        if self.function.lines and not self.at_line_start():
            here = self.here()
            self.to_line_start()
            if self.here() != here or self.was_stopped():
                return
            self.look()
        if self.over():
            self.to_line_start()

    def step(self):
        """Into calls of functions that have lines: by pieces of the line, which end at its calls."""
        if not self.function.lines:
            self.next()
            return
        if not self.at_line_start():
            here = self.here()
            self.step_back(self.line_here())
            if self.here() != here or self.was_stopped():
                return
            self.look()
        self.step_back(None)

    @staticmethod
    def here():
        """A line that is jumped into begins there: a move to its beginning leads nowhere then."""
        return register("icount"), register("pc")

    def was_stopped(self):
        return self.stop is not None and self.stop.get("reason") != "done"

    def step_back(self, seeking):
        """To the beginning of the line `seeking`, or out of this one."""
        while True:
            line = self.function.ranges(self.pc)
            if seeking and self.pc != self.function.entry and not self.has_calls(line):
                if not self.ask("start", line) or self.pc != self.function.entry:
                    return
            function, piece, position = self.function, self.piece(), register("icount")
            begins = self.line_begins(piece[0][0])
            came = self.leave(piece)
            if came in (ENTERED, HIDDEN) and seeking and begins:
                came = BEFORE
            elif came in (HIDDEN, INTERRUPT):
                came = self.pass_over(piece, position)
            if came == INSIDE and seeking and self.line_here() != seeking:
                came = BEFORE
            if came == BEFORE:
                self.forward()
            if came in (STOPPED, BEFORE) or not self.function.lines:
                return
            if came == INSIDE and self.function is not function:
                return
            if not seeking or came != INSIDE:
                seeking = self.line_here()
                if self.line_begins(self.pc):
                    return

    def line_begins(self, pc):
        """Does the line here begin there? At a function's entry none does: its call comes before."""
        return pc != self.function.entry and any(low == pc for low, _ in self.function.ranges(self.pc))

    def line_here(self):
        return self.function, tuple(map(tuple, self.function.ranges(self.pc)))

    def code(self, low, high):
        if (low, high) not in self.read:
            data = gdb.selected_inferior().read_memory(low, high - low).tobytes()
            self.read[low, high] = list(instructions(data, low))
        return self.read[low, high]

    def has_calls(self, ranges):
        return any(kind == CALL for low, high in ranges for _, _, kind in self.code(low, high))

    def piece(self):
        """The code of the line around pc, without a call in between."""
        for low, high in self.function.ranges(self.pc):
            if low <= self.pc < high:
                ends = [a + size for a, size, kind in self.code(low, high) if kind == CALL]
                low = max([low, *(e for e in ends if e <= self.pc)])
                high = min([high, *(e for e in ends if e > self.pc)])
                return [[low, high]]
        return [[self.pc, self.pc + 2]]

    def leave(self, piece):
        """To what came before the piece of the line; says what that was."""
        function = self.function
        if not self.ask("leave", piece):
            return STOPPED
        kind = self.kind_here()
        known = self.landed()
        if kind == TRAP_RETURN:
            return INTERRUPT
        if kind == RETURN:
            return ENTERED if known and self.function.lines else HIDDEN
        if not known:
            return STOPPED
        return CALLER if kind == CALL or self.function is not function else INSIDE

    def pass_over(self, piece, position):
        """From there to what came before the piece in the function itself."""
        self.return_to(position)
        function = self.function
        if not self.ask("over", piece) or not self.landed():
            return STOPPED
        return INSIDE if self.function is function and piece[0][0] != function.entry else CALLER

    def return_to(self, position):
        call("goto", to=position)
        flush()
        select_hart(self.hart)
        self.look()

    def forward(self):
        """One step of the hart: to the beginning that has just been left."""
        call("step", hart=self.hart)
        flush()
        select_hart(self.hart)

    def finish(self):
        """To the call; out of an inlined function, to what came before it."""
        inlined = inlined_at(self.pc)
        if inlined:
            self.ask("over", self.function.ranges_inlined(inlined[0]))
            return
        if frame_address() is None:
            raise gdb.GdbError("gdb does not know this function's frame: `reverse-stepi` goes back by "
                               "an instruction")
        self.ask("finish", [])


def insert_breakpoints():
    """gdb's breakpoints are to stop the target though gdb thinks that nothing moves. It takes them
    away again behind its next resume; nothing else minds them."""
    enabled = [b for b in gdb.breakpoints() or () if b.enabled and b.number > 0]
    if not enabled or gdb.parameter("breakpoint always-inserted"):
        return
    quietly("set breakpoint always-inserted on")
    quietly(f"enable {enabled[0].number}")  # which changes nothing, but makes gdb insert
    quietly("set breakpoint always-inserted off")


class LineCommand(Command):
    repeats = True

    def times(self, count):
        return count

    def run(self, argument):
        count = self.count(argument)
        Target.need()
        insert_breakpoints()
        for _ in range(self.times(count)):
            line_move = LineMove()
            try:
                self.go(line_move)
            finally:
                flush()
            stop = line_move.stop or {}
            if stop.get("reason") not in (None, "done"):
                print(stop.get("text") or stop["reason"])
                break
        arrive(line_move.hart)


class ReverseStep(LineCommand):
    """Go back to the beginning of the source line before, into the functions that it called.
    Usage: rstep [N]
    As `reverse-step`, but the target finds the place: a few packets instead of some for each
    instruction, and interrupts on the way are passed over."""

    name = "rstep"

    def go(self, line_move):
        line_move.step()


class ReverseNext(LineCommand):
    """Go back to the beginning of the source line before, over the functions that it called.
    Usage: rnext [N]
    As `reverse-next`, but the target finds the place: a few packets instead of some for each
    instruction."""

    name = "rnext"

    def go(self, line_move):
        line_move.next()


class ReverseFinish(LineCommand):
    """Go back to the call of the selected frame's function.
    Usage: rfinish [N]
    As `reverse-finish`, but right in recursive functions as well, and by the target. N: out of so many
    functions."""

    name = "rfinish"

    def times(self, count):
        return count + gdb.selected_frame().level()

    def go(self, line_move):
        line_move.finish()


# ---- events ----


def stopped(unused):
    """gdb has stopped. It refreshes only the hart that it let go: with several, all others have moved
    as well."""
    try:
        if not Target.known():
            return
        if Target.harts > 1:
            quietly("maint flush register-cache")
        History.visit()
    except (*FAILURES, LookupError):
        pass


def disconnected(event):
    if event.connection is Target.connection:
        Target.connection = None
        History.clear()


def begin():
    # Without it, or with a Linux program's ABI, gdb steps by breakpoints of its own: traps, mret and
    # other harts run free, and a step is not the inverse of a reverse-stepi.
    quietly("set osabi none")
    for command in Command.all:
        command()
    gdb.events.stop.connect(stopped)
    if hasattr(gdb.events, "connection_removed"):
        gdb.events.connection_removed.connect(disconnected)
    stopped(None)


show_place = ShowPlace()
begin()
