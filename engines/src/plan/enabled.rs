//! Making a plan with the library.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crossbeam_channel::Sender;
use polyp::model::Network;
#[cfg(feature = "tensorrt-rtx")]
use trtx::ComputeCapability;
use trtx::interfaces::MonitorProgress;
use trtx::trtx_sys::Dims64;
use trtx::{Builder, BuilderConfig, DataType, OnnxParser, OptProfileSelector, ProfilingVerbosity};

#[cfg(feature = "tensorrt-rtx")]
use super::CAPABILITIES;
use super::{
    DESCRIPTION_FILE, FLAVOUR, PLAN_FILE, Plan, PlanDescription, PlanOptions, PlanPrecision, Progress, key,
    library, read,
};
use crate::backend::ports::{IMAGE, Port, check_ports};
use crate::error::EngineError;
use crate::folder::EngineFolder;
use crate::manifest::MODEL_FILE;
use crate::onnx::halve;
use crate::weights::file;

/// Steps that may wait to be told.
const UNTOLD: usize = 256;
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
    progress: &(dyn Fn(Progress) + Send + Sync),
) -> Result<Plan, EngineError> {
    if FLAVOUR.needs_card {
        // Without a driver, this library's calls may crash.
        crate::cuda::nvidia::available(0).map_err(crate::cuda::flow::failed("making a plan"))?;
    }
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
    let (bytes, layers) = std::thread::scope(|scope| {
        // The library may keep what it calls for ever; this only borrows what is told.
        let (told, heard) = crossbeam_channel::bounded(UNTOLD);
        scope.spawn(move || heard.into_iter().for_each(|step| tell(progress, step)));
        compile(folder, options, Monitor { steps: Mutex::new(Vec::new()), told })
    })?;
    let description = PlanDescription {
        engine: folder.manifest().name.clone(),
        model_sha256,
        plan_sha256: file::sha256_hex(&bytes),
        bytes: bytes.len() as u64,
        library: version,
        precision: options.precision,
        largest_batch: options.largest_batch,
        capability: options.capability,
        layers: layers.lines().filter(|line| line.starts_with("Name: ")).count(),
        seconds: started.elapsed().as_millis() as f64 / 1e3,
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
        backend: FLAVOUR.name,
        step,
        message: library::take_said().explain(&error.to_string()),
    }
}

/// The plan's bytes and the list of its layers.
fn compile(
    folder: &EngineFolder,
    options: &PlanOptions,
    monitor: Monitor,
) -> Result<(Vec<u8>, String), EngineError> {
    let path = folder.path().join(MODEL_FILE);
    let onnx = match options.precision {
        PlanPrecision::F32 => folder.model()?,
        PlanPrecision::F16 => halve(&path, &folder.model()?)?,
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
    // The other flavour's plans are of the card that they are made on.
    #[cfg(feature = "tensorrt-rtx")]
    if let Some(capability) = options.capability {
        config.set_nb_compute_capabilities(1).map_err(failed("setting up"))?;
        config.set_compute_capability(named(capability)?, 0).map_err(failed("setting up"))?;
    }
    config.set_progress_monitor(Box::new(monitor)).map_err(failed("setting up"))?;
    add_profile(&mut builder, &mut config, folder.network(), options.largest_batch)?;
    let plan =
        builder.build_serialized_network(parser.network_mut(), &mut config).map_err(failed("building"))?;
    Ok((plan.to_vec(), library::take_said().layers))
}

#[cfg(feature = "tensorrt-rtx")]
/// The library's name for a compute capability.
fn named(capability: (i32, i32)) -> Result<ComputeCapability, EngineError> {
    Ok(match capability {
        (7, 5) => ComputeCapability::kSM75,
        (8, 0) => ComputeCapability::kSM80,
        (8, 6) => ComputeCapability::kSM86,
        (8, 9) => ComputeCapability::kSM89,
        (12, 0) => ComputeCapability::kSM120,
        (12, 1) => ComputeCapability::kSM121,
        (major, minor) => {
            let names = CAPABILITIES.map(|(major, minor)| format!("{major}.{minor}")).join(" or ");
            let found = format!("{major}.{minor}");
            return Err(EngineError::Refused { option: "capability", expected: names, found });
        }
    })
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

/// Tells how far the library is. What hears it must not end the work by panicking.
fn tell(progress: &(dyn Fn(Progress) + Send + Sync), step: Progress) {
    if catch_unwind(AssertUnwindSafe(|| progress(step))).is_err() {
        tracing::warn!("what was to show the progress panicked; the plan goes on");
    }
}

/// Hears how far the library is. The phases nest; each is told by itself.
struct Monitor {
    steps: Mutex<Vec<(String, usize)>>,
    told: Sender<Progress>,
}

impl Monitor {
    /// It must not panic: it is called from C++.
    fn tell(&self, phase: &str, done: usize, steps: usize) {
        // A step that nobody has heard in time is not told.
        drop(self.told.try_send(Progress { phase: phase.to_owned(), done, steps }));
    }
}

impl MonitorProgress for Monitor {
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
