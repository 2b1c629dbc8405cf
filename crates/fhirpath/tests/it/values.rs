//! FHIRPath N1, clause by clause: conversion, strings, math, equality, comparison, logic.

use crate::clauses::{fails, gives};
use fhirpath::EvaluationError;

#[test]
fn conversion() {
    gives(
        "N1 §Conversion",
        &[
            ("iif(1 > 2, 'a', 'b')", "\"b\""),
            ("'yes'.toBoolean() and 'T'.toBoolean()", "true"),
            ("'12'.toInteger() + 1", "13"),
            ("'1.5'.toDecimal() + 1", "2.5"),
            ("'2147483648'.toInteger()", ""),
            ("@2024-05.toString()", "\"2024-05\""),
            ("'2024-05-17T10:30'.toDate()", "\"2024-05-17\""),
            ("birthDate.toDateTime() is DateTime", "true"),
            ("'10:30'.toTime()", "\"10:30\""),
            ("'1 week'.toQuantity() = 7 days", "true"),
            ("1000 'g'.toQuantity('kg')", "{\"value\":1,\"unit\":\"kg\"}"),
            ("'x'.convertsToInteger() or 'x'.convertsToDate()", "false"),
            ("contact.convertsToString()", "false"),
        ],
    );
}

#[test]
fn strings() {
    gives(
        "N1 §String Manipulation",
        &[
            ("'abcdefg'.indexOf('cd')", "2"),
            ("'ababab'.lastIndexOf('ab')", "4"),
            ("'äbc'.indexOf('c')", "2"),
            ("'äbcd'.substring(1, 2)", "\"bc\""),
            ("'abc'.substring(3)", ""),
            (
                "'abc'.startsWith('ab') and 'abc'.endsWith('bc') and 'abc'.contains('b')",
                "true",
            ),
            ("'abc'.upper() + 'DEF'.lower()", "\"ABCdef\""),
            ("'a.b'.replace('.', '')", "\"ab\""),
            ("'N8000123'.matches('^N[0-9]{8}$')", "false"),
            ("'N8000123'.matchesFull('N[0-9]+')", "true"),
            (
                "'11/30/1972'.replaceMatches('(\\\\d+)/(\\\\d+)/(\\\\d+)', '$3-$1-$2')",
                "\"1972-11-30\"",
            ),
            ("'äb'.length()", "2"),
            ("'ab'.toChars()", "\"a\" \"b\""),
            ("name.given.join('-')", "\"ANNA-B-ANN\""),
            ("'a,b'.split(',')", "\"a\" \"b\""),
            ("' a '.trim()", "\"a\""),
            ("'a' & {} & 'b'", "\"ab\""),
            ("'a' + {}", ""),
            ("'<a>'.escape('html').unescape('html')", "\"<a>\""),
            ("'zz'.decode('hex')", ""),
        ],
    );
    // A pattern that makes backtracking engines run away takes linear time here.
    gives(
        "No runaway patterns",
        &[(
            "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!'.matches('^(a+)+$')",
            "false",
        )],
    );
}

#[test]
fn math() {
    gives(
        "N1 §Math",
        &[
            ("0.1 + 0.2", "0.3"),
            ("1.10 * 2", "2.20"),
            ("5 div 2", "2"),
            ("-5 div 2", "-2"),
            ("5 mod 2", "1"),
            ("2147483647 + 1", ""),
            ("1 / 0", ""),
            ("(-5.5).abs()", "5.5"),
            ("1.1.ceiling() + 1.9.floor() + (-1.9).truncate()", "2"),
            ("2.power(10)", "1024"),
            ("2.power(-1)", "0.5"),
            ("2.sqrt().round(3)", "1.414"),
            ("100.log(10)", "2"),
            ("1.exp().round(4)", "2.7183"),
            ("1.ln()", "0"),
            ("2.5.round()", "3"),
            ("3 'kg' * 2", "{\"value\":6,\"unit\":\"kg\"}"),
        ],
    );
    fails(
        "N1 §Math types",
        &[
            ("1 + 'a'", EvaluationError::WrongType("+")),
            ("@2024-01-01 + 1 'cm'", EvaluationError::WrongType("+")),
            ("name + 1", EvaluationError::NotSingle("+")),
            ("-'a'", EvaluationError::WrongType("-")),
        ],
    );
}

#[test]
fn equality_and_comparison() {
    gives(
        "N1 §Equality",
        &[
            ("{} = 1", ""),
            ("(1 | 2) = (2 | 1)", "false"),
            ("(1 | 2) ~ (2 | 1)", "true"),
            ("'A' ~ 'a'", "true"),
            ("1.0 = 1", "true"),
            ("1.50 ~ 1.5", "true"),
            ("@2024 = @2024-05", ""),
            ("@2024 ~ @2024-05", "false"),
            ("@2024-01-01T10:00:00Z = @2024-01-01T11:00:00+01:00", "true"),
            ("1 year = 1 'a'", ""),
            ("name[0] = name[0] and name[0] != name[1]", "true"),
            ("birthDate = @1980-02-03", "true"),
            ("1 = 'a'", "false"),
            ("{} ~ {}", "true"),
        ],
    );
    gives(
        "N1 §Comparison",
        &[
            ("1 < 1.5", "true"),
            ("'abc' < 'abd'", "true"),
            ("@2024-05 > @2024", ""),
            ("@2024-05 > @2023", "true"),
            ("@T10:30 <= @T10:30:00", ""),
            ("1 'm' > 99 'cm'", "true"),
            ("1 'm' > 1 's'", ""),
            ("birthDate < today()", "true"),
            ("{} > 1", ""),
        ],
    );
    fails(
        "N1 §Comparison types",
        &[("1 > 'a'", EvaluationError::WrongType(">"))],
    );
}

#[test]
fn logic_is_three_valued() {
    let value = |v: Option<bool>| match v {
        Some(true) => "true",
        Some(false) => "false",
        None => "{}",
    };
    let all = [Some(true), Some(false), None];
    for a in all {
        for b in all {
            let (left, right) = (value(a), value(b));
            let and = if a == Some(false) || b == Some(false) {
                Some(false)
            } else {
                a.zip(b).map(|_| true)
            };
            let or = if a == Some(true) || b == Some(true) {
                Some(true)
            } else {
                a.zip(b).map(|_| false)
            };
            let xor = a.zip(b).map(|(a, b)| a != b);
            let implies = match (a, b) {
                (Some(false), _) | (_, Some(true)) => Some(true),
                (Some(true), b) => b,
                (None, _) => None,
            };
            for (operator, expected) in
                [("and", and), ("or", or), ("xor", xor), ("implies", implies)]
            {
                let expected = expected.map_or("", |v| value(Some(v)));
                gives(
                    "N1 §Boolean logic",
                    &[(&format!("{left} {operator} {right}"), expected)],
                );
            }
        }
    }
    gives(
        "N1 §Singleton Evaluation",
        &[
            ("'a' and true", "true"),
            ("name.where(family).count()", "1"),
        ],
    );
    fails(
        "N1 §Singleton Evaluation",
        &[("name and true", EvaluationError::NotSingle("and"))],
    );
}
