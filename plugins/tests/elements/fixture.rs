//! An engine that does as it is told, and elements in a harness around it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once, OnceLock};
use std::time::{Duration, Instant};

use gst::prelude::*;
use gst_check::Harness;
use gstpolyp::meta::{self, FrameMeta, Over, Trace};
use gstpolyp::polypsegment::{Opened, PolypSegment};
use polyp::decode::Decoder;
use polyp::frame::Size;
use polyp::input::{Fit, InputSpec, Normalisation};
use polyp::model::ModelSpec;
use polyp::overlay::Badge;
use polyp::segmentation::Segmentation;
use polyp_engine::engine::{Description, Engine, Precision};
use polyp_engine::error::EngineError;
use polyp_engine::memory::PromptMemory;

pub(crate) const SIDE: usize = 64;

pub(crate) fn init() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        gst::init().unwrap();
        gstpolyp::plugin_register_static().unwrap();
    });
}

/// What the engine under test does with the next frames.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    pub(crate) delay_ms: AtomicU64,
    pub(crate) fail: AtomicBool,
    pub(crate) panic: AtomicBool,
    pub(crate) nan: AtomicBool,
    /// Cells that it speaks of, the others being none; 0 is all.
    pub(crate) cells: AtomicUsize,
    /// Frames begun, warm-up included.
    pub(crate) begun: AtomicU64,
    /// The prompts that frames were asked about.
    pub(crate) prompts: Mutex<Vec<String>>,
}

impl Orders {
    pub(crate) fn delay(&self, delay: Duration) {
        self.delay_ms.store(u64::try_from(delay.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

/// Answers with the frame's own brightness: every logit is (red - 128) / 16 of the first pixel.
struct Obedient {
    orders: Arc<Orders>,
    description: Description,
}

impl Engine for Obedient {
    fn description(&self) -> &Description {
        &self.description
    }

    fn infer(
        &mut self,
        images: &[f32],
        batch: usize,
        memory: &PromptMemory,
        logits: &mut Vec<f32>,
    ) -> Result<(), EngineError> {
        // The first is the warm-up: orders are for frames.
        if self.orders.begun.fetch_add(1, Ordering::SeqCst) > 0 {
            self.orders.prompts.lock().unwrap().push(memory.prompt.clone());
            std::thread::sleep(Duration::from_millis(self.orders.delay_ms.load(Ordering::SeqCst)));
            assert!(!self.orders.panic.load(Ordering::SeqCst), "as ordered");
            if self.orders.fail.load(Ordering::SeqCst) {
                let (backend, step, message) = ("fixture", "infer", "as ordered".to_owned());
                return Err(EngineError::Backend { backend, step, message });
            }
        }
        let logit =
            if self.orders.nan.load(Ordering::SeqCst) { f32::NAN } else { (images[0] - 128.0) / 16.0 };
        let (cells, all) = (self.orders.cells.load(Ordering::SeqCst), batch * SIDE * SIDE);
        logits.clear();
        logits.resize(if cells == 0 { all } else { cells }, logit);
        logits.resize(all, -8.0);
        Ok(())
    }
}

fn description(backend: &'static str) -> Description {
    Description {
        backend,
        library: "none".to_owned(),
        precision: Precision::F32,
        threads: 1,
        model: "obedient".to_owned(),
        side_px: SIDE,
    }
}

/// A `polypsegment` whose engine follows `orders`, not started. Its frames are all alike, which is no sign of a dead source here.
pub(crate) fn segmenter(orders: &Arc<Orders>) -> gst::Element {
    init();
    let element = gst::ElementFactory::make("polypsegment")
        .property_from_str("roi", "whole")
        .property("frozen-after", 0_u32)
        .property("motion-compensation", false)
        .build()
        .unwrap();
    obey(&element, orders);
    element
}

/// Gives `element`, a `polypsegment`, an engine that follows `orders`.
pub(crate) fn obey(element: &gst::Element, orders: &Arc<Orders>) {
    let orders = Arc::clone(orders);
    with_factory(element, move |backend| opened(&orders, backend));
}

/// Gives `element`, a `polypsegment`, what `factory` makes for a backend's name.
pub(crate) fn with_factory(
    element: &gst::Element,
    factory: impl Fn(&'static str) -> Result<Opened, EngineError> + Send + Sync + 'static,
) {
    element.downcast_ref::<PolypSegment>().unwrap().set_engine_factory(factory);
}

/// An engine on that backend that follows `orders`, with nothing to prepare.
pub(crate) fn opened(orders: &Arc<Orders>, backend: &'static str) -> Result<Opened, EngineError> {
    let orders = Arc::clone(orders);
    orders.begun.store(0, Ordering::SeqCst);
    Ok(Opened {
        name: "obedient".to_owned(),
        manifest_sha256: String::new(),
        identity: None,
        input: InputSpec {
            side_px: SIDE as u32,
            fit: Fit::Squash,
            normalisation: Normalisation::Fixed { mean: [0.0; 3], std: [1.0; 3] },
        },
        decoder: Decoder::new(1.0)?,
        remember: Arc::new(|prompt| {
            let prompt = prompt.unwrap_or("polyp");
            if prompt == "unknown" {
                let (tensor, expected) = ("text".to_owned(), "words that are known".to_owned());
                return Err(EngineError::Memory { tensor, expected, found: prompt.to_owned() });
            }
            let (encoder_sha256, engine_sha256) = (String::new(), String::new());
            let prompt = prompt.to_owned();
            Ok(Arc::new(PromptMemory { prompt, encoder_sha256, engine_sha256, tensors: Vec::new() }))
        }),
        prepare: None,
        engine: Box::new(move || Ok(Box::new(Obedient { orders, description: description(backend) }))),
    })
}

/// An element in a harness, with its bus.
pub(crate) struct Rig {
    pub(crate) harness: Harness,
    pub(crate) bus: gst::Bus,
    pub(crate) element: gst::Element,
}

impl Rig {
    pub(crate) fn new(element: &gst::Element, caps: &str) -> Self {
        let bus = gst::Bus::new();
        element.set_bus(Some(&bus));
        let mut harness = Harness::with_element(element, Some("sink"), Some("src"));
        harness.play();
        harness.set_src_caps_str(caps);
        Self { harness, bus, element: element.clone() }
    }

    /// Pushes a frame and gives it back, with how long the element kept it.
    pub(crate) fn pass(&mut self, buffer: gst::Buffer) -> (gst::Buffer, Duration) {
        let begun = Instant::now();
        assert_eq!(self.harness.push(buffer), Ok(gst::FlowSuccess::Ok));
        let took = begun.elapsed();
        (self.harness.pull().unwrap(), took)
    }

    /// Pushes a frame and gives back what was hung on it.
    pub(crate) fn meta(&mut self, buffer: gst::Buffer) -> Arc<FrameMeta> {
        let (buffer, _) = self.pass(buffer);
        meta::of(&buffer).expect("every buffer has a meta")
    }

    /// Pushes gray frames at their own pace, from number `first` on, until `done` says so: masks age by the stream's
    /// time, so a faster stream would have none that is young enough.
    pub(crate) fn until(&mut self, first: u64, done: impl Fn(&FrameMeta) -> bool) -> (u64, Arc<FrameMeta>) {
        for index in first..first + 600 {
            let meta = self.meta(gray(128, at(index)));
            if done(&meta) {
                return (index + 1, meta);
            }
            std::thread::sleep(at(1).into());
        }
        panic!("600 frames and it is not so");
    }

    /// The messages of that type so far, as text.
    pub(crate) fn messages(&self, kind: gst::MessageType) -> Vec<String> {
        self.said(&[kind]).into_iter().map(|(_, text)| text).collect()
    }

    /// The messages of those types so far, as text and in their order.
    pub(crate) fn said(&self, kinds: &[gst::MessageType]) -> Vec<(gst::MessageType, String)> {
        let all = std::iter::from_fn(|| self.bus.pop());
        all.filter(|m| kinds.contains(&m.type_())).map(|m| (m.type_(), text_of(&m))).collect()
    }

    pub(crate) fn stat(&self, name: &str) -> u64 {
        self.element.property::<gst::Structure>("stats").get(name).unwrap()
    }
}

/// What `polypsegment` would say of a frame of that size and time.
pub(crate) fn frame_meta(
    segmentation: Option<Arc<Segmentation>>,
    badge: Badge,
    size: Size,
    time: Duration,
) -> FrameMeta {
    FrameMeta {
        segmentation,
        motion: None,
        badge,
        alarm: None,
        engine: None,
        size,
        sequence: 0,
        time,
        trace: Trace::begin(),
        over: Over::default(),
        ledger: None,
    }
}

/// The text of an error, warning, information or progress.
pub(crate) fn text_of(message: &gst::Message) -> String {
    match message.view() {
        gst::MessageView::Error(e) => e.error().message().to_owned(),
        gst::MessageView::Warning(w) => w.error().message().to_owned(),
        gst::MessageView::Info(i) => i.error().message().to_owned(),
        gst::MessageView::Progress(p) => p.get().2.to_owned(),
        _ => String::new(),
    }
}

/// The time of frame `index` at 30 frames a second.
pub(crate) fn at(index: u64) -> gst::ClockTime {
    gst::ClockTime::from_nseconds(index * 1_000_000_000 / 30)
}

pub(crate) const GRAY_CAPS: &str = "video/x-raw,format=RGB,width=16,height=16,framerate=30/1";

/// A 16x16 RGB frame of one gray.
pub(crate) fn gray(level: u8, pts: gst::ClockTime) -> gst::Buffer {
    let mut buffer = gst::Buffer::from_mut_slice(vec![level; 16 * 16 * 3]);
    let writable = buffer.get_mut().unwrap();
    writable.set_pts(pts);
    writable.set_duration(at(1));
    buffer
}

/// What the obedient engine's mask says in every cell of a frame of that gray.
pub(crate) fn mask_of(level: u8) -> u8 {
    let logit = (f64::from(level) - 128.0) / 16.0;
    (255.0 / (1.0 + (-logit).exp())).round() as u8
}

pub(crate) fn is_held(meta: &FrameMeta) -> bool {
    matches!(meta.badge, Badge::Held { .. })
}

pub(crate) fn bytes(buffer: &gst::BufferRef) -> Vec<u8> {
    buffer.map_readable().unwrap().as_slice().to_vec()
}

/// A folder with a real engine: a small lite network with random weights.
pub(crate) fn engine_folder() -> &'static PathBuf {
    static FOLDER: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = FOLDER.get_or_init(|| {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("small");
        write_engine(&path);
        (place, path)
    });
    path
}

/// Writes such a folder to `path`.
pub(crate) fn write_engine(path: &std::path::Path) {
    let model = ModelSpec { name: "small".to_owned(), side_px: SIDE, ..ModelSpec::lite() };
    polyp_engine::folder::write_random(path, model, 1).unwrap();
}
