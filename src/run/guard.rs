//! The table that keeps the kernel from routing what a gateway routes: the gateway's own, or one that stays.

use anyhow::{Context as _, Result, bail};
use log::info;

use crate::options::{GuardOptions, RoutedChoice, RunOptions};
use crate::ring::RouteGuard;

/// The table of a gateway, if that is for it to make.
///
/// # Errors
/// It cannot be made: what else would do.
pub(super) fn raise(options: &RunOptions) -> Result<Option<RouteGuard>> {
    // The options allow one interface downstream then.
    let (up, Some(down)) = (&options.up, options.downs.first()) else {
        return Ok(None);
    };
    match options.routed {
        RoutedChoice::Off => Ok(None),
        RoutedChoice::Guarded => Ok(None),
        RoutedChoice::On => match RouteGuard::raise(up, down) {
            Ok(guard) => Ok(Some(guard)),
            Err(error) => bail!(
                "--routed: the kernel would route these messages a second time, and its nftables do not take the table \
                 that keeps it from that: {error}. As root run `ptpproxy guard --up {up} --down {down}` and set \
                 --routed guarded, or give this program CAP_NET_ADMIN (Linux 5.12 or later)"
            ),
        },
    }
}

/// Puts a table in force that stays, or takes it away.
///
/// # Errors
/// The kernel's.
pub fn guard(options: &GuardOptions) -> Result<()> {
    let Some(interfaces) = &options.interfaces else {
        info!("routed is not \"guarded\": nothing to do");
        return Ok(());
    };
    let (up, down) = (&interfaces.up, &interfaces.down);
    if options.remove {
        let name = RouteGuard::remove(up, down).context("nftables (takes CAP_NET_ADMIN)")?;
        info!("table inet {name} is gone: the kernel may route PTP between {up} and {down}");
    } else {
        let name = RouteGuard::keep(up, down).context("nftables (takes CAP_NET_ADMIN)")?;
        info!("table inet {name}: the kernel routes no PTP between {up} and {down}");
    }
    Ok(())
}
