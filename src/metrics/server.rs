//! The least of an HTTP server: GET and HEAD of a path, one answer a connection.
//!
//! Everything is bounded: connections at once, bytes of a request, and the time that a connection may
//! take from its first byte to its last. It answers from threads of its own; the loop that forwards
//! knows nothing of it.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use log::debug;

use crate::ring::process;

/// Connections at once; a scraper needs one.
const MAX_CONNECTIONS: usize = 8;
/// Bytes of a request line and its headers together.
const MAX_REQUEST: usize = 8 * 1024;
/// From the acceptance of a connection to its last byte.
const PATIENCE: Duration = Duration::from_secs(3);
/// Pause before accepting is tried again after it failed, for want of descriptors for example.
const PAUSE: Duration = Duration::from_millis(100);

/// What a path answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// The HTTP status.
    pub(super) status: HttpStatus,
    /// The media type of the body.
    pub(super) content_type: &'static str,
    /// The body.
    pub(super) body: String,
}

/// The HTTP statuses in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(super) enum HttpStatus {
    /// 200.
    Ok = 200,
    /// 400: no HTTP/1 request.
    BadRequest = 400,
    /// 404: no such path.
    NotFound = 404,
    /// 405: neither GET nor HEAD.
    MethodNotAllowed = 405,
    /// 431: a request that is too long.
    TooLarge = 431,
    /// 503: unhealthy, or too many connections.
    Unavailable = 503,
}

impl Answer {
    /// A line of text.
    #[must_use]
    pub(super) fn text(status: HttpStatus, body: impl Into<String>) -> Self {
        Self {
            status,
            content_type: "text/plain; charset=utf-8",
            body: body.into(),
        }
    }
}

impl HttpStatus {
    const fn phrase(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::BadRequest => "Bad Request",
            Self::NotFound => "Not Found",
            Self::MethodNotAllowed => "Method Not Allowed",
            Self::TooLarge => "Request Header Fields Too Large",
            Self::Unavailable => "Service Unavailable",
        }
    }
}

/// Answers from now on, on a thread of its own, as `answer` says for each path. Returns where it listens.
///
/// # Errors
/// The system's: there can be no thread.
pub(super) fn serve(
    listener: TcpListener,
    answer: impl Fn(&str) -> Answer + Send + Sync + 'static,
) -> io::Result<SocketAddr> {
    let local = listener.local_addr()?;
    let answer = Arc::new(answer);
    let places = Arc::new(AtomicUsize::new(0));
    thread::Builder::new()
        .name("metrics".into())
        .spawn(move || accept(&listener, &answer, &places))?;
    Ok(local)
}

fn accept<A>(listener: &TcpListener, answer: &Arc<A>, places: &Arc<AtomicUsize>)
where
    A: Fn(&str) -> Answer + Send + Sync + 'static,
{
    // The threads that it starts inherit it.
    if let Err(error) = process::be_nice() {
        debug!("metrics: their threads do not give way: {error}");
    }
    loop {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) => {
                debug!("metrics: {error}");
                thread::sleep(PAUSE);
                continue;
            }
        };
        let mut connection = Connection::new(stream);
        let Some(place) = Place::take(places) else {
            connection.refuse("too many connections\n");
            continue;
        };
        let answer = Arc::clone(answer);
        let spawned = thread::Builder::new()
            .name("metrics".into())
            .spawn(move || {
                let _place = place;
                // Who asks and goes away, or never asks, is no news.
                if let Err(error) = connection.serve(&*answer) {
                    debug!("metrics: {error}");
                }
            });
        if let Err(error) = spawned {
            debug!("metrics: {error}");
        }
    }
}

/// One of the connections that may be open at once; given back when it is dropped.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(places: &Arc<AtomicUsize>) -> Option<Self> {
        // Only the accepting thread takes one: the count cannot grow in between.
        if places.load(Ordering::Acquire) >= MAX_CONNECTIONS {
            return None;
        }
        places.fetch_add(1, Ordering::AcqRel);
        Some(Self(Arc::clone(places)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

struct Connection {
    stream: TcpStream,
    deadline: Instant,
}

impl Connection {
    fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            deadline: Instant::now() + PATIENCE,
        }
    }

    fn serve(&mut self, answer: &dyn Fn(&str) -> Answer) -> io::Result<()> {
        let request = self.request()?;
        let (answer, body) = match request {
            Ok(request) => match parse(&request) {
                Ok((path, body)) => (answer(path), body),
                Err(status) => (Answer::text(status, "GET a path over HTTP/1.1\n"), true),
            },
            Err(status) => (Answer::text(status, "the request is too long\n"), true),
        };
        self.reply(&answer, body)
    }

    /// Everything up to the empty line.
    fn request(&mut self) -> io::Result<Result<Vec<u8>, HttpStatus>> {
        let mut request = Vec::new();
        let mut chunk = [0; 1024];
        loop {
            self.stream.set_read_timeout(Some(self.left()?))?;
            let count = match self.stream.read(&mut chunk) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            request.extend_from_slice(chunk.get(..count).unwrap_or_default());
            if request.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
                return Ok(Ok(request));
            }
            if request.len() > MAX_REQUEST {
                return Ok(Err(HttpStatus::TooLarge));
            }
        }
    }

    fn reply(&mut self, answer: &Answer, body: bool) -> io::Result<()> {
        let Answer {
            status,
            content_type,
            body: text,
        } = answer;
        let mut reply = format!(
            "HTTP/1.1 {} {}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\
             Cache-Control: no-store\r\nConnection: close\r\n",
            *status as u16,
            status.phrase(),
            text.len()
        );
        if *status == HttpStatus::MethodNotAllowed {
            reply += "Allow: GET, HEAD\r\n";
        }
        reply += "\r\n";
        if body {
            reply += text;
        }
        self.write(reply.as_bytes())
    }

    /// Like `write_all`, within the time: a reader that takes a byte now and then is not waited for.
    fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            self.stream.set_write_timeout(Some(self.left()?))?;
            match self.stream.write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// An answer without a question; it fits the socket's buffer, so nobody is waited for.
    fn refuse(&mut self, why: &str) {
        let _ = self.reply(&Answer::text(HttpStatus::Unavailable, why), true);
    }

    fn left(&self) -> io::Result<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        Ok(left)
    }
}

/// The path of a request without its query, and whether the body is wanted.
fn parse(request: &[u8]) -> Result<(&str, bool), HttpStatus> {
    let line = request
        .split(|&byte| byte == b'\r')
        .next()
        .unwrap_or_default();
    let line = str::from_utf8(line).map_err(|_| HttpStatus::BadRequest)?;
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(HttpStatus::BadRequest);
    };
    if !version.starts_with("HTTP/1.") || !target.starts_with('/') {
        return Err(HttpStatus::BadRequest);
    }
    let path = target.split('?').next().unwrap_or_default();
    match method {
        "GET" => Ok((path, true)),
        "HEAD" => Ok((path, false)),
        _ => Err(HttpStatus::MethodNotAllowed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> SocketAddr {
        serve(
            TcpListener::bind("127.0.0.1:0").unwrap(),
            |path| match path {
                "/large" => Answer::text(HttpStatus::Ok, "x".repeat(64 * 1024 * 1024)),
                path => Answer::text(HttpStatus::Ok, format!("path {path}\n")),
            },
        )
        .unwrap()
    }

    fn connect(address: SocketAddr) -> TcpStream {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(3 * PATIENCE)).unwrap();
        stream
    }

    fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = connect(address);
        // It may have been refused before all of it was sent.
        let _ = stream.write_all(request.as_bytes());
        let mut text = Vec::new();
        let _ = stream.read_to_end(&mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn answers_what_is_asked_and_refuses_the_rest() {
        let address = start();
        let cases = [
            (
                "GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n",
                "200 OK",
                "path /a\n",
            ),
            ("GET /a HTTP/1.0\r\n\r\n", "200 OK", "path /a\n"),
            ("HEAD /a HTTP/1.1\r\n\r\n", "200 OK", ""),
            (
                "POST /a HTTP/1.1\r\n\r\n",
                "405 Method Not Allowed",
                "GET a path over HTTP/1.1\n",
            ),
            (
                "GET a HTTP/1.1\r\n\r\n",
                "400 Bad Request",
                "GET a path over HTTP/1.1\n",
            ),
            (
                "GET /a HTTP/2\r\n\r\n",
                "400 Bad Request",
                "GET a path over HTTP/1.1\n",
            ),
            (
                "GET /a b HTTP/1.1\r\n\r\n",
                "400 Bad Request",
                "GET a path over HTTP/1.1\n",
            ),
            ("\r\n\r\n", "400 Bad Request", "GET a path over HTTP/1.1\n"),
        ];
        for (request, status, body) in cases {
            let answer = ask(address, request);
            let (head, found) = answer.split_once("\r\n\r\n").unwrap();
            assert!(
                head.starts_with(&format!("HTTP/1.1 {status}\r\n")),
                "{request:?}: {head}"
            );
            assert_eq!(found, body, "{request:?}");
            assert!(head.contains("Connection: close"), "{head}");
        }
        assert!(ask(address, "HEAD /a HTTP/1.1\r\n\r\n").contains("Content-Length: 8\r\n"));
    }

    #[test]
    fn a_request_without_end_is_cut_off() {
        let answer = ask(
            start(),
            &format!("GET /{} HTTP/1.1\r\n", "a".repeat(20_000)),
        );
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 431 "),
            "{answer}"
        );
    }

    #[test]
    fn those_who_wait_are_bounded_in_number_and_in_time() {
        let address = start();
        let begin = Instant::now();
        // Some never ask, and one never reads what it asked for.
        let mut idle: Vec<TcpStream> = (0..MAX_CONNECTIONS).map(|_| connect(address)).collect();
        idle[0].write_all(b"GET /large HTTP/1.1\r\n\r\n").unwrap();
        let refused = loop {
            let answer = ask(address, "");
            if !answer.is_empty() || begin.elapsed() > PATIENCE {
                break answer;
            }
        };
        assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
        for stream in idle.iter_mut().skip(1) {
            assert_eq!(
                stream.read(&mut [0; 16]).unwrap_or(0),
                0,
                "cut off unanswered"
            );
        }
        let answer = loop {
            let answer = ask(address, "GET /a HTTP/1.1\r\n\r\n");
            if answer.starts_with("HTTP/1.1 200 ") || begin.elapsed() > 4 * PATIENCE {
                break answer;
            }
        };
        assert!(answer.ends_with("path /a\n"), "{answer}");
    }
}
