//! Reading a data set: what is in it, checked when it is opened, and its pictures.
//!
//! The HDF5 library reads one picture at a time in a process, and inflating one takes some milliseconds; so
//! pictures that were read stay in memory, up to a bound.
//!
//! Not here: the file's layout and writing ([`super::DataSetWriter`]).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use hdf5::types::VarLenUnicode;
use polyp::frame::{MAX_SIDE_PX, Size};

use super::Captions;
use super::write::{CAPTION, COLUMNS, FORMAT, READ_VERSIONS, key};
use crate::TrainingError;

/// Decoded pictures kept in memory unless told otherwise, in bytes (768 MiB: 1600 pictures of 352x352), so
/// that a trainer stays below 2 GiB whatever the data set's size.
pub const CACHE_BYTES: u64 = 768 << 20;

/// The side of a data set that a picture is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Split {
    /// To learn from.
    Train,
    /// To choose the checkpoint and the temperature by.
    Validation,
    /// To report, once.
    Test,
}

impl Split {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// As it is written in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }

    /// The split of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|split| split.name() == name)
    }
}

/// What is known of a picture without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// Its name in the data set it comes from; unique.
    pub name: String,
    /// What must stay on one side: a sequence, a patient, a set of near-duplicates; else its own name.
    pub group: String,
    /// Its side.
    pub split: Split,
    /// The data set it comes from.
    pub source: String,
    /// The terms of that data set.
    pub licence: String,
    /// Its own size.
    pub size: Size,
    /// What is said of it.
    pub captions: Captions,
}

impl Info {
    /// Its text in one of [`COLUMNS`].
    pub(super) fn column(&self, column: &str) -> &str {
        match column {
            "name" => &self.name,
            "group" => &self.group,
            "split" => self.split.name(),
            "source" => &self.source,
            _ => &self.licence,
        }
    }
}

/// A picture and its mask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Red, green, blue, `[H,W,3]`.
    pub rgb: Vec<u8>,
    /// 1 where there is a polyp, else 0, `[H,W]`.
    pub mask: Vec<u8>,
    /// Width and height.
    pub size: Size,
}

/// An open data set. May be used by many threads at once.
#[derive(Debug)]
pub struct DataSet {
    path: PathBuf,
    file: hdf5::File,
    infos: Vec<Info>,
    cache: Vec<OnceLock<Arc<Picture>>>,
    cached: AtomicU64,
    cache_limit: u64,
}

impl DataSet {
    /// Opens a data set and checks everything but the samples; keeps up to [`CACHE_BYTES`] of pictures in
    /// memory.
    ///
    /// # Errors
    /// [`TrainingError`] naming the file and what is wrong in it: cut short, another format or version, a
    /// missing column, a size that does not fit, a name twice, a group on two sides.
    pub fn open(path: &Path) -> Result<Self, TrainingError> {
        Self::open_with_cache(path, CACHE_BYTES)
    }

    /// [`Self::open`] with another bound, in bytes, on the pictures kept in memory.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with_cache(path: &Path, cache_limit: u64) -> Result<Self, TrainingError> {
        let file = hdf5::File::open(path).map_err(TrainingError::hdf5(path, "open the data set"))?;
        let version = check_format(path, &file)?;
        let infos = read_infos(path, &file, version)?;
        let cache = infos.iter().map(|_| OnceLock::new()).collect();
        Ok(Self { path: path.to_owned(), file, infos, cache, cached: AtomicU64::new(0), cache_limit })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many pictures there are.
    pub fn len(&self) -> usize {
        self.infos.len()
    }

    /// Whether there are none; never so for a file that opened.
    pub fn is_empty(&self) -> bool {
        self.infos.is_empty()
    }

    /// What is known of picture `index`; none beyond the last.
    pub fn info(&self, index: usize) -> Option<&Info> {
        self.infos.get(index)
    }

    /// What is known of every picture, in order.
    pub fn infos(&self) -> &[Info] {
        &self.infos
    }

    /// The pictures of one side, in order.
    pub fn indices(&self, split: Split) -> Vec<usize> {
        let on_side = |(index, info): (usize, &Info)| (info.split == split).then_some(index);
        self.infos.iter().enumerate().filter_map(on_side).collect()
    }

    /// Reads picture `index`, from memory when it was read before.
    ///
    /// # Errors
    /// [`TrainingError`] when there is no such picture, its samples can not be read, or its mask is not of
    /// zeros and ones.
    pub fn read(&self, index: usize) -> Result<Arc<Picture>, TrainingError> {
        let (Some(info), Some(slot)) = (self.infos.get(index), self.cache.get(index)) else {
            let last = format!("0 to {}", self.infos.len().saturating_sub(1));
            return Err(TrainingError::field(&self.path, "picture", last, index.to_string()));
        };
        if let Some(picture) = slot.get() {
            return Ok(Arc::clone(picture));
        }
        let picture = Arc::new(self.read_file(index, info)?);
        let bytes = (picture.rgb.len() + picture.mask.len()) as u64;
        let before = self.cached.fetch_add(bytes, Ordering::Relaxed);
        // Refused by the bound, or another thread was quicker: not counted.
        if before + bytes > self.cache_limit || slot.set(Arc::clone(&picture)).is_err() {
            self.cached.fetch_sub(bytes, Ordering::Relaxed);
        }
        Ok(picture)
    }

    fn read_file(&self, index: usize, info: &Info) -> Result<Picture, TrainingError> {
        let raw = |group: &str| {
            let read = || self.file.dataset(&format!("{group}/{}", key(index)))?.read_raw::<u8>();
            read().map_err(TrainingError::hdf5(&self.path, format!("read {group} {}", info.name)))
        };
        let (rgb, mask) = (raw("picture")?, raw("mask")?);
        if let Some(value) = mask.iter().find(|value| **value > 1) {
            let field = format!("mask of {}", info.name);
            return Err(TrainingError::field(&self.path, field, "only 0 and 1", value.to_string()));
        }
        Ok(Picture { rgb, mask, size: info.size })
    }
}

/// The file's version, one of those that are read.
fn check_format(path: &Path, file: &hdf5::File) -> Result<u32, TrainingError> {
    let format = file.attr("format").and_then(|attr| attr.read_scalar::<VarLenUnicode>());
    let format = format.map(|text| text.to_string()).unwrap_or_else(|_| "none".to_owned());
    if format != FORMAT {
        return Err(TrainingError::field(path, "attribute format", FORMAT, format));
    }
    let version = file
        .attr("format_version")
        .and_then(|attr| attr.read_scalar::<u32>())
        .map_err(TrainingError::hdf5(path, "read attribute format_version"))?;
    if !READ_VERSIONS.contains(&version) {
        let expected = READ_VERSIONS.map(|version| version.to_string()).join(" or ");
        return Err(TrainingError::field(path, "attribute format_version", expected, version.to_string()));
    }
    Ok(version)
}

fn read_infos(path: &Path, file: &hdf5::File, version: u32) -> Result<Vec<Info>, TrainingError> {
    let mut columns = Vec::with_capacity(COLUMNS.len());
    for column in COLUMNS {
        let read = || file.dataset(column)?.read_raw::<VarLenUnicode>();
        let values = read().map_err(TrainingError::hdf5(path, format!("read column {column}")))?;
        columns.push(values.into_iter().map(|value| value.to_string()).collect::<Vec<_>>());
    }
    let Ok([names, groups, splits, sources, licences]) = <[Vec<String>; 5]>::try_from(columns) else {
        return Err(TrainingError::field(path, "columns", "5", "fewer"));
    };
    let count = names.len();
    if count == 0 {
        return Err(TrainingError::field(path, "pictures", "at least one", "none"));
    }
    for (column, found) in [
        ("group", groups.len()),
        ("split", splits.len()),
        ("source", sources.len()),
        ("licence", licences.len()),
    ] {
        if found != count {
            let expected = format!("{count} lines, as column name has");
            return Err(TrainingError::field(path, format!("column {column}"), expected, found.to_string()));
        }
    }
    let captions =
        if version == 1 { vec![Captions::default(); count] } else { read_captions(path, file, count)? };
    let mut infos = Vec::with_capacity(count);
    let texts = names.into_iter().zip(groups).zip(splits).zip(sources).zip(licences).zip(captions);
    for (index, (((((name, group), split), source), licence), captions)) in texts.enumerate() {
        let split = Split::from_name(&split).ok_or_else(|| {
            TrainingError::field(path, format!("split of {name}"), "train, validation or test", split)
        })?;
        let size = read_size(path, file, index, &name)?;
        infos.push(Info { name, group, split, source, licence, size, captions });
    }
    check_sides(path, &infos)?;
    Ok(infos)
}

fn read_captions(path: &Path, file: &hdf5::File, count: usize) -> Result<Vec<Captions>, TrainingError> {
    let read = || {
        let dataset = file.dataset(CAPTION)?;
        Ok((dataset.shape(), dataset.read_raw::<VarLenUnicode>()?))
    };
    let (shape, texts) = read().map_err(TrainingError::hdf5(path, format!("read {CAPTION}")))?;
    if shape != [count, Captions::COUNT] {
        let expected = format!("shape [{count}, {}]", Captions::COUNT);
        return Err(TrainingError::field(path, CAPTION, expected, format!("{shape:?}")));
    }
    let lines = texts.as_chunks::<{ Captions::COUNT }>().0;
    Ok(lines.iter().map(|texts| Captions::new(texts.each_ref().map(ToString::to_string))).collect())
}

fn read_size(path: &Path, file: &hdf5::File, index: usize, name: &str) -> Result<Size, TrainingError> {
    let shape = |group: &str| {
        let dataset = file.dataset(&format!("{group}/{}", key(index)));
        dataset.map(|d| d.shape()).map_err(TrainingError::hdf5(path, format!("open {group} {name}")))
    };
    let (picture, mask) = (shape("picture")?, shape("mask")?);
    let in_range = |side: usize| u32::try_from(side).ok().filter(|side| (1..=MAX_SIDE_PX).contains(side));
    if let ([height, width, 3], [mask_height, mask_width]) = (picture.as_slice(), mask.as_slice())
        && (height, width) == (mask_height, mask_width)
        && let (Some(width), Some(height)) = (in_range(*width), in_range(*height))
    {
        return Ok(Size::new(width, height));
    }
    let expected = format!("shapes [H,W,3] and [H,W], sides from 1 to {MAX_SIDE_PX}");
    let found = format!("{picture:?} and {mask:?}");
    Err(TrainingError::field(path, format!("picture and mask of {name}"), expected, found))
}

/// No name twice, no group on two sides.
fn check_sides(path: &Path, infos: &[Info]) -> Result<(), TrainingError> {
    let mut names = BTreeMap::new();
    let mut sides = BTreeMap::new();
    for info in infos {
        if names.insert(&info.name, ()).is_some() {
            return Err(TrainingError::field(path, "name", "each name once", format!("{} twice", info.name)));
        }
        let side = *sides.entry(&info.group).or_insert(info.split);
        if side != info.split {
            let field = format!("group {} of picture {}", info.group, info.name);
            let expected = format!("split {}, as the group's other pictures", side.name());
            return Err(TrainingError::field(path, field, expected, info.split.name()));
        }
    }
    Ok(())
}
