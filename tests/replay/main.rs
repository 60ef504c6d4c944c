//! `ptpproxy replay` on captures that are made here: verdicts, what is written, odd files.

mod files;
mod formats;
mod live;
mod sides;
mod tools;

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use files::*;

/// Replays a capture.
fn replay(capture: &Path, arguments: &[&str]) -> Output {
    run(&[&[text(capture)], arguments].concat())
}

/// `ptpproxy replay` with these arguments.
fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ptpproxy"))
        .arg("replay")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the program starts")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

/// The lines on frames, single-spaced, and the totals after them.
fn lines(output: &Output) -> (Vec<String>, Vec<String>) {
    let text = String::from_utf8(output.stdout.clone()).expect("text");
    let (frames, totals) = text.split_once("\n\n").expect("lines and totals");
    let tidy = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    (
        frames
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(tidy)
            .collect(),
        totals.lines().map(tidy).collect(),
    )
}

fn good(output: &Output) -> (Vec<String>, Vec<String>) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &*stderr), (Some(0), ""));
    lines(output)
}

/// The error of a replay that must fail.
fn failed(output: &Output) -> String {
    let stderr = String::from_utf8(output.stderr.clone()).expect("text");
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    stderr.trim_end().to_owned()
}

#[test]
fn a_line_for_each_frame_and_the_totals() {
    let folder = folder("lines");
    let file = folder.join("in.pcap");
    let mut version_1 = frame(SYNC, 1, 9, 0);
    version_1[15] = 0x01;
    let mut cut = frame(SYNC, 1, 10, TWO_STEP);
    cut.truncate(40);
    let packets = [
        (Duration::ZERO, frame(ANNOUNCE, 1, 1, 0)),
        (MS, frame(SYNC, 1, 7, TWO_STEP)),
        (2 * MS, frame(FOLLOW_UP, 1, 7, 0)),
        (3 * MS, frame(SYNC, 1, 7, TWO_STEP)),
        (4 * MS, frame(DELAY_REQ, 2, 3, 0)),
        (5 * MS, frame(DELAY_RESP, 1, 3, 0)),
        (6 * MS, frame(PDELAY_REQ, 3, 65535, 0)),
        (7 * MS, version_1),
        (8 * MS, cut),
        (9 * MS, vec![0; 12]),
    ];
    capture(&file, &packets);
    let out = folder.join("out.pcap");
    let output = replay(
        &file,
        &["--from", "up", "--write", out.to_str().expect("text")],
    );
    let (frames, totals) = good(&output);
    assert_eq!(
        frames,
        [
            "1 0.000000000 up Announce 525400.fffe.000001-1 #1 ethernet forward",
            "2 0.001000000 up Sync 525400.fffe.000001-1 #7 ethernet forward",
            "3 0.002000000 up Follow_Up 525400.fffe.000001-1 #7 ethernet forward",
            "4 0.003000000 up Sync 525400.fffe.000001-1 #7 ethernet drop duplicate",
            "5 0.004000000 up Delay_Req 525400.fffe.000002-1 #3 ethernet drop foreign",
            "6 0.005000000 up Delay_Resp 525400.fffe.000001-1 #3 ethernet to 000000.0000.000000-0 drop not-our-client",
            "7 0.006000000 up Pdelay_Req 525400.fffe.000003-1 #65535 ethernet drop peer-delay",
            "8 0.007000000 up - drop version",
            "9 0.008000000 up - drop truncated",
            "10 0.009000000 up - drop truncated",
        ]
    );
    for line in [
        "frames up sync 2 1 1",
        "frames up announce 1 1 0",
        "frames up malformed 3 0 3",
        "drops up sync duplicate 1 A second answer from the same master, or a message seen before.",
    ] {
        assert!(
            totals.iter().any(|total| total == line),
            "{line}: {totals:?}"
        );
    }
    assert!(
        totals
            .iter()
            .any(|total| total.starts_with("drops up malformed truncated 2 "))
    );
    assert_eq!(
        written(&out),
        packets[..3],
        "unchanged, at the time they came"
    );
}

#[test]
fn a_follow_up_waits_for_its_sync() {
    let folder = folder("follow-up");
    let (file, out) = (folder.join("in.pcap"), folder.join("out.pcap"));
    let (sync, follow_up) = (frame(SYNC, 1, 7, TWO_STEP), frame(FOLLOW_UP, 1, 7, 0));
    capture(
        &file,
        &[
            (Duration::ZERO, follow_up.clone()),
            (3 * MS, sync.clone()),
            (50 * MS, frame(FOLLOW_UP, 1, 8, 0)),
        ],
    );
    let output = replay(
        &file,
        &["--from", "up", "--write", out.to_str().expect("text")],
    );
    let (frames, totals) = good(&output);
    assert_eq!(
        frames,
        [
            "1 0.000000000 up Follow_Up 525400.fffe.000001-1 #7 ethernet wait",
            "2 0.003000000 up Sync 525400.fffe.000001-1 #7 ethernet forward",
            "1 0.003000000 up Follow_Up 525400.fffe.000001-1 #7 ethernet forward after 3.000000ms",
            "3 0.050000000 up Follow_Up 525400.fffe.000001-1 #8 ethernet wait",
            "3 0.150000000 up Follow_Up 525400.fffe.000001-1 #8 ethernet drop no-sync after 100.000000ms",
        ]
    );
    assert!(
        totals.contains(&"frames up follow_up 2 1 1".to_owned()),
        "{totals:?}"
    );
    assert_eq!(written(&out), [(3 * MS, sync), (3 * MS, follow_up)]);
}

#[test]
fn a_request_beyond_the_rate_departs_later() {
    let folder = folder("rate");
    let (file, out) = (folder.join("in.pcap"), folder.join("out.pcap"));
    let requests: Vec<_> = (1..=3)
        .map(|who| (Duration::ZERO, frame(DELAY_REQ, who, 5, 0)))
        .collect();
    capture(&file, &requests);
    let out_name = out.to_str().expect("text");
    let rate = [
        "--from",
        "down",
        "--max-rate",
        "100",
        "--max-hold",
        "15ms",
        "--jitter",
        "5ms",
    ];
    let output = replay(&file, &[&rate[..], &["--write", out_name]].concat());
    let (frames, totals) = good(&output);
    assert_eq!(
        frames,
        [
            "1 0.000000000 down Delay_Req 525400.fffe.000001-1 #5 ethernet forward",
            "2 0.000000000 down Delay_Req 525400.fffe.000002-1 #5 ethernet wait",
            "3 0.000000000 down Delay_Req 525400.fffe.000003-1 #5 ethernet drop max-rate",
            "2 0.009000000 down Delay_Req 525400.fffe.000002-1 #5 ethernet forward after 9.000000ms",
        ]
    );
    assert!(
        totals.contains(&"frames down delay_req 3 2 1".to_owned()),
        "{totals:?}"
    );
    let times: Vec<_> = written(&out).into_iter().map(|(at, _)| at).collect();
    // A departure may be a millisecond ahead of the pace.
    assert_eq!(times, [Duration::ZERO, 9 * MS]);
}

#[test]
fn a_one_step_sync_gets_its_follow_up() {
    let folder = folder("one-step");
    let (file, out) = (folder.join("in.pcap"), folder.join("out.pcap"));
    capture(&file, &[(Duration::ZERO, frame(SYNC, 1, 7, 0))]);
    let out_name = out.to_str().expect("text");
    let (frames, _) = good(&replay(&file, &["--from", "up", "--write", out_name]));
    assert_eq!(
        frames,
        [
            "1 0.000000000 up Sync 525400.fffe.000001-1 #7 ethernet forward",
            "1 0.000000000 up Follow_Up 525400.fffe.000001-1 #7 ethernet forward made for its Sync",
        ]
    );
    let types: Vec<_> = written(&out)
        .iter()
        .map(|(_, bytes)| (bytes[14], bytes[20]))
        .collect();
    assert_eq!(types, [(SYNC, TWO_STEP), (FOLLOW_UP, 0)]);
}

#[test]
fn policy_options_count() {
    let file = folder("policy").join("in.pcap");
    capture(&file, &[(Duration::ZERO, frame(DELAY_REQ, 2, 3, 0))]);
    for (arguments, verdict) in [
        (&["--client", "52:54:00:00:00:02"][..], "forward"),
        (&["--client", "192.0.2.1"], "drop not-allowed"),
        (&["--domain", "1"], "drop domain"),
    ] {
        let (frames, _) = good(&replay(&file, &[&["--from", "down"], arguments].concat()));
        assert!(frames[0].ends_with(verdict), "{arguments:?}: {frames:?}");
    }
}

#[test]
fn time_that_goes_back_is_told_and_does_no_harm() {
    let file = folder("back").join("in.pcap");
    capture(
        &file,
        &[
            (10_000 * MS, frame(DELAY_REQ, 2, 3, 0)),
            (Duration::ZERO, frame(DELAY_REQ, 2, 4, 0)),
            (1_000 * MS, frame(DELAY_REQ, 2, 5, 0)),
        ],
    );
    let output = replay(&file, &["--from", "down", "--jitter", "off"]);
    let (frames, _) = lines(&output);
    assert_eq!(
        frames,
        [
            "1 0.000000000 down Delay_Req 525400.fffe.000002-1 #3 ethernet forward",
            "2 -10.000000000 down Delay_Req 525400.fffe.000002-1 #4 ethernet forward",
            "3 -9.000000000 down Delay_Req 525400.fffe.000002-1 #5 ethernet forward",
        ]
    );
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.contains("packet 2: time goes back by 10s"),
        "{stderr}"
    );
}

#[test]
fn odd_files_are_named() {
    let folder = folder("odd");
    let path = |name: &str| folder.join(name);
    let check = |path: &Path, arguments: &[&str], expected: &str| {
        let error = failed(&replay(path, &[&["--from", "up"], arguments].concat()));
        let named = path.file_name().expect("a name").to_str().expect("text");
        assert!(error.contains(named) && error.contains(expected), "{error}");
    };
    check(&path("missing.pcap"), &[], "No such file");
    check(&folder, &[], "Is a directory");
    fs::write(path("empty.pcap"), b"").expect("written");
    check(&path("empty.pcap"), &[], "is empty");
    fs::write(path("text.pcap"), b"Not a capture at all.").expect("written");
    check(&path("text.pcap"), &[], "is no capture");

    let whole = path("whole.pcap");
    capture(
        &whole,
        &[
            (Duration::ZERO, frame(ANNOUNCE, 1, 1, 0)),
            (MS, frame(ANNOUNCE, 1, 2, 0)),
        ],
    );
    let bytes = fs::read(&whole).expect("written");
    check(
        &whole,
        &["--write", whole.to_str().expect("text")],
        "the capture itself",
    );
    assert_eq!(fs::read(&whole).expect("still there"), bytes);
    let nowhere = path("nowhere/out.pcap");
    let output = replay(
        &whole,
        &["--from", "up", "--write", nowhere.to_str().expect("text")],
    );
    assert!(failed(&output).contains("nowhere/out.pcap"));

    // What is readable is replayed.
    let cut = path("cut.pcap");
    fs::write(&cut, &bytes[..bytes.len() - 3]).expect("written");
    let out = path("out.pcap");
    let output = replay(
        &cut,
        &["--from", "up", "--write", out.to_str().expect("text")],
    );
    let error = failed(&output);
    assert!(
        error.contains("cut.pcap: packet 2 at byte 118: the file ends within it"),
        "{error}"
    );
    let (frames, totals) = lines(&output);
    assert_eq!(frames.len(), 1);
    assert!(
        totals.contains(&"frames up announce 1 1 0".to_owned()),
        "{totals:?}"
    );
    assert_eq!(written(&out).len(), 1);
}
