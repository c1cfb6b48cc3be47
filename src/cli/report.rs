//! `polyp report`: a session on one page, for people: what was seen when, how sure the network was, how long everything took, what is missing.
//!
//! The page is one file that needs nothing else: pictures are in it, there is no script, and it reads on a phone, in print, with a keyboard
//! and with a screen reader.

mod charts;
mod history;
mod moments;
mod page;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::failure::Failure;
use super::frames::{Frames, Progress};
use super::options::duration;
use super::plugin;
use history::History;
use moments::Moments;

/// Write a session's report: one page of HTML with timeline, pictures, latencies and provenance
#[derive(Debug, Args)]
pub(super) struct Report {
    /// The session's folder
    #[arg(value_name = "SESSION")]
    session: PathBuf,
    /// The page
    #[arg(long, value_name = "FILE", default_value = "report.html")]
    out: PathBuf,
    /// What the picture's way through the segmenter is held against
    #[arg(long, default_value = "33ms", value_parser = duration)]
    budget: Duration,
    /// How many of the most doubtful moments are shown
    #[arg(long, value_name = "N", default_value_t = 6)]
    doubtful: usize,
}

impl Report {
    pub(super) fn run(&self) -> Result<(), Failure> {
        plugin::start()?;
        let mut progress = Progress::new(&self.session)?;
        let mut history = History::read(&self.session)?;
        let mut frames = Frames::open(&self.session)?;
        let mut moments = Moments::new(self.doubtful, history.marks());
        while let Some(frame) = frames.next()? {
            progress.at(frame.time);
            history.see(&frame);
            moments.see(frame);
        }
        let pictures = moments.pictures(&mut frames)?;
        let page = page::write(&self.session, &history, &pictures, self.budget);
        let write =
            |error: std::io::Error| Failure::Write { path: self.out.clone(), message: error.to_string() };
        std::fs::write(&self.out, page).map_err(write)?;
        println!("{}", self.out.display());
        Ok(())
    }
}
