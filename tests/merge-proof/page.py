"""What was found, kept in results.json, and told in docs/merge-proof.md."""
import json
import pathlib
import subprocess

import node

RESULTS = node.HERE / "results.json"
PAGE = node.HERE.parents[1] / "docs/merge-proof.md"

HEAD = """# The proof of the merge

`scripts/merge-kills` and `scripts/merge-powercut` wrote this from their last full runs. One merge has every kind of change in it:
new, modified, emptied and deleted files and trees; modes, owners, extended attributes, access lists, capabilities; each type that
becomes another; hard links that are made, rewritten, parted and removed; renamed files and folders; large files and such with
holes; FIFOs and devices; names with newlines, of 255 bytes, that are no UTF-8; a program that runs; and a second file system
(`tests/merge-proof/before.sh`, `change.sh`). It is stopped, and `disco recover` is asked once. Then the tree must equal the one
before or the one after in all of type, mode, owner, content, target, attributes, links, holes, times of all but folders; of a
merge nothing else may be left, neither beside the files nor in disco's home; and a second `disco recover` must find nothing.
The tree after is that of a merge that nobody disturbs, and of the same work done without disco.
"""
KILLS = """
## Kills

disco is killed (SIGKILL, by strace) at system calls that change something, instead of them: at each, or at as many as the table
says, spread evenly over all; before there is a journal, at few. A recovery is killed in the same way, after {firsts} kills of
what it recovers, and so is `disco undo`.

| what is killed | at calls | of all its | before | after | neither, or litter |
| --- | --- | --- | --- | --- | --- |
"""
ERRORS = """
## Errors

One system call of a merge fails: with EIO such as change something and such as look; with ENOSPC such as change something; with
the others a few. Whatever disco then does, it says which path it was; what it did not do all the same it has taken back
before it ends, or does so when it recovers.

| error | at calls | done all the same | refused, and as before | refused, and as after | neither, or litter, or no path named |
| --- | --- | --- | --- | --- | --- |
"""
CUTS = """
## Power cuts

The disks are loop devices over files that note each write and each flush (`tests/powercut`). The log is replayed up to its
flushes, each of them or as many as were asked for, spread evenly; and up to random moments, each with a random half of the blocks
lost that were written after the last flush. Each such state is mounted, which replays the file system's own journal. What had
ended must be on the disk. `In company` another program writes files of its own and syncs them all the time, so that journals are
written at every moment. `recovery` is that of a merge that was killed half way. `by hand` is the same work by plain
commands, without a sync and without disco: that it breaks shows that this can tell. Seed {seed}.

| file system | what | writes | flushes | states | before | after | neither, or litter, or ended and not on the disk |
| --- | --- | --- | --- | --- | --- | --- | --- |
"""


def commit():
    """The commit that is measured, and its day."""
    said = subprocess.run(["git", "log", "-1", "--format=%h of %cs"], cwd=node.HERE, capture_output=True, text=True)
    return said.stdout.strip() or "a tree without git"


def row(*cells):
    return "| " + " | ".join(map(str, cells)) + " |\n"


def keep(name, found, measured):
    """Keeps what one script has found of that commit, and writes the page."""
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    kernel = pathlib.Path("/proc/sys/kernel/osrelease").read_text().split("-")[0]
    results[name] = {"commit": measured, "kernel": kernel} | found
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    PAGE.write_text(page(results))


def page(results):
    text = HEAD
    if kills := results.get("kills"):
        text += KILLS.format(firsts=kills["firsts"])
        for each in kills["parts"]:
            text += row(each["part"], each["calls"], each["of"] or "", each["before"], each["after"], each["wrong"])
        text += ERRORS
        for each in kills["errors"]:
            text += row(each["error"], each["calls"], each["done"], each["before"], each["after"], each["wrong"])
        text += f"\nCommit {kills['commit']}, kernel {kills['kernel']}.\n"
    if cuts := results.get("cuts"):
        text += CUTS.format(seed=cuts["seed"])
        for each in cuts["systems"]:
            text += row(each["system"], each["what"] + ", in company" * each["company"], each["writes"], each["flushes"],
                        each["states"], each["before"], each["after"], each["wrong"])
        text += f"\nCommit {cuts['commit']}, kernel {cuts['kernel']}.\n"
    return text
