//! Hand-computed values, and every gradient against finite differences.

use tch::{Kind, Tensor};

use super::*;

/// Logits whose sigmoid is exactly the wanted probability.
fn logits_of(probability: &[f64], shape: &[i64]) -> Tensor {
    let logits: Vec<f64> = probability.iter().map(|p| (p / (1.0 - p)).ln()).collect();
    Tensor::from_slice(&logits).reshape(shape).to_kind(Kind::Float)
}

fn truth_of(values: &[f32], shape: &[i64]) -> Tensor {
    Tensor::from_slice(values).reshape(shape)
}

fn value(loss: &dyn Loss, logits: &Tensor, truth: &Tensor) -> f64 {
    loss.forward(logits, truth).unwrap().double_value(&[])
}

fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-5, "found {found}, expected {expected}");
}

const SHAPE: [i64; 4] = [2, 1, 2, 2];

fn example() -> (Tensor, Tensor) {
    let p = [0.5, 0.25, 0.75, 0.5, 0.9, 0.1, 0.2, 0.8];
    let g = [1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0];
    (logits_of(&p, &SHAPE), truth_of(&g, &SHAPE))
}

#[test]
fn dice_is_per_picture() {
    let (logits, truth) = example();
    // Picture 1: 2 * 1.25 / (2 + 2); picture 2: 2 * 1.0 / (2 + 2).
    close(value(&Dice, &logits, &truth), 1.0 - (0.625 + 0.5) / 2.0);
}

#[test]
fn bce_is_the_mean_surprise() {
    let (logits, truth) = example();
    let surprises = [0.5_f64, 0.75, 0.75, 0.5, 0.1, 0.9, 0.2, 0.8].map(|right| -right.ln());
    close(value(&Bce, &logits, &truth), surprises.iter().sum::<f64>() / 8.0);
}

#[test]
fn entropies_are_the_mean_of_their_terms() {
    let (logits, truth) = example();
    let p = [0.5_f64, 0.25, 0.75, 0.5, 0.9, 0.1, 0.2, 0.8];
    let released: f64 = p.iter().map(|p| -p * p.ln()).sum::<f64>() / 8.0;
    let other: f64 = p.iter().map(|p| -(1.0 - p) * (1.0 - p).ln()).sum::<f64>() / 8.0;
    close(value(&Entropy { form: EntropyForm::Released }, &logits, &truth), released);
    close(value(&Entropy { form: EntropyForm::Binary }, &logits, &truth), released + other);
}

#[test]
fn spectral_compares_fourier_magnitudes() {
    // One 2 x 2 picture; its transform is the four signed sums over 2.
    let p = [0.5, 0.25, 0.75, 0.5];
    let g = [1.0, 0.0, 1.0, 0.0];
    let spectrum = |x: [f64; 4]| {
        [
            x[0] + x[1] + x[2] + x[3],
            x[0] - x[1] + x[2] - x[3],
            x[0] + x[1] - x[2] - x[3],
            x[0] - x[1] - x[2] + x[3],
        ]
        .map(|sum| (sum / 2.0).abs())
    };
    let expected: f64 = spectrum(p).iter().zip(spectrum(g)).map(|(a, b)| (a - b).powi(2)).sum::<f64>() / 4.0;
    let shape = [1, 1, 2, 2];
    let truth = truth_of(&g.map(|x| x as f32), &shape);
    close(value(&Spectral, &logits_of(&p, &shape), &truth), expected);
}

#[test]
fn the_half_spectrum_counts_as_the_whole() {
    tch::manual_seed(3);
    for width in [5, 6] {
        let logits = Tensor::randn([2, 1, 4, width], (Kind::Float, tch::Device::Cpu));
        let truth = Tensor::rand([2, 1, 4, width], (Kind::Float, tch::Device::Cpu)).round();
        let magnitude = |x: &Tensor| x.fft_fft2(None::<&[i64]>, [-2, -1], "ortho").abs();
        let expected = (magnitude(&logits.sigmoid()) - magnitude(&truth)).square().mean(Kind::Float);
        close(value(&Spectral, &logits, &truth), expected.double_value(&[]));
    }
}

#[test]
fn seu_is_the_weighted_sum() {
    let (logits, truth) = example();
    let entropy = Entropy { form: EntropyForm::Released };
    let expected = value(&Dice, &logits, &truth)
        + 0.3 * value(&Spectral, &logits, &truth)
        + 0.1 * value(&entropy, &logits, &truth);
    close(value(&Seu { entropy: EntropyForm::Released }, &logits, &truth), expected);
    close(value(&SeuBce, &logits, &truth), expected + value(&Bce, &logits, &truth));
}

#[test]
fn gradients_agree_with_finite_differences() {
    let shape = [1, 1, 4, 4];
    tch::manual_seed(5);
    let truth = Tensor::rand(shape, (Kind::Double, tch::Device::Cpu)).round();
    for loss in LOSSES {
        let logits = Tensor::randn(shape, (Kind::Double, tch::Device::Cpu)).set_requires_grad(true);
        let at = |logits: &Tensor| loss.forward(logits, &truth).unwrap();
        at(&logits).backward();
        let gradient = logits.grad();
        for index in 0..4 {
            let step = 1e-3;
            let shifted = |by: f64| {
                let moved = logits.detach().copy();
                let _moved = moved.get(0).get(0).get(index).get(index).f_add_scalar_(by).unwrap();
                at(&moved).double_value(&[])
            };
            let expected = (shifted(step) - shifted(-step)) / (2.0 * step);
            let found = gradient.double_value(&[0, 0, index, index]);
            // The sums are taken in float32, so differences carry about 1e-4 of noise.
            assert!((found - expected).abs() < 1e-3, "{}: {found} {expected}", loss.name());
        }
    }
}

#[test]
fn a_perfect_answer_costs_nothing_and_a_wrong_one_costs_most() {
    let truth = truth_of(&[1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0], &SHAPE);
    let sure: Tensor = (&truth * 2.0 - 1.0) * 30.0;
    for name in ["dice", "bce", "seu", "seu-binary", "seu-bce", "dice-bce"] {
        let loss = loss(name).unwrap();
        let (right, wrong) = (value(loss, &sure, &truth), value(loss, &-&sure, &truth));
        assert!(right.abs() < 1e-4 && wrong > 0.9, "{name}: {right} {wrong}");
    }
}

#[test]
fn a_sum_is_made_of_its_terms() {
    let (logits, truth) = example();
    for loss in LOSSES.iter().filter(|loss| !loss.terms().is_empty()) {
        let parts = loss.terms().iter();
        assert!(parts.clone().all(|term| term.loss.terms().is_empty()), "{}: a sum of sums", loss.name());
        let expected: f64 = parts.map(|term| term.weight * value(term.loss, &logits, &truth)).sum();
        close(value(*loss, &logits, &truth), expected);
    }
    assert!(weigh(&[], &logits, &truth).is_err());
}
