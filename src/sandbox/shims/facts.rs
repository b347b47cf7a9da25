//! What a shim tells of the place where it was called: the view of the step, which the supervisor does not touch.

use std::path::Path;

use crate::sandbox::shims::verdict::Fact;
use crate::sys::files;

/// Where unit files are, in the order in which they count.
const UNITS: [&str; 12] = [
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/run/systemd/generator.early",
    "/etc/systemd/system",
    "/etc/systemd/system.attached",
    "/run/systemd/system",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
    "/run/systemd/generator.late",
];

/// Whether systemd runs this root, as sd_booted(3) has it.
pub(super) fn booted() -> bool {
    is_there("/run/systemd/system")
}

/// Finds out each of them: `None` where it is not so.
pub(super) fn all(facts: &[Fact]) -> Vec<Option<String>> {
    facts.iter().map(find).collect()
}

fn find(fact: &Fact) -> Option<String> {
    let so = |so: bool| so.then(|| "there".to_owned());
    match fact {
        Fact::Unit(name) => unit(name),
        Fact::Path(path) => so(is_there(path)),
        // Every pid namespace has a 1, and whoever says 1 means the host's.
        Fact::Process(pid) => {
            so(*pid != 1 && *pid != -1 && is_there(&format!("/proc/{}", pid.unsigned_abs())))
        }
        Fact::Policy => so(is_there("/usr/sbin/policy-rc.d")),
    }
}

/// Whether there is an init script or a unit file: `known`, or `masked`.
fn unit(name: &str) -> Option<String> {
    if name.contains('/') {
        return None;
    }
    let script = name.strip_suffix(".service").unwrap_or(name);
    let with_type = if name.contains('.') { name.to_owned() } else { format!("{name}.service") };
    // An instance is made from its template.
    let template = with_type.split_once('@').and_then(|(stem, rest)| {
        let (_, kind) = rest.rsplit_once('.')?;
        Some(format!("{stem}@.{kind}"))
    });
    for name in [Some(&with_type), template.as_ref()].into_iter().flatten() {
        for folder in UNITS {
            let path = Path::new(folder).join(name);
            // What cannot be looked at is taken for not there.
            match files::look(&path) {
                Ok(Some(_)) if files::canonical(&path).is_ok_and(|leads| leads == Path::new("/dev/null")) => {
                    return Some("masked".to_owned());
                }
                Ok(Some(_)) => return Some("known".to_owned()),
                Ok(None) | Err(_) => {}
            }
        }
    }
    is_there(&format!("/etc/init.d/{script}")).then(|| "known".to_owned())
}

fn is_there(path: &str) -> bool {
    // What cannot be looked at is taken for not there.
    files::look_through(Path::new(path)).is_ok_and(|there| there.is_some())
}
