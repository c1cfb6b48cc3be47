//! What the journal says of a frame, from what hung on it.

use polyp::session::FrameRecord;
use polyp::trace::Stage;

use super::order::Item;
use crate::meta::{FrameMeta, badge_name, nanoseconds};

/// The side of a frame's mask, or of those to come.
pub(super) fn side_of(item: &Item) -> Option<u32> {
    let meta: &FrameMeta = item.meta.as_deref()?;
    let own = meta.segmentation.as_ref().map(|mask| mask.placement.side_px);
    own.or_else(|| meta.engine.as_ref().map(|engine| engine.side_px)).filter(|side| *side > 0)
}

/// A frame's line, but for what is known when it is written.
pub(super) fn record_of(item: &Item) -> FrameRecord {
    let frame = FrameRecord {
        sequence: item.sequence,
        pts_ns: item.pts_ns,
        badge: "none".to_owned(),
        ..FrameRecord::default()
    };
    let Some(meta) = item.meta.as_deref() else { return frame };
    let mask = meta.segmentation.as_ref().map(|mask| nanoseconds(mask.pts));
    let trace = &meta.trace;
    let engine = trace.engine.filter(|_| mask.is_some());
    FrameRecord {
        badge: badge_name(&meta.badge).to_owned(),
        mask_pts_ns: mask,
        mask_age_ns: mask.map(|mask| item.pts_ns.saturating_sub(mask)),
        motion: meta.motion.as_ref().map(|motion| {
            let ([[xx, xy], [yx, yy]], [x, y]) = (motion.map.matrix, motion.map.offset);
            [xx, xy, x, yx, yy, y, motion.quality]
        }),
        alarm: meta.alarm,
        prepare_ns: nanoseconds(trace.time(Stage::Copy)),
        wait_ns: nanoseconds(trace.time(Stage::Wait)),
        motion_ns: nanoseconds(trace.time(Stage::Motion)),
        total_ns: nanoseconds(trace.time(Stage::Segment)),
        queue_ns: engine.map_or(0, |timing| nanoseconds(timing.queued)),
        input_ns: engine.map_or(0, |timing| nanoseconds(timing.prepared)),
        infer_ns: engine.map_or(0, |timing| nanoseconds(timing.inferred)),
        decode_ns: engine.map_or(0, |timing| nanoseconds(timing.decoded)),
        ..frame
    }
}
