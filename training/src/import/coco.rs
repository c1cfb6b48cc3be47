//! Annotations in COCO's JSON: `images` (id, file_name, width, height), `annotations` (image_id, category_id,
//! segmentation as polygons or runs) and `categories` (id, name). Other keys are not looked at.
//!
//! Every `.json` in the folder, in its `annotations/` and in its other direct folders is read. A picture's file
//! lies beside its JSON, in the folder, in its `images/`, or in a folder that is named as the JSON is, without
//! `instances_`; the first that is there is taken. A picture is named by its `file_name` without the ending, and
//! shows no polyp when it has no annotation (of the category, if one is asked for).
//!
//! Not here: from regions to masks ([`super::regions`]).

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use polyp::frame::Size;
use serde::Deserialize;

use super::folder::folders;
use super::plain::{Groups, licence, source};
use super::regions::{Region, Regions};
use super::{Entry, Importer, Listing, Mask, Request};
use crate::TrainingError;

/// The importer of COCO's annotations.
#[derive(Debug)]
pub struct Coco;

#[derive(Deserialize)]
struct Annotations {
    images: Vec<Image>,
    annotations: Vec<Annotation>,
    #[serde(default)]
    categories: Vec<Category>,
}

#[derive(Deserialize)]
struct Image {
    id: i64,
    file_name: String,
    width: u32,
    height: u32,
}

#[derive(Deserialize)]
struct Annotation {
    #[serde(default)]
    id: i64,
    image_id: i64,
    #[serde(default)]
    category_id: i64,
    segmentation: Option<Region>,
}

#[derive(Deserialize)]
struct Category {
    id: i64,
    name: String,
}

impl Importer for Coco {
    fn name(&self) -> &'static str {
        "coco"
    }

    fn help(&self) -> &'static str {
        "annotations in COCO's JSON, with polygons or runs; sides by lists, groups or shares"
    }

    fn options(&self) -> &'static [&'static str] {
        &["category", "group-pattern", "source", "licence"]
    }

    fn list(&self, request: &Request) -> Result<Listing, TrainingError> {
        let files = json_files(&request.folder)?;
        if files.is_empty() {
            let expected = "annotations ending in .json, here or one folder further";
            return Err(TrainingError::field(&request.folder, "files", expected, "none"));
        }
        let mut listing = Listing::default();
        let mut categories = BTreeSet::new();
        let mut counted = request.options.category.is_none();
        for path in files {
            let annotations = read(&path)?;
            categories.extend(annotations.categories.iter().map(|category| category.name.clone()));
            counted |= add(&path, annotations, request, &mut listing)?;
        }
        if let (false, Some(category)) = (counted, &request.options.category) {
            let expected = format!("one of {}", categories.into_iter().collect::<Vec<_>>().join(", "));
            return Err(TrainingError::field(&request.folder, "category", expected, category));
        }
        Ok(listing)
    }
}

fn read(path: &Path) -> Result<Annotations, TrainingError> {
    let file = File::open(path).map_err(TrainingError::file("open", path))?;
    serde_json::from_reader(BufReader::new(file)).map_err(|error| {
        let expected = "COCO annotations: images, annotations with polygons or runs, categories";
        TrainingError::field(path, "(file)", expected, error.to_string())
    })
}

/// Adds a file's pictures; whether it knows the category that is asked for.
fn add(
    path: &Path,
    annotations: Annotations,
    request: &Request,
    listing: &mut Listing,
) -> Result<bool, TrainingError> {
    let wanted = |name: &String| request.options.category.as_ref().is_none_or(|wanted| wanted == name);
    let categories: BTreeSet<i64> =
        annotations.categories.iter().filter(|category| wanted(&category.name)).map(|c| c.id).collect();
    let mut regions: BTreeMap<i64, Vec<Region>> =
        annotations.images.iter().map(|image| (image.id, Vec::new())).collect();
    if regions.len() < annotations.images.len() {
        let found = format!("{} ids for {} images", regions.len(), annotations.images.len());
        return Err(TrainingError::field(path, "images", "an id of its own for each", found));
    }
    for annotation in annotations.annotations {
        let field = || format!("annotation {}", annotation.id);
        let Some(of_image) = regions.get_mut(&annotation.image_id) else {
            let found = annotation.image_id.to_string();
            return Err(TrainingError::field(path, field(), "image_id of one of the images", found));
        };
        if request.options.category.is_some() && !categories.contains(&annotation.category_id) {
            continue;
        }
        match annotation.segmentation {
            None => {
                return Err(TrainingError::field(path, field(), "segmentation as polygons or runs", "none"));
            }
            Some(Region::Polygons(polygons)) if polygons.is_empty() => {
                return Err(TrainingError::field(path, field(), "at least one polygon", "none"));
            }
            Some(region) => of_image.push(region),
        }
    }
    let groups = Groups::new(request)?;
    let places = places(path, &request.folder);
    let file = Arc::new(path.to_owned());
    for image in annotations.images {
        let name = Path::new(&image.file_name).with_extension("").to_string_lossy().into_owned();
        let found = places.iter().map(|place| place.join(&image.file_name)).find(|picture| picture.exists());
        let size = Size::new(image.width, image.height);
        let regions = regions.remove(&image.id).unwrap_or_default();
        listing.entries.push(Entry {
            group: groups.of(&name)?,
            name,
            side: None,
            picture: found.unwrap_or_else(|| places[0].join(&image.file_name)),
            mask: Mask::Regions(Regions { file: Arc::clone(&file), size, regions }),
            source: source(request),
            licence: licence(request),
        });
    }
    Ok(!categories.is_empty())
}

/// Where the pictures of an annotations' file may lie.
fn places(json: &Path, folder: &Path) -> [PathBuf; 4] {
    let stem = json.file_stem().unwrap_or_default().to_string_lossy();
    let named = folder.join(stem.strip_prefix("instances_").unwrap_or(&stem));
    let beside = json.parent().unwrap_or(folder).to_owned();
    [beside, folder.to_owned(), folder.join("images"), named]
}

fn json_files(folder: &Path) -> Result<Vec<PathBuf>, TrainingError> {
    let mut files = Vec::new();
    for place in std::iter::once(folder.to_owned()).chain(folders(folder)?.into_values()) {
        for entry in std::fs::read_dir(&place).map_err(TrainingError::file("list", &place))? {
            let path = entry.map_err(TrainingError::file("list", &place))?.path();
            if path.extension().is_some_and(|ending| ending == "json") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}
