//! A network as a card has it, computed by a CPU engine from where its tensors lie.

use polyp_engine::cuda::driver::{Address, Port, Ports};
use polyp_engine::engine::Engine;
use polyp_engine::memory::PromptMemory;
use polyp_engine::weights::Array;

pub(crate) struct CpuNetwork {
    engine: Box<dyn Engine>,
    prompt: PromptMemory,
    /// Where the network's tensors lie.
    bound: Vec<(String, Address)>,
    /// Added to the first logit of picture 1 of every batch.
    pub(crate) spoil: f32,
}

impl CpuNetwork {
    pub(crate) fn new(engine: Box<dyn Engine>, prompt: PromptMemory) -> Self {
        Self { engine, prompt, bound: Vec::new(), spoil: 0.0 }
    }

    pub(crate) fn ports(&self) -> Ports {
        let side = Some(self.engine.description().side_px);
        let port = |name: &str, shape| Port { name: name.to_owned(), shape, is_f32: true };
        let mut inputs = vec![port("image", vec![None, Some(3), side, side])];
        for (name, array) in &self.prompt.tensors {
            let shape = array.shape.iter().map(|length| Some(*length));
            inputs.push(port(name, [Some(1)].into_iter().chain(shape).collect()));
        }
        Ports { inputs, outputs: vec![port("logits", vec![None, Some(1), side, side])] }
    }

    pub(crate) fn bind(&mut self, tensor: &str, place: Address) {
        assert_eq!(place % 256, 0, "{tensor}");
        self.bound.push((tensor.to_owned(), place));
    }

    /// Reads the image and the memory where they lie, and writes the logits.
    pub(crate) fn run(&mut self, batch: usize) {
        let side = self.engine.description().side_px;
        let place = |name: &str| self.bound.iter().find(|(bound, _)| bound == name).unwrap().1;
        // SAFETY: the flow bound the tensor to a place that long.
        let floats =
            |place: Address, count| unsafe { std::slice::from_raw_parts(place as *const f32, count) };
        let mut memory = self.prompt.clone();
        for (name, array) in &mut memory.tensors {
            let values = floats(place(name), array.values.len()).to_vec();
            *array = Array::new(array.shape.clone(), values).unwrap();
        }
        let images = floats(place("image"), batch * 3 * side * side).to_vec();
        let to = place("logits");
        let mut logits = Vec::new();
        self.engine.infer(&images, batch, &memory, &mut logits).unwrap();
        if batch > 1 {
            logits[side * side] += self.spoil;
        }
        // SAFETY: as above.
        unsafe { std::ptr::copy_nonoverlapping(logits.as_ptr(), to as *mut f32, logits.len()) };
    }
}
