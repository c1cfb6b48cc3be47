//! The kernels' source, for the compiler that a card has and for any that a CPU has.
//!
//! Not here: compiling or launching them.

/// The kernels, without the words that differ between a card and a CPU: a frame to the network and back, and painting.
const KERNELS: &str = concat!(include_str!("kernels.cu"), include_str!("paint.cu"));

/// The source for NVRTC. Compile it with [`CARD_OPTIONS`].
pub fn card_source() -> String {
    format!("{}{KERNELS}", include_str!("card.h"))
}

/// The same functions for a C++ compiler (C++11 or newer). Compile it with [`HOST_OPTIONS`]; `polyp_thread(x, y, z)` chooses the
/// thread that the next call is.
pub fn host_source() -> String {
    format!("{}{KERNELS}", include_str!("host.h"))
}

/// What keeps a product and a sum two roundings on a card.
pub const CARD_OPTIONS: [&str; 1] = ["--fmad=false"];
/// The same for GCC and Clang.
pub const HOST_OPTIONS: [&str; 1] = ["-ffp-contract=off"];

/// The kernels as NVRTC 12.4 makes them of [`card_source`] for compute capability 7.5: what drivers for CUDA 12.4 and later compile
/// for their card when it is loaded. `engines/tests/kernels` says whether it is of today's source, and makes it anew.
pub const PTX: &str = include_str!("kernels.ptx");

/// Every kernel's name.
pub const NAMES: [&str; 9] = [
    "polyp_shrink",
    "polyp_moments",
    "polyp_normalise_f32",
    "polyp_normalise_f16",
    "polyp_decode_f32",
    "polyp_decode_f16",
    "polyp_sort",
    "polyp_paint",
    "polyp_badge",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kernel_is_named() {
        let source = card_source();
        let declared: Vec<&str> = source
            .split("extern \"C\" __global__ void ")
            .skip(1)
            .filter_map(|rest| rest.split_once('(').map(|(name, _)| name))
            .collect();
        assert_eq!(declared, NAMES);
    }
}
