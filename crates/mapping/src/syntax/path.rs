//! Parses sources (left) and paths (right).

use super::cursor::Parsed;
use super::{Arrow, Cursor, Discriminator, Many, Path, Repeat, Source, Step, StepName};

pub(super) fn arrow(cursor: &mut Cursor<'_>) -> Parsed<Arrow> {
    if cursor.take("<->") {
        Ok(Arrow::Both)
    } else if cursor.take("->") {
        Ok(Arrow::Forward)
    } else if cursor.take("<-") {
        Ok(Arrow::Back)
    } else {
        cursor.error_with(
            "expected `->`, `<-` or `<->`",
            "FIELD <-> element : converter",
        )
    }
}

/// Returns whether a source comes next.
pub(super) fn is_source(cursor: &mut Cursor<'_>) -> bool {
    source(&mut cursor.clone()).is_ok()
}

pub(super) fn source(cursor: &mut Cursor<'_>) -> Parsed<Source> {
    let spot = cursor.spot();
    if cursor.take(".") {
        let component = small(cursor)?;
        let sub = if cursor.touches(".") { sub(cursor)? } else { 0 };
        return Ok(Source::Cell {
            spot,
            component,
            sub,
        });
    }
    if cursor.take("$") {
        return Ok(Source::Member {
            spot,
            number: small(cursor)?,
        });
    }
    if cursor.keyword("this") {
        return Ok(Source::This { spot });
    }
    let segment = match cursor.plain_word() {
        Some(name) if is_segment(name) && cursor.touches("-") => name.to_owned(),
        _ => {
            return cursor.error_with(
                "expected a field such as PID-5, a component such as .4, or `this`",
                "PID-5",
            );
        }
    };
    cursor.expect("-")?;
    let field = match u16::try_from(cursor.number()?) {
        Ok(field) if 0 < field => field,
        _ => return cursor.error("fields count from 1"),
    };
    let mut repeat = Repeat::At(1);
    if cursor.touches("[") {
        cursor.expect("[")?;
        if cursor.take("*") {
            repeat = Repeat::All;
        } else {
            match u16::try_from(cursor.number()?) {
                Ok(number) if 0 < number => repeat = Repeat::At(number),
                _ => return cursor.error("repeats count from 1"),
            }
        }
        cursor.expect("]")?;
    }
    let component = if cursor.touches(".") { sub(cursor)? } else { 0 };
    let sub = if component != 0 && cursor.touches(".") {
        sub(cursor)?
    } else {
        0
    };
    Ok(Source::Field {
        spot,
        segment,
        field,
        repeat,
        component,
        sub,
    })
}

pub(super) fn is_segment(name: &str) -> bool {
    let mut bytes = name.bytes();
    name.len() == 3
        && bytes.next().is_some_and(|b| b.is_ascii_uppercase())
        && bytes.all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

fn sub(cursor: &mut Cursor<'_>) -> Parsed<u8> {
    cursor.expect(".")?;
    small(cursor)
}

fn small(cursor: &mut Cursor<'_>) -> Parsed<u8> {
    match u8::try_from(cursor.number()?) {
        Ok(number) if 0 < number => Ok(number),
        _ => cursor.error("components count from 1 to 255"),
    }
}

/// Parses a path: `name[*]{use default home}.given`, or `this`.
pub(super) fn path(cursor: &mut Cursor<'_>) -> Parsed<Path> {
    let spot = cursor.spot();
    if cursor.keyword("this") {
        return Ok(Path {
            spot,
            steps: Vec::new(),
        });
    }
    let mut steps = vec![step(cursor)?];
    while cursor.touches(".") {
        cursor.expect(".")?;
        steps.push(step(cursor)?);
    }
    Ok(Path { spot, steps })
}

fn step(cursor: &mut Cursor<'_>) -> Parsed<Step> {
    let spot = cursor.spot();
    let Some(word) = cursor.plain_word() else {
        return cursor.error_with("expected an element", "an element's name as in FHIR JSON");
    };
    let name = if word == "extension" && cursor.touches("(") {
        cursor.expect("(")?;
        let name = cursor.value(&[')'])?;
        cursor.expect(")")?;
        StepName::Extension(name)
    } else {
        StepName::Element(word.to_owned())
    };
    let mut many = Many::One;
    if cursor.touches("[") {
        cursor.expect("[")?;
        if cursor.take("*") {
            many = Many::All;
        } else if cursor.take("+") {
            many = Many::New;
        } else {
            return cursor.error_with(
                "a FHIR element takes no number",
                "[*] for each, [+] for a new one, or {…} for a distinguished one",
            );
        }
        cursor.expect("]")?;
    }
    let mut discriminators = Vec::new();
    if cursor.touches("{") {
        cursor.expect("{")?;
        discriminators.push(discriminator(cursor)?);
        while cursor.take(",") {
            discriminators.push(discriminator(cursor)?);
        }
        cursor.expect("}")?;
    }
    Ok(Step {
        spot,
        name,
        many,
        discriminators,
    })
}

fn discriminator(cursor: &mut Cursor<'_>) -> Parsed<Discriminator> {
    let path = path(cursor)?;
    if cursor.take("=") {
        let values = vec![cursor.value(&[',', '}'])?];
        let text = if cursor.next_is("\"") {
            Some(cursor.quoted()?)
        } else {
            None
        };
        return Ok(Discriminator {
            path,
            values,
            default: false,
            absent: false,
            text,
        });
    }
    if !cursor.keyword("default") {
        return cursor.error_with(
            "expected `=` or `default`",
            "{type = CODE} or {use default home}",
        );
    }
    let mut values = vec![cursor.value(&[',', '}'])?];
    let mut absent = false;
    while cursor.next_is(",") {
        let mut ahead = cursor.clone();
        ahead.expect(",")?;
        if ahead.keyword("also") {
            values.push(ahead.value(&[',', '}'])?);
        } else if ahead.next_word_is("absent") {
            ahead.expect_keyword("absent")?;
            absent = true;
        } else if ahead.next_is("}") {
            return ahead.error("expected `also`, `absent` or another element");
        } else {
            // `also home, mobile, absent` may omit the second `also`.
            let mut bare = ahead.clone();
            let value = bare.value(&[',', '}'])?;
            if !bare.next_is(",") && !bare.next_is("}") {
                break;
            }
            values.push(value);
            ahead = bare;
        }
        *cursor = ahead;
    }
    Ok(Discriminator {
        path,
        values,
        default: true,
        absent,
        text: None,
    })
}
