//! An engine that does nothing until it is told, and whose masks carry in their cells of which picture, stream, prompt and engine they are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_channel::Receiver;
use gstpolyp::polypsegment::Opened;
use polyp::decode::Decoder;
use polyp::input::{Fit, InputSpec, Normalisation};
use polyp_engine::engine::{Description, Engine, Precision};
use polyp_engine::error::EngineError;
use polyp_engine::memory::PromptMemory;

/// Rows and columns of its input and of its masks.
pub(crate) const SIDE: usize = 4;
/// The prompts that it knows.
pub(crate) const PROMPTS: [&str; 4] = ["polyp", "p1", "p2", "p3"];

/// What the engine does with its next frame, when it is told.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    Answer,
    Fail,
    NotANumber,
}

/// What every cell of a mask of that picture, stream, prompt and engine says.
pub(crate) fn cell(picture: usize, stream: usize, prompt: usize, engine: usize) -> u8 {
    (64 + picture + 4 * stream + 8 * prompt + 32 * engine) as u8
}

/// Every sample of that picture of that stream. Black is the worker's, for warming up.
pub(crate) fn level(picture: usize, stream: usize) -> u8 {
    (100 + 10 * (picture + 4 * stream)) as u8
}

/// An engine that does nothing until it is told, and says then what it was asked.
struct Puppet {
    orders: Receiver<Order>,
    done: Arc<AtomicU64>,
    number: usize,
    description: Description,
}

impl Engine for Puppet {
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
        let of_frame = images[0] != 0.0;
        let order = if of_frame { self.orders.recv() } else { Ok(Order::Answer) };
        logits.clear();
        let seen = ((images[0] - 100.0) / 10.0).round().max(0.0) as usize;
        let prompt = PROMPTS.iter().position(|prompt| *prompt == memory.prompt).unwrap();
        let share = f32::from(cell(seen % 4, seen / 4, prompt, self.number)) / 255.0;
        let logit = match order {
            Ok(Order::NotANumber) => f32::NAN,
            _ => (share / (1.0 - share)).ln(),
        };
        logits.resize(batch * SIDE * SIDE, logit);
        self.done.fetch_add(u64::from(of_frame), Ordering::SeqCst);
        match order {
            Ok(Order::Fail) | Err(_) => {
                let (backend, step, message) = ("puppet", "infer", "as ordered".to_owned());
                Err(EngineError::Backend { backend, step, message })
            }
            Ok(_) => Ok(()),
        }
    }
}

/// An engine of that number, which counts in `done` the frames that it was done with.
pub(crate) fn puppet(
    orders: Receiver<Order>,
    done: Arc<AtomicU64>,
    number: usize,
) -> Result<Opened, EngineError> {
    let description = Description {
        backend: "puppet",
        library: "none".to_owned(),
        precision: Precision::F32,
        threads: 1,
        model: "puppet".to_owned(),
        side_px: SIDE,
    };
    Ok(Opened {
        name: format!("puppet {number}"),
        input: InputSpec {
            side_px: SIDE as u32,
            fit: Fit::Squash,
            normalisation: Normalisation::Fixed { mean: [0.0; 3], std: [1.0; 3] },
        },
        decoder: Decoder::new(1.0)?,
        remember: Arc::new(|prompt| {
            let (encoder_sha256, engine_sha256) = (String::new(), String::new());
            let prompt = prompt.unwrap_or(PROMPTS[0]).to_owned();
            Ok(Arc::new(PromptMemory { prompt, encoder_sha256, engine_sha256, tensors: Vec::new() }))
        }),
        prepare: None,
        manifest_sha256: String::new(),
        identity: None,
        engine: Box::new(move || Ok(Box::new(Puppet { orders, done, number, description }))),
    })
}
