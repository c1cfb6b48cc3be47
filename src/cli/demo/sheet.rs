//! The contact sheet: one painted frame of each still, as it left `polyplive`, with the truth drawn on it afterwards.

use std::collections::BTreeMap;
use std::path::Path;

use gst_video::prelude::*;
use image::imageops::{FilterType, overlay, resize};
use image::{Rgb, RgbImage};
use polyp::clip::Clip;
use polyp::colour::ToRgb;
use polyp::frame::Size;
use polyp::lettering::Lettering;

use super::judge::Judgement;
use crate::cli::failure::Failure;

const COLUMNS: u32 = 4;
const CELL: Size = Size::new(480, 270);
const CAPTION_PX: u32 = 34;
const FOOT_PX: u32 = 40;
const GROUND: Rgb<u8> = Rgb([24, 24, 28]);
const WORDS: [u8; 3] = [225; 3];
/// The truth's line: yellow, which no style of the overlay has.
const TRUTH: Rgb<u8> = Rgb([255, 220, 0]);

/// Writes the sheet of the frames `painted` (by still: frame number and buffer), which lie in their buffers as
/// `info` says.
pub(super) fn write(
    path: &Path,
    clip: &Clip,
    info: Option<&gst_video::VideoInfo>,
    painted: &BTreeMap<usize, (u64, gst::Buffer)>,
    judged: &[Judgement],
) -> Result<(), Failure> {
    let info = info.filter(|_| !painted.is_empty());
    let info = info.ok_or_else(|| Failure::Stream("no frame came out of polyplive".to_owned()))?;
    let rows = u32::try_from(painted.len()).unwrap_or(0).div_ceil(COLUMNS);
    let height = rows * (CELL.height + CAPTION_PX) + FOOT_PX;
    let mut sheet = RgbImage::from_pixel(COLUMNS * CELL.width, height, GROUND);
    for (place, (still, (index, buffer))) in (0_u32..).zip(painted) {
        let (left, top) = (place % COLUMNS * CELL.width, place / COLUMNS * (CELL.height + CAPTION_PX));
        let mut frame = rgb(buffer, info)?;
        outline(&mut frame, &clip.truth(*index));
        let cell = resize(&frame, CELL.width, CELL.height, FilterType::Triangle);
        overlay(&mut sheet, &cell, i64::from(left), i64::from(top));
        let (_, note) = clip.words(*still).unwrap_or_default();
        let caption = match judged.get(*still) {
            Some(judgement) if judgement.shown > 0 => format!("{note}, Dice {:.3}", judgement.dice),
            _ => format!("{note}, no mask"),
        };
        text(&mut sheet, &format!("{} {caption}", still + 1), left + 8, top + CELL.height + 9);
    }
    let foot = "Animated stills of Kvasir-SEG test pictures, not video. Yellow: truth. Cyan and blue: the network. \
                Dice: mean over the still's judged frames. Research only.";
    text(&mut sheet, foot, 8, height - FOOT_PX + 12);
    let failed =
        |error: image::ImageError| Failure::Write { path: path.to_owned(), message: error.to_string() };
    sheet.save(path).map_err(failed)
}

/// A painted NV12 frame in red, green and blue.
fn rgb(buffer: &gst::Buffer, info: &gst_video::VideoInfo) -> Result<RgbImage, Failure> {
    let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, info).map_err(Failure::build)?;
    let strides: Vec<usize> = frame.plane_stride().iter().map(|s| usize::try_from(*s).unwrap_or(0)).collect();
    let (Ok(luma), Ok(chroma)) = (frame.plane_data(0), frame.plane_data(1)) else {
        return Err(Failure::build("the painted frame is not NV12"));
    };
    let (luma_stride, chroma_stride) =
        (strides.first().copied().unwrap_or(0), strides.get(1).copied().unwrap_or(0));
    let convert = ToRgb::new(Clip::COLORIMETRY);
    Ok(RgbImage::from_fn(info.width(), info.height(), |x, y| {
        let (x, y) = (x as usize, y as usize);
        let at = |bytes: &[u8], place: usize| bytes.get(place).copied().unwrap_or_default();
        let pair = y / 2 * chroma_stride + x / 2 * 2;
        Rgb(convert.pixel(at(luma, y * luma_stride + x), at(chroma, pair), at(chroma, pair + 1)))
    }))
}

/// Draws the edge of `truth`, two pixels wide and dashed, so that what lies under it can be seen.
fn outline(frame: &mut RgbImage, truth: &[bool]) {
    let (width, height) = frame.dimensions();
    let is = |x: u32, y: u32| truth.get(y as usize * width as usize + x as usize).copied().unwrap_or(false);
    for y in 1..height.saturating_sub(1) {
        for x in 1..width.saturating_sub(1) {
            let edge = is(x, y) && !(is(x - 1, y) && is(x + 1, y) && is(x, y - 1) && is(x, y + 1));
            if edge && (x + y) / 12 % 2 == 0 {
                for (x, y) in [(x, y), (x + 1, y), (x, y + 1), (x + 1, y + 1)] {
                    frame.put_pixel(x, y, TRUTH);
                }
            }
        }
    }
}

fn text(sheet: &mut RgbImage, line: &str, x: u32, y: u32) {
    let width = sheet.width();
    Lettering::plain(12.0).draw_rgb(line, (x, y), WORDS, sheet, width);
}
