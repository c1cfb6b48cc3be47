//! What runs frames: the trait, the slice of all that can, and the words of both.
//!
//! Not here: any implementation ([`crate::backend`]), and waiting for one ([`crate::worker`]).

use std::fmt;
use std::sync::Arc;

use polyp::input::Placement;
use serde::Serialize;

use crate::backend;
use crate::cuda::frame::{CardFrame, FrameRing};
use crate::error::EngineError;
use crate::folder::EngineFolder;
use crate::memory::PromptMemory;

/// A network on a device, ready for frames.
///
/// One thread owns it at a time. Only what waits behind a queue calls it; see [`crate::worker::Worker`].
pub trait Engine {
    /// What it is, for people and reports.
    fn description(&self) -> &Description;

    /// Runs `batch` pictures of `images` against one prompt and writes their logits, in the same order, to
    /// `logits` (cleared first).
    ///
    /// # Shapes
    /// images `[batch, 3, side, side]` and the memory's `[T, C]` tensors -> logits `[batch, 1, side, side]`.
    ///
    /// # Errors
    /// [`EngineError`] when a length or the memory does not fit, when the library fails, or when a logit is
    /// not finite. `logits` is then of no use.
    fn infer(
        &mut self,
        images: &[f32],
        batch: usize,
        memory: &PromptMemory,
        logits: &mut Vec<f32>,
    ) -> Result<(), EngineError>;

    /// The engine as one that takes frames as they come, if it is one.
    fn frames(&mut self) -> Option<&mut dyn FrameEngine> {
        None
    }
}

/// An engine that makes the network's input and the masks itself, on the device, a batch of frames at a time.
pub trait FrameEngine {
    /// The batch sizes that it was made ready for, rising; other numbers of frames run as the next larger one.
    fn sizes(&self) -> &[usize];

    /// How many batches may be begun before the oldest is finished.
    fn lanes(&self) -> usize;

    /// What gives memory for frames.
    fn ring(&self) -> Arc<FrameRing>;

    /// Whether from now on batches run step by step and not as one: slower, and [`Stages`] has every step. For measuring.
    fn run_in_steps(&mut self, in_steps: bool);

    /// Begins a batch against one prompt and returns at once.
    ///
    /// # Errors
    /// [`EngineError`] when it is empty or too large, too many are begun, the memory does not fit, or the device fails.
    fn submit(&mut self, frames: Vec<CardFrame>, memory: &PromptMemory) -> Result<(), EngineError>;

    /// Whether [`Self::finish`] would not wait.
    ///
    /// # Errors
    /// [`EngineError`] when the device fails.
    fn is_done(&mut self) -> Result<bool, EngineError>;

    /// Waits for the oldest batch: a mask, or why there is none, for each of its frames, in their order. What is in `masks` is replaced and
    /// its memory used again.
    ///
    /// # Errors
    /// [`EngineError`] when none was begun or the device fails; no frame of that batch has a mask then.
    fn finish(&mut self, masks: &mut Vec<Result<Mask, EngineError>>) -> Result<Stages, EngineError>;
}

/// What the network says of one frame, as bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mask {
    /// Where it lies in the frame.
    pub placement: Option<Placement>,
    /// Calibrated probabilities, row by row: 255 is 1.
    pub probability: Vec<u8>,
    /// The doubt of each (binary entropy): 255 is 1 bit.
    pub doubt: Vec<u8>,
}

impl Mask {
    /// Replaces what it is; its memory is used again.
    pub fn fill(&mut self, placement: Placement, probability: &[u8], doubt: &[u8]) {
        self.placement = Some(placement);
        for (to, from) in [(&mut self.probability, probability), (&mut self.doubt, doubt)] {
            to.clear();
            to.extend_from_slice(from);
        }
    }
}

/// Where a batch's time on the device went, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Stages {
    /// Frames to the device.
    pub upload: f32,
    /// From there to finished masks, with the wait for the batch before.
    pub compute: f32,
    /// Masks back, with the wait for the batch before.
    pub download: f32,
    /// From first to last.
    pub total: f32,
    /// Of the computation: making the input, the network, making masks. Only of batches that run step by step.
    pub steps: Option<[f32; 3]>,
}

/// What an open engine is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Description {
    /// The backend's name in [`BACKENDS`].
    pub backend: &'static str,
    /// The library that runs it, with its version.
    pub library: String,
    /// The precision in use: never [`Precision::Auto`].
    pub precision: Precision,
    /// Threads that work on a frame.
    pub threads: usize,
    /// The engine folder's name.
    pub model: String,
    /// Rows and columns of the input and of the logits, in pixels.
    pub side_px: usize,
}

/// The numbers that a network is computed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// The fastest that the machine has and the backend can use: f16 on cards, bf16 where the CPU multiplies it, else f32.
    #[default]
    Auto,
    /// 32-bit floating point.
    F32,
    /// 16-bit floating point, sums in 32 bits. Cards alone.
    F16,
    /// Products in bfloat16, sums in 32 bits. Refused on a CPU that would only emulate it.
    Bf16,
    /// 8-bit integers where the folder has a network for it ([`crate::quantise`]), floats for the rest. CPUs alone, and never
    /// by itself: it has to be asked for.
    Int8,
}

impl Precision {
    /// Every precision, in the order in which tools list them.
    pub const ALL: [Self; 5] = [Self::Auto, Self::F32, Self::F16, Self::Bf16, Self::Int8];

    /// Its name in options, manifests and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
        }
    }

    /// The precision of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|precision| precision.name() == name)
    }
}

/// How to run an engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The numbers to compute in.
    pub precision: Precision,
    /// Threads that work on a frame; 0 for as many as the machine has cores.
    pub threads: usize,
    /// The most pictures that a card runs at once; 0 for 8. CPUs run any number.
    pub largest_batch: usize,
}

/// A way to run an engine folder.
pub struct Backend {
    /// Its name in options and reports.
    pub name: &'static str,
    /// What it is, in one sentence.
    pub help: &'static str,
    /// The numbers that it can compute in, where the machine can.
    pub precisions: &'static [Precision],
    /// Whether this program and this machine have what it needs.
    pub available: fn() -> Result<(), EngineError>,
    /// Whether it computes on the CPU, beside the picture and whatever else runs there.
    pub on_cpu: bool,
    /// What has to be done once on a machine before a folder is opened, where that takes long; `None` where nothing
    /// does. Whoever plays live does it beside the picture.
    pub prepare: Option<Prepare>,
    /// Opens a folder. Refuses a network file that is not the manifest's, and options that it can not follow.
    pub open: OpenEngine,
}

/// Makes what `open` will need of a folder with these options, as a plan, and says how far it is; done already, it comes
/// back at once. `progress` may be called from any thread and at any pace.
///
/// It can not be told to stop: whoever no longer wants it leaves it to its end, and may begin another meanwhile, so two
/// of them at once have to come out right.
///
/// # Errors
/// [`EngineError`] saying what could not be made.
pub type Prepare =
    fn(&EngineFolder, &Options, progress: &(dyn Fn(Progress) + Send + Sync)) -> Result<(), EngineError>;

/// How far a preparation is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being done, in the library's words, as `Building engine`.
    pub phase: String,
    /// Steps done of it.
    pub done: usize,
    /// Steps there are.
    pub steps: usize,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { phase, done, steps } = self;
        write!(f, "{phase}: {done} of {steps}")
    }
}

/// Opens an engine folder with options.
pub type OpenEngine = fn(&EngineFolder, &Options) -> Result<Box<dyn Engine>, EngineError>;

/// Every backend, the default first. Which one runs is said by whoever asks; none stands in for another.
pub const BACKENDS: &[Backend] = &[
    Backend {
        name: "openvino",
        help: "OpenVINO on the CPU: f32, bf16 where the CPU multiplies it, int8 where the engine has it",
        precisions: &[Precision::F32, Precision::Bf16, Precision::Int8],
        on_cpu: true,
        available: backend::openvino::available,
        prepare: None,
        open: backend::openvino::open,
    },
    Backend {
        name: "ort",
        help: "ONNX Runtime on the CPU: f32, int8 where the engine has it",
        precisions: &[Precision::F32, Precision::Int8],
        on_cpu: true,
        available: backend::ort::available,
        prepare: None,
        open: backend::ort::open,
    },
    Backend {
        name: "tensorrt-rtx",
        help: "TensorRT for RTX 1.5 to 1.7 on an NVIDIA card: f16 or f32",
        precisions: &[Precision::F16, Precision::F32],
        on_cpu: false,
        available: backend::tensorrt::rtx::available,
        prepare: Some(backend::tensorrt::rtx::prepare),
        open: backend::tensorrt::rtx::open,
    },
    Backend {
        name: "tensorrt",
        help: "TensorRT 11.4 on an NVIDIA card: f16 or f32",
        precisions: &[Precision::F16, Precision::F32],
        on_cpu: false,
        available: backend::tensorrt::full::available,
        prepare: Some(backend::tensorrt::full::prepare),
        open: backend::tensorrt::full::open,
    },
    Backend {
        name: "ort-tensorrt",
        help: "TensorRT 10 on an NVIDIA card, through ONNX Runtime: f16 or f32",
        precisions: &[Precision::F16, Precision::F32],
        on_cpu: false,
        available: backend::ort::tensorrt::available,
        // ONNX Runtime makes the plan itself, when a session is opened.
        prepare: Some(backend::ort::tensorrt::prepare),
        open: backend::ort::tensorrt::open,
    },
    Backend {
        name: "reference",
        help: "the plain interpreter that the others are checked against: f32, seconds per frame",
        precisions: &[Precision::F32],
        on_cpu: true,
        available: backend::reference::available,
        prepare: None,
        open: backend::reference::open,
    },
];

impl Backend {
    /// The backend of that name.
    ///
    /// # Errors
    /// [`EngineError::Refused`] listing the names there are.
    pub fn named(name: &str) -> Result<&'static Self, EngineError> {
        BACKENDS.iter().find(|backend| backend.name == name).ok_or_else(|| EngineError::Refused {
            option: "backend",
            expected: BACKENDS.iter().map(|backend| backend.name).collect::<Vec<_>>().join(" or "),
            found: name.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_backend_is_refused_with_the_known_ones() {
        let error = Backend::named("cuda9").err().unwrap().to_string();
        assert_eq!(
            error,
            "backend: expected openvino or ort or tensorrt-rtx or tensorrt or ort-tensorrt or reference, found cuda9"
        );
    }

    #[test]
    fn what_runs_on_the_cpu_needs_no_preparing() {
        assert!(BACKENDS.iter().filter(|b| b.help.contains("CPU")).all(|backend| backend.prepare.is_none()));
    }

    #[test]
    fn progress_reads_like_a_sentence() {
        let progress = Progress { phase: "Building engine".to_owned(), done: 3, steps: 6 };
        assert_eq!(progress.to_string(), "Building engine: 3 of 6");
    }

    #[test]
    fn names_and_precisions_are_one_to_one() {
        for precision in Precision::ALL {
            assert_eq!(Precision::from_name(precision.name()), Some(precision));
        }
        assert_eq!(Precision::from_name("f8"), None);
    }
}
