//! The frame of pcapng: blocks, their byte order, their options.
//!
//! Our own reader: that of `pcap_file` gives a whole file up for one option that it cannot read.

use std::io::{self, BufReader, ErrorKind, Read as _};

use super::errors::describe_io;
use super::found::Source;

/// The block that begins a section; the same in either byte order.
pub(super) const SECTION: u32 = 0x0A0D_0D0A;
const BYTE_ORDER: [u8; 4] = [0x1A, 0x2B, 0x3C, 0x4D];
/// Type and length before a block, length after it.
const AROUND: usize = 12;
/// No block is longer: it is memory, and a broken file may say anything.
const LONGEST_BLOCK: usize = 1 << 26;

/// Reads blocks.
pub(super) struct Blocks {
    source: BufReader<Source>,
    little_endian: bool,
    body: Vec<u8>,
    /// Where this block begins, and the next one.
    offset: u64,
    end: u64,
}

impl Blocks {
    pub(super) fn new(source: Source) -> Self {
        Self {
            source: BufReader::new(source),
            little_endian: false,
            body: Vec::new(),
            offset: 0,
            end: 0,
        }
    }

    /// Where the block begins that was read last, or could not be read.
    pub(super) const fn offset(&self) -> u64 {
        self.offset
    }

    pub(super) fn has_more(&self) -> bool {
        !self.source.buffer().is_empty()
    }

    /// The type of the next block; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<u32>, String> {
        self.offset = self.end;
        let mut kind = [0; 4];
        match self.source.read(&mut kind[..1]) {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(error) => return Err(error.to_string()),
        }
        self.block(kind)
            .map(Some)
            .map_err(|error| match error.kind() {
                ErrorKind::InvalidData => error.to_string(),
                _ => describe_io(&error, "it"),
            })
    }

    /// The rest of a block whose first byte was read.
    fn block(&mut self, mut kind: [u8; 4]) -> io::Result<u32> {
        let broken = |text| io::Error::new(ErrorKind::InvalidData, text);
        let (mut len, mut order) = ([0; 4], [0; 4]);
        self.source.read_exact(&mut kind[1..])?;
        self.source.read_exact(&mut len)?;
        let mut have = 0;
        if kind == SECTION.to_be_bytes() {
            self.source.read_exact(&mut order)?;
            have = order.len();
            self.little_endian = order != BYTE_ORDER;
            let [a, b, c, d] = order;
            if self.little_endian && [d, c, b, a] != BYTE_ORDER {
                return Err(broken("a section without byte order"));
            }
        }
        let len = self.u32(len) as usize;
        if !len.is_multiple_of(4) || !(AROUND + have..=LONGEST_BLOCK).contains(&len) {
            return Err(broken("a block of impossible length"));
        }
        self.body.clear();
        self.body.extend_from_slice(&order[..have]);
        // What is said to come may not come: memory is taken as it does.
        let rest = len - AROUND - have;
        let read = (&mut self.source)
            .take(rest as u64)
            .read_to_end(&mut self.body)?;
        if read < rest {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let mut again = [0; 4];
        self.source.read_exact(&mut again)?;
        if self.u32(again) as usize != len {
            return Err(broken("a block with two lengths that differ"));
        }
        self.end += len as u64;
        Ok(self.u32(kind))
    }

    /// What is in the block.
    pub(super) fn body(&self) -> Body<'_> {
        Body {
            rest: &self.body,
            little_endian: self.little_endian,
        }
    }

    const fn u32(&self, bytes: [u8; 4]) -> u32 {
        number(bytes, self.little_endian)
    }
}

const fn number(bytes: [u8; 4], little_endian: bool) -> u32 {
    if little_endian {
        u32::from_le_bytes(bytes)
    } else {
        u32::from_be_bytes(bytes)
    }
}

/// Takes the fields of a block in their order.
#[derive(Clone, Copy)]
pub(super) struct Body<'a> {
    rest: &'a [u8],
    little_endian: bool,
}

impl<'a> Body<'a> {
    pub(super) fn u16(&mut self) -> Option<u16> {
        let (&bytes, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(if self.little_endian {
            u16::from_le_bytes(bytes)
        } else {
            u16::from_be_bytes(bytes)
        })
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        let (&bytes, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(number(bytes, self.little_endian))
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        let (&bytes, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(if self.little_endian {
            u64::from_le_bytes(bytes)
        } else {
            u64::from_be_bytes(bytes)
        })
    }

    /// A number in two words, the high one first in either byte order.
    pub(super) fn words(&mut self) -> Option<u64> {
        let high = self.u32()?;
        Some(u64::from(high) << 32 | u64::from(self.u32()?))
    }

    /// Bytes, with what fills their last word up.
    pub(super) fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(len)?;
        let padding = len.next_multiple_of(4) - len;
        self.rest = rest.get(padding..).unwrap_or_default();
        Some(bytes)
    }

    /// All that is left.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The value of the first option with this code. What follows an option that is cut is not there.
    pub(super) fn option(mut self, code: u16) -> Option<Self> {
        loop {
            let (found, len) = (self.u16()?, self.u16()?);
            let value = self.bytes(usize::from(len))?;
            match found {
                0 => return None,
                _ if found == code => {
                    return Some(Self {
                        rest: value,
                        ..self
                    });
                }
                _ => {}
            }
        }
    }
}
