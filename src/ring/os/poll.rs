//! Sleeping until a descriptor is readable: one system call, whose timeout is in nanoseconds.

use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::time::Duration;

use super::sys;

/// A sleep is no longer than this, which fits into `time_t` everywhere.
const LONGEST: Duration = Duration::from_secs(3_600);

/// Sleeps until one of the descriptors is readable, or for `timeout` (`None`: for as long as it takes, up to an hour); a
/// signal ends it early. Returns which are readable. An error that waits at a socket, as after its link went down, ends
/// one sleep: it is taken.
///
/// # Errors
/// ppoll(2)'s.
pub fn wait_readable<const N: usize>(
    descriptors: [RawFd; N],
    timeout: Option<Duration>,
) -> io::Result<[bool; N]> {
    let mut polled = descriptors.map(|fd| libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    });
    let limit = timespec(timeout.unwrap_or(LONGEST).min(LONGEST));
    // SAFETY: the array and the limit outlive the call; it writes `revents` only. Without a mask of signals its size is
    // of no meaning.
    let ready = unsafe {
        libc::ppoll(
            polled.as_mut_ptr(),
            N as libc::nfds_t,
            &raw const limit,
            std::ptr::null(),
        )
    };
    if ready < 0 {
        let error = io::Error::last_os_error();
        return match error.kind() {
            io::ErrorKind::Interrupted => Ok([false; N]),
            _ => Err(error),
        };
    }
    Ok(polled.map(|one| {
        if one.revents & libc::POLLERR != 0 {
            // SAFETY: it was open a moment ago, and is lent for this call only; of a descriptor that is closed or no
            // socket the call says so.
            let _ = sys::take_error(unsafe { BorrowedFd::borrow_raw(one.fd) });
        }
        one.revents & libc::POLLIN != 0
    }))
}

fn timespec(time: Duration) -> libc::timespec {
    // SAFETY: integers only, and padding on some machines: all zeroes is a valid value.
    let mut spec: libc::timespec = unsafe { std::mem::zeroed() };
    // An hour fits into any integer of the C library, and so does a second in nanoseconds.
    spec.tv_sec = time.as_secs().try_into().unwrap_or_default();
    let below_a_second = i32::try_from(time.subsec_nanos()).unwrap_or_default();
    spec.tv_nsec = below_a_second.into();
    spec
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::UdpSocket;
    use std::os::fd::AsRawFd as _;
    use std::os::unix::net::UnixStream;
    use std::time::Instant;

    use super::*;

    const SHORT: Option<Duration> = Some(Duration::from_millis(2));

    #[test]
    fn it_says_which_is_readable_and_sleeps_no_longer_than_told() {
        let ((quiet, _other), (mut reader, mut writer)) =
            (UnixStream::pair().unwrap(), UnixStream::pair().unwrap());
        let both = [quiet.as_raw_fd(), reader.as_raw_fd()];
        let start = Instant::now();
        assert_eq!(wait_readable(both, SHORT).unwrap(), [false, false]);
        assert!(start.elapsed() >= Duration::from_millis(2));
        writer.write_all(b"x").unwrap();
        for timeout in [None, Some(Duration::ZERO), SHORT] {
            assert_eq!(wait_readable(both, timeout).unwrap(), [false, true]);
        }
        reader.read_exact(&mut [0]).unwrap();
        let nothing = wait_readable(both, Some(Duration::ZERO)).unwrap();
        assert_eq!(nothing, [false, false]);
    }

    #[test]
    fn an_error_ends_one_sleep_and_not_the_next() {
        // A datagram to a port that nobody has open comes back as ECONNREFUSED.
        let nobody = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = nobody.local_addr().unwrap();
        drop(nobody);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(address).unwrap();
        socket.send(b"x").unwrap();
        let start = Instant::now();
        let long = Some(Duration::from_secs(20));
        wait_readable([socket.as_raw_fd()], long).unwrap();
        assert!(start.elapsed() < Duration::from_secs(20), "it was woken");
        let start = Instant::now();
        assert_eq!(wait_readable([socket.as_raw_fd()], SHORT).unwrap(), [false]);
        assert!(start.elapsed() >= Duration::from_millis(2), "it slept");
    }
}
