//! Least privilege: what the process keeps once its interfaces are open.
//!
//! It reads whatever an untrusted segment sends. Should that ever find a way in, there is little to be
//! had: no capability, no way to get one back, and only the system calls that forwarding makes. What these
//! leave: frames on the two segments, datagrams to any address (a message's address is in memory, where no
//! filter sees it), and whatever files its user may read.
//!
//! Hardware timestamps need a right as long as it runs. A process of its own has it, [confined](keeper) as well, which
//! reads no frame and takes no orders but to look whether they are on.
//!
//! Two steps, because capabilities belong to a thread and the filter to all of them:
//! [`drop_capabilities`] while there is one thread only, [`allow_calls`] when all is open. What is needed
//! only to start (packet sockets, rings, listeners, priorities, eBPF programs) comes before; threads that
//! are made later inherit both.

use anyhow::{Context as _, Result};
pub use caps::Capability;
use caps::{CapSet, CapsHashSet};
use log::warn;

/// Gives up every capability but these. (Binding the rings again to an interface that was made anew takes
/// none.)
///
/// # Errors
/// When the system refuses to take a capability away.
pub fn drop_capabilities(keep: &[Capability]) -> Result<()> {
    let mut keep: CapsHashSet = keep.iter().copied().collect();
    let permitted = caps::read(None, CapSet::Permitted).context("reading the capabilities")?;
    keep.retain(|capability| permitted.contains(capability));
    // Ambient ones can only be had with inheritable ones: those go first.
    for set in [CapSet::Inheritable, CapSet::Effective, CapSet::Permitted] {
        let keep = match set {
            CapSet::Inheritable => &CapsHashSet::new(),
            _ => &keep,
        };
        caps::set(None, set, keep).with_context(|| format!("giving up capabilities ({set:?})"))?;
    }
    Ok(())
}

/// From now on this process and all of its threads make only the calls of the list in `calls`, and no
/// program that it could start would gain rights (no_new_privs).
///
/// Any other call fails with EPERM. It does not end the process: a later C library may well make a call
/// that is not listed, on a box that nobody visits for years, and one that does without it still
/// forwards. What an intruder needs fails just the same.
///
/// With `removes_files` a file may be removed: the control socket goes with the gateway. (A filter cannot
/// see which file; leave that to the user it runs as.) Returns how many calls are allowed.
///
/// # Errors
/// When the kernel or this architecture has no such filter.
pub fn allow_calls(removes_files: bool) -> Result<usize> {
    calls::allow(removes_files)
}

/// Confines the process that keeps hardware timestamps on: it may set those of interfaces, and nothing else.
pub fn keeper() {
    if let Err(error) = drop_capabilities(&[Capability::CAP_NET_ADMIN]) {
        warn!("hardware timestamps: capabilities kept: {error:#}");
    }
    if let Err(error) = calls::allow_keeper() {
        warn!("hardware timestamps: system calls not confined: {error:#}");
    }
}

#[cfg(any(
    target_arch = "x86_64",
    target_arch = "aarch64",
    target_arch = "riscv64"
))]
mod calls {
    use std::collections::BTreeMap;

    use anyhow::{Context as _, Result};
    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Is,
        SeccompCondition as Condition, SeccompFilter, SeccompRule as Rule,
    };

    /// sys/resource.h; its type differs between C libraries.
    const PRIO_PROCESS: libc::c_int = 0;

    /// Calls that pass whatever their arguments, each with who makes it.
    const ALWAYS: &[libc::c_long] = &[
        // The loop: sleeping and waking (mio, the sweep).
        libc::SYS_epoll_pwait,
        libc::SYS_epoll_ctl,
        libc::SYS_ppoll,
        libc::SYS_nanosleep,
        libc::SYS_clock_nanosleep,
        libc::SYS_restart_syscall,
        libc::SYS_sched_yield,
        // Clocks, where the vDSO has none.
        libc::SYS_clock_gettime,
        libc::SYS_gettimeofday,
        // Rings: a kick, the error queue, a new filter, counts, a new bind. Netlink as well. (sendmsg may name an
        // address: a datagram can go anywhere.)
        libc::SYS_sendmsg,
        libc::SYS_recvmsg,
        libc::SYS_recvmmsg,
        libc::SYS_recvfrom,
        libc::SYS_setsockopt,
        libc::SYS_getsockopt,
        libc::SYS_bind,
        libc::SYS_getsockname,
        // The log, the totals, signals and timers as descriptors, connections of whoever asks for figures.
        libc::SYS_read,
        libc::SYS_readv,
        libc::SYS_write,
        libc::SYS_writev,
        libc::SYS_close,
        libc::SYS_fcntl,
        libc::SYS_dup,
        libc::SYS_accept4,
        libc::SYS_shutdown,
        libc::SYS_getpeername,
        // Reading a file again (what may be opened: see below).
        libc::SYS_fstat,
        libc::SYS_newfstatat,
        libc::SYS_statx,
        // The state for the process that takes its place: memory without a name.
        libc::SYS_memfd_create,
        libc::SYS_lseek,
        libc::SYS_getdents64,
        libc::SYS_readlinkat,
        libc::SYS_faccessat,
        libc::SYS_getcwd,
        // Memory.
        libc::SYS_brk,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_madvise,
        // Threads: locks, names, stacks, their end. (Their start: see below.)
        libc::SYS_futex,
        libc::SYS_set_robust_list,
        libc::SYS_rseq,
        libc::SYS_sigaltstack,
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigreturn,
        libc::SYS_exit,
        libc::SYS_exit_group,
        // Who we are, how much was used, random numbers for hash tables.
        libc::SYS_getpid,
        libc::SYS_gettid,
        libc::SYS_getuid,
        libc::SYS_geteuid,
        libc::SYS_getrusage,
        libc::SYS_sysinfo,
        libc::SYS_sched_getaffinity,
        libc::SYS_membarrier,
        libc::SYS_uname,
        libc::SYS_getrandom,
    ];

    /// The same under the names that only old architectures have.
    #[cfg(target_arch = "x86_64")]
    const OLD: &[libc::c_long] = &[
        libc::SYS_epoll_wait,
        libc::SYS_poll,
        libc::SYS_time,
        libc::SYS_stat,
        libc::SYS_lstat,
        libc::SYS_access,
        libc::SYS_readlink,
    ];
    #[cfg(not(target_arch = "x86_64"))]
    const OLD: &[libc::c_long] = &[];

    pub(super) fn allow(removes_files: bool) -> Result<usize> {
        let mut rules = rules().context("the list of system calls")?;
        if removes_files {
            rules.insert(libc::SYS_unlinkat, Vec::new());
            #[cfg(target_arch = "x86_64")]
            rules.insert(libc::SYS_unlink, Vec::new());
        }
        let count = rules.len();
        let program = program(rules)?;
        // The other filter first: this one lets nobody add a third.
        for program in [without_clone3()?, program] {
            seccompiler::apply_filter_all_threads(&program).context("seccomp")?;
        }
        Ok(count)
    }

    /// Calls of the process that keeps hardware timestamps on: it waits at a stream, looks at interfaces and sets them, logs, and
    /// ends.
    const KEEPER: &[libc::c_long] = &[
        libc::SYS_recvfrom,
        libc::SYS_read,
        libc::SYS_write,
        libc::SYS_writev,
        libc::SYS_setsockopt,
        libc::SYS_clock_gettime,
        libc::SYS_restart_syscall,
        libc::SYS_rt_sigreturn,
        libc::SYS_futex,
        libc::SYS_brk,
        libc::SYS_munmap,
        libc::SYS_madvise,
        libc::SYS_exit_group,
    ];

    pub(super) fn allow_keeper() -> Result<()> {
        let mut rules: Rules = KEEPER.iter().map(|&call| (call, Vec::new())).collect();
        let requests = [
            libc::SIOCGHWTSTAMP,
            libc::SIOCSHWTSTAMP,
            libc::SIOCGIFNAME as _,
            libc::SIOCGIFINDEX as _,
        ];
        rules.insert(libc::SYS_ioctl, only(&requests)?);
        rules.insert(libc::SYS_sendto, to_the_peer()?);
        seccompiler::apply_filter(&program(rules)?).context("seccomp")?;
        Ok(())
    }

    /// A filter that refuses what is not in these rules.
    fn program(rules: Rules) -> Result<BpfProgram> {
        let filter = SeccompFilter::new(
            rules,
            SeccompAction::Errno(libc::EPERM.cast_unsigned()),
            SeccompAction::Allow,
            std::env::consts::ARCH.try_into()?,
        )?;
        Ok(filter.try_into()?)
    }

    /// clone3 hides its flags in memory, where no filter sees them. Told that the kernel has none, the C
    /// library starts its threads by clone.
    fn without_clone3() -> Result<BpfProgram> {
        let filter = SeccompFilter::new(
            BTreeMap::from([(libc::SYS_clone3, Vec::new())]),
            SeccompAction::Allow,
            SeccompAction::Errno(libc::ENOSYS.cast_unsigned()),
            std::env::consts::ARCH.try_into()?,
        )?;
        Ok(filter.try_into()?)
    }

    /// What a call maps to: rules of which one must hold; none means that it always passes.
    type Rules = BTreeMap<i64, Vec<Rule>>;
    type Made<T> = Result<T, seccompiler::BackendError>;

    fn rules() -> Made<Rules> {
        let mut rules: Rules = ALWAYS
            .iter()
            .chain(OLD)
            .map(|&call| (call, Vec::new()))
            .collect();
        sockets(&mut rules)?;
        files_and_memory(&mut rules)?;
        descriptors(&mut rules)?;
        threads(&mut rules)?;
        Ok(rules)
    }

    fn sockets(rules: &mut Rules) -> Made<()> {
        // Interfaces are looked up and PTP groups joined again: no stream, no packet socket.
        rules.insert(
            libc::SYS_socket,
            vec![
                Rule::new(vec![is(0, libc::AF_NETLINK)?])?,
                Rule::new(vec![is(0, libc::AF_INET)?, datagram()?])?,
                Rule::new(vec![is(0, libc::AF_INET6)?, datagram()?])?,
            ],
        );
        // (sendmsg is not narrowed like this.)
        rules.insert(libc::SYS_sendto, to_the_peer()?);
        Ok(())
    }

    /// To the peer of a connection or to the kernel: to no address.
    fn to_the_peer() -> Made<Vec<Rule>> {
        let no_address = Condition::new(4, Len::Qword, Is::Eq, 0)?;
        Ok(vec![Rule::new(vec![no_address])?])
    }

    fn files_and_memory(rules: &mut Rules) -> Made<()> {
        // Files are read, not written, made or cut.
        let writing = libc::O_WRONLY | libc::O_RDWR | libc::O_CREAT | libc::O_TRUNC;
        let reading = |at| Rule::new(vec![zero(at, writing)?]);
        rules.insert(libc::SYS_openat, vec![reading(2)?]);
        #[cfg(target_arch = "x86_64")]
        rules.insert(libc::SYS_open, vec![reading(1)?]);
        // Memory is never made executable.
        let data = |at| Rule::new(vec![zero(at, libc::PROT_EXEC)?]);
        rules.insert(libc::SYS_mmap, vec![data(2)?]);
        rules.insert(libc::SYS_mprotect, vec![data(2)?]);
        Ok(())
    }

    fn descriptors(rules: &mut Rules) -> Made<()> {
        // What an interface can do, readings of hardware clocks, and what the standard library asks of a descriptor.
        let requests = [
            libc::SIOCETHTOOL,
            libc::PTP_SYS_OFFSET as _,
            libc::PTP_SYS_OFFSET_EXTENDED as _,
            libc::PTP_SYS_OFFSET_PRECISE as _,
            libc::FIONBIO as _,
            libc::TCGETS as _,
        ];
        rules.insert(libc::SYS_ioctl, only(&requests)?);
        // Elements of eBPF maps that are open: read, set, deleted.
        let elements = (1..=3).map(|command| Rule::new(vec![is(0, command)?]));
        rules.insert(libc::SYS_bpf, elements.collect::<Result<_, _>>()?);
        Ok(())
    }

    /// These requests of ioctl.
    fn only(requests: &[u64]) -> Made<Vec<Rule>> {
        let one = |&request| Rule::new(vec![Condition::new(1, Len::Dword, Is::Eq, request)?]);
        requests.iter().map(one).collect()
    }

    fn threads(rules: &mut Rules) -> Made<()> {
        // A thread's name; how late its timers may be.
        rules.insert(
            libc::SYS_prctl,
            vec![
                Rule::new(vec![is(0, libc::PR_SET_NAME)?])?,
                Rule::new(vec![is(0, libc::PR_SET_TIMERSLACK)?])?,
            ],
        );
        // Threads, one for each who asks for figures or has the settings read again; no process.
        rules.insert(libc::SYS_clone3, Vec::new());
        let thread = libc::CLONE_THREAD | libc::CLONE_VM | libc::CLONE_SIGHAND;
        let thread = i64::from(thread).cast_unsigned();
        let threads = Condition::new(0, Len::Dword, Is::MaskedEq(thread), thread)?;
        rules.insert(libc::SYS_clone, vec![Rule::new(vec![threads])?]);
        // Threads beside the loop make way for it.
        let own_priority = vec![is(0, PRIO_PROCESS)?, is(1, 0)?];
        rules.insert(libc::SYS_setpriority, vec![Rule::new(own_priority)?]);
        // A panic ends this process by a signal to itself.
        let own = i64::from(std::process::id()).cast_unsigned();
        let own = Condition::new(0, Len::Dword, Is::Eq, own)?;
        rules.insert(libc::SYS_tgkill, vec![Rule::new(vec![own])?]);
        // musl, the C library of static builds, does it by the thread's number alone, which is not known
        // here. So any thread of this user's could be signalled: but only to abort.
        #[cfg(target_env = "musl")]
        rules.insert(
            libc::SYS_tkill,
            vec![Rule::new(vec![is(1, libc::SIGABRT)?])?],
        );
        Ok(())
    }

    fn datagram() -> Result<Condition, seccompiler::BackendError> {
        let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        let kind = !i64::from(flags).cast_unsigned() & 0xFFFF_FFFF;
        let datagram = i64::from(libc::SOCK_DGRAM).cast_unsigned();
        Condition::new(1, Len::Dword, Is::MaskedEq(kind), datagram)
    }

    /// The argument at this place is this value.
    fn is(at: u8, value: libc::c_int) -> Result<Condition, seccompiler::BackendError> {
        let value = u64::from(value.cast_unsigned());
        Condition::new(at, Len::Dword, Is::Eq, value)
    }

    /// None of these bits is set in the argument at this place.
    fn zero(at: u8, bits: libc::c_int) -> Result<Condition, seccompiler::BackendError> {
        let bits = i64::from(bits).cast_unsigned();
        Condition::new(at, Len::Dword, Is::MaskedEq(bits), 0)
    }
}

#[cfg(not(any(
    target_arch = "x86_64",
    target_arch = "aarch64",
    target_arch = "riscv64"
)))]
mod calls {
    use anyhow::{Result, bail};

    pub(super) fn allow(_: bool) -> Result<usize> {
        bail!("no seccomp filter for {}", std::env::consts::ARCH)
    }

    pub(super) fn allow_keeper() -> Result<()> {
        bail!("no seccomp filter for {}", std::env::consts::ARCH)
    }
}
