"""What was found, told in docs/lock-proof.md."""
import pathlib
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs/lock-proof.md"

HEAD = """# The proof of the locks

`scripts/lock-kills` wrote this from its last full run. A program opens a store in a file (`sqlite://`), as a server does, and asks
it, three at a time: locks are acquired, some released, some deleted, hosts are added and check in; half way the log is written
back into the file, so that it begins anew; at the end the file is closed. It prints each answer when it has come. Then it is
stopped, the store is opened again, and each answer that was printed must hold: who was granted a lock has it by that token, who
released it has not, what was deleted is gone. SQLite's own check must find nothing, each holder must have an event, and the
next token must be larger than any before.

## Kills

It is killed (SIGKILL, by strace) when it makes a system call that changes something, locks or maps, instead of that call: at each, or
at as many as the table says, spread evenly over all.

| calls | killed at | ended before | grants that were answered | answers that did not hold |
| --- | --- | --- | --- | --- |
"""
ERRORS = """
## Errors

One system call fails: with EIO such as change or read something, with ENOSPC such as change something. Whoever asked then hears
that nothing is known, or the answer; never a grant that is lost. The store works on by itself.

| error | calls | failed | all answered | some unknown | not opened | answers that did not hold, or no work afterwards |
| --- | --- | --- | --- | --- | --- | --- |
"""
REST = """
## A full disk

On a disk of {small} that becomes full: {before} grants were answered before, {unknown} requests while it was full heard that nothing is known,
and {after} grants were answered by the same process after it had room again. {wrong} of the answers did not hold.

## A torn log

The log of a store that was not closed is cut at a random byte, or a random byte of it is changed: {torn} times (seed {seed}), with {grants} grants
in all that were answered before that place. {lost} of these stores did not open, or had lost one of them.

Commit {commit}, kernel {kernel}.
"""


def commit():
    said = subprocess.run(["git", "log", "-1", "--format=%h of %cs"], cwd=HERE, capture_output=True, text=True)
    return said.stdout.strip() or "a tree without git"


def row(*cells):
    return "| " + " | ".join(map(str, cells)) + " |\n"


def write(kills, errors, full, torn, seed, measured):
    kernel = pathlib.Path("/proc/sys/kernel/osrelease").read_text().split("-")[0]
    text = HEAD + row(kills["of"], kills["killed"], kills["ended before"], kills["granted"], kills["wrong"]) + ERRORS
    for error, each in errors.items():
        text += row(error, each["of"], each["failed"], each["answered all"], each["answered unknown"], each["refused to open"],
                    each["wrong"])
    text += REST.format(**full, **torn, seed=seed, commit=measured, kernel=kernel)
    PAGE.write_text(text)
