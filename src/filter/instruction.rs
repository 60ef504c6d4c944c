//! Classic BPF instructions (Documentation/networking/filter.rst of the kernel).

/// One instruction, laid out as the kernel's `struct sock_filter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct Instruction {
    /// Class, size, mode, operation and source.
    pub code: u16,
    /// Instructions to skip when the test holds.
    pub jt: u8,
    /// Instructions to skip when it does not.
    pub jf: u8,
    /// The constant: operand, offset, slot, or distance of an unconditional jump.
    pub k: u32,
}

impl Instruction {
    /// An instruction that is no conditional jump.
    pub(super) const fn plain(code: u16, k: u32) -> Self {
        Self {
            code,
            jt: 0,
            jf: 0,
            k,
        }
    }
}

/// BPF_MAXINSNS: the kernel takes no longer program.
pub const MAX_INSTRUCTIONS: usize = 4096;

/// The verdict that lets a whole frame through: a length that no frame reaches.
pub const WHOLE_FRAME: u32 = 0x4_0000;

/// SKF_AD_OFF + SKF_AD_RANDOM: an absolute load from here gives a random word.
pub(super) const AD_RANDOM: u32 = 0xFFFF_F000 + 56;

// Opcodes: class | size | mode, or class | operation | source.
pub(super) const LD_IMM: u16 = 0x00;
pub(super) const LD_W_ABS: u16 = 0x20;
pub(super) const LD_H_ABS: u16 = 0x28;
pub(super) const LD_B_ABS: u16 = 0x30;
pub(super) const LD_W_IND: u16 = 0x40;
pub(super) const LD_H_IND: u16 = 0x48;
pub(super) const LD_B_IND: u16 = 0x50;
pub(super) const LD_MEM: u16 = 0x60;
pub(super) const LD_LEN: u16 = 0x80;
pub(super) const LDX_IMM: u16 = 0x01;
pub(super) const LDX_MEM: u16 = 0x61;
pub(super) const LDX_LEN: u16 = 0x81;
pub(super) const LDX_MSH: u16 = 0xB1;
pub(super) const ST: u16 = 0x02;
pub(super) const STX: u16 = 0x03;
pub(super) const ALU: u16 = 0x04;
pub(super) const ADD: u16 = 0x04;
pub(super) const SUB: u16 = 0x14;
pub(super) const MUL: u16 = 0x24;
pub(super) const DIV: u16 = 0x34;
pub(super) const OR: u16 = 0x44;
pub(super) const AND: u16 = 0x54;
pub(super) const LSH: u16 = 0x64;
pub(super) const RSH: u16 = 0x74;
pub(super) const NEG: u16 = 0x84;
pub(super) const MOD: u16 = 0x94;
pub(super) const XOR: u16 = 0xA4;
pub(super) const JA: u16 = 0x05;
pub(super) const JEQ: u16 = 0x15;
pub(super) const JGT: u16 = 0x25;
pub(super) const JGE: u16 = 0x35;
pub(super) const JSET: u16 = 0x45;
pub(super) const RET_K: u16 = 0x06;
pub(super) const RET_A: u16 = 0x16;
pub(super) const TAX: u16 = 0x07;
pub(super) const TXA: u16 = 0x87;
/// Added to an ALU or jump opcode: the operand is X instead of the constant.
pub(super) const WITH_X: u16 = 0x08;

/// No instruction of the kernel's: a jump by whether the identity at X + k is one of our clients', which
/// only [`super::with_map`] can translate.
pub(super) const LOOKUP: u16 = 0xFFF5;
/// Another such jump, by whether the octet at X + k is a domain that the map has.
pub(super) const LOOKUP_DOMAIN: u16 = 0xFFE5;
/// Another one, by whether the word at X + k is that of a master whose neighbours pass.
pub(super) const LOOKUP_MASTER: u16 = 0xFFC5;
/// And A &= the mask of the sample of class k, beside the map.
pub(super) const SAMPLE_MASK: u16 = 0xFFD4;
