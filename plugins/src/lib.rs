//! GStreamer elements for live polyp segmentation: the plugin `polyp` (file `libgstpolyp.so`).
//!
//! * [`polypsegment`]: asks the network about every frame and hangs what it said on the buffer.
//! * [`polypoverlay`]: paints what hangs on the buffer.
//! * [`polyprecord`]: records the clean picture and what hangs on the buffer.
//! * [`polyplive`]: all three in one bin, the element that carts use.
//! * [`polypsessionsrc`]: plays what was recorded.
//!
//! What the elements share: [`meta`] is what travels on a buffer, [`picture`] is a mapped buffer as a frame,
//! [`card`] is a buffer in a card's memory,
//! [`property`] is a property written once, [`timeline`] is the time of buffers that have none, and
//! [`troubles`] says each trouble once.
//!
//! Two promises stand above all: the picture never stops, whatever the network does, and the overlay never
//! lies: a mask is shown only while it is young enough, and what it is worth is said in the corner.
//!
//! Not here: pixels and masks (`polyp`), the network on a device (`polyp-engine`).
#![deny(unsafe_code)]

pub mod card;
mod codec;
mod lock;
pub mod meta;
pub mod picture;
pub mod polyplive;
pub mod polypoverlay;
pub mod polyprecord;
pub mod polypsegment;
pub mod polypsessionsrc;
pub mod property;
pub mod timeline;
pub mod troubles;

fn plugin_init(plugin: &gst::Plugin) -> Result<(), gst::glib::BoolError> {
    if let Some(file) = plugin.filename() {
        polyp_engine::deps::look_beside(&file);
    }
    meta::register();
    polypsegment::register(plugin)?;
    polypoverlay::register(plugin)?;
    polyprecord::register(plugin)?;
    polyplive::register(plugin)?;
    polypsessionsrc::register(plugin)
}

#[expect(missing_docs, reason = "the macro's items are C's entry points")]
mod plugin {
    use super::plugin_init;

    // The name is the file's without `libgst`: GStreamer refuses a plugin whose name differs.
    gst::plugin_define!(
        polyp,
        env!("CARGO_PKG_DESCRIPTION"),
        plugin_init,
        concat!(env!("CARGO_PKG_VERSION"), "-", env!("COMMIT_ID")),
        "MIT/X11",
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_REPOSITORY"),
        env!("BUILD_REL_DATE")
    );
}

pub use plugin::plugin_register_static;
