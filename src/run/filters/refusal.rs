//! Why the kernel gives us no map of clients, in words, and what helps.

use std::io;

use caps::{CapSet, Capability};

use crate::ring::{kernel_version, needs, process};

/// From here on a map is not charged to RLIMIT_MEMLOCK, which root has to keep as well.
const UNCHARGED: (u32, u32) = (5, 11);
/// From here on a map that is open may be changed without CAP_BPF, which is given up after the start.
const CHANGED_WITHOUT_RIGHTS: (u32, u32) = (5, 19);
/// From here on CAP_BPF is enough.
const CAP_BPF_KNOWN: (u32, u32) = (5, 8);

/// What decides whether a map may be had.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    kernel: Option<(u32, u32)>,
    /// CAP_BPF or CAP_SYS_ADMIN.
    rights: bool,
    /// RLIMIT_MEMLOCK in bytes; `None` is no limit.
    locked_limit: Option<u64>,
}

impl Facts {
    /// Those of this process and its machine.
    pub(super) fn here() -> Self {
        let has = |capability| caps::has_cap(None, CapSet::Effective, capability).unwrap_or(false);
        Self {
            kernel: kernel_version(),
            rights: has(Capability::CAP_BPF) || has(Capability::CAP_SYS_ADMIN),
            locked_limit: process::locked_memory_limit(),
        }
    }

    /// Refuses where a map could be made and not be kept up to date.
    ///
    /// # Errors
    /// One line with the kernel's version.
    pub(super) fn check(self) -> Result<(), String> {
        match self.kernel {
            Some((major, minor)) if (major, minor) < CHANGED_WITHOUT_RIGHTS => Err(format!(
                "Linux {major}.{minor} lets nobody without CAP_BPF change a map, and rights are given up after the start: \
                 Linux 5.19 or later is needed, or --filter auto"
            )),
            _ => Ok(()),
        }
    }

    /// Why the kernel refused with this error.
    pub(super) fn explain(self, error: &io::Error) -> String {
        let before = |version| self.kernel.is_some_and(|kernel| kernel < version);
        match error.raw_os_error() {
            Some(libc::ENOSYS | libc::EINVAL) => {
                format!("{error} (this kernel has no eBPF maps; or --filter auto)")
            }
            Some(libc::EPERM | libc::EACCES | libc::ENOMEM) => {
                let why = if !self.rights {
                    let capability = if before(CAP_BPF_KNOWN) {
                        "CAP_SYS_ADMIN"
                    } else {
                        "CAP_BPF"
                    };
                    needs(capability)
                } else if let Some(limit) = self.locked_limit.filter(|_| before(UNCHARGED)) {
                    format!(
                        "kernels before 5.11 charge the map to locked memory, at most {} KiB here: raise RLIMIT_MEMLOCK \
                         (LimitMEMLOCK=infinity, ulimit -l unlimited)",
                        limit >> 10
                    )
                } else if error.raw_os_error() == Some(libc::ENOMEM) {
                    "lower --max-clients".to_owned()
                } else {
                    "the capability counts on the machine itself only, not in a user namespace; or the kernel is locked \
                     down"
                        .to_owned()
                };
                format!("{error} ({why}; or --filter auto)")
            }
            _ => format!("{error} (or --filter auto)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACTS: Facts = Facts {
        kernel: Some((6, 12)),
        rights: true,
        locked_limit: Some(65_536),
    };

    fn explained(facts: Facts, code: i32) -> String {
        facts.explain(&io::Error::from_raw_os_error(code))
    }

    #[test]
    fn the_reason_is_the_one_that_holds() {
        let at = |major, minor| Facts {
            kernel: Some((major, minor)),
            ..FACTS
        };
        let none = |facts| Facts {
            rights: false,
            ..facts
        };
        for (facts, code, said) in [
            (none(FACTS), libc::EPERM, "needs CAP_BPF"),
            (none(at(5, 4)), libc::EPERM, "needs CAP_SYS_ADMIN"),
            (
                at(5, 10),
                libc::EPERM,
                "at most 64 KiB here: raise RLIMIT_MEMLOCK",
            ),
            (at(5, 11), libc::EPERM, "user namespace"),
            (FACTS, libc::EPERM, "user namespace"),
            (FACTS, libc::ENOMEM, "lower --max-clients"),
            (FACTS, libc::ENOSYS, "no eBPF maps"),
        ] {
            let text = explained(facts, code);
            assert!(
                text.contains(said) && text.contains("--filter auto"),
                "{facts:?} {code}: {text}"
            );
        }
        let unlimited = Facts {
            locked_limit: None,
            ..at(5, 10)
        };
        assert!(!explained(unlimited, libc::EPERM).contains("MEMLOCK"));
    }

    #[test]
    fn a_kernel_that_would_not_let_the_map_follow_is_refused_before() {
        let at = |kernel| Facts { kernel, ..FACTS }.check();
        assert!(at(Some((5, 18))).unwrap_err().contains("Linux 5.18"));
        assert_eq!(at(Some((5, 19))), Ok(()));
        assert_eq!(at(None), Ok(()));
    }
}
