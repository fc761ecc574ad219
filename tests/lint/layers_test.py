"""Includes point only down: a folder knows itself and the folders that its layer stands on."""

import re

import tree

ALLOWED = {
    "base": "base",
    "rsp": "rsp base",
    "machine": "machine base",
    "devices": "devices machine base",
    "replay": "replay machine base",
    "checkpoints": "checkpoints machine base",
    "timeline": "timeline checkpoints replay devices machine base",
    "server": "server rsp timeline checkpoints replay devices machine base",
    "cli": " ".join(tree.FOLDERS),
}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


def problem_with(path, included):
    folder = path.parts[0]
    target = included.split("/")
    if len(target) < 2 or target[0] not in tree.FOLDERS:
        return "is not a path from the top of the tree"
    if target[0] not in ALLOWED[folder].split():
        return f"is not below {folder}/"
    # The hart is one of several to come: what is general meets it only through cpu.h.
    if target[:2] == ["machine", "riscv"] and folder == "machine" and path.parts[1] != "riscv":
        return "ties the general machine to one architecture"
    return None


problems = []
for folder in tree.FOLDERS:
    for path in tree.sources(folder):
        text = tree.read(path)
        for match in INCLUDE.finditer(text):
            problem = problem_with(path, match[1])
            if problem:
                line = text.count("\n", 0, match.start(1)) + 1
                problems.append(f'{path}:{line}: "{match[1]}" {problem}')
tree.finish(problems)
