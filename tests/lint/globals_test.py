"""No library keeps writable data: everything hangs from a struct that its owner passes in."""

import tree

# The log sink is the one thing that everybody shares.
ALLOWED = {("base", "log.c", "current")}
# .data.rel.ro holds constants with addresses in them, read-only once the program is loaded.
WRITABLE = (".data", ".bss", ".tdata", ".tbss", ".sdata", ".sbss", "*COM*")


def writable(kind, section):
    if section.startswith(".data.rel.ro"):
        return False
    return kind == "C" or (kind in "dDbBgGsS" and section.startswith(WRITABLE))


problems = []
for folder in tree.FOLDERS:
    library = tree.archive(folder)
    for member, symbol, kind, section in tree.symbols(library) if library else ():
        # Static variables of functions are numbered: name.0.
        name = symbol.split(".")[0]
        if writable(kind, section) and (folder, member, name) not in ALLOWED:
            problems.append(f"{folder}/{member}: {name} is writable global data ({section})")
tree.finish(problems)
