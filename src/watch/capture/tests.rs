//! What the file holds, who may read it, and that it grows no larger than it may.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;

use pcap_file::pcapng::{Block, PcapNgReader};

use super::*;

/// A folder of its own; the test that is named removes it.
fn folder(test: &str) -> PathBuf {
    let name = format!("ptpproxy-watch-{test}-{}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    fs::create_dir(&folder).unwrap();
    folder
}

fn gateway() -> Watching {
    Watching {
        protocol: 1,
        up: "eth0".into(),
        down: "eth1".into(),
        lines_per_s: 1000,
    }
}

fn dropped(from: Side, reason: &str, frame: &str) -> Seen {
    Seen {
        event: "drop".into(),
        time_ns: 1_764_432_304_123_456_789,
        from: from.label().into(),
        reason: Some(reason.into()),
        length: Some(3000),
        frame: (!frame.is_empty()).then(|| frame.into()),
        ..Seen::default()
    }
}

/// Interfaces, packets as (interface, time, length, bytes, comment), and the comments of section and end.
type Packet = (u32, u64, u32, Vec<u8>, String);
fn read(path: &Path) -> (Vec<String>, Vec<Packet>, Vec<String>) {
    let mut reader = PcapNgReader::new(fs::File::open(path).unwrap()).unwrap();
    let mut comments: Vec<String> = reader
        .section()
        .options
        .iter()
        .filter_map(|option| match option {
            SectionHeaderOption::Comment(text) => Some(text.to_string()),
            _ => None,
        })
        .collect();
    let (mut interfaces, mut packets) = (Vec::new(), Vec::new());
    while let Some(block) = reader.next_block() {
        match block.unwrap() {
            Block::InterfaceDescription(block) => {
                interfaces.extend(block.options.iter().filter_map(|option| match option {
                    InterfaceDescriptionOption::IfName(name) => Some(name.to_string()),
                    _ => None,
                }));
            }
            Block::EnhancedPacket(block) => {
                let comment = block.options.iter().find_map(|option| match option {
                    EnhancedPacketOption::Comment(text) => Some(text.to_string()),
                    _ => None,
                });
                packets.push((
                    block.interface_id,
                    u64::try_from(block.timestamp.as_nanos()).unwrap(),
                    block.original_len,
                    block.data.to_vec(),
                    comment.unwrap(),
                ));
            }
            Block::InterfaceStatistics(block) => {
                comments.extend(block.options.iter().filter_map(|option| match option {
                    InterfaceStatisticsOption::Comment(text) => Some(text.to_string()),
                    _ => None,
                }));
            }
            block => panic!("{block:?}"),
        }
    }
    (interfaces, packets, comments)
}

#[test]
fn each_frame_is_there_with_its_reason() {
    let folder = folder("reasons");
    let path = folder.join("drops.pcapng");
    let mut capture = Capture::create(&path, 1 << 20, &gateway()).unwrap();
    assert!(
        capture
            .add(&dropped(Side::Up, "foreign", "0102ff"))
            .unwrap()
    );
    assert!(
        capture
            .add(&dropped(Side::Down, "client-rate", "ab"))
            .unwrap()
    );
    assert!(capture.add(&dropped(Side::Down, "tx-failed", "")).unwrap());
    let summary = capture.finish("7 lost: 7 beyond the rate").unwrap();
    let length = fs::metadata(&path).unwrap().len();
    assert!(
        summary.ends_with(&format!(
            "2 frames, {length} bytes, 1 dropped without their bytes"
        )),
        "{summary}"
    );
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let (interfaces, packets, comments) = read(&path);
    assert_eq!(interfaces, ["eth0", "eth1"]);
    let time = 1_764_432_304_123_456_789;
    assert_eq!(
        packets,
        [
            (0, time, 3000, vec![1, 2, 0xFF], "foreign".to_owned()),
            (1, time, 3000, vec![0xAB], "client-rate".to_owned()),
        ]
    );
    let [what, missing] = &comments[..] else {
        panic!("{comments:?}");
    };
    assert!(what.contains("sample"), "{what}");
    assert!(
        missing.contains("7 beyond the rate") && missing.contains("1 whose bytes"),
        "{missing}"
    );
    fs::remove_dir_all(folder).unwrap();
}

/// Neither a file nor a link in its place is touched, wherever the link leads.
#[test]
fn what_is_there_stays() {
    let folder = folder("stays");
    let (file, link, dangling) = (
        folder.join("file"),
        folder.join("link"),
        folder.join("dangling"),
    );
    fs::write(&file, "mine").unwrap();
    symlink(&file, &link).unwrap();
    symlink(folder.join("nothing"), &dangling).unwrap();
    for path in [&file, &link, &dangling, &folder] {
        let error = Capture::create(path, 1 << 20, &gateway()).err().unwrap();
        assert!(error.to_string().contains("is there already"), "{error}");
    }
    assert_eq!(fs::read(&file).unwrap(), b"mine");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 3);
    let error = Capture::create(&folder.join("no/where"), 1 << 20, &gateway())
        .err()
        .unwrap();
    assert!(error.to_string().contains("cannot write"), "{error}");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_file_grows_no_larger_than_it_may() {
    let folder = folder("limit");
    let path = folder.join("drops.pcapng");
    let limit = 20_000;
    let mut capture = Capture::create(&path, limit, &gateway()).unwrap();
    let frame = "5a".repeat(101);
    let mut frames = 0;
    while capture
        .add(&dropped(Side::Up, "not-our-client", &frame))
        .unwrap()
    {
        frames += 1;
        assert!(frames < 1000);
    }
    capture.finish("none lost").unwrap();
    let length = fs::metadata(&path).unwrap().len();
    assert!(length <= limit && length > limit - 1000, "{length}");
    assert_eq!(read(&path).1.len(), frames);
    fs::remove_dir_all(folder).unwrap();
}
