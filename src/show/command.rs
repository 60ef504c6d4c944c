//! Asks a gateway and prints what it answers.

use std::io::{self, IsTerminal as _, Write};
use std::process::ExitCode;

use anyhow::Context as _;

use super::fleet::Fleet;
use super::{clients, status, top};
use crate::control::client::{self, Gateway};
use crate::control::reply::{ClientList, Reloaded, RoleReply, Status};
use crate::options::{Show, ShowOptions};

/// Asks a gateway and prints what it says.
///
/// # Errors
/// One line on why there is no answer.
pub fn run(options: &ShowOptions) -> anyhow::Result<ExitCode> {
    if let Show::All { json } = options.what {
        let fleet = Fleet::look()?;
        let text = if json { fleet.json() } else { fleet.text() };
        print(&text)?;
        return Ok(match fleet.is_well() {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        });
    }
    let gateway = Gateway::find(options.socket.as_deref())?;
    match options.what {
        // Every one was shown above.
        Show::All { .. } => Ok(ExitCode::SUCCESS),
        Show::Status { json: true } => print(&gateway.ask("status")?),
        Show::Status { json: false } => {
            let status: Status = gateway.get("status")?;
            print(&status::text(&status))
        }
        Show::Clients { json, sort, limit } => {
            let request = client::clients_request(sort, limit);
            if json {
                return print(&gateway.ask(&request)?);
            }
            let list: ClientList = gateway.get(&request)?;
            print(&clients::text(&list))
        }
        Show::Top { interval } => {
            if !io::stdout().is_terminal() {
                anyhow::bail!("top needs a terminal; `ptpproxy status` prints once");
            }
            top::run(&gateway, interval).context("top")?;
            Ok(ExitCode::SUCCESS)
        }
        Show::Reload { json } => reload(&gateway, json),
        Show::Role { role, by, json } => {
            let request = client::role_request(role, by);
            if json {
                return print(&gateway.ask(&request)?);
            }
            let reply: RoleReply = gateway.get(&request)?;
            let already = if reply.changed { "" } else { " already" };
            print(&format!("{}{already}, by {}\n", reply.role, reply.by))
        }
    }
}

fn reload(gateway: &Gateway, json: bool) -> anyhow::Result<ExitCode> {
    let reply = gateway.ask("reload")?;
    let reloaded: Reloaded =
        serde_json::from_str(&reply).context("an answer of another version")?;
    if json {
        print(&reply)?;
    } else {
        let mut text = String::new();
        for change in &reloaded.applied {
            text += &format!("applied: {change}\n");
        }
        for change in &reloaded.needs_restart {
            text += &format!("needs a restart: {change}\n");
        }
        if text.is_empty() && reloaded.errors.is_empty() {
            text += "nothing has changed\n";
        }
        print(&text)?;
        for error in &reloaded.errors {
            let _ = writeln!(io::stderr(), "error: {error}");
        }
    }
    Ok(if reloaded.errors.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Prints; that nobody reads any more is no error.
fn print(text: &str) -> anyhow::Result<ExitCode> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        other => other.context("printing")?,
    }
    Ok(ExitCode::SUCCESS)
}
