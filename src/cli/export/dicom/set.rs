//! DICOM attributes, each with the value representation that the standard's dictionary gives it.

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::value::{C, DataSetSequence, PrimitiveValue};
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::{StandardDataDictionary, tags};
use dicom_object::mem::InMemDicomObject;

/// A data set, or an item of a sequence.
#[derive(Clone, Debug)]
pub(super) struct Set(InMemDicomObject);

impl Set {
    pub(super) fn new() -> Self {
        Self(InMemDicomObject::new_empty())
    }

    fn with(mut self, tag: Tag, value: PrimitiveValue) -> Self {
        let vr = StandardDataDictionary.by_tag(tag).map_or(VR::UN, |entry| entry.vr().relaxed());
        self.0.put(DataElement::new(tag, vr, value));
        self
    }

    /// One text; an empty one is written without a value.
    pub(super) fn text(self, tag: Tag, text: impl Into<String>) -> Self {
        let text = text.into();
        self.with(tag, if text.is_empty() { PrimitiveValue::Empty } else { PrimitiveValue::Str(text) })
    }

    /// Several of them.
    pub(super) fn texts(self, tag: Tag, texts: impl IntoIterator<Item = String>) -> Self {
        self.with(tag, PrimitiveValue::Strs(texts.into_iter().collect::<C<String>>()))
    }

    /// A number of 16 bits.
    pub(super) fn number(self, tag: Tag, number: u16) -> Self {
        self.with(tag, PrimitiveValue::from(number))
    }

    /// Numbers of 32 bits.
    pub(super) fn longs(self, tag: Tag, numbers: impl IntoIterator<Item = u32>) -> Self {
        self.with(tag, PrimitiveValue::U32(numbers.into_iter().collect()))
    }

    /// The name of another attribute.
    pub(super) fn tag(self, tag: Tag, named: Tag) -> Self {
        self.with(tag, PrimitiveValue::Tags(C::from_elem(named, 1)))
    }

    /// A sequence.
    pub(super) fn items(mut self, tag: Tag, items: impl IntoIterator<Item = Self>) -> Self {
        let items: Vec<InMemDicomObject> = items.into_iter().map(|item| item.0).collect();
        self.0.put(DataElement::new(tag, VR::SQ, DataSetSequence::from(items)));
        self
    }

    /// A sequence of one coded concept.
    pub(super) fn code(self, tag: Tag, Code(value, scheme, meaning): Code) -> Self {
        let item = Self::new()
            .text(tags::CODE_VALUE, value)
            .text(tags::CODING_SCHEME_DESIGNATOR, scheme)
            .text(tags::CODE_MEANING, meaning);
        self.items(tag, [item])
    }

    /// All of this and of that.
    pub(super) fn and(mut self, other: Self) -> Self {
        for element in other.0 {
            self.0.put(element);
        }
        self
    }

    pub(super) fn object(&self) -> &InMemDicomObject {
        &self.0
    }
}

/// A concept: its code, the scheme that the code is of, and what it means.
#[derive(Clone, Copy, Debug)]
pub(super) struct Code(pub(super) &'static str, pub(super) &'static str, pub(super) &'static str);

/// An identifier of its own for whatever needs one (2.25 and a random number: ITU-T X.667).
pub(super) fn new_uid() -> String {
    format!("2.25.{}", uuid::Uuid::new_v4().as_u128())
}
