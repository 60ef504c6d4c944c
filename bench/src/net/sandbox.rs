//! A process whose networks cannot reach the machine's own.

use std::fs;
use std::io;
use std::process::Command;
use std::sync::{PoisonError, RwLock};

use anyhow::{Result, bail};

use super::quiet::{self, Moment};
use super::skip::{skip, tell};
use super::sys::{self, IdMaps};

/// A test that fails while others had the processors is run again, so often in all.
const ATTEMPTS: u32 = 6;

/// Tests that run side by side read it; one that is run again writes it.
static BESIDE: RwLock<()> = RwLock::new(());

/// Tells the child that [`run_test`] started that it is in the sandbox already.
const INSIDE: &str = "PTPPROXY_INSIDE_SANDBOX";

/// Proof that this process is in a network namespace of its own, with the right to make more.
///
/// There is no way back; the namespaces vanish with the last process in them.
#[derive(Debug)]
pub struct Sandbox {
    user_namespace: bool,
}

impl Sandbox {
    /// Enters a user namespace, as its root, and a network namespace that belongs to it.
    /// Root enters only the latter where user namespaces are refused.
    ///
    /// # Errors
    /// When the kernel refuses (the message says which setting to change), or when the process
    /// has started threads before.
    pub fn enter() -> Result<Self> {
        match sys::enter_user_and_network(&IdMaps::of_this_process()) {
            Ok(()) => Ok(Self {
                user_namespace: true,
            }),
            Err(_) if sys::is_root() && sys::enter_network().is_ok() => Ok(Self {
                user_namespace: false,
            }),
            Err(error) => bail!(refusal(&error)),
        }
    }

    /// Enters only a network namespace, as the machine's root: for what a user namespace forbids
    /// (real-time priority, SO_RCVBUFFORCE).
    ///
    /// # Errors
    /// Without CAP_SYS_ADMIN.
    pub fn enter_as_machine_root() -> Result<Self> {
        match sys::enter_network() {
            Ok(()) => Ok(Self {
                user_namespace: false,
            }),
            Err(error) => bail!("cannot make a network namespace: {error}; run as root"),
        }
    }

    /// True when root in here is not the machine's root.
    #[must_use]
    pub fn has_user_namespace(&self) -> bool {
        self.user_namespace
    }
}

/// Runs `body`, the body of the test whose libtest name follows from `marker`, in a sandbox.
/// Use it by [`in_sandbox!`](crate::in_sandbox).
///
/// A failure counts only if the machine was there: see [`retry`].
///
/// # Panics
/// When the test fails in the child, or when there is no sandbox and a skip is a failure.
pub fn run_test(marker: &str, body: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return body();
    }
    let name = test_name(marker);
    match retry(name, || run_inside(name)) {
        Ok(passed) => assert!(passed, "{name} failed in its sandbox"),
        Err(error) => skip(&refusal(&error)),
    }
}

/// Runs a test that needs a quiet machine; whether it passed. If it fails while others had the processors (more
/// than 1 % of their time stolen by the hypervisor, or programs that had to wait for one), it says so, waits for
/// a quiet moment, and tries again: from then on without other such tests of this process beside it.
///
/// # Errors
/// The first that `run` returns.
pub fn retry(name: &str, run: impl FnMut() -> io::Result<bool>) -> io::Result<bool> {
    retry_by(name, (Moment::disturbed, quiet::wait_for_quiet), run)
}

fn retry_by(
    name: &str,
    (disturbed, wait): (impl Fn(&Moment) -> Option<String>, impl Fn()),
    mut run: impl FnMut() -> io::Result<bool>,
) -> io::Result<bool> {
    let mut attempt = || -> io::Result<(bool, Option<String>)> {
        let before = Moment::now();
        Ok((run()?, disturbed(&before)))
    };
    let beside = BESIDE.read().unwrap_or_else(PoisonError::into_inner);
    let (mut passed, mut disturbance) = attempt()?;
    drop(beside);
    let mut alone = None;
    for _ in 1..ATTEMPTS {
        let Some(others) = disturbance.filter(|_| !passed) else {
            break;
        };
        tell(&format!(
            "{name} needs a quiet machine, and failed while {others}; trying again"
        ));
        alone.get_or_insert_with(|| BESIDE.write().unwrap_or_else(PoisonError::into_inner));
        wait();
        (passed, disturbance) = attempt()?;
    }
    Ok(passed)
}

/// Runs the test of this name in a process in a sandbox; whether it passed.
fn run_inside(name: &str) -> io::Result<bool> {
    let mut command = Command::new(std::env::current_exe().expect("the test's own path"));
    command
        .args([
            name,
            "--exact",
            "--nocapture",
            "--include-ignored",
            "--test-threads=1",
        ])
        .env(INSIDE, "1");
    sys::sandbox_on_exec(&mut command, IdMaps::of_this_process(), sys::is_root());
    let output = command.output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    // Set apart, so that its summary is not taken for one of this process.
    text.lines().for_each(|line| println!("| {line}"));
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    let passed = output.status.success();
    // A wrong name would select nothing, and pass.
    assert!(!passed || text.contains("1 passed"), "{name} names no test");
    Ok(passed)
}

/// `crate::module::test::here` names the test `module::test`.
fn test_name(marker: &str) -> &str {
    let path = marker.rsplit_once("::").map_or(marker, |(path, _)| path);
    path.split_once("::").map_or(path, |(_, name)| name)
}

/// What to do about a refused sandbox: names the setting that this system refuses by.
fn refusal(error: &io::Error) -> String {
    let setting = |name: &str| {
        fs::read_to_string(format!("/proc/sys/{name}"))
            .ok()
            .map(|text| text.trim().to_owned())
    };
    let mut text =
        format!("the system refuses a user namespace with a network of its own: {error}");
    let is = |name: &str, value: &str| setting(name).is_some_and(|found| found == value);
    if is("user/max_user_namespaces", "0") || error.raw_os_error() == Some(libc::ENOSPC) {
        text += "; allow them: sysctl user.max_user_namespaces=15000";
    } else if is("kernel/unprivileged_userns_clone", "0") {
        text += "; allow them: sysctl kernel.unprivileged_userns_clone=1";
    } else if is("kernel/apparmor_restrict_unprivileged_userns", "1") {
        text += "; allow them: sysctl kernel.apparmor_restrict_unprivileged_userns=0";
    } else if error.raw_os_error() == Some(libc::EINVAL) {
        text += "; it was asked after threads were started, or the kernel lacks CONFIG_USER_NS";
    } else {
        text += "; a container's seccomp profile may forbid it";
    }
    if !sys::is_root() {
        text += ", or run as root";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marker_names_the_test() {
        assert_eq!(test_name("peers::udp::locks::here"), "udp::locks");
        assert_eq!(test_name("peers::locks::here"), "locks");
    }

    #[test]
    fn a_disturbed_test_runs_again_alone_and_not_for_ever() {
        for (passes, runs) in [(1, 1), (3, 3), (9, ATTEMPTS)] {
            let mut run = 0;
            let disturbed = (|_: &Moment| Some("others ran".to_owned()), || ());
            let passed = retry_by("a test", disturbed, || {
                run += 1;
                assert!(run == 1 || BESIDE.try_read().is_err(), "beside others");
                Ok(run == passes)
            });
            assert_eq!((passed.unwrap(), run), (passes < 9, runs));
        }
        let failed = retry_by("a test", (|_: &Moment| None, || ()), || Ok(false));
        assert!(!failed.unwrap(), "once is enough where nobody disturbed");
    }

    #[test]
    fn a_test_runs_apart_from_the_machine() {
        crate::in_sandbox!({
            let links = fs::read_to_string("/proc/net/dev").unwrap();
            let names: Vec<_> = links
                .lines()
                .filter_map(|line| line.split_once(':'))
                .map(|(name, _)| name.trim())
                .collect();
            assert_eq!(names, ["lo"]);
        });
    }

    #[test]
    fn a_refusal_names_a_remedy() {
        let text = refusal(&io::Error::from_raw_os_error(libc::EPERM));
        assert!(
            text.contains("not permitted") && text.contains(';'),
            "{text}"
        );
    }
}
