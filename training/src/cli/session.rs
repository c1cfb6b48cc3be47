//! `polyp-train import session`: recorded sessions, whole or picked for review.

use std::path::{Path, PathBuf};

use clap::Args;
use polyp_training::import::Request;
use polyp_training::import::session::{Measures, PickRequest, Tool, WriteRequest, pick, write};

use super::counting;

/// What only recorded sessions have.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Options of sessions")]
pub(crate) struct Recorded {
    /// Take one of so many frames that have a mask [default: 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), conflicts_with = "pick")]
    every: Option<u64>,
    /// Rows and columns of the pictures, in pixels [default: 352].
    #[arg(long, value_name = "PX", value_parser = clap::value_parser!(u32).range(32..=2048), conflicts_with = "pick")]
    side: Option<u32>,
    /// The probability from which on a pixel is polyp [default: 0.5].
    #[arg(long, value_name = "P")]
    threshold: Option<f32>,
    /// Pick so many frames of each session, by doubt, for somebody to review.
    #[arg(long, value_name = "COUNT", requires = "review")]
    pick: Option<usize>,
    /// The folder that they are written to.
    #[arg(long, value_name = "DIR", requires = "pick")]
    review: Option<PathBuf>,
    /// The same frames with another engine's masks (polyp replay --engine --record).
    #[arg(long, value_name = "SESSION", requires = "pick")]
    against: Option<PathBuf>,
    /// Picked frames are at least so many seconds apart [default: 1].
    #[arg(long, value_name = "SECONDS", requires = "pick")]
    apart: Option<f64>,
    /// The program polyp [default: the one beside this program].
    #[arg(long, value_name = "FILE")]
    polyp: Option<PathBuf>,
}

impl Recorded {
    /// The first option that is given, by name.
    pub(crate) fn given(&self) -> Option<&'static str> {
        let all = [
            (self.every.is_some(), "--every"),
            (self.side.is_some(), "--side"),
            (self.threshold.is_some(), "--threshold"),
            (self.pick.is_some(), "--pick"),
            (self.polyp.is_some(), "--polyp"),
        ];
        all.into_iter().find_map(|(given, name)| given.then_some(name))
    }

    #[expect(clippy::print_stdout, reason = "what the verb has to say")]
    pub(crate) fn run(&self, request: &Request, out: Option<&Path>, skip_bad: bool) -> anyhow::Result<()> {
        if let Some(option) = elsewhere(request, skip_bad) {
            anyhow::bail!("{option}: expected with layouts of pictures, not with recorded sessions");
        }
        let tool = Tool::find(self.polyp.as_deref());
        let threshold = self.threshold.unwrap_or(0.5);
        anyhow::ensure!(
            threshold > 0.0 && threshold < 1.0,
            "--threshold: expected above 0 and below 1, found {threshold}"
        );
        if let (Some(count), Some(review)) = (self.pick, &self.review) {
            let apart = self.apart.unwrap_or(1.0);
            anyhow::ensure!((0.0..86_400.0).contains(&apart), "--apart: expected 0 to a day, found {apart}");
            let request = PickRequest {
                tool,
                folder: request.folder.clone(),
                count,
                against: self.against.clone(),
                apart_ns: (apart * 1e9) as u64,
                threshold,
            };
            let picked = counting("look at masks", |progress| pick(&request, review, progress))?;
            for name in Measures::NAMES {
                let count = picked.iter().filter(|picked| picked.reason == name).count();
                println!("{count} frames picked by {name}");
            }
            println!("{}: look at review.html, and write verdicts into review.csv", review.display());
            return Ok(());
        }
        let Some(out) = out else { anyhow::bail!("--out: expected a file to write, found none") };
        let recorded =
            WriteRequest { tool, every: self.every.unwrap_or(1), side: self.side.unwrap_or(352), threshold };
        let written = counting("import session", |progress| write(&recorded, request, out, progress))?;
        let sides: Vec<String> =
            written.pictures.iter().map(|(split, count)| format!("{count} {}", split.name())).collect();
        println!("{}: {}; the masks are the network's own", out.display(), sides.join(", "));
        if written.unlisted > 0 {
            println!("left out: {} sessions that no group names", written.unlisted);
        }
        Ok(())
    }
}

/// The first option that means nothing for recorded sessions, by name.
fn elsewhere(request: &Request, skip_bad: bool) -> Option<&'static str> {
    let others = request.options.given().into_iter().find(|name| *name != "licence");
    let all = [
        (!request.train.is_empty(), "--train"),
        (!request.test.is_empty(), "--test"),
        (request.drop_duplicates.is_some(), "--drop-duplicates"),
        (request.keep_duplicates, "--keep-duplicates"),
        (request.captions.is_some(), "--captions"),
        (skip_bad, "--skip-bad"),
    ];
    all.into_iter().find_map(|(given, name)| given.then_some(name)).or(others)
}
