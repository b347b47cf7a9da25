//! A bell between threads: who rings says something, and waits until whoever watches descriptors has seen to it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use rustix::event::EventfdFlags;

/// Whoever rings.
#[derive(Debug, Clone)]
pub struct Ringer<T> {
    fd: Arc<OwnedFd>,
    says: SyncSender<Heard<T>>,
}

/// The bell: its descriptor can be read while somebody waits to be heard.
#[derive(Debug)]
pub struct Bell<T> {
    fd: Arc<OwnedFd>,
    heard: Receiver<Heard<T>>,
}

/// What somebody says who waits until this is dropped.
#[derive(Debug)]
pub struct Heard<T> {
    /// What he says.
    pub what: T,
    _waits: SyncSender<()>,
}

/// Nobody hears the bell any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deaf;

/// A bell, and who rings it.
pub fn bell<T>() -> io::Result<(Ringer<T>, Bell<T>)> {
    let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK | EventfdFlags::SEMAPHORE;
    let fd = Arc::new(rustix::event::eventfd(0, flags)?);
    // Without a place to leave it: who says something waits until it is taken.
    let (says, heard) = sync_channel(0);
    Ok((Ringer { fd: fd.clone(), says }, Bell { fd, heard }))
}

impl<T> Ringer<T> {
    /// Says it, and returns when it was seen to.
    pub fn ring(&self, what: T) -> Result<(), Deaf> {
        // It can only be full after 2^64 rings that nobody has heard.
        rustix::io::write(&*self.fd, &1u64.to_ne_bytes()).map_err(|_| Deaf)?;
        let (waits, seen_to) = sync_channel(0);
        self.says.send(Heard { what, _waits: waits }).map_err(|_| Deaf)?;
        // Nothing is ever said there: it ends.
        let _ = seen_to.recv();
        Ok(())
    }
}

impl<T> Bell<T> {
    /// Takes what one of those says who ring, if anybody does.
    pub fn hear(&self) -> Option<Heard<T>> {
        let mut count = [0; 8];
        // Each ring counts one: who has rung is about to say it.
        rustix::io::read(&*self.fd, &mut count).ok().and_then(|_| self.heard.recv().ok())
    }
}

impl<T> AsFd for Bell<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{PollFd, PollFlags, poll};

    #[test]
    fn everybody_who_rings_is_heard_and_waits_for_it() {
        let (ringer, bell) = bell().unwrap();
        assert!(bell.hear().is_none());
        let taken = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for number in 0..4 {
                let (ringer, taken) = (ringer.clone(), &taken);
                scope.spawn(move || {
                    ringer.ring(number).unwrap();
                    assert!(taken.load(std::sync::atomic::Ordering::SeqCst) > 0, "before it was seen to");
                });
            }
            let mut heard = Vec::new();
            while heard.len() < 4 {
                poll(&mut [PollFd::new(&bell, PollFlags::IN)], None).unwrap();
                let one = bell.hear().unwrap();
                std::thread::sleep(std::time::Duration::from_millis(2));
                taken.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                heard.push(one.what);
            }
            heard.sort_unstable();
            assert_eq!(heard, [0, 1, 2, 3]);
        });
        assert!(bell.hear().is_none());
        drop(bell);
        assert_eq!(ringer.ring(5), Err(Deaf));
    }
}
