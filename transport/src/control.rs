//! The control stream: frames in, frames out, each with its own task, so that neither waits for the other.

use crate::failure::{lost, protocol, tame};
use crate::meter::Meter;
use bytes::{BufMut as _, BytesMut};
use godwit_protocol::ErrorCode;
use godwit_protocol::wire::{Control, MAX_CONTROL_FRAME};
use godwit_protocol::worker::Failure;
use quinn::{Connection, ReadExactError, RecvStream, SendStream};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Frames that may wait on either side. Each may be large, so few.
const QUEUE: usize = 8;
/// How long a last frame may take to be acknowledged before the connection is closed regardless.
const LAST_WORD: Duration = Duration::from_secs(2);
/// Content streams have 0.
const CONTROL_PRIORITY: i32 = 10;

/// Frames from the peer.
pub(crate) struct Inbox {
    frames: mpsc::Receiver<Result<Control, Failure>>,
    task: JoinHandle<()>,
    connection: Connection,
}

impl Inbox {
    /// Starts reading.
    pub(crate) fn new(connection: Connection, mut stream: RecvStream, meter: Arc<Meter>) -> Self {
        let (send, frames) = mpsc::channel(QUEUE);
        let own = connection.clone();
        let task = tokio::spawn(async move {
            loop {
                let frame = match read(&mut stream).await {
                    // It was acknowledged by being received, and is no sign of work.
                    Ok(Some(Control::Ping)) => continue,
                    Ok(Some(frame)) => Ok(frame),
                    // Here and not where frames are taken, as those who take them give up waiting all the time.
                    Ok(None) | Err(Broken::Stream) => Err(lost(&own).await),
                    Err(Broken::Failure(failure)) => Err(failure),
                };
                meter.hear();
                let last = frame.is_err();
                if send.send(frame).await.is_err() || last {
                    break;
                }
            }
        });
        Self { frames, task, connection }
    }

    /// The next frame; an `Error` of the peer and the end of the stream are failures. Cancelling loses nothing.
    pub(crate) async fn next(&mut self) -> Result<Control, Failure> {
        match self.frames.recv().await {
            Some(Ok(Control::Error(failure))) => Err(failure),
            Some(frame) => frame,
            None => Err(lost(&self.connection).await),
        }
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.task.abort();
    }
}

enum Broken {
    Stream,
    Failure(Failure),
}

async fn read(stream: &mut RecvStream) -> Result<Option<Control>, Broken> {
    let mut length = [0; 4];
    match stream.read_exact(&mut length).await {
        Ok(()) => {}
        Err(ReadExactError::FinishedEarly(0)) => return Ok(None),
        Err(_) => return Err(Broken::Stream),
    }
    let length = u32::from_le_bytes(length) as usize;
    if length > MAX_CONTROL_FRAME {
        return Err(Broken::Failure(protocol("a control frame is too long")));
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.map_err(|_| Broken::Stream)?;
    match Control::from_json(&body) {
        Ok(frame) => Ok(Some(frame)),
        Err(e) => {
            tracing::debug!(error = %e, "control frame");
            // A hostile or wrong name is the one fault a frame of the right shape can have.
            let words = if e.to_string().contains("path") { ErrorCode::BadPath } else { ErrorCode::Protocol };
            // The parser quotes the peer.
            Err(Broken::Failure(tame(Failure::new(words, format!("a control frame cannot be read: {e}")))))
        }
    }
}

enum Out {
    Frame(Control),
    End,
}

/// Frames to the peer. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Outbox(mpsc::Sender<Out>);

/// Waits for the writing task.
pub(crate) struct OutboxEnd {
    outbox: Outbox,
    task: JoinHandle<()>,
}

impl Outbox {
    /// Starts writing.
    pub(crate) fn start(mut stream: SendStream) -> OutboxEnd {
        let (send, mut frames) = mpsc::channel(QUEUE);
        let _ = stream.set_priority(CONTROL_PRIORITY);
        let task = tokio::spawn(async move {
            while let Some(Out::Frame(frame)) = frames.recv().await {
                let Some(bytes) = encode(&frame) else { continue };
                if stream.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            let _ = stream.finish();
            let _ = tokio::time::timeout(LAST_WORD, stream.stopped()).await;
        });
        OutboxEnd { outbox: Self(send), task }
    }

    /// Queues a frame. What cannot be sent any more is dropped: the reading side finds out why the line is dead.
    pub(crate) async fn send(&self, frame: Control) {
        let _ = self.0.send(Out::Frame(frame)).await;
    }
}

impl Outbox {
    /// Queues a frame that may as well be left out.
    pub(crate) fn offer(&self, frame: Control) {
        let _ = self.0.try_send(Out::Frame(frame));
    }
}

impl OutboxEnd {
    /// For the tasks of a session.
    pub(crate) fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Sends what is queued and waits, not for ever, until the peer has it.
    pub(crate) async fn finish(self) {
        let wait = async {
            let _ = self.outbox.0.send(Out::End).await;
            let _ = self.task.await;
        };
        let _ = tokio::time::timeout(LAST_WORD + Duration::from_secs(1), wait).await;
    }
}

fn encode(frame: &Control) -> Option<BytesMut> {
    let body = serde_json::to_vec(frame).ok()?;
    if body.len() > MAX_CONTROL_FRAME {
        tracing::error!(bytes = body.len(), "a control frame of ours is too long");
        return None;
    }
    let mut bytes = BytesMut::with_capacity(4 + body.len());
    bytes.put_u32_le(u32::try_from(body.len()).ok()?);
    bytes.put_slice(&body);
    Some(bytes)
}
