//! `polyp budget`: a session's delays, held against what they may be.
//!
//! A percentile is only said where enough frames were seen: of p99.99 nothing is known before ten thousand. A frame's likely cause is the stage that
//! took most longer than it usually does (its median), if that is at least half of what the frame took longer than usual.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use polyp::session::journal::records;
use polyp::session::{About, FrameRecord, JOURNAL_FILE, Record};

use super::failure::Failure;
use super::options::duration;
use super::served::Served;
use super::stages::{AGE, MASK, PARTS, STAGES, TOTAL, times};
use super::stopwatch::{Times, milliseconds};
use super::top;

/// Hold a session's delays against a budget: percentiles of each stage, the worst frames and why
#[derive(Debug, Args)]
pub(super) struct Budget {
    /// The session's folder; or, for a stream that runs, the port of this machine on which it serves its figures
    #[arg(value_name = "SESSION|PORT")]
    session: PathBuf,
    /// What the picture's way through the segmenter may take
    #[arg(long, value_name = "TIME", default_value = "5.75ms", value_parser = duration)]
    picture: Duration,
    /// How old a mask may be when it is shown
    #[arg(long, value_name = "TIME", default_value = "120ms", value_parser = duration)]
    age: Duration,
    /// How many of the worst frames are named
    #[arg(long, value_name = "N", default_value_t = 5)]
    worst: usize,
}

impl Budget {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let name = self.session.to_str().unwrap_or_default();
        if let Some(stream) = Served::parse(name).ok().filter(|_| !self.session.exists()) {
            print!("{}", top::text(&stream.snapshot()?));
            return Ok(());
        }
        About::read(&self.session)?;
        let mut measured = Measured::default();
        for line in records(&self.session.join(JOURNAL_FILE))? {
            if let Record::Frame(frame) = line?.record {
                measured.add(&frame);
            }
        }
        print!("{}", measured.told(self));
        Ok(())
    }
}

/// What was measured of all frames.
#[derive(Default)]
struct Measured {
    stages: [Times; STAGES.len()],
    /// Each frame's number and times.
    frames: Vec<(u64, [Option<Duration>; STAGES.len()])>,
}

impl Measured {
    fn add(&mut self, frame: &FrameRecord) {
        let times = times(frame);
        for (stage, time) in self.stages.iter_mut().zip(times) {
            time.into_iter().for_each(|time| stage.add(time));
        }
        self.frames.push((frame.sequence, times));
    }

    fn told(&self, budget: &Budget) -> String {
        let mut lines = vec![format!("{} frames; times in milliseconds", self.frames.len())];
        let heads = Times::default().percentiles().map(|(name, _)| format!("{name:>9}")).concat();
        lines.push(format!("{:24}{:>9}{heads}{:>9}{:>9}", "", "frames", "budget", "over"));
        for (place, (name, stage)) in STAGES.iter().zip(&self.stages).enumerate() {
            let limit = match place {
                TOTAL => Some(budget.picture),
                AGE => Some(budget.age),
                _ => None,
            };
            let cell = |(_, time): (&str, Option<Duration>)| {
                time.map_or_else(|| format!("{:>9}", "-"), |time| format!("{:>9.2}", milliseconds(time)))
            };
            let held = limit.map_or_else(String::new, |limit| {
                format!("{:>9.2}{:>9}", milliseconds(limit), stage.over(limit))
            });
            lines.push(format!(
                "{name:24}{:>9}{}{held}",
                stage.count(),
                stage.percentiles().map(cell).concat()
            ));
        }
        lines.extend(self.worst(budget, TOTAL, PARTS, budget.picture, "the picture's way"));
        lines.extend(self.worst(budget, AGE, MASK, budget.age, "the shown mask's age"));
        lines.join("\n") + "\n"
    }

    /// The frames of which the time at `whole` is longest, as far as they are over `limit`, and why.
    fn worst(
        &self,
        budget: &Budget,
        whole: usize,
        parts: std::ops::Range<usize>,
        limit: Duration,
        what: &str,
    ) -> Vec<String> {
        let mut over: Vec<&(u64, [Option<Duration>; STAGES.len()])> =
            self.frames.iter().filter(|(_, times)| times[whole].is_some_and(|time| time > limit)).collect();
        if over.is_empty() {
            return vec![format!("{what}: within {:.2} ms on every frame", milliseconds(limit))];
        }
        let usual = self.stages.each_ref().map(|stage| stage.quantile(0.5).unwrap_or_default());
        let longer = |times: &[Option<Duration>; STAGES.len()], at: usize| {
            times[at].unwrap_or_default().saturating_sub(usual[at])
        };
        over.sort_by_key(|(_, times)| std::cmp::Reverse(times[whole]));
        let head = format!("{what}: {} frames over {:.2} ms", over.len(), milliseconds(limit));
        let line = |(sequence, times): &(u64, [Option<Duration>; STAGES.len()])| {
            let all = longer(times, whole);
            let most = parts.clone().max_by_key(|at| longer(times, *at)).unwrap_or(whole);
            let why = if longer(times, most) * 2 >= all && !all.is_zero() {
                let more = milliseconds(longer(times, most));
                format!("{}, {more:.2} ms longer than usual", STAGES[most])
            } else {
                "no stage of it: it waited between them".to_owned()
            };
            let time = milliseconds(times[whole].unwrap_or_default());
            format!("  frame {sequence}: {time:.2} ms; {why}")
        };
        std::iter::once(head).chain(over.into_iter().take(budget.worst).map(line)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(sequence: u64, [total, prepare, motion]: [u64; 3]) -> FrameRecord {
        let ms = 1_000_000;
        FrameRecord {
            sequence,
            total_ns: total * ms,
            prepare_ns: prepare * ms,
            motion_ns: motion * ms,
            mask_age_ns: Some(33 * ms),
            badge: "live".to_owned(),
            ..FrameRecord::default()
        }
    }

    #[test]
    fn the_worst_frames_are_named_with_what_was_longer_than_usual() {
        let mut measured = Measured::default();
        (0..98).for_each(|i| measured.add(&frame(i, [3, 2, 1])));
        measured.add(&frame(98, [20, 18, 1]));
        measured.add(&frame(99, [30, 2, 1]));
        let (session, ms) = (PathBuf::new(), Duration::from_millis);
        let told = measured.told(&Budget { session, picture: ms(5), age: ms(120), worst: 5 });
        assert!(told.contains("the picture's way: 2 frames over 5.00 ms"), "{told}");
        assert!(
            told.contains("frame 98: 20.00 ms; copying for the network, 16.00 ms longer than usual"),
            "{told}"
        );
        assert!(told.contains("frame 99: 30.00 ms; no stage of it"), "{told}");
        assert!(told.contains("the shown mask's age: within 120.00 ms on every frame"), "{told}");
        let line = told.lines().find(|line| line.starts_with(STAGES[TOTAL])).unwrap();
        let cells: Vec<&str> = line[24..].split_whitespace().collect();
        // Of the rarest nothing is said of a hundred frames.
        assert_eq!(cells, ["100", "3.00", "3.00", "20.00", "-", "-", "30.00", "5.00", "2"]);
    }
}
