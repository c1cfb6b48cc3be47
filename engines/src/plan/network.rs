//! A plan that is loaded on a card.

use std::ffi::c_void;
use std::path::Path;

use trtx::trtx_sys::Dims64;
use trtx::{CudaEngine, DataType, ExecutionContext, Runtime, TensorIOMode};

#[cfg(feature = "tensorrt-rtx")]
use super::kernels::{self, KernelCache};
use super::{FLAVOUR, PLAN_FILE, Plan, check_hash, library};
use crate::backend::ports::{IMAGE, LOGITS, Port};
use crate::cuda::driver::{Address, Card, CardError, Network, Ports};
use crate::error::EngineError;

/// The oldest driver that the library itself runs with: its CUDA runtime is of 13.0.
const DRIVER: (i32, i32) = (13, 0);

/// A plan on a card, for one thread.
pub struct TensorRt {
    // Dropped from the top, as the library wants it.
    context: ExecutionContext<'static>,
    engine: CudaEngine<'static>,
    _runtime: Runtime<'static>,
    #[cfg(feature = "tensorrt-rtx")]
    kernels: KernelCache,
    library: String,
    side_px: i64,
    largest_batch: usize,
}

impl TensorRt {
    /// Loads `plan` on the card whose context is current in this thread.
    ///
    /// # Errors
    /// [`EngineError`]: the plan was changed, or the library does not take it (with its words); the driver is too old for the library.
    pub fn load(plan: &Plan, card: &Card) -> Result<Self, EngineError> {
        let library = library::load()?;
        if card.driver < DRIVER {
            let cause = CardError::OldDriver { expected: DRIVER, found: card.driver };
            return Err(EngineError::Card { step: "loading the plan", cause });
        }
        let path = plan.folder.join(PLAN_FILE);
        let bytes = std::fs::read(&path).map_err(EngineError::file("read", &path))?;
        // Read once more since it was found: what is loaded is what has that hash.
        check_hash(&path, &bytes, &plan.description)?;
        drop(library::take_said());
        let failed = failed(&path);
        let mut runtime = Runtime::new(library::logger()?).map_err(&failed)?;
        let mut engine = runtime.deserialize_cuda_engine(&bytes).map_err(&failed)?;
        #[cfg(feature = "tensorrt-rtx")]
        let (context, kernels) = kernels::context(&mut engine, plan, card).map_err(&failed)?;
        #[cfg(not(feature = "tensorrt-rtx"))]
        let context = engine.create_execution_context().map_err(&failed)?;
        let image = engine.tensor_shape(IMAGE).map_err(&failed)?;
        let side_px = image.last().copied().unwrap_or_default();
        let largest_batch = plan.description.largest_batch;
        Ok(Self {
            context,
            engine,
            _runtime: runtime,
            #[cfg(feature = "tensorrt-rtx")]
            kernels,
            library,
            side_px,
            largest_batch,
        })
    }

    /// What the library compiles for this card.
    #[cfg(feature = "tensorrt-rtx")]
    pub fn kernels(&self) -> KernelCache {
        self.kernels.clone()
    }
}

/// For `map_err`: the library's words about a plan.
fn failed(path: &Path) -> impl Fn(trtx::Error) -> EngineError {
    move |error| EngineError::Plan {
        path: path.to_owned(),
        message: library::take_said().explain(&error.to_string()),
    }
}

fn running(step: &'static str) -> impl Fn(trtx::Error) -> EngineError {
    move |error| EngineError::Backend {
        backend: FLAVOUR.name,
        step,
        message: library::take_said().explain(&error.to_string()),
    }
}

impl Network for TensorRt {
    fn library(&self) -> &str {
        &self.library
    }

    fn ports(&mut self) -> Result<Ports, EngineError> {
        let failed = running("asking for tensors");
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        for name in self.engine.io_tensor_names().map_err(&failed)? {
            let shape = self.engine.tensor_shape(&name).map_err(&failed)?;
            let port = Port {
                shape: shape.into_iter().map(|length| usize::try_from(length).ok()).collect(),
                is_f32: self.engine.tensor_data_type(&name).map_err(&failed)? == DataType::kFLOAT,
                name,
            };
            let mode = self.engine.tensor_io_mode(&port.name).map_err(&failed)?;
            if mode == TensorIOMode::kINPUT { inputs.push(port) } else { outputs.push(port) }
        }
        Ok(Ports { inputs, outputs })
    }

    fn set_batch(&mut self, batch: usize) -> Result<(), EngineError> {
        if batch == 0 || batch > self.largest_batch {
            let expected = format!("1 to {} with this plan", self.largest_batch);
            return Err(EngineError::Refused { option: "batch", expected, found: batch.to_string() });
        }
        let shape = Dims64::new_4d(batch as i64, 3, self.side_px, self.side_px);
        self.context.set_input_shape(IMAGE, &shape).map_err(running("setting the batch"))
    }

    unsafe fn bind(&mut self, tensor: &str, place: Address) -> Result<(), EngineError> {
        let failed = running("binding a tensor");
        // SAFETY: the caller's promise.
        unsafe {
            if tensor == LOGITS {
                self.context.set_output_tensor_address(tensor, place as *mut c_void).map_err(failed)
            } else {
                self.context.set_input_tensor_address(tensor, place as *const c_void).map_err(failed)
            }
        }
    }

    unsafe fn enqueue(&mut self, stream: *mut c_void) -> Result<(), EngineError> {
        // SAFETY: the caller's promise.
        unsafe { self.context.enqueue_v3(stream) }.map_err(running("running"))
    }
}
