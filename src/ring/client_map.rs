//! The kernel's hash map of our clients, and the socket filter that asks it (bpf(2), BPF_MAP_TYPE_HASH,
//! BPF_PROG_TYPE_SOCKET_FILTER).

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use super::os::sys;
use crate::filter::{Extended, MAP_KEY, Maps, Sampling};

/// A map from a client's key ([`crate::filter::map_key`]) to how often it was added. Domains may be in it as
/// well ([`crate::filter::domain_key`]).
///
/// Needs CAP_BPF (before Linux 5.8 CAP_SYS_ADMIN) of the machine, not of a user namespace.
#[derive(Debug)]
pub struct ClientMap {
    fd: OwnedFd,
    /// How thinly is sampled what nobody here wants: one value.
    masks: OwnedFd,
}

impl ClientMap {
    /// An empty map for up to `capacity` keys. The kernel takes memory for a key when it is added.
    ///
    /// # Errors
    /// The system's; EPERM without the privilege, ENOSYS or EINVAL where the kernel has no such thing.
    pub fn new(capacity: u32) -> io::Result<Self> {
        let mut attributes = Attributes::default();
        attributes.map = MapAttributes {
            kind: HASH,
            key_size: u32::try_from(MAP_KEY).unwrap_or(0),
            value_size: 4,
            capacity,
            flags: NO_PREALLOCATION,
        };
        let fd = sys::owned(bpf(MAP_CREATE, &mut attributes)?)?;
        let mut attributes = Attributes::default();
        attributes.map = MapAttributes {
            kind: ARRAY,
            key_size: 4,
            value_size: u32::try_from(size_of_val(&Sampling::each(1).masks())).unwrap_or(0),
            capacity: 1,
            flags: 0,
        };
        let masks = sys::owned(bpf(MAP_CREATE, &mut attributes)?)?;
        Ok(Self { fd, masks })
    }

    /// What a program is to be made for.
    #[must_use]
    pub fn maps(&self) -> Maps {
        Maps {
            clients: self.fd.as_raw_fd(),
            masks: self.masks.as_raw_fd(),
        }
    }

    /// Samples like this from now on; everything passes before the first call.
    ///
    /// # Errors
    /// The system's.
    pub fn sample(&mut self, sampling: &Sampling) -> io::Result<()> {
        let (key, masks) = (0_u32, sampling.masks());
        let mut attributes = Attributes::default();
        attributes.element = ElementAttributes {
            map: self.masks.as_raw_fd().cast_unsigned(),
            padding: 0,
            key: (&raw const key).expose_provenance() as u64,
            value: masks.as_ptr().expose_provenance() as u64,
            flags: ANY,
        };
        bpf(MAP_UPDATE, &mut attributes).map(drop)
    }

    /// Adds a client, once more if it is there already.
    ///
    /// # Errors
    /// The system's; E2BIG when the map is full.
    pub fn add(&mut self, key: &[u8; MAP_KEY]) -> io::Result<()> {
        match self.update(key, 1, NO_EXIST) {
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => {
                let count = self.count(key)?;
                self.update(key, count.saturating_add(1), ANY)
            }
            other => other,
        }
    }

    /// Takes a client back as often as it was added; then it is gone.
    ///
    /// # Errors
    /// The system's; ENOENT if it is not there.
    pub fn remove(&mut self, key: &[u8; MAP_KEY]) -> io::Result<()> {
        match self.count(key)? {
            0 | 1 => self.element(MAP_DELETE, key, None, ANY),
            count => self.update(key, count - 1, ANY),
        }
    }

    /// Loads a program that names this map.
    ///
    /// # Errors
    /// The system's; EACCES or EINVAL if its verifier refuses the program.
    pub fn load(&self, program: &[Extended]) -> io::Result<MapFilter> {
        let mut attributes = Attributes::default();
        attributes.program = ProgramAttributes {
            kind: SOCKET_FILTER,
            length: u32::try_from(program.len()).unwrap_or(0),
            instructions: program.as_ptr().expose_provenance() as u64,
            license: LICENSE.as_ptr().expose_provenance() as u64,
            ..ProgramAttributes::default()
        };
        let fd = unless_interrupted(|| bpf(PROGRAM_LOAD, &mut attributes))?;
        Ok(MapFilter {
            fd: sys::owned(fd)?,
        })
    }

    fn update(&mut self, key: &[u8; MAP_KEY], count: u32, flags: u64) -> io::Result<()> {
        let mut count = count;
        self.element(MAP_UPDATE, key, Some(&mut count), flags)
    }

    fn count(&self, key: &[u8; MAP_KEY]) -> io::Result<u32> {
        let mut count = 0;
        self.element(MAP_LOOKUP, key, Some(&mut count), ANY)?;
        Ok(count)
    }

    fn element(
        &self,
        command: libc::c_int,
        key: &[u8; MAP_KEY],
        count: Option<&mut u32>,
        flags: u64,
    ) -> io::Result<()> {
        let mut attributes = Attributes::default();
        attributes.element = ElementAttributes {
            map: self.fd.as_raw_fd().cast_unsigned(),
            padding: 0,
            key: key.as_ptr().expose_provenance() as u64,
            // A command that takes no value refuses one.
            value: count.map_or(0, |count| {
                std::ptr::from_mut(count).expose_provenance() as u64
            }),
            flags,
        };
        bpf(command, &mut attributes).map(drop)
    }
}

/// A loaded program; it keeps its map alive.
#[derive(Debug)]
pub struct MapFilter {
    fd: OwnedFd,
}

impl MapFilter {
    /// Puts it in place of a socket's filter: one step, no gap (SO_ATTACH_BPF).
    pub(crate) fn attach(&self, socket: BorrowedFd<'_>) -> io::Result<()> {
        let fd = self.fd.as_fd().as_raw_fd();
        sys::set_option(socket, libc::SOL_SOCKET, libc::SO_ATTACH_BPF, &fd)
    }
}

// linux/bpf.h
const MAP_CREATE: libc::c_int = 0;
const MAP_LOOKUP: libc::c_int = 1;
const MAP_UPDATE: libc::c_int = 2;
const MAP_DELETE: libc::c_int = 3;
const PROGRAM_LOAD: libc::c_int = 5;
const HASH: u32 = 1;
const ARRAY: u32 = 2;
const NO_PREALLOCATION: u32 = 1;
const SOCKET_FILTER: u32 = 1;
const ANY: u64 = 0;
const NO_EXIST: u64 = 1;
/// The helpers that it calls ask for no particular one.
const LICENSE: &std::ffi::CStr = c"Dual MIT/GPL";

#[derive(Clone, Copy, Default)]
#[repr(C)]
struct MapAttributes {
    kind: u32,
    key_size: u32,
    value_size: u32,
    capacity: u32,
    flags: u32,
}

#[derive(Clone, Copy, Default)]
#[repr(C)]
struct ProgramAttributes {
    kind: u32,
    length: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
}

#[derive(Clone, Copy, Default)]
#[repr(C)]
struct ElementAttributes {
    map: u32,
    padding: u32,
    key: u64,
    value: u64,
    flags: u64,
}

/// The first bytes of `union bpf_attr`; what lies behind them counts as zero.
#[derive(Clone, Copy)]
#[repr(C)]
union Attributes {
    map: MapAttributes,
    program: ProgramAttributes,
    element: ElementAttributes,
    bytes: [u8; 48],
}

impl Default for Attributes {
    fn default() -> Self {
        Self { bytes: [0; 48] }
    }
}

/// How often a program is given to the verifier at most.
const ATTEMPTS: usize = 5;

/// Calls again where the verifier gave up because a signal waited (EAGAIN), whoever handles it.
fn unless_interrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for _ in 1..ATTEMPTS {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            other => return other,
        }
    }
    call()
}

/// bpf(2). Callers fill in what `command` reads; each address in it is of memory that outlives the call
/// and is as large as the map or the program says.
fn bpf(command: libc::c_int, attributes: &mut Attributes) -> io::Result<libc::c_int> {
    // SAFETY: pointer and size describe `attributes`, all of whose bytes are set. The kernel reads or
    // writes through the addresses in it: keys of MAP_KEY bytes, a value of four, or as many
    // instructions as are stated, each borrowed by the caller for the time of the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_mut(attributes),
            size_of::<Attributes>(),
        )
    };
    let result = libc::c_int::try_from(result).unwrap_or(-1);
    sys::check(result).map(|()| result)
}

#[cfg(test)]
mod tests;
