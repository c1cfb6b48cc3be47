//! The widest vector instructions that the machine has, for loops that the compiler turns into them.
//!
//! Programs are built for every x86-64, whose vectors are 16 bytes; most have 32, some 64. What runs here is compiled for all three, and the machine decides.
//! Results do not depend on it: no operation is reordered or fused.

use pulp::{Arch, Simd, WithSimd};

/// Pixels that are worked on at once: a loop over an array is all vectors, where one over a slice ends with what is left of
/// it, pixel by pixel. Slices that are worked on in arrays are longer than they need to be.
pub(crate) const LANES: usize = 16;

/// Something to be compiled for every width of vectors.
pub(crate) trait Work {
    /// What comes of it.
    type Output;

    /// Does it. Has to be `#[inline(always)]`, as everything that it calls that is to gain: a function that stands alone is
    /// compiled for 16 bytes. (This is why it is no closure: those can not be told.)
    fn run(self) -> Self::Output;
}

/// Runs `work`, compiled for the machine's vectors.
#[inline]
pub(crate) fn widest<W: Work>(work: W) -> W::Output {
    Arch::new().dispatch(Compiled(work))
}

struct Compiled<W>(W);

impl<W: Work> WithSimd for Compiled<W> {
    type Output = W::Output;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> W::Output {
        self.0.run()
    }
}
