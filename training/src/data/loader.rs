//! Batches, made by threads of their own while the training thread works.
//!
//! Batch `k` is made by thread `k % threads`, and each thread has a short queue of its own: so the order is
//! the same for any number of threads, memory is bounded, and what happens to a picture depends on nothing
//! but (seed, epoch, its index in the data set).
//!
//! Not here: normalisation (the training thread does it on its device).

use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::{DataSet, Picture, Random, Squash};
use crate::TrainingError;
use crate::augment::{AugmentConfig, PARTS, Sample, put};

/// Batches that wait, per thread.
const QUEUE: usize = 2;

/// Pictures and masks for one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Red, green, blue, `[B,S,S,3]`.
    pub images: Vec<u8>,
    /// 1 where there is a polyp, else 0, `[B,S,S]`.
    pub masks: Vec<u8>,
    /// Pictures in it (`B`).
    pub count: usize,
    /// Which they are, as indices into the data set.
    pub indices: Vec<usize>,
}

/// How a pass over some pictures is made.
#[derive(Clone, Debug)]
pub struct Pass {
    /// Rows and columns of what is made, in pixels.
    pub side: usize,
    /// Pictures in a batch; the last may have fewer.
    pub batch: usize,
    /// With it, pictures are changed as it says and come in a random order, another one in every epoch. Without,
    /// they are only resized and come in the order in which they are named.
    pub augment: Option<AugmentConfig>,
    /// Names all draws, together with the epoch.
    pub seed: u64,
    /// From 1.
    pub epoch: u64,
    /// Batches at the beginning that are left out: a run that goes on has seen them.
    pub skip: usize,
    /// Threads that make batches; at least one is started.
    pub threads: usize,
}

/// One pass's batches, in order. Ends after the last batch or the first error.
#[derive(Debug)]
pub struct Loader {
    queues: Vec<Receiver<Result<Batch, TrainingError>>>,
    threads: Vec<JoinHandle<()>>,
    next: usize,
    batches: usize,
}

impl Loader {
    /// Starts a pass over the pictures `indices` of `data`.
    ///
    /// # Errors
    /// [`TrainingError::Field`] for a batch of no pictures, a side of no pixels or an augmentation out of
    /// bounds, [`TrainingError::File`] when the system gives no thread.
    pub fn start(data: &Arc<DataSet>, indices: Vec<usize>, pass: Pass) -> Result<Self, TrainingError> {
        let Pass { side, batch, augment, seed, epoch, skip, threads } = pass;
        for (field, value) in [("batch", batch), ("side", side)] {
            if value == 0 {
                return Err(TrainingError::field(data.path(), field, "at least 1", "0"));
            }
        }
        let pool = indices.clone();
        let mut indices = indices;
        if let Some(augment) = &augment {
            augment.check()?;
            Random::new(&[seed, epoch]).shuffle(&mut indices);
        }
        let batches: Vec<Vec<usize>> = indices.chunks(batch).skip(skip).map(<[usize]>::to_vec).collect();
        let work = Arc::new(Work { data: Arc::clone(data), pool, batches, side, augment, seed, epoch });
        let count = work.batches.len();
        let threads = threads.clamp(1, count.max(1));
        let mut loader = Self { queues: Vec::new(), threads: Vec::new(), next: 0, batches: count };
        for first in 0..threads {
            let (sender, receiver) = bounded(QUEUE);
            let work = Arc::clone(&work);
            let thread = std::thread::Builder::new()
                .name(format!("polyp-loader-{first}"))
                .spawn(move || work.run(first, threads, &sender))
                .map_err(TrainingError::file("start a loader thread", data.path()))?;
            loader.queues.push(receiver);
            loader.threads.push(thread);
        }
        Ok(loader)
    }

    /// How many batches the pass has, without those that are left out.
    pub fn batches(&self) -> usize {
        self.batches
    }
}

impl Iterator for Loader {
    type Item = Result<Batch, TrainingError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.batches {
            return None;
        }
        let index = self.next % self.queues.len().max(1);
        self.next += 1;
        let made = self.queues.get(index)?.recv();
        let made = made.unwrap_or(Err(TrainingError::Loader { index }));
        if made.is_err() {
            self.next = self.batches;
        }
        Some(made)
    }
}

impl Drop for Loader {
    /// Waits for the threads, at most for the batch that each is making.
    fn drop(&mut self) {
        self.queues.clear();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a loader thread panicked");
            }
        }
    }
}

/// What all threads share.
struct Work {
    data: Arc<DataSet>,
    /// What a mosaic's other pictures are drawn from.
    pool: Vec<usize>,
    batches: Vec<Vec<usize>>,
    side: usize,
    augment: Option<AugmentConfig>,
    seed: u64,
    epoch: u64,
}

impl Work {
    fn run(&self, first: usize, step: usize, queue: &Sender<Result<Batch, TrainingError>>) {
        let mut squash = Squash::new(self.side);
        for indices in self.batches.iter().skip(first).step_by(step) {
            let made = self.make(indices, &mut squash);
            let failed = made.is_err();
            if queue.send(made).is_err() || failed {
                return; // nobody waits any more
            }
        }
    }

    fn make(&self, indices: &[usize], squash: &mut Squash) -> Result<Batch, TrainingError> {
        let area = self.side * self.side;
        let (mut images, mut masks) = (vec![0; 3 * area * indices.len()], vec![0; area * indices.len()]);
        let rooms = images.chunks_exact_mut(3 * area).zip(masks.chunks_exact_mut(area));
        for (&index, (rgb, mask)) in indices.iter().zip(rooms) {
            let picture = self.data.read(index)?;
            match &self.augment {
                Some(augment) => {
                    let random = Random::new(&[self.seed, self.epoch, index as u64]);
                    self.vary(augment, &picture, random, &mut Sample { side: self.side, rgb, mask })?;
                }
                None => squash.run(&picture, rgb, mask)?,
            }
        }
        Ok(Batch { images, masks, count: indices.len(), indices: indices.to_vec() })
    }

    /// The picture as `augment` says: alone, or as the first quarter of a mosaic.
    fn vary(
        &self,
        augment: &AugmentConfig,
        picture: &Picture,
        mut random: Random,
        sample: &mut Sample<'_>,
    ) -> Result<(), TrainingError> {
        let half = sample.side / 2;
        let others = augment.mosaic.draw(augment.strength, &mut random, self.pool.len());
        let Some(others) = others.filter(|_| sample.side == 2 * half) else {
            return augment.apply(picture, random, sample);
        };
        let (mut rgb, mut mask) = (vec![0; 3 * half * half], vec![0; half * half]);
        for part in 0..PARTS {
            let other = match part.checked_sub(1) {
                None => None,
                Some(before) => Some(self.data.read(self.pool[others[before]])?),
            };
            let own = Random::new(&[random.bits()]);
            let mut quarter = Sample { side: half, rgb: &mut rgb, mask: &mut mask };
            augment.apply(other.as_deref().unwrap_or(picture), own, &mut quarter)?;
            put(&rgb, sample.rgb, part, half, 3);
            put(&mask, sample.mask, part, half, 1);
        }
        Ok(())
    }
}
