//! The map's filter in the real kernel, against the classic one in the interpreter.

use std::os::unix::net::UnixDatagram;

use proptest::prelude::*;

use super::*;
use crate::Side;
use crate::filter::{
    SampleClass, Sampling, Spec, domain_key, in_between, interpreter, map_key, master_key, program,
    with_map, with_map_of_domains,
};
use crate::wire::{ClockIdentity, PortIdentity};

/// A map; `None`, and the test is reported as skipped, where this process may have none.
fn map() -> Option<ClientMap> {
    match ClientMap::new(1000) {
        Ok(map) => Some(map),
        Err(error) => {
            ptpproxy_lab::net::skip_without_rights(&format!(
                "no map: {error}; run as the machine's root"
            ));
            None
        }
    }
}

/// Loads a program. What the kernel frees late (a hundred maps and programs of tests, after its grace period) is still
/// charged before 5.11, and may be all that it lets this process lock.
fn load(map: &ClientMap, program: &[Extended]) -> MapFilter {
    for _ in 0..100 {
        match map.load(program) {
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            other => return other.unwrap(),
        }
    }
    panic!("no program may be loaded for two seconds");
}

#[test]
fn a_program_is_loaded_again_where_a_signal_was_in_its_way() {
    let interrupted = |times: usize, then: i32| {
        let mut calls = 0;
        let result = unless_interrupted(|| {
            calls += 1;
            let code = if calls <= times { libc::EAGAIN } else { then };
            Err::<(), _>(io::Error::from_raw_os_error(code))
        });
        (calls, result.unwrap_err().raw_os_error())
    };
    assert_eq!(interrupted(0, libc::EACCES), (1, Some(libc::EACCES)));
    assert_eq!(interrupted(3, libc::EACCES), (4, Some(libc::EACCES)));
    assert_eq!(
        interrupted(usize::MAX, 0),
        (ATTEMPTS, Some(libc::EAGAIN)),
        "no endless loop"
    );
}

fn identity(number: u8) -> PortIdentity {
    PortIdentity {
        clock: ClockIdentity([0, 0x1B, 0x19, 0xFF, 0xFE, 1, 2, number % 8]),
        port: 1 + u16::from(number / 8 % 2),
    }
}

/// A socket pair whose receiver has the filter: data starts at the first octet, as on a packet socket.
struct Kernel {
    to: UnixDatagram,
    from: UnixDatagram,
}

impl Kernel {
    fn new(filter: &MapFilter) -> Self {
        let (to, from) = UnixDatagram::pair().unwrap();
        from.set_nonblocking(true).unwrap();
        filter.attach(from.as_fd()).unwrap();
        Self { to, from }
    }

    fn passes(&self, frame: &[u8]) -> bool {
        // What the filter drops is refused to the sender of a datagram.
        let sent = self.to.send(frame).is_ok();
        let mut buffer = [0; 2048];
        let length = self.from.recv(&mut buffer).ok();
        assert!(length.is_none() || (sent && length == Some(frame.len())));
        length.is_some()
    }
}

fn frame() -> impl Strategy<Value = Vec<u8>> {
    let header = prop_oneof![
        Just(vec![0x88, 0xF7]),
        Just(vec![0x81, 0x00, 0, 5, 0x88, 0xF7]),
        Just([&[0x08, 0x00][..], &ipv4(17, 0), &[1, 63, 1, 63, 0, 0, 0, 0]].concat()),
        Just(
            [
                &[0x08, 0x00][..],
                &ipv4(17, 0x20),
                &[1, 63, 1, 64, 0, 0, 0, 0]
            ]
            .concat()
        ),
        Just([&[0x08, 0x00][..], &ipv4(6, 0), &[1, 63, 1, 63, 0, 0, 0, 0]].concat()),
        Just([&[0x86, 0xDD][..], &ipv6(17), &[1, 63, 1, 64, 0, 0, 0, 0]].concat()),
        Just(
            [
                &[0x86, 0xDD][..],
                &ipv6(0),
                &[17, 0, 0, 0, 0, 0, 0, 0, 1, 63, 1, 63, 0, 0, 0, 0]
            ]
            .concat()
        ),
        prop::collection::vec(any::<u8>(), 2..40),
    ];
    let kind = prop_oneof![4 => Just(0x09_u8), 3 => Just(0x01), 2 => 0_u8..16, 1 => any::<u8>()];
    (
        header,
        kind,
        0_u8..5,
        0_u8..4,
        any::<u8>(),
        any::<u8>(),
        0_usize..60,
    )
        .prop_map(|(header, kind, version, domain, source, requesting, cut)| {
            let mut bytes = vec![0; 12];
            bytes.extend(header);
            let mut ptp = vec![0; 54];
            (ptp[0], ptp[1], ptp[4]) = (kind, if version == 0 { 1 } else { 0x12 }, domain);
            for (at, who) in [(20, source), (44, requesting)] {
                let who = identity(who);
                ptp[at..at + 8].copy_from_slice(&who.clock.0);
                ptp[at + 8..at + 10].copy_from_slice(&who.port.to_be_bytes());
            }
            bytes.extend(ptp);
            // Most are whole.
            if cut > 45 {
                bytes.truncate(bytes.len() - (cut - 45) * 4);
            }
            bytes
        })
}

fn ipv4(protocol: u8, flags: u8) -> [u8; 20] {
    let mut header = [0; 20];
    (header[0], header[6], header[9]) = (0x45, flags, protocol);
    header
}

fn ipv6(next: u8) -> [u8; 40] {
    let mut header = [0; 40];
    (header[0], header[6]) = (0x60, next);
    header
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// The kernel with the map does what the classic program does, frame by frame, while clients come
    /// and go.
    #[test]
    fn the_map_decides_as_the_tree(
        domains in prop::option::of(prop::collection::vec(0_u8..4, 0..3)),
        watch: bool,
        up in prop::bool::weighted(0.9),
        steps in prop::collection::vec((any::<u8>(), any::<bool>(), frame()), 1..40),
    ) {
        let Ok(mut map) = ClientMap::new(512) else {
            return Ok(());
        };
        let mut clients: Vec<PortIdentity> = Vec::new();
        let spec = Spec {
            side: if up { Side::Up } else { Side::Down },
            domains: domains.as_deref(),
            clients: None,
            watch_second_path: watch,
            neighbours: None,
            // A sample depends on who it is, where the classic program need not look.
            sampling: Sampling::each(0),
            // With which none of these share a fold: the map knows them whole.
            key: [0x9E37_79B1, 0x85EB_CA77, 0xC2B2_AE3D],
        };
        let filter = load(&map, &with_map(&spec, map.maps()));
        let kernel = Kernel::new(&filter);
        // The same with the domains in the map: all are named there.
        let named = domains.clone().unwrap_or_else(|| (0..=u8::MAX).collect());
        let named = Spec { domains: Some(&named), ..spec };
        for domain in 0..=u8::MAX {
            if named.domains.is_some_and(|named| named.contains(&domain)) {
                map.add(&domain_key(domain)).unwrap();
            }
        }
        let by_map = load(&map, &with_map_of_domains(&named, map.maps()));
        let by_map = Kernel::new(&by_map);
        for (number, add, frame) in steps {
            let who = identity(number);
            if add {
                map.add(&map_key(&who)).unwrap();
                clients.push(who);
            } else if let Some(at) = clients.iter().position(|&client| client == who) {
                map.remove(&map_key(&who)).unwrap();
                clients.swap_remove(at);
            }
            let known = Spec { clients: Some(&clients), ..spec };
            let classic = program(&known, 4096).unwrap();
            let expected = interpreter::run(&classic, &frame, 0).unwrap().verdict != 0;
            prop_assert_eq!(kernel.passes(&frame), expected, "{:02x?} {:?}", &frame, &clients);
            let classic = program(&Spec { clients: Some(&clients), ..named }, 4096).unwrap();
            let expected = interpreter::run(&classic, &frame, 0).unwrap().verdict != 0;
            prop_assert_eq!(by_map.passes(&frame), expected, "domains {:?}: {:02x?}", &domains, &frame);
            // In between, nothing is lost that either passes.
            let between = interpreter::run(&in_between(&spec), &frame, 0).unwrap().verdict != 0;
            prop_assert!(between || !expected, "in between dropped {:02x?}", &frame);
        }
    }
}

fn delay_resp(to: PortIdentity) -> Vec<u8> {
    let mut frame = vec![0; 14 + 54];
    frame[12..16].copy_from_slice(&[0x88, 0xF7, 0x09, 0x02]);
    frame[58..66].copy_from_slice(&to.clock.0);
    frame[66..68].copy_from_slice(&to.port.to_be_bytes());
    frame
}

const SPEC: Spec<'_> = Spec {
    side: Side::Up,
    domains: None,
    clients: None,
    watch_second_path: true,
    neighbours: None,
    sampling: Sampling::each(0),
    key: [0; 3],
};

#[test]
fn clients_come_and_go() {
    let Some(mut map) = map() else {
        return;
    };
    let filter = load(&map, &with_map(&SPEC, map.maps()));
    let kernel = Kernel::new(&filter);
    let passes = |number| kernel.passes(&delay_resp(identity(number)));
    let (one, two) = (map_key(&identity(1)), map_key(&identity(2)));
    assert!(!passes(1));
    map.add(&one).unwrap();
    assert!(passes(1) && !passes(2));
    // On two lanes.
    map.add(&one).unwrap();
    map.add(&two).unwrap();
    map.remove(&one).unwrap();
    assert!(passes(1) && passes(2));
    map.remove(&one).unwrap();
    assert!(!passes(1) && passes(2));
    assert!(map.remove(&one).is_err());
    // Port 2 of the clock of 1 is somebody else.
    map.add(&one).unwrap();
    assert!(!passes(9));
    drop(map);
    assert!(passes(1), "the program keeps its map");
}

/// ARP and neighbour discovery: by a master's address, which is another kind of key than a client's or a domain's.
#[test]
fn masters_come_and_go() {
    let Some(mut map) = map() else {
        return;
    };
    let spec = Spec {
        neighbours: Some(&[]),
        ..SPEC
    };
    let filter = load(&map, &with_map(&spec, map.maps()));
    let kernel = Kernel::new(&filter);
    let arp = |sender: [u8; 4], target: [u8; 4]| {
        let start = [8, 6, 0, 1, 8, 0, 6, 4, 0, 1];
        [&[2; 12][..], &start, &[2; 6], &sender, &[0; 6], &target].concat()
    };
    let solicitation = |target: u8| {
        let mut frame = vec![0; 14 + 40 + 24];
        frame[12..15].copy_from_slice(&[0x86, 0xDD, 0x60]);
        (frame[20], frame[21], frame[54]) = (58, 255, 135);
        frame[77] = target;
        frame
    };
    let (master, other) = ([10, 0, 0, 1], [10, 0, 0, 9]);
    let v4 = master_key(u32::from_be_bytes(master));
    map.add(&domain_key(7)).unwrap();
    assert!(!kernel.passes(&arp(other, master)) && !kernel.passes(&solicitation(7)));
    map.add(&v4).unwrap();
    map.add(&master_key(7)).unwrap();
    assert!(kernel.passes(&arp(other, master)) && kernel.passes(&arp(master, other)));
    assert!(kernel.passes(&solicitation(7)) && !kernel.passes(&solicitation(8)));
    assert!(!kernel.passes(&arp(other, other)));
    map.remove(&v4).unwrap();
    assert!(!kernel.passes(&arp(other, master)));
}

#[test]
fn a_sample_passes_at_random() {
    let Some(mut map) = map() else {
        return;
    };
    let spec = Spec {
        sampling: Sampling::each(4),
        ..SPEC
    };
    let filter = load(&map, &with_map(&spec, map.maps()));
    let kernel = Kernel::new(&filter);
    let passed = || {
        (0..2_000)
            .filter(|_| kernel.passes(&delay_resp(identity(3))))
            .count()
    };
    assert_eq!(passed(), 2_000, "until it is told how many");
    map.sample(&Sampling::each(4)).unwrap();
    assert!((350..650).contains(&passed()), "{}", passed());
    // Each class by itself.
    for class in SampleClass::ALL {
        let mut one = Sampling::each(1);
        one.0[class as usize] = 4;
        map.sample(&one).unwrap();
        let thin = passed() < 650;
        assert_eq!(thin, class == SampleClass::Strangers, "{class:?}");
    }
}

#[test]
fn a_full_map_says_so() {
    if map().is_none() {
        return;
    }
    let mut map = ClientMap::new(2).unwrap();
    map.add(&map_key(&identity(1))).unwrap();
    map.add(&map_key(&identity(2))).unwrap();
    let error = map.add(&map_key(&identity(3))).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::E2BIG));
}
