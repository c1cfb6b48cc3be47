//! Which lines of a journal and which blocks of a file belong together: both are in the order in which they were written.

use super::matroska::{Block, Scan};

/// What a line says of its block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) tick: i64,
    pub(super) crc: u32,
}

/// The pairs of one track of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pairs {
    /// For each line, the number of its block in its track.
    pub(super) of_lines: Vec<Option<usize>>,
    /// Blocks in the track.
    pub(super) blocks: usize,
}

/// The blocks of that track in their order.
pub(super) fn track(scan: &Scan, track: u64) -> impl Iterator<Item = &Block> {
    scan.clusters.iter().flat_map(|cluster| &cluster.blocks).filter(move |block| block.track == track)
}

impl Pairs {
    /// Pairs `said` with `blocks`. A line without a block, and a block without a line, are passed over.
    pub(super) fn find<'a>(said: &[Said], blocks: impl Iterator<Item = &'a Block>) -> Self {
        let blocks: Vec<Said> = blocks.map(|block| Said { tick: block.tick, crc: block.crc }).collect();
        let (mut next, mut of_lines) = (0, Vec::with_capacity(said.len()));
        for line in said {
            let rest = blocks.get(next..).unwrap_or_default();
            let found = rest.iter().position(|block| block == line).map(|ahead| next + ahead);
            if let Some(found) = found {
                next = found + 1;
            }
            of_lines.push(found);
        }
        Self { of_lines, blocks: blocks.len() }
    }

    /// Lines that have no block.
    pub(super) fn lost(&self) -> usize {
        self.of_lines.iter().filter(|block| block.is_none()).count()
    }

    /// Blocks that have no line.
    pub(super) fn found(&self) -> usize {
        self.blocks - (self.of_lines.len() - self.lost())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_blocks_that_are_alone_are_passed_over() {
        let block = |tick: i64| Block { track: 1, tick, key: true, crc: tick as u32, at: 0, bytes: 0 };
        let said = |tick: i64| Said { tick, crc: tick as u32 };
        let blocks = [block(0), block(1), block(3), block(4)];
        let lines = [said(0), said(2), said(3), said(5)];
        let pairs = Pairs::find(&lines, blocks.iter());
        assert_eq!(pairs.of_lines, [Some(0), None, Some(2), None]);
        assert_eq!((pairs.lost(), pairs.found()), (2, 2));
    }
}
