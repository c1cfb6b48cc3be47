//! Which parts of the probability grid a style has anything to say about.

use super::sheet::Span;
use crate::segmentation::Segmentation;

/// What is to be done with one gap of the grid: the square between four nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// Nothing is painted.
    Empty = 0,
    /// All of it is covered alike.
    Solid = 1,
    /// It depends on the pixel.
    Field = 2,
}

/// The kinds of all gaps. Work in bytes throughout: the compiler makes vector instructions of it.
#[derive(Debug, Default)]
pub(super) struct Grid {
    /// Gaps in a row.
    columns: usize,
    /// For every node of two rows how many stops it has passed.
    passed: [Vec<u8>; 2],
    kinds: Vec<u8>,
    wider: Vec<u8>,
}

/// The nodes of a segmentation that lie in the frame.
pub(super) struct Nodes<'a> {
    segmentation: &'a Segmentation,
    left: usize,
    top: usize,
    /// Nodes in a row.
    pub(super) width: usize,
    /// Rows.
    pub(super) height: usize,
}

impl<'a> Nodes<'a> {
    /// The nodes of `segmentation`, unless its numbers do not go together.
    pub(super) fn of(segmentation: &'a Segmentation) -> Option<Self> {
        let (target, side) = (segmentation.placement.target, segmentation.side());
        let fits = target.fits(crate::frame::Size::new(side as u32, side as u32));
        (fits && segmentation.probability.len() == side * side).then_some(Self {
            segmentation,
            left: target.x as usize,
            top: target.y as usize,
            width: target.width as usize,
            height: target.height as usize,
        })
    }

    /// Row `row`; beyond the last, the last.
    pub(super) fn row(&self, row: usize) -> &'a [u8] {
        let from = (self.top + row.min(self.height - 1)) * self.segmentation.side() + self.left;
        self.segmentation.probability.get(from..from + self.width).unwrap_or(&[])
    }
}

impl Grid {
    /// Sorts every gap. `stops` are the bytes at which something changes, rising; `between` says what is painted where
    /// that many of them are passed. What depends on the pixel reaches `[gaps across, gaps down]` further.
    #[inline(always)]
    pub(super) fn sort(
        &mut self,
        nodes: &Nodes<'_>,
        stops: &[u8],
        between: impl Fn(u8) -> Kind,
        reach: [usize; 2],
    ) {
        let (columns, rows) = ((nodes.width - 1).max(1), (nodes.height - 1).max(1));
        self.columns = columns;
        self.kinds.clear();
        self.kinds.resize(columns * rows, 0);
        let [upper, lower] = &mut self.passed;
        count(nodes.row(0), stops, upper);
        let table: [u8; 16] = std::array::from_fn(|passed| between(passed as u8) as u8);
        for (row, kinds) in self.kinds.chunks_exact_mut(columns).enumerate() {
            count(nodes.row(row + 1), stops, lower);
            // One node alone has itself for a neighbour.
            let right = usize::from(nodes.width > 1);
            let corners =
                upper.iter().zip(upper.iter().skip(right)).zip(lower.iter().zip(lower.iter().skip(right)));
            for (kind, ((a, b), (c, d))) in kinds.iter_mut().zip(corners) {
                let differ = (a ^ b) | (a ^ c) | (a ^ d);
                *kind = if differ == 0 { *a } else { 16 };
            }
            if kinds.iter().fold(0, |any, kind| any | kind) != 0 || table.first() != Some(&0) {
                for kind in kinds.iter_mut() {
                    *kind = table.get(usize::from(*kind)).copied().unwrap_or(Kind::Field as u8);
                }
            }
            std::mem::swap(upper, lower);
        }
        self.widen(reach);
    }

    /// Spreads [`Kind::Field`] over its neighbours.
    #[inline(always)]
    fn widen(&mut self, [across, down]: [usize; 2]) {
        let Self { columns, kinds, wider, .. } = self;
        for _ in 0..across.min(*columns) {
            wider.clone_from(kinds);
            for (kinds, old) in kinds.chunks_exact_mut(*columns).zip(wider.chunks_exact(*columns)) {
                spread(kinds.get_mut(1..).unwrap_or(&mut []), old);
                spread(kinds, old.get(1..).unwrap_or(&[]));
            }
        }
        for _ in 0..down.min(kinds.len() / (*columns).max(1)) {
            wider.clone_from(kinds);
            let above = wider.chunks_exact(*columns);
            let below = wider.chunks_exact(*columns).skip(1);
            for (kinds, above) in kinds.chunks_exact_mut(*columns).skip(1).zip(above) {
                spread(kinds, above);
            }
            for (kinds, below) in kinds.chunks_exact_mut(*columns).zip(below) {
                spread(kinds, below);
            }
        }
    }

    /// The runs of equal kind in a row of gaps, from left to right, without the empty ones.
    pub(super) fn runs(&self, row: usize, out: &mut Vec<(Kind, Span)>) {
        out.clear();
        let from = row * self.columns;
        let Some(kinds) = self.kinds.get(from..from + self.columns) else { return };
        if kinds.iter().fold(0, |any, kind| any | kind) == 0 {
            return;
        }
        let mut at = 0;
        for run in kinds.chunk_by(|a, b| a == b) {
            let span = (at, at + run.len());
            at = span.1;
            match run.first() {
                Some(1) => out.push((Kind::Solid, span)),
                Some(2) => out.push((Kind::Field, span)),
                _ => {}
            }
        }
    }
}

#[inline(always)]
fn count(nodes: &[u8], stops: &[u8], out: &mut Vec<u8>) {
    out.clear();
    out.resize(nodes.len(), 0);
    for stop in stops {
        for (passed, node) in out.iter_mut().zip(nodes) {
            *passed += u8::from(node >= stop);
        }
    }
}

#[inline(always)]
fn spread(kinds: &mut [u8], neighbours: &[u8]) {
    let field = Kind::Field as u8;
    for (kind, neighbour) in kinds.iter_mut().zip(neighbours) {
        *kind = if *neighbour == field { field } else { *kind };
    }
}
