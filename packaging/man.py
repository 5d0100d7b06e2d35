#!/usr/bin/env python3
"""man.py PROGRAM: the manual page of a program, from what it says of itself; man(7), on standard output."""
import json
import subprocess
import sys

USAGE = (64, "The command line is wrong.")
PHASES = ["preflight", "trust", "authenticate", "identity", "desired-state", "apply", "kubelet", "ready", "cleanup"]
# As docs/operations.md has them, with more words; from 64 on they are EX_… of sysexits(3).
EXITS = {
    "tendril": [
        (0, "What was asked for is there, or with --no-wait written down; what is shown is well."), USAGE,
        (69, "An API does not answer or refuses. node status, vpn status: something is wrong, and shown. up, down: waited in vain."),
        (71, "kubeconfig: the file cannot be written."),
        (78, "A file or a kubeconfig is wrong; the shoot is paused, is being deleted or gone, has failed for good, or cannot be what is asked for. down: there are shoots."),
    ],
    "tendril-coordinator": [
        (0, "run, approver: ended by a signal; run also when it has lost its share, to be started anew. Else: done."), USAGE,
        (69, "snapshot: the store does not answer or refuses, or there is no room."),
        (71, "manifests, signing-key: a file or a key cannot be made. snapshot replace: the data cannot be put in place."),
        (78, "A configuration, a kubeconfig or what is given is wrong, with --check too; run also where the seed does not answer at the start."),
    ],
    "tendril-vpn": [
        (0, "server, client: ended by a signal, or with --check all is well. status: a link is live, or the peer has answered. certificates: written."),
        (1, "status: no link is live."), USAGE, (69, "status: no daemon answers."),
        (71, "server, client: the operating system refused something."),
        (78, "The configuration is wrong, with --check too. certificates: they cannot be made or written; nothing is overwritten."),
    ],
    "tendril-agent": [
        (0, "run, routes: ended by a signal. bootstrap: all phases are done. status: all is well. Else: done."),
        (1, "status: something is wrong, and shown."),
        *((20 + number, f"bootstrap: the phase {phase} failed.") for number, phase in enumerate(PHASES)), USAGE,
        (69, "status: no agent has run since the boot. bootstrap --dry-run: what is wanted cannot be read."),
        (71, "The operating system refused; reset, support-bundle: not done, or not all of it; user-data: the file cannot be written."),
        (78, "The configuration, the document, or what the pod was given cannot be used."),
    ],
}


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
    # Of flags that are required exactly one is given.
    choices = [spelled(a) for a in shown(command) if a["kind"] == "flag" and not a["isOptional"]]
    for argument in shown(command):
        text = spelled({**argument, "names": [argument["preferredName"]] if argument.get("preferredName") else []})
        if argument["kind"] != "flag":
            parts.append(f"[{text}]" if argument["isOptional"] else text)
    if choices:
        parts.append("{" + " | ".join(choices) + "}" if len(choices) > 1 else choices[0])
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
        arguments = shown(command)
        opposites = {a["preferredName"]["name"]: a for a in arguments if a["kind"] == "flag"}
        for argument in arguments:
            text, names = argument.get("abstract", ""), spelled(argument)
            flag = (argument.get("preferredName") or {}).get("name", "")
            if argument["kind"] == "flag" and flag.startswith("no-") and flag[3:] in opposites:
                continue
            if argument["kind"] == "flag" and f"no-{flag}" in opposites:
                names += ", " + spelled(opposites[f"no-{flag}"])
                text = f"{text.rstrip('.')}; --no-{flag} does not."
            if argument.get("defaultValue") and (argument["kind"] != "flag" or f"no-{flag}" in opposites):
                text += f" Default: {argument['defaultValue']}."
            lines += [".TP", names, plain(text or "See the documentation.")]
    lines += [".SH EXIT STATUS"]
    for code, text in EXITS[name]:
        lines += [".TP", f"\\fB{code}\\fR", plain(text)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page(sys.argv[1]))
