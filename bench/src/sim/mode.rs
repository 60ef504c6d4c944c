//! Which messages are multicast.

/// Who sends to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Everything to the groups.
    Multicast,
    /// Sync to the group; Delay_Req and Delay_Resp to one station.
    Hybrid,
    /// Everything to one station.
    Unicast,
}
