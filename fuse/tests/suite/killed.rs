//! The server is killed while files come up: what it leaves in the upper is whole, and nobody waits for it for ever.

use crate::apart::{Apart, Places, serves};
use crate::tree::{Times, differences, tree, xattrs};
use crate::world::enter;
use disco_fuse::{LayerEntry, LayerKind, is_private_xattr, read_layer};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

const FILES: usize = 168;
const WRITERS: usize = 3;
const OLD: i64 = 1_000_000_000;
/// How long anybody may wait for a server that is dead.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a client does to a file. One request changes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Append,
    Mode,
    Owner,
    Attribute,
    Halve,
    Unlink,
    Touch,
}

fn change(number: usize) -> Change {
    use Change::*;
    [Append, Mode, Owner, Attribute, Halve, Unlink, Touch][number % 7]
}

fn name(number: usize) -> PathBuf {
    PathBuf::from(format!("d{}/f{number}", number % 8))
}

/// Every fifth file has a second name.
fn second_name(number: usize) -> Option<PathBuf> {
    number.is_multiple_of(5).then(|| PathBuf::from(format!("d{}/l{number}", number % 3)))
}

fn content(number: usize) -> &'static [u8] {
    static ALL: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    let make =
        |number: usize| (0..300 + number % 10 * 300).flat_map(|at| [(at + number) as u8; 64]).collect();
    &ALL.get_or_init(|| (0..FILES).map(make).collect())[number]
}

type Attributes = BTreeMap<OsString, Vec<u8>>;

/// Everything about a file but its content and its times.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rest {
    mode: u32,
    owner: (u32, u32),
    attributes: Attributes,
}

fn rest(path: &Path) -> Rest {
    let stat = fs::symlink_metadata(path).unwrap();
    let attributes = xattrs(path).into_iter().filter(|(name, _)| !is_private_xattr(name)).collect();
    Rest { mode: stat.mode(), owner: (stat.uid(), stat.gid()), attributes }
}

fn set(path: &Path, name: &str, value: &[u8]) -> Result<(), Errno> {
    rustix::fs::lsetxattr(path, name, value, rustix::fs::XattrFlags::empty())
}

fn touch(path: &Path, seconds: i64) -> Result<(), Errno> {
    let time = rustix::fs::Timespec { tv_sec: seconds, tv_nsec: 5 };
    let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
    rustix::fs::utimensat(rustix::fs::CWD, path, &times, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)
}

fn fill(lower: &Path) {
    for directory in 0..8 {
        let directory = lower.join(format!("d{directory}"));
        fs::create_dir(&directory).unwrap();
        chown(&directory, Some(9), Some(10)).unwrap();
        fs::set_permissions(&directory, Permissions::from_mode(0o2751)).unwrap();
        set(&directory, "user.kind", b"directory").unwrap();
    }
    for number in 0..FILES {
        let path = lower.join(name(number));
        fs::write(&path, content(number)).unwrap();
        chown(&path, Some(3), Some(4)).unwrap();
        set(&path, "user.kind", &[b'k'; 300]).unwrap();
        set(&path, "trusted.number", number.to_string().as_bytes()).unwrap();
        // A change of the owner takes set-id bits away, which is not what is tested.
        let mode = if change(number) == Change::Owner { 0o711 } else { 0o4711 };
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        if matches!(change(number), Change::Mode | Change::Attribute) {
            set(&path, "security.capability", &[1, 0, 0, 2, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
                .unwrap();
        }
        touch(&path, OLD).unwrap();
        if let Some(second) = second_name(number) {
            fs::hard_link(path, lower.join(second)).unwrap();
        }
    }
}

fn act(path: &Path, change: Change) -> std::io::Result<()> {
    match change {
        Change::Append => File::options().append(true).open(path)?.write_all(b"+"),
        Change::Mode => fs::set_permissions(path, Permissions::from_mode(0o640)),
        Change::Owner => chown(path, Some(5), Some(6)),
        Change::Attribute => Ok(set(path, "user.new", b"new")?),
        Change::Halve => {
            let file = File::options().write(true).open(path)?;
            file.set_len(file.metadata()?.len() / 2)
        }
        Change::Unlink => fs::remove_file(path),
        Change::Touch => Ok(touch(path, OLD + 77)?),
    }
}

/// Says what is wrong with a file in the upper.
fn wrong_file(lower: &Path, upper: &Path, number: usize) -> Option<String> {
    let change = change(number);
    let (old, mut new) = (rest(&lower.join(name(number))), rest(&lower.join(name(number))));
    match change {
        Change::Mode => new.mode = libc::S_IFREG | 0o640,
        Change::Owner => new.owner = (5, 6),
        Change::Attribute => drop(new.attributes.insert("user.new".into(), b"new".to_vec())),
        Change::Append | Change::Halve | Change::Unlink | Change::Touch => {}
    }
    let found = rest(upper);
    if found != old && found != new {
        return Some(format!("{found:?} is neither {old:?} nor {new:?}"));
    }
    let (bytes, old) = (fs::read(upper).unwrap(), content(number));
    let new = match change {
        Change::Append => [old, b"+"].concat(),
        Change::Halve => old[..old.len() / 2].to_vec(),
        _ => old.to_vec(),
    };
    if bytes != old && bytes != new {
        return Some(format!("{} bytes that are neither the old {} nor the new", bytes.len(), old.len()));
    }
    let time = fs::metadata(upper).unwrap().mtime();
    let right = match change {
        Change::Append | Change::Halve => bytes == new || time == OLD,
        Change::Touch => time == OLD || time == OLD + 77,
        Change::Mode | Change::Owner | Change::Attribute | Change::Unlink => time == OLD,
    };
    (!right).then(|| format!("a time of {time}"))
}

/// Says what is wrong with an entry of the layer.
fn wrong(lower: &Path, upper: &Path, names: &BTreeMap<PathBuf, usize>, entry: &LayerEntry) -> Option<String> {
    let path = upper.join(&entry.path);
    match (&entry.kind, names.get(&entry.path)) {
        (LayerKind::Directory { opaque: false }, None) => {
            let (found, wanted) = (rest(&path), rest(&lower.join(&entry.path)));
            (found != wanted).then(|| format!("{found:?} instead of {wanted:?}"))
        }
        (LayerKind::Whiteout, Some(number)) => {
            let removed = change(*number) == Change::Unlink && entry.path == name(*number);
            (!removed).then(|| "nobody removed it".into())
        }
        (LayerKind::Other, Some(number)) => wrong_file(lower, &path, *number),
        (kind, _) => Some(format!("nobody made this: {kind:?}")),
    }
}

/// Starts whoever works in the mount; each says in the end what stopped it.
fn clients(mount: &Path, round: usize, done: &Arc<AtomicUsize>) -> mpsc::Receiver<std::io::Result<()>> {
    let (end, ends) = mpsc::channel();
    for writer in 0..WRITERS {
        let (mount, done, end) = (mount.to_owned(), done.clone(), end.clone());
        std::thread::spawn(move || {
            // Another order each time: 5 and the number of files have no common part.
            let mut order =
                (0..FILES).map(|at| (at * 5 + round * 11) % FILES).filter(|n| n % WRITERS == writer);
            let work = |number: usize| {
                act(&mount.join(name(number)), change(number))?;
                done.fetch_add(1, Ordering::Relaxed);
                Ok(())
            };
            end.send(order.try_for_each(work)).unwrap();
        });
    }
    let mount = mount.to_owned();
    std::thread::spawn(move || {
        let read = || {
            for number in 0.. {
                for entry in fs::read_dir(mount.join(format!("d{}", number % 8)))? {
                    entry?;
                }
                match fs::read(mount.join(name(number % FILES))) {
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                    read => drop(read?),
                }
            }
            Ok(())
        };
        end.send(read()).unwrap();
    });
    ends
}

/// Kills the server after so many changes and a little while; returns how many names the upper has.
fn kill_after(test: &str, places: &Places, round: usize, changes: usize) -> usize {
    fs::create_dir(&places.scratch).unwrap();
    let mut server = Apart::start(test, places, None);
    let done = Arc::new(AtomicUsize::new(0));
    let ends = clients(&places.mount, round, &done);
    let deadline = Instant::now() + Duration::from_secs(60);
    while done.load(Ordering::Relaxed) < changes {
        assert!(Instant::now() < deadline, "the clients do not get on");
        std::thread::sleep(Duration::from_micros(50));
    }
    std::thread::sleep(Duration::from_micros(round as u64 * 379 % 1500));
    server.kill();
    let deadline = Instant::now() + PATIENCE;
    for _ in 0..=WRITERS {
        let left = deadline.saturating_duration_since(Instant::now());
        let end = ends.recv_timeout(left).expect("a client waits for a server that is dead");
        if let Err(error) = end {
            let known = [libc::ENOTCONN, libc::ECONNABORTED, libc::EIO];
            assert!(error.raw_os_error().is_some_and(|errno| known.contains(&errno)), "{error:?}");
        }
    }
    drop(server);

    let names = (0..FILES).flat_map(|number| {
        [Some(name(number)), second_name(number)].into_iter().flatten().map(move |name| (name, number))
    });
    let names = names.collect();
    let upper = places.scratch.join("upper");
    let layer = read_layer(File::open(&upper).unwrap().as_fd()).unwrap();
    let faults: Vec<String> = layer
        .iter()
        .filter_map(|entry| {
            let fault = wrong(&places.lower, &upper, &names, entry)?;
            Some(format!(
                "{} ({:?}): {fault}",
                entry.path.display(),
                names.get(&entry.path).map(|n| change(*n))
            ))
        })
        .collect();
    assert!(faults.is_empty(), "round {round}, after {changes} changes:\n{}", faults.join("\n"));
    let _ = fs::remove_file(places.scratch.with_extension("ready"));
    fs::remove_dir_all(&places.scratch).unwrap();
    layer.iter().filter(|entry| !matches!(entry.kind, LayerKind::Directory { .. })).count()
}

/// `DISCO_FUSE_KILLS=n` kills it so often.
#[test]
fn a_server_that_is_killed_leaves_whole_files_and_no_client_that_waits() {
    if serves() {
        return;
    }
    enter();
    let kills: usize = std::env::var("DISCO_FUSE_KILLS").map_or(20, |kills| kills.parse().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let place = |name: &str| directory.path().join(name);
    let places = Places { lower: place("lower"), scratch: place("scratch"), mount: place("mount") };
    fs::create_dir(&places.lower).unwrap();
    fs::create_dir(&places.mount).unwrap();
    fill(&places.lower);
    let before = tree(&places.lower, Times::Exact);
    let test = "killed::a_server_that_is_killed_leaves_whole_files_and_no_client_that_waits";
    let mut between = 0;
    for round in 0..kills {
        let left = kill_after(test, &places, round, round * 37 % (FILES * 9 / 10));
        between += usize::from((1..FILES * 6 / 5).contains(&left));
    }
    assert!(between > kills / 2, "only {between} of {kills} were killed in the middle of the work");
    let damage = differences(&before, &tree(&places.lower, Times::Exact));
    assert_eq!(damage, Vec::<String>::new(), "the lower changed");
}
