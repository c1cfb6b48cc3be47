//! A session's exports, read back by what others read them with: every exported mask is the recorded one.
//!
//! Python's readers lie in `.deps/readers` (`make setup`) and are for Python 3.11; with another one these parts are skipped.

use std::path::{Path, PathBuf};
use std::process::Command;

use polyp_tests::{deps, masks, output, plugin_folder, polyp, root, said, skipped, tool};

/// The committed session: 36 frames, 24 masks.
fn session() -> PathBuf {
    root().join("tests/fixtures/session-v1")
}

/// What a script of `tests/readers` prints; `None` where this machine has not what it needs.
fn read_back(script: &str, arguments: &[&Path]) -> Option<serde_json::Value> {
    let version = Command::new("python3").args(["-c", "import sys; print(*sys.version_info[:2])"]).output();
    let is_made_for = version.is_ok_and(|version| version.stdout == b"3 11\n");
    if !is_made_for || !deps("readers/pydicom").is_dir() {
        skipped(script, "there is no Python 3.11, or .deps/readers was not fetched");
        return None;
    }
    let output = Command::new("python3")
        .arg(root().join("tests/readers").join(script))
        .args(arguments)
        .env("PYTHONPATH", deps("readers"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// The masks of an export into PNG, by name.
fn pngs(folder: &Path) -> std::collections::BTreeMap<String, image::GrayImage> {
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.unwrap().path();
        (path.file_stem().unwrap().to_str().unwrap().to_owned(), image::open(&path).unwrap().into_luma8())
    };
    std::fs::read_dir(folder).unwrap().map(read).collect()
}

/// The pixels that COCO's runs say, row by row.
fn unrolled(runs: &[usize], (width, height): (usize, usize)) -> Vec<bool> {
    let columns: Vec<bool> = runs.iter().enumerate().flat_map(|(i, run)| vec![i % 2 == 1; *run]).collect();
    (0..width * height).map(|at| columns[at % width * height + at / width]).collect()
}

#[test]
fn every_exported_mask_is_the_recorded_one() {
    let session = root().join("tests/fixtures/session-v1");
    let folder = tempfile::tempdir().unwrap();
    let export = |format: &str, more: &[&str]| {
        let out = folder.path().join(format).join(more.len().to_string());
        let arguments = ["export", session.to_str().unwrap(), "--as", format, "--out", out.to_str().unwrap()];
        let printed = said(&[&arguments[..], more].concat());
        assert!(printed.contains("24 frames have a mask of their own"), "{printed}");
        out
    };
    let png = export("png", &["--drop-out-of-body"]);
    let cells = pngs(&png.join("cells"));
    let recorded = masks(&session);
    assert_eq!(cells.len(), recorded.len());
    for (sequence, crc) in recorded {
        let exported = crc32fast::hash(cells[&format!("{sequence:08}")].as_raw());
        assert_eq!(exported, crc, "frame {sequence}");
    }
    let white = pngs(&png.join("masks"));
    let coco = export("coco", &[]);
    let text = std::fs::read_to_string(coco.join("annotations.json")).unwrap();
    let coco: serde_json::Value = serde_json::from_str(&text).unwrap();
    let images = coco["images"].as_array().unwrap();
    assert_eq!(images.len(), 24);
    for image in images {
        let name = image["file_name"].as_str().unwrap().strip_prefix("images/").unwrap();
        let white = &white[name.strip_suffix(".png").unwrap()];
        let mut all = vec![false; white.len()];
        let of = |annotation: &&serde_json::Value| annotation["image_id"] == image["id"];
        for annotation in coco["annotations"].as_array().unwrap().iter().filter(of) {
            let runs: Vec<usize> =
                serde_json::from_value(annotation["segmentation"]["counts"].clone()).unwrap();
            let size = (white.width() as usize, white.height() as usize);
            all.iter_mut().zip(unrolled(&runs, size)).for_each(|(all, said)| *all |= said);
        }
        assert_eq!(white.as_raw().iter().map(|pixel| *pixel > 0).collect::<Vec<_>>(), all, "{name}");
    }
    assert!(white.values().any(|white| white.as_raw().contains(&255)));
    // What is to be covered is black, and an export never goes into a folder that holds something.
    let covered = export("png", &["--black", "20x10+100+50"]);
    let picture = image::open(covered.join("images/00000004.png")).unwrap().into_rgb8();
    let black = |x: u32, y: u32| picture.get_pixel(x, y).0 == [0; 3];
    assert!((100..120).all(|x| (50..60).all(|y| black(x, y))) && !black(99, 55));
    let again =
        polyp(&["export", session.to_str().unwrap(), "--as", "png", "--out", covered.to_str().unwrap()]);
    let errors = String::from_utf8_lossy(&again.stderr);
    assert!(again.status.code() == Some(2) && errors.contains("expected an empty folder"), "{errors}");
}

/// The file's pictures, decoded by GStreamer's elements after `demuxer`.
fn decoded(file: &Path, demuxer: &str, into: &Path) -> Vec<u8> {
    let (file, into) = (format!("location={}", file.display()), format!("location={}", into.display()));
    let line =
        ["-q", "filesrc", &file, "!", demuxer, "!", "h264parse", "!", "avdec_h264", "!", "filesink", &into];
    output("gst-launch-1.0", &line);
    std::fs::read(into.strip_prefix("location=").unwrap()).unwrap()
}

#[test]
fn dicom_is_what_others_read_and_has_the_recorded_picture_and_masks() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let session = session();
    let export = |format: &str, out: &Path, more: &[&str]| {
        let arguments = ["export", session.to_str().unwrap(), "--as", format, "--out", out.to_str().unwrap()];
        said(&[&arguments[..], more].concat())
    };
    let (dicom, png) = (place("dicom"), place("png"));
    let printed = export("dicom", &dicom, &["--patient-id", "P-7", "--study-uid", "1.2.3"]);
    assert!(printed.contains("36 frames in 1 videos, 24 masks in 1 segmentations"), "{printed}");
    export("png", &png, &[]);
    let stream = place("stream");
    if let Some(found) = read_back("dicom.py", &[&dicom, &png.join("masks"), &stream]) {
        let video = &found["videos"][0];
        assert_eq!(video["class"], "Video Endoscopic Image Storage");
        assert_eq!(video["syntax"], "1.2.840.10008.1.2.4.102.1");
        assert_eq!(
            (&video["frames"], &video["size"][0], &video["size"][1]),
            (&36.into(), &160.into(), &120.into())
        );
        assert_eq!(video["frame_time"], "100");
        assert_eq!(video["patient"], serde_json::json!(["", "P-7", "", ""]));
        assert_eq!(video["study"], serde_json::json!(["1.2.3", ""]));
        assert_eq!(found["masks"], 24);
        let numbers: Vec<u64> = serde_json::from_value(found["frame_numbers"].clone()).unwrap();
        let sequences: Vec<u64> = masks(&session).into_iter().map(|(sequence, _)| sequence + 1).collect();
        assert_eq!(numbers, sequences);
        assert!(found["algorithm"][2].as_str().unwrap().starts_with("prompt \"polyp\", temperature "));
        // The picture was copied, not coded anew: both files decode to the same bytes.
        let copied = decoded(&place("stream-0001.ts"), "tsdemux", &place("copied"));
        let recorded = decoded(&session.join("000000.mkv"), "matroskademux", &place("recorded"));
        assert_eq!(recorded.len(), 36 * 160 * 120 * 3 / 2);
        assert!(copied == recorded, "another picture");
    }
    verified(&dicom.join("masks-0001.dcm"));
    // What dciodvfy was made for has no fragmentable syntaxes yet: the file says it is of the other one, which differs in nothing else that is
    // checked.
    let video = std::fs::read(dicom.join("video-0001.dcm")).unwrap();
    let (known, new) = (b"1.2.840.10008.1.2.4.102\0", b"1.2.840.10008.1.2.4.102.1\0");
    let at = video.windows(new.len()).position(|bytes| bytes == new).unwrap();
    let mut other = video.clone();
    other[at..at + known.len()].copy_from_slice(known);
    other[at + known.len()..at + new.len()].fill(0);
    let path = place("video.dcm");
    std::fs::write(&path, other).unwrap();
    verified(&path);
}

/// `dciodvfy` finds no error.
fn verified(file: &Path) {
    let Ok(output) = Command::new("dciodvfy").arg(file).output() else {
        return skipped("DICOM by dciodvfy", "dicom3tools is not installed");
    };
    let said = String::from_utf8_lossy(&output.stderr);
    let errors: Vec<&str> = said.lines().filter(|line| line.starts_with("Error")).collect();
    assert!(output.status.success() && errors.is_empty(), "{}: {said}", file.display());
    let class =
        ["Segmentation", "VideoEndoscopicImage"].iter().any(|class| said.lines().any(|line| line == *class));
    assert!(class, "{}: {said}", file.display());
}

#[test]
fn what_dicom_can_not_be_given_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    for (more, word) in [
        (&["--as", "dicom", "--black", "20x10+0+0"][..], "--encode codes it anew"),
        (&["--as", "dicom", "--study-uid", "1.02"], "--study-uid: expected numbers without leading zeros"),
        (&["--as", "dicom", "--patient-name", "A\\B"], "--patient-name: expected at most 64 characters"),
        (&["--as", "png", "--dates"], "--dates: expected with --as dicom alone"),
        (&["--as", "png", "--side", "64"], "--side: expected with --as frames alone"),
        (&["--as", "frames", "--side", "64", "--black", "20x10+0+0"], "--side: expected without"),
    ] {
        let arguments = ["export", "tests/fixtures/session-v1", "--out", out.to_str().unwrap()];
        let refused = polyp(&[&arguments[..], more].concat());
        let errors = String::from_utf8_lossy(&refused.stderr);
        assert!(refused.status.code() == Some(2) && errors.contains(word), "{more:?}: {errors}");
    }
}

#[test]
fn what_is_covered_is_black_in_dicom_too() {
    let folder = tempfile::tempdir().unwrap();
    let (dicom, png) = (folder.path().join("dicom"), folder.path().join("png"));
    let session = session();
    let export = |format: &str, out: &Path, more: &[&str]| {
        let arguments = ["export", session.to_str().unwrap(), "--as", format, "--out", out.to_str().unwrap()];
        said(&[&arguments[..], more].concat())
    };
    export("dicom", &dicom, &["--black", "80x60+0+0", "--encode", "--every", "3"]);
    export("png", &png, &["--every", "3"]);
    let stream = folder.path().join("stream");
    let Some(found) = read_back("dicom.py", &[&dicom, &png.join("masks"), &stream]) else { return };
    assert_eq!((&found["masks"], &found["videos"][0]["frames"]), (&8.into(), &36.into()));
    let pictures = decoded(&folder.path().join("stream-0001.ts"), "tsdemux", &folder.path().join("pictures"));
    assert_eq!(pictures.len(), 36 * 160 * 120 * 3 / 2);
    for picture in pictures.chunks_exact(160 * 120 * 3 / 2) {
        let mean = |x: usize| {
            let sum: usize = (4..50)
                .flat_map(|y| (x..x + 60).map(move |x| y * 160 + x))
                .map(|at| usize::from(picture[at]))
                .sum();
            sum / (46 * 60)
        };
        assert!(mean(4) < 20 && mean(90) > 30, "{} {}", mean(4), mean(90));
    }
}

/// What `polyp-train` says, and whether it did its work. It finds the tool `polyp` beside itself.
fn train(arguments: &[&str]) -> (bool, String) {
    let output = Command::new(tool("polyp-train"))
        .args(arguments)
        .current_dir(root())
        .env("GST_PLUGIN_PATH", plugin_folder())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
    (output.status.success(), said.concat())
}

#[test]
fn a_session_becomes_a_data_set_with_the_recorded_masks() {
    let folder = tempfile::tempdir().unwrap();
    let (png, data) = (folder.path().join("png"), folder.path().join("session.h5"));
    said(&["export", session().to_str().unwrap(), "--as", "png", "--out", png.to_str().unwrap()]);
    let line = ["import", "session", "tests/fixtures/session-v1", "--side", "256", "--out"];
    let (done, said) = train(&[&line[..], &[data.to_str().unwrap()]].concat());
    assert!(done && said.contains("24 train; the masks are the network's own"), "{said}");
    let Some(found) = read_back("data_set.py", &[&data, &png.join("cells")]) else { return };
    let source = found["sources"][0].as_str().unwrap();
    assert!(
        source.starts_with("session session-v1, masks by engine lite afc31ecaf5a3, not corrected"),
        "{source}"
    );
    assert_eq!((&found["pictures"], &found["groups"]), (&24.into(), &serde_json::json!(["session-v1"])));
    assert!(found["polyp_pixels"].as_u64().unwrap() > 1000, "{found}");
}

#[test]
fn a_review_comes_back_with_its_verdicts_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let (review, data) = (folder.path().join("review"), folder.path().join("reviewed.h5"));
    let (review, data) = (review.to_str().unwrap(), data.to_str().unwrap());
    let pick = [
        "import",
        "session",
        "tests/fixtures/session-v1",
        "--pick",
        "4",
        "--apart",
        "0.5",
        "--review",
        review,
    ];
    let (done, said) = train(&pick);
    assert!(done && said.contains("frames picked by doubt"), "{said}");
    let table = Path::new(review).join("review.csv");
    let text = std::fs::read_to_string(&table).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 5, "{text}");
    let page = std::fs::read_to_string(Path::new(review).join("review.html")).unwrap();
    assert_eq!(page.matches("<figure>").count(), 4);
    let back = ["import", "session", review, "--rest", "train", "--out", data];
    let refused = |verdicts: [&str; 4]| {
        let told: Vec<String> =
            lines[1..].iter().zip(verdicts).map(|(line, verdict)| format!("{line}{verdict}")).collect();
        std::fs::write(&table, format!("{}\n{}\n", lines[0], told.join("\n"))).unwrap();
        train(&back)
    };
    let (done, said) = refused(["", "rejected", "", ""]);
    assert!(!done && said.contains("expected at least one of accepted, corrected and empty"), "{said}");
    let (done, said) = refused(["", "good", "", ""]);
    assert!(
        !done && said.contains("expected nothing or one of accepted, corrected, empty, rejected, found good"),
        "{said}"
    );
    let (done, said) = refused(["accepted", "corrected", "", ""]);
    assert!(!done && said.contains("expected another mask than was suggested"), "{said}");
    let name = lines[2].split(',').next().unwrap();
    let mask = Path::new(review).join("masks").join(format!("{name}.png"));
    image::GrayImage::from_fn(160, 120, |x, _| image::Luma([if x < 10 { 255 } else { 0 }]))
        .save(&mask)
        .unwrap();
    let (done, said) = refused(["accepted", "accepted", "", ""]);
    assert!(!done && said.contains("expected the mask that was suggested"), "{said}");
    let (done, said) = refused(["accepted", "corrected", "empty", "rejected"]);
    assert!(done && said.contains("3 train"), "{said}");
    let Some(found) = read_back("data_set.py", &[Path::new(data)]) else { return };
    assert_eq!(found["pixels"][1], 1200, "{found}");
    assert_eq!(found["pixels"][2], 0, "{found}");
    let verdict =
        |index: usize| found["sources"][index].as_str().unwrap().rsplit("masks ").next().unwrap().to_owned();
    assert_eq!(
        [0, 1, 2].map(verdict),
        ["accepted", "corrected", "empty"].map(|v| format!("{v} by a reviewer"))
    );
}
