//! What TensorRT for RTX compiles on the card when a plan is loaded there, and where it is kept for the next start.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use trtx::{
    CudaEngine, CudaGraphStrategy, DynamicShapesKernelSpecializationStrategy, ExecutionContext, RuntimeCache,
};

use super::Plan;
use crate::cuda::driver::Card;
use crate::weights::file;

/// What the library compiled for one card, to be found by the next start.
#[derive(Clone)]
pub struct KernelCache {
    cache: Arc<RuntimeCache>,
    path: PathBuf,
}

impl KernelCache {
    /// An empty one, or what the last start left beside `plan`.
    fn find(cache: RuntimeCache, plan: &Plan, card: &Card) -> Self {
        let found = Self { cache: Arc::new(cache), path: plan.folder.join(kernels_file(card)) };
        if let Ok(kept) = std::fs::read(&found.path)
            && let Err(error) = found.cache.deserialize(&kept)
        {
            let path = found.path.display();
            tracing::info!(%path, %error, "kernels of another card or version are compiled anew");
        }
        found
    }

    /// Writes it beside the plan. It only saves time: a failure is logged.
    pub fn keep(&self) {
        let kept = self.cache.serialize().map_err(|error| error.to_string());
        let kept =
            kept.and_then(|bytes| file::replace(&self.path, &bytes).map_err(|error| error.to_string()));
        if let Err(error) = kept {
            tracing::warn!(path = %self.path.display(), error, "compiled kernels are not kept: the next start takes as long");
        }
    }
}

/// What runs a plan, with kernels that are compiled now or were kept, and not while it runs.
pub(super) fn context(
    engine: &mut CudaEngine<'static>,
    plan: &Plan,
    card: &Card,
) -> trtx::Result<(ExecutionContext<'static>, KernelCache)> {
    let mut config = engine.create_runtime_config()?;
    let kernels = KernelCache::find(config.create_runtime_cache()?, plan, card);
    config.set_runtime_cache(Arc::clone(&kernels.cache))?;
    // Otherwise the library compiles behind our back, and a recorded graph would keep the slow stand-ins for ever.
    let eager = DynamicShapesKernelSpecializationStrategy::kEAGER;
    config.set_dynamic_shapes_kernel_specialization_strategy(eager);
    // Our graphs hold more than the network.
    config.set_cuda_graph_strategy(CudaGraphStrategy::kDISABLED)?;
    Ok((engine.create_execution_context_with_config(Rc::new(config))?, kernels))
}

/// The library takes compiled kernels back on the same model of card and a driver that is no older.
fn kernels_file(card: &Card) -> String {
    let name: String = card.name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    format!("kernels-{name}-{}.{}.bin", card.driver.0, card.driver.1)
}
