//! Frames of a session, decoded by the tool `polyp`.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

use polyp::session::{JOURNAL_FILE, Record, StreamReader, Streamed, journal};

use crate::TrainingError;

/// Bytes that are read at once.
const READ: usize = 1 << 20;

/// The program `polyp`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool(PathBuf);

impl Tool {
    /// The one that is given, or else the one beside this program, or else whatever the system finds.
    pub fn find(given: Option<&Path>) -> Self {
        let beside = || {
            let beside = std::env::current_exe().ok()?.with_file_name("polyp");
            beside.is_file().then_some(beside)
        };
        Self(given.map(Path::to_owned).or_else(beside).unwrap_or_else(|| PathBuf::from("polyp")))
    }

    /// Starts to decode `session`.
    ///
    /// # Errors
    /// [`TrainingError`] when the tool can not be started, or refuses.
    pub(super) fn frames(&self, session: &Path, arguments: &[String]) -> Result<Frames, TrainingError> {
        let mut child = Command::new(&self.0)
            .arg("export")
            .arg(session)
            .args(["--as", "frames", "--out", "-"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(TrainingError::file("start the tool polyp (--polyp names it)", &self.0))?;
        let errors = child.stderr.take();
        let last = std::thread::spawn(move || {
            let lines = errors.map(BufReader::new).into_iter().flat_map(BufRead::lines);
            lines.map_while(Result::ok).last().unwrap_or_default()
        });
        let mut frames = Frames { session: session.to_owned(), child: Some((child, last)), reader: None };
        let stdout = frames.child.as_mut().and_then(|(child, _)| child.stdout.take());
        if let Some(stdout) = stdout {
            match StreamReader::open(BufReader::with_capacity(READ, stdout), session) {
                Ok(reader) => frames.reader = Some(reader),
                Err(error) => return Err(frames.failure(&error)),
            }
        }
        Ok(frames)
    }
}

/// How many masks a session's files hold, by its journal.
pub(super) fn masks(session: &Path) -> Result<usize, TrainingError> {
    let wrong = |error: &dyn std::fmt::Display| {
        TrainingError::field(session, "session", "one that can be read", error.to_string())
    };
    let lines = journal::records(&session.join(JOURNAL_FILE)).map_err(|error| wrong(&error))?;
    let mut masks = 0;
    for line in lines {
        let record = line.map_err(|error| wrong(&error))?.record;
        masks += usize::from(matches!(record, Record::Mask(mask) if mask.segment.is_some()));
    }
    Ok(masks)
}

/// What the tool sends, in order.
#[derive(Debug)]
pub(super) struct Frames {
    session: PathBuf,
    /// With the last line of what it complains of.
    child: Option<(Child, JoinHandle<String>)>,
    reader: Option<StreamReader<BufReader<ChildStdout>>>,
}

impl Frames {
    /// Why there are no more: what the tool says, where it says anything.
    fn failure(&mut self, error: &dyn std::fmt::Display) -> TrainingError {
        self.reader = None; // closes the pipe, so that it ends
        let said = self.child.take().and_then(|(mut child, last)| {
            let failed = child.wait().is_ok_and(|status| !status.success());
            last.join().ok().filter(|_| failed)
        });
        let said = said.filter(|said| !said.is_empty()).unwrap_or_else(|| error.to_string());
        TrainingError::field(&self.session, "session", "frames from polyp export", said)
    }
}

impl Iterator for Frames {
    type Item = Result<Streamed, TrainingError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.reader.as_mut()?.next() {
            Some(Ok(streamed)) => Some(Ok(streamed)),
            Some(Err(error)) => Some(Err(self.failure(&error))),
            None => {
                self.reader = None;
                None
            }
        }
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        self.reader = None;
        if let Some((mut child, last)) = self.child.take() {
            // One that has ended can not be killed, and need not be.
            let _ended = child.kill();
            let _waited = child.wait();
            let _said = last.join();
        }
    }
}
