//! Sleeping until a descriptor is readable: one system call, whose timeout is in nanoseconds.

use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::time::Duration;

use super::sys;

/// A sleep is no longer than this, which fits into `time_t` everywhere.
const LONGEST: Duration = Duration::from_secs(3_600);

/// Descriptors that a sleep ends for.
#[derive(Debug)]
pub struct Polled {
    all: Vec<libc::pollfd>,
}

impl Polled {
    /// These, in their order.
    #[must_use]
    pub fn new(descriptors: impl IntoIterator<Item = RawFd>) -> Self {
        let polled = descriptors.into_iter().map(|fd| libc::pollfd {
            fd,
            events: libc::POLLIN,
            revents: 0,
        });
        Self {
            all: polled.collect(),
        }
    }

    /// Sleeps until one of them is readable, or for `timeout` (`None`: for as long as it takes, up to an hour); a
    /// signal ends it early. An error that waits at a socket, as after its link went down, ends one sleep: it is taken.
    ///
    /// # Errors
    /// ppoll(2)'s.
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        poll(&mut self.all, timeout)
    }

    /// The same until the first of them is readable, whatever becomes of the others.
    ///
    /// # Errors
    /// ppoll(2)'s.
    pub fn wait_for_first(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let first = self.all.len().min(1);
        poll(&mut self.all[..first], timeout)
    }

    /// Whether the last sleep found the one in this place readable.
    #[must_use]
    pub fn is_readable(&self, place: usize) -> bool {
        let one = self.all.get(place);
        one.is_some_and(|one| one.revents & libc::POLLIN != 0)
    }
}

fn poll(all: &mut [libc::pollfd], timeout: Option<Duration>) -> io::Result<()> {
    let limit = timespec(timeout.unwrap_or(LONGEST).min(LONGEST));
    let count = libc::nfds_t::try_from(all.len()).unwrap_or_default();
    // SAFETY: the slice and the limit outlive the call; it writes `revents` of `count` entries only. Without a mask of
    // signals its size is of no meaning.
    let ready = unsafe { libc::ppoll(all.as_mut_ptr(), count, &raw const limit, std::ptr::null()) };
    if ready < 0 {
        let error = io::Error::last_os_error();
        return match error.kind() {
            io::ErrorKind::Interrupted => {
                all.iter_mut().for_each(|one| one.revents = 0);
                Ok(())
            }
            _ => Err(error),
        };
    }
    for one in all {
        if one.revents & libc::POLLERR != 0 {
            // SAFETY: it was open a moment ago, and is lent for this call only; of a descriptor that is closed or no
            // socket the call says so.
            let _ = sys::take_error(unsafe { BorrowedFd::borrow_raw(one.fd) });
        }
    }
    Ok(())
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
        let mut both = Polled::new([quiet.as_raw_fd(), reader.as_raw_fd()]);
        let mut readable = |timeout| {
            both.wait(timeout).unwrap();
            [both.is_readable(0), both.is_readable(1)]
        };
        let start = Instant::now();
        assert_eq!(readable(SHORT), [false, false]);
        assert!(start.elapsed() >= Duration::from_millis(2));
        writer.write_all(b"x").unwrap();
        for timeout in [None, Some(Duration::ZERO), SHORT] {
            assert_eq!(readable(timeout), [false, true]);
        }
        reader.read_exact(&mut [0]).unwrap();
        assert_eq!(readable(Some(Duration::ZERO)), [false, false]);
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
        let mut polled = Polled::new([socket.as_raw_fd()]);
        polled.wait(long).unwrap();
        assert!(start.elapsed() < Duration::from_secs(20), "it was woken");
        let start = Instant::now();
        polled.wait(SHORT).unwrap();
        assert!(!polled.is_readable(0));
        assert!(start.elapsed() >= Duration::from_millis(2), "it slept");
    }
}
