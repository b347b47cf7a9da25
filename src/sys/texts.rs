//! Where the texts of a run's differences are put away: one nameless file on the disk, gone with its last user. A run that
//! changes 100,000 files would have all of them in memory otherwise.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::text::{Store, Text};
use crate::sys::spool;

/// Shorter ones stay in memory: their place would be as long.
const SHORT: usize = 32;

/// A place for texts; a clone is the same one. One without a file keeps them in memory.
#[derive(Debug, Clone, Default)]
pub struct Texts(Option<Arc<Away>>);

#[derive(Debug)]
struct Away {
    file: File,
    end: Mutex<u64>,
}

impl Texts {
    /// On the file system of that folder.
    pub fn on_disk(folder: &Path) -> io::Result<Texts> {
        Ok(Texts(Some(Arc::new(Away { file: spool::on_disk(folder)?, end: Mutex::new(0) }))))
    }

    /// Puts a text away.
    pub fn put(&self, text: Text) -> io::Result<Text> {
        let Some(away) = self.0.as_ref().filter(|_| text.len() > SHORT) else { return Ok(text) };
        let mut end = away.end.lock().unwrap_or_else(PoisonError::into_inner);
        let at = *end;
        away.file.write_all_at(text.read()?.as_bytes(), at)?;
        *end += text.len() as u64;
        Ok(Text::away(away.clone(), at, text.len()))
    }
}

impl Store for Away {
    fn read(&self, at: u64, length: usize) -> io::Result<String> {
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, at)?;
        String::from_utf8(bytes).map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_and_are_compared_by_what_they_say() {
        let texts = Texts::on_disk(&std::env::temp_dir()).unwrap();
        let all = [String::new(), "short".to_owned(), "x".repeat(1000), "é".repeat(500)];
        let put = all.clone().map(|text| texts.put(text.into()).unwrap());
        for (text, put) in all.iter().zip(&put) {
            assert_eq!(put.read().unwrap(), text.as_str());
            assert_eq!(*put, Text::from(text.as_str()));
            assert_eq!(serde_json::to_string(put).unwrap(), serde_json::to_string(text).unwrap());
        }
        assert_ne!(put[2], put[3], "the same length");
        drop(texts);
        assert_eq!(put[3].shown(), all[3], "a text keeps its store");
    }
}
