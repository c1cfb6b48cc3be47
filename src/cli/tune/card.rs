//! Engines that may be chosen, by what their folders' manifests say of them.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cli::failure::Failure;

/// An engine, by its folder's manifest.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Card {
    pub(super) folder: PathBuf,
    pub(super) name: String,
    pub(super) side_px: u64,
    /// Dice per image on each data set and split that it was judged on, those of tests first.
    pub(super) judged: Vec<(f64, String)>,
    /// That on the one that engines are compared by; and which that is.
    pub(super) dice: Option<(f64, String)>,
    /// What its network in 8-bit integers lost of its Dice on validation, if it has one.
    pub(super) int8_loss: Option<f64>,
}

impl Card {
    /// The engine in `folder`, and those in the folders beside it.
    pub(super) fn beside(folder: &Path) -> Result<Vec<Self>, Failure> {
        let own = Self::read(folder)?;
        let mut cards = vec![own];
        let beside = folder.parent().and_then(|parent| std::fs::read_dir(parent).ok());
        let mut others: Vec<PathBuf> =
            beside.into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        others.sort();
        // What can not be read is no engine; only the one that was named has to be.
        let others = others.iter().filter(|other| other.canonicalize().ok() != folder.canonicalize().ok());
        cards.extend(others.filter_map(|other| Self::read(other).ok()));
        compare(&mut cards);
        Ok(cards)
    }

    fn read(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join("manifest.json");
        let failed = |what: String| Failure::Stream(format!("{}: {what}", path.display()));
        let text = std::fs::read_to_string(&path).map_err(|cause| failed(cause.to_string()))?;
        let manifest: Value = serde_json::from_str(&text).map_err(|cause| failed(cause.to_string()))?;
        let field = |what: &str| failed(format!("expected {what}, found none"));
        let name = manifest.get("name").and_then(Value::as_str).ok_or_else(|| field("a name"))?;
        let side = manifest.pointer("/input/side_px").and_then(Value::as_u64);
        Ok(Self {
            folder: folder.to_owned(),
            name: name.to_owned(),
            side_px: side.ok_or_else(|| field("input.side_px"))?,
            judged: judged(&manifest),
            dice: None,
            int8_loss: int8_loss(&manifest),
        })
    }

    fn on(&self, set: &str) -> Option<(f64, String)> {
        self.judged.iter().find(|(_, judged)| judged == set).cloned()
    }
}

/// Figures of different pictures say nothing of each other: engines are compared by the first set that all were judged on that were judged
/// at all, else by the first that the first of those was judged on, and what was not judged on it is not known.
fn compare(cards: &mut [Card]) {
    let Some(own) = cards.iter().find(|card| !card.judged.is_empty()) else { return };
    let all = |set: &str| cards.iter().all(|card| card.judged.is_empty() || card.on(set).is_some());
    let sets = || own.judged.iter().map(|(_, set)| set);
    let Some(set) = sets().find(|set| all(set)).or_else(|| sets().next()).cloned() else { return };
    for card in cards {
        card.dice = card.on(&set);
    }
}

fn judged(manifest: &Value) -> Vec<(f64, String)> {
    let metrics = manifest.get("metrics").and_then(Value::as_array);
    let mut judged: Vec<(f64, String)> = metrics
        .into_iter()
        .flatten()
        .filter_map(|metric| {
            let of = |key: &str| metric.get(key).and_then(Value::as_str);
            let is_dice = (of("measure")?, of("per")?) == ("dice", "image");
            is_dice
                .then_some((metric.get("value")?.as_f64()?, format!("{}, {}", of("data_set")?, of("split")?)))
        })
        .collect();
    judged.sort_by_key(|(_, set)| !set.ends_with(", test"));
    judged
}

fn int8_loss(manifest: &Value) -> Option<f64> {
    let of = |name: &str| manifest.pointer(&format!("/int8/{name}"))?.as_f64();
    Some(of("dice_f32")? - of("dice_int8")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engines_card_is_read_from_its_manifest() {
        let store = Path::new(env!("CARGO_MANIFEST_DIR")).join("engines/store/lite");
        let cards = Card::beside(&store).unwrap();
        let card = cards.first().unwrap();
        assert_eq!((card.name.as_str(), card.side_px), ("lite", 256));
        let (dice, set) = card.dice.as_ref().unwrap();
        assert!(*dice > 0.5 && *dice < 1.0 && set.ends_with(", test"), "{card:?}");
        let error = Card::beside(Path::new("nowhere")).unwrap_err().to_string();
        assert!(error.starts_with("nowhere/manifest.json: "), "{error}");
    }

    #[test]
    fn engines_are_compared_on_the_same_pictures_alone() {
        let card = |name: &str, judged: &[(f64, &str)]| Card {
            folder: PathBuf::from(name),
            name: name.to_owned(),
            side_px: 256,
            judged: judged.iter().map(|(dice, set)| (*dice, (*set).to_owned())).collect(),
            dice: None,
            int8_loss: None,
        };
        let dice = |others: &[Card]| -> Vec<Option<f64>> {
            let own = card("own", &[(0.85, "A, test"), (0.91, "B, validation")]);
            let mut cards = [&[own], others].concat();
            compare(&mut cards);
            cards.iter().map(|card| card.dice.as_ref().map(|(dice, _)| *dice)).collect()
        };
        assert_eq!(dice(&[]), [Some(0.85)]);
        assert_eq!(dice(&[card("b", &[(0.9, "B, validation")])]), [Some(0.91), Some(0.9)]);
        assert_eq!(dice(&[card("random", &[])]), [Some(0.85), None]);
        assert_eq!(dice(&[card("c", &[(0.99, "C, test")])]), [Some(0.85), None]);
        let mut cards = [card("random", &[]), card("c", &[(0.99, "C, test")])];
        compare(&mut cards);
        assert_eq!(cards.map(|card| card.dice), [None, Some((0.99, "C, test".to_owned()))]);
    }
}
