//! Another backend runs only where the user wrote it, and then it is announced.

use std::sync::Arc;

use gst::prelude::*;
use gstpolyp::polypsegment::Opened;
use polyp::overlay::Badge;
use polyp_engine::error::EngineError;

use crate::fixture::{GRAY_CAPS, Orders, Rig, is_held, opened, text_of, with_factory};
use crate::preparing::{Next, pass_as_they_are, patient, preparation, slow};

fn missing(backend: &'static str) -> EngineError {
    EngineError::Feature { backend, feature: "fixture" }
}

/// An engine that is there and can not be opened.
fn broken(orders: &Arc<Orders>, backend: &'static str) -> Result<Opened, EngineError> {
    let engine = Box::new(move || {
        let (step, message) = ("opening", "as ordered".to_owned());
        Err(EngineError::Backend { backend, step, message })
    });
    Ok(Opened { engine, ..opened(orders, backend)? })
}

/// A `polypsegment` on whose backends `factory` decides, with that fallback.
fn falling(
    fallback: &str,
    factory: impl Fn(&Arc<Orders>, &'static str) -> Result<Opened, EngineError> + Send + Sync + 'static,
) -> gst::Element {
    let orders = Arc::<Orders>::default();
    let element = patient(&orders);
    element.set_property("fallback", fallback);
    with_factory(&element, move |backend| factory(&orders, backend));
    element
}

fn running(rig: &Rig) -> String {
    rig.element.property::<gst::Structure>("stats").get("backend").unwrap()
}

/// The error that starting `element` ends in.
pub(crate) fn refused(element: &gst::Element) -> String {
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    assert!(element.set_state(gst::State::Paused).is_err());
    let messages: Vec<_> = std::iter::from_fn(|| bus.pop()).collect();
    element.set_state(gst::State::Null).unwrap();
    assert!(messages.iter().all(|message| message.type_() != gst::MessageType::Warning));
    text_of(messages.iter().find(|message| message.type_() == gst::MessageType::Error).unwrap())
}

#[test]
fn a_backend_that_is_missing_is_replaced_by_the_next_that_works_and_that_is_announced() {
    let element = falling("ort,reference", |orders, backend| match backend {
        "openvino" => Err(missing(backend)),
        "ort" => broken(orders, backend),
        _ => opened(orders, backend),
    });
    let mut rig = Rig::new(&element, GRAY_CAPS);
    let (next, _) = rig.until(0, is_held);
    let warnings = rig.messages(gst::MessageType::Warning);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].starts_with("backend openvino: this program was built without"), "{warnings:?}");
    let end = "; backend ort, opening: as ordered; backend reference runs instead, as property fallback says";
    assert!(warnings[0].ends_with(end), "{warnings:?}");
    assert_eq!((running(&rig).as_str(), rig.stat("starting")), ("reference", 0));
    assert_eq!(rig.stat("frames"), next);
}

#[test]
fn the_wanted_backend_runs_without_a_word_where_it_can() {
    let mut rig = Rig::new(&falling("ort", opened), GRAY_CAPS);
    rig.until(0, is_held);
    assert_eq!(rig.said(&[gst::MessageType::Warning, gst::MessageType::Progress]), []);
    assert_eq!(running(&rig), "openvino");
}

#[test]
fn without_the_property_nothing_replaces_it() {
    let element = falling("", |orders, backend| match backend {
        "openvino" => Err(missing(backend)),
        _ => opened(orders, backend),
    });
    assert_eq!(refused(&element), missing("openvino").to_string());
}

#[test]
fn where_none_works_each_is_named_with_its_reason() {
    let element = falling("ort", |orders, backend| match backend {
        "openvino" => Err(missing(backend)),
        _ => broken(orders, backend),
    });
    let expected = format!("{}; backend ort, opening: as ordered", missing("openvino"));
    assert_eq!(refused(&element), expected);
}

#[test]
fn a_failed_preparation_is_replaced_beside_the_picture() {
    for order in [Next::Fail, Next::Panic] {
        let (to, orders_of_it) = preparation();
        let element = falling("ort", move |orders, backend| match backend {
            "openvino" => slow(orders, backend, &orders_of_it),
            _ => opened(orders, backend),
        });
        let mut rig = Rig::new(&element, GRAY_CAPS);
        pass_as_they_are(&mut rig, 0..5, Badge::Starting);
        to.send(order).unwrap();
        let (next, _) = rig.until(5, |meta| {
            assert_ne!(meta.badge, Badge::Fault);
            is_held(meta)
        });
        let said = rig.said(&[gst::MessageType::Progress, gst::MessageType::Warning]);
        assert_eq!(said.len(), 3, "{said:?}");
        assert_eq!(said[1].1, "backend ort: the engine is ready");
        assert!(said[2].1.starts_with("backend openvino: ") && said[2].1.contains("as ordered"), "{said:?}");
        assert!(said[2].1.ends_with("; backend ort runs instead, as property fallback says"), "{said:?}");
        assert_eq!((running(&rig).as_str(), rig.stat("frames")), ("ort", next));
    }
}

#[test]
fn a_preparation_may_be_what_is_fallen_back_to() {
    let (to, orders_of_it) = preparation();
    let element = falling("ort", move |orders, backend| match backend {
        "openvino" => broken(orders, backend),
        _ => slow(orders, backend, &orders_of_it),
    });
    let mut rig = Rig::new(&element, GRAY_CAPS);
    pass_as_they_are(&mut rig, 0..5, Badge::Starting);
    assert_eq!(rig.messages(gst::MessageType::Warning), [""; 0], "it does not run yet");
    to.send(Next::Succeed).unwrap();
    rig.until(5, is_held);
    let warnings = rig.messages(gst::MessageType::Warning);
    let expected =
        "backend openvino, opening: as ordered; backend ort runs instead, as property fallback says";
    assert_eq!(warnings, [expected]);
}

#[test]
fn where_none_works_beside_the_picture_one_warning_names_each() {
    let (to, orders_of_it) = preparation();
    let element = falling("ort,reference", move |orders, backend| match backend {
        "openvino" => slow(orders, backend, &orders_of_it),
        "ort" => Err(missing(backend)),
        _ => broken(orders, backend),
    });
    let mut rig = Rig::new(&element, GRAY_CAPS);
    to.send(Next::Fail).unwrap();
    let (next, _) = rig.until(0, |meta| meta.badge == Badge::Fault);
    pass_as_they_are(&mut rig, next..next + 40, Badge::Fault);
    let warnings = rig.messages(gst::MessageType::Warning);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    for part in [
        "backend openvino: backend fixture, building",
        "backend ort: this program",
        "backend reference, opening",
    ] {
        assert!(warnings[0].contains(part), "{part}: {warnings:?}");
    }
}
