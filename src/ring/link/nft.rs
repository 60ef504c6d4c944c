//! A batch of changes for nftables, by netlink: just what one small table needs.
//!
//! Messages and attributes are those of `linux/netfilter/nfnetlink.h` and `nf_tables.h`; numbers in attributes are
//! big-endian. The kernel takes a batch whole or not at all.

use std::io;

use netlink_sys::{Socket, protocols::NETLINK_NETFILTER};

use super::netlink;

const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_ACK: u16 = 0x4;
const NLM_F_EXCL: u16 = 0x200;
const NLM_F_CREATE: u16 = 0x400;
const NLM_F_APPEND: u16 = 0x800;
const NLA_F_NESTED: u16 = 0x8000;

const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const NFTABLES: u16 = 10 << 8;
const NEW_TABLE: u16 = NFTABLES;
const DELETE_TABLE: u16 = NFTABLES | 2;
const NEW_CHAIN: u16 = NFTABLES | 3;
const NEW_RULE: u16 = NFTABLES | 6;

/// Both IP versions.
const INET: u8 = 1;
/// The table goes with the socket that made it.
const OWNER: u32 = 2;
/// Hook prerouting, priority raw.
const PREROUTING: u32 = 0;
const RAW: i32 = -300;
const ACCEPT: u32 = 1;
const DROP: u32 = 0;
/// A register, and that of the verdict.
const REGISTER: u32 = 1;
const VERDICT: u32 = 0;
const META_IIFNAME: u32 = 6;
const META_L4PROTO: u32 = 16;
const EQUAL: u32 = 0;
const AT_MOST: u32 = 3;
const AT_LEAST: u32 = 5;
const TRANSPORT: u32 = 2;
/// fib: the interface's name for the destination.
const FIB_OIFNAME: u32 = 2;
const FIB_DADDR: u32 = 2;

/// An interface name as the kernel compares it.
const NAME: usize = 16;
const CHAIN: &str = "routed";

/// Changes that are made together.
pub(super) struct Batch {
    bytes: Vec<u8>,
    sequence: u32,
}

impl Batch {
    pub(super) fn new() -> Self {
        let mut batch = Self {
            bytes: Vec::new(),
            sequence: 0,
        };
        batch.message(BATCH_BEGIN, 0, (0, NFTABLES >> 8), |_| ());
        batch
    }

    /// A table that must not be there yet, and goes with the socket that sends this.
    pub(super) fn own_table(&mut self, name: &str) {
        let flags = NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
        self.message(NEW_TABLE, flags, (INET, 0), |body| {
            body.text(1, name);
            body.number(2, OWNER);
        });
    }

    /// A table that stays; it may be there already.
    pub(super) fn table(&mut self, name: &str) {
        self.message(NEW_TABLE, NLM_F_ACK | NLM_F_CREATE, (INET, 0), |body| {
            body.text(1, name);
        });
    }

    /// No such table from here on; it must be there.
    pub(super) fn delete_table(&mut self, name: &str) {
        self.message(DELETE_TABLE, NLM_F_ACK, (INET, 0), |body| {
            body.text(1, name)
        });
    }

    /// The chain of a table, where packets have not been routed yet.
    pub(super) fn chain(&mut self, table: &str) {
        self.message(NEW_CHAIN, NLM_F_ACK | NLM_F_CREATE, (INET, 0), |body| {
            body.text(1, table);
            body.text(3, CHAIN);
            body.nested(4, |hook| {
                hook.number(1, PREROUTING);
                hook.number(2, RAW.cast_unsigned());
            });
            body.number(5, ACCEPT);
            body.text(7, "filter");
        });
    }

    /// Drops UDP to these ports from one interface whose route leads out of the other.
    pub(super) fn drop_routed(&mut self, table: &str, (from, to): (&str, &str), ports: [u16; 2]) {
        let flags = NLM_F_ACK | NLM_F_CREATE | NLM_F_APPEND;
        self.message(NEW_RULE, flags, (INET, 0), |body| {
            body.text(1, table);
            body.text(2, CHAIN);
            body.nested(4, |rule| {
                rule.expression("meta", |meta| {
                    meta.number(2, META_IIFNAME);
                    meta.number(1, REGISTER);
                });
                rule.compare(EQUAL, &name(from));
                rule.expression("meta", |meta| {
                    meta.number(2, META_L4PROTO);
                    meta.number(1, REGISTER);
                });
                rule.compare(EQUAL, &[17]);
                rule.expression("payload", |field| {
                    for (kind, value) in [(1, REGISTER), (2, TRANSPORT), (3, 2), (4, 2)] {
                        field.number(kind, value);
                    }
                });
                rule.compare(AT_LEAST, &ports[0].to_be_bytes());
                rule.compare(AT_MOST, &ports[1].to_be_bytes());
                rule.expression("fib", |fib| {
                    fib.number(3, FIB_DADDR);
                    fib.number(2, FIB_OIFNAME);
                    fib.number(1, REGISTER);
                });
                rule.compare(EQUAL, &name(to));
                rule.expression("counter", |counts| {
                    counts.attribute(1, &[0; 8]);
                    counts.attribute(2, &[0; 8]);
                });
                rule.expression("immediate", |verdict| {
                    verdict.number(1, VERDICT);
                    verdict.nested(2, |data| data.nested(2, |code| code.number(1, DROP)));
                });
            });
        });
    }

    /// Makes the changes. The socket owns what [`Batch::own_table`] made.
    ///
    /// # Errors
    /// The kernel's: then none was made.
    pub(super) fn send(mut self) -> io::Result<Socket> {
        self.message(BATCH_END, 0, (0, NFTABLES >> 8), |_| ());
        let mut socket = Socket::new(NETLINK_NETFILTER)?;
        socket.bind_auto()?;
        socket.send(&self.bytes, 0)?;
        // It was dealt with when `send` returns: one answer for each message, or one for all.
        socket.set_non_blocking(true)?;
        let mut answered = false;
        loop {
            match socket.recv_from_full() {
                Ok((bytes, _)) => {
                    let end = netlink::messages(&bytes, &mut |_, _| ());
                    end.transpose()?;
                    answered = true;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && answered => {
                    return Ok(socket);
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn message(
        &mut self,
        kind: u16,
        flags: u16,
        (family, resource): (u8, u16),
        fill: impl FnOnce(&mut Body<'_>),
    ) {
        let start = self.bytes.len();
        let sequence = self.sequence;
        self.sequence += 1;
        self.bytes.extend([0; 4]);
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend((NLM_F_REQUEST | flags).to_ne_bytes());
        self.bytes.extend(sequence.to_ne_bytes());
        self.bytes.extend([0; 4]);
        self.bytes.extend([family, 0]);
        self.bytes.extend(resource.to_be_bytes());
        fill(&mut Body(&mut self.bytes));
        let len = u32::try_from(self.bytes.len() - start).unwrap_or(u32::MAX);
        self.bytes[start..start + 4].copy_from_slice(&len.to_ne_bytes());
    }
}

/// Attributes of a message.
struct Body<'a>(&'a mut Vec<u8>);

impl Body<'_> {
    fn attribute(&mut self, kind: u16, value: &[u8]) {
        self.with(kind, |body| body.0.extend(value));
    }

    fn text(&mut self, kind: u16, text: &str) {
        self.with(kind, |body| {
            body.0.extend(text.as_bytes());
            body.0.push(0);
        });
    }

    fn number(&mut self, kind: u16, value: u32) {
        self.attribute(kind, &value.to_be_bytes());
    }

    fn nested(&mut self, kind: u16, fill: impl FnOnce(&mut Body<'_>)) {
        self.with(NLA_F_NESTED | kind, fill);
    }

    fn expression(&mut self, name: &str, fill: impl FnOnce(&mut Body<'_>)) {
        self.nested(1, |element| {
            element.text(1, name);
            element.nested(2, fill);
        });
    }

    fn compare(&mut self, how: u32, with: &[u8]) {
        self.expression("cmp", |compare| {
            compare.number(1, REGISTER);
            compare.number(2, how);
            compare.nested(3, |data| data.attribute(1, with));
        });
    }

    fn with(&mut self, kind: u16, fill: impl FnOnce(&mut Body<'_>)) {
        let start = self.0.len();
        self.0.extend([0; 2]);
        self.0.extend(kind.to_ne_bytes());
        fill(&mut Body(self.0));
        let end = self.0.len();
        let len = u16::try_from(end - start).unwrap_or(u16::MAX);
        self.0[start..start + 2].copy_from_slice(&len.to_ne_bytes());
        self.0.resize(end.next_multiple_of(4), 0);
    }
}

fn name(interface: &str) -> [u8; NAME] {
    let mut bytes = [0; NAME];
    for (place, byte) in bytes.iter_mut().zip(interface.bytes().take(NAME - 1)) {
        *place = byte;
    }
    bytes
}
