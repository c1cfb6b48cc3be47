//! What to record and how, as the properties say it, and checked.

use std::path::PathBuf;
use std::time::Duration;

/// The codecs of the video, by name, and what each is.
pub(super) const CODECS: [(&str, &str); 2] = [
    ("h264", "small, by the first of the encoders that is there; 4:2:0"),
    ("ffv1", "lossless, every bit of the picture"),
];

/// The properties' values, as the user gave them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Draft {
    pub(super) record: String,
    pub(super) codec: String,
    pub(super) encoder: String,
    pub(super) on_start: bool,
    pub(super) segment_time: Duration,
    pub(super) keep_free: u64,
    pub(super) queue: u32,
    /// What is written about the painting.
    pub(super) notes: String,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            record: String::new(),
            codec: CODECS[0].0.to_owned(),
            encoder: String::new(),
            on_start: true,
            segment_time: Duration::from_secs(600),
            keep_free: 2 << 30,
            queue: 30,
            notes: String::new(),
        }
    }
}

/// Which codec keeps the video.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    H264,
    Ffv1,
}

impl Codec {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::H264 => CODECS[0].0,
            Self::Ffv1 => CODECS[1].0,
        }
    }
}

/// The properties' values, checked.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// `None` where nothing is to be recorded.
    pub(super) record: Option<PathBuf>,
    pub(super) codec: Codec,
    /// `None` for the first that is there.
    pub(super) encoder: Option<String>,
    pub(super) on_start: bool,
    pub(super) segment_time: Duration,
    pub(super) keep_free: u64,
    pub(super) queue: usize,
}

impl Draft {
    /// The settings.
    ///
    /// # Errors
    /// One sentence for the property that is wrong.
    pub(super) fn check(&self) -> Result<Settings, String> {
        let codec = [Codec::H264, Codec::Ffv1].into_iter().find(|codec| codec.name() == self.codec);
        let codec = codec.ok_or_else(|| {
            let names = CODECS.map(|(name, _)| name).join(" or ");
            format!("property record-codec: expected {names}, found {:?}", self.codec)
        })?;
        Ok(Settings {
            record: Some(PathBuf::from(&self.record)).filter(|_| !self.record.is_empty()),
            codec,
            encoder: Some(self.encoder.clone()).filter(|name| !name.is_empty()),
            on_start: self.on_start,
            segment_time: self.segment_time,
            keep_free: self.keep_free,
            queue: self.queue as usize,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_codec_is_refused() {
        let draft = Draft { codec: "vp9".to_owned(), ..Draft::default() };
        let error = draft.check().unwrap_err();
        assert!(error.contains("property record-codec: expected h264 or ffv1, found \"vp9\""), "{error}");
        assert!(Draft::default().check().unwrap().record.is_none());
    }
}
