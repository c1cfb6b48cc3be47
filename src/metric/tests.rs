use std::time::Duration;

use super::*;
use crate::frame::Rect;
use crate::input::Placement;
use crate::segmentation::Segmentation;

fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-9, "{found}, expected {expected}");
}

#[test]
fn dice_and_iou_by_hand() {
    let mut score = Score::new();
    let size = Size::new(4, 1);
    // 2 claimed, 2 true, 1 both: Dice 1/2, IoU 1/3.
    score.add(&[0.9, 0.6, 0.1, 0.2], &[true, false, true, false], size).unwrap();
    // 1 claimed, 1 true, 1 both: 1 and 1.
    score.add(&[0.9, 0.1, 0.1, 0.2], &[true, false, false, false], size).unwrap();
    let summary = score.finish();
    close(summary.dice_per_image, 0.75);
    close(summary.iou_per_image, 2.0 / 3.0);
    // Pooled: 3 claimed, 3 true, 2 both.
    close(summary.dice_pooled, 2.0 / 3.0);
    close(summary.iou_pooled, 0.5);
    assert_eq!((summary.count, summary.per_image.len()), (2, 2));
}

#[test]
fn pictures_without_a_polyp_follow_the_convention() {
    let size = Size::new(2, 1);
    let mut score = Score::new();
    score.add(&[0.1, 0.4], &[false, false], size).unwrap();
    assert_eq!(score.finish().per_image, [(1.0, 1.0)]);
    score.add(&[0.1, 0.6], &[false, false], size).unwrap();
    let summary = score.finish();
    assert_eq!(summary.per_image, [(1.0, 1.0), (0.0, 0.0)]);
    close(summary.dice_pooled, 0.0);
    close(summary.ece_box, 0.0);
    assert_eq!(Score::new().finish(), Summary::default());
}

#[test]
fn calibration_error_by_hand() {
    let size = Size::new(10, 1);
    // Ten pixels in the bin of 0.7, of which five are true.
    let mut score = Score::new();
    let truth: Vec<bool> = (0..10).map(|i| i % 2 == 0).collect();
    score.add(&[0.7; 10], &truth, size).unwrap();
    assert!((score.finish().ece_image - 0.2).abs() < 1e-6);
    // A calibrated half does not hide an uncalibrated one.
    score.add(&[1.0; 10], &[true; 10], size).unwrap();
    assert!((score.finish().ece_image - 0.1).abs() < 1e-6);
}

#[test]
fn the_box_leaves_out_what_is_far() {
    let size = Size::new(12, 12);
    let mut truth = vec![false; 144];
    for y in 4..8 {
        truth[y * 12 + 4..y * 12 + 8].fill(true);
    }
    assert_eq!(bounds(&truth, size), Some(Rect { x: 4, y: 4, width: 4, height: 4 }));
    let grown = |rect| grown(rect, (1, 1), size);
    assert_eq!(grown(Rect { x: 4, y: 4, width: 4, height: 4 }), Rect { x: 3, y: 3, width: 6, height: 6 });
    assert_eq!(grown(Rect { x: 0, y: 9, width: 4, height: 3 }), Rect { x: 0, y: 8, width: 5, height: 4 });
    // Wrong only in a far corner: the picture sees it, the box does not.
    let mut probability: Vec<f32> = truth.iter().map(|t| f32::from(u8::from(*t))).collect();
    probability[0] = 1.0;
    let mut score = Score::new();
    score.add(&probability, &truth, size).unwrap();
    let summary = score.finish();
    close(summary.ece_box, 0.0);
    close(summary.ece_image, 1.0 / 144.0);
}

#[test]
fn refused_pictures_leave_no_trace() {
    let mut score = Score::new();
    let size = Size::new(2, 1);
    let short = score.add(&[0.5], &[true, false], size).err();
    assert_eq!(short, Some(MetricError::Length { size, expected: 2, probability: 1, truth: 2 }));
    assert!(score.add(&[0.5, f32::NAN], &[true, false], size).is_err());
    assert_eq!(score.finish(), Summary::default());
}

fn segmentation(probability: Vec<u8>, source: Rect, target: Rect, side_px: u32) -> Segmentation {
    let placement = Placement { source, target, side_px };
    Segmentation { probability, placement, pts: Duration::ZERO, sequence: 0 }
}

#[test]
fn a_picture_of_the_grids_size_is_the_grid() {
    let whole = Rect::whole(Size::new(2, 2));
    let picture = to_picture(&segmentation(vec![0, 51, 102, 255], whole, whole, 2), Size::new(2, 2));
    for (found, expected) in picture.iter().zip([0.0, 0.2, 0.4, 1.0]) {
        assert!((found - expected).abs() < 1e-6, "{picture:?}");
    }
}

#[test]
fn between_cells_it_is_bilinear_and_outside_it_is_nothing() {
    let source = Rect { x: 1, y: 0, width: 4, height: 1 };
    let whole = Rect::whole(Size::new(2, 2));
    let picture = to_picture(&segmentation(vec![0, 255, 0, 255], source, whole, 2), Size::new(6, 2));
    let expected = [0.0, 0.0, 0.25, 0.75, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    for (found, expected) in picture.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-6, "{picture:?}");
    }
}

#[test]
fn black_bars_do_not_bleed_into_the_picture() {
    let target = Rect { x: 0, y: 1, width: 4, height: 2 };
    let mut cells = vec![255; 16];
    cells[4..12].fill(51);
    let source = Rect::whole(Size::new(8, 4));
    let picture = to_picture(&segmentation(cells, source, target, 4), Size::new(8, 4));
    assert!(picture.iter().all(|found| (found - 0.2).abs() < 1e-6), "{picture:?}");
}

/// The value of a measure of one score.
fn value(score: &Score, name: &str, per: &str) -> Option<f64> {
    Measure::named(name, per).unwrap().of(&Sums::total(score.pictures()))
}

/// A score of pictures given as lines: `#` is lesion and claimed, `-` lesion alone, `+` claimed alone.
fn drawn(pictures: &[&[&str]]) -> Score {
    let mut score = Score::new();
    for lines in pictures {
        let size = Size::new(lines[0].len() as u32, lines.len() as u32);
        let pixels: Vec<char> = lines.iter().flat_map(|line| line.chars()).collect();
        let probability: Vec<f32> =
            pixels.iter().map(|c| if matches!(c, '#' | '+') { 0.9 } else { 0.1 }).collect();
        let truth: Vec<bool> = pixels.iter().map(|c| matches!(c, '#' | '-')).collect();
        score.add(&probability, &truth, size).unwrap();
    }
    score
}

#[test]
fn every_pixel_of_the_box_and_no_other_counts_in_its_error() {
    // A box of 4 x 4 grown by a quarter is 6 x 6 pixels; of 5 x 1 it is 9 x 3.
    for (width, height, expected) in [(4_usize, 4_usize, 36), (5, 1, 27)] {
        let truth: Vec<bool> = (0..400)
            .map(|i| (8..8 + width).contains(&(i % 20)) && (8..8 + height).contains(&(i / 20)))
            .collect();
        let mut score = Score::new();
        score.add(&[0.5; 400], &truth, Size::new(20, 20)).unwrap();
        let total = Sums::total(score.pictures());
        assert_eq!(total.boxed().bins().iter().map(|bin| bin.pixels).sum::<u64>(), expected);
        let error = 0.5 - (width * height) as f64 / expected as f64;
        close(total.boxed().error().unwrap(), error.abs());
    }
}

#[test]
fn boundary_f_by_hand() {
    // 12 x 5: the diagonal is 13, so near is 1 pixel. The mask's right edge is 2 pixels beyond the truth's.
    let apart = drawn(&[&["####++......", "####++......", "####++......", "####++......", "####++......"]]);
    close(value(&apart, "boundary_f", "image").unwrap(), 0.0);
    let close_by =
        drawn(&[&["####+.......", "####+.......", "####........", "####........", "####++++...."]]);
    // The truth's boundary is column 3, five pixels, all near. The mask's: (4,0), (4,1), then where it is narrow
    // (3,2), (3,3), and the top of its foot (4..=7, 4), of which the last three are far: 5 of 8 pixels are near.
    close(value(&close_by, "boundary_f", "image").unwrap(), 2.0 * 0.625 / 1.625);
    // Nothing and nothing is right; nothing for something is not.
    let empty = drawn(&[&["....", "...."], &["--..", "...."]]);
    close(value(&empty, "boundary_f", "image").unwrap(), 0.5);
}

#[test]
fn a_lesion_is_found_by_three_tenths_of_it() {
    // Lesions of 10, 10 and 9 pixels; 3, 2 and 9 of them are covered.
    let score = drawn(&[&["###-------..", "............", "##--------..", "............", "#########..."]]);
    close(value(&score, "sensitivity", "lesion").unwrap(), 2.0 / 3.0);
    // One pixel of 100 x 100 is a speck.
    let truth: Vec<bool> = (0..10_000).map(|i| i == 5050).collect();
    let mut speck = Score::new();
    speck.add(&[0.0; 10_000], &truth, Size::new(100, 100)).unwrap();
    assert_eq!(value(&speck, "sensitivity", "lesion"), None);
}

#[test]
fn false_areas_leave_the_surroundings_out() {
    // The lesion's surroundings are one pixel to each side: 3 x 3 = 9 of 40 pixels. Beside it does not count.
    let beside = &["..........", ".++.......", ".-+.......", ".-+....++."];
    let score = drawn(&[beside]);
    close(value(&score, "false_area", "pooled").unwrap(), 2.0 / 31.0);
    assert_eq!(value(&score, "false_area_empty", "pooled"), None);
    assert_eq!(value(&score, "false_alarms", "image"), None);
    let score = drawn(&[beside, &["+.........", ".........."], &["..........", ".........."]]);
    close(value(&score, "false_area", "pooled").unwrap(), 3.0 / 71.0);
    close(value(&score, "false_area_empty", "pooled").unwrap(), 1.0 / 40.0);
    close(value(&score, "false_alarms", "image").unwrap(), 0.5);
    // Nine pixels of 100 x 100 are too few for an alarm, ten are enough.
    for (pixels, alarm) in [(9, 0.0), (10, 1.0)] {
        let probability: Vec<f32> = (0..10_000).map(|i| if i < pixels { 0.7 } else { 0.2 }).collect();
        let mut score = Score::new();
        score.add(&probability, &[false; 10_000], Size::new(100, 100)).unwrap();
        close(value(&score, "false_alarms", "image").unwrap(), alarm);
    }
}

#[test]
fn coverage_by_hand() {
    let mut score = Score::by(Rules { threshold: 0.5, contour_95: Some(0.3) });
    let truth = [true, true, true, true, false, false];
    score.add(&[0.97, 0.4, 0.1, 0.01, 0.96, 0.2], &truth, Size::new(6, 1)).unwrap();
    close(value(&score, "coverage_95", "pooled").unwrap(), 0.5);
    close(value(&score, "coverage_p05", "pooled").unwrap(), 0.75);
    close(value(&score, "precision_p95", "pooled").unwrap(), 0.5);
    let mut unfitted = Score::new();
    unfitted.add(&[0.5; 6], &truth, Size::new(6, 1)).unwrap();
    assert_eq!(value(&unfitted, "coverage_95", "pooled"), None);
    assert_eq!(value(&unfitted, "precision_p95", "pooled"), None);
    close(Sums::total(unfitted.pictures()).lesion_share().unwrap(), 4.0 / 6.0);
}

#[test]
fn the_quick_dice_is_the_same() {
    let score = drawn(&[&["##-+", "...."]]);
    let truth = [true, true, true, false, false, false, false, false];
    let probability = [0.9, 0.5, 0.1, 0.9, 0.1, 0.1, 0.1, 0.1];
    let quick = dice(&probability, &truth, Size::new(4, 2)).unwrap();
    close(quick, value(&score, "dice", "image").unwrap());
    assert!(dice(&probability, &truth, Size::new(4, 3)).is_err());
}

#[test]
fn measures_have_a_name_of_their_own_and_a_direction() {
    for (index, measure) in MEASURES.iter().enumerate() {
        assert!(MEASURES.iter().skip(index + 1).all(|m| (m.name, m.per) != (measure.name, measure.per)));
    }
    let better = |name, per, one, other| Measure::named(name, per).unwrap().better(one, other);
    assert!(better("dice", "image", 0.9, 0.8) && !better("dice", "image", 0.8, 0.8));
    assert!(better("ece_box", "pooled", 0.1, 0.2) && !better("ece_box", "pooled", 0.2, 0.1));
    assert!(better("coverage_95", "pooled", 0.96, 0.93) && !better("coverage_95", "pooled", 1.0, 0.93));
}
