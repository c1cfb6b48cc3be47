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
use super::recipe::inverse_root;
use super::sheet::Span;
use crate::simd::LANES;

/// Of a node: the probability (0 to 1), its slopes across and down by central differences, and the slope to the next
/// node across; slopes per frame pixel.
type Node = [f32; 4];

/// A square of a slope that is as good as none: far below [`Row::flat`]'s, and far from the smallest number.
const LEAST_SQUARE: f32 = 1e-18;

/// Pixels of a gap that are laid out at once: a gap of a frame of 1080 rows is about as wide.
const GAP_LANES: usize = 8;

/// Numbers of [`LANES`] pixels.
pub(super) type Lanes = [f32; LANES];

/// A row of nodes, laid out over the frame's columns: the same four numbers. Columns are longer than the frame is wide by
/// [`LANES`]; what stands behind a span is of no meaning.
#[derive(Debug, Default)]
struct Laid {
    nodes: Vec<Node>,
    columns: [Vec<f32>; 4],
}

/// [`LANES`] pixels of a row of the frame. What the last ones of a span have beyond it is of no meaning.
#[derive(Debug)]
pub(super) struct Sample {
    /// Probability, 0 to 1.
    pub(super) p: Lanes,
    /// Pixels per unit of probability: a difference in probability times this is a distance.
    pub(super) run: Lanes,
    /// How much a line counts, 0 to 1: less where the probability is so flat that its levels are noise, and
    /// where a dash ends.
    pub(super) weight: Lanes,
}

/// Samples a segmentation row by row, with memory that is used again.
#[derive(Debug, Default)]
pub(super) struct Field {
    /// Four rows of probabilities around a row of gaps, one more than the nodes at either end.
    rows: [Vec<f32>; 4],
    upper: Laid,
    lower: Laid,
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

    /// The pixels `from` up to (not including) `to` in the two rows of nodes, for [`sample`].
    #[inline(always)]
    pub(super) fn cut(&self, (from, to): Span) -> [[&[Lanes]; 4]; 2] {
        [self.upper.cut(from, to), self.lower.cut(from, to)]
    }
}

/// What two rows of nodes, laid out, come to at `row` between them; `by_column` is what lines that are nearer to level weigh
/// there: dashes of a mask that is older than its frame.
#[inline(always)]
pub(super) fn sample(
    [p0, across0, down0, own0]: [&Lanes; 4],
    [p1, across1, down1, own1]: [&Lanes; 4],
    by_column: &Lanes,
    row: &Row,
) -> Sample {
    let mut out = Sample { p: [0.0; LANES], run: [0.0; LANES], weight: [0.0; LANES] };
    let lerp = |a: f32, b: f32| a + (b - a) * row.along;
    let per_flat = 1.0 / row.flat;
    let outs = out.p.iter_mut().zip(&mut out.run).zip(&mut out.weight).zip(by_column);
    let nodes = p0.iter().zip(p1).zip(across0.iter().zip(across1));
    let slopes = down0.iter().zip(down1).zip(own0.iter().zip(own1));
    for ((((p, run), weight), by_column), (((p0, p1), (across0, across1)), ((down0, down1), (own0, own1)))) in
        outs.zip(nodes.zip(slopes))
    {
        *p = lerp(*p0, *p1);
        let (across, down) = (lerp(*across0, *across1), lerp(*down0, *down1));
        let (own_across, own_down) = (lerp(*own0, *own1), (p1 - p0) * row.scale);
        let (across2, down2) = (across * across, down * down);
        let smooth = across2 + down2;
        let steep = own_across * own_across + own_down * own_down;
        let square = if smooth > steep { smooth } else { steep };
        let inverse = inverse_root(if square > LEAST_SQUARE { square } else { LEAST_SQUARE });
        *run = if inverse < per_flat { inverse } else { per_flat };
        let firm = square * inverse * per_flat;
        // A line that is nearer to upright than to level is cut by rows, another by columns.
        let dash = if across2 > down2 { row.by_row } else { *by_column };
        *weight = if firm < 1.0 { firm } else { 1.0 } * dash;
    }
    out
}

/// What is the same for all spans of a frame's row.
#[derive(Debug)]
pub(super) struct Row {
    /// How far it is on the way down its gaps, 0 to 1.
    pub(super) along: f32,
    /// Gaps per pixel downwards.
    pub(super) scale: f32,
    /// The slope, per pixel, under which levels are noise.
    pub(super) flat: f32,
    /// What lines that are nearer to upright weigh, all along the row.
    pub(super) by_row: f32,
}

impl Laid {
    fn fit(&mut self, nodes: usize, pixels: usize) {
        self.nodes.resize(nodes, [0.0; 4]);
        self.columns.iter_mut().for_each(|column| column.resize(pixels, 0.0));
    }

    /// The columns `from` up to (not including) `to`, and as many more as fill the last array.
    #[inline(always)]
    fn cut(&self, from: usize, to: usize) -> [&[Lanes]; 4] {
        let span = from..from + (to - from).next_multiple_of(LANES);
        self.columns
            .each_ref()
            .map(|column| column.get(span.clone()).unwrap_or_default().as_chunks::<LANES>().0)
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
            // What is written beyond the gap is the next one's, whose turn comes later, or behind the span.
            let places = first..first + (end - first).next_multiple_of(GAP_LANES);
            let (Some(along), Some(p), Some(across), Some(down), Some(own)) = (
                columns.along.get(places.clone()),
                p.get_mut(places.clone()),
                across.get_mut(places.clone()),
                down.get_mut(places.clone()),
                own.get_mut(places),
            ) else {
                continue;
            };
            let along = along.as_chunks::<GAP_LANES>().0.iter();
            let outs = p.as_chunks_mut::<GAP_LANES>().0.iter_mut().zip(across.as_chunks_mut::<GAP_LANES>().0);
            let more = down.as_chunks_mut::<GAP_LANES>().0.iter_mut().zip(own.as_chunks_mut::<GAP_LANES>().0);
            for (along, ((p, across), (down, own))) in along.zip(outs.zip(more)) {
                *own = [a[3]; GAP_LANES];
                for (t, ((p, across), down)) in along.iter().zip(p.iter_mut().zip(across).zip(down)) {
                    *p = a[0] + (b[0] - a[0]) * t;
                    *across = a[1] + (b[1] - a[1]) * t;
                    *down = a[2] + (b[2] - a[2]) * t;
                }
            }
        }
    }
}
