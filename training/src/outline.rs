//! A mask's outline on its picture, for somebody to look at.

/// The colour of outlines: cyan, which no mucosa has.
const COLOUR: [u8; 3] = [0, 255, 255];

/// Paints, on a picture of red, green and blue that is `width` pixels wide, where its `mask` changes from one pixel to the next, and `around`
/// pixels to each side of that.
pub fn outline(rgb: &mut [u8], mask: &[u8], width: usize, around: usize) {
    let width = width.max(1);
    let height = mask.len() / width;
    for place in 0..mask.len() {
        let left = (!place.is_multiple_of(width)).then(|| place - 1);
        let above = place.checked_sub(width);
        if !left.into_iter().chain(above).any(|before| mask[before] != mask[place]) {
            continue;
        }
        let (x, y) = (place % width, place / width);
        for y in y.saturating_sub(around)..(y + around + 1).min(height) {
            for x in x.saturating_sub(around)..(x + around + 1).min(width) {
                let at = 3 * (y * width + x);
                if let Some(pixel) = rgb.get_mut(at..at + 3) {
                    pixel.copy_from_slice(&COLOUR);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::outline;

    fn painted(around: usize) -> Vec<usize> {
        let mut rgb = [9; 27];
        outline(&mut rgb, &[0, 0, 1, 0, 0, 1, 0, 0, 0], 3, around);
        (0..9).filter(|place| rgb[3 * place] == 0).collect()
    }

    #[test]
    fn only_the_outline_is_painted() {
        assert_eq!(painted(0), [2, 5, 8]);
        assert_eq!(painted(1), [1, 2, 4, 5, 7, 8]);
    }
}
