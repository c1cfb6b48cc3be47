//! `polyp-train import`: a folder in its own layout becomes an HDF5 data set.

use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;
use polyp_training::data::Split;
use polyp_training::import::{IMPORTERS, Report, Request, importer, run};

use super::{counting, side};

/// Make one HDF5 file of a folder of pictures and masks.
#[derive(Debug, Args)]
#[command(after_help = layouts())]
pub(crate) struct Import {
    /// The folder's layout.
    #[arg(value_parser = PossibleValuesParser::new(IMPORTERS.iter().map(|importer| importer.name())))]
    layout: String,
    /// The data set's folder.
    folder: PathBuf,
    /// The file to write.
    #[arg(long)]
    out: PathBuf,
    /// A list of names to learn from, one a line; may be given again.
    #[arg(long, value_name = "FILE")]
    train: Vec<PathBuf>,
    /// A list of names to test on, one a line; may be given again.
    #[arg(long, value_name = "FILE")]
    test: Vec<PathBuf>,
    /// How many of those to learn from are drawn for validation.
    #[arg(long, default_value_t = 0, value_name = "COUNT")]
    validation: usize,
    /// Names that draw.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Sequences to validate on, where the layout has sequences.
    #[arg(long, value_delimiter = ',', value_name = "GROUP,..")]
    validation_groups: Vec<String>,
    /// Sequences to test on, where the layout has sequences.
    #[arg(long, value_delimiter = ',', value_name = "GROUP,..")]
    test_groups: Vec<String>,
    /// The side of every picture that nothing else names (else it is left out).
    #[arg(long, value_name = "SIDE", value_parser = side)]
    rest: Option<Split>,
    /// A list of near-duplicates (corr,name_a,name_b): those of tested pictures are left out, and one of each
    /// pair to learn from.
    #[arg(long, value_name = "FILE")]
    drop_duplicates: Option<PathBuf>,
    /// Captions by name, an object a line: {"name": .., "p1": .., .., "p6": ..}.
    #[arg(long, value_name = "FILE")]
    captions: Option<PathBuf>,
    /// Leave bad pairs out and list them, instead of stopping.
    #[arg(long)]
    skip_bad: bool,
}

fn layouts() -> String {
    let lines = IMPORTERS.iter().map(|importer| format!("  {:10} {}", importer.name(), importer.help()));
    format!("Layouts:\n{}", lines.collect::<Vec<_>>().join("\n"))
}

impl Import {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let request = Request {
            folder: self.folder,
            train: self.train,
            test: self.test,
            validation: self.validation,
            seed: self.seed,
            validation_groups: self.validation_groups,
            test_groups: self.test_groups,
            rest: self.rest,
            drop_duplicates: self.drop_duplicates,
            captions: self.captions,
        };
        let Some(importer) = importer(&self.layout) else {
            anyhow::bail!("layout {}: no such importer", self.layout);
        };
        let what = format!("import {}", self.layout);
        let report = counting(&what, |progress| run(importer, &request, &self.out, self.skip_bad, progress))?;
        print(&report, &self.out);
        Ok(())
    }
}

#[expect(clippy::print_stdout, reason = "what the verb has to say")]
fn print(report: &Report, out: &std::path::Path) {
    for error in &report.skipped {
        println!("skipped: {error}");
    }
    let sides: Vec<String> =
        report.written.iter().map(|(split, count)| format!("{count} {}", split.name())).collect();
    println!("{}: {}", out.display(), sides.join(", "));
    let left_out = [
        (report.skipped.len(), "bad"),
        (report.dropped.len(), "near-duplicates"),
        (report.unlisted, "on no list"),
    ];
    if let Some(captions) = report.captions {
        let (with, without, unknown) = (captions.with, captions.without, captions.unknown);
        println!("captions: {with} pictures with, {without} without, {unknown} names that are no picture's");
    }
    for (count, what) in left_out.into_iter().filter(|(count, _)| *count > 0) {
        println!("left out: {count} {what}");
    }
}
