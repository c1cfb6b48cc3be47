//! `polyp-train import`: a folder in its own layout becomes an HDF5 data set.

use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;
use polyp_training::data::Split;
use polyp_training::import::session::is_recorded;
use polyp_training::import::{IMPORTERS, Importer, Options, Report, Request, Session, importer, run};

use super::session::Recorded;
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
    #[arg(long, required_unless_present = "pick", conflicts_with = "pick")]
    out: Option<PathBuf>,
    /// A list of names to learn from, one a line; may be given again.
    #[arg(long, value_name = "FILE")]
    train: Vec<PathBuf>,
    /// A list of names to test on, one a line; may be given again.
    #[arg(long, value_name = "FILE")]
    test: Vec<PathBuf>,
    /// How many of those to learn from are drawn for validation, whole groups at a time.
    #[arg(long, default_value_t = 0, value_name = "COUNT")]
    validation: usize,
    /// That number as a share of those to learn from.
    #[arg(long, default_value_t = 0.0, value_name = "SHARE", conflicts_with = "validation")]
    validation_share: f64,
    /// The share of those to learn from that is drawn to test on, before validation is drawn.
    #[arg(long, default_value_t = 0.0, value_name = "SHARE")]
    test_share: f64,
    /// Names the draws.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Groups (sequences, cases) to validate on, by name or its last word.
    #[arg(long, value_delimiter = ',', value_name = "GROUP,..")]
    validation_groups: Vec<String>,
    /// Groups (sequences, cases) to test on, by name or its last word.
    #[arg(long, value_delimiter = ',', value_name = "GROUP,..")]
    test_groups: Vec<String>,
    /// The side of every picture that nothing else names. Else it is left out, or learned from where there is a
    /// draw and neither lists nor groups.
    #[arg(long, value_name = "SIDE", value_parser = side)]
    rest: Option<Split>,
    /// A list of near-duplicates (corr,name_a,name_b): those of tested pictures are left out, and one of each
    /// pair to learn from.
    #[arg(long, value_name = "FILE")]
    drop_duplicates: Option<PathBuf>,
    /// Do not look for near-duplicates. Else those of tested pictures are left out, and the others stay together.
    #[arg(long)]
    keep_duplicates: bool,
    /// Captions by name, an object a line: {"name": .., "p1": .., .., "p6": ..}.
    #[arg(long, value_name = "FILE")]
    captions: Option<PathBuf>,
    /// Leave bad pairs out and list them, instead of stopping.
    #[arg(long)]
    skip_bad: bool,
    #[command(flatten)]
    own: Own,
    #[command(flatten)]
    recorded: Recorded,
}

/// What only some layouts have; the others refuse it.
#[derive(Debug, Args)]
struct Own {
    /// A regular expression whose first capture in a picture's name is its group (folder, coco).
    #[arg(long, value_name = "REGEX")]
    group_pattern: Option<String>,
    /// What single frames are grouped by: name or centre (polypgen).
    #[arg(long, value_name = "WHAT")]
    group_by: Option<String>,
    /// The only category of annotations that counts (coco).
    #[arg(long, value_name = "NAME")]
    category: Option<String>,
    /// A picture without a mask shows no polyp, instead of being bad (folder).
    #[arg(long)]
    empty_without_mask: bool,
    /// Where the pictures come from (folder, coco).
    #[arg(long, value_name = "TEXT")]
    source: Option<String>,
    /// Their terms (folder, coco, session).
    #[arg(long, value_name = "TEXT")]
    licence: Option<String>,
}

fn layouts() -> String {
    let lines = IMPORTERS.iter().map(|importer| format!("  {:10} {}", importer.name(), importer.help()));
    format!("Layouts:\n{}", lines.collect::<Vec<_>>().join("\n"))
}

impl Import {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let options = Options {
            group_pattern: self.own.group_pattern,
            group_by: self.own.group_by,
            category: self.own.category,
            empty_without_mask: self.own.empty_without_mask,
            source: self.own.source,
            licence: self.own.licence,
        };
        let request = Request {
            folder: self.folder,
            train: self.train,
            test: self.test,
            validation: self.validation,
            validation_share: self.validation_share,
            test_share: self.test_share,
            seed: self.seed,
            validation_groups: self.validation_groups,
            test_groups: self.test_groups,
            rest: self.rest,
            drop_duplicates: self.drop_duplicates,
            keep_duplicates: self.keep_duplicates,
            captions: self.captions,
            options,
        };
        let is_session = self.layout == Session.name() && is_recorded(&request.folder);
        if let Some(option) = self.recorded.given().filter(|_| !is_session) {
            anyhow::bail!("{option}: expected with `import session` and a recorded session alone");
        }
        if is_session {
            return self.recorded.run(&request, self.out.as_deref(), self.skip_bad);
        }
        let Some(importer) = importer(&self.layout) else {
            anyhow::bail!("layout {}: no such importer", self.layout);
        };
        let what = format!("import {}", self.layout);
        let Some(out) = self.out else { anyhow::bail!("--out: expected a file to write, found none") };
        let report = counting(&what, |progress| run(importer, &request, &out, self.skip_bad, progress))?;
        print(&report, &out);
        Ok(())
    }
}

/// Lines of each kind that are printed; how many more there are follows.
const LINES: usize = 20;

#[expect(clippy::print_stdout, reason = "what the verb has to say")]
fn listed<T>(items: &[T], line: impl Fn(&T) -> String) {
    for item in items.iter().take(LINES) {
        println!("{}", line(item));
    }
    if items.len() > LINES {
        println!("and {} more", items.len() - LINES);
    }
}

#[expect(clippy::print_stdout, reason = "what the verb has to say")]
fn print(report: &Report, out: &std::path::Path) {
    for error in &report.skipped {
        println!("skipped: {error}");
    }
    listed(&report.near, |pair| {
        format!("near-duplicates ({:.3}): {} and {}", pair.correlation, pair.a, pair.b)
    });
    listed(&report.left_out, |name| format!("left out, nearly a tested picture: {name}"));
    listed(&report.moved, |name| format!("changed sides, to its near-duplicates: {name}"));
    let sides: Vec<String> =
        report.written.iter().map(|(split, count)| format!("{count} {}", split.name())).collect();
    println!("{}: {}", out.display(), sides.join(", "));
    let left_out = [
        (report.skipped.len(), "bad"),
        (report.dropped.len(), "near-duplicates by list"),
        (report.left_out.len(), "near-duplicates of tested pictures"),
        (report.shared, "to test on, of groups that are learned from"),
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
