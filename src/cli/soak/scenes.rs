//! The soak's clip: what a cart sees in a day, in a minute. Real pictures that move, a covered lens, a disturbed signal, a source that
//! repeats one picture.
//!
//! Every frame is a function of its number alone, as in the clip of animated stills that it is made around.

use polyp::clip::{Clip, ClipError};
use polyp::frame::{Canvas, PlaneMut};
use polyp::frozen;
use polyp::random::Random;

/// What a frame shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scene {
    /// Animated stills of real pictures.
    Stills,
    /// Black, with a sensor's noise.
    Dark,
    /// Noise all over.
    Snow,
    /// The last frame of the scene before, again and again, bit for bit.
    Frozen,
}

/// The scenes of a round and their seconds.
const ROUND: [(Scene, u64); 7] = [
    (Scene::Stills, 20),
    (Scene::Dark, 3),
    (Scene::Stills, 10),
    (Scene::Snow, 3),
    (Scene::Stills, 10),
    (Scene::Frozen, 2),
    (Scene::Stills, 12),
];

/// The samples that noise of one word adds to black: two bits each.
const SENSOR_NOISE: u64 = 0x0303_0303_0303_0303;
/// Eight samples of black.
const BLACK: u64 = 0x1010_1010_1010_1010;
/// A sample without colour.
const GREY: u8 = 128;

/// The clip, frame by frame.
#[derive(Debug)]
pub(super) struct Scenes {
    stills: Clip,
    /// The frame numbers within a round at which scenes end, and the scenes.
    ends: [(u64, Scene); ROUND.len()],
}

/// Frames that were said to be frozen, or were not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FrozenTally {
    /// Frozen, and said so.
    pub(super) told: u64,
    /// Frozen, and not said so.
    pub(super) missed: u64,
    /// Not frozen, and said to be.
    pub(super) wrong: u64,
}

impl FrozenTally {
    /// Counts a frame.
    pub(super) fn add(&mut self, is: bool, said: bool) {
        match (is, said) {
            (true, true) => self.told += 1,
            (true, false) => self.missed += 1,
            (false, true) => self.wrong += 1,
            (false, false) => {}
        }
    }
}

impl Scenes {
    /// Scenes around a clip of stills, at its frame rate and size.
    pub(super) fn new(stills: Clip) -> Self {
        let rate = stills.framerate().per_second();
        let mut seconds = 0;
        let ends = ROUND.map(|(scene, length)| {
            seconds += length;
            ((seconds as f64 * rate).round() as u64, scene)
        });
        Self { stills, ends }
    }

    /// The scene of frame `index`, and how many of its frames came before.
    fn at(&self, index: u64) -> (Scene, u64) {
        let round = self.ends.last().map_or(1, |(end, _)| (*end).max(1));
        let (place, mut start) = (index % round, 0);
        for (end, scene) in self.ends {
            if place < end {
                return (scene, place - start);
            }
            start = end;
        }
        (Scene::Stills, 0)
    }

    /// Whether frame `index` is the same for long enough that a dead source has to be suspected.
    pub(super) fn is_frozen(&self, index: u64) -> bool {
        let (scene, before) = self.at(index);
        scene == Scene::Frozen && before + 1 >= u64::from(frozen::AFTER)
    }

    /// Paints frame `index` on all of `canvas`, which is NV12.
    pub(super) fn paint(&self, index: u64, canvas: &mut Canvas<'_>) -> Result<(), ClipError> {
        let mut random = Random::new(&[index]);
        match self.at(index) {
            (Scene::Stills, _) => self.stills.paint(index, canvas)?,
            (Scene::Frozen, before) => self.stills.paint(index.saturating_sub(before + 1), canvas)?,
            (Scene::Dark, _) => grey(canvas, || BLACK + (random.bits() & SENSOR_NOISE)),
            (Scene::Snow, _) => grey(canvas, || random.bits()),
        }
        Ok(())
    }
}

/// Fills the first plane with words of eight samples, and the others with no colour.
fn grey(canvas: &mut Canvas<'_>, mut word: impl FnMut() -> u64) {
    for (index, PlaneMut { bytes, .. }) in canvas.planes_mut().iter_mut().enumerate() {
        if index > 0 {
            bytes.fill(GREY);
            continue;
        }
        for samples in bytes.chunks_mut(8) {
            let word = word().to_le_bytes();
            samples.iter_mut().zip(word).for_each(|(sample, byte)| *sample = byte);
        }
    }
}

/// The scenes in words: name and seconds.
pub(super) fn words() -> Vec<String> {
    ROUND
        .iter()
        .map(|(scene, seconds)| format!("{} {seconds} s", format!("{scene:?}").to_lowercase()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use polyp::clip::Picture;
    use polyp::frame::{PixelFormat, Size};

    const SIZE: Size = Size::new(128, 96);

    fn scenes() -> Scenes {
        let size = Size::new(64, 64);
        let rgb = (0..size.area() * 3).map(|i| (i * 7 % 251) as u8).collect();
        let mask = vec![255; size.area()];
        let picture = Picture { name: "one".to_owned(), note: String::new(), native: size, size, rgb, mask };
        Scenes::new(Clip::new(&[picture], SIZE, "10".parse().unwrap(), 25).unwrap())
    }

    fn painted(scenes: &Scenes, index: u64) -> Vec<u8> {
        let (mut luma, mut chroma) = (vec![0; SIZE.area()], vec![0; SIZE.area() / 2]);
        let planes = [&mut luma, &mut chroma].map(|bytes| PlaneMut { bytes, stride: SIZE.width as usize });
        let mut canvas = Canvas::new(PixelFormat::Nv12, SIZE, Clip::COLORIMETRY, planes).unwrap();
        scenes.paint(index, &mut canvas).unwrap();
        [luma, chroma].concat()
    }

    #[test]
    fn a_round_is_a_minute_and_begins_again() {
        let scenes = scenes();
        assert_eq!(scenes.ends.last().unwrap().0, 600);
        assert_eq!(scenes.at(199), (Scene::Stills, 199));
        assert_eq!(scenes.at(200), (Scene::Dark, 0));
        assert_eq!(scenes.at(600 + 461), (Scene::Frozen, 1));
        assert_eq!(scenes.at(1200), (Scene::Stills, 0));
        assert_eq!(words()[1], "dark 3 s");
    }

    #[test]
    fn only_a_frozen_source_repeats_a_picture() {
        let scenes = scenes();
        for index in [10, 210, 340, 462] {
            let same = painted(&scenes, index) == painted(&scenes, index + 1);
            assert_eq!(same, index == 462, "frame {index}");
        }
        assert_eq!(painted(&scenes, 460), painted(&scenes, 459), "the picture before stays");
        let frozen: Vec<u64> = (0..600).filter(|index| scenes.is_frozen(*index)).collect();
        assert_eq!((frozen.first(), frozen.last()), (Some(&462), Some(&479)));
    }

    #[test]
    fn what_is_said_of_frames_is_counted() {
        let mut tally = FrozenTally::default();
        for (is, said) in [(true, true), (true, false), (false, true), (false, false), (true, true)] {
            tally.add(is, said);
        }
        assert_eq!(tally, FrozenTally { told: 2, missed: 1, wrong: 1 });
    }
}
