//! Classic BPF as the kernel checks and runs it: what the generator is tested against, and what a
//! replay or a fuzz target uses in the kernel's place.

use super::instruction::{
    AD_RANDOM, ADD, ALU, AND, DIV, Instruction, JA, JEQ, JGE, JGT, JSET, LD_B_ABS, LD_B_IND,
    LD_H_ABS, LD_H_IND, LD_IMM, LD_LEN, LD_MEM, LD_W_ABS, LD_W_IND, LDX_IMM, LDX_LEN, LDX_MEM,
    LDX_MSH, LSH, MAX_INSTRUCTIONS, MOD, MUL, NEG, OR, RET_A, RET_K, RSH, ST, STX, SUB, TAX, TXA,
    WITH_X, XOR,
};

/// What a program did with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Octets of the frame to keep; 0 drops it.
    pub verdict: u32,
    /// Instructions that ran.
    pub steps: u32,
}

/// Why a program is not one the kernel would take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Empty, or longer than [`MAX_INSTRUCTIONS`].
    Length,
    /// An operation that is unknown, or not known here.
    Opcode(usize),
    /// A jump beyond the end.
    Jump(usize),
    /// A constant out of range: shift, slot, divisor.
    Constant(usize),
    /// A slot read before it was written on some way to it.
    Unwritten(usize),
    /// The last instruction does not return.
    NoReturn,
}

/// Checks a program as the kernel does before it attaches it (`bpf_check_classic`).
///
/// # Errors
/// The first [`Fault`] found.
pub fn check(program: &[Instruction]) -> Result<(), Fault> {
    if program.is_empty() || program.len() > MAX_INSTRUCTIONS {
        return Err(Fault::Length);
    }
    // Slots written on every way to an instruction.
    let mut written = vec![u16::MAX; program.len()];
    let mut falls = 0_u16;
    for (at, instruction) in program.iter().enumerate() {
        let mut now = falls & written.get(at).copied().unwrap_or(0);
        let k = instruction.k;
        let mut lead = |offset: u32| -> Result<(), Fault> {
            let target = usize::try_from(offset)
                .ok()
                .and_then(|offset| at.checked_add(1)?.checked_add(offset));
            let entry = target.and_then(|target| written.get_mut(target));
            *entry.ok_or(Fault::Jump(at))? &= now;
            Ok(())
        };
        match instruction.code {
            JA => {
                lead(k)?;
                now = u16::MAX;
            }
            code if is_jump(code) => {
                lead(instruction.jt.into())?;
                lead(instruction.jf.into())?;
                now = u16::MAX;
            }
            RET_A | RET_K => now = u16::MAX,
            ST | STX => now |= slot(k).ok_or(Fault::Constant(at))?,
            LD_MEM | LDX_MEM => {
                if now & slot(k).ok_or(Fault::Constant(at))? == 0 {
                    return Err(Fault::Unwritten(at));
                }
            }
            LSH | RSH if k >= 32 => return Err(Fault::Constant(at)),
            DIV | MOD if k == 0 => return Err(Fault::Constant(at)),
            LD_W_ABS | LD_H_ABS | LD_B_ABS if k >= ANCILLARY && k != AD_RANDOM => {
                return Err(Fault::Opcode(at));
            }
            code if is_known(code) => {}
            _ => return Err(Fault::Opcode(at)),
        }
        falls = now;
    }
    match program.last().map(|last| last.code) {
        Some(RET_A | RET_K) => Ok(()),
        _ => Err(Fault::NoReturn),
    }
}

/// Runs a program over a frame; `random` is what SKF_AD_RANDOM gives.
///
/// As in the kernel a load beyond the frame's end, and a division by X = 0, return 0.
///
/// # Errors
/// A [`Fault`] that [`check`] would have found.
pub fn run(program: &[Instruction], frame: &[u8], random: u32) -> Result<Run, Fault> {
    let (mut a, mut x, mut memory) = (0_u32, 0_u32, [0_u32; 16]);
    let len = u32::try_from(frame.len()).unwrap_or(u32::MAX);
    let mut at = 0_usize;
    let mut steps = 0_u32;
    loop {
        let &Instruction { code, jt, jf, k } = program.get(at).ok_or(Fault::Jump(at))?;
        steps = steps.saturating_add(1);
        let drop = Ok(Run { verdict: 0, steps });
        let cell = usize::try_from(k).unwrap_or(usize::MAX);
        let mut skip = 0;
        match code {
            RET_K => return Ok(Run { verdict: k, steps }),
            RET_A => return Ok(Run { verdict: a, steps }),
            LD_IMM => a = k,
            LDX_IMM => x = k,
            LD_LEN => a = len,
            LDX_LEN => x = len,
            LD_MEM => a = *memory.get(cell).ok_or(Fault::Constant(at))?,
            LDX_MEM => x = *memory.get(cell).ok_or(Fault::Constant(at))?,
            ST => *memory.get_mut(cell).ok_or(Fault::Constant(at))? = a,
            STX => *memory.get_mut(cell).ok_or(Fault::Constant(at))? = x,
            LD_W_ABS if k == AD_RANDOM => a = random,
            LD_W_ABS | LD_H_ABS | LD_B_ABS => match load(frame, k, code) {
                Some(value) => a = value,
                None => return drop,
            },
            LD_W_IND | LD_H_IND | LD_B_IND => match load(frame, x.wrapping_add(k), code) {
                Some(value) => a = value,
                None => return drop,
            },
            LDX_MSH => match load(frame, k, LD_B_ABS) {
                Some(value) => x = (value & 0x0F) << 2,
                None => return drop,
            },
            TAX => x = a,
            TXA => a = x,
            JA => skip = cell,
            NEG => a = a.wrapping_neg(),
            _ => {
                let operand = if code & WITH_X == 0 { k } else { x };
                if is_jump(code) {
                    skip = usize::from(if holds(code, a, operand) { jt } else { jf });
                } else if is_known(code) {
                    match calculate(code, a, operand) {
                        Some(value) => a = value,
                        None => return drop,
                    }
                } else {
                    return Err(Fault::Opcode(at));
                }
            }
        }
        at = at.saturating_add(1).saturating_add(skip);
    }
}

/// From here on an absolute offset means something else than the frame's octets (SKF_LL_OFF).
const ANCILLARY: u32 = 0xFFE0_0000;

fn slot(k: u32) -> Option<u16> {
    (k < 16).then(|| 1 << k)
}

fn is_jump(code: u16) -> bool {
    matches!(code & !WITH_X, JEQ | JGT | JGE | JSET)
}

fn is_known(code: u16) -> bool {
    matches!(
        code,
        LD_IMM | LD_LEN | LDX_IMM | LDX_LEN | LDX_MSH | TAX | TXA | NEG
    ) || matches!(
        code,
        LD_W_ABS | LD_H_ABS | LD_B_ABS | LD_W_IND | LD_H_IND | LD_B_IND
    ) || (code & 0x07 == ALU
        && matches!(
            code & !WITH_X,
            ADD | SUB | MUL | DIV | OR | AND | LSH | RSH | MOD | XOR
        ))
}

fn holds(code: u16, a: u32, operand: u32) -> bool {
    match code & !WITH_X {
        JEQ => a == operand,
        JGT => a > operand,
        JGE => a >= operand,
        _ => a & operand != 0,
    }
}

/// `None` for a division by zero.
fn calculate(code: u16, a: u32, operand: u32) -> Option<u32> {
    Some(match code & !WITH_X {
        ADD => a.wrapping_add(operand),
        SUB => a.wrapping_sub(operand),
        MUL => a.wrapping_mul(operand),
        DIV => a.checked_div(operand)?,
        MOD => a.checked_rem(operand)?,
        OR => a | operand,
        AND => a & operand,
        XOR => a ^ operand,
        LSH => a.wrapping_shl(operand),
        _ => a.wrapping_shr(operand),
    })
}

/// The octet, halfword or word at `offset`, as the size in `code` says.
fn load(frame: &[u8], offset: u32, code: u16) -> Option<u32> {
    let from = frame.get(usize::try_from(offset).ok()?..)?;
    Some(match code & 0x18 {
        0x10 => u32::from(*from.first()?),
        0x08 => u32::from(u16::from_be_bytes(*from.first_chunk()?)),
        _ => u32::from_be_bytes(*from.first_chunk()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn op(code: u16, k: u32) -> Instruction {
        Instruction::plain(code, k)
    }

    fn verdict(program: &[Instruction], frame: &[u8]) -> u32 {
        check(program).unwrap();
        run(program, frame, 0xABCD).unwrap().verdict
    }

    #[test]
    fn instructions_do_what_the_kernel_says() {
        let frame = [0x45, 1, 2, 3, 4];
        let ret = op(RET_A, 0);
        assert_eq!(verdict(&[op(LD_W_ABS, 1), ret], &frame), 0x0102_0304);
        assert_eq!(
            verdict(&[op(LD_W_ABS, 2), ret], &frame),
            0,
            "beyond the end"
        );
        assert_eq!(verdict(&[op(LD_H_ABS, 3), ret], &frame), 0x0304);
        assert_eq!(verdict(&[op(LD_W_ABS, AD_RANDOM), ret], &frame), 0xABCD);
        assert_eq!(verdict(&[op(LDX_MSH, 0), op(TXA, 0), ret], &frame), 20);
        assert_eq!(verdict(&[op(LDX_IMM, 2), op(LD_B_IND, 1), ret], &frame), 3);
        let wraps = [op(LDX_IMM, 2), op(LD_B_IND, u32::MAX), ret];
        assert_eq!(verdict(&wraps, &frame), 1);
        assert_eq!(verdict(&[op(LD_LEN, 0), op(MUL, 3), ret], &frame), 15);
        assert_eq!(verdict(&[op(DIV | WITH_X, 0), op(RET_K, 5)], &frame), 0);
        let stored = [op(LD_IMM, 7), op(ST, 15), op(LDX_MEM, 15), op(TXA, 0), ret];
        assert_eq!(verdict(&stored, &frame), 7);
    }

    #[test]
    fn what_the_kernel_refuses_is_refused() {
        let ret = op(RET_K, 0);
        assert_eq!(check(&[]), Err(Fault::Length));
        assert_eq!(check(&vec![ret; 4097]), Err(Fault::Length));
        assert_eq!(check(&[op(LD_IMM, 0)]), Err(Fault::NoReturn));
        assert_eq!(check(&[op(JA, 1), ret]), Err(Fault::Jump(0)));
        assert_eq!(check(&[op(JA, u32::MAX), ret]), Err(Fault::Jump(0)));
        let (jt, jf) = (1, 0);
        let beyond = Instruction {
            jt,
            jf,
            ..op(JEQ, 0)
        };
        assert_eq!(check(&[beyond, ret]), Err(Fault::Jump(0)));
        assert_eq!(check(&[op(LSH, 32), ret]), Err(Fault::Constant(0)));
        assert_eq!(check(&[op(ST, 16), ret]), Err(Fault::Constant(0)));
        assert_eq!(check(&[op(LD_MEM, 0), ret]), Err(Fault::Unwritten(0)));
        // Written on one way only.
        let skips = [
            Instruction {
                jt,
                jf,
                ..op(JEQ, 0)
            },
            op(ST, 0),
            op(LD_MEM, 0),
            ret,
        ];
        assert_eq!(check(&skips), Err(Fault::Unwritten(2)));
        assert_eq!(check(&[op(0xFF, 0), ret]), Err(Fault::Opcode(0)));
    }

    proptest! {
        #[test]
        fn no_program_and_no_frame_make_it_panic(
            program in prop::collection::vec((any::<u16>(), any::<u8>(), any::<u8>(), any::<u32>()), 0..40),
            frame: Vec<u8>,
        ) {
            let program: Vec<_> = program
                .into_iter()
                .map(|(code, jt, jf, k)| Instruction {
                    code: code & 0xFF, jt: jt & 7, jf: jf & 7, k: k & 0x8000_003F,
                })
                .collect();
            let checked = check(&program);
            let ran = run(&program, &frame, 0);
            prop_assert!(checked.is_err() || ran.is_ok());
        }
    }
}
