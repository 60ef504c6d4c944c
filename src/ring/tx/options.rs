//! How a transmit ring is set up.

use crate::ring::stamps::StampSource;

/// How a transmit ring is set up.
#[derive(Clone, Debug)]
pub struct TxOptions {
    /// Frames in the ring, a power of two.
    pub frames: u32,
    /// Bytes per frame, its header included, a power of two.
    pub frame_size: u32,
    /// Skip the queueing discipline (PACKET_QDISC_BYPASS): no shaping, invisible to local sniffers.
    pub qdisc_bypass: bool,
    /// Who takes timestamps.
    pub stamps: StampSource,
    /// Before a stamped batch that leaves after a pause, warm the kernel's path over the loopback interface.
    pub warm_up: bool,
    /// Frames that a batch holds at most.
    pub batch: u32,
}

impl TxOptions {
    /// Frames that are worth a batch. More save nothing: with so few, the kernel's memory for their stamps is
    /// still in the processor's cache when they are read and the next are taken (a tenth less CPU for a stamped
    /// frame than in batches of 512).
    pub const BATCH: u32 = 64;
}

impl Default for TxOptions {
    fn default() -> Self {
        Self {
            frames: 2048,
            frame_size: 2048,
            qdisc_bypass: false,
            stamps: StampSource::Software,
            warm_up: true,
            batch: Self::BATCH,
        }
    }
}
