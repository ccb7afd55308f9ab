//! An allocator for guests that own nothing between two events: it hands out memory upwards
//! and starts again from the bottom when the last allocation has been freed.

use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32::{memory_grow, memory_size};
use core::cell::Cell;
use core::ptr;

const PAGE: usize = 1 << 16;

unsafe extern "C" {
    static __heap_base: u8;
}

struct Arena {
    top: Cell<usize>,
    live: Cell<usize>,
}

// SAFETY: the guest has one thread.
unsafe impl Sync for Arena {}

#[global_allocator]
static ARENA: Arena = Arena { top: Cell::new(0), live: Cell::new(0) };

// SAFETY: `top` only moves down when nothing is live, so no two allocations overlap, and each
// lies below the end of memory.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if self.live.get() == 0 {
            self.top.set(&raw const __heap_base as usize);
        }
        let start = self.top.get().next_multiple_of(layout.align());
        let Some(end) = start.checked_add(layout.size()) else { return ptr::null_mut() };
        let room = memory_size::<0>() * PAGE;
        if end > room && memory_grow::<0>((end - room).div_ceil(PAGE)) == usize::MAX {
            return ptr::null_mut();
        }
        self.top.set(end);
        self.live.set(self.live.get() + 1);
        start as *mut u8
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {
        self.live.set(self.live.get() - 1);
    }
}
