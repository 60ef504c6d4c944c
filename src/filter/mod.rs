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
//! | ends before a field that decides | drop | drop |
//!
//! *Sample*: one of [`Spec::sample_one_in`] passes, so that the core still sees what is there. The frame
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
mod rules;
mod search;
#[cfg(test)]
mod tests;

pub use extended::{Extended, MAP_KEY, domain_key, map_key, with_map, with_map_of_domains};
pub use fold::fold;
pub use instruction::{Instruction, MAX_INSTRUCTIONS, WHOLE_FRAME};

use crate::Side;
use crate::wire::PortIdentity;
use assembler::Assembler;
use rules::Known;

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
    /// One of so many denied PTP messages passes: a power of two (others are rounded up); 0 for none.
    pub sample_one_in: u32,
    /// Key of the [`fold()`]: random words, best drawn once per process.
    pub key: [u32; 3],
}

/// The program would be longer than allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge {
    /// Instructions it takes, at least.
    pub needed: usize,
    /// Instructions that were allowed.
    pub limit: usize,
}

impl std::fmt::Display for TooLarge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { needed, limit } = self;
        write!(
            f,
            "the filter takes {needed} instructions, {limit} are allowed"
        )
    }
}

impl std::error::Error for TooLarge {}

/// How well a filter knows our clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// Each by its fold: of two billion foreign identities as many pass as there are clients.
    Exact,
    /// By a part of the fold.
    Coarse {
        /// Foreign Delay_Resp that pass, of a thousand.
        pass_per_mille: u32,
    },
    /// Not at all: every Delay_Resp passes, and of Delay_Req a sample.
    Plain,
}

/// The filter with an exact search tree over the clients.
///
/// `max_instructions` above [`MAX_INSTRUCTIONS`] counts as that.
///
/// # Errors
/// [`TooLarge`] if it does not fit; see [`fit`].
pub fn program(spec: &Spec<'_>, max_instructions: usize) -> Result<Vec<Instruction>, TooLarge> {
    let limit = max_instructions.min(MAX_INSTRUCTIONS);
    let known = match clients(spec) {
        None => Known::Everyone,
        Some(clients) => {
            // A client costs an instruction at least: spare the sorting.
            if clients.len() > limit {
                let needed = clients.len();
                return Err(TooLarge { needed, limit });
            }
            let mut folds: Vec<u32> = clients.iter().map(|c| fold(c, &spec.key)).collect();
            folds.sort_unstable();
            folds.dedup();
            Known::Exact(folds)
        }
    };
    assemble(spec, &known, limit)
}

/// The best filter that fits: exact, else coarse, else plain.
///
/// A coarse filter lets some foreign Delay_Resp (and, watching for a second path, Delay_Req) through;
/// if those were more than three quarters, the plain one is taken.
///
/// # Errors
/// [`TooLarge`] if not even the plain filter fits.
pub fn fit(spec: &Spec<'_>, max_instructions: usize) -> Result<(Vec<Instruction>, Fit), TooLarge> {
    let limit = max_instructions.min(MAX_INSTRUCTIONS);
    if let Some(clients) = clients(spec) {
        if let Ok(program) = program(spec, limit) {
            return Ok((program, Fit::Exact));
        }
        if let Some(coarse) = coarse(spec, clients, limit) {
            return Ok(coarse);
        }
    }
    let plain = assemble(spec, &Known::Everyone, limit)?;
    Ok((plain, Fit::Plain))
}

/// A small filter for the time in which another takes the place of a third: it takes everybody for our
/// client.
#[must_use]
pub fn in_between(spec: &Spec<'_>) -> Vec<Instruction> {
    assemble(spec, &Known::All, MAX_INSTRUCTIONS).unwrap_or_default()
}

/// The coarse filter with as many bitmaps as fit, if that is worth having.
fn coarse(
    spec: &Spec<'_>,
    clients: &[PortIdentity],
    limit: usize,
) -> Option<(Vec<Instruction>, Fit)> {
    const WORTH_PER_MILLE: u32 = 750;
    // Three instructions hold 32 bits; above 1.4 clients per bit three quarters are set.
    if clients.len() > limit.saturating_mul(16) {
        return None;
    }
    let mut count = u32::try_from(limit / 3).ok()?;
    while count > 0 {
        let bitmaps = search::bitmaps(clients.iter().map(|c| fold(c, &spec.key)), count);
        let set: u32 = bitmaps.iter().map(|map| map.count_ones()).sum();
        let pass_per_mille = (u64::from(set) * 1000).div_ceil(u64::from(count) * 32);
        let pass_per_mille = u32::try_from(pass_per_mille).ok()?;
        if pass_per_mille > WORTH_PER_MILLE {
            return None;
        }
        match assemble(spec, &Known::Coarse(bitmaps), limit) {
            Ok(program) => return Some((program, Fit::Coarse { pass_per_mille })),
            Err(TooLarge { needed, .. }) => {
                let over = u32::try_from(needed.saturating_sub(limit).div_ceil(3)).ok()?;
                count = count.saturating_sub(over.max(1));
            }
        }
    }
    None
}

/// The clients that a filter is to know.
fn clients<'a>(spec: &Spec<'a>) -> Option<&'a [PortIdentity]> {
    spec.clients.filter(|_| spec.side == Side::Up)
}

fn assemble(spec: &Spec<'_>, known: &Known, limit: usize) -> Result<Vec<Instruction>, TooLarge> {
    let mut asm = Assembler::default();
    let drop = asm.ret(0);
    let pass = asm.ret(WHOLE_FRAME);
    let ptp = rules::message(&mut asm, spec, known, pass, drop);
    let start = headers::frame(&mut asm, ptp, pass, drop);
    let program = asm.finish(start);
    let needed = program.len();
    if needed <= limit {
        Ok(program)
    } else {
        Err(TooLarge { needed, limit })
    }
}
