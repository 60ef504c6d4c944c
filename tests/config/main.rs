//! The configuration file: every key works, the command line wins, and what is wrong is named by file,
//! line and key.

mod check;
mod effects;
mod errors;
mod samples;

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use ptpproxy::cli::{self, Action, Stop};
use ptpproxy::options::{LogOptions, RunOptions, Source};

/// A file that is gone when this is.
struct Scratch(PathBuf);

impl Scratch {
    fn new(text: impl AsRef<[u8]>) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("ptpproxy-config-{}-{number}.toml", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, text).expect("a file in the temporary folder");
        Self(path)
    }

    fn name(&self) -> String {
        self.0.display().to_string()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn parse(arguments: &[&str]) -> Result<(RunOptions, LogOptions), Stop> {
    let all = ["ptpproxy"].iter().chain(arguments).map(OsString::from);
    match cli::parse(all)? {
        (Action::Run(options), log) => Ok((options, log)),
        other => panic!("{other:?}"),
    }
}

/// What a file with these lines, and these arguments after it, come to.
fn with(file: &str, arguments: &[&str]) -> Result<(RunOptions, LogOptions), Stop> {
    let file = Scratch::new(file);
    let name = file.name();
    parse(&[&["--config", &name], arguments].concat())
}

/// Everything that options say but where they come from, and the seed that is drawn.
fn effect(options: &RunOptions, log: LogOptions) -> String {
    let mut options = options.clone();
    options.source = Source::default();
    format!("{options:?} log: {:?} {:?}", log.level, log.format)
}
