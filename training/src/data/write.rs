//! The HDF5 file of a data set, and writing it.
//!
//! # Format, version 2
//! | path | type and shape | what |
//! |---|---|---|
//! | `/` attribute `format` | text | `polyp-data-set` |
//! | `/` attribute `format_version` | u32 | 2 |
//! | `/name`, `/group`, `/split`, `/source`, `/licence` | UTF-8 text `[N]` | one line per picture; `split` is `train`, `validation` or `test` |
//! | `/caption` | UTF-8 text `[N,6]` | captions p1 to p6 ([`Captions`](super::Captions)); empty where there is none |
//! | `/picture/000000` ... | u8 `[H,W,3]` | red, green, blue, at the picture's own size |
//! | `/mask/000000` ... | u8 `[H,W]` | 1 where there is a polyp, else 0 |
//!
//! Pictures and masks are named by their index, with six digits or as many as it has, and are one chunk each,
//! shuffled and deflated (level 4): every HDF5 tool from 1.10 on reads that without plug-ins. Objects are written
//! in the form of HDF5 1.10, whose index of a single chunk takes no room. A group is on one side only. The file is written beside its final name and then renamed, so a
//! file of that name is whole.
//!
//! Version 1 has no `/caption`; it is still read, as a data set without captions.
//!
//! Not here: reading ([`super::DataSet`]).

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use hdf5::types::VarLenUnicode;

use super::Captions;
use super::set::{Info, Picture, Split};
use crate::TrainingError;

/// The `format` attribute of every data set.
pub const FORMAT: &str = "polyp-data-set";

/// The `format_version` that is written.
pub const FORMAT_VERSION: u32 = 2;

/// Every `format_version` that is read.
pub(super) const READ_VERSIONS: [u32; 2] = [1, FORMAT_VERSION];

/// The data set of captions, since version 2.
pub(super) const CAPTION: &str = "caption";

/// The text columns, in the order of [`Columns`].
pub(super) const COLUMNS: [&str; 5] = ["name", "group", "split", "source", "licence"];

/// Writes one data set, picture by picture. The file appears under its name when [`Self::finish`] is called,
/// and not at all otherwise.
#[derive(Debug)]
pub struct DataSetWriter {
    path: PathBuf,
    unfinished: PathBuf,
    file: Option<hdf5::File>,
    infos: Vec<Info>,
    sides: HashMap<String, Split>,
    names: HashMap<String, usize>,
}

impl DataSetWriter {
    /// Starts the file `path`, and makes its folder if there is none; an older one of that name stays until [`Self::finish`].
    ///
    /// # Errors
    /// [`TrainingError::Hdf5`] when the folder can not be written to.
    pub fn create(path: &Path) -> Result<Self, TrainingError> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.unfinished", std::process::id()));
        let unfinished = path.with_file_name(name);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(TrainingError::file("make", folder))?;
        }
        let create = || -> hdf5::Result<hdf5::File> {
            let file =
                hdf5::File::with_options().with_fapl(|access| access.libver_v110()).create(&unfinished)?;
            file.new_attr::<VarLenUnicode>().create("format")?.write_scalar(&text(FORMAT))?;
            file.new_attr::<u32>().create("format_version")?.write_scalar(&FORMAT_VERSION)?;
            file.create_group("picture")?;
            file.create_group("mask")?;
            Ok(file)
        };
        let file = create().map_err(TrainingError::hdf5(path, "create the data set"))?;
        Ok(Self {
            path: path.to_owned(),
            unfinished,
            file: Some(file),
            infos: Vec::new(),
            sides: HashMap::new(),
            names: HashMap::new(),
        })
    }

    /// Adds a picture. `info.size` is the picture's.
    ///
    /// # Errors
    /// [`TrainingError::Field`] when the name is there already, the group is on another side, or the
    /// lengths do not fit the size; [`TrainingError::Hdf5`] when writing fails.
    pub fn add(&mut self, info: Info, picture: &Picture) -> Result<(), TrainingError> {
        self.check(&info, picture)?;
        let (height, width) = (picture.size.height as usize, picture.size.width as usize);
        let key = key(self.infos.len());
        let Some(file) = &self.file else { return Ok(()) };
        let add = || -> hdf5::Result<()> {
            let rgb = file.new_dataset::<u8>().chunk((height, width, 3)).shuffle().deflate(4);
            rgb.shape((height, width, 3))
                .create(format!("picture/{key}").as_str())?
                .write_raw(&picture.rgb)?;
            let mask = file.new_dataset::<u8>().chunk((height, width)).shuffle().deflate(4);
            mask.shape((height, width)).create(format!("mask/{key}").as_str())?.write_raw(&picture.mask)
        };
        add().map_err(TrainingError::hdf5(&self.path, format!("write picture {}", info.name)))?;
        self.sides.insert(info.group.clone(), info.split);
        self.names.insert(info.name.clone(), self.infos.len());
        self.infos.push(info);
        Ok(())
    }

    fn check(&self, info: &Info, picture: &Picture) -> Result<(), TrainingError> {
        let wrong = |field: String, expected: String, found: String| {
            Err(TrainingError::field(&self.path, field, expected, found))
        };
        let name = &info.name;
        if self.names.contains_key(name) {
            return wrong("name".to_owned(), "each name once".to_owned(), format!("{name} twice"));
        }
        if let Some(side) = self.sides.get(&info.group).filter(|side| **side != info.split) {
            return wrong(
                format!("group {} of picture {name}", info.group),
                format!("split {}, as the group's other pictures", side.name()),
                info.split.name().to_owned(),
            );
        }
        let area = picture.size.area();
        if area == 0 || picture.size != info.size {
            return wrong(format!("size of picture {name}"), info.size.to_string(), picture.size.to_string());
        }
        if picture.rgb.len() != 3 * area || picture.mask.len() != area {
            let found = format!("{} samples and {} mask values", picture.rgb.len(), picture.mask.len());
            return wrong(format!("picture {name}"), format!("{} and {area}", 3 * area), found);
        }
        if let Some(value) = picture.mask.iter().find(|value| **value > 1) {
            return wrong(format!("mask {name}"), "only 0 and 1".to_owned(), value.to_string());
        }
        Ok(())
    }

    /// Writes the columns and gives the file its name.
    ///
    /// # Errors
    /// [`TrainingError::Field`] when there is no picture, [`TrainingError::Hdf5`] or [`TrainingError::File`]
    /// when writing fails.
    pub fn finish(mut self) -> Result<(), TrainingError> {
        if self.infos.is_empty() {
            return Err(TrainingError::field(&self.path, "pictures", "at least one", "none"));
        }
        let Some(file) = self.file.take() else { return Ok(()) };
        let columns = || -> hdf5::Result<()> {
            for column in COLUMNS {
                let values: Vec<VarLenUnicode> =
                    self.infos.iter().map(|info| text(info.column(column))).collect();
                file.new_dataset::<VarLenUnicode>().shape(values.len()).create(column)?.write_raw(&values)?;
            }
            let captions: Vec<VarLenUnicode> = self
                .infos
                .iter()
                .flat_map(|info| info.captions.texts())
                .map(|caption| text(caption))
                .collect();
            let shape = (self.infos.len(), Captions::COUNT);
            file.new_dataset::<VarLenUnicode>().shape(shape).create(CAPTION)?.write_raw(&captions)?;
            file.flush()
        };
        columns().map_err(TrainingError::hdf5(&self.path, "write the columns"))?;
        file.close().map_err(TrainingError::hdf5(&self.path, "close"))?;
        std::fs::rename(&self.unfinished, &self.path).map_err(TrainingError::file("rename", &self.path))
    }
}

impl Drop for DataSetWriter {
    fn drop(&mut self) {
        drop(self.file.take());
        if self.unfinished.exists()
            && let Err(error) = std::fs::remove_file(&self.unfinished)
        {
            tracing::warn!("{}: remove: {error}", self.unfinished.display());
        }
    }
}

/// The name of picture `index` in its group of the file.
pub(super) fn key(index: usize) -> String {
    format!("{index:06}")
}

/// HDF5's text; a NUL, which it can not hold, ends it.
fn text(value: &str) -> VarLenUnicode {
    let until = value.split('\0').next().unwrap_or_default();
    VarLenUnicode::from_str(until).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_pictures_stay_different_beyond_a_million() {
        assert_eq!([key(7), key(999_999), key(1_000_000)], ["000007", "999999", "1000000"]);
    }
}
