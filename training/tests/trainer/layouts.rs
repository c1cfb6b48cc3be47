//! The importers' own layouts, each on a few tiny pictures, and near-duplicates across sides.

use std::fs;
use std::path::Path;

use image::imageops::{FilterType, resize};
use image::{DynamicImage, GrayImage, Luma, Rgb, RgbImage};
use polyp_training::data::{DataSet, Random, Split};
use polyp_training::import::{Options, Report, Request, importer, run};

use crate::import::{has, imported, list, refused};

/// Soft noise, another one for every number.
fn picture(number: u64) -> RgbImage {
    let mut random = Random::new(&[number]);
    let coarse = RgbImage::from_fn(7, 6, |_, _| Rgb([0; 3].map(|_: u8| random.below(256) as u8)));
    resize(&coarse, 40, 32, FilterType::Triangle)
}

/// White in the left upper quarter.
fn mask() -> GrayImage {
    GrayImage::from_fn(40, 32, |x, y| Luma([if x < 20 && y < 16 { 255 } else { 0 }]))
}

fn save(image: impl Into<DynamicImage>, path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    image.into().save(path).unwrap();
}

/// Saves pictures, and masks for those with a second path.
fn tree(root: &Path, files: &[(&str, &str)]) {
    for (number, (picture_path, mask_path)) in files.iter().enumerate() {
        save(picture(number as u64), &root.join(picture_path));
        if !mask_path.is_empty() {
            save(mask(), &root.join(mask_path));
        }
    }
}

/// `name group side polyp-pixels` of each picture.
fn told(path: &Path) -> Vec<String> {
    let data = DataSet::open(path).unwrap();
    let line = |(index, info): (usize, &polyp_training::data::Info)| {
        let pixels: usize = data.read(index).unwrap().mask.iter().map(|value| usize::from(*value)).sum();
        format!("{} [{}] {} {pixels}", info.name, info.group, info.split.name())
    };
    data.infos().iter().enumerate().map(line).collect()
}

fn learning(folder: &Path) -> Request {
    Request { folder: folder.to_owned(), seed: 1, rest: Some(Split::Train), ..Request::default() }
}

#[test]
fn near_duplicates_end_on_one_side() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("set");
    for (number, name) in ["a", "b", "c", "d", "e"].iter().enumerate() {
        save(picture(number as u64), &folder.join(format!("images/{name}.png")));
    }
    // t is a again; u is b, smaller and as JPEG; v is c, brighter.
    save(picture(0), &folder.join("images/t.png"));
    save(resize(&picture(1), 36, 30, FilterType::Triangle), &folder.join("images/u.jpg"));
    let brighter = RgbImage::from_fn(40, 32, |x, y| Rgb(picture(2).get_pixel(x, y).0.map(|v| v / 2 + 100)));
    save(brighter, &folder.join("images/v.png"));
    let options = Options { empty_without_mask: true, ..Options::default() };
    let request = Request {
        test: vec![list(temp.path(), "test.txt", &["t"])],
        validation_groups: vec!["u".to_owned()],
        options,
        ..learning(&folder)
    };
    let out = temp.path().join("set.h5");
    fs::create_dir_all(folder.join("masks")).unwrap();
    let report = imported("folder", &request, &out, false).unwrap();
    let near: Vec<_> = report.near.iter().map(|pair| (pair.a.as_str(), pair.b.as_str())).collect();
    assert_eq!(near, [("a", "t"), ("b", "u"), ("c", "v")]);
    assert_eq!((report.left_out, report.moved), (vec!["a".to_owned()], vec!["u".to_owned()]));
    assert_eq!(
        told(&out),
        [
            "b [b] train 0",
            "c [c] train 0",
            "d [d] train 0",
            "e [e] train 0",
            "t [t] test 0",
            "u [b] train 0",
            "v [c] train 0"
        ]
    );
    let kept = Request { keep_duplicates: true, ..request };
    let report = imported("folder", &kept, &out, false).unwrap();
    assert!(report.near.is_empty() && report.left_out.is_empty() && report.moved.is_empty());
    assert_eq!(told(&out).len(), 8);
}

#[test]
fn a_draw_keeps_near_duplicates_together() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("set");
    for number in 0..12_u64 {
        let path = format!("n{number:02}.png");
        save(picture(number / 2), &folder.join("images").join(&path));
        save(mask(), &folder.join("masks").join(&path));
    }
    let out = temp.path().join("set.h5");
    let request = Request { rest: None, test_share: 0.34, validation_share: 0.2, ..learning(&folder) };
    imported("folder", &request, &out, false).unwrap();
    let data = DataSet::open(&out).unwrap();
    let side = |split| data.indices(split).len();
    assert_eq!([side(Split::Train), side(Split::Validation), side(Split::Test)], [6, 2, 4]);
    for twins in data.infos().chunks(2) {
        assert_eq!(twins[0].split, twins[1].split);
    }
}

#[test]
fn polypgen_groups_frames_by_name_or_centre_and_sequences_as_they_are() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("set");
    tree(
        &folder,
        &[
            ("data_C1/images_C1/a.jpg", "data_C1/masks_C1/a_mask.jpg"),
            ("data_C1/images_C1/b.jpg", "data_C1/masks_C1/b_mask.jpg"),
            ("data_C6/images_C6/a.jpg", "data_C6/masks_C6/a_mask.jpg"),
            ("data_C6/bbox_image_C6/a.jpg", ""),
            ("sequenceData/positive/seq1/images_seq1/f.jpg", "sequenceData/positive/seq1/masks_seq1/f.jpg"),
            ("sequenceData/negativeOnly/seq1_neg/f.jpg", ""),
            ("sequenceData/negativeOnly/seq2_neg/images_seq2_neg/g.jpg", ""),
        ],
    );
    fs::write(folder.join("sequenceData/positive/seq1/masks_seq1/f.txt"), "polyp 1 2 3 4").unwrap();
    let out = temp.path().join("set.h5");
    let request = Request { test_groups: vec!["seq1".to_owned()], ..learning(&folder) };
    imported("polypgen", &request, &out, false).unwrap();
    let rest = [
        "positive/seq1/f [positive seq1] test 320",
        "negative/seq1_neg/f [negative seq1_neg] train 0",
        "negative/seq2_neg/g [negative seq2_neg] train 0",
    ];
    let single = ["C1/a [C1/a] train 320", "C1/b [C1/b] train 320", "C6/a [C6/a] train 320"];
    assert_eq!(told(&out), [&single[..], &rest[..]].concat());
    let by = |what: &str| Options { group_by: Some(what.to_owned()), ..Options::default() };
    let request = Request { options: by("centre"), ..request };
    imported("polypgen", &request, &out, false).unwrap();
    let single = ["C1/a [C1] train 320", "C1/b [C1] train 320", "C6/a [C6] train 320"];
    assert_eq!(told(&out), [&single[..], &rest[..]].concat());
    let other = temp.path().join("other.h5");
    has(
        &refused("polypgen", &Request { options: by("day"), ..request.clone() }, &other),
        &["name or centre", "day"],
    );
    save(mask(), &folder.join("data_C6/masks_C6/957OLCV1_mask.jpg"));
    has(&refused("polypgen", &request, &other), &["957OLCV1_mask.jpg", "picture of this mask"]);
    has(&refused("polypgen", &learning(temp.path()), &other), &["data_C1", "found none"]);
}

#[test]
fn sun_seg_keeps_a_case_on_one_side() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("set");
    let frame =
        |top: &str, clip: &str| (format!("{top}/Frame/{clip}/f.jpg"), format!("{top}/GT/{clip}/f.png"));
    let files = [
        frame("TrainDataset", "case1_1"),
        frame("TrainDataset", "case1_3"),
        frame("TestEasyDataset/Seen", "case1_2"),
        frame("TestEasyDataset/Unseen", "case3_1"),
        frame("TestHardDataset/Unseen", "case3_2"),
    ];
    let files: Vec<_> = files.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    tree(&folder, &files);
    let out = temp.path().join("set.h5");
    let request = Request { rest: None, ..learning(&folder) };
    let report = imported("sun-seg", &request, &out, false).unwrap();
    assert_eq!((report.shared, report.unlisted), (1, 0), "case 1 is learned from");
    let tested = [
        "TestEasyDataset/Unseen/case3_1/f [case3] test 320",
        "TestHardDataset/Unseen/case3_2/f [case3] test 320",
    ];
    let learned = ["TrainDataset/case1_1/f [case1] train 320", "TrainDataset/case1_3/f [case1] train 320"];
    assert_eq!(told(&out), [learned, tested].concat());
    // The case as a whole on another side: then its test frames come along.
    let request = Request { validation_groups: vec!["case1".to_owned()], ..request };
    let report = imported("sun-seg", &request, &out, false).unwrap();
    assert_eq!((report.shared, told(&out).len()), (0, 5));
    fs::remove_file(folder.join("TrainDataset/GT/case1_3/f.png")).unwrap();
    let other = temp.path().join("other.h5");
    has(&refused("sun-seg", &request, &other), &["case1_3/f.png", "mask of picture TrainDataset/case1_3/f"]);
}

#[test]
fn folders_of_any_format_are_grouped_by_pattern() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("set");
    tree(
        &folder,
        &[
            ("images/p1_a.bmp", "masks/p1_a.tif"),
            ("images/p1_b.jpg", "masks/p1_b.png"),
            ("images/p2_a.tiff", "masks/p2_a.bmp"),
            ("images/p2_b.png", ""),
        ],
    );
    let options = Options {
        group_pattern: Some("^(p[0-9]+)_".to_owned()),
        source: Some("our clinic".to_owned()),
        licence: Some("ours".to_owned()),
        ..Options::default()
    };
    let request = Request { test_groups: vec!["p2".to_owned()], options, ..learning(&folder) };
    let out = temp.path().join("set.h5");
    has(
        &refused("folder", &request, &out),
        &["p2_b.png", "mask of picture p2_b: expected a file, found none"],
    );
    let empty = Options { empty_without_mask: true, ..request.options.clone() };
    let request = Request { options: empty, ..request };
    imported("folder", &request, &out, false).unwrap();
    let lines = ["p1_a [p1] train 320", "p1_b [p1] train 320", "p2_a [p2] test 320", "p2_b [p2] test 0"];
    assert_eq!(told(&out), lines);
    let info = DataSet::open(&out).unwrap().infos()[0].clone();
    assert_eq!((info.source.as_str(), info.licence.as_str()), ("our clinic", "ours"));

    let other = temp.path().join("other.h5");
    let divided = Request { train: vec![list(temp.path(), "train.txt", &["p2_a"])], ..request.clone() };
    has(
        &refused("folder", &divided, &other),
        &["group p2 of picture p2_b", "expected split train", "found test"],
    );
    for (pattern, part) in [("p[0-9]+", "without one"), ("(p", "unclosed group"), ("^(q)", "group of p1_a")] {
        let options = Options { group_pattern: Some(pattern.to_owned()), ..Options::default() };
        has(&refused("folder", &Request { options, ..learning(&folder) }, &other), &[part]);
    }
    // What a layout has not is not passed over.
    has(&refused("kvasir", &request, &other), &["options of layout kvasir", "found group-pattern"]);
    let category = Options { category: Some("polyp".to_owned()), ..Options::default() };
    let foreign = Request { options: category, ..learning(&folder) };
    has(
        &refused("folder", &foreign, &other),
        &["expected group-pattern, empty-without-mask", "found category"],
    );
}

/// Three pictures: polygons, runs as text, nothing.
const COCO: &str = r#"{
    "info": {"year": 2026},
    "images": [
        {"id": 1, "file_name": "a.png", "width": 40, "height": 32},
        {"id": 2, "file_name": "b.png", "width": 40, "height": 32},
        {"id": 3, "file_name": "c.png", "width": 40, "height": 32}
    ],
    "annotations": [
        {"id": 7, "image_id": 1, "category_id": 1, "segmentation": [[0, 0, 20, 0, 20, 16, 0, 16]], "bbox": [0, 0, 20, 16]},
        {"id": 8, "image_id": 1, "category_id": 2, "segmentation": [[30, 30, 34, 30, 34, 32, 30, 32]]},
        {"id": 9, "image_id": 2, "category_id": 1, "segmentation": {"size": [32, 40], "counts": [32, 10, 1238]}}
    ],
    "categories": [{"id": 1, "name": "polyp"}, {"id": 2, "name": "instrument"}]
}"#;

#[test]
fn coco_draws_polygons_and_runs_and_filters_by_category() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("set");
    tree(&folder, &[("train2026/a.png", ""), ("train2026/b.png", ""), ("train2026/c.png", "")]);
    let json = folder.join("annotations/instances_train2026.json");
    fs::create_dir_all(json.parent().unwrap()).unwrap();
    fs::write(&json, COCO).unwrap();
    let out = temp.path().join("set.h5");
    let of = |category: &str| {
        let options = Options { category: Some(category.to_owned()), ..Options::default() };
        Request { options, ..learning(&folder) }
    };
    imported("coco", &of("polyp"), &out, false).unwrap();
    assert_eq!(told(&out), ["a [a] train 320", "b [b] train 10", "c [c] train 0"]);
    let down = DataSet::open(&out).unwrap().read(1).unwrap();
    assert!((0..10).all(|row| down.mask[40 * row + 1] == 1), "ten pixels of the second column");
    imported("coco", &learning(&folder), &out, false).unwrap();
    assert_eq!(told(&out)[0], "a [a] train 328", "with the instrument");

    let other = temp.path().join("other.h5");
    has(&refused("coco", &of("adenoma"), &other), &["expected one of instrument, polyp, found adenoma"]);
    for (from, to, parts) in [
        ("\"image_id\": 2", "\"image_id\": 5", &["annotation 9", "one of the images, found 5"][..]),
        ("\"height\": 32}\n", "\"height\": 31}\n", &["size of c: expected 40x32", "found 40x31"][..]),
        ("[32, 10, 1238]", "[32, 10]", &["runs of b: expected 1280 pixels, found 42"][..]),
        ("c.png", "lost.png", &["lost.png", "open"][..]),
        ("\"id\": 3,", "\"id\": 2,", &["an id of its own"][..]),
        ("\"segmentation\": [[30", "\"other\": [[30", &["annotation 8", "found none"][..]),
        ("[[30, 30", "[[30, \"x\"", &["instances_train2026.json", "COCO annotations"][..]),
    ] {
        assert!(COCO.contains(from), "{from}");
        fs::write(&json, COCO.replacen(from, to, 1)).unwrap();
        has(&refused("coco", &learning(&folder), &other), parts);
    }
    fs::remove_file(&json).unwrap();
    has(&refused("coco", &learning(&folder), &other), &[".json", "found none"]);
}

#[test]
fn every_kind_of_bad_picture_is_one_sentence() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("set");
    let paths: Vec<_> = (0..6).map(|n| (format!("images/n{n}.png"), format!("masks/n{n}.png"))).collect();
    tree(&folder, &paths.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect::<Vec<_>>());
    fs::write(folder.join("images/n1.png"), "").unwrap();
    let whole = fs::read(folder.join("images/n2.png")).unwrap();
    fs::write(folder.join("images/n2.png"), &whole[..whole.len() / 2]).unwrap();
    fs::write(folder.join("masks/n3.png"), "no picture").unwrap();
    fs::remove_file(folder.join("masks/n4.png")).unwrap();
    save(GrayImage::new(39, 32), &folder.join("masks/n5.png"));
    save(mask(), &folder.join("masks/lonely.png"));
    let out = temp.path().join("set.h5");
    let report: Report =
        run(importer("folder").unwrap(), &learning(&folder), &out, true, &mut |_, _| {}).unwrap();
    let skipped: Vec<String> = report.skipped.iter().map(ToString::to_string).collect();
    assert_eq!(skipped.len(), 6, "{skipped:?}");
    for (sentence, part) in skipped.iter().zip([
        "lonely.png",
        "n1.png: decode",
        "n2.png: decode",
        "n3.png: decode",
        "n4.png",
        "39x32",
    ]) {
        has(sentence, &[part]);
        assert_eq!(sentence.lines().count(), 1, "{sentence}");
    }
    assert_eq!(told(&out), ["n0 [n0] train 320"]);
    // Each of them alone ends an import that does not skip.
    for bad in ["masks/lonely.png", "images/n1.png", "images/n2.png", "images/n3.png", "images/n4.png"] {
        has(&refused("folder", &learning(&folder), &temp.path().join("other.h5")), &[&bad[7..bad.len() - 4]]);
        fs::remove_file(folder.join(bad)).unwrap();
        let mask = folder.join(bad.replace("images", "masks"));
        if mask.exists() {
            fs::remove_file(mask).unwrap();
        }
    }
    has(&refused("folder", &learning(&folder), &temp.path().join("other.h5")), &["n5.png", "39x32"]);
}

#[test]
fn many_pictures_keep_their_order() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("set");
    let paths: Vec<_> =
        (0..70).map(|n| (format!("images/{n:03}.png"), format!("masks/{n:03}.png"))).collect();
    tree(&folder, &paths.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect::<Vec<_>>());
    let out = temp.path().join("set.h5");
    let mut seen = Vec::new();
    let progress = &mut |done: usize, total: usize| seen.push((done, total));
    run(importer("folder").unwrap(), &learning(&folder), &out, false, progress).unwrap();
    assert_eq!(seen, (1..=70).chain(1..=70).map(|done| (done, 70)).collect::<Vec<_>>());
    let data = DataSet::open(&out).unwrap();
    for (index, info) in data.infos().iter().enumerate() {
        assert_eq!(info.name, format!("{index:03}"));
        assert_eq!(data.read(index).unwrap().rgb, picture(index as u64).into_raw());
    }
}
