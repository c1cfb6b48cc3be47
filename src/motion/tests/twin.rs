//! The plain twin of the block search: every place within reach, one after the other, at full size.

use super::*;
use crate::motion::luma::Level;
use crate::motion::texture::BLOCK;

/// How far the twin looks, in cells: as far as the search's quarter size reaches.
const REACH: i32 = 24;

fn cell(level: &Level, x: i32, y: i32) -> Option<u8> {
    let (x, y) = (usize::try_from(x).ok()?, usize::try_from(y).ok()?);
    (x < level.width && y < level.height).then(|| level.values[y * level.width + x])
}

/// The sum of absolute differences of a block and the one `(dx, dy)` further.
fn difference(of: &Level, (x, y): (usize, usize), within: &Level, (dx, dy): (i32, i32)) -> Option<u32> {
    let mut sum = 0;
    for row in 0..BLOCK as i32 {
        for column in 0..BLOCK as i32 {
            let (x, y) = (x as i32 + column, y as i32 + row);
            sum += u32::from(cell(of, x, y)?.abs_diff(cell(within, x + dx, y + dy)?));
        }
    }
    Some(sum)
}

fn exhaustive(of: &Level, place: (usize, usize), within: &Level) -> [i16; 2] {
    let steps = (-REACH..=REACH).flat_map(|y| (-REACH..=REACH).map(move |x| (x, y)));
    let costs = steps.filter_map(|step| difference(of, place, within, step).map(|cost| (cost, step)));
    let (_, (x, y)) = costs.min_by_key(|(cost, _)| *cost).unwrap();
    [x as i16, y as i16]
}

#[test]
fn one_difference_is_the_twins() {
    let (a, b) = (Grey::moved(&Affine::IDENTITY).read(), Grey::moved(&shift(9.0, 5.0)).read());
    for step in [(0, 0), (3, -2), (-40, 0), (0, -41), (104, 64), (105, 64), (104, 65)] {
        let fast = crate::motion::search::difference::<BLOCK>(
            a.full(),
            (40, 40),
            b.full(),
            [step.0 as i16, step.1 as i16],
            u32::MAX,
        );
        assert_eq!(fast, difference(a.full(), (40, 40), b.full(), step), "{step:?}");
    }
}

#[test]
fn coarse_to_fine_finds_what_every_place_would() {
    let maps = [
        Affine::IDENTITY,
        shift(8.0, -12.0),
        shift(61.0, 33.0),
        Affine { matrix: [[1.03, -0.02], [0.02, 1.03]], offset: [-12.0, -9.0] },
    ];
    let then = Grey::moved(&Affine::IDENTITY).read();
    for map in maps {
        let now = Grey::moved(&map).read();
        let mut field = Field::default();
        field.search(&then, &now);
        let (columns, rows) = field.layout().blocks();
        let (mut same, mut near, mut count) = (0, 0, 0);
        // The twin is slow: every third block will do.
        let blocks = (0..rows).flat_map(|row| (0..columns).map(move |column| (column, row)));
        for (column, row) in blocks.step_by(3) {
            let place = field.layout().place(column, row);
            let middle = [place.0, place.1].map(|at| (at as f32 + BLOCK as f32 / 2.0) * CELL);
            let to = map.apply(middle);
            // Blocks that leave the picture have no right answer.
            let inside = |at: f32, side: u32| at > 40.0 && at < side as f32 - 40.0;
            if !(inside(to[0], SIZE.width) && inside(to[1], SIZE.height)) {
                continue;
            }
            count += 1;
            let (fast, slow) = (field.step(column, row), exhaustive(then.full(), place, now.full()));
            same += usize::from(fast == Some(slow));
            near +=
                usize::from(fast.is_some_and(|[x, y]| (x - slow[0]).abs() < 2 && (y - slow[1]).abs() < 2));
        }
        // Half-way between two cells either will do: the next step goes to parts of a cell.
        assert!(count > 40 && near * 100 >= count * 98, "{map:?}: {near} of {count} blocks");
        assert!(same * 100 >= count * 90, "{map:?}: {same} of {count} blocks");
    }
}
