//! What may be painted on a frame: the mask's right to be there, asked once more at the last moment.

use std::time::Duration;

use polyp::frame::Size;
use polyp::motion::Motion;
use polyp::overlay::{Badge, Settings, needed};
use polyp::segmentation::{Moved, Needed, Segmentation, Shown};

use crate::meta::FrameMeta;

/// What is to be painted on one frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Verdict<'a> {
    /// The mask, if one may be shown.
    pub(super) shown: Option<Shown<'a>>,
    /// What the overlay is worth.
    pub(super) badge: Badge,
}

/// What `frame` allows on a picture of `size` at `time`. A mask of another size of picture would land in a
/// wrong place, so it is a fault; one that is too old or too young is late. `moved` holds a mask that is moved along with the picture, as
/// far as it is needed to be painted by `paint`; its memory is used again.
pub(super) fn verdict<'a>(
    frame: &'a FrameMeta,
    size: Size,
    time: Duration,
    (limit, paint): (Duration, &Settings),
    moved: &'a mut Option<Moved>,
) -> Verdict<'a> {
    let Some(segmentation) = &frame.segmentation else {
        return Verdict { shown: None, badge: frame.badge };
    };
    if frame.size != size {
        return Verdict { shown: None, badge: Badge::Fault };
    }
    let needed = needed(paint, segmentation.placement, size);
    match shown(segmentation, frame.motion.as_ref(), time, (limit, needed), moved) {
        Some(shown) if shown.age().is_zero() => Verdict { shown: Some(shown), badge: Badge::Live },
        Some(shown) => Verdict { shown: Some(shown), badge: held(shown.age()) },
        None => Verdict { shown: None, badge: Badge::Late },
    }
}

/// The mask as it may be shown at `time`, moved along with the picture where its motion is known.
fn shown<'a>(
    mask: &'a Segmentation,
    motion: Option<&Motion>,
    time: Duration,
    (limit, needed): (Duration, Needed),
    moved: &'a mut Option<Moved>,
) -> Option<Shown<'a>> {
    // Before any work: most that is not shown is too old.
    let held = mask.shown_on(time, limit).ok()?;
    let Some(motion) = motion else { return Some(held) };
    // The motion leads to the very picture that this hangs on, whatever time somebody has given that since.
    let motion = Motion { to: time, ..*motion };
    let recycle = moved.take().map(Moved::into_probability);
    moved.insert(mask.moved_where(needed, &motion, recycle).ok()?).shown_on(time, limit).ok()
}

/// The badge of a mask that is `age` old.
fn held(age: Duration) -> Badge {
    Badge::Held { age_ms: u32::try_from(age.as_millis()).unwrap_or(u32::MAX) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use polyp::frame::Rect;
    use polyp::input::Placement;
    use polyp::motion::Affine;
    use polyp::segmentation::Segmentation;

    use super::*;
    use crate::meta::{Over, Trace};

    const SIZE: Size = Size::new(640, 480);
    const LIMIT: Duration = ms(120);

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn frame(mask_ms: Option<u64>, badge: Badge) -> FrameMeta {
        let whole = Rect::whole(Size::new(1, 1));
        let segmentation = mask_ms.map(|pts| {
            Arc::new(Segmentation {
                probability: vec![255],
                placement: Placement { source: whole, target: whole, side_px: 1 },
                pts: ms(pts),
                sequence: 0,
            })
        });
        FrameMeta {
            segmentation,
            motion: None,
            badge,
            alarm: None,
            engine: None,
            size: SIZE,
            sequence: 0,
            time: ms(100),
            trace: Trace::begin(),
            over: Over::default(),
            ledger: None,
        }
    }

    fn judged(frame: &FrameMeta, size: Size, time: u64) -> (bool, Badge) {
        let mut moved = None;
        let verdict = verdict(frame, size, ms(time), (LIMIT, &Settings::default()), &mut moved);
        (verdict.shown.is_some(), verdict.badge)
    }

    #[test]
    fn the_age_is_the_pictures_own() {
        let frame = frame(Some(100), Badge::Live);
        assert_eq!(judged(&frame, SIZE, 100), (true, Badge::Live));
        assert_eq!(judged(&frame, SIZE, 140), (true, Badge::Held { age_ms: 40 }));
        assert_eq!(judged(&frame, SIZE, 220), (true, Badge::Held { age_ms: 120 }));
        assert_eq!(judged(&frame, SIZE, 221), (false, Badge::Late));
        assert_eq!(judged(&frame, SIZE, 99), (false, Badge::Late));
    }

    #[test]
    fn a_mask_of_another_size_is_not_painted() {
        let frame = frame(Some(100), Badge::Live);
        assert_eq!(judged(&frame, Size::new(320, 240), 100), (false, Badge::Fault));
    }

    #[test]
    fn a_mask_is_moved_along_and_is_as_old_as_before() {
        let map = Affine { offset: [3.0, 0.0], ..Affine::IDENTITY };
        let motion = |from| Some(Motion { from: ms(from), to: ms(140), map, quality: 1.0 });
        let frame = FrameMeta { motion: motion(100), ..frame(Some(100), Badge::Live) };
        let mut moved = None;
        let verdict = verdict(&frame, SIZE, ms(140), (LIMIT, &Settings::default()), &mut moved);
        assert_eq!(verdict.badge, Badge::Held { age_ms: 40 });
        assert!(verdict.shown.unwrap().is_moved());
        // The one cell has gone out of its place, and what came into it was not seen.
        assert_eq!(verdict.shown.unwrap().segmentation().probability, [0]);
        assert_eq!(judged(&frame, SIZE, 221), (false, Badge::Late));
        // Somebody gave the buffer another time: the picture is the same.
        assert_eq!(judged(&frame, SIZE, 150), (true, Badge::Held { age_ms: 50 }));
        let of_another = FrameMeta { motion: motion(90), ..frame };
        assert_eq!(judged(&of_another, SIZE, 140), (false, Badge::Late));
    }

    #[test]
    fn without_a_mask_the_badge_says_why() {
        for badge in [Badge::Starting, Badge::NoMask, Badge::Frozen, Badge::Late, Badge::Fault, Badge::Off] {
            assert_eq!(judged(&frame(None, badge), SIZE, 100), (false, badge));
        }
    }
}
