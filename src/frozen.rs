//! Whether a source is dead: it hands over the same picture again and again.
//!
//! A camera's pictures differ in their noise even where nothing moves, so a picture that comes back bit for bit was not taken anew. A few
//! repeats are no sign of that (a converter doubles or trebles frames to reach another rate); after [`AFTER`] of them it is.
//!
//! Not here: pictures that stand still but for a clock that somebody writes into them: their bits differ.

use crate::frame::FrameView;

/// Repeats after which a source counts as dead, unless somebody says otherwise: the third frame that is the one before.
pub const AFTER: u32 = 3;

/// One row of so many is looked at: a picture that differs in none of them differs nowhere, as far as cameras go.
const EVERY: usize = 8;

/// Looks at one stream's frames.
#[derive(Clone, Debug)]
pub struct Frozen {
    after: u32,
    last: Option<u64>,
    repeats: u32,
}

impl Default for Frozen {
    fn default() -> Self {
        Self::new(AFTER)
    }
}

impl Frozen {
    /// Counts a source as dead after `after` repeats; never, with 0.
    pub fn new(after: u32) -> Self {
        Self { after, last: None, repeats: 0 }
    }

    /// The number of repeats that it waits for; 0 for never.
    pub fn after(&self) -> u32 {
        self.after
    }

    /// Forgets what came before: another stream, or a seek.
    pub fn forget(&mut self) {
        (self.last, self.repeats) = (None, 0);
    }

    /// Whether the source counts as dead with this frame. About 40 us for 1080p NV12; nothing is kept of the frame but a number.
    pub fn see(&mut self, frame: &FrameView<'_>) -> bool {
        if self.after == 0 {
            return false;
        }
        let seen = fingerprint(frame);
        if self.last.replace(seen) == Some(seen) {
            self.repeats = self.repeats.saturating_add(1);
        } else {
            self.repeats = 0;
        }
        self.repeats >= self.after
    }
}

/// A number that is another one for another picture, all but surely: the rows' words, each turned and multiplied (the constant is that of
/// Knuth's multiplicative hashing, The Art of Computer Programming 6.4).
fn fingerprint(frame: &FrameView<'_>) -> u64 {
    let mut lanes = [1_u64, 2, 3, 4];
    let mix = |state: u64, word: u64| (state.rotate_left(23) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    for (index, plane) in frame.planes().iter().enumerate() {
        let (row_bytes, rows) = frame.format().plane_extent(index, frame.size());
        for row in (0..rows).step_by(EVERY).chain(rows.checked_sub(1)) {
            let start = row * plane.stride;
            let Some(bytes) = plane.bytes.get(start..start + row_bytes) else { continue };
            let (blocks, rest) = bytes.as_chunks::<32>();
            // Four sums that do not wait for each other.
            for block in blocks {
                for (lane, word) in lanes.iter_mut().zip(block.as_chunks::<8>().0) {
                    *lane = mix(*lane, u64::from_le_bytes(*word));
                }
            }
            for byte in rest {
                lanes[0] = mix(lanes[0], u64::from(*byte));
            }
        }
    }
    lanes.into_iter().fold(0, mix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Colorimetry, Matrix, PixelFormat, Plane, Range, Size};

    /// Whether each of these pictures, as one stream, counts as dead.
    fn seen(after: u32, pictures: &[Vec<u8>]) -> Vec<bool> {
        let mut frozen = Frozen::new(after);
        let size = Size::new(48, 40);
        let colorimetry = Colorimetry { matrix: Matrix::Bt709, range: Range::Limited };
        let see = |bytes: &Vec<u8>| {
            let (luma, chroma) = bytes.split_at(64 * 40);
            let planes = [Plane { bytes: luma, stride: 64 }, Plane { bytes: chroma, stride: 64 }];
            frozen.see(&FrameView::new(PixelFormat::Nv12, size, colorimetry, &planes).unwrap())
        };
        pictures.iter().map(see).collect()
    }

    fn picture(noise: u8) -> Vec<u8> {
        (0..64 * 60).map(|index| (index as u8).wrapping_mul(31) ^ noise).collect()
    }

    #[test]
    fn the_third_repeat_counts_and_the_next_picture_ends_it() {
        let [a, b] = [picture(0), picture(1)];
        let stream: Vec<Vec<u8>> = [&a, &a, &a, &a, &a, &b, &b, &b, &b].map(Clone::clone).to_vec();
        assert_eq!(seen(3, &stream), [false, false, false, true, true, false, false, false, true]);
        assert_eq!(seen(1, &stream)[..3], [false, true, true]);
        assert!(seen(0, &stream).iter().all(|dead| !dead), "switched off");
    }

    #[test]
    fn frames_that_are_doubled_or_trebled_are_alive() {
        let stream: Vec<Vec<u8>> = (0..12).map(|index| picture(index / 3)).collect();
        assert!(seen(3, &stream).iter().all(|dead| !dead));
    }

    #[test]
    fn the_smallest_difference_that_noise_makes_is_seen_and_bytes_beside_the_picture_are_not() {
        // Noise turns a bit here and there in every row; what lies after a row's end is nobody's picture.
        let noisy = |frame: usize| {
            let mut bytes = picture(0);
            for row in 0..60 {
                bytes[row * 64 + frame % 48] ^= 1;
            }
            bytes
        };
        let stream: Vec<Vec<u8>> = (0..8).map(noisy).collect();
        assert!(seen(1, &stream).iter().all(|dead| !dead));
        let beside = |frame: u8| {
            let mut bytes = picture(0);
            bytes.chunks_exact_mut(64).for_each(|row| row[48..].fill(frame));
            bytes
        };
        let stream: Vec<Vec<u8>> = (0..5).map(beside).collect();
        assert_eq!(seen(3, &stream), [false, false, false, true, true]);
    }

    #[test]
    fn another_stream_begins_anew() {
        let plane = [Plane { bytes: &[7; 12], stride: 6 }];
        let view = FrameView::new(PixelFormat::Rgb, Size::new(2, 2), Colorimetry::RGB, &plane).unwrap();
        let mut frozen = Frozen::new(2);
        assert!(!frozen.see(&view) && !frozen.see(&view) && frozen.see(&view));
        frozen.forget();
        assert!(!frozen.see(&view) && !frozen.see(&view) && frozen.see(&view));
    }
}
