//! The system calls that no crate wraps safely. All `unsafe` of the lab's networks is here.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// CAP_SYS_TIME of linux/capability.h: the right to set or steer a clock.
const CAP_SYS_TIME: libc::c_ulong = 25;

/// The texts for /proc/self/{uid_map,gid_map} that make the caller root of its user namespace.
#[derive(Clone, Debug)]
pub(super) struct IdMaps {
    uid: Vec<u8>,
    gid: Vec<u8>,
}

impl IdMaps {
    /// Maps root inside to whoever runs this process.
    pub(super) fn of_this_process() -> Self {
        // SAFETY: geteuid and getegid take nothing, touch no memory and cannot fail.
        let (uid, gid) = unsafe { (libc::geteuid(), libc::getegid()) };
        Self {
            uid: format!("0 {uid} 1").into_bytes(),
            gid: format!("0 {gid} 1").into_bytes(),
        }
    }
}

/// True when the effective user is root, of this user namespace.
pub(super) fn is_root() -> bool {
    // SAFETY: geteuid takes nothing, touches no memory and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// A new user namespace, in which the caller is root, and a new network namespace that it owns.
///
/// Makes only system calls and does not allocate, so it may run between fork and exec. The kernel
/// refuses it (EINVAL) to a process with more than one thread.
pub(super) fn enter_user_and_network(maps: &IdMaps) -> io::Result<()> {
    unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNET)?;
    // A gid map may be written without privilege only once setgroups is given up.
    write_file(c"/proc/self/setgroups", b"deny")?;
    write_file(c"/proc/self/uid_map", &maps.uid)?;
    write_file(c"/proc/self/gid_map", &maps.gid)
}

/// A new network namespace for the calling thread.
pub(super) fn enter_network() -> io::Result<()> {
    unshare(libc::CLONE_NEWNET)
}

/// Moves the calling thread into the network namespace behind `fd`.
pub(super) fn set_network(fd: &File) -> io::Result<()> {
    set_network_fd(fd.as_raw_fd())
}

/// Has `command`'s process enter a sandbox before it executes, and die with the thread that starts
/// it. `or_network_only`: root falls back to a bare network namespace where user namespaces are
/// refused.
pub(super) fn sandbox_on_exec(command: &mut Command, maps: IdMaps, or_network_only: bool) {
    let hook = move || {
        die_with_parent()?;
        match enter_user_and_network(&maps) {
            Err(_) if or_network_only => enter_network(),
            result => result,
        }
    };
    // SAFETY: the hook runs in the child between fork and exec; it makes only async-signal-safe
    // system calls on memory that was prepared before the fork, and neither allocates nor locks.
    unsafe { command.pre_exec(hook) };
}

/// Has `command`'s process join the network namespace `fd`, lose the right to set clocks, and die
/// with the thread that starts it. `fd` must stay open until the command was spawned.
pub(super) fn join_on_exec(command: &mut Command, fd: &File) {
    let fd = fd.as_raw_fd();
    let hook = move || {
        set_network_fd(fd)?;
        die_with_parent()?;
        drop_right_to_set_clocks();
        Ok(())
    };
    // SAFETY: as above: only async-signal-safe system calls, no allocation, no lock.
    unsafe { command.pre_exec(hook) };
}

/// Has the kernel answer every attempt of `command`'s process to steer a clock with success, and do nothing (seccomp(2)).
pub(super) fn ignore_steering_on_exec(command: &mut Command) {
    const SUCCESS: u32 = libc::SECCOMP_RET_ERRNO;
    let step = |code, jt, k| libc::sock_filter { code, jt, jf: 0, k };
    let call = |number: libc::c_long| u32::try_from(number).unwrap_or(u32::MAX);
    let mut filter = [
        // BPF_LD | BPF_W | BPF_ABS: the system call's number
        step(0x20, 0, 0),
        // BPF_JMP | BPF_JEQ | BPF_K
        step(0x15, 2, call(libc::SYS_clock_adjtime)),
        step(0x15, 1, call(libc::SYS_adjtimex)),
        // BPF_RET | BPF_K
        step(0x06, 0, libc::SECCOMP_RET_ALLOW),
        step(0x06, 0, SUCCESS),
    ];
    let hook = move || {
        let program = libc::sock_fprog {
            len: 5,
            filter: filter.as_mut_ptr(),
        };
        let (on, off, mode): (libc::c_ulong, libc::c_ulong, libc::c_ulong) =
            (1, 0, libc::c_ulong::from(libc::SECCOMP_MODE_FILTER));
        // SAFETY: PR_SET_NO_NEW_PRIVS takes numbers; without it a filter takes a privilege.
        check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, on, off, off, off) })?;
        // SAFETY: PR_SET_SECCOMP reads `program` and the five instructions that it points to, which live until it returns.
        check(unsafe { libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program) })
    };
    // SAFETY: as above: only async-signal-safe system calls, no allocation, no lock.
    unsafe { command.pre_exec(hook) };
}

/// Sends `signal` to the process `pid`.
pub(super) fn kill(pid: u32, signal: libc::c_int) -> io::Result<()> {
    let pid = libc::pid_t::try_from(pid).map_err(io::Error::other)?;
    // SAFETY: kill takes two numbers and touches no memory of ours.
    check(unsafe { libc::kill(pid, signal) })
}

fn unshare(flags: libc::c_int) -> io::Result<()> {
    // SAFETY: unshare takes flags and touches no memory of ours.
    check(unsafe { libc::unshare(flags) })
}

fn set_network_fd(fd: RawFd) -> io::Result<()> {
    // SAFETY: setns takes two numbers; a bad descriptor is an error, not undefined behaviour.
    check(unsafe { libc::setns(fd, libc::CLONE_NEWNET) })
}

fn die_with_parent() -> io::Result<()> {
    let signal: libc::c_ulong = 9;
    // SAFETY: PR_SET_PDEATHSIG takes a signal number and touches no memory of ours.
    check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, signal) })
}

fn drop_right_to_set_clocks() {
    // SAFETY: PR_CAPBSET_DROP takes a capability number and touches no memory of ours. It fails
    // only without CAP_SETPCAP, and then CAP_SYS_TIME is not there to be lost either.
    unsafe { libc::prctl(libc::PR_CAPBSET_DROP, CAP_SYS_TIME) };
}

/// Writes `bytes` to an existing file in one call, without allocating.
fn write_file(path: &CStr, bytes: &[u8]) -> io::Result<()> {
    // SAFETY: `path` is a NUL-terminated string that outlives the call.
    let fd = unsafe { libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC) };
    check(fd)?;
    // SAFETY: `bytes` is valid for its length during the call; `fd` was opened above.
    let written = unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) };
    let result = if written < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    };
    // SAFETY: `fd` was opened above, is owned here and is not used afterwards.
    unsafe { libc::close(fd) };
    result
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
