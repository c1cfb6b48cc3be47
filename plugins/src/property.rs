//! A property written once: its words, how it is read and how it is set stand together in one table per
//! element, and a bin that shows the same property takes it from there.
//!
//! `#[derive(Properties)]` was the other road: its specifications can not be made a second time for the bin,
//! and its `default = ` changes only what gst-inspect prints.

use gst::glib;

/// One property of an element whose implementation is `E`.
#[derive(Debug)]
pub struct Property<E> {
    /// Makes its specification: name, words, range, default and when it may be changed.
    pub spec: fn() -> glib::ParamSpec,
    /// Reads it.
    pub get: fn(&E) -> glib::Value,
    /// Sets it; `None` for one that can only be read.
    pub set: Option<fn(&E, &glib::Value)>,
}

/// The specifications of a table, for `ObjectImpl::properties`.
pub fn specs<E>(table: &[Property<E>]) -> Vec<glib::ParamSpec> {
    table.iter().map(|property| (property.spec)()).collect()
}

/// The value of property number `id` (GObject counts from 1, in the order of the table).
pub fn get<E>(table: &[Property<E>], element: &E, id: usize, spec: &glib::ParamSpec) -> glib::Value {
    match id.checked_sub(1).and_then(|index| table.get(index)) {
        Some(property) => (property.get)(element),
        None => spec.default_value().clone(),
    }
}

/// Sets property number `id`. GObject has refused what can not be written by then.
pub fn set<E>(table: &[Property<E>], element: &E, id: usize, value: &glib::Value) {
    let property = id.checked_sub(1).and_then(|index| table.get(index));
    if let Some(set) = property.and_then(|property| property.set) {
        set(element, value);
    }
}

/// The text in `value`; no text is the empty one.
pub fn text(value: &glib::Value) -> String {
    value.get::<Option<String>>().ok().flatten().unwrap_or_default()
}

/// `names` with what they mean, for a blurb: `outline (one line …), fill (…)`.
pub fn choices<'a>(choices: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let words: Vec<String> = choices.into_iter().map(|(name, help)| format!("{name} ({help})")).collect();
    words.join(", ")
}
