//! Things that several hold for a while, made in the memory of ones that nobody holds any more.

use std::sync::Arc;

/// Keeps what it gave out, to use its memory again.
#[derive(Debug)]
pub struct Reuse<T> {
    kept: Vec<Arc<T>>,
    most: usize,
    /// Where to look next: in turn, so that what nobody holds is not kept as it was for long.
    next: usize,
}

impl<T> Reuse<T> {
    /// Keeps at most `most`: as many as are held at once, and one.
    pub fn new(most: usize) -> Self {
        Self { kept: Vec::with_capacity(most), most, next: 0 }
    }

    /// What `make` makes, in the place of one that nobody holds, which it is given to take memory from. Without such a one it is
    /// new, and allocated.
    ///
    /// # Errors
    /// What `make` says.
    pub fn share<E>(&mut self, make: impl FnOnce(Option<&mut T>) -> Result<T, E>) -> Result<Arc<T>, E> {
        let count = self.kept.len();
        for step in 0..count {
            let place = (self.next + step) % count;
            let Some(slot) = self.kept.get_mut(place) else { continue };
            if let Some(free) = Arc::get_mut(slot) {
                self.next = place + 1;
                *free = make(Some(free))?;
                return Ok(Arc::clone(slot));
            }
        }
        let fresh = Arc::new(make(None)?);
        if count < self.most {
            self.kept.push(Arc::clone(&fresh));
        }
        Ok(fresh)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(reuse: &mut Reuse<Vec<u8>>, value: u8) -> Arc<Vec<u8>> {
        let make = |old: Option<&mut Vec<u8>>| -> Result<Vec<u8>, ()> {
            let mut bytes = old.map(std::mem::take).unwrap_or_default();
            bytes.clear();
            bytes.resize(100, value);
            Ok(bytes)
        };
        reuse.share(make).unwrap()
    }

    #[test]
    fn what_is_held_stays_and_what_is_not_is_used_again() {
        let mut reuse = Reuse::new(2);
        let (first, second) = (share(&mut reuse, 1), share(&mut reuse, 2));
        let place = first.as_ptr();
        // More than are kept: a new one.
        let third = share(&mut reuse, 3);
        assert_eq!((first[0], second[0], third[0]), (1, 2, 3));
        drop(first);
        let fourth = share(&mut reuse, 4);
        assert_eq!((fourth.as_ptr(), fourth[0], second[0], third[0]), (place, 4, 2, 3));
    }

    #[test]
    fn they_are_used_in_turn() {
        let mut reuse = Reuse::new(3);
        let all: Vec<_> = (0..3).map(|value| share(&mut reuse, value)).collect();
        let places: Vec<_> = all.iter().map(|one| one.as_ptr()).collect();
        drop(all);
        let again: Vec<_> = (0..6).map(|value| share(&mut reuse, value).as_ptr()).collect();
        assert_eq!(again, [places.clone(), places].concat());
    }

    #[test]
    fn a_failure_leaves_it_usable() {
        let mut reuse = Reuse::new(1);
        drop(share(&mut reuse, 1));
        assert_eq!(reuse.share(|_| Err::<Vec<u8>, _>("no")), Err("no"));
        assert_eq!(share(&mut reuse, 2)[..3], [2, 2, 2]);
    }
}
