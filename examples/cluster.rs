//! Three processes that share work over one NATS server; one of them is killed midway, and nothing is lost.
//!
//!     cargo run --release --features nats --example cluster
//!     cargo run --release --features nats --example cluster -- --check
//!
//! It starts a server of its own (`nats-server` from PATH) on a free port of this machine, and itself three times as a worker.
//! Whoever leads publishes jobs to a queue and only listens: each worker writes a line for each job that it did. At the end
//! every job was done, and those are counted that were done twice: at most what was in the hands of the one that was killed.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use fnhost::{Broker, Context, Event, Function, Nats, Response, Runtime, Trigger};

type Problem = Box<dyn std::error::Error + Send + Sync>;

const JOBS: usize = 3_000;
const WORKERS: usize = 3;
/// The worker that is killed.
const VICTIM: usize = 1;
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(90);

fn main() -> Result<(), Problem> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match &words[..] {
        [word, url] if word == "--worker" => work(url),
        _ => lead(),
    }
}

fn broker(url: &str) -> Broker {
    // What a dead worker had in hands is taken up after this time.
    Broker::nats(Nats::at(url).namespace("cluster").ack_wait(Duration::from_secs(3)))
}

/// Does jobs until the input ends.
fn work(url: &str) -> Result<(), Problem> {
    let runtime = Runtime::builder().broker(broker(url)).build()?;
    let job = async |job: Event, _: Context| {
        tokio::time::sleep(Duration::from_millis(5)).await;
        println!("{}", job.id());
        Ok(Response::new())
    };
    runtime.block_on(async {
        runtime.deploy(Function::native("job", job)).await?;
        let jobs = Trigger::queue("jobs").to("job").one_by_one().concurrency(4);
        runtime.add_trigger("jobs", jobs).await
    })?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    runtime.block_on(runtime.shutdown(Duration::from_secs(10)));
    Ok(())
}

fn lead() -> Result<(), Problem> {
    let server = Server::start()?;
    println!("The NATS server listens at {}.", server.url);
    let (tell, told) = channel();
    let mut workers = Vec::new();
    for number in 0..WORKERS {
        workers.push(Worker::start(number, &server.url, &tell)?);
    }
    drop(tell);
    publish(&server.url)?;
    let mut done = Done::default();
    done.until(JOBS / 3, &told)?;
    workers[VICTIM].0.kill()?;
    println!("Worker {VICTIM} is killed after {} jobs of all.", done.by.len());
    done.until(JOBS, &told)?;
    for mut worker in workers {
        // The end of its input tells a worker to end.
        drop(worker.0.stdin.take());
        worker.0.wait()?;
    }
    told.into_iter().for_each(|(worker, job)| done.note(worker, job));
    done.print()
}

fn publish(url: &str) -> Result<(), Problem> {
    let runtime = Runtime::builder().broker(broker(url)).build()?;
    let began = Instant::now();
    runtime.block_on(async {
        let queue = runtime.queue("jobs")?;
        for part in 0..JOBS / 500 {
            let job = |number| Event::new("job").with_id(format!("job-{}", part * 500 + number));
            queue.publish_all((0..500).map(job)).await?;
        }
        runtime.shutdown(Duration::from_secs(10)).await;
        Ok::<_, fnhost::Error>(())
    })?;
    println!("{JOBS} jobs are published in {:.2} s.", began.elapsed().as_secs_f64());
    Ok(())
}

/// Which job was done by whom, once or more often.
#[derive(Default)]
struct Done {
    by: HashMap<String, Vec<usize>>,
}

impl Done {
    fn note(&mut self, worker: usize, job: String) {
        self.by.entry(job).or_default().push(worker);
    }

    /// Listens until so many different jobs are done.
    fn until(&mut self, jobs: usize, told: &Receiver<(usize, String)>) -> Result<(), Problem> {
        while self.by.len() < jobs {
            let (worker, job) = told
                .recv_timeout(PATIENCE)
                .map_err(|_| format!("{} of {jobs} jobs are done, and no more come", self.by.len()))?;
            self.note(worker, job);
        }
        Ok(())
    }

    fn print(&self) -> Result<(), Problem> {
        for worker in 0..WORKERS {
            let did = self.by.values().flatten().filter(|by| **by == worker).count();
            let end = if worker == VICTIM { ", until it was killed" } else { "" };
            println!("Worker {worker} did {did} jobs{end}.");
            if did == 0 {
                return Err(format!("worker {worker} did nothing").into());
            }
        }
        let twice = self.by.values().filter(|by| by.len() > 1).count();
        println!("{} of {JOBS} jobs were done, {twice} of them more than once.", self.by.len());
        let is_right = self.by.len() == JOBS;
        is_right.then_some(()).ok_or_else(|| "some jobs are none that were published".into())
    }
}

/// A worker; it ends with its leader.
struct Worker(Child);

impl Worker {
    fn start(number: usize, url: &str, tell: &Sender<(usize, String)>) -> Result<Self, Problem> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--worker", url]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let lines = BufReader::new(child.stdout.take().ok_or("a worker has an output")?).lines();
        let tell = tell.clone();
        std::thread::spawn(move || {
            for job in lines.map_while(Result::ok) {
                // Nobody listens any more only once all is over.
                let _ = tell.send((number, job));
            }
        });
        Ok(Self(child))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server of our own, with a folder of its own.
struct Server {
    child: Child,
    folder: PathBuf,
    url: String,
}

impl Server {
    fn start() -> Result<Self, Problem> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let folder = std::env::temp_dir().join(format!("fnhost-cluster-{}", std::process::id()));
        let mut command = Command::new("nats-server");
        command.args(["--jetstream", "--addr", "127.0.0.1", "--port", &port.to_string(), "--store_dir"]);
        command.arg(&folder).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().map_err(|error| {
            format!(
                "nats-server cannot be started: {error}; install it (Debian: apt-get install nats-server)"
            )
        })?;
        let server = Self { child, folder, url: format!("nats://127.0.0.1:{port}") };
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if began.elapsed() > PATIENCE {
                return Err("nats-server does not answer".into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
