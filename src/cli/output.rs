//! Standard output is data, standard error is talk.
//!
//! **Invariant:** a reader that goes away (`rgctl status | head`) ends the command quietly, not with an error.

use std::io::{self, IsTerminal, Write};

use serde_json::Value;

use super::args::OutputForm;
use crate::report::diagnostics::Colour;
use crate::report::document::document;
use crate::report::style::Style;
use rgctl_blueprint::yaml;
use rgctl_model::plan::{PLAN_FORMAT, Plan};

/// Both streams, and how they look.
pub struct Output {
    data: Box<dyn Write + Send>,
    talk: Box<dyn Write + Send>,
    /// Look of data for people.
    pub style: Style,
    /// Look of talk.
    pub talk_style: Style,
    /// Whether talk goes to a terminal, so that it may be drawn over.
    pub talk_is_terminal: bool,
}

/// Width when it is not known: that of most reviews and logs.
const WIDTH: usize = 120;

impl Output {
    /// The process's own streams.
    pub fn process(no_color: bool) -> Self {
        let wants_color = |is_terminal: bool| {
            let forbidden = no_color
                || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
                || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
            is_terminal && !forbidden
        };
        let width = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok()).unwrap_or(WIDTH);
        let (out, err) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        Self {
            data: Box::new(io::stdout()),
            talk: Box::new(io::stderr()),
            style: Style { color: wants_color(out), width },
            talk_style: Style { color: wants_color(err), width },
            talk_is_terminal: err,
        }
    }

    /// Writes data in one go.
    pub fn data(&mut self, text: &str) -> io::Result<()> {
        self.data.write_all(text.as_bytes())?;
        if !text.is_empty() && !text.ends_with('\n') {
            self.data.write_all(b"\n")?;
        }
        self.data.flush()
    }

    /// Writes a plan for programs: the plan itself carries the name of its format.
    pub fn plan(&mut self, plan: &Plan, form: OutputForm) -> io::Result<()> {
        self.document(&document(PLAN_FORMAT, plan), form)
    }

    /// Writes a document for programs.
    pub fn document(&mut self, document: &Value, form: OutputForm) -> io::Result<()> {
        self.data(&Self::text_of(document, form))
    }

    /// A document for programs as text.
    pub fn text_of(document: &Value, form: OutputForm) -> String {
        match form {
            OutputForm::Yaml => yaml::to_text(document),
            OutputForm::Json | OutputForm::Text | OutputForm::Markdown | OutputForm::Html => {
                // A JSON value always serialises.
                serde_json::to_string_pretty(document).unwrap_or_default()
            }
        }
    }

    /// Says a line. Talk that nobody hears is no error.
    pub fn say(&mut self, line: &str) {
        let _ = writeln!(self.talk, "{line}");
    }

    /// The stream of data, for those who write bit by bit.
    pub fn data_stream(&mut self) -> &mut (dyn Write + Send) {
        &mut *self.data
    }

    /// Colour of diagnostics on the stream of data.
    pub const fn colour(&self) -> Colour {
        if self.style.color { Colour::Yes } else { Colour::No }
    }

    /// Colour of diagnostics among talk.
    pub const fn talk_colour(&self) -> Colour {
        if self.talk_style.color { Colour::Yes } else { Colour::No }
    }

    /// Both streams at once.
    pub fn streams(&mut self) -> (&mut (dyn Write + Send), &mut (dyn Write + Send)) {
        (&mut *self.data, &mut *self.talk)
    }
}
