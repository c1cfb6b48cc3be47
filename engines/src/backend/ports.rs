//! The network file's inputs and outputs, as the description has them and as a library reports them.
//!
//! Only for backends that read the file: a build without any of them has no use for it.

use std::fmt::{self, Write as _};
use std::path::Path;

use polyp::model::Network;

use crate::error::EngineError;

/// The picture's name in the network's file.
pub(crate) const IMAGE: &str = "image";
/// The logits' name in the network's file.
pub(crate) const LOGITS: &str = "logits";

/// An input or output of the network's file, as a library reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Its name.
    pub name: String,
    /// Axes' lengths; `None` for one that may be any.
    pub shape: Vec<Option<usize>>,
    /// Whether its elements are 32-bit floats.
    pub is_f32: bool,
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
}
