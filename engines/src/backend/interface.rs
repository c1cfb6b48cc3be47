//! What every backend checks: the pictures, the prompt, the answer.
//!
//! Not here: any library, and what the network file itself has to be like (`ports.rs`).

use polyp::model::Network;

use crate::engine::Precision;
use crate::error::EngineError;
use crate::folder::EngineFolder;
use crate::memory::PromptMemory;

/// Refuses pictures that are not `[batch, 3, side, side]`.
pub(crate) fn check_images(images: &[f32], batch: usize, side: usize) -> Result<(), EngineError> {
    let expected = batch.checked_mul(3 * side * side);
    if batch == 0 || expected != Some(images.len()) {
        return Err(EngineError::Input {
            what: "images".to_owned(),
            expected: format!("at least one picture of 3 x {side} x {side}, {batch} of them"),
            found: format!("{} values", images.len()),
        });
    }
    Ok(())
}

/// The precision that `asked` is: one of those that `backend` has, the first of them for [`Precision::Auto`].
pub(crate) fn choose_precision(
    asked: Precision,
    backend: &'static str,
    known: &[Precision],
) -> Result<Precision, EngineError> {
    match (asked, known.first()) {
        (Precision::Auto, Some(first)) => Ok(*first),
        _ if known.contains(&asked) => Ok(asked),
        _ => {
            let names: Vec<&str> = known.iter().map(|precision| precision.name()).collect();
            let expected = format!("{} or auto with backend {backend}", names.join(", "));
            Err(EngineError::Refused { option: "precision", expected, found: asked.name().to_owned() })
        }
    }
}

/// Refuses an answer with a value that is not finite.
pub(crate) fn check_logits(backend: &'static str, logits: &[f32]) -> Result<(), EngineError> {
    match logits.iter().enumerate().find(|(_, logit)| !logit.is_finite()) {
        Some((index, &found)) => Err(EngineError::NotFinite { backend, index, found }),
        None => Ok(()),
    }
}

/// The prompt memory that a backend's tensors hold.
///
/// Memories are compared by their values (some 20,000 numbers, microseconds), not by their prompt: two
/// memories of one name that differ must not be taken for each other.
#[derive(Debug)]
pub(crate) struct Bound {
    network: Network,
    /// The sha256 of the engine's prompt side.
    engine_sha256: String,
    memory: Option<PromptMemory>,
}

impl Bound {
    pub(crate) fn new(folder: &EngineFolder) -> Self {
        let engine_sha256 = folder.prompt_sha256().to_owned();
        Self { network: folder.network().clone(), engine_sha256, memory: None }
    }

    /// Calls `bind` with the memory if it is not the one that is bound; refuses one that does not fit. After
    /// a failure nothing counts as bound.
    pub(crate) fn rebind(
        &mut self,
        memory: &PromptMemory,
        bind: impl FnOnce(&PromptMemory) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        if self.memory.as_ref() == Some(memory) {
            return Ok(());
        }
        self.memory = None;
        if memory.engine_sha256 != self.engine_sha256 {
            return Err(EngineError::Memory {
                tensor: "engine_sha256".to_owned(),
                expected: format!("{} (this engine's prompt side)", self.engine_sha256),
                found: memory.engine_sha256.clone(),
            });
        }
        memory.check(&self.network)?;
        bind(memory)?;
        self.memory = Some(memory.clone());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_of_another_number_are_refused() {
        let image = vec![0.0; 3 * 64 * 64];
        assert!(check_images(&image, 1, 64).is_ok());
        for (batch, side) in [(0, 64), (2, 64), (1, 96), (usize::MAX, 64)] {
            assert!(check_images(&image, batch, side).is_err(), "{batch} {side}");
        }
    }

    #[test]
    fn what_is_not_a_number_is_named() {
        assert!(check_logits("x", &[0.0, 1.0]).is_ok());
        let error = check_logits("x", &[0.0, f32::INFINITY]).unwrap_err();
        assert_eq!(error.to_string(), "backend x, output 1: expected a finite number, found inf");
    }
}
