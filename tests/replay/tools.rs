//! Files that the programs of Wireshark wrote.

use ptpproxy_lab::net::skip;

use super::*;

/// Runs a program; false, and a line that says so, where it is not installed.
fn ran(program: &str, arguments: &[&str]) -> bool {
    match Command::new(program).args(arguments).output() {
        Ok(output) => {
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{program} {arguments:?}: {stderr}");
            true
        }
        Err(_) => {
            skip(&format!(
                "{program} is not installed (Debian: wireshark-common)"
            ));
            false
        }
    }
}

#[test]
fn every_format_of_editcap_reads_alike() {
    let folder = folder("editcap");
    let file = folder.join("in.pcap");
    let packets: Vec<_> = (0..20)
        .map(|n| (MS * u32::from(n), frame(ANNOUNCE, 1, n, 0)))
        .collect();
    capture(&file, &packets);
    let (expected, _) = good(&replay(&file, &["--from", "up"]));
    assert_eq!(expected.len(), 20);
    for format in [
        "nsecpcap",
        "pcap",
        "pcapng",
        "modpcap",
        "rh6_1pcap",
        "suse6_3pcap",
        "nokiapcap",
    ] {
        let out = folder.join(format);
        if !ran("editcap", &["-F", format, text(&file), text(&out)]) {
            return;
        }
        let output = replay(&out, &["--from", "up"]);
        if !matches!(format, "nsecpcap" | "pcap" | "pcapng") {
            // Of the last century: refused in words, or read.
            assert!(matches!(output.status.code(), Some(0 | 1)), "{format}");
            continue;
        }
        // In microseconds all times lose the same.
        assert_eq!(good(&output).0, expected, "{format}");
    }
    let cut = folder.join("cut");
    assert!(ran("editcap", &["-s", "40", text(&file), text(&cut)]));
    let (frames, _) = good(&replay(&cut, &["--from", "up"]));
    assert!(
        frames.iter().all(|line| line.ends_with(" drop truncated")),
        "{frames:#?}"
    );
    let commented = folder.join("commented");
    let comments = ["-a", "3:why was this dropped?", "--capture-comment", "all"];
    assert!(ran(
        "editcap",
        &[&comments[..], &[text(&file), text(&commented)]].concat()
    ));
    assert_eq!(good(&replay(&commented, &["--from", "up"])).0, expected);
}

#[test]
fn two_captures_of_mergecap_are_two_interfaces() {
    let folder = folder("mergecap");
    let (up, down, both) = (folder.join("up"), folder.join("down"), folder.join("both"));
    capture(&down, &[(Duration::ZERO, frame(DELAY_REQ, 2, 3, 0))]);
    capture(&up, &[(MS, answer(2, 3))]);
    let arguments = ["-I", "none", "-w", text(&both), text(&up), text(&down)];
    if !ran("mergecap", &arguments) {
        return;
    }
    let error = failed(&replay(&both, &["--from", "up"]));
    assert!(error.contains("more than one interface (0, 1)"), "{error}");
    let (frames, _) = good(&replay(&both, &["--up", "0", "--down", "1"]));
    assert_eq!(frames.len(), 2);
    assert!(
        frames.iter().all(|line| line.ends_with(" forward")),
        "{frames:#?}"
    );
}
