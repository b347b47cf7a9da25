"""From the results of a run to the page for people: tables, targets met or not, and whether cost is linear. Every figure
and every judgement on the page is computed here.

page.py RESULTS FOLDER: writes README.md and results.json into FOLDER if the run was whole, else prints the page.
"""

import json
import shutil
import statistics
import sys
from pathlib import Path

NAMES = {"disco": "disco", "disco, tera": "disco, Tera", "disco, bash": "disco, bash", "plain": "plain commands",
         "cfengine": "cfengine", "puppet": "puppet", "ansible": "ansible"}
PHASES = {"live": "live", "noop": "NOOP with diff", "noop-new": "NOOP, all new", "first": "first", "again": "again",
          "fetch": "NOOP with fetch", "order": "order"}
TITLES = {
    "startup": ("Start-up", "A dance of a module without steps; `bash -c :`; an agent, a catalogue, a play with nothing to do."),
    "example": ("The seed's example", "A greeting, a service to stop, a file from a template: NOOP with its difference. With a "
                "fetch: three rsyncs from a daemon on loopback; *plain commands* are these rsyncs alone, one after another."),
    "scripts": ("20 scripts", "Each prints a line. *Plain commands*: `bash SCRIPT`, one after another. A dry run of the peers "
                "runs no command; disco's runs all of them, in the sandbox."),
    "templates": ("Templates", "As many files of nine lines. *First*: none of them is there. *Again*: all are as they should "
                  "be. *NOOP with diff*: all are there, and a line of each differs. *Plain commands*: a loop of bash, one "
                  "`bash TEMPLATE >FILE` each; in NOOP into another folder, then `diff -r`. cfengine's dry run is "
                  "`--simulate=diff`."),
    "modules": ("Modules", "As many modules of one file each, each after the one before. *Plain commands*: a `cp -r` each; with "
                "a fetch an rsync each."),
    "plan": ("The plan", "`disco module graph`: reads as many modules' folders and puts them in order. *Plain commands*: `grep "
             "-r | sed | tsort`."),
}
# What is to be reached on two cores: words, where to look, the most it may be.
TARGETS = [
    ("the example with its fetch", "s", ("example", 1, "fetch", "disco"), 0.12),
    ("the example with modules already there", "s", ("example", 1, "noop", "disco"), 0.06),
    ("20 scripts", "s", ("scripts", 20, "noop", "disco"), 0.12),
    ("1,000 templates of Tera, NOOP with diff", "s", ("templates", 1000, "noop", "disco, tera"), 0.4),
    ("1,000 templates of bash, NOOP with diff, to the loop in plain bash", "times", ("templates", 1000, "noop", "disco, bash"), 1.5),
    ("order of 10,000 modules", "s", ("plan", 10_000, "order", "disco"), 0.1),
    ("memory of the example", "MiB", ("example", 1, "fetch", "disco"), 20),
    ("memory of 1,000 templates of Tera", "MiB", ("templates", 1000, "noop", "disco, tera"), 60),
    ("memory of 1,000 templates of bash", "MiB", ("templates", 1000, "noop", "disco, bash"), 60),
]
# The cost of one more may rise by this factor from the smallest step of sizes to the largest, and still count as linear.
LINEAR = 1.5
# Where disco and the plain commands are stopped; peers sooner.
OWN_LIMIT = 180


class Results:
    def __init__(self, found):
        self.facts, self.cells = found["facts"], found["cells"]
        self.rows = {(row["case"], row["size"], row["phase"], row["tool"]): row for row in self.cells}

    def wall(self, key):
        row = self.rows.get(key)
        return statistics.median(row["wall"]) if row and row["wall"] else None

    def of(self, case, what):
        """The distinct values of a column in a case, in their order."""
        return list(dict.fromkeys(row[what] for row in self.cells if row["case"] == case))


def seconds(value):
    return f"{value:.3f}" if value < 1 else f"{value:.2f}"


def shown(row, limit):
    if row is None:
        return ""
    if row["wall"]:
        return f"{seconds(statistics.median(row['wall']))} ({seconds(min(row['wall']))})"
    limit = limit if row["tool"] in ("cfengine", "puppet", "ansible") else OWN_LIMIT
    return {"over": f"> {limit}", "skipped": f"> {limit} *", "failed": "failed"}[row["end"]]


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def times(results, key, own):
    """How many times as long as disco a tool takes."""
    theirs, ours = results.wall(key), results.wall(own)
    if theirs is None or ours is None or key == own:
        return ""
    return f"{theirs / ours:.1f}" if theirs / ours < 10 else f"{theirs / ours:.0f}"


def one_size(results, case):
    """A table of tools by phases, for a case of one size."""
    size, phases = results.of(case, "size")[0], results.of(case, "phase")
    head = ["seconds: median (smallest)"]
    for phase in phases:
        head += [PHASES[phase], "CPU", "to disco"]
    rows = []
    for tool in results.of(case, "tool"):
        line = [NAMES[tool]]
        for phase in phases:
            row = results.rows.get((case, size, phase, tool))
            cpu = seconds(statistics.median(row["cpu"])) if row and row["cpu"] else ""
            line += [shown(row, results.facts["limit"]), cpu,
                     times(results, (case, size, phase, tool), (case, size, phase, "disco"))]
        rows.append(line)
    return table(head, rows)


def many_sizes(results, case):
    """A table of tools by sizes for each phase."""
    sizes, out = results.of(case, "size"), ""
    for phase in results.of(case, "phase"):
        there = [tool for tool in results.of(case, "tool")
                 if any((case, size, phase, tool) in results.rows for size in sizes)]
        own = next(tool for tool in there if tool.startswith("disco"))
        compared = max((size for size in sizes if results.wall((case, size, phase, own))
                        and any(results.wall((case, size, phase, tool)) for tool in there if tool != own)), default=None)
        head = [PHASES[phase], *[f"{size:,}" for size in sizes], "CPU"]
        if compared:
            head.append(f"to {NAMES[own]}, {compared:,}")
        rows = []
        for tool in there:
            row = [results.rows.get((case, size, phase, tool)) for size in sizes]
            last = next((one for one in reversed(row) if one and one["cpu"]), None)
            cpu = f"{seconds(statistics.median(last['cpu']))} for {last['size']:,}" if last else ""
            line = [NAMES[tool], *[shown(one, results.facts["limit"]) for one in row], cpu]
            if compared:
                line.append(times(results, (case, compared, phase, tool), (case, compared, phase, own)))
            rows.append(line)
        out += table(head, rows) + "\n"
    return out.rstrip("\n") + "\n"


def targets(results):
    rows = []
    for words, unit, key, most in TARGETS:
        row = results.rows.get(key)
        if unit == "s":
            seen = results.wall(key)
        elif unit == "times":
            loop = results.wall((key[0], key[1], "first", "plain"))
            seen = results.wall(key) / loop if loop and results.wall(key) else None
        else:
            taken = row.get("memory") if row else None
            seen = taken["together"] / 1024 if taken else None
        if seen is None:
            rows.append([words, f"{most:g} {unit}", "not measured", ""])
            continue
        text = f"{seen:.3f}" if unit == "s" else f"{seen:.1f}"
        rows.append([words, f"{most:g} {unit}", f"{text} {unit}", "met" if seen <= most else "**not met**"])
    return table(["target on two cores", "at most", "seen", ""], rows)


def memory(results):
    rows = []
    for row in results.cells:
        taken = row.get("memory")
        if taken:
            size = f", {row['size']:,}" if row["size"] > 1 else ""
            case = f"{TITLES[row['case']][0]}{size}, {PHASES[row['phase']]}"
            rows.append([case, NAMES[row["tool"]], f"{taken['largest'] / 1024:.1f}", f"{taken['together'] / 1024:.1f}"])
    return table(["MiB at the peak", "", "largest process", "all together"], rows)


def linear(results):
    """What one more costs, between each two sizes, and what that says."""
    out, rows = [], []
    sizes = sorted({row["size"] for row in results.cells if row["case"] in ("templates", "modules", "plan")})
    pairs = list(zip(sizes, sizes[1:]))
    for case in ("templates", "modules", "plan"):
        for phase in results.of(case, "phase"):
            for tool in [tool for tool in results.of(case, "tool") if tool.startswith("disco")]:
                walls = [results.wall((case, size, phase, tool)) for size in sizes]
                more = [(b - a) / (to - of) * 1e6 if a is not None and b is not None else None
                        for (of, to), a, b in zip(pairs, walls, walls[1:])]
                known = [one for one in more if one is not None]
                if len(known) < 2:
                    continue
                # Between the two smallest sizes there is too little to tell from noise.
                grows = known[-1] / max(known[-2], 1e-9)
                says = "linear" if grows <= LINEAR else f"**grows {grows:.1f} times**"
                rows.append([f"{TITLES[case][0].lower()}, {PHASES[phase]}, {NAMES[tool]}",
                             *["" if one is None else f"{one:,.0f}" for one in more], says])
                out.append(grows <= LINEAR)
    if not rows:
        return ""
    head = ["microseconds for one more", *[f"{a:,} to {b:,}" for a, b in pairs], ""]
    verdict = (f"Cost is linear in {sum(out)} of {len(out)} rows: one more costs at most {LINEAR:g} times as much in the "
               "largest step of sizes as in the step before it.\n")
    return "\n## Is it linear?\n\n" + table(head, rows) + "\n" + verdict


def page(results):
    facts = results.facts
    versions = ", ".join(f"{tool} {version}" for tool, version in facts["versions"].items())
    built = f" (commit {facts['built']})" if facts["built"] else ""
    busy = max(facts["load_before"], 0)
    text = f"""# What disco costs

`scripts/bench` has measured this and written this page on {facts['date']}; figures and judgements are its own.

{facts['cores']} cores of {facts['processor']}, {facts['memory_gib']} GiB, Linux {facts['kernel']}, {facts['system']}; all
tools in one copy-on-write root (kernel overlay, its upper layer a tmpfs, so that nothing waits for a disk). {versions};
disco{built} as a release build. The load before the run was {busy:.1f}{', **too busy for figures**' if busy > 0.7 else ''};
it took {facts['seconds'] / 60:.0f} minutes.

Seconds are those of whole processes, wall clock: the median of up to {facts['repeat']} runs, in brackets the smallest. Tools
take turns. CPU is user and system time with that of all child processes. "To disco" is how many times as long a tool takes.
`> {facts['limit']}` was stopped after that time; with a `*` it was not run, because the smaller sizes say that it takes longer.
A result counts only if the files were as they should be, and a dry run with differences only if it showed them all.

## Targets

{targets(results)}
Memory here is that of all processes of a run together, shared pages counted once.
"""
    for case, (title, about) in TITLES.items():
        if results.of(case, "size"):
            sized = len(results.of(case, "size")) > 1 or case in ("templates", "modules", "plan")
            text += f"\n## {title}\n\n{about}\n\n" + (many_sizes if sized else one_size)(results, case)
    text += linear(results)
    text += "\n## Memory\n\nEach in a run of its own, looked at every few milliseconds.\n\n" + memory(results)
    why = [f"- {row['case']}, {row['size']:,}, {PHASES[row['phase']]}, {NAMES[row['tool']]}: {row['why']}"
           for row in results.cells if row.get("end") == "failed"]
    if why:
        text += "\n## What failed\n\n" + "\n".join(why) + "\n"
    return text


def main():
    source, folder = Path(sys.argv[1]), Path(sys.argv[2])
    results = Results(json.loads(source.read_text()))
    text = page(results)
    if results.facts["whole"]:
        (folder / "README.md").write_text(text)
        shutil.copyfile(source, folder / "results.json")
        print(f"{folder}/README.md and {folder}/results.json are written")
    else:
        print(text)


if __name__ == "__main__":
    main()
