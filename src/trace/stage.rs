//! The stages of a frame's way.

/// How many there are.
pub const COUNT: usize = 13;

/// A stage. Its time is a span on the monotonic clock, but for [`Stage::Age`], which is the stream's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// All of the elements' time: from a frame's coming in to its being painted. What the picture is late by.
    Picture,
    /// All of the segmenter's.
    Segment,
    /// Copying the region for the network.
    Copy,
    /// Waiting for the mask of this very frame.
    Wait,
    /// Measuring how the picture moved.
    Motion,
    /// Handing a copy to the recorder.
    Record,
    /// Painting.
    Paint,
    /// The shown mask's age.
    Age,
    /// Beside the picture: until the network was free.
    Queue,
    /// Beside the picture: making the network's input of the copy.
    Input,
    /// Beside the picture: the network.
    Infer,
    /// Beside the picture: making probabilities of logits.
    Decode,
    /// From a frame's coming in until the sink has shown it, or dropped it as too late; most of that is waiting for the frame's time. Known
    /// where the sink reports on its frames (quality of service).
    Sink,
}

impl Stage {
    /// All of them, in the order of a frame's way; what stands in the picture's way first.
    pub const ALL: [Self; COUNT] = [
        Self::Picture,
        Self::Segment,
        Self::Copy,
        Self::Wait,
        Self::Motion,
        Self::Record,
        Self::Paint,
        Self::Age,
        Self::Queue,
        Self::Input,
        Self::Infer,
        Self::Decode,
        Self::Sink,
    ];

    /// Its name in configurations, statistics and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Picture => "picture",
            Self::Segment => "segment",
            Self::Copy => "copy",
            Self::Wait => "wait",
            Self::Motion => "motion",
            Self::Record => "record",
            Self::Paint => "paint",
            Self::Age => "age",
            Self::Queue => "queue",
            Self::Input => "input",
            Self::Infer => "infer",
            Self::Decode => "decode",
            Self::Sink => "sink",
        }
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.name() == name)
    }

    /// What it is, in a few words for tables.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Picture => "the picture's way, all of it",
            Self::Segment => "segmenter, all of it",
            Self::Copy => "copying for the network",
            Self::Wait => "waiting for the mask",
            Self::Motion => "measuring motion",
            Self::Record => "handing to the recorder",
            Self::Paint => "painting",
            Self::Age => "age of the shown mask",
            Self::Queue => "mask: in the queue",
            Self::Input => "mask: making the input",
            Self::Infer => "mask: in the network",
            Self::Decode => "mask: decoding",
            Self::Sink => "from coming in to being shown",
        }
    }

    /// Whether the picture waits for it.
    pub const fn is_in_the_way(self) -> bool {
        !matches!(self, Self::Age | Self::Queue | Self::Input | Self::Infer | Self::Decode | Self::Sink)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_is_found_by_its_name_and_stands_at_its_number() {
        for (place, stage) in Stage::ALL.into_iter().enumerate() {
            assert_eq!((Stage::named(stage.name()), stage as usize), (Some(stage), place));
        }
        assert_eq!(Stage::named("render"), None);
    }
}
