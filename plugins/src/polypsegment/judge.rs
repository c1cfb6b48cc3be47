//! What a frame is given: the mask, or the reason why there is none. No GStreamer, no clock, no thread.

use std::sync::Arc;
use std::time::Duration;

use polyp::overlay::Badge;
use polyp::segmentation::{Hidden, Segmentation};

/// What is known of the network when a live frame comes by.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known<'a> {
    /// Its newest answer since the start of the stream.
    pub(super) newest: Option<&'a Arc<Segmentation>>,
    /// Whether its newest answer was a failure.
    pub(super) failed: bool,
    /// The time of the oldest frame that it has not answered.
    pub(super) unanswered: Option<Duration>,
}

/// The mask that a frame at `time` may carry in live mode, and what it is worth. A failure takes the mask away
/// at once; silence takes it away when the mask has reached `limit`.
pub(super) fn live(known: Known<'_>, time: Duration, limit: Duration) -> (Option<Arc<Segmentation>>, Badge) {
    if known.failed {
        return (None, Badge::Fault);
    }
    match known.newest.map(|mask| (mask, mask.shown_on(time, limit))) {
        Some((mask, Ok(shown))) => (Some(Arc::clone(mask)), worth(shown.age())),
        Some((_, Err(Hidden::Expired { .. }))) => (None, Badge::Late),
        Some((_, Err(Hidden::Future))) => (None, Badge::NoMask),
        None => {
            let waited = known.unanswered.map(|asked| time.saturating_sub(asked));
            (None, if waited.is_some_and(|waited| waited > limit) { Badge::Late } else { Badge::NoMask })
        }
    }
}

/// What a mask of that age is worth.
fn worth(age: Duration) -> Badge {
    if age.is_zero() {
        return Badge::Live;
    }
    Badge::Held { age_ms: u32::try_from(age.as_millis()).unwrap_or(u32::MAX) }
}

#[cfg(test)]
mod tests {
    use polyp::frame::{Rect, Size};
    use polyp::input::Placement;

    use super::*;

    const LIMIT: Duration = ms(120);

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn mask(pts: u64) -> Arc<Segmentation> {
        let whole = Rect::whole(Size::new(1, 1));
        let placement = Placement { source: whole, target: whole, side_px: 1 };
        Arc::new(Segmentation { probability: vec![255], placement, pts: ms(pts), sequence: 0 })
    }

    fn badge(known: Known<'_>, time: u64) -> (bool, Badge) {
        let (mask, badge) = live(known, ms(time), LIMIT);
        (mask.is_some(), badge)
    }

    #[test]
    fn a_mask_is_carried_while_it_is_young_and_its_age_is_said() {
        let mask = mask(1000);
        let known = Known { newest: Some(&mask), ..Known::default() };
        assert_eq!(badge(known, 1000), (true, Badge::Live));
        assert_eq!(badge(known, 1033), (true, Badge::Held { age_ms: 33 }));
        assert_eq!(badge(known, 1120), (true, Badge::Held { age_ms: 120 }));
        assert_eq!(badge(known, 1121), (false, Badge::Late));
        assert_eq!(badge(known, 999), (false, Badge::NoMask));
    }

    #[test]
    fn a_failure_takes_a_young_mask_away() {
        let mask = mask(1000);
        let known = Known { newest: Some(&mask), failed: true, ..Known::default() };
        assert_eq!(badge(known, 1001), (false, Badge::Fault));
    }

    #[test]
    fn silence_from_the_start_is_no_mask_and_then_late() {
        assert_eq!(badge(Known::default(), 5000), (false, Badge::NoMask));
        let known = Known { unanswered: Some(ms(1000)), ..Known::default() };
        assert_eq!(badge(known, 1120), (false, Badge::NoMask));
        assert_eq!(badge(known, 1121), (false, Badge::Late));
    }
}
