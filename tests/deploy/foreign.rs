//! The files for other machines, run under qemu-user: their words, configuration and replays are those of this machine's.
//! Packet rings do not work under qemu-user, so nothing is forwarded there. By `tests/deep machines`, which builds them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use pcap_file::pcap::{PcapPacket, PcapWriter};
use ptpproxy_lab::ptp4l::TempDir;

use crate::built;
use crate::tools::{find, output, read, run, text, top};

/// The machines that are not this one: names, qemu's name, Debian's.
fn machines() -> Vec<(&'static str, &'static str, &'static str)> {
    [
        ("x86_64", "x86_64", "amd64"),
        ("aarch64", "aarch64", "arm64"),
        ("armv7", "arm", "armhf"),
    ]
    .into_iter()
    .filter(|(_, _, debian)| *debian != built::debian())
    .collect()
}

/// Frames of real peers, a millisecond apart, past the year 2038.
fn capture(folder: &Path) -> PathBuf {
    let path = folder.join("peers.pcap");
    let mut writer = PcapWriter::new(fs::File::create(&path).unwrap()).unwrap();
    let peers = read("tests/testkit/src/targets/peers.txt");
    let frames = peers.lines().filter(|line| !line.starts_with('#'));
    for (number, line) in (0_u64..).zip(frames) {
        let bytes: Vec<u8> = (0..line.len() / 2)
            .map(|at| u8::from_str_radix(&line[2 * at..2 * at + 2], 16).unwrap())
            .collect();
        let at = std::time::Duration::from_millis(2_208_988_800_000 + number);
        let len = u32::try_from(bytes.len()).unwrap();
        writer
            .write_packet(&PcapPacket::new(at, len, &bytes))
            .unwrap();
    }
    path
}

fn same(words: &str, here: &Output, there: &Output) {
    assert!(here.status.success(), "{words}: {}", text(here));
    assert_eq!(text(here), text(there), "{words}");
}

#[test]
#[ignore = "builds for other machines, many minutes: tests/deep machines"]
fn each_machine_s_file_does_what_this_one_s_does() {
    let folder = TempDir::new().unwrap();
    let capture = capture(folder.path());
    let capture = capture.to_str().unwrap();
    let release = top().join("target/deploy/release");
    output(
        Command::new("sha256sum")
            .args(["--quiet", "--check", "SHA256SUMS"])
            .current_dir(&release),
    );
    for (machine, qemu, debian) in machines() {
        let name = format!("qemu-{qemu}-static");
        let Some(qemu) = find(&name, "Debian: qemu-user-static") else {
            return;
        };
        let program = release.join(format!("ptpproxy-{machine}"));
        let here = |arguments: &[&str]| run(Command::new(built::file()).args(arguments));
        let there = |arguments: &[&str]| run(Command::new(&qemu).arg(&program).args(arguments));
        for words in ["--version", "--help", "replay --help"] {
            let words: Vec<&str> = words.split(' ').collect();
            same(&words.join(" "), &here(&words), &there(&words));
        }
        for side in ["up", "down"] {
            let words = ["replay", capture, "--from", side];
            let here = here(&words);
            same(side, &here, &there(&words));
            assert!(text(&here).lines().count() > 50, "{}", text(&here));
        }
        for sample in fs::read_dir(top().join("deploy/samples")).unwrap() {
            let sample = sample.unwrap().path();
            let words = ["check-config", sample.to_str().unwrap()];
            same(words[1], &here(&words), &there(&words));
        }
        let package = release.join(format!("ptpproxy_{debian}.deb"));
        let field = |name| output(Command::new("dpkg-deb").arg("-f").arg(&package).arg(name));
        assert_eq!(field("Architecture").trim(), debian);
        assert_eq!(field("Depends").trim(), "passwd");
        let unpacked = folder.path().join(debian);
        output(
            Command::new("dpkg-deb")
                .arg("-x")
                .arg(&package)
                .arg(&unpacked),
        );
        assert_eq!(
            fs::read(unpacked.join("usr/bin/ptpproxy")).unwrap(),
            fs::read(&program).unwrap()
        );
        println!("{machine}: as here");
    }
}
