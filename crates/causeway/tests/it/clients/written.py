"""Reads HL7 v2 files with PyPI hl7apy and prints, for each, its structure and its segments as that library writes them again."""

import sys

sys.path.insert(0, sys.argv[1])
from hl7apy.core import Group
from hl7apy.parser import parse_message


def segments(parent):
    for child in parent.children:
        if isinstance(child, Group):
            yield from segments(child)
        else:
            yield child.to_er7()


for path in sys.argv[2:]:
    with open(path, encoding="utf-8", newline="") as file:
        message = parse_message(file.read(), find_groups=True)
    print(message.name)
    for text in segments(message):
        print(text)
