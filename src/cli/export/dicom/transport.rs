//! H.264 into an MPEG transport stream, the container in which DICOM's video lies.

use std::time::Duration;

use gst::prelude::*;
use polyp::frame::Size;
use polyp::session::matroska::{Tracks, VIDEO};

use super::file::Part;
use crate::cli::failure::Failure;
use crate::cli::{bus, plugin};

/// How long the stream's end may take.
const END: gst::ClockTime = gst::ClockTime::from_seconds(30);
/// Pictures that may wait before the first element.
const AHEAD: u64 = 4;
/// Frames from one key frame to the next, at most, where frames are coded anew.
const KEY: i32 = 30;

/// The small pipeline that packs, or codes and packs.
pub(super) struct Transport {
    pipeline: gst::Pipeline,
    source: gst_app::AppSrc,
    parser: gst::Element,
    sink: gst_app::AppSink,
}

/// What a finished stream is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Coded {
    /// H.264's profile, as GStreamer names it.
    pub(super) profile: String,
    /// Its level, ten times: 41 for 4.1.
    pub(super) level: u32,
}

impl Transport {
    /// Packs what the recorder coded.
    pub(super) fn of_packets(tracks: &Tracks, framerate: gst::Fraction) -> Result<Self, Failure> {
        let (_, private, size) =
            tracks.of(VIDEO).ok_or_else(|| Failure::Stream("a file has no video".to_owned()))?;
        let caps = gst::Caps::builder("video/x-h264")
            .field("stream-format", "avc")
            .field("alignment", "au")
            .field("width", size.width.cast_signed())
            .field("height", size.height.cast_signed())
            .field("framerate", framerate)
            .field("codec_data", gst::Buffer::from_slice(private.to_vec()))
            .build();
        Self::start(&caps, &[])
    }

    /// Codes pictures anew: red, green and blue of `size`.
    pub(super) fn of_pictures(size: Size, framerate: gst::Fraction) -> Result<Self, Failure> {
        let caps = gst::Caps::builder("video/x-raw")
            .field("format", "RGB")
            .field("width", size.width.cast_signed())
            .field("height", size.height.cast_signed())
            .field("framerate", framerate)
            .build();
        let encoder = plugin::make("x264enc")?;
        encoder.set_property_from_str("pass", "qual");
        encoder.set_property_from_str("quantizer", "18");
        encoder.set_property_from_str("speed-preset", "veryfast");
        encoder.set_property_from_str("key-int-max", &KEY.to_string());
        encoder.set_property_from_str("bframes", "0");
        let high = plugin::make("capsfilter")?;
        high.set_property("caps", gst::Caps::builder("video/x-h264").field("profile", "high").build());
        let planes = plugin::make("capsfilter")?;
        planes.set_property("caps", gst::Caps::builder("video/x-raw").field("format", "I420").build());
        Self::start(&caps, &[plugin::make("videoconvert")?, planes, encoder, high])
    }

    fn start(caps: &gst::Caps, before: &[gst::Element]) -> Result<Self, Failure> {
        let source =
            gst_app::AppSrc::builder().caps(caps).format(gst::Format::Time).block(true).max_bytes(0).build();
        source.set_property("max-buffers", AHEAD);
        let parser = plugin::make("h264parse")?;
        let muxer = plugin::make("mpegtsmux")?;
        let sink = gst_app::AppSink::builder().sync(false).build();
        let pipeline = gst::Pipeline::new();
        let chain: Vec<&gst::Element> = [source.upcast_ref()]
            .into_iter()
            .chain(before)
            .chain([&parser, &muxer, sink.upcast_ref()])
            .collect();
        pipeline.add_many(&chain).map_err(Failure::build)?;
        gst::Element::link_many(&chain).map_err(Failure::build)?;
        let transport = Self { pipeline, source, parser, sink };
        if transport.pipeline.set_state(gst::State::Playing).is_err() {
            return Err(transport.failure("an element refused to start"));
        }
        Ok(transport)
    }

    /// Takes a packet or a picture of that time, the first one's being 0.
    pub(super) fn push(
        &self,
        data: Vec<u8>,
        key: bool,
        time: Duration,
        into: &mut Part,
    ) -> Result<(), Failure> {
        let mut buffer = gst::Buffer::from_mut_slice(data);
        if let Some(buffer) = buffer.get_mut() {
            let time = gst::ClockTime::try_from(time).ok();
            buffer.set_pts(time);
            buffer.set_dts(time);
            if !key {
                buffer.set_flags(gst::BufferFlags::DELTA_UNIT);
            }
        }
        self.source.push_buffer(buffer).map_err(|error| self.failure(&error.to_string()))?;
        self.take(gst::ClockTime::ZERO, into)
    }

    /// Takes what is ready.
    fn take(&self, wait: gst::ClockTime, into: &mut Part) -> Result<(), Failure> {
        while let Some(sample) = self.sink.try_pull_sample(wait) {
            let lists = sample.buffer_list().map(|list| list.iter().collect::<Vec<_>>()).unwrap_or_default();
            for buffer in sample.buffer().into_iter().chain(lists) {
                let bytes =
                    buffer.map_readable().map_err(|error| Failure::Stream(error.message.to_string()))?;
                into.add(&bytes)?;
            }
        }
        Ok(())
    }

    /// That was all.
    pub(super) fn end(self, into: &mut Part) -> Result<Coded, Failure> {
        self.source.end_of_stream().map_err(|error| self.failure(&error.to_string()))?;
        self.take(END, into)?;
        if !self.sink.is_eos() {
            return Err(self.failure("the stream did not end"));
        }
        let caps = self.parser.static_pad("src").and_then(|pad| pad.current_caps());
        let structure = caps.as_ref().and_then(|caps| caps.structure(0));
        let text = |name: &str| structure.and_then(|s| s.get::<String>(name).ok()).unwrap_or_default();
        let (profile, level) = (text("profile"), text("level"));
        let tenths = level_tenths(&level)
            .ok_or_else(|| Failure::Stream(format!("expected a level of H.264, found {level:?}")))?;
        Ok(Coded { profile, level: tenths })
    }

    fn failure(&self, otherwise: &str) -> Failure {
        let message = self.pipeline.bus().and_then(|bus| bus.pop_filtered(&[gst::MessageType::Error]));
        message.map_or_else(|| Failure::Stream(otherwise.to_owned()), |message| bus::failed(&message))
    }
}

impl Drop for Transport {
    fn drop(&mut self) {
        // Nothing can be done about a pipeline that does not stop.
        let _failed = self.pipeline.set_state(gst::State::Null);
    }
}

/// 4.1 is 41, 4 is 40, 1b is 11.
fn level_tenths(level: &str) -> Option<u32> {
    if level == "1b" {
        return Some(11);
    }
    let (whole, part) = level.split_once('.').unwrap_or((level, "0"));
    Some(whole.parse::<u32>().ok()? * 10 + part.parse::<u32>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::level_tenths;

    #[test]
    fn levels_are_read() {
        let read = ["4", "4.1", "4.2", "1b", "5.1", ""].map(level_tenths);
        assert_eq!(read, [Some(40), Some(41), Some(42), Some(11), Some(51), None]);
    }
}
