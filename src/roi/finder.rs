//! The region of a stream: found in its first frames, held from then on, and looked at again now and then.
//!
//! A region that followed every frame would make the mask shiver, so it is held. It changes only when the frames
//! contradict it for a while: at once (two looks) when the picture reaches beyond it, late when the picture keeps
//! within a smaller part, because the dark of a deep lumen looks so too.

use super::Roi;
use super::lit::Cells;
use crate::frame::{FrameView, Rect, Size};

/// Frames that are added up before a region is held. A region is given from the first on.
const FIRST: u32 = 10;
/// Every so many frames a held region is looked at again.
const EVERY: u32 = 15;
/// So many looks in a row that see the picture reach beyond the region end it.
const BEYOND: u32 = 2;
/// So many looks in a row that see the picture in a smaller part end it: ten seconds at 30 frames a second.
const WITHIN: u32 = 20;
/// By so many cells an edge may be off before it counts.
const SLACK_CELLS: u32 = 3;
/// The picture fills at least this share of the frame, and of its own bounding box (an octagon fills 0.83, a disc 0.79);
/// what does not is no endoscope's picture.
const SHARE_OF_FRAME: f32 = 0.15;
const SHARE_OF_BOX: f32 = 0.55;

/// Finds the region in a stream's frames, and holds it.
#[derive(Clone, Debug)]
pub struct RoiFinder {
    roi: Roi,
    cells: Cells,
    state: State,
}

/// What is known of the region.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// Nothing: the next frame is the first.
    New,
    /// It is being found: so many frames were added up.
    Finding { size: Size, seen: u32, region: Option<Rect> },
    /// It is held; looks so far that contradicted it, in a row.
    Held { size: Size, region: Rect, frames: u32, beyond: u32, within: u32 },
}

impl RoiFinder {
    /// A finder that has seen nothing yet.
    pub fn new(roi: Roi) -> Self {
        Self { roi, cells: Cells::default(), state: State::New }
    }

    /// What it was asked for.
    pub fn roi(&self) -> Roi {
        self.roi
    }

    /// Forgets what it holds: the next frames are searched anew.
    pub fn reset(&mut self) {
        self.state = State::New;
    }

    /// The part of `frame` that the network is to see. For [`Roi::Auto`] it lies inside the frame, and is all of
    /// it as long as no endoscope's picture stands out in it; a fixed region is given as it was asked for, and whether it
    /// fits the frame is the preprocessor's to say.
    pub fn source(&mut self, frame: &FrameView<'_>) -> Rect {
        let whole = Rect::whole(frame.size());
        match self.roi {
            Roi::Fixed(rect) => rect,
            Roi::Whole => whole,
            Roi::Auto => self.find(frame).unwrap_or(whole),
        }
    }

    fn find(&mut self, frame: &FrameView<'_>) -> Option<Rect> {
        let size = frame.size();
        match self.state {
            State::Held { size: of, region, frames, beyond, within } if of == size => {
                self.state = State::Held { size, region, frames: frames + 1, beyond, within };
                if frames % EVERY == EVERY - 1 {
                    self.look_again(frame);
                }
                Some(region)
            }
            State::Finding { size: of, seen, .. } if of == size => self.look(frame, seen),
            _ => {
                self.cells.clear(size);
                self.look(frame, 0)
            }
        }
    }

    /// Adds `frame` to the `seen` ones before it.
    fn look(&mut self, frame: &FrameView<'_>, seen: u32) -> Option<Rect> {
        let size = frame.size();
        self.cells.see(frame);
        let region = self.picture(size);
        self.state = match region {
            Some(region) if seen + 1 >= FIRST => {
                State::Held { size, region, frames: 0, beyond: 0, within: 0 }
            }
            // A picture that has not come yet is waited for, however long that takes.
            _ => State::Finding { size, seen: seen + 1, region },
        };
        region
    }

    /// Looks at one frame alone and compares it with the held region.
    fn look_again(&mut self, frame: &FrameView<'_>) {
        let State::Held { size, region, frames, beyond, within } = self.state else { return };
        self.cells.clear(size);
        self.cells.see(frame);
        let slack = SLACK_CELLS * self.cells.side();
        let Some(now) = self.picture(size) else { return };
        let end = |rect: Rect| (rect.x + rect.width, rect.y + rect.height);
        let ((right, bottom), (held_right, held_bottom)) = (end(now), end(region));
        let outside = now.x + slack < region.x
            || now.y + slack < region.y
            || right > held_right + slack
            || bottom > held_bottom + slack;
        let inside = now.x > region.x + slack
            || now.y > region.y + slack
            || right + slack < held_right
            || bottom + slack < held_bottom;
        let beyond = if outside { beyond + 1 } else { 0 };
        let within = if inside && !outside { within + 1 } else { 0 };
        self.state = if beyond >= BEYOND || within >= WITHIN {
            State::New
        } else {
            State::Held { size, region, frames, beyond, within }
        };
    }

    /// The endoscope's picture in the cells so far, if one stands out. Its sides are even, as halved chroma wants.
    fn picture(&mut self, size: Size) -> Option<Rect> {
        let (rect, share) = self.cells.largest()?;
        let area = f64::from(rect.width) * f64::from(rect.height) / size.area() as f64;
        let stands_out = share >= SHARE_OF_BOX && area as f32 >= SHARE_OF_FRAME;
        let even = Rect {
            width: (rect.width & !1).max(rect.width.min(2)),
            height: (rect.height & !1).max(rect.height.min(2)),
            x: rect.x & !1,
            y: rect.y & !1,
        };
        stands_out.then_some(if even.fits(size) { even } else { rect })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clip::{Clip, Picture};
    use crate::config::Framerate;
    use crate::frame::{Canvas, Colorimetry, PixelFormat, Plane, PlaneMut};

    const SIZE: Size = Size::new(1280, 720);

    /// A limited-range NV12 frame.
    struct Frame(Vec<u8>, Vec<u8>);

    impl Frame {
        fn black() -> Self {
            Self(vec![16; SIZE.area()], vec![128; SIZE.area() / 2])
        }

        fn fill(mut self, rect: Rect, luma: u8) -> Self {
            for row in self.0.chunks_mut(SIZE.width as usize).skip(rect.y as usize).take(rect.height as usize)
            {
                row[rect.x as usize..(rect.x + rect.width) as usize].fill(luma);
            }
            self
        }

        fn of(clip: &Clip, index: u64) -> Self {
            let Self(mut luma, mut chroma) = Self::black();
            let stride = SIZE.width as usize;
            let planes = vec![PlaneMut { bytes: &mut luma, stride }, PlaneMut { bytes: &mut chroma, stride }];
            let mut canvas = Canvas::new(PixelFormat::Nv12, SIZE, Clip::COLORIMETRY, planes).unwrap();
            clip.paint(index, &mut canvas).unwrap();
            Self(luma, chroma)
        }

        fn seen_by(&self, finder: &mut RoiFinder) -> Rect {
            let stride = SIZE.width as usize;
            let planes = [Plane { bytes: &self.0, stride }, Plane { bytes: &self.1, stride }];
            let view = FrameView::new(PixelFormat::Nv12, SIZE, Clip::COLORIMETRY, &planes).unwrap();
            finder.source(&view)
        }
    }

    const PICTURE: Rect = Rect { x: 400, y: 40, width: 760, height: 640 };

    fn off(found: Rect, wanted: Rect) -> u32 {
        let ends = |r: Rect| [r.x, r.y, r.x + r.width, r.y + r.height];
        ends(found).iter().zip(ends(wanted)).map(|(a, b)| a.abs_diff(b)).max().unwrap()
    }

    #[test]
    fn the_window_of_real_pictures_is_found_in_the_first_frame_and_held() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/kvasir-seg");
        let rate = Framerate { numerator: 30, denominator: 1 };
        let clip = Clip::new(&Picture::read_folder(&folder).unwrap(), SIZE, rate, 60).unwrap();
        for still in 0..clip.pictures() as u64 {
            let mut finder = RoiFinder::new(Roi::Auto);
            for index in (0..60).step_by(4) {
                let found = Frame::of(&clip, still * 60 + index).seen_by(&mut finder);
                assert!(found.fits(SIZE));
                let wanted = clip.window();
                // Stills have dark corners of their own: what is cut off of them is black.
                assert!(found.x >= wanted.x - 12 && found.x + found.width <= wanted.x + wanted.width + 12);
                let share = found.width as f32 * found.height as f32 / (wanted.width * wanted.height) as f32;
                assert!(share > 0.8, "still {still}, frame {index}: {found} of {wanted}");
            }
        }
    }

    #[test]
    fn borders_and_letters_are_cut_off() {
        let letters = (0..8).fold(Frame::black(), |frame, line| {
            frame.fill(Rect { x: 40, y: 60 + line * 60, width: 200, height: 14 }, 200)
        });
        let mut finder = RoiFinder::new(Roi::Auto);
        let found = letters.fill(PICTURE, 90).seen_by(&mut finder);
        assert!(off(found, PICTURE) <= 12, "{found}");
        assert!([found.x, found.y, found.width, found.height].iter().all(|side| side % 2 == 0));
    }

    #[test]
    fn without_a_picture_it_is_the_whole_frame() {
        let whole = Rect::whole(SIZE);
        let letters = Frame::black().fill(Rect { x: 40, y: 60, width: 900, height: 14 }, 200);
        let small = Frame::black().fill(Rect { x: 500, y: 300, width: 120, height: 120 }, 120);
        for frame in [Frame::black(), letters, small] {
            assert_eq!(frame.seen_by(&mut RoiFinder::new(Roi::Auto)), whole);
        }
        let lit = Frame::black().fill(whole, 100);
        assert_eq!(lit.seen_by(&mut RoiFinder::new(Roi::Auto)), whole);
    }

    #[test]
    fn it_is_held_through_the_dark_and_follows_another_layout() {
        let bright = Frame::black().fill(PICTURE, 90);
        let mut finder = RoiFinder::new(Roi::Auto);
        let held = (0..FIRST).map(|_| bright.seen_by(&mut finder)).last().unwrap();
        // Six seconds deep in the lumen: the lower half is dark, then everything is.
        let half = Frame::black().fill(Rect { height: 320, ..PICTURE }, 90);
        for frame in [&half, &Frame::black()] {
            for _ in 0..180 {
                assert_eq!(frame.seen_by(&mut finder), held);
            }
        }
        // The processor shows the picture larger: within a second and a half that is the region.
        let large = Rect { x: 200, y: 0, width: 1080, height: 720 };
        let larger = Frame::black().fill(large, 90);
        let found = (0..45).map(|_| larger.seen_by(&mut finder)).last().unwrap();
        assert!(off(found, large) <= 12, "{found}");
    }

    #[test]
    fn a_smaller_picture_becomes_the_region_after_a_while() {
        let mut finder = RoiFinder::new(Roi::Auto);
        let (bright, small) =
            (Frame::black().fill(PICTURE, 90), Frame::black().fill(Rect { width: 400, ..PICTURE }, 90));
        let held = (0..20).map(|_| bright.seen_by(&mut finder)).last().unwrap();
        let looks = EVERY * WITHIN;
        let seen: Vec<Rect> = (0..looks + 40).map(|_| small.seen_by(&mut finder)).collect();
        assert_eq!(seen[looks as usize / 2], held);
        assert!(off(seen[looks as usize + 39], Rect { width: 400, ..PICTURE }) <= 12);
    }

    #[test]
    fn every_format_and_range_is_read() {
        for format in PixelFormat::ALL {
            let size = Size::new(320, 240);
            let (black, lit) = if format.is_yuv() { (16, 90) } else { (0, 90) };
            let planes: Vec<(Vec<u8>, usize)> = (0..format.planes())
                .map(|plane| {
                    let (stride, rows) = format.plane_extent(plane, size);
                    let inside = |i: usize| {
                        let (x, y) = (i % stride * 320 / stride, i / stride * 240 / rows);
                        (100..300).contains(&x) && (20..220).contains(&y)
                    };
                    let value = |i: usize| {
                        if plane > 0 {
                            128
                        } else if inside(i) {
                            lit
                        } else {
                            black
                        }
                    };
                    ((0..stride * rows).map(value).collect(), stride)
                })
                .collect();
            let views: Vec<Plane<'_>> =
                planes.iter().map(|(bytes, stride)| Plane { bytes, stride: *stride }).collect();
            let view = FrameView::new(format, size, Clip::COLORIMETRY, &views).unwrap();
            let found = RoiFinder::new(Roi::Auto).source(&view);
            let wanted = Rect { x: 100, y: 20, width: 200, height: 200 };
            assert!(off(found, wanted) <= 4, "{format}: {found}");
        }
    }

    #[test]
    fn tiny_frames_do_no_harm_and_a_fixed_region_is_given_as_it_is() {
        for (width, height) in [(1, 1), (2, 1), (1, 9), (5, 3), (33, 17)] {
            let size = Size::new(width, height);
            let bytes = vec![200; size.area() * 3];
            let plane = Plane { bytes: &bytes, stride: width as usize * 3 };
            let view = FrameView::new(PixelFormat::Rgb, size, Colorimetry::RGB, &[plane]).unwrap();
            let found = RoiFinder::new(Roi::Auto).source(&view);
            assert!(found.fits(size), "{size}: {found}");
            let far = Rect { x: 900, y: 0, width: 10, height: 10 };
            assert_eq!(RoiFinder::new(Roi::Fixed(far)).source(&view), far);
        }
    }
}
