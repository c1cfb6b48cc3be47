//! What comes back is what the CPU makes of the same frames, whatever the batch, the lane and the way of running.

use std::time::Duration;

use polyp::decode::{Decoder, uncertainty_byte};
use polyp::frame::{Colorimetry, PixelFormat, Size};
use polyp::input::Normalisation;
use polyp::model::ModelSpec;
use polyp::preprocess::Preprocessor;
use polyp_engine::bench::bench_frames;
use polyp_engine::cuda::arguments::{DevicePlane, Picture, SourceFormat, Target};
use polyp_engine::cuda::frame::CardFrame;
use polyp_engine::engine::{Engine, Mask, Stages};
use polyp_engine::error::EngineError;
use polyp_engine::folder::{EngineFolder, write_random};
use polyp_engine::memory::PromptMemory;

use crate::host::Host;
use crate::{Still, card, folder, on_cpu};

/// Runs `stills` as one batch to its end.
fn run(engine: &mut dyn Engine, folder: &EngineFolder, stills: &[&Still]) -> (Vec<Mask>, Stages) {
    let (spec, memory) = (folder.manifest().input, folder.memory().unwrap());
    let frames = engine.frames().unwrap();
    let ring = frames.ring();
    frames.submit(stills.iter().map(|still| still.copied(&ring, spec)).collect(), &memory).unwrap();
    let mut masks = Vec::new();
    let stages = frames.finish(&mut masks).unwrap();
    (masks.into_iter().map(Result::unwrap).collect(), stages)
}

/// The same step by step on the CPU: the same kernels, the same network, the CPU's decoder.
struct Plain {
    host: Host,
    engine: Box<dyn Engine>,
    decoder: Decoder,
}

impl Plain {
    fn new(folder: &EngineFolder) -> Self {
        let decoder = Decoder::new(folder.manifest().temperature).unwrap();
        Self { host: Host::new(), engine: on_cpu(folder), decoder }
    }

    fn mask(&mut self, folder: &EngineFolder, still: &Still, memory: &PromptMemory) -> Mask {
        let placement = still.placement(folder.manifest().input);
        let plane = DevicePlane {
            address: still.pixels.as_ptr() as u64,
            bytes: still.pixels.len(),
            stride: still.stride,
        };
        let format = SourceFormat::Frame(PixelFormat::Rgb);
        let picture = Picture::new(format, still.size, Colorimetry::RGB, &[plane], placement.source).unwrap();
        let target = Target::from(placement);
        let (rgb, sums, squares) = self.host.shrink(picture, target);
        let (moments, outside) = match folder.manifest().input.normalisation {
            Normalisation::ZScorePerImage => (self.host.moments(target, &sums, &squares), false),
            Normalisation::Fixed { mean, std } => {
                (mean.into_iter().zip(std).flat_map(|(mean, std)| [mean, 1.0 / std]).collect(), true)
            }
        };
        let image = self.host.normalise(target, outside, &rgb, &moments);
        let mut logits = Vec::new();
        self.engine.infer(&image, 1, memory, &mut logits).unwrap();
        let probability =
            self.decoder.decode(&logits, placement, Duration::ZERO, 0, None).unwrap().probability;
        let doubt = probability.iter().map(|byte| uncertainty_byte(*byte)).collect();
        Mask { placement: Some(placement), probability, doubt }
    }
}

fn far(one: &Mask, other: &Mask) -> u8 {
    assert_eq!(one.placement, other.placement);
    let pairs = one.probability.iter().zip(&other.probability);
    pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

#[test]
fn a_frame_alone_has_the_cpus_mask_to_the_last_bit() {
    let folder = folder();
    let (memory, mut plain) = (folder.memory().unwrap(), Plain::new(&folder));
    let (_mock, engine) = card(&folder, 1);
    let mut engine = engine.unwrap();
    for index in 0..4 {
        let still = Still::fixture(index).padded();
        let expected = plain.mask(&folder, &still, &memory);
        // More frames than lanes, so that each lane comes twice.
        let (masks, stages) = run(&mut engine, &folder, &[&still]);
        assert!(masks == [expected], "picture {index}");
        assert!(masks[0].probability.iter().any(|byte| *byte > 127), "picture {index} has no polyp");
        assert_eq!(stages.steps, None);
    }
    engine.frames().unwrap().run_in_steps(true);
    let still = Still::fixture(5);
    let (masks, stages) = run(&mut engine, &folder, &[&still]);
    assert!(masks == [plain.mask(&folder, &still, &memory)]);
    assert!(stages.steps.is_some());
}

#[test]
fn pictures_are_normalised_by_their_own_statistics_where_the_engine_wants_it() {
    let temp = tempfile::tempdir().unwrap();
    let spec = ModelSpec { name: "small".to_owned(), side_px: 64, ..ModelSpec::lite() };
    let folder = write_random(&temp.path().join("small"), spec, 3).unwrap();
    assert_eq!(folder.manifest().input.normalisation, Normalisation::ZScorePerImage);
    let (memory, mut plain) = (folder.memory().unwrap(), Plain::new(&folder));
    let (_mock, engine) = card(&folder, 2);
    let mut engine = engine.unwrap();
    let stills = [Still::fixture(0), Still::fixture(1).padded()];
    let (masks, _) = run(&mut engine, &folder, &[&stills[0], &stills[1]]);
    for (mask, still) in masks.iter().zip(&stills) {
        assert!(far(mask, &plain.mask(&folder, still, &memory)) <= 1);
    }
    assert!(masks[0] != masks[1]);
}

/// The CPU shrinks in two passes that round: its masks differ, and by how little is said.
#[test]
fn masks_agree_with_the_cpus_own_way() {
    let folder = folder();
    let (spec, memory) = (folder.manifest().input, folder.memory().unwrap());
    let decoder = Decoder::new(folder.manifest().temperature).unwrap();
    let (_mock, engine) = card(&folder, 1);
    let (mut engine, mut cpu) = (engine.unwrap(), on_cpu(&folder));
    let (mut both, mut each) = (0_usize, 0_usize);
    for index in 0..12 {
        let still = Still::fixture(index);
        let mut image = vec![0.0; 3 * (spec.side_px * spec.side_px) as usize];
        let placement = still.view(|view| {
            Preprocessor::new(spec).run(view, still.placement(spec).source, &mut image).unwrap()
        });
        let mut logits = Vec::new();
        cpu.infer(&image, 1, &memory, &mut logits).unwrap();
        let expected = decoder.decode(&logits, placement, Duration::ZERO, 0, None).unwrap().probability;
        let (masks, _) = run(&mut engine, &folder, &[&still]);
        for (card, cpu) in masks[0].probability.iter().zip(&expected) {
            let (card, cpu) = (*card > 127, *cpu > 127);
            both += usize::from(card && cpu);
            each += usize::from(card) + usize::from(cpu);
        }
    }
    let dice = 2.0 * both as f64 / each as f64;
    println!("12 pictures, pooled: Dice of the card's masks with the CPU's {dice:.5}");
    assert!(dice > 0.996, "{dice}");
}

#[test]
fn a_batch_is_its_frames() {
    let folder = folder();
    let (_mock, engine) = card(&folder, 4);
    let mut engine = engine.unwrap();
    assert_eq!(engine.frames().unwrap().sizes(), [1, 2, 4]);
    let stills: Vec<Still> = (0..4).map(Still::fixture).collect();
    let alone: Vec<Mask> =
        stills.iter().map(|still| run(&mut engine, &folder, &[still]).0.remove(0)).collect();
    // Three are run as four.
    for count in 1..=4 {
        let some: Vec<&Still> = stills.iter().take(count).collect();
        let (masks, _) = run(&mut engine, &folder, &some);
        assert_eq!(masks.len(), count);
        for (index, (mask, expected)) in masks.iter().zip(&alone).enumerate() {
            // The CPU's network sums in another order for another batch.
            assert!(far(mask, expected) <= 1, "picture {index} of {count}");
        }
    }
}

#[test]
fn pictures_that_are_inputs_already_are_run_in_any_number() {
    let folder = folder();
    let (memory, side) = (folder.memory().unwrap(), folder.manifest().model.side_px);
    let (_mock, engine) = card(&folder, 4);
    let (mut engine, mut cpu) = (engine.unwrap(), on_cpu(&folder));
    let images: Vec<f32> = (0..7 * 3 * side * side).map(|i| (i as f32 * 0.37).sin()).collect();
    let (mut found, mut expected) = (Vec::new(), Vec::new());
    engine.infer(&images, 7, &memory, &mut found).unwrap();
    cpu.infer(&images, 7, &memory, &mut expected).unwrap();
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
    let far = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(far <= 1e-4 * largest, "{far} of {largest}");
    assert!(engine.infer(&images, 6, &memory, &mut found).is_err());
}

#[test]
fn two_batches_fly_at_once_and_each_sees_its_own_prompt() {
    let folder = folder();
    let (spec, memory) = (folder.manifest().input, folder.memory().unwrap());
    let mut other = memory.clone();
    for (_, array) in &mut other.tensors {
        array.values.iter_mut().for_each(|value| *value *= -0.5);
    }
    let mut plain = Plain::new(&folder);
    let still = Still::fixture(0);
    let [of_memory, of_other] = [&memory, &other].map(|memory| plain.mask(&folder, &still, memory));
    assert!(of_memory != of_other);
    let (mock, engine) = card(&folder, 1);
    let mut engine = engine.unwrap();
    let frames = engine.frames().unwrap();
    let ring = frames.ring();
    let mut masks = Vec::new();
    // The memories take turns while batches are in flight.
    frames.submit(vec![still.copied(&ring, spec)], &memory).unwrap();
    for round in 0..6 {
        let next = if round % 2 == 0 { &other } else { &memory };
        frames.submit(vec![still.copied(&ring, spec)], next).unwrap();
        let refused = frames.submit(vec![still.copied(&ring, spec)], next).unwrap_err().to_string();
        assert_eq!(
            refused,
            "input batch: expected 1 to 1 frames and at most 2 batches at once, found 1 frames and 2 batches"
        );
        frames.finish(&mut masks).unwrap();
        let expected = if round % 2 == 0 { &of_memory } else { &of_other };
        assert!(masks[0].as_ref().unwrap() == expected, "round {round}");
    }
    // The same memory again is not copied again.
    frames.finish(&mut masks).unwrap();
    let uploads = mock.count("upload");
    frames.submit(vec![still.copied(&ring, spec)], &memory).unwrap();
    assert_eq!(mock.count("upload") - uploads, 2, "a frame and its parameters");
    // The engine goes with a batch in flight: it waits for it.
    drop(engine);
    assert!(mock.state.borrow().counts.iter().any(|(call, _)| *call == "synchronise"));
}

#[test]
fn once_it_runs_nothing_is_allocated() {
    let folder = folder();
    let (mock, engine) = card(&folder, 2);
    let mut engine = engine.unwrap();
    let stills = [Still::fixture(2), Still::fixture(3)];
    // The larger frame in every place first.
    for _ in 0..4 {
        run(&mut engine, &folder, &[&stills[0], &stills[1]]);
        run(&mut engine, &folder, &[&stills[1], &stills[0]]);
    }
    let had =
        |mock: &crate::Mock| (mock.count("allocate"), mock.pinned.load(std::sync::atomic::Ordering::Relaxed));
    let before = had(&mock);
    for _ in 0..4 {
        run(&mut engine, &folder, &[&stills[0], &stills[1]]);
        run(&mut engine, &folder, &[&stills[1]]);
    }
    assert_eq!(had(&mock), before);
}

#[test]
fn a_frame_on_the_card_is_read_where_it_is() {
    let folder = folder();
    let (spec, memory) = (folder.manifest().input, folder.memory().unwrap());
    let (mock, engine) = card(&folder, 1);
    let mut engine = engine.unwrap();
    let still = std::sync::Arc::new(Still::fixture(1));
    let expected = run(&mut engine, &folder, &[&still]).0;
    let plane = DevicePlane {
        address: still.pixels.as_ptr() as u64,
        bytes: still.pixels.len(),
        stride: still.stride,
    };
    let kind = (SourceFormat::Frame(PixelFormat::Rgb), still.size, Colorimetry::RGB);
    let owner = std::sync::Arc::clone(&still);
    let frame = CardFrame::on_card(kind, &[plane], still.placement(spec), Box::new(owner));
    let frames = engine.frames().unwrap();
    let uploads = mock.count("upload");
    frames.submit(vec![frame], &memory).unwrap();
    assert_eq!(mock.count("upload") - uploads, 1, "its parameters alone");
    assert_eq!(std::sync::Arc::strong_count(&still), 2, "it is held while the card reads it");
    let mut masks = Vec::new();
    frames.finish(&mut masks).unwrap();
    assert_eq!(std::sync::Arc::strong_count(&still), 1);
    assert!(masks[0].as_ref().unwrap() == &expected[0]);
}

#[test]
fn what_is_not_finite_is_one_pictures_fault() {
    let folder = folder();
    let (spec, memory) = (folder.manifest().input, folder.memory().unwrap());
    let (mock, engine) = card(&folder, 2);
    let mut engine = engine.unwrap();
    let stills = [Still::fixture(0), Still::fixture(1)];
    mock.state.borrow_mut().network.spoil = f32::NAN;
    let frames = engine.frames().unwrap();
    let ring = frames.ring();
    frames.submit(stills.iter().map(|still| still.copied(&ring, spec)).collect(), &memory).unwrap();
    let mut masks = Vec::new();
    frames.finish(&mut masks).unwrap();
    assert!(masks[0].is_ok());
    let wrong = matches!(masks[1], Err(EngineError::NotFinite { backend: "mock", index: 0, .. }));
    assert!(wrong, "{:?}", masks[1]);
    // The next batch is well again.
    mock.state.borrow_mut().network.spoil = 0.0;
    assert_eq!(run(&mut engine, &folder, &[&stills[0], &stills[1]]).0.len(), 2);
}

#[test]
fn every_step_of_a_frames_way_is_timed() {
    let folder = folder();
    let (_mock, engine) = card(&folder, 2);
    let mut engine = engine.unwrap();
    let (spec, memory) = (folder.manifest().input, folder.memory().unwrap());
    let what = (Size::new(96, 64), 2, 5);
    let report = bench_frames(engine.frames().unwrap(), spec, &memory, what).unwrap();
    assert_eq!((report.format, report.size, report.batch, report.frames), ("UYVY", [96, 64], 2, 6));
    let stages: Vec<&str> = report.stages.iter().map(|row| row.stage).collect();
    let steps = ["upload", "input", "network", "masks", "download"];
    assert_eq!(stages[..5], steps);
    assert_eq!(stages[5..], ["whole, on the card", "whole, memory to memory"]);
    for row in &report.stages {
        let times = [row.min_ms, row.median_ms, row.p99_ms, row.p999_ms, row.max_ms];
        assert!(times[0] > 0.0 && times.is_sorted(), "{row:?}");
    }
    assert!(report.frames_per_second > 0.0 && report.frames_per_second_overlapped > 0.0);
    // It runs as a graph again.
    assert_eq!(run(&mut engine, &folder, &[&Still::fixture(0)]).1.steps, None);
}
