//! From a draft to a configuration: every rule, and every broken one reported at once.

mod limits;
mod segment;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::draft::{Device, Draft, OverlayDraft, RecordDraft, SinkDraft, SourceDraft};
use super::value::{ValueError, parse_duration, parse_size};
use super::{Codec, Config, Framerate, Overlay, Record, Sink, Source};
use crate::frame::Size;
use crate::overlay::{STYLES, Settings, style};

/// A rule that a configuration breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The key, as `segment.threads`.
    pub key: String,
    /// Its value, or `nothing`.
    pub value: String,
    /// What it may be.
    pub bounds: String,
    /// Why.
    pub reason: &'static str,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}: expected {}, because {}", self.key, self.value, self.bounds, self.reason)
    }
}

/// Keys of `[source]` that mean something, for each kind.
const SOURCE_KEYS: &[(&str, &[&str])] = &[
    ("file", &["path"]),
    ("v4l2", &["device", "size", "framerate"]),
    ("decklink", &["device", "mode"]),
    ("test", &["size", "framerate"]),
    ("demo", &["path", "size", "framerate"]),
];

/// Keys of `[sink]` that mean something, for each kind.
const SINK_KEYS: &[(&str, &[&str])] = &[("window", &[]), ("file", &["path"]), ("none", &[])];

const MEANINGLESS: &str = "a key without effect would mislead whoever reads the file";
const DEFAULT_SIZE: Size = Size::new(1920, 1080);
const DEFAULT_FRAMERATE: Framerate = Framerate { numerator: 30, denominator: 1 };

impl Draft {
    /// The configuration that this draft is. Relative paths are taken from `folder`.
    ///
    /// # Errors
    /// Every broken rule, not the first alone.
    pub fn check(&self, folder: &Path) -> Result<Config, Vec<Broken>> {
        let mut rules = Rules { broken: Vec::new(), folder };
        let source = rules.source(&self.source);
        let segment = rules.segment(&self.segment);
        let overlay = rules.overlay(&self.overlay);
        let record = self.record.as_ref().and_then(|record| rules.record(record));
        let limits = self.budget.as_ref().map(|budget| rules.limits(budget)).unwrap_or_default();
        let metrics_port = self.metrics.as_ref().and_then(|metrics| rules.metrics(metrics));
        let sink = rules.sink(&self.sink);
        match (source, sink) {
            (Some(source), Some(sink)) if rules.broken.is_empty() => {
                Ok(Config { source, segment, overlay, record, limits, metrics_port, sink })
            }
            _ => Err(rules.broken),
        }
    }
}

struct Rules<'a> {
    broken: Vec<Broken>,
    folder: &'a Path,
}

/// A text as TOML writes it.
fn quoted(text: &str) -> String {
    format!("{text:?}")
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(quoted).collect::<Vec<_>>().join(", ")
}

impl Rules<'_> {
    fn fail(&mut self, key: &str, value: String, bounds: impl Into<String>, reason: &'static str) {
        self.broken.push(Broken { key: key.to_owned(), value, bounds: bounds.into(), reason });
    }

    fn missing(&mut self, key: &str, bounds: impl Into<String>, reason: &'static str) {
        self.fail(key, "nothing".to_owned(), bounds, reason);
    }

    /// The value that a text is, if there is a text and it is one.
    fn parsed<T>(
        &mut self,
        key: &str,
        text: Option<&String>,
        parse: impl FnOnce(&str) -> Result<T, ValueError>,
        reason: &'static str,
    ) -> Option<T> {
        match parse(text?) {
            Ok(value) => Some(value),
            Err(ValueError { text, expected }) => {
                self.fail(key, quoted(&text), expected, reason);
                None
            }
        }
    }

    /// A duration within `bounds`.
    fn duration(
        &mut self,
        key: &str,
        text: Option<&String>,
        [least, most]: [&str; 2],
        default: Duration,
        reason: &'static str,
    ) -> Duration {
        let Some(duration) = self.parsed(key, text, parse_duration, "a bare number has no unit") else {
            return default;
        };
        let inside = |bound: &str, holds: fn(&Duration, &Duration) -> bool| {
            parse_duration(bound).is_ok_and(|bound| holds(&duration, &bound))
        };
        if !inside(least, Duration::ge) || !inside(most, Duration::le) {
            let value = text.map(|text| quoted(text)).unwrap_or_default();
            self.fail(key, value, format!("{least} to {most}"), reason);
        }
        duration
    }

    /// A choice by name, the first when there is none.
    fn choice<T: Copy>(
        &mut self,
        key: &str,
        text: Option<&String>,
        all: &[T],
        name: fn(T) -> &'static str,
        reason: &'static str,
    ) -> Option<T> {
        let Some(text) = text else { return all.first().copied() };
        let found = all.iter().copied().find(|choice| name(*choice) == text);
        if found.is_none() {
            self.fail(key, quoted(text), names(all.iter().copied().map(name)), reason);
        }
        found
    }

    fn path(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }

    /// The kind's keys, after complaining about a kind that does not exist and keys that mean nothing for it.
    fn kind<'k>(
        &mut self,
        section: &str,
        kind: Option<&'k String>,
        kinds: &[(&str, &[&str])],
        given: &[(&str, bool)],
    ) -> Option<&'k str> {
        let key = format!("{section}.kind");
        let Some(kind) = kind else {
            let reason = "no source or sink is taken for granted on a cart";
            self.missing(&key, names(kinds.iter().map(|(name, _)| *name)), reason);
            return None;
        };
        let Some((_, keys)) = kinds.iter().find(|(name, _)| name == kind) else {
            let reason = "no other kind is known";
            self.fail(&key, quoted(kind), names(kinds.iter().map(|(name, _)| *name)), reason);
            return None;
        };
        for (name, _) in given.iter().filter(|(name, is_given)| *is_given && !keys.contains(name)) {
            let bounds = format!("no such key beside kind = {}", quoted(kind));
            self.fail(&format!("{section}.{name}"), "a value".to_owned(), bounds, MEANINGLESS);
        }
        Some(kind)
    }

    fn source(&mut self, draft: &SourceDraft) -> Option<Source> {
        let given = [
            ("path", draft.path.is_some()),
            ("device", draft.device.is_some()),
            ("mode", draft.mode.is_some()),
            ("size", draft.size.is_some()),
            ("framerate", draft.framerate.is_some()),
        ];
        let kind = self.kind("source", draft.kind.as_ref(), SOURCE_KEYS, &given);
        let pixels = "chroma is halved, and memory is bounded";
        let size = self.parsed("source.size", draft.size.as_ref(), parse_size, pixels);
        let rate = "no endoscope is slower or faster";
        let framerate = self.parsed("source.framerate", draft.framerate.as_ref(), str::parse, rate);
        let size_or = size.unwrap_or(DEFAULT_SIZE);
        let framerate_or = framerate.unwrap_or(DEFAULT_FRAMERATE);
        let path = draft.path.as_deref().map(|path| self.path(path));
        match kind? {
            "file" if path.is_none() => {
                self.missing("source.path", "a video file", "kind = \"file\" plays one");
                None
            }
            "file" => path.map(|path| Source::File { path }),
            "v4l2" => Some(Source::V4l2 { device: self.device_file(draft)?, size, framerate }),
            "decklink" => {
                let mode = draft.mode.clone().unwrap_or_else(|| "auto".to_owned());
                if mode.is_empty() || !mode.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
                    let bounds = "a mode's name, as \"1080p30\" or \"auto\"";
                    self.fail("source.mode", quoted(&mode), bounds, "GStreamer names modes so");
                }
                Some(Source::Decklink { device: self.device_number(draft)?, mode })
            }
            "test" => Some(Source::Test { size: size_or, framerate: framerate_or }),
            _ => Some(Source::Demo { path, size: size_or, framerate: framerate_or }),
        }
    }

    fn device_file(&mut self, draft: &SourceDraft) -> Option<PathBuf> {
        match &draft.device {
            None => Some(PathBuf::from("/dev/video0")),
            Some(Device::Path(path)) if path.is_absolute() => Some(path.clone()),
            Some(Device::Path(path)) => {
                let value = quoted(&path.display().to_string());
                self.fail(
                    "source.device",
                    value,
                    "a device file, as \"/dev/video0\"",
                    "Linux names devices so",
                );
                None
            }
            Some(Device::Number(number)) => {
                let bounds = "a device file, as \"/dev/video0\"";
                self.fail("source.device", number.to_string(), bounds, "Linux names devices so");
                None
            }
        }
    }

    fn device_number(&mut self, draft: &SourceDraft) -> Option<u32> {
        let value = match &draft.device {
            None => return Some(0),
            Some(Device::Number(number)) => match u32::try_from(*number) {
                Ok(number) if number < 16 => return Some(number),
                _ => number.to_string(),
            },
            Some(Device::Path(path)) => quoted(&path.display().to_string()),
        };
        self.fail("source.device", value, "0 to 15", "DeckLink cards are numbered");
        None
    }

    fn overlay(&mut self, draft: &OverlayDraft) -> Overlay {
        let Overlay { style: first, settings: default } = Overlay::default();
        let name = draft.style.clone().unwrap_or(first);
        if style(&name).is_none() {
            let bounds = names(STYLES.iter().map(|style| style.name()));
            self.fail("overlay.style", quoted(&name), bounds, "no other style is known");
        }
        let number = |value: Option<f64>, default: f32| value.map_or(default, |value| value as f32);
        let settings = Settings {
            threshold: number(draft.threshold, default.threshold),
            levels: match &draft.levels {
                Some(levels) => levels.iter().map(|level| *level as f32).collect(),
                None => default.levels,
            },
            opacity: number(draft.opacity, default.opacity),
            badge: draft.badge.unwrap_or(default.badge),
            line_px: number(draft.line_px, default.line_px),
        };
        for error in settings.check().err().unwrap_or_default() {
            let key = format!("overlay.{}", error.key.replace('-', "_"));
            self.fail(&key, error.found, error.expected, "the overlay could not be painted as asked");
        }
        Overlay { style: name, settings }
    }

    fn record(&mut self, draft: &RecordDraft) -> Option<Record> {
        let codec = "what a codec loses is lost for good, so it is never chosen by a misspelt word";
        let codec = self.choice("record.codec", draft.codec.as_ref(), Codec::ALL, Codec::name, codec);
        let default = Record::into(PathBuf::new());
        let segment_time = self.duration(
            "record.segment_time",
            draft.segment_time.as_ref(),
            ["1s", "86400s"],
            default.segment_time,
            "a file of less is all overhead, and a larger one is hard to move",
        );
        let free = draft.keep_free_gb.unwrap_or(i64::from(default.keep_free_gb));
        let keep_free_gb = u32::try_from(free).ok().filter(|free| *free <= 100_000);
        if keep_free_gb.is_none() {
            let reason = "0 fills the disk, and no disk has more";
            self.fail("record.keep_free_gb", free.to_string(), "0 to 100000", reason);
        }
        let Some(path) = draft.path.as_deref().map(|path| self.path(path)) else {
            self.missing(
                "record.path",
                "a folder",
                "sessions are written into it; to record nothing, leave [record] out",
            );
            return None;
        };
        Some(Record { path, codec: codec?, segment_time, keep_free_gb: keep_free_gb? })
    }

    fn sink(&mut self, draft: &SinkDraft) -> Option<Sink> {
        match self.kind("sink", draft.kind.as_ref(), SINK_KEYS, &[("path", draft.path.is_some())])? {
            "window" => Some(Sink::Window),
            "none" => Some(Sink::None),
            _ => self.sink_file(draft.path.as_deref()),
        }
    }

    fn sink_file(&mut self, path: Option<&Path>) -> Option<Sink> {
        let bounds = "a file that ends in .mkv";
        let Some(path) = path else {
            self.missing("sink.path", bounds, "kind = \"file\" writes one");
            return None;
        };
        if path.extension().is_none_or(|extension| extension != "mkv") {
            let reason = "Matroska is written, which a power cut leaves readable";
            self.fail("sink.path", quoted(&path.display().to_string()), bounds, reason);
        }
        Some(Sink::File { path: self.path(path) })
    }
}
