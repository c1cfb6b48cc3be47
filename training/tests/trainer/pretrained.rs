//! Pretrained encoders, as they are found elsewhere.

use std::fs;
use std::path::{Path, PathBuf};

use polyp::model::{ConvNext, ModelSpec, Network};
use polyp_engine::weights::{Array, Weights};
use polyp_training::fit::{FitConfig, first_weights};

use crate::fixture::config;

/// A folder laid out as Hugging Face's ConvNeXt, with values that tell parameters apart.
fn convnext(folder: &Path, prefix: &str) -> Weights {
    let encoder = ConvNext::new("encoder");
    let mut weights = Weights::default();
    for (index, param) in encoder.params().into_iter().enumerate() {
        let key = param.path.strip_prefix("encoder.").unwrap();
        let array = Array::new(param.shape.clone(), vec![index as f32; param.len()]).unwrap();
        weights.insert(format!("{prefix}{key}"), array);
    }
    for name in ["classifier.weight", "classifier.bias"] {
        weights.insert(name, Array::new(vec![1], vec![1.0]).unwrap());
    }
    weights.write_safetensors(&folder.join("model.safetensors")).unwrap();
    weights
}

fn first(model: ModelSpec, pretrained: PathBuf) -> Result<Weights, String> {
    let network = Network::new(&model).unwrap();
    let config = FitConfig { model, pretrained: Some(pretrained), ..config() };
    first_weights(&config, &network).map_err(|error| error.to_string())
}

fn base() -> ModelSpec {
    ModelSpec { side_px: 64, ..ModelSpec::base() }
}

#[test]
fn a_convnext_is_read_from_its_folder_with_and_without_prefix() {
    let temp = tempfile::tempdir().unwrap();
    for prefix in ["convnext.", ""] {
        convnext(temp.path(), prefix);
        let weights = first(base(), temp.path().to_owned()).unwrap();
        for (index, param) in ConvNext::new("encoder").params().into_iter().enumerate() {
            let array = weights.get(param).unwrap();
            assert!(array.values.iter().all(|&value| value == index as f32), "{}", param.path);
        }
        assert!(weights.named("encoder.classifier.bias").is_none());
        assert!(weights.named("head.last.bias").is_some(), "the rest is random");
    }
}

#[test]
fn what_does_not_fit_is_named_and_counted() {
    let temp = tempfile::tempdir().unwrap();
    let error = first(base(), temp.path().to_owned()).unwrap_err();
    assert!(error.contains("expected model.safetensors or pytorch_model.bin, found neither"), "{error}");
    let mut weights = Weights::default();
    for (name, length) in [("convnext.layernorm.bias", 3), ("convnext.more", 1), ("classifier.bias", 1)] {
        weights.insert(name, Array::new(vec![length], vec![0.0; length]).unwrap());
    }
    let file = temp.path().join("model.safetensors");
    weights.write_safetensors(&file).unwrap();
    let error = first(base(), file).unwrap_err();
    let count = ConvNext::new("encoder").params().len() - 1 - 4;
    let expected = format!(
        "model.safetensors: pretrained: expected the parameters of ConvnextTiny, found missing \
         embeddings.patch_embeddings.weight, embeddings.patch_embeddings.bias, embeddings.layernorm.weight, \
         embeddings.layernorm.bias and {count} more; of another shape layernorm.bias [3] for [768]; unknown more"
    );
    assert!(error.ends_with(&expected), "{error}");
}

#[test]
fn pytorchs_own_file_is_read_too() {
    let temp = tempfile::tempdir().unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/torch.bin");
    fs::copy(golden, temp.path().join("pytorch_model.bin")).unwrap();
    let error = first(ModelSpec { side_px: 64, ..ModelSpec::lite() }, temp.path().to_owned()).unwrap_err();
    assert!(
        error.contains("pytorch_model.bin: pretrained: expected the parameters of EfficientnetLite0"),
        "{error}"
    );
    // Whole numbers are no weights, so that "steps" is not one of the eight.
    assert!(error.ends_with("unknown brain, empty, half, learned and 4 more"), "{error}");
}
