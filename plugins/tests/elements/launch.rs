//! The pipelines in the elements' documentation, as they stand there, with a real engine.

use gst::prelude::*;
use polyp_engine::engine::Backend;

use crate::fixture::{engine_folder, init, text_of};

const DOCUMENTED: [(&str, &str); 3] = [
    ("polypsegment", include_str!("../../src/polypsegment/mod.rs")),
    ("polypoverlay", include_str!("../../src/polypoverlay/mod.rs")),
    ("polyplive", include_str!("../../src/polyplive/mod.rs")),
];

/// The lines after `gst-launch-1.0` in a file's documentation.
fn pipelines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| line.split_once("gst-launch-1.0 ")).map(|(_, pipeline)| pipeline)
}

#[test]
fn every_documented_pipeline_alone_runs_to_its_end() {
    init();
    if let Err(error) = (Backend::named("openvino").unwrap().available)() {
        println!("skipped: the documented pipelines, because {error}");
        return;
    }
    for (element, text) in DOCUMENTED {
        assert!(pipelines(text).count() >= 1, "{element} documents no pipeline");
        for line in pipelines(text) {
            assert!(line.contains(element), "{line}");
            // A screen is not needed to see that it runs.
            let line = line.replace("ENGINE", &engine_folder().display().to_string());
            let line = line.replace("autovideosink", "fakesink sync=true");
            run(&line);
        }
    }
}

fn run(line: &str) {
    let pipeline = gst::parse::launch(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    pipeline.set_state(gst::State::Playing).unwrap_or_else(|error| panic!("{line}: {error}"));
    let ends = [gst::MessageType::Eos, gst::MessageType::Error, gst::MessageType::Warning];
    let end = pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(60), &ends);
    pipeline.set_state(gst::State::Null).unwrap();
    let end = end.unwrap_or_else(|| panic!("{line}: no end within a minute"));
    assert_eq!(end.type_(), gst::MessageType::Eos, "{line}: {}", text_of(&end));
}
