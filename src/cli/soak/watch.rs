//! Taking samples while a pipeline plays, each written at once: a run that is cut off has left what it saw.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::sample::{COLUMNS, Sample};
use crate::cli::failure::Failure;
use crate::cli::gather::Shared;
use crate::cli::sink;

/// Takes samples, and has them in a file.
pub(super) struct Watch {
    gathered: Shared,
    screen: gst::Element,
    every: Duration,
    begun: Instant,
    path: PathBuf,
    file: File,
    samples: Vec<Sample>,
    /// Frames at the sink so far, in time and late.
    at_sink: (u64, u64),
    /// What went wrong first, if anything did.
    failed: Option<Failure>,
}

impl Watch {
    /// To take a sample of what `gathered` and the sink `screen` say as often as `every`, into the file `path`.
    pub(super) fn new(
        gathered: Shared,
        screen: gst::Element,
        every: Duration,
        path: &Path,
    ) -> Result<Self, Failure> {
        let failed =
            |error: std::io::Error| Failure::Write { path: path.to_owned(), message: error.to_string() };
        let mut file = File::create(path).map_err(failed)?;
        writeln!(file, "{COLUMNS}").map_err(failed)?;
        let (path, begun) = (path.to_owned(), Instant::now());
        Ok(Self {
            gathered,
            screen,
            every,
            begun,
            path,
            file,
            samples: Vec::new(),
            at_sink: (0, 0),
            failed: None,
        })
    }

    /// Takes a sample if it is time for one. The first is taken at once.
    pub(super) fn look(&mut self) {
        self.at_sink = sink::counts(&self.screen);
        let time = self.begun.elapsed();
        let due = self.every * u32::try_from(self.samples.len()).unwrap_or(u32::MAX);
        if time < due || self.failed.is_some() {
            return;
        }
        let figures = std::mem::take(&mut *self.gathered.read());
        let taken = Sample::take(time, &figures, self.at_sink).map_err(Failure::Stream);
        self.failed = taken.and_then(|sample| self.keep(sample)).err();
    }

    /// All samples, with one more for the frames after the last.
    pub(super) fn end(mut self) -> Result<Vec<Sample>, Failure> {
        if let Some(failed) = self.failed {
            return Err(failed);
        }
        let figures = std::mem::take(&mut *self.gathered.read());
        let rest =
            self.samples.last().map(|last| last.followed_by(self.begun.elapsed(), &figures, self.at_sink));
        if let Some(rest) = rest {
            self.keep(rest)?;
        }
        Ok(self.samples)
    }

    fn keep(&mut self, sample: Sample) -> Result<(), Failure> {
        let written = writeln!(self.file, "{}", sample.line());
        self.samples.push(sample);
        written.map_err(|error| Failure::Write { path: self.path.clone(), message: error.to_string() })
    }
}
