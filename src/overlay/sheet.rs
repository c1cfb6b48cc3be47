//! What is to be painted on two rows of a frame: for each layer how much of every pixel it covers. Two rows,
//! because that many share chroma. A chroma sample is mixed by the mean coverage of the pixels that share it.

use super::blend;
use super::pen::{Pen, samples};
use crate::frame::{Canvas, PixelFormat, PlaneMut};
use crate::simd::LANES;

/// Layers, painted in this order.
pub(super) const LAYERS: usize = 3;

/// From the first column to the one after the last.
pub(super) type Span = (usize, usize);

/// Pixels that are painted at once, and cleared: spans are widened to whole blocks of them, whose further pixels are
/// covered by nothing. (Not [`LANES`]: these are bytes.)
const BLOCK: usize = blend::BLOCK;

/// Two rows of coverage, 0 to 255. Outside of the spans all of it is 0.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    width: usize,
    /// `[layer][row]`, each longer than the frame is wide: an odd frame's last chroma sample counts its only column
    /// twice, and arrays end where they end.
    coverage: [[Vec<u8>; 2]; LAYERS],
    /// Rising and apart from each other, from and to whole blocks or the frame's edge.
    spans: [Vec<Span>; 2],
    /// Spans in chroma samples, and the coverage of one of them.
    chroma_spans: Vec<Span>,
    chroma: Vec<u8>,
}

impl Sheet {
    /// Makes it fit frames `width` pixels wide, and empty.
    pub(super) fn fit(&mut self, width: usize) {
        if self.width != width {
            self.width = width;
            for row in self.coverage.iter_mut().flatten() {
                row.clear();
                row.resize(width + 1 + LANES, 0);
            }
            self.chroma.resize(width.div_ceil(2), 0);
        }
    }

    /// Adds the columns `span` to frame row `y`, and gives all layers' coverage of them to be filled in. Spans
    /// of a row come from left to right and do not overlap.
    pub(super) fn open(&mut self, y: usize, span: Span) -> Option<[&mut [u8]; LAYERS]> {
        let (from, to) = self.add(y, span)?;
        let [first, second, third] = self.coverage.each_mut();
        Some([
            first.get_mut(y % 2)?.get_mut(from..to)?,
            second.get_mut(y % 2)?.get_mut(from..to)?,
            third.get_mut(y % 2)?.get_mut(from..to)?,
        ])
    }

    /// The same in arrays, of which the last may end beyond the span: [`Self::close_lanes`] is to follow.
    #[inline(always)]
    pub(super) fn open_lanes(&mut self, y: usize, span: Span) -> Option<[&mut [[u8; LANES]]; LAYERS]> {
        let (from, to) = self.add(y, span)?;
        let lanes = from..from + (to - from).next_multiple_of(LANES);
        let [first, second, third] = self.coverage.each_mut();
        Some([
            first.get_mut(y % 2)?.get_mut(lanes.clone())?.as_chunks_mut().0,
            second.get_mut(y % 2)?.get_mut(lanes.clone())?.as_chunks_mut().0,
            third.get_mut(y % 2)?.get_mut(lanes)?.as_chunks_mut().0,
        ])
    }

    /// Takes back what was filled in beyond the span.
    #[inline(always)]
    pub(super) fn close_lanes(&mut self, y: usize, (_, to): Span) {
        let to = to.min(self.width);
        for beyond in self.coverage.iter_mut().filter_map(|rows| rows.get_mut(y % 2)?.get_mut(to..to + LANES))
        {
            beyond.fill(0);
        }
    }

    /// Adds a span to those that are painted; gives it back, cut to the frame, unless nothing is left of it.
    #[inline(always)]
    fn add(&mut self, y: usize, span: Span) -> Option<Span> {
        let (from, to) = (span.0, span.1.min(self.width));
        if from >= to {
            return None;
        }
        let (first, end) = (from - from % BLOCK, to.next_multiple_of(BLOCK).min(self.width));
        let spans = self.spans.get_mut(y % 2)?;
        match spans.last_mut() {
            Some(last) if first <= last.1 => last.1 = end,
            _ => spans.push((first, end)),
        }
        Some((from, to))
    }

    /// Paints the rows `top` (an even one) and `top + 1`, each layer that has a pen, and is empty again.
    #[inline(always)]
    pub(super) fn flush(&mut self, canvas: &mut Canvas<'_>, top: usize, pens: [Option<Pen>; LAYERS]) {
        if self.spans.iter().all(Vec::is_empty) {
            return;
        }
        let (format, colorimetry) = (canvas.format(), canvas.colorimetry());
        let rows = (canvas.size().height as usize).saturating_sub(top).min(2);
        let pens = samples(pens, format, colorimetry);
        match format {
            PixelFormat::I420 | PixelFormat::Nv12 => {
                for row in 0..rows {
                    self.luma(canvas.planes_mut(), top, row, &pens);
                }
                self.halve(&[0, 1]);
                self.chroma(canvas.planes_mut(), format, top / 2, [0, rows.saturating_sub(1)], &pens);
            }
            PixelFormat::Yuy2 | PixelFormat::Uyvy => {
                for row in 0..rows {
                    self.packed_luma(canvas.planes_mut(), format, top, row, &pens);
                    self.halve(&[row]);
                    self.chroma(canvas.planes_mut(), format, top + row, [row, row], &pens);
                }
            }
            PixelFormat::Bgrx | PixelFormat::Bgra => {
                self.rgb::<4>(canvas.planes_mut(), top, rows, pens.map(|pen| pen.map(|[r, g, b]| [b, g, r])));
            }
            PixelFormat::Rgba => self.rgb::<4>(canvas.planes_mut(), top, rows, pens),
            PixelFormat::Rgb => self.rgb::<3>(canvas.planes_mut(), top, rows, pens),
        }
        self.clear();
    }

    /// What each layer with a pen covers in each span of `row`.
    #[inline(always)]
    fn covered<'a>(
        &'a self,
        row: usize,
        pens: &'a [Option<[u8; 3]>; LAYERS],
    ) -> impl Iterator<Item = (Span, [u8; 3], &'a [u8])> {
        let spans = self.spans.get(row).map_or(&[][..], Vec::as_slice);
        self.coverage
            .iter()
            .zip(pens)
            .filter_map(move |(rows, pen)| Some((rows.get(row)?, (*pen)?)))
            .flat_map(move |(row, pen)| {
                spans.iter().filter_map(move |&(from, to)| Some(((from, to), pen, row.get(from..to)?)))
            })
    }

    #[inline(always)]
    fn luma(&self, planes: &mut [PlaneMut<'_>], top: usize, row: usize, pens: &[Option<[u8; 3]>; LAYERS]) {
        for (span, [luma, ..], coverage) in self.covered(row, pens) {
            blend::plane(cut(planes, 0, (top + row, span), 1), luma, coverage);
        }
    }

    #[inline(always)]
    fn packed_luma(
        &self,
        planes: &mut [PlaneMut<'_>],
        format: PixelFormat,
        top: usize,
        row: usize,
        pens: &[Option<[u8; 3]>; LAYERS],
    ) {
        let first = usize::from(format == PixelFormat::Uyvy);
        for (span, [luma, ..], coverage) in self.covered(row, pens) {
            blend::every_second(cut(planes, 0, (top + row, span), 2), first, luma, coverage);
        }
    }

    #[inline(always)]
    fn rgb<const STEP: usize>(
        &self,
        planes: &mut [PlaneMut<'_>],
        top: usize,
        rows: usize,
        pens: [Option<[u8; 3]>; LAYERS],
    ) {
        for row in 0..rows {
            for (span, pen, coverage) in self.covered(row, &pens) {
                blend::pixels::<STEP>(cut(planes, 0, (top + row, span), STEP), pen, coverage);
            }
        }
    }

    /// Collects the spans of `rows` in chroma samples: rising, apart from each other, so that none is mixed twice.
    fn halve(&mut self, rows: &[usize]) {
        let Self { spans, chroma_spans, .. } = self;
        chroma_spans.clear();
        for row in rows.iter().filter_map(|row| spans.get(*row)) {
            chroma_spans.extend(row.iter().map(|(from, to)| (from / 2, to.div_ceil(2))));
        }
        chroma_spans.sort_unstable();
        chroma_spans.dedup_by(|next, kept| {
            let joined = next.0 <= kept.1;
            if joined {
                kept.1 = kept.1.max(next.1);
            }
            joined
        });
    }

    /// Chroma row `y`, which the rows `pair` of this sheet share (twice the same where there is only one).
    #[inline(always)]
    fn chroma(
        &mut self,
        planes: &mut [PlaneMut<'_>],
        format: PixelFormat,
        y: usize,
        pair: [usize; 2],
        pens: &[Option<[u8; 3]>; LAYERS],
    ) {
        let Self { width, coverage, chroma_spans, chroma, .. } = self;
        for (rows, pen) in coverage.iter_mut().zip(pens) {
            let Some([_, u, v]) = *pen else { continue };
            for row in rows.iter_mut() {
                repeat_last(row, *width);
            }
            let [Some(upper), Some(lower)] = pair.map(|row| rows.get(row)) else { continue };
            for &(from, to) in chroma_spans.iter() {
                let span = 2 * from..2 * to;
                let (Some(upper), Some(lower), Some(chroma)) =
                    (upper.get(span.clone()), lower.get(span), chroma.get_mut(from..to))
                else {
                    continue;
                };
                mean(upper, lower, chroma);
                let at = (y, (from, to));
                match format {
                    PixelFormat::I420 => {
                        blend::plane(cut(planes, 1, at, 1), u, chroma);
                        blend::plane(cut(planes, 2, at, 1), v, chroma);
                    }
                    PixelFormat::Nv12 => blend::pairs(cut(planes, 1, at, 2), [u, v], chroma),
                    PixelFormat::Uyvy => blend::fours(cut(planes, 0, at, 4), 0, [u, v], chroma),
                    _ => blend::fours(cut(planes, 0, at, 4), 1, [u, v], chroma),
                }
            }
        }
    }

    #[inline(always)]
    fn clear(&mut self) {
        for rows in &mut self.coverage {
            for (row, spans) in rows.iter_mut().zip(&self.spans) {
                for &(from, to) in spans {
                    if let Some(covered) = row.get_mut(from..to) {
                        covered.fill(0);
                    }
                }
                if let Some(beyond) = row.get_mut(self.width) {
                    *beyond = 0;
                }
            }
        }
        self.spans.iter_mut().for_each(Vec::clear);
    }
}

/// Lets the place after a row's last hold the same, if the row's length is odd.
fn repeat_last(row: &mut [u8], width: usize) {
    if !width.is_multiple_of(2)
        && let Some([last, beyond, ..]) = row.get_mut(width - 1..)
    {
        *beyond = *last;
    }
}

/// The mean coverage of each 2 x 2 pixels.
#[inline(always)]
fn mean(upper: &[u8], lower: &[u8], out: &mut [u8]) {
    let (outs, out_rest) = out.as_chunks_mut::<LANES>();
    let (uppers, upper_rest) = upper.as_chunks::<{ 2 * LANES }>();
    let (lowers, lower_rest) = lower.as_chunks::<{ 2 * LANES }>();
    for (out, (upper, lower)) in outs.iter_mut().zip(uppers.iter().zip(lowers)) {
        let (upper, lower) = (words(upper), words(lower));
        for (out, (upper, lower)) in out.iter_mut().zip(upper.iter().zip(lower)) {
            *out = mean_of(*upper, lower);
        }
    }
    let rest = upper_rest.as_chunks::<2>().0.iter().zip(lower_rest.as_chunks::<2>().0);
    for (out, (upper, lower)) in out_rest.iter_mut().zip(rest) {
        *out = mean_of(u16::from_le_bytes(*upper), u16::from_le_bytes(*lower));
    }
}

/// Bytes in 16-bit lanes, two in each.
#[inline(always)]
fn words(bytes: &[u8; 2 * LANES]) -> [u16; LANES] {
    let mut words = [0; LANES];
    for (word, pair) in words.iter_mut().zip(bytes.as_chunks::<2>().0) {
        *word = u16::from_le_bytes(*pair);
    }
    words
}

#[inline(always)]
fn mean_of(upper: u16, lower: u16) -> u8 {
    let sum = (upper & 255) + (upper >> 8) + (lower & 255) + (lower >> 8);
    ((sum + 2) / 4) as u8
}

/// The bytes of a span in a row of a plane, each of whose samples takes `step`; none where the plane ends before.
#[inline(always)]
fn cut<'p>(
    planes: &'p mut [PlaneMut<'_>],
    plane: usize,
    (y, (from, to)): (usize, Span),
    step: usize,
) -> &'p mut [u8] {
    let Some(plane) = planes.get_mut(plane) else { return &mut [] };
    let start = y * plane.stride;
    plane.bytes.get_mut(start + from * step..start + to * step).unwrap_or_default()
}
