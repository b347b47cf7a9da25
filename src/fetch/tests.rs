//! Fetches from a real rsync daemon on loopback, and from a folder.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use super::*;

/// A master with the README's example, and modules of its own; killed when dropped.
struct Daemon {
    dir: tempfile::TempDir,
    port: u16,
    child: Child,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (path, content) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

/// A folder with `parameters/` and `modules/`, as on a master.
fn master() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        &[
            ("parameters/node/parameters/something", "LOLTHISKEYMEANSNOTHING\n"),
            ("parameters/node/parameters/shared/mine", "node\n"),
            ("parameters/node/modules/othermodule-3.2", ""),
            ("modules/othermodule-3.2/requires", ""),
            ("modules/othermodule-3.2/parameters/othermodule-3.2", ""),
            ("modules/testmodule-1.0/parameters/shared/mine", "default\n"),
            ("modules/testmodule-1.0/parameters/shared/theirs", "default\n"),
            ("modules/testmodule-1.0/scripts/00-hello.sh", "#!/bin/bash\necho \"Hello, disco\"\n"),
        ],
    );
    dir
}

fn daemon() -> Daemon {
    let dir = master();
    let root = dir.path().to_owned();
    let mut conf = format!(
        "use chroot = false\nsocket options = TCP_NODELAY\nread only = true\nlog file = {0}/log\n\
         [parameters]\npath = {0}/parameters\n[secret]\npath = {0}/modules\nauth users = someone\nsecrets file = {0}/none\n",
        root.display()
    );
    for module in ["othermodule-3.2", "testmodule-1.0"] {
        conf += &format!("[{module}]\npath = {}/modules/{module}\n", root.display());
    }
    fs::write(root.join("rsyncd.conf"), conf).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let child = Command::new("rsync")
        .args(["--daemon", "--no-detach", "--address=127.0.0.1"])
        .arg(format!("--port={port}"))
        .arg(format!("--config={}", root.join("rsyncd.conf").display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let daemon = Daemon { dir, port, child };
    let started = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(started.elapsed() < Duration::from_secs(10), "the daemon does not listen");
        std::thread::sleep(Duration::from_millis(5));
    }
    daemon
}

/// A node: disco's own folder, the folder of one run, and what a fetch needs.
struct Node {
    dir: tempfile::TempDir,
    source: Source,
    rsync: Vec<String>,
    stop: AtomicBool,
}

impl Node {
    fn new(uri: &str, rsync: &str) -> Node {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("home")).unwrap();
        let rsync = shell_words::split(rsync).unwrap();
        Node { dir, source: Source::parse(uri).unwrap(), rsync, stop: AtomicBool::new(false) }
    }

    fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    fn view(&self, run: &str) -> PathBuf {
        self.dir.path().join(run)
    }

    fn fetch<'a>(&'a self, home: &'a Path, view: &'a Path) -> Fetch<'a> {
        let timeout = Duration::from_secs(5);
        Fetch { source: &self.source, rsync: &self.rsync, timeout, jobs: 4, home, view, stop: &self.stop }
    }

    fn modules(&self, names: &[&str]) -> Result<BTreeMap<ModuleName, Timed>, FetchError> {
        self.fetch(&self.home(), &self.view("view"))
            .modules(&names.iter().map(|name| module(name)).collect(), &mut |_| {})
    }
}

fn module(name: &str) -> ModuleName {
    ModuleName::new(name).unwrap()
}

fn node_name() -> NodeName {
    NodeName::new("node").unwrap()
}

fn both() -> BTreeSet<ModuleName> {
    [module("othermodule-3.2"), module("testmodule-1.0")].into()
}

fn parts() -> Vec<What> {
    both().into_iter().map(What::Module).chain([What::Parameters(node_name())]).collect()
}

#[test]
fn a_fetch_is_published_whole_and_linked_next_time() {
    let daemon = daemon();
    let local = daemon.dir.path().to_str().unwrap().to_owned();
    for uri in [format!("rsync://127.0.0.1:{}", daemon.port), local] {
        let node = Node::new(&uri, "rsync");
        let (home, first, second) = (node.home(), node.view("first"), node.view("second"));
        let fetch = node.fetch(&home, &first);
        assert!(fetch.parameters(&node_name()).unwrap().cost.mem_max > 0);
        let mut told = Vec::new();
        let costs = fetch.modules(&both(), &mut |done| told.push(done)).unwrap();
        assert_eq!(told, [1, 2]);
        assert!(costs.len() == 2 && costs.values().all(|timed| timed.cost.time_real > 0.0));
        let script = "modules/testmodule-1.0/scripts/00-hello.sh";
        assert!(fs::read_to_string(first.join(script)).unwrap().contains("Hello, disco"));
        assert!(!home.join("modules").exists(), "a fetch changes nothing in the cache");
        publish(&first, &home, &parts()).unwrap();

        fs::remove_file(daemon.dir.path().join("parameters/node/parameters/something")).ok();
        let fetch = node.fetch(&home, &second);
        fetch.parameters(&node_name()).unwrap();
        fetch.modules(&both(), &mut |_| {}).unwrap();
        let ino = |path: PathBuf| fs::metadata(path).unwrap().ino();
        assert_eq!(ino(second.join(script)), ino(home.join(script)), "what did not change is not sent again");
        publish(&second, &home, &parts()).unwrap();
        assert!(!home.join("parameters/node/parameters/something").exists(), "what is gone goes");
        let left: Vec<_> = files::list_dir(&home.join("modules")).unwrap();
        assert_eq!(left, ["othermodule-3.2", "testmodule-1.0"], "nothing temporary is left");
        write(daemon.dir.path(), &[("parameters/node/parameters/something", "again\n")]);
    }
}

#[test]
fn an_edit_of_the_same_size_in_the_same_second_arrives() {
    let daemon = daemon();
    let node = Node::new(&format!("rsync://127.0.0.1:{}", daemon.port), "rsync");
    let file = "parameters/node/parameters/something";
    let at = std::time::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    for (run, content, nanos) in [("1", "aaa", 1_000_000), ("2", "bbb", 2_000_000)] {
        let path = daemon.dir.path().join(file);
        fs::write(&path, content).unwrap();
        let time = at + Duration::from_nanos(nanos);
        fs::File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_times(fs::FileTimes::new().set_modified(time))
            .unwrap();
        let (home, view) = (node.home(), node.view(run));
        node.fetch(&home, &view).parameters(&node_name()).unwrap();
        publish(&view, &home, &[What::Parameters(node_name())]).unwrap();
        assert_eq!(fs::read_to_string(home.join(file)).unwrap(), content);
    }
}

#[test]
fn defaults_lie_under_the_nodes_own_and_the_cache_keeps_its_files() {
    let master = master();
    let node = Node::new(master.path().to_str().unwrap(), "rsync");
    let (home, view) = (node.home(), node.view("view"));
    write(&home, &[("parameters/disco/server/uri", "x\n")]);
    let fetch = node.fetch(&home, &view);
    fetch.parameters(&node_name()).unwrap();
    fetch.modules(&both(), &mut |_| {}).unwrap();
    publish(&view, &home, &parts()).unwrap();
    lay_defaults(&view, &home, &node_name(), &both()).unwrap();
    let read = |path: &str| fs::read_to_string(view.join("parameters").join(path)).unwrap();
    assert_eq!(read("node/parameters/shared/mine"), "node\n");
    assert_eq!(read("node/parameters/shared/theirs"), "default\n");
    assert_eq!(read("node/parameters/othermodule-3.2"), "");
    assert_eq!(read("disco/server/uri"), "x\n");
    let cached = home.join("parameters/node/parameters");
    assert!(!cached.join("shared/theirs").exists() && !cached.join("othermodule-3.2").exists());
}

#[test]
fn what_is_wrong_is_named_with_the_module_and_the_cure() {
    let daemon = daemon();
    let there = format!("rsync://127.0.0.1:{}", daemon.port);
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("rsync://127.0.0.1:{}", silent.local_addr().unwrap().port());
    let folder = daemon.dir.path().to_str().unwrap();
    for (uri, rsync, name, trouble) in [
        (there.as_str(), "rsync", "gone-1.0", Trouble::Absent),
        (folder, "rsync", "gone-1.0", Trouble::Absent),
        (&there, "rsync", "secret", Trouble::Denied),
        (&format!("rsync://127.0.0.1:{free}"), "rsync", "testmodule-1.0", Trouble::Refused),
        ("rsync://no-such-host.invalid", "rsync", "testmodule-1.0", Trouble::UnknownHost),
        (&silent, "rsync --timeout=1", "testmodule-1.0", Trouble::TimedOut),
        (&there, "rsync --no-such-option", "testmodule-1.0", Trouble::Usage),
        ("me@127.0.0.1", "rsync -e /no/such/shell", "testmodule-1.0", Trouble::NoProgram),
        (
            "me@127.0.0.1",
            "rsync -e \"sh -c 'echo Host key verification failed. >&2; exit 255'\"",
            "testmodule-1.0",
            Trouble::HostKey,
        ),
        ("me@127.0.0.1", "rsync -e \"sh -c 'exit 255'\"", "testmodule-1.0", Trouble::NoDaemon),
    ] {
        let error = Node::new(uri, rsync).modules(&[name]).unwrap_err();
        assert_eq!(error.trouble(), Some(trouble), "{uri} {rsync}: {error}");
        assert!(error.to_string().starts_with(&format!("cannot fetch module {name} from ")), "{error}");
        assert!(error.hint().is_some());
    }
    let error = Node::new(&there, "no-such-rsync").modules(&["testmodule-1.0"]).unwrap_err();
    assert!(
        matches!(error, FetchError::Process { .. }) && error.hint().unwrap().contains("install rsync"),
        "{error}"
    );
    let error =
        Node::new(&there, "rsync").modules(&["gone-1", "gone-2", "testmodule-1.0"]).unwrap_err().to_string();
    assert!(
        error.starts_with("cannot fetch 2 modules: ") && error.contains("gone-1") && error.contains("gone-2")
    );
    let node = Node::new(&there, "rsync");
    let error = node.fetch(&node.home(), &node.view("view")).parameters(&NodeName::new("other").unwrap());
    let error = error.unwrap_err();
    assert_eq!(error.trouble(), Some(Trouble::Absent), "{error}");
    assert!(error.to_string().starts_with("cannot fetch the parameters of other from "), "{error}");
}

#[test]
fn the_readmes_way_through_a_remote_shell_works() {
    let daemon = daemon();
    // What ssh does with `ssh -l disco HOST rsync --server --daemon .`, the forced configuration apart.
    let shell = daemon.dir.path().join("shell");
    let said = daemon.dir.path().join("said");
    let conf = daemon.dir.path().join("rsyncd.conf");
    let script = format!(
        "#!/bin/sh\necho \"$@\" > {}\nexec rsync --server --daemon --config={} .\n",
        said.display(),
        conf.display()
    );
    fs::write(&shell, script).unwrap();
    fs::set_permissions(&shell, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let node = Node::new("disco@aklabs.net", &format!("rsync -qaWHe \"{} -i KEY\"", shell.display()));
    node.modules(&["testmodule-1.0"]).unwrap();
    assert!(node.view("view/modules/testmodule-1.0/scripts/00-hello.sh").exists());
    assert_eq!(fs::read_to_string(said).unwrap(), "-i KEY -l disco aklabs.net rsync --server --daemon .\n");
}

#[test]
fn owners_are_ours_and_secrets_stay_private() {
    let master = master();
    let file = "modules/testmodule-1.0/scripts/00-hello.sh";
    if crate::sys::host::is_root() {
        std::os::unix::fs::chown(master.path().join(file), Some(12345), Some(12345)).unwrap();
    }
    let node = Node::new(master.path().to_str().unwrap(), "rsync -a");
    let (home, view) = (node.home(), node.view("view"));
    let fetch = node.fetch(&home, &view);
    fetch.parameters(&node_name()).unwrap();
    fetch.modules(&both(), &mut |_| {}).unwrap();
    publish(&view, &home, &parts()).unwrap();
    for folder in [&home, &view] {
        let fetched = fs::metadata(folder.join(file)).unwrap();
        assert_eq!(fetched.uid(), fs::metadata(folder).unwrap().uid());
        assert_eq!(fs::metadata(folder.join("parameters")).unwrap().mode() & 0o7777, 0o700);
        assert_eq!(fs::metadata(folder.join("modules")).unwrap().mode() & 0o7777, 0o755);
    }
}

#[test]
fn a_partial_fetch_is_an_error() {
    let master = master();
    // As root every file can be read, so a file that vanishes stands in: a link that the daemon cannot follow.
    let node = Node::new(master.path().to_str().unwrap(), "rsync --copy-links");
    std::os::unix::fs::symlink("nowhere", master.path().join("modules/testmodule-1.0/broken")).unwrap();
    let error = node.modules(&["testmodule-1.0"]).unwrap_err();
    assert_eq!(error.trouble(), Some(Trouble::Partial), "{error}");
}

#[test]
fn told_to_stop_it_kills_every_rsync() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let node = Node::new(&format!("rsync://127.0.0.1:{}", silent.local_addr().unwrap().port()), "rsync");
    let started = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(200));
            node.stop.store(true, Ordering::Relaxed);
        });
        assert!(matches!(node.modules(&["a", "b", "c", "d", "e", "f"]), Err(FetchError::Interrupted)));
    });
    assert!(started.elapsed() < Duration::from_secs(3));
}

#[test]
fn a_fetch_over_loopback_takes_no_time() {
    let daemon = daemon();
    let node = Node::new(&format!("rsync://127.0.0.1:{}", daemon.port), "rsync");
    let mut times = Vec::new();
    // Without TCP_NODELAY on both sides each is more than 0.07. The machine may be busy, so the best of some counts.
    for run in 0..30 {
        let (home, view) = (node.home(), node.view(&format!("view-{run}")));
        let name = module("testmodule-1.0");
        let cost = node.fetch(&home, &view).modules(&[name.clone()].into(), &mut |_| {}).unwrap()[&name];
        times.push(cost.cost.time_real);
        if cost.cost.time_real < 0.03 {
            break;
        }
    }
    println!("seconds: {times:?}");
    assert!(times.iter().any(|time| *time < 0.03), "{times:?}");
}
