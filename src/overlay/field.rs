//! The probability at every pixel, and how fast it changes there: what turns a level into a line of even width.
//!
//! Between nodes the probability is bilinear. Its slope is taken twice: from the gap itself, and from the central
//! differences at its four nodes; the steeper one counts. The first alone would cut a line off where the next gap
//! is flat, the second alone would thin it where the probability jumps within one gap.
//!
//! A row of gaps is some rows of the frame high: the two rows of nodes that bound it are laid out over the
//! frame's columns once, and the frame's rows between them are mixed from those, a sweep of vector instructions each.
//!
//! Not here: what is painted ([`super::recipe`]).

use super::axis::Axis;
use super::grid::Nodes;
use super::sheet::Span;

/// Of a node: the probability (0 to 1), its slopes across and down by central differences, and the slope to the next
/// node across; slopes per frame pixel.
type Node = [f32; 4];

/// A row of nodes, laid out over the frame's columns: the same four numbers.
#[derive(Debug, Default)]
struct Laid {
    nodes: Vec<Node>,
    columns: [Vec<f32>; 4],
}

/// A span of pixels in one row of the frame.
#[derive(Debug)]
pub(super) struct Sample<'a> {
    /// The first pixel's column.
    pub(super) x: usize,
    /// The row.
    pub(super) y: usize,
    /// Probability, 0 to 1.
    pub(super) p: &'a [f32],
    /// Pixels per unit of probability: a difference in probability times this is a distance.
    pub(super) run: &'a [f32],
    /// How much a line counts, 0 to 1: less where the probability is so flat that its levels are noise, and
    /// where a dash ends.
    pub(super) weight: &'a [f32],
}

/// Samples a segmentation row by row, with memory that is used again.
#[derive(Debug, Default)]
pub(super) struct Field {
    /// Four rows of probabilities around a row of gaps, one more than the nodes at either end.
    rows: [Vec<f32>; 4],
    upper: Laid,
    lower: Laid,
    p: Vec<f32>,
    run: Vec<f32>,
    weight: Vec<f32>,
}

impl Field {
    /// Turns to row `row` of gaps, of which `spans` are to be sampled. `down` is gaps per pixel downwards.
    #[inline(always)]
    pub(super) fn turn(
        &mut self,
        nodes: &Nodes<'_>,
        row: usize,
        columns: &Axis,
        down: f32,
        spans: impl Iterator<Item = Span>,
    ) {
        for (rows, at) in self.rows.iter_mut().zip([row.saturating_sub(1), row, row + 1, row + 2]) {
            let bytes = nodes.row(at);
            let value = |byte: &u8| f32::from(*byte) * (1.0 / 255.0);
            rows.clear();
            rows.extend(bytes.first().map(value));
            rows.extend(bytes.iter().map(value));
            rows.extend(bytes.last().map(value));
        }
        let scale = (columns.scale, down);
        let [above, first, second, below] = &self.rows;
        self.upper.fit(nodes.width, columns.along.len());
        self.lower.fit(nodes.width, columns.along.len());
        for span in spans {
            self.upper.fill([above, first, second], columns, scale, span);
            self.lower.fill([first, second, below], columns, scale, span);
        }
    }

    /// The pixels `from` up to (not including) `to`, counted from `left`, of frame row `y`.
    #[inline(always)]
    pub(super) fn sample(&mut self, (from, to): Span, left: usize, y: usize, row: &Row<'_>) -> Sample<'_> {
        let Self { upper, lower, p, run, weight, .. } = self;
        let empty = Sample { x: left + from, y, p: &[], run: &[], weight: &[] };
        let (Some([p0, across0, down0, own0]), Some([p1, across1, down1, own1])) =
            (upper.cut(from, to), lower.cut(from, to))
        else {
            return empty;
        };
        for out in [&mut *p, &mut *run, &mut *weight] {
            out.resize(to - from, 0.0);
        }
        let (along, per_flat) = (row.along, 1.0 / row.flat);
        let lerp = |a: f32, b: f32| a + (b - a) * along;
        let outs = p.iter_mut().zip(run.iter_mut()).zip(weight.iter_mut());
        let nodes = p0.iter().zip(p1).zip(across0.iter().zip(across1));
        let slopes = down0.iter().zip(down1).zip(own0.iter().zip(own1));
        for (((p, run), weight), (((p0, p1), (across0, across1)), ((down0, down1), (own0, own1)))) in
            outs.zip(nodes.zip(slopes))
        {
            *p = lerp(*p0, *p1);
            let (across, down) = (lerp(*across0, *across1), lerp(*down0, *down1));
            let (own_across, own_down) = (lerp(*own0, *own1), (p1 - p0) * row.scale);
            let smooth = across * across + down * down;
            let steep = own_across * own_across + own_down * own_down;
            let slope = if smooth > steep { smooth } else { steep }.sqrt();
            *run = 1.0 / if slope > row.flat { slope } else { row.flat };
            let firm = slope * per_flat;
            *weight = if firm < 1.0 { firm } else { 1.0 };
        }
        if !row.dashes.is_empty() {
            let slopes = across0.iter().zip(across1).zip(down0.iter().zip(down1));
            for ((weight, ((a0, a1), (d0, d1))), x) in weight.iter_mut().zip(slopes).zip(left + from..) {
                // A line that is nearer to upright than to level is cut by rows, another by columns.
                let upright = lerp(*a0, *a1).abs() > lerp(*d0, *d1).abs();
                *weight *= row.dashes.get(if upright { y } else { x }).copied().unwrap_or(1.0);
            }
        }
        Sample { p, run, weight, ..empty }
    }
}

/// What is the same for all spans of a frame's row.
#[derive(Debug)]
pub(super) struct Row<'a> {
    /// How far it is on the way down its gaps, 0 to 1.
    pub(super) along: f32,
    /// Gaps per pixel downwards.
    pub(super) scale: f32,
    /// The slope, per pixel, under which levels are noise.
    pub(super) flat: f32,
    /// A weight for every column or row of the frame; nothing where no dashes are wanted.
    pub(super) dashes: &'a [f32],
}

impl Laid {
    fn fit(&mut self, nodes: usize, pixels: usize) {
        self.nodes.resize(nodes, [0.0; 4]);
        self.columns.iter_mut().for_each(|column| column.resize(pixels, 0.0));
    }

    #[inline(always)]
    fn cut(&self, from: usize, to: usize) -> Option<[&[f32]; 4]> {
        let [p, across, down, own] = &self.columns;
        Some([p.get(from..to)?, across.get(from..to)?, down.get(from..to)?, own.get(from..to)?])
    }

    /// Fills in the gaps `from` up to (not including) `to`, from the probabilities above, in and below the row of nodes,
    /// which start one before the first node.
    #[inline(always)]
    fn fill(
        &mut self,
        [above, row, below]: [&[f32]; 3],
        columns: &Axis,
        scale: (f32, f32),
        (from, to): Span,
    ) {
        let last = (to + 1).min(self.nodes.len());
        let (Some(nodes), Some(row), Some(above), Some(below)) = (
            self.nodes.get_mut(from..last),
            row.get(from..last + 2),
            above.get(from + 1..last + 1),
            below.get(from + 1..last + 1),
        ) else {
            return;
        };
        for ((node, [before, here, after]), (above, below)) in
            nodes.iter_mut().zip(row.array_windows()).zip(above.iter().zip(below))
        {
            let (across, down) = ((after - before) * 0.5 * scale.0, (below - above) * 0.5 * scale.1);
            *node = [*here, across, down, (after - here) * scale.0];
        }
        let ends = nodes.iter().zip(nodes.iter().skip(1).chain(nodes.last()));
        let [p, across, down, own] = &mut self.columns;
        for (gap, (a, b)) in (from..to).zip(ends) {
            let (first, end) = columns.pixels(gap, gap + 1);
            let (Some(along), Some(p), Some(across), Some(down), Some(own)) = (
                columns.along.get(first..end),
                p.get_mut(first..end),
                across.get_mut(first..end),
                down.get_mut(first..end),
                own.get_mut(first..end),
            ) else {
                continue;
            };
            own.fill(a[3]);
            for (t, ((p, across), down)) in along.iter().zip(p.iter_mut().zip(across).zip(down)) {
                *p = a[0] + (b[0] - a[0]) * t;
                *across = a[1] + (b[1] - a[1]) * t;
                *down = a[2] + (b[2] - a[2]) * t;
            }
        }
    }
}
