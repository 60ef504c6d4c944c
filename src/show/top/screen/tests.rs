//! What is on screens of several sizes.

use super::*;
use crate::control::reply::{Client, Warning};

fn screen(clients: usize) -> Screen {
    let client = |n: usize| Client {
        identity: format!("020000.fffe.{n:06x}-1"),
        address: format!("fd00:1111:2222:3333:4444:5555:6666:{n:x}"),
        interval_ms: Some(125.0),
        answered_percent: Some(99.5),
        residence_ms: Some(9.81),
        response_ms: Some(0.4),
        ..Client::default()
    };
    let mut screen = Screen {
        clients: ClientList {
            clients: (0..clients).map(client).collect(),
            ..ClientList::default()
        },
        ..Screen::default()
    };
    screen.status.warnings = vec![Warning {
        code: "no-sync".into(),
        text: "no Sync for 5 s: look at the grandmaster and the way to it".into(),
    }];
    screen
}

#[test]
fn every_size_is_filled_and_nothing_is_wider() {
    let mut screen = screen(100);
    for view in [View::Clients, View::Drops, View::Frames, View::Warnings] {
        screen.view(view);
        for (width, height) in [
            (80, 24),
            (200, 60),
            (40, 10),
            (10, 3),
            (1, 1),
            (0, 0),
            (500, 2),
        ] {
            let lines = screen.lines(width, height);
            assert_eq!(lines.len(), height, "{view:?} {width}x{height}");
            assert!(lines.iter().all(|line| line.text.len() <= width));
        }
    }
}

#[test]
fn eighty_columns_show_how_each_client_is_served_and_the_keys() {
    let mut screen = screen(100);
    let lines = screen.lines(80, 24);
    let text: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
    for heading in ["identity", "interval", "answered", "response"] {
        assert!(text[6].contains(heading), "{heading}: {}", text[6]);
    }
    assert!(text[7].contains("020000.fffe.000000-1") && text[7].contains("99.5 %"));
    assert!(text[22].contains("020000.fffe.00000f-1"), "the last row");
    assert!(text[5].starts_with("! no Sync for 5 s"), "{}", text[5]);
    for key in [
        "q quit",
        "p pause",
        "[c clients]",
        "d drops",
        "s sort: identity",
    ] {
        assert!(text[23].contains(key), "{key}: {}", text[23]);
    }
    screen.scroll_by(1_000);
    assert!(
        screen.lines(80, 24)[7].text.contains("000063-1"),
        "stops at the last"
    );
    screen.scroll_back(1_000);
    assert_eq!(screen.lines(80, 24), lines);
    assert!(
        screen.lines(140, 24)[7].text.contains("fd00:1111"),
        "wider shows more"
    );
}

#[test]
fn no_figure_of_the_head_is_cut_at_eighty_columns() {
    let mut screen = screen(3);
    let status = &mut screen.status;
    status.ports = vec![crate::control::reply::PortStatus::default(); 2];
    for port in &mut status.ports {
        port.name = "enp129s0f1npx.1".into();
        port.link = "no link".into();
        port.counts.ring_drops = 123_456;
    }
    status.filter.kind = "coarse".into();
    (status.clients.known, status.limits.max_clients) = (1_000_000, 1_000_000);
    (status.clients.open, status.clients.waiting) = (8_000_000, 4_194_304);
    status.clients.requests_per_s = 1e6;
    status.masters = vec![crate::control::reply::MasterStatus {
        sender: "020000.fffe.000001-65535".into(),
        rate_ppm: Some(-123.456),
        variation_ns: Some(123_456.0),
        ..Default::default()
    }];
    status.warnings[0].text = "word ".repeat(40) + "end";
    let lines = screen.lines(80, 24);
    let text: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
    for figure in [
        "(123456 ring drops), filter coarse for 0",
        "variation 123 us",
        "4194304 waiting",
        "dropped 0/s",
        "word end",
        "s sort: identity",
    ] {
        assert!(
            text.iter().any(|line| line.contains(figure)),
            "{figure}: {text:#?}"
        );
    }
    assert!(
        text.iter().any(|line| line.starts_with("020000")),
        "{text:#?}"
    );
    // The widest has all in one line each.
    let lines = screen.lines(250, 24);
    assert!(lines[2].text.contains("variation") && lines[23].text.contains("up/down scroll"));
}

#[test]
fn nothing_moves_the_cursor() {
    assert_eq!(fit("a\x1b[2Jb\n", 80, false), "a?[2Jb?");
    assert_eq!(fit("abc", 2, true), "ab");
    assert_eq!(fit("a", 3, true), "a  ");
    assert_eq!(wrap("one two three", 8), ["one two", "  three"]);
}
