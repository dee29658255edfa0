//! Templates: what is said, and their sections per service type (contract 4.2, 4.3).

use std::sync::Arc;

use echion_model::yaml::{Kind, Node};
use echion_model::{
    Finding, Notification, RenderContext, RenderError, Section, SectionKind, ServiceKind, Text, TextCompiler,
};
use echion_value::time::Time;
use echion_value::{Str, Value};

/// A compiled template.
#[derive(Debug)]
pub struct Template {
    /// The text of `message`, for those who list templates; empty when there is none.
    pub message_source: String,
    message: Option<Box<dyn Text>>,
    sections: Vec<(SectionKind, Box<dyn Section>)>,
}

impl Template {
    /// Compiles the template under `key`. All mistakes are found, not only the first; warnings come with the template.
    ///
    /// # Errors
    /// Everything that keeps the template from working.
    pub fn compile(
        key: &str,
        node: &Node,
        kinds: &[&'static ServiceKind],
    ) -> Result<(Self, Vec<Finding>), Vec<Finding>> {
        let name = key.strip_prefix("template.").unwrap_or(key);
        let compiler = Compiler { name };
        let (mut errors, mut warnings) = (Vec::new(), Vec::new());
        if !matches!(node.kind, Kind::Map(_) | Kind::Null) {
            let message = format!("expected a mapping, found {}", node.describe());
            let hint = "a template is a mapping such as `message: ...`";
            return Err(vec![Finding::error(key, node.at(), message).hint(hint)]);
        }
        let mut template = Self { message_source: String::new(), message: None, sections: Vec::new() };
        for (field, value) in node.entries() {
            let written = field.text().unwrap_or_default();
            let kind = kinds.iter().filter_map(|k| k.section).find(|s| s.key.eq_ignore_ascii_case(written));
            if matches!(value.kind, Kind::Null) {
            } else if written.eq_ignore_ascii_case("message") {
                match value.decode::<String>() {
                    Err(error) => errors.push(Finding::error(format!("{key}.message"), error.at, error.message)),
                    Ok(text) => match compiler.compile(&text.value) {
                        Err((message, at)) => {
                            errors.push(Finding::error(format!("{key}.message"), at, message).in_text(&text.value))
                        }
                        Ok(compiled) => {
                            template.message_source = text.value;
                            template.message = Some(compiled);
                        }
                    },
                }
            } else if let Some(kind) = kind {
                match (kind.compile)(value, &compiler) {
                    Ok(section) => {
                        warnings.extend(section.unknown_fields().into_iter().map(|(field, at)| {
                            Finding::error(format!("{key}.{field}"), at, "unknown field; it means nothing").warning()
                        }));
                        template.sections.push((kind, section));
                    }
                    Err(mistakes) => errors.extend(mistakes.into_iter().map(|mistake| {
                        let finding = Finding::error(format!("{key}.{}", mistake.path), mistake.at, mistake.message);
                        if mistake.source.is_empty() { finding } else { finding.in_text(&mistake.source) }
                    })),
                }
            } else {
                let message = format!("no service type has a section `{written}`");
                warnings.push(Finding::error(key, field.at(), message).warning());
            }
        }
        if errors.is_empty() { Ok((template, warnings)) } else { Err(errors) }
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

impl Text for Plain {
    fn render(&self, _: &RenderContext<'_>) -> Result<Str, RenderError> {
        Ok(self.0.clone())
    }
}

#[derive(Debug)]
struct Compiled(Arc<echion_template::Template>);

impl Text for Compiled {
    fn render(&self, context: &RenderContext<'_>) -> Result<Str, RenderError> {
        crate::template::render(&self.0, context.variables, context.now).map(Str::from).map_err(|error| RenderError {
            path: String::new(),
            at: (error.line() as u32, error.column().max(1) as u32),
            message: error.message().to_owned(),
        })
    }
}

/// Renders a compiled template with the engine's budgets.
pub(crate) fn render(
    template: &echion_template::Template,
    data: &Value,
    now: i64,
) -> Result<Vec<u8>, Box<echion_template::Error>> {
    let now = Time::from_unix(now.div_euclid(1000), now.rem_euclid(1000) * 1_000_000);
    let mut host = echion_template::Host::new(now);
    template.render(data, &mut host, &echion_template::Limits::default())
}
