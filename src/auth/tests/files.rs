//! The file: what linuxptp takes is taken, mistakes have their line, and no message shows a key.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::{KeyName, SecurityAssociations};
use super::{FILE, parse};

fn names(set: &SecurityAssociations) -> Vec<(u8, u32)> {
    set.names().map(|KeyName { spp, id }| (spp, id)).collect()
}

#[test]
fn linuxptps_own_sample_is_read() {
    // Blanks before and after, tabs, upper and lower case, CRLF, settings below the keys.
    let text = b"# A comment.\n\n  [SECURITY_association]  \r\n\tspp\t0\n 1 sha256-128 secret\n\
        seqnum_length 0\nres_length 0\n 2  SHA256 0 secret \n3 SHA256 6\tsecret\nallow_mutable 1\n\
        [security_association]\nspp 255\nseqid_window 32767\n4294967295 AES128 HEX:000102030405060708090a0b0c0d0e0f";
    let set = parse(text);
    assert_eq!(names(&set), [(0, 1), (0, 2), (0, 3), (255, u32::MAX)]);
    assert_eq!(set.mutable(), [0]);
    let rules = |spp, id| {
        let (_, entry) = set.find(KeyName { spp, id }).expect("a key");
        (entry.seqid_window, entry.allow_mutable)
    };
    assert_eq!(rules(0, 1), (3, true), "the default, and what stands below");
    assert_eq!(rules(255, u32::MAX), (0x7FFF, false));
    let same = set
        .slot(0)
        .expect("one")
        .key
        .same(&set.slot(1).expect("two").key);
    assert!(!same, "another algorithm");
    assert!(
        set.slot(1)
            .expect("two")
            .key
            .same(&set.slot(2).expect("three").key)
    );
    assert_eq!(
        names(&parse(FILE)),
        [
            (0, 1),
            (0, 2),
            (0, 3),
            (0, 4),
            (7, 1),
            (7, 2),
            (7, 3),
            (7, 4)
        ]
    );
    assert_eq!(parse(FILE).mutable(), [7]);
}

/// Of each wrong text: which lines are told, and a part of what is said.
const WRONG: &[(&str, &[(usize, &str)])] = &[
    ("", &[(0, "no security association")]),
    ("# only a comment\n", &[(0, "no security association")]),
    (
        "spp 0\n1 SHA256 SECRET\n",
        &[(1, "before the first"), (2, "before the first")],
    ),
    (
        "[global]\nspp 0\n1 SHA256 SECRET\n",
        &[(1, "no section of this file")],
    ),
    ("[security_association]\n", &[(1, "has no spp")]),
    ("[security_association]\nspp 0\n", &[(1, "has no key")]),
    (
        "[security_association]\n1 SHA256 SECRET\nspp 0\n",
        &[(2, "before its section's spp")],
    ),
    (
        "[security_association]\nallow_mutable 1\nspp 0\n1 SHA256 SECRET\n",
        &[(2, "before its section's spp")],
    ),
    (
        "[security_association]\nspp 256\n1 SHA256 SECRET\n",
        &[(2, "from 0 to 255")],
    ),
    (
        "[security_association]\nspp -1\n1 SHA256 SECRET\n",
        &[(2, "from 0 to 255")],
    ),
    (
        "[security_association]\nspp\n1 SHA256 SECRET\n",
        &[(2, "from 0 to 255")],
    ),
    (
        "[security_association]\nspp 1 2\n1 SHA256 SECRET\n",
        &[(2, "from 0 to 255")],
    ),
    (
        "[security_association]\nspp 0\nspp 1\n1 SHA256 SECRET\n",
        &[(3, "begin another")],
    ),
    (
        "[security_association]\nspp 0\n1 SHA256 SECRET\n[security_association]\nspp 0\n1 SHA256 SECRET\n",
        &[(5, "has a section above")],
    ),
    (
        "[security_association]\nspp 0\nseqid_window 32768\n1 SHA256 SECRET\n",
        &[(3, "to 32767")],
    ),
    (
        "[security_association]\nspp 0\nallow_mutable 2\n1 SHA256 SECRET\n",
        &[(3, "0 or 1")],
    ),
    (
        "[security_association]\nspp 0\nallow_mutable yes\n1 SHA256 SECRET\n",
        &[(3, "0 or 1")],
    ),
    (
        "[security_association]\nspp 0\nallow_mutable 0\nallow_mutable 1\n1 SHA256 SECRET\n",
        &[(4, "stands twice")],
    ),
    (
        "[security_association]\nspp 0\nseqnum_length 2\n1 SHA256 SECRET\n",
        &[(3, "0 only")],
    ),
    (
        "[security_association]\nspp 0\nres_length 2\n1 SHA256 SECRET\n",
        &[(3, "0 only")],
    ),
    (
        "[security_association]\nspp 0\nwindow 2\n1 SHA256 SECRET\n",
        &[(3, "neither a setting")],
    ),
    (
        "[security_association]\nspp 0\nSECRET\n1 SHA256 SECRET\n",
        &[(3, "neither a setting")],
    ),
    (
        "[security_association]\nspp 0\n0 SHA256 SECRET\n",
        &[(3, "from 1 to 4294967295")],
    ),
    (
        "[security_association]\nspp 0\n4294967296 SHA256 SECRET\n",
        &[(3, "from 1 to")],
    ),
    (
        "[security_association]\nspp 0\n1 SHA256\n",
        &[(3, "key 1: a key is written")],
    ),
    (
        "[security_association]\nspp 0\n1 SHA256 6 SECRET # mine\n",
        &[(3, "a line of its own")],
    ),
    (
        "[security_association]\nspp 0\n1 SHA256 SECRET SECRET\n",
        &[(3, "key 1: its length")],
    ),
    (
        "[security_association]\nspp 0\n1 SHA1 SECRET\n",
        &[(3, "SHA256-128, SHA256, AES128, AES256")],
    ),
    (
        "[security_association]\nspp 0\n1 SHA256 7 SECRET\n",
        &[(3, "has 6 bytes, not 7")],
    ),
    (
        "[security_association]\nspp 0\n1 AES128 SECRET\n",
        &[(3, "has 6 bytes; AES128 takes 16")],
    ),
    (
        "[security_association]\nspp 0\n1 AES256 ASCII:SECRET\n",
        &[(3, "AES256 takes 32")],
    ),
    (
        "[security_association]\nspp 0\n1 SHA256 ASCII:\n",
        &[(3, "is empty")],
    ),
    (
        "[security_association]\nspp 0\n1 SHA256 HEX:SECRET\n",
        &[(3, "HEX:")],
    ),
    (
        "[security_association]\nspp 0\n1 SHA256 B64:SECRET*\n",
        &[(3, "B64:")],
    ),
    (
        "[security_association]\nspp 0\n1 SHA256 SECRET\n1 AES128 HEX:000102030405060708090a0b0c0d0e0f\n",
        &[(4, "key 1: stands twice")],
    ),
    (
        "[security_association]\nspp 300\n1 SHA256\nallow_mutable 7\n2 SHA256 SECRET\n[security_association]\n",
        &[
            (2, "spp"),
            (3, "key 1"),
            (4, "allow_mutable"),
            (6, "has no spp"),
        ],
    ),
];

#[test]
fn mistakes_have_their_line_and_no_key() {
    for (text, expected) in WRONG {
        let path = Path::new("/etc/ptpproxy/sa.cfg");
        let problems = SecurityAssociations::parse(path, text.as_bytes()).expect_err(text);
        let found: Vec<_> = problems.iter().collect();
        assert_eq!(found.len(), expected.len(), "{text}\n{problems}");
        for (problem, (line, part)) in found.iter().zip(*expected) {
            assert_eq!(problem.line.unwrap_or(0), *line, "{text}\n{problems}");
            assert!(problem.text.contains(part), "{text}\n{problems}");
        }
        let shown = problems.to_string();
        assert_eq!(shown.lines().count(), expected.len());
        assert!(
            shown
                .lines()
                .all(|line| line.starts_with("/etc/ptpproxy/sa.cfg:")),
            "{shown}"
        );
        assert!(!shown.contains("SECRET"), "{shown}");
    }
}

#[test]
fn long_lines_and_many_keys_are_refused() {
    let head = "[security_association]\nspp 0\n";
    let key = |len: usize| format!("{head}1 SHA256 {}\n", "k".repeat(len));
    let path = Path::new("sa.cfg");
    assert!(SecurityAssociations::parse(path, key(1_014).as_bytes()).is_ok());
    let problems = SecurityAssociations::parse(path, key(1_015).as_bytes()).expect_err("long");
    let expected = [
        (Some(1), "has no key"),
        (Some(3), "is longer than 1023 bytes"),
    ];
    for (problem, (line, part)) in problems.iter().zip(expected) {
        assert_eq!(problem.line, line);
        assert!(problem.text.contains(part), "{problems}");
    }
    assert_eq!(problems.iter().count(), expected.len());
    let keys = |count: u32| {
        (1..=count).fold(head.to_owned(), |text, id| {
            text + &format!("{id} SHA256 key\n")
        })
    };
    assert_eq!(parse(keys(4_096).as_bytes()).names().count(), 4_096);
    let problems = SecurityAssociations::parse(path, keys(4_097).as_bytes()).expect_err("many");
    assert!(problems.to_string().contains("more than 4096 keys"));
}

#[test]
fn nothing_shows_a_key() {
    let set = parse(b"[security_association]\nspp 0\n1 SHA256 SECRET\n2 AES128 SECRETSECRETSECR\n");
    let shown = format!("{set:?} {set:#?}");
    assert!(shown.contains("Key(SHA256, ..)"), "{shown}");
    assert!(
        !shown.contains("SECRET") && !shown.contains("83, 69, 67"),
        "{shown}"
    );
}

/// A folder that is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("ptpproxy-sa-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn permissions_kinds_and_sizes() {
    let folder = Folder::new();
    let path = folder.0.join("sa.cfg");
    fs::write(&path, FILE).expect("a file");
    for (mode, part) in [
        (0o600, None),
        (0o400, None),
        (0o640, None),
        (0o440, None),
        (0o644, Some("others may")),
        (0o602, Some("others may")),
        (0o601, Some("others may")),
        (0o660, Some("its group may write")),
        (0o650, Some("its group may write")),
    ] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
        match (SecurityAssociations::load(&path), part) {
            (Ok(set), None) => assert_eq!(set.names().count(), 8),
            (Err(error), Some(part)) => {
                let text = error.to_string();
                assert!(
                    text.contains(part) && text.contains(&format!("{mode:04o}")),
                    "{text}"
                );
                assert!(text.contains("chmod 0600"), "{text}");
            }
            (result, _) => panic!("{mode:o}: {result:?}"),
        }
    }
    let error = |path: &Path| {
        SecurityAssociations::load(path)
            .expect_err("no file")
            .to_string()
    };
    assert!(error(&folder.0.join("none")).contains("cannot be read: No such file"));
    assert!(error(&folder.0).contains("no regular file"));
    // A pipe that nobody writes to does not stall.
    let pipe = folder.0.join("pipe");
    if Command::new("mkfifo")
        .arg("-m600")
        .arg(&pipe)
        .status()
        .is_ok_and(|status| status.success())
    {
        assert!(error(&pipe).contains("no regular file"));
    }
    let mut large = FILE.to_vec();
    large.resize((1 << 20) + 1, b'\n');
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a mode");
    fs::write(&path, &large).expect("a file");
    assert!(error(&path).contains("larger than 1 MiB"));
    large.pop();
    fs::write(&path, &large).expect("a file");
    assert!(SecurityAssociations::load(&path).is_ok());
}
