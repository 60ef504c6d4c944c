//! `ptpproxy check-config` as it is used.

use std::process::{Command, Output};

use super::Scratch;

fn check(file: &str) -> (Option<i32>, String, String) {
    let program = env!("CARGO_BIN_EXE_ptpproxy");
    let output: Output = Command::new(program)
        .args(["check-config", file])
        .output()
        .expect("the program starts");
    let text = |octets| String::from_utf8(octets).expect("text");
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn a_good_file_gives_what_would_run() {
    let file = Scratch::new("up = \"eth0\"\ndown = \"eth1.100\"\ndomain = 24\nmax-rate = 2000\n");
    let (code, out, errors) = check(&file.name());
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    assert_eq!(
        out,
        format!(
            "{}: OK: up eth0 <-> down eth1.100, jitter 20ms, jitter-share 0.125, max-hold 100ms, \
             domain 24, max-rate 2000, max-clients 4096, timestamping auto, ring-frames 2048, sweep 1ms or \
             200us\n",
            file.name()
        )
    );
    let file = Scratch::new("jitter = \"off\"\n");
    let (code, out, _) = check(&file.name());
    assert_eq!(code, Some(0));
    assert!(
        out.ends_with("; left to the command line: --up and --down\n"),
        "{out}"
    );
}

#[test]
fn a_bad_file_gives_every_error_and_exit_code_1() {
    let file = Scratch::new("up = \"eth0\"\njiter = 1\n\nmax-hold = \"0s\"\n");
    let (code, out, errors) = check(&file.name());
    assert_eq!((code, out.as_str()), (Some(1), ""));
    let lines: Vec<&str> = errors.lines().collect();
    assert_eq!(lines.len(), 2, "{errors}");
    assert!(
        lines[0].starts_with(&format!("error: {}:2: jiter: ", file.name())),
        "{errors}"
    );
    assert!(
        lines[1].starts_with(&format!("error: {}:4: max-hold: ", file.name())),
        "{errors}"
    );
    let (code, _, errors) = check("/nonexistent");
    assert_eq!(code, Some(1), "{errors}");
}
