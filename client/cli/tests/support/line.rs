//! A line to a node that somebody cuts at the worst moment, or that makes the node claim to be another network's.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::Net;

/// What becomes of the first call of a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// It does not reach the node, and nothing after it does.
    Before,
    /// It reaches the node; its answer is lost, and nothing after it gets through.
    After,
    /// It reaches the node, and only its answer is lost.
    AnswerOnly,
    /// It gets through, and nothing after it does.
    Behind,
    /// It waits until [`Line::release`], and then does not reach the node.
    HeldBefore,
    /// It reaches the node, and the answer waits until [`Line::release`], which loses it.
    HeldAfter,
}

#[derive(Default)]
struct State {
    cut: Option<(String, Cut)>,
    dead: bool,
    held: usize,
    released: usize,
    calls: Vec<Value>,
}

/// The line.
pub struct Line {
    url: String,
    state: Arc<(Mutex<State>, Condvar)>,
}

impl Line {
    /// A line to a network's node; `claims` are answers that it gives itself, by method.
    pub fn to(net: &Net, claims: &[(&str, Value)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = net.url();
        let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
        let own = format!("http://{}/{path}", listener.local_addr().unwrap());
        let state: Arc<(Mutex<State>, Condvar)> = Arc::default();
        let claims: Vec<(String, Value)> = claims.iter().map(|(m, v)| ((*m).into(), v.clone())).collect();
        let (shared, host) = (state.clone(), host.to_string());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (state, claims, host) = (shared.clone(), claims.clone(), host.clone());
                std::thread::spawn(move || serve(stream, &state, &claims, &host));
            }
        });
        Self { url: own, state }
    }

    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Cuts the line at the next call of a method.
    pub fn cut(&self, method: &str, cut: Cut) {
        self.state.0.lock().unwrap().cut = Some((method.into(), cut));
    }

    /// Waits until a call is held.
    pub fn wait_held(&self) {
        let (lock, changed) = &*self.state;
        let held = |state: &mut State| state.held == state.released;
        let (state, waited) = changed.wait_timeout_while(lock.lock().unwrap(), Duration::from_secs(120), held).unwrap();
        assert!(!waited.timed_out(), "nothing was called that is held: {:?}", state.calls.len());
    }

    /// Lets go what is held.
    pub fn release(&self) {
        let (lock, changed) = &*self.state;
        let mut state = lock.lock().unwrap();
        state.released = state.held;
        changed.notify_all();
    }

    /// Mends the line.
    pub fn mend(&self) {
        let mut state = self.state.0.lock().unwrap();
        (state.cut, state.dead) = (None, false);
    }

    /// The params of the calls of a method so far, whether or not they got through.
    pub fn calls(&self, method: &str) -> Vec<Value> {
        let state = self.state.0.lock().unwrap();
        state.calls.iter().filter(|call| call["method"] == method).map(|call| call["params"].clone()).collect()
    }
}

fn serve(mut client: TcpStream, state: &(Mutex<State>, Condvar), claims: &[(String, Value)], host: &str) {
    let Some((path, body)) = request(&client) else { return };
    let call: Value = serde_json::from_slice(&body).unwrap();
    let method = call["method"].as_str().unwrap_or_default().to_string();
    let (lock, changed) = state;
    let cut = {
        let mut state = lock.lock().unwrap();
        state.calls.push(call.clone());
        if state.dead {
            return;
        }
        let cut = state.cut.take_if(|(of, _)| *of == method).map(|(_, cut)| cut);
        state.dead = matches!(cut, Some(Cut::Before | Cut::After | Cut::Behind));
        cut
    };
    let hold = || {
        let mut state = lock.lock().unwrap();
        state.held += 1;
        let mine = state.held;
        changed.notify_all();
        drop(changed.wait_while(state, |state| state.released < mine).unwrap());
    };
    if cut == Some(Cut::HeldBefore) {
        hold();
    }
    if matches!(cut, Some(Cut::Before | Cut::HeldBefore)) {
        return;
    }
    let answer = match claims.iter().find(|(of, _)| *of == method) {
        Some((_, claim)) => {
            let text = json!({"jsonrpc": "2.0", "id": call["id"], "result": claim}).to_string();
            format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{text}", text.len()).into_bytes()
        }
        None => forward(host, &path, &body),
    };
    if cut == Some(Cut::HeldAfter) {
        hold();
    }
    if matches!(cut, None | Some(Cut::Behind)) {
        _ = client.write_all(&answer);
    }
    _ = client.shutdown(Shutdown::Both);
}

/// Path and body of a request.
fn request(client: &TcpStream) -> Option<(String, Vec<u8>)> {
    let mut reader = BufReader::new(client);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_string();
    let mut length = 0;
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((path, body))
}

fn forward(host: &str, path: &str, body: &[u8]) -> Vec<u8> {
    let mut node = TcpStream::connect(host).unwrap();
    let head = format!("Host: {host}\r\nContent-Type: application/json\r\nContent-Length: {}", body.len());
    write!(node, "POST {path} HTTP/1.1\r\n{head}\r\nConnection: close\r\n\r\n").unwrap();
    node.write_all(body).unwrap();
    let mut answer = Vec::new();
    node.read_to_end(&mut answer).unwrap();
    answer
}
