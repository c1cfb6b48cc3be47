//! What a running stream serves, read over the loopback (`metrics-port` of the element, `[metrics]` of a configuration).

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use polyp::trace::Snapshot;

use super::failure::Failure;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// A stream of this machine, by its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Served {
    pub(super) port: u16,
}

impl Served {
    /// The stream that `text` names: PORT, or 127.0.0.1:PORT.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let number =
            text.strip_prefix("127.0.0.1:").or_else(|| text.strip_prefix("localhost:")).unwrap_or(text);
        let port = number.parse().ok().filter(|port| *port > 0);
        port.map(|port| Self { port }).ok_or_else(|| {
            format!("expected a port of this machine, as 9464 or 127.0.0.1:9464, found {text:?}")
        })
    }

    /// Its figures.
    pub(super) fn snapshot(self) -> Result<Snapshot, Failure> {
        let body = self.get("/stats.json")?;
        serde_json::from_str(&body).map_err(|cause| {
            self.failed(&format!("expected figures of polyp, found something else: {cause}"))
        })
    }

    /// The page at `path`.
    pub(super) fn get(self, path: &str) -> Result<String, Failure> {
        let ask = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
            stream.set_read_timeout(Some(PATIENCE))?;
            write!(stream, "GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        let answer = ask().map_err(|cause| {
            let what = format!("127.0.0.1:{}: nothing is served there: {cause}", self.port);
            Failure::missing(what, "start the stream with metrics-port, [metrics] or polyp run --metrics")
        })?;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.lines().next().unwrap_or_default();
        if !status.contains(" 200 ") {
            return Err(self.failed(&format!("expected status 200 for {path}, found {status:?}")));
        }
        Ok(body.to_owned())
    }

    fn failed(self, what: &str) -> Failure {
        Failure::Stream(format!("127.0.0.1:{}: {what}", self.port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_named_by_its_port() {
        for text in ["9464", "127.0.0.1:9464", "localhost:9464"] {
            assert_eq!(Served::parse(text), Ok(Served { port: 9464 }));
        }
        for text in ["0", "cart:9464", "66000", "sessions/2026"] {
            let sentence = Served::parse(text).unwrap_err();
            assert!(sentence.ends_with(&format!("found {text:?}")), "{sentence}");
        }
    }
}
