//! What an engine folder is made of, and plans.

use std::path::Path;
use std::sync::OnceLock;

use polyp::model::{ModelSpec, Network};
use polyp_engine::folder::SigningKey;
use polyp_engine::manifest::Manifest;
use polyp_engine::memory::PromptMemory;
use polyp_engine::weights::Weights;
use polyp_engine::{onnx, plan};

use crate::{file, place, taken};

static NETWORK: OnceLock<Network> = OnceLock::new();

/// A manifest that is taken has a network, and is the same when it is written and read again.
pub(crate) fn manifest(bytes: &[u8]) {
    let path = Path::new("manifest.json");
    let Some(manifest) = taken(Manifest::from_bytes(path, bytes), "manifest.json") else { return };
    drop(Network::new(&manifest.model));
    let again = manifest.to_json(path).unwrap();
    assert_eq!(Manifest::from_bytes(path, again.as_bytes()).unwrap(), manifest);
}

/// A signature is refused, whatever it looks like: nobody here has the secret key.
pub(crate) fn signature(bytes: &[u8]) {
    let key = SigningKey::read("RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3").unwrap();
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let verified = key.verify(Path::new("manifest.json.minisig"), text, b"{}");
    assert_eq!(taken(verified, "manifest.json.minisig"), None, "{text}");
    // The same text read as a key.
    if let Ok(key) = SigningKey::read(text) {
        assert!(key.verify(Path::new("manifest.json.minisig"), text, b"{}").is_err(), "{text}");
    }
}

/// A prompt memory that is taken is the same when it is written and read again, and fits a network or is refused by it.
pub(crate) fn memory(bytes: &[u8]) {
    let path = file("memory.safetensors", bytes);
    let read = PromptMemory::read(&path);
    let Some(memory) = taken(read, "memory.safetensors") else { return };
    drop(memory.check(NETWORK.get_or_init(|| Network::new(&ModelSpec::lite()).unwrap())));
    let again = place("again.safetensors");
    memory.write(&again).unwrap();
    assert_eq!(PromptMemory::read(&again).unwrap(), memory);
}

/// Weights that are taken are finite and the same when they are written and read again.
pub(crate) fn weights(bytes: &[u8]) {
    let read = Weights::from_safetensors(Path::new("weights.safetensors"), bytes);
    let Some(weights) = taken(read, "weights.safetensors") else { return };
    assert!(weights.iter().all(|(_, array)| array.values.iter().all(|value| value.is_finite())));
    let again = place("again.safetensors");
    weights.write_safetensors(&again).unwrap();
    assert_eq!(Weights::read_safetensors(&again).unwrap(), weights);
}

/// Initializers that are taken have as many values as their shape says, all of them finite.
pub(crate) fn onnx_weights(bytes: &[u8]) {
    let path = file("model.onnx", bytes);
    let Some(weights) = taken(onnx::read_weights(&path), "model.onnx") else { return };
    for (name, array) in weights.iter() {
        assert_eq!(array.shape.iter().product::<usize>(), array.values.len(), "{name}");
        assert!(array.values.iter().all(|value| value.is_finite()), "{name}");
    }
}

/// A plan is never taken when its hash is not the one of what lies beside it.
pub(crate) fn plan_description(bytes: &[u8]) {
    file("model.plan", b"a plan");
    file("plan.json", bytes);
    let Some(found) = taken(plan::read(&place("")), "plan") else { return };
    let plan = found.unwrap();
    assert_eq!(
        plan.description.plan_sha256,
        "a27fa2bacd5796b82680016a6b8865a616a9e4f6b6a198d3776ddc07536e3158"
    );
}
