//! Work beside the stream of which only the newest counts: one thread at a time does it, and what is wanted while it works
//! waits in one place, where something newer takes its place. So neither threads nor engines pile up, however fast
//! properties change.
//!
//! Not here: what the work is ([`super::prompts`], [`super::swap`]).

/// What is wanted next, and whether a thread is at work.
#[derive(Debug)]
pub(super) struct Newest<T> {
    wanted: Option<T>,
    busy: bool,
}

impl<T> Default for Newest<T> {
    fn default() -> Self {
        Self { wanted: None, busy: false }
    }
}

impl<T> Newest<T> {
    /// Wants `work` done, in place of what waits. True when whoever calls has to start a thread that does it.
    pub(super) fn want(&mut self, work: T) -> bool {
        self.wanted = Some(work);
        !std::mem::replace(&mut self.busy, true)
    }

    /// For the thread: what to do next. Without anything the thread has to end.
    pub(super) fn next(&mut self) -> Option<T> {
        let next = self.wanted.take();
        self.busy = next.is_some();
        next
    }

    /// For whoever could not start the thread: what it would have done.
    pub(super) fn give_up(&mut self) -> Option<T> {
        self.busy = false;
        self.wanted.take()
    }

    /// Wants nothing any more. What is being done goes on to its end.
    pub(super) fn leave(&mut self) {
        self.wanted = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thread_does_the_newest_and_ends_when_there_is_nothing() {
        let mut newest = Newest::default();
        assert!(newest.want(1), "a thread has to be started");
        assert_eq!(newest.next(), Some(1));
        assert!(!newest.want(2) && !newest.want(3), "it is at work");
        assert_eq!(newest.next(), Some(3));
        newest.want(4);
        newest.leave();
        assert_eq!(newest.next(), None);
        assert!(newest.want(5), "that one has ended");
        assert_eq!(newest.give_up(), Some(5));
        assert!(newest.want(6), "that one was not started");
    }
}
