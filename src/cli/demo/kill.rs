//! Pulling the plug: the engine's process is killed in the middle of the clip, and what the frames then said is told.
//!
//! Not here: what takes the process's place (`polyp-engine`, module `isolation`).

use std::process::Command;

use polyp::config::Framerate;

use crate::cli::processes;

/// The engine's process, killed once, and the frames since.
#[derive(Debug)]
pub(super) struct Kill {
    /// The frame at which it is done.
    at: u64,
    /// What came of it.
    done: Option<Result<u32, String>>,
    /// The badges of all frames from there on.
    badges: Vec<String>,
}

impl Kill {
    /// To be done at frame `at`.
    pub(super) fn new(at: u64) -> Self {
        Self { at, done: None, badges: Vec::new() }
    }

    /// Hears of every frame, and does it when the time has come.
    pub(super) fn frame(&mut self, sequence: u64, badge: &str) {
        if self.done.is_some() {
            self.badges.push(badge.to_owned());
        } else if sequence >= self.at {
            self.done = Some(kill());
        }
    }

    /// What it came to, in a sentence.
    pub(super) fn told(&self, framerate: Framerate) -> String {
        let Self { at, done, badges } = self;
        let process = match done {
            None => return format!("the engine's process was not killed: the clip ended before frame {at}"),
            Some(Err(error)) => return format!("the engine's process was not killed: {error}"),
            Some(Ok(process)) => process,
        };
        let milliseconds = |frames: usize| frames as f64 * framerate.interval().as_secs_f64() * 1e3;
        let told = badges.iter().position(|badge| badge == "fault");
        let is_well = |badge: &String| badge == "live" || badge == "held";
        let back = told.and_then(|told| badges.iter().skip(told).position(is_well).map(|after| told + after));
        let said = told.map_or_else(
            || "no frame said so".to_owned(),
            |frames| format!("FAULT with frame {} after it", frames + 1),
        );
        let again = back.map_or_else(
            || "masks did not come back".to_owned(),
            |frames| format!("masks again after {:.0} ms", milliseconds(frames + 1)),
        );
        format!(
            "the engine's process {process} was killed at frame {at}: {said}, {again}; every frame was shown"
        )
    }
}

/// Kills the process of the engine that runs frames.
fn kill() -> Result<u32, String> {
    let process = *processes::engines()?.first().ok_or("it has none of its own")?;
    let done = Command::new("kill").args(["-9", &process.to_string()]).status();
    match done {
        Ok(status) if status.success() => Ok(process),
        Ok(status) => Err(format!("kill ended with {status}")),
        Err(error) => Err(format!("kill can not be started: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_is_told_frame_by_frame() {
        let framerate = "25".parse().unwrap();
        let kill = |done, badges: &[&str]| {
            let badges = badges.iter().map(|badge| (*badge).to_owned()).collect();
            Kill { at: 10, done, badges }.told(framerate)
        };
        assert_eq!(
            kill(Some(Ok(42)), &["held", "fault", "fault", "held", "held"]),
            "the engine's process 42 was killed at frame 10: FAULT with frame 2 after it, masks again after 160 ms; every frame was shown"
        );
        assert!(kill(Some(Ok(42)), &["held"]).contains("no frame said so, masks did not come back"));
        assert!(kill(None, &[]).contains("the clip ended before frame 10"));
        assert!(kill(Some(Err("no".to_owned())), &[]).ends_with("was not killed: no"));
    }

    #[test]
    fn without_an_engine_nothing_is_killed() {
        let mut kill = Kill::new(0);
        kill.frame(0, "held");
        assert!(kill.told("25".parse().unwrap()).ends_with("it has none of its own"));
    }
}
