//! Properties: what gst-inspect says of them is so.

use gst::glib;
use gst::prelude::*;

use crate::fixture::init;

const ELEMENTS: [&str; 3] = ["polypsegment", "polypoverlay", "polyplive"];

fn own_properties(name: &str) -> (gst::Element, Vec<glib::ParamSpec>) {
    init();
    let element = gst::ElementFactory::make(name).build().unwrap();
    let all = element.list_properties();
    let own = all.iter().filter(|spec| spec.owner_type() == element.type_()).cloned().collect();
    (element, own)
}

#[test]
fn every_declared_default_is_a_fresh_elements_value() {
    for name in ELEMENTS {
        let (element, specs) = own_properties(name);
        assert!(specs.len() >= 9, "{name}");
        for spec in specs.iter().filter(|spec| spec.flags().contains(glib::ParamFlags::WRITABLE)) {
            let (declared, fresh) = (spec.default_value(), element.property_value(spec.name()));
            let text = |value: &glib::Value| format!("{value:?}");
            assert_eq!(text(declared), text(&fresh), "{name}, property {}", spec.name());
        }
    }
}

#[test]
fn every_property_reads_like_a_manual() {
    for name in ELEMENTS {
        for spec in own_properties(name).1 {
            let blurb = spec.blurb().map(|blurb| blurb.to_string()).unwrap_or_default();
            assert!(blurb.len() > 40, "{name}, property {}: {blurb:?}", spec.name());
            let said = gst::PARAM_FLAG_MUTABLE_PLAYING | gst::PARAM_FLAG_MUTABLE_READY;
            let written = spec.flags().contains(glib::ParamFlags::WRITABLE);
            assert!(!written || spec.flags().intersects(said), "{name}, property {}: when?", spec.name());
            let is_time = spec.downcast_ref::<glib::ParamSpecUInt64>().is_some();
            let has_unit = blurb.contains("nanoseconds") || blurb.contains("bytes");
            assert!(!is_time || has_unit, "{name}, property {}: unit?", spec.name());
        }
    }
}

#[test]
fn what_is_set_is_read_back() {
    for name in ELEMENTS {
        let (element, specs) = own_properties(name);
        for spec in specs.iter().filter(|spec| spec.flags().contains(glib::ParamFlags::WRITABLE)) {
            let other = if let Some(spec) = spec.downcast_ref::<glib::ParamSpecUInt64>() {
                (spec.maximum() - 1).to_value()
            } else if let Some(spec) = spec.downcast_ref::<glib::ParamSpecFloat>() {
                spec.maximum().to_value()
            } else if spec.downcast_ref::<glib::ParamSpecUInt>().is_some() {
                3_u32.to_value()
            } else if let Some(spec) = spec.downcast_ref::<glib::ParamSpecBoolean>() {
                (!spec.default_value()).to_value()
            } else if spec.downcast_ref::<glib::ParamSpecString>().is_some() {
                "something else".to_value()
            } else if spec.value_type() == gstpolyp::polypsegment::Mode::static_type() {
                gstpolyp::polypsegment::Mode::Locked.to_value()
            } else if spec.value_type() == gstpolyp::polypsegment::BudgetMissed::static_type() {
                gstpolyp::polypsegment::BudgetMissed::Skip.to_value()
            } else {
                gstpolyp::polypsegment::Isolation::Process.to_value()
            };
            element.set_property_from_value(spec.name(), &other);
            let found = element.property_value(spec.name());
            assert_eq!(format!("{found:?}"), format!("{other:?}"), "{name}, property {}", spec.name());
        }
    }
}

#[test]
fn the_bin_has_every_property_of_both_and_sets_it_on_those_that_have_it() {
    let (live, specs) = own_properties("polyplive");
    let bin = live.downcast_ref::<gst::Bin>().unwrap();
    let children = ["segment", "overlay"].map(|name| bin.by_name(name).unwrap());
    for child in &children {
        for spec in own_properties(&child.factory().map(|f| f.name().to_string()).unwrap_or_default()).1 {
            assert!(specs.iter().any(|own| own.name() == spec.name()), "{} is missing", spec.name());
        }
    }
    live.set_property("max-mask-age", 50_000_000_u64);
    live.set_property("enabled", false);
    live.set_property("threshold", 0.25_f32);
    live.set_property_from_str("mode", "locked");
    for child in &children {
        assert_eq!(child.property::<u64>("max-mask-age"), 50_000_000);
        assert!(!child.property::<bool>("enabled"));
    }
    assert_eq!(children[1].property::<f32>("threshold"), 0.25);
    assert_eq!(
        children[0].property::<gstpolyp::polypsegment::Mode>("mode"),
        gstpolyp::polypsegment::Mode::Locked
    );
}
