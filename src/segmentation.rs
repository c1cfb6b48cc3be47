//! A frame's segmentation, and the only way to put one on a screen.
//!
//! [`Shown`] is what overlays take, and only [`Segmentation::shown_on`] makes one: it refuses a mask that is
//! of a later frame, or too old. So painting a stale mask does not compile.
//!
//! Not here: making segmentations from logits ([`crate::decode`]), painting them ([`crate::overlay`]).

use std::time::Duration;

use crate::input::Placement;

/// What the network says of one frame: a grid of probabilities, and where the grid lies in the frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Segmentation {
    /// Cells, row by row, `side_px * side_px` of them: the calibrated probability of polyp, 0 = 0.0 and
    /// 255 = 1.0.
    pub probability: Vec<u8>,
    /// Where the cells lie in the frame.
    pub placement: Placement,
    /// The frame's presentation time, in the stream's running time.
    pub pts: Duration,
    /// The frame's number in its stream, counted from 0 since the stream started.
    pub sequence: u64,
}

/// Why a segmentation may not be shown on a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Hidden {
    /// It was made from a frame that comes later.
    #[error("the mask is of a later frame")]
    Future,
    /// It is older than the limit.
    #[error("the mask is {age:?} old; the limit is {limit:?}")]
    Expired {
        /// Its age.
        age: Duration,
        /// The limit.
        limit: Duration,
    },
}

/// A segmentation that may be painted on one particular frame, with its age on it.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    segmentation: &'a Segmentation,
    age: Duration,
    limit: Duration,
}

impl Segmentation {
    /// The number of cells in a row (and of rows).
    pub fn side(&self) -> usize {
        self.placement.side_px as usize
    }

    /// This segmentation for the frame of presentation time `pts`, if it is not from the future and not
    /// older than `limit`. A mask of that very frame has age 0.
    ///
    /// # Errors
    /// [`Hidden`], which says why it must not be shown.
    pub fn shown_on(&self, pts: Duration, limit: Duration) -> Result<Shown<'_>, Hidden> {
        let age = pts.checked_sub(self.pts).ok_or(Hidden::Future)?;
        if age > limit {
            return Err(Hidden::Expired { age, limit });
        }
        Ok(Shown { segmentation: self, age, limit })
    }
}

impl<'a> Shown<'a> {
    /// What is shown.
    pub fn segmentation(&self) -> &'a Segmentation {
        self.segmentation
    }

    /// How much older than the frame the mask is; zero when it is of that very frame.
    pub fn age(&self) -> Duration {
        self.age
    }

    /// 1 for a mask of this very frame, falling to 0 at the age limit: how firmly to draw it.
    pub fn freshness(&self) -> f32 {
        if self.age.is_zero() {
            return 1.0;
        }
        1.0 - self.age.as_secs_f32() / self.limit.as_secs_f32().max(f32::MIN_POSITIVE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Rect, Size};

    fn at(pts: Duration) -> Segmentation {
        let whole = Rect::whole(Size::new(1, 1));
        Segmentation {
            probability: vec![255],
            placement: Placement { source: whole, target: whole, side_px: 1 },
            pts,
            sequence: 0,
        }
    }

    #[test]
    fn a_mask_of_a_later_frame_is_never_shown() {
        let later = at(Duration::from_millis(40));
        assert_eq!(later.shown_on(Duration::ZERO, Duration::MAX).err(), Some(Hidden::Future));
    }

    #[test]
    fn a_mask_is_shown_up_to_its_limit_and_not_beyond() {
        let (mask, limit) = (at(Duration::ZERO), Duration::from_millis(120));
        assert_eq!(mask.shown_on(limit, limit).map(|shown| shown.age()).ok(), Some(limit));
        let age = Duration::from_millis(121);
        assert_eq!(mask.shown_on(age, limit).err(), Some(Hidden::Expired { age, limit }));
    }

    #[test]
    fn freshness_falls_with_age() {
        let (mask, limit) = (at(Duration::ZERO), Duration::from_millis(100));
        let fresh = |ms| mask.shown_on(Duration::from_millis(ms), limit).map(|s| s.freshness()).unwrap();
        assert_eq!(fresh(0), 1.0);
        assert!((fresh(50) - 0.5).abs() < 1e-6);
        assert_eq!(fresh(100), 0.0);
    }
}
