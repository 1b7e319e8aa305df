//! Chromium, told what to do by its debugging protocol over two pipes.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(40);

/// What somebody looks with.
pub struct Look {
    pub name: &'static str,
    pub width: u32,
    pub height: u32,
    pub mobile: bool,
    pub dark: bool,
}

/// A browser with one page.
pub struct Browser {
    child: Child,
    input: ChildStdin,
    heard: Receiver<Value>,
    home: PathBuf,
    base: String,
    session: Option<String>,
    last: u64,
    /// What it complained about, and what it asked of others.
    wrong: Vec<String>,
}

impl Browser {
    /// One that shows that page; `None` where there is no Chromium.
    pub fn start(base: &str) -> Option<Browser> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let program = ["chromium", "chromium-browser", "google-chrome"].into_iter().find(|name| {
            std::env::var_os("PATH")
                .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(name).exists()))
        })?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let home = std::env::temp_dir().join(format!("capos-browser-{}-{number}", std::process::id()));
        // It reads orders from its third descriptor and answers to its fourth. The sandbox needs what containers do not give, and the
        // page is ours.
        let order = format!(
            "exec {program} --headless=new --no-sandbox --remote-debugging-pipe --user-data-dir={} --no-first-run --disable-gpu \
             --disable-dev-shm-usage --disable-background-networking --disable-component-update --disable-sync --hide-scrollbars \
             --force-color-profile=srgb --mute-audio about:blank 3<&0 4>&1 >/dev/null 2>&1",
            home.display()
        );
        let mut child = Command::new("sh")
            .args(["-c", &order])
            .env("HOME", &home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (tell, heard) = mpsc::channel();
        thread::spawn(move || {
            for message in BufReader::new(output).split(0) {
                let Some(message) = message.ok().and_then(|text| serde_json::from_slice(&text).ok()) else {
                    return;
                };
                if tell.send(message).is_err() {
                    return;
                }
            }
        });
        let base = base.to_owned();
        let mut browser =
            Browser { child, input, heard, home, base, session: None, last: 0, wrong: Vec::new() };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }));
        let attached =
            browser.call("Target.attachToTarget", json!({ "targetId": target["targetId"], "flatten": true }));
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        let url = browser.base.clone();
        browser.call("Page.navigate", json!({ "url": url }));
        browser.until("document.querySelector('#link.on')");
        Some(browser)
    }

    fn call(&mut self, method: &str, params: Value) -> Value {
        self.last += 1;
        let id = self.last;
        let mut message = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let mut text = message.to_string().into_bytes();
        text.push(0);
        self.input.write_all(&text).unwrap();
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let message =
                self.heard.recv_timeout(left).unwrap_or_else(|_| panic!("{method} is not answered"));
            if message["id"] == id {
                assert!(message["error"].is_null(), "{method}: {}", message["error"]);
                return message["result"].clone();
            }
            self.event(&message);
        }
    }

    fn event(&mut self, message: &Value) {
        let params = &message["params"];
        match message["method"].as_str() {
            Some("Runtime.exceptionThrown") => self.wrong.push(params["exceptionDetails"].to_string()),
            Some("Runtime.consoleAPICalled")
                if matches!(params["type"].as_str(), Some("error" | "warning" | "assert")) =>
            {
                self.wrong.push(params["args"].to_string());
            }
            Some("Log.entryAdded")
                if matches!(params["entry"]["level"].as_str(), Some("error" | "warning")) =>
            {
                self.wrong.push(params["entry"].to_string());
            }
            Some("Network.requestWillBeSent") => {
                let url = params["request"]["url"].as_str().unwrap_or_default();
                if !url.starts_with(&self.base) {
                    self.wrong.push(format!("asked another host: {url}"));
                }
            }
            _ => {}
        }
    }

    /// What comes of an expression there.
    pub fn eval(&mut self, expression: &str) -> Value {
        let params = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let result = self.call("Runtime.evaluate", params);
        assert!(result["exceptionDetails"].is_null(), "{expression}: {}", result["exceptionDetails"]);
        result["result"]["value"].clone()
    }

    /// Waits until that is so.
    pub fn until(&mut self, expression: &str) {
        let end = Instant::now() + PATIENCE;
        while self.eval(&format!("Boolean({expression})")) != true {
            if Instant::now() > end {
                let text = self.eval("document.body.innerText").to_string();
                panic!("it does not come to: {expression}\nwrong: {:?}\npage: {text}", self.wrong);
            }
            thread::sleep(Duration::from_millis(60));
        }
    }

    /// Looks with that from now on.
    pub fn look(&mut self, look: &Look) {
        let size = json!({ "width": look.width, "height": look.height, "deviceScaleFactor": if look.mobile { 2 } else { 1 }, "mobile": look.mobile });
        self.call("Emulation.setDeviceMetricsOverride", size);
        let scheme = if look.dark { "dark" } else { "light" };
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.call("Emulation.setEmulatedMedia", features);
    }

    /// Keeps what is to be seen, all the way down.
    pub fn shot(&mut self, path: &Path) {
        let shot =
            self.call("Page.captureScreenshot", json!({ "format": "png", "captureBeyondViewport": true }));
        let bytes = decoded(shot["data"].as_str().unwrap_or_default());
        assert!(bytes.starts_with(b"\x89PNG"), "a picture");
        std::fs::write(path, bytes).unwrap();
    }

    /// Types into what has the focus.
    pub fn type_text(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// Presses a key.
    pub fn key(&mut self, key: &str) {
        let (code, text) = if key == "Enter" { (13, "\r") } else { (9, "") };
        let down = json!({ "type": if text.is_empty() { "rawKeyDown" } else { "keyDown" }, "key": key, "code": key, "text": text, "windowsVirtualKeyCode": code });
        self.call("Input.dispatchKeyEvent", down);
        let up = json!({ "type": "keyUp", "key": key, "code": key, "windowsVirtualKeyCode": code });
        self.call("Input.dispatchKeyEvent", up);
    }

    /// Cuts it off, or not any more.
    pub fn offline(&mut self, offline: bool) {
        let conditions =
            json!({ "offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
        self.call("Network.emulateNetworkConditions", conditions);
    }

    /// Forgets complaints with that in them; whether there was one.
    pub fn forgive(&mut self, text: &str) -> bool {
        self.eval("0");
        let before = self.wrong.len();
        self.wrong.retain(|wrong| !wrong.contains(text));
        self.wrong.len() < before
    }

    /// It has complained about nothing.
    pub fn assert_well(&mut self) {
        // What it says in the end is heard, too.
        self.eval("new Promise((done) => setTimeout(done, 100))");
        assert!(self.wrong.is_empty(), "{:#?}", self.wrong);
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.home);
    }
}

/// Base 64, as the protocol has pictures.
fn decoded(text: &str) -> Vec<u8> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let bits: Vec<u8> = text.bytes().filter_map(value).collect();
    let mut bytes = Vec::with_capacity(bits.len() * 3 / 4);
    for four in bits.chunks(4) {
        let word =
            four.iter().enumerate().fold(0u32, |word, (n, bits)| word | u32::from(*bits) << (18 - 6 * n));
        bytes.extend_from_slice(&word.to_be_bytes()[1..four.len().max(1)]);
    }
    bytes
}
