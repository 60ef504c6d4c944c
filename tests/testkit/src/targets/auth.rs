//! Any bytes as a file of security associations, and as a signed frame: a file is read, or each thing that is
//! wrong is told on one line; a frame is refused, or it is one that its key signed.

use std::path::Path;

use ptpproxy::Side;
use ptpproxy::auth::{Refusal, SecurityAssociations, Verifier};
use ptpproxy::time::Instant;
use ptpproxy::wire::{Frame, edit};

/// The keys that the seeds are signed with.
const FILE: &[u8] = include_bytes!("../../../../src/auth/tests/captured/sa.cfg");

/// One input: its first byte says which.
///
/// # Panics
/// If a problem is told badly, or an accepted frame is not what it should be.
pub fn run(input: &[u8]) {
    match input.split_first() {
        Some((0, text)) => file(text),
        Some((_, bytes)) => frame(bytes),
        None => {}
    }
}

fn file(text: &[u8]) {
    match SecurityAssociations::parse(Path::new("sa.cfg"), text) {
        Ok(set) => assert!(set.names().is_sorted_by(|one, next| one < next)),
        Err(problems) => {
            let lines = text.iter().filter(|byte| **byte == b'\n').count() + 1;
            for problem in problems.iter() {
                assert!(problem.line.is_none_or(|line| (1..=lines).contains(&line)));
            }
            let shown = problems.to_string();
            assert_eq!(shown.lines().count(), problems.iter().count());
            assert!(
                shown.lines().all(|line| line.starts_with("sa.cfg:")),
                "{shown}"
            );
        }
    }
}

fn frame(bytes: &[u8]) {
    let Ok(frame) = Frame::parse(bytes) else {
        return;
    };
    let set = SecurityAssociations::parse(Path::new("sa.cfg"), FILE).expect("a right file");
    let mut verifier = Verifier::new(set, 8, (1, 2));
    let now = Instant::default();
    let Ok(verified) = verifier.verify(&frame, Side::Up, now) else {
        return;
    };
    // It comes once; signed again it is as it was; after an edit it is right only when it is signed again.
    let again = verifier.verify(&frame, Side::Up, now);
    assert!(matches!(again, Ok(_) | Err(Refusal::Replayed(_))));
    let mut copy = bytes.to_vec();
    verifier
        .sign(&mut copy, frame.layout(), verified)
        .expect("its key is there");
    assert_eq!(copy, bytes);
    edit::add_correction(&mut copy, frame.layout(), 1 << 16);
    let free = verifier.leaves_correction(verified);
    let edited = Frame::parse(&copy).expect("a frame");
    let accepted = verifier.verify(&edited, Side::Down, now).is_ok();
    assert!(accepted == free || edited.correction() == frame.correction());
    verifier
        .sign(&mut copy, frame.layout(), verified)
        .expect("its key is there");
    let signed = Frame::parse(&copy).expect("a frame");
    assert!(!matches!(
        verifier.verify(&signed, Side::Down, now),
        Err(Refusal::BadIcv(_))
    ));
}
