//! The committed engine: whole, sound, and as good as its papers say.

use polyp_tests::{output, root, tool};
use serde_json::Value;

const ENGINE: &str = "engines/store/lite";

fn engine_tool(arguments: &[&str]) -> String {
    output(tool("polyp-engine"), arguments)
}

/// The cells of the table row that begins with these cells.
fn row<'a>(text: &'a str, begins: &[&str]) -> Vec<&'a str> {
    let cells = |line: &'a str| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>();
    let rows = text.lines().filter(|line| line.starts_with('|')).map(cells);
    let mut found = rows.filter(|row| row.starts_with(begins));
    found.next().unwrap_or_else(|| panic!("the model card has no row {begins:?}"))
}

fn model_card() -> String {
    std::fs::read_to_string(root().join("docs/MODEL_CARD.md")).unwrap()
}

#[test]
fn it_is_whole_and_every_backend_computes_the_same() {
    let said = engine_tool(&["verify", ENGINE]);
    for backend in ["openvino", "ort"] {
        assert!(said.lines().any(|line| line.starts_with(&format!("ok    {backend} in f32"))), "{said}");
    }
}

#[test]
fn it_is_small_enough_to_be_kept_and_says_what_it_was_made_from() {
    let manifest: Value = serde_json::from_str(&engine_tool(&["inspect", ENGINE, "--json"])).unwrap();
    assert_eq!((&manifest["weights"], &manifest["prompt"]["text"]), (&"trained".into(), &"polyp".into()));
    let bytes: u64 = std::fs::read_dir(root().join(ENGINE))
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    assert!(bytes < 40 * 1024 * 1024, "{bytes} bytes");
    for data in manifest["data"].as_array().unwrap() {
        assert!(
            !data["licence"].as_str().unwrap().is_empty() && data["count"].as_u64().unwrap() > 0,
            "{data}"
        );
    }
}

/// The model card's figures are the manifest's, which `polyp-train score` wrote.
#[test]
fn the_model_card_says_what_the_manifest_says() {
    let manifest: Value = serde_json::from_str(&engine_tool(&["inspect", ENGINE, "--json"])).unwrap();
    let card = model_card();
    let mut compared = 0;
    for metric in manifest["metrics"].as_array().unwrap() {
        let text = |key: &str| metric[key].as_str().unwrap().to_owned();
        if text("data_set") != "Kvasir-SEG" || text("split") != "test" {
            continue;
        }
        let cells = row(&card, &["Kvasir-SEG official 120", &text("measure"), &text("per")]);
        assert_eq!(cells[3], format!("{:.4}", metric["value"].as_f64().unwrap()), "{cells:?}");
        compared += 1;
    }
    assert!(compared >= 4, "the manifest has {compared} figures of the test split");
}

/// The card's line on the committed pictures can be measured again anywhere.
#[test]
fn the_committed_pictures_score_as_the_model_card_says() {
    let fixtures = "tests/fixtures/kvasir-seg";
    let (images, masks) = (format!("{fixtures}/images"), format!("{fixtures}/masks"));
    let arguments = ["score", "--engine", ENGINE, "--images", &images, "--masks", &masks, "--json"];
    let exact = [arguments.as_slice(), &["--precision", "f32"]].concat();
    let report: Value = serde_json::from_str(&engine_tool(&exact)).unwrap();
    assert_eq!(report["count"], 12);
    for key in ["dice_per_image", "dice_pooled", "iou_per_image", "iou_pooled", "ece_image", "ece_box"] {
        let (measure, per) = match key {
            "ece_image" | "ece_box" => (key, "pooled"),
            _ => key.split_once('_').unwrap(),
        };
        let per = if per == "per_image" { "image" } else { per };
        let cells = row(&model_card(), &["12 committed pictures", measure, per]).join(" ");
        let stated: f64 = cells.split_whitespace().last().unwrap().parse().unwrap();
        let found = report[key].as_f64().unwrap();
        assert!((found - stated).abs() < 5e-4, "{key}: the card says {stated}, found {found}");
    }
}
