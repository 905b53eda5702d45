//! One line per request on standard output, for those who want it (config-observability;
//! contract/data-plane 3.7).
//!
//! The request path only hands the line over. A thread writes it, so that a slow reader of our
//! output costs lines, which are counted, and no request its time.

use std::{
    io::Write as _,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, Version, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::Instant;
use tracing::warn;

use crate::{authority, body::BodyError, serve::Transport};
pub use template::{Template, TemplateError};

mod template;

/// Lines that may wait for the writer: a second of heavy traffic.
const BACKLOG: usize = 4096;

/// What is logged when nobody says otherwise.
pub const DEFAULT_TEMPLATE: &str = concat!(
    r#"{"httpRequest": {"requestMethod": "{{.Request.Method}}", "#,
    r#""requestUrl": "{{js .Request.RequestURI}}", "#,
    r#""requestSize": "{{.Request.ContentLength}}", "status": {{.Response.Code}}, "#,
    r#""responseSize": "{{.Response.Size}}", "userAgent": "{{js .Request.UserAgent}}", "#,
    r#""remoteIp": "{{js .Request.RemoteAddr}}", "serverIp": "{{.Revision.PodIP}}", "#,
    r#""referer": "{{js .Request.Referer}}", "latency": "{{.Response.Latency}}s", "#,
    r#""protocol": "{{.Request.Proto}}"}, "traceId": "{{.TraceID}}"}"#,
);

/// Who answered a request, as far as that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Namespace of the revision.
    pub namespace: String,
    /// Service of the revision; empty without one.
    pub service: String,
    /// Configuration of the revision.
    pub configuration: String,
    /// Name of the revision.
    pub revision: String,
    /// Name of the pod; empty where it is not known.
    pub pod: String,
    /// Address of the pod; empty where it is not known.
    pub pod_ip: String,
}

/// Writes request log lines. Clones share it.
#[derive(Clone, Debug)]
pub struct RequestLog {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    template: Template,
    lines: SyncSender<String>,
    dropped: AtomicU64,
}

/// What a line needs to know of its request; made before the request changes.
#[derive(Debug)]
pub struct Asked {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) host: String,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) length: Option<u64>,
    pub(crate) peer: String,
    pub(crate) transport: Transport,
    start: Instant,
}

/// How it was answered.
#[derive(Clone, Copy, Debug)]
pub struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) size: u64,
    pub(crate) seconds: f64,
}

pin_project! {
    /// A body that logs its request when it has ended.
    #[derive(Debug)]
    pub struct Logged<B> {
        #[pin]
        body: B,
        entry: Option<Box<Entry>>,
    }
}

/// A line that will be written when it is dropped.
#[derive(Debug)]
struct Entry {
    log: RequestLog,
    asked: Asked,
    identity: Arc<Identity>,
    status: StatusCode,
    size: u64,
}

// === impl RequestLog ===

impl RequestLog {
    /// Starts the writer. A template that can't be read is replaced by the default.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn start(template: Option<&str>) -> std::io::Result<Self> {
        let (lines, waiting) = sync_channel(BACKLOG);
        std::thread::Builder::new()
            .name("request-log".to_owned())
            .spawn(move || write(&waiting))?;
        Ok(Self::new(readable(template), lines))
    }

    fn new(template: Template, lines: SyncSender<String>) -> Self {
        Self {
            shared: Arc::new(Shared {
                template,
                lines,
                dropped: AtomicU64::new(0),
            }),
        }
    }

    /// Lines that were lost because the writer was busy.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    fn record(&self, asked: &Asked, answered: Answered, identity: &Identity) {
        let line = self.shared.template.render(asked, answered, identity);
        if self.shared.lines.try_send(line).is_err() {
            let dropped = self.shared.dropped.fetch_add(1, Ordering::Relaxed) + 1;
            if dropped.is_power_of_two() {
                warn!(dropped, "Request log can't keep up");
            }
        }
    }
}

fn readable(template: Option<&str>) -> Template {
    let default = || Template::parse(DEFAULT_TEMPLATE);
    let parsed = template.map_or_else(default, Template::parse);
    parsed
        .or_else(|error| {
            warn!(%error, "Request log template can't be read, using the default");
            default()
        })
        .unwrap_or_default()
}

/// Many lines in one write while they come fast, each at once while they don't.
fn write(waiting: &Receiver<String>) {
    let mut out = std::io::stdout();
    while let Ok(mut lines) = waiting.recv() {
        lines.push('\n');
        for line in waiting.try_iter().take(BACKLOG) {
            lines.push_str(&line);
            lines.push('\n');
        }
        if out
            .write_all(lines.as_bytes())
            .and_then(|()| out.flush())
            .is_err()
        {
            return;
        }
    }
}

// === impl Asked ===

impl Asked {
    /// Copies what the log needs. `peer` is the client's address and port.
    pub fn new<B: HttpBody>(
        request: &Request<B>,
        peer: String,
        transport: Transport,
        start: Instant,
    ) -> Self {
        Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            host: authority::host(request).unwrap_or_default().to_owned(),
            version: request.version(),
            headers: request.headers().clone(),
            length: request.body().size_hint().exact(),
            peer,
            transport,
            start,
        }
    }

    /// The request went on over TLS: for whoever reads the log it was encrypted, wherever the client
    /// came in.
    pub fn went_on_encrypted(&mut self) {
        self.transport = Transport::Tls;
    }

    pub(crate) fn header(&self, name: impl header::AsHeaderName) -> &str {
        let value = self.headers.get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

// === impl Logged ===

impl<B: HttpBody> Logged<B> {
    /// Logs nothing.
    pub fn silent(body: B) -> Self {
        Self { body, entry: None }
    }

    /// Logs `response` as the answer of `identity` to `asked` when its body has ended.
    pub fn response(
        response: Response<B>,
        log: &RequestLog,
        asked: Asked,
        identity: Arc<Identity>,
    ) -> Response<Self> {
        let entry = Entry {
            log: log.clone(),
            asked,
            identity,
            status: response.status(),
            size: 0,
        };
        response.map(|body| Self {
            body,
            entry: Some(Box::new(entry)),
        })
    }
}

impl<B: HttpBody<Data = Bytes, Error = BodyError>> HttpBody for Logged<B> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.project();
        let polled = this.body.poll_frame(cx);
        if let (Some(entry), Poll::Ready(Some(Ok(frame)))) = (this.entry, &polled) {
            entry.size += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

// === impl Entry ===

impl Drop for Entry {
    fn drop(&mut self) {
        let answered = Answered {
            status: self.status,
            size: self.size,
            seconds: self.asked.start.elapsed().as_secs_f64(),
        };
        self.log.record(&self.asked, answered, &self.identity);
    }
}

#[cfg(test)]
mod tests;
