//! Structures and constants of the kernel's interface that libc lacks.

/// `linux/if_arp.h`: Ethernet.
pub(super) const ARPHRD_ETHER: u16 = 1;

/// `linux/ethtool.h`: get time stamping and PTP hardware clock capabilities.
pub(super) const ETHTOOL_GET_TS_INFO: u32 = 0x41;

/// `struct scm_timestamping` of `linux/errqueue.h`: software stamp, unused, raw hardware stamp.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct ScmTimestamping {
    pub(super) ts: [libc::timespec; 3],
}

/// `struct ethtool_ts_info` of `linux/ethtool.h`.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub(super) struct EthtoolTsInfo {
    pub(super) cmd: u32,
    pub(super) so_timestamping: u32,
    pub(super) phc_index: i32,
    pub(super) tx_types: u32,
    pub(super) tx_reserved: [u32; 3],
    pub(super) rx_filters: u32,
    pub(super) rx_reserved: [u32; 3],
}
