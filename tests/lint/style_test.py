"""What clang-format does not look at: file names, sizes, include guards, typedefs of structs."""

import re

import tree

LONGEST = 700


def problems_of(path):
    text = tree.read(path)
    lines = text.count("\n")
    if lines > LONGEST:
        yield f"{lines} lines, at most {LONGEST}: split it"
    if not re.fullmatch(r"[a-z][a-z0-9_]*\.[ch]", path.name):
        yield "file names are lower case letters, digits and underscores"
    if re.search(r"^\s*typedef\s+(struct|union)\b", text, re.MULTILINE):
        yield "structs and unions are spelled out, not typedef'd"
    if not text.isascii():
        yield "only ASCII in sources"
    if path.suffix == ".h":
        guard = re.sub(r"[/.]", "_", str(path)).upper()
        if f"#ifndef {guard}\n#define {guard}\n" not in text:
            yield f"the include guard is {guard}"


tree.finish([f"{path}: {problem}" for folder in tree.FOLDERS for path in tree.sources(folder)
             for problem in problems_of(path)])
