#!/usr/bin/env python3
"""man.py PROGRAM: the manual page of a program, from what it says of itself; man(7), on standard output."""
import json
import subprocess
import sys

# EX_… of sysexits(3); docs/operations.md has those of single phases.
EXITS = [(0, "All is well."), (1, "Commands that show a status: it is not well."),
         (20, "20 to 28, tendril-agent bootstrap: the phase that did not come to its end (see its help)."), (64, "The command line is wrong."), (69, "Something does not answer, or is not well."),
         (71, "The operating system refused."), (78, "A configuration, or what is asked for, cannot be used.")]


def plain(text):
    """A text that troff takes as it is."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join("\\&" + line if line[:1] in (".", "'") else line for line in text.split("\n"))


def spelled(argument):
    """How an argument is written: its names, and what stands for its value."""
    value = f" \\fI{plain(argument.get('valueName') or 'value')}\\fR"
    if argument["kind"] == "positional":
        return value.strip()
    dashes = {"short": "-", "long": "--", "longWithSingleDash": "-"}
    names = ", ".join(f"\\fB{plain(dashes[n['kind']] + n['name'])}\\fR" for n in argument["names"])
    return names + (value if argument["kind"] == "option" else "")


def synopsis(command):
    parts = []
    for argument in shown(command):
        text = spelled({**argument, "names": [argument["preferredName"]] if argument.get("preferredName") else []})
        if argument["kind"] != "flag" or not argument["isOptional"]:
            parts.append(f"[{text}]" if argument["isOptional"] else text)
    if any(a["kind"] == "flag" and a["isOptional"] for a in shown(command)):
        parts.append("[\\fIflags\\fR]")
    return " ".join(parts)


def shown(command):
    common = ("help", "version")
    return [a for a in command.get("arguments", []) if a["shouldDisplay"] and (a.get("preferredName") or {}).get("name") not in common]


def leaves(command, path=()):
    """Every command that does something, with the words that lead to it."""
    here = path + (command["commandName"],)
    below = [c for c in command.get("subcommands", []) if c["shouldDisplay"] and c["commandName"] != "help"]
    if not below:
        yield here, command
    for child in below:
        yield from leaves(child, here)


def page(program):
    root = json.loads(subprocess.run([program, "--experimental-dump-help"], check=True, capture_output=True).stdout)["command"]
    version = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout.strip()
    name = root["commandName"]
    section = 1 if name == "tendril" else 8
    lines = [f'.TH "{plain(name.upper())}" {section} "" "Tendril {version}" "Tendril"', ".SH NAME",
             f"{plain(name)} \\- {plain(root['abstract'].rstrip('.'))}", ".SH SYNOPSIS"]
    commands = list(leaves(root))
    for path, command in commands:
        lines += [f".B {plain(' '.join(path))}", synopsis(command), ".br"]
    if root.get("discussion"):
        lines += [".SH DESCRIPTION", plain(root["discussion"])]
    lines.append(".SH COMMANDS")
    for path, command in commands:
        lines += [f".SS \"{plain(' '.join(path[1:]) or name)}\"", plain(command["abstract"])]
        if command.get("discussion") and command is not root:
            lines += [".PP", plain(command["discussion"])]
        for argument in shown(command):
            text = argument.get("abstract", "")
            if argument.get("defaultValue") and argument["kind"] != "flag":
                text += f" Default: {argument['defaultValue']}."
            lines += [".TP", spelled(argument), plain(text or "See the documentation.")]
    lines += [".SH EXIT STATUS"]
    for code, text in EXITS:
        lines += [".TP", f"\\fB{code}\\fR", plain(text)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page(sys.argv[1]))
