//! From the text of a template to pieces: plain text, and actions as tokens.

use super::TemplateError;

/// Text between actions, with the spaces taken away that an action asked for; or an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    Text(&'a str),
    Action(Vec<Token>),
}

/// What stands in an action. Names behind a dot belong to the token before them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Dot,
    Field(Vec<String>),
    Variable(String, Vec<String>),
    Word(String),
    Text(String),
    Number(i64),
    Open,
    Close(Vec<String>),
    Pipe,
    Declare,
    Assign,
}

const SPACES: [char; 4] = [' ', '\t', '\r', '\n'];

fn syntax(text: impl Into<String>) -> TemplateError {
    TemplateError::Syntax(text.into())
}

pub(super) fn pieces(source: &str) -> Result<Vec<Piece<'_>>, TemplateError> {
    let mut pieces = Vec::new();
    let mut rest = source;
    let mut trim_next = false;
    loop {
        let (text, action) = match rest.split_once("{{") {
            Some((text, action)) => (text, Some(action)),
            None => (rest, None),
        };
        let trim_this = action.is_some_and(|action| {
            action.starts_with('-') && action[1..].starts_with(SPACES.as_slice())
        });
        let text = if trim_next {
            text.trim_start_matches(SPACES)
        } else {
            text
        };
        let text = if trim_this {
            text.trim_end_matches(SPACES)
        } else {
            text
        };
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        let Some(action) = action else {
            return Ok(pieces);
        };
        let mut lexer = Lexer {
            rest: if trim_this { &action[1..] } else { action },
        };
        match lexer.comment()? {
            Some(trims) => trim_next = trims,
            None => {
                let (tokens, trims) = lexer.action()?;
                pieces.push(Piece::Action(tokens));
                trim_next = trims;
            }
        }
        rest = lexer.rest;
    }
}

struct Lexer<'a> {
    rest: &'a str,
}

impl Lexer<'_> {
    /// Skips a comment, if this is one; says whether the text after it is trimmed.
    fn comment(&mut self) -> Result<Option<bool>, TemplateError> {
        let Some(body) = self.rest.trim_start_matches(SPACES).strip_prefix("/*") else {
            return Ok(None);
        };
        let (_, after) = body
            .split_once("*/")
            .ok_or_else(|| syntax("unclosed comment"))?;
        self.rest = after;
        match self.end() {
            Some(trims) => Ok(Some(trims)),
            None => Err(syntax("comment ends before closing delimiter")),
        }
    }

    /// The tokens up to the end of the action, and whether the text after it is trimmed.
    fn action(&mut self) -> Result<(Vec<Token>, bool), TemplateError> {
        let mut tokens = Vec::new();
        loop {
            if let Some(trims) = self.end() {
                return Ok((tokens, trims));
            }
            self.rest = self.rest.trim_start_matches(SPACES);
            if let Some(trims) = self.end() {
                return Ok((tokens, trims));
            }
            tokens.push(self.token()?);
        }
    }

    /// Takes the end of an action, if it is here; says whether the text after it is trimmed.
    fn end(&mut self) -> Option<bool> {
        let trimmed = self.rest.trim_start_matches(SPACES);
        if trimmed.len() < self.rest.len()
            && let Some(after) = trimmed.strip_prefix("-}}")
        {
            self.rest = after;
            return Some(true);
        }
        self.rest = self.rest.strip_prefix("}}")?;
        Some(false)
    }

    fn token(&mut self) -> Result<Token, TemplateError> {
        let Some(first) = self.rest.chars().next() else {
            return Err(syntax("unclosed action"));
        };
        for (sign, token) in [
            ("(", Token::Open),
            ("|", Token::Pipe),
            (":=", Token::Declare),
            ("=", Token::Assign),
        ] {
            if let Some(after) = self.rest.strip_prefix(sign) {
                self.rest = after;
                return Ok(token);
            }
        }
        match first {
            ')' => {
                self.rest = &self.rest[1..];
                Ok(Token::Close(self.names()?))
            }
            '.' => match self.names()? {
                names if names.is_empty() => {
                    self.rest = &self.rest[1..];
                    self.bounded(Token::Dot)
                }
                names => self.bounded(Token::Field(names)),
            },
            '$' => {
                self.rest = &self.rest[1..];
                let name = format!("${}", self.word());
                let names = self.names()?;
                self.bounded(Token::Variable(name, names))
            }
            '"' => self.quoted(),
            '`' => self.raw(),
            '+' | '-' | '0'..='9' => self.number(),
            '\'' => Err(TemplateError::Unsupported("character constants".to_owned())),
            ',' => Err(TemplateError::Unsupported("lists of variables".to_owned())),
            first if is_letter(first) => {
                let word = self.word().to_owned();
                self.bounded(Token::Word(word))
            }
            first => Err(syntax(format!("unexpected {first:?} in action"))),
        }
    }

    /// `.a.b` as names; none if no name follows a dot here.
    fn names(&mut self) -> Result<Vec<String>, TemplateError> {
        let mut names = Vec::new();
        while let Some(after) = self.rest.strip_prefix('.') {
            if !after.starts_with(is_letter) {
                break;
            }
            self.rest = after;
            names.push(self.word().to_owned());
            if names.len() > 16 {
                return Err(TemplateError::TooLong);
            }
        }
        Ok(names)
    }

    fn word(&mut self) -> &str {
        let end = self
            .rest
            .find(|c: char| !is_letter(c) && !c.is_numeric())
            .unwrap_or(self.rest.len());
        let (word, after) = self.rest.split_at(end);
        self.rest = after;
        word
    }

    /// The token, if what follows can't belong to it.
    fn bounded(&self, token: Token) -> Result<Token, TemplateError> {
        let ends = ['.', ',', '|', ':', '=', '(', ')'];
        match self.rest.chars().next() {
            None => Ok(token),
            Some(next) if SPACES.contains(&next) || ends.contains(&next) => Ok(token),
            _ if self.rest.starts_with("}}") => Ok(token),
            Some(next) => Err(syntax(format!("bad character {next:?} in action"))),
        }
    }

    fn number(&mut self) -> Result<Token, TemplateError> {
        let end = self
            .rest
            .find(|c: char| !c.is_alphanumeric() && !"+-._".contains(c))
            .unwrap_or(self.rest.len());
        // The end of an action is not part of its last number.
        let text = self.rest[..end].trim_end_matches('-');
        let digits = text.trim_start_matches(['+', '-']);
        let is_octal = digits.len() > 1 && digits.starts_with('0');
        let number = match text.parse() {
            Ok(number) if !is_octal => number,
            _ => return Err(TemplateError::Unsupported(format!("the number {text}"))),
        };
        self.rest = &self.rest[text.len()..];
        Ok(Token::Number(number))
    }

    fn raw(&mut self) -> Result<Token, TemplateError> {
        let (text, after) = self.rest[1..]
            .split_once('`')
            .ok_or_else(|| syntax("unterminated raw quoted string"))?;
        self.rest = after;
        Ok(Token::Text(text.to_owned()))
    }

    fn quoted(&mut self) -> Result<Token, TemplateError> {
        let unterminated = || syntax("unterminated quoted string");
        let mut text = String::new();
        let mut chars = self.rest[1..].chars();
        loop {
            match chars.next().ok_or_else(unterminated)? {
                '"' => break,
                '\n' => return Err(unterminated()),
                '\\' => text.push(match chars.next().ok_or_else(unterminated)? {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    same @ ('"' | '\\') => same,
                    other => {
                        return Err(TemplateError::Unsupported(format!("the escape \\{other}")));
                    }
                }),
                other => text.push(other),
            }
        }
        self.rest = chars.as_str();
        Ok(Token::Text(text))
    }
}

fn is_letter(c: char) -> bool {
    c == '_' || c.is_alphabetic()
}
