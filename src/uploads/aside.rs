//! What a server has refused for good, and lies aside: it can be looked at, sent once more, or removed.

use super::spool::{Aside, Spool, SpoolError, names, surplus};
use crate::sys::files::{self, Ownership};

impl Spool {
    /// What was refused, the oldest first; what cannot be read is left out.
    pub fn refused(&self) -> Result<Vec<Aside>, SpoolError> {
        let mut found = Vec::new();
        for name in names(&self.aside())? {
            let bytes = files::read_bytes_if_there(&self.aside().join(name))?.unwrap_or_default();
            found.extend(serde_json::from_slice::<Aside>(&bytes));
        }
        Ok(found)
    }

    /// Puts what was refused back to what waits, in its old place. Whoever does so holds [`Spool::lock`]. A crash in between leaves it
    /// in both, and it goes once more than it had to. Returns how much it was.
    pub fn put_back(&self) -> Result<usize, SpoolError> {
        let mut number = 0;
        for name in names(&self.aside())? {
            let path = self.aside().join(&name);
            let bytes = files::read_bytes_if_there(&path)?.unwrap_or_default();
            let Ok(Aside { item, .. }) = serde_json::from_slice(&bytes) else { continue };
            let text = serde_json::to_vec(&item)?;
            files::write_whole(&self.folder.join(&name), &text, Ownership::New(0o600))?;
            files::remove_file(&path)?;
            number += 1;
        }
        // What a node says of itself now is not replaced by what it said then.
        let waiting = self.waiting()?;
        let mut old = surplus(&waiting, 0).into_iter().filter(|one| one.target.is_replaced());
        old.try_for_each(|one| self.remove(one))?;
        Ok(number)
    }

    /// Removes what was refused, for good. Returns how much it was.
    pub fn drop_refused(&self) -> Result<usize, SpoolError> {
        let names = names(&self.aside())?;
        names.iter().try_for_each(|name| files::remove_file(&self.aside().join(name)))?;
        Ok(names.len())
    }
}
