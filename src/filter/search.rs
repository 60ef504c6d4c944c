//! Is this fold one of our clients'? A search tree written as jumps.

use super::assembler::{Assembler, Label};
use super::fold::MASK;
use super::instruction::{AND, JEQ, JGT, JSET, LD_IMM, LD_MEM, LSH, ST, TAX, TXA, WITH_X};

/// Folds compared one by one at the end of a branch.
///
/// A comparison in a row is foreseen by the processor, a turn in the tree is not: sixteen in a row
/// cost no more time than the deeper tree of eight (measured, with the kernel's compiler), and the
/// tree's own nodes shrink to a sixteenth of an instruction per client.
const LEAF: usize = 16;

/// A = fold, then `hit` or `miss`. `folds` are sorted and unique.
pub(super) fn exact(asm: &mut Assembler, folds: &[u32], hit: Label, miss: Label) -> Label {
    let leaves: Vec<&[u32]> = {
        let count = folds.len().div_ceil(LEAF);
        let mut rest = folds;
        (0..count)
            .map(|done| {
                let (leaf, after) = rest.split_at(rest.len().div_ceil(count - done));
                rest = after;
                leaf
            })
            .collect()
    };
    tree(
        asm,
        &leaves,
        &|leaf| leaf.last().copied().unwrap_or(0),
        &mut |asm, leaf| {
            leaf.iter()
                .rev()
                .fold(miss, |next, &value| asm.jump(JEQ, value, hit, next))
        },
    )
    .unwrap_or(miss)
}

/// The same with a part of the fold only: the range it lies in, and a bitmap of the lowest five bits
/// of the folds in that range. False hits, never false misses.
///
/// A bitmap costs three instructions and lets through as many of its 32 values as there are clients;
/// merged ranges of folds would let twice as many through in the same space.
pub(super) fn coarse(asm: &mut Assembler, bitmaps: &[u32], hit: Label, miss: Label) -> Label {
    let numbered: Vec<(u32, u32)> = (0..).zip(bitmaps.iter().copied()).collect();
    let buckets = u32::try_from(bitmaps.len()).unwrap_or(u32::MAX);
    let search = tree(
        asm,
        &numbered,
        &|&(bucket, _)| last_of(bucket, buckets),
        &mut |asm, &(_, bitmap)| {
            let test = match bitmap {
                0 => return miss,
                u32::MAX => return hit,
                _ => asm.jump(JSET, bitmap, hit, miss),
            };
            asm.block(&[(TXA, 0)], test)
        },
    )
    .unwrap_or(miss);
    // X = the bit, A = the fold.
    asm.block(
        &[
            (ST, 0),
            (AND, 31),
            (TAX, 0),
            (LD_IMM, 1),
            (LSH | WITH_X, 0),
            (TAX, 0),
            (LD_MEM, 0),
        ],
        search,
    )
}

/// The bitmaps of `count` ranges of equal width that hold every one of `folds`.
pub(super) fn bitmaps(folds: impl Iterator<Item = u32>, count: u32) -> Vec<u32> {
    let mut maps = vec![0_u32; usize::try_from(count).unwrap_or(0)];
    for fold in folds {
        let at = bucket_of(fold, count);
        if let Some(map) = usize::try_from(at).ok().and_then(|at| maps.get_mut(at)) {
            *map |= 1 << (fold & 31);
        }
    }
    maps
}

fn bucket_of(fold: u32, buckets: u32) -> u64 {
    u64::from(fold) * u64::from(buckets) / RANGE
}

/// The last fold that belongs to `bucket`.
fn last_of(bucket: u32, buckets: u32) -> u32 {
    let end = ((u64::from(bucket) + 1) * RANGE).div_ceil(u64::from(buckets));
    u32::try_from(end - 1).unwrap_or(MASK)
}

const RANGE: u64 = MASK as u64 + 1;

/// A balanced tree over `leaves`; `last` gives the largest value of A that belongs to a leaf.
fn tree<T>(
    asm: &mut Assembler,
    leaves: &[T],
    last: &dyn Fn(&T) -> u32,
    write: &mut dyn FnMut(&mut Assembler, &T) -> Label,
) -> Option<Label> {
    if let [leaf] = leaves {
        return Some(write(asm, leaf));
    }
    let (low, high) = leaves.split_at(leaves.len() / 2);
    let border = last(low.last()?);
    let high = tree(asm, high, last, write)?;
    let low = tree(asm, low, last, write)?;
    Some(asm.jump(JGT, border, high, low))
}

#[cfg(test)]
mod tests {
    use super::super::instruction::LD_W_ABS;
    use super::super::interpreter::{check, run};
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn buckets_and_borders_agree(fold in 0..=MASK, buckets in 1_u32..5000) {
            let bucket = bucket_of(fold, buckets);
            prop_assert!(bucket < u64::from(buckets));
            let last = last_of(u32::try_from(bucket).unwrap(), buckets);
            prop_assert!(fold <= last);
            prop_assert_eq!(bucket_of(last, buckets), bucket);
            prop_assert!(last == MASK || bucket_of(last + 1, buckets) == bucket + 1);
        }

        /// Empty, full and other bitmaps; ranges that are no power of two.
        #[test]
        fn coarse_tests_the_bit_of_the_range(
            bitmaps in prop::collection::vec(
                prop_oneof![Just(0), Just(u32::MAX), Just(1), Just(1 << 31), any::<u32>()], 1..200),
            folds in prop::collection::vec(0..=MASK, 50),
        ) {
            let mut asm = Assembler::default();
            let miss = asm.ret(1);
            let hit = asm.ret(2);
            let search = coarse(&mut asm, &bitmaps, hit, miss);
            let start = asm.block(&[(LD_W_ABS, 0)], search);
            let program = asm.finish(start);
            prop_assert_eq!(check(&program), Ok(()));
            let count = u32::try_from(bitmaps.len()).unwrap();
            for fold in folds {
                let bitmap = bitmaps[usize::try_from(bucket_of(fold, count)).unwrap()];
                let expected = 1 + (bitmap >> (fold & 31) & 1);
                prop_assert_eq!(run(&program, &fold.to_be_bytes(), 0).unwrap().verdict, expected);
            }
        }
    }
}
