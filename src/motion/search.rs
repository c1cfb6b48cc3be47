//! Where blocks of one plane lie in another, to whole cells: block matching by the sum of absolute differences, from
//! coarse to fine.
//!
//! 1. At quarter size every window is compared with all places up to [`REACH`] quarter cells away.
//! 2. At half size a block tries what the window nearest to it found, what most windows found, and standing still,
//!    each with the places around.
//! 3. At full size it tries the places around the best of these.
//!
//! The exhaustive search that this is compared with stands in `tests/`.

use super::luma::{Level, Luma};
use super::texture::{BLOCK, Layout};

/// How far windows are looked for at quarter size: 24 cells at full size.
const REACH: i16 = 6;
/// Side of the windows at half and quarter size, and the distance between windows at quarter size.
const WINDOW: usize = 8;
const STEP: usize = 4;
/// What a quarter cell of distance costs, in levels summed over a window: of two places that are as good, the nearer
/// one is it.
const RENT: u32 = 4;

/// By how much something moved, in whole cells: across, down.
pub(super) type Step = [i16; 2];

/// The whole-cell vectors of all blocks, with memory that is used again.
#[derive(Debug, Default)]
pub(super) struct Field {
    layout: Layout,
    coarse: Vec<Step>,
    /// What each window's step costs.
    costs: Vec<u32>,
    /// The differences of one row of squares, column by column, and of two rows of squares, for one step.
    columns: Vec<u16>,
    squares: [Vec<u16>; 2],
    sorted: [Vec<i16>; 2],
    /// For every block, if it can be found again.
    steps: Vec<Option<Step>>,
}

impl Field {
    /// Looks for the blocks of `of` in `within`, which is of the same size.
    #[inline(always)]
    pub(super) fn search(&mut self, of: &Luma, within: &Luma) {
        let most = self.search_coarse(of.quarter(), within.quarter());
        let (width, height) = of.size();
        self.layout = Layout::of(width, height);
        let (columns, rows) = self.layout.blocks();
        let across = windows(of.quarter().width);
        let down = windows(of.quarter().height);
        self.steps.clear();
        for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
            let (x, y) = self.layout.place(column, row);
            let mut step = None;
            if of.texture(column, row).holds() {
                // The window whose middle is nearest to the block's.
                let nearest = |start: usize, count: usize| {
                    ((start / 4 + STEP / 2).saturating_sub(2) / STEP).min(count.saturating_sub(1))
                };
                let window = nearest(y, down) * across + nearest(x, across);
                let near = self.coarse.get(window).copied().unwrap_or_default();
                let seeds = [near, most, [0, 0]].map(|[x, y]| [2 * x, 2 * y]);
                let halfway = best::<WINDOW>(of.half(), (x / 2, y / 2), within.half(), &seeds);
                if let Some([x2, y2]) = halfway {
                    step = best::<BLOCK>(of.full(), (x, y), within.full(), &[[2 * x2, 2 * y2]]);
                }
            }
            self.steps.push(step);
        }
    }

    /// Fills `coarse`, and gives its median.
    #[inline(always)]
    fn search_coarse(&mut self, of: &Level, within: &Level) -> Step {
        let (across, down) = (windows(of.width), windows(of.height));
        self.coarse.clear();
        self.coarse.resize(across * down, [0, 0]);
        self.costs.clear();
        self.costs.resize(across * down, u32::MAX);
        // Of two steps that cost the same the first counts: standing still.
        for step in std::iter::once([0, 0]).chain(around(REACH)) {
            self.try_step(of, within, step, (across, down));
        }
        self.sorted.iter_mut().for_each(Vec::clear);
        for step in &self.coarse {
            for (sorted, value) in self.sorted.iter_mut().zip(*step) {
                sorted.push(value);
            }
        }
        let [across, down] = &mut self.sorted;
        [median(across), median(down)]
    }

    /// What `step` costs every window that stays inside: a window is two by two squares of [`STEP`] cells, and each square's sum of
    /// absolute differences is taken once, a row of squares at a time.
    #[inline(always)]
    fn try_step(&mut self, of: &Level, within: &Level, step: Step, (across, down): (usize, usize)) {
        let [dx, dy] = step.map(isize::from);
        let Self { coarse, costs, columns, squares: [upper, lower], .. } = self;
        // Columns of squares, one more than of windows, whose cells are inside of the other plane.
        let inside = |count: usize, by: isize, side: usize| {
            let first = (-by).max(0).unsigned_abs().div_ceil(STEP);
            let fit = (side as isize - by).max(0).unsigned_abs() / STEP;
            (first, (count + 1).min(fit))
        };
        let (first, end) = inside(across, dx, within.width);
        let (top, bottom) = inside(down, dy, within.height);
        if end < first + 2 {
            return;
        }
        let rent = RENT * (dx.unsigned_abs() + dy.unsigned_abs()) as u32;
        let width = (end - first) * STEP;
        for row in top..bottom {
            std::mem::swap(upper, lower);
            columns.clear();
            columns.resize(width, 0);
            for y in row * STEP..(row + 1) * STEP {
                let from = y * of.width + first * STEP;
                let to = ((y as isize + dy) * within.width as isize + (first * STEP) as isize + dx) as usize;
                let (Some(a), Some(b)) =
                    (of.values.get(from..from + width), within.values.get(to..to + width))
                else {
                    return;
                };
                for (sum, (a, b)) in columns.iter_mut().zip(a.iter().zip(b)) {
                    *sum += u16::from(a.abs_diff(*b));
                }
            }
            lower.clear();
            lower.extend(columns.as_chunks::<STEP>().0.iter().map(|square| square.iter().sum::<u16>()));
            if row == top {
                continue;
            }
            let start = (row - 1) * across + first;
            let (Some(costs), Some(coarse)) = (
                costs.get_mut(start..start + (end - first - 1)),
                coarse.get_mut(start..start + (end - first - 1)),
            ) else {
                return;
            };
            let sums = upper.array_windows::<2>().zip(lower.array_windows::<2>());
            for ((cost, found), ([a, b], [c, d])) in costs.iter_mut().zip(coarse).zip(sums) {
                let sum = rent + u32::from(*a) + u32::from(*b) + u32::from(*c) + u32::from(*d);
                if sum < *cost {
                    (*cost, *found) = (sum, step);
                }
            }
        }
    }

    pub(super) fn layout(&self) -> Layout {
        self.layout
    }

    /// The vector of a block; `None` where it has nothing to hold on to, or was not found inside of the plane.
    pub(super) fn step(&self, column: usize, row: usize) -> Option<Step> {
        let (columns, _) = self.layout.blocks();
        (column < columns).then(|| self.steps.get(row * columns + column).copied().flatten())?
    }
}

impl Layout {
    /// The first cell of a block.
    pub(super) fn place(&self, column: usize, row: usize) -> (usize, usize) {
        (self.left + column * BLOCK / 2, self.top + row * BLOCK / 2)
    }

    /// The block whose first cell is nearest to a place; outside of the grid there is none.
    pub(super) fn nearest(&self, x: i32, y: i32) -> Option<(usize, usize)> {
        let (columns, rows) = self.blocks();
        let index = |at: i32, first: usize, count: usize| {
            let half = BLOCK as i32 / 2;
            let index = (at - first as i32 + half / 2).div_euclid(half);
            usize::try_from(index).ok().filter(|index| *index < count)
        };
        Some((index(x, self.left, columns)?, index(y, self.top, rows)?))
    }
}

/// Windows along a side of so many cells.
fn windows(side: usize) -> usize {
    if side < WINDOW { 0 } else { (side - WINDOW) / STEP + 1 }
}

/// The middle one, by the number of smaller ones; 0 of none.
fn median(values: &mut [i16]) -> i16 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}

/// All steps of at most `reach` across and down.
fn around(reach: i16) -> impl Iterator<Item = Step> {
    (-reach..=reach).flat_map(move |y| (-reach..=reach).map(move |x| [x, y]))
}

/// The best of the places around `seeds` for the square of `SIDE` cells at `place`; `None` when none of them lies inside.
#[inline(always)]
fn best<const SIDE: usize>(
    of: &Level,
    place: (usize, usize),
    within: &Level,
    seeds: &[Step],
) -> Option<Step> {
    let mut found: Option<(u32, Step)> = None;
    for (index, seed) in seeds.iter().enumerate() {
        if seeds.iter().take(index).any(|earlier| earlier == seed) {
            continue;
        }
        for [x, y] in around(1) {
            let step = [seed[0] + x, seed[1] + y];
            let least = found.map_or(u32::MAX, |(least, _)| least);
            if let Some(cost) = difference::<SIDE>(of, place, within, step, least) {
                found = Some((cost, step));
            }
        }
    }
    found.map(|(_, step)| step)
}

/// The sum of absolute differences of two squares of `SIDE` cells: at `place` of the one plane, and `step` further in the
/// other; `None` when that is outside, or the sum comes to `least` or more.
#[inline(always)]
pub(super) fn difference<const SIDE: usize>(
    of: &Level,
    (x, y): (usize, usize),
    within: &Level,
    [dx, dy]: Step,
    least: u32,
) -> Option<u32> {
    let (to_x, to_y) = (x.checked_add_signed(dx.into())?, y.checked_add_signed(dy.into())?);
    if to_x + SIDE > within.width || to_y + SIDE > within.height {
        return None;
    }
    let from = of.values.get(y * of.width + x..)?;
    let to = within.values.get(to_y * within.width + to_x..)?;
    let mut sum = 0;
    for row in 0..SIDE {
        let a = from.get(row * of.width..)?.first_chunk::<SIDE>()?;
        let b = to.get(row * within.width..)?.first_chunk::<SIDE>()?;
        sum += a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(*b))).sum::<u32>();
        // Looked at now and then: a test costs as much as two rows.
        if row % 4 == 3 && sum >= least {
            return None;
        }
    }
    Some(sum)
}
