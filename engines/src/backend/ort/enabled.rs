//! The engine: one session for any batch size, the prompt's tensors kept until it changes.

use std::borrow::Cow;

use ort::environment::Environment;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{Session, SessionInputValue};
use ort::value::{Outlet, Tensor, TensorElementType, TensorRef};

use super::library;
use crate::backend::interface::{Bound, check_images, check_logits, choose_precision};
use crate::backend::ports::{IMAGE, LOGITS, Port, check_ports};
use crate::deps::Dependency;
use crate::engine::{Description, Engine, Options, Precision};
use crate::error::EngineError;
use crate::folder::EngineFolder;
use crate::memory::PromptMemory;

pub(super) const BACKEND: &str = "ort";

/// Whether ONNX Runtime's library is there and of a version that can be used.
///
/// # Errors
/// [`EngineError`] saying what is missing.
pub fn available() -> Result<(), EngineError> {
    library::load(BACKEND, Dependency::OnnxRuntime).map(drop)
}

/// Opens a folder for any batch size.
///
/// # Errors
/// [`EngineError`] when the library is missing, the network's file is not the manifest's, or a precision other
/// than f32 is asked for.
pub fn open(folder: &EngineFolder, options: &Options) -> Result<Box<dyn Engine>, EngineError> {
    let precision = choose_precision(options.precision, BACKEND, &[Precision::F32, Precision::Int8])?;
    let loaded = library::load(BACKEND, Dependency::OnnxRuntime)?;
    let threads = match options.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    };
    let how = (BACKEND, precision, threads);
    open_with(folder, loaded, how, |builder| configure(builder, threads))
}

fn configure(builder: SessionBuilder, threads: usize) -> ort::Result<SessionBuilder> {
    let builder = builder.with_optimization_level(GraphOptimizationLevel::All)?;
    Ok(builder.with_intra_threads(threads)?.with_inter_threads(1)?)
}

/// Opens a folder in a library that was loaded, with a session that `configure` sets up.
pub(super) fn open_with(
    folder: &EngineFolder,
    (environment, library): (Environment, String),
    (backend, precision, threads): (&'static str, Precision, usize),
    configure: impl FnOnce(SessionBuilder) -> ort::Result<SessionBuilder>,
) -> Result<Box<dyn Engine>, EngineError> {
    let (path, bytes) = folder.graph(precision)?;
    let session = Session::builder(&environment)
        .and_then(configure)
        .map_err(failed(backend, "setting options"))?
        .commit_from_memory(&bytes)
        .map_err(failed(backend, "reading the network"))?;
    let inputs: Vec<Port> = session.inputs().iter().map(port).collect();
    let outputs: Vec<Port> = session.outputs().iter().map(port).collect();
    check_ports(&path, folder.network(), &inputs, &outputs)?;
    Ok(Box::new(OnnxRuntime {
        description: Description {
            backend,
            library,
            precision,
            threads,
            model: folder.manifest().name.clone(),
            side_px: folder.manifest().model.side_px,
        },
        session,
        bound: Bound::new(folder),
        inputs: Inputs::default(),
    }))
}

struct OnnxRuntime {
    description: Description,
    session: Session,
    bound: Bound,
    inputs: Inputs,
}

/// What a session is given: a prompt's tensors, in the session's own form, and with each run pictures.
#[derive(Default)]
pub(super) struct Inputs(Vec<(String, Tensor<f32>)>);

impl Inputs {
    /// With the tensors of `memory`.
    ///
    /// # Errors
    /// [`EngineError::Backend`] in the library's words.
    pub(super) fn new(memory: &PromptMemory, backend: &'static str) -> Result<Self, EngineError> {
        bind(memory).map(Self).map_err(failed(backend, "binding the prompt"))
    }

    /// Beside pictures of that shape.
    ///
    /// # Errors
    /// [`EngineError::Backend`] in the library's words.
    pub(super) fn with<'a>(
        &'a self,
        images: &'a [f32],
        shape: [usize; 4],
        backend: &'static str,
    ) -> Result<Vec<(Cow<'a, str>, SessionInputValue<'a>)>, EngineError> {
        let image =
            TensorRef::from_array_view((shape, images)).map_err(failed(backend, "filling the input"))?;
        let mut inputs: Vec<(Cow<'_, str>, SessionInputValue<'_>)> = Vec::with_capacity(1 + self.0.len());
        inputs.push((Cow::Borrowed(IMAGE), image.into()));
        for (name, tensor) in &self.0 {
            inputs.push((Cow::Borrowed(name.as_str()), tensor.into()));
        }
        Ok(inputs)
    }
}

impl Engine for OnnxRuntime {
    fn description(&self) -> &Description {
        &self.description
    }

    fn infer(
        &mut self,
        images: &[f32],
        batch: usize,
        memory: &PromptMemory,
        logits: &mut Vec<f32>,
    ) -> Result<(), EngineError> {
        let (side, backend) = (self.description.side_px, self.description.backend);
        check_images(images, batch, side)?;
        let inputs = &mut self.inputs;
        self.bound.rebind(memory, |memory| {
            *inputs = Inputs::new(memory, backend)?;
            Ok(())
        })?;
        let inputs = self.inputs.with(images, [batch, 3, side, side], backend)?;
        let outputs = self.session.run(inputs).map_err(failed(backend, "running"))?;
        let missing = || EngineError::Backend {
            backend,
            step: "reading the output",
            message: format!("expected {LOGITS}, found no such output"),
        };
        let output = outputs.get(LOGITS).ok_or_else(missing)?;
        let (_, values) =
            output.try_extract_tensor::<f32>().map_err(failed(backend, "reading the output"))?;
        logits.clear();
        logits.extend_from_slice(values);
        check_logits(backend, logits)
    }
}

fn bind(memory: &PromptMemory) -> ort::Result<Vec<(String, Tensor<f32>)>> {
    let tensor = |(name, array): &(String, crate::weights::Array)| {
        let mut shape = vec![1];
        shape.extend_from_slice(&array.shape);
        Ok((name.clone(), Tensor::from_array((shape, array.values.clone()))?))
    };
    memory.tensors.iter().map(tensor).collect()
}

fn port(outlet: &Outlet) -> Port {
    let kind = outlet.dtype();
    let axes = kind.tensor_shape().map(|shape| shape.to_vec()).unwrap_or_default();
    Port {
        name: outlet.name().to_owned(),
        shape: axes.into_iter().map(|length| usize::try_from(length).ok()).collect(),
        is_f32: kind.tensor_type() == Some(TensorElementType::Float32),
    }
}

/// For `map_err`: the library's words, with what was being done.
pub(super) fn failed(backend: &'static str, step: &'static str) -> impl FnOnce(ort::Error) -> EngineError {
    move |cause| EngineError::Backend { backend, step, message: cause.to_string() }
}
