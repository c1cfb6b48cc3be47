//! What a card's driver does for us: the one seam between the way of a frame and the hardware.
//!
//! [`Driver`] is CUDA reduced to what a frame needs, and [`Network`] TensorRT likewise. With the feature `cuda`,
//! `nvidia.rs` beside this is the driver of real cards. In tests another stands in that runs the same kernels on the CPU, records
//! graphs and fails where it is told to, so that the way of a frame and every refusal are tried on machines without a card.
//!
//! Handles ([`Stream`], [`Event`], [`Graph`]) are of the driver that gave them; another one refuses them or takes them for its own.
//!
//! Not here: what is done with a frame ([`super::flow`]).

use std::any::Any;
use std::ffi::c_void;
use std::fmt;
use std::sync::Arc;

use super::paint::{Overlay, Plate, Surface};
pub use crate::backend::ports::Port;
use crate::error::EngineError;

/// A place in the card's memory. Those that [`Driver::allocate`] gives are multiples of 256.
pub type Address = u64;

/// A sequence of work on the card: what is in one is done in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream(pub usize);

/// A point in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event(pub usize);

/// Recorded work that is launched as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Graph(pub usize);

/// A card, for people and for the names of caches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// Its name.
    pub name: String,
    /// Compute capability: major and minor.
    pub capability: (i32, i32),
    /// The CUDA version that its driver speaks: major and minor.
    pub driver: (i32, i32),
    /// Its memory, in bytes.
    pub memory: usize,
}

impl fmt::Display for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, capability, driver, memory } = self;
        let gib = *memory as f64 / f64::from(1 << 30);
        write!(f, "{name}, {gib:.0} GiB, compute capability {}.{}, ", capability.0, capability.1)?;
        write!(f, "driver for CUDA {}.{}", driver.0, driver.1)
    }
}

/// Why a card can not be used, or does not do what it was asked to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CardError {
    /// There is no driver.
    #[error(
        "expected NVIDIA's driver, found no libcuda.so.1; install the driver, or name another backend that this machine has"
    )]
    NoDriver,
    /// The driver is older than what runs on it.
    #[error(
        "expected a driver for CUDA {}.{} or later, found one for {}.{}; install a newer driver",
        expected.0, expected.1, found.0, found.1
    )]
    OldDriver {
        /// The oldest that will do.
        expected: (i32, i32),
        /// The one that is there.
        found: (i32, i32),
    },
    /// There is a driver and no card for it.
    #[error(
        "expected a card that NVIDIA's driver can use, found none ({words}); is it plugged in, and seen by nvidia-smi?"
    )]
    NoCard {
        /// The driver's words.
        words: String,
    },
    /// The card is older than the kernels and the network are made for.
    #[error(
        "expected a card of compute capability {}.{} or later, found {name} of {}.{}",
        expected.0, expected.1, found.0, found.1
    )]
    OldCard {
        /// The oldest that will do.
        expected: (i32, i32),
        /// The card's.
        found: (i32, i32),
        /// Its name.
        name: String,
    },
    /// Memory is used up.
    #[error(
        "out of memory: {} MiB were wanted and {} of {} MiB are free; end what else uses the card, or run fewer pictures at once",
        wanted.div_ceil(1 << 20), free >> 20, total >> 20
    )]
    OutOfMemory {
        /// Bytes that were asked for.
        wanted: usize,
        /// Bytes that are free.
        free: usize,
        /// Bytes that there are.
        total: usize,
    },
    /// A call failed.
    #[error("{call} failed: {words}")]
    Call {
        /// The driver's function.
        call: &'static str,
        /// The driver's words.
        words: String,
    },
}

/// An argument of a kernel. Structs go by value: a driver copies them before the call returns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Argument<'a> {
    /// An array's place.
    Address(Address),
    /// A number.
    Number(u32),
    /// A frame to paint on.
    Surface(&'a Surface),
    /// What is painted of a mask.
    Overlay(&'a Overlay),
    /// A badge.
    Plate(&'a Plate),
}

/// How urgent a stream's work is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// Before everything else on the card.
    High,
    /// After it.
    Low,
}

/// Memory of this machine that the card reads and writes by itself.
///
/// Whoever reads or writes it has to know that the card does not at that moment: [`Driver::synchronise`].
pub struct Pinned {
    start: *mut u8,
    bytes: usize,
    _owner: Box<dyn Any + Send>,
}

// SAFETY: it is plain memory, owned by `_owner`, which may be sent; nothing about it is bound to a thread.
unsafe impl Send for Pinned {}

impl Pinned {
    /// The `bytes` bytes from `start` on, which belong to `owner`.
    ///
    /// # Safety
    /// They are initialised, and nobody else's while `owner` lives.
    pub unsafe fn new(start: *mut u8, bytes: usize, owner: Box<dyn Any + Send>) -> Self {
        Self { start, bytes, _owner: owner }
    }

    /// Its length, in bytes.
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// Whether it is of no length.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Where it starts.
    pub fn start(&self) -> *const u8 {
        self.start
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: as `new` was promised; the card does not write meanwhile, as the type's words ask.
        unsafe { std::slice::from_raw_parts(self.start, self.bytes) }
    }

    /// Its bytes, to be changed.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and `self` is borrowed alone.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.bytes) }
    }
}

impl fmt::Debug for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pinned").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

/// Gives pinned memory of so many bytes, zeroed, from any thread.
pub type PinnedSource = Arc<dyn Fn(usize) -> Result<Pinned, CardError> + Send + Sync>;

/// A card as one thread uses it. What it gave (memory, streams, events, graphs) lives as long as it does.
pub trait Driver {
    /// The card.
    fn card(&self) -> &Card;

    /// `bytes` bytes of the card's memory, zeroed.
    ///
    /// # Errors
    /// [`CardError::OutOfMemory`] and others, as for every function here.
    fn allocate(&mut self, bytes: usize) -> Result<Address, CardError>;

    /// What gives pinned memory.
    fn pinned(&self) -> PinnedSource;

    /// A new stream.
    fn stream(&mut self, priority: Priority) -> Result<Stream, CardError>;

    /// A new event that knows its time.
    fn event(&mut self) -> Result<Event, CardError>;

    /// Copies `bytes` bytes to the card, in `stream`.
    ///
    /// # Safety
    /// Both places are that long, and `from` is pinned memory that lives and is not changed until the copy is done.
    unsafe fn upload(
        &mut self,
        from: *const u8,
        to: Address,
        bytes: usize,
        stream: Stream,
    ) -> Result<(), CardError>;

    /// Copies `bytes` bytes from the card, in `stream`.
    ///
    /// # Safety
    /// Both places are that long, and `to` is pinned memory that lives and is not looked at until the copy is done.
    unsafe fn download(
        &mut self,
        from: Address,
        to: *mut u8,
        bytes: usize,
        stream: Stream,
    ) -> Result<(), CardError>;

    /// Sets `bytes` bytes to `value`, in `stream`.
    ///
    /// # Safety
    /// The place is that long.
    unsafe fn fill(
        &mut self,
        place: Address,
        value: u8,
        bytes: usize,
        stream: Stream,
    ) -> Result<(), CardError>;

    /// Runs the kernel of that name (one of [`super::kernels::NAMES`]) on a grid of blocks of threads, in `stream`.
    ///
    /// # Safety
    /// The arguments are those that the kernel's source asks for.
    unsafe fn launch(
        &mut self,
        kernel: &'static str,
        blocks: [u32; 3],
        threads: [u32; 3],
        arguments: &[Argument<'_>],
        stream: Stream,
    ) -> Result<(), CardError>;

    /// Lets `event` be this point of `stream`.
    fn record(&mut self, event: Event, stream: Stream) -> Result<(), CardError>;

    /// Lets what comes next in `stream` wait for `event`.
    fn wait(&mut self, stream: Stream, event: Event) -> Result<(), CardError>;

    /// Waits until `event` has come; it sleeps rather than spins.
    fn synchronise(&mut self, event: Event) -> Result<(), CardError>;

    /// Whether `event` has come; never waits.
    fn has_come(&mut self, event: Event) -> Result<bool, CardError>;

    /// The time from one event to a later one, both having come, in milliseconds.
    fn milliseconds(&mut self, from: Event, to: Event) -> Result<f32, CardError>;

    /// From here on, what is asked of `stream` is recorded and not done.
    fn begin_capture(&mut self, stream: Stream) -> Result<(), CardError>;

    /// Ends the recording, whatever became of it.
    fn end_capture(&mut self, stream: Stream) -> Result<Graph, CardError>;

    /// Does what was recorded, in `stream`.
    ///
    /// # Safety
    /// Every place that was named in the recording still is what it was.
    unsafe fn launch_graph(&mut self, graph: Graph, stream: Stream) -> Result<(), CardError>;

    /// The stream as CUDA's own libraries take it.
    fn raw(&self, stream: Stream) -> Result<*mut c_void, CardError>;
}

/// A network that is loaded on a card.
pub trait Network {
    /// The library that runs it, with its version.
    fn library(&self) -> &str;

    /// Its inputs and outputs, as the library reports them.
    ///
    /// # Errors
    /// [`EngineError`] when the library does not say.
    fn ports(&mut self) -> Result<Ports, EngineError>;

    /// Lets the next [`Self::enqueue`] run `batch` pictures.
    ///
    /// # Errors
    /// [`EngineError`] when the network was not made for as many.
    fn set_batch(&mut self, batch: usize) -> Result<(), EngineError>;

    /// Lets an input or output lie at `place`.
    ///
    /// # Errors
    /// [`EngineError`] when there is none of that name.
    ///
    /// # Safety
    /// The place is as long as the tensor with the largest batch, and stays until the network is gone.
    unsafe fn bind(&mut self, tensor: &str, place: Address) -> Result<(), EngineError>;

    /// Runs the network, in `stream` (as [`Driver::raw`] gives it).
    ///
    /// # Errors
    /// [`EngineError`] with the library's words.
    ///
    /// # Safety
    /// Every tensor is bound, and `stream` is of the card that the network is loaded on.
    unsafe fn enqueue(&mut self, stream: *mut c_void) -> Result<(), EngineError>;
}

/// A network's inputs and outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ports {
    /// What it takes.
    pub inputs: Vec<Port>,
    /// What it gives.
    pub outputs: Vec<Port>,
}
