//! A frame's segmentation, and the only way to put one on a screen.
//!
//! [`Shown`] is what overlays take, and only [`Segmentation::shown_on`] and [`Moved::shown_on`] make one: they refuse a
//! mask that is of a later frame, or too old. So painting a stale mask does not compile. A mask that was moved is as old
//! as before, and can be shown on the one frame that it was moved to.
//!
//! Not here: making segmentations from logits ([`crate::decode`]), measuring motion ([`crate::motion`]), painting
//! ([`crate::overlay`]).

use std::time::Duration;

use crate::input::Placement;
use crate::motion::{Motion, resample};

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

/// Which cells of a moved segmentation are needed: those that are at least `least`, and those around them. Of others any that are
/// further away are left 0, whatever they were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needed {
    /// The least probability that counts, as a byte; at least 1.
    pub least: u8,
    /// How many cells around such a cell are needed, across and down.
    pub around: [u32; 2],
}

impl Needed {
    /// All that are not 0.
    pub const ALL: Self = Self { least: 1, around: [0; 2] };
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

/// Why a moved segmentation may not be shown on a frame, or be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Astray {
    /// It may not be shown, moved or not.
    #[error(transparent)]
    Hidden(#[from] Hidden),
    /// It was moved to another frame.
    #[error("the mask was moved to the frame at {to:?}, and not to the one at {pts:?}")]
    Elsewhere {
        /// The presentation time of the frame that it was moved to.
        to: Duration,
        /// That of the frame that it was to be shown on.
        pts: Duration,
    },
    /// The motion begins at another frame than the mask's.
    #[error("the motion is from the frame at {from:?}, and the mask of the one at {pts:?}")]
    Beginning {
        /// The presentation time of the frame that the motion begins at.
        from: Duration,
        /// That of the mask's frame.
        pts: Duration,
    },
    /// The motion has no way back, or placements and numbers of cells do not go together.
    #[error("the mask can not be resampled by this motion, or not be joined with this one")]
    Flat,
}

/// A segmentation that was moved along with the picture, for one later frame. What the network said is older: the
/// presentation time and the number are those of the frame that it was made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Moved {
    segmentation: Segmentation,
    to: Duration,
}

/// A segmentation that may be painted on one particular frame, with its age on it.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    segmentation: &'a Segmentation,
    age: Duration,
    limit: Duration,
    moved: bool,
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
        Ok(Shown { segmentation: self, age, limit, moved: false })
    }

    /// This segmentation, moved along with the picture: the probabilities resampled (bilinear) into the same placement.
    /// Where the picture has come in from outside of the placement, of which the network saw nothing, the probability is
    /// 0. `recycle` is the memory of a segmentation that nobody shows any more; with it, nothing is allocated.
    ///
    /// # Errors
    /// [`Astray`] when the motion does not begin at this segmentation's frame, or can not be applied.
    pub fn moved(&self, motion: &Motion, recycle: Option<Vec<u8>>) -> Result<Moved, Astray> {
        self.moved_where(Needed::ALL, motion, recycle)
    }

    /// The same, of the cells that are `needed` alone: a network's masks are nowhere quite 0, and what is painted of them is a small part.
    ///
    /// # Errors
    /// Those of [`Self::moved`].
    pub fn moved_where(
        &self,
        needed: Needed,
        motion: &Motion,
        recycle: Option<Vec<u8>>,
    ) -> Result<Moved, Astray> {
        if motion.from != self.pts {
            return Err(Astray::Beginning { from: motion.from, pts: self.pts });
        }
        let mut probability = recycle.unwrap_or_default();
        let back = motion.map.inverse().ok_or(Astray::Flat)?;
        resample(&self.probability, self.placement, &back, needed, &mut probability).ok_or(Astray::Flat)?;
        let Self { placement, pts, sequence, .. } = *self;
        Ok(Moved { segmentation: Self { probability, placement, pts, sequence }, to: motion.to })
    }
}

impl Segmentation {
    /// This segmentation, evened out with an earlier one that was moved to its frame: of the probabilities `share` (0 to 1) is the
    /// earlier one's (0 where that saw nothing), and the rest its own. It counts as of this segmentation's frame.
    ///
    /// # Errors
    /// [`Astray`] when the other was moved to another frame, or lies elsewhere in it.
    pub fn joined(&self, before: &Moved, share: f32) -> Result<Self, Astray> {
        if before.to != self.pts {
            return Err(Astray::Elsewhere { to: before.to, pts: self.pts });
        }
        let earlier = &before.segmentation;
        if earlier.placement != self.placement || earlier.probability.len() != self.probability.len() {
            return Err(Astray::Flat);
        }
        // In 256ths, so that equal values stay what they are.
        let share = (share.clamp(0.0, 1.0) * 256.0).round() as u16;
        let join = |(new, old): (&u8, &u8)| {
            ((u16::from(*new) * (256 - share) + u16::from(*old) * share + 128) / 256) as u8
        };
        let probability = self.probability.iter().zip(&earlier.probability).map(join).collect();
        Ok(Self { probability, ..*self })
    }
}

impl Moved {
    /// The probabilities where they were moved to, and which frame they are of.
    pub fn segmentation(&self) -> &Segmentation {
        &self.segmentation
    }

    /// The presentation time of the frame that it was moved to.
    pub fn to(&self) -> Duration {
        self.to
    }

    /// This segmentation for the frame of presentation time `pts`, if that is the one it was moved to and it is not
    /// older than `limit`. Its age is that of the network's answer: moving does not make it younger.
    ///
    /// # Errors
    /// [`Astray`], which says why it must not be shown.
    pub fn shown_on(&self, pts: Duration, limit: Duration) -> Result<Shown<'_>, Astray> {
        if pts != self.to {
            return Err(Astray::Elsewhere { to: self.to, pts });
        }
        let shown = self.segmentation.shown_on(pts, limit)?;
        Ok(Shown { moved: !shown.age.is_zero(), ..shown })
    }

    /// The memory, to recycle.
    pub fn into_probability(self) -> Vec<u8> {
        self.segmentation.probability
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

    /// Whether it was moved along with the picture from its own frame to this one. If not, and its age is not zero, it
    /// lies where it was then.
    pub fn is_moved(&self) -> bool {
        self.moved
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
    use crate::motion::Affine;

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

    /// A mask of four by four cells, one pixel each, with one cell set.
    fn dot(column: usize, row: usize) -> Segmentation {
        let whole = Rect::whole(Size::new(4, 4));
        let mut probability = vec![0; 16];
        probability[row * 4 + column] = 200;
        let placement = Placement { source: whole, target: whole, side_px: 4 };
        Segmentation { probability, placement, pts: Duration::from_millis(10), sequence: 3 }
    }

    fn motion(x: f32, y: f32) -> Motion {
        let map = Affine { offset: [x, y], ..Affine::IDENTITY };
        Motion { from: Duration::from_millis(10), to: Duration::from_millis(40), map, quality: 1.0 }
    }

    #[test]
    fn a_mask_moves_with_the_picture_and_stays_as_old() {
        let moved = dot(1, 1).moved(&motion(2.0, 1.0), None).unwrap();
        assert_eq!(moved.segmentation(), &dot(3, 2));
        let half = dot(1, 1).moved(&motion(0.5, 0.0), None).unwrap().into_probability();
        assert_eq!(half[4..8], [0, 100, 100, 0]);
        let (to, limit) = (Duration::from_millis(40), Duration::from_millis(30));
        let shown = moved.shown_on(to, limit).unwrap();
        assert!(shown.is_moved() && shown.age() == limit && shown.freshness() == 0.0);
        assert!(!dot(1, 1).shown_on(to, limit).unwrap().is_moved());
    }

    #[test]
    fn a_moved_mask_is_shown_on_its_frame_alone_and_never_too_old() {
        let moved = dot(1, 1).moved(&motion(1.0, 0.0), None).unwrap();
        let (to, pts) = (Duration::from_millis(40), Duration::from_millis(41));
        assert_eq!(moved.shown_on(pts, Duration::MAX).err(), Some(Astray::Elsewhere { to, pts }));
        let (age, limit) = (Duration::from_millis(30), Duration::from_millis(29));
        assert_eq!(moved.shown_on(to, limit).err(), Some(Astray::Hidden(Hidden::Expired { age, limit })));
    }

    #[test]
    fn only_a_motion_from_its_own_frame_moves_a_mask() {
        let from = Duration::from_millis(11);
        let wrong = dot(1, 1).moved(&Motion { from, ..motion(1.0, 0.0) }, None).err();
        assert_eq!(wrong, Some(Astray::Beginning { from, pts: Duration::from_millis(10) }));
        let map = Affine { matrix: [[0.0; 2]; 2], offset: [0.0; 2] };
        assert_eq!(dot(1, 1).moved(&Motion { map, ..motion(0.0, 0.0) }, None).err(), Some(Astray::Flat));
        let odd = Segmentation { probability: vec![1; 3], ..dot(1, 1) };
        assert_eq!(odd.moved(&motion(1.0, 0.0), None).err(), Some(Astray::Flat));
    }

    #[test]
    fn what_came_in_from_outside_was_not_seen() {
        let full = Segmentation { probability: vec![255; 16], ..dot(0, 0) };
        let moved = full.moved(&motion(2.0, 0.0), None).unwrap().into_probability();
        assert_eq!(moved[..4], [0, 0, 255, 255]);
        // A letterbox's bars stay empty, and a mask that does not move stays itself, edges and all.
        let target = Rect { x: 0, y: 1, width: 4, height: 2 };
        let placement = Placement { target, ..full.placement };
        let boxed = Segmentation { placement, ..full };
        let still = boxed.moved(&motion(0.0, 0.0), None).unwrap().into_probability();
        assert_eq!(still, [0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0]);
    }

    #[test]
    fn masks_are_evened_out_along_the_motion() {
        let before = dot(1, 1).moved(&motion(1.0, 0.0), None).unwrap();
        let here = Segmentation { pts: before.to(), sequence: 4, ..dot(2, 1) };
        // Both say 200 of the same place, and neither says anything of another.
        assert_eq!(here.joined(&before, 0.3).unwrap(), here);
        let elsewhere = Segmentation { probability: dot(0, 0).probability, ..here.clone() };
        let joined = elsewhere.joined(&before, 0.25).unwrap();
        assert_eq!((joined.probability[0], joined.probability[6]), (150, 50));
        assert_eq!((joined.pts, joined.sequence), (here.pts, 4));
        assert_eq!(elsewhere.joined(&before, 0.0).unwrap(), elsewhere);
        let (to, pts) = (before.to(), Duration::ZERO);
        let later = Segmentation { pts, ..here.clone() };
        assert_eq!(later.joined(&before, 0.5).err(), Some(Astray::Elsewhere { to, pts }));
        let placement = Placement { target: Rect { x: 1, y: 0, width: 3, height: 4 }, ..here.placement };
        assert_eq!(Segmentation { placement, ..here }.joined(&before, 0.5).err(), Some(Astray::Flat));
    }

    #[test]
    fn memory_is_used_again() {
        let old = Vec::with_capacity(64);
        let place = old.as_ptr();
        let moved = dot(1, 1).moved(&motion(1.0, 0.0), Some(old)).unwrap().into_probability();
        assert_eq!(moved.as_ptr(), place);
    }
}
