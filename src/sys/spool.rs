//! Where text waits that is to become a file of the sandbox: nameless, gone with its last descriptor.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use rustix::fs::{MemfdFlags, memfd_create};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// An empty spool in memory.
pub fn in_memory() -> io::Result<File> {
    Ok(File::from(memfd_create("disco-spool", MemfdFlags::CLOEXEC)?))
}

/// A spool in memory that holds `value` as JSON.
pub fn of_json(value: &impl Serialize) -> io::Result<File> {
    let mut spool = in_memory()?;
    spool.write_all(&serde_json::to_vec(value)?)?;
    Ok(spool)
}

/// The values that a spool holds, each a line of JSON; a last line without its end, of a writer that was killed, is none.
pub fn json_lines<T: DeserializeOwned>(spool: &mut File) -> io::Result<Vec<T>> {
    let mut text = String::new();
    spool.rewind()?;
    spool.read_to_string(&mut text)?;
    let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    Ok(whole.map(serde_json::from_str).collect::<Result<_, _>>()?)
}

/// An empty spool on the file system of that folder, for what may be large.
pub fn on_disk(folder: &Path) -> io::Result<File> {
    tempfile::tempfile_in(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_there_from_the_start() {
        let mut spool = of_json(&["a\nb"]).unwrap();
        spool.write_all(b"\n[\"c").unwrap();
        assert_eq!(json_lines::<[String; 1]>(&mut spool).unwrap(), [["a\nb"]]);
    }
}
