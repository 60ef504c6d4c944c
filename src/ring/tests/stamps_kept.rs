//! How many timestamps a kernel keeps for us, against how many we leave to it.

use std::os::fd::AsFd as _;

use super::net::{in_namespace, on_veth, veth};
use super::rings::frame;
use crate::ring::os::bindings::SO_TIMESTAMPING_NEW;
use crate::ring::os::sys;
use crate::ring::stamps::StampSource;
use crate::ring::tx::{ErrorQueue, StampBudget};

/// Bytes of a receive buffer where nobody has raised net.core.rmem_max.
const USUAL: usize = 212_992;
/// More frames than any kernel keeps timestamps of in a buffer of that size.
const FRAMES: usize = 600;

on_veth! {
    /// What does not fit vanishes without a trace, and kernels differ in what a timestamp takes.
    fn an_error_queue_keeps_more_stamps_than_we_leave_in_it() {
        let (a, _b) = veth("va", "vb");
        let socket = sys::socket(libc::AF_PACKET, libc::SOCK_RAW, 0).unwrap();
        let fd = socket.as_fd();
        let flags = StampSource::Software.report_flags();
        sys::set_option(fd, libc::SOL_SOCKET, SO_TIMESTAMPING_NEW, &flags).unwrap();
        sys::bind_packet(fd, a.index, 0).unwrap();
        let half = libc::c_int::try_from(USUAL / 2).unwrap();
        sys::set_option(fd, libc::SOL_SOCKET, libc::SO_RCVBUF, &half).unwrap();
        // Already as large as asked for: this only reads it.
        let bytes = sys::raise_buffer(fd, libc::SO_RCVBUFFORCE, libc::SO_RCVBUF, 2).unwrap();
        assert_eq!(bytes, USUAL);
        let bytes = frame(&[0x88, 0xF7], 60);
        for _ in 0..FRAMES {
            sys::send(fd, (&bytes, None), Some(StampSource::Software.transmit_flags())).unwrap();
        }
        let mut kept = 0;
        let mut errors = ErrorQueue::new();
        while errors.drain(fd, StampSource::Software, FRAMES, &mut |_, _| kept += 1) > 0 {}
        let left = StampBudget::new(USUAL, 1).limit();
        println!("the error queue keeps {kept} timestamps in {USUAL} bytes; {left} are left to it");
        assert!(kept < FRAMES, "it keeps all of them: this measures nothing");
        assert!(kept > left, "it keeps {kept}, and {left} are left to it");
    }
}
