//! What every backend checks: the network file's inputs and outputs, the pictures, the prompt, the answer.
//!
//! Not here: any library.

use std::fmt::{self, Write as _};
use std::path::Path;

use polyp::model::Network;

use crate::error::EngineError;
use crate::folder::EngineFolder;
use crate::memory::PromptMemory;

/// The picture's name in the network's file.
pub(crate) const IMAGE: &str = "image";
/// The logits' name in the network's file.
pub(crate) const LOGITS: &str = "logits";

/// An input or output of the network's file, as a library reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Port {
    pub(crate) name: String,
    /// Axes' lengths; `None` for one that may be any.
    pub(crate) shape: Vec<Option<usize>>,
    /// Whether its elements are 32-bit floats.
    pub(crate) is_f32: bool,
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_f32 { "float32 [" } else { "other than float32 [" })?;
        for (index, axis) in self.shape.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { "," })?;
            match axis {
                Some(length) => write!(f, "{length}")?,
                None => f.write_char('?')?,
            }
        }
        f.write_char(']')
    }
}

/// What a network's file takes and gives, as its description says.
pub(crate) fn ports(network: &Network) -> (Vec<Port>, Port) {
    let side = Some(network.spec().side_px);
    let port = |name: &str, shape: Vec<_>| Port { name: name.to_owned(), shape, is_f32: true };
    let mut inputs = vec![port(IMAGE, vec![None, Some(3), side, side])];
    for (name, [tokens, width]) in network.memory_shapes() {
        inputs.push(port(&name, vec![Some(1), Some(tokens), Some(width)]));
    }
    (inputs, port(LOGITS, vec![None, Some(1), side, side]))
}

/// Refuses a network file whose inputs and outputs are not the description's.
pub(crate) fn check_ports(
    path: &Path,
    network: &Network,
    inputs: &[Port],
    outputs: &[Port],
) -> Result<(), EngineError> {
    let (wanted_inputs, wanted_output) = ports(network);
    check_side(path, "input", &wanted_inputs, inputs)?;
    check_side(path, "output", &[wanted_output], outputs)
}

fn check_side(path: &Path, side: &str, wanted: &[Port], found: &[Port]) -> Result<(), EngineError> {
    let refuse = |tensor: &str, expected: String, found: String| {
        Err(EngineError::Interface { path: path.to_owned(), tensor: tensor.to_owned(), expected, found })
    };
    for port in wanted {
        match found.iter().find(|found| found.name == port.name) {
            None => return refuse(&port.name, format!("an {side} {port}"), format!("no such {side}")),
            Some(found) if found != port => return refuse(&port.name, port.to_string(), found.to_string()),
            Some(_) => {}
        }
    }
    match found.iter().find(|found| wanted.iter().all(|port| port.name != found.name)) {
        Some(more) => refuse(&more.name, format!("no such {side}"), format!("an {side} {more}")),
        None => Ok(()),
    }
}

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
    use polyp::model::ModelSpec;

    use super::*;

    fn check(change: impl FnOnce(&mut Vec<Port>, &mut Vec<Port>)) -> Result<(), String> {
        let network = Network::new(&ModelSpec::lite()).unwrap();
        let (mut inputs, output) = ports(&network);
        let mut outputs = vec![output];
        change(&mut inputs, &mut outputs);
        check_ports(Path::new("model.onnx"), &network, &inputs, &outputs).map_err(|error| error.to_string())
    }

    #[test]
    fn the_descriptions_own_ports_pass_in_any_order() {
        assert_eq!(check(|inputs, _| inputs.reverse()), Ok(()));
    }

    #[test]
    fn every_difference_is_named() {
        assert_eq!(
            check(|inputs, _| inputs[0].shape[2] = Some(224)).unwrap_err(),
            "model.onnx, tensor image: expected float32 [?,3,256,256], found float32 [?,3,224,256]"
        );
        assert_eq!(
            check(|inputs, _| drop(inputs.remove(1))).unwrap_err(),
            "model.onnx, tensor memory.d16.key: expected an input float32 [1,24,320], found no such input"
        );
        assert_eq!(
            check(|_, outputs| outputs[0].is_f32 = false).unwrap_err(),
            "model.onnx, tensor logits: expected float32 [?,1,256,256], found other than float32 [?,1,256,256]"
        );
        let extra = Port { name: "mask".to_owned(), shape: vec![Some(1)], is_f32: true };
        assert_eq!(
            check(|_, outputs| outputs.push(extra)).unwrap_err(),
            "model.onnx, tensor mask: expected no such output, found an output float32 [1]"
        );
    }

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
