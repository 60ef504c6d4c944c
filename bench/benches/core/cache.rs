//! Cache misses of the processor, where the machine lets a program count them (perf_event_open(2)).

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::FromRawFd as _;

const HARDWARE: u32 = 0;
const CACHE_MISSES: u64 = 3;
/// `exclude_kernel` and `exclude_hv`.
const USER_ONLY: u64 = 1 << 5 | 1 << 6;

/// `struct perf_event_attr`, its first version.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    kind: u32,
    size: u32,
    config: u64,
    period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    breakpoint: u32,
    config1: u64,
}

/// Misses of the last-level cache while `work` runs; `None` where they cannot be counted.
pub(crate) fn count(work: impl FnOnce()) -> Option<u64> {
    let counter = open();
    let before = counter.as_ref().ok().and_then(read);
    work();
    let after = counter.as_ref().ok().and_then(read);
    Some(after?.saturating_sub(before?))
}

/// Whether they can be counted here, and if not, why.
pub(crate) fn availability() -> String {
    match open() {
        Ok(_) => "counted".into(),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            format!("not counted ({error}): needs kernel.perf_event_paranoid of at most 2")
        }
        Err(error) => format!("not counted, this machine has no counter for them ({error})"),
    }
}

fn open() -> io::Result<File> {
    let attributes = Attributes {
        kind: HARDWARE,
        size: u32::try_from(size_of::<Attributes>()).unwrap_or(0),
        config: CACHE_MISSES,
        flags: USER_ONLY,
        ..Attributes::default()
    };
    // SAFETY: `attributes` outlives the call and says its size; this thread, any processor, no group.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            &raw const attributes,
            0,
            -1,
            -1,
            0,
        )
    };
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just made this descriptor and nobody else owns it.
    Ok(unsafe { File::from_raw_fd(fd) })
}

fn read(counter: &File) -> Option<u64> {
    let mut value = [0; 8];
    let mut counter = counter;
    counter.read_exact(&mut value).ok()?;
    Some(u64::from_ne_bytes(value))
}
