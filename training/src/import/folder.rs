//! What the layouts share: a folder `images/` and a folder `masks/` with the same names in both, lists of
//! names, and tables with a header line.
//!
//! Not here: pictures' content ([`super::pairs`]).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::TrainingError;

/// File name endings of pictures and masks.
pub(super) const ENDINGS: [&str; 6] = ["png", "jpg", "jpeg", "bmp", "tif", "tiff"];

/// Pictures and masks of a folder, by name without the ending.
pub(super) struct Folder {
    pub(super) pictures: BTreeMap<String, PathBuf>,
    masks: BTreeMap<String, PathBuf>,
    path: PathBuf,
}

impl Folder {
    /// Lists `images/` and `masks/` of a data set's folder.
    pub(super) fn list(path: &Path) -> Result<Self, TrainingError> {
        let pictures = files(&path.join("images"))?;
        if pictures.is_empty() {
            let expected = "pictures ending in .png, .jpg, .jpeg, .bmp, .tif or .tiff";
            return Err(TrainingError::field(&path.join("images"), "files", expected, "none"));
        }
        Ok(Self { pictures, masks: files(&path.join("masks"))?, path: path.to_owned() })
    }

    /// The mask of a picture; when there is none, where it should be.
    pub(super) fn mask(&self, name: &str) -> PathBuf {
        let missing = || self.path.join("masks").join(format!("{name}.png"));
        self.masks.get(name).cloned().unwrap_or_else(missing)
    }

    /// Whether a picture has a mask.
    pub(super) fn has_mask(&self, name: &str) -> bool {
        self.masks.contains_key(name)
    }

    /// Masks without a picture.
    pub(super) fn orphans(&self) -> Vec<PathBuf> {
        let lonely = self.masks.iter().filter(|(name, _)| !self.pictures.contains_key(*name));
        lonely.map(|(_, path)| path.clone()).collect()
    }
}

/// The folders in a folder, by name.
pub(super) fn folders(folder: &Path) -> Result<BTreeMap<String, PathBuf>, TrainingError> {
    let mut folders = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(TrainingError::file("list", folder))? {
        let path = entry.map_err(TrainingError::file("list", folder))?.path();
        if let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|_| path.is_dir()) {
            folders.insert(name.to_owned(), path.clone());
        }
    }
    Ok(folders)
}

/// The pictures in a folder, by name without the ending.
pub(super) fn files(folder: &Path) -> Result<BTreeMap<String, PathBuf>, TrainingError> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(TrainingError::file("list", folder))? {
        let path = entry.map_err(TrainingError::file("list", folder))?.path();
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        let Some(name) = path.file_stem().and_then(|stem| stem.to_str()) else { continue };
        // Some systems leave `._NAME` beside a file.
        if !ENDINGS.contains(&ending.as_str()) || name.starts_with('.') {
            continue;
        }
        if let Some(other) = files.insert(name.to_owned(), path.clone()) {
            let found = format!("{} as well", other.display());
            return Err(TrainingError::field(&path, "name", "one file of that name", found));
        }
    }
    Ok(files)
}

/// The lines of a text file, without blanks around them and empty lines.
pub(super) fn lines(path: &Path) -> Result<Vec<String>, TrainingError> {
    let text = std::fs::read_to_string(path).map_err(TrainingError::file("read", path))?;
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

/// The wanted columns of a table of comma-separated values, found by its header line. No quotes.
pub(super) fn columns<const N: usize>(
    path: &Path,
    wanted: [&str; N],
) -> Result<Vec<[String; N]>, TrainingError> {
    let lines = lines(path)?;
    let header: Vec<&str> = lines.first().map(|line| line.split(',').collect()).unwrap_or_default();
    let mut places = [0; N];
    for (place, column) in places.iter_mut().zip(wanted) {
        *place = header.iter().position(|name| *name == column).ok_or_else(|| {
            TrainingError::field(path, "header line", format!("a column {column}"), header.join(","))
        })?;
    }
    let mut rows = Vec::with_capacity(lines.len());
    for (index, line) in lines.iter().enumerate().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        if fields.len() != header.len() {
            let (expected, found) = (format!("{} fields", header.len()), fields.len().to_string());
            return Err(TrainingError::field(path, format!("line {}", index + 1), expected, found));
        }
        rows.push(places.map(|place| fields[place].trim().to_owned()));
    }
    Ok(rows)
}
