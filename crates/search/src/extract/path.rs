//! The path language of R4 search parameters.
//!
//! R4 uses a small part of FHIRPath for them: element names, `as`/`ofType`, unions, three kinds of
//! `where`, and `extension()`. Read as steps over the definitions, the type of every step is known
//! before a resource is seen, so that all parameters of a type become one walk by name. An
//! expression beyond that subset is rejected here, and its parameter is reported as not indexed.

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Moves to an element by its FHIRPath name.
    Field(String),
    /// Keeps values of that type.
    Type(String),
    /// Keeps references to that resource type: `where(resolve() is Patient)`.
    ResolvesTo(String),
    /// Keeps elements with a child of that text: `where(system='phone')`.
    Equals(String, String),
    /// Keeps elements with an extension of that URL.
    HasExtension(String),
}

/// One alternative of a union.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    /// The path starts at the resource, not at the current element: `%resource.…`.
    pub(crate) from_root: bool,
    /// The steps. The first may be the type that the path is for.
    pub(crate) steps: Vec<Step>,
}

/// The error for an expression that is more than a union of paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotAPath;

/// Returns the paths of an expression.
pub(crate) fn parse(expression: &str) -> Result<Vec<Path>, NotAPath> {
    let mut reader = Reader { rest: expression };
    let mut paths = vec![reader.path()?];
    while reader.take("|") {
        paths.push(reader.path()?);
    }
    if reader.rest.is_empty() {
        Ok(paths)
    } else {
        Err(NotAPath)
    }
}

struct Reader<'a> {
    rest: &'a str,
}

// === impl Reader ===

impl<'a> Reader<'a> {
    fn path(&mut self) -> Result<Path, NotAPath> {
        if !self.take("(") {
            return self.steps();
        }
        let mut path = self.steps()?;
        self.expect(")")?;
        self.more_steps(&mut path)?;
        Ok(path)
    }

    fn steps(&mut self) -> Result<Path, NotAPath> {
        let mut path = if self.take("%resource") {
            Path {
                from_root: true,
                steps: Vec::new(),
            }
        } else {
            Path {
                from_root: false,
                steps: vec![Step::Field(self.word()?.to_owned())],
            }
        };
        self.more_steps(&mut path)?;
        if self.take("as ") {
            path.steps.push(Step::Type(self.word()?.to_owned()));
        }
        Ok(path)
    }

    fn more_steps(&mut self, path: &mut Path) -> Result<(), NotAPath> {
        while self.take(".") {
            let step = self.named_step()?;
            if matches!(&step, Step::Equals(name, _) if name == "url") {
                path.steps.push(Step::Field("extension".to_owned()));
            }
            path.steps.push(step);
        }
        Ok(())
    }

    fn named_step(&mut self) -> Result<Step, NotAPath> {
        let name = self.word()?;
        if !self.take("(") {
            return Ok(Step::Field(name.to_owned()));
        }
        let step = match name {
            "as" | "ofType" => Step::Type(self.word()?.to_owned()),
            "extension" => Step::Equals("url".to_owned(), self.quoted()?),
            "where" => self.condition()?,
            _ => return Err(NotAPath),
        };
        self.expect(")")?;
        Ok(step)
    }

    fn condition(&mut self) -> Result<Step, NotAPath> {
        let name = self.word()?;
        match name {
            "resolve" => {
                self.expect("(")?;
                self.expect(")")?;
                self.expect("is ")?;
                Ok(Step::ResolvesTo(self.word()?.to_owned()))
            }
            "hasExtension" => {
                self.expect("(")?;
                let url = self.quoted()?;
                self.expect(")")?;
                Ok(Step::HasExtension(url))
            }
            _ => {
                self.expect("=")?;
                Ok(Step::Equals(name.to_owned(), self.quoted()?))
            }
        }
    }

    fn word(&mut self) -> Result<&'a str, NotAPath> {
        self.rest = self.rest.trim_start();
        let end = self
            .rest
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at_checked(end).ok_or(NotAPath)?;
        self.rest = rest.trim_start();
        if word.is_empty() {
            Err(NotAPath)
        } else {
            Ok(word)
        }
    }

    fn quoted(&mut self) -> Result<String, NotAPath> {
        self.expect("'")?;
        let (text, rest) = self.rest.split_once('\'').ok_or(NotAPath)?;
        self.rest = rest.trim_start();
        Ok(text.to_owned())
    }

    fn take(&mut self, mark: &str) -> bool {
        match self.rest.trim_start().strip_prefix(mark) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, mark: &str) -> Result<(), NotAPath> {
        if self.take(mark) {
            Ok(())
        } else {
            Err(NotAPath)
        }
    }
}

// === impl Path ===

impl Path {
    /// Returns the steps after the leading type name, if the path is for that type or for all
    /// resources. R4 omits the type once (`InsurancePlan.name`).
    pub(crate) fn for_type(&self, is_a: impl Fn(&str) -> bool) -> Option<&[Step]> {
        match self.steps.split_first() {
            Some((Step::Field(name), rest)) if is_a(name) => Some(rest),
            Some((Step::Field(name), _)) if name.starts_with(|c: char| c.is_ascii_lowercase()) => {
                Some(&self.steps)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn field(name: &str) -> Step {
        Step::Field(name.to_owned())
    }

    #[test]
    fn the_forms_that_r4_uses() {
        let kind = |name: &str| Step::Type(name.to_owned());
        for (text, steps) in [
            ("Patient.name", vec![field("Patient"), field("name")]),
            (
                "(Observation.value as Quantity)",
                vec![field("Observation"), field("value"), kind("Quantity")],
            ),
            (
                "Condition.onset.as(Period)",
                vec![field("Condition"), field("onset"), kind("Period")],
            ),
            (
                "(Observation.value as CodeableConcept).text",
                vec![
                    field("Observation"),
                    field("value"),
                    kind("CodeableConcept"),
                    field("text"),
                ],
            ),
            (
                "Account.subject.where(resolve() is Patient)",
                vec![
                    field("Account"),
                    field("subject"),
                    Step::ResolvesTo("Patient".to_owned()),
                ],
            ),
            (
                "Patient.telecom.where(system='phone')",
                vec![
                    field("Patient"),
                    field("telecom"),
                    Step::Equals("system".to_owned(), "phone".to_owned()),
                ],
            ),
        ] {
            assert_eq!(
                parse(text).unwrap(),
                [Path {
                    from_root: false,
                    steps
                }],
                "{text}"
            );
        }
        assert_eq!(parse("A.b | B.c | (C.d as E)").unwrap().len(), 3);
        assert!(parse("%resource.referenceSeq.chromosome").unwrap()[0].from_root);
        assert_eq!(
            parse("Patient.deceased.exists() and Patient.deceased != false"),
            Err(NotAPath)
        );
        assert_eq!(parse("Bundle.entry[0].resource"), Err(NotAPath));
    }

    proptest! {
        #[test]
        fn takes_any_text(text in "[A-Za-z.()|'= %\\PC]{0,60}") {
            let _ = parse(&text);
        }

        #[test]
        fn takes_deep_nesting(n in 0usize..2000) {
            // The tables are ours and nest only once; a longer text must still be safe to parse.
            let _ = parse(&"(".repeat(n));
        }
    }
}
