//! Which frames of a session are worth somebody's time.
//!
//! Three measures, each from 0 to towards 1, are taken of every mask:
//!
//! * *doubt*: how much of what may be polyp is open (`polyp::session::doubt`);
//! * *flicker*: how far the mask is from those of the frames before and after it, the nearer of the two; the picture moves
//!   little from frame to frame, and a mask that stands alone is most likely wrong;
//! * *disagreement*: how far it is from the mask that another engine made of the same frame.
//!
//! How far two masks are from one another is 1 less the soft overlap: the sum of the smaller probabilities over the sum of the larger ones, in a
//! grid of 64 x 64 places, half a percent of all added to both, so that specks count little.
//!
//! Frames are taken from the three lists in turn, the worst first, and none within `apart` of one that was taken: neighbours teach the same.

use std::path::{Path, PathBuf};

use polyp::frame::{Rect, Size};
use polyp::input::Placement;
use polyp::metric::to_picture;
use polyp::segmentation::Segmentation;
use polyp::session::{Streamed, doubt};

use super::read::{Frames, Tool, masks};
use super::{Place, mask_of, review, sessions};
use crate::TrainingError;

/// Rows and columns of the grid in which masks are compared.
const GRID: u32 = 64;
/// Added to both sums, as a part of all places.
const SPECK: f32 = 0.005;
/// Frames that are farther apart are no neighbours.
const NEIGHBOURS_NS: u64 = 250_000_000;
/// Two sessions' times that are nearer are the same frame's.
const SAME_NS: u64 = 2_000_000;
/// Less than this of a measure is no reason to look.
const LEAST: f32 = 0.05;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The program that decodes.
    pub tool: Tool,
    /// The session, or a folder of sessions.
    pub folder: PathBuf,
    /// How many frames, at most, of each session.
    pub count: usize,
    /// The same frames with the masks of another engine, as `polyp replay --engine --record` makes them.
    pub against: Option<PathBuf>,
    /// Frames that are picked are at least so far apart, in nanoseconds.
    pub apart_ns: u64,
    /// The probability from which on a pixel is polyp.
    pub threshold: f32,
}

/// What is measured of a mask.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measures {
    /// How much is open.
    pub doubt: f32,
    /// How far it is from its neighbours.
    pub flicker: f32,
    /// How far it is from another engine's; 0 where none was asked.
    pub disagreement: f32,
}

impl Measures {
    /// Their names.
    pub const NAMES: [&str; 3] = ["doubt", "flicker", "disagreement"];

    /// In the order of [`Self::NAMES`].
    pub fn all(&self) -> [f32; 3] {
        [self.doubt, self.flicker, self.disagreement]
    }
}

/// A frame that is picked.
#[derive(Clone, Debug, PartialEq)]
pub struct Picked {
    /// The session's name.
    pub session: String,
    /// The frame's number.
    pub sequence: u64,
    /// Its time, the session's first frame's being 0, in nanoseconds.
    pub time_ns: u64,
    /// The name of the measure by which it was picked.
    pub reason: &'static str,
    /// All of them.
    pub measures: Measures,
}

/// Picks frames and writes them into the folder `review`, which must not be there yet. Tells `progress` how many of how many masks were looked at.
///
/// # Errors
/// [`TrainingError`] naming the session or the file.
pub fn pick(
    request: &Request,
    review: &Path,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<Picked>, TrainingError> {
    let places = sessions(&request.folder)?;
    if request.against.is_some() && places.len() > 1 {
        let found = format!("{} sessions", places.len());
        return Err(TrainingError::field(
            &request.folder,
            "sessions",
            "one, to be compared with another",
            found,
        ));
    }
    let total = places.iter().map(|place| masks(&place.folder)).sum::<Result<usize, _>>()?;
    let (mut done, mut all) = (0, Vec::new());
    let mut writer = review::Writer::create(review)?;
    for place in &places {
        let seen = look(request, place, &mut || {
            done += 1;
            progress(done, total);
        })?;
        let picked = choose(&seen, &place.name, request.count, request.apart_ns);
        writer.add(request, place, &picked)?;
        all.extend(picked);
    }
    writer.finish()?;
    Ok(all)
}

/// What is known of one frame.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Seen {
    sequence: u64,
    time_ns: u64,
    measures: Measures,
}

/// A mask in the grid, and the part of the frame that it is of.
struct Gridded {
    cells: Vec<f32>,
    source: Rect,
    time_ns: u64,
}

impl Gridded {
    fn new(mask: &Segmentation, time_ns: u64) -> Self {
        let size = Size::new(GRID, GRID);
        let source = mask.placement.source;
        let placement = Placement { source: Rect::whole(size), ..mask.placement };
        let cells = to_picture(&Segmentation { placement, ..mask.clone() }, size);
        Self { cells, source, time_ns }
    }

    /// How far two masks of the same part of the frame are from one another; `None` for those of different parts.
    fn distance(&self, other: &Self) -> Option<f32> {
        let pairs = || self.cells.iter().zip(&other.cells);
        let floor = SPECK * self.cells.len() as f32;
        let least: f32 = pairs().map(|(a, b)| a.min(*b)).sum();
        let most: f32 = pairs().map(|(a, b)| a.max(*b)).sum();
        (self.source == other.source).then(|| 1.0 - (least + floor) / (most + floor))
    }

    /// The same, for frames that follow one another.
    fn step(&self, next: &Self) -> Option<f32> {
        let near = next.time_ns.saturating_sub(self.time_ns) <= NEIGHBOURS_NS;
        if near { self.distance(next) } else { None }
    }
}

/// Another engine's masks, in the order of time.
struct Against {
    frames: Frames,
    /// The next one that was not passed yet.
    ahead: Option<Gridded>,
    matched: usize,
}

impl Against {
    fn read(&mut self) -> Result<(), TrainingError> {
        self.ahead = None;
        for streamed in self.frames.by_ref() {
            if let Streamed::Frame(frame, _, cells) = streamed? {
                let time_ns = frame.time_ns;
                self.ahead = Some(Gridded::new(&mask_of(&frame, cells), time_ns));
                break;
            }
        }
        Ok(())
    }

    /// How far the mask is from this engine's of the same frame.
    fn distance(&mut self, mask: &Gridded) -> Result<Option<f32>, TrainingError> {
        while self.ahead.as_ref().is_some_and(|ahead| ahead.time_ns + SAME_NS < mask.time_ns) {
            self.read()?;
        }
        let same = self.ahead.as_ref().filter(|ahead| ahead.time_ns.abs_diff(mask.time_ns) <= SAME_NS);
        let distance = same.and_then(|same| same.distance(mask));
        self.matched += usize::from(distance.is_some());
        Ok(distance)
    }
}

/// Looks at every mask of a session.
fn look(request: &Request, place: &Place, progress: &mut dyn FnMut()) -> Result<Vec<Seen>, TrainingError> {
    let alone = ["--side".to_owned(), "0".to_owned()];
    let open = |session: &Path| request.tool.frames(session, &alone);
    let mut against = match &request.against {
        Some(session) => {
            let mut against = Against { frames: open(session)?, ahead: None, matched: 0 };
            against.read()?;
            Some((against, session))
        }
        None => None,
    };
    let mut seen: Vec<Seen> = Vec::new();
    let mut before: Option<Gridded> = None;
    let mut step_before = None;
    for streamed in open(&place.folder)? {
        let Streamed::Frame(frame, _, cells) = streamed? else { continue };
        let mask = mask_of(&frame, cells);
        let grid = Gridded::new(&mask, frame.time_ns);
        let step = before.as_ref().and_then(|before| before.step(&grid));
        // Only now is it known how far the one before is from this.
        if let (Some(last), Some(behind), Some(ahead)) = (seen.last_mut(), step_before, step) {
            last.measures.flicker = f32::min(behind, ahead);
        }
        let disagreement = match &mut against {
            Some((against, _)) => against.distance(&grid)?.unwrap_or_default(),
            None => 0.0,
        };
        let measures = Measures { doubt: doubt(&mask), flicker: 0.0, disagreement };
        seen.push(Seen { sequence: frame.sequence, time_ns: frame.time_ns, measures });
        (before, step_before) = (Some(grid), step);
        progress();
    }
    match against {
        Some((against, session)) if against.matched == 0 => {
            let expected = format!("masks of the same frames as {} has", place.folder.display());
            Err(TrainingError::field(session, "masks", expected, "none"))
        }
        _ => Ok(seen),
    }
}

/// At most `count` frames, in the order of time.
fn choose(seen: &[Seen], session: &str, count: usize, apart_ns: u64) -> Vec<Picked> {
    let ranked = |measure: usize| {
        let mut order: Vec<&Seen> =
            seen.iter().filter(|seen| seen.measures.all()[measure] >= LEAST).collect();
        order.sort_by(|a, b| b.measures.all()[measure].total_cmp(&a.measures.all()[measure]));
        order.into_iter()
    };
    let mut lists = [0, 1, 2].map(ranked);
    let mut picked: Vec<Picked> = Vec::new();
    loop {
        let before = picked.len();
        for (list, reason) in lists.iter_mut().zip(Measures::NAMES) {
            if picked.len() == count {
                break;
            }
            let far = |seen: &&Seen| picked.iter().all(|p| p.time_ns.abs_diff(seen.time_ns) >= apart_ns);
            if let Some(seen) = list.find(far) {
                let Seen { sequence, time_ns, measures } = *seen;
                picked.push(Picked { session: session.to_owned(), sequence, time_ns, reason, measures });
            }
        }
        if picked.len() == before {
            break;
        }
    }
    picked.sort_by_key(|picked| (picked.time_ns, picked.sequence));
    picked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(sequence: u64, measures: [f32; 3]) -> Seen {
        let [doubt, flicker, disagreement] = measures;
        let measures = Measures { doubt, flicker, disagreement };
        Seen { sequence, time_ns: sequence * 1_000_000_000, measures }
    }

    #[test]
    fn each_measure_has_its_turn_and_neighbours_are_left() {
        let all = [
            seen(0, [0.9, 0.0, 0.0]),
            seen(1, [0.8, 0.0, 0.0]),
            seen(2, [0.7, 0.0, 0.0]),
            seen(5, [0.0, 0.3, 0.0]),
            seen(8, [0.0, 0.0, 0.2]),
            seen(9, [0.01, 0.04, 0.0]),
        ];
        let told = |count: usize, apart_s: u64| {
            let picked = choose(&all, "s", count, apart_s * 1_000_000_000);
            picked.iter().map(|p| format!("{} {}", p.sequence, p.reason)).collect::<Vec<_>>()
        };
        assert_eq!(told(3, 2), ["0 doubt", "5 flicker", "8 disagreement"]);
        assert_eq!(told(9, 2), ["0 doubt", "2 doubt", "5 flicker", "8 disagreement"]);
        assert_eq!(told(2, 0), ["0 doubt", "5 flicker"]);
        assert_eq!(told(0, 2), Vec::<String>::new());
    }

    #[test]
    fn far_masks_are_far_and_specks_are_near() {
        let whole = Rect::whole(Size::new(640, 480));
        let of = |cells: &[(u8, usize)], source: Rect| {
            let probability: Vec<u8> = cells.iter().flat_map(|(value, count)| vec![*value; *count]).collect();
            assert_eq!(probability.len(), 4096);
            let placement = Placement { source, target: Rect::whole(Size::new(64, 64)), side_px: 64 };
            let pts = std::time::Duration::ZERO;
            Gridded::new(&Segmentation { probability, placement, pts, sequence: 0 }, 0)
        };
        let (none, half) = (of(&[(0, 4096)], whole), of(&[(255, 2048), (0, 2048)], whole));
        let other = of(&[(0, 2048), (255, 2048)], whole);
        let speck = of(&[(255, 2), (0, 4094)], whole);
        assert_eq!(half.distance(&half), Some(0.0));
        assert!(half.distance(&other).unwrap() > 0.98 && none.distance(&half).unwrap() > 0.98);
        assert!(none.distance(&speck).unwrap() < 0.1);
        let part = of(&[(0, 4096)], Rect { x: 8, ..whole });
        assert_eq!(none.distance(&part), None);
        assert_eq!(none.step(&Gridded { time_ns: NEIGHBOURS_NS + 1, ..of(&[(0, 4096)], whole) }), None);
    }
}
