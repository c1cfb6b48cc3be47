//! How the process treats memory that it has freed.

/// Keeps freed memory for what is allocated next, instead of giving it back to the system.
///
/// A training step frees and asks for gigabytes in pieces of many megabytes. By default the C library fetches each of those
/// from the system and gives it back, and the system clears every page anew: a tenth of a step on a CPU.
pub(super) fn keep_freed() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    for (option, value) in [(libc::M_MMAP_MAX, 0), (libc::M_TRIM_THRESHOLD, -1), (libc::M_TOP_PAD, 64 << 20)]
    {
        // SAFETY: it only sets a number of the allocator, which takes any; it is called before other threads are.
        let set = unsafe { libc::mallopt(option, value) };
        if set == 0 {
            tracing::debug!("the allocator does not take option {option}");
        }
    }
}
