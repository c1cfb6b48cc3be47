//! What the journal says of a session, frame by frame, and what the masks add to it.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use polyp::alarm::covered;
use polyp::session::journal::records;
use polyp::session::{
    About, EndRecord, EngineRecord, JOURNAL_FILE, MarkRecord, Record, SettingsRecord, doubt,
};

use crate::cli::failure::Failure;
use crate::cli::frames::Frame;
use crate::cli::stages::{STAGES, times};
use crate::cli::stopwatch::Times;

/// One frame, in few bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moment {
    /// Its time, the first frame's being 0, in seconds.
    pub(super) time_s: f32,
    /// What the overlay was worth: a place in [`History::badges`].
    pub(super) badge: u8,
    pub(super) recorded: bool,
    pub(super) alarm: bool,
    /// The part of what the network sees that its own mask covers.
    pub(super) area: Option<f32>,
    pub(super) doubt: Option<f32>,
}

/// A moment that somebody marked.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    pub(super) time_s: f32,
    pub(super) text: String,
    /// The number of the frame that was the newest then.
    pub(super) sequence: u64,
}

/// A session's history.
#[derive(Debug)]
pub(super) struct History {
    pub(super) about: About,
    pub(super) moments: Vec<Moment>,
    by_sequence: HashMap<u64, usize>,
    /// The names of badges, each once.
    pub(super) badges: Vec<String>,
    pub(super) marks: Vec<Mark>,
    pub(super) engines: Vec<EngineRecord>,
    pub(super) settings: Vec<SettingsRecord>,
    pub(super) files: u32,
    pub(super) format: String,
    pub(super) codec: String,
    pub(super) drops: BTreeMap<String, u64>,
    pub(super) uncounted: u64,
    pub(super) repairs: u64,
    pub(super) end: Option<EndRecord>,
    /// Times of stages, by name, in the order of a frame's way.
    pub(super) stages: Vec<(&'static str, Times)>,
}

impl History {
    /// Reads the journal of the session in `folder`.
    pub(super) fn read(folder: &Path) -> Result<Self, Failure> {
        let mut history = Self {
            about: About::read(folder)?,
            moments: Vec::new(),
            by_sequence: HashMap::new(),
            badges: Vec::new(),
            marks: Vec::new(),
            engines: Vec::new(),
            settings: Vec::new(),
            files: 0,
            format: String::new(),
            codec: String::new(),
            drops: BTreeMap::new(),
            uncounted: 0,
            repairs: 0,
            end: None,
            stages: STAGES.map(|name| (name, Times::default())).into(),
        };
        let mut first_ns = None;
        let mut newest = 0;
        for line in records(&folder.join(JOURNAL_FILE))? {
            match line?.record {
                Record::Frame(frame) => {
                    let first_ns = *first_ns.get_or_insert(frame.pts_ns);
                    newest = frame.sequence;
                    let badge = history.badge(&frame.badge);
                    let moment = Moment {
                        time_s: frame.pts_ns.saturating_sub(first_ns) as f32 / 1e9,
                        badge,
                        recorded: frame.segment.is_some(),
                        alarm: frame.alarm == Some(true),
                        ..Moment::default()
                    };
                    if let Some(why) = &frame.dropped {
                        *history.drops.entry(why.clone()).or_default() += 1;
                    }
                    history.by_sequence.insert(frame.sequence, history.moments.len());
                    history.moments.push(moment);
                    for ((_, stage), time) in history.stages.iter_mut().zip(times(&frame)) {
                        time.into_iter().for_each(|time| stage.add(time));
                    }
                }
                Record::Mark(MarkRecord { pts_ns, text }) => {
                    let time_s = pts_ns.saturating_sub(first_ns.unwrap_or(pts_ns)) as f32 / 1e9;
                    history.marks.push(Mark { time_s, text, sequence: newest });
                }
                Record::Engine(engine) => history.engines.push(*engine),
                Record::Settings(settings) => history.settings.push(settings),
                Record::Segment(segment) => {
                    history.files += 1;
                    let rate = format!("{}/{}", segment.framerate.0, segment.framerate.1);
                    history.format =
                        format!("{}x{} {} at {rate}", segment.width, segment.height, segment.format);
                    history.codec = segment.codec.clone();
                }
                Record::Uncounted(uncounted) => history.uncounted += uncounted.frames,
                Record::Repair(_) => history.repairs += 1,
                Record::End(end) => history.end = Some(end),
                Record::Mask(_) => {}
            }
        }
        Ok(history)
    }

    fn badge(&mut self, name: &str) -> u8 {
        let known = self.badges.iter().position(|badge| badge == name);
        let place = known.unwrap_or_else(|| {
            self.badges.push(name.to_owned());
            self.badges.len() - 1
        });
        u8::try_from(place).unwrap_or(u8::MAX)
    }

    /// Adds what the frame's own mask says.
    pub(super) fn see(&mut self, frame: &Frame) {
        let Some(mask) = &frame.mask else { return };
        let place = self.by_sequence.get(&frame.sequence).copied();
        if let Some(moment) = place.and_then(|place| self.moments.get_mut(place)) {
            moment.area = Some(covered(mask));
            moment.doubt = Some(doubt(mask));
        }
    }

    /// The numbers of the frames that were marked.
    pub(super) fn marks(&self) -> Vec<u64> {
        self.marks.iter().map(|mark| mark.sequence).collect()
    }

    /// How long it is, in seconds.
    pub(super) fn length_s(&self) -> f32 {
        self.moments.iter().map(|moment| moment.time_s).fold(0.0, f32::max)
    }

    /// How many frames had which badge, the most frequent first.
    pub(super) fn by_badge(&self) -> Vec<(&str, usize)> {
        let count = |place: usize| self.moments.iter().filter(|m| usize::from(m.badge) == place).count();
        let mut counts: Vec<_> =
            self.badges.iter().enumerate().map(|(i, name)| (name.as_str(), count(i))).collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        counts
    }
}
