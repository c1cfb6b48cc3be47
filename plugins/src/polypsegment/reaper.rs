//! Ends that may take a while, off the streaming thread: an engine's thread is waited for, its process is killed, its memory
//! is given back.
//!
//! One thread of the process does it, and never ends. Should it have too much to do, others help.

use std::sync::LazyLock;
use std::thread::Builder;

use crossbeam_channel::{Receiver, Sender, bounded};

/// Ends that may wait; an engine that hangs takes a second.
const WAITING: usize = 16;

type End = Box<dyn Send>;

static REAPER: LazyLock<Sender<End>> = LazyLock::new(|| {
    let (to, from): (Sender<End>, Receiver<End>) = bounded(WAITING);
    // Without a thread its end of the channel is gone, which `reap` sees.
    Builder::new().name("polyp-reaper".to_owned()).spawn(move || from.into_iter().for_each(drop)).ok();
    to
});

/// Has the reaper ready, so that the streaming thread does not start it.
pub(super) fn be_ready() {
    LazyLock::force(&REAPER);
}

/// Drops `thing` elsewhere. Never waits; where the system has no thread left, it is dropped here.
pub(super) fn reap(thing: impl Send + 'static) {
    if let Err(error) = REAPER.try_send(Box::new(thing)) {
        let thing = error.into_inner();
        Builder::new().name("polyp-reaper".to_owned()).spawn(move || drop(thing)).ok();
    }
}

#[cfg(test)]
mod tests {
    use std::thread::{self, ThreadId};

    use super::*;

    struct Noting(Sender<ThreadId>);

    impl Drop for Noting {
        fn drop(&mut self) {
            self.0.send(thread::current().id()).ok();
        }
    }

    /// Waits to be dropped to its end.
    struct Slow(Receiver<()>);

    impl Drop for Slow {
        fn drop(&mut self) {
            self.0.recv().ok();
        }
    }

    #[test]
    fn everything_ends_elsewhere_even_behind_ends_that_take_long() {
        let (go_on, slow) = bounded(0);
        reap(Slow(slow));
        let (note, noted) = bounded(100);
        (0..3 * WAITING).for_each(|_| reap(Noting(note.clone())));
        drop(go_on);
        for _ in 0..3 * WAITING {
            assert_ne!(noted.recv(), Ok(thread::current().id()));
        }
    }
}
