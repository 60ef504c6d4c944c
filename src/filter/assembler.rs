//! An assembler that writes a program from its last instruction to its first.
//!
//! Classic BPF jumps only forward, so whatever an instruction may jump to is already written and its
//! distance known: no fix-ups, and a jump backward cannot be expressed. A part of the program takes
//! the labels where it goes on and returns the label where it begins.

use super::instruction::{Instruction, JA, RET_K};

/// A written instruction, counted from the end of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Label(u32);

impl Label {
    /// Where nothing is written yet: what goes on here must be a return.
    #[cfg(test)]
    pub(super) const END: Self = Self(0);
}

#[derive(Debug, Default)]
pub(super) struct Assembler {
    reversed: Vec<Instruction>,
    /// The latest `ja` to a target out of a conditional jump's reach: (target, the `ja`).
    pads: Vec<(Label, Label)>,
}

impl Assembler {
    pub(super) fn ret(&mut self, verdict: u32) -> Label {
        self.push(Instruction::plain(RET_K, verdict))
    }

    /// Instructions (opcode, constant) in the order they run; then the program goes on at `next`.
    pub(super) fn block(&mut self, instructions: &[(u16, u32)], next: Label) -> Label {
        let mut start = next;
        if self.offset(next) != 0 {
            start = self.ja(next);
        }
        for &(code, k) in instructions.iter().rev() {
            start = self.push(Instruction::plain(code, k));
        }
        start
    }

    /// A conditional jump of A against `k`.
    pub(super) fn jump(&mut self, test: u16, k: u32, then: Label, otherwise: Label) -> Label {
        if then == otherwise {
            return then;
        }
        let then = self.within_reach(then);
        let otherwise = self.within_reach(otherwise);
        let (jt, jf) = (self.reach(then), self.reach(otherwise));
        self.push(Instruction {
            code: test,
            jt,
            jf,
            k,
        })
    }

    /// The program; it begins at `start`.
    pub(super) fn finish(mut self, start: Label) -> Vec<Instruction> {
        self.block(&[], start);
        self.reversed.reverse();
        self.reversed
    }

    /// What the next instruction would have to skip to get to `label`.
    fn offset(&self, label: Label) -> u32 {
        self.len().saturating_sub(label.0)
    }

    fn len(&self) -> u32 {
        u32::try_from(self.reversed.len()).unwrap_or(u32::MAX)
    }

    fn push(&mut self, instruction: Instruction) -> Label {
        self.reversed.push(instruction);
        Label(self.len())
    }

    fn ja(&mut self, target: Label) -> Label {
        let k = self.offset(target);
        self.push(Instruction::plain(JA, k))
    }

    /// `target`, or a `ja` to it that an 8-bit offset reaches even after one more instruction.
    ///
    /// A new `ja` lies behind the jump that wanted it, which never falls into it; and it serves the
    /// jumps before that one too, as long as it is near.
    fn within_reach(&mut self, target: Label) -> Label {
        const NEAR: u32 = u8::MAX as u32 - 1;
        if self.offset(target) <= NEAR {
            return target;
        }
        let known = self.pads.iter().position(|&(of, _)| of == target);
        if let Some(&(_, pad)) = known.and_then(|at| self.pads.get(at))
            && self.offset(pad) <= NEAR
        {
            return pad;
        }
        let pad = self.ja(target);
        match known.and_then(|at| self.pads.get_mut(at)) {
            Some(entry) => entry.1 = pad,
            None => self.pads.push((target, pad)),
        }
        pad
    }

    fn reach(&self, label: Label) -> u8 {
        let offset = u8::try_from(self.offset(label));
        debug_assert!(offset.is_ok(), "a jump out of reach");
        offset.unwrap_or(u8::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::super::instruction::{JEQ, LD_LEN};
    use super::super::interpreter::{check, run};
    use super::*;

    /// Jumps over `gap` instructions, once with both targets far away.
    fn far(gap: usize) -> Vec<Instruction> {
        let mut asm = Assembler::default();
        let no = asm.ret(1);
        let yes = asm.ret(2);
        let mut next = yes;
        for _ in 0..gap {
            next = asm.block(&[(LD_LEN, 0)], next);
        }
        let inner = asm.jump(JEQ, 7, no, yes);
        let start = asm.jump(JEQ, 9, yes, inner);
        let start = asm.block(&[(LD_LEN, 0)], start);
        asm.finish(start)
    }

    #[test]
    fn far_jumps_arrive() {
        for gap in (0..8).chain(248..262).chain([2000]) {
            let program = far(gap);
            check(&program).unwrap();
            let verdict = |len: usize| run(&program, &vec![0; len], 0).unwrap().verdict;
            assert_eq!(verdict(7), 1, "gap {gap}");
            assert_eq!(verdict(8), 2, "gap {gap}");
            assert_eq!(verdict(9), 2, "gap {gap}");
        }
    }

    #[test]
    fn a_pad_is_shared_by_its_neighbours() {
        let mut asm = Assembler::default();
        let no = asm.ret(0);
        let yes = asm.ret(1);
        let mut next = no;
        for value in 0..1000 {
            next = asm.jump(JEQ, value, yes, next);
        }
        let program = asm.finish(next);
        check(&program).unwrap();
        assert!(program.len() <= 1000 + 2 + 5, "{}", program.len());
    }
}
