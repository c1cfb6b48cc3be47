//! Options of the verbs that play without a configuration file: which engine, how fast, in which mode and style. What
//! is not asked for is as in a configuration that leaves it out.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::PossibleValuesParser;
use polyp::config::{Framerate, Isolation, Mode, Overlay, Segment, parse_duration, parse_size};
use polyp::frame::Size;
use polyp::overlay::STYLES;

use super::failure::Failure;
use super::place;

/// How `polyplive` is played.
#[derive(Debug, Args)]
pub(super) struct Play {
    /// The engine [default: the repository's engines/store/lite]
    #[arg(long, value_name = "DIR")]
    engine: Option<PathBuf>,
    /// The library that runs the network [default: the element's own choice]
    #[arg(long, value_name = "NAME")]
    backend: Option<String>,
    /// The libraries that run it where that one can not, in this order [default: none]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    fallback: Vec<String>,
    /// thread: the network runs in this process; process: in one of its own
    #[arg(long, default_value = Isolation::Thread.name(), value_parser = isolation)]
    pub(super) isolation: Isolation,
    /// Frames per second
    #[arg(long, default_value = "30")]
    pub(super) framerate: Framerate,
    /// live: the picture never waits; locked: it waits for its own mask
    #[arg(long, default_value = Mode::Live.name(), value_parser = mode)]
    pub(super) mode: Mode,
    /// How long the picture waits at most in locked mode
    #[arg(long, default_value = "33ms", value_parser = duration)]
    latency_budget: Duration,
    /// How masks are painted
    #[arg(long, default_value = STYLES[0].name(), value_parser = styles())]
    style: String,
}

impl Play {
    /// How the picture is segmented.
    pub(super) fn segment(&self) -> Result<Segment, Failure> {
        Ok(Segment {
            backend: self.backend.clone(),
            fallback: self.fallback.clone(),
            isolation: self.isolation,
            mode: self.mode,
            latency_budget: self.latency_budget,
            ..Segment::of(place::engine(self.engine.as_deref())?)
        })
    }

    /// How the mask is painted.
    pub(super) fn overlay(&self) -> Overlay {
        Overlay { style: self.style.clone(), ..Overlay::default() }
    }
}

/// A frame size.
pub(super) fn size(text: &str) -> Result<Size, String> {
    parse_size(text).map_err(|error| error.to_string())
}

/// A duration with its unit.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|error| error.to_string())
}

fn isolation(text: &str) -> Result<Isolation, String> {
    Isolation::from_name(text).ok_or_else(|| "expected thread or process".to_owned())
}

fn mode(text: &str) -> Result<Mode, String> {
    Mode::from_name(text).ok_or_else(|| "expected live or locked".to_owned())
}

fn styles() -> PossibleValuesParser {
    PossibleValuesParser::new(STYLES.iter().map(|style| style.name()))
}
