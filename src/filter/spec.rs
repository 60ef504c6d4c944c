//! What a filter is made from.

use super::sampling::Sampling;
use crate::Side;
use crate::wire::PortIdentity;

/// What a filter is made from.
#[derive(Clone, Copy, Debug)]
pub struct Spec<'a> {
    /// Where the filter will listen.
    pub side: Side,
    /// Allowed domains; `None` allows all.
    pub domains: Option<&'a [u8]>,
    /// Up side: our clients, whose Delay_Resp pass; `None` lets all Delay_Resp pass.
    pub clients: Option<&'a [PortIdentity]>,
    /// Up side: the Delay_Req of our clients pass too, since they show a second path. Of Delay_Req
    /// only a sample passes where the filter does not know our clients.
    pub watch_second_path: bool,
    /// Masters for whose sake ARP and neighbour discovery pass: the last 32 bits of their addresses, sorted. `None` drops
    /// all of it. Not looked at where a map knows them.
    pub neighbours: Option<&'a [u32]>,
    /// How many denied PTP messages pass.
    pub sampling: Sampling,
    /// Key of the [`fold`](super::fold()): random words, best drawn once per process.
    pub key: [u32; 3],
}
