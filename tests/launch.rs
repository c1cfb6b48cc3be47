//! The lines of the README and of docs/ that begin with `gst-launch-1.0` or `gst-inspect-1.0` run as printed.

use std::process::Command;
use std::time::{Duration, Instant};

use polyp_tests::{plugin_folder, root};

/// How long one line may take, its engine's start included.
const LIMIT: Duration = Duration::from_secs(120);

/// The lines of `text` to be run, those that end in `\` joined with the next.
fn lines(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    let starts = |line: &&str| line.starts_with("gst-launch-1.0 ") || line.starts_with("gst-inspect-1.0 ");
    joined.lines().map(str::trim).filter(starts).map(str::to_owned).collect()
}

/// Runs a line as a shell in the checkout would; what it said, if it failed.
fn run(line: &str) -> Result<(), String> {
    let registry = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut command = Command::new("timeout");
    command
        .arg(LIMIT.as_secs().to_string())
        .args(["bash", "-c", line])
        .current_dir(root())
        .env("GST_PLUGIN_PATH", plugin_folder())
        .env("GST_REGISTRY", registry.path().join("registry.bin"))
        .env_remove("G_DEBUG");
    let begun = Instant::now();
    let output = command.output().map_err(|error| error.to_string())?;
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    // gst-launch ends with 0 even where an element warned; a launch line that warns is not one to print.
    let warned = said.contains("WARNING: from element") || said.contains("ERROR: from element");
    if output.status.success() && !warned {
        return Ok(());
    }
    Err(format!("{line}\nended with {} after {:?}:\n{said}", output.status, begun.elapsed()))
}

#[test]
fn every_printed_line_alone_runs() {
    let mut files = vec![root().join("README.md")];
    for entry in std::fs::read_dir(root().join("docs")).unwrap() {
        files.push(entry.unwrap().path());
    }
    files.retain(|file| file.extension().is_some_and(|end| end == "md"));
    files.sort();
    let mut ran = 0;
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for line in lines(&text) {
            run(&line).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            ran += 1;
        }
    }
    assert!(ran >= 3, "only {ran} lines were found");
}

#[test]
fn lines_are_found_and_joined() {
    let text = "text gst-launch-1.0 not this\n```sh\ngst-launch-1.0 a ! \\\n  b\ngst-inspect-1.0 c\n```\n";
    assert_eq!(lines(text), ["gst-launch-1.0 a !    b", "gst-inspect-1.0 c"]);
}

#[test]
fn a_line_that_fails_is_noticed() {
    assert!(run("gst-launch-1.0 nosuchelement ! fakesink").unwrap_err().contains("nosuchelement"));
    let refused = run("gst-launch-1.0 videotestsrc num-buffers=1 ! polyplive engine=/nowhere ! fakesink");
    assert!(refused.unwrap_err().contains("/nowhere/manifest.json"));
}
