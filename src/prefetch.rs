//! Asks for cache lines before they are needed. A leaf of its own, with the one `unsafe` outside of `ring`: core,
//! telemetry and ring use it.
//!
//! Rings are larger than a core's own cache, and a frame of 2 KiB is no neighbour of the next one that the
//! processor would guess: without it each frame costs some misses, at a tenth of a microsecond each.

/// Bytes of a cache line; where they are fewer or more, some requests are in vain.
pub(crate) const LINE: usize = 64;

/// Asks for all of a value. Reads and writes nothing.
#[inline]
pub(crate) fn value<T: ?Sized>(value: &T) {
    let start = std::ptr::from_ref(value).cast::<u8>();
    let into_line = start.addr() % LINE;
    lines(start, (into_line + size_of_val(value)).div_ceil(LINE));
}

/// Asks for the first `lines` lines at `start`. Reads and writes nothing.
#[inline]
pub(crate) fn lines(start: *const u8, lines: usize) {
    for line in 0..lines {
        one(start.wrapping_add(line * LINE));
    }
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn one(address: *const u8) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: a hint; it cannot fault, whatever the address.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
}

#[cfg(target_arch = "aarch64")]
#[inline]
fn one(address: *const u8) {
    // SAFETY: a hint; it cannot fault, whatever the address.
    unsafe {
        std::arch::asm!(
            "prfm pldl1keep, [{}]",
            in(reg) address,
            options(nostack, readonly, preserves_flags)
        );
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
#[inline]
fn one(_address: *const u8) {}
