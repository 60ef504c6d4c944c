//! Puts a filter together, as exact as it fits.

use super::assembler::Assembler;
use super::fold::fold;
use super::instruction::{Instruction, MAX_INSTRUCTIONS, WHOLE_FRAME};
use super::rules::{self, Known};
use super::spec::Spec;
use super::{headers, neighbours, search};
use crate::Side;
use crate::wire::PortIdentity;

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

pub(super) fn assemble(
    spec: &Spec<'_>,
    known: &Known,
    limit: usize,
) -> Result<Vec<Instruction>, TooLarge> {
    let mut asm = Assembler::default();
    let drop = asm.ret(0);
    let pass = asm.ret(WHOLE_FRAME);
    let ptp = rules::message(&mut asm, spec, known, pass, drop);
    let sample = rules::neighbours(&mut asm, spec, known, pass, drop);
    let ways = neighbours::ways(&mut asm, spec, known, (pass, sample, drop));
    let start = headers::frame(&mut asm, ptp, ways, (pass, drop));
    let program = asm.finish(start);
    let needed = program.len();
    if needed <= limit {
        Ok(program)
    } else {
        Err(TooLarge { needed, limit })
    }
}
