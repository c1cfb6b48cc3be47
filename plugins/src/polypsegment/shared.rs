//! Engines that several elements of one process share: whoever wants one that runs already becomes another stream at it.
//!
//! What is one with what is said by an identity: the folder with the hashes of its files, the backend, the precision, the
//! threads, the isolation ([`super::open`]). Nothing here keeps an engine alive: it ends with the last of its streams.
//! While one is being opened, whoever wants the same waits for it, which takes no longer than opening it themselves.
//!
//! Not here: whose frame is served first, and which run together ([`polyp_engine::worker`]).

use std::sync::{Arc, Mutex};

use polyp_engine::error::EngineError;
use polyp_engine::memory::PromptMemory;
use polyp_engine::worker::{Joinable, Worker};

use crate::lock::lock;

/// Every engine that may be shared, and that somebody has or opens.
static ENGINES: Mutex<Vec<Place>> = Mutex::new(Vec::new());

/// Where an engine is found.
struct Place {
    identity: String,
    /// Locked while it is being opened.
    engine: Arc<Mutex<Option<Joinable>>>,
}

/// A stream at the engine of that identity, with a prompt of its own; `start` opens the engine where none runs, or where the
/// one that runs hangs. Without an identity it is nobody else's.
///
/// # Errors
/// What `start` says.
pub(super) fn worker(
    identity: Option<&str>,
    memory: &Arc<PromptMemory>,
    start: impl FnOnce() -> Result<Worker, EngineError>,
) -> Result<Worker, EngineError> {
    let Some(identity) = identity else { return start() };
    let place = place(identity);
    let mut engine = lock(&place);
    if let Some(worker) = engine.as_ref().and_then(|engine| engine.join(Arc::clone(memory))) {
        return Ok(worker);
    }
    let worker = start()?;
    *engine = Some(worker.joinable());
    Ok(worker)
}

/// The place of that identity. Places of engines that have ended are cleared away.
fn place(identity: &str) -> Arc<Mutex<Option<Joinable>>> {
    let mut engines = lock(&ENGINES);
    // Whoever opens one holds its place too; the lock of one that nobody holds is free.
    engines.retain(|place| {
        Arc::strong_count(&place.engine) > 1 || lock(&place.engine).as_ref().is_some_and(Joinable::is_used)
    });
    if let Some(place) = engines.iter().find(|place| place.identity == identity) {
        return Arc::clone(&place.engine);
    }
    let engine = Arc::default();
    engines.push(Place { identity: identity.to_owned(), engine: Arc::clone(&engine) });
    engine
}
