//! The measures by name. Names, tables, manifests and reports come from [`MEASURES`].
//!
//! Not here: what is summed up for them ([`Sums`]).

use super::sums::Sums;

/// One figure that can be had of any set of pictures.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    /// Its name, as manifests and reports have it.
    pub name: &'static str,
    /// What one sample of it is: `image` for a mean over pictures, `lesion` for a share of lesions, `pooled` for all
    /// pixels together.
    pub per: &'static str,
    /// In few words.
    pub words: &'static str,
    /// What is good.
    pub aim: Aim,
    of: fn(&Sums) -> Option<f64>,
}

/// What is good of a measure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Aim {
    /// The higher the better.
    High,
    /// The lower the better.
    Low,
    /// The closer to this the better.
    Near(f64),
}

/// To six digits: more says nothing, and so many are read from JSON as they were written.
pub fn rounded(figure: f64) -> f64 {
    (figure * 1e6).round() / 1e6
}

impl Measure {
    /// The figure; none where nothing can be said, such as the calibration error around no lesion.
    pub fn of(&self, sums: &Sums) -> Option<f64> {
        (self.of)(sums)
    }

    /// The measure of that name and kind.
    pub fn named(name: &str, per: &str) -> Option<&'static Self> {
        MEASURES.iter().find(|measure| measure.name == name && measure.per == per)
    }

    /// Whether `one` is better than `other`; neither may be.
    pub fn better(&self, one: f64, other: f64) -> bool {
        match self.aim {
            Aim::High => one > other,
            Aim::Low => one < other,
            Aim::Near(aim) => (one - aim).abs() < (other - aim).abs(),
        }
    }
}

/// All of them, in the order in which tables have them.
pub const MEASURES: [Measure; 14] = [
    Measure {
        name: "dice",
        per: "image",
        words: "Dice, mean over pictures",
        aim: Aim::High,
        of: |sums| sums.dice.value(),
    },
    Measure {
        name: "dice",
        per: "pooled",
        words: "Dice of all pixels together",
        aim: Aim::High,
        of: |sums| (sums.pictures > 0).then(|| sums.overlap.ratios().0),
    },
    Measure {
        name: "iou",
        per: "image",
        words: "IoU, mean over pictures",
        aim: Aim::High,
        of: |sums| sums.iou.value(),
    },
    Measure {
        name: "iou",
        per: "pooled",
        words: "IoU of all pixels together",
        aim: Aim::High,
        of: |sums| (sums.pictures > 0).then(|| sums.overlap.ratios().1),
    },
    Measure {
        name: "boundary_f",
        per: "image",
        words: "boundary F within 0.75 % of the diagonal",
        aim: Aim::High,
        of: |sums| sums.boundary.value(),
    },
    Measure {
        name: "sensitivity",
        per: "lesion",
        words: "lesions with 30 % of their area in the mask",
        aim: Aim::High,
        of: |sums| sums.lesions.value(),
    },
    Measure {
        name: "false_area",
        per: "pooled",
        words: "mask away from lesions, share of that area",
        aim: Aim::Low,
        of: |sums| sums.false_area.value(),
    },
    Measure {
        name: "false_area_empty",
        per: "pooled",
        words: "the same, pictures without a lesion alone",
        aim: Aim::Low,
        of: |sums| sums.false_area_empty.value(),
    },
    Measure {
        name: "false_alarms",
        per: "image",
        words: "pictures without a lesion that have a mask",
        aim: Aim::Low,
        of: |sums| sums.false_alarms.value(),
    },
    Measure {
        name: "ece_image",
        per: "pooled",
        words: "calibration error, all pixels",
        aim: Aim::Low,
        of: |sums| sums.image.error(),
    },
    Measure {
        name: "ece_box",
        per: "pooled",
        words: "calibration error, around lesions",
        aim: Aim::Low,
        of: |sums| sums.boxed.error(),
    },
    Measure {
        name: "coverage_95",
        per: "pooled",
        words: "lesion pixels inside the fitted 0.95 contour",
        aim: Aim::Near(0.95),
        of: |sums| sums.fitted.value(),
    },
    Measure {
        name: "coverage_p05",
        per: "pooled",
        words: "lesion pixels with a probability of 0.05 or more",
        aim: Aim::Near(0.95),
        of: |sums| sums.outer.value(),
    },
    Measure {
        name: "precision_p95",
        per: "pooled",
        words: "lesion's share of pixels at 0.95 or more",
        aim: Aim::High,
        of: |sums| sums.inner.value(),
    },
];
