//! How long one frame of `lite` takes: our way (OpenVINO, in the precision that it chooses, and in float32), and
//! the peer that it is compared with, ONNX Runtime in float32, in the same run.
//!
//! `cargo bench -p polyp-engine --bench infer`
#![expect(clippy::unwrap_used, reason = "a bench that can not run says why and stops")]

use criterion::{Criterion, criterion_group, criterion_main};
use polyp::model::ModelSpec;
use polyp_engine::engine::{Backend, Options, Precision};
use polyp_engine::folder::write_random;
use polyp_engine::verify::fixed_image;

fn infer(c: &mut Criterion) {
    let temp = tempfile::tempdir().unwrap();
    let folder = write_random(&temp.path().join("lite"), ModelSpec::lite(), 1).unwrap();
    let memory = folder.memory().unwrap();
    let image = fixed_image(folder.manifest().model.side_px, 0);
    let mut group = c.benchmark_group("lite, one frame");
    group.sample_size(50);
    for (backend, precision) in
        [("openvino", Precision::Auto), ("openvino", Precision::F32), ("ort", Precision::F32)]
    {
        let mut engine =
            (Backend::named(backend).unwrap().open)(&folder, &Options { precision, ..Options::default() })
                .unwrap();
        let name = format!("{backend} {}", engine.description().precision.name());
        let mut logits = Vec::new();
        group.bench_function(name, |b| {
            b.iter(|| engine.infer(&image, 1, &memory, &mut logits).unwrap());
        });
    }
    group.finish();
}

criterion_group!(benches, infer);
criterion_main!(benches);
