//! Importers on tiny folders in the data sets' own layouts.

use std::fs;
use std::path::{Path, PathBuf};

use polyp_training::TrainingError;
use polyp_training::data::{DataSet, Split};
use polyp_training::import::{CaptionReport, Report, Request, importer, run};

use crate::fixture::{data_set, picture};

/// A folder with so many pictures and masks, called `a`, `b`, ...
fn folder(root: &Path, count: u8) -> PathBuf {
    let folder = root.join("set");
    for name in ["images", "masks"] {
        fs::create_dir_all(folder.join(name)).unwrap();
    }
    for index in 0..count {
        let (rgb, mask) = picture(index.into());
        let name = char::from(b'a' + index);
        rgb.save(folder.join(format!("images/{name}.png"))).unwrap();
        mask.save(folder.join(format!("masks/{name}.png"))).unwrap();
    }
    folder
}

pub(crate) fn list(root: &Path, name: &str, names: &[&str]) -> PathBuf {
    let path = root.join(name);
    fs::write(&path, names.join("\n")).unwrap();
    path
}

fn request(folder: &Path) -> Request {
    Request { folder: folder.to_owned(), seed: 1, ..Request::default() }
}

pub(crate) fn imported(
    layout: &str,
    request: &Request,
    out: &Path,
    skip_bad: bool,
) -> Result<Report, TrainingError> {
    run(importer(layout).unwrap(), request, out, skip_bad, &mut |_, _| {})
}

pub(crate) fn refused(layout: &str, request: &Request, out: &Path) -> String {
    let error = imported(layout, request, out, false).unwrap_err().to_string();
    assert!(!out.exists(), "a refused import leaves no file");
    assert_eq!(error.lines().count(), 1, "{error}");
    error
}

pub(crate) fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
}

#[test]
fn kvasir_keeps_sides_apart_and_drops_near_duplicates() {
    let temp = tempfile::tempdir().unwrap();
    let (root, folder) = (temp.path(), folder(temp.path(), 8));
    let duplicates = root.join("near.csv");
    fs::write(&duplicates, "corr,name_a,name_b\n1.0,a,g\n0.99,b,c\n").unwrap();
    let request = Request {
        train: vec![list(root, "train.txt", &["a", "b", "c", "d", "e", "f"])],
        test: vec![list(root, "test.txt", &["g", "h"])],
        validation: 2,
        drop_duplicates: Some(duplicates),
        ..request(&folder)
    };
    let out = root.join("set.h5");
    let report = imported("kvasir", &request, &out, false).unwrap();
    assert_eq!(report.dropped, ["a", "c"], "a is a tested picture's twin, c is b's");
    let data = DataSet::open(&out).unwrap();
    let side = |split| data.indices(split).len();
    assert_eq!([side(Split::Train), side(Split::Validation), side(Split::Test)], [2, 2, 2]);
    for (index, info) in data.infos().iter().enumerate() {
        let number = usize::from(info.name.as_bytes()[0] - b'a');
        let (rgb, mask) = picture(number);
        let read = data.read(index).unwrap();
        assert_eq!(read.rgb, rgb.into_raw(), "{}", info.name);
        let mask: Vec<u8> = mask.into_raw().iter().map(|sample| sample / 255).collect();
        assert_eq!(read.mask, mask, "{}", info.name);
        assert!(!info.licence.is_empty() && info.source.contains("Kvasir"));
    }
}

#[test]
fn clinicdb_splits_by_sequence_and_never_by_frame() {
    let temp = tempfile::tempdir().unwrap();
    let (root, folder) = (temp.path(), folder(temp.path(), 6));
    let meta = "name,sequence,components\na,1,1\nb,1,1\nc,2,1\nd,2,1\ne,3,1\nf,3,1\n";
    fs::write(folder.join("meta.csv"), meta).unwrap();
    let request = Request {
        validation_groups: vec!["2".to_owned()],
        test_groups: vec!["3".to_owned()],
        rest: Some(Split::Train),
        ..request(&folder)
    };
    let out = root.join("set.h5");
    imported("clinicdb", &request, &out, false).unwrap();
    let data = DataSet::open(&out).unwrap();
    for info in data.infos() {
        let expected = match info.group.as_str() {
            "sequence 2" => Split::Validation,
            "sequence 3" => Split::Test,
            _ => Split::Train,
        };
        assert_eq!(info.split, expected, "{info:?}");
    }
    let by_frame = Request { train: vec![list(root, "train.txt", &["a"])], ..request };
    has(&refused("clinicdb", &by_frame, &root.join("other.h5")), &["sequences", "a list of frames"]);
}

#[test]
fn bad_pairs_are_refused_by_name_or_listed_and_left_out() {
    let temp = tempfile::tempdir().unwrap();
    let (root, folder) = (temp.path(), folder(temp.path(), 5));
    let out = root.join("set.h5");
    let request = Request { rest: Some(Split::Train), ..request(&folder) };
    let masks = folder.join("masks");
    fs::remove_file(masks.join("a.png")).unwrap();
    has(&refused("kvasir", &request, &out), &["a.png", "mask of picture a", "found none"]);
    fs::write(folder.join("images/b.png"), "no picture").unwrap();
    image::GrayImage::new(9, 9).save(masks.join("c.png")).unwrap();
    image::GrayImage::new(9, 9).save(masks.join("lonely.png")).unwrap();
    has(&refused("kvasir", &request, &out), &["lonely.png", "picture of this mask", "found none"]);
    let report = imported("kvasir", &request, &out, true).unwrap();
    let skipped: Vec<String> = report.skipped.iter().map(ToString::to_string).collect();
    assert_eq!(skipped.len(), 4, "{skipped:?}");
    has(&skipped.join("\n"), &["lonely.png", "a.png", "b.png", "expected 80x72, as its picture, found 9x9"]);
    assert_eq!(DataSet::open(&out).unwrap().len(), 2);
}

#[test]
fn nothing_to_import_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    let (root, empty) = (temp.path(), folder(temp.path(), 0));
    let out = root.join("set.h5");
    has(&refused("kvasir", &request(&empty), &out), &["images", "expected pictures", "found none"]);
    has(&refused("kvasir", &request(&root.join("lost")), &out), &["lost"]);
    let folder = folder(root, 2);
    has(&refused("kvasir", &request(&folder), &out), &["at least one picture that a list or a group names"]);
}

#[test]
fn a_file_that_is_no_data_set_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("set.h5");
    fs::write(&path, "no HDF5").unwrap();
    has(&DataSet::open(&path).unwrap_err().to_string(), &["set.h5"]);
    hdf5::File::create(&path).unwrap();
    has(&DataSet::open(&path).unwrap_err().to_string(), &["set.h5", "format"]);
}

#[test]
fn captions_come_by_name_and_what_fits_nothing_is_counted() {
    let temp = tempfile::tempdir().unwrap();
    let (root, folder) = (temp.path(), folder(temp.path(), 3));
    let lines = [
        r#"{"name":"a","split":"val","p1":"polyp","p2":"rund: größer","p6":"one polyp, at the top"}"#,
        r#"{"name":"b","p1":""}"#,
        r#"{"name":"lost","p1":"polyp"}"#,
    ];
    let captions = Some(list(root, "captions.jsonl", &lines));
    let request = Request { rest: Some(Split::Train), captions, ..request(&folder) };
    let out = root.join("set.h5");
    let report = imported("kvasir", &request, &out, false).unwrap();
    assert_eq!(report.captions, Some(CaptionReport { with: 1, without: 2, unknown: 1 }));
    let data = DataSet::open(&out).unwrap();
    let of =
        |index: usize| (1..=6).map(|p| data.infos()[index].captions.p(p).unwrap_or("")).collect::<Vec<_>>();
    assert_eq!(of(0), ["polyp", "rund: größer", "", "", "", "one polyp, at the top"]);
    assert_eq!([of(1), of(2)], [[""; 6], [""; 6]]);

    let broken = Some(list(root, "broken.jsonl", &[lines[0], "{\"name\":"]));
    let request = Request { captions: broken, ..request };
    has(&refused("kvasir", &request, &root.join("other.h5")), &["broken.jsonl", "line 2", "a JSON object"]);
}

#[test]
fn version_one_is_read_without_captions_and_later_versions_are_refused() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("set.h5");
    data_set(&path, [2, 1, 0]);
    let set_version = |version: u32| {
        let file = hdf5::File::open_rw(&path).unwrap();
        file.attr("format_version").unwrap().write_scalar(&version).unwrap();
        file.close().unwrap();
    };
    set_version(3);
    has(
        &DataSet::open(&path).unwrap_err().to_string(),
        &["set.h5", "format_version: expected 1 or 2, found 3"],
    );
    set_version(1);
    hdf5::File::open_rw(&path).unwrap().unlink("caption").unwrap();
    let data = DataSet::open(&path).unwrap();
    assert_eq!(data.len(), 3);
    assert!(data.infos().iter().all(|info| info.captions.is_empty()));
    drop(data);
    set_version(2);
    has(&DataSet::open(&path).unwrap_err().to_string(), &["set.h5", "caption"]);
}
