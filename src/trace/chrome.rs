//! Spans as a trace file, which Perfetto and Chrome's tracing page open: the "JSON Array Format" of the Trace Event Format, complete events (`X`).

use std::io::{self, Write};

use super::stage::Stage;

/// A frame's span in a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The frame's number.
    pub sequence: u64,
    /// Where it was.
    pub stage: Stage,
    /// Since when, in nanoseconds on the ledger's clock.
    pub from_ns: u64,
    /// For how long, in nanoseconds.
    pub time_ns: u64,
}

/// Writes `events` as one trace: a track for the picture, and one for the network beside it.
///
/// # Errors
/// What `out` says.
pub fn write_chrome(events: &[Event], mut out: impl Write) -> io::Result<()> {
    out.write_all(b"[\n")?;
    for (track, name) in [(1, "picture"), (2, "network")] {
        let comma = if track == 2 && events.is_empty() { "" } else { "," };
        writeln!(
            out,
            r#"{{"name":"thread_name","ph":"M","pid":1,"tid":{track},"args":{{"name":"{name}"}}}}{comma}"#
        )?;
    }
    for (index, Event { sequence, stage, from_ns, time_ns }) in events.iter().enumerate() {
        let comma = if index + 1 == events.len() { "" } else { "," };
        let track = if stage.is_in_the_way() { 1 } else { 2 };
        let [from, time] = [from_ns, time_ns].map(|ns| format!("{}.{:03}", ns / 1_000, ns % 1_000));
        writeln!(
            out,
            r#"{{"name":"{}","cat":"polyp","ph":"X","ts":{from},"dur":{time},"pid":1,"tid":{track},"args":{{"frame":{sequence}}}}}{comma}"#,
            stage.name()
        )?;
    }
    out.write_all(b"]\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_json_with_times_in_microseconds() {
        let event = |sequence, stage| Event { sequence, stage, from_ns: 1_234_567, time_ns: 89_001 };
        let mut text = Vec::new();
        write_chrome(&[event(7, Stage::Motion), event(5, Stage::Infer)], &mut text).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let events = json.as_array().unwrap();
        assert_eq!(events.len(), 4);
        assert_eq!((&events[2]["name"], &events[2]["args"]["frame"]), (&"motion".into(), &7.into()));
        assert_eq!((events[2]["ts"].as_f64(), events[2]["dur"].as_f64()), (Some(1_234.567), Some(89.001)));
        assert_eq!((&events[2]["tid"], &events[3]["tid"]), (&1.into(), &2.into()));
        let mut empty = Vec::new();
        write_chrome(&[], &mut empty).unwrap();
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&empty).unwrap().as_array().unwrap().len(), 2);
    }
}
