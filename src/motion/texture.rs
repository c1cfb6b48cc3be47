//! Which blocks of a plane have something to hold on to.
//!
//! The plane is cut into tiles of [`TILE`] cells; a block is two by two of them, and blocks overlap by half. A block is of
//! use when the smaller eigenvalue of its structure tensor is large enough (Shi and Tomasi, "Good features to track",
//! CVPR 1994): its place is then fixed across and down. Cells that are black (the border around the endoscope's
//! picture stands still, whatever moves) or burnt out (a highlight sits on the surface as the light falls, and not as
//! the surface lies) speak against it.

use super::luma::Level;

/// Side of a tile in cells.
pub(super) const TILE: usize = 8;
/// Side of a block in cells.
pub(super) const BLOCK: usize = 2 * TILE;

/// A cell is black below, and burnt out from here on.
const BLACK: u8 = 16;
const BURNT: u8 = 250;
/// A block is of no use with more such cells than these: a tenth of its cells.
const UNFIT: i32 = (BLOCK * BLOCK / 10) as i32;
/// The least smaller eigenvalue, in (levels per cell) squared, mean over the block's cells.
const LEAST: f32 = 0.5;

/// Sums over cells of the luma's slope, which is taken as the difference of the two neighbours: twice the slope.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Texture {
    pub(super) xx: i32,
    pub(super) xy: i32,
    pub(super) yy: i32,
    pub(super) x: i32,
    pub(super) y: i32,
    unfit: i32,
}

/// How tiles lie in a plane: whole ones, in its middle, with a cell to spare on each side for the slope.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Layout {
    /// The first tile's first column and row.
    pub(super) left: usize,
    pub(super) top: usize,
    /// Tiles.
    columns: usize,
    rows: usize,
}

/// The texture of every tile of a plane.
#[derive(Clone, Debug, Default)]
pub(super) struct Tiles {
    layout: Layout,
    tiles: Vec<Texture>,
}

impl Layout {
    pub(super) fn of(width: usize, height: usize) -> Self {
        let (across, down) = (width.saturating_sub(2), height.saturating_sub(2));
        Self {
            left: 1 + across % TILE / 2,
            top: 1 + down % TILE / 2,
            columns: across / TILE,
            rows: down / TILE,
        }
    }

    /// Blocks in a row, and rows of them.
    pub(super) fn blocks(&self) -> (usize, usize) {
        (self.columns.saturating_sub(1), self.rows.saturating_sub(1))
    }
}

impl Tiles {
    #[inline(always)]
    pub(super) fn read(&mut self, level: &Level) {
        self.layout = Layout::of(level.width, level.height);
        let Layout { left, top, columns, rows } = self.layout;
        self.tiles.clear();
        self.tiles.resize(columns * rows, Texture::default());
        let width = level.width;
        for (row, tiles) in self.tiles.chunks_exact_mut(columns.max(1)).enumerate() {
            for y in top + row * TILE..top + (row + 1) * TILE {
                let line = |y: usize| level.values.get(y * width + left - 1..(y + 1) * width).unwrap_or(&[]);
                let (above, here, below) = (line(y - 1), line(y), line(y + 1));
                for (column, tile) in tiles.iter_mut().enumerate() {
                    let from = column * TILE;
                    let cut = |line: &'_ [u8]| {
                        line.get(from + 1..from + 1 + TILE).and_then(|s| s.first_chunk::<TILE>().copied())
                    };
                    let wide = here.get(from..).and_then(|line| line.first_chunk::<{ TILE + 2 }>());
                    if let (Some(above), Some(wide), Some(below)) = (cut(above), wide, cut(below)) {
                        tile.add_row(&above, wide, &below);
                    }
                }
            }
        }
    }

    /// The texture of a block.
    pub(super) fn block(&self, column: usize, row: usize) -> Texture {
        let mut sum = Texture::default();
        for at in [(column, row), (column + 1, row), (column, row + 1), (column + 1, row + 1)] {
            if let Some(tile) = self.tiles.get(at.1 * self.layout.columns + at.0) {
                sum.add(tile);
            }
        }
        sum
    }
}

impl Texture {
    #[inline(always)]
    fn add_row(&mut self, above: &[u8; TILE], here: &[u8; TILE + 2], below: &[u8; TILE]) {
        for i in 0..TILE {
            let x = i32::from(here[i + 2]) - i32::from(here[i]);
            let y = i32::from(below[i]) - i32::from(above[i]);
            self.xx += x * x;
            self.xy += x * y;
            self.yy += y * y;
            self.x += x;
            self.y += y;
            self.unfit += i32::from(!(BLACK..BURNT).contains(&here[i + 1]));
        }
    }

    fn add(&mut self, other: &Self) {
        self.xx += other.xx;
        self.xy += other.xy;
        self.yy += other.yy;
        self.x += other.x;
        self.y += other.y;
        self.unfit += other.unfit;
    }

    /// The structure tensor of a block around its mean slope (xx, xy, yy), in (levels per cell) squared, summed over
    /// its cells: what fixes the place of a block whose brightness may change.
    pub(super) fn tensor(&self) -> [f32; 3] {
        let cells = (BLOCK * BLOCK) as f32;
        let [x, y] = [self.x as f32, self.y as f32];
        [
            (self.xx as f32 - x * x / cells) / 4.0,
            (self.xy as f32 - x * y / cells) / 4.0,
            (self.yy as f32 - y * y / cells) / 4.0,
        ]
    }

    /// Whether a block can be found again.
    pub(super) fn holds(&self) -> bool {
        let [xx, xy, yy] = self.tensor();
        let smaller = (xx + yy - ((xx - yy).powi(2) + 4.0 * xy * xy).sqrt()) / 2.0;
        self.unfit <= UNFIT && smaller >= LEAST * (BLOCK * BLOCK) as f32
    }
}
