#!/usr/bin/env python3
"""Holds README.md, ARCHITECTURE.md and CONTRIBUTING.md to what they show: commands, options, links, scripts.

usage: check_documents.py PARITYLAB [ROOT]
"""
import pathlib
import re
import shlex
import subprocess
import sys

DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")


def code_lines(text):
    """Lines of fenced blocks, and inline code."""
    for block in re.findall(r"^```[^\n]*\n(.*?)^```", text, re.S | re.M):
        yield from block.splitlines()
    yield from re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.S | re.M))


def shown_commands(text):
    """Every command line of the program that a document shows, without the prompt."""
    for line in code_lines(text):
        line = line.strip().removeprefix("$ ")
        if line.startswith("paritylab "):
            yield line.split("  #")[0].split("   ")[0].strip()


def options_of(program, command):
    text = subprocess.run([program, *command, "--help"], capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"--[a-z][a-z-]*", text))


def complaints(program, root):
    known = {}
    commands_seen = 0
    for name in DOCUMENTS:
        text = (root / name).read_text(encoding="utf-8")
        for command in shown_commands(text):
            words = shlex.split(command)
            verb = [] if words[1].startswith("-") else [words[1]]
            key = tuple(verb)
            if key not in known:
                try:
                    known[key] = options_of(program, verb)
                except subprocess.CalledProcessError:
                    yield f"{name}: `{command}` names a command that paritylab does not have"
                    continue
            commands_seen += 1
            for word in words[1 + len(verb):]:
                option = word.split("=")[0]
                if option.startswith("--") and option not in known[key]:
                    yield f"{name}: `{command}` uses {option}, which `{' '.join(['paritylab', *verb])}` does not have"
        for script in set(re.findall(r"(?<![\w/])(?:\./)?((?:scripts|\.ci)/[A-Za-z0-9_./-]*[A-Za-z0-9_])", text)):
            if not (root / script).exists():
                yield f"{name}: {script} does not exist"
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
            if "://" not in target and not (root / target).exists():
                yield f"{name}: the link to {target} leads nowhere"
    if commands_seen == 0:
        yield "no document shows a command of paritylab: nothing was checked"

    readme = (root / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```[^\n]*\n(.*?)^```", readme, re.S | re.M)
    first = blocks[0].split() if blocks else []
    if first[:1] != ["./scripts/demo"] or "./scripts/test" not in first:
        yield "README.md: the first block must be the two commands ./scripts/demo and ./scripts/test"
    # The output that README shows comes from the command that the demo runs.
    demo = (root / "scripts/demo").read_text(encoding="utf-8")
    template = re.search(r"command=\((paritylab diff [^)]*)\)", demo)
    shown = [line[2:] for line in readme.splitlines() if line.startswith("$ paritylab diff ")]
    if not template or not shown:
        yield "README.md must show the demo's `$ paritylab diff` line and its output"
    else:
        pattern = re.escape(template.group(1))
        for variable in ('"$b"', '"$report"'):
            pattern = pattern.replace(re.escape(variable), r"\S+")
        if not re.fullmatch(pattern, shown[0]):
            yield f"README.md shows `{shown[0]}`, but scripts/demo runs `{template.group(1)}`"


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    root = pathlib.Path(sys.argv[2]) if len(sys.argv) == 3 else pathlib.Path(__file__).resolve().parent.parent
    found = list(complaints(sys.argv[1], root))
    for each in found:
        print(each)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
