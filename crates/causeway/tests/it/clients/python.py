"""Sends files with PyPI hl7 over one connection and prints what that library reads in the answers."""

import sys

sys.path.insert(0, sys.argv[1])
import hl7
from hl7.client import MLLPClient


def told(ack):
    msa = ack.segment("MSA")
    header = ack.segment("MSH")
    errors = [str(err[3][0][0]) for err in ack if str(err[0]) == "ERR"]
    return " ".join([str(msa[1]), str(msa[2]), str(header[5]), str(header[12]), *errors])


with MLLPClient(sys.argv[2], int(sys.argv[3])) as client:
    for path in sys.argv[4:]:
        with open(path, encoding="utf-8", newline="") as file:
            text = file.read()
        answer = hl7.parse_hl7(client.send_message(text).decode("utf-8").strip("\x0b\x1c\r") + "\r")
        if isinstance(answer, hl7.Message):
            print(told(answer))
        else:
            print("batch", *(told(ack) for ack in answer), sep=" | ")
