//! Where a session's masks come from, by its journal.

use std::path::Path;

use polyp::frame::Rect;
use polyp::input::Placement;
use polyp::session::{About, EngineRecord, JOURNAL_FILE, Record, journal};

use crate::cli::failure::Failure;

/// What a journal says of all that it speaks of.
#[derive(Clone, Debug)]
pub(super) struct Provenance {
    pub(super) about: About,
    /// The session's name: its folder's.
    pub(super) name: String,
    /// The time of the first recorded frame, in nanoseconds.
    pub(super) first_ns: u64,
    /// What made the masks, each from its time on.
    engines: Vec<EngineRecord>,
    /// The part of the frame that the first mask is of.
    pub(super) region: Option<Rect>,
}

impl Provenance {
    pub(super) fn read(session: &Path) -> Result<Self, Failure> {
        // Lines are enough: no block is read.
        let about = About::read(session)?;
        let lines = journal::records(&session.join(JOURNAL_FILE))?;
        let (mut first, mut engines, mut region) = (None, Vec::new(), None);
        for line in lines {
            match line?.record {
                Record::Engine(engine) => engines.push(*engine),
                Record::Mask(mask) if region.is_none() && mask.segment.is_some() => {
                    region = Some(Placement::from(mask.placed).source).filter(|rect| rect.width > 0);
                }
                Record::Frame(frame) if first.is_none() && frame.segment.is_some() => {
                    first = Some(frame.pts_ns);
                }
                _ => {}
            }
        }
        let path = std::fs::canonicalize(session).unwrap_or_else(|_unreadable| session.to_owned());
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { about, name, first_ns: first.unwrap_or_default(), engines, region })
    }

    /// What made the masks of that time, and its number.
    pub(super) fn engine(&self, pts_ns: u64) -> Option<(usize, &EngineRecord)> {
        let before = self.engines.iter().rposition(|engine| engine.pts_ns <= pts_ns);
        let at = before.or_else(|| (!self.engines.is_empty()).then_some(0))?;
        self.engines.get(at).map(|engine| (at, engine))
    }

    /// The one of that number.
    pub(super) fn engine_number(&self, number: usize) -> Option<&EngineRecord> {
        self.engines.get(number)
    }
}
