//! Memory as GStreamer's CUDA library makes it, on a machine without a card: its type is theirs, its bytes are this machine's, and only
//! who maps it for a card is told where they are.

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gstpolyp::card::CardMap;

/// `GST_MAP_CUDA`.
const MAP_CUDA: gst::ffi::GstMapFlags = gst::ffi::GST_MAP_FLAG_LAST << 1;

mod imp {
    use super::*;

    #[repr(C)]
    struct Memory {
        memory: gst::ffi::GstMemory,
        bytes: Vec<u8>,
    }

    #[derive(Default)]
    pub struct CardAllocator;

    impl ObjectImpl for CardAllocator {}
    impl GstObjectImpl for CardAllocator {}

    // SAFETY: what `alloc` makes is a `GstMemory` with this allocator, and `free` is its end.
    unsafe impl AllocatorImpl for CardAllocator {
        unsafe fn alloc(&self, size: usize, _params: &gst::AllocationParams) -> *mut gst::ffi::GstMemory {
            // SAFETY: the instance is alive.
            unsafe { make(self.obj().as_ptr().cast(), vec![0; size]) }
        }

        unsafe fn free(&self, memory: *mut gst::ffi::GstMemory) {
            // SAFETY: `make` made it, and this is called once.
            drop(unsafe { Box::from_raw(memory.cast::<Memory>()) });
        }
    }

    #[glib::object_subclass]
    impl ObjectSubclass for CardAllocator {
        const NAME: &'static str = "PolypTestCardAllocator";
        type Type = super::CardAllocator;
        type ParentType = gst::Allocator;

        fn instance_init(obj: &glib::subclass::InitializingObject<Self>) {
            // SAFETY: an instance that is being made.
            let allocator = unsafe { &mut *obj.as_ptr().cast::<gst::ffi::GstAllocator>() };
            allocator.mem_type = c"gst.cuda.memory".as_ptr();
            allocator.mem_map = Some(map);
            allocator.mem_unmap = Some(unmap);
            allocator.mem_copy = Some(copy);
            allocator.mem_share = None;
        }
    }

    /// # Safety
    /// `allocator` is one.
    unsafe fn make(allocator: *mut gst::ffi::GstAllocator, bytes: Vec<u8>) -> *mut gst::ffi::GstMemory {
        let size = bytes.len();
        // SAFETY: plain numbers and pointers, which `gst_memory_init` sets.
        let memory: gst::ffi::GstMemory = unsafe { std::mem::zeroed() };
        let made = Box::into_raw(Box::new(Memory { memory, bytes })).cast();
        // SAFETY: room for a memory; the allocator is the caller's.
        unsafe {
            gst::ffi::gst_memory_init(made, 0, allocator, std::ptr::null_mut(), size, 0, 0, size);
        }
        made
    }

    unsafe extern "C" fn map(
        memory: *mut gst::ffi::GstMemory,
        _size: usize,
        flags: gst::ffi::GstMapFlags,
    ) -> glib::ffi::gpointer {
        if flags & MAP_CUDA == 0 {
            return std::ptr::null_mut();
        }
        // SAFETY: `make` made it.
        unsafe { (*memory.cast::<Memory>()).bytes.as_mut_ptr().cast() }
    }

    unsafe extern "C" fn unmap(_memory: *mut gst::ffi::GstMemory) {}

    unsafe extern "C" fn copy(
        memory: *mut gst::ffi::GstMemory,
        _offset: isize,
        _size: isize,
    ) -> *mut gst::ffi::GstMemory {
        // SAFETY: `make` made it, and its allocator lives as long; nobody writes meanwhile.
        unsafe { make((*memory).allocator, (*memory.cast::<Memory>()).bytes.clone()) }
    }
}

glib::wrapper! {
    /// Makes such memory.
    pub struct CardAllocator(ObjectSubclass<imp::CardAllocator>) @extends gst::Allocator, gst::Object;
}

/// A buffer in such memory with those bytes.
pub(crate) fn on_card(bytes: &[u8]) -> gst::Buffer {
    let allocator: CardAllocator = glib::Object::new();
    let mut buffer = gst::Buffer::new();
    let writable = buffer.get_mut().unwrap();
    writable.append_memory(allocator.alloc(bytes.len(), None).unwrap());
    let map = CardMap::write(writable).unwrap();
    assert_eq!(map.bytes(), bytes.len());
    // SAFETY: memory of this machine, that long, which nobody else has yet.
    unsafe { std::slice::from_raw_parts_mut(map.address() as *mut u8, bytes.len()) }.copy_from_slice(bytes);
    drop(map);
    buffer
}

/// What lies in such a buffer.
pub(crate) fn card_bytes(buffer: &gst::Buffer) -> Vec<u8> {
    let map = CardMap::read(buffer).unwrap();
    // SAFETY: memory of this machine, that long, which is mapped to be read.
    unsafe { std::slice::from_raw_parts(map.address() as *const u8, map.bytes()) }.to_vec()
}

/// Where it lies.
pub(crate) fn place(buffer: &gst::Buffer) -> u64 {
    CardMap::read(buffer).unwrap().address()
}
