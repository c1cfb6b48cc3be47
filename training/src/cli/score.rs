//! `polyp-train score`: how good runs and engine folders are, side by side.

use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::ensure;
use clap::Args;
use polyp_engine::engine::{Options, Precision};
use polyp_training::contestant::Contestant;
use polyp_training::data::{DataSet, Split};
use polyp_training::report::{Column, Html, Section, differences, reliability, scatter, sheets, table};
use polyp_training::score::{ScoreReport, Scored, score};
use polyp_training::selection::Selection;

use super::{counting, side};

/// Score runs' best checkpoints and engine folders on the same pictures, side by side.
#[derive(Debug, Args)]
pub(crate) struct Score {
    /// A run's folder; may be given again. The report is written below it. Runs come before engines.
    #[arg(long, value_name = "DIR", required_unless_present = "engine")]
    run: Vec<PathBuf>,
    /// An engine folder; may be given again.
    #[arg(long, value_name = "DIR")]
    engine: Vec<PathBuf>,
    /// The engines' backend.
    #[arg(long, default_value = "openvino", requires = "engine")]
    backend: String,
    /// The engines' precision.
    #[arg(long, default_value = "auto", requires = "engine", value_parser = precision)]
    precision: Precision,
    /// The data set (HDF5); may be given again.
    #[arg(long, value_name = "FILE", required = true)]
    data: Vec<PathBuf>,
    /// Its side.
    #[arg(long, default_value = "test", value_name = "SIDE", value_parser = side)]
    split: Split,
    /// Only pictures whose lesion takes at least LOW and less than HIGH of the picture (0 to 1).
    #[arg(long, value_name = "LOW..HIGH", value_parser = super::range)]
    lesion_share: Option<Range<f64>>,
    /// Another prompt than the runs' and engines' own. What is measured so is not exported.
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
    /// Each picture's own caption as its prompt, p1 to p6, where the data set has captions.
    #[arg(long, value_name = "N", conflicts_with = "prompt", value_parser = clap::value_parser!(u8).range(1..=6))]
    caption: Option<u8>,
    /// Allow p4 to p6. They are made from the truth, so every figure is then marked as leaky.
    #[arg(long, requires = "caption")]
    leaky_captions: bool,
    /// The report to write (JSON), instead of the run's own; of one run or engine and one data set.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// A folder for a report in HTML, with the worst and the best pictures.
    #[arg(long, value_name = "DIR")]
    html: Option<PathBuf>,
}

fn precision(name: &str) -> Result<Precision, String> {
    Precision::from_name(name).ok_or_else(|| "expected auto, f32 or bf16".to_owned())
}

impl Score {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let sets = self.data.iter().map(|path| DataSet::open(path)).collect::<Result<Vec<_>, _>>()?;
        let mut contestants = self.contestants()?;
        ensure!(
            self.report.is_none() || (contestants.len() == 1 && sets.len() == 1),
            "--report: expected one run or engine and one data set, found {} and {}",
            contestants.len(),
            sets.len()
        );
        let leaky = self.caption.is_some_and(|number| Selection::is_leaky(number.into()));
        ensure!(
            !leaky || self.leaky_captions,
            "--caption: p4 to p6 are made from the truth: expected --leaky-captions too"
        );
        let mut sections = Vec::new();
        for (number, data) in sets.iter().enumerate() {
            let mut selection = Selection::side(data, self.split)?;
            if let Some(range) = &self.lesion_share {
                selection = selection.lesion_share(range.clone())?;
            }
            if let Some(number) = self.caption {
                selection = selection.captioned(number.into())?;
            }
            sections.push(self.section(&mut contestants, &selection, number)?);
        }
        if let Some(folder) = &self.html {
            let names: Vec<&str> = contestants.iter().map(|one| one.name.as_str()).collect();
            let html = Html { title: format!("Scores of {}", names.join(", ")), leaky, sections };
            say(&html.write(folder)?.display().to_string());
        }
        Ok(())
    }

    fn contestants(&self) -> anyhow::Result<Vec<Contestant>> {
        let options = Options { precision: self.precision, ..Options::default() };
        let runs = self.run.iter().map(|run| Contestant::run(run, self.prompt.as_deref()));
        let prompt = self.prompt.as_deref();
        let engines =
            self.engine.iter().map(|folder| Contestant::engine(folder, &self.backend, &options, prompt));
        let mut all = runs.chain(engines).collect::<Result<Vec<_>, _>>()?;
        // Two folders of one name are told apart by their number.
        for index in 1..all.len() {
            let (before, after) = all.split_at_mut(index);
            if let Some(one) = after.first_mut().filter(|one| before.iter().any(|b| b.name == one.name)) {
                one.name = format!("{} ({})", one.name, index + 1);
            }
        }
        Ok(all)
    }

    /// Scores everybody on one data set, prints the figures and writes the runs' reports.
    fn section(
        &self,
        contestants: &mut [Contestant],
        selection: &Selection<'_>,
        number: usize,
    ) -> anyhow::Result<Section> {
        let mut all: Vec<Scored> = Vec::new();
        for one in contestants.iter_mut() {
            let scored = counting("score", |progress| {
                score(one.predictor.as_mut(), &one.reading, selection, progress)
            })?;
            self.keep(one, &scored, selection)?;
            all.push(scored);
        }
        let columns: Vec<Column<'_>> =
            contestants.iter().zip(&all).map(|(one, scored)| Column { name: &one.name, scored }).collect();
        let (figures, paired) = (table(&columns), differences(&columns));
        let file = selection.data().path().file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let title = format!("{file}, {}", selection.words());
        let mut prompts: Vec<String> =
            contestants.iter().map(|one| format!("\"{}\"", one.predictor.prompt())).collect();
        prompts.dedup();
        let prompts = selection.prompt_words().map_or_else(|| prompts.join(", "), str::to_owned);
        let groups = all.first().map_or(0, |scored| scored.groups.len());
        let words = format!(
            "{} pictures in {groups} groups, at their own size, prompt {}.",
            selection.indices().len(),
            prompts
        );
        say(&format!("{title}: {words} In brackets: 95 % intervals.\n{}", figures.text()));
        if let Some(paired) = &paired {
            say(&format!("differences, paired; * where the interval does not hold zero\n{}", paired.text()));
        }
        let (mut charts, mut pictures) = (Vec::new(), Vec::new());
        if let Some(folder) = &self.html {
            let totals: Vec<_> = columns.iter().map(|one| (one.name, &one.scored.total)).collect();
            charts.push(("Reliability".to_owned(), reliability(&totals)?));
            let dots: Vec<_> = columns.iter().map(|one| (one.name, one.scored.pictures.as_slice())).collect();
            charts.push(("Dice by the lesion's size".to_owned(), scatter(&dots)?));
            std::fs::create_dir_all(folder)?;
            for (index, (one, scored)) in contestants.iter_mut().zip(&all).enumerate() {
                let files = ["worst", "best"].map(|which| format!("{number}-{index}-{which}.jpg"));
                let paths = files.each_ref().map(|file| folder.join(file));
                let [worst, best] = paths.each_ref().map(PathBuf::as_path);
                sheets([worst, best], one.predictor.as_mut(), &one.reading, selection, &scored.pictures)?;
                for (which, file) in ["worst", "best"].iter().zip(files) {
                    pictures.push((format!("{}: the {which} pictures", one.name), file));
                }
            }
        }
        Ok(Section { title, words, figures, differences: paired, charts, pictures })
    }

    /// Writes the report that was asked for, or a run's own with its sheets and its reliability diagram.
    fn keep(&self, one: &mut Contestant, scored: &Scored, selection: &Selection<'_>) -> anyhow::Result<()> {
        let report = scored.report(one.predictor.as_ref(), &one.reading, selection);
        if let Some(path) = &self.report {
            report.write(path)?;
            return Ok(());
        }
        // What is of some pictures, or with another prompt, is not what is exported.
        let whole = self.lesion_share.is_none() && self.prompt.is_none() && self.caption.is_none();
        let Some(run) = one.run.as_ref().filter(|_| whole) else { return Ok(()) };
        let path = ScoreReport::path(run, selection.data(), self.split);
        report.write(&path)?;
        let beside = |what: &str| {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            path.with_file_name(format!("{stem}-{what}"))
        };
        let drawn = reliability(&[(one.name.as_str(), &scored.total)])?;
        std::fs::write(beside("reliability.svg"), drawn)?;
        let paths: [&Path; 2] = [&beside("worst.jpg"), &beside("best.jpg")];
        sheets(paths, one.predictor.as_mut(), &one.reading, selection, &scored.pictures)?;
        Ok(())
    }
}

#[expect(clippy::print_stdout, reason = "what the verb has to say")]
fn say(text: &str) {
    println!("{text}");
}
