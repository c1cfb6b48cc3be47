//! The plugin as a file, as any application meets it: found in a folder, described by gst-inspect, run by
//! gst-launch.

use std::path::PathBuf;
use std::process::Command;

/// A folder with nothing but the plugin in it, where cargo has built the file.
fn plugin_folder() -> Option<tempfile::TempDir> {
    let tests = std::env::current_exe().unwrap();
    let target: PathBuf = tests.ancestors().nth(2).unwrap().to_owned();
    let file = target.join("libgstpolyp.so");
    let file = if file.exists() { file } else { target.join("deps/libgstpolyp.so") };
    if !file.exists() {
        println!("skipped: the plugin as a file, because {} is not built", file.display());
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(&file, folder.path().join("libgstpolyp.so")).unwrap();
    Some(folder)
}

fn tool(name: &str, folder: &tempfile::TempDir, arguments: &[&str]) -> Option<(bool, String)> {
    let output = Command::new(name)
        .args(arguments)
        .env("GST_PLUGIN_PATH", folder.path())
        .env("GST_REGISTRY", folder.path().join("registry.bin"))
        .env("G_DEBUG", "fatal_warnings")
        .output();
    match output {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
            Some((output.status.success(), text.into_owned()))
        }
        Err(error) => {
            println!("skipped: the plugin as a file, because {name} can not be started: {error}");
            None
        }
    }
}

#[test]
fn gst_inspect_reads_like_a_manual_page() {
    let Some(folder) = plugin_folder() else { return };
    let Some((well, text)) = tool("gst-inspect-1.0", &folder, &["polyp"]) else { return };
    assert!(well, "{text}");
    for element in ["polypsegment", "polypoverlay", "polyplive"] {
        assert!(text.contains(element), "{text}");
        let Some((well, page)) = tool("gst-inspect-1.0", &folder, &[element]) else { return };
        assert!(well && page.contains("changeable in NULL, READY, PAUSED or PLAYING state"), "{page}");
        assert!(page.contains("nanoseconds") && page.contains("120 ms"), "{page}");
    }
}

#[test]
fn gst_launch_finds_it_and_says_what_is_missing() {
    let Some(folder) = plugin_folder() else { return };
    let line = "videotestsrc num-buffers=3 ! polyplive engine=/nowhere ! fakesink";
    let line: Vec<&str> = line.split(' ').collect();
    let Some((well, text)) = tool("gst-launch-1.0", &folder, &line) else { return };
    assert!(!well && text.contains("/nowhere/manifest.json"), "{text}");
    let line = "videotestsrc num-buffers=3 ! polyplive enabled=false ! fakesink";
    let line: Vec<&str> = line.split(' ').collect();
    let Some((well, text)) = tool("gst-launch-1.0", &folder, &line) else { return };
    assert!(well, "{text}");
}
