//! Descriptors and bytes that pass from one process to another.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::net::{UnixDatagram, UnixStream};

use super::sys::{self, check};

/// No state is larger: a million clients take some 200 MB.
const LARGEST: u64 = 1 << 30;
/// Nobody changes what is in it any more, whoever has a descriptor of it.
const SEALS: libc::c_int =
    libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;
/// A service keeps no more: FileDescriptorStoreMax= is 300.
const MOST_KEPT: RawFd = 512;
/// sd_listen_fds(3): the first descriptor.
const FIRST: RawFd = 3;

/// Bytes in memory that has no name, sealed.
///
/// # Errors
/// The system's.
pub fn sealed(bytes: &[u8]) -> io::Result<OwnedFd> {
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    // SAFETY: memfd_create reads a string with its end in it, and takes flags.
    let fd = sys::owned(unsafe { libc::memfd_create(c"ptpproxy-state".as_ptr(), flags) })?;
    let mut file = File::from(fd);
    file.write_all(bytes)?;
    // SAFETY: F_ADD_SEALS takes an integer.
    check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, SEALS) })?;
    Ok(file.into())
}

/// The bytes of such memory.
///
/// # Errors
/// The system's; it is not sealed, or larger than any state.
pub fn unsealed(fd: OwnedFd) -> io::Result<Vec<u8>> {
    // SAFETY: F_GET_SEALS takes no argument.
    let seals = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GET_SEALS) };
    check(seals)?;
    let mut file = File::from(fd);
    if seals & SEALS != SEALS || file.metadata()?.len() > LARGEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    file.rewind()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Sends bytes with copies of descriptors, at most 253.
///
/// # Errors
/// The system's; not all was taken.
pub fn send_with(
    stream: &UnixStream,
    bytes: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    match sys::send_with(stream.as_fd(), bytes, descriptors)? {
        sent if sent == bytes.len() => Ok(()),
        _ => Err(io::ErrorKind::WriteZero.into()),
    }
}

/// The same by a socket of datagrams.
///
/// # Errors
/// The system's.
pub fn send_datagram_with(
    socket: &UnixDatagram,
    bytes: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    sys::send_with(socket.as_fd(), bytes, descriptors).map(drop)
}

/// Receives what comes next, with its descriptors.
///
/// # Errors
/// The system's.
pub fn receive_with(stream: &UnixStream, bytes: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    sys::receive_with(stream.as_fd(), bytes)
}

/// The descriptors that the service manager has kept for this process, each with its name (sd_listen_fds(3)). To be called
/// once: they are the caller's.
#[must_use]
pub fn kept_by_manager() -> Vec<(String, OwnedFd)> {
    let variable = |name: &str| std::env::var(name).ok();
    let own = variable("LISTEN_PID").and_then(|id| id.parse().ok()) == Some(std::process::id());
    let count: Option<RawFd> = variable("LISTEN_FDS").and_then(|count| count.parse().ok());
    let names = variable("LISTEN_FDNAMES").unwrap_or_default();
    let Some(count) = count.filter(|&count| own && (1..=MOST_KEPT).contains(&count)) else {
        return Vec::new();
    };
    let mut names = names.split(':');
    (FIRST..FIRST + count)
        .filter_map(|fd| {
            let name = names.next().unwrap_or_default().to_owned();
            // SAFETY: F_SETFD takes an integer; a descriptor that is not open is an error.
            check(unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) }).ok()?;
            // SAFETY: it is open, and by the protocol it was opened for this process by its manager: nobody else here owns it.
            Some((name, unsafe { OwnedFd::from_raw_fd(fd) }))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::sys::MOST_PASSED;
    use super::*;

    #[test]
    fn sealed_bytes_pass_with_their_descriptor_and_stay_as_they_are() {
        let (here, there) = UnixStream::pair().unwrap();
        let memory = sealed(b"what was known").unwrap();
        let second = sealed(b"").unwrap();
        send_with(&here, b"two", &[memory.as_fd(), second.as_fd()]).unwrap();
        let mut bytes = [0; 16];
        let (read, mut passed) = receive_with(&there, &mut bytes).unwrap();
        assert_eq!((&bytes[..read], passed.len()), (&b"two"[..], 2));
        let passed = passed.remove(0);
        assert_ne!(passed.as_raw_fd(), memory.as_raw_fd());
        let mut again = File::from(passed.try_clone().unwrap());
        assert!(again.write_all(b"else").is_err(), "sealed");
        assert_eq!(unsealed(passed).unwrap(), b"what was known");
        assert_eq!(unsealed(memory).unwrap(), b"what was known");
    }

    #[test]
    fn what_is_not_sealed_is_not_read() {
        // SAFETY: as above.
        let open = unsafe { libc::memfd_create(c"open".as_ptr(), libc::MFD_ALLOW_SEALING) };
        assert!(unsealed(sys::owned(open).unwrap()).is_err());
        assert!(unsealed(File::open("/proc/self/exe").unwrap().into()).is_err());
    }

    #[test]
    fn more_than_fit_are_not_sent() {
        let (here, _there) = UnixStream::pair().unwrap();
        let one = here.as_fd();
        assert!(send_with(&here, b"x", &[one; MOST_PASSED + 1]).is_err());
        assert!(send_with(&here, b"x", &[one; MOST_PASSED]).is_ok());
    }
}
