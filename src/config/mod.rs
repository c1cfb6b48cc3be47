//! A cart's configuration: where the picture comes from, how it is segmented, how the mask is painted and where
//! the result goes.
//!
//! The file is TOML with one section per stage, in the order of the pipeline. A [`Draft`] is the file as it was
//! written; [`Draft::check`] turns it into a [`Config`], or says everything that is wrong with it at once.
//! Nothing past that line validates again. [`KEYS`] lists every key; `docs/CONFIG.md` is made from it.
//!
//! Not here: whether files, devices and GStreamer elements exist on this machine (the tool looks), and the
//! trainer's configuration.

mod check;
mod draft;
mod keys;
mod value;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use check::Broken;
pub use draft::Draft;
pub use keys::{KEYS, Key, table};
pub use value::{Framerate, ValueError, duration_text, parse_duration, parse_size};

use crate::alarm::{self, Rule};
use crate::frame::Size;
use crate::overlay::{STYLES, Settings};
use crate::roi::Roi;
use crate::trace::{Budget, Missed};

/// A configuration in which every rule holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where the picture comes from.
    pub source: Source,
    /// How it is segmented.
    pub segment: Segment,
    /// How the mask is painted.
    pub overlay: Overlay,
    /// What is recorded; `None` for nothing.
    pub record: Option<Record>,
    /// What stages of a frame's way may take.
    pub limits: Limits,
    /// The port of this machine on which figures are served; `None` for none.
    pub metrics_port: Option<u16>,
    /// Where the painted picture goes.
    pub sink: Sink,
}

/// A latency budget, and what happens when it is missed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// What each stage may take; by default none is limited.
    pub budget: Budget,
    /// What happens when frames keep taking longer.
    pub missed: Missed,
    /// The folder of the engine that [`Missed::ShrinkInput`] needs.
    pub smaller_engine: Option<PathBuf>,
}

/// Where the picture comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// A video file, played at its own speed.
    File {
        /// The file.
        path: PathBuf,
    },
    /// A capture device that Linux knows.
    V4l2 {
        /// Its device file.
        device: PathBuf,
        /// The size to ask it for; without one, what it offers first.
        size: Option<Size>,
        /// The frame rate to ask it for; without one, what it offers first.
        framerate: Option<Framerate>,
    },
    /// A Blackmagic DeckLink card.
    Decklink {
        /// The card's number, from 0.
        device: u32,
        /// The video mode, by GStreamer's name, as `1080p30`; `auto` follows the signal.
        mode: String,
    },
    /// Colour bars: a picture without a polyp in it.
    Test {
        /// Frame size in pixels.
        size: Size,
        /// Frames per second.
        framerate: Framerate,
    },
    /// The demonstration clip: animated stills.
    Demo {
        /// The folder of stills; without one, the tool's own.
        path: Option<PathBuf>,
        /// Frame size in pixels.
        size: Size,
        /// Frames per second.
        framerate: Framerate,
    },
}

/// How the picture is segmented.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// The engine's folder.
    pub engine: PathBuf,
    /// The public key of whoever has to have signed it; without one, anybody.
    pub public_key: Option<String>,
    /// What to look for; without one, what the engine was made for.
    pub prompt: Option<String>,
    /// The library that runs the engine; without one, the element's own choice.
    pub backend: Option<String>,
    /// The libraries that run it where that one can not, in this order; mostly none.
    pub fallback: Vec<String>,
    /// The numbers it computes with.
    pub precision: Precision,
    /// CPU threads it may use; 0 leaves it to the backend.
    pub threads: u32,
    /// Where it runs.
    pub isolation: Isolation,
    /// Whether the picture waits for its mask.
    pub mode: Mode,
    /// How long it waits at most, in [`Mode::Locked`].
    pub latency_budget: Duration,
    /// How old a mask may be and still be shown.
    pub max_mask_age: Duration,
    /// The part of the frame that the network sees.
    pub roi: Roi,
    /// Whether masks are moved along with the picture, in [`Mode::Live`].
    pub motion_compensation: bool,
    /// How much of the masks before stays in a new one, 0 to 0.9.
    pub smoothing: f32,
    /// When an alarm says that a polyp is in view; `None` for never.
    pub alarm: Option<Rule>,
    /// The share of what the network sees that a mask has to cover to count for it, 0 to 1.
    pub alarm_area: f32,
}

/// How the mask is painted.
#[derive(Clone, Debug, PartialEq)]
pub struct Overlay {
    /// The style's name: one of [`STYLES`].
    pub style: String,
    /// What every style follows.
    pub settings: Settings,
}

/// How a session is recorded: the picture without the overlay, the masks, and a journal.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The folder in which each session becomes a folder of its own.
    pub path: PathBuf,
    /// How the picture is kept.
    pub codec: Codec,
    /// After how long the next file is begun.
    pub segment_time: Duration,
    /// The recording ends when the disk has less than so many gigabytes (10^9 bytes) left.
    pub keep_free_gb: u32,
}

impl Record {
    /// Into that folder, and everything else as when its key is left out.
    pub fn into(path: PathBuf) -> Self {
        Self { path, codec: Codec::H264, segment_time: Duration::from_secs(600), keep_free_gb: 2 }
    }
}

/// Where the painted picture goes.
#[derive(Clone, Debug, PartialEq)]
pub enum Sink {
    /// A window on this machine's display.
    Window,
    /// A Matroska file with H.264 video.
    File {
        /// The file; it is written anew.
        path: PathBuf,
    },
    /// Nowhere, at the pace of the clock: for measuring.
    None,
}

impl Segment {
    /// The engine in that folder, and everything else as when its key is left out.
    pub fn of(engine: PathBuf) -> Self {
        Self {
            engine,
            public_key: None,
            prompt: None,
            backend: None,
            fallback: Vec::new(),
            precision: Precision::Auto,
            threads: 0,
            isolation: Isolation::Thread,
            mode: Mode::Live,
            latency_budget: Duration::from_millis(33),
            max_mask_age: Duration::from_millis(120),
            roi: Roi::default(),
            motion_compensation: true,
            smoothing: 0.0,
            alarm: None,
            alarm_area: alarm::AREA,
        }
    }
}

impl Default for Overlay {
    /// As when every key is left out: the first style.
    fn default() -> Self {
        let style = STYLES.first().map(|first| first.name().to_owned()).unwrap_or_default();
        Self { style, settings: Settings::default() }
    }
}

/// A choice by name in the configuration: every variant with its name.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl $name {
            /// Every choice, the default first.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Its name in configuration files and properties.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// The choice of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|choice| choice.name() == name)
            }
        }
    };
}

named! {
    /// Where the engine runs.
    Isolation {
        /// In a thread of the pipeline's process.
        Thread = "thread",
        /// In a process of its own, with another in reserve.
        Process = "process",
    }
}

named! {
    /// Whether the picture waits for its mask.
    Mode {
        /// Never: the newest mask is shown with its age.
        Live = "live",
        /// Until the latency budget ends; the mask is of this very frame.
        Locked = "locked",
    }
}

named! {
    /// How the picture of a session is kept.
    Codec {
        /// Small; what is lost is hardly seen.
        H264 = "h264",
        /// Every bit of it.
        Ffv1 = "ffv1",
    }
}

named! {
    /// The numbers that the network computes with.
    Precision {
        /// The fastest that the backend trusts on this machine.
        Auto = "auto",
        /// 32-bit floats.
        F32 = "f32",
        /// 16-bit floats of 11 significant bits; cards alone.
        F16 = "f16",
        /// 16-bit floats of 8 significant bits.
        Bf16 = "bf16",
        /// 8-bit integers, of an engine that has them; CPUs alone.
        Int8 = "int8",
    }
}

/// Why a file is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It can not be read.
    #[error("{path} can not be read: {source}")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is no TOML, or has keys that do not exist or are of another type.
    #[error("{path} is not a configuration: {source}")]
    Parse {
        /// The file.
        path: String,
        /// Where and what.
        source: toml::de::Error,
    },
    /// Rules are broken.
    #[error("{path} breaks {}:{}", count(.broken.len()), list(.broken))]
    Check {
        /// The file.
        path: String,
        /// Every broken rule.
        broken: Vec<Broken>,
    },
}

fn count(rules: usize) -> String {
    if rules == 1 { "one rule".to_owned() } else { format!("{rules} rules") }
}

fn list(broken: &[Broken]) -> String {
    broken.iter().map(|rule| format!("\n  {rule}")).collect()
}

impl Config {
    /// Reads and checks the file at `path`. Relative paths in it are relative to its folder.
    ///
    /// # Errors
    /// [`ConfigError`]: unreadable, no configuration, or every broken rule.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let name = || path.display().to_string();
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: name(), source })?;
        let draft = Draft::parse(&text).map_err(|source| ConfigError::Parse { path: name(), source })?;
        // Absolute, so that what is written out means the same wherever it is put.
        let path_read =
            std::path::absolute(path).map_err(|source| ConfigError::Read { path: name(), source })?;
        draft
            .check(path_read.parent().unwrap_or(Path::new("")))
            .map_err(|broken| ConfigError::Check { path: name(), broken })
    }

    /// This configuration as a file with every key written out.
    ///
    /// # Errors
    /// When it can not be written as TOML, which a path that is not UTF-8 brings about.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(&Draft::from(self))
    }
}

#[cfg(test)]
mod tests;
