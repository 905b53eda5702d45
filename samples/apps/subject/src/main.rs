//! The app that the cluster tests ask about itself: what it was given, and how it was asked.
//!
//! | path | answer |
//! |---|---|
//! | `/` | the text of `RESOURCE`, or what `NEXT`, a URL, answers |
//! | `/facts?read=FILE&stat=FILE&open=FILE` | JSON: the request, the process, and these files |
//! | `/events?count=N&every=MS` | N lines, the first at once, as server-sent events |
//! | `/bytes?count=N` | N bytes |
//! | `/echo` | the body of the request, as it comes |
//! | `/keep?file=FILE&text=TEXT` | what went wrong when TEXT could not be written into FILE |
//! | `/call?url=URL` | what `URL` answers |
//! | `/ws?delay=MS` | a WebSocket: each message comes back, followed by `SUFFIX` |
//! | `/healthz/NAME` | 200, or 503 after `/fail/NAME`; the body counts the questions |
//! | `/recover/ready` | `/healthz/ready` is 200 from now on |
//! | `/exit?code=N` | none: the process ends |
//!
//! `sleep=MS` in any query delays the answer, `bloat=MIB` holds memory meanwhile, and `alone=yes`
//! makes it 500 if another request runs at the same time. A gRPC request gets its messages back,
//! except those to the health service. HTTP/1.1 and HTTP/2 without TLS share the port `LISTEN`, or
//! `PORT`, or 8080, and health has `HEALTH_PORT` as well. `START_DELAY` (ms) passes before they are
//! open, and `UNREADY` is as if `/fail/ready` had been asked. With `EXIT_CODE` the process says
//! `MESSAGE` and ends.
//!
//! `subject probe URL` succeeds if URL answers 200, and `subject write FILE TEXT` writes a file.
//! On SIGTERM it takes no new connection, ends its WebSockets and finishes its requests.

mod answer;
mod call;
mod facts;
mod grpc;
mod health;
mod query;
mod serve;
mod websocket;

use std::env;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use serve::Server;

const DEFAULT_PORT: u16 = 8080;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let ended = match args[..] {
        ["probe", url] => call::probe(url).await,
        ["write", file, text] => std::fs::write(file, text),
        _ => serve().await,
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> io::Result<()> {
    if let Some(code) = number("EXIT_CODE")? {
        eprintln!("{}", env::var("MESSAGE").unwrap_or_default());
        std::process::exit(code);
    }
    let delay = number("START_DELAY")?.unwrap_or_default();
    tokio::time::sleep(Duration::from_millis(delay)).await;
    let port = match number("LISTEN")? {
        Some(port) => port,
        None => number("PORT")?.unwrap_or(DEFAULT_PORT),
    };
    let server = Server::default();
    if env::var_os("UNREADY").is_some() {
        server.ready.fail();
    }
    server.run(port, number("HEALTH_PORT")?).await
}

/// The number in a variable, which must be one when it is set.
fn number<N: std::str::FromStr>(name: &str) -> io::Result<Option<N>> {
    let Ok(text) = env::var(name) else {
        return Ok(None);
    };
    match text.parse() {
        Ok(number) => Ok(Some(number)),
        Err(_) => Err(io::Error::other(format!(
            "{name} is no such number: {text:?}"
        ))),
    }
}
