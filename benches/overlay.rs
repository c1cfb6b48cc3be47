//! How long painting takes: every style on a 1080p NV12 frame with one large polyp, fresh and held, and the badge; and
//! the peer that it is compared with, copying that frame once, in the same run.
//!
//! `cargo bench -p polyp --no-default-features --bench overlay`

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use polyp::frame::{Canvas, Colorimetry, Matrix, PixelFormat, PlaneMut, Range, Rect, Size};
use polyp::input::Placement;
use polyp::overlay::{Badge, STYLES, Scratch, Settings, paint_badge};
use polyp::segmentation::Segmentation;

const SIZE: Size = Size::new(1920, 1080);
const SIDE: usize = 256;
const LIMIT: Duration = Duration::from_millis(120);

/// A disc over a ninth of the input, whose edge is as soft as a trained network's, in the middle of the frame.
fn mask() -> Segmentation {
    let cell = |i: usize| {
        let (x, y) = ((i % SIDE) as f32 - 120.0, (i / SIDE) as f32 - 130.0);
        (255.0 / (1.0 + ((x.hypot(y) - 48.0) / 2.0).exp())) as u8
    };
    let source = Rect { x: 600, y: 0, width: 1240, height: 1080 };
    let target = Rect::whole(Size::new(SIDE as u32, SIDE as u32));
    Segmentation {
        probability: (0..SIDE * SIDE).map(cell).collect(),
        placement: Placement { source, target, side_px: SIDE as u32 },
        pts: Duration::ZERO,
        sequence: 0,
    }
}

fn bench(c: &mut Criterion) {
    let colorimetry = Colorimetry { matrix: Matrix::Bt709, range: Range::Limited };
    let (mut luma, mut chroma) = (vec![90_u8; SIZE.area()], vec![128_u8; SIZE.area() / 2]);
    let stride = SIZE.width as usize;
    let (settings, mask) = (Settings::default(), mask());
    let mut group = c.benchmark_group("1080p NV12");
    let mut copy = (luma.clone(), chroma.clone());
    group.bench_function("peer: copying the frame", |b| {
        b.iter(|| {
            copy.0.copy_from_slice(black_box(&luma));
            copy.1.copy_from_slice(black_box(&chroma));
            black_box(&mut copy);
        });
    });
    let planes = vec![PlaneMut { bytes: &mut luma, stride }, PlaneMut { bytes: &mut chroma, stride }];
    let Ok(mut canvas) = Canvas::new(PixelFormat::Nv12, SIZE, colorimetry, planes) else { return };
    let mut scratch = Scratch::default();
    for style in STYLES {
        for age_ms in [0, 66] {
            let Ok(shown) = mask.shown_on(Duration::from_millis(age_ms), LIMIT) else { return };
            group.bench_function(format!("{}, {age_ms} ms old", style.name()), |b| {
                b.iter(|| style.paint(black_box(&shown), &settings, &mut canvas, &mut scratch));
            });
        }
    }
    group.bench_function("badge", |b| {
        b.iter(|| paint_badge(&Badge::Held { age_ms: 33 }, &settings, &mut canvas, &mut scratch));
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
