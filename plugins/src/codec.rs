//! Coding and decoding pictures beside the picture's own pipeline: raw pictures in, packets out, or the other way round, in their order.
//!
//! It is a small pipeline of its own, whose threads stand behind those of the live picture.
//!
//! Not here: which codec ([`crate::polyprecord`], [`crate::polypsessionsrc`]).

use std::time::Duration;

use gst::prelude::*;
use gst_video::prelude::*;

/// How much less than the live picture's threads these get (as `nice` counts).
const NICE: i32 = 10;
/// Pictures that may wait before the first element; [`Codec::push`] waits beyond.
const AHEAD: u64 = 2;

/// The pipeline.
#[derive(Debug)]
pub(crate) struct Codec {
    pipeline: gst::Pipeline,
    source: gst_app::AppSrc,
    sink: gst_app::AppSink,
}

/// Has the calling thread stand behind those of the live picture.
pub(crate) fn stand_back() {
    // Not being allowed to is no reason not to work.
    let _refused = rustix::process::setpriority_process(None, NICE);
}

impl Codec {
    /// Pictures of `caps` go through `elements`, one after the other.
    ///
    /// # Errors
    /// When an element refuses to start.
    pub(crate) fn start(caps: &gst::Caps, elements: &[gst::Element]) -> Result<Self, String> {
        let source =
            gst_app::AppSrc::builder().caps(caps).format(gst::Format::Time).block(true).max_bytes(0).build();
        source.set_property("max-buffers", AHEAD);
        let sink = gst_app::AppSink::builder().sync(false).build();
        sink.set_property("enable-last-sample", false);
        let pipeline = gst::Pipeline::new();
        let chain: Vec<&gst::Element> =
            [source.upcast_ref()].into_iter().chain(elements).chain([sink.upcast_ref()]).collect();
        let failed = |error: gst::glib::BoolError| error.message.to_string();
        pipeline.add_many(&chain).map_err(failed)?;
        gst::Element::link_many(&chain).map_err(failed)?;
        let codec = Self { pipeline, source, sink };
        if let Some(bus) = codec.pipeline.bus() {
            bus.set_sync_handler(|_, message| {
                if let gst::MessageView::StreamStatus(status) = message.view()
                    && status.get().0 == gst::StreamStatusType::Enter
                {
                    stand_back();
                }
                gst::BusSyncReply::Pass
            });
        }
        if codec.pipeline.set_state(gst::State::Playing).is_err() {
            return Err(codec.failure().unwrap_or_else(|| "an element refused to start".to_owned()));
        }
        Ok(codec)
    }

    /// Hands a picture over; waits while others are before it.
    ///
    /// # Errors
    /// When an element has failed.
    pub(crate) fn push(&self, buffer: gst::Buffer) -> Result<(), String> {
        let refused = |error: gst::FlowError| self.failure().unwrap_or_else(|| error.to_string());
        self.source.push_buffer(buffer).map(drop).map_err(refused)
    }

    /// What came out, if anything does within `wait`; after [`Codec::end`], `None` means that nothing more will.
    ///
    /// # Errors
    /// When an element has failed.
    pub(crate) fn pull(&self, wait: Duration) -> Result<Option<gst::Sample>, String> {
        let wait = gst::ClockTime::from_nseconds(crate::meta::nanoseconds(wait));
        match self.sink.try_pull_sample(wait) {
            Some(sample) => Ok(Some(sample)),
            None => self.failure().map_or(Ok(None), Err),
        }
    }

    /// Nothing more is handed over.
    pub(crate) fn end(&self) {
        // One that fails here has failed, and says so when something is pulled.
        let _failed = self.source.end_of_stream();
    }

    /// Whether all has come out.
    pub(crate) fn is_over(&self) -> bool {
        self.sink.is_eos()
    }

    fn failure(&self) -> Option<String> {
        let message = self.pipeline.bus()?.pop_filtered(&[gst::MessageType::Error])?;
        match message.view() {
            gst::MessageView::Error(error) => {
                let by = message.src().map(|source| source.name().to_string()).unwrap_or_default();
                Some(format!("{by}: {}", error.error().message()))
            }
            _ => None,
        }
    }
}

impl Drop for Codec {
    fn drop(&mut self) {
        // Going down can not fail in a way that anybody could do something about.
        let _failed = self.pipeline.set_state(gst::State::Null);
    }
}

/// An element of that factory, with properties as text; those that this version does not have are left out.
///
/// # Errors
/// When there is no such element.
pub(crate) fn element(factory: &str, properties: &[(&str, &str)]) -> Result<gst::Element, String> {
    let element = gst::ElementFactory::make(factory).build();
    let element = element.map_err(|_error| format!("GStreamer has no element {factory}"))?;
    for (name, value) in properties {
        if element.find_property(name).is_some() {
            element.set_property_from_str(name, value);
        }
    }
    Ok(element)
}

/// A converter between two formats, by GStreamer's names. Between those that hold the same samples it moves them about and changes none:
/// whatever the caps say of where chroma lies and what numbers mean.
///
/// # Errors
/// When there is no videoconvert.
pub(crate) fn converter(from: &str, to: &str) -> Result<gst::Element, String> {
    let alike = [&["NV12", "I420"][..], &["YUY2", "UYVY", "Y42B"], &["BGRx", "RGB"], &["BGRA", "RGBA"]];
    let same = from == to || alike.iter().any(|formats| formats.contains(&from) && formats.contains(&to));
    let exact = [("dither", "none"), ("chroma-mode", "none"), ("matrix-mode", "none")];
    element("videoconvert", if same { &exact } else { &exact[..1] })
}

/// A filter that lets only those caps pass.
///
/// # Errors
/// When there is no capsfilter.
pub(crate) fn filter(caps: &gst::Caps) -> Result<gst::Element, String> {
    let filter = element("capsfilter", &[])?;
    filter.set_property("caps", caps);
    Ok(filter)
}

/// The CRC-32 of a picture's pixels, plane by plane and row by row, without what pads the rows and without what is no part of the picture
/// (the fourth byte of BGRx).
pub(crate) fn pixels_crc(buffer: &gst::BufferRef, info: &gst_video::VideoInfo) -> Option<u32> {
    let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, info).ok()?;
    let mut sum = crc32fast::Hasher::new();
    let format = info.format_info();
    for plane in 0..info.n_planes() {
        let component =
            (0..info.n_components()).find(|component| format.plane()[*component as usize] == plane)?;
        let width = frame.comp_width(component) as usize * frame.comp_pstride(component) as usize;
        let height = frame.comp_height(component) as usize;
        let stride = *frame.plane_stride().get(plane as usize)?;
        let bytes = frame.plane_data(plane).ok()?;
        for row in bytes.chunks(usize::try_from(stride).ok().filter(|stride| *stride > 0)?).take(height) {
            let row = row.get(..width)?;
            if info.format() == gst_video::VideoFormat::Bgrx {
                row.chunks_exact(4).for_each(|pixel| sum.update(&pixel[..3]));
            } else {
                sum.update(row);
            }
        }
    }
    Some(sum.finalize())
}
