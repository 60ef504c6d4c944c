//! The keyed 31-bit fold of a portIdentity, in Rust and in classic BPF.
//!
//! 31 bits, not 32: the kernel translates a comparison with a constant of 2^31 or more into two
//! instructions, and charges for both.

use super::assembler::{Assembler, Label};
use super::instruction::{AND, LD_H_IND, LD_W_IND, LDX_MEM, MUL, RSH, ST, TAX, WITH_X, XOR};
use crate::wire::PortIdentity;

/// Largest fold.
pub(super) const MASK: u32 = 0x7FFF_FFFF;

/// The fold of an identity, as the filter computes it from a frame.
///
/// The words of `key` are used as odd multipliers (their lowest bit is taken as set), so identities
/// that differ in one of their three parts (4, 4 and 2 octets) share a fold with another only where
/// the dropped 32nd bit tells them apart. It spreads what networks contain; it is no cryptographic hash,
/// and need not be: a false pass costs a look-up.
#[must_use]
pub fn fold(identity: &PortIdentity, key: &[u32; 3]) -> u32 {
    let [a, b, c, d, e, f, g, h] = identity.clock.0;
    let [k0, k1, k2] = key.map(|k| k | 1);
    let mut folded = u32::from_be_bytes([a, b, c, d]).wrapping_mul(k0)
        ^ u32::from_be_bytes([e, f, g, h]).wrapping_mul(k1)
        ^ u32::from(identity.port).wrapping_mul(k2);
    folded ^= folded >> 15;
    folded = folded.wrapping_mul(k1);
    folded ^= folded >> 16;
    folded & MASK
}

/// A = the fold of the identity at X + `at`, then `next`. Uses X and the first two slots of M.
pub(super) fn fold_at(asm: &mut Assembler, at: u32, key: &[u32; 3], next: Label) -> Label {
    let [k0, k1, k2] = key.map(|k| k | 1);
    asm.block(
        &[
            (LD_W_IND, at),
            (MUL, k0),
            (ST, 0),
            (LD_W_IND, at + 4),
            (MUL, k1),
            (ST, 1),
            (LD_H_IND, at + 8),
            (MUL, k2),
            (LDX_MEM, 0),
            (XOR | WITH_X, 0),
            (LDX_MEM, 1),
            (XOR | WITH_X, 0),
            (TAX, 0),
            (RSH, 15),
            (XOR | WITH_X, 0),
            (MUL, k1),
            (TAX, 0),
            (RSH, 16),
            (XOR | WITH_X, 0),
            (AND, MASK),
        ],
        next,
    )
}

#[cfg(test)]
mod tests {
    use super::super::instruction::RET_A;
    use super::super::interpreter::run;
    use super::*;
    use crate::wire::ClockIdentity;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn both_folds_agree(clock: [u8; 8], port: u16, key: [u32; 3]) {
            let mut asm = Assembler::default();
            // RET_A as the last instruction: the verdict is the fold itself.
            let end = asm.block(&[(RET_A, 0)], Label::END);
            let start = fold_at(&mut asm, 3, &key, end);
            let program = asm.finish(start);
            let mut frame = vec![0; 3];
            frame.extend(clock);
            frame.extend(port.to_be_bytes());
            let identity = PortIdentity { clock: ClockIdentity(clock), port };
            prop_assert_eq!(run(&program, &frame, 0).unwrap().verdict, fold(&identity, &key));
        }
    }

    /// Networks are not random: consecutive MAC addresses, one vendor, many ports of one clock.
    #[test]
    fn usual_networks_hardly_collide() {
        let mac = |n: u32| {
            let [_, a, b, c] = n.to_be_bytes();
            PortIdentity {
                clock: ClockIdentity([0x00, 0x1B, 0x19, 0xFF, 0xFE, a, b, c]),
                port: 1,
            }
        };
        let port = |n: u32| PortIdentity {
            port: u16::try_from(n).unwrap(),
            ..mac(1)
        };
        let shapes: [&dyn Fn(u32) -> PortIdentity; 3] = [&mac, &|n| mac(n * 256), &port];
        for (number, shape) in shapes.into_iter().enumerate() {
            let mut folds: Vec<u32> = (0..50_000)
                .map(|n| fold(&shape(n), &[0x9E37_79B1, 0x85EB_CA77, 0xC2B2_AE3D]))
                .collect();
            folds.sort_unstable();
            folds.dedup();
            // A random function would lose 0.6 of 50,000.
            assert!(folds.len() >= 49_990, "shape {number}: {}", folds.len());
            // And the halves of the range are used alike.
            let low = folds.iter().filter(|&&f| f <= MASK / 2).count();
            assert!((20_000..30_000).contains(&low), "shape {number}: {low} low");
        }
    }
}
