use super::*;
use crate::frame::FrameView;
use crate::frame::Plane;

const SIZE: Size = Size::new(640, 360);
const RATE: Framerate = Framerate { numerator: 30, denominator: 1 };

/// A white ellipse on grey, whose mask is itself.
fn ellipse(name: &str) -> Picture {
    let size = Size::new(311, 265);
    let inside = |i: usize| {
        let (x, y) = ((i % 311) as f32 - 180.0, (i / 311) as f32 - 120.0);
        (x / 60.0).powi(2) + (y / 40.0).powi(2) <= 1.0
    };
    let mask: Vec<u8> = (0..size.area()).map(|i| if inside(i) { 255 } else { 0 }).collect();
    let rgb = mask.iter().flat_map(|value| [(*value).max(60); 3]).collect();
    Picture { name: name.to_owned(), note: String::new(), native: size, size, rgb, mask }
}

fn clip(dwell: u64) -> Clip {
    Clip::new(&[ellipse("a"), ellipse("b")], SIZE, RATE, dwell).unwrap()
}

/// The planes of a painted frame, tightly packed.
fn paint(clip: &Clip, index: u64, format: PixelFormat) -> Vec<Vec<u8>> {
    let mut planes: Vec<(Vec<u8>, usize)> = (0..format.planes())
        .map(|plane| {
            let (stride, rows) = format.plane_extent(plane, clip.size());
            (vec![0; stride * rows], stride)
        })
        .collect();
    let parts = planes.iter_mut().map(|(bytes, stride)| PlaneMut { bytes, stride: *stride });
    let mut canvas = Canvas::new(format, clip.size(), Clip::COLORIMETRY, parts).unwrap();
    clip.paint(index, &mut canvas).unwrap();
    planes.into_iter().map(|(bytes, _)| bytes).collect()
}

#[test]
fn the_truth_follows_the_picture() {
    let clip = clip(90);
    for index in [0, 1, 40, 89, 90, 130, 500] {
        let luma = paint(&clip, index, PixelFormat::I420).remove(0);
        let truth = clip.truth(index);
        let window = clip.window();
        let (mut wrong, mut polyp) = (0, 0);
        for y in window.y..window.y + window.height {
            for x in window.x..window.x + window.width {
                let at = (y * SIZE.width + x) as usize;
                polyp += usize::from(truth[at]);
                // Half-way between the grey (60 -> 68 in limited range) and white (235).
                wrong += usize::from((luma[at] > 151) != truth[at]);
            }
        }
        assert!(polyp > 2000, "frame {index}: {polyp} px");
        assert!(wrong * 200 < polyp, "frame {index}: {wrong} of {polyp} px differ");
    }
}

#[test]
fn the_picture_moves() {
    let clip = clip(90);
    let centre = |index| {
        let truth = clip.truth(index);
        let (mut sum, mut count) = ((0.0, 0.0), 0.0);
        for (at, _) in truth.iter().enumerate().filter(|(_, polyp)| **polyp) {
            sum.0 += (at % SIZE.width as usize) as f64;
            sum.1 += (at / SIZE.width as usize) as f64;
            count += 1.0;
        }
        (sum.0 / count, sum.1 / count)
    };
    let (first, later) = (centre(0), centre(60));
    assert!((first.0 - later.0).hypot(first.1 - later.1) > 3.0, "{first:?} {later:?}");
}

#[test]
fn a_frame_is_a_function_of_its_number() {
    let (one, other) = (clip(30), clip(30));
    let _later = paint(&one, 77, PixelFormat::Nv12);
    assert_eq!(paint(&one, 12, PixelFormat::Nv12), paint(&other, 12, PixelFormat::Nv12));
    assert_eq!(one.truth(12), other.truth(12));
}

#[test]
fn both_formats_hold_the_same_picture() {
    let clip = clip(30);
    let (planar, packed) = (paint(&clip, 7, PixelFormat::I420), paint(&clip, 7, PixelFormat::Nv12));
    assert_eq!(planar[0], packed[0]);
    let pairs = planar[1].iter().zip(&planar[2]).flat_map(|(u, v)| [*u, *v]);
    assert!(pairs.eq(packed[1].iter().copied()));
}

#[test]
fn pictures_take_turns() {
    let clip = clip(30);
    let order: Vec<usize> = [0, 29, 30, 59, 60].map(|index| clip.picture_of(index)).to_vec();
    assert_eq!(order, [0, 0, 1, 1, 0]);
    assert_eq!(clip.words(1), Some(("b", "")));
    assert_ne!(clip.truth(0), clip.truth(60), "a second round is not the first again");
}

#[test]
fn outside_of_the_window_is_black_but_for_the_panel() {
    let clip = clip(30);
    let luma = paint(&clip, 3, PixelFormat::I420).remove(0);
    let (window, truth) = (clip.window(), clip.truth(3));
    let at = |x: u32, y: u32| (y * SIZE.width + x) as usize;
    assert_eq!(luma[at(window.x, window.y)], 16, "the corner is cut");
    assert!(luma[at(window.x + window.width, 0)..SIZE.width as usize].iter().all(|value| *value == 16));
    assert!((0..SIZE.height).all(|y| (0..window.x).all(|x| !truth[at(x, y)])));
    assert!((0..SIZE.height).any(|y| (0..window.x).any(|x| luma[at(x, y)] > 150)), "the panel is empty");
}

#[test]
fn other_formats_and_sizes_are_refused() {
    let clip = clip(30);
    let mut bytes = vec![0; SIZE.area() * 4];
    let plane = PlaneMut { bytes: &mut bytes, stride: SIZE.width as usize * 4 };
    let mut canvas = Canvas::new(PixelFormat::Bgrx, SIZE, Colorimetry::RGB, vec![plane]).unwrap();
    let error = clip.paint(0, &mut canvas).unwrap_err().to_string();
    assert!(error.contains("BGRx"), "{error}");
    assert!(Clip::new(&[], SIZE, RATE, 1).is_err());
}

/// The committed stills, at the sizes that capture hardware delivers. With `POLYP_SHOW` set to a folder, frames
/// are written there to be looked at.
#[test]
fn the_committed_stills_make_a_clip() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/kvasir-seg");
    let pictures = Picture::read_folder(&folder).unwrap();
    assert_eq!(pictures.len(), 12);
    let size = Size::new(1280, 720);
    let clip = Clip::new(&pictures, size, RATE, 60).unwrap();
    for picture in 0..12_u64 {
        let index = picture * 60 + 30;
        let share = clip.truth(index).iter().filter(|polyp| **polyp).count() as f64 / clip.window_area();
        assert!(share > 0.01 && share < 0.6, "still {picture}: {share}");
        if let Some(folder) = std::env::var_os("POLYP_SHOW") {
            let rgb = rgb(&clip, index);
            let path = std::path::Path::new(&folder).join(format!("clip-{picture}.png"));
            image::RgbImage::from_raw(size.width, size.height, rgb).unwrap().save(path).unwrap();
        }
    }
}

impl Clip {
    fn window_area(&self) -> f64 {
        Size::new(self.window().width, self.window().height).area() as f64
    }
}

/// A painted frame in red, green and blue, with the truth's edge in green.
fn rgb(clip: &Clip, index: u64) -> Vec<u8> {
    let planes = paint(clip, index, PixelFormat::I420);
    let parts: Vec<Plane<'_>> = planes
        .iter()
        .enumerate()
        .map(|(plane, bytes)| Plane { bytes, stride: PixelFormat::I420.plane_extent(plane, clip.size()).0 })
        .collect();
    let view = FrameView::new(PixelFormat::I420, clip.size(), Clip::COLORIMETRY, &parts).unwrap();
    let converter = crate::colour::ToRgb::new(view.colorimetry());
    let (width, truth) = (clip.size().width as usize, clip.truth(index));
    let pixel = |at: usize| {
        let half = at / width / 2 * (width / 2) + at % width / 2;
        if truth[at] && !(truth[at - 1] && truth[at + 1] && truth[at - width] && truth[at + width]) {
            return [0, 255, 0];
        }
        converter.pixel(planes[0][at], planes[1][half], planes[2][half])
    };
    (0..truth.len()).flat_map(pixel).collect()
}
