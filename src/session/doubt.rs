//! How much a mask leaves open: by which moments to look at are found.

use crate::segmentation::Segmentation;

/// From here on (0.25) a cell may be polyp.
const MAY_BE: u8 = 64;
/// From here on (0.75) it most likely is.
const IS: u8 = 191;
/// So large a part of the cells is added to those that may be polyp, so that a speck is no large doubt.
const SPECK: f32 = 0.005;

/// The part of the cells that may be polyp (probability 0.25 and more) of which it is open (less than 0.75): 0 where there are none, and
/// towards 1 the less the network can tell. Without unit.
pub fn doubt(mask: &Segmentation) -> f32 {
    let may_be = mask.probability.iter().filter(|cell| **cell >= MAY_BE).count();
    let open = mask.probability.iter().filter(|cell| (MAY_BE..IS).contains(cell)).count();
    let all = mask.probability.len().max(1) as f32;
    open as f32 / (may_be as f32 + SPECK * all)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::frame::{Rect, Size};
    use crate::input::Placement;

    fn of(cells: &[(u8, usize)]) -> f32 {
        let probability: Vec<u8> = cells.iter().flat_map(|(value, count)| vec![*value; *count]).collect();
        assert_eq!(probability.len(), 10_000);
        let whole = Rect::whole(Size::new(100, 100));
        let placement = Placement { source: whole, target: whole, side_px: 100 };
        doubt(&Segmentation { probability, placement, pts: Duration::ZERO, sequence: 0 })
    }

    #[test]
    fn what_is_open_is_doubt_and_a_speck_is_little() {
        assert_eq!(of(&[(0, 10_000)]), 0.0);
        assert_eq!(of(&[(255, 5_000), (0, 5_000)]), 0.0);
        assert!((of(&[(255, 500), (128, 450), (0, 9_050)]) - 0.45).abs() < 1e-6);
        assert!(of(&[(128, 5_000), (0, 5_000)]) > 0.98);
        assert!(of(&[(128, 5), (0, 9_995)]) < 0.1);
    }
}
