//! A server of the tests' own.

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

const INSTALL: &str = "nats-server is not installed; on Debian: apt-get install nats-server";
const PROGRAMS: [&str; 3] = ["nats-server", "/usr/sbin/nats-server", "/usr/local/bin/nats-server"];

/// A server on a free port, with a folder of its own; both are gone when it is dropped.
pub(super) struct Server {
    port: u16,
    folder: PathBuf,
    child: Option<Child>,
}

/// How a server is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Term,
    Kill,
}

impl Server {
    pub(super) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let name = format!("fnhost-nats-{}-{}", std::process::id(), NEXT.fetch_add(1, SeqCst));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        let mut server = Self { port, folder, child: None };
        server.start();
        server
    }

    /// Returns the server that tests share which do not restart it.
    pub(super) fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(|| {
            let server = Self::new();
            server.end_with_this_process();
            server
        })
    }

    pub(super) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub(super) fn start(&mut self) {
        let log = File::options().create(true).append(true).open(self.folder.join("log")).unwrap();
        let child = PROGRAMS.iter().find_map(|program| {
            let mut command = Command::new(program);
            command.args(["-js", "-a", "127.0.0.1", "-p", &self.port.to_string(), "-sd"]).arg(&self.folder);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log.try_clone().unwrap()).spawn().ok()
        });
        self.child = Some(child.expect(INSTALL));
        let until = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < until, "nats-server does not listen");
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub(super) fn stop(&mut self, end: End) {
        let Some(mut child) = self.child.take() else { return };
        let signal = if end == End::Kill { "-KILL" } else { "-TERM" };
        Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        child.wait().unwrap();
    }

    /// Has a shell end the server and remove its folder once this process is gone, as statics are not dropped.
    #[expect(clippy::zombie_processes, reason = "it outlives this process, which is its purpose")]
    fn end_with_this_process(&self) {
        let script = "while kill -0 \"$1\" 2>/dev/null; do sleep 0.2; done; kill -KILL \"$2\"; rm -rf \"$3\"";
        let child = self.child.as_ref().unwrap().id().to_string();
        Command::new("sh")
            .args(["-c", script, "sh", &std::process::id().to_string(), &child])
            .arg(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop(End::Kill);
        // What cannot be removed is in the folder for temporary files.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
