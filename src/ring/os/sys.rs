//! Thin wrappers of system calls: owned descriptors in, `io::Result` out.

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use libc::{c_int, socklen_t};

use super::bindings::SO_TIMESTAMPING_OLD;

/// Plain data that the kernel may read and write byte by byte.
///
/// # Safety
/// Every bit pattern is a valid value, and the type holds no pointer.
pub(in crate::ring) unsafe trait Plain: Copy {}

// SAFETY: an integer; any bits are valid.
unsafe impl Plain for c_int {}
// SAFETY: an integer; any bits are valid.
unsafe impl Plain for u32 {}
// SAFETY: integers only.
unsafe impl Plain for libc::tpacket_req {}
// SAFETY: integers only.
unsafe impl Plain for libc::tpacket_stats {}
// SAFETY: integers only.
unsafe impl Plain for libc::packet_mreq {}
// SAFETY: integers only.
unsafe impl Plain for libc::ip_mreqn {}
// SAFETY: integers only.
unsafe impl Plain for libc::ucred {}
// SAFETY: integers only.
unsafe impl Plain for libc::ipv6_mreq {}
// SAFETY: integers only.
unsafe impl Plain for [u32; 9] {}

/// Opens a socket, close-on-exec and non-blocking.
pub(in crate::ring) fn socket(domain: c_int, kind: c_int, protocol: c_int) -> io::Result<OwnedFd> {
    // SAFETY: socket(2) takes integers only.
    let fd = unsafe {
        libc::socket(
            domain,
            kind | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK,
            protocol,
        )
    };
    owned(fd)
}

/// Takes ownership of what a system call that makes descriptors returned.
pub(in crate::ring) fn owned(fd: RawFd) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just made this descriptor for us and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// setsockopt(2).
pub(in crate::ring) fn set_option<T: Plain>(
    fd: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
    value: &T,
) -> io::Result<()> {
    // SAFETY: pointer and length describe `value`, which outlives the call; the kernel only reads it.
    check(unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            level,
            name,
            std::ptr::from_ref(value).cast(),
            size_of_len::<T>(),
        )
    })
}

/// getsockopt(2); an answer shorter than `T` is an error.
pub(in crate::ring) fn get_option<T: Plain>(
    fd: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
) -> io::Result<T> {
    let mut value = MaybeUninit::<T>::zeroed();
    let mut len = size_of_len::<T>();
    // SAFETY: the kernel writes at most `len` bytes, the size of `value`, which outlives the call.
    check(unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            level,
            name,
            value.as_mut_ptr().cast(),
            &raw mut len,
        )
    })?;
    if len < size_of_len::<T>() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    // SAFETY: zeroed at first and then written by the kernel; `Plain` makes any bits valid.
    Ok(unsafe { value.assume_init() })
}

/// Attaches a classic BPF program in place of the one before (SO_ATTACH_FILTER): one step, no gap.
pub(crate) fn attach_filter(fd: BorrowedFd<'_>, program: &[libc::sock_filter]) -> io::Result<()> {
    let program = libc::sock_fprog {
        len: u16::try_from(program.len())
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?,
        filter: program.as_ptr().cast_mut(),
    };
    // SAFETY: `filter` points to `len` instructions that outlive the call; the kernel copies and only
    // reads them, despite the pointer's type.
    check(unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            size_of_len::<libc::sock_fprog>(),
        )
    })
}

/// Takes the program away (SO_DETACH_FILTER).
pub(crate) fn detach_filter(fd: BorrowedFd<'_>) -> io::Result<()> {
    set_option(fd, libc::SOL_SOCKET, libc::SO_DETACH_FILTER, &0_i32)
}

/// The address of a packet socket on an interface.
fn link_address(index: u32, protocol: u16) -> io::Result<libc::sockaddr_ll> {
    // SAFETY: sockaddr_ll holds integers only: all zeroes is a valid value.
    let mut address: libc::sockaddr_ll = unsafe { MaybeUninit::zeroed().assume_init() };
    address.sll_family = u16::try_from(libc::AF_PACKET).unwrap_or_default();
    address.sll_protocol = protocol.to_be();
    address.sll_ifindex =
        c_int::try_from(index).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    Ok(address)
}

/// Binds a packet socket to an interface; protocol 0 receives nothing.
pub(in crate::ring) fn bind_packet(
    fd: BorrowedFd<'_>,
    index: u32,
    protocol: u16,
) -> io::Result<()> {
    let address = link_address(index, protocol)?;
    // SAFETY: pointer and length describe `address`, which outlives the call.
    check(unsafe {
        libc::bind(
            fd.as_raw_fd(),
            (&raw const address).cast(),
            size_of_len::<libc::sockaddr_ll>(),
        )
    })
}

/// The interface and the protocol that a packet socket is bound to.
///
/// # Errors
/// The system's; EAFNOSUPPORT of another kind of socket.
pub(in crate::ring) fn packet_address(fd: BorrowedFd<'_>) -> io::Result<(u32, u16)> {
    // SAFETY: sockaddr_ll holds integers only: all zeroes is a valid value.
    let mut address: libc::sockaddr_ll = unsafe { MaybeUninit::zeroed().assume_init() };
    let mut len = size_of_len::<libc::sockaddr_ll>();
    // SAFETY: the kernel writes at most `len` bytes, the size of `address`; both outlive the call.
    check(unsafe { libc::getsockname(fd.as_raw_fd(), (&raw mut address).cast(), &raw mut len) })?;
    if i32::from(address.sll_family) != libc::AF_PACKET {
        return Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT));
    }
    // Negative once the interface is gone.
    let index = u32::try_from(address.sll_ifindex).unwrap_or(0);
    Ok((index, u16::from_be(address.sll_protocol)))
}

/// Descriptors that one message carries at most: the kernel's SCM_MAX_FD.
pub(in crate::ring) const MOST_PASSED: usize = 253;

/// Room for their control message, aligned as a cmsghdr.
type Passed = [u64; PASSED_WORDS];
const PASSED_WORDS: usize = 130;

/// Sends bytes with descriptors (SCM_RIGHTS): a copy of each is the receiver's. One sendmsg(2).
///
/// # Errors
/// The system's; EINVAL for more than [`MOST_PASSED`].
pub(in crate::ring) fn send_with(
    fd: BorrowedFd<'_>,
    bytes: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<usize> {
    let mut data = libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    };
    let raw: Vec<RawFd> = descriptors.iter().map(|fd| fd.as_raw_fd()).collect();
    let length = socklen_t::try_from(size_of_val(raw.as_slice())).map_err(io::Error::other)?;
    // SAFETY: msghdr holds integers and pointers that may be null: all zeroes is a valid value.
    let mut message: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    message.msg_iov = &raw mut data;
    message.msg_iovlen = 1;
    let mut control: Passed = [0; PASSED_WORDS];
    if !raw.is_empty() {
        // SAFETY: CMSG_SPACE only computes.
        let space = unsafe { libc::CMSG_SPACE(length) };
        if raw.len() > MOST_PASSED || space as usize > size_of::<Passed>() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = space as _;
        // SAFETY: the buffer has room for one header and this data (just checked), so the header is not null and the copy stays
        // within it.
        unsafe {
            let header = libc::CMSG_FIRSTHDR(&raw const message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(length) as _;
            std::ptr::copy_nonoverlapping(
                raw.as_ptr().cast::<u8>(),
                libc::CMSG_DATA(header),
                length as usize,
            );
        }
    }
    // SAFETY: `message`, its control buffer and `bytes` outlive the call; the kernel only reads the data, despite the pointer's
    // type; there is no address.
    let sent = unsafe { libc::sendmsg(fd.as_raw_fd(), &raw const message, libc::MSG_NOSIGNAL) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Receives bytes, and the descriptors that came with them: close-on-exec, and ours from now on.
///
/// # Errors
/// The system's; what came cut short is an error, too.
pub(in crate::ring) fn receive_with(
    fd: BorrowedFd<'_>,
    bytes: &mut [u8],
) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut data = libc::iovec {
        iov_base: bytes.as_mut_ptr().cast(),
        iov_len: bytes.len(),
    };
    // SAFETY: msghdr holds integers and pointers that may be null: all zeroes is a valid value.
    let mut message: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    let mut control: Passed = [0; PASSED_WORDS];
    message.msg_iov = &raw mut data;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of::<Passed>() as _;
    // SAFETY: `message`, its control buffer and `bytes` outlive the call, and the kernel may write them.
    let read = unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut message, libc::MSG_CMSG_CLOEXEC) };
    let read = usize::try_from(read).map_err(|_| io::Error::last_os_error())?;
    let mut descriptors = Vec::new();
    // SAFETY: the kernel filled the control buffer, which is alive; the CMSG macros stay within it.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
    while !header.is_null() {
        // SAFETY: not null, so a whole header within the buffer.
        let (level, kind, length) = unsafe {
            (
                (*header).cmsg_level,
                (*header).cmsg_type,
                (*header).cmsg_len as usize,
            )
        };
        if (level, kind) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
            // SAFETY: CMSG_LEN only computes.
            let empty = unsafe { libc::CMSG_LEN(0) } as usize;
            for at in 0..length.saturating_sub(empty) / size_of::<RawFd>() {
                // SAFETY: the kernel wrote so many descriptors behind the header, made for us: nobody else owns them.
                let own = unsafe {
                    OwnedFd::from_raw_fd(
                        libc::CMSG_DATA(header)
                            .cast::<RawFd>()
                            .add(at)
                            .read_unaligned(),
                    )
                };
                descriptors.push(own);
            }
        }
        // SAFETY: `header` is a header of this buffer.
        header = unsafe { libc::CMSG_NXTHDR(&raw const message, header) };
    }
    if message.msg_flags & (libc::MSG_CTRUNC | libc::MSG_TRUNC) != 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok((read, descriptors))
}

/// Binds an IP socket of this family to a port of every address.
pub(in crate::ring) fn bind_any(fd: BorrowedFd<'_>, family: c_int, port: u16) -> io::Result<()> {
    let family16 = u16::try_from(family).unwrap_or_default();
    let bound = if family == libc::AF_INET6 {
        // SAFETY: sockaddr_in6 holds integers only: all zeroes is a valid value, and the address of everybody.
        let mut address: libc::sockaddr_in6 = unsafe { MaybeUninit::zeroed().assume_init() };
        (address.sin6_family, address.sin6_port) = (family16, port.to_be());
        // SAFETY: pointer and length describe `address`, which outlives the call.
        unsafe {
            libc::bind(
                fd.as_raw_fd(),
                (&raw const address).cast(),
                size_of_len::<libc::sockaddr_in6>(),
            )
        }
    } else {
        // SAFETY: sockaddr_in holds integers only: all zeroes is a valid value, and the address of everybody.
        let mut address: libc::sockaddr_in = unsafe { MaybeUninit::zeroed().assume_init() };
        (address.sin_family, address.sin_port) = (family16, port.to_be());
        // SAFETY: pointer and length describe `address`, which outlives the call.
        unsafe {
            libc::bind(
                fd.as_raw_fd(),
                (&raw const address).cast(),
                size_of_len::<libc::sockaddr_in>(),
            )
        }
    };
    check(bound)
}

/// Reads and clears the socket's pending error (SO_ERROR).
pub(in crate::ring) fn take_error(fd: BorrowedFd<'_>) -> Option<io::Error> {
    match get_option::<c_int>(fd, libc::SOL_SOCKET, libc::SO_ERROR) {
        Ok(0) => None,
        Ok(code) => Some(io::Error::from_raw_os_error(code)),
        Err(error) => Some(error),
    }
}

/// Raises a socket buffer: by the privileged option when allowed, else as far as the system's limit.
/// Returns the size in force, in bytes as the kernel accounts them.
pub(in crate::ring) fn raise_buffer(
    fd: BorrowedFd<'_>,
    force: c_int,
    option: c_int,
    bytes: usize,
) -> io::Result<usize> {
    // The kernel doubles what is asked for, and doubles no more than an int holds.
    let half = c_int::try_from(bytes / 2).unwrap_or(c_int::MAX / 2);
    let now = get_option::<c_int>(fd, libc::SOL_SOCKET, option)?;
    if now < half.saturating_mul(2) && set_option(fd, libc::SOL_SOCKET, force, &half).is_err() {
        set_option(fd, libc::SOL_SOCKET, option, &half)?;
    }
    let now = get_option::<c_int>(fd, libc::SOL_SOCKET, option)?;
    Ok(usize::try_from(now).unwrap_or(0))
}

/// An interface ioctl whose argument is `data` behind an ifreq (SIOCETHTOOL, SIOCSHWTSTAMP and kin).
///
/// # Safety
/// `T` must be the structure that `request` reads and writes, at its full size.
pub(in crate::ring) unsafe fn interface_ioctl<T: Copy>(
    fd: BorrowedFd<'_>,
    request: libc::c_ulong,
    interface: &str,
    data: &mut T,
) -> io::Result<()> {
    let mut argument = interface_request(interface)?;
    argument.ifr_ifru.ifru_data = std::ptr::from_mut(data).cast();
    // SAFETY: `argument` and `data` outlive the call; the caller vouches that `data` is what `request`
    // expects.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), request as _, &raw mut argument) })
}

/// The name that the interface with this index has now.
///
/// # Errors
/// The system's; ENODEV where there is none.
pub(in crate::ring) fn interface_name(fd: BorrowedFd<'_>, index: u32) -> io::Result<String> {
    let mut argument = interface_request("")?;
    argument.ifr_ifru.ifru_ifindex =
        c_int::try_from(index).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    // SAFETY: SIOCGIFNAME reads the index in `argument` and writes a name into it, which outlives the call.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::SIOCGIFNAME as _, &raw mut argument) })?;
    let bytes = argument.ifr_name.iter().map(|byte| byte.to_ne_bytes()[0]);
    let bytes: Vec<u8> = bytes.take_while(|&byte| byte != 0).collect();
    String::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData.into())
}

/// The index of the interface that has this name now.
///
/// # Errors
/// The system's; ENODEV where there is none.
pub(in crate::ring) fn interface_index(fd: BorrowedFd<'_>, name: &str) -> io::Result<u32> {
    let mut argument = interface_request(name)?;
    // SAFETY: SIOCGIFINDEX reads the name in `argument` and writes an index into it, which outlives the call.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::SIOCGIFINDEX as _, &raw mut argument) })?;
    // SAFETY: the kernel has just written this member; it is an integer.
    let index = unsafe { argument.ifr_ifru.ifru_ifindex };
    u32::try_from(index).map_err(|_| io::ErrorKind::InvalidData.into())
}

fn interface_request(interface: &str) -> io::Result<libc::ifreq> {
    // SAFETY: ifreq holds integers and a raw pointer: all zeroes is a valid value.
    let mut argument: libc::ifreq = unsafe { MaybeUninit::zeroed().assume_init() };
    if interface.len() >= argument.ifr_name.len() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (to, from) in argument.ifr_name.iter_mut().zip(interface.bytes()) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    Ok(argument)
}

/// Turns the C convention "negative means errno" into a result.
pub(in crate::ring) fn check(result: c_int) -> io::Result<()> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "structures of the kernel's interface are small"
)]
pub(in crate::ring) const fn size_of_len<T>() -> socklen_t {
    size_of::<T>() as socklen_t
}

/// Reads the next datagram that waits, if one does. Returns its length, which may be more than fits into `bytes`.
pub(in crate::ring) fn receive(fd: BorrowedFd<'_>, bytes: &mut [u8]) -> io::Result<usize> {
    let flags = libc::MSG_DONTWAIT | libc::MSG_TRUNC;
    // SAFETY: pointer and length describe `bytes`, which outlives the call and which the kernel may write.
    let read = unsafe {
        libc::recv(
            fd.as_raw_fd(),
            bytes.as_mut_ptr().cast(),
            bytes.len(),
            flags,
        )
    };
    usize::try_from(read).map_err(|_| io::Error::last_os_error())
}

/// Kicks a transmit ring: one sendmsg(2) that never waits. With `stamp`, a SO_TIMESTAMPING control
/// message with these flags applies to each frame of the kick. Returns the bytes that the kernel took.
pub(in crate::ring) fn kick(fd: BorrowedFd<'_>, stamp: Option<u32>) -> io::Result<usize> {
    send(fd, (&[], None), stamp)
}

/// Kicks a transmit ring as [`kick`] does, but its frames leave by the interface with this index.
pub(in crate::ring) fn kick_over(
    fd: BorrowedFd<'_>,
    index: u32,
    stamp: Option<u32>,
) -> io::Result<usize> {
    send(fd, (&[], Some(index)), stamp)
}

/// Whether a kick found the interface down or gone: the kernel looked at no frame.
pub(in crate::ring) fn is_down(kicked: &io::Result<usize>) -> bool {
    let code = kicked.as_ref().err().and_then(io::Error::raw_os_error);
    matches!(code, Some(libc::ENETDOWN | libc::ENXIO | libc::ENODEV))
}

/// Sends one frame, or kicks a transmit ring where there is none; see [`kick`] and [`kick_over`].
pub(in crate::ring) fn send(
    fd: BorrowedFd<'_>,
    (frame, over): (&[u8], Option<u32>),
    stamp: Option<u32>,
) -> io::Result<usize> {
    let mut data = libc::iovec {
        iov_base: frame.as_ptr().cast_mut().cast(),
        iov_len: frame.len(),
    };
    // SAFETY: msghdr holds integers and pointers that may be null: all zeroes is a valid value.
    let mut message: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    if !frame.is_empty() {
        message.msg_iov = &raw mut data;
        message.msg_iovlen = 1;
    }
    let mut address = over.map(|index| link_address(index, 0)).transpose()?;
    if let Some(address) = &mut address {
        message.msg_name = std::ptr::from_mut(address).cast();
        message.msg_namelen = size_of_len::<libc::sockaddr_ll>();
    }
    // Aligned as a cmsghdr, room for one u32.
    let mut control = [0_u64; 4];
    if let Some(flags) = stamp {
        message.msg_control = control.as_mut_ptr().cast();
        // SAFETY: CMSG_SPACE only computes.
        message.msg_controllen = unsafe { libc::CMSG_SPACE(size_of_len::<u32>()) } as _;
        // SAFETY: the buffer has room for one header and its data, so the header is not null and both
        // writes stay within it.
        unsafe {
            let header = libc::CMSG_FIRSTHDR(&raw const message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = SO_TIMESTAMPING_OLD;
            (*header).cmsg_len = libc::CMSG_LEN(size_of_len::<u32>()) as _;
            libc::CMSG_DATA(header).cast::<u32>().write_unaligned(flags);
        }
    }
    // SAFETY: `message`, its address, its control buffer and `frame` outlive the call; the kernel only reads
    // them, despite the pointers' types.
    let sent = unsafe { libc::sendmsg(fd.as_raw_fd(), &raw const message, libc::MSG_DONTWAIT) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}
