//! TensorRT comes in two flavours with one interface, of which a program is built for one.

use std::ffi::c_int;

use crate::deps::Dependency;

/// A flavour of TensorRT.
#[derive(Clone, Copy, Debug)]
pub struct Flavour {
    /// Its name in options and reports; the cargo feature has the same.
    pub name: &'static str,
    /// Its name for people.
    pub product: &'static str,
    /// Its versions that can be used, for people.
    pub versions: &'static str,
    /// The same as the library counts them. Other versions have other tables of functions, and calling them is a crash and not an error.
    pub known: (c_int, c_int),
    /// Its library.
    pub dependency: Dependency,
    /// The ONNX parser's library, which lies beside it.
    pub parser: &'static str,
    /// Whether a plan is of the very card that it is made on; if not, no card is needed to make one.
    pub needs_card: bool,
}

/// For carts with RTX cards. The binding's headers are 1.5: later versions only append, as far as 1.7.
pub const RTX: Flavour = Flavour {
    name: "tensorrt-rtx",
    product: "TensorRT for RTX",
    versions: "1.5 to 1.7",
    known: (10_500, 10_799),
    dependency: Dependency::TensorRtRtx,
    parser: "libtensorrt_onnxparser_rtx.so.1",
    needs_card: false,
};

/// For data centres' and embedded cards. The binding's headers are 11.4, and nobody has said what fits them besides.
pub const FULL: Flavour = Flavour {
    name: "tensorrt",
    product: "TensorRT",
    versions: "11.4",
    known: (110_400, 110_499),
    dependency: Dependency::TensorRt,
    parser: "libnvonnxparser.so.11",
    needs_card: true,
};

/// The flavour that this program is built for, or would be.
pub const FLAVOUR: Flavour = if cfg!(feature = "tensorrt") { FULL } else { RTX };
