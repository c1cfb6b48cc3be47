//! TensorRT 10 on an NVIDIA card, through ONNX Runtime's part for it: for machines whose TensorRT is of that version (JetPack, IGX, DeepStream).
//!
//! ONNX Runtime makes the plan when a folder is opened and keeps it in the cache. It takes and gives this machine's memory, so frames are
//! made the network's input on the CPU.

use ort::ep::TensorRT;
use ort::session::builder::SessionBuilder;

use super::enabled::open_with;
use super::library;
use crate::backend::interface::choose_precision;
use crate::backend::ports::IMAGE;
use crate::cuda::flow::failed;
use crate::cuda::nvidia;
use crate::deps::Dependency;
use crate::engine::{Engine, Options, Precision, Progress};
use crate::error::EngineError;
use crate::folder::EngineFolder;
use crate::manifest::MODEL_FILE;
use crate::plan;

/// Its name in options and reports.
const BACKEND: &str = "ort-tensorrt";

/// Whether there is a card, and the library.
///
/// # Errors
/// [`EngineError`] saying what is missing.
pub fn available() -> Result<(), EngineError> {
    nvidia::available(0).map_err(failed("opening"))?;
    library::load(BACKEND, Dependency::OnnxRuntimeGpu).map(drop)
}

/// Lets ONNX Runtime make its plan of a folder, which it does when a session is opened; it says nothing of how far it is.
///
/// # Errors
/// As [`open`].
pub fn prepare(
    folder: &EngineFolder,
    options: &Options,
    _progress: &(dyn Fn(Progress) + Send + Sync),
) -> Result<(), EngineError> {
    open(folder, options).map(drop)
}

/// Opens a folder on the first card.
///
/// # Errors
/// [`EngineError`]: no card, driver or library that can be used; a precision other than f16 or f32; a network's file that is not the
/// manifest's; TensorRT's own words.
pub fn open(folder: &EngineFolder, options: &Options) -> Result<Box<dyn Engine>, EngineError> {
    let precision = choose_precision(options.precision, BACKEND, &[Precision::F16, Precision::F32])?;
    available()?;
    let loaded = library::load(BACKEND, Dependency::OnnxRuntimeGpu)?;
    // Its plans are not checked against the network's file by anybody: a folder for each.
    let model = folder.manifest().files.get(MODEL_FILE).cloned().unwrap_or_default();
    let cache = plan::cache()?.join(BACKEND).join(model);
    std::fs::create_dir_all(&cache).map_err(EngineError::file("create", &cache))?;
    let side = folder.manifest().model.side_px;
    let largest = options.largest_batch.max(1);
    let shape = |batch: usize| format!("{IMAGE}:{batch}x3x{side}x{side}");
    let cache = cache.display().to_string();
    let provider = TensorRT::default()
        .with_fp16(precision == Precision::F16)
        .with_layer_norm_fp32_fallback(true)
        .with_engine_cache(true)
        .with_engine_cache_path(&cache)
        .with_timing_cache(true)
        .with_timing_cache_path(&cache)
        .with_profile_min_shapes(shape(1))
        .with_profile_opt_shapes(shape(1))
        .with_profile_max_shapes(shape(largest));
    let configure = |builder: SessionBuilder| {
        // Without both, ONNX Runtime would run all of the network or parts of it on the CPU, and say nothing.
        let builder = builder.with_config_entry("session.disable_cpu_ep_fallback", "1")?;
        Ok(builder.with_execution_providers([provider.build().error_on_failure()])?)
    };
    open_with(folder, loaded, (BACKEND, precision, 1), configure)
}
