//! The prompt memory on the card: bound to the network once, its contents changed between two batches.

use polyp::model::Network as Description;

use super::failed;
use crate::backend::interface::Bound;
use crate::cuda::driver::{Address, CardError, Driver, Event, Network, Pinned, Stream};
use crate::error::EngineError;
use crate::folder::EngineFolder;
use crate::memory::PromptMemory;

/// The memory's tensors where the network reads them.
pub(super) struct Prompt {
    bound: Bound,
    /// Name, place and number of values of each tensor.
    tensors: Vec<(String, Address, usize)>,
    staging: Pinned,
    copied: Event,
}

impl Prompt {
    /// Makes room for the tensors of `description` and binds it.
    pub(super) fn new(
        driver: &mut dyn Driver,
        network: &mut dyn Network,
        folder: &EngineFolder,
        description: &Description,
    ) -> Result<Self, EngineError> {
        let step = "making room for the prompt memory";
        let mut tensors = Vec::new();
        for (name, [tokens, width]) in description.memory_shapes() {
            let place = driver.allocate(4 * tokens * width).map_err(failed(step))?;
            // SAFETY: the place is as long as the tensor, which no batch makes longer, and lives as long as the driver.
            unsafe { network.bind(&name, place) }?;
            tensors.push((name, place, tokens * width));
        }
        let bytes = tensors.iter().map(|(_, _, count)| 4 * count).sum();
        let staging = driver.pinned()(bytes).map_err(failed(step))?;
        let copied = driver.event().map_err(failed(step))?;
        Ok(Self { bound: Bound::new(folder), tensors, staging, copied })
    }

    /// Lets what comes next in `stream` see `memory`; what is in it already sees the old one to its end.
    pub(super) fn set(
        &mut self,
        driver: &mut dyn Driver,
        memory: &PromptMemory,
        stream: Stream,
    ) -> Result<(), EngineError> {
        let Self { bound, tensors, staging, copied } = self;
        bound.rebind(memory, |memory| {
            copy(driver, memory, tensors, staging, *copied, stream).map_err(failed("binding the prompt"))
        })
    }
}

fn copy(
    driver: &mut dyn Driver,
    memory: &PromptMemory,
    tensors: &[(String, Address, usize)],
    staging: &mut Pinned,
    copied: Event,
    stream: Stream,
) -> Result<(), CardError> {
    // The last one may still be on its way.
    driver.synchronise(copied)?;
    let mut rest = staging.bytes_mut();
    for ((_, place, count), (_, array)) in tensors.iter().zip(&memory.tensors) {
        let (part, after) = rest.split_at_mut(4 * count);
        for (to, value) in part.as_chunks_mut::<4>().0.iter_mut().zip(&array.values) {
            *to = value.to_le_bytes();
        }
        // SAFETY: both are that long (the memory was checked against the network's shapes), and the staging is not changed
        // before `copied`.
        unsafe { driver.upload(part.as_ptr(), *place, part.len(), stream) }?;
        rest = after;
    }
    driver.record(copied, stream)
}
