//! What an expression is compiled to: a flat list of instructions for a stack machine.

use echion_value::{Method, Str, Value};

use crate::ast::Binary;
use crate::builtins::Builtin;
use crate::patterns::Pattern;

/// One instruction. Numbers are places in the tables of [`Code`], or targets of jumps.
#[derive(Clone, Copy)]
pub(crate) enum Op {
    Constant(u32),
    Nil,
    Bool(bool),
    Int(i64),
    Pop,
    Store(u32),
    Load(u32),
    /// The variable of the environment with the constant's name.
    Variable(u32),
    /// A variable and members of it, one in the other.
    Path(u32),
    Environment,
    Fetch,
    /// The member with the constant's name.
    Member(u32),
    Negate,
    Not,
    Equal,
    /// Whether both, which the checker takes for integers or for strings, are equal.
    EqualInts,
    EqualTexts,
    /// Whether it equals the constant, or does not.
    EqualConstant(u32),
    UnequalConstant(u32),
    Compare(Binary),
    Calculate(Binary),
    Power,
    Range,
    In,
    /// Whether the constant list of texts has the value.
    InTexts(u32),
    Matches,
    MatchesConstant(u32),
    /// `contains`, `startsWith`, `endsWith`
    Text(Binary),
    Slice,
    Length,
    /// The call of the value on the stack, with so many arguments.
    Call(u32),
    /// The call of what a path leads to.
    CallPath(u32, u32),
    /// The call of a member of the value on the stack.
    CallMember(u32, u32),
    Builtin(u32, u32),
    /// A list of as many values as the constant, or the count on the stack, says.
    List(u32),
    CountedList,
    Map(u32),
    Jump(u32),
    JumpIfTrue(u32),
    JumpIfFalse(u32),
    JumpIfNil(u32),
    JumpIfNotNil(u32),
    /// Out of a loop that has seen all elements.
    JumpIfEnd(u32),
    /// Out of a loop that runs backwards.
    JumpIfStart(u32),
    /// Out of a loop that has counted enough.
    JumpIfEnough(i64, u32),
    Begin,
    End,
    Next,
    Previous,
    LastIndex,
    CountUp,
    Element,
    Index,
    Count,
    ScopeLength,
    Accumulator,
    Accumulate,
    /// The first element becomes the accumulator.
    FirstToAccumulator,
    NotFound,
    Group,
    Groups,
    SortOrder,
    SortKey,
    Sort,
}

/// Names to follow from the environment, each with the place of its errors.
pub(crate) struct Path {
    pub(crate) variable: Str,
    pub(crate) members: Vec<(Str, u32)>,
}

/// The name of a member that is called, with the methods of that name.
pub(crate) struct CalledMember {
    pub(crate) name: Str,
    pub(crate) of_time: Option<&'static Method>,
    pub(crate) of_duration: Option<&'static Method>,
}

/// The instructions with everything they refer to.
pub(crate) struct Code {
    pub(crate) ops: Vec<Op>,
    /// Where errors of each instruction are reported.
    pub(crate) places: Vec<u32>,
    pub(crate) constants: Vec<Value>,
    pub(crate) paths: Vec<Path>,
    pub(crate) members: Vec<CalledMember>,
    pub(crate) patterns: Vec<Pattern>,
    pub(crate) builtins: Vec<&'static Builtin>,
    /// How many variables `let` declares.
    pub(crate) variables: usize,
    /// Which instructions belong to which part of the text, inner parts first; only when compiled to be traced.
    pub(crate) marks: Vec<Mark>,
}

/// The instructions of a subexpression: when the one at `end` is next, its value is on top of the stack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Its first character and one past its last.
    pub(crate) span: (u32, u32),
}
