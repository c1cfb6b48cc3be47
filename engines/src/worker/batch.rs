//! Which frames run together, and when.
//!
//! A card runs eight frames in less than eight times the time of one, but a frame that waits for others is late by as much. So nothing waits
//! for a fixed time. A frame waits only for one that is expected (streams have a pace), only if all frames together are sooner done with it,
//! counting the one that is expected, and only if the most urgent one still meets its deadline.
//!
//! Not here: whose frames they are ([`super::thread`]), and what an urgent frame is (its deadline says it).

use std::time::{Duration, Instant};

/// How long batches take: of each size the longest of late, forgotten slowly.
#[derive(Clone, Debug, Default)]
pub(super) struct Costs {
    /// Size and time, by rising size.
    known: Vec<(usize, Duration)>,
}

/// A fiftieth of what a batch took is forgotten with each that took less.
const FORGOTTEN: u32 = 50;

impl Costs {
    /// Notes how long a batch of `size` took.
    pub(super) fn note(&mut self, size: usize, took: Duration) {
        match self.known.binary_search_by_key(&size, |(known, _)| *known) {
            Ok(place) => {
                if let Some((_, cost)) = self.known.get_mut(place) {
                    *cost = took.max(*cost - *cost / FORGOTTEN);
                }
            }
            Err(place) => self.known.insert(place, (size, took)),
        }
    }

    /// What a batch of `size` takes, if one ran.
    fn of(&self, size: usize) -> Option<Duration> {
        self.known.iter().find(|(known, _)| *known == size).map(|(_, cost)| *cost)
    }
}

/// What is there to be run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load<'a> {
    /// Deadlines of the frames that wait and may run together, rising; at least one.
    pub(super) deadlines: &'a [Instant],
    /// When the next frame of a stream that has none waiting is expected, later than now.
    pub(super) next: Option<Instant>,
    /// Batch sizes that there are, rising; at least one.
    pub(super) sizes: &'a [usize],
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Run so many of them, the most urgent first.
    Run(usize),
    /// Look again then, or when a frame comes.
    WaitUntil(Instant),
}

/// The size that `count` frames run as: the smallest that holds them, or the largest there is.
pub(super) fn size_of(count: usize, sizes: &[usize]) -> usize {
    sizes.iter().copied().find(|size| *size >= count).or(sizes.last().copied()).unwrap_or(1)
}

/// Decides at `now`.
pub(super) fn decide(load: Load<'_>, costs: &Costs, now: Instant) -> Decision {
    let largest = load.sizes.last().copied().unwrap_or(1);
    let count = load.deadlines.len().min(largest);
    let run = Decision::Run(how_many(count, load.sizes, costs));
    let (Some(next), Some(first)) = (load.next, load.deadlines.first()) else { return run };
    if count >= largest {
        return run;
    }
    let cost = |count: usize| costs.of(size_of(count, load.sizes));
    let known = (cost(count), cost(count + 1), cost(1));
    // What is not known is found out by running it.
    let (Some(alone), Some(together), Some(single)) = known else { return run };
    let until = next.saturating_duration_since(now);
    if now + until + together > *first {
        return run;
    }
    let frames = u32::try_from(count).unwrap_or(1);
    // The sum of all frames' delays, that of the expected one from when it comes.
    let apart = alone * frames + (alone.saturating_sub(until) + single);
    let joined = until * frames + together * (frames + 1);
    if joined < apart { Decision::WaitUntil(next) } else { run }
}

/// How many of `count` frames run first: all of them in the next larger size, or as many as a smaller one holds, whichever ends sooner.
fn how_many(count: usize, sizes: &[usize], costs: &Costs) -> usize {
    let Some(below) = sizes.iter().copied().rfind(|size| *size <= count) else { return count };
    let cost = |count: usize| costs.of(size_of(count, sizes));
    match (cost(count), cost(below), cost(count - below)) {
        (Some(together), Some(first), Some(rest)) if count > below && first + rest < together => below,
        _ => count,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SIZES: [usize; 4] = [1, 2, 4, 8];

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn costs(of: &[(usize, u64)]) -> Costs {
        let mut costs = Costs::default();
        of.iter().for_each(|(size, cost)| costs.note(*size, ms(*cost)));
        costs
    }

    #[test]
    fn a_frame_alone_never_waits() {
        let now = Instant::now();
        let load = Load { deadlines: &[now + ms(100)], next: None, sizes: &SIZES };
        assert_eq!(decide(load, &costs(&[(1, 4), (2, 5)]), now), Decision::Run(1));
        assert_eq!(decide(load, &Costs::default(), now), Decision::Run(1));
    }

    #[test]
    fn it_waits_for_another_only_if_both_gain_and_the_deadline_holds() {
        let now = Instant::now();
        let costs = costs(&[(1, 10), (2, 11)]);
        let decide = |deadline, next| {
            let load = Load { deadlines: &[now + ms(deadline)], next: Some(now + ms(next)), sizes: &SIZES };
            decide(load, &costs, now)
        };
        // Apart: 10 and 19 ms. Together: 12 and 11.
        assert_eq!(decide(100, 1), Decision::WaitUntil(now + ms(1)));
        assert_eq!(decide(11, 1), Decision::Run(1), "the deadline forbids it");
        assert_eq!(decide(100, 9), Decision::Run(1), "the other comes too late");
    }

    #[test]
    fn odd_numbers_are_filled_up_or_split_by_what_ends_sooner() {
        let now = Instant::now();
        let deadlines = [now; 3];
        let load = Load { deadlines: &deadlines, next: None, sizes: &SIZES };
        assert_eq!(decide(load, &costs(&[(1, 4), (2, 5), (4, 7)]), now), Decision::Run(3));
        assert_eq!(decide(load, &costs(&[(1, 4), (2, 5), (4, 12)]), now), Decision::Run(2));
        let many = [now; 11];
        let load = Load { deadlines: &many, ..load };
        assert_eq!(decide(load, &Costs::default(), now), Decision::Run(8));
    }

    #[test]
    fn what_took_long_once_is_forgotten_slowly() {
        let mut costs = costs(&[(1, 50)]);
        costs.note(1, ms(10));
        assert_eq!(costs.of(1), Some(ms(49)));
        (0..200).for_each(|_| costs.note(1, ms(10)));
        assert_eq!(costs.of(1), Some(ms(10)));
    }

    proptest! {
        #[test]
        fn a_wait_has_an_end_and_never_costs_the_most_urgent_frame_its_deadline(
            deadlines in prop::collection::vec(0_u64..60, 1..12),
            next in prop::option::of(1_u64..40),
            times in prop::array::uniform4(1_u64..30),
        ) {
            let now = Instant::now();
            let mut deadlines: Vec<Instant> = deadlines.into_iter().map(|after| now + ms(after)).collect();
            deadlines.sort();
            let of: Vec<(usize, u64)> = SIZES.into_iter().zip(times).collect();
            let next = next.map(|after| now + ms(after));
            let load = Load { deadlines: &deadlines, next, sizes: &SIZES };
            match decide(load, &costs(&of), now) {
                Decision::Run(count) => prop_assert!((1..=deadlines.len().min(8)).contains(&count)),
                Decision::WaitUntil(until) => {
                    prop_assert_eq!(Some(until), next);
                    let size = SIZES.into_iter().find(|size| *size > deadlines.len()).unwrap();
                    let cost = of.iter().find(|(known, _)| *known == size).unwrap().1;
                    prop_assert!(until > now && until + ms(cost) <= deadlines[0]);
                }
            }
        }
    }

    /// Streams at a pace over a card, in made-up time: how many frames were late, of how many.
    fn simulate(wait: &dyn Fn(Load<'_>, &Costs, Instant) -> Decision) -> (usize, usize) {
        let (begun, period, budget) = (Instant::now(), Duration::from_micros(16_667), ms(16));
        let costs = costs(&[(1, 5), (2, 6), (4, 8), (8, 12)]);
        // Four streams whose frames come close together, as cameras that are driven by one clock do.
        let mut next: Vec<Instant> =
            (0..4).map(|stream| begun + Duration::from_micros(700 * stream)).collect();
        let (mut waiting, mut now): (Vec<Instant>, _) = (Vec::new(), begun);
        let (mut late, mut all) = (0, 0);
        while all < 2000 {
            for time in &mut next {
                if *time <= now {
                    waiting.push(*time + budget);
                    *time += period;
                }
            }
            let soonest = next.iter().copied().min().unwrap();
            waiting.sort();
            if waiting.is_empty() {
                now = soonest;
                continue;
            }
            match wait(Load { deadlines: &waiting, next: Some(soonest), sizes: &SIZES }, &costs, now) {
                Decision::WaitUntil(until) => now = until,
                Decision::Run(count) => {
                    let size = SIZES.into_iter().find(|size| *size >= count).unwrap();
                    now += costs.of(size).unwrap();
                    late += waiting.drain(..count).filter(|deadline| *deadline < now).count();
                    all += count;
                }
            }
        }
        (late, all)
    }

    #[test]
    fn four_streams_share_a_card_that_one_frame_at_a_time_would_overload() {
        let (late, all) = simulate(&decide);
        assert_eq!(late, 0, "of {all}");
        // One at a time: 20 ms of work come every 16.7 ms.
        let (late, all) = simulate(&|_, _, _| Decision::Run(1));
        assert!(late > all / 2, "{late} of {all}");
        // A fixed wait, as other batchers have: every frame is late.
        let (late, all) = simulate(&|load, _, now| {
            let oldest = load.deadlines[0] - ms(16);
            if now < oldest + ms(100) {
                Decision::WaitUntil(oldest + ms(100))
            } else {
                Decision::Run(load.deadlines.len().min(8))
            }
        });
        assert!(late * 10 > all * 9, "{late} of {all}");
    }
}
