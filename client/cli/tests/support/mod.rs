//! Users and networks for tests: each user has a home of their own, each network is a `bauta devnet` on a free port.
#![allow(dead_code, missing_docs)] // Every test file uses another part of it.

pub mod line;
mod processes;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

pub use self::processes::*;

pub const BAUTA: &str = env!("CARGO_BIN_EXE_bauta");

/// How long anything is waited for: only what is broken takes as long.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The binary without anything of the surrounding environment but the bundle that the tests are to run on.
pub fn bauta() -> Command {
    let mut command = Command::new(BAUTA);
    command.env_clear().stdin(Stdio::null());
    if let Some(bundle) = std::env::var_os("BAUTA_BUNDLE").filter(|bundle| !bundle.is_empty()) {
        command.env("BAUTA_BUNDLE", std::path::absolute(bundle).unwrap());
    }
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
}

/// What one run did.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Run {
    pub fn of(output: Output) -> Self {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        Self { code: output.status.code().unwrap_or(-1), stdout: output.stdout, stderr }
    }

    /// The one document on stdout.
    pub fn json(&self) -> Value {
        let text = String::from_utf8(self.stdout.clone()).unwrap();
        assert_eq!(text.lines().count(), 1, "one document on one line: {text}\n{}", self.stderr);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["schema"], 1);
        assert_eq!(value["ok"].as_bool().unwrap(), self.code == 0, "{value}");
        if self.code != 0 {
            assert_eq!(value["error"]["code"], self.code);
            assert!(!value["error"]["message"].as_str().unwrap().is_empty());
        }
        value
    }
}

/// A devnet that runs until this is dropped.
pub struct Net {
    child: Child,
    pub banner: Value,
    folder: TempDir,
    extra: Vec<String>,
}

impl Net {
    pub fn start(extra: &[&str]) -> Self {
        Self::begin(extra, Stdio::null)
    }

    /// One that reads a file from stdin.
    pub fn fed(extra: &[&str], stdin: &Path) -> Self {
        Self::begin(extra, || std::fs::File::open(stdin).unwrap().into())
    }

    fn begin(extra: &[&str], stdin: impl Fn() -> Stdio) -> Self {
        loop {
            let folder = tempfile::tempdir().unwrap();
            let port = free_port();
            let (child, banner) = Self::run(&folder, &format!("127.0.0.1:{port}"), extra, stdin());
            // Somebody else may have taken the port since it was looked at.
            if banner["data"].is_object() {
                let extra = extra.iter().map(|arg| arg.to_string()).collect();
                return Self { child, banner: banner["data"].clone(), folder, extra };
            }
            assert!(TcpListener::bind(("127.0.0.1", port)).is_err(), "{banner}");
        }
    }

    fn run(folder: &TempDir, listen: &str, extra: &[&str], stdin: Stdio) -> (Child, Value) {
        let mut command = bauta();
        command.stdin(stdin);
        command.env("BAUTA_HOME", folder.path()).args(["devnet", "--listen", listen, "--json"]).args(extra);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let banner = banner_of(&mut child);
        (child, banner)
    }

    /// Kills it: SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again on its folder, where it listened before.
    pub fn again(&mut self) {
        let listen = self.url().trim_start_matches("http://").split('/').next().unwrap().to_string();
        let extra: Vec<&str> = self.extra.iter().map(String::as_str).collect();
        let (child, banner) = Self::run(&self.folder, &listen, &extra, Stdio::null());
        assert!(banner["data"].is_object(), "{banner}");
        (self.child, self.banner) = (child, banner["data"].clone());
    }

    /// Where it keeps its state.
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("devnet")
    }

    pub fn url(&self) -> String {
        self.banner["rpc_url"].as_str().unwrap().into()
    }

    pub fn provider(&self, index: usize) -> String {
        self.banner["providers"][index]["miner"].as_str().unwrap().into()
    }

    /// Calls a method of its node.
    pub fn rpc(&self, method: &str, params: &Value) -> Value {
        let url = self.url();
        let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
        let body = serde_json::json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
        let mut stream = TcpStream::connect(host).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let length = body.len();
        let head = format!("Host: {host}\r\nContent-Type: application/json\r\nContent-Length: {length}");
        write!(stream, "POST /{path} HTTP/1.1\r\n{head}\r\nConnection: close\r\n\r\n{body}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let answer: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        assert!(answer.get("error").is_none_or(Value::is_null), "{method}: {answer}");
        answer["result"].clone()
    }

    /// Interrupts it, as Ctrl-C does, and gives its exit code.
    pub fn stop(&mut self) -> i32 {
        interrupt(&mut self.child)
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.stop();
        }
    }
}

/// A port that nobody gets who asks the system for any: whoever listened there finds it free again. Tests that run at the same time have others.
fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let port = 10_000 + std::process::id() % 400 * 50 + NEXT.fetch_add(1, Ordering::Relaxed) % 50;
        let port = u16::try_from(port).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Somebody with a home of their own.
pub struct User {
    pub home: TempDir,
    pub work: TempDir,
    env: Vec<(String, String)>,
}

impl User {
    /// On the network given.
    pub fn on(net: &Net) -> Self {
        Self::at(net.url())
    }

    /// On the network that a node belongs to.
    pub fn at(url: String) -> Self {
        let mut user = Self::alone();
        user.env.push(("BAUTA_RPC_URL".into(), url));
        user
    }

    /// With no network but what is in this process.
    pub fn alone() -> Self {
        Self { home: tempfile::tempdir().unwrap(), work: tempfile::tempdir().unwrap(), env: Vec::new() }
    }

    /// From here on it is told where the actor is.
    pub fn told_of(&mut self, actor: &str) {
        self.env.push(("BAUTA_ACTOR".into(), actor.into()));
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = bauta();
        command.env("BAUTA_HOME", self.home.path()).current_dir(self.work.path()).args(args);
        command.envs(self.env.iter().map(|(k, v)| (k.as_str(), v.as_str())));
        command
    }

    pub fn run(&self, args: &[&str]) -> Run {
        Run::of(self.command(args).output().unwrap())
    }

    /// Runs with `--json` and gives the data of a success.
    pub fn ok(&self, args: &[&str]) -> Value {
        let run = self.run(&[args, &["--json"]].concat());
        let document = run.json();
        assert_eq!(run.code, 0, "{args:?}: {document}\n{}", run.stderr);
        document["data"].clone()
    }

    /// Runs with `--json`, which has to fail with a code; gives the message.
    pub fn fails(&self, code: i32, args: &[&str]) -> String {
        let run = self.run(&[args, &["--json"]].concat());
        let document = run.json();
        assert_eq!(run.code, code, "{args:?}: {document}\n{}", run.stderr);
        document["error"]["message"].as_str().unwrap().into()
    }

    pub fn address(&self) -> String {
        self.ok(&["wallet", "default"])["address"].as_str().unwrap().into()
    }

    /// The messages that are on their way, as files.
    pub fn slips(&self) -> Vec<PathBuf> {
        let sent = self.home.path().join("journal/local/sent");
        let inside = |folder: PathBuf| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path());
        inside(sent).flat_map(inside).filter(|path| path.extension().is_some_and(|kind| kind == "json")).collect()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.work.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    }
}

/// Everything below a folder, as paths and contents.
pub fn tree(folder: &Path) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    fn walk(folder: &Path, base: &Path, all: &mut Vec<(PathBuf, Option<Vec<u8>>)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let inner = path.strip_prefix(base).unwrap().to_path_buf();
            if path.is_dir() {
                all.push((inner, None));
                walk(&path, base, all);
            } else {
                all.push((inner, Some(std::fs::read(&path).unwrap())));
            }
        }
    }
    let mut all = Vec::new();
    walk(folder, folder, &mut all);
    all.sort();
    all
}

/// Bytes that are always the same and never repeat much.
pub fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1du64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..len).map(|_| next()).collect()
}

/// Gets file 1 until the provider that lies is named: a busy machine may ask it so late that another has served everything by then.
pub fn named(user: &User, out: &str, liar: &str) -> Run {
    for _ in 0..20 {
        let run = user.run(&["get", "1", "-o", out, "--force"]);
        if run.code != 0 || run.stderr.contains(&format!("dropped {liar}")) {
            return run;
        }
    }
    panic!("{liar} is never named");
}

/// Lets days pass, some at a time: on a busy machine a leap over half a year takes longer than a client waits for an answer.
pub fn days(user: &User, mut days: u32) {
    while days > 0 {
        let step = days.min(5);
        user.ok(&["mine", &format!("{step}d")]);
        days -= step;
    }
}

/// The document of a run that has to end with a code.
pub fn ends(user: &User, code: i32, args: &[&str]) -> Value {
    let run = user.run(&[args, &["--json"]].concat());
    let document = run.json();
    assert_eq!(run.code, code, "{args:?}: {document}\n{}", run.stderr);
    document
}
