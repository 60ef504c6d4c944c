//! What can go wrong at start, in one line with its remedy.

use std::io;
use std::mem::MaybeUninit;

use anyhow::{Context as _, Result, bail};

/// The oldest kernel whose rings and timestamps behave as this code expects.
const OLDEST: (u32, u32) = (5, 4);

/// Refuses kernels older than 5.4.
///
/// # Errors
/// One line that names the kernel that runs.
pub fn require_kernel() -> Result<()> {
    let release = kernel_release()?;
    match parse_release(&release) {
        Some(version) if version < OLDEST => bail!(
            "Linux {release} is too old: ptpproxy needs Linux {}.{} or later",
            OLDEST.0,
            OLDEST.1
        ),
        // A release that cannot be read is no reason to refuse.
        _ => Ok(()),
    }
}

/// The version of the running kernel; `None` if its release is no number.
#[must_use]
pub fn kernel_version() -> Option<(u32, u32)> {
    parse_release(&kernel_release().ok()?)
}

/// What to do about a capability that is missing. Whoever is root already is not told to become it: a container or a
/// service may be root without it.
#[must_use]
pub fn needs(capability: &str) -> String {
    // SAFETY: geteuid takes nothing and cannot fail.
    needs_as(capability, unsafe { libc::geteuid() } == 0)
}

fn needs_as(capability: &str, root: bool) -> String {
    if root {
        format!("needs {capability}, which this root does not have here: see deploy/")
    } else {
        format!("needs {capability}: run as root or see deploy/")
    }
}

/// Names what failed on which interface, and the remedy where one is known.
pub(in crate::ring) fn failed(interface: &str, what: &str, error: &io::Error) -> anyhow::Error {
    let rights = format!(" ({})", needs("CAP_NET_RAW"));
    let remedy = match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => rights.as_str(),
        Some(libc::ENODEV | libc::ENXIO) => " (the interface is gone)",
        Some(libc::ENOMEM | libc::ENOBUFS) => {
            " (the kernel has no memory for it: lower --ring-frames, or raise net.core.optmem_max)"
        }
        Some(libc::EAFNOSUPPORT) => {
            " (this kernel has no packet sockets: load the module af_packet)"
        }
        _ => "",
    };
    anyhow::anyhow!("{interface}: {what}: {error}{remedy}")
}

fn kernel_release() -> Result<String> {
    let mut names = MaybeUninit::<libc::utsname>::zeroed();
    // SAFETY: uname writes one utsname.
    super::sys::check(unsafe { libc::uname(names.as_mut_ptr()) }).context("uname")?;
    // SAFETY: zeroed at first and filled by the kernel; it holds characters only.
    let names = unsafe { names.assume_init() };
    Ok(names
        .release
        .iter()
        .take_while(|&&c| c != 0)
        .map(|&c| char::from(c.to_ne_bytes()[0]))
        .collect())
}

fn parse_release(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_read_as_numbers() {
        assert_eq!(parse_release("5.4.0-150-generic"), Some((5, 4)));
        assert_eq!(parse_release("6.18.44-fc-v445"), Some((6, 18)));
        assert_eq!(parse_release("5.10"), Some((5, 10)));
        assert!(parse_release("5.10") > Some(OLDEST));
        assert!(parse_release("4.19.1") < Some(OLDEST));
        assert_eq!(parse_release("odd"), None);
        require_kernel().unwrap();
    }

    #[test]
    fn root_is_not_told_to_become_root() {
        assert!(needs_as("CAP_BPF", false).contains("CAP_BPF: run as root"));
        let root = needs_as("CAP_BPF", true);
        assert!(
            root.contains("CAP_BPF") && !root.contains("run as"),
            "{root}"
        );
    }

    #[test]
    fn privilege_has_its_remedy() {
        let text = failed(
            "eth0",
            "packet socket",
            &io::Error::from_raw_os_error(libc::EPERM),
        )
        .to_string();
        assert!(
            text.starts_with("eth0: packet socket: ") && text.contains("CAP_NET_RAW"),
            "{text}"
        );
    }
}
