//! The same filter as an extended BPF program that looks our clients up in a map of the kernel's.
//!
//! It is the classic program, translated step by step as the kernel itself does it, but for one
//! instruction that classic BPF has not: the look-up. So both kinds of filter have one meaning, and the
//! number of clients changes nothing in the program. Clients are known by their whole portIdentity: no
//! foreign one passes for ours.
//!
//! Instructions and helpers: Documentation/bpf/standardization/instruction-set.rst and linux/bpf.h of the
//! kernel; 32-bit comparisons need Linux 5.1, a map's value without a call 5.2.

use super::instruction::{
    AD_RANDOM, Instruction, JA, LD_B_ABS, LD_B_IND, LD_H_ABS, LD_H_IND, LD_IMM, LD_MEM, LD_W_ABS,
    LD_W_IND, LDX_IMM, LDX_MEM, LOOKUP, LOOKUP_DOMAIN, LOOKUP_MASTER, RET_A, RET_K, SAMPLE_MASK,
    ST, STX, TAX, TXA, WITH_X,
};
use super::program::assemble;
use super::rules::Known;
use super::spec::Spec;
use crate::wire::PortIdentity;

/// One instruction, laid out as the kernel's `struct bpf_insn`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Extended {
    /// Class, operation and source.
    pub code: u8,
    /// Destination register in the first half of the octet in memory order, source in the other.
    pub registers: u8,
    /// Distance of a jump, or place in memory.
    pub offset: i16,
    /// The constant.
    pub constant: i32,
}

/// Octets of a map's key: a portIdentity in three words of the machine.
pub const MAP_KEY: usize = 12;

/// Portnumbers have 16 bits: this third word of a key is none.
const NO_PORT: u32 = 0x1_0000;

/// The key under which a client's identity is in the map.
#[must_use]
pub fn map_key(identity: &PortIdentity) -> [u8; MAP_KEY] {
    let [a, b, c, d, e, f, g, h] = identity.clock.0;
    let words = [
        u32::from_be_bytes([a, b, c, d]),
        u32::from_be_bytes([e, f, g, h]),
        u32::from(identity.port),
    ];
    let mut key = [0; MAP_KEY];
    for (to, word) in key.chunks_exact_mut(4).zip(words) {
        to.copy_from_slice(&word.to_ne_bytes());
    }
    key
}

/// The key under which an allowed domain is in the map; no portIdentity has it.
#[must_use]
pub fn domain_key(domain: u8) -> [u8; MAP_KEY] {
    let mut key = [0; MAP_KEY];
    for (to, word) in key.chunks_exact_mut(4).zip([u32::from(domain), 0, NO_PORT]) {
        to.copy_from_slice(&word.to_ne_bytes());
    }
    key
}

/// And this is none either.
const NO_DOMAIN: u32 = NO_PORT + 1;

/// The key under which a master for whose sake neighbours pass is in the map, by the last 32 bits of its address.
#[must_use]
pub fn master_key(word: u32) -> [u8; MAP_KEY] {
    let mut key = [0; MAP_KEY];
    for (to, word) in key.chunks_exact_mut(4).zip([word, 0, NO_DOMAIN]) {
        to.copy_from_slice(&word.to_ne_bytes());
    }
    key
}

/// Descriptors of the maps that a program asks.
#[derive(Clone, Copy, Debug)]
pub struct Maps {
    /// The clients'.
    pub clients: i32,
    /// [`Sampling::masks`](super::Sampling::masks), an array of one value.
    pub masks: i32,
}

/// The filter that knows as ours whoever is a key ([`map_key`]) of the clients' map, and samples by the masks.
/// [`Spec::clients`] and [`Spec::key`] are not looked at; of [`Spec::sampling`] only whether a class is 0.
#[must_use]
pub fn with_map(spec: &Spec<'_>, maps: Maps) -> Vec<Extended> {
    // A classic program of this kind takes some 160 instructions.
    let known = Known::Map { domains: false };
    let classic = assemble(spec, &known, usize::MAX).unwrap_or_default();
    translate(&classic, maps)
}

/// The same, but the domains that pass on the up side are keys ([`domain_key`]) of the map too: they can
/// change without another program. Nor is [`Spec::domains`] looked at: to allow all takes a key for each.
#[must_use]
pub fn with_map_of_domains(spec: &Spec<'_>, maps: Maps) -> Vec<Extended> {
    let known = Known::Map { domains: true };
    let classic = assemble(spec, &known, usize::MAX).unwrap_or_default();
    translate(&classic, maps)
}

// Registers: A and X as in the kernel's own translation.
const A: u8 = 0;
const X: u8 = 7;
const CONTEXT: u8 = 6;
const FRAME: u8 = 10;

const ALU_MOVE: u8 = 0xB4;
const ALU64_MOVE: u8 = 0xB7;
const FROM_REGISTER: u8 = 0x08;
const ALU_AND: u8 = 0x54;
const ALU64_ADD: u8 = 0x07;
const LOAD_WORD: u8 = 0x61;
const STORE_WORD: u8 = 0x63;
const LOAD_WIDE: u8 = 0x18;
const JUMP: u8 = 0x05;
const JUMP_NOT_EQUAL: u8 = 0x55;
/// Comparisons of 32 bits.
const JUMP32: u16 = 0x06;
const CALL: u8 = 0x85;
const EXIT: u8 = 0x95;
const HELPER_LOOKUP: i32 = 1;
const HELPER_RANDOM: i32 = 7;
/// The constant is a map's descriptor.
const MAP_DESCRIPTOR: u8 = 1;
/// The constants are a map's descriptor and a place in its one value: Linux 5.2.
const MAP_VALUE: u8 = 2;

/// Where the key is built, below the frame pointer.
const KEY_AT: i16 = -96;

fn translate(classic: &[Instruction], maps: Maps) -> Vec<Extended> {
    let mut out = Translation {
        code: Vec::with_capacity(2 * classic.len()),
        starts: Vec::with_capacity(classic.len() + 1),
        jumps: Vec::new(),
    };
    out.registers(ALU64_MOVE | FROM_REGISTER, CONTEXT, 1);
    out.constant(ALU_MOVE, A, 0);
    out.constant(ALU_MOVE, X, 0);
    // The verifier takes no program with steps that nothing leads to.
    let reached = reached(classic);
    for (at, (step, reached)) in classic.iter().zip(reached).enumerate() {
        out.starts.push(out.code.len());
        if reached {
            out.step(at, *step, maps);
        }
    }
    out.finish()
}

/// Which steps some way leads to.
fn reached(classic: &[Instruction]) -> Vec<bool> {
    let mut reached = vec![false; classic.len()];
    if let Some(first) = reached.first_mut() {
        *first = true;
    }
    for (at, step) in classic.iter().enumerate() {
        if !reached[at] {
            continue;
        }
        let skips = match step.code {
            RET_A | RET_K => [None; 2],
            JA => [Some(step.k as usize), None],
            code if code & 0x07 == 0x05 => [step.jt, step.jf].map(|skip| Some(usize::from(skip))),
            _ => [Some(0), None],
        };
        for skip in skips.into_iter().flatten() {
            if let Some(next) = reached.get_mut(at + 1 + skip) {
                *next = true;
            }
        }
    }
    reached
}

struct Translation {
    code: Vec<Extended>,
    /// Where each classic instruction begins.
    starts: Vec<usize>,
    /// Jumps to be set: where they are, and the classic instruction they go to.
    jumps: Vec<(usize, usize)>,
}

impl Translation {
    fn step(&mut self, at: usize, step: Instruction, maps: Maps) {
        let Instruction { code, k, .. } = step;
        match code {
            LD_W_ABS if k == AD_RANDOM => self.call(HELPER_RANDOM),
            LD_W_ABS | LD_H_ABS | LD_B_ABS => self.constant(low(code), A, k),
            LD_W_IND | LD_H_IND | LD_B_IND => self.push(low(code), A, X, 0, k),
            LD_IMM => self.constant(ALU_MOVE, A, k),
            LDX_IMM => self.constant(ALU_MOVE, X, k),
            LD_MEM => self.push(LOAD_WORD, A, FRAME, slot(k), 0),
            LDX_MEM => self.push(LOAD_WORD, X, FRAME, slot(k), 0),
            ST => self.push(STORE_WORD, FRAME, A, slot(k), 0),
            STX => self.push(STORE_WORD, FRAME, X, slot(k), 0),
            TAX => self.registers(ALU_MOVE | FROM_REGISTER, X, A),
            TXA => self.registers(ALU_MOVE | FROM_REGISTER, A, X),
            RET_K => {
                self.constant(ALU_MOVE, A, k);
                self.constant(EXIT, 0, 0);
            }
            RET_A => self.constant(EXIT, 0, 0),
            JA => self.jump(JUMP, 0, 0, at + 1 + k as usize),
            LOOKUP | LOOKUP_DOMAIN | LOOKUP_MASTER => {
                match code {
                    LOOKUP => self.identity_key(k),
                    LOOKUP_DOMAIN => self.number_key(LD_B_IND, k, NO_PORT),
                    _ => self.number_key(LD_W_IND, k, NO_DOMAIN),
                }
                self.look_up(maps.clients);
                self.jump(JUMP_NOT_EQUAL, A, 0, at + 1 + usize::from(step.jt));
                self.jump_on(at, step.jf);
            }
            SAMPLE_MASK => self.sample_mask(maps.masks, k),
            _ if code & 0x07 == 0x05 => {
                let test = low(code & 0xF0 | JUMP32);
                self.jump(test, A, k, at + 1 + usize::from(step.jt));
                self.jump_on(at, step.jf);
            }
            _ if code & WITH_X != 0 => self.registers(low(code), A, X),
            _ => self.constant(low(code), A, k),
        }
    }

    /// The key of the identity at X + `at`.
    fn identity_key(&mut self, at: u32) {
        for (load, ahead) in [(LD_W_IND, 0), (LD_W_IND, 4), (LD_H_IND, 8)] {
            self.push(low(load), A, X, 0, at + ahead);
            let ahead = i16::try_from(ahead).unwrap_or(0);
            self.push(STORE_WORD, FRAME, A, KEY_AT + ahead, 0);
        }
    }

    /// The key of the number at X + `at`: a domain's, or a master's.
    fn number_key(&mut self, load: u16, at: u32, kind: u32) {
        self.push(low(load), A, X, 0, at);
        self.push(STORE_WORD, FRAME, A, KEY_AT, 0);
        for (word, ahead) in [(0, 4), (kind, 8)] {
            self.constant(ALU_MOVE, A, word);
            self.push(STORE_WORD, FRAME, A, KEY_AT + ahead, 0);
        }
    }

    /// Leaves of A what is in the mask of this class.
    fn sample_mask(&mut self, map: i32, class: u32) {
        self.push(LOAD_WIDE, 1, MAP_VALUE, 0, map.cast_unsigned());
        self.push(0, 0, 0, 0, class * 4);
        self.push(LOAD_WORD, 1, 1, 0, 0);
        self.registers(ALU_AND | FROM_REGISTER, A, 1);
    }

    /// A is not null if the key is in the map.
    fn look_up(&mut self, map: i32) {
        self.push(LOAD_WIDE, 1, MAP_DESCRIPTOR, 0, map.cast_unsigned());
        self.push(0, 0, 0, 0, 0);
        self.registers(ALU64_MOVE | FROM_REGISTER, 2, FRAME);
        self.constant(ALU64_ADD, 2, i32::from(KEY_AT).cast_unsigned());
        self.call(HELPER_LOOKUP);
    }

    fn call(&mut self, helper: i32) {
        self.push(CALL, 0, 0, 0, helper.cast_unsigned());
    }

    fn jump_on(&mut self, at: usize, skip: u8) {
        if skip > 0 {
            self.jump(JUMP, 0, 0, at + 1 + usize::from(skip));
        }
    }

    fn jump(&mut self, code: u8, register: u8, k: u32, to: usize) {
        self.jumps.push((self.code.len(), to));
        self.constant(code, register, k);
    }

    fn registers(&mut self, code: u8, to: u8, from: u8) {
        self.push(code, to, from, 0, 0);
    }

    fn constant(&mut self, code: u8, to: u8, k: u32) {
        self.push(code, to, 0, 0, k);
    }

    fn push(&mut self, code: u8, to: u8, from: u8, offset: i16, k: u32) {
        let registers = if cfg!(target_endian = "little") {
            from << 4 | to
        } else {
            to << 4 | from
        };
        self.code.push(Extended {
            code,
            registers,
            offset,
            constant: k.cast_signed(),
        });
    }

    fn finish(mut self) -> Vec<Extended> {
        for (at, to) in self.jumps {
            let target = self.starts.get(to).copied().unwrap_or(at + 1);
            if let Some(jump) = self.code.get_mut(at) {
                // Forward, as in the classic program.
                jump.offset = i16::try_from(target.saturating_sub(at + 1)).unwrap_or(i16::MAX);
            }
        }
        self.code
    }
}

/// The place of a slot of M.
fn slot(number: u32) -> i16 {
    i16::try_from(number & 15).unwrap_or(0) * 4 - 64
}

/// Opcodes of both kinds are octets.
fn low(code: u16) -> u8 {
    code.to_le_bytes()[0]
}
