//! Each module's own changes, which are followed by what it touched and not by a look at everything. A disco that is built
//! for tests looks at everything once more at the end, and fails if it had missed something.

use crate::world::World;

const BEFORE: &str =
    "set -e; mkdir -p /srv/t/dir/deep /srv/t/far /srv/t/full; cd /srv/t; chmod 750 dir/deep full; echo a >a; echo b >b; echo d >dir/d
    echo e >dir/deep/e; ln a far/a; ln a dir/a; echo f >full/f; echo g >full/g; echo x >far/x";

/// What a module does, and the changes that it is told to have made.
const MODULES: [(&str, &[&str]); 16] = [
    (
        "echo new >new; mkdir -p one/two; echo in >one/two/in",
        &["/new C", "/one C", "/one/two C", "/one/two/in C"],
    ),
    ("true; cat a dir/d; ls -R", &[]),
    // Of three names, two of which nobody has looked up.
    ("echo more >>a", &["/a M", "/dir/a M", "/far/a M"]),
    ("chmod 700 dir; chmod 711 far", &["/dir M", "/far M"]),
    (
        "mv dir moved",
        &[
            "/dir D",
            "/dir/a D",
            "/dir/d D",
            "/dir/deep D",
            "/dir/deep/e D",
            "/moved C",
            "/moved/a C",
            "/moved/d C",
            "/moved/deep C",
            "/moved/deep/e C",
        ],
    ),
    ("ln new one/link; ln new link; rm b", &["/b D", "/link C", "/one/link C"]),
    // The kernel has looked up one of its names alone since the last module.
    ("echo again >>one/link", &["/link M", "/new M", "/one/link M"]),
    ("chmod 600 far/a", &["/a M", "/far/a M", "/moved/a M"]),
    ("exec 3>>link; rm link; echo late >&3", &["/link D", "/new M", "/one/link M"]),
    ("rm -r full; mkdir full; echo h >full/h", &["/full/f D", "/full/g D", "/full/h C"]),
    ("echo f >full/f; rm full/h", &["/full/f C", "/full/h D"]),
    (
        "rm -r moved/deep; mv -T one moved/one",
        &[
            "/moved/deep D",
            "/moved/deep/e D",
            "/moved/one C",
            "/moved/one/link C",
            "/moved/one/two C",
            "/moved/one/two/in C",
            "/one D",
            "/one/link D",
            "/one/two D",
            "/one/two/in D",
        ],
    ),
    ("rm -r full; echo file >full", &["/full M", "/full/f D"]),
    ("rm full; mkdir full; mv a full/a; mv far/x x", &["/a D", "/far/x D", "/full M", "/full/a C", "/x C"]),
    (
        "mv moved dir",
        &[
            "/dir C",
            "/dir/a C",
            "/dir/d C",
            "/dir/one C",
            "/dir/one/link C",
            "/dir/one/two C",
            "/dir/one/two/in C",
            "/moved D",
            "/moved/a D",
            "/moved/d D",
            "/moved/one D",
            "/moved/one/link D",
            "/moved/one/two D",
            "/moved/one/two/in D",
        ],
    ),
    ("touch new dir; chmod 711 far; echo x >y; rm y; setfattr -n user.k -v v far", &["/far M"]),
];

#[test]
fn each_module_is_told_what_it_changed_itself() {
    let Some(world) = World::new() else { return };
    world.sh(BEFORE).succeeds();
    for (number, (script, _)) in MODULES.iter().enumerate() {
        let module = world.module(&format!("m{number:02}"));
        let module = module.script("10.sh", &format!("umask 027; cd /srv/t; {script}"));
        if number > 0 {
            module.requires(&format!("m{:02}", number - 1));
        }
    }
    world.master();
    let noop = world.disco(&["dance", "--noop", "--diff", "none"]);
    noop.succeeds();
    let mut told: Vec<Vec<String>> = Vec::new();
    for line in noop.stdout.lines() {
        if line.starts_with("info: Processing m") {
            told.push(Vec::new());
        } else if let Some((path, kind)) = change(line) {
            told.last_mut().expect("a change belongs to a module").push(format!("{path} {kind}"));
        }
    }
    assert_eq!(told.len(), MODULES.len(), "{noop}");
    for ((script, expected), told) in MODULES.iter().zip(&told) {
        assert_eq!(told, expected, "{script}");
    }
    world.disco(&["dance"]).succeeds();
    world
        .sh("cd /srv/t; cat new dir/one/link; stat -c %a dir/a")
        .succeeds()
        .stdout_is("new\nagain\nlate\nnew\nagain\nlate\n600\n");
}

/// The path below /srv/t and the first letter of what happened to it, if the line tells a change.
fn change(line: &str) -> Option<(&str, &str)> {
    let (path, rest) = line.strip_prefix("info: File: ")?.split_once(": ")?.1.split_once(" : ")?;
    Some((path.strip_prefix("/srv/t")?, rest.get(..1)?))
}
