//! Structures and constants of the kernel's interface that libc lacks.

/// `linux/if_arp.h`: Ethernet.
pub(in crate::ring) const ARPHRD_ETHER: u16 = 1;

/// `linux/ethtool.h`: get timestamping and PTP hardware clock capabilities.
pub(in crate::ring) const ETHTOOL_GET_TS_INFO: u32 = 0x41;

/// `struct scm_timestamping` of `linux/errqueue.h`: software timestamp, unused, raw hardware timestamp.
#[derive(Clone, Copy)]
#[repr(C)]
pub(in crate::ring) struct ScmTimestamping {
    pub(in crate::ring) ts: [libc::timespec; 3],
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
