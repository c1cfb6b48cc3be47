//! Work on many items by several threads, its results taken in the items' order, with few of them waiting.
//!
//! Item `k` is worked on by thread `k % threads`, and each thread has a short queue of its own, as the batches
//! of [`crate::data::Loader`] have.
//!
//! Not here: what is done with an item.

use std::thread::available_parallelism;

use crossbeam_channel::bounded;

/// Results that wait, per thread.
const QUEUE: usize = 1;

/// Threads at most: a decoded picture can have hundreds of megabytes.
const THREADS: usize = 16;

/// Calls `work` on every item, on as many threads as the machine has processors, and `take` with each result on
/// this thread, in order. Ends with the first error of `take`.
pub(super) fn in_order<T: Sync, R: Send, E>(
    items: &[T],
    work: impl Fn(&T) -> R + Sync,
    mut take: impl FnMut(usize, R) -> Result<(), E>,
) -> Result<(), E> {
    let threads = available_parallelism().map_or(1, usize::from).min(THREADS).min(items.len().max(1));
    std::thread::scope(|scope| {
        let queues: Vec<_> = (0..threads)
            .map(|first| {
                let (sender, receiver) = bounded(QUEUE);
                let work = &work;
                scope.spawn(move || {
                    for item in items.iter().skip(first).step_by(threads) {
                        if sender.send(work(item)).is_err() {
                            return; // an error ended it
                        }
                    }
                });
                receiver
            })
            .collect();
        for index in 0..items.len() {
            // A thread that panicked sends nothing more; the scope passes its panic on.
            let Ok(result) = queues[index % threads].recv() else { break };
            take(index, result)?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_until_an_error() {
        let items: Vec<usize> = (0..1000).collect();
        let mut seen = Vec::new();
        let take = |index: usize, square: usize| {
            seen.push((index, square));
            if index == 700 { Err("enough") } else { Ok(()) }
        };
        assert_eq!(in_order(&items, |item| item * item, take), Err("enough"));
        assert_eq!(seen, (0..=700).map(|index| (index, index * index)).collect::<Vec<_>>());
        assert_eq!(in_order(&items[..0], |item| *item, |_, _| Err("never")), Ok(()));
    }
}
