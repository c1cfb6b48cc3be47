//! Little-endian floating-point bytes as files hold them, widened to float32.
//!
//! Not here: which file names its types how.

use half::{bf16, f16};

/// A floating-point type of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Float {
    /// IEEE 754 single precision.
    F32,
    /// IEEE 754 half precision.
    F16,
    /// The upper half of single precision.
    Bf16,
}

impl Float {
    /// Bytes of one value.
    const fn width(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    /// The values of `bytes`; none when they are not a whole number of values.
    pub(crate) fn decode(self, bytes: &[u8]) -> Option<Vec<f32>> {
        if !bytes.len().is_multiple_of(self.width()) {
            return None;
        }
        Some(match self {
            Self::F32 => quads(bytes).map(f32::from_le_bytes).collect(),
            Self::F16 => pairs(bytes).map(|pair| f16::from_le_bytes(pair).to_f32()).collect(),
            Self::Bf16 => pairs(bytes).map(|pair| bf16::from_le_bytes(pair).to_f32()).collect(),
        })
    }
}

/// The number of values of an array of `shape`; none when it does not fit a `usize`.
pub(crate) fn count(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1_usize, |product, &length| product.checked_mul(length))
}

/// The bytes of float32 values.
pub(crate) fn encode(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn quads(bytes: &[u8]) -> impl Iterator<Item = [u8; 4]> {
    bytes.as_chunks::<4>().0.iter().copied()
}

fn pairs(bytes: &[u8]) -> impl Iterator<Item = [u8; 2]> {
    bytes.as_chunks::<2>().0.iter().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_widened_exactly() {
        let known = [
            (0x0000_u16, 0.0_f32),
            (0x8000, -0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0400, 2_f32.powi(-14)),
            (0x0001, 2_f32.powi(-24)),
            (0x3555, 0.333_251_95),
            (0x7c00, f32::INFINITY),
        ];
        for (bits, value) in known {
            let read = Float::F16.decode(&bits.to_le_bytes()).unwrap();
            assert_eq!(read[0].to_bits(), value.to_bits(), "{bits:#x}");
        }
        assert!(Float::F16.decode(&0x7e00_u16.to_le_bytes()).unwrap()[0].is_nan());
    }

    #[test]
    fn other_types() {
        assert_eq!(Float::Bf16.decode(&[0x80, 0x3f, 0x00, 0xc0]), Some(vec![1.0, -2.0]));
        assert_eq!(Float::F32.decode(&encode(&[1.5, -7.0])), Some(vec![1.5, -7.0]));
        assert_eq!(Float::F32.decode(&[0; 6]), None);
        assert_eq!(count(&[usize::MAX, 3]), None);
        assert_eq!(count(&[]), Some(1));
    }
}
