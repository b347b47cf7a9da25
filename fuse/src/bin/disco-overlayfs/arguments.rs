//! The command line, its help and its manual page. What `-o` says is read by `options`.

use clap::{CommandFactory, Parser};
use std::ffi::OsString;

const MORE: &str = "\
Options of -o:
  lowerdir=DIR[:DIR...]  the trees to show, topmost first; they are never written to
  upperdir=DIR           where changes go, and what an earlier mount has changed; without it the
                         mount is read-only
  workdir=DIR            where changes are prepared, in its directory work, whose content is removed: on
                         upperdir's file system, not inside it
  ro, rw                 whether the mount can be written to [rw with an upperdir]
  dev, nodev             whether device nodes work [nodev]
  suid, nosuid           whether set-user-id programs work [suid]
  exec, noexec           whether programs can be started [exec]
  atime, noatime, ...    as mount(8) says
  fsname=NAME            what the list of mounts calls the source
  remount                give a mount that is there other flags
  volatile               leave it to the kernel when changes reach their disk; without it they are
                         there after an fsync, and when the program has ended after an unmount
  writeback              let the kernel gather writes: for many small writes to large files; all else gets
                         slower, and a full disk shows when a file is closed
Always so, and accepted: allow_other, default_permissions, redirect_dir=on, index=on, xino=on.
Refused: mapped owners (uidmapping, gidmapping, squash_to_*) and whatever is not named here.
A backslash before a comma or a colon makes it part of a path.

Examples:
  disco-overlayfs -o lowerdir=/usr,upperdir=/var/tmp/u,workdir=/var/tmp/w /mnt
  disco-overlayfs -o lowerdir=/srv/new:/srv/base /mnt       two trees in one, read-only
  disco-overlayfs -f -o lowerdir=/,upperdir=/scratch/u,workdir=/scratch/w,dev /mnt
  mount -t fuse.disco-overlayfs none /mnt -o lowerdir=/usr,upperdir=/var/tmp/u,workdir=/var/tmp/w
  umount /mnt                                               ends it

Exit codes:
  0  it is mounted, and is served in the background; with -f: it was mounted, and is no more
  1  it is not mounted; the reason is on standard error";

/// Shows directory trees as one that can be changed, and keeps the changes apart
///
/// The lower trees stay as they are: they are only seen through a private read-only copy of their
/// mounts. SIGTERM and SIGINT unmount: new users find nothing there, and the program ends with the
/// last one that is still inside; a second signal ends it at once.
#[derive(Debug, Parser)]
#[command(
    name = "disco-overlayfs",
    version,
    max_term_width = 100,
    override_usage = "disco-overlayfs [-f] -o lowerdir=DIR[,upperdir=DIR,workdir=DIR] [SOURCE] MOUNTPOINT",
    after_help = MORE
)]
pub(crate) struct Arguments {
    /// What to mount and how, separated by commas; can be given several times
    #[arg(short = 'o', value_name = "OPTION[,OPTION...]")]
    pub options: Vec<OsString>,
    /// Stay in the foreground
    #[arg(short = 'f', long)]
    pub foreground: bool,
    /// Refused, with a reason: see `options`
    #[arg(short = 'd', hide = true)]
    pub debug: bool,
    /// Print the manual page
    #[arg(long, exclusive = true)]
    pub man: bool,
    /// An existing directory; mount(8) puts a name for the list of mounts before it
    #[arg(value_name = "MOUNTPOINT", required_unless_present = "man", num_args = 1..=2)]
    pub places: Vec<OsString>,
}

/// Returns the manual page.
pub(crate) fn manual() -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    clap_mangen::Man::new(Arguments::command()).section("8").render(&mut text)?;
    // What follows the options keeps its lines.
    Ok(String::from_utf8_lossy(&text).replace(".SH EXTRA\n", ".SH MORE\n.nf\n").into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(line: &[&str]) -> Option<Vec<OsString>> {
        Arguments::try_parse_from([&["disco-overlayfs"], line].concat()).ok().map(|parsed| parsed.places)
    }

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn options_come_before_and_after_the_mountpoint() {
        for line in [
            &["-o", "lowerdir=l", "/mnt"][..],
            &["-olowerdir=l", "/mnt"],
            &["/mnt", "-f", "-o", "lowerdir=l", "-o", "ro"],
        ] {
            assert_eq!(places(line), Some(vec!["/mnt".into()]), "{line:?}");
        }
        let both = places(&["none", "/mnt", "-o", "rw,lowerdir=l"]);
        assert_eq!(both, Some(vec!["none".into(), "/mnt".into()]));
        for line in [&["-o", "ro"][..], &["a", "b", "c"], &["/mnt", "--foregruond"]] {
            assert_eq!(places(line), None, "{line:?}");
        }
    }

    #[test]
    fn the_manual_has_the_options_and_examples() {
        let text = String::from_utf8(manual().unwrap()).unwrap();
        for wanted in [".TH disco-overlayfs 8", "lowerdir=DIR", "Exit codes"] {
            assert!(text.contains(wanted), "{wanted}: {text}");
        }
    }
}
