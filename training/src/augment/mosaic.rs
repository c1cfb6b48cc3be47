//! Four pictures in one, each a quarter of its size (after Bochkovskiy et al., YOLOv4, 2020): small polyps with real
//! mucosa around them, which still pictures seldom show and a scope that looks for them always does.

use serde::{Deserialize, Serialize};

use super::config::within;
use crate::TrainingError;
use crate::data::Random;

/// Pictures in a mosaic.
pub(crate) const PARTS: usize = 4;

/// Numbers of the mosaic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mosaic {
    /// Probability that a picture is seen as the first quarter of a mosaic; the other three are drawn.
    pub probability: f32,
}

impl Default for Mosaic {
    fn default() -> Self {
        Self { probability: 0.1 }
    }
}

impl Mosaic {
    pub(super) fn check(&self) -> Result<(), TrainingError> {
        within("mosaic.probability", self.probability, 0.0, 1.0)
    }

    /// The other pictures of the mosaic that picture `index` is part of, drawn of `count`; none when it is seen alone.
    pub(crate) fn draw(
        &self,
        strength: f32,
        random: &mut Random,
        count: usize,
    ) -> Option<[usize; PARTS - 1]> {
        random.chance(strength * self.probability).then(|| [0; PARTS - 1].map(|_| random.below(count)))
    }
}

/// Puts quarter `part` (0 to 3, row by row) of `half` x `half` places with `channels` values each into `whole`, which is
/// twice as wide and as high.
pub(crate) fn put(quarter: &[u8], whole: &mut [u8], part: usize, half: usize, channels: usize) {
    let (row, column) = (part / 2 * half, part % 2 * half);
    let wide = 2 * half * channels;
    let rows = quarter.chunks_exact(half * channels).zip(whole.chunks_exact_mut(wide).skip(row));
    for (from, to) in rows {
        if let Some(place) = to.get_mut(column * channels..(column + half) * channels) {
            place.copy_from_slice(from);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quarters_stand_row_by_row() {
        let mut whole = vec![0; 4 * 4 * 2];
        for part in 0..PARTS {
            put(&[part as u8 + 1; 2 * 2 * 2], &mut whole, part, 2, 2);
        }
        let row = |a: u8, b: u8| [[a; 4], [b; 4]].concat();
        assert_eq!(whole, [row(1, 2), row(1, 2), row(3, 4), row(3, 4)].concat());
    }

    #[test]
    fn the_probability_decides_and_strength_switches_off() {
        let count = |probability, strength| {
            let mosaic = Mosaic { probability };
            (0..1000).filter(|&n| mosaic.draw(strength, &mut Random::new(&[n]), 9).is_some()).count()
        };
        assert_eq!((count(1.0, 1.0), count(1.0, 0.0), count(0.0, 1.0)), (1000, 0, 0));
        assert!((250..350).contains(&count(0.3, 1.0)));
        let drawn = Mosaic { probability: 1.0 }.draw(1.0, &mut Random::new(&[5]), 9).unwrap();
        assert!(drawn.iter().all(|&index| index < 9));
    }
}
