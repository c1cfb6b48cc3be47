//! The network's answer, turned into a segmentation: logits to calibrated 8-bit probabilities.
//!
//! Calibration is one number, the temperature that was fitted on the validation split and is shipped with the
//! engine: `p = 1 / (1 + exp(-logit / temperature))`.
//!
//! Not here: fitting the temperature (the trainer), and judging the result ([`crate::metric`]).

use std::time::Duration;

use crate::input::Placement;
use crate::segmentation::Segmentation;

/// Why logits do not make a segmentation.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum DecodeError {
    /// The temperature is of no use.
    #[error("temperature {found}: expected a finite number above 0")]
    Temperature {
        /// The refused temperature.
        found: f32,
    },
    /// The logits are not one picture of the placement's side.
    #[error("logits of a {side_px} x {side_px} grid: expected {expected} numbers, found {found}")]
    Length {
        /// The placement's side, in cells.
        side_px: u32,
        /// Numbers expected.
        expected: usize,
        /// Numbers given.
        found: usize,
    },
    /// A logit is not a number, or infinite.
    #[error("logit {index}: expected a finite number, found {found}")]
    NotFinite {
        /// Its place in the grid, row by row.
        index: usize,
        /// What it is.
        found: f32,
    },
}

/// Cells of the lookup table per unit of `logit / temperature`. A byte's steps are at least 1/64 of that unit
/// apart (the logistic's slope is at most 1/4), so that no cell holds two of them.
const CELLS_PER_UNIT: f32 = 256.0;
/// Where the table ends: beyond, `logit / temperature` gives 0 or 255 (the last step is at 6.24).
const REACH: f32 = 6.5;

/// Turns logits into segmentations, at one temperature.
#[derive(Clone, Debug)]
pub struct Decoder {
    temperature: f32,
    /// For every cell of the table the byte at its start, and the logit at which the next byte begins.
    table: Vec<(u8, f32)>,
}

impl Decoder {
    /// A decoder for logits that are calibrated by dividing them by `temperature` (without unit).
    ///
    /// # Errors
    /// [`DecodeError::Temperature`] unless it is finite and above 0.
    pub fn new(temperature: f32) -> Result<Self, DecodeError> {
        if !(temperature.is_finite() && temperature > 0.0) {
            return Err(DecodeError::Temperature { found: temperature });
        }
        let steps = steps(temperature);
        let cells = (2.0 * REACH * CELLS_PER_UNIT) as usize;
        let table = (0..cells)
            .map(|cell| {
                // Half a cell early: the lookup's own rounding must not overtake a step.
                let start = ((cell as f32 - 0.5) / CELLS_PER_UNIT - REACH) * temperature;
                let passed = steps.partition_point(|step| *step <= start);
                (passed as u8, steps.get(passed).copied().unwrap_or(f32::INFINITY))
            })
            .collect();
        Ok(Self { temperature, table })
    }

    /// The temperature, without unit.
    pub fn temperature(&self) -> f32 {
        self.temperature
    }

    /// The smallest logit of every byte from 1 to 255, rising: as many of them as a logit reaches is its probability as a
    /// byte. For those who decode elsewhere; it is worked out anew at every call.
    pub fn steps(&self) -> Vec<f32> {
        steps(self.temperature)
    }

    /// The segmentation that `logits` (`side_px * side_px` of them, row by row) are, for the frame of
    /// presentation time `pts` and number `sequence`. `recycle` is the memory of a segmentation that nobody
    /// shows any more; with it, nothing is allocated.
    ///
    /// # Errors
    /// [`DecodeError`] when the length is wrong or a logit is not finite.
    pub fn decode(
        &self,
        logits: &[f32],
        placement: Placement,
        pts: Duration,
        sequence: u64,
        recycle: Option<Vec<u8>>,
    ) -> Result<Segmentation, DecodeError> {
        let expected = placement.side_px as usize * placement.side_px as usize;
        if logits.len() != expected {
            return Err(DecodeError::Length { side_px: placement.side_px, expected, found: logits.len() });
        }
        // Without an early exit it is one sweep of vector instructions.
        if !logits.iter().fold(true, |fine, logit| fine & logit.is_finite())
            && let Some((index, &found)) = logits.iter().enumerate().find(|(_, logit)| !logit.is_finite())
        {
            return Err(DecodeError::NotFinite { index, found });
        }
        let mut probability = recycle.unwrap_or_default();
        probability.clear();
        let (scale, offset) = (CELLS_PER_UNIT / self.temperature, REACH * CELLS_PER_UNIT);
        let last = self.table.len().saturating_sub(1);
        probability.extend(logits.iter().map(|logit| {
            // `as` takes what is below 0 to 0.
            let cell = ((logit * scale + offset) as usize).min(last);
            let (byte, next) = self.table.get(cell).copied().unwrap_or((0, f32::INFINITY));
            byte.saturating_add(u8::from(*logit >= next))
        }));
        Ok(Segmentation { probability, placement, pts, sequence })
    }
}

/// The specification: a logit's calibrated probability as a byte.
fn exact(logit: f32, temperature: f32) -> u8 {
    let p = 1.0 / (1.0 + (-f64::from(logit) / f64::from(temperature)).exp());
    (p * 255.0).round() as u8
}

fn steps(temperature: f32) -> Vec<f32> {
    (1..=255_u8).map(|byte| first_logit(byte, temperature)).collect()
}

/// The smallest logit that is `byte` (at least 1) or more, by bisection of [`exact`].
fn first_logit(byte: u8, temperature: f32) -> f32 {
    let end = (8.0 * temperature).min(f32::MAX);
    let (mut below, mut from) = (-end, end);
    if exact(from, temperature) < byte {
        return f32::INFINITY;
    }
    loop {
        let middle = below / 2.0 + from / 2.0;
        if middle <= below || middle >= from {
            return from;
        }
        if exact(middle, temperature) >= byte {
            from = middle;
        } else {
            below = middle;
        }
    }
}

/// How much in doubt a probability (0 = 0.0, 255 = 1.0) is: its binary entropy in bits, 0 for certainty
/// either way to 1 for one half.
pub fn uncertainty(probability: u8) -> f32 {
    let p = f32::from(probability) / 255.0;
    let term = |q: f32| if q > 0.0 { -q * q.log2() } else { 0.0 };
    term(p) + term(1.0 - p)
}

/// [`uncertainty`] as a byte: 0 for certainty, 255 for one half.
pub fn uncertainty_byte(probability: u8) -> u8 {
    (255.0 * uncertainty(probability)).round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Rect, Size};

    fn placement(side_px: u32) -> Placement {
        let whole = Rect::whole(Size::new(side_px, side_px));
        Placement { source: whole, target: whole, side_px }
    }

    fn decode(decoder: &Decoder, logits: &[f32]) -> Result<Vec<u8>, DecodeError> {
        let side = (logits.len() as f64).sqrt() as u32;
        decoder.decode(logits, placement(side), Duration::ZERO, 0, None).map(|made| made.probability)
    }

    #[test]
    fn the_table_is_the_formula() {
        for temperature in [0.05, 0.7, 1.0, 1.37, 12.0] {
            let decoder = Decoder::new(temperature).unwrap();
            let mut logits: Vec<f32> =
                (0..=255 * 255).map(|i| (i as f32 / 32_000.0 - 1.0) * 8.0 * temperature).collect();
            for byte in 1..=255_u8 {
                let step = first_logit(byte, temperature);
                logits.extend([step.next_down(), step, step.next_up()]);
            }
            logits.extend([f32::MAX, f32::MIN, 0.0, -0.0, f32::MIN_POSITIVE, -1e30, 1e30]);
            let side = (logits.len() as f64).sqrt().ceil() as usize;
            logits.resize(side * side, 0.25);
            let decoded = decode(&decoder, &logits).unwrap();
            for (logit, byte) in logits.iter().zip(decoded) {
                assert_eq!(byte, exact(*logit, temperature), "logit {logit} at temperature {temperature}");
            }
        }
    }

    #[test]
    fn extreme_temperatures_do_not_hang_or_panic() {
        for temperature in [f32::MIN_POSITIVE, 1e-30, 1e30, f32::MAX] {
            let decoder = Decoder::new(temperature).unwrap();
            assert!(decode(&decoder, &[-1.0, 0.0, 1.0, f32::MAX]).is_ok());
        }
    }

    #[test]
    fn useless_temperatures_are_refused() {
        for found in [0.0, -1.0, f32::INFINITY] {
            assert_eq!(Decoder::new(found).err(), Some(DecodeError::Temperature { found }));
        }
        assert!(Decoder::new(f32::NAN).is_err());
    }

    #[test]
    fn what_is_wrong_with_logits_is_said() {
        let decoder = Decoder::new(1.0).unwrap();
        let short = decoder.decode(&[0.0; 3], placement(2), Duration::ZERO, 0, None).err();
        assert_eq!(short, Some(DecodeError::Length { side_px: 2, expected: 4, found: 3 }));
        let infinite = decode(&decoder, &[0.0, 0.0, f32::NEG_INFINITY, f32::NAN]).err();
        assert_eq!(infinite, Some(DecodeError::NotFinite { index: 2, found: f32::NEG_INFINITY }));
        let message = decode(&decoder, &[0.0, f32::NAN, 0.0, 0.0]).err().map(|error| error.to_string());
        assert_eq!(message.as_deref(), Some("logit 1: expected a finite number, found NaN"));
    }

    #[test]
    fn recycled_memory_is_used_again() {
        let decoder = Decoder::new(1.0).unwrap();
        let old = Vec::with_capacity(64);
        let place = old.as_ptr();
        let made = decoder.decode(&[0.0; 16], placement(4), Duration::ZERO, 7, Some(old)).unwrap();
        assert_eq!((made.probability.as_ptr(), made.sequence), (place, 7));
        assert_eq!(made.probability, [128; 16]);
    }

    #[test]
    fn doubt_is_one_bit_at_one_half_and_none_at_the_ends() {
        assert_eq!((uncertainty(0), uncertainty(255)), (0.0, 0.0));
        assert!(uncertainty(127) > 0.9999 && uncertainty(128) > 0.9999);
        assert!((uncertainty(64) - uncertainty(191)).abs() < 1e-6);
    }
}
