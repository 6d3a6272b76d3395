//! A scripted Rancher REST API: the test says what it answers. Not a proof of compatibility, only a way to misbehave.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// An answer: status, further header lines, body.
pub type Scripted = (u16, &'static [&'static str], String);

/// A listener on loopback that answers every request by script.
pub struct FakeRancher {
    pub url: String,
    /// `METHOD PATH` of every request, in order.
    requests: Arc<Mutex<Vec<String>>>,
}

impl FakeRancher {
    /// Answers what `script` says for a method and a path with query.
    pub fn start(script: impl Fn(&str, &str) -> Scripted + Send + Sync + 'static) -> FakeRancher {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, script) = (requests.clone(), Arc::new(script));
        // Ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, script) = (seen.clone(), script.clone());
                std::thread::spawn(move || serve(stream, &seen, &*script));
            }
        });
        FakeRancher { url, requests }
    }

    /// How many requests began with `prefix`.
    pub fn count(&self, prefix: &str) -> usize {
        self.requests.lock().unwrap().iter().filter(|request| request.starts_with(prefix)).count()
    }
}

fn serve(mut stream: TcpStream, seen: &Mutex<Vec<String>>, script: &dyn Fn(&str, &str) -> Scripted) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let mut words = line.split(' ');
        let (method, path) = (words.next().unwrap().to_owned(), words.next().unwrap_or("/").to_owned());
        let mut length = 0;
        loop {
            let mut field = String::new();
            if reader.read_line(&mut field).unwrap_or(0) == 0 || field == "\r\n" {
                break;
            }
            if let Some(value) = field.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        seen.lock().unwrap().push(format!("{method} {path}"));
        let (status, fields, body) = script(&method, &path);
        let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
        let head = format!("HTTP/1.1 {status} Scripted\r\n{fields}Content-Length: {}\r\n\r\n", body.len());
        if stream.write_all(format!("{head}{body}").as_bytes()).is_err() {
            return;
        }
    }
}
