//! Memory for one event at a time: handed out upwards, taken back whole when the next one comes.

use core::arch::wasm32::{memory_grow, memory_size};
use core::cell::Cell;
use core::slice;

const PAGE: usize = 1 << 16;

unsafe extern "C" {
    static __heap_base: u8;
}

/// A value in static memory.
pub struct Global<T>(Cell<T>);

// SAFETY: the guest has one thread.
unsafe impl<T> Sync for Global<T> {}

impl<T: Copy> Global<T> {
    const fn new(value: T) -> Self {
        Self(Cell::new(value))
    }

    pub fn get(&self) -> T {
        self.0.get()
    }

    pub fn set(&self, value: T) {
        self.0.set(value);
    }
}

pub static COUNT: Global<u64> = Global::new(0);
pub static FREES: Global<u64> = Global::new(0);
static TOP: Global<usize> = Global::new(0);

/// A piece of linear memory, whether or not it exists.
#[derive(Clone, Copy)]
pub struct Region {
    pub start: usize,
    pub length: usize,
}

impl Region {
    pub const EMPTY: Self = Self { start: 0, length: 0 };

    pub fn of(bytes: &[u8]) -> Self {
        Self { start: bytes.as_ptr() as usize, length: bytes.len() }
    }

    /// The region as `fnhost_handle` answers it.
    pub fn packed(self) -> u64 {
        (self.start as u64) << 32 | self.length as u64
    }

    pub fn after(self, bytes: usize) -> Self {
        Self { start: self.start + bytes, length: self.length - bytes }
    }

    pub fn bytes(&self) -> &[u8] {
        // SAFETY: asked only of regions that the host or `take` made, which lie in memory.
        unsafe { slice::from_raw_parts(self.start as *const u8, self.length) }
    }
}

/// Takes back everything that was handed out.
pub fn start_over() {
    TOP.set(&raw const __heap_base as usize);
}

/// Hands out a region, and grows memory for it; a refusal traps.
pub fn take(length: usize) -> Region {
    let start = TOP.get().max(&raw const __heap_base as usize);
    let Some(end) = start.checked_add(length) else { core::arch::wasm32::unreachable() };
    let room = memory_size::<0>() * PAGE;
    if end > room && memory_grow::<0>((end - room).div_ceil(PAGE)) == usize::MAX {
        core::arch::wasm32::unreachable();
    }
    TOP.set(end);
    Region { start, length }
}

pub fn copy(bytes: &[u8]) -> Region {
    place(take(bytes.len()), bytes)
}

/// Copies to pages that did not exist before this call.
pub fn on_new_pages(bytes: &[u8]) -> Region {
    let before = memory_grow::<0>(bytes.len().div_ceil(PAGE).max(1));
    if before == usize::MAX {
        core::arch::wasm32::unreachable();
    }
    place(Region { start: before * PAGE, length: bytes.len() }, bytes)
}

fn place(region: Region, bytes: &[u8]) -> Region {
    // SAFETY: the region is as long as `bytes`, lies in memory, and nothing else was handed out there.
    unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), region.start as *mut u8, region.length) };
    region
}
