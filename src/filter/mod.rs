//! The kernel filter: a classic BPF program by which foreign traffic dies before it costs anything.
//!
//! [`program`] and [`fit`] are pure functions of the policy and the clients. What they pass:
//!
//! | frame | up | down |
//! |---|---|---|
//! | no PTP: neither EtherType 0x88F7 nor UDP port 319 or 320, behind up to two tags in the data | drop | drop |
//! | first fragment of a UDP datagram to port 319 or 320 | pass | pass |
//! | later fragment | drop | drop |
//! | versionPTP other than 2 | sample | pass |
//! | majorSdoId 1 | sample | pass |
//! | a domain that is not allowed | sample | sample |
//! | Sync, Follow_Up, Announce, Signaling, Management | pass | pass |
//! | Delay_Resp to one of our clients, or to anyone while the filter does not know them | pass | pass |
//! | Delay_Resp to others | sample | pass |
//! | Delay_Req of one of our clients, while a second path is watched for | pass | pass |
//! | other Delay_Req | sample | pass |
//! | Pdelay_Req, Pdelay_Resp, Pdelay_Resp_Follow_Up, reserved types | sample | pass |
//! | ARP for IPv4, neighbour solicitation or advertisement, from or to one of the masters, or about it | pass | pass |
//! | an answer to ARP of nobody, an advertisement to all nodes | pass | pass |
//! | other ARP for IPv4, neighbour solicitation or advertisement | sample | sample |
//! | the same where neighbours are not relayed | drop | drop |
//! | ends before a field that decides | drop | drop |
//!
//! *Sample*: one frame of N passes ([`Spec::sampling`]), so that the core still sees what is there. The frame
//! is read from its MAC header; the kernel has taken the outermost tag out of the data before.
//! IPv4 options are skipped, and up to four IPv6 extension headers (hop-by-hop, routing, destination options,
//! authentication).
//!
//! A client is known by a 31-bit [`fold()`] of its portIdentity: a false pass is harmless, since the core matches
//! exactly, and a false drop does not occur. [`with_map`] knows clients by their whole identity. Tags and transport are not looked at here either.
#![forbid(unsafe_code)]

mod assembler;
mod extended;
mod fold;
mod headers;
mod instruction;
#[doc(hidden)]
pub mod interpreter;
mod neighbours;
mod program;
mod rules;
mod sampling;
mod search;
mod spec;
#[cfg(test)]
mod tests;

pub use extended::{
    Extended, MAP_KEY, Maps, domain_key, map_key, master_key, with_map, with_map_of_domains,
};
pub use fold::fold;
pub use instruction::{Instruction, MAX_INSTRUCTIONS, WHOLE_FRAME};
pub use program::{Fit, TooLarge, fit, in_between, program};
pub use sampling::{SampleClass, Sampling};
pub use spec::Spec;
