//! Templates: what is said, and their sections per service type (contract 4.2, 4.3).

use std::sync::Arc;

use echion_model::yaml::{Kind, Node, Note, same_field};
use echion_model::{
    Diagnostic, Field, FieldShape, Notification, Origin, RenderContext, RenderError, Section, SectionKind, ServiceKind,
    Text, TextCompiler, nearest,
};
use echion_template::{CallContext, Limits};
use echion_value::Str;
use echion_value::time::Time;

use crate::config::{ServiceEntry, refused_there};
use crate::deadline::Deadline;
use crate::json;

/// The names of fields, and of those in them.
fn names_of(fields: &'static [Field]) -> Vec<&'static str> {
    let within = |field: &Field| match field.shape {
        FieldShape::Fields(inner) | FieldShape::List(inner) => names_of(inner),
        _ => Vec::new(),
    };
    fields.iter().flat_map(|field| std::iter::once(field.name).chain(within(field))).collect()
}

/// A compiled template.
#[derive(Debug)]
pub struct Template {
    /// The text of `message`, for those who list templates; empty when there is none.
    pub message_source: String,
    /// Another one for other texts.
    pub version: String,
    message: Option<Box<dyn Text>>,
    sections: Vec<(SectionKind, Box<dyn Section>)>,
    addressed: Vec<(&'static str, String, (u32, u32))>,
}

impl Template {
    /// The same with the version of the text that it was compiled from.
    pub(crate) fn versioned(self, version: String) -> Self {
        Self { version, ..self }
    }

    /// Compiles the template under `key`. All errors are found, not only the first; warnings come with the template.
    ///
    /// # Errors
    /// Everything that keeps the template from working.
    pub fn compile(
        key: &str,
        node: &Node,
        kinds: &[&'static ServiceKind],
    ) -> Result<(Self, Vec<Diagnostic>), Vec<Diagnostic>> {
        let name = key.strip_prefix("template.").unwrap_or(key);
        let compiler = Compiler { name };
        let (mut errors, mut warnings) = (Vec::new(), Vec::new());
        if !matches!(node.kind, Kind::Map(_) | Kind::Null) {
            let message = format!("expected a mapping, found {}", node.describe());
            let hint = "a template is a mapping such as `message: ...`";
            return Err(vec![Diagnostic::error(key, node.at(), message).hint(hint)]);
        }
        let mut template = Self {
            message_source: String::new(),
            version: String::new(),
            message: None,
            sections: Vec::new(),
            addressed: Vec::new(),
        };
        // A field in two spellings is read twice, in the order of their bytes.
        let mut entries: Vec<_> = node.entries().iter().collect();
        entries.sort_by_key(|(field, _)| field.text());
        for (field, value) in entries {
            let written = field.text().unwrap_or_default();
            let kind = kinds.iter().filter_map(|k| k.section).find(|s| same_field(s.key, written));
            if matches!(value.kind, Kind::Null) {
            } else if same_field("message", written) {
                match value.decode::<String>() {
                    Err(error) => errors.push(Diagnostic::error(format!("{key}.message"), error.at, error.message)),
                    Ok(text) => match compiler.compile(&text.value) {
                        Err((message, at)) => {
                            errors.push(Diagnostic::error(format!("{key}.message"), at, message).in_text(&text.value))
                        }
                        Ok(compiled) => {
                            template.message_source = text.value;
                            template.message = Some(compiled);
                        }
                    },
                }
            } else if let Some(kind) = kind {
                warnings.extend(lists_for_texts(&kind, value).iter().map(|note| refused_there(key, note)));
                match (kind.compile)(value, &compiler) {
                    Ok(section) => {
                        warnings.extend(section.unknown_fields().into_iter().map(|(field, at)| {
                            let written = field.rsplit('.').next().unwrap_or(&field);
                            let near = nearest(written, names_of(kind.fields));
                            let hint = near.map(|near| format!("did you mean `{near}`?")).unwrap_or_default();
                            Diagnostic::error(format!("{key}.{field}"), at, "unknown field; it means nothing")
                                .warning()
                                .hint(hint)
                        }));
                        if kind.fields.first().is_some_and(|field| field.name.starts_with('<')) {
                            let names = value.entries().iter().filter_map(|(name, _)| Some((name.text()?, name.at())));
                            template.addressed.extend(names.map(|(name, at)| (kind.key, name.to_owned(), at)));
                        }
                        template.sections.retain(|(other, _)| other.key != kind.key);
                        template.sections.push((kind, section));
                    }
                    Err(found) => errors.extend(found.into_iter().map(|error| {
                        let diagnostic = Diagnostic::error(format!("{key}.{}", error.path), error.at, error.message);
                        if error.source.is_empty() { diagnostic } else { diagnostic.in_text(&error.source) }
                    })),
                }
            } else {
                let message = format!("no service type has a section `{written}`");
                let names = kinds.iter().filter_map(|kind| kind.section).map(|section| section.key);
                let near = nearest(written, names.chain(["message"]));
                let hint = near.map(|near| format!("did you mean `{near}`?")).unwrap_or_default();
                warnings.push(Diagnostic::error(key, field.at(), message).warning().hint(hint));
            }
        }
        if errors.is_empty() { Ok((template, warnings)) } else { Err(errors) }
    }

    /// Whether it has a section of this name.
    pub(crate) fn has_section(&self, key: &str) -> bool {
        self.sections.iter().any(|(section, _)| section.key == key)
    }

    /// The services that sections name, with their places: (section, service, line and column).
    pub(crate) fn addressed(&self) -> &[(&'static str, String, (u32, u32))] {
        &self.addressed
    }

    /// Renders for one instance of `kind`, folding into what earlier templates of the same condition gave. Only the section of
    /// that type is rendered, and the message.
    ///
    /// # Errors
    /// The field that failed and why.
    pub fn render_into(
        &self,
        notification: &mut Notification,
        kind: &ServiceKind,
        service: &str,
        context: &RenderContext<'_>,
    ) -> Result<(), RenderError> {
        if let Some(section) = kind.section
            && let Some((_, compiled)) = self.sections.iter().find(|(s, _)| s.key == section.key)
            && let Some(rendered) = compiled.render(service, context).map_err(|e| e.within(section.key))?
        {
            match notification.sections.get_mut(section.key) {
                Some(earlier) => (section.merge)(earlier, rendered),
                None => drop(notification.sections.insert(section.key.to_owned(), rendered)),
            }
        }
        if let Some(message) = &self.message {
            let text = message.render(context).map_err(|e| e.within("message"))?;
            if !text.is_empty() {
                notification.message = text.to_text().into_owned();
            }
        }
        Ok(())
    }

    /// What is wrong with what was rendered: texts that their receiver reads as JSON and that are none. They are sent all the
    /// same, since the receiver may be less strict; `name` is the template's own.
    #[must_use]
    pub fn diagnostics(
        &self,
        name: &str,
        notification: &Notification,
        (service, entry): (&str, &ServiceEntry),
        context: &RenderContext<'_>,
    ) -> Vec<Diagnostic> {
        let Some(kind) = entry.kind.section else { return Vec::new() };
        let Some(rendered) = notification.sections.get(kind.key) else { return Vec::new() };
        let Some((_, section)) = self.sections.iter().find(|(s, _)| s.key == kind.key) else { return Vec::new() };
        let texts = section.json_texts(service, rendered);
        let found = texts.iter().filter_map(|text| {
            let error = json::check(text, entry.service.wants_json(), context)?;
            let key = format!("template.{name}.{}.{}", kind.key, text.path);
            Some(Diagnostic::error(key, error.at, error.message).warning().hint(error.hint))
        });
        found.collect()
    }

    /// Renders the message and every section, as `template notify` to the console shows it.
    ///
    /// # Errors
    /// The field that failed and why.
    pub fn render_for_console(&self, context: &RenderContext<'_>) -> Result<serde_json::Value, RenderError> {
        let mut shown = serde_json::Map::new();
        if let Some(message) = &self.message {
            let text = message.render(context).map_err(|e| e.within("message"))?;
            shown.insert("message".to_owned(), text.to_text().into());
        }
        for (kind, section) in &self.sections {
            let rendered = section.render_all(context).map_err(|e| e.within(kind.key))?;
            shown.insert(kind.key.to_owned(), rendered);
        }
        Ok(serde_json::Value::Object(shown))
    }
}

/// Sections that Argo CD Notifications has too, and whose JSON it takes as a string only.
const STRINGS_THERE: [&str; 4] = ["googlechat", "rocketchat", "slack", "teams"];

/// JSON that is written as YAML.
fn lists_for_texts(kind: &SectionKind, section: &Node) -> Vec<Note> {
    let json = |key: &str| {
        kind.fields.iter().any(|field| matches!(field.shape, FieldShape::Json) && same_field(field.name, key))
    };
    let entries = section.entries().iter().filter(|_| STRINGS_THERE.contains(&kind.key));
    let written = entries.filter(|(key, _)| key.text().is_some_and(json));
    let lists = written.filter(|(_, value)| matches!(value.kind, Kind::List(_) | Kind::Map(_)));
    let note = |(key, _): &(Node, Node)| Note {
        what: "a list or mapping for this field",
        instead: "write it as a text, with `|` after the field's name",
        line: key.line,
        column: key.column,
    };
    lists.map(note).collect()
}

/// The engine's side of the port through which services compile their sections.
struct Compiler<'a> {
    name: &'a str,
}

impl TextCompiler for Compiler<'_> {
    fn compile(&self, text: &str) -> Result<Box<dyn Text>, (String, (u32, u32))> {
        // Most fields hold no action at all; they need no engine.
        if !text.contains("{{") {
            return Ok(Box::new(Plain(text.into())));
        }
        match echion_template::parse(self.name, text, echion_sprig::functions()) {
            Ok(template) => Ok(Box::new(Compiled(Arc::new(template)))),
            Err(error) => Err((error.message().to_owned(), (error.line() as u32, error.column().max(1) as u32))),
        }
    }

    fn template(&self) -> &str {
        self.name
    }
}

#[derive(Debug)]
struct Plain(Str);

/// A place as diagnostics have it.
fn place(line: usize, column: usize) -> (u32, u32) {
    (line as u32, column.max(1) as u32)
}

impl Text for Plain {
    fn render(&self, _: &RenderContext<'_>) -> Result<Str, RenderError> {
        Ok(self.0.clone())
    }

    fn origin(&self, _: &RenderContext<'_>, offset: usize) -> Option<Origin> {
        let before = self.0.as_bytes().get(..offset)?;
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        let column = 1 + before.iter().rev().take_while(|byte| **byte != b'\n').count();
        Some(Origin { at: place(line, column), action: String::new(), printed: Vec::new() })
    }
}

#[derive(Debug)]
struct Compiled(Arc<echion_template::Template>);

impl Text for Compiled {
    fn render(&self, context: &RenderContext<'_>) -> Result<Str, RenderError> {
        crate::template::render(&self.0, context).map(Str::from).map_err(|error| RenderError {
            path: String::new(),
            at: (error.line() as u32, error.column().max(1) as u32),
            message: error.message().to_owned(),
        })
    }

    fn origin(&self, context: &RenderContext<'_>, offset: usize) -> Option<Origin> {
        let origin = with_call(context, |call| self.0.origin(context.variables, call, &Limits::default(), offset))?;
        Some(Origin { at: place(origin.line, origin.column), action: origin.action, printed: origin.printed })
    }
}

/// Renders a compiled template with the engine's budgets.
pub(crate) fn render(
    template: &echion_template::Template,
    context: &RenderContext<'_>,
) -> Result<Vec<u8>, Box<echion_template::Error>> {
    with_call(context, |call| template.render(context.variables, call, &Limits::default()))
}

/// Does something with as much of the world as the context allows.
fn with_call<T>(context: &RenderContext<'_>, act: impl FnOnce(&mut CallContext<'_>) -> T) -> T {
    let now = Time::from_unix(context.now.div_euclid(1000), context.now.rem_euclid(1000) * 1_000_000);
    let deadline = Deadline::new(context.ambient);
    let expired = || deadline.is_over();
    let mut call = CallContext::new(now).with_deadline(&expired);
    let Some(world) = context.ambient else { return act(&mut call) };
    let mut random = |bytes: &mut [u8]| world.random(bytes);
    let resolve = |name: &str| world.resolve(name);
    call = call.with_random(&mut random);
    if context.lookups {
        call = call.with_resolver(&resolve);
    }
    act(&mut call)
}
