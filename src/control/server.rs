//! The thread that watches the board and answers on the control socket.

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use log::{debug, warn};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};
use serde::Serialize;

use super::connection::{Connection, Progress};
use super::hand_over::{self, HandOver};
use super::listing;
use super::observers::Observers;
use super::pace::Pace;
use super::reply::{Failure, PROTOCOL, Reloaded};
use super::role::{self, SetRole};
use super::socket::{self, Listening, Place};
use super::sort::Sort;
use super::watch::Watch;
use crate::ring::{SystemClock, process};
use crate::telemetry::{Board, By, Role};

/// Connections at once; of more the oldest is closed.
const CONNECTIONS: usize = 16;
/// Readings of the configuration at once.
const RELOADS: u32 = 2;
/// Orders of a role that are waited for at once.
const ROLES: u32 = 4;
const LISTENER: Token = Token(0);
const WAKER: Token = Token(1);
const FIRST: usize = 2;

/// Has the configuration read again; takes its time.
pub type Reload = Arc<dyn Fn() -> Reloaded + Send + Sync>;

/// What whoever asks can have the gateway do.
#[derive(Clone)]
pub struct Orders {
    /// See there.
    pub reload: Reload,
    /// See there.
    pub set_role: SetRole,
    /// See there.
    pub hand_over: HandOver,
}

/// What reads the board while the gateway runs: a thread that ends when this is dropped, and with it the
/// socket.
#[derive(Debug)]
pub struct Readers {
    stop: Arc<AtomicBool>,
    waker: Arc<Waker>,
    thread: Option<JoinHandle<()>>,
}

impl Readers {
    /// Starts the thread. A socket that cannot be made is a warning: the gateway goes on without. If it `replaces` another
    /// process, that one's socket is replaced as well.
    ///
    /// # Errors
    /// The system's, when there can be no thread.
    pub fn start(
        board: Arc<Board>,
        (place, replaces): (&Place, bool),
        orders: Orders,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let stop = Arc::new(AtomicBool::new(false));
        let info = board.info();
        let down = info.downs.first().map_or("", String::as_str);
        let listening = place
            .path(&info.up, down)
            .and_then(|path| {
                socket::listen(&path, replaces)
                    .inspect_err(|error| {
                        warn!(
                            "no control socket, so no `ptpproxy status`: {error:#} (--control PATH puts it \
                             elsewhere, --control off does without)"
                        );
                    })
                    .inspect(|_| debug!("control socket {}", path.display()))
                    .ok()
            });
        if let Some(listening) = &listening {
            poll.registry().register(
                &mut SourceFd(&listening.listener.as_raw_fd()),
                LISTENER,
                Interest::READABLE,
            )?;
        }
        let bell = Arc::clone(&waker);
        board.changes().wake_by(move || {
            // It would look a little later.
            let _ = bell.wake();
        });
        let server = Server {
            poll,
            listening,
            connections: Vec::with_capacity(CONNECTIONS),
            next_token: FIRST,
            observers: Observers::new(&board),
            watch: Watch::new(board),
            orders,
            reloads: Arc::new(AtomicU32::new(0)),
            roles: Arc::new(AtomicU32::new(0)),
            stop: Arc::clone(&stop),
        };
        let thread = thread::Builder::new()
            .name("control".into())
            .spawn(move || server.serve())?;
        Ok(Self {
            stop,
            waker,
            thread: Some(thread),
        })
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if self.waker.wake().is_ok()
            && let Some(thread) = self.thread.take()
        {
            let _ = thread.join();
        }
    }
}

struct Server {
    poll: Poll,
    listening: Option<Listening>,
    connections: Vec<(Token, Connection)>,
    next_token: usize,
    observers: Observers,
    watch: Watch,
    orders: Orders,
    reloads: Arc<AtomicU32>,
    roles: Arc<AtomicU32>,
    stop: Arc<AtomicBool>,
}

impl Server {
    fn serve(mut self) {
        if let Err(error) = process::be_nice() {
            debug!("the control thread keeps its priority: {error}");
        }
        let mut events = Events::with_capacity(2 * CONNECTIONS);
        let mut pace = Pace::new(Instant::now());
        while !self.stop.load(Ordering::Acquire) {
            let now = Instant::now();
            if pace.is_due(now) {
                let changes = self.watch.board().changes().count();
                self.watch.look(SystemClock.now());
                pace.looked(now, changes, self.watch.is_undecided());
            }
            let mut next_look = pace.next_look();
            if let Some(seen) = pace.sleeps_after()
                && !self.watch.board().changes().sleep_after(seen)
            {
                next_look = pace.something_changed();
            }
            let wake = self
                .connections
                .iter()
                .map(|(_, connection)| connection.deadline())
                .chain([next_look])
                .chain(self.observers.due())
                .min()
                .unwrap_or(next_look);
            let timeout = wake.saturating_duration_since(Instant::now());
            if let Err(error) = self.poll.poll(&mut events, Some(timeout))
                && error.kind() != io::ErrorKind::Interrupted
            {
                warn!("control socket: {error}");
                thread::sleep(Duration::from_secs(1));
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept(),
                    WAKER => {
                        pace.something_changed();
                    }
                    token => self.proceed(token),
                }
            }
            self.observers.pass_on();
            let now = Instant::now();
            self.connections
                .retain(|(_, connection)| connection.deadline() > now);
        }
    }

    fn accept(&mut self) {
        let Some(listening) = &self.listening else {
            return;
        };
        let mut new = Vec::new();
        // The rest of a crowd waits in the kernel's queue.
        loop {
            match listening.listener.accept() {
                Ok((stream, _)) => {
                    let token = Token(self.next_token);
                    self.next_token = self.next_token.wrapping_add(1).max(FIRST);
                    if stream.set_nonblocking(true).is_err() {
                        continue;
                    }
                    let registered = self.poll.registry().register(
                        &mut SourceFd(&stream.as_raw_fd()),
                        token,
                        Interest::READABLE | Interest::WRITABLE,
                    );
                    if registered.is_err() {
                        continue;
                    }
                    if self.connections.len() >= CONNECTIONS {
                        self.connections.remove(0);
                    }
                    self.connections.push((token, Connection::new(stream)));
                    new.push(token);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        // What came with the connection.
        for token in new {
            self.proceed(token);
        }
    }

    fn proceed(&mut self, token: Token) {
        let Some(at) = self.connections.iter().position(|(of, _)| *of == token) else {
            return;
        };
        let Some((_, connection)) = self.connections.get_mut(at) else {
            return;
        };
        match connection.read() {
            Progress::Waits => return,
            Progress::Over => {
                self.connections.remove(at);
                return;
            }
            Progress::Asked(line) if line == "reload" => {
                let (_, connection) = self.connections.remove(at);
                self.reload(connection);
                return;
            }
            Progress::Asked(line) if role::is_asked(&line) => {
                let user = process::peer_user(connection.stream().as_fd());
                let user = user.map_err(|error| error.to_string());
                match user.and_then(|user| role::read(&line, user, process::user())) {
                    Ok((role, by)) => {
                        let (_, connection) = self.connections.remove(at);
                        self.set_role(connection, role, by);
                        return;
                    }
                    Err(error) => connection.reply(failure(&error)),
                }
            }
            Progress::Asked(line) if hand_over::is_asked(&line) => {
                let user = process::peer_user(connection.stream().as_fd());
                let user = user.map_err(|error| error.to_string());
                match user.and_then(|user| hand_over::permitted(user, process::user())) {
                    Ok(()) => {
                        let (_, connection) = self.connections.remove(at);
                        (self.orders.hand_over)(connection.into_stream());
                        return;
                    }
                    Err(error) => connection.reply(failure(&error)),
                }
            }
            Progress::Asked(line) if Observers::is_asked(&line) => {
                let board = self.watch.board();
                match self.observers.request(&line, connection.stream(), board) {
                    Ok(request) => {
                        let (_, connection) = self.connections.remove(at);
                        self.observers.add(connection.into_stream(), request, board);
                        return;
                    }
                    Err(error) => connection.reply(failure(&error)),
                }
            }
            Progress::Asked(line) => {
                let reply = self.answer(&line);
                if let Some((_, connection)) = self.connections.get_mut(at) {
                    connection.reply(reply);
                }
            }
            Progress::Answered => {}
        }
        if let Some((_, connection)) = self.connections.get_mut(at)
            && connection.write()
        {
            self.connections.remove(at);
        }
    }

    fn answer(&self, line: &str) -> Vec<u8> {
        let now = SystemClock.now();
        let mut words = line.split_whitespace();
        match words.next() {
            Some("status") => match self.watch.status(now) {
                Some(status) => json(&status),
                None => failure("the gateway's loop stands still"),
            },
            Some("clients") => {
                let (mut sort, mut limit) = (Sort::default(), listing::MOST);
                for word in words {
                    let known = match word.split_once('=') {
                        Some(("sort", name)) => Sort::named(name).map(|named| sort = named),
                        Some(("limit", number)) => number.parse().ok().map(|n| limit = n),
                        _ => None,
                    };
                    if known.is_none() {
                        return failure(&format!("clients: {word} is not known"));
                    }
                }
                json(&listing::list(self.watch.board(), sort, limit, now))
            }
            _ => failure("expected status, clients, reload, role, take-over or watch"),
        }
    }

    /// Reads the configuration again.
    fn reload(&self, connection: Connection) {
        let reload = Arc::clone(&self.orders.reload);
        answer_later(
            connection,
            (
                &self.reloads,
                RELOADS,
                "the configuration is being read already",
            ),
            move || json(&reload()),
        );
    }

    /// Has the loop take a role; roles that are asked for one after the other are taken in that order.
    fn set_role(&self, connection: Connection, role: Role, by: By) {
        let taken = (self.orders.set_role)(role, by);
        answer_later(
            connection,
            (
                &self.roles,
                ROLES,
                "too many ask for a role at once; it is taken all the same",
            ),
            move || match role::answer(&taken) {
                Ok(reply) => json(&reply),
                Err(error) => failure(&error),
            },
        );
    }
}

/// Finds an answer on a thread of its own, because it takes its time. At most so many do at once.
fn answer_later(
    connection: Connection,
    (running, most, busy): (&Arc<AtomicU32>, u32, &str),
    answer: impl FnOnce() -> Vec<u8> + Send + 'static,
) {
    if running.fetch_add(1, Ordering::AcqRel) >= most {
        running.fetch_sub(1, Ordering::AcqRel);
        connection.finish(&failure(busy));
        return;
    }
    let started = thread::Builder::new().name("answering".into()).spawn({
        let running = Arc::clone(running);
        move || {
            connection.finish(&answer());
            running.fetch_sub(1, Ordering::AcqRel);
        }
    });
    if started.is_err() {
        running.fetch_sub(1, Ordering::AcqRel);
    }
}

fn failure(error: &str) -> Vec<u8> {
    json(&Failure {
        protocol: PROTOCOL,
        error: error.to_owned(),
    })
}

fn json(reply: &impl Serialize) -> Vec<u8> {
    // Replies hold no maps with keys that are no text: that is all that could fail.
    let mut text = serde_json::to_vec(reply).unwrap_or_default();
    text.push(b'\n');
    text
}
