//! Values as a configuration writes them: durations, sizes and frame rates.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::frame::{MAX_SIDE_PX, Size};

/// Why a text is no such value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?}: expected {expected}")]
pub struct ValueError {
    /// The refused text.
    pub text: String,
    /// What it may be.
    pub expected: &'static str,
}

const UNITS: [(&str, f64); 3] = [("us", 1e-6), ("ms", 1e-3), ("s", 1.0)];

/// The duration that `text` is, as `16ms`, `1.5s` or `800us`.
///
/// # Errors
/// [`ValueError`] when there is no unit, or no number that is 0 or more.
pub fn parse_duration(text: &str) -> Result<Duration, ValueError> {
    let refused = || ValueError {
        text: text.to_owned(),
        expected: "a number with its unit (us, ms or s), as \"16ms\"",
    };
    let (number, seconds) = UNITS
        .iter()
        .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)))
        .ok_or_else(refused)?;
    // `parse` takes "inf", "1e9" and "+1" as well.
    if !number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err(refused());
    }
    let number: f64 = number.parse().ok().ok_or_else(refused)?;
    Duration::try_from_secs_f64(number * seconds).ok().ok_or_else(refused)
}

/// `duration` as [`parse_duration`] reads it: in the largest unit that needs no fraction.
pub fn duration_text(duration: Duration) -> String {
    let micros = duration.as_micros();
    match micros {
        _ if !micros.is_multiple_of(1_000) => format!("{micros}us"),
        _ if !micros.is_multiple_of(1_000_000) || micros == 0 => format!("{}ms", micros / 1_000),
        _ => format!("{}s", micros / 1_000_000),
    }
}

const NAMED_SIZES: [(&str, Size); 3] =
    [("720p", Size::new(1280, 720)), ("1080p", Size::new(1920, 1080)), ("2160p", Size::new(3840, 2160))];

/// The frame size that `text` is: `720p`, `1080p`, `2160p`, or WIDTHxHEIGHT in pixels.
///
/// # Errors
/// [`ValueError`] when it is neither, or a side is odd, under 64 or above [`MAX_SIDE_PX`].
pub fn parse_size(text: &str) -> Result<Size, ValueError> {
    if let Some((_, size)) = NAMED_SIZES.iter().find(|(name, _)| *name == text) {
        return Ok(*size);
    }
    let side = |text: &str| text.parse().ok().filter(|side: &u32| (64..=MAX_SIDE_PX).contains(side));
    text.split_once('x')
        .and_then(|(width, height)| Some(Size::new(side(width)?, side(height)?)))
        .filter(|size| size.width % 2 == 0 && size.height % 2 == 0 && size.to_string() == text)
        .ok_or_else(|| ValueError {
            text: text.to_owned(),
            expected: "720p, 1080p, 2160p, or WIDTHxHEIGHT with even sides of 64 to 8192 px",
        })
}

/// Frames per second, as a fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framerate {
    /// Frames.
    pub numerator: u32,
    /// Seconds in which they come.
    pub denominator: u32,
}

impl Framerate {
    /// The time from the stream's start to frame number `index`.
    pub fn time_of(self, index: u64) -> Duration {
        let nanos = u128::from(index) * 1_000_000_000 * u128::from(self.denominator);
        Duration::from_nanos(u64::try_from(nanos / u128::from(self.numerator.max(1))).unwrap_or(u64::MAX))
    }

    /// The time from one frame to the next.
    pub fn interval(self) -> Duration {
        self.time_of(1)
    }

    /// Frames per second.
    pub fn per_second(self) -> f64 {
        f64::from(self.numerator) / f64::from(self.denominator.max(1))
    }
}

impl FromStr for Framerate {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let refused = || ValueError {
            text: text.to_owned(),
            expected: "frames per second from 1 to 240, as \"30\" or \"30000/1001\"",
        };
        let number = |text: &str| text.parse::<u32>().ok().filter(|number| *number > 0);
        let (numerator, denominator) = text.split_once('/').unwrap_or((text, "1"));
        let (numerator, denominator) = number(numerator).zip(number(denominator)).ok_or_else(refused)?;
        let rate = Self { numerator, denominator };
        if (1.0..=240.0).contains(&rate.per_second()) { Ok(rate) } else { Err(refused()) }
    }
}

impl fmt::Display for Framerate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.denominator {
            1 => write!(f, "{}", self.numerator),
            _ => write!(f, "{}/{}", self.numerator, self.denominator),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_carry_their_unit() {
        assert_eq!(parse_duration("16ms"), Ok(Duration::from_millis(16)));
        assert_eq!(parse_duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse_duration("800us"), Ok(Duration::from_micros(800)));
        for text in ["", "16", "ms", "-1ms", "infs", "1e3s", "16 ms", "16min", "1.2.3s"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_printed_as_they_are_read() {
        for text in ["0ms", "16ms", "33367us", "2s", "1500ms"] {
            assert_eq!(duration_text(parse_duration(text).unwrap()), text);
        }
    }

    #[test]
    fn sizes_are_names_or_numbers() {
        assert_eq!(parse_size("1080p"), Ok(Size::new(1920, 1080)));
        assert_eq!(parse_size("1280x1024"), Ok(Size::new(1280, 1024)));
        for text in ["", "480i", "1280", "1280x", "x720", "1281x720", "0x0", "99999x2", "01280x720"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn frame_rates_are_fractions() {
        let ntsc: Framerate = "30000/1001".parse().unwrap();
        assert_eq!(ntsc.interval(), Duration::from_nanos(33_366_666));
        assert_eq!(ntsc.time_of(30_000), Duration::from_secs(1001));
        assert_eq!("25".parse::<Framerate>().unwrap().to_string(), "25");
        for text in ["", "0", "1/0", "1000", "1/2", "-25", "25fps"] {
            assert!(text.parse::<Framerate>().is_err(), "{text}");
        }
    }
}
