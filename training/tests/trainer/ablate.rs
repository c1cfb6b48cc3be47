//! A comparison: what is finished is not done again, and a plan that can not be is told before anything is trained.

use std::path::Path;

use polyp_training::ablate::{Ablation, AblationReport, ablate, markdown};
use polyp_training::data::DataSet;
use polyp_training::fit::FitConfig;

use crate::command::{refused, tool};
use crate::fixture::{config, data_set};

const PLAN: &str = "base = \"base.toml\"\nepochs = 1\nside_px = 64\nseeds = [1, 2]\n\
    [[rows]]\nname = \"full\"\npaper = 93.83\n\
    [[rows]]\nname = \"no-text\"\nchange = { model = { fusion = \"none\" } }\n\
    [[rows]]\nname = \"dice\"\nchange = { loss = \"dice\" }\n";

fn write(folder: &Path, plan: &str) {
    // The budget and the changes are the plan's, not the base's.
    let base = FitConfig { epochs: 9, ..config() };
    std::fs::write(folder.join("base.toml"), toml::to_string(&base).unwrap()).unwrap();
    std::fs::write(folder.join("plan.toml"), plan).unwrap();
}

const VERB: [&str; 7] = ["ablate", "--config", "plan.toml", "--data", "discs.h5", "--out", "out"];

#[test]
fn rows_are_trained_scored_and_laid_side_by_side() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path();
    data_set(&folder.join("discs.h5"), [4, 2, 3]);
    write(folder, PLAN);
    let (success, said, errors) = tool(&VERB, folder);
    assert!(success, "{errors}");
    let read = || -> AblationReport {
        serde_json::from_slice(&std::fs::read(folder.join("out/ablation.json")).unwrap()).unwrap()
    };
    let report = read();
    assert_eq!(
        report.rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(),
        ["full", "no-text", "dice"]
    );
    assert_eq!(report.rows[0].paper, Some(93.83));
    assert!(report.rows[0].difference.is_none());
    for row in &report.rows {
        assert_eq!(row.runs.iter().map(|run| run.seed).collect::<Vec<_>>(), [1, 2]);
        assert_ne!(row.runs[0].weights_sha256, row.runs[1].weights_sha256, "{}", row.name);
        let mean = (row.runs[0].test + row.runs[1].test) / 2.0;
        assert!((row.test.mean - mean).abs() < 1e-12, "{row:?}");
    }
    let [full, without, _] = report.rows.as_slice() else { panic!("{report:?}") };
    let difference = without.difference.unwrap();
    assert!((difference.mean - (without.test.mean - full.test.mean)).abs() < 1e-9, "{difference:?}");
    let table = std::fs::read_to_string(folder.join("out/ablation.md")).unwrap();
    assert!(table.contains("| full | 2 |") && table.contains("| 93.83 |"), "{table}");
    assert_eq!(said.trim_end(), table.trim_end());
    let config = FitConfig::read(&folder.join("out/dice-2/config.toml")).unwrap();
    assert_eq!((config.epochs, config.seed, config.loss.as_str()), (1, 2, "dice"));

    // What is finished is read, not run: a second call hears of no step, but of those of a run that was lost.
    std::fs::remove_dir_all(folder.join("out/dice-1")).unwrap();
    let mut plan = Ablation::read(&folder.join("plan.toml")).unwrap();
    plan.base = folder.join("base.toml");
    let data = std::sync::Arc::new(DataSet::open(&folder.join("discs.h5")).unwrap());
    let mut trained = Vec::new();
    let again =
        ablate(&plan, &data, &folder.join("out"), &mut |run, _| trained.push(run.to_owned())).unwrap();
    assert_eq!(trained, ["dice-1"]);
    assert_eq!(markdown(&AblationReport { base: report.base, ..again }), table);

    write(folder, &PLAN.replace("loss = \"dice\"", "loss = \"bce\""));
    assert!(refused(&VERB, folder).contains("expected the configuration that the plan makes"));
}

#[test]
fn wrong_plans_are_named_before_anything_is_trained() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path();
    data_set(&folder.join("discs.h5"), [4, 1, 1]);
    for (change, words) in [
        (
            ("name = \"dice\"", "name = \"full\""),
            "rows.name: expected names of letters, digits, - and _, each once",
        ),
        (("name = \"dice\"", "name = \"../up\""), "rows.name: expected"),
        (("seeds = [1, 2]", "seeds = []"), "seeds: expected at least one"),
        (("loss = \"dice\"", "losses = \"dice\""), "a configuration once row dice is applied"),
        (("loss = \"dice\"", "loss = \"hinge\""), "loss: expected one of seu"),
        (("fusion = \"none\"", "fusion = \"none\", mixer = \"linear\""), "field mixer: expected the default"),
        (("epochs = 1", "epoch = 1"), "plan.toml: (file): expected a plan of an ablation"),
    ] {
        write(folder, &PLAN.replace(change.0, change.1));
        let error = refused(&VERB, folder);
        assert!(error.contains(words), "{error}");
    }
    assert!(!folder.join("out").exists());
}

#[test]
fn the_committed_plan_is_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut plan = Ablation::read(&root.join("configs/training/ablation.toml")).unwrap();
    plan.base = root.join(&plan.base);
    assert_eq!(plan.rows.len(), 9);
    for row in &plan.rows {
        plan.config(row, 1).unwrap();
    }
}
