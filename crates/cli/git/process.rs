//! Running one program, found by its absolute path, for a limited time.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_micros(100);

/// What a program left.
pub(super) struct Finished {
    pub(super) status: ExitStatus,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
}

/// The first git on `PATH`, in a folder named by an absolute path.
pub(super) fn find_program() -> Option<PathBuf> {
    let name = format!("git{}", std::env::consts::EXE_SUFFIX);
    let paths: OsString = std::env::var_os("PATH")?;
    let candidates = std::env::split_paths(&paths).filter(|folder| folder.is_absolute());
    candidates
        .map(|folder| folder.join(&name))
        .find(|program| is_executable(program))
}

/// Runs a program with some input; `None` if it did not end in time and was ended.
pub(super) fn run_within(
    mut command: Command,
    input: Vec<u8>,
    limit: Duration,
) -> io::Result<Option<Finished>> {
    command
        .stdin(if input.is_empty() {
            Stdio::null()
        } else {
            Stdio::piped()
        })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let begin = Instant::now();
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ends early does not read everything; what it printed tells why.
        std::thread::spawn(move || drop(stdin.write_all(&input)));
    }
    let (stdout, stderr) = (collect(child.stdout.take()), collect(child.stderr.take()));
    // The pipes close when the program ends, which is told at once; looking whether it has ended takes a pause each
    // time. A program that it left running may hold them open.
    let receive = |stream: Receiver<_>| stream.recv_timeout(limit.saturating_sub(begin.elapsed()));
    let (stdout, stderr) = (receive(stdout), receive(stderr));
    let Some(status) = wait(&mut child, begin, limit)? else {
        return Ok(None);
    };
    let (Ok(stdout), Ok(stderr)) = (stdout, stderr) else {
        return Ok(None);
    };
    Ok(Some(Finished {
        status,
        stdout: stdout?,
        stderr: stderr?,
    }))
}

fn is_executable(program: &Path) -> bool {
    #[cfg(unix)]
    let may_run = rustix::fs::access(program, rustix::fs::Access::EXEC_OK).is_ok();
    #[cfg(not(unix))]
    let may_run = true;
    may_run && program.is_file()
}

fn wait(child: &mut Child, begin: Instant, limit: Duration) -> io::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if begin.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(PAUSE);
    }
}

/// Reads a stream to its end, beside the other.
fn collect(stream: Option<impl Read + Send + 'static>) -> Receiver<io::Result<Vec<u8>>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = stream.map_or(Ok(0), |mut stream| stream.read_to_end(&mut bytes));
        // Nobody waits any more: then nobody needs it.
        let _ = sender.send(read.map(|_| bytes));
    });
    receiver
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_program_that_does_not_end_is_ended() {
        for script in ["exec sleep 60", "sleep 60 &"] {
            let begin = Instant::now();
            assert!(
                run_within(shell(script), Vec::new(), Duration::from_millis(200))
                    .unwrap()
                    .is_none(),
                "{script}"
            );
            assert!(begin.elapsed() < Duration::from_secs(10), "{script}");
        }
    }

    #[test]
    fn all_output_is_read_and_nothing_is_given() {
        let finished = run_within(
            shell("head -c 300000 /dev/zero; cat; echo oops >&2; exit 3"),
            Vec::new(),
            Duration::from_secs(10),
        );
        let finished = finished.unwrap().unwrap();
        assert_eq!(
            (finished.stdout.len(), finished.stderr.as_slice()),
            (300_000, b"oops\n".as_slice())
        );
        assert_eq!(finished.status.code(), Some(3));
    }
}
