//! Masks as shapes: their boxes, boundaries and connected parts.
//!
//! Not here: what is measured on them ([`super::Sums`]).

use crate::frame::{Rect, Size};

/// A connected part of a mask; pixels that touch at a corner are connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The smallest rectangle around it.
    pub bounds: Rect,
    /// Its pixels' places, row by row in the picture.
    pub pixels: Vec<usize>,
}

/// The connected parts of a mask of `size`, in the order of their first pixels.
pub fn parts(mask: &[bool], size: Size) -> Vec<Part> {
    let (width, height) = (size.width as usize, size.height as usize);
    let mut seen = vec![false; mask.len()];
    let mut parts = Vec::new();
    let mut open = Vec::new();
    for start in 0..mask.len() {
        let mut visit = |place: usize, open: &mut Vec<usize>| {
            if let (Some(true), Some(seen)) = (mask.get(place), seen.get_mut(place))
                && !*seen
            {
                *seen = true;
                open.push(place);
            }
        };
        visit(start, &mut open);
        if open.is_empty() {
            continue;
        }
        let mut pixels = Vec::new();
        while let Some(place) = open.pop() {
            pixels.push(place);
            let (x, y) = (place % width, place / width);
            for row in y.saturating_sub(1)..(y + 2).min(height) {
                for column in x.saturating_sub(1)..(x + 2).min(width) {
                    visit(row * width + column, &mut open);
                }
            }
        }
        parts.push(Part { bounds: around(&pixels, width), pixels });
    }
    parts
}

/// The box of some places in a picture that is `width` pixels wide; there is at least one.
fn around(pixels: &[usize], width: usize) -> Rect {
    let (mut left, mut top, mut right, mut bottom) = (usize::MAX, usize::MAX, 0, 0);
    for place in pixels {
        let (x, y) = (place % width, place / width);
        (left, right) = (left.min(x), right.max(x));
        (top, bottom) = (top.min(y), bottom.max(y));
    }
    Rect {
        x: left as u32,
        y: top as u32,
        width: (right + 1 - left) as u32,
        height: (bottom + 1 - top) as u32,
    }
}

/// The smallest rectangle around the true pixels, if there are any.
pub fn bounds(mask: &[bool], size: Size) -> Option<Rect> {
    let mut found: Option<(u32, u32, u32, u32)> = None;
    for (y, row) in (0_u32..).zip(mask.chunks((size.width as usize).max(1))) {
        let (first, last) = (row.iter().position(|t| *t), row.iter().rposition(|t| *t));
        let (Some(first), Some(last)) = (first, last) else { continue };
        let (first, last) = (first as u32, last as u32);
        let (left, right, top, _) = found.unwrap_or((first, last, y, y));
        found = Some((left.min(first), right.max(last), top, y));
    }
    found.map(|(left, right, top, bottom)| Rect {
        x: left,
        y: top,
        width: right - left + 1,
        height: bottom - top + 1,
    })
}

/// `rect`, grown by so many pixels on the left and right and on the top and bottom, and clipped to `size`.
pub fn grown(rect: Rect, (by_x, by_y): (u32, u32), size: Size) -> Rect {
    let (x, y) = (rect.x.saturating_sub(by_x), rect.y.saturating_sub(by_y));
    let right = (rect.x + rect.width + by_x).min(size.width);
    let bottom = (rect.y + rect.height + by_y).min(size.height);
    Rect { x, y, width: right - x, height: bottom - y }
}

/// Whether a pixel lies in the rectangle.
pub(super) fn holds(rect: Rect, x: u32, y: u32) -> bool {
    (rect.x..rect.x + rect.width).contains(&x) && (rect.y..rect.y + rect.height).contains(&y)
}

/// The boundary of a mask: its pixels that have one on the left or right, above or below, in the picture and
/// outside of the mask. Where the picture's edge cuts a mask off there is no boundary.
pub fn boundary(mask: &[bool], size: Size) -> Vec<(u32, u32)> {
    let width = size.width as usize;
    let outside = |x: Option<u32>, y: Option<u32>| {
        let (Some(x), Some(y)) = (x, y) else { return false };
        x < size.width && y < size.height && mask.get(y as usize * width + x as usize) == Some(&false)
    };
    let mut found = Vec::new();
    for (y, row) in (0_u32..).zip(mask.chunks(width.max(1))) {
        for (x, _) in (0_u32..).zip(row).filter(|(_, inside)| **inside) {
            let beside = outside(x.checked_sub(1), Some(y)) || outside(Some(x + 1), Some(y));
            if beside || outside(Some(x), y.checked_sub(1)) || outside(Some(x), Some(y + 1)) {
                found.push((x, y));
            }
        }
    }
    found
}

/// Where the picture is at most `distance` pixels (straight line, between pixel centres) from one of `points`.
pub(super) fn near(points: &[(u32, u32)], distance: u32, size: Size) -> Vec<bool> {
    let mut near = vec![false; size.area()];
    let width = size.width as usize;
    let reach = |dy: u32| f64::from(distance * distance - dy * dy).sqrt() as u32;
    let reaches: Vec<u32> = (0..=distance).map(reach).collect();
    for &(x, y) in points {
        for row in y.saturating_sub(distance)..(y + distance + 1).min(size.height) {
            let across = reaches.get(row.abs_diff(y) as usize).copied().unwrap_or(0);
            let from = row as usize * width + x.saturating_sub(across) as usize;
            let to = row as usize * width + (x + across + 1).min(size.width) as usize;
            if let Some(span) = near.get_mut(from..to) {
                span.fill(true);
            }
        }
    }
    near
}

/// Where the picture belongs to a lesion's surroundings: in the part's box grown by a tenth of its width and height
/// (rounded up), and not further than that from a true pixel, across and down.
pub(super) fn surroundings(mask: &[bool], parts: &[Part], size: Size) -> Vec<bool> {
    let mut around = mask.to_vec();
    let (width, columns) = (size.width as usize, size.width as usize + 1);
    // True pixels above and to the left of each corner of a pixel.
    let mut sums = vec![0_u32; columns * (size.height as usize + 1)];
    for (y, row) in mask.chunks(width.max(1)).enumerate() {
        let mut in_row = 0;
        for (x, inside) in row.iter().enumerate() {
            in_row += u32::from(*inside);
            let above = sums.get(y * columns + x + 1).copied().unwrap_or(0);
            if let Some(sum) = sums.get_mut((y + 1) * columns + x + 1) {
                *sum = above + in_row;
            }
        }
    }
    let any = |rect: Rect| {
        let at = |x: u32, y: u32| sums.get(y as usize * columns + x as usize).copied().unwrap_or(0);
        let (right, bottom) = (rect.x + rect.width, rect.y + rect.height);
        at(right, bottom) + at(rect.x, rect.y) > at(right, rect.y) + at(rect.x, bottom)
    };
    for part in parts {
        let by = (part.bounds.width.div_ceil(10), part.bounds.height.div_ceil(10));
        let region = grown(part.bounds, by, size);
        for y in region.y..region.y + region.height {
            for x in region.x..region.x + region.width {
                if any(grown(Rect { x, y, width: 1, height: 1 }, by, size))
                    && let Some(around) = around.get_mut(y as usize * width + x as usize)
                {
                    *around = true;
                }
            }
        }
    }
    around
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A mask from lines of `#` and `.`.
    fn mask(lines: &[&str]) -> (Vec<bool>, Size) {
        let size = Size::new(lines[0].len() as u32, lines.len() as u32);
        (lines.iter().flat_map(|line| line.chars().map(|c| c == '#')).collect(), size)
    }

    #[test]
    fn corners_connect_and_gaps_do_not() {
        let (mask, size) = mask(&["#..#", ".#.#", "....", "##.."]);
        let parts = parts(&mask, size);
        let boxes: Vec<_> = parts.iter().map(|part| part.bounds).collect();
        let rect = |x, y, width, height| Rect { x, y, width, height };
        assert_eq!(boxes, [rect(0, 0, 2, 2), rect(3, 0, 1, 2), rect(0, 3, 2, 1)]);
        assert_eq!(parts.iter().map(|part| part.pixels.len()).collect::<Vec<_>>(), [2, 2, 2]);
        assert!(super::parts(&[false; 4], Size::new(2, 2)).is_empty());
    }

    #[test]
    fn a_boundary_is_inside_the_mask_and_not_at_the_pictures_edge() {
        let (mask, size) = mask(&["###..", "###..", "###..", "....."]);
        // The lower row and the right column; the left and upper edges are the picture's.
        assert_eq!(boundary(&mask, size), [(2, 0), (2, 1), (0, 2), (1, 2), (2, 2)]);
        assert!(boundary(&[true; 6], Size::new(3, 2)).is_empty());
    }

    #[test]
    fn near_is_a_disc() {
        let size = Size::new(5, 5);
        let disc = near(&[(2, 2)], 2, size);
        let (expected, _) = mask(&["..#..", ".###.", "#####", ".###.", "..#.."]);
        assert_eq!(disc, expected);
        assert_eq!(near(&[(0, 0)], 1, size).iter().filter(|near| **near).count(), 3);
    }

    #[test]
    fn surroundings_are_a_tenth_of_the_box() {
        let size = Size::new(20, 8);
        // 11 x 1 pixels: two on the left and right, one above and below.
        let mask: Vec<bool> = (0..160).map(|i| i / 20 == 3 && (4..15).contains(&(i % 20))).collect();
        let around = surroundings(&mask, &parts(&mask, size), size);
        assert_eq!(bounds(&around, size), Some(Rect { x: 2, y: 2, width: 15, height: 3 }));
        assert_eq!(around.iter().filter(|around| **around).count(), 45);
    }
}
