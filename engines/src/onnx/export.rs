//! A network's frame graph, written.

use std::path::Path;

use polyp::model::Network;

use super::GraphWriter;
use crate::error::EngineError;
use crate::weights::Weights;

/// Writes the frame graph of `network` to `path`.
///
/// Inputs: `image` `[batch,3,S,S]`, then the prompt memory's tensors `[1,T,C]` as
/// [`Network::memory_shapes`] names them. Output: `logits` `[batch,1,S,S]`. Initializers: the parameters that
/// the frame graph uses, by their paths, and the position tables. Float32, the same bytes for the same weights.
///
/// # Errors
/// [`EngineError::Model`] when `weights` lack a parameter or have it in another shape,
/// [`EngineError::File`] when the file can not be written.
pub fn export(network: &Network, weights: &Weights, path: &Path) -> Result<(), EngineError> {
    let writer = GraphWriter::new(weights);
    let spec = network.spec();
    let image = writer.batch_input("image", &[1, 3, spec.side_px, spec.side_px]);
    let mut values = Vec::new();
    for (name, [tokens, width]) in network.memory_shapes() {
        values.push(writer.fixed_input(&name, &[1, tokens, width]));
    }
    let logits = network.forward(&writer, &image, &network.memory_of(values))?;
    writer.output("logits", &logits);
    writer.write(&spec.name, path)
}

#[cfg(test)]
mod tests {
    use polyp::model::ModelSpec;

    use super::super::read_weights;
    use super::*;

    #[test]
    fn a_graph_carries_the_weights_it_uses() {
        let network = Network::new(&ModelSpec::lite()).unwrap();
        let weights = Weights::random(&network.frame_params(), 5);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.onnx");
        export(&network, &weights, &path).unwrap();
        let read = read_weights(&path).unwrap();
        for param in network.frame_params() {
            assert_eq!(read.get(param).unwrap(), weights.get(param).unwrap(), "{}", param.path);
        }
        let tables =
            ["decoder.d16.modab.positions", "decoder.d4.modab.positions", "decoder.d8.modab.positions"];
        assert_eq!(read.extra(&network.frame_params()), tables);
        let again = folder.path().join("again.onnx");
        export(&network, &weights, &again).unwrap();
        assert!(std::fs::read(&path).unwrap() == std::fs::read(&again).unwrap(), "bytes differ");
    }

    #[test]
    fn a_missing_parameter_is_named() {
        let network = Network::new(&ModelSpec::lite()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.onnx");
        let error = export(&network, &Weights::default(), &path).unwrap_err().to_string();
        assert_eq!(
            error,
            "parameter encoder._conv_stem.weight: expected a tensor of shape [32, 3, 3, 3], found none"
        );
        assert!(!path.exists());
    }
}
