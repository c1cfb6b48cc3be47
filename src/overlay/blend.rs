//! Mixing a pen into bytes, in each pixel format's layout.
//!
//! A coverage of 0 leaves a byte as it is, one of 255 makes it the pen's; between, it is the rounded mean.

/// One byte mixed with a pen's, by `coverage` of 255.
#[inline(always)]
pub(super) fn mix(byte: u8, pen: u8, coverage: u8) -> u8 {
    let sum = u16::from(byte) * u16::from(255 - coverage) + u16::from(pen) * u16::from(coverage) + 128;
    // Exactly (sum - 128) / 255, rounded, without dividing.
    ((sum + (sum >> 8)) >> 8) as u8
}

/// Pixels that are mixed at once.
pub(super) const BLOCK: usize = 32;

/// Lets `mix` mix each `STEP` bytes by their coverage, in arrays as far as they go. Blocks without any coverage are passed over.
#[inline(always)]
fn each<const STEP: usize>(bytes: &mut [u8], coverage: &[u8], mix: impl Fn(&mut [u8; STEP], u8)) {
    let (blocks, rest) = bytes.as_chunks_mut::<STEP>().0.as_chunks_mut::<BLOCK>();
    let (covered, covered_rest) = coverage.as_chunks::<BLOCK>();
    for (block, covered) in blocks.iter_mut().zip(covered) {
        if *covered != [0; BLOCK] {
            block.iter_mut().zip(covered).for_each(|(bytes, coverage)| mix(bytes, *coverage));
        }
    }
    rest.iter_mut().zip(covered_rest).for_each(|(bytes, coverage)| mix(bytes, *coverage));
}

/// Bytes in a row of their own: a luma plane, or a chroma plane with chroma's coverage.
#[inline(always)]
pub(super) fn plane(bytes: &mut [u8], pen: u8, coverage: &[u8]) {
    each(bytes, coverage, |[byte]: &mut [u8; 1], coverage| *byte = mix(*byte, pen, coverage));
}

/// Pairs of U and V. Both at once in 16-bit lanes, which is what vector units multiply.
#[inline(always)]
pub(super) fn pairs(bytes: &mut [u8], [u_pen, v_pen]: [u8; 2], coverage: &[u8]) {
    each(bytes, coverage, |pair: &mut [u8; 2], coverage| {
        let both = u16::from_le_bytes(*pair);
        let (u, v) = (mix(both as u8, u_pen, coverage), mix((both >> 8) as u8, v_pen, coverage));
        *pair = (u16::from(u) | u16::from(v) << 8).to_le_bytes();
    });
}

/// Pixels of `STEP` bytes, of which the first three are the pen's; a fourth stays as it is.
#[inline(always)]
pub(super) fn pixels<const STEP: usize>(bytes: &mut [u8], pen: [u8; 3], coverage: &[u8]) {
    each(bytes, coverage, |pixel: &mut [u8; STEP], coverage| {
        for (byte, pen) in pixel.iter_mut().zip(pen) {
            *byte = mix(*byte, pen, coverage);
        }
    });
}

/// Every second byte, from `first` on: the luma of packed 4:2:2.
#[inline(always)]
pub(super) fn every_second(bytes: &mut [u8], first: usize, pen: u8, coverage: &[u8]) {
    each(bytes, coverage, |pair: &mut [u8; 2], coverage| {
        if let Some(byte) = pair.get_mut(first) {
            *byte = mix(*byte, pen, coverage);
        }
    });
}

/// Fours of packed 4:2:2, of which bytes `first` and `first + 2` are U and V.
#[inline(always)]
pub(super) fn fours(bytes: &mut [u8], first: usize, [u_pen, v_pen]: [u8; 2], coverage: &[u8]) {
    each(bytes, coverage, |four: &mut [u8; 4], coverage| {
        for (place, pen) in [(first, u_pen), (first + 2, v_pen)] {
            if let Some(byte) = four.get_mut(place) {
                *byte = mix(*byte, pen, coverage);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixing_is_the_rounded_mean() {
        for byte in 0..=255_u8 {
            for pen in (0..=255_u8).step_by(5) {
                for coverage in 0..=255_u8 {
                    let (b, p, c) = (f64::from(byte), f64::from(pen), f64::from(coverage));
                    let exact = ((b * (255.0 - c) + p * c) / 255.0).round() as u8;
                    assert_eq!(mix(byte, pen, coverage), exact, "{byte} {pen} {coverage}");
                }
            }
        }
    }

    #[test]
    fn layouts_touch_their_own_bytes_only() {
        let mut bytes = [10; 8];
        pixels::<4>(&mut bytes, [1, 2, 3], &[255, 0]);
        assert_eq!(bytes, [1, 2, 3, 10, 10, 10, 10, 10]);
        let mut bytes = [10; 8];
        every_second(&mut bytes, 1, 99, &[255, 0, 255, 0]);
        assert_eq!(bytes, [10, 99, 10, 10, 10, 99, 10, 10]);
        let mut bytes = [10; 8];
        fours(&mut bytes, 0, [1, 2], &[0, 255]);
        assert_eq!(bytes, [10, 10, 10, 10, 1, 10, 2, 10]);
    }
}
