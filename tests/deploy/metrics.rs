//! A real Prometheus scrapes a gateway that serves a real client, and works with our dashboard;
//! /healthz says when the gateway does not serve.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::net::Namespace;
use ptpproxy_lab::ptp4l::{Gateway, Program, Rig, Role, Servo, TempDir, Transport};

use crate::rules;
use crate::tools::{find, text, top};

const ADDRESS: &str = "127.0.0.1:9820";
const PROMETHEUS: &str = "127.0.0.1:9090";
const DOWN: &str = "cl0";
const PATIENCE: Duration = Duration::from_secs(15);

/// A path's status line and body.
fn get(gateway: &Namespace, path: &str) -> (String, String) {
    let answer = gateway.run(|| {
        let mut stream = connect();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {ADDRESS}\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    let answer = answer.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

/// It listens a moment after it forwards.
fn connect() -> TcpStream {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match TcpStream::connect(ADDRESS) {
            Ok(stream) => return stream,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until /healthz has this status and says this.
fn healthz(gateway: &Namespace, status: &str, says: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (head, body) = get(gateway, "/healthz");
        if head == format!("HTTP/1.1 {status}") && body.contains(says) {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "not {status} ({says}) but {head}: {body}"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A Prometheus with our rules, in the namespace of the gateway that it scrapes.
fn prometheus(gateway: &Namespace, folder: &TempDir) -> Option<Program> {
    let program = find("prometheus", "Debian: prometheus")?;
    let config = folder.path().join("prometheus.yml");
    let rules = top().join("deploy/prometheus/ptpproxy.rules.yml");
    fs::write(
        &config,
        format!(
            "global: {{scrape_interval: 250ms, scrape_timeout: 250ms, evaluation_interval: 1s}}\n\
             rule_files: [\"{}\"]\n\
             scrape_configs:\n\
             \x20 - job_name: ptpproxy\n\
             \x20   static_configs: [{{targets: [\"{ADDRESS}\"]}}]\n",
            rules.display()
        ),
    )
    .unwrap();
    let mut command = Command::new(program);
    command
        .arg(format!("--config.file={}", config.display()))
        .arg(format!(
            "--storage.tsdb.path={}",
            folder.path().join("data").display()
        ))
        .arg(format!("--web.listen-address={PROMETHEUS}"));
    Some(Program::start(gateway, &mut command).unwrap())
}

/// What Prometheus answers to a query, one line a sample: `{labels} => value @[time]`.
fn query(gateway: &Namespace, expression: &str) -> Result<String, String> {
    let mut command = Command::new(find("promtool", "Debian: prometheus").unwrap());
    command
        .args([
            "query",
            "instant",
            &format!("http://{PROMETHEUS}"),
            expression,
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut process = gateway.spawn(&mut command).unwrap();
    let (mut out, mut errors) = (String::new(), String::new());
    process
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut out)
        .unwrap();
    process
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut errors)
        .unwrap();
    match process.wait().unwrap().success() {
        true => Ok(out),
        false => Err(format!("{expression}: {errors}")),
    }
}

/// The one value that a query gives; waits for it.
fn value(gateway: &Namespace, expression: &str, good: impl Fn(f64) -> bool) -> f64 {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = query(gateway, expression);
        let number = answer.as_ref().ok().and_then(|lines| {
            let (_, rest) = lines.lines().next()?.rsplit_once("=> ")?;
            rest.split(' ').next()?.parse().ok()
        });
        if let Some(number) = number.filter(|number| good(*number)) {
            return number;
        }
        assert!(Instant::now() < deadline, "{expression}: {answer:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn prometheus_reads_what_a_gateway_does_and_healthz_what_it_lacks() {
    in_sandbox!({
        for (program, package) in [("ptp4l", "linuxptp"), ("promtool", "prometheus")] {
            if find(program, &format!("Debian: {package}")).is_none() {
                return;
            }
        }
        let binary = env!("CARGO_BIN_EXE_ptpproxy").into();
        let arguments = ["--metrics", ADDRESS].iter().map(OsString::from).collect();
        let rig = Rig::new(
            &Gateway::Ptpproxy { binary, arguments },
            Transport::Ethernet,
        )
        .unwrap();
        let gateway = &rig.gateway;
        let folder = TempDir::new().unwrap();
        // Nobody waits for Sync yet.
        healthz(gateway, "200 OK", "ok");
        let Some(mut prometheus) = prometheus(gateway, &folder) else {
            return;
        };
        let mut grandmaster = rig.start_grandmaster().unwrap();
        let _client = rig.start_client(Role::Client(Servo::Lock)).unwrap();
        healthz(gateway, "200 OK", "ok");
        prometheus
            .wait_for_words("Server is ready", PATIENCE)
            .unwrap();

        value(gateway, "ptpproxy_clients", |clients| clients == 1.0);
        value(gateway, "sum(ptpproxy_link_up)", |links| links == 2.0);
        value(gateway, "ptpproxy_healthy", |healthy| healthy == 1.0);
        value(gateway, "ptpproxy_sweep_interval_seconds", |seconds| {
            (seconds - 1e-3).abs() < 1e-9
        });
        let requests = "ptpproxy_frames_forwarded_total{side=\"down\",message=\"delay_req\"}";
        value(gateway, requests, |count| count > 40.0);
        // ptp4l's own clockClass is 248; what answers it on this machine takes far less than a second.
        value(gateway, "ptpproxy_grandmaster_clock_class", |class| {
            class == 248.0
        });
        value(
            gateway,
            "count(ptpproxy_grandmaster_info{grandmaster!=\"\"})",
            |count| count == 1.0,
        );
        value(gateway, "ptpproxy_master_rate_ratio", |ratio| {
            (ratio - 1.0).abs() < 1e-3
        });
        let median = "histogram_quantile(0.5, rate(ptpproxy_response_seconds_bucket[5s]))";
        value(gateway, median, |seconds| seconds > 0.0 && seconds < 1.0);
        value(gateway, "ptpproxy_residence_seconds_count", |count| {
            count > 40.0
        });
        value(
            gateway,
            "ptpproxy_master_sync_interval_seconds",
            |seconds| (seconds - 0.0625).abs() < 0.02,
        );

        scrape_is_clean(gateway);
        dashboard_works(gateway);

        gateway.set_up(DOWN, false).unwrap();
        healthz(gateway, "503 Service Unavailable", "down cl0: no link");
        // Not to be restarted for that, but not to be relied on either.
        let head = |path| get(gateway, path).0;
        assert_eq!(head("/livez"), "HTTP/1.1 200 OK");
        assert_eq!(head("/readyz"), "HTTP/1.1 503 Service Unavailable");
        value(gateway, "ptpproxy_healthy", |healthy| healthy == 0.0);
        value(gateway, "ptpproxy_link_up{side=\"down\"}", |up| up == 0.0);
        gateway.set_up(DOWN, true).unwrap();
        healthz(gateway, "200 OK", "ok");
        grandmaster.stop(Duration::from_secs(2)).unwrap();
        healthz(gateway, "503 Service Unavailable", "no Sync for");
        value(
            gateway,
            "ALERTS{alertname=\"PtpproxyNoSync\", alertstate=\"pending\"}",
            |alert| alert == 1.0,
        );
    });
}

/// promtool has nothing to say against the text, and every name that rules and dashboard use is in it.
fn scrape_is_clean(gateway: &Namespace) {
    let (head, body) = get(gateway, "/metrics");
    assert_eq!(head, "HTTP/1.1 200 OK");
    let mut check = Command::new(find("promtool", "Debian: prometheus").unwrap());
    let mut check = check
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    check
        .stdin
        .take()
        .unwrap()
        .write_all(body.as_bytes())
        .unwrap();
    let checked = check.wait_with_output().unwrap();
    assert!(
        checked.status.success() && checked.stderr.is_empty(),
        "{}\n{body}",
        text(&checked)
    );
    let known = rules::names(&body);
    for (file, used) in rules::used() {
        for name in used {
            assert!(
                known.contains(&name),
                "{file} uses {name}, which no scrape has"
            );
        }
    }
    // Whatever is scraped is in the manual, and the other way round.
    let families: BTreeSet<String> = body
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .map(str::to_owned)
        .collect();
    let listed = ptpproxy::metrics::list().into_iter();
    let listed: BTreeSet<String> = listed.map(|metric| metric.name).collect();
    assert_eq!(families, listed);
    println!("{} metrics, {} bytes a scrape", known.len(), body.len());
}

/// Prometheus takes each of the dashboard's queries, and most of them show something.
fn dashboard_works(gateway: &Namespace) {
    let expressions = rules::dashboard();
    assert!(expressions.len() > 20, "{expressions:#?}");
    let mut empty = Vec::new();
    for expression in &expressions {
        let asked = expression
            .replace("$job", "ptpproxy")
            .replace("$instance", ".*")
            .replace("$__rate_interval", "5s")
            .replace("$__interval", "5s");
        let answer = query(gateway, &asked).unwrap();
        if answer.trim().is_empty() {
            empty.push(asked);
        }
    }
    // Nothing was dropped and nobody restarted, perhaps.
    empty.retain(|asked| !asked.ends_with("> 0"));
    assert!(empty.is_empty(), "{empty:#?}");
}
