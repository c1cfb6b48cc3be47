//! A latency budget: what is over it is named, counted and announced, and the picture is spared where that is asked for.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gst::prelude::*;
use gstpolyp::meta;
use gstpolyp::polypsegment::BUDGET;
use polyp::overlay::Badge;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::fixture::{GRAY_CAPS, Orders, Rig, at, gray, is_held, segmenter};

/// A segmenter whose every frame is over the budget.
fn over(missed: &str) -> (Arc<Orders>, Rig) {
    let orders = Arc::<Orders>::default();
    let element = segmenter(&orders);
    element.set_property("budget", "segment=0.01us");
    element.set_property_from_str("budget-missed", missed);
    let rig = Rig::new(&element, GRAY_CAPS);
    (orders, rig)
}

/// The element messages of that name since the last call.
pub(crate) fn told(rig: &Rig, name: &str) -> Vec<gst::Structure> {
    let bus = rig.harness.element().unwrap().bus().unwrap();
    let messages = std::iter::from_fn(|| bus.pop_filtered(&[gst::MessageType::Element]));
    let structures = messages.filter_map(|message| message.structure().map(ToOwned::to_owned));
    structures.filter(|structure| structure.name() == name).collect()
}

fn string_on(buffer: &gst::BufferRef, field: &str) -> Option<String> {
    let meta = gst::meta::CustomMeta::from_buffer(buffer, meta::NAME).unwrap();
    meta.structure().get::<String>(field).ok()
}

#[test]
fn a_frame_over_its_budget_says_so_and_is_counted() {
    let (_orders, mut rig) = over("announce");
    for index in 0..10 {
        let (buffer, _) = rig.pass(gray(128, at(index)));
        assert_eq!(string_on(&buffer, "over-budget").as_deref(), Some("segment"));
    }
    assert_eq!((rig.stat("segment-over"), rig.stat("segment-limit")), (10, 10));
    let said = told(&rig, BUDGET);
    assert_eq!(said.len(), 1, "once, and not for every frame: {said:?}");
    assert_eq!(said[0].get::<String>("stage").unwrap(), "segment");
    assert!(said[0].get::<u64>("time").unwrap() > said[0].get::<u64>("limit").unwrap());
    // Announced is all that it is: masks go on.
    rig.until(10, is_held);
}

#[test]
fn within_its_budget_nothing_is_said() {
    let orders = Arc::<Orders>::default();
    let element = segmenter(&orders);
    element.set_property("budget", "segment=1000ms");
    let mut rig = Rig::new(&element, GRAY_CAPS);
    for index in 0..40 {
        let (buffer, _) = rig.pass(gray(128, at(index)));
        assert_eq!(string_on(&buffer, "over-budget"), None);
    }
    assert_eq!(rig.stat("segment-over"), 0);
    assert!(told(&rig, BUDGET).is_empty());
}

#[test]
fn with_skip_the_network_rests_and_the_badge_says_so() {
    let (_orders, mut rig) = over("skip");
    let badges: Vec<Badge> = (0..30).map(|index| rig.meta(gray(128, at(index))).badge).collect();
    assert!(badges[3..].iter().all(|badge| *badge == Badge::Late), "{badges:?}");
    let asked = rig.stat("asked");
    assert!(asked <= 3, "{asked}");
    let said = told(&rig, BUDGET);
    assert_eq!(said[0].get::<String>("doing").unwrap(), "the network rests");
}

#[test]
fn with_lower_rate_fewer_frames_are_asked_about() {
    let (orders, mut rig) = over("lower-rate");
    orders.delay(Duration::ZERO);
    for index in 0..60 {
        rig.meta(gray(128, at(index)));
        std::thread::sleep(Duration::from_millis(5));
    }
    // Three before the first relief, then every second, fourth and eighth.
    let asked = rig.stat("asked");
    assert!((4..=20).contains(&asked), "{asked} of 60 frames");
}

#[test]
fn a_budget_that_is_none_is_refused_in_a_sentence() {
    let orders = Arc::<Orders>::default();
    let mut rig = Rig::new(&segmenter(&orders), GRAY_CAPS);
    rig.meta(gray(128, at(0)));
    let element = rig.harness.element().unwrap();
    element.set_property("budget", "render=1ms");
    let warnings = rig.messages(gst::MessageType::Warning);
    assert!(
        warnings.iter().any(|warning| warning.contains("budget \"render=1ms\": expected STAGE=TIME")),
        "{warnings:?}"
    );
    assert_eq!(element.property::<String>("budget"), "", "the old value stays");
}

#[test]
fn figures_are_posted_as_often_as_is_asked() {
    let orders = Arc::<Orders>::default();
    let element = segmenter(&orders);
    element.set_property("stats-interval", 200_000_000_u64);
    let mut rig = Rig::new(&element, GRAY_CAPS);
    for index in 0..31 {
        rig.meta(gray(128, at(index)));
    }
    // A second of the stream's time, and nothing of its first frame.
    let posted = told(&rig, "polypsegment-stats");
    assert!((4..=5).contains(&posted.len()), "{}", posted.len());
    let frames: Vec<u64> = posted.iter().map(|stats| stats.get("frames").unwrap()).collect();
    assert!(frames.is_sorted() && frames[0] >= 6, "{frames:?}");
}

#[test]
fn figures_are_served_while_it_runs_and_no_longer() {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let orders = Arc::<Orders>::default();
    let element = segmenter(&orders);
    element.set_property("metrics-port", u32::from(port));
    let mut rig = Rig::new(&element, GRAY_CAPS);
    rig.until(0, is_held);
    let get = |path: &str| {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok::<_, std::io::Error>(answer)
    };
    let metrics = get("/metrics").unwrap();
    assert!(metrics.contains("polyp_stage_seconds_count{stage=\"segment\"}"), "{metrics}");
    let served: u64 = metrics
        .lines()
        .find_map(|line| line.strip_prefix("polyp_frames_total{state=\"held\"} "))
        .and_then(|count| count.parse().ok())
        .unwrap();
    assert_eq!(served, rig.stat("held"), "one source");
    assert!(get("/trace.json").unwrap().contains("\"name\":\"infer\""));
    drop(rig);
    element.set_state(gst::State::Null).unwrap();
    assert!(get("/metrics").is_err());
}

/// What is written down by `tracing`, as text.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn whoever_listens_to_tracing_hears_of_every_stage() {
    let written = Written::default();
    let to = written.clone();
    let listening = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(FmtSpan::CLOSE)
        .with_ansi(false)
        .with_writer(move || to.clone())
        .finish();
    let mut rig = crate::motion::rig(&Arc::default());
    let overlay = gst::ElementFactory::make("polypoverlay").build().unwrap();
    let mut overlay = Rig::new(&overlay, crate::motion::CAPS);
    tracing::subscriber::with_default(listening, || {
        for index in 0..30 {
            std::thread::sleep(at(1).into());
            let (buffer, _) = rig.pass(crate::motion::frame(1, index, 160));
            overlay.pass(buffer);
        }
    });
    let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    // Each with the frame that it is about; the network's are in a thread of its own, which this does not hear.
    for span in ["segment{sequence=3}:", "segment{sequence=29}:motion:", ":copy:", "paint{sequence=29}:"] {
        assert!(text.contains(span), "{span} in {text}");
    }
}

#[test]
fn what_a_sink_says_of_a_frame_is_written_down_once() {
    let orders = Arc::<Orders>::default();
    let mut rig = Rig::new(&segmenter(&orders), GRAY_CAPS);
    for index in 0..3 {
        rig.meta(gray(128, at(index)));
    }
    std::thread::sleep(Duration::from_millis(20));
    let say = |rig: &mut Rig, index| {
        let said = gst::event::Qos::builder(gst::QOSType::Underflow, 1.0, -1_000_000).timestamp(at(index));
        rig.harness.push_upstream_event(said.build())
    };
    // Of a frame that never was, nothing is known.
    assert!(say(&mut rig, 2) && say(&mut rig, 2) && say(&mut rig, 40));
    assert_eq!(rig.stat("sink-count"), 1);
    assert!(rig.stat("sink-longest") >= 20_000_000, "{}", rig.stat("sink-longest"));
    // After a flush a time may come again that was another frame's.
    rig.harness.push_event(gst::event::FlushStart::new());
    rig.harness.push_event(gst::event::FlushStop::new(true));
    say(&mut rig, 1);
    assert_eq!(rig.stat("sink-count"), 1);
}
