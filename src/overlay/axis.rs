//! One direction of a frame, laid along the grid's cells.

use crate::simd::LANES;

/// Where each pixel of a row (or column) lies between the grid's nodes. Nodes are the centres of the
/// segmentation's cells; what lies between two of them is called a gap here. A pixel beyond the outer nodes is taken
/// to be on the outermost.
#[derive(Debug, Default)]
pub(super) struct Axis {
    /// For every pixel how far it is from its gap's first node, 0 to 1; longer than the axis by [`LANES`].
    pub(super) along: Vec<f32>,
    /// For every pixel its gap.
    pub(super) gap: Vec<u16>,
    /// For every gap its first pixel, and after the last gap the number of pixels.
    first: Vec<u32>,
    /// Gaps per pixel.
    pub(super) scale: f32,
    /// What it was laid for: pixels and nodes.
    laid: (u32, u32),
}

impl Axis {
    /// Lays `pixels` pixels along `nodes` nodes, edge to edge.
    pub(super) fn fit(&mut self, pixels: u32, nodes: u32) {
        if self.laid == (pixels, nodes) {
            return;
        }
        self.laid = (pixels, nodes);
        let last = nodes.max(1) - 1;
        let gaps = last.max(1);
        self.scale = scale(pixels, nodes);
        self.along.clear();
        self.gap.clear();
        self.first.clear();
        for pixel in 0..pixels {
            let place = ((pixel as f32 + 0.5) * self.scale - 0.5).clamp(0.0, last as f32);
            let gap = (place as u32).min(gaps - 1);
            while self.first.len() <= gap as usize {
                self.first.push(pixel);
            }
            self.gap.push(gap as u16);
            self.along.push(place - gap as f32);
        }
        self.along.resize(pixels as usize + LANES, 0.0);
        self.first.resize(gaps as usize + 1, pixels);
    }

    /// The pixels of the gaps `from` up to (not including) `to`.
    pub(super) fn pixels(&self, from: usize, to: usize) -> (usize, usize) {
        let at = |gap: usize| self.first.get(gap).copied().unwrap_or(self.gap.len() as u32) as usize;
        (at(from), at(to))
    }
}

/// Gaps per pixel where `pixels` pixels lie along `nodes` nodes, edge to edge.
pub(super) fn scale(pixels: u32, nodes: u32) -> f32 {
    nodes.max(1) as f32 / pixels.max(1) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pixel_is_in_one_gap() {
        for (pixels, nodes) in [(10, 3), (1, 1), (7, 1), (3, 8), (1920, 256), (8192, 32), (256, 256)] {
            let mut axis = Axis::default();
            axis.fit(pixels, nodes);
            let mut next = 0;
            for gap in 0..(nodes as usize - 1).max(1) {
                let (from, to) = axis.pixels(gap, gap + 1);
                assert_eq!(from, next, "{pixels} {nodes}");
                assert!(axis.gap[from..to].iter().all(|g| usize::from(*g) == gap));
                next = to;
            }
            assert_eq!(next, pixels as usize);
            assert!(axis.along.iter().all(|along| (0.0..=1.0).contains(along)));
        }
    }

    #[test]
    fn pixels_between_nodes_are_where_geometry_puts_them() {
        let mut axis = Axis::default();
        axis.fit(4, 2);
        // Nodes are at 1 and 3 pixels; pixel centres at 0.5, 1.5, 2.5 and 3.5.
        assert_eq!(axis.along[..4], [0.0, 0.25, 0.75, 1.0]);
    }
}
