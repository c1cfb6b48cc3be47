//! The configuration as it was written: every key may be missing, and nothing is judged but its type.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::value::duration_text;
use super::{Config, Framerate, Limits, Overlay, Record, Segment, Sink, Source};
use crate::alarm::Rule;
use crate::trace::{COUNT, Stage};

/// A configuration file as it was written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    #[serde(default)]
    pub(super) source: SourceDraft,
    #[serde(default)]
    pub(super) segment: SegmentDraft,
    #[serde(default)]
    pub(super) overlay: OverlayDraft,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) record: Option<RecordDraft>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) budget: Option<BudgetDraft>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) metrics: Option<MetricsDraft>,
    #[serde(default)]
    pub(super) sink: SinkDraft,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SourceDraft {
    pub(super) kind: Option<String>,
    pub(super) path: Option<PathBuf>,
    pub(super) device: Option<Device>,
    pub(super) mode: Option<String>,
    pub(super) size: Option<String>,
    pub(super) framerate: Option<String>,
}

/// A device: `/dev/video0`, or a card's number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Device {
    Number(i64),
    Path(PathBuf),
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SegmentDraft {
    pub(super) engine: Option<PathBuf>,
    pub(super) public_key: Option<String>,
    pub(super) prompt: Option<String>,
    pub(super) backend: Option<String>,
    pub(super) fallback: Option<Vec<String>>,
    pub(super) precision: Option<String>,
    pub(super) threads: Option<i64>,
    pub(super) isolation: Option<String>,
    pub(super) mode: Option<String>,
    pub(super) latency_budget: Option<String>,
    pub(super) max_mask_age: Option<String>,
    pub(super) roi: Option<String>,
    pub(super) motion_compensation: Option<bool>,
    pub(super) smoothing: Option<f64>,
    pub(super) alarm: Option<String>,
    pub(super) alarm_area: Option<f64>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OverlayDraft {
    pub(super) style: Option<String>,
    pub(super) threshold: Option<f64>,
    pub(super) levels: Option<Vec<f64>>,
    pub(super) opacity: Option<f64>,
    pub(super) badge: Option<bool>,
    pub(super) line_px: Option<f64>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordDraft {
    pub(super) path: Option<PathBuf>,
    pub(super) codec: Option<String>,
    pub(super) segment_time: Option<String>,
    pub(super) keep_free_gb: Option<i64>,
}

/// A limit for each of [`Stage::ALL`], by its name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BudgetDraft {
    pub(super) picture: Option<String>,
    pub(super) segment: Option<String>,
    pub(super) copy: Option<String>,
    pub(super) wait: Option<String>,
    pub(super) motion: Option<String>,
    pub(super) record: Option<String>,
    pub(super) paint: Option<String>,
    pub(super) age: Option<String>,
    pub(super) queue: Option<String>,
    pub(super) input: Option<String>,
    pub(super) infer: Option<String>,
    pub(super) decode: Option<String>,
    pub(super) sink: Option<String>,
    pub(super) missed: Option<String>,
    pub(super) smaller_engine: Option<PathBuf>,
}

impl BudgetDraft {
    /// In the order of [`Stage::ALL`].
    pub(super) fn limits(&self) -> [&Option<String>; COUNT] {
        let Self {
            picture,
            segment,
            copy,
            wait,
            motion,
            record,
            paint,
            age,
            queue,
            input,
            infer,
            decode,
            sink,
            ..
        } = self;
        [picture, segment, copy, wait, motion, record, paint, age, queue, input, infer, decode, sink]
    }
}

impl From<&Limits> for BudgetDraft {
    fn from(Limits { budget, missed, smaller_engine }: &Limits) -> Self {
        let text = |stage| budget.limit(stage).map(duration_text);
        Self {
            picture: text(Stage::Picture),
            segment: text(Stage::Segment),
            copy: text(Stage::Copy),
            wait: text(Stage::Wait),
            motion: text(Stage::Motion),
            record: text(Stage::Record),
            paint: text(Stage::Paint),
            age: text(Stage::Age),
            queue: text(Stage::Queue),
            input: text(Stage::Input),
            infer: text(Stage::Infer),
            decode: text(Stage::Decode),
            sink: text(Stage::Sink),
            missed: Some(missed.name().to_owned()),
            smaller_engine: smaller_engine.clone(),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MetricsDraft {
    pub(super) port: Option<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SinkDraft {
    pub(super) kind: Option<String>,
    pub(super) path: Option<PathBuf>,
}

impl Draft {
    /// The draft that `text` is.
    ///
    /// # Errors
    /// When it is no TOML, has a key that does not exist, or a value of another type; line and column are named.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }
}

impl From<&Config> for Draft {
    fn from(config: &Config) -> Self {
        Self {
            source: SourceDraft::from(&config.source),
            segment: SegmentDraft::from(&config.segment),
            overlay: OverlayDraft::from(&config.overlay),
            record: config.record.as_ref().map(RecordDraft::from),
            budget: Some(BudgetDraft::from(&config.limits)).filter(|_| config.limits != Limits::default()),
            metrics: config.metrics_port.map(|port| MetricsDraft { port: Some(i64::from(port)) }),
            sink: SinkDraft::from(&config.sink),
        }
    }
}

impl From<&Source> for SourceDraft {
    fn from(source: &Source) -> Self {
        let timed = |kind: &str, size: &crate::frame::Size, framerate: &Framerate| Self {
            kind: Some(kind.to_owned()),
            size: Some(size.to_string()),
            framerate: Some(framerate.to_string()),
            ..Self::default()
        };
        match source {
            Source::File { path } => {
                Self { kind: Some("file".to_owned()), path: Some(path.clone()), ..Self::default() }
            }
            Source::V4l2 { device, size, framerate } => Self {
                kind: Some("v4l2".to_owned()),
                device: Some(Device::Path(device.clone())),
                size: size.map(|size| size.to_string()),
                framerate: framerate.map(|rate| rate.to_string()),
                ..Self::default()
            },
            Source::Decklink { device, mode } => Self {
                kind: Some("decklink".to_owned()),
                device: Some(Device::Number(i64::from(*device))),
                mode: Some(mode.clone()),
                ..Self::default()
            },
            Source::Test { size, framerate } => timed("test", size, framerate),
            Source::Demo { path, size, framerate } => {
                Self { path: path.clone(), ..timed("demo", size, framerate) }
            }
        }
    }
}

/// Through text, so that 0.3 stays 0.3 and does not become 0.30000001192092896.
fn plain(number: f32) -> f64 {
    number.to_string().parse().unwrap_or(f64::from(number))
}

impl From<&Segment> for SegmentDraft {
    fn from(segment: &Segment) -> Self {
        Self {
            engine: Some(segment.engine.clone()),
            public_key: segment.public_key.clone(),
            prompt: segment.prompt.clone(),
            backend: segment.backend.clone(),
            fallback: Some(segment.fallback.clone()),
            precision: Some(segment.precision.name().to_owned()),
            threads: Some(i64::from(segment.threads)),
            isolation: Some(segment.isolation.name().to_owned()),
            mode: Some(segment.mode.name().to_owned()),
            latency_budget: Some(duration_text(segment.latency_budget)),
            max_mask_age: Some(duration_text(segment.max_mask_age)),
            roi: Some(segment.roi.to_string()),
            motion_compensation: Some(segment.motion_compensation),
            smoothing: Some(plain(segment.smoothing)),
            alarm: Some(Rule::write(segment.alarm)),
            alarm_area: Some(plain(segment.alarm_area)),
        }
    }
}

impl From<&Overlay> for OverlayDraft {
    fn from(overlay: &Overlay) -> Self {
        let settings = &overlay.settings;
        Self {
            style: Some(overlay.style.clone()),
            threshold: Some(plain(settings.threshold)),
            levels: Some(settings.levels.iter().copied().map(plain).collect()),
            opacity: Some(plain(settings.opacity)),
            badge: Some(settings.badge),
            line_px: Some(plain(settings.line_px)),
        }
    }
}

impl From<&Record> for RecordDraft {
    fn from(record: &Record) -> Self {
        Self {
            path: Some(record.path.clone()),
            codec: Some(record.codec.name().to_owned()),
            segment_time: Some(duration_text(record.segment_time)),
            keep_free_gb: Some(i64::from(record.keep_free_gb)),
        }
    }
}

impl From<&Sink> for SinkDraft {
    fn from(sink: &Sink) -> Self {
        let kind = |kind: &str, path: Option<&Path>| Self {
            kind: Some(kind.to_owned()),
            path: path.map(Path::to_path_buf),
        };
        match sink {
            Sink::Window => kind("window", None),
            Sink::File { path } => kind("file", Some(path)),
            Sink::None => kind("none", None),
        }
    }
}
