//! Setting a patch onto a ground so that no seam shows: its colours are fitted to the ground's, and it fades over all
//! the room between the lesion and its own edge.
//!
//! Not here: choosing either ([`super::zoom_out`]).

use image::{Rgb, RgbImage};

/// What is set onto a ground.
#[derive(Clone, Debug)]
pub(super) struct Patch {
    /// The lesion and its surroundings.
    pub(super) rgb: RgbImage,
    /// Where the lesion is, row by row.
    pub(super) mask: Vec<bool>,
}

/// The least room between the lesion and the patch's edge or its black, in pixels.
const LEAST_ROOM: f32 = 5.0;
/// Pixels whose brightest sample is below this are the black around the endoscope's picture.
const DARK: u8 = 40;

/// Sets `patch` onto `ground` with its upper left corner `at`, and its lesion onto `mask`, row by row. Gives back how
/// badly it fits: how far patch and ground are apart in the rim where both are seen, as a share of white, and a tenth of
/// the gains that its colours needed, in natural logarithms. None, and nothing is changed, when the lesion has no room
/// around it.
pub(super) fn paste(ground: &mut RgbImage, mask: &mut [u8], patch: &Patch, at: (u32, u32)) -> Option<f32> {
    let (width, height) = patch.rgb.dimensions();
    let weight = weights(patch)?;
    let under: Vec<[f32; 3]> = (0..height)
        .flat_map(|y| (0..width).map(move |x| (x, y)))
        .map(|(x, y)| ground.get_pixel(at.0 + x, at.1 + y).0.map(f32::from))
        .collect();
    let over: Vec<[f32; 3]> = patch.rgb.pixels().map(|pixel| pixel.0.map(f32::from)).collect();
    let gains = gains(&over, &under, &weight);
    let ground_width = ground.width() as usize;
    let all = over.iter().zip(&under).zip(&weight).zip(&patch.mask).enumerate();
    for (place, (((over, under), weight), lesion)) in all {
        let (x, y) = (at.0 + place as u32 % width, at.1 + place as u32 / width);
        let mixed = [0, 1, 2].map(|i| {
            let over = (over[i] * gains[i]).min(255.0);
            (under[i] + (over - under[i]) * weight).round() as u8
        });
        ground.put_pixel(x, y, Rgb(mixed));
        if let Some(value) = mask.get_mut(y as usize * ground_width + x as usize) {
            *value = u8::from(*lesion);
        }
    }
    let (mut apart, mut rim) = (0.0, 0.0);
    for ((over, under), weight) in over.iter().zip(&under).zip(&weight) {
        let here = weight * (1.0 - weight);
        rim += 3.0 * here;
        apart += here * [0, 1, 2].map(|i| (over[i] * gains[i] - under[i]).abs()).iter().sum::<f32>();
    }
    let gain: f32 = gains.map(|gain| gain.ln().abs()).iter().sum();
    Some(apart / (255.0 * rim.max(f32::MIN_POSITIVE)) + 0.1 * gain)
}

/// How much of the patch is seen in each of its pixels: all of it on the lesion, nothing at its edge and in its black,
/// smooth between the two. None when there is too little room between.
fn weights(patch: &Patch) -> Option<Vec<f32>> {
    let width = patch.rgb.width() as usize;
    let black: Vec<bool> =
        patch.rgb.pixels().map(|pixel| pixel.0.iter().all(|sample| *sample < DARK)).collect();
    let to_edge = distances(&black, width, true);
    let to_lesion = distances(&patch.mask, width, false);
    let room = patch.mask.iter().zip(&to_edge).filter(|(lesion, _)| **lesion).map(|(_, room)| *room);
    if room.fold(f32::INFINITY, f32::min) < LEAST_ROOM || !patch.mask.contains(&true) {
        return None;
    }
    let weight = |(edge, lesion): (&f32, &f32)| {
        // The lesion's rim belongs to it.
        let lesion = (lesion - 1.5).max(0.0);
        let edge = (edge - 1.0).max(0.0);
        let share = if edge + lesion > 0.0 { edge / (edge + lesion) } else { 0.0 };
        share * share * (3.0 - 2.0 * share)
    };
    Some(to_edge.iter().zip(&to_lesion).map(weight).collect())
}

/// The distance of each pixel to the nearest of `places`, and to the outside if that counts: in steps of 1 across and
/// of the root of 2 at an angle (chamfer distance).
fn distances(places: &[bool], width: usize, outside: bool) -> Vec<f32> {
    let diagonal = std::f32::consts::SQRT_2;
    let height = places.len() / width.max(1);
    let far = (width + height) as f32;
    let mut found: Vec<f32> = places.iter().map(|place| if *place { 0.0 } else { far }).collect();
    let beyond = if outside { 0.0 } else { far };
    let steps = [(-1, 0, 1.0), (-1, -1, diagonal), (0, -1, 1.0), (1, -1, diagonal)];
    for (turn, order) in [(1, false), (-1, true)] {
        let mut sweep: Vec<usize> = (0..places.len()).collect();
        if order {
            sweep.reverse();
        }
        for place in sweep {
            let (x, y) = ((place % width) as isize, (place / width) as isize);
            for (dx, dy, step) in steps {
                let (x, y) = (x + turn * dx, y + turn * dy);
                let inside = x >= 0 && y >= 0 && x < width as isize && y < height as isize;
                let other =
                    if inside { found.get(y as usize * width + x as usize).copied() } else { Some(beyond) };
                if let (Some(other), Some(here)) = (other, found.get_mut(place)) {
                    *here = here.min(other + step);
                }
            }
        }
    }
    found
}

/// What each colour of the patch is multiplied by, so that its rim has the mean of what lies under it.
fn gains(over: &[[f32; 3]], under: &[[f32; 3]], weight: &[f32]) -> [f32; 3] {
    // The rim is where both are seen.
    let mean = |of: &[[f32; 3]], channel: usize| -> f32 {
        of.iter().zip(weight).map(|(pixel, weight)| weight * (1.0 - weight) * pixel[channel]).sum()
    };
    [0, 1, 2].map(|channel| mean(under, channel).max(1e-3) / mean(over, channel).max(1e-3))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A patch of 40 x 40 with a lesion of 12 x 12 in its middle, 60 brighter than what is around it.
    fn patch() -> Patch {
        let lesion = |x: u32, y: u32| (14..26).contains(&x) && (14..26).contains(&y);
        let rgb = RgbImage::from_fn(40, 40, |x, y| Rgb([if lesion(x, y) { 160 } else { 100 }; 3]));
        Patch { rgb, mask: (0..1600).map(|i| lesion(i % 40, i / 40)).collect() }
    }

    #[test]
    fn distances_by_hand() {
        let places: Vec<bool> = (0..15).map(|i| i == 7).collect();
        let root = std::f32::consts::SQRT_2;
        let row = [1.0 + root, root, 1.0, root, 1.0 + root];
        let found = distances(&places, 5, false);
        assert_eq!(found[..5], row);
        assert_eq!(found[5..10], [2.0, 1.0, 0.0, 1.0, 2.0]);
        // With the outside all of the rim is one away.
        assert_eq!(
            distances(&[false; 15], 5, true),
            [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
        );
    }

    #[test]
    fn no_seam_is_left_and_the_lesion_keeps_its_contrast() {
        // The ground is 1.5 times as bright as what is around the lesion.
        let mut ground = RgbImage::from_pixel(100, 80, Rgb([150; 3]));
        let mut mask = vec![0; 8000];
        let misfit = paste(&mut ground, &mut mask, &patch(), (30, 20)).unwrap();
        assert!((misfit - 0.3 * 1.5_f32.ln()).abs() < 0.01, "{misfit}");
        // Around the patch and at its edge the ground is as it was; the lesion is 1.6 times as bright.
        for (x, y) in [(0, 0), (29, 40), (30, 40), (31, 40), (69, 59)] {
            assert_eq!(ground.get_pixel(x, y).0, [150; 3], "{x} {y}");
        }
        assert!(ground.get_pixel(50, 40).0[0].abs_diff(240) <= 2, "{:?}", ground.get_pixel(50, 40));
        assert_eq!(mask.iter().filter(|value| **value == 1).count(), 144);
        assert_eq!((mask[40 * 100 + 50], mask[40 * 100 + 40]), (1, 0));
    }

    #[test]
    fn a_lesion_at_the_edge_or_at_the_black_is_refused() {
        let mut cut = patch();
        for (place, lesion) in cut.mask.iter_mut().enumerate() {
            *lesion = place % 40 < 20;
        }
        let mut black = patch();
        for y in 0..40 {
            black.rgb.put_pixel(12, y, Rgb([0; 3]));
        }
        for patch in [cut, black] {
            let mut ground = RgbImage::from_pixel(50, 50, Rgb([150; 3]));
            let mut mask = vec![0; 2500];
            assert_eq!(paste(&mut ground, &mut mask, &patch, (5, 5)), None);
            assert!(ground.pixels().all(|pixel| pixel.0 == [150; 3]) && mask.iter().all(|value| *value == 0));
        }
    }
}
