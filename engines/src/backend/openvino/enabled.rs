//! The engine: one compiled network per batch size, its prompt bound until it changes.

use openvino::{
    CompiledModel, Core, DeviceType, ElementType, InferRequest, InferenceError, Model, Node, PartialShape,
    PropertyKey, RwPropertyKey, Shape, Tensor,
};

use super::library;
use crate::backend::interface::{Bound, check_images, check_logits};
use crate::backend::ports::{IMAGE, LOGITS, Port, check_ports};
use crate::engine::{Description, Engine, Options, Precision};
use crate::error::EngineError;
use crate::folder::EngineFolder;
use crate::memory::PromptMemory;

pub(super) const BACKEND: &str = "openvino";

/// Compiled networks that are kept. A cart runs one frame at a time; a tool may run a few at once.
const KEPT: usize = 4;

/// Whether OpenVINO's library is there and of a version that can be used.
///
/// # Errors
/// [`EngineError`] saying what is missing.
pub fn available() -> Result<(), EngineError> {
    library::load().map(drop)
}

/// Opens a folder, compiled for one picture at a time. Another batch size is compiled when it first comes
/// (half a second), so that each runs with fixed shapes.
///
/// # Errors
/// [`EngineError`] when the library is missing, the network's file is not the manifest's, or the precision
/// can not be had.
pub fn open(folder: &EngineFolder, options: &Options) -> Result<Box<dyn Engine>, EngineError> {
    let library = library::load()?;
    let mut core = Core::new().map_err(|cause| EngineError::Backend {
        backend: BACKEND,
        step: "starting",
        message: cause.to_string(),
    })?;
    // What an int8 network does not do in integers, it does as a float network would.
    let is_int8 = options.precision == Precision::Int8;
    let floats = choose_precision(&core, if is_int8 { Precision::Auto } else { options.precision })?;
    set_properties(&mut core, floats, options.threads)?;
    let precision = if is_int8 { Precision::Int8 } else { floats };
    let (path, bytes) = folder.graph(precision)?;
    let model = core.read_model_from_buffer(&bytes, None).map_err(failed("reading the network"))?;
    let (inputs, outputs) = ports(&model).map_err(failed("reading the network"))?;
    check_ports(&path, folder.network(), &inputs, &outputs)?;
    let side = folder.manifest().model.side_px;
    let mut engine = OpenVino {
        description: Description {
            backend: BACKEND,
            library,
            precision,
            threads: options.threads,
            model: folder.manifest().name.clone(),
            side_px: side,
        },
        compiled: Vec::new(),
        model,
        core,
        folder: folder.clone(),
    };
    let first = engine.compile(1)?;
    let threads = PropertyKey::Rw(RwPropertyKey::InferenceNumThreads);
    let threads = first.compiled.get_property(&threads).map_err(failed("reading the threads"))?;
    engine.description.threads = threads.parse().unwrap_or(options.threads);
    engine.compiled.push(first);
    Ok(Box::new(engine))
}

struct OpenVino {
    description: Description,
    /// The latest last. Before `model` and `core`, so that they are freed first.
    compiled: Vec<Compiled>,
    model: Model,
    core: Core,
    folder: EngineFolder,
}

/// A network of one batch size.
struct Compiled {
    batch: usize,
    image: Tensor,
    request: InferRequest,
    compiled: CompiledModel,
    bound: Bound,
}

impl OpenVino {
    fn compile(&mut self, batch: usize) -> Result<Compiled, EngineError> {
        let side = self.description.side_px;
        let shape = dimensions(&[batch, 3, side, side])?;
        let partial = PartialShape::new_static(4, &shape).map_err(failed("fixing the batch"))?;
        self.model.reshape_input_by_name(IMAGE, &partial).map_err(failed("fixing the batch"))?;
        let mut compiled =
            self.core.compile_model(&self.model, DeviceType::CPU).map_err(failed("compiling"))?;
        let mut request = compiled.create_infer_request().map_err(failed("compiling"))?;
        let shape = Shape::new(&shape).map_err(failed("compiling"))?;
        let image = Tensor::new(ElementType::F32, &shape).map_err(failed("compiling"))?;
        request.set_tensor(IMAGE, &image).map_err(failed("compiling"))?;
        Ok(Compiled { batch, image, request, compiled, bound: Bound::new(&self.folder) })
    }
}

impl Engine for OpenVino {
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
        check_images(images, batch, self.description.side_px)?;
        if self.compiled.iter().all(|compiled| compiled.batch != batch) {
            let compiled = self.compile(batch)?;
            if self.compiled.len() == KEPT {
                drop(self.compiled.remove(0));
            }
            self.compiled.push(compiled);
        }
        match self.compiled.iter_mut().find(|compiled| compiled.batch == batch) {
            Some(compiled) => compiled.run(images, memory, logits)?,
            None => return Ok(()),
        }
        check_logits(BACKEND, logits)
    }
}

impl Compiled {
    fn run(
        &mut self,
        images: &[f32],
        memory: &PromptMemory,
        logits: &mut Vec<f32>,
    ) -> Result<(), EngineError> {
        let request = &mut self.request;
        self.bound.rebind(memory, |memory| bind(request, memory))?;
        let input = self.image.get_data_mut::<f32>().map_err(failed("filling the input"))?;
        input.copy_from_slice(images);
        self.request.infer().map_err(failed("running"))?;
        let output = self.request.get_tensor(LOGITS).map_err(failed("reading the output"))?;
        logits.clear();
        logits.extend_from_slice(output.get_data::<f32>().map_err(failed("reading the output"))?);
        Ok(())
    }
}

fn bind(request: &mut InferRequest, memory: &PromptMemory) -> Result<(), EngineError> {
    for (name, array) in &memory.tensors {
        let mut shape = vec![1];
        shape.extend_from_slice(&array.shape);
        let shape = Shape::new(&dimensions(&shape)?).map_err(failed("binding the prompt"))?;
        let mut tensor = Tensor::new(ElementType::F32, &shape).map_err(failed("binding the prompt"))?;
        let values = tensor.get_data_mut::<f32>().map_err(failed("binding the prompt"))?;
        values.copy_from_slice(&array.values);
        request.set_tensor(name, &tensor).map_err(failed("binding the prompt"))?;
    }
    Ok(())
}

fn dimensions(shape: &[usize]) -> Result<Vec<i64>, EngineError> {
    let lengths = shape.iter().map(|&length| i64::try_from(length)).collect::<Result<_, _>>();
    lengths.map_err(|cause| EngineError::Input {
        what: "batch".to_owned(),
        expected: "a shape that fits 64 bits".to_owned(),
        found: format!("{shape:?} ({cause})"),
    })
}

/// The precision to compute in: as asked, or the best there is.
fn choose_precision(core: &Core, asked: Precision) -> Result<Precision, EngineError> {
    if asked == Precision::F32 {
        return Ok(Precision::F32);
    }
    let key = PropertyKey::DeviceCapabilities;
    let able = core.get_property(&DeviceType::CPU, &key).map_err(failed("asking the CPU's abilities"))?;
    let multiplies = cpu_multiplies_bf16() && able.split_whitespace().any(|word| word == "BF16");
    let expected = match (asked, multiplies) {
        (Precision::Auto | Precision::Bf16, true) => return Ok(Precision::Bf16),
        (Precision::Auto, false) => return Ok(Precision::F32),
        (_, true) => "f32, bf16, int8 or auto with backend openvino",
        (_, false) => "f32, int8 or auto on this CPU, which has no AVX512_BF16 or AMX_BF16",
    };
    let (expected, found) = (expected.to_owned(), asked.name().to_owned());
    Err(EngineError::Refused { option: "precision", expected, found })
}

/// Whether the CPU has instructions for products of bfloat16. OpenVINO would emulate them on any AVX-512, more
/// slowly than float32. Every CPU with AMX_BF16 has AVX512_BF16 too.
fn cpu_multiplies_bf16() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx512bf16");
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

fn set_properties(core: &mut Core, precision: Precision, threads: usize) -> Result<(), EngineError> {
    let mut set = |key: RwPropertyKey, value: &str| {
        core.set_property(&DeviceType::CPU, &key, value).map_err(failed("setting a property"))
    };
    set(RwPropertyKey::HintPerformanceMode, "LATENCY")?;
    set(RwPropertyKey::NumStreams, "1")?;
    // Explicit: left alone, OpenVINO takes bfloat16 where it can.
    set(RwPropertyKey::HintInferencePrecision, precision.name())?;
    if threads > 0 {
        set(RwPropertyKey::InferenceNumThreads, &threads.to_string())?;
    }
    Ok(())
}

fn ports(model: &Model) -> Result<(Vec<Port>, Vec<Port>), InferenceError> {
    let inputs = (0..model.get_inputs_len()?).map(|index| port(&model.get_input_by_index(index)?));
    let outputs = (0..model.get_outputs_len()?).map(|index| port(&model.get_output_by_index(index)?));
    Ok((inputs.collect::<Result<_, _>>()?, outputs.collect::<Result<_, _>>()?))
}

fn port(node: &Node) -> Result<Port, InferenceError> {
    let shape = node.get_partial_shape()?;
    let length = |axis: &openvino::Dimension| {
        (axis.get_min() == axis.get_max()).then(|| usize::try_from(axis.get_min()).ok()).flatten()
    };
    Ok(Port {
        name: node.get_name()?,
        shape: shape.get_dimensions().iter().map(length).collect(),
        is_f32: node.get_element_type()? == ElementType::F32,
    })
}

/// For `map_err`: the library's words in one line, with what was being done.
fn failed(step: &'static str) -> impl FnOnce(InferenceError) -> EngineError {
    move |cause| EngineError::Backend { backend: BACKEND, step, message: one_line(&cause.to_string()) }
}

/// OpenVINO's messages without its source files' places.
fn one_line(message: &str) -> String {
    let told =
        |line: &&str| !line.is_empty() && !line.starts_with("Exception from") && *line != "general error:";
    let lines: Vec<&str> = message.lines().map(str::trim).filter(told).collect();
    if lines.is_empty() { message.trim().to_owned() } else { lines.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_librarys_messages_become_one_line() {
        let message = "general error: Exception from src/inference/src/core.cpp:93:\nCheck 'a' failed at b.cpp:1:\nNo such file\n\n";
        assert_eq!(
            one_line(message),
            "general error: Exception from src/inference/src/core.cpp:93:; Check 'a' failed at b.cpp:1:; No such file"
        );
        assert_eq!(one_line("Exception from x:1:\n  short  \n"), "short");
        assert_eq!(one_line(""), "");
    }
}
