//! Scores: several engines on the same pictures, parts of a data set, and pictures with small lesions made of others.

use std::path::Path;

use polyp::input::{Fit, InputSpec, Normalisation};
use polyp::model::ModelSpec;
use polyp_engine::engine::{Options, Precision};
use polyp_engine::folder::write_random;
use polyp_training::TrainingError;
use polyp_training::contestant::Contestant;
use polyp_training::data::{Captions, DataSet, DataSetWriter, Info, Split};
use polyp_training::predict::Predictor;
use polyp_training::score::{Reading, ScoreReport, score};
use polyp_training::selection::Selection;
use polyp_training::zoom::{ZoomOut, zoom_out};

use crate::command::{refused, tool};
use crate::fixture::data_set;

/// An engine with random weights: small, and as good as none.
fn engine(folder: &Path, name: &str, seed: u64) {
    let spec = ModelSpec { name: "small".to_owned(), side_px: 64, ..ModelSpec::lite() };
    write_random(&folder.join(name), spec, seed).unwrap();
}

#[test]
fn engines_stand_side_by_side_in_a_table_and_on_a_page() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path();
    data_set(&folder.join("discs.h5"), [1, 0, 4]);
    engine(folder, "a", 1);
    engine(folder, "b", 2);
    let both = ["score", "--engine", "a", "--engine", "b", "--backend", "reference", "--data", "discs.h5"];
    let (success, said, errors) = tool(&[&both[..], &["--html", "page"]].concat(), folder);
    assert!(success, "{errors}");
    assert!(said.contains("discs, test: 4 pictures in 4 groups"), "{said}");
    for measure in ["dice", "boundary_f", "sensitivity", "false_area", "ece_box", "coverage_p05"] {
        let lines = said.lines().filter(|line| line.starts_with(&format!("{measure} ")));
        // In the table and in the one of differences; each cell with its interval.
        let lines: Vec<&str> = lines.collect();
        assert!(lines.len() >= 2 && lines[0].matches('[').count() == 2, "{measure}: {said}");
    }
    assert!(said.contains("b - a"), "{said}");
    let page = std::fs::read_to_string(folder.join("page/index.html")).unwrap();
    assert_eq!(page.matches("<svg").count(), 2, "reliability and scatter");
    for file in page.split("<img src=\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(image::open(folder.join("page").join(file)).is_ok(), "{file}");
    }
    assert_eq!(page.matches("<img").count(), 4, "the worst and the best of two");
    assert!(!page.contains("leaky:"));

    let with = |more: &[&str]| refused(&[&both[..], more].concat(), folder);
    assert!(with(&["--report", "x.json"]).contains("--report: expected one run or engine"), "one at a time");
    let error = with(&["--lesion-share", "0.5..0.6"]);
    assert!(
        error.contains("discs.h5: test, lesion 0.5 to 0.6 of the picture: expected at least one"),
        "{error}"
    );
    assert!(with(&["--caption", "5"]).contains("expected --leaky-captions too"));
    let error = with(&["--caption", "1"]);
    assert!(error.contains("caption p1 of disc-1: expected a text, found none"), "{error}");
}

#[test]
fn parts_of_a_data_set_are_scored_as_such() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path();
    let data = data_set(&folder.join("discs.h5"), [0, 0, 6]);
    engine(folder, "a", 1);
    let options = Options { precision: Precision::F32, threads: 1, ..Options::default() };
    let mut one = Contestant::engine(&folder.join("a"), "reference", &options, None).unwrap();
    let all = Selection::side(&data, Split::Test).unwrap();
    // Radii of 12, 13 and 14 pixels in 80 x 72: shares of about 0.079, 0.092 and 0.107.
    let small = all.lesion_share(0.0..0.085).unwrap();
    assert_eq!(small.indices(), [0, 3]);
    let mut scores = |selection: &Selection<'_>| {
        let scored = score(one.predictor.as_mut(), &one.reading, selection, &mut |_, _| {}).unwrap();
        scored.report(one.predictor.as_ref(), &one.reading, selection)
    };
    let (whole, part) = (scores(&all), scores(&small));
    assert_eq!(part.pictures, [whole.pictures[0].clone(), whole.pictures[3].clone()]);
    assert!(part.metrics.iter().all(|metric| metric.split == "test, lesion 0.0 to 0.085 of the picture"));
    let error = whole.metrics.iter().find(|metric| metric.measure == "ece_image").unwrap();
    let (low, high) = (error.low.unwrap(), error.high.unwrap());
    assert!(0.0 < low && low < high && high < 1.0, "{error:?}");
    // What is written is read again.
    let path = folder.join("report.json");
    whole.write(&path).unwrap();
    assert_eq!(ScoreReport::read(&path).unwrap(), whole);
}

/// A network that says nothing and notes the prompts that it was given.
struct Listener(Vec<String>);

impl Predictor for Listener {
    fn input(&self) -> InputSpec {
        let normalisation = Normalisation::Fixed { mean: [127.0; 3], std: [128.0; 3] };
        InputSpec { side_px: 64, fit: Fit::Squash, normalisation }
    }

    fn prompt(&self) -> &str {
        "polyp"
    }

    fn weights_sha256(&self) -> &str {
        ""
    }

    fn remember(&mut self, prompt: &str) -> Result<(), TrainingError> {
        self.0.push(prompt.to_owned());
        Ok(())
    }

    fn logits(&mut self, images: &[f32], _: usize, logits: &mut Vec<f32>) -> Result<(), TrainingError> {
        logits.clear();
        logits.resize(images.len() / 3, 0.0);
        Ok(())
    }
}

#[test]
fn every_picture_has_its_own_caption_and_leaks_are_named() {
    let temp = tempfile::tempdir().unwrap();
    let plain = data_set(&temp.path().join("plain.h5"), [0, 0, 3]);
    let path = temp.path().join("captioned.h5");
    let mut writer = DataSetWriter::create(&path).unwrap();
    for (index, info) in plain.infos().iter().enumerate() {
        let texts =
            [1, 2, 3, 4, 5, 6].map(|p| if p == 6 { String::new() } else { format!("{p} of {index}") });
        let info = Info { captions: Captions::new(texts), ..info.clone() };
        writer.add(info, &plain.read(index).unwrap()).unwrap();
    }
    writer.finish().unwrap();
    let data = DataSet::open(&path).unwrap();
    let all = Selection::side(&data, Split::Test).unwrap();
    let reading = Reading::new(1.0, None).unwrap();
    for (number, words) in [(2, "each picture's caption p2"), (4, "each picture's caption p4 (leaky)")] {
        let mut listener = Listener(Vec::new());
        let selection = all.captioned(number).unwrap();
        let scored = score(&mut listener, &reading, &selection, &mut |_, _| {}).unwrap();
        assert_eq!(listener.0, [0, 1, 2].map(|index| format!("{number} of {index}")));
        let report = scored.report(&listener, &reading, &selection);
        assert!(report.metrics.iter().all(|metric| metric.prompt == words), "{:?}", report.metrics);
    }
    let mut listener = Listener(Vec::new());
    let scored = score(&mut listener, &reading, &all, &mut |_, _| {}).unwrap();
    assert!(listener.0.is_empty());
    assert_eq!(scored.report(&listener, &reading, &all).metrics[0].prompt, "polyp");
    let error = all.captioned(6).unwrap_err().to_string();
    assert!(error.contains("caption p6 of disc-0: expected a text, found none"), "{error}");
}

#[test]
fn an_engine_takes_another_prompt_and_its_own_again() {
    let temp = tempfile::tempdir().unwrap();
    engine(temp.path(), "a", 1);
    let options = Options { precision: Precision::F32, threads: 1, ..Options::default() };
    let mut one = Contestant::engine(&temp.path().join("a"), "reference", &options, None).unwrap();
    let own = one.predictor.prompt().to_owned();
    let image: Vec<f32> = (0..3 * 64 * 64).map(|i| (i % 251) as f32 / 125.0 - 1.0).collect();
    let mut logits = |prompt: &str| {
        let mut made = Vec::new();
        one.predictor.remember(prompt).unwrap();
        assert_eq!(one.predictor.prompt(), prompt);
        one.predictor.logits(&image, 1, &mut made).unwrap();
        made
    };
    let (first, other) = (logits(&own), logits("red sessile polyp"));
    assert!(first != other);
    assert!(logits(&own) == first && logits("red sessile polyp") == other);
}

#[test]
fn small_lesions_are_made_of_large_ones() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path();
    let data = data_set(&folder.join("discs.h5"), [2, 0, 6]);
    let plan = ZoomOut { split: Split::Test, share: 0.015..0.03, seed: 1 };
    let made = |name: &str, plan: &ZoomOut| {
        let path = folder.join(name);
        let zoomed = zoom_out(&data, plan, &path, &mut |_, _| {}).unwrap();
        (zoomed, DataSet::open(&path).unwrap())
    };
    let (zoomed, small) = made("small.h5", &plan);
    assert_eq!(zoomed.written + zoomed.left_out.len(), 6);
    assert_eq!(small.len(), zoomed.written);
    for (index, info) in small.infos().iter().enumerate() {
        assert!(info.name.ends_with("-zoom") && info.split == Split::Test, "{info:?}");
        assert_eq!(format!("{}-zoom", info.group), info.name);
        assert!(info.source.starts_with("discs zoomed out (generated"), "{}", info.source);
        let picture = small.read(index).unwrap();
        let lesion = picture.mask.iter().filter(|value| **value == 1).count();
        let share = lesion as f64 / picture.mask.len() as f64;
        assert!((0.014..0.031).contains(&share), "{share}");
        // The disc is brighter than what it lies on.
        let red = |lesion: u8| {
            let of = picture.rgb.chunks_exact(3).zip(&picture.mask).filter(|(_, mask)| **mask == lesion);
            let values: Vec<f64> = of.map(|(rgb, _)| f64::from(rgb[0])).collect();
            values.iter().sum::<f64>() / values.len() as f64
        };
        assert!(red(1) > red(0) + 40.0, "{} {}", red(1), red(0));
    }
    // The same seed makes the same, another makes others.
    let (_, again) = made("again.h5", &plan);
    let (_, other) = made("other.h5", &ZoomOut { seed: 2, ..plan });
    assert_eq!(small.read(0).unwrap(), again.read(0).unwrap());
    assert_ne!(small.read(0).unwrap(), other.read(0).unwrap());
    let none = ZoomOut { split: Split::Validation, share: 0.01..0.03, seed: 1 };
    let error = zoom_out(&data, &none, &folder.join("none.h5"), &mut |_, _| {}).unwrap_err().to_string();
    assert!(error.contains("split validation: expected a picture with a whole lesion"), "{error}");
    assert!(!folder.join("none.h5").exists());
}
