//! What weights a run starts from.

use std::path::{Path, PathBuf};

use polyp::model::{Encoder, Network, Param};
use polyp_engine::weights::Weights;

use super::{BEST, FitConfig};
use crate::convert::convert;
use crate::error::TrainingError;

/// A folder's weights, the first that is there.
const FILES: [&str; 2] = ["model.safetensors", "pytorch_model.bin"];
/// How many parameters an error names before it counts.
const NAMED: usize = 4;

/// The weights of the run or file that `start` names; else random weights, and over them the pretrained encoder's: a
/// safetensors or PyTorch file, or a folder with `model.safetensors` or `pytorch_model.bin` as Hugging Face lays it out.
/// Every parameter of the encoder must be there, and nothing but its classifier besides.
///
/// # Errors
/// When the file can not be read, or does not fit, naming what is missing, of another shape or too much.
pub fn first_weights(config: &FitConfig, network: &Network) -> Result<Weights, TrainingError> {
    let params = network.params();
    if let Some(start) = &config.start {
        let file = if start.is_dir() { start.join(BEST) } else { start.clone() };
        return Ok(Weights::read_safetensors(&file)?.only(&params)?);
    }
    let Some(path) = &config.pretrained else { return Ok(Weights::random(&params, config.seed)) };
    let encoder = config.model.encoder;
    let (path, pretrained) = pretrained(path, encoder)?;
    let sources: Vec<Param> = params
        .iter()
        .filter_map(|param| {
            let key = param.path.strip_prefix("encoder.")?;
            Some(Param { path: key.to_owned(), ..(*param).clone() })
        })
        .collect();
    check(&path, encoder, &sources.iter().collect::<Vec<_>>(), &pretrained)?;
    let mut weights = Weights::random(&params, config.seed);
    for (key, array) in pretrained {
        weights.insert(format!("encoder.{key}"), array);
    }
    Ok(weights)
}

/// The prefix of an encoder's names in weights that were saved with a classifier, and the classifier's names.
fn classifier(encoder: Encoder) -> (&'static str, &'static [&'static str]) {
    match encoder {
        Encoder::ConvnextTiny => ("convnext.", &["classifier."]),
        Encoder::EfficientnetLite0 | Encoder::EfficientnetLite1 | Encoder::EfficientnetLite2 => {
            ("", &["_conv_head.", "_bn1.", "_fc."])
        }
    }
}

/// The weights that `path` names, without prefix and classifier, and the file that they were in.
fn pretrained(path: &Path, encoder: Encoder) -> Result<(PathBuf, Weights), TrainingError> {
    let file = if path.is_dir() {
        let found = FILES.into_iter().map(|name| path.join(name)).find(|file| file.exists());
        found.ok_or_else(|| TrainingError::field(path, "pretrained", FILES.join(" or "), "neither"))?
    } else {
        path.to_owned()
    };
    let torch = file.extension().is_some_and(|end| ["bin", "pth", "pt"].iter().any(|known| end == *known));
    let all = if torch {
        Weights::from_safetensors(&file, &convert(&file)?)?
    } else {
        Weights::read_safetensors(&file)?
    };
    let (prefix, heads) = classifier(encoder);
    let plain = |(name, array): (String, _)| match name.strip_prefix(prefix) {
        Some(plain) => (plain.to_owned(), array),
        None => (name, array),
    };
    let wanted = |(name, _): &(String, _)| !heads.iter().any(|head| name.starts_with(head));
    Ok((file, all.into_iter().map(plain).filter(wanted).collect()))
}

/// Refuses weights that are not exactly an encoder's.
fn check(path: &Path, encoder: Encoder, params: &[&Param], found: &Weights) -> Result<(), TrainingError> {
    let (mut missing, mut shapes) = (Vec::new(), Vec::new());
    for param in params {
        match found.named(&param.path) {
            None => missing.push(param.path.clone()),
            Some(array) if array.shape != param.shape => {
                shapes.push(format!("{} {:?} for {:?}", param.path, array.shape, param.shape));
            }
            Some(_) => {}
        }
    }
    let extra = found.extra(params).into_iter().map(str::to_owned).collect();
    let kinds = [("missing", missing), ("of another shape", shapes), ("unknown", extra)];
    let told: Vec<String> = kinds.iter().filter_map(|(what, names)| few(what, names)).collect();
    if told.is_empty() {
        return Ok(());
    }
    Err(TrainingError::field(path, "pretrained", format!("the parameters of {encoder:?}"), told.join("; ")))
}

/// The first names of a list, and how many more there are; none when it is empty.
fn few(what: &str, names: &[String]) -> Option<String> {
    let named = names.get(..NAMED.min(names.len()))?.join(", ");
    match names.len() {
        0 => None,
        count if count > NAMED => Some(format!("{what} {named} and {} more", count - NAMED)),
        _ => Some(format!("{what} {named}")),
    }
}
