//! Structures and constants of the kernel's interface that libc lacks.

/// `linux/if_arp.h`: Ethernet.
pub(in crate::ring) const ARPHRD_ETHER: u16 = 1;

/// A next hop of the other IP version (include/uapi/linux/rtnetlink.h): `libc` has it for glibc only.
pub(in crate::ring) const RTA_VIA: u16 = 18;

/// `linux/ethtool.h`: get timestamping and PTP hardware clock capabilities.
pub(in crate::ring) const ETHTOOL_GET_TS_INFO: u32 = 0x41;

/// `asm/socket.h`: the option, and the control message that brings a timestamp, with 64-bit seconds on every
/// architecture (Linux 5.1).
pub(in crate::ring) const SO_TIMESTAMPING_NEW: libc::c_int = 65;

/// `asm/socket.h`: the control message that asks for a timestamp. It carries no time, and older kernels refuse the
/// new number here.
pub(in crate::ring) const SO_TIMESTAMPING_OLD: libc::c_int = 37;

/// `struct __kernel_timespec` of `linux/time_types.h`: 64 bits on every architecture. What libc calls `timespec`
/// ends in January 2038 where it has 32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(in crate::ring) struct Timespec {
    pub(in crate::ring) seconds: i64,
    pub(in crate::ring) nanoseconds: i64,
}

/// `struct itimerspec` with 64-bit times.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(in crate::ring) struct TimerSpec {
    pub(in crate::ring) interval: Timespec,
    pub(in crate::ring) value: Timespec,
}

// The C library's calls with 64-bit times: where `time_t` was of 32 bits they have names of their own (glibc 2.34,
// musl 1.2).
unsafe extern "C" {
    #[cfg_attr(
        any(
            target_arch = "arm",
            target_arch = "x86",
            target_arch = "mips",
            target_arch = "powerpc"
        ),
        link_name = "__clock_gettime64"
    )]
    pub(in crate::ring) fn clock_gettime(
        clock: libc::clockid_t,
        time: *mut Timespec,
    ) -> libc::c_int;

    #[cfg_attr(
        any(
            target_arch = "arm",
            target_arch = "x86",
            target_arch = "mips",
            target_arch = "powerpc"
        ),
        link_name = "__timerfd_settime64"
    )]
    pub(in crate::ring) fn timerfd_settime(
        fd: libc::c_int,
        flags: libc::c_int,
        new: *const TimerSpec,
        old: *mut TimerSpec,
    ) -> libc::c_int;
}

/// `struct scm_timestamping64` of `linux/errqueue.h`: software timestamp, unused, raw hardware timestamp.
#[derive(Clone, Copy)]
#[repr(C)]
pub(in crate::ring) struct ScmTimestamping {
    pub(in crate::ring) ts: [Timespec; 3],
}

/// `struct ethtool_ts_info` of `linux/ethtool.h`.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub(in crate::ring) struct EthtoolTsInfo {
    pub(in crate::ring) cmd: u32,
    pub(in crate::ring) so_timestamping: u32,
    pub(in crate::ring) phc_index: i32,
    pub(in crate::ring) tx_types: u32,
    pub(in crate::ring) tx_reserved: [u32; 3],
    pub(in crate::ring) rx_filters: u32,
    pub(in crate::ring) rx_reserved: [u32; 3],
}
