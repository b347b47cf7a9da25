"""What is measured: the inputs of every case, made below one folder, and the command line of each tool for each phase.

A tool gets what it would be written with: a module of plain files, a promise file, a manifest, a play. Every tool makes
the same files, in a folder of its own.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

import peers

NODE = "localhost.localdomain"
TOP = Path("/srv/bench")


@dataclass
class Run:
    """One tool in one phase of a case."""
    tool: str
    argv: list
    environment: dict = field(default_factory=dict)
    # Brings the tool's folder into the state that the phase starts from.
    prepare: Callable = lambda: None
    # Says what is wrong with the result (given the path of the output), or None.
    wrong: Callable = lambda output: None
    # Exit statuses that mean success.
    good: tuple = (0,)


@dataclass
class Cell:
    """Runs that are compared with each other."""
    case: str
    size: int
    phase: str
    runs: list
    memory: bool = False


def write(path, text, mode=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    if mode:
        path.chmod(mode)


def home(folder, modules, parameters=()):
    """disco's own folder as a fetch leaves it: the node has these modules and parameters."""
    for module in modules:
        write(folder / "parameters" / NODE / "modules" / module, "")
    for name, value in parameters:
        write(folder / "parameters" / NODE / "parameters" / name, value + "\n")
    (folder / "parameters" / NODE / "modules").mkdir(parents=True, exist_ok=True)
    (folder / "modules").mkdir(exist_ok=True)
    return folder


def dance(folder, *flags):
    return ["disco", "dance", "--home", str(folder), *flags]


def startup(_):
    """A dance, a run, a play without anything to do."""
    folder = TOP / "startup"
    made = home(folder / "home", ["empty"])
    write(made / "modules/empty/requires", "")
    inputs = peers.Inputs(folder)
    runs = [Run("disco", dance(made, "--no-fetch")), Run("plain", ["bash", "-c", ":"]), *[
        Run(tool, argv) for tool, argv in inputs.nothing().items()]]
    yield Cell("startup", 0, "live", runs, memory=True)
    yield Cell("startup", 0, "noop", [Run("disco", dance(made, "--no-fetch", "--noop"))])


def example(_):
    """The seed's example: a greeting, a service that is stopped, a file from a template. NOOP, as the seed shows it."""
    folder = TOP / "example"
    master = folder / "master"
    shutil.copytree("/srv/shared/modules-example", master)
    serve(master, (master / "rsyncd.conf").read_text())
    uri = "rsync://127.0.0.1:8873"
    words = ["-rlptWH", "--sockopts=TCP_NODELAY", "--delete"]
    script = "set -e\n" + "".join(
        f"rsync {' '.join(words)} {uri}/{part}/ {folder}/fetched/{part}/\n"
        for part in [f"parameters/{NODE}", "testmodule-1.0", "othermodule-3.2"])
    (folder / "fetched/parameters").mkdir(parents=True)
    # The example's template reads its parameter below disco's own folder, by name.
    made = Path("/var/disco")
    fetch = dance(made, "--noop", "--server", uri)

    def hello(output):
        text = Path(output).read_text()
        return None if "77b20e4840b1be13a577e152edc6b443" in text else "not the seed's file"

    yield Cell("example", 1, "fetch", [Run("disco", fetch, wrong=hello),
                                       Run("plain", ["bash", "-c", script])], memory=True)
    modules = master / "modules"
    template = modules / "othermodule-3.2/templates/etc/othermodule/stuff.cfg"
    plain = (f"bash {modules}/testmodule-1.0/scripts/00-hello.sh\n"
             f"bash {template} 2>/dev/null | diff /dev/null - || test $? = 1\n")
    inputs = peers.Inputs(folder)
    runs = [Run("disco", dance(made, "--noop", "--no-fetch"), wrong=hello), Run("plain", ["bash", "-c", plain]),
            *[Run(tool, argv) for tool, argv in inputs.example().items()]]
    yield Cell("example", 1, "noop", runs, memory=True)


def scripts(_):
    """20 scripts of bash that print a line. A dry run of the peers runs none of them."""
    folder = TOP / "scripts"
    made = home(folder / "home", ["bench"])
    written = [made / f"modules/bench/scripts/{number:02}.sh" for number in range(20)]
    for script in written:
        write(script, f"#!/bin/bash\nset -eu\necho 'this is script {script.stem}'\n", 0o755)

    def all_ran(output):
        count = Path(output).read_text().count("this is script")
        return None if count >= 20 else f"{count} of 20 scripts were seen"

    plain = f"for script in {made}/modules/bench/scripts/*; do bash $script; done"
    inputs = peers.Inputs(folder)
    runs = [Run("disco", dance(made, "--no-fetch"), wrong=all_ran), Run("plain", ["bash", "-c", plain], wrong=all_ran),
            *[Run(tool, argv) for tool, argv in inputs.scripts(written).items()]]
    yield Cell("scripts", 20, "live", runs, memory=True)
    noop = Run("disco", dance(made, "--no-fetch", "--noop"), wrong=all_ran)
    yield Cell("scripts", 20, "noop", [noop], memory=True)


# The text of a file, and what stands in it for a name and a port in the language of each tool.
TEXT = """# made by a machine
[server]
name = {name}
number = {number}
port = {port}
workers = 4
[log]
level = info
file = /var/log/server-{number}.log
keep = 14
"""
PARAMETERS = [("bench/name", "web"), ("bench/port", "8080")]
BASH = """here=$DISCO_HOME/parameters/$DISCO_NODE/parameters/bench
read -r name <$here/name
read -r port <$here/port
echo "{text}"
"""


class Files:
    """The files of a case, in the three states in which a phase may find them: none, from before with another port,
    as they should be."""

    def __init__(self, folder, size):
        self.folder, self.size = folder, size
        for state, port in [("old", "80"), ("done", "8080")]:
            (folder / state).mkdir(parents=True)
            for number in range(size):
                (folder / state / f"{number}.conf").write_text(TEXT.format(name="web", number=number, port=port))
        (folder / "none").mkdir()

    def out(self, tool):
        return self.folder / "out" / tool.replace(", ", "-")

    def run(self, tool, phase, argv, good=(0,), shows=True, **more):
        start, end = {"first": ("none", "done"), "again": ("done", "done"), "noop": ("old", "old"),
                      "noop-new": ("none", "none")}[phase]
        out = self.out(tool)

        def prepare():
            if out.exists():
                shutil.rmtree(out)
            shutil.copytree(self.folder / start, out)

        def wrong(output):
            compared = subprocess.run(["diff", "-r", self.folder / end, out], capture_output=True, check=False)
            if compared.returncode:
                return "the files are not as they should be"
            shown = Path(output).read_text(errors="replace").count("port = 8080")
            if phase == "noop" and shows and shown < self.size:
                return f"{shown} of {self.size} differences were shown"
            return None

        return Run(tool, argv, prepare=prepare, wrong=wrong, good=good, **more)


def templates(size):
    """Files from as many templates: on a node without them, again, and as a dry run where a line of each differs."""
    folder = TOP / f"templates-{size}"
    files = Files(folder, size)
    made = {}
    for kind in ["tera", "bash"]:
        tool = f"disco, {kind}"
        made[tool] = home(folder / f"home-{kind}", ["bench"], PARAMETERS)
        target = made[tool] / "modules/bench/templates" / str(files.out(tool))[1:]
        for number in range(size):
            if kind == "tera":
                text = TEXT.format(name="{{ params.bench.name }}", port="{{ params.bench.port }}", number=number)
                write(target / f"{number}.conf.tera", text)
            else:
                text = TEXT.format(name="$name", port="$port", number=number).rstrip()
                write(target / f"{number}.conf", BASH.format(text=text))
    sources = made["disco, bash"] / "modules/bench/templates" / str(files.out("disco, bash"))[1:]
    loop = 'for t in {0}/*; do bash "$t" >{1}/"${{t##*/}}"; done'
    plain_environment = {"DISCO_HOME": str(made["disco, bash"]), "DISCO_NODE": NODE}
    plain = {"write": loop.format(sources, files.out("plain")),
             "compare": f"mkdir -p {folder}/shown; " + loop.format(sources, folder / "shown")
                        + f"; diff -r {files.out('plain')} {folder}/shown"}
    theirs = peers.Inputs(folder).templates(files.out, TEXT, size) if size <= 1000 else {}
    phases = ["first", "again", "noop", "noop-new"] if size <= 1000 else ["first", "noop"]
    for phase in phases:
        flags = ["--no-fetch", *(["--noop"] if phase.startswith("noop") else [])]
        runs = [files.run(tool, phase, dance(made[tool], *flags)) for tool in made]
        script = plain["compare" if phase.startswith("noop") else "write"]
        runs.append(files.run("plain", phase, ["bash", "-c", script], good=(0, 1), environment=plain_environment))
        if phase != "noop-new":
            runs += [files.run(tool, phase, argv, shows=tool in peers.SHOWS)
                     for tool, argv in theirs.get(phase, {}).items()]
        yield Cell("templates", size, phase, runs, memory=phase in ("first", "noop") and size <= 1000)


def plan(size):
    """The order of that many modules, each after another one: all of their folders read, and put in order."""
    folder = TOP / f"plan-{size}" / "modules"
    for number in range(size):
        requires = f"after m{(number - 1) // 2:05}\n" if number else ""
        write(folder / f"m{number:05}/requires", requires)

    def all_there(output):
        count = len(Path(output).read_text().splitlines())
        return None if count == size else f"{count} of {size} modules"

    plain = f"cd {folder} && grep -r after . | sed 's,^./\\(.*\\)/requires:after \\(.*\\),\\2 \\1,' | tsort"
    runs = [Run("disco", ["disco", "module", "graph", "--folder", str(folder)], wrong=all_there),
            Run("plain", ["bash", "-c", plain], wrong=all_there)]
    yield Cell("plan", size, "order", runs, memory=size == 10_000)


def modules(size):
    """As many modules, each with one file: what a module costs by itself."""
    folder = TOP / f"modules-{size}"
    files = Files(folder, size)
    master = folder / "master"
    names = [f"m{number:05}" for number in range(size)]
    for number, name in enumerate(names):
        target = master / "modules" / name / "files" / str(files.out("disco"))[1:] / f"{number}.conf"
        write(target, TEXT.format(name="web", number=number, port="8080"))
        write(master / "modules" / name / "requires", f"after {names[number - 1]}\n" if number else "")
        write(master / "parameters" / NODE / "modules" / name, "")
    made = folder / "home"
    shutil.copytree(master, made)
    copies = f"for m in {master}/modules/*; do cp -r $m/files/{str(files.out('disco'))[1:]}/. {files.out('plain')}; done"
    for phase in ["first", "again", "noop"]:
        flags = ["--no-fetch", *(["--noop"] if phase == "noop" else [])]
        runs = [files.run("disco", phase, dance(made, *flags))]
        if phase != "noop":
            runs.append(files.run("plain", phase, ["bash", "-c", copies]))
        yield Cell("modules", size, phase, runs, memory=phase == "noop")
    if size > 100:
        return
    head = Path("/srv/shared/modules-example/rsyncd.conf").read_text().partition("\n[")[0]
    sections = [("parameters", master / "parameters"), *[(name, master / "modules" / name) for name in names]]
    text = head + "".join(f"\n[{name}]\n    path = {path}\n    use chroot = false\n" for name, path in sections)
    port = 9000 + size
    serve(master, text, port)
    uri = f"rsync://127.0.0.1:{port}"
    one = f"rsync -rlptWH --sockopts=TCP_NODELAY {uri}"
    script = "set -e\n" + "".join(f"{one}/{name}/ {folder}/fetched/{name}/\n" for name in names)
    (folder / "fetched").mkdir()
    fetch = files.run("disco", "noop", dance(home(folder / "home-fetch", []), "--noop", "--server", uri))
    yield Cell("modules", size, "fetch", [fetch, Run("plain", ["bash", "-c", script])])


def serve(master, text, port=8873):
    """A real rsync daemon on loopback, as the example's own configuration says. It ends with this root."""
    conf = master / "rsyncd.conf"
    conf.write_text(text.replace("@HERE@", str(master)).replace("@ADDRESS@", "127.0.0.1").replace("@PORT@", str(port)))
    subprocess.run(["rsync", "--daemon", f"--config={conf}"], check=True)
    for _ in range(100):
        ask = ["rsync", f"rsync://127.0.0.1:{port}/"]
        if subprocess.run(ask, capture_output=True, check=False).returncode == 0:
            return
        os.sched_yield()
    raise SystemExit(f"the rsync daemon of {master} does not answer")


# Each case with its sizes: whole, and for a sample.
CASES = {
    "startup": (startup, [0], [0]),
    "example": (example, [1], [1]),
    "scripts": (scripts, [20], [20]),
    "templates": (templates, [10, 100, 1000, 10_000], [10, 100]),
    "modules": (modules, [10, 100, 1000], [10, 100]),
    "plan": (plan, [10, 100, 1000, 10_000], [100, 1000]),
}
