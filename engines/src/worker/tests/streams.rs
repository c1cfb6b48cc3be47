//! Several streams at one engine.

use super::*;

#[test]
fn streams_at_one_engine_have_their_own_replies_prompts_and_counters() {
    let first = start(Ok).unwrap();
    let second = first.another_stream(memory("polyp"));
    first.offer(job(0, -1.0)).unwrap();
    second.offer(job(0, -1.0)).unwrap();
    let [of_first, of_second] = [&first, &second]
        .map(|worker| worker.reply_until(0, soon()).unwrap().outcome.unwrap().probability[0]);
    assert!(of_first < of_second, "the second stream's prompt shifts the answer");
    assert_eq!((first.stats().answered, second.stats().answered), (1, 1));
    drop(first);
    second.offer(job(1, 2.0)).unwrap();
    assert!(second.reply_until(1, soon()).unwrap().outcome.is_ok());
    assert_eq!(second.stats().answered, 2);
}

#[test]
fn a_job_is_about_the_prompt_of_when_it_was_offered() {
    let (old, new) = (memory(""), memory("polyp"));
    let client = client::Client::new(Arc::clone(&old));
    client.offer(job(0, 1.0));
    client.set_memory(Arc::clone(&new));
    assert!(client.waiting().is_some_and(|(_, memory)| memory == old));
    // A job of the new prompt takes the place of the old one's between the look and the taking.
    client.offer(job(1, 1.0));
    assert!(client.take(&old).is_none());
    assert_eq!(client.take(&new).map(|job| job.sequence), Some(1));
}

#[test]
fn an_engine_can_be_joined_so_long_as_somebody_is_there_and_it_does_not_hang() {
    let worker = start(hanging).unwrap();
    let joinable = worker.joinable();
    let second = joinable.join(memory("polyp")).unwrap();
    drop(worker);
    second.offer(job(0, 2.0)).unwrap();
    assert!(second.reply_until(0, soon()).unwrap().outcome.is_ok(), "the first stream's end is its own");
    second.offer(job(1, 1.0)).unwrap();
    while second.busy_for().is_none_or(|busy| busy < STALL_LIMIT) {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(joinable.join(memory("")).is_none(), "it hangs");
    assert!(joinable.is_used());
    drop(second);
    assert!(!joinable.is_used());
    assert!(joinable.join(memory("")).is_none(), "nobody is there");
}

#[test]
fn the_most_urgent_stream_is_served_first() {
    static ORDER: std::sync::Mutex<Vec<f32>> = std::sync::Mutex::new(Vec::new());
    fn noting(value: f32) -> Result<f32, EngineError> {
        if value == 1.0 {
            std::thread::sleep(Duration::from_millis(300));
        }
        ORDER.lock().unwrap().push(value);
        Ok(value)
    }
    let first = start(noting).unwrap();
    let others = [2.0, 3.0, 4.0].map(|value| (value, first.another_stream(memory(""))));
    first.offer(job(0, 1.0)).unwrap();
    while first.busy_for().is_none() {
        std::thread::yield_now();
    }
    for (value, worker) in &others {
        let deadline = Instant::now() + LONG - Duration::from_secs(*value as u64);
        worker.offer(Job { deadline, ..job(0, *value) }).unwrap();
    }
    for (_, worker) in &others {
        assert!(worker.reply_until(0, soon()).is_some());
    }
    assert_eq!(ORDER.lock().unwrap().split_off(2), [1.0, 4.0, 3.0, 2.0]);
}
