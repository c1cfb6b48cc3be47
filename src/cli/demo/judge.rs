//! How well the shown masks agree with the truth of the frames that they were shown on.

use polyp::clip::Clip;
use polyp::metric::{self, to_picture};
use polyp::segmentation::Segmentation;

use crate::cli::failure::Failure;
use crate::cli::reading::Reading;

/// Every so many frames one is judged: comparing each pixel of each frame would take longer than playing.
const EVERY: u64 = 3;
const THREADS: usize = 2;

/// Whether frame `index` is judged.
pub(super) fn is_judged(index: u64) -> bool {
    index.is_multiple_of(EVERY)
}

/// One still's frames, judged.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Judgement {
    /// Frames that were judged.
    pub(super) frames: usize,
    /// Those that showed a mask.
    pub(super) shown: usize,
    /// Mean over those of the Dice of the mask with the truth of the frame that showed it.
    pub(super) dice: f64,
    /// Mean over those of the Dice of the mask with the truth of its own frame: what the network alone would have.
    pub(super) own_dice: f64,
}

/// Judges the readings; one judgement for each still of the clip.
pub(super) fn judge(clip: &Clip, readings: &[Reading]) -> Result<Vec<Judgement>, Failure> {
    let share = readings.len().div_ceil(THREADS).max(1);
    let parts: Vec<Result<Vec<_>, Failure>> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            readings.chunks(share).map(|part| scope.spawn(move || compare_all(clip, part))).collect();
        let joined = threads.into_iter().map(|thread| {
            thread
                .join()
                .unwrap_or_else(|_panic| Err(Failure::Stream("a judging thread panicked".to_owned())))
        });
        joined.collect()
    });
    let mut judged = vec![Judgement::default(); clip.pictures()];
    for (still, dice) in parts.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten() {
        let Some(judgement) = judged.get_mut(still) else { continue };
        judgement.frames += 1;
        if let Some((shown, own)) = dice {
            judgement.shown += 1;
            judgement.dice += shown;
            judgement.own_dice += own;
        }
    }
    for judgement in &mut judged {
        judgement.dice /= judgement.shown.max(1) as f64;
        judgement.own_dice /= judgement.shown.max(1) as f64;
    }
    Ok(judged)
}

/// A frame's still, and its Dice (shown and own); none where no mask was shown.
type Compared = (usize, Option<(f64, f64)>);

fn compare_all(clip: &Clip, readings: &[Reading]) -> Result<Vec<Compared>, Failure> {
    let compared = readings.iter().map(|reading| {
        let still = clip.picture_of(reading.sequence);
        let Some((own, shown)) = reading.mask.as_ref().map(|(mask, _)| mask).zip(reading.shown()) else {
            return Ok((still, None));
        };
        let dice = |mask: &Segmentation, index: u64| {
            metric::dice(&to_picture(mask, clip.size()), &clip.truth(index), clip.size())
                .map_err(|error| Failure::Stream(format!("frame {index} can not be judged: {error}")))
        };
        Ok((still, Some((dice(&shown, reading.sequence)?, dice(own, own.sequence)?))))
    });
    compared.collect()
}

impl Judgement {
    /// The judgements as a table, with the mean over all frames that showed a mask in its last line.
    pub(super) fn table(clip: &Clip, judged: &[Self]) -> String {
        let mut text = format!(
            "{:<27}{:<28}{:>7}{:>11}{:>12}{:>11}\n",
            "still", "what", "judged", "with mask", "Dice shown", "Dice own"
        );
        for (still, judgement) in judged.iter().enumerate() {
            let (name, note) = clip.words(still).unwrap_or_default();
            text += &judgement.line(name, note);
        }
        let sum = |pick: fn(&Self) -> usize| judged.iter().map(pick).sum::<usize>();
        let (frames, shown) = (sum(|j| j.frames), sum(|j| j.shown));
        let mean = |pick: fn(&Self) -> f64| {
            judged.iter().map(|j| pick(j) * j.shown as f64).sum::<f64>() / shown.max(1) as f64
        };
        let all = Self { frames, shown, dice: mean(|j| j.dice), own_dice: mean(|j| j.own_dice) };
        text += &all.line("all", "");
        text + "Dice per frame at probability 0.5 and the frame's size, mean over judged frames with a mask. \
                shown: with the truth of\nthe frame that showed the mask; own: with the truth of the frame that the mask \
                was made from.\n"
    }

    fn line(&self, name: &str, note: &str) -> String {
        let Self { frames, shown, dice, own_dice } = self;
        let note: String = note.chars().take(27).collect();
        if *shown == 0 {
            return format!("{name:<27}{note:<28}{frames:>7}{shown:>11}{:>12}{:>11}\n", "-", "-");
        }
        format!("{name:<27}{note:<28}{frames:>7}{shown:>11}{dice:>12.3}{own_dice:>11.3}\n")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use polyp::clip::Picture;
    use polyp::config::Framerate;
    use polyp::frame::{Rect, Size};
    use polyp::input::Placement;

    use super::*;
    use crate::cli::reading::STAGES;

    const SIZE: Size = Size::new(320, 180);

    fn clip() -> Clip {
        let size = Size::new(64, 64);
        let mask = (0..size.area()).map(|i| if (20..44).contains(&(i % 64)) { 255 } else { 0 }).collect();
        let picture = Picture {
            name: "bar".to_owned(),
            note: String::new(),
            native: size,
            size,
            rgb: vec![90; size.area() * 3],
            mask,
        };
        Clip::new(&[picture], SIZE, Framerate { numerator: 30, denominator: 1 }, 30).unwrap()
    }

    /// A reading of frame `sequence` whose mask is the truth of frame `of`.
    fn reading(clip: &Clip, sequence: u64, of: Option<u64>) -> Reading {
        let mask = of.map(|of| {
            let truth = clip.truth(of);
            // A grid as large as the frame is wide, with the frame in its upper part.
            let side = SIZE.width;
            let mut probability = vec![0; side as usize * side as usize];
            for (cell, truth) in probability.iter_mut().zip(&truth) {
                *cell = if *truth { 255 } else { 0 };
            }
            let whole = Rect::whole(SIZE);
            let placement = Placement { source: whole, target: whole, side_px: side };
            (Segmentation { probability, placement, pts: Duration::ZERO, sequence: of }, Duration::ZERO)
        });
        Reading { badge: "live".to_owned(), sequence, mask, motion: None, stages: [None; STAGES.len()] }
    }

    #[test]
    fn a_true_mask_is_right_and_an_old_one_less() {
        let clip = clip();
        let of = |of| judge(&clip, &[reading(&clip, 24, of)]).unwrap()[0];
        let fresh = of(Some(24));
        assert!(fresh.dice > 0.999 && fresh.own_dice > 0.999, "{fresh:?}");
        let old = of(Some(0));
        assert!(old.own_dice > 0.999 && old.dice < fresh.dice, "{old:?}");
        assert_eq!(of(None), Judgement { frames: 1, ..Judgement::default() });
    }

    #[test]
    fn the_last_line_is_the_mean_over_frames_with_a_mask() {
        let clip = clip();
        let readings: Vec<_> = [Some(0), None, Some(6)].map(|of| reading(&clip, of.unwrap_or(3), of)).into();
        let judged = judge(&clip, &readings).unwrap();
        let table = Judgement::table(&clip, &judged);
        let all = table.lines().find(|line| line.starts_with("all")).unwrap();
        let words: Vec<&str> = all.split_whitespace().collect();
        assert_eq!(words, ["all", "3", "2", "1.000", "1.000"], "{table}");
    }
}
