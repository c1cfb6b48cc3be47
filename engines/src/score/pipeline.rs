//! A folder's score: pictures are read and prepared on one thread, run on this one, judged on a third, with
//! bounded queues between them.

use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};
use polyp::decode::Decoder;
use polyp::input::{InputSpec, Placement};
use polyp::metric::{Rules, Score};

use super::{Pair, Picture, Prepare, Scorer};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::memory::PromptMemory;

/// Pictures between two threads.
const QUEUE: usize = 2;

/// A picture with its input.
struct Ready {
    picture: Picture,
    image: Vec<f32>,
    placement: Placement,
}

/// A picture with its logits.
struct Judged {
    picture: Picture,
    logits: Vec<f32>,
    placement: Placement,
}

/// Scores `engine` on `pairs`, in their order; `decoder` makes probabilities of its logits. `done` is called after each picture with its number, from 1.
///
/// # Errors
/// The first picture's that can not be read, prepared, run or compared.
pub fn score(
    engine: &mut dyn Engine,
    memory: &PromptMemory,
    input: InputSpec,
    (decoder, rules): (Decoder, Rules),
    pairs: &[Pair],
    mut done: impl FnMut(usize),
) -> Result<Score, EngineError> {
    let scorer = Scorer::new(decoder, rules);
    thread::scope(|scope| {
        let (ready_to, ready) = bounded(QUEUE);
        let (judge_to, judged) = bounded(QUEUE);
        let (image_back, images) = bounded(QUEUE + 2);
        let (logits_back, spare_logits) = bounded(QUEUE + 2);
        scope.spawn(move || prepare(pairs, input, &ready_to, &images));
        let judge = scope.spawn(move || judge(scorer, &judged, &logits_back));
        let mut failed = None;
        for (index, next) in ready.iter().enumerate() {
            let result: Result<Ready, EngineError> = next;
            let run = result.and_then(|ready| {
                let mut logits: Vec<f32> = spare_logits.try_recv().unwrap_or_default();
                engine.infer(&ready.image, 1, memory, &mut logits)?;
                // Nobody takes it back once everything is prepared.
                drop(image_back.try_send(ready.image));
                Ok(Judged { picture: ready.picture, logits, placement: ready.placement })
            });
            match run {
                Ok(next) => {
                    // The judge is gone only when it failed, and says so itself.
                    if judge_to.send(next).is_err() {
                        break;
                    }
                    done(index + 1);
                }
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        drop((ready, judge_to));
        let judged = judge.join().unwrap_or_else(|_panic| {
            Err(EngineError::Worker { message: "the judging thread panicked".to_owned() })
        });
        match failed {
            Some(error) => Err(error),
            None => judged,
        }
    })
}

/// Reads and prepares in order, until all is done, something fails or nobody listens.
fn prepare(
    pairs: &[Pair],
    input: InputSpec,
    ready_to: &Sender<Result<Ready, EngineError>>,
    images: &Receiver<Vec<f32>>,
) {
    let mut prepare = Prepare::new(input);
    for pair in pairs {
        let ready = pair.read().and_then(|picture| {
            let mut image = images.try_recv().unwrap_or_default();
            let placement = prepare.run(&picture.rgb, picture.size, &mut image)?;
            Ok(Ready { picture, image, placement })
        });
        let failed = ready.is_err();
        if ready_to.send(ready).is_err() || failed {
            return;
        }
    }
}

fn judge(
    mut scorer: Scorer,
    judged: &Receiver<Judged>,
    logits_back: &Sender<Vec<f32>>,
) -> Result<Score, EngineError> {
    for Judged { picture, logits, placement } in judged {
        scorer.add(&logits, placement, &picture.truth, picture.size)?;
        drop(logits_back.try_send(logits));
    }
    Ok(scorer.finish())
}
