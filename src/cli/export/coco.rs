//! COCO's annotations, one for each region of a mask: runs, which say it exactly, or polygons.
//!
//! Labelling tools (CVAT, Label Studio) and `polyp-train import coco` read them.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use image::ExtendedColorType;
use polyp::frame::{Rect, Size};
use polyp::metric::parts;
use serde_json::json;

use super::regions::{outline, runs};
use super::stills::{unwritable, write_png};
use super::{Exported, Sink};
use crate::cli::failure::Failure;

/// The folder that is being written. Annotations wait in a file of their own until the last picture is known: memory does not grow.
pub(super) struct Coco {
    folder: PathBuf,
    images: BufWriter<File>,
    annotations: BufWriter<File>,
    polygons: bool,
    frames: u64,
    regions: u64,
    holes: u64,
}

/// What the annotations wait in.
const WAITING: &str = "annotations.part";
const FILE: &str = "annotations.json";

impl Coco {
    pub(super) fn new(folder: &Path, polygons: bool) -> Result<Self, Failure> {
        let images = folder.join("images");
        fs::create_dir(&images).map_err(unwritable(&images))?;
        let open = |name: &str| {
            let path = folder.join(name);
            File::create(&path).map(BufWriter::new).map_err(unwritable(&path))
        };
        let (mut images, annotations) = (open(FILE)?, open(WAITING)?);
        write!(images, "{{\"images\":[").map_err(unwritable(&folder.join(FILE)))?;
        Ok(Self { folder: folder.to_owned(), images, annotations, polygons, frames: 0, regions: 0, holes: 0 })
    }

    fn write(&mut self, name: &str, frame: &Exported) -> io::Result<()> {
        let (width, height) = frame.picture.dimensions();
        let size = Size::new(width, height);
        let comma = |count: u64| if count > 0 { ",\n" } else { "\n" };
        let id = self.frames + 1;
        let image =
            json!({ "id": id, "file_name": format!("images/{name}.png"), "width": width, "height": height });
        write!(self.images, "{}{image}", comma(self.frames))?;
        self.frames += 1;
        for part in parts(&frame.inside, size) {
            let Rect { x, y, width, height } = part.bounds;
            let segmentation = if self.polygons {
                let (corners, holes) = outline(&part, size);
                self.holes += u64::from(holes);
                json!([corners])
            } else {
                json!({ "counts": runs(&part, size), "size": [size.height, size.width] })
            };
            let annotation = json!({
                "id": self.regions + 1,
                "image_id": id,
                "category_id": 1,
                "iscrowd": 0,
                "area": part.pixels.len(),
                "bbox": [x, y, width, height],
                "segmentation": segmentation,
            });
            write!(self.annotations, "{}{annotation}", comma(self.regions))?;
            self.regions += 1;
        }
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        write!(self.images, "],\n\"annotations\":[")?;
        self.annotations.flush()?;
        let waiting = self.folder.join(WAITING);
        io::copy(&mut File::open(&waiting)?, &mut self.images)?;
        let category = json!([{ "id": 1, "name": "polyp", "supercategory": "lesion" }]);
        writeln!(self.images, "],\n\"categories\":{category}}}")?;
        self.images.flush()?;
        fs::remove_file(waiting)
    }
}

impl Sink for Coco {
    fn frame(&mut self, name: &str, frame: &Exported) -> Result<(), Failure> {
        let path = self.folder.join("images").join(format!("{name}.png"));
        write_png(&path, frame.picture.as_raw(), frame.picture.dimensions(), ExtendedColorType::Rgb8)?;
        self.write(name, frame).map_err(unwritable(&self.folder.join(FILE)))
    }

    fn end(mut self: Box<Self>) -> Result<String, Failure> {
        self.close().map_err(unwritable(&self.folder.join(FILE)))?;
        let holes = if self.polygons {
            format!(", {} of them with holes, which are filled", self.holes)
        } else {
            String::new()
        };
        Ok(format!(" with {} regions{holes}", self.regions))
    }
}
