//! What nobody paints on stays as it was to the bit: whole frames, and the padding between rows and planes, in every
//! format, at odd sizes, with and without padded rows.
//!
//! Not here: which pixels a style covers (`src/overlay/tests.rs`).

use std::sync::Arc;
use std::time::Duration;

use gst::prelude::*;
use gstpolyp::meta;
use polyp::frame::{PixelFormat, Rect, Size};
use polyp::input::Placement;
use polyp::overlay::{Badge, STYLES};
use polyp::segmentation::Segmentation;

use crate::fixture::{Orders, Rig, at, bytes, frame_meta, init, segmenter};

const SIZES: [(u32, u32); 7] = [(1, 1), (2, 3), (5, 3), (33, 17), (64, 48), (321, 241), (642, 7)];
const PADDINGS: [usize; 3] = [0, 1, 13];

/// Where the planes of a buffer lie.
struct Layout {
    format: PixelFormat,
    size: Size,
    offset: Vec<usize>,
    stride: Vec<usize>,
    bytes: usize,
}

impl Layout {
    /// Rows with `padding` bytes behind them, and as much before each plane.
    fn new(format: PixelFormat, size: Size, padding: usize) -> Self {
        let (mut offset, mut stride, mut end) = (Vec::new(), Vec::new(), 0);
        for plane in 0..format.planes() {
            let (row, rows) = format.plane_extent(plane, size);
            offset.push(end + padding);
            stride.push(row + padding);
            end = end + padding + (row + padding) * rows;
        }
        Self { format, size, offset, stride, bytes: end }
    }

    fn caps(&self) -> String {
        let (name, Size { width, height }) = (self.format.name(), self.size);
        format!("video/x-raw,format={name},width={width},height={height},framerate=30/1")
    }

    /// Noise, in the padding too.
    fn buffer(&self) -> gst::Buffer {
        let mut state = 0x9e37_79b9_u32;
        let noise = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        });
        let mut buffer = gst::Buffer::from_mut_slice(noise.take(self.bytes).collect::<Vec<_>>());
        let writable = buffer.get_mut().unwrap();
        writable.set_pts(at(0));
        let stride: Vec<i32> = self.stride.iter().map(|stride| *stride as i32).collect();
        let format = gst_video::VideoFormat::from_string(self.format.name());
        let (flags, Size { width, height }) = (gst_video::VideoFrameFlags::empty(), self.size);
        gst_video::VideoMeta::add_full(writable, flags, format, width, height, &self.offset, &stride)
            .unwrap();
        buffer
    }

    /// For every byte, the row of the picture that it is of, counted in the picture's own rows; `None` for padding.
    fn rows(&self) -> Vec<Option<usize>> {
        let mut rows = vec![None; self.bytes];
        for plane in 0..self.format.planes() {
            let (row_bytes, count) = self.format.plane_extent(plane, self.size);
            let scale = if count == self.size.height as usize { 1 } else { 2 };
            for row in 0..count {
                let start = self.offset[plane] + row * self.stride[plane];
                rows[start..start + row_bytes].fill(Some(row * scale));
            }
        }
        rows
    }
}

fn every_layout(mut check: impl FnMut(&Layout, &str)) {
    init();
    for format in PixelFormat::ALL {
        for (width, height) in SIZES {
            for padding in PADDINGS {
                let layout = Layout::new(format, Size::new(width, height), padding);
                check(&layout, &format!("{format} {width}x{height}, padded by {padding}"));
            }
        }
    }
}

fn overlay(layout: &Layout, properties: &[(&str, &str)]) -> Rig {
    init();
    let element = gst::ElementFactory::make("polypoverlay").build().unwrap();
    for (name, value) in properties {
        element.set_property_from_str(name, value);
    }
    Rig::new(&element, &layout.caps())
}

/// A mask over `source`, every cell of which says `probability(row)`.
fn mask(source: Rect, probability: impl Fn(usize) -> u8) -> Arc<Segmentation> {
    let (side, target) = (16_usize, Rect::whole(Size::new(16, 16)));
    let probability = (0..side * side).map(|cell| probability(cell / side)).collect();
    let placement = Placement { source, target, side_px: side as u32 };
    Arc::new(Segmentation { probability, placement, pts: Duration::ZERO, sequence: 0 })
}

fn hung(layout: &Layout, segmentation: Option<Arc<Segmentation>>, badge: Badge) -> gst::Buffer {
    let mut buffer = layout.buffer();
    let frame = frame_meta(segmentation, badge, layout.size, Duration::ZERO);
    meta::attach(buffer.get_mut().unwrap(), frame).unwrap();
    buffer
}

#[test]
fn the_segmenter_changes_no_byte_in_either_mode_and_switched_off() {
    every_layout(|layout, what| {
        for (mode, enabled) in [("live", true), ("locked", true), ("live", false)] {
            let element = segmenter(&Arc::<Orders>::default());
            element.set_property_from_str("mode", mode);
            element.set_property("latency-budget", 1_000_000_000_u64);
            element.set_property("enabled", enabled);
            let mut rig = Rig::new(&element, &layout.caps());
            let (got, _) = rig.pass(layout.buffer());
            assert!(bytes(&got) == bytes(&layout.buffer()), "{what}, {mode}, enabled {enabled}");
            let expected = match (mode, enabled) {
                (_, false) => Badge::Off,
                ("locked", _) => Badge::Live,
                _ => Badge::NoMask,
            };
            assert_eq!(meta::of(&got).unwrap().badge, expected, "{what}");
        }
    });
}

#[test]
fn with_nothing_to_draw_no_byte_is_changed() {
    every_layout(|layout, what| {
        let unchanged = |properties: &[(&str, &str)], sent: gst::Buffer, why: &str| {
            let (got, _) = overlay(layout, properties).pass(sent);
            assert!(bytes(&got) == bytes(&layout.buffer()), "{what}: {why}");
        };
        let whole = Rect::whole(layout.size);
        let full = || Some(mask(whole, |_| 255));
        unchanged(&[], layout.buffer(), "without a meta");
        unchanged(&[("enabled", "false")], hung(layout, full(), Badge::Live), "switched off");
        unchanged(&[("enabled", "false")], hung(layout, None, Badge::Fault), "switched off");
        unchanged(&[("badge", "false")], hung(layout, None, Badge::Live), "nothing found");
        for style in STYLES {
            let properties = [("badge", "false"), ("style", style.name())];
            unchanged(&properties, hung(layout, Some(mask(whole, |_| 0)), Badge::Live), "an empty mask");
        }
    });
}

#[test]
fn padding_and_rows_above_a_mask_stay_as_they_were() {
    let mut painted = 0;
    every_layout(|layout, what| {
        let Size { width, height } = layout.size;
        let top = height / 2;
        let source = Rect { x: 0, y: top, width, height: height - top };
        let rows = layout.rows();
        for style in STYLES {
            let mut rig = overlay(layout, &[("badge", "false"), ("style", style.name())]);
            let sent = hung(layout, Some(mask(source, |row| (row * 17) as u8)), Badge::Live);
            let (before, after) = (bytes(&sent), bytes(&rig.pass(sent).0));
            for (index, row) in rows.iter().enumerate() {
                // A chroma sample half in the region belongs to it.
                let may = row.is_some_and(|row| row + 2 > top as usize);
                assert!(may || before[index] == after[index], "{what}, {style:?}: byte {index}, row {row:?}");
            }
            painted += usize::from(before != after);
        }
        // The badge, on every frame that is large enough for it, leaves the padding alone as well.
        let sent = hung(layout, None, Badge::Fault);
        let (before, after) = (bytes(&sent), bytes(&overlay(layout, &[]).pass(sent).0));
        for (index, row) in rows.iter().enumerate() {
            assert!(row.is_some() || before[index] == after[index], "{what}, badge: byte {index}");
        }
        painted += usize::from(before != after);
    });
    assert!(painted > 200, "only {painted} frames were painted on at all");
}
