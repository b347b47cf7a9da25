"""What was found of the packages, in words: lines while it goes on, and docs/packages.md."""
from cases import KNOWN, VOLATILE

PHASES = ["install", "upgrade", "reconfigure", "purge"]


def is_bad(row):
    """Whether something was not told of as it is."""
    found = row.phases.values()
    return bool(row.failed) or any(phase.differences or phase.missing for phase in found) or len(row.phases) < len(PHASES)


def total(row, what):
    return sum(len(getattr(phase, what)) for phase in row.phases.values())


def line(row):
    told = " ".join(str(row.phases[phase].told) if phase in row.phases else "-" for phase in PHASES)
    state = "failed" if row.failed else "differs" if is_bad(row) else "equal"
    return (f"{row.case.package}: {state}: changes {told}; {total(row, 'differences')} differences, "
            f"{total(row, 'volatile')} volatile, {total(row, 'actions')} actions, {total(row, 'missing')} not told; {'+'.join(map(str, row.took))} s")


def trouble(row):
    lines = [f"{row.case.package}: {row.failed}"] if row.failed else []
    for name, phase in row.phases.items():
        lines += [f"{row.case.package}: {name}: {path}: told {said}, done {done}" for path, said, done in phase.differences[:12]]
        lines += [f"{row.case.package}: {name}: not told: {asked}" for asked in phase.missing]
    return "\n".join(lines)


def labels(row):
    """The label of the run: the sum of its modules'."""
    because = sorted({word for phase in row.phases.values() for word in phase.label.partition(": ")[2].split(", ") if word})
    worst = max((phase.label.partition(":")[0] for phase in row.phases.values()), default="",
                key=["", "exact", "approximate", "unknown"].index)
    return worst + (": " if because else "") + ", ".join(because)


def page(rows):
    good = [row for row in rows if not is_bad(row)]
    text = f"""# Real packages in a dry run

`scripts/packages` wrote this. For each package a minimal Debian, copy-on-write, twice: in one a single `disco dance --noop`
installs it with apt-get, upgrades it (reinstalls it where the archive has one version), reconfigures it (`dpkg-reconfigure
-fnoninteractive`) and purges it, as four modules; in the other the same scripts run plainly, in namespaces of their own, with a
`policy-rc.d` that forbids and notes every service action, and a `systemctl` that says yes to them. Each path that either changes
is compared after each phase: what became of it, type, mode, owner, content or target. Every service action of the plain one must
be among what the run would execute (started or restarted, as the service runs or not; in the run it does, once started).

**{len(good)} of {len(rows)} packages: no difference but in volatile files, and no service action untold.**

| package | what it is | version | install | upgrade | reconfigure | purge | differences | volatile | actions | label |
|---|---|---|---|---|---|---|---|---|---|---|
"""
    for row in rows:
        version = row.older if row.older == row.newer else f"{row.older} → {row.newer}"
        told = " | ".join(str(row.phases[phase].told) if phase in row.phases else "failed" for phase in PHASES)
        text += (f"| {row.case.package} | {row.case.kind} | {version} | {told} | {total(row, 'differences')} "
                 f"| {total(row, 'volatile')} | {total(row, 'actions')} | {labels(row)} |\n")
    text += """
Install to purge: how many objects the run tells of. Volatile: how many paths differ and are in this list:

| path | why | seen in |
|---|---|---|
"""
    for start, why in VOLATILE.items():
        seen = [row.case.package for row in rows
                if any(path.startswith(start) for phase in row.phases.values() for path in phase.volatile)]
        if seen:
            text += f"| `{start}` | {why} | {', '.join(seen)} |\n"
    text += "\n## What the runs would execute\n\n"
    for row in rows:
        text += f"- **{row.case.package}**: "
        text += "; ".join(f"{name}: " + ", ".join(f"`{action}`" for action in dict.fromkeys(phase.actions))
                          for name, phase in row.phases.items() if phase.actions) or "nothing"
        text += "\n"
    bad = [row for row in rows if is_bad(row)]
    if bad:
        text += "\n## What is not as in the plain copy\n\n"
        for row in bad:
            text += f"### {row.case.package}\n\n```\n{trouble(row)}\n```\n\n"
        missing = {asked for row in bad for phase in row.phases.values() for asked in phase.missing}
        text += "".join(f"- `{asked}`: {why}.\n" for asked, why in KNOWN.items() if asked in missing)
    return text.rstrip() + "\n"
