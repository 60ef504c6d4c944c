//! Interfaces, groups and set-up on a real kernel.

use std::process::Command;
use std::time::{Duration, Instant};

use super::net::{in_namespace, on_veth, raise, run, veth};
use super::rings::ptp_only;
use crate::ring::link::{GroupMembership, Interface, LinkChange, LinkKind, Monitor, check_pair};
use crate::ring::rx::{RxOptions, RxRing};
use crate::ring::stamps::{HardwareInfo, StampSource, Stamping, Timestamping};
use crate::ring::tx::{TxOptions, TxRing};
use crate::{PerSide, PortId};

on_veth! {
    fn monitor_reports_a_life() {
        let (a, b) = veth("va", "vb");
        let mut monitor = Monitor::open(PerSide { up: &a, down: &b }.into()).unwrap();
        let reports = |monitor: &mut Monitor, wanted: &dyn Fn(&LinkChange) -> bool| {
            let end = Instant::now() + Duration::from_secs(3);
            let mut seen = Vec::new();
            while Instant::now() < end {
                monitor.changes(&mut |side, change| seen.push((side, change))).unwrap();
                if seen.iter().any(|(port, change)| *port == PortId::Down(0) && wanted(change)) {
                    return seen.len();
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            panic!("not reported, only {seen:?}");
        };
        run("ip link set dev vb down");
        reports(&mut monitor, &|change| matches!(change, LinkChange::Changed(now) if !now.up));
        raise("vb");
        reports(&mut monitor, &|change| matches!(change, LinkChange::Changed(now) if now.running));
        run("ip link set dev va down");
        reports(&mut monitor, &|change| matches!(change, LinkChange::Changed(now) if !now.running && now.up));
        run("ip link set dev vb mtu 1400");
        reports(&mut monitor, &|change| matches!(change, LinkChange::Changed(now) if now.mtu == 1400));
        run("ip link del va");
        reports(&mut monitor, &|change| matches!(change, LinkChange::Gone));
        let (_, again) = veth("va", "vb");
        assert_ne!(again.index, b.index);
        reports(&mut monitor, &|change| matches!(change, LinkChange::Recreated(now) if now.index == again.index));
    }
}

on_veth! {
    fn bridge_ports_come_and_go_unnoticed() {
        let (a, b) = veth("va", "vb");
        run("ip link add name br0 type bridge");
        let mut monitor = Monitor::open(PerSide { up: &a, down: &b }.into()).unwrap();
        run("ip link set dev vb master br0");
        run("ip link set dev vb nomaster");
        std::thread::sleep(Duration::from_millis(50));
        let mut seen = Vec::new();
        monitor.changes(&mut |_, change| seen.push(change)).unwrap();
        assert!(seen.iter().all(|change| matches!(change, LinkChange::Changed(_))), "{seen:?}");
        assert!(seen.iter().any(|change| matches!(change, LinkChange::Changed(now) if now.master.is_some())));
    }
}

on_veth! {
    fn pairs_of_real_interfaces_are_judged() {
        let _ = veth("va", "vb");
        let _ = veth("vc", "vd");
        run("ip link add name br0 type bridge");
        run("ip link add link va name mac0 type macvlan mode bridge");
        assert!(check_pair("va", "vb").is_ok(), "a veth's link is its peer");
        assert!(check_pair("va", "vc").is_ok());
        run("ip link set dev vb master br0");
        run("ip link set dev vd master br0");
        for (up, down, why) in [
            ("vb", "br0", "part of br0"),
            ("vb", "vd", "both belong to br0"),
            ("mac0", "va", "mac0 sits on va"),
            ("lo", "va", "loopback"),
            ("va", "va", "same interface"),
        ] {
            let text = check_pair(up, down).unwrap_err().to_string();
            assert!(text.contains(why), "{text}");
        }
    }
}

on_veth! {
    fn groups_are_joined() {
        run("ip link add name va type veth peer name vb");
        for name in ["va", "vb"] {
            run(&format!("ip link set dev {name} up"));
        }
        raise("vb");
        let b = Interface::lookup("vb").unwrap();
        let (groups, missing) = GroupMembership::join(&b);
        assert_eq!((groups.families(), missing.len()), (2, 0), "{missing:?}");
        let listing = || {
            let output = std::process::Command::new("ip").args(["maddr", "show", "dev", "vb"]).output().unwrap();
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        let text = listing();
        for group in ["224.0.1.129", "ff01::181", "ff02::181", "ff05::181", "ff08::181", "ff0e::181"] {
            assert!(text.contains(group), "{group} missing in {text}");
        }
        assert!(!text.contains("224.0.0.107") && !text.contains("::6b"), "{text}");
        drop(groups);
        assert!(!listing().contains("224.0.1.129"));
        let (_groups, missing) = GroupMembership::join(&Interface { index: 9999, ..b });
        assert_eq!(missing.len(), 2);
        let text = missing[0].to_string();
        assert!(!missing[0].is_absent() && text.contains("IGMP") && text.contains("snooping"), "{text}");
    }
}

on_veth! {
    fn veth_has_no_hardware_stamps() {
        let (a, b) = veth("va", "vb");
        assert!(!HardwareInfo::query(&a).unwrap().transmit);
        let pair = PerSide { up: &a, down: &b };
        let bound = Duration::from_micros(1);
        let stamping = Stamping::set_up(Timestamping::Auto, bound, &pair.into()).unwrap();
        assert_eq!(stamping.source.up, StampSource::Software);
        assert_eq!(stamping.source.down, StampSource::Software);
        assert!(stamping.why.contains("va has no PTP hardware clock"), "{}", stamping.why);
        let refused = Stamping::set_up(Timestamping::Hardware, bound, &pair.into()).err().unwrap().to_string();
        assert!(refused.contains("--timestamping"), "{refused}");
    }
}

on_veth! {
    fn setup_errors_name_interface_and_cause() {
        let (a, b) = veth("va", "vb");
        run("ip link del va");
        for text in [
            RxRing::open(&b, &ptp_only(), &RxOptions::default()).unwrap_err().to_string(),
            TxRing::<u64>::open(&a, &TxOptions::default()).unwrap_err().to_string(),
        ] {
            assert!(text.starts_with('v') && text.contains("gone"), "{text}");
        }
        let text = Interface::lookup("va").unwrap_err().to_string();
        assert!(text.contains("no interface \"va\""), "{text}");
        let options = RxOptions { frames: 1000, ..RxOptions::default() };
        let text = RxRing::open(&b, &ptp_only(), &options).unwrap_err().to_string();
        assert!(text.contains("power of two"), "{text}");
    }
}

on_veth! {
    fn missing_privilege_is_named_with_its_remedy() {
        let (a, _b) = veth("va", "vb");
        // linux/capability.h: version 3, this thread, and two words each of no capabilities.
        let header = [0x2008_0522_u32, 0];
        let none = [0_u32; 6];
        // SAFETY: header and data have the shape that version 3 asks for; the kernel reads the data.
        let dropped = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()) };
        assert_eq!(dropped, 0);
        for text in [
            RxRing::open(&a, &ptp_only(), &RxOptions::default()).unwrap_err().to_string(),
            TxRing::<u64>::open(&a, &TxOptions::default()).unwrap_err().to_string(),
        ] {
            assert!(text.starts_with("va: ") && text.contains("needs CAP_NET_RAW") && text.contains("see deploy/"), "{text}");
        }
    }
}

on_veth! {
    fn a_bridge_timestamps_by_its_ports() {
        let _ends = veth("va", "vb");
        run("ip link add name br0 type bridge");
        run("ip link set dev vb master br0");
        let stamps = |name| HardwareInfo::query(&Interface::lookup(name).unwrap()).unwrap().software_transmit;
        assert!(stamps("va") && stamps("br0"));
        // A port without.
        let _ = Command::new("ip").args(["link", "add", "name", "ifb7", "type", "ifb"]).output();
        if Interface::lookup("ifb7").is_ok() {
            run("ip link set dev ifb7 master br0");
            assert!(!stamps("ifb7") && !stamps("br0"));
        }
    }
}

on_veth! {
    fn what_says_nothing_of_timestamps_sends_by_what_it_sits_on() {
        let (a, _b) = veth("va", "vb");
        run("ip link add name br0 type bridge");
        // Its driver has no word on timestamps, as that of a switch chip may have none on the kernel's.
        let port = Interface { kind: LinkKind::Dsa, ..Interface::lookup("br0").unwrap() };
        let stamps = |parent| HardwareInfo::query(&Interface { parent, ..port.clone() }).unwrap().software_transmit;
        assert!(stamps(Some(a.index)));
        assert!(!stamps(None));
    }
}
