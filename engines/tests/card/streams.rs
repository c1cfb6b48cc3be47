//! Several streams at one card: a worker in front of it, frames run together, everybody gets his own mask.

use std::sync::Arc;
use std::time::{Duration, Instant};

use polyp::decode::Decoder;
use polyp_engine::engine::Engine;
use polyp_engine::memory::PromptMemory;
use polyp_engine::worker::{Input, Job, Worker};

use crate::{Still, card, folder};

const LONG: Duration = Duration::from_secs(60);

/// A worker whose engine is made in its own thread, as a real card's has to be.
fn start(largest: usize, memory: Arc<PromptMemory>) -> Worker {
    let decoder = Decoder::new(folder().manifest().temperature).unwrap();
    let open = move || card(&folder(), largest).1.map(|engine| Box::new(engine) as Box<dyn Engine>);
    Worker::start(open, memory, decoder, LONG).unwrap()
}

fn job(worker: &Worker, still: &Still, sequence: u64, urgency: Duration) -> Job {
    let frame = still.copied(&worker.frame_ring().unwrap(), folder().manifest().input);
    Job {
        sequence,
        pts: Duration::from_millis(40 * sequence),
        generation: 3,
        placement: frame.placement(),
        input: Input::Frame(frame),
        submitted: Instant::now(),
        deadline: Instant::now() + urgency,
    }
}

/// The mask of a frame that is handed over alone.
fn mask(worker: &Worker, still: &Still, sequence: u64) -> Vec<u8> {
    worker.offer(job(worker, still, sequence, LONG)).unwrap();
    let reply = worker.reply_until(sequence, Instant::now() + LONG).unwrap();
    assert_eq!((reply.generation, reply.pts), (3, Duration::from_millis(40 * sequence)));
    let segmentation = reply.outcome.unwrap();
    assert_eq!((segmentation.sequence, segmentation.placement.side_px), (sequence, 256));
    segmentation.probability.clone()
}

#[test]
fn four_streams_get_their_own_masks_from_shared_batches() {
    let memory = Arc::new(folder().memory().unwrap());
    let first = start(4, Arc::clone(&memory));
    let stills: Vec<Still> = (0..4).map(Still::fixture).collect();
    let alone: Vec<Vec<u8>> =
        stills.iter().enumerate().map(|(index, still)| mask(&first, still, index as u64)).collect();
    // A prompt that is the same without being one.
    let mut streams: Vec<Worker> =
        (1..4).map(|_| first.another_stream(Arc::new((*memory).clone()))).collect();
    streams.insert(0, first);
    for round in 10..13 {
        for (worker, still) in streams.iter().zip(&stills) {
            worker.offer(job(worker, still, round, LONG)).unwrap();
        }
        for (index, worker) in streams.iter().enumerate() {
            let reply = worker.reply_until(round, Instant::now() + LONG).unwrap();
            let found = &reply.outcome.unwrap().probability;
            let far = found.iter().zip(&alone[index]).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
            assert!(far <= 1, "stream {index}, round {round}: {far}");
        }
    }
    let answered: Vec<u64> = streams.iter().map(|worker| worker.stats().answered).collect();
    assert_eq!(answered, [7, 3, 3, 3]);
    // The engine stays as long as one stream does.
    let last = streams.pop().unwrap();
    drop(streams);
    assert!(mask(&last, &stills[0], 20) == alone[0]);
}

#[test]
fn frames_of_two_prompts_are_not_run_together() {
    let memory = Arc::new(folder().memory().unwrap());
    let mut other = (*memory).clone();
    for (_, array) in &mut other.tensors {
        array.values.iter_mut().for_each(|value| *value *= -0.5);
    }
    let one = start(2, Arc::clone(&memory));
    let two = one.another_stream(Arc::new(other));
    let still = Still::fixture(0);
    let [of_one, of_two] = [&one, &two].map(|worker| mask(worker, &still, 0));
    assert!(of_one != of_two);
    for round in 1..4 {
        one.offer(job(&one, &still, round, LONG)).unwrap();
        two.offer(job(&two, &still, round, LONG / 2)).unwrap();
        for (worker, expected) in [(&one, &of_one), (&two, &of_two)] {
            let found = worker.reply_until(round, Instant::now() + LONG).unwrap().outcome.unwrap();
            assert!(found.probability == *expected, "round {round}");
        }
    }
    // A prompt takes effect with the next frame.
    two.set_memory(memory);
    assert!(mask(&two, &still, 9) == of_one);
}
