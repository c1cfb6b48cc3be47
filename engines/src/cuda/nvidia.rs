//! NVIDIA's driver, behind [`Driver`].
//!
//! [`open`] asks in an order in which nothing can crash: is the driver's library there, does it start, is it new enough, is there a card,
//! is the card new enough. Only then are contexts made, kernels loaded, and TensorRT may be touched.
//!
//! Not here: compiling the kernels: their PTX is shipped ([`super::kernels::PTX`]), and the driver makes machine code of it.

use std::ffi::{CString, c_int, c_void};
use std::panic::catch_unwind;
use std::sync::Arc;

use cudarc::driver::{CudaContext, CudaEvent, CudaGraph, CudaStream, DriverError, result, sys};

use super::driver::{
    Address, Argument, Card, CardError, Driver, Event, Graph, Pinned, PinnedSource, Priority, Stream,
};
use super::kernels::{NAMES, PTX};

/// The oldest driver: our PTX is of CUDA 12.4.
const DRIVER: (i32, i32) = (12, 4);
/// The oldest card: our PTX is for compute capability 7.5.
const CAPABILITY: (i32, i32) = (7, 5);
/// `cuMemHostAlloc`: pinned for every context.
const PORTABLE: u32 = 1;

/// Card number `ordinal`, ready to work; whoever opens it uses it in this thread alone.
///
/// # Errors
/// [`CardError`] that says what is missing, and what to do.
pub fn open(ordinal: usize) -> Result<Nvidia, CardError> {
    let (context, card) = find(ordinal)?;
    Nvidia::new(context, card)
}

/// Whether there is a card that can be used, and which.
///
/// # Errors
/// As [`open`].
pub fn available(ordinal: usize) -> Result<Card, CardError> {
    find(ordinal).map(|(_, card)| card)
}

fn find(ordinal: usize) -> Result<(Arc<CudaContext>, Card), CardError> {
    // The binding panics where a driver lacks a function.
    catch_unwind(|| find_or_panic(ordinal)).unwrap_or_else(|_panic| {
        Err(CardError::OldDriver { expected: DRIVER, found: driver_version().unwrap_or_default() })
    })
}

fn find_or_panic(ordinal: usize) -> Result<(Arc<CudaContext>, Card), CardError> {
    // SAFETY: it opens libcuda.so, whose initialisers are what using it would run.
    if !unsafe { sys::is_culib_present() } {
        return Err(CardError::NoDriver);
    }
    let driver = driver_version()?;
    if driver < DRIVER {
        return Err(CardError::OldDriver { expected: DRIVER, found: driver });
    }
    let no_card = |error: DriverError| CardError::NoCard { words: words(error) };
    let count = CudaContext::device_count().map_err(no_card)?;
    if usize::try_from(count).unwrap_or(0) <= ordinal {
        return Err(CardError::NoCard {
            words: format!("number {ordinal} was asked for, and {count} are there"),
        });
    }
    // The primary context: the one that TensorRT uses too.
    let context = CudaContext::new(ordinal).map_err(no_card)?;
    let card = Card {
        name: context.name().map_err(call("cuDeviceGetName"))?,
        capability: context.compute_capability().map_err(call("cuDeviceGetAttribute"))?,
        driver,
        memory: context.total_mem().map_err(call("cuDeviceTotalMem"))?,
    };
    if card.capability < CAPABILITY {
        let (expected, found) = (CAPABILITY, card.capability);
        return Err(CardError::OldCard { expected, found, name: card.name });
    }
    // SAFETY: the flow orders all work by streams and events of its own.
    unsafe { context.disable_event_tracking() };
    Ok((context, card))
}

fn driver_version() -> Result<(i32, i32), CardError> {
    let mut version: c_int = 0;
    // SAFETY: it writes one number, and needs no initialisation.
    unsafe { sys::cuDriverGetVersion(&raw mut version) }.result().map_err(call("cuDriverGetVersion"))?;
    Ok((version / 1000, version % 1000 / 10))
}

fn words(error: DriverError) -> String {
    let text = error.error_string().map(|text| text.to_string_lossy().into_owned());
    text.unwrap_or_else(|unknown| format!("{unknown:?}"))
}

fn call(call: &'static str) -> impl Fn(DriverError) -> CardError {
    move |error| CardError::Call { call, words: words(error) }
}

/// `error`, which may be that `wanted` bytes were too many.
fn memory(function: &'static str, wanted: usize, error: DriverError) -> CardError {
    if error.0 != sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY {
        return call(function)(error);
    }
    let (free, total) = result::mem_get_info().unwrap_or_default();
    CardError::OutOfMemory { wanted, free, total }
}

/// A card that is open.
pub struct Nvidia {
    card: Card,
    // Dropped from the top: what is in the context before the context.
    graphs: Vec<CudaGraph>,
    events: Vec<CudaEvent>,
    streams: Vec<Arc<CudaStream>>,
    memory: Vec<Address>,
    functions: Vec<(&'static str, sys::CUfunction)>,
    module: sys::CUmodule,
    context: Arc<CudaContext>,
}

impl Nvidia {
    fn new(context: Arc<CudaContext>, card: Card) -> Result<Self, CardError> {
        context.bind_to_thread().map_err(call("cuCtxSetCurrent"))?;
        let mut made = Self {
            card,
            graphs: Vec::new(),
            events: Vec::new(),
            streams: Vec::new(),
            memory: Vec::new(),
            functions: Vec::with_capacity(NAMES.len()),
            module: load(PTX)?,
            context,
        };
        for name in NAMES {
            let symbol = CString::new(name).unwrap_or_default();
            // SAFETY: the module was just loaded.
            let function = unsafe { result::module::get_function(made.module, symbol) };
            made.functions.push((name, function.map_err(call("cuModuleGetFunction"))?));
        }
        Ok(made)
    }

    fn stream(&self, stream: Stream) -> Result<&Arc<CudaStream>, CardError> {
        self.streams.get(stream.0).ok_or_else(|| unknown("stream"))
    }

    fn event(&self, event: Event) -> Result<&CudaEvent, CardError> {
        self.events.get(event.0).ok_or_else(|| unknown("event"))
    }
}

fn unknown(what: &str) -> CardError {
    CardError::Call { call: "looking up a handle", words: format!("no such {what} was made here") }
}

/// Loads PTX, keeping the driver's own words when it refuses.
fn load(ptx: &str) -> Result<sys::CUmodule, CardError> {
    let source = CString::new(ptx).unwrap_or_default();
    let mut log = vec![0_u8; 4096];
    let mut options =
        [sys::CUjit_option::CU_JIT_ERROR_LOG_BUFFER, sys::CUjit_option::CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES];
    let mut values = [log.as_mut_ptr().cast::<c_void>(), log.len() as *mut c_void];
    let mut module = std::ptr::null_mut();
    // SAFETY: two options with two values that outlive the call; the source ends in a zero byte.
    let loaded = unsafe {
        sys::cuModuleLoadDataEx(
            &raw mut module,
            source.as_ptr().cast(),
            2,
            options.as_mut_ptr(),
            values.as_mut_ptr(),
        )
    };
    loaded.result().map_err(|error| {
        let said = log.split(|byte| *byte == 0).next().unwrap_or_default();
        let said = String::from_utf8_lossy(said).trim().replace('\n', "; ");
        CardError::Call { call: "cuModuleLoadDataEx", words: format!("{}: {said}", words(error)) }
    })?;
    Ok(module)
}

impl Driver for Nvidia {
    fn card(&self) -> &Card {
        &self.card
    }

    fn allocate(&mut self, bytes: usize) -> Result<Address, CardError> {
        // SAFETY: it is zeroed before anybody sees it.
        let place =
            unsafe { result::malloc_sync(bytes) }.map_err(|error| memory("cuMemAlloc", bytes, error))?;
        self.memory.push(place);
        // SAFETY: just made, of that length.
        unsafe { result::memset_d8_sync(place, 0, bytes) }.map_err(call("cuMemsetD8"))?;
        Ok(place)
    }

    fn pinned(&self) -> PinnedSource {
        let context = Arc::clone(&self.context);
        Arc::new(move |bytes| {
            context.bind_to_thread().map_err(call("cuCtxSetCurrent"))?;
            // SAFETY: it is zeroed before anybody reads it.
            let owner = unsafe { context.alloc_pinned_with_flags::<u8>(bytes.max(1), PORTABLE) };
            let mut owner = owner.map_err(|error| memory("cuMemHostAlloc", bytes, error))?;
            let start = owner.as_mut_ptr().map_err(call("cuMemHostAlloc"))?;
            // SAFETY: that many bytes were just had.
            unsafe { start.write_bytes(0, bytes) };
            // SAFETY: they are initialised now, and the owner's.
            Ok(unsafe { Pinned::new(start, bytes, Box::new(owner)) })
        })
    }

    fn stream(&mut self, priority: Priority) -> Result<Stream, CardError> {
        let (least, greatest) =
            result::stream::get_priority_range().map_err(call("cuCtxGetStreamPriorityRange"))?;
        let priority = if priority == Priority::High { greatest } else { least };
        let stream = self.context.new_stream_with_priority(priority);
        self.streams.push(stream.map_err(call("cuStreamCreateWithPriority"))?);
        Ok(Stream(self.streams.len() - 1))
    }

    fn event(&mut self) -> Result<Event, CardError> {
        // With times, and sleeping where it is waited for: a spinning thread would take a core from the picture.
        let flags = sys::CUevent_flags::CU_EVENT_BLOCKING_SYNC;
        self.events.push(self.context.new_event(Some(flags)).map_err(call("cuEventCreate"))?);
        Ok(Event(self.events.len() - 1))
    }

    unsafe fn upload(
        &mut self,
        from: *const u8,
        to: Address,
        bytes: usize,
        stream: Stream,
    ) -> Result<(), CardError> {
        let stream = Self::stream(self, stream)?.cu_stream();
        // SAFETY: the caller's promise.
        unsafe { sys::cuMemcpyHtoDAsync_v2(to, from.cast(), bytes, stream) }
            .result()
            .map_err(call("cuMemcpyHtoDAsync"))
    }

    unsafe fn download(
        &mut self,
        from: Address,
        to: *mut u8,
        bytes: usize,
        stream: Stream,
    ) -> Result<(), CardError> {
        let stream = Self::stream(self, stream)?.cu_stream();
        // SAFETY: the caller's promise.
        unsafe { sys::cuMemcpyDtoHAsync_v2(to.cast(), from, bytes, stream) }
            .result()
            .map_err(call("cuMemcpyDtoHAsync"))
    }

    unsafe fn fill(
        &mut self,
        place: Address,
        value: u8,
        bytes: usize,
        stream: Stream,
    ) -> Result<(), CardError> {
        let stream = Self::stream(self, stream)?.cu_stream();
        // SAFETY: the caller's promise.
        unsafe { result::memset_d8_async(place, value, bytes, stream) }.map_err(call("cuMemsetD8Async"))
    }

    unsafe fn launch(
        &mut self,
        kernel: &'static str,
        blocks: [u32; 3],
        threads: [u32; 3],
        arguments: &[Argument<'_>],
        stream: Stream,
    ) -> Result<(), CardError> {
        let stream = Self::stream(self, stream)?.cu_stream();
        let function = self.functions.iter().find(|(name, _)| *name == kernel);
        let function = function.ok_or_else(|| unknown("kernel"))?.1;
        // cuLaunchKernel takes the places of arguments and reads as many bytes from there as the kernel's own types have.
        let mut places: Vec<*mut c_void> = arguments
            .iter()
            .map(|argument| match argument {
                Argument::Address(address) => std::ptr::from_ref(address).cast_mut().cast(),
                Argument::Number(number) => std::ptr::from_ref(number).cast_mut().cast(),
                Argument::Surface(surface) => std::ptr::from_ref(*surface).cast_mut().cast(),
                Argument::Overlay(overlay) => std::ptr::from_ref(*overlay).cast_mut().cast(),
                Argument::Plate(plate) => std::ptr::from_ref(*plate).cast_mut().cast(),
            })
            .collect();
        let (blocks, threads) = (blocks.into(), threads.into());
        // SAFETY: the caller's promise; the places outlive the call, which copies what lies there.
        unsafe { result::launch_kernel(function, blocks, threads, 0, stream, &mut places) }
            .map_err(call("cuLaunchKernel"))
    }

    fn record(&mut self, event: Event, stream: Stream) -> Result<(), CardError> {
        Self::event(self, event)?.record(Self::stream(self, stream)?).map_err(call("cuEventRecord"))
    }

    fn wait(&mut self, stream: Stream, event: Event) -> Result<(), CardError> {
        Self::stream(self, stream)?.wait(Self::event(self, event)?).map_err(call("cuStreamWaitEvent"))
    }

    fn synchronise(&mut self, event: Event) -> Result<(), CardError> {
        Self::event(self, event)?.synchronize().map_err(call("cuEventSynchronize"))
    }

    fn has_come(&mut self, event: Event) -> Result<bool, CardError> {
        Self::event(self, event)?.try_is_complete().map_err(call("cuEventQuery"))
    }

    fn milliseconds(&mut self, from: Event, to: Event) -> Result<f32, CardError> {
        Self::event(self, from)?.elapsed_ms(Self::event(self, to)?).map_err(call("cuEventElapsedTime"))
    }

    fn begin_capture(&mut self, stream: Stream) -> Result<(), CardError> {
        let mode = sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        Self::stream(self, stream)?.begin_capture(mode).map_err(call("cuStreamBeginCapture"))
    }

    fn end_capture(&mut self, stream: Stream) -> Result<Graph, CardError> {
        let graph = Self::stream(self, stream)?.end_capture(sys::CUgraphInstantiate_flags(0));
        let graph = graph.map_err(call("cuStreamEndCapture"))?;
        let nothing =
            || CardError::Call { call: "cuStreamEndCapture", words: "nothing was recorded".to_owned() };
        let graph = graph.ok_or_else(nothing)?;
        graph.upload().map_err(call("cuGraphUpload"))?;
        self.graphs.push(graph);
        Ok(Graph(self.graphs.len() - 1))
    }

    unsafe fn launch_graph(&mut self, graph: Graph, _stream: Stream) -> Result<(), CardError> {
        // It goes where it was recorded, which is the stream that the flow names.
        self.graphs.get(graph.0).ok_or_else(|| unknown("graph"))?.launch().map_err(call("cuGraphLaunch"))
    }

    fn raw(&self, stream: Stream) -> Result<*mut c_void, CardError> {
        Ok(Self::stream(self, stream)?.cu_stream().cast())
    }
}

impl Drop for Nvidia {
    fn drop(&mut self) {
        let mut freed = self.context.synchronize();
        self.graphs.clear();
        for place in std::mem::take(&mut self.memory) {
            // SAFETY: ours, once, and nothing runs any more.
            freed = freed.and(unsafe { result::free_sync(place) });
        }
        // SAFETY: ours, once; its functions are not used any more.
        freed = freed.and(unsafe { result::module::unload(self.module) });
        if let Err(error) = freed {
            tracing::warn!(error = words(error), "what was on the card could not be freed");
        }
    }
}
