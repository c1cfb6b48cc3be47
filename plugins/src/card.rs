//! Buffers in a card's memory, which elements read and paint where they lie.
//!
//! GStreamer's CUDA library makes such memory and this plugin never does: it knows it by its name and maps it with
//! that library's own flag, so that nothing of CUDA is linked or opened for it. The map then is the card's address, and only a
//! card may follow it.
//!
//! Not here: what is done there ([`polyp_engine::cuda`]), and where planes lie in a map ([`crate::picture`]).
#![allow(unsafe_code, reason = "the bindings map memory as bytes alone, which a card's address is not")]

use std::mem::MaybeUninit;

use crate::picture::PictureError;

/// The caps feature of such buffers.
pub const FEATURE: &str = "memory:CUDAMemory";

/// The type of their memory.
const MEMORY: &str = "gst.cuda.memory";

/// `GST_MAP_CUDA`: the map is the card's address.
const MAP_CUDA: gst::ffi::GstMapFlags = gst::ffi::GST_MAP_FLAG_LAST << 1;

/// A map of such a buffer. Its memory stays, and stays mapped, as long as this lives.
#[derive(Debug)]
pub struct CardMap {
    info: gst::ffi::GstMapInfo,
    /// The buffer that is read: it does not go back to its pool meanwhile.
    _read: Option<gst::Buffer>,
}

// SAFETY: memory and buffers are counted atomically and may be let go anywhere; the address is not followed here.
unsafe impl Send for CardMap {}

impl CardMap {
    /// Maps `buffer` to be read. It is held until this is dropped, in whatever thread.
    ///
    /// # Errors
    /// [`PictureError::Memory`] when it is not a card's memory, [`PictureError::Map`] when it can not be mapped.
    pub fn read(buffer: &gst::Buffer) -> Result<Self, PictureError> {
        is_on_card(buffer)?;
        // SAFETY: a buffer that this function has.
        let info = unsafe { map(buffer.as_mut_ptr(), buffer.size(), gst::ffi::GST_MAP_READ) }?;
        Ok(Self { info, _read: Some(buffer.clone()) })
    }

    /// Maps `buffer` to be changed. Memory that somebody else has or reads is copied by its own allocator before, on the
    /// card, and the buffer has the copy from then on.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn write(buffer: &mut gst::BufferRef) -> Result<Self, PictureError> {
        is_on_card(buffer)?;
        // SAFETY: a buffer that this function alone has.
        let info = unsafe { map(buffer.as_mut_ptr(), buffer.size(), gst::ffi::GST_MAP_READWRITE) }?;
        Ok(Self { info, _read: None })
    }

    /// Where it begins, as the card counts.
    pub fn address(&self) -> u64 {
        self.info.data as u64
    }

    /// How long it is, in bytes.
    pub fn bytes(&self) -> usize {
        self.info.size
    }
}

impl Drop for CardMap {
    fn drop(&mut self) {
        // SAFETY: what `gst_buffer_unmap` does; the map has a reference of its own to its memory. Done once.
        unsafe {
            gst::ffi::gst_memory_unmap(self.info.memory, &raw mut self.info);
            gst::ffi::gst_memory_unref(self.info.memory);
        }
    }
}

/// Whether `buffer` is what its caps promise: one memory, on a card.
fn is_on_card(buffer: &gst::BufferRef) -> Result<(), PictureError> {
    // Several memories would be merged into one, which only the CPU can do.
    let count = buffer.n_memory();
    if count == 1 && buffer.peek_memory(0).is_type(MEMORY) {
        return Ok(());
    }
    let kind = if count == 1 { "one of another type".to_owned() } else { count.to_string() };
    Err(PictureError::Memory { expected: format!("one memory of the type {MEMORY}"), found: kind })
}

/// # Safety
/// `buffer` is a buffer, and the caller's alone when it is mapped to be changed.
unsafe fn map(
    buffer: *mut gst::ffi::GstBuffer,
    bytes: usize,
    access: gst::ffi::GstMapFlags,
) -> Result<gst::ffi::GstMapInfo, PictureError> {
    let mut info = MaybeUninit::zeroed();
    // SAFETY: the caller's promise; `info` is room for what is written.
    let mapped = unsafe { gst::ffi::gst_buffer_map(buffer, info.as_mut_ptr(), access | MAP_CUDA) };
    if mapped == gst::glib::ffi::GFALSE {
        let message = "its memory can not be mapped for the card".to_owned();
        return Err(PictureError::Map { bytes, message });
    }
    // SAFETY: it was zeroed, which is a value of its type, and is filled in now.
    Ok(unsafe { info.assume_init() })
}
