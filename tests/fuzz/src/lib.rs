//! Fuzz targets: whatever bytes come, a reader reads them or says in one sentence why not; and what it read is as good as its word.
//!
//! A target is a function from bytes, which panics where that does not hold, and a line in [`TARGETS`]. Its corpus, inputs that take
//! different ways through the code, lies in `corpus/NAME/`. `cargo test` runs every target on its corpus and on damaged copies of it;
//! `scripts/fuzz.sh SECONDS [NAME...]` looks for more with libFuzzer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a target fails")]

mod engines;
mod pictures;
mod sessions;
mod settings;
mod training;

use std::error::Error;
use std::path::PathBuf;

/// One reader, or what stands before others.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// As the command line and the corpus' folder have it.
    pub name: &'static str,
    /// Panics where the reader fails.
    pub run: fn(&[u8]),
}

/// Every target.
pub const TARGETS: &[Target] = &[
    Target { name: "config", run: settings::config },
    Target { name: "run-config", run: settings::run_config },
    Target { name: "texts", run: settings::texts },
    Target { name: "manifest", run: engines::manifest },
    Target { name: "signature", run: engines::signature },
    Target { name: "memory", run: engines::memory },
    Target { name: "weights", run: engines::weights },
    Target { name: "onnx", run: engines::onnx_weights },
    Target { name: "plan", run: engines::plan_description },
    Target { name: "caps", run: pictures::caps },
    Target { name: "layouts", run: pictures::layouts },
    Target { name: "journal", run: sessions::journal },
    Target { name: "matroska", run: sessions::matroska },
    Target { name: "session", run: sessions::session },
    Target { name: "frames", run: sessions::frames },
    Target { name: "checkpoint", run: training::checkpoint },
    Target { name: "data-set", run: training::data_set },
];

/// The target of that name.
pub fn target(name: &str) -> Option<Target> {
    TARGETS.iter().copied().find(|target| target.name == name)
}

thread_local! {
    /// A folder of its own, where readers that want a file find one.
    static DESK: tempfile::TempDir = tempfile::tempdir().unwrap();
}

/// Where a file `name` can be put.
fn place(name: &str) -> PathBuf {
    DESK.with(|desk| desk.path().join(name))
}

/// The file `name` with that content.
fn file(name: &str, content: &[u8]) -> PathBuf {
    let path = place(name);
    std::fs::write(&path, content).unwrap();
    path
}

/// What was read; none where it was refused, which has to be said in words that name the file.
fn taken<T, E: Error>(read: Result<T, E>, name: &str) -> Option<T> {
    match read {
        Ok(read) => Some(read),
        Err(error) => {
            let said = error.to_string();
            assert!(said.contains(name), "a refusal that does not name {name}: {said}");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn corpus(target: Target) -> Vec<Vec<u8>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name);
        let entries =
            std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files.iter().map(|file| std::fs::read(file).unwrap()).collect()
    }

    /// Runs the target on its corpus, on each input cut short in eight places, and with one byte changed in eight.
    fn replay(name: &str) {
        let target = target(name).unwrap();
        let inputs = corpus(target);
        assert!(!inputs.is_empty(), "no input in the corpus of {name}");
        for input in inputs {
            (target.run)(&input);
            for place in (0..8).map(|eighth| input.len() * eighth / 8) {
                (target.run)(&input[..place]);
                let mut changed = input.clone();
                if let Some(byte) = changed.get_mut(place) {
                    *byte ^= 0x81;
                    (target.run)(&changed);
                }
            }
        }
    }

    macro_rules! replays {
        ($($test:ident: $name:literal,)*) => {
            $(#[test] fn $test() { replay($name); })*

            #[test]
            fn every_target_is_replayed() {
                assert_eq!(TARGETS.iter().map(|target| target.name).collect::<Vec<_>>(), [$($name),*]);
            }
        };
    }

    replays! {
        config: "config",
        run_config: "run-config",
        texts: "texts",
        manifest: "manifest",
        signature: "signature",
        memory: "memory",
        weights: "weights",
        onnx: "onnx",
        plan: "plan",
        caps: "caps",
        layouts: "layouts",
        journal: "journal",
        matroska: "matroska",
        session: "session",
        frames: "frames",
        checkpoint: "checkpoint",
        data_set: "data-set",
    }

    #[test]
    #[should_panic(expected = "a refusal that does not name b: a is wrong")]
    fn a_refusal_has_to_name_the_file() {
        taken(Err::<(), _>(std::io::Error::other("a is wrong")), "b");
    }
}
