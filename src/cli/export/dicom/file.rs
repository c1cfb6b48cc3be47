//! A DICOM file whose pixel data is longer than memory: it is gathered in a file of its own, and copied behind the attributes, which
//! say how much of it there is.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use dicom_dictionary_std::tags;
use dicom_object::FileMetaTableBuilder;
use dicom_transfer_syntax_registry::entries::EXPLICIT_VR_LITTLE_ENDIAN;

use super::set::Set;
use crate::cli::export::stills::unwritable;
use crate::cli::failure::Failure;

/// A fragment's length: a stream may be cut anywhere, at an even byte.
const FRAGMENT: usize = 4 << 20;
/// The length of what ends with a delimiter.
const UNDEFINED: u32 = u32::MAX;
const ITEM: (u16, u16) = (0xfffe, 0xe000);
const SEQUENCE_END: (u16, u16) = (0xfffe, 0xe0dd);

/// Pixel data that is being gathered.
#[derive(Debug)]
pub(super) struct Part {
    path: PathBuf,
    file: BufWriter<File>,
    bytes: u64,
}

impl Part {
    /// Gathers in the file `path`, which is removed in the end.
    pub(super) fn new(path: PathBuf) -> Result<Self, Failure> {
        let file = BufWriter::new(File::create(&path).map_err(unwritable(&path))?);
        Ok(Self { path, file, bytes: 0 })
    }

    pub(super) fn add(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes).map_err(unwritable(&self.path))
    }

    /// Bytes so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // One that is gone already is as well.
        let _gone = fs::remove_file(&self.path);
    }
}

/// How pixel data stands in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pixels {
    /// A stream in fragments.
    Stream,
    /// As it is.
    Plain,
}

/// An instance: what it is, by which transfer syntax, and its own identifier.
#[derive(Clone, Debug)]
pub(super) struct Instance<'a> {
    pub(super) class: &'a str,
    pub(super) syntax: &'a str,
    pub(super) uid: &'a str,
}

/// Writes `path`; it is there whole or not at all.
pub(super) fn write(
    path: &Path,
    instance: &Instance<'_>,
    set: &Set,
    mut part: Part,
    pixels: Pixels,
) -> Result<(), Failure> {
    part.file.flush().map_err(unwritable(&part.path))?;
    let draft = path.with_extension("unfinished");
    let made = File::create(&draft).map_err(unwritable(&draft)).and_then(|file| {
        let mut file = BufWriter::new(file);
        attributes(&mut file, instance, set).map_err(unwritable(&draft))?;
        let copied = match pixels {
            Pixels::Stream => stream(&mut file, &part),
            Pixels::Plain => plain(&mut file, &part),
        };
        copied.and_then(|()| file.flush()).map_err(unwritable(&draft))?;
        fs::rename(&draft, path).map_err(unwritable(path))
    });
    if made.is_err() {
        let _gone = fs::remove_file(&draft);
    }
    made
}

/// Preamble, meta information and attributes.
fn attributes(to: &mut impl Write, instance: &Instance<'_>, set: &Set) -> Result<(), String> {
    let meta = FileMetaTableBuilder::new()
        .media_storage_sop_class_uid(instance.class)
        .media_storage_sop_instance_uid(instance.uid)
        .transfer_syntax(instance.syntax)
        .build()
        .map_err(|error| error.to_string())?;
    to.write_all(&[0; 128]).and_then(|()| to.write_all(b"DICM")).map_err(|error| error.to_string())?;
    meta.write(&mut *to).map_err(|error| error.to_string())?;
    // Every transfer syntax that is written here has its attributes in this one.
    let syntax = EXPLICIT_VR_LITTLE_ENDIAN.erased();
    set.object().write_dataset_with_ts(to, &syntax).map_err(|error| error.to_string())
}

fn tag(to: &mut impl Write, (group, element): (u16, u16), length: u32) -> io::Result<()> {
    to.write_all(&group.to_le_bytes())?;
    to.write_all(&element.to_le_bytes())?;
    to.write_all(&length.to_le_bytes())
}

/// The pixel data element's head: other bytes, two reserved, and the length.
fn head(to: &mut impl Write, length: u32) -> io::Result<()> {
    let of = tags::PIXEL_DATA;
    to.write_all(&of.group().to_le_bytes())?;
    to.write_all(&of.element().to_le_bytes())?;
    to.write_all(b"OB\0\0")?;
    to.write_all(&length.to_le_bytes())
}

fn stream(to: &mut impl Write, part: &Part) -> io::Result<()> {
    head(to, UNDEFINED)?;
    tag(to, ITEM, 0)?; // an empty table of offsets
    let mut from = BufReader::new(File::open(&part.path)?);
    let (mut fragment, mut left) = (Vec::with_capacity(FRAGMENT), part.bytes);
    while left > 0 {
        fragment.clear();
        from.by_ref().take(FRAGMENT as u64).read_to_end(&mut fragment)?;
        left -= fragment.len() as u64;
        if fragment.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if !fragment.len().is_multiple_of(2) {
            fragment.push(0);
        }
        tag(to, ITEM, u32::try_from(fragment.len()).map_err(io::Error::other)?)?;
        to.write_all(&fragment)?;
    }
    tag(to, SEQUENCE_END, 0)
}

fn plain(to: &mut impl Write, part: &Part) -> io::Result<()> {
    let even = part.bytes.next_multiple_of(2);
    head(to, u32::try_from(even).map_err(io::Error::other)?)?;
    let copied = io::copy(&mut File::open(&part.path)?, to)?;
    if copied != part.bytes {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    to.write_all(&[0_u8; 1][..usize::try_from(even - part.bytes).unwrap_or(0)])
}
