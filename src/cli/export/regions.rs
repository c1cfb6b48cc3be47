//! The parts of a mask as COCO writes them: runs and outlines.

use polyp::frame::Size;
use polyp::metric::Part;

/// A part's runs as COCO counts them: down the columns, beginning with pixels that are not in it.
pub(super) fn runs(part: &Part, size: Size) -> Vec<usize> {
    let (width, height) = (size.width as usize, size.height as usize);
    let mut places: Vec<usize> = part.pixels.iter().map(|at| at % width * height + at / width).collect();
    places.sort_unstable();
    let (mut runs, mut end) = (Vec::new(), 0);
    for place in places {
        match runs.last_mut() {
            Some(last) if place == end => *last += 1,
            _ => runs.extend([place - end, 1]),
        }
        end = place + 1;
    }
    runs.push(width * height - end);
    runs
}

/// A part's outer outline along the pixels' sides, x and y in turn, and whether it has holes, which the outline goes around.
pub(super) fn outline(part: &Part, size: Size) -> (Vec<u32>, bool) {
    let width = size.width as usize;
    let (x0, y0) = (part.bounds.x as usize, part.bounds.y as usize);
    let (w, h) = (part.bounds.width as usize, part.bounds.height as usize);
    let mut grid = vec![false; w * h];
    part.pixels.iter().for_each(|at| grid[(at / width - y0) * w + at % width - x0] = true);
    let is_in = |x: isize, y: isize| {
        usize::try_from(x).is_ok_and(|x| x < w)
            && usize::try_from(y).is_ok_and(|y| y < h)
            && grid[y as usize * w + x as usize]
    };
    // Around the outside, the region at the right hand, from the first pixel's upper left corner.
    let first = grid.iter().position(|inside| *inside).unwrap_or(0);
    let start = ((first % w) as isize, (first / w) as isize);
    let (mut at, mut way) = (start, (1_isize, 0_isize));
    let (mut corners, mut area) = (Vec::new(), 0_isize);
    loop {
        let (x, y) = at;
        // The pixels ahead, at the left and at the right of the way.
        let (left, right) = match way {
            (1, 0) => (is_in(x, y - 1), is_in(x, y)),
            (0, 1) => (is_in(x, y), is_in(x - 1, y)),
            (-1, 0) => (is_in(x - 1, y), is_in(x - 1, y - 1)),
            _ => (is_in(x - 1, y - 1), is_in(x, y - 1)),
        };
        // A pixel that touches by a corner belongs to the part.
        let turned = match (left, right) {
            (true, _) => (way.1, -way.0),
            (false, true) => way,
            (false, false) => (-way.1, way.0),
        };
        if turned != way || corners.is_empty() {
            corners.extend([(x0 as isize + x) as u32, (y0 as isize + y) as u32]);
        }
        way = turned;
        area += x * way.1 - y * way.0;
        at = (x + way.0, y + way.1);
        if at == start {
            break;
        }
    }
    let enclosed = (area / 2).unsigned_abs();
    (corners, enclosed != part.pixels.len())
}

#[cfg(test)]
mod tests {
    use polyp::frame::Rect;
    use polyp::metric::parts;

    use super::*;

    fn mask(rows: &[&str]) -> (Vec<bool>, Size) {
        let size = Size::new(rows[0].len() as u32, rows.len() as u32);
        (rows.iter().flat_map(|row| row.bytes().map(|byte| byte == b'#')).collect(), size)
    }

    /// What runs say.
    fn unrolled(runs: &[usize], size: Size) -> Vec<bool> {
        let columns: Vec<bool> =
            runs.iter().enumerate().flat_map(|(i, run)| vec![i % 2 == 1; *run]).collect();
        let (w, h) = (size.width as usize, size.height as usize);
        (0..w * h).map(|at| columns[at % w * h + at / w]).collect()
    }

    #[test]
    fn runs_say_exactly_the_region() {
        let (inside, size) = mask(&["##..#", "#...#", "....#", "#####"]);
        let found = parts(&inside, size);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].bounds, Rect { x: 0, y: 0, width: 2, height: 2 });
        let mut all = vec![false; inside.len()];
        for part in &found {
            let runs = runs(part, size);
            assert_eq!(runs.iter().sum::<usize>(), size.area());
            let said = unrolled(&runs, size);
            assert_eq!(said.iter().filter(|inside| **inside).count(), part.pixels.len());
            all.iter_mut().zip(said).for_each(|(all, said)| *all |= said);
        }
        assert_eq!(all, inside);
    }

    /// The pixels whose centres lie in the polygon.
    fn filled(corners: &[u32], size: Size) -> Vec<bool> {
        let points: Vec<(f32, f32)> = corners.chunks(2).map(|p| (p[0] as f32, p[1] as f32)).collect();
        let inside = |x: f32, y: f32| {
            let sides = points.iter().zip(points.iter().cycle().skip(1));
            sides.filter(|(a, b)| a.0 == b.0 && (a.1 > y) != (b.1 > y) && a.0 > x).count() % 2 == 1
        };
        let pixels = (0..size.height).flat_map(|y| (0..size.width).map(move |x| (x, y)));
        pixels.map(|(x, y)| inside(x as f32 + 0.5, y as f32 + 0.5)).collect()
    }

    #[test]
    fn outlines_enclose_exactly_the_region_and_its_holes() {
        for rows in [&["#"][..], &["##", "##"], &[".#.", "###", ".#."], &["#..#", ".##.", "##.#"]] {
            let (inside, size) = mask(rows);
            let found = parts(&inside, size);
            let [part] = found.as_slice() else { panic!("{rows:?}") };
            let (corners, holes) = outline(part, size);
            assert_eq!((filled(&corners, size), holes), (inside, false), "{rows:?}: {corners:?}");
        }
        let (inside, size) = mask(&["....", "###.", "#.#.", "###."]);
        let (corners, holes) = outline(&parts(&inside, size)[0], size);
        assert!(holes);
        assert_eq!(corners, [0, 1, 3, 1, 3, 4, 0, 4]);
    }
}
