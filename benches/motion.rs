//! How long it takes to follow the picture: a 1080p NV12 frame to a small luma plane, the motion between two of them, and
//! moving a mask of 256 by 256 cells.
//!
//! `cargo bench -p polyp --no-default-features --bench motion`

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use polyp::frame::{Colorimetry, FrameView, Matrix, PixelFormat, Plane, Range, Rect, Size};
use polyp::input::Placement;
use polyp::motion::{Affine, Luma, Meter, Motion};
use polyp::segmentation::Segmentation;

const SIZE: Size = Size::new(1920, 1080);
const SIDE: usize = 256;
/// The whole frame, and the endoscope's picture in it.
const REGIONS: [(&str, Rect); 2] =
    [("whole", Rect::whole(SIZE)), ("region", Rect { x: 600, y: 0, width: 1240, height: 1080 })];

/// Luma without a period, moved by so many pixels.
fn luma(dx: f32, dy: f32) -> Vec<u8> {
    let value = |at: usize| {
        let (x, y) = ((at % 1920) as f32 - dx, (at / 1920) as f32 - dy);
        let wave = |fx: f32, fy: f32| (x * fx + y * fy).sin();
        let coarse = wave(0.007, 0.004) + wave(-0.004, 0.009);
        (120.0 + 26.0 * coarse + 14.0 * (wave(0.037, 0.024) + wave(-0.028, 0.042) + wave(0.05, -0.016))) as u8
    };
    (0..SIZE.area()).map(value).collect()
}

fn bench(c: &mut Criterion) {
    let colorimetry = Colorimetry { matrix: Matrix::Bt709, range: Range::Limited };
    let stride = SIZE.width as usize;
    let frames = [luma(0.0, 0.0), luma(14.3, -8.6)];
    let chroma = vec![128; SIZE.area() / 2];
    let views: Vec<FrameView<'_>> = frames
        .iter()
        .filter_map(|luma| {
            let planes = [Plane { bytes: luma, stride }, Plane { bytes: &chroma, stride }];
            FrameView::new(PixelFormat::Nv12, SIZE, colorimetry, &planes).ok()
        })
        .collect();
    let [before, after] = views.as_slice() else { return };
    for (name, source) in REGIONS {
        let (mut then, mut now, mut meter) = (Luma::default(), Luma::default(), Meter::default());
        if then.read(before, source).is_err() {
            return;
        }
        c.bench_function(&format!("1080p NV12 to a small plane, {name}"), |b| {
            b.iter(|| now.read(black_box(after), source));
        });
        c.bench_function(&format!("motion of a pair of planes, {name}"), |b| {
            b.iter(|| meter.measure(black_box(&then), black_box(&now)));
        });
    }
    let cell = |i: usize| {
        let (x, y) = ((i % SIDE) as f32 - 120.0, (i / SIDE) as f32 - 130.0);
        (255.0 / (1.0 + ((x.hypot(y) - 48.0) / 2.0).exp())) as u8
    };
    let target = Rect::whole(Size::new(SIDE as u32, SIDE as u32));
    let [_, (_, source)] = REGIONS;
    let mask = Segmentation {
        probability: (0..SIDE * SIDE).map(cell).collect(),
        placement: Placement { source, target, side_px: SIDE as u32 },
        pts: Duration::ZERO,
        sequence: 0,
    };
    let map = Affine { matrix: [[1.01, -0.02], [0.02, 1.01]], offset: [14.3, -8.6] };
    let motion = Motion { from: Duration::ZERO, to: Duration::from_millis(33), map, quality: 1.0 };
    let mut memory = Some(Vec::new());
    c.bench_function("moving a mask of 256 x 256", |b| {
        b.iter(|| {
            let moved = black_box(&mask).moved(&motion, memory.take());
            memory = moved.ok().map(|moved| moved.into_probability());
        });
    });
}

criterion_group!(benches, bench);
criterion_main!(benches);
