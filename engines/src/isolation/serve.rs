//! What the process does: opens the engine, warms it up, and runs pictures until nobody asks any more.

use std::path::Path;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::dup;
use rustix::stdio::{stdin, stdout};
use serde_json::{Value, json};

use super::shared::{Layout, Part, Shared};
use super::wire::{Word, hear, say};
use crate::engine::{Backend, Engine, Options};
use crate::error::{EngineError, caught};
use crate::folder::{EngineFolder, Trust};
use crate::memory::PromptMemory;
use crate::weights::Array;

/// Runs before an engine counts as warm: the first one still sets things up.
const WARM_UP_RUNS: usize = 2;

/// Serves the process that started this one: the socket is the standard input, the shared memory the standard output.
///
/// # Errors
/// [`EngineError`] when the engine can not be opened, which was said to the other side too, or the other side does not talk like one.
pub fn serve(folder: &Path, trust: &Trust, backend: &str, options: &Options) -> Result<(), EngineError> {
    end_with_the_other_side()?;
    let opened = caught("opening", || Server::open(folder, trust, backend, options));
    let (mut server, ready) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            say(stdin(), &Word::Failed(error.to_string())).map_err(lost)?;
            return Err(error);
        }
    };
    say(stdin(), &Word::Ready(ready.to_string())).map_err(lost)?;
    loop {
        let answer = match hear(stdin(), None) {
            Ok(Some(Word::Run)) => server.run(false),
            Ok(Some(Word::RunAnew)) => server.run(true),
            Ok(None) => continue,
            Ok(Some(_)) => return Err(lost(std::io::ErrorKind::InvalidData.into())),
            // Nobody asks any more.
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(lost(error)),
        };
        let word = answer.map_or_else(|error| Word::Failed(error.to_string()), |()| Word::Done);
        say(stdin(), &word).map_err(lost)?;
    }
}

fn lost(error: std::io::Error) -> EngineError {
    EngineError::Isolated { message: format!("the process that asks is lost: {error}") }
}

/// Ends this process when the other one is gone, also while the engine hangs.
fn end_with_the_other_side() -> Result<(), EngineError> {
    let watch = || loop {
        let socket = stdin();
        // A hang-up is told without being asked for.
        let told = poll(&mut [PollFd::new(&socket, PollFlags::empty())], None);
        if matches!(told, Ok(1..)) {
            std::process::exit(0);
        }
    };
    let watching = std::thread::Builder::new().name("polyp-watch".to_owned()).spawn(watch);
    watching.map(drop).map_err(lost)
}

struct Server {
    engine: Box<dyn Engine>,
    memory: PromptMemory,
    shared: Shared,
    logits: Vec<f32>,
}

impl Server {
    fn open(
        folder: &Path,
        trust: &Trust,
        backend: &str,
        options: &Options,
    ) -> Result<(Self, Value), EngineError> {
        let folder = EngineFolder::open_trusted(folder, trust)?;
        let mut engine = (Backend::named(backend)?.open)(&folder, options)?;
        let side = engine.description().side_px;
        let memory = folder.memory()?;
        let count = memory.tensors.iter().map(|(_, array)| array.values.len()).sum();
        let file = dup(stdout()).map_err(|error| lost(error.into()))?;
        let shared = Shared::map(file, Layout::new(side, count)).map_err(lost)?;
        let (black, mut logits) = (vec![0.0; 3 * side * side], Vec::new());
        let mut warm = std::time::Duration::ZERO;
        for _ in 0..WARM_UP_RUNS {
            let begun = Instant::now();
            engine.infer(&black, 1, &memory, &mut logits)?;
            warm = begun.elapsed();
        }
        let is = engine.description();
        let ready = json!({
            "backend": is.backend,
            "library": is.library,
            "precision": is.precision.name(),
            "threads": is.threads,
            "model": is.model,
            "warm_us": u64::try_from(warm.as_micros()).unwrap_or(u64::MAX),
        });
        Ok((Self { engine, memory, shared, logits }, ready))
    }

    /// Runs the picture that is in the shared memory, `anew` with the prompt memory that is there too.
    fn run(&mut self, anew: bool) -> Result<(), EngineError> {
        if anew {
            let mut values = Vec::new();
            self.shared.read(Part::Memory, &mut values);
            let mut rest = values.as_slice();
            for (_, array) in &mut self.memory.tensors {
                let (own, after) = rest.split_at(array.values.len().min(rest.len()));
                *array = Array::new(array.shape.clone(), own.to_vec())?;
                rest = after;
            }
        }
        let Self { engine, memory, shared, logits } = self;
        caught("running", || engine.infer(shared.view(Part::Image), 1, memory, logits))?;
        shared.write(Part::Logits, logits);
        Ok(())
    }
}
