//! `session.json`: what does not change while a session is recorded.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::SessionError;

/// Its file name.
pub const ABOUT_FILE: &str = "session.json";
/// What it calls itself.
pub const FORMAT: &str = "polyp-session";
/// The version that is written; all up to it are read.
pub const VERSION: u32 = 1;

/// What a session says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// [`FORMAT`].
    pub format: String,
    /// The version of the format, at most [`VERSION`].
    pub version: u32,
    /// When the recording began, by the wall clock: RFC 3339 in UTC.
    pub began: String,
    /// How the stream's times and the wall clock go together.
    pub clock: Clock,
    /// What recorded it.
    pub software: Software,
}

/// The stream's clock and the wall clock, read at the same moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// The stream's clock, by name.
    pub name: String,
    /// The running time of the first frame, in nanoseconds.
    pub running_ns: u64,
    /// Nanoseconds since 1970 by the wall clock, when that frame came.
    pub unix_ns: u64,
}

/// Versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Software {
    /// Of polyp.
    pub polyp: String,
    /// Of GStreamer.
    pub gstreamer: String,
    /// The element that coded the video.
    pub video_encoder: String,
    /// The element that coded the masks.
    pub mask_encoder: String,
}

impl About {
    /// Reads that of the session in `folder`.
    ///
    /// # Errors
    /// [`SessionError`] when there is none, or it is of a later version.
    pub fn read(folder: &Path) -> Result<Self, SessionError> {
        let path = folder.join(ABOUT_FILE);
        let text =
            fs::read_to_string(&path).map_err(SessionError::file("a session's folder has it", &path))?;
        let about: Self = serde_json::from_str(&text)
            .map_err(|error| SessionError::format(&path, "a session's description", error.to_string()))?;
        if about.format != FORMAT {
            return Err(SessionError::format(
                &path,
                "format \"polyp-session\"",
                format!("{:?}", about.format),
            ));
        }
        if about.version == 0 || about.version > VERSION {
            let found = format!("version {}; a newer polyp may read it", about.version);
            return Err(SessionError::format(&path, "version 1", found));
        }
        Ok(about)
    }

    /// Writes it into `folder`: whole or not at all.
    ///
    /// # Errors
    /// [`SessionError`] when the file can not be written.
    pub fn write(&self, folder: &Path) -> Result<(), SessionError> {
        let path = folder.join(ABOUT_FILE);
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| SessionError::format(&path, "text", error.to_string()))?;
        let draft = folder.join(format!("{ABOUT_FILE}.new"));
        let write = || {
            let mut file = File::create(&draft)?;
            file.write_all(text.as_bytes())?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            fs::rename(&draft, &path)?;
            File::open(folder)?.sync_all()
        };
        write().map_err(SessionError::file("it can not be written", &path))
    }
}
