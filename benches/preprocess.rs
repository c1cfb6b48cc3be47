//! How long a frame takes to become the network's input: 1080p NV12 and BGRx to 256 x 256.
//!
//! `cargo bench -p polyp --no-default-features --bench preprocess`

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use polyp::frame::{Colorimetry, FrameView, Matrix, PixelFormat, Plane, Range, Rect, Size};
use polyp::input::{Fit, InputSpec, Normalisation};
use polyp::preprocess::Preprocessor;

const SIZE: Size = Size::new(1920, 1080);

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * 31 % 199) as u8).collect()
}

fn bench(c: &mut Criterion) {
    let spec = InputSpec { side_px: 256, fit: Fit::Squash, normalisation: Normalisation::ZScorePerImage };
    let colorimetry = Colorimetry { matrix: Matrix::Bt709, range: Range::Limited };
    for format in [PixelFormat::Nv12, PixelFormat::Yuy2, PixelFormat::Bgrx] {
        let owned: Vec<(Vec<u8>, usize)> = (0..format.planes())
            .map(|plane| {
                let (row_bytes, rows) = format.plane_extent(plane, SIZE);
                (bytes(row_bytes * rows), row_bytes)
            })
            .collect();
        let planes: Vec<Plane<'_>> =
            owned.iter().map(|(bytes, stride)| Plane { bytes, stride: *stride }).collect();
        let Ok(frame) = FrameView::new(format, SIZE, colorimetry, &planes) else { continue };
        let mut preprocessor = Preprocessor::new(spec);
        let mut out = vec![0.0; 3 * 256 * 256];
        c.bench_function(&format!("preprocess 1080p {format} to 256"), |b| {
            b.iter(|| preprocessor.run(black_box(&frame), Rect::whole(SIZE), black_box(&mut out)));
        });
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
