//! The newer format: sections, interfaces, and three kinds of packet blocks.

use super::blocks::{Blocks, Body, SECTION};
use super::found::{Found, Interface, Source};
use super::link::Link;
use super::sides::{MOST_INTERFACES, Sides};

const INTERFACE: u32 = 1;
/// Obsolete, and still written by converters.
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

// Options of an interface.
const NAME: u16 = 2;
const RESOLUTION: u16 = 9;
const FCS_LENGTH: u16 = 13;
const OFFSET: u16 = 14;
// Of a packet.
const FLAGS: u16 = 2;

/// Times up to here (the year 2262) can be shifted and compared without overflow.
const LATEST_NS: u64 = (i64::MAX / 2) as u64;

/// A file that is being read.
pub(super) struct PcapNg {
    blocks: Blocks,
    /// Of this section.
    interfaces: Vec<Described>,
}

/// An interface block.
struct Described {
    interface: Interface,
    link: Result<Link, &'static str>,
    clock: Clock,
}

impl PcapNg {
    /// Reads the first section's header.
    pub(super) fn read(source: Source) -> Result<Self, String> {
        let mut blocks = Blocks::new(source);
        match blocks.next() {
            Ok(Some(SECTION)) => {}
            Ok(_) => return Err("is no capture: it has no section".into()),
            Err(text) => return Err(format!("is no capture: {text}")),
        }
        Ok(Self {
            blocks,
            interfaces: Vec::new(),
        })
    }

    /// Where the block begins that was read last, or could not be read.
    pub(super) const fn offset(&self) -> u64 {
        self.blocks.offset()
    }

    pub(super) fn has_more(&self) -> bool {
        self.blocks.has_more()
    }

    /// The next packet.
    pub(super) fn next(&mut self, sides: &mut Sides) -> Result<Option<Found<'_>>, String> {
        loop {
            match self.blocks.next()? {
                None => return Ok(None),
                Some(SECTION) => self.interfaces.clear(),
                Some(INTERFACE) => self.describe(sides)?,
                Some(kind @ (PACKET | SIMPLE_PACKET | ENHANCED_PACKET)) => {
                    return Ok(Some(self.packet(kind)));
                }
                Some(_) => {}
            }
        }
    }

    /// An interface block: what its packets are.
    fn describe(&mut self, sides: &mut Sides) -> Result<(), String> {
        let number = self.interfaces.len();
        if number >= MOST_INTERFACES {
            return Err(format!("more than {MOST_INTERFACES} interfaces"));
        }
        let mut body = self.blocks.body();
        let (Some(link_type), Some(_), Some(_)) = (body.u16(), body.u16(), body.u32()) else {
            return Err("an interface block that is too short".into());
        };
        let name = match body.option(NAME) {
            Some(name) => String::from_utf8_lossy(name.rest()).into_owned(),
            None => number.to_string(),
        };
        let link = Link::of(link_type);
        let side = match link {
            Ok(Link::Cooked) => sides.must_be_two()?,
            _ => sides.of(&name)?,
        };
        let link = match link {
            Ok(link) => Ok(match body.option(FCS_LENGTH).map(|value| value.rest()) {
                Some(&[length]) => link.with_fcs(length),
                _ => link,
            }),
            // It is what was asked for.
            Err(text) if side.is_some() => return Err(format!("interface {name} {text}")),
            Err(_) => Err("not Ethernet"),
        };
        self.interfaces.push(Described {
            interface: Interface { name, side },
            link,
            clock: Clock::of(body),
        });
        Ok(())
    }

    /// A packet block of this kind.
    fn packet(&self, kind: u32) -> Found<'_> {
        let mut body = self.blocks.body();
        let parts = match kind {
            ENHANCED_PACKET => enhanced(&mut body),
            PACKET => obsolete(&mut body),
            _ => simple(&mut body),
        };
        let number = parts.as_ref().map_or(0, |parts| parts.interface);
        let described = self.interfaces.get(number as usize);
        let mut link = match described {
            Some(described) => described.link,
            None => Err("its interface is not described"),
        };
        let flags = body
            .option(FLAGS)
            .and_then(|mut value| value.u32())
            .unwrap_or(0);
        // Bits 5 to 8, in bytes; 0 is not known.
        let fcs = u8::try_from(flags >> 5 & 0xF).unwrap_or(0);
        if fcs > 0 {
            link = link.map(|link| link.with_fcs(fcs));
        }
        let (at_ns, original_len, data) = match parts {
            None => (Err("its block is cut"), 0, &[][..]),
            Some(parts) => {
                let at_ns = match (parts.time, described) {
                    (None, _) => Err("a Simple Packet Block has no time"),
                    (Some(_), None) => Err("its interface is not described"),
                    (Some(raw), Some(described)) => {
                        described.clock.ns(raw).ok_or("its time is out of range")
                    }
                };
                (at_ns, parts.original_len, parts.data)
            }
        };
        Found {
            link,
            interface: described.map(|described| &described.interface),
            // Bits 0 and 1: 2 is outbound.
            outgoing: flags & 3 == 2,
            at_ns,
            original_len,
            data,
        }
    }
}

/// What packet blocks have in common.
struct Parts<'a> {
    interface: u32,
    time: Option<u64>,
    original_len: u32,
    data: &'a [u8],
}

fn enhanced<'a>(body: &mut Body<'a>) -> Option<Parts<'a>> {
    let interface = body.u32()?;
    timed(interface, body)
}

fn obsolete<'a>(body: &mut Body<'a>) -> Option<Parts<'a>> {
    let interface = body.u16()?;
    let _lost = body.u16()?;
    timed(interface.into(), body)
}

fn timed<'a>(interface: u32, body: &mut Body<'a>) -> Option<Parts<'a>> {
    let time = Some(body.words()?);
    let (captured, original_len) = (body.u32()?, body.u32()?);
    Some(Parts {
        interface,
        time,
        original_len,
        data: body.bytes(captured as usize)?,
    })
}

fn simple<'a>(body: &mut Body<'a>) -> Option<Parts<'a>> {
    let original_len = body.u32()?;
    let data = body.rest();
    // It has no options: what follows is padding.
    body.bytes(data.len())?;
    Some(Parts {
        interface: 0,
        time: None,
        original_len,
        data,
    })
}

/// How an interface counts time.
struct Clock {
    /// Units in a second (if_tsresol); `None` if there is no such number.
    per_second: Option<u128>,
    /// Seconds to be added (if_tsoffset).
    offset: i64,
}

impl Clock {
    fn of(options: Body<'_>) -> Self {
        let resolution = match options.option(RESOLUTION).map(|value| value.rest()) {
            Some(&[resolution]) => resolution,
            _ => 6,
        };
        let exponent = u32::from(resolution & 0x7F);
        let base: u128 = if resolution & 0x80 == 0 { 10 } else { 2 };
        // Of 64 bits in the section's byte order.
        let offset = options.option(OFFSET).and_then(|mut value| value.u64());
        Self {
            per_second: base.checked_pow(exponent),
            offset: offset.unwrap_or(0).cast_signed(),
        }
    }

    /// Nanoseconds since the epoch.
    fn ns(&self, raw: u64) -> Option<u64> {
        let ns = u128::from(raw) * 1_000_000_000 / self.per_second?;
        let ns = i128::try_from(ns).ok()?;
        u64::try_from(ns + i128::from(self.offset) * 1_000_000_000)
            .ok()
            .filter(|ns| *ns <= LATEST_NS)
    }
}
