//! A kernel with little memory for filters: made up, and the real one.

use super::*;
use crate::Side;
use crate::filter::{Sampling, interpreter};
use crate::ring::MapFilter;
use crate::wire::{ClockIdentity, PortIdentity};

/// Charges as the kernel does, and notes whether a client's answer would have passed at each step.
struct Kernel {
    /// Instructions that it grants.
    grants: usize,
    program: Option<Vec<Instruction>>,
    answers: Vec<Vec<u8>>,
    lost: usize,
    attached: usize,
    refused: usize,
}

impl Kernel {
    fn new(grants: usize, clients: &[PortIdentity]) -> Self {
        Self {
            grants,
            program: None,
            answers: clients.iter().map(|&who| delay_resp(who)).collect(),
            lost: 0,
            attached: 0,
            refused: 0,
        }
    }

    fn passes(&self, frame: &[u8]) -> bool {
        self.program
            .as_deref()
            .is_none_or(|program| interpreter::run(program, frame, u32::MAX).unwrap().verdict != 0)
    }

    fn look(&mut self) {
        let lost = self
            .answers
            .iter()
            .filter(|frame| !self.passes(frame))
            .count();
        self.lost += lost;
    }
}

impl FilterSocket for Kernel {
    fn attach(&mut self, program: &[libc::sock_filter]) -> io::Result<()> {
        let old = self.program.as_ref().map_or(0, Vec::len);
        if old + program.len() > self.grants {
            self.refused += 1;
            return Err(io::Error::from_raw_os_error(libc::ENOMEM));
        }
        let program: Vec<Instruction> = program
            .iter()
            .map(|step| Instruction {
                code: step.code,
                jt: step.jt,
                jf: step.jf,
                k: step.k,
            })
            .collect();
        assert_eq!(interpreter::check(&program), Ok(()));
        self.program = Some(program);
        self.attached += 1;
        self.look();
        Ok(())
    }

    fn attach_map(&mut self, _: &MapFilter) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn detach(&mut self) -> io::Result<()> {
        self.program = None;
        Ok(())
    }
}

fn client(number: u32) -> PortIdentity {
    let [_, a, b, c] = number.to_be_bytes();
    PortIdentity {
        clock: ClockIdentity([0x00, 0x1B, 0x19, 0xFF, 0xFE, a, b, c]),
        port: 1,
    }
}

fn delay_resp(to: PortIdentity) -> Vec<u8> {
    let mut frame = vec![0; 14 + 54];
    frame[12..16].copy_from_slice(&[0x88, 0xF7, 0x09, 0x02]);
    frame[58..66].copy_from_slice(&to.clock.0);
    frame[66..68].copy_from_slice(&to.port.to_be_bytes());
    frame
}

fn spec(clients: &[PortIdentity]) -> Spec<'_> {
    Spec {
        side: Side::Up,
        domains: None,
        clients: Some(clients),
        watch_second_path: true,
        neighbours: None,
        sampling: Sampling::each(1024),
        key: [7, 11, 13],
    }
}

/// Clients come one after the other while the kernel grants so much: at no step is an answer to any that
/// was there before lost.
#[test]
fn no_answer_is_lost_at_any_step() {
    // What a program of 1000 clients takes, twice, once and not at all; hardly more than the small one.
    for grants in [3000, 2000, 1500, 1000, 700, 500, 380, 250] {
        let mut tree = Tree::new();
        let all: Vec<_> = (0..1000).map(client).collect();
        let mut kernel = Kernel::new(grants, &[]);
        let mut fits = Vec::new();
        for count in [1, 100, 300, 450, 700, 701, 900, 1000] {
            // Those of the step before must not lose anything.
            let fit = tree.replace(&mut kernel, &spec(&all[..count])).unwrap();
            assert_eq!(kernel.lost, 0, "{grants} {count}");
            kernel.answers = all[..count].iter().map(|&who| delay_resp(who)).collect();
            kernel.look();
            assert_eq!(kernel.lost, 0, "{grants} {count}: {fit:?}");
            assert_eq!(tree.in_force(), kernel.program.as_ref().unwrap().len());
            fits.push(fit);
        }
        let last = *fits.last().unwrap();
        match grants {
            3000 | 2000 | 1500 => assert_eq!(last, Fit::Exact, "{grants}"),
            1000 => assert!(matches!(last, Fit::Coarse { .. }), "{grants}: {last:?}"),
            380 | 250 => assert_eq!(last, Fit::Plain),
            _ => {}
        }
        if grants == 3000 {
            assert_eq!(kernel.refused, 0);
            assert_eq!(kernel.attached, 8);
        }
    }
}

/// What the kernel refused once is not tried each time again.
#[test]
fn a_limit_is_learnt() {
    let all: Vec<_> = (0..1000).map(client).collect();
    let mut kernel = Kernel::new(2000, &all[..900]);
    let mut tree = Tree::new();
    tree.replace(&mut kernel, &spec(&all[..900])).unwrap();
    tree.replace(&mut kernel, &spec(&all[..901])).unwrap();
    let refused = kernel.refused;
    assert!(refused > 0);
    for count in 901..950 {
        let fit = tree.replace(&mut kernel, &spec(&all[..count])).unwrap();
        assert_eq!(fit, Fit::Exact);
    }
    assert_eq!((kernel.refused, kernel.lost), (refused, 0));
}

/// The real kernel with the 20 KB that were the default for long, and with less.
#[test]
fn the_kernel_with_little_memory_for_filters() {
    use std::os::fd::AsFd as _;
    use std::os::unix::net::UnixDatagram;

    struct Socket(UnixDatagram);
    impl FilterSocket for Socket {
        fn attach(&mut self, program: &[libc::sock_filter]) -> io::Result<()> {
            crate::ring::attach_filter(self.0.as_fd(), program)
        }
        fn attach_map(&mut self, program: &MapFilter) -> io::Result<()> {
            program.attach(self.0.as_fd())
        }
        fn detach(&mut self) -> io::Result<()> {
            crate::ring::detach_filter(self.0.as_fd())
        }
    }

    ptpproxy_lab::in_sandbox!({
        let all: Vec<_> = (0..1000).map(client).collect();
        for (bytes, exact) in [("20480", true), ("8192", false), ("4096", false)] {
            let setting = "/proc/sys/net/core/optmem_max";
            if let Err(error) = std::fs::write(setting, bytes) {
                ptpproxy_lab::net::skip_without_rights(&format!(
                    "{setting} is the machine's here: {error}"
                ));
                return;
            }
            let (to, from) = UnixDatagram::pair().unwrap();
            from.set_nonblocking(true).unwrap();
            let mut socket = Socket(from);
            let mut tree = Tree::new();
            let mut fits = Vec::new();
            for count in [10, 200, 400, 600, 800, 1000] {
                fits.push(tree.replace(&mut socket, &spec(&all[..count])).unwrap());
                for &who in &all[..count] {
                    let mut buffer = [0; 128];
                    to.send(&delay_resp(who)).unwrap();
                    assert_eq!(socket.0.recv(&mut buffer).unwrap(), 68, "{count}: {who}");
                }
            }
            println!("{bytes} bytes: {fits:?}");
            assert_eq!(fits[0], Fit::Exact);
            // 1000 clients: 10 KB, which is there once but not twice.
            assert_eq!(fits[5] == Fit::Exact, exact, "{bytes}: {fits:?}");
        }
    });
}
