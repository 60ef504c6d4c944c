//! The files in deploy/ are good, and the full one says what the program says.

use std::fs;
use std::path::{Path, PathBuf};

use ptpproxy::{cli, config};

use super::{effect, parse};

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy")
}

fn samples() -> Vec<PathBuf> {
    let entries = fs::read_dir(deploy().join("samples")).expect("the folder is there");
    entries
        .map(|entry| entry.expect("an entry").path())
        .collect()
}

/// `PTPPROXY_BLESS=1 cargo test --test config` writes it anew.
#[test]
fn the_full_sample_is_made_from_the_definition() {
    let path = deploy().join("ptpproxy.toml");
    let made = config::sample(&cli::flags());
    if std::env::var_os("PTPPROXY_BLESS").is_some() {
        fs::write(&path, &made).expect("written");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(written, made, "PTPPROXY_BLESS=1 cargo test --test config");
}

#[test]
fn every_key_stands_in_the_full_sample_at_its_default() {
    let text = config::sample(&cli::flags());
    let bare: String = text
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(entry) if !entry.starts_with([' ', '#']) => format!("{entry}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    for key in cli::command()
        .get_arguments()
        .filter_map(clap::Arg::get_long)
    {
        let there = bare
            .lines()
            .any(|line| line.starts_with(&format!("{key} = ")));
        assert_eq!(
            there,
            !matches!(key, "config" | "take-over" | "verbose" | "quiet"),
            "{key}"
        );
    }
    let file = super::Scratch::new(&bare);
    let (all, level) = parse(&["--config", &file.name()]).expect("each line is good");
    let all = effect(&all, level);
    // What has no default stands there as an example.
    let examples = ["--up", "eth0", "--down", "eth1", "--seed", "0", "--sa-file"];
    let (default, level) =
        parse(&[&examples[..], &["/etc/ptpproxy/sa.conf"]].concat()).expect("good");
    assert_eq!(all, effect(&default, level));
    assert!(text.lines().all(|line| line.len() <= 110), "{text}");
}

#[test]
fn every_sample_is_good() {
    let files = samples();
    assert!(files.len() >= 3);
    for file in files {
        let line = cli::check(&file).unwrap_or_else(|stop| panic!("{:#?}", stop.to_lines()));
        let start = format!("{}: OK: up eth", file.display());
        assert!(line.starts_with(&start), "{line}");
        assert!(!line.contains("left to the command line"), "{line}");
    }
}

/// Whoever starts the service before naming interfaces is told where to name them.
#[test]
fn the_full_sample_starts_nothing() {
    let path = deploy().join("ptpproxy.toml");
    let line = cli::check(&path).expect("each key is good");
    assert!(
        line.ends_with("left to the command line: --up and --down"),
        "{line}"
    );
    let name = path.display().to_string();
    let lines = parse(&["--config", &name])
        .expect_err("no interface")
        .to_lines();
    assert_eq!(
        lines,
        [format!(
            "--up and --down: missing: in {name} set up = \"IF\" (the interface toward the grandmaster) and \
             down = \"IF\" (the interface toward the clients)"
        )]
    );
}

/// A sample's first lines say for whom it is: `# For 1000 devices at 8 Delay_Req a second each.`
fn load(text: &str) -> (f64, f64) {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("# For "))
        .expect("for how many devices");
    let (devices, rest) = line.split_once(" devices at ").expect(line);
    let (rate, _) = rest.split_once(" Delay_Req a second each").expect(line);
    (devices.parse().expect(line), rate.parse().expect(line))
}

/// Clients draw their intervals at random from zero to twice the mean (clause 9.5.11.2), and more than one may start at
/// once: each limit has a quarter to spare over what the sample's devices need, one client's rate twice that.
#[test]
fn each_sample_has_room_for_its_devices() {
    for file in samples() {
        let text = fs::read_to_string(&file).expect("a sample");
        let (devices, rate) = load(&text);
        let (options, _) = parse(&["--config", &file.display().to_string()]).expect("good");
        let settings = &options.settings;
        let name = file.display();
        let requests = devices * rate;
        if let Some(most) = settings.max_rate {
            assert!(f64::from(most) >= 1.25 * requests, "{name}: max-rate");
        }
        assert!(
            f64::from(settings.client_rate) >= 2.0 * rate,
            "{name}: client-rate"
        );
        assert!(
            f64::from(settings.max_clients) >= 1.25 * devices,
            "{name}: max-clients"
        );
        let waiting = requests * settings.jitter.as_secs_f64();
        assert!(
            f64::from(settings.hold_frames) >= 1.25 * waiting,
            "{name}: hold-frames"
        );
    }
}
