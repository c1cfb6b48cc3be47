//! Engines that misbehave, and a worker that does not.

use polyp::frame::{Rect, Size};
use polyp::input::Placement;

use super::*;
use crate::engine::Precision;

mod streams;

const SIDE: usize = 4;
/// What no call that is told not to wait may take, even on a busy machine; an engine that hangs does so for
/// five times as long.
const AT_ONCE: Duration = Duration::from_secs(2);
const HANG: Duration = Duration::from_secs(10);
const LONG: Duration = Duration::from_secs(20);

/// An engine whose behaviour is a function of the image's first value; warm-up pictures are 0.
struct Fake {
    description: Description,
    answer: fn(f32) -> Result<f32, EngineError>,
}

impl Engine for Fake {
    fn description(&self) -> &Description {
        &self.description
    }

    fn infer(
        &mut self,
        images: &[f32],
        batch: usize,
        memory: &PromptMemory,
        logits: &mut Vec<f32>,
    ) -> Result<(), EngineError> {
        assert_eq!(batch, 1);
        let logit = (self.answer)(images[0])?;
        logits.clear();
        // A prompt of its own shifts the answer, so that a change of prompt can be seen.
        logits.resize(SIDE * SIDE, logit + memory.prompt.len() as f32);
        Ok(())
    }
}

fn start(answer: fn(f32) -> Result<f32, EngineError>) -> Result<Worker, EngineError> {
    start_within(answer, LONG)
}

fn start_within(answer: fn(f32) -> Result<f32, EngineError>, limit: Duration) -> Result<Worker, EngineError> {
    let open = move || {
        let description = Description {
            backend: "fake",
            library: "none".to_owned(),
            precision: Precision::F32,
            threads: 1,
            model: "fake".to_owned(),
            side_px: SIDE,
        };
        Ok(Box::new(Fake { description, answer }) as Box<dyn Engine>)
    };
    Worker::start(open, memory(""), Decoder::new(1.0).unwrap(), limit)
}

fn memory(prompt: &str) -> Arc<PromptMemory> {
    let [encoder_sha256, engine_sha256] = [String::new(), String::new()];
    Arc::new(PromptMemory { prompt: prompt.to_owned(), encoder_sha256, engine_sha256, tensors: Vec::new() })
}

fn job(sequence: u64, value: f32) -> Job {
    let whole = Rect::whole(Size::new(SIDE as u32, SIDE as u32));
    Job {
        sequence,
        pts: Duration::from_millis(40 * sequence),
        generation: 7,
        input: Input::Image(vec![value; 3 * SIDE * SIDE]),
        placement: Placement { source: whole, target: whole, side_px: SIDE as u32 },
        submitted: Instant::now(),
        deadline: soon(),
    }
}

fn within<T>(limit: Duration, what: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let result = what();
    assert!(begun.elapsed() < limit, "{:?} of {limit:?}", begun.elapsed());
    result
}

fn soon() -> Instant {
    Instant::now() + LONG
}

#[test]
fn a_frame_comes_back_as_its_own_segmentation() {
    let worker = start(Ok).unwrap();
    worker.offer(job(3, 20.0)).unwrap();
    let reply = worker.reply_until(3, soon()).unwrap();
    let segmentation = reply.outcome.unwrap();
    assert_eq!((reply.sequence, reply.generation, segmentation.sequence), (3, 7, 3));
    assert_eq!((reply.pts, segmentation.pts), (Duration::from_millis(120), Duration::from_millis(120)));
    assert_eq!(segmentation.probability, [255; SIDE * SIDE]);
    assert_eq!(
        reply.input.map(|input| matches!(input, Input::Image(image) if image.len() == 3 * SIDE * SIDE)),
        Some(true)
    );
    assert_eq!(worker.stats(), Stats { offered: 1, answered: 1, ..Stats::default() });
    assert_eq!(worker.description().side_px, SIDE);
}

#[test]
fn segmentations_that_are_still_held_are_not_written_over() {
    let worker = start(Ok).unwrap();
    let mut held = Vec::new();
    for sequence in 0..20 {
        let value = if sequence % 2 == 0 { 20.0 } else { -20.0 };
        worker.offer(job(sequence, value)).unwrap();
        let segmentation = worker.reply_until(sequence, soon()).unwrap().outcome.unwrap();
        held.push((sequence, value > 0.0, Arc::clone(&segmentation)));
    }
    for (sequence, polyp, segmentation) in held {
        assert_eq!((segmentation.sequence, segmentation.probability[0] > 127), (sequence, polyp));
    }
}

#[test]
fn memory_of_segmentations_that_nobody_holds_is_used_again() {
    let worker = start(Ok).unwrap();
    let mut places = Vec::new();
    for sequence in 0..4 {
        worker.offer(job(sequence, 1.0)).unwrap();
        let segmentation = worker.reply_until(sequence, soon()).unwrap().outcome.unwrap();
        places.push(segmentation.probability.as_ptr() as usize);
    }
    assert_eq!(places.iter().collect::<std::collections::BTreeSet<_>>().len(), 1, "{places:?}");
}

fn slow(value: f32) -> Result<f32, EngineError> {
    if value != 0.0 {
        std::thread::sleep(Duration::from_millis(300));
    }
    Ok(value)
}

#[test]
fn a_slow_engine_holds_up_nobody_past_the_deadline() {
    let worker = start(slow).unwrap();
    within(AT_ONCE, || worker.offer(job(0, 1.0))).unwrap();
    let late = Instant::now() + Duration::from_millis(20);
    assert!(within(AT_ONCE, || worker.reply_until(0, late)).is_none());
    // The late reply is not taken for the next frame's, and its memory is not lost.
    worker.offer(job(1, 1.0)).unwrap();
    assert_eq!(worker.reply_until(1, soon()).map(|reply| reply.sequence), Some(1));
    assert_eq!(worker.stats().stale, 1);
    assert!(worker.spare().is_some());
}

#[test]
fn only_the_newest_waiting_job_is_kept() {
    let worker = start(slow).unwrap();
    worker.offer(job(0, 1.0)).unwrap();
    while worker.busy_for().is_none() {
        std::thread::yield_now();
    }
    for sequence in 1..=5 {
        within(AT_ONCE, || worker.offer(job(sequence, 1.0))).unwrap();
    }
    assert_eq!(worker.reply_until(5, soon()).map(|reply| reply.sequence), Some(5));
    assert_eq!(worker.stats(), Stats { offered: 6, replaced: 4, answered: 2, failed: 0, stale: 1 });
}

#[test]
fn the_newest_reply_is_looked_at_without_waiting() {
    let worker = start(Ok).unwrap();
    assert!(within(AT_ONCE, || worker.newest()).is_none());
    for sequence in 0..3 {
        worker.offer(job(sequence, 1.0)).unwrap();
        while worker.stats().answered <= sequence {
            std::thread::yield_now();
        }
    }
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(worker.newest().map(|reply| reply.sequence), Some(2));
    assert!(worker.newest().is_none());
    assert_eq!(worker.stats().stale, 2);
}

#[test]
fn replies_that_nobody_fetches_do_not_pile_up() {
    let worker = start(Ok).unwrap();
    for sequence in 0..50 {
        worker.offer(job(sequence, 1.0)).unwrap();
        while worker.stats().answered <= sequence {
            std::thread::yield_now();
        }
    }
    assert!(worker.client.replies.len() <= KEPT_REPLIES);
    assert!(worker.newest().is_some_and(|reply| reply.sequence >= 48));
}

fn hanging(value: f32) -> Result<f32, EngineError> {
    if value == 1.0 {
        std::thread::sleep(HANG);
    }
    Ok(value)
}

#[test]
fn a_hanging_engine_holds_up_nobody() {
    let worker = start(hanging).unwrap();
    for sequence in 0..4 {
        within(AT_ONCE, || worker.offer(job(sequence, 1.0))).unwrap();
        let deadline = Instant::now() + Duration::from_millis(30);
        assert!(within(AT_ONCE, || worker.reply_until(sequence, deadline)).is_none());
        assert!(within(AT_ONCE, || worker.newest()).is_none());
    }
    // Behind an engine that is taken for stuck, even a distant deadline is not waited for.
    std::thread::sleep(STALL_LIMIT);
    assert!(within(AT_ONCE, || worker.reply_until(3, soon())).is_none());
    assert!(worker.busy_for().is_some_and(|busy| busy >= STALL_LIMIT));
    within(STOP_LIMIT + AT_ONCE, || drop(worker));
}

#[test]
fn an_engine_that_takes_too_long_to_start_is_given_up() {
    fn never(_: f32) -> Result<f32, EngineError> {
        std::thread::sleep(HANG);
        Ok(0.0)
    }
    let limit = Duration::from_millis(50);
    let error = within(limit + AT_ONCE, || start_within(never, limit)).err().unwrap();
    assert_eq!(error.to_string(), "engine: not ready after 50ms");
}

fn failing(value: f32) -> Result<f32, EngineError> {
    if value == 1.0 {
        return Err(EngineError::Backend { backend: "fake", step: "running", message: "no".to_owned() });
    }
    Ok(value)
}

fn not_a_number(value: f32) -> Result<f32, EngineError> {
    Ok(if value == 1.0 { f32::NAN } else { value })
}

fn panicking(value: f32) -> Result<f32, EngineError> {
    assert!(value != 1.0, "on purpose");
    Ok(value)
}

#[test]
fn a_bad_frame_is_an_error_and_the_next_one_is_not() {
    type Case = (fn(f32) -> Result<f32, EngineError>, &'static str);
    let cases: [Case; 3] = [
        (failing, "backend fake, running: no"),
        (not_a_number, "logit 0: expected a finite number, found NaN"),
        (panicking, "engine: panicked while running: on purpose"),
    ];
    for (answer, message) in cases {
        let worker = start(answer).unwrap();
        worker.offer(job(0, 1.0)).unwrap();
        let error = worker.reply_until(0, soon()).unwrap().outcome.unwrap_err();
        assert_eq!(error.to_string(), message);
        worker.offer(job(1, 2.0)).unwrap();
        assert!(worker.reply_until(1, soon()).unwrap().outcome.is_ok(), "{message}");
        assert_eq!((worker.stats().failed, worker.stats().answered), (1, 1), "{message}");
    }
}

#[test]
fn an_engine_that_is_broken_from_the_start_does_not_start() {
    fn nan(_: f32) -> Result<f32, EngineError> {
        Ok(f32::NAN)
    }
    fn panic(_: f32) -> Result<f32, EngineError> {
        panic!("at once")
    }
    assert_eq!(start(nan).err().unwrap().to_string(), "logit 0: expected a finite number, found NaN");
    assert_eq!(start(panic).err().unwrap().to_string(), "engine: panicked while running: at once");
    let open = || -> Result<Box<dyn Engine>, EngineError> { panic!("{} while opening", 1) };
    let error = Worker::start(open, memory(""), Decoder::new(1.0).unwrap(), LONG).err().unwrap();
    assert_eq!(error.to_string(), "engine: panicked while opening: 1 while opening");
}

#[test]
fn a_new_prompt_takes_effect_between_frames() {
    let worker = start(Ok).unwrap();
    let first = |sequence| {
        worker.offer(job(sequence, -1.0)).unwrap();
        worker.reply_until(sequence, soon()).unwrap().outcome.unwrap().probability[0]
    };
    let before = first(0);
    worker.set_memory(memory("polyp"));
    assert!(first(1) > before);
}

#[test]
fn a_network_gives_way_with_every_thread_that_it_starts() {
    let niceness = || rustix::process::getpriority_process(None).unwrap();
    let own = niceness();
    let (before, of_its_thread) = std::thread::spawn(move || {
        give_way();
        (niceness(), std::thread::spawn(niceness).join().unwrap())
    })
    .join()
    .unwrap();
    assert_eq!((before, of_its_thread), (NICE.max(own), NICE.max(own)));
    assert_eq!(niceness(), own, "nobody else's threads");
}

#[test]
fn an_input_is_made_of_a_copy_and_the_copy_comes_back() {
    use polyp::frame::{Colorimetry, FrameCopy, FrameView, PixelFormat, Plane};
    use polyp::input::{Fit, InputSpec, Normalisation};

    // The engine answers with the first value of the input: of a white picture, 1.
    let worker = start(|value| Ok(if value == 1.0 { 20.0 } else { -20.0 })).unwrap();
    let bytes = vec![255; 3 * 8 * 8];
    let plane = [Plane { bytes: &bytes, stride: 24 }];
    let size = Size::new(8, 8);
    let view = FrameView::new(PixelFormat::Rgb, size, Colorimetry::RGB, &plane).unwrap();
    let mut copy = FrameCopy::default();
    copy.take(&view, Rect::whole(size));
    let normalisation = Normalisation::Fixed { mean: [0.0; 3], std: [255.0; 3] };
    let spec = InputSpec { side_px: SIDE as u32, fit: Fit::Squash, normalisation };
    let placement = spec.place(Rect::whole(size));
    worker.offer(Job { input: Input::Copy(copy, spec), placement, ..job(0, 0.0) }).unwrap();
    let reply = worker.reply_until(0, soon()).unwrap();
    assert_eq!(reply.outcome.unwrap().probability, [255; SIDE * SIDE]);
    assert!(!reply.timing.prepared.is_zero());
    assert!(matches!(reply.input, Some(Input::Copy(..))));
}
