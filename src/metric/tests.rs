use std::time::Duration;

use super::*;
use crate::input::Placement;

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
    assert_eq!(
        grown(Rect { x: 4, y: 4, width: 4, height: 4 }, size),
        Rect { x: 3, y: 3, width: 6, height: 6 }
    );
    assert_eq!(
        grown(Rect { x: 0, y: 9, width: 4, height: 3 }, size),
        Rect { x: 0, y: 8, width: 5, height: 4 }
    );
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
