//! Every format and every size that the caps promise passes; what they do not promise is refused with a sentence.

use std::sync::Arc;

use gst::prelude::*;
use gst_check::Harness;
use gstpolyp::meta;
use polyp::frame::{PixelFormat, Size};
use polyp::overlay::Badge;

use crate::fixture::{GRAY_CAPS, Orders, Rig, at, bytes, gray, is_held, segmenter, text_of};

/// Both elements, the second unless `overlay` is false.
fn chain(caps: &str, overlay: bool) -> (Harness, gst::Element) {
    let segment = segmenter(&Arc::<Orders>::default());
    segment.set_property_from_str("mode", "locked");
    segment.set_property("latency-budget", 1_000_000_000_u64);
    let bin = gst::Bin::new();
    bin.add(&segment).unwrap();
    let mut last = segment.clone();
    if overlay {
        let overlay = gst::ElementFactory::make("polypoverlay").build().unwrap();
        bin.add(&overlay).unwrap();
        segment.link(&overlay).unwrap();
        last = overlay;
    }
    let ghost = |name, element: &gst::Element| {
        let pad = element.static_pad(name).unwrap();
        bin.add_pad(&gst::GhostPad::with_target(&pad).unwrap()).unwrap();
    };
    ghost("sink", &segment);
    ghost("src", &last);
    let mut harness = Harness::with_element(&bin, Some("sink"), Some("src"));
    harness.play();
    harness.set_src_caps_str(caps);
    (harness, segment)
}

/// A frame of noise as long as GStreamer says a frame of those caps is.
pub(crate) fn noise(caps: &str, index: u64) -> gst::Buffer {
    let info = gst_video::VideoInfo::from_caps(&caps.parse::<gst::Caps>().unwrap()).unwrap();
    let mut state = 0x9e37_79b9_u32;
    let data: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(info.size())
    .collect();
    let mut buffer = gst::Buffer::from_mut_slice(data);
    buffer.get_mut().unwrap().set_pts(at(index));
    buffer
}

pub(crate) fn caps_of(format: PixelFormat, size: Size) -> String {
    let (name, Size { width, height }) = (format.name(), size);
    format!("video/x-raw,format={name},width={width},height={height},framerate=30/1")
}

#[test]
fn every_format_at_every_size_passes_and_is_not_touched() {
    for format in PixelFormat::ALL {
        for (width, height) in [(1, 1), (2, 3), (5, 3), (33, 17), (641, 481), (7681, 3), (3, 2161)] {
            let caps = caps_of(format, Size::new(width, height));
            let (mut harness, _) = chain(&caps, false);
            for index in 0..2 {
                let sent = noise(&caps, index);
                let expected = bytes(&sent);
                let got = harness.push_and_pull(sent).unwrap();
                let meta = meta::of(&got).unwrap();
                assert_eq!((meta.badge, meta.size), (Badge::Live, Size::new(width, height)), "{caps}");
                assert_eq!(bytes(&got), expected, "{caps}: pixels are only read");
            }
        }
    }
}

#[test]
fn every_format_at_every_size_can_be_painted() {
    for format in PixelFormat::ALL {
        for (width, height) in [(1, 1), (2, 3), (33, 17), (641, 481), (1920, 1080), (7681, 3)] {
            let caps = caps_of(format, Size::new(width, height));
            let (mut harness, _) = chain(&caps, true);
            let sent = noise(&caps, 0);
            let size = sent.size();
            let got = harness.push_and_pull(sent).unwrap();
            assert_eq!((got.size(), got.pts()), (size, Some(at(0))), "{caps}");
        }
    }
}

#[test]
fn strides_of_the_video_meta_are_followed() {
    // 10 x 4 RGB in rows of 48 bytes, 64 bytes in, the last row not padded.
    let caps = "video/x-raw,format=RGB,width=10,height=4,framerate=30/1";
    let (mut harness, _) = chain(caps, false);
    let mut data = vec![0_u8; 64 + 3 * 48 + 30];
    for row in 0..4 {
        data[64 + row * 48..64 + row * 48 + 30].fill(200);
    }
    let mut buffer = gst::Buffer::from_mut_slice(data);
    {
        let buffer = buffer.get_mut().unwrap();
        buffer.set_pts(at(0));
        let (flags, format) = (gst_video::VideoFrameFlags::empty(), gst_video::VideoFormat::Rgb);
        gst_video::VideoMeta::add_full(buffer, flags, format, 10, 4, &[64], &[48]).unwrap();
    }
    let got = harness.push_and_pull(buffer).unwrap();
    let meta = meta::of(&got).unwrap();
    let mask = meta.segmentation.as_ref().unwrap();
    assert!(mask.probability.iter().all(|p| *p == crate::fixture::mask_of(200)));
}

#[test]
fn interlaced_video_is_refused_with_what_to_do() {
    for name in ["polypsegment", "polypoverlay"] {
        let element = match name {
            "polypsegment" => segmenter(&Arc::default()),
            _ => gst::ElementFactory::make(name).build().unwrap(),
        };
        let mut rig =
            Rig::new(&element, "video/x-raw,format=RGB,width=16,height=16,interlace-mode=interleaved");
        assert_eq!(rig.harness.push(gray(1, at(0))), Err(gst::FlowError::NotNegotiated));
        let error = rig.bus.pop_filtered(&[gst::MessageType::Error]).unwrap();
        let text = text_of(&error);
        assert!(text.contains("interlace-mode") && text.contains("`deinterlace`"), "{text}");
    }
}

#[test]
fn caps_may_change_in_the_middle_of_a_stream() {
    let mut rig = Rig::new(&segmenter(&Arc::default()), GRAY_CAPS);
    let (next, _) = rig.until(0, is_held);
    std::thread::sleep(std::time::Duration::from_millis(50));
    let caps = "video/x-raw,format=NV12,width=64,height=48,framerate=30/1";
    rig.harness.set_src_caps_str(caps);
    // A mask of the old picture lies elsewhere in the new one.
    let meta = rig.meta(noise(caps, next));
    assert_eq!((meta.badge, meta.segmentation.is_none()), (Badge::NoMask, true));
    assert_eq!((meta.size, meta.sequence), (Size::new(64, 48), next));
    std::thread::sleep(std::time::Duration::from_millis(50));
    let meta = rig.meta(noise(caps, next + 1));
    let mask = meta.segmentation.as_ref().unwrap();
    assert_eq!((mask.sequence, mask.placement.source.width), (next, 64));
}
