//! What the process asks of the system for itself, and what it has used.

use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd as _, BorrowedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::sys::{check, get_option};

/// The user whose rights the process has.
#[must_use]
pub fn effective_user() -> u32 {
    // SAFETY: geteuid takes nothing, and always succeeds.
    unsafe { libc::geteuid() }
}

/// Sets how late timers of this thread may fire, in nanoseconds (PR_SET_TIMERSLACK); the default of
/// 50 us would double a short sweep interval.
///
/// # Errors
/// The system's.
pub fn set_timer_slack(ns: u64) -> io::Result<()> {
    let ns = libc::c_ulong::try_from(ns).unwrap_or(libc::c_ulong::MAX);
    // SAFETY: PR_SET_TIMERSLACK takes one integer.
    check(unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, ns) })
}

/// Keeps what is in memory now from being paged out. To be called after all is allocated; memory
/// allocated later is not locked, because a limit on it would then end the process.
///
/// # Errors
/// The system's; EPERM or ENOMEM where RLIMIT_MEMLOCK is too low.
pub fn lock_memory() -> io::Result<()> {
    // SAFETY: mlockall takes flags only.
    check(unsafe { libc::mlockall(libc::MCL_CURRENT) })
}

/// How many bytes this process may lock (RLIMIT_MEMLOCK, the soft limit); `None` is no limit.
#[must_use]
pub fn locked_memory_limit() -> Option<u64> {
    let mut limit = MaybeUninit::<libc::rlimit>::zeroed();
    // SAFETY: getrlimit writes one rlimit.
    check(unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, limit.as_mut_ptr()) }).ok()?;
    // SAFETY: zeroed at first and filled by the kernel; it holds integers only.
    let current = unsafe { limit.assume_init() }.rlim_cur;
    #[allow(
        clippy::useless_conversion,
        reason = "rlim_t has 32 bits on some machines"
    )]
    let bytes = u64::from(current);
    (current != libc::RLIM_INFINITY).then_some(bytes)
}

/// Bytes that the system can give without swapping (MemAvailable of /proc/meminfo), if it says so.
#[must_use]
pub fn available_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let kib = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    kib.split_whitespace()
        .next()?
        .parse::<u64>()
        .ok()?
        .checked_mul(1024)
}

/// From now on no other process of the same user may look into this one's memory, and none of it goes into a core
/// dump (PR_SET_DUMPABLE).
///
/// # Errors
/// The system's.
pub fn keep_memory_private() -> io::Result<()> {
    // SAFETY: PR_SET_DUMPABLE takes one integer.
    check(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0) })
}

/// Starts a process that runs `work` and ends. It has a stream to this one, and `keep` of the descriptors that are open now; no
/// others. It ends neither by the terminal nor by the service manager's SIGTERM: by the end of the stream.
///
/// To be called while there is one thread only: others would not go on in it, nor give back a lock that they hold.
///
/// # Errors
/// The system's.
pub(in crate::ring) fn fork(
    name: &CStr,
    keep: &[RawFd],
    work: impl FnOnce(UnixStream),
) -> io::Result<UnixStream> {
    let (ours, theirs) = UnixStream::pair()?;
    // SAFETY: ignoring SIGCHLD is a valid disposition, and calls nothing of ours. So a process that has ended leaves nothing
    // behind, and nobody has to wait for it.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    // SAFETY: there is one thread (see above), so that every lock is free in the new process.
    let id = unsafe { libc::fork() };
    if id < 0 {
        return Err(io::Error::last_os_error());
    }
    if id > 0 {
        return Ok(ours);
    }
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
        // SAFETY: as above.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
    // SAFETY: PR_SET_NAME reads a string with its end in it.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
    for descriptor in FIRST_OF_OURS..MOST_DESCRIPTORS {
        if descriptor != theirs.as_raw_fd() && !keep.contains(&descriptor) {
            // SAFETY: whatever of this program owns it is never used again in this process, nor dropped: it ends by _exit.
            unsafe { libc::close(descriptor) };
        }
    }
    // A panic must not unwind into what the other process goes on with.
    let outcome = catch_unwind(AssertUnwindSafe(|| work(theirs)));
    // SAFETY: ends the process without running anything else.
    unsafe { libc::_exit(i32::from(outcome.is_err())) }
}

/// After standard input, output and error.
const FIRST_OF_OURS: RawFd = 3;
/// More than are open when a process is made here.
const MOST_DESCRIPTORS: RawFd = 256;

/// Gives this thread a real-time priority, 1 to 99 (SCHED_FIFO).
///
/// # Errors
/// The system's; EPERM without CAP_SYS_NICE or RLIMIT_RTPRIO.
pub fn set_realtime(priority: u8) -> io::Result<()> {
    // SAFETY: sched_param holds integers only: all zeroes is a valid value.
    let mut parameters: libc::sched_param = unsafe { std::mem::zeroed() };
    parameters.sched_priority = i32::from(priority);
    // Threads that it starts later answer questions: they do not inherit the priority.
    let policy = libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK;
    // The system call itself: musl's function of this name does nothing.
    // SAFETY: `parameters` outlives the call; 0 is the calling thread.
    let result = unsafe {
        libc::syscall(
            libc::SYS_sched_setscheduler,
            0,
            policy,
            &raw const parameters,
        )
    };
    check(libc::c_int::try_from(result).unwrap_or(-1))
}

/// Lets this thread give way to others (nice 10): for what may wait.
///
/// # Errors
/// The system's.
pub fn be_nice() -> io::Result<()> {
    // SAFETY: setpriority takes integers only; 0 is the calling thread.
    check(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 10) })
}

/// The effective user of this process.
#[must_use]
pub fn user() -> u32 {
    // SAFETY: geteuid takes nothing and cannot fail.
    unsafe { libc::geteuid() }
}

/// The user at the other end of a Unix socket, as it was when that end connected (SO_PEERCRED).
///
/// # Errors
/// The system's.
pub fn peer_user(socket: BorrowedFd<'_>) -> io::Result<u32> {
    get_option::<libc::ucred>(socket, libc::SOL_SOCKET, libc::SO_PEERCRED).map(|peer| peer.uid)
}

/// The process at the other end of a Unix socket: the one that listens, or that connected (SO_PEERCRED).
///
/// # Errors
/// The system's.
pub fn peer_process(socket: BorrowedFd<'_>) -> io::Result<u32> {
    let peer = get_option::<libc::ucred>(socket, libc::SOL_SOCKET, libc::SO_PEERCRED)?;
    u32::try_from(peer.pid).map_err(io::Error::other)
}

/// CPU time that this process used so far, in user space and in the kernel.
#[must_use]
pub fn cpu_time() -> Duration {
    usage().map_or(Duration::ZERO, |usage| {
        duration(usage.ru_utime) + duration(usage.ru_stime)
    })
}

/// The most memory that this process held at once, in KiB.
#[must_use]
pub fn peak_rss_kib() -> u64 {
    usage().map_or(0, |usage| u64::try_from(usage.ru_maxrss).unwrap_or(0))
}

fn usage() -> Option<libc::rusage> {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: getrusage writes one rusage.
    check(unsafe { libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) }).ok()?;
    // SAFETY: zeroed at first and filled by the kernel; it holds integers only.
    Some(unsafe { usage.assume_init() })
}

fn duration(time: libc::timeval) -> Duration {
    Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or(0))
        + Duration::from_micros(u64::try_from(time.tv_usec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_grows_with_work() {
        let before = cpu_time();
        let mut sum = 0_u64;
        while cpu_time() < before + Duration::from_millis(5) {
            sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(7));
        }
        assert!(cpu_time() >= before + Duration::from_millis(5));
        assert!(peak_rss_kib() > 100);
    }

    #[test]
    fn limits_and_memory_are_read() {
        assert!(available_memory().unwrap() > 1 << 20);
        assert!(locked_memory_limit().is_none_or(|bytes| bytes < 1 << 60));
    }

    #[test]
    fn memory_is_private_once_that_was_asked_for() {
        let dumpable = || {
            // SAFETY: PR_GET_DUMPABLE takes no argument.
            unsafe { libc::prctl(libc::PR_GET_DUMPABLE) }
        };
        let before = dumpable();
        keep_memory_private().unwrap();
        assert_eq!(dumpable(), 0);
        // SAFETY: as above: the other tests go on as before.
        assert_eq!(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, before) }, 0);
    }

    #[test]
    fn the_other_end_of_a_socket_is_this_user() {
        use std::os::fd::AsFd as _;
        let (here, _there) = std::os::unix::net::UnixStream::pair().unwrap();
        assert_eq!(peer_user(here.as_fd()).unwrap(), user());
        let file = std::fs::File::open("/proc/self/exe").unwrap();
        assert!(peer_user(file.as_fd()).is_err(), "no socket");
    }

    #[test]
    fn timer_slack_is_taken() {
        std::thread::spawn(|| {
            set_timer_slack(1_000).unwrap();
            // SAFETY: PR_GET_TIMERSLACK takes no argument.
            assert_eq!(unsafe { libc::prctl(libc::PR_GET_TIMERSLACK) }, 1_000);
        })
        .join()
        .unwrap();
    }
}
