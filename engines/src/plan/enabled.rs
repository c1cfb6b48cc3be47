//! Making a plan with the library.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use polyp::model::Network;
use trtx::interfaces::MonitorProgress;
use trtx::trtx_sys::Dims64;
use trtx::{Builder, BuilderConfig, DataType, OnnxParser, OptProfileSelector, ProfilingVerbosity};

use super::{
    DESCRIPTION_FILE, PLAN_FILE, Plan, PlanDescription, PlanOptions, PlanPrecision, Progress, TENSORRT_RTX,
    key, library, read,
};
use crate::backend::ports::{IMAGE, Port, check_ports};
use crate::error::EngineError;
use crate::folder::EngineFolder;
use crate::manifest::MODEL_FILE;
use crate::onnx::halve;
use crate::weights::file;

/// The library's list of what became of the layers, beside the plan.
const LAYERS_FILE: &str = "layers.txt";

/// The library's version, when it is there and can be called. A card is not asked for.
///
/// # Errors
/// [`EngineError`] saying what is missing.
pub fn available() -> Result<String, EngineError> {
    library::load()
}

/// The plan of `folder` below `out`: the one that is there, or a new one. `progress` hears how far the library is; it is called
/// from the library's threads.
///
/// # Errors
/// [`EngineError`] when the library is missing, the network's file is not the manifest's, the library refuses it (with its own
/// words), a plan that is there was changed, or the new one can not be written.
pub fn build(
    folder: &EngineFolder,
    options: &PlanOptions,
    out: &Path,
    progress: impl Fn(Progress) + Send + Sync + 'static,
) -> Result<Plan, EngineError> {
    let version = library::load()?;
    if options.largest_batch == 0 {
        let (expected, found) = ("at least 1".to_owned(), "0".to_owned());
        return Err(EngineError::Refused { option: "batch", expected, found });
    }
    let model_sha256 = folder.manifest().files.get(MODEL_FILE).cloned().unwrap_or_default();
    let place = out.join(key(&model_sha256, &version, options));
    if let Some(plan) = read(&place)? {
        return Ok(plan);
    }
    let started = Instant::now();
    let (bytes, layers) = compile(folder, options, progress)?;
    let description = PlanDescription {
        engine: folder.manifest().name.clone(),
        model_sha256,
        plan_sha256: file::sha256_hex(&bytes),
        bytes: bytes.len() as u64,
        library: version,
        precision: options.precision,
        largest_batch: options.largest_batch,
        layers: layers.lines().filter(|line| line.starts_with("Name: ")).count(),
        seconds: started.elapsed().as_secs_f64(),
    };
    std::fs::create_dir_all(&place).map_err(EngineError::file("create", &place))?;
    file::replace(&place.join(PLAN_FILE), &bytes)?;
    file::replace(&place.join(LAYERS_FILE), layers.as_bytes())?;
    let path = place.join(DESCRIPTION_FILE);
    let text = serde_json::to_vec_pretty(&description)
        .map_err(|error| EngineError::format(&path, "a description in JSON", error.to_string()))?;
    // Last: a folder with a description is a whole plan.
    file::replace(&path, &text)?;
    Ok(Plan { folder: place, description, found: false })
}

fn failed(step: &'static str) -> impl Fn(trtx::Error) -> EngineError {
    move |error| EngineError::Backend {
        backend: TENSORRT_RTX,
        step,
        message: library::take_said().explain(&error.to_string()),
    }
}

/// The plan's bytes and the list of its layers.
fn compile(
    folder: &EngineFolder,
    options: &PlanOptions,
    progress: impl Fn(Progress) + Send + Sync + 'static,
) -> Result<(Vec<u8>, String), EngineError> {
    let path = folder.path().join(MODEL_FILE);
    let onnx = match options.precision {
        PlanPrecision::F32 => std::fs::read(&path).map_err(EngineError::file("read", &path))?,
        PlanPrecision::F16 => halve(&path)?,
    };
    let logger = library::logger()?;
    drop(library::take_said());
    let mut builder = Builder::new(logger).map_err(failed("starting"))?;
    let network = builder.create_network(0).map_err(failed("starting"))?;
    let mut parser = OnnxParser::new(network, logger).map_err(failed("starting"))?;
    parser.parse(&onnx).map_err(failed("reading model.onnx"))?;
    // A file that is no ONNX at all is parsed without an error, into nothing.
    let (inputs, outputs) = ports(&parser).map_err(failed("reading model.onnx"))?;
    check_ports(&path, folder.network(), &inputs, &outputs)?;
    let mut config = builder.create_config().map_err(failed("setting up"))?;
    // Without it, the library does not say what became of the layers.
    config.set_profiling_verbosity(ProfilingVerbosity::kDETAILED);
    config.set_progress_monitor(Box::new(Monitor::new(progress))).map_err(failed("setting up"))?;
    add_profile(&mut builder, &mut config, folder.network(), options.largest_batch)?;
    let plan =
        builder.build_serialized_network(parser.network_mut(), &mut config).map_err(failed("building"))?;
    Ok((plan.to_vec(), library::take_said().layers))
}

/// What the library takes the network's inputs and outputs to be.
fn ports(parser: &OnnxParser<'_>) -> Result<(Vec<Port>, Vec<Port>), trtx::Error> {
    let network = parser.network();
    let port = |tensor: &trtx::Tensor<'_>| -> Result<Port, trtx::Error> {
        let shape = tensor.dimensions(network)?;
        Ok(Port {
            name: tensor.name(network)?,
            shape: shape.into_iter().map(|length| usize::try_from(length).ok()).collect(),
            is_f32: tensor.data_type(network) == DataType::kFLOAT,
        })
    };
    let inputs = network.inputs().map(|tensor| port(&tensor)).collect::<Result<_, _>>()?;
    let outputs = network.outputs().map(|tensor| port(&tensor)).collect::<Result<_, _>>()?;
    Ok((inputs, outputs))
}

/// From one picture to `largest` of them.
fn add_profile(
    builder: &mut Builder<'_>,
    config: &mut BuilderConfig<'_>,
    network: &Network,
    largest: usize,
) -> Result<(), EngineError> {
    let side = network.spec().side_px as i64;
    let mut profile = builder.creata_optimization_profile().map_err(failed("setting up"))?;
    let ends =
        [(OptProfileSelector::kMIN, 1), (OptProfileSelector::kOPT, 1), (OptProfileSelector::kMAX, largest)];
    for (end, batch) in ends {
        let shape = Dims64::new_4d(batch as i64, 3, side, side);
        profile.set_dimensions(IMAGE, end, &shape).map_err(failed("setting up"))?;
    }
    let added = config.add_optimization_profile(&mut profile);
    // The builder owns what is behind it.
    std::mem::forget(profile);
    added.map(drop).map_err(failed("setting up"))
}

/// Tells how far the library is. The phases nest; each is told by itself.
struct Monitor<F> {
    steps: Mutex<Vec<(String, usize)>>,
    tell: F,
}

impl<F: Fn(Progress) + Send + Sync> Monitor<F> {
    fn new(tell: F) -> Self {
        Self { steps: Mutex::new(Vec::new()), tell }
    }

    /// A panic must not reach the C++ that calls.
    fn tell(&self, phase: &str, done: usize, steps: usize) {
        let progress = Progress { phase: phase.to_owned(), done, steps };
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (self.tell)(progress)));
        if told.is_err() {
            tracing::warn!("what was to show the progress panicked; the plan goes on");
        }
    }
}

impl<F: Fn(Progress) + Send + Sync> MonitorProgress for Monitor<F> {
    fn phase_start(&self, phase: &str, _parent: Option<&str>, steps: i32) {
        let steps = usize::try_from(steps).unwrap_or(0);
        self.steps.lock().unwrap_or_else(PoisonError::into_inner).push((phase.to_owned(), steps));
        self.tell(phase, 0, steps);
    }

    fn step_complete(&self, phase: &str, step: i32) -> ControlFlow<()> {
        let steps = {
            let known = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
            known.iter().rev().find(|(name, _)| name == phase).map_or(0, |(_, steps)| *steps)
        };
        self.tell(phase, usize::try_from(step).unwrap_or(0) + 1, steps);
        ControlFlow::Continue(())
    }

    fn phase_finish(&self, phase: &str) {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner).retain(|(name, _)| name != phase);
    }
}
