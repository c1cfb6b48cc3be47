//! A network in 8-bit integers: what the float one says, nearly, and nowhere to be had unless it was judged good enough.
#![cfg(feature = "ort")]
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use std::path::PathBuf;

use polyp::model::ModelSpec;
use polyp_engine::engine::{Backend, Options, Precision};
use polyp_engine::error::EngineError;
use polyp_engine::folder::{EngineFolder, write_int8, write_random};
use polyp_engine::manifest::{INT8_FILE, Int8, MANIFEST_FILE};
use polyp_engine::onnx::{layers, read_weights};
use polyp_engine::quantise::{Calibration, calibrate};
use polyp_engine::verify::{Difference, INT8_AGREEMENT, compare, fixed_image};
use tempfile::TempDir;

const SIDE: usize = 64;
const INT8: Options = Options { precision: Precision::Int8, threads: 2, largest_batch: 0 };

struct Made {
    temp: TempDir,
    folder: EngineFolder,
    calibration: Calibration,
}

impl Made {
    fn new() -> Self {
        let temp = TempDir::new().unwrap();
        let spec = ModelSpec { name: "small".to_owned(), side_px: SIDE, ..ModelSpec::lite() };
        let folder = write_random(&temp.path().join("small"), spec, 1).unwrap();
        let pictures: Vec<_> = (0..8).map(|number| fixed_image(SIDE, number)).collect();
        let calibration = calibrate(&folder, &folder.memory().unwrap(), &pictures, |_, _| {}).unwrap();
        Self { temp, folder, calibration }
    }

    fn place(&self) -> PathBuf {
        self.temp.path().join("small-int8")
    }

    /// Writes it with a judge who found that Dice; gives back what the judge saw too.
    fn write(&self, float_layers: usize, dice_int8: f64) -> Result<EngineFolder, EngineError> {
        let layers = self.calibration.layers() - float_layers;
        write_int8(&self.place(), &self.folder, &self.calibration.graph(float_layers)?, |_| {
            Ok(Int8 {
                calibrated_on: self.calibration.pictures(),
                layers,
                float_layers,
                judged_on: "a test".to_owned(),
                count: 1,
                dice_f32: 0.9,
                dice_int8,
            })
        })
    }

    fn difference(&self, folder: &EngineFolder, backend: &str) -> Difference {
        let backend = Backend::named(backend).unwrap();
        let mut float = (backend.open)(&self.folder, &Options { precision: Precision::F32, ..INT8 }).unwrap();
        let mut int8 = (backend.open)(folder, &INT8).unwrap();
        assert_eq!(int8.description().precision, Precision::Int8);
        compare(float.as_mut(), int8.as_mut(), &folder.memory().unwrap(), 2).unwrap()
    }
}

#[test]
fn integers_say_nearly_what_floats_say() {
    let made = Made::new();
    let folder = made.write(0, 0.896).unwrap();
    let mut tried = 0;
    for backend in ["ort", "openvino"] {
        if (Backend::named(backend).unwrap().available)().is_err() {
            println!("skipped: backend {backend}, because its library is not there");
            continue;
        }
        let difference = made.difference(&folder, backend);
        assert!(difference.agreement >= INT8_AGREEMENT, "{backend}: {difference:?}");
        // And it is another network: nothing was passed over in silence.
        assert!(difference.furthest > 1e-3 * difference.largest, "{backend}: {difference:?}");
        tried += 1;
    }
    assert!(tried > 0, "at least one library is there after `make setup`");
    // A third of the bytes, as most of them are weights that became one byte each.
    let bytes = |name: &str| std::fs::metadata(folder.path().join(name)).unwrap().len();
    assert!(3 * bytes(INT8_FILE) < bytes("model.onnx"), "{}", bytes(INT8_FILE));
}

#[test]
fn the_layers_that_harm_most_can_stay_in_floats() {
    let made = Made::new();
    let all = made.calibration.layers();
    assert_eq!(
        all,
        layers(&made.folder.path().join("model.onnx"), &made.folder.model().unwrap()).unwrap().len()
    );
    assert!(all > 60, "{all} layers");
    let whole = made.write(0, 0.9).unwrap();
    let far = made.difference(&whole, "ort").furthest;
    std::fs::remove_dir_all(made.place()).unwrap();
    let half = made.write(all / 2, 0.9).unwrap();
    let near = made.difference(&half, "ort").furthest;
    assert!(near < 0.8 * far, "{near} and {far}");
    // Those layers' weights are still there as they were.
    let (kept, before) = (
        read_weights(&half.path().join(INT8_FILE)).unwrap_err().to_string(),
        made.folder.frame_weights().unwrap().iter().count(),
    );
    assert!(kept.contains(".int8") && before > all, "{kept}");
}

#[test]
fn what_is_not_good_enough_is_not_written() {
    let made = Made::new();
    let error = made.write(0, 0.894).unwrap_err().to_string();
    let manifest = made.place().join(MANIFEST_FILE).display().to_string();
    assert_eq!(
        error,
        format!(
            "{manifest}, field int8.dice_int8: expected at least int8.dice_f32 (0.9) less 0.005, found 0.894"
        )
    );
    assert!(!made.place().exists());
    let left: Vec<_> =
        std::fs::read_dir(made.temp.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["small"], "no part of it stays behind");
    // A folder whose manifest was changed to say so afterwards is refused as well.
    let folder = made.write(0, 0.9).unwrap();
    let path = folder.path().join(MANIFEST_FILE);
    let text = std::fs::read_to_string(&path).unwrap().replace("\"dice_int8\": 0.9", "\"dice_int8\": 0.5");
    std::fs::write(&path, text).unwrap();
    assert!(EngineFolder::open(folder.path()).unwrap_err().to_string().contains("int8.dice_int8"));
}

#[test]
fn without_it_int8_is_refused_in_a_sentence() {
    let made = Made::new();
    for backend in ["ort", "openvino"] {
        let backend = Backend::named(backend).unwrap();
        if (backend.available)().is_ok() {
            let error = (backend.open)(&made.folder, &INT8).err().unwrap().to_string();
            let expected = "precision: expected an engine with model.int8.onnx for int8 (`polyp-engine quantize` makes one), found ";
            assert!(error.starts_with(expected), "{error}");
        }
    }
    let reference =
        (Backend::named("reference").unwrap().open)(&made.folder, &INT8).err().unwrap().to_string();
    assert!(reference.contains("f32 or auto with backend reference"), "{reference}");
}
