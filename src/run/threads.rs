//! The threads beside the loop: they answer questions and read files, and never hold the loop up.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use log::info;

use super::hardware_clocks::HardwareClocks;
use super::reload::Unstarted;
use super::routes::RouteReader;
use crate::control::reply::Reloaded;
use crate::control::{Orders, Place, Readers};
use crate::metrics::Listener;
use crate::telemetry::Board;

/// What is to be started.
pub(super) struct Threads {
    /// Reads the configuration again.
    pub(super) reload: Unstarted,
    /// Reads the kernel's routes, if anything is routed.
    pub(super) routes: Option<RouteReader>,
    /// Reads hardware clocks.
    pub(super) clocks: HardwareClocks,
    /// Serves metrics.
    pub(super) metrics: Option<Listener>,
    /// Where the control socket will be.
    pub(super) control: Place,
    /// It replaces that of another process.
    pub(super) replaces: bool,
}

impl Threads {
    /// Whether a file is removed at the end: the control socket.
    pub(super) fn removes_files(&self) -> bool {
        self.control != Place::Off
    }

    /// Starts them. They take over the capabilities that this thread has by now.
    ///
    /// # Errors
    /// The system's, when there can be no thread.
    pub(super) fn start(self, board: &Arc<Board>) -> Result<Readers> {
        self.clocks.start()?;
        if let Some(routes) = self.routes {
            routes
                .start()
                .context("starting the thread that reads routes")?;
        }
        let to_loop = self.reload.to_loop();
        let reloader = self.reload.start().context("starting the reload thread")?;
        if let Some(listener) = self.metrics {
            let address = listener
                .serve(Arc::clone(board))
                .context("starting the metrics thread")?;
            info!("metrics: http://{address}/metrics");
        }
        let reload = Arc::new(move || Reloaded::from(reloader.reload()));
        let to_hand_over = to_loop.clone();
        let hand_over = Arc::new(move |stream| to_hand_over.order_hand_over(stream));
        let set_role = Arc::new(move |role, by| to_loop.order_role(role, by));
        Readers::start(
            Arc::clone(board),
            (&self.control, self.replaces),
            Orders {
                reload,
                set_role,
                hand_over,
            },
        )
        .context("starting the control thread")
    }
}
