//! Memory that two processes see: a picture, the prompt memory, the logits.
//!
//! Its length is sealed, so that neither side can pull it away from under the other.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::{NonNull, null_mut};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fstat, ftruncate, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// How many numbers each part has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// `[3, side, side]`.
    pub(super) image: usize,
    /// All tensors of the prompt memory, one after the other.
    pub(super) memory: usize,
    /// `[side, side]`.
    pub(super) logits: usize,
}

impl Layout {
    pub(super) fn new(side_px: usize, memory: usize) -> Self {
        Self { image: 3 * side_px * side_px, memory, logits: side_px * side_px }
    }

    fn count(&self) -> usize {
        self.image + self.memory + self.logits
    }
}

/// A part of the memory.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    Image,
    Memory,
    Logits,
}

/// The memory, mapped. The two sides take turns, which the words on the socket say; none keeps a reference.
#[derive(Debug)]
pub(super) struct Shared {
    file: OwnedFd,
    start: NonNull<f32>,
    layout: Layout,
}

// SAFETY: the mapping is the process's and not a thread's, and is only reached through `&mut self`.
unsafe impl Send for Shared {}

impl Shared {
    /// New memory, zeroed.
    pub(super) fn new(layout: Layout) -> io::Result<Self> {
        let file = memfd_create("polyp-engine", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        ftruncate(&file, 4 * layout.count() as u64)?;
        fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
        Self::map(file, layout)
    }

    /// Memory that another process made.
    pub(super) fn map(file: OwnedFd, layout: Layout) -> io::Result<Self> {
        let bytes = 4 * layout.count();
        let found = fstat(&file)?.st_size;
        if usize::try_from(found) != Ok(bytes) {
            let words = format!("shared memory: expected {bytes} bytes, found {found}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, words));
        }
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping of a file that is that long and can not be made shorter.
        let start = unsafe { mmap(null_mut(), bytes, access, MapFlags::SHARED, &file, 0) }?;
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { file, start, layout })
    }

    pub(super) fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Copies `values` into a part; more of them than it has are left out.
    pub(super) fn write(&mut self, part: Part, values: &[f32]) {
        let (place, count) = self.part(part);
        // SAFETY: the part is that long, and the other process does not have its turn.
        unsafe { std::ptr::copy_nonoverlapping(values.as_ptr(), place, count.min(values.len())) };
    }

    /// Copies a part to the end of `values`.
    pub(super) fn read(&mut self, part: Part, values: &mut Vec<f32>) {
        let (place, count) = self.part(part);
        values.reserve(count);
        let old = values.len();
        // SAFETY: as above; room for as many was just made, and any bits are a number.
        unsafe {
            std::ptr::copy_nonoverlapping(place, values.as_mut_ptr().add(old), count);
            values.set_len(old + count);
        }
    }

    /// A part as it lies there, while this side has its turn.
    pub(super) fn view(&mut self, part: Part) -> &[f32] {
        let (place, count) = self.part(part);
        // SAFETY: the part is that long, any bits are a number, and the other process does not write before it was answered.
        unsafe { std::slice::from_raw_parts(place, count) }
    }

    fn part(&mut self, part: Part) -> (*mut f32, usize) {
        let Layout { image, memory, logits } = self.layout;
        let (from, count) = match part {
            Part::Image => (0, image),
            Part::Memory => (image, memory),
            Part::Logits => (image + memory, logits),
        };
        // SAFETY: within the mapping, whose length is the sum of all parts.
        (unsafe { self.start.as_ptr().add(from) }, count)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: ours, once; nobody holds a reference into it.
        if let Err(error) = unsafe { munmap(self.start.as_ptr().cast(), 4 * self.layout.count()) } {
            tracing::warn!(%error, "shared memory could not be given back");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_mappings_see_the_same_parts_and_nobody_can_cut_them() {
        let layout = Layout::new(4, 5);
        let mut one = Shared::new(layout).unwrap();
        let mut other = Shared::map(one.file().try_clone_to_owned().unwrap(), layout).unwrap();
        for (part, count, value) in [(Part::Image, 48, 1.5), (Part::Memory, 5, 2.5), (Part::Logits, 16, 3.5)]
        {
            one.write(part, &vec![value; count + 9]);
            let mut found = vec![7.0];
            other.read(part, &mut found);
            assert_eq!(found.len(), 1 + count);
            assert!(found[1..].iter().all(|number| *number == value));
        }
        let mut image = Vec::new();
        other.read(Part::Image, &mut image);
        assert_eq!(image, [1.5; 48], "what was too long did not run over");
        assert!(ftruncate(one.file(), 4).is_err());
        let error = Shared::map(one.file().try_clone_to_owned().unwrap(), Layout::new(5, 5)).unwrap_err();
        assert_eq!(error.to_string(), "shared memory: expected 420 bytes, found 276");
    }
}
