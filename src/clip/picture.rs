//! A still and its true mask, as a folder holds them.
//!
//! The folder has `pictures.csv` (name, width and height to stretch the picture to, a note), `images/NAME.jpg` and
//! `masks/NAME.png`, white where a polyp is.

use std::path::Path;

use super::ClipError;
use crate::frame::Size;

/// A still and its true mask.
#[derive(Clone, Debug)]
pub struct Picture {
    /// Its name in its data set.
    pub name: String,
    /// A word on it, for people.
    pub note: String,
    /// The size that it had when it was taken: the aspect ratio to show it in. The pixels may be fewer.
    pub native: Size,
    /// Size of `rgb` and `mask` in pixels.
    pub size: Size,
    /// Red, green and blue, row by row.
    pub rgb: Vec<u8>,
    /// 255 where a polyp is and 0 elsewhere, row by row.
    pub mask: Vec<u8>,
}

impl Picture {
    /// The pictures of `folder`, in the order of its list.
    ///
    /// # Errors
    /// [`ClipError`] when the list, a picture or a mask can not be read, or they do not fit each other.
    pub fn read_folder(folder: &Path) -> Result<Vec<Self>, ClipError> {
        let list = folder.join("pictures.csv");
        let text = std::fs::read_to_string(&list)
            .map_err(|source| ClipError::Read { path: list.clone(), source })?;
        let lines = text.lines().enumerate().skip(1).filter(|(_, line)| !line.trim().is_empty());
        let pictures = lines.map(|(index, line)| {
            let (name, native, note) = entry(line).ok_or_else(|| ClipError::List {
                path: list.clone(),
                line: index + 1,
                found: line.to_owned(),
            })?;
            Self::read(folder, name, native, note)
        });
        pictures.collect()
    }

    fn read(folder: &Path, name: &str, native: Size, note: &str) -> Result<Self, ClipError> {
        let open = |path: std::path::PathBuf| {
            image::open(&path).map_err(|source| ClipError::Picture { path, source })
        };
        let picture = open(folder.join("images").join(format!("{name}.jpg")))?.into_rgb8();
        let mask = open(folder.join("masks").join(format!("{name}.png")))?.into_luma8();
        let size = Size::new(picture.width(), picture.height());
        let found = Size::new(mask.width(), mask.height());
        let mask: Vec<u8> = mask.into_raw().iter().map(|value| if *value > 127 { 255 } else { 0 }).collect();
        let wrong =
            |expected: String, found: String| ClipError::Mask { name: name.to_owned(), expected, found };
        if size != found {
            return Err(wrong(format!("the picture's size, {size}"), found.to_string()));
        }
        if !mask.contains(&255) {
            return Err(wrong("a polyp".to_owned(), "none".to_owned()));
        }
        Ok(Self { name: name.to_owned(), note: note.to_owned(), native, size, rgb: picture.into_raw(), mask })
    }
}

/// Name, native size and note of a line of the list.
fn entry(line: &str) -> Option<(&str, Size, &str)> {
    let mut fields = line.splitn(4, ',').map(str::trim);
    let name = fields.next().filter(|name| !name.is_empty() && !name.contains(['/', '\\']))?;
    let mut side = || fields.next()?.parse().ok().filter(|side| (16..=8192).contains(side));
    let native = Size::new(side()?, side()?);
    Some((name, native, fields.next().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_name_size_and_note() {
        assert_eq!(entry("a1, 622,528,small, flat"), Some(("a1", Size::new(622, 528), "small, flat")));
        assert_eq!(entry("a1,622,528"), Some(("a1", Size::new(622, 528), "")));
        for line in ["", "a1", "a1,622", "a1,x,528,n", "a1,0,528,n", "../a1,622,528,n"] {
            assert_eq!(entry(line), None, "{line}");
        }
    }

    #[test]
    fn a_wrong_list_is_refused_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("pictures.csv"), "name,width_px,height_px,note\n\nbad\n").unwrap();
        let error = Picture::read_folder(folder.path()).unwrap_err().to_string();
        assert!(error.contains("line 3") && error.contains("\"bad\""), "{error}");
    }

    #[test]
    fn a_mask_of_another_size_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["images", "masks"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        std::fs::write(folder.path().join("pictures.csv"), "name\na,64,64,\n").unwrap();
        image::RgbImage::new(64, 64).save(folder.path().join("images/a.jpg")).unwrap();
        let mask = folder.path().join("masks/a.png");
        image::GrayImage::new(32, 64).save(&mask).unwrap();
        let error = Picture::read_folder(folder.path()).unwrap_err().to_string();
        assert!(error.contains("64x64") && error.contains("32x64"), "{error}");
        image::GrayImage::new(64, 64).save(&mask).unwrap();
        let error = Picture::read_folder(folder.path()).unwrap_err().to_string();
        assert!(error.contains("expected a polyp"), "{error}");
    }
}
