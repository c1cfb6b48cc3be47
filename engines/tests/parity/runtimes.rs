//! An ONNX file run by each library, as directly as their bindings allow: what the comparison is with must not
//! depend on the backends' own code.

use std::path::Path;
use std::sync::OnceLock;

use openvino::{Core, DeviceType, ElementType, RwPropertyKey, Shape, Tensor};
use ort::environment::Environment;
use ort::session::{Session, SessionInputValue};
use polyp_engine::deps::{self, Dependency};
use polyp_engine::weights::Array;

fn library(dependency: Dependency) -> std::path::PathBuf {
    deps::find(dependency).unwrap_or_else(|error| panic!("run make setup: {error}"))
}

/// Runs `path` with OpenVINO in float32 (left alone it takes bfloat16 where the CPU has it).
pub(super) fn openvino(path: &Path, inputs: &[(&str, Array)], outputs: &[String]) -> Vec<Array> {
    openvino_sys::library::load_from(library(Dependency::OpenVino)).unwrap();
    let mut core = Core::new().unwrap();
    core.set_property(&DeviceType::CPU, &RwPropertyKey::HintInferencePrecision, "f32").unwrap();
    let model = core.read_model_from_file(path.to_str().unwrap(), "").unwrap();
    let mut compiled = core.compile_model(&model, DeviceType::CPU).unwrap();
    let mut request = compiled.create_infer_request().unwrap();
    for (name, array) in inputs {
        let shape: Vec<i64> = array.shape.iter().map(|&length| length as i64).collect();
        let mut tensor = Tensor::new(ElementType::F32, &Shape::new(&shape).unwrap()).unwrap();
        tensor.get_data_mut::<f32>().unwrap().copy_from_slice(&array.values);
        request.set_tensor(name, &tensor).unwrap();
    }
    request.infer().unwrap();
    let read = |name: &String| {
        let tensor = request.get_tensor(name).unwrap();
        let shape = tensor.get_shape().unwrap();
        let shape = shape.get_dimensions().iter().map(|&length| length as usize).collect();
        Array::new(shape, tensor.get_data::<f32>().unwrap().to_vec()).unwrap()
    };
    outputs.iter().map(read).collect()
}

/// Runs `path` with ONNX Runtime on the CPU.
pub(super) fn onnx_runtime(path: &Path, inputs: &[(&str, Array)], outputs: &[String]) -> Vec<Array> {
    // A process may have one, ever.
    static ENVIRONMENT: OnceLock<Environment> = OnceLock::new();
    let environment = ENVIRONMENT
        .get_or_init(|| ort::init_from(library(Dependency::OnnxRuntime)).unwrap().build().unwrap());
    let mut session = Session::builder(environment).unwrap().commit_from_file(path).unwrap();
    let values: Vec<(String, SessionInputValue<'_>)> = inputs
        .iter()
        .map(|(name, array)| {
            let tensor = ort::value::Tensor::from_array((array.shape.clone(), array.values.clone())).unwrap();
            ((*name).to_owned(), tensor.into())
        })
        .collect();
    let found = session.run(values).unwrap();
    let read = |name: &String| {
        let (shape, values) = found.get(name).unwrap().try_extract_tensor::<f32>().unwrap();
        Array::new(shape.iter().map(|&length| length as usize).collect(), values.to_vec()).unwrap()
    };
    outputs.iter().map(read).collect()
}
