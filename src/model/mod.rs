//! The network, described once.
//!
//! A block is a struct of [`Param`]s and a `forward` that is generic over what runs it: [`FrameOps`] for all
//! that happens on every frame, [`PromptOps`] for what happens once per prompt. Four interpreters exist:
//! [`shapes`] (checks, here), the plain CPU reference and the ONNX writer (`polyp-engine`), and tch
//! (`polyp-training`). A parameter's dotted path is the tch variable, the safetensors key and the ONNX
//! initializer, so there is no table of names to keep in step. The ONNX writer implements [`FrameOps`] only:
//! a selective scan in the frame graph does not compile.
//!
//! Source: Das et al., "Uncertainty-Aware Vision-Language Segmentation for Medical Imaging",
//! arXiv 2602.14498, WACV 2026; written from the paper.
//!
//! Not here: weights, devices, gradients.

mod attention;
mod convnext;
mod decoder;
mod efficientnet;
mod modab;
mod network;
mod ops;
mod param;
mod prompt;
pub mod shapes;
mod spec;
mod ssmix;

pub use attention::{position_table, split_heads};
pub use convnext::ConvNext;
pub use decoder::{Head, UpBlock};
pub use efficientnet::{EfficientNetLite, LiteSize};
pub use modab::MoDab;
pub use network::{ImageEncoder, LEVELS, Network};
pub use ops::{AttentionInputs, BatchNorm, Conv2d, FrameOps, Mode, PromptOps, ScanInputs};
pub use param::{Init, Param, Role};
pub use prompt::{LevelMemory, PromptLevel};
pub use spec::{Encoder, Fusion, Mixer, ModelSpec, PROMPT_TOKENS};
pub use ssmix::SsMix;

/// Why a model can not be built or run.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ModelError {
    /// Two shapes do not go together.
    #[error("{op}: expected {expected}, found {found}")]
    Shape {
        /// The operation or the parameter.
        op: String,
        /// What it needs.
        expected: String,
        /// What it was given.
        found: String,
    },
    /// A parameter has no value.
    #[error("parameter {path}: expected a tensor of shape {expected:?}, found none")]
    Missing {
        /// The parameter's dotted path.
        path: String,
        /// Its shape.
        expected: Vec<usize>,
    },
    /// An interpreter's own failure.
    #[error("{op}: {message}")]
    Backend {
        /// The operation.
        op: String,
        /// What the interpreter says.
        message: String,
    },
    /// A specification that no network fits.
    #[error("model spec, field {field}: expected {expected}, found {found}")]
    Spec {
        /// The field.
        field: &'static str,
        /// What it may be.
        expected: String,
        /// What it is.
        found: String,
    },
}
