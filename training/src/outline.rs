//! A mask's outline on its picture, for somebody to look at.

/// The colour of outlines: cyan, which no mucosa has.
const COLOUR: [u8; 3] = [0, 255, 255];

/// Paints, on a picture of red, green and blue that is `width` pixels wide, where its `mask` changes from one pixel to the next.
pub fn outline(rgb: &mut [u8], mask: &[u8], width: usize) {
    for (place, pixel) in rgb.as_chunks_mut::<3>().0.iter_mut().enumerate() {
        let left = (!place.is_multiple_of(width.max(1))).then(|| place - 1);
        let above = place.checked_sub(width);
        if [left, above].into_iter().flatten().any(|before| mask.get(before) != mask.get(place)) {
            *pixel = COLOUR;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::outline;

    #[test]
    fn only_the_outline_is_painted() {
        let mut rgb = [9; 27];
        outline(&mut rgb, &[0, 0, 1, 0, 0, 1, 0, 0, 0], 3);
        let painted: Vec<usize> = (0..9).filter(|place| rgb[3 * place] == 0).collect();
        assert_eq!(painted, [2, 5, 8]);
    }
}
