//! Classes of paths that change whenever anything does, and that nobody reads: they are counted in the text for people,
//! and merged as all else. What says something about rights is never noise, wherever it is.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::model::attributes::{Attributes, FileKind};
use crate::model::change::{Change, ChangeKind, ChangeSet};
use crate::model::glob::{NoGlob, PathGlob};

/// What is noise where nobody says anything. Each class is what packages of Debian, Fedora and Alpine are seen to leave
/// whatever is done with them (docs/packages.md), or a copy, a cache or a time that is made anew from what is shown.
const BY_DEFAULT: [(&str, &[&str]); 4] = [
    (
        "backups",
        &[
            "/etc/{passwd,shadow,group,gshadow,subuid,subgid}-",
            "/var/backups/**",
            "/var/cache/debconf/*-old",
            "/var/lib/dpkg/*-old",
        ],
    ),
    (
        "package-manager",
        &[
            "/etc/.pwd.lock",
            "/var/lib/dpkg/{lock,lock-frontend,triggers/Lock,triggers/Unincorp}",
            "/var/lib/dpkg/updates/*",
            "/var/lib/apt/{daily_lock,lists/**,mirrors/**}",
            "/var/cache/{apt,dnf,yum,libdnf5,apk,zypp,pacman}/**",
            "/var/lib/{rpm,dnf}/.*lock",
            "/var/lib/dnf/history.sqlite*",
            "/lib/apk/db/lock",
            "/var/log/apt/**",
            "/var/log/{dpkg,alternatives,bootstrap,apk,pacman,yum,dnf,dnf.rpm,dnf.librepo,hawkey,dnf5}.log*",
        ],
    ),
    (
        "caches",
        &[
            "/etc/ld.so.cache",
            "/var/cache/ldconfig/**",
            "/var/cache/{man,fontconfig,debconf,cracklib}/**",
            "/usr/share/applications/mimeinfo.cache",
            "/usr/share/icons/**/icon-theme.cache",
            "/usr/share/mime/mime.cache",
            "/usr/share/glib-2.0/schemas/gschemas.compiled",
            "/usr/lib/**/{gconv-modules,giomodule,loaders,immodules}.cache",
            "/{usr,opt,srv,var}/**/__pycache__/*.pyc",
            "/{usr/lib,etc}/udev/hwdb.bin",
            "/var/lib/systemd/catalog/database",
            "/var/lib/{mlocate,plocate}/*.db",
        ],
    ),
    (
        "times",
        &[
            "/var/lib/systemd/{random-seed,timesync/clock,timers/stamp-*}",
            "/var/lib/apt/periodic/*-stamp",
            "/var/lib/logrotate/{status,logrotate.status}",
            "/var/lib/{chrony,ntp,ntpsec}/*drift*",
            "/var/log/{wtmp,btmp,lastlog,faillog,wtmp.db}",
            "/etc/adjtime",
        ],
    ),
];

/// What is noise on this node. As text: `CLASS=GLOB` adds to a class, also to a new one; `!GLOB` is never noise; `-CLASS`
/// is a class that is off, and `off` all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Noise {
    words: Vec<Word>,
    /// What is noise of which class, after all of that.
    classes: Vec<(String, Vec<PathGlob>)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    Add(String, PathGlob),
    Never(PathGlob),
    Without(String),
    Off,
}

/// Text that says nothing about noise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoNoise {
    /// It is none of the words.
    #[error("{0:?} is not CLASS=GLOB, !GLOB, -CLASS or off")]
    Word(String),
    /// There is no such class.
    #[error("there is no class {0:?} of noise: {classes}", classes = names())]
    Class(String),
    /// A pattern is none.
    #[error(transparent)]
    Glob(#[from] NoGlob),
}

fn names() -> String {
    BY_DEFAULT.map(|(name, _)| name).join(", ")
}

impl Noise {
    /// Which class of noise a change is of; none where it is to be shown. A folder is shown, and so is whatever changes its
    /// type, owner, permissions or labels, or comes as anything else than a file without special rights.
    pub fn class_of(&self, change: &Change) -> Option<&str> {
        let plain = |side: &Attributes| side.kind == FileKind::Regular && side.mode & 0o6000 == 0;
        let quiet = match &change.kind {
            ChangeKind::Created { after } => plain(after) && after.xattrs.is_empty(),
            ChangeKind::Deleted { before } => plain(before),
            ChangeKind::Modified { before, after } => {
                let rights = |side: &Attributes| (side.kind, side.mode, side.uid, side.gid);
                plain(after)
                    && rights(before) == rights(after)
                    && (&before.xattrs, &before.selinux) == (&after.xattrs, &after.selinux)
            }
        };
        let never = |word: &Word| matches!(word, Word::Never(glob) if glob.matches(&change.path));
        if !quiet || self.words.iter().any(never) {
            return None;
        }
        let has = |(_, globs): &&(String, Vec<PathGlob>)| globs.iter().any(|glob| glob.matches(&change.path));
        self.classes.iter().find(has).map(|(name, _)| name.as_str())
    }

    /// The changes apart: those to be shown, and how many are noise, of which classes.
    pub fn fold<'a>(&self, changes: &'a ChangeSet) -> (Cow<'a, ChangeSet>, Folded) {
        let classes = changes.0.iter().filter_map(|change| self.class_of(change));
        let mut folded = Folded::default();
        for class in classes {
            folded.count += 1;
            if !folded.classes.contains(class) {
                folded.classes.insert(class.to_owned());
            }
        }
        if folded.count == 0 {
            return (Cow::Borrowed(changes), folded);
        }
        let shown = changes.0.iter().filter(|change| self.class_of(change).is_none());
        (Cow::Owned(ChangeSet(shown.cloned().collect())), folded)
    }

    /// How many of them are noise.
    pub fn count(&self, changes: &ChangeSet) -> usize {
        changes.0.iter().filter(|change| self.class_of(change).is_some()).count()
    }
}

/// What was left out of a text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Folded {
    /// How many changes.
    pub count: usize,
    /// Of which classes.
    pub classes: BTreeSet<String>,
}

impl Folded {
    /// In words; nothing where nothing was left out.
    pub fn words(&self) -> Option<String> {
        let classes: Vec<String> = self.classes.iter().map(|class| class.replace('-', " ")).collect();
        let of = match classes.len() {
            0 => return None,
            1 => "1 class".to_owned(),
            many => format!("{many} classes"),
        };
        Some(format!("{} more in {of} of noise: {}; --all lists them", self.count, classes.join(", ")))
    }
}

impl Default for Noise {
    /// What is noise where nobody says anything. The patterns are constants of ours, and a test reads them.
    fn default() -> Noise {
        "".parse().unwrap_or(Noise { words: Vec::new(), classes: Vec::new() })
    }
}

impl FromStr for Noise {
    type Err = NoNoise;

    fn from_str(text: &str) -> Result<Noise, NoNoise> {
        let mut noise = Noise { words: Vec::new(), classes: Vec::new() };
        for (name, globs) in BY_DEFAULT {
            let globs = globs.iter().map(|glob| glob.parse()).collect::<Result<_, _>>()?;
            noise.classes.push((name.to_owned(), globs));
        }
        for word in text.split_whitespace() {
            let word = match (word.strip_prefix('!'), word.strip_prefix('-'), word.split_once('=')) {
                (Some(glob), ..) => Word::Never(glob.parse()?),
                (None, Some(class), _) => Word::Without(class.to_owned()),
                (None, None, Some((class, glob))) => Word::Add(named(class)?, glob.parse()?),
                (None, None, None) if word == "off" => Word::Off,
                (None, None, None) => return Err(NoNoise::Word(word.to_owned())),
            };
            noise.take(&word)?;
            noise.words.push(word);
        }
        Ok(noise)
    }
}

impl Noise {
    /// Takes one word in: each changes what those before it have said.
    fn take(&mut self, word: &Word) -> Result<(), NoNoise> {
        match word {
            Word::Never(_) => {}
            Word::Off => self.classes.clear(),
            Word::Without(class) => {
                let at = self.classes.iter().position(|(name, _)| name == class);
                let at = at.ok_or_else(|| NoNoise::Class(class.clone()))?;
                self.classes.remove(at);
            }
            Word::Add(class, glob) => match self.classes.iter_mut().find(|(name, _)| name == class) {
                Some((_, globs)) => globs.push(glob.clone()),
                None => self.classes.push((class.clone(), vec![glob.clone()])),
            },
        }
        Ok(())
    }
}

/// A class's name: small letters, digits and dashes.
fn named(class: &str) -> Result<String, NoNoise> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    match !class.is_empty() && !class.starts_with('-') && class.chars().all(fits) {
        true => Ok(class.to_owned()),
        false => Err(NoNoise::Word(class.to_owned())),
    }
}

impl fmt::Display for Noise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, word) in self.words.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { " " })?;
            match word {
                Word::Add(class, glob) => write!(f, "{class}={glob}"),
                Word::Never(glob) => write!(f, "!{glob}"),
                Word::Without(class) => write!(f, "-{class}"),
                Word::Off => f.write_str("off"),
            }?;
        }
        Ok(())
    }
}

impl TryFrom<String> for Noise {
    type Error = NoNoise;

    fn try_from(text: String) -> Result<Noise, NoNoise> {
        text.parse()
    }
}

impl From<Noise> for String {
    fn from(noise: Noise) -> String {
        noise.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::change::ContentChange;
    use crate::model::path::RootedPath;

    fn of(kind: FileKind, mode: u32) -> Attributes {
        Attributes {
            kind,
            device: 1,
            mode,
            uid: 0,
            gid: 0,
            owner: "root".into(),
            group: "root".into(),
            size: 0,
            md5: None,
            selinux: None,
            target: None,
            rdev: None,
            xattrs: Default::default(),
        }
    }

    fn file(mode: u32) -> Attributes {
        of(FileKind::Regular, 0o100_000 | mode)
    }

    fn change(path: &str, kind: ChangeKind) -> Change {
        Change { path: RootedPath::new(path).unwrap(), kind, content: ContentChange::Same }
    }

    fn created(path: &str) -> Change {
        change(path, ChangeKind::Created { after: file(0o644).into() })
    }

    fn class<'a>(noise: &'a Noise, path: &str) -> Option<&'a str> {
        noise.class_of(&created(path))
    }

    #[test]
    fn what_packages_leave_everywhere_is_noise_and_what_they_are_is_not() {
        let noise: Noise = "".parse().unwrap();
        for (path, of) in [
            ("/etc/passwd-", Some("backups")),
            ("/etc/gshadow-", Some("backups")),
            ("/etc/passwd", None),
            ("/etc/shadow", None),
            ("/etc/motd-", None),
            ("/var/backups/dpkg.status.0", Some("backups")),
            ("/var/lib/dpkg/status-old", Some("backups")),
            ("/var/lib/dpkg/status", None),
            ("/var/lib/dpkg/info/nginx.list", None),
            ("/var/lib/dpkg/lock-frontend", Some("package-manager")),
            ("/var/lib/apt/lists/deb.debian.org_dists_bookworm_InRelease", Some("package-manager")),
            ("/var/lib/apt/extended_states", None),
            ("/var/log/apt/term.log", Some("package-manager")),
            ("/var/log/dpkg.log", Some("package-manager")),
            ("/var/log/dnf.rpm.log", Some("package-manager")),
            ("/var/log/nginx/access.log", None),
            ("/var/cache/apt/pkgcache.bin", Some("package-manager")),
            ("/lib/apk/db/installed", None),
            ("/etc/ld.so.cache", Some("caches")),
            ("/etc/ld.so.conf", None),
            ("/var/cache/ldconfig/aux-cache", Some("caches")),
            ("/usr/lib/python3/dist-packages/x/__pycache__/y.cpython-311.pyc", Some("caches")),
            ("/usr/lib/python3/dist-packages/x/y.py", None),
            ("/root/.bash_history", None),
            ("/var/log/wtmp", Some("times")),
            ("/var/lib/systemd/timers/stamp-apt-daily.timer", Some("times")),
        ] {
            assert_eq!(class(&noise, path), of, "{path}");
        }
    }

    #[test]
    fn rights_are_never_noise() {
        let noise: Noise = "".parse().unwrap();
        let (plain, other) = (file(0o644), Attributes { uid: 7, ..file(0o644) });
        let link = of(FileKind::Symlink, 0o777);
        let folder = of(FileKind::Directory, 0o755);
        let modified = |before: &Attributes, after: &Attributes| ChangeKind::Modified {
            before: before.clone().into(),
            after: after.clone().into(),
        };
        for (kind, is) in [
            (modified(&plain, &plain), true),
            (modified(&plain, &file(0o666)), false),
            (modified(&plain, &other), false),
            (modified(&plain, &link), false),
            (modified(&file(0o4755), &file(0o4755)), false),
            (ChangeKind::Created { after: file(0o4755).into() }, false),
            (ChangeKind::Created { after: file(0o2755).into() }, false),
            (ChangeKind::Created { after: link.into() }, false),
            (ChangeKind::Created { after: folder.clone().into() }, false),
            (ChangeKind::Deleted { before: plain.clone().into() }, true),
            (ChangeKind::Deleted { before: folder.into() }, false),
        ] {
            let one = change("/var/cache/man/index.db", kind);
            assert_eq!(noise.class_of(&one).is_some(), is, "{one:?}");
        }
    }

    #[test]
    fn classes_are_added_to_and_taken_from() {
        for (text, path, of) in [
            ("-caches", "/etc/ld.so.cache", None),
            ("-caches", "/etc/passwd-", Some("backups")),
            ("off", "/etc/passwd-", None),
            ("off mine=/srv/**", "/srv/x", Some("mine")),
            ("caches=/srv/app/cache/**", "/srv/app/cache/a/b", Some("caches")),
            ("!/var/log/dpkg.log", "/var/log/dpkg.log", None),
            ("!/var/log/dpkg.log", "/var/log/apt/term.log", Some("package-manager")),
        ] {
            let noise: Noise = text.parse().unwrap();
            assert_eq!(class(&noise, path), of, "{text} {path}");
            assert_eq!(noise.to_string(), text);
        }
        for text in ["caches", "x=relative", "-none", "A=/x", "=/x", "!x", "-caches -caches"] {
            assert!(text.parse::<Noise>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_left_out_is_said_with_its_classes() {
        let noise: Noise = "".parse().unwrap();
        let paths = ["/etc/motd", "/etc/passwd-", "/var/log/apt/term.log", "/var/log/dpkg.log"];
        let changes = ChangeSet(paths.map(created).into());
        let (shown, folded) = noise.fold(&changes);
        assert_eq!((shown.0.len(), noise.count(&changes)), (1, 3));
        assert_eq!(
            folded.words().as_deref(),
            Some("3 more in 2 classes of noise: backups, package manager; --all lists them")
        );
        assert_eq!(noise.fold(&ChangeSet::default()).1.words(), None);
    }
}
