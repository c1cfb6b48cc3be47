//! Pictures and their masks, paired by the stem of their file names.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use image::ImageReader;
use polyp::frame::Size;

use crate::error::EngineError;

/// Endings of file names that are taken for pictures, in lower case.
const ENDINGS: [&str; 3] = ["png", "jpg", "jpeg"];

/// A mask is polyp where its sample is above this.
const MASK_THRESHOLD: u8 = 127;

/// A picture's file and its mask's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// What both are called, without the ending.
    pub stem: String,
    /// The picture.
    pub image: PathBuf,
    /// The mask.
    pub mask: PathBuf,
}

/// A picture and its truth, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Columns and rows, in pixels.
    pub size: Size,
    /// Red, green and blue, interleaved, row by row.
    pub rgb: Vec<u8>,
    /// Whether a pixel is polyp, row by row.
    pub truth: Vec<bool>,
}

/// Pairs the pictures of `images` with those of `masks`, sorted by name. With `list`, a text file of one name
/// (with or without an ending) per line, only those; lines that are empty or begin with `#` do not count.
///
/// # Errors
/// [`EngineError::Picture`] naming the first picture without a mask, mask without a picture, name that is there
/// twice or not at all, or the folder that is empty; [`EngineError::File`] when something can not be read.
pub fn pairs(images: &Path, masks: &Path, list: Option<&Path>) -> Result<Vec<Pair>, EngineError> {
    let wanted = list.map(read_list).transpose()?;
    let (mut image_files, mut mask_files) = (by_stem(images)?, by_stem(masks)?);
    if let (Some(wanted), Some(list)) = (&wanted, list) {
        for stem in wanted {
            if !image_files.contains_key(stem) {
                return Err(picture(
                    list,
                    format!("lists {stem}, of which {} has no picture", images.display()),
                ));
            }
        }
        image_files.retain(|stem, _| wanted.contains(stem));
        mask_files.retain(|stem, _| wanted.contains(stem));
    }
    if image_files.is_empty() {
        return Err(picture(images, "expected pictures (PNG or JPEG), found none".to_owned()));
    }
    let mut pairs = Vec::with_capacity(image_files.len());
    for (stem, image) in image_files {
        let Some(mask) = mask_files.remove(&stem) else {
            return Err(picture(
                &image,
                format!("expected a mask of that name in {}, found none", masks.display()),
            ));
        };
        pairs.push(Pair { stem, image, mask });
    }
    match mask_files.into_values().next() {
        Some(mask) => Err(picture(
            &mask,
            format!("expected a picture of that name in {}, found none", images.display()),
        )),
        None => Ok(pairs),
    }
}

impl Pair {
    /// Reads both files.
    ///
    /// # Errors
    /// [`EngineError::Picture`] when one is not a picture or the mask has another size.
    pub fn read(&self) -> Result<Picture, EngineError> {
        let image = decode(&self.image)?.into_rgb8();
        let mask = decode(&self.mask)?.into_luma8();
        let (size, found) =
            (Size::new(image.width(), image.height()), Size::new(mask.width(), mask.height()));
        if size != found {
            let message = format!("expected the size of {}, {size}, found {found}", self.image.display());
            return Err(picture(&self.mask, message));
        }
        let truth = mask.into_raw().into_iter().map(|sample| sample > MASK_THRESHOLD).collect();
        Ok(Picture { size, rgb: image.into_raw(), truth })
    }
}

/// The pictures of a folder by the stem of their name.
fn by_stem(dir: &Path) -> Result<BTreeMap<String, PathBuf>, EngineError> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir).map_err(EngineError::file("list", dir))? {
        let path = entry.map_err(EngineError::file("list", dir))?.path();
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        if !ENDINGS.contains(&ending.as_str()) || !path.is_file() {
            continue;
        }
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if let Some(other) = files.insert(stem, path.clone()) {
            // In the order of their names, whatever order the folder lists them in.
            let (first, second) = if other < path { (other, path) } else { (path, other) };
            let message = format!("expected one picture of that name, found {} too", second.display());
            return Err(picture(&first, message));
        }
    }
    Ok(files)
}

fn read_list(path: &Path) -> Result<Vec<String>, EngineError> {
    let text = fs::read_to_string(path).map_err(EngineError::file("read", path))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(lines.map(stem_of).collect())
}

/// A list's name without its folder and without an ending that pictures have; other dots are part of it.
fn stem_of(line: &str) -> String {
    let name = Path::new(line).file_name().map_or(line.into(), |name| name.to_string_lossy());
    match name.rsplit_once('.') {
        Some((stem, ending)) if ENDINGS.contains(&ending.to_lowercase().as_str()) => stem.to_owned(),
        _ => name.into_owned(),
    }
}

fn decode(path: &Path) -> Result<image::DynamicImage, EngineError> {
    let reader = ImageReader::open(path).map_err(EngineError::file("read", path))?;
    // By content: a PNG that is called .jpg is still a PNG.
    let reader = reader.with_guessed_format().map_err(EngineError::file("read", path))?;
    reader.decode().map_err(|cause| picture(path, format!("expected a PNG or JPEG picture, found {cause}")))
}

fn picture(path: &Path, message: String) -> EngineError {
    EngineError::Picture { path: path.to_owned(), message }
}

#[cfg(test)]
mod tests {
    use image::{GrayImage, Luma, Rgb, RgbImage};
    use tempfile::TempDir;

    use super::*;

    /// A folder `images` and a folder `masks` with 6x4 pictures of these names.
    fn folders(images: &[&str], masks: &[&str]) -> (TempDir, PathBuf, PathBuf) {
        let temp = TempDir::new().unwrap();
        let (image_dir, mask_dir) = (temp.path().join("images"), temp.path().join("masks"));
        fs::create_dir(&image_dir).unwrap();
        fs::create_dir(&mask_dir).unwrap();
        for name in images {
            RgbImage::from_pixel(6, 4, Rgb([1, 2, 3])).save(image_dir.join(name)).unwrap();
        }
        for name in masks {
            let mask = GrayImage::from_fn(6, 4, |x, _| Luma([if x < 3 { 127 } else { 128 }]));
            mask.save(mask_dir.join(name)).unwrap();
        }
        (temp, image_dir, mask_dir)
    }

    fn refused(images: &[&str], masks: &[&str], list: Option<&str>) -> String {
        let (temp, image_dir, mask_dir) = folders(images, masks);
        let path = temp.path().join("list.txt");
        if let Some(text) = list {
            fs::write(&path, text).unwrap();
        }
        let error = pairs(&image_dir, &mask_dir, list.map(|_| path.as_path())).unwrap_err().to_string();
        error.replace(&format!("{}/", temp.path().display()), "")
    }

    #[test]
    fn stems_pair_whatever_the_endings() {
        let (_temp, images, masks) =
            folders(&["b.JPG", "a.png", "c.v2.jpeg"], &["a.jpg", "b.png", "c.v2.png"]);
        fs::write(images.join("notes.txt"), "no picture").unwrap();
        let found = pairs(&images, &masks, None).unwrap();
        assert_eq!(found.iter().map(|pair| pair.stem.as_str()).collect::<Vec<_>>(), ["a", "b", "c.v2"]);
        let picture = found[1].read().unwrap();
        assert_eq!((picture.size, picture.rgb.len()), (Size::new(6, 4), 72));
        assert_eq!(picture.truth, [false, false, false, true, true, true].repeat(4));
    }

    #[test]
    fn a_list_chooses() {
        let (temp, images, masks) = folders(&["a.png", "b.png", "c.v2.png"], &["a.png", "b.png", "c.v2.png"]);
        let list = temp.path().join("list.txt");
        fs::write(&list, "# chosen\nsome/folder/b.jpg\n\n c.v2 \n").unwrap();
        let found = pairs(&images, &masks, Some(&list)).unwrap();
        assert_eq!(found.iter().map(|pair| pair.stem.as_str()).collect::<Vec<_>>(), ["b", "c.v2"]);
    }

    #[test]
    fn what_does_not_pair_is_named() {
        let cases = [
            (
                refused(&["a.png"], &[], None),
                "images/a.png: expected a mask of that name in masks, found none",
            ),
            (
                refused(&["a.png"], &["a.png", "b.png"], None),
                "masks/b.png: expected a picture of that name in images, found none",
            ),
            (refused(&[], &[], None), "images: expected pictures (PNG or JPEG), found none"),
            (
                refused(&["a.png", "a.jpg"], &["a.png"], None),
                "images/a.jpg: expected one picture of that name, found images/a.png too",
            ),
            (
                refused(&["a.png"], &["a.png"], Some("b\n")),
                "list.txt: lists b, of which images has no picture",
            ),
            (
                refused(&["a.png"], &["a.png"], Some("\n")),
                "images: expected pictures (PNG or JPEG), found none",
            ),
        ];
        for (found, expected) in cases {
            assert_eq!(found, expected);
        }
        let error = pairs(Path::new("nowhere"), Path::new("nowhere"), None).unwrap_err().to_string();
        assert!(error.starts_with("can not list nowhere: "), "{error}");
    }

    #[test]
    fn what_can_not_be_read_is_named() {
        let (_temp, images, masks) = folders(&["a.png"], &["a.png"]);
        let pair = pairs(&images, &masks, None).unwrap().remove(0);
        GrayImage::new(6, 5).save(&pair.mask).unwrap();
        let error = pair.read().unwrap_err().to_string();
        assert!(error.ends_with("a.png, 6x4, found 6x5"), "{error}");
        for bytes in [&b"no picture"[..], &[], &fs::read(&pair.image).unwrap()[..40]] {
            fs::write(&pair.image, bytes).unwrap();
            let error = pair.read().unwrap_err().to_string();
            assert!(error.contains("images/a.png: expected a PNG or JPEG picture, found "), "{error}");
        }
    }
}
