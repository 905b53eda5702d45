//! From tokens to a tree. What a template may do is decided here; the values come later.

use super::TemplateError;
use super::function::Function;
use super::lex::{Piece, Token};

/// How deep blocks and parentheses may nest: more than any host needs, far less than a stack has.
const DEEPEST: usize = 32;

/// A piece of the template as it is carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Text(String),
    Print(Pipeline),
    /// `$x := ..`, which hides an outer `$x`.
    Declare(String, Pipeline),
    /// `$x = ..`.
    Assign(String, Pipeline),
    If(Branch),
    /// As `If`; inside, the dot is what was tested.
    With(Branch),
}

/// A condition and what follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Branch {
    pub(super) declared: Option<String>,
    pub(super) condition: Pipeline,
    pub(super) then: Vec<Node>,
    pub(super) otherwise: Vec<Node>,
}

/// Commands; each gets the result of the one before as its last argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pipeline(pub(super) Vec<Command>);

/// A function or a value, and arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) head: Operand,
    pub(super) arguments: Vec<Operand>,
}

/// What stands for a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Operand {
    Dot,
    Field(Vec<String>),
    Variable(String, Vec<String>),
    Function(Function),
    Text(String),
    Number(i64),
    Truth(bool),
    Nil,
    Nested(Pipeline, Vec<String>),
}

fn syntax(text: impl Into<String>) -> TemplateError {
    TemplateError::Syntax(text.into())
}

pub(super) fn nodes(pieces: Vec<Piece<'_>>) -> Result<Vec<Node>, TemplateError> {
    let mut parser = Parser {
        pieces: pieces.into_iter(),
        variables: vec!["$".to_owned()],
        depth: 0,
    };
    match parser.list()? {
        (nodes, Ending::Template) => Ok(nodes),
        (_, Ending::End) => Err(syntax("unexpected {{end}}")),
        (_, Ending::Else(_)) => Err(syntax("unexpected {{else}}")),
    }
}

struct Parser<'a> {
    pieces: std::vec::IntoIter<Piece<'a>>,
    variables: Vec<String>,
    depth: usize,
}

/// What ended a list of nodes.
enum Ending {
    Template,
    End,
    /// With what stands behind the word.
    Else(Vec<Token>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    If,
    With,
}

impl Block {
    fn of(word: &str) -> Option<Self> {
        match word {
            "if" => Some(Self::If),
            "with" => Some(Self::With),
            _ => None,
        }
    }

    fn node(self, branch: Branch) -> Node {
        match self {
            Self::If => Node::If(branch),
            Self::With => Node::With(branch),
        }
    }
}

impl Parser<'_> {
    fn list(&mut self) -> Result<(Vec<Node>, Ending), TemplateError> {
        let mut nodes = Vec::new();
        while let Some(piece) = self.pieces.next() {
            let mut tokens = match piece {
                Piece::Text(text) => {
                    nodes.push(Node::Text(text.to_owned()));
                    continue;
                }
                Piece::Action(tokens) => tokens,
            };
            match tokens.first() {
                Some(Token::Word(word)) if word == "end" => {
                    return if tokens.len() == 1 {
                        Ok((nodes, Ending::End))
                    } else {
                        Err(syntax("unexpected words in {{end}}"))
                    };
                }
                Some(Token::Word(word)) if word == "else" => {
                    tokens.remove(0);
                    return Ok((nodes, Ending::Else(tokens)));
                }
                _ => nodes.push(self.action(tokens)?),
            }
        }
        Ok((nodes, Ending::Template))
    }

    fn action(&mut self, mut tokens: Vec<Token>) -> Result<Node, TemplateError> {
        if let Some(Token::Word(word)) = tokens.first() {
            if let Some(block) = Block::of(word) {
                tokens.remove(0);
                return self.branch(block, tokens);
            }
            if ["range", "define", "template", "block", "break", "continue"]
                .contains(&word.as_str())
            {
                return Err(TemplateError::Unsupported(format!("{{{{{word}}}}}")));
            }
        }
        match self.declaration(&mut tokens)? {
            Some((name, true)) => {
                let pipeline = self.pipeline(tokens)?;
                self.variables.push(name.clone());
                Ok(Node::Declare(name, pipeline))
            }
            Some((name, false)) => {
                self.known(&name)?;
                Ok(Node::Assign(name, self.pipeline(tokens)?))
            }
            None => Ok(Node::Print(self.pipeline(tokens)?)),
        }
    }

    fn branch(&mut self, block: Block, mut tokens: Vec<Token>) -> Result<Node, TemplateError> {
        self.deeper()?;
        let outer = self.variables.len();
        let declared = match self.declaration(&mut tokens)? {
            Some((_, false)) => {
                return Err(TemplateError::Unsupported(
                    "an assignment as a condition".to_owned(),
                ));
            }
            declared => declared.map(|(name, _)| name),
        };
        let condition = self.pipeline(tokens)?;
        self.variables.extend(declared.clone());
        let (then, ending) = self.list()?;
        let otherwise = match ending {
            Ending::End => Vec::new(),
            Ending::Template => return Err(syntax("unexpected EOF: an {{end}} is missing")),
            Ending::Else(tokens) => self.otherwise(block, tokens)?,
        };
        self.variables.truncate(outer);
        self.depth -= 1;
        Ok(block.node(Branch {
            declared,
            condition,
            then,
            otherwise,
        }))
    }

    /// What follows an `else`: more nodes, or the next of a chain, which shares the one `end`.
    fn otherwise(
        &mut self,
        block: Block,
        mut tokens: Vec<Token>,
    ) -> Result<Vec<Node>, TemplateError> {
        match tokens.first() {
            None => match self.list()? {
                (nodes, Ending::End) => Ok(nodes),
                (_, Ending::Else(_)) => Err(syntax("expected {{end}}; found {{else}}")),
                (_, Ending::Template) => Err(syntax("unexpected EOF: an {{end}} is missing")),
            },
            Some(Token::Word(word)) if Block::of(word) == Some(block) => {
                tokens.remove(0);
                Ok(vec![self.branch(block, tokens)?])
            }
            Some(_) => Err(syntax("unexpected words in {{else}}")),
        }
    }

    /// Takes `$x :=` or `$x =` off the tokens; true stands for the first.
    fn declaration(
        &self,
        tokens: &mut Vec<Token>,
    ) -> Result<Option<(String, bool)>, TemplateError> {
        let declares = match tokens.get(1) {
            Some(Token::Declare) => true,
            Some(Token::Assign) => false,
            _ => return Ok(None),
        };
        match tokens.first() {
            Some(Token::Variable(name, names)) if names.is_empty() => {
                let name = name.clone();
                tokens.drain(..2);
                Ok(Some((name, declares)))
            }
            _ => Err(syntax("only a variable can be set")),
        }
    }

    fn known(&self, name: &str) -> Result<(), TemplateError> {
        if self.variables.iter().any(|known| known == name) {
            return Ok(());
        }
        Err(syntax(format!("undefined variable {name:?}")))
    }

    fn deeper(&mut self) -> Result<(), TemplateError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(syntax(format!("nested deeper than {DEEPEST} levels")));
        }
        Ok(())
    }

    fn pipeline(&mut self, tokens: Vec<Token>) -> Result<Pipeline, TemplateError> {
        let mut tokens = tokens.into_iter();
        let (pipeline, closed) = self.commands(&mut tokens)?;
        match closed {
            None => Ok(pipeline),
            Some(_) => Err(syntax("unexpected right paren")),
        }
    }

    /// Commands up to the end or to a closing parenthesis, whose names are returned.
    fn commands(
        &mut self,
        tokens: &mut std::vec::IntoIter<Token>,
    ) -> Result<(Pipeline, Option<Vec<String>>), TemplateError> {
        let mut commands = Vec::new();
        let mut operands = Vec::new();
        let closed = loop {
            match tokens.next() {
                None => break None,
                Some(Token::Close(names)) => break Some(names),
                Some(Token::Pipe) => commands.push(command(&mut operands, commands.len())?),
                Some(Token::Open) => {
                    self.deeper()?;
                    let (inner, names) = self.commands(tokens)?;
                    let names = names.ok_or_else(|| syntax("unclosed left paren"))?;
                    self.depth -= 1;
                    operands.push(Operand::Nested(inner, names));
                }
                Some(token) => operands.push(self.operand(token)?),
            }
        };
        commands.push(command(&mut operands, commands.len())?);
        Ok((Pipeline(commands), closed))
    }

    fn operand(&self, token: Token) -> Result<Operand, TemplateError> {
        Ok(match token {
            Token::Dot => Operand::Dot,
            Token::Field(names) => Operand::Field(names),
            Token::Variable(name, names) => {
                self.known(&name)?;
                Operand::Variable(name, names)
            }
            Token::Word(word) => match word.as_str() {
                "true" => Operand::Truth(true),
                "false" => Operand::Truth(false),
                "nil" => Operand::Nil,
                word => Operand::Function(Function::of(word)?),
            },
            Token::Text(text) => Operand::Text(text),
            Token::Number(number) => Operand::Number(number),
            Token::Declare | Token::Assign => return Err(syntax("unexpected = in operand")),
            Token::Open | Token::Close(_) | Token::Pipe => {
                return Err(syntax("unexpected operator in operand"));
            }
        })
    }
}

fn command(operands: &mut Vec<Operand>, stage: usize) -> Result<Command, TemplateError> {
    if operands.is_empty() {
        return Err(syntax("missing value for command"));
    }
    let arguments = operands.split_off(1);
    let head = operands.remove(0);
    let is_constant = matches!(
        head,
        Operand::Dot | Operand::Text(_) | Operand::Number(_) | Operand::Truth(_) | Operand::Nil
    );
    if is_constant && stage > 0 {
        return Err(syntax("a constant can't follow | in a pipeline"));
    }
    if head == Operand::Nil {
        return Err(TemplateError::Unsupported("nil as a command".to_owned()));
    }
    let is_function = matches!(head, Operand::Function(_));
    if !is_function && (stage > 0 || !arguments.is_empty()) {
        return Err(TemplateError::Unsupported(
            "arguments of what is not a function".to_owned(),
        ));
    }
    Ok(Command { head, arguments })
}
