//! Frames that somebody is to look at: a folder of pictures, the network's masks, a sheet and a table; and that folder, when it comes back.
//!
//! | in the folder | what |
//! |---|---|
//! | `review.csv` | a line for each frame: why it was picked, and the column `verdict`, which is empty |
//! | `review.html` | the frames with the masks' outlines, to look at |
//! | `images/` | the frames |
//! | `masks/` | the network's masks, white on black, which are corrected in place |
//! | `suggested/` | the same, to tell what was corrected |
//! | `painted/` | what the sheet shows |
//!
//! A verdict is `accepted` (the mask is right as it is), `corrected` (the mask was mended), `empty` (there is no polyp, whatever the mask
//! says) or `rejected` (the frame is not to be used). A line without one was not looked at, and is left out as a rejected one is.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use image::{GrayImage, RgbImage};
use polyp::frame::Size;
use polyp::metric::to_picture;
use polyp::session::{StreamFrame, Streamed};

use super::super::folder::columns;
use super::super::plain::licence;
use super::super::{Entry, Importer, Listing, Mask, Request as ImportRequest, pairs};
use super::pick::{Measures, Picked, Request};
use super::{Place, frame_name, mask_of};
use crate::TrainingError;
use crate::outline::outline;
use crate::report::escaped;

/// The table of a folder under review.
pub const REVIEW_FILE: &str = "review.csv";
const SHEET: &str = "review.html";
const STYLE: &str = include_str!("review.css");
/// Half of an outline's width is this part of a picture's.
const LINES: u32 = 300;
/// What may stand in the column `verdict`.
const VERDICTS: [&str; 4] = ["accepted", "corrected", "empty", "rejected"];

/// The folder that is being written.
pub(super) struct Writer {
    folder: PathBuf,
    picked: Vec<Picked>,
}

impl Writer {
    pub(super) fn create(folder: &Path) -> Result<Self, TrainingError> {
        for part in ["images", "masks", "suggested", "painted"] {
            let path = folder.join(part);
            fs::create_dir_all(folder).map_err(TrainingError::file("make", folder))?;
            fs::create_dir(&path)
                .map_err(TrainingError::file("make (a review begins in a new folder)", &path))?;
        }
        Ok(Self { folder: folder.to_owned(), picked: Vec::new() })
    }

    /// Writes the frames that were picked of one session.
    pub(super) fn add(
        &mut self,
        request: &Request,
        place: &Place,
        picked: &[Picked],
    ) -> Result<(), TrainingError> {
        if picked.is_empty() {
            return Ok(());
        }
        let only: Vec<String> = picked.iter().map(|picked| picked.sequence.to_string()).collect();
        let arguments = ["--only".to_owned(), only.join(",")];
        let mut found = 0;
        for streamed in request.tool.frames(&place.folder, &arguments)? {
            let Streamed::Frame(frame, rgb, cells) = streamed? else { continue };
            let is = |picked: &&Picked| (picked.sequence, picked.time_ns) == (frame.sequence, frame.time_ns);
            let Some(picked) = picked.iter().find(is) else { continue };
            let [width, height] = frame.size;
            let probability = to_picture(&mask_of(&frame, cells), Size::new(width, height));
            let mask: Vec<u8> = probability.iter().map(|p| u8::from(*p >= request.threshold)).collect();
            self.frame(picked, rgb, &mask, &frame)?;
            found += 1;
        }
        if found != picked.len() {
            let expected = format!("the {} frames that were picked", picked.len());
            return Err(TrainingError::field(&place.folder, "frames", expected, found.to_string()));
        }
        self.picked.extend_from_slice(picked);
        Ok(())
    }

    fn frame(
        &self,
        picked: &Picked,
        rgb: Vec<u8>,
        mask: &[u8],
        frame: &StreamFrame,
    ) -> Result<(), TrainingError> {
        let [width, height] = frame.size;
        // The sheet shows what the network saw, and as wide a line wherever that is large.
        let [x, y, shown_width, shown_height] = frame.placed.source;
        let name = frame_name(&picked.session, picked.sequence);
        let path = |part: &str, ending: &str| self.folder.join(part).join(format!("{name}.{ending}"));
        let white = mask.iter().map(|inside| inside * 255).collect();
        let mut painted = rgb.clone();
        outline(&mut painted, mask, width as usize, shown_width.div_ceil(LINES) as usize);
        let short =
            |path: &Path| TrainingError::field(path, "picture", "as many bytes as it has pixels", "fewer");
        let save = |path: PathBuf, image: Option<image::DynamicImage>| {
            let image = image.ok_or_else(|| short(&path))?;
            image.save(&path).map_err(TrainingError::image(&path, "write"))
        };
        let colour = |bytes| RgbImage::from_raw(width, height, bytes).map(Into::into);
        let grey: Option<image::DynamicImage> = GrayImage::from_raw(width, height, white).map(Into::into);
        save(path("images", "png"), colour(rgb))?;
        save(path("masks", "png"), grey.clone())?;
        save(path("suggested", "png"), grey)?;
        let shown = colour(painted)
            .map(|painted: image::DynamicImage| painted.crop_imm(x, y, shown_width, shown_height));
        save(path("painted", "jpg"), shown)
    }

    /// Writes the table and the sheet.
    pub(super) fn finish(self) -> Result<(), TrainingError> {
        let mut table = "name,session,sequence,time_s,reason,doubt,flicker,disagreement,verdict\n".to_owned();
        let mut rows = String::new();
        for picked in &self.picked {
            let Picked { session, sequence, time_ns, reason, measures } = picked;
            let name = frame_name(session, *sequence);
            let seconds = *time_ns as f64 / 1e9;
            let [doubt, flicker, disagreement] = measures.all();
            // Writing to a text can not fail.
            let _written = writeln!(
                table,
                "{name},{session},{sequence},{seconds:.3},{reason},{doubt:.3},{flicker:.3},{disagreement:.3},"
            );
            let name = escaped(&name);
            let numbers: Vec<String> = Measures::NAMES
                .iter()
                .zip(measures.all())
                .map(|(name, value)| format!("{name} {value:.2}"))
                .collect();
            let _written = writeln!(
                rows,
                "<figure><a href=\"images/{name}.png\"><img src=\"painted/{name}.jpg\" loading=\"lazy\" \
                 alt=\"Frame at {seconds:.1} s, the suggested mask outlined\"></a><figcaption><strong>{name}</strong><br>\
                 {seconds:.1} s, picked by {reason}<br>{}</figcaption></figure>",
                numbers.join(", ")
            );
        }
        let count = self.picked.len();
        let page = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
             content=\"width=device-width, initial-scale=1\"><title>{count} frames to review</title><style>{STYLE}</style></head>\n\
             <body><main><h1>{count} frames to review</h1>\n<p>The outline is what the network says. For each frame write a \
             <code>verdict</code> into <code>{REVIEW_FILE}</code>: <code>accepted</code> where it is right, <code>corrected</code> after \
             you have mended <code>masks/NAME.png</code> (white is polyp), <code>empty</code> where there is no polyp, \
             <code>rejected</code> where the frame is not to be used. For research; not a medical device.</p>\n\
             <div class=\"frames\">\n{rows}</div></main></body></html>\n"
        );
        for (name, text) in [(REVIEW_FILE, table), (SHEET, page)] {
            let path = self.folder.join(name);
            fs::write(&path, text).map_err(TrainingError::file("write", &path))?;
        }
        Ok(())
    }
}

/// The importer of folders that somebody has been through.
#[derive(Debug)]
pub struct Session;

impl Importer for Session {
    fn name(&self) -> &'static str {
        "session"
    }

    fn help(&self) -> &'static str {
        "a recorded session (or a folder of them), or a review of one (--pick) with its verdicts"
    }

    fn options(&self) -> &'static [&'static str] {
        &["licence"]
    }

    /// The frames of a review that have a verdict by which they can be used. A session is one group.
    fn list(&self, request: &ImportRequest) -> Result<Listing, TrainingError> {
        let folder = &request.folder;
        let table = folder.join(REVIEW_FILE);
        let mut listing = Listing::default();
        for [name, session, verdict] in columns(&table, ["name", "session", "verdict"])? {
            if verdict.is_empty() || verdict == "rejected" {
                continue;
            }
            if !VERDICTS.contains(&verdict.as_str()) {
                let expected = format!("nothing or one of {}", VERDICTS.join(", "));
                return Err(TrainingError::field(&table, format!("verdict of {name}"), expected, verdict));
            }
            let of = |part: &str| folder.join(part).join(format!("{name}.png"));
            let suggested = of("suggested");
            let entry = Entry {
                group: session.clone(),
                side: None,
                picture: of("images"),
                mask: if verdict == "empty" { Mask::Empty } else { Mask::File(of("masks")) },
                source: format!("session {session}, masks {verdict} by a reviewer"),
                licence: licence(request),
                name,
            };
            agrees(&entry, &verdict, &suggested)?;
            listing.entries.push(entry);
        }
        if listing.entries.is_empty() {
            let expected = "at least one of accepted, corrected and empty";
            return Err(TrainingError::field(&table, "verdicts", expected, "none"));
        }
        Ok(listing)
    }
}

/// A mask that was accepted is the suggested one, and one that was corrected is not.
fn agrees(entry: &Entry, verdict: &str, suggested: &Path) -> Result<(), TrainingError> {
    let Mask::File(mask) = &entry.mask else { return Ok(()) };
    let same = pairs::mask(mask)? == pairs::mask(suggested)?;
    let expected = match (verdict, same) {
        ("accepted", false) => "the mask that was suggested, because its verdict is accepted",
        ("corrected", true) => "another mask than was suggested, because its verdict is corrected",
        _ => return Ok(()),
    };
    let found = if same { "the same" } else { "another" };
    Err(TrainingError::field(mask, format!("mask of {}", entry.name), expected, found))
}
