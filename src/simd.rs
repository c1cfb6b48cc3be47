//! The widest vector instructions that the machine has, for loops that the compiler turns into them.
//!
//! Programs are built for every x86-64, whose vectors are 16 bytes; most have 32, some 64. What runs here is compiled for all three, and the machine decides.
//! Results do not depend on it: no operation is reordered or fused.

/// Runs `work`, compiled for the machine's vectors. Only what is inlined into `work` is: functions that it calls have to be
/// `#[inline(always)]` to gain from it.
#[inline]
pub(crate) fn widest<R>(work: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(work)
}
