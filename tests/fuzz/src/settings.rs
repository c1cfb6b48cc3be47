//! What people write: configurations, and texts in properties and arguments.

use polyp::alarm::Rule;
use polyp::config::{Config, Framerate, parse_duration, parse_size};
use polyp::roi::Roi;
use polyp_training::ablate::Ablation;
use polyp_training::fit::FitConfig;

use crate::{file, taken};

/// A configuration that is taken is the same when every key of it is written out and read again.
pub(crate) fn config(bytes: &[u8]) {
    let path = file("cart.toml", bytes);
    let Some(config) = taken(Config::read(&path), "cart.toml") else { return };
    let again = file("again.toml", config.to_toml().unwrap().as_bytes());
    assert_eq!(Config::read(&again).unwrap(), config);
}

/// A run's configuration that is taken can be checked.
pub(crate) fn run_config(bytes: &[u8]) {
    let path = file("run.toml", bytes);
    if let Some(config) = taken(FitConfig::read(&path), "run.toml") {
        drop(config.check());
    }
    drop(taken(Ablation::read(&path), "run.toml"));
}

/// A text that is taken says the same when it is written and read again.
pub(crate) fn texts(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    drop(parse_duration(text));
    if let Ok(size) = parse_size(text) {
        assert_eq!(parse_size(&size.to_string()), Ok(size));
    }
    if let Ok(rule) = Rule::read(text) {
        assert_eq!(Rule::read(&Rule::write(rule)), Ok(rule));
    }
    if let Ok(rate) = text.parse::<Framerate>() {
        assert_eq!(rate.to_string().parse(), Ok(rate));
    }
    if let Ok(roi) = text.parse::<Roi>() {
        assert_eq!(roi.to_string().parse(), Ok(roi));
    }
}
