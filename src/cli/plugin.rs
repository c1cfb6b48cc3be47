//! GStreamer itself: started once, with our plugin in its registry, and elements made or refused with a sentence.

use gst::prelude::*;

use super::failure::Failure;
use super::place;

/// Elements that the tool uses, and the Debian package that brings each.
const PACKAGES: &[(&str, &str)] = &[
    ("appsink", "gstreamer1.0-plugins-base"),
    ("appsrc", "gstreamer1.0-plugins-base"),
    ("decodebin", "gstreamer1.0-plugins-base"),
    ("uridecodebin", "gstreamer1.0-plugins-base"),
    ("videoconvert", "gstreamer1.0-plugins-base"),
    ("videotestsrc", "gstreamer1.0-plugins-base"),
    ("autovideosink", "gstreamer1.0-plugins-good"),
    ("deinterlace", "gstreamer1.0-plugins-good"),
    ("h264parse", "gstreamer1.0-plugins-bad"),
    ("mpegtsmux", "gstreamer1.0-plugins-bad"),
    ("matroskamux", "gstreamer1.0-plugins-good"),
    ("v4l2src", "gstreamer1.0-plugins-good"),
    ("decklinkvideosrc", "gstreamer1.0-plugins-bad"),
    ("textoverlay", "gstreamer1.0-x"),
    ("x264enc", "gstreamer1.0-plugins-ugly"),
];

/// Starts GStreamer and makes sure that `polyplive` is there.
pub(super) fn start() -> Result<(), Failure> {
    gst::init().map_err(|error| {
        Failure::missing(
            format!("GStreamer can not be started: {error}"),
            "install it with `make setup` or the Debian package gstreamer1.0-tools",
        )
    })?;
    let found = || gst::ElementFactory::find("polyplive").is_some();
    let folders = place::plugin_folders();
    for folder in folders.iter().filter(|folder| folder.is_dir()) {
        if found() {
            break;
        }
        gst::Registry::get().scan_path(folder);
    }
    if found() {
        return Ok(());
    }
    let looked = folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", ");
    Err(Failure::missing(
        format!("the element polyplive was found neither in GST_PLUGIN_PATH nor in {looked}"),
        "build the plugin with `make build`, or let GST_PLUGIN_PATH name the folder of libgstpolyp.so",
    ))
}

/// An element of that factory.
pub(super) fn make(factory: &str) -> Result<gst::Element, Failure> {
    gst::ElementFactory::make(factory).build().map_err(|_error| missing(factory))
}

/// An element of that factory, under a name by which others find it.
pub(super) fn make_named(factory: &str, name: &str) -> Result<gst::Element, Failure> {
    gst::ElementFactory::make(factory).name(name).build().map_err(|_error| missing(factory))
}

fn missing(factory: &str) -> Failure {
    let remedy = match PACKAGES.iter().find(|(name, _)| *name == factory) {
        Some((_, package)) => format!("install it with the Debian package {package} (`make setup` does)"),
        None => "it is part of GStreamer's core: install the Debian package gstreamer1.0-tools".to_owned(),
    };
    Failure::missing(format!("GStreamer has no element {factory}"), remedy)
}

/// Sets a property that this version of the element may not have.
pub(super) fn set(
    element: &gst::Element,
    name: &str,
    value: impl Into<gst::glib::Value>,
) -> Result<(), Failure> {
    known(element, name)?;
    element.set_property(name, value);
    Ok(())
}

/// Sets such a property to the choice of that name.
pub(super) fn set_named(element: &gst::Element, name: &str, choice: &str) -> Result<(), Failure> {
    known(element, name)?;
    element.set_property_from_str(name, choice);
    Ok(())
}

fn known(element: &gst::Element, name: &str) -> Result<(), Failure> {
    if element.find_property(name).is_none() {
        let factory = element.factory().map(|factory| factory.name().to_string()).unwrap_or_default();
        return Err(Failure::missing(
            format!("the element {factory} has no property {name}"),
            "tool and plugin are of different versions: build both with `make build`",
        ));
    }
    Ok(())
}

/// A pad that the element is known to have.
pub(super) fn pad(element: &gst::Element, name: &str) -> Result<gst::Pad, Failure> {
    element.static_pad(name).ok_or_else(|| Failure::build(format!("{} has no pad {name}", element.name())))
}
