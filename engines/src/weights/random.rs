//! First values of a parameter: every [`Init`], from a seed and the parameter's path.
//!
//! The generator is SplitMix64 (Steele, Lea, Flood, OOPSLA 2014), written out so that a seed means the same
//! values for as long as this file stands; a crate's generator may change with its version.
//!
//! Not here: anything that needs to be unpredictable.

use std::f64::consts::TAU;

use polyp::model::{Init, Param};

use super::Array;

struct Generator(u64);

impl Generator {
    /// A stream of its own for every seed and path (FNV-1a of the path).
    fn new(seed: u64, path: &str) -> Self {
        let hash = path.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
        });
        let mut mixed = Self(seed);
        Self(hash ^ mixed.next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in `[0, 1)`.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// Uniform in `[-bound, bound)`.
    fn uniform(&mut self, bound: f64) -> f32 {
        ((2.0 * self.unit() - 1.0) * bound) as f32
    }

    /// Standard normal (Box and Muller, one of the pair).
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (TAU * self.unit()).cos()
    }
}

/// The first values of `param`.
pub(super) fn first_values(param: &Param, seed: u64) -> Array {
    let mut random = Generator::new(seed, &param.path);
    let count = param.len();
    let values = match param.init {
        Init::Constant(value) => vec![value; count],
        Init::Uniform(bound) => (0..count).map(|_| random.uniform(f64::from(bound))).collect(),
        Init::Normal(deviation) => {
            (0..count).map(|_| (random.normal() * f64::from(deviation)) as f32).collect()
        }
        Init::KaimingUniform => (0..count).map(|_| random.uniform(kaiming_bound(&param.shape))).collect(),
        Init::Icnr { factor } => icnr(&param.shape, factor, &mut random),
        Init::LogRange => {
            let last = param.shape.last().copied().unwrap_or(1).max(1);
            (0..count).map(|index| ((index % last + 1) as f64).ln() as f32).collect()
        }
        Init::StepBias => (0..count).map(|_| step_bias(random.unit())).collect(),
    };
    Array { shape: param.shape.clone(), values }
}

/// `1 / sqrt(fan_in)`, `fan_in` being all axes but the first.
fn kaiming_bound(shape: &[usize]) -> f64 {
    let fan_in: usize = shape.iter().skip(1).product();
    1.0 / (fan_in.max(1) as f64).sqrt()
}

/// The same kernel for each of the `factor * factor` output channels that one picture is woven from.
fn icnr(shape: &[usize], factor: usize, random: &mut Generator) -> Vec<f32> {
    let bound = kaiming_bound(shape);
    let kernel: usize = shape.iter().skip(1).product();
    let repeats = (factor * factor).max(1);
    let out = shape.first().copied().unwrap_or(0);
    let mut values = Vec::with_capacity(out * kernel);
    while values.len() < out * kernel {
        let one: Vec<f32> = (0..kernel).map(|_| random.uniform(bound)).collect();
        let left = out - values.len() / kernel;
        for _ in 0..repeats.min(left) {
            values.extend_from_slice(&one);
        }
    }
    values
}

/// Inverse softplus of a step drawn log-uniformly from `[1e-3, 1e-1]`, at least 1e-4.
fn step_bias(unit: f64) -> f32 {
    let (low, high) = (1e-3_f64.ln(), 1e-1_f64.ln());
    let step = (low + unit * (high - low)).exp().max(1e-4);
    (step + (-(-step).exp_m1()).ln()) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(shape: &[usize], init: Init) -> Vec<f32> {
        first_values(&Param::new("p", shape, init), 7).values
    }

    #[test]
    fn every_init_has_its_distribution() {
        assert_eq!(values(&[3], Init::Constant(1.5)), [1.5; 3]);
        let uniform = values(&[10_000], Init::Uniform(0.5));
        assert!(uniform.iter().all(|v| v.abs() <= 0.5) && uniform.iter().any(|v| v.abs() > 0.49));
        let normal = values(&[100, 100], Init::Normal(2.0));
        let mean = normal.iter().sum::<f32>() / 1e4;
        let variance = normal.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / 1e4;
        assert!(mean.abs() < 0.06 && (variance - 4.0).abs() < 0.2, "{mean} {variance}");
        let kaiming = values(&[50, 4, 5, 5], Init::KaimingUniform);
        assert!(kaiming.iter().all(|v| v.abs() <= 0.1) && kaiming.iter().any(|v| v.abs() > 0.099));
        let log = values(&[2, 3], Init::LogRange);
        assert_eq!(log, [0.0, 2_f32.ln(), 3_f32.ln(), 0.0, 2_f32.ln(), 3_f32.ln()]);
    }

    #[test]
    fn sub_pixels_start_alike() {
        let kernels = values(&[8, 3, 1, 1], Init::Icnr { factor: 2 });
        assert_eq!(kernels[0..3], kernels[9..12]);
        assert_eq!(kernels[12..15], kernels[21..24]);
        assert_ne!(kernels[0..3], kernels[12..15]);
    }

    #[test]
    fn step_biases_are_steps_before_the_softplus() {
        for bias in values(&[1000], Init::StepBias) {
            let step = f64::from(bias).exp().ln_1p();
            assert!((0.000_999..0.1001).contains(&step), "{step}");
        }
    }

    #[test]
    fn a_seed_and_a_path_decide() {
        let at = |path: &str, seed| first_values(&Param::new(path, &[4], Init::Normal(1.0)), seed).values;
        assert_eq!(at("a", 1), at("a", 1));
        assert_ne!(at("a", 1), at("b", 1));
        assert_ne!(at("a", 1), at("a", 2));
        assert_eq!(at("golden", 1)[0].to_bits(), GOLDEN, "{:#x}", at("golden", 1)[0].to_bits());
    }

    /// A seed's meaning must not change unseen.
    const GOLDEN: u32 = 0xbf61_d4f3;
}
