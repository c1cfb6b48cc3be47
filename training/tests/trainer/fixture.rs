//! Small data sets: discs on a ground, and configurations to learn them with.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use image::{GrayImage, Luma, Rgb, RgbImage};
use polyp::frame::Size;
use polyp::input::Normalisation;
use polyp::model::ModelSpec;
use polyp_training::augment::AugmentConfig;
use polyp_training::data::{Captions, DataSet, DataSetWriter, Info, Picture, Split};
use polyp_training::fit::{FitConfig, Precision, PromptMix};

pub(crate) const SIZE: Size = Size::new(80, 72);

fn disc(index: usize, x: u32, y: u32) -> bool {
    let (cx, cy) = (24.0 + (index * 7 % 32) as f32, 24.0 + (index * 5 % 24) as f32);
    (x as f32 - cx).hypot(y as f32 - cy) < 12.0 + (index % 3) as f32
}

/// Picture number `index`: a bright disc, and its mask.
pub(crate) fn picture(index: usize) -> (RgbImage, GrayImage) {
    let colour = |x: u32, y: u32| {
        if disc(index, x, y) {
            Rgb([230, 190, 150])
        } else {
            Rgb([120, (30 + x / 2) as u8, (30 + y / 2) as u8])
        }
    };
    let mask = |x: u32, y: u32| Luma([if disc(index, x, y) { 255 } else { 0 }]);
    (RgbImage::from_fn(SIZE.width, SIZE.height, colour), GrayImage::from_fn(SIZE.width, SIZE.height, mask))
}

/// A data set of so many pictures to learn from, to validate and to test on.
pub(crate) fn data_set(path: &Path, counts: [usize; 3]) -> Arc<DataSet> {
    let mut writer = DataSetWriter::create(path).unwrap();
    let splits =
        Split::ALL.into_iter().zip(counts).flat_map(|(split, count)| std::iter::repeat_n(split, count));
    for (index, split) in splits.enumerate() {
        let (rgb, mask) = picture(index);
        let info = Info {
            name: format!("disc-{index}"),
            group: format!("disc-{index}"),
            split,
            source: "discs".to_owned(),
            licence: "none needed".to_owned(),
            size: SIZE,
            captions: Captions::default(),
        };
        let mask = mask.into_raw().into_iter().map(|sample| sample / 255).collect();
        writer.add(info, &Picture { rgb: rgb.into_raw(), mask, size: SIZE }).unwrap();
    }
    writer.finish().unwrap();
    Arc::new(DataSet::open(path).unwrap())
}

/// The text encoder that the set-up fetched.
pub(crate) fn text_encoder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../.deps/minilm")
}

/// A small network on small pictures, everything in float32.
pub(crate) fn config() -> FitConfig {
    FitConfig {
        model: ModelSpec { name: "small".to_owned(), side_px: 64, ..ModelSpec::lite() },
        normalisation: Normalisation::Fixed { mean: [127.0; 3], std: [128.0; 3] },
        loss: "seu".to_owned(),
        epochs: 3,
        batch: 4,
        learning_rate: 2e-3,
        encoder_rate: 1.0,
        layer_decay: 0.95,
        final_rate: 1e-5,
        warmup_epochs: 0.0,
        weight_decay: 0.01,
        clip_norm: 1.0,
        average: 0.9,
        patience: 5,
        precision: Precision::F32,
        prompt: "polyp".to_owned(),
        prompts: PromptMix {
            dropout: 0.2,
            sentence: 0.5,
            sentences: vec!["a polyp".to_owned()],
            ..PromptMix::default()
        },
        text_encoder: text_encoder(),
        start: None,
        pretrained: None,
        frozen: Vec::new(),
        checkpoint_steps: 100,
        seed: 7,
        threads: 1,
        loader_threads: 1,
        augment: AugmentConfig::default(),
    }
}
