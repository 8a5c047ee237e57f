//! Counts what a thread allocates.
//!
//! A test binary that wants to count says
//!
//! ```
//! #[global_allocator]
//! static ALLOCATOR: testkit::alloc::Counting = testkit::alloc::Counting;
//!
//! let (allocations, bytes) = testkit::alloc::count(|| drop(vec![0u8; 100]));
//! assert_eq!((allocations, bytes), (1, 100));
//! ```

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, which remembers for each thread how often it was asked and for how much.
pub struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<u64> = const { Cell::new(0) };
}

/// How often `work` made this thread allocate, and how many bytes in all.
///
/// What grows in place counts as an allocation of its new size; what is given back counts for
/// nothing. Without [`Counting`] as the global allocator both are zero: a test that expects zero
/// shall first see that something else counts.
pub fn count(work: impl FnOnce()) -> (u64, u64) {
    let before = (ALLOCATIONS.get(), BYTES.get());
    work();
    (ALLOCATIONS.get() - before.0, BYTES.get() - before.1)
}

fn note(size: usize) {
    // While a thread ends its counters may be gone already.
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
    let _ = BYTES.try_with(|count| count.set(count.get() + size as u64));
}

#[expect(unsafe_code, reason = "an allocator can only be counted by being one")]
// SAFETY: every call goes to the system's allocator unchanged, and counting neither allocates nor
// unwinds: the counters are `const` initialised cells without a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on; `pointer` came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size);
        // SAFETY: the caller's promise is passed on; `pointer` came from `System`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[global_allocator]
    static ALLOCATOR: Counting = Counting;

    #[test]
    fn counts_this_thread_only() {
        let (allocations, bytes) = count(|| {
            std::thread::scope(|scope| {
                scope.spawn(|| drop(std::hint::black_box(vec![0u8; 1 << 20])));
            });
        });
        assert!(allocations > 0 && bytes < 1 << 16, "{allocations} allocations, {bytes} bytes");
        assert_eq!(count(|| drop(std::hint::black_box(Box::new([0u64; 4])))), (1, 32));
        assert_eq!(count(|| ()), (0, 0));
    }
}
