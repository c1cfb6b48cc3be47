//! Helpers that the tests of this folder share: where the checkout is, what it built and fetched, and
//! how to start GStreamer once.
//!
//! `tests/all.rs` is the one test binary; each of its modules is a file of this folder. A new test file is one `mod`
//! line there, and a helper moves here when a second file needs it.
//!
//! A test that can not run on this machine says so with [`skipped`] and returns; `make test` gathers those lines.
//! A test that measures time has `alone` in its path, so that nothing else runs beside it (`.config/nextest.toml`).
//!
//! Not here: anything that a test asserts.
#![allow(clippy::expect_used, clippy::panic, reason = "a helper that can not do its work fails the test")]
#![allow(clippy::print_stderr, reason = "tests speak on stderr")]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use polyp::session::{Player, Record};

/// The root folder of the checkout.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the checkout").to_path_buf()
}

/// A path below `.deps/`, which `make setup` filled.
#[must_use]
pub fn deps(path: &str) -> PathBuf {
    root().join(".deps").join(path)
}

/// Says in one line that a test did not run, and why; `make test` repeats it at its end.
pub fn skipped(what: &str, why: &str) {
    eprintln!("skipped: {what}, because {why}");
}

/// Runs a program in the checkout and returns what it wrote to its standard output.
///
/// # Panics
/// When the program can not be started or fails; the message carries what it wrote to its standard error.
pub fn output<A: AsRef<OsStr>>(program: impl AsRef<OsStr>, arguments: &[A]) -> String {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root());
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} can not be started: {error}"));
    assert!(output.status.success(), "{command:?} failed:\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("the output is UTF-8")
}

/// The files that git tracks, as paths from the root with `/`; nothing when this is not a git checkout.
#[must_use]
pub fn tracked_files() -> Option<Vec<String>> {
    // A checkout owned by another user is normal on a continuous integration machine, and only read here.
    let output = Command::new("git")
        .args(["-c", "safe.directory=*", "ls-files", "-z"])
        .current_dir(root())
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).expect("paths are UTF-8");
    Some(text.split_terminator('\0').map(String::from).collect())
}

/// Starts GStreamer and registers the plugin of this build in this process, once.
///
/// # Panics
/// When GStreamer can not start or refuses the plugin.
pub fn init() {
    static STARTED: OnceLock<()> = OnceLock::new();
    STARTED.get_or_init(|| {
        gst::init().expect("GStreamer starts");
        gstpolyp::plugin_register_static().expect("GStreamer takes the plugin");
    });
}

/// A built command-line tool of the workspace: `polyp`, `polyp-engine` or `polyp-train`.
#[must_use]
pub fn tool(name: &str) -> PathBuf {
    let path = built().join(name);
    assert!(path.is_file(), "{} was not built", path.display());
    path
}

/// A folder with nothing but `libgstpolyp.so`, for `GST_PLUGIN_PATH`.
///
/// # Panics
/// When the library can not be copied there.
#[must_use]
pub fn plugin_folder() -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let make = || {
        let built = built();
        let folder = built.parent().expect("target/").join("gst").join(built.file_name().expect("debug"));
        let library = folder.join("libgstpolyp.so");
        // `make test` has put it there; two tests that copy at once would each see half a file.
        if std::env::var_os("POLYP_BUILT").is_none() {
            std::fs::create_dir_all(&folder).expect("the folder can be made");
            let part = folder.join(format!("libgstpolyp.{}.part", std::process::id()));
            std::fs::copy(built.join("libgstpolyp.so"), &part).expect("the plugin was built");
            std::fs::rename(&part, &library).expect("the plugin can be put in its place");
        }
        assert!(library.is_file(), "{} is missing", library.display());
        folder
    };
    FOLDER.get_or_init(make).clone()
}

/// The folder of the tools and the plugin. Outside of `make test`, which has just built them and says where
/// (`POLYP_BUILT`), they are built first: a test of yesterday's tool would be worth nothing.
fn built() -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let make = || {
        if let Some(folder) = std::env::var_os("POLYP_BUILT") {
            return PathBuf::from(folder);
        }
        output(
            env!("CARGO"),
            &[
                ["build", "--quiet"].as_slice(),
                &["-p", "polyp", "-p", "polyp-engine", "-p", "gst-plugin-polyp", "-p", "polyp-training"],
            ]
            .concat(),
        );
        let test = std::env::current_exe().expect("this test has a path");
        test.ancestors().nth(2).expect("the test lies in target/debug/deps").to_path_buf()
    };
    FOLDER.get_or_init(make).clone()
}

/// Runs the tool `polyp`, with this build's plugin.
///
/// # Panics
/// When it can not be started.
#[must_use]
pub fn polyp(arguments: &[&str]) -> Output {
    Command::new(tool("polyp"))
        .args(arguments)
        .current_dir(root())
        .env("GST_PLUGIN_PATH", plugin_folder())
        .output()
        .expect("the tool starts")
}

/// What the tool prints when it does its work.
///
/// # Panics
/// When it does not; the message is the tool's.
pub fn said(arguments: &[&str]) -> String {
    let output = polyp(arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).expect("the output is UTF-8")
}

/// What a session's journal says, line by line.
///
/// # Panics
/// When it can not be read.
#[must_use]
pub fn records(session: &Path) -> Vec<Record> {
    Player::open(session).expect("a session").map(|played| played.expect("a line").record).collect()
}

/// Each recorded mask's own frame, and the checksum of its cells.
#[must_use]
pub fn masks(session: &Path) -> Vec<(u64, u32)> {
    let mask = |record| match record {
        Record::Mask(mask) if mask.segment.is_some() => Some((mask.sequence, mask.cells_crc)),
        _ => None,
    };
    records(session).into_iter().filter_map(mask).collect()
}
