//! Mounts an overlay and serves it until it is unmounted: for trying it by hand and for measuring.
//! Run it in a mount namespace of its own. Not the program for users.

#![allow(clippy::disallowed_methods, reason = "an example of the overlay alone, which has no sys")]

use disco_fuse::{Options, Overlay, Shim, Writes, read_only_clone, serve};
use nix::mount::{MsFlags, mount};
use std::error::Error;
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [lower, scratch, mountpoint, shims @ ..] = arguments.as_slice() else {
        return Err("usage: serve LOWER SCRATCH MOUNTPOINT [PATH=PROGRAM]...".into());
    };
    let mut served = Vec::new();
    for shim in shims {
        let (path, program) = shim.split_once('=').ok_or("a shim is PATH=PROGRAM")?;
        served.push(Shim { path: PathBuf::from(path), program: File::open(program)? });
    }
    let lower = read_only_clone(lower.as_ref())?;
    let overlay = Overlay::open(Options { shims: served, ..Options::over(lower, scratch.into()) })?;
    let fuse = OwnedFd::from(File::options().read(true).write(true).open("/dev/fuse")?);
    let options = format!(
        "fd={},rootmode=40000,user_id=0,group_id=0,default_permissions,allow_other",
        fuse.as_raw_fd()
    );
    let (source, kind) = (Some("disco"), Some("fuse"));
    mount(source, mountpoint.as_str(), kind, MsFlags::MS_NODEV, Some(options.as_str()))?;
    serve(Arc::new(overlay), fuse, Writes::Through)?.join()?;
    Ok(())
}
