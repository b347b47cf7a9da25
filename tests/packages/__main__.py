"""The body of scripts/packages: see there."""
import argparse
import functools
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field

import page
from cases import CASES, SAMPLE, VOLATILE, Case
from nodes import ENVIRONMENT, Node, changes

PHASES = ["install", "upgrade", "reconfigure", "purge"]
NODE = "localhost.localdomain"
# In the plain copy nothing may be started; it says what would have been.
POLICY = '#!/bin/sh\n[ "$1" != --quiet ] || shift\necho "$1 $2" >>/tmp/policy\nexit 101\n'
# And no systemd runs there, which some scripts take for a failure.
SYSTEMCTL = '''#!/bin/sh
for word; do
  case $word in daemon-reload | start | stop | restart | reload | try-restart | reload-or-restart) exit 0 ;; esac
done
exec /usr/bin/systemctl.real "$@"
'''


@dataclass
class Phase:
    """What was found of a phase."""

    told: int = 0
    differences: list = field(default_factory=list)
    volatile: list = field(default_factory=list)
    actions: list = field(default_factory=list)
    # Service actions of the plain copy that the run has not told of.
    missing: list = field(default_factory=list)
    label: str = ""


@dataclass
class Row:
    """What was found of a package."""

    case: Case
    older: str
    newer: str
    # Seconds: to fetch, in the plain copy, in the run.
    took: list = field(default_factory=list)
    phases: dict = field(default_factory=dict)
    failed: str = ""


def in_root(root, argv):
    """What a command in the minimal Debian itself printed; with the machine's network."""
    alone = ["unshare", "--mount", "--pid", "--fork", "--kill-child", f"--root={root}", "--wd=/"]
    done = subprocess.run([*alone, *argv], env=ENVIRONMENT | {"DEBIAN_FRONTEND": "noninteractive"}, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {done.stderr.strip()[-500:]}")
    return done.stdout


def compare_versions(one, other):
    """As dpkg orders them."""
    return -1 if subprocess.run(["dpkg", "--compare-versions", one, "lt", other]).returncode == 0 else 1


def versions(root, package):
    """The oldest version that apt has of it, the suite that has it, and the newest one."""
    lines = [line.split("|") for line in in_root(root, ["apt-cache", "madison", package]).splitlines()]
    suites = {version.strip(): source.split()[1].split("/")[0] for _, version, source in lines if "Packages" in source}
    known = sorted(suites, key=functools.cmp_to_key(compare_versions))
    return known[0], suites[known[0]], known[-1]


def scripts(case, older, newer):
    """The script of each phase."""
    # sudo asks whether there is another way to become root.
    quiet = "set -e\nexport DEBIAN_FRONTEND=noninteractive SUDO_FORCE_REMOVE=yes\n"
    get = "apt-get -y -o Dpkg::Use-Pty=0"
    answers = f"debconf-set-selections <<'EOF'\n{case.answers}EOF\n" if case.answers else ""
    again = "" if older != newer else " --reinstall"
    return {
        "install": f"{quiet}{answers}{get} -o Dir::Etc::Preferences=/srv/shared/older install {case.package}\n",
        "upgrade": f"{quiet}{get} install{again} {case.package}\n",
        "reconfigure": f"{quiet}dpkg-reconfigure -fnoninteractive {case.package}\n",
        "purge": f"{quiet}{get} --allow-remove-essential purge --auto-remove {case.package}\n",
    }


def lay(shared, case, older, suite, newer):
    """The folder that both nodes have: a master with a module a phase, each of which needs the one before."""
    (shared / "older").write_text(f"Package: *\nPin: release n={suite}\nPin-Priority: 990\n")
    assigned = shared / "master/parameters" / NODE / "modules"
    assigned.mkdir(parents=True)
    for at, (phase, script) in enumerate(scripts(case, older, newer).items()):
        module = shared / "master/modules" / phase
        (module / "scripts").mkdir(parents=True)
        (module / "scripts/10.sh").write_text(script)
        (assigned / phase).touch()
        if at:
            (module / "requires").write_text(f"after {PHASES[at - 1]}\n")


def fetch(root, case, shared, versions):
    """Has apt fetch all that it will need, where that was not done before."""
    done = root.parent / "fetched" / f"{case.package} {' '.join(versions)}".replace("/", "-")
    if done.exists():
        return
    get = ["apt-get", "-y", "-q", "--download-only"]
    (root / "tmp/older").write_text((shared / "older").read_text())
    for options in [["-o", "Dir::Etc::Preferences=/tmp/older"], []]:
        in_root(root, [*get, *options, "install", "--reinstall", case.package])
    done.parent.mkdir(exist_ok=True)
    done.touch()


def plain(node):
    """What the phases do in the plain copy: (changes, service actions) of each; and how one failed."""
    # apt gives scripts a path of its own, without /usr/local.
    node.run(["mv", "/usr/bin/systemctl", "/usr/bin/systemctl.real"])
    for path, script in (("/usr/sbin/policy-rc.d", POLICY), ("/usr/bin/systemctl", SYSTEMCTL)):
        node.run(["bash", "-c", 'cat >"$0" <<<"$1"; chmod 755 "$0"', path, script])
    found, before = {}, node.tree()
    for phase in PHASES:
        done = node.run(["bash", f"/srv/shared/master/modules/{phase}/scripts/10.sh"])
        if done.returncode:
            return found, f"{phase}, in the plain copy: {done.stdout[-600:]}{done.stderr[-600:]}"
        after = node.tree()
        asked = node.run(["sh", "-c", "cat /tmp/policy; rm -f /tmp/policy"]).stdout.splitlines()
        found[phase] = (changes(before, after), asked)
        before = after
    return found, ""


def told(node):
    """What a NOOP run tells of the phases: (changes, actions, label) of each; and how one failed."""
    done = node.run(["disco", "dance", "--noop", "--server", "/srv/shared/master", "--format", "json"])
    found, actions, lines = {}, {}, []
    for event in map(json.loads, done.stdout.splitlines()):
        match event["event"]:
            case "line":
                lines.append(event["text"])
            case "asked":
                actions.setdefault(event["module"], []).append(event["argv"])
            case "changed":
                label = event["truth"] + (": " if event["because"] else "") + ", ".join(event["because"])
                found[event["module"]] = (dict(map(told_change, event["changes"])), actions.get(event["module"], []), label)
            case "step-failed":
                return found, f"{event['module']}: {' / '.join(lines[-8:])}"
    return found, "" if done.returncode == 0 else done.stderr.strip()[-600:]


def told_change(change):
    path, after = change["path"], change.get("after") or {}
    if change["change"] == "deleted":
        return path, ("deleted",)
    content = after.get("md5") or after.get("target") or ""
    return path, (change["change"], f"{after['mode']:o}", f"{after['uid']}:{after['gid']}", content)


def why_volatile(path):
    return next((start for start in VOLATILE if path.startswith(start)), None)


def unit(name):
    return name.removesuffix(".service").removesuffix(".socket").removesuffix(".timer")


# What a script asks for depends on whether the service runs; in the run it does, once that has started it.
STARTS = {"start", "restart", "try-restart", "reload", "force-reload", "reload-or-restart", "upgrade"}


def is_told(asked, actions):
    """Whether a service action of the plain copy, `UNIT ACTION`, is among the actions. To ask how a service is, is none."""
    name, _, action = asked.partition(" ")
    # In parentheses: not in this runlevel, as on a node that runs none.
    action = action.strip("()")
    alike = STARTS if action in STARTS else {action}
    return action == "status" or any(unit(name) in map(unit, argv) and alike & set(argv) for argv in actions)


def judge(one, other):
    """A phase as it was told, beside what it did in the plain copy."""
    (said, actions, label), (done, asked) = one, other
    phase = Phase(told=len(said), actions=[" ".join(argv) for argv in actions], label=label)
    phase.missing = [it for it in dict.fromkeys(asked) if not is_told(it, actions)]
    for path in sorted(said.keys() | done.keys()):
        if said.get(path) == done.get(path):
            continue
        if why_volatile(path):
            phase.volatile.append(path)
        else:
            phase.differences.append((path, said.get(path), done.get(path)))
    return phase


def on_a_node(root, disco, shared, way):
    """What a way of doing the phases found, how one failed, and the seconds that it took."""
    start = time.monotonic()
    with Node(root, disco, shared) as node:
        # As on a node that runs: maintainer scripts look for it before they ask for anything.
        node.run(["mkdir", "-p", "/run/systemd/system"])
        return *way(node), round(time.monotonic() - start)


def examine(root, disco, case):
    """All of it for one package."""
    start = time.monotonic()
    older, suite, newer = versions(root, case.package)
    row = Row(case, older, newer)
    with tempfile.TemporaryDirectory(prefix="disco-packages-") as work:
        shared = pathlib.Path(work) / "shared"
        shared.mkdir()
        lay(shared, case, older, suite, newer)
        fetch(root, case, shared, (older, newer))
        row.took = [round(time.monotonic() - start)]
        # Side by side: they do not know of each other.
        with ThreadPoolExecutor() as both:
            ways = [both.submit(on_a_node, root, disco, shared, way) for way in (plain, told)]
            results = [way.result() for way in ways]
    for _, failed, took in results:
        row.failed = row.failed or failed
        row.took.append(took)
    (done, _, _), (said, _, _) = results
    for phase in PHASES:
        if phase in done and phase in said:
            row.phases[phase] = judge(said[phase], done[phase])
    return row


def keep(folder, row):
    """Keeps what was found, so that the page can be made of packages that were examined one by one."""
    folder.mkdir(exist_ok=True)
    (folder / f"{row.case.package}.json").write_text(json.dumps(asdict(row)))


def kept(folder, case):
    file = folder / f"{case.package}.json"
    if not file.exists():
        return None
    found = json.loads(file.read_text())
    phases = {name: Phase(**phase) for name, phase in found.pop("phases").items()}
    return Row(**found | {"case": case, "phases": phases})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--disco", required=True)
    parser.add_argument("--sample", action="store_true")
    parser.add_argument("packages", nargs="*")
    arguments = parser.parse_args()
    names = arguments.packages or (SAMPLE if arguments.sample else [case.package for case in CASES])
    root = (arguments.work / "root").resolve()
    rows = []
    for name in names:
        case = next((case for case in CASES if case.package == name), Case(name, ""))
        try:
            row = examine(root, arguments.disco, case)
        except RuntimeError as error:
            # What apt knows may be older than what the mirror still has.
            in_root(root, ["apt-get", "update", "-qq"])
            try:
                row = examine(root, arguments.disco, case)
            except RuntimeError:
                row = Row(case, "", "", failed=str(error))
        print(page.line(row), flush=True)
        if page.is_bad(row):
            print(page.trouble(row), flush=True)
        rows.append(row)
        keep(arguments.work / "rows", row)
    bad = [row for row in rows if page.is_bad(row)]
    if not arguments.sample:
        known = [kept(arguments.work / "rows", case) for case in CASES]
        pathlib.Path("docs/packages.md").write_text(page.page([row for row in known if row]))
    print(f"{len(rows) - len(bad)} of {len(rows)} packages are told of as in the plain copy")
    return 1 if bad else 0


sys.exit(main())
