//! Requests one after the other over a connection that is kept, and what came of them.
//!
//! One after the other, since Envoy closes a connection on which further requests wait behind a response of its own;
//! over one connection, since each of Envoy's threads has endpoints take turns on its own account.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::scenario::{Answer, Pod, Request, Shares};
use crate::translate::{OUTCOME_HEADER, Probe, RANDOM_HEADER};

/// Sends a request as often as its probe says and counts.
///
/// Errors: a connection that breaks, or a response that no listener of the translation makes: mistakes of this harness.
pub(crate) fn measure(probe: &Probe, request: &Request, pods: &[Pod]) -> io::Result<Answer> {
    let mut counts: BTreeMap<Outcome, u64> = BTreeMap::new();
    let mut stream = UnixStream::connect(&probe.socket)?;
    // A response that does not come is a failure, not a reason to wait for ever.
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut responses = BufReader::new(stream.try_clone()?);
    for number in 0..probe.sends {
        stream.write_all(head(request, number * probe.stride).as_bytes())?;
        *counts.entry(response(&mut responses, request)?).or_default() += 1;
    }
    let mut answer = Answer::default();
    for (outcome, count) in counts {
        let share = count as f64 / probe.sends as f64;
        let add = |shares: &mut Shares, name: String| *shares.entry(name).or_default() += share;
        match outcome {
            Outcome::Served(name) => {
                let pod = pods
                    .iter()
                    .find(|pod| pod.name == name)
                    .expect("a pod of the state");
                add(&mut answer.versions, pod.version.clone());
                add(&mut answer.shares, name);
            }
            Outcome::Failed(reason) => add(&mut answer.failed, reason),
            Outcome::Answered(status) => add(&mut answer.answered, status),
        }
    }
    Ok(answer)
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Served(String),
    Failed(String),
    Answered(String),
}

fn head(request: &Request, number: u64) -> String {
    let Request {
        method, path, host, ..
    } = request;
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n{RANDOM_HEADER}: {number}\r\n");
    for (name, value) in &request.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !matches!(method.as_str(), "GET" | "HEAD") {
        head.push_str("content-length: 0\r\n");
    }
    head.push_str("\r\n");
    head
}

/// Reads one response. What it was is in the header that [`crate::translate`] has every listener write.
fn response(responses: &mut BufReader<UnixStream>, request: &Request) -> io::Result<Outcome> {
    let mut line = String::new();
    if responses.read_line(&mut line)? == 0 {
        return Err(io::Error::other("closed instead of a response"));
    }
    let status = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut length = 0;
    let mut outcome = String::new();
    loop {
        line.clear();
        responses.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        match name {
            "content-length" => length = value.parse().map_err(io::Error::other)?,
            OUTCOME_HEADER => value.clone_into(&mut outcome),
            _ => {}
        }
    }
    if request.method != "HEAD" {
        responses.read_exact(&mut vec![0; length])?;
    }
    let parts: Vec<&str> = outcome.splitn(3, '|').collect();
    match parts.as_slice() {
        [who, _, "direct_response"] if status == "200" && who.starts_with("pod ") => {
            Ok(Outcome::Served(who.trim_start_matches("pod ").to_owned()))
        }
        [_, _, details] if status == "403" && details.starts_with("rbac_access_denied") => {
            Ok(Outcome::Failed("403 RBAC".to_owned()))
        }
        ["proxy", "-" | "", _] => Ok(Outcome::Answered(status)),
        ["proxy", flags, _] => Ok(Outcome::Failed(format!("{status} {flags}"))),
        _ => Err(io::Error::other(format!(
            "status {status} with the outcome {outcome:?}"
        ))),
    }
}
