//! The forwarders' only unsafe code: packet sockets, the block ring, libpcap.

use std::ffi::{CStr, CString, c_char, c_int, c_uchar, c_void};
use std::io;
use std::mem::{size_of, size_of_val, zeroed};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering};

fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// A packet socket that hears nothing yet, and never its own transmissions.
pub(super) fn packet_socket() -> io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: no memory is passed; the descriptor is new and owned by nobody else.
    let socket = unsafe {
        let fd = check(libc::socket(libc::AF_PACKET, kind, 0))?;
        OwnedFd::from_raw_fd(fd)
    };
    set(&socket, libc::PACKET_IGNORE_OUTGOING, &1_i32)?;
    Ok(socket)
}

fn set<T>(socket: &impl AsRawFd, option: c_int, value: &T) -> io::Result<()> {
    let length = libc::socklen_t::try_from(size_of::<T>()).map_err(io::Error::other)?;
    let value: *const c_void = ptr::from_ref(value).cast();
    // SAFETY: `value` points to `length` readable bytes for the time of the call.
    check(unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_PACKET, option, value, length) })
        .map(drop)
}

/// Binds to an interface and hears all of it, or only sends (`hear` false).
pub(super) fn bind(socket: BorrowedFd<'_>, interface: &str, hear: bool) -> io::Result<()> {
    let name = CString::new(interface)?;
    // SAFETY: `name` ends with a zero byte.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    if index == 0 {
        return Err(io::Error::last_os_error());
    }
    let index = c_int::try_from(index).map_err(io::Error::other)?;
    let all = u16::try_from(libc::ETH_P_ALL).map_err(io::Error::other)?;
    // SAFETY: sockaddr_ll and packet_mreq are plain data, for which all zeros is a value.
    let (mut address, mut join): (libc::sockaddr_ll, libc::packet_mreq) =
        unsafe { (zeroed(), zeroed()) };
    address.sll_family = u16::try_from(libc::AF_PACKET).map_err(io::Error::other)?;
    address.sll_protocol = if hear { all.to_be() } else { 0 };
    address.sll_ifindex = index;
    let length = libc::socklen_t::try_from(size_of_val(&address)).map_err(io::Error::other)?;
    // SAFETY: the address is a sockaddr_ll of `length` bytes.
    check(unsafe { libc::bind(socket.as_raw_fd(), ptr::from_ref(&address).cast(), length) })?;
    join.mr_ifindex = index;
    join.mr_type = u16::try_from(libc::PACKET_MR_PROMISC).map_err(io::Error::other)?;
    set(&socket, libc::PACKET_ADD_MEMBERSHIP, &join)
}

/// The next frame's length; `None` when nothing waits.
pub(super) fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    // SAFETY: the buffer is writable for its whole length.
    let length = unsafe {
        libc::recv(
            socket.as_raw_fd(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            0,
        )
    };
    match usize::try_from(length) {
        Ok(length) => Ok(Some(length)),
        Err(_) => match io::Error::last_os_error() {
            error if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            error => Err(error),
        },
    }
}

/// Sends a frame at once.
pub(super) fn send(socket: BorrowedFd<'_>, frame: &[u8]) -> io::Result<()> {
    // SAFETY: the frame is readable for its whole length.
    let sent = unsafe { libc::send(socket.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
    if sent < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Waits until one of two descriptors is readable; which of them are.
pub(super) fn wait(descriptors: [BorrowedFd<'_>; 2]) -> io::Result<[bool; 2]> {
    let mut polls = descriptors.map(|descriptor| libc::pollfd {
        fd: descriptor.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    });
    // SAFETY: two entries, as stated.
    check(unsafe { libc::poll(polls.as_mut_ptr(), 2, -1) })?;
    Ok(polls.map(|poll| poll.revents != 0))
}

const BLOCK_SIZE: u32 = 1 << 18;
const BLOCK_COUNT: u32 = 32;
const FRAME_SIZE: u32 = 2048;

/// A TPACKET_V3 receive ring (`Documentation/networking/packet_mmap.rst`).
#[derive(Debug)]
pub(super) struct Blocks {
    memory: NonNull<u8>,
    next: usize,
}

impl Blocks {
    /// Turns a socket into one with a ring, and maps that.
    pub(super) fn map(socket: BorrowedFd<'_>) -> io::Result<Self> {
        let version =
            c_int::try_from(libc::tpacket_versions::TPACKET_V3 as u32).map_err(io::Error::other)?;
        set(&socket, libc::PACKET_VERSION, &version)?;
        let request = libc::tpacket_req3 {
            tp_block_size: BLOCK_SIZE,
            tp_block_nr: BLOCK_COUNT,
            tp_frame_size: FRAME_SIZE,
            tp_frame_nr: BLOCK_SIZE / FRAME_SIZE * BLOCK_COUNT,
            tp_retire_blk_tov: 1,
            tp_sizeof_priv: 0,
            tp_feature_req_word: 0,
        };
        set(&socket, libc::PACKET_RX_RING, &request)?;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice.
        let memory = unsafe {
            libc::mmap(
                ptr::null_mut(),
                Self::SIZE,
                access,
                libc::MAP_SHARED,
                socket.as_raw_fd(),
                0,
            )
        };
        if memory == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let memory = NonNull::new(memory.cast()).ok_or_else(|| io::Error::other("mapped at 0"))?;
        Ok(Self { memory, next: 0 })
    }

    const SIZE: usize = BLOCK_SIZE as usize * BLOCK_COUNT as usize;

    /// Hands over the frames of the next block and gives it back; false when none is ready.
    pub(super) fn next(&mut self, frame: &mut dyn FnMut(&[u8])) -> bool {
        let at = self.next % BLOCK_COUNT as usize * BLOCK_SIZE as usize;
        // SAFETY: `at` is the start of a block, and every block lies in the mapping.
        let block = unsafe { self.memory.add(at) };
        let head = block.cast::<libc::tpacket_block_desc>();
        // SAFETY: the block starts with its descriptor, aligned to the block's size. The status word is
        // shared with the kernel, so it is read and written as an atomic only.
        let status = unsafe {
            AtomicU32::from_ptr(ptr::addr_of_mut!((*head.as_ptr()).hdr.bh1.block_status))
        };
        if status.load(Ordering::Acquire) & libc::TP_STATUS_USER == 0 {
            return false;
        }
        // SAFETY: a block with TP_STATUS_USER is ours until it is given back below.
        let (count, first) = unsafe {
            let bh1 = &(*head.as_ptr()).hdr.bh1;
            (bh1.num_pkts, bh1.offset_to_first_pkt)
        };
        let mut offset = first as usize;
        for _ in 0..count {
            if offset + size_of::<libc::tpacket3_hdr>() > BLOCK_SIZE as usize {
                break;
            }
            // SAFETY: the header lies within the block, which is ours.
            let header = unsafe {
                ptr::read_unaligned(block.add(offset).cast::<libc::tpacket3_hdr>().as_ptr())
            };
            let start = offset + usize::from(header.tp_mac);
            let length = header.tp_snaplen as usize;
            if start + length > BLOCK_SIZE as usize {
                break;
            }
            // SAFETY: the frame lies within the block, which is ours, and nobody writes to it.
            frame(unsafe { std::slice::from_raw_parts(block.add(start).as_ptr(), length) });
            offset += header.tp_next_offset as usize;
        }
        status.store(libc::TP_STATUS_KERNEL, Ordering::Release);
        self.next += 1;
        true
    }
}

impl Drop for Blocks {
    fn drop(&mut self) {
        // SAFETY: the mapping made in `map`, to which no reference is left.
        unsafe { libc::munmap(self.memory.as_ptr().cast(), Self::SIZE) };
    }
}

type Handle = c_void;

/// pcap_pkthdr of libpcap.
#[repr(C)]
struct PacketHeader {
    time: libc::timeval,
    captured: u32,
    length: u32,
}

/// An interface opened by libpcap, which is loaded when the program runs.
#[derive(Debug)]
pub(super) struct PcapHandle {
    handle: NonNull<Handle>,
    next: unsafe extern "C" fn(*mut Handle, *mut *const PacketHeader, *mut *const c_uchar) -> c_int,
    inject: unsafe extern "C" fn(*mut Handle, *const c_void, usize) -> c_int,
    descriptor: c_int,
}

/// A symbol of the library; `None` if it has none of this name.
///
/// # Safety
/// `T` must be the type of a function pointer with the symbol's signature.
unsafe fn symbol<T: Copy>(library: NonNull<c_void>, name: &CStr) -> Option<T> {
    // SAFETY: the library is open for good, the name ends with a zero byte.
    let address = unsafe { libc::dlsym(library.as_ptr(), name.as_ptr()) };
    // SAFETY: a function pointer is as large as an address, and the caller vouches for its type.
    (!address.is_null()).then(|| unsafe { std::mem::transmute_copy(&address) })
}

/// libpcap, if it is installed. It stays loaded.
pub(super) fn libpcap() -> Option<NonNull<c_void>> {
    // SAFETY: the name ends with a zero byte; libpcap's constructors have no demands.
    NonNull::new(unsafe { libc::dlopen(c"libpcap.so.0.8".as_ptr(), libc::RTLD_NOW) })
}

impl PcapHandle {
    /// Opens an interface: immediate mode, promiscuous, only what comes in, non-blocking.
    pub(super) fn open(interface: &str) -> Result<Self, &'static str> {
        type Setter = unsafe extern "C" fn(*mut Handle, c_int) -> c_int;
        let library = libpcap().ok_or("libpcap is not installed (Debian: libpcap0.8)")?;
        let name = CString::new(interface).map_err(|_| "bad name")?;
        let mut text: [c_char; 256] = [0; 256];
        let missing = "libpcap lacks a function";
        // SAFETY: the types are those of pcap(3PCAP); `text` is PCAP_ERRBUF_SIZE long; the handle is
        // used before it is activated only as that page allows, and checked to be there.
        unsafe {
            let create: unsafe extern "C" fn(*const c_char, *mut c_char) -> *mut Handle =
                symbol(library, c"pcap_create").ok_or(missing)?;
            let activate: unsafe extern "C" fn(*mut Handle) -> c_int =
                symbol(library, c"pcap_activate").ok_or(missing)?;
            let descriptor: unsafe extern "C" fn(*mut Handle) -> c_int =
                symbol(library, c"pcap_get_selectable_fd").ok_or(missing)?;
            let nonblock: unsafe extern "C" fn(*mut Handle, c_int, *mut c_char) -> c_int =
                symbol(library, c"pcap_setnonblock").ok_or(missing)?;
            let direction: Setter = symbol(library, c"pcap_setdirection").ok_or(missing)?;
            let next = symbol(library, c"pcap_next_ex").ok_or(missing)?;
            let inject = symbol(library, c"pcap_inject").ok_or(missing)?;
            let handle = NonNull::new(create(name.as_ptr(), text.as_mut_ptr()))
                .ok_or("libpcap made no handle")?;
            for (setting, value) in [
                (c"pcap_set_immediate_mode", 1),
                (c"pcap_set_promisc", 1),
                (c"pcap_set_snaplen", 2048),
            ] {
                let set: Setter = symbol(library, setting).ok_or(missing)?;
                set(handle.as_ptr(), value);
            }
            if activate(handle.as_ptr()) < 0 {
                return Err("libpcap cannot open the interface");
            }
            // PCAP_D_IN
            direction(handle.as_ptr(), 1);
            nonblock(handle.as_ptr(), 1, text.as_mut_ptr());
            Ok(Self {
                handle,
                next,
                inject,
                descriptor: descriptor(handle.as_ptr()),
            })
        }
    }

    /// Readable while frames wait.
    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        // SAFETY: libpcap keeps it open as long as the handle, which is never closed.
        unsafe { BorrowedFd::borrow_raw(self.descriptor) }
    }

    /// Hands over the next frame; false when none waits.
    pub(super) fn next(&mut self, frame: &mut dyn FnMut(&[u8])) -> bool {
        let (mut header, mut data) = (ptr::null(), ptr::null());
        // SAFETY: the handle is active; on 1 both pointers are valid until the next call.
        unsafe {
            if (self.next)(self.handle.as_ptr(), &raw mut header, &raw mut data) != 1 {
                return false;
            }
            frame(std::slice::from_raw_parts(
                data,
                (*header).captured as usize,
            ));
        }
        true
    }

    /// Sends a frame.
    pub(super) fn send(&mut self, frame: &[u8]) {
        // SAFETY: the frame is readable for its whole length.
        unsafe { (self.inject)(self.handle.as_ptr(), frame.as_ptr().cast(), frame.len()) };
    }
}
