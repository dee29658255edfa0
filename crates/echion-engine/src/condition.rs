//! Conditions that services' options hold over an answer: the engine's side of that port.

use std::sync::Arc;

use echion_expr::{Context, Program};
use echion_model::{Condition, ConditionCompiler};
use echion_value::{Map, Value};

/// Compiles conditions with the language of `when`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Conditions;

impl ConditionCompiler for Conditions {
    fn compile(&self, source: &str) -> Result<Arc<dyn Condition>, (String, (u32, u32))> {
        match echion_expr::compile(source) {
            Ok(program) => Ok(Arc::new(Compiled(program))),
            Err(error) => Err((error.message().to_owned(), (error.line() as u32, error.column().max(1) as u32))),
        }
    }
}

#[derive(Debug)]
struct Compiled(Program);

impl Condition for Compiled {
    fn holds(&self, variables: &Value) -> Result<bool, String> {
        let none = Map::of_any(Vec::new());
        let variables = if let Value::Map(map) = variables { map } else { &none };
        match self.0.eval(variables, &Context::default()) {
            Ok(Value::Bool(holds)) => Ok(holds),
            Ok(_) => Err("the condition gives neither true nor false".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_over_an_answer() {
        let json = Value::Map(Map::of_any(vec![("code".into(), Value::Int(0))]));
        let variables = Value::Map(Map::of_any(vec![("response".into(), json)]));
        let holds = |source: &str| Conditions.compile(source).unwrap().holds(&variables);
        assert_eq!(holds("response.code == 0"), Ok(true));
        assert_eq!(holds("response.code == 1"), Ok(false));
        assert!(holds("response.code").is_err() && holds("response.none.more").is_err());
        assert_eq!(Conditions.compile("response.(").unwrap_err().1.0, 1);
    }
}
