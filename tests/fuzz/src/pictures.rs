//! What comes with a stream: caps, and buffers whose planes lie where somebody says.

use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use gstpolyp::picture::Picture;
use polyp::frame::{PixelFormat, Rect, Size};
use polyp::input::{Fit, InputSpec, Normalisation, Placement};
use polyp::motion::Tracker;
use polyp::overlay::{Scratch, Settings, style};
use polyp::preprocess::Preprocessor;
use polyp::roi::{Roi, RoiFinder};
use polyp::segmentation::Segmentation;

/// The side of what the network would see.
const SIDE_PX: u32 = 32;

/// What caps of a picture can hold. GLib never forgets a name, so new ones would fill the memory.
const FIELDS: [&str; 9] = [
    "chroma-site",
    "colorimetry",
    "format",
    "framerate",
    "height",
    "interlace-mode",
    "pixel-aspect-ratio",
    "views",
    "width",
];
const KINDS: [&str; 4] = ["image/jpeg", "video/x-h264", "video/x-raw", "video/x-raw(memory:CUDAMemory)"];

/// Caps of a text like `video/x-raw,width=8,framerate=25/1,format=NV12`, in which values are whole numbers, fractions or words. It is not
/// GStreamer's reader: that one is not ours to test, and warns where `G_DEBUG=fatal_warnings` ends the process.
fn parse(text: &str) -> Option<gst::Caps> {
    let mut parts = text.split(',');
    let kind = parts.next().filter(|kind| KINDS.contains(kind))?;
    let mut caps: gst::Caps = kind.parse().unwrap();
    let structure = caps.get_mut()?.structure_mut(0)?;
    for (name, value) in parts.filter_map(|part| part.split_once('=')) {
        let Some(name) = FIELDS.into_iter().find(|field| *field == name) else { continue };
        let fraction = value.split_once('/').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
        match (value.parse::<i32>(), fraction) {
            (Ok(number), _) => structure.set(name, number),
            // GStreamer has no other fractions.
            (_, Some((a, b))) if b != 0 && a != i32::MIN && b != i32::MIN => {
                structure.set(name, gst::Fraction::new(a, b));
            }
            _ => structure.set(name, value),
        }
    }
    Some(caps)
}

/// Caps that are taken say what a frame is; frames too large to be one are refused when they come.
pub(crate) fn caps(bytes: &[u8]) {
    gst::init().unwrap();
    let Some(text) = std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0')) else { return };
    let Some(caps) = parse(text) else { return };
    let Ok(picture) = Picture::from_caps(&caps) else { return };
    let _duration = picture.frame_duration();
    let buffer = gst::Buffer::with_size(4096).unwrap();
    if picture.view(&buffer, |_| ()).is_ok() {
        let (format, size, _) = picture.kind();
        let needed = (0..format.planes()).map(|plane| format.plane_extent(plane, size));
        assert!(needed.map(|(row, rows)| row * rows).sum::<usize>() <= 4096, "{caps}");
    }
}

/// A buffer, and where its planes are said to be, as differences to where they would be.
#[derive(Clone, Debug, Arbitrary)]
struct Said {
    format: u8,
    width: u8,
    height: u8,
    offset: [i16; 3],
    stride: [i8; 3],
    bytes: i16,
    /// Columns and rows that the meta has more than the caps; none where there is no meta.
    more: Option<(i8, i8)>,
    mask: [u8; 16],
}

impl Said {
    fn format(&self) -> PixelFormat {
        PixelFormat::ALL[usize::from(self.format) % PixelFormat::ALL.len()]
    }

    fn size(&self) -> Size {
        Size::new(u32::from(self.width).max(1), u32::from(self.height).max(1))
    }

    /// Offsets, strides and the number of bytes.
    fn layout(&self) -> (Vec<usize>, Vec<i32>, usize) {
        let (mut offsets, mut strides, mut end) = (Vec::new(), Vec::new(), 0);
        for plane in 0..self.format().planes() {
            let (row, rows) = self.format().plane_extent(plane, self.size());
            let stride = row as i32 + i32::from(self.stride[plane]);
            offsets.push(usize::try_from(end as i64 + i64::from(self.offset[plane])).unwrap_or(usize::MAX));
            strides.push(stride);
            end += rows * usize::try_from(stride).unwrap_or(row);
        }
        (offsets, strides, usize::try_from(end as i64 + i64::from(self.bytes)).unwrap_or(0))
    }

    fn buffer(&self) -> Option<gst::Buffer> {
        let (offsets, strides, count) = self.layout();
        let mut buffer = gst::Buffer::from_mut_slice((0..count).map(|i| i as u8).collect::<Vec<u8>>());
        if let Some((columns, rows)) = self.more {
            let longer = |side: u32, more: i8| side.saturating_add_signed(more.into()).max(1);
            gst_video::VideoMeta::add_full(
                buffer.get_mut()?,
                gst_video::VideoFrameFlags::empty(),
                gst_video::VideoFormat::from_string(self.format().name()),
                longer(self.size().width, columns),
                longer(self.size().height, rows),
                &offsets,
                &strides,
            )
            .ok()?;
        }
        Some(buffer)
    }

    fn caps(&self) -> gst::Caps {
        let size = self.size();
        gst_video::VideoCapsBuilder::new()
            .format(gst_video::VideoFormat::from_string(self.format().name()))
            .width(size.width.cast_signed())
            .height(size.height.cast_signed())
            .framerate((25, 1).into())
            .build()
    }

    /// A mask of 4 by 4 cells over the whole frame.
    fn segmentation(&self) -> Segmentation {
        let target = Rect { x: 0, y: 0, width: 4, height: 4 };
        let placement = Placement { source: Rect::whole(self.size()), target, side_px: 4 };
        Segmentation { probability: self.mask.to_vec(), placement, pts: Duration::ZERO, sequence: 1 }
    }
}

/// Wherever planes are said to be: what looks at a frame looks at nothing else, and what paints it changes its rows alone.
pub(crate) fn layouts(bytes: &[u8]) {
    gst::init().unwrap();
    let Ok(said) = Said::arbitrary(&mut Unstructured::new(bytes)) else { return };
    let Some(mut buffer) = said.buffer() else { return };
    let picture = Picture::from_caps(&said.caps()).unwrap();
    let seen = picture.view(&buffer, |frame| {
        let source = RoiFinder::new(Roi::Auto).source(frame);
        let _known = Tracker::new().see(frame, source, Duration::ZERO);
        let normalisation = Normalisation::Fixed { mean: [0.5; 3], std: [0.5; 3] };
        let spec = InputSpec { side_px: SIDE_PX, fit: Fit::Squash, normalisation };
        let mut image = [0.0; 3 * (SIDE_PX * SIDE_PX) as usize];
        Preprocessor::new(spec).run(frame, source, &mut image).unwrap();
    });
    let before = buffer.map_readable().unwrap().to_vec();
    let mask = said.segmentation();
    let shown = mask.shown_on(Duration::ZERO, Duration::from_millis(120)).unwrap();
    let painted = picture.canvas(buffer.get_mut().unwrap(), |canvas| {
        style("fill").unwrap().paint(&shown, &Settings::default(), canvas, &mut Scratch::default());
    });
    assert!(painted.is_err() || seen.is_ok(), "painted and not seen: {said:?}");
    // Without a meta GStreamer pads rows as it likes: only the end is known then.
    if said.more.is_none() {
        return;
    }
    let after = buffer.map_readable().unwrap();
    let changed =
        before.iter().zip(after.as_slice()).enumerate().filter(|(_, (before, after))| before != after);
    let (offsets, strides, _) = said.layout();
    for (at, _) in changed {
        assert!(painted.is_ok(), "byte {at} was changed in what is no frame");
        let inside = |plane: usize| {
            let (row, rows) = picture.kind().0.plane_extent(plane, said.size());
            let stride = usize::try_from(strides[plane]).unwrap();
            at.checked_sub(offsets[plane]).is_some_and(|at| at / stride < rows && at % stride < row)
        };
        assert!((0..offsets.len()).any(inside), "byte {at} is in no row: {said:?}");
    }
}
