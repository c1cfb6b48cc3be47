//! The codecs: video by H.264 or FFV1, masks by FFV1.
//!
//! Not here: what is done with the packets ([`super::store`]).

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Receiver;
use gst::prelude::*;
use polyp::frame::{Matrix, PixelFormat, Range, Size};
use polyp::session::matroska::{self, Colour, Track};

use super::kind::{Kind, Pixels};
use super::settings::{self, Settings};
use crate::codec::{Codec, converter, element, filter, pixels_crc};

/// Frames from one that stands for itself to the next.
const GROUP: &str = "30";

/// Encoders of H.264, the first that is there and starts is taken; each with what makes it give one packet for each picture at once.
pub(super) const ENCODERS: &[(&str, &[(&str, &str)])] = &[
    (
        "nvh264enc",
        &[("gop-size", GROUP), ("zerolatency", "true"), ("rc-mode", "constqp"), ("qp-const", "22")],
    ),
    (
        "vah264enc",
        &[("key-int-max", GROUP), ("b-frames", "0"), ("rate-control", "cqp"), ("qpi", "22"), ("qpp", "24")],
    ),
    (
        "x264enc",
        &[
            ("key-int-max", GROUP),
            ("tune", "zerolatency"),
            ("speed-preset", "superfast"),
            ("pass", "qual"),
            ("quantizer", "21"),
            ("threads", "1"),
        ],
    ),
    (
        "openh264enc",
        &[
            ("gop-size", GROUP),
            ("complexity", "low"),
            ("rate-control", "quality"),
            ("bitrate", "12000000"),
            ("multi-thread", "1"),
        ],
    ),
];

/// The encoder of masks, and of lossless video.
pub(super) const FFV1_ENCODER: &str = "avenc_ffv1";

/// Checksums that may wait: more than pictures are ever on their way.
const SUMS: usize = 256;
/// How long a mask may take to be coded before something is wrong.
const MASK_LIMIT: Duration = Duration::from_secs(5);

/// One packet.
#[derive(Debug)]
pub(super) struct Packet {
    pub(super) sample: gst::Sample,
    pub(super) key: bool,
    /// The CRC-32 of the picture's pixels, where the codec keeps them.
    pub(super) pixels_crc: Option<u32>,
}

/// What a decoder has to be told before the first packet.
pub(super) fn private(sample: &gst::Sample) -> Vec<u8> {
    let data = sample.caps().and_then(|caps| caps.structure(0)?.get::<gst::Buffer>("codec_data").ok());
    data.and_then(|data| Some(data.map_readable().ok()?.to_vec())).unwrap_or_default()
}

/// The video's encoder at work on frames of one kind.
#[derive(Debug)]
pub(super) struct Encoding {
    codec: Codec,
    kind: Arc<Kind>,
    /// The encoder's name.
    pub(super) encoder: String,
    pub(super) name: settings::Codec,
    /// The format in which frames are given to it.
    pub(super) coded: &'static str,
    sums: Option<Receiver<Option<u32>>>,
}

impl Encoding {
    /// Begins with frames of `kind`.
    ///
    /// # Errors
    /// When no encoder starts: each with its reason.
    pub(super) fn start(kind: &Arc<Kind>, settings: &Settings) -> Result<Self, String> {
        let mut failed = Vec::new();
        let of = |name: &str| settings.encoder.as_deref().is_none_or(|wanted| wanted == name);
        let candidates: Vec<_> = match settings.codec {
            settings::Codec::Ffv1 => vec![(FFV1_ENCODER, &[("gop-size", "1"), ("threads", "1")][..])],
            settings::Codec::H264 => {
                ENCODERS.iter().filter(|(name, _)| of(name)).map(|(name, p)| (*name, *p)).collect()
            }
        };
        for (encoder, properties) in candidates {
            match Self::with(encoder, properties, kind, settings.codec) {
                Ok(encoding) => return Ok(encoding),
                Err(error) => failed.push(format!("{encoder}: {error}")),
            }
        }
        if failed.is_empty() {
            let names: Vec<_> = ENCODERS.iter().map(|(name, _)| *name).collect();
            let found = settings.encoder.as_deref().unwrap_or_default();
            return Err(format!(
                "property record-encoder: expected one of {}, found {found:?}",
                names.join(", ")
            ));
        }
        Err(failed.join("; "))
    }

    fn with(
        encoder: &str,
        properties: &[(&str, &str)],
        kind: &Arc<Kind>,
        name: settings::Codec,
    ) -> Result<Self, String> {
        let coded = coded_format(kind, name);
        let mut raw = gst::Caps::builder("video/x-raw").field("format", coded);
        if kind.format().is_yuv() {
            // Not what the converter takes for a picture of that size.
            raw = raw.field("colorimetry", kind.info.colorimetry().to_string());
        }
        let raw = raw.build();
        let coder = element(encoder, properties)?;
        let mut elements = vec![converter(kind.format().name(), coded)?, filter(&raw)?, coder.clone()];
        let sums = match name {
            settings::Codec::H264 => {
                let packets = gst::Caps::builder("video/x-h264")
                    .field("stream-format", "avc")
                    .field("alignment", "au")
                    .build();
                elements.extend([element("h264parse", &[])?, filter(&packets)?]);
                None
            }
            settings::Codec::Ffv1 => Some(sums_of(&coder)?),
        };
        let codec = Codec::start(&kind.caps, &elements)?;
        Ok(Self { codec, kind: Arc::clone(kind), encoder: encoder.to_owned(), name, coded, sums })
    }

    pub(super) fn kind(&self) -> &Arc<Kind> {
        &self.kind
    }

    /// Hands over a picture; waits while the encoder is busy with others.
    ///
    /// # Errors
    /// When it has failed.
    pub(super) fn push(&self, pixels: Pixels, pts_ns: u64) -> Result<(), String> {
        let mut buffer = gst::Buffer::from_slice(pixels);
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(gst::ClockTime::from_nseconds(pts_ns));
        }
        self.codec.push(buffer)
    }

    /// The next packet, if it comes within `wait`.
    ///
    /// # Errors
    /// When the encoder has failed.
    pub(super) fn pull(&self, wait: Duration) -> Result<Option<Packet>, String> {
        let Some(sample) = self.codec.pull(wait)? else { return Ok(None) };
        let flags = sample.buffer().map(|buffer| buffer.flags()).unwrap_or_else(gst::BufferFlags::empty);
        let key = !flags.contains(gst::BufferFlags::DELTA_UNIT);
        let pixels_crc = self.sums.as_ref().and_then(|sums| sums.try_recv().ok().flatten());
        Ok(Some(Packet { sample, key, pixels_crc }))
    }

    /// No more pictures come.
    pub(super) fn end(&self) {
        self.codec.end();
    }

    /// Whether the last packet was pulled.
    pub(super) fn is_over(&self) -> bool {
        self.codec.is_over()
    }

    /// The track of its packets.
    pub(super) fn track(&self, private: Vec<u8>) -> Track {
        let codec = match self.name {
            settings::Codec::H264 => matroska::H264,
            settings::Codec::Ffv1 => matroska::FFV1,
        };
        let frame_ns = self.kind.picture.frame_duration().map(crate::meta::nanoseconds);
        Track {
            number: matroska::VIDEO,
            name: "Picture without overlay".to_owned(),
            codec: codec.to_owned(),
            private,
            size: self.kind.size(),
            colour: colour(&self.kind),
            frame_ns: frame_ns.filter(|time| *time > 0),
        }
    }
}

/// The format in which frames are given to the encoder: for FFV1 one that keeps every bit, for H.264 what every player decodes.
fn coded_format(kind: &Kind, codec: settings::Codec) -> &'static str {
    use PixelFormat::{Bgra, Bgrx, I420, Nv12, Rgb, Rgba, Uyvy, Yuy2};
    let Size { width, height } = kind.size();
    match (codec, kind.format()) {
        (settings::Codec::Ffv1, Nv12 | I420) => "I420",
        (settings::Codec::Ffv1, Yuy2 | Uyvy) => "Y42B",
        (settings::Codec::Ffv1, Bgrx | Rgb) => "BGRx",
        (settings::Codec::Ffv1, Bgra | Rgba) => "BGRA",
        // Encoders refuse half a sample of colour.
        (settings::Codec::H264, _) if width % 2 + height % 2 > 0 => "Y444",
        (settings::Codec::H264, _) => "I420",
    }
}

fn colour(kind: &Kind) -> Option<Colour> {
    let (format, _, colorimetry) = kind.picture.kind();
    let matrix = match colorimetry.matrix {
        Matrix::Bt601 => 6,
        Matrix::Bt709 => 1,
        Matrix::Bt2020 => 9,
    };
    let range = match colorimetry.range {
        Range::Limited => 1,
        Range::Full => 2,
    };
    format.is_yuv().then_some(Colour { matrix, range })
}

/// The checksums of the pictures that go into `coder`, in their order.
fn sums_of(coder: &gst::Element) -> Result<Receiver<Option<u32>>, String> {
    let pad = coder.static_pad("sink").ok_or("the encoder has no pad sink")?;
    let (sender, sums) = crossbeam_channel::bounded(SUMS);
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let buffer = info.buffer();
        let caps = pad.current_caps().and_then(|caps| gst_video::VideoInfo::from_caps(&caps).ok());
        let sum = buffer.zip(caps).and_then(|(buffer, info)| pixels_crc(buffer, &info));
        // Nobody listens when the recording has ended.
        let _ended = sender.try_send(sum);
        gst::PadProbeReturn::Ok
    });
    Ok(sums)
}

/// The masks' encoder.
#[derive(Debug)]
pub(super) struct MaskEncoding {
    codec: Codec,
    side: u32,
    info: gst_video::VideoInfo,
    private: Vec<u8>,
}

impl MaskEncoding {
    /// For masks of `side` times `side` cells.
    ///
    /// # Errors
    /// When the encoder does not start.
    pub(super) fn start(side: u32) -> Result<Self, String> {
        let info = gst_video::VideoInfo::builder(gst_video::VideoFormat::Gray8, side, side)
            .fps(gst::Fraction::new(30, 1))
            .build()
            .map_err(|error| error.message.to_string())?;
        let caps = info.to_caps().map_err(|error| error.message.to_string())?;
        let coder = element(FFV1_ENCODER, &[("gop-size", "1"), ("threads", "1")])?;
        let codec = Codec::start(&caps, &[coder])?;
        let mut masks = Self { codec, side, info, private: Vec::new() };
        // What the decoder has to be told is known with the first mask, and the file begins before that.
        let empty = vec![0; side as usize * side as usize];
        masks.private = private(&masks.sample(&empty)?);
        Ok(masks)
    }

    pub(super) fn side(&self) -> u32 {
        self.side
    }

    /// The packet of a mask.
    ///
    /// # Errors
    /// When the encoder fails, or does not answer.
    pub(super) fn code(&self, cells: &[u8]) -> Result<Vec<u8>, String> {
        let sample = self.sample(cells)?;
        let map = sample.buffer().and_then(|buffer| buffer.map_readable().ok());
        map.map(|map| map.to_vec()).ok_or_else(|| "a coded mask can not be read".to_owned())
    }

    fn sample(&self, cells: &[u8]) -> Result<gst::Sample, String> {
        let side = self.side as usize;
        let stride =
            self.info.stride().first().and_then(|stride| usize::try_from(*stride).ok()).unwrap_or(side);
        let mut bytes = vec![0; self.info.size()];
        for (to, from) in bytes.chunks_mut(stride.max(1)).zip(cells.chunks(side.max(1))) {
            to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
        }
        self.codec.push(gst::Buffer::from_slice(bytes))?;
        let sample = self.codec.pull(MASK_LIMIT)?;
        sample.ok_or_else(|| format!("{FFV1_ENCODER} did not code a mask within {MASK_LIMIT:?}"))
    }

    /// The track of the masks.
    pub(super) fn track(&self) -> Track {
        Track {
            number: matroska::MASKS,
            name: "Probability of polyp, 0 to 255".to_owned(),
            codec: matroska::FFV1.to_owned(),
            private: self.private.clone(),
            size: Size::new(self.side, self.side),
            colour: Some(Colour { matrix: 1, range: 2 }),
            frame_ns: None,
        }
    }
}
