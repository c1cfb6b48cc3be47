//! What may be painted on a frame: the mask's right to be there, asked once more at the last moment.

use std::time::Duration;

use polyp::frame::Size;
use polyp::overlay::Badge;
use polyp::segmentation::Shown;

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
/// wrong place, so it is a fault; one that is too old or too young is late.
pub(super) fn verdict(frame: &FrameMeta, size: Size, time: Duration, limit: Duration) -> Verdict<'_> {
    let Some(segmentation) = &frame.segmentation else {
        return Verdict { shown: None, badge: frame.badge };
    };
    if frame.size != size {
        return Verdict { shown: None, badge: Badge::Fault };
    }
    match segmentation.shown_on(time, limit) {
        Ok(shown) if shown.age().is_zero() => Verdict { shown: Some(shown), badge: Badge::Live },
        Ok(shown) => Verdict { shown: Some(shown), badge: held(shown.age()) },
        Err(_hidden) => Verdict { shown: None, badge: Badge::Late },
    }
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
    use polyp::segmentation::Segmentation;

    use super::*;
    use crate::meta::Trace;

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
        FrameMeta { segmentation, badge, size: SIZE, sequence: 0, time: ms(100), trace: Trace::begin() }
    }

    fn judged(frame: &FrameMeta, size: Size, time: u64) -> (bool, Badge) {
        let verdict = verdict(frame, size, ms(time), LIMIT);
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
    fn without_a_mask_the_badge_says_why() {
        for badge in [Badge::Starting, Badge::NoMask, Badge::Frozen, Badge::Late, Badge::Fault, Badge::Off] {
            assert_eq!(judged(&frame(None, badge), SIZE, 100), (false, badge));
        }
    }
}
