//! The figures of a running element, served to this machine: `/metrics` for Prometheus, `/stats.json` for the tool's live views, `/trace.json` for
//! Perfetto.
//!
//! An HTTP framework would bring an event loop and its threads into a cart's process for three answers of a few kilobytes; so a thread answers one
//! asker at a time, with HTTP/1.0. It reads what the ledger and the statistics hold and stands in nobody's way.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use polyp::trace::{Ledger, Snapshot, exposition, write_chrome};

/// How long an asker may take to ask, and to take the answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// No question is longer.
const LONGEST_QUESTION: usize = 4_096;

/// What is known besides the ledger; its stages are filled in from there.
pub(super) type Known = Box<dyn Fn() -> Option<Snapshot> + Send>;

/// A thread that answers, until it is dropped.
#[derive(Debug)]
pub(super) struct Server {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Answers at `port` of 127.0.0.1.
    ///
    /// # Errors
    /// When the port is taken, or there is no thread to be had.
    pub(super) fn start(port: u16, ledger: Arc<Ledger>, known: Known) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let (address, stop) = (listener.local_addr()?, Arc::new(AtomicBool::new(false)));
        let stopped = Arc::clone(&stop);
        let answer = move || {
            for asker in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                // Whoever asks badly, or goes away, has no answer; the next one is served.
                drop(asker.and_then(|asker| serve(asker, &ledger, &known)));
            }
        };
        let thread = std::thread::Builder::new().name("polyp-metrics".to_owned()).spawn(answer)?;
        Ok(Self { address, stop, thread: Some(thread) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // It waits for somebody who asks.
        let woken = TcpStream::connect_timeout(&self.address, PATIENCE);
        if let (Ok(_), Some(thread)) = (woken, self.thread.take()) {
            drop(thread.join());
        }
    }
}

fn serve(mut asker: TcpStream, ledger: &Ledger, known: &Known) -> io::Result<()> {
    asker.set_read_timeout(Some(PATIENCE))?;
    asker.set_write_timeout(Some(PATIENCE))?;
    let question = question(&mut asker)?;
    let (status, kind, body) = answer(&question, ledger, known)?;
    let length = body.len();
    write!(
        asker,
        "HTTP/1.0 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    )?;
    if !question.starts_with("HEAD ") {
        asker.write_all(&body)?;
    }
    asker.flush()
}

/// What is asked, up to the empty line.
fn question(asker: &mut TcpStream) -> io::Result<String> {
    let (mut text, mut part) = (Vec::new(), [0; 512]);
    while !text.windows(4).any(|end| end == b"\r\n\r\n") {
        let count = asker.read(&mut part)?;
        if count == 0 || text.len() > LONGEST_QUESTION {
            return Err(io::ErrorKind::InvalidData.into());
        }
        text.extend_from_slice(part.get(..count).unwrap_or_default());
    }
    String::from_utf8(text).map_err(io::Error::other)
}

type Answer = (&'static str, &'static str, Vec<u8>);

fn answer(question: &str, ledger: &Ledger, known: &Known) -> io::Result<Answer> {
    const TEXT: &str = "text/plain; charset=utf-8";
    let plain = |status, text: &str| Ok((status, TEXT, text.as_bytes().to_vec()));
    let mut words = question.split_ascii_whitespace();
    if !matches!(words.next(), Some("GET" | "HEAD")) {
        return plain("405 Method Not Allowed", "expected GET\n");
    }
    // A page of some other site that is made to ask here under its own name has no answer.
    let host = question
        .lines()
        .find_map(|line| line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("host")));
    let own = host.is_none_or(|(_, host)| {
        let name = host.trim().rsplit_once(':').map_or(host.trim(), |(name, _)| name);
        matches!(name, "127.0.0.1" | "localhost")
    });
    if !own {
        return plain("403 Forbidden", "expected 127.0.0.1 or localhost as host\n");
    }
    match words.next() {
        Some("/metrics") => {
            let counts = known().map(|snapshot| snapshot.frames).unwrap_or_default();
            let text = exposition(&ledger.report(), &counts);
            Ok(("200 OK", "text/plain; version=0.0.4; charset=utf-8", text.into_bytes()))
        }
        Some("/stats.json") => {
            let Some(mut snapshot) = known() else { return plain("503 Service Unavailable", "stopping\n") };
            snapshot.report = ledger.report();
            snapshot.budget = ledger.budget().to_string();
            Ok(("200 OK", "application/json", serde_json::to_vec(&snapshot)?))
        }
        Some("/trace.json") => {
            let mut body = Vec::new();
            write_chrome(&ledger.take_events(), &mut body)?;
            Ok(("200 OK", "application/json", body))
        }
        _ => plain("404 Not Found", "expected /metrics, /stats.json or /trace.json\n"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use polyp::trace::Stage;

    use super::*;

    fn ask(address: SocketAddr, question: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(question.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn each_page_is_served_and_whatever_else_is_refused() {
        let ledger = Arc::new(Ledger::default());
        ledger.set_budget("paint=1ms".parse().unwrap());
        ledger.span(3, Stage::Paint, Instant::now(), Duration::from_millis(2));
        let known = || Some(Snapshot { frames: vec![("live".to_owned(), 9)], ..Snapshot::default() });
        let server = Server::start(0, Arc::clone(&ledger), Box::new(known)).unwrap();
        let get =
            |path: &str| ask(server.address, &format!("GET {path} HTTP/1.1\r\nHost: localhost:1\r\n\r\n"));
        let metrics = get("/metrics");
        assert!(metrics.starts_with("HTTP/1.0 200 OK\r\n"), "{metrics}");
        assert!(metrics.contains("polyp_frames_total{state=\"live\"} 9\n"), "{metrics}");
        let stats = get("/stats.json");
        let (_, body) = stats.split_once("\r\n\r\n").unwrap();
        let snapshot: Snapshot = serde_json::from_str(body).unwrap();
        assert_eq!(snapshot.budget, "paint=1ms");
        assert_eq!(snapshot.report.stage(Stage::Paint).map(|stage| (stage.count, stage.over)), Some((1, 1)));
        assert!(get("/trace.json").contains(r#""name":"paint""#));
        assert!(!get("/trace.json").contains(r#""name":"paint""#), "spans are given once");
        assert!(get("/").starts_with("HTTP/1.0 404"));
        let forged = "GET /metrics HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n";
        assert!(ask(server.address, forged).starts_with("HTTP/1.0 403"));
        assert!(ask(server.address, "POST /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.0 405"));
        // One who asks for nothing does not keep the next from being served for ever.
        let silent = TcpStream::connect(server.address).unwrap();
        assert!(get("/metrics").starts_with("HTTP/1.0 200"));
        drop(silent);
        let address = server.address;
        drop(server);
        assert!(TcpStream::connect(address).is_err(), "the port is free again");
    }

    #[test]
    fn a_port_that_is_taken_is_an_error() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = Server::start(port, Arc::default(), Box::new(|| None)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
