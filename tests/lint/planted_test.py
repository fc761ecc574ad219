"""The lint tests see what they are for: each fails on a planted violation and passes without it."""

import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
GUARDED = "#ifndef {0}\n#define {0}\n{1}#endif\n"

# (test, file, its contents, what the report must say; None: it must pass)
CASES = [
    ("layers", "devices/a.c", '#include "machine/bus.h"\n#include "base/hex.h"\n', None),
    ("layers", "devices/a.c", '#include "replay/log.h"\n', "devices/a.c:1"),
    ("layers", "replay/a.h", '\n\n# include "checkpoints/checkpoint.h"\n', "replay/a.h:3"),
    ("layers", "rsp/a.c", '#include "machine/machine.h"\n', "not below rsp/"),
    ("layers", "server/a.c", '#include "cli/main.h"\n', "not below server/"),
    ("layers", "base/a.c", '#include "hex.h"\n', "not a path from the top"),
    ("layers", "machine/a.c", '#include "machine/riscv/riscv.h"\n', "one architecture"),
    ("layers", "machine/riscv/a.c", '#include "machine/riscv/riscv.h"\n', None),
    ("layers", "devices/a.c", '#include "machine/riscv/riscv.h"\n', None),
    ("style", "machine/riscv/a.h", GUARDED.format("MACHINE_RISCV_A_H", ""), None),
    ("style", "machine/riscv/a.h", GUARDED.format("RISCV_A_H", ""), "MACHINE_RISCV_A_H"),
    ("style", "base/a.c", "\n" * 700, None),
    ("style", "base/a.c", "\n" * 701, "701 lines"),
    ("style", "base/BigName.c", "", "lower case"),
    ("style", "base/a.c", "typedef struct a { int b; } a;\n", "typedef"),
    ("style", "base/a.c", "/* \u00e9 */\n", "ASCII"),
    ("symbols", "devices/a.c", "void *f(char *a, char *b) { return memcpy(a, b, 9); }\n", None),
    ("symbols", "devices/a.c", "long f(void) { return time(0); }\n", "devices/a.c: calls time"),
    ("symbols", "devices/a.c", "int f(void) { return rand(); }\n", "calls rand"),
    ("symbols", "devices/a.c", 'void f(void) { printf("a%d", 1); }\n', "calls printf"),
    ("symbols", "devices/a.c", 'void f(void) { printf("a\\n"); }\n', "calls puts"),
    ("symbols", "machine/loader.c", 'int f(char *a) { return open(a, 0); }\n', None),
    ("symbols", "machine/loader.c", "void f(void) { exit(1); }\n", "calls exit"),
    ("symbols", "machine/ram.c", 'int f(char *a) { return open(a, 0); }\n', "calls open"),
    ("symbols", "machine/ram.c", 'void *f(char *a) { return fopen64(a, "r"); }\n', "calls fopen"),
    ("symbols", "timeline/a.c", "void f(void) { exit(1); }\n", "timeline/a.c: calls exit"),
    ("symbols", "timeline/a.c", "int f(struct timespec *t) { return clock_gettime(0, t); }\n", None),
    ("globals", "base/a.c", "static const char *const a[] = {\"b\"};\n"
                            "const char *f(int i) { return a[i]; }\n", None),
    ("globals", "base/a.c", "int a = 3;\n", "base/a.c: a is writable"),
    ("globals", "base/a.c", "int a;\n", ".bss"),
    ("globals", "base/a.c", "int f(void) { static int a; return a++; }\n", "a is writable"),
    ("globals", "base/a.c", "__thread int a;\n", "tbss"),
    ("globals", "base/a.c", "static char *a[] = {\"b\"};\nchar **f(void) { return a; }\n", ".data"),
    ("globals", "base/log.c", "static int current;\nint f(void) { return current++; }\n", None),
    ("globals", "base/log.c", "static int other;\nint f(void) { return other++; }\n", "other"),
]
HEADERS = "fcntl stdio stdlib string time".split()


def build_library(top, path):
    """What CMake makes of a folder, with one file in it."""
    member = top / f"{path.name}.o"
    flags = "-O2 -D_GNU_SOURCE -x c -c -o".split()
    includes = [word for header in HEADERS for word in ("-include", f"{header}.h")]
    subprocess.run(["gcc", *includes, *flags, member, top / path], check=True)
    subprocess.run(["ar", "rcs", top / f"lib{path.parts[0]}.a", member], check=True)


def failure(test, name, contents, wanted):
    with tempfile.TemporaryDirectory() as folder:
        top = pathlib.Path(folder)
        path = pathlib.Path(name)
        (top / path).parent.mkdir(parents=True)
        (top / path).write_text(contents, encoding="utf-8")
        if test in ("symbols", "globals"):
            build_library(top, path)
        environment = dict(os.environ, BACKSTEP_SOURCE=folder, BACKSTEP_BUILD=folder)
        run = subprocess.run([sys.executable, HERE / f"{test}_test.py"], env=environment,
                             capture_output=True, text=True)
        if run.returncode != (0 if wanted is None else 1) or (wanted or "") not in run.stdout:
            return f"{test} on {name}: {contents!r}\n{run.stdout}{run.stderr}"
    return None


failures = [f for f in (failure(*case) for case in CASES) if f]
print("\n".join(failures) or f"{len(CASES)} cases")
sys.exit(1 if failures else 0)
