//! From a pipe: what is known is shown, and a signal ends it well.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout};

use super::*;

struct Live {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Live {
    /// A replay that reads what [`Self::send`] writes.
    fn start(arguments: &[&str]) -> Self {
        Self::of(&pcap_header(1), arguments)
    }

    /// The same, with another start of the capture.
    fn of(header: &[u8], arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_ptpproxy"))
            .args(["replay", "-"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stdin = child.stdin.take().expect("piped");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut live = Self {
            child,
            stdin,
            stdout,
        };
        live.send(header);
        live
    }

    fn send(&mut self, bytes: &[u8]) {
        self.stdin.write_all(bytes).expect("it reads");
    }

    /// The next line that is no remark, single-spaced. Waits for it for ever: a test that fails hangs.
    fn line(&mut self) -> String {
        loop {
            let mut line = String::new();
            self.stdout.read_line(&mut line).expect("text");
            if !line.starts_with('#') {
                return line.split_whitespace().collect::<Vec<_>>().join(" ");
            }
        }
    }

    /// What is printed up to the end; the program must end well.
    fn rest(mut self) -> String {
        let mut text = String::new();
        self.stdout.read_to_string(&mut text).expect("text");
        let mut stderr = String::new();
        let errors = self.child.stderr.as_mut().expect("piped");
        errors.read_to_string(&mut stderr).expect("text");
        let status = self.child.wait().expect("it ends");
        assert_eq!((status.code(), stderr.as_str()), (Some(0), ""), "{text}");
        text
    }
}

fn request(n: u16) -> Vec<u8> {
    pcap_packet(125 * MS * u32::from(n), &frame(DELAY_REQ, 2, n, 0), 0)
}

const NAME: &str = "Delay_Req 525400.fffe.000002-1";

#[test]
fn each_verdict_is_shown_when_it_is_known() {
    let options = [
        "--from",
        "down",
        "--jitter-share",
        "off",
        "--jitter",
        "20ms",
    ];
    let mut live = Live::start(&options);
    live.send(&request(0));
    // Each is read before the next packet is sent.
    assert_eq!(
        live.line(),
        format!("1 0.000000000 down {NAME} #0 ethernet wait")
    );
    live.send(&request(1));
    // Capture time has passed: the first one has departed.
    let line = live.line();
    assert!(
        line.starts_with("1 0.0") && line.contains("forward after"),
        "{line}"
    );
    assert_eq!(
        live.line(),
        format!("2 0.125000000 down {NAME} #1 ethernet wait")
    );
    // Part of a packet is none; the end of input lets go what waits.
    let (start, rest) = (request(2)[..20].to_vec(), request(2)[20..].to_vec());
    live.send(&start);
    live.send(&rest);
    let line = live.line();
    assert!(
        line.starts_with("2 0.1") && line.contains("forward after"),
        "{line}"
    );
    assert_eq!(
        live.line(),
        format!("3 0.250000000 down {NAME} #2 ethernet wait")
    );
    let Live {
        child,
        stdin,
        stdout,
    } = live;
    drop(stdin);
    let mut output = String::new();
    let mut stdout = stdout;
    stdout.read_to_string(&mut output).expect("text");
    let status = child.wait_with_output().expect("it ends").status;
    assert_eq!(status.code(), Some(0));
    assert!(output.contains("forward after"), "{output}");
    assert!(output.contains("frames  down  delay_req"), "{output}");
}

#[test]
fn both_sides_are_put_in_order_and_wait_for_nothing_more() {
    let mut ng = Ng::new();
    ng.interface(ETHERNET, Some("eth0"));
    ng.interface(ETHERNET, Some("eth1"));
    let header = std::mem::take(&mut ng.bytes);
    let mut live = Live::of(&header, &["--up", "eth0", "--down", "eth1"]);
    // The answer comes before the request that it answers, and nothing after them.
    ng.packet(0, MS, &answer(2, 3));
    live.send(&ng.bytes);
    ng.bytes.clear();
    ng.packet(1, Duration::ZERO, &frame(DELAY_REQ, 2, 3, 0));
    live.send(&ng.bytes);
    assert_eq!(
        live.line(),
        format!("2 0.000000000 down {NAME} #3 ethernet forward")
    );
    let line = live.line();
    assert!(line.starts_with("1 0.001000000 up Delay_Resp"), "{line}");
    assert!(line.ends_with(" forward"), "{line}");
    let Live { child, stdin, .. } = live;
    drop(stdin);
    assert!(child.wait_with_output().expect("it ends").status.success());
}

#[test]
fn a_signal_ends_it_with_totals_and_a_whole_file() {
    for (signal, partial) in [("-INT", false), ("-TERM", false), ("-INT", true)] {
        let out = folder("signal").join(format!("out{signal}{partial}.pcap"));
        let options = ["--from", "down", "--jitter", "off", "--write", text(&out)];
        let mut live = Live::start(&options);
        live.send(&[request(0), request(1)].concat());
        if partial {
            // Whoever writes may be in the middle of it.
            live.send(&request(2)[..30]);
        }
        for n in 0..2 {
            assert!(live.line().contains(&format!("#{n} ethernet forward")));
        }
        let id = live.child.id().to_string();
        let killed = Command::new("kill").args([signal, &id]).status();
        assert!(killed.expect("kill").success());
        // Standard input stays open.
        let text = live.rest();
        let totals: Vec<_> = text.split_whitespace().collect();
        assert!(totals.ends_with(&["delay_req", "2", "2", "0"]), "{text}");
        let times: Vec<_> = written(&out).into_iter().map(|(at, _)| at).collect();
        assert_eq!(times, [Duration::ZERO, 125 * MS]);
    }
}

#[test]
fn nothing_came_before_the_signal() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ptpproxy"))
        .args(["replay", "/dev/null", "--from", "up"])
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // Neither file nor pipe.
    let mut text = String::new();
    let stderr = child.stderr.as_mut().expect("piped");
    stderr.read_to_string(&mut text).expect("text");
    assert!(text.contains("/dev/null is empty"), "{text}");
    assert_eq!(child.wait().expect("it ends").code(), Some(1));
}

#[test]
fn nobody_need_read_to_the_end() {
    let file = folder("pipe").join("in.pcap");
    let packets: Vec<_> = (0..3000)
        .map(|n| (MS * u32::from(n), frame(ANNOUNCE, 1, n, 0)))
        .collect();
    capture(&file, &packets);
    let mut child = Command::new(env!("CARGO_BIN_EXE_ptpproxy"))
        .arg("replay")
        .arg(&file)
        .args(["--from", "up"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut first = [0; 40];
    let mut stdout = child.stdout.take().expect("piped");
    stdout.read_exact(&mut first).expect("a line");
    drop(stdout);
    let mut text = String::new();
    let mut stderr = child.stderr.take().expect("piped");
    stderr.read_to_string(&mut text).expect("text");
    let status = child.wait().expect("it ends");
    assert_eq!((status.code(), text.as_str()), (Some(0), ""));
}
