//! Templates: text with placeholders to text, rendered in a child process, since a template is a program that may not end.
//!
//! Goes in: a template and its values. Comes out: the text, a diagnostic in the template, or the bound that it broke.
//!
//! **Invariant:** whatever a template does, this process goes on; what it can use up is the child's.
//! **Invariant:** a template sees no environment but what it was given by name.

mod engine;

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use engine::RENDERED_BYTES_MAX;

use rgctl_blueprint::template::Values;
use rgctl_machine::child::{self, ChildExit, ChildLimits};
use rgctl_schema::codes;
use rgctl_schema::diagnostic::{Diagnostic, Mark, Severity, Source};

/// A document is rendered in milliseconds; what takes longer is a loop that went wrong.
pub const RENDER_TIME_MAX: Duration = Duration::from_secs(10);
/// The engine keeps each text some times over; a document has a mebibyte.
const RENDER_MEMORY_MAX: u64 = 256 << 20;
/// The arguments with which this program renders what stands on its standard input.
pub const WORKER: [&str; 2] = ["template", "worker"];
/// In an answer each byte of the text may be written as six.
const ANSWER_BYTES_MAX: usize = RENDERED_BYTES_MAX * 6 + 4096;
/// What the child is asked: a template and its values, each byte written as six at most.
pub const JOB_BYTES_MAX: u64 = 32 << 20;

/// Why there is no text.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The template is wrong, at a place.
    #[error("{0}")]
    Wrong(Box<Diagnostic>),
    /// The process that renders cannot be begun.
    #[error("the process that renders templates cannot be begun")]
    NoProcess(#[source] io::Error),
    /// It ended in a way that no template explains.
    #[error("the process that renders templates failed: {0}")]
    Failed(String),
}

/// What the child is asked.
#[derive(Debug, Serialize, Deserialize)]
struct Job {
    name: String,
    text: String,
    values: Values,
}

/// What it answers.
#[derive(Debug, Serialize, Deserialize)]
enum Answer {
    Text(String),
    Wrong { message: String, mark: (usize, usize), help: Option<String> },
}

/// The bounds of a rendering.
pub const fn bounds() -> ChildLimits {
    ChildLimits { time: RENDER_TIME_MAX, output_bytes: ANSWER_BYTES_MAX }
}

/// Renders a template in a child of `program`, which is this program.
pub fn render(
    program: &Path,
    template: &Source,
    values: &Values,
    bounds: ChildLimits,
) -> Result<Source, RenderError> {
    let job = Job { name: template.name.clone(), text: template.text.clone(), values: values.clone() };
    let input = serde_json::to_vec(&job).map_err(|error| RenderError::Failed(error.to_string()))?;
    let ended = child::run(program, &WORKER, input, bounds).map_err(RenderError::NoProcess)?;
    let refuse = |message: String, mark: Mark, help: Option<String>| {
        let problem = Diagnostic::new(codes::BAD_TEMPLATE, Severity::Error, template, mark, message);
        RenderError::Wrong(Box::new(Diagnostic { help, ..problem }))
    };
    let broken = |message: String, help: &str| refuse(message, Mark::default(), Some(help.to_owned()));
    let answer = match ended {
        ChildExit::Answer(bytes) => bytes,
        ChildExit::TooLong => {
            let message = format!("rendering it did not end within {:?}", bounds.time);
            return Err(broken(message, "look for loops within loops"));
        }
        ChildExit::TooMuchMemory => {
            let message = format!("rendering it needs more than {} MiB of memory", RENDER_MEMORY_MAX >> 20);
            return Err(broken(
                message,
                "look for a text that is joined to itself, or a loop that keeps what it makes",
            ));
        }
        ChildExit::TooDeep => {
            let message = "it calls itself without end, or nests too deeply".to_owned();
            return Err(broken(
                message,
                "look for a macro that calls itself, or a template that includes itself",
            ));
        }
        ChildExit::TooMuchOutput => return Err(RenderError::Failed("it answered without end".to_owned())),
        ChildExit::Otherwise(why) => return Err(RenderError::Failed(why)),
    };
    match serde_json::from_slice(&answer) {
        Ok(Answer::Text(text)) => Ok(Source::new(format!("{} (rendered)", template.name), text)),
        Ok(Answer::Wrong { message, mark: (start, end), help }) => {
            Err(refuse(message, Mark::new(start, end), help))
        }
        Err(error) => Err(RenderError::Failed(format!("its answer cannot be read: {error}"))),
    }
}

/// The child's part: reads a job, limits itself, renders, answers.
pub fn work(job: &[u8], out: &mut dyn Write) -> io::Result<()> {
    // A second more than the parent waits, for when there is no parent any more.
    child::limit_self(RENDER_MEMORY_MAX, RENDER_TIME_MAX + Duration::from_secs(1));
    let job: Job = serde_json::from_slice(job)?;
    let answer = match engine::render(&Source::new(job.name, job.text), &job.values) {
        Ok(text) => Answer::Text(text),
        Err(problem) => Answer::Wrong {
            message: problem.message,
            mark: (problem.span.start, problem.span.end),
            help: problem.help,
        },
    };
    out.write_all(&serde_json::to_vec(&answer)?)?;
    out.flush()
}
