//! From packets to pictures, in the format in which they came when they were recorded.

use std::time::Duration;

use crossbeam_channel::Receiver;
use gst::prelude::*;
use gst_video::prelude::*;
use polyp::session::SegmentRecord;
use polyp::session::matroska::{MASKS, Tracks, VIDEO};

use crate::codec::{Codec, converter, element, filter, pixels_crc};

/// Decoders of H.264, the first that is there is taken.
const H264_DECODERS: [&str; 2] = ["avdec_h264", "openh264dec"];
/// Checksums that may wait: more than pictures are ever on their way.
const SUMS: usize = 256;
/// Decoded pictures that wait for the converter.
const QUEUED: &str = "3";
/// How long a mask may take to be decoded before something is wrong.
const MASK_LIMIT: Duration = Duration::from_secs(5);

/// The video's decoder at work on one file.
#[derive(Debug)]
pub(super) struct Decoding {
    codec: Codec,
    sums: Receiver<Option<u32>>,
}

/// A picture, and the checksum of what the decoder gave.
#[derive(Debug)]
pub(super) struct Picture {
    pub(super) sample: gst::Sample,
    pub(super) pixels_crc: Option<u32>,
}

fn packets(name: &str, tracks: &Tracks, track: u64) -> Result<gst::Caps, String> {
    let (_, private, size) = tracks.of(track).ok_or("the file has no such track")?;
    let side = |side: u32| side.cast_signed();
    let mut caps =
        gst::Caps::builder(name).field("width", side(size.width)).field("height", side(size.height));
    if !private.is_empty() {
        caps = caps.field("codec_data", gst::Buffer::from_slice(private.to_vec()));
    }
    Ok(caps.build())
}

fn with(mut caps: gst::Caps, add: impl FnOnce(&mut gst::StructureRef)) -> gst::Caps {
    if let Some(structure) = caps.make_mut().structure_mut(0) {
        add(structure);
    }
    caps
}

impl Decoding {
    /// Begins with the packets of a file.
    ///
    /// # Errors
    /// When no decoder is there, or it does not start.
    pub(super) fn start(tracks: &Tracks, record: &SegmentRecord) -> Result<Self, String> {
        let (caps, elements) = if tracks.is_h264() {
            let caps = with(packets("video/x-h264", tracks, VIDEO)?, |packets| {
                packets.set("stream-format", "avc");
                packets.set("alignment", "au");
            });
            let there = H264_DECODERS.into_iter().find(|name| gst::ElementFactory::find(name).is_some());
            // One thread: what goes in comes out.
            let decoder = element(there.unwrap_or(H264_DECODERS[0]), &[("max-threads", "1")])?;
            (caps, vec![element("h264parse", &[])?, decoder])
        } else {
            let caps = with(packets("video/x-ffv", tracks, VIDEO)?, |packets| packets.set("ffvversion", 1));
            (caps, vec![element("avdec_ffv1", &[("max-threads", "1")])?])
        };
        let (rate, scale) = record.framerate;
        let framerate = gst::Fraction::new(rate.cast_signed(), scale.max(1).cast_signed());
        let caps = with(caps, |packets| packets.set("framerate", framerate));
        // What a file does not say of its colours, the journal does.
        let mut said = gst::Caps::builder("video/x-raw").field("framerate", framerate);
        if !record.colorimetry.is_empty() && is_yuv(&record.coded) {
            said = said.field("colorimetry", record.colorimetry.as_str());
        }
        let setter = element("capssetter", &[])?;
        setter.set_property("caps", said.build());
        let mut out = gst::Caps::builder("video/x-raw");
        if !record.format.is_empty() {
            out = out.field("format", record.format.as_str());
        }
        if !record.colorimetry.is_empty() {
            out = out.field("colorimetry", record.colorimetry.as_str());
        }
        let last = elements.last().ok_or("there is no decoder")?.clone();
        let pad = last.static_pad("src").ok_or("the decoder has no pad src")?;
        let (sender, sums) = crossbeam_channel::bounded(SUMS);
        let summed = record.codec == "ffv1";
        pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            let info = info.buffer().filter(|_| summed).and_then(|buffer| {
                let caps = pad.current_caps()?;
                pixels_crc(buffer, &gst_video::VideoInfo::from_caps(&caps).ok()?)
            });
            // Nobody listens when the file is over.
            let _over = sender.try_send(info);
            gst::PadProbeReturn::Ok
        });
        // Two threads: one decodes while the other moves samples about.
        let queue = element(
            "queue",
            &[("max-size-buffers", QUEUED), ("max-size-time", "0"), ("max-size-bytes", "0")],
        )?;
        let convert = converter(&record.coded, &record.format)?;
        let elements: Vec<gst::Element> =
            elements.into_iter().chain([setter, queue, convert, filter(&out.build())?]).collect();
        Ok(Self { codec: Codec::start(&caps, &elements)?, sums })
    }

    /// Hands over a packet.
    ///
    /// # Errors
    /// When the decoder has failed.
    pub(super) fn push(&self, data: Vec<u8>, key: bool, pts: gst::ClockTime) -> Result<(), String> {
        let mut buffer = gst::Buffer::from_mut_slice(data);
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(pts);
            buffer.set_dts(pts);
            if !key {
                buffer.set_flags(gst::BufferFlags::DELTA_UNIT);
            }
        }
        self.codec.push(buffer)
    }

    /// The next picture, if it comes within `wait`.
    ///
    /// # Errors
    /// When the decoder has failed.
    pub(super) fn pull(&self, wait: Duration) -> Result<Option<Picture>, String> {
        let Some(sample) = self.codec.pull(wait)? else { return Ok(None) };
        Ok(Some(Picture { sample, pixels_crc: self.sums.try_recv().ok().flatten() }))
    }

    /// No more packets come.
    pub(super) fn end(&self) {
        self.codec.end();
    }

    /// Whether the last picture was pulled.
    pub(super) fn is_over(&self) -> bool {
        self.codec.is_over()
    }
}

fn is_yuv(format: &str) -> bool {
    !format.contains('R')
}

/// The masks' decoder.
#[derive(Debug)]
pub(super) struct MaskDecoding {
    codec: Codec,
}

impl MaskDecoding {
    /// Begins with the masks of a file.
    ///
    /// # Errors
    /// When no decoder is there, or it does not start.
    pub(super) fn start(tracks: &Tracks) -> Result<Self, String> {
        let caps = with(packets("video/x-ffv", tracks, MASKS)?, |packets| {
            packets.set("ffvversion", 1);
            packets.set("framerate", gst::Fraction::new(30, 1));
        });
        let grey = gst::Caps::builder("video/x-raw").field("format", "GRAY8").build();
        let decoder = element("avdec_ffv1", &[("max-threads", "1")])?;
        Ok(Self { codec: Codec::start(&caps, &[decoder, filter(&grey)?])? })
    }

    /// The cells of a mask, row by row.
    ///
    /// # Errors
    /// When the decoder fails, or does not answer.
    pub(super) fn decode(&self, data: Vec<u8>) -> Result<Vec<u8>, String> {
        self.codec.push(gst::Buffer::from_mut_slice(data))?;
        let sample = self.codec.pull(MASK_LIMIT)?;
        let sample = sample.ok_or_else(|| format!("a mask was not decoded within {MASK_LIMIT:?}"))?;
        let read = || {
            let info = gst_video::VideoInfo::from_caps(sample.caps()?).ok()?;
            let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(sample.buffer()?, &info).ok()?;
            let stride = usize::try_from(*frame.plane_stride().first()?).ok()?;
            let (width, height) = (info.width() as usize, info.height() as usize);
            let rows = frame.plane_data(0).ok()?.chunks(stride.max(1)).take(height);
            Some(rows.flat_map(|row| row.iter().take(width).copied()).collect())
        };
        read().ok_or_else(|| "a decoded mask can not be read".to_owned())
    }
}
