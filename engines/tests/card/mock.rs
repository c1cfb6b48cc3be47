//! A card that is not there: its memory is this machine's, its kernels are the C++ compiler's, its network is a CPU engine.
//!
//! Work is put off as long as CUDA allows: a stream does nothing until somebody waits for an event, and then only what that event
//! needs. So a wait that is missing in the flow is a wrong mask here, every time, and not once in a thousand runs.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ffi::c_void;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use polyp_engine::cuda::driver::{
    Address, Argument, Card, CardError, Driver, Event, Graph, Network, Pinned, PinnedSource, Ports, Priority,
    Stream,
};
use polyp_engine::engine::Engine;
use polyp_engine::error::EngineError;
use polyp_engine::memory::PromptMemory;

use crate::host::Host;
use crate::network::CpuNetwork;

/// Something in a stream.
#[derive(Clone, Debug)]
enum Work {
    Copy {
        from: u64,
        to: u64,
        bytes: usize,
    },
    Fill {
        place: u64,
        value: u8,
        bytes: usize,
    },
    Launch {
        kernel: &'static str,
        grid: [u32; 3],
        arguments: Vec<Argument<'static>>,
    },
    Network {
        batch: usize,
    },
    Graph(usize),
    /// The event's so many-th recording.
    Record(usize, usize),
    Wait(usize, usize),
}

/// What the driver and the network have in common.
pub(crate) struct State {
    host: Host,
    pub(crate) network: CpuNetwork,
    batch: usize,
    memory: Vec<Vec<u8>>,
    streams: Vec<VecDeque<Work>>,
    /// Of each event: times recorded, times come.
    events: Vec<(usize, usize)>,
    graphs: Vec<Vec<Work>>,
    capturing: Option<(usize, Vec<Work>)>,
    /// The call that fails next, after so many that do not.
    fails: Option<(&'static str, usize, CardError)>,
    pub(crate) counts: Vec<(&'static str, usize)>,
}

/// The state, and the pinned memory that was ever had.
#[derive(Clone)]
pub(crate) struct Mock {
    pub(crate) state: Rc<RefCell<State>>,
    pub(crate) pinned: Arc<AtomicUsize>,
    card: Card,
}

impl Mock {
    /// A card whose network is `engine`.
    pub(crate) fn new(engine: Box<dyn Engine>, prompt: PromptMemory) -> Self {
        let card = Card { name: "Mock".to_owned(), capability: (8, 9), driver: (13, 0), memory: 8 << 30 };
        let state = State {
            host: Host::new(),
            network: CpuNetwork::new(engine, prompt),
            batch: 0,
            memory: Vec::new(),
            streams: Vec::new(),
            events: Vec::new(),
            graphs: Vec::new(),
            capturing: None,
            fails: None,
            counts: Vec::new(),
        };
        Self { state: Rc::new(RefCell::new(state)), pinned: Arc::default(), card }
    }

    /// From now on, call `call` fails with `error` after `after` times in which it does not.
    pub(crate) fn fail(&self, call: &'static str, after: usize, error: CardError) {
        self.state.borrow_mut().fails = Some((call, after, error));
    }

    /// How often `call` was made.
    pub(crate) fn count(&self, call: &str) -> usize {
        self.state.borrow().counts.iter().find(|(name, _)| *name == call).map_or(0, |(_, count)| *count)
    }

    fn push(&self, call: &'static str, stream: Stream, work: Work) -> Result<(), CardError> {
        let mut state = self.state.borrow_mut();
        state.called(call)?;
        match &mut state.capturing {
            Some((recording, all)) if *recording == stream.0 => all.push(work),
            _ => state.streams[stream.0].push_back(work),
        }
        Ok(())
    }
}

impl State {
    fn called(&mut self, call: &'static str) -> Result<(), CardError> {
        match self.counts.iter_mut().find(|(name, _)| *name == call) {
            Some((_, count)) => *count += 1,
            None => self.counts.push((call, 1)),
        }
        if let Some((name, after, error)) = &mut self.fails
            && *name == call
        {
            if *after == 0 {
                return Err(error.clone());
            }
            *after -= 1;
        }
        Ok(())
    }

    /// Does what is needed for the `time`-th recording of an event to have come.
    fn reach(&mut self, event: usize, time: usize) {
        while self.events[event].1 < time {
            let asked = |work: &Work| matches!(work, Work::Record(e, t) if *e == event && *t == time);
            let stream = self.streams.iter().position(|stream| stream.iter().any(asked));
            let stream = stream.expect("an event that was recorded is in a stream");
            let work = self.streams[stream].pop_front().unwrap();
            self.run(work);
        }
    }

    fn run(&mut self, work: Work) {
        match work {
            // SAFETY: both are addresses of this process; the flow's own promise.
            Work::Copy { from, to, bytes } => unsafe {
                std::ptr::copy_nonoverlapping(from as *const u8, to as *mut u8, bytes);
            },
            // SAFETY: as above.
            Work::Fill { place, value, bytes } => unsafe {
                (place as *mut u8).write_bytes(value, bytes);
            },
            // SAFETY: as above.
            Work::Launch { kernel, grid, arguments } => unsafe {
                self.host.launch(kernel, grid, &arguments);
            },
            Work::Network { batch } => self.network.run(batch),
            Work::Graph(graph) => {
                for work in self.graphs[graph].clone() {
                    self.run(work);
                }
            }
            Work::Record(event, time) => self.events[event].1 = time,
            Work::Wait(event, time) => self.reach(event, time),
        }
    }
}

/// The argument as a driver copies it when it is told to launch. Structs are kept for good: a test ends soon.
fn copied(argument: &Argument<'_>) -> Argument<'static> {
    match *argument {
        Argument::Address(address) => Argument::Address(address),
        Argument::Number(number) => Argument::Number(number),
        Argument::Surface(surface) => Argument::Surface(Box::leak(Box::new(*surface))),
        Argument::Overlay(overlay) => Argument::Overlay(Box::leak(Box::new(*overlay))),
        Argument::Plate(plate) => Argument::Plate(Box::leak(Box::new(*plate))),
    }
}

impl Driver for Mock {
    fn card(&self) -> &Card {
        &self.card
    }

    fn allocate(&mut self, bytes: usize) -> Result<Address, CardError> {
        let mut state = self.state.borrow_mut();
        state.called("allocate")?;
        let memory = vec![0; bytes + 256];
        let place = (memory.as_ptr() as u64).next_multiple_of(256);
        state.memory.push(memory);
        Ok(place)
    }

    fn pinned(&self) -> PinnedSource {
        let had = Arc::clone(&self.pinned);
        Arc::new(move |bytes| {
            had.fetch_add(1, Ordering::Relaxed);
            let mut owner = vec![0_u8; bytes];
            let start = owner.as_mut_ptr();
            // SAFETY: the owner's own bytes, which do not move when it does.
            Ok(unsafe { Pinned::new(start, bytes, Box::new(owner)) })
        })
    }

    fn stream(&mut self, _priority: Priority) -> Result<Stream, CardError> {
        let mut state = self.state.borrow_mut();
        state.called("stream")?;
        state.streams.push(VecDeque::new());
        Ok(Stream(state.streams.len() - 1))
    }

    fn event(&mut self) -> Result<Event, CardError> {
        let mut state = self.state.borrow_mut();
        state.called("event")?;
        state.events.push((0, 0));
        Ok(Event(state.events.len() - 1))
    }

    unsafe fn upload(
        &mut self,
        from: *const u8,
        to: Address,
        bytes: usize,
        stream: Stream,
    ) -> Result<(), CardError> {
        self.push("upload", stream, Work::Copy { from: from as u64, to, bytes })
    }

    unsafe fn download(
        &mut self,
        from: Address,
        to: *mut u8,
        bytes: usize,
        stream: Stream,
    ) -> Result<(), CardError> {
        self.push("download", stream, Work::Copy { from, to: to as u64, bytes })
    }

    unsafe fn fill(
        &mut self,
        place: Address,
        value: u8,
        bytes: usize,
        stream: Stream,
    ) -> Result<(), CardError> {
        self.push("fill", stream, Work::Fill { place, value, bytes })
    }

    unsafe fn launch(
        &mut self,
        kernel: &'static str,
        blocks: [u32; 3],
        threads: [u32; 3],
        arguments: &[Argument<'_>],
        stream: Stream,
    ) -> Result<(), CardError> {
        let grid = [0, 1, 2].map(|axis| blocks[axis] * threads[axis]);
        let arguments = arguments.iter().map(copied).collect();
        self.push("launch", stream, Work::Launch { kernel, grid, arguments })
    }

    fn record(&mut self, event: Event, stream: Stream) -> Result<(), CardError> {
        let time = {
            let events = &mut self.state.borrow_mut().events;
            events[event.0].0 += 1;
            events[event.0].0
        };
        self.push("record", stream, Work::Record(event.0, time))
    }

    fn wait(&mut self, stream: Stream, event: Event) -> Result<(), CardError> {
        let time = self.state.borrow().events[event.0].0;
        self.push("wait", stream, Work::Wait(event.0, time))
    }

    fn synchronise(&mut self, event: Event) -> Result<(), CardError> {
        let mut state = self.state.borrow_mut();
        state.called("synchronise")?;
        let time = state.events[event.0].0;
        state.reach(event.0, time);
        Ok(())
    }

    fn has_come(&mut self, event: Event) -> Result<bool, CardError> {
        // Every second look.
        let looks = self.count("has_come");
        self.state.borrow_mut().called("has_come")?;
        if looks % 2 == 1 {
            self.synchronise(event)?;
        }
        Ok(looks % 2 == 1)
    }

    fn milliseconds(&mut self, from: Event, to: Event) -> Result<f32, CardError> {
        let mut state = self.state.borrow_mut();
        state.called("milliseconds")?;
        for event in [from, to] {
            let (recorded, come) = state.events[event.0];
            assert!(recorded > 0 && recorded == come, "a time is asked of an event that has not come");
        }
        Ok(0.25)
    }

    fn begin_capture(&mut self, stream: Stream) -> Result<(), CardError> {
        let mut state = self.state.borrow_mut();
        state.called("begin_capture")?;
        assert!(state.capturing.is_none(), "two recordings at once");
        state.capturing = Some((stream.0, Vec::new()));
        Ok(())
    }

    fn end_capture(&mut self, stream: Stream) -> Result<Graph, CardError> {
        let mut state = self.state.borrow_mut();
        let (recording, work) = state.capturing.take().expect("a recording to end");
        state.called("end_capture")?;
        assert_eq!(recording, stream.0);
        state.graphs.push(work);
        Ok(Graph(state.graphs.len() - 1))
    }

    unsafe fn launch_graph(&mut self, graph: Graph, stream: Stream) -> Result<(), CardError> {
        self.push("launch_graph", stream, Work::Graph(graph.0))
    }

    fn raw(&self, stream: Stream) -> Result<*mut c_void, CardError> {
        Ok(std::ptr::without_provenance_mut(stream.0 + 1))
    }
}

impl Network for Mock {
    fn library(&self) -> &str {
        "mock"
    }

    fn ports(&mut self) -> Result<Ports, EngineError> {
        Ok(self.state.borrow().network.ports())
    }

    fn set_batch(&mut self, batch: usize) -> Result<(), EngineError> {
        self.state.borrow_mut().batch = batch;
        Ok(())
    }

    unsafe fn bind(&mut self, tensor: &str, place: Address) -> Result<(), EngineError> {
        self.state.borrow_mut().network.bind(tensor, place);
        Ok(())
    }

    unsafe fn enqueue(&mut self, stream: *mut c_void) -> Result<(), EngineError> {
        let batch = self.state.borrow().batch;
        let stream = Stream(stream.addr() - 1);
        self.push("enqueue", stream, Work::Network { batch }).map_err(|cause| EngineError::Backend {
            backend: "mock",
            step: "running",
            message: cause.to_string(),
        })
    }
}
