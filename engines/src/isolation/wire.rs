//! The words between the two processes: one message each on a socket that keeps messages apart.
//!
//! A message is one byte and, for some, text in UTF-8.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair};

/// The longest message.
const LONGEST: usize = 8192;

/// What is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// To the engine: the picture is in the shared memory; run it.
    Run,
    /// To the engine: so is another prompt memory; run the picture against it.
    RunAnew,
    /// From the engine: opened and warm. The text is what it is.
    Ready(String),
    /// From the engine: the logits are in the shared memory.
    Done,
    /// From the engine: it could not, and why.
    Failed(String),
}

impl Word {
    fn to_bytes(&self) -> Vec<u8> {
        let (kind, text) = match self {
            Self::Run => (b'r', ""),
            Self::RunAnew => (b'n', ""),
            Self::Ready(text) => (b'R', text.as_str()),
            Self::Done => (b'D', ""),
            Self::Failed(text) => (b'F', text.as_str()),
        };
        let mut bytes = vec![kind];
        bytes.extend(text.bytes().take(LONGEST - 1));
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (kind, text) = bytes.split_first()?;
        let text = || String::from_utf8_lossy(text).into_owned();
        Some(match kind {
            b'r' => Self::Run,
            b'n' => Self::RunAnew,
            b'R' => Self::Ready(text()),
            b'D' => Self::Done,
            b'F' => Self::Failed(text()),
            _ => return None,
        })
    }
}

/// The two ends of a new socket.
pub(super) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

/// Says a word; never blocks for long, since each side waits for the other's.
pub(super) fn say(socket: impl AsFd, word: &Word) -> io::Result<()> {
    // Without a signal when nobody is there any more.
    send(socket, &word.to_bytes(), SendFlags::NOSIGNAL).map(drop).map_err(io::Error::from)
}

/// The next word, within `limit` (`None` for ever); `Ok(None)` when the time is up.
///
/// # Errors
/// [`io::ErrorKind::UnexpectedEof`] when the other side is gone, [`io::ErrorKind::InvalidData`] when it says something else.
pub(super) fn hear(socket: impl AsFd, limit: Option<Duration>) -> io::Result<Option<Word>> {
    let limit = limit.map(|limit| Timespec {
        tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(limit.subsec_nanos()),
    });
    let mut wanted = [PollFd::new(&socket, PollFlags::IN)];
    match poll(&mut wanted, limit.as_ref()) {
        Ok(0) | Err(rustix::io::Errno::INTR) => return Ok(None),
        Ok(_) => {}
        Err(error) => return Err(error.into()),
    }
    let mut bytes = [0; LONGEST];
    let (count, _) = recv(&socket, &mut bytes[..], RecvFlags::empty())?;
    if count == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let word = bytes.get(..count).and_then(Word::from_bytes);
    word.map(Some).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_arrive_as_they_were_said() {
        let (one, other) = pair().unwrap();
        let long = "a".repeat(2 * LONGEST);
        let words = [Word::Run, Word::RunAnew, Word::Ready("{}".to_owned()), Word::Done, Word::Failed(long)];
        for word in &words {
            say(&one, word).unwrap();
        }
        for word in &words[..4] {
            assert_eq!(hear(&other, None).unwrap().as_ref(), Some(word));
        }
        let cut = hear(&other, None).unwrap();
        assert!(matches!(cut, Some(Word::Failed(text)) if text.len() == LONGEST - 1));
        assert_eq!(hear(&other, Some(Duration::from_millis(1))).unwrap(), None);
    }

    #[test]
    fn who_is_gone_or_talks_nonsense_is_an_error() {
        let (one, other) = pair().unwrap();
        send(&one, b"?", SendFlags::empty()).unwrap();
        assert_eq!(hear(&other, None).unwrap_err().kind(), io::ErrorKind::InvalidData);
        drop(one);
        assert_eq!(hear(&other, None).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(say(&other, &Word::Run).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
